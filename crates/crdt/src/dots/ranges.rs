//! Sets of event numbers with long runs.

use alloc::vec::Vec;

/// A set of `u64` as sorted runs `(first, last)` that neither touch nor overlap; 16 bytes a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn runs(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// The first run that ends at `number` or after it.
    #[inline]
    fn from(&self, number: u64) -> usize {
        self.0.partition_point(|&(_, last)| last < number)
    }

    #[inline]
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.0.get(self.from(number)).is_some_and(|&(first, _)| first <= number)
    }

    /// Whether all of `first..=last` is there.
    pub(crate) fn covers(&self, first: u64, last: u64) -> bool {
        self.0.get(self.from(first)).is_some_and(|run| run.0 <= first && last <= run.1)
    }

    /// Adds `first..=last`; whether some of it was new.
    pub(crate) fn insert(&mut self, first: u64, last: u64) -> bool {
        debug_assert!(first <= last);
        if self.covers(first, last) {
            return false;
        }
        // The runs that touch the new one, neighbours included, become one with it.
        let from = self.0.partition_point(|&(_, end)| end < first.saturating_sub(1));
        let to = self.0.partition_point(|&(start, _)| start <= last.saturating_add(1));
        if from == to {
            self.0.insert(from, (first, last));
        } else {
            let joined = (first.min(self.0[from].0), last.max(self.0[to - 1].1));
            self.0[from] = joined;
            self.0.drain(from + 1..to);
        }
        true
    }

    /// Drops the numbers up to and with `limit`.
    pub(crate) fn remove_up_to(&mut self, limit: u64) {
        let whole = self.0.partition_point(|&(_, last)| last <= limit);
        self.0.drain(..whole);
        if let Some(run) = self.0.first_mut() {
            run.0 = run.0.max(limit.saturating_add(1));
        }
    }

    pub(crate) fn max(&self) -> Option<u64> {
        self.0.last().map(|run| run.1)
    }

    /// How many numbers, saturating.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, run| sum.saturating_add((run.1 - run.0).saturating_add(1)))
    }

    /// The numbers of `64 * word..64 * word + 64` as bits.
    #[inline]
    pub(crate) fn word(&self, word: u64) -> u64 {
        let (start, end) = (word << 6, (word << 6) | 63);
        let mut bits = 0;
        for &(first, last) in &self.0[self.from(start)..] {
            if first > end {
                break;
            }
            let (low, high) = (first.max(start) & 63, last.min(end) & 63);
            bits |= (u64::MAX >> (63 - (high - low))) << low;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(steps in prop::collection::vec((0_u8..4, 0_u64..200, 0_u64..20), 0..80), far: bool) {
            let base = if far { u64::MAX - 255 } else { 0 };
            let (mut runs, mut model) = (Ranges::new(), BTreeSet::new());
            for (what, first, more) in steps {
                let (first, last) = (base + first, base + first + more);
                match what {
                    0 | 1 => {
                        let news = (first..=last).filter(|&n| model.insert(n)).count() > 0;
                        prop_assert_eq!(runs.insert(first, last), news);
                    }
                    2 if first % 9 == 0 => {
                        runs.remove_up_to(first);
                        model.retain(|&n| n > first);
                    }
                    _ => {
                        prop_assert_eq!(runs.contains(first), model.contains(&first));
                        let all = (first..=last).all(|n| model.contains(&n));
                        prop_assert_eq!(runs.covers(first, last), all);
                    }
                }
                prop_assert!(runs.runs().windows(2).all(|w| w[0].1 + 1 < w[1].0));
                let flat = runs.runs().iter().flat_map(|run| run.0..=run.1);
                prop_assert!(flat.eq(model.iter().copied()));
                prop_assert_eq!(runs.len(), model.len() as u64);
                let word = first >> 6;
                let bits = (0..64).filter(|b| model.contains(&((word << 6) | b))).fold(0, |w, b| w | 1 << b);
                prop_assert_eq!(runs.word(word), bits);
            }
        }
    }
}
