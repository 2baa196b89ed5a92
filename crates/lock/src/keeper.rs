//! Holding a lease for longer than its time to live, and knowing when it is lost.

use crate::demand::{AcquireError, ExtendError, Gone};
use crate::table::LeaseTable;
use crate::token::{Fence, Lease};
use alloc::borrow::ToOwned;
use archstone_core::{Clock, Time};
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

/// A lease table with a clock of its own. Each verb has a twin `_at` that takes the time.
///
/// It has no thread: the holder calls [`Kept::keep`] when it says so, which is a third of the time
/// to live after the last extension. So a holder that hangs loses its lease; a watchdog thread would
/// hold it for ever (and at the end the table's longest hold would end it).
///
/// ```
/// use archstone_lock::{Keeper, LeaseTable, Manual, Time};
/// use std::time::Duration;
///
/// let clock = Manual::new(Time::ZERO);
/// let keeper: Keeper<String, _> = Keeper::new(LeaseTable::new(), &clock);
/// let mut job = keeper.acquire("job-7", Duration::from_secs(30))?;
/// assert_eq!(job.keep()?, Time::from_secs(10)); // come back then
/// clock.advance(Duration::from_secs(10));
/// assert_eq!(job.keep()?, Time::from_secs(20)); // extended to 40
/// clock.advance(Duration::from_secs(30)); // slept too long
/// assert!(job.is_lost() && job.keep().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Keeper<K: Hash + Eq, C: Clock, S: BuildHasher = ahash::RandomState> {
    table: LeaseTable<K, S>,
    clock: C,
}

/// A lease that its holder keeps alive. Dropping it releases the key.
#[must_use = "the key is free again as soon as the guard is dropped"]
pub struct Kept<'a, K: Hash + Eq, C: Clock, S: BuildHasher = ahash::RandomState> {
    keeper: &'a Keeper<K, C, S>,
    lease: Lease,
    ttl: Duration,
    until: Time,
    next: Time,
    lost: bool,
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> Keeper<K, C, S> {
    /// The leases of `table` by the time of `clock`.
    pub const fn new(table: LeaseTable<K, S>, clock: C) -> Self {
        Self { table, clock }
    }

    /// The whole of `key`, exclusively.
    ///
    /// # Errors
    /// [`AcquireError`].
    pub fn acquire<Q>(&self, key: &Q, ttl: Duration) -> Result<Kept<'_, K, C, S>, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.acquire_at(self.clock.now(), key, ttl)
    }

    /// [`acquire`](Self::acquire) at `now`.
    ///
    /// # Errors
    /// [`AcquireError`].
    pub fn acquire_at<Q>(
        &self,
        now: Time,
        key: &Q,
        ttl: Duration,
    ) -> Result<Kept<'_, K, C, S>, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let lease = self.table.try_acquire(now, key, ttl)?;
        Ok(Kept {
            keeper: self,
            lease,
            ttl,
            until: lease.until(),
            next: now + ttl / 3,
            lost: false,
        })
    }

    /// The table: for requests of other kinds, and to [`advance`](LeaseTable::advance).
    pub const fn table(&self) -> &LeaseTable<K, S> {
        &self.table
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> Kept<'_, K, C, S> {
    /// Extends the lease if it is time to, and says when to call again.
    ///
    /// # Errors
    /// [`Gone`] when it is lost. Stop using the resource.
    pub fn keep(&mut self) -> Result<Time, Gone> {
        self.keep_at(self.keeper.clock.now())
    }

    /// [`keep`](Self::keep) at `now`.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn keep_at(&mut self, now: Time) -> Result<Time, Gone> {
        if self.is_lost_at(now) {
            self.lost = true;
            return Err(Gone);
        }
        if now >= self.next {
            match self.keeper.table.extend(now, self.lease, self.ttl) {
                Ok(until) => {
                    // At the longest hold nothing is gained any more: come back at its end.
                    let gained = until > self.until;
                    self.until = until;
                    self.next = if gained { now + self.ttl / 3 } else { until };
                }
                Err(ExtendError::Gone | ExtendError::ZeroTtl) => {
                    self.lost = true;
                    return Err(Gone);
                }
            }
        }
        Ok(self.next)
    }

    /// How long it surely lasts; zero when it is lost.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.remaining_at(self.keeper.clock.now())
    }

    /// [`remaining`](Self::remaining) at `now`.
    #[must_use]
    pub fn remaining_at(&self, now: Time) -> Duration {
        if self.is_lost_at(now) { Duration::ZERO } else { self.until.since(now) }
    }

    /// Whether it is lost. Once lost it stays so.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost_at(self.keeper.clock.now())
    }

    /// [`is_lost`](Self::is_lost) at `now`.
    #[must_use]
    pub fn is_lost_at(&self, now: Time) -> bool {
        self.lost || self.keeper.table.status(now, self.lease).is_none()
    }

    /// The fence to send to the resource with every write.
    #[must_use]
    pub const fn fence(&self) -> Fence {
        self.lease.fence()
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> Drop for Kept<'_, K, C, S> {
    fn drop(&mut self) {
        // When it is gone there is nothing to give back.
        let _ = self.keeper.table.release(self.keeper.clock.now(), self.lease);
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> fmt::Debug for Keeper<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("table", &self.table).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> fmt::Debug for Kept<'_, K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("fence", &self.fence()).field("until", &self.until).finish()
    }
}
