//! Options of a table.

use super::LeaseTable;
use super::shard::Shard;
use crate::demand::READERS;
use crate::latest::Latest;
use crate::token::Fence;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;
use archstone_core::pad::CachePadded;
use archstone_core::shim::atomic::AtomicUsize;
use archstone_core::spin::Lock;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU16, Ordering};
use core::time::Duration;

type Capacity<K> = Box<dyn Fn(&K) -> u32 + Send + Sync>;

/// Options of a [`LeaseTable`].
#[must_use]
pub struct Builder<K> {
    shards: usize,
    config: Config<K>,
    fences_after: u64,
    key: PhantomData<K>,
}

pub(super) struct Config<K> {
    capacity: Option<Capacity<K>>,
    pub(super) lock_delay: u64,
    pub(super) max_hold: u64,
    pub(super) max_waiters: usize,
    /// Any of the options that the fast path of `try_acquire` does not look at.
    pub(super) needs_slow_path: bool,
}

impl<K> Config<K> {
    /// The permits of a key.
    pub(super) fn capacity_of<Q>(&self, key: &Q) -> u32
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + ?Sized,
    {
        // Asked only where a key may have a capacity of its own: it costs an owned key.
        self.capacity.as_ref().map_or(READERS, |capacity| capacity(&key.to_owned()))
    }
}

impl<K> Builder<K> {
    pub(super) fn new() -> Self {
        let config = Config {
            capacity: None,
            lock_delay: 0,
            max_hold: u64::MAX,
            max_waiters: usize::MAX,
            needs_slow_path: false,
        };
        Self { shards: 64, config, fences_after: 0, key: PhantomData }
    }

    /// Independent parts of the table, each with a lock of its own: rounded up to a power of two, at
    /// most 32,768. 64 by default; a shard that is in use takes about 3 KB of its own.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards.clamp(1, 1 << 15).next_power_of_two();
        self
    }

    /// How many permits a key has; [`READERS`] without this. Must always say the
    /// same of one key; zero means that nobody can have it.
    ///
    /// An overbooking limit is a capacity too: `rooms + rooms / 10`.
    pub fn capacity(mut self, capacity: impl Fn(&K) -> u32 + Send + Sync + 'static) -> Self {
        self.config.capacity = Some(Box::new(capacity));
        self
    }

    /// How long a key stays closed after a lease *expired*, so that writes its holder had sent may
    /// arrive first (Burrows 2006, Chubby, section 2.4). Nothing for a lease that is released.
    pub fn lock_delay(mut self, delay: Duration) -> Self {
        self.config.lock_delay = super::nanos(delay);
        self
    }

    /// The longest that a lease may be held from its grant on, over all extensions. Zero is refused
    /// like a time to live of zero would be: nothing is ever granted.
    pub fn max_hold(mut self, longest: Duration) -> Self {
        self.config.max_hold = super::nanos(longest);
        self
    }

    /// How many requests may wait; no limit by default.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.config.max_waiters = waiters;
        self
    }

    /// All fences will be above this one: what an earlier table gave
    /// ([`highest_fence`](LeaseTable::highest_fence), persisted), or the time in nanoseconds.
    pub fn fences_after(mut self, fence: Fence) -> Self {
        self.fences_after = fence.get();
        self
    }
}

impl<K: Hash + Eq> Builder<K> {
    /// A table whose keys are hashed by `ahash`, seeded at random (with `std`).
    #[must_use]
    pub fn build(self) -> LeaseTable<K> {
        self.build_with_hasher(ahash::RandomState::new())
    }

    /// A table whose keys are hashed by `hasher`.
    #[must_use]
    pub fn build_with_hasher<S: BuildHasher>(mut self, hasher: S) -> LeaseTable<K, S> {
        static TABLES: AtomicU16 = AtomicU16::new(0);
        let config = &mut self.config;
        config.needs_slow_path =
            config.capacity.is_some() || config.lock_delay != 0 || config.max_hold != u64::MAX;
        let shard = |_| CachePadded::new(Lock::new(Shard::new(self.fences_after)));
        LeaseTable {
            shards: (0..self.shards).map(shard).collect(),
            hasher,
            config: self.config,
            id: TABLES.fetch_add(1, Ordering::Relaxed),
            latest: Latest::new(),
            waiting: AtomicUsize::new(0),
            spanning: AtomicUsize::new(0),
            outbox: Lock::new(Vec::new()),
        }
    }
}

impl<K> fmt::Debug for Builder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("shards", &self.shards).finish_non_exhaustive()
    }
}
