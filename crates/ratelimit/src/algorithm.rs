//! The verbs that all algorithms share, and state for one owner.

use crate::shared::VOID;
use crate::{Denial, Grant, Quota, RetryAfter, Verdict};
use archstone_core::Time;
use core::fmt::Debug;
use core::time::Duration;

/// The words of a rule: what a shared limiter keeps in atomics, so that its quota may change.
pub(crate) const RULE_WORDS: usize = 8;

pub(crate) mod sealed {
    //! What only this crate implements.
    use super::{Debug, RULE_WORDS};
    use crate::shared::Cell;

    /// The state of one limit; the default is one that was never used.
    pub trait State: Copy + Default + PartialEq + Debug + Send + Sync + 'static {
        /// Where threads share it.
        type Cell: Cell<Self>;
        /// Its length in words.
        const WORDS: usize;
        /// Rebuilds it from its words.
        fn read(word: impl FnMut(usize) -> u64) -> Self;
        /// Hands out its words.
        fn write(&self, word: impl FnMut(usize, u64));
    }

    /// The inner half of [`Algorithm`](super::Algorithm).
    pub trait Rule: Sized {
        /// The rule as words.
        fn to_words(self) -> [u64; RULE_WORDS];
        /// The rule of those words.
        fn from_words(words: [u64; RULE_WORDS]) -> Self;
        /// The rule as far as a check needs it: its quota may be missing. Reads no more words than
        /// it must, for they are atomics and the compiler may not leave one out.
        #[inline(always)]
        fn hot(word: impl Fn(usize) -> u64) -> Self {
            Self::from_words(core::array::from_fn(word))
        }
    }
}
use sealed::{Rule, State};

/// A rule of limiting: how a state answers a check at an instant.
///
/// A rule is a small `Copy` value made from a [`Quota`]; the state is apart from it, so that one
/// rule serves a million keys. Put the two together with [`Local`] (one owner, no atomics),
/// [`Shared`](crate::Shared) (many threads), [`Limiter`](crate::Limiter) (with a clock) or
/// [`Keyed`](crate::Keyed) (a state a key). This trait is sealed.
///
/// Every verb is total: no time, cost or quota makes it panic. A clock that steps back never lets
/// more pass; it only denies until it is back, or its step has been waited out.
pub trait Algorithm: Copy + Debug + Send + Sync + Rule + 'static {
    /// What is kept for each limit.
    type State: State;

    /// The same rule with another quota.
    #[must_use]
    fn with_quota(&self, quota: Quota) -> Self;

    /// The quota.
    fn quota(&self) -> Quota;

    /// Charges `cost` if it may pass at `now`. The state changes only when it passes; a cost of 0
    /// always passes and changes nothing.
    fn check(&self, state: &mut Self::State, now: Time, cost: u64) -> Verdict;

    /// What [`check`](Self::check) would answer.
    fn peek(&self, state: &Self::State, now: Time, cost: u64) -> Verdict {
        let mut scratch = *state;
        self.check(&mut scratch, now, cost)
    }

    /// How long until more units pass at once than do at `now`: what the header field `RateLimit`
    /// tells as `t`. Zero when the whole quota is there, or never will be.
    fn more_after(&self, state: &Self::State, now: Time) -> Duration {
        let left = self.peek(state, now, 0).remaining();
        match self.peek(state, now, left.saturating_add(1)).retry_after() {
            Some(RetryAfter::After(wait)) => wait,
            _ => Duration::ZERO,
        }
    }

    /// Charges as much of `most` as may pass at `now`, maybe nothing.
    fn take_up_to(&self, state: &mut Self::State, now: Time, most: u64) -> Grant {
        let part = self.peek(state, now, 0).remaining().min(most);
        match self.check(state, now, part) {
            Verdict::Allow(grant) => grant,
            // Not reached: what remains passes. Nothing is the safe answer.
            Verdict::Deny(denial) => Grant::nothing(denial),
        }
    }

    /// Charges `cost` now if it may pass not later than `max_wait` from now, and says when.
    ///
    /// # Errors
    /// The denial with the wait that would have been needed.
    fn reserve(
        &self,
        state: &mut Self::State,
        now: Time,
        cost: u64,
        max_wait: Duration,
    ) -> Result<(Grant, Time), Denial>;

    /// Charges `cost` whether or not there is room: for a cost known after the work. What is over
    /// the quota is a debt that later checks wait out.
    fn charge(&self, state: &mut Self::State, now: Time, cost: u64) -> Grant;

    /// Gives back up to `units` of `grant` as far as it has not drained yet, and says how much.
    ///
    /// `given_back` is what the state has been given back since the grant was made, in ticks, or
    /// `u64::MAX` when nobody counted: then the grant is taken to have drained from the moment it
    /// was made, which may give back less but never too much.
    fn refund(
        &self,
        state: &mut Self::State,
        now: Time,
        grant: &Grant,
        units: u64,
        given_back: u64,
    ) -> Refund;

    /// Whether `state` answers as one that was never used.
    fn is_idle(&self, state: &Self::State, now: Time) -> bool;

    /// Units in use at `now` in 1/2^32, rounded up; over the burst when in debt.
    fn used(&self, state: &Self::State, now: Time) -> u128;

    /// A state with that much in use at `now`.
    fn with_used(&self, now: Time, used: u128) -> Self::State;

    /// The state that answers at `to` as `state` does at `from`: for snapshots taken by one clock
    /// and restored by another.
    fn moved(&self, state: &Self::State, from: Time, to: Time) -> Self::State;
}

/// What a refund did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refund {
    /// Whole units given back.
    pub units: u64,
    /// The same in the ticks of the rule.
    pub ticks: u64,
}

impl Grant {
    pub(crate) fn nothing(denial: Denial) -> Self {
        Self { cost: 0, mark: 0, before: 0, held: 0, standing: denial.standing }
    }
}

/// What stays of what was used when a quota changes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// The units used stay used: 90 of 100 become 90 of 1000. A debt stays the debt. The default.
    #[default]
    Used,
    /// The share used stays: 90 of 100 become 900 of 1000.
    Proportional,
    /// The units left stay left, up to the new burst: 10 left of 100 are 10 left of 1000.
    Tokens,
    /// Starts full.
    Full,
    /// Starts with nothing left.
    Empty,
}

/// One unit in the fixed point of [`Algorithm::used`].
pub(crate) const ONE: u128 = 1 << 32;

/// The state under `new` of what was `state` under `old`.
pub(crate) fn carry<A: Algorithm>(
    old: &A,
    new: &A,
    state: &A::State,
    now: Time,
    carry: Carry,
) -> A::State {
    let used = old.used(state, now);
    let had = u128::from(old.quota().burst()) * ONE;
    let has = u128::from(new.quota().burst()) * ONE;
    let used = match carry {
        Carry::Used => used,
        Carry::Proportional if had == 0 => has,
        Carry::Proportional => {
            let (had, has) = (u128::from(old.quota().burst()), u128::from(new.quota().burst()));
            match used.checked_mul(has) {
                Some(product) => product.div_ceil(had),
                None => used.div_ceil(had).saturating_mul(has),
            }
        }
        Carry::Tokens => (has + used).saturating_sub(had),
        Carry::Full => 0,
        Carry::Empty => has,
    };
    new.with_used(now, used)
}

/// A limit with one owner: plain state and the caller's time. No atomics, no allocation.
///
/// ```
/// use archstone_ratelimit::{Gcra, Local, Quota, Time};
///
/// let mut limit = Local::new(Gcra::new(Quota::per_second(10).with_burst(1)));
/// assert!(limit.check_at(Time::ZERO, 1).is_allowed());
/// assert!(!limit.check_at(Time::from_millis(99), 1).is_allowed());
/// assert!(limit.check_at(Time::from_millis(100), 1).is_allowed());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Local<A: Algorithm> {
    rule: A,
    state: A::State,
    given_back: u64,
}

impl<A: Algorithm> Local<A> {
    /// A limit that was never used.
    #[must_use]
    pub fn new(rule: A) -> Self {
        Self { rule, state: A::State::default(), given_back: 0 }
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> &A {
        &self.rule
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &A::State {
        &self.state
    }

    /// Charges `cost` if it may pass at `now`.
    #[inline]
    pub fn check_at(&mut self, now: Time, cost: u64) -> Verdict {
        self.rule.check(&mut self.state, now, cost).given_back(self.given_back)
    }

    /// What [`check_at`](Self::check_at) would answer.
    #[inline]
    pub fn peek_at(&self, now: Time, cost: u64) -> Verdict {
        self.rule.peek(&self.state, now, cost)
    }

    /// How long until more units pass at once than do at `now`: see [`Algorithm::more_after`].
    #[must_use]
    pub fn more_after_at(&self, now: Time) -> Duration {
        self.rule.more_after(&self.state, now)
    }

    /// Charges as much of `most` as may pass at `now`, maybe nothing.
    pub fn take_up_to_at(&mut self, now: Time, most: u64) -> Grant {
        Grant { before: self.given_back, ..self.rule.take_up_to(&mut self.state, now, most) }
    }

    /// Charges `cost` now if it may pass within `max_wait`, and says when.
    ///
    /// # Errors
    /// The denial with the wait that would have been needed.
    pub fn reserve_at(
        &mut self,
        now: Time,
        cost: u64,
        max_wait: Duration,
    ) -> Result<(Grant, Time), Denial> {
        let (grant, ready) = self.rule.reserve(&mut self.state, now, cost, max_wait)?;
        Ok((Grant { before: self.given_back, ..grant }, ready))
    }

    /// Charges `cost` whether or not there is room.
    pub fn charge_at(&mut self, now: Time, cost: u64) -> Grant {
        Grant { before: self.given_back, ..self.rule.charge(&mut self.state, now, cost) }
    }

    /// Gives back up to `units` of `grant`, as far as it has not drained, and says how many.
    pub fn refund_at(&mut self, now: Time, grant: &Grant, units: u64) -> u64 {
        let since = self.given_back.saturating_sub(grant.before);
        if since >= VOID {
            return 0;
        }
        let refund = self.rule.refund(&mut self.state, now, grant, units, since);
        self.given_back = self.given_back.saturating_add(refund.ticks);
        refund.units
    }

    /// Changes the quota; `how` says what becomes of what was used. Grants made before cannot be
    /// given back after.
    pub fn set_quota_at(&mut self, now: Time, quota: Quota, how: Carry) {
        let rule = self.rule.with_quota(quota);
        self.state = carry(&self.rule, &rule, &self.state, now, how);
        self.rule = rule;
        self.given_back = self.given_back.saturating_add(VOID);
    }
}

impl Verdict {
    /// The verdict with what had been given back before it.
    #[inline(always)]
    pub(crate) fn given_back(self, before: u64) -> Self {
        match self {
            Self::Allow(grant) => Self::Allow(Grant { before, ..grant }),
            deny @ Self::Deny(_) => deny,
        }
    }
}

impl State for u64 {
    type Cell = crate::shared::WordCell;
    const WORDS: usize = 1;
    fn read(mut word: impl FnMut(usize) -> Self) -> Self {
        word(0)
    }
    fn write(&self, mut word: impl FnMut(usize, Self)) {
        word(0, *self);
    }
}
