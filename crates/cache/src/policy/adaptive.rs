//! The default: S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, SOSP 2023) that sizes its small queue by
//! what its ghosts say, as ARC does (Megiddo and Modha, FAST 2003), and whose main queue ages.
//!
//! Two things differ from [`S3Fifo`](super::S3Fifo), both on the way of a miss, so a hit still
//! stores a byte at most:
//!
//! 1. **The small queue is as large as it pays.** Who comes back within a twentieth of the capacity
//!    after leaving the small queue would have been found, had that been larger: it grows by what the
//!    entry weighs. Who comes back as soon after leaving the main queue makes it smaller by as much.
//!    It stays between a hundredth and two fifths of the capacity. Recency makes it large, loops and
//!    scans small.
//!    And when a whole capacity has left it unused and none of that came back soon, it shrinks by a
//!    sixteenth of what leaves: what it holds is of no use then.
//! 2. **The main queue ages.** Where newcomers never come back in time, S3-FIFO evicts from the small
//!    queue alone, and whatever was popular before the traffic changed stays for ever. So every 32
//!    evictions the main hand looks at one entry at least, and what it finds unused leaves; the room
//!    goes to a newcomer, who so is given as long as a whole round of the hand. A loop of `x` times
//!    the capacity keeps its hits for `x` up to 32; beyond, there is less than a 32nd to lose.
//!
//! The numbers were chosen on a plateau: halving or doubling any of them moves the mean share of the
//! gap between LRU and the optimum by less than .01 on the traces of the tests.

use super::clock::MarksView;
use super::ghost::Ghosts;
use super::{Bits, Marks, Policy, Slots, share};
use crate::links::Links;

const SMALL: usize = 0;
const MAIN: usize = 1;
/// Uses are counted up to here.
const USES: u8 = 3;
const TO_MAIN: u8 = 2;
/// Evictions until the main hand looks at an entry although nothing asks it to.
const LOOK_AFTER: u32 = 32;

/// What leaves unused shrinks the small queue by this part of it, once nothing has been of use for long.
const SHRINK: u64 = 16;

/// S3-FIFO whose small queue is as large as it pays, by what comes back soon after it left that queue
/// or the main one, and whose main queue lets go of what is used no more. In doubt, take this one.
/// 13.9 bytes an entry, ghosts included.
#[derive(Debug)]
pub struct Adaptive {
    queues: Links<2>,
    marks: Marks,
    /// Which queue. Not a bit of the mark: a reader that counts a use may overwrite a mark.
    in_main: Bits,
    /// Who left the small queue, and who left the main one.
    ghosts: Ghosts,
    main_ghosts: Ghosts,
    limit: u64,
    /// What the small queue should hold.
    target: u64,
    small: u64,
    main: u64,
    held: u64,
    /// Units that left the small queue unused since one was used in it, or came back soon.
    useless: u64,
    /// Evictions since the main hand last looked.
    unlooked: u32,
}

impl Adaptive {
    fn bounds(&self) -> (u64, u64) {
        ((self.limit / 100).max(1), (self.limit / 5 * 2).max(1))
    }

    /// A twentieth of the limit: who comes back within it would have been found in a queue a little
    /// larger.
    fn soon(&self) -> u64 {
        (self.limit / 20).max(1)
    }

    /// An entry leaves the small queue.
    #[inline]
    fn judge(&mut self, uses: u8, units: u64) {
        if uses > 0 {
            self.useless = 0;
            return;
        }
        let before = self.useless;
        self.useless = before.saturating_add(units);
        if before > self.limit {
            let cut = self.useless / SHRINK - before / SHRINK;
            let least = (self.limit / 50).max(1);
            if self.target > least {
                self.target = self.target.saturating_sub(cut).max(least);
            }
        }
    }

    fn enter(&mut self, queue: usize, slot: u32, units: u64) {
        let sum = if queue == MAIN { &mut self.main } else { &mut self.small };
        *sum += units;
        self.marks.set(slot, 0);
        self.in_main.set(slot, queue == MAIN);
        self.queues.push_newest(queue, slot);
    }

    /// The main hand looks at its oldest entry: it leaves, or goes round again with a use less.
    #[inline]
    fn look(&mut self, slots: &Slots) -> Option<u32> {
        self.unlooked = 0;
        let slot = self.queues.oldest(MAIN)?;
        match self.marks.get(slot).min(USES) {
            0 => {
                self.queues.unlink(slot);
                self.main -= slots.units(slot);
                self.main_ghosts.push(slots.hash(slot), slots.units(slot));
                Some(slot)
            }
            uses => {
                self.queues.move_to_newest(MAIN, slot);
                self.marks.set(slot, uses - 1);
                None
            }
        }
    }
}

impl Policy for Adaptive {
    const NAME: &'static str = "Adaptive";
    const SHARED_HIT: bool = true;
    type View = MarksView;

    fn new(limit: u64) -> Self {
        Self {
            queues: Links::new(),
            marks: Marks::new(),
            in_main: Bits::default(),
            ghosts: Ghosts::new(),
            main_ghosts: Ghosts::new(),
            limit,
            target: (limit / 10).max(1),
            small: 0,
            main: 0,
            held: 0,
            useless: 0,
            unlooked: 0,
        }
    }
    fn reserve(&mut self, slots: usize) {
        self.queues.reserve(slots);
        self.marks.reserve(slots);
        self.in_main.reserve(slots);
    }
    fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.target = (limit / 10).max(1);
    }

    fn insert(&mut self, slot: u32, slots: &Slots) {
        let (hash, units) = (slots.hash(slot), slots.units(slot));
        let (least, most) = self.bounds();
        let left_small = self.ghosts.take_age(hash, units);
        if left_small.is_some_and(|since| since <= self.soon()) {
            self.target = self.target.saturating_add(units).min(most);
            self.useless = 0;
        }
        if self.main_ghosts.take(hash, units) {
            self.target = self.target.saturating_sub(units).max(least);
        }
        // A newcomer goes to the main queue when that has room to spare: at first, and by ageing.
        let full = self.small.saturating_add(units) > self.target;
        let queue = if left_small.is_some() || full { MAIN } else { SMALL };
        self.enter(queue, slot, units);
        self.held += 1;
    }
    #[inline(always)]
    fn hit(&mut self, slot: u32, _: &Slots) {
        self.marks.count(slot, USES);
    }
    fn view(&self) -> MarksView {
        MarksView(self.marks.clone())
    }
    #[inline(always)]
    fn touch(view: &MarksView, slot: u32) {
        view.0.count(slot, USES);
    }
    fn evict(&mut self, slots: &Slots) -> Option<u32> {
        if self.held == 0 {
            return None;
        }
        self.ghosts.begin((self.limit - self.limit / 10).max(1), self.held);
        self.main_ghosts.begin(self.soon(), self.held);
        self.held -= 1;
        self.unlooked += 1;
        if self.unlooked >= LOOK_AFTER {
            if let Some(slot) = self.look(slots) {
                return Some(slot);
            }
        }
        loop {
            let oldest = match self.queues.oldest(SMALL) {
                Some(slot) if self.small >= self.target || self.queues.is_empty(MAIN) => slot,
                _ => match self.look(slots) {
                    Some(slot) => return Some(slot),
                    None => continue,
                },
            };
            let units = slots.units(oldest);
            self.queues.unlink(oldest);
            self.small -= units;
            let uses = self.marks.get(oldest);
            self.judge(uses, units);
            if uses < TO_MAIN {
                self.ghosts.push(slots.hash(oldest), units);
                return Some(oldest);
            }
            self.enter(MAIN, oldest, units);
        }
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        self.queues.unlink(slot);
        self.held -= 1;
        let sum = if self.in_main.get(slot) { &mut self.main } else { &mut self.small };
        *sum -= slots.units(slot);
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        let mut held = 0;
        for queue in [SMALL, MAIN] {
            self.queues.for_each(queue, |slot| {
                assert_eq!(self.in_main.get(slot), queue == MAIN, "a slot in the wrong queue");
                held += 1;
                each(slot);
            });
        }
        assert_eq!(held, self.held, "entries of the queues");
        let (least, most) = self.bounds();
        assert!(self.target <= most.max(least), "the target of the small queue");
    }
    fn validate(&self, slots: &Slots) {
        for (queue, units) in [(SMALL, self.small), (MAIN, self.main)] {
            let sum = super::weigh(slots, |each| self.queues.for_each(queue, each));
            assert_eq!(sum, units, "what queue {queue} weighs");
        }
    }
    /// The uses, the queue, and what the policy has learnt: since when the hand has not looked, the
    /// target, what was of no use.
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        let learnt = u64::from(self.unlooked.min(LOOK_AFTER - 1))
            | share::of(self.target, self.limit) << 5
            | share::of(self.useless, self.limit) << (5 + share::BITS);
        self.for_each(&mut |slot| {
            let main = u64::from(self.in_main.get(slot));
            each(slot, u64::from(self.marks.get(slot).min(USES)) | main << 2 | learnt << 3);
        });
    }
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        let queue = if word & 4 == 4 { MAIN } else { SMALL };
        self.enter(queue, slot, slots.units(slot));
        self.marks.set(slot, (word & 3) as u8);
        self.held += 1;
        let (learnt, (least, most)) = (word >> 3, self.bounds());
        self.unlooked = (learnt & 31) as u32;
        self.target = share::units(learnt >> 5, self.limit).clamp(least, most);
        self.useless = share::units(learnt >> (5 + share::BITS), self.limit);
    }
    fn clear(&mut self) {
        self.queues.clear();
        self.ghosts.clear();
        self.main_ghosts.clear();
        (self.small, self.main, self.held) = (0, 0, 0);
        (self.useless, self.unlooked) = (0, 0);
        self.target = (self.limit / 10).max(1);
    }
    fn bytes(&self) -> usize {
        self.queues.bytes()
            + self.marks.bytes()
            + self.in_main.bytes()
            + self.ghosts.bytes()
            + self.main_ghosts.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;

    struct Full {
        policy: Adaptive,
        slots: Slots,
        keys: u64,
    }

    impl Full {
        fn new(limit: u32) -> Self {
            let (mut policy, mut slots) = (Adaptive::new(limit.into()), Slots::new(false));
            policy.reserve(limit as usize);
            slots.reserve(limit as usize);
            for slot in 0..limit {
                slots.set(slot, mix(slot.into()) as u32, 1);
                policy.insert(slot, &slots);
            }
            Self { policy, slots, keys: limit.into() }
        }
        /// One leaves and this one comes: the hash of who left, and whether it left the main queue.
        fn put(&mut self, hash: u32) -> (u32, bool) {
            let slot = self.policy.evict(&self.slots).unwrap();
            let left = (self.slots.hash(slot), self.policy.in_main.get(slot));
            self.slots.set(slot, hash, 1);
            self.policy.insert(slot, &self.slots);
            self.policy.validate(&self.slots);
            left
        }
        fn new_key(&mut self) -> (u32, bool) {
            self.keys += 1;
            self.put(mix(self.keys) as u32)
        }
    }

    /// An expert that is of no use for a whole capacity loses room, down to a fiftieth.
    #[test]
    fn a_small_queue_of_no_use_shrinks_after_a_capacity_of_it() {
        let mut full = Full::new(1000);
        assert_eq!((full.policy.target, full.policy.small, full.policy.main), (100, 100, 900));
        while full.policy.useless <= 1000 {
            full.new_key();
            assert_eq!(full.policy.target, 100);
        }
        while full.policy.useless < 1900 {
            full.new_key();
            let expected = 100 - (full.policy.useless - 1000) / 16;
            assert!(full.policy.target.abs_diff(expected) <= 1, "{}", full.policy.target);
        }
        (0..3000).for_each(|_| _ = full.new_key());
        assert_eq!(full.policy.target, 20);
        // One that was used is enough to hope again.
        let used = full.policy.queues.oldest(SMALL).unwrap();
        full.policy.hit(used, &full.slots);
        let hash = full.slots.hash(used);
        while full.new_key().0 != hash {}
        assert_eq!(full.policy.useless, 0);
    }

    #[test]
    fn queues_weigh_what_their_entries_do() {
        let (mut policy, mut slots) = (Adaptive::new(600), Slots::new(true));
        policy.reserve(200);
        slots.reserve(200);
        for slot in 0..200 {
            slots.set(slot, mix(slot.into()) as u32, 3);
            policy.insert(slot, &slots);
        }
        for key in 200..1000_u64 {
            let slot = policy.evict(&slots).unwrap();
            policy.validate(&slots);
            slots.set(slot, mix(key) as u32, 1 + key % 5);
            policy.insert(slot, &slots);
            if key % 7 == 0 {
                (0..2).for_each(|_| policy.hit(slot, &slots));
            }
        }
    }

    #[test]
    fn who_comes_back_soon_moves_the_target_and_who_comes_late_does_not() {
        let mut full = Full::new(1000);
        let (hash, main) = full.new_key();
        assert!(!main);
        full.put(hash);
        assert_eq!((full.policy.target, full.policy.useless), (101, 0));
        let hash = loop {
            if let (hash, false) = full.new_key() {
                break hash;
            }
        };
        (0..80).for_each(|_| _ = full.new_key());
        let before = full.policy.target;
        full.put(hash);
        assert_eq!(full.policy.target, before, "later than a twentieth");
        // Who left the main queue takes room from the small one.
        for wanted in [before - 1, before - 2] {
            let hash = loop {
                if let (hash, true) = full.new_key() {
                    break hash;
                }
            };
            full.put(hash);
            assert_eq!(full.policy.target, wanted);
        }
        // Up to two fifths.
        for _ in 0..3000 {
            let (hash, main) = full.new_key();
            if !main {
                full.put(hash);
            }
        }
        assert_eq!(full.policy.target, 400);
    }
}
