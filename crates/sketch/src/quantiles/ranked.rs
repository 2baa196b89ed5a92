use alloc::string::String;
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
