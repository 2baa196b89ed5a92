//! Refreshing: what is served when, one refresh at a time, and the table of expiry faults from the
//! history of Caffeine.
#![cfg(feature = "std")]

use archstone_cache::load::{Answer, Origin, Refreshing, Rules};
use archstone_cache::{Builder, Manual, Time};
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::Duration;

type Prices = Refreshing<u32, u64>;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn build(rules: Rules) -> (Prices, Arc<Manual>) {
    let clock = Arc::new(Manual::new(Time::from_secs(1000)));
    (Refreshing::new(Builder::new(100).clock(Arc::clone(&clock)), rules).unwrap(), clock)
}

fn all() -> Rules {
    Rules::new(secs(60)).ahead(secs(10)).stale_while_revalidate(secs(30)).stale_if_error(secs(100))
}

fn load(cache: &Prices, value: Result<u64, &'static str>) -> Option<(u64, Origin)> {
    let answer = cache.get_or_load(1, |_| value).ok()?;
    Some((answer.value, answer.from))
}

/// The picture at the top of the module: what a hit is at each age, and whether it refreshes.
#[test]
fn each_age_has_its_answer() {
    for (age, from, due) in [
        (0, Some(Origin::Hit), false),
        (49, Some(Origin::Hit), false),
        (50, Some(Origin::Hit), true),
        (59, Some(Origin::Hit), true),
        (60, Some(Origin::Stale), true),
        (89, Some(Origin::Stale), true),
        (90, None, false),
        (159, None, false),
        (160, None, false),
    ] {
        let (cache, clock) = build(all());
        assert_eq!(load(&cache, Ok(7)), Some((7, Origin::Loaded)));
        clock.advance(secs(age));
        let look = cache.look(&1);
        let found = look.as_ref().map(|look| look.answer.from);
        assert_eq!(
            (found, look.as_ref().is_some_and(|l| l.ticket.is_some())),
            (from, due),
            "{age}"
        );
        if let Some(look) = look {
            assert_eq!(look.answer.age, secs(age));
        }
        // What a load that fails is answered with.
        let from = match age {
            0..60 => Some(Origin::Hit),
            60..90 => Some(Origin::Stale),
            90..160 => Some(Origin::StaleOnError),
            _ => None,
        };
        assert_eq!(load(&cache, Err("down")), from.map(|from| (7, from)), "{age}, failing");
    }
}

#[test]
fn one_refresh_at_a_time_and_others_are_not_held_up() {
    let (cache, clock) = build(all());
    load(&cache, Ok(1));
    clock.advance(secs(70));
    let first = cache.look(&1).unwrap();
    let ticket = first.ticket.unwrap();
    for _ in 0..3 {
        let look = cache.look(&1).unwrap();
        assert!(look.ticket.is_none());
        assert_eq!((look.answer.value, look.answer.from), (1, Origin::Stale));
        assert_eq!(load(&cache, Err("not asked")), Some((1, Origin::Stale)));
    }
    // A ticket goes to another thread.
    let done = std::thread::spawn(move || ticket.run(|key| Ok::<_, ()>(u64::from(*key) + 1)));
    assert!(matches!(done.join().unwrap(), Ok(Answer { value: 2, .. })));
    assert_eq!(load(&cache, Err("not asked")), Some((2, Origin::Hit)));
    assert_eq!(cache.loading().load_stats().loaded, 2);
}

/// Caffeine#1478: a refresh that was cancelled left its mark, and there was never another.
#[test]
fn caffeine_1478_a_refresh_that_is_cancelled_can_begin_again() {
    let (cache, clock) = build(all());
    load(&cache, Ok(1));
    clock.advance(secs(70));
    drop(cache.look(&1).unwrap().ticket.expect("a ticket that nobody runs"));
    let ticket = cache.look(&1).unwrap().ticket.unwrap();
    {
        let mut running = pin!(ticket.run_async(pending::<Result<u64, ()>>()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(running.as_mut().poll(&mut context).is_pending());
        assert!(cache.look(&1).unwrap().ticket.is_none());
    }
    drop(cache.look(&1).unwrap().ticket.unwrap().run_async(async { Ok::<u64, ()>(9) }));
    let ticket = cache.look(&1).unwrap().ticket.unwrap();
    let panics = std::panic::AssertUnwindSafe(|| {
        ticket.run(|_| -> Result<u64, ()> { std::panic::resume_unwind(Box::new("burnt")) })
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(cache.look(&1).unwrap().ticket.is_some());
    assert_eq!(cache.loading().in_flight(), 0);
}

/// Caffeine#175: a load that takes longer than the refresh interval must not start another one;
/// #191: a lifetime begins when the load has ended.
#[test]
fn caffeine_175_191_a_slow_load_is_one_load_and_fresh_when_it_ends() {
    let (cache, clock) = build(all());
    let slow = cache.get_or_load(1, |_| {
        clock.advance(secs(500));
        Ok::<_, ()>(1)
    });
    assert_eq!(slow.unwrap().age, Duration::ZERO);
    clock.advance(secs(49));
    let look = cache.look(&1).unwrap();
    assert!(look.answer.from == Origin::Hit && look.ticket.is_none());
    clock.advance(secs(1));
    let ticket = cache.look(&1).unwrap().ticket.unwrap();
    let (inside, other) = (cache.clone(), Arc::clone(&clock));
    let slow = ticket.run(move |_| {
        other.advance(secs(20));
        assert!(inside.look(&1).unwrap().ticket.is_none());
        Ok::<_, ()>(2)
    });
    assert_eq!(slow.unwrap().value, 2);
    clock.advance(secs(49));
    assert_eq!(load(&cache, Err("not asked")), Some((2, Origin::Hit)));
}

/// Caffeine#282, #373: a refresh that is stuck must not keep the old value alive.
#[test]
fn caffeine_282_373_a_stuck_refresh_does_not_outlive_expiry() {
    let (cache, clock) = build(all());
    load(&cache, Ok(1));
    clock.advance(secs(70));
    let stuck = cache.look(&1).unwrap().ticket.unwrap();
    clock.advance(secs(89));
    assert!(cache.look(&1).is_none(), "no longer servable, only for errors");
    clock.advance(secs(1));
    assert_eq!(cache.loading().get(&1), None, "gone");
    cache.remove(&1); // frees who would wait for it
    assert_eq!(load(&cache, Ok(2)), Some((2, Origin::Loaded)));
    let late = stuck.run(|_| Ok::<_, ()>(1));
    assert_eq!(late.unwrap().value, 1);
    assert_eq!(load(&cache, Err("not asked")), Some((2, Origin::Hit)), "and does not come back");
}

/// Caffeine#30: an update at the very instant of expiry was lost.
#[test]
fn caffeine_30_an_update_at_the_instant_of_expiry_is_kept() {
    let (cache, clock) = build(Rules::new(secs(10)));
    load(&cache, Ok(1));
    clock.advance(secs(10));
    assert!(cache.insert(1, 2).is_held());
    assert_eq!(load(&cache, Err("not asked")), Some((2, Origin::Hit)));
    clock.advance(secs(10));
    assert_eq!(load(&cache, Ok(3)), Some((3, Origin::Loaded)));
}

#[test]
fn a_refresh_that_was_overtaken_is_not_published() {
    let (cache, clock) = build(all());
    load(&cache, Ok(1));
    clock.advance(secs(70));
    let ticket = cache.look(&1).unwrap().ticket.unwrap();
    cache.insert(1, 5).ignore();
    assert_eq!(ticket.run(|_| Ok::<_, ()>(4)).unwrap().value, 4);
    assert_eq!(load(&cache, Err("not asked")), Some((5, Origin::Hit)));
    clock.advance(secs(70));
    let ticket = cache.look(&1).unwrap().ticket.unwrap();
    assert_eq!(cache.remove(&1), Some(5));
    drop(ticket.run(|_| Ok::<_, ()>(4)));
    assert!(cache.look(&1).is_none());
}

/// Without a pause each hit would ask a source that is down.
#[test]
fn after_a_failure_there_is_a_pause() {
    let (cache, clock) = build(all().pause(secs(5)));
    load(&cache, Ok(1));
    for (age, from) in [(70, Origin::Stale), (100, Origin::StaleOnError)] {
        clock.set(Time::from_secs(1000 + age));
        let calls = AtomicU64::new(0);
        let ask = || {
            let down = |_: &u32| {
                calls.fetch_add(1, Relaxed);
                Err::<u64, _>("down")
            };
            cache.get_or_load(1, down).unwrap().from
        };
        assert_eq!((ask(), ask(), ask()), (from, from, from));
        assert_eq!(calls.load(Relaxed), 1, "at {age}");
        clock.advance(secs(5));
        assert_eq!((ask(), calls.load(Relaxed)), (from, 2));
    }
}

#[test]
fn waiters_for_a_load_that_fails_fall_back_too() {
    let (cache, clock) = build(all());
    load(&cache, Ok(1));
    clock.advance(secs(100));
    std::thread::scope(|scope| {
        let lead = scope.spawn(|| {
            cache.get_or_load(1, |_| {
                while cache.loading().load_stats().waited < 1 {
                    std::thread::yield_now();
                }
                Err::<u64, _>("down")
            })
        });
        while cache.loading().in_flight() < 1 {
            std::thread::yield_now();
        }
        let wait = scope.spawn(|| cache.get_or_load(1, |_| Err::<u64, _>("not asked")));
        for answer in [lead.join().unwrap(), wait.join().unwrap()] {
            assert_eq!(answer.map(|a| (a.value, a.from)).ok(), Some((1, Origin::StaleOnError)));
        }
    });
}

#[test]
fn futures_refresh_as_threads_do() {
    let (cache, clock) = build(all());
    let mut context = Context::from_waker(Waker::noop());
    let mut ask = |value: Result<u64, &'static str>| {
        let asked = pin!(cache.get_or_load_async(1, async move { value }));
        match asked.poll(&mut context) {
            std::task::Poll::Ready(answer) => answer.ok().map(|a| (a.value, a.from)),
            std::task::Poll::Pending => panic!("nothing to wait for"),
        }
    };
    assert_eq!(ask(Err("down")), None);
    assert_eq!(ask(Ok(1)), Some((1, Origin::Loaded)));
    assert_eq!(ask(Ok(2)), Some((1, Origin::Hit)));
    clock.advance(secs(70));
    assert_eq!(ask(Err("down")), Some((1, Origin::Stale)));
    assert_eq!(ask(Ok(2)), Some((2, Origin::Loaded)));
    clock.advance(secs(120));
    assert_eq!(ask(Err("down")), Some((2, Origin::StaleOnError)));
}

/// SplitMix64.
fn random(seed: u64) -> impl Fn() -> u64 {
    let state = AtomicU64::new(seed);
    move || archstone_core::hash::mix(state.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed))
}

/// With `r` left the probability of an early refresh is `exp(-r / (beta * took))`: four points of the
/// curve, 250,000 draws each, chi-square of one degree of freedom below its 0.1 % point. The sample
/// `ProbabilisticCache` refreshed with `1 - remaining / ttl` at every request.
#[test]
fn xfetch_refreshes_with_the_probability_of_its_paper() {
    const DRAWS: u64 = 250_000;
    for beta in [1.0, 0.5, 3.0] {
        for (share, expected) in [(0.5, 0.6065), (1.0, 0.3679), (2.0, 0.1353), (3.0, 0.0498)] {
            let (cache, clock) = build(Rules::new(secs(1000)).early(beta, random(7)));
            let took = secs(8);
            let slow = cache.get_or_load(1, |_| {
                clock.advance(took);
                Ok::<_, ()>(1)
            });
            assert_eq!(slow.unwrap().value, 1);
            clock.advance(secs(1000) - took.mul_f64(share * beta));
            let due =
                (0..DRAWS).filter(|_| cache.look(&1).unwrap().ticket.is_some()).count() as f64;
            let (n, p) = (DRAWS as f64, f64::exp(-share));
            assert!((p - expected).abs() < 1e-4);
            let chi_square = (due - n * p).powi(2) / (n * p * (1.0 - p));
            assert!(chi_square < 10.83, "beta {beta}, r {share}: {} instead of {p}", due / n);
        }
    }
}

#[test]
fn xfetch_is_never_early_without_a_load_time_or_a_sensible_beta() {
    let tries = |beta: f64, took: u64, left: u64| {
        let (cache, clock) = build(Rules::new(secs(1000)).early(beta, random(1)));
        let slow = cache.get_or_load(1, |_| {
            clock.advance(secs(took));
            Ok::<_, ()>(1)
        });
        assert_eq!(slow.unwrap().value, 1);
        clock.advance(secs(1000 - left));
        (0..1000).filter(|_| cache.look(&1).unwrap().ticket.is_some()).count()
    };
    assert_eq!(tries(1.0, 0, 1), 0);
    for beta in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(tries(beta, 10, 1), 0, "{beta}");
    }
    assert_eq!(tries(f64::INFINITY, 10, 999), 1000);
    assert!(tries(1e300, u64::from(u32::MAX), 999) > 990);
    // The whole range of random bits: u is in (0, 1], so its logarithm is finite.
    for bits in [0, u64::MAX] {
        let (cache, clock) = build(Rules::new(secs(1000)).early(1.0, move || bits));
        let slow = cache.get_or_load(1, |_| {
            clock.advance(secs(10));
            Ok::<_, ()>(1)
        });
        assert_eq!(slow.unwrap().value, 1);
        clock.advance(secs(999));
        assert_eq!(cache.look(&1).unwrap().ticket.is_some(), bits == 0);
    }
}

/// What the sample's rule costs, and XFetch does not: loads in a lifetime at a high rate.
#[test]
fn xfetch_loads_about_once_a_lifetime_whatever_the_rate() {
    let (cache, clock) = build(Rules::new(secs(3600)).early(1.0, random(3)));
    let mut loads = 0;
    // 100 requests a second for ten lifetimes; a load takes 50 ms.
    let mut last = 0;
    for request in 0..10 * 3600 * 100_u64 {
        clock.set(Time::from_millis(1_000_000 + request * 10).max(Time::from_millis(last)));
        let answer = cache.get_or_load(1, |_| {
            loads += 1;
            last = clock.advance(Duration::from_millis(50)).as_millis();
            Ok::<_, ()>(1)
        });
        assert!(answer.is_ok());
    }
    assert!((10..=11).contains(&loads), "{loads} loads in ten lifetimes");
}
