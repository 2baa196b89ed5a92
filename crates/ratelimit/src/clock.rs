//! The processor's own clock.

use crate::{Clock, Time};

/// The time stamp counter of the processor, through the `quanta` crate: half the cost of
/// `Instant`, the same monotonic time. Its origin is the moment of construction.
///
/// The first clock of a process calibrates the counter, which takes up to 200 ms.
#[derive(Clone, Debug)]
pub struct TscClock {
    clock: quanta::Clock,
    origin: u64,
}

impl TscClock {
    /// A clock that reads [`Time::ZERO`] now.
    #[must_use]
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let origin = clock.raw();
        Self { clock, origin }
    }
}

impl Default for TscClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TscClock {
    #[inline]
    fn now(&self) -> Time {
        Time::from_nanos(self.clock.delta_as_nanos(self.origin, self.clock.raw()))
    }
}
