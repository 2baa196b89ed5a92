//! The verbs that go through all shards, and those that change what may be held.

use archstone_core::Time;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use super::shard::Common;
use super::{Cache, share, slots};
use crate::cells::Cells;
use crate::outcome::{Cause, Removed};
use crate::policy::Policy;
use crate::store::{Budget, Store};
use crate::table::MAX_SLOTS;

/// Entries that a change of the capacity evicts at once; the others leave by and by.
const AT_ONCE: usize = 1024;

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher, C: Cells<K, V>> Cache<K, V, P, S, C> {
    /// Removes what `keep` says no to. It is asked under the lock of a shard and must not use this
    /// cache. What is inserted meanwhile may not be seen.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        for shard in &self.inner.shards {
            let mut removed = Removed::new();
            {
                let mut store = shard.lock();
                for place in 0..store.table.places() {
                    let Some(slot) = store.table.place(place) else { continue };
                    if store.table.at(slot, &mut keep) == Some(false) {
                        if let Some(entry) = store.remove(slot, &mut &self.inner.common) {
                            removed.push(entry, Cause::Removed);
                        }
                    }
                }
            }
            self.inner.tell(shard, removed);
        }
    }

    /// Removes every entry, a shard after the other. The memory stays.
    pub fn clear(&self) {
        for shard in &self.inner.shards {
            let mut removed = Removed::new();
            shard.lock().clear(&mut &self.inner.common, &mut removed);
            self.inner.tell(shard, removed);
        }
    }

    /// Calls `each` with every entry, expired or not, in no order, under the lock of its shard: it
    /// must not use this cache. No entry counts as used.
    pub fn for_each(&self, mut each: impl FnMut(&K, &V)) {
        for shard in &self.inner.shards {
            let store = shard.lock();
            for slot in store.table.occupied() {
                store.table.at(slot, &mut each);
            }
        }
    }

    /// Changes the capacity. If more is held, up to 1024 entries leave at once and two more with
    /// each insertion; [`Cache::capacity`] follows, and [`Cache::maintain`] ends it. With lock-free
    /// reads it cannot grow above what it was built with: slots are there once.
    pub fn resize(&self, capacity: u64) {
        let inner = &*self.inner;
        let counted = inner.weigher.is_none();
        let capacity = if counted { capacity.min(MAX_SLOTS as u64) } else { capacity };
        let shards = inner.shards.len();
        for shard in &inner.shards {
            let mut store = shard.lock();
            store.policy.set_limit(share(capacity, shards));
            if counted && !C::SHARED {
                store.set_most_slots(slots(capacity, shards, false, false));
            }
        }
        inner.common.set_limit(capacity);
        self.shrink(AT_ONCE);
    }

    /// Evicts up to `entries` entries towards the limit, from all shards alike; says how many.
    fn shrink(&self, entries: usize) -> usize {
        let inner = &*self.inner;
        let (mut left, mut any) = (entries, true);
        while any && left > 0 && inner.common.used() > inner.common.limit() {
            any = false;
            for shard in &inner.shards {
                let mut removed = Removed::new();
                let went = shrink(&mut shard.lock(), &inner.common, left.min(16), &mut removed);
                inner.tell(shard, removed);
                left -= went;
                any |= went > 0;
            }
        }
        entries - left
    }

    /// Keeps the entry of a key from eviction until it is unpinned as often. It still expires, can
    /// be removed, and weighs. Says whether there is such an entry.
    pub fn pin<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at_key(key, |store, slot| store.pin(slot)).is_some()
    }

    /// Takes one pin back; the entry comes into the policy as a new one. Says whether there was one.
    pub fn unpin<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at_key(key, |store, slot| store.unpin(slot)) == Some(true)
    }

    /// Weighs the entry of a key again, under the lock of its shard. Others of the shard leave if it
    /// became heavier; it leaves itself if it no longer fits. Says whether it is held.
    pub fn reweigh<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(weigh) = &self.inner.weigher else { return self.contains_key(key) };
        let hash = self.inner.hasher.hash_one(key);
        let mut removed = Removed::new();
        let held = self.at_key(key, |store, slot| {
            let units = store.table.at(slot, |k, v| weigh(k, v))?;
            Some(store.reweigh(slot, units, &mut &self.inner.common, &mut removed))
        });
        self.inner.tell(self.inner.shard(hash), removed);
        held.flatten() == Some(true)
    }

    /// Removes what has expired and evicts what a smaller [`Cache::resize`] left over, looking at no
    /// more than `budget` entries. Says how many it looked at: fewer than `budget` means that it is
    /// done.
    pub fn maintain(&self, budget: usize) -> usize {
        self.maintain_at(budget, self.inner.now())
    }

    /// [`Cache::maintain`] at `now`.
    pub fn maintain_at(&self, budget: usize, now: Time) -> usize {
        let mut looks = budget;
        for shard in &self.inner.shards {
            // In pieces, so that no lock is held for long.
            loop {
                let (mut removed, piece) = (Removed::new(), looks.min(64));
                let mut left = piece;
                shard.lock().expire(now, &mut left, &mut &self.inner.common, &mut removed);
                self.inner.tell(shard, removed);
                looks -= piece - left;
                if left > 0 || looks == 0 {
                    break;
                }
            }
        }
        looks -= self.shrink(looks);
        budget - looks
    }
}

/// Evicts up to `entries` entries of one shard while more is held than may be.
pub(super) fn shrink<K, V, P: Policy, C: Cells<K, V>>(
    store: &mut Store<K, V, P, C>,
    common: &Common,
    entries: usize,
    removed: &mut Removed<K, V>,
) -> usize {
    for done in 0..entries {
        if common.used() <= common.limit() {
            return done;
        }
        match store.evict(removed) {
            Some(units) => (&mut &*common).give(units),
            None => return done,
        }
    }
    entries
}
