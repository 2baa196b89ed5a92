//! One hot key that expires, and six ways to load it: how often the store is asked.
//!
//! Requests are an open loop in virtual time, a load takes [`Setup::takes`]. The ways that the crate
//! has are driven as futures: polled at an arrival and whenever a load ends, by nobody's thread.

use crate::Fixed;
use archstone_cache::load::{Loading, Look, Refreshing, Rules};
use archstone_cache::policy::Lru;
use archstone_cache::sync::Cache;
use archstone_cache::{BuildError, Builder, Manual};
use archstone_lock::{Lease, LeaseTable};
use kit::sim::Events;
use kit::{Arrivals, Failure, Invariants, Latencies, Seed, Stream, Time};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What must hold.
pub const ONE: &str = "single-flight: at most one load of a key is under way";
/// See [`ONE`].
pub const NEEDED: &str = "early refresh: at most twice the loads that the lifetime asks for";

/// How a key is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whoever misses loads.
    Nothing,
    /// Whoever misses takes a lease or looks again in [`POLL`].
    Lock,
    /// Whoever misses waits for the load that is under way, in each of so many processes.
    Flight(usize),
    /// XFetch, early by the time that a load takes; one refresh at a time.
    XFetch,
    /// The text's rule, early by the share of the lifetime that is over.
    Linear,
}

/// A lease outlives a load that goes well.
pub const LEASE: Duration = Duration::from_secs(2);
/// How often who waits for the lease looks.
pub const POLL: Duration = Duration::from_millis(50);

impl Way {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Lock, Self::Flight(1), Self::Flight(8), Self::XFetch, Self::Linear];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Lock => "a lock",
            Self::Flight(1) => "single-flight",
            Self::Flight(_) => "single-flight, 8 processes",
            Self::XFetch => "XFetch",
            Self::Linear => "linear rule of the text",
        }
    }
}

/// The key and who asks for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Requests a second.
    pub rate: f64,
    /// Lifetime of the entry.
    pub lifetime: Duration,
    /// What a load takes.
    pub takes: Duration,
    /// How long it goes on.
    pub length: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests.
    pub requests: u64,
    /// Loads of the store.
    pub loads: u64,
    /// The most under way at once.
    pub at_once: u32,
    /// Requests that had to wait for a load, and how long together.
    pub waited: u64,
    /// See [`Outcome::waited`].
    pub waiting: Duration,
    /// How long requests waited, under [`Outcome::operation`].
    pub waits: Latencies,
    /// What the report calls it.
    pub operation: String,
    /// When the number of loads under way changed, and to what.
    pub changes: Vec<(Time, u32)>,
}

impl Setup {
    /// Loads that a cache needs that refreshes at the end of each lifetime, and at once.
    #[must_use]
    pub fn needed(&self) -> f64 {
        let period = self.lifetime.as_secs_f64() + self.takes.as_secs_f64();
        (self.length.as_secs_f64() / period).ceil().max(1.0)
    }
}

impl Outcome {
    /// How long who had to wait waited, on average.
    #[must_use]
    pub fn mean_wait(&self) -> Duration {
        let nanos = self.waiting.as_nanos() as u64;
        Duration::from_nanos(nanos / self.waited.max(1))
    }
}

/// The store's side: who loads now.
#[derive(Default)]
struct Loads {
    now: Time,
    under_way: u32,
    outcome: Outcome,
    ends: Vec<Time>,
}

impl Loads {
    fn begin(&mut self, takes: Duration) -> Time {
        self.under_way += 1;
        self.outcome.loads += 1;
        self.outcome.at_once = self.outcome.at_once.max(self.under_way);
        self.outcome.changes.push((self.now, self.under_way));
        self.now + takes
    }

    fn end(&mut self) {
        self.under_way -= 1;
        self.outcome.changes.push((self.now, self.under_way));
    }

    fn answered(&mut self, asked: Time) {
        let wait = self.now.since(asked);
        self.outcome.waited += u64::from(!wait.is_zero());
        self.outcome.waiting += wait;
        let Outcome { waits, operation, .. } = &mut self.outcome;
        waits.record(operation, wait);
    }
}

type Shared = Arc<Mutex<Loads>>;

fn lock(loads: &Shared) -> MutexGuard<'_, Loads> {
    loads.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A load of the store as a future: begins at its first poll.
fn load(loads: Shared, takes: Duration) -> impl Future<Output = Result<u64, Infallible>> + Send {
    let mut ends = None;
    std::future::poll_fn(move |_| {
        let mut loads = lock(&loads);
        match ends {
            None => {
                let at = loads.begin(takes);
                loads.ends.push(at);
                ends = Some(at);
                Poll::Pending
            }
            Some(at) if loads.now >= at => {
                loads.end();
                Poll::Ready(Ok(loads.outcome.loads))
            }
            Some(_) => Poll::Pending,
        }
    })
}

#[derive(Clone, Copy)]
enum Event {
    Request,
    /// Futures may go on.
    Poll,
    /// A load by hand ends: who asked, the lease it holds.
    Loaded(Option<Time>, Option<Lease>),
    /// Who waits for a lease looks again; it asked then.
    Again(Time),
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Plain = Cache<u32, (u64, Time), Lru, Fixed>;

enum Cached {
    Plain(Plain, Box<LeaseTable<u32>>),
    Flights(Vec<Loading<u32, u64, Lru, Fixed>>),
    Refreshing(Refreshing<u32, u64, Lru, Fixed>),
}

const KEY: u32 = 18;

struct Play {
    way: Way,
    setup: Setup,
    loads: Shared,
    cached: Cached,
    tasks: Vec<Task>,
    dice: Stream,
    turn: usize,
}

/// Plays one way. `ONE` is checked for single-flight, `NEEDED` for XFetch, and for whatever takes
/// their place when a safeguard is off.
///
/// # Errors
/// None of the caches here can fail to be built.
pub fn play(way: Way, setup: Setup, seed: Seed) -> Result<Outcome, Failure> {
    let clock = Arc::new(Manual::default());
    let loads: Shared = Shared::default();
    lock(&loads).outcome.operation = format!("hot key, {}: read", way.name());
    let cached = cached(way, setup, &clock, seed)?;
    let dice = seed.stream("herd dice");
    let mut play =
        Play { way, setup, loads: Arc::clone(&loads), cached, tasks: Vec::new(), dice, turn: 0 };
    let end = Time::ZERO + setup.length;
    let mut arrivals = Arrivals::poisson(seed.stream("herd"), setup.rate);
    let mut events = Events::new();
    events.at(arrivals.next().unwrap_or(Time::MAX), Event::Request);
    while let Some((now, event)) = events.next_before(end) {
        clock.set(now);
        lock(&loads).now = now;
        match event {
            Event::Request => {
                lock(&loads).outcome.requests += 1;
                play.request(now, &mut events);
                events.at(arrivals.next().unwrap_or(Time::MAX), Event::Request);
            }
            Event::Poll => play.poll(),
            Event::Loaded(asked, lease) => play.loaded(now, asked, lease),
            Event::Again(asked) => play.look(now, asked, &mut events),
        }
        for at in std::mem::take(&mut lock(&loads).ends) {
            events.at(at, Event::Poll);
        }
    }
    play.tasks.clear();
    let outcome = std::mem::take(&mut lock(&loads).outcome);
    Ok(outcome)
}

fn cached(way: Way, setup: Setup, clock: &Arc<Manual>, seed: Seed) -> Result<Cached, BuildError> {
    Ok(match way {
        Way::Nothing | Way::Lock | Way::Linear => {
            let builder = Builder::new(10).policy::<Lru>().hasher(Fixed).clock(Arc::clone(clock));
            let cache = builder.shards(1).time_to_live(setup.lifetime).build_sync()?;
            Cached::Plain(cache, Box::new(LeaseTable::new()))
        }
        Way::Flight(processes) => {
            // One remote cache, and in each process a table of its own loads.
            let builder = Builder::new(10).policy::<Lru>().hasher(Fixed).clock(Arc::clone(clock));
            let cache = builder.shards(1).time_to_live(setup.lifetime).build_sync()?;
            Cached::Flights((0..processes.max(1)).map(|_| Loading::new(cache.clone())).collect())
        }
        Way::XFetch => {
            let dice = Mutex::new(seed.stream("xfetch"));
            let random = move || dice.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
            let rules = Rules::new(setup.lifetime).early(1.0, random);
            let builder = Builder::new(10).policy::<Lru>().hasher(Fixed).clock(Arc::clone(clock));
            Cached::Refreshing(Refreshing::new(builder.shards(1), rules)?)
        }
    })
}

impl Play {
    fn request(&mut self, now: Time, events: &mut Events<Event>) {
        let (loads, takes) = (Arc::clone(&self.loads), self.setup.takes);
        let task: Task = match &self.cached {
            Cached::Plain(..) => return self.look(now, now, events),
            Cached::Flights(processes) => {
                self.turn += 1;
                let process = processes[self.turn % processes.len()].clone();
                Box::pin(async move {
                    let _ =
                        process.try_get_or_load_async(KEY, load(Arc::clone(&loads), takes)).await;
                    lock(&loads).answered(now);
                })
            }
            Cached::Refreshing(cache) => match cache.look(&KEY) {
                Some(Look { ticket, .. }) => {
                    lock(&self.loads).answered(now);
                    let Some(ticket) = ticket else { return };
                    // Nobody waits for the refresh.
                    Box::pin(async move {
                        let _ = ticket.run_async(load(loads, takes)).await;
                    })
                }
                None => {
                    let cache = cache.clone();
                    Box::pin(async move {
                        let _ = cache.get_or_load_async(KEY, load(Arc::clone(&loads), takes)).await;
                        lock(&loads).answered(now);
                    })
                }
            },
        };
        self.tasks.push(task);
        self.poll();
    }

    /// Polls everybody until nobody gets on.
    fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let before = self.tasks.len();
            self.tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
            if self.tasks.len() == before {
                return;
            }
        }
    }

    /// A look by hand, of who asked at `asked`.
    fn look(&mut self, now: Time, asked: Time, events: &mut Events<Event>) {
        let Cached::Plain(cache, leases) = &self.cached else { return };
        if let Some((_, expires)) = cache.get(&KEY) {
            lock(&self.loads).answered(asked);
            let left = expires.since(now).as_secs_f64() / self.setup.lifetime.as_secs_f64();
            if self.way == Way::Linear && self.dice.chance(crate::sample::early(left)) {
                let at = lock(&self.loads).begin(self.setup.takes);
                events.at(at, Event::Loaded(None, None));
            }
            return;
        }
        let lease = match self.way {
            Way::Lock => match leases.try_acquire(now, &KEY, LEASE) {
                Ok(lease) => Some(lease),
                Err(_) => return events.after(POLL, Event::Again(asked)),
            },
            _ => None,
        };
        let at = lock(&self.loads).begin(self.setup.takes);
        events.at(at, Event::Loaded(Some(asked), lease));
    }

    fn loaded(&mut self, now: Time, asked: Option<Time>, lease: Option<Lease>) {
        let Cached::Plain(cache, leases) = &self.cached else { return };
        let number = {
            let mut loads = lock(&self.loads);
            loads.end();
            if let Some(asked) = asked {
                loads.answered(asked);
            }
            loads.outcome.loads
        };
        cache.insert(KEY, (number, now + self.setup.lifetime)).ignore();
        if let Some(lease) = lease {
            // Gone when the load outlived it: then another one loads, too.
            let _ = leases.release(now, lease);
        }
    }
}

/// The promises: single-flight, and an early refresh that does not ask too often; each by what takes
/// its place when it is off.
///
/// # Errors
/// See [`play`].
pub fn trial(
    seed: Seed,
    setup: Setup,
    [flight, early]: [Way; 2],
    invariants: &mut Invariants,
) -> Result<(), Failure> {
    let [one, needed] = [ONE, NEEDED].map(|name| invariants.declare(name));
    let outcome = play(flight, setup, seed)?;
    for &(at, under_way) in &outcome.changes {
        let ms = at.as_millis();
        invariants.event(format!("{ms} ms, {}: {under_way} loads under way", flight.name()));
        invariants.check(one, under_way <= 1, || format!("{under_way} loads of one key"));
    }
    let outcome = play(early, setup, seed)?;
    let most = setup.needed() * 2.0;
    for (nth, (at, _)) in outcome.changes.iter().enumerate().step_by(2).take(12) {
        let ms = at.as_millis();
        invariants.event(format!("{ms} ms, {}: load number {}", early.name(), nth / 2 + 1));
    }
    invariants.check(needed, outcome.loads as f64 <= most, || {
        let (loads, needed) = (outcome.loads, setup.needed());
        format!("{loads} loads in {:?}, the lifetime asks for {needed}", setup.length)
    });
    Ok(())
}

/// Mean time between refreshes of an entry by the linear rule: its hazard at age `t` is
/// `rate * t / lifetime`, so `sqrt(pi * lifetime / (2 * rate))`.
#[must_use]
pub fn linear_interval(lifetime: f64, rate: f64) -> f64 {
    (std::f64::consts::PI * lifetime / (2.0 * rate)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_way_asks_as_often_as_it_must() {
        let takes = Duration::from_millis(300);
        let setup = Setup { rate: 200.0, lifetime: 10 * SECOND, takes, length: 103 * SECOND };
        let of = |way| play(way, setup, Seed::new(1)).expect("plays");
        let flight = of(Way::Flight(1));
        assert_eq!((flight.loads, flight.at_once), (10, 1));
        // Some 60 requests come while a load is under way.
        let nothing = of(Way::Nothing);
        assert!((450..750).contains(&nothing.loads), "{}", nothing.loads);
        assert!(nothing.at_once > 40);
        let lock = of(Way::Lock);
        assert_eq!((lock.loads, lock.at_once), (10, 1));
        // Who waits for a lock waits for the next look, too.
        assert!(lock.mean_wait() > flight.mean_wait());
        assert!(lock.waited > flight.waited * 9 / 10, "{} {}", lock.waited, flight.waited);
        let eight = of(Way::Flight(8));
        assert_eq!((eight.loads, eight.at_once), (80, 8));
        let xfetch = of(Way::XFetch);
        assert!((10..=13).contains(&xfetch.loads), "{}", xfetch.loads);
        assert!(xfetch.waited < flight.waited / 2, "{} {}", xfetch.waited, flight.waited);
        for outcome in [&flight, &nothing, &lock, &eight, &xfetch] {
            assert_eq!(outcome.requests, flight.requests);
        }
    }

    #[test]
    fn the_linear_rule_refreshes_as_often_as_its_formula_says() {
        let lifetime = 300 * SECOND;
        let takes = Duration::from_millis(10);
        let setup = Setup { rate: 10.0, lifetime, takes, length: 7_200 * SECOND };
        let outcome = play(Way::Linear, setup, Seed::new(3)).expect("plays");
        let mean = 7_200.0 / outcome.loads as f64;
        let expected = linear_interval(300.0, 10.0);
        assert!((mean / expected - 1.0).abs() < 0.1, "{mean} {expected}");
    }
}
