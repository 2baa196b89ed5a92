//! The gradient of latency: how the round trip now compares with what it was.
//!
//! Netflix's Gradient2 compares the last round trip with a long exponential average. Under a modest
//! overload that never ends, the long average follows the overload, the gradient stays at 1 and
//! the limit climbs without bound. Here the comparison is with the smaller of the long average and
//! the *unloaded* average, taken only from samples during which less than half of the limit was in
//! flight; when such samples stop coming, the limiter makes them by halving its limit for a moment
//! (as BBR drains its pipe to measure the path, Cardwell et al. 2016).

use super::{LimitAlgorithm, LimitError, Range, Sample, in_range, rtt_nanos};

/// Multiplies the limit by `tolerance * rtt_before / rtt_now` (between 0.5 and 1), adds room for a
/// short queue, and smooths.
///
/// While the limit is in use, it settles where the round trip is `tolerance` times the unloaded
/// one. A drop counts as a gradient of one half. State: about 200 bytes; an update is O(1).
#[derive(Clone, Copy, Debug)]
pub struct Gradient2 {
    range: Range,
    limit: f64,
    tolerance: f64,
    smoothing: f64,
    queue: f64,
    long: Average,
    guard: Option<Guard>,
}

/// Keeps the unloaded average and makes samples for it.
#[derive(Clone, Copy, Debug)]
struct Guard {
    unloaded: Average,
    /// The mean of the running probe, which replaces the unloaded average at its end.
    probe: Average,
    /// Samples since the last unloaded one, or since a probe began.
    waited: u32,
    /// Unloaded samples that a running probe still wants; 0: no probe is running.
    wanted: u32,
}

/// Loaded samples in a row after which the limiter probes.
const PROBE_AFTER: u32 = 1_000;
/// Unloaded samples that end a probe.
const PROBE_SAMPLES: u32 = 10;
/// Samples after which a probe ends whatever it has seen: a caller may hold old permits for long.
const PROBE_GIVES_UP: u32 = 400;

/// Exponential average that is a plain mean over its first samples.
#[derive(Clone, Copy, Debug)]
struct Average {
    value: f64,
    sum: f64,
    count: u32,
    warm_up: u32,
    factor: f64,
}

impl Average {
    const fn new(window: u32, warm_up: u32) -> Self {
        let factor = 2.0 / (window as f64 + 1.0);
        Self { value: 0.0, sum: 0.0, count: 0, warm_up, factor }
    }

    fn add(&mut self, sample: f64) {
        if self.count < self.warm_up {
            self.count += 1;
            self.sum += sample;
            self.value = self.sum / f64::from(self.count);
        } else {
            self.value = self.value * (1.0 - self.factor) + sample * self.factor;
        }
    }
}

impl Gradient2 {
    /// Begins at `initial`, stays within `min..=max`; tolerance 1.5, smoothing 0.2, a queue of 4, a
    /// long average over 600 samples.
    pub fn new(initial: u32, min: u32, max: u32) -> Result<Self, LimitError> {
        Ok(Self {
            range: Range::new(initial, min, max)?,
            limit: f64::from(initial),
            tolerance: 1.5,
            smoothing: 0.2,
            queue: 4.0,
            long: Average::new(600, 10),
            guard: Some(Guard::new()),
        })
    }

    /// How far the round trip may rise above the unloaded one before the limit falls, 1 to 10.
    pub fn with_tolerance(mut self, tolerance: f64) -> Result<Self, LimitError> {
        self.tolerance = in_range("tolerance", tolerance, 1.0, 10.0)?;
        Ok(self)
    }

    /// The weight of each new value of the limit, over 0 to 1.
    pub fn with_smoothing(mut self, smoothing: f64) -> Result<Self, LimitError> {
        self.smoothing = in_range("smoothing", smoothing, 1e-6, 1.0)?;
        Ok(self)
    }

    /// Requests that may queue in the server: the limit grows by up to this much a sample.
    #[must_use]
    pub fn with_queue(mut self, requests: u32) -> Self {
        self.queue = f64::from(requests);
        self
    }

    /// Compares with the long average alone, as Netflix's implementation does, and ignores drops.
    ///
    /// For comparison only: it drifts upward under an overload that never ends.
    #[must_use]
    pub const fn without_drift_guard(mut self) -> Self {
        self.guard = None;
        self
    }

    /// The round trip to compare with.
    fn baseline(&self, long: f64) -> f64 {
        match &self.guard {
            Some(guard) if guard.unloaded.count > 0 => long.min(guard.unloaded.value),
            _ => long,
        }
    }
}

impl Guard {
    const fn new() -> Self {
        let probe = Average::new(PROBE_SAMPLES, PROBE_SAMPLES);
        Self { unloaded: Average::new(100, 10), probe, waited: 0, wanted: 0 }
    }

    /// Takes in a sample that is no drop; `unloaded` says how full the limiter was.
    fn observe(&mut self, rtt: f64, unloaded: bool) {
        self.waited += 1;
        if self.wanted > 0 {
            self.observe_probe(rtt, unloaded);
        } else if unloaded || self.unloaded.count < self.unloaded.warm_up {
            self.unloaded.add(rtt);
            self.waited = 0;
        } else if self.waited >= PROBE_AFTER {
            self.probe = Average::new(PROBE_SAMPLES, PROBE_SAMPLES);
            (self.wanted, self.waited) = (PROBE_SAMPLES, 0);
        }
    }

    fn observe_probe(&mut self, rtt: f64, unloaded: bool) {
        if unloaded {
            self.probe.add(rtt);
            self.wanted -= 1;
            if self.wanted == 0 {
                (self.unloaded.value, self.waited) = (self.probe.value, 0);
                return;
            }
        }
        if self.waited >= PROBE_GIVES_UP {
            (self.wanted, self.waited) = (0, 0);
        }
    }
}

impl LimitAlgorithm for Gradient2 {
    fn limit(&self) -> u32 {
        let probing = self.guard.is_some_and(|guard| guard.wanted > 0);
        let limit = if probing { self.limit / 2.0 } else { self.limit };
        (limit as u32).max(self.range.min)
    }

    fn update(&mut self, sample: Sample) -> u32 {
        let rtt = rtt_nanos(sample);
        let probing = self.guard.is_some_and(|guard| guard.wanted > 0);
        let inflight = f64::from(sample.inflight);
        let unloaded = inflight < self.limit / 2.0 || (probing && inflight <= self.limit / 2.0);
        if let Some(guard) = &mut self.guard {
            if sample.dropped {
                // A time-out says nothing about the round trip, only that there is no room.
                let cut = self.limit * (1.0 - self.smoothing / 2.0);
                self.limit = self.range.clamp(cut);
                return self.limit();
            }
            guard.observe(rtt, unloaded);
        }
        self.long.add(rtt);
        let long = self.long.value;
        // Recover faster from a long average that an outage has inflated.
        if long / rtt > 2.0 {
            self.long.value *= 0.95;
        }
        // A caller that does not use what it has tells nothing about the server; nor does a probe.
        if unloaded || probing {
            return self.limit();
        }
        let gradient = (self.tolerance * self.baseline(long) / rtt).clamp(0.5, 1.0);
        let next = self.limit * gradient + self.queue;
        let smoothed = self.limit * (1.0 - self.smoothing) + next * self.smoothing;
        self.limit = self.range.clamp(smoothed);
        self.limit()
    }
}
