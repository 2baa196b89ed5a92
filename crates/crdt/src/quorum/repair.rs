use alloc::vec::Vec;

use crate::clock::VersionVector;
use crate::id::{Causality, ReplicaId};
use crate::lattice::Lattice;

/// The answers of one quorum read, and what is to be written back.
///
/// Of versioned values that replicas returned, those that no other dominates are the result, more
/// than one when writes were concurrent; every replica that lacks one of them is to get it. A read
/// that finishes that write-back before it answers never goes back in time for the next one.
///
/// ```
/// use archstone_crdt::{ReplicaId, clock::VersionVector, quorum::ReadRepair};
///
/// let (a, b) = (ReplicaId(1), ReplicaId(2));
/// let old = VersionVector::from_iter([(a, 1)]);
/// let new = VersionVector::from_iter([(a, 2)]);
/// let mut read = ReadRepair::new();
/// read.offer(a, new, "new");
/// read.offer(b, old, "old");
/// let resolved = read.resolve();
/// assert_eq!(resolved.values, ["new"]);
/// assert_eq!(resolved.repairs, [(b, vec![0])]);   // b lacks the value at 0
/// ```
#[derive(Clone, Debug)]
pub struct ReadRepair<V> {
    answers: Vec<(ReplicaId, Option<(VersionVector, V)>)>,
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<V> {
    /// The values that none dominates, in the order of the first replica that offered each.
    pub values: Vec<V>,
    /// Their versions.
    pub versions: Vec<VersionVector>,
    /// What covers all of them: the context of a write that resolves the conflict.
    pub context: VersionVector,
    /// Who lacks which of the values, by index.
    pub repairs: Vec<(ReplicaId, Vec<usize>)>,
}

impl<V: Clone> ReadRepair<V> {
    /// A read without answers.
    #[must_use]
    pub const fn new() -> Self {
        Self { answers: Vec::new() }
    }

    /// `replica` returned `value`. A replica with siblings offers each.
    pub fn offer(&mut self, replica: ReplicaId, version: VersionVector, value: V) {
        self.answers.push((replica, Some((version, value))));
    }

    /// `replica` has no value.
    pub fn offer_nothing(&mut self, replica: ReplicaId) {
        self.answers.push((replica, None));
    }

    /// Replicas that answered.
    #[must_use]
    pub fn answers(&self) -> usize {
        let mut replicas: Vec<ReplicaId> = self.answers.iter().map(|answer| answer.0).collect();
        replicas.sort_unstable();
        replicas.dedup();
        replicas.len()
    }

    /// The result. O(answers²) comparisons of versions.
    #[must_use]
    pub fn resolve(self) -> Resolved<V> {
        let mut values: Vec<(VersionVector, V)> = Vec::new();
        for (version, value) in self.answers.iter().filter_map(|answer| answer.1.as_ref()) {
            let covered = |(other, _): &(VersionVector, V)| {
                matches!(other.compare(version), Causality::Equal | Causality::After)
            };
            if values.iter().any(covered) {
                continue;
            }
            values.retain(|(other, _)| other.compare(version) != Causality::Before);
            values.push((version.clone(), value.clone()));
        }
        let mut context = VersionVector::new();
        for (version, _) in &values {
            context.merge(version);
        }
        let mut replicas: Vec<ReplicaId> = self.answers.iter().map(|answer| answer.0).collect();
        replicas.sort_unstable();
        replicas.dedup();
        let lacks = |replica: ReplicaId| -> Vec<usize> {
            let has = |version: &VersionVector| {
                let theirs = self.answers.iter().filter(|answer| answer.0 == replica);
                theirs.filter_map(|answer| answer.1.as_ref()).any(|(v, _)| v == version)
            };
            (0..values.len()).filter(|&at| !has(&values[at].0)).collect()
        };
        let repairs = replicas.into_iter().map(|replica| (replica, lacks(replica)));
        let repairs = repairs.filter(|(_, lacking)| !lacking.is_empty()).collect();
        let (versions, values) = values.into_iter().unzip();
        Resolved { values, versions, context, repairs }
    }
}

impl<V: Clone> Default for ReadRepair<V> {
    fn default() -> Self {
        Self::new()
    }
}
