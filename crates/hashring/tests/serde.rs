//! Snapshots of everything: they come back equal in every answer, and what nothing could have
//! written is refused.
#![cfg(feature = "serde")]

use archstone_hashring::load::{Bounded, HotKeys, Lease};
use archstone_hashring::sharding::{Directory, GeoMap, RangeMap};
use archstone_hashring::slots::SlotMap;
use archstone_hashring::{
    Anchor, Arc, Buckets, Candidates, Cluster, Dx, Handoff, Hashed, Jump, Key, Level, Locate,
    Maglev, Memento, Move, MultiProbe, NodeId, NodeIx, Numbered, Place, Plan, Rendezvous, Resize,
    Ring, Skeleton, Spread, Table, Topology, Weight, WeightedRendezvous,
};
use serde::{Serialize, de::DeserializeOwned};

fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("it can be written");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn same_answers<P: Candidates + Serialize + DeserializeOwned>(placement: &P) -> P {
    let copy = again(placement);
    assert_eq!(copy.len(), placement.len());
    for key in (0..300_u64).map(|i| i.hashed(0)).chain([Hashed(0), Hashed(u64::MAX)]) {
        let (one, two) = (placement.candidates(key).take(4), copy.candidates(key).take(4));
        assert!(one.eq(two), "{key:?}");
    }
    copy
}

fn id(name: u32) -> NodeId {
    NodeId::of(&format!("node-{name}"))
}

/// Twelve join, two leave, one comes back.
fn lived<P: Resize>(mut placement: P, weights: bool) -> P {
    let weight = |i: u32| if weights { f64::from(i % 3 + 1) } else { 1.0 };
    for i in 0..12 {
        placement.add(id(i), Weight::new(weight(i)).unwrap()).unwrap();
    }
    placement.remove(NodeIx(3)).unwrap();
    placement.remove(NodeIx(7)).unwrap();
    placement.add(id(20), Weight::ONE).unwrap();
    placement
}

#[test]
fn placements_come_back_and_go_on_alike() {
    fn check<P: Candidates + Resize + Serialize + DeserializeOwned>(empty: P, weights: bool) {
        let mut placement = lived(again(&empty), weights);
        let mut copy = same_answers(&placement);
        // The next step is the same, too.
        assert_eq!(copy.add(id(30), Weight::ONE), placement.add(id(30), Weight::ONE));
        assert_eq!(copy.remove(NodeIx(5)), placement.remove(NodeIx(5)));
        let key = 5_u64.hashed(1);
        assert!(copy.candidates(key).eq(placement.candidates(key)));
    }
    check(Ring::with_points(9).unwrap(), true);
    check(Rendezvous::new(), false);
    check(WeightedRendezvous::new(), true);
    check(Maglev::with_slots(509).unwrap(), true);
    check(MultiProbe::with_probes(5).unwrap(), false);
    check(Numbered::new(Anchor::with_capacity(20).unwrap()), false);
    check(Numbered::new(Dx::with_capacity(70).unwrap()), false);
    check(Numbered::new(Memento::new(0)), false);
    check(Numbered::new(Skeleton::with_capacity(16).unwrap()), false);
    // Sizes that are not the usual ones, of one that never was text before.
    same_answers(&lived(Ring::with_points(9).unwrap(), true));
    same_answers(&lived(Maglev::with_slots(509).unwrap(), true));
    same_answers(&lived(MultiProbe::with_probes(5).unwrap(), false));
    same_answers(&Jump::new(9));
    same_answers(&Level::new(9));
    let mut anchor = Anchor::with_capacity(9).unwrap();
    let mut memento = Memento::new(9);
    for gone in [4, 8, 2] {
        while anchor.len() < 9 {
            anchor.grow().unwrap();
        }
        anchor.retire(NodeIx(gone)).unwrap();
        memento.retire(NodeIx(gone)).unwrap();
    }
    assert_eq!(again(&anchor), anchor);
    assert_eq!(again(&memento), memento);
    assert_eq!((again(&Anchor::default()), again(&Dx::default())), Default::default());
    let table = Table::compile(&lived(Ring::new(), true), 6).unwrap();
    assert_eq!(again(&table), table);
    let empty = Table::compile(&Ring::new(), 6).unwrap();
    assert_eq!(again(&empty), empty);
}

#[test]
fn clusters_plans_and_handoffs_come_back() {
    let mut cluster = Cluster::with_seed(Ring::new(), 7);
    for (rack, name) in (0_u16..).zip(["a", "b", "c"]) {
        let at = Place { zone: 1, rack };
        cluster.join_at(name.to_string(), Weight::ONE, at).unwrap();
    }
    cluster.leave(&"b".to_string()).unwrap();
    let copy = again(&cluster);
    assert_eq!((copy.epoch(), copy.topology()), (cluster.epoch(), cluster.topology()));
    assert!((0..50_u64).all(|key| copy.owner(&key) == cluster.owner(&key)));
    let spread = Spread::new(&[(1, 2)]).unwrap();
    assert_eq!(again(&spread), spread);

    let (old, new) = (cluster.placement().clone(), lived(Ring::new(), true));
    let plan: Vec<Move> = Plan::new(&old, &new, 2).unwrap().collect();
    assert_eq!(again(&plan), plan);
    let mut handoff = Handoff::new(old, new, 2).unwrap();
    for _ in 0..5 {
        let (id, _) = handoff.begin().unwrap();
        handoff.complete(id).unwrap();
    }
    let _under_way = handoff.begin().unwrap();
    let mut copy = again(&handoff);
    assert_eq!(copy.left(), handoff.left());
    assert!((0..500_u64).map(|i| i.hashed(0)).all(|key| *copy.reads(key) == *handoff.reads(key)));
    assert_eq!(copy.begin(), Some(_under_way), "a copy under way waits again");
}

#[test]
fn loads_and_maps_come_back() {
    let mut bounded = Bounded::new(Ring::new(), 1.5).unwrap();
    for i in 0..3 {
        bounded.join(id(i), Weight::ONE).unwrap();
    }
    let lease = bounded.acquire(Hashed(1)).unwrap();
    let mut copy = again(&bounded);
    let lease: Lease = again(&lease);
    assert_eq!(copy.held(), 1);
    assert!(copy.release(lease));
    let mut hot = HotKeys::new(8, 0.1, 4).unwrap();
    (0..1_000_u64).for_each(|i| hot.record((i % 13 / 4).hashed(0)));
    assert_eq!(again(&hot), hot);
    let mut ranges = RangeMap::new("a".to_string());
    ranges.split(10, "b".to_string()).unwrap();
    assert_eq!(again(&ranges), ranges);
    let mut directory = Directory::new(Some(1));
    directory.assign("x".to_string(), 2);
    assert_eq!(again(&directory), directory);
    let mut geo = GeoMap::new();
    geo.region("r", [1, 2], ["s"]);
    geo.area("EU", "r").unwrap();
    assert_eq!(again(&geo), geo);
    let mut slots = SlotMap::new();
    slots.assign(3, 900, NodeIx(1)).unwrap();
    slots.migrate(5, NodeIx(1), NodeIx(2)).unwrap();
    assert_eq!(again(&slots), slots);
}

#[test]
fn what_nothing_could_have_written_is_refused() {
    fn refuse<T: DeserializeOwned>(text: &str) {
        assert!(serde_json::from_str::<T>(text).is_err(), "{text}");
    }
    fn accept<T: DeserializeOwned>(text: &str) {
        if let Err(error) = serde_json::from_str::<T>(text) {
            panic!("{error}: {text}");
        }
    }
    refuse::<Weight>("0.0");
    refuse::<Weight>("1e9");
    let member = |id: u64, weight: f64| format!(r#"{{"id":{id},"weight":{weight}}}"#);
    let (one, two) = (member(1, 1.0), member(1, 2.0));
    let ring = |points: u32, members: &str| {
        format!(r#"{{"points_a_node":{points},"members":[{members}]}}"#)
    };
    accept::<Ring>(&ring(8, &format!("null,{one}")));
    refuse::<Ring>(&ring(8, &format!("{one},{two}")));
    refuse::<Ring>(&ring(0, &one));
    refuse::<Ring>(&ring(70_000, &one));
    // Members that would need 2^30 points and more.
    let heavy: Vec<String> = (0..20).map(|i| member(i, 1_000.0)).collect();
    refuse::<Ring>(&ring(65_536, &heavy.join(",")));
    accept::<Rendezvous>(&format!("[{one}]"));
    refuse::<Rendezvous>(&format!("[{two}]"));
    refuse::<MultiProbe>(&format!(r#"{{"probes":5,"members":[{two}]}}"#));
    refuse::<MultiProbe>(&format!(r#"{{"probes":99,"members":[{one}]}}"#));
    refuse::<Maglev>(&format!(r#"{{"size":0,"members":[{one}]}}"#));
    let three = [1, 2, 3].map(|i| member(i, 1.0)).join(",");
    refuse::<Maglev>(&format!(r#"{{"size":2,"members":[{three}]}}"#));
    refuse::<Anchor>("[3,[0,0]]");
    refuse::<Anchor>("[3,[7]]");
    refuse::<Anchor>("[99999999,[]]");
    refuse::<Memento>("[3,[2]]");
    refuse::<Memento>("[3,[1,1]]");
    accept::<Memento>("[3,[1,2]]");
    refuse::<Dx>("[3,[8]]");
    refuse::<Dx>("[65,[1]]");
    accept::<Dx>("[3,[7]]");
    refuse::<Skeleton>("[5,[1]]");
    refuse::<Table>("[[0,1,2],3]");
    refuse::<Table>("[[],3]");
    refuse::<Table>("[[0,1],0]");
    refuse::<Table>("[[0],1]");
    accept::<Table>("[[0,1],2]");
    refuse::<Arc>("[5,4]");
    refuse::<Spread>("[[1,9],[2,9]]");
    refuse::<Spread>("[[1,1],[1,1]]");
    accept::<Topology>(r#"[null,{"zone":1,"rack":2}]"#);
    refuse::<SlotMap>(r#"{"ranges":[[5,9,0],[9,12,1]],"moving":[]}"#);
    refuse::<SlotMap>(r#"{"ranges":[[5,20000,0]],"moving":[]}"#);
    refuse::<SlotMap>(r#"{"ranges":[[5,9,0]],"moving":[[10,1]]}"#);
    refuse::<SlotMap>(r#"{"ranges":[[0,1,4294967295]],"moving":[]}"#);
    refuse::<HotKeys>(
        r#"{"slots":1,"share":0.1,"most":2,"window":9,"seen":1,"since_halving":0,"counts":{"1":{"count":2,"error":0}}}"#,
    );
    refuse::<HotKeys>(
        r#"{"slots":1,"share":0.1,"most":2,"window":0,"seen":1,"since_halving":0,"counts":{}}"#,
    );
    let empty = ring(8, "");
    refuse::<Bounded<Ring>>(&format!(r#"{{"placement":{empty},"factor":0.5,"loads":[]}}"#));
    let load = r#"{"weight":1.0,"held":0,"generation":0}"#;
    refuse::<Bounded<Ring>>(&format!(r#"{{"placement":{empty},"factor":1.5,"loads":[{load}]}}"#));
    let cluster = |nodes: &str, topology: &str| {
        format!(
            r#"{{"placement":{empty},"nodes":[{nodes}],"topology":[{topology}],"seed":0,"epoch":0}}"#
        )
    };
    accept::<Cluster<String, Ring>>(&cluster("", ""));
    refuse::<Cluster<String, Ring>>(&cluster(r#""a""#, r#"{"zone":0,"rack":0}"#));
    let handoff = format!(r#"{{"old":{empty},"new":{empty},"copies":1,"done":[0]}}"#);
    refuse::<Handoff>(&handoff);
}
