//! Placement: ring, table, rendezvous, replicas, change and memory beside the published crates.
//!
//! Text keys cost each contender its own hash, as its users pay it. hash-rings hashes with std's
//! SipHash; its hasher is fixed so that runs repeat, the algorithm is the same.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::sync::Arc;

use archstone_hashring::{
    Candidates, Hashed, Key, Locate, Maglev, NodeId, NodeIx, Rendezvous, Resize, Ring, Table, Weight,
};
use pingora_ketama::{Bucket, Continuum};

use super::{Area, Run};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload;

const OURS: &str = "archstone-hashring";

pub(super) fn area() -> Area {
    let mut area = Area::new("hashring", &["pingora-ketama", "hash-rings", "maglev"]);
    for n in [10, 100, 1_000, 10_000] {
        area.race(format!("hashring.G1/n={n}"), move |run| ring_look_up(run, n));
    }
    for n in [100, 10_000] {
        area.race(format!("hashring.G3/n={n}"), move |run| table_look_up(run, n));
    }
    area.race("hashring.G3/maglev/n=100", |run| maglev_look_up(run, 100));
    for n in [100, 1_000] {
        area.race(format!("hashring.G7/n={n}"), move |run| rendezvous_look_up(run, n));
    }
    for n in [10, 100, 1_000] {
        area.race(format!("hashring.G9/n={n}"), move |run| three_replicas(run, n));
    }
    area.race("hashring.G10/add/n=1000", |_| add_one(1_000));
    area.race("hashring.G10/remove/n=1000", |_| remove_one(1_000));
    area.race("hashring.G10/build/n=10000", |_| build(10_000));
    area.rows("hashring.G11/peak", |_| maglev_memory(100));
    area.rows("hashring.G13/bytes", |_| ring_memory(1_000));
    area
}

type Sip = BuildHasherDefault<DefaultHasher>;

fn name(i: usize) -> String {
    format!("10.{}.{}.{}:80", i / 62_500, i / 250 % 250, i % 250)
}

fn address(i: usize) -> SocketAddr {
    name(i).parse().expect("an address")
}

fn nodes(n: usize) -> impl Iterator<Item = (NodeId, Weight)> {
    (0..n).map(|i| (NodeId::of(&name(i)), Weight::ONE))
}

fn ours(n: usize) -> Ring {
    Ring::new().build(nodes(n)).expect("a ring")
}

fn buckets(n: usize) -> Vec<Bucket> {
    (0..n).map(|i| Bucket::new(address(i), 1)).collect()
}

/// 21-byte text keys in random order.
fn texts(run: &Run) -> Arc<[String]> {
    let count = if run.quick { 1 << 17 } else { 1 << 20 };
    workload::distinct_keys(1, count).iter().map(|key| format!("user:{key:016x}")).collect()
}

fn numbers(run: &Run) -> Arc<[u64]> {
    workload::distinct_keys(2, if run.quick { 1 << 17 } else { 1 << 20 }).into()
}

fn by_text<S: 'static>(
    name: &str,
    keys: &Arc<[String]>,
    state: S,
    find: impl Fn(&S, &str) -> usize + 'static,
) -> Runner {
    let state = (state, Arc::clone(keys));
    Runner::steady(name, keys.len(), state, move |(state, keys)| {
        keys.iter().fold(0_usize, |sum, key| sum.wrapping_add(find(state, key)))
    })
}

fn by_number<S: 'static>(
    name: &str,
    keys: &Arc<[u64]>,
    state: S,
    find: impl Fn(&S, u64) -> usize + 'static,
) -> Runner {
    let state = (state, Arc::clone(keys));
    Runner::steady(name, keys.len(), state, move |(state, keys)| {
        keys.iter().fold(0_usize, |sum, &key| sum.wrapping_add(find(state, key)))
    })
}

fn owner(placement: &impl Locate, key: Hashed) -> usize {
    placement.locate(key).map_or(0, NodeIx::index)
}

fn ring_look_up(run: &Run, n: usize) -> Race {
    let keys = texts(run);
    let workload = format!("owner of a 21-byte key, {n} nodes of 160 points");
    let names: &'static [String] = (0..n).map(name).collect::<Vec<_>>().leak();
    let mut sip = hash_rings::consistent::Ring::with_hasher(Sip::default());
    for node in names {
        sip.insert_node(node, 160);
    }
    Race::new(workload, by_text(OURS, &keys, ours(n), |ring, key| owner(ring, key.hashed(0))))
        .beats(
            "pingora-ketama",
            by_text("pingora-ketama", &keys, Continuum::new(&buckets(n)), |ring, key| {
                ring.node_idx(key.as_bytes())
            }),
            3.0,
        )
        .beats(
            "hash-rings",
            by_text("hash-rings", &keys, sip, |ring, key| ring.get_node(&key).len()),
            5.0,
        )
}

fn table_look_up(run: &Run, n: usize) -> Race {
    let keys = numbers(run);
    let workload = format!("owner of a mixed u64, {n} nodes compiled to 2^17 slots");
    let table = Table::compile(&ours(n), 17).expect("a table");
    Race::new(workload, by_number(OURS, &keys, table, |table, key| owner(table, Hashed(key)))).at_most(
        1.5,
        "floor",
        by_number("floor: multiply-shift modulo", &keys, n as u64, |&n, key| {
            ((u128::from(key) * u128::from(n)) >> 64) as usize
        }),
    )
}

fn maglev_look_up(run: &Run, n: usize) -> Race {
    let keys = texts(run);
    let placement = Maglev::new().build(nodes(n)).expect("a table");
    let peer = maglev::Maglev::with_hasher((0..n).map(name), Sip::default());
    Race::new(
        format!("owner of a 21-byte key, Maglev, {n} nodes"),
        by_text(OURS, &keys, placement, |table, key| owner(table, key.hashed(0))),
    )
    .beats(
        "maglev",
        by_text("maglev", &keys, peer, |table, key| {
            use maglev::ConsistentHasher;
            table.get(key).map_or(0, String::len)
        }),
        3.0,
    )
}

fn rendezvous_look_up(run: &Run, n: usize) -> Race {
    let keys: Arc<[String]> = texts(run).iter().take(if n > 100 { 2_000 } else { 20_000 }).cloned().collect();
    let mut placement = Rendezvous::new();
    for (id, weight) in nodes(n) {
        placement.add(id, weight).expect("a new node");
    }
    let names: &'static [String] = (0..n).map(name).collect::<Vec<_>>().leak();
    let mut sip = hash_rings::rendezvous::Ring::with_hasher(Sip::default());
    for node in names {
        sip.insert_node(node, 1);
    }
    Race::new(
        format!("owner of a 21-byte key, rendezvous over {n} nodes"),
        by_text(OURS, &keys, placement, |nodes, key| owner(nodes, key.hashed(0))),
    )
    .beats(
        "hash-rings",
        by_text("hash-rings", &keys, sip, |nodes, key| nodes.get_node(&key).len()),
        if n > 100 { 15.0 } else { 8.0 },
    )
}

fn three_replicas(run: &Run, n: usize) -> Race {
    let keys = texts(run);
    Race::new(
        format!("three distinct nodes for a 21-byte key, {n} nodes of 160 points"),
        by_text(OURS, &keys, ours(n), |ring, key| {
            ring.candidates(key.hashed(0)).take(3).map(NodeIx::index).sum()
        }),
    )
    .beats(
        "pingora-ketama",
        by_text("pingora-ketama", &keys, Continuum::new(&buckets(n)), |ring, key| {
            // Its iterator repeats nodes; the caller removes them, without allocating.
            let (mut seen, mut count) = ([None; 3], 0);
            for node in ring.node_iter(key.as_bytes()) {
                if !seen[..count].contains(&Some(node)) {
                    seen[count] = Some(node);
                    count += 1;
                    if count == 3 {
                        break;
                    }
                }
            }
            seen[2].map_or(0, |node| usize::from(node.port())) + count
        }),
        if n == 100 { 3.5 } else { 2.0 },
    )
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

fn maglev_memory(n: usize) -> Vec<Row> {
    let (_table, used) = memory::used(|| {
        let slots = Maglev::with_slots(100 * n as u32).expect("a size");
        slots.build(nodes(n)).expect("a table")
    });
    let (_peer, peak) = memory::used(|| maglev::Maglev::with_hasher((0..n).map(name), Sip::default()));
    let subject = Subject::new(
        "hashring.G11/peak",
        &format!("peak bytes while a Maglev table of {n} nodes and 100 slots a node is built"),
        Unit::Bytes,
        Better::Lower,
    );
    let ours = Side::new(OURS, used.peak as f64);
    vec![subject.at("maglev").against(ours, Side::new("maglev", peak.peak as f64), Some(100.0))]
}

fn ring_memory(n: usize) -> Vec<Row> {
    let (_ring, used) = memory::used(|| ours(n));
    let all = buckets(n);
    let (_peer, theirs) = memory::used(|| Continuum::new(&all));
    let subject = Subject::new(
        "hashring.G13/bytes",
        &format!("live bytes a node, a ring of {n} nodes of 160 points"),
        Unit::Bytes,
        Better::Lower,
    );
    let each = |bytes: u64| bytes as f64 / n as f64;
    let ours = Side::new(OURS, each(used.live));
    let peer = Side::new("pingora-ketama", each(theirs.live));
    vec![
        subject.at("limit").limit(ours.clone(), 1_990.0),
        subject.at("pingora-ketama").against(ours, peer, None),
    ]
}
