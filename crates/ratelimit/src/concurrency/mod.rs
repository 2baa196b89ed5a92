//! Limits on how many requests are in flight, fixed or found by watching latency.
//!
//! A rate limiter protects against callers who ask too often; a concurrency limit protects a
//! server that has become slow, whatever the rate. By Little's law the two meet at
//! `in flight = rate * latency`.
//!
//! | algorithm | signal | grows | shrinks | use when |
//! |---|---|---|---|---|
//! | [`Fixed`] | none | never | never | the capacity is known |
//! | [`Aimd`] | drops, time-outs | by 1 | by a factor | a time-out is the only honest signal |
//! | [`Vegas`] | queue estimated from RTT over its minimum | by log10 | by log10 | latency without load is stable |
//! | [`Gradient2`] | RTT now against RTT unloaded | by a constant | by the ratio | latency varies; the default choice |
//!
//! Each algorithm is plain state: a [`Sample`] in, a limit out, no clock and no thread.
//! [`ConcurrencyLimiter`] and [`Partitioned`] hold one behind permits.
//!
//! ```
//! use archstone_ratelimit::concurrency::{Aimd, ConcurrencyLimiter};
//! use core::time::Duration;
//!
//! let limiter = ConcurrencyLimiter::new(Aimd::new(2, 1, 100)?);
//! let first = limiter.try_acquire().expect("none in flight");
//! let second = limiter.try_acquire().expect("one in flight");
//! assert!(limiter.try_acquire().is_none(), "two of two in flight: shed");
//!
//! first.success(Duration::from_millis(12));      // both busy and no loss: one more
//! assert_eq!(limiter.limit(), 3);
//! second.dropped();                              // a time-out: back off
//! assert_eq!(limiter.limit(), 2);
//! # Ok::<(), archstone_ratelimit::concurrency::LimitError>(())
//! ```

mod aimd;
mod gradient2;
#[cfg(feature = "std")]
mod limiter;
#[cfg(feature = "std")]
mod partitioned;
mod vegas;

pub use aimd::Aimd;
pub use gradient2::Gradient2;
#[cfg(feature = "std")]
pub use limiter::{ConcurrencyLimiter, Permit};
#[cfg(feature = "std")]
pub use partitioned::{PartitionPermit, Partitioned};
pub use vegas::Vegas;

use core::fmt;
use core::time::Duration;

/// What one finished request tells the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Round-trip time of the request; zero counts as one nanosecond.
    pub rtt: Duration,
    /// Requests in flight when this one began, itself included.
    pub inflight: u32,
    /// The request timed out or was refused by an overloaded server.
    pub dropped: bool,
}

/// A rule that turns samples into a limit.
///
/// The limit it returns is always at least 1, so that the algorithm keeps seeing samples.
pub trait LimitAlgorithm: fmt::Debug {
    /// The present limit.
    fn limit(&self) -> u32;

    /// Takes in one sample and returns the new limit.
    fn update(&mut self, sample: Sample) -> u32;
}

/// A parameter that no algorithm can work with.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitError {
    /// The least limit is 0: nothing would ever run, so nothing would ever be learnt.
    ZeroMin,
    /// Not `min <= initial <= max`.
    Order {
        /// The least limit.
        min: u32,
        /// The limit to begin with.
        initial: u32,
        /// The greatest limit.
        max: u32,
    },
    /// A parameter outside its range (NaN included).
    Parameter {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The least it may be.
        least: f64,
        /// The most it may be.
        most: f64,
    },
    /// Shares of partitions that add up to more than 100 %, or none at all.
    Shares {
        /// Their sum, in percent.
        sum: u64,
    },
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroMin => f.write_str("the least limit is 0, it must be at least 1"),
            Self::Order { min, initial, max } => {
                write!(f, "limits must rise: min {min} <= initial {initial} <= max {max}")
            }
            Self::Parameter { name, value, least, most } => {
                write!(f, "{name} is {value}, it must be from {least} to {most}")
            }
            Self::Shares { sum } => {
                write!(f, "the shares of the partitions add up to {sum} %, they must be 1 to 100 %")
            }
        }
    }
}

impl core::error::Error for LimitError {}

/// A limit that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(u32);

impl Fixed {
    /// At most `limit` in flight; at least 1.
    pub const fn new(limit: u32) -> Result<Self, LimitError> {
        if limit == 0 { Err(LimitError::ZeroMin) } else { Ok(Self(limit)) }
    }
}

impl LimitAlgorithm for Fixed {
    fn limit(&self) -> u32 {
        self.0
    }

    fn update(&mut self, _: Sample) -> u32 {
        self.0
    }
}

/// The bounds every adaptive algorithm keeps to.
#[derive(Clone, Copy, Debug)]
struct Range {
    min: u32,
    max: u32,
}

impl Range {
    fn new(initial: u32, min: u32, max: u32) -> Result<Self, LimitError> {
        if min == 0 {
            return Err(LimitError::ZeroMin);
        }
        if !(min <= initial && initial <= max) {
            return Err(LimitError::Order { min, initial, max });
        }
        Ok(Self { min, max })
    }

    fn clamp(self, limit: f64) -> f64 {
        limit.max(f64::from(self.min)).min(f64::from(self.max))
    }
}

/// `value` if it lies in `least..=most`; NaN never does.
fn in_range(name: &'static str, value: f64, least: f64, most: f64) -> Result<f64, LimitError> {
    if value >= least && value <= most {
        Ok(value)
    } else {
        Err(LimitError::Parameter { name, value, least, most })
    }
}

/// The round-trip time in nanoseconds, at least one.
fn rtt_nanos(sample: Sample) -> f64 {
    sample.rtt.as_nanos().max(1) as f64
}
