//! Loading: one load for all who ask, by threads and futures alike.
//!
//! | you want | take |
//! |---|---|
//! | a value loaded once, however many ask for it | [`Loading::get_or_load`], [`Loading::get_or_load_async`] |
//! | the same with errors | [`Loading::try_get_or_load`], [`Loading::try_get_or_load_async`] |
//! | many keys in one query | [`Loading::get_many_or_load`], [`Loading::get_many_or_load_async`] |
//! | answers at once while a new value is fetched; old ones when the source fails | [`Refreshing`] |
//! | no rush of loads at the end of a lifetime | [`Rules::early`] (XFetch) |
//! | the store behind the cache written to | [`Loading::write`], and [`around`](crate::around) |
//!
//! There is no runtime and no thread here. Who comes first for a key that is not there *leads*: its
//! own loader runs, in its own thread or in its own future. Who comes meanwhile waits: a thread is
//! parked, a future keeps its waker. Both are the same to the leader.
//!
//! - **An error reaches everyone** who waits, as one `Arc`. It is not kept: who comes later loads.
//! - **A leader that panics, or whose future is dropped, hands over** to the one that has waited the
//!   longest, with that one's own loader.
//! - **A load that was overtaken is not published.** If a key is inserted, removed or cleared while
//!   it is being loaded, the loader's own caller gets what was loaded, the cache does not, and who
//!   waited looks again.
//! - **A leader that is stuck**, because nobody polls its future, holds up who waits for it. Any
//!   timer may call [`Loading::remove`]: it frees them, and one of them loads.
//! - **A loader that asks for its own key** gets [`LoadError::Recursive`] where it would wait for
//!   itself. (Two loaders in two threads that ask for each other's keys do wait for ever.)
//!
//! An uncontended load costs two short locks more than an insertion, and an allocation where keys
//! own something; a hit costs one load more than [`sync::Cache::get`](crate::sync::Cache::get).

mod bulk;
mod flight;
mod refresh;
mod write;

use alloc::sync::Arc;
use archstone_core::shim::atomic::{AtomicU64, Ordering};
use archstone_core::shim::{thread, thread_id};
use core::borrow::Borrow;
use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::pin;
use core::time::Duration;

use self::flight::{AnyError, Flights, Running, Turn, Waited};
pub(crate) use self::flight::{Flight, Lead, Outcome, Wait};
pub use self::refresh::{Answer, Look, Origin, Refreshing, Rules, Stamped, Ticket};
pub use self::write::Writing;
use crate::builder::DefaultHasher;
use crate::cells::{Cells, Owned};
use crate::outcome::Insert;
use crate::policy::{Adaptive, Policy};
use crate::sync::Cache;

/// Why there is no value.
#[derive(PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The loader's error, the same for all who waited for it.
    Failed(Arc<E>),
    /// The loader of a key asked for that key: it would have waited for itself.
    Recursive,
}

impl<E> LoadError<E> {
    /// The loader's error.
    #[must_use]
    pub fn failure(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Recursive => None,
        }
    }
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::Recursive => Self::Recursive,
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Recursive => f.write_str("Recursive"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Recursive => f.write_str("the loader of a key asks for the same key"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            Self::Recursive => None,
        }
    }
}

/// What loading has counted since the beginning. Only loads count, never hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadStats {
    /// Loaders that gave a value; a bulk loader counts once a key.
    pub loaded: u64,
    /// Loaders that gave an error.
    pub failed: u64,
    /// Callers that waited for another one's load.
    pub waited: u64,
    /// Values that were not published, because the key was changed meanwhile.
    pub overtaken: u64,
}

#[derive(Default)]
struct Counters {
    loaded: AtomicU64,
    failed: AtomicU64,
    waited: AtomicU64,
    overtaken: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A [`sync::Cache`](crate::sync::Cache) that loads what is not there, once for all who ask.
///
/// A clone is another handle. Change entries through its verbs: a load under way does not hear of
/// what is removed through [`Loading::cache`].
///
/// ```
/// use archstone_cache::load::Loading;
/// use archstone_cache::sync::Cache;
///
/// let users = Loading::new(Cache::new(1000));
/// let ann = users.get_or_load(7, |id| format!("user {id}"));
/// assert_eq!(ann, "user 7");
/// assert_eq!(users.get(&7).as_deref(), Some("user 7"));
///
/// let none = users.try_get_or_load(8, |_| Err("the table is gone"));
/// assert_eq!(none.unwrap_err().failure(), Some(&"the table is gone"));
/// ```
pub struct Loading<K, V, P: Policy = Adaptive, S = DefaultHasher, C: Cells<K, V> = Owned<K, V>> {
    inner: Arc<Inner<K, V, P, S, C>>,
}

struct Inner<K, V, P: Policy, S, C: Cells<K, V>> {
    cache: Cache<K, V, P, S, C>,
    flights: Flights<K, V>,
    counters: Counters,
}

/// Who leads, or what there is instead.
pub(crate) enum Found<'a, K: Eq, V> {
    Value(V),
    Lead(Lead<'a, K, V>),
    Failed(AnyError),
    Recursive,
    Again,
}

/// A wait has ended.
pub(crate) fn arrived<K: Eq, V: Clone>(
    waited: Waited<'_, K, V>,
    here: Option<thread::ThreadId>,
) -> Found<'_, K, V> {
    match waited {
        Waited::Loaded(value) => Found::Value(Arc::unwrap_or_clone(value)),
        Waited::Failed(error) => Found::Failed(error),
        Waited::Again => Found::Again,
        Waited::Lead(lead) => {
            if let Some(flight) = lead.flight() {
                flight.runs_on(here);
            }
            Found::Lead(lead)
        }
    }
}

impl<K, V, P, S, C> Loading<K, V, P, S, C>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    /// Loads into `cache`.
    #[must_use]
    pub fn new(cache: Cache<K, V, P, S, C>) -> Self {
        let (flights, counters) = (Flights::new(), Counters::default());
        Self { inner: Arc::new(Inner { cache, flights, counters }) }
    }

    /// The cache, to look at, to resize and to maintain.
    #[must_use]
    pub fn cache(&self) -> &Cache<K, V, P, S, C> {
        &self.inner.cache
    }

    /// Loads under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.inner.flights.len()
    }

    /// What was counted.
    #[must_use]
    pub fn load_stats(&self) -> LoadStats {
        let Counters { loaded, failed, waited, overtaken } = &self.inner.counters;
        let [loaded, failed, waited, overtaken] =
            [loaded, failed, waited, overtaken].map(|counter| counter.load(Ordering::Relaxed));
        LoadStats { loaded, failed, waited, overtaken }
    }

    /// A copy of the value of a key, which counts as used. Nothing is loaded.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.cache.get(key)
    }

    /// Puts a value in. A load of this key that is under way will not be published.
    pub fn insert(&self, key: K, value: V) -> Insert<K, V> {
        self.overtake(&key);
        self.inner.cache.insert(key, value)
    }

    /// [`Loading::insert`] of an entry that lives as long as is said here: see
    /// [`sync::Cache::insert_with_ttl`](crate::sync::Cache::insert_with_ttl).
    pub fn insert_with_ttl(&self, key: K, value: V, lives: Duration) -> Insert<K, V> {
        self.overtake(&key);
        self.inner.cache.insert_with_ttl(key, value, lives)
    }

    /// Removes the entry of a key. A load of this key that is under way will not be published, and
    /// who waits for it looks again.
    pub fn remove<Q>(&self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.overtake(key);
        self.inner.cache.remove(key)
    }

    /// Removes the entries of the keys that `which` says yes to, loads under way included. O(entries).
    pub fn remove_if(&self, mut which: impl FnMut(&K) -> bool) {
        self.inner.flights.overtake_if(&mut which);
        self.inner.cache.retain(|key, _| !which(key));
    }

    /// Removes every entry, loads under way included.
    pub fn clear(&self) {
        self.inner.flights.overtake_if(|_| true);
        self.inner.cache.clear();
    }

    pub(crate) fn overtake<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.inner.cache.hash(key);
        self.inner.flights.overtake(hash, |k| k.borrow() == key, false);
    }

    /// The value of a key; if it is not there, `load` makes it, once for all who ask meanwhile.
    ///
    /// `load` runs outside of locks. If it panics, the next who waits loads. A loader that asks for
    /// its own key makes the inner call load by itself, unpublished, as a function that calls itself
    /// would.
    pub fn get_or_load(&self, key: K, load: impl FnOnce(&K) -> V) -> V {
        let mut load = Some(load);
        let run = |key: &K| match load.take() {
            Some(load) => Ok::<V, Infallible>(load(key)),
            None => unreachable!("a loader is asked once"),
        };
        match self.obtain(key, run) {
            Ok(value) => value,
            Err((LoadError::Failed(never), _)) => match *never {},
            Err((LoadError::Recursive, key)) => match load.take() {
                Some(load) => load(&key),
                None => unreachable!("a loader that was asked has led"),
            },
        }
    }

    /// [`Loading::get_or_load`] with a loader that may fail. An error is not kept.
    ///
    /// # Errors
    /// The loader's, to all who waited; who brought a loader with another type of error loads by
    /// itself. [`LoadError::Recursive`] where a loader would wait for itself.
    pub fn try_get_or_load<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<V, LoadError<E>> {
        self.obtain(key, load).map_err(|(error, _)| error)
    }

    fn obtain<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<V, (LoadError<E>, K)> {
        let hash = self.inner.cache.hash(&key);
        let mut missed = Some(self.inner.flights.ended(hash));
        if let Some(value) = self.inner.cache.look_up(hash, &key) {
            return Ok(value);
        }
        let here = Some(thread_id());
        let lead = loop {
            let seen = || self.inner.cache.get_hashed(hash, &key);
            let found = self.turn(hash, &key, here, missed.take(), seen);
            match found.unwrap_or_else(|wait| arrived(wait.block(), here)) {
                Found::Value(value) => return Ok(value),
                Found::Lead(lead) => break lead,
                Found::Recursive => return Err((LoadError::Recursive, key)),
                Found::Failed(error) => {
                    if let Ok(error) = error.downcast() {
                        return Err((LoadError::Failed(error), key));
                    }
                }
                Found::Again => {}
            }
        };
        let loaded = load(&key);
        self.land(lead, hash, key, loaded, false)
    }

    /// What there is for a key, or whom to wait for. `seen` says whether the value has come in since
    /// `missed` (see [`Flights::turn`]).
    pub(crate) fn turn<'a>(
        &'a self,
        hash: u64,
        key: &K,
        here: Option<thread::ThreadId>,
        missed: Option<u64>,
        seen: impl FnOnce() -> Option<V>,
    ) -> Result<Found<'a, K, V>, Wait<'a, K, V>> {
        Ok(match self.inner.flights.turn(hash, key, here, missed, seen) {
            Turn::Hit(value) => Found::Value(value),
            Turn::Lead(lead) => Found::Lead(lead),
            Turn::Recursive => Found::Recursive,
            Turn::Wait(wait) => {
                count(&self.inner.counters.waited);
                return Err(wait);
            }
        })
    }

    /// The leader's loader has answered.
    fn land<E: Send + Sync + 'static>(
        &self,
        lead: Lead<'_, K, V>,
        hash: u64,
        key: K,
        loaded: Result<V, E>,
        refresh: bool,
    ) -> Result<V, (LoadError<E>, K)> {
        match loaded {
            Ok(value) => {
                if let Some(flight) = lead.flight() {
                    let wanted = |old: Option<&V>| refresh || old.is_none();
                    self.publish(flight, hash, key, value.clone(), wanted);
                }
                lead.end(|| Outcome::Loaded(value.clone()));
                Ok(value)
            }
            Err(error) => {
                count(&self.inner.counters.failed);
                let error = Arc::new(error);
                lead.end(|| Outcome::Failed(error.clone()));
                Err((LoadError::Failed(error), key))
            }
        }
    }

    /// Puts a loaded value in, if it is wanted and was not overtaken.
    fn publish(
        &self,
        flight: &Flight<K, V>,
        hash: u64,
        key: K,
        value: V,
        mut wanted: impl FnMut(Option<&V>) -> bool,
    ) {
        self.publish_by(flight, hash, key, value, None, |old, overtaken| !overtaken && wanted(old));
    }

    /// Puts a loaded value in, if `wanted` says yes to what is there and whether the load was
    /// overtaken.
    pub(crate) fn publish_by(
        &self,
        flight: &Flight<K, V>,
        hash: u64,
        key: K,
        value: V,
        lives: Option<Duration>,
        mut wanted: impl FnMut(Option<&V>, bool) -> bool,
    ) {
        let inner = &*self.inner;
        count(&inner.counters.loaded);
        let wanted = |old: Option<&V>| wanted(old, flight.is_overtaken());
        if inner.cache.put_if(hash, key, value, lives, wanted).is_err() {
            count(&inner.counters.overtaken);
        }
    }

    /// [`Loading::get_or_load`] for a future, which is polled only if it leads. Who drops what this
    /// gives hands over.
    ///
    /// ```
    /// use archstone_cache::load::Loading;
    /// use archstone_cache::sync::Cache;
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     loop { if let std::task::Poll::Ready(t) = future.as_mut().poll(&mut context) { return t } }
    /// # }
    /// # async fn fetch(id: u32) -> String { format!("user {id}") }
    ///
    /// let users = Loading::new(Cache::new(1000));
    /// # block_on(async {
    /// let ann = users.get_or_load_async(7, fetch(7)).await;
    /// assert_eq!(ann, "user 7");
    /// # });
    /// ```
    pub async fn get_or_load_async(&self, key: K, load: impl Future<Output = V>) -> V {
        let mut load = pin!(load);
        let run = async { Ok::<V, Infallible>(load.as_mut().await) };
        match self.obtain_async(key, run).await {
            Ok(value) => value,
            Err(LoadError::Failed(never)) => match *never {},
            Err(LoadError::Recursive) => load.await,
        }
    }

    /// [`Loading::try_get_or_load`] for a future, which is polled only if it leads.
    ///
    /// # Errors
    /// Those of [`Loading::try_get_or_load`].
    pub async fn try_get_or_load_async<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<V, LoadError<E>> {
        self.obtain_async(key, load).await
    }

    async fn obtain_async<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<V, LoadError<E>> {
        let hash = self.inner.cache.hash(&key);
        let mut missed = Some(self.inner.flights.ended(hash));
        if let Some(value) = self.inner.cache.look_up(hash, &key) {
            return Ok(value);
        }
        let lead = loop {
            let seen = || self.inner.cache.get_hashed(hash, &key);
            let found = match self.turn(hash, &key, None, missed.take(), seen) {
                Ok(found) => found,
                Err(wait) => arrived(wait.await, None),
            };
            match found {
                Found::Value(value) => return Ok(value),
                Found::Lead(lead) => break lead,
                Found::Recursive => return Err(LoadError::Recursive),
                Found::Failed(error) => {
                    if let Ok(error) = error.downcast() {
                        return Err(LoadError::Failed(error));
                    }
                }
                Found::Again => {}
            }
        };
        let loaded = {
            let future = pin!(load);
            Running { flights: lead.flight().as_slice(), future }.await
        };
        self.land(lead, hash, key, loaded, false).map_err(|(error, _)| error)
    }
}

impl<K, V, P: Policy, S, C: Cells<K, V>> Clone for Loading<K, V, P, S, C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V, P: Policy, S, C: Cells<K, V>> fmt::Debug for Loading<K, V, P, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("cache", &self.inner.cache).finish_non_exhaustive()
    }
}
