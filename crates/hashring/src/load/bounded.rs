//! Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018).

use crate::key::{Hashed, NodeId};
use crate::placement::{Candidates, NodeIx, PlacementError, Resize, Weight};
use alloc::vec::Vec;
use core::fmt;

/// A placement whose nodes take at most `c` times their share of the leases.
///
/// A key goes to the first of its candidates that is below its bound, `ceil(c * (held + 1) *
/// weight / all weights)`: at `c = 1.25` about 4.5 candidates are looked at in the worst case, at
/// `c = 2` one or two. What the bound is measured by are leases: requests, connections, tasks under
/// way. It binds when a lease is given; one given before stays when others are returned or a node
/// joins and the mean falls.
///
/// Members may change while leases are out: a lease of a node that has left, or whose index was
/// given to another since, is returned to nobody.
///
/// ```
/// use archstone_hashring::load::Bounded;
/// use archstone_hashring::{Key, NodeId, Ring, Weight};
///
/// let mut workers = Bounded::new(Ring::new(), 1.25)?;
/// for name in ["a", "b", "c", "d"] {
///     workers.join(NodeId::of(name), Weight::ONE)?;
/// }
/// // One key alone asks eight times: no worker takes more than ceil(1.25 * 8 / 4) = 3.
/// let leases: Vec<_> = (0..8).filter_map(|_| workers.acquire("popular".hashed(0))).collect();
/// assert_eq!(leases.len(), 8);
/// assert!(leases.iter().all(|lease| workers.load(lease.node()) <= Some(3)));
/// for lease in leases {
///     workers.release(lease);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot<P>", into = "Snapshot<P>"))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "P: Clone + serde::Serialize",
        deserialize = "P: crate::Locate + serde::Deserialize<'de>"
    ))
)]
pub struct Bounded<P> {
    placement: P,
    factor: f64,
    loads: Vec<Load>,
    /// Leases held by live nodes.
    held: u64,
    /// Sum of the weights of live nodes, in the order of their indices.
    weights: f64,
}

/// One index's leases. It outlives its node, so that a late lease finds that the node is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Load {
    /// The live node's weight.
    weight: Option<Weight>,
    held: u64,
    /// How many nodes have had this index before.
    generation: u64,
}

/// The right to one unit of a node's capacity, until [`Bounded::release`].
///
/// It can be stored or sent; dropping it keeps the unit taken for ever.
#[must_use = "release it, or the unit stays taken"]
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    node: NodeIx,
    generation: u64,
}

impl Lease {
    /// Who serves it.
    #[must_use]
    pub const fn node(&self) -> NodeIx {
        self.node
    }
}

/// A factor that is no bound, or members that are there before their loads are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BoundedError {
    /// Below 1, over 1,000, or NaN.
    Factor {
        /// The factor.
        factor: f64,
    },
    /// The placement has members already; they must join through [`Bounded::join`].
    Members {
        /// How many.
        members: usize,
    },
}

impl fmt::Display for BoundedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factor { factor } => write!(f, "factor {factor}, it must be 1 to 1000"),
            Self::Members { members } => write!(f, "{members} members, there must be none yet"),
        }
    }
}

impl core::error::Error for BoundedError {}

impl<P: Candidates + Resize> Bounded<P> {
    /// Bounded loads over an empty placement; `factor` is `c`, 1 (everybody equally full) to 1,000.
    ///
    /// # Errors
    /// [`BoundedError`] for another factor or a placement with members.
    pub fn new(placement: P, factor: f64) -> Result<Self, BoundedError> {
        check_factor(factor)?;
        if !placement.is_empty() {
            return Err(BoundedError::Members { members: placement.len() });
        }
        Ok(Self { placement, factor, loads: Vec::new(), held: 0, weights: 0.0 })
    }

    /// A node joins, without load.
    ///
    /// # Errors
    /// Those of [`Resize::add`].
    pub fn join(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        let node = self.placement.add(id, weight)?;
        if node.index() >= self.loads.len() {
            let never = Load { weight: None, held: 0, generation: 0 };
            self.loads.resize(node.index() + 1, never);
        }
        self.loads[node.index()].weight = Some(weight);
        self.sum();
        Ok(node)
    }

    /// A node leaves; its leases end with it.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is no member.
    pub fn leave(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        self.placement.remove(node)?;
        if let Some(load) = self.loads.get_mut(node.index()) {
            *load = Load { weight: None, held: 0, generation: load.generation + 1 };
        }
        self.sum();
        Ok(())
    }

    /// A node's weight changes, and with it its bound.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is no member.
    pub fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        self.placement.reweight(node, weight)?;
        if let Some(load) = self.loads.get_mut(node.index()) {
            load.weight = Some(weight);
        }
        self.sum();
        Ok(())
    }

    /// The first candidate of `key` below its bound takes one more; `None` when there are no nodes.
    pub fn acquire(&mut self, key: Hashed) -> Option<Lease> {
        let scale = self.factor * (self.held + 1) as f64 / self.weights;
        let free = |node: &NodeIx| self.loads[node.index()].is_below(scale);
        // The bounds sum to at least held + 1, so somebody is free.
        let node = self.placement.candidates(key).find(free)?;
        let load = &mut self.loads[node.index()];
        load.held += 1;
        self.held += 1;
        Some(Lease { node, generation: load.generation })
    }

    /// A lease is returned. Whether its node was still there.
    pub fn release(&mut self, lease: Lease) -> bool {
        let load = self.loads.get_mut(lease.node.index());
        let load = load.filter(|load| load.weight.is_some() && load.generation == lease.generation);
        let Some(load) = load.filter(|load| load.held > 0) else { return false };
        load.held -= 1;
        self.held -= 1;
        true
    }

    /// The sums are made anew with each change of members: a running sum of weights would drift.
    fn sum(&mut self) {
        let live = self.loads.iter().filter_map(|load| load.weight.map(|w| (w.get(), load.held)));
        (self.weights, self.held) =
            live.fold((0.0, 0), |(w, h), (weight, held)| (w + weight, h + held));
    }
}

impl<P> Bounded<P> {
    /// Leases that a node holds; `None` when it is no member.
    #[must_use]
    pub fn load(&self, node: NodeIx) -> Option<u64> {
        let load = self.loads.get(node.index()).filter(|load| load.weight.is_some());
        load.map(|load| load.held)
    }

    /// Leases that all live nodes hold.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// The placement below.
    pub const fn placement(&self) -> &P {
        &self.placement
    }
}

impl Load {
    /// `held < ceil(scale * weight)`, without the ceiling.
    fn is_below(&self, scale: f64) -> bool {
        self.weight.is_some_and(|weight| (self.held as f64) < scale * weight.get())
    }
}

fn check_factor(factor: f64) -> Result<(), BoundedError> {
    if (1.0..=1_000.0).contains(&factor) { Ok(()) } else { Err(BoundedError::Factor { factor }) }
}

#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot<P> {
    placement: P,
    factor: f64,
    loads: Vec<Load>,
}

#[cfg(feature = "serde")]
impl<P> From<Bounded<P>> for Snapshot<P> {
    fn from(from: Bounded<P>) -> Self {
        Self { placement: from.placement, factor: from.factor, loads: from.loads }
    }
}

#[cfg(feature = "serde")]
impl<P: crate::Locate> TryFrom<Snapshot<P>> for Bounded<P> {
    type Error = &'static str;
    fn try_from(from: Snapshot<P>) -> Result<Self, Self::Error> {
        let Snapshot { placement, factor, loads } = from;
        check_factor(factor).map_err(|_| "factor must be 1 to 1000")?;
        let live = loads.iter().filter_map(|load| load.weight.map(|w| (w.get(), load.held)));
        let (mut weights, mut held, mut nodes) = (0.0, 0_u64, 0);
        for (weight, leases) in live {
            weights += weight;
            nodes += 1;
            held = held.checked_add(leases).ok_or("more leases than 2^64")?;
        }
        if nodes != placement.len() {
            return Err("loads and members differ");
        }
        Ok(Self { placement, factor, loads, held, weights })
    }
}
