//! G4, G5, G6: numbered buckets, in constant time and with removals.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use archstone_hashring::{Anchor, Buckets, Hashed, Key, Level, Locate, NodeIx};
use power_consistent_hash::PowerConsistentHasher;

use super::{Area, OURS, Run, by_number, by_text, numbers, owner, texts};
use crate::measure::{Race, Runner, interleave};
use crate::row::{Better, Row, Side, Subject, Unit};

/// The sizes of G4: around powers of two, and between.
const SIZES: [u32; 11] = [5, 10, 11, 50, 100, 127, 129, 1_000, 1_025, 3_000, 10_000];

pub(super) fn entries(area: &mut Area) {
    area.rows("hashring.G4", constant_time);
    area.race("hashring.G5/n=1000", |run| batches(run, 1_000));
    area.race("hashring.G5/n=1025", |run| batches(run, 1_025));
    for n in [100, 1_000, 10_000] {
        area.race(format!("hashring.G6/n={n}"), move |run| anchor(run, n));
    }
}

fn level(keys: &Arc<[u64]>, n: u32) -> Runner {
    by_number(OURS, keys, Level::new(n), |buckets, key| owner(buckets, Hashed(key)))
}

fn power(keys: &Arc<[u64]>, n: u32) -> Runner {
    let hasher = PowerConsistentHasher::try_new(n).expect("two buckets and more");
    by_number("power-consistent-hash", keys, hasher, |hasher, key| hasher.hash_u64(key) as usize)
}

fn flip(keys: &Arc<[u64]>, n: u32) -> Runner {
    by_number("fliphash", keys, u64::from(n) - 1, |&last, key| {
        fliphash::fliphash_64(key, ..=last) as usize
    })
}

fn jump(keys: &Arc<[u64]>, n: u32) -> Runner {
    by_number("jumpconsistenthash", keys, n, |&n, key| {
        jumpconsistenthash::jump_hash_from_u64(key, n) as usize
    })
}

/// Each size against power, and the geometric means over all sizes.
fn constant_time(run: &Run) -> Vec<Row> {
    let keys = numbers(run);
    let mut rows = Vec::new();
    let mut logs = [0.0; 4];
    for n in SIZES {
        let mut runners = [level(&keys, n), power(&keys, n), flip(&keys, n), jump(&keys, n)];
        let timing = interleave(&mut runners, &run.budget);
        let workload = format!("bucket of a mixed u64 among {n}");
        let subject =
            Subject::new(&format!("hashring.G4/n={n}"), &workload, Unit::Ns, Better::Lower);
        let side = |i: usize| Side::new(runners[i].name(), timing[i].best);
        let note = format!("median {:.2} / {:.2}", timing[0].median, timing[1].median);
        let row = subject.at("power").against(side(0), side(1), Some(1.0 / 1.1));
        rows.push(row.note(note));
        rows.push(subject.at("fliphash").against(side(0), side(2), None));
        rows.push(subject.at("jump").against(side(0), side(3), None));
        for (log, timing) in logs.iter_mut().zip(&timing) {
            *log += timing.best.ln() / SIZES.len() as f64;
        }
    }
    let workload = "bucket of a mixed u64, geometric mean over the sizes";
    let mean = Subject::new("hashring.G4/mean", workload, Unit::Ns, Better::Lower);
    let side = |name: &str, i: usize| Side::new(name, logs[i].exp());
    let peers = [("power-consistent-hash", "power", 1.2), ("fliphash", "fliphash", 1.8), ("jumpconsistenthash", "jump", 5.0)];
    for (i, (peer, suffix, goal)) in (1..).zip(peers) {
        rows.push(mean.at(suffix).against(side(OURS, 0), side(peer, i), Some(goal)));
    }
    rows
}

fn batches(run: &Run, n: u32) -> Race {
    let keys = numbers(run);
    let hashed: Vec<Hashed> = keys.iter().map(|&key| Hashed(key)).collect();
    let state = (Level::new(n), hashed, [NodeIx(0); 16]);
    let ours = Runner::steady(OURS, keys.len(), state, |(buckets, keys, out)| {
        keys.chunks_exact(16).fold(0_usize, |sum, sixteen| {
            buckets.locate_many(sixteen, out);
            out.iter().fold(sum, |sum, node| sum.wrapping_add(node.index()))
        })
    });
    Race::new(format!("buckets of mixed u64s among {n}, sixteen a call"), ours).beats(
        "power",
        power(&keys, n),
        2.0,
    )
}

fn anchor(run: &Run, n: u32) -> Race {
    let keys = texts(run);
    let mut ours = Anchor::with_capacity(2 * n).expect("a size");
    for _ in 0..n {
        ours.grow().expect("there is room");
    }
    type Sip = BuildHasherDefault<DefaultHasher>;
    let peer = anchorhash::Builder::with_hasher(Sip::default()).with_resources(0..n);
    let peer = peer.build::<&str>((2 * n).try_into().expect("a size of theirs"));
    Race::new(
        format!("owner of a 21-byte key, {n} of {} buckets", 2 * n),
        by_text(OURS, &keys, ours, |anchor, key| owner(anchor, key.hashed(0))),
    )
    .beats(
        "anchorhash",
        Runner::steady("anchorhash", keys.len(), (peer, Arc::clone(&keys)), |(peer, keys)| {
            keys.iter().fold(0_usize, |sum, key| {
                sum.wrapping_add(peer.get_resource(key.as_str()).map_or(0, |&n| n as usize))
            })
        }),
        1.8,
    )
}
