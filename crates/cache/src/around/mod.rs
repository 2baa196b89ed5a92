//! What stands around a cache: the store behind it, what is not in the store, levels, invalidation.
//!
//! | you want | take | after a write, readers see |
//! |---|---|---|
//! | to query the store yourself | [`CacheAside`] | the new value once the write has ended; a miss first |
//! | the cache to query the store (read-through) | [`Through`] | |
//! | writes to go to the store first, then here (write-through) | [`Through`] | the new value, if writes of the key did not overlap; else a miss first |
//! | writes to be answered at once, and stored together later | [`WriteBehind`] | the new value at once; up to `max_dirty` writes are lost by a crash |
//! | to be asked often for what does not exist | [`Through`] with a lifetime for absence, and a [`Guard`] | |
//! | a small near cache before a large far one | [`Tiers`] | never an older version than the last that was announced |
//! | to forget by tag, path or all at once | [`Tagged`] | a miss, also where a load was under way |
//! | other processes to forget, too | [`Bus`] | as soon as the bus delivers |
//!
//! Nothing here opens a connection or starts a thread. A store is your implementation of [`Store`];
//! whoever has a timer calls [`WriteBehind::run`].

mod aside;
mod behind;
mod limits;
mod negative;
mod tags;
mod through;
mod tiers;

pub use aside::CacheAside;
pub use behind::{Batch, WriteBehind};
pub use limits::{Limits, PutError, Ran, Unflushed};
pub use negative::{Filter, Guard};
pub use tags::{Marked, TagSet, Tagged, Tags};
pub use through::{Lives, Through};
pub use tiers::{Held, Local, Tier, Tiers};

use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use archstone_core::shim::Mutex;

/// Where the truth is: a database, a file, a service.
pub trait Store<K, V> {
    /// Why it could not.
    type Error: Send + Sync + 'static;

    /// The value of a key; `None` if there is none.
    ///
    /// # Errors
    /// It could not look.
    fn load(&self, key: &K) -> Result<Option<V>, Self::Error>;

    /// Stores a value and gives back what is stored now: with the fields that the store has filled in
    /// or merged, for that is what the cache is to hold.
    ///
    /// # Errors
    /// It could not, or does not know whether it has.
    fn store(&self, key: &K, value: V) -> Result<V, Self::Error>;

    /// Deletes a key.
    ///
    /// # Errors
    /// It could not, or does not know whether it has.
    fn delete(&self, key: &K) -> Result<(), Self::Error>;

    /// Stores and deletes (`None`) many keys, in this order, each key once. Either all or, after an
    /// error, any part of it may have been done; it will be asked again for all of it.
    ///
    /// # Errors
    /// It could not do all of it.
    fn store_batch(&self, batch: &[(K, Option<V>)]) -> Result<(), Self::Error>
    where
        V: Clone,
    {
        batch.iter().try_for_each(|(key, value)| match value {
            Some(value) => self.store(key, value.clone()).map(drop),
            None => self.delete(key),
        })
    }
}

impl<K, V, T: Store<K, V> + ?Sized> Store<K, V> for Arc<T> {
    type Error = T::Error;
    fn load(&self, key: &K) -> Result<Option<V>, T::Error> {
        (**self).load(key)
    }
    fn store(&self, key: &K, value: V) -> Result<V, T::Error> {
        (**self).store(key, value)
    }
    fn delete(&self, key: &K) -> Result<(), T::Error> {
        (**self).delete(key)
    }
    fn store_batch(&self, batch: &[(K, Option<V>)]) -> Result<(), T::Error>
    where
        V: Clone,
    {
        (**self).store_batch(batch)
    }
}

/// What is to be forgotten, as told to other caches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invalidation<K> {
    /// What is older than this version of a key. [`Tagged`], which has no versions, forgets the key.
    Key {
        /// The key.
        key: K,
        /// The version that is valid now.
        version: u64,
    },
    /// What bears this tag.
    Tag(String),
    /// What lies under this path.
    Path(String),
    /// Everything.
    All,
}

/// Tells other caches what to forget: publish and subscribe, over whatever carries messages.
///
/// The caches publish after the store and their own entries have changed, and take what they hear by
/// their `heard`, which publishes nothing. Hearing one's own message, twice or late does no harm. A
/// message that is lost leaves a stale entry until it expires: so give entries a lifetime.
pub trait Bus<K> {
    /// Sends to all others.
    fn publish(&self, what: &Invalidation<K>);
}

type Subscriber<K> = Arc<dyn Fn(&Invalidation<K>) + Send + Sync>;

struct Subscribers<K> {
    next: u64,
    all: Vec<(u64, Subscriber<K>)>,
}

/// A [`Bus`] within one process: `publish` calls every subscriber, in turn.
///
/// ```
/// use archstone_cache::around::{Bus, Invalidation, LocalBus};
/// use std::sync::{Arc, Mutex};
///
/// let (bus, heard) = (LocalBus::new(), Arc::new(Mutex::new(vec![])));
/// let into = heard.clone();
/// let hears = bus.subscribe(move |what: &Invalidation<u32>| into.lock().unwrap().push(what.clone()));
/// bus.publish(&Invalidation::All);
/// drop(hears);
/// bus.publish(&Invalidation::Tag("unheard".into()));
/// assert_eq!(*heard.lock().unwrap(), [Invalidation::All]);
/// ```
pub struct LocalBus<K>(Arc<Mutex<Subscribers<K>>>);

impl<K> LocalBus<K> {
    /// A bus that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Subscribers { next: 0, all: Vec::new() })))
    }

    /// Calls `hear` for every message until what this returns is dropped.
    ///
    /// A `hear` that owns the cache, which owns the bus, keeps both alive so long: own a `Weak` of
    /// the cache, or hold the subscription beside the cache.
    pub fn subscribe(
        &self,
        hear: impl Fn(&Invalidation<K>) + Send + Sync + 'static,
    ) -> Subscription<K> {
        let mut subscribers = self.0.lock();
        let id = subscribers.next;
        subscribers.next += 1;
        subscribers.all.push((id, Arc::new(hear)));
        Subscription { of: Arc::downgrade(&self.0), id }
    }
}

/// A subscriber of a [`LocalBus`]; it hears until this is dropped.
#[must_use = "dropped at once, it hears nothing"]
pub struct Subscription<K> {
    of: Weak<Mutex<Subscribers<K>>>,
    id: u64,
}

impl<K> Subscription<K> {
    /// Hears as long as the bus is there: for a `hear` that owns a `Weak` of the cache.
    pub fn detach(mut self) {
        self.of = Weak::new();
    }
}

impl<K> Drop for Subscription<K> {
    fn drop(&mut self) {
        let Some(subscribers) = self.of.upgrade() else { return };
        let mut subscribers = subscribers.lock();
        let Some(at) = subscribers.all.iter().position(|&(id, _)| id == self.id) else { return };
        let hear = subscribers.all.remove(at);
        // What it owns may be the last of a cache, whose values may use the bus when they drop.
        drop(subscribers);
        drop(hear);
    }
}

impl<K> core::fmt::Debug for Subscription<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Subscription({})", self.id)
    }
}

impl<K> Default for LocalBus<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Bus<K> for LocalBus<K> {
    fn publish(&self, what: &Invalidation<K>) {
        let subscribers = self.0.lock().all.clone();
        subscribers.iter().for_each(|(_, hear)| hear(what));
    }
}

impl<K, B: Bus<K> + ?Sized> Bus<K> for Arc<B> {
    fn publish(&self, what: &Invalidation<K>) {
        (**self).publish(what);
    }
}

impl<K> core::fmt::Debug for LocalBus<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "LocalBus({} subscribers)", self.0.lock().all.len())
    }
}

pub(crate) type SharedBus<K> = Arc<dyn Bus<K> + Send + Sync>;
