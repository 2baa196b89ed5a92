//! CLOCK (Corbató 1968): a ring, a hand, a bit an entry.

use super::{Marks, Policy, Slots};
use crate::links::Links;

/// Second chance: a hand goes round in order of insertion, clears the bit of what was used and
/// evicts what was not. A new entry takes the place of the evicted one, behind the hand. 9 bytes an
/// entry.
#[derive(Debug)]
pub struct Clock {
    ring: Links<1>,
    /// Where the hand stands; `None` at the oldest end.
    hand: Option<u32>,
    marks: Marks,
}

impl Clock {
    fn step(&mut self, from: u32) {
        self.hand = self.ring.newer(from);
    }
}

impl Policy for Clock {
    const NAME: &'static str = "CLOCK";
    const SHARED_HIT: bool = true;
    type View = MarksView;

    fn new(_: u64) -> Self {
        Self { ring: Links::new(), hand: None, marks: Marks::new() }
    }
    fn reserve(&mut self, slots: usize) {
        self.ring.reserve(slots);
        self.marks.reserve(slots);
    }
    fn set_limit(&mut self, _: u64) {}
    fn insert(&mut self, slot: u32, _: &Slots) {
        self.marks.set(slot, 0);
        // The list is a ring cut at the hand's starting point: behind the hand is the oldest side
        // of where it stands, and the newest end when it stands at the cut.
        match self.hand.and_then(|hand| self.ring.older(hand)) {
            Some(behind) => self.ring.insert_newer_than(behind, slot),
            None if self.hand.is_some() => self.ring.push_oldest(0, slot),
            None => self.ring.push_newest(0, slot),
        }
    }
    #[inline(always)]
    fn hit(&mut self, slot: u32, _: &Slots) {
        self.marks.count(slot, 1);
    }
    fn view(&self) -> MarksView {
        MarksView(self.marks.clone())
    }
    #[inline(always)]
    fn touch(view: &MarksView, slot: u32) {
        view.0.count(slot, 1);
    }
    fn evict(&mut self, _: &Slots) -> Option<u32> {
        loop {
            let at = self.hand.or_else(|| self.ring.oldest(0))?;
            self.step(at);
            if self.marks.get(at) == 0 {
                self.ring.unlink(at);
                return Some(at);
            }
            self.marks.set(at, 0);
        }
    }
    fn remove(&mut self, slot: u32, _: &Slots) {
        if self.hand == Some(slot) {
            self.step(slot);
        }
        self.ring.unlink(slot);
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        for_each_from(&self.ring, self.hand, each);
    }
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        self.for_each(&mut |slot| each(slot, u64::from(self.marks.get(slot))));
    }
    fn restore(&mut self, slot: u32, word: u64, _: &Slots) {
        self.marks.set(slot, u8::from(word & 1 == 1));
        self.ring.push_newest(0, slot);
    }
    fn clear(&mut self) {
        self.ring.clear();
        self.hand = None;
    }
    fn bytes(&self) -> usize {
        self.ring.bytes() + self.marks.bytes()
    }
}

/// The marks that readers write to.
#[derive(Clone, Debug)]
pub struct MarksView(pub(super) Marks);

/// From the hand to the newest, then from the oldest to the hand; checks the links on the way.
pub(super) fn for_each_from(ring: &Links<1>, hand: Option<u32>, each: &mut dyn FnMut(u32)) {
    let mut before = alloc::vec::Vec::new();
    let mut there = hand.is_none();
    ring.for_each(0, |slot| {
        there |= hand == Some(slot);
        if there { each(slot) } else { before.push(slot) }
    });
    assert!(there, "the hand stands on an entry that is gone");
    before.into_iter().for_each(each);
}
