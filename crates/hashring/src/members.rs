//! The members of a placement: identities and weights under dense indices.

use crate::key::NodeId;
use crate::placement::{NodeIx, PlacementError, Weight};
use alloc::vec::Vec;

/// The most members a placement holds.
pub(crate) const MAX_NODES: u64 = 1 << 24;

/// One member.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) weight: Weight,
}

/// Members by index; a freed index is given to the next who joins, smallest first.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Vec<Option<Member>>", into = "Vec<Option<Member>>")
)]
pub(crate) struct Members {
    slots: Vec<Option<Member>>,
    live: usize,
}

impl Members {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), live: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn get(&self, node: NodeIx) -> Result<Member, PlacementError> {
        let member = self.slots.get(node.index()).copied().flatten();
        member.ok_or(PlacementError::Unknown { node })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeIx, Member)> + '_ {
        let named = self.slots.iter().enumerate();
        named.filter_map(|(i, slot)| slot.map(|member| (NodeIx(i as u32), member)))
    }

    /// O(members): the identity must be new.
    pub(crate) fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        if self.iter().any(|(_, member)| member.id == id) {
            return Err(PlacementError::Duplicate { id });
        }
        self.push(id, weight)
    }

    /// [`Members::add`] for an identity that the caller knows to be new.
    pub(crate) fn push(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        let full = self.live == self.slots.len();
        let free = if full { None } else { self.slots.iter().position(Option::is_none) };
        let index = free.unwrap_or(self.slots.len());
        if index as u64 >= MAX_NODES {
            let wanted = index as u64 + 1;
            return Err(PlacementError::Full { what: "nodes", wanted, limit: MAX_NODES });
        }
        if index == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[index] = Some(Member { id, weight });
        self.live += 1;
        Ok(NodeIx(index as u32))
    }

    pub(crate) fn remove(&mut self, node: NodeIx) -> Result<Member, PlacementError> {
        let member = self.get(node)?;
        self.slots[node.index()] = None;
        self.live -= 1;
        Ok(member)
    }

    pub(crate) fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        let member = self.get(node)?;
        self.slots[node.index()] = Some(Member { weight, ..member });
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl From<Members> for Vec<Option<Member>> {
    fn from(members: Members) -> Self {
        members.slots
    }
}

/// What joins and leaves could have left: distinct identities, not too many.
#[cfg(feature = "serde")]
impl TryFrom<Vec<Option<Member>>> for Members {
    type Error = PlacementError;
    fn try_from(slots: Vec<Option<Member>>) -> Result<Self, PlacementError> {
        let wanted = slots.len() as u64;
        if wanted > MAX_NODES {
            return Err(PlacementError::Full { what: "nodes", wanted, limit: MAX_NODES });
        }
        let mut ids: Vec<NodeId> = slots.iter().flatten().map(|member| member.id).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PlacementError::Duplicate { id: pair[0] });
        }
        Ok(Self { live: ids.len(), slots })
    }
}

/// Refuses weights, for placements that have none.
#[cfg(feature = "serde")]
pub(crate) fn all_alike(members: &Members) -> Result<(), PlacementError> {
    match members.iter().find(|(_, member)| member.weight != Weight::ONE) {
        Some((_, member)) => Err(PlacementError::Weight { weight: member.weight.get() }),
        None => Ok(()),
    }
}
