//! Heap bytes: what a cache says of itself, and that they do not grow.

mod common;

use archstone_cache::policy::{
    self, Adaptive, Clock, Fifo, Lfu, Lirs, Lru, S3Fifo, Sieve, TwoQueue, WTinyLfu,
};
use archstone_cache::{Builder, Manual, Policy, Time, unsync};
use core::time::Duration;
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

#[test]
fn heap_bytes_are_what_the_allocator_saw() {
    fn check<P: Policy>(ttl: bool) {
        let (cache, used) = measure(|| {
            let mut builder = Builder::new(10_000).policy::<P>().clock(Manual::default());
            if ttl {
                builder = builder.time_to_idle(Duration::from_secs(1));
            }
            let mut cache = builder.build().unwrap();
            (0..30_000_u64).for_each(|key| cache.insert(key, key).ignore());
            cache
        });
        let (said, seen) = (cache.heap_bytes() as i64, used.live);
        assert!((seen - said).abs() < 600, "{} {ttl}: {said} said, {seen} seen", P::NAME);
    }
    for ttl in [false, true] {
        check::<Lru>(ttl);
        check::<Lfu>(ttl);
        check::<Fifo>(ttl);
        check::<Clock>(ttl);
        check::<Sieve>(ttl);
        check::<S3Fifo>(ttl);
        check::<Adaptive>(ttl);
        check::<TwoQueue>(ttl);
        check::<policy::Arc>(ttl);
        check::<Lirs>(ttl);
        check::<WTinyLfu>(ttl);
    }
}

/// moka #590: keys used again under pressure of writes; LFU's empty groups; ghosts; the wheel.
#[test]
fn bytes_do_not_grow_under_keys_that_come_again() {
    fn check<P: Policy>() {
        let mut cache = Builder::new(500)
            .policy::<P>()
            .time_to_live(Duration::from_secs(1))
            .clock(Manual::default())
            .build()
            .unwrap();
        let mut random = common::Rng(7);
        let mut churn = |cache: &mut unsync::Cache<u64, u64, P>, steps: u64| {
            for step in 0..steps {
                let key = random.below(3000);
                let now = Time::from_millis(step);
                if cache.get_at(&key, now).is_none() {
                    cache.insert_at(key, key, now).ignore();
                }
                if random.below(10) == 0 {
                    cache.remove(&random.below(3000));
                }
            }
        };
        churn(&mut cache, 20_000);
        let before = cache.heap_bytes();
        let ((), used) = measure(|| churn(&mut cache, 300_000));
        // LFU has a group of 24 bytes for each count that occurs, at most one an entry.
        let groups = if P::NAME == "LFU" { 2 * 1000 * 24 } else { 0 };
        let grown = cache.heap_bytes() - before;
        assert!(grown <= groups && used.live <= groups as i64, "{}: {grown}, {used:?}", P::NAME);
        cache.validate();
    }
    check::<Lru>();
    check::<Lfu>();
    check::<Clock>();
    check::<Sieve>();
    check::<S3Fifo>();
    check::<Adaptive>();
    check::<TwoQueue>();
    check::<policy::Arc>();
    check::<Lirs>();
    check::<WTinyLfu>();
}
