//! G10, G11: changes and builds.

use archstone_hashring::{Maglev, NodeId, NodeIx, Resize, Ring, Weight};
use pingora_ketama::{Bucket, Continuum};

use super::{Area, OURS, Sip, address, buckets, name, nodes, ours};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

pub(super) fn entries(area: &mut Area) {
    area.race("hashring.G10/add/n=1000", |_| add_one(1_000));
    area.race("hashring.G10/remove/n=1000", |_| remove_one(1_000));
    area.race("hashring.G10/build/n=10000", |_| build(10_000));
    area.rows("hashring.G11/peak", |_| maglev_memory(100));
    area.race("hashring.G11/time/n=100", |_| maglev_build(100));
    area.race("hashring.G11/time/n=1000", |_| maglev_large());
}

fn add_one(n: usize) -> Race {
    let new = NodeId::of(&name(n));
    let (ring, mut all) = (ours(n), buckets(n));
    all.push(Bucket::new(address(n), 1));
    Race::new(
        format!("a node of 160 points joins {n}"),
        Runner::fresh(OURS, 1, move || ring.clone(), move |mut ring| {
            ring.add(new, Weight::ONE).expect("a new node");
            ring
        }),
    )
    .beats("pingora-ketama", Runner::steady("pingora-ketama", 1, all, |all| Continuum::new(all)), 2.5)
}

fn remove_one(n: usize) -> Race {
    let (ring, mut rest) = (ours(n), buckets(n));
    rest.pop();
    Race::new(
        format!("a node of 160 points leaves {n}"),
        Runner::fresh(OURS, 1, move || ring.clone(), move |mut ring| {
            ring.remove(NodeIx(n as u32 - 1)).expect("a member");
            ring
        }),
    )
    .beats("pingora-ketama", Runner::steady("pingora-ketama", 1, rest, |rest| Continuum::new(rest)), 20.0)
}

fn build(n: usize) -> Race {
    let ids: Vec<_> = nodes(n).collect();
    Race::new(
        format!("a ring of {n} nodes of 160 points from nothing"),
        Runner::steady(OURS, 1, ids, |ids| Ring::new().build(ids.iter().copied()).expect("a ring")),
    )
    .beats("pingora-ketama", Runner::steady("pingora-ketama", 1, buckets(n), |all| Continuum::new(all)), 1.0)
}

fn maglev_of(n: usize) -> Maglev {
    let slots = Maglev::with_slots(100 * n as u32).expect("a size");
    slots.build(nodes(n)).expect("a table")
}

fn sip_maglev(n: usize) -> maglev::Maglev<String, Sip> {
    maglev::Maglev::with_hasher((0..n).map(name), Sip::default())
}

fn rings_maglev(names: &'static [String]) -> hash_rings::maglev::Ring<'static, String> {
    hash_rings::maglev::Ring::new(names.iter().collect())
}

fn leaked(n: usize) -> &'static [String] {
    (0..n).map(name).collect::<Vec<_>>().leak()
}

fn maglev_memory(n: usize) -> Vec<Row> {
    let names = leaked(n);
    let (_table, used) = memory::used(|| maglev_of(n));
    let (_one, one) = memory::used(|| sip_maglev(n));
    let (_two, two) = memory::used(|| rings_maglev(names));
    let subject = Subject::new(
        "hashring.G11/peak",
        &format!("peak bytes while a Maglev table of {n} nodes and 100 slots a node is built"),
        Unit::Bytes,
        Better::Lower,
    );
    let ours = Side::new(OURS, used.peak as f64);
    vec![
        subject.at("maglev").against(ours.clone(), Side::new("maglev", one.peak as f64), Some(100.0)),
        subject.at("hash-rings").against(ours, Side::new("hash-rings", two.peak as f64), Some(100.0)),
    ]
}

fn maglev_build(n: usize) -> Race {
    let names = leaked(n);
    Race::new(
        format!("a Maglev table of {n} nodes and 100 slots a node"),
        Runner::steady(OURS, 1, n, |&mut n| maglev_of(n)),
    )
    .beats("maglev", Runner::steady("maglev", 1, n, |&mut n| sip_maglev(n)), 2.0)
    .beats("hash-rings", Runner::steady("hash-rings", 1, names, |names| rings_maglev(names)), 2.0)
}

/// The peers keep a table of n x M numbers while they build: 800 MB here.
fn maglev_large() -> Race {
    let n = 1_000;
    Race::new(
        "a Maglev table of 1000 nodes and 100,003 slots",
        Runner::steady(OURS, 1, n, |&mut n| maglev_of(n)),
    )
    .missing("maglev", "maglev", Some(2.0), "needs 800 MB while it builds")
    .missing("hash-rings", "hash-rings", Some(2.0), "needs 800 MB while it builds")
}
