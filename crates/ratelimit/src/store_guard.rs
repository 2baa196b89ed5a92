//! What stands in front of a shared store: a cache of denials, and a rule for when it is away.

use alloc::boxed::Box;
use alloc::vec::Vec;
use archstone_core::Time;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

/// What to answer when the store that decides cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnOutage {
    /// Let requests through: availability over protection.
    FailOpen,
    /// Refuse them: protection over availability.
    FailClosed,
}

impl OnOutage {
    /// True when a request goes on although nobody could decide.
    #[must_use]
    pub const fn admits(self) -> bool {
        matches!(self, Self::FailOpen)
    }
}

/// Remembers until when a key is denied, so that a flood of refused requests never reaches the
/// shared store.
///
/// An entry belongs to one version of the limit: after a change of quota, old denials no longer
/// count. The cache is a bounded, 4-way set-associative table of `capacity` entries (rounded up to
/// a power of two): when a set is full, the entry that ends first is forgotten, which costs one
/// question to the store and never admits anything by itself. Look-ups and notes are O(1).
///
/// ```
/// use archstone_ratelimit::{DenyCache, Time};
/// use core::time::Duration;
/// use std::hash::RandomState;
///
/// let mut cache = DenyCache::new(1_024, RandomState::new());
/// let now = Time::from_secs(5);
/// cache.deny("user:1", 7, now + Duration::from_secs(3));
/// assert_eq!(cache.wait(&"user:1", 7, now), Some(Duration::from_secs(3)));
/// assert_eq!(cache.wait(&"user:1", 8, now), None, "the limit has changed since");
/// assert_eq!(cache.wait(&"user:1", 7, now + Duration::from_secs(3)), None);
/// ```
pub struct DenyCache<K, S> {
    sets: Box<[[Option<Entry<K>>; WAYS]]>,
    hasher: S,
}

const WAYS: usize = 4;

#[derive(Debug)]
struct Entry<K> {
    key: K,
    version: u64,
    until: Time,
}

impl<K: Hash + Eq, S: BuildHasher> DenyCache<K, S> {
    /// A cache of at least `capacity` entries, at least 4 and at most 2^30.
    pub fn new(capacity: usize, hasher: S) -> Self {
        let sets = capacity.clamp(WAYS, 1 << 30).div_ceil(WAYS).next_power_of_two();
        let empty = || core::array::from_fn(|_| None);
        let sets: Vec<_> = core::iter::repeat_with(empty).take(sets).collect();
        Self { sets: sets.into_boxed_slice(), hasher }
    }

    /// Notes that `key` is denied until `until` under this `version` of its limit.
    pub fn deny(&mut self, key: K, version: u64, until: Time) {
        let set = self.set_of(&key);
        let ways = &mut self.sets[set];
        let same = ways.iter().position(|e| e.as_ref().is_some_and(|e| e.key == key));
        let slot = same.or_else(|| ways.iter().position(Option::is_none)).unwrap_or_else(|| {
            let ends = |way: &Option<Entry<K>>| way.as_ref().map_or(Time::ZERO, |e| e.until);
            (0..WAYS).min_by_key(|&i| ends(&ways[i])).unwrap_or(0)
        });
        ways[slot] = Some(Entry { key, version, until });
    }

    /// How long `key` is still denied under this `version`; `None`: ask the store.
    pub fn wait(&self, key: &K, version: u64, now: Time) -> Option<Duration> {
        let ways = &self.sets[self.set_of(key)];
        let entry = ways.iter().flatten().find(|e| e.key == *key)?;
        let holds = entry.version == version && entry.until > now;
        holds.then(|| entry.until.since(now))
    }

    fn set_of(&self, key: &K) -> usize {
        self.hasher.hash_one(key) as usize & (self.sets.len() - 1)
    }
}

impl<K, S> fmt::Debug for DenyCache<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenyCache").field("capacity", &(self.sets.len() * WAYS)).finish()
    }
}
