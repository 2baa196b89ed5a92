//! What the text's sample code computes, for comparison: nothing else here uses it.

use std::collections::{HashMap, VecDeque};

/// `getWithEarlyExpiration`: the probability of a refresh, for each request, by the share of the
/// lifetime that is left.
#[must_use]
pub fn early(left: f64) -> f64 {
    1.0 - left
}

/// `getTtlHitRate`: "hits before expiry" of all sets, which passes 1 as soon as an entry is hit twice.
#[must_use]
pub fn ttl_hit_rate(hits_before_expiry: u64, sets: u64) -> f64 {
    if sets > 0 { hits_before_expiry as f64 / sets as f64 } else { 0.0 }
}

/// `getEvictionRate`: evictions of all look-ups.
#[must_use]
pub fn eviction_rate(evictions: u64, hits: u64, misses: u64) -> f64 {
    let all = hits + misses;
    if all > 0 { evictions as f64 / all as f64 } else { 0.0 }
}

/// `LFUCache`, its buckets counted: one that has become empty is never removed.
#[derive(Debug, Default)]
pub struct TextLfu {
    capacity: usize,
    least: u32,
    frequency: HashMap<u32, u32>,
    buckets: HashMap<u32, VecDeque<u32>>,
}

impl TextLfu {
    /// An empty cache.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// `get`, and `put` when it is not there; whether it was.
    pub fn request(&mut self, key: u32) -> bool {
        if let Some(&count) = self.frequency.get(&key) {
            let bucket = self.buckets.entry(count).or_default();
            bucket.retain(|&held| held != key);
            if bucket.is_empty() && self.least == count {
                self.least = count + 1;
            }
            self.buckets.entry(count + 1).or_default().push_back(key);
            self.frequency.insert(key, count + 1);
            return true;
        }
        if self.frequency.len() >= self.capacity
            && let Some(gone) = self.buckets.get_mut(&self.least).and_then(VecDeque::pop_front)
        {
            self.frequency.remove(&gone);
        }
        self.frequency.insert(key, 1);
        self.buckets.entry(1).or_default().push_back(key);
        self.least = 1;
        false
    }

    /// Buckets, and those among them that hold nothing.
    #[must_use]
    pub fn buckets(&self) -> (usize, usize) {
        let empty = self.buckets.values().filter(|bucket| bucket.is_empty()).count();
        (self.buckets.len(), empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_errors_are_there() {
        assert!((ttl_hit_rate(52, 10) - 5.2).abs() < 1e-9, "a rate of 5.2");
        assert!((early(0.5) - 0.5).abs() < 1e-9);
        let mut lfu = TextLfu::new(2);
        (0..100).for_each(|_| {
            lfu.request(7);
        });
        assert_eq!(lfu.buckets(), (100, 99), "an empty bucket for each count ever reached");
    }
}
