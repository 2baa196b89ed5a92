use alloc::vec::Vec;
use core::fmt;

use archstone_core::hash::mix;

use super::{Filter, batch, fuse_build, kernel};
use crate::Item;
use crate::item::digest;
use crate::math::{floor, ln};

/// The binary fuse filter: the smallest and the fastest for a set that does not change.
///
/// Answers: is this item in the set that the filter was built from? The fingerprints in three
/// places, XORed, give an item's own. Rate: `2^-8` = 0.39 % with `u8`, `2^-16` = 0.0015 % with
/// `u16`. Memory: 9.0 bits an item with `u8` from a million items on, 9.4 at 100,000 (18.0 with
/// `u16`), more for small sets; the information-theoretic least is 8. Cost: three cache lines to
/// ask; building is O(n) time and 30 bytes an item of working memory. Source: Graf and Lemire
/// 2022.
///
/// Repeated items are one item. Nothing can be inserted afterwards.
///
/// ```
/// use archstone_sketch::membership::BinaryFuse;
///
/// let words = ["tea", "coffee", "tea"];
/// let filter = BinaryFuse::<u8>::new(&words)?;
/// assert!(words.iter().all(|word| filter.contains(word)));
/// assert_eq!(filter.len(), 2);
/// # Ok::<(), archstone_sketch::membership::Unsolved>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryFuse<F = u8> {
    pub(super) seed: u64,
    pub(super) len: u64,
    /// Whether the segments are half as long as usual.
    pub(super) shorter: bool,
    pub(super) layout: Layout,
    pub(super) prints: Vec<F>,
}

/// The fingerprints of a [`BinaryFuse`]: `u8` or `u16`.
pub trait Fingerprint:
    Copy + Default + Eq + fmt::Debug + Send + Sync + core::ops::BitXor<Output = Self> + Sealed
{
}

mod sealed {
    pub trait Sealed {
        /// Bytes of one.
        const LEN: usize;
        /// The fingerprint of a hash.
        fn of(hash: u64) -> Self;
        /// Its little-endian bytes in the first [`LEN`](Sealed::LEN).
        fn to_bytes(self) -> [u8; 2];
        /// The one that starts at fingerprint `index` of `bytes`.
        fn read(bytes: &[u8], index: usize) -> Self;
    }
}
pub(super) use sealed::Sealed;

impl Fingerprint for u8 {}
impl Sealed for u8 {
    const LEN: usize = 1;
    #[inline]
    fn of(hash: u64) -> Self {
        (hash ^ (hash >> 32)) as Self
    }
    fn to_bytes(self) -> [u8; 2] {
        [self, 0]
    }
    #[inline]
    fn read(bytes: &[u8], index: usize) -> Self {
        bytes[index]
    }
}

impl Fingerprint for u16 {}
impl Sealed for u16 {
    const LEN: usize = 2;
    #[inline]
    fn of(hash: u64) -> Self {
        (hash ^ (hash >> 32)) as Self
    }
    fn to_bytes(self) -> [u8; 2] {
        self.to_le_bytes()
    }
    #[inline]
    fn read(bytes: &[u8], index: usize) -> Self {
        Self::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]])
    }
}

/// A binary fuse filter could not be built. Not to be expected with fewer than 2^32 items: an attempt
/// fails with a chance of one in ten at most, and 64 are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsolved {
    /// Items that were asked for.
    pub items: u64,
    /// Seeds that were tried; 0 when there are more than 2^32 items.
    pub attempts: u32,
}

impl fmt::Display for Unsolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, attempts } = self;
        write!(f, "no filter of {items} items found with {attempts} seeds")
    }
}

impl core::error::Error for Unsolved {}

impl<F: Fingerprint> BinaryFuse<F> {
    /// The filter of `items`, repeated or not.
    ///
    /// # Errors
    /// [`Unsolved`] for more than 2^32 items, or an [`Item`] of one's own whose hashes ignore the
    /// seed.
    pub fn new<T: Item>(items: &[T]) -> Result<Self, Unsolved> {
        Self::with_seed(items, 0)
    }

    /// [`new`](BinaryFuse::new) with the first seed to be tried.
    ///
    /// # Errors
    /// As [`new`](BinaryFuse::new).
    pub fn with_seed<T: Item>(items: &[T], seed: u64) -> Result<Self, Unsolved> {
        fuse_build::build(items, seed)
    }

    /// Whether `item` may be in the set.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains_hash(digest(item, self.seed))
    }

    /// Whether the item of this hash under [`seed`](BinaryFuse::seed) may be in the set.
    #[inline]
    #[must_use]
    #[allow(
        unsafe_code,
        reason = "three checks are 6 instructions of 45; without them 1.1 times xorf's speed"
    )]
    pub fn contains_hash(&self, hash: u64) -> bool {
        let prints = self.layout.places(hash).map(|place| {
            debug_assert!(place < self.prints.len());
            // SAFETY: places are below `layout.slots()` (see there), and so many prints there are:
            // `fuse_build::solve` and `wire` make no other filter, and nothing changes either.
            unsafe { *self.prints.get_unchecked(place) }
        });
        F::of(hash) == prints[0] ^ prints[1] ^ prints[2]
    }

    /// The seed of the hash that the filter was found with.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Distinct items.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn prefetch(&self, hash: u64) {
        for place in self.layout.places(hash) {
            kernel::prefetch(&self.prints[place]);
        }
    }
}

/// Segments of fingerprints: an item's three places are in three segments in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// A segment's length less 1; the length is a power of two.
    mask: u64,
    /// Places that an item's first one can be; there are two segments more.
    range: u64,
}

pub(super) const MOST_ITEMS: u64 = 1 << 32;
const MOST_SEGMENT_LOG: u32 = 18;

/// Upper bits of a hash that a filter does not look at, so that a build can keep a count in a word
/// with the others. 56 bits are left: of 10 million items, two share them once in 1,400 sets, and are then one.
pub(super) const SPARE: u32 = 8;

impl Layout {
    /// The layout for `items` distinct items: the paper's empirical sizes. `shorter` halves the
    /// segments: just after a step of the formula they are too long to be peeled.
    pub(super) fn for_items(items: u64, shorter: bool) -> Self {
        let n = items.max(2) as f64;
        let segment_log = floor(ln(n) / ln(3.33) + 2.25).clamp(2.0, f64::from(MOST_SEGMENT_LOG));
        let factor = (0.875 + 0.25 * ln(1_000_000.0) / ln(n)).max(1.125);
        let slots = floor(n * factor + 0.5) as u64;
        let segment_log = (segment_log as u32 - u32::from(shorter)).max(1);
        let segments = slots.div_ceil(1 << segment_log).saturating_sub(2).max(1);
        Self { mask: (1 << segment_log) - 1, range: segments << segment_log }
    }

    pub(super) const fn slots(&self) -> usize {
        (self.range + 2 * (self.mask + 1)) as usize
    }

    /// Three distinct places below [`slots`](Layout::slots): the first is below `range`, a multiple
    /// of the length; the others are somewhere in the next segment and in the one after it.
    #[inline(always)]
    pub(super) fn places(&self, hash: u64) -> [usize; 3] {
        let length = self.mask + 1;
        let first = ((u128::from(hash << SPARE) * u128::from(self.range)) >> 64) as u64;
        let second = (first + length) ^ ((hash >> 18) & self.mask);
        let third = (first + 2 * length) ^ (hash & self.mask);
        [first as usize, second as usize, third as usize]
    }
}

/// The seed of attempt `attempt`.
pub(super) fn attempt_seed(seed: u64, attempt: u32) -> u64 {
    if attempt == 0 { seed } else { mix(seed.wrapping_add(u64::from(attempt))) }
}

impl<F: Fingerprint> Filter for BinaryFuse<F> {
    #[inline]
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn contains_all<T: Item>(&self, items: &[T], found: &mut Vec<bool>) {
        let hash = |item: &T| item.digest(self.seed);
        let contains = |hash| self.contains_hash(hash);
        batch::contains_all(items, found, hash, |hash| self.prefetch(hash), contains);
    }

    fn fpr(&self) -> f64 {
        fpr::<F>()
    }

    fn bytes(&self) -> usize {
        self.prints.len() * F::LEN
    }
}

pub(super) fn fpr<F: Fingerprint>() -> f64 {
    1.0 / (1_u64 << (8 * F::LEN)) as f64
}
