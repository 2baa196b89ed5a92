use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::small::Small;
use super::ultra_estimate::{self as estimate, Tally};
use super::{Sigmas, leads_before};
use crate::math::sqrt;
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Merge, ParamError, Wire, kinds};

/// UltraLogLog (Ertl 2023): how many different items, in a quarter less memory than HyperLogLog.
///
/// Each register keeps, beside the greatest rank, whether the two ranks below it occurred. The
/// relative standard error is `0.78 / sqrt(2^lg)` however it was merged
/// ([`estimate`](Self::estimate)), `0.76 / sqrt(2^lg)` by maximum likelihood ([`ml`](Self::ml)),
/// and `0.64 / sqrt(2^lg)` until it is merged ([`martingale`](Self::martingale)). Exact while
/// fewer than 64 different items were added, in at most 504 bytes; then 2^lg bytes and 100 more.
/// Adding is one hash and one byte, `estimate` O(1), `ml` and merging O(2^lg).
///
/// [`state`](Self::state) and every estimate are those of Dynatrace hash4j for the same hashes.
///
/// ```
/// use archstone_sketch::distinct::{Sigmas, UltraLogLog};
///
/// let mut paths = UltraLogLog::new(11)?;
/// for id in 0..50_000_u64 {
///     paths.add(&id);
/// }
/// assert!(paths.bounds(Sigmas::Three).contains(50_000.0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct UltraLogLog {
    lg: u8,
    /// The bits of a hash that do not choose its register, and how far down those are that do:
    /// 64 - lg. Kept because additions are counted in instructions.
    rest: u64,
    shift: u8,
    seed: u64,
    /// The hashes themselves, as long as `registers` is empty.
    small: Small,
    /// 2^lg of them or none.
    registers: Box<[u8]>,
    /// What the estimate needs to know of the registers.
    tally: Tally,
    martingale: Option<f64>,
}

impl UltraLogLog {
    /// The least binary logarithm of the number of registers.
    pub const MIN_LG: u8 = 3;
    /// The greatest.
    pub const MAX_LG: u8 = 26;

    /// A counter of 2^`lg` registers of one byte. 11 is a good start: 2 KiB, 1.7 % error.
    ///
    /// # Errors
    /// When `lg` is not in `3 ..= 26`.
    pub fn new(lg: u8) -> Result<Self, ParamError> {
        ParamError::whole("lg", lg.into(), Self::MIN_LG.into(), Self::MAX_LG.into())?;
        Ok(Self {
            lg,
            rest: u64::MAX >> lg,
            shift: 64 - lg,
            seed: 0,
            small: Small::new(),
            registers: Box::default(),
            tally: Tally::new(lg),
            martingale: Some(0.0),
        })
    }

    /// The sketch of hash4j whose state this is; its length is the number of registers.
    ///
    /// # Errors
    /// When the length is not 2^3 to 2^26 or a register has a value that no stream leads to.
    pub fn from_state(state: &[u8]) -> Result<Self, DecodeError> {
        let invalid = |why| DecodeError { at: 0, what: "state", why: Why::Invalid(why) };
        let lg = state.len().checked_ilog2().unwrap_or(0) as u8;
        let sketch = Self::new(lg).map_err(|_| invalid("not 8 to 2^26 registers"))?;
        if state.len() != 1 << lg {
            return Err(invalid("the number of registers is no power of two"));
        }
        if let Some(at) = state.iter().position(|&register| !possible(register, lg)) {
            return Err(DecodeError { at, ..invalid("a register that no item leads to") });
        }
        let mut sketch = sketch.dense();
        if state.iter().any(|&register| register != 0) {
            sketch.set_registers(state.into());
            sketch.martingale = None;
        }
        Ok(sketch)
    }

    /// Takes up the registers now. The state then equals hash4j's from the first item on, and
    /// small counts are estimated as there, not exact.
    #[must_use]
    pub fn dense(mut self) -> Self {
        if self.registers.is_empty() {
            self.grow(&self.small.sorted());
        }
        self
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
        match self.registers.get((hash >> (self.shift & 63)) as usize) {
            // Most items of a long stream end here: more than two ranks below the greatest, which
            // is when a bit is set before the one that the register's greatest stands for.
            Some(&register) if leads_before((hash & self.rest) >> 1, register >> 2) => {}
            Some(_) => self.raise(hash),
            None => self.add_small(hash),
        }
    }

    /// How many different items were added: exact while they are few, then hash4j's default, the
    /// further generalised remaining area estimator.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        if self.registers.is_empty() { self.small.len() as f64 } else { self.fgra() }
    }

    /// The further generalised remaining area estimate, whatever the count. O(1) with registers,
    /// O(2^lg) without.
    #[must_use]
    pub fn fgra(&self) -> f64 {
        if self.registers.is_empty() {
            return self.clone().dense().fgra();
        }
        estimate::fgra(&self.tally, self.lg)
    }

    /// The maximum likelihood estimate, 3 % more precise than [`fgra`](Self::fgra). O(2^lg).
    #[must_use]
    pub fn ml(&self) -> f64 {
        if self.registers.is_empty() {
            return self.clone().dense().ml();
        }
        estimate::maximum_likelihood(&self.registers, &self.tally, self.lg)
    }

    /// The martingale estimate, 18 % more precise than [`fgra`](Self::fgra), while the sketch has
    /// seen its stream in order: none after a merge of two histories.
    #[must_use]
    pub fn martingale(&self) -> Option<f64> {
        if self.registers.is_empty() { Some(self.small.len() as f64) } else { self.martingale }
    }

    /// The probability that one more different item changes the registers.
    #[must_use]
    pub fn change_probability(&self) -> f64 {
        if self.registers.is_empty() {
            return self.clone().dense().change_probability();
        }
        self.tally.change_probability()
    }

    /// The estimate and its bounds, exact while fewer than 64 items were added.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        let estimate = self.estimate();
        if self.registers.is_empty() {
            return Bounds::exact(estimate);
        }
        // Three of them are under 1 from 8 registers on.
        let error = sigmas.number() * sqrt(estimate::FGRA_VARIANCE / self.registers.len() as f64);
        Bounds { lower: estimate / (1.0 + error), estimate, upper: estimate / (1.0 - error) }
    }

    /// The registers, as hash4j's `getState` has them.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        if self.registers.is_empty() {
            return self.clone().dense().registers.into_vec();
        }
        self.registers.to_vec()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.small.len() == 0 && self.registers.iter().all(|&register| register == 0)
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
        self.tally = Tally::new(self.lg);
        self.martingale = Some(0.0);
    }

    /// The sketch of the same stream with 2^`lg` registers, or itself when it has no more.
    ///
    /// # Errors
    /// When `lg` is not in `3 ..= 26`.
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
        let group = 1 << (self.lg - lg);
        let fold = |registers: &[u8]| {
            let mut bits = unpack(registers[0]);
            for (k, _) in registers.iter().enumerate().skip(1).filter(|(_, r)| **r != 0) {
                // An item whose dropped index bits are k has its first one there, whatever follows.
                bits |= 1 << ((k as u64).leading_zeros() + u32::from(self.lg) - 65);
            }
            if bits == 0 { 0 } else { pack(bits) }
        };
        smaller.set_registers(self.registers.chunks_exact(group).map(fold).collect());
        smaller.martingale = None;
        Ok(smaller)
    }

    fn set_registers(&mut self, registers: Box<[u8]>) {
        self.tally = Tally::of(&registers, self.lg);
        self.registers = registers;
        self.small.clear();
    }

    /// Takes up registers for `hashes`, which are all that was added.
    fn grow(&mut self, hashes: &[u64]) {
        let mut registers = vec![0; 1 << self.lg].into_boxed_slice();
        for &hash in hashes {
            let (index, bit) = place(hash, self.lg);
            registers[index] = pack(unpack(registers[index]) | 1 << bit);
        }
        self.set_registers(registers);
        self.martingale = Some(hashes.len() as f64);
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
        let (index, bit) = place(hash, self.lg);
        let old = self.registers[index];
        let new = pack(unpack(old) | 1 << bit);
        if new == old {
            return;
        }
        if let Some(martingale) = &mut self.martingale {
            *martingale += 1.0 / self.tally.change_probability();
        }
        self.registers[index] = new;
        self.tally.replace(old, new, self.lg);
    }

    #[cold]
    #[inline(never)]
    fn add_small(&mut self, hash: u64) {
        if !self.small.insert(hash) {
            self.grow(&self.small.joined(&Small::new(), Some(hash)));
        }
    }
}

/// The register of a hash and the bit that it sets there: its rank and lg - 2.
#[inline(always)]
const fn place(hash: u64, lg: u8) -> (usize, u8) {
    let rest = hash << lg | ((1 << lg) - 1);
    ((hash >> (64 - lg)) as usize, rest.leading_zeros() as u8 + lg - 1)
}

/// The bits that a register stands for: the greatest, and the two below it.
#[inline(always)]
const fn unpack(register: u8) -> u64 {
    (4 | register as u64 & 3).wrapping_shl((register as u32 >> 2).wrapping_sub(2))
}

/// The register of these bits, of which there is at least one.
#[inline(always)]
const fn pack(bits: u64) -> u8 {
    let greatest = 63 - bits.leading_zeros();
    let below = (bits << (63 - greatest) << 1) >> 62;
    (greatest << 2) as u8 | below as u8
}

/// Whether a register of a sketch of 2^lg can have the value.
const fn possible(register: u8, lg: u8) -> bool {
    let least = 4 * (lg - 1);
    let above = register.wrapping_sub(least);
    register == 0 || (register >= least && !matches!(above, 1..=3 | 5 | 7))
}

impl Merge for UltraLogLog {
    /// Commutative, associative and idempotent in everything but the martingale estimate.
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
                let join = |(&a, &b): (&u8, &u8)| match unpack(a) | unpack(b) {
                    0 => 0,
                    bits => pack(bits),
                };
                let merged: Box<[u8]> =
                    self.registers.iter().zip(&*other.registers).map(join).collect();
                if merged == self.registers {
                    if merged == other.registers {
                        let both = self.martingale.zip(other.martingale);
                        self.martingale = both.map(|(a, b)| a.max(b));
                    }
                } else if merged == other.registers {
                    *self = other.clone();
                } else {
                    self.set_registers(merged);
                    self.martingale = None;
                }
            }
        }
        Ok(())
    }
}

const EXACT: u8 = 0;
const IN_ORDER: u8 = 1;
const MERGED: u8 = 2;

impl Wire for UltraLogLog {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::ULTRA_LOG_LOG, 1);
        out.u8(self.lg);
        out.u64(self.seed);
        if self.registers.is_empty() {
            out.u8(EXACT);
            self.small.encode(out);
            return;
        }
        match self.martingale {
            Some(martingale) => {
                out.u8(IN_ORDER);
                out.f64(martingale);
            }
            None => out.u8(MERGED),
        }
        out.bytes(&self.registers);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::ULTRA_LOG_LOG, 1)?;
        let start = input.clone();
        let lg = input.u8("lg")?;
        let mut sketch =
            Self::new(lg).map_err(|_| start.error("lg", Why::Invalid("not 3 to 26")))?;
        sketch.seed = input.u64("seed")?;
        let start = input.clone();
        match input.u8("mode")? {
            EXACT => {
                sketch.small = Small::decode(input)?;
                return Ok(sketch);
            }
            IN_ORDER => {
                let start = input.clone();
                let martingale = input.f64("estimate")?;
                if !(0.0..=1e300).contains(&martingale) || martingale.is_sign_negative() {
                    return Err(start.error("estimate", Why::Invalid("not a number of items")));
                }
                sketch.martingale = Some(martingale);
            }
            MERGED => sketch.martingale = None,
            _ => return Err(start.error("mode", Why::Invalid("not 0, 1 or 2"))),
        }
        let start = input.clone();
        let registers = input.bytes(1 << lg, "registers")?;
        if !registers.iter().all(|&register| possible(register, lg)) {
            return Err(start.error("registers", Why::Invalid("one that no item leads to")));
        }
        sketch.set_registers(registers.into());
        Ok(sketch)
    }
}

serde_as_wire!([] UltraLogLog);
