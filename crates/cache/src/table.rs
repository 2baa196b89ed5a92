//! The entries of a shard: index, keys and values, hashes, weights, free slots.
//!
//! Why hashes are kept (four bytes an entry): whatever removes, grows or evicts then calls no code
//! of the user's, so a `Hash` that panics or changes its mind cannot leave an entry behind.
//!
//! Invariant: the index holds exactly the occupied slots, and a slot is occupied if and only if
//! its cell is. All unsafe code of the crate but the lock relies on it, and it is private to this
//! file: a slot comes from the index or is looked up there before its cell is touched.
#![allow(unsafe_code)]

use crate::cells::{Cells, Owned};
use crate::index::Index;
use crate::policy::Slots;

const NONE: u32 = u32::MAX;

/// The most slots: heads of lists and wheels are numbered together with them.
pub(crate) const MAX_SLOTS: usize = u32::MAX as usize - 4096;

pub(crate) struct Table<K, V, C: Cells<K, V>> {
    index: Index,
    cells: C,
    slots: Slots,
    /// The last slot given back; its hash is the one before.
    free: u32,
    /// Slots ever used.
    used: u32,
    /// Slots there are.
    room: u32,
    len: usize,
    /// Where the last insertion went.
    last: u32,
    /// A hash that no entry has: that of the last look, if it met none that looked like it, and if
    /// nothing was inserted since. Who puts in what it has just missed need not look again.
    missed: Option<u32>,
    entries: core::marker::PhantomData<(K, V)>,
}

impl<K, V, C: Cells<K, V>> Table<K, V, C> {
    pub(crate) fn new(weighted: bool) -> Self {
        Self {
            index: Index::new(0),
            cells: C::new(),
            slots: Slots::new(weighted),
            free: NONE,
            used: 0,
            room: 0,
            len: 0,
            last: NONE,
            missed: None,
            entries: core::marker::PhantomData,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Slots there are, used or not.
    pub(crate) fn room(&self) -> usize {
        self.room as usize
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free == NONE && self.used == self.room
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The index for readers without the lock, and what they read.
    pub(crate) fn view(&self) -> (Index, C::View) {
        (self.index.clone(), self.cells.view())
    }

    /// Makes room for `slots` slots.
    pub(crate) fn reserve(&mut self, slots: usize) {
        let slots = slots.min(MAX_SLOTS);
        if slots > self.room() {
            self.cells.reserve(slots);
            self.slots.reserve(slots);
            let (index, hashes) = (&self.index, &self.slots);
            let mut fresh = index.clone();
            fresh.replace(slots, index.iter().map(|slot| (hashes.hash(slot), slot)));
            self.index = fresh;
            self.room = slots as u32;
        }
    }

    /// The slot of the key that `is_it` knows.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(&K) -> bool) -> Option<u32> {
        // SAFETY: the index holds occupied slots only.
        self.index.find(hash, |slot| unsafe { self.cells.with(slot, |key, _| is_it(key)) })
    }

    /// The slot of the key that `is_it` knows, and what `see` makes of its entry.
    #[inline(always)]
    pub(crate) fn get<R>(
        &self,
        hash: u32,
        is_it: impl FnMut(&K) -> bool,
        see: impl FnOnce(&K, &V) -> R,
    ) -> Option<(u32, R)> {
        let slot = self.find(hash, is_it)?;
        // SAFETY: `find` gives occupied slots only.
        Some((slot, unsafe { self.cells.with(slot, see) }))
    }

    /// Whether a slot is occupied. One look into the index.
    pub(crate) fn holds(&self, slot: u32) -> bool {
        slot < self.used && self.index.find(self.slots.hash(slot), |s| s == slot).is_some()
    }

    /// What `see` makes of the entry of an occupied slot.
    pub(crate) fn at<R>(&self, slot: u32, see: impl FnOnce(&K, &V) -> R) -> Option<R> {
        // SAFETY: it has just been found to be occupied.
        self.holds(slot).then(|| unsafe { self.cells.with(slot, see) })
    }

    /// Adds an entry whose key is not there, and says where. The caller has seen that there is
    /// room.
    pub(crate) fn insert(&mut self, hash: u32, units: u64, key: K, value: V) -> u32 {
        let slot = if self.free == NONE {
            assert!(self.used < self.room, "no free slot");
            self.used += 1;
            self.used - 1
        } else {
            let slot = self.free;
            self.free = self.slots.hash(slot);
            slot
        };
        self.slots.set(slot, hash, units);
        // SAFETY: the slot is below `room`, which was reserved, and free.
        unsafe { self.cells.put(slot, key, value) };
        self.index.insert(hash, slot);
        (self.len, self.last, self.missed) = (self.len + 1, slot, None);
        slot
    }

    /// Puts another entry in the place of one, which it gives back; or what came, if the slot is not
    /// occupied. The same as [`Table::remove`] and [`Table::insert`], a third of the instructions less.
    #[inline]
    pub(crate) fn renew(
        &mut self,
        slot: u32,
        hash: u32,
        key: K,
        value: V,
    ) -> Result<(K, V), (K, V)> {
        if slot >= self.used || !self.index.remove(self.slots.hash(slot), slot) {
            return Err((key, value));
        }
        self.slots.set(slot, hash, 1);
        // SAFETY: the index had the slot, so it was occupied; it is emptied and filled again, and
        // nothing in between can panic.
        let old = unsafe {
            let old = self.cells.take(slot);
            self.cells.put(slot, key, value);
            old
        };
        self.index.insert(hash, slot);
        (self.last, self.missed) = (slot, None);
        Ok(old)
    }

    /// Takes out the entry of a slot; `None` if the slot is not occupied.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<(K, V)> {
        if slot >= self.used || !self.index.remove(self.slots.hash(slot), slot) {
            return None;
        }
        self.slots.set(slot, self.free, 0);
        self.free = slot;
        self.len -= 1;
        // SAFETY: the index had the slot, so it was occupied, and now has it no more.
        Some(unsafe { self.cells.take(slot) })
    }

    /// Puts another value to a key that is there: the slot, the key that came and the value that
    /// was there; or what came, if the key is not there. The key that stays is the old one.
    #[inline(always)]
    pub(crate) fn swap(&mut self, hash: u32, key: K, value: V) -> Result<(u32, K, V), (K, V)>
    where
        K: Eq,
    {
        if self.missed == Some(hash) {
            return Err((key, value));
        }
        let Some(slot) = self.find(hash, |k| *k == key) else { return Err((key, value)) };
        // SAFETY: `find` gives occupied slots only; it is emptied and filled again, and nothing in
        // between can panic.
        unsafe {
            let (kept, old) = self.cells.take(slot);
            self.cells.put(slot, kept, value);
            Ok((slot, key, old))
        }
    }

    /// Changes what an entry weighs.
    pub(crate) fn set_units(&mut self, slot: u32, units: u64) {
        let hash = self.slots.hash(slot);
        self.slots.set(slot, hash, units);
    }

    /// The occupied slots, in no order.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = u32> + '_ {
        self.index.iter()
    }

    /// Places of the index, and the slot at one: iteration that survives removals.
    pub(crate) fn places(&self) -> usize {
        self.index.places()
    }

    pub(crate) fn place(&self, place: usize) -> Option<u32> {
        self.index.at(place)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.cells.bytes() + self.slots.bytes()
    }

    /// Checks the invariant.
    pub(crate) fn validate(&self) {
        self.index.validate(|slot| self.slots.hash(slot));
        assert_eq!(self.index.iter().count(), self.len, "the index and the number of entries");
        let mut seen = alloc::vec![false; self.room()];
        for slot in self.index.iter() {
            assert!(slot < self.used && !core::mem::replace(&mut seen[slot as usize], true));
        }
        let mut free = self.free;
        while free != NONE {
            assert!(!core::mem::replace(&mut seen[free as usize], true), "free and occupied");
            free = self.slots.hash(free);
        }
        assert!(seen[..self.used as usize].iter().all(|&seen| seen), "a slot is lost");
        let missed = |slot| self.missed == Some(self.slots.hash(slot));
        assert!(!self.index.iter().any(missed), "what was missed is there");
    }
}

impl<K, V> Table<K, V, Owned<K, V>> {
    /// [`Table::entry`] that keeps in mind what is not there, for an insertion that follows.
    #[inline(always)]
    pub(crate) fn entry_or_miss(
        &mut self,
        hash: u32,
        mut is_it: impl FnMut(&K) -> bool,
    ) -> Option<(u32, &V, &Slots)> {
        let mut alike = false;
        let found = self.find(hash, |key| {
            alike = true;
            is_it(key)
        });
        let Some(slot) = found else {
            self.missed = (!alike).then_some(hash);
            return None;
        };
        // SAFETY: `find` gives occupied slots only.
        Some((slot, unsafe { self.cells.entry(slot).1 }, &self.slots))
    }

    /// The slot and the value of the key that `is_it` knows.
    #[inline(always)]
    pub(crate) fn entry(&self, hash: u32, is_it: impl FnMut(&K) -> bool) -> Option<(u32, &V)> {
        let slot = self.find(hash, is_it)?;
        // SAFETY: `find` gives occupied slots only.
        Some((slot, unsafe { self.cells.entry(slot).1 }))
    }

    /// The slot of the key that `is_it` knows, its value to change, and what the policy may know.
    pub(crate) fn value_mut(
        &mut self,
        hash: u32,
        is_it: impl FnMut(&K) -> bool,
    ) -> Option<(u32, &mut V, &Slots)> {
        let slot = self.find(hash, is_it)?;
        // SAFETY: `find` gives occupied slots only.
        Some((slot, unsafe { self.cells.value_mut(slot) }, &self.slots))
    }

    /// The value of an occupied slot. One look into the index.
    pub(crate) fn value(&self, slot: u32) -> Option<&V> {
        // SAFETY: it has just been found to be occupied.
        self.holds(slot).then(|| unsafe { self.cells.entry(slot).1 })
    }

    /// The value that was inserted last, if it is still there.
    pub(crate) fn last_value(&self) -> Option<&V> {
        self.value(self.last)
    }

    /// The same, to change it.
    pub(crate) fn last_mut(&mut self) -> Option<&mut V> {
        let slot = self.last;
        // SAFETY: it has just been found to be occupied.
        self.holds(slot).then(|| unsafe { self.cells.value_mut(slot) })
    }

    /// All entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        // SAFETY: the index holds occupied slots only.
        self.index.iter().map(|slot| unsafe { self.cells.entry(slot) })
    }
}

impl<K, V, C: Cells<K, V>> Drop for Table<K, V, C> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<(K, V)>() {
            for place in 0..self.index.places() {
                if let Some(slot) = self.index.at(place) {
                    // SAFETY: occupied; the table is not used after this, so it is taken once.
                    drop(unsafe { self.cells.take(slot) });
                }
            }
        }
    }
}
