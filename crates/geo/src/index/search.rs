//! The two searches: the nearest few, and all within a limit.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::tree::{BLOCK, GROUP, LEAF, MAX_LEVELS, Node, Tree};
use crate::cube::{self, Cube, ROUNDING, SLACK};

/// A point that may be among the nearest: the bits of its squared distance on the grid (which order
/// as the square does), and the point in the low half. Whole numbers sort fastest.
pub(crate) type Candidate = u64;

#[inline(always)]
fn candidate(square: f32, point: u32) -> Candidate {
    u64::from(square.to_bits()) << 32 | u64::from(point)
}

/// The squared distance of a candidate.
#[inline(always)]
pub(crate) fn square_of(candidate: Candidate) -> f32 {
    f32::from_bits((candidate >> 32) as u32)
}

/// What has been found so far, and how far anything better may be.
pub(crate) trait Best {
    /// Nothing past this square can be among the nearest.
    fn limit(&self) -> f32;
    /// A point within the limit.
    fn offer(&mut self, square: f32, point: u32);
    /// The squares of a whole leaf, of which all count, before any of them is offered.
    fn foresee(&mut self, squares: &[f32; LEAF]);
}

/// Up to this many, the nearest are kept in order, with every point found.
pub(crate) const FEW: usize = 16;

/// The nearest `W` in order, of which `k` are asked for; `k <= W`.
///
/// No branch depends on where a point comes to stand: a wrongly predicted one costs more than
/// moving all of them. Candidates are taken as doubles, whose minimum and maximum is one
/// instruction; positive ones order as their bits do.
pub(crate) struct Few<const W: usize> {
    k: usize,
    limit: f32,
    best: [f64; W],
    /// The least that fell out: if it is within the limit, more than `W` may be among the nearest.
    lost: f64,
}

impl<const W: usize> Few<W> {
    /// The `k` nearest with a square of at most `limit`.
    pub(crate) fn new(k: usize, limit: f32) -> Self {
        debug_assert!(0 < k && k <= W);
        Self { k, limit, best: [f64::INFINITY; W], lost: f64::INFINITY }
    }

    /// All that may be among the nearest, in the order of the grid; `None` if there were too many.
    pub(crate) fn into_candidates(self) -> Option<([Candidate; W], usize)> {
        let all = self.best.map(f64::to_bits);
        let within = |candidate: Candidate| square_of(candidate) <= self.limit;
        let count = all.iter().filter(|&&c| c != f64::INFINITY.to_bits() && within(c)).count();
        let lost = self.lost < f64::INFINITY && within(self.lost.to_bits());
        (!lost).then_some((all, count))
    }
}

impl<const W: usize> Best for Few<W> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(always)]
    fn offer(&mut self, square: f32, point: u32) {
        let new = f64::from_bits(candidate(square, point));
        let old = self.best;
        let last = old[W - 1];
        let out = if last > new { last } else { new };
        self.lost = if out < self.lost { out } else { self.lost };
        // Each stays, or takes the one before it, or the new one, whichever is in the middle.
        let mut before = 0.0;
        for (best, old) in self.best.iter_mut().zip(old) {
            let least = if before > new { before } else { new };
            *best = if old < least { old } else { least };
            before = old;
        }
        let kth = self.best[self.k - 1];
        let limit = widen(square_of(kth.to_bits()));
        self.limit = if kth < f64::INFINITY && limit < self.limit { limit } else { self.limit };
    }

    /// An upper bound of the k-th smallest: four columns are put in order, and a row of them has at
    /// least four times its number no larger than its largest.
    #[inline(always)]
    fn foresee(&mut self, squares: &[f32; LEAF]) {
        if self.best[self.k - 1] < f64::INFINITY {
            return;
        }
        let mut rows = [[f32::INFINITY; 4]; FEW / 4];
        for new in squares.chunks_exact(4) {
            let mut new: [f32; 4] = [new[0], new[1], new[2], new[3]];
            for row in &mut rows {
                for (old, new) in row.iter_mut().zip(&mut new) {
                    let (a, b) = (*old, *new);
                    *old = if a < b { a } else { b };
                    *new = if a < b { b } else { a };
                }
            }
        }
        // The nearest one alone is known to the digit.
        let bound = if self.k == 1 {
            rows[0].into_iter().fold(f32::INFINITY, |a, b| if a < b { a } else { b })
        } else {
            let row = rows[(self.k - 1) / 4 % rows.len()];
            row.into_iter().fold(0.0, |a, b| if a > b { a } else { b })
        };
        let limit = widen(bound);
        self.limit = if limit < self.limit { limit } else { self.limit };
    }
}

/// The nearest `k`, of which there may be any number: those within the limit, in no order.
pub(crate) struct Many {
    k: usize,
    limit: f32,
    found: Vec<Candidate>,
    /// When the limit is looked at again.
    full: usize,
}

impl Many {
    /// The `k` nearest with a square of at most `limit`.
    pub(crate) fn new(k: usize, limit: f32) -> Self {
        let room = k.saturating_mul(2).min(1 << 16) + 64;
        let full = k.saturating_add(k / 4 + 16).min(room);
        Self { k, limit, found: Vec::with_capacity(room), full }
    }

    /// The limit by what has been found; what it has overtaken is dropped.
    #[cold]
    fn settle(&mut self) {
        if self.found.len() > self.k {
            let (_, kth, _) = self.found.select_nth_unstable(self.k - 1);
            self.limit = self.limit.min(widen(square_of(*kth)));
        }
        let limit = self.limit;
        self.found.retain(|&candidate| square_of(candidate) <= limit);
        // So many more before the next time that the work is paid for.
        self.full = self.found.len() + self.k.min(self.found.len()) / 2 + 32;
    }

    /// All that may be among the nearest, in the order of the grid.
    pub(crate) fn into_candidates(mut self) -> Vec<Candidate> {
        self.settle();
        self.found.sort_unstable();
        self.found
    }
}

impl Best for Many {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(always)]
    fn offer(&mut self, square: f32, point: u32) {
        self.found.push(candidate(square, point));
        if self.found.len() >= self.full {
            self.settle();
        }
    }

    #[inline(always)]
    fn foresee(&mut self, _: &[f32; LEAF]) {}
}

/// The square up to which a point may yet be nearer than one at `square`: both are off by the slack.
#[inline(always)]
pub(crate) fn widen(square: f32) -> f32 {
    // (d + s)^2, and a little more for the rounding of the two squares.
    const S: f32 = 2.0 * SLACK as f32;
    (square + 2.0 * S * root(square) + S * S) * (1.0 + 2.0 * ROUNDING)
}

#[inline(always)]
fn root(x: f32) -> f32 {
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    libm::sqrtf(x)
}

/// Which of the values are at most `limit`, as bits from the lowest. Without a branch, so vector code.
#[inline(always)]
fn mask<const N: usize>(values: &[f32; N], limit: f32) -> u32 {
    let mut mask = 0;
    for (i, value) in values.iter().enumerate() {
        mask |= if *value <= limit { 1 << i } else { 0 };
    }
    mask
}

/// The bits that are set, from the lowest.
fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        let some = mask != 0;
        mask &= mask.wrapping_sub(1);
        some.then_some(bit)
    })
}

/// 2^27 leaves, and a power of two for each cut on the way down.
const DEPTH: usize = 32;

/// Boxes of a group on the far side of the cut of `1 << bit` boxes, seen from box `home`.
#[inline(always)]
fn far_side(home: usize, bit: usize) -> u32 {
    let width = 1 << bit;
    ((1_u32 << width) - 1) << ((home & !(width - 1)) ^ width)
}

impl Tree<&[u8]> {
    /// The nearest points that `accept` takes: down the cuts to the leaf that has the place of `q`,
    /// then up again, at each level to the boxes beyond those cuts that are within the limit by then
    /// (Arya and Mount 1993 visit the far sides of a k-d tree so; the boxes are tighter than cuts,
    /// and sixteen are measured at once).
    #[inline(always)]
    pub(crate) fn nearest<const ALL: bool>(
        &self,
        q: Cube,
        best: &mut impl Best,
        mut accept: impl FnMut(usize) -> bool,
    ) {
        let leaves = self.layout.leaves;
        if leaves == 0 {
            return;
        }
        // Lower bounds of the squares to the cuts passed, by the binary logarithm of their sides.
        let mut cuts = [f32::INFINITY; DEPTH];
        let (axes, mut home) = ([q[0], q[1], q[2], 0], 0);
        let mut bit = leaves.next_power_of_two().trailing_zeros() as usize;
        while bit > 0 {
            bit -= 1;
            let middle = home + (1 << bit);
            if middle >= leaves {
                continue;
            }
            let (axis, cut) = self.cut_before(middle);
            let x = axes[axis & 3];
            // The cut was rounded down by up to 3. Opposite ends are 2^31 apart: past an `i32`.
            let off = x.abs_diff(cut) as f32 - 3.0;
            let off = if off > 0.0 { off } else { 0.0 };
            cuts[bit % DEPTH] = off * off * (1.0 - ROUNDING);
            home = if x >= cut { middle } else { home };
        }
        self.scan::<ALL>(home, q, best, &mut accept);
        for level in 0..self.layout.height {
            let cuts = &cuts[4 * level % DEPTH..][..4];
            if cuts.iter().all(|&cut| cut > best.limit()) {
                continue;
            }
            let group = home >> (4 * (level + 1));
            let (block, len) = self.group(level, group);
            let least = Self::least(block, q);
            for (bit, &cut) in cuts.iter().enumerate() {
                if cut > best.limit() {
                    continue;
                }
                let far = far_side((home >> (4 * level)) % GROUP, bit);
                let there = far & ((1 << len) - 1) & mask(&least, best.limit());
                for i in bits(there) {
                    if least[i] <= best.limit() {
                        let child = Self::child(level, group, i);
                        self.descend::<ALL>(child, q, best, &mut accept);
                    }
                }
            }
        }
    }

    /// All leaves below a node that are within the limit.
    #[inline(always)]
    fn descend<const ALL: bool>(
        &self,
        node: Node,
        q: Cube,
        best: &mut impl Best,
        accept: &mut impl FnMut(usize) -> bool,
    ) {
        if let Node::Leaf(leaf) = node {
            return self.scan::<ALL>(leaf, q, best, accept);
        }
        // A level leaves at most its group of boxes.
        let mut stack = [(0.0_f32, 0_u32); GROUP * MAX_LEVELS];
        stack[0].1 = node.code();
        let mut waiting = 1;
        while waiting > 0 {
            waiting -= 1;
            let (least, code) = stack[waiting];
            if least > best.limit() {
                continue;
            }
            match Node::from_code(code) {
                Node::Group { level, group } => {
                    let (block, len) = self.group(level, group);
                    let least = Self::least(block, q);
                    for i in bits(mask(&least, best.limit()) & ((1 << len) - 1)) {
                        stack[waiting] = (least[i], Self::child(level, group, i).code());
                        waiting += 1;
                    }
                }
                Node::Leaf(leaf) => self.scan::<ALL>(leaf, q, best, accept),
            }
        }
    }

    #[inline(always)]
    fn scan<const ALL: bool>(
        &self,
        leaf: usize,
        q: Cube,
        best: &mut impl Best,
        accept: &mut impl FnMut(usize) -> bool,
    ) {
        let (block, len) = self.leaf(leaf);
        let squares = Self::squares(block, q);
        if ALL && len == LEAF {
            best.foresee(&squares);
        }
        for i in bits(mask(&squares, best.limit()) & (u32::MAX >> (LEAF - len))) {
            let (square, point) = (squares[i], leaf * LEAF + i);
            if square <= best.limit() && accept(point) {
                best.offer(square, point as u32);
            }
        }
    }

    /// The smallest part that holds all within `limit` of `q`: a leaf, or some boxes of a group.
    /// Down the cuts, as long as all of it is on one side.
    #[inline(always)]
    fn holding(&self, q: Cube, limit: f32) -> (Node, u32) {
        let reach = root(limit) * (1.0 + ROUNDING);
        let (axes, mut first) = ([q[0], q[1], q[2], 0], 0);
        let mut bit = self.layout.leaves.next_power_of_two().trailing_zeros() as usize;
        while bit > 0 {
            let middle = first + (1 << (bit - 1));
            if middle < self.layout.leaves {
                let (axis, cut) = self.cut_before(middle);
                let x = axes[axis & 3];
                // The cut was rounded down by up to 3.
                if x.abs_diff(cut) as f32 * (1.0 - ROUNDING) - 4.0 <= reach {
                    break;
                }
                first = if x >= cut { middle } else { first };
            }
            bit -= 1;
        }
        let Some(rest) = bit.checked_sub(1) else { return (Node::Leaf(first), u32::MAX) };
        let level = rest / 4;
        let width = 1 << (bit - 4 * level);
        let boxes = ((1_u32 << width) - 1) << ((first >> (4 * level)) % GROUP);
        (Node::Group { level, group: first >> (4 * (level + 1)) }, boxes)
    }

    /// Calls `inside` with ranges of points that are surely nearer than `limits.0`, and `between`
    /// with points that may be on either side of the limit.
    pub(crate) fn within(
        &self,
        q: Cube,
        limits: (f32, f32),
        mut inside: impl FnMut(core::ops::Range<usize>) -> ControlFlow<()>,
        mut between: impl FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (sure, maybe) = limits;
        if self.layout.leaves == 0 {
            return ControlFlow::Continue(());
        }
        let (start, mut only) = self.holding(q, maybe);
        // A level leaves at most its group of boxes.
        let mut stack = [0_u32; GROUP * MAX_LEVELS];
        stack[0] = start.code();
        let mut waiting = 1;
        while waiting > 0 {
            waiting -= 1;
            match Node::from_code(stack[waiting]) {
                Node::Group { level, group } => {
                    let (block, len) = self.group(level, group);
                    let least = Self::least(block, q);
                    let there = mask(&least, maybe) & ((1 << len) - 1) & only;
                    only = u32::MAX;
                    for i in bits(there) {
                        let child = Self::child(level, group, i);
                        if sure > least[i] && Self::most(block, i, q) <= sure {
                            inside(self.points(child))?;
                        } else {
                            stack[waiting] = child.code();
                            waiting += 1;
                        }
                    }
                }
                Node::Leaf(leaf) => {
                    let (block, len) = self.leaf(leaf);
                    let squares = Self::squares(block, q);
                    for i in bits(mask(&squares, maybe) & (u32::MAX >> (LEAF - len))) {
                        let point = leaf * LEAF + i;
                        if squares[i] <= sure {
                            inside(point..point + 1)?;
                        } else {
                            between(point)?;
                        }
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// The squares up to which a point is surely within the chords, and up to which it may be.
pub(crate) fn limits(sure: f64, maybe: f64) -> (f32, f32) {
    let low = sure - SLACK;
    let low = if low <= 0.0 { -1.0 } else { (low * low) as f32 * (1.0 - ROUNDING) };
    let high = maybe + SLACK;
    (low, (high * high) as f32 * (1.0 + ROUNDING))
}

const _: () = assert!(GROUP == 16 && LEAF % 4 == 0); // four cuts a level of boxes
const _: () = assert!(BLOCK == 4 * 3 * LEAF && BLOCK == 4 * 6 * GROUP);
const _: () = assert!(cube::STEPS == 1_073_741_824.0);
