//! Maglev's look-up table (Eisenbud et al. 2016).
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1): one load |
//! | add, remove, reweight | O(table): it is built anew |
//! | state | 4 bytes a slot, and while it is built O(n) more |
//! | balance | every node within one slot of its weight's share |
//! | moves | nearly minimal: with a table of M slots and n nodes about `n / M` of the keys move between nodes that stayed |

use crate::key::{Hashed, NodeId};
use crate::members::Members;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use crate::walk::Walk;
use alloc::vec::Vec;
use archstone_core::hash::hash_u64;

/// The most slots of a table.
const MAX_SLOTS: u32 = 1 << 28;

/// A table of a fixed prime number of slots, filled by each node's own permutation in turn.
///
/// The size must not follow the number of nodes: with another size almost every key moves. Choose
/// it once, at least a hundred slots a node at the largest (the default, 65,537, serves 650).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot", into = "Snapshot"))]
pub struct Maglev {
    members: Members,
    size: u32,
    slots: Vec<u32>,
}

impl Maglev {
    /// An empty table of 65,537 slots.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Members::new(), size: 65_537, slots: Vec::new() }
    }

    /// An empty table of `slots` slots or the next prime above, up to 2^28.
    ///
    /// # Errors
    /// [`PlacementError::Full`] for 0 and past the limit.
    pub fn with_slots(slots: u32) -> Result<Self, PlacementError> {
        if slots == 0 || slots > MAX_SLOTS {
            let (wanted, limit) = (slots.into(), MAX_SLOTS.into());
            return Err(PlacementError::Full { what: "slots", wanted, limit });
        }
        let mut maglev = Self::new();
        maglev.size = (slots.max(2)..).find(|&n| is_prime(n)).unwrap_or(slots);
        Ok(maglev)
    }

    /// A table of these members: filled once in place of once for each.
    ///
    /// # Errors
    /// As [`Resize::add`].
    pub fn build(
        mut self,
        members: impl IntoIterator<Item = (NodeId, Weight)>,
    ) -> Result<Self, PlacementError> {
        for (id, weight) in members {
            self.members.add(id, weight)?;
        }
        self.check_size()?;
        self.fill();
        Ok(self)
    }

    /// The slots, each with the index of its node.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    fn check_size(&self) -> Result<(), PlacementError> {
        // Below one slot a node some node could get none, and L2 of `candidates` would fail.
        let wanted = self.members.len() as u64;
        if wanted > u64::from(self.size) {
            return Err(PlacementError::Full { what: "nodes", wanted, limit: self.size.into() });
        }
        Ok(())
    }

    /// Algorithm 1 of the paper with one running position a node in place of the n x M permutations,
    /// and turns in proportion to the weights.
    fn fill(&mut self) {
        struct Turn {
            node: u32,
            at: u32,
            skip: u32,
            share: f64,
            due: f64,
        }
        const FREE: u32 = u32::MAX;
        self.slots.clear();
        let heaviest = self.members.iter().map(|(_, m)| m.weight.get()).fold(0.0, f64::max);
        let mut turns: Vec<(NodeId, Turn)> = self
            .members
            .iter()
            .map(|(node, member)| {
                let at = (hash_u64(member.id.0, 1) % u64::from(self.size)) as u32;
                let skip = (hash_u64(member.id.0, 2) % (u64::from(self.size) - 1)) as u32 + 1;
                let share = member.weight.get() / heaviest;
                (member.id, Turn { node: node.0, at, skip, share, due: 0.0 })
            })
            .collect();
        if turns.is_empty() {
            return;
        }
        // M2: the order of turns is that of the identities, not of the joins.
        turns.sort_unstable_by_key(|&(id, _)| id);
        self.slots.resize(self.size as usize, FREE);
        let mut free = self.size;
        // Every node takes one slot before the weights count, so that the lightest is reachable.
        let mut first = true;
        loop {
            for (_, turn) in &mut turns {
                turn.due += if first { 1.0 } else { turn.share };
                if turn.due < 1.0 {
                    continue;
                }
                turn.due -= 1.0;
                // The size is prime, so the permutation reaches every slot.
                while self.slots[turn.at as usize] != FREE {
                    turn.at = step(turn.at, turn.skip, self.size);
                }
                self.slots[turn.at as usize] = turn.node;
                free -= 1;
                if free == 0 {
                    return;
                }
            }
            first = false;
        }
    }
}

/// `(at + skip) mod size`; both are below `size`, which is at most 2^28 and a little.
fn step(at: u32, skip: u32, size: u32) -> u32 {
    let next = at + skip;
    if next >= size { next - size } else { next }
}

fn is_prime(n: u32) -> bool {
    n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

impl Default for Maglev {
    fn default() -> Self {
        Self::new()
    }
}

impl Maglev {
    #[inline]
    fn slot(&self, key: Hashed) -> usize {
        // Multiply-shift in place of a division: slot = floor(key * M / 2^64).
        ((u128::from(key.0) * u128::from(self.size)) >> 64) as usize
    }
}

impl Locate for Maglev {
    fn len(&self) -> usize {
        self.members.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        self.slots.get(self.slot(key)).map(|&node| NodeIx(node))
    }
}

impl Candidates for Maglev {
    type Iter<'a> = MaglevWalk<'a>;

    /// The nodes of the slots from the key's on. C3 holds approximately, as the table itself does.
    fn candidates(&self, key: Hashed) -> MaglevWalk<'_> {
        MaglevWalk(Walk::new(&self.slots[..], self.slot(key), self.members.len()))
    }
}

/// The distinct nodes of a [`Maglev`] table from a key's slot on.
#[derive(Debug)]
pub struct MaglevWalk<'a>(Walk<'a, [u32]>);

impl Iterator for MaglevWalk<'_> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        self.0.next()
    }
}

impl Resize for Maglev {
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        let node = self.members.add(id, weight)?;
        if let Err(full) = self.check_size() {
            self.members.remove(node)?;
            return Err(full);
        }
        self.fill();
        Ok(node)
    }

    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        self.members.remove(node)?;
        self.fill();
        Ok(())
    }

    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        self.members.reweight(node, weight)?;
        self.fill();
        Ok(())
    }
}

/// The members and the size; the slots follow.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot {
    size: u32,
    members: Members,
}

#[cfg(feature = "serde")]
impl From<Maglev> for Snapshot {
    fn from(table: Maglev) -> Self {
        Self { size: table.size, members: table.members }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Snapshot> for Maglev {
    type Error = PlacementError;
    fn try_from(from: Snapshot) -> Result<Self, PlacementError> {
        let mut table = Self::with_slots(from.size)?;
        table.members = from.members;
        table.check_size()?;
        table.fill();
        Ok(table)
    }
}
