//! Holding a lease for longer than its time to live, and knowing when it is lost.

use crate::demand::{AcquireError, ExtendError, Gone};
use crate::table::Event;
use crate::table::LeaseTable;
use crate::token::{Fence, Lease};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use archstone_core::spin::Lock;
use archstone_core::{Clock, Time};
use core::borrow::Borrow;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
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
    watchers: Lock<Watchers>,
}

/// Futures that wait for the loss of a lease; each under a number of its own.
#[derive(Default)]
struct Watchers {
    last: u64,
    waiting: Vec<(u64, Lease, Waker)>,
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
    pub fn new(table: LeaseTable<K, S>, clock: C) -> Self {
        Self { table, clock, watchers: Lock::new(Watchers::default()) }
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

    /// [`LeaseTable::advance`] by the clock; also wakes the futures whose lease is lost. Call it when
    /// [`LeaseTable::next_deadline`] says so, or now and then.
    pub fn advance(&self, events: &mut impl Extend<Event>) {
        self.advance_at(self.clock.now(), events);
    }

    /// [`advance`](Self::advance) at `now`.
    pub fn advance_at(&self, now: Time, events: &mut impl Extend<Event>) {
        self.table.advance(now, events);
        self.wake(|lease| self.table.status(now, lease).is_none());
    }

    /// Wakes who waits for the loss of such leases, outside of the lock.
    fn wake(&self, is_lost: impl Fn(Lease) -> bool) {
        let mut watchers = self.watchers.lock();
        let (lost, kept) = core::mem::take(&mut watchers.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|watcher| is_lost(watcher.1));
        watchers.waiting = kept;
        drop(watchers);
        lost.into_iter().for_each(|watcher| watcher.2.wake());
    }

    /// The table: for requests of other kinds.
    pub const fn table(&self) -> &LeaseTable<K, S> {
        &self.table
    }
}

impl<'a, K: Hash + Eq, C: Clock, S: BuildHasher> Kept<'a, K, C, S> {
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
            return Err(self.lose());
        }
        if now >= self.next {
            match self.keeper.table.extend(now, self.lease, self.ttl) {
                Ok(until) => {
                    // At the longest hold nothing is gained any more: come back at its end.
                    let gained = until > self.until;
                    self.until = until;
                    self.next = if gained { now + self.ttl / 3 } else { until };
                }
                Err(ExtendError::Gone | ExtendError::ZeroTtl) => return Err(self.lose()),
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

    /// Is ready when the lease is lost: run it beside the work, and stop the work when it wins.
    ///
    /// Nothing here has a timer: what wakes it is [`Keeper::advance`], a [`keep`](Self::keep) that
    /// comes too late, or the guard's own end.
    pub const fn lost(&self) -> Lost<'a, K, C, S> {
        Lost { keeper: self.keeper, lease: self.lease, number: 0 }
    }

    fn lose(&mut self) -> Gone {
        self.lost = true;
        self.keeper.wake(|lease| lease == self.lease);
        Gone
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
        self.keeper.wake(|lease| lease == self.lease);
    }
}

/// Waits until a lease is lost: see [`Kept::lost`]. May be dropped at any point.
#[must_use = "a future does nothing unless it is polled"]
pub struct Lost<'a, K: Hash + Eq, C: Clock, S: BuildHasher = ahash::RandomState> {
    keeper: &'a Keeper<K, C, S>,
    lease: Lease,
    /// Its number among the watchers; 0 before the first poll.
    number: u64,
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> Lost<'_, K, C, S> {
    fn is_lost(&self) -> bool {
        self.keeper.table.status(self.keeper.clock.now(), self.lease).is_none()
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> Future for Lost<'_, K, C, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut watchers = self.keeper.watchers.lock();
        if self.number == 0 {
            watchers.last += 1;
            self.number = watchers.last;
        }
        watchers.waiting.retain(|watcher| watcher.0 != self.number);
        watchers.waiting.push((self.number, self.lease, waker));
        drop(watchers);
        // Looked at after it is entered: an `advance` that came before this looked at the same clock.
        if self.is_lost() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> Drop for Lost<'_, K, C, S> {
    fn drop(&mut self) {
        if self.number != 0 {
            self.keeper.watchers.lock().waiting.retain(|watcher| watcher.0 != self.number);
        }
    }
}

impl<K: Hash + Eq, C: Clock, S: BuildHasher> fmt::Debug for Lost<'_, K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lost").field("fence", &self.lease.fence()).finish_non_exhaustive()
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
