//! The consistent-hashing ring (Karger et al. 1997) with virtual nodes and an index in place of the
//! binary search.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1): one index entry, then about one point |
//! | add, remove, reweight | O(points): the points and the index are moved, not sorted or searched |
//! | state | 8 bytes a point and at most 4 of index: at 160 points, under 1,930 bytes a node |
//! | balance | standard deviation of a node's share: `1 / sqrt(points)`, 7.9 % at 160 |
//! | moves | minimal, both ways |
//!
//! Invariants: the first `len` of `points` ascend by (position, identity of the node) (R1), so equal
//! positions are ordered by name and the first wins, whoever joined first; `index[b]` is the number
//! of points whose position is below `b << shift` (R2); `PAD` sentinels above every point follow
//! them (R3), so that a look-up may compare four points without a test for the end.

use crate::key::{Hashed, NodeId};
use crate::members::Members;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use crate::walk::Walk;
use alloc::vec::Vec;
use archstone_core::hash::mix;

/// The most points a ring holds.
const MAX_POINTS: u64 = 1 << 30;
/// Sentinels after the last point, and how many points a look-up compares at once (R3).
const PAD: usize = 4;
/// Above every point: no node has the index of its low half.
const SENTINEL: u64 = u64::MAX;

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
    /// Position in the high half, node index in the low half (R1, R3).
    points: Vec<u64>,
    len: usize,
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
            len: 0,
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
        let mut points = Vec::with_capacity(ring.len + wanted as usize);
        points.extend_from_slice(ring.points());
        for (id, weight) in members {
            let node = ring.members.push(id, weight)?;
            let count = ring.points_of(weight);
            points.extend(positions(id, count).map(|at| pack(at, node)));
        }
        ring.fill(&points);
        Ok(ring)
    }

    /// Points on the ring.
    #[must_use]
    pub const fn point_count(&self) -> usize {
        self.len
    }

    fn points(&self) -> &[u64] {
        &self.points[..self.len]
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
        self.points().iter().map(|&point| unpack(point))
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
        let wanted = self.len as u64 + more;
        if wanted > MAX_POINTS {
            return Err(PlacementError::Full { what: "points", wanted, limit: MAX_POINTS });
        }
        Ok(())
    }

    /// What R1 orders by.
    fn order(&self, point: u64) -> (u32, Option<NodeId>) {
        let (position, node) = unpack(point);
        (position, self.id(node))
    }

    /// Whether `a` stands before `b` (R1); identities are looked up for equal positions only.
    fn before(&self, a: u64, b: u64) -> bool {
        let (first, second) = (a >> 32, b >> 32);
        first < second || (first == second && self.order(a) < self.order(b))
    }

    /// The ring of these points in any order. Positions are evenly spread, so one scatter by the
    /// buckets of the index nearly sorts them, and neighbours are put right by insertion.
    fn fill(&mut self, unsorted: &[u64]) {
        self.len = unsorted.len();
        self.index.clear();
        self.points.clear();
        if unsorted.is_empty() {
            return;
        }
        let bits = self.len.ilog2();
        self.shift = 32 - bits;
        let bucket = |point: u64, shift: u32| (point >> 32 >> shift) as usize;
        let mut next = alloc::vec![0_u32; 1 << bits];
        for &point in unsorted {
            next[bucket(point, self.shift)] += 1;
        }
        let mut sum = 0;
        for count in &mut next {
            sum += core::mem::replace(count, sum);
        }
        self.index = next.clone();
        let mut points = alloc::vec![SENTINEL; self.len + PAD];
        for &point in unsorted {
            let place = &mut next[bucket(point, self.shift)];
            points[*place as usize] = point;
            *place += 1;
        }
        for i in 1..self.len {
            let point = points[i];
            let mut at = i;
            while at > 0 && self.before(point, points[at - 1]) {
                points[at] = points[at - 1];
                at -= 1;
            }
            points[at] = point;
        }
        self.points = points;
    }

    /// Adds a node's points: what lies between two of them moves at once.
    fn insert(&mut self, id: NodeId, node: NodeIx, count: u32) {
        let mut new: Vec<u64> = positions(id, count).map(|at| pack(at, node)).collect();
        let len = self.len + new.len();
        if self.len == 0 || len.ilog2() != self.len.ilog2() {
            new.extend_from_slice(self.points());
            self.fill(&new);
            return;
        }
        new.sort_unstable();
        let mut end = self.len;
        self.points.resize(len + PAD, SENTINEL);
        self.points[self.len..].fill(SENTINEL);
        for (earlier, &point) in new.iter().enumerate().rev() {
            let mut at = self.lower_bound(unpack(point).0).min(end);
            while at < end && self.before(self.points[at], point) {
                at += 1;
            }
            self.points.copy_within(at..end, at + earlier + 1);
            self.points[at + earlier] = point;
            end = at;
        }
        self.len = len;
        self.shift_index(&new, |count, by| count + by);
    }

    /// Takes a node's points out.
    fn retire(&mut self, id: NodeId, node: NodeIx, count: u32) {
        let mut old: Vec<u64> = positions(id, count).map(|at| pack(at, node)).collect();
        let len = self.len - old.len();
        if len == 0 || len.ilog2() != self.len.ilog2() {
            let rest: Vec<u64> =
                self.points().iter().copied().filter(|&point| unpack(point).1 != node).collect();
            self.fill(&rest);
            return;
        }
        old.sort_unstable();
        let (mut read, mut write) = (0, 0);
        for &point in &old {
            let mut at = self.lower_bound(unpack(point).0).max(read);
            while self.points[at] != point {
                at += 1;
            }
            self.points.copy_within(read..at, write);
            write += at - read;
            read = at + 1;
        }
        self.points.copy_within(read..self.len, write);
        self.points.truncate(len + PAD);
        self.points[len..].fill(SENTINEL);
        self.len = len;
        self.shift_index(&old, |count, by| count - by);
    }

    /// R2 after `changed` (ascending) were added or taken out: each entry changes by how many of
    /// them lie below its bucket.
    fn shift_index(&mut self, changed: &[u64], apply: impl Fn(u32, u32) -> u32) {
        let mut from = 0;
        for (by, &point) in changed.iter().enumerate() {
            let to = (point >> 32 >> self.shift) as usize + 1;
            for entry in &mut self.index[from..to] {
                *entry = apply(*entry, by as u32);
            }
            from = to;
        }
        for entry in &mut self.index[from..] {
            *entry = apply(*entry, changed.len() as u32);
        }
    }

    /// How many points lie below `position`. There is at least one point.
    #[inline(always)]
    fn lower_bound(&self, position: u32) -> usize {
        // A shift of 32 (one bucket) is a shift of a u64 here, so it is defined.
        let bucket = (u64::from(position) >> self.shift) as usize;
        let mut at = self.index[bucket] as usize;
        // The low half is a node index, so comparing whole words compares the positions.
        let wanted = u64::from(position) << 32;
        loop {
            // A bucket has one or two points: counting those below among four has no branch to
            // mispredict, and rarely needs a second turn.
            let below: usize =
                self.points[at..at + PAD].iter().map(|&point| usize::from(point < wanted)).sum();
            at += below;
            if below < PAD {
                return at;
            }
        }
    }

    /// The place in `points` of the first point at or after `position`, wrapping.
    #[inline(always)]
    fn first_at(&self, position: u32) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let at = self.lower_bound(position);
        Some(if at < self.len { at } else { 0 })
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
        RingWalk(Walk::new(self.points(), start, self.members.len()))
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
