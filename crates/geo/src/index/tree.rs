//! The packed tree under a [`PlaceIndex`](super::PlaceIndex): one buffer of bytes.
//!
//! The points are cut in two by their widest axis again and again, at whole leaves of 32, the left
//! side getting a power of two of them (a k-d tree, Bentley 1975, in three dimensions): the leaves
//! below a cut are neighbours in the buffer and need no pointers. Two structures lie over them: the
//! cuts, which lead to the nearest leaf in a few steps, and boxes, sixteen to a group, which tell
//! what lies wholly within a radius (a packed R-tree, Kamel and Faloutsos 1993). Everything is an
//! array of little-endian numbers that loops take four or eight at a time, and that can be asked
//! where it lies.
//!
//! ```text
//! leaves   a leaf: x[32] y[32] z[32]                                 384 B
//! level 0  boxes of leaves, a group: per axis low[16] high[16]       384 B
//! level 1  boxes of the groups of level 0, and so on to one group
//! cuts     before leaf m the coordinate, its axis in the low 2 bits    4 B a leaf
//! exact    latitude and longitude as doubles, or nothing if compact   16 B a point
//! ```

#![allow(clippy::needless_range_loop, reason = "an axis runs over several arrays at once")]

use alloc::vec;
use alloc::vec::Vec;

use crate::coord::LatLng;
use crate::cube::{self, Cube, CubeBox, ROUNDING};
use crate::sphere::position;

/// Points in a leaf.
pub(crate) const LEAF: usize = 32;
/// Boxes in a group.
pub(crate) const GROUP: usize = 16;
/// Bytes of a leaf, and of a group.
pub(crate) const BLOCK: usize = 384;
/// 2^32 points are 2^27 leaves are 7 levels.
pub(crate) const MAX_LEVELS: usize = 8;

pub(crate) type Block = [u8; BLOCK];

/// Where the parts of the buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) len: usize,
    /// Offset of each level of groups, and how many boxes it has.
    pub(crate) levels: [(usize, usize); MAX_LEVELS],
    pub(crate) height: usize,
    cuts_at: usize,
    pub(crate) leaves: usize,
    exact_at: Option<usize>,
    pub(crate) bytes: usize,
}

impl Layout {
    pub(crate) fn of(len: usize, compact: bool) -> Self {
        let mut levels = [(0, 0); MAX_LEVELS];
        let mut boxes = len.div_ceil(LEAF);
        let (mut at, mut height) = (boxes * BLOCK, 0);
        while boxes > 0 {
            levels[height] = (at, boxes);
            height += 1;
            let groups = boxes.div_ceil(GROUP);
            at += groups * BLOCK;
            if groups == 1 {
                break;
            }
            boxes = groups;
        }
        let (leaves, cuts_at) = (len.div_ceil(LEAF), at);
        at += 4 * leaves;
        let exact_at = (!compact).then_some(at);
        Self {
            len,
            levels,
            height,
            cuts_at,
            leaves,
            exact_at,
            bytes: at + if compact { 0 } else { 16 * len },
        }
    }

    pub(crate) fn is_compact(&self) -> bool {
        self.exact_at.is_none()
    }
}

/// The tree over bytes that are owned or borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree<B> {
    pub(crate) layout: Layout,
    pub(crate) bytes: B,
}

/// A place in the tree: a group of boxes, or a leaf of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Node {
    Group { level: usize, group: usize },
    Leaf(usize),
}

impl Node {
    /// Its kind and number in 32 bits: a leaf is below 2^27 (32 points each), a group below 2^23.
    #[inline(always)]
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Leaf(leaf) => leaf as u32,
            Self::Group { level, group } => (level as u32 + 1) << 28 | group as u32,
        }
    }

    #[inline(always)]
    pub(crate) fn from_code(code: u32) -> Self {
        let number = (code & ((1 << 28) - 1)) as usize;
        match code >> 28 {
            0 => Self::Leaf(number),
            level => Self::Group { level: level as usize - 1, group: number },
        }
    }
}

#[inline(always)]
pub(crate) fn word(block: &Block, i: usize) -> i32 {
    i32::from_le_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
}

impl<B: AsRef<[u8]>> Tree<B> {
    pub(crate) fn borrow(&self) -> Tree<&[u8]> {
        Tree { layout: self.layout, bytes: self.bytes.as_ref() }
    }

    /// The group above all, `None` without points.
    pub(crate) fn root(&self) -> Option<Node> {
        self.layout.height.checked_sub(1).map(|level| Node::Group { level, group: 0 })
    }

    #[inline(always)]
    fn block(&self, at: usize) -> &Block {
        // `Layout` is made for the buffer's length, so the slice is there; a copy would cost.
        self.bytes.as_ref()[at..at + BLOCK].try_into().expect("a slice of the length of a block")
    }

    #[inline(always)]
    pub(crate) fn leaf(&self, leaf: usize) -> (&Block, usize) {
        (self.block(leaf * BLOCK), (self.layout.len - leaf * LEAF).min(LEAF))
    }

    #[inline(always)]
    pub(crate) fn group(&self, level: usize, group: usize) -> (&Block, usize) {
        let (at, boxes) = self.layout.levels[level];
        (self.block(at + group * BLOCK), (boxes - group * GROUP).min(GROUP))
    }

    /// What is below box `i` of a group.
    #[inline(always)]
    pub(crate) fn child(level: usize, group: usize, i: usize) -> Node {
        let below = group * GROUP + i;
        if level == 0 { Node::Leaf(below) } else { Node::Group { level: level - 1, group: below } }
    }

    /// The cut before leaf `m`: its axis, and the coordinate rounded down to a multiple of 4.
    #[inline(always)]
    pub(crate) fn cut_before(&self, m: usize) -> (usize, i32) {
        let at = self.layout.cuts_at + 4 * m;
        let cut = i32::from_le_bytes(self.bytes.as_ref()[at..at + 4].try_into().expect("4 bytes"));
        ((cut & 3) as usize, cut & !3)
    }

    /// Whether every cut below `first` and `span` parts its sides, and the box of all.
    fn check_cuts(&self, first: usize, span: usize) -> Result<CubeBox, (usize, &'static str)> {
        if span <= 1 {
            return Ok(self.stored_box(0, first));
        }
        let middle = first + span / 2;
        let mut all = self.check_cuts(first, span / 2)?;
        if middle < self.layout.leaves {
            let right = self.check_cuts(middle, span / 2)?;
            let (axis, cut) = self.cut_before(middle);
            let parts =
                axis < 3 && all.high[axis] <= cut.saturating_add(3) && cut <= right.low[axis];
            if !parts {
                return Err((
                    self.layout.cuts_at + 4 * middle,
                    "a cut that does not part its sides",
                ));
            }
            all.join(&right);
        }
        Ok(all)
    }

    /// The points below a node.
    pub(crate) fn points(&self, node: Node) -> core::ops::Range<usize> {
        let (first, size) = match node {
            Node::Leaf(leaf) => (leaf, LEAF),
            Node::Group { level, group } => (group, LEAF << (4 * (level + 1))),
        };
        first * size..((first + 1) * size).min(self.layout.len)
    }

    pub(crate) fn cube(&self, i: usize) -> Cube {
        let (block, _) = self.leaf(i / LEAF);
        let i = i % LEAF;
        [word(block, i), word(block, LEAF + i), word(block, 2 * LEAF + i)]
    }

    /// The position of a point: as it was given, or the grid's if compact.
    pub(crate) fn position(&self, i: usize) -> LatLng {
        match self.layout.exact_at {
            Some(at) => read_position(&self.bytes.as_ref()[at + 16 * i..at + 16 * i + 16]),
            None => position(self.cube(i).map(f64::from)),
        }
    }

    /// Lower bounds of the squared distances of `q` to the boxes of a group.
    #[inline(always)]
    pub(crate) fn least(block: &Block, q: Cube) -> [f32; GROUP] {
        let mut least = [0.0; GROUP];
        for axis in 0..3 {
            for (i, least) in least.iter_mut().enumerate() {
                let low = word(block, 2 * GROUP * axis + i);
                let high = word(block, 2 * GROUP * axis + GROUP + i);
                let off = cube::off(q[axis], low, high);
                *least += off * off;
            }
        }
        // Rounding may have been upwards.
        least.map(|x| x * (1.0 - ROUNDING))
    }

    /// An upper bound of the squared distance of `q` to any point of box `i`.
    pub(crate) fn most(block: &Block, i: usize, q: Cube) -> f32 {
        let mut most = 0.0;
        for axis in 0..3 {
            let low = word(block, 2 * GROUP * axis + i);
            let high = word(block, 2 * GROUP * axis + GROUP + i);
            let far = cube::far(q[axis], low, high);
            most += far * far;
        }
        most * (1.0 + ROUNDING)
    }

    /// The squared distances of `q` to the points of a leaf.
    #[inline(always)]
    pub(crate) fn squares(block: &Block, q: Cube) -> [f32; LEAF] {
        let mut squares = [0.0; LEAF];
        for axis in 0..3 {
            for i in 0..LEAF {
                let d = word(block, LEAF * axis + i).wrapping_sub(q[axis]) as f32;
                squares[i] += d * d;
            }
        }
        squares
    }

    /// Whether every number is one that `build` writes: boxes and points on the grid, boxes around
    /// what is below them, positions in range. O(n).
    pub(crate) fn check(&self) -> Result<(), (usize, &'static str)> {
        let on_grid = |p: Cube| p.iter().all(|x| x.unsigned_abs() <= 1 << 30);
        for i in 0..self.layout.len {
            if !on_grid(self.cube(i)) {
                return Err((i / LEAF * BLOCK, "a point off the grid"));
            }
        }
        for level in 0..self.layout.height {
            let (at, boxes) = self.layout.levels[level];
            for i in 0..boxes {
                let stored = self.stored_box(level, i);
                if stored != self.box_below(level, i) {
                    return Err((at + i / GROUP * BLOCK, "a box that is not that of its points"));
                }
            }
        }
        if self.layout.leaves > 0 {
            self.check_cuts(0, self.layout.leaves.next_power_of_two())?;
        }
        if let Some(at) = self.layout.exact_at {
            for i in 0..self.layout.len {
                let bytes = &self.bytes.as_ref()[at + 16 * i..at + 16 * i + 16];
                let (lat, lng) = (double(bytes, 0), double(bytes, 8));
                let near = LatLng::new(lat, lng).is_ok_and(|p| cube::cube(p) == self.cube(i));
                if !near {
                    return Err((at + 16 * i, "a position that is not that of its point"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn stored_box(&self, level: usize, i: usize) -> CubeBox {
        let (block, _) = self.group(level, i / GROUP);
        let at =
            |axis: usize, high: usize| word(block, 2 * GROUP * axis + high * GROUP + i % GROUP);
        CubeBox { low: [at(0, 0), at(1, 0), at(2, 0)], high: [at(0, 1), at(1, 1), at(2, 1)] }
    }

    fn box_below(&self, level: usize, i: usize) -> CubeBox {
        let mut all = CubeBox::EMPTY;
        if level == 0 {
            for point in self.points(Node::Leaf(i)) {
                all.add(self.cube(point));
            }
        } else {
            let (_, boxes) = self.layout.levels[level - 1];
            for below in i * GROUP..((i + 1) * GROUP).min(boxes) {
                all.join(&self.stored_box(level - 1, below));
            }
        }
        all
    }
}

impl<'a> Tree<&'a [u8]> {
    /// The 16 bytes of a position, `None` if compact.
    #[inline]
    pub(crate) fn stored_position(&self, i: usize) -> Option<&'a [u8]> {
        self.layout.exact_at.map(|at| &self.bytes[at + 16 * i..at + 16 * i + 16])
    }
}

#[inline]
fn double(bytes: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// Bytes from outside were checked when they were taken in.
#[inline]
pub(crate) fn read_position(bytes: &[u8]) -> LatLng {
    LatLng::clamped(double(bytes, 0), double(bytes, 8))
}

impl Tree<Vec<u8>> {
    /// Cuts and packs; `order` tells where each point of the tree stood in `places`.
    pub(crate) fn build(places: &[LatLng], compact: bool) -> (Self, Vec<u32>) {
        let layout = Layout::of(places.len(), compact);
        let mut tree = Self { layout, bytes: vec![0; layout.bytes] };
        let mut points: Vec<Point> =
            places.iter().zip(0..).map(|(place, i)| (cube::cube(*place), i)).collect();
        tree.cut(&mut points, 0, layout.leaves.next_power_of_two());
        tree.fill(&points, places);
        (tree, points.into_iter().map(|(_, i)| i).collect())
    }

    /// Arranges the points of the leaves from `first`, of which there are at most `span`.
    fn cut(&mut self, points: &mut [Point], first: usize, span: usize) {
        if span <= 1 {
            // So that equal positions come in the order they were given.
            return sort_leaf(points);
        }
        let middle = first + span / 2;
        if middle >= self.layout.leaves {
            return self.cut(points, first, span / 2);
        }
        // Any axis will do; the widest of about 256 of them is as good as that of all.
        let mut all = CubeBox::EMPTY;
        for (point, _) in points.iter().step_by(points.len() / 256 + 1) {
            all.add(*point);
        }
        let width = |axis: usize| i64::from(all.high[axis]) - i64::from(all.low[axis]);
        let mut axis = 0;
        for other in 1..3 {
            if width(other) > width(axis) {
                axis = other;
            }
        }
        let at = span / 2 * LEAF;
        // Coordinate and number in one comparison, the axis known to the loop.
        fn select<const AXIS: usize>(points: &mut [Point], at: usize) -> i32 {
            let key = |&(p, i): &Point| i64::from(p[AXIS]) << 32 | i64::from(i);
            points.select_nth_unstable_by_key(at, key).1.0[AXIS]
        }
        let cut = match axis {
            0 => select::<0>(points, at),
            1 => select::<1>(points, at),
            _ => select::<2>(points, at),
        };
        let cuts = &mut self.bytes[self.layout.cuts_at..];
        put(cuts, middle, cut & !3 | axis as i32);
        let (left, right) = points.split_at_mut(at);
        self.cut(left, first, span / 2);
        self.cut(right, middle, span / 2);
    }

    fn fill(&mut self, points: &[Point], places: &[LatLng]) {
        for (leaf, points) in points.chunks(LEAF).enumerate() {
            let block = &mut self.bytes[leaf * BLOCK..(leaf + 1) * BLOCK];
            let mut all = CubeBox::EMPTY;
            for (i, &(p, _)) in points.iter().enumerate() {
                all.add(p);
                for axis in 0..3 {
                    put(block, LEAF * axis + i, p[axis]);
                }
            }
            self.put_box(0, leaf, &all);
        }
        for level in 1..self.layout.height {
            for i in 0..self.layout.levels[level].1 {
                let all = self.box_below(level, i);
                self.put_box(level, i, &all);
            }
        }
        if let Some(at) = self.layout.exact_at {
            for (out, &(_, from)) in self.bytes[at..].chunks_exact_mut(16).zip(points) {
                let place = places[from as usize];
                out[..8].copy_from_slice(&place.lat().to_le_bytes());
                out[8..].copy_from_slice(&place.lng().to_le_bytes());
            }
        }
    }

    fn put_box(&mut self, level: usize, i: usize, all: &CubeBox) {
        let at = self.layout.levels[level].0 + i / GROUP * BLOCK;
        let block = &mut self.bytes[at..at + BLOCK];
        for axis in 0..3 {
            put(block, 2 * GROUP * axis + i % GROUP, all.low[axis]);
            put(block, 2 * GROUP * axis + GROUP + i % GROUP, all.high[axis]);
        }
    }
}

/// By number. The place of each of a whole leaf is how many are below it: without a branch, so vector
/// code, where a sort goes wrong at every other comparison.
fn sort_leaf(points: &mut [Point]) {
    let Ok(points) = <&mut [Point; LEAF]>::try_from(&mut *points) else {
        return points.sort_unstable_by_key(|&(_, i)| i);
    };
    let old = *points;
    // Numbers are below 2^32: with the top bit turned they order as signed ones.
    let keys = old.map(|(_, i)| (i ^ 1 << 31) as i32);
    let mut below = [0_i32; LEAF];
    for key in keys {
        for (below, other) in below.iter_mut().zip(keys) {
            *below += i32::from(key < other);
        }
    }
    for (point, below) in old.into_iter().zip(below) {
        points[below as usize % LEAF] = point;
    }
}

fn put(block: &mut [u8], i: usize, value: i32) {
    block[4 * i..4 * i + 4].copy_from_slice(&value.to_le_bytes());
}

/// A point and where it stood among the places.
type Point = (Cube, u32);
