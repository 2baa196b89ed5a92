//! Where façades that own a clock read the time.

use crate::Time;
use crate::shim::atomic::{AtomicU64, Ordering};
use alloc::sync::Arc;
use core::time::Duration;

/// A source of [`Time`].
///
/// A clock may stand still or step back; the types that read it say what they do then.
///
/// ```
/// use archstone_core::{Clock, Time};
///
/// // A clock that a simulation moves: any type will do.
/// struct Tick(u64);
/// impl Clock for Tick {
///     fn now(&self) -> Time { Time::from_millis(self.0) }
/// }
/// assert_eq!(Tick(7).now(), Time::from_millis(7));
/// ```
pub trait Clock {
    /// The present instant.
    fn now(&self) -> Time;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Time {
        (**self).now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Time {
        (**self).now()
    }
}

/// The operating system's monotonic clock, its origin the moment of construction.
///
/// One reading costs 20 to 30 ns on current machines; where several types serve one request,
/// read once and use their `_at` verbs.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    origin: std::time::Instant,
}

#[cfg(feature = "std")]
impl Monotonic {
    /// A clock that reads [`Time::ZERO`] now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

#[cfg(feature = "std")]
impl Default for Monotonic {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "std")]
impl Clock for Monotonic {
    #[inline]
    fn now(&self) -> Time {
        // Saturates after 584 years of uptime; the branch is cheaper than Duration's u128 path.
        let span = self.origin.elapsed();
        let nanos = span.as_secs().saturating_mul(1_000_000_000);
        Time::from_nanos(nanos.saturating_add(u64::from(span.subsec_nanos())))
    }
}

/// A clock turned by hand: for tests, for simulations, and as a coarse clock that a timer ticks
/// so that each reading costs one relaxed load.
///
/// Shared by reference or in an [`Arc`]. It may be set back: that is how tests meet a clock that
/// steps.
///
/// ```
/// use archstone_core::{Clock, Manual, Time};
/// use core::time::Duration;
///
/// let clock = Manual::new(Time::ZERO);
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now(), Time::from_secs(3));
/// clock.set(Time::from_secs(1));
/// assert_eq!(clock.now(), Time::from_secs(1));
/// ```
#[derive(Debug)]
pub struct Manual {
    nanos: AtomicU64,
}

impl Manual {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self { nanos: AtomicU64::new(now.as_nanos()) }
    }

    /// Moves the clock to `now`, forward or back.
    pub fn set(&self, now: Time) {
        self.nanos.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Moves the clock forward by `span` (saturating) and returns the new instant.
    pub fn advance(&self, span: Duration) -> Time {
        let mut seen = self.nanos.load(Ordering::Relaxed);
        loop {
            let next = Time::from_nanos(seen) + span;
            let swap = self.nanos.compare_exchange_weak(
                seen,
                next.as_nanos(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swap {
                Ok(_) => return next,
                Err(other) => seen = other,
            }
        }
    }
}

impl Default for Manual {
    fn default() -> Self {
        Self::new(Time::ZERO)
    }
}

impl Clock for Manual {
    #[inline]
    fn now(&self) -> Time {
        Time::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}
