//! What each policy promises that others do not, on traces made for it. Hits of whole traces are in
//! `golden.rs`, every step of ARC and LIRS in `model.rs`.

mod common;

use archstone_cache::policy::{Adaptive, Arc, Lirs, Lru, S3Fifo, TwoQueue, WTinyLfu};
use archstone_cache::{Builder, Policy, sync, unsync};
use std::hash::{BuildHasherDefault, DefaultHasher};

type Cache<P> = unsync::Cache<u64, (), P>;

fn request<P: Policy>(cache: &mut Cache<P>, key: u64) -> bool {
    let hit = cache.get(&key).is_some();
    if !hit {
        cache.insert(key, ()).ignore();
    }
    hit
}

fn hits<P: Policy>(cache: &mut Cache<P>, keys: impl IntoIterator<Item = u64>) -> usize {
    keys.into_iter().filter(|&key| request(cache, key)).count()
}

/// A loop of twice the capacity, after other traffic that filled the cache with what is used no more.
fn loop_after_other<P: Policy>(rounds: u64) -> f64 {
    let mut cache = Cache::<P>::with_policy(512);
    let mut random = common::Rng(5);
    for _ in 0..60_000 {
        let key = random.below(60) * random.below(60);
        request(&mut cache, key);
    }
    let around = |rounds: u64| (0..rounds).flat_map(|_| 10_000..11_011);
    hits(&mut cache, around(rounds - 10));
    hits(&mut cache, around(10)) as f64 / 10_110.0
}

#[test]
fn the_default_lets_go_of_what_was_popular_when_a_loop_begins() {
    // At most .506 of the requests can be hits.
    let ours = loop_after_other::<Adaptive>(200);
    assert!(ours > 0.4, "{ours}");
    assert!(loop_after_other::<S3Fifo>(200) < 0.1 && loop_after_other::<Lru>(200) == 0.0);
}

#[test]
fn the_default_keeps_a_loop_through_a_scan() {
    let mut cache = Cache::<Adaptive>::with_policy(1000);
    hits(&mut cache, (0..20).flat_map(|_| 0..2000));
    let before = hits(&mut cache, 0..2000);
    hits(&mut cache, 1_000_000..1_010_000);
    let after = hits(&mut cache, 0..2000);
    assert!(before > 850, "{before}");
    assert!(after > before * 6 / 10, "{after} of {before} after a scan of ten capacities");
}

/// The small queue grows where newcomers come back soon after they left it, and only there.
#[test]
fn the_default_gives_recency_more_room_than_a_fixed_small_queue() {
    fn run<P: Policy>() -> usize {
        let mut cache = Cache::<P>::with_policy(1000);
        let mut random = common::Rng(9);
        // Each key is asked for about twice, the second time some 120 new keys later, then never again.
        let keys = (0..60_000_u64).flat_map(|new| {
            let back = new.checked_sub(110 + random.below(30));
            [Some(new), back].into_iter().flatten()
        });
        hits(&mut cache, keys)
    }
    let (ours, fixed) = (run::<Adaptive>(), run::<S3Fifo>());
    assert!(ours > fixed + 20_000, "{ours}, S3-FIFO {fixed}");
}

#[test]
fn two_queue_promotes_only_who_comes_back_after_leaving() {
    let mut cache = Cache::<TwoQueue>::with_policy(8);
    hits(&mut cache, 0..8);
    // Used often, but in the first queue, where use does not count.
    (0..20).for_each(|_| assert!(cache.get(&0).is_some()));
    request(&mut cache, 8);
    assert!(cache.peek(&0).is_none() && cache.peek(&1).is_some());
    // Back among the ghosts: now it stays through a scan.
    request(&mut cache, 0);
    hits(&mut cache, 100..200);
    assert!(cache.peek(&0).is_some());
    // A ghost is one for half a capacity.
    assert!(cache.peek(&100).is_none());
    request(&mut cache, 100);
    hits(&mut cache, 300..320);
    assert!(cache.peek(&100).is_none());
    // In the main queue it is the use that counts.
    let mut cache = Cache::<TwoQueue>::with_policy(8);
    hits(&mut cache, (0..11).chain(0..3));
    assert!((0..3).all(|key| cache.peek(&key).is_some()));
    cache.get(&0);
    hits(&mut cache, 3..7);
    assert!(cache.peek(&0).is_some() && cache.peek(&1).is_none());
}

#[test]
fn arc_learns_which_list_pays() {
    // A scan beside a set that is used often: the set stays.
    let mut cache = Cache::<Arc>::with_policy(100);
    for round in 0..200_u64 {
        hits(&mut cache, (0..60).chain(0..60));
        hits(&mut cache, 1000 + round * 50..1050 + round * 50);
    }
    assert_eq!(hits(&mut cache, 0..60), 60);
}

#[test]
fn lirs_holds_a_loop_that_does_not_fit() {
    let mut cache = Cache::<Lirs>::with_policy(100);
    let all = hits(&mut cache, (0..50).flat_map(|_| 0..200));
    assert!(all > 49 * 97, "{all}");
    // Who has left is remembered as far back as two capacities, those that are there included.
    let mut cache = Cache::<Lirs>::with_policy(100);
    hits(&mut cache, (0..100).chain(1000..1300));
    hits(&mut cache, [1250, 1150]);
    hits(&mut cache, 2000..2010);
    assert!(cache.peek(&1250).is_some() && cache.peek(&1150).is_none());
}

#[test]
fn w_tinylfu_keeps_the_popular_through_a_scan_and_forgets_them_later() {
    let mut cache = Cache::<WTinyLfu>::with_policy(100);
    hits(&mut cache, (0..10).flat_map(|_| 0..60));
    hits(&mut cache, 1000..6000);
    let kept = (0..60).filter(|key| cache.peek(key).is_some()).count();
    assert!(kept >= 55, "{kept} of 60");
    // Others become popular: counts are halved, so they take over.
    hits(&mut cache, (0..200).flat_map(|_| 10_000..10_060));
    let new = (10_000..10_060).filter(|key| cache.peek(key).is_some()).count();
    assert!(new >= 55, "{new} of 60");
}

/// At admission a tie goes to who is there; else the one that was used less leaves, either way.
#[test]
fn w_tinylfu_decides_a_tie_for_the_old_one_and_sends_the_loser_away() {
    type Hashed = BuildHasherDefault<DefaultHasher>;
    let builder = Builder::new(5).policy::<WTinyLfu>().hasher(Hashed::default());
    let mut cache: unsync::Cache<u64, (), WTinyLfu, Hashed> = builder.build().unwrap();
    // The window has room for one: 1 to 4 are in the rest, in this order.
    (1..=5).for_each(|key| cache.insert(key, ()).ignore());
    let held = |cache: &unsync::Cache<u64, (), WTinyLfu, Hashed>| {
        (1..=9).filter(|key| cache.peek(key).is_some()).collect::<Vec<u64>>()
    };
    // 5 against 1, each used once.
    cache.insert(6, ()).ignore();
    assert_eq!(held(&cache), [1, 2, 3, 4, 6]);
    // 6, used twice, against 1: it stays, in the rest.
    cache.get(&6);
    cache.insert(7, ()).ignore();
    assert_eq!(held(&cache), [2, 3, 4, 6, 7]);
    // 7, used once, against 2, used twice by then: the newcomer leaves. (2 is protected meanwhile,
    // so the next of the rest is 3: a tie again.)
    cache.get(&2);
    cache.insert(8, ()).ignore();
    assert_eq!(held(&cache), [2, 3, 4, 6, 8]);
    // 8, used three times, against 3: who was there longest and is used least leaves.
    (0..2).for_each(|_| _ = cache.get(&8));
    cache.insert(9, ()).ignore();
    assert_eq!(held(&cache), [2, 4, 6, 8, 9]);
    cache.validate();
}

/// The very first that leaves is remembered: it comes back to the main queue and outlives a scan.
#[test]
fn ghosts_are_kept_from_the_first_eviction_on() {
    fn check<P: Policy>() {
        let mut cache = Cache::<P>::with_policy(100);
        hits(&mut cache, 0..101);
        let first = (0..100).find(|key| cache.peek(key).is_none()).unwrap();
        request(&mut cache, first);
        hits(&mut cache, 1000..1060);
        assert!(cache.peek(&first).is_some(), "{}", P::NAME);
        cache.validate();
    }
    check::<S3Fifo>();
    check::<Adaptive>();
    check::<TwoQueue>();
    check::<Arc>();
    check::<Lirs>();
}

/// Hash flooding: strangers that collide with what is there would never be let in.
#[test]
fn w_tinylfu_lets_a_warm_loser_in_once_in_a_while() {
    let mut cache = Cache::<WTinyLfu>::with_policy(50);
    // All are as popular as can be counted.
    hits(&mut cache, (0..40).flat_map(|_| 0..50));
    // So are newcomers, who are never more popular: the window alone would hold one of them.
    hits(&mut cache, (0..2000).flat_map(|_| 50..60));
    let new = (50..60).filter(|key| cache.peek(key).is_some()).count();
    assert!(new >= 3, "{new} of 10");
}

/// The same answers from both caches.
#[test]
fn policies_are_the_same_unsync_and_sync() {
    fn check<P: Policy>() {
        let shared: sync::Cache<u64, (), P> =
            Builder::new(300).policy::<P>().shards(1).build_sync().unwrap();
        let mut alone = Cache::<P>::with_policy(300);
        let mut random = common::Rng(11);
        let (mut one, mut other) = (0_i64, 0_i64);
        for _ in 0..30_000 {
            let key = random.below(50) * random.below(50);
            one += i64::from(request(&mut alone, key));
            match shared.get(&key) {
                Some(()) => other += 1,
                None => shared.insert(key, ()).ignore(),
            }
        }
        // Hashes are seeded apart, so ghosts and sketches may differ by a few.
        assert!((one - other).abs() < 150, "{}: {one} {other}", P::NAME);
        shared.validate_alone();
    }
    check::<Adaptive>();
    check::<TwoQueue>();
    check::<Arc>();
    check::<Lirs>();
    check::<WTinyLfu>();
}
