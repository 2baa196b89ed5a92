//! Extreme arguments, clocks that jump, code of the user's that panics, hashes that collide, and the
//! faults of the usual sample code.

mod common;

use archstone_cache::policy::{
    self, Adaptive, Clock, Fifo, Lfu, Lirs, Lru, S3Fifo, Sieve, Slots, TwoQueue, WTinyLfu,
};
use archstone_cache::{
    BuildError, Builder, Cause, Insert, Manual, Policy, Reject, Time, sync, unsync,
};
use core::time::Duration;
use std::cell::Cell;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

#[test]
fn a_capacity_of_nothing_refuses_and_gives_back() {
    // foyer-memory and TinyUFO keep an entry at a capacity of zero.
    let refused = Insert::Rejected { key: 1, value: "a", why: Reject::ZeroCapacity };
    let mut one = unsync::Cache::new(0);
    assert_eq!(one.insert(1, "a"), refused);
    let many = sync::Cache::new(0);
    assert_eq!(many.insert(1, "a"), refused);
    assert_eq!((one.len(), many.len()), (0, 0));
    assert_eq!(one.get(&1), None);
    many.validate_alone();
}

#[test]
fn a_capacity_without_end_takes_what_comes() {
    let mut cache = unsync::Cache::<u32, u32>::new(usize::MAX);
    (0..10_000).for_each(|key| cache.insert(key, key).ignore());
    assert_eq!(cache.len(), 10_000);
    let cache = sync::Cache::<u32, u32>::new(usize::MAX);
    (0..10_000).for_each(|key| cache.insert(key, key).ignore());
    assert_eq!(cache.len(), 10_000);
    let limit = u32::MAX as usize - 4096;
    let built = Builder::<u8, u8>::new(limit + 1).build();
    assert_eq!(built.err(), Some(BuildError::TooLarge { capacity: limit + 1, limit }));
}

#[test]
fn weights_of_zero_of_everything_and_of_more() {
    let build = || Builder::weighted(100, |_: &u8, &weight: &u64| weight).policy::<Lru>();
    let check = |insert: &mut dyn FnMut(u8, u64) -> Insert<u8, u64>, used: &dyn Fn() -> u64| {
        assert!(insert(1, 0).is_held() && insert(2, 100).is_held());
        let why = Reject::TooHeavy { weight: u64::MAX, limit: 100 };
        assert_eq!(insert(3, u64::MAX), Insert::Rejected { key: 3, value: u64::MAX, why });
        assert!(insert(3, 60).is_held() && used() == 60);
        assert!(!insert(4, u64::MAX - 1).is_held());
        assert_eq!(used(), 60);
    };
    let mut one = build().build().unwrap();
    let cell = std::cell::RefCell::new(&mut one);
    check(&mut |k, v| cell.borrow_mut().insert(k, v), &|| cell.borrow().weight());
    one.validate();
    // More than the share of a shard must fit, too (quick_cache refuses it).
    let many = build().shards(8).build_sync().unwrap();
    check(&mut |k, v| many.insert(k, v), &|| many.weight());
    many.validate_alone();
    let huge = Builder::weighted(u64::MAX, |_: &u8, &weight: &u64| weight).build().unwrap();
    let mut huge = huge;
    assert!(huge.insert(1, u64::MAX).is_held() && huge.insert(2, u64::MAX).is_held());
    assert_eq!((huge.len(), huge.weight()), (1, u64::MAX));
}

#[test]
fn a_value_refused_leaves_no_stale_one_behind() {
    let left = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&left);
    let mut cache = Builder::weighted(10, |_: &u8, &weight: &u64| weight)
        .on_removal(move |&key, &value, cause| heard.lock().unwrap().push((key, value, cause)))
        .build()
        .unwrap();
    cache.insert(1, 5).ignore();
    assert!(!cache.insert(1, 11).is_held());
    assert_eq!(cache.get(&1), None);
    assert_eq!(*left.lock().unwrap(), [(1, 5, Cause::Replaced)]);
}

#[test]
fn nothing_leaves_for_a_newcomer_when_all_is_pinned() {
    let cache = Builder::new(2).shards(2).build_sync().unwrap();
    for key in [1, 2] {
        cache.insert(key, key).ignore();
        assert!(cache.pin(&key));
    }
    assert_eq!(cache.insert(3, 3), Insert::Rejected { key: 3, value: 3, why: Reject::Pinned });
    // A replacement needs no room, also by the short way.
    assert_eq!(cache.insert(2, 4), Insert::Replaced(2));
    cache.validate_alone();
    cache.unpin(&1);
    assert!(cache.insert(3, 3).is_held() && cache.get(&1).is_none() && cache.len() == 2);
    cache.resize(0);
    assert_eq!((cache.len(), cache.capacity()), (1, 1), "the pinned one stays and is counted");
    cache.validate_alone();
}

#[test]
fn lifetimes_of_nothing_of_a_nanosecond_and_for_ever() {
    for (lives, at, there) in [
        (Duration::ZERO, 0, false),
        (Duration::from_nanos(1), 0, true),
        (Duration::from_nanos(1), 1, false),
        (Duration::MAX, u64::MAX - 1, true),
    ] {
        let clock = Arc::new(Manual::default());
        let mut one =
            Builder::new(9).time_to_live(lives).clock(Arc::clone(&clock)).build().unwrap();
        let many = Builder::new(9)
            .time_to_live(lives)
            .clock(Arc::clone(&clock))
            .lock_free()
            .build_sync()
            .unwrap();
        one.insert(1, 1).ignore();
        many.insert(1, 1).ignore();
        clock.set(Time::from_nanos(at));
        assert_eq!((one.get(&1).is_some(), many.get(&1).is_some()), (there, there), "{lives:?}");
    }
    assert_eq!(
        Builder::<u8, u8>::new(1).jitter(1.5).build().err(),
        Some(BuildError::Jitter { fraction: 1.5 })
    );
    assert!(Builder::<u8, u8>::new(1).jitter(f64::NAN).build().is_err());
}

#[test]
fn a_clock_that_steps_back_or_a_year_ahead() {
    let clock = Arc::new(Manual::new(Time::from_secs(100)));
    let mut cache = Builder::new(9)
        .time_to_live(Duration::from_secs(10))
        .clock(Arc::clone(&clock))
        .build()
        .unwrap();
    cache.insert("a", 1).ignore();
    clock.set(Time::from_secs(5));
    assert_eq!(cache.get("a"), Some(&1));
    cache.insert("b", 2).ignore(); // expires at 15, as its clock has it
    cache.validate();
    clock.advance(Duration::from_secs(365 * 86_400));
    assert_eq!(cache.maintain(usize::MAX), 2);
    assert!(cache.is_empty() && cache.next_deadline().is_none());
    clock.set(Time::MAX);
    cache.insert("c", 3).ignore();
    cache.maintain(usize::MAX);
    cache.validate();
}

#[test]
fn an_update_at_the_instant_of_expiry_is_not_lost() {
    // caffeine #30, and lifetimes that change between create and update (#298, moka #565).
    let clock = Arc::new(Manual::default());
    let mut cache = Builder::new(9)
        .expiry(|_: &u8, &secs: &u64| (secs > 0).then(|| Duration::from_secs(secs)))
        .clock(Arc::clone(&clock))
        .build()
        .unwrap();
    cache.insert(1, 10).ignore();
    clock.set(Time::from_secs(10));
    assert_eq!(cache.insert(1, 20), Insert::New);
    assert_eq!(cache.get(&1), Some(&20));
    assert_eq!(cache.insert(1, 0), Insert::Replaced(20));
    assert_eq!(cache.deadline(&1), Some(Time::MAX));
    clock.set(Time::from_secs(1 << 30));
    assert_eq!((cache.maintain(99), cache.get(&1)), (0, Some(&0)));
    cache.validate();
}

#[test]
fn jitter_spreads_what_was_inserted_together() {
    let mut cache = Builder::new(1000)
        .time_to_live(Duration::from_secs(100))
        .jitter(0.2)
        .clock(Manual::default())
        .build()
        .unwrap();
    (0..1000).for_each(|key| cache.insert(key, ()).ignore());
    let ends: Vec<u64> = (0..1000).map(|key| cache.deadline(&key).unwrap().as_millis()).collect();
    assert!(ends.iter().all(|end| (80_000..=100_000).contains(end)));
    let mean = ends.iter().sum::<u64>() / 1000;
    assert!((89_000..91_000).contains(&mean), "{mean}");
}

thread_local! {
    /// Calls of code of the user's until one panics.
    static FUSE: Cell<i64> = const { Cell::new(-1) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

fn burn() {
    FUSE.set(FUSE.get() - 1);
    assert!(FUSE.get() != 0, "burnt");
}

/// A key or value of which every use may panic.
struct Fragile(u64);

impl Fragile {
    fn new(n: u64) -> Self {
        LIVE.set(LIVE.get() + 1);
        Self(n)
    }
}
impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        self.0.hash(state);
    }
}
impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        burn();
        self.0 == other.0
    }
}
impl Eq for Fragile {}
impl Clone for Fragile {
    fn clone(&self) -> Self {
        burn();
        Self::new(self.0)
    }
}
impl Drop for Fragile {
    fn drop(&mut self) {
        LIVE.set(LIVE.get() - 1);
        if !std::thread::panicking() {
            burn();
        }
    }
}

/// Thousands of panics that are meant need no message.
fn quiet_about_fuses() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>().is_none_or(|text| *text != "burnt") {
                usual(info);
            }
        }));
    });
}

/// Every call of `Hash`, `Eq`, `Clone`, `Drop`, weigher, expiry and listener panics once, the
/// structure is whole after each, and nothing is dropped twice.
fn panics_everywhere<P: Policy>() {
    quiet_about_fuses();
    {
        for fuse in 1..400 {
            LIVE.set(0);
            let clock = Arc::new(Manual::default());
            let builder = || {
                Builder::weighted(9, |_: &Fragile, value: &Fragile| {
                    burn();
                    value.0 % 4
                })
                .policy::<P>()
                .expiry(|_, value| {
                    burn();
                    Some(Duration::from_secs(value.0))
                })
                .on_removal(|_, _, _| burn())
                .clock(Arc::clone(&clock))
            };
            let mut one = builder().build().unwrap();
            let many = builder().shards(2).build_sync().unwrap();
            FUSE.set(fuse);
            let mut random = common::Rng(fuse as u64);
            for _ in 0..40 {
                let (key, value) = (random.below(8), random.below(100));
                let verb = random.below(7);
                let one_ref = AssertUnwindSafe(&mut one);
                let _ = catch_unwind(move || {
                    let one = one_ref;
                    let one = one.0;
                    match verb {
                        0 | 1 => one.insert(Fragile::new(key), Fragile::new(value)).ignore(),
                        2 => drop(one.get(&Fragile::new(key)).map(|value| value.0)),
                        3 => drop(one.remove(&Fragile::new(key))),
                        4 => one.retain(|key, _| {
                            burn();
                            key.0 % 3 > 0
                        }),
                        5 => drop(one.reweigh(&Fragile::new(key))),
                        _ => drop(one.maintain(2)),
                    }
                });
                let many_ref = AssertUnwindSafe(&many);
                let _ = catch_unwind(move || {
                    let many = many_ref;
                    let many = many.0;
                    match verb {
                        0 | 1 => many.insert(Fragile::new(key), Fragile::new(value)).ignore(),
                        2 => drop(many.get(&Fragile::new(key))),
                        3 => drop(many.remove(&Fragile::new(key))),
                        4 => many.clear(),
                        5 => drop(many.reweigh(&Fragile::new(key))),
                        _ => drop(many.maintain(2)),
                    }
                });
                clock.advance(Duration::from_secs(3));
                one.validate();
                many.validate_alone();
            }
            FUSE.set(-1);
            drop((one, many));
            // What a panic interrupted may have been leaked, never dropped twice.
            assert!(LIVE.get() >= 0, "dropped twice");
        }
    }
}

#[test]
fn a_panic_in_code_of_the_users_leaves_a_whole_structure() {
    panics_everywhere::<Lru>();
    panics_everywhere::<Lfu>();
    panics_everywhere::<S3Fifo>();
    panics_everywhere::<Adaptive>();
    panics_everywhere::<TwoQueue>();
    panics_everywhere::<policy::Arc>();
    panics_everywhere::<Lirs>();
    panics_everywhere::<WTinyLfu>();
}

/// A policy that always names one slot, whatever is in it.
struct Liar {
    truth: Lru,
    lie: u32,
}

/// What the next one names.
static LIE: AtomicUsize = AtomicUsize::new(0);

impl Policy for Liar {
    const NAME: &'static str = "liar";
    const SHARED_HIT: bool = false;
    type View = ();
    fn new(limit: u64) -> Self {
        Self { truth: Lru::new(limit), lie: LIE.load(Relaxed) as u32 }
    }
    fn reserve(&mut self, slots: usize) {
        self.truth.reserve(slots);
    }
    fn set_limit(&mut self, _: u64) {}
    fn insert(&mut self, slot: u32, slots: &Slots) {
        self.truth.insert(slot, slots);
    }
    fn hit(&mut self, slot: u32, slots: &Slots) {
        self.truth.hit(slot, slots);
    }
    fn view(&self) {}
    fn touch((): &(), _: u32) {}
    fn evict(&mut self, _: &Slots) -> Option<u32> {
        Some(self.lie)
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        self.truth.remove(slot, slots);
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        self.truth.for_each(each);
    }
    fn clear(&mut self) {
        self.truth.clear();
    }
    fn bytes(&self) -> usize {
        self.truth.bytes()
    }
}

#[test]
fn a_policy_that_names_what_is_not_there_gets_a_refusal_not_a_panic() {
    // Slots are given in order, so key 3 is in slot 3.
    for lie in [3, 100, u32::MAX as usize] {
        for heard in [false, true] {
            LIE.store(lie, Relaxed);
            let builder = Builder::<u64, u64>::new(8).policy::<Liar>();
            let mut cache =
                if heard { builder.on_removal(|_, _, _| ()) } else { builder }.build().unwrap();
            (0..8).for_each(|key| cache.insert(key, key).ignore());
            assert!(cache.pin(&3));
            for key in 10..20 {
                let refused = Insert::Rejected { key, value: key, why: Reject::BrokenPolicy };
                assert_eq!(cache.insert(key, key), refused);
                cache.validate();
            }
            assert_eq!((cache.pop(), cache.len()), (None, 8));
            assert_eq!(cache.get(&3), Some(&3));
        }
        // The way of threads, which stays the short one when something is pinned.
        LIE.store(lie, Relaxed);
        let cache = Builder::<u64, u64>::new(8).policy::<Liar>().shards(1).build_sync().unwrap();
        (0..8).for_each(|key| cache.insert(key, key).ignore());
        assert!(cache.pin(&3));
        for key in 10..20 {
            let refused = Insert::Rejected { key, value: key, why: Reject::BrokenPolicy };
            assert_eq!(cache.insert(key, key), refused);
            assert_eq!(cache.insert_if_absent(key, key), Ok(refused));
            cache.validate_alone();
        }
        assert_eq!((cache.get(&3), cache.len()), (Some(3), 8));
    }
}

/// All keys have one hash.
#[derive(Default)]
struct Flood;
impl Hasher for Flood {
    fn write(&mut self, _: &[u8]) {}
    fn finish(&self) -> u64 {
        0x1234_5678_9abc_def0
    }
}

/// What was missed is kept in mind for the insertion that follows: a key whose hash looks the same must
/// not be taken for it.
#[test]
fn a_miss_says_nothing_of_another_key_of_its_hash() {
    let hasher = BuildHasherDefault::<Flood>::default();
    let mut cache = Builder::<u64, u64>::new(9).policy::<Lru>().hasher(hasher).build().unwrap();
    cache.insert(1, 1).ignore();
    assert_eq!(cache.get(&2), None);
    cache.validate();
    assert_eq!(cache.insert(1, 9), Insert::Replaced(1));
    assert_eq!(cache.get(&2), None);
    assert_eq!(cache.insert(2, 2), Insert::New);
    assert_eq!(
        (cache.len(), cache.get(&1).copied(), cache.get(&2).copied()),
        (2, Some(9), Some(2))
    );
    cache.validate();
}

/// A capacity that was lowered is reached by insertions too, two entries each.
#[test]
fn insertions_bring_a_lowered_capacity_about() {
    let shared = sync::Cache::<u64, u64>::new(3000);
    let mut alone = unsync::Cache::<u64, u64>::new(3000);
    for key in 0..3000 {
        shared.insert(key, key).ignore();
        alone.insert(key, key).ignore();
    }
    shared.resize(10);
    alone.resize(10);
    for key in 10_000..12_000 {
        shared.insert(key, key).ignore();
        alone.insert(key, key).ignore();
    }
    assert_eq!((shared.capacity(), alone.capacity()), (10, 10));
    assert!(shared.len() <= 10 && alone.len() <= 10);
    shared.validate_alone();
    alone.validate();
    // What weighs nothing does not get into nothing.
    let mut none = Builder::weighted(0, |_: &u64, _: &u64| 0).build().unwrap();
    let refused = Insert::Rejected { key: 1, value: 1, why: Reject::ZeroCapacity };
    assert_eq!((none.insert(1, 1), none.len()), (refused, 0));
}

#[test]
fn a_flood_of_one_hash_is_slow_but_right() {
    let mut cache = Builder::new(300)
        .policy::<Lru>()
        .hasher(BuildHasherDefault::<Flood>::default())
        .build()
        .unwrap();
    for key in 0..1000_u64 {
        cache.insert(key, key).ignore();
        assert_eq!(cache.get(&key), Some(&key));
    }
    cache.validate();
    assert_eq!(cache.len(), 300);
    assert!((700..1000).all(|key| cache.get(&key) == Some(&key)) && cache.get(&699).is_none());
    let shared = Builder::new(300)
        .hasher(BuildHasherDefault::<Flood>::default())
        .shards(4)
        .lock_free()
        .build_sync()
        .unwrap();
    (0..1000_u64).for_each(|key| shared.insert(key, key).ignore());
    // One shard gets all; it is sized for a fair share and six standard deviations.
    assert!(shared.len() >= 75 && shared.len() <= 300, "{}", shared.len());
    shared.validate_alone();
}

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

/// The sample `LRUCache`: the size is capacity + 1 between insertion and removal.
#[test]
fn at_no_instant_is_more_held_than_the_capacity() {
    let held = Arc::new(AtomicUsize::new(0));
    struct Held(Arc<AtomicUsize>, usize);
    impl Held {
        fn new(held: &Arc<AtomicUsize>, limit: usize) -> Self {
            // The value in the caller's hand is one more.
            assert!(held.fetch_add(1, Relaxed) <= limit);
            Self(Arc::clone(held), limit)
        }
    }
    impl Drop for Held {
        fn drop(&mut self) {
            assert!(self.0.fetch_sub(1, Relaxed) <= self.1 + 1);
        }
    }
    let mut cache = unsync::Cache::with_policy(10) as unsync::Cache<u64, Held, Lru>;
    for key in 0..1000 {
        cache.insert(key, Held::new(&held, 10)).ignore();
        assert!(cache.len() <= 10);
    }
}

/// The sample `LFUCache`: counts overflow, and a missing lowest bucket silently evicts nothing.
#[test]
fn lfu_evicts_whatever_the_counts_are() {
    let mut cache = unsync::Cache::<u64, u64, Lfu>::with_policy(3);
    for key in [1, 2, 3] {
        cache.insert(key, key).ignore();
        (0..1000 * key).for_each(|_| assert!(cache.get(&key).is_some()));
    }
    // Every low count is gone; the least used leaves all the same.
    cache.remove(&1);
    cache.insert(4, 4).ignore();
    cache.insert(5, 5).ignore();
    assert_eq!((cache.len(), cache.contains_key(&4)), (3, false));
    cache.validate();
}

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

/// Whoever takes the place of what has expired, the listener hears that it had.
#[test]
fn an_expired_entry_is_told_as_expired_whatever_comes_for_its_key() {
    for weight in [1, 5] {
        for key in 0..20 {
            let (clock, told) = (Arc::new(Manual::default()), Arc::new(Mutex::new(Vec::new())));
            let heard = Arc::clone(&told);
            let builder = Builder::weighted(1000, |_: &u64, weight: &u64| *weight)
                .policy::<Lru>()
                .time_to_live(Duration::from_secs(1))
                .clock(Arc::clone(&clock))
                .on_removal(move |&key, &value, cause| {
                    heard.lock().unwrap().push((key, value, cause));
                });
            let mut cache = builder.build().unwrap();
            (0..20).for_each(|key| cache.insert(key, 1).ignore());
            clock.advance(Duration::from_secs(2));
            // An insertion removes four that have expired: mostly others.
            assert_eq!(cache.insert(key, weight), Insert::New);
            cache.validate();
            let told = told.lock().unwrap();
            assert!(told.iter().all(|told| told.2 == Cause::Expired), "{told:?}");
            assert_eq!(told.iter().filter(|told| told.0 == key).count(), 1, "{key}");
            assert_eq!(cache.get(&key), Some(&weight));
        }
    }
}

/// Equal seeds give equal evictions.
#[test]
fn evictions_follow_from_the_trace_alone() {
    fn run<P: Policy>() -> u64 {
        let gone = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&gone);
        let mut cache = Builder::new(50)
            .policy::<P>()
            .hasher(BuildHasherDefault::<std::hash::DefaultHasher>::default())
            .on_removal(move |&key: &u64, (), _| heard.lock().unwrap().push(key))
            .build()
            .unwrap();
        let mut random = common::Rng(3);
        for _ in 0..5000 {
            let key = random.below(20) * random.below(20);
            if cache.get(&key).is_none() {
                cache.insert(key, ()).ignore();
            }
        }
        let gone = gone.lock().unwrap();
        common::fnv1a(gone.iter().copied())
    }
    assert_eq!(run::<S3Fifo>(), run::<S3Fifo>());
    assert_eq!(run::<S3Fifo>(), 6_549_742_648_828_357_208);
    assert_eq!(run::<Adaptive>(), run::<Adaptive>());
    assert_eq!(run::<WTinyLfu>(), run::<WTinyLfu>());
}
