//! The generic cell rate algorithm, exact, in one `u64`.

use crate::Time;
use crate::meter::{MeterRule, flow_algorithm};

/// The generic cell rate algorithm: the rule of choice.
///
/// Lets `burst` pass at once and `rate` for ever. The state is one word, the *theoretical arrival
/// time*: when everything admitted so far will have been worked off at the rate. A request passes
/// when that is not more than the burst ahead of now. Same decisions as [`TokenBucket`] and
/// [`LeakyBucket`]; see [ITU-T I.371] for the original in cells and [`exact`](crate#exactness) for
/// what is different here.
///
/// Every window `[a, b]` admits at most `burst + rate * (b - a)`. O(1), 8 bytes of state.
///
/// [`TokenBucket`]: crate::TokenBucket
/// [`LeakyBucket`]: crate::LeakyBucket
/// [ITU-T I.371]: https://www.itu.int/rec/T-REC-I.371
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra(MeterRule);

flow_algorithm!(Gcra);

impl Gcra {
    /// The theoretical arrival time of a state, rounded up to whole nanoseconds.
    #[must_use]
    pub const fn arrival(&self, state: u64) -> Time {
        self.0.time(state)
    }
}
