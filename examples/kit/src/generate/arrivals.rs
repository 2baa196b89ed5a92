//! When things happen: Poisson arrivals, steady or shaped by the hour.

use super::Stream;
use archstone_core::Time;
use std::time::Duration;

/// Instants of a Poisson process: an open loop that does not wait for answers, so that a slow
/// server is not spared (no coordinated omission).
///
/// ```
/// use kit::{Arrivals, Seed, Time};
///
/// let stream = Seed::new(1).stream("arrivals");
/// let second = Time::from_secs(1);
/// let n = Arrivals::poisson(stream, 1_000.0).take_while(|&at| at < second).count();
/// assert!((850..1_150).contains(&n));
/// ```
#[derive(Clone, Debug)]
pub struct Arrivals {
    stream: Stream,
    /// Mean gap at the peak rate, in nanoseconds.
    gap: f64,
    shape: Option<Diurnal>,
    now: f64,
}

impl Arrivals {
    /// Arrivals at `rate` a second from [`Time::ZERO`] on. A rate that is not positive gives
    /// none.
    #[must_use]
    pub fn poisson(stream: Stream, rate: f64) -> Self {
        let gap = if rate > 0.0 { 1e9 / rate } else { f64::INFINITY };
        Self { stream, gap, shape: None, now: 0.0 }
    }

    /// Arrivals at `mean` a second on average over the day, more at its peak (thinning of Lewis
    /// and Shedler 1979).
    #[must_use]
    pub fn shaped(stream: Stream, mean: f64, shape: Diurnal) -> Self {
        let peak = Self::poisson(stream, mean * shape.peak());
        Self { shape: Some(shape), ..peak }
    }

    /// The same from `start` on.
    #[must_use]
    pub fn from(mut self, start: Time) -> Self {
        self.now = start.as_nanos() as f64;
        self
    }
}

impl Iterator for Arrivals {
    type Item = Time;

    /// The next arrival; `None` past the end of time.
    fn next(&mut self) -> Option<Time> {
        loop {
            self.now += self.stream.exponential() * self.gap;
            // Doubles count nanoseconds exactly for 104 days and to 256 ns for 73 years: finer
            // than any gap that matters.
            if self.now.is_nan() || self.now >= u64::MAX as f64 {
                return None;
            }
            let at = Time::from_nanos(self.now as u64);
            match &self.shape {
                None => return Some(at),
                Some(shape) => {
                    if self.stream.chance(shape.factor(at) / shape.peak()) {
                        return Some(at);
                    }
                }
            }
        }
    }
}

/// The shape of a day: how busy each hour is, its mean 1. Between the middles of two hours it
/// changes linearly; the day repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diurnal {
    hours: [f64; 24],
}

impl Diurnal {
    /// The shape of any `weights` for the hours 0 to 23; `None` when one is negative or not
    /// finite, or all are 0.
    #[must_use]
    pub fn new(weights: [f64; 24]) -> Option<Self> {
        let sum: f64 = weights.iter().sum();
        let usable = weights.iter().all(|w| w.is_finite() && *w >= 0.0) && sum > 0.0;
        // A sum of finite weights may still overflow; then no factor would be a number.
        (usable && sum.is_finite()).then(|| Self { hours: weights.map(|w| w * 24.0 / sum) })
    }

    /// A smooth day, quietest twelve hours from its busiest moment: a raised cosine that is
    /// `peak` times the mean at `hour`. An assumption, not a measurement: give
    /// [`Diurnal::new`] the hours of real data where there are any. `peak` is taken as 1 to 2,
    /// `hour` modulo 24.
    #[must_use]
    pub fn cosine(hour: f64, peak: f64) -> Self {
        let swing = if peak >= 1.0 { peak.min(2.0) - 1.0 } else { 0.0 };
        let hour = if hour.is_finite() { hour } else { 0.0 };
        let angle = |at: usize| (at as f64 + 0.5 - hour) * core::f64::consts::TAU / 24.0;
        let hours = core::array::from_fn(|at| 1.0 + swing * libm::cos(angle(at)));
        Self::new(hours).expect("between 0 and 2, mean 1")
    }

    /// How busy `at` is: 1 on average over a day that starts at [`Time::ZERO`].
    #[must_use]
    pub fn factor(&self, at: Time) -> f64 {
        const DAY: u64 = 86_400_000_000_000;
        let hour = (at.as_nanos() % DAY) as f64 / 3.6e12 + 23.5;
        let (before, share) = (hour as usize, hour.fract());
        let (before, after) = (self.hours[before % 24], self.hours[(before + 1) % 24]);
        before + (after - before) * share
    }

    /// The factor of the busiest moment.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.hours.iter().copied().fold(0.0, f64::max)
    }

    /// The middle of the busiest hour, after the start of the day.
    #[must_use]
    pub fn peak_at(&self) -> Duration {
        let busiest = (0..24).rev().max_by(|&a, &b| self.hours[a].total_cmp(&self.hours[b]));
        Duration::from_secs(busiest.unwrap_or(0) as u64 * 3_600 + 1_800)
    }
}
