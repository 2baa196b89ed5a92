//! How exact: P14 and P15.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use archstone_ratelimit::{Algorithm, Gcra, Local, Quota, Rate, SlidingCounter, SlidingLog, Time};
use governor::clock::FakeRelativeClock;

use crate::areas::Area;
use crate::row::{Better, Side, Subject, Unit};
use crate::workload;

const OURS: &str = "archstone-ratelimit";

pub(super) fn entries(area: &mut Area) {
    area.rows("ratelimit.P14/rate", |_| {
        [600_000_u32, 7_000_000, 70_000_000, 300_000_000, 700_000_000]
            .iter()
            .flat_map(|&rate| {
                let id = format!("ratelimit.P14/rate/{rate}");
                let what = "relative error of the rate over a virtual 10 ms";
                let subject = Subject::new(&id, what, Unit::Ratio, Better::Lower);
                let (ours, theirs) = (rate_error(rate), governor_error(rate));
                [
                    subject.at("limit").limit(Side::new(OURS, ours), 1e-9),
                    subject.at("governor").information(Side::new("governor", theirs)),
                ]
            })
            .collect()
    });
    area.rows("ratelimit.P15", |_| {
        [(10, 60, 0.25), (20, 60, 0.1), (100, 3_600, 0.1)]
            .iter()
            .map(|&(limit, period, goal)| {
                let id = format!("ratelimit.P15/{limit}-per-{period}s");
                let what = "decisions of the NASA day that an exact log decides otherwise";
                let subject = Subject::new(&id, what, Unit::Count, Better::Lower);
                let (one, eight) = wrong(limit, period);
                subject.against(Side::new("8 parts", eight), Side::new("floor: 1 part", one), Some(1.0 / goal))
            })
            .collect()
    });
}

const SPAN: u64 = 10_000_000;

/// What an empty bucket admits in `SPAN` nanoseconds asked for at each, against the rate.
fn rate_error(a_second: u32) -> f64 {
    let mut limit = Local::new(Gcra::new(Quota::per_second(a_second).with_burst(1_000)));
    let _ = limit.charge_at(Time::ZERO, 1_000);
    let mut passed = 0;
    for now in 1..=SPAN {
        passed += limit.take_up_to_at(Time::from_nanos(now), 1_000).cost();
    }
    error(passed, a_second)
}

fn governor_error(a_second: u32) -> f64 {
    let clock = FakeRelativeClock::default();
    let burst = NonZeroU32::new(1_000).expect("not zero");
    let quota = governor::Quota::per_second(NonZeroU32::new(a_second).expect("not zero"));
    let limit = governor::RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone());
    let _ = limit.check_n(burst);
    let mut passed = 0;
    for _ in 1..=SPAN {
        clock.advance(Duration::from_nanos(1));
        while limit.check().is_ok() {
            passed += 1;
        }
    }
    error(passed, a_second)
}

/// Beyond the one unit that the last fraction leaves over.
fn error(passed: u64, a_second: u32) -> f64 {
    let due = f64::from(a_second) * SPAN as f64 / 1e9;
    let off = (passed as f64 - due).abs();
    if off < 1.0 { 0.0 } else { off / due }
}

fn wrong(limit: u64, period: u64) -> (f64, f64) {
    let mut day = workload::nasa_day().expect("testdata is in the repository");
    day.sort_by_key(|request| request.at);
    let first = day[0].at;
    let events: Vec<(String, Time)> =
        day.into_iter().map(|request| (request.host, Time::from_secs(request.at - first))).collect();
    let quota = Quota::new(Rate::new(limit, Duration::from_secs(period)).expect("a rate"));
    let log = decisions(&events, SlidingLog::<100>::new(quota));
    let off = |other: Vec<bool>| log.iter().zip(other).filter(|(a, b)| **a != *b).count() as f64;
    (
        off(decisions(&events, SlidingCounter::<1>::new(quota))),
        off(decisions(&events, SlidingCounter::<8>::new(quota))),
    )
}

fn decisions<A: Algorithm>(events: &[(String, Time)], rule: A) -> Vec<bool> {
    let mut limits: HashMap<&str, Box<Local<A>>> = HashMap::new();
    events
        .iter()
        .map(|(host, at)| {
            let limit = limits.entry(host).or_insert_with(|| Box::new(Local::new(rule)));
            limit.check_at(*at, 1).is_allowed()
        })
        .collect()
}
