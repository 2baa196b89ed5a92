//! The cache of many threads: `&self`, a clone is another handle, no threads of its own.
//!
//! Keys are spread over shards by their hash, each with a lock that is held for one operation and
//! never while code of the user's runs, but `Eq` of keys, `Clone` of the value that is found, and
//! what is said at a verb. The capacity is one for all shards: an insertion takes units out of one
//! budget before the entry is there, and gives them back after it has left, so at no instant is more
//! held than the capacity.
//!
//! By [`Builder::lock_free`] a hit takes no lock and stores nothing that others read, once the
//! entry is known to be in use.
//!
//! Here are the type and its verbs for one key; those for all entries are in `upkeep`, shard and budget in
//! `shard`.

pub mod entry;
mod shard;
mod upkeep;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::Time;
use archstone_core::pad::CachePadded;
use archstone_core::time::saturating_nanos;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use self::shard::{Common, Shard};
use self::upkeep::shrink;
use crate::builder::{Builder, DefaultHasher, Listener, SharedClock, Weigher};
use crate::cells::{Cells, Owned, Plain, Words};
use crate::lifetime::Lifetime;
use crate::outcome::{Cause, Insert, Removed};
use crate::policy::{Adaptive, Policy};
use crate::stats::Stats;
use crate::store::{Budget, Entry, Outcome, Room, Store};
use crate::table::MAX_SLOTS;
use crate::wheel::Wheel;

/// Entries that an insertion looks at for what has expired.
const LOOKS: usize = 4;
/// Looks without the lock before a reader takes it.
const TRIES: usize = 4;
/// Entries a shard that a default number of shards leaves at least.
const PER_SHARD: u64 = 256;

/// A cache of many threads that holds at most its capacity at every instant.
///
/// Every verb is O(1), amortised where a hand moves, but those that go through all entries. What a
/// shard holds is that of [`unsync::Cache`](crate::unsync::Cache), and so are the bytes an entry.
/// With lock-free reads, slots for all entries and a few percent more are there from the start.
///
/// ```
/// use archstone_cache::sync::Cache;
///
/// let cache = Cache::new(1000);
/// let other = cache.clone();
/// std::thread::spawn(move || other.insert("ann", 36).ignore()).join().unwrap();
/// assert_eq!(cache.get("ann"), Some(36));
/// ```
pub struct Cache<K, V, P: Policy = Adaptive, S = DefaultHasher, C: Cells<K, V> = Owned<K, V>> {
    inner: Arc<Inner<K, V, P, S, C>>,
}

type Shards<K, V, P, C> = Box<[CachePadded<Shard<K, V, P, C>>]>;

struct Inner<K, V, P: Policy, S, C: Cells<K, V>> {
    shards: Shards<K, V, P, C>,
    common: Common,
    hasher: S,
    weigher: Option<Weigher<K, V>>,
    lifetime: Lifetime<K, V>,
    clock: Option<SharedClock>,
    listener: Option<Listener<K, V>>,
    /// Nothing expires or is counted: a look without the lock is a look-up and a mark.
    plain: bool,
    /// Nor is anything weighed or heard of: an insertion has nothing to hand around.
    lean: bool,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// At most `entries` entries, the default policy. [`Builder`] has the rest.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self::from_builder(Builder::new(entries.min(MAX_SLOTS)))
    }
}

impl<K: Hash + Eq + Plain, V: Plain> Cache<K, V, Adaptive, DefaultHasher, Words<K, V>> {
    /// At most `entries` entries, read without locks: see [`Builder::lock_free`].
    #[must_use]
    pub fn lock_free(entries: usize) -> Self {
        Self::from_builder(Builder::new(entries.min(MAX_SLOTS)).lock_free())
    }
}

fn default_shards(limit: u64) -> usize {
    #[cfg(feature = "std")]
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(not(feature = "std"))]
    let processors = 2_usize;
    let most = (limit / PER_SHARD).clamp(1, 1 << 16);
    (processors.saturating_mul(4)).min(most as usize)
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> Cache<K, V, P, S, C> {
    pub(crate) fn from_builder(builder: Builder<K, V, P, S, C>) -> Self {
        let now = builder.now();
        let weighted = builder.weigher.is_some();
        let shards = builder.shards.unwrap_or_else(|| default_shards(builder.limit));
        let shards = shards.clamp(1, 1 << 16).next_power_of_two();
        let limit = builder.limit;
        let room =
            Room { most: slots(limit, shards, weighted, C::SHARED), fixed: C::SHARED, weighted };
        let idle = builder.lifetime.idle.map(saturating_nanos);
        let shard = |_| {
            let wheel = builder.lifetime.is_limited().then(|| Wheel::new(idle, now));
            let store = Store::new(share(limit, shards), room, wheel);
            CachePadded::new(Shard::new(store, builder.counted))
        };
        let shards: Vec<_> = (0..shards).map(shard).collect();
        Self {
            inner: Arc::new(Inner {
                lean: !builder.lifetime.is_limited()
                    && !builder.counted
                    && !weighted
                    && builder.listener.is_none(),
                plain: !builder.lifetime.is_limited() && !builder.counted,
                shards: shards.into(),
                common: Common::new(limit),
                hasher: builder.hasher,
                weigher: builder.weigher,
                lifetime: builder.lifetime,
                clock: builder.clock,
                listener: builder.listener,
            }),
        }
    }
}

/// What a policy is told: the capacity's share of a shard.
fn share(limit: u64, shards: usize) -> u64 {
    limit.div_ceil(shards as u64)
}

/// The most slots of a shard.
fn slots(limit: u64, shards: usize, weighted: bool, fixed: bool) -> usize {
    if weighted {
        return MAX_SLOTS;
    }
    let limit = limit.min(MAX_SLOTS as u64) as usize;
    if !fixed || shards == 1 {
        return limit;
    }
    // Keys fall into shards at random: six standard deviations above the mean, and a few.
    let share = limit.div_ceil(shards);
    (share + 6 * share.isqrt() + 16).min(limit)
}

impl<K, V, P: Policy, S, C: Cells<K, V>> Inner<K, V, P, S, C> {
    #[inline(always)]
    fn now(&self) -> Time {
        self.clock.as_ref().map_or(Time::ZERO, |clock| clock.now())
    }

    /// The upper half of the hash chooses the shard, the lower half is for the shard.
    #[inline(always)]
    fn shard(&self, hash: u64) -> &Shard<K, V, P, C> {
        &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
    }

    /// Tells of what has left, and drops it. No lock is held.
    #[inline(always)]
    fn tell(&self, shard: &Shard<K, V, P, C>, removed: Removed<K, V>) {
        if self.listener.is_some() || shard.counters.is_some() {
            for (key, value, cause) in removed.into_iter() {
                self.tell_one(shard, &key, &value, cause);
            }
        }
    }

    fn tell_one(&self, shard: &Shard<K, V, P, C>, key: &K, value: &V, cause: Cause) {
        if let Some(counters) = &shard.counters {
            counters.left(cause);
        }
        if let Some(listener) = &self.listener {
            listener(key, value, cause);
        }
    }

    /// Whether an insertion has nothing to hand around now.
    #[inline(always)]
    fn is_lean(&self) -> bool {
        let limit = self.common.limit();
        self.lean && self.common.used() <= limit && limit > 0
    }

    /// What every insertion does first: a few looks for what has expired, and a step of a capacity
    /// that was lowered.
    #[inline]
    fn tidy(&self, store: &mut Store<K, V, P, C>, now: Time, removed: &mut Removed<K, V>)
    where
        K: Hash + Eq,
    {
        if store.wheel.is_some() {
            let mut looks = LOOKS;
            store.expire(now, &mut looks, &mut &self.common, removed);
        }
        if self.common.used() > self.common.limit() {
            shrink(store, &self.common, 2, removed);
        }
    }

    /// What every insertion does last, the lock given back: tells, counts and answers.
    ///
    /// # Errors
    /// The entry, when another shard had to make room for it: to be tried again.
    #[inline]
    fn answer(
        &self,
        shard: &Shard<K, V, P, C>,
        hash: u64,
        outcome: Outcome<K, V>,
    ) -> Result<Insert<K, V>, Entry<K, V>>
    where
        K: Hash + Eq,
    {
        let answer = match outcome {
            Outcome::New => Insert::New,
            Outcome::Replaced(key, value) => {
                self.tell_one(shard, &key, &value, Cause::Replaced);
                Insert::Replaced(value)
            }
            Outcome::Rejected(key, value, why) => Insert::Rejected { key, value, why },
            Outcome::NoVictim(again) => {
                if self.evict_anywhere(hash) {
                    return Err(again);
                }
                let Entry { key, value, .. } = again;
                let why = shard.lock().no_victim();
                Insert::Rejected { key, value, why }
            }
        };
        if let Some(counters) = &shard.counters {
            counters.insertion(answer.is_held());
        }
        Ok(answer)
    }

    /// Evicts one entry of any shard; says whether there was one.
    #[cold]
    fn evict_anywhere(&self, not: u64) -> bool {
        let from = (not >> 32) as usize + 1;
        for step in 0..self.shards.len() {
            let shard = &self.shards[(from + step) & (self.shards.len() - 1)];
            let mut removed = Removed::new();
            let units = shard.lock().evict(&mut removed);
            if let Some(units) = units {
                (&mut &self.common).give(units);
                self.tell(shard, removed);
                return true;
            }
        }
        false
    }
}

impl<K, V, P: Policy, S, C: Cells<K, V>> Cache<K, V, P, S, C> {
    /// Entries it holds. Those that have expired count until they are removed; those that are being
    /// inserted count too, unless entries are weighed. Never above the capacity.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.inner.weigher.is_none() {
            return self.inner.common.used() as usize;
        }
        self.inner.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries weigh together, those being inserted included.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.inner.common.used()
    }

    /// The most they may weigh. While a smaller [`Cache::resize`] is under way, what they weigh.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.inner.common.limit().max(self.inner.common.used())
    }

    /// Bytes on the heap, without what keys and values own.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let each = size_of::<CachePadded<Shard<K, V, P, C>>>();
        self.inner.shards.iter().map(|shard| each + shard.lock().bytes()).sum()
    }

    /// What was counted, if anything was.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for counters in self.inner.shards.iter().filter_map(|shard| shard.counters.as_ref()) {
            counters.add_to(&mut sum);
        }
        sum
    }

    /// Shards it has.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inner.shards.len()
    }

    /// Nothing expires before this, so [`Cache::maintain`] has nothing to do; `None` if nothing
    /// expires at all. An estimate below the truth: at most a 64th of the time until then too soon.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let next = |shard: &CachePadded<Shard<K, V, P, C>>| {
            shard.lock().wheel.as_mut().and_then(|wheel| wheel.next_deadline())
        };
        self.inner.shards.iter().filter_map(next).min()
    }

    /// Checks every link and count of each shard; for tests.
    ///
    /// # Panics
    /// When the structure is broken.
    pub fn validate(&self) {
        self.inner.shards.iter().for_each(|shard| shard.lock().validate());
    }

    /// Checks the budget too, which nobody else may be using meanwhile.
    ///
    /// # Panics
    /// When the structure is broken.
    pub fn validate_alone(&self) {
        self.validate();
        let sum: u64 = self.inner.shards.iter().map(|shard| shard.lock().units()).sum();
        assert_eq!(sum, self.weight(), "the budget");
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> Cache<K, V, P, S, C> {
    /// A copy of the value of a key, which counts as used.
    ///
    /// `Clone` of the value runs under the lock of the shard, so it should be cheap: hold large
    /// values in an [`Arc`]. (Not with lock-free reads, which copy words.)
    #[inline(always)]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.look_up(self.inner.hasher.hash_one(key), key)
    }

    /// [`Cache::get`] by a hash that is known.
    #[inline(always)]
    pub(crate) fn look_up<Q>(&self, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
        V: Clone,
    {
        if C::SHARED && P::SHARED_HIT && self.inner.plain {
            let found = self.inner.shard(hash).look::<Q, false>(hash as u32, key, Time::ZERO, true);
            if let Some(found) = found {
                return found;
            }
        }
        self.get_fully(hash, key, self.inner.now())
    }

    /// [`Cache::get`] at `now`.
    #[inline]
    pub fn get_at<Q>(&self, key: &Q, now: Time) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.get_fully(self.inner.hasher.hash_one(key), key, now)
    }

    #[inline(never)]
    fn get_fully<Q>(&self, hash: u64, key: &Q, now: Time) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
        V: Clone,
    {
        let shard = self.inner.shard(hash);
        let found = self.find(shard, hash as u32, key, now, true);
        if let Some(counters) = &shard.counters {
            counters.look_up(found.is_some());
        }
        found
    }

    #[inline(always)]
    fn find<Q>(
        &self,
        shard: &Shard<K, V, P, C>,
        hash: u32,
        key: &Q,
        now: Time,
        used: bool,
    ) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
        V: Clone,
    {
        // A policy that moves entries at a hit, and idling, which moves deadlines, need the lock.
        if C::SHARED && (!used || (P::SHARED_HIT && self.inner.lifetime.idle.is_none())) {
            for _ in 0..TRIES {
                if let Some(found) = shard.look::<Q, true>(hash, key, now, used) {
                    return found;
                }
                archstone_core::shim::hint::spin_loop();
            }
        }
        let mut store = shard.lock();
        let (slot, value) =
            store.table.get(hash, |k| k.borrow() == key, |_, value| value.clone())?;
        if store.is_due(slot, now) {
            return None;
        }
        if used {
            store.used(slot, now);
        }
        Some(value)
    }

    /// A copy of the value of a key, which does not count as used.
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let hash = self.inner.hasher.hash_one(key);
        self.find(self.inner.shard(hash), hash as u32, key, self.inner.now(), false)
    }

    /// Whether there is a live entry of this key. It does not count as used.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at_key(key, |_, _| ()).is_some()
    }

    /// What `see` does with the store, under the lock, if there is a live entry.
    fn at_key<Q, R>(&self, key: &Q, see: impl FnOnce(&mut Store<K, V, P, C>, u32) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.inner.now();
        let hash = self.inner.hasher.hash_one(key);
        let mut store = self.inner.shard(hash).lock();
        let slot = store.find(hash as u32, |k| k.borrow() == key, now)?;
        Some(see(&mut store, slot))
    }

    /// When the entry of a key expires as things stand; [`Time::MAX`] is never.
    pub fn deadline<Q>(&self, key: &Q) -> Option<Time>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at_key(key, |store, slot| {
            store.wheel.as_ref().map_or(Time::MAX, |wheel| wheel.deadline(slot))
        })
    }

    /// Puts a value in; another one of the same key leaves, and others if there is no room.
    #[inline]
    pub fn insert(&self, key: K, value: V) -> Insert<K, V> {
        let inner = &*self.inner;
        if !inner.is_lean() {
            return self.insert_at(key, value, inner.now());
        }
        let hash = inner.hasher.hash_one(&key);
        let shard = inner.shard(hash);
        let done = shard.lock().insert_plain(hash as u32, key, value, &mut &inner.common);
        match done {
            (None, _, None) => Insert::New,
            (Some(old), ..) => Insert::Replaced(old),
            // Nothing here can leave, or everything is pinned: the long way finds out.
            (.., Some((key, value))) => self.put(hash, key, value, Time::MAX, Time::ZERO),
        }
    }

    /// [`Cache::insert`] at `now`.
    pub fn insert_at(&self, key: K, value: V, now: Time) -> Insert<K, V> {
        let hash = self.inner.hasher.hash_one(&key);
        let last = match self.inner.clock {
            Some(_) => self.inner.lifetime.last(&key, &value, hash, now),
            None => Time::MAX,
        };
        self.put(hash, key, value, last, now)
    }

    /// [`Cache::insert`] of an entry that lives as long as is said here. The cache must have been
    /// built with some expiry: one that was not keeps no deadlines, and the entry does not expire.
    pub fn insert_with_ttl(&self, key: K, value: V, lives: Duration) -> Insert<K, V> {
        let now = self.inner.now();
        let hash = self.inner.hasher.hash_one(&key);
        let last = self.inner.lifetime.end(lives, hash, now);
        self.put(hash, key, value, last, now)
    }

    fn put(&self, hash: u64, key: K, value: V, last: Time, now: Time) -> Insert<K, V> {
        let inner = &*self.inner;
        let units = inner.weigher.as_ref().map_or(1, |weigh| weigh(&key, &value));
        let shard = inner.shard(hash);
        let mut entry = Entry { hash: hash as u32, units, key, value, last };
        loop {
            let mut removed = Removed::new();
            let outcome = {
                let mut store = shard.lock();
                inner.tidy(&mut store, now, &mut removed);
                store.insert(entry, now, &mut &inner.common, &mut removed)
            };
            inner.tell(shard, removed);
            match inner.answer(shard, hash, outcome) {
                Ok(answer) => return answer,
                Err(again) => entry = again,
            }
        }
    }

    /// Removes the entry of a key and gives it back, unless it has expired.
    pub fn remove<Q>(&self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.remove_if(key, |_, _| true)
    }

    /// [`Cache::remove`] if `wanted` says yes to the entry. It is asked under the lock of the shard
    /// and must not use this cache.
    pub fn remove_if<Q>(&self, key: &Q, wanted: impl FnOnce(&K, &V) -> bool) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.inner.now();
        let hash = self.inner.hasher.hash_one(key);
        let shard = self.inner.shard(hash);
        let ((key, value), due) = {
            let mut store = shard.lock();
            let (slot, wanted) = store.table.get(hash as u32, |k| k.borrow() == key, wanted)?;
            let due = store.is_due(slot, now);
            if !due && !wanted {
                return None;
            }
            (store.remove(slot, &mut &self.inner.common)?, due)
        };
        let cause = if due { Cause::Expired } else { Cause::Removed };
        self.inner.tell_one(shard, &key, &value, cause);
        (!due).then_some((key, value))
    }
}

impl<K, V, P: Policy, S, C: Cells<K, V>> Clone for Cache<K, V, P, S, C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V, P: Policy, S, C: Cells<K, V>> fmt::Debug for Cache<K, V, P, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("policy", &P::NAME)
            .field("weight", &self.weight())
            .field("capacity", &self.capacity())
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}
