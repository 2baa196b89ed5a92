//! The plan against brute force, and what it is for: applying it.

use archstone_hashring::{Candidates, Hashed, Move, NodeId, NodeIx, Plan, Resize, Ring, Weight};
use proptest::prelude::*;

fn id(name: u8) -> NodeId {
    NodeId::of(&format!("node-{name}"))
}

fn ring(members: &[(u8, u8)], points: u32) -> (Ring, Vec<NodeIx>) {
    let mut ring = Ring::with_points(points).unwrap();
    let mut nodes = Vec::new();
    for &(name, weight) in members {
        nodes.extend(ring.add(id(name), Weight::new(weight.into()).unwrap()));
    }
    (ring, nodes)
}

fn holders(ring: &Ring, key: u64, copies: usize) -> Vec<NodeId> {
    ring.candidates(Hashed(key)).take(copies).filter_map(|node| ring.id(node)).collect()
}

/// Every key at which either ring may change its answer, and its neighbours.
fn edges(old: &Ring, new: &Ring) -> Vec<u64> {
    let mut edges = vec![0, u64::MAX];
    for (position, _) in old.arcs().chain(new.arcs()) {
        let last = u64::from(position) << 32 | 0xFFFF_FFFF;
        edges.extend([last, last.wrapping_add(1), last - 0xFFFF_FFFF]);
    }
    edges
}

fn check(old: &Ring, new: &Ring, copies: usize) -> Vec<Move> {
    let plan: Vec<Move> = Plan::new(old, new, copies).unwrap().collect();
    for key in edges(old, new) {
        let (before, after) = (holders(old, key, copies), holders(new, key, copies));
        let mut fetch: Vec<NodeId> =
            after.iter().copied().filter(|id| !before.contains(id)).collect();
        let moves: Vec<&Move> = plan.iter().filter(|m| m.keys.contains(Hashed(key))).collect();
        let mut planned: Vec<NodeId> = moves.iter().map(|m| m.to).collect();
        fetch.sort_unstable();
        planned.sort_unstable();
        assert_eq!(planned, fetch, "key {key:#x}: each new holder fetches once");
        for m in moves {
            assert_eq!(m.from.is_none(), before.is_empty());
            let source = m.from.filter(|_| !before.is_empty());
            if let Some(source) = source {
                assert!(before.contains(&source), "a source holds what it gives");
                let stays = before.iter().any(|id| after.contains(id));
                assert!(!stays || after.contains(&source), "a source that stays is preferred");
            }
        }
    }
    // Arcs of one receiver are disjoint, ascending and merged.
    let mut receivers: Vec<NodeId> = plan.iter().map(|m| m.to).collect();
    receivers.sort_unstable();
    receivers.dedup();
    for receiver in receivers {
        let mut own: Vec<&Move> = plan.iter().filter(|m| m.to == receiver).collect();
        own.sort_unstable_by_key(|m| m.keys.first);
        for pair in own.windows(2) {
            assert!(pair[0].keys.last < pair[1].keys.first);
            let touch = pair[0].keys.last + 1 == pair[1].keys.first;
            assert!(!touch || pair[0].from != pair[1].from, "neighbours that could be one move");
        }
    }
    plan
}

proptest! {
    #[test]
    fn a_plan_equals_brute_force(
        old in prop::collection::vec((0_u8..12, 1_u8..4), 0..8),
        new in prop::collection::vec((0_u8..12, 1_u8..4), 0..8),
        points in 1_u32..6,
        copies in 1_usize..5,
    ) {
        let ((old, _), (new, _)) = (ring(&old, points), ring(&new, points));
        check(&old, &new, copies);
        prop_assert!(Plan::new(&old, &old, copies).unwrap().next().is_none(), "no change, no moves");
    }
}

#[test]
fn filling_an_empty_ring_moves_every_key_once() {
    let (empty, _) = ring(&[], 8);
    let (full, _) = ring(&[(1, 1), (2, 1), (3, 2)], 8);
    let plan = check(&empty, &full, 1);
    assert_eq!(
        plan.iter().map(|m| m.keys.keys()).sum::<u128>(),
        1 << 64,
        "the arcs sum to the circle"
    );
    assert!(check(&full, &empty, 3).is_empty(), "nobody is left to fetch");
}

#[test]
fn a_join_and_its_leave_move_the_same_keys_between_the_same_nodes() {
    let (small, _) = ring(&[(1, 1), (2, 1), (3, 1)], 40);
    let (large, nodes) = ring(&[(1, 1), (2, 1), (3, 1), (4, 1)], 40);
    assert_eq!(nodes.len(), 4);
    let there = check(&small, &large, 1);
    let back = check(&large, &small, 1);
    let flip = |m: &Move| (m.keys.first, m.keys.last, m.from.unwrap(), m.to);
    let mut one: Vec<_> = there.iter().map(flip).collect();
    let mut other: Vec<_> =
        back.iter().map(flip).map(|(a, b, from, to)| (a, b, to, from)).collect();
    one.sort_unstable();
    other.sort_unstable();
    assert_eq!(one, other);
}

#[test]
fn copies_outside_the_limits_are_refused() {
    let ring = Ring::new();
    assert!(Plan::new(&ring, &ring, 0).is_err());
    let error = Plan::new(&ring, &ring, 17).unwrap_err();
    assert_eq!(error.to_string(), "17 copies, it must be 1 to 16");
}
