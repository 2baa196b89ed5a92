//! The rule behind every algorithm of one word.
//!
//! [`Gcra`](crate::Gcra), [`TokenBucket`](crate::TokenBucket) and
//! [`LeakyBucket`](crate::LeakyBucket) are three views of it over continuous time ([`Flow`]).
//! [`FixedWindow`](crate::FixedWindow), [`IntervalBucket`](crate::IntervalBucket) and
//! [`CalendarWindow`](crate::CalendarWindow) are the same arithmetic over a clock that stands
//! still within a window and jumps by the amount of the rate at its end.

use crate::algorithm::{ONE, RULE_WORDS};
use crate::exact::{END, Meter, Scale, Short, Tick, scale_of};
use crate::verdict::{Reason, Standing};
use crate::{Denial, Grant, Quota, Refund, Verdict};
use archstone_core::Time;
use core::time::Duration;

/// How time becomes ticks and back.
pub(crate) trait Axis: Copy {
    /// `now` in ticks.
    fn tick(&self, now: Time) -> Tick;
    /// The first instant whose tick is at least `tick`.
    fn first(&self, tick: u64) -> Time;
    /// How the quota stands, where `word` is when all of it is there again.
    fn standing(&self, now: Time, tick: Tick, room: u64, unit: u64, word: u64) -> Standing;
    /// The tick from which a denied cost passes, in the scale of the standing.
    fn pass(&self, tick: u64) -> u64;
    fn to_words(self) -> [u64; 4];
    fn from_words(words: [u64; 4]) -> Self;
    /// See [`Rule::hot`](crate::algorithm::sealed::Rule::hot).
    #[inline(always)]
    fn hot(word: impl Fn(usize) -> u64) -> Self {
        Self::from_words(core::array::from_fn(word))
    }
}

/// Continuous time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow(Scale);

impl Axis for Flow {
    #[inline(always)]
    fn tick(&self, now: Time) -> Tick {
        self.0.tick(now)
    }
    fn first(&self, tick: u64) -> Time {
        self.0.first(tick)
    }
    #[inline(always)]
    fn standing(&self, now: Time, _: Tick, room: u64, unit: u64, word: u64) -> Standing {
        Standing { now, scale: self.0, unit, room, full: word }
    }
    #[inline(always)]
    fn pass(&self, tick: u64) -> u64 {
        tick
    }
    #[inline(always)]
    fn to_words(self) -> [u64; 4] {
        self.0.to_words()
    }
    #[inline(always)]
    fn from_words(words: [u64; 4]) -> Self {
        Self(Scale::from_words(words))
    }
    #[inline(always)]
    fn hot(word: impl Fn(usize) -> u64) -> Self {
        Self(Scale::hot(word))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeterRule<X = Flow> {
    axis: X,
    meter: Meter,
    amount: u64,
    period: u64,
}

impl<X: Axis> core::fmt::Debug for MeterRule<X> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.quota())
    }
}

impl MeterRule {
    pub(crate) const fn new(quota: Quota) -> Self {
        let (scale, unit) = scale_of(quota);
        let [amount, period, burst] = quota.to_words();
        // The burst times the unit is at most 2^61: `scale_of` saw to it.
        Self { axis: Flow(scale), meter: Meter { unit, cap: burst * unit }, amount, period }
    }

    pub(crate) fn tick_nanos(&self) -> f64 {
        self.axis.0.nanos()
    }

    pub(crate) const fn horizon(&self) -> Duration {
        self.time(u64::MAX - Quota::MAX_BURST).since(Time::ZERO)
    }

    /// The instant a word stands for.
    pub(crate) const fn time(&self, word: u64) -> Time {
        self.axis.0.first(word)
    }
}

impl<X: Axis> MeterRule<X> {
    /// Units are ticks of the axis.
    pub(crate) fn over(axis: X, quota: Quota) -> Self {
        let [amount, period, burst] = quota.to_words();
        Self { axis, meter: Meter { unit: 1, cap: burst }, amount, period }
    }

    pub(crate) const fn axis(&self) -> &X {
        &self.axis
    }

    pub(crate) const fn quota(&self) -> Quota {
        Quota::from_words([self.amount, self.period, self.meter.cap / self.meter.unit])
    }

    #[inline(always)]
    pub(crate) fn check(&self, word: &mut u64, now: Time, cost: u64) -> Verdict {
        let tick = self.axis.tick(now);
        match self.meter.take(*word, tick, cost) {
            Ok(next) => {
                *word = next;
                Verdict::Allow(self.grant(next, now, tick, cost))
            }
            Err(short) => Verdict::Deny(self.denial(*word, now, tick, cost, short)),
        }
    }

    pub(crate) fn reserve(
        &self,
        word: &mut u64,
        now: Time,
        cost: u64,
        max_wait: Duration,
    ) -> Result<(Grant, Time), Denial> {
        let tick = self.axis.tick(now);
        let latest = self.axis.tick(now + max_wait).floor;
        match self.meter.book(*word, tick, cost, latest) {
            Ok((next, ready)) => {
                *word = next;
                Ok((self.grant(next, now, tick, cost), self.axis.first(ready).max(now)))
            }
            Err(short) => Err(self.denial(*word, now, tick, cost, short)),
        }
    }

    pub(crate) fn charge(&self, word: &mut u64, now: Time, cost: u64) -> Grant {
        let tick = self.axis.tick(now);
        *word = self.meter.charge(*word, tick, cost);
        self.grant(*word, now, tick, cost)
    }

    pub(crate) fn refund(
        &self,
        word: &mut u64,
        now: Time,
        grant: &Grant,
        units: u64,
        given_back: u64,
    ) -> Refund {
        let tick = self.axis.tick(now);
        let charged = grant.cost.saturating_mul(self.meter.unit);
        // At the earliest the charge began to drain when it was made. Refunds of earlier charges
        // may have moved it forward since, to there and not further.
        let earliest = self.axis.tick(grant.standing.now).ceil.saturating_add(charged);
        let mark = grant.mark.saturating_sub(given_back).max(earliest).min(grant.mark);
        let wanted = units.min(grant.cost).saturating_mul(self.meter.unit);
        let (next, ticks) = self.meter.refund(*word, tick, mark, wanted);
        *word = next;
        Refund { units: ticks / self.meter.unit, ticks }
    }

    pub(crate) fn is_idle(&self, word: u64, now: Time) -> bool {
        word <= self.axis.tick(now).floor
    }

    pub(crate) fn used(&self, word: u64, now: Time) -> u128 {
        let ticks = word.saturating_sub(self.axis.tick(now).floor);
        (u128::from(ticks) * ONE).div_ceil(u128::from(self.meter.unit))
    }

    pub(crate) fn with_used(&self, now: Time, used: u128) -> u64 {
        let tick = self.axis.tick(now);
        let ticks = used.saturating_mul(u128::from(self.meter.unit)).div_ceil(ONE);
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        tick.ceil.saturating_add(ticks).min(END)
    }

    pub(crate) fn moved(&self, word: u64, from: Time, to: Time) -> u64 {
        let ticks = word.saturating_sub(self.axis.tick(from).floor);
        if ticks == 0 { 0 } else { self.axis.tick(to).ceil.saturating_add(ticks).min(END) }
    }

    #[inline(always)]
    fn grant(&self, word: u64, now: Time, tick: Tick, cost: u64) -> Grant {
        Grant { cost, mark: word, before: 0, held: 0, standing: self.standing(word, now, tick) }
    }

    #[inline(always)]
    fn standing(&self, word: u64, now: Time, tick: Tick) -> Standing {
        self.axis.standing(now, tick, self.meter.room(word, tick), self.meter.unit, word)
    }

    #[inline(always)]
    fn denial(&self, word: u64, now: Time, tick: Tick, cost: u64, short: Short) -> Denial {
        let pass = match short {
            Short::Until(tick) => Some(self.axis.pass(tick)),
            Short::Never => None,
        };
        Denial { cost, pass, reason: Reason::Quota, standing: self.standing(word, now, tick) }
    }

    #[inline(always)]
    pub(crate) fn to_words(self) -> [u64; RULE_WORDS] {
        let [a, b, c, d] = self.axis.to_words();
        let Self { meter: Meter { unit, cap }, amount, period, .. } = self;
        [a, b, c, d, unit, cap, amount, period]
    }

    #[inline(always)]
    pub(crate) fn from_words(words: [u64; RULE_WORDS]) -> Self {
        let [a, b, c, d, unit, cap, amount, period] = words;
        Self { axis: X::from_words([a, b, c, d]), meter: Meter { unit, cap }, amount, period }
    }
}

impl<X: Axis> MeterRule<X> {
    /// See [`Rule::hot`](crate::algorithm::sealed::Rule::hot): without amount and period.
    #[inline(always)]
    pub(crate) fn hot(word: impl Fn(usize) -> u64) -> Self {
        let axis = X::hot(&word);
        Self { axis, meter: Meter { unit: word(4), cap: word(5) }, amount: 0, period: 1 }
    }
}

/// Gives a newtype over `MeterRule<Flow>` its constructor, its figures and its verbs.
macro_rules! flow_algorithm {
    ($type:ident) => {
        impl $type {
            /// The rule of `quota`. For a `static` or a hot loop: it is `const`, and costs about
            /// 50 ns at run time.
            #[must_use]
            pub const fn new(quota: $crate::Quota) -> Self {
                Self($crate::meter::MeterRule::new(quota))
            }

            const fn renew(&self, quota: $crate::Quota) -> Self {
                Self::new(quota)
            }

            /// Nanoseconds a tick: the whole error of the limiter, towards denial, is below it.
            /// At most 1 ns for rates over 1 a second, smaller the larger the rate; only a burst
            /// that fills more than 36 years at the rate makes it coarser.
            #[must_use]
            pub fn tick_nanos(&self) -> f64 {
                self.0.tick_nanos()
            }

            /// How far from the origin of time the rule works, at least 50 years; after it
            /// everything is denied.
            #[must_use]
            pub const fn horizon(&self) -> core::time::Duration {
                self.0.horizon()
            }
        }

        $crate::meter::meter_algorithm!($type);
    };
}
pub(crate) use flow_algorithm;

/// Gives a newtype over [`MeterRule`] the verbs of [`Algorithm`](crate::Algorithm). Its own
/// method `renew` makes the same rule of another quota.
macro_rules! meter_algorithm {
    ($type:ident) => {
        impl $crate::algorithm::sealed::Rule for $type {
            #[inline(always)]
            fn to_words(self) -> [u64; $crate::algorithm::RULE_WORDS] {
                self.0.to_words()
            }
            #[inline(always)]
            fn from_words(words: [u64; $crate::algorithm::RULE_WORDS]) -> Self {
                Self($crate::meter::MeterRule::from_words(words))
            }
            #[inline(always)]
            fn hot(word: impl Fn(usize) -> u64) -> Self {
                Self($crate::meter::MeterRule::hot(word))
            }
        }

        impl $crate::Algorithm for $type {
            type State = u64;
            fn with_quota(&self, quota: $crate::Quota) -> Self {
                self.renew(quota)
            }
            #[inline]
            fn quota(&self) -> $crate::Quota {
                self.0.quota()
            }
            #[inline(always)]
            fn check(&self, word: &mut u64, now: $crate::Time, cost: u64) -> $crate::Verdict {
                self.0.check(word, now, cost)
            }
            fn reserve(
                &self,
                word: &mut u64,
                now: $crate::Time,
                cost: u64,
                max_wait: core::time::Duration,
            ) -> Result<($crate::Grant, $crate::Time), $crate::Denial> {
                self.0.reserve(word, now, cost, max_wait)
            }
            fn charge(&self, word: &mut u64, now: $crate::Time, cost: u64) -> $crate::Grant {
                self.0.charge(word, now, cost)
            }
            fn refund(
                &self,
                word: &mut u64,
                now: $crate::Time,
                grant: &$crate::Grant,
                units: u64,
                given_back: u64,
            ) -> $crate::Refund {
                self.0.refund(word, now, grant, units, given_back)
            }
            #[inline]
            fn is_idle(&self, word: &u64, now: $crate::Time) -> bool {
                self.0.is_idle(*word, now)
            }
            fn used(&self, word: &u64, now: $crate::Time) -> u128 {
                self.0.used(*word, now)
            }
            fn with_used(&self, now: $crate::Time, used: u128) -> u64 {
                self.0.with_used(now, used)
            }
            fn moved(&self, word: &u64, from: $crate::Time, to: $crate::Time) -> u64 {
                self.0.moved(*word, from, to)
            }
        }
    };
}
pub(crate) use meter_algorithm;
