//! Rendezvous hashing over a skeleton (Wang, Lakshmanan et al.'s virtual hierarchy): O(log n).
//!
//! | | cost |
//! |---|---|
//! | look-up | O(log slots) multiplications, times slots / live expected |
//! | add, remove | O(1), any slot (adding looks for the first free one) |
//! | state | one bit a slot |
//! | balance | the limit |
//! | moves | minimal, both ways; a leaver's keys spread over all survivors |
//!
//! The slots are the leaves of a tree that nobody stores: at each of its nodes the children draw
//! scores for the key, and the highest is entered. Where the literature goes on to the next site of
//! the same cluster when the chosen one is gone, this starts again at the root with other scores, as
//! [`Dx`] does: a leaver's keys then spread over everybody, and balance does not depend on who is
//! missing where.

use crate::buckets::Buckets;
use crate::draw::draw;
use crate::dx::Dx;
use crate::key::Hashed;
use crate::placement::{Locate, NodeIx, PlacementError};

/// Children of a node of the tree.
const FAN: u32 = 4;
/// Descents before the walk.
const DESCENTS: u64 = 1_024;

/// Slots under a virtual tree of fan-out four. A function of the set of live slots: no history.
///
/// The number of slots is fixed and rounded up to a power of four; what no node fills costs
/// look-ups, so choose it near the number of nodes.
///
/// ```
/// use archstone_hashring::{Buckets, Key, Locate, Skeleton};
///
/// let mut skeleton = Skeleton::with_capacity(1_000)?;
/// assert_eq!(skeleton.capacity(), 1_024);
/// for _ in 0..900 {
///     skeleton.grow()?;
/// }
/// assert!(skeleton.locate("user:42".hashed(0)).is_some());
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Dx", into = "Dx"))]
pub struct Skeleton {
    slots: Dx,
    levels: u32,
}

impl Skeleton {
    /// No slot live yet; `capacity` slots or the next power of four, 1 to 2^24.
    ///
    /// # Errors
    /// [`PlacementError::Full`] for 0 and past the limit.
    pub fn with_capacity(capacity: u32) -> Result<Self, PlacementError> {
        crate::anchor::check_capacity(capacity)?;
        let levels = capacity.next_power_of_two().ilog2().div_ceil(2);
        Ok(Self { slots: Dx::with_capacity(FAN.pow(levels))?, levels })
    }

    /// The most slots there can be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The leaf that `key` reaches, from the root down.
    #[inline]
    fn descend(&self, key: u64) -> u32 {
        let mut node = 0_u32;
        for level in 0..self.levels {
            let children = node * FAN;
            let score = |child: u32| {
                // 64 bits of score, the child in place of the last two: no ties.
                let salt = u64::from(level) << 32 | u64::from(children + child);
                draw(key, salt) & !3 | u64::from(child)
            };
            let best = score(0).max(score(1)).max(score(2).max(score(3)));
            node = children + (best & 3) as u32;
        }
        node
    }
}

impl Locate for Skeleton {
    fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        if self.is_empty() {
            return None;
        }
        let mut again = key.0;
        for salt in 0..DESCENTS {
            let slot = NodeIx(self.descend(again));
            if self.slots.is_live(slot) {
                return Some(slot);
            }
            again = draw(key.0, !salt);
        }
        self.slots.walk(self.descend(again))
    }
}

impl Buckets for Skeleton {
    fn grow(&mut self) -> Result<NodeIx, PlacementError> {
        self.slots.grow()
    }

    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError> {
        self.slots.retire(bucket)
    }

    fn is_live(&self, bucket: NodeIx) -> bool {
        self.slots.is_live(bucket)
    }

    fn end(&self) -> u32 {
        self.slots.end()
    }
}

#[cfg(feature = "serde")]
impl From<Skeleton> for Dx {
    fn from(skeleton: Skeleton) -> Self {
        skeleton.slots
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Dx> for Skeleton {
    type Error = &'static str;
    fn try_from(slots: Dx) -> Result<Self, Self::Error> {
        let capacity = slots.capacity() as u32;
        if capacity == 0 {
            return Ok(Self::default());
        }
        let levels = capacity.ilog2().div_ceil(2);
        if FAN.pow(levels) != capacity {
            return Err("slots of a skeleton are a power of four");
        }
        Ok(Self { slots, levels })
    }
}
