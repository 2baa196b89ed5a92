//! Additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP Reno and Netflix
//! concurrency-limits apply it.

use super::{LimitAlgorithm, LimitError, Range, Sample, in_range};
use core::time::Duration;

/// Adds one while more than half of the limit is in use, multiplies by a factor on loss.
///
/// The limit does not grow while the caller uses less than half of it: an idle limiter learns
/// nothing about the server.
#[derive(Clone, Copy, Debug)]
pub struct Aimd {
    range: Range,
    limit: u32,
    backoff: f64,
    timeout: Duration,
}

impl Aimd {
    /// Begins at `initial`, stays within `min..=max`; backs off by 0.9 on a drop or past 5 s.
    pub fn new(initial: u32, min: u32, max: u32) -> Result<Self, LimitError> {
        let range = Range::new(initial, min, max)?;
        Ok(Self { range, limit: initial, backoff: 0.9, timeout: Duration::from_secs(5) })
    }

    /// The factor on loss, 0.5 to 0.999.
    pub fn with_backoff(mut self, factor: f64) -> Result<Self, LimitError> {
        self.backoff = in_range("backoff", factor, 0.5, 0.999)?;
        Ok(self)
    }

    /// A round trip longer than this counts as a loss.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl LimitAlgorithm for Aimd {
    fn limit(&self) -> u32 {
        self.limit
    }

    fn update(&mut self, sample: Sample) -> u32 {
        let next = if sample.dropped || sample.rtt > self.timeout {
            (f64::from(self.limit) * self.backoff) as u32
        } else if sample.inflight >= self.limit.div_ceil(2) {
            self.limit.saturating_add(1)
        } else {
            self.limit
        };
        self.limit = next.clamp(self.range.min, self.range.max);
        self.limit
    }
}
