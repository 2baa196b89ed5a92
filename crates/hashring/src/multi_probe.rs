//! Multi-probe consistent hashing (Appleton and O'Reilly 2015): one point a node, many probes a key.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(probes), 21 of them: each a multiplication and about one line |
//! | k-th candidate | O(probes) for each point passed |
//! | add, remove | O(n): the table of points is made anew |
//! | state | 16 bytes a node and its identity |
//! | balance | fullest node over the mean: 1.10 at 21 probes and 100 nodes; see `tests/statistics.rs` |
//! | moves | minimal, both ways |

use crate::draw::{draw, scale};
use crate::key::{Hashed, NodeId};
use crate::members::Members;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use alloc::vec::Vec;
use archstone_core::hash::mix;

/// The most probes.
const MAX_PROBES: usize = 32;
/// Sentinels after the last position, and how many positions a probe compares at once.
const PAD: usize = 4;

/// A circle with one point a node; the node nearest after any of the key's probes owns it.
///
/// All nodes weigh the same. Positions are 64 bits of the identity, and distinct since identities
/// are. `index[b]` is the number of points below bucket `b`, of as many buckets as nodes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot", into = "Snapshot"))]
pub struct MultiProbe {
    members: Members,
    probes: u32,
    /// Positions, ascending, then sentinels.
    positions: Vec<u64>,
    nodes: Vec<NodeIx>,
    index: Vec<u32>,
}

impl MultiProbe {
    /// No members yet, 21 probes a key.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: Members::new(),
            probes: 21,
            positions: Vec::new(),
            nodes: Vec::new(),
            index: Vec::new(),
        }
    }

    /// No members yet, 1 to 32 probes a key. Peers that must agree have the same.
    ///
    /// # Errors
    /// [`PlacementError::Full`] outside that range.
    pub fn with_probes(probes: u32) -> Result<Self, PlacementError> {
        if probes == 0 || probes > MAX_PROBES as u32 {
            let (wanted, limit) = (probes as u64, MAX_PROBES as u64);
            return Err(PlacementError::Full { what: "probes", wanted, limit });
        }
        let mut empty = Self::new();
        empty.probes = probes;
        Ok(empty)
    }

    fn fill(&mut self) {
        let points = self.members.iter().map(|(node, member)| (mix(member.id.0), node));
        let mut points: Vec<(u64, NodeIx)> = points.collect();
        points.sort_unstable();
        self.nodes = points.iter().map(|&(_, node)| node).collect();
        self.positions = points.iter().map(|&(position, _)| position).collect();
        self.positions.resize(points.len() + PAD, u64::MAX);
        let buckets = points.len() as u32;
        let mut rank = 0;
        self.index = (0..buckets)
            .map(|bucket| {
                while rank < points.len() && scale(points[rank].0, buckets) < bucket {
                    rank += 1;
                }
                rank as u32
            })
            .collect();
    }

    /// The rank of the first point at or after `position`; past the last point that of the first.
    #[inline(always)]
    fn first_at(&self, position: u64) -> usize {
        let bucket = scale(position, self.index.len() as u32);
        let mut at = self.index.get(bucket as usize).map_or(0, |&rank| rank as usize);
        while let Some(four) = self.positions.get(at..).and_then(|rest| rest.first_chunk::<PAD>()) {
            let below: usize = four.iter().map(|&point| usize::from(point < position)).sum();
            at += below;
            if below < PAD {
                break;
            }
        }
        if at < self.nodes.len() { at } else { 0 }
    }

    #[inline(always)]
    fn position(&self, rank: usize) -> u64 {
        self.positions.get(rank).copied().unwrap_or(u64::MAX)
    }

    /// The probes, a draw each.
    #[inline(always)]
    fn probes(&self, key: Hashed) -> impl Iterator<Item = u64> + use<> {
        (0..u64::from(self.probes)).map(move |i| draw(key.0, i))
    }
}

impl Default for MultiProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl Locate for MultiProbe {
    fn len(&self) -> usize {
        self.members.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        let (mut best, mut at) = (u64::MAX, 0);
        for probe in self.probes(key) {
            let rank = self.first_at(probe);
            let distance = self.position(rank).wrapping_sub(probe);
            (best, at) = if distance < best { (distance, rank) } else { (best, at) };
        }
        self.nodes.get(at).copied()
    }
}

impl Candidates for MultiProbe {
    type Iter<'a> = ByDistance<'a>;

    fn candidates(&self, key: Hashed) -> ByDistance<'_> {
        let mut walks = [Walk { probe: 0, start: 0, passed: 0 }; MAX_PROBES];
        for (walk, probe) in walks.iter_mut().zip(self.probes(key)) {
            *walk = Walk { probe, start: self.first_at(probe), passed: 0 };
        }
        ByDistance { circle: self, walks, left: self.len() }
    }
}

/// Where the walk from one probe stands.
#[derive(Clone, Copy, Debug)]
struct Walk {
    probe: u64,
    start: usize,
    passed: usize,
}

impl Walk {
    /// Rank and distance of its next point, if it has not been all around.
    fn next(&self, circle: &MultiProbe) -> Option<(u64, usize)> {
        let nodes = circle.nodes.len();
        let rank = self.start + self.passed;
        let rank = if rank >= nodes { rank - nodes } else { rank };
        let distance = circle.position(rank).wrapping_sub(self.probe);
        (self.passed < nodes).then_some((distance, rank))
    }
}

/// Nodes by their distance from the nearest of a key's probes: one walk from each probe, merged.
#[derive(Debug)]
pub struct ByDistance<'a> {
    circle: &'a MultiProbe,
    walks: [Walk; MAX_PROBES],
    left: usize,
}

impl Iterator for ByDistance<'_> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        let probes = self.circle.probes as usize;
        while self.left > 0 {
            let ahead = self.walks[..probes].iter().enumerate();
            let ahead = ahead.filter_map(|(i, walk)| {
                walk.next(self.circle).map(|(distance, rank)| (distance, i, rank))
            });
            let (distance, nearest, rank) = ahead.min()?;
            self.walks[nearest].passed += 1;
            // It was met before if another probe is nearer to it.
            let position = self.circle.position(rank);
            let met = self.walks[..probes]
                .iter()
                .enumerate()
                .any(|(i, walk)| (position.wrapping_sub(walk.probe), i) < (distance, nearest));
            if !met {
                self.left -= 1;
                return self.circle.nodes.get(rank).copied();
            }
        }
        None
    }
}

impl Resize for MultiProbe {
    /// A weight other than one is refused: use [`Ring`](crate::Ring).
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        if weight != Weight::ONE {
            return Err(PlacementError::Weight { weight: weight.get() });
        }
        let node = self.members.add(id, weight)?;
        self.fill();
        Ok(node)
    }

    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        self.members.remove(node)?;
        self.fill();
        Ok(())
    }

    /// A weight other than one is refused: use [`Ring`](crate::Ring).
    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        if weight != Weight::ONE {
            return Err(PlacementError::Weight { weight: weight.get() });
        }
        self.members.reweight(node, weight)
    }
}

/// The members and the probes; the points follow.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot {
    probes: u32,
    members: Members,
}

#[cfg(feature = "serde")]
impl From<MultiProbe> for Snapshot {
    fn from(circle: MultiProbe) -> Self {
        Self { probes: circle.probes, members: circle.members }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Snapshot> for MultiProbe {
    type Error = PlacementError;
    fn try_from(from: Snapshot) -> Result<Self, PlacementError> {
        let mut circle = Self::with_probes(from.probes)?;
        circle.members = from.members;
        crate::members::all_alike(&circle.members)?;
        circle.fill();
        Ok(circle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of candidates is that of the least distance from any probe, by brute force.
    #[test]
    fn candidates_come_by_their_distance_from_the_nearest_probe() {
        for n in [1_u64, 2, 3, 7, 40] {
            let mut circle = MultiProbe::new();
            for i in 0..n {
                circle.add(NodeId(mix(i)), Weight::ONE).unwrap();
            }
            for key in (0..200).map(|i| Hashed(mix(1_000 + i))) {
                let nearest = |node: NodeIx| {
                    let at = mix(circle.members.get(node).unwrap().id.0);
                    circle.probes(key).map(|probe| at.wrapping_sub(probe)).min()
                };
                let mut expected: Vec<NodeIx> = (0..n as u32).map(NodeIx).collect();
                expected.sort_by_key(|&node| nearest(node));
                assert_eq!(circle.candidates(key).collect::<Vec<_>>(), expected);
                assert_eq!(circle.locate(key), Some(expected[0]));
            }
        }
    }
}
