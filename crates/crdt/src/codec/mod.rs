//! Bytes: every type as a canonical, versioned, checksummed encoding.
//!
//! `kind, version, body, CRC-32C of all before it` (4 bytes, little-endian). One state has one
//! encoding, so equal bytes mean equal states and a digest of them can stand for them. Ids take 8
//! bytes, numbers LEB128, dots of one replica the gaps between them.
//!
//! Decoding checks the checksum, the order, every length against the bytes that are left, every
//! dot against its context, and what [`Limits`] allow; what it allocates is bounded by a small
//! multiple of the input. Any truncation and any changed bit is a [`DecodeError`].
//!
//! ```
//! use archstone_crdt::{ReplicaId, codec::Wire, counter::GCounter};
//!
//! let mut visits = GCounter::new();
//! visits.add(ReplicaId(1), 300)?;
//! let bytes = visits.encode();
//! assert_eq!(bytes.len(), 17);
//! assert_eq!(GCounter::decode(&bytes)?, visits);
//! assert!(GCounter::decode(&bytes[1..]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clocks;
mod crc;
mod kinds;
#[cfg(feature = "serde")]
mod serde_bytes;
mod stores;
mod structures;
mod types;
mod value;

use alloc::vec::Vec;

pub use archstone_core::bytes::{DecodeError, Reader, Why, Writer};
pub use stores::StoreWire;
pub use value::Value;

/// The newest version of every body.
const VERSION: u8 = 1;
/// Bytes of the checksum.
const CHECKSUM: usize = 4;

/// How much an untrusted encoding may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the encoding. Default 64 MiB.
    pub bytes: usize,
    /// Replicas of one clock. Default 65,536.
    pub replicas: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, replicas: 1 << 16 }
    }
}

/// What is encoded and decoded.
pub trait Wire: Sized {
    /// The first byte of the encoding.
    const KIND: u8;

    /// Writes the body.
    #[doc(hidden)]
    fn write_body(&self, out: &mut Writer);

    /// Reads the body.
    #[doc(hidden)]
    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError>;

    /// The canonical bytes.
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.header(Self::KIND, VERSION);
        self.write_body(&mut out);
        let mut bytes = out.into_vec();
        let checksum = crc::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The state in `bytes`, within the default [`Limits`].
    ///
    /// # Errors
    /// For anything that [`encode`](Self::encode) does not write.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// The state in `bytes`, within `limits`.
    ///
    /// # Errors
    /// For anything that [`encode`](Self::encode) does not write, and what passes `limits`.
    fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let whole = Reader::new(bytes);
        if bytes.len() > limits.bytes {
            let why = Why::Limit { value: bytes.len() as u64, limit: limits.bytes as u64 };
            return Err(whole.error("encoding", why));
        }
        let mut input = Reader::new(&bytes[..bytes.len().saturating_sub(CHECKSUM)]);
        input.header(Self::KIND, VERSION)?;
        let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if crc::crc32c(body).to_le_bytes() != checksum {
            return Err(input.error("checksum", Why::Invalid("the bytes were changed")));
        }
        let state = Self::read_body(&mut input, limits)?;
        input.finish()?;
        Ok(state)
    }
}
