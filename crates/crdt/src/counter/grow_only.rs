use crate::clock::VersionVector;
use crate::id::{Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// A counter that only grows: a count a replica, merged by maximum. 16 bytes a replica.
///
/// A replica that loses its state must come back under a new id: under the old one it would count
/// again from 0 and be swallowed by the maximum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GCounter(pub(crate) VersionVector);

impl GCounter {
    /// Zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(VersionVector::new())
    }

    /// Adds `amount`; the delta.
    ///
    /// # Errors
    /// When the count of `me` would pass `u64::MAX`; nothing was changed.
    pub fn add(&mut self, me: ReplicaId, amount: u64) -> Result<Self, Exhausted> {
        let count = self.0.advance(me, amount)?;
        Ok(Self([(me, count)].into_iter().collect()))
    }

    /// The sum: exact, it may pass `u64::MAX`.
    #[must_use]
    pub fn value(&self) -> u128 {
        sum(&self.0)
    }

    /// What `replica` has counted.
    #[must_use]
    pub fn of(&self, replica: ReplicaId) -> u64 {
        self.0.get(replica)
    }

    /// Moves the count of a replica that is gone for good to `heir`, whose counter this is, and
    /// drops its entry. Every replica must have seen the last count of `gone`, and exactly one
    /// replica does this; the others merge and then [`forget`](Self::forget) it.
    ///
    /// # Errors
    /// When the count of `heir` would pass `u64::MAX`; nothing was changed.
    pub fn retire(&mut self, gone: ReplicaId, heir: ReplicaId) -> Result<(), Exhausted> {
        if gone != heir {
            self.0.advance(heir, self.0.get(gone))?;
            self.0.retire(gone);
        }
        Ok(())
    }

    /// Drops the entry of a replica whose count an heir has taken over.
    pub fn forget(&mut self, gone: ReplicaId) {
        self.0.retire(gone);
    }
}

fn sum(counts: &VersionVector) -> u128 {
    let counts = counts.counts();
    let (sum, bits) = counts
        .iter()
        .fold((0_u64, 0_u64), |(sum, bits), &count| (sum.wrapping_add(count), bits | count));
    // No carry could be lost where the largest count times the number of them fits.
    if bits.leading_zeros() + counts.len().leading_zeros() >= u64::BITS {
        return u128::from(sum);
    }
    counts.iter().map(|&count| u128::from(count)).sum()
}

impl Lattice for GCounter {
    fn merge(&mut self, other: &Self) -> bool {
        self.0.merge(&other.0)
    }

    fn includes(&self, other: &Self) -> bool {
        self.0.includes(&other.0)
    }
}

impl Delta for GCounter {
    type Version = VersionVector;

    fn version(&self) -> VersionVector {
        self.0.clone()
    }

    fn delta_since(&self, seen: &VersionVector) -> Self {
        Self(self.0.delta_since(seen))
    }
}

/// A counter that goes up and down: two [`GCounter`]s.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, counter::PnCounter};
///
/// let mut likes = PnCounter::new();
/// let mut copy = likes.add(ReplicaId(1), 3)?;
/// copy.add(ReplicaId(2), -1)?;
/// likes.merge(&copy);
/// assert_eq!(likes.value(), 2);
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PnCounter {
    pub(crate) up: GCounter,
    pub(crate) down: GCounter,
}

impl PnCounter {
    /// Zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { up: GCounter::new(), down: GCounter::new() }
    }

    /// Adds `amount`, which may be negative; the delta.
    ///
    /// # Errors
    /// When what `me` has added or taken in all would pass `u64::MAX`; nothing was changed.
    pub fn add(&mut self, me: ReplicaId, amount: i64) -> Result<Self, Exhausted> {
        let mut delta = Self::new();
        if amount >= 0 {
            delta.up = self.up.add(me, amount.unsigned_abs())?;
        } else {
            delta.down = self.down.add(me, amount.unsigned_abs())?;
        }
        Ok(delta)
    }

    /// The value: exact for up to 2^63 replicas.
    #[must_use]
    pub fn value(&self) -> i128 {
        self.up.value() as i128 - self.down.value() as i128
    }
}

impl Lattice for PnCounter {
    fn merge(&mut self, other: &Self) -> bool {
        let up = self.up.merge(&other.up);
        let down = self.down.merge(&other.down);
        up || down
    }

    fn includes(&self, other: &Self) -> bool {
        self.up.includes(&other.up) && self.down.includes(&other.down)
    }
}

impl Delta for PnCounter {
    type Version = (VersionVector, VersionVector);

    fn version(&self) -> Self::Version {
        (self.up.version(), self.down.version())
    }

    fn delta_since(&self, seen: &Self::Version) -> Self {
        Self { up: self.up.delta_since(&seen.0), down: self.down.delta_since(&seen.1) }
    }
}
