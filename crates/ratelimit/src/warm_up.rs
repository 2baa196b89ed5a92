//! Warm-up: a rate that starts slow.

use crate::algorithm::sealed::{Rule, State};
use crate::algorithm::{ONE, RULE_WORDS};
use crate::shared::VersionedCell;
use crate::verdict::{Reason, Standing};
use crate::{Algorithm, Denial, Grant, Quota, Refund, Time, Verdict};
use core::time::Duration;

/// Permits are counted in 1/2^20.
const PERMIT: u128 = 1 << 20;

/// Guava's warm-up: after idling, permits come `cold` times as slowly and speed up to the rate over
/// the warm-up time. For what must not be hit at full rate while its caches are cold.
///
/// It keeps the two ideas of Guava's `SmoothWarmingUp`: while idle, permits are stored, and the
/// more are stored the *longer* each takes (a trapezoid whose area is the warm-up time); and *the
/// next caller pays*: any cost passes as soon as the one before it has been paid off, so no cost is
/// too large, and the wait falls on who comes next. The burst of the quota is not used.
///
/// The curve is computed in integers, in 1/2^20 of a permit, rounded towards the wait. O(1), 16
/// bytes of state. What a refund gives back is the time its charge added, in proportion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    amount: u64,
    period: u64,
    /// Nanoseconds, at least 1.
    warm_up: u64,
    cold: u64,
    /// Stored permits above which they slow down, and how many are stored at most.
    threshold: u64,
    most: u64,
}

/// The state of a [`WarmUp`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmth {
    /// When all that passed is paid off.
    free: u64,
    /// How many permits below the most are stored: 0 is cold.
    warm: u64,
}

impl State for Warmth {
    type Cell = VersionedCell<Self>;
    const WORDS: usize = 2;
    fn read(mut word: impl FnMut(usize) -> u64) -> Self {
        Self { free: word(0), warm: word(1) }
    }
    fn write(&self, mut word: impl FnMut(usize, u64)) {
        word(0, self.free);
        word(1, self.warm);
    }
}

impl WarmUp {
    /// The rate of `quota`, reached `warm_up` (1 ns to 2 years, clamped) after a cold start, in
    /// which permits first take `cold` times as long (1 to 1000, clamped; Guava's is 3).
    #[must_use]
    pub fn new(quota: Quota, warm_up: Duration, cold: u32) -> Self {
        let [amount, period, burst] = quota.to_words();
        let amount = if burst == 0 { 0 } else { amount };
        let warm_up = warm_up.as_nanos().clamp(1, 1 << 56) as u64;
        let cold = u64::from(cold.clamp(1, 1_000));
        // Permits that take the warm-up time at the rate; at most 2^40 are stored.
        let permits = u128::from(warm_up) * u128::from(amount) / u128::from(period);
        let exact = u128::from(warm_up) * u128::from(amount) % u128::from(period);
        let permits = permits.min(1 << 40) * PERMIT + exact * PERMIT / u128::from(period);
        let threshold = permits / 2;
        let most = threshold + 2 * permits / (1 + u128::from(cold));
        let (threshold, most) = (threshold as u64, (most as u64).max(1));
        Self { amount, period, warm_up, cold, threshold, most }
    }

    /// The state at `now`, which is not before it is free: cooler by what time has passed.
    fn cooled(&self, state: &Warmth, now: u64) -> Warmth {
        let idle = u128::from(now.saturating_sub(state.free));
        let stored = (idle * u128::from(self.most)).div_ceil(u128::from(self.warm_up));
        let stored = u64::try_from(stored).unwrap_or(u64::MAX);
        Warmth { free: state.free.max(now), warm: state.warm.saturating_sub(stored) }
    }

    /// Nanoseconds in 1/2^20 that `permits` (in 1/2^20) take at the rate.
    fn steady(&self, permits: u128) -> u128 {
        let (amount, period) = (u128::from(self.amount.max(1)), u128::from(self.period));
        match permits.checked_mul(period) {
            Some(product) => product.div_ceil(amount),
            None => (permits / amount).saturating_mul(period),
        }
    }

    /// The nanoseconds that `cost` takes, and the state after it.
    fn spend(&self, state: Warmth, cost: u64) -> (u64, Warmth) {
        let cost = u128::from(cost) * PERMIT;
        let stored = u128::from(self.most - state.warm.min(self.most));
        let from_stored = cost.min(stored);
        let above = stored.saturating_sub(u128::from(self.threshold));
        let slow = from_stored.min(above);
        // The area under the slope: the steady time of the slow part times the mean of how much
        // slower its two ends are. With `s` the steady interval and `w` the warm-up time the slope
        // is s^2 (cold^2 - 1) / 2w, so that mean is (a + b) s (cold^2 - 1) / 4w, at most cold - 1.
        let ends = self.steady(above.saturating_add(above - slow));
        let factor = u128::from(self.cold * self.cold - 1);
        let slower = ends.saturating_mul(factor).saturating_mul(1 << 12);
        let slower = slower / (4 * u128::from(self.warm_up));
        let slow_time = self.steady(slow).saturating_mul(ONE.saturating_add(slower)) >> 32;
        let nanos = slow_time.saturating_add(self.steady(cost - slow)).div_ceil(PERMIT);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let warm = u128::from(state.warm) + from_stored;
        let warm = (warm as u64).min(self.most);
        (nanos, Warmth { free: state.free.saturating_add(nanos), warm })
    }

    fn standing(&self, state: &Warmth, now: Time) -> Standing {
        let stored = self.most.saturating_sub(state.warm) / PERMIT as u64;
        let ready = state.free <= now.as_nanos() && self.amount > 0;
        let room = if ready { stored.max(1) } else { 0 };
        Standing::nanos(now, room, Time::from_nanos(state.free).max(now))
    }

    fn grant(&self, state: &Warmth, now: Time, cost: u64, held: u64) -> Grant {
        let standing = self.standing(state, now);
        Grant { cost, mark: state.free, before: 0, held, standing }
    }

    fn denial(&self, state: &Warmth, now: Time, cost: u64) -> Denial {
        let pass = (self.amount > 0 && state.free < u64::MAX).then_some(state.free);
        Denial { cost, pass, reason: Reason::Quota, standing: self.standing(state, now) }
    }
}

impl Rule for WarmUp {
    fn to_words(self) -> [u64; RULE_WORDS] {
        let Self { amount, period, warm_up, cold, threshold, most } = self;
        [amount, period, warm_up, cold, threshold, most, 0, 0]
    }
    fn from_words([amount, period, warm_up, cold, threshold, most, ..]: [u64; RULE_WORDS]) -> Self {
        Self { amount, period, warm_up, cold, threshold, most }
    }
}

impl Algorithm for WarmUp {
    type State = Warmth;

    fn with_quota(&self, quota: Quota) -> Self {
        Self::new(quota, Duration::from_nanos(self.warm_up), self.cold as u32)
    }

    fn quota(&self) -> Quota {
        let rate = Quota::from_words([self.amount, self.period, 0]).rate();
        Quota::new(rate)
    }

    fn check(&self, state: &mut Warmth, now: Time, cost: u64) -> Verdict {
        match self.reserve(state, now, cost, Duration::ZERO) {
            Ok((grant, _)) => Verdict::Allow(grant),
            Err(denial) => Verdict::Deny(denial),
        }
    }

    fn reserve(
        &self,
        state: &mut Warmth,
        now: Time,
        cost: u64,
        max_wait: Duration,
    ) -> Result<(Grant, Time), Denial> {
        let seen = self.cooled(state, now.as_nanos());
        if cost == 0 {
            return Ok((self.grant(&Warmth { free: state.free, ..seen }, now, 0, 0), now));
        }
        let ready = Time::from_nanos(seen.free);
        if self.amount == 0 || ready > now + max_wait || seen.free == u64::MAX {
            return Err(self.denial(state, now, cost));
        }
        let (held, next) = self.spend(seen, cost);
        *state = next;
        Ok((self.grant(&next, now, cost, held), ready))
    }

    fn charge(&self, state: &mut Warmth, now: Time, cost: u64) -> Grant {
        if cost == 0 {
            return self.grant(state, now, 0, 0);
        }
        let (held, next) = self.spend(self.cooled(state, now.as_nanos()), cost);
        *state = next;
        self.grant(&next, now, cost, held)
    }

    fn refund(&self, state: &mut Warmth, now: Time, grant: &Grant, units: u64, _: u64) -> Refund {
        let units = units.min(grant.cost);
        if units == 0 {
            return Refund::default();
        }
        let share = u128::from(grant.held) * u128::from(units) / u128::from(grant.cost);
        // What has been paid off by now is over; what is not is given back.
        let left = grant.mark.min(state.free).saturating_sub(now.as_nanos());
        let nanos = left.min(share as u64);
        state.free -= nanos;
        let permits = u128::from(units) * PERMIT;
        state.warm = state.warm.saturating_sub(u64::try_from(permits).unwrap_or(u64::MAX));
        let whole = u128::from(units) * u128::from(nanos) / share.max(1);
        Refund { units: whole as u64, ticks: nanos }
    }

    fn is_idle(&self, state: &Warmth, now: Time) -> bool {
        state.free <= now.as_nanos() && self.cooled(state, now.as_nanos()).warm == 0
    }

    fn used(&self, state: &Warmth, now: Time) -> u128 {
        let debt = u128::from(state.free.saturating_sub(now.as_nanos()));
        (debt * u128::from(self.amount)).div_ceil(u128::from(self.period)).saturating_mul(ONE)
    }

    fn with_used(&self, now: Time, used: u128) -> Warmth {
        let permits = u64::try_from(used.div_ceil(ONE)).unwrap_or(u64::MAX);
        let debt = self.steady(u128::from(permits) * PERMIT).div_ceil(PERMIT);
        let debt = u64::try_from(debt).unwrap_or(u64::MAX);
        Warmth { free: now.as_nanos().saturating_add(debt), warm: 0 }
    }

    fn moved(&self, state: &Warmth, from: Time, to: Time) -> Warmth {
        let seen = self.cooled(state, from.as_nanos());
        let debt = seen.free - from.as_nanos();
        Warmth { free: to.as_nanos().saturating_add(debt), ..seen }
    }
}
