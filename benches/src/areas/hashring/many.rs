//! G7, G8: every node is looked at, or many points.

use std::sync::Arc;

use archstone_hashring::{Candidates, Key, Locate, MultiProbe, NodeIx, Rendezvous, Resize};
use hrw_hash::HrwNodes;

use super::{Area, OURS, Run, Sip, by_text, name, nodes, owner, texts};
use crate::measure::Race;
use crate::row::{Better, Row, Side, Subject, Unit};

pub(super) fn entries(area: &mut Area) {
    for n in [100, 1_000] {
        area.race(format!("hashring.G7/n={n}"), move |run| rendezvous_look_up(run, n));
    }
    area.race("hashring.G7/top3/n=100", |run| top_three(run, 100));
    area.race("hashring.G8/n=100", |run| multi_probe(run, 100));
    area.rows("hashring.G8/balance", |_| multi_probe_balance(100));
}

fn few(run: &Run, n: usize) -> Arc<[String]> {
    texts(run).iter().take(if n > 100 { 1_000 } else { 10_000 }).cloned().collect()
}

fn ours(n: usize) -> Rendezvous {
    let mut placement = Rendezvous::new();
    for (id, weight) in nodes(n) {
        placement.add(id, weight).expect("a new node");
    }
    placement
}

fn hrw(n: usize) -> HrwNodes<String> {
    HrwNodes::new((0..n).map(name))
}

fn rendezvous_look_up(run: &Run, n: usize) -> Race {
    let keys = few(run, n);
    let names: &'static [String] = (0..n).map(name).collect::<Vec<_>>().leak();
    let mut sip = hash_rings::rendezvous::Ring::with_hasher(Sip::default());
    for node in names {
        sip.insert_node(node, 1);
    }
    Race::new(
        format!("owner of a 21-byte key, rendezvous over {n} nodes"),
        by_text(OURS, &keys, ours(n), |nodes, key| owner(nodes, key.hashed(0))),
    )
    .beats(
        "hash-rings",
        by_text("hash-rings", &keys, sip, |nodes, key| nodes.get_node(&key).len()),
        if n > 100 { 15.0 } else { 8.0 },
    )
    .beats(
        "hrw-hash",
        by_text("hrw-hash", &keys, hrw(n), |nodes, key| {
            nodes.sorted(&key).next().map_or(0, String::len)
        }),
        25.0,
    )
}

fn top_three(run: &Run, n: usize) -> Race {
    let keys = few(run, n);
    Race::new(
        format!("the first three of {n} nodes for a 21-byte key, rendezvous"),
        by_text(OURS, &keys, ours(n), |nodes, key| {
            nodes.candidates(key.hashed(0)).take(3).map(NodeIx::index).sum()
        }),
    )
    .beats(
        "hrw-hash",
        by_text("hrw-hash", &keys, hrw(n), |nodes, key| {
            nodes.sorted(&key).take(3).map(String::len).sum()
        }),
        5.0,
    )
}

fn circle(n: usize) -> MultiProbe {
    let mut circle = MultiProbe::new();
    for (id, weight) in nodes(n) {
        circle.add(id, weight).expect("a new node");
    }
    circle
}

fn multi_probe(run: &Run, n: usize) -> Race {
    let keys = few(run, n);
    let names: &'static [String] = (0..n).map(name).collect::<Vec<_>>().leak();
    let mut sip = hash_rings::mpc::Ring::with_hasher(Sip::default(), 21);
    let skip_list = mpchash::HashRing::new();
    for node in names {
        sip.insert_node(node);
        skip_list.add(node.clone());
    }
    Race::new(
        format!("owner of a 21-byte key, 21 probes, {n} nodes"),
        by_text(OURS, &keys, circle(n), |circle, key| owner(circle, key.hashed(0))),
    )
    .beats("hash-rings", by_text("hash-rings", &keys, sip, |ring, key| ring.get_node(&key).len()), 10.0)
    .beats(
        "mpchash",
        by_text("mpchash", &keys, skip_list, |ring, key| {
            ring.node(&key).map_or(0, |token| token.position() as usize)
        }),
        20.0,
    )
}

fn multi_probe_balance(n: usize) -> Vec<Row> {
    let circle = circle(n);
    let mut counts = vec![0_u32; n];
    for key in 0..1_000_000_u64 {
        counts[circle.locate(key.hashed(0)).map_or(0, NodeIx::index)] += 1;
    }
    let fullest = f64::from(counts.into_iter().max().unwrap_or(0)) / (1_000_000.0 / n as f64);
    let workload = format!("the fullest of {n} nodes over the mean, 1 M keys, 21 probes");
    let subject = Subject::new("hashring.G8/balance", &workload, Unit::Ratio, Better::Lower);
    vec![subject.at("limit").limit(Side::new(OURS, fullest), 1.12)]
}
