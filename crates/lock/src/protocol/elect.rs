//! Leader election over one record that can be compared and set: each judges by its own clock.
//!
//! The record names the holder, a version that every writing raises, and how long the holder means it
//! to last. No clocks of two hosts are ever compared (Gray and Cheriton 1989): a candidate waits the
//! *holder's* duration on its own clock, from when it first saw the version; the leader acts for a
//! shorter while on its own clock, from before it sent the writing. Between the two lies the drift.

use archstone_core::Time;
use core::fmt;
use core::time::Duration;

use crate::demand::Gone;

/// What the store holds. Write it only if its version is still the one expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record<I> {
    /// Who leads: a name that no other process has, nor an earlier start of the same one.
    pub holder: I,
    /// One more at every writing; 0 is before the first.
    pub version: u64,
    /// How long others wait before they try, each by its own clock. Zero: the holder has resigned.
    pub duration: Duration,
}

/// For how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    duration: Duration,
    act: Duration,
}

/// Terms under which a leader would act for as long as others wait, or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsafe {
    /// How long others wait.
    pub duration: Duration,
    /// How long the leader acts.
    pub act: Duration,
}

impl Terms {
    /// Others wait `duration` after the last renewal they saw; the leader acts for the longest while
    /// that is safe when every clock runs within `millionths` of the true rate: `duration (1 - d) /
    /// (1 + d)` with `d` the drift (I14).
    ///
    /// # Errors
    /// [`Unsafe`] when nothing is left.
    pub fn with_drift(duration: Duration, millionths: u32) -> Result<Self, Unsafe> {
        let (scale, drift) = (1_000_000_u128, u128::from(millionths.min(1_000_000)));
        let act = duration.as_nanos().min(u128::from(u64::MAX)) * (scale - drift) / (scale + drift);
        Self::new(duration, Duration::from_nanos(u64::try_from(act).unwrap_or(u64::MAX)))
    }

    /// Others wait `duration`, the leader acts for `act` after the sending of its last renewal. Safe
    /// as long as clocks differ in rate by less than `duration / act`.
    ///
    /// # Errors
    /// [`Unsafe`] unless `0 < act <= duration`.
    pub fn new(duration: Duration, act: Duration) -> Result<Self, Unsafe> {
        if act.is_zero() || act > duration {
            return Err(Unsafe { duration, act });
        }
        Ok(Self { duration, act })
    }

    /// The duration to write into the record.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// How long the leader acts after a sending.
    #[must_use]
    pub const fn act(&self) -> Duration {
        self.act
    }
}

/// What to do after a look at the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Another leads. Look again, at the latest at this instant.
    Wait {
        /// When its time is over, if it does not renew.
        until: Time,
    },
    /// Write a record of one's own, version `expect + 1`, if the version is still `expect`.
    Try {
        /// The version seen.
        expect: u64,
    },
    /// The record is one's own writing. To renew, write again if the version is still this. It says
    /// nothing about [`may_act`](Candidate::may_act).
    Held {
        /// The version seen.
        version: u64,
    },
}

/// One that may lead.
///
/// ```
/// use archstone_lock::Time;
/// use archstone_lock::protocol::elect::{Action, Candidate, Record, Terms};
/// use std::time::Duration;
///
/// let terms = Terms::with_drift(Duration::from_secs(15), 10_000)?; // clocks within 1 %
/// let mut me = Candidate::new("b", terms);
/// let seen = Record { holder: "a", version: 7, duration: Duration::from_secs(15) };
/// assert_eq!(me.observe(Time::ZERO, Some(&seen)), Action::Wait { until: Time::from_secs(15) });
/// let now = Time::from_secs(15); // and it has not been renewed
/// assert_eq!(me.observe(now, Some(&seen)), Action::Try { expect: 7 });
/// // The store took it: version 8, sent at `now`.
/// me.won(now, 8, now)?;
/// assert!(me.may_act(Time::from_secs(29)) && !me.may_act(Time::from_secs(30)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate<I> {
    me: I,
    terms: (Duration, Duration),
    now: Time,
    /// The version last seen, since when, and until when its holder is to be waited for.
    seen: Option<(u64, Time)>,
    /// The version that the last `Try` or renewal expected.
    tried: Option<u64>,
    won: Option<Won>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Won {
    version: u64,
    sent: Time,
    until: Time,
}

impl<I: PartialEq> Candidate<I> {
    /// One that has seen nothing and does not lead. `me` is a name of this start of this process: a
    /// record that an earlier start wrote under the same name is not proof of anything, and is
    /// waited for like another's.
    pub const fn new(me: I, terms: Terms) -> Self {
        let terms = (terms.duration, terms.act);
        Self { me, terms, now: Time::ZERO, seen: None, tried: None, won: None }
    }

    /// A look at the record; `None` when there is none yet. A clock that steps back stands still.
    pub fn observe(&mut self, now: Time, record: Option<&Record<I>>) -> Action {
        let now = self.turn(now);
        let Some(record) = record else {
            self.tried = Some(0);
            return Action::Try { expect: 0 };
        };
        let version = record.version;
        let since = match self.seen {
            Some((seen, since)) if seen == version => since,
            _ => now,
        };
        self.seen = Some((version, since));
        if record.holder == self.me && self.is_mine(version) {
            self.tried = Some(version);
            return Action::Held { version };
        }
        // Somebody else has written since: what was won is over, whatever the clock says.
        if self.won.is_some_and(|won| won.version < version) {
            self.won = None;
        }
        let until = since + record.duration;
        if now < until && version != 0 {
            return Action::Wait { until };
        }
        self.tried = Some(version);
        Action::Try { expect: version }
    }

    /// Whether a record under this name was written by this start: it won it, or its answer got lost.
    fn is_mine(&self, version: u64) -> bool {
        self.won.is_some_and(|won| won.version == version)
            || self.tried.is_some_and(|tried| tried.checked_add(1) == Some(version))
    }

    /// The store took the writing that was sent at `sent`; returns until when this one may act. The
    /// instant must have been read before the sending.
    ///
    /// # Errors
    /// [`Gone`] when that has passed already: it leads in the record, and must renew before it acts.
    pub fn won(&mut self, now: Time, version: u64, sent: Time) -> Result<Time, Gone> {
        let now = self.turn(now);
        let until = sent.min(now) + self.terms.1;
        self.seen = Some((version, now));
        self.tried = Some(version);
        // An answer that comes after a later one's changes nothing.
        if self.won.is_none_or(|won| won.version <= version) {
            self.won = Some(Won { version, sent: sent.min(now), until });
        }
        match self.won {
            Some(won) if now < won.until => Ok(won.until),
            _ => Err(Gone),
        }
    }

    /// The store refused the writing: somebody else's came first.
    pub const fn lost(&mut self) {
        (self.won, self.tried) = (None, None);
    }

    /// Whether it leads at `now`. Ask before every act; the act itself must end before
    /// [`until`](Self::until), or carry the version as a fence.
    #[must_use]
    pub fn may_act(&mut self, now: Time) -> bool {
        let now = self.turn(now);
        self.won.is_some_and(|won| now < won.until)
    }

    /// Until when it may act; `None` when it does not lead.
    #[must_use]
    pub fn until(&self) -> Option<Time> {
        self.won.map(|won| won.until)
    }

    /// When to renew: a third of the time after the last sending. `None` when it does not lead.
    #[must_use]
    pub fn renew_at(&self) -> Option<Time> {
        self.won.map(|won| won.sent + self.terms.1 / 3)
    }

    /// Stops leading. Then write a record of duration zero, so that others need not wait.
    pub const fn resign(&mut self) {
        self.won = None;
    }

    const fn turn(&mut self, now: Time) -> Time {
        if now.as_nanos() > self.now.as_nanos() {
            self.now = now;
        }
        self.now
    }
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { duration, act } = self;
        write!(f, "a leader would act for {act:?} and others wait for {duration:?}")
    }
}

impl core::error::Error for Unsafe {}
