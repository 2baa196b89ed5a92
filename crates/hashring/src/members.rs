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
