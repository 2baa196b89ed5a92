//! The same verbs on every algorithm, held by one owner and shared, against what they say.
#![cfg(feature = "std")]

use archstone_ratelimit::*;
use proptest::prelude::*;
use std::time::Duration;

const START: Time = Time::from_secs(1_000_000);

/// Runs `test` on each algorithm whose quota is ten, in a window or a burst of one minute or more.
macro_rules! each {
    ($test:ident) => {{
        let ten = Quota::per_minute(10);
        $test(Gcra::new(ten), "gcra");
        $test(TokenBucket::new(ten), "token bucket");
        $test(LeakyBucket::new(ten), "leaky bucket");
        $test(IntervalBucket::new(ten, Time::ZERO), "interval bucket");
        $test(FixedWindow::new(ten), "fixed window");
        $test(CalendarWindow::new(10, Every::Day), "calendar window");
        $test(SlidingLog::<32>::new(ten), "sliding log");
        $test(SlidingCounter::<1>::new(ten), "sliding counter of one part");
        $test(SlidingCounter::<8>::new(ten), "sliding counter of eight parts");
        $test(SlidingCounter::<4>::new(ten).conservative(), "conservative counter");
    }};
}

fn check_and_deny<A: Algorithm>(rule: A, name: &str) {
    let (mut local, shared) = (Local::new(rule), Shared::new(rule));
    for left in (0..10).rev() {
        assert_eq!(local.check_at(START, 1).remaining(), left, "{name}");
        assert_eq!(shared.check_at(START, 1).remaining(), left, "{name}");
    }
    let (denied, other) = (local.check_at(START, 1), shared.check_at(START, 1));
    assert!(!denied.is_allowed(), "{name}");
    assert_eq!((denied.retry_after(), denied.remaining()), (other.retry_after(), 0), "{name}");
    let wait = denied.retry_after().unwrap().duration().unwrap();
    assert!(wait > Duration::ZERO, "{name}");
    // Denied, peeked at, asked for nothing: the wait stays what it was.
    for _ in 0..5 {
        let _ = (local.peek_at(START, 3), local.check_at(START, 0), local.check_at(START, 11));
    }
    let early = START + wait - Duration::from_nanos(1);
    assert!(!local.peek_at(early, 1).is_allowed(), "{name}");
    assert_eq!(local.more_after_at(START), wait, "{name}");
    assert_eq!(shared.more_after_at(START), wait, "{name}");
    assert!(local.check_at(START + wait, 1).is_allowed(), "{name}");
    assert_eq!(local.check_at(START, 11).retry_after(), Some(RetryAfter::Never), "{name}");
}

fn peek_changes_nothing<A: Algorithm>(rule: A, name: &str) {
    let mut local = Local::new(rule);
    assert!(local.check_at(START, 4).is_allowed(), "{name}");
    for cost in [0, 1, 6, 7, 10, u64::MAX] {
        let (peeked, before) = (local.peek_at(START, cost), *local.state());
        assert_eq!(*local.state(), before, "{name}");
        let mut copy = local;
        let checked = copy.check_at(START, cost);
        assert_eq!(peeked.is_allowed(), checked.is_allowed(), "{name} {cost}");
        assert_eq!(peeked.retry_after(), checked.retry_after(), "{name} {cost}");
        assert_eq!(checked.is_allowed(), cost <= 6, "{name} {cost}");
    }
}

fn refund_gives_back_at_once_and_no_more<A: Algorithm>(rule: A, name: &str) {
    let (mut local, shared) = (Local::new(rule), Shared::new(rule));
    for limit in [&mut local as &mut dyn Verbs, &mut &shared] {
        let first = limit.check(7).ok().unwrap();
        let second = limit.check(3).ok().unwrap();
        assert!(!limit.check(1).is_allowed(), "{name}");
        assert_eq!(limit.refund(&first, 5), 5, "{name}");
        assert_eq!(limit.check(6).remaining(), 5, "{name}");
        assert_eq!(limit.refund(&second, 99), 3, "{name}: not more than the grant");
        assert!(limit.check(8).ok().is_ok(), "{name}");
        assert!(!limit.check(1).is_allowed(), "{name}");
    }
}

/// What the test of refunds needs of both holders.
trait Verbs {
    fn check(&mut self, cost: u64) -> Verdict;
    fn refund(&mut self, grant: &Grant, units: u64) -> u64;
}

impl<A: Algorithm> Verbs for Local<A> {
    fn check(&mut self, cost: u64) -> Verdict {
        self.check_at(START, cost)
    }
    fn refund(&mut self, grant: &Grant, units: u64) -> u64 {
        self.refund_at(START, grant, units)
    }
}

impl<A: Algorithm> Verbs for &Shared<A> {
    fn check(&mut self, cost: u64) -> Verdict {
        self.check_at(START, cost)
    }
    fn refund(&mut self, grant: &Grant, units: u64) -> u64 {
        self.refund_at(START, grant, units)
    }
}

fn charge_goes_into_debt_and_the_debt_is_waited_out<A: Algorithm>(rule: A, name: &str) {
    let mut in_debt = Local::new(rule);
    let mut used_up = Local::new(rule);
    let _ = (in_debt.charge_at(START, 25), used_up.charge_at(START, 10));
    let wait = |limit: &Local<A>| {
        limit.peek_at(START, 1).retry_after().and_then(RetryAfter::duration).unwrap()
    };
    assert_eq!(in_debt.peek_at(START, 0).remaining(), 0, "{name}");
    assert!(wait(&in_debt) >= wait(&used_up), "{name}");
    assert!(rule.used(in_debt.state(), START) >= 25 << 32, "{name}: the debt is counted in full");
    let then = START + wait(&in_debt);
    assert!(!in_debt.peek_at(then - Duration::from_nanos(1), 1).is_allowed(), "{name}");
    assert!(in_debt.check_at(then, 1).is_allowed(), "{name}");
}

fn take_up_to_takes_what_is_there<A: Algorithm>(rule: A, name: &str) {
    let (mut local, shared) = (Local::new(rule), Shared::new(rule));
    assert_eq!(local.take_up_to_at(START, 4).cost(), 4, "{name}");
    assert_eq!(local.take_up_to_at(START, 40).cost(), 6, "{name}");
    assert_eq!(local.take_up_to_at(START, 40).cost(), 0, "{name}");
    assert_eq!(shared.take_up_to_at(START, u64::MAX).cost(), 10, "{name}");
}

fn quota_changes_carry_what_was_used<A: Algorithm>(rule: A, name: &str) {
    let next = Quota::per_minute(20);
    let left = |how, charged| {
        let (mut local, mut shared) = (Local::new(rule), Shared::new(rule));
        let tunable = Shared::tunable(rule);
        let _ = (local.charge_at(START, charged), shared.charge_at(START, charged));
        let _ = tunable.charge_at(START, charged);
        local.set_quota_at(START, next, how);
        shared.set_quota_at(START, next, how);
        tunable.set_quota_at(START, next, how);
        assert_eq!(tunable.quota().burst(), 20, "{name}");
        let left = local.peek_at(START, 0).remaining();
        assert_eq!(shared.peek_at(START, 0).remaining(), left, "{name} {how:?}");
        // It moves a state that was frozen by one unit at most, towards denial.
        assert!(tunable.peek_at(START, 0).remaining().abs_diff(left) <= 1, "{name} {how:?}");
        left
    };
    assert_eq!(left(Carry::Used, 6), 14, "{name}");
    assert_eq!(left(Carry::Used, 30), 0, "{name}");
    assert_eq!(left(Carry::Proportional, 6), 8, "{name}");
    assert_eq!(left(Carry::Tokens, 6), 4, "{name}");
    assert_eq!(left(Carry::Full, 6), 20, "{name}");
    assert_eq!(left(Carry::Empty, 6), 0, "{name}");
}

fn a_promise_is_kept_or_not_made<A: Algorithm>(rule: A, name: &str) {
    let mut local = Local::new(rule);
    assert!(local.check_at(START, 10).is_allowed(), "{name}");
    let before = *local.state();
    // Not within no time, whatever the algorithm; then within a month, for those that promise.
    let denial = local.reserve_at(START, 2, Duration::ZERO).unwrap_err();
    assert_eq!(*local.state(), before, "{name}: a refused reservation costs nothing");
    let wait = denial.retry_after().duration().unwrap();
    if let Ok((grant, ready)) = local.reserve_at(START, 2, Duration::from_secs(2_678_400)) {
        assert_eq!(ready, START + wait, "{name}");
        assert_eq!(local.refund_at(START, &grant, 2), 2, "{name}");
        assert_eq!(local.peek_at(START, 2).retry_after().unwrap().duration(), Some(wait), "{name}");
    }
}

#[test]
fn every_algorithm_checks_and_denies_with_the_true_wait() {
    each!(check_and_deny);
}

#[test]
fn every_algorithm_peeks_without_a_trace() {
    each!(peek_changes_nothing);
}

#[test]
fn every_algorithm_refunds_what_was_granted_and_no_more() {
    each!(refund_gives_back_at_once_and_no_more);
}

#[test]
fn every_algorithm_charges_into_debt() {
    each!(charge_goes_into_debt_and_the_debt_is_waited_out);
}

#[test]
fn every_algorithm_takes_up_to_what_is_there() {
    each!(take_up_to_takes_what_is_there);
}

#[test]
fn every_algorithm_carries_what_was_used_to_another_quota() {
    each!(quota_changes_carry_what_was_used);
}

#[test]
fn every_algorithm_keeps_its_promises_or_makes_none() {
    each!(a_promise_is_kept_or_not_made);
}

#[test]
fn windows_and_intervals_begin_at_their_origin() {
    let (origin, minute) = (Time::from_secs(1_017), Duration::from_secs(60));
    let quota = Quota::per_minute(1);
    let mut window = Local::new(FixedWindow::with_origin(quota, origin));
    let mut bucket = Local::new(IntervalBucket::new(quota, origin));
    let just_before = |at: Time| at - Duration::from_nanos(1);
    for limit in [&mut window as &mut dyn FnCheck, &mut bucket] {
        // What comes before the origin counts as in the first.
        assert!(limit.passes(just_before(origin)));
        assert!(!limit.passes(origin));
        assert!(!limit.passes(just_before(origin + minute)));
        assert!(limit.passes(origin + minute));
        assert!(!limit.passes(just_before(origin + 2 * minute)));
        assert!(limit.passes(origin + 2 * minute));
    }
}

trait FnCheck {
    fn passes(&mut self, now: Time) -> bool;
}

impl<A: Algorithm> FnCheck for Local<A> {
    fn passes(&mut self, now: Time) -> bool {
        self.check_at(now, 1).is_allowed()
    }
}

#[test]
fn a_warm_up_is_slow_when_cold_and_the_next_caller_pays() {
    // Ten a second, cold three times as slow, warm after four seconds.
    let rule = WarmUp::new(Quota::per_second(10), Duration::from_secs(4), 3);
    let mut limit = Local::new(rule);
    let gap = |limit: &mut Local<WarmUp>, at: Time| {
        assert!(limit.check_at(at, 1).is_allowed());
        limit.check_at(at, 1).retry_after().unwrap().duration().unwrap()
    };
    let mut at = START;
    let mut gaps = Vec::new();
    for _ in 0..60 {
        let wait = gap(&mut limit, at);
        gaps.push(wait.as_micros());
        at += wait;
    }
    assert!(
        (290_000..=300_000).contains(&gaps[0]),
        "the first takes three times as long: {gaps:?}"
    );
    assert!(gaps.windows(2).all(|pair| pair[1] <= pair[0]), "each is faster: {gaps:?}");
    assert_eq!(gaps[59], 100_000, "and then it is warm");
    // The debt of a large cost is the next caller's.
    assert!(limit.check_at(at, 50).is_allowed());
    assert!(limit.check_at(at, 1).retry_after().unwrap().duration().unwrap().as_secs() >= 5);
}

#[test]
fn calendar_windows_begin_where_the_calendar_says() {
    let at = |secs| Time::from_secs(secs);
    // 2024-02-29T23:59:59Z and the first second of March; one zone east it is March already.
    let (leap, march) = (at(1_709_251_199), at(1_709_251_200));
    for (every, same) in [
        (Every::Minute, false),
        (Every::Hour, false),
        (Every::Day, false),
        (Every::Week, true),
        (Every::Month, false),
        (Every::Year, true),
    ] {
        let mut limit = Local::new(CalendarWindow::new(1, every));
        assert!(limit.check_at(leap, 1).is_allowed(), "{every:?}");
        assert_eq!(limit.check_at(march, 1).is_allowed(), !same, "{every:?}");
    }
    let mut berlin = Local::new(CalendarWindow::with_offset(1, Every::Month, 3_600));
    assert!(berlin.check_at(leap, 1).is_allowed());
    assert!(!berlin.check_at(march, 1).is_allowed(), "both are in March there");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// What a striped limiter denies too early is bounded as it says: when it denies, one exact
    /// bucket with the same history has less left than was asked for and may be stranded.
    #[test]
    fn a_striped_limiter_denies_too_early_by_no_more_than_it_says(
        amount in 1_u64..50, burst in 1_u64..300, stripes in 1_usize..6,
        steps in prop::collection::vec((0_u64..50_000_000, 0_usize..6, 1_u64..60), 1..200),
    ) {
        let quota = Quota::new(Rate::new(amount, Duration::from_secs(1)).unwrap()).with_burst(burst);
        let striped = Striped::new(quota, stripes);
        let mut exact = Local::new(Gcra::new(quota));
        let mut now = START;
        for (step, stripe, cost) in steps {
            now += Duration::from_nanos(step);
            match striped.check_in_at(stripe, now, cost) {
                Ok(()) => prop_assert!(exact.check_at(now, cost).is_allowed(), "over-admitted"),
                Err(_) => {
                    let early = striped.stranded();
                    prop_assert!(4 * early <= burst);
                    let left = exact.peek_at(now, 0).remaining();
                    prop_assert!(left < cost + early, "denied {cost} with {left} left, {early} stranded");
                }
            }
        }
    }

    /// The queue of a shaper is the plain one: a deque, and departures a rate apart.
    #[test]
    fn a_shaper_queue_is_a_bounded_deque_polled_at_the_rate(
        amount in 1_u64..1_000, capacity in 0_usize..6, lifo: bool,
        steps in prop::collection::vec((0_u64..5_000_000, any::<bool>(), 1_u64..3), 1..200),
    ) {
        let order = if lifo { Order::Lifo } else { Order::Fifo };
        let mut queue = ShaperQueue::new(Rate::new(amount, Duration::from_secs(1)).unwrap(), capacity, order);
        let mut model = std::collections::VecDeque::new();
        let (mut now, mut free) = (START, Time::ZERO);
        for (number, (step, offer, cost)) in steps.into_iter().enumerate() {
            now += Duration::from_nanos(step);
            if offer {
                let refused = queue.offer(cost, number).err();
                model.push_back((cost, number));
                let expected = (model.len() > capacity).then(|| {
                    if lifo && capacity > 0 { model.pop_front() } else { model.pop_back() }
                });
                prop_assert_eq!(refused, expected.flatten().map(|(_, number)| number));
            } else {
                let due = queue.next_departure();
                prop_assert_eq!(due.is_some(), !model.is_empty());
                let polled = queue.poll(now);
                prop_assert_eq!(polled.is_some(), due.is_some_and(|due| due <= now));
                if polled.is_some() {
                    let (cost, number) = if lifo { model.pop_back() } else { model.pop_front() }.unwrap();
                    prop_assert_eq!(polled, Some(number));
                    prop_assert!(now + Duration::from_nanos(1) >= free, "two left too close");
                    free = now + Duration::from_nanos(cost * 1_000_000_000 / amount);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert!(queue.len() <= queue.capacity());
        }
    }
}

#[test]
fn an_outage_is_answered_as_the_policy_says() {
    assert!(OnOutage::FailOpen.admits());
    assert!(!OnOutage::FailClosed.admits());
}

#[cfg(feature = "serde")]
#[test]
fn quotas_and_rates_are_text_in_every_format() {
    let quota: Quota = serde_json::from_str("\"100/min burst 20\"").unwrap();
    assert_eq!(quota, Quota::per_minute(100).with_burst(20));
    assert_eq!(serde_json::to_string(&quota).unwrap(), "\"100/min burst 20\"");
    let rate: Rate = serde_json::from_str("\"5k per 2 h\"").unwrap();
    assert_eq!((rate.amount(), rate.period()), (5_000, Duration::from_secs(7_200)));
    for bad in ["\"100/m\"", "\"\"", "100", "null", "\"100/min burst\"", "\"1/0s\""] {
        assert!(serde_json::from_str::<Quota>(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_quota_is_a_const() {
    const RATE: Result<Rate, QuotaError> = Rate::new(5_000_000_000, Duration::from_secs(1));
    static RULE: Gcra = Gcra::new(Quota::per_hour(7).with_burst(3));
    assert!(RATE.is_ok());
    assert_eq!(RULE.quota(), "7/h burst 3".parse().unwrap());
}

/// A lane that is dropped puts back what it holds, not more and not less: with the shared bucket
/// full again, what passes is the burst.
#[test]
fn a_lane_puts_back_what_it_holds() {
    let striped = Striped::new(Quota::per_second(1).with_burst(64), 1);
    assert_eq!(striped.batch(), 8);
    let mut lane = striped.lane().unwrap();
    assert!(lane.check_at(START, 1).is_ok());
    drop(lane);
    let later = START + Duration::from_secs(100);
    let passed = (0..100).filter(|_| striped.check_in_at(0, later, 1).is_ok()).count();
    assert_eq!(passed, 56 + 7, "the shared bucket, and what the lane had left");
}

#[test]
fn a_shaper_queue_is_polled_at_the_nanosecond_it_names() {
    let mut queue = ShaperQueue::new(Rate::per_second(10), 4, Order::Fifo);
    assert_eq!((queue.offer(1, 'a'), queue.offer(1, 'b')), (Ok(()), Ok(())));
    assert_eq!(queue.poll(START), Some('a'));
    let next = queue.next_departure().unwrap();
    assert_eq!(next, START + Duration::from_millis(100));
    assert_eq!(queue.poll(next - Duration::from_nanos(1)), None);
    assert_eq!(queue.poll(next), Some('b'));
}

#[test]
fn a_request_that_leaves_the_queue_of_a_shaper_makes_room() {
    let shaper = Shaper::new(Rate::per_second(10), 2);
    let _first = shaper.offer_at(START, 1).unwrap();
    let second = shaper.offer_at(START, 1).unwrap();
    assert!(shaper.offer_at(START, 1).is_err());
    assert_eq!(shaper.cancel_at(START, &second), 1);
    assert_eq!(shaper.backlog_at(START), 1);
    assert_eq!(shaper.offer_at(START, 1).unwrap().at, second.at);
}
