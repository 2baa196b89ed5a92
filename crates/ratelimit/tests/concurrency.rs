//! The adaptive limits against Netflix's own decisions, and against servers that overload.
#![cfg(feature = "std")]

use archstone_ratelimit::concurrency::{
    Aimd, ConcurrencyLimiter, Fixed, Gradient2, LimitAlgorithm, LimitError, Partitioned, Sample,
    Vegas,
};
use core::time::Duration;
use proptest::prelude::*;
use std::io::BufRead;
use std::path::Path;

/// Replays a golden trace: `rtt_ns,inflight,drop,limit_after` under `## scenario` headings.
fn replay<A: LimitAlgorithm>(file: &str, fresh: impl Fn() -> A) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let (mut algorithm, mut scenario, mut rows) = (fresh(), String::new(), 0);
    for line in testkit::golden::open(path).lines() {
        let line = line.expect("readable text");
        if let Some(name) = line.strip_prefix("## scenario ") {
            (algorithm, scenario) = (fresh(), name.to_owned());
        } else if !line.starts_with('#') && !line.is_empty() {
            let fields: Vec<u64> = line.split(',').map(|f| f.parse().expect("a number")).collect();
            let [rtt, inflight, drop, expected] = fields[..] else { panic!("bad row {line}") };
            let sample = Sample {
                rtt: Duration::from_nanos(rtt),
                inflight: inflight as u32,
                dropped: drop == 1,
            };
            rows += 1;
            assert_eq!(
                u64::from(algorithm.update(sample)),
                expected,
                "{scenario}, row {rows}: {line}"
            );
        }
    }
    assert_eq!(rows, 7_500);
}

#[test]
fn aimd_decides_as_the_reference_does() {
    let timeout = Duration::from_millis(100);
    replay("netflix_aimd.csv.gz", || Aimd::new(20, 1, 200).unwrap().with_timeout(timeout));
}

#[test]
fn vegas_decides_as_the_reference_does() {
    replay("netflix_vegas.csv.gz", || Vegas::new(20, 1_000).unwrap().with_probe_after(0));
}

#[test]
fn gradient2_without_its_guard_decides_as_the_reference_does() {
    replay("netflix_gradient2.csv.gz", || {
        Gradient2::new(20, 1, 200).unwrap().without_drift_guard()
    });
}

/// A server with `capacity` workers of 10 ms each and callers who use the whole limit: past the
/// capacity the round trip grows with the queue.
fn saturate(algorithm: &mut impl LimitAlgorithm, capacity: u32, samples: u32) -> u32 {
    for _ in 0..samples {
        let inflight = algorithm.limit();
        let queued = f64::from(inflight.max(capacity)) / f64::from(capacity);
        let rtt = Duration::from_secs_f64(0.010 * queued);
        algorithm.update(Sample { rtt, inflight, dropped: false });
    }
    algorithm.limit()
}

#[test]
fn gradient2_does_not_drift_under_an_overload_that_never_ends() {
    // The reference climbs to its ceiling: latency 20 times the unloaded one.
    let mut reference = Gradient2::new(20, 1, 200).unwrap().without_drift_guard();
    assert_eq!(saturate(&mut reference, 10, 50_000), 200);
    // Ours settles where the round trip is near the tolerated 1.5 times the unloaded one.
    let mut ours = Gradient2::new(20, 1, 200).unwrap();
    for round in 0..20 {
        let limit = saturate(&mut ours, 10, 10_000);
        assert!((8..=26).contains(&limit), "round {round}: limit {limit} for a capacity of 10");
    }
}

#[test]
fn gradient2_falls_under_time_outs_and_recovers() {
    let mut limit = Gradient2::new(100, 1, 200).unwrap();
    for _ in 0..200 {
        let inflight = limit.limit();
        limit.update(Sample { rtt: Duration::from_secs(30), inflight, dropped: true });
    }
    assert_eq!(limit.limit(), 1);
    assert!(saturate(&mut limit, 50, 5_000) > 40);
}

#[test]
fn vegas_keeps_a_short_queue() {
    let mut vegas = Vegas::new(20, 1_000).unwrap();
    // A quiet start, from which the minimum is learnt.
    for _ in 0..100 {
        let rtt = Duration::from_millis(10);
        vegas.update(Sample { rtt, inflight: 5, dropped: false });
    }
    let limit = saturate(&mut vegas, 50, 20_000);
    assert!((50..=75).contains(&limit), "limit {limit} for a capacity of 50");
}

#[test]
fn idle_callers_do_not_grow_a_limit() {
    let (mut aimd, mut vegas) = (Aimd::new(20, 1, 200).unwrap(), Vegas::new(20, 200).unwrap());
    let mut gradient = Gradient2::new(20, 1, 200).unwrap();
    for _ in 0..10_000 {
        let sample = Sample { rtt: Duration::from_millis(10), inflight: 2, dropped: false };
        assert_eq!(aimd.update(sample), 20);
        assert_eq!(vegas.update(sample), 20);
        assert_eq!(gradient.update(sample), 20);
    }
}

#[test]
fn parameters_outside_their_range_are_refused_by_name() {
    assert_eq!(Fixed::new(0), Err(LimitError::ZeroMin));
    assert!(matches!(Aimd::new(1, 2, 3), Err(LimitError::Order { .. })));
    assert!(matches!(Aimd::new(4, 2, 3), Err(LimitError::Order { .. })));
    assert!(matches!(Vegas::new(0, 3), Err(LimitError::Order { .. })));
    for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1.5] {
        assert!(Aimd::new(1, 1, 1).unwrap().with_backoff(bad).is_err(), "{bad}");
        assert!(Gradient2::new(1, 1, 1).unwrap().with_smoothing(bad).is_err(), "{bad}");
    }
    let error = Gradient2::new(1, 1, 1).unwrap().with_tolerance(0.5).unwrap_err();
    assert_eq!(error.to_string(), "tolerance is 0.5, it must be from 1 to 10");
    assert!(Partitioned::new(Fixed::new(3).unwrap(), &[60, 50]).is_err());
    assert!(Partitioned::new(Fixed::new(3).unwrap(), &[]).is_err());
}

proptest! {
    #[test]
    fn limits_stay_in_their_range_whatever_the_samples(
        samples in prop::collection::vec((any::<u64>(), any::<u32>(), any::<bool>()), 0..400),
    ) {
        let mut all: [Box<dyn LimitAlgorithm>; 4] = [
            Box::new(Aimd::new(20, 3, 50).unwrap()),
            Box::new(Vegas::new(20, 50).unwrap()),
            Box::new(Gradient2::new(20, 3, 50).unwrap()),
            Box::new(Gradient2::new(20, 3, 50).unwrap().without_drift_guard()),
        ];
        for (rtt, inflight, dropped) in samples {
            let rtt = Duration::from_nanos(rtt);
            for algorithm in &mut all {
                let limit = algorithm.update(Sample { rtt, inflight, dropped });
                prop_assert!((1..=50).contains(&limit));
                prop_assert_eq!(limit, algorithm.limit());
            }
        }
    }

    #[test]
    fn partitions_keep_guarantees_and_the_total(
        percents in prop::collection::vec(0_u8..=40, 1..=4),
        limit in 1_u32..60,
        steps in prop::collection::vec((0_usize..5, any::<bool>()), 0..200),
    ) {
        let sum: u32 = percents.iter().map(|&p| u32::from(p)).sum();
        prop_assume!(sum > 0 && sum <= 100);
        let limiter = Partitioned::new(Fixed::new(limit).unwrap(), &percents).unwrap();
        let mut held: Vec<Vec<_>> = (0..percents.len()).map(|_| Vec::new()).collect();
        let guarantee = |p: usize| (limit * u32::from(percents[p]) / 100) as usize;
        for (partition, take) in steps {
            if partition >= percents.len() {
                prop_assert!(limiter.try_acquire(partition).is_none());
                continue;
            }
            if !take {
                held[partition].pop();
                continue;
            }
            let total: usize = held.iter().map(Vec::len).sum();
            let below = held[partition].len() < guarantee(partition);
            let kept: usize = (0..percents.len())
                .filter(|&p| p != partition)
                .map(|p| guarantee(p).saturating_sub(held[p].len()))
                .sum();
            let expected = total < limit as usize && (below || total + kept < limit as usize);
            let permit = limiter.try_acquire(partition);
            prop_assert_eq!(permit.is_some(), expected);
            prop_assert!(!below || expected, "a guarantee was not kept");
            held[partition].extend(permit);
            prop_assert_eq!(limiter.inflight(partition) as usize, held[partition].len());
        }
    }
}

#[test]
fn permits_come_back_however_they_end() {
    let limiter = ConcurrencyLimiter::new(Fixed::new(3).unwrap());
    let (a, b, c) = (limiter.try_acquire(), limiter.try_acquire(), limiter.try_acquire());
    assert!(limiter.try_acquire().is_none());
    a.unwrap().success(Duration::from_millis(1));
    b.unwrap().dropped();
    c.unwrap().ignore();
    assert_eq!(limiter.inflight(), 0);
    drop(limiter.try_acquire());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = limiter.try_acquire();
        panic!("the handler failed");
    }));
    assert!(panicked.is_err());
    assert_eq!(limiter.inflight(), 0);
}

#[test]
fn aimd_grows_from_half_full_on_and_takes_a_long_round_trip_for_a_loss() {
    let timeout = Duration::from_millis(100);
    let mut aimd = Aimd::new(10, 1, 100).unwrap().with_timeout(timeout);
    let sample = |rtt, inflight| Sample { rtt, inflight, dropped: false };
    assert_eq!(aimd.update(sample(timeout, 4)), 10, "less than half in use teaches nothing");
    assert_eq!(aimd.update(sample(timeout, 5)), 11, "half is");
    assert_eq!(aimd.update(sample(timeout, 5)), 11, "of eleven it is six");
    assert_eq!(aimd.update(sample(timeout + Duration::from_nanos(1), 11)), 9);
}
