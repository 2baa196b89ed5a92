use alloc::boxed::Box;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Merge, ParamError, Wire, kinds, math};

/// Count Sketch (Charikar, Chen and Farach-Colton 2002): how often, right on average, with
/// subtraction.
///
/// Each row adds or subtracts the weight in one cell, by a sign of the item's own; the answer is
/// the median of the rows.
///
/// **Guarantee.** A row's estimate has mean equal to the truth and variance at most `F2 / w`, F2 the
/// sum of the squared counts of the other items. So `|count - truth| <= sqrt(8 F2 / w)` with
/// probability at least `1 - 0.67^d` (Chebyshev for a row, then Chernoff for the median). On skewed
/// streams that is far less than Count-Min's `e N / w`.
///
/// **Memory** `8 * w * d` bytes. **Cost** one hash and d cells. Not for: answers that may never be
/// too low (see [`CountMin`](super::CountMin)).
///
/// ```
/// use archstone_sketch::frequency::CountSketch;
///
/// let mut stock = CountSketch::new(5, 1024)?;
/// stock.add_n("apples", 10);
/// stock.add_n("apples", -3);
/// assert_eq!(stock.count("apples"), 7);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CountSketch {
    cells: Box<[i64]>,
    lg_width: u32,
    depth: u32,
    seed: u64,
}

impl CountSketch {
    /// The most cells: 2^27, a gigabyte.
    pub const MAX_CELLS: u64 = 1 << 27;
    /// The most rows.
    pub const MAX_DEPTH: u32 = 31;

    /// `depth` rows (odd, so that there is a median) of `width` cells, rounded up to a power of
    /// two.
    ///
    /// # Errors
    /// When `depth` is even, 0 or over [`MAX_DEPTH`](Self::MAX_DEPTH), `width` 0, or the product
    /// over [`MAX_CELLS`](Self::MAX_CELLS).
    pub fn new(depth: u32, width: u64) -> Result<Self, ParamError> {
        ParamError::whole("depth", depth.into(), 1, Self::MAX_DEPTH.into())?;
        ParamError::whole("depth modulo 2", (depth % 2).into(), 1, 1)?;
        ParamError::whole("width", width, 1, Self::MAX_CELLS / u64::from(depth))?;
        let width = width.next_power_of_two();
        ParamError::whole("cells", width * u64::from(depth), 1, Self::MAX_CELLS)?;
        Ok(Self::build(depth, width.ilog2()))
    }

    fn build(depth: u32, lg_width: u32) -> Self {
        let cells = alloc::vec![0; (depth as usize) << lg_width].into();
        Self { cells, lg_width, depth, seed: 0 }
    }

    /// The same shape under another hash seed, emptied.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..Self::build(self.depth, self.lg_width) }
    }

    /// Adds one of `item`.
    #[inline]
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q) {
        self.add_n(item, 1);
    }

    /// Adds `n` of `item`, or takes them away. Cells stop at the ends of `i64`.
    #[inline]
    pub fn add_n<Q: Item + ?Sized>(&mut self, item: &Q, n: i64) {
        let hash = item.digest(self.seed);
        for row in 0..self.depth {
            let (at, minus) = self.place(hash, row);
            let cell = &mut self.cells[at];
            *cell = if minus { cell.saturating_sub(n) } else { cell.saturating_add(n) };
        }
    }

    /// The estimate: right on average, too high as often as too low.
    pub fn count<Q: Item + ?Sized>(&self, item: &Q) -> i64 {
        let hash = item.digest(self.seed);
        let mut rows = [0; Self::MAX_DEPTH as usize];
        let rows = &mut rows[..self.depth as usize];
        for (row, value) in rows.iter_mut().enumerate() {
            let (at, minus) = self.place(hash, row as u32);
            *value = if minus { self.cells[at].saturating_neg() } else { self.cells[at] };
        }
        let middle = rows.len() / 2;
        *rows.select_nth_unstable(middle).1
    }

    /// The estimate and `sqrt(8 F2 / w)` to both sides, F2 itself as the sketch estimates it: holds
    /// with probability about `1 - 0.67^depth`.
    pub fn bounds<Q: Item + ?Sized>(&self, item: &Q) -> Bounds {
        let estimate = self.count(item) as f64;
        let error = math::sqrt(8.0 * self.second_moment() / (1_u64 << self.lg_width) as f64);
        Bounds { lower: estimate - error, estimate, upper: estimate + error }
    }

    /// An estimate of F2, the sum of the squares of all counts: the median over the rows of the
    /// sum of squared cells (Alon, Matias and Szegedy 1996).
    #[must_use]
    pub fn second_moment(&self) -> f64 {
        let square = |&cell: &i64| cell as f64 * cell as f64;
        let rows = self.cells.chunks_exact(1 << self.lg_width);
        let mut sums: Vec<f64> = rows.map(|row| row.iter().map(square).sum()).collect();
        let middle = sums.len() / 2;
        *sums.select_nth_unstable_by(middle, f64::total_cmp).1
    }

    /// Rows.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Cells of a row.
    #[must_use]
    pub const fn width(&self) -> u64 {
        1 << self.lg_width
    }

    /// Bytes held.
    #[must_use]
    pub const fn memory(&self) -> usize {
        size_of::<Self>() + self.cells.len() * size_of::<i64>()
    }

    /// Forgets everything, keeps the shape.
    pub fn clear(&mut self) {
        self.cells.fill(0);
    }

    /// The cell of a row and whether the sign is minus. Each row has 64 bits of its own: the width
    /// takes the low ones, the sign the highest.
    #[inline]
    const fn place(&self, hash: u64, row: u32) -> (usize, bool) {
        let word = archstone_core::hash::hash_u64(hash, row as u64);
        let column = word as usize & ((1 << self.lg_width) - 1);
        ((row as usize) << self.lg_width | column, word >> 63 != 0)
    }
}

impl Merge for CountSketch {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("width", self.width(), other.width())?;
        Incompatible::unless_equal("depth", self.depth.into(), other.depth.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        self.cells.iter_mut().zip(&other.cells).for_each(|(a, b)| *a = a.saturating_add(*b));
        Ok(())
    }
}

impl Wire for CountSketch {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::COUNT_SKETCH, 1);
        out.u8(self.lg_width as u8);
        out.u8(self.depth as u8);
        out.u64(self.seed);
        // Zigzag: small numbers of either sign are short.
        self.cells.iter().for_each(|&cell| out.varint((cell << 1 ^ cell >> 63) as u64));
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::COUNT_SKETCH, 1)?;
        let lg_width = u32::from(input.u8("width")?);
        let depth = u32::from(input.u8("depth")?);
        let fits = lg_width <= 27 && depth % 2 == 1 && depth <= Self::MAX_DEPTH;
        if !fits || u64::from(depth) << lg_width > Self::MAX_CELLS {
            return Err(input.error("shape", Why::Invalid("outside the limits")));
        }
        let seed = input.u64("seed")?;
        input.clone().bytes((depth as usize) << lg_width, "cells")?;
        let mut sketch = Self { seed, ..Self::build(depth, lg_width) };
        for cell in &mut sketch.cells {
            let zigzag = input.varint("cell")?;
            *cell = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        }
        Ok(sketch)
    }
}

serde_as_wire!([] CountSketch);
