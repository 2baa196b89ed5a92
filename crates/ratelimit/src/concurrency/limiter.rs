//! Permits over an algorithm.
//!
//! Invariants: `inflight` counts exactly the permits that live (K1); a permit is given only by a
//! compare-and-swap from a count below the limit read just before it (K2), so the number in flight
//! never exceeds the greatest limit that stood since the first of them began.

use super::{LimitAlgorithm, Sample};
use archstone_core::Time;
use archstone_core::shim::Mutex;
use archstone_core::shim::atomic::{AtomicU32, Ordering};
use core::fmt;
use core::time::Duration;

/// At most `limit` permits at a time, the limit set by a [`LimitAlgorithm`].
///
/// Acquiring is lock-free: one load and one compare-and-swap. Giving a permit back with a sample
/// takes a short lock around the algorithm's O(1) update.
pub struct ConcurrencyLimiter<A> {
    inflight: AtomicU32,
    limit: AtomicU32,
    algorithm: Mutex<A>,
}

impl<A: LimitAlgorithm> ConcurrencyLimiter<A> {
    /// A limiter with none in flight.
    pub fn new(algorithm: A) -> Self {
        let limit = algorithm.limit();
        Self {
            inflight: AtomicU32::new(0),
            limit: AtomicU32::new(limit),
            algorithm: Mutex::new(algorithm),
        }
    }

    /// A permit, or `None` when the limit is reached: shed the request.
    ///
    /// The caller measures the round trip and gives it to [`Permit::success`].
    #[must_use = "dropping the permit gives the place back at once"]
    pub fn try_acquire(&self) -> Option<Permit<'_, A>> {
        let mut seen = self.inflight.load(Ordering::Relaxed);
        loop {
            if seen >= self.limit.load(Ordering::Relaxed) {
                return None;
            }
            // K2. Relaxed suffices: the count orders nothing but itself.
            match self.inflight.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Permit { limiter: self, inflight: seen + 1 }),
                Err(other) => seen = other,
            }
        }
    }

    /// The present limit.
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Permits that live.
    pub fn inflight(&self) -> u32 {
        self.inflight.load(Ordering::Relaxed)
    }

    fn learn(&self, sample: Sample) {
        let mut algorithm = self.algorithm.lock();
        let limit = algorithm.update(sample);
        // Stored under the lock, so that an older limit never overwrites a newer one.
        self.limit.store(limit, Ordering::Relaxed);
    }
}

impl<A: fmt::Debug> fmt::Debug for ConcurrencyLimiter<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimiter")
            .field("inflight", &self.inflight.load(Ordering::Relaxed))
            .field("limit", &self.limit.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// One request in flight. Dropping it without a verdict gives the place back and teaches nothing.
#[must_use = "dropping the permit gives the place back at once"]
#[derive(Debug)]
pub struct Permit<'a, A: LimitAlgorithm = super::Gradient2> {
    limiter: &'a ConcurrencyLimiter<A>,
    inflight: u32,
}

impl<A: LimitAlgorithm> Permit<'_, A> {
    /// The request succeeded after `rtt`.
    pub fn success(self, rtt: Duration) {
        self.finish(rtt, false);
    }

    /// The request succeeded; it began at `start` and ended at `now` (a clock that stepped back
    /// counts as one nanosecond).
    pub fn success_at(self, start: Time, now: Time) {
        self.finish(now.since(start), false);
    }

    /// The request timed out or met an overloaded server.
    pub fn dropped(self) {
        self.finish(Duration::ZERO, true);
    }

    /// The request says nothing about the server (a bad argument, a cache hit).
    pub fn ignore(self) {}

    fn finish(self, rtt: Duration, dropped: bool) {
        self.limiter.learn(Sample { rtt, inflight: self.inflight, dropped });
    }
}

impl<A: LimitAlgorithm> Drop for Permit<'_, A> {
    fn drop(&mut self) {
        // K1: one decrement for the one increment that made this permit.
        self.limiter.inflight.fetch_sub(1, Ordering::Relaxed);
    }
}
