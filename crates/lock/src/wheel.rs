//! A hierarchical timing wheel over the places of a slab: arming and disarming in O(1), exact to the
//! nanosecond over all of `u64` (Varghese and Lauck 1987, scheme 7).
//!
//! Eleven levels of 64 slots. A deadline lies at the level of the highest group of six bits in which
//! it differs from the cursor, so a slot of level 0 is one nanosecond and an entry moves down at
//! most ten times. Lists are doubly linked through the entries: no memory a deadline.
//!
//! Invariants:
//! 1. Every armed entry's deadline is after the cursor, or at it in the slot of the cursor itself.
//! 2. An entry lies at `place(cursor, due)` or in `moving`. (While the cursor has not reached the
//!    start of a slot, it and the slot's entries still differ in the same group and in none above,
//!    so the place of an entry can be computed again when it is taken out.)
//! 3. `bits` has a bit for each slot that is not empty.
//! 4. The entry armed last may be in no list yet (`fresh`): most leases are given back before the
//!    next is granted, and such a one costs the lists nothing. Its links are `NONE`.

use crate::slab::{NONE, Slab};
use alloc::vec::Vec;

const LEVELS: usize = 11;
const SLOTS: usize = 64;

/// Links of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    pub(crate) const NONE: Self = Self { prev: NONE, next: NONE };
}

/// What a wheel needs of an entry.
pub(crate) trait Timed {
    fn due(&self) -> u64;
    fn links(&mut self) -> &mut Links;
}

#[derive(Debug)]
pub(crate) struct Wheel {
    cursor: u64,
    bits: [u64; LEVELS],
    /// Which of `bits` are not zero.
    levels: u16,
    /// A slot that is being moved down, one entry a step.
    moving: u32,
    /// The entry armed last, if it is in no list, and its deadline.
    fresh: u32,
    fresh_due: u64,
    /// Heads of the lists; allocated when the first entry is armed.
    heads: Vec<u32>,
}

/// Level and slot of `due` as seen from `cursor`.
#[inline(always)]
fn place(cursor: u64, due: u64) -> (usize, usize) {
    let differs = (cursor ^ due) | (SLOTS as u64 - 1);
    let level = (63 - differs.leading_zeros()) as usize / 6;
    (level, (due >> (6 * level)) as usize % SLOTS)
}

impl Wheel {
    pub(crate) const fn new() -> Self {
        let (moving, fresh, fresh_due) = (NONE, NONE, 0);
        Self {
            cursor: 0,
            bits: [0; LEVELS],
            levels: 0,
            moving,
            fresh,
            fresh_due,
            heads: Vec::new(),
        }
    }

    /// Puts in the entry `at`, whose deadline is `due`; one that has passed is due at once.
    #[inline(always)]
    pub(crate) fn arm<T: Timed>(&mut self, slab: &mut Slab<T>, at: u32, due: u64) {
        *slab[at].links() = self.link(slab, at, due);
    }

    /// [`arm`](Self::arm) of an entry that is about to be put into the place `at`, with these links.
    #[inline(always)]
    pub(crate) fn link<T: Timed>(&mut self, slab: &mut Slab<T>, at: u32, due: u64) -> Links {
        self.settle(slab);
        (self.fresh, self.fresh_due) = (at, due);
        Links::NONE
    }

    /// Puts the entry armed last into its list.
    #[inline(always)]
    fn settle<T: Timed>(&mut self, slab: &mut Slab<T>) {
        let at = core::mem::replace(&mut self.fresh, NONE);
        if at != NONE {
            *slab[at].links() = self.list(slab, at, self.fresh_due);
        }
    }

    #[inline(always)]
    fn list<T: Timed>(&mut self, slab: &mut Slab<T>, at: u32, due: u64) -> Links {
        let (level, slot) = place(self.cursor, due.max(self.cursor));
        if self.heads.is_empty() {
            self.allocate();
        }
        let next = core::mem::replace(&mut self.heads[level * SLOTS + slot], at);
        if let Some(next) = slab.get_mut(next) {
            next.links().prev = at;
        } else {
            self.bits[level] |= 1 << slot;
            self.levels |= 1 << level;
        }
        Links { prev: NONE, next }
    }

    #[cold]
    fn allocate(&mut self) {
        self.heads = alloc::vec![NONE; LEVELS * SLOTS];
    }

    /// Takes out the entry `at`, armed for `due`.
    #[inline(always)]
    pub(crate) fn disarm<T: Timed>(&mut self, slab: &mut Slab<T>, at: u32, due: u64) {
        let links = core::mem::replace(slab[at].links(), Links::NONE);
        self.unlink(slab, at, links, due);
    }

    /// [`disarm`](Self::disarm) of an entry that is about to go, with these links.
    #[inline(always)]
    pub(crate) fn unlink<T: Timed>(&mut self, slab: &mut Slab<T>, at: u32, links: Links, due: u64) {
        if at == self.fresh {
            self.fresh = NONE;
            return;
        }
        let Links { prev, next } = links;
        if let Some(next) = slab.get_mut(next) {
            next.links().prev = prev;
        }
        if let Some(prev) = slab.get_mut(prev) {
            prev.links().next = next;
        } else if self.moving == at {
            self.moving = next;
        } else {
            let (level, slot) = place(self.cursor, due.max(self.cursor));
            if let Some(head) = self.heads.get_mut(level * SLOTS + slot) {
                *head = next;
            }
            if next == NONE {
                self.clear(level, slot);
            }
        }
    }

    #[inline(always)]
    fn clear(&mut self, level: usize, slot: usize) {
        self.bits[level] &= !(1 << slot);
        if self.bits[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// The first slot that is not empty: level, slot, and the instant at which it begins.
    #[inline(always)]
    fn first(&self) -> Option<(usize, usize, u64)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.bits[level].trailing_zeros() as usize;
        let above = (6 * level + 6).min(64) as u32;
        let high = if above == 64 { 0 } else { self.cursor >> above << above };
        Some((level, slot, high | (slot as u64) << (6 * level)))
    }

    /// An instant at or before the earliest deadline: calling [`pop`](Self::pop) then, and again at
    /// what this says afterwards, reaches every deadline at its instant.
    #[inline(always)]
    pub(crate) fn earliest(&self) -> Option<u64> {
        if self.moving != NONE {
            return Some(self.cursor);
        }
        let first = self.first().map(|(_, _, start)| start);
        if self.fresh == NONE {
            return first;
        }
        Some(first.map_or(self.fresh_due, |start| start.min(self.fresh_due)))
    }

    /// Whether [`pop`](Self::pop) may find something at `now`.
    #[inline(always)]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.earliest().is_some_and(|start| start <= now)
    }

    /// Takes out one entry that is due at `now`, in no particular order. Every entry taken or moved costs one of `budget`;
    /// `None` with budget left means that nothing more is due.
    pub(crate) fn pop<T: Timed>(
        &mut self,
        slab: &mut Slab<T>,
        now: u64,
        budget: &mut usize,
    ) -> Option<u32> {
        self.settle(slab);
        while *budget > 0 {
            if self.moving != NONE {
                *budget -= 1;
                let at = self.moving;
                let entry = &mut slab[at];
                let due = entry.due();
                self.moving = core::mem::replace(entry.links(), Links::NONE).next;
                if let Some(next) = slab.get_mut(self.moving) {
                    next.links().prev = NONE;
                }
                if due <= now {
                    // All that is due of a slot goes without moving down first.
                    return Some(at);
                }
                *slab[at].links() = self.list(slab, at, due);
                continue;
            }
            let Some((level, slot, start)) = self.first().filter(|first| first.2 <= now) else {
                self.cursor = self.cursor.max(now);
                return None;
            };
            // By invariant 1 a slot of level 0 may be the cursor's own, never one before it.
            self.cursor = self.cursor.max(start);
            let head = self.heads[level * SLOTS + slot];
            if level == 0 {
                *budget -= 1;
                let next = slab[head].links().next;
                self.heads[slot] = next;
                if next == NONE {
                    self.clear(0, slot);
                } else {
                    slab[next].links().prev = NONE;
                }
                *slab[head].links() = Links::NONE;
                return Some(head);
            }
            self.heads[level * SLOTS + slot] = NONE;
            self.clear(level, slot);
            self.moving = head;
        }
        None
    }

    /// Checks the invariants; for tests.
    pub(crate) fn audit<T: Timed>(
        &self,
        slab: &Slab<T>,
        mut links: impl FnMut(&T) -> Links,
    ) -> usize {
        let mut seen = 0;
        let mut walk = |head: u32, check: &dyn Fn(u64)| {
            let (mut at, mut prev) = (head, NONE);
            while at != NONE {
                let link = links(&slab[at]);
                assert_eq!(link.prev, prev, "links run both ways");
                check(slab[at].due());
                seen += 1;
                (prev, at) = (at, link.next);
            }
        };
        for (at, &head) in self.heads.iter().enumerate() {
            let (level, slot) = (at / SLOTS, at % SLOTS);
            assert_eq!(
                head != NONE,
                self.bits[level] >> slot & 1 == 1,
                "a bit for each slot in use"
            );
            walk(head, &|due| assert_eq!(place(self.cursor, due.max(self.cursor)), (level, slot)));
        }
        walk(self.moving, &|_| ());
        walk(self.fresh, &|due| assert_eq!(due, self.fresh_due));
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Entry(u64, Links);

    impl Timed for Entry {
        fn due(&self) -> u64 {
            self.0
        }
        fn links(&mut self) -> &mut Links {
            &mut self.1
        }
    }

    /// A wheel beside a list, over random arming, disarming and steps of all sizes.
    #[test]
    fn pops_exactly_what_is_due_and_never_before() {
        let mut random = 1_u64;
        let mut draw = move |n: u64| {
            random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
            archstone_core::hash::mix(random) % n
        };
        for _ in 0..200 {
            let (mut wheel, mut slab, mut now) = (Wheel::new(), Slab::new(), 0_u64);
            let mut armed: Vec<(u64, u32)> = Vec::new();
            for _ in 0..300 {
                match draw(4) {
                    0 | 1 => {
                        let size = 1 + draw(63);
                        let due = now.saturating_add(1 + draw(1 << size));
                        let at = slab.insert(Entry(due, Links::NONE));
                        wheel.arm(&mut slab, at, due);
                        armed.push((due, at));
                    }
                    2 if !armed.is_empty() => {
                        let (due, at) = armed.swap_remove(draw(armed.len() as u64) as usize);
                        wheel.disarm(&mut slab, at, due);
                        slab.remove(at);
                    }
                    _ => {
                        let size = draw(63);
                        now = now.saturating_add(draw(1 << size));
                        let earliest = armed.iter().map(|a| a.0).min();
                        assert!(wheel.earliest() <= earliest || earliest.is_none());
                        let mut budget = 1 + draw(6) as usize;
                        loop {
                            while let Some(at) = wheel.pop(&mut slab, now, &mut budget) {
                                let due = slab.remove(at).unwrap().0;
                                assert!(due <= now);
                                armed.retain(|&entry| entry != (due, at));
                            }
                            wheel.audit(&slab, |entry| entry.1);
                            if budget > 0 {
                                break;
                            }
                            budget = 1 + draw(6) as usize;
                        }
                        assert!(armed.iter().all(|a| a.0 > now));
                    }
                }
                assert_eq!(wheel.audit(&slab, |entry| entry.1), armed.len());
            }
        }
    }
}
