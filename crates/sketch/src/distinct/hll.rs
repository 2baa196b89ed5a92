use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::relative_error::relative_error;
use super::small::Small;
use super::{Sigmas, TWO_TO_64, histogram, leads_before};
use crate::math::sqrt;
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Merge, ParamError, Wire, kinds};

/// HyperLogLog (Flajolet et al. 2007): how many different items, in 2^lg bytes, the fastest way.
///
/// Answers within a relative standard error of `0.83 / sqrt(2^lg)` until it is merged (the
/// historic inverse probability estimator, Ting 2014), of `1.04 / sqrt(2^lg)` after (Ertl's
/// improved estimator, 2017, which needs no table and no switch between ranges). Exact while fewer
/// than 64 different items were added, in at most 504 bytes. Then 2^lg bytes and 100 more; adding
/// is one hash and one byte, estimating is O(1), merging O(2^lg).
///
/// Not for set intersections (use [`Theta`](super::Theta)) and not the DataSketches bytes (use
/// `DsHll`).
///
/// ```
/// use archstone_sketch::distinct::{Hll, Sigmas};
///
/// let mut visitors = Hll::new(12)?;
/// for id in 0..100_000_u64 {
///     visitors.add(&id);
///     visitors.add(&(id / 2)); // seen before
/// }
/// assert!(visitors.bounds(Sigmas::Three).contains(100_000.0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hll {
    lg: u8,
    seed: u64,
    /// The hashes themselves, as long as `registers` is empty.
    small: Small,
    /// The greatest rank of each register, 2^lg of them or none.
    registers: Box<[u8]>,
    /// The sum of 2^-register over all registers, times 2^64: exact, so it depends on no order.
    sum: u128,
    /// Registers at 0 and at the greatest rank.
    zeros: u32,
    full: u32,
    /// The historic inverse probability estimate; none once two histories have been merged.
    hip: Option<f64>,
}

impl Hll {
    /// The least binary logarithm of the number of registers.
    pub const MIN_LG: u8 = 4;
    /// The greatest.
    pub const MAX_LG: u8 = 21;

    /// A counter of 2^`lg` registers of one byte. 12 is a good start: 4 KiB, 1.3 % error.
    ///
    /// # Errors
    /// When `lg` is not in `4 ..= 21`.
    pub fn new(lg: u8) -> Result<Self, ParamError> {
        ParamError::whole("lg", lg.into(), Self::MIN_LG.into(), Self::MAX_LG.into())?;
        Ok(Self {
            lg,
            seed: 0,
            small: Small::new(),
            registers: Box::default(),
            sum: 0,
            zeros: 0,
            full: 0,
            hip: Some(0.0),
        })
    }

    /// The smallest counter whose relative standard error, merged or not, is at most `error`.
    ///
    /// # Errors
    /// When `error` is not in `0.00072 ..= 0.26`, which is what 2^21 and 2^4 registers give.
    pub fn with_error(error: f64) -> Result<Self, ParamError> {
        ParamError::real("error", error, 0.000_72, 0.26)?;
        let enough = |lg: &u8| 1.04 / sqrt((1_u64 << lg) as f64) <= error;
        let lg = (Self::MIN_LG..Self::MAX_LG).find(enough).unwrap_or(Self::MAX_LG);
        Self::new(lg)
    }

    /// The same under another hash seed, emptied.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.clear();
        self.seed = seed;
        self
    }

    /// Adds an item.
    #[inline]
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q) {
        // The default seed folds into the constants of the hash: six instructions fewer.
        if self.seed == 0 {
            self.add_hash(item.digest(0));
        } else {
            self.add_seeded(item);
        }
    }

    /// Adds the item whose [`digest`](Item::digest) under this sketch's seed is `hash`.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) {
        match self.registers.get((hash >> (64 - self.lg)) as usize) {
            // The rank is no greater than the register's.
            Some(&register) if leads_before(hash << self.lg, register) => {}
            Some(_) => self.raise(hash),
            None => self.add_small(hash),
        }
    }

    /// How many different items were added.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        if self.registers.is_empty() {
            return self.small.len() as f64;
        }
        self.hip.unwrap_or_else(|| self.raw())
    }

    /// The estimate and its bounds, exact while fewer than 64 items were added.
    ///
    /// The lower bound is never below the number of registers that were hit.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        let estimate = self.estimate();
        if self.registers.is_empty() {
            return Bounds::exact(estimate);
        }
        let error = relative_error(self.lg, self.hip.is_some(), sigmas);
        let hit = self.registers.len() as f64 - f64::from(self.zeros);
        let lower = (estimate / (1.0 + error.below)).max(hit);
        Bounds {
            lower,
            estimate: estimate.max(lower),
            upper: (estimate / (1.0 + error.above)).max(lower),
        }
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.small.len() == 0
    }

    /// Whether [`estimate`](Self::estimate) is the exact number.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.registers.is_empty()
    }

    /// The binary logarithm of the number of registers.
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
        self.small.heap_bytes() + self.registers.len()
    }

    /// Forgets everything added.
    pub fn clear(&mut self) {
        self.small.clear();
        self.registers = Box::default();
        (self.sum, self.zeros, self.full) = (0, 0, 0);
        self.hip = Some(0.0);
    }

    /// The sketch of the same stream with 2^`lg` registers, or itself when it has no more.
    ///
    /// A counter with registers loses its in-order history, so its error is then the merged one.
    ///
    /// # Errors
    /// When `lg` is not in `4 ..= 21`.
    pub fn downsized(&self, lg: u8) -> Result<Self, ParamError> {
        let mut smaller = Self::new(lg)?;
        smaller.seed = self.seed;
        if lg >= self.lg {
            return Ok(self.clone());
        }
        if self.registers.is_empty() {
            smaller.small = self.small.clone();
            return Ok(smaller);
        }
        let dropped = self.lg - lg;
        let mut registers = vec![0; 1 << lg];
        for (index, &register) in self.registers.iter().enumerate().filter(|(_, r)| **r > 0) {
            // The dropped bits of the index come before those that the rank was taken from.
            let bits = index as u64 & ((1 << dropped) - 1);
            let rank = if bits == 0 {
                dropped + register
            } else {
                (bits << (64 - dropped)).leading_zeros() as u8 + 1
            };
            let slot: &mut u8 = &mut registers[index >> dropped];
            *slot = rank.max(*slot);
        }
        smaller.set_registers(registers.into_boxed_slice());
        smaller.hip = None;
        Ok(smaller)
    }

    /// Ertl's improved raw estimator (2017, algorithm 6), from the sum and two counts.
    fn raw(&self) -> f64 {
        let m = self.registers.len() as f64;
        let q = 64 - i32::from(self.lg);
        let last = 1.0 / (1_u128 << (q + 1)) as f64;
        let inner = self.sum as f64 / (1_u128 << 64) as f64
            - f64::from(self.zeros)
            - f64::from(self.full) * last;
        let low = m * sigma(f64::from(self.zeros) / m);
        let high = m * tau(1.0 - f64::from(self.full) / m) * 2.0 * last;
        let estimate = m * m / (2.0 * core::f64::consts::LN_2) / (low + inner + high);
        estimate.min(TWO_TO_64)
    }

    fn set_registers(&mut self, registers: Box<[u8]>) {
        let counts = histogram(&registers);
        self.sum = (0..).zip(counts).map(|(rank, n)| u128::from(n) << (64 - rank)).sum();
        self.zeros = counts[0];
        self.full = counts[usize::from(greatest_rank(self.lg))];
        self.registers = registers;
        self.small.clear();
    }

    /// Takes up registers for `hashes`, which are all that was added.
    fn grow(&mut self, hashes: &[u64]) {
        let mut registers = vec![0; 1 << self.lg].into_boxed_slice();
        for &hash in hashes {
            let (index, rank) = place(hash, self.lg);
            registers[index] = rank.max(registers[index]);
        }
        self.set_registers(registers);
        // The count is known here, so the inverse probabilities start from it.
        self.hip = Some(hashes.len() as f64);
    }

    fn hold(&mut self, hashes: Vec<u64>) {
        if hashes.len() <= Small::MAX {
            self.small = Small::of(hashes);
        } else {
            self.grow(&hashes);
        }
    }

    #[inline(never)]
    fn add_seeded<Q: Item + ?Sized>(&mut self, item: &Q) {
        self.add_hash(item.digest(self.seed));
    }

    #[inline(never)]
    fn raise(&mut self, hash: u64) {
        let (index, rank) = place(hash, self.lg);
        let old = self.registers[index];
        if rank <= old {
            return;
        }
        self.registers[index] = rank;
        if let Some(hip) = &mut self.hip {
            // 1 / the probability that a new item changes the registers: the mean of 2^-register,
            // in units of 2^-64. All of them empty are 2^64 units, which 64 bits do not hold.
            let mean = u64::try_from(self.sum >> self.lg).map_or(TWO_TO_64, |mean| mean as f64);
            *hip += TWO_TO_64 / mean;
        }
        self.sum = self.sum - (1_u128 << (64 - old)) + (1_u128 << (64 - rank));
        self.zeros -= u32::from(old == 0);
        self.full += u32::from(rank == greatest_rank(self.lg));
    }

    #[cold]
    #[inline(never)]
    fn add_small(&mut self, hash: u64) {
        if !self.small.insert(hash) {
            self.grow(&self.small.joined(&Small::new(), Some(hash)));
        }
    }
}

/// The register of a hash and its rank: leading zeros of the rest, and one.
#[inline(always)]
const fn place(hash: u64, lg: u8) -> (usize, u8) {
    let rest = hash << lg | 1 << (lg - 1);
    ((hash >> (64 - lg)) as usize, rest.leading_zeros() as u8 + 1)
}

const fn greatest_rank(lg: u8) -> u8 {
    64 - lg + 1
}

/// x + sum of x^(2^k) 2^(k-1) over k from 1 (Ertl 2017).
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut sum, mut weight) = (x, 1.0);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// (1 - x - sum of (1 - x^(2^-k))^2 2^-k over k from 1) / 3 (Ertl 2017).
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut sum, mut weight) = (1.0 - x, 1.0);
    loop {
        x = sqrt(x);
        weight *= 0.5;
        let before = sum;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

impl Merge for Hll {
    /// Commutative and associative in its registers. The in-order estimate survives where one of
    /// the two is small, empty, or brings nothing new.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("lg", self.lg.into(), other.lg.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        match (self.registers.is_empty(), other.registers.is_empty()) {
            (true, true) => self.hold(self.small.joined(&other.small, None)),
            (false, true) => other.small.sorted().into_iter().for_each(|hash| self.add_hash(hash)),
            (true, false) => {
                let hashes = self.small.sorted();
                *self = other.clone();
                hashes.into_iter().for_each(|hash| self.add_hash(hash));
            }
            (false, false) => {
                let pairs = self.registers.iter().zip(&*other.registers);
                let merged: Box<[u8]> = pairs.map(|(a, b)| *a.max(b)).collect();
                if merged == self.registers {
                    // Where both are equal, both histories end here: the greater estimate, so
                    // that the order does not matter.
                    if merged == other.registers {
                        self.hip = self.hip.zip(other.hip).map(|(a, b)| a.max(b));
                    }
                } else if merged == other.registers {
                    *self = other.clone();
                } else {
                    self.set_registers(merged);
                    self.hip = None;
                }
            }
        }
        Ok(())
    }
}

const EXACT: u8 = 0;
const IN_ORDER: u8 = 1;
const MERGED: u8 = 2;

impl Wire for Hll {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::HLL, 1);
        out.u8(self.lg);
        out.u64(self.seed);
        if self.registers.is_empty() {
            out.u8(EXACT);
            self.small.encode(out);
            return;
        }
        match self.hip {
            Some(hip) => {
                out.u8(IN_ORDER);
                out.f64(hip);
            }
            None => out.u8(MERGED),
        }
        // Four ranks of 6 bits in three bytes.
        for four in self.registers.chunks_exact(4) {
            let word = four.iter().rev().fold(0_u32, |word, &r| word << 6 | u32::from(r));
            out.bytes(&word.to_le_bytes()[..3]);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::HLL, 1)?;
        let start = input.clone();
        let lg = input.u8("lg")?;
        let mut sketch =
            Self::new(lg).map_err(|_| start.error("lg", Why::Invalid("not 4 to 21")))?;
        sketch.seed = input.u64("seed")?;
        let start = input.clone();
        match input.u8("mode")? {
            EXACT => {
                sketch.small = Small::decode(input)?;
                return Ok(sketch);
            }
            IN_ORDER => {
                let start = input.clone();
                let hip = input.f64("estimate")?;
                if !(1.0..=1e300).contains(&hip) {
                    return Err(start.error("estimate", Why::Invalid("not a positive number")));
                }
                sketch.hip = Some(hip);
            }
            MERGED => sketch.hip = None,
            _ => return Err(start.error("mode", Why::Invalid("not 0, 1 or 2"))),
        }
        let start = input.clone();
        let packed = input.bytes(3 << (lg - 2), "registers")?;
        let mut registers = Vec::with_capacity(1 << lg);
        for three in packed.chunks_exact(3) {
            let word = u32::from_le_bytes([three[0], three[1], three[2], 0]);
            registers.extend((0..4).map(|i| (word >> (6 * i)) as u8 & 63));
        }
        if registers.iter().any(|&r| r > greatest_rank(lg)) {
            return Err(start.error("registers", Why::Invalid("a rank over its greatest")));
        }
        if registers.iter().all(|&r| r == 0) {
            return Err(start.error("registers", Why::Invalid("all empty")));
        }
        sketch.set_registers(registers.into_boxed_slice());
        Ok(sketch)
    }
}

serde_as_wire!([] Hll);
