//! The token bucket.

use crate::Time;
use crate::meter::{MeterRule, flow_algorithm};

/// The token bucket: `burst` tokens fit, `rate` are added continuously, each unit takes one.
///
/// A bucket starts full. Its state is one word, the instant at which the bucket will be full
/// again, which is what makes refilling free and exact: no token count drifts, no fraction is
/// lost between two polls. Decides exactly as [`Gcra`](crate::Gcra) does. For tokens that arrive
/// in whole periods see [`IntervalBucket`](crate::IntervalBucket).
///
/// O(1), 8 bytes of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket(MeterRule);

flow_algorithm!(TokenBucket);

impl TokenBucket {
    /// Whole tokens in a bucket at `now`.
    #[must_use]
    pub fn tokens(&self, state: u64, now: Time) -> u64 {
        self.0.check(&mut { state }, now, 0).remaining()
    }

    /// The state of a bucket that starts empty at `now`.
    #[must_use]
    pub fn empty(&self, now: Time) -> u64 {
        let burst = u128::from(self.0.quota().burst());
        self.0.with_used(now, burst << 32)
    }
}
