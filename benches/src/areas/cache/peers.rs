//! Who takes part, `u64` to `u64`, all with `ahash` of the same seeds (TinyUFO has its own).

use std::num::NonZeroUsize;

use archstone_cache::policy::{Adaptive, Clock, Lru, S3Fifo, Sieve};
use archstone_cache::{Builder, Owned, Policy, Words, sync, unsync};

pub(super) type Hasher = ahash::RandomState;

pub(super) fn hasher() -> Hasher {
    Hasher::with_seeds(1, 2, 3, 4)
}

/// A cache of one owner.
pub(super) trait One: 'static {
    const NAME: &'static str;
    fn new(capacity: usize) -> Self;
    fn look(&mut self, key: u64) -> Option<u64>;
    fn keep(&mut self, key: u64, value: u64);
}

/// A cache of many threads.
pub(super) trait Many: Send + Sync + 'static {
    const NAME: &'static str;
    fn new(capacity: usize) -> Self;
    fn look(&self, key: u64) -> Option<u64>;
    fn keep(&self, key: u64, value: u64);
}

macro_rules! one {
    ($type:ty, $name:expr, $capacity:ident => $new:expr, ($cache:ident, $key:ident) => $get:expr, $value:ident => $put:expr) => {
        impl One for $type {
            const NAME: &'static str = $name;
            fn new($capacity: usize) -> Self {
                $new
            }
            #[inline(always)]
            fn look(&mut self, $key: u64) -> Option<u64> {
                let $cache = self;
                $get
            }
            #[inline(always)]
            fn keep(&mut self, $key: u64, $value: u64) {
                let $cache = self;
                $put
            }
        }
    };
}

macro_rules! many {
    ($type:ty, $name:expr, $capacity:ident => $new:expr, ($cache:ident, $key:ident) => $get:expr, $value:ident => $put:expr) => {
        impl Many for $type {
            const NAME: &'static str = $name;
            fn new($capacity: usize) -> Self {
                $new
            }
            #[inline(always)]
            fn look(&self, $key: u64) -> Option<u64> {
                let $cache = self;
                $get
            }
            #[inline(always)]
            fn keep(&self, $key: u64, $value: u64) {
                let $cache = self;
                $put
            }
        }
    };
}

pub(super) type Ours<P> = unsync::Cache<u64, u64, P, Hasher>;
pub(super) type OursLru = Ours<Lru>;

macro_rules! ours {
    ($($policy:ty => $name:literal),*) => {$(
        one!(Ours<$policy>, $name,
            capacity => Builder::new(capacity).policy::<$policy>().hasher(hasher()).build().expect("valid"),
            (c, key) => c.get(&key).copied(),
            value => c.insert(key, value).ignore());
    )*};
}
ours!(Lru => "archstone-cache LRU", Sieve => "archstone-cache SIEVE", S3Fifo => "archstone-cache S3-FIFO", Adaptive => "archstone-cache Adaptive", Clock => "archstone-cache CLOCK");

pub(super) type Floor = hashbrown::HashMap<u64, u64, Hasher>;
one!(Floor, "hashbrown, unbounded",
    capacity => Self::with_capacity_and_hasher(capacity, hasher()),
    (c, key) => c.get(&key).copied(),
    value => { c.insert(key, value); });

pub(super) type Schnellru = schnellru::LruMap<u64, u64, schnellru::ByLength, Hasher>;
one!(Schnellru, "schnellru",
    capacity => Self::with_hasher(schnellru::ByLength::new(capacity as u32), hasher()),
    (c, key) => c.get(&key).copied(),
    value => { c.insert(key, value); });

pub(super) type Hashlink = hashlink::LruCache<u64, u64, Hasher>;
one!(Hashlink, "hashlink",
    capacity => Self::with_hasher(capacity, hasher()),
    (c, key) => c.get(&key).copied(),
    value => { c.insert(key, value); });

pub(super) type LruCrate = lru::LruCache<u64, u64, Hasher>;
fn lru_of(capacity: usize) -> LruCrate {
    lru::LruCache::with_hasher(NonZeroUsize::new(capacity).expect("not zero"), hasher())
}
one!(LruCrate, "lru",
    capacity => lru_of(capacity),
    (c, key) => c.get(&key).copied(),
    value => { c.push(key, value); });

pub(super) type QuickUnsync =
    quick_cache::unsync::Cache<u64, u64, quick_cache::UnitWeighter, Hasher>;
one!(QuickUnsync, "quick_cache unsync",
    capacity => Self::with(capacity, capacity as u64, quick_cache::UnitWeighter, hasher(), Default::default()),
    (c, key) => c.get(&key).copied(),
    value => { c.insert(key, value); });

pub(super) type OursSync<P = Adaptive> = sync::Cache<u64, u64, P, Hasher, Words<u64, u64>>;
pub(super) type OursLocked<P = Adaptive> = sync::Cache<u64, u64, P, Hasher, Owned<u64, u64>>;
impl<P: Policy + Sync> Many for OursSync<P> {
    const NAME: &'static str = "archstone-cache sync, lock-free reads";
    fn new(capacity: usize) -> Self {
        Builder::new(capacity)
            .policy::<P>()
            .hasher(hasher())
            .lock_free()
            .build_sync()
            .expect("valid")
    }
    #[inline(always)]
    fn look(&self, key: u64) -> Option<u64> {
        self.get(&key)
    }
    #[inline(always)]
    fn keep(&self, key: u64, value: u64) {
        self.insert(key, value).ignore();
    }
}
impl<P: Policy + Sync> Many for OursLocked<P> {
    const NAME: &'static str = "archstone-cache sync, locked reads";
    fn new(capacity: usize) -> Self {
        Builder::new(capacity).policy::<P>().hasher(hasher()).build_sync().expect("valid")
    }
    #[inline(always)]
    fn look(&self, key: u64) -> Option<u64> {
        self.get(&key)
    }
    #[inline(always)]
    fn keep(&self, key: u64, value: u64) {
        self.insert(key, value).ignore();
    }
}

pub(super) type Quick = quick_cache::sync::Cache<u64, u64, quick_cache::UnitWeighter, Hasher>;
many!(Quick, "quick_cache sync",
    capacity => Self::with(capacity, capacity as u64, quick_cache::UnitWeighter, hasher(), Default::default()),
    (c, key) => c.get(&key),
    value => c.insert(key, value));

pub(super) type MutexLru = parking_lot::Mutex<LruCrate>;
many!(MutexLru, "parking_lot::Mutex<lru>",
    capacity => Self::new(lru_of(capacity)),
    (c, key) => c.lock().get(&key).copied(),
    value => { c.lock().push(key, value); });

pub(super) type Ufo = tinyufo::TinyUfo<u64, u64>;
many!(Ufo, "TinyUFO",
    capacity => Self::new(capacity, capacity),
    (c, key) => c.get(&key),
    value => { c.put(key, value, 1); });

pub(super) type Moka = moka::sync::Cache<u64, u64, Hasher>;
many!(Moka, "moka sync",
    capacity => moka::sync::Cache::builder().max_capacity(capacity as u64).build_with_hasher(hasher()),
    (c, key) => c.get(&key),
    value => c.insert(key, value));

pub(super) type MiniMoka = mini_moka::sync::Cache<u64, u64, Hasher>;
many!(MiniMoka, "mini-moka sync",
    capacity => mini_moka::sync::Cache::builder().max_capacity(capacity as u64).build_with_hasher(hasher()),
    (c, key) => c.get(&key),
    value => c.insert(key, value));

pub(super) type Foyer = foyer_memory::Cache<u64, u64, Hasher>;
many!(Foyer, "foyer-memory S3-FIFO",
    capacity => foyer_memory::CacheBuilder::new(capacity)
        .with_shards(8)
        .with_eviction_config(foyer_memory::S3FifoConfig::default())
        .with_hash_builder(hasher())
        .build(),
    (c, key) => c.get(&key).map(|entry| *entry.value()),
    value => { c.insert(key, value); });
