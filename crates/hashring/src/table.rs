//! Any placement frozen into slots: one shift and one load a look-up.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1): about that of a bare modulo |
//! | change | O(slots) look-ups of the placement behind it |
//! | state | 4 bytes a slot |
//! | balance, moves | the placement's, in units of a slot |

use crate::key::Hashed;
use crate::placement::{Locate, NodeIx, PlacementError};
use alloc::vec::Vec;

/// A placement compiled to `2^bits` slots: all keys of a slot go where the slot's middle goes.
///
/// Since a slot is placed like a key, movement stays minimal slot by slot. A fixed number of slots
/// is also what a cluster publishes when its clients cannot run the placement themselves.
///
/// ```
/// use archstone_hashring::{Key, Locate, NodeId, Rendezvous, Resize, Table, Weight};
///
/// let mut placement = Rendezvous::new();
/// for i in 0..100 {
///     placement.add(NodeId::of(&format!("shard-{i}")), Weight::ONE)?;
/// }
/// let table = Table::compile(&placement, 14)?; // 16,384 slots, as Redis Cluster has
/// assert!(table.locate("user:42".hashed(0)).is_some());
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "(Vec<u32>, usize)", into = "(Vec<u32>, usize)"))]
pub struct Table {
    slots: Vec<u32>,
    shift: u32,
    nodes: usize,
}

impl Table {
    /// `placement` in `2^bits` slots, `bits` from 1 to 28.
    ///
    /// # Errors
    /// [`PlacementError::Full`] for other sizes.
    pub fn compile(placement: &impl Locate, bits: u32) -> Result<Self, PlacementError> {
        if !(1..=28).contains(&bits) {
            let wanted = bits.into();
            return Err(PlacementError::Full { what: "bits of slots", wanted, limit: 28 });
        }
        let shift = 64 - bits;
        let middle = 1_u64 << (shift - 1);
        let owner = |slot: u64| placement.locate(Hashed(slot << shift | middle));
        let slots = (0..1_u64 << bits).map_while(|slot| owner(slot).map(|node| node.0));
        let slots: Vec<u32> = slots.collect();
        // An empty table has no size to remember.
        let shift = if slots.is_empty() { 63 } else { shift };
        Ok(Self { slots, shift, nodes: placement.len() })
    }

    /// The slot of a key.
    #[must_use]
    #[inline]
    pub const fn slot(&self, key: Hashed) -> usize {
        (key.0 >> self.shift) as usize
    }

    /// The slots, each with the index of its node; empty when the placement was.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }
}

impl Locate for Table {
    fn len(&self) -> usize {
        self.nodes
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        self.slots.get(self.slot(key)).map(|&node| NodeIx(node))
    }
}

#[cfg(feature = "serde")]
impl From<Table> for (Vec<u32>, usize) {
    fn from(table: Table) -> Self {
        (table.slots, table.nodes)
    }
}

/// The slots are a power of two, or none when there are no nodes.
#[cfg(feature = "serde")]
impl TryFrom<(Vec<u32>, usize)> for Table {
    type Error = &'static str;
    fn try_from((slots, nodes): (Vec<u32>, usize)) -> Result<Self, Self::Error> {
        let bits = slots.len().checked_ilog2().unwrap_or(1);
        let whole = slots.is_empty() || (slots.len().is_power_of_two() && (1..=28).contains(&bits));
        if !whole || slots.is_empty() != (nodes == 0) {
            return Err("slots must be 2^1 to 2^28, and none exactly when there are no nodes");
        }
        Ok(Self { slots, shift: 64 - bits, nodes })
    }
}
