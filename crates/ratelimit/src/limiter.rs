//! A limit with a clock.

#[cfg(feature = "std")]
use crate::Monotonic;
use crate::{
    Algorithm, Carry, Clock, Denial, Fixed, Gcra, Grant, Quota, RetryAfter, RuleCell, Shared, Time,
    Tunable, Verdict,
};
use core::time::Duration;

/// A limit that threads share by reference, with a clock of its own.
///
/// Each verb reads the clock once and is a one-liner over its `_at` twin in [`Shared`], which it
/// derefs to. Where several limits (or a cache, or a lock) serve one request, read the clock once
/// and use the twins.
///
/// | verb | when |
/// |---|---|
/// | [`check`](Self::check), [`check_n`](Self::check_n) | the request passes or is answered 429 |
/// | [`reserve`](Self::reserve) | the request may wait a little, and may give up waiting |
/// | [`take_up_to`](Self::take_up_to) | part of it is of use, such as some of a batch |
/// | [`charge`](Self::charge) | the cost is known only after the work |
/// | [`peek`](Self::peek) | to tell, without taking |
/// | [`refund`](Self::refund) | it was charged and not done |
///
/// ```
/// use archstone_ratelimit::{Limiter, Quota};
///
/// let limiter = Limiter::new(Quota::per_minute(100).with_burst(2));
/// assert!(limiter.check().is_allowed());
/// let grant = limiter.check().ok()?;
/// assert_eq!(grant.remaining(), 0);
/// let denied = limiter.check();
/// assert!(denied.retry_after().unwrap().duration().unwrap().as_millis() <= 600);
/// # Ok::<(), archstone_ratelimit::Denial>(())
/// ```
#[derive(Debug)]
pub struct Limiter<
    A: Algorithm = Gcra,
    #[cfg(feature = "std")] C: Clock = Monotonic,
    #[cfg(not(feature = "std"))] C: Clock = crate::Manual,
    R: RuleCell<A> = Fixed<A>,
> {
    shared: Shared<A, R>,
    clock: C,
}

#[cfg(feature = "std")]
impl Limiter {
    /// GCRA on the operating system's monotonic clock.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::with_clock(Gcra::new(quota), Monotonic::new())
    }
}

#[cfg(feature = "std")]
impl<A: Algorithm> Limiter<A> {
    /// Any rule on the operating system's monotonic clock.
    #[must_use]
    pub fn of(rule: A) -> Self {
        Self::with_clock(rule, Monotonic::new())
    }
}

impl<A: Algorithm, C: Clock> Limiter<A, C> {
    /// Any rule on any clock.
    #[must_use]
    pub fn with_clock(rule: A, clock: C) -> Self {
        Self { shared: Shared::new(rule), clock }
    }

    /// Changes the quota; `how` says what becomes of what was used.
    pub fn set_quota(&mut self, quota: Quota, how: Carry) {
        self.shared.set_quota_at(self.clock.now(), quota, how);
    }
}

impl<A: Algorithm, C: Clock> Limiter<A, C, Tunable<A>> {
    /// Any rule on any clock, whose quota may change while others check: about 4 ns a check more.
    ///
    /// ```
    /// use archstone_ratelimit::{Carry, Gcra, Limiter, Monotonic, Quota};
    /// use std::sync::Arc;
    ///
    /// let limiter = Limiter::tunable(Gcra::new(Quota::per_minute(100)), Monotonic::new());
    /// let limiter = Arc::new(limiter);
    /// assert_eq!(limiter.check_n(90).remaining(), 10);
    /// limiter.set_quota(Quota::per_minute(1_000), Carry::Used);
    /// assert_eq!(limiter.peek(0).remaining(), 910);
    /// ```
    #[must_use]
    pub fn tunable(rule: A, clock: C) -> Self {
        Self { shared: Shared::tunable(rule), clock }
    }

    /// Changes the quota; `how` says what becomes of what was used.
    pub fn set_quota(&self, quota: Quota, how: Carry) {
        self.shared.set_quota_at(self.clock.now(), quota, how);
    }
}

impl<A: Algorithm, C: Clock, R: RuleCell<A>> Limiter<A, C, R> {
    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    /// Charges one unit if it may pass now.
    #[inline(always)]
    pub fn check(&self) -> Verdict {
        self.check_n(1)
    }

    /// Charges `cost` if it may pass now.
    #[inline(always)]
    pub fn check_n(&self, cost: u64) -> Verdict {
        self.shared.check_at(self.clock.now(), cost)
    }

    /// What [`check_n`](Self::check_n) would answer.
    #[inline]
    pub fn peek(&self, cost: u64) -> Verdict {
        self.shared.peek_at(self.clock.now(), cost)
    }

    /// How long until more units pass at once than do now: what the header field `RateLimit` tells
    /// as `t`.
    #[must_use]
    pub fn more_after(&self) -> Duration {
        self.shared.more_after_at(self.clock.now())
    }

    /// Charges as much of `most` as may pass now, maybe nothing: see [`Grant::cost`].
    pub fn take_up_to(&self, most: u64) -> Grant {
        self.shared.take_up_to_at(self.clock.now(), most)
    }

    /// Charges `cost` whether or not there is room. What is over the quota is a debt that later
    /// checks wait out.
    pub fn charge(&self, cost: u64) -> Grant {
        self.shared.charge_at(self.clock.now(), cost)
    }

    /// Gives back up to `units` of `grant`, as far as it has not drained, and says how many.
    pub fn refund(&self, grant: &Grant, units: u64) -> u64 {
        self.shared.refund_at(self.clock.now(), grant, units)
    }

    /// Charges `cost` now if it may pass within `max_wait`. Wait for
    /// [`ready_in`](Reservation::ready_in), [`commit`](Reservation::commit), do the work; a
    /// reservation that is dropped instead is given back.
    ///
    /// # Errors
    /// The denial with the wait that would have been needed; nothing is charged.
    pub fn reserve(
        &self,
        cost: u64,
        max_wait: Duration,
    ) -> Result<Reservation<'_, A, C, R>, Denial> {
        let now = self.clock.now();
        let (grant, ready_at) = self.shared.reserve_at(now, cost, max_wait)?;
        Ok(Reservation { limiter: self, grant, ready_at })
    }
}

impl<A: Algorithm, C: Clock, R: RuleCell<A>> core::ops::Deref for Limiter<A, C, R> {
    type Target = Shared<A, R>;
    fn deref(&self) -> &Shared<A, R> {
        &self.shared
    }
}

/// A charge for a later instant, given back when dropped before it is committed.
///
/// Giving back is exact: what the charge still holds, and not what has drained since. So a
/// reservation dropped at once leaves no trace, one dropped after its instant gives back at most
/// what nobody could have used, and no order of cancelling lets more pass than the quota.
#[must_use = "dropping a reservation cancels it"]
#[derive(Debug)]
pub struct Reservation<'a, A: Algorithm, C: Clock, R: RuleCell<A> = Fixed<A>> {
    limiter: &'a Limiter<A, C, R>,
    grant: Grant,
    ready_at: Time,
}

impl<A: Algorithm, C: Clock, R: RuleCell<A>> Reservation<'_, A, C, R> {
    /// The instant from which the work may be done.
    #[must_use]
    pub const fn ready_at(&self) -> Time {
        self.ready_at
    }

    /// How long from now until then; zero when it has come.
    #[must_use]
    pub fn ready_in(&self) -> Duration {
        self.ready_at.since(self.limiter.clock.now())
    }

    /// The charge.
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The work is done, or will be: keeps the charge.
    pub fn commit(self) -> Grant {
        let grant = self.grant;
        core::mem::forget(self);
        grant
    }

    /// Gives the charge back and says how much of it could be.
    pub fn cancel(self) -> u64 {
        let units = self.give_back();
        core::mem::forget(self);
        units
    }

    fn give_back(&self) -> u64 {
        self.limiter.refund(&self.grant, self.grant.cost())
    }
}

impl<A: Algorithm, C: Clock, R: RuleCell<A>> Drop for Reservation<'_, A, C, R> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl RetryAfter {
    /// The longer of two waits; never is the longest.
    #[must_use]
    pub fn longest(self, other: Self) -> Self {
        self.max(other)
    }
}
