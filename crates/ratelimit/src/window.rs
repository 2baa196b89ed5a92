//! Windows of one length: [`FixedWindow`] and [`IntervalBucket`].

use crate::exact::{Scale, Tick};
use crate::meter::{Axis, MeterRule, meter_algorithm};
use crate::verdict::Standing;
use crate::{Quota, Time};

/// A clock that stands still within a window: its tick is the amount of the rate times the number
/// of windows that have begun. A word then holds the window and what it has used, as one number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Windows a nanosecond.
    scale: Scale,
    period: u64,
    amount: u64,
    origin: u64,
}

impl Grid {
    const fn new(quota: Quota, origin: Time) -> Self {
        let [amount, period, _] = quota.to_words();
        Self { scale: Scale::new(1, period), period, amount, origin: origin.as_nanos() }
    }

    #[inline(always)]
    fn window(&self, now: Time) -> u64 {
        let since = Time::from_nanos(now.as_nanos().saturating_sub(self.origin));
        self.scale.tick_of_windows(since).floor
    }

    #[inline(always)]
    fn start(&self, window: u64) -> Time {
        Time::from_nanos(window.saturating_mul(self.period).saturating_add(self.origin))
    }
}

impl Axis for Grid {
    #[inline(always)]
    fn tick(&self, now: Time) -> Tick {
        let tick = self.window(now).saturating_mul(self.amount);
        Tick { floor: tick, ceil: tick }
    }

    #[cold]
    fn first(&self, tick: u64) -> Time {
        self.start(tick.div_ceil(self.amount.max(1)))
    }

    #[inline(always)]
    fn standing(&self, now: Time, tick: Tick, room: u64, _: u64, word: u64) -> Standing {
        let full = match word.saturating_sub(tick.floor) {
            0 => now,
            // In use is a part of this window, as nearly always: no division.
            used if used <= self.amount => self.start(self.window(now).saturating_add(1)),
            _ => self.first(word),
        };
        Standing::nanos(now, room, full)
    }

    #[inline]
    fn pass(&self, tick: u64) -> u64 {
        self.first(tick).as_nanos()
    }

    #[inline(always)]
    fn to_words(self) -> [u64; 4] {
        [self.scale.to_words()[3], self.period, self.amount, self.origin]
    }

    #[inline(always)]
    fn from_words([reciprocal, period, amount, origin]: [u64; 4]) -> Self {
        let one = (period == 1) as u64;
        let scale = Scale::from_words([one, 1 - one, period, reciprocal]);
        Self { scale, period, amount, origin }
    }
}

/// The fixed window: `amount` in each window of `period`, counted anew in the next.
///
/// Windows begin at whole periods of the caller's clock. The burst of the quota is not used: a
/// window lets its whole amount pass at any time in it, so **twice the amount can pass around the
/// edge of two windows**. That is the algorithm; [`SlidingCounter`](crate::SlidingCounter) is
/// nearly as cheap and has no such edge. For windows of the calendar see
/// [`CalendarWindow`](crate::CalendarWindow).
///
/// The state is one word, window and count as one number. A debt (see
/// [`charge`](crate::Algorithm::charge)) and a reservation spill into the next windows. O(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow(MeterRule<Grid>);

impl FixedWindow {
    /// Windows of the quota's period that begin at its whole multiples.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::with_origin(quota, Time::ZERO)
    }

    /// Windows of which one begins at `origin`; what comes before counts as in that one.
    #[must_use]
    pub fn with_origin(quota: Quota, origin: Time) -> Self {
        let whole = if quota.is_closed() { quota } else { Quota::new(quota.rate()) };
        Self(MeterRule::over(Grid::new(whole, origin), whole))
    }

    fn renew(&self, quota: Quota) -> Self {
        Self::with_origin(quota, Time::from_nanos(self.0.axis().origin))
    }
}

meter_algorithm!(FixedWindow);

/// A token bucket that refills in whole periods: `amount` tokens at once at the end of each, up to
/// `burst`.
///
/// Periods are counted from `origin`; with the Unix epoch as the origin of the caller's clock they
/// are aligned to the minute, hour or day. O(1), 8 bytes of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalBucket(MeterRule<Grid>);

impl IntervalBucket {
    /// A bucket that starts full and refills at whole periods after `origin`.
    #[must_use]
    pub fn new(quota: Quota, origin: Time) -> Self {
        Self(MeterRule::over(Grid::new(quota, origin), quota))
    }

    fn renew(&self, quota: Quota) -> Self {
        Self::new(quota, Time::from_nanos(self.0.axis().origin))
    }
}

meter_algorithm!(IntervalBucket);
