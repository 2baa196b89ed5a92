use alloc::vec;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::{DEFAULT_SEED, MAX_THETA, ThetaCompact, bounds, seed_hash};
use crate::distinct::Sigmas;
use crate::wire::murmur3::{murmur3_u64, murmur3_x64_128};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Merge, ParamError, Wire, kinds};

/// The taking form of a theta sketch: keeps the hashes below a threshold that falls as they fill
/// a table.
///
/// Keeps 2^lg to 1.875 * 2^lg hashes; the relative standard error is at most
/// `1 / sqrt(2^lg - 1)`. Exact until the table is full. Memory is 16 bytes times 2^lg at most
/// (64 KiB at 12), in steps as it fills. Adding is one hash and one probe, and only the hash once
/// the threshold is low.
///
/// Items are hashed as Java and C++ DataSketches hash them: a `u64` or `i64` as `long`, `f64` as
/// `double`, a `str` as its UTF-8, all under seed 9001.
#[derive(Clone, Debug)]
pub struct Theta {
    lg: u8,
    seed: u64,
    sampling: f32,
    /// The hashes in the order of arrival while shorter than [`TABLE`]; then a table of a power of
    /// two with linear probing, where zero is an empty slot, for no hash kept is zero.
    table: Vec<u64>,
    kept: usize,
    theta: u64,
    touched: bool,
}

/// The smallest table. Below it a list takes half the memory: 504 bytes for 63 hashes.
const TABLE: usize = 64;

impl Theta {
    /// The least binary logarithm of the number of hashes.
    pub const MIN_LG: u8 = 5;
    /// The greatest.
    pub const MAX_LG: u8 = 26;

    /// A sketch of nominally 2^`lg` hashes. 12 is the usual one: 1.6 % error.
    ///
    /// # Errors
    /// When `lg` is not in `5 ..= 26`.
    pub fn new(lg: u8) -> Result<Self, ParamError> {
        ParamError::whole("lg", lg.into(), Self::MIN_LG.into(), Self::MAX_LG.into())?;
        let mut sketch = Self {
            lg,
            seed: DEFAULT_SEED,
            sampling: 1.0,
            table: Vec::new(),
            kept: 0,
            theta: MAX_THETA,
            touched: false,
        };
        sketch.clear();
        Ok(sketch)
    }

    /// The same under another hash seed, emptied.
    ///
    /// # Errors
    /// When the 16-bit mark of the seed, which images carry, is zero.
    pub fn with_seed(mut self, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("mark of the seed", seed_hash(seed).into(), 1, u16::MAX.into())?;
        self.seed = seed;
        self.clear();
        Ok(self)
    }

    /// The same, keeping only a share `p` of the items from the start, emptied.
    ///
    /// # Errors
    /// When `p` is not in `1e-9 ..= 1`.
    pub fn with_sampling(mut self, p: f32) -> Result<Self, ParamError> {
        ParamError::real("p", p.into(), 1e-9, 1.0)?;
        self.sampling = p;
        self.clear();
        Ok(self)
    }

    /// Adds an item.
    #[inline]
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q) {
        let hash = item.with_bytes(|bytes| match <[u8; 8]>::try_from(bytes) {
            Ok(word) => murmur3_u64(u64::from_le_bytes(word), self.seed).0,
            Err(_) => murmur3_x64_128(bytes, self.seed).0,
        });
        self.add_hash(hash >> 1);
    }

    /// Adds the item whose 63-bit hash is `hash`: MurmurHash3's first word without its lowest bit.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) {
        self.touched = true;
        self.keep(hash);
    }

    /// How many different items were added.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        bounds::estimate(self.kept, self.theta())
    }

    /// The estimate and its bounds, exact until the table was full once.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        bounds::bounds(self.kept, self.theta(), sigmas)
    }

    /// The finished form.
    #[must_use]
    pub fn compact(&self) -> ThetaCompact {
        let mut hashes: Vec<u64> = self.hashes().collect();
        hashes.sort_unstable();
        ThetaCompact::of(hashes, self.theta(), seed_hash(self.seed), !self.touched)
    }

    /// The finished form with no more than 2^lg hashes.
    #[must_use]
    pub fn compact_trimmed(&self) -> ThetaCompact {
        let mut compact = self.compact();
        compact.trim(1 << self.lg);
        compact
    }

    /// Hashes that are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.kept
    }

    /// Whether nothing was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.touched
    }

    /// Whether [`estimate`](Self::estimate) is the exact number.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.theta() == MAX_THETA
    }

    /// The threshold below which hashes are kept, of 2^63 - 1.
    #[must_use]
    pub const fn theta(&self) -> u64 {
        if self.touched { self.theta } else { MAX_THETA }
    }

    /// The binary logarithm of the nominal number of hashes.
    #[must_use]
    pub const fn lg(&self) -> u8 {
        self.lg
    }

    /// The hash seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.table.capacity() * 8
    }

    /// Forgets everything added.
    pub fn clear(&mut self) {
        self.table = Vec::new();
        self.kept = 0;
        self.touched = false;
        self.theta = if self.sampling < 1.0 {
            (MAX_THETA as f64 * f64::from(self.sampling)) as u64
        } else {
            MAX_THETA
        };
    }

    /// Takes in hashes of another sketch and its threshold.
    pub(super) fn absorb(&mut self, hashes: impl Iterator<Item = u64>, theta: u64) {
        self.touched = true;
        if theta < self.theta {
            self.lower(theta);
        }
        hashes.for_each(|hash| self.keep(hash));
    }

    fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.table.iter().copied().filter(|&hash| hash != 0)
    }

    #[inline]
    fn keep(&mut self, hash: u64) {
        // Zero wraps to the greatest value: one comparison for both.
        if hash.wrapping_sub(1) < self.theta - 1 {
            self.insert(hash);
        }
    }

    fn insert(&mut self, hash: u64) {
        let full = 2 << self.lg;
        if self.table.len() < TABLE {
            if self.table.contains(&hash) {
                return;
            }
            if self.kept < (TABLE - 1).min(full - full / 16) {
                if self.kept == self.table.capacity() {
                    let room = (self.kept * 2).clamp(4, TABLE - 1);
                    self.table.reserve_exact(room - self.kept);
                }
                self.table.push(hash);
                self.kept += 1;
                return;
            }
            self.rebuild(full.min(4 * TABLE));
        }
        let mask = self.table.len() - 1;
        // The low bits: the high ones are what the threshold selects by.
        let mut at = hash as usize & mask;
        while self.table[at] != 0 {
            if self.table[at] == hash {
                return;
            }
            at = (at + 1) & mask;
        }
        self.table[at] = hash;
        self.kept += 1;
        if self.table.len() < full {
            if self.kept * 2 > self.table.len() {
                let len = (self.table.len() * 4).min(full);
                self.rebuild(len);
            }
        } else if self.kept > full - full / 16 {
            self.halve();
        }
    }

    /// Lowers the threshold to the hash that leaves the nominal number below it.
    #[cold]
    fn halve(&mut self) {
        let mut hashes: Vec<u64> = self.hashes().collect();
        let (_, &mut theta, _) = hashes.select_nth_unstable(1 << self.lg);
        self.lower(theta);
    }

    fn lower(&mut self, theta: u64) {
        self.theta = theta;
        if self.table.len() < TABLE {
            self.table.retain(|&hash| hash < theta);
            self.kept = self.table.len();
        } else {
            self.rebuild(self.table.len());
        }
    }

    /// Moves the hashes below the threshold to a table of `len` slots.
    #[cold]
    fn rebuild(&mut self, len: usize) {
        let old = core::mem::replace(&mut self.table, vec![0; len]);
        let mask = len - 1;
        self.kept = 0;
        for hash in old.into_iter().filter(|&hash| hash != 0 && hash < self.theta) {
            let mut at = hash as usize & mask;
            while self.table[at] != 0 {
                at = (at + 1) & mask;
            }
            self.table[at] = hash;
            self.kept += 1;
        }
    }
}

impl Merge for Theta {
    /// The union. Commutative, associative and idempotent in what it answers up to the choice of
    /// threshold: the lower of both, and lower yet where the table overflows.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("lg", self.lg.into(), other.lg.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        if other.touched {
            self.absorb(other.hashes(), other.theta);
        }
        Ok(())
    }
}

impl Wire for Theta {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::THETA, 1);
        out.u8(self.lg);
        out.u32(self.sampling.to_bits());
        out.u64(self.seed);
        self.compact().encode_to(out);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::THETA, 1)?;
        let start = input.clone();
        let lg = input.u8("lg")?;
        let sketch = Self::new(lg).map_err(|_| start.error("lg", Why::Invalid("not 5 to 26")))?;
        let start = input.clone();
        let sampling = f32::from_bits(input.u32("sampling")?);
        let sketch = sketch.with_sampling(sampling);
        let sketch = sketch.map_err(|_| start.error("sampling", Why::Invalid("not 1e-9 to 1")))?;
        let start = input.clone();
        let sketch = sketch.with_seed(input.u64("seed")?);
        let mut sketch =
            sketch.map_err(|_| start.error("seed", Why::Invalid("its mark is zero")))?;
        let start = input.clone();
        let compact = ThetaCompact::decode_from(input)?;
        if compact.seed_hash() != seed_hash(sketch.seed) {
            return Err(start.error("hashes", Why::Invalid("hashed under another seed")));
        }
        if compact.is_empty() {
            return Ok(sketch);
        }
        if compact.theta() > sketch.theta {
            return Err(start.error("theta", Why::Invalid("over the sampling")));
        }
        let full = 2_usize << lg;
        if compact.len() > full - full / 16 {
            return Err(start.error("hashes", Why::Invalid("more than 1.875 * 2^lg")));
        }
        sketch.touched = true;
        sketch.theta = compact.theta();
        compact.hashes().iter().for_each(|&hash| sketch.insert(hash));
        Ok(sketch)
    }
}

serde_as_wire!([] Theta);
