//! Bytes: our own format ([`Wire`]) and, behind features, foreign ones bit for bit.
//!
//! Our format: a kind byte, a version byte, then fields in little-endian; one value has one
//! encoding. Foreign layouts are apart from the algorithms, one file each.

use alloc::vec::Vec;

#[cfg(feature = "datasketches")]
pub mod datasketches;
#[cfg(any(feature = "distinct", feature = "datasketches", feature = "postgres"))]
pub mod murmur3;

#[cfg(feature = "parquet")]
pub mod xxh64;

pub use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

/// A sketch that can be written down and read back.
///
/// `decode(encode(s))` answers, and goes on counting, as `s` does. Decoding never panics and never
/// reserves more than a small multiple of the input.
pub trait Wire: Sized {
    /// Appends the encoding to `out`.
    fn encode_to(&self, out: &mut Writer);

    /// Reads one encoding from the front of `input`.
    ///
    /// # Errors
    /// When the bytes are cut short or are not what [`encode_to`](Wire::encode_to) writes.
    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The encoding.
    #[must_use]
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.encode_to(&mut out);
        out.into_vec()
    }

    /// The sketch that `bytes`, all of them, are the encoding of.
    ///
    /// # Errors
    /// When the bytes are cut short, followed by others, or not an encoding of this type.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let sketch = Self::decode_from(&mut input)?;
        input.finish()?;
        Ok(sketch)
    }
}

/// Serialises types as their `encode` bytes: `serde_as_wire!([T: Key] SpaceSaving<T>);`
#[allow(unused_macros, reason = "a build without a family does not use it")]
macro_rules! serde_as_wire {
    ([$($generics:tt)*] $type:ty) => {
        #[cfg(feature = "serde")]
        impl<$($generics)*> serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&$crate::Wire::encode(self))
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, $($generics)*> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = $crate::wire::serde_bytes::bytes(deserializer)?;
                $crate::Wire::decode(&bytes).map_err(serde::de::Error::custom)
            }
        }
    };
}
#[allow(unused_imports, reason = "a build without a family does not use it")]
pub(crate) use serde_as_wire;

#[cfg(feature = "serde")]
pub(crate) mod serde_bytes;
