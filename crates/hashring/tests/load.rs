//! Bounded loads over random histories, and hot keys against exact counts.

use archstone_core::hash::mix;
use archstone_hashring::load::{Bounded, BoundedError, HotKeys, HotKeysError, Lease};
use archstone_hashring::{
    Candidates, Hashed, Key, MultiProbe, NodeId, NodeIx, Numbered, Rendezvous, Resize, Ring, Weight,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Join(u8, u8),
    Leave(u8),
    Reweight(u8, u8),
    Acquire(u8),
    Release(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..8_u8, 1..5_u8).prop_map(|(name, weight)| Step::Join(name, weight)),
        1 => (0..8_u8).prop_map(Step::Leave),
        1 => (0..8_u8, 1..5_u8).prop_map(|(name, weight)| Step::Reweight(name, weight)),
        8 => (0..6_u8).prop_map(Step::Acquire),
        4 => any::<u8>().prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..200)
}

fn id(name: u8) -> NodeId {
    NodeId::of(&format!("worker-{name}"))
}

/// The counts kept as plainly as can be, by name.
#[derive(Default)]
struct Model {
    /// Name to (index, weight, leases held).
    nodes: BTreeMap<u8, (NodeIx, f64, u64)>,
}

impl Model {
    fn name_of(&self, node: NodeIx) -> u8 {
        *self.nodes.iter().find(|(_, entry)| entry.0 == node).expect("a live node").0
    }
}

fn check<P: Candidates + Resize>(empty: P, factor: f64, weights: bool, steps: &[Step]) {
    let mut bounded = Bounded::new(empty, factor).unwrap();
    let mut model = Model::default();
    let mut leases: Vec<(Option<u8>, Lease)> = Vec::new();
    for step in steps {
        match *step {
            Step::Join(name, weight) => {
                let weight = if weights { f64::from(weight) } else { 1.0 };
                let joined = bounded.join(id(name), Weight::new(weight).unwrap());
                if let Ok(node) = joined {
                    assert!(model.nodes.insert(name, (node, weight, 0)).is_none());
                }
            }
            Step::Leave(name) => {
                if let Some((node, ..)) = model.nodes.remove(&name) {
                    bounded.leave(node).unwrap();
                    // Its leases are nobody's from now on.
                    for (held_by, _) in &mut leases {
                        *held_by = held_by.filter(|&holder| holder != name);
                    }
                    assert_eq!(bounded.load(node), None);
                }
            }
            Step::Reweight(name, weight) if weights => {
                if let Some(entry) = model.nodes.get_mut(&name) {
                    entry.1 = weight.into();
                    bounded.reweight(entry.0, Weight::new(entry.1).unwrap()).unwrap();
                }
            }
            Step::Reweight(..) => {}
            Step::Acquire(key) => {
                let key = key.hashed(0);
                let held: u64 = model.nodes.values().map(|entry| entry.2).sum();
                let all: f64 = model.nodes.values().map(|entry| entry.1).sum();
                let bound = |weight: f64| (factor * (held + 1) as f64 / all * weight).ceil();
                let room = |node: &NodeIx| {
                    let (_, weight, held) = model.nodes[&model.name_of(*node)];
                    (held as f64) < bound(weight)
                };
                let expected = bounded.placement().candidates(key).find(room);
                let lease = bounded.acquire(key);
                assert_eq!(lease.as_ref().map(Lease::node), expected, "the first with room");
                assert_eq!(lease.is_none(), model.nodes.is_empty(), "somebody always has room");
                if let Some(lease) = lease {
                    let name = model.name_of(lease.node());
                    let entry = model.nodes.get_mut(&name).unwrap();
                    entry.2 += 1;
                    assert!(entry.2 as f64 <= bound(entry.1), "never above the bound");
                    leases.push((Some(name), lease));
                }
            }
            Step::Release(which) => {
                if leases.is_empty() {
                    continue;
                }
                let (held_by, lease) = leases.swap_remove(usize::from(which) % leases.len());
                assert_eq!(bounded.release(lease), held_by.is_some());
                if let Some(name) = held_by {
                    model.nodes.get_mut(&name).unwrap().2 -= 1;
                }
            }
        }
        for &(node, _, held) in model.nodes.values() {
            assert_eq!(bounded.load(node), Some(held));
        }
        assert_eq!(bounded.held(), model.nodes.values().map(|entry| entry.2).sum::<u64>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_order_of_steps_breaks_the_bound_or_panics(steps in steps()) {
        for factor in [1.0, 1.25, 2.0, 1_000.0] {
            check(Ring::with_points(20).unwrap(), factor, true, &steps);
            check(Rendezvous::new(), factor, false, &steps);
        }
        check(MultiProbe::new(), 1.1, false, &steps);
        check(Numbered::new(archstone_hashring::Memento::new(0)), 1.1, false, &steps);
    }
}

#[test]
fn a_factor_of_one_fills_everybody_alike() {
    let mut bounded = Bounded::new(Rendezvous::new(), 1.0).unwrap();
    let nodes: Vec<NodeIx> = (0..7).map(|i| bounded.join(id(i), Weight::ONE).unwrap()).collect();
    let leases: Vec<Lease> = (0..70).filter_map(|_| bounded.acquire(Hashed(5))).collect();
    assert_eq!(leases.len(), 70);
    assert!(nodes.iter().all(|&node| bounded.load(node) == Some(10)));
}

#[test]
fn a_lease_of_one_who_left_does_not_count_for_who_has_its_index_now() {
    let mut bounded = Bounded::new(Ring::new(), 2.0).unwrap();
    let old = bounded.join(id(0), Weight::ONE).unwrap();
    let lease = bounded.acquire(Hashed(1)).unwrap();
    bounded.leave(old).unwrap();
    assert_eq!(bounded.acquire(Hashed(1)), None);
    let new = bounded.join(id(1), Weight::ONE).unwrap();
    assert_eq!(old, new, "the index is given again");
    let _kept = bounded.acquire(Hashed(1)).unwrap();
    assert!(!bounded.release(lease));
    assert_eq!((bounded.load(new), bounded.held()), (Some(1), 1));
}

#[test]
fn parameters_out_of_range_are_refused() {
    for factor in [0.0, 0.99, f64::NAN, f64::INFINITY, 1_000.1, -1.0] {
        assert!(matches!(Bounded::new(Ring::new(), factor), Err(BoundedError::Factor { .. })));
    }
    let mut one = Ring::new();
    one.add(id(0), Weight::ONE).unwrap();
    let error = Bounded::new(one, 1.5).unwrap_err();
    assert_eq!(error.to_string(), "1 members, there must be none yet");
    for slots in [0, (1 << 16) + 1] {
        assert_eq!(HotKeys::new(slots, 0.1, 2).unwrap_err(), HotKeysError::Slots { slots });
    }
    for share in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(HotKeys::new(8, share, 2).is_err(), "{share}");
    }
    assert!(
        HotKeys::new(8, 0.1, 0).is_err()
            && HotKeys::new(8, 0.1, 1).unwrap().with_window(0).is_err()
    );
}

/// A stream with three hot keys: 28 %, 12 % and 3 %, and a long tail.
fn stream(len: u64) -> impl Iterator<Item = Hashed> {
    (0..len).map(|i| match mix(i) % 100 {
        0..28 => "first".hashed(0),
        28..40 => "second".hashed(0),
        40..43 => "third".hashed(0),
        _ => mix(i ^ 0xABCD).hashed(0),
    })
}

#[test]
fn hot_keys_are_spread_as_far_as_their_share_needs_and_no_cold_one_is() {
    let mut hot = HotKeys::new(200, 0.05, 8).unwrap();
    stream(90_000).for_each(|key| hot.record(key));
    assert_eq!(hot.copies("first".hashed(0)), 6, "28 % at 5 % each");
    assert_eq!(hot.copies("second".hashed(0)), 3);
    assert_eq!(hot.copies("third".hashed(0)), 1);
    assert_eq!(hot.hot().count(), 2);
    // What cools down is forgotten within a few windows.
    let mut cooling = hot.with_window(1_000).unwrap();
    (0..20_000_u64).for_each(|i| cooling.record(i.hashed(7)));
    assert_eq!(cooling.hot().count(), 0);
}

/// Every count is right within its error, and every key over `seen / slots` is known.
#[test]
fn counts_are_right_within_requests_by_slots() {
    let slots = 50;
    let mut hot = HotKeys::new(slots, 0.001, 1_000).unwrap().with_window(u64::MAX).unwrap();
    let mut exact: BTreeMap<Hashed, u64> = BTreeMap::new();
    for (seen, i) in (1..=20_000_u64).enumerate() {
        let key = (mix(i) % 1_000 * (mix(i) >> 32) % 1_000).hashed(0);
        hot.record(key);
        *exact.entry(key).or_default() += 1;
        if i % 1_000 == 0 {
            let seen = seen as f64 + 1.0;
            for (&key, &count) in &exact {
                let at_most = (count as f64 / (seen * 0.001)).ceil() as u32;
                assert!(hot.copies(key) <= at_most.max(1), "never more than what is certain");
                let least = count as f64 - seen / slots as f64;
                let at_least = (least / (seen * 0.001)).ceil() as u32;
                assert!(
                    hot.copies(key) >= at_least.min(1_000),
                    "the error is at most seen / slots"
                );
            }
        }
    }
}

/// Three of four requests, one of which may have been another key's: halved, one is certain, not two.
#[test]
fn halving_makes_nothing_certain_that_was_not() {
    let mut hot = HotKeys::new(1, 0.5, 10).unwrap().with_window(4).unwrap();
    [1, 2, 2, 2].map(Hashed).into_iter().for_each(|key| hot.record(key));
    assert_eq!(hot.copies(Hashed(2)), 1);
}

#[test]
fn a_hot_key_is_served_by_its_owners_in_turn() {
    let mut ring = Ring::new();
    for name in 0..10 {
        ring.add(id(name), Weight::ONE).unwrap();
    }
    let mut hot = HotKeys::new(100, 0.1, 4).unwrap();
    stream(50_000).for_each(|key| hot.record(key));
    let key = "first".hashed(0);
    let owners: Vec<NodeIx> = hot.owners(&ring, key).collect();
    assert_eq!(owners, ring.candidates(key).take(3).collect::<Vec<_>>());
    let served: Vec<NodeIx> = (0..6).filter_map(|turn| hot.route(&ring, key, turn)).collect();
    assert_eq!(served, [&owners[..], &owners[..]].concat());
    let cold = "cold".hashed(0);
    let served: BTreeSet<_> = (0..6).map(|turn| hot.route(&ring, cold, turn)).collect();
    assert_eq!(served.len(), 1);
    assert_eq!(hot.route(&Ring::new(), key, 3), None, "nobody is there");
    let mut alone = Ring::new();
    alone.add(id(0), Weight::ONE).unwrap();
    assert!((0..5).all(|turn| hot.route(&alone, key, turn).is_some()), "fewer nodes than copies");
}
