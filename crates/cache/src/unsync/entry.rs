//! Entries, `compute` and conditional insertion: with `&mut`, so nothing comes between look and
//! change.

use archstone_core::Time;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use super::Cache;
use crate::cells::Owned;
use crate::outcome::{Computed, Insert, Op};
use crate::policy::Policy;
use crate::store::{Entry as Fresh, Store};

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Cache<K, V, P, S> {
    /// Looks at the live value of a key, or at its absence, and does what `decide` says. The look does
    /// not count as a use. O(1).
    ///
    /// ```
    /// use archstone_cache::{Op, unsync::Cache};
    ///
    /// let mut visits = Cache::new(100);
    /// for _ in 0..3 {
    ///     visits.compute("/", |seen| Op::Put(seen.map_or(1, |n| n + 1))).ignore();
    /// }
    /// assert_eq!(visits.get("/"), Some(&3));
    /// ```
    pub fn compute(&mut self, key: K, decide: impl FnOnce(Option<&V>) -> Op<V>) -> Computed<K, V> {
        match decide(self.peek(&key)) {
            Op::Keep => Computed::Kept(key),
            Op::Put(value) => Computed::Put(self.insert(key, value)),
            Op::Remove => match self.remove(&key) {
                Some((key, value)) => Computed::Removed(key, value),
                None => Computed::Kept(key),
            },
        }
    }

    /// Puts a value in if `wanted` says yes to the live value that is there, or to its absence.
    ///
    /// # Errors
    /// Key and value that were not wanted.
    pub fn insert_if(
        &mut self,
        key: K,
        value: V,
        wanted: impl FnOnce(Option<&V>) -> bool,
    ) -> Result<Insert<K, V>, (K, V)> {
        if wanted(self.peek(&key)) { Ok(self.insert(key, value)) } else { Err((key, value)) }
    }

    /// Puts a value in if there is none.
    ///
    /// # Errors
    /// Key and value, if there is one.
    pub fn insert_if_absent(&mut self, key: K, value: V) -> Result<Insert<K, V>, (K, V)> {
        self.insert_if(key, value, |old| old.is_none())
    }

    /// Puts a value in the place of another one.
    ///
    /// # Errors
    /// Key and value, if there is none.
    pub fn replace(&mut self, key: K, value: V) -> Result<Insert<K, V>, (K, V)> {
        self.insert_if(key, value, |old| old.is_some())
    }

    /// What a snapshot is made of.
    #[allow(clippy::type_complexity)]
    pub(crate) fn parts(&self) -> (&Store<K, V, P, Owned<K, V>>, Time) {
        (&self.store, self.now())
    }

    pub(crate) fn weigher_or_one(&self) -> impl Fn(&K, &V) -> u64 + use<K, V, P, S> {
        let weigher = self.weigher.clone();
        move |key, value| weigher.as_ref().map_or(1, |weigh| weigh(key, value))
    }

    pub(crate) fn put_back(&mut self, entry: Fresh<K, V>, word: Option<u64>, now: Time) -> bool {
        self.store.restore(entry, word, now, &mut self.budget)
    }

    /// The place of a key, whether there is an entry or not. The look does not count as a use.
    ///
    /// ```
    /// use archstone_cache::unsync::Cache;
    ///
    /// let mut words = Cache::new(100);
    /// for word in ["a", "b", "a"] {
    ///     *words.entry(word).or_insert_with(|| 0).unwrap() += 1;
    /// }
    /// assert_eq!(words.get("a"), Some(&2));
    /// ```
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V, P, S> {
        if self.contains_key(&key) {
            Entry::Occupied(Occupied { cache: self, key })
        } else {
            Entry::Vacant(Vacant { cache: self, key })
        }
    }
}

/// A key of a [`Cache`], with or without a value.
pub enum Entry<'a, K, V, P: Policy, S> {
    /// There is a live entry.
    Occupied(Occupied<'a, K, V, P, S>),
    /// There is none.
    Vacant(Vacant<'a, K, V, P, S>),
}

/// A key with a value.
pub struct Occupied<'a, K, V, P: Policy, S> {
    cache: &'a mut Cache<K, V, P, S>,
    key: K,
}

/// A key without a value.
pub struct Vacant<'a, K, V, P: Policy, S> {
    cache: &'a mut Cache<K, V, P, S>,
    key: K,
}

impl<'a, K: Hash + Eq, V, P: Policy, S: BuildHasher> Entry<'a, K, V, P, S> {
    /// The key that was asked for.
    pub const fn key(&self) -> &K {
        match self {
            Self::Occupied(entry) => &entry.key,
            Self::Vacant(entry) => &entry.key,
        }
    }

    /// Changes the value if there is one.
    #[must_use = "it is for a verb that follows"]
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Self::Occupied(entry) = &mut self {
            let _ = entry.get_mut().map(change);
        }
        self
    }

    /// The value, which is `make`'s if there was none. `None` if the cache refused it, or if the
    /// entry has expired since it was looked at.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> Option<&'a mut V> {
        let (cache, key) = match self {
            Self::Occupied(Occupied { cache, key }) => return cache.get_mut(&key),
            Self::Vacant(Vacant { cache, key }) => (cache, key),
        };
        if cache.insert(key, make()).is_held() { cache.store.table.last_mut() } else { None }
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Occupied<'_, K, V, P, S> {
    /// The key that was asked for.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// The value, which counts as used. `None` if it has expired since the entry was looked at.
    pub fn get(&mut self) -> Option<&V> {
        self.cache.get(&self.key)
    }

    /// [`Occupied::get`], to change it. What it weighs is not asked again.
    pub fn get_mut(&mut self) -> Option<&mut V> {
        self.cache.get_mut(&self.key)
    }

    /// Puts another value in.
    pub fn insert(self, value: V) -> Insert<K, V> {
        self.cache.insert(self.key, value)
    }

    /// Removes the entry.
    pub fn remove(self) -> Option<(K, V)> {
        self.cache.remove(&self.key)
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Vacant<'_, K, V, P, S> {
    /// The key that was asked for.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// The key.
    pub fn into_key(self) -> K {
        self.key
    }

    /// Puts a value in.
    pub fn insert(self, value: V) -> Insert<K, V> {
        self.cache.insert(self.key, value)
    }
}

impl<K: fmt::Debug, V, P: Policy, S> fmt::Debug for Entry<'_, K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(entry) => entry.fmt(f),
            Self::Vacant(entry) => entry.fmt(f),
        }
    }
}

impl<K: fmt::Debug, V, P: Policy, S> fmt::Debug for Occupied<'_, K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Occupied").field(&self.key).finish()
    }
}

impl<K: fmt::Debug, V, P: Policy, S> fmt::Debug for Vacant<'_, K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vacant").field(&self.key).finish()
    }
}
