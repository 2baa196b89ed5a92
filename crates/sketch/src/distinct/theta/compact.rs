use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::{MAX_THETA, bounds};
use crate::distinct::Sigmas;
use crate::wire::serde_as_wire;
use crate::{Bounds, Wire, kinds};

/// The finished form of a theta sketch: its hashes, ascending, and the threshold.
///
/// 8 bytes a hash. What the set operations take and give, and what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThetaCompact {
    hashes: Vec<u64>,
    theta: u64,
    seed_hash: u16,
    empty: bool,
}

impl ThetaCompact {
    /// Of ascending hashes below `theta`.
    pub(super) fn of(hashes: Vec<u64>, theta: u64, seed_hash: u16, empty: bool) -> Self {
        Self { hashes, theta, seed_hash, empty }
    }

    /// How many different items it stands for.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        bounds::estimate(self.hashes.len(), self.theta)
    }

    /// The estimate and its bounds.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        bounds::bounds(self.hashes.len(), self.theta, sigmas)
    }

    /// The hashes, ascending.
    #[must_use]
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Hashes that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether it stands for no item at all; one may have no hash left and yet not be empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Whether [`estimate`](Self::estimate) is the exact number.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.theta == MAX_THETA
    }

    /// The threshold below which hashes were kept, of 2^63 - 1.
    #[must_use]
    pub const fn theta(&self) -> u64 {
        self.theta
    }

    /// The 16 bits by which sketches of different hash seeds are told apart.
    #[must_use]
    pub const fn seed_hash(&self) -> u16 {
        self.seed_hash
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.hashes.capacity() * 8
    }

    /// Leaves the `most` smallest hashes.
    pub(super) fn trim(&mut self, most: usize) {
        if let Some(&theta) = self.hashes.get(most) {
            self.theta = theta;
            self.hashes.truncate(most);
        }
    }
}

/// Whether the hashes are what a sketch can have: ascending, none zero, all below the threshold.
pub(super) fn check(hashes: &[u64], theta: u64, empty: bool) -> Result<(), Why> {
    if !(1..=MAX_THETA).contains(&theta) {
        return Err(Why::Limit { value: theta, limit: MAX_THETA });
    }
    if empty && (!hashes.is_empty() || theta != MAX_THETA) {
        return Err(Why::Invalid("empty, with hashes or a threshold"));
    }
    if !empty && hashes.is_empty() && theta == MAX_THETA {
        return Err(Why::Invalid("not empty, without a hash or a threshold"));
    }
    if hashes.first() == Some(&0) || hashes.last().is_some_and(|&last| last >= theta) {
        return Err(Why::Invalid("a hash that is zero or over the threshold"));
    }
    if !hashes.is_sorted_by(|a, b| a < b) {
        return Err(Why::Invalid("hashes are not ascending"));
    }
    Ok(())
}

impl Wire for ThetaCompact {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::THETA_COMPACT, 1);
        out.u16(self.seed_hash);
        out.u8(self.empty.into());
        out.u64(self.theta);
        out.varint(self.hashes.len() as u64);
        self.hashes.iter().for_each(|&hash| out.u64(hash));
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::THETA_COMPACT, 1)?;
        let seed_hash = input.u16("mark of the seed")?;
        let start = input.clone();
        let empty = match input.u8("empty")? {
            0 => false,
            1 => true,
            _ => return Err(start.error("empty", Why::Invalid("not 0 or 1"))),
        };
        let start = input.clone();
        let theta = input.u64("theta")?;
        let len = input.count(8, "number of hashes")?;
        let bytes = input.bytes(8 * len, "hashes")?;
        let words = bytes.chunks_exact(8);
        let hashes: Vec<u64> =
            words.map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect();
        check(&hashes, theta, empty).map_err(|why| start.error("hashes", why))?;
        Ok(Self { hashes, theta, seed_hash, empty })
    }
}

serde_as_wire!([] ThetaCompact);
