//! What no caller should send and some caller will: each input once for everything that takes it.
//!
//! Elsewhere, next to what they are about: duplicates, absent members, hashes 0 and `u64::MAX`
//! (`laws.rs`), equal points by name (`laws.rs`), weights out of range and millions of points
//! (`laws.rs`), capacity 0 (`buckets.rs`), empty foreign lists (`compat.rs`), bytes that are no
//! snapshot (`serde.rs`).

use archstone_core::hash::mix;
use archstone_hashring::load::Bounded;
use archstone_hashring::{
    Anchor, Buckets, Candidates, Cluster, CompactRing, Dx, Hashed, Jump, Key, Level, Locate,
    Maglev, Memento, MultiProbe, NodeId, NodeIx, Numbered, Place, PlacementError, Rendezvous,
    Resize, Ring, Skeleton, Spread, Topology, Weight, WeightedRendezvous,
};
use std::collections::BTreeSet;

/// One placement of each kind, empty.
macro_rules! for_each_placement {
    ($check:ident $(, $argument:expr)*) => {
        $check("ring", Ring::new() $(, $argument)*);
        $check("rendezvous", Rendezvous::new() $(, $argument)*);
        $check("weighted rendezvous", WeightedRendezvous::new() $(, $argument)*);
        $check("maglev", Maglev::with_slots(1_021).unwrap() $(, $argument)*);
        $check("multi-probe", MultiProbe::new() $(, $argument)*);
        $check("memento", Numbered::new(Memento::new(0)) $(, $argument)*);
        $check("anchor", Numbered::new(Anchor::with_capacity(64).unwrap()) $(, $argument)*);
        $check("dx", Numbered::new(Dx::with_capacity(64).unwrap()) $(, $argument)*);
        $check("skeleton", Numbered::new(Skeleton::with_capacity(64).unwrap()) $(, $argument)*);
    };
}

fn id(i: u64) -> NodeId {
    NodeId(mix(i))
}

#[test]
fn no_node_one_node_and_two_of_a_name() {
    fn check<P: Candidates + Resize>(name: &str, mut placement: P) {
        let key = "user:42".hashed(0);
        assert_eq!((placement.locate(key), placement.is_empty()), (None, true), "{name}");
        assert_eq!(placement.candidates(key).next(), None, "{name}");
        assert!(placement.copies(key, 3).is_empty(), "{name}");
        let mut out = [NodeIx(7); 2];
        assert_eq!(placement.locate_many(&[key, key], &mut out), 0, "{name}");
        assert_eq!(out, [NodeIx(7); 2], "{name}: nothing is written");
        let absent = NodeIx(0);
        assert_eq!(placement.remove(absent), Err(PlacementError::Unknown { node: absent }));
        assert!(placement.reweight(absent, Weight::ONE).is_err(), "{name}");

        let only = placement.add(id(1), Weight::ONE).unwrap();
        let twice = placement.add(id(1), Weight::ONE);
        assert_eq!(twice, Err(PlacementError::Duplicate { id: id(1) }), "{name}");
        assert_eq!(placement.len(), 1, "{name}");
        for bits in [0, 1, u64::MAX, 1 << 63] {
            assert_eq!(placement.locate(Hashed(bits)), Some(only), "{name}");
            assert_eq!(placement.copies(Hashed(bits), 16).as_slice(), [only], "{name}");
        }
    }
    for_each_placement!(check);
}

#[test]
fn the_empty_key_and_one_of_16_kib() {
    fn check<P: Candidates + Resize>(name: &str, placement: P) {
        let mut cluster = Cluster::new(placement);
        for node in ["a", "b", "c"] {
            cluster.join(node, Weight::ONE).unwrap();
        }
        let long = "k".repeat(16 * 1_024);
        for key in ["", &long] {
            let owner = cluster.owner(key).unwrap();
            assert_eq!(cluster.replicas(key, 9).next(), Some(owner), "{name}");
            assert_eq!(cluster.replicas(key, 9).count(), 3, "{name}");
        }
    }
    for_each_placement!(check);
    assert_ne!("".hashed(0), Hashed(0), "an empty key is hashed as any other");
    assert_ne!(("", "a").hashed(0), ("a", "").hashed(0));
    assert_ne!(("a", "a").hashed(0), ("b", "b").hashed(0), "equal parts do not cancel out");
}

#[cfg(feature = "compat")]
#[test]
fn foreign_rings_take_the_empty_key_and_one_of_16_kib() {
    use archstone_hashring::compat::{cassandra, envoy, haproxy, ketama, nginx, twemproxy};
    let long = vec![b'k'; 16 * 1_024];
    let names = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
    let weighed = || names.into_iter().map(|name| (name, 1));
    let nginx = nginx::Nginx::new(weighed()).unwrap();
    let twemproxy = twemproxy::Twemproxy::ketama(twemproxy::Hash::Murmur, weighed()).unwrap();
    let hosts: Vec<_> = weighed().collect();
    let ring = envoy::Ring::new(&hosts, 1_024, 8 << 20).unwrap();
    let maglev = envoy::Maglev::new(&hosts, 65_537).unwrap();
    let ids = (1..=3).map(|id| (id, 1));
    let haproxy = haproxy::Haproxy::new(haproxy::Function::Djb2, true, ids).unwrap();
    let servers = names.into_iter().map(|host| ketama::Server { host, port: 1, weight: 1 });
    let ketama = ketama::Ketama::new(ketama::Dialect::Spy, ketama::Hash::Md5, servers).unwrap();
    for key in [&b""[..], &long] {
        let owners = [nginx.locate(key), twemproxy.locate(key), ring.locate(key)];
        let more = [maglev.locate(key), haproxy.locate(key), ketama.locate(key)];
        assert!(owners.iter().chain(&more).all(|owner| owner.is_some_and(|node| node.0 < 3)));
        let _ = (cassandra::murmur3_token(key), cassandra::random_token(key));
        assert!(archstone_hashring::slots::redis_slot(key) < 16_384);
    }
    // The greatest weights there are, summed: the shares are what counts.
    let heavy = |weight| {
        let servers = names.into_iter().map(move |host| ketama::Server { host, port: 1, weight });
        ketama::Ketama::new(ketama::Dialect::Weighted, ketama::Hash::Md5, servers).unwrap()
    };
    let hosts: Vec<_> = names.into_iter().map(|name| (name, u32::MAX)).collect();
    let (heavy_ring, equal) = (envoy::Ring::new(&hosts, 1_024, 8 << 20).unwrap(), heavy(1));
    let heavy = heavy(u32::MAX);
    for key in (0..500_u32).map(u32::to_le_bytes) {
        assert_eq!(heavy.locate(&key), equal.locate(&key));
        assert_eq!(heavy_ring.locate(&key), ring.locate(&key));
    }
}

#[test]
fn more_copies_than_racks_or_nodes_and_all_in_one_rack() {
    fn check<P: Candidates + Resize>(name: &str, mut placement: P, racks: u16) {
        let mut topology = Topology::new();
        for i in 0..6_u16 {
            let node = placement.add(id(i.into()), Weight::ONE).unwrap();
            topology.put(node, Place { zone: 3, rack: i % racks });
        }
        for (copies, expected) in [(1, 1), (3, 3), (6, 6), (7, 6), (16, 6)] {
            let spread = Spread::new(&[(3, copies)]).unwrap();
            for key in (0..100_u64).map(|i| i.hashed(0)) {
                let chosen = placement.spread(key, &topology, &spread);
                let distinct: BTreeSet<NodeIx> = chosen.iter().copied().collect();
                assert_eq!((chosen.len(), distinct.len()), (expected, expected), "{name}");
                assert_eq!(chosen[0], placement.locate(key).unwrap(), "{name}");
                let used: BTreeSet<_> = chosen.iter().map(|&node| topology.place(node)).collect();
                assert_eq!(used.len(), expected.min(racks.into()), "{name}: racks");
            }
        }
        let elsewhere = Spread::new(&[(4, 3)]).unwrap();
        assert!(placement.spread(Hashed(1), &topology, &elsewhere).is_empty(), "{name}");
    }
    for racks in [1, 2, 6] {
        for_each_placement!(check, racks);
    }
}

/// More nodes are passed over, for a rack that comes late, than a choice has room for.
#[test]
fn forty_nodes_of_one_rack_before_the_only_one_of_another() {
    let (mut ring, mut topology) = (Ring::with_points(4).unwrap(), Topology::new());
    for i in 0..41_u16 {
        let node = ring.add(id(i.into()), Weight::ONE).unwrap();
        topology.put(node, Place { zone: 0, rack: u16::from(i == 40) });
    }
    let spread = Spread::new(&[(0, 16)]).unwrap();
    for key in (0..500_u64).map(|i| i.hashed(0)) {
        let chosen = ring.spread(key, &topology, &spread);
        assert!(chosen.len() == 16 && chosen.contains(&NodeIx(40)));
    }
}

/// Nodes come and go a thousand times; then all go, and what is left is what was there at first.
#[test]
fn a_storm_of_joins_and_leaves_leaves_nothing_behind() {
    fn check<P: Candidates + Resize + Clone>(name: &str, mut placement: P) {
        let empty = placement.clone();
        let (mut live, mut random) = (Vec::new(), 1_u64);
        for _ in 0..1_000 {
            random = mix(random);
            if live.len() < 40 && (live.is_empty() || random % 2 == 0) {
                live.push((random, placement.add(NodeId(random), Weight::ONE).unwrap()));
            } else {
                let (_, node) = live.swap_remove((random >> 32) as usize % live.len());
                placement.remove(node).unwrap();
                assert!(placement.remove(node).is_err(), "{name}: gone is gone");
            }
            assert_eq!(placement.len(), live.len(), "{name}");
            let owner = placement.locate(Hashed(random));
            assert_eq!(owner.is_some(), !live.is_empty(), "{name}");
            assert!(live.iter().any(|&(_, node)| Some(node) == owner) || live.is_empty());
        }
        for (_, node) in live {
            placement.remove(node).unwrap();
        }
        assert_eq!((placement.len(), placement.locate(Hashed(5))), (0, None), "{name}");
        // Names place as on the first day.
        if name != "memento" && name != "anchor" {
            let mut fresh = empty;
            for i in 0..20 {
                assert_eq!(placement.add(id(i), Weight::ONE), fresh.add(id(i), Weight::ONE));
            }
            let keys = (0..200_u64).map(|i| i.hashed(0));
            keys.for_each(|key| assert_eq!(placement.locate(key), fresh.locate(key), "{name}"));
        }
    }
    for_each_placement!(check);
}

/// An index of 16 bits would lose the last four without a word.
#[test]
fn nodes_past_the_sixteenth_bit_are_chosen() {
    let members = (0..65_540).map(|i| (id(i), Weight::ONE));
    let ring = Ring::with_points(1).unwrap().build(members).unwrap();
    let owners: BTreeSet<NodeIx> = ring
        .arcs()
        .map(|(position, _)| ring.locate(Hashed(u64::from(position) << 32)).unwrap())
        .collect();
    // Two points at one position, of 2^32: the second has no key of its own.
    assert!(owners.len() >= 65_538, "{} nodes own keys", owners.len());
    assert!((65_536..65_540).all(|i| owners.contains(&NodeIx(i))));
    assert!(matches!(CompactRing::compile(&ring), Err(PlacementError::Full { .. })));
}

#[test]
fn counts_of_buckets_at_the_limits_of_their_type() {
    for n in [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 1 << 31, (1 << 31) + 1, u32::MAX] {
        for key in [0, 1, u64::MAX, 1 << 63, mix(1), mix(2)].map(Hashed) {
            let found = [Level::new(n).locate(key), Jump::new(n).locate(key)];
            let memento = Memento::new(n).locate(key);
            assert!(found.iter().all(|node| node.is_some_and(|node| node.0 < n)), "{key:?} of {n}");
            assert_eq!(memento, found[0]);
        }
    }
    assert_eq!((Level::new(0).locate(Hashed(3)), Jump::new(0).locate(Hashed(3))), (None, None));
    let mut memento = Memento::new(u32::MAX);
    assert!(memento.grow().is_err());
    memento.retire(NodeIx(5)).unwrap();
    assert_eq!(memento.grow(), Ok(NodeIx(5)));
}

#[test]
fn weights_that_are_none_and_the_least_that_is_one() {
    for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1_000.000_001] {
        assert!(matches!(Weight::new(bad), Err(PlacementError::Weight { .. })), "{bad}");
    }
    // Its reciprocal is infinite; identity 0 and key `u64::MAX` draw the greatest score there is.
    let least = Weight::new(f64::from_bits(1)).unwrap();
    let mut nodes = WeightedRendezvous::new();
    let light = nodes.add(NodeId(0), least).unwrap();
    let lighter = nodes.add(NodeId(5), least).unwrap();
    let heavy = nodes.add(NodeId(9), Weight::MAX).unwrap();
    for key in [0, 1, u64::MAX].into_iter().chain((0..100).map(mix)).map(Hashed) {
        let all: BTreeSet<NodeIx> = nodes.candidates(key).collect();
        assert_eq!(all, BTreeSet::from([light, lighter, heavy]), "{key:?}");
    }
    let mut bounded = Bounded::new(Ring::new(), 1.0).unwrap();
    bounded.join(NodeId(0), least).unwrap();
    bounded.join(NodeId(1), least).unwrap();
    for held in 1..100 {
        assert!(bounded.acquire(Hashed(mix(held))).is_some(), "somebody has room");
        assert_eq!(bounded.held(), held);
    }
}
