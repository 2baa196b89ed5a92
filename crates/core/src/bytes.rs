//! A cursor for decoders of untrusted bytes, and its writer.
//!
//! Rules that every format of the family keeps: little-endian; a first byte that names the kind
//! and a second that names the version; canonical (one value, one encoding); a length is never
//! trusted before the bytes it promises are known to be there.
//!
//! ```
//! use archstone_core::bytes::{Reader, Writer};
//!
//! let mut out = Writer::new();
//! out.header(0x7f, 1);
//! out.varint(300);
//! out.bytes(b"abc");
//! let bytes = out.into_vec();
//!
//! let mut input = Reader::new(&bytes);
//! input.header(0x7f, 1)?;
//! assert_eq!(input.varint("count")?, 300);
//! assert_eq!(input.bytes(3, "name")?, b"abc");
//! input.finish()?;
//! # Ok::<(), archstone_core::bytes::DecodeError>(())
//! ```

use alloc::vec::Vec;
use core::fmt;

/// Why bytes could not be decoded: where, which field, what was wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the field from the start of the input.
    pub at: usize,
    /// The field.
    pub what: &'static str,
    /// What was wrong with it.
    pub why: Why,
}

/// What was wrong with a field.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The input ends before the field does.
    Truncated {
        /// Bytes the field needs.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// Another kind of value, or none of ours.
    Kind {
        /// The kind in the input.
        found: u8,
        /// The kind asked for.
        expected: u8,
    },
    /// A version that this build does not read.
    Version {
        /// The version in the input.
        found: u8,
        /// The newest version that this build reads.
        newest: u8,
    },
    /// A number past what the type allows.
    Limit {
        /// The number in the input.
        value: u64,
        /// The most it may be.
        limit: u64,
    },
    /// Anything else that no encoder writes.
    Invalid(&'static str),
    /// Bytes after the end of the value.
    Trailing {
        /// How many.
        left: u64,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, what, why } = self;
        write!(f, "{what} at byte {at}: ")?;
        match why {
            Why::Truncated { needed, left } => write!(f, "needs {needed} bytes, {left} are left"),
            Why::Kind { found, expected } => {
                write!(f, "kind {found:#04x} where {expected:#04x} was expected")
            }
            Why::Version { found, newest } => {
                write!(f, "version {found}, this build reads up to {newest}")
            }
            Why::Limit { value, limit } => write!(f, "{value} is over the limit of {limit}"),
            Why::Invalid(reason) => f.write_str(reason),
            Why::Trailing { left } => write!(f, "{left} bytes after the end"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Reads fields one after the other; each read names its field for the error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { all: bytes, at: 0 }
    }

    /// Offset of the next byte.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.all.len() - self.at
    }

    /// The error `why` for the field `what` that would start here.
    #[must_use]
    pub const fn error(&self, what: &'static str, why: Why) -> DecodeError {
        DecodeError { at: self.at, what, why }
    }

    /// The next `len` bytes, borrowed from the input.
    pub fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let left = self.remaining();
        if len > left {
            let why = Why::Truncated { needed: len as u64, left: left as u64 };
            return Err(self.error(what, why));
        }
        let field = &self.all[self.at..self.at + len];
        self.at += len;
        Ok(field)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let mut field = [0; N];
        field.copy_from_slice(self.bytes(N, what)?);
        Ok(field)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array(what).map(u8::from_le_bytes)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// The IEEE 754 bits of a double, little-endian. NaN and infinity are the caller's to refuse.
    pub fn f64(&mut self, what: &'static str) -> Result<f64, DecodeError> {
        self.array(what).map(f64::from_le_bytes)
    }

    /// An unsigned LEB128 number, at most 10 bytes; a longer form than needed is refused, so that
    /// one value has one encoding.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let start = self.clone();
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(start.error(what, Why::Invalid("varint over 64 bits")));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(start.error(what, Why::Invalid("varint longer than needed")));
                }
                return Ok(value);
            }
        }
        Err(start.error(what, Why::Invalid("varint over 64 bits")))
    }

    /// A varint that may be at most `limit`.
    pub fn varint_up_to(&mut self, limit: u64, what: &'static str) -> Result<u64, DecodeError> {
        let start = self.clone();
        let value = self.varint(what)?;
        if value > limit {
            return Err(start.error(what, Why::Limit { value, limit }));
        }
        Ok(value)
    }

    /// A varint count of items that take at least `item_len` bytes each: refused when the rest of
    /// the input could not hold them, so it is safe to reserve for.
    pub fn count(&mut self, item_len: usize, what: &'static str) -> Result<usize, DecodeError> {
        let start = self.clone();
        let count = self.varint(what)?;
        let left = self.remaining() as u64;
        let needed = count.saturating_mul(item_len.max(1) as u64);
        if needed > left {
            return Err(start.error(what, Why::Truncated { needed, left }));
        }
        Ok(count as usize)
    }

    /// The two bytes that open every format of ours; returns the version, at most `newest`.
    pub fn header(&mut self, kind: u8, newest: u8) -> Result<u8, DecodeError> {
        let start = self.clone();
        let found = self.u8("kind")?;
        if found != kind {
            return Err(start.error("kind", Why::Kind { found, expected: kind }));
        }
        let start = self.clone();
        let version = self.u8("version")?;
        if version == 0 || version > newest {
            return Err(start.error("version", Why::Version { found: version, newest }));
        }
        Ok(version)
    }

    /// Refuses bytes after the end of the value.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.error("end", Why::Trailing { left: left as u64 })),
        }
    }
}

/// Writes what [`Reader`] reads.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity) }
    }

    /// The bytes written.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.out
    }

    /// The kind and version that open every format of ours.
    pub fn header(&mut self, kind: u8, version: u8) {
        self.out.extend_from_slice(&[kind, version]);
    }

    /// Raw bytes, without a length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// The IEEE 754 bits of a double, little-endian.
    pub fn f64(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Unsigned LEB128, the shortest form.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}
