//! Moving objects for many threads.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use archstone_core::Time;
use archstone_core::pad::CachePadded;
use archstone_core::spin::Lock;

use crate::coord::{LatLng, Meters};
use crate::live::LiveIndex;

/// Shards unless another number is asked for. More let more threads move at once; each costs a
/// question the way down one more tree.
#[cfg(feature = "std")]
const SHARDS: usize = 4;

/// A [`LiveIndex`] for many threads, in shards by key under locks held for a move or one shard's
/// part of a question.
///
/// # What a question sees of objects that move meanwhile
///
/// 1. An object lives in the shard of its key, wherever on Earth it is; a move is one step under
///    that shard's lock.
/// 2. A question looks at every shard once, each under its lock.
///
/// So an object never comes twice, for it is in one shard only; and it is never lost: one that is in
/// the index from before the question to after it, and all that time within what is asked for, comes
/// exactly once. Each object is judged, and its distance given, by the one position it had when its
/// shard was looked at, which it had at some instant of the question. Positions of objects in
/// different shards may be of different instants: an answer is not a snapshot of all.
///
/// Shards by place would let a question look at one or two of them; but then an object that crosses
/// could be met twice or missed, and one city full of taxis would be one lock.
///
/// Upsert and remove wait for one shard: O(log n), O(1) within a bucket. A question waits for each
/// shard in turn, never for two at once, and carries the radius of its k-th hit to the next.
///
/// ```
/// use archstone_geo::{LatLng, Meters, SharedIndex};
///
/// let at = |lat, lng| LatLng::new(lat, lng);
/// let taxis = SharedIndex::new();
/// std::thread::scope(|threads| {
///     threads.spawn(|| taxis.upsert("one", LatLng::new(48.85, 2.35).unwrap()));
///     threads.spawn(|| taxis.upsert("two", LatLng::new(48.86, 2.35).unwrap()));
/// });
/// assert_eq!(taxis.nearest(at(48.87, 2.35)?, 1)[0].0, "two");
/// assert_eq!(taxis.within(at(48.855, 2.35)?, Meters::from_km(1.0)).len(), 2);
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
pub struct SharedIndex<K, S = ahash::RandomState> {
    hasher: S,
    /// A power of two of them.
    shards: Box<[Shard<K, S>]>,
}

/// On lines of its own.
type Shard<K, S> = CachePadded<Lock<LiveIndex<K, S>>>;

#[cfg(feature = "std")]
impl<K: Hash + Eq> SharedIndex<K> {
    /// An empty index of 4 shards, its tables randomly seeded.
    #[must_use]
    pub fn new() -> Self {
        Self::with_shards(SHARDS, ahash::RandomState::new())
    }
}

#[cfg(feature = "std")]
impl<K: Hash + Eq> Default for SharedIndex<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Hash + Eq, S: BuildHasher + Clone> SharedIndex<K, S> {
    /// An empty index with this hasher and so many shards, rounded up to a power of two, at most
    /// 1 024. About as many as threads that write; one that is asked more than it is moved wants few.
    #[must_use]
    pub fn with_shards(shards: usize, hasher: S) -> Self {
        let shards = shards.clamp(1, 1 << 10).next_power_of_two();
        let shard = |_| CachePadded::new(Lock::new(LiveIndex::with_hasher(hasher.clone())));
        Self { shards: (0..shards).map(shard).collect(), hasher }
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Lock<LiveIndex<K, S>> {
        // A shard's table takes the low bits and the top seven.
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }

    /// Puts the object at `at`, for good; where it was before.
    ///
    /// # Panics
    /// With more than 2^32 - 2 objects in a shard.
    #[inline]
    pub fn upsert(&self, key: K, at: LatLng) -> Option<LatLng> {
        self.upsert_until(key, at, Time::MAX)
    }

    /// Puts the object at `at` until `ends`; where it was before.
    ///
    /// # Panics
    /// With more than 2^32 - 2 objects in a shard.
    #[inline]
    pub fn upsert_until(&self, key: K, at: LatLng, ends: Time) -> Option<LatLng> {
        let hash = self.hasher.hash_one(&key);
        self.shard(hash).lock().upsert_hashed(hash, key, at, ends)
    }

    /// Takes the object out; where it was.
    pub fn remove(&self, key: &K) -> Option<LatLng> {
        let hash = self.hasher.hash_one(key);
        self.shard(hash).lock().remove_hashed(hash, key)
    }

    /// Where the object is, as it was told.
    #[must_use]
    pub fn position(&self, key: &K) -> Option<LatLng> {
        let hash = self.hasher.hash_one(key);
        self.shard(hash).lock().position_hashed(hash, key)
    }

    /// How many objects, shard after shard, those whose time is over and that were not yet met included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().is_empty())
    }

    /// Checks every link of every shard, and that each object is in its own; for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        for (number, shard) in self.shards.iter().enumerate() {
            let shard = shard.lock();
            shard.validate();
            for key in shard.keys() {
                let hash = self.hasher.hash_one(key);
                assert_eq!((hash >> 40) as usize & (self.shards.len() - 1), number);
            }
        }
    }
}

impl<K: Hash + Eq + Clone, S: BuildHasher + Clone> SharedIndex<K, S> {
    /// Takes out every object whose time is over at `now`; how many. O(n), a shard's lock held for
    /// its share of it.
    pub fn expire(&self, now: Time) -> usize {
        self.shards.iter().map(|shard| shard.lock().expire(now)).sum()
    }

    /// The `k` objects nearest to `center` on the sphere, nearest first.
    #[must_use]
    pub fn nearest(&self, center: LatLng, k: usize) -> Vec<(K, Meters)> {
        self.nearest_at(Time::ZERO, center, k)
    }

    /// [`nearest`](Self::nearest) of those whose time is not over at `now`.
    #[must_use]
    pub fn nearest_at(&self, now: Time, center: LatLng, k: usize) -> Vec<(K, Meters)> {
        let mut found: Vec<(K, Meters)> = Vec::new();
        let mut radius = Meters(f64::INFINITY);
        for shard in &self.shards {
            let shard = shard.lock();
            let hits = shard.nearest_under(now, center, k, radius);
            if hits.is_empty() {
                continue;
            }
            found.extend(hits.into_iter().map(|(key, distance)| (key.clone(), distance)));
            drop(shard);
            found.sort_by_key(|hit| hit.1);
            found.truncate(k);
            if found.len() == k {
                radius = found.last().map_or(radius, |hit| hit.1);
            }
        }
        found
    }

    /// The objects within `radius` of `center` on the sphere, in no order.
    #[must_use]
    pub fn within(&self, center: LatLng, radius: Meters) -> Vec<(K, Meters)> {
        self.within_at(Time::ZERO, center, radius)
    }

    /// [`within`](Self::within) of those whose time is not over at `now`.
    #[must_use]
    pub fn within_at(&self, now: Time, center: LatLng, radius: Meters) -> Vec<(K, Meters)> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let hits = shard.within_at(now, center, radius);
            found.extend(hits.into_iter().map(|(key, distance)| (key.clone(), distance)));
        }
        found
    }
}

impl<K, S> fmt::Debug for SharedIndex<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedIndex({} shards)", self.shards.len())
    }
}
