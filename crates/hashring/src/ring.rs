//! The consistent-hashing ring (Karger et al. 1997) with virtual nodes and an index in place of the
//! binary search.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1): one index entry, then about one point |
//! | add, remove, reweight | O(points): a merge or a filter, then the index |
//! | state | 8 bytes a point and at most 4 of index: at 160 points, under 1,930 bytes a node |
//! | balance | standard deviation of a node's share: `1 / sqrt(points)`, 7.9 % at 160 |
//! | moves | minimal, both ways |
//!
//! Invariants: `points` is strictly ascending by (position, identity of the node) (R1), so equal
//! positions are ordered by name and the first wins, whoever joined first; `index[b]` is the number
//! of points whose position is below `b << shift` (R2).

use crate::key::{Hashed, NodeId};
use crate::members::Members;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use crate::walk::Walk;
use alloc::vec::Vec;
use archstone_core::hash::mix;

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
pub struct Ring {
    members: Members,
    points_a_node: u32,
    /// Position in the high half, node index in the low half (R1).
    points: Vec<u64>,
    /// R2; empty while there are no points.
    index: Vec<u32>,
    shift: u32,
}

impl Ring {
    /// An empty ring of 160 points a node, as ketama and nginx have.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: Members::new(),
            points_a_node: 160,
            points: Vec::new(),
            index: Vec::new(),
            shift: 32,
        }
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
        for (id, weight) in members {
            let node = ring.members.push(id, weight)?;
            let count = ring.points_of(weight);
            ring.points.extend(positions(id, count).map(|at| pack(at, node)));
        }
        ring.sort_ties(0);
        ring.reindex();
        Ok(ring)
    }

    /// Points on the ring.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// Bytes on the heap: points and index.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.points.capacity() * 8 + self.index.capacity() * 4
    }

    /// The identity of a member.
    #[must_use]
    pub fn id(&self, node: NodeIx) -> Option<NodeId> {
        self.members.get(node).ok().map(|member| member.id)
    }

    /// The points in order: the position in the top 32 bits of a key's hash, and the node.
    pub fn arcs(&self) -> impl Iterator<Item = (u32, NodeIx)> + '_ {
        self.points.iter().map(|&point| unpack(point))
    }

    /// The position of the first point at or after `position`, `None` past the last.
    pub(crate) fn next_position(&self, position: u32) -> Option<u32> {
        let at = self.first_at(position)?;
        let (found, _) = unpack(self.points[at]);
        (found >= position).then_some(found)
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

    /// Sorts the points from `from` on by position, equal ones by identity (R1).
    fn sort_ties(&mut self, from: usize) {
        let ids = &self.members;
        let id = |point: u64| ids.get(unpack(point).1).map(|member| member.id).ok();
        let tail = &mut self.points[from..];
        tail.sort_unstable();
        let mut rest = tail;
        while let Some(start) = rest.windows(2).position(|pair| pair[0] >> 32 == pair[1] >> 32) {
            let end = rest[start..].iter().take_while(|&&p| p >> 32 == rest[start] >> 32).count();
            rest[start..start + end].sort_unstable_by_key(|&point| id(point));
            rest = &mut rest[start + end..];
        }
    }

    fn insert(&mut self, id: NodeId, node: NodeIx, count: u32) {
        let mut new: Vec<u64> = positions(id, count).map(|at| pack(at, node)).collect();
        new.sort_unstable();
        // Merge from the back, in place. Two nodes' equal positions go by identity.
        let members = &self.members;
        let key = |point: u64| {
            let (at, node) = unpack(point);
            (at, members.get(node).map(|member| member.id).ok())
        };
        let (mut old, mut at) = (self.points.len(), self.points.len() + new.len());
        self.points.resize(at, 0);
        while let Some(&next) = new.last() {
            at -= 1;
            let last = old.checked_sub(1).map(|i| self.points[i]);
            match last {
                Some(last)
                    if last >> 32 > next >> 32
                        || (last >> 32 == next >> 32 && key(last) > key(next)) =>
                {
                    self.points[at] = last;
                    old -= 1;
                }
                _ => {
                    self.points[at] = next;
                    new.pop();
                }
            }
        }
        self.reindex();
    }

    fn retire(&mut self, node: NodeIx) {
        self.points.retain(|&point| unpack(point).1 != node);
        self.reindex();
    }

    /// R2, with the greatest power of two of buckets that is at most the number of points.
    fn reindex(&mut self) {
        self.index.clear();
        if self.points.is_empty() {
            return;
        }
        let bits = self.points.len().ilog2();
        self.shift = 32 - bits;
        self.index.reserve_exact(1 << bits);
        let mut seen = 0;
        for bucket in 0..1_u64 << bits {
            let start = bucket << self.shift;
            while self.points.get(seen).is_some_and(|point| point >> 32 < start) {
                seen += 1;
            }
            self.index.push(seen as u32);
        }
    }

    /// The place in `points` of the first point at or after `position`, wrapping.
    #[inline]
    fn first_at(&self, position: u32) -> Option<usize> {
        // A shift of 32 (one bucket) is a shift of a u64 here, so it is defined.
        let bucket = (u64::from(position) >> self.shift) as usize;
        let mut at = *self.index.get(bucket)? as usize;
        let wanted = u64::from(position) << 32;
        // The low half is a node index, so `point >= wanted` compares the positions alone.
        while let Some(&point) = self.points.get(at) {
            if point >= wanted {
                return Some(at);
            }
            at += 1;
        }
        Some(0)
    }
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
        let at = self.first_at((key.0 >> 32) as u32)?;
        Some(unpack(self.points[at]).1)
    }
}

impl Candidates for Ring {
    type Iter<'a> = RingWalk<'a>;

    fn candidates(&self, key: Hashed) -> RingWalk<'_> {
        let start = self.first_at((key.0 >> 32) as u32).unwrap_or(0);
        RingWalk(Walk::new(&self.points[..], start, self.members.len()))
    }
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
        self.members.remove(node)?;
        self.retire(node);
        Ok(())
    }

    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        let member = self.members.get(node)?;
        let count = self.points_of(weight);
        self.check_points(count.into())?;
        self.members.reweight(node, weight)?;
        // The first points are the same whatever the weight, so only the difference moves.
        self.points.retain(|&point| unpack(point).1 != node);
        self.insert(member.id, node, count);
        Ok(())
    }
}

/// The positions of a node's points: a SplitMix64 stream seeded with its identity, so that point
/// `i` is the same whatever the weight.
fn positions(id: NodeId, count: u32) -> impl Iterator<Item = u32> {
    let step =
        move |i: u32| id.0.wrapping_add((u64::from(i) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (0..count).map(move |i| (mix(step(i)) >> 32) as u32)
}

#[inline]
pub(crate) const fn pack(position: u32, node: NodeIx) -> u64 {
    (position as u64) << 32 | node.0 as u64
}

#[inline]
pub(crate) const fn unpack(point: u64) -> (u32, NodeIx) {
    ((point >> 32) as u32, NodeIx(point as u32))
}
