//! G9: three distinct nodes, and three in distinct racks.

use archstone_hashring::{Candidates, Key, NodeIx, Place, Ring, Spread, Topology};
use pingora_ketama::Continuum;

use super::{Area, OURS, Run, buckets, by_text, ours, texts};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

pub(super) fn entries(area: &mut Area) {
    for n in [10, 100, 1_000] {
        area.race(format!("hashring.G9/n={n}"), move |run| three_replicas(run, n));
    }
    area.race("hashring.G9/racks/n=100", |run| three_racks(run, 100));
    area.rows("hashring.G9/allocations", |_| allocations(100));
}

/// Its iterator repeats nodes; the caller removes them, without allocating. `class` is what must
/// differ: the node or its rack.
fn peer(run: &Run, n: usize, class: impl Fn(usize) -> usize + 'static) -> Runner {
    let all = buckets(n);
    let ring = Continuum::new(&all);
    by_text("pingora-ketama", &texts(run), ring, move |ring, key| {
        let (mut seen, mut count) = ([usize::MAX; 3], 0);
        for node in ring.node_iter(key.as_bytes()) {
            let class = class(number(*node));
            if !seen[..count].contains(&class) {
                seen[count] = class;
                count += 1;
                if count == 3 {
                    break;
                }
            }
        }
        seen[2] + count
    })
}

/// The number in the address: see `name`.
fn number(node: std::net::SocketAddr) -> usize {
    match node.ip() {
        std::net::IpAddr::V4(ip) => {
            let [_, high, middle, low] = ip.octets().map(usize::from);
            (high * 250 + middle) * 250 + low
        }
        std::net::IpAddr::V6(_) => 0,
    }
}

fn three(ring: &Ring, key: &str) -> usize {
    ring.copies(key.hashed(0), 3).iter().map(|node| node.index()).sum()
}

fn three_replicas(run: &Run, n: usize) -> Race {
    Race::new(
        format!("three distinct nodes for a 21-byte key, {n} nodes of 160 points"),
        by_text(OURS, &texts(run), ours(n), three),
    )
    .beats("pingora-ketama", peer(run, n, |node| node), if n == 100 { 3.5 } else { 2.0 })
}

/// Three racks, the nodes in turn.
fn racks(n: usize) -> (Ring, Topology, Spread) {
    let mut topology = Topology::new();
    for node in 0..n as u32 {
        topology.put(NodeIx(node), Place { zone: 0, rack: (node % 3) as u16 });
    }
    (ours(n), topology, Spread::new(&[(0, 3)]).expect("three copies"))
}

fn three_racks(run: &Run, n: usize) -> Race {
    let keys = texts(run);
    Race::new(
        format!("three nodes in three racks for a 21-byte key, {n} nodes of 160 points"),
        by_text(OURS, &keys, racks(n), |(ring, topology, spread), key| {
            let chosen = ring.spread(key.hashed(0), topology, spread);
            chosen.iter().map(|node| node.index()).sum()
        }),
    )
    .beats("pingora-ketama", peer(run, n, |node| node % 3), 3.5)
    .at_most(2.0, "floor", by_text("floor: three nodes, racks ignored", &keys, ours(n), three))
}

fn allocations(n: usize) -> Vec<Row> {
    let (ring, topology, spread) = racks(n);
    let (_, used) = memory::used(|| {
        (0..1_000_u64).map(|key| ring.spread(key.hashed(0), &topology, &spread).len()).sum::<usize>()
    });
    let workload = "allocations of a thousand choices of three nodes in three racks";
    let subject = Subject::new("hashring.G9/allocations", workload, Unit::Count, Better::Lower);
    vec![subject.at("limit").limit(Side::new(OURS, used.allocations as f64), 0.0)]
}
