use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use archstone_core::hash::hash;

use crate::wire::{DecodeError, Reader, Writer};
use crate::{Item, Key};

/// What a sketch of ranks takes: a value with a place in an order, and an encoding of its own.
///
/// Numbers, in their order, and strings, in that of their bytes. `-0.0` equals `0.0`.
pub trait Ranked: Clone {
    /// The fewest bytes that [`write`](Ranked::write) writes.
    const LEAST: usize;

    /// Where it stands beside another value that [has a place](Ranked::has_place).
    fn order(&self, other: &Self) -> Ordering;

    /// Whether it has a place in the order: all values but NaN.
    #[inline]
    fn has_place(&self) -> bool {
        true
    }

    /// Brings `more`, which is ascending, into `run`, which is ascending. `scratch` is for the
    /// numbers, which have a faster way than this default.
    fn merge_runs(run: &mut Vec<Self>, more: &[Self], scratch: &mut Vec<Self>) {
        scratch.clear();
        run.extend_from_slice(more);
        run.sort_by(Self::order);
    }

    /// Bits that differ between most values, for the generator of the sketch.
    fn bits(&self) -> u64;

    /// Appends the value.
    fn write(&self, out: &mut Writer);

    /// Reads what [`write`](Ranked::write) wrote.
    ///
    /// # Errors
    /// When the bytes are not a value of this type.
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Ranked for $t {
            const LEAST: usize = <Self as Key>::LEAST;

            #[inline]
            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            #[inline]
            fn bits(&self) -> u64 {
                *self as u64
            }

            fn merge_runs(run: &mut Vec<Self>, more: &[Self], scratch: &mut Vec<Self>) {
                merge(run, more, scratch);
            }

            fn write(&self, out: &mut Writer) {
                Key::write(self, out);
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Key::read(input)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, u128, i128);

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Ranked for $t {
            const LEAST: usize = size_of::<Self>();

            #[inline]
            fn order(&self, other: &Self) -> Ordering {
                self.partial_cmp(other).unwrap_or(Ordering::Equal)
            }

            #[inline]
            fn has_place(&self) -> bool {
                !self.is_nan()
            }

            #[inline]
            fn bits(&self) -> u64 {
                u64::from(self.to_bits())
            }

            fn merge_runs(run: &mut Vec<Self>, more: &[Self], scratch: &mut Vec<Self>) {
                merge(run, more, scratch);
            }

            fn write(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut word = [0; size_of::<Self>()];
                word.copy_from_slice(input.bytes(size_of::<Self>(), "value")?);
                Ok(Self::from_le_bytes(word))
            }
        }
    )*};
}
floats!(f32, f64);

impl Ranked for String {
    const LEAST: usize = <Self as Key>::LEAST;

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn bits(&self) -> u64 {
        self.with_bytes(|bytes| hash(bytes, 0))
    }

    fn write(&self, out: &mut Writer) {
        Key::write(self, out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Key::read(input)
    }
}

/// Merges from both ends at once, without a branch on what compares: two chains of loads and
/// comparisons that do not wait for each other.
fn merge<T: Copy + PartialOrd>(run: &mut Vec<T>, more: &[T], scratch: &mut Vec<T>) {
    scratch.clear();
    scratch.extend_from_slice(run);
    run.extend_from_slice(more);
    let (left, right) = (&scratch[..], more);
    // What is left of the two is from..to.
    let (mut from, mut to) = ((0, 0), (left.len(), right.len()));
    let (mut front, mut back) = (0, run.len());
    while to.0 - from.0 > 1 && to.1 - from.1 > 1 {
        let (a, b) = (left[from.0], right[from.1]);
        let second = b < a;
        run[front] = if second { b } else { a };
        front += 1;
        from = (from.0 + usize::from(!second), from.1 + usize::from(second));
        let (a, b) = (left[to.0 - 1], right[to.1 - 1]);
        let first = b < a;
        back -= 1;
        run[back] = if first { a } else { b };
        to = (to.0 - usize::from(first), to.1 - usize::from(!first));
    }
    let (mut left, mut right) = (&left[from.0..to.0], &right[from.1..to.1]);
    while let ([a, rest @ ..], [b, ..]) = (left, right) {
        if b < a {
            run[front] = *b;
            right = &right[1..];
        } else {
            run[front] = *a;
            left = rest;
        }
        front += 1;
    }
    run[front..front + left.len()].copy_from_slice(left);
    run[front + left.len()..back].copy_from_slice(right);
}
