use alloc::collections::{BTreeMap, VecDeque};

use crate::id::ReplicaId;
use crate::lattice::Lattice;

/// Deltas kept until every peer has them, merged into one message each.
///
/// Not sent back to the peer that they came from (avoidance of back-propagation, Enes, Almeida,
/// Baquero, Leitão, arXiv 1803.02750), nor when they were no news here (`push` only what
/// `merge` called news). At most `limit` deltas are kept; a peer that is behind the oldest gets the
/// full state. A peer that was silent costs no memory beyond that.
///
/// ```
/// use archstone_crdt::{ReplicaId, counter::GCounter, sync::{DeltaLog, Shipment}};
///
/// let (me, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut likes = GCounter::new();
/// let mut log = DeltaLog::new(1_000);
/// log.push(me, likes.add(me, 1)?);
/// log.push(me, likes.add(me, 1)?);
/// let Shipment::Delta { upto, delta } = log.next_for(bob) else { panic!() };
/// assert_eq!(delta.value(), 2);
/// log.ack(bob, upto);
/// assert_eq!(log.next_for(bob), Shipment::Nothing);
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeltaLog<D> {
    /// Where each came from; the first has number `first`.
    deltas: VecDeque<(ReplicaId, D)>,
    first: u64,
    acked: BTreeMap<ReplicaId, u64>,
    limit: usize,
}

/// What a peer is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shipment<D> {
    /// It has everything.
    Nothing,
    /// This, and it acknowledges `upto`.
    Delta {
        /// What to [`ack`](DeltaLog::ack) when it has arrived.
        upto: u64,
        /// The deltas it lacks, merged.
        delta: D,
    },
    /// The log no longer reaches back to it: the full state, and it acknowledges `upto`.
    FullState {
        /// What to [`ack`](DeltaLog::ack) when it has arrived.
        upto: u64,
    },
}

impl<D: Lattice> DeltaLog<D> {
    /// An empty log of at most `limit` deltas.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { deltas: VecDeque::new(), first: 0, acked: BTreeMap::new(), limit }
    }

    fn end(&self) -> u64 {
        self.first + self.deltas.len() as u64
    }

    /// Keeps a delta that came from `origin`, this replica or a peer.
    pub fn push(&mut self, origin: ReplicaId, delta: D) {
        self.deltas.push_back((origin, delta));
        while self.deltas.len() > self.limit {
            self.deltas.pop_front();
            self.first += 1;
        }
    }

    /// What `peer` lacks. Sending it again until it is acknowledged does no harm.
    #[must_use]
    pub fn next_for(&self, peer: ReplicaId) -> Shipment<D> {
        let (from, upto) = (self.acked.get(&peer).copied().unwrap_or(0), self.end());
        if from < self.first {
            return Shipment::FullState { upto };
        }
        let lacks = self.deltas.iter().skip((from - self.first) as usize);
        let mut lacks = lacks.filter(|(origin, _)| *origin != peer).map(|(_, delta)| delta);
        let Some(mut delta) = lacks.next().cloned() else { return Shipment::Nothing };
        lacks.for_each(|more| {
            delta.merge(more);
        });
        Shipment::Delta { upto, delta }
    }

    /// `peer` has all up to `upto`; acknowledgements may come twice, late, or from the future.
    pub fn ack(&mut self, peer: ReplicaId, upto: u64) {
        let upto = upto.min(self.end());
        let acked = self.acked.entry(peer).or_insert(0);
        *acked = upto.max(*acked);
    }

    /// Drops what all of `peers` have; how many deltas.
    pub fn trim(&mut self, peers: impl IntoIterator<Item = ReplicaId>) -> usize {
        let acked = |peer| self.acked.get(&peer).copied().unwrap_or(0);
        let all_have = peers.into_iter().map(acked).min().unwrap_or(self.end());
        let gone = all_have.saturating_sub(self.first) as usize;
        self.deltas.drain(..gone);
        self.first += gone as u64;
        gone
    }

    /// Forgets a peer that is gone.
    pub fn forget(&mut self, peer: ReplicaId) {
        self.acked.remove(&peer);
    }

    /// Deltas kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deltas.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty()
    }
}
