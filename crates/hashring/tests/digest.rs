//! A digest of every placement: whoever changes one breaks every cluster that runs it.

use archstone_core::hash::hash_u64;
use archstone_hashring::{
    Anchor, Buckets, Dx, Jump, Key, Level, Locate, Maglev, Memento, MultiProbe, NodeId, NodeIx,
    Rendezvous, Resize, Ring, Skeleton, Weight, WeightedRendezvous,
};

fn filled<P: Resize>(mut placement: P, weights: bool) -> P {
    for i in 0..50_u32 {
        let weight =
            if weights { Weight::new(f64::from(i % 5 + 1) / 2.0).unwrap() } else { Weight::ONE };
        placement.add(NodeId::of(&format!("node-{i}.example")), weight).unwrap();
    }
    placement
}

/// Fifty buckets, less three in the middle.
fn thinned<B: Buckets>(mut buckets: B) -> B {
    for _ in 0..50 {
        buckets.grow().unwrap();
    }
    for gone in [7, 48, 20] {
        buckets.retire(NodeIx(gone)).unwrap();
    }
    buckets
}

fn digest(placement: &impl Locate) -> u64 {
    (0..100_000_u64).fold(0, |digest, i| {
        let key = format!("user:{i}").hashed(9_001);
        hash_u64(digest ^ u64::from(placement.locate(key).unwrap().0), 0)
    })
}

#[test]
fn no_placement_has_changed() {
    let digests = [
        ("ring", digest(&filled(Ring::new(), true)), RING),
        ("jump", digest(&Jump::new(50)), JUMP),
        ("rendezvous", digest(&filled(Rendezvous::new(), false)), RENDEZVOUS),
        ("weighted rendezvous", digest(&filled(WeightedRendezvous::new(), true)), WEIGHTED),
        ("level", digest(&Level::new(50)), LEVEL),
        ("multi-probe", digest(&filled(MultiProbe::new(), false)), MULTI_PROBE),
        ("anchor", digest(&thinned(Anchor::with_capacity(64).unwrap())), ANCHOR),
        ("dx", digest(&thinned(Dx::with_capacity(64).unwrap())), DX),
        ("memento", digest(&thinned(Memento::new(0))), MEMENTO),
        ("skeleton", digest(&thinned(Skeleton::with_capacity(64).unwrap())), SKELETON),
        ("maglev", digest(&filled(Maglev::new(), true)), MAGLEV),
    ];
    let changed: Vec<String> = digests
        .iter()
        .filter(|(_, found, stored)| found != stored)
        .map(|(name, found, _)| format!("{name}: {found:#018x}"))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

const RING: u64 = 0x817a01d52a4fd5a4;
const JUMP: u64 = 0xf4e084f366c25828;
const RENDEZVOUS: u64 = 0x989707c033ee5221;
const WEIGHTED: u64 = 0x3f672a1d7f7089d2;
const MAGLEV: u64 = 0x984e3d2999071498;
const LEVEL: u64 = 0xe066b0608a4bffb2;
const MULTI_PROBE: u64 = 0xb0e255532556b88f;
const ANCHOR: u64 = 0xbbd4deb062d2db69;
const DX: u64 = 0x348b531fc09c36de;
const MEMENTO: u64 = 0x9ee56bd0f18e7f79;
const SKELETON: u64 = 0xaf10d085944c6bbe;
