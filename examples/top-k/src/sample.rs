//! The sample code of the source document, its errors kept: spot the bug.
//!
//! Nothing else uses these. They run only with `--without row-hashes`, `--without heap-update`
//! and `--without prune-after-bucket`, and break there what the real ones keep.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Error 1: `abs((hashCode ^ row) % width)`. The rows differ in the low three bits only, so two
/// keys that share a column in row 0 share one in every row, and depth 7 buys nothing.
#[derive(Clone, Debug)]
pub struct CountMinSketch {
    width: usize,
    table: Vec<Vec<u64>>,
}

impl CountMinSketch {
    /// `depth` rows of `width`.
    #[must_use]
    pub fn new(width: usize, depth: usize) -> Self {
        Self { width, table: vec![vec![0; width]; depth] }
    }

    /// Java's `String.hashCode`: 31-adic over the UTF-16 units, in 32 wrapping bits.
    #[must_use]
    pub fn hash_code(item: &str) -> i32 {
        item.encode_utf16().fold(0, |h: i32, c| h.wrapping_mul(31).wrapping_add(i32::from(c)))
    }

    /// The columns of an item, row by row.
    pub fn columns(&self, item: &str) -> impl Iterator<Item = usize> {
        let (hash, width) = (Self::hash_code(item), self.width as i32);
        (0..self.table.len() as i32).map(move |row| ((hash ^ row) % width).unsigned_abs() as usize)
    }

    /// Counts one.
    pub fn add(&mut self, item: &str) {
        let columns: Vec<_> = self.columns(item).collect();
        for (row, column) in columns.into_iter().enumerate() {
            self.table[row][column] += 1;
        }
    }

    /// The least of its cells.
    #[must_use]
    pub fn estimate(&self, item: &str) -> u64 {
        let columns = self.columns(item).enumerate();
        columns.map(|(row, column)| self.table[row][column]).min().unwrap_or(0)
    }
}

/// Error 4: a hit raises the map and never the heap, so the heap evicts by a count that is long
/// out of date, and the newcomer inherits it. The counts no longer add up to N.
#[derive(Clone, Debug)]
pub struct SpaceSaving {
    k: usize,
    counters: HashMap<String, u64>,
    errors: HashMap<String, u64>,
    heap: BinaryHeap<Reverse<(u64, String)>>,
}

impl SpaceSaving {
    /// `k` counters.
    #[must_use]
    pub fn new(k: usize) -> Self {
        let (counters, errors) = (HashMap::new(), HashMap::new());
        Self { k, counters, errors, heap: BinaryHeap::new() }
    }

    /// Counts one.
    pub fn add(&mut self, item: &str) {
        if let Some(count) = self.counters.get_mut(item) {
            *count += 1; // and the heap still holds the old count
            return;
        }
        let mut inherited = 0;
        if self.counters.len() == self.k {
            let Some(Reverse((count, evicted))) = self.heap.pop() else { return };
            self.counters.remove(&evicted);
            self.errors.remove(&evicted);
            inherited = count;
        }
        self.counters.insert(item.to_owned(), inherited + 1);
        // The sample keeps no error; the textbook's is what was inherited.
        self.errors.insert(item.to_owned(), inherited);
        self.heap.push(Reverse((inherited + 1, item.to_owned())));
    }

    /// Item, count and error of every counter, by item.
    #[must_use]
    pub fn counters(&self) -> Vec<(&str, u64, u64)> {
        let counter = |(item, &count): (&'_ String, &u64)| (item.clone(), count);
        let mut all: Vec<_> = self.counters.iter().map(counter).collect();
        all.sort();
        let borrowed = all.into_iter().filter_map(|(item, count)| {
            let (item, error) = self.errors.get_key_value(&item)?;
            Some((item.as_str(), count, *error))
        });
        borrowed.collect()
    }
}

/// Error 5: `currentBucket` is raised before the prune, which so drops what it had to keep: an
/// item seen exactly twice in every bucket is forgotten at the end of each.
#[derive(Clone, Debug)]
pub struct LossyCounting {
    bucket_width: u64,
    current_bucket: u64,
    counts: HashMap<String, (u64, u64)>,
    n: u64,
}

impl LossyCounting {
    /// Buckets of `1 / error` events.
    #[must_use]
    pub fn new(error: f64) -> Self {
        let bucket_width = (1.0 / error) as u64;
        Self { bucket_width, current_bucket: 1, counts: HashMap::new(), n: 0 }
    }

    /// Counts one.
    pub fn add(&mut self, item: &str) {
        self.n += 1;
        let delta = self.current_bucket - 1;
        self.counts.entry(item.to_owned()).or_insert((0, delta)).0 += 1;
        if self.n.is_multiple_of(self.bucket_width) {
            self.current_bucket += 1; // one line too early
            let bucket = self.current_bucket;
            self.counts.retain(|_, (count, delta)| *count + *delta > bucket);
        }
    }

    /// What is kept of an item.
    #[must_use]
    pub fn count(&self, item: &str) -> u64 {
        self.counts.get(item).map_or(0, |counter| counter.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_code_is_javas() {
        assert_eq!(CountMinSketch::hash_code("hello"), 99_162_322);
        assert_eq!(CountMinSketch::hash_code("Aa"), CountMinSketch::hash_code("BB"));
        assert_eq!(CountMinSketch::hash_code("polygenelubricants"), i32::MIN);
    }
}
