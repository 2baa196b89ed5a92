//! The rule behind [`Gcra`](crate::Gcra), [`TokenBucket`](crate::TokenBucket) and
//! [`LeakyBucket`](crate::LeakyBucket): three views of one word.

use crate::algorithm::{ONE, RULE_WORDS};
use crate::exact::{END, Meter, Scale, Short, Tick, scale_of};
use crate::verdict::{Reason, Standing};
use crate::{Denial, Grant, Quota, Rate, Refund, Verdict};
use archstone_core::Time;
use core::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeterRule {
    scale: Scale,
    meter: Meter,
    amount: u64,
    period: u64,
}

impl core::fmt::Debug for MeterRule {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.quota())
    }
}

impl MeterRule {
    pub(crate) const fn new(quota: Quota) -> Self {
        let (scale, unit) = scale_of(quota);
        let [amount, period, burst] = quota.to_words();
        // The burst times the unit is at most 2^61: `scale_of` saw to it.
        Self { scale, meter: Meter { unit, cap: burst * unit }, amount, period }
    }

    pub(crate) const fn quota(&self) -> Quota {
        Quota::from_words([self.amount, self.period, self.meter.cap / self.meter.unit])
    }

    pub(crate) const fn rate(&self) -> Rate {
        self.quota().rate()
    }

    pub(crate) fn tick_nanos(&self) -> f64 {
        self.scale.nanos()
    }

    pub(crate) const fn horizon(&self) -> Duration {
        self.scale.first(u64::MAX - Quota::MAX_BURST).since(Time::ZERO)
    }

    pub(crate) const fn tick(&self, now: Time) -> Tick {
        self.scale.tick(now)
    }

    /// The instant a word stands for.
    pub(crate) const fn time(&self, word: u64) -> Time {
        self.scale.first(word)
    }

    #[inline(always)]
    pub(crate) fn check(&self, word: &mut u64, now: Time, cost: u64) -> Verdict {
        let tick = self.scale.tick(now);
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
        let tick = self.scale.tick(now);
        let latest = self.scale.tick(now + max_wait).floor;
        match self.meter.book(*word, tick, cost, latest) {
            Ok((next, ready)) => {
                *word = next;
                Ok((self.grant(next, now, tick, cost), self.scale.first(ready).max(now)))
            }
            Err(short) => Err(self.denial(*word, now, tick, cost, short)),
        }
    }

    pub(crate) fn charge(&self, word: &mut u64, now: Time, cost: u64) -> Grant {
        let tick = self.scale.tick(now);
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
        let tick = self.scale.tick(now);
        let charged = grant.cost.saturating_mul(self.meter.unit);
        // At the earliest the charge began to drain when it was made. Refunds of earlier charges
        // may have moved it forward since, to there and not further.
        let earliest = self.scale.tick(grant.standing.now).ceil.saturating_add(charged);
        let mark = grant.mark.saturating_sub(given_back).max(earliest).min(grant.mark);
        let wanted = units.min(grant.cost).saturating_mul(self.meter.unit);
        let (next, ticks) = self.meter.refund(*word, tick, mark, wanted);
        *word = next;
        Refund { units: ticks / self.meter.unit, ticks }
    }

    pub(crate) const fn is_idle(&self, word: u64, now: Time) -> bool {
        word <= self.scale.tick(now).floor
    }

    pub(crate) fn used(&self, word: u64, now: Time) -> u128 {
        let ticks = word.saturating_sub(self.scale.tick(now).floor);
        (u128::from(ticks) * ONE).div_ceil(u128::from(self.meter.unit))
    }

    pub(crate) fn with_used(&self, now: Time, used: u128) -> u64 {
        let tick = self.scale.tick(now);
        let ticks = used.saturating_mul(u128::from(self.meter.unit)).div_ceil(ONE);
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        tick.ceil.saturating_add(ticks).min(END)
    }

    pub(crate) fn moved(&self, word: u64, from: Time, to: Time) -> u64 {
        let ticks = word.saturating_sub(self.scale.tick(from).floor);
        if ticks == 0 { 0 } else { self.scale.tick(to).ceil.saturating_add(ticks).min(END) }
    }

    #[inline(always)]
    fn grant(&self, word: u64, now: Time, tick: Tick, cost: u64) -> Grant {
        Grant { cost, mark: word, before: 0, standing: self.standing(word, now, tick) }
    }

    #[inline(always)]
    fn standing(&self, word: u64, now: Time, tick: Tick) -> Standing {
        let (scale, unit) = (self.scale, self.meter.unit);
        Standing { now, scale, unit, room: self.meter.room(word, tick), full: word }
    }

    #[inline(always)]
    fn denial(&self, word: u64, now: Time, tick: Tick, cost: u64, short: Short) -> Denial {
        let pass = match short {
            Short::Until(tick) => Some(tick),
            Short::Never => None,
        };
        Denial { cost, pass, reason: Reason::Quota, standing: self.standing(word, now, tick) }
    }

    pub(crate) const fn to_words(self) -> [u64; RULE_WORDS] {
        let [whole, num, den, reciprocal] = self.scale.to_words();
        let Self { meter: Meter { unit, cap }, amount, period, .. } = self;
        [whole, num, den, reciprocal, unit, cap, amount, period]
    }

    #[inline(always)]
    pub(crate) const fn from_words(words: [u64; RULE_WORDS]) -> Self {
        let [whole, num, den, reciprocal, unit, cap, amount, period] = words;
        let scale = Scale::from_words([whole, num, den, reciprocal]);
        Self { scale, meter: Meter { unit, cap }, amount, period }
    }
}

/// Gives a newtype over [`MeterRule`] the verbs of [`Algorithm`](crate::Algorithm).
macro_rules! meter_algorithm {
    ($type:ident) => {
        impl $type {
            /// The rule of `quota`. For a `static` or a hot loop: it is `const`, and costs about
            /// 50 ns at run time.
            #[must_use]
            pub const fn new(quota: $crate::Quota) -> Self {
                Self($crate::meter::MeterRule::new(quota))
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

        impl $crate::algorithm::sealed::Rule for $type {
            #[inline(always)]
            fn to_words(self) -> [u64; $crate::algorithm::RULE_WORDS] {
                self.0.to_words()
            }
            #[inline(always)]
            fn from_words(words: [u64; $crate::algorithm::RULE_WORDS]) -> Self {
                Self($crate::meter::MeterRule::from_words(words))
            }
        }

        impl $crate::Algorithm for $type {
            type State = u64;
            fn with_quota(&self, quota: $crate::Quota) -> Self {
                Self::new(quota)
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
