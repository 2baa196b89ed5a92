//! Frequent Items: preamble, counts, then items, in the order of the writer's map.
//!
//! | byte | 0 | 1 | 2 | 3 | 4 | 5 | 6, 7 | 8 to 11 | 12 to 15 | 16 | 24 |
//! |---|---|---|---|---|---|---|---|---|---|---|---|
//! | | longs | 1 | 10 | lg max | lg now | flags | 0 | items | 0 | total weight | offset |
//!
//! An empty one ends after byte 7.

use alloc::string::String;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use crate::Key;
use crate::frequency::FrequentItems;

const FAMILY: u8 = 10;
const SERIAL_VERSION: u8 = 1;
/// C++ writes both, Java reads either.
const EMPTY_FLAGS: u8 = 0b101;

/// An item type with a DataSketches encoding: `i64` and `u64` (8 bytes), `String` (a 32-bit length,
/// then UTF-8).
pub trait DsItem: Key {
    /// The fewest bytes of an item.
    const LEAST_BYTES: usize;

    /// Appends the item.
    fn write_ds(&self, out: &mut Writer);

    /// Reads an item.
    ///
    /// # Errors
    /// When the bytes end early or are not an item.
    fn read_ds(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! longs {
    ($($t:ty),*) => {$(
        impl DsItem for $t {
            const LEAST_BYTES: usize = 8;

            fn write_ds(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }

            fn read_ds(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                input.u64("item").map(|word| word as Self)
            }
        }
    )*};
}
longs!(i64, u64);

impl DsItem for String {
    const LEAST_BYTES: usize = 4;

    fn write_ds(&self, out: &mut Writer) {
        // A string of 4 GiB and more has no encoding there; its head is written.
        let len = self.len().min(u32::MAX as usize);
        out.u32(len as u32);
        out.bytes(&self.as_bytes()[..len]);
    }

    fn read_ds(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = input.u32("item length")? as usize;
        let start = input.clone();
        let bytes = input.bytes(len, "item")?;
        core::str::from_utf8(bytes)
            .map(Self::from)
            .map_err(|_| start.error("item", Why::Invalid("not UTF-8")))
    }
}

impl<T: DsItem> FrequentItems<T> {
    /// The bytes of a DataSketches frequent items sketch that gives these answers.
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        let mut out = Writer::new();
        // The size of the smallest map that holds the items at three quarters.
        let mut lg_now = Self::MIN_LG_SIZE;
        while self.len() > (1 << lg_now) / 4 * 3 {
            lg_now += 1;
        }
        let empty = self.total() == 0;
        out.bytes(&[if empty { 1 } else { 4 }, SERIAL_VERSION, FAMILY, self.lg_size(), lg_now]);
        out.bytes(&[if empty { EMPTY_FLAGS } else { 0 }, 0, 0]);
        if empty {
            return out.into_vec();
        }
        out.u32(self.len() as u32);
        out.u32(0);
        out.u64(self.total());
        out.u64(self.offset());
        self.raw().for_each(|(_, count)| out.u64(count));
        self.raw().for_each(|(item, _)| item.write_ds(&mut out));
        out.into_vec()
    }

    /// Reads what DataSketches in Java or C++ wrote.
    ///
    /// # Errors
    /// When the bytes are not a frequent items sketch, cut short, or say what no sketch does.
    pub fn from_datasketches(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let longs = input.u8("preamble longs")?;
        let version = input.u8("serial version")?;
        if version != SERIAL_VERSION {
            let why = Why::Version { found: version, newest: SERIAL_VERSION };
            return Err(input.error("serial version", why));
        }
        let family = input.u8("family")?;
        if family != FAMILY {
            return Err(input.error("family", Why::Kind { found: family, expected: FAMILY }));
        }
        let lg_max = input.u8("lg max")?;
        let lg_now = input.u8("lg now")?;
        let flags = input.u8("flags")?;
        input.bytes(2, "unused")?;
        if !(Self::MIN_LG_SIZE..=Self::MAX_LG_SIZE).contains(&lg_max) || lg_now > lg_max {
            return Err(input.error("lg max", Why::Invalid("outside 3 to 26")));
        }
        let empty = flags & EMPTY_FLAGS != 0;
        if longs != if empty { 1 } else { 4 } {
            return Err(input.error("preamble longs", Why::Invalid("against the empty flag")));
        }
        if empty {
            input.finish()?;
            return Self::from_raw(lg_max, 0, (0, 0), Vec::new());
        }
        let len = input.u32("items")? as usize;
        input.u32("unused")?;
        let total = input.u64("total weight")?;
        let offset = input.u64("offset")?;
        if len > (1 << lg_max) / 4 * 3 || offset > total {
            return Err(input.error("items", Why::Invalid("more than the map holds")));
        }
        let mut counts = Reader::new(input.bytes(len * 8, "counts")?);
        if len * T::LEAST_BYTES > input.remaining() {
            input.bytes(len * T::LEAST_BYTES, "items")?;
        }
        let mut pairs = Vec::with_capacity(len);
        for _ in 0..len {
            pairs.push((T::read_ds(&mut input)?, counts.u64("count")?));
        }
        input.finish()?;
        Self::from_raw(lg_max, 0, (total, offset), pairs)
    }
}
