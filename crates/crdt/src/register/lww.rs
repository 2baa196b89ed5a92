use crate::clock::Timestamp;
use crate::lattice::{Delta, Lattice};

/// The value with the latest stamp. A concurrent write with an earlier one is lost; where that
/// must not be, see [`MvRegister`](super::MvRegister).
///
/// Stamps come from a [`HybridClock`](crate::clock::HybridClock), which makes a write later than
/// all that it had seen, whatever the wall clocks say, and never makes one stamp twice. Should two
/// writes carry one stamp all the same, the greater value wins everywhere, so that replicas agree.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, clock::HybridClock, register::LwwRegister};
/// use core::time::Duration;
///
/// let ann = HybridClock::new(ReplicaId(1), Duration::from_secs(60));
/// let bob = HybridClock::new(ReplicaId(2), Duration::from_secs(60));
/// let mut name = LwwRegister::new(ann.stamp(5_000)?, "Old");
/// bob.observe(1_000, name.stamp())?;       // bob's clock is 4 s behind, he reads "Old"
/// let mut copy = name.clone();
/// copy.write(bob.stamp(1_001)?, "New");    // and his write still comes after it
/// name.merge(&copy);
/// assert_eq!(*name.get(), "New");
/// # Ok::<(), archstone_crdt::clock::HlcError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LwwRegister<T> {
    pub(crate) stamp: Timestamp,
    pub(crate) value: T,
}

impl<T: Ord + Clone> LwwRegister<T> {
    /// A register with its first value.
    #[must_use]
    pub const fn new(stamp: Timestamp, value: T) -> Self {
        Self { stamp, value }
    }

    /// Writes `value`; whether it counts: an earlier stamp than the register's does not.
    pub fn write(&mut self, stamp: Timestamp, value: T) -> bool {
        self.take(stamp, value)
    }

    fn take(&mut self, stamp: Timestamp, value: T) -> bool {
        let later = (stamp, &value) > (self.stamp, &self.value);
        if later {
            *self = Self { stamp, value };
        }
        later
    }

    /// The value.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.value
    }

    /// When it was written.
    #[must_use]
    pub const fn stamp(&self) -> Timestamp {
        self.stamp
    }
}

impl<T: Ord + Clone> Lattice for LwwRegister<T> {
    fn merge(&mut self, other: &Self) -> bool {
        let later = (other.stamp, &other.value) > (self.stamp, &self.value);
        if later {
            self.clone_from(other);
        }
        later
    }

    fn includes(&self, other: &Self) -> bool {
        (other.stamp, &other.value) <= (self.stamp, &self.value)
    }
}

/// Its version is its stamp; the part that another lacks is the register, or nothing.
impl<T: Ord + Clone> Delta for Option<LwwRegister<T>> {
    type Version = Option<Timestamp>;

    fn version(&self) -> Option<Timestamp> {
        self.as_ref().map(|register| register.stamp)
    }

    fn delta_since(&self, seen: &Option<Timestamp>) -> Self {
        self.clone().filter(|register| Some(register.stamp) > *seen)
    }
}

/// Nothing written yet is the bottom of every register.
impl<T: Ord + Clone> Lattice for Option<LwwRegister<T>> {
    fn merge(&mut self, other: &Self) -> bool {
        match (self.as_mut(), other) {
            (_, None) => false,
            (Some(ours), Some(theirs)) => ours.merge(theirs),
            (None, Some(_)) => {
                self.clone_from(other);
                true
            }
        }
    }
}
