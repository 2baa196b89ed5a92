//! The Bloom filters of Parquet files: their hash and their bytes.

use alloc::vec::Vec;

use super::block::{MOST_BLOCKS, blocks_for};
use super::{BlockBloom, Filter, wire};
use crate::wire::xxh64::xxh64;
use crate::wire::{DecodeError, Reader, Why, Writer};
use crate::{Incompatible, Merge, ParamError};

/// A value of a Parquet column, hashed in its "plain" encoding: XXH64, seed 0.
///
/// Other than an [`Item`](crate::Item), an `i32` is 4 bytes here and an `i64` 8, as the column's
/// physical type has it; strings and byte arrays are their bytes without a length.
pub trait Plain {
    /// The hash that the specification asks for.
    fn plain_hash(&self) -> u64;
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Plain for $t {
            #[inline]
            fn plain_hash(&self) -> u64 {
                xxh64(&self.to_le_bytes(), 0)
            }
        }
    )*};
}
plain!(i32, i64, f32, f64);

impl Plain for [u8] {
    #[inline]
    fn plain_hash(&self) -> u64 {
        xxh64(self, 0)
    }
}

impl Plain for str {
    #[inline]
    fn plain_hash(&self) -> u64 {
        xxh64(self.as_bytes(), 0)
    }
}

/// A [`BlockBloom`] with the hash and the bytes of Parquet: what DuckDB, Spark, Impala or arrow
/// write into a file, this reads, and the other way round.
///
/// ```
/// use archstone_sketch::membership::parquet::ParquetBloom;
///
/// let mut column = ParquetBloom::new(1_000, 0.01)?;
/// column.insert(&42_i64);
/// let bytes = column.encode();
/// let read = ParquetBloom::decode(&bytes)?;
/// assert!(read.contains(&42_i64));
/// assert_eq!(read.encode(), bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetBloom(BlockBloom);

/// The header of the format, in Thrift's compact protocol, around the number of bytes.
const BEFORE: u8 = 0x15;
/// Algorithm: split block; hash: XXH64; compression: none; end.
const AFTER: [u8; 13] = [0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0];

/// The most bytes that the header's 32-bit field can say, in whole blocks.
const MOST_BYTES: u64 = i32::MAX as u64 / 32 * 32;

impl ParquetBloom {
    /// A filter that holds `values` distinct values at the rate `fpr`.
    ///
    /// # Errors
    /// When `values` is 0, `fpr` is not within 1e-8 to 0.5, or more than 2 GiB are needed.
    pub fn new(values: u64, fpr: f64) -> Result<Self, ParamError> {
        let blocks = blocks_for(values, fpr)?;
        ParamError::whole("blocks", blocks, 1, (MOST_BYTES / 32).min(MOST_BLOCKS))?;
        BlockBloom::with_blocks(blocks, 0).map(Self)
    }

    /// Inserts `value`; false when the filter already said "probably" to it.
    #[inline]
    pub fn insert<T: Plain + ?Sized>(&mut self, value: &T) -> bool {
        self.0.insert_hash(value.plain_hash())
    }

    /// Whether `value` may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains<T: Plain + ?Sized>(&self, value: &T) -> bool {
        self.0.contains_hash(value.plain_hash())
    }

    /// The expected rate of false answers, as the filter is now.
    #[must_use]
    pub fn fpr(&self) -> f64 {
        self.0.fpr()
    }

    /// Blocks of 32 bytes.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.0.blocks()
    }

    /// [`BlockBloom::fold_to`]: the smaller filter a writer puts into the file once it knows how
    /// many values came.
    #[must_use]
    pub fn fold_to(&self, fpr: f64) -> Self {
        Self(self.0.fold_to(fpr))
    }

    /// The Thrift header and the bits, as they stand in a file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let bytes = self.0.blocks() * 32;
        let mut out = Writer::with_capacity(bytes as usize + 19);
        out.u8(BEFORE);
        // Zigzag: a number that is not negative is doubled.
        out.varint(2 * bytes);
        out.bytes(&AFTER);
        wire::write_blocks(&mut out, &self.0.blocks);
        out.into_vec()
    }

    /// The filter in `bytes`: header and bits, and nothing after them.
    ///
    /// # Errors
    /// When they are cut short, or name another algorithm, hash or compression than the one each
    /// that the specification has.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let start = input.clone();
        if input.u8("header")? != BEFORE {
            return Err(start.error("header", Why::Invalid("no Parquet Bloom filter header")));
        }
        let start = input.clone();
        let zigzag = input.varint_up_to(2 * MOST_BYTES, "bytes of bits")?;
        if zigzag == 0 || zigzag % 64 != 0 {
            return Err(start.error("bytes of bits", Why::Invalid("not a multiple of 32 above 0")));
        }
        let start = input.clone();
        if input.bytes(AFTER.len(), "algorithm, hash, compression")? != AFTER {
            let why = Why::Invalid("not split block, XXH64, uncompressed");
            return Err(start.error("algorithm, hash, compression", why));
        }
        let bits = input.bytes((zigzag / 2) as usize, "bits")?;
        input.finish()?;
        Ok(Self(BlockBloom::of(0, wire::blocks(bits))))
    }
}

/// The union of the two sets.
impl Merge for ParquetBloom {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        self.0.merge(&other.0)
    }
}
