//! G1, G2, G3, G12, G13: one owner from a ring or a table.

use std::hash::{Hash, Hasher};

use archstone_hashring::compat::nginx::Nginx;
use archstone_hashring::{CompactRing, Hashed, Key, Maglev, Shared, Table};
use pingora_ketama::Continuum;

use super::{Area, OURS, Run, Sip, address, buckets, by_number, by_text, name, nodes, numbers, ours, owner, texts};
use crate::measure::{Race, interleave};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

pub(super) fn entries(area: &mut Area) {
    for n in [10, 100, 1_000, 10_000] {
        area.race(format!("hashring.G1/n={n}"), move |run| ring_look_up(run, n));
    }
    for n in [100, 1_000, 10_000] {
        area.race(format!("hashring.G2/n={n}"), move |run| nginx_look_up(run, n));
    }
    for n in [100, 10_000] {
        area.race(format!("hashring.G3/n={n}"), move |run| table_look_up(run, n));
    }
    area.race("hashring.G3/maglev/n=100", |run| maglev_look_up(run, 100));
    area.rows("hashring.G12", |run| shared_read(run, 100));
    area.rows("hashring.G13/bytes", |_| ring_memory(1_000));
}

/// A point of `hashring`: one of a node's 160.
#[derive(Clone, PartialEq, Eq)]
struct Replica(std::net::SocketAddr, u32);

impl Hash for Replica {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0, self.1).hash(state);
    }
}

fn ring_look_up(run: &Run, n: usize) -> Race {
    let keys = texts(run);
    let workload = format!("owner of a 21-byte key, {n} nodes of 160 points");
    let names: &'static [String] = (0..n).map(name).collect::<Vec<_>>().leak();
    let mut sip = hash_rings::consistent::Ring::with_hasher(Sip::default());
    for node in names {
        sip.insert_node(node, 160);
    }
    let mut other = hashring_peer::HashRing::new();
    other.batch_add((0..n).flat_map(|i| (0..160).map(move |p| Replica(address(i), p))).collect());
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
        .beats(
            "hashring",
            by_text("hashring", &keys, other, |ring, key| {
                ring.get(&key).map_or(0, |replica| usize::from(replica.0.port()))
            }),
            5.0,
        )
}

/// The same ring in both: nginx's points, crc32 keys.
fn nginx_look_up(run: &Run, n: usize) -> Race {
    let keys = texts(run);
    let names: Vec<String> = (0..n).map(name).collect();
    let upstream = Nginx::new(names.iter().map(|name| (name.as_str(), 1))).expect("a ring");
    Race::new(
        format!("owner of a 21-byte key on nginx's ring, {n} nodes of 160 points"),
        by_text(OURS, &keys, upstream, |ring, key| {
            ring.locate(key.as_bytes()).map_or(0, |node| node.index())
        }),
    )
    .beats(
        "pingora-ketama",
        by_text("pingora-ketama", &keys, Continuum::new(&buckets(n)), |ring, key| {
            ring.node_idx(key.as_bytes())
        }),
        2.0,
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

/// The look-up through a reader of the shared handle, while nothing changes.
fn shared_read(run: &Run, n: usize) -> Vec<Row> {
    let keys = numbers(run);
    let reader = Shared::new(ours(n)).reader();
    let through = std::cell::RefCell::new(reader);
    let mut runners = [
        by_number(OURS, &keys, through, |reader, key| owner(reader.borrow_mut().get(), Hashed(key))),
        by_number("floor: bare ring", &keys, ours(n), |ring, key| owner(ring, Hashed(key))),
    ];
    let timing = interleave(&mut runners, &run.budget);
    let workload = format!("what the shared handle adds to a look-up of a mixed u64, {n} nodes");
    let subject = Subject::new("hashring.G12", &workload, Unit::Ns, Better::Lower);
    let added = (timing[0].best - timing[1].best).max(0.0);
    let note = format!("{:.2} against {:.2}, {} rounds", timing[0].best, timing[1].best, timing[0].rounds);
    vec![subject.at("added").limit(Side::new(OURS, added), 1.0).note(note)]
}

fn ring_memory(n: usize) -> Vec<Row> {
    let (archstone_ring, used) = memory::used(|| ours(n));
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
    let (_compact, small) =
        memory::used(|| CompactRing::compile(&archstone_ring).expect("few nodes"));
    let small = Side::new("archstone-hashring CompactRing", each(small.live));
    let compact = Subject::new(
        "hashring.G13/compact",
        &format!("live bytes a node, a compact ring of {n} nodes of 160 points"),
        Unit::Bytes,
        Better::Lower,
    );
    vec![
        compact.at("limit").limit(small.clone(), 990.0),
        compact.at("pingora-ketama").against(small, peer.clone(), None),
        subject.at("limit").limit(ours.clone(), 1_990.0),
        subject.at("pingora-ketama").against(ours, peer, None),
    ]
}
