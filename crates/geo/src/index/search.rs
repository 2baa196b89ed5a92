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

/// What has been found so far: all that could still be among the `k` nearest.
pub(crate) struct Nearest {
    k: usize,
    /// Nothing past this can be among them: the k-th smallest square and the slack.
    limit: f32,
    /// The `k` smallest squares in order, if `k` is small; else empty.
    best: [f32; SMALL],
    found: Vec<Candidate>,
}

/// Up to this many, the limit is kept exact with every point found.
const SMALL: usize = 16;

impl Nearest {
    /// The `k` nearest with a square of at most `limit`.
    pub(crate) fn new(k: usize, limit: f32) -> Self {
        let room = if k <= SMALL { 8 * SMALL } else { k.saturating_mul(2).min(1 << 16) + 64 };
        Self { k, limit, best: [f32::INFINITY; SMALL], found: Vec::with_capacity(room) }
    }

    #[inline(always)]
    fn offer(&mut self, square: f32, point: u32) {
        if self.k <= SMALL {
            if self.found.len() == self.found.capacity() {
                self.forget();
            }
            self.found.push(candidate(square, point));
            let mut at = self.k - 1;
            if square < self.best[at & (SMALL - 1)] {
                while at > 0 && self.best[(at - 1) & (SMALL - 1)] > square {
                    self.best[at & (SMALL - 1)] = self.best[(at - 1) & (SMALL - 1)];
                    at -= 1;
                }
                self.best[at & (SMALL - 1)] = square;
                let limit = widen(self.best[self.k - 1]);
                self.limit = if limit < self.limit { limit } else { self.limit };
            }
        } else {
            self.offer_many(square, point);
        }
    }

    #[inline]
    fn offer_many(&mut self, square: f32, point: u32) {
        if self.found.len() == self.found.capacity() {
            self.settle();
            self.forget();
            if square > self.limit {
                return;
            }
        }
        self.found.push(candidate(square, point));
    }

    /// The limit by what has been found.
    fn settle(&mut self) {
        if self.found.len() > self.k {
            let (_, kth, _) = self.found.select_nth_unstable(self.k - 1);
            self.limit = self.limit.min(widen(square_of(*kth)));
        }
    }

    /// Drops what the limit has overtaken; grows only if that was little.
    #[cold]
    fn forget(&mut self) {
        let limit = self.limit;
        self.found.retain(|&candidate| square_of(candidate) <= limit);
        if self.found.len() > self.found.capacity() / 2 + self.k / 2 {
            self.found.reserve(self.found.capacity());
        }
    }

    /// All that may be among the nearest, in the order of the grid.
    pub(crate) fn into_candidates(mut self) -> Vec<Candidate> {
        if self.k > SMALL {
            self.settle();
        }
        let limit = self.limit;
        self.found.retain(|&candidate| square_of(candidate) <= limit);
        self.found.sort_unstable();
        self.found
    }
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

/// The far side of a cut: how far it is on each axis, the square of all, and its leaves.
#[derive(Clone, Copy)]
struct Side {
    square: f32,
    off: [f32; 3],
    first: u32,
    span: u32,
}

/// At most a far side a level, and 2^27 leaves.
const DEPTH: usize = 28;

impl Tree<&[u8]> {
    /// The `k` nearest points that `accept` takes: down to the leaf on the near side of every cut,
    /// then the far sides, the last first, that are still within the limit (Arya and Mount 1993).
    #[inline(always)]
    pub(crate) fn nearest<const ALL: bool>(
        &self,
        q: Cube,
        nearest: &mut Nearest,
        mut accept: impl FnMut(usize) -> bool,
    ) {
        let leaves = self.layout.leaves;
        if nearest.k == 0 || leaves == 0 {
            return;
        }
        let mut stack = [Side { square: 0.0, off: [0.0; 3], first: 0, span: 0 }; DEPTH];
        let mut side = Side { span: leaves.next_power_of_two() as u32, ..stack[0] };
        let mut waiting = 0;
        loop {
            let (mut first, mut span) = (side.first as usize, side.span as usize);
            while span > 1 {
                span /= 2;
                let middle = first + span;
                if middle >= leaves {
                    continue;
                }
                let (axis, cut) = self.cut_before(middle);
                let axis = axis.min(2); // an encoded index has been checked; this spares the bounds
                let above = q[axis] >= cut;
                // The cut was rounded down by up to 3. Opposite ends are 2^31 apart: past an `i32`.
                let off = (q[axis].abs_diff(cut) as f32) - 3.0;
                let mut far = side.off;
                far[axis] = if off > far[axis] { off } else { far[axis] };
                let square =
                    (far[0] * far[0] + far[1] * far[1] + far[2] * far[2]) * (1.0 - ROUNDING);
                let other = if above { first } else { middle };
                first = if above { middle } else { first };
                if square <= nearest.limit {
                    stack[waiting] =
                        Side { square, off: far, first: other as u32, span: span as u32 };
                    waiting += 1;
                }
            }
            self.scan::<ALL>(first, q, nearest, &mut accept);
            loop {
                if waiting == 0 {
                    return;
                }
                waiting -= 1;
                side = stack[waiting];
                if side.square <= nearest.limit {
                    break;
                }
            }
        }
    }

    #[inline(always)]
    fn scan<const ALL: bool>(
        &self,
        leaf: usize,
        q: Cube,
        nearest: &mut Nearest,
        accept: &mut impl FnMut(usize) -> bool,
    ) {
        let (block, len) = self.leaf(leaf);
        let squares = Self::squares(block, q);
        if ALL && nearest.k == 1 && len == LEAF {
            // The nearest of the leaf sets the limit before any is looked at.
            let mut lanes = [f32::INFINITY; 8];
            for chunk in squares.chunks_exact(8) {
                for (lane, square) in lanes.iter_mut().zip(chunk) {
                    *lane = if square < lane { *square } else { *lane };
                }
            }
            let least = lanes.into_iter().fold(f32::INFINITY, |a, b| if a < b { a } else { b });
            if least > nearest.limit {
                return;
            }
            let limit = widen(least);
            nearest.limit = if limit < nearest.limit { limit } else { nearest.limit };
        }
        for i in bits(mask(&squares, nearest.limit) & (u32::MAX >> (LEAF - len))) {
            let (square, point) = (squares[i], leaf * LEAF + i);
            if square <= nearest.limit && accept(point) {
                nearest.offer(square, point as u32);
            }
        }
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
        let Some(root) = self.root() else { return ControlFlow::Continue(()) };
        // A level leaves at most its group of boxes.
        let mut stack = [0_u32; GROUP * MAX_LEVELS];
        stack[0] = root.code();
        let mut waiting = 1;
        while waiting > 0 {
            waiting -= 1;
            match Node::from_code(stack[waiting]) {
                Node::Group { level, group } => {
                    let (block, len) = self.group(level, group);
                    let least = Self::least(block, q);
                    for i in bits(mask(&least, maybe) & ((1 << len) - 1)) {
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

const _: () = assert!(BLOCK == 4 * 3 * LEAF && BLOCK == 4 * 6 * GROUP);
const _: () = assert!(cube::STEPS == 1_073_741_824.0);
