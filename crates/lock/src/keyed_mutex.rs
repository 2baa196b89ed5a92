//! A mutex a key: blocking, timed and async, by plain wakers.

use crate::demand::Mode;
use crate::table::{LeaseTable, Notify, Outcome};
use crate::token::{Fence, Lease, Ticket};
use alloc::borrow::ToOwned;
use archstone_core::Time;
use core::borrow::Borrow;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// Nothing expires here, so time stands still.
const NOW: Time = Time::ZERO;
const FOREVER: Duration = Duration::MAX;

/// A mutex for each key, in strict order of arrival; a key that nobody holds costs nothing.
///
/// Holding is by guard; there is no time to live, so a guard that is leaked keeps its key for ever.
/// Not reentrant: the same thread asking again waits for itself. Waiting futures may be dropped at
/// any point and take no wake-up with them. Panics do not poison.
///
/// ```
/// use archstone_lock::KeyedMutex;
///
/// let accounts: KeyedMutex<String> = KeyedMutex::new();
/// let guard = accounts.try_lock("ann").unwrap();
/// assert!(accounts.try_lock("ann").is_none());
/// assert!(accounts.try_lock("bob").is_some());
/// drop(guard);
/// assert!(accounts.try_lock("ann").is_some());
/// ```
pub struct KeyedMutex<K: Hash + Eq, S: BuildHasher = ahash::RandomState> {
    table: LeaseTable<K, S>,
}

/// Holds a key of a [`KeyedMutex`] until it is dropped.
#[must_use = "the key is free again as soon as the guard is dropped"]
pub struct KeyGuard<'a, K: Hash + Eq, S: BuildHasher = ahash::RandomState> {
    table: &'a LeaseTable<K, S>,
    lease: Lease,
}

/// The future of [`KeyedMutex::lock_async`].
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<'a, 'k, K: Hash + Eq, Q: ?Sized, S: BuildHasher = ahash::RandomState> {
    table: &'a LeaseTable<K, S>,
    key: &'k Q,
    ticket: Option<Ticket>,
}

impl<K: Hash + Eq> KeyedMutex<K> {
    /// No key is held.
    #[must_use]
    pub fn new() -> Self {
        Self { table: LeaseTable::new() }
    }

    /// With so many independent parts instead of 64, see [`Builder::shards`](crate::Builder::shards).
    #[must_use]
    pub fn with_shards(shards: usize) -> Self {
        Self { table: LeaseTable::builder().shards(shards).build() }
    }
}

impl<K: Hash + Eq> Default for KeyedMutex<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Hash + Eq, S: BuildHasher> KeyedMutex<K, S> {
    /// The key, if nobody holds it or waits for it.
    #[inline]
    pub fn try_lock<Q>(&self, key: &Q) -> Option<KeyGuard<'_, K, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let lease = self.table.try_acquire(NOW, key, FOREVER).ok()?;
        Some(KeyGuard { table: &self.table, lease })
    }

    /// The key, when it is this future's turn. Its place in the queue is that of its first poll.
    pub fn lock_async<'k, Q>(&self, key: &'k Q) -> Acquire<'_, 'k, K, Q, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        Acquire { table: &self.table, key, ticket: None }
    }

    /// The key, when it is this thread's turn.
    #[cfg(feature = "std")]
    pub fn lock<Q>(&self, key: &Q) -> KeyGuard<'_, K, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(guard) = self.try_lock(key) {
            return guard;
        }
        let waker = parker::waker();
        let mut future = self.lock_async(key);
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut future).poll(&mut context) {
                Poll::Ready(guard) => return guard,
                Poll::Pending => parker::park(),
            }
        }
    }

    /// The key, or `None` when it is not this thread's turn within `patience`.
    #[cfg(feature = "std")]
    pub fn lock_timeout<Q>(&self, key: &Q, patience: Duration) -> Option<KeyGuard<'_, K, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(guard) = self.try_lock(key) {
            return Some(guard);
        }
        let start = std::time::Instant::now();
        let waker = parker::real_waker();
        let mut future = self.lock_async(key);
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(guard) = Pin::new(&mut future).poll(&mut context) {
                return Some(guard);
            }
            // Dropping the future leaves the queue, or gives on what it was granted meanwhile.
            let left = patience.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            std::thread::park_timeout(left);
        }
    }

    /// Keys that are held, and requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nobody holds a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

impl<'a, K, Q, S> Future for Acquire<'a, '_, K, Q, S>
where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    S: BuildHasher,
{
    type Output = KeyGuard<'a, K, S>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let table = self.table;
        if let Some(ticket) = self.ticket {
            match table.poll(NOW, ticket, context.waker()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(lease)) => {
                    self.ticket = None;
                    return Poll::Ready(KeyGuard { table, lease });
                }
                // Nothing expires and nobody else has the ticket; but to ask again is always right.
                Poll::Ready(Err(_)) => self.ticket = None,
            }
        }
        if let Ok(lease) = table.try_acquire(NOW, self.key, FOREVER) {
            return Poll::Ready(KeyGuard { table, lease });
        }
        let notify = Notify::Waker(context.waker().clone());
        match table.enqueue_polled(NOW, self.key, Mode::Exclusive, FOREVER, notify) {
            Ok(Outcome::Granted(lease)) => Poll::Ready(KeyGuard { table, lease }),
            Ok(Outcome::Waiting(ticket)) => {
                self.ticket = Some(ticket);
                Poll::Pending
            }
            // 2^31 holders in one shard: come back.
            Err(_) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl<K: Hash + Eq, Q: ?Sized, S: BuildHasher> Drop for Acquire<'_, '_, K, Q, S> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.table.abandon(NOW, ticket);
        }
    }
}

impl<K: Hash + Eq, S: BuildHasher> KeyGuard<'_, K, S> {
    /// The number of this holding: later ones of the key have greater ones.
    #[must_use]
    pub const fn fence(&self) -> Fence {
        self.lease.fence()
    }
}

impl<K: Hash + Eq, S: BuildHasher> Drop for KeyGuard<'_, K, S> {
    #[inline]
    fn drop(&mut self) {
        let released = self.table.release(NOW, self.lease);
        debug_assert!(released.is_ok(), "a guard holds its key");
    }
}

#[cfg(feature = "std")]
mod parker {
    //! A thread as a waker. One that is woken before it parks does not park.

    use alloc::sync::Arc;
    use alloc::task::Wake;
    use archstone_core::shim::thread;
    use core::task::Waker;
    use std::thread as os;

    struct Shim(thread::Thread);

    impl Wake for Shim {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    pub(super) fn waker() -> Waker {
        Waker::from(Arc::new(Shim(thread::current())))
    }

    pub(super) fn park() {
        thread::park();
    }

    /// For time-outs, which no model checker has.
    struct Real(os::Thread);

    impl Wake for Real {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    pub(super) fn real_waker() -> Waker {
        Waker::from(Arc::new(Real(os::current())))
    }
}

impl<K: Hash + Eq, S: BuildHasher> fmt::Debug for KeyedMutex<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedMutex").field("table", &self.table).finish()
    }
}

impl<K: Hash + Eq, S: BuildHasher> fmt::Debug for KeyGuard<'_, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyGuard").field("fence", &self.fence()).finish()
    }
}

impl<K: Hash + Eq, Q: ?Sized, S: BuildHasher> fmt::Debug for Acquire<'_, '_, K, Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("waits", &self.ticket.is_some()).finish()
    }
}
