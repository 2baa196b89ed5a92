//! P5 to P7: Bloom filters, split block and classic, in the L2 cache, the L3 cache and memory.

use std::sync::Arc;

use archstone_core::hash::hash_u64;
use archstone_sketch::membership::{BlockBloom, Bloom, Filter};

use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::distinct_keys;

const FPR: f64 = 0.01;
/// 1 M bits: the L2 cache.
const SMALL: usize = 104_000;
/// 100 M bits: the L3 cache.
const LARGE: usize = 10_400_000;
/// Questions a round.
const ASKED: usize = 1 << 20;

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P5/L2/insert", |_| {
        Race::new(workload(SMALL), inserter::<BlockBloom>(SMALL))
            .beats("fastbloom-ahash", inserter::<Ahash>(SMALL), 3.0)
            .beats("sbbf-rs-safe", inserter::<Sbbf>(SMALL), 1.0)
    });
    for (what, seed, goal) in [("present", 1, 3.0), ("absent", 2, 5.0)] {
        area.race(format!("sketch.P5/L2/contains-{what}"), move |_| {
            Race::new(workload(SMALL), asker::<BlockBloom>(SMALL, seed))
                .beats("fastbloom-ahash", asker::<Ahash>(SMALL, seed), goal)
                .beats("sbbf-rs-safe", asker::<Sbbf>(SMALL, seed), 1.0)
        });
        area.race(format!("sketch.P6/DRAM/contains-{what}"), move |run| {
            let n = dram(run);
            let race = Race::new(workload(n), batch_asker::<BlockBloom>(n, seed))
                .beats("floor-own-loop", asker::<BlockBloom>(n, seed), 1.3);
            let peer = asker::<Ahash>(n, seed);
            match what {
                "absent" => race.beats("fastbloom-ahash", peer, 2.0),
                _ => race.beside("fastbloom-ahash", peer),
            }
        });
        for (size, n) in [("L2", SMALL), ("L3", LARGE)] {
            area.race(format!("sketch.P7/{size}/contains-{what}"), move |_| {
                Race::new(workload(n), asker::<Bloom>(n, seed))
                    .beats("fastbloom-same-hash", asker::<SameHash>(n, seed), 1.2)
                    .beside("fastbloom-ahash", asker::<Ahash>(n, seed))
            });
        }
    }
    for (size, n) in [("L2", SMALL), ("L3", LARGE)] {
        area.race(format!("sketch.P7/{size}/insert"), move |_| {
            Race::new(workload(n), inserter::<Bloom>(n))
                .beats("fastbloom-same-hash", inserter::<SameHash>(n), 1.2)
                .beside("fastbloom-ahash", inserter::<Ahash>(n))
        });
    }
    area.rows("sketch.P7/fpr", |_| rates());
}

/// A filter as all contenders have it.
trait Set: 'static {
    const NAME: &'static str;
    fn new(n: usize) -> Self;
    fn insert(&mut self, key: u64);
    fn contains(&self, key: u64) -> bool;
}

impl Set for BlockBloom {
    const NAME: &'static str = "archstone-sketch BlockBloom";
    fn new(n: usize) -> Self {
        // 11 bits a key, as the peer is given: 0.8 %.
        Self::with_blocks((n as u64 * 11).div_ceil(256), 0).unwrap()
    }
    #[inline]
    fn insert(&mut self, key: u64) {
        self.insert(&key);
    }
    #[inline]
    fn contains(&self, key: u64) -> bool {
        self.contains(&key)
    }
}

impl Set for Bloom {
    const NAME: &'static str = "archstone-sketch Bloom";
    fn new(n: usize) -> Self {
        Self::new(n as u64, FPR).unwrap()
    }
    #[inline]
    fn insert(&mut self, key: u64) {
        self.insert(&key);
    }
    #[inline]
    fn contains(&self, key: u64) -> bool {
        self.contains(&key)
    }
}

struct Ahash(fastbloom::BloomFilter<ahash::RandomState>);

impl Set for Ahash {
    const NAME: &'static str = "fastbloom + ahash";
    fn new(n: usize) -> Self {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Self(fastbloom::BloomFilter::with_false_pos(FPR).hasher(hasher).expected_items(n))
    }
    #[inline]
    fn insert(&mut self, key: u64) {
        self.0.insert(&key);
    }
    #[inline]
    fn contains(&self, key: u64) -> bool {
        self.0.contains(&key)
    }
}

/// The peer under our hash.
struct SameHash(fastbloom::BloomFilter);

impl Set for SameHash {
    const NAME: &'static str = "fastbloom + XXH3";
    fn new(n: usize) -> Self {
        Self(fastbloom::BloomFilter::with_false_pos(FPR).expected_items(n))
    }
    #[inline]
    fn insert(&mut self, key: u64) {
        self.0.insert_hash(hash_u64(key, 0));
    }
    #[inline]
    fn contains(&self, key: u64) -> bool {
        self.0.contains_hash(hash_u64(key, 0))
    }
}

struct Sbbf(sbbf_rs_safe::Filter);

impl Set for Sbbf {
    const NAME: &'static str = "sbbf-rs-safe + XXH3";
    fn new(n: usize) -> Self {
        Self(sbbf_rs_safe::Filter::new(11, n))
    }
    #[inline]
    fn insert(&mut self, key: u64) {
        self.0.insert_hash(hash_u64(key, 0));
    }
    #[inline]
    fn contains(&self, key: u64) -> bool {
        self.0.contains_hash(hash_u64(key, 0))
    }
}

fn workload(n: usize) -> String {
    format!("{n} u64 keys, 1 %")
}

/// Past every cache; a minute has room for fewer.
fn dram(run: &Run) -> usize {
    if run.quick { 30_000_000 } else { 100_000_000 }
}

fn filled<S: Set>(n: usize) -> S {
    let mut set = S::new(n);
    distinct_keys(1, n).into_iter().for_each(|key| set.insert(key));
    set
}

/// Questions spread over the whole set (seed 1: its own keys), repeated when it is small.
fn questions(n: usize, seed: u64) -> Arc<[u64]> {
    let keys = distinct_keys(seed, n);
    let step = (n / ASKED).max(1);
    keys.iter().step_by(step).copied().cycle().take(ASKED).collect()
}

fn inserter<S: Set>(n: usize) -> Runner {
    let state = (S::new(n), distinct_keys(1, n));
    // Into the same filter again and again: what is timed does not depend on what is set.
    Runner::steady(S::NAME, n, state, |(set, keys)| keys.iter().for_each(|&key| set.insert(key)))
}

fn asker<S: Set>(n: usize, seed: u64) -> Runner {
    let state = (filled::<S>(n), questions(n, seed));
    Runner::steady(S::NAME, ASKED, state, |(set, keys)| {
        keys.iter().filter(|&&key| set.contains(key)).count()
    })
}

fn batch_asker<S: Set + Filter>(n: usize, seed: u64) -> Runner {
    let state = (filled::<S>(n), questions(n, seed), Vec::with_capacity(4096));
    Runner::steady(format!("{} batch", S::NAME), ASKED, state, |(set, keys, found)| {
        let mut hits = 0;
        for keys in keys.chunks(4096) {
            set.contains_all(keys, found);
            hits += found.iter().filter(|&&found| found).count();
        }
        hits
    })
}

/// False "probably" among 4 Mi absent keys.
fn measured<S: Set>(n: usize) -> Side {
    let set = filled::<S>(n);
    let absent = distinct_keys(3, 4 << 20);
    let hits = absent.iter().filter(|&&key| set.contains(key)).count();
    Side::new(S::NAME, hits as f64 / absent.len() as f64)
}

fn rates() -> Vec<Row> {
    let subject = |id: &str, n| Subject::new(id, &workload(n), Unit::Ratio, Better::Lower);
    vec![
        subject("sketch.P7/fpr/fastbloom", LARGE).against(
            measured::<Bloom>(LARGE),
            measured::<SameHash>(LARGE),
            None,
        ),
        subject("sketch.P5/fpr/sbbf-rs-safe", LARGE).against(
            measured::<BlockBloom>(LARGE),
            measured::<Sbbf>(LARGE),
            None,
        ),
    ]
}
