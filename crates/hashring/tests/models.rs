//! Rendezvous and Maglev against their papers, written as plainly as they stand there, over random
//! histories. (The ring's model is in `laws.rs`, that of multi-probe beside its code, that of the
//! level function too; Anchor's, Memento's and Dx's are the laws of `buckets.rs`.)

use archstone_core::hash::hash_u64;
use archstone_hashring::{
    Candidates, Hashed, Key, Maglev, NodeId, NodeIx, Rendezvous, Resize, Weight, WeightedRendezvous,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn id(name: u8) -> NodeId {
    NodeId::of(&format!("node-{name}"))
}

/// Up to 200 joins (of a weight) and leaves (0); what is left, by index.
fn after<P: Resize>(
    placement: &mut P,
    steps: &[(u8, u8)],
    weights: bool,
) -> BTreeMap<NodeIx, (NodeId, f64)> {
    let (mut members, mut indices) = (BTreeMap::new(), BTreeMap::new());
    for &(name, weight) in steps {
        if weight == 0 {
            if let Some(node) = indices.remove(&name) {
                placement.remove(node).unwrap();
                members.remove(&node);
            }
            continue;
        }
        let weight = if weights { f64::from(weight) } else { 1.0 };
        if let Ok(node) = placement.add(id(name), Weight::new(weight).unwrap()) {
            indices.insert(name, node);
            members.insert(node, (id(name), weight));
        }
    }
    members
}

fn steps() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0_u8..20, 0_u8..4), 0..200)
}

fn score(key: u64, id: u64) -> u64 {
    let product = u128::from(key ^ id) * u128::from(id.rotate_left(29) | 1);
    product as u64 ^ (product >> 64) as u64
}

/// Algorithm 1 of the Maglev paper: a whole permutation a node, turns in the order of identities.
fn paper(members: &BTreeMap<NodeIx, (NodeId, f64)>, size: u64) -> Vec<u32> {
    let mut nodes: Vec<(NodeId, NodeIx)> = members.iter().map(|(&ix, &(id, _))| (id, ix)).collect();
    nodes.sort_unstable();
    let permutation = |id: NodeId| -> Vec<u64> {
        let offset = hash_u64(id.0, 1) % size;
        let skip = hash_u64(id.0, 2) % (size - 1) + 1;
        (0..size).map(|j| (offset + j * skip) % size).collect()
    };
    let permutations: Vec<Vec<u64>> = nodes.iter().map(|&(id, _)| permutation(id)).collect();
    let (mut next, mut entry) = (vec![0; nodes.len()], vec![u32::MAX; size as usize]);
    let mut filled = 0;
    while !nodes.is_empty() {
        for (i, &(_, node)) in nodes.iter().enumerate() {
            let mut slot = permutations[i][next[i]] as usize;
            while entry[slot] != u32::MAX {
                next[i] += 1;
                slot = permutations[i][next[i]] as usize;
            }
            entry[slot] = node.0;
            next[i] += 1;
            filled += 1;
            if filled == size {
                return entry;
            }
        }
    }
    Vec::new()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rendezvous_is_a_sort_of_all_scores(steps in steps(), seed in any::<u64>()) {
        let (mut plain, mut weighted) = (Rendezvous::new(), WeightedRendezvous::new());
        let members = after(&mut plain, &steps, false);
        let heavy = after(&mut weighted, &steps, true);
        for key in (0..50_u64).map(|i| i.hashed(seed)).chain([0, u64::MAX].map(Hashed)) {
            let mut expected: Vec<_> = members.iter().map(|(&ix, &(id, _))| (score(key.0, id.0), id, ix)).collect();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert!(plain.candidates(key).eq(expected.iter().map(|&(.., ix)| ix)));

            let arrival = |id: u64, weight: f64| {
                let uniform = ((score(key.0, id) >> 11) as f64 + 0.5) / 2_f64.powi(53);
                -uniform.ln() / weight
            };
            let mut expected: Vec<_> = heavy.iter().map(|(&ix, &(id, w))| (arrival(id.0, w), ix)).collect();
            expected.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            prop_assert!(weighted.candidates(key).eq(expected.iter().map(|&(_, ix)| ix)));
        }
    }

    #[test]
    fn maglev_is_algorithm_1_of_its_paper(steps in steps(), slots in prop::sample::select(vec![23_u32, 101, 509])) {
        let mut table = Maglev::with_slots(slots).unwrap();
        let members = after(&mut table, &steps, false);
        prop_assert_eq!(table.slots(), paper(&members, slots.into()));
    }
}
