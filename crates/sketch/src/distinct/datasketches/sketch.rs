use alloc::boxed::Box;
use alloc::vec;

use super::coupons::{ADDRESS, ADDRESS_BITS, Coupon, Coupons};
use super::estimate::composite;
use crate::distinct::relative_error::relative_error;
use crate::distinct::{Sigmas, histogram, leads_before};
use crate::wire::murmur3::{murmur3_u64, murmur3_x64_128};
use crate::{Bounds, Item, ParamError};

/// Bits of a register in the image. In memory it is a byte always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HllType {
    /// Four, and a list of the few that do not fit: the smallest image.
    Four = 0,
    /// Six.
    Six = 1,
    /// Eight.
    Eight = 2,
}

/// The HyperLogLog of Apache DataSketches: what Druid, Spark, Doris and Iceberg write and read.
///
/// Hash (MurmurHash3, seed 9001), estimates, bounds and images
/// (`to_datasketches`, `from_datasketches`) are those of C++ and Java, for strings and integers
/// too. The relative standard error is `0.83 / sqrt(2^lg)` until it is merged, `1.04 / sqrt(2^lg)`
/// after. It begins with 32 bits of each hash, so it is exact at first unless two items share
/// them, and takes 2^lg bytes from about `2^lg / 10` items on.
///
/// For bytes that nobody else reads, [`Hll`](super::super::Hll) is faster.
///
/// ```
/// use archstone_sketch::distinct::{DsHll, HllType};
///
/// let mut users = DsHll::new(12, HllType::Four)?;
/// users.add("alice");
/// users.add("bob");
/// users.add("alice");
/// let image = users.to_datasketches(); // for Java's HllSketch.heapify
/// assert_eq!(DsHll::from_datasketches(&image)?.estimate().round(), 2.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DsHll {
    pub(super) lg: u8,
    pub(super) kind: HllType,
    /// All there is, as long as `registers` is empty.
    pub(super) coupons: Coupons,
    /// 2^lg of them or none.
    pub(super) registers: Box<[u8]>,
    /// Sums of 2^-register, of registers below 32 and of the others: two, so that the small terms
    /// are not lost, and that images are equal to the reference's.
    pub(super) sums: [f64; 2],
    pub(super) zeros: u32,
    /// The historic inverse probability estimate, valid while not `merged`.
    pub(super) hip: f64,
    pub(super) merged: bool,
}

impl DsHll {
    /// The least binary logarithm of the number of registers.
    pub const MIN_LG: u8 = 4;
    /// The greatest.
    pub const MAX_LG: u8 = 21;

    /// A counter of 2^`lg` registers whose image has `kind` bits each.
    ///
    /// # Errors
    /// When `lg` is not in `4 ..= 21`.
    pub fn new(lg: u8, kind: HllType) -> Result<Self, ParamError> {
        ParamError::whole("lg", lg.into(), Self::MIN_LG.into(), Self::MAX_LG.into())?;
        Ok(Self {
            lg,
            kind,
            coupons: Coupons::default(),
            registers: Box::default(),
            sums: [0.0; 2],
            zeros: 0,
            hip: 0.0,
            merged: false,
        })
    }

    /// Adds an item.
    #[inline]
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q) {
        let (low, high) = item.with_bytes(|bytes| match <[u8; 8]>::try_from(bytes) {
            Ok(word) => murmur3_u64(u64::from_le_bytes(word), 9001),
            Err(_) => murmur3_x64_128(bytes, 9001),
        });
        self.add_hash(low, high);
    }

    /// Adds the item with these two words of MurmurHash3.
    #[inline]
    pub fn add_hash(&mut self, low: u64, high: u64) {
        // Without registers every index is past the end.
        let index = low as usize & self.registers.len().wrapping_sub(1);
        if let Some(&register) = self.registers.get(index) {
            // The value is no greater than the register.
            if leads_before(high, register) {
                return;
            }
        }
        let value = high.leading_zeros().min(62) + 1;
        self.add_coupon(value << ADDRESS_BITS | low as u32 & ADDRESS);
    }

    #[inline(never)]
    pub(super) fn add_coupon(&mut self, coupon: Coupon) {
        let value = (coupon >> ADDRESS_BITS) as u8;
        let index = (coupon & ((1 << self.lg) - 1)) as usize;
        match self.registers.get(index) {
            Some(&register) if value <= register => {}
            Some(_) => self.raise(index, value),
            None => self.add_sparse(coupon),
        }
    }

    /// How many different items were added.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        if self.registers.is_empty() {
            self.coupons.estimate()
        } else if self.merged {
            composite(self.lg, self.sums[0] + self.sums[1], self.zeros)
        } else {
            self.hip
        }
    }

    /// The estimate and its bounds. The lower one is never below the number of registers hit.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        if self.registers.is_empty() {
            return self.coupons.bounds(sigmas);
        }
        let estimate = self.estimate();
        let error = relative_error(self.lg, !self.merged, sigmas);
        let hit = self.registers.len() as f64 - f64::from(self.zeros);
        let lower = (estimate / (1.0 + error.below)).max(hit);
        let upper = (estimate / (1.0 + error.above)).max(lower);
        Bounds { lower, estimate: estimate.max(lower), upper }
    }

    /// The same counter with another width of register in its image.
    #[must_use]
    pub fn with_type(mut self, kind: HllType) -> Self {
        self.kind = kind;
        self
    }

    /// Bits of a register in the image.
    #[must_use]
    pub const fn hll_type(&self) -> HllType {
        self.kind
    }

    /// The binary logarithm of the number of registers.
    #[must_use]
    pub const fn lg(&self) -> u8 {
        self.lg
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.coupons.len() == 0
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.coupons.heap_bytes() + self.registers.len()
    }

    /// Forgets everything added.
    pub fn clear(&mut self) {
        self.coupons = Coupons::default();
        self.registers = Box::default();
        self.merged = false;
    }

    /// Takes these registers for its own, of a history in order that ended at `hip`, or of none.
    pub(super) fn set_registers(&mut self, registers: Box<[u8]>, hip: Option<f64>) {
        self.coupons = Coupons::default();
        self.registers = registers;
        self.hip = hip.unwrap_or(0.0);
        self.merged = hip.is_none();
        self.add_up();
    }

    /// Takes the sums anew from the registers.
    pub(super) fn add_up(&mut self) {
        let counts = histogram(&self.registers);
        self.zeros = counts[0];
        self.sums = [0.0; 2];
        for (value, n) in (0..).zip(counts) {
            self.sums[usize::from(value >= 32)] += f64::from(n) * half_to(value);
        }
    }

    #[inline(never)]
    fn raise(&mut self, index: usize, value: u8) {
        let old = core::mem::replace(&mut self.registers[index], value);
        if !self.merged {
            self.hip += self.registers.len() as f64 / (self.sums[0] + self.sums[1]);
        }
        self.sums[usize::from(old >= 32)] -= half_to(old);
        self.sums[usize::from(value >= 32)] += half_to(value);
        self.zeros -= u32::from(old == 0);
    }

    #[cold]
    #[inline(never)]
    fn add_sparse(&mut self, coupon: Coupon) {
        if !self.coupons.insert(coupon, self.lg) {
            self.promote();
        }
    }

    fn promote(&mut self) {
        let estimate = self.coupons.estimate();
        let coupons = core::mem::take(&mut self.coupons);
        self.set_registers(vec![0; 1 << self.lg].into_boxed_slice(), Some(0.0));
        coupons.iter().for_each(|coupon| self.add_coupon(coupon));
        self.hip = estimate;
    }
}

/// 2^-value.
#[inline]
const fn half_to(value: u8) -> f64 {
    f64::from_bits((1023 - value as u64) << 52)
}
