use alloc::boxed::Box;
use core::fmt::Debug;

use archstone_core::bytes::{DecodeError, Reader, Writer};

/// A cell of a counting table: `u32` or `u64`. Both stop at their maximum.
pub trait Counter:
    Copy + Ord + Default + Debug + Send + Sync + 'static + sealed::Sealed + TryFrom<u64> + Into<u64>
{
    /// The largest count a cell holds; a cell that shows it means "at least this".
    const MAX: Self;
    /// Logarithm of the cells in 64 bytes.
    const LG_LINE: u32;
    /// 64 bytes of cells.
    type Line: AsRef<[Self]> + AsMut<[Self]> + Copy + Debug + PartialEq + Send + Sync;
    /// 64 bytes of zeros.
    const EMPTY: Self::Line;

    /// `self + more`, at most [`MAX`](Counter::MAX).
    fn plus(self, more: Self) -> Self;

    /// Adds and says whether it wrapped around: one instruction on memory and a branch that is never
    /// taken, in place of a load, a conditional move and a store.
    #[doc(hidden)]
    fn add_wrapping(&mut self, more: Self) -> bool;

    /// Adds `theirs` cell by cell.
    #[doc(hidden)]
    fn add_cells(ours: &mut [Self], theirs: &[Self]) {
        add_each(ours, theirs);
    }

    /// The count.
    #[inline(always)]
    fn get(self) -> u64 {
        self.into()
    }

    /// `count`, at most [`MAX`](Counter::MAX).
    #[inline]
    fn clamp_from(count: u64) -> Self {
        Self::try_from(count).unwrap_or(Self::MAX)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

#[allow(clippy::use_self, reason = "the logarithm is no cell")]
impl Counter for u32 {
    const MAX: Self = Self::MAX;
    const LG_LINE: u32 = 4;
    type Line = [Self; 16];
    const EMPTY: [Self; 16] = [0; 16];

    #[inline(always)]
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }

    #[inline(always)]
    fn add_wrapping(&mut self, more: Self) -> bool {
        let wrapped;
        (*self, wrapped) = self.overflowing_add(more);
        wrapped
    }

    #[inline]
    fn add_cells(ours: &mut [Self], theirs: &[Self]) {
        super::add::add_u32(ours, theirs);
    }
}

impl Counter for u64 {
    const MAX: Self = Self::MAX;
    const LG_LINE: u32 = 3;
    type Line = [Self; 8];
    const EMPTY: [Self; 8] = [0; 8];

    #[inline(always)]
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }

    #[inline(always)]
    fn add_wrapping(&mut self, more: Self) -> bool {
        let wrapped;
        (*self, wrapped) = self.overflowing_add(more);
        wrapped
    }
}

/// The cells of a table: rows as one slice, or lines that start on a cache line each, so that 64
/// bytes are one miss.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Table<C: Counter> {
    /// Four rows, plain updates, the default seed, the usual form: its own variant, so that one
    /// look says all of it.
    Fours(Box<[C]>),
    Rows(Box<[C]>),
    Lines(Box<[Aligned<C::Line>]>),
}

#[repr(align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Aligned<L>(L);

impl<C: Counter> Table<C> {
    pub(super) fn rows(cells: usize) -> Self {
        Self::Rows(alloc::vec![C::default(); cells].into())
    }

    pub(super) fn lines(lines: usize) -> Self {
        Self::Lines(alloc::vec![Aligned(C::EMPTY); lines].into())
    }

    /// The same cells, in the usual form or not.
    pub(super) fn usual(self, usual: bool) -> Self {
        match self {
            Self::Fours(cells) | Self::Rows(cells) if usual => Self::Fours(cells),
            Self::Fours(cells) | Self::Rows(cells) => Self::Rows(cells),
            Self::Lines(lines) => Self::Lines(lines),
        }
    }

    /// All cells in their order.
    pub(super) fn cells(&self) -> impl Iterator<Item = C> + '_ {
        let (rows, lines): (&[C], &[Aligned<C::Line>]) = match self {
            Self::Fours(cells) | Self::Rows(cells) => (cells, &[]),
            Self::Lines(lines) => (&[], lines),
        };
        rows.iter().chain(lines.iter().flat_map(|line| line.0.as_ref())).copied()
    }

    fn cells_mut(&mut self) -> impl Iterator<Item = &mut C> {
        let (rows, lines): (&mut [C], &mut [Aligned<C::Line>]) = match self {
            Self::Fours(cells) | Self::Rows(cells) => (cells, &mut []),
            Self::Lines(lines) => (&mut [], lines),
        };
        rows.iter_mut().chain(lines.iter_mut().flat_map(|line| line.0.as_mut()))
    }

    pub(super) fn add_table(&mut self, other: &Self) {
        match (self, other) {
            (Self::Fours(ours), Self::Fours(theirs)) | (Self::Rows(ours), Self::Rows(theirs)) => {
                C::add_cells(ours, theirs);
            }
            (Self::Lines(ours), Self::Lines(theirs)) => {
                for (ours, theirs) in ours.iter_mut().zip(theirs) {
                    add_each(ours.0.as_mut(), theirs.0.as_ref());
                }
            }
            _ => debug_assert!(false, "tables of one layout"),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Fours(cells) | Self::Rows(cells) => cells.fill(C::default()),
            Self::Lines(lines) => lines.fill(Aligned(C::EMPTY)),
        }
    }

    /// Every cell divided by `2^times`, rounded up.
    #[cfg(feature = "window")]
    pub(super) fn halve(&mut self, times: u32) {
        self.cells_mut().for_each(|cell| *cell = C::clamp_from(halved_up(cell.get(), times)));
    }

    pub(super) const fn memory(&self) -> usize {
        match self {
            Self::Fours(cells) | Self::Rows(cells) => cells.len() * size_of::<C>(),
            Self::Lines(lines) => lines.len() * 64,
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        for cell in self.cells() {
            out.varint(cell.get());
        }
    }

    /// Fills a fresh table, none of whose cells may be over `limit`.
    pub(super) fn read(&mut self, input: &mut Reader<'_>, limit: u64) -> Result<(), DecodeError> {
        let limit = limit.min(C::MAX.get());
        for cell in self.cells_mut() {
            *cell = C::clamp_from(input.varint_up_to(limit, "cell")?);
        }
        Ok(())
    }
}

impl<L> Aligned<L> {
    #[inline(always)]
    pub(super) fn cells<C>(&self) -> &[C]
    where
        L: AsRef<[C]>,
    {
        self.0.as_ref()
    }

    #[inline(always)]
    pub(super) fn cells_mut<C>(&mut self) -> &mut [C]
    where
        L: AsMut<[C]>,
    {
        self.0.as_mut()
    }
}

/// Adds cell by cell. Inlined into code for a CPU, it becomes that CPU's vectors.
#[inline(always)]
pub(super) fn add_each<C: Counter>(ours: &mut [C], theirs: &[C]) {
    for (a, b) in ours.iter_mut().zip(theirs) {
        *a = a.plus(*b);
    }
}

/// `count / 2^times`, rounded up.
#[cfg(feature = "window")]
pub(super) const fn halved_up(count: u64, times: u32) -> u64 {
    if count == 0 {
        0
    } else if times > 63 {
        1
    } else {
        ((count - 1) >> times) + 1
    }
}

/// `count` and `error` divided by `2^times`: the count rounded up, their difference down.
#[cfg(feature = "window")]
pub(super) const fn halved(count: u64, error: u64, times: u32) -> (u64, u64) {
    let sure = if times > 63 { 0 } else { (count - error) >> times };
    let count = halved_up(count, times);
    (count, count - sure)
}
