//! The truth: a hash map with a limit, and an independent recount to check it by.

use crate::keys::Keys;
use archstone_sketch::Merge;
use archstone_sketch::frequency;

/// Exact counts of up to `limit` distinct keys. One more, and the map is dropped: the memory of
/// exact counting grows with the keys, and a run over an endless log must not.
#[derive(Clone, Debug)]
pub struct Exact {
    counts: frequency::Exact<String>,
    limit: usize,
    total: u64,
    dropped_at: Option<u64>,
}

impl Exact {
    /// An empty map that holds at most `limit` keys.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { counts: frequency::Exact::new(), limit, total: 0, dropped_at: None }
    }

    /// Counts one.
    #[inline]
    pub fn add(&mut self, key: &str) {
        self.total += 1;
        if self.dropped_at.is_some() {
            return;
        }
        self.counts.add(key);
        if self.counts.len() > self.limit {
            self.dropped_at = Some(self.total);
            self.counts = frequency::Exact::new();
        }
    }

    /// Adds all of `other`; `false`, and dropped, when that is more than the limit.
    pub fn merge(&mut self, other: &Self) -> bool {
        self.total += other.total;
        let known = self.dropped_at.is_none() && other.dropped_at.is_none();
        if !known || self.counts.merge(&other.counts).is_err() || self.counts.len() > self.limit {
            self.dropped_at = self.dropped_at.or(Some(self.total));
            self.counts = frequency::Exact::new();
        }
        self.dropped_at.is_none()
    }

    /// At which event the limit was passed: from there on nothing is known exactly.
    #[must_use]
    pub const fn dropped_at(&self) -> Option<u64> {
        self.dropped_at
    }

    /// How often `key` was counted; `None` once the map is dropped.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        self.dropped_at.is_none().then(|| self.counts.count(key))
    }

    /// The `k` most frequent, by count and then by key; all of them for `usize::MAX`.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<(&str, u64)> {
        // Equal counts at the end of the list are decided by the key, so that any two ways of
        // counting give one answer: take all that tie with the last, then cut.
        let last = self.kth(k);
        let mut all: Vec<_> = self.iter().filter(|&(_, count)| count >= last).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(k);
        all
    }

    /// All keys and counts, in the order of their first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|hitter| (hitter.item.as_str(), hitter.count))
    }

    /// The count of the `k`-th most frequent: an answer with this count or more belongs in a
    /// top k, whichever of several equal ones it is.
    #[must_use]
    pub fn kth(&self, k: usize) -> u64 {
        let mut counts: Vec<u64> = self.counts.iter().map(|hitter| hitter.count).collect();
        match counts.len().min(k) {
            0 => 0,
            k => *counts.select_nth_unstable_by(k - 1, |a, b| b.cmp(a)).1,
        }
    }

    /// Distinct keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Events counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counts.memory()
    }
}

/// `sort | uniq -c | sort -rn` without a map: sorts every key and counts the runs. Two ways that
/// share no code must agree. `None` when either knows nothing.
#[must_use]
pub fn equals_sort_uniq(exact: &Exact, keys: &Keys) -> Option<bool> {
    let known = exact.dropped_at().is_none() && !keys.overflowed();
    known.then(|| sort_uniq(keys) == exact.top(usize::MAX))
}

/// The runs of the sorted keys, by count and then by key.
#[must_use]
pub fn sort_uniq(keys: &Keys) -> Vec<(&str, u64)> {
    let mut keys: Vec<&str> = keys.iter().collect();
    keys.sort_unstable();
    let mut runs: Vec<_> =
        keys.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.1));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_dropped_at_the_limit_and_then_knows_nothing() {
        let mut exact = Exact::new(2);
        for key in ["a", "b", "a"] {
            exact.add(key);
        }
        assert_eq!((exact.count("a"), exact.count("x")), (Some(2), Some(0)));
        exact.add("c");
        exact.add("a");
        assert_eq!((exact.dropped_at(), exact.count("a"), exact.len()), (Some(4), None, 0));
        assert_eq!((exact.total(), exact.kth(1)), (5, 0));
    }

    #[test]
    fn a_recount_finds_a_wrong_map() {
        let (mut exact, mut keys) = (Exact::new(9), Keys::default());
        for key in ["b", "a", "b", "", "c"] {
            exact.add(key);
            keys.push(key);
        }
        assert_eq!(sort_uniq(&keys), [("b", 2), ("", 1), ("a", 1), ("c", 1)]);
        assert_eq!(equals_sort_uniq(&exact, &keys), Some(true));
        exact.add("c");
        assert_eq!(equals_sort_uniq(&exact, &keys), Some(false));
    }

    #[test]
    fn the_top_is_by_count_then_key_for_any_k() {
        let mut exact = Exact::new(9);
        for key in ["d", "c", "b", "a", "b"] {
            exact.add(key);
        }
        let all = [("b", 2), ("a", 1), ("c", 1), ("d", 1)];
        for k in [0, 1, 2, 4, 9] {
            assert_eq!(exact.top(k), all[..k.min(4)]);
        }
        assert_eq!((exact.kth(1), exact.kth(2), exact.kth(9), exact.kth(0)), (2, 1, 1, 0));
    }
}
