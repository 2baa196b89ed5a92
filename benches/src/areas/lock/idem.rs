//! Idempotency: P8.

use std::sync::Arc;
use std::time::Duration;

use archstone_lock::Time;
use archstone_lock::idem::{Begin, Registry};

use super::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::workload;

const KEEP: Duration = Duration::from_secs(86_400);
const TTL: Duration = Duration::from_secs(300);

type Cache = moka::sync::Cache<u64, u64>;

pub(super) fn entries(area: &mut Area) {
    area.race("lock.P8/new", |run| {
        let keys: Arc<[u64]> = workload::distinct_keys(21, if run.quick { 50_000 } else { 200_000 }).into();
        let theirs = keys.clone();
        Race::new("begin and complete, every key new", Runner::fresh(OURS, keys.len(), || Registry::<u64, u64>::new(KEEP), move |registry| {
            for &key in keys.iter() {
                run_once(&registry, key);
            }
            registry
        }))
        .beats("moka", Runner::fresh("moka get_with, new key", theirs.len(), cache, move |cache| {
            for &key in theirs.iter() {
                cache.get_with(key, || key + 1);
            }
            cache
        }), 4.0)
    });
    area.race("lock.P8/replay", |run| {
        let n = if run.quick { 50_000 } else { 200_000 };
        let keys: Arc<[u64]> = workload::distinct_keys(21, n).into();
        let mut rng = workload::Rng::new(22);
        let order: Arc<[u64]> = (0..1 << 16).map(|_| keys[rng.below(n as u64) as usize]).collect();
        let (registry, cache) = (Registry::<u64, u64>::new(KEEP), cache());
        for &key in keys.iter() {
            run_once(&registry, key);
            cache.get_with(key, || key + 1);
        }
        let theirs = order.clone();
        Race::new("the key was completed before", Runner::steady(OURS, order.len(), registry, move |registry| {
            let replayed = order.iter().filter(|key| matches!(registry.begin(Time::from_secs(2), *key, 7, TTL), Begin::Replay(_))).count();
            assert_eq!(replayed, order.len());
        }))
        .beats("moka", Runner::steady("moka get_with, hit", theirs.len(), cache, move |cache| {
            theirs.iter().map(|key| cache.get_with(*key, || unreachable!())).fold(0, u64::wrapping_add)
        }), 4.0)
    });
}

fn cache() -> Cache {
    moka::sync::Cache::builder().max_capacity(10_000_000).time_to_live(KEEP).build()
}

fn run_once(registry: &Registry<u64, u64>, key: u64) {
    let now = Time::from_secs(1);
    let Begin::Run(run) = registry.begin(now, &key, 7, TTL) else { unreachable!("the key is new") };
    assert!(registry.complete(now, run, key.wrapping_add(1)).is_ok());
}
