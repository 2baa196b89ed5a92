use core::fmt::Debug;

use archstone_core::bytes::{DecodeError, Reader};

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
}

/// A table of cells that starts on a cache line, so that 64 bytes of it are one miss.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table<C: Counter> {
    lines: alloc::boxed::Box<[Aligned<C::Line>]>,
}

#[repr(align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Aligned<L>(L);

impl<C: Counter> Table<C> {
    /// At least `cells` zeros.
    pub(super) fn new(cells: usize) -> Self {
        let lines = cells.div_ceil(1 << C::LG_LINE);
        Self { lines: alloc::vec![Aligned(C::EMPTY); lines].into() }
    }

    #[inline(always)]
    pub(super) fn get(&self, cell: usize) -> C {
        self.lines[cell >> C::LG_LINE].0.as_ref()[cell & ((1 << C::LG_LINE) - 1)]
    }

    #[inline(always)]
    pub(super) fn cell(&mut self, cell: usize) -> &mut C {
        &mut self.lines[cell >> C::LG_LINE].0.as_mut()[cell & ((1 << C::LG_LINE) - 1)]
    }

    #[inline(always)]
    pub(super) fn line(&self, line: usize) -> &[C] {
        self.lines[line].0.as_ref()
    }

    #[inline(always)]
    pub(super) fn line_mut(&mut self, line: usize) -> &mut [C] {
        self.lines[line].0.as_mut()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = C> + '_ {
        self.lines.iter().flat_map(|line| line.0.as_ref().iter().copied())
    }

    pub(super) fn add_table(&mut self, other: &Self) {
        for (ours, theirs) in self.lines.iter_mut().zip(&other.lines) {
            for (a, b) in ours.0.as_mut().iter_mut().zip(theirs.0.as_ref()) {
                *a = a.plus(*b);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.lines.fill(Aligned(C::EMPTY));
    }

    pub(super) const fn memory(&self) -> usize {
        self.lines.len() * 64
    }

    /// `cells` varints; the input must hold a byte for each before anything is reserved.
    pub(super) fn read(input: &mut Reader<'_>, cells: usize) -> Result<Self, DecodeError> {
        if cells > input.remaining() {
            input.clone().bytes(cells, "cells")?;
        }
        let mut table = Self::new(cells);
        for cell in 0..cells {
            let limit = C::MAX.get();
            *table.cell(cell) = C::clamp_from(input.varint_up_to(limit, "cell")?);
        }
        Ok(table)
    }
}
