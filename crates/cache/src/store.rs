//! One shard: a table, a policy, a wheel, kept in step. Both caches are made of it.
//!
//! Invariants, checked by [`Store::validate`]:
//! 1. A slot is in the policy if and only if it is occupied and not pinned.
//! 2. A slot is in the wheel only if it is occupied.
//! 3. `units` is the sum over the occupied slots, and the budget has given that much.
//!
//! No code of the user's runs between the first and the last change of an operation but `Eq` of
//! keys, in the look-up before them: hashing, weighing and expiry come before, dropping and
//! listening after. So a panic in any of them leaves the invariants.
//!
//! Here is what puts entries in and takes them out; `change` has expiry, pins and weights, `look` the
//! look-ups of one owner.

mod change;
mod look;

use alloc::boxed::Box;
use alloc::vec::Vec;
use archstone_core::Time;

use crate::cells::Cells;
use crate::outcome::{Cause, Reject, Removed};
use crate::policy::Policy;
use crate::table::{MAX_SLOTS, Table};
use crate::wheel::Wheel;

/// What all shards of a cache share: how much there may be.
pub(crate) trait Budget {
    /// Takes `units` if they are there.
    fn take(&mut self, units: u64) -> bool;
    /// Gives units back.
    fn give(&mut self, units: u64);
    /// Units there are in all.
    fn limit(&self) -> u64;
}

/// The budget of a cache that is one store.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

impl Budget for Own {
    #[inline]
    fn take(&mut self, units: u64) -> bool {
        match self.used.checked_add(units) {
            Some(sum) if sum <= self.limit => {
                self.used = sum;
                true
            }
            _ => false,
        }
    }
    #[inline]
    fn give(&mut self, units: u64) {
        self.used -= units;
    }
    fn limit(&self) -> u64 {
        self.limit
    }
}

/// What is to be inserted.
pub(crate) struct Entry<K, V> {
    pub(crate) hash: u32,
    pub(crate) units: u64,
    pub(crate) key: K,
    pub(crate) value: V,
    /// When it expires at the latest.
    pub(crate) last: Time,
}

pub(crate) enum Outcome<K, V> {
    New,
    /// The key that came, and the value that was there.
    Replaced(K, V),
    Rejected(K, V, Reject),
    /// The budget is spent and nothing here can leave: another shard must give.
    NoVictim(Entry<K, V>),
}

/// How a store may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// The most slots.
    pub(crate) most: usize,
    /// All at once: readers without the lock must not find that things have moved.
    pub(crate) fixed: bool,
    pub(crate) weighted: bool,
}

pub(crate) struct Store<K, V, P: Policy, C: Cells<K, V>> {
    pub(crate) table: Table<K, V, C>,
    pub(crate) policy: P,
    pub(crate) wheel: Option<Box<Wheel>>,
    /// How often a slot is pinned; empty until one is.
    pins: Vec<u32>,
    pub(crate) units: u64,
    room: Room,
    /// The policy once named an entry to evict that was pinned or not there.
    lied: bool,
}

impl<K, V, P: Policy, C: Cells<K, V>> Store<K, V, P, C> {
    pub(crate) fn new(limit: u64, room: Room, wheel: Option<Wheel>) -> Self {
        let mut store = Self {
            table: Table::new(room.weighted),
            policy: P::new(limit),
            wheel: wheel.map(Box::new),
            pins: Vec::new(),
            units: 0,
            room,
            lied: false,
        };
        if room.fixed {
            store.reserve(room.most);
        }
        store
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn units(&self) -> u64 {
        self.units
    }

    pub(crate) fn set_most_slots(&mut self, most: usize) {
        self.room.most = most;
    }

    fn reserve(&mut self, slots: usize) {
        self.policy.reserve(slots);
        if let Some(wheel) = &mut self.wheel {
            wheel.reserve(slots);
        }
        if !self.pins.is_empty() {
            self.pins.resize(slots, 0);
        }
        self.table.reserve(slots);
    }

    /// Room for one more slot, if there may be one.
    pub(crate) fn grow(&mut self) -> bool {
        let room = self.table.room();
        let most = self.room.most.min(MAX_SLOTS);
        if self.room.fixed || room >= most {
            return false;
        }
        self.reserve((room * 2).clamp(16, most.max(16)).min(most));
        true
    }

    pub(crate) fn is_pinned(&self, slot: u32) -> bool {
        self.pins.get(slot as usize).is_some_and(|&pins| pins > 0)
    }

    /// The live entry of a key.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, is_it: impl FnMut(&K) -> bool, now: Time) -> Option<u32> {
        let slot = self.table.find(hash, is_it)?;
        (!self.is_due(slot, now)).then_some(slot)
    }

    #[inline(always)]
    pub(crate) fn is_due(&self, slot: u32, now: Time) -> bool {
        match &self.wheel {
            Some(wheel) => wheel.is_due(slot, now),
            None => false,
        }
    }

    /// An entry was used.
    #[inline(always)]
    pub(crate) fn used(&mut self, slot: u32, now: Time) {
        if let Some(wheel) = &self.wheel {
            wheel.touch(slot, now);
        }
        if self.pins.is_empty() || !self.is_pinned(slot) {
            self.policy.hit(slot, self.table.slots());
        }
    }

    /// Takes an entry out, wherever it is.
    pub(crate) fn remove(&mut self, slot: u32, budget: &mut impl Budget) -> Option<(K, V)> {
        let units = self.table.slots().units(slot);
        if self.is_pinned(slot) {
            self.pins[slot as usize] = 0;
        } else {
            self.policy.remove(slot, self.table.slots());
        }
        let entry = self.forget(slot, units);
        budget.give(units);
        entry
    }

    /// The end of an entry that is out of the policy already.
    fn forget(&mut self, slot: u32, units: u64) -> Option<(K, V)> {
        if let Some(wheel) = &mut self.wheel {
            wheel.remove(slot);
        }
        self.units -= units;
        self.table.remove(slot)
    }

    /// Whom the policy evicts. Whoever it names wrongly, pinned or not there, stays as it is.
    fn victim(&mut self) -> Option<u32> {
        let slot = self.policy.evict(self.table.slots())?;
        if self.is_pinned(slot) || !self.table.holds(slot) {
            self.lied = true;
            return None;
        }
        Some(slot)
    }

    /// Why there is no one to evict.
    #[cold]
    pub(crate) fn no_victim(&self) -> Reject {
        if self.lied { Reject::BrokenPolicy } else { Reject::Pinned }
    }

    /// Evicts one entry and says what it weighed; the budget is not told.
    pub(crate) fn evict(&mut self, removed: &mut Removed<K, V>) -> Option<u64> {
        let slot = self.victim()?;
        let units = self.table.slots().units(slot);
        let entry = self.table.remove(slot)?;
        if let Some(wheel) = &mut self.wheel {
            wheel.remove(slot);
        }
        self.units -= units;
        removed.push(entry, Cause::Evicted);
        Some(units)
    }

    /// Takes `units` out of the budget, evicting as needed; says whether it could.
    fn make_room(
        &mut self,
        units: u64,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) -> bool {
        let mut held = 0_u64;
        while held < units && !budget.take(units - held) {
            match self.evict(removed) {
                Some(freed) => held = held.saturating_add(freed),
                None => {
                    budget.give(held);
                    return false;
                }
            }
            if held >= units {
                budget.give(held - units);
            }
        }
        true
    }

    /// Inserts or replaces. `held` units of the budget were taken already.
    pub(crate) fn insert(
        &mut self,
        entry: Entry<K, V>,
        now: Time,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) -> Outcome<K, V>
    where
        K: Eq,
    {
        let old = self.table.find(entry.hash, |key| *key == entry.key);
        self.insert_over(old, entry, now, budget, removed)
    }

    /// [`Store::insert`] where it is known which slot has the key, due or not.
    pub(crate) fn insert_over(
        &mut self,
        old: Option<u32>,
        entry: Entry<K, V>,
        now: Time,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) -> Outcome<K, V>
    where
        K: Eq,
    {
        let limit = budget.limit();
        if entry.units > limit || limit == 0 {
            let why = match limit {
                0 => Reject::ZeroCapacity,
                limit => Reject::TooHeavy { weight: entry.units, limit },
            };
            if let Some(stale) = old.and_then(|slot| self.remove(slot, budget)) {
                removed.push(stale, Cause::Replaced);
            }
            return Outcome::Rejected(entry.key, entry.value, why);
        }
        if let Some(slot) = old {
            let due = self.is_due(slot, now);
            if !due && self.table.slots().units(slot) == entry.units {
                return self.replace(slot, entry, now);
            }
            // Another weight: it comes as a new entry, its history lost.
            let pins = self.pins.get(slot as usize).copied().unwrap_or(0);
            let Some((key, value)) = self.remove(slot, budget) else {
                return Outcome::NoVictim(entry);
            };
            let hash = entry.hash;
            let fresh = Entry { key, ..entry };
            return match self.insert_new(fresh, now, budget, removed) {
                Outcome::New if due => {
                    removed.push((entry.key, value), Cause::Expired);
                    Outcome::New
                }
                Outcome::New => {
                    if pins > 0 {
                        if let Some(slot) = self.table.find(hash, |key| *key == entry.key) {
                            self.set_pins(slot, pins);
                        }
                    }
                    Outcome::Replaced(entry.key, value)
                }
                other => {
                    removed.push((entry.key, value), Cause::Replaced);
                    other
                }
            };
        }
        self.insert_new(entry, now, budget, removed)
    }

    fn replace(&mut self, slot: u32, entry: Entry<K, V>, now: Time) -> Outcome<K, V>
    where
        K: Eq,
    {
        if let Some(wheel) = &mut self.wheel {
            wheel.insert(slot, entry.last, now);
        }
        if !self.is_pinned(slot) {
            self.policy.hit(slot, self.table.slots());
        }
        match self.table.swap(entry.hash, entry.key, entry.value) {
            Ok((_, key, value)) => Outcome::Replaced(key, value),
            Err(_) => Outcome::New,
        }
    }

    /// [`Store::insert`] where entries weigh one, nothing expires, is counted or heard of, and the
    /// limit is not zero: the same, with nothing to hand around. The other results: the
    /// victim, and what could not be inserted for want of one.
    #[inline(always)]
    #[allow(clippy::type_complexity)]
    pub(crate) fn insert_plain(
        &mut self,
        hash: u32,
        key: K,
        value: V,
        budget: &mut impl Budget,
    ) -> (Option<V>, Option<(K, V)>, Option<(K, V)>)
    where
        K: Eq,
    {
        let (key, value) = match self.table.swap(hash, key, value) {
            Ok((slot, _, old)) => {
                if self.pins.is_empty() || self.pins[slot as usize] == 0 {
                    self.policy.hit(slot, self.table.slots());
                }
                return (Some(old), None, None);
            }
            Err(new) => new,
        };
        let (victim, refused) = self.insert_plain_new(hash, key, value, budget);
        (None, victim, refused)
    }

    /// [`Store::insert_plain`] of a key that is not there.
    #[inline(always)]
    #[allow(clippy::type_complexity)]
    pub(crate) fn insert_plain_new(
        &mut self,
        hash: u32,
        key: K,
        value: V,
        budget: &mut impl Budget,
    ) -> (Option<(K, V)>, Option<(K, V)>) {
        self.policy.coming(hash, 1);
        if budget.take(1) {
            if !self.table.is_full() || self.grow() {
                let slot = self.table.insert(hash, 1, key, value);
                self.units += 1;
                self.policy.insert(slot, self.table.slots());
                return (None, None);
            }
            // No slot although there is budget: one leaves, one comes.
            budget.give(1);
        }
        let Some(slot) = self.policy.evict(self.table.slots()) else {
            return (None, Some((key, value)));
        };
        let pinned = !self.pins.is_empty() && self.is_pinned(slot);
        let renewed =
            if pinned { Err((key, value)) } else { self.table.renew(slot, hash, key, value) };
        match renewed {
            Ok(victim) => {
                self.policy.insert(slot, self.table.slots());
                (Some(victim), None)
            }
            Err(back) => {
                self.lied = true;
                (None, Some(back))
            }
        }
    }

    #[inline]
    fn insert_new(
        &mut self,
        entry: Entry<K, V>,
        now: Time,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) -> Outcome<K, V> {
        self.policy.coming(entry.hash, entry.units);
        if !self.make_room(entry.units, budget, removed) {
            return Outcome::NoVictim(entry);
        }
        // No slot although there is budget: a fixed shard that got more than its share of the keys.
        while self.table.is_full() && !self.grow() {
            match self.evict(removed) {
                Some(units) => budget.give(units),
                None => {
                    budget.give(entry.units);
                    return Outcome::NoVictim(entry);
                }
            }
        }
        let slot = self.table.insert(entry.hash, entry.units, entry.key, entry.value);
        self.units += entry.units;
        self.policy.insert(slot, self.table.slots());
        if let Some(wheel) = &mut self.wheel {
            wheel.insert(slot, entry.last, now);
        }
        Outcome::New
    }

    pub(crate) fn bytes(&self) -> usize {
        let wheel = self.wheel.as_ref().map_or(0, |wheel| size_of::<Wheel>() + wheel.bytes());
        self.table.bytes() + self.policy.bytes() + wheel + self.pins.capacity() * 4
    }

    /// Checks every link and count. For tests: O(slots), and it panics.
    pub(crate) fn validate(&self) {
        self.table.validate();
        let mut in_policy = alloc::vec![false; self.table.room()];
        self.policy.for_each(&mut |slot| {
            assert!(
                !core::mem::replace(&mut in_policy[slot as usize], true),
                "twice in the policy"
            );
        });
        self.policy.validate(self.table.slots());
        let (mut units, mut there) = (0, 0);
        for slot in self.table.occupied() {
            units += self.table.slots().units(slot);
            let expected = !self.is_pinned(slot);
            assert_eq!(in_policy[slot as usize], expected, "slot {slot} and the policy");
            there += usize::from(expected);
        }
        assert_eq!(in_policy.iter().filter(|&&held| held).count(), there, "free in the policy");
        assert_eq!(units, self.units, "the sum of the weights");
        if let Some(wheel) = &self.wheel {
            wheel.validate(|slot| assert!(self.table.holds(slot), "slot {slot} waits in vain"));
        }
    }
}
