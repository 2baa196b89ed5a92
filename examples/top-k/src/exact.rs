//! The truth: a hash map with a limit, and an independent recount to check it by.

use std::collections::HashMap;

/// Exact counts of up to `limit` distinct keys. One more, and the map is dropped: the memory of
/// exact counting grows with the keys, and a run over an endless log must not.
#[derive(Clone, Debug)]
pub struct Exact {
    counts: HashMap<Box<str>, u64, ahash::RandomState>,
    limit: usize,
    total: u64,
    dropped_at: Option<u64>,
}

impl Exact {
    /// An empty map that holds at most `limit` keys.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { counts: HashMap::default(), limit, total: 0, dropped_at: None }
    }

    /// Counts one.
    #[inline]
    pub fn add(&mut self, key: &str) {
        self.total += 1;
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
        } else if self.dropped_at.is_none() {
            self.admit(key);
        }
    }

    fn admit(&mut self, key: &str) {
        if self.counts.len() < self.limit {
            self.counts.insert(key.into(), 1);
        } else {
            self.dropped_at = Some(self.total);
            self.counts = HashMap::default();
        }
    }

    /// At which event the limit was passed: from there on nothing is known exactly.
    #[must_use]
    pub const fn dropped_at(&self) -> Option<u64> {
        self.dropped_at
    }

    /// How often `key` was counted; `None` once the map is dropped.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        let known = self.dropped_at.is_none();
        known.then(|| self.counts.get(key).copied().unwrap_or(0))
    }

    /// The `k` most frequent, by count and then by key; all of them for `usize::MAX`.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.iter().collect();
        let order = |a: &(&str, u64), b: &(&str, u64)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
        if (1..all.len()).contains(&k) {
            all.select_nth_unstable_by(k - 1, order);
        }
        all.truncate(k);
        all.sort_unstable_by(order);
        all
    }

    /// All keys and counts, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(key, &count)| (&**key, count))
    }

    /// The count of the `k`-th most frequent: an answer with this count or more belongs in a
    /// top k, whichever of several equal ones it is.
    #[must_use]
    pub fn kth(&self, k: usize) -> u64 {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
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

    /// Bytes held: the table at its load limit of 7/8, a control byte a slot, and the keys.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let slots = (self.counts.capacity() * 8).div_ceil(7);
        let keys: usize = self.counts.keys().map(|key| key.len()).sum();
        slots * (size_of::<(Box<str>, u64)>() + 1) + keys
    }
}

/// `sort | uniq -c | sort -rn` without the map: every key is kept, sorted, and runs are counted.
/// Two ways that share no code must agree.
#[derive(Clone, Debug, Default)]
pub struct SortUniq {
    text: String,
    ends: Vec<usize>,
    full: bool,
}

/// Text that the recount keeps at most: past it there is no recount, and the report says so.
const RECOUNT_BYTES: usize = 256 << 20;

impl SortUniq {
    /// Keeps one key.
    pub fn add(&mut self, key: &str) {
        if self.full || self.text.len() + key.len() > RECOUNT_BYTES {
            *self = Self { full: true, ..Self::default() };
            return;
        }
        self.text.push_str(key);
        self.ends.push(self.text.len());
    }

    /// Whether `exact` says the same for every key; `None` when the log was too large to keep.
    #[must_use]
    pub fn agrees_with(&self, exact: &Exact) -> Option<bool> {
        if self.full || exact.dropped_at().is_some() {
            return None;
        }
        Some(self.counts() == exact.top(usize::MAX))
    }

    /// The runs, by count and then by key.
    #[must_use]
    pub fn counts(&self) -> Vec<(&str, u64)> {
        let mut start = 0;
        let keys = self.ends.iter().map(|&end| &self.text[std::mem::replace(&mut start, end)..end]);
        let mut keys: Vec<&str> = keys.collect();
        keys.sort_unstable();
        let mut runs: Vec<_> =
            keys.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64)).collect();
        runs.sort_by(|a, b| b.1.cmp(&a.1));
        runs
    }
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
        let (mut exact, mut recount) = (Exact::new(9), SortUniq::default());
        for key in ["b", "a", "b", "", "c"] {
            exact.add(key);
            recount.add(key);
        }
        assert_eq!(recount.counts(), [("b", 2), ("", 1), ("a", 1), ("c", 1)]);
        assert_eq!(recount.agrees_with(&exact), Some(true));
        exact.add("c");
        assert_eq!(recount.agrees_with(&exact), Some(false));
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
