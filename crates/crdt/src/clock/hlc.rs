//! A hybrid logical clock in one word (Kulkarni, Demirbas, Madappa, Avva, Leone 2014).

use core::fmt;
use core::time::Duration;

use archstone_core::shim::atomic::{AtomicU64, Ordering};

use crate::id::ReplicaId;

/// Bits of the counter within a millisecond.
const COUNTER_BITS: u32 = 16;
/// The last millisecond that a stamp can hold: the year 10889.
const MAX_MILLIS: u64 = (1 << 48) - 1;
/// No stamp is made past this, nor within `SLACK_MS` of a limit without a compare-exchange, so
/// that as many threads at once as there are numbers in between (a million) cannot wrap the word.
const LAST: u64 = u64::MAX - (SLACK_MS << COUNTER_BITS);
const SLACK_MS: u64 = 16;

/// An instant of a [`HybridClock`]: 48 bits of milliseconds, 16 of a counter, the replica.
///
/// 16 bytes. The order is total: time, counter, replica; two replicas never make the same stamp.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    time: u64,
    replica: ReplicaId,
}

impl Timestamp {
    /// The stamp of `millis` (at most 2^48 - 1, more is cut to that) and `counter` by `replica`.
    #[must_use]
    pub const fn new(millis: u64, counter: u16, replica: ReplicaId) -> Self {
        let millis = if millis > MAX_MILLIS { MAX_MILLIS } else { millis };
        Self { time: (millis << COUNTER_BITS) | counter as u64, replica }
    }

    /// Wall milliseconds, in the origin of the caller's.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.time >> COUNTER_BITS
    }

    /// The number within the millisecond.
    #[must_use]
    pub const fn counter(self) -> u16 {
        self.time as u16
    }

    /// Who made it.
    #[must_use]
    pub const fn replica(self) -> ReplicaId {
        self.replica
    }

    /// Milliseconds and counter as one number that orders as time does.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.time
    }

    /// The stamp as one number that orders as it does: one comparison instead of two.
    pub(crate) const fn key(self) -> u128 {
        (self.time as u128) << 64 | self.replica.0 as u128
    }

    /// The inverse of [`as_u64`](Self::as_u64).
    #[must_use]
    pub const fn from_u64(time: u64, replica: ReplicaId) -> Self {
        Self { time, replica }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms+{}@{:?}", self.millis(), self.counter(), self.replica)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}@{}", self.millis(), self.counter(), self.replica)
    }
}

/// Why there is no stamp; the clock stays as it was.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HlcError {
    /// The stamp would run further ahead of the wall clock than allowed: a remote clock is wrong,
    /// or the local one was set back.
    Drift {
        /// How far ahead it would be, in milliseconds.
        ahead_ms: u64,
        /// How far it may be.
        limit_ms: u64,
    },
    /// Within the last 16 ms of the year 10889, or past it.
    Exhausted,
}

impl fmt::Display for HlcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drift { ahead_ms, limit_ms } => {
                write!(f, "a stamp {ahead_ms} ms ahead of the wall clock; {limit_ms} are allowed")
            }
            Self::Exhausted => write!(f, "no stamp after millisecond {}", LAST >> COUNTER_BITS),
        }
    }
}

impl core::error::Error for HlcError {}

/// Stamps that follow the wall clock and never run against causality. `&self`, lock-free.
///
/// Each stamp is greater than every stamp made or observed before. When the wall clock stands
/// still or steps back, the counter goes on; after 65,536 stamps in one millisecond the next
/// millisecond is begun, so a stamp always exists, and [`lead`](Self::lead) says how far ahead of
/// the wall clock the last one is. Stamps further ahead than `max_drift` are refused: that bounds
/// what a wrong clock elsewhere can do.
///
/// 16 bytes and one word of state; a stamp is one load and one addition while the wall clock stands
/// still, else one load and one compare-exchange.
///
/// ```
/// use archstone_crdt::{ReplicaId, clock::HybridClock};
/// use core::time::Duration;
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let here = HybridClock::new(ann, Duration::from_secs(60));
/// let there = HybridClock::new(bob, Duration::from_secs(60));
/// let sent = here.stamp(1_000)?;
/// let received = there.observe(400, sent)?; // bob's wall clock is 600 ms behind
/// assert!(received > sent && there.stamp(401)? > received);
/// # Ok::<(), archstone_crdt::clock::HlcError>(())
/// ```
#[derive(Debug)]
pub struct HybridClock {
    // Invariant: only ever grows, and every stamp is a value that it was given by one addition or
    // one successful exchange; so no two calls return the same and none returns less than one before it.
    // Relaxed suffices: the value itself is all that is shared, and it has one modification order.
    last: AtomicU64,
    replica: ReplicaId,
    max_drift_ms: u64,
}

impl HybridClock {
    /// A clock of `replica` whose stamps run at most `max_drift` ahead of the wall clock.
    #[must_use]
    pub fn new(replica: ReplicaId, max_drift: Duration) -> Self {
        let max_drift_ms = u64::try_from(max_drift.as_millis()).unwrap_or(u64::MAX);
        Self { last: AtomicU64::new(0), replica, max_drift_ms }
    }

    /// A clock that goes on after `last`, the greatest stamp that was stored.
    #[must_use]
    pub fn after(last: Timestamp, replica: ReplicaId, max_drift: Duration) -> Self {
        let clock = Self::new(replica, max_drift);
        clock.last.store(last.time, Ordering::Relaxed);
        clock
    }

    /// The stamp of a local event, or of a message to send, at wall time `now_ms`.
    ///
    /// # Errors
    /// [`HlcError::Drift`] when stamps already run too far ahead of `now_ms`.
    #[inline]
    pub fn stamp(&self, now_ms: u64) -> Result<Timestamp, HlcError> {
        self.advance(now_ms, 0)
    }

    /// The stamp of receiving a message that was stamped `remote`, at wall time `now_ms`.
    ///
    /// # Errors
    /// [`HlcError::Drift`] when the remote clock is too far ahead: the message should be refused.
    #[inline]
    pub fn observe(&self, now_ms: u64, remote: Timestamp) -> Result<Timestamp, HlcError> {
        self.advance(now_ms, remote.time.checked_add(1).ok_or(HlcError::Exhausted)?)
    }

    #[inline]
    fn advance(&self, now_ms: u64, least: u64) -> Result<Timestamp, HlcError> {
        if now_ms > MAX_MILLIS {
            return Err(HlcError::Exhausted);
        }
        let least = least.max(now_ms << COUNTER_BITS);
        let mut last = self.last.load(Ordering::Relaxed);
        // The clock stands at or past `least` and far from its limits: the next number is a stamp,
        // whoever else takes one meanwhile. (Should another thread move the clock further just
        // now, it was allowed to by its own later wall time.) One addition, never a second try.
        let room_ms = now_ms.saturating_add(self.max_drift_ms).min(MAX_MILLIS);
        if last >= least && (last >> COUNTER_BITS) + SLACK_MS < room_ms {
            let time = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            return Ok(Timestamp { time, replica: self.replica });
        }
        loop {
            let time = least.max(last.checked_add(1).ok_or(HlcError::Exhausted)?);
            if time > LAST {
                return Err(HlcError::Exhausted);
            }
            let ahead_ms = (time >> COUNTER_BITS) - now_ms;
            if ahead_ms > self.max_drift_ms {
                return Err(HlcError::Drift { ahead_ms, limit_ms: self.max_drift_ms });
            }
            match self.last.compare_exchange_weak(last, time, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(Timestamp { time, replica: self.replica }),
                Err(now) => last = now,
            }
        }
    }

    /// How far the last stamp is ahead of `now_ms`.
    #[must_use]
    pub fn lead(&self, now_ms: u64) -> Duration {
        let last = self.last.load(Ordering::Relaxed) >> COUNTER_BITS;
        Duration::from_millis(last.saturating_sub(now_ms))
    }

    /// The last stamp, to be stored for [`after`](Self::after).
    #[must_use]
    pub fn last(&self) -> Timestamp {
        Timestamp { time: self.last.load(Ordering::Relaxed), replica: self.replica }
    }
}
