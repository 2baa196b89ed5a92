//! What counting costs: time, and memory by the counting allocator.

use std::time::{Duration, Instant};
use testkit::alloc::measure;

/// Adds up the pieces of one algorithm's work, which alternate with those of others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// Time spent.
    pub spent: Duration,
    /// Events counted.
    pub events: u64,
    /// Bytes held now.
    pub live: i64,
    /// The most bytes ever held.
    pub peak: i64,
}

impl Meter {
    /// Runs a piece of `events` events.
    pub fn run<T>(&mut self, events: u64, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let (result, used) = measure(work);
        self.spent += started.elapsed();
        self.events += events;
        self.peak = self.peak.max(self.live + used.peak);
        self.live += used.live;
        result
    }

    /// Nanoseconds an event; `None` before the first.
    #[must_use]
    pub fn nanos(&self) -> Option<f64> {
        (self.events > 0).then(|| self.spent.as_nanos() as f64 / self.events as f64)
    }

    /// Events a second on one core.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.nanos().map_or(0.0, |nanos| 1e9 / nanos.max(1e-9))
    }

    /// The most bytes ever held.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.peak.max(0) as u64
    }
}
