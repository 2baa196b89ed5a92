//! The bytes of Apache DataSketches: KLL (family 15), REQ (17) and t-digest (20).

mod kll;
mod req;
mod t_digest;

use alloc::string::String;

use super::Ranked;
use crate::wire::{DecodeError, Reader, Why, Writer};

/// A value with a DataSketches encoding: `f32`, `f64`, `i64` as their bytes, `String` with a 32-bit
/// length before it.
pub trait DsValue: Ranked {
    /// The fewest bytes of a value.
    const LEAST_BYTES: usize;

    /// Appends the value.
    fn write_ds(&self, out: &mut Writer);

    /// Reads a value.
    ///
    /// # Errors
    /// When the bytes end early or are not a value.
    fn read_ds(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl DsValue for $t {
            const LEAST_BYTES: usize = size_of::<Self>();

            fn write_ds(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }

            fn read_ds(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <Self as Ranked>::read(input)
            }
        }
    )*};
}
numbers!(f32, f64, i64);

impl DsValue for String {
    const LEAST_BYTES: usize = 4;

    fn write_ds(&self, out: &mut Writer) {
        // A string of 4 GiB and more has no encoding there; its head is written.
        let mut len = self.len().min(u32::MAX as usize);
        while !self.is_char_boundary(len) {
            len -= 1;
        }
        out.u32(len as u32);
        out.bytes(&self.as_bytes()[..len]);
    }

    fn read_ds(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = input.u32("string length")? as usize;
        let start = input.clone();
        core::str::from_utf8(input.bytes(len, "string")?)
            .map(Self::from)
            .map_err(|_| start.error("string", Why::Invalid("not UTF-8")))
    }
}

/// The first bytes of an image: preamble size, version, family.
fn preamble(
    input: &mut Reader<'_>,
    family: u8,
    sizes: &[(u8, u8)],
) -> Result<(u8, u8), DecodeError> {
    let start = input.clone();
    let (longs, version) = (input.u8("preamble size")?, input.u8("serial version")?);
    let found = input.u8("family")?;
    if found != family {
        return Err(start.error("family", Why::Kind { found, expected: family }));
    }
    if !sizes.contains(&(longs, version)) {
        return Err(start.error("preamble", Why::Invalid("a size and version that do not belong")));
    }
    Ok((longs, version))
}
