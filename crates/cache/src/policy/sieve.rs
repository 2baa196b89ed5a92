//! SIEVE (Zhang, Yang, Yue, Vigfusson and Rashmi, NSDI 2024).

use super::clock::{MarksView, for_each_from};
use super::{Marks, Policy, Slots};
use crate::links::Links;

/// As [`Clock`](super::Clock), but a new entry always goes to the newest end and survivors keep
/// their place, so newcomers that nobody uses leave fast and what is used is sifted to the old end.
/// 9 bytes an entry.
#[derive(Debug)]
pub struct Sieve {
    order: Links<1>,
    /// Where the hand stands; `None` at the oldest end.
    hand: Option<u32>,
    marks: Marks,
}

impl Policy for Sieve {
    const NAME: &'static str = "SIEVE";
    const SHARED_HIT: bool = true;
    type View = MarksView;

    fn new(_: u64) -> Self {
        Self { order: Links::new(), hand: None, marks: Marks::new() }
    }
    fn reserve(&mut self, slots: usize) {
        self.order.reserve(slots);
        self.marks.reserve(slots);
    }
    fn set_limit(&mut self, _: u64) {}
    fn insert(&mut self, slot: u32, _: &Slots) {
        self.marks.set(slot, 0);
        self.order.push_newest(0, slot);
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
            let at = self.hand.or_else(|| self.order.oldest(0))?;
            self.hand = self.order.newer(at);
            if self.marks.get(at) == 0 {
                self.order.unlink(at);
                return Some(at);
            }
            self.marks.set(at, 0);
        }
    }
    fn remove(&mut self, slot: u32, _: &Slots) {
        if self.hand == Some(slot) {
            self.hand = self.order.newer(slot);
        }
        self.order.unlink(slot);
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        for_each_from(&self.order, self.hand, each);
    }
    /// The mark, and whether the hand has passed it: new entries come between those that it has and
    /// those that it has not.
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        let mut passed = self.hand;
        let mut before = 0;
        while let Some(older) = passed.and_then(|slot| self.order.older(slot)) {
            (passed, before) = (Some(older), before + 1);
        }
        let mut left = 0_usize;
        self.order.for_each(0, |_| left += 1);
        self.for_each(&mut |slot| {
            each(slot, u64::from(self.marks.get(slot)) | u64::from(left <= before) << 1);
            left -= 1;
        });
    }
    fn restore(&mut self, slot: u32, word: u64, _: &Slots) {
        self.marks.set(slot, u8::from(word & 1 == 1));
        let hand = self.hand.or_else(|| self.order.oldest(0));
        match hand.filter(|_| word & 2 == 2) {
            Some(hand) => {
                self.hand = Some(hand);
                match self.order.older(hand) {
                    Some(older) => self.order.insert_newer_than(older, slot),
                    None => self.order.push_oldest(0, slot),
                }
            }
            None => self.order.push_newest(0, slot),
        }
    }
    fn clear(&mut self) {
        self.order.clear();
        self.hand = None;
    }
    fn bytes(&self) -> usize {
        self.order.bytes() + self.marks.bytes()
    }
}
