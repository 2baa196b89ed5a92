//! The contract, R1 to R7, against plain models.
#![cfg(feature = "std")]

mod common;

use archstone_ratelimit::*;
use common::Exact;
use proptest::prelude::*;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// Amount, period and burst of every kind: slow, fast, prime, round.
fn quotas() -> impl Strategy<Value = (u64, u64, u64)> {
    let period = prop_oneof![
        Just(SECOND),
        Just(60 * SECOND),
        Just(3_600 * SECOND),
        Just(13 * SECOND),
        Just(365 * 86_400 * SECOND),
        1..=10 * SECOND,
    ];
    let amount =
        prop_oneof![1_u64..=20, Just(1_000_003), Just(700_000_000), 1_u64..=10_000_000_000];
    let burst = prop_oneof![1_u64..=30, 1_u64..=1_000_000];
    (amount, period, burst)
        .prop_map(|(amount, period, burst)| (amount.min(10 * period), period, burst))
}

fn quota((amount, period, burst): (u64, u64, u64)) -> Quota {
    Quota::new(Rate::new(amount, Duration::from_nanos(period)).unwrap()).with_burst(burst)
}

/// Steps of time in twentieths of the emission interval, and costs.
fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let step = prop_oneof![4 => 0_u64..60, 1 => 0_u64..4_000];
    let cost = prop_oneof![6 => Just(1_u64), 2 => 1_u64..6, 1 => 0_u64..1_000_001];
    prop::collection::vec((step, cost), 1..120)
}

/// The instants of those steps.
fn walk(amount: u64, period: u64, steps: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut now = 0_u64;
    let interval = u128::from(period) / u128::from(amount);
    let advance = |step: u64| (interval * u128::from(step) / 20) as u64 + step % 3;
    steps
        .iter()
        .map(|(step, cost)| {
            now = now.saturating_add(advance(*step)).min(u64::MAX / 64);
            (now, *cost)
        })
        .collect()
}

/// For every window, what passed in it against what may: exact, in `1 / amount` of a nanosecond.
fn never_over(passed: &[(u64, u64)], (amount, period, burst): (u64, u64, u64)) {
    for (first, &(from, _)) in passed.iter().enumerate() {
        let mut sum = 0_u128;
        for &(to, cost) in &passed[first..] {
            sum += u128::from(cost);
            let flow = u128::from(to - from) * u128::from(amount) / u128::from(period);
            assert!(sum <= u128::from(burst) + flow, "{sum} in [{from}, {to}] of {burst} + {flow}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r1_no_window_admits_more_than_burst_and_rate(q in quotas(), steps in steps()) {
        let mut ours = Local::new(Gcra::new(quota(q)));
        let passed: Vec<_> = walk(q.0, q.1, &steps)
            .into_iter()
            .filter(|&(now, cost)| ours.check_at(Time::from_nanos(now), cost).is_allowed())
            .collect();
        never_over(&passed, q);
    }

    #[test]
    fn r1_what_rational_arithmetic_denies_is_denied_and_the_rest_is_within_a_tick(
        q in quotas(), steps in steps()
    ) {
        let rule = Gcra::new(quota(q));
        // The tick in nanoseconds, rounded up: a check so much later must pass.
        let tick = rule.tick_nanos().ceil() as u64;
        let mut ours = Local::new(rule);
        let mut exact = Exact::new(q.0, q.1, q.2);
        for (now, cost) in walk(q.0, q.1, &steps) {
            let mut later = exact.clone();
            let passes = exact.check(now, cost);
            let verdict = ours.check_at(Time::from_nanos(now), cost);
            if verdict.is_allowed() && !passes {
                prop_assert!(false, "passed at {now} what exact arithmetic denies");
            }
            if passes && !verdict.is_allowed() {
                let retry = verdict.retry_after().unwrap().duration().unwrap();
                prop_assert!(retry.as_nanos() <= u128::from(tick), "{retry:?} over {tick}");
                // Follow it: both take it then.
                let then = now + retry.as_nanos() as u64;
                prop_assert!(later.check(then, cost));
                exact = later;
                prop_assert!(ours.check_at(Time::from_nanos(then), cost).is_allowed());
            }
        }
    }

    #[test]
    fn r1_what_passes_at_the_end_of_its_wait_passes_in_rational_arithmetic(
        q in quotas(), steps in steps()
    ) {
        // The instants at which rounding shows: the first one at which a denied cost passes.
        let mut ours = Local::new(Gcra::new(quota(q)));
        let mut exact = Exact::new(q.0, q.1, q.2);
        let mut now = 0_u64;
        for (step, cost) in steps {
            now = now.saturating_add(step).min(u64::MAX / 64);
            let verdict = ours.check_at(Time::from_nanos(now), cost);
            if let Some(RetryAfter::After(wait)) = verdict.retry_after() {
                now = now.saturating_add(wait.as_nanos() as u64);
                if now > u64::MAX / 64 {
                    break;
                }
                prop_assert!(ours.check_at(Time::from_nanos(now), cost).is_allowed());
            } else if !verdict.is_allowed() {
                continue;
            }
            prop_assert!(exact.check(now, cost), "passed at {now} what exact arithmetic denies");
        }
    }

    #[test]
    fn r2_a_denied_cost_passes_after_its_wait_and_not_a_nanosecond_sooner(
        q in quotas(), steps in steps()
    ) {
        honest(Gcra::new(quota(q)), q, &steps)?;
        honest(IntervalBucket::new(quota(q), Time::ZERO), q, &steps)?;
        honest(FixedWindow::new(quota(q)), q, &steps)?;
        honest(SlidingCounter::<1>::new(quota(q)), q, &steps)?;
        honest(SlidingCounter::<8>::new(quota(q)), q, &steps)?;
        honest(SlidingCounter::<3>::new(quota(q)).conservative(), q, &steps)?;
        honest(SlidingLog::<16>::new(quota(q)), q, &steps)?;
        honest(WarmUp::new(quota(q), Duration::from_secs(3), 3), q, &steps)?;
        honest(CalendarWindow::new(q.2, Every::Month), q, &steps)?;
    }

    #[test]
    fn r4_a_clock_that_steps_back_lets_nothing_more_pass(
        q in quotas(), steps in steps(), back in prop::collection::vec(any::<u16>(), 120)
    ) {
        // Between any two checks, what passes is bounded by how far apart the clock ever read: a
        // step back and forth is not time that has passed.
        let mut ours = Local::new(Gcra::new(quota(q)));
        let mut passed = Vec::new();
        for ((now, cost), back) in walk(q.0, q.1, &steps).into_iter().zip(back) {
            let early = now.saturating_sub(u64::from(back) * (now / 70_000));
            if ours.check_at(Time::from_nanos(early), cost).is_allowed() {
                passed.push((early, cost));
            }
        }
        for first in 0..passed.len() {
            let (mut least, mut most, mut sum) = (u64::MAX, 0, 0_u128);
            for &(at, cost) in &passed[first..] {
                (least, most, sum) = (least.min(at), most.max(at), sum + u128::from(cost));
                let flow = u128::from(most - least) * u128::from(q.0) / u128::from(q.1);
                prop_assert!(sum <= u128::from(q.2) + flow);
            }
        }
    }

    #[test]
    fn r6_no_order_of_refunds_lets_more_pass(
        q in quotas(), steps in steps(), picks in prop::collection::vec(any::<u8>(), 120)
    ) {
        // What passed and was not given back must obey the same bound.
        let mut ours = Local::new(Gcra::new(quota(q)));
        // Beside it the limit that threads share, which counts what it gave back in atomics.
        let shared = Shared::new(Gcra::new(quota(q)));
        let mut held: Vec<(u64, Grant, u64)> = Vec::new();
        let mut held_shared: Vec<Grant> = Vec::new();
        for ((now, cost), pick) in walk(q.0, q.1, &steps).into_iter().zip(picks) {
            let at = Time::from_nanos(now);
            if pick % 3 == 0 && !held.is_empty() {
                let which = usize::from(pick) % held.len();
                let (_, grant, left) = held[which];
                let given = ours.refund_at(at, &grant, left);
                prop_assert!(given <= left);
                prop_assert_eq!(shared.refund_at(at, &held_shared[which], left), given);
                held[which].2 = 0;
                held[which].2 += left - given;
                // A grant is given back once.
                if given > 0 {
                    held[which].1 = dead(&ours, at);
                    held_shared[which] = dead(&ours, at);
                }
            } else {
                let verdict = shared.check_at(at, cost);
                if let Verdict::Allow(grant) = ours.check_at(at, cost) {
                    held.push((now, grant, cost));
                    held_shared.extend(verdict.ok());
                }
                prop_assert_eq!(held.len(), held_shared.len());
            }
        }
        let passed: Vec<_> = held.iter().map(|(now, _, left)| (*now, *left)).collect();
        never_over(&passed, q);
    }

    #[test]
    fn r7_a_compound_charges_all_or_none(
        limits in prop::collection::vec((1_u64..20, 1_u64..10), 4..=4),
        steps in prop::collection::vec((0_u64..400, 1_u64..4), 1..60),
    ) {
        // Whole milliseconds, which round in no such rate.
        let limits: Vec<_> = limits
            .iter()
            .map(|&(amount, burst)| Shared::new(Gcra::new(quota((amount, SECOND, burst)))))
            .collect();
        let mut now = Time::ZERO;
        for (step, cost) in steps {
            now += Duration::from_millis(step);
            let parts: [Part<'_>; 4] = std::array::from_fn(|i| Part::new(&limits[i], cost));
            let before: Vec<_> = limits.iter().map(|limit| limit.peek_at(now, 0).remaining()).collect();
            let result = check_all(now, &parts);
            let after: Vec<_> = limits.iter().map(|limit| limit.peek_at(now, 0).remaining()).collect();
            match result {
                Ok(_) => {
                    for (before, after) in before.iter().zip(&after) {
                        prop_assert_eq!(before - cost, *after);
                    }
                }
                Err(blocked) => {
                    prop_assert_eq!(&before, &after);
                    // The wait is the longest of all that deny.
                    let waits: Vec<_> =
                        limits.iter().filter_map(|limit| limit.peek_at(now, cost).retry_after()).collect();
                    prop_assert_eq!(Some(blocked.retry_after()), waits.into_iter().max());
                    prop_assert!(limits[blocked.index].peek_at(now, cost).retry_after().is_some());
                }
            }
        }
    }

    #[test]
    fn striped_never_admits_more_than_one_exact_bucket(
        amount in 1_u64..50, burst in 1_u64..200, stripes in 1_usize..6,
        steps in prop::collection::vec((0_u64..200_000_000, 0_usize..6, 1_u64..5), 1..300),
    ) {
        let q = (amount, SECOND, burst);
        let striped = Striped::new(quota(q), stripes);
        let mut now = 0;
        let mut passed = Vec::new();
        let mut lane = striped.lane();
        for (step, stripe, cost) in steps {
            now += step;
            let at = Time::from_nanos(now);
            let taken = match (&mut lane, stripe) {
                (Some(lane), 0) => lane.check_at(at, cost),
                _ => striped.check_in_at(stripe, at, cost),
            };
            if taken.is_ok() {
                passed.push((now, cost));
            }
        }
        never_over(&passed, q);
    }

    #[test]
    fn departures_of_a_shaper_are_never_closer_than_the_rate(
        amount in 1_u64..1_000, queue in 1_u64..50,
        steps in prop::collection::vec((0_u64..50_000_000, 1_u64..4), 1..200),
    ) {
        let rate = Rate::new(amount, Duration::from_secs(1)).unwrap();
        let shaper = Shaper::new(rate, queue);
        let (mut now, mut last) = (0_u64, None::<(u64, u64)>);
        for (step, cost) in steps {
            now += step;
            if let Ok(departure) = shaper.offer_at(Time::from_nanos(now), cost) {
                let at = departure.at.as_nanos();
                prop_assert!(at >= now);
                if let Some((before, paid)) = last {
                    // Rounded to the nanosecond: a nanosecond short at the most.
                    prop_assert!((at - before + 1) * amount >= paid * SECOND);
                }
                let waits = u128::from(at - now) * u128::from(amount);
                prop_assert!(waits <= u128::from(queue) * u128::from(SECOND));
                last = Some((at, cost));
            }
        }
    }

    #[test]
    fn the_conservative_counter_is_never_over_any_window_of_its_length(
        limit in 1_u64..12, steps in prop::collection::vec((0_u64..40, 1_u64..3), 1..200),
    ) {
        const WINDOW: u64 = 100;
        let q = quota((limit, WINDOW, limit));
        let mut ours = Local::new(SlidingCounter::<4>::new(q).conservative());
        let (mut now, mut passed) = (0, Vec::new());
        for (step, cost) in steps {
            now += step;
            if ours.check_at(Time::from_nanos(now), cost).is_allowed() {
                passed.push((now, cost));
            }
            let inside: u64 =
                passed.iter().filter(|(at, _)| at + WINDOW > now).map(|(_, cost)| cost).sum();
            prop_assert!(inside <= limit);
        }
    }

    #[test]
    fn the_counter_decides_as_logs_of_a_part_less_and_a_part_more(
        limit in 1_u64..30, steps in prop::collection::vec(0_u64..30, 1..200),
    ) {
        const WINDOW: u64 = 800;
        // Each against what the counter itself let pass.
        let mut ours = Local::new(SlidingCounter::<8>::new(quota((limit, WINDOW, limit))));
        let (mut now, mut passed) = (0_u64, Vec::<u64>::new());
        for step in steps {
            now += step;
            let inside = |window: u64| passed.iter().filter(|&&at| at + window > now).count() as u64;
            let (short, long) = (inside(WINDOW - 100), inside(WINDOW + 100));
            let allowed = ours.check_at(Time::from_nanos(now), 1).is_allowed();
            prop_assert!(!allowed || short < limit, "passed with {short} in the shorter window");
            prop_assert!(allowed || long >= limit, "denied with {long} in the longer window");
            if allowed {
                passed.push(now);
            }
        }
    }

    #[test]
    fn every_carry_keeps_what_it_says(
        burst in 1_u64..1_000, next in 1_u64..1_000, used in 0_u64..2_000,
    ) {
        let now = Time::from_secs(100);
        let left = |how| {
            let mut ours = Local::new(Gcra::new(Quota::per_second(7).with_burst(burst)));
            let _ = ours.charge_at(now, used);
            ours.set_quota_at(now, Quota::per_minute(11).with_burst(next), how);
            ours.peek_at(now, 0).remaining()
        };
        let had = burst.saturating_sub(used);
        prop_assert_eq!(left(Carry::Full), next);
        prop_assert_eq!(left(Carry::Empty), 0);
        prop_assert_eq!(left(Carry::Used), next.saturating_sub(used));
        let tokens = if used <= burst { had.min(next) } else { 0 };
        prop_assert_eq!(left(Carry::Tokens), tokens);
        let share = (burst.saturating_sub(used) * next) / burst;
        prop_assert!(left(Carry::Proportional).abs_diff(share) <= 1);
        prop_assert!(left(Carry::Proportional) <= share);
    }

    #[test]
    fn text_and_back_is_the_same_quota(q in quotas()) {
        let quota = quota(q);
        prop_assert_eq!(quota.to_string().parse::<Quota>(), Ok(quota));
        prop_assert_eq!(quota.rate().to_string().parse::<Rate>(), Ok(quota.rate()));
    }
}

/// A grant that holds nothing any more.
fn dead(limit: &Local<Gcra>, now: Time) -> Grant {
    match limit.peek_at(now, 0) {
        Verdict::Allow(grant) => grant,
        Verdict::Deny(_) => unreachable!("a cost of 0 passes"),
    }
}

fn honest<A: Algorithm>(
    rule: A,
    (amount, period, _): (u64, u64, u64),
    steps: &[(u64, u64)],
) -> Result<(), TestCaseError> {
    let mut ours = Local::new(rule);
    for (now, cost) in walk(amount, period, steps) {
        let now = Time::from_nanos(now);
        let verdict = ours.check_at(now, cost);
        let what = format!("{rule:?} at {now:?} cost {cost}: {verdict:?}");
        match verdict {
            Verdict::Allow(grant) => {
                if now + grant.reset_after() == Time::MAX {
                    continue;
                }
                let full = ours.peek_at(now + grant.reset_after(), 0);
                let burst = rule.quota().burst();
                // A warm-up has no burst to be full of.
                if !what.starts_with("WarmUp") {
                    prop_assert_eq!(full.remaining(), burst, "reset: {}", &what);
                }
            }
            Verdict::Deny(denial) => match denial.retry_after() {
                // The debt of a warm-up may pass the end of time.
                RetryAfter::Never if what.starts_with("WarmUp") => {}
                RetryAfter::Never => prop_assert!(cost > rule.quota().burst(), "never: {what}"),
                RetryAfter::After(wait) if now + wait == Time::MAX => {}
                RetryAfter::After(wait) => {
                    prop_assert!(wait > Duration::ZERO, "{what}");
                    let then = now + wait;
                    prop_assert!(ours.peek_at(then, cost).is_allowed(), "{what} then {then:?}");
                    let early = then - Duration::from_nanos(1);
                    prop_assert!(!ours.peek_at(early, cost).is_allowed(), "early: {what}");
                }
            },
        }
    }
    Ok(())
}
