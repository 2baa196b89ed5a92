//! The cache of one owner: `&mut self`, no locks, `no_std` + `alloc`.

pub mod entry;

use alloc::boxed::Box;
use archstone_core::Time;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use crate::builder::{Builder, DefaultHasher, Listener, SharedClock, Weigher};
use crate::cells::Owned;
use crate::lifetime::Lifetime;
use crate::outcome::{Cause, Insert, Removed};
use crate::policy::{Adaptive, Policy};
use crate::stats::{Counters, Stats};
use crate::store::{Budget, Entry, Outcome, Own, Room, Store};
use crate::wheel::Wheel;

/// Entries that an insertion looks at for what has expired, so that a cache which nobody
/// maintains does not fill with the dead.
const LOOKS: usize = 4;
/// Entries that a change of the capacity evicts at once; the others leave by and by.
const AT_ONCE: usize = 1024;

/// A cache that holds at most its capacity at every instant.
///
/// Every verb is O(1), amortised where a hand moves, but those that go through all entries.
/// Without expiry no clock is read and no deadline stored.
///
/// Bytes an entry, beside key and value: 10.8 (index, hash) and what the policy takes (8 for
/// [`Lru`](crate::policy::Lru), 13.9 for [`Adaptive`]); 16 more with expiry, 24 with time to idle, 8
/// with weights. Room grows by doubling up to the capacity.
///
/// ```
/// use archstone_cache::unsync::Cache;
///
/// let mut cache = Cache::new(2);
/// cache.insert("ann".to_string(), 1).ignore();
/// assert_eq!(cache.get("ann"), Some(&1));
/// assert_eq!(cache.len(), 1);
/// ```
pub struct Cache<K, V, P: Policy = Adaptive, S = DefaultHasher> {
    store: Store<K, V, P, Owned<K, V>>,
    budget: Own,
    /// What the capacity will be once what is too much has left.
    target: u64,
    hasher: S,
    weigher: Option<Weigher<K, V>>,
    lifetime: Lifetime<K, V>,
    clock: Option<SharedClock>,
    listener: Option<Listener<K, V>>,
    counters: Option<Box<Counters>>,
    /// Nothing expires, is pinned or counted: a hit is a look-up and the policy, nothing else.
    plain: bool,
    /// The same, but that entries expire at a deadline that no hit moves.
    timed: bool,
    /// Nothing expires, is weighed, counted or heard of, and no resize is under way: an insertion has
    /// nothing to hand around.
    lean: bool,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// At most `entries` entries, the default policy. [`Builder`] has the rest.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self::with_policy(entries)
    }
}

impl<K: Hash + Eq, V, P: Policy> Cache<K, V, P> {
    /// At most `entries` entries, the policy of the type.
    #[must_use]
    pub fn with_policy(entries: usize) -> Self {
        let mut builder = Builder::new(entries).policy::<P>();
        builder.limit = builder.limit.min(crate::table::MAX_SLOTS as u64);
        Self::from_builder(builder)
    }
}

impl<K, V, P: Policy, S> Cache<K, V, P, S> {
    /// The present instant, read only where entries expire.
    #[inline(always)]
    fn now(&self) -> Time {
        self.clock.as_ref().map_or(Time::ZERO, |clock| clock.now())
    }

    /// Entries it holds. Those that have expired count until they are removed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries weigh together: their number, unless they are weighed.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.store.units()
    }

    /// The most they may weigh. While a smaller [`Cache::resize`] is under way, what they weigh.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.budget.limit
    }

    /// Bytes on the heap, without what keys and values own.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.store.bytes()
    }

    /// What was counted, if anything was.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        if let Some(counters) = &self.counters {
            counters.add_to(&mut sum);
        }
        sum
    }

    /// Every entry that is held, expired or not, in no order. No entry counts as used.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.store.table.iter()
    }

    /// Nothing expires before this, so [`Cache::maintain`] has nothing to do; `None` if nothing
    /// expires at all. An estimate below the truth: at most a 64th of the time until then too soon.
    pub fn next_deadline(&mut self) -> Option<Time> {
        self.store.wheel.as_mut()?.next_deadline()
    }

    /// Checks every link and count; for tests. O(slots).
    ///
    /// # Panics
    /// When the structure is broken.
    pub fn validate(&self) {
        self.store.validate();
        assert_eq!(self.budget.used, self.store.units(), "the budget");
        assert!(self.budget.used <= self.budget.limit, "over capacity");
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Cache<K, V, P, S> {
    pub(crate) fn from_builder<C>(builder: Builder<K, V, P, S, C>) -> Self {
        let now = builder.now();
        let weighted = builder.weigher.is_some();
        let most = if weighted { usize::MAX } else { builder.limit as usize };
        let idle = builder.lifetime.idle.map(archstone_core::time::saturating_nanos);
        let wheel = builder.lifetime.is_limited().then(|| Wheel::new(idle, now));
        let room = Room { most, fixed: false, weighted };
        let mut cache = Self {
            plain: wheel.is_none() && !builder.counted,
            timed: wheel.is_some() && idle.is_none() && !builder.counted,
            lean: false,
            store: Store::new(builder.limit, room, wheel),
            budget: Own { used: 0, limit: builder.limit },
            target: builder.limit,
            hasher: builder.hasher,
            weigher: builder.weigher,
            lifetime: builder.lifetime,
            clock: builder.clock,
            listener: builder.listener,
            counters: builder.counted.then(Box::default),
        };
        cache.judge();
        cache
    }

    fn judge(&mut self) {
        let idle = self.target == self.budget.limit && self.target > 0;
        self.lean = self.plain && idle && self.weigher.is_none() && self.listener.is_none();
    }

    #[inline(always)]
    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    /// Tells of what has left, and drops it.
    #[inline(always)]
    fn tell(&self, removed: Removed<K, V>) {
        if self.listener.is_some() || self.counters.is_some() {
            for (key, value, cause) in removed.into_iter() {
                self.tell_one(&key, &value, cause);
            }
        }
    }

    fn tell_one(&self, key: &K, value: &V, cause: Cause) {
        if let Some(counters) = &self.counters {
            counters.left(cause);
        }
        if let Some(listener) = &self.listener {
            listener(key, value, cause);
        }
    }

    /// The value of a key, which counts as used.
    #[inline(always)]
    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if self.plain {
            let hash = self.hash(key);
            return self.store.get_plain(hash, |k| k.borrow() == key);
        }
        self.get_at(key, self.now())
    }

    /// [`Cache::get`] at `now`.
    #[inline(always)]
    pub fn get_at<Q>(&mut self, key: &Q, now: Time) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if self.plain {
            let hash = self.hash(key);
            return self.store.get_plain(hash, |k| k.borrow() == key);
        }
        if self.timed {
            let hash = self.hash(key);
            return self.store.get_timed(hash, |k| k.borrow() == key, now);
        }
        self.get_fully(key, now)
    }

    #[inline(never)]
    fn get_fully<Q>(&mut self, key: &Q, now: Time) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hash(key);
        let found = self.store.get(hash, |k| k.borrow() == key, now);
        if let Some(counters) = &self.counters {
            counters.look_up(found.is_some());
        }
        found
    }

    /// [`Cache::get`] of a value to change. What it weighs is not asked again:
    /// [`Cache::reweigh`] does that.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.now();
        let hash = self.hash(key);
        let found = self.store.get_mut(hash, |k| k.borrow() == key, now);
        if let Some(counters) = &self.counters {
            counters.look_up(found.is_some());
        }
        found
    }

    /// The value of a key, which does not count as used.
    pub fn peek<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.store.find(self.hash(key), |k| k.borrow() == key, self.now())?;
        self.store.table.value(slot)
    }

    /// Whether there is a live entry of this key. It does not count as used.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.peek(key).is_some()
    }

    /// When the entry of a key expires as things stand; [`Time::MAX`] is never.
    pub fn deadline<Q>(&self, key: &Q) -> Option<Time>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.store.find(self.hash(key), |k| k.borrow() == key, self.now())?;
        Some(self.store.wheel.as_ref().map_or(Time::MAX, |wheel| wheel.deadline(slot)))
    }

    /// Puts a value in; another one of the same key leaves, and others if there is no room.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Insert<K, V> {
        if self.lean {
            let hash = self.hash(&key);
            return match self.store.insert_plain(hash, key, value, &mut self.budget) {
                (None, _, None) => Insert::New,
                (Some(old), ..) => Insert::Replaced(old),
                (.., Some((key, value))) => {
                    Insert::Rejected { key, value, why: self.store.no_victim() }
                }
            };
        }
        self.insert_at(key, value, self.now())
    }

    /// [`Cache::insert`] at `now`.
    pub fn insert_at(&mut self, key: K, value: V, now: Time) -> Insert<K, V> {
        let hash = self.hasher.hash_one(&key);
        let last = match self.store.wheel {
            Some(_) => self.lifetime.last(&key, &value, hash, now),
            None => Time::MAX,
        };
        self.put(hash as u32, key, value, last, now)
    }

    /// [`Cache::insert`] of an entry that lives as long as is said here. The cache must have been
    /// built with some expiry: one that was not keeps no deadlines, and the entry does not expire.
    pub fn insert_with_ttl(&mut self, key: K, value: V, lives: Duration) -> Insert<K, V> {
        let now = self.now();
        let hash = self.hasher.hash_one(&key);
        let last = self.lifetime.end(lives, hash, now);
        self.put(hash as u32, key, value, last, now)
    }

    fn put(&mut self, hash: u32, key: K, value: V, last: Time, now: Time) -> Insert<K, V> {
        let units = self.weigher.as_ref().map_or(1, |weigh| weigh(&key, &value));
        let mut removed = Removed::new();
        if self.store.wheel.is_some() {
            let mut looks = LOOKS;
            self.store.expire(now, &mut looks, &mut self.budget, &mut removed);
        }
        if self.target < self.budget.limit {
            self.shrink(2, &mut removed);
        }
        let entry = Entry { hash, units, key, value, last };
        let outcome = self.store.insert(entry, now, &mut self.budget, &mut removed);
        if let Some(counters) = &self.counters {
            counters.insertion(matches!(outcome, Outcome::New | Outcome::Replaced(..)));
        }
        self.tell(removed);
        match outcome {
            Outcome::New => Insert::New,
            Outcome::Replaced(key, value) => {
                self.tell_one(&key, &value, Cause::Replaced);
                Insert::Replaced(value)
            }
            Outcome::Rejected(key, value, why) => Insert::Rejected { key, value, why },
            Outcome::NoVictim(Entry { key, value, .. }) => {
                Insert::Rejected { key, value, why: self.store.no_victim() }
            }
        }
    }

    /// The value of a key; if there is none, `make` makes it, and it is inserted. `None` if it was
    /// refused.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce(&K) -> V) -> Option<&V> {
        let now = self.now();
        let hash = self.hasher.hash_one(&key) as u32;
        let found = self.store.find(hash, |k| *k == key, now);
        if let Some(counters) = &self.counters {
            counters.look_up(found.is_some());
        }
        if let Some(slot) = found {
            self.store.used(slot, now);
            return self.store.table.value(slot);
        }
        let value = make(&key);
        let last = self.lifetime.last(&key, &value, u64::from(hash), now);
        if self.put(hash, key, value, last, now).is_held() {
            self.store.table.last_value()
        } else {
            None
        }
    }

    /// Removes the entry of a key and gives it back, unless it has expired.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.remove_if(key, |_, _| true)
    }

    /// [`Cache::remove`] if `wanted` says yes to the entry.
    pub fn remove_if<Q>(&mut self, key: &Q, wanted: impl FnOnce(&K, &V) -> bool) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (now, hash) = (self.now(), self.hash(key));
        let (slot, wanted) = self.store.table.get(hash, |k| k.borrow() == key, wanted)?;
        let due = self.store.is_due(slot, now);
        if !due && !wanted {
            return None;
        }
        let (key, value) = self.store.remove(slot, &mut self.budget)?;
        self.tell_one(&key, &value, if due { Cause::Expired } else { Cause::Removed });
        (!due).then_some((key, value))
    }

    /// Evicts one entry, the one that would go next, and gives it back.
    pub fn pop(&mut self) -> Option<(K, V)> {
        let mut removed = Removed::new();
        let units = self.store.evict(&mut removed)?;
        self.budget.give(units);
        let (key, value, cause) = removed.into_iter().next()?;
        self.tell_one(&key, &value, cause);
        Some((key, value))
    }

    /// Removes what `keep` says no to. If it panics, what it said no to before is gone.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        for place in 0..self.store.table.places() {
            let Some(slot) = self.store.table.place(place) else { continue };
            if self.store.table.at(slot, &mut keep) == Some(false) {
                if let Some((key, value)) = self.store.remove(slot, &mut self.budget) {
                    self.tell_one(&key, &value, Cause::Removed);
                }
            }
        }
    }

    /// Removes every entry. The memory stays.
    pub fn clear(&mut self) {
        let mut removed = Removed::new();
        self.store.clear(&mut self.budget, &mut removed);
        self.tell(removed);
    }

    /// Changes the capacity. If more is held, up to 1024 entries leave at once and two more with
    /// each insertion; [`Cache::capacity`] follows, and [`Cache::maintain`] ends it. A pause is so
    /// bounded however much is to go.
    pub fn resize(&mut self, capacity: u64) {
        let counted = self.weigher.is_none();
        self.target = if counted { capacity.min(crate::table::MAX_SLOTS as u64) } else { capacity };
        self.store.policy.set_limit(self.target);
        let mut removed = Removed::new();
        self.shrink(AT_ONCE, &mut removed);
        self.tell(removed);
    }

    /// Evicts towards the target, and lowers the capacity to what is held, or raises it.
    fn shrink(&mut self, entries: usize, removed: &mut Removed<K, V>) {
        for _ in 0..entries {
            if self.budget.used <= self.target {
                break;
            }
            match self.store.evict(removed) {
                Some(units) => self.budget.give(units),
                None => break,
            }
        }
        self.budget.limit = self.budget.used.max(self.target);
        if self.weigher.is_none() {
            self.store.set_most_slots(self.budget.limit as usize);
        }
        self.judge();
    }

    /// Keeps the entry of a key from eviction until it is unpinned as often. It still expires, can
    /// be removed, and weighs. Says whether there is such an entry.
    pub fn pin<Q>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.store.find(self.hash(key), |k| k.borrow() == key, self.now());
        if let Some(slot) = slot {
            self.store.pin(slot);
            (self.plain, self.timed) = (false, false);
            self.judge();
        }
        slot.is_some()
    }

    /// Takes one pin back; the entry comes into the policy as a new one. Says whether there was one.
    pub fn unpin<Q>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.store.find(self.hash(key), |k| k.borrow() == key, self.now());
        slot.is_some_and(|slot| self.store.unpin(slot))
    }

    /// Weighs the entry of a key again. Others leave if it became heavier; it leaves itself if it no
    /// longer fits. Says whether it is held.
    pub fn reweigh<Q>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.store.find(self.hash(key), |k| k.borrow() == key, self.now());
        let (Some(slot), Some(weigh)) = (slot, &self.weigher) else { return slot.is_some() };
        let Some(units) = self.store.table.at(slot, |k, v| weigh(k, v)) else { return false };
        let mut removed = Removed::new();
        let held = self.store.reweigh(slot, units, &mut self.budget, &mut removed);
        self.tell(removed);
        held
    }

    /// Removes what has expired and evicts what a smaller [`Cache::resize`] left over, looking at no
    /// more than `budget` entries. Says how many it looked at: fewer than `budget` means that it is
    /// done.
    pub fn maintain(&mut self, budget: usize) -> usize {
        self.maintain_at(budget, self.now())
    }

    /// [`Cache::maintain`] at `now`.
    pub fn maintain_at(&mut self, budget: usize, now: Time) -> usize {
        let (mut looks, mut removed) = (budget, Removed::new());
        self.store.expire(now, &mut looks, &mut self.budget, &mut removed);
        let before = self.store.len();
        if self.target < self.budget.limit {
            self.shrink(looks, &mut removed);
        }
        looks -= before - self.store.len();
        self.tell(removed);
        budget - looks
    }
}

impl<K, V, P: Policy, S> fmt::Debug for Cache<K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("policy", &P::NAME)
            .field("len", &self.len())
            .field("weight", &self.weight())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
