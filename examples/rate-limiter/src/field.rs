//! Every algorithm of the crate over the same requests, beside the exact sliding log.

use crate::traffic::{Event, worst_window};
use ahash::RandomState;
use archstone_ratelimit::{
    Algorithm, CalendarWindow, Every, FixedWindow, Gcra, IntervalBucket, Keyed, LeakyBucket,
    Manual, Quota, Shaper, SlidingCounter, SlidingLog, TokenBucket, WarmUp,
};
use kit::Time;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every request of the window remembered: exact.
    Log,
    /// Eight sub-windows and the share of the oldest.
    Counter8,
    /// Eight sub-windows, the oldest counted whole.
    CounterSafe,
    /// The previous and the current window: the usual form.
    Counter1,
    /// Counted anew in each window.
    Fixed,
    /// Windows of the calendar.
    Calendar,
    /// A bucket of as many tokens as the limit, refilled at its rate.
    Token,
    /// The same decisions by the theoretical arrival time.
    Gcra,
    /// The same decisions by the level.
    Leaky,
    /// A bucket refilled in whole periods.
    Interval,
    /// The rate, reached slowly after idling.
    WarmUp,
    /// The leaky bucket as a queue: delays.
    Queue,
}

/// The most table memory that one replay may take.
const MOST_BYTES: usize = 1 << 30;

impl Kind {
    /// All of them, the exact one first.
    pub const ALL: [Self; 12] = [
        Self::Log,
        Self::Counter8,
        Self::CounterSafe,
        Self::Counter1,
        Self::Fixed,
        Self::Calendar,
        Self::Token,
        Self::Gcra,
        Self::Leaky,
        Self::Interval,
        Self::WarmUp,
        Self::Queue,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "sliding log",
            Self::Counter8 => "counter, 8 parts",
            Self::CounterSafe => "counter, 8, safe",
            Self::Counter1 => "counter, 2 windows",
            Self::Fixed => "fixed window",
            Self::Calendar => "calendar window",
            Self::Token => "token bucket",
            Self::Gcra => "GCRA",
            Self::Leaky => "leaky bucket",
            Self::Interval => "interval bucket",
            Self::WarmUp => "warm-up",
            Self::Queue => "leaky queue",
        }
    }

    /// What it promises of a limit: so many at most in any half-open window of that length.
    #[must_use]
    pub fn promise(self, quota: Quota) -> (Duration, u64) {
        let (limit, window) = (quota.rate().amount(), quota.rate().period());
        match self {
            Self::Log | Self::CounterSafe | Self::Queue => (window, limit),
            // The exact log with a window that is an eighth shorter.
            Self::Counter8 => (window - window / 8, limit),
            // Guava's warm-up lets the first pass at once: a permit's cost falls on the next one.
            Self::WarmUp => (window, limit.saturating_add(1)),
            // The buckets hold a whole limit besides what flows in; windows meet at an edge.
            _ => (window, limit.saturating_mul(2)),
        }
    }

    /// Replays `events` (clients numbered below `keys`; the first one at `origin` since 1970).
    /// `None` where it does not apply: no calendar window of that length, a log too long to hold.
    #[must_use]
    pub fn play(self, quota: Quota, events: &[Event], keys: usize, origin: Time) -> Option<Played> {
        let play = Replay { kind: self, events, keys, origin: Time::ZERO };
        let limit = quota.rate().amount();
        match self {
            Self::Log => match limit {
                ..=5 => play.drive(SlidingLog::<5>::new(quota)),
                6..=10 => play.drive(SlidingLog::<10>::new(quota)),
                11..=20 => play.drive(SlidingLog::<20>::new(quota)),
                21..=100 => play.drive(SlidingLog::<100>::new(quota)),
                101..=1_000 => play.drive(SlidingLog::<1_000>::new(quota)),
                _ => None,
            },
            Self::Counter8 => play.drive(SlidingCounter::<8>::new(quota)),
            Self::CounterSafe => play.drive(SlidingCounter::<8>::new(quota).conservative()),
            Self::Counter1 => play.drive(SlidingCounter::<1>::new(quota)),
            Self::Fixed => play.drive(FixedWindow::new(quota)),
            Self::Calendar => {
                let every = match quota.rate().period().as_secs() {
                    60 => Every::Minute,
                    3_600 => Every::Hour,
                    86_400 => Every::Day,
                    _ => return None,
                };
                Replay { origin, ..play }.drive(CalendarWindow::new(limit, every))
            }
            Self::Token => play.drive(TokenBucket::new(quota)),
            Self::Gcra => play.drive(Gcra::new(quota)),
            Self::Leaky => play.drive(LeakyBucket::new(quota)),
            Self::Interval => play.drive(IntervalBucket::new(quota, Time::ZERO)),
            Self::WarmUp => play.drive(WarmUp::new(quota, quota.rate().period(), 3)),
            Self::Queue => Some(play.shape(quota)),
        }
    }
}

/// What an algorithm did.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which one.
    pub kind: Kind,
    /// When each request passed; `None`: denied. Only a queue lets one pass later than it came.
    pub passed: Vec<Option<Time>>,
    /// Bytes of state a client: what the algorithm itself needs.
    pub state: usize,
    /// Bytes a client of the whole table.
    pub table: f64,
    /// The machine's time.
    pub spent: Duration,
}

impl Played {
    /// Requests that passed.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.passed.iter().flatten().count() as u64
    }

    /// Requests that did not.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.passed.len() as u64 - self.admitted()
    }

    /// Requests that the exact log denies and this admits, and the reverse.
    #[must_use]
    pub fn wrong(&self, exact: &[bool]) -> (u64, u64) {
        let pairs = || self.passed.iter().zip(exact);
        let let_in = pairs().filter(|(passed, right)| passed.is_some() && !**right).count();
        let kept_out = pairs().filter(|(passed, right)| passed.is_none() && **right).count();
        (let_in as u64, kept_out as u64)
    }

    /// The most that one client got through in any window of `window`.
    #[must_use]
    pub fn worst(&self, events: &[Event], window: Duration) -> u64 {
        let passed = events.iter().zip(&self.passed);
        worst_window(passed.filter_map(|(event, at)| Some((event.key, (*at)?))), window)
    }

    /// Requests that passed in each of `buckets` equal parts of `length`.
    #[must_use]
    pub fn in_time(&self, length: Duration, buckets: usize) -> Vec<f64> {
        let mut counts = vec![0.0; buckets];
        for at in self.passed.iter().flatten() {
            let bucket = u128::from(at.as_nanos()) * buckets as u128 / length.as_nanos().max(1);
            if let Some(count) = counts.get_mut(bucket as usize) {
                *count += 1.0;
            }
        }
        counts
    }

    /// Nanoseconds a decision.
    #[must_use]
    pub fn nanos(&self) -> f64 {
        self.spent.as_nanos() as f64 / self.passed.len().max(1) as f64
    }
}

/// The sliding counter with `S` parts, for the question how many it takes.
#[must_use]
pub fn counter<const S: usize>(quota: Quota, events: &[Event], keys: usize) -> Option<Played> {
    let play = Replay { kind: Kind::Counter8, events, keys, origin: Time::ZERO };
    play.drive(SlidingCounter::<S>::new(quota))
}

struct Replay<'a> {
    kind: Kind,
    events: &'a [Event],
    keys: usize,
    origin: Time,
}

impl Replay<'_> {
    /// One state a client in the crate's own store.
    fn drive<A: Algorithm>(&self, rule: A) -> Option<Played> {
        let state = size_of::<A::State>();
        if state.saturating_mul(self.keys) > MOST_BYTES {
            return None;
        }
        // Twice the room, so that no shard overflows: the algorithms are compared, not the store.
        let store = Keyed::<u32, A>::builder(rule).capacity(2 * self.keys + 64);
        let hasher = RandomState::with_seeds(22, 22, 22, 22);
        let store: Keyed<u32, A, Manual, RandomState> =
            store.build_with(Manual::new(Time::ZERO), hasher);
        let shift = self.origin.since(Time::ZERO);
        let started = Instant::now();
        let decide = |event: &Event| {
            store.check_at(event.at + shift, &event.key, 1).is_allowed().then_some(event.at)
        };
        let passed = self.events.iter().map(decide).collect();
        let spent = started.elapsed();
        let stats = store.stats();
        let table = stats.bytes as f64 / stats.keys.max(1) as f64;
        Some(Played { kind: self.kind, passed, state, table, spent })
    }

    /// A queue a client: as many may wait as the limit is.
    fn shape(&self, quota: Quota) -> Played {
        let mut queues: HashMap<u32, Shaper> = HashMap::new();
        let started = Instant::now();
        let offer = |event: &Event| {
            let limit = quota.rate().amount();
            let queue = queues.entry(event.key).or_insert_with(|| Shaper::new(quota.rate(), limit));
            queue.offer_at(event.at, 1).ok().map(|departure| departure.at)
        };
        let passed = self.events.iter().map(offer).collect();
        let spent = started.elapsed();
        // A queue brings its own rule along, so its state is the instant alone.
        let (state, table) = (size_of::<u64>(), size_of::<(u32, Shaper)>() as f64);
        Played { kind: self.kind, passed, state, table, spent }
    }
}

/// What an exact sliding log decides: fewer than `limit` admitted in `(t - window, t]`. Written
/// apart from the crate's, which is checked against it.
#[must_use]
pub fn exact(events: &[Event], limit: u64, window: Duration) -> Vec<bool> {
    let mut logs: HashMap<u32, VecDeque<Time>> = HashMap::new();
    let mut decide = |event: &Event| {
        let log = logs.entry(event.key).or_default();
        while log.front().is_some_and(|&oldest| event.at.since(oldest) >= window) {
            log.pop_front();
        }
        let passes = (log.len() as u64) < limit;
        if passes {
            log.push_back(event.at);
        }
        passes
    };
    events.iter().map(&mut decide).collect()
}
