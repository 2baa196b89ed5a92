//! Several limits, all or nothing.
//!
//! Invariants:
//! 1. No limit is over-admitted: each part is taken by its own atomic check.
//! 2. Nothing is charged when one part denies: what was taken before it is given back at the same
//!    instant, which is exact (a charge gives back in full at the instant it was made).
//! 3. A compound that is denied when it looks, as most are, writes nothing at all. Only one that
//!    loses a race between looking and taking charges for a moment, and then another may be denied
//!    for it; never admitted.

use crate::{
    Algorithm, Clock, Denial, Grant, Limiter, RetryAfter, RuleCell, Shared, Time, Verdict,
};
use core::fmt::Debug;

/// What can be part of a compound: anything that checks, peeks and gives back.
pub trait Limit: Debug + Send + Sync {
    /// Charges `cost` if it may pass at `now`.
    fn check_at(&self, now: Time, cost: u64) -> Verdict;
    /// What `check_at` would answer.
    fn peek_at(&self, now: Time, cost: u64) -> Verdict;
    /// Whether `check_at` would pass: the same as `peek_at`, without the figures.
    fn passes_at(&self, now: Time, cost: u64) -> bool {
        self.peek_at(now, cost).is_allowed()
    }
    /// Gives back up to `units` of a grant made by this limit, and says how many.
    fn refund_at(&self, now: Time, grant: &Grant, units: u64) -> u64;
}

impl<A: Algorithm, R: RuleCell<A>> Limit for Shared<A, R> {
    #[inline]
    fn check_at(&self, now: Time, cost: u64) -> Verdict {
        Self::check_at(self, now, cost)
    }
    #[inline]
    fn peek_at(&self, now: Time, cost: u64) -> Verdict {
        Self::peek_at(self, now, cost)
    }
    #[inline]
    fn passes_at(&self, now: Time, cost: u64) -> bool {
        Self::peek_at(self, now, cost).is_allowed()
    }
    fn refund_at(&self, now: Time, grant: &Grant, units: u64) -> u64 {
        Self::refund_at(self, now, grant, units)
    }
}

impl<A, C, R> Limit for Limiter<A, C, R>
where
    A: Algorithm,
    C: Clock + Debug + Send + Sync,
    R: RuleCell<A>,
{
    #[inline]
    fn check_at(&self, now: Time, cost: u64) -> Verdict {
        Shared::check_at(self, now, cost)
    }
    #[inline]
    fn peek_at(&self, now: Time, cost: u64) -> Verdict {
        Shared::peek_at(self, now, cost)
    }
    #[inline]
    fn passes_at(&self, now: Time, cost: u64) -> bool {
        Shared::peek_at(self, now, cost).is_allowed()
    }
    fn refund_at(&self, now: Time, grant: &Grant, units: u64) -> u64 {
        Shared::refund_at(self, now, grant, units)
    }
}

/// One part of a compound: a limit and what the request costs there.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    limit: &'a dyn Limit,
    cost: u64,
}

impl<'a> Part<'a> {
    /// `cost` at `limit`.
    #[must_use]
    pub const fn new(limit: &'a dyn Limit, cost: u64) -> Self {
        Self { limit, cost }
    }
}

/// Charges every part, or none.
///
/// The limits may be of any algorithm and any key, and one may come twice. One reading of the
/// clock serves them all. No allocation; O(N).
///
/// ```
/// use archstone_ratelimit::{Gcra, Keyed, Part, Quota, Shared, Time, check_all};
///
/// let users = Keyed::new(Gcra::new(Quota::per_minute(1_000)));
/// let addresses = Keyed::new(Gcra::new(Quota::per_minute(2)));
/// let global = Shared::new(Gcra::new(Quota::per_minute(50_000)));
///
/// let now = Time::ZERO;
/// let (user, address) = (users.key(&"ann"), addresses.key(&[127_u8, 0, 0, 1]));
/// let parts = [Part::new(&user, 1), Part::new(&address, 1), Part::new(&global, 1)];
/// assert!(check_all(now, &parts).is_ok());
/// assert!(check_all(now, &parts).is_ok());
/// let blocked = check_all(now, &parts).unwrap_err();
/// assert_eq!(blocked.index, 1); // the address
/// assert_eq!(users.peek_at(now, &"ann", 1).remaining(), 997); // two charged, not three
/// # Ok::<(), archstone_ratelimit::Denial>(())
/// ```
///
/// # Errors
/// [`Blocked`]: which part denies, and the longest wait of all that do.
#[inline(always)]
pub fn check_all<const N: usize>(now: Time, parts: &[Part<'_>; N]) -> Result<Pass<N>, Blocked> {
    // The first is taken before anything else is, so it need not be looked at before.
    if !parts.iter().skip(1).all(|part| part.limit.passes_at(now, part.cost)) {
        if let Some(blocked) = look(now, parts) {
            return Err(blocked);
        }
    }
    let mut grants: [Option<Grant>; N] = [None; N];
    for (index, part) in parts.iter().enumerate() {
        match part.limit.check_at(now, part.cost) {
            Verdict::Allow(grant) => grants[index] = Some(grant),
            Verdict::Deny(denial) => {
                give_back(now, parts, &grants);
                return Err(lost(now, parts, Blocked { index, denial }));
            }
        }
    }
    Ok(Pass { grants })
}

/// What [`check_all`] would answer, without charging.
///
/// # Errors
/// [`Blocked`], as there.
pub fn peek_all(now: Time, parts: &[Part<'_>]) -> Result<(), Blocked> {
    look(now, parts).map_or(Ok(()), Err)
}

/// All parts passed and were charged.
#[must_use = "drop it if you do not need what it tells"]
#[derive(Clone, Copy, Debug)]
pub struct Pass<const N: usize> {
    grants: [Option<Grant>; N],
}

impl<const N: usize> Pass<N> {
    /// The grant of each part, in their order.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().flatten()
    }

    /// The index and grant of the part that has the least left: the one to tell the client.
    #[must_use]
    pub fn tightest(&self) -> Option<(usize, &Grant)> {
        self.grants().enumerate().min_by_key(|(_, grant)| grant.remaining())
    }

    /// Gives every part back, as far as it has not drained; `parts` are those it was made of.
    pub fn refund(self, now: Time, parts: &[Part<'_>; N]) {
        give_back(now, parts, &self.grants);
    }
}

/// A part denied, so nothing was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The part with the longest wait: until then the whole cannot pass.
    pub index: usize,
    /// Its denial.
    pub denial: Denial,
}

impl Blocked {
    /// The longest wait of all parts that deny.
    #[must_use]
    pub fn retry_after(&self) -> RetryAfter {
        self.denial.retry_after()
    }
}

impl core::fmt::Display for Blocked {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "part {}: {}", self.index, self.denial)
    }
}

impl core::error::Error for Blocked {}

/// The part that denies longest, if one does.
#[cold]
fn look(now: Time, parts: &[Part<'_>]) -> Option<Blocked> {
    let mut worst: Option<Blocked> = None;
    for (index, part) in parts.iter().enumerate() {
        if let Verdict::Deny(denial) = part.limit.peek_at(now, part.cost) {
            worst = Some(longer(worst, Blocked { index, denial }));
        }
    }
    worst
}

#[cold]
fn longer(worst: Option<Blocked>, other: Blocked) -> Blocked {
    match worst {
        Some(worst) if worst.retry_after() >= other.retry_after() => worst,
        _ => other,
    }
}

#[cold]
fn give_back(now: Time, parts: &[Part<'_>], grants: &[Option<Grant>]) {
    for (part, grant) in parts.iter().zip(grants).rev() {
        if let Some(grant) = grant {
            part.limit.refund_at(now, grant, grant.cost());
        }
    }
}

/// A part was lost between looking and taking: the others may deny as well by now.
#[cold]
fn lost(now: Time, parts: &[Part<'_>], blocked: Blocked) -> Blocked {
    longer(look(now, parts), blocked)
}
