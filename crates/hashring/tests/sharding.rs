//! Ranges, directory, regions, Redis slots, and the router.

use archstone_core::hash::mix;
use archstone_hashring::sharding::{
    Directory, Gather, GeoError, GeoMap, Need, RangeError, RangeMap,
};
use archstone_hashring::slots::{Redirection, Route, SlotError, SlotMap, redirection, redis_slot};
use archstone_hashring::{Candidates, Hashed, Key, NodeId, NodeIx, Resize, Ring, Weight};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Cut {
    Split(u8, u8),
    Merge(u8),
    Assign(u8, u8),
}

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let cut = prop_oneof![
        3 => any::<(u8, u8)>().prop_map(|(at, owner)| Cut::Split(at, owner)),
        2 => any::<u8>().prop_map(Cut::Merge),
        1 => any::<(u8, u8)>().prop_map(|(at, owner)| Cut::Assign(at, owner)),
    ];
    prop::collection::vec(cut, 0..120)
}

proptest! {
    /// Against an owner for each of the 256 keys, and the set of bounds.
    #[test]
    fn ranges_are_all_keys_and_never_overlap(cuts in cuts(), (from, to) in any::<(u8, u8)>()) {
        let mut map = RangeMap::new(0_u8);
        let (mut owners, mut bounds) = ([0_u8; 256], BTreeSet::new());
        let end = |bounds: &BTreeSet<u8>, at: u8| bounds.range(at..).find(|&&b| b > at).map_or(256, |&b| usize::from(b));
        for cut in cuts {
            match cut {
                Cut::Split(at, owner) => {
                    let split = map.split(at, owner);
                    if bounds.insert(at) {
                        owners[at.into()..end(&bounds, at)].fill(owner);
                        split.unwrap();
                    } else {
                        prop_assert_eq!(split, Err(RangeError::Taken));
                    }
                }
                Cut::Merge(at) => {
                    let merged = map.merge(&at);
                    if bounds.contains(&at) {
                        let before = bounds.range(..at).next_back().copied();
                        let end = end(&bounds, at);
                        prop_assert_eq!(merged, Ok(owners[usize::from(at)]));
                        let heir = match before {
                            Some(bound) => owners[usize::from(bound)],
                            None if at > 0 => owners[0],
                            // Nothing was below: the range without a lower bound takes it.
                            None => *map.owner(&at),
                        };
                        bounds.remove(&at);
                        owners[at.into()..end].fill(heir);
                    } else {
                        prop_assert_eq!(merged, Err(RangeError::Unknown));
                    }
                }
                Cut::Assign(key, owner) => {
                    let start = bounds.range(..=key).next_back().copied();
                    let range = start.map_or(0, usize::from)..end(&bounds, key);
                    prop_assert_eq!(map.assign(&key, owner), owners[usize::from(key)]);
                    owners[range].fill(owner);
                }
            }
        }
        prop_assert_eq!(map.len(), bounds.len() + 1);
        for key in 0..=255_u8 {
            prop_assert_eq!(*map.owner(&key), owners[usize::from(key)]);
            let span = map.span(&key);
            prop_assert!(span.from.is_none_or(|f| *f <= key) && span.to.is_none_or(|t| *t > key));
        }
        let spans: Vec<_> = map.iter().collect();
        prop_assert!(spans[0].from.is_none() && spans[spans.len() - 1].to.is_none());
        prop_assert!(spans.windows(2).all(|p| p[0].to == p[1].from && p[0].to.is_some()));
        let covering: Vec<_> = map.covering(&from, &to).map(|span| span.from).collect();
        let expected: Vec<_> = spans
            .iter()
            .filter(|s| from <= to && s.from.is_none_or(|f| *f <= to) && s.to.is_none_or(|t| *t > from))
            .map(|s| s.from)
            .collect();
        prop_assert_eq!(covering, expected);
    }
}

#[test]
fn a_directory_answers_entries_first_and_the_rest_last() {
    let mut map: Directory<String, u32> = Directory::new(None);
    assert_eq!((map.owner("a"), map.is_empty()), (None, true));
    map.assign("a".into(), 1);
    assert_eq!(map.assign("a".into(), 2), Some(1));
    map.assign("b".into(), 3);
    assert_eq!(map.evacuate(&2, &3), 1);
    assert_eq!(map.iter().map(|(_, owner)| *owner).collect::<Vec<_>>(), [3, 3]);
    assert_eq!((map.forget("a"), map.forget("a"), map.len()), (Some(3), None, 1));
    assert_eq!(map.owner("a"), None);
    let mut with_rest: Directory<u8, u32> = Directory::new(Some(7));
    assert_eq!(with_rest.owner(&1), Some(&7));
    assert_eq!(with_rest.evacuate(&7, &8), 0, "no entry, but the rest");
    assert_eq!(with_rest.owner(&1), Some(&8));
}

#[test]
fn regions_fall_back_as_listed_and_no_further() {
    let mut map = GeoMap::new();
    map.region("a", ["a1", "a2"], ["b"]);
    map.region("b", ["b1"], ["a", "c"]);
    map.region("c", ["c1"], ["never entered", "b", "a"]);
    assert_eq!(map.area("X", "d"), Err(GeoError::Region));
    map.area("X", "a").unwrap();
    map.area("X/Y", "c").unwrap();
    let up = |names: &'static [&'static str]| move |node: &&str| names.contains(node);
    assert_eq!(map.route("X", up(&["a2", "b1"])).unwrap().node, &"a2");
    assert_eq!(map.route("XY", up(&["a1"])), Err(GeoError::Area), "whole codes only");
    assert_eq!(map.route("", up(&["a1"])), Err(GeoError::Area));
    assert_eq!(map.region_of("X/Y/Z"), Ok("c"));
    let routed = map.route("X/Y", up(&["a1"])).unwrap();
    assert_eq!((*routed.node, routed.region, routed.fallbacks), ("a1", "a", 2));
    let mut everywhere = map.clone();
    everywhere.area("", "b").unwrap();
    assert_eq!((everywhere.region_of("Z"), everywhere.region_of("Z/Y")), (Ok("b"), Ok("b")));
    // c is reachable from b, but a does not list it: data stays.
    let error = map.route("X", up(&["c1"])).unwrap_err();
    assert_eq!(error, GeoError::Down { regions: 2 });
    assert_eq!(error.to_string(), "no node is up in 2 regions");
}

/// One short key for each of the 16,384 slots.
#[test]
fn every_slot_has_a_short_key() {
    let mut keys: Vec<Option<String>> = vec![None; 16_384];
    let mut found = 0;
    for i in 0_u32.. {
        let key = format!("{i:x}");
        let place = &mut keys[usize::from(redis_slot(key.as_bytes()))];
        found += usize::from(place.is_none());
        place.get_or_insert(key);
        if found == 16_384 {
            break;
        }
    }
    assert!(keys.iter().flatten().all(|key| key.len() <= 5));
    // The tag carries the slot, whatever surrounds it.
    for (slot, key) in (0_u16..).zip(keys.iter().flatten()) {
        let tagged = format!("x{{{key}}}y}}{{z}}");
        assert_eq!(redis_slot(tagged.as_bytes()), slot);
    }
}

#[test]
fn slots_own_ask_and_are_unassigned() {
    let (a, b, c) = (NodeIx(0), NodeIx(1), NodeIx(2));
    let mut map = SlotMap::new();
    assert_eq!((map.route(b"foo"), map.is_covered()), (Route::Unassigned, false));
    map.assign(0, 16_383, a).unwrap();
    assert!(map.is_covered());
    assert_eq!(map.migrate(5, b, c), Err(SlotError::Migration { slot: 5 }), "not its owner");
    assert_eq!(map.migrate(5, a, a), Err(SlotError::Migration { slot: 5 }));
    map.migrate(5, a, b).unwrap();
    map.migrate(5, a, c).unwrap();
    assert_eq!(map.route_slot(5), Route::Ask { from: a, to: c }, "the last decision counts");
    assert_eq!(map.stop(5), Ok(c));
    assert_eq!(
        (map.route_slot(5), map.stop(5)),
        (Route::Own(a), Err(SlotError::Migration { slot: 5 }))
    );
    map.migrate(5, a, b).unwrap();
    map.finish(5).unwrap();
    assert_eq!(map.finish(5), Err(SlotError::Migration { slot: 5 }));
    assert_eq!(map.ranges().collect::<Vec<_>>(), [(0, 4, a), (5, 5, b), (6, 16_383, a)]);
    map.migrate(5, b, a).unwrap();
    map.assign(4, 6, c).unwrap();
    assert_eq!(map.route_slot(5), Route::Own(c), "an assignment ends migrations");
    map.unassign(16_383).unwrap();
    assert_eq!((map.route_slot(16_383), map.is_covered()), (Route::Unassigned, false));
    assert_eq!(map.route_slot(16_384), Route::Unassigned);
    for (first, last) in [(0, 16_384), (9, 8), (u16::MAX, u16::MAX)] {
        assert!(matches!(map.assign(first, last, a), Err(SlotError::Range { .. })));
    }
    assert!(map.migrate(u16::MAX, a, b).is_err() && map.unassign(16_384).is_err());
    // Commands on many keys need one slot that stays.
    let keys: [&[u8]; 2] = [b"{u}1", b"{u}2"];
    assert_eq!(map.route_all(keys), Some(a));
    map.migrate(redis_slot(b"u"), a, b).unwrap();
    assert_eq!((map.route_all(keys), map.route_all([])), (None, None));
    assert_eq!(map.route_all([&b"foo"[..], b"bar"]), None);
}

#[test]
fn redirections_are_read_and_nothing_else_is() {
    let ask = redirection("ASK 16383 [::1]:6381").unwrap();
    assert_eq!(ask, Redirection::Ask { slot: 16_383, address: "[::1]:6381" });
    let empty_host = redirection("MOVED 1 :6380").unwrap();
    assert_eq!(empty_host, Redirection::Moved { slot: 1, address: ":6380" });
    for bad in [
        "",
        "MOVED",
        "MOVED 1",
        "MOVED 1 a",
        "MOVED -1 a:1",
        "MOVED +1 a:1",
        "MOVED x a:1",
        "MOVED 99999 a:1",
        "MOVED 1 a:65536",
        "MOVED 1 a:",
        "moved 1 a:1",
        "TRYAGAIN 1 a:1",
        "MOVED  1 a:1",
        "MOVED 1 a:1 b",
        "CLUSTERDOWN Hash slot not served",
    ] {
        assert!(redirection(bad).is_err(), "{bad}");
    }
    assert_eq!(redirection("MOVED 16384 a:1"), Err(SlotError::Range { slot: 16_384 }));
}

fn ring() -> Ring {
    let mut ring = Ring::new();
    for i in 0..5 {
        ring.add(NodeId::of(&format!("shard-{i}")), Weight::ONE).unwrap();
    }
    ring
}

#[test]
fn a_scatter_asks_each_key_of_its_owner_once() {
    let (ring, keys) = (ring(), (0..500_u64).map(|i| i.hashed(0)).collect::<Vec<Hashed>>());
    let mut gather: Gather<Vec<usize>> = Gather::of_keys(&ring, &keys, 2);
    let mut asked = BTreeSet::new();
    while let Some(ask) = gather.next_ask() {
        assert_eq!(ask.copy, 0);
        for &key in gather.keys(ask.part) {
            let copies: Vec<NodeIx> = ring.candidates(keys[key]).take(2).collect();
            assert_eq!(copies[0], ask.node);
            assert!(asked.insert(key), "once");
        }
        let answer = gather.keys(ask.part).to_vec();
        assert!(gather.answer(ask.part, answer));
    }
    assert_eq!(asked.len(), 500);
    assert!(gather.len() <= 20, "as many parts as ordered pairs of nodes");
    let answers: Vec<usize> = gather.close(Need::All).unwrap().answers().flatten().collect();
    assert_eq!(answers.len(), 500);
}

/// Nodes fail, answer late, twice, or not at all: at most one answer a part is counted, a failed
/// question goes to the next copy, and the verdict is that of the answers.
#[test]
fn partial_failure_is_counted_exactly() {
    for seed in 0..200_u64 {
        let parts: Vec<Vec<NodeIx>> = (0..12_u64)
            .map(|p| (0..mix(seed ^ p) % 4).map(|copy| NodeIx((p * 4 + copy) as u32)).collect())
            .collect();
        let up = |node: NodeIx| mix(seed << 16 | u64::from(node.0)) % 3 != 0;
        let mut gather: Gather<NodeIx> = Gather::of_parts(parts.clone());
        let mut asked = 0;
        while let Some(ask) = gather.next_ask() {
            assert_eq!(parts[ask.part][ask.copy], ask.node);
            asked += 1;
            assert!(asked <= 12 * 4, "no copy is asked twice");
            if up(ask.node) {
                assert!(gather.answer(ask.part, ask.node));
                assert!(!gather.answer(ask.part, NodeIx(99)), "a second answer is dropped");
                assert!(!gather.retry(ask.part), "answered parts are not asked again");
            } else {
                let another = ask.copy + 1 < parts[ask.part].len();
                assert_eq!(gather.retry(ask.part), another);
                assert_eq!(gather.retry(ask.part), another, "asked for twice, sent once");
            }
        }
        let expected: Vec<Option<NodeIx>> =
            parts.iter().map(|copies| copies.iter().copied().find(|&n| up(n))).collect();
        let answered = expected.iter().flatten().count();
        assert_eq!(gather.is_complete(), answered == 12);
        let missing: Vec<usize> = (0..12).filter(|&p| expected[p].is_none()).collect();
        match gather.clone().close(Need::All) {
            Ok(all) => assert!(all.is_complete() && missing.is_empty()),
            Err(error) => {
                let found = (error.answered, error.needed, error.missing);
                assert_eq!(found, (answered, 12, missing.clone()));
            }
        }
        assert!(gather.clone().close(Need::AtLeast(answered + 1)).is_err());
        let share = answered as f64 / 12.0;
        assert!(gather.clone().close(Need::Share(share - 1e-9)).is_ok());
        assert_eq!(gather.clone().close(Need::Share(share + 1e-9)).is_ok(), answered == 12);
        assert_eq!(gather.clone().close(Need::Share(f64::NAN)).is_ok(), answered == 12);
        let partial = gather.close(Need::AtLeast(answered)).unwrap();
        assert_eq!(partial.missing().collect::<Vec<_>>(), missing);
        assert_eq!(
            partial.answers().collect::<Vec<_>>(),
            expected.into_iter().flatten().collect::<Vec<_>>()
        );
    }
    let mut impatient: Gather<()> = Gather::of_parts([[0, 1, 2].map(NodeIx)]);
    assert_eq!(impatient.next_ask().map(|ask| ask.copy), Some(0));
    assert!(impatient.retry(0) && impatient.retry(0));
    assert_eq!(impatient.next_ask().map(|ask| ask.copy), Some(1));
    assert!(impatient.next_ask().is_none(), "one more was wanted, not two");
    let mut nothing: Gather<()> = Gather::of_keys(&ring(), &[], 3);
    assert!(nothing.next_ask().is_none() && nothing.is_empty() && nothing.is_complete());
    assert!(!nothing.answer(0, ()) && !nothing.retry(0) && nothing.keys(0).is_empty());
    assert!(nothing.close(Need::All).is_ok());
}
