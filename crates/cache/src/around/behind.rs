//! Write-behind: writes are answered at once and stored together later.
//!
//! Invariants, kept under one lock:
//! 1. Every write that was taken is in `entries` until the store has it or its caller takes it back
//!    as failed. So there are never more than `max_dirty`, and a crash loses no more.
//! 2. `order` has the entries that wait, by the time of their first write; those in a batch and those
//!    parked are not in it.
//! 3. A key is in one batch at most, so its writes reach the store in order.
//! 4. Reads look into `entries` first: what was written is read back whatever has become of it in the
//!    cache.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::shim::Mutex;
use archstone_core::{Clock, Time};
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;
use std::collections::HashMap;

use super::Store;
use super::limits::{Limits, PutError, Ran, Unflushed};
use crate::builder::DefaultHasher;
use crate::load::{LoadError, Loading};
use crate::policy::{Adaptive, Policy};
use crate::sync::Cache;

type Lost<K, V> = Box<dyn Fn(Vec<(K, Option<V>)>) + Send + Sync>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In `order`, under this number.
    Waits(u64),
    InBatch,
    Parked,
}

struct Entry<V> {
    /// `None` is a deletion.
    value: Option<V>,
    /// The number of the newest write.
    newest: u64,
    /// When the first write was made that the store does not have.
    since: Time,
    attempts: u32,
    not_before: Time,
    place: Place,
}

struct Dirty<K, V> {
    entries: HashMap<K, Entry<V>>,
    order: BTreeMap<u64, K>,
    next: u64,
    parked: usize,
    closed: bool,
}

/// A cache whose writes are stored later.
///
/// - A write of a key that waits takes the place of the one before: the store sees the last only.
///   It stays due when the first was.
/// - Writes of a key are stored in their order; those of different keys in the order of their first
///   write, but for what has to be tried again.
/// - A batch that the store refuses is tried again one by one, so that one bad write parks alone.
/// - What is unstored is read back, also after it was evicted from the cache or has expired there.
/// - Values are whole: a partial one would overwrite the rest of the row.
///
/// Nothing runs by itself: any timer calls [`WriteBehind::run`] at [`WriteBehind::next_due`]. Who
/// stores by futures takes batches: [`WriteBehind::take`].
///
/// ```
/// use archstone_cache::around::{Limits, Store, WriteBehind};
/// use archstone_cache::sync::Cache;
/// # use std::{collections::HashMap, convert::Infallible, sync::Mutex};
/// # #[derive(Default)]
/// # struct Table(Mutex<HashMap<u32, u64>>);
/// # impl Store<u32, u64> for Table {
/// #     type Error = Infallible;
/// #     fn load(&self, key: &u32) -> Result<Option<u64>, Infallible> { Ok(self.0.lock().unwrap().get(key).copied()) }
/// #     fn store(&self, key: &u32, value: u64) -> Result<u64, Infallible> { self.0.lock().unwrap().insert(*key, value); Ok(value) }
/// #     fn delete(&self, key: &u32) -> Result<(), Infallible> { self.0.lock().unwrap().remove(key); Ok(()) }
/// # }
///
/// let counts = WriteBehind::new(Cache::new(100), Table::default(), Limits::new(1000));
/// counts.put(7, 1)?;
/// counts.put(7, 2)?; // only this one is stored
/// assert_eq!(counts.get(&7).unwrap(), Some(2));
/// counts.close().unwrap(); // stores, and takes no more
/// assert_eq!(counts.store().load(&7), Ok(Some(2)));
/// # Ok::<(), archstone_cache::around::PutError<u32, u64>>(())
/// ```
pub struct WriteBehind<K, V, T, P: Policy = Adaptive, S = DefaultHasher> {
    inner: Arc<Inner<K, V, T, P, S>>,
}

struct Inner<K, V, T, P: Policy, S> {
    cache: Loading<K, Option<V>, P, S>,
    store: T,
    limits: Limits,
    dirty: Mutex<Dirty<K, V>>,
    lost: Option<Lost<K, V>>,
}

impl<K, V, T, P: Policy, S> Drop for Inner<K, V, T, P, S> {
    fn drop(&mut self) {
        let entries = core::mem::take(&mut self.dirty.lock().entries);
        if let (Some(lost), false) = (&self.lost, entries.is_empty()) {
            lost(entries.into_iter().map(|(key, entry)| (key, entry.value)).collect());
        }
    }
}

impl<K, V, T, P, S> WriteBehind<K, V, T, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    T: Store<K, V>,
    P: Policy,
    S: BuildHasher,
{
    /// `cache` before `store`.
    pub fn new(cache: Cache<K, Option<V>, P, S>, store: T, limits: Limits) -> Self {
        Self::build(cache, store, limits, None)
    }

    /// [`WriteBehind::new`] that reports what is unstored when the last handle is dropped.
    pub fn reporting(
        cache: Cache<K, Option<V>, P, S>,
        store: T,
        limits: Limits,
        lost: impl Fn(Vec<(K, Option<V>)>) + Send + Sync + 'static,
    ) -> Self {
        Self::build(cache, store, limits, Some(Box::new(lost)))
    }

    fn build(
        cache: Cache<K, Option<V>, P, S>,
        store: T,
        limits: Limits,
        lost: Option<Lost<K, V>>,
    ) -> Self {
        let dirty = Dirty {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            parked: 0,
            closed: false,
        };
        let (cache, dirty) = (Loading::new(cache), Mutex::new(dirty));
        Self { inner: Arc::new(Inner { cache, store, limits, dirty, lost }) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &T {
        &self.inner.store
    }

    /// The cache below: see [`around`](super).
    #[must_use]
    pub fn loading(&self) -> &Loading<K, Option<V>, P, S> {
        &self.inner.cache
    }

    fn now(&self) -> Time {
        self.inner.limits.clock.now()
    }

    /// The value of a key: as it was written last, or from the cache, or from the store.
    ///
    /// # Errors
    /// The store could not look.
    pub fn get(&self, key: &K) -> Result<Option<V>, LoadError<T::Error>> {
        let unstored = |key: &K| {
            let dirty = self.inner.dirty.lock();
            dirty.entries.get(key).map(|entry| entry.value.clone())
        };
        if let Some(value) = unstored(key) {
            return Ok(value);
        }
        // Again when the load has begun: a write after that overtakes it, one before that is seen.
        self.inner.cache.try_get_or_load(key.clone(), |key| match unstored(key) {
            Some(value) => Ok(value),
            None => self.inner.store.load(key),
        })
    }

    /// Takes a write.
    ///
    /// # Errors
    /// Too many are unstored, or it was closed; the write comes back.
    pub fn put(&self, key: K, value: V) -> Result<(), PutError<K, V>> {
        self.write(key, Some(value))
    }

    /// Takes a deletion.
    ///
    /// # Errors
    /// Those of [`WriteBehind::put`].
    pub fn delete(&self, key: K) -> Result<(), PutError<K, V>> {
        self.write(key, None)
    }

    fn write(&self, key: K, value: Option<V>) -> Result<(), PutError<K, V>> {
        let max_dirty = self.inner.limits.max_dirty;
        let now = self.now();
        // Two writes at once leave no entry in the cache: what is unstored is read from `entries`,
        // and what is stored from the store.
        let write = self.inner.cache.write(key.clone());
        // The entry goes first: once this write is in `entries` it is read, and may be stored and be
        // gone from there before it is published; what was here before must not be read after it.
        write.hold();
        {
            let mut guard = self.inner.dirty.lock();
            let dirty = &mut *guard;
            if dirty.closed {
                return Err(PutError::Closed { key, value });
            }
            dirty.next += 1;
            let newest = dirty.next;
            let full = dirty.entries.len() >= max_dirty;
            match dirty.entries.get_mut(&key) {
                Some(entry) => {
                    (entry.value, entry.newest) = (value.clone(), newest);
                    if entry.place == Place::Parked {
                        // A new value, a new chance.
                        dirty.parked -= 1;
                        (entry.attempts, entry.since, entry.not_before) = (0, now, now);
                        entry.place = Place::Waits(newest);
                        dirty.order.insert(newest, key);
                    }
                }
                None if full => {
                    return Err(PutError::Full { key, value, max_dirty });
                }
                None => {
                    let entry = Entry {
                        value: value.clone(),
                        newest,
                        since: now,
                        attempts: 0,
                        not_before: now,
                        place: Place::Waits(newest),
                    };
                    dirty.entries.insert(key.clone(), entry);
                    dirty.order.insert(newest, key);
                }
            }
        }
        write.publish(value);
        Ok(())
    }

    /// Writes that the store does not have, parked ones included.
    #[must_use]
    pub fn dirty(&self) -> usize {
        self.inner.dirty.lock().entries.len()
    }

    /// Writes that are parked as failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.inner.dirty.lock().parked
    }

    /// Takes back what is parked: keys and what was to be written. It is no longer read from here.
    pub fn take_failed(&self) -> Vec<(K, Option<V>)> {
        let mut dirty = self.inner.dirty.lock();
        let parked = |entry: &Entry<V>| entry.place == Place::Parked;
        let keys: Vec<K> =
            dirty.entries.iter().filter(|(_, e)| parked(e)).map(|(key, _)| key.clone()).collect();
        let mut failed = Vec::new();
        for key in keys {
            failed.extend(dirty.entries.remove_entry(&key).map(|(key, entry)| (key, entry.value)));
        }
        dirty.parked = 0;
        drop(dirty);
        // The cache has what the store does not.
        failed.iter().for_each(|(key, _)| drop(self.inner.cache.remove(key)));
        failed
    }

    /// When the next write is due; `None` if none waits. O(writes that wait).
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let dirty = self.inner.dirty.lock();
        let due = |key: &K| dirty.entries.get(key).map(|entry| self.due(entry));
        dirty.order.values().filter_map(due).min()
    }

    fn due(&self, entry: &Entry<V>) -> Time {
        if entry.attempts > 0 {
            return entry.not_before;
        }
        entry.since + self.inner.limits.max_delay
    }

    /// The next batch that is due, to be stored by the caller and then [ended](Batch::stored). With
    /// `all`, what is not due yet counts as due, but not what waits for its next attempt.
    #[must_use]
    pub fn take(&self, all: bool) -> Option<Batch<'_, K, V, T, P, S>> {
        let now = self.now();
        let limits = &self.inner.limits;
        let mut guard = self.inner.dirty.lock();
        let dirty = &mut *guard;
        let full = dirty.order.len() >= limits.batch;
        let mut writes = Vec::new();
        let mut numbers = Vec::new();
        for (number, key) in &dirty.order {
            let Some(entry) = dirty.entries.get_mut(key) else { continue };
            // What was refused goes alone.
            let again = entry.attempts > 0;
            if again && !writes.is_empty() {
                continue;
            }
            let due = if again {
                now >= entry.not_before
            } else {
                all || full || now >= entry.since + limits.max_delay
            };
            if !due {
                continue;
            }
            numbers.push((*number, entry.newest));
            writes.push((key.clone(), entry.value.clone()));
            if again || writes.len() == limits.batch {
                break;
            }
        }
        if writes.is_empty() {
            return None;
        }
        for ((number, _), (key, _)) in numbers.iter().zip(&writes) {
            dirty.order.remove(number);
            if let Some(entry) = dirty.entries.get_mut(key) {
                entry.place = Place::InBatch;
            }
        }
        let newest = numbers.into_iter().map(|(_, newest)| newest).collect();
        Some(Batch { behind: self, writes, newest })
    }

    /// Stores what is due.
    pub fn run(&self) -> Ran {
        self.run_batches(false)
    }

    fn run_batches(&self, all: bool) -> Ran {
        let mut ran = Ran::default();
        while let Some(batch) = self.take(all) {
            let writes = batch.writes().len();
            match self.inner.store.store_batch(batch.writes()) {
                Ok(()) => {
                    ran.stored += writes;
                    batch.stored();
                }
                Err(_) => {
                    ran.refused += writes;
                    batch.refused();
                }
            }
        }
        ran
    }

    /// Stores what waits, due or not. After `Ok` the store has every write that was taken before.
    ///
    /// # Errors
    /// What it does not have: writes that wait for their next attempt, are in the batch of another
    /// thread, or have failed.
    pub fn flush(&self) -> Result<Ran, Unflushed> {
        let ran = self.run_batches(true);
        let dirty = self.inner.dirty.lock();
        if dirty.entries.is_empty() {
            return Ok(ran);
        }
        let failed = dirty.parked;
        Err(Unflushed { waiting: dirty.entries.len() - failed, failed })
    }

    /// Takes no more writes, and flushes.
    ///
    /// # Errors
    /// Those of [`WriteBehind::flush`]; it may be tried again.
    pub fn close(&self) -> Result<Ran, Unflushed> {
        self.inner.dirty.lock().closed = true;
        self.flush()
    }
}

impl<K, V, T, P: Policy, S> Clone for WriteBehind<K, V, T, P, S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V, T, P: Policy, S> fmt::Debug for WriteBehind<K, V, T, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehind")
            .field("cache", &self.inner.cache)
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}

/// Writes that are being stored. Dropped without an end, they wait as before.
#[must_use = "store it and say what came of it"]
pub struct Batch<'a, K, V, T, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    T: Store<K, V>,
    P: Policy,
    S: BuildHasher,
{
    behind: &'a WriteBehind<K, V, T, P, S>,
    writes: Vec<(K, Option<V>)>,
    newest: Vec<u64>,
}

impl<K, V, T, P, S> Batch<'_, K, V, T, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    T: Store<K, V>,
    P: Policy,
    S: BuildHasher,
{
    /// Keys and what is to be stored, each key once; `None` is a deletion.
    #[must_use]
    pub fn writes(&self) -> &[(K, Option<V>)] {
        &self.writes
    }

    /// The store has all of it.
    pub fn stored(mut self) {
        let now = self.behind.now();
        self.end(|entry, newest| {
            if entry.newest == newest {
                return None;
            }
            // Written again meanwhile.
            (entry.attempts, entry.since) = (0, now);
            Some(Place::Waits(entry.newest))
        });
    }

    /// The store has refused, or has done some of it, or nobody knows.
    pub fn refused(mut self) {
        let inner = &self.behind.inner;
        let now = self.behind.now();
        let attempts: Vec<u32> = {
            let dirty = inner.dirty.lock();
            let so_far = |key: &K| dirty.entries.get(key).map_or(0, |entry| entry.attempts);
            self.writes.iter().map(|(key, _)| so_far(key).saturating_add(1)).collect()
        };
        // Outside of the lock: it may panic, and then the batch waits as before.
        let pauses: Vec<_> = attempts.into_iter().map(|n| (n, (inner.limits.retry)(n))).collect();
        let mut pauses = pauses.into_iter();
        self.end(|entry, newest| {
            let (attempts, pause) = pauses.next()?;
            entry.attempts = attempts;
            Some(match pause {
                // Once a run, whatever it says.
                Some(pause) => {
                    entry.not_before = now + pause.max(Duration::from_nanos(1));
                    Place::Waits(newest)
                }
                None => Place::Parked,
            })
        });
    }

    /// Where each entry goes; `None` is out.
    fn end(&mut self, mut place: impl FnMut(&mut Entry<V>, u64) -> Option<Place>) {
        let mut guard = self.behind.inner.dirty.lock();
        let dirty = &mut *guard;
        for ((key, _), newest) in self.writes.drain(..).zip(self.newest.drain(..)) {
            let Some(entry) = dirty.entries.get_mut(&key) else { continue };
            match place(entry, newest) {
                None => drop(dirty.entries.remove(&key)),
                Some(next) => {
                    entry.place = next;
                    match next {
                        Place::Waits(number) => drop(dirty.order.insert(number, key)),
                        Place::Parked => dirty.parked += 1,
                        Place::InBatch => {}
                    }
                }
            }
        }
    }
}

impl<K, V, T, P, S> Drop for Batch<'_, K, V, T, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    T: Store<K, V>,
    P: Policy,
    S: BuildHasher,
{
    fn drop(&mut self) {
        self.end(|_, newest| Some(Place::Waits(newest)));
    }
}

impl<K, V, T, P, S> fmt::Debug for Batch<'_, K, V, T, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    T: Store<K, V>,
    P: Policy,
    S: BuildHasher,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}
