//! Extreme arguments, clocks that jump, policies that lie, hashes that collide, and the faults of the usual
//! sample code.

mod common;

use archstone_cache::policy::{Adaptive, Lfu, Lru, S3Fifo, Slots, WTinyLfu};
use archstone_cache::{
    BuildError, Builder, Cause, Insert, Manual, Policy, Reject, Time, sync, unsync,
};
use core::time::Duration;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

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

/// The short ways of a hit ask for no pins: the first pin ends them.
#[test]
fn a_hit_of_what_is_pinned_is_nothing_to_the_policy() {
    for lives in [None, Some(Duration::from_secs(9))] {
        let mut builder = Builder::<u64, u64>::new(3).policy::<Lru>().clock(Manual::default());
        if let Some(lives) = lives {
            builder = builder.time_to_live(lives);
        }
        let mut cache = builder.build().unwrap();
        (1..=3).for_each(|key| cache.insert(key, key).ignore());
        assert!(cache.get(&1).is_some() && cache.pin(&2));
        (0..3).for_each(|_| assert_eq!(cache.get(&2), Some(&2)));
        cache.validate();
        cache.insert(4, 4).ignore();
        assert_eq!((cache.contains_key(&2), cache.contains_key(&3)), (true, false));
        cache.validate();
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
