//! TCP Vegas (Brakmo and Peterson 1995) on requests: the queue in the server is estimated from how
//! far the round trip is above its minimum, and kept between two marks.

use super::{LimitAlgorithm, LimitError, Range, Sample, rtt_nanos};

/// Keeps the estimated queue between `3 log10(limit)` and `6 log10(limit)`.
///
/// The queue is `limit * (1 - rtt_min / rtt)`. The minimum is learnt from the first sample on; when
/// the server itself has become slower, the old minimum would starve the limiter, so after
/// `probe_after * limit` samples the minimum is learnt anew. Probing while loaded lets the minimum
/// creep up (a known fault of probing by time alone), so a new minimum counts only when it was seen
/// with less than half of the limit in flight; until then the old one stands.
#[derive(Clone, Copy, Debug)]
pub struct Vegas {
    range: Range,
    limit: f64,
    rtt_min: f64,
    probe: Option<Probe>,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    every: u32,
    samples: u64,
    /// The smallest unloaded round trip of the present epoch.
    candidate: f64,
}

impl Vegas {
    /// Begins at `initial`, stays within `1..=max`; learns the minimum anew every 30 limits' worth
    /// of samples.
    pub fn new(initial: u32, max: u32) -> Result<Self, LimitError> {
        let range = Range::new(initial, 1, max)?;
        let probe = Some(Probe { every: 30, samples: 0, candidate: f64::INFINITY });
        Ok(Self { range, limit: f64::from(initial), rtt_min: f64::INFINITY, probe })
    }

    /// Learns the minimum anew every `limits` limits' worth of samples; 0 means never.
    #[must_use]
    pub fn with_probe_after(mut self, limits: u32) -> Self {
        let fresh = Probe { every: limits, samples: 0, candidate: f64::INFINITY };
        self.probe = (limits > 0).then_some(fresh);
        self
    }

    /// Moves to the epoch's own minimum when the epoch ends; returns true when it did.
    fn end_of_epoch(&mut self, rtt: f64, unloaded: bool) -> bool {
        let Some(probe) = &mut self.probe else { return false };
        probe.samples += 1;
        if unloaded {
            probe.candidate = probe.candidate.min(rtt);
        }
        if (probe.samples as f64) < f64::from(probe.every) * self.limit {
            return false;
        }
        probe.samples = 0;
        let seen = core::mem::replace(&mut probe.candidate, f64::INFINITY);
        if seen.is_finite() {
            self.rtt_min = seen;
        }
        seen.is_finite()
    }
}

/// `log10` rounded down, at least 1.
fn log10(limit: f64) -> f64 {
    f64::from((limit as u32).max(1).ilog10().max(1))
}

/// The least whole number not below `x`, for `x >= 0` (core has no `ceil`).
fn ceil(x: f64) -> f64 {
    let whole = x as u64 as f64;
    if whole < x { whole + 1.0 } else { whole }
}

impl LimitAlgorithm for Vegas {
    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn update(&mut self, sample: Sample) -> u32 {
        let rtt = rtt_nanos(sample);
        let unloaded = f64::from(sample.inflight) * 2.0 < self.limit;
        if self.end_of_epoch(rtt, unloaded) {
            return self.limit();
        }
        if rtt < self.rtt_min {
            self.rtt_min = rtt;
            return self.limit();
        }
        let step = log10(self.limit);
        let next = if sample.dropped {
            self.limit - step
        } else if unloaded {
            return self.limit();
        } else {
            let queue = ceil(self.limit * (1.0 - self.rtt_min / rtt));
            let (alpha, beta) = (3.0 * step, 6.0 * step);
            if queue <= step {
                self.limit + beta
            } else if queue < alpha {
                self.limit + step
            } else if queue > beta {
                self.limit - step
            } else {
                return self.limit();
            }
        };
        self.limit = self.range.clamp(next);
        self.limit()
    }
}
