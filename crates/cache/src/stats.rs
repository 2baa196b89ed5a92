//! What a cache counts when asked to.

use crate::outcome::Cause;
use archstone_core::shim::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the cache was built; all zero unless [`Builder::stats`](crate::Builder::stats) was
/// asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups that found a live entry.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Values taken in, replacements included.
    pub insertions: u64,
    /// Values refused.
    pub rejections: u64,
    /// Entries that left to make room.
    pub evictions: u64,
    /// Entries whose time was over when they were removed.
    pub expirations: u64,
    /// Values that another took the place of.
    pub replacements: u64,
    /// Entries that somebody removed.
    pub removals: u64,
}

impl Stats {
    /// Hits of all look-ups; `None` before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let all = self.hits.saturating_add(self.misses);
        (all > 0).then(|| self.hits as f64 / all as f64)
    }
}

/// Relaxed counters; each wraps after 2^64.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    insertions: AtomicU64,
    rejections: AtomicU64,
    causes: [AtomicU64; 4],
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    pub(crate) fn look_up(&self, hit: bool) {
        add(if hit { &self.hits } else { &self.misses });
    }

    pub(crate) fn insertion(&self, held: bool) {
        add(if held { &self.insertions } else { &self.rejections });
    }

    pub(crate) fn left(&self, cause: Cause) {
        add(&self.causes[cause as usize]);
    }

    /// Adds them to `sum`.
    pub(crate) fn add_to(&self, sum: &mut Stats) {
        for (sum, counter) in [
            (&mut sum.hits, &self.hits),
            (&mut sum.misses, &self.misses),
            (&mut sum.insertions, &self.insertions),
            (&mut sum.rejections, &self.rejections),
            (&mut sum.evictions, &self.causes[Cause::Evicted as usize]),
            (&mut sum.expirations, &self.causes[Cause::Expired as usize]),
            (&mut sum.replacements, &self.causes[Cause::Replaced as usize]),
            (&mut sum.removals, &self.causes[Cause::Removed as usize]),
        ] {
            *sum = sum.wrapping_add(counter.load(Relaxed));
        }
    }
}
