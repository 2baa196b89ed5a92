//! The leaky bucket as a meter.

use crate::Time;
use crate::meter::{MeterRule, flow_algorithm};

/// The leaky bucket as a meter: each unit pours in, the bucket leaks at `rate`, what would flow
/// over `burst` is denied.
///
/// The mirror image of [`TokenBucket`](crate::TokenBucket) and the same decisions; choose it where
/// the level is the figure you want. The leaky bucket *as a queue*, which delays instead of
/// denying, is the [`Shaper`](crate::Shaper).
///
/// O(1), 8 bytes of state. Time is not counted in whole leaks, so a bucket that is polled faster
/// than it leaks still leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakyBucket(MeterRule);

flow_algorithm!(LeakyBucket);

impl LeakyBucket {
    /// The level at `now`, rounded up; over the burst when in debt.
    #[must_use]
    pub fn level(&self, state: u64, now: Time) -> u64 {
        let level = self.0.used(state, now).div_ceil(crate::algorithm::ONE);
        u64::try_from(level).unwrap_or(u64::MAX)
    }

    /// How long until a bucket is dry, rounded up to whole nanoseconds.
    #[must_use]
    pub const fn dry_after(&self, state: u64, now: Time) -> core::time::Duration {
        self.0.time(state).since(now)
    }
}
