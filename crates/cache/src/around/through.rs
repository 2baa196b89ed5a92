//! Read-through and write-through: the cache stands before the store.

use alloc::sync::Arc;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use super::{Guard, Store};
use crate::builder::{Builder, DefaultHasher};
use crate::load::{LoadError, Loading};
use crate::outcome::BuildError;
use crate::policy::{Adaptive, Policy};

/// How long entries of [`Through`] live; `None` is until they are evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lives {
    /// A value.
    pub present: Option<Duration>,
    /// That there is none. Short, unless all writes go through here.
    pub absent: Option<Duration>,
}

/// A cache that reads from its [`Store`] what it does not have, and writes there first.
///
/// - A key is loaded once for all who ask. That there is no value is kept, too.
/// - A write goes to the store; when that has it, the cache gets what the *store* gave back. If it
///   fails, or two writes of a key overlap, the key has no entry: the next who asks loads what the
///   store really has. So the cache never has what the store refused, and never the older of two.
/// - A [`Guard`] spares the store questions for what does not exist.
///
/// ```
/// use archstone_cache::Builder;
/// use archstone_cache::around::{Lives, Store, Through};
/// use std::{collections::HashMap, convert::Infallible, sync::Mutex};
///
/// struct Table(Mutex<HashMap<u32, String>>);
/// impl Store<u32, String> for Table {
///     type Error = Infallible;
///     fn load(&self, key: &u32) -> Result<Option<String>, Infallible> {
///         Ok(self.0.lock().unwrap().get(key).cloned())
///     }
///     fn store(&self, key: &u32, value: String) -> Result<String, Infallible> {
///         let stored = value.to_uppercase(); // what the table makes of it
///         self.0.lock().unwrap().insert(*key, stored.clone());
///         Ok(stored)
///     }
///     fn delete(&self, key: &u32) -> Result<(), Infallible> {
///         self.0.lock().unwrap().remove(key);
///         Ok(())
///     }
/// }
///
/// let users = Through::new(Builder::new(100), Lives::default(), Table(Mutex::default()))?;
/// assert_eq!(users.get(&1).unwrap(), None);
/// users.put(1, "ann".into()).unwrap();
/// assert_eq!(users.get(&1).unwrap().as_deref(), Some("ANN"));
/// # Ok::<(), archstone_cache::BuildError>(())
/// ```
pub struct Through<K, V, T, P: Policy = Adaptive, S = DefaultHasher> {
    cache: Loading<K, Option<V>, P, S>,
    store: Arc<T>,
    guard: Option<Arc<Guard<K>>>,
}

impl<K, V, T, P, S> Through<K, V, T, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    T: Store<K, V>,
    P: Policy,
    S: BuildHasher,
{
    /// A cache as `builder` says, before `store`.
    ///
    /// # Errors
    /// Those of [`Builder::build_sync`].
    pub fn new(
        builder: Builder<K, Option<V>, P, S>,
        lives: Lives,
        store: T,
    ) -> Result<Self, BuildError> {
        let builder = match lives {
            Lives { present: None, absent: None } => builder,
            Lives { present, absent } => {
                builder.expiry(move |_, value| if value.is_some() { present } else { absent })
            }
        };
        let cache = Loading::new(builder.build_sync()?);
        Ok(Self { cache, store: Arc::new(store), guard: None })
    }

    /// Asks `guard` before the store.
    #[must_use]
    pub fn guarded(mut self, guard: Arc<Guard<K>>) -> Self {
        self.guard = Some(guard);
        self
    }

    /// The cache below: see [`around`](super).
    #[must_use]
    pub fn loading(&self) -> &Loading<K, Option<V>, P, S> {
        &self.cache
    }

    /// The store.
    pub fn store(&self) -> &T {
        &self.store
    }

    /// The value of a key, from here or from the store.
    ///
    /// # Errors
    /// The store could not look.
    pub fn get(&self, key: &K) -> Result<Option<V>, LoadError<T::Error>> {
        if let Some(value) = self.cache.get(key) {
            return Ok(value);
        }
        // Before the cache: what is denied needs no entry.
        if self.guard.as_ref().is_some_and(|guard| guard.denies(key)) {
            return Ok(None);
        }
        self.cache.try_get_or_load(key.clone(), |key| self.store.load(key))
    }

    /// Stores a value and gives back what the store made of it.
    ///
    /// # Errors
    /// The store's. The key has no entry then.
    pub fn put(&self, key: K, value: V) -> Result<V, T::Error> {
        if let Some(guard) = &self.guard {
            guard.add(&key);
        }
        let write = self.cache.write(key.clone());
        let stored = self.store.store(&key, value)?;
        write.publish(Some(stored.clone()));
        Ok(stored)
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// The store's. The key has no entry then.
    pub fn delete(&self, key: K) -> Result<(), T::Error> {
        let write = self.cache.write(key.clone());
        self.store.delete(&key)?;
        // The guard keeps the key: another writer may have added it again by now.
        write.publish(None);
        Ok(())
    }

    /// Forgets what is here of a key, because it was changed elsewhere.
    pub fn invalidate(&self, key: &K) {
        drop(self.cache.remove(key));
    }
}

impl<K, V, T, P: Policy, S> Clone for Through<K, V, T, P, S> {
    fn clone(&self) -> Self {
        let Self { cache, store, guard } = self;
        Self { cache: cache.clone(), store: Arc::clone(store), guard: guard.clone() }
    }
}

impl<K, V, T, P: Policy, S> fmt::Debug for Through<K, V, T, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").field("cache", &self.cache).finish_non_exhaustive()
    }
}
