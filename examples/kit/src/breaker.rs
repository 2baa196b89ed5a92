//! A circuit breaker: stop asking what keeps failing.

use archstone_core::Time;
use std::time::Duration;

/// A circuit breaker; time is the caller's.
///
/// *Closed*: calls pass; `failures` failures in a row, none further than `window` from the one
/// before, open it. *Open*: calls are refused for `open_for`. *Half-open*: up to `probes` calls
/// pass at once; as many successes close it, one failure opens it again. A probe that is never
/// answered frees its place after another `open_for`.
///
/// ```
/// use kit::breaker::{Breaker, Settings};
/// use kit::Time;
/// use std::time::Duration;
///
/// let mut breaker = Breaker::new(Settings::default());
/// for _ in 0..5 {
///     let call = breaker.allow(Time::ZERO).unwrap();
///     breaker.failed(call, Time::ZERO);
/// }
/// let refused = breaker.allow(Time::from_secs(1)).unwrap_err();
/// assert_eq!(refused.until, Time::from_secs(5));
/// let probe = breaker.allow(Time::from_secs(5)).unwrap();
/// breaker.succeeded(probe, Time::from_secs(5));
/// assert!(breaker.allow(Time::from_secs(5)).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
    /// Counts changes of state: the answer to a call from before one is ignored.
    era: u64,
    opened: u64,
}

/// When a [`Breaker`] opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it; 0 is taken as 1.
    pub failures: u32,
    /// A failure this long after the one before starts a new row.
    pub window: Duration,
    /// How long it stays open.
    pub open_for: Duration,
    /// Successful probes that close it, and how many may be under way; 0 is taken as 1.
    pub probes: u32,
}

/// A call that may be made: give it back with how it went.
#[must_use = "tell the breaker how the call went"]
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    era: u64,
}

/// A call that must not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it is worth asking again.
    pub until: Time,
}

/// The state of a [`Breaker`], for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls pass, to see.
    HalfOpen,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { in_row: u32, last: Time },
    Open { until: Time },
    HalfOpen { under_way: u32, good: u32, last_probe: Time },
}

impl Default for Settings {
    /// Five failures within 10 s of each other open it for 5 s; one probe.
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { failures: 5, window: secs(10), open_for: secs(5), probes: 1 }
    }
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let failures = settings.failures.max(1);
        let settings = Settings { failures, probes: settings.probes.max(1), ..settings };
        Self { settings, state: CLOSED, era: 0, opened: 0 }
    }

    /// Whether a call may be made at `now`.
    pub fn allow(&mut self, now: Time) -> Result<Call, Refused> {
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { until } if now < *until => return Err(Refused { until: *until }),
            State::Open { .. } => {
                self.enter(State::HalfOpen { under_way: 1, good: 0, last_probe: now });
            }
            State::HalfOpen { under_way, good, last_probe } => {
                let stale = *last_probe + self.settings.open_for;
                if *under_way + *good < self.settings.probes {
                    *under_way += 1;
                    *last_probe = now;
                } else if now < stale {
                    return Err(Refused { until: stale });
                } else {
                    // The probes under way were lost: their answers, should they come, are of
                    // another era.
                    let good = *good;
                    self.enter(State::HalfOpen { under_way: 1, good, last_probe: now });
                }
            }
        }
        Ok(Call { era: self.era })
    }

    /// `call` went well.
    pub fn succeeded(&mut self, call: Call, now: Time) {
        let _ = now;
        if call.era != self.era {
            return;
        }
        match &mut self.state {
            State::Closed { in_row, .. } => *in_row = 0,
            State::Open { .. } => {}
            State::HalfOpen { under_way, good, .. } => {
                *under_way = under_way.saturating_sub(1);
                *good += 1;
                if *good >= self.settings.probes {
                    self.enter(CLOSED);
                }
            }
        }
    }

    /// `call` failed, or took too long.
    pub fn failed(&mut self, call: Call, now: Time) {
        if call.era != self.era {
            return;
        }
        match &mut self.state {
            State::Closed { in_row, last } => {
                let fresh = *in_row == 0 || now.since(*last) >= self.settings.window;
                *in_row = if fresh { 1 } else { *in_row + 1 };
                *last = now;
                if *in_row >= self.settings.failures {
                    self.open(now);
                }
            }
            State::Open { .. } => {}
            State::HalfOpen { .. } => self.open(now),
        }
    }

    /// The state at `now`: an open breaker whose time is up reads as half-open.
    #[must_use]
    pub fn phase(&self, now: Time) -> Phase {
        match self.state {
            State::Closed { .. } => Phase::Closed,
            State::Open { until } if now < until => Phase::Open,
            State::Open { .. } | State::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    /// How often it opened.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    fn open(&mut self, now: Time) {
        self.opened += 1;
        self.enter(State::Open { until: now + self.settings.open_for });
    }

    fn enter(&mut self, state: State) {
        self.era += 1;
        self.state = state;
    }
}

const CLOSED: State = State::Closed { in_row: 0, last: Time::ZERO };
