//! The laws of the traits, once for every placement.

use archstone_hashring::{
    Anchor, Candidates, CompactRing, Dx, Hashed, Key, Locate, Maglev, Memento, MultiProbe, NodeId,
    NodeIx, Numbered, PlacementError, Rendezvous, Resize, Ring, Skeleton, Table, Weight,
    WeightedRendezvous,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Join(u8, u8),
    Leave(u8),
    Reweight(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..24_u8, 1..5_u8).prop_map(|(name, weight)| Step::Join(name, weight)),
        2 => (0..24_u8).prop_map(Step::Leave),
        1 => (0..24_u8, 1..5_u8).prop_map(|(name, weight)| Step::Reweight(name, weight)),
    ];
    prop::collection::vec(step, 1..60)
}

fn id(name: u8) -> NodeId {
    NodeId::of(&format!("node-{name}"))
}

/// Keys at the edges of the circle and inside it.
fn keys() -> impl Iterator<Item = Hashed> {
    let edges = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 32) - 1, 1 << 32].map(Hashed);
    edges.into_iter().chain((0..200_u64).map(|i| i.hashed(0)))
}

struct Rules {
    weights: bool,
    /// M1 and C3 hold exactly.
    minimal: bool,
    /// M2 holds: a function of the set. Numbered placements are one of the history, and keep the
    /// others' order (C3) up to the member that changed.
    named: bool,
}

/// Runs a history on a placement and checks every law after every step.
fn check<P: Candidates + Resize + Clone>(empty: P, rules: &Rules, steps: &[Step]) {
    let mut placement = empty.clone();
    let mut members: BTreeMap<u8, (NodeIx, Weight)> = BTreeMap::new();
    for step in steps {
        let before = placement.clone();
        let changed = match *step {
            Step::Join(name, weight) => {
                let weight =
                    if rules.weights { Weight::new(weight.into()).unwrap() } else { Weight::ONE };
                let joined = placement.add(id(name), weight);
                if members.contains_key(&name) {
                    assert_eq!(joined, Err(PlacementError::Duplicate { id: id(name) }));
                    continue;
                }
                members.insert(name, (joined.unwrap(), weight));
                joined.unwrap()
            }
            Step::Leave(name) => {
                let Some((node, _)) = members.remove(&name) else {
                    let nobody = NodeIx(4_000);
                    assert_eq!(
                        placement.remove(nobody),
                        Err(PlacementError::Unknown { node: nobody })
                    );
                    continue;
                };
                placement.remove(node).unwrap();
                assert!(placement.remove(node).is_err(), "a member leaves once");
                node
            }
            Step::Reweight(name, weight) => {
                let Some((node, old)) = members.get_mut(&name).filter(|_| rules.weights) else {
                    continue;
                };
                *old = Weight::new(weight.into()).unwrap();
                placement.reweight(*node, *old).unwrap();
                *node
            }
        };
        let live: BTreeSet<NodeIx> = members.values().map(|&(node, _)| node).collect();
        assert_eq!(placement.len(), live.len());
        let (mut many_keys, mut singles) = (Vec::new(), Vec::new());
        for key in keys() {
            let owner = placement.locate(key);
            assert_eq!(owner.is_none(), live.is_empty(), "L1");
            let Some(owner) = owner else { continue };
            assert!(live.contains(&owner), "L2");
            let all: Vec<NodeIx> = placement.candidates(key).collect();
            assert_eq!(all[0], owner, "C1");
            assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), live, "C2: all");
            assert_eq!(all.len(), live.len(), "C2: once");
            for count in [0, 1, 2, 3, 4, 5, 16] {
                let expected = &all[..count.min(all.len())];
                assert_eq!(placement.copies(key, count).as_slice(), expected, "copies");
            }
            if rules.minimal {
                let old = before.locate(key);
                let moved = old.is_some() && old != Some(owner);
                assert!(!moved || owner == changed || old == Some(changed), "M1 for {key:?}");
                let old: Vec<NodeIx> = before.candidates(key).collect();
                if rules.named {
                    let others = |list: &[NodeIx]| -> Vec<NodeIx> {
                        list.iter().copied().filter(|&node| node != changed).collect()
                    };
                    assert_eq!(others(&old), others(&all), "C3: the others' order for {key:?}");
                } else {
                    let first = |list: &[NodeIx]| -> Vec<NodeIx> {
                        let first = list.iter().take(live.len().div_ceil(2));
                        first.copied().take_while(|&node| node != changed).collect()
                    };
                    let (old, new) = (first(&old), first(&all));
                    let common = old.len().min(new.len());
                    assert_eq!(old[..common], new[..common], "C3 for {key:?}");
                }
            }
            many_keys.push(key);
            singles.push(owner);
        }
        let mut many = vec![NodeIx(u32::MAX); many_keys.len()];
        assert_eq!(placement.locate_many(&many_keys, &mut many), many_keys.len());
        assert_eq!(many, singles, "L3");
    }
    if !rules.named {
        return;
    }
    // M2: the same members joined in another order own the same keys.
    let mut again = empty;
    let mut names = BTreeMap::new();
    for (&name, &(_, weight)) in members.iter().rev() {
        names.insert(again.add(id(name), weight).unwrap(), name);
    }
    let by_node: BTreeMap<NodeIx, u8> =
        members.iter().map(|(&name, &(node, _))| (node, name)).collect();
    for key in keys() {
        let one: Vec<u8> = placement.candidates(key).map(|node| by_node[&node]).collect();
        let other: Vec<u8> = again.candidates(key).map(|node| names[&node]).collect();
        assert_eq!(one, other, "M2 for {key:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Fewer cases: a walk over all buckets is quadratic.
    #[test]
    fn numbered_placements_keep_the_laws_but_for_history(steps in steps()) {
        let steps = &steps[..steps.len().min(30)];
        let rules = Rules { weights: false, minimal: true, named: false };
        check(Numbered::new(Anchor::with_capacity(24).unwrap()), &rules, steps);
        check(Numbered::new(Anchor::with_capacity(100).unwrap()), &rules, steps);
        check(Numbered::new(Dx::with_capacity(24).unwrap()), &rules, steps);
        check(Numbered::new(Dx::with_capacity(200).unwrap()), &rules, steps);
        check(Numbered::new(Memento::new(0)), &rules, steps);
        check(Numbered::new(Skeleton::with_capacity(24).unwrap()), &rules, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_ring_keeps_the_laws(steps in steps()) {
        let rules = Rules { weights: true, minimal: true, named: true };
        check(Ring::with_points(7).unwrap(), &rules, &steps);
        check(Ring::new(), &rules, &steps[..steps.len().min(12)]);
    }

    #[test]
    fn rendezvous_keeps_the_laws(steps in steps()) {
        check(Rendezvous::new(), &Rules { weights: false, minimal: true, named: true }, &steps);
    }

    #[test]
    fn weighted_rendezvous_keeps_the_laws(steps in steps()) {
        check(WeightedRendezvous::new(), &Rules { weights: true, minimal: true, named: true }, &steps);
    }

    #[test]
    fn maglev_keeps_the_laws_but_moves_a_little_more(steps in steps()) {
        check(Maglev::with_slots(251).unwrap(), &Rules { weights: true, minimal: false, named: true }, &steps);
    }

    #[test]
    fn multi_probe_keeps_the_laws(steps in steps()) {
        let rules = Rules { weights: false, minimal: true, named: true };
        check(MultiProbe::new(), &rules, &steps);
        check(MultiProbe::with_probes(1).unwrap(), &rules, &steps);
    }

    #[test]
    fn a_ring_answers_as_a_linear_scan_of_its_points(steps in steps(), keys in prop::collection::vec(any::<u64>(), 50)) {
        let mut ring = Ring::with_points(5).unwrap();
        for step in steps {
            if let Step::Join(name, weight) = step {
                let _ = ring.add(id(name), Weight::new(weight.into()).unwrap());
            }
        }
        let points: Vec<(u32, NodeIx)> = ring.arcs().collect();
        prop_assert!(points.windows(2).all(|p| (p[0].0, ring.id(p[0].1)) < (p[1].0, ring.id(p[1].1))), "R1");
        let compact = CompactRing::compile(&ring).unwrap();
        prop_assert_eq!(compact.len(), ring.len());
        for key in keys {
            prop_assert_eq!(compact.locate(Hashed(key)), ring.locate(Hashed(key)));
            prop_assert!(compact.candidates(Hashed(key)).eq(ring.candidates(Hashed(key))));
            let position = (key >> 32) as u32;
            let naive = points.iter().find(|(at, _)| *at >= position).or(points.first());
            prop_assert_eq!(ring.locate(Hashed(key)), naive.map(|&(_, node)| node));
        }
    }

    #[test]
    fn building_at_once_equals_joining_one_by_one(names in prop::collection::btree_set(any::<u16>(), 0..40)) {
        let members: Vec<_> = names.iter().map(|n| (NodeId::of(&n.to_string()), Weight::ONE)).collect();
        let built = Ring::new().build(members.clone()).unwrap();
        let mut joined = Ring::new();
        let mut table = Maglev::with_slots(1_000).unwrap();
        for &(id, weight) in &members {
            joined.add(id, weight).unwrap();
            table.add(id, weight).unwrap();
        }
        prop_assert!(built.arcs().eq(joined.arcs()));
        let at_once = Maglev::with_slots(1_000).unwrap().build(members.clone()).unwrap();
        prop_assert_eq!(at_once.slots(), table.slots());
        if let Some(&first) = members.first() {
            prop_assert!(Ring::new().build([first, first]).is_err());
        }
    }
}

#[test]
fn a_ring_grows_with_minimal_movement_up_to_4096() {
    let keys: Vec<Hashed> = (0..2_000_u64).map(|i| i.hashed(0)).collect();
    let mut ring = Ring::with_points(4).unwrap();
    let mut owners = vec![NodeIx(0); keys.len()];
    for n in 0..4_096_u64 {
        let new = ring.add(NodeId(archstone_core::hash::mix(n)), Weight::ONE).unwrap();
        for (key, owner) in keys.iter().zip(&mut owners) {
            let now = ring.locate(*key).unwrap();
            assert!(now == *owner || now == new, "{n} nodes");
            *owner = now;
        }
    }
}

/// 655,360 points on 2^32 positions: some fifty fall together, and names decide.
#[test]
fn a_compact_ring_answers_as_its_ring() {
    let empty = CompactRing::compile(&Ring::new()).unwrap();
    assert_eq!((empty.locate(Hashed(0)), empty.candidates(Hashed(0)).count()), (None, 0));
    let members = (0..300_u32).map(|i| (NodeId::of(&i.to_string()), Weight::ONE));
    let ring = Ring::new().build(members).unwrap();
    let compact = CompactRing::compile(&ring).unwrap();
    assert!(compact.heap_bytes() <= 990 * 300, "{}", compact.heap_bytes());
    let edges = ring.arcs().map(|(at, _)| u64::from(at) << 32);
    for key in
        edges.flat_map(|at| [at, at | 0xFFFF_FFFF, at.wrapping_sub(1), at.wrapping_add(1 << 32)])
    {
        assert_eq!(compact.locate(Hashed(key)), ring.locate(Hashed(key)));
    }
    let many = (0..65_537_u64).map(|i| (NodeId(archstone_core::hash::mix(i)), Weight::ONE));
    let many = Ring::with_points(1).unwrap().build(many).unwrap();
    assert!(matches!(CompactRing::compile(&many), Err(PlacementError::Full { .. })));
}

#[test]
fn equal_points_are_ordered_by_name_whoever_joined_first() {
    let filled = |names: &mut dyn Iterator<Item = u8>| {
        let mut ring = Ring::with_points(1 << 16).unwrap();
        for name in names {
            ring.add(id(name), Weight::ONE).unwrap();
        }
        ring
    };
    let (one, other) = (filled(&mut (0..10)), filled(&mut (0..10).rev()));
    let built = (0..10).map(|name| (id((name * 7 + 3) % 10), Weight::ONE));
    let built = Ring::with_points(1 << 16).unwrap().build(built).unwrap();
    let named = |ring: &Ring| -> Vec<(u32, NodeId)> {
        ring.arcs().map(|(at, node)| (at, ring.id(node).unwrap())).collect()
    };
    let points = named(&one);
    let equal = points.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    assert!(equal >= 10, "{equal} equal positions");
    assert!(points.windows(2).all(|pair| pair[0] < pair[1]), "by name");
    assert!(points == named(&other) && points == named(&built));
}

#[test]
fn a_table_answers_as_its_placement_does_for_the_middle_of_each_slot() {
    let mut placement = Rendezvous::new();
    for name in 0..50 {
        placement.add(id(name), Weight::ONE).unwrap();
    }
    let table = Table::compile(&placement, 10).unwrap();
    for slot in 0..1_024_u64 {
        let middle = Hashed(slot << 54 | 1 << 53);
        for key in [slot << 54, slot << 54 | ((1 << 54) - 1)] {
            assert_eq!(table.locate(Hashed(key)), placement.locate(middle));
        }
    }
    let empty = Table::compile(&Ring::new(), 4).unwrap();
    assert_eq!((empty.locate(Hashed(7)), empty.is_empty()), (None, true));
    assert!(Table::compile(&placement, 0).is_err() && Table::compile(&placement, 29).is_err());
}

#[test]
fn bad_parameters_are_refused_with_the_value() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1_000.1, f64::NEG_INFINITY] {
        assert!(Weight::new(bad).is_err(), "{bad}");
    }
    assert!(Ring::with_points(0).is_err() && Ring::with_points(65_537).is_err());
    assert!(Maglev::with_slots(0).is_err() && Maglev::with_slots(u32::MAX).is_err());
    let error = Rendezvous::new().add(id(1), Weight::new(2.0).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "weight 2 is not over 0 and at most 1000");
    // The lightest node is still reachable, the heaviest does not ask for 600 GB.
    let mut ring = Ring::with_points(1_000).unwrap();
    let heavy = ring.add(id(1), Weight::MAX).unwrap();
    let light = ring.add(id(2), Weight::new(1e-300).unwrap()).unwrap();
    // A million of 2^32 positions: about 116 of the node's own coincide.
    assert!((999_800..=999_950).contains(&ring.point_count()), "{}", ring.point_count());
    assert!(ring.candidates(Hashed(0)).any(|node| node == light), "one point at least");
    ring.remove(heavy).unwrap();
    assert_eq!((ring.locate(Hashed(5)), ring.point_count()), (Some(light), 1));
    let mut small = Maglev::with_slots(2).unwrap();
    small.add(id(1), Weight::ONE).unwrap();
    small.add(id(2), Weight::ONE).unwrap();
    assert!(matches!(small.add(id(3), Weight::ONE), Err(PlacementError::Full { .. })));
    assert_eq!(small.len(), 2);
}
