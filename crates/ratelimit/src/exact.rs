//! The exact arithmetic that every algorithm stands on. No I/O, no clock, no floats.
//!
//! Invariants:
//! 1. **Costs add exactly.** Time is counted in *ticks*; one unit of cost is a whole number of
//!    ticks ([`Meter::unit`]), so no rate is rounded: the rate error is zero.
//! 2. **Only `now` rounds**, and always towards denial: it is rounded up where it becomes debt and
//!    down where debt is compared with it. Since debt is whole ticks, the comparison itself loses
//!    nothing, so the sum of all rounding is less than one tick, once, however long the limiter
//!    runs. Most rates need none: the tick of `100/min` is 1 ns.
//! 3. **Nothing wraps.** A word that would pass the end of time denies instead.
//!
//! The word of state is the *theoretical arrival time* of the generic cell rate algorithm (ITU-T
//! I.371, virtual scheduling): the instant, in ticks, when everything admitted so far has been
//! worked off at the rate. Zero, and any instant not after now, is a full bucket.

use crate::Quota;
use archstone_core::Time;

/// The largest word; the one above it means "being changed" to shared limiters.
pub(crate) const END: u64 = u64::MAX - 1;

/// Ticks a nanosecond when a rate has no exact tick: less than 1 ns lost, 146 years of range.
const INEXACT_TICKS_A_NANO: u128 = 4;
/// Ticks a nanosecond at the most: 51 years of range, beside the largest burst.
const MOST_TICKS_A_NANO: u64 = 10;

/// An instant as ticks, rounded both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) floor: u64,
    pub(crate) ceil: u64,
}

/// Multiplication by a fixed rational, `whole + num / den` with `num < den`, rounded exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    whole: u64,
    num: u64,
    den: u64,
    /// `num * 2^64 / den`, rounded down.
    reciprocal: u64,
}

impl Scale {
    /// Nanoseconds themselves.
    pub(crate) const NANOS: Self = Self { whole: 1, num: 0, den: 1, reciprocal: 0 };

    /// `num / den` ticks a nanosecond; `den` is not 0 and the quotient fits 64 bits.
    pub(crate) const fn new(num: u128, den: u64) -> Self {
        let common = gcd(num, den as u128);
        let (num, den) = (num / common, den as u128 / common);
        let rest = num % den;
        let reciprocal = (rest << 64) / den;
        Self {
            whole: (num / den) as u64,
            num: rest as u64,
            den: den as u64,
            reciprocal: reciprocal as u64,
        }
    }

    /// `at` in ticks.
    ///
    /// The product with the truncated reciprocal is short by less than `at / 2^64 < 1`, so its
    /// floor is right or one too low, and one multiplication back tells which (Granlund and
    /// Montgomery, "Division by invariant integers using multiplication", 1994).
    #[inline(always)]
    pub(crate) const fn tick(&self, at: Time) -> Tick {
        if self.num == 0 {
            if self.whole == 1 {
                return Tick { floor: at.as_nanos(), ceil: at.as_nanos() };
            }
            // Said to be rare, so that the multiplication is branched around: the check before
            // ended with a locked instruction, after which the rule is loaded anew, and its
            // product would be what this check waits for.
            rare();
            let tick = at.as_nanos().saturating_mul(self.whole);
            return Tick { floor: tick, ceil: tick };
        }
        rounded(self.whole, self.num, self.den, self.reciprocal, at.as_nanos())
    }

    /// [`tick`](Self::tick) for scales that always round.
    #[inline(always)]
    pub(crate) const fn tick_of_windows(&self, at: Time) -> Tick {
        let (part, inexact) = self.part(at.as_nanos());
        let floor = at.as_nanos().saturating_mul(self.whole).saturating_add(part);
        Tick { floor, ceil: floor.saturating_add(inexact as u64) }
    }

    #[inline(always)]
    const fn part(&self, nanos: u64) -> (u64, bool) {
        let guess = ((nanos as u128 * self.reciprocal as u128) >> 64) as u64;
        let rest = nanos as u128 * self.num as u128 - guess as u128 * self.den as u128;
        if rest >= self.den as u128 {
            (guess + 1, rest > self.den as u128)
        } else {
            (guess, rest > 0)
        }
    }

    /// What `at` is past its tick, in `1 / den` of one, and the `den`.
    #[inline(always)]
    pub(crate) const fn rest(&self, at: Time, floor: u64) -> (u64, u64) {
        let whole = at.as_nanos() as u128 * self.numerator();
        ((whole - floor as u128 * self.den as u128) as u64, self.den)
    }

    const fn numerator(&self) -> u128 {
        self.whole as u128 * self.den as u128 + self.num as u128
    }

    /// The first instant whose tick, rounded down, is at least `tick`; the end of time if none is.
    #[cold]
    pub(crate) const fn first(&self, tick: u64) -> Time {
        self.first_part(tick, 0)
    }

    /// The first instant at least `part / den` of a tick after `tick`.
    pub(crate) const fn first_part(&self, tick: u64, part: u64) -> Time {
        let numerator = self.numerator();
        if numerator == 0 {
            return Time::MAX;
        }
        let wanted = tick as u128 * self.den as u128;
        let nanos = wanted.saturating_add(part as u128).div_ceil(numerator);
        Time::from_nanos(if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 })
    }

    pub(crate) const fn to_words(self) -> [u64; 4] {
        [self.whole, self.num, self.den, self.reciprocal]
    }

    pub(crate) const fn from_words(words: [u64; 4]) -> Self {
        Self { whole: words[0], num: words[1], den: words[2], reciprocal: words[3] }
    }

    /// From those words, without reading the last two where nothing rounds.
    #[inline(always)]
    pub(crate) fn hot(word: impl Fn(usize) -> u64) -> Self {
        let (whole, num) = (word(0), word(1));
        if num == 0 {
            return Self { whole, num, den: 1, reciprocal: 0 };
        }
        Self { whole, num, den: word(2), reciprocal: word(3) }
    }

    /// Nanoseconds a tick, for people.
    pub(crate) fn nanos(&self) -> f64 {
        self.den as f64 / self.numerator() as f64
    }
}

#[cold]
#[inline(always)]
const fn rare() {}

/// [`Scale::tick`] of a scale that rounds. Out of line, and by value: in line, the compiler computes
/// it first and then decides whether to use it, which doubles the instructions of a check whose
/// quota never rounds; by reference, it keeps the whole rule in memory.
#[inline(never)]
const fn rounded(whole: u64, num: u64, den: u64, reciprocal: u64, nanos: u64) -> Tick {
    Scale { whole, num, den, reciprocal }.tick_of_windows(Time::from_nanos(nanos))
}

const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// The tick of a quota and how many make one unit of cost.
///
/// With `amount / period` in lowest terms `a / b`, ticks of `1 / a` ns make a unit exactly `b` of
/// them and `now` never rounds. When that tick is finer than 50 years in a word allow, or the
/// burst would not fit, the tick is `q / a` ns for the smallest round `q` (a product of twos and
/// fives) that divides `b`: then instants that are whole multiples of `q` ns still do not round,
/// and those are the ones that come twice, from coarse clocks. Only a period without such a `q` is
/// cut into as many ticks as fit.
pub(crate) const fn scale_of(quota: Quota) -> (Scale, u64) {
    if quota.is_closed() {
        return (Scale::NANOS, 1);
    }
    let (amount, period) = (quota.rate().amount(), quota.rate().period_nanos());
    let room = Quota::MAX_BURST / quota.burst();
    let common = gcd(amount as u128, period as u128) as u64;
    let (a, b) = (amount / common, period / common);
    let by_range = a.div_ceil(MOST_TICKS_A_NANO);
    let by_burst = b.div_ceil(room);
    let q = round_divisor(b, if by_range > by_burst { by_range } else { by_burst });
    // A coarse tick is for a large burst only.
    if q != 0 && (q / 8 <= a || q / 8 <= by_burst) {
        return (Scale::new(a as u128, q), b / q);
    }
    let unit = INEXACT_TICKS_A_NANO * period as u128 / amount as u128;
    let unit = if unit == 0 {
        1
    } else if unit > room as u128 {
        room
    } else {
        unit as u64
    };
    (Scale::new(amount as u128 * unit as u128, period), unit)
}

/// The smallest divisor of `of` that is at least `least` and a product of twos and fives; 0 if
/// there is none.
const fn round_divisor(of: u64, least: u64) -> u64 {
    let mut best = 0;
    let mut fives = 1_u64;
    loop {
        let rest = of / fives;
        let mut q = fives;
        let mut twos = rest.trailing_zeros();
        while q < least && twos > 0 {
            q = q.saturating_mul(2);
            twos -= 1;
        }
        if q >= least && (best == 0 || q < best) {
            best = q;
        }
        if rest % 5 != 0 {
            return best;
        }
        fives *= 5;
    }
}

/// A bucket of `cap` ticks whose words are arrival times in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meter {
    pub(crate) unit: u64,
    pub(crate) cap: u64,
}

/// Why a [`Meter`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// Passes from this tick on, if nobody comes before.
    Until(u64),
    /// The cost is over the burst, or the end of time is.
    Never,
}

impl Meter {
    /// Takes `cost`: the word after it, or why not. A cost of 0 passes and changes nothing.
    ///
    /// What follows `word` is as short as it can be, two compares and an addition: a shared limiter
    /// loads it right after one locked instruction and needs the result for the next one, which
    /// waits for every branch before it. So overflow is excluded by what does not depend on it.
    #[inline(always)]
    pub(crate) fn take(&self, word: u64, now: Tick, cost: u64) -> Result<u64, Short> {
        if cost == 0 {
            return Ok(word);
        }
        let Some(ticks) = cost.checked_mul(self.unit) else { return Err(Short::Never) };
        let Some(room) = self.cap.checked_sub(ticks) else { return Err(Short::Never) };
        if now.ceil > END - self.cap {
            return self.take_late(word, now, ticks, room);
        }
        // From here on neither sum passes `ceil + cap`, which is not over `END`.
        if word > now.floor + room {
            return Err(Short::Until(word - room));
        }
        Ok(word.max(now.ceil) + ticks)
    }

    /// The same within a burst of the end of time.
    #[cold]
    fn take_late(&self, word: u64, now: Tick, ticks: u64, room: u64) -> Result<u64, Short> {
        if word.saturating_sub(now.floor) > room {
            return Err(Short::Until(word - room));
        }
        match word.max(now.ceil).checked_add(ticks) {
            Some(next) if next <= END => Ok(next),
            _ => Err(Short::Never),
        }
    }

    /// Takes `cost` if it may pass not later than `latest`: the word after it and the tick from
    /// which it passes.
    pub(crate) fn book(
        &self,
        word: u64,
        now: Tick,
        cost: u64,
        latest: u64,
    ) -> Result<(u64, u64), Short> {
        match self.take(word, now, cost) {
            Ok(next) => Ok((next, now.floor)),
            Err(Short::Until(tick)) if tick <= latest => match word.checked_add(cost * self.unit) {
                Some(next) if next <= END => Ok((next, tick)),
                _ => Err(Short::Never),
            },
            Err(short) => Err(short),
        }
    }

    /// Takes `cost` whether or not there is room for it; saturates at the end of time.
    pub(crate) fn charge(&self, word: u64, now: Tick, cost: u64) -> u64 {
        if cost == 0 {
            return word;
        }
        word.max(now.ceil).saturating_add(cost.saturating_mul(self.unit)).min(END)
    }

    /// Ticks of room left.
    #[inline(always)]
    pub(crate) const fn room(&self, word: u64, now: Tick) -> u64 {
        self.cap.saturating_sub(word.saturating_sub(now.floor))
    }

    /// Gives back up to `ticks` of a charge that ended at `mark`: the word after it and the ticks
    /// given back.
    ///
    /// The charge stands for the ticks up to `mark`. Those before now have drained already: the
    /// bucket refilled under them, so giving them back would grant them twice. What lies after now
    /// is exactly what the charge still holds. Only whole units come back, so that what the caller
    /// is told is what happened.
    pub(crate) fn refund(&self, word: u64, now: Tick, mark: u64, ticks: u64) -> (u64, u64) {
        let held = mark.min(word).saturating_sub(now.ceil).min(ticks);
        let held = held - held % self.unit;
        (word - held, held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every instant becomes the ticks that division gives, rounded both ways; and the first
        /// instant of a tick is the first.
        #[test]
        fn ticks_are_those_of_exact_division(
            num in prop_oneof![1_u64..100, 1_u64..=1 << 40],
            den in prop_oneof![1_u64..100, 1_u64..=1 << 40, Just(1_000_000_000)],
            at in prop_oneof![any::<u64>(), 0_u64..1_000_000],
        ) {
            let scale = Scale::new(num.into(), den);
            let product = u128::from(at) * u128::from(num);
            let tick = scale.tick(Time::from_nanos(at));
            let whole = |ticks: u128| u64::try_from(ticks).unwrap_or(u64::MAX);
            if let Ok(floor) = u64::try_from(product / u128::from(den)) {
                prop_assert_eq!(tick.floor, floor);
                prop_assert_eq!(tick.ceil, whole(product.div_ceil(den.into())));
                let first = scale.first(floor).as_nanos();
                prop_assert!(scale.tick(Time::from_nanos(first)).floor >= floor && first <= at);
                prop_assert!(first == 0 || scale.tick(Time::from_nanos(first - 1)).floor < floor);
            }
        }

        /// A unit is so many ticks that the rate is what was asked for, to the last bit.
        #[test]
        fn a_unit_is_the_exact_interval(
            amount in 1_u64..=10_000_000_000, period in 1_u64..=1 << 50, burst in 1_u64..=1 << 30,
        ) {
            let Ok(rate) = crate::Rate::new(amount, core::time::Duration::from_nanos(period)) else {
                return Ok(());
            };
            let (scale, unit) = scale_of(Quota::new(rate).with_burst(burst));
            // unit / (ticks a nanosecond) = period / amount
            let left = u128::from(unit) * u128::from(scale.den) * u128::from(amount);
            prop_assert_eq!(left, u128::from(period) * scale.numerator());
        }
    }
}
