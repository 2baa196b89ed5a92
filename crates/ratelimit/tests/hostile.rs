//! Zero, one, the largest, the edge, the clock that steps: every input of which a peer once broke.
#![cfg(feature = "std")]

use archstone_ratelimit::*;
use proptest::prelude::*;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn quota(amount: u64, nanos: u64, burst: u64) -> Quota {
    Quota::new(Rate::new(amount, Duration::from_nanos(nanos)).unwrap()).with_burst(burst)
}

/// Runs every verb of a rule on what it is given and looks that it comes back.
fn every_verb<A: Algorithm>(rule: A, calls: &[(u64, u64)]) {
    let mut local = Box::new(Local::new(rule));
    let shared = Shared::tunable(rule);
    let mut last = None;
    for &(now, cost) in calls {
        let now = Time::from_nanos(now);
        for verdict in
            [local.check_at(now, cost), shared.check_at(now, cost), local.peek_at(now, cost)]
        {
            let _ = (verdict.remaining(), verdict.reset_after(), verdict.retry_after());
            if cost == 0 {
                assert!(verdict.is_allowed(), "a cost of 0 passes");
            }
        }
        let taken = local.take_up_to_at(now, cost);
        assert!(taken.cost() <= cost);
        if let Some(grant) = last {
            assert!(local.refund_at(now, &grant, cost) <= cost);
            assert!(shared.refund_at(now, &grant, cost) <= cost);
        }
        last = Some(local.charge_at(now, cost));
        let _ = local.reserve_at(now, cost, Duration::from_nanos(cost));
        let (state, quota) = (*local.state(), rule.quota());
        let _ = (rule.is_idle(&state, now), rule.used(&state, now));
        let _ = rule.moved(&state, now, Time::from_nanos(cost));
        let _ = rule.with_used(now, u128::from(cost) << 32);
        for how in [Carry::Used, Carry::Proportional, Carry::Tokens, Carry::Full, Carry::Empty] {
            local.set_quota_at(now, quota, how);
            shared.set_quota_at(now, quota, how);
        }
    }
}

fn edges() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 61),
        Just(1 << 32),
        Just(SECOND),
        Just(SECOND - 1),
        0..100_u64,
        any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_time_cost_or_quota_panics(
        amount in edges(), nanos in edges(), burst in edges(), origin in edges(),
        calls in prop::collection::vec((edges(), edges()), 1..12),
    ) {
        let Ok(rate) = Rate::new(amount, Duration::from_nanos(nanos)) else { return Ok(()) };
        let quota = Quota::new(rate).with_burst(burst);
        every_verb(Gcra::new(quota), &calls);
        every_verb(TokenBucket::new(quota), &calls);
        every_verb(LeakyBucket::new(quota), &calls);
        every_verb(FixedWindow::with_origin(quota, Time::from_nanos(origin)), &calls);
        every_verb(IntervalBucket::new(quota, Time::from_nanos(origin)), &calls);
        every_verb(SlidingCounter::<1>::new(quota), &calls);
        every_verb(SlidingCounter::<8>::new(quota).conservative(), &calls);
        every_verb(SlidingLog::<3>::new(quota), &calls);
        every_verb(WarmUp::new(quota, Duration::from_nanos(origin), burst as u32), &calls);
        every_verb(CalendarWindow::with_offset(burst, Every::Week, origin as i32), &calls);
        let shaper = Shaper::new(rate, burst);
        let mut queue = ShaperQueue::new(rate, 2, Order::Lifo);
        let striped = Striped::new(quota, (origin % 9) as usize);
        for &(now, cost) in &calls {
            let now = Time::from_nanos(now);
            if let Ok(departure) = shaper.offer_at(now, cost) {
                assert!(departure.at >= now);
                let _ = (shaper.cancel_at(now, &departure), shaper.backlog_at(now));
            }
            let _ = (queue.offer(cost, ()), queue.next_departure(), queue.poll(now));
            let _ = striped.check_at(now, cost);
        }
        prop_assert!(Gcra::new(quota).horizon() >= Duration::from_secs(50 * 365 * 86_400));
    }

    #[test]
    fn any_text_is_a_quota_or_an_error(text in ".{0,40}") {
        archstone_fuzz(&text);
    }

    #[test]
    fn text_that_looks_like_a_quota_is_one_or_an_error(
        text in "[0-9_]{1,22}[kMGi]{0,2} ?(/|per ) ?[0-9]{0,20}(ns|us|ms|s|min|m|h|day|year)( burst [0-9]{1,22})?"
    ) {
        archstone_fuzz(&text);
    }
}

/// The body of the fuzz target for quotas: a text that parses is written and read back as the same.
fn archstone_fuzz(text: &str) {
    match text.parse::<Quota>() {
        Ok(quota) => assert_eq!(quota.to_string().parse(), Ok(quota), "{text}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn errors_name_the_value_and_the_limit() {
    let error = |text: &str| text.parse::<Quota>().unwrap_err().to_string();
    assert_eq!(error("11/ns"), "11 in 1 ns is over the limit of 10000000000 a second");
    assert_eq!(error("5/0s"), "the period is zero");
    assert_eq!(
        error("5/s burst 9999999999999999999"),
        format!("a burst of 9999999999999999999 is over the limit of {}", 1_u64 << 61)
    );
    assert_eq!(
        error("5/fortnight"),
        "at byte 2: expected a unit of time: ns us ms s min h day week year"
    );
    assert_eq!(error("5/m"), "at byte 2: expected a unit of time: ns us ms s min h day week year");
    assert_eq!(error("99999999999999999999/s"), "the number at byte 0 is over 64 bits");
    assert_eq!(error("5/s burst 3 x"), "at byte 12: expected `burst` or the end");
    assert!(Rate::new(1, Duration::MAX).unwrap_err().to_string().contains("over the limit of"));
}

#[test]
fn limits_of_nothing_and_of_one_and_of_everything() {
    let at = Time::from_secs(3);
    let mut closed = Local::new(Gcra::new(Quota::per_second(0)));
    assert_eq!(closed.check_at(at, 1).retry_after(), Some(RetryAfter::Never));
    assert!(closed.check_at(at, 0).is_allowed());
    let mut closed = Local::new(SlidingCounter::<4>::new("0/s".parse().unwrap()));
    assert_eq!(closed.check_at(at, 1).retry_after(), Some(RetryAfter::Never));
    let mut one = Local::new(Gcra::new(quota(1, SECOND, 1)));
    assert!(one.check_at(at, 1).is_allowed());
    assert!(!one.check_at(at + Duration::from_nanos(SECOND - 1), 1).is_allowed());
    assert!(one.check_at(at + Duration::from_nanos(SECOND), 1).is_allowed());
    let mut all = Local::new(Gcra::new(Quota::per_second(5).with_burst(u64::MAX)));
    assert_eq!(all.check_at(at, 1).remaining(), Quota::MAX_BURST - 1);
    assert_eq!(all.check_at(at, u64::MAX).retry_after(), Some(RetryAfter::Never));
}

#[test]
fn one_a_year_and_ten_to_the_tenth_a_second_are_exact() {
    const YEAR: u64 = 365 * 86_400 * SECOND;
    let mut slow = Local::new(Gcra::new(quota(1, YEAR, 1)));
    for year in 0..50 {
        assert!(slow.check_at(Time::from_nanos(year * YEAR), 1).is_allowed());
        assert!(!slow.check_at(Time::from_nanos((year + 1) * YEAR - 1), 1).is_allowed());
    }
    // Every nanosecond ten, at the end of fifty years as at the start.
    for start in [0, 50 * YEAR] {
        let mut fast = Local::new(Gcra::new(quota(10_000_000_000, SECOND, 10)));
        for now in start..start + 1_000 {
            assert_eq!(fast.take_up_to_at(Time::from_nanos(now), 100).cost(), 10);
        }
    }
    // 584 years: the longest period there is.
    let mut era = Local::new(Gcra::new(quota(3, u64::MAX, 2)));
    assert!(era.check_at(Time::from_nanos(5), 2).is_allowed());
    assert!(!era.check_at(Time::from_nanos(u64::MAX / 4), 1).is_allowed());
}

#[test]
fn the_rate_of_governor_s_fault_is_exact() {
    for rate in [600_000_u64, 7_000_000, 70_000_000, 300_000_000, 700_000_000, 999_999_937] {
        let mut limit = Local::new(Gcra::new(quota(rate, SECOND, 100)));
        let _ = limit.charge_at(Time::ZERO, 100);
        let span = SECOND / 100;
        let passed: u64 =
            (1..=span).map(|now| limit.take_up_to_at(Time::from_nanos(now), 100).cost()).sum();
        assert_eq!(passed, rate / 100, "{rate} a second");
    }
}

#[test]
fn the_burst_of_governor_s_fault_is_whole() {
    let mut limit = Local::new(Gcra::new(Quota::per_day(1).with_burst(u64::from(u32::MAX))));
    assert!(limit.check_at(Time::ZERO, u64::from(u32::MAX)).is_allowed());
    assert!(!limit.check_at(Time::ZERO, 1).is_allowed());
    let wait = limit.check_at(Time::ZERO, 1).retry_after().unwrap().duration().unwrap();
    assert_eq!(wait.as_secs(), 86_400);
}

#[test]
fn thirty_idle_days_are_exactly_one_burst() {
    let mut limit = Local::new(Gcra::new(Quota::per_second(1_000).with_burst(50)));
    let _ = limit.charge_at(Time::ZERO, 50);
    let later = Time::from_secs(30 * 86_400);
    assert_eq!((0..100).filter(|_| limit.check_at(later, 1).is_allowed()).count(), 50);
}

#[test]
fn a_day_s_quota_does_not_pass_twice_in_two_seconds() {
    // rate-net counts whole intervals: 86 399 s and 86 401 s both pass there.
    let mut limit = Local::new(LeakyBucket::new(Quota::per_day(1)));
    assert!(limit.check_at(Time::from_secs(86_399), 1).is_allowed());
    assert!(!limit.check_at(Time::from_secs(86_401), 1).is_allowed());
}

#[test]
fn window_edges_belong_to_the_window_they_begin() {
    let mut fixed = Local::new(FixedWindow::new(quota(1, SECOND, 1)));
    for k in [1_u64, 2, 7, 1_000] {
        assert!(fixed.check_at(Time::from_nanos(k * SECOND), 1).is_allowed());
        assert!(!fixed.check_at(Time::from_nanos(k * SECOND + 1), 1).is_allowed());
        assert!(!fixed.check_at(Time::from_nanos((k + 1) * SECOND - 1), 1).is_allowed());
    }
    // The log is half open: an event exactly one window old is gone.
    let mut log = Local::new(SlidingLog::<4>::new(quota(1, SECOND, 1)));
    assert!(log.check_at(Time::from_secs(5), 1).is_allowed());
    assert!(!log.check_at(Time::from_nanos(6 * SECOND - 1), 1).is_allowed());
    assert!(log.check_at(Time::from_secs(6), 1).is_allowed());
    // A counter with a limit of one passes again (upstash/ratelimit-js#39).
    let mut counter = Local::new(SlidingCounter::<1>::new(quota(1, SECOND, 1)));
    assert!(counter.check_at(Time::from_millis(500), 1).is_allowed());
    assert!(!counter.check_at(Time::from_millis(1_500), 1).is_allowed());
    assert!(counter.check_at(Time::from_secs(2), 1).is_allowed());
}

#[test]
fn a_clock_that_steps_back_denies_and_does_not_stall() {
    let mut limit = Local::new(Gcra::new(quota(10, SECOND, 1)));
    assert!(limit.check_at(Time::from_secs(100), 1).is_allowed());
    assert!(!limit.check_at(Time::from_secs(90), 1).is_allowed());
    assert!(!limit.check_at(Time::ZERO, 1).is_allowed());
    assert!(limit.check_at(Time::from_millis(100_100), 1).is_allowed());
}

#[test]
fn a_log_that_is_full_of_instants_denies_until_the_oldest_leaves() {
    let mut log = Local::new(SlidingLog::<3>::new(quota(100, SECOND, 100)));
    for ms in [0, 10, 20] {
        assert!(log.check_at(Time::from_millis(ms), 1).is_allowed());
    }
    let Verdict::Deny(denial) = log.check_at(Time::from_millis(30), 1) else {
        panic!("it is full")
    };
    assert_eq!(denial.reason(), Reason::Overflow);
    assert_eq!(denial.retry_after(), RetryAfter::After(Duration::from_millis(970)));
    // The newest instant takes more.
    assert!(log.check_at(Time::from_millis(20), 97).is_allowed());
}

fn limiter(burst: u64) -> Limiter<Gcra, Manual> {
    Limiter::with_clock(
        Gcra::new(Quota::per_second(1).with_burst(burst)),
        Manual::new(Time::from_secs(9)),
    )
}

#[test]
fn reservations_cancel_exactly_whichever_goes_first() {
    let long = Duration::from_secs(60);
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]] {
        let limiter = limiter(1);
        let mut held: Vec<_> = (0..3).map(|_| Some(limiter.reserve(1, long).unwrap())).collect();
        let waits: Vec<_> = held.iter().flatten().map(|r| r.ready_in().as_secs()).collect();
        assert_eq!(waits, [0, 1, 2]);
        for which in order {
            drop(held[which].take());
        }
        assert_eq!(limiter.peek(0).remaining(), 1, "{order:?}");
        assert!(limiter.check().is_allowed() && !limiter.check().is_allowed());
    }
}

#[test]
fn a_late_cancel_gives_back_only_what_has_not_drained() {
    let limiter = limiter(5);
    let reservation = limiter.reserve(5, Duration::ZERO).unwrap();
    limiter.clock().advance(Duration::from_secs(3));
    assert_eq!(limiter.peek(0).remaining(), 3);
    assert_eq!(reservation.cancel(), 2);
    assert_eq!(limiter.peek(0).remaining(), 5);
    let second = limiter.reserve(2, Duration::ZERO).unwrap().commit();
    limiter.clock().advance(Duration::from_secs(100));
    assert_eq!(limiter.refund(&second, 2), 0);
    assert!(limiter.reserve(6, Duration::MAX).unwrap_err().is_never());
    assert!(!limiter.reserve(5, Duration::ZERO).unwrap().ready_at().as_nanos() > 0);
}

#[test]
fn grants_of_before_a_change_of_quota_are_not_given_back_after() {
    let mut limiter = limiter(5);
    let grant = limiter.check_n(5).ok().unwrap();
    limiter.set_quota(Quota::per_minute(7), Carry::Used);
    assert_eq!(limiter.refund(&grant, 5), 0);
    assert_eq!(limiter.peek(0).remaining(), 2);
}

#[test]
fn a_cost_over_the_limit_does_not_erase_the_key() {
    // gcra 0.6: asking for six of five forgets the five that were used.
    let keyed: Keyed<u64> = Keyed::new(Gcra::new(Quota::per_hour(5)));
    assert!(keyed.check_at(Time::ZERO, &1, 5).is_allowed());
    assert_eq!(keyed.check_at(Time::ZERO, &1, 6).retry_after(), Some(RetryAfter::Never));
    assert!(!keyed.check_at(Time::ZERO, &1, 1).is_allowed());
}

#[test]
fn each_of_four_dimensions_blocks_alone_and_one_may_come_twice() {
    for blocker in 0..4 {
        let limits: [Shared<Gcra>; 4] = std::array::from_fn(|i| {
            Shared::new(Gcra::new(Quota::per_hour(if i == blocker { 1 } else { 9 })))
        });
        let parts: [Part<'_>; 4] = std::array::from_fn(|i| Part::new(&limits[i], 1));
        assert!(check_all(Time::ZERO, &parts).is_ok());
        assert_eq!(check_all(Time::ZERO, &parts).unwrap_err().index, blocker);
        for (i, limit) in limits.iter().enumerate() {
            assert_eq!(limit.peek_at(Time::ZERO, 0).remaining(), if i == blocker { 0 } else { 8 });
        }
    }
    let limit = Shared::new(Gcra::new(Quota::per_hour(3)));
    let twice = [Part::new(&limit, 2), Part::new(&limit, 2)];
    assert_eq!(check_all(Time::ZERO, &twice).unwrap_err().index, 1);
    assert_eq!(limit.peek_at(Time::ZERO, 0).remaining(), 3);
}

#[test]
fn suffixes_and_counts_of_a_quota_are_what_they_say() {
    for (text, amount) in [
        ("3k/s", 3_000),
        ("3K/s", 3_000),
        ("3M/s", 3_000_000),
        ("3G/s", 3_000_000_000),
        ("3Ki/s", 3 << 10),
        ("3Mi/s", 3 << 20),
        ("3Gi/s", 3 << 30),
        ("3_000/s", 3_000),
    ] {
        let quota: Quota = text.parse().unwrap();
        assert_eq!(quota.rate().amount(), amount, "{text}");
        assert_eq!(quota.rate().period_nanos(), SECOND, "{text}");
    }
    assert_eq!("5/7min burst 2Ki".parse(), Ok(quota(5, 7 * 60 * SECOND, 2_048)));
}

/// A counter whose clock steps back into the last window counts as at the start of the newest: by
/// the later part of that window less of the oldest would be left.
#[test]
fn a_counter_whose_clock_steps_back_counts_nothing_less() {
    let mut counter = Local::new(SlidingCounter::<1>::new(quota(10, 10 * SECOND, 10)));
    assert!(counter.check_at(Time::from_secs(5), 10).is_allowed());
    assert!(counter.check_at(Time::from_secs(15), 5).is_allowed());
    assert!(!counter.check_at(Time::from_secs(9), 1).is_allowed());
    assert!(!counter.check_at(Time::from_secs(15), 1).is_allowed());
    assert!(counter.check_at(Time::from_secs(16), 1).is_allowed());
}

/// A charge that finds the log full goes to the newest instant, which moves to now: all of it
/// leaves later than it came, and nothing sooner.
#[test]
fn a_charge_into_a_full_log_stays_its_whole_window() {
    let mut log = Local::new(SlidingLog::<2>::new(quota(5, 10 * SECOND, 5)));
    let at = |ms: u64| Time::from_millis(ms);
    assert!(log.check_at(at(0), 1).is_allowed());
    assert!(log.check_at(at(1_000), 1).is_allowed());
    let _ = log.charge_at(at(2_000), 3);
    assert!(!log.check_at(at(2_000), 1).is_allowed());
    assert_eq!(log.peek_at(at(10_000), 0).remaining(), 1);
    assert_eq!(log.peek_at(at(11_999), 0).remaining(), 1);
    assert_eq!(log.peek_at(at(12_000), 0).remaining(), 5);
}

#[test]
fn a_reservation_waits_as_long_as_it_may_and_no_longer() {
    let mut limit = Local::new(Gcra::new(quota(1, SECOND, 2)));
    assert!(limit.check_at(Time::ZERO, 2).is_allowed());
    let wait = Duration::from_secs(1);
    let nano = Duration::from_nanos(1);
    assert!(limit.reserve_at(Time::ZERO, 1, wait - nano).is_err());
    let (_, ready) = limit.reserve_at(Time::ZERO, 1, wait).unwrap();
    assert_eq!(ready, Time::ZERO + wait);
}

#[test]
fn a_committed_reservation_stays_charged_and_a_dropped_one_does_not() {
    let limiter = limiter(3);
    let grant = limiter.reserve(2, Duration::ZERO).unwrap().commit();
    assert_eq!((grant.cost(), limiter.peek(0).remaining()), (2, 1));
    drop(limiter.reserve(1, Duration::ZERO).unwrap());
    assert_eq!(limiter.peek(0).remaining(), 1);
    assert_eq!(limiter.reserve(1, Duration::ZERO).unwrap().cancel(), 1);
    assert_eq!(limiter.peek(0).remaining(), 1);
}

#[test]
fn a_grant_of_another_quota_is_not_given_back_by_its_owner_either() {
    // A unit of the one is sixty of the other, both ways.
    for (was, is) in [(1, 60), (60, 1)] {
        let mut limit = Local::new(Gcra::new(quota(1, was * SECOND, 10)));
        let grant = limit.check_at(Time::ZERO, 5).ok().unwrap();
        limit.set_quota_at(Time::ZERO, quota(1, is * SECOND, 10), Carry::Used);
        assert_eq!(limit.refund_at(Time::ZERO, &grant, 5), 0);
        assert_eq!(limit.peek_at(Time::ZERO, 0).remaining(), 5);
    }
}
