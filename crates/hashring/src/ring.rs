//! The consistent-hashing ring (Karger et al. 1997) with virtual nodes and no search: a point stands
//! where its position says.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1): as a rule one cache line |
//! | add, remove, reweight | O(points of the node), expected; now and then O(points) for more room |
//! | state | 11 to 12.4 bytes a point: at 160 points, under 1,990 bytes a node |
//! | balance | standard deviation of a node's share: `1 / sqrt(points)`, 7.9 % at 160 |
//! | moves | minimal, both ways |
//!
//! Invariant R1: points ascend by (position, identity of the node), so equal positions are ordered by
//! name and the first wins, whoever joined first. The table itself is in `points.rs`.

use crate::key::{Hashed, NodeId};
use crate::members::Members;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use crate::points::{Points, pack, unpack};
use crate::topology::{Copies, MAX_COPIES, Spread, Topology};
use crate::walk::Walk;
use alloc::vec::Vec;
use archstone_core::hash::mix;

/// Places looked at together for racks: three of three are met within as many in nine of ten keys.
const WINDOW: usize = 12;
/// Copies chosen so; those of one window fit besides.
const FEW: usize = MAX_COPIES - WINDOW;

/// The most points a ring holds.
const MAX_POINTS: u64 = 1 << 30;

/// A ring of virtual nodes. The owner of a key is the node of the first point at or after it.
///
/// Positions are 32 bits, the top half of the hash. A node of weight `w` has `w * points` points,
/// rounded, at least one, so the lightest node stays reachable; changing its weight moves no other
/// node's points.
///
/// ```
/// use archstone_hashring::{Key, Locate, NodeId, Resize, Ring, Weight};
///
/// let mut ring = Ring::new();
/// for name in ["a", "b", "c"] {
///     ring.add(NodeId::of(name), Weight::ONE)?;
/// }
/// let before = ring.locate("user:42".hashed(0));
/// let d = ring.add(NodeId::of("d"), Weight::ONE)?;
/// let after = ring.locate("user:42".hashed(0));
/// assert!(after == before || after == Some(d), "a key moves to the new node or not at all");
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot", into = "Snapshot"))]
pub struct Ring {
    members: Members,
    points_a_node: u32,
    points: Points,
}

impl Ring {
    /// An empty ring of 160 points a node, as ketama and nginx have.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Members::new(), points_a_node: 160, points: Points::new() }
    }

    /// An empty ring of `points` points for a node of weight 1, 1 to 65,536.
    ///
    /// # Errors
    /// [`PlacementError::Full`] outside that range.
    pub const fn with_points(points: u32) -> Result<Self, PlacementError> {
        if points == 0 || points > 1 << 16 {
            let wanted = points as u64;
            return Err(PlacementError::Full { what: "points a node", wanted, limit: 1 << 16 });
        }
        let mut ring = Self::new();
        ring.points_a_node = points;
        Ok(ring)
    }

    /// A ring of these members: one sort in place of a merge for each.
    ///
    /// # Errors
    /// As [`Resize::add`].
    pub fn build(
        self,
        members: impl IntoIterator<Item = (NodeId, Weight)>,
    ) -> Result<Self, PlacementError> {
        let mut ring = self;
        let members: Vec<_> = members.into_iter().collect();
        let mut ids: Vec<NodeId> = members.iter().map(|&(id, _)| id).collect();
        ids.extend(ring.members.iter().map(|(_, member)| member.id));
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PlacementError::Duplicate { id: pair[0] });
        }
        let wanted: u64 = members.iter().map(|&(_, w)| u64::from(ring.points_of(w))).sum();
        ring.check_points(wanted)?;
        let mut new = Vec::with_capacity(members.len());
        for (id, weight) in members {
            new.push((id, ring.members.push(id, weight)?, ring.points_of(weight)));
        }
        let new = new.iter().flat_map(|&(id, node, count)| points_at(id, node, count));
        ring.points = Points::from_unsorted(ring.points.iter().chain(new), ring.order());
        Ok(ring)
    }

    /// Points on the ring. Two points of one node at one position, of 2^32, are one.
    #[must_use]
    pub const fn point_count(&self) -> usize {
        self.points.len()
    }

    /// Bytes of the points on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.points.heap_bytes()
    }

    /// The identity of a member.
    #[must_use]
    pub fn id(&self, node: NodeIx) -> Option<NodeId> {
        self.members.get(node).ok().map(|member| member.id)
    }

    /// The points in order: the position in the top 32 bits of a key's hash, and the node.
    pub fn arcs(&self) -> impl Iterator<Item = (u32, NodeIx)> + '_ {
        self.points.iter().map(unpack)
    }

    /// The position of the first point at or after `position`, `None` past the last.
    pub(crate) fn next_position(&self, position: u32) -> Option<u32> {
        let (found, _) = unpack(self.points.next(position)?);
        (found >= position).then_some(found)
    }

    /// The first `N` distinct nodes from the key on; `None` where they are not met before the end of
    /// the table. There are as many. The next point is a step whose length is computed, so the only
    /// branch of a node is whether it is there already, which is rare.
    #[inline]
    fn first<const N: usize>(&self, key: Hashed) -> Option<[NodeIx; N]> {
        let mut at = self.points.first_at((key.0 >> 32) as u32)?;
        let mut nodes = [NodeIx(u32::MAX); N];
        for i in 0..N {
            loop {
                let (point, next) = self.points.step(at)?;
                at = next;
                let node = unpack(point).1;
                if nodes[..i].iter().fold(true, |new, &other| new & (other != node)) {
                    nodes[i] = node;
                    break;
                }
            }
        }
        // The sentinels after the last point have no node's index.
        (nodes[N - 1] != NodeIx(u32::MAX)).then_some(nodes)
    }

    /// [`Candidates::copies`] along the candidates.
    #[inline(never)]
    fn walked(&self, key: Hashed, count: usize) -> Copies {
        Copies::of(self.candidates(key).take(count))
    }

    /// The first `count` nodes of distinct racks, at most [`FEW`], of which there are as many; `racks`
    /// are those that count.
    #[inline(never)]
    fn first_of_racks(&self, key: Hashed, count: usize, racks: u64, topology: &Topology) -> Copies {
        let (mut copies, mut left) = (Copies::new(), racks);
        let places = self.points.places();
        let mut at = self.points.first_at((key.0 >> 32) as u32).unwrap_or(0);
        // As a rule the first window has them all. Racks that were taken are not taken again, so
        // going past the start does no harm.
        while let Some(window) = places.get(at..).and_then(|from| from.first_chunk::<WINDOW>()) {
            left = take_racks(window, left, topology, &mut copies);
            if copies.len() >= count {
                copies.truncate(count);
                return copies;
            }
            at += WINDOW;
        }
        for window in
            places.get(at..).unwrap_or_default().chunks(WINDOW).chain(places.chunks(WINDOW))
        {
            if copies.len() >= count {
                break;
            }
            left = take_racks(window, left, topology, &mut copies);
        }
        copies.truncate(count);
        copies
    }

    fn points_of(&self, weight: Weight) -> u32 {
        let exact = weight.get() * f64::from(self.points_a_node);
        ((exact + 0.5) as u32).max(1)
    }

    fn check_points(&self, more: u64) -> Result<(), PlacementError> {
        let wanted = self.points.len() as u64 + more;
        if wanted > MAX_POINTS {
            return Err(PlacementError::Full { what: "points", wanted, limit: MAX_POINTS });
        }
        Ok(())
    }

    /// The order of R1.
    fn order(&self) -> impl Fn(u64, u64) -> bool + use<'_> {
        |a, b| before(&self.members, a, b)
    }

    /// Adds a node's points.
    fn insert(&mut self, id: NodeId, node: NodeIx, count: u32) {
        if self.points.fits(self.points.len() + count as usize) {
            for point in points_at(id, node, count) {
                self.points.insert(point, |a, b| before(&self.members, a, b));
            }
        } else {
            let all = self.points.iter().chain(points_at(id, node, count));
            self.points = Points::from_unsorted(all, self.order());
        }
    }

    /// Takes a node's points out.
    fn retire(&mut self, id: NodeId, node: NodeIx, count: u32) {
        let len = self.points.len().saturating_sub(count as usize);
        if self.points.fits(len) {
            for point in points_at(id, node, count) {
                self.points.remove(point, |a, b| before(&self.members, a, b));
            }
        } else {
            let rest: Vec<u64> = self.points.iter().filter(|&p| unpack(p).1 != node).collect();
            self.points = Points::from_sorted(&rest);
        }
    }
}

/// Whether `a` stands before `b` (R1); identities are looked up for equal positions only.
fn before(members: &Members, a: u64, b: u64) -> bool {
    let id = |point: u64| members.get(unpack(point).1).ok().map(|member| member.id);
    let (first, second) = (a >> 32, b >> 32);
    first < second || (first == second && id(a) < id(b))
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

impl Locate for Ring {
    fn len(&self) -> usize {
        self.members.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        self.points.next((key.0 >> 32) as u32).map(|point| unpack(point).1)
    }
}

impl Candidates for Ring {
    type Iter<'a> = RingWalk<'a>;

    fn candidates(&self, key: Hashed) -> RingWalk<'_> {
        let start = self.points.first_at((key.0 >> 32) as u32).unwrap_or(0);
        RingWalk(Walk::new(self.points.places(), start, self.members.len()))
    }

    #[inline]
    fn copies(&self, key: Hashed, count: usize) -> Copies {
        if count <= self.members.len() {
            let few = match count {
                2 => self.first::<2>(key).map(Copies::few),
                3 => self.first::<3>(key).map(Copies::few),
                4 => self.first::<4>(key).map(Copies::few),
                _ => None,
            };
            if let Some(few) = few {
                return few;
            }
        }
        self.walked(key, count)
    }

    #[inline]
    fn spread(&self, key: Hashed, topology: &Topology, spread: &Spread) -> Copies {
        // A repeat has a rack that is used, so the points need not be told apart.
        match spread.racks_suffice(topology) {
            Some((count, racks)) if count <= FEW => {
                self.first_of_racks(key, count, racks, topology)
            }
            _ => spread.choose(topology, self.candidates(key)),
        }
    }
}

/// Adds the nodes of these places whose racks are `left`, each rack once, and says which are left
/// then. Whether a place has a new rack is a coin, so it moves words and not the program.
#[inline(always)]
fn take_racks(places: &[u64], left: u64, topology: &Topology, copies: &mut Copies) -> u64 {
    places.iter().fold(left, |left, &point| {
        let node = unpack(point).1;
        let rack = topology.rack(node);
        copies.push_if(node, left & rack != 0);
        left & !rack
    })
}

/// The distinct nodes of a [`Ring`] from a key on, clockwise.
#[derive(Debug)]
pub struct RingWalk<'a>(Walk<'a, [u64]>);

impl Iterator for RingWalk<'_> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        self.0.next()
    }
}

impl Resize for Ring {
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        let count = self.points_of(weight);
        self.check_points(count.into())?;
        let node = self.members.add(id, weight)?;
        self.insert(id, node, count);
        Ok(node)
    }

    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        let member = self.members.get(node)?;
        self.retire(member.id, node, self.points_of(member.weight));
        self.members.remove(node)?;
        Ok(())
    }

    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        let member = self.members.get(node)?;
        let count = self.points_of(weight);
        self.check_points(count.into())?;
        self.members.reweight(node, weight)?;
        // The first points are the same whatever the weight, so only the difference moves.
        self.retire(member.id, node, self.points_of(member.weight));
        self.insert(member.id, node, count);
        Ok(())
    }
}

/// A node's points, at the positions of a SplitMix64 stream seeded with its identity: point `i` is the
/// same whatever the weight.
fn points_at(id: NodeId, node: NodeIx, count: u32) -> impl Iterator<Item = u64> + Clone {
    let step =
        move |i: u32| id.0.wrapping_add((u64::from(i) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (0..count).map(move |i| pack((mix(step(i)) >> 32) as u32, node))
}

/// The members and points a node; the points follow.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot {
    points_a_node: u32,
    members: Members,
}

#[cfg(feature = "serde")]
impl From<Ring> for Snapshot {
    fn from(ring: Ring) -> Self {
        Self { points_a_node: ring.points_a_node, members: ring.members }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Snapshot> for Ring {
    type Error = PlacementError;
    fn try_from(from: Snapshot) -> Result<Self, PlacementError> {
        let mut ring = Self::with_points(from.points_a_node)?;
        ring.members = from.members;
        let count = |weight: Weight| u64::from(ring.points_of(weight));
        ring.check_points(ring.members.iter().map(|(_, member)| count(member.weight)).sum())?;
        let of = |weight| ring.points_of(weight);
        let members: Vec<_> = ring.members.iter().collect();
        let all = members.iter().flat_map(|&(node, m)| points_at(m.id, node, of(m.weight)));
        ring.points = Points::from_unsorted(all, ring.order());
        Ok(ring)
    }
}
