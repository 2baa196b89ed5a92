//! 2Q, the full version (Johnson and Shasha, VLDB 1994), with the sizes its authors recommend.

use super::ghost::Ghosts;
use super::{Bits, Policy, Slots};
use crate::links::Links;

/// First in, first out: who is new.
const IN: usize = 0;
/// Least recently used: who came back after leaving the other.
const MAIN: usize = 1;

/// Newcomers wait in a queue of a quarter of the capacity, where use does not count; who comes back
/// not long after having left it (half a capacity of ghosts) goes to an LRU. So bursts of use
/// do not fill the cache, and scans pass by. 10.4 bytes an entry, ghosts included.
#[derive(Debug)]
pub struct TwoQueue {
    queues: Links<2>,
    in_main: Bits,
    ghosts: Ghosts,
    limit: u64,
    /// Units in the first queue.
    new: u64,
    held: u64,
}

impl TwoQueue {
    fn new_limit(&self) -> u64 {
        self.limit / 4
    }

    fn enter(&mut self, main: bool, slot: u32, slots: &Slots) {
        self.in_main.set(slot, main);
        self.queues.push_newest(if main { MAIN } else { IN }, slot);
        self.new += if main { 0 } else { slots.units(slot) };
        self.held += 1;
    }
}

impl Policy for TwoQueue {
    const NAME: &'static str = "2Q";
    const SHARED_HIT: bool = false;
    type View = ();

    fn new(limit: u64) -> Self {
        Self {
            queues: Links::new(),
            in_main: Bits::default(),
            ghosts: Ghosts::new(),
            limit,
            new: 0,
            held: 0,
        }
    }
    fn reserve(&mut self, slots: usize) {
        self.queues.reserve(slots);
        self.in_main.reserve(slots);
    }
    fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }
    fn insert(&mut self, slot: u32, slots: &Slots) {
        let known = self.ghosts.take(slots.hash(slot), slots.units(slot));
        self.enter(known, slot, slots);
    }
    #[inline]
    fn hit(&mut self, slot: u32, _: &Slots) {
        if self.in_main.get(slot) {
            self.queues.move_to_newest(MAIN, slot);
        }
    }
    fn view(&self) {}
    fn touch((): &(), _: u32) {}
    fn evict(&mut self, slots: &Slots) -> Option<u32> {
        self.ghosts.begin((self.limit / 2).max(1), self.held);
        let from_new = self.new > self.new_limit() || self.queues.is_empty(MAIN);
        let slot = self.queues.oldest(if from_new { IN } else { MAIN })?;
        self.queues.unlink(slot);
        self.held -= 1;
        if from_new {
            self.new -= slots.units(slot);
            self.ghosts.push(slots.hash(slot), slots.units(slot));
        }
        Some(slot)
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        self.queues.unlink(slot);
        self.held -= 1;
        if !self.in_main.get(slot) {
            self.new -= slots.units(slot);
        }
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        let mut held = 0;
        for queue in [IN, MAIN] {
            self.queues.for_each(queue, |slot| {
                assert_eq!(self.in_main.get(slot), queue == MAIN, "a slot in the wrong queue");
                held += 1;
                each(slot);
            });
        }
        assert_eq!(held, self.held, "entries of the queues");
    }
    fn validate(&self, slots: &Slots) {
        let sum = super::weigh(slots, |each| self.queues.for_each(IN, each));
        assert_eq!(sum, self.new, "what the first queue weighs");
    }
    /// Which queue.
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        self.for_each(&mut |slot| each(slot, u64::from(self.in_main.get(slot))));
    }
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        self.enter(word & 1 == 1, slot, slots);
    }
    fn clear(&mut self) {
        self.queues.clear();
        self.ghosts.clear();
        (self.new, self.held) = (0, 0);
    }
    fn bytes(&self) -> usize {
        self.queues.bytes() + self.in_main.bytes() + self.ghosts.bytes()
    }
}
