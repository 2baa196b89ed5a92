//! P5 to P8: filters at a rate of 1 %, u64 keys.

use std::sync::Arc;

use archstone_core::hash::hash_u64;
use archstone_sketch::membership::{BinaryFuse, BlockBloom, Bloom, Filter};
use fastbloom::BloomFilter;
use xorf::{BinaryFuse8, Filter as _};

use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::distinct_keys;

const RATE: f64 = 0.01;
/// 1 Mbit at 1 %: inside the second-level cache.
const IN_L2: usize = 100_000;
const IN_DRAM: usize = 100_000_000;
/// Queries a round; those of absent keys have another seed than those of present ones.
const QUERIES: usize = 1 << 20;
const PRESENT: u64 = 1;
const ABSENT: u64 = 2;

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P5/insert", |_| {
        let race = Race::new(L2, inserter::<BlockBloom>(IN_L2));
        race.beats("fastbloom-ahash", inserter::<Fastbloom>(IN_L2), 3.0).beats(
            "sbbf-rs-safe",
            inserter::<Sbbf>(IN_L2),
            1.0,
        )
    });
    for (what, seed, over_fastbloom) in [("present", PRESENT, 3.0), ("absent", ABSENT, 5.0)] {
        area.race(format!("sketch.P5/contains-{what}"), move |_| {
            let keys = keys(seed, IN_L2);
            Race::new(L2, asker::<BlockBloom>(IN_L2, &keys))
                .beats("fastbloom-ahash", asker::<Fastbloom>(IN_L2, &keys), over_fastbloom)
                .beats("sbbf-rs-safe", asker::<Sbbf>(IN_L2, &keys), 1.0)
        });
    }
    area.rows("sketch.P5/quality", |_| block_quality());
    area.race("sketch.P6/contains-absent", in_dram);
    area.race("sketch.P7/insert", |_| {
        let race = Race::new(L2, inserter::<Bloom>(IN_L2));
        race.beats("fastbloom-same-hash", inserter::<FastbloomSameHash>(IN_L2), 1.2)
    });
    for (what, seed) in [("present", PRESENT), ("absent", ABSENT)] {
        area.race(format!("sketch.P7/contains-{what}"), move |_| {
            let keys = keys(seed, IN_L2);
            let race = Race::new(L2, asker::<Bloom>(IN_L2, &keys));
            race.beats("fastbloom-same-hash", asker::<FastbloomSameHash>(IN_L2, &keys), 1.2)
        });
    }
    area.rows("sketch.P7/fpr", |_| [1e-1, 1e-2, 1e-4].map(rate_of_bloom).into());
    area.race("sketch.P8/build", |_| fuse_build());
    for (what, seed) in [("present", PRESENT), ("absent", ABSENT)] {
        area.race(format!("sketch.P8/contains-{what}"), move |_| fuse_contains(seed));
    }
    area.rows("sketch.P8/bits", fuse_bits);
}

const L2: &str = "100 k u64 keys at 1 %: 1 Mbit, in L2";

/// A filter that is filled once and asked many times.
trait Contender: 'static {
    const NAME: &'static str;
    fn new(items: usize) -> Self;
    fn insert(&mut self, key: u64);
    fn contains(&self, key: u64) -> bool;
}

macro_rules! ours {
    ($type:ident, $name:literal) => {
        impl Contender for $type {
            const NAME: &'static str = $name;
            fn new(items: usize) -> Self {
                Self::new(items as u64, RATE).unwrap()
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
    };
}

ours!(BlockBloom, "archstone-sketch BlockBloom");
ours!(Bloom, "archstone-sketch Bloom");

/// With its users' fastest choice of a hasher.
struct Fastbloom(BloomFilter<ahash::RandomState>);

impl Contender for Fastbloom {
    const NAME: &'static str = "fastbloom, ahash";
    fn new(items: usize) -> Self {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Self(BloomFilter::with_false_pos(RATE).hasher(hasher).expected_items(items))
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

/// With our hash, so that only the filters are compared.
struct FastbloomSameHash(BloomFilter);

impl Contender for FastbloomSameHash {
    const NAME: &'static str = "fastbloom, our hash";
    fn new(items: usize) -> Self {
        Self(BloomFilter::with_false_pos(RATE).seed(&1).expected_items(items))
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

/// It takes hashes; it gets ours.
struct Sbbf(sbbf_rs_safe::Filter);

impl Contender for Sbbf {
    const NAME: &'static str = "sbbf-rs-safe, 11 bits a key, our hash";
    fn new(items: usize) -> Self {
        Self(sbbf_rs_safe::Filter::new(11, items))
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

/// `QUERIES` keys out of the first `items` of the seed.
fn keys(seed: u64, items: usize) -> Arc<[u64]> {
    distinct_keys(seed, items).into_iter().cycle().take(QUERIES).collect()
}

fn filled<C: Contender>(items: usize) -> C {
    let mut filter = C::new(items);
    distinct_keys(PRESENT, items).into_iter().for_each(|key| filter.insert(key));
    filter
}

fn inserter<C: Contender>(items: usize) -> Runner {
    let state = (C::new(items), keys(PRESENT, items));
    Runner::steady(C::NAME, QUERIES, state, |(filter, keys)| {
        keys.iter().for_each(|&key| filter.insert(key));
    })
}

fn asker<C: Contender>(items: usize, keys: &Arc<[u64]>) -> Runner {
    let state = (filled::<C>(items), Arc::clone(keys));
    Runner::steady(C::NAME, keys.len(), state, |(filter, keys)| {
        keys.iter().filter(|&&key| filter.contains(key)).count()
    })
}

/// False positives among as many absent keys again, and bits a key.
fn quality_of<C: Contender>() -> (Side, Side) {
    let (filter, used) = memory::used(|| filled::<C>(IN_L2));
    let absent = distinct_keys(ABSENT, 1 << 22);
    let wrong = absent.iter().filter(|&&key| filter.contains(key)).count();
    let rate = wrong as f64 / absent.len() as f64;
    let bits = used.live as f64 * 8.0 / IN_L2 as f64;
    (Side::new(C::NAME, rate), Side::new(C::NAME, bits))
}

fn block_quality() -> Vec<Row> {
    let subject = |id: &str, unit| Subject::new(id, L2, unit, Better::Lower);
    let (our_rate, our_bits) = quality_of::<BlockBloom>();
    // Two per cent for chance: four standard deviations of this many queries.
    let mut rows = vec![subject("sketch.P5/fpr", Unit::Ratio).limit(our_rate.clone(), 1.02 * RATE)];
    for (suffix, (rate, bits)) in
        [("fastbloom-ahash", quality_of::<Fastbloom>()), ("sbbf-rs-safe", quality_of::<Sbbf>())]
    {
        rows.push(
            subject("sketch.P5/fpr", Unit::Ratio).at(suffix).against(our_rate.clone(), rate, None),
        );
        rows.push(subject("sketch.P5/bits-a-key", Unit::Count).at(suffix).against(
            our_bits.clone(),
            bits,
            None,
        ));
    }
    rows
}

/// Batches against the own loop and fastbloom, on a filter larger than the caches. A quick run has
/// time to fill the smaller one only.
fn in_dram(run: &Run) -> Race {
    const BATCHED: &str = "archstone-sketch BlockBloom::contains_all";
    let (items, workload) = if run.quick {
        (IN_DRAM / 2, "50 M u64 keys at 1 %: 63 MiB, in DRAM; absent keys")
    } else {
        (IN_DRAM, "100 M u64 keys at 1 %: 126 MiB, in DRAM; absent keys")
    };
    let absent: Arc<[u64]> = distinct_keys(ABSENT, QUERIES).into();
    let mut filter = BlockBloom::new(items as u64, RATE).unwrap();
    filter.insert_all(&distinct_keys(PRESENT, items));
    let filter = Arc::new(filter);
    let state = (Arc::clone(&filter), Arc::clone(&absent), Vec::new());
    let batched = Runner::steady(BATCHED, QUERIES, state, |(filter, keys, found)| {
        filter.contains_all(keys, found);
        found.iter().filter(|&&found| found).count()
    });
    let state = (filter, Arc::clone(&absent));
    let name = "floor: archstone-sketch BlockBloom, one by one";
    let looped = Runner::steady(name, QUERIES, state, |(filter, keys)| {
        keys.iter().filter(|&key| filter.contains(key)).count()
    });
    Race::new(workload, batched).beats("own-loop", looped, 1.3).beats(
        "fastbloom-ahash",
        asker::<Fastbloom>(items, &absent),
        2.0,
    )
}

/// How many standard deviations the false positives of [`Bloom`] are off the rate that it states.
fn rate_of_bloom(rate: f64) -> Row {
    const ITEMS: usize = 1_000_000;
    let mut bloom = Bloom::new(ITEMS as u64, rate).unwrap();
    bloom.insert_all(&distinct_keys(PRESENT, ITEMS));
    let absent = distinct_keys(ABSENT, 1 << 23);
    let wrong = absent.iter().filter(|&key| bloom.contains(key)).count();
    let (n, stated) = (absent.len() as f64, bloom.fpr());
    let off = (wrong as f64 - n * stated) / (n * stated * (1.0 - stated)).sqrt();
    Subject::new(
        &format!("sketch.P7/fpr-sigma/p={rate}"),
        "1 M keys, 8 Mi absent ones: standard deviations off the stated rate",
        Unit::Count,
        Better::Lower,
    )
    .limit(Side::new("archstone-sketch Bloom", off.abs()), 3.0)
    .note(format!("stated {stated:.6}, measured {:.6}", wrong as f64 / n))
}

const FUSE: usize = 1_000_000;
const OUR_FUSE: &str = "archstone-sketch BinaryFuse<u8>";
const XORF: &str = "xorf BinaryFuse8";

fn fuse_build() -> Race {
    let keys: Arc<[u64]> = distinct_keys(PRESENT, FUSE).into();
    let theirs = Arc::clone(&keys);
    Race::new(
        "1 M u64 keys, a key",
        Runner::fresh(OUR_FUSE, FUSE, || (), move |()| BinaryFuse::<u8>::new(&keys).unwrap()),
    )
    .beats(
        "xorf",
        Runner::fresh(XORF, FUSE, || (), move |()| BinaryFuse8::try_from(&theirs[..]).unwrap()),
        1.3,
    )
}

fn fuse_contains(seed: u64) -> Race {
    let filled = distinct_keys(PRESENT, FUSE);
    let ours = BinaryFuse::<u8>::new(&filled).unwrap();
    let theirs = BinaryFuse8::try_from(&filled).unwrap();
    let keys = keys(seed, FUSE);
    let state = (ours, Arc::clone(&keys));
    let ours = Runner::steady(OUR_FUSE, QUERIES, state, |(filter, keys)| {
        keys.iter().filter(|&key| filter.contains(key)).count()
    });
    let theirs = Runner::steady(XORF, QUERIES, (theirs, keys), |(filter, keys)| {
        keys.iter().filter(|&key| filter.contains(key)).count()
    });
    Race::new("1 M u64 keys, 1.1 MiB", ours).beats("xorf", theirs, 1.0)
}

fn fuse_bits(run: &Run) -> Vec<Row> {
    let items = if run.quick { FUSE } else { 10 * FUSE };
    let keys = distinct_keys(PRESENT, items);
    let bits = |bytes: usize| bytes as f64 * 8.0 / items as f64;
    let ours = Side::new(OUR_FUSE, bits(BinaryFuse::<u8>::new(&keys).unwrap().bytes()));
    let theirs = Side::new(XORF, bits(BinaryFuse8::try_from(&keys).unwrap().len()));
    let workload = format!("{items} u64 keys, bits a key");
    let subject = Subject::new("sketch.P8/bits-a-key", &workload, Unit::Count, Better::Lower);
    // The structure is the same, so equal but for rounding of the segments.
    vec![subject.at("xorf").against(ours, theirs, Some(0.999))]
}
