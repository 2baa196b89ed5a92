//! What a cache is made of.

use alloc::sync::Arc;
use archstone_core::{Clock, Time};
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use core::time::Duration;

use crate::cells::{Cells, Owned, Plain, Words};
use crate::lifetime::Lifetime;
use crate::outcome::{BuildError, Cause};
use crate::policy::{Adaptive, Policy};
use crate::table::MAX_SLOTS;
use crate::{sync, unsync};

/// The hash function of tables in memory: `ahash`, randomly seeded with the feature `std`.
pub type DefaultHasher = ahash::RandomState;

pub(crate) type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u64 + Send + Sync>;
pub(crate) type Listener<K, V> = Arc<dyn Fn(&K, &V, Cause) + Send + Sync>;
pub(crate) type SharedClock = Arc<dyn Clock + Send + Sync>;

/// Makes caches: how much they hold, which policy, how long.
///
/// ```
/// use archstone_cache::{Builder, policy::Lru};
/// use core::time::Duration;
///
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// # #[cfg(feature = "std")] // It has the clock.
/// # fn main() -> Result<(), archstone_cache::BuildError> {
/// let mut cache = Builder::new(1000)
///     .policy::<Lru>()
///     .time_to_live(Duration::from_secs(60))
///     .jitter(0.1)
///     .build()?;
/// cache.insert("a", 1).ignore();
/// assert_eq!(cache.get("a"), Some(&1));
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct Builder<K, V, P = Adaptive, S = DefaultHasher, C = Owned<K, V>> {
    pub(crate) limit: u64,
    pub(crate) weigher: Option<Weigher<K, V>>,
    pub(crate) lifetime: Lifetime<K, V>,
    pub(crate) clock: Option<SharedClock>,
    pub(crate) listener: Option<Listener<K, V>>,
    pub(crate) shards: Option<usize>,
    pub(crate) counted: bool,
    pub(crate) hasher: S,
    pub(crate) kind: PhantomData<fn() -> (P, C)>,
}

impl<K, V> Builder<K, V> {
    /// A cache of at most `entries` entries. Nothing is reserved until it is needed (except by
    /// [`Builder::lock_free`]). Zero is a cache that refuses everything.
    pub fn new(entries: usize) -> Self {
        Self {
            limit: entries as u64,
            weigher: None,
            lifetime: Lifetime::new(),
            clock: None,
            listener: None,
            shards: None,
            counted: false,
            hasher: DefaultHasher::new(),
            kind: PhantomData,
        }
    }

    /// A cache of entries that weigh at most `limit` together, by `weigh`, which is called once an
    /// insertion, before anything changes, and by `reweigh`. Weights of zero are allowed.
    pub fn weighted(limit: u64, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        Self { limit, weigher: Some(Arc::new(weigh)), ..Self::new(0) }
    }
}

impl<K, V, P, S, C> Builder<K, V, P, S, C> {
    fn with<P2, S2, C2>(self, hasher: impl FnOnce(S) -> S2) -> Builder<K, V, P2, S2, C2> {
        Builder {
            limit: self.limit,
            weigher: self.weigher,
            lifetime: self.lifetime,
            clock: self.clock,
            listener: self.listener,
            shards: self.shards,
            counted: self.counted,
            hasher: hasher(self.hasher),
            kind: PhantomData,
        }
    }

    /// Another eviction policy.
    pub fn policy<P2: Policy>(self) -> Builder<K, V, P2, S, C> {
        self.with(|hasher| hasher)
    }

    /// Another hash function. Only 64 bits of it are used, all of them should be good.
    pub fn hasher<S2: BuildHasher>(self, hasher: S2) -> Builder<K, V, P, S2, C> {
        self.with(|_| hasher)
    }

    /// Entries expire this long after they were inserted or replaced. Zero expires at once.
    pub fn time_to_live(mut self, ttl: Duration) -> Self {
        self.lifetime.ttl = Some(ttl);
        self
    }

    /// Entries expire this long after they were last used.
    pub fn time_to_idle(mut self, idle: Duration) -> Self {
        self.lifetime.idle = Some(idle);
        self
    }

    /// Entries expire after what `lives` says when they are inserted or replaced; `None` is never.
    /// It goes before [`Builder::time_to_live`].
    pub fn expiry(
        mut self,
        lives: impl Fn(&K, &V) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.lifetime.each = Some(Arc::new(lives));
        self
    }

    /// Shortens each lifetime by a pseudo-random share of up to `fraction` of it, so that what was
    /// inserted together does not expire together. Within 0 and 1.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.lifetime.jitter = fraction;
        self
    }

    /// Where the cache reads the time. It is read only if entries expire. Without it:
    /// [`Monotonic`](crate::Monotonic).
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Hears of every entry that leaves, once, with the cause; after the change, outside of locks.
    /// An entry that the caller gets back by value is heard of before that. When it panics, the
    /// entries of that operation it has not heard of are dropped unheard; the cache stays whole.
    pub fn on_removal(mut self, listener: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Shards of a [`sync`] cache, rounded up to a power of two. By default four a
    /// processor, but no more than leaves 256 entries each. One makes evictions exact.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Counts hits, misses, insertions and removals: see `stats`. Off, it costs a branch.
    pub fn stats(mut self) -> Self {
        self.counted = true;
        self
    }

    /// Reads of a [`sync`] cache take no lock: a hit looks, copies, and looks whether a writer came
    /// between. For keys and values that are [`Plain`]. Slots are reserved at once.
    pub fn lock_free(self) -> Builder<K, V, P, S, Words<K, V>>
    where
        K: Plain,
        V: Plain,
    {
        self.with(|hasher| hasher)
    }

    pub(crate) fn check(&mut self) -> Result<(), BuildError> {
        if self.weigher.is_none() && self.limit > MAX_SLOTS as u64 {
            // "As many as there are" is a fair thing to ask for; what is inserted is bounded by
            // memory long before.
            if self.limit != usize::MAX as u64 {
                let capacity = self.limit as usize;
                return Err(BuildError::TooLarge { capacity, limit: MAX_SLOTS });
            }
            self.limit = MAX_SLOTS as u64;
        }
        let jitter = self.lifetime.jitter;
        if !(0.0..=1.0).contains(&jitter) {
            return Err(BuildError::Jitter { fraction: jitter });
        }
        if self.lifetime.is_limited() && self.clock.is_none() {
            #[cfg(feature = "std")]
            {
                self.clock = Some(Arc::new(archstone_core::Monotonic::new()));
            }
            #[cfg(not(feature = "std"))]
            return Err(BuildError::NoClock);
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.as_ref().map_or(Time::ZERO, |clock| clock.now())
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Builder<K, V, P, S> {
    /// The cache of one owner: every verb takes `&mut self`.
    ///
    /// # Errors
    /// A jitter outside 0 to 1, too many entries, expiry without a clock.
    pub fn build(mut self) -> Result<unsync::Cache<K, V, P, S>, BuildError> {
        self.check()?;
        Ok(unsync::Cache::from_builder(self))
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> Builder<K, V, P, S, C> {
    /// The cache of many threads: every verb takes `&self`, a clone is another handle.
    ///
    /// # Errors
    /// Those of [`Builder::build`], and a cache with lock-free reads that is bounded by weight.
    pub fn build_sync(mut self) -> Result<sync::Cache<K, V, P, S, C>, BuildError> {
        self.check()?;
        if C::SHARED && self.weigher.is_some() {
            return Err(BuildError::WeightedPlain);
        }
        Ok(sync::Cache::from_builder(self))
    }
}

impl<K, V, P, S, C> fmt::Debug for Builder<K, V, P, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("limit", &self.limit)
            .field("weighted", &self.weigher.is_some())
            .field("lifetime", &self.lifetime)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}
