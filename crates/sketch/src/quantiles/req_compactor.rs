use alloc::vec::Vec;
use core::cmp::Ordering;

use super::Ranked;
use super::coins::Coins;
use crate::math::round;

/// Sections of a new compactor.
pub(super) const SECTIONS: u8 = 3;

/// One level of a [`Req`](super::Req): sections, the ones at the end that does not matter compacted
/// more often than those next to the protected half.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compactor<T> {
    pub(super) items: Vec<T>,
    /// So many of the first are ascending.
    pub(super) sorted: usize,
    /// Compactions so far; its trailing ones say how many sections are next.
    pub(super) state: u64,
    /// Size of a section before rounding: divided by the root of 2 when sections double.
    pub(super) section: f32,
    /// Size of a section.
    size: usize,
    pub(super) sections: u8,
    /// Every second compaction takes the other half of the pairs.
    pub(super) coin: bool,
}

/// The even number nearest to a section's size, of which bytes may say anything.
pub(super) fn even(size: f32) -> usize {
    2 * round(f64::from(size.clamp(0.0, 2048.0)) / 2.0) as usize
}

impl<T> Compactor<T> {
    pub(super) fn new(k: u16) -> Self {
        Self {
            items: Vec::new(),
            sorted: 0,
            state: 0,
            section: k.into(),
            size: k.into(),
            sections: SECTIONS,
            coin: false,
        }
    }

    /// Values that it is meant to hold.
    pub(super) fn capacity(&self) -> usize {
        2 * self.size * usize::from(self.sections)
    }

    pub(super) fn with_section(mut self, section: f32, sections: u8) -> Self {
        (self.section, self.size, self.sections) = (section, even(section), sections);
        self
    }

    /// Doubles the sections when they have been compacted often enough.
    pub(super) fn more_sections(&mut self) -> bool {
        let smaller = self.section * core::f32::consts::FRAC_1_SQRT_2;
        let due = self.state >= 1_u64 << (self.sections - 1).min(63) && self.sections <= 48;
        if due && even(smaller) >= 4 {
            (self.section, self.size) = (smaller, even(smaller));
            self.sections *= 2;
            return true;
        }
        false
    }
}

impl<T: Ranked> Compactor<T> {
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(super) fn sort(&mut self) {
        if self.sorted < self.items.len() {
            let mut rest = self.items.split_off(self.sorted);
            rest.sort_unstable_by(T::order);
            T::merge_runs(&mut self.items, &rest, &mut Vec::new());
            self.sorted = self.items.len();
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.state |= other.state;
        self.items.extend_from_slice(&other.items);
        while self.more_sections() {}
    }

    /// How many values a predicate holds for that holds for the smaller ones.
    pub(super) fn count(&self, counts: impl Fn(Ordering) -> bool, value: &T) -> u64 {
        let holds = |item: &T| counts(item.order(value));
        let (sorted, rest) = self.items.split_at(self.sorted);
        (sorted.partition_point(holds) + rest.iter().filter(|item| holds(item)).count()) as u64
    }

    /// Takes the sections that are next out of the level and gives one of each two values to `above`.
    /// `high` says that the greatest values are protected, not the least.
    pub(super) fn compact_into(&mut self, above: &mut Self, high: bool, coins: &mut Coins) {
        self.sort();
        let compacted = (self.state.trailing_ones() + 1).min(self.sections.into()) as usize;
        let protected = self.capacity() / 2 + (usize::from(self.sections) - compacted) * self.size;
        let Some(mut out) = self.items.len().checked_sub(protected) else { return };
        out -= out % 2;
        if out < 2 {
            return;
        }
        if self.state & 1 == 1 {
            self.coin = !self.coin;
        } else {
            coins.absorb(self.items[self.items.len() / 2].bits());
            self.coin = coins.word() & 1 == 1;
        }
        let start = if high { 0 } else { self.items.len() - out };
        let moved = self.items.drain(start..start + out);
        above.items.extend(moved.skip(self.coin.into()).step_by(2));
        self.sorted = self.items.len();
        self.state = self.state.wrapping_add(1);
        self.more_sections();
    }
}
