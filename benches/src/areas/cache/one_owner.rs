//! P1: hits of an LRU. P2: a mix of hits and insertions, and who evicts better.

use std::sync::Arc;

use archstone_cache::policy::{S3Fifo, Sieve};

use super::peers::{Floor, Hashlink, LruCrate, One, Ours, OursLru, QuickUnsync, Schnellru};
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::workload::{Rng, distinct_keys, zipf_keys};

const LOOKS: usize = 1 << 18;
const MIX: usize = 1 << 19;

pub(super) fn entries(area: &mut Area) {
    for (name, n) in [("1K", 1_000), ("100K", 100_000), ("1M", 1_000_000)] {
        area.race(format!("cache.P1/hit/n={name}"), move |_| {
            let keys: Arc<[u64]> = distinct_keys(1, n).into();
            let looks = looks(&keys);
            let race = Race::new(
                format!("{LOOKS} hits of {n} entries, uniform"),
                hits::<OursLru>(&keys, &looks),
            );
            let (schnellru, hashlink, lru, floor) = (
                hits::<Schnellru>(&keys, &looks),
                hits::<Hashlink>(&keys, &looks),
                hits::<LruCrate>(&keys, &looks),
                hits::<Floor>(&keys, &looks),
            );
            match name {
                "1M" => race
                    .beats("schnellru", schnellru, 1.15)
                    .beats("hashlink", hashlink, 1.6)
                    .beats("lru", lru, 2.0)
                    .beside("hashbrown", floor),
                "1K" => race
                    .beside("schnellru", schnellru)
                    .beside("hashlink", hashlink)
                    .beside("lru", lru)
                    .at_most(1.3, "hashbrown", floor),
                _ => race
                    .beside("schnellru", schnellru)
                    .beside("hashlink", hashlink)
                    .beside("lru", lru)
                    .beside("hashbrown", floor),
            }
        });
    }
    area.race("cache.P2/mix/LRU", |_| {
        let keys = mix_keys();
        Race::new(WORKLOAD, mix::<OursLru>(&keys))
            .beats("schnellru", mix::<Schnellru>(&keys), 1.1)
            .beats("lru", mix::<LruCrate>(&keys), 1.5)
            .beside("hashlink", mix::<Hashlink>(&keys))
    });
    area.race("cache.P2/mix/SIEVE", |_| {
        let keys = mix_keys();
        Race::new(WORKLOAD, mix::<Ours<Sieve>>(&keys)).beats(
            "quick_cache",
            mix::<QuickUnsync>(&keys),
            1.8,
        )
    });
    area.race("cache.P2/mix/S3-FIFO", |_| {
        let keys = mix_keys();
        Race::new(WORKLOAD, mix::<Ours<S3Fifo>>(&keys)).beats(
            "quick_cache",
            mix::<QuickUnsync>(&keys),
            1.8,
        )
    });
}

const WORKLOAD: &str = "get, put on a miss: Zipf 0.99 over 1 M keys, capacity 100 K";

/// Indices are drawn, not keys, so that every look is a hit.
pub(super) fn looks(keys: &[u64]) -> Arc<[u64]> {
    let mut rng = Rng::new(2);
    (0..LOOKS).map(|_| keys[rng.below(keys.len() as u64) as usize]).collect()
}

fn hits<C: One>(keys: &[u64], looks: &Arc<[u64]>) -> Runner {
    let mut cache = C::new(keys.len() + keys.len() / 4);
    keys.iter().for_each(|&key| cache.keep(key, key));
    let looks = Arc::clone(looks);
    Runner::steady(C::NAME, looks.len(), cache, move |cache| {
        looks.iter().fold(0_u64, |sum, &key| sum.wrapping_add(cache.look(key).expect("a hit")))
    })
}

pub(super) fn mix_keys() -> Arc<[u64]> {
    zipf_keys(3, 0.99, 1_000_000, 5 * MIX).into()
}

/// Two fifths warm it up, the rest is replayed for ever, a fifth a round.
fn mix<C: One>(keys: &Arc<[u64]>) -> Runner {
    let mut cache = C::new(100_000);
    let run = |cache: &mut C, keys: &[u64]| {
        let mut hits = 0_u64;
        for &key in keys {
            match cache.look(key) {
                Some(_) => hits += 1,
                None => cache.keep(key, key),
            }
        }
        hits
    };
    run(&mut cache, &keys[..2 * MIX]);
    let (keys, mut part) = (Arc::clone(keys), 0);
    Runner::steady(C::NAME, MIX, cache, move |cache| {
        part = (part + 1) % 5;
        run(cache, &keys[part * MIX..(part + 1) * MIX])
    })
}
