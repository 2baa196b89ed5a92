use alloc::string::String;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};
use archstone_core::hash::{hash, hash_u64};

/// What a sketch can count: a value with canonical bytes, the same on every platform.
///
/// | type | canonical bytes |
/// |---|---|
/// | `u8` to `u64`, `usize`, `bool`, `char` | the value as 8 little-endian bytes |
/// | `i8` to `i64`, `isize` | the same, sign-extended: `-1_i8` is `-1_i64` is `u64::MAX` |
/// | `u128`, `i128` | 16 little-endian bytes, never equal to a shorter integer |
/// | `f32`, `f64` | the double's bits, 8 bytes; `-0.0` as `0.0`, every NaN as one |
/// | `str`, `String`, `[u8]`, `Vec<u8>`, `[u8; N]` | the bytes, without a length or terminator |
/// | `(A, B)` | the length of A's bytes as 8 bytes, A's bytes, B's bytes |
/// | references | those of what they point to |
///
/// So `7_u8` and `7_u64` are one item, and `"a"` and `b"a"` are one item: use one type a stream.
/// These are the bytes that Apache DataSketches hashes in Java and C++.
pub trait Item {
    /// Calls `f` with the canonical bytes.
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R;

    /// The stable hash under `seed`: XXH3-64 of the canonical bytes. For a pair, the hash of the
    /// second under the hash of the first as its seed.
    #[inline]
    fn digest(&self, seed: u64) -> u64 {
        self.with_bytes(|bytes| hash(bytes, seed))
    }
}

/// An item that a sketch can keep and write down: owned, comparable, with its own encoding.
///
/// `Default` is what an empty slot holds; it is never reported.
pub trait Key: Item + Eq + Clone + Default {
    /// The fewest bytes that [`write`](Key::write) writes: a decoder reserves no more than the
    /// input can hold.
    const LEAST: usize;

    /// Whether two of them are compared in a few instructions without a branch.
    #[doc(hidden)]
    const WORD: bool = false;

    /// Appends the item.
    fn write(&self, out: &mut Writer);

    /// Reads what [`write`](Key::write) wrote.
    ///
    /// # Errors
    /// When the bytes are not an item of this type.
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Bytes it holds on the heap.
    #[inline]
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// [`Item::digest`], the default seed in a branch of its own: there it folds into a constant of the
/// hash, which saves six instructions of twenty.
#[allow(dead_code, reason = "a build without the families that use it")]
#[inline(always)]
pub(crate) fn digest<T: Item + ?Sized>(item: &T, seed: u64) -> u64 {
    #[inline(never)]
    fn seeded<T: Item + ?Sized>(item: &T, seed: u64) -> u64 {
        item.digest(seed)
    }
    if seed == 0 { item.digest(0) } else { seeded(item, seed) }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Item for $t {
            #[inline]
            fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
                f(&(*self as u64).to_le_bytes())
            }

            #[inline(always)]
            fn digest(&self, seed: u64) -> u64 {
                hash_u64(*self as u64, seed)
            }
        }

        impl Key for $t {
            const LEAST: usize = 8;
            const WORD: bool = true;

            fn write(&self, out: &mut Writer) {
                out.u64(*self as u64);
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let start = input.clone();
                let word = input.u64("item")?;
                let value = word as $t;
                if value as u64 != word {
                    let why = Why::Limit { value: word, limit: <$t>::MAX as u64 };
                    return Err(start.error("item", why));
                }
                Ok(value)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

macro_rules! small {
    ($($t:ty),*) => {$(
        impl Item for $t {
            #[inline]
            fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
                u64::from(*self).with_bytes(f)
            }

            #[inline]
            fn digest(&self, seed: u64) -> u64 {
                u64::from(*self).digest(seed)
            }
        }
    )*};
}
small!(bool, char);

macro_rules! wide {
    ($($t:ty),*) => {$(
        impl Item for $t {
            #[inline]
            fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
                f(&self.to_le_bytes())
            }
        }

        impl Key for $t {
            const LEAST: usize = 16;

            fn write(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut word = [0; 16];
                word.copy_from_slice(input.bytes(16, "item")?);
                Ok(Self::from_le_bytes(word))
            }
        }
    )*};
}
wide!(u128, i128);

impl Item for f64 {
    #[inline]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        f(&canonical(*self).to_le_bytes())
    }

    #[inline]
    fn digest(&self, seed: u64) -> u64 {
        hash_u64(canonical(*self), seed)
    }
}

impl Item for f32 {
    #[inline]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        f64::from(*self).with_bytes(f)
    }

    #[inline]
    fn digest(&self, seed: u64) -> u64 {
        f64::from(*self).digest(seed)
    }
}

/// Bits of a double with one zero and one NaN, as Java's `doubleToLongBits` has it.
#[inline]
const fn canonical(value: f64) -> u64 {
    if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

macro_rules! byte_strings {
    ($([$($n:tt)*] $t:ty => $as_bytes:expr;)*) => {$(
        impl<$($n)*> Item for $t {
            #[inline]
            fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
                let as_bytes: fn(&Self) -> &[u8] = $as_bytes;
                f(as_bytes(self))
            }
        }
    )*};
}
byte_strings! {
    [] str => |s| s.as_bytes();
    [] String => |s| s.as_bytes();
    [] [u8] => |s| s;
    [] Vec<u8> => |s| s;
    [const N: usize] [u8; N] => |s| s;
}

impl<A: Item, B: Item> Item for (A, B) {
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        let mut both = Vec::new();
        self.0.with_bytes(|a| {
            both.extend_from_slice(&(a.len() as u64).to_le_bytes());
            both.extend_from_slice(a);
        });
        self.1.with_bytes(|b| both.extend_from_slice(b));
        f(&both)
    }

    #[inline]
    fn digest(&self, seed: u64) -> u64 {
        self.1.digest(self.0.digest(seed))
    }
}

impl<T: Item + ?Sized> Item for &T {
    #[inline]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        (**self).with_bytes(f)
    }

    #[inline]
    fn digest(&self, seed: u64) -> u64 {
        (**self).digest(seed)
    }
}

impl Key for Vec<u8> {
    const LEAST: usize = 1;

    fn write(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        out.bytes(self);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = input.count(1, "item length")?;
        Ok(input.bytes(len, "item")?.to_vec())
    }

    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl Key for String {
    const LEAST: usize = 1;

    fn write(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        out.bytes(self.as_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = input.count(1, "item length")?;
        let start = input.clone();
        let bytes = input.bytes(len, "item")?;
        core::str::from_utf8(bytes)
            .map(Self::from)
            .map_err(|_| start.error("item", Why::Invalid("not UTF-8")))
    }

    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    const LEAST: usize = A::LEAST + B::LEAST;

    fn write(&self, out: &mut Writer) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::read(input)?, B::read(input)?))
    }

    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes() + self.1.heap_bytes()
    }
}
