//! A copy of what a cache holds, with the order of eviction and the lifetimes, to begin warm.
//!
//! Kept: keys, values, how long each may still live, the order in which they would leave, what the
//! policy knows of each (uses, queue) and has learnt (the sizes of its queues). Not kept: ghosts,
//! pins, idle time (a restored entry begins to idle anew), statistics. With one shard and the same
//! policy, the copy evicts what the original would; from several shards the orders are merged by
//! rank.

use alloc::string::String;
use alloc::vec::Vec;
use archstone_core::Time;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use crate::cells::Cells;
use crate::policy::Policy;
use crate::store::{Budget, Entry, Store};
use crate::{sync, unsync};

/// What a cache held. With the feature `serde` it is serialised as a sequence of entries.
///
/// ```
/// use archstone_cache::{policy::Lru, unsync::Cache};
/// use core::time::Duration;
///
/// let mut cache = Cache::<u32, &str, Lru>::with_policy(2);
/// cache.insert(1, "a").ignore();
/// cache.insert(2, "b").ignore();
/// cache.get(&1);
///
/// let mut warm = Cache::<u32, &str, Lru>::with_policy(2);
/// assert_eq!(warm.restore(cache.snapshot(), Duration::ZERO), 2);
/// warm.insert(3, "c").ignore(); // 2 leaves, as it would have
/// assert!(warm.contains_key(&1) && !warm.contains_key(&2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot<K, V> {
    /// Words mean something to this policy only.
    policy: String,
    /// The first to leave first.
    entries: Vec<Kept<K, V>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Kept<K, V> {
    key: K,
    value: V,
    /// Nanoseconds it may still live; `None` is for ever.
    lives: Option<u64>,
    word: u64,
}

impl<K, V> Snapshot<K, V> {
    /// Entries in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values, the first to leave first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|kept| (&kept.key, &kept.value))
    }
}

impl<K: Clone, V: Clone> Kept<K, V> {
    /// All live entries of a store with their rank, a share of 2^32: the first to leave first, the
    /// pinned ones last.
    fn all<P: Policy, C: Cells<K, V>>(store: &Store<K, V, P, C>, now: Time) -> Vec<(u64, Self)> {
        let len = store.len().max(1) as u64;
        let mut entries = Vec::with_capacity(store.len());
        let mut keep = |slot, word, pinned| {
            let last = store.wheel.as_ref().map_or(Time::MAX, |wheel| wheel.last(slot));
            if store.is_due(slot, now) {
                return;
            }
            let lives = (last < Time::MAX).then(|| last.as_nanos().saturating_sub(now.as_nanos()));
            let rank = if pinned { u64::MAX } else { ((entries.len() as u64) << 32) / len };
            let kept = |key: &K, value: &V| {
                (rank, Self { key: key.clone(), value: value.clone(), lives, word })
            };
            entries.extend(store.table.at(slot, kept));
        };
        store.policy.save(store.table.slots(), &mut |slot, word| keep(slot, word, false));
        for slot in store.table.occupied().filter(|&slot| store.is_pinned(slot)) {
            keep(slot, 0, true);
        }
        entries
    }
}

impl<K, V> Snapshot<K, V> {
    fn of<P: Policy>(ranked: Vec<(u64, Kept<K, V>)>) -> Self {
        let entries = ranked.into_iter().map(|(_, kept)| kept).collect();
        Self { policy: P::NAME.into(), entries }
    }
}

impl<K, V, P: Policy, C: Cells<K, V>> Store<K, V, P, C> {
    /// Puts an entry back where the policy had it, by the word of a snapshot. Nothing leaves for it:
    /// `false` if there is no room, if its key is here or if its time is over.
    pub(crate) fn restore(
        &mut self,
        entry: Entry<K, V>,
        word: Option<u64>,
        now: Time,
        budget: &mut impl Budget,
    ) -> bool
    where
        K: Eq,
    {
        let there = self.table.find(entry.hash, |key| *key == entry.key).is_some();
        if there || entry.last <= now || budget.limit() == 0 || !budget.take(entry.units) {
            return false;
        }
        if self.table.is_full() && !self.grow() {
            budget.give(entry.units);
            return false;
        }
        let slot = self.table.insert(entry.hash, entry.units, entry.key, entry.value);
        self.units += entry.units;
        match word {
            Some(word) => self.policy.restore(slot, word, self.table.slots()),
            None => self.policy.insert(slot, self.table.slots()),
        }
        if let Some(wheel) = &mut self.wheel {
            wheel.insert(slot, entry.last, now);
        }
        true
    }
}

/// The entries that fit, the last to leave first chosen, in the order to put them back.
fn fitting<K, V>(
    snapshot: Snapshot<K, V>,
    elapsed: Duration,
    room: u64,
    weigh: impl Fn(&K, &V) -> u64,
) -> impl Iterator<Item = (Kept<K, V>, u64)> {
    let elapsed = archstone_core::time::saturating_nanos(elapsed);
    let (mut chosen, mut left) = (Vec::new(), room);
    for mut kept in snapshot.entries.into_iter().rev() {
        if let Some(lives) = &mut kept.lives {
            if *lives <= elapsed {
                continue;
            }
            *lives -= elapsed;
        }
        let units = weigh(&kept.key, &kept.value);
        if units <= left {
            left -= units;
            chosen.push((kept, units));
        }
    }
    chosen.into_iter().rev()
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> unsync::Cache<K, V, P, S> {
    /// A copy of all live entries. O(entries).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let (store, now) = self.parts();
        Snapshot::of::<P>(Kept::all(store, now))
    }

    /// Puts the entries of a snapshot back that was taken `elapsed` ago, in their order, and says how
    /// many. Nothing leaves for them: of those that do not fit, the first to leave stay away, and so
    /// do those whose time is over and those whose key is here. For an empty cache; into another they
    /// come as the newest.
    pub fn restore(&mut self, snapshot: Snapshot<K, V>, elapsed: Duration) -> usize {
        let known = snapshot.policy == P::NAME;
        let room = self.capacity().saturating_sub(self.weight());
        let (_, now) = self.parts();
        let mut restored = 0;
        for (kept, units) in fitting(snapshot, elapsed, room, self.weigher_or_one()) {
            let word = known.then_some(kept.word);
            let last = kept.lives.map_or(Time::MAX, |lives| now + Duration::from_nanos(lives));
            let Kept { key, value, .. } = kept;
            let hash = self.hash(&key);
            let entry = Entry { hash, units, key, value, last };
            restored += usize::from(self.put_back(entry, word, now));
        }
        restored
    }
}

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> sync::Cache<K, V, P, S, C> {
    /// A copy of all live entries, a shard after the other: what changes meanwhile may be in it or
    /// not. `Clone` of keys and values runs under the lock of a shard. O(entries).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let now = self.now();
        let mut ranked = Vec::new();
        self.each_store(|store| ranked.extend(Kept::all(store, now)));
        // Stable: of one shard it changes nothing.
        ranked.sort_by_key(|(rank, _)| *rank);
        Snapshot::of::<P>(ranked)
    }

    /// Puts the entries of a snapshot back that was taken `elapsed` ago, in their order, and says how
    /// many. Nothing leaves for them: of those that do not fit, the first to leave stay away, and so
    /// do those whose time is over and those whose key is here. For an empty cache; into another they
    /// come as the newest.
    pub fn restore(&self, snapshot: Snapshot<K, V>, elapsed: Duration) -> usize {
        let known = snapshot.policy == P::NAME;
        let room = self.capacity().saturating_sub(self.weight());
        let now = self.now();
        let mut restored = 0;
        for (kept, units) in fitting(snapshot, elapsed, room, self.weigher_or_one()) {
            let word = known.then_some(kept.word);
            let last = kept.lives.map_or(Time::MAX, |lives| now + Duration::from_nanos(lives));
            let Kept { key, value, .. } = kept;
            let hash = self.hash(&key);
            let entry = Entry { hash: hash as u32, units, key, value, last };
            restored += usize::from(self.put_back(hash, entry, word, now));
        }
        restored
    }
}
