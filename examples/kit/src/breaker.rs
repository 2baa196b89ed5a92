//! A circuit breaker: stop asking what keeps failing.

use archstone_core::Time;
use std::time::Duration;

/// A circuit breaker; time is the caller's.
///
/// *Closed*: calls pass; `failures` failures in a row, none further than `window` from the one
/// before, open it. *Open*: calls are refused for `open_for`. *Half-open*: up to `probes` calls
/// pass at once; as many successes close it, one failure opens it again. A probe that is never
/// answered frees its place after another `open_for`. A clock that steps back only keeps it open
/// for longer.
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
/// breaker.succeeded(probe);
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
    pub fn succeeded(&mut self, call: Call) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The definition of the type's documentation, as lists: which answers still count, the times
    /// of the failures in a row, the probes that went well.
    struct Model {
        settings: Settings,
        counts: BTreeSet<usize>,
        row: Vec<Time>,
        open_until: Option<Time>,
        probing: Option<Probing>,
    }

    struct Probing {
        since: Time,
        good: u32,
    }

    impl Model {
        fn allow(&mut self, id: usize, now: Time) -> Result<(), Time> {
            if let Some(until) = self.open_until {
                if now < until {
                    return Err(until);
                }
                self.forget();
                self.probing = Some(Probing { since: now, good: 0 });
            } else if let Some(probing) = &mut self.probing {
                let taken = self.counts.len() as u32 + probing.good;
                let stale = probing.since + self.settings.open_for;
                if taken >= self.settings.probes {
                    if now < stale {
                        return Err(stale);
                    }
                    self.counts.clear();
                }
                probing.since = now;
            }
            self.counts.insert(id);
            Ok(())
        }

        fn answer(&mut self, id: usize, good: bool, now: Time) {
            if !self.counts.remove(&id) {
                return;
            }
            match (&mut self.probing, good) {
                (Some(_), false) => self.open(now),
                (Some(probing), true) => {
                    probing.good += 1;
                    if probing.good >= self.settings.probes {
                        self.forget();
                    }
                }
                (None, true) => self.row.clear(),
                (None, false) => {
                    let last = self.row.last().copied();
                    if last.is_some_and(|last| now.since(last) >= self.settings.window) {
                        self.row.clear();
                    }
                    self.row.push(now);
                    if self.row.len() as u32 >= self.settings.failures {
                        self.open(now);
                    }
                }
            }
        }

        fn open(&mut self, now: Time) {
            self.forget();
            self.open_until = Some(now + self.settings.open_for);
        }

        fn forget(&mut self) {
            self.counts.clear();
            self.row.clear();
            (self.open_until, self.probing) = (None, None);
        }

        fn phase(&self, now: Time) -> Phase {
            match (self.open_until, &self.probing) {
                (Some(until), _) if now < until => Phase::Open,
                (None, None) => Phase::Closed,
                _ => Phase::HalfOpen,
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Action {
        Wait(u64),
        StepBack(u64),
        Ask,
        Answer(prop::sample::Index, bool),
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            2 => (0_u64..40).prop_map(Action::Wait),
            1 => (0_u64..10).prop_map(Action::StepBack),
            5 => Just(Action::Ask),
            5 => (any::<prop::sample::Index>(), prop::bool::weighted(0.4))
                .prop_map(|(which, good)| Action::Answer(which, good)),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_its_definition_says_after_any_history(
            failures in 0_u32..5, window in 0_u64..50, open_for in 0_u64..60, probes in 0_u32..4,
            actions in proptest::collection::vec(action(), 0..300),
        ) {
            let millis = Duration::from_millis;
            let settings =
                Settings { failures, window: millis(window), open_for: millis(open_for), probes };
            let mut breaker = Breaker::new(settings);
            let mut model = Model {
                settings: Settings { failures: failures.max(1), probes: probes.max(1), ..settings },
                counts: BTreeSet::new(),
                row: Vec::new(),
                open_until: None,
                probing: None,
            };
            let (mut now, mut calls) = (Time::from_millis(100), Vec::new());
            for (id, action) in actions.into_iter().enumerate() {
                match action {
                    Action::Wait(ms) => now += millis(ms),
                    Action::StepBack(ms) => now = now - millis(ms),
                    Action::Ask => {
                        let got = breaker.allow(now).map(|call| calls.push((id, call)));
                        prop_assert_eq!(got.map_err(|refused| refused.until), model.allow(id, now));
                    }
                    Action::Answer(which, good) if !calls.is_empty() => {
                        let (id, call) = calls.swap_remove(which.index(calls.len()));
                        model.answer(id, good, now);
                        if good { breaker.succeeded(call) } else { breaker.failed(call, now) }
                    }
                    Action::Answer(..) => {}
                }
                prop_assert_eq!(breaker.phase(now), model.phase(now));
                if breaker.phase(now) == Phase::HalfOpen {
                    prop_assert!(model.counts.len() as u32 <= probes.max(1));
                }
            }
        }
    }

    fn fail(breaker: &mut Breaker, times: u32, now: Time) {
        for _ in 0..times {
            let call = breaker.allow(now).expect("closed");
            breaker.failed(call, now);
        }
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..10 {
            fail(&mut breaker, 4, Time::ZERO);
            let call = breaker.allow(Time::ZERO).unwrap();
            breaker.succeeded(call);
        }
        assert_eq!((breaker.phase(Time::ZERO), breaker.opened()), (Phase::Closed, 0));
    }

    #[test]
    fn an_answer_from_before_it_opened_does_not_close_it() {
        let mut breaker = Breaker::new(Settings::default());
        let slow = breaker.allow(Time::ZERO).unwrap();
        fail(&mut breaker, 5, Time::ZERO);
        let probe = breaker.allow(Time::from_secs(5)).unwrap();
        breaker.succeeded(slow);
        assert_eq!(breaker.phase(Time::from_secs(5)), Phase::HalfOpen);
        breaker.failed(probe, Time::from_secs(6));
        assert_eq!(breaker.phase(Time::from_secs(6)), Phase::Open);
        assert_eq!(breaker.opened(), 2);
    }

    #[test]
    fn a_lost_probe_does_not_block_for_ever_and_the_end_of_time_is_no_panic() {
        let mut breaker = Breaker::new(Settings::default());
        fail(&mut breaker, 5, Time::ZERO);
        drop(breaker.allow(Time::from_secs(5)).unwrap());
        assert!(breaker.allow(Time::from_secs(6)).is_err());
        assert!(breaker.allow(Time::from_secs(10)).is_ok());
        let forever = Settings { open_for: Duration::MAX, ..Settings::default() };
        let mut breaker = Breaker::new(forever);
        fail(&mut breaker, 5, Time::MAX);
        assert!(breaker.allow(Time::MAX).is_ok(), "the end of time has come");
    }
}
