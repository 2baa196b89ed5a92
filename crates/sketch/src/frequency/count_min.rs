use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::counter::{Counter, Table};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Merge, ParamError, Wire, kinds, math};

/// Count-Min (Cormode and Muthukrishnan 2005): how often was this item added?
///
/// **Guarantee.** `truth <= count(x)` always; `count(x) <= truth + e/w * N` with probability at
/// least `1 - e^-d`, for width w, depth d and N the sum of the weights (per item asked, over the
/// choice of the seed). [`with_error`](Self::with_error) turns `(eps, delta)` into w and d, so that
/// the over-count is at most `eps * N` with probability `1 - delta`.
///
/// **Memory** `w * d` cells of 4 or 8 bytes. **Cost** one hash and d cells an update.
/// Not for: listing the frequent items (see [`TopK`](super::TopK)), or streams with subtraction.
///
/// Cells stop at their maximum; a count that shows it means "at least".
///
/// ```
/// use archstone_sketch::CountMin;
///
/// let mut hits = CountMin::<u32>::with_error(0.0001, 0.01)?;
/// for path in ["/", "/", "/about"] {
///     hits.add(path);
/// }
/// assert!(hits.count("/") >= 2);
/// assert!(hits.bounds("/").contains(2.0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CountMin<C: Counter = u32> {
    table: Table<C>,
    layout: Layout,
    update: Update,
    /// Logarithm of the width (rows) or of the number of lines.
    lg: u32,
    depth: u32,
    seed: u64,
    total: u64,
}

/// Where the cells of an item lie.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One cell in each of d independent rows: the textbook form, least error while the table is
    /// nearly empty.
    Rows,
    /// Four cells of one 64-byte line, one in each quarter: one cache miss an update. An item's
    /// four cells see only the items of its line.
    Line,
}

/// How an update raises the cells of an item.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Every cell by the weight.
    Plain,
    /// Only as far as the new estimate needs (Estan and Varghese 2002): never a larger count than
    /// plain, usually a much smaller one. Two of them merge as plain ones do, and the merged count
    /// is still at least the truth and at most the plain one.
    Conservative,
}

/// Odd multipliers, one for each further 64 bits that the rows of an item need.
const WORDS: [u64; CountMin::<u32>::MAX_DEPTH as usize / 2] = [
    0x9E37_79B9_7F4A_7C15,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0xD6E8_FEB8_6659_FD93,
    0xA076_1D64_78BD_642F,
    0xE703_7ED1_A0B4_28DB,
    0x8EBC_6AF0_9C88_C6E3,
    0x5899_65CC_7537_4CC3,
];

/// Cells of an item in the [`Layout::Line`] form, one in each quarter of the line.
const LINE_DEPTH: u32 = 4;

impl<C: Counter> CountMin<C> {
    /// The most cells: 2^28, a gigabyte of `u32`.
    pub const MAX_CELLS: u64 = 1 << 28;
    /// The most rows.
    pub const MAX_DEPTH: u32 = 16;

    /// Rows for an over-count of at most `eps * N` with probability at least `1 - delta`.
    ///
    /// Width e / eps, rounded up to a power of two; depth ln(1 / delta), rounded up.
    ///
    /// # Errors
    /// When `eps` is not in `2^-25 ..= 1`, `delta` not in `1.2e-7 ..= 1`, or both together take
    /// more than [`MAX_CELLS`](Self::MAX_CELLS).
    pub fn with_error(eps: f64, delta: f64) -> Result<Self, ParamError> {
        let (lg_width, depth) = shape(eps, delta)?;
        Self::new(depth, 1 << lg_width)
    }

    /// The cheapest layout that over-counts no more than plain rows of this size on a stream of
    /// about `events` weight: the rows themselves, or, for a table that the stream will load with 64
    /// and more a column, as many cells in lines with conservative updates.
    ///
    /// On loaded tables those over-count less than plain rows (measured: 0.6 to 0.8 times) at one
    /// cache miss an update; on nearly empty ones rows are far better. What holds for sure is looser
    /// for lines: [`bounds`](Self::bounds) says it.
    ///
    /// # Errors
    /// As [`with_error`](Self::with_error).
    pub fn for_stream(eps: f64, delta: f64, events: u64) -> Result<Self, ParamError> {
        let (lg_width, depth) = shape(eps, delta)?;
        if events >> lg_width < 64 {
            return Self::new(depth, 1 << lg_width);
        }
        let cells = (u64::from(depth) << lg_width).next_power_of_two();
        Ok(Self::lines((cells >> C::LG_LINE).max(1))?.conservative())
    }

    /// `depth` rows of `width` cells, plain updates. The width is rounded up to a power of two.
    ///
    /// # Errors
    /// When either is 0, `depth` is over [`MAX_DEPTH`](Self::MAX_DEPTH) or the product over
    /// [`MAX_CELLS`](Self::MAX_CELLS).
    pub fn new(depth: u32, width: u64) -> Result<Self, ParamError> {
        ParamError::whole("depth", depth.into(), 1, Self::MAX_DEPTH.into())?;
        ParamError::whole("width", width, 1, Self::MAX_CELLS / u64::from(depth))?;
        let width = width.next_power_of_two();
        ParamError::whole("cells", width * u64::from(depth), 1, Self::MAX_CELLS)?;
        Ok(Self::build(Layout::Rows, width.ilog2(), depth))
    }

    /// `lines` cache lines of 64 bytes (rounded up to a power of two), plain updates.
    ///
    /// # Errors
    /// When it is 0 or takes more than [`MAX_CELLS`](Self::MAX_CELLS).
    pub fn lines(lines: u64) -> Result<Self, ParamError> {
        ParamError::whole("lines", lines, 1, Self::MAX_CELLS >> C::LG_LINE)?;
        Ok(Self::build(Layout::Line, lines.next_power_of_two().ilog2(), LINE_DEPTH))
    }

    fn build(layout: Layout, lg: u32, depth: u32) -> Self {
        let table = empty(layout, lg, depth);
        Self::of(table, (layout, Update::Plain, lg, depth), 0, 0)
    }

    fn of(table: Table<C>, shape: Shape, seed: u64, total: u64) -> Self {
        let (layout, update, lg, depth) = shape;
        let usual = seed == 0 && matches!(shape, (Layout::Rows, Update::Plain, _, 4));
        let table = table.usual(usual);
        Self { table, layout, update, lg, depth, seed, total }
    }

    /// The same shape with conservative updates; what was counted so far is kept.
    #[must_use]
    pub fn conservative(self) -> Self {
        let shape = (self.layout, Update::Conservative, self.lg, self.depth);
        Self::of(self.table, shape, self.seed, self.total)
    }

    /// The same shape under another hash seed, emptied.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.clear();
        Self::of(self.table, (self.layout, self.update, self.lg, self.depth), seed, 0)
    }

    /// Adds one of `item`.
    #[inline(always)]
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q) {
        self.add_n(item, 1);
    }

    /// Adds `n` of `item`.
    #[inline(always)]
    pub fn add_n<Q: Item + ?Sized>(&mut self, item: &Q, n: u64) {
        match &mut self.table {
            // The usual form alone is worth the caller's registers.
            Table::Fours(cells) => {
                let (hash, weight) = (item.digest(0), C::clamp_from(n));
                for (row, cell) in four_cells(hash, cells.len()).into_iter().enumerate() {
                    if cells[cell].add_wrapping(weight) {
                        return self.add_full(hash, n, row);
                    }
                }
                if self.total.add_wrapping(n) {
                    self.total_full();
                }
            }
            _ => self.add_hash(item.digest(self.seed), n),
        }
    }

    /// Adds one of each.
    #[inline]
    pub fn add_all<Q: Item>(&mut self, items: &[Q]) {
        for item in items {
            self.add(item);
        }
    }

    /// Adds `n` of the item whose [`digest`](Item::digest) under this sketch's seed is `hash`.
    #[inline(never)]
    pub fn add_hash(&mut self, hash: u64, n: u64) {
        self.total = self.total.saturating_add(n);
        let n = C::clamp_from(n);
        let lg = self.lg;
        match &mut self.table {
            Table::Fours(cells) | Table::Rows(cells) => {
                add_rows(cells, (self.update, lg, self.depth), hash, n);
            }
            Table::Lines(lines) => {
                let (line, cells) = line_cells::<C>(hash, lg);
                add_line(lines[line].cells_mut(), self.update, cells, n);
            }
        }
    }

    #[cold]
    #[inline(never)]
    const fn total_full(&mut self) {
        self.total = u64::MAX;
    }

    /// Goes on where a cell of four rows was found to wrap around.
    #[cold]
    #[inline(never)]
    fn add_full(&mut self, hash: u64, n: u64, row: usize) {
        self.total = self.total.saturating_add(n);
        let Table::Fours(cells) = &mut self.table else { return };
        let [full, rest @ ..] = &four_cells(hash, cells.len())[row..] else { return };
        cells[*full] = C::MAX;
        for &cell in rest {
            cells[cell] = cells[cell].plus(C::clamp_from(n));
        }
    }

    /// The estimate: at least the truth. [`Counter::MAX`] means "at least".
    #[inline(always)]
    pub fn count<Q: Item + ?Sized>(&self, item: &Q) -> C {
        match &self.table {
            Table::Fours(cells) => {
                let at = four_cells(item.digest(0), cells.len());
                let [a, b, c, d] = at.map(|cell| cells[cell]);
                a.min(b).min(c.min(d))
            }
            _ => self.count_hash(item.digest(self.seed)),
        }
    }

    /// [`count`](Self::count) by [`digest`](Item::digest).
    #[inline(never)]
    pub fn count_hash(&self, hash: u64) -> C {
        match &self.table {
            Table::Fours(cells) | Table::Rows(cells) => least(cells, self.lg, self.depth, hash),
            Table::Lines(lines) => {
                let (line, cells) = line_cells::<C>(hash, self.lg);
                let [a, b, c, d] = cells.map(|cell| lines[line].cells()[cell]);
                a.min(b).min(c.min(d))
            }
        }
    }

    /// The estimate and both its bounds.
    ///
    /// The upper one, the estimate itself, always holds (it is infinite when a cell has reached its
    /// maximum). The lower one holds with probability at least `1 - e^-depth`: it is the estimate
    /// less [`error`](Self::error), for lines with plain updates less `e/4` times the weight in the
    /// item's own line, which is known (each cell is over by more than that with probability
    /// below 1/e, and the four quarters are independent of each other once the line is given).
    pub fn bounds<Q: Item + ?Sized>(&self, item: &Q) -> Bounds {
        let hash = item.digest(self.seed);
        let count = self.count_hash(hash);
        let estimate = count.get() as f64;
        let upper = if count == C::MAX { f64::INFINITY } else { estimate };
        let error = match (&self.table, self.update) {
            (Table::Lines(lines), Update::Plain) => {
                let (line, _) = line_cells::<C>(hash, self.lg);
                let line: &[C] = lines[line].cells();
                let quarter = line.iter().take(line.len() / LINE_DEPTH as usize);
                let load: f64 = quarter.map(|cell| cell.get() as f64).sum();
                math::ceil(load * core::f64::consts::E / 4.0)
            }
            _ => self.error() as f64,
        };
        Bounds { lower: (estimate - error).max(0.0), estimate, upper }
    }

    /// What an estimate may be over by, with probability at least `1 - e^-depth`.
    ///
    /// Rows: `e / width * N`. Lines: `e^4 / width * N`, which is all that can be said without
    /// looking at the item's line (the cells of an item share their line, so they are not
    /// independent).
    #[must_use]
    pub fn error(&self) -> u64 {
        let factor = match self.layout {
            Layout::Rows => core::f64::consts::E,
            Layout::Line => math::exp(4.0),
        };
        math::ceil(factor * self.total as f64 / self.width() as f64) as u64
    }

    /// Cells that an item may fall on in each of the [`depth`](Self::depth) independent choices.
    #[must_use]
    pub const fn width(&self) -> u64 {
        match self.layout {
            Layout::Rows => 1 << self.lg,
            Layout::Line => (1 << self.lg) * ((1 << C::LG_LINE) / LINE_DEPTH as u64),
        }
    }

    /// Cells of one item.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// N: the weight added so far, at most `u64::MAX`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Where the cells of an item lie.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// How updates raise the cells.
    #[must_use]
    pub const fn update(&self) -> Update {
        self.update
    }

    /// The seed of the hash.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Bytes held.
    #[must_use]
    pub const fn memory(&self) -> usize {
        size_of::<Self>() + self.table.memory()
    }

    /// Divides all counts by `2^times`, rounded up.
    #[cfg(feature = "window")]
    pub(crate) fn halve_counts(&mut self, times: u32) {
        self.table.halve(times);
        // Rounding up, a cell may come out above the rounded total: no cell may exceed it.
        self.total = super::counter::halved_up(self.total, times);
        let most = self.table.cells().map(C::get).max().unwrap_or(0);
        self.total = self.total.max(most);
    }

    /// Forgets everything, keeps the shape.
    pub fn clear(&mut self) {
        self.table.clear();
        self.total = 0;
    }
}

/// Layout, update, logarithm and depth.
type Shape = (Layout, Update, u32, u32);

/// `(log2 of the width, depth)` for an error.
fn shape(eps: f64, delta: f64) -> Result<(u32, u32), ParamError> {
    let finest = 1.0 / f64::from(1 << 25);
    let width = math::ceil(core::f64::consts::E / ParamError::real("eps", eps, finest, 1.0)?);
    let least = math::exp(-f64::from(CountMin::<u32>::MAX_DEPTH));
    let delta = ParamError::real("delta", delta, least, 1.0)?;
    let depth = math::ceil(-math::ln(delta)).clamp(1.0, CountMin::<u32>::MAX_DEPTH.into());
    Ok(((width as u64).next_power_of_two().ilog2(), depth as u32))
}

fn empty<C: Counter>(layout: Layout, lg: u32, depth: u32) -> Table<C> {
    match layout {
        Layout::Rows => Table::rows((depth as usize) << lg),
        Layout::Line => Table::lines(1 << lg),
    }
}

const fn cells<C: Counter>(layout: Layout, lg: u32, depth: u32) -> usize {
    match layout {
        Layout::Rows => (depth as usize) << lg,
        Layout::Line => 1 << (lg + C::LG_LINE),
    }
}

/// Bits for further rows: the hash, then its folded products with odd constants. So a pair of items
/// that meets in some rows has no reason to meet in the others.
#[inline(always)]
const fn word(hash: u64, j: u32) -> u64 {
    if j == 0 {
        return hash;
    }
    let product = (hash as u128).wrapping_mul(WORDS[j as usize] as u128);
    product as u64 ^ (product >> 64) as u64
}

/// The cell of an item in `row`: its column is a quarter of a [`word`], in tables wider than 2^16
/// half of one. Rows are interleaved: the cells of one column are neighbours.
const fn cell_in(hash: u64, row: u32, lg: u32, depth: u32) -> usize {
    let bits = if lg <= 16 {
        word(hash, row / 4) >> (16 * (row % 4))
    } else {
        word(hash, row / 2) >> (32 * (row % 2))
    };
    (bits as usize & ((1 << lg) - 1)) * depth as usize + row as usize
}

/// [`cell_in`] of rows 0 to 3 of four, in a table of `cells` cells, a power of two: masked last, so
/// that the compiler sees that no index is too large.
#[inline(always)]
const fn four_cells(hash: u64, cells: usize) -> [usize; 4] {
    let mask = cells.wrapping_sub(1);
    let [a, b, c, d] = if mask >> 18 == 0 {
        [hash, hash >> 16, hash >> 32, hash >> 48]
    } else {
        let word = word(hash, 1);
        [hash, hash >> 32, word, word >> 32]
    };
    let (a, b, c, d) = (a as usize, b as usize, c as usize, d as usize);
    [a << 2 & mask, (b << 2 | 1) & mask, (c << 2 | 2) & mask, (d << 2 | 3) & mask]
}

/// The line and one cell in each of its quarters.
#[inline(always)]
const fn line_cells<C: Counter>(hash: u64, lg: u32) -> (usize, [usize; 4]) {
    let line = (hash >> 32) & ((1 << lg) - 1);
    let bits = C::LG_LINE - 2;
    let mask = (1 << bits) - 1;
    let mut cells = [0; 4];
    let mut quarter = 0;
    while quarter < 4 {
        cells[quarter] = quarter << bits | (hash >> (2 * quarter)) as usize & mask;
        quarter += 1;
    }
    (line as usize, cells)
}

fn add_rows<C: Counter>(cells: &mut [C], shape: (Update, u32, u32), hash: u64, n: C) {
    let (update, lg, depth) = shape;
    if update == Update::Plain {
        for row in 0..depth {
            let cell = &mut cells[cell_in(hash, row, lg, depth)];
            *cell = cell.plus(n);
        }
    } else if depth == 4 {
        let at = four_cells(hash, cells.len());
        let [a, b, c, d] = at.map(|cell| cells[cell]);
        let raised = a.min(b).min(c.min(d)).plus(n);
        for (cell, old) in at.into_iter().zip([a, b, c, d]) {
            cells[cell] = raised.max(old);
        }
    } else {
        let raised = least(cells, lg, depth, hash).plus(n);
        for row in 0..depth {
            let cell = &mut cells[cell_in(hash, row, lg, depth)];
            *cell = raised.max(*cell);
        }
    }
}

#[inline]
fn add_line<C: Counter>(line: &mut [C], update: Update, cells: [usize; 4], n: C) {
    let old = cells.map(|cell| line[cell]);
    if update == Update::Plain {
        for (cell, old) in cells.into_iter().zip(old) {
            line[cell] = old.plus(n);
        }
    } else {
        let [a, b, c, d] = old;
        let raised = a.min(b).min(c.min(d)).plus(n);
        for (cell, old) in cells.into_iter().zip(old) {
            line[cell] = raised.max(old);
        }
    }
}

fn least<C: Counter>(cells: &[C], lg: u32, depth: u32, hash: u64) -> C {
    let first = cells[cell_in(hash, 0, lg, depth)];
    (1..depth).map(|row| cells[cell_in(hash, row, lg, depth)]).fold(first, C::min)
}

impl<C: Counter> Merge for CountMin<C> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("layout", self.layout as u64, other.layout as u64)?;
        Incompatible::unless_equal("update", self.update as u64, other.update as u64)?;
        Incompatible::unless_equal("width", self.width(), other.width())?;
        Incompatible::unless_equal("depth", self.depth.into(), other.depth.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        self.table.add_table(&other.table);
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }
}

impl<C: Counter> Wire for CountMin<C> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::COUNT_MIN, 1);
        out.u8(size_of::<C>() as u8);
        out.u8(self.layout as u8);
        out.u8(self.update as u8);
        out.u8(self.lg as u8);
        out.u8(self.depth as u8);
        out.u64(self.seed);
        out.varint(self.total);
        self.table.write(out);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::COUNT_MIN, 1)?;
        if input.u8("counter size")? as usize != size_of::<C>() {
            return Err(input.error("counter size", Why::Invalid("not that of this type")));
        }
        let layout = match input.u8("layout")? {
            0 => Layout::Rows,
            1 => Layout::Line,
            _ => return Err(input.error("layout", Why::Invalid("unknown"))),
        };
        let update = match input.u8("update")? {
            0 => Update::Plain,
            1 => Update::Conservative,
            _ => return Err(input.error("update", Why::Invalid("unknown"))),
        };
        let lg = u32::from(input.u8("width")?);
        let depth = u32::from(input.u8("depth")?);
        let depth_fits = match layout {
            Layout::Rows => (1..=Self::MAX_DEPTH).contains(&depth),
            Layout::Line => depth == LINE_DEPTH,
        };
        if lg > 28 || !depth_fits || cells::<C>(layout, lg, depth) as u64 > Self::MAX_CELLS {
            return Err(input.error("shape", Why::Invalid("outside the limits")));
        }
        let seed = input.u64("seed")?;
        let total = input.varint("total")?;
        // Each cell takes at least a byte: nothing is reserved before they are there.
        input.clone().bytes(cells::<C>(layout, lg, depth), "cells")?;
        let mut table = empty(layout, lg, depth);
        table.read(input, total)?;
        Ok(Self::of(table, (layout, update, lg, depth), seed, total))
    }
}

serde_as_wire!([C: Counter] CountMin<C>);
