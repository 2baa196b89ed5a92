//! A digest of every placement: whoever changes one breaks every cluster that runs it.

use archstone_core::hash::hash_u64;
use archstone_hashring::{
    Jump, Key, Locate, Maglev, NodeId, Rendezvous, Resize, Ring, Weight, WeightedRendezvous,
};

fn filled<P: Resize>(mut placement: P, weights: bool) -> P {
    for i in 0..50_u32 {
        let weight =
            if weights { Weight::new(f64::from(i % 5 + 1) / 2.0).unwrap() } else { Weight::ONE };
        placement.add(NodeId::of(&format!("node-{i}.example")), weight).unwrap();
    }
    placement
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
        ("maglev", digest(&filled(Maglev::new(), true)), MAGLEV),
    ];
    for (name, found, stored) in digests {
        assert_eq!(found, stored, "{name}: {found:#018x}");
    }
}

const RING: u64 = 0x817a01d52a4fd5a4;
const JUMP: u64 = 0xf4e084f366c25828;
const RENDEZVOUS: u64 = 0x989707c033ee5221;
const WEIGHTED: u64 = 0x3f672a1d7f7089d2;
const MAGLEV: u64 = 0x984e3d2999071498;
