//! The images of Apache DataSketches: versions 1 and 2 read, 3 and 4 (compressed) both ways.

use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::compact::check;
use super::{DEFAULT_SEED, MAX_THETA, Theta, ThetaCompact, seed_hash};

const FAMILY: u8 = 3;
const READ_ONLY: u8 = 2;
const EMPTY: u8 = 4;
const COMPACT: u8 = 8;
pub(super) const ORDERED: u8 = 16;
const FLAGS: u8 = READ_ONLY | COMPACT | ORDERED;

impl ThetaCompact {
    /// The image of version 3, ordered: equal to that of C++ in every byte.
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(24 + 8 * self.len());
        let words = match (self.is_exact(), self.len()) {
            (false, _) => 3,
            (true, _) if self.is_empty() => 1,
            (true, 1) => 1,
            (true, _) => 2,
        };
        let flags = if self.is_empty() { FLAGS | EMPTY } else { FLAGS };
        out.bytes(&[words, 3, FAMILY, 0, 0, flags]);
        out.u16(self.seed_hash());
        if words > 1 {
            out.u32(self.len() as u32);
            out.u32(0);
        }
        if words > 2 {
            out.u64(self.theta());
        }
        self.hashes().iter().for_each(|&hash| out.u64(hash));
        out.into_vec()
    }

    /// The image of version 4: differences of the hashes in as few bits as the greatest needs.
    /// Where that gains nothing (no hash, or a single exact one) that of version 3.
    #[must_use]
    pub fn to_datasketches_compressed(&self) -> Vec<u8> {
        if self.hashes().is_empty() || (self.len() == 1 && self.is_exact()) {
            return self.to_datasketches();
        }
        let mut before = 0;
        let gaps: Vec<u64> = self
            .hashes()
            .iter()
            .map(|&hash| hash - core::mem::replace(&mut before, hash))
            .collect();
        let bits = 64 - gaps.iter().fold(0, |all, gap| all | gap).leading_zeros() as u8;
        let len_bytes = (32 - (self.len() as u32).leading_zeros()).div_ceil(8) as u8;
        let mut out = Writer::with_capacity(24 + self.len() * usize::from(bits) / 8);
        let words = if self.is_exact() { 1 } else { 2 };
        out.bytes(&[words, 4, FAMILY, bits, len_bytes, FLAGS]);
        out.u16(self.seed_hash());
        if words > 1 {
            out.u64(self.theta());
        }
        out.bytes(&(self.len() as u32).to_le_bytes()[..usize::from(len_bytes)]);
        // Most significant bit first. A gap has at most 63 bits and 7 may wait.
        let (mut waiting, mut held) = (0_u128, 0);
        for gap in gaps {
            waiting = waiting << bits | u128::from(gap);
            held += bits;
            while held >= 8 {
                held -= 8;
                out.u8((waiting >> held) as u8);
            }
        }
        if held > 0 {
            out.u8((waiting << (8 - held)) as u8);
        }
        out.into_vec()
    }

    /// Reads an image of version 1 to 4 hashed under seed 9001, of C++, Java or another language.
    ///
    /// # Errors
    /// When the bytes are cut short, or are no image that a sketch of that seed has.
    pub fn from_datasketches(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_datasketches_seeded(bytes, DEFAULT_SEED)
    }

    /// [`from_datasketches`](Self::from_datasketches) of an image hashed under another seed.
    ///
    /// # Errors
    /// The same.
    pub fn from_datasketches_seeded(bytes: &[u8], seed: u64) -> Result<Self, DecodeError> {
        let head = Head::read(bytes, seed_hash(seed))?;
        let mut input = Reader::new(bytes);
        input.bytes(head.at, "header")?;
        let start = input.clone();
        let mut hashes = Vec::with_capacity(head.len);
        if head.gap_bits == 0 {
            let bytes = input.bytes(8 * head.len, "hashes")?;
            let words = bytes.chunks_exact(8);
            hashes.extend(words.map(|w| u64::from_le_bytes(w.try_into().unwrap_or_default())));
            if !head.ordered {
                hashes.sort_unstable();
            }
        } else {
            let packed =
                input.bytes((head.len * usize::from(head.gap_bits)).div_ceil(8), "hashes")?;
            let mut packed = packed.iter();
            let (mut waiting, mut held, mut hash) = (0_u128, 0, 0_u64);
            for _ in 0..head.len {
                while held < head.gap_bits {
                    waiting = waiting << 8 | u128::from(packed.next().copied().unwrap_or(0));
                    held += 8;
                }
                held -= head.gap_bits;
                let gap = (waiting >> held) as u64 & ((1 << head.gap_bits) - 1);
                // More than 63 bits is refused below, as over the threshold.
                hash = hash.saturating_add(gap);
                hashes.push(hash);
            }
        }
        check(&hashes, head.theta, head.empty).map_err(|why| start.error("hashes", why))?;
        Ok(Self::of(hashes, head.theta, head.seed_hash, head.empty))
    }
}

impl Theta {
    /// The image of [`compact`](Self::compact), ordered, of version 3.
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        self.compact().to_datasketches()
    }
}

/// What an image says before its hashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) empty: bool,
    pub(super) ordered: bool,
    pub(super) theta: u64,
    pub(super) seed_hash: u16,
    /// Hashes that follow; the image is long enough for them.
    pub(super) len: usize,
    /// Bits of a difference in a compressed image, 0 in another.
    pub(super) gap_bits: u8,
    /// Where the hashes begin.
    pub(super) at: usize,
}

impl Head {
    pub(super) fn read(bytes: &[u8], expected: u16) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        // Java keeps the logarithm of its growth in the two highest bits.
        let words = input.u8("preamble")? & 63;
        let start = input.clone();
        let version = input.u8("version")?;
        let family = start.clone();
        let found = input.u8("family")?;
        if found != FAMILY {
            return Err(family.error("family", Why::Kind { found, expected: FAMILY }));
        }
        if !(1..=3).contains(&words) {
            return Err(start.error("preamble", Why::Invalid("not 1 to 3 words")));
        }
        let first = input.u8("bits")?;
        let second = input.u8("bytes of the count")?;
        let flags = input.u8("flags")?;
        let mark = input.clone();
        let found = input.u16("mark of the seed")?;
        let mut head = Self {
            empty: false,
            ordered: true,
            theta: MAX_THETA,
            seed_hash: expected,
            len: 0,
            gap_bits: 0,
            at: 0,
        };
        match version {
            1 => {
                head.len = input.u32("number of hashes")? as usize;
                input.u32("unused")?;
                head.theta = input.u64("theta")?;
                head.empty = head.len == 0 && head.theta == MAX_THETA;
            }
            2 | 3 => {
                let says_empty = version == 3 && flags & EMPTY != 0;
                if words > 1 {
                    head.len = input.u32("number of hashes")? as usize;
                    input.u32("unused")?;
                } else {
                    head.len = usize::from(version == 3 && !says_empty);
                }
                if words > 2 {
                    head.theta = input.u64("theta")?;
                }
                head.ordered = version == 2 || flags & ORDERED != 0;
                head.empty = says_empty || (head.len == 0 && head.theta == MAX_THETA);
                if says_empty {
                    (head.len, head.theta) = (0, MAX_THETA);
                }
            }
            4 => {
                head.gap_bits = first;
                if words > 1 {
                    head.theta = input.u64("theta")?;
                }
                if second > 4 {
                    return Err(start.error("bytes of the count", Why::Invalid("over 4")));
                }
                for (i, &byte) in input.bytes(second.into(), "count")?.iter().enumerate() {
                    head.len |= usize::from(byte) << (8 * i);
                }
                head.empty = flags & EMPTY != 0;
                if !(1..=63).contains(&first) {
                    return Err(start.error("bits", Why::Invalid("not 1 to 63")));
                }
            }
            _ => return Err(start.error("version", Why::Version { found: version, newest: 4 })),
        }
        if version > 1 && !head.empty && found != expected {
            return Err(mark.error("mark of the seed", Why::Invalid("hashed under another seed")));
        }
        head.at = input.position();
        let bits = if head.gap_bits == 0 { 64 } else { u64::from(head.gap_bits) };
        let needed = (head.len as u64).saturating_mul(bits).div_ceil(8);
        let left = input.remaining() as u64;
        if needed > left {
            return Err(input.error("hashes", Why::Truncated { needed, left }));
        }
        Ok(head)
    }
}
