//! What is counted, and what is not.

use archstone_cache::policy::Lru;
use archstone_cache::{Builder, Manual};
use core::time::Duration;
use std::sync::Arc;

/// Sample metrics: an eviction rate of gets, hits over sets. A ratio here is of look-ups, and is not
/// there before the first.
#[test]
fn statistics_count_each_thing_once() {
    let clock = Arc::new(Manual::default());
    let cache = Builder::new(2)
        .shards(1)
        .policy::<Lru>()
        .time_to_live(Duration::from_secs(1))
        .clock(Arc::clone(&clock))
        .stats()
        .build_sync()
        .unwrap();
    assert_eq!(cache.stats().hit_ratio(), None);
    for key in [1, 2, 3, 3] {
        cache.insert(key, key).ignore();
    }
    assert_eq!((cache.get(&3), cache.get(&1)), (Some(3), None));
    cache.remove(&2);
    clock.advance(Duration::from_secs(2));
    assert_eq!(cache.get(&3), None);
    cache.maintain(9);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.insertions), (1, 2, 4));
    assert_eq!((stats.evictions, stats.expirations, stats.replacements), (1, 1, 1));
    assert_eq!((stats.removals, stats.rejections), (1, 0));
    assert_eq!(stats.hit_ratio(), Some(1.0 / 3.0));
}

/// Every verb, and what it adds to which counter: hits, misses, insertions, rejections, evictions,
/// expirations, replacements, removals.
#[test]
fn every_verb_counts_what_it_did_and_nothing_else() {
    macro_rules! check {
        ($cache:ident, $clock:ident) => {
            let mut before = [0_u64; 8];
            let mut adds = |stats: archstone_cache::Stats, expected: [u64; 8], what: &str| {
                let now = [
                    stats.hits,
                    stats.misses,
                    stats.insertions,
                    stats.rejections,
                    stats.evictions,
                    stats.expirations,
                    stats.replacements,
                    stats.removals,
                ];
                let added: Vec<u64> = now.iter().zip(before).map(|(now, was)| now - was).collect();
                assert_eq!(added, expected, "{what}");
                before = now;
            };
            $cache.insert(1, 1).ignore();
            adds($cache.stats(), [0, 0, 1, 0, 0, 0, 0, 0], "a new one");
            $cache.insert(1, 1).ignore();
            adds($cache.stats(), [0, 0, 1, 0, 0, 0, 1, 0], "another value");
            $cache.insert(1, 2).ignore();
            adds($cache.stats(), [0, 0, 1, 0, 0, 0, 1, 0], "a heavier value");
            let _ = $cache.get(&1);
            let _ = ($cache.peek(&1).is_some(), $cache.contains_key(&1));
            adds($cache.stats(), [1, 0, 0, 0, 0, 0, 0, 0], "a hit");
            let _ = $cache.get(&9);
            let _ = ($cache.peek(&9).is_some(), $cache.contains_key(&9));
            adds($cache.stats(), [0, 1, 0, 0, 0, 0, 0, 0], "a miss");
            $cache.insert(2, 9).ignore();
            adds($cache.stats(), [0, 0, 0, 1, 0, 0, 0, 0], "too heavy");
            $cache.insert(1, 9).ignore();
            adds($cache.stats(), [0, 0, 0, 1, 0, 0, 1, 0], "too heavy in another's place");
            $cache.insert(2, 3).ignore();
            adds($cache.stats(), [0, 0, 1, 0, 0, 0, 0, 0], "room again");
            $cache.insert(3, 2).ignore();
            adds($cache.stats(), [0, 0, 1, 0, 1, 0, 0, 0], "one leaves");
            let _ = ($cache.remove(&3), $cache.remove(&3));
            adds($cache.stats(), [0, 0, 0, 0, 0, 0, 0, 1], "removed, once");
            $cache.insert(4, 1).ignore();
            $clock.advance(Duration::from_secs(2));
            let _ = $cache.get(&4);
            let _ = $cache.remove(&4);
            adds($cache.stats(), [0, 1, 1, 0, 0, 1, 0, 0], "expired when removed");
            $cache.insert(5, 1).ignore();
            $clock.advance(Duration::from_secs(2));
            $cache.insert(6, 1).ignore();
            adds($cache.stats(), [0, 0, 2, 0, 0, 1, 0, 0], "found to be expired by an insertion");
            $cache.retain(|_, _| false);
            adds($cache.stats(), [0, 0, 0, 0, 0, 0, 0, 1], "not retained");
            $cache.insert(7, 1).ignore();
            $cache.clear();
            adds($cache.stats(), [0, 0, 1, 0, 0, 0, 0, 1], "cleared");
            $cache.validate();
        };
    }
    let clock = Arc::new(Manual::default());
    let build = || {
        Builder::weighted(4, |_: &u64, weight: &u64| *weight)
            .policy::<Lru>()
            .time_to_live(Duration::from_secs(1))
            .clock(Arc::clone(&clock))
            .shards(1)
            .stats()
    };
    let mut alone = build().build().unwrap();
    check!(alone, clock);
    let shared = build().build_sync().unwrap();
    check!(shared, clock);
    // What is replaced in one step counts as an insertion does; a look that decides is none.
    let before = shared.stats();
    assert!(shared.insert_if_absent(8, 1).is_ok() && shared.insert_if_absent(8, 1).is_err());
    assert!(shared.replace(8, 2).is_ok());
    let after = shared.stats();
    assert_eq!(after.insertions - before.insertions, 2);
    assert_eq!(after.replacements - before.replacements, 1);
    assert_eq!((after.hits, after.misses), (before.hits, before.misses));
}
