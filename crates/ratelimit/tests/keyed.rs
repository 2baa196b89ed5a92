//! A store of keys: bounded, small, and no way to shed a debt.
#![cfg(feature = "std")]

use archstone_ratelimit::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

fn store<K: std::hash::Hash + Eq>(quota: Quota, capacity: usize) -> Keyed<K> {
    Keyed::<K>::builder(Gcra::new(quota)).capacity(capacity).build()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_decide_as_limits_of_their_own_whatever_is_swept_between(
        steps in prop::collection::vec((0_u64..40, 0_u64..300_000_000, 1_u64..3), 1..600),
    ) {
        let quota = Quota::per_second(3).with_burst(2);
        let store = store::<u64>(quota, 64);
        let mut alone: HashMap<u64, Local<Gcra>> = HashMap::new();
        let mut now = Time::ZERO;
        for (key, step, cost) in steps {
            now += Duration::from_nanos(step);
            let limit = alone.entry(key).or_insert_with(|| Local::new(Gcra::new(quota)));
            let (theirs, ours) = (limit.check_at(now, cost), store.check_at(now, &key, cost));
            prop_assert_eq!(ours.is_allowed(), theirs.is_allowed());
            prop_assert_eq!(ours.remaining(), theirs.remaining());
            prop_assert_eq!(ours.retry_after(), theirs.retry_after());
        }
        prop_assert!(store.len() <= 40);
    }

    #[test]
    fn windows_of_several_words_are_kept_a_key(
        steps in prop::collection::vec((0_u64..9, 0_u64..400_000_000), 1..300),
    ) {
        let rule = SlidingCounter::<4>::new(Quota::per_second(3));
        let store: Keyed<u64, _> = Keyed::<u64, _>::builder(rule).capacity(64).build();
        let mut alone: HashMap<u64, Local<_>> = HashMap::new();
        let mut now = Time::ZERO;
        for (key, step) in steps {
            now += Duration::from_nanos(step);
            let limit = alone.entry(key).or_insert_with(|| Local::new(rule));
            prop_assert_eq!(
                store.check_at(now, &key, 1).is_allowed(),
                limit.check_at(now, 1).is_allowed()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A full store against limits of their own: what is known is decided as ever, a new key is
    /// denied only while nobody is idle or the sweep has not come by, and its wait is no lie.
    #[test]
    fn a_full_store_forgets_nobody_and_says_when_there_is_room(
        steps in prop::collection::vec((0_u64..40, 0_u64..900, 0_u8..10), 1..400),
    ) {
        let slow = Quota::per_second(1).with_burst(4);
        let fast = Quota::per_second(4).with_burst(4);
        let store: Keyed<u64> = Keyed::<u64>::builder(Gcra::new(slow)).tier(fast).capacity(12).build();
        let rules = [Gcra::new(slow), Gcra::new(fast)];
        // Tier, state and the last grant of every key in use.
        let mut known: HashMap<u64, (Tier, u64, Option<Grant>)> = HashMap::new();
        let rule = |tier: Tier| rules[usize::from(tier)];
        let mut now = Time::from_secs(10);
        for (key, step, what) in steps {
            now += Duration::from_millis(step);
            known.retain(|_, (tier, state, _)| !rule(*tier).is_idle(state, now));
            let tier = known.get(&key).map_or(0, |(tier, ..)| *tier);
            match (what, known.get_mut(&key)) {
                // Given back: it may be idle sooner than it was going to be.
                (0..=2, Some((tier, state, grant))) => {
                    if let Some(grant) = grant.take() {
                        let refund = rule(*tier).refund(state, now, &grant, 9, u64::MAX);
                        prop_assert_eq!(store.refund_at(now, &key, &grant, 9), refund.units);
                    }
                }
                // Another tier: what was used stays used, and drains at another rate.
                (3, Some((tier, state, grant))) => {
                    let (old, new) = (rule(*tier), rule(1 - *tier));
                    (*tier, *grant) = (1 - *tier, None);
                    *state = new.with_used(now, old.used(state, now));
                    let left = store.check_tier_at(now, &key, *tier, 0).remaining();
                    prop_assert_eq!(left, new.peek(state, now, 0).remaining());
                }
                _ => {
                    let cost = u64::from(what % 3) + 1;
                    let mut verdict = store.check_tier_at(now, &key, tier, cost);
                    if let Verdict::Deny(denial) = verdict {
                        if denial.reason() == Reason::Overflow {
                            prop_assert!(!known.contains_key(&key), "a known key lost its place");
                            let then = now + denial.retry_after().duration().unwrap();
                            let idle = |(tier, state, _): &(Tier, u64, _)| rule(*tier).is_idle(state, then);
                            prop_assert!(known.len() < 12 || known.values().any(idle), "the wait is a lie");
                            if known.len() == 12 {
                                continue;
                            }
                            // Somebody is idle: at most a lap of the sweep later there is room.
                            for _ in 0..4 {
                                verdict = store.check_tier_at(now, &key, tier, cost);
                            }
                            prop_assert!(known.len() >= 12 || store.peek_at(now, &key, 0).remaining() < 4);
                            let used = 4 - store.peek_at(now, &key, 0).remaining();
                            let state = rule(0).with_used(now, u128::from(used) << 32);
                            known.insert(key, (0, state, None));
                            continue;
                        }
                    }
                    let (_, state, grant) = known.entry(key).or_insert((0, 0, None));
                    let expected = rule(tier).check(state, now, cost);
                    prop_assert_eq!(verdict.is_allowed(), expected.is_allowed());
                    *grant = verdict.ok().ok().or(*grant);
                }
            }
            prop_assert!(store.len() <= 12);
        }
    }
}

#[test]
fn a_u64_key_costs_at_most_20_bytes_at_a_million_and_24_while_growing() {
    let quota = Quota::per_hour(100);
    let store = measure(|| store::<u64>(quota, 1_000_000));
    let (store, empty) = store;
    let mut live = empty.live;
    let mut worst = 0_f64;
    for decade in 1..=100_u64 {
        let (_, used) = measure(|| {
            for n in (decade - 1) * 10_000..decade * 10_000 {
                let key = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                assert!(store.check_at(Time::ZERO, &key, 1).is_allowed());
            }
        });
        live += used.live;
        if decade >= 10 {
            worst = worst.max(live as f64 / (decade * 10_000) as f64);
        }
    }
    let at_end = live as f64 / 1e6;
    println!("{at_end:.2} B a key at 1 M, at worst {worst:.2} B from 100 k on");
    assert_eq!(store.len(), 1_000_000);
    assert!(at_end <= 20.0, "{at_end}");
    assert!(worst <= 24.0, "{worst}");
    let told = store.stats().bytes as f64 / 1e6;
    assert!((told - at_end).abs() < 0.5, "stats say {told}, the allocator {at_end}");
}

#[test]
fn the_hit_path_allocates_nothing() {
    let store = store::<String>(Quota::per_second(1_000_000), 1_000);
    assert!(store.check_at(Time::ZERO, "a rather long key of a client", 1).is_allowed());
    let rule = Gcra::new(Quota::per_second(5));
    let (shared, counter) =
        (Shared::new(rule), Shared::new(SlidingCounter::<8>::new("9/s".parse().unwrap())));
    let striped = Striped::new(Quota::per_second(1_000), 4);
    let limiter = Limiter::new(Quota::per_second(1_000));
    let ((), used) = measure(|| {
        for at in 0..200 {
            let now = Time::from_millis(at);
            let _ = store.check_at(now, "a rather long key of a client", 1);
            let _ = (shared.check_at(now, 1), counter.check_at(now, 1), striped.check_at(now, 1));
            let key = store.key("a rather long key of a client");
            let _ = check_all(now, &[Part::new(&shared, 1), Part::new(&key, 1)]);
            let _ = limiter.check().retry_after();
            drop(limiter.reserve(1, Duration::ZERO));
        }
    });
    assert_eq!(used.allocations, 0);
}

#[test]
fn a_flood_of_ten_times_the_keys_that_fit_stays_in_bounds_and_sheds_no_debt() {
    let store = store::<u64>(Quota::per_hour(2), 10_000);
    let now = Time::from_secs(1);
    // A known offender, used up.
    assert!(store.check_at(now, &u64::MAX, 2).is_allowed());
    let (mut passed, mut refused) = (0, 0);
    for key in 0..100_000_u64 {
        match store.check_at(now, &key, 1) {
            Verdict::Allow(_) => passed += 1,
            Verdict::Deny(denial) => {
                assert_eq!(denial.reason(), Reason::Overflow);
                assert!(denial.retry_after().duration().unwrap() <= Duration::from_secs(3_600));
                refused += 1;
            }
        }
        if key % 1_000 == 0 {
            assert!(!store.check_at(now, &u64::MAX, 1).is_allowed(), "the debt was shed");
        }
    }
    assert_eq!(store.len(), passed + 1);
    assert!(passed >= 10_000 && refused > 80_000, "{passed} {refused}");
    let stats = store.stats();
    assert!(stats.bytes < 10_000 * 16 * 2, "{stats:?}");
    // When the debts have drained, new keys find room again, and the store shrinks.
    let later = now + Duration::from_secs(7_200);
    for key in 200_000..200_200_u64 {
        assert!(store.check_at(later, &key, 1).is_allowed());
    }
    for shard in 0..store.shards() {
        store.expire_at(later, shard);
    }
    assert_eq!(store.len(), 200);
    assert!(store.stats().bytes < stats.bytes / 4);
}

#[test]
fn forgetting_takes_a_key_with_little_in_use() {
    let rule = Gcra::new(Quota::per_hour(100));
    let store: Keyed<u64> =
        Keyed::<u64>::builder(rule).capacity(100).overflow(Overflow::Forget).build();
    let now = Time::ZERO;
    for key in 0..100 {
        assert!(store.check_at(now, &key, if key == 5 { 100 } else { 1 }).is_allowed());
    }
    for key in 1_000..2_000 {
        assert!(store.check_at(now, &key, 1).is_allowed());
    }
    assert!(store.len() <= 100);
    assert!(!store.check_at(now, &5, 1).is_allowed(), "the one with the most in use was forgotten");
}

#[test]
fn a_change_of_tier_keeps_the_debt() {
    let store: Keyed<u64> = Keyed::<u64>::builder(Gcra::new(Quota::per_hour(100)))
        .tier(Quota::per_hour(1_000))
        .tier(Quota::per_hour(10_000))
        .capacity(100)
        .build();
    let now = Time::from_secs(50);
    assert!(store.check_tier_at(now, &1, 2, 5_000).is_allowed());
    // Downgraded with 5000 in use: fifty hours of debt at the free rate.
    let denied = store.check_tier_at(now, &1, 0, 1);
    let wait = denied.retry_after().unwrap().duration().unwrap();
    assert_eq!(wait.as_secs(), 3_600 * 49 + 36);
    // And back: no fresh allowance.
    assert_eq!(store.check_tier_at(now, &1, 2, 0).remaining(), 5_000);
    assert_eq!(store.check_tier_at(now, &2, 77, 1).remaining(), 99, "an unknown tier is free");
}

#[test]
fn offenders_come_with_the_most_first() {
    let store = store::<u32>(Quota::per_hour(100), 10_000);
    for key in 0..1_000_u32 {
        let cost = if key < 5 { 90 + u64::from(key) } else { 1 + u64::from(key % 7) };
        let _ = store.check_at(Time::ZERO, &key, cost);
    }
    let top = store.top(Time::ZERO, 3);
    assert_eq!(
        top.iter().map(|top| (top.key, top.used)).collect::<Vec<_>>(),
        [(4, 94), (3, 93), (2, 92)]
    );
    assert!(store.top(Time::from_secs(7_200), 3).is_empty());
    assert!(store.top(Time::ZERO, 0).is_empty());
}

#[test]
fn a_snapshot_restores_on_another_clock_and_another_quota() {
    let rule = Gcra::new(Quota::per_minute(60));
    let before = store::<String>(Quota::per_minute(60), 1_000);
    let now = Time::from_secs(5_000);
    for (key, cost) in [("ann", 50), ("bob", 60), ("cid", 1)] {
        assert!(before.check_at(now, key, cost).is_allowed());
    }
    let snapshot = before.snapshot_at(now);
    #[cfg(feature = "serde")]
    let snapshot: Snapshot<String> =
        serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    assert_eq!(snapshot.len(), 3);

    // The process was down for ten seconds; its clock starts at zero.
    let after = store::<String>(Quota::per_minute(60), 1_000);
    let boot = Time::from_secs(20);
    assert_eq!(after.restore_at(boot, &snapshot, Duration::from_secs(10)), Ok(2));
    assert_eq!(after.peek_at(boot, "ann", 0).remaining(), 20);
    assert_eq!(after.peek_at(boot, "bob", 0).remaining(), 10);
    assert_eq!(after.peek_at(boot, "cid", 0).remaining(), 60);

    let doubled: Keyed<String> =
        Keyed::<String>::builder(rule.with_quota(Quota::per_minute(120))).build();
    assert_eq!(doubled.restore_at(boot, &snapshot, Duration::ZERO), Ok(3));
    assert_eq!(doubled.peek_at(boot, "bob", 0).remaining(), 60);

    let small = store::<String>(Quota::per_minute(60), 1);
    let full = small.restore_at(boot, &snapshot, Duration::ZERO);
    assert_eq!(full, Err(RestoreError::Full { restored: 1, keys: 3 }));
    let other: Keyed<String, SlidingCounter<8>> =
        Keyed::new(SlidingCounter::new("9/s".parse().unwrap()));
    assert!(matches!(
        other.restore_at(boot, &snapshot, Duration::ZERO),
        Err(RestoreError::Shape { .. })
    ));
}

#[test]
fn quotas_of_a_store_change_with_their_keys() {
    let mut store = store::<u64>(Quota::per_minute(100), 1_000);
    for key in 0..500 {
        let _ = store.check_at(Time::ZERO, &key, key % 90);
    }
    store.set_quota_at(Time::ZERO, 0, Quota::per_minute(1_000), Carry::Used);
    for key in 0..500 {
        assert_eq!(store.peek_at(Time::ZERO, &key, 0).remaining(), 1_000 - key % 90);
    }
    store.set_quota_at(Time::ZERO, 0, Quota::per_minute(10), Carry::Full);
    assert!(store.peek_at(Time::from_nanos(1), &80, 0).remaining() >= 9);
}

#[test]
fn keys_that_collide_in_every_bit_are_still_apart() {
    #[derive(Default, Clone)]
    struct Same;
    impl std::hash::BuildHasher for Same {
        type Hasher = Zero;
        fn build_hasher(&self) -> Zero {
            Zero
        }
    }
    struct Zero;
    impl std::hash::Hasher for Zero {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, _: &[u8]) {}
    }
    let store: Keyed<u64, Gcra, Manual, Same> =
        Keyed::<u64>::builder(Gcra::new(Quota::per_second(1).with_burst(1)))
            .capacity(2_000)
            .build_with(Manual::default(), Same);
    let mut passed = 0;
    for key in 0..500_u64 {
        passed += u64::from(store.check_at(Time::ZERO, &key, 1).is_allowed());
        assert!(!store.check_at(Time::ZERO, &key, 1).is_allowed());
    }
    assert_eq!(passed, 500);
    assert!(store.forget(&250));
    assert!(!store.forget(&250));
    for key in (0..500_u64).filter(|key| *key != 250) {
        assert!(!store.check_at(Time::ZERO, &key, 1).is_allowed(), "{key} was lost with another");
    }
}

#[test]
fn many_threads_on_one_store_pass_exactly_their_quotas() {
    let store = store::<u64>(Quota::per_hour(10), 1_000);
    let passed: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let checks = (0..4_000_u64).map(|n| n % 100);
                    checks.filter(|key| store.check_at(Time::ZERO, key, 1).is_allowed()).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap() as u64).sum()
    });
    assert_eq!(passed, 1_000);
}

#[test]
fn keys_with_destructors_are_dropped_once() {
    use std::rc::Rc;
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Counted(u64, Rc<()>);
    let counter = Rc::new(());
    {
        let store: Keyed<Counted> =
            Keyed::<Counted>::builder(Gcra::new(Quota::per_second(1))).capacity(4_000).build();
        for n in 0..3_000 {
            let _ = store.check_at(Time::ZERO, &Counted(n, counter.clone()), 1);
        }
        assert_eq!(Rc::strong_count(&counter), 3_001);
        assert!(store.forget(&Counted(7, counter.clone())));
        for shard in 0..store.shards() {
            store.expire_at(Time::from_secs(9), shard);
        }
        assert_eq!(Rc::strong_count(&counter), 1);
        let _ = store.check_at(Time::ZERO, &Counted(1, counter.clone()), 1);
    }
    assert_eq!(Rc::strong_count(&counter), 1);
}

/// A snapshot that somebody has written by hand restores as something, and nothing panics on it.
#[cfg(feature = "serde")]
fn restored<A: Algorithm>(rule: A, words: &[u64]) {
    let width = serde_json::to_value(one_key(rule)).unwrap()["words"].as_array().unwrap().len();
    let words: Vec<u64> = words.iter().copied().cycle().take(2 * width).collect();
    let json = serde_json::json!({
        "taken_at": 77, "quotas": ["9/min", "3/s burst 5"], "keys": [[1, 0], [2, 1]], "words": words,
    });
    let snapshot: Snapshot<u64> = serde_json::from_value(json).unwrap();
    let store: Keyed<u64, A> = Keyed::<u64, A>::builder(rule).tier(Quota::per_hour(4)).build();
    let now = Time::from_secs(5);
    let _ = store.restore_at(now, &snapshot, Duration::from_secs(1));
    for key in [1, 2] {
        let verdict = store.check_at(now, &key, 1);
        let _ = (verdict.remaining(), verdict.reset_after(), verdict.retry_after());
        let _ = store.charge_at(now, &key, 3).map(|grant| store.refund_at(now, &key, &grant, 9));
        let _ = (store.check_tier_at(now, &key, 1, 1), store.more_after_tier_at(now, &key, 0));
        let _ = store.reserve_at(now, &key, 1, Duration::MAX);
    }
    let _ = (store.top(now, 2), store.snapshot_at(now));
}

#[cfg(feature = "serde")]
fn one_key<A: Algorithm>(rule: A) -> Snapshot<u64> {
    let store: Keyed<u64, A> = Keyed::<u64, A>::builder(rule).build();
    let _ = store.charge_at(Time::ZERO, &1, 1);
    store.snapshot_at(Time::ZERO)
}

#[cfg(feature = "serde")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_written_by_hand_makes_nothing_panic(
        words in prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..20, Just(u64::MAX)], 1..12),
    ) {
        let quota = Quota::per_minute(9);
        restored(Gcra::new(quota), &words);
        restored(FixedWindow::new(quota), &words);
        restored(CalendarWindow::new(9, Every::Day), &words);
        restored(SlidingLog::<4>::new(quota), &words);
        restored(SlidingCounter::<1>::new(quota), &words);
        restored(SlidingCounter::<8>::new(quota), &words);
        restored(WarmUp::new(quota, Duration::from_secs(3), 3), &words);
    }
}

#[test]
fn an_address_is_keyed_by_its_network() {
    let net = |text: &str| client_network(text.parse().unwrap()).to_string();
    assert_eq!(net("192.0.2.7"), "192.0.2.7");
    assert_eq!(net("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(net("::ffff:192.0.2.7"), "192.0.2.7");
}

#[test]
fn a_full_shard_that_knows_when_it_has_room_looks_again_when_a_key_may_be_idle_sooner() {
    let now = Time::from_secs(50);
    let fill = || {
        let slow = Gcra::new(Quota::per_second(1).with_burst(4));
        let fast = Quota::per_second(16).with_burst(4);
        let store: Keyed<u64> = Keyed::<u64>::builder(slow).tier(fast).capacity(4).build();
        let mut grants = Vec::new();
        for key in 0..4 {
            grants.extend(store.check_at(now, &key, 4).ok());
        }
        // A lap later it knows: not before four seconds have passed.
        for key in 100..120 {
            let Verdict::Deny(denial) = store.check_at(now, &key, 1) else { panic!("it is full") };
            assert_eq!(denial.reason(), Reason::Overflow);
            assert_eq!(denial.retry_after(), RetryAfter::After(Duration::from_secs(4)));
        }
        (store, grants)
    };
    let comes_in = |store: &Keyed<u64>, at| (0..3).any(|_| store.check_at(at, &7, 1).is_allowed());

    let (store, _) = fill();
    let early = now + Duration::from_secs(4) - Duration::from_nanos(1);
    assert!(!comes_in(&store, early));
    assert!(comes_in(&store, now + Duration::from_secs(4)));

    let (store, grants) = fill();
    assert_eq!(store.refund_at(now, &2, &grants[2], 4), 4);
    assert!(comes_in(&store, now), "what was given back left its key idle");

    let (store, _) = fill();
    assert!(!store.check_tier_at(now, &1, 1, 1).is_allowed(), "what was used stays used");
    assert!(comes_in(&store, now + Duration::from_secs(1)), "a faster tier is idle sooner");

    let (mut store, _) = fill();
    store.set_quota_at(now, 0, Quota::per_second(400).with_burst(4), Carry::Used);
    assert!(comes_in(&store, now + Duration::from_secs(1)), "a faster quota is idle sooner");

    let (store, _) = fill();
    let other = store.snapshot_at(now);
    assert_eq!(store.restore_at(now, &other, Duration::from_secs(3)), Ok(4));
    assert!(comes_in(&store, now + Duration::from_secs(1)), "what was restored is idle sooner");
}

/// A full store that knows from when on a key is idle, and a key with less in use that comes in
/// after: the store knows of the earlier instant.
#[test]
fn a_key_that_comes_in_late_and_is_idle_early_makes_room_in_time() {
    for forgotten_at in 0..24 {
        let store = store::<u64>(Quota::per_second(1).with_burst(100), 20);
        let deny = |key: u64, now| store.check_at(now, &key, 1).retry_after();
        for key in 0..20 {
            assert!(store.check_at(Time::ZERO, &key, 100).is_allowed());
        }
        // Laps around the store are at another place each time.
        for key in 0..forgotten_at {
            assert!(deny(100 + key, Time::ZERO).is_some());
        }
        assert!(store.forget(&(forgotten_at % 20)));
        assert!(store.check_at(Time::ZERO, &50, 2).is_allowed());
        for key in 0..24 {
            assert!(deny(200 + key, Time::ZERO).is_some());
        }
        let wait = deny(300, Time::ZERO).unwrap().duration().unwrap();
        assert!(wait <= Duration::from_secs(2), "{wait:?} after {forgotten_at} laps");
        // A check looks at eight slots, of at most 28.
        let passed = (0..4).any(|_| store.check_at(Time::from_secs(2), &400, 1).is_allowed());
        assert!(passed, "{forgotten_at}");
    }
}

/// A sweep holds each key against its own tier.
#[test]
fn a_sweep_forgets_no_debt_of_a_slower_tier() {
    // Sevenths of a nanosecond, in which the word of the slow tier is long past after 20,000 s.
    let fast = Quota::per_second(7).with_burst(1);
    let builder = Keyed::<u64>::builder(Gcra::new(fast)).tier(Quota::per_day(1));
    let store: Keyed<u64> = builder.capacity(64).build();
    assert!(store.check_tier_at(Time::ZERO, &1, 1, 1).is_allowed());
    assert!(store.check_tier_at(Time::ZERO, &2, 0, 1).is_allowed());
    let later = Time::from_secs(20_000);
    let removed: usize = (0..store.shards()).map(|shard| store.expire_at(later, shard)).sum();
    assert_eq!((removed, store.len()), (1, 1));
    // Those that a new key sweeps as well.
    for key in 10..60 {
        assert!(store.check_tier_at(later, &key, 0, 1).is_allowed());
    }
    assert!(!store.check_tier_at(later, &1, 1, 1).is_allowed());
}
