use alloc::vec::Vec;
use core::fmt;

use archstone_core::hash::mix;

use super::{Filter, batch, kernel};
use crate::math::{ceil, log2};
use crate::{Incompatible, Item, Merge, ParamError};

/// Fingerprints in a bucket.
const SLOTS: u32 = 4;
/// The share of slots that a filter is sized to fill; kicks find room up to about 95 %.
const LOAD: f64 = 0.94;
/// Fingerprints moved before an insertion gives up.
const MOST_KICKS: usize = 500;
/// Shorter fingerprints give too few alternatives to fill a table, longer ones do not fit a word.
pub(super) const FINGERPRINT_BITS: core::ops::RangeInclusive<u32> = 8..=16;
pub(super) const MOST_BUCKETS: u64 = 1 << 32;

/// The cuckoo filter: a set of fingerprints from which items can be removed.
///
/// Answers: is this item in? Buckets of four fingerprints of f = 8, 10, 12, 14 or 16 bits (the
/// least that gives the rate asked for, packed), each item in one of two buckets. Rate: at most
/// `8 load / (2^f - 1)`: 0.74 % at f = 10, 0.011 % at f = 16. Memory: `f / 0.94` bits an item,
/// 10.6 at 1 %. Cost: two cache lines to ask or remove, a chain of moves to insert into a nearly
/// full table. Source: Fan, Andersen, Kaminsky and Mitzenmacher 2014; the second bucket is
/// `H(f) - first` modulo the number of buckets, so that number need not be a power of two.
///
/// Every copy of an item takes a slot, and its two buckets have eight: for items that are inserted
/// many times take a [`CountingBloom`](super::CountingBloom). Removing what was never inserted can
/// take away another item's fingerprint, which then is missed.
///
/// ```
/// use archstone_sketch::membership::Cuckoo;
///
/// let mut users = Cuckoo::new(10_000, 0.01)?;
/// users.insert("alice")?;
/// assert!(users.contains("alice"));
/// assert!(users.remove("alice"));
/// assert!(!users.contains("alice"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cuckoo {
    pub(super) seed: u64,
    /// Even, in [`FINGERPRINT_BITS`]: a bucket of four is whole bytes.
    pub(super) bits: u32,
    /// At least 1.
    pub(super) buckets: u64,
    pub(super) len: u64,
    /// The buckets, and [`PADDING`] zero bytes so that each can be read as a word.
    pub(super) table: Vec<u8>,
}

pub(super) const PADDING: usize = 8;

/// No room was found for an item: the filter is as it was before, and holds `len` of `slots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Fingerprints in the filter.
    pub len: u64,
    /// Slots it has.
    pub slots: u64,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no room for the item: {} of {} slots are taken", self.len, self.slots)
    }
}

impl core::error::Error for Full {}

/// An item as the filter sees it: a bucket and a fingerprint, never 0.
#[derive(Clone, Copy, Default)]
struct Print {
    bucket: u64,
    print: u64,
}

impl Cuckoo {
    /// A filter that holds `items` copies at the rate `fpr`.
    ///
    /// # Errors
    /// When `items` is 0 or more than 2^34, or `fpr` not within 1.2e-4 to 0.5.
    pub fn new(items: u64, fpr: f64) -> Result<Self, ParamError> {
        Self::with_seed(items, fpr, 0)
    }

    /// [`new`](Cuckoo::new) with a seed of the hash. Filters merge only under equal seeds.
    ///
    /// # Errors
    /// As [`new`](Cuckoo::new).
    pub fn with_seed(items: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        ParamError::real("fpr", fpr, 1.2e-4, super::shape::MOST_FPR)?;
        // Two buckets of four are compared, LOAD of them taken.
        let bits = ceil(log2(f64::from(2 * SLOTS) * LOAD / fpr + 1.0)) as u32;
        let bits = bits.clamp(*FINGERPRINT_BITS.start(), *FINGERPRINT_BITS.end());
        let most = MOST_BUCKETS * u64::from(SLOTS);
        ParamError::whole("items", items, 1, most.min(usize::MAX as u64 / 16))?;
        // A little more for small tables, whose fill varies more.
        let buckets = ceil(items as f64 / (LOAD * f64::from(SLOTS))) as u64 + 2;
        Ok(Self::empty(buckets, bits.next_multiple_of(2), seed))
    }

    fn empty(buckets: u64, bits: u32, seed: u64) -> Self {
        let table = alloc::vec![0; table_len(buckets, bits) as usize];
        Self { seed, bits, buckets, len: 0, table }
    }

    /// Inserts a copy of `item`.
    ///
    /// # Errors
    /// [`Full`] when no room was found; the filter is unchanged. Happens past 94 % of the slots,
    /// or with the ninth copy of one item.
    pub fn insert<T: Item + ?Sized>(&mut self, item: &T) -> Result<(), Full> {
        self.place(self.print(item))
    }

    /// Removes one copy of `item`; false when it is certainly not in.
    pub fn remove<T: Item + ?Sized>(&mut self, item: &T) -> bool {
        let item = self.print(item);
        for bucket in [item.bucket, self.other(item)] {
            if let Some(slot) = self.slot_of(bucket, item.print) {
                self.set(bucket, slot, 0);
                self.len -= 1;
                return true;
            }
        }
        false
    }

    /// Whether `item` may be in.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains_print(self.print(item))
    }

    /// Fingerprints in the filter.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is in.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots; about 94 in 100 of them can be filled.
    #[must_use]
    pub const fn slots(&self) -> u64 {
        self.buckets * SLOTS as u64
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.table.fill(0);
        self.len = 0;
    }

    #[inline]
    fn print<T: Item + ?Sized>(&self, item: &T) -> Print {
        let hash = item.digest(self.seed);
        // The product's upper half is the bucket, what is left of it makes the fingerprint.
        let product = u128::from(hash) * u128::from(self.buckets);
        let rest = mix(product as u64 ^ hash);
        let prints = (1 << self.bits) - 1;
        Print { bucket: (product >> 64) as u64, print: 1 + scale(rest, prints) }
    }

    /// The other bucket of a fingerprint; `other` of that is the first again.
    #[inline]
    fn other(&self, item: Print) -> u64 {
        let sum = scale(mix(item.print.wrapping_mul(0x9E37_79B9_7F4A_7C15)), self.buckets);
        if sum >= item.bucket { sum - item.bucket } else { sum + self.buckets - item.bucket }
    }

    #[inline]
    fn contains_print(&self, item: Print) -> bool {
        self.has(item.bucket, item.print) || self.has(self.other(item), item.print)
    }

    fn place(&mut self, item: Print) -> Result<(), Full> {
        for bucket in [item.bucket, self.other(item)] {
            if let Some(slot) = self.slot_of(bucket, 0) {
                self.set(bucket, slot, item.print);
                self.len += 1;
                return Ok(());
            }
        }
        self.kick(item)
    }

    /// Moves fingerprints to their other buckets until one finds room; undoes it all if none does.
    #[cold]
    fn kick(&mut self, item: Print) -> Result<(), Full> {
        // Which slots: drawn from the item and the table's fill, so that equal filters stay equal.
        let mut random = mix(item.print ^ item.bucket.rotate_left(32) ^ self.len);
        let mut path: Vec<(u64, u32)> = Vec::new();
        let mut moving = Print { bucket: item.bucket, print: item.print };
        if random & 1 == 1 {
            moving.bucket = self.other(item);
        }
        for _ in 0..MOST_KICKS {
            random = mix(random.wrapping_add(0x9E37_79B9_7F4A_7C15));
            let slot = random as u32 % SLOTS;
            let out = self.get(moving.bucket, slot);
            self.set(moving.bucket, slot, moving.print);
            path.push((moving.bucket, slot));
            moving.print = out;
            moving.bucket = self.other(moving);
            if let Some(slot) = self.slot_of(moving.bucket, 0) {
                self.set(moving.bucket, slot, moving.print);
                self.len += 1;
                return Ok(());
            }
        }
        let mut back = moving.print;
        for &(bucket, slot) in path.iter().rev() {
            let placed = self.get(bucket, slot);
            self.set(bucket, slot, back);
            back = placed;
        }
        Err(Full { len: self.len, slots: self.slots() })
    }

    #[inline]
    fn offset(&self, bucket: u64) -> usize {
        bucket as usize * (self.bits * SLOTS / 8) as usize
    }

    /// The four fingerprints of a bucket, the first one lowest.
    #[inline]
    fn word(&self, bucket: u64) -> u64 {
        let at = self.offset(bucket);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.table[at..at + 8]);
        u64::from_le_bytes(bytes) & (u64::MAX >> (64 - self.bits * SLOTS))
    }

    /// Whether one of the four is `print`: a lane of the difference is 0 (Mycroft's test, exact as
    /// to whether there is one).
    #[inline]
    fn has(&self, bucket: u64, print: u64) -> bool {
        let ones = self.ones();
        let differ = self.word(bucket) ^ ones.wrapping_mul(print);
        differ.wrapping_sub(ones) & !differ & (ones << (self.bits - 1)) != 0
    }

    /// 1 in each lane.
    #[inline]
    const fn ones(&self) -> u64 {
        let bits = self.bits;
        1 | 1 << bits | 1 << (2 * bits) | 1 << (3 * bits)
    }

    fn get(&self, bucket: u64, slot: u32) -> u64 {
        self.word(bucket) >> (slot * self.bits) & ((1 << self.bits) - 1)
    }

    fn slot_of(&self, bucket: u64, print: u64) -> Option<u32> {
        (0..SLOTS).find(|&slot| self.get(bucket, slot) == print)
    }

    fn set(&mut self, bucket: u64, slot: u32, print: u64) {
        let shift = slot * self.bits;
        let word = self.word(bucket) & !(((1 << self.bits) - 1) << shift) | print << shift;
        let (at, len) = (self.offset(bucket), (self.bits * SLOTS / 8) as usize);
        self.table[at..at + len].copy_from_slice(&word.to_le_bytes()[..len]);
    }

    /// Fingerprints that are in the table, for a decoder.
    pub(super) fn count(&self) -> u64 {
        let taken = |bucket| (0..SLOTS).filter(|&slot| self.get(bucket, slot) != 0).count() as u64;
        (0..self.buckets).map(taken).sum()
    }

    #[inline]
    fn prefetch(&self, item: Print) {
        kernel::prefetch(&self.table[self.offset(item.bucket)]);
        kernel::prefetch(&self.table[self.offset(self.other(item))]);
    }
}

/// Bytes of a table with its padding.
pub(super) const fn table_len(buckets: u64, bits: u32) -> u64 {
    buckets * (bits * SLOTS / 8) as u64 + PADDING as u64
}

/// `hash` brought below `range`.
#[inline]
fn scale(hash: u64, range: u64) -> u64 {
    ((u128::from(hash) * u128::from(range)) >> 64) as u64
}

impl Filter for Cuckoo {
    #[inline]
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn contains_all<T: Item>(&self, items: &[T], found: &mut Vec<bool>) {
        let hash = |item: &T| self.print(item);
        let contains = |print| self.contains_print(print);
        batch::contains_all(items, found, hash, |print| self.prefetch(print), contains);
    }

    /// The rate at the present load.
    fn fpr(&self) -> f64 {
        let prints = ((1_u64 << self.bits) - 1) as f64;
        let compared = f64::from(2 * SLOTS) * self.len as f64 / self.slots() as f64;
        1.0 - crate::math::pow(1.0 - 1.0 / prints, compared)
    }

    fn bytes(&self) -> usize {
        self.table.len()
    }
}

/// The sum of the two multisets. Refused, with nothing changed, when it does not fit: `what` is
/// then "free slots", `ours` those that there are, `theirs` the fingerprints to take in.
impl Merge for Cuckoo {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("buckets", self.buckets, other.buckets)?;
        Incompatible::unless_equal("fingerprint bits", self.bits.into(), other.bits.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        let ours = self.slots() - self.len;
        let full = Incompatible { what: "free slots", ours, theirs: other.len };
        if other.len > ours {
            return Err(full);
        }
        let mut sum = self.clone();
        for bucket in 0..other.buckets {
            for print in (0..SLOTS).map(|slot| other.get(bucket, slot)).filter(|&p| p != 0) {
                sum.place(Print { bucket, print }).map_err(|_| full)?;
            }
        }
        *self = sum;
        Ok(())
    }
}
