//! The table of a shard: open addressing with keys and states in one slot.
//!
//! Why not `hashbrown`: its buckets are a power of two, so that a table is between 7/16 and 7/8
//! full and a `u64` key with a one-word state takes 19 to 39 bytes; here a table grows by an eighth
//! and is 4/5 to 9/10 full. A shard is small (about 500 keys), so that growing one, which moves all
//! of it, stays near a microsecond. Linear probing (Knuth, volume 3, 6.4) with deletion by moving
//! back, so there are no tombstones.
//!
//! Invariants:
//! 1. A slot is occupied if and only if its state is not the default one; its key is then
//!    initialised, and otherwise not.
//! 2. Between the home of an occupied slot's key and the slot itself, all slots are occupied.
//! 3. At least one slot is free, so every probe ends (`slots` is empty, or `len < slots.len()`).
#![allow(unsafe_code)]

use crate::algorithm::sealed::State;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

struct Slot<K, S> {
    key: MaybeUninit<K>,
    state: S,
}

pub(crate) struct Table<K, S: State> {
    slots: Box<[Slot<K, S>]>,
    /// The tier of each slot, where there is more than one.
    tiers: Box<[u8]>,
    len: u32,
    /// Where the next sweep begins.
    hand: u32,
}

/// Where a probe ended.
pub(crate) enum Found {
    /// The slot of the key.
    At(usize),
    /// The key is not there.
    Missing,
}

impl<K, S: State> Table<K, S> {
    pub(crate) fn new() -> Self {
        Self { slots: Box::default(), tiers: Box::default(), len: 0, hand: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The lower half of the hash, spread over the slots (Lemire's multiply and shift).
    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        ((u64::from(hash as u32) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline(always)]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    #[inline(always)]
    fn is_free(&self, at: usize) -> bool {
        self.slots[at].state == S::default()
    }

    /// The key of an occupied slot.
    #[inline(always)]
    pub(crate) fn key(&self, at: usize) -> &K {
        debug_assert!(!self.is_free(at));
        // SAFETY: callers name occupied slots only: by `find`, by `occupied` or after `is_free`.
        // By invariant 1 the key is initialised.
        unsafe { self.slots[at].key.assume_init_ref() }
    }

    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_key: impl Fn(&K) -> bool) -> Found {
        if self.slots.is_empty() {
            return Found::Missing;
        }
        let mut at = self.home(hash);
        while !self.is_free(at) {
            if is_key(self.key(at)) {
                return Found::At(at);
            }
            at = self.next(at);
        }
        Found::Missing
    }

    /// The state of an occupied slot.
    #[inline(always)]
    pub(crate) fn state(&self, at: usize) -> &S {
        &self.slots[at].state
    }

    /// Changes the state of an occupied slot; one that became the default is removed.
    #[inline(always)]
    pub(crate) fn set_state(&mut self, at: usize, state: S, hash: impl Fn(&K) -> u64) {
        if state == S::default() {
            self.remove(at, hash);
        } else {
            self.slots[at].state = state;
        }
    }

    #[inline(always)]
    pub(crate) fn tier(&self, at: usize) -> u8 {
        self.tiers.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn set_tier(&mut self, at: usize, tier: u8) {
        if tier != 0 && self.tiers.is_empty() {
            self.tiers = alloc::vec![0; self.slots.len()].into_boxed_slice();
        }
        if let Some(place) = self.tiers.get_mut(at) {
            *place = tier;
        }
    }

    /// Adds a key that is not there, with a state that is not the default one; grows when the
    /// table is nine tenths full.
    pub(crate) fn insert(
        &mut self,
        key: K,
        state: S,
        tier: u8,
        key_hash: u64,
        hash: impl Fn(&K) -> u64,
    ) {
        debug_assert!(state != S::default());
        if (self.len() + 1) * 10 > self.slots.len() * 9 {
            let slots = (self.len() + 1) * 5 / 4;
            self.resize(slots.max(4), &hash);
        }
        let at = self.place(key_hash);
        self.slots[at] = Slot { key: MaybeUninit::new(key), state };
        self.len += 1;
        self.set_tier(at, tier);
    }

    /// The free slot for a key of that hash.
    fn place(&self, hash: u64) -> usize {
        let mut at = self.home(hash);
        while !self.is_free(at) {
            at = self.next(at);
        }
        at
    }

    /// Takes an occupied slot out and moves those behind it back, so that no probe breaks off.
    pub(crate) fn remove(&mut self, at: usize, hash: impl Fn(&K) -> u64) {
        debug_assert!(!self.is_free(at));
        // SAFETY: the slot is occupied, so its key is initialised; the state that says so is
        // overwritten at once, so the key is dropped once.
        unsafe { self.slots[at].key.assume_init_drop() };
        self.slots[at].state = S::default();
        self.len -= 1;
        let mut hole = at;
        let mut from = self.next(at);
        while !self.is_free(from) {
            let home = self.home(hash(self.key(from)));
            // Whether the home lies cyclically in (hole, from]: then it may stay.
            let stays = if hole <= from {
                hole < home && home <= from
            } else {
                hole < home || home <= from
            };
            if !stays {
                self.slots.swap(hole, from);
                if !self.tiers.is_empty() {
                    self.tiers.swap(hole, from);
                }
                hole = from;
            }
            from = self.next(from);
        }
        self.set_tier(hole, 0);
    }

    /// Looks at the next `steps` slots and removes those that `is_idle` names; says how many.
    pub(crate) fn sweep(
        &mut self,
        steps: usize,
        is_idle: impl Fn(&S, u8) -> bool,
        hash: impl Fn(&K) -> u64,
    ) -> usize {
        let mut removed = 0;
        for _ in 0..steps.min(2 * self.slots.len()) {
            let at = self.hand as usize % self.slots.len();
            if !self.is_free(at) && is_idle(self.state(at), self.tier(at)) {
                // The slot may now hold the next key: the hand stays on it.
                self.remove(at, &hash);
                removed += 1;
            } else {
                self.hand = self.next(at) as u32;
            }
        }
        removed
    }

    /// Gives memory back when less than half of the table is in use.
    pub(crate) fn shrink(&mut self, hash: impl Fn(&K) -> u64) {
        if self.slots.len() > 16 && self.len() * 2 < self.slots.len() {
            self.resize((self.len() + 1) * 5 / 4, &hash);
        }
    }

    /// The occupied slot nearest behind the hand, and the hand moves past it.
    pub(crate) fn victim(&mut self) -> Option<usize> {
        for _ in 0..self.slots.len() {
            let at = self.hand as usize % self.slots.len();
            self.hand = self.next(at) as u32;
            if !self.is_free(at) {
                return Some(at);
            }
        }
        None
    }

    /// The occupied slots.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.slots.len()).filter(|at| !self.is_free(*at))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    #[cold]
    fn resize(&mut self, slots: usize, hash: &impl Fn(&K) -> u64) {
        let slots = slots.max(self.len() + 1);
        let empty = || Slot { key: MaybeUninit::uninit(), state: S::default() };
        let fresh: Vec<_> = core::iter::repeat_with(empty).take(slots).collect();
        let old = core::mem::replace(&mut self.slots, fresh.into_boxed_slice());
        let tiers = core::mem::take(&mut self.tiers);
        if !tiers.is_empty() {
            self.tiers = alloc::vec![0; slots].into_boxed_slice();
        }
        self.hand = 0;
        // The old slots have no destructor of their own: keys are moved out, none is dropped.
        for (from, slot) in Vec::from(old).into_iter().enumerate() {
            if slot.state == S::default() {
                continue;
            }
            // SAFETY: the slot is occupied, so its key is initialised; reading a key moves nothing.
            let at = self.place(hash(unsafe { slot.key.assume_init_ref() }));
            self.slots[at] = slot;
            self.set_tier(at, tiers.get(from).copied().unwrap_or(0));
        }
    }
}

impl<K, S: State> Drop for Table<K, S> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<K>() {
            for at in 0..self.slots.len() {
                if !self.is_free(at) {
                    // SAFETY: occupied, so initialised; the table is not used after this.
                    unsafe { self.slots[at].key.assume_init_drop() };
                }
            }
        }
    }
}
