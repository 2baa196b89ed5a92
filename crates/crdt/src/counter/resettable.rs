use alloc::collections::BTreeMap;

use crate::clock::VersionVector;
use crate::id::{Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// A counter that can be reset: a reset takes away exactly the updates that it had seen.
///
/// The updates of one replica come in an order, so what a reset has seen of them is a prefix, and
/// a prefix is two numbers: how many updates, and their sum. A replica keeps those two for what
/// was added and for what was reset, 72 bytes in all, however often it counts and resets; a row an
/// update, as in a map of counters, would grow.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, counter::ResettableCounter};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut failures = ResettableCounter::new();
/// let mut copy = failures.add(ann, 5)?;
/// copy.add(bob, 2)?;
/// failures.reset();                 // sees ann's 5, not bob's 2
/// failures.merge(&copy);
/// assert_eq!(failures.value(), 2);
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResettableCounter(pub(crate) BTreeMap<ReplicaId, Row>);

/// The updates of one replica: all of them, and the prefix that was reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) added: Prefix,
    pub(crate) reset: Prefix,
}

/// The first `updates` of a replica and their sum; the longer of two knows more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) updates: u64,
    pub(crate) sum: i128,
}

impl Prefix {
    fn merge(&mut self, other: Self) -> bool {
        let longer = other.updates > self.updates;
        if longer {
            *self = other;
        }
        longer
    }
}

impl ResettableCounter {
    /// Zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds `amount`, which may be negative; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` updates of `me`; nothing was changed. The sum cannot overflow before that.
    pub fn add(&mut self, me: ReplicaId, amount: i64) -> Result<Self, Exhausted> {
        let row = self.0.entry(me).or_default();
        // After a restart from peers a reset can be known before the updates that it saw.
        row.added.merge(row.reset);
        let added = &mut row.added;
        let updates = added.updates.checked_add(1);
        added.updates = updates.ok_or(Exhausted { replica: me, at: u64::MAX, by: 1 })?;
        added.sum = added.sum.saturating_add(i128::from(amount));
        Ok(Self(BTreeMap::from([(me, Row { added: *added, reset: Prefix::default() })])))
    }

    /// Takes away all updates that were seen; the delta.
    #[must_use = "the delta is what other replicas need"]
    pub fn reset(&mut self) -> Self {
        let mut delta = Self::new();
        for (&replica, row) in &mut self.0 {
            if row.reset.merge(row.added) {
                delta.0.insert(replica, Row { added: Prefix::default(), reset: row.reset });
            }
        }
        delta
    }

    /// The sum of the updates that no reset has seen.
    #[must_use]
    pub fn value(&self) -> i128 {
        self.0.values().fold(0, |sum: i128, row| {
            // A reset can be known before the updates that it saw.
            let all = if row.added.updates > row.reset.updates { row.added } else { row.reset };
            sum.saturating_add(all.sum.saturating_sub(row.reset.sum))
        })
    }

    /// Whether every update that was seen was reset.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.0.values().all(|row| row.added.updates <= row.reset.updates)
    }
}

impl Lattice for ResettableCounter {
    fn merge(&mut self, other: &Self) -> bool {
        let mut news = false;
        for (replica, row) in &other.0 {
            let ours = self.0.entry(*replica).or_default();
            news |= ours.added.merge(row.added);
            news |= ours.reset.merge(row.reset);
        }
        news
    }

    fn includes(&self, other: &Self) -> bool {
        other.0.iter().all(|(replica, theirs)| {
            let ours = self.0.get(replica).copied().unwrap_or_default();
            ours.added.updates >= theirs.added.updates && ours.reset.updates >= theirs.reset.updates
        })
    }
}

impl Delta for ResettableCounter {
    /// Updates seen, updates reset.
    type Version = (VersionVector, VersionVector);

    fn version(&self) -> Self::Version {
        let added = self.0.iter().map(|(&replica, row)| (replica, row.added.updates));
        let reset = self.0.iter().map(|(&replica, row)| (replica, row.reset.updates));
        (added.collect(), reset.collect())
    }

    fn delta_since(&self, seen: &Self::Version) -> Self {
        let mut part = Self::new();
        for (&replica, row) in &self.0 {
            let mut lacks = Row::default();
            if row.added.updates > seen.0.get(replica) {
                lacks.added = row.added;
            }
            if row.reset.updates > seen.1.get(replica) {
                lacks.reset = row.reset;
            }
            if lacks != Row::default() {
                part.0.insert(replica, lacks);
            }
        }
        part
    }
}
