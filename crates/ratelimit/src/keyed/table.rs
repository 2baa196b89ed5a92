//! The table of a shard: groups of seven slots, found by a byte of hash each.
//!
//! Why not `hashbrown`: its buckets are a power of two, so that a table is between 7/16 and 7/8
//! full and a `u64` key with a one-word state takes 19 to 39 bytes; here a table grows by a ninth
//! and is 86 to 94 % full. A shard is small (about 500 keys), so that growing one, which moves all
//! of it, stays near a microsecond.
//!
//! The tags of a group are one word, compared at once (as Swiss tables do it, and F14 of Facebook's
//! Folly, from which the count of keys that passed by is: it ends a probe early, and a key is
//! removed without a tombstone and without moving another one).
//!
//! Invariants:
//! 1. A slot is occupied if and only if its tag is not 0; its key is then initialised, and
//!    otherwise not.
//! 2. Byte 7 of a group's word counts the keys whose home is this group or one before it and whose
//!    slot is in one after it; at 255 it stays until the table is laid out anew.
//! 3. At least one slot is free, so every insertion ends (there is no group, or `len < slots`).
//! 4. No key is idle before `idle_from`.
#![allow(unsafe_code)]

use crate::algorithm::sealed::State;
use alloc::boxed::Box;
use alloc::vec::Vec;
use archstone_core::Time;
use core::mem::MaybeUninit;

/// Slots a group: seven tags and the count of keys that passed by are one word.
const GROUP: usize = 7;
const ONES: u64 = 0x0101_0101_0101_0101;
/// The bytes of the tags.
const TAGS: u64 = u64::MAX >> 8;
/// One key more that passed by.
const PASSED: u64 = 1 << 56;

struct Slot<K, S> {
    key: MaybeUninit<K>,
    state: S,
}

// In this order: what a look-up needs is on the line of the lock.
#[repr(C)]
pub(crate) struct Table<K, S: State> {
    groups: Box<[u64]>,
    slots: Box<[Slot<K, S>]>,
    extra: Option<Box<Extra>>,
    len: u16,
    /// Where the next sweep begins.
    hand: u16,
    /// Slots that the lap under way has still to look at.
    lap_left: u16,
    /// No key is idle before this instant; zero when that is not known.
    idle_from: Time,
}

/// What few tables have.
#[derive(Default)]
struct Extra {
    /// The tier of each slot, where there is more than one.
    tiers: Vec<u8>,
    /// The earliest instant at which a key that the lap under way has seen is idle.
    lap_idle_from: Time,
}

/// Where a probe ended.
pub(crate) enum Found {
    /// The slot of the key.
    At(usize),
    /// The key is not there.
    Missing,
}

/// The tag of a hash in every byte. Never 0; of other bits than the home, nearly.
#[inline(always)]
const fn pattern(hash: u64) -> u64 {
    let tag = hash & 0xff;
    ONES * (if tag == 0 { 1 } else { tag })
}

/// The high bit of every byte of `word` that is 0, and no other bit.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = ONES * 0x7f;
    !(((word & LOW) + LOW) | word | LOW)
}

impl<K, S: State> Table<K, S> {
    pub(crate) fn new() -> Self {
        Self {
            groups: Box::default(),
            slots: Box::default(),
            extra: None,
            len: 0,
            hand: 0,
            lap_left: 0,
            idle_from: Time::ZERO,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of a slot and of its share of a group's word, seven times.
    pub(crate) const GROUP_BYTES: usize = GROUP * size_of::<Slot<K, S>>() + size_of::<u64>();

    /// Bytes that the table points to.
    pub(crate) fn bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| size_of::<Extra>() + extra.tiers.len());
        self.groups.len() * Self::GROUP_BYTES + extra
    }

    /// The first word and the first slot, and how many groups there are: for [`Table::places`].
    pub(crate) fn geometry(&self) -> (usize, usize, u32) {
        (self.groups.as_ptr() as usize, self.slots.as_ptr() as usize, self.groups.len() as u32)
    }

    /// The addresses of the home group's word and slots for a hash in a table of that geometry,
    /// and how long the slots are: a guess of what a look-up is going to read.
    #[inline(always)]
    pub(crate) fn places(
        (words, slots, groups): (usize, usize, u32),
        hash: u64,
    ) -> (usize, usize, usize) {
        let home = home(hash, groups as usize);
        let length = GROUP * size_of::<Slot<K, S>>();
        (words.wrapping_add(home * size_of::<u64>()), slots.wrapping_add(home * length), length)
    }

    #[inline(always)]
    fn next(&self, group: usize) -> usize {
        if group + 1 == self.groups.len() { 0 } else { group + 1 }
    }

    #[inline(always)]
    fn is_free(&self, at: usize) -> bool {
        self.groups[at / GROUP] >> (8 * (at % GROUP)) & 0xff == 0
    }

    /// The key of an occupied slot.
    #[inline(always)]
    pub(crate) fn key(&self, at: usize) -> &K {
        debug_assert!(!self.is_free(at));
        // SAFETY: callers name occupied slots only: by a tag that is not 0, by `find`, by
        // `occupied` or after `is_free`. By invariant 1 the key is initialised.
        unsafe { self.slots[at].key.assume_init_ref() }
    }

    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_key: impl Fn(&K) -> bool) -> Found {
        let pattern = pattern(hash);
        let mut group = home(hash, self.groups.len());
        for _ in 0..self.groups.len() {
            let word = self.groups[group];
            let mut same = zero_bytes(word ^ pattern) & TAGS;
            while same != 0 {
                let at = group * GROUP + same.trailing_zeros() as usize / 8;
                if is_key(self.key(at)) {
                    return Found::At(at);
                }
                same &= same - 1;
            }
            if word < PASSED {
                break;
            }
            group = self.next(group);
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
        self.extra.as_ref().map_or(0, |extra| extra.tiers.get(at).copied().unwrap_or(0))
    }

    pub(crate) fn set_tier(&mut self, at: usize, tier: u8) {
        let slots = self.slots.len();
        if tier == 0 && self.extra.is_none() {
            return;
        }
        let tiers = &mut self.extra.get_or_insert_default().tiers;
        if tier != 0 && tiers.is_empty() {
            tiers.resize(slots, 0);
        }
        if let Some(place) = tiers.get_mut(at) {
            *place = tier;
        }
    }

    /// Adds a key that is not there and will be idle at `idle_at`; grows when 94 % of the table
    /// are in use.
    pub(crate) fn insert(
        &mut self,
        key: K,
        state: S,
        tier: u8,
        key_hash: u64,
        idle_at: Time,
        hash: impl Fn(&K) -> u64,
    ) {
        if (self.len() + 1) * 100 > self.slots.len() * 94 {
            self.resize((self.len() + 1) * 10 / 9, &hash);
        }
        let at = self.place(key_hash);
        self.slots[at] = Slot { key: MaybeUninit::new(key), state };
        self.len += 1;
        self.set_tier(at, tier);
        self.idle_from = self.idle_from.min(idle_at);
        if let (1.., Some(extra)) = (self.lap_left, &mut self.extra) {
            extra.lap_idle_from = extra.lap_idle_from.min(idle_at);
        }
    }

    /// Tags the first free slot for a key of that hash; the groups before it note that it passed.
    fn place(&mut self, hash: u64) -> usize {
        let mut group = home(hash, self.groups.len());
        loop {
            let word = self.groups[group];
            let free = zero_bytes(word) & TAGS;
            if free != 0 {
                let slot = free.trailing_zeros() as usize / 8;
                self.groups[group] = word | (pattern(hash) & 0xff) << (8 * slot);
                return group * GROUP + slot;
            }
            if word < 255 * PASSED {
                self.groups[group] = word + PASSED;
            }
            group = self.next(group);
        }
    }

    /// Takes an occupied slot out. Nothing else moves.
    pub(crate) fn remove(&mut self, at: usize, hash: impl Fn(&K) -> u64) {
        let mut group = home(hash(self.key(at)), self.groups.len());
        // Bounded, for a `Hash` that does not answer as it did when the key was placed.
        for _ in 0..self.groups.len() {
            if group == at / GROUP {
                break;
            }
            let word = self.groups[group];
            if (PASSED..255 * PASSED).contains(&word) {
                self.groups[group] = word - PASSED;
            }
            group = self.next(group);
        }
        self.set_tier(at, 0);
        self.groups[at / GROUP] &= !(0xff << (8 * (at % GROUP)));
        self.slots[at].state = S::default();
        self.len -= 1;
        // SAFETY: the slot was occupied (`key` looked), so its key is initialised; the tag that
        // said so is gone, so it is dropped once, even if dropping it panics.
        unsafe { self.slots[at].key.assume_init_drop() };
    }

    /// Looks at the next `steps` slots and removes those that `is_idle` names; says how many.
    pub(crate) fn sweep(
        &mut self,
        steps: usize,
        is_idle: impl Fn(&S, u8) -> bool,
        hash: impl Fn(&K) -> u64,
    ) -> usize {
        let mut removed = 0;
        for _ in 0..steps.min(self.slots.len()) {
            let at = self.step();
            if !self.is_free(at) && is_idle(self.state(at), self.tier(at)) {
                self.remove(at, &hash);
                removed += 1;
            }
        }
        removed
    }

    /// The same for a full table, and takes note when the others will be idle: after a lap around
    /// all slots, `idle_from` is known.
    pub(crate) fn lap(
        &mut self,
        steps: usize,
        idle_at: impl Fn(&S, u8) -> Option<Time>,
        hash: impl Fn(&K) -> u64,
    ) -> usize {
        let mut removed = 0;
        for _ in 0..steps.min(self.slots.len()) {
            if self.lap_left == 0 {
                self.lap_left = self.slots.len() as u16;
                self.extra.get_or_insert_default().lap_idle_from = Time::MAX;
            }
            let at = self.step();
            if !self.is_free(at) {
                match idle_at(self.state(at), self.tier(at)) {
                    None => {
                        self.remove(at, &hash);
                        removed += 1;
                    }
                    Some(then) => {
                        let extra = self.extra.get_or_insert_default();
                        extra.lap_idle_from = extra.lap_idle_from.min(then);
                    }
                }
            }
            self.lap_left -= 1;
            if self.lap_left == 0 {
                self.idle_from = self.extra.as_ref().map_or(Time::ZERO, |e| e.lap_idle_from);
                break;
            }
        }
        removed
    }

    /// No key is idle before this instant; zero when that is not known.
    pub(crate) const fn idle_from(&self) -> Time {
        self.idle_from
    }

    /// An instant at which some key is idle: the earliest that is known of, by the lap under way
    /// where there is one. Only after a lap; looking must not move the hand, or the lap would miss
    /// the slots between.
    pub(crate) fn room_from(&self) -> Time {
        let seen = self.extra.as_ref().filter(|_| self.lap_left > 0);
        seen.map_or(self.idle_from, |extra| extra.lap_idle_from)
    }

    /// A key may have become idle sooner than it was going to be.
    pub(crate) fn forget_idle_from(&mut self) {
        (self.idle_from, self.lap_left) = (Time::ZERO, 0);
    }

    /// The slot under the hand, which moves on.
    fn step(&mut self) -> usize {
        let at = usize::from(self.hand) % self.slots.len();
        self.hand = (at + 1) as u16;
        at
    }

    /// Gives memory back when less than half of the table is in use.
    pub(crate) fn shrink(&mut self, hash: impl Fn(&K) -> u64) {
        if self.slots.len() > 2 * GROUP && self.len() * 2 < self.slots.len() {
            self.resize((self.len() + 1) * 10 / 9, &hash);
        }
    }

    /// The occupied slot nearest behind the hand, and the hand moves past it. Not while laps count.
    pub(crate) fn victim(&mut self) -> Option<usize> {
        for _ in 0..self.slots.len() {
            let at = self.step();
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

    /// Lays the table out anew with at least `slots` slots, which are more than there are keys.
    #[cold]
    fn resize(&mut self, slots: usize, hash: &impl Fn(&K) -> u64) {
        let groups = slots.max(self.len() + 1).div_ceil(GROUP);
        let empty = || Slot { key: MaybeUninit::uninit(), state: S::default() };
        let fresh: Vec<_> = core::iter::repeat_with(empty).take(groups * GROUP).collect();
        let words = alloc::vec![0; groups].into_boxed_slice();
        let old_words = core::mem::replace(&mut self.groups, words);
        let old = core::mem::replace(&mut self.slots, fresh.into_boxed_slice());
        let tiers = self.extra.as_mut().map(|extra| core::mem::take(&mut extra.tiers));
        let tiers = tiers.unwrap_or_default();
        (self.len, self.hand) = (0, 0);
        self.forget_idle_from();
        // The old slots have no destructor of their own: keys are moved out, none is dropped. A
        // `Hash` that panics leaves the keys that were moved, and the rest is never dropped.
        for (from, slot) in Vec::from(old).into_iter().enumerate() {
            if old_words[from / GROUP] >> (8 * (from % GROUP)) & 0xff == 0 {
                continue;
            }
            // SAFETY: the slot is occupied, so its key is initialised; reading a key moves nothing.
            let at_hash = hash(unsafe { slot.key.assume_init_ref() });
            let at = self.place(at_hash);
            self.slots[at] = slot;
            self.len += 1;
            self.set_tier(at, tiers.get(from).copied().unwrap_or(0));
        }
    }
}

/// The home group of a hash: its lower half, spread over the groups (Lemire's multiply and shift).
#[inline(always)]
fn home(hash: u64, groups: usize) -> usize {
    ((u64::from(hash as u32) * groups as u64) >> 32) as usize
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(keys: u64, hash: impl Fn(&u64) -> u64) -> Table<u64, u64> {
        let mut table = Table::new();
        for key in 0..keys {
            table.insert(key, 1, 0, hash(&key), Time::ZERO, &hash);
        }
        table
    }

    fn slot(table: &Table<u64, u64>, key: u64, hash: u64) -> Option<usize> {
        match table.find(hash, |other| *other == key) {
            Found::At(at) => Some(at),
            Found::Missing => None,
        }
    }

    /// A key that goes takes its count in every group that it passed with it.
    #[test]
    fn an_emptied_table_counts_no_key_that_passed_by() {
        let hash = |key: &u64| archstone_core::hash::mix(*key % 40);
        let mut table = fill(400, hash);
        assert!(table.groups.iter().any(|word| *word >= PASSED), "some key passes by some group");
        for key in 0..400 {
            let at = slot(&table, key, hash(&key)).expect("it is there");
            table.remove(at, hash);
        }
        assert_eq!(table.len(), 0);
        assert!(table.groups.iter().all(|word| *word == 0));
    }

    /// More keys pass a group by than a byte counts: the count stays, and no key is lost for it.
    #[test]
    fn a_count_that_is_full_stays_and_hides_no_key() {
        let hash = |_: &u64| 7;
        let mut table = fill(600, hash);
        for key in 0..400 {
            let at = slot(&table, key, 7).expect("it is there");
            table.remove(at, hash);
        }
        assert!((400..600).all(|key| slot(&table, key, 7).is_some()));
        assert_eq!(slot(&table, 0, 7), None);
    }
}
