//! Windows of the calendar.

use crate::exact::Tick;
use crate::meter::{Axis, MeterRule, meter_algorithm};
use crate::verdict::Standing;
use crate::{Quota, Rate, Time};
use core::time::Duration;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A span of the calendar.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Every {
    /// From second 0 to second 59.
    Minute,
    /// From minute 0 to minute 59.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday (ISO 8601).
    Week,
    /// From the first of a month, 28 to 31 days.
    Month,
    /// From the first of January, 365 or 366 days.
    Year,
}

impl Every {
    const ALL: [Self; 6] =
        [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Its length, of months and years the mean one.
    const fn nanos(self) -> i64 {
        match self {
            Self::Minute => 60 * SECOND,
            Self::Hour => 3_600 * SECOND,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY + DAY / 2,
            Self::Year => 365 * DAY,
        }
    }
}

/// The fixed window of the calendar: `limit` in each minute, hour, day, week, month or year.
///
/// [`Time`] must count from the Unix epoch. The offset from UTC is fixed: a zone with summer time
/// is a change of the rule, at which the state stays. Leap seconds are not in Unix time. A quota of
/// `1000` a month is the whole 1000 on the first and none on the second if they were used: see
/// [`FixedWindow`](crate::FixedWindow) for what that means at the edge.
///
/// O(1), 8 bytes of state.
///
/// ```
/// use archstone_ratelimit::{CalendarWindow, Every, Local, Time};
///
/// let mut plan = Local::new(CalendarWindow::new(2, Every::Month));
/// let leap_day = Time::from_secs(951_782_400); // 2000-02-29T00:00:00Z
/// assert!(plan.check_at(leap_day, 2).is_allowed());
/// let denied = plan.check_at(leap_day, 1);
/// assert_eq!(denied.retry_after().unwrap().duration().unwrap().as_secs(), 86_400);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarWindow(MeterRule<Civil>);

impl CalendarWindow {
    /// `limit` in each span of UTC; 0 is closed, over 2^61 becomes that.
    #[must_use]
    pub fn new(limit: u64, every: Every) -> Self {
        Self::with_offset(limit, every, 0)
    }

    /// `limit` in each span of the zone `seconds` ahead of UTC (behind it when negative), up to
    /// two days.
    #[must_use]
    pub fn with_offset(limit: u64, every: Every, seconds: i32) -> Self {
        let limit = limit.min(Quota::MAX_BURST);
        let seconds = i64::from(seconds).clamp(-172_800, 172_800);
        let period = Duration::from_nanos(every.nanos() as u64);
        // The rate is for display only: over a limit of 10^10 a second it is what it can be.
        let rate = Rate::new(limit, period).unwrap_or(Rate::per_second(u32::MAX));
        let quota = Quota::new(rate).with_burst(limit);
        Self(MeterRule::over(Civil { every, offset: seconds * SECOND, limit }, quota))
    }

    fn renew(&self, quota: Quota) -> Self {
        let Civil { every, offset, .. } = *self.0.axis();
        Self::with_offset(quota.burst(), every, (offset / SECOND) as i32)
    }
}

meter_algorithm!(CalendarWindow);

/// The number of the present span times the limit.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Civil {
    every: Every,
    offset: i64,
    limit: u64,
}

impl Civil {
    /// The number of the span that holds `now`, counted so that none is negative.
    fn span(&self, now: Time) -> u64 {
        // Local nanoseconds since the epoch, in 128 bits: `Time` has 64 unsigned ones.
        let local = i128::from(now.as_nanos()) + i128::from(self.offset);
        let day = local.div_euclid(i128::from(DAY)) as i64;
        let span = match self.every {
            Every::Minute | Every::Hour | Every::Day => {
                local.div_euclid(i128::from(self.every.nanos())) as i64
            }
            // Day 0 of the epoch was a Thursday.
            Every::Week => (day + 3).div_euclid(7),
            Every::Month => {
                let (year, month) = month_of(day);
                (year - 1970) * 12 + month
            }
            Every::Year => month_of(day).0 - 1970,
        };
        // Two days before the epoch at most: one span of every kind but the shorter ones.
        (span + 2_881).max(0) as u64
    }

    fn start(&self, span: u64) -> Time {
        let span = i64::try_from(span).unwrap_or(i64::MAX / 2) - 2_881;
        let local = match self.every {
            Every::Minute | Every::Hour | Every::Day => {
                i128::from(span) * i128::from(self.every.nanos())
            }
            Every::Week => (i128::from(span) * 7 - 3) * i128::from(DAY),
            Every::Month => {
                let (year, month) = (span.div_euclid(12), span.rem_euclid(12));
                i128::from(first_day(year.saturating_add(1970), month)) * i128::from(DAY)
            }
            Every::Year => i128::from(first_day(span.saturating_add(1970), 0)) * i128::from(DAY),
        };
        let nanos = (local - i128::from(self.offset)).clamp(0, i128::from(u64::MAX));
        Time::from_nanos(nanos as u64)
    }
}

impl Axis for Civil {
    fn tick(&self, now: Time) -> Tick {
        let tick = self.span(now).saturating_mul(self.limit);
        Tick { floor: tick, ceil: tick }
    }
    fn first(&self, tick: u64) -> Time {
        self.start(tick.div_ceil(self.limit.max(1)))
    }
    fn standing(&self, now: Time, tick: Tick, room: u64, _: u64, word: u64) -> Standing {
        Standing::nanos(now, room, if word <= tick.floor { now } else { self.first(word) })
    }
    fn pass(&self, tick: u64) -> u64 {
        self.first(tick).as_nanos()
    }
    fn to_words(self) -> [u64; 4] {
        [self.every as u64, self.offset as u64, self.limit, 0]
    }
    fn from_words([every, offset, limit, _]: [u64; 4]) -> Self {
        let every = Every::ALL.get(every as usize).copied().unwrap_or(Every::Minute);
        Self { every, offset: offset as i64, limit }
    }
}

/// Year and month (0 to 11) of a day since the epoch, proleptic Gregorian.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that
/// the leap day comes last.
const fn month_of(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let year = year_of_era + era * 400;
    if from_march < 10 { (year, from_march + 2) } else { (year + 1, from_march - 10) }
}

/// The day since the epoch on which a month begins; the inverse of [`month_of`].
fn first_day(year: i64, month: i64) -> i64 {
    let year = year.clamp(-1_000_000, 1_000_000);
    let year = if month < 2 { year - 1 } else { year };
    let from_march = (month + 10) % 12;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_lies_in_the_month_that_begins_at_its_first() {
        let mut last = month_of(-150_000);
        for day in -149_999..150_000 {
            let at = month_of(day);
            if at != last {
                assert_eq!(first_day(at.0, at.1), day);
                assert_eq!((last.0 * 12 + last.1) + 1, at.0 * 12 + at.1);
            }
            last = at;
        }
        assert_eq!(month_of(0), (1970, 0));
    }

    #[test]
    fn spans_begin_where_they_say() {
        for every in Every::ALL {
            for offset in [-43_200, 0, 20_700, 50_400] {
                let rule = Civil { every, offset: offset * SECOND, limit: 1 };
                for secs in (86_400 * 3..3_000_000_000_u64).step_by(7_654_321) {
                    let now = Time::from_secs(secs);
                    let span = rule.span(now);
                    assert!(rule.start(span) <= now, "{every:?} {offset} {secs}");
                    let next = rule.start(span + 1);
                    assert!(now < next, "{every:?} {offset} {secs}");
                    assert_eq!(rule.span(next), span + 1);
                    assert_eq!(rule.span(next - Duration::from_nanos(1)), span);
                }
            }
        }
    }
}
