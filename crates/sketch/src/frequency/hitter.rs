use alloc::vec::Vec;

use crate::Bounds;

/// An item of a list of frequent items, its count and what the count may be off by.
///
/// `truth >= count - error` always. Whether `truth <= count` too is said by the sketch that
/// reports it: always for [`SpaceSaving`](super::SpaceSaving), [`LossyCounting`](super::LossyCounting)
/// and [`FrequentItems`](super::FrequentItems); for
/// [`SetSpaceSaving`](super::SetSpaceSaving) on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hitter<'a, T> {
    /// The item.
    pub item: &'a T,
    /// The estimate.
    pub count: u64,
    /// How much of the estimate may belong to other items.
    pub error: u64,
}

impl<T> Hitter<'_, T> {
    /// What was counted for this item beyond doubt: `count - error`.
    #[must_use]
    pub const fn sure(&self) -> u64 {
        self.count - self.error
    }

    /// `sure() ..= count` as [`Bounds`] with the count as the estimate.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        let count = self.count as f64;
        Bounds { lower: self.sure() as f64, estimate: count, upper: count }
    }
}

/// The `k` with the largest counts, largest first; equal counts keep the order of `all`.
///
/// O(n + k log k): nothing is sorted that is not asked for.
pub(super) fn largest<'a, T>(
    all: impl Iterator<Item = Hitter<'a, T>>,
    k: usize,
) -> Vec<Hitter<'a, T>> {
    let mut ranked: Vec<_> = all.enumerate().collect();
    let order = |a: &(usize, Hitter<'a, T>), b: &(usize, Hitter<'a, T>)| {
        b.1.count.cmp(&a.1.count).then(a.0.cmp(&b.0))
    };
    if k < ranked.len() {
        if k > 0 {
            ranked.select_nth_unstable_by(k - 1, order);
        }
        ranked.truncate(k);
    }
    ranked.sort_unstable_by(order);
    ranked.into_iter().map(|(_, hitter)| hitter).collect()
}
