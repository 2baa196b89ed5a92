//! The stable hash beside the two published candidates. For information: no goal was set, but
//! `crates/core/DESIGN.md` rests its choice on these rows.

use std::ops::Range;
use std::sync::Arc;

use super::Area;
use crate::measure::{Race, Runner};
use crate::workload::Rng;

pub(super) fn area() -> Area {
    let mut area = Area::new("core", &["rapidhash", "xxhash-rust"]);
    area.race("core.hash/u64", |_| words("u64, independent", independent));
    area.race("core.hash/u64-dependent", |_| words("u64, each the hash of the last", dependent));
    for (id, lengths) in [
        ("core.hash/8", 8..9),
        ("core.hash/1..=8", 1..9),
        ("core.hash/5..=16", 5..17),
        ("core.hash/8..=40", 8..41),
        ("core.hash/40..=100", 40..101),
        ("core.hash/140..=240", 140..241),
        ("core.hash/4000", 4000..4001),
    ] {
        area.race(id, move |_| strings(lengths.clone()));
    }
    area
}

/// A seeded 64-bit hash.
trait Contender: Copy + 'static {
    const NAME: &'static str;
    fn new(seed: u64) -> Self;
    fn bytes(&self, bytes: &[u8]) -> u64;
    fn word(&self, word: u64) -> u64;
}

#[derive(Clone, Copy)]
struct Ours(u64);

impl Contender for Ours {
    const NAME: &'static str = "archstone-core";
    fn new(seed: u64) -> Self {
        Self(seed)
    }
    #[inline]
    fn bytes(&self, bytes: &[u8]) -> u64 {
        archstone_core::hash::hash(bytes, self.0)
    }
    #[inline]
    fn word(&self, word: u64) -> u64 {
        archstone_core::hash::hash_u64(word, self.0)
    }
}

#[derive(Clone, Copy)]
struct XxhashRust(u64);

impl Contender for XxhashRust {
    const NAME: &'static str = "xxhash-rust xxh3_64";
    fn new(seed: u64) -> Self {
        Self(seed)
    }
    #[inline]
    fn bytes(&self, bytes: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0)
    }
    #[inline]
    fn word(&self, word: u64) -> u64 {
        self.bytes(&word.to_le_bytes())
    }
}

#[derive(Clone, Copy)]
struct Rapidhash(rapidhash::v3::RapidSecrets);

impl Contender for Rapidhash {
    const NAME: &'static str = "rapidhash v3";
    fn new(seed: u64) -> Self {
        Self(rapidhash::v3::RapidSecrets::seed(seed))
    }
    #[inline]
    fn bytes(&self, bytes: &[u8]) -> u64 {
        rapidhash::v3::rapidhash_v3_seeded(bytes, &self.0)
    }
    #[inline]
    fn word(&self, word: u64) -> u64 {
        self.bytes(&word.to_le_bytes())
    }
}

const SEED: u64 = 0x5EED;
/// In the first-level cache, so that the hash is measured and not the memory.
const WORDS: usize = 2048;
const REPEATS: usize = 1024;

type WordLoop = fn(&dyn Words, &[u64]) -> u64;

/// The loops over words of one contender, behind one call a round.
trait Words {
    fn independent(&self, keys: &[u64]) -> u64;
    fn dependent(&self, keys: &[u64]) -> u64;
}

impl<C: Contender> Words for C {
    fn independent(&self, keys: &[u64]) -> u64 {
        (0..REPEATS).fold(0, |sum, repeat| {
            keys.iter().fold(sum, |sum, key| sum ^ self.word(key ^ repeat as u64))
        })
    }
    fn dependent(&self, keys: &[u64]) -> u64 {
        (0..REPEATS).fold(0, |last, _| keys.iter().fold(last, |last, key| self.word(last ^ key)))
    }
}

fn independent(hash: &dyn Words, keys: &[u64]) -> u64 {
    hash.independent(keys)
}

fn dependent(hash: &dyn Words, keys: &[u64]) -> u64 {
    hash.dependent(keys)
}

fn words(workload: &str, pass: WordLoop) -> Race {
    let mut rng = Rng::new(1);
    let keys: Arc<[u64]> = (0..WORDS).map(|_| rng.next_u64()).collect();
    fn runner<C: Contender>(keys: &Arc<[u64]>, pass: WordLoop) -> Runner {
        let state = (C::new(SEED), Arc::clone(keys));
        Runner::steady(C::NAME, WORDS * REPEATS, state, move |(hash, keys)| pass(hash, keys))
    }
    Race::new(workload, runner::<Ours>(&keys, pass))
        .beside("xxhash-rust", runner::<XxhashRust>(&keys, pass))
        .beside("rapidhash", runner::<Rapidhash>(&keys, pass))
}

/// Keys cut out of 64 KiB, lengths drawn uniformly: enough of them that no branch predictor learns
/// the sequence, and all of it in the second-level cache.
fn strings(lengths: Range<u64>) -> Race {
    let workload = match lengths.end - 1 {
        last if last == lengths.start => format!("keys of {last} bytes"),
        last => format!("keys of {} to {last} bytes, mixed", lengths.start),
    };
    let mut rng = Rng::new(2);
    let text: Arc<[u8]> = (0..1 << 16).map(|_| rng.next_u64() as u8).collect();
    let keys: Arc<[(u32, u32)]> = (0..1 << 16)
        .map(|_| {
            let len = rng.within(lengths.clone());
            let at = rng.below(text.len() as u64 - len);
            (at as u32, (at + len) as u32)
        })
        .collect();
    let repeats = if lengths.start < 100 { 16 } else { 1 };
    fn runner<C: Contender>(
        text: &Arc<[u8]>,
        keys: &Arc<[(u32, u32)]>,
        repeats: usize,
    ) -> Runner {
        let state = (C::new(SEED), Arc::clone(text), Arc::clone(keys));
        Runner::steady(C::NAME, keys.len() * repeats, state, move |(hash, text, keys)| {
            (0..repeats).fold(0, |sum, _| {
                keys.iter().fold(sum, |sum, &(from, to)| {
                    sum ^ hash.bytes(&text[from as usize..to as usize])
                })
            })
        })
    }
    Race::new(workload, runner::<Ours>(&text, &keys, repeats))
        .beside("xxhash-rust", runner::<XxhashRust>(&text, &keys, repeats))
        .beside("rapidhash", runner::<Rapidhash>(&text, &keys, repeats))
}
