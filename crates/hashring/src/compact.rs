//! A ring in six bytes a point, that does not change.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(log 64): a bucket of about 64 points is searched |
//! | change | none: compile it from the [`Ring`] again, O(points) |
//! | state | 6.1 bytes a point: at 160 points, 970 bytes a node |
//! | balance, moves | the ring's |

use crate::key::Hashed;
use crate::placement::{Candidates, Locate, NodeIx, PlacementError};
use crate::ring::Ring;
use crate::walk::Walk;
use alloc::vec::Vec;

/// Points a bucket of the index, on average.
const BUCKET: usize = 64;

/// What a [`Ring`] answers, in half the memory and with a short search: for processes that only look
/// up. At most 65,536 node indices.
///
/// ```
/// use archstone_hashring::{CompactRing, Key, Locate, NodeId, Resize, Ring, Weight};
///
/// let mut ring = Ring::new();
/// for name in ["a", "b", "c"] {
///     ring.add(NodeId::of(name), Weight::ONE)?;
/// }
/// let compact = CompactRing::compile(&ring)?;
/// let key = "user:42".hashed(0);
/// assert_eq!(compact.locate(key), ring.locate(key));
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CompactRing {
    positions: Vec<u32>,
    nodes: Vec<u16>,
    /// How many points lie below each bucket, and their number.
    index: Vec<u32>,
    members: usize,
}

impl CompactRing {
    /// `ring` as it is now.
    ///
    /// # Errors
    /// [`PlacementError::Full`] when a node's index is over 65,535.
    pub fn compile(ring: &Ring) -> Result<Self, PlacementError> {
        let len = ring.point_count();
        let (mut positions, mut nodes) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let buckets = len / BUCKET + 1;
        let mut index = Vec::with_capacity(buckets + 1);
        for (position, node) in ring.arcs() {
            let small = u16::try_from(node.0).map_err(|_| PlacementError::Full {
                what: "node indices",
                wanted: u64::from(node.0) + 1,
                limit: 1 << 16,
            })?;
            while index.len() <= bucket(position, buckets) {
                index.push(positions.len() as u32);
            }
            positions.push(position);
            nodes.push(small);
        }
        index.resize(buckets + 1, positions.len() as u32);
        Ok(Self { positions, nodes, index, members: ring.len() })
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.positions.capacity() * 4 + self.nodes.capacity() * 2 + self.index.capacity() * 4
    }

    /// The place of the first point at or after the key, wrapping; 0 when there are none.
    #[inline]
    fn first_at(&self, key: Hashed) -> usize {
        let position = (key.0 >> 32) as u32;
        let at = bucket(position, self.index.len() - 1);
        let (from, to) = (self.index[at] as usize, self.index[at + 1] as usize);
        let below = self.positions[from..to].partition_point(|&point| point < position);
        if from + below < self.positions.len() { from + below } else { 0 }
    }
}

/// The bucket of a position, of so many.
#[inline]
const fn bucket(position: u32, buckets: usize) -> usize {
    ((position as u64 * buckets as u64) >> 32) as usize
}

impl Locate for CompactRing {
    fn len(&self) -> usize {
        self.members
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        self.nodes.get(self.first_at(key)).map(|&node| NodeIx(node.into()))
    }
}

impl Candidates for CompactRing {
    type Iter<'a> = CompactWalk<'a>;

    fn candidates(&self, key: Hashed) -> CompactWalk<'_> {
        CompactWalk(Walk::new(&self.nodes[..], self.first_at(key), self.members))
    }
}

/// The distinct nodes of a [`CompactRing`] from a key on, clockwise.
#[derive(Debug)]
pub struct CompactWalk<'a>(Walk<'a, [u16]>);

impl Iterator for CompactWalk<'_> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        self.0.next()
    }
}
