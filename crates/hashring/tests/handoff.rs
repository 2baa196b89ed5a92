//! A handoff against a simulation of the nodes that hold the data.

use archstone_core::hash::mix;
use archstone_hashring::{
    Candidates, Handoff, Hashed, MoveId, NodeId, Resize, Ring, State, Weight,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn ring(members: &[(u8, u8)], points: u32) -> Ring {
    let mut ring = Ring::with_points(points).unwrap();
    for &(name, weight) in members {
        let id = NodeId::of(&format!("node-{name}"));
        let _ = ring.add(id, Weight::new(weight.into()).unwrap());
    }
    ring
}

fn holders(ring: &Ring, key: Hashed, copies: usize) -> Vec<NodeId> {
    ring.candidates(key).take(copies).filter_map(|node| ring.id(node)).collect()
}

/// What each node has: (node, key) to the number of the write.
#[derive(Default)]
struct Store(BTreeMap<(NodeId, u64), u64>);

impl Store {
    fn write(&mut self, to: &[NodeId], key: Hashed, value: u64) {
        for &node in to {
            self.0.insert((node, key.0), value);
        }
    }

    fn check(&self, handoff: &Handoff, key: Hashed, value: u64) {
        let reads = handoff.reads(key);
        assert!(!reads.is_empty());
        for &node in &*reads {
            assert_eq!(self.0.get(&(node, key.0)), Some(&value), "a read finds the last write");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Moves begin, fail and complete in any order between writes; every read sees the last write,
    /// and at the end the new holders have everything.
    #[test]
    fn every_read_sees_the_last_write(
        old in prop::collection::vec((0_u8..8, 1_u8..4), 1..6),
        new in prop::collection::vec((0_u8..8, 1_u8..4), 1..6),
        copies in 1_usize..4,
        seed in any::<u64>(),
    ) {
        let (old, new) = (ring(&old, 4), ring(&new, 4));
        let keys: Vec<Hashed> = (0..40).map(|i| Hashed(mix(seed ^ i))).chain([Hashed(0), Hashed(u64::MAX)]).collect();
        let mut store = Store::default();
        let mut latest: BTreeMap<u64, u64> = BTreeMap::new();
        for key in &keys {
            store.write(&holders(&old, *key, copies), *key, 0);
            latest.insert(key.0, 0);
        }
        let mut handoff = Handoff::new(old.clone(), new.clone(), copies).unwrap();
        let (mut random, mut under_way, mut tick) = (seed, Vec::new(), 0);
        let all = handoff.left();
        while handoff.left() > 0 {
            random = mix(random.wrapping_add(1));
            tick += 1;
            prop_assert!(tick < 100_000, "moves that never begin");
            match random % 4 {
                0 => under_way.extend(handoff.begin()),
                1 if !under_way.is_empty() => {
                    let (id, step) = under_way.swap_remove((random >> 8) as usize % under_way.len());
                    if random & 1 << 40 == 0 && tick < 2_000 {
                        handoff.fail(id).unwrap();
                        prop_assert_eq!(handoff.state(id), Some(State::Pending));
                        prop_assert!(handoff.complete(id).is_err(), "not under way");
                        continue;
                    }
                    let from = step.from.unwrap();
                    for key in keys.iter().filter(|key| step.keys.contains(**key)) {
                        // A copy does not overwrite what was written meanwhile.
                        let copied = store.0[&(from, key.0)];
                        store.0.entry((step.to, key.0)).or_insert(copied);
                    }
                    handoff.complete(id).unwrap();
                    prop_assert!(handoff.complete(id).is_err() && handoff.fail(id).is_err());
                }
                _ => {
                    let key = keys[(random >> 16) as usize % keys.len()];
                    let writes = handoff.writes(key);
                    let distinct: BTreeSet<_> = writes.iter().collect();
                    prop_assert_eq!(distinct.len(), writes.len());
                    store.write(&writes, key, tick);
                    latest.insert(key.0, tick);
                }
            }
            for key in &keys {
                store.check(&handoff, *key, latest[&key.0]);
                let reads = handoff.reads(*key);
                let expected = if handoff.has_moved(*key) { &new } else { &old };
                prop_assert_eq!(&*reads, &holders(expected, *key, copies)[..]);
            }
            let progress = handoff.progress();
            prop_assert!((0.0..=1.0).contains(&progress) && (progress < 1.0 || handoff.left() == 0));
        }
        prop_assert!(handoff.begin().is_none() || all == 0);
        for key in &keys {
            prop_assert!(handoff.has_moved(*key));
            store.check(&handoff, *key, latest[&key.0]);
        }
        let last = handoff.finish().expect("all is moved");
        prop_assert!(last.arcs().eq(new.arcs()));
    }
}

#[test]
fn what_is_not_under_way_cannot_be_completed() {
    let (old, new) = (ring(&[(1, 1), (2, 1)], 8), ring(&[(1, 1), (2, 1), (3, 1)], 8));
    let mut handoff = Handoff::new(old.clone(), new, 1).unwrap();
    let none = MoveId(u32::MAX);
    assert_eq!(handoff.complete(none).unwrap_err().to_string(), "there is no move 4294967295");
    let error = handoff.complete(MoveId(0)).unwrap_err();
    assert_eq!(error.to_string(), "move 0 is Pending, not Copying");
    assert_eq!(handoff.progress(), 0.0);
    let left = handoff.left();
    assert!(left > 0);
    let mut handoff = *handoff.finish().expect_err("nothing is moved");
    assert_eq!(handoff.left(), left);
    let (id, _) = handoff.begin().unwrap();
    assert_eq!(handoff.state(id), Some(State::Copying));
    assert!(Handoff::new(old.clone(), old.clone(), 0).is_err());
    // From nothing there is nothing to copy: the new holders serve at once.
    let fresh = Handoff::new(Ring::new(), old.clone(), 2).unwrap();
    assert_eq!((fresh.left(), fresh.progress()), (0, 1.0));
    assert_eq!(&*fresh.reads(Hashed(9)), &holders(&old, Hashed(9), 2)[..]);
}
