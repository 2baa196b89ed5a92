//! C1 to C3: version vectors.

use std::hash::RandomState;

use archstone_crdt::clock::VersionVector;
use archstone_crdt::codec::Wire;
use archstone_crdt::{Lattice, ReplicaId};
use crdts::{CmRDT, CvRDT, VClock};

use super::{Area, OURS, ids};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

const CALLS: usize = 1_000;
const SIZES: [usize; 3] = [3, 10, 100];

pub(super) fn add(area: &mut Area) {
    for n in SIZES {
        for relation in ["equal", "less", "concurrent"] {
            area.race(format!("crdt.C1/n={n}/{relation}"), move |_| compare(n, relation));
        }
        area.race(format!("crdt.C2/n={n}"), move |_| merge(n));
    }
    area.rows("crdt.C3", |_| SIZES.into_iter().flat_map(bytes).collect());
}

/// Two versions that stand as `relation` says.
fn counts(n: usize, relation: &str) -> [Vec<u64>; 2] {
    let ours: Vec<u64> = (0..n as u64).map(|i| 100 + i % 50).collect();
    let mut theirs = ours.clone();
    match relation {
        "less" => theirs[n - 1] += 1,
        "concurrent" => {
            theirs[0] += 1;
            theirs[1] -= 1;
        }
        _ => {}
    }
    [ours, theirs]
}

fn ours(counts: &[u64]) -> VersionVector {
    ids(counts.len()).into_iter().map(ReplicaId).zip(counts.iter().copied()).collect()
}

fn of_crdts(counts: &[u64]) -> VClock<u64> {
    let mut clock = VClock::new();
    for (id, &count) in ids(counts.len()).into_iter().zip(counts) {
        clock.apply(crdts::Dot::new(id, count));
    }
    clock
}

type PeerClock = vclock::VClock<u64, u64>;

fn of_vclock(counts: &[u64]) -> PeerClock {
    let entries = ids(counts.len()).into_iter().zip(counts.iter().copied());
    let map: std::collections::HashMap<u64, u64, RandomState> = entries.collect();
    PeerClock::from(map)
}

fn compare(n: usize, relation: &'static str) -> Race {
    let [a, b] = counts(n, relation);
    // "Never slower in any row": where the peers leave after the first entries, parity is asked.
    let goal = match (relation, n) {
        ("concurrent", _) => 1.0,
        (_, 3) => 2.0,
        (_, 10) => 3.0,
        _ => 10.0,
    };
    let mine = Runner::steady(OURS, CALLS, (ours(&a), ours(&b)), |(a, b)| {
        for _ in 0..CALLS {
            std::hint::black_box(std::hint::black_box(&*a).compare(std::hint::black_box(b)));
        }
    });
    let crdts = Runner::steady("crdts", CALLS, (of_crdts(&a), of_crdts(&b)), |(a, b)| {
        for _ in 0..CALLS {
            std::hint::black_box(
                std::hint::black_box(&*a).partial_cmp(std::hint::black_box(&*b)),
            );
        }
    });
    let vclock = Runner::steady("vclock", CALLS, (of_vclock(&a), of_vclock(&b)), |(a, b)| {
        for _ in 0..CALLS {
            std::hint::black_box(
                std::hint::black_box(&*a).partial_cmp(std::hint::black_box(&*b)),
            );
        }
    });
    Race::new(format!("compare two versions of {n} replicas, {relation}"), mine)
        .beats("crdts", crdts, goal)
        .beats("vclock", vclock, 1.0)
}

fn merge(n: usize) -> Race {
    let [a, b] = counts(n, "less");
    let goal = [2.0, 8.0, 30.0][SIZES.iter().position(|&s| s == n).unwrap_or(0)];
    let mine = Runner::steady(OURS, CALLS, (ours(&a), ours(&b)), |(a, b)| {
        for _ in 0..CALLS {
            std::hint::black_box(a.merge(std::hint::black_box(b)));
        }
    });
    let crdts = Runner::steady("crdts", CALLS, (of_crdts(&a), of_crdts(&b)), |(a, b)| {
        for _ in 0..CALLS {
            // It takes the other by value.
            a.merge(std::hint::black_box(&*b).clone());
        }
    });
    let vclock = Runner::steady("vclock", CALLS, (of_vclock(&a), of_vclock(&b)), |(a, b)| {
        for _ in 0..CALLS {
            a.merge(std::hint::black_box(&*b));
        }
    });
    Race::new(format!("merge a version of the same {n} replicas"), mine)
        .beats("crdts", crdts, goal)
        .beats("vclock", vclock, 1.0)
}

fn bytes(n: usize) -> Vec<Row> {
    let [a, _] = counts(n, "equal");
    let (mine, used) = memory::used(|| ours(&a));
    let (peer, peer_used) = memory::used(|| of_crdts(&a));
    let heap = Subject::new(
        &format!("crdt.C3/n={n}/heap"),
        &format!("heap bytes of a version of {n} replicas"),
        Unit::Bytes,
        Better::Lower,
    );
    let heap_row = if n <= 4 {
        heap.limit(Side::new(OURS, used.live as f64), 0.0)
    } else {
        let goal = if n == 100 { Some(2.0) } else { None };
        let peer = Side::new("crdts", peer_used.live as f64);
        heap.at("crdts").against(Side::new(OURS, used.live as f64), peer, goal)
    };
    let wire = Subject::new(
        &format!("crdt.C3/n={n}/encoded"),
        &format!("encoded bytes of a version of {n} replicas, checksum included"),
        Unit::Bytes,
        Better::Lower,
    );
    let theirs = postcard::to_allocvec(&peer).map_or(f64::NAN, |bytes| bytes.len() as f64);
    let ours = Side::new(OURS, mine.encode().len() as f64);
    vec![heap_row, wire.at("crdts").against(ours, Side::new("crdts, postcard", theirs), None)]
}
