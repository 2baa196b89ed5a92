//! A guard before the store: a filter that knows what is certainly not there.

use alloc::boxed::Box;
use archstone_core::shim::atomic::{AtomicBool, AtomicU64, Ordering};
use core::fmt;

/// A set that may say yes wrongly, never no: a Bloom, cuckoo or quotient filter, or an exact set.
pub trait Filter<K: ?Sized> {
    /// `false` only if the key was never inserted, or was removed.
    fn may_contain(&self, key: &K) -> bool;
    /// Takes a key in.
    fn insert(&self, key: &K);
    /// Takes a key out, where the filter can; else it stays, which costs a load and no error.
    fn remove(&self, _key: &K) {}
}

/// A [`Filter`] with what its usual use forgets.
///
/// - Until [`Guard::seeded`] is called it lets everything through: an empty filter would say that
///   nothing exists.
/// - A key must be [added](Guard::add) before the store has it, so that there is no moment at which it
///   exists and is denied. [`Through::put`](super::Through::put) does that; keys that other processes
///   add must be told (through whatever bus there is).
/// - When more keys were added than the filter was made for, [`Guard::is_overfull`] says so: it still
///   never denies wrongly, but lets more and more through. Make a larger one.
pub struct Guard<K: ?Sized> {
    filter: Box<dyn Filter<K> + Send + Sync>,
    capacity: u64,
    added: AtomicU64,
    denied: AtomicU64,
    seeded: AtomicBool,
}

impl<K: ?Sized> Guard<K> {
    /// A guard by a filter that was made for `capacity` keys. It lets everything through until
    /// [`Guard::seeded`].
    pub fn new(filter: impl Filter<K> + Send + Sync + 'static, capacity: u64) -> Self {
        let zero = || AtomicU64::new(0);
        let (added, denied) = (zero(), zero());
        Self { filter: Box::new(filter), capacity, added, denied, seeded: AtomicBool::new(false) }
    }

    /// A key exists, or is about to.
    pub fn add(&self, key: &K) {
        self.filter.insert(key);
        self.added.fetch_add(1, Ordering::Relaxed);
    }

    /// A key exists no more.
    pub fn remove(&self, key: &K) {
        self.filter.remove(key);
    }

    /// Every key that exists has been added: from now on it denies.
    pub fn seeded(&self) {
        self.seeded.store(true, Ordering::Release);
    }

    /// Whether the key certainly does not exist.
    pub fn denies(&self, key: &K) -> bool {
        let denied = self.seeded.load(Ordering::Acquire) && !self.filter.may_contain(key);
        if denied {
            self.denied.fetch_add(1, Ordering::Relaxed);
        }
        denied
    }

    /// Whether more keys were added than the filter was made for. (A key that is added again counts
    /// again.)
    pub fn is_overfull(&self) -> bool {
        self.added.load(Ordering::Relaxed) > self.capacity
    }

    /// Look-ups that it has denied.
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }
}

impl<K: ?Sized> fmt::Debug for Guard<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("capacity", &self.capacity)
            .field("added", &self.added)
            .field("seeded", &self.seeded)
            .finish_non_exhaustive()
    }
}
