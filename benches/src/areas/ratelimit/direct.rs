//! One limit: P1 to P6, P12, P13.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use archstone_ratelimit::{
    FixedWindow, Gcra, Limiter, Local, Manual, Part, Quota, Shared, SlidingCounter, Striped, Time,
    TscClock, check_all,
};
use governor::clock::FakeRelativeClock;
use rate_net::{Algorithm, CoarseClock, DirectLimiter};

use crate::areas::Area;
use crate::measure::{Race, Runner, interleave};
use crate::row::{Better, Side, Subject, Unit};

const CHECKS: usize = 1 << 17;
/// So fast that every check at these steps passes.
const FAST: Quota = Quota::per_second(1_000_000_000).with_burst(1_000_000);
const STEP: u64 = 4;
const OURS: &str = "archstone-ratelimit";

pub(super) fn entries(area: &mut Area) {
    area.race("ratelimit.P1", |_| {
        let net = rate_net::Gcra::new(rate_net::Quota::per_second(1_000_000_000).with_burst(1_000_000));
        Race::new("allowed, caller's time, shared", at(OURS, Shared::new(Gcra::new(FAST)), |l, now| {
            l.check_at(Time::from_nanos(now), 1).is_allowed()
        }))
        .at_most(1.15, "floor", at("load and compare-exchange", AtomicU64::new(0), swap))
        .beats("rate-net", at("rate-net Gcra", net, |l, now| {
            l.check_at(Duration::from_nanos(now)).is_allow()
        }), 1.25)
    });
    area.race("ratelimit.P2", |_| {
        Race::new("allowed, caller's time, one owner", at(OURS, Local::new(Gcra::new(FAST)), |l, now| {
            l.check_at(Time::from_nanos(now), 1).is_allowed()
        }))
        .at_most(1.3, "floor", at("plain u64", 0_u64, |tat, now| {
            let next = (*tat).max(now) + 1;
            let passes = next - now <= 1_000_000;
            if passes {
                *tat = next;
            }
            passes
        }))
        .beats("governor", governor_fake(1_000_000_000, STEP), 4.0)
        .beside("gcra", gcra_peer())
    });
    area.race("ratelimit.P3/precise", |_| own_clock(tsc(), |race| {
        race.beats("governor", governor_direct(), 1.0).beside("instant", instant()).others()
    }));
    area.race("ratelimit.P3/coarse", |_| {
        let coarse = Limiter::with_clock(Gcra::new(FAST), Manual::default());
        let net = DirectLimiter::with_quota(net_quota()).with_clock(CoarseClock::new());
        Race::new("own clock, ticked by the caller", ticked(OURS, coarse, |l, tick| {
            if tick {
                l.clock().advance(Duration::from_micros(1));
            }
            l.check().is_allowed()
        }))
        .beats("governor", governor_direct(), 1.5)
        .beats("rate-net", ticked("rate-net CoarseClock", net, |l, _| l.check().is_allow()), 2.0)
    });
    area.rows("ratelimit.P4", |run| {
        let ours = Shared::new(Gcra::new(Quota::per_day(1)));
        let _ = ours.check_at(Time::ZERO, 1);
        let ours = at(OURS, ours, |l, now| l.check_at(Time::from_nanos(now), 1).is_allowed());
        let timing = interleave(&mut [ours, governor_fake(1, 0)], &run.budget);
        let (unit, what) = (Unit::Ns, "denied, caller's time");
        let subject = Subject::new("ratelimit.P4", what, unit, Better::Lower);
        let side = || Side::new(OURS, timing[0].best);
        let theirs = Side::new("governor, fake clock", timing[1].best);
        vec![
            subject.at("limit").limit(side(), 2.0),
            subject.at("governor").against(side(), theirs, None),
        ]
    });
    area.race("ratelimit.P5", |_| {
        let ours = Arc::new(Limiter::with_clock(Gcra::new(hot()), TscClock::new()));
        let (floor, clock) = (Arc::new(AtomicU64::new(0)), quanta_now());
        let governor = Arc::new(governor::DefaultDirectRateLimiter::direct(governor_quota(1_000_000_000)));
        let net = Arc::new(DirectLimiter::with_quota(net_quota()));
        let iop = Arc::new(ratelimit_iop::Ratelimiter::builder(1_000_000_000).max_tokens(1 << 30).initial_available(1 << 30).build().unwrap());
        let better = Arc::new(better_bucket::Bucket::per_second(1_000_000_000));
        Race::new("two threads, one limit, own clock", pair(OURS, move || { let l = ours.clone(); move || l.check().is_allowed() }))
            .at_most(1.1, "floor", pair("clock and compare-exchange", move || {
                let (l, clock) = (floor.clone(), clock.clone());
                move || swap(&mut &*l, clock.now_nanos())
            }))
            .beside("governor", pair("governor", move || { let l = governor.clone(); move || l.check().is_ok() }))
            .beats("rate-net", pair("rate-net", move || { let l = net.clone(); move || l.check().is_allow() }), 3.0)
            .beats("ratelimit", pair("ratelimit", move || { let l = iop.clone(); move || l.try_wait().is_ok() }), 3.0)
            .beats("better-bucket", pair("better-bucket", move || { let l = better.clone(); move || l.try_acquire(1) }), 3.0)
    });
    area.race("ratelimit.P6", |_| {
        let striped: &'static Striped = Box::leak(Box::new(Striped::new(hot(), 4)));
        let governor = Arc::new(governor::DefaultDirectRateLimiter::direct(governor_quota(1_000_000_000)));
        Race::new("two threads, striped by lanes", pair(OURS, move || {
            let mut lane = striped.lane().expect("four stripes, two lanes");
            move || lane.check_at(Time::ZERO, 1).is_ok()
        }))
        .beats("governor", pair("governor", move || { let l = governor.clone(); move || l.check().is_ok() }), 8.0)
        .beside("shared-stripes", {
            let striped: &'static Striped = Box::leak(Box::new(Striped::new(hot(), 4)));
            pair("archstone-ratelimit, stripe of the thread", move || move || striped.check_at(Time::ZERO, 1).is_ok())
        })
    });
    area.race("ratelimit.P12", |_| {
        let four = || [0; 4].map(|_| Shared::new(Gcra::new(FAST)));
        Race::new("four limits at once, caller's time", at(OURS, four(), |l, now| {
            let parts = [Part::new(&l[0], 1), Part::new(&l[1], 1), Part::new(&l[2], 1), Part::new(&l[3], 1)];
            check_all(Time::from_nanos(now), &parts).is_ok()
        }))
        .at_most(1.3, "floor", at("four single checks", four(), |l, now| {
            l.iter().fold(true, |all, l| all & l.check_at(Time::from_nanos(now), 1).is_allowed())
        }))
    });
    window(area, "ratelimit.P13/fixed", Algorithm::FixedWindow, FixedWindow::new(window_quota()));
    window(area, "ratelimit.P13/counter", Algorithm::SlidingWindowCounter, SlidingCounter::<1>::new(window_quota()));
}

fn window<A: archstone_ratelimit::Algorithm>(area: &mut Area, id: &str, theirs: Algorithm, rule: A) {
    area.race(id, move |_| {
        let net = DirectLimiter::with_quota(net_quota()).with_clock(CoarseClock::new()).with_algorithm(theirs);
        Race::new("caller's time, shared; rate-net's clock stands still", at(OURS, Shared::new(rule), |l, now| {
            l.check_at(Time::from_nanos(now), 1).is_allowed()
        }))
        .beats("rate-net", ticked("rate-net CoarseClock", net, |l, _| l.check().is_allow()), 3.0)
    });
    area.race(format!("{id}/own-clock"), move |_| {
        let net = DirectLimiter::with_quota(net_quota()).with_algorithm(theirs);
        let ours = Limiter::with_clock(rule, TscClock::new());
        Race::new("own clock, shared", ticked("archstone-ratelimit, TscClock", ours, |l, _| l.check().is_allowed()))
            .beats("rate-net", ticked("rate-net", net, |l, _| l.check().is_allow()), 3.0)
    });
}

const fn window_quota() -> Quota {
    Quota::per_second(1_000_000_000)
}

/// A billion a second, and as much at once: never empty while two threads check.
const fn hot() -> Quota {
    Quota::per_second(4_000_000_000).with_burst(1 << 30)
}

fn net_quota() -> rate_net::Quota {
    rate_net::Quota::per_second(1_000_000_000)
}

fn governor_quota(a_second: u32) -> governor::Quota {
    governor::Quota::per_second(NonZeroU32::new(a_second).expect("not zero"))
}

fn quanta_now() -> Arc<NowNanos> {
    Arc::new(NowNanos(TscClock::new()))
}

struct NowNanos(TscClock);

impl NowNanos {
    #[inline]
    fn now_nanos(&self) -> u64 {
        archstone_ratelimit::Clock::now(&self.0).as_nanos()
    }
}

/// The least that a shared limit can do: one load, one compare-exchange.
#[inline]
fn swap<W: std::borrow::Borrow<AtomicU64>>(word: &mut W, now: u64) -> bool {
    let word: &AtomicU64 = (*word).borrow();
    let mut seen = word.load(Ordering::Acquire);
    loop {
        let next = seen.max(now) + 1;
        if next - now > 1 << 40 {
            return false;
        }
        match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return true,
            Err(other) => seen = other,
        }
    }
}

/// Checks with the caller's time, which moves on by [`STEP`].
fn at<L: 'static>(name: &str, limit: L, check: impl Fn(&mut L, u64) -> bool + 'static) -> Runner {
    Runner::steady(name, CHECKS, (limit, 0_u64), move |(limit, time)| {
        // In a register: as a word in memory it would be a store that the locked instruction of
        // every contender waits for, on its own line for some and on another for others.
        let (mut passed, mut now) = (0_u64, *time);
        for _ in 0..CHECKS {
            now += STEP;
            passed += u64::from(check(limit, now));
        }
        *time = now;
        passed
    })
}

/// Checks by a clock of their own; every 128th is told to tick a coarse one.
fn ticked<L: 'static>(name: &str, limit: L, check: impl Fn(&mut L, bool) -> bool + 'static) -> Runner {
    Runner::steady(name, CHECKS, limit, move |limit| {
        (0..CHECKS).fold(0_u64, |passed, n| passed + u64::from(check(limit, n % 128 == 0)))
    })
}

/// Two threads that begin together: from then until both are done, for the checks of one. Both are
/// running when it begins, and one that waits for the other's end counts the wait, so that a round
/// in which they did not meet is not a fast one.
fn pair<C: FnMut() -> bool + Send + 'static>(name: &str, make: impl Fn() -> C + 'static) -> Runner {
    Runner::custom(name, CHECKS, move || {
        let running = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (running, mut check) = (running.clone(), make());
                std::thread::spawn(move || {
                    running.fetch_add(1, Ordering::SeqCst);
                    while running.load(Ordering::Acquire) < 2 {
                        std::hint::spin_loop();
                    }
                    let start = Instant::now();
                    let passed = (0..CHECKS).filter(|_| std::hint::black_box(check())).count();
                    std::hint::black_box(passed);
                    (start, Instant::now())
                })
            })
            .collect();
        let spans: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let start = spans.iter().map(|span| span.0).min().expect("two");
        let end = spans.iter().map(|span| span.1).max().expect("two");
        end - start
    })
}

fn tsc() -> Runner {
    let limit = Limiter::with_clock(Gcra::new(FAST), TscClock::new());
    ticked("archstone-ratelimit, TscClock", limit, |l, _| l.check().is_allowed())
}

fn instant() -> Runner {
    let limit = Limiter::new(FAST);
    ticked("archstone-ratelimit, Monotonic", limit, |l, _| l.check().is_allowed())
}

fn governor_direct() -> Runner {
    let limit = governor::DefaultDirectRateLimiter::direct(governor_quota(1_000_000_000));
    ticked("governor", limit, |l, _| l.check().is_ok())
}

fn governor_fake(a_second: u32, step: u64) -> Runner {
    let clock = FakeRelativeClock::default();
    let limit = governor::RateLimiter::direct_with_clock(governor_quota(a_second), clock.clone());
    let _ = limit.check();
    let step = Duration::from_nanos(step * 1_024);
    // The clock moves once in 1024 checks, so that its own atomic is not what is measured.
    Runner::steady("governor, fake clock", CHECKS, limit, move |l| {
        (0..CHECKS).fold(0_u64, |passed, n| {
            if n % 1_024 == 0 {
                clock.advance(step);
            }
            passed + u64::from(l.check().is_ok())
        })
    })
}

fn gcra_peer() -> Runner {
    let limit = gcra::RateLimit::new(1_000_000_000, Duration::from_secs(1));
    let start = Instant::now();
    at("gcra", (gcra::GcraState::default(), limit), move |(state, limit), now| {
        state.check_and_modify_at(limit, start + Duration::from_nanos(now), 1).is_ok()
    })
}

/// The peers that always read their own clock.
trait Others {
    fn others(self) -> Race;
}

impl Others for Race {
    fn others(self) -> Race {
        let iop = ratelimit_iop::Ratelimiter::builder(1_000_000_000).max_tokens(1 << 30).initial_available(1 << 30).build().expect("valid");
        let leaky = leaky_bucket::RateLimiter::builder().max(1 << 30).initial(1 << 30).refill(1 << 20).interval(Duration::from_millis(1)).build();
        self.beside("rate-net", ticked("rate-net", DirectLimiter::with_quota(net_quota()), |l, _| l.check().is_allow()))
            .beside("ratelimit", ticked("ratelimit", iop, |l, _| l.try_wait().is_ok()))
            .beside("better-bucket", ticked("better-bucket", better_bucket::Bucket::per_second(1_000_000_000), |l, _| l.try_acquire(1)))
            .beside("leaky-bucket", ticked("leaky-bucket", leaky, |l, _| l.try_acquire(1)))
    }
}

fn own_clock(ours: Runner, peers: impl FnOnce(Race) -> Race) -> Race {
    peers(Race::new("allowed, own clock", ours))
}
