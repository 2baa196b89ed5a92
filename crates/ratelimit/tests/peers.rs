//! The traces of the limiters that are not exact: where ours differs from each of them is exactly
//! where it differs from rational arithmetic, and nowhere else.
//!
//! Read from `$ARCHSTONE_DATA`; skipped aloud without it.
#![cfg(feature = "std")]

mod common;

use archstone_ratelimit::*;
use common::{Exact, Scenario, trace};
use std::time::Duration;

fn quota(amount: u64, period: u64, burst: u64) -> Quota {
    Quota::new(Rate::new(amount, Duration::from_nanos(period)).unwrap()).with_burst(burst)
}

fn number(row: &[String], column: usize) -> u64 {
    row[column].parse().unwrap_or_else(|_| panic!("{row:?} column {column}"))
}

/// A scenario of a peer, and amount, period in nanoseconds and burst of its quota.
type Under = (Scenario, (u64, u64, u64));

/// The scenarios of a peer beside those of Bucket4j, whose comment lines tell the quota in whole
/// numbers.
fn scenarios(name: &str) -> Option<Vec<Under>> {
    let like = trace("bucket4j_greedy.csv.gz")?;
    let quotas = like
        .iter()
        .map(|like| (like.numbers("refill")[0], like.periods()[0], like.numbers("capacity")[0]));
    let theirs = trace(name)?;
    assert!(theirs.iter().zip(&like).all(|(a, b)| a.name == b.name));
    Some(theirs.into_iter().zip(quotas.collect::<Vec<_>>()).collect())
}

/// Decisions in which the peer of that trace is off, all of them its own.
fn decisions_off(name: &str) -> Option<u64> {
    let (mut rows, mut off) = (0, 0);
    for (scenario, (amount, period, burst)) in scenarios(name)? {
        let mut exact = Exact::new(amount, period, burst);
        let mut ours = Local::new(Gcra::new(quota(amount, period, burst)));
        for row in &scenario.rows {
            let (at, cost) = (number(row, 0), number(row, 1));
            let passed = ours.check_at(Time::from_nanos(at), cost).is_allowed();
            assert_eq!(passed, exact.check(at, cost), "{name} {} {row:?}", scenario.name);
            rows += 1;
            off += u64::from(passed != (row[2] == "A"));
        }
    }
    assert_eq!(rows, 17_199, "{name}");
    Some(off)
}

#[test]
fn every_peer_is_off_as_often_as_known_and_ours_never() {
    let peers = [
        ("bucket4j_greedy.csv.gz", 0),
        ("governor.csv.gz", 18),
        ("ratenet_token.csv.gz", 58),
        ("gorate_allow.csv.gz", 89),
        ("ratenet_leaky.csv.gz", 709),
    ];
    for (name, known) in peers {
        let Some(off) = decisions_off(name) else { return };
        println!("{name}: {off} of 17199 decisions off, ours 0");
        assert_eq!(off, known, "{name}");
    }
}

#[test]
fn governor_waits_as_we_do_where_its_interval_is_whole() {
    let Some(scenarios) = scenarios("governor.csv.gz") else { return };
    let mut compared = 0;
    for (scenario, (amount, period, burst)) in scenarios {
        if period % amount != 0 {
            continue; // it truncates the interval: d and f
        }
        let mut ours = Local::new(Gcra::new(quota(amount, period, burst)));
        for row in &scenario.rows {
            let verdict = ours.check_at(Time::from_nanos(number(row, 0)), number(row, 1));
            let what = format!("{} {row:?} {verdict:?}", scenario.name);
            assert_eq!(verdict.is_allowed(), row[2] == "A", "{what}");
            match row[2].as_str() {
                "A" => assert_eq!(verdict.remaining(), number(row, 3), "{what}"),
                "X" => assert_eq!(verdict.retry_after(), Some(RetryAfter::Never), "{what}"),
                _ => {
                    let wait = Duration::from_nanos(number(row, 4));
                    assert_eq!(verdict.retry_after(), Some(RetryAfter::After(wait)), "{what}");
                }
            }
            compared += 1;
        }
    }
    assert!(compared > 13_000, "{compared}");
}

/// Guava's `SmoothBursty`: one second of permits is stored, none at first; whoever comes when
/// nothing is owed passes, whatever the cost, and what that is more than is stored is a debt that
/// the next one waits out. In our verbs: `charge` when `used` is not over the burst.
#[test]
fn charging_into_debt_is_the_bursty_limiter_of_guava() {
    let Some(scenarios) = scenarios("guava_bursty.csv.gz") else { return };
    let (mut all, mut same, mut waits, mut close) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (scenario, (amount, period, _)) in scenarios {
        // It truncates every wait to whole microseconds, which adds up where they never are.
        if period / 1_000 % amount != 0 {
            continue;
        }
        // Units of a `k`-th of a permit, so that a second's worth of them is whole.
        let k = period / 1_000_000_000;
        let rule = TokenBucket::new(quota(amount * k, period, amount));
        let mut bucket = Local::new(rule);
        let _ = bucket.charge_at(Time::ZERO, amount);
        for row in &scenario.rows {
            let (at, cost) = (Time::from_micros(number(row, 0)), number(row, 1) * k);
            let used = rule.used(bucket.state(), at);
            let passes = used <= u128::from(amount) << 32;
            all += 1;
            same += u64::from(passes == (row[2] == "A"));
            // Follow the trace, so that one truncated microsecond of theirs is one decision.
            if row[2] == "A" || !row[3].is_empty() {
                if !row[3].is_empty() {
                    let owed = used.saturating_sub(u128::from(amount) << 32);
                    let wait = (owed * u128::from(period) / u128::from(amount * k) / 1_000) >> 32;
                    waits += 1;
                    let theirs = u128::from(number(row, 3));
                    close += u64::from(wait.abs_diff(theirs) <= 2 + theirs / 1_000);
                }
                let _ = bucket.charge_at(at, cost);
            }
        }
    }
    println!("{same} of {all} decisions, {close} of {waits} waits within 0.1 %");
    assert!(all > 10_000 && waits > 500, "{all} {waits}");
    assert!(same * 1_000 >= all * 999, "{same} of {all} decisions");
    assert!(close * 1_000 >= waits * 990, "{close} of {waits} waits");
}
