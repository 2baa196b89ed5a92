use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use archstone_core::Time;

use crate::id::ReplicaId;

/// Writes kept for replicas that are down (hinted handoff), bounded in number and age.
///
/// A full queue drops its oldest hint, an old one expires; both are counted, because from then on
/// only anti-entropy can repair that replica. A hint counts for durability, never for a strict
/// quorum.
///
/// ```
/// use archstone_crdt::{ReplicaId, Time, quorum::HintQueue};
/// use core::time::Duration;
///
/// let (down, now) = (ReplicaId(3), Time::from_secs(10));
/// let mut hints = HintQueue::new(1_000, Duration::from_secs(3 * 3_600));
/// hints.hold(down, "x=1", now);
/// assert_eq!(hints.take(down), ["x=1"]);
/// assert!(hints.is_empty() && hints.dropped() == 0);
/// ```
#[derive(Clone, Debug)]
pub struct HintQueue<V> {
    /// By number, oldest first.
    hints: BTreeMap<u64, (ReplicaId, Time, V)>,
    by_replica: BTreeMap<ReplicaId, VecDeque<u64>>,
    next: u64,
    limit: usize,
    keep: Duration,
    dropped: u64,
    expired: u64,
}

impl<V> HintQueue<V> {
    /// At most `limit` hints, each for at most `keep`.
    #[must_use]
    pub const fn new(limit: usize, keep: Duration) -> Self {
        Self {
            hints: BTreeMap::new(),
            by_replica: BTreeMap::new(),
            next: 0,
            limit,
            keep,
            dropped: 0,
            expired: 0,
        }
    }

    /// Keeps `value` for `replica`; the hint that had to go for it, if one had.
    pub fn hold(&mut self, replica: ReplicaId, value: V, now: Time) -> Option<(ReplicaId, V)> {
        self.expire(now);
        if self.limit == 0 {
            self.dropped += 1;
            return Some((replica, value));
        }
        let evicted = if self.hints.len() >= self.limit { self.pop_oldest() } else { None };
        self.dropped += u64::from(evicted.is_some());
        self.hints.insert(self.next, (replica, now, value));
        self.by_replica.entry(replica).or_default().push_back(self.next);
        self.next += 1;
        evicted
    }

    fn pop_oldest(&mut self) -> Option<(ReplicaId, V)> {
        let (_, (replica, _, value)) = self.hints.pop_first()?;
        if let Some(queue) = self.by_replica.get_mut(&replica) {
            queue.pop_front();
            if queue.is_empty() {
                self.by_replica.remove(&replica);
            }
        }
        Some((replica, value))
    }

    /// `replica` is back: its hints, oldest first. They are gone from here; what cannot be
    /// delivered is to be held again.
    pub fn take(&mut self, replica: ReplicaId) -> alloc::vec::Vec<V> {
        let numbers = self.by_replica.remove(&replica).unwrap_or_default();
        numbers.iter().filter_map(|number| self.hints.remove(number)).map(|hint| hint.2).collect()
    }

    /// Drops what is older than allowed; how many. `hold` does so too. A clock that steps back
    /// keeps hints longer.
    pub fn expire(&mut self, now: Time) -> usize {
        let mut gone = 0;
        while let Some((_, (_, since, _))) = self.hints.first_key_value() {
            if now.since(*since) < self.keep {
                break;
            }
            self.pop_oldest();
            gone += 1;
        }
        self.expired += gone as u64;
        gone
    }

    /// Hints that wait for `replica`.
    #[must_use]
    pub fn waiting_for(&self, replica: ReplicaId) -> usize {
        self.by_replica.get(&replica).map_or(0, VecDeque::len)
    }

    /// Hints in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hints.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hints.is_empty()
    }

    /// Hints that were dropped because the queue was full.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Hints that grew too old.
    #[must_use]
    pub const fn expired(&self) -> u64 {
        self.expired
    }
}
