use alloc::collections::BTreeMap;

use crate::clock::VersionVector;
use crate::id::ReplicaId;
use crate::lattice::Lattice;

/// What every member has seen: what is stable can be forgotten (tombstones, logs, retired ids).
///
/// Fed with the versions that members acknowledge; O(members · replicas) a question. One member
/// that is silent holds everything back, until it is [evicted](Self::evict): it must then come
/// back as new, with a full copy.
///
/// ```
/// use archstone_crdt::{ReplicaId, clock::VersionVector, sync::Stability};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut group = Stability::new([ann, bob]);
/// group.ack(ann, &VersionVector::from_iter([(ann, 5), (bob, 2)]));
/// group.ack(bob, &VersionVector::from_iter([(ann, 3), (bob, 4)]));
/// assert_eq!(group.stable(), VersionVector::from_iter([(ann, 3), (bob, 2)]));
/// assert_eq!(group.lag(bob), Some(2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stability {
    acked: BTreeMap<ReplicaId, VersionVector>,
}

impl Stability {
    /// A group none of whose members has acknowledged anything.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = ReplicaId>) -> Self {
        let acked = members.into_iter().map(|member| (member, VersionVector::new())).collect();
        Self { acked }
    }

    /// A member has seen `version`; whether that was news. Not of a member: ignored.
    pub fn ack(&mut self, member: ReplicaId, version: &VersionVector) -> bool {
        self.acked.get_mut(&member).is_some_and(|acked| acked.merge(version))
    }

    /// A member more, which holds everything back until it acknowledges.
    pub fn admit(&mut self, member: ReplicaId) {
        self.acked.entry(member).or_default();
    }

    /// A member less; whether it was one.
    pub fn evict(&mut self, member: ReplicaId) -> bool {
        self.acked.remove(&member).is_some()
    }

    /// What every member has seen; nothing when there are none.
    #[must_use]
    pub fn stable(&self) -> VersionVector {
        let mut versions = self.acked.values();
        let mut stable = versions.next().cloned().unwrap_or_default();
        versions.for_each(|version| stable.meet(version));
        stable
    }

    /// Events that somebody has seen and `member` has not acknowledged.
    #[must_use]
    pub fn lag(&self, member: ReplicaId) -> Option<u64> {
        let acked = self.acked.get(&member)?;
        let mut newest = VersionVector::new();
        for version in self.acked.values() {
            newest.merge(version);
        }
        let behind = newest.iter().map(|(replica, count)| count - acked.get(replica));
        Some(behind.fold(0, u64::saturating_add))
    }
}
