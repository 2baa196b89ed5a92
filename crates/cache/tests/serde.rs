//! Snapshots: order, lifetimes, policies, and what comes from outside.
#![cfg(feature = "serde")]

mod common;

use archstone_cache::policy::{
    Adaptive, Arc as ArcPolicy, Clock, Fifo, Lfu, Lirs, Lru, S3Fifo, Sieve, TwoQueue, WTinyLfu,
};
use archstone_cache::{Builder, Manual, Policy, Snapshot, Time, unsync};
use proptest::prelude::*;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;
use std::time::Duration;

fn through_json(snapshot: &Snapshot<u64, u64>) -> Snapshot<u64, u64> {
    serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap()
}

/// One hasher for all: a sketch counts keys whose hashes are alike together.
type Cache<P> = unsync::Cache<u64, u64, P, BuildHasherDefault<DefaultHasher>>;

fn of_forty<P: Policy>() -> Cache<P> {
    Builder::new(40).policy::<P>().hasher(BuildHasherDefault::default()).build().unwrap()
}

fn used<P: Policy>(seed: u64, steps: u64) -> Cache<P> {
    let mut cache = of_forty();
    let mut random = common::Rng(seed);
    for _ in 0..steps {
        step(&mut cache, &mut random);
    }
    cache
}

fn step<P: Policy>(cache: &mut Cache<P>, random: &mut common::Rng) {
    let key = random.below(12) * random.below(12);
    match random.below(12) {
        0 => _ = cache.remove(&key),
        1 => cache.insert(key, key).ignore(),
        _ if cache.get(&key).is_none() => cache.insert(key, key).ignore(),
        _ => {}
    }
}

fn order<P: Policy, S: BuildHasher>(mut cache: unsync::Cache<u64, u64, P, S>) -> Vec<(u64, u64)> {
    cache.validate();
    std::iter::from_fn(|| cache.pop()).collect()
}

/// The copy evicts what the original does: at once, and (`forward`: policies without ghosts) after
/// whatever happens next.
fn same_order<P: Policy>(forward: bool) {
    for seed in 0..60 {
        let mut one = used::<P>(seed, 13 * seed);
        let mut copy = of_forty::<P>();
        let snapshot = through_json(&one.snapshot());
        assert_eq!((snapshot.len(), snapshot.is_empty()), (one.len(), one.is_empty()));
        assert_eq!(copy.restore(snapshot, Duration::ZERO), one.len());
        copy.validate();
        if forward && seed % 2 == 0 {
            for _ in 0..200 {
                let next = seed * 1000 + one.len() as u64;
                step(&mut one, &mut common::Rng(next));
                step(&mut copy, &mut common::Rng(next));
            }
            let mut random = (common::Rng(seed + 7), common::Rng(seed + 7));
            for _ in 0..400 {
                step(&mut one, &mut random.0);
                step(&mut copy, &mut random.1);
                copy.validate();
            }
        }
        assert_eq!(order(copy), order(one), "{}, seed {seed}", P::NAME);
    }
}

#[test]
fn a_copy_evicts_in_the_same_order() {
    same_order::<Lru>(true);
    same_order::<Fifo>(true);
    same_order::<Lfu>(true);
    same_order::<Clock>(true);
    same_order::<Sieve>(true);
    same_order::<S3Fifo>(false);
    same_order::<Adaptive>(false);
    same_order::<TwoQueue>(false);
    same_order::<ArcPolicy>(false);
    same_order::<Lirs>(false);
    same_order::<WTinyLfu>(false);
}

/// What a policy has learnt is in the copy too: it says the same again, and does the same with keys that
/// neither knew (ghosts, which are not kept, then say nothing). All words that were seen, in one.
fn same_words<P: Policy>(forward: bool) -> u64 {
    let mut seen = 0;
    for seed in 0..40 {
        let mut one = used::<P>(seed, 40 * seed);
        let mut copy = of_forty::<P>();
        let said = serde_json::to_value(one.snapshot()).unwrap();
        copy.restore(through_json(&one.snapshot()), Duration::ZERO);
        let says = serde_json::to_value(copy.snapshot()).unwrap();
        let words = |snapshot: &serde_json::Value| -> Vec<(u64, u64)> {
            let entries = snapshot["entries"].as_array().unwrap().iter();
            entries.map(|e| (e["key"].as_u64().unwrap(), e["word"].as_u64().unwrap())).collect()
        };
        let (said, says) = (words(&said), words(&says));
        if P::NAME == "W-TinyLFU" {
            // Uses are counted by a sketch that grows while the copy is filled: a few may say more.
            let uses = |word: u64| word >> 2 & 15;
            let others = |words: &[(u64, u64)]| -> Vec<_> {
                words.iter().map(|(key, word)| (*key, word & !(15 << 2))).collect()
            };
            assert_eq!(others(&says), others(&said), "seed {seed}");
            let pairs = || says.iter().zip(&said).map(|(now, then)| (uses(now.1), uses(then.1)));
            assert!(pairs().all(|(now, then)| now >= then), "seed {seed}");
            assert!(pairs().filter(|(now, then)| now > then).count() <= 4, "seed {seed}");
        } else {
            assert_eq!(says, said, "{}, seed {seed}", P::NAME);
        }
        seen |= said.iter().fold(0, |all, (_, word)| all | word);
        if forward {
            for cache in [&mut one, &mut copy] {
                for key in 1000..1300 {
                    cache.insert(key, key).ignore();
                    (0..key % 3).for_each(|_| _ = cache.get(&key));
                }
            }
            assert_eq!(order(copy), order(one), "{}, seed {seed}", P::NAME);
        }
    }
    seen
}

#[test]
fn a_copy_has_learnt_what_the_original_had() {
    same_words::<Lru>(true);
    same_words::<Fifo>(true);
    same_words::<Lfu>(true);
    same_words::<Clock>(true);
    same_words::<Sieve>(true);
    assert_eq!(same_words::<S3Fifo>(true) & 15, 15, "uses, queue, filled");
    assert_eq!(same_words::<TwoQueue>(true), 1, "the queue");
    assert!(same_words::<ArcPolicy>(true) > 1, "list and target");
    assert_eq!(same_words::<Lirs>(true), 1, "who is LIR");
    let seen = same_words::<Adaptive>(true);
    assert!(seen & 7 == 7 && seen >> 3 & 31 > 0, "uses, queue, since when the hand has not looked");
    assert!(seen >> 8 & ((1 << 28) - 1) > 0 && seen >> 36 > 0, "target, what was of no use");
    // A sketch counts who has left, too: what follows is not the same to the last.
    let seen = same_words::<WTinyLfu>(false);
    assert!(seen & 3 == 3 && seen >> 2 & 15 > 1, "queue, uses");
    assert!(seen >> 6 & ((1 << 24) - 1) > 0 && seen >> 32 > 1, "window, dice");
}

#[test]
fn the_first_to_leave_comes_first() {
    let mut cache = unsync::Cache::<u64, u64, Lru>::with_policy(9);
    (0..4).for_each(|key| cache.insert(key, key).ignore());
    cache.get(&1);
    let snapshot = cache.snapshot();
    assert_eq!(snapshot.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [0, 2, 3, 1]);
    // Into less room: the first to leave stay away.
    let mut small = unsync::Cache::<u64, u64, Lru>::with_policy(2);
    assert_eq!(small.restore(snapshot.clone(), Duration::ZERO), 2);
    assert_eq!(order(small), [(3, 3), (1, 1)]);
    // Into another policy: their order alone.
    let mut other = unsync::Cache::<u64, u64, Fifo>::with_policy(9);
    assert_eq!(other.restore(snapshot.clone(), Duration::ZERO), 4);
    assert_eq!(order(other), [(0, 0), (2, 2), (3, 3), (1, 1)]);
    // What is there already stays.
    cache.insert(2, 99).ignore();
    cache.remove(&0);
    assert_eq!(cache.restore(snapshot, Duration::ZERO), 1);
    assert_eq!(cache.peek(&2), Some(&99));
    cache.validate();
}

#[test]
fn lifetimes_go_on_and_time_between_counts() {
    let secs = Duration::from_secs;
    let build = |at: u64| {
        let clock = Arc::new(Manual::new(Time::from_secs(at)));
        let builder = Builder::<u64, u64>::new(9).expiry(|_, lives| match *lives {
            0 => None,
            lives => Some(Duration::from_secs(lives)),
        });
        (builder.clock(Arc::clone(&clock)).build().unwrap(), clock)
    };
    let (mut cache, clock) = build(500);
    [0, 5, 10, 20].into_iter().for_each(|lives| cache.insert(lives, lives).ignore());
    clock.advance(secs(5));
    let snapshot = through_json(&cache.snapshot());
    assert_eq!(snapshot.len(), 3, "one has expired");
    // Another process with another clock, two seconds later.
    let (mut warm, clock) = build(7);
    assert_eq!(warm.restore(snapshot.clone(), secs(2)), 3);
    warm.validate();
    assert_eq!(warm.deadline(&0), Some(Time::MAX));
    assert_eq!(warm.deadline(&10), Some(Time::from_secs(7 + 3)));
    clock.advance(secs(3));
    assert_eq!((warm.peek(&10), warm.peek(&20), warm.peek(&0)), (None, Some(&20), Some(&0)));
    let (mut late, _) = build(0);
    assert_eq!(late.restore(snapshot.clone(), Duration::MAX), 1);
    let (mut early, _) = build(u64::MAX);
    assert_eq!(early.restore(snapshot, Duration::ZERO), 0, "at the end of time nothing lives on");
}

#[test]
fn weights_pins_idling_and_shards() {
    let build = |limit, shards| {
        Builder::weighted(limit, |_: &u64, weight: &u64| *weight)
            .policy::<Lru>()
            .time_to_idle(Duration::from_secs(9))
            .clock(Manual::default())
            .shards(shards)
            .build_sync()
            .unwrap()
    };
    let cache = build(1000, 8);
    (1..=40).for_each(|weight| cache.insert(weight, weight).ignore());
    assert!(cache.pin(&1) && cache.pin(&2));
    let snapshot = cache.snapshot();
    assert_eq!(snapshot.len(), 40);
    for shards in [1, 2, 16] {
        let copy = build(1000, shards);
        assert_eq!(copy.restore(through_json(&snapshot), Duration::ZERO), 40);
        assert_eq!((copy.weight(), copy.len()), (820, 40));
        copy.validate_alone();
        let small = build(300, shards);
        let restored = small.restore(through_json(&snapshot), Duration::ZERO);
        assert!(restored > 5 && restored == small.len() && small.weight() <= 300);
        assert!(small.contains_key(&1) && small.contains_key(&2), "the pinned ones come first");
        small.validate_alone();
    }
    assert_eq!(build(0, 1).restore(snapshot, Duration::ZERO), 0);
    // Ranks: the coldest halves of all shards leave first.
    let cache = Builder::<u64, u64>::new(512).policy::<Lru>().shards(4).build_sync().unwrap();
    (0..512).for_each(|key| cache.insert(key, key).ignore());
    let order: Vec<u64> = cache.snapshot().iter().map(|(key, _)| *key).collect();
    let cold = order[..order.len() / 2].iter().filter(|key| **key < 256).count();
    assert!(cold > order.len() * 2 / 5, "{cold} of {}", order.len());
}

fn any_words<P: Policy>(words: &[(u8, u64, Option<u64>)]) {
    let entries: Vec<String> = words
        .iter()
        .map(|(key, word, lives)| {
            let lives = lives.map_or("null".into(), |lives| lives.to_string());
            format!(r#"{{"key":{key},"value":0,"lives":{lives},"word":{word}}}"#)
        })
        .collect();
    let text = format!(r#"{{"policy":"{}","entries":[{}]}}"#, P::NAME, entries.join(","));
    let snapshot: Snapshot<u64, u64> = serde_json::from_str(&text).unwrap();
    let mut cache = Builder::new(6)
        .policy::<P>()
        .time_to_live(Duration::from_secs(1))
        .clock(Manual::new(Time::from_secs(5)))
        .build()
        .unwrap();
    let restored = cache.restore(snapshot, Duration::from_nanos(3));
    assert!(restored == cache.len() && restored <= 6);
    cache.validate();
    let mut random = common::Rng(1);
    for _ in 0..50 {
        let key = random.below(12);
        if cache.get(&key).is_none() {
            cache.insert(key, key).ignore();
        }
        cache.validate();
    }
}

proptest! {
    /// Words, lifetimes and repeated keys that no cache has written.
    #[test]
    fn whatever_a_snapshot_says_the_structure_is_whole(
        words in prop::collection::vec((0..9_u8, prop_oneof![any::<u64>(), 0..16_u64], any::<Option<u64>>()), 0..14)
    ) {
        any_words::<Lru>(&words);
        any_words::<Fifo>(&words);
        any_words::<Lfu>(&words);
        any_words::<Clock>(&words);
        any_words::<Sieve>(&words);
        any_words::<S3Fifo>(&words);
        any_words::<Adaptive>(&words);
        any_words::<TwoQueue>(&words);
        any_words::<ArcPolicy>(&words);
        any_words::<Lirs>(&words);
        any_words::<WTinyLfu>(&words);
    }
}
