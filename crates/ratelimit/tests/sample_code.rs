//! The faults of the limiters that are usually shown in books and interviews, as tests that ours
//! has none of them.
#![cfg(feature = "std")]

use archstone_ratelimit::*;
use std::time::Duration;

#[test]
fn a_leaky_bucket_that_is_polled_faster_than_it_leaks_still_leaks() {
    let mut bucket = Local::new(LeakyBucket::new(Quota::per_second(1).with_burst(5)));
    assert!(bucket.check_at(Time::ZERO, 5).is_allowed());
    // `(int)(elapsed * rate)` then `last = now` loses every fraction: it would never pass again.
    let passed =
        (1..=5_000).filter(|ms| bucket.check_at(Time::from_millis(*ms), 1).is_allowed()).count();
    assert_eq!(passed, 5);
}

#[test]
fn a_token_bucket_does_not_drift_over_a_million_polls() {
    let mut bucket = Local::new(TokenBucket::new(Quota::per_second(3).with_burst(1)));
    let passed =
        (0..1_000_000_u64).filter(|n| bucket.check_at(Time::from_micros(n * 7), 1).is_allowed());
    // 7 s at 3 a second, and the one it began with.
    assert_eq!(passed.count(), 21);
}

#[test]
fn requests_of_the_same_instant_are_counted_each() {
    // A log whose entries are keyed by the millisecond lets 100 of 100 pass.
    let mut log = Local::new(SlidingLog::<10>::new(Quota::per_second(10)));
    let now = Time::from_millis(77);
    assert_eq!((0..100).filter(|_| log.check_at(now, 1).is_allowed()).count(), 10);
}

#[test]
fn a_debt_longer_than_an_hour_is_not_forgotten() {
    // A fixed expiry of 3600 s turns one in two hours into one an hour.
    let slow = Rate::new(1, Duration::from_secs(7_200)).unwrap();
    let keyed: Keyed<u64> = Keyed::new(Gcra::new(slow.into()));
    assert!(keyed.check_at(Time::ZERO, &1, 1).is_allowed());
    for shard in 0..keyed.shards() {
        keyed.expire_at(Time::from_secs(3_601), shard);
    }
    assert!(!keyed.check_at(Time::from_secs(3_601), &1, 1).is_allowed());
    assert!(keyed.check_at(Time::from_secs(7_200), &1, 1).is_allowed());
}

#[test]
fn a_denied_request_is_not_counted() {
    let mut window = Local::new(FixedWindow::new(Quota::per_minute(5)));
    assert_eq!((0..50).filter(|_| window.check_at(Time::ZERO, 1).is_allowed()).count(), 5);
    let used = window.rule().used(window.state(), Time::ZERO) >> 32;
    assert_eq!(used, 5);
}

#[test]
fn two_windows_pass_twice_the_limit_around_their_edge_and_a_sliding_one_does_not() {
    let burst = |at| (0..100).map(move |_| Time::from_millis(at));
    let attack = || burst(59_999).chain(burst(60_001));
    let mut fixed = Local::new(FixedWindow::new(Quota::per_minute(100)));
    assert_eq!(attack().filter(|at| fixed.check_at(*at, 1).is_allowed()).count(), 200);
    let mut sliding = Local::new(SlidingCounter::<8>::new(Quota::per_minute(100)));
    assert_eq!(attack().filter(|at| sliding.check_at(*at, 1).is_allowed()).count(), 100);
}

#[test]
fn dimensions_before_the_one_that_refuses_are_not_charged() {
    let user = Shared::new(Gcra::new(Quota::per_minute(1_000)));
    let address = Shared::new(Gcra::new(Quota::per_minute(100)));
    let passed = (0..500)
        .filter(|_| check_all(Time::ZERO, &[Part::new(&user, 1), Part::new(&address, 1)]).is_ok())
        .count();
    assert_eq!(passed, 100);
    assert_eq!(user.peek_at(Time::ZERO, 0).remaining(), 900);
}

#[test]
fn a_weighted_request_is_refused_with_some_left_and_told_when() {
    let mut bucket = Local::new(Gcra::new(Quota::per_second(10)));
    assert_eq!(bucket.check_at(Time::ZERO, 7).remaining(), 3);
    let denied = bucket.check_at(Time::ZERO, 5);
    assert_eq!(denied.remaining(), 3);
    assert_eq!(denied.retry_after(), Some(RetryAfter::After(Duration::from_millis(200))));
}
