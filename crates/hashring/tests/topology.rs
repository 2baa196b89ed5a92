//! The placement's own choice along its points against the rule along its candidates.

use archstone_hashring::{
    Candidates, Key, NodeId, NodeIx, Place, Resize, Ring, Spread, Topology, Weight,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn a_ring_spreads_as_the_rule_does(
        nodes in prop::collection::vec((0_u16..3, 0_u16..5), 1..14),
        zones in prop::sample::select(vec![vec![(0, 1)], vec![(0, 3)], vec![(1, 4)], vec![(0, 6)], vec![(0, 2), (1, 3)], vec![(7, 2)]]),
    ) {
        let (mut ring, mut topology) = (Ring::with_points(6).unwrap(), Topology::new());
        for (i, (zone, rack)) in nodes.into_iter().enumerate() {
            let node = ring.add(NodeId::of(&i.to_string()), Weight::ONE).unwrap();
            // One in eight stands nowhere.
            if i % 8 != 7 {
                topology.put(node, Place { zone, rack });
            }
        }
        let spread = Spread::new(&zones).unwrap();
        for key in (0..200_u64).map(|i| i.hashed(0)) {
            let chosen = ring.spread(key, &topology, &spread);
            let rule = spread.choose(&topology, ring.candidates(key));
            prop_assert_eq!(chosen.as_slice(), rule.as_slice());
            let distinct: BTreeSet<NodeIx> = chosen.iter().copied().collect();
            prop_assert_eq!(distinct.len(), chosen.len());
        }
    }

    /// Cassandra's rule written for one zone at a time: zones do not see each other.
    #[test]
    fn each_zone_chooses_as_if_it_were_alone(
        nodes in prop::collection::vec((0_u16..3, 0_u16..3), 1..20),
        (a, b, c) in (0_u8..6, 0_u8..6, 1_u8..5),
    ) {
        let (mut ring, mut topology) = (Ring::with_points(6).unwrap(), Topology::new());
        for (i, &(zone, rack)) in nodes.iter().enumerate() {
            let node = ring.add(NodeId::of(&i.to_string()), Weight::ONE).unwrap();
            topology.put(node, Place { zone, rack });
        }
        let zones = [(0, a), (1, b), (2, c)];
        let spread = Spread::new(&zones).unwrap();
        for key in (0..100_u64).map(|i| i.hashed(0)) {
            let chosen = ring.spread(key, &topology, &spread);
            for (zone, copies) in zones {
                let racks: BTreeSet<u16> =
                    nodes.iter().filter(|place| place.0 == zone).map(|place| place.1).collect();
                let (mut used, mut expected, mut later) = (BTreeSet::new(), Vec::new(), Vec::new());
                for node in ring.candidates(key) {
                    let place = topology.place(node).unwrap();
                    if place.zone != zone {
                        continue;
                    }
                    let new = used.insert(place.rack);
                    if new || used.len() == racks.len() && later.is_empty() {
                        expected.push(node);
                    } else {
                        later.push(node);
                    }
                    if used.len() == racks.len() {
                        expected.append(&mut later);
                    }
                }
                expected.truncate(copies.into());
                let here = |node: &&NodeIx| topology.place(**node).unwrap().zone == zone;
                let here: Vec<NodeIx> = chosen.iter().filter(here).copied().collect();
                prop_assert_eq!(here, expected);
            }
        }
    }

    /// Removing a node changes only the choices that held it.
    #[test]
    fn a_leave_changes_only_the_choices_that_held_it(racks in prop::collection::vec(0_u16..4, 4..14), gone in any::<prop::sample::Index>()) {
        let (mut ring, mut topology) = (Ring::with_points(6).unwrap(), Topology::new());
        for (i, &rack) in racks.iter().enumerate() {
            let node = ring.add(NodeId::of(&i.to_string()), Weight::ONE).unwrap();
            topology.put(node, Place { zone: 0, rack });
        }
        let gone = NodeIx(gone.index(racks.len()) as u32);
        // Its rack stays: were it the last there, the zone would have fewer racks, another rule.
        prop_assume!(racks.iter().filter(|&&rack| rack == racks[gone.index()]).count() > 1);
        let spread = Spread::new(&[(0, 3)]).unwrap();
        let keys: Vec<_> = (0..200_u64).map(|i| i.hashed(0)).collect();
        let choose = |ring: &Ring, topology: &Topology| -> Vec<Vec<NodeIx>> {
            keys.iter().map(|&key| ring.spread(key, topology, &spread).to_vec()).collect()
        };
        let before = choose(&ring, &topology);
        ring.remove(gone).unwrap();
        topology.take(gone);
        for (old, new) in before.iter().zip(choose(&ring, &topology)) {
            prop_assert!(old.contains(&gone) || *old == new);
        }
    }
}

/// More racks than a set of them holds, nodes that move between racks, racks that empty: the fast path
/// gives way to the rule, and takes up again.
#[test]
fn a_ring_spreads_over_more_racks_than_a_word_has_bits() {
    let (mut ring, mut topology) = (Ring::with_points(6).unwrap(), Topology::new());
    let nodes: Vec<NodeIx> =
        (0..80_u16).map(|i| ring.add(NodeId::of(&i.to_string()), Weight::ONE).unwrap()).collect();
    let agree = |topology: &Topology| {
        for zones in [vec![(0, 3)], vec![(1, 2)], vec![(2, 1)], vec![(1, 4)], vec![(0, 16)]] {
            let spread = Spread::new(&zones).unwrap();
            for key in (0..300_u64).map(|i| i.hashed(0)) {
                let rule = spread.choose(topology, ring.candidates(key));
                assert_eq!(ring.spread(key, topology, &spread).as_slice(), rule.as_slice());
            }
        }
    };
    for (i, &node) in (0_u16..).zip(&nodes) {
        topology.put(node, Place { zone: i % 3, rack: i });
        if i % 16 == 15 {
            agree(&topology);
        }
    }
    // Half of the racks empty, and their nodes move together into two.
    for &node in &nodes[..40] {
        topology.put(node, Place { zone: 1, rack: (node.0 % 2) as u16 });
    }
    agree(&topology);
    for &node in &nodes[20..60] {
        topology.take(node);
    }
    agree(&topology);
    let mut anew = Topology::new();
    for &node in &nodes {
        if let Some(place) = topology.place(node) {
            anew.put(node, place);
        }
    }
    assert_eq!(anew, topology, "whatever bits the racks have");
    // Nothing is left of where they stood before.
    for zones in [vec![(0, 3)], vec![(1, 12)], vec![(0, 5), (1, 5)]] {
        let spread = Spread::new(&zones).unwrap();
        for key in (0..300_u64).map(|i| i.hashed(0)) {
            let (one, other) =
                (ring.spread(key, &topology, &spread), ring.spread(key, &anew, &spread));
            assert_eq!(one.as_slice(), other.as_slice());
        }
    }
}
