//! The exact start of a distinct counter: the 64-bit hashes themselves, while they are few.

use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

/// Up to [`Small::MAX`] different hashes, 8 bytes each, so at most 504 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Small(Vec<u64>);

impl Small {
    pub(super) const MAX: usize = 63;

    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether the hash is in the set now: not when it is new and the set full.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        // A straight scan: the compiler compares several at once, and there are at most 63.
        if self.0.contains(&hash) {
            return true;
        }
        if self.0.len() == Self::MAX {
            return false;
        }
        if self.0.len() == self.0.capacity() {
            let room = (self.0.capacity() * 2).clamp(4, Self::MAX);
            self.0.reserve_exact(room - self.0.len());
        }
        self.0.push(hash);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Ascending, so that whatever is made of them does not depend on the order of arrival.
    pub(super) fn sorted(&self) -> Vec<u64> {
        let mut hashes = self.0.clone();
        hashes.sort_unstable();
        hashes
    }

    /// The hashes of both and of `one` more, ascending, each once.
    pub(super) fn joined(&self, other: &Self, one: Option<u64>) -> Vec<u64> {
        let mut hashes = self.0.clone();
        hashes.extend_from_slice(&other.0);
        hashes.extend(one);
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// Of ascending hashes, no more than [`MAX`](Self::MAX).
    pub(super) fn of(hashes: Vec<u64>) -> Self {
        Self(hashes)
    }

    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * 8
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        out.u8(self.0.len() as u8);
        for hash in self.sorted() {
            out.u64(hash);
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = input.clone();
        let len = usize::from(input.u8("number of hashes")?);
        if len > Self::MAX {
            let why = Why::Limit { value: len as u64, limit: Self::MAX as u64 };
            return Err(start.error("number of hashes", why));
        }
        let start = input.clone();
        let bytes = input.bytes(8 * len, "hashes")?;
        let words = bytes.chunks_exact(8);
        let hashes: Vec<u64> =
            words.map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect();
        if hashes.is_sorted_by(|a, b| a < b) {
            Ok(Self(hashes))
        } else {
            Err(start.error("hashes", Why::Invalid("not ascending")))
        }
    }
}
