//! Cache-aside: the caller queries the store, the cache keeps what came.

use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};

use crate::builder::DefaultHasher;
use crate::load::{LoadError, Loading};
use crate::policy::{Adaptive, Policy};
use crate::sync::Cache;

/// Cache-aside without its usual races.
///
/// The usual code deletes the entry before the transaction commits, so that a reader in between
/// reloads the old row and keeps it for a whole lifetime; or after it, so that a reader who had read
/// before the commit puts the old row back. Here [`CacheAside::change`] removes the entry when the
/// write has ended, and what was read before that is not published.
///
/// ```
/// use archstone_cache::around::CacheAside;
/// use archstone_cache::sync::Cache;
/// use std::sync::Mutex;
///
/// let table = Mutex::new(1); // the store
/// let rows = CacheAside::new(Cache::new(100));
/// assert_eq!(rows.get("row", |_| Ok::<_, ()>(*table.lock().unwrap())), Ok(1));
/// rows.change("row", || *table.lock().unwrap() = 2);
/// assert_eq!(rows.get("row", |_| Ok::<_, ()>(*table.lock().unwrap())), Ok(2));
/// ```
#[derive(Clone)]
pub struct CacheAside<K, V, P: Policy = Adaptive, S = DefaultHasher> {
    cache: Loading<K, V, P, S>,
}

impl<K, V, P, S> CacheAside<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    /// Beside `cache`.
    #[must_use]
    pub fn new(cache: Cache<K, V, P, S>) -> Self {
        Self { cache: Loading::new(cache) }
    }

    /// The cache below: see [`around`](super).
    #[must_use]
    pub fn loading(&self) -> &Loading<K, V, P, S> {
        &self.cache
    }

    /// The value of a key; `query` is asked if it is not here, once for all who ask meanwhile.
    ///
    /// # Errors
    /// Those of the query.
    pub fn get<E: Send + Sync + 'static>(
        &self,
        key: K,
        query: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<V, LoadError<E>> {
        self.cache.try_get_or_load(key, query)
    }

    /// Changes the key in the store by `write`, which is to end after the commit; then the key has no
    /// entry, whatever came of it, also by a panic.
    pub fn change<R>(&self, key: K, write: impl FnOnce() -> R) -> R {
        let _until_here = self.cache.write(key);
        write()
    }

    /// [`CacheAside::change`] by a future.
    pub async fn change_async<R>(&self, key: K, write: impl Future<Output = R>) -> R {
        let _until_here = self.cache.write(key);
        write.await
    }
}

impl<K, V, P: Policy, S> fmt::Debug for CacheAside<K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheAside").field(&self.cache).finish()
    }
}
