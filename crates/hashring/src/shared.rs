//! One placement, many readers, changed while they read.
//!
//! Invariants: `epoch` changes only under the lock of `current`, together with it (S1), so whoever
//! holds the lock reads a pair that belongs together; a reader's `seen` is the epoch of its snapshot
//! (S2). A reader that loads its own epoch therefore has the current snapshot, and one that does not
//! takes the lock only if it is free: it never waits, it answers from the snapshot before.

use archstone_core::shim::atomic::{AtomicU64, Ordering};
use archstone_core::shim::{Arc, Mutex};

/// A value that is replaced as a whole and read without waiting.
///
/// ```
/// use archstone_hashring::{Cluster, Ring, Shared, Weight};
///
/// let shared = Shared::new(Cluster::new(Ring::new()));
/// let mut reader = shared.reader(); // one for each thread
/// shared.update(|cluster| cluster.join("cache-a", Weight::ONE)).unwrap();
/// assert_eq!(reader.get().owner("user:42"), Some(&"cache-a"));
/// ```
#[derive(Debug)]
pub struct Shared<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    epoch: AtomicU64,
    current: Mutex<Arc<T>>,
    /// Held while a change is made, so that two changes do not begin from one value.
    writer: Mutex<()>,
}

impl<T> Shared<T> {
    /// Shares `value`.
    pub fn new(value: T) -> Self {
        let current = Mutex::new(Arc::new(value));
        Self(Arc::new(Inner { epoch: AtomicU64::new(0), current, writer: Mutex::new(()) }))
    }

    /// A reader, for one thread to keep.
    #[must_use]
    pub fn reader(&self) -> Reader<T> {
        let (snapshot, seen) = {
            let current = self.0.current.lock();
            // S1: the lock orders it.
            (Arc::clone(&current), self.0.epoch.load(Ordering::Relaxed))
        };
        Reader { shared: Arc::clone(&self.0), snapshot, seen }
    }

    /// The current value. Waits for a publication that is just taking place (two words are written).
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.current.lock())
    }

    /// Replaces the value. Readers have it from their next `get` on that does not meet this one.
    pub fn publish(&self, value: T) {
        let _writer = self.0.writer.lock();
        self.put(value);
    }

    fn put(&self, value: T) {
        let value = Arc::new(value);
        let old = {
            let mut current = self.0.current.lock();
            let epoch = self.0.epoch.load(Ordering::Relaxed);
            // S1. Release: a reader that acquires it finds what was written before.
            self.0.epoch.store(epoch.wrapping_add(1), Ordering::Release);
            core::mem::replace(&mut *current, value)
        };
        // Freed, if nobody reads it, after the lock.
        drop(old);
    }

    /// Changes a copy of the value and publishes it, unless the change fails. Changes take turns;
    /// readers go on meanwhile.
    ///
    /// # Errors
    /// What `change` returns; the value stays.
    pub fn update<R, E>(&self, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E>
    where
        T: Clone,
    {
        let _writer = self.0.writer.lock();
        let mut next = T::clone(&self.load());
        let done = change(&mut next)?;
        self.put(next);
        Ok(done)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One thread's view of a [`Shared`] value: as current as its last [`Reader::get`].
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Inner<T>>,
    snapshot: Arc<T>,
    seen: u64,
}

impl<T> Reader<T> {
    /// The value: one acquire load while nothing changed. Never waits: if a publication is just
    /// taking place, or its thread was stopped in it, this is the value before.
    #[inline]
    pub fn get(&mut self) -> &T {
        if self.shared.epoch.load(Ordering::Acquire) != self.seen {
            self.refresh();
        }
        &self.snapshot
    }

    #[cold]
    fn refresh(&mut self) {
        let old = {
            let Some(current) = self.shared.current.try_lock() else { return };
            // S2: both under the lock.
            self.seen = self.shared.epoch.load(Ordering::Relaxed);
            core::mem::replace(&mut self.snapshot, Arc::clone(&current))
        };
        drop(old);
    }

    /// The snapshot of the last `get`, to keep across changes.
    #[must_use]
    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.snapshot)
    }

    /// How many publications the snapshot has seen.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.seen
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        let (shared, snapshot) = (Arc::clone(&self.shared), Arc::clone(&self.snapshot));
        Self { shared, snapshot, seen: self.seen }
    }
}
