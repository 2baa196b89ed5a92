//! Highest random weight, or rendezvous hashing (Thaler and Ravishankar 1996).
//!
//! | | [`Rendezvous`] | [`WeightedRendezvous`] |
//! |---|---|---|
//! | look-up | O(n): one multiplication a node | O(n): a logarithm a node |
//! | k-th candidate | O(n) each, nothing is sorted | the same |
//! | add, remove | O(n) (a search for the identity) | the same |
//! | state | 16 bytes a node | 24 bytes a node |
//! | balance | the limit | the limit, in exact proportion to the weights |
//! | moves | minimal, both ways; a leaver's keys spread over all survivors | the same |

use crate::key::{Hashed, NodeId};
use crate::members::Members;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use alloc::vec::Vec;

/// Every node draws a score for the key; the highest owns it. All nodes weigh the same.
///
/// The second, third and later candidates are independent of the first, which those of a ring are
/// not: when a node leaves, its keys spread evenly.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Members", into = "Members"))]
pub struct Rendezvous {
    members: Members,
    /// Identity and index of each member, greatest identity first: of equal scores the first wins.
    scan: Vec<(u64, NodeIx)>,
}

/// Rendezvous with weights: a node's share is exactly its weight over the sum (Schindelhauer and
/// Schomaker 2005).
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Members", into = "Members"))]
pub struct WeightedRendezvous {
    members: Members,
    /// Identity, index and `1 / weight`.
    scan: Vec<(u64, NodeIx, f64)>,
}

/// One node's draw for a key: a multiplication folded to 64 bits. Both factors carry the node's
/// random identity, one the key.
#[inline(always)]
fn score(key: u64, id: u64) -> u64 {
    let product = u128::from(key ^ id) * u128::from(id.rotate_left(29) | 1);
    product as u64 ^ (product >> 64) as u64
}

/// Time until a node of that weight would come in a race of exponential clocks; the least wins.
#[inline(always)]
fn race(key: u64, id: u64, inverse_weight: f64) -> f64 {
    // 53 bits in (0, 1]: never 0, so the logarithm is finite.
    let uniform = ((score(key, id) >> 11) as f64 + 0.5) * (1.0 / (1_u64 << 53) as f64);
    -libm::log(uniform) * inverse_weight
}

impl Rendezvous {
    /// No members yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Members::new(), scan: Vec::new() }
    }

    fn rescan(&mut self) {
        self.scan.clear();
        self.scan.extend(self.members.iter().map(|(node, member)| (member.id.0, node)));
        self.scan.sort_unstable_by_key(|&(id, _)| core::cmp::Reverse(id));
    }
}

impl WeightedRendezvous {
    /// No members yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Members::new(), scan: Vec::new() }
    }

    fn rescan(&mut self) {
        let scan = self.members.iter();
        // Of the least weights the reciprocal is infinite, and infinity times the logarithm of 1 no
        // number.
        let inverse = |weight: Weight| (1.0 / weight.get()).min(f64::MAX);
        let scan = scan.map(|(node, member)| (member.id.0, node, inverse(member.weight)));
        self.scan.clear();
        self.scan.extend(scan);
    }
}

impl Locate for Rendezvous {
    fn len(&self) -> usize {
        self.scan.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        // Selects in place of branches, since a new best is as unpredictable as the scores, in
        // lanes, so that one select does not wait for the last.
        const LANES: usize = 4;
        let (mut best, mut at) = ([0_u64; LANES], [0_usize; LANES]);
        let chunks = self.scan.chunks_exact(LANES);
        let rest = chunks.remainder();
        for (i, chunk) in chunks.enumerate() {
            for lane in 0..LANES {
                let drawn = score(key.0, chunk[lane].0);
                let better = drawn > best[lane];
                best[lane] = if better { drawn } else { best[lane] };
                at[lane] = if better { i * LANES + lane } else { at[lane] };
            }
        }
        let tail = self.scan.len() - rest.len();
        let last = (tail..).zip(rest).map(|(i, &(id, _))| (score(key.0, id), i));
        let all = best.into_iter().zip(at).chain(last);
        // Of equal scores the first of the scan, the greatest identity.
        let (_, first) = all.max_by_key(|&(drawn, at)| (drawn, core::cmp::Reverse(at)))?;
        self.scan.get(first).map(|&(_, node)| node)
    }
}

impl Locate for WeightedRendezvous {
    fn len(&self) -> usize {
        self.scan.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        self.candidates(key).next()
    }
}

impl Candidates for Rendezvous {
    type Iter<'a> = ByScore<'a>;

    fn candidates(&self, key: Hashed) -> ByScore<'_> {
        ByScore { scan: &self.scan, key: key.0, last: None }
    }
}

impl Candidates for WeightedRendezvous {
    type Iter<'a> = ByRace<'a>;

    fn candidates(&self, key: Hashed) -> ByRace<'_> {
        ByRace { scan: &self.scan, key: key.0, last: None }
    }
}

/// Nodes by falling score: each step scans for the highest score below the last.
#[derive(Debug)]
pub struct ByScore<'a> {
    scan: &'a [(u64, NodeIx)],
    key: u64,
    last: Option<(u64, u64)>,
}

impl Iterator for ByScore<'_> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        let drawn = self.scan.iter().map(|&(id, node)| ((score(self.key, id), id), node));
        let below = drawn.filter(|&(place, _)| self.last.is_none_or(|last| place < last));
        let (place, node) = below.max_by_key(|&(place, _)| place)?;
        self.last = Some(place);
        Some(node)
    }
}

/// Nodes in the order in which they win the race: each step scans for the least time after the last.
#[derive(Debug)]
pub struct ByRace<'a> {
    scan: &'a [(u64, NodeIx, f64)],
    key: u64,
    last: Option<(f64, u64)>,
}

impl Iterator for ByRace<'_> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        let mut best: Option<((f64, u64), NodeIx)> = None;
        for &(id, node, inverse) in self.scan {
            let place = (race(self.key, id, inverse), id);
            let after = self.last.is_none_or(|last| place > last);
            if after && best.is_none_or(|(least, _)| place < least) {
                best = Some((place, node));
            }
        }
        let (place, node) = best?;
        self.last = Some(place);
        Some(node)
    }
}

impl Resize for Rendezvous {
    /// A weight other than one is refused: use [`WeightedRendezvous`].
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        if weight != Weight::ONE {
            return Err(PlacementError::Weight { weight: weight.get() });
        }
        let node = self.members.add(id, weight)?;
        self.rescan();
        Ok(node)
    }

    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        self.members.remove(node)?;
        self.rescan();
        Ok(())
    }

    /// A weight other than one is refused: use [`WeightedRendezvous`].
    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        if weight != Weight::ONE {
            return Err(PlacementError::Weight { weight: weight.get() });
        }
        self.members.reweight(node, weight)
    }
}

impl Resize for WeightedRendezvous {
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        let node = self.members.add(id, weight)?;
        self.rescan();
        Ok(node)
    }

    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        self.members.remove(node)?;
        self.rescan();
        Ok(())
    }

    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        self.members.reweight(node, weight)?;
        self.rescan();
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl From<Rendezvous> for Members {
    fn from(nodes: Rendezvous) -> Self {
        nodes.members
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Members> for Rendezvous {
    type Error = PlacementError;
    fn try_from(members: Members) -> Result<Self, PlacementError> {
        crate::members::all_alike(&members)?;
        let mut nodes = Self { members, scan: Vec::new() };
        nodes.rescan();
        Ok(nodes)
    }
}

#[cfg(feature = "serde")]
impl From<WeightedRendezvous> for Members {
    fn from(nodes: WeightedRendezvous) -> Self {
        nodes.members
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Members> for WeightedRendezvous {
    type Error = PlacementError;
    fn try_from(members: Members) -> Result<Self, PlacementError> {
        let mut nodes = Self { members, scan: Vec::new() };
        nodes.rescan();
        Ok(nodes)
    }
}
