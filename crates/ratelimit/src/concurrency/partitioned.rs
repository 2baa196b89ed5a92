//! Shares of one limit, so that a flood in one class does not starve another.
//!
//! Invariants: the counts of the partitions add up to `inflight` (S1); `inflight` never exceeds the
//! limit that stood when the last permit was given (S2); a partition below its guarantee is refused
//! only while the limit itself is exceeded or has just shrunk (S3).

use super::{LimitAlgorithm, LimitError, Sample};
use alloc::vec::Vec;
use archstone_core::shim::Mutex;
use core::fmt;
use core::time::Duration;

/// One adaptive limit shared by partitions, each with a guaranteed percentage of it.
///
/// A partition may use what the others leave, but never their guarantees: unlike a rule that lets a
/// guaranteed partition push the total over the limit, the total is kept. What is not guaranteed to
/// anybody is first come, first served. A check is O(partitions) under a short lock.
///
/// ```
/// use archstone_ratelimit::concurrency::{Fixed, Partitioned};
///
/// // Live traffic is guaranteed 80 % of ten places; batch work has the rest.
/// let limiter = Partitioned::new(Fixed::new(10)?, &[80, 20])?;
/// let live: Vec<_> = (0..9).map_while(|_| limiter.try_acquire(0)).collect();
/// assert_eq!(live.len(), 8, "two places are kept for batch work");
/// assert!(limiter.try_acquire(1).is_some());
/// # Ok::<(), archstone_ratelimit::concurrency::LimitError>(())
/// ```
pub struct Partitioned<A> {
    state: Mutex<State<A>>,
}

#[derive(Debug)]
struct State<A> {
    algorithm: A,
    limit: u32,
    inflight: u32,
    partitions: Vec<Partition>,
}

#[derive(Debug)]
struct Partition {
    percent: u8,
    inflight: u32,
}

impl Partition {
    /// Places kept for this partition: its percentage of the limit, rounded down, at least one
    /// when it has a share at all and the limit has room for all.
    fn guarantee(&self, limit: u32) -> u32 {
        (u64::from(limit) * u64::from(self.percent) / 100) as u32
    }
}

impl<A: LimitAlgorithm> Partitioned<A> {
    /// Partitions `0..percents.len()` with their guaranteed percentages, which add up to at most
    /// 100. A partition of 0 % lives on what the others leave.
    pub fn new(algorithm: A, percents: &[u8]) -> Result<Self, LimitError> {
        let sum: u64 = percents.iter().map(|&p| u64::from(p)).sum();
        if sum == 0 || sum > 100 {
            return Err(LimitError::Shares { sum });
        }
        let partitions = percents.iter().map(|&percent| Partition { percent, inflight: 0 });
        let limit = algorithm.limit();
        let state = State { algorithm, limit, inflight: 0, partitions: partitions.collect() };
        Ok(Self { state: Mutex::new(state) })
    }

    /// A permit for `partition`, or `None`: the limit is reached, the free places are guaranteed to
    /// others, or there is no such partition.
    #[must_use = "dropping the permit gives the place back at once"]
    pub fn try_acquire(&self, partition: usize) -> Option<PartitionPermit<'_, A>> {
        let mut state = self.state.lock();
        let limit = state.limit;
        let own = state.partitions.get(partition)?;
        if state.inflight >= limit {
            return None; // S2
        }
        if own.inflight >= own.guarantee(limit) {
            let kept: u32 = state
                .partitions
                .iter()
                .enumerate()
                .filter(|&(i, _)| i != partition)
                .map(|(_, other)| other.guarantee(limit).saturating_sub(other.inflight))
                .sum();
            if state.inflight.saturating_add(kept) >= limit {
                return None; // S3 for the others
            }
        }
        state.inflight += 1;
        state.partitions[partition].inflight += 1; // S1
        let inflight = state.inflight;
        Some(PartitionPermit { limiter: self, partition, inflight, sample: None })
    }

    /// The present limit of all partitions together.
    pub fn limit(&self) -> u32 {
        self.state.lock().limit
    }

    /// Permits that live in `partition`; 0 for one that does not exist.
    pub fn inflight(&self, partition: usize) -> u32 {
        self.state.lock().partitions.get(partition).map_or(0, |p| p.inflight)
    }
}

impl<A: fmt::Debug> fmt::Debug for Partitioned<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitioned").field("state", &*self.state.lock()).finish()
    }
}

/// One request in flight in one partition; dropped without a verdict it teaches nothing.
#[must_use = "dropping the permit gives the place back at once"]
#[derive(Debug)]
pub struct PartitionPermit<'a, A: LimitAlgorithm = super::Gradient2> {
    limiter: &'a Partitioned<A>,
    partition: usize,
    inflight: u32,
    sample: Option<Sample>,
}

impl<A: LimitAlgorithm> PartitionPermit<'_, A> {
    /// The request succeeded after `rtt`.
    pub fn success(mut self, rtt: Duration) {
        self.sample = Some(Sample { rtt, inflight: self.inflight, dropped: false });
    }

    /// The request timed out or met an overloaded server.
    pub fn dropped(mut self) {
        let rtt = Duration::ZERO;
        self.sample = Some(Sample { rtt, inflight: self.inflight, dropped: true });
    }
}

impl<A: LimitAlgorithm> Drop for PartitionPermit<'_, A> {
    fn drop(&mut self) {
        let mut state = self.limiter.state.lock();
        state.inflight -= 1;
        state.partitions[self.partition].inflight -= 1; // S1
        if let Some(sample) = self.sample {
            state.limit = state.algorithm.update(sample);
        }
    }
}
