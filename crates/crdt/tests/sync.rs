//! Replication against a simulated network, and reconciliation of two sets held apart.

mod common;

use std::collections::BTreeSet;

use archstone_crdt::clock::VersionVector;
use archstone_crdt::codec::Wire;
use archstone_crdt::quorum::{HintQueue, ReadRepair};
use archstone_crdt::set::AddWinsSet;
use archstone_crdt::sync::{
    BufferFull, CausalBuffer, DeltaLog, Keys, MerkleSync, RangeSync, Reconcile, Riblt, Shipment,
    Stability, reconcile,
};
use archstone_crdt::{Delta, Dot, Lattice, ReplicaId, Time};
use common::id;
use core::time::Duration;
use proptest::prelude::*;

/// The digest of 2,000 symbols of a thousand keys.
const PLACES: u64 = 454_489_526_456_620_414;

/// A seeded stream of numbers below a bound.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// Replicas that gossip deltas over a network that loses, doubles, reorders and parts; in the end
/// it is whole and everybody has the same bytes.
fn gossip(seed: u64, log_limit: usize) {
    const N: usize = 4;
    let mut dice = Dice(seed);
    let mut states = vec![AddWinsSet::<u32>::new(); N];
    let mut logs: Vec<DeltaLog<AddWinsSet<u32>>> =
        (0..N).map(|_| DeltaLog::new(log_limit)).collect();
    // (to, from, what to acknowledge, bytes of a state)
    let mut network: Vec<(usize, usize, u64, Vec<u8>)> = Vec::new();
    for round in 0..400 {
        let quiet = round >= 250;
        let at = dice.below(N);
        if !quiet {
            let item = dice.below(12) as u32;
            let delta = if dice.below(3) > 0 {
                states[at].add(id(at), item)
            } else {
                states[at].remove(id(at), &item)
            };
            let delta = delta.unwrap();
            if !delta.is_empty() {
                logs[at].push(id(at), delta.into());
            }
        }
        for to in (0..N).filter(|&to| to != at) {
            match logs[at].next_for(id(to)) {
                Shipment::Nothing => {}
                Shipment::Delta { upto, delta } => network.push((to, at, upto, delta.encode())),
                Shipment::FullState { upto } => network.push((to, at, upto, states[at].encode())),
            }
        }
        // Two halves that do not hear each other for a while.
        let parted = !quiet && (60..160).contains(&(round % 200));
        for _ in 0..6 {
            if network.is_empty() {
                break;
            }
            let pick = dice.below(network.len());
            let (to, from, upto, bytes) = network.swap_remove(pick);
            let lost = !quiet && dice.below(4) == 0;
            if lost || parted && (to < N / 2) != (from < N / 2) {
                continue;
            }
            if !quiet && dice.below(5) == 0 {
                network.push((to, from, upto, bytes.clone()));
            }
            let message = AddWinsSet::decode(&bytes).unwrap();
            if states[to].merge(&message) {
                logs[to].push(id(from), message);
            }
            states[to].validate();
            logs[from].ack(id(to), upto);
        }
        network.truncate(200);
    }
    for _ in 0..4 {
        for at in 0..N {
            for to in 0..N {
                let other = states[at].clone();
                states[to].merge(&other);
            }
        }
    }
    let bytes = states[0].encode();
    assert!(states.iter().all(|state| state.encode() == bytes), "seed {seed}");
    assert!(states[0].context().is_compact(), "nothing is missing in the end");
}

#[test]
fn gossip_over_a_bad_network_ends_in_equal_bytes() {
    for seed in 0..40 {
        gossip(seed, if seed % 4 == 0 { 3 } else { 1_000 });
    }
}

#[test]
fn deltas_are_not_sent_back_to_where_they_came_from() {
    let (me, ann, bob) = (id(0), id(1), id(2));
    let mut log = DeltaLog::new(2);
    let state = |item| {
        let mut set = AddWinsSet::new();
        set.add(ann, item).unwrap();
        set
    };
    log.push(ann, state(1));
    assert_eq!(log.next_for(ann), Shipment::Nothing);
    assert_eq!(log.next_for(bob), Shipment::Delta { upto: 1, delta: state(1) });
    log.push(me, state(2));
    log.push(me, state(3));
    assert_eq!(log.next_for(bob), Shipment::FullState { upto: 3 }, "the log lost its first");
    log.ack(bob, 99);
    assert_eq!(log.next_for(bob), Shipment::Nothing);
    log.ack(bob, 0);
    assert_eq!(log.next_for(bob), Shipment::Nothing, "late acknowledgements take nothing back");
    assert_eq!((log.trim([bob, me]), log.len()), (0, 2));
    log.ack(me, 3);
    assert_eq!((log.trim([bob, me]), log.is_empty()), (2, true));
    // What was acknowledged from the future does not cover what comes after.
    log.push(me, state(4));
    assert_eq!(log.next_for(bob), Shipment::Delta { upto: 4, delta: state(4) });
}

proptest! {
    /// Each message once, after all that its sender had seen, whatever the network does.
    #[test]
    fn the_buffer_delivers_causally(seed in any::<u64>(), limit in 3_usize..200) {
        const N: usize = 4;
        let mut dice = Dice(seed);
        let mut seen = vec![VersionVector::new(); N];
        let mut sent: Vec<(Dot, VersionVector)> = Vec::new();
        for _ in 0..60 {
            let at = dice.below(N);
            if dice.below(2) == 0 && !sent.is_empty() {
                let (dot, deps) = sent[dice.below(sent.len())].clone();
                seen[at].merge(&deps);
                seen[at].witness(dot.replica, dot.counter);
            }
            let deps = seen[at].clone();
            let dot = seen[at].increment(id(at)).unwrap();
            sent.push((dot, deps));
        }
        let mut buffer = CausalBuffer::new(limit);
        let mut got = BTreeSet::new();
        let mut order: Vec<usize> = (0..sent.len()).chain(0..sent.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, dice.below(i + 1));
        }
        let mut refused: Vec<usize> = Vec::new();
        while let Some(at) = order.pop().or_else(|| refused.pop()) {
            let (dot, deps) = sent[at].clone();
            let ready = match buffer.push(dot, deps, at) {
                Ok(ready) => ready,
                Err(BufferFull { message, limit: full }) => {
                    prop_assert_eq!((message, full, buffer.len()), (at, limit, limit));
                    refused.insert(0, at);
                    continue;
                }
            };
            for (dot, message) in ready {
                prop_assert_eq!(dot, sent[message].0);
                let past = sent[message].1.iter().flat_map(|(r, n)| (1..=n).map(move |c| Dot::new(r, c)));
                prop_assert!(past.clone().all(|d| got.contains(&d)), "{dot:?} before its past");
                prop_assert!(got.insert(dot), "{dot:?} twice");
            }
            prop_assert_eq!(buffer.missing().is_empty(), buffer.is_empty());
        }
        prop_assert_eq!(got.len(), sent.len());
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn all_three_find_the_difference(common in 0_usize..900, ours in 0_usize..60, theirs in 0_usize..60, seed in any::<u64>(), dense in any::<bool>()) {
        let key = |i: usize| if dense { i as u64 } else { (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed };
        let a: BTreeSet<u64> = (0..common + ours).map(key).collect();
        let b: BTreeSet<u64> = (0..common).chain(common + ours..common + ours + theirs).map(key).collect();
        let they_lack: Vec<u64> = a.difference(&b).copied().collect();
        let we_lack: Vec<u64> = b.difference(&a).copied().collect();
        let keys = |set: &BTreeSet<u64>| Keys::new(set.iter().copied(), seed);
        fn run(mut x: impl Reconcile, mut y: impl Reconcile, they_lack: &[u64], we_lack: &[u64]) -> Result<(), TestCaseError> {
            reconcile(&mut x, &mut y).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!((&x.difference().they_lack[..], &x.difference().we_lack[..]), (they_lack, we_lack));
            prop_assert_eq!((&y.difference().they_lack[..], &y.difference().we_lack[..]), (we_lack, they_lack));
            prop_assert_eq!(x.cost().sent, y.cost().received);
            Ok(())
        }
        run(RangeSync::new(keys(&a)), RangeSync::new(keys(&b)), &they_lack, &we_lack)?;
        run(RangeSync::new(keys(&a)).with_few(1), RangeSync::new(keys(&b)).with_few(1), &they_lack, &we_lack)?;
        run(MerkleSync::new(keys(&a)), MerkleSync::new(keys(&b)), &they_lack, &we_lack)?;
        run(Riblt::new(keys(&a)), Riblt::new(keys(&b)), &they_lack, &we_lack)?;
    }

    #[test]
    fn stable_is_what_all_have(rows in prop::collection::vec((0_usize..3, 0_u64..3, 1_u64..9), 0..20)) {
        let mut group = Stability::new((0..3).map(id));
        let mut acked = vec![VersionVector::new(); 3];
        for (member, replica, count) in rows {
            let version = VersionVector::from_iter([(ReplicaId(replica), count)]);
            prop_assert_eq!(group.ack(id(member), &version), acked[member].merge(&version));
        }
        for replica in (0..3).map(ReplicaId) {
            let least = acked.iter().map(|v| v.get(replica)).min().unwrap();
            prop_assert_eq!(group.stable().get(replica), least);
        }
        let newest = acked.iter().fold(VersionVector::new(), |mut all, v| { all.merge(v); all });
        prop_assert_eq!(group.lag(id(1)), Some(newest.total() - acked[1].total()));
        prop_assert!(!group.ack(id(5), &newest) && group.lag(id(5)).is_none());
        group.evict(id(0));
        group.evict(id(2));
        prop_assert_eq!(group.stable(), acked[1].clone());
    }

    /// After its repairs every replica that was asked holds the same, and a hint is delivered once
    /// or counted.
    #[test]
    fn a_read_repairs_whom_it_asked(versions in prop::collection::vec(prop::option::of(prop::collection::btree_map(0_u64..3, 1_u64..4, 1..3)), 1..5)) {
        let mut read = ReadRepair::new();
        let clocks: Vec<Option<VersionVector>> = versions.iter().map(|v| v.as_ref().map(|v| v.iter().map(|(&r, &c)| (ReplicaId(r), c)).collect())).collect();
        for (replica, clock) in clocks.iter().enumerate() {
            match clock {
                Some(clock) => read.offer(id(replica), clock.clone(), format!("{clock:?}")),
                None => read.offer_nothing(id(replica)),
            }
        }
        prop_assert_eq!(read.answers(), clocks.len());
        let resolved = read.resolve();
        let offered = || clocks.iter().flatten();
        for (version, value) in resolved.versions.iter().zip(&resolved.values) {
            prop_assert!(offered().all(|v| v == version || !v.includes(version)), "none dominates it");
            prop_assert_eq!(value, &format!("{version:?}"));
        }
        prop_assert!(offered().all(|v| resolved.versions.iter().any(|kept| kept.includes(v))));
        prop_assert!(offered().all(|v| resolved.context.includes(v)));
        for (replica, clock) in clocks.iter().enumerate() {
            let lacks: BTreeSet<usize> = resolved.repairs.iter().filter(|r| r.0 == id(replica)).flat_map(|r| r.1.clone()).collect();
            let has: BTreeSet<usize> = (0..resolved.versions.len()).filter(|&i| clock.as_ref() == Some(&resolved.versions[i])).collect();
            prop_assert!(lacks.is_disjoint(&has) && lacks.len() + has.len() == resolved.versions.len());
        }
    }

    #[test]
    fn a_hint_is_delivered_once_or_counted(steps in prop::collection::vec((0_u8..4, 0_usize..3, 0_u64..30), 0..80), limit in 0_usize..6) {
        let mut queue = HintQueue::new(limit, Duration::from_secs(50));
        let (mut held, mut delivered, mut now) = (0_u64, BTreeSet::new(), 0);
        for (what, replica, secs) in steps {
            // A clock that steps back now and then.
            now = if what == 3 { now / 2 } else { now + secs };
            match what {
                0 | 1 => {
                    queue.hold(id(replica), held, Time::from_secs(now));
                    held += 1;
                }
                2 => {
                    let waiting = queue.waiting_for(id(replica));
                    let taken = queue.take(id(replica));
                    prop_assert_eq!(taken.len(), waiting);
                    prop_assert!(taken.windows(2).all(|w| w[0] < w[1]), "oldest first");
                    for value in taken {
                        prop_assert!(delivered.insert(value), "{value} twice");
                    }
                }
                _ => {
                    queue.expire(Time::from_secs(now));
                }
            }
            prop_assert!(queue.len() <= limit);
            let gone = delivered.len() as u64 + queue.dropped() + queue.expired();
            prop_assert_eq!(gone + queue.len() as u64, held);
        }
    }
}

/// Section 5 of the RIBLT paper: 1.35 to 1.72 symbols a difference.
#[test]
fn riblt_needs_at_most_one_and_a_half_symbols_a_difference() {
    use archstone_crdt::sync::{RibltDecoder, RibltEncoder};
    for (differences, most) in [(10, 4.0), (100, 1.9), (1_000, 1.5), (5_000, 1.45)] {
        let mut all = 0;
        for salt in 0..8_u64 {
            let key = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt << 7;
            let ours = Keys::new((0..10_000).map(key), salt);
            let (mut encoder, mut decoder) = (
                RibltEncoder::new((0..10_000 + differences).map(key), salt),
                RibltDecoder::new(&ours),
            );
            while !decoder.take(&encoder.next_symbols(1)).unwrap() {}
            assert_eq!(decoder.difference().we_lack.len() as u64, differences);
            all += decoder.symbols();
        }
        let mean = all as f64 / 8.0 / differences as f64;
        assert!(mean <= most, "{differences} differences: {mean} symbols each");
    }
}

/// Both sides must put a key into the same symbols, today and after every change of this code.
#[test]
fn the_places_of_a_key_are_fixed_for_ever() {
    use archstone_core::hash::hash;
    let symbols = archstone_crdt::sync::RibltEncoder::new(1..=1_000, 7).next_symbols(2_000);
    let words = symbols.iter().flat_map(|s| [s.sum, s.check, s.count as u64]);
    let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    assert_eq!(hash(&bytes, 0), PLACES);
}

/// A forged stream in which one key comes again and again is cut off.
#[test]
fn a_key_that_never_ends_is_an_error() {
    use archstone_crdt::sync::{CodedSymbol, RibltDecoder, SyncError};
    let salt = 3;
    let forged = CodedSymbol { sum: 9, check: archstone_core::hash::hash_u64(9, salt), count: 1 };
    let mut decoder = RibltDecoder::new(&Keys::new([], salt));
    let error = decoder.take(&[forged; 100]).unwrap_err();
    assert_eq!(error, SyncError::Limit { what: "keys", limit: 100 });
}

#[test]
fn a_hint_lives_as_long_as_was_said_and_no_longer() {
    let mut queue = HintQueue::new(5, Duration::from_secs(50));
    queue.hold(id(0), 'a', Time::from_secs(10));
    assert_eq!(queue.expire(Time::from_nanos(59_999_999_999)), 0);
    assert_eq!((queue.expire(Time::from_secs(60)), queue.expired()), (1, 1));
}

#[test]
fn a_context_with_gaps_asks_for_what_is_missing() {
    let mut writer = AddWinsSet::new();
    let deltas: Vec<_> = (0..5).map(|i| writer.add(id(0), i).unwrap()).collect();
    let mut reader = AddWinsSet::new();
    reader.apply(&deltas[0]);
    reader.apply(&deltas[3]);
    assert_eq!(reader.context().gaps().collect::<Vec<_>>(), [(id(0), 2, 3)]);
    reader.merge(&writer.delta_since(reader.context()));
    assert!(reader == writer && reader.context().is_compact());
}
