//! What a check answers.

use crate::exact::Scale;
use archstone_core::Time;
use core::time::Duration;

/// The answer of a check: passed, or why not and until when.
///
/// The figures in it are worked out when they are asked for, so a check that only looks at
/// [`is_allowed`](Self::is_allowed) pays for nothing else.
#[must_use = "a verdict that nobody looks at limits nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed and was charged.
    Allow(Grant),
    /// It did not pass and cost nothing.
    Deny(Denial),
}

impl Verdict {
    /// Whether it passed.
    #[inline]
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// Units that would pass at once after this check.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        match self {
            Self::Allow(grant) => grant.remaining(),
            Self::Deny(denial) => denial.remaining(),
        }
    }

    /// How long until the whole quota is there again, if nothing more is taken.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        match self {
            Self::Allow(grant) => grant.reset_after(),
            Self::Deny(denial) => denial.reset_after(),
        }
    }

    /// The wait of a denial; `None` when it passed.
    #[must_use]
    pub fn retry_after(&self) -> Option<RetryAfter> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(denial) => Some(denial.retry_after()),
        }
    }

    /// The grant, or the denial as an error, for `?`.
    ///
    /// # Errors
    /// The denial, when it did not pass.
    pub const fn ok(self) -> Result<Grant, Denial> {
        match self {
            Self::Allow(grant) => Ok(grant),
            Self::Deny(denial) => Err(denial),
        }
    }
}

/// How the quota stood right after the check, in the ticks of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) now: Time,
    pub(crate) scale: Scale,
    /// Ticks a unit.
    pub(crate) unit: u64,
    /// Ticks of room.
    pub(crate) room: u64,
    /// The tick at which all is there again.
    pub(crate) full: u64,
}

impl Standing {
    /// With times in nanoseconds and room in units.
    pub(crate) const fn nanos(now: Time, room: u64, full: Time) -> Self {
        Self { now, scale: Scale::NANOS, unit: 1, room, full: full.as_nanos() }
    }
}

/// A check that passed: how the quota stands after it, and the receipt for giving it back.
#[must_use = "drop it if you do not need what it tells"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) cost: u64,
    /// Where the charge stands in the algorithm's own terms: the end of its ticks, its segment.
    pub(crate) mark: u64,
    /// What had been given back to the limiter before this grant, see `refund`.
    pub(crate) before: u64,
    /// Nanoseconds that the charge holds, of algorithms whose costs do not add up.
    pub(crate) held: u64,
    pub(crate) standing: Standing,
}

impl Grant {
    /// What was charged.
    #[must_use]
    pub const fn cost(&self) -> u64 {
        self.cost
    }

    /// When it was charged.
    #[must_use]
    pub const fn at(&self) -> Time {
        self.standing.now
    }

    /// Units that would pass at once after this.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.standing.room / self.standing.unit
    }

    /// How long until the whole quota is there again, if nothing more is taken; rounded up to
    /// whole nanoseconds.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        self.standing.scale.first(self.standing.full).since(self.standing.now)
    }
}

/// A check that did not pass: nothing was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    pub(crate) cost: u64,
    /// The tick from which it passes; `None` is never.
    pub(crate) pass: Option<u64>,
    pub(crate) reason: Reason,
    pub(crate) standing: Standing,
}

impl Denial {
    /// What was asked for.
    #[must_use]
    pub const fn cost(&self) -> u64 {
        self.cost
    }

    /// When it was asked for.
    #[must_use]
    pub const fn at(&self) -> Time {
        self.standing.now
    }

    /// Why it did not pass.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// When the same cost will pass if nobody comes before: exactly then, and not a nanosecond
    /// sooner.
    #[must_use]
    pub fn retry_after(&self) -> RetryAfter {
        match self.pass {
            Some(tick) => {
                RetryAfter::After(self.standing.scale.first(tick).since(self.standing.now))
            }
            None => RetryAfter::Never,
        }
    }

    /// Whether no wait helps: the cost is over the burst, or the quota is closed.
    #[must_use]
    pub const fn is_never(&self) -> bool {
        self.pass.is_none()
    }

    /// Units of a smaller request that would pass now.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.standing.room / self.standing.unit
    }

    /// How long until the whole quota is there again, if nothing more is taken.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        self.standing.scale.first(self.standing.full).since(self.standing.now)
    }
}

impl core::fmt::Display for Denial {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.retry_after() {
            RetryAfter::After(wait) => write!(f, "rate limit: {} passes in {wait:?}", self.cost),
            RetryAfter::Never => write!(f, "rate limit: {} can never pass", self.cost),
        }
    }
}

impl core::error::Error for Denial {}

/// Why a check did not pass.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The quota is used up, or the cost is more than it ever holds.
    Quota,
    /// A store of keys or of a log is full of entries that may not be forgotten yet.
    Overflow,
}

/// How long a denied request should wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryAfter {
    /// It passes after this wait, if nobody comes before.
    After(Duration),
    /// It never passes: the cost is over the burst, or the quota is closed.
    Never,
}

impl RetryAfter {
    /// The wait, unless it is never.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::After(wait) => Some(wait),
            Self::Never => None,
        }
    }
}
