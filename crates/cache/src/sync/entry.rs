//! Verbs that look and change in one step: conditional insertion, `compute`, `update`, entries.
//!
//! What decides is asked under the lock of the shard, so nothing comes between the look and the
//! change. It must be short and must not use this cache.

use archstone_core::Time;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use super::Cache;
use crate::cells::{Cells, Owned};
use crate::outcome::{Cause, Computed, Insert, Op, Removed};
use crate::policy::Policy;
use crate::store::{Entry as Fresh, Outcome, Store};

/// What one look under the lock came to.
enum Step<K, V> {
    Kept(K),
    Removed(K, V),
    Done(Outcome<K, V>),
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> Cache<K, V, P, S, C> {
    /// Looks at the live value of a key, or at its absence, and does what `decide` says, with nothing
    /// in between.
    ///
    /// `decide` is asked under the lock of the shard, and so are weigher and expiry of what it puts
    /// in. It may be asked again when room has to be made in another shard: nothing was changed until
    /// then. The look does not count as a use. O(1).
    ///
    /// ```
    /// use archstone_cache::{Op, sync::Cache};
    ///
    /// let visits = Cache::new(100);
    /// for _ in 0..3 {
    ///     visits.compute("/", |seen| Op::Put(seen.map_or(1, |n| n + 1))).ignore();
    /// }
    /// assert_eq!(visits.get("/"), Some(3));
    /// visits.compute("/", |seen| if seen.is_some_and(|&n| n > 2) { Op::Remove } else { Op::Keep }).ignore();
    /// assert_eq!(visits.get("/"), None);
    /// ```
    pub fn compute(&self, key: K, decide: impl FnMut(Option<&V>) -> Op<V>) -> Computed<K, V> {
        self.alter(self.inner.hasher.hash_one(&key), key, None, decide)
    }

    /// [`Cache::compute`], whose new value lives as long as `lives` says.
    pub(crate) fn alter(
        &self,
        hash: u64,
        mut key: K,
        lives: Option<Duration>,
        mut decide: impl FnMut(Option<&V>) -> Op<V>,
    ) -> Computed<K, V> {
        let inner = &*self.inner;
        let now = inner.now();
        let shard = inner.shard(hash);
        loop {
            let (mut removed, mut budget) = (Removed::new(), &inner.common);
            let step = {
                let mut store = shard.lock();
                let slot = store.find(hash as u32, |k| *k == key, now);
                let op = match slot {
                    Some(slot) => store.table.at(slot, |_, value| decide(Some(value))),
                    None => None,
                };
                let op = op.unwrap_or_else(|| decide(None));
                match (op, slot) {
                    (Op::Put(value), _) => {
                        let units = inner.weigher.as_ref().map_or(1, |weigh| weigh(&key, &value));
                        let last = match lives {
                            Some(lives) => inner.lifetime.end(lives, hash, now),
                            None => inner.lifetime.last(&key, &value, hash, now),
                        };
                        inner.tidy(&mut store, now, &mut removed);
                        let fresh = Fresh { hash: hash as u32, units, key, value, last };
                        // A heavier value must find its room before the old one is gone: if there
                        // is none in this shard, `decide` is asked again, and must see the old one.
                        let old = store.find(hash as u32, |k| *k == fresh.key, now);
                        let fits = match old {
                            Some(slot) if units <= inner.common.limit() => {
                                store.refit(slot, units, &mut budget, &mut removed)
                            }
                            _ => true,
                        };
                        Step::Done(if fits {
                            store.insert(fresh, now, &mut budget, &mut removed)
                        } else {
                            Outcome::NoVictim(fresh)
                        })
                    }
                    (Op::Remove, Some(slot)) => match store.remove(slot, &mut budget) {
                        Some((key, value)) => Step::Removed(key, value),
                        None => Step::Kept(key),
                    },
                    (Op::Keep | Op::Remove, _) => Step::Kept(key),
                }
            };
            inner.tell(shard, removed);
            let outcome = match step {
                Step::Kept(key) => return Computed::Kept(key),
                Step::Removed(key, value) => {
                    inner.tell_one(shard, &key, &value, Cause::Removed);
                    return Computed::Removed(key, value);
                }
                Step::Done(outcome) => outcome,
            };
            match inner.answer(shard, hash, outcome) {
                Ok(answer) => return Computed::Put(answer),
                Err(again) => key = again.key,
            }
        }
    }

    /// Puts a value in if `wanted` says yes to the live value that is there, or to its absence. If it
    /// says no, key and value come back. It is asked under the lock of the shard, perhaps twice.
    ///
    /// # Errors
    /// Key and value that were not wanted.
    ///
    /// ```
    /// use archstone_cache::sync::Cache;
    ///
    /// let prices = Cache::new(100);
    /// // Version and price: an older version does not take the place of a newer one.
    /// let offer = |version, price| {
    ///     prices.insert_if("BER", (version, price), |old| old.is_none_or(|old| old.0 < version))
    /// };
    /// assert!(offer(2, 90).is_ok());
    /// assert_eq!(offer(1, 80), Err(("BER", (1, 80))));
    /// assert_eq!(prices.get("BER"), Some((2, 90)));
    /// ```
    pub fn insert_if(
        &self,
        key: K,
        value: V,
        wanted: impl FnMut(Option<&V>) -> bool,
    ) -> Result<Insert<K, V>, (K, V)> {
        let hash = self.inner.hasher.hash_one(&key);
        self.put_if(hash, key, value, None, wanted)
    }

    /// [`Cache::insert_if`] of an entry that lives as long as is said here.
    ///
    /// # Errors
    /// Key and value that were not wanted.
    pub fn insert_if_with_ttl(
        &self,
        key: K,
        value: V,
        lives: Duration,
        wanted: impl FnMut(Option<&V>) -> bool,
    ) -> Result<Insert<K, V>, (K, V)> {
        let hash = self.inner.hasher.hash_one(&key);
        self.put_if(hash, key, value, Some(lives), wanted)
    }

    pub(crate) fn put_if(
        &self,
        hash: u64,
        key: K,
        value: V,
        lives: Option<Duration>,
        mut wanted: impl FnMut(Option<&V>) -> bool,
    ) -> Result<Insert<K, V>, (K, V)> {
        let inner = &*self.inner;
        let now = inner.now();
        let shard = inner.shard(hash);
        let units = inner.weigher.as_ref().map_or(1, |weigh| weigh(&key, &value));
        let last = match lives {
            Some(lives) => inner.lifetime.end(lives, hash, now),
            None if inner.lifetime.is_limited() => inner.lifetime.last(&key, &value, hash, now),
            None => Time::MAX,
        };
        let mut fresh = Fresh { hash: hash as u32, units, key, value, last };
        let mut lean = inner.is_lean();
        loop {
            let mut removed = Removed::new();
            let outcome = {
                let mut store = shard.lock();
                let mut old = store.table.find(hash as u32, |k| *k == fresh.key);
                let yes = match old.filter(|&slot| !store.is_due(slot, now)) {
                    Some(slot) => store.table.at(slot, |_, value| wanted(Some(value))),
                    None => Some(wanted(None)),
                };
                if yes != Some(true) {
                    return Err((fresh.key, fresh.value));
                }
                if lean && old.is_none() {
                    let Fresh { key, value, .. } = fresh;
                    let budget = &mut &inner.common;
                    let (victim, refused) = store.insert_plain_new(hash as u32, key, value, budget);
                    drop(store);
                    drop(victim);
                    let Some((key, value)) = refused else { return Ok(Insert::New) };
                    // Nothing here can leave, or everything is pinned: the long way finds out.
                    lean = false;
                    fresh = Fresh { hash: hash as u32, units, key, value, last };
                    continue;
                }
                inner.tidy(&mut store, now, &mut removed);
                if !removed.is_empty() {
                    // It may have been the one.
                    old = store.table.find(hash as u32, |k| *k == fresh.key);
                }
                store.insert_over(old, fresh, now, &mut &inner.common, &mut removed)
            };
            inner.tell(shard, removed);
            match inner.answer(shard, hash, outcome) {
                Ok(answer) => return Ok(answer),
                Err(again) => fresh = again,
            }
        }
    }

    /// Puts a value in if there is none.
    ///
    /// # Errors
    /// Key and value, if there is one.
    pub fn insert_if_absent(&self, key: K, value: V) -> Result<Insert<K, V>, (K, V)> {
        self.insert_if(key, value, |old| old.is_none())
    }

    /// Puts a value in the place of another one.
    ///
    /// # Errors
    /// Key and value, if there is none.
    pub fn replace(&self, key: K, value: V) -> Result<Insert<K, V>, (K, V)> {
        self.insert_if(key, value, |old| old.is_some())
    }

    /// The place of a key, whether there is an entry or not. It holds no lock.
    #[must_use = "an entry does nothing by itself"]
    pub fn entry(&self, key: K) -> Entry<'_, K, V, P, S, C> {
        Entry { cache: self, key }
    }

    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.inner.hasher.hash_one(key)
    }

    /// The present instant of the cache's clock; zero where nothing expires.
    pub(crate) fn now(&self) -> Time {
        self.inner.now()
    }

    /// `each` with every store in turn, under its lock.
    pub(crate) fn each_store(&self, mut each: impl FnMut(&Store<K, V, P, C>)) {
        self.inner.shards.iter().for_each(|shard| each(&shard.lock()));
    }

    pub(crate) fn weigher_or_one(&self) -> impl Fn(&K, &V) -> u64 + use<K, V, P, S, C> {
        let weigher = self.inner.weigher.clone();
        move |key, value| weigher.as_ref().map_or(1, |weigh| weigh(key, value))
    }

    pub(crate) fn put_back(
        &self,
        hash: u64,
        entry: Fresh<K, V>,
        word: Option<u64>,
        now: Time,
    ) -> bool {
        let mut store = self.inner.shard(hash).lock();
        store.restore(entry, word, now, &mut &self.inner.common)
    }

    /// [`Cache::get`] by a hash that is known; the look-up is not counted.
    #[cfg(feature = "std")]
    pub(crate) fn get_hashed(&self, hash: u64, key: &K) -> Option<V>
    where
        V: Clone,
    {
        let shard = self.inner.shard(hash);
        self.find(shard, hash as u32, key, self.inner.now(), true)
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Cache<K, V, P, S, Owned<K, V>> {
    /// Changes the live value of a key where it is, under the lock of its shard, and says what
    /// `change` said. It counts as a use; what it weighs is not asked again (see
    /// [`Cache::reweigh`]), nor when it expires.
    ///
    /// ```
    /// use archstone_cache::sync::Cache;
    ///
    /// let cache = Cache::new(10);
    /// cache.insert("list", vec![1]).ignore();
    /// assert_eq!(cache.update("list", |list| { list.push(2); list.len() }), Some(2));
    /// assert_eq!(cache.update("none", |list| list.len()), None);
    /// ```
    pub fn update<Q, R>(&self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.inner.now();
        let hash = self.inner.hasher.hash_one(key);
        let mut store = self.inner.shard(hash).lock();
        let value = store.get_mut(hash as u32, |k| k.borrow() == key, now)?;
        Some(change(value))
    }
}

/// A key of a [`Cache`], with or without a value. Each verb locks for itself.
///
/// ```
/// use archstone_cache::sync::Cache;
///
/// let cache = Cache::new(100);
/// assert_eq!(cache.entry("a").or_insert_with(|| 1), 1);
/// assert_eq!(cache.entry("a").and_modify(|n| *n += 1).or_insert_with(|| 9), 2);
/// ```
pub struct Entry<'a, K, V, P: Policy, S, C: Cells<K, V>> {
    cache: &'a Cache<K, V, P, S, C>,
    key: K,
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> Entry<'_, K, V, P, S, C> {
    /// The key.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// [`Cache::insert`].
    pub fn insert(self, value: V) -> Insert<K, V> {
        self.cache.insert(self.key, value)
    }

    /// [`Cache::compute`].
    pub fn compute(self, decide: impl FnMut(Option<&V>) -> Op<V>) -> Computed<K, V> {
        self.cache.compute(self.key, decide)
    }

    /// The value that is there; if there is none, `make` makes one, outside of locks, and it is
    /// inserted. Two threads may both make one: then both get the one that came first. Loading with
    /// [`load::Loading`](crate::load::Loading) makes it once.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        if let Some(value) = self.cache.get(&self.key) {
            return value;
        }
        let value = make();
        let mut found = None;
        let put = self.cache.insert_if(self.key, value.clone(), |old| {
            found = old.cloned();
            found.is_none()
        });
        drop(put);
        found.unwrap_or(value)
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Entry<'_, K, V, P, S, Owned<K, V>> {
    /// Changes the value if there is one.
    #[must_use = "it is for a verb that follows; else use `update`"]
    pub fn and_modify(self, change: impl FnOnce(&mut V)) -> Self {
        let _ = self.cache.update(&self.key, change);
        self
    }
}

impl<K: core::fmt::Debug, V, P: Policy, S, C: Cells<K, V>> core::fmt::Debug
    for Entry<'_, K, V, P, S, C>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).finish_non_exhaustive()
    }
}
