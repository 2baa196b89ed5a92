//! One clock for many shards, never running back.

use archstone_core::Time;
use archstone_core::pad::CachePadded;
use archstone_core::shim::atomic::{AtomicU64, Ordering};

/// How finely shards tell each other the time, in nanoseconds: a word that every operation wrote
/// would cost more than the shard's lock.
const GRAIN: u64 = 1_000_000;

/// The latest instant that any shard has seen, to a millisecond. A shard beside it keeps its own,
/// exactly, so the time of a key never runs back.
#[derive(Debug)]
pub(crate) struct Latest(CachePadded<AtomicU64>);

impl Latest {
    pub(crate) fn new() -> Self {
        Self(CachePadded::new(AtomicU64::new(0)))
    }

    /// The effective instant in a shard that has seen `seen`.
    #[inline(always)]
    pub(crate) fn clamp(&self, seen: &mut u64, now: Time) -> u64 {
        let latest = self.0.load(Ordering::Relaxed);
        // The last instant is "never", so no clock reaches it.
        let effective = now.as_nanos().min(u64::MAX - 1).max(*seen).max(latest);
        *seen = effective;
        if effective - latest >= GRAIN {
            self.0.fetch_max(effective, Ordering::Relaxed);
        }
        effective
    }
}
