//! One set of [`SetSpaceSaving`](super::SetSpaceSaving): eight slots and the tags that find them.

use core::array;
use core::borrow::Borrow;

use super::Hitter;
use crate::Key;

pub(super) const WAYS: usize = 8;
pub(super) const LAST: usize = WAYS - 1;

/// The last slot has the smallest count (an empty one while there is any); the others are in no order,
/// so that a hit is an addition and nothing else. While a set is not full, what it holds comes first.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Set<T> {
    /// A byte of the hash of each slot's item, slot 0 lowest, compared eight at once; 0 for an
    /// empty slot.
    pub(super) tags: u64,
    pub(super) slots: [Slot<T>; WAYS],
}

/// An item and its count, 0 when empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot<T> {
    pub(super) count: u64,
    pub(super) error: u64,
    pub(super) item: T,
}

impl<T> Slot<T> {
    pub(super) const fn hitter(&self) -> Hitter<'_, T> {
        Hitter { item: &self.item, count: self.count, error: self.error }
    }

    const fn sure(&self) -> u64 {
        self.count - self.error
    }

    /// Adds the counts, and what is certain of them.
    pub(super) const fn add(&mut self, other: &Self) {
        let sure = self.sure().saturating_add(other.sure());
        self.count = self.count.saturating_add(other.count);
        self.error = self.count.saturating_sub(sure);
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

impl<T> Set<T> {
    pub(super) fn used(&self) -> impl Iterator<Item = &Slot<T>> + Clone {
        self.slots.iter().take_while(|slot| slot.count > 0)
    }

    /// Makes the last slot the smallest again, after its count has grown.
    #[inline(never)]
    pub(super) fn settle(&mut self) {
        let mut least = LAST;
        for way in (0..LAST).rev() {
            // The first of the equal ones, so that empty slots stay at the end.
            if self.slots[way].count < self.slots[LAST].count
                && self.slots[way].count <= self.slots[least].count
            {
                least = way;
            }
        }
        let (a, b) = ((self.tags >> (8 * least)) as u8, (self.tags >> (8 * LAST)) as u8);
        self.tags = with_tag(with_tag(self.tags, least, b), LAST, a);
        self.slots.swap(least, LAST);
    }

    /// The high bit of every byte that is `tag`; above a true one it may be set for another tag too.
    #[inline(always)]
    pub(super) const fn equal(&self, tag: u8) -> u64 {
        let differ = self.tags ^ LOW.wrapping_mul(tag as u64);
        differ.wrapping_sub(LOW) & !differ & HIGH
    }

    /// The slot that holds `item`: all eight tags at once, then the item itself.
    #[inline(always)]
    pub(super) fn way_of<Q>(&self, tag: u8, item: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut equal = self.equal(tag);
        while equal != 0 {
            let way = (equal.trailing_zeros() / 8) as usize & LAST;
            if self.slots[way].item.borrow() == item {
                return Some(way);
            }
            equal &= equal - 1;
        }
        None
    }
}

impl<T: Default> Default for Set<T> {
    fn default() -> Self {
        Self { tags: 0, slots: array::from_fn(|_| Slot::default()) }
    }
}

impl<T: Key> Set<T> {
    /// The eight largest of both sets.
    pub(super) fn take_largest(&mut self, other: &Self) {
        let mut new = [0; WAYS];
        let mut news = 0;
        for (way, theirs) in other.used().enumerate() {
            match self.way_of((other.tags >> (8 * way)) as u8, &theirs.item) {
                Some(at) => self.slots[at].add(theirs),
                None => {
                    new[news] = way;
                    news += 1;
                }
            }
        }
        self.settle();
        for &way in &new[..news] {
            let theirs = &other.slots[way];
            if theirs.count > self.slots[LAST].count {
                self.slots[LAST] = theirs.clone();
                self.tags = with_tag(self.tags, LAST, (other.tags >> (8 * way)) as u8);
                self.settle();
            }
        }
    }
}

#[inline(always)]
pub(super) const fn with_tag(tags: u64, way: usize, tag: u8) -> u64 {
    tags & !(0xFF << (8 * way)) | (tag as u64) << (8 * way)
}
