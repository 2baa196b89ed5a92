//! Writes to the store behind the cache: what the cache may have when they have ended.

use alloc::sync::Arc;
use archstone_core::shim::atomic::{AtomicBool, Ordering};
use core::fmt;
use core::hash::{BuildHasher, Hash};

use super::{Inner, Loading};
use crate::cells::Cells;
use crate::policy::Policy;

impl<K, V, P, S, C> Loading<K, V, P, S, C>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    /// Begins a write of a key to the store behind the cache. To be ended by [`Writing::publish`]
    /// when the store has the value; dropped, it leaves the key without an entry, which is right
    /// whatever has become of the write.
    ///
    /// No lock is held between, so the write may be awaited. If two writes of a key overlap, nobody
    /// knows which one the store has, so none is kept, and the next who asks loads. The same holds if
    /// the key was inserted or removed by hand meanwhile.
    ///
    /// ```
    /// use archstone_cache::load::Loading;
    /// use archstone_cache::sync::Cache;
    ///
    /// let users = Loading::new(Cache::new(1000));
    /// let write = users.write(7);
    /// let stored: Result<(), &str> = Ok(()); // ... the database commits ...
    /// if stored.is_ok() {
    ///     assert!(write.publish("ann"));
    /// }
    /// assert_eq!(users.get(&7), Some("ann"));
    /// ```
    pub fn write(&self, key: K) -> Writing<'_, K, V, P, S, C> {
        let hash = self.inner.cache.hash(&key);
        let mixed = self.inner.flights.write_begins(hash, &key);
        Writing { loading: self, hash, key, mixed, held: false }
    }
}

/// A write to the store behind the cache, under way: see [`Loading::write`].
#[must_use = "dropped, it removes the entry"]
pub struct Writing<'a, K, V, P, S, C>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    loading: &'a Loading<K, V, P, S, C>,
    hash: u64,
    key: K,
    mixed: Arc<AtomicBool>,
    held: bool,
}

impl<K, V, P, S, C> Writing<'_, K, V, P, S, C>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    /// Removes the entry now, and keeps loads that begin before the end from bringing it back: for a
    /// store that readers see changed before this write has ended.
    pub(crate) fn hold(&self) {
        let Inner { cache, flights, .. } = &*self.loading.inner;
        flights.write_holds(self.hash, &self.mixed);
        flights.overtake(self.hash, |k| *k == self.key, true);
        drop(cache.remove(&self.key));
    }

    /// The store has this value: so has the cache from now on, if no other write came between. Says
    /// whether it has.
    pub fn publish(mut self, value: V) -> bool {
        let Inner { cache, flights, .. } = &*self.loading.inner;
        // What was read before the write had ended may be what was there before.
        flights.overtake(self.hash, |k| *k == self.key, true);
        let put = cache.put_if(self.hash, self.key.clone(), value, None, |_| {
            !self.mixed.load(Ordering::Acquire)
        });
        self.held = put.is_ok_and(|put| put.is_held());
        self.held
    }
}

impl<K, V, P, S, C> Drop for Writing<'_, K, V, P, S, C>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    fn drop(&mut self) {
        let Inner { cache, flights, .. } = &*self.loading.inner;
        // First, because a listener may panic.
        flights.write_ends(self.hash, &self.mixed);
        if !self.held {
            flights.overtake(self.hash, |k| *k == self.key, true);
            drop(cache.remove(&self.key));
        }
    }
}

impl<K, V, P, S, C> fmt::Debug for Writing<'_, K, V, P, S, C>
where
    K: Hash + Eq + Clone + fmt::Debug,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("key", &self.key).finish_non_exhaustive()
    }
}
