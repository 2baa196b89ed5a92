//! The traits that every placement keeps, and their laws.

use crate::key::{Hashed, NodeId};
#[cfg(doc)]
use crate::topology::MAX_COPIES;
use crate::topology::{Copies, Spread, Topology};
use core::fmt;

/// A node's place in a placement: small, dense, reused only after the node was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// The index for a slice.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node's share relative to the others: finite, over 0, at most [`Weight::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
pub struct Weight(f64);

impl Weight {
    /// The share of an ordinary node.
    pub const ONE: Self = Self(1.0);
    /// The greatest weight, a thousand ordinary nodes.
    pub const MAX: Self = Self(1_000.0);

    /// A weight over 0 and at most [`Weight::MAX`].
    ///
    /// # Errors
    /// [`PlacementError::Weight`] for zero, negatives, NaN and what is larger.
    pub fn new(weight: f64) -> Result<Self, PlacementError> {
        if weight > 0.0 && weight <= Self::MAX.0 {
            Ok(Self(weight))
        } else {
            Err(PlacementError::Weight { weight })
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<f64> for Weight {
    type Error = PlacementError;
    fn try_from(weight: f64) -> Result<Self, PlacementError> {
        Self::new(weight)
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

/// Answers who owns a key.
///
/// Laws, tested once for every placement in `tests/laws.rs`:
/// - L1: `locate` is a function of the key and the members; it is `None` exactly when there are none.
/// - L2: the owner is a live member.
/// - L3: `locate_many` answers as `locate` does, key by key.
pub trait Locate {
    /// Live members.
    fn len(&self) -> usize;

    /// No member at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The owner of `key`, `None` when there are no members.
    fn locate(&self, key: Hashed) -> Option<NodeIx>;

    /// The owners of many keys at once: `out[i]` owns `keys[i]`, up to the shorter of the two.
    ///
    /// Returns the number written, 0 when there are no members.
    fn locate_many(&self, keys: &[Hashed], out: &mut [NodeIx]) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mut written = 0;
        for (&key, slot) in keys.iter().zip(out) {
            *slot = self.locate(key).unwrap_or_default();
            written += 1;
        }
        written
    }
}

/// Answers who comes next: the order in which members are asked for a key.
///
/// Laws: C1 the first candidate is `locate`'s answer; C2 every live member comes exactly once; C3
/// removing a member that is not among the first `k` candidates leaves those `k` alone (placements
/// that only approximate C3 say so).
pub trait Candidates: Locate {
    /// An iterator that does not allocate.
    type Iter<'a>: Iterator<Item = NodeIx>
    where
        Self: 'a;

    /// All live members in the key's order of preference.
    fn candidates(&self, key: Hashed) -> Self::Iter<'_>;

    /// The first `count` candidates, at most [`MAX_COPIES`], at once. Does not allocate.
    fn copies(&self, key: Hashed, count: usize) -> Copies {
        Copies::of(self.candidates(key).take(count))
    }

    /// The nodes that `spread` chooses along the candidates. Does not allocate.
    fn spread(&self, key: Hashed, topology: &Topology, spread: &Spread) -> Copies {
        spread.choose(topology, self.candidates(key))
    }
}

/// Changes the members.
///
/// Laws: M1 (minimal movement) a join moves keys only to the joining node, a leave only from the
/// leaving one, placements that only approximate it state by how much; M2 the placement is a function
/// of the set of (identity, weight), not of the order in which they came.
pub trait Resize {
    /// A member joins.
    ///
    /// # Errors
    /// [`PlacementError::Duplicate`] when the identity is a member already,
    /// [`PlacementError::Full`] past the placement's size.
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError>;

    /// A member leaves.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is none.
    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError>;

    /// A member's weight changes; the other members' shares change only relative to it.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is no member.
    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError>;
}

/// Why members could not change.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlacementError {
    /// A weight that is not over 0 and at most 1,000.
    Weight {
        /// The weight.
        weight: f64,
    },
    /// The identity is a member already.
    Duplicate {
        /// The member.
        id: NodeId,
    },
    /// No such member.
    Unknown {
        /// The index asked for.
        node: NodeIx,
    },
    /// Only the last bucket of this placement can go.
    NotLast {
        /// The bucket asked for.
        node: NodeIx,
        /// The last one.
        last: NodeIx,
    },
    /// More than the placement can hold.
    Full {
        /// What there would be too many of.
        what: &'static str,
        /// How many there would be.
        wanted: u64,
        /// How many there may be.
        limit: u64,
    },
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weight { weight } => {
                write!(f, "weight {weight} is not over 0 and at most {}", Weight::MAX.0)
            }
            Self::Duplicate { id } => write!(f, "node {:016x} is a member already", id.0),
            Self::Unknown { node } => write!(f, "no member has index {}", node.0),
            Self::NotLast { node, last } => {
                write!(f, "bucket {} cannot go, only the last, {}", node.0, last.0)
            }
            Self::Full { what, wanted, limit } => {
                write!(f, "{wanted} {what}, the limit is {limit}")
            }
        }
    }
}

impl core::error::Error for PlacementError {}
