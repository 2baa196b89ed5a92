//! Named members over any placement.

use crate::key::{Key, NodeId};
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use crate::topology::{Copies, Place, Spread, Topology};
use alloc::vec::Vec;

/// The version of a membership: one more with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(pub u64);

/// Nodes of any type under a placement: who owns a key, who holds its copies, since which epoch.
///
/// A node's identity is the hash of its name (any [`Key`]: `String`, `&str`, an integer), so
/// clusters whose members joined in another order agree; two names with equal 64-bit hashes are
/// refused as duplicates. Look-ups borrow: `owner("user:42")`.
///
/// ```
/// use archstone_hashring::{Cluster, Ring, Weight};
///
/// let mut cluster = Cluster::new(Ring::new());
/// for name in ["cache-a", "cache-b", "cache-c"] {
///     cluster.join(name, Weight::ONE)?;
/// }
/// let owner = *cluster.owner("user:42").unwrap();
/// let copies: Vec<_> = cluster.replicas("user:42", 2).copied().collect();
/// assert_eq!(copies[0], owner);
/// assert_ne!(copies[0], copies[1]);
///
/// cluster.leave(&owner)?;
/// assert_eq!(cluster.owner("user:42"), Some(&copies[1]), "the second copy takes over");
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot<N, P>", into = "Snapshot<N, P>"))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "N: Clone + serde::Serialize, P: Clone + serde::Serialize",
        deserialize = "N: Eq + serde::Deserialize<'de>, P: Locate + serde::Deserialize<'de>"
    ))
)]
pub struct Cluster<N, P> {
    placement: P,
    nodes: Vec<Option<N>>,
    topology: Topology,
    seed: u64,
    epoch: Epoch,
}

/// Node names hash with a seed of their own, so that a key equal to a name is not drawn to it.
const NODE_SEED: u64 = 0x006e_6f64_6573;

impl<N: Key + Eq, P: Locate + Resize> Cluster<N, P> {
    /// A cluster over an empty placement; keys hash with seed 0.
    #[must_use]
    pub const fn new(placement: P) -> Self {
        Self::with_seed(placement, 0)
    }

    /// A cluster whose keys hash with `seed`: clusters that must place independently differ in it.
    #[must_use]
    pub const fn with_seed(placement: P, seed: u64) -> Self {
        let topology = Topology::new();
        Self { placement, nodes: Vec::new(), topology, seed, epoch: Epoch(0) }
    }

    /// A node joins at the default place.
    ///
    /// # Errors
    /// [`PlacementError::Duplicate`] for a name that is a member already, and the placement's own.
    pub fn join(&mut self, node: N, weight: Weight) -> Result<Epoch, PlacementError> {
        self.join_at(node, weight, Place::default())
    }

    /// A node joins in a zone and rack.
    ///
    /// # Errors
    /// As [`Cluster::join`].
    pub fn join_at(&mut self, node: N, weight: Weight, at: Place) -> Result<Epoch, PlacementError> {
        let id = NodeId(node.hashed(NODE_SEED).0);
        let index = self.placement.add(id, weight)?;
        if index.index() >= self.nodes.len() {
            self.nodes.resize_with(index.index() + 1, || None);
        }
        self.nodes[index.index()] = Some(node);
        self.topology.put(index, at);
        Ok(self.advance())
    }

    /// A node leaves.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is no member.
    pub fn leave(&mut self, node: &N) -> Result<Epoch, PlacementError> {
        let index = self.index_of(node)?;
        self.placement.remove(index)?;
        self.nodes[index.index()] = None;
        self.topology.take(index);
        Ok(self.advance())
    }

    /// A node's weight changes.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is no member.
    pub fn reweight(&mut self, node: &N, weight: Weight) -> Result<Epoch, PlacementError> {
        let index = self.index_of(node)?;
        self.placement.reweight(index, weight)?;
        Ok(self.advance())
    }

    fn advance(&mut self) -> Epoch {
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        self.epoch
    }
}

impl<N: Eq, P: Locate> Cluster<N, P> {
    /// The owner of a key, `None` in an empty cluster.
    pub fn owner<K: Key + ?Sized>(&self, key: &K) -> Option<&N> {
        let node = self.placement.locate(key.hashed(self.seed))?;
        self.node(node)
    }

    /// The node of an index of the placement.
    pub fn node(&self, node: NodeIx) -> Option<&N> {
        self.nodes.get(node.index())?.as_ref()
    }

    /// The index of a node: O(members).
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is no member.
    pub fn index_of(&self, node: &N) -> Result<NodeIx, PlacementError> {
        let at = self.nodes.iter().position(|slot| slot.as_ref() == Some(node));
        let unknown = PlacementError::Unknown { node: NodeIx(u32::MAX) };
        at.map(|at| NodeIx(at as u32)).ok_or(unknown)
    }

    /// The members, in the order of their indices.
    pub fn nodes(&self) -> impl Iterator<Item = &N> {
        self.nodes.iter().flatten()
    }

    /// Members.
    pub fn len(&self) -> usize {
        self.placement.len()
    }

    /// No member at all.
    pub fn is_empty(&self) -> bool {
        self.placement.is_empty()
    }

    /// The version of the membership.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The placement behind the names.
    pub const fn placement(&self) -> &P {
        &self.placement
    }

    /// Where the nodes stand.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }
}

impl<N: Eq, P: Candidates> Cluster<N, P> {
    /// The first `copies` distinct nodes for a key, the owner first; fewer when there are fewer.
    pub fn replicas<K: Key + ?Sized>(&self, key: &K, copies: usize) -> impl Iterator<Item = &N> {
        let candidates = self.placement.candidates(key.hashed(self.seed));
        candidates.take(copies).filter_map(|node| self.node(node))
    }

    /// The nodes that hold a key's copies under `spread`: zones served, racks apart.
    pub fn spread<K: Key + ?Sized>(&self, key: &K, spread: &Spread) -> Copies {
        self.placement.spread(key.hashed(self.seed), &self.topology, spread)
    }
}

#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot<N, P> {
    placement: P,
    nodes: Vec<Option<N>>,
    topology: Topology,
    seed: u64,
    epoch: Epoch,
}

#[cfg(feature = "serde")]
impl<N, P> From<Cluster<N, P>> for Snapshot<N, P> {
    fn from(from: Cluster<N, P>) -> Self {
        let Cluster { placement, nodes, topology, seed, epoch } = from;
        Self { placement, nodes, topology, seed, epoch }
    }
}

/// As many names as members, each at its place. Which name has which index is taken on trust.
#[cfg(feature = "serde")]
impl<N: Eq, P: Locate> TryFrom<Snapshot<N, P>> for Cluster<N, P> {
    type Error = &'static str;
    fn try_from(from: Snapshot<N, P>) -> Result<Self, Self::Error> {
        let Snapshot { placement, nodes, topology, seed, epoch } = from;
        let named = nodes.iter().flatten().count();
        let mut places = (0..).map(NodeIx).zip(&nodes);
        let placed = places.all(|(at, node)| node.is_some() == topology.place(at).is_some());
        if named != placement.len() || !placed {
            return Err("nodes, members and places differ");
        }
        Ok(Self { placement, nodes, topology, seed, epoch })
    }
}
