//! Who did what: replicas, and the events they number.

use core::fmt;

/// A replica: one writer, one numbering of events.
///
/// Any 64 bits that no other replica has; 0 and `u64::MAX` are as good as others. Two writers
/// under one id break every guarantee: see [`CausalContext::twin`](crate::clock::CausalContext::twin).
/// After a loss of state take a new id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReplicaId(pub u64);

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{:x}", self.0)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl From<u64> for ReplicaId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

/// One event: the `counter`-th of `replica`, counted from 1.
///
/// The pair is unique for ever, so it names what an update wrote and what a removal has seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Whose event.
    pub replica: ReplicaId,
    /// Its number, 1 or more.
    pub counter: u64,
}

impl Dot {
    /// The `counter`-th event of `replica`.
    #[must_use]
    pub const fn new(replica: ReplicaId, counter: u64) -> Self {
        Self { replica, counter }
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.replica, self.counter)
    }
}

/// A number that would pass the end of its range; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Whose number.
    pub replica: ReplicaId,
    /// What it is now.
    pub at: u64,
    /// How much was to be added.
    pub by: u64,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replica, at, by } = self;
        write!(f, "replica {replica} is at {at}; {by} more would pass {}", u64::MAX)
    }
}

impl core::error::Error for Exhausted {}

/// How two versions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Causality {
    /// The same events.
    Equal,
    /// All of ours are among theirs, and they have more.
    Before,
    /// All of theirs are among ours, and we have more.
    After,
    /// Each has events that the other has not. Equal is not concurrent.
    Concurrent,
}

impl Causality {
    /// The relation of the sides exchanged.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
            same => same,
        }
    }

    pub(crate) const fn of(less: bool, greater: bool) -> Self {
        match (less, greater) {
            (false, false) => Self::Equal,
            (true, false) => Self::Before,
            (false, true) => Self::After,
            (true, true) => Self::Concurrent,
        }
    }

    /// As an ordering, where there is one.
    #[must_use]
    pub const fn ordering(self) -> Option<core::cmp::Ordering> {
        match self {
            Self::Equal => Some(core::cmp::Ordering::Equal),
            Self::Before => Some(core::cmp::Ordering::Less),
            Self::After => Some(core::cmp::Ordering::Greater),
            Self::Concurrent => None,
        }
    }
}
