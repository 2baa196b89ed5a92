use alloc::vec::Vec;

use super::shape::{Digest, Shape};
use super::{Filter, batch, kernel};
use crate::math::log1p;
use crate::{Bounds, Incompatible, Item, Merge, ParamError};

/// The classic Bloom filter: any rate from 1e-15, held exactly, up to 2^40 bits.
///
/// Answers: was this item inserted? Rate of false "probably" with n items in m bits and k probes:
/// `(1 - e^(-k n / m))^k`, at most the one asked for while there are no more than the items asked
/// for. Memory: `1.44 log2(1 / fpr)` bits an item (9.6 at 1 %, 57.5 at 1e-12), rounded up to
/// 8 bytes. Cost: k probes, one cache miss each when the filter is larger than the caches; a
/// [`BlockBloom`](super::BlockBloom) has one. Source: Bloom 1970; sizes and the rate: Broder and
/// Mitzenmacher 2004.
///
/// Not for: removing ([`Cuckoo`](super::Cuckoo)), an unknown number of items
/// ([`ScalableBloom`](super::ScalableBloom)).
///
/// ```
/// use archstone_sketch::membership::Bloom;
///
/// let mut seen = Bloom::new(1_000_000, 0.01)?;
/// assert!(seen.insert("user-1"));
/// assert!(seen.contains("user-1"));
/// assert!(!seen.contains("user-2"));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bloom {
    pub(super) shape: Shape,
    pub(super) words: Vec<u64>,
}

impl Bloom {
    /// A filter that holds `items` items at the rate `fpr`.
    ///
    /// # Errors
    /// When `items` is 0, `fpr` is not within 1e-15 to 0.5, or more than 2^40 bits are needed.
    pub fn new(items: u64, fpr: f64) -> Result<Self, ParamError> {
        Self::with_seed(items, fpr, 0)
    }

    /// [`new`](Bloom::new) with a seed of the hash. Filters merge only under equal seeds.
    ///
    /// # Errors
    /// As [`new`](Bloom::new).
    pub fn with_seed(items: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        Shape::for_items(items, fpr, seed).map(Self::empty)
    }

    /// A filter of `bits` bits, rounded up to a multiple of 64, and `hashes` probes an item.
    ///
    /// # Errors
    /// When `bits` is not within 1 to 2^40 or `hashes` not within 1 to 64.
    pub fn with_bits(bits: u64, hashes: u32, seed: u64) -> Result<Self, ParamError> {
        Shape::with_bits(bits, hashes, seed).map(Self::empty)
    }

    fn empty(shape: Shape) -> Self {
        Self { shape, words: alloc::vec![0; shape.words()] }
    }

    /// Inserts `item`; false when the filter already said "probably" to it.
    #[inline]
    pub fn insert<T: Item + ?Sized>(&mut self, item: &T) -> bool {
        self.insert_digest(self.shape.digest(item))
    }

    /// Inserts all of `items`, their memory fetched ahead.
    pub fn insert_all<T: Item>(&mut self, items: &[T]) {
        let hash = |filter: &Self, item: &T| filter.shape.digest(item);
        batch::insert_all(self, items, hash, Self::prefetch, |filter, digest| {
            filter.insert_digest(digest);
        });
    }

    /// Whether `item` may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains_digest(self.shape.digest(item))
    }

    /// Bits of the filter.
    #[must_use]
    pub const fn bits(&self) -> u64 {
        self.shape.bits
    }

    /// Probes an item.
    #[must_use]
    pub const fn hashes(&self) -> u32 {
        self.shape.hashes
    }

    /// Bits that are set. O(bits).
    #[must_use]
    pub fn ones(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The expected rate of false answers once `items` distinct items are in.
    #[must_use]
    pub fn fpr_with(&self, items: u64) -> f64 {
        self.shape.fpr_with(items)
    }

    /// How many distinct items were inserted, from the bits that are set: `-(m / k) ln(1 - X / m)`
    /// with the bounds of `sigmas` standard deviations of X. Infinite when every bit is set.
    /// O(bits). Source: Swamidass and Baldi 2007.
    #[must_use]
    pub fn estimate_len(&self, sigmas: f64) -> Bounds {
        let (m, k) = (self.shape.range() as f64, f64::from(self.shape.hashes));
        let ones = self.ones() as f64;
        let items = |ones: f64| -(m / k) * log1p(-(ones / m).clamp(0.0, 1.0));
        // The bits that are set are m cells hit or not by k n throws: variance at most
        // m q (1 - q) with q the share that is set (negative association of the cells).
        let spread = sigmas.max(0.0) * crate::math::sqrt(ones * (1.0 - ones / m));
        Bounds { lower: items(ones - spread), estimate: items(ones), upper: items(ones + spread) }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    #[inline]
    #[allow(unsafe_code, reason = "a check a probe is 14 instructions of 100")]
    pub(super) fn insert_digest(&mut self, digest: Digest) -> bool {
        let mut before = 1;
        let words = &mut *self.words;
        self.shape.each(digest, |at| {
            let word = (at / 64) as usize;
            debug_assert!(word < words.len());
            // SAFETY: a position is below `shape.bits`, and there are `shape.words()` words, a 64th
            // of it: `empty` and `wire` make no other filter, and nothing changes either.
            let word = unsafe { words.get_unchecked_mut(word) };
            before &= *word >> (at % 64);
            *word |= 1 << (at % 64);
        });
        before & 1 == 0
    }

    #[inline]
    #[allow(unsafe_code, reason = "as in `insert_digest`")]
    pub(super) fn contains_digest(&self, digest: Digest) -> bool {
        self.shape.all_set(digest, |word| {
            debug_assert!(word < self.words.len());
            // SAFETY: as in `insert_digest`.
            unsafe { *self.words.get_unchecked(word) }
        })
    }

    #[inline]
    fn prefetch(&self, digest: Digest) {
        for at in self.shape.positions(digest) {
            kernel::prefetch(&self.words[(at / 64) as usize]);
        }
    }
}

impl Filter for Bloom {
    #[inline]
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn contains_all<T: Item>(&self, items: &[T], found: &mut Vec<bool>) {
        let hash = |item: &T| self.shape.digest(item);
        let contains = |digest| self.contains_digest(digest);
        batch::contains_all(items, found, hash, |digest| self.prefetch(digest), contains);
    }

    fn fpr(&self) -> f64 {
        self.shape.fpr(self.ones())
    }

    fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// The union of the two sets; bit for bit the filter that saw both streams.
impl Merge for Bloom {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        self.shape.unless_equal(&other.shape)?;
        for (ours, theirs) in self.words.iter_mut().zip(&other.words) {
            *ours |= theirs;
        }
        Ok(())
    }
}
