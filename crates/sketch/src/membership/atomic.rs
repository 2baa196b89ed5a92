use alloc::boxed::Box;

use archstone_core::shim::atomic::{AtomicU64, Ordering};

use super::shape::Shape;
use super::{Bloom, Filter};
use crate::{Item, ParamError};

/// A [`Bloom`] filter that many threads fill and ask at once through `&self`, without a lock.
///
/// Shape, rate and memory as [`Bloom`]; bit for bit equal to it, see
/// [`snapshot`](AtomicBloom::snapshot).
///
/// Invariants, each held by `tests/loom.rs`:
/// 1. A bit that was set stays set: bits are set by `fetch_or` only.
/// 2. Of the threads that insert one absent item at the same time, at least one gets `true`.
/// 3. What a thread wrote before an `insert` that returned `true` is seen by every thread that
///    then gets `true` from `contains` for that item (unless it was a false positive before):
///    `insert` releases with each bit that it sets, `contains` acquires with each bit it reads.
///
/// ```
/// use archstone_sketch::membership::AtomicBloom;
///
/// let seen = AtomicBloom::new(10_000, 0.01)?;
/// std::thread::scope(|s| {
///     for worker in 0..4_u64 {
///         let seen = &seen;
///         s.spawn(move || (0..100).for_each(|i| { seen.insert(&(worker * 100 + i)); }));
///     }
/// });
/// assert!((0..400_u64).all(|id| seen.contains(&id)));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Debug)]
pub struct AtomicBloom {
    shape: Shape,
    words: Box<[AtomicU64]>,
}

impl AtomicBloom {
    /// A filter that holds `items` items at the rate `fpr`.
    ///
    /// # Errors
    /// When `items` is 0, `fpr` is not within 1e-15 to 0.5, or more than 2^40 bits are needed.
    pub fn new(items: u64, fpr: f64) -> Result<Self, ParamError> {
        Bloom::new(items, fpr).map(Self::from)
    }

    /// [`new`](AtomicBloom::new) with a seed of the hash.
    ///
    /// # Errors
    /// As [`new`](AtomicBloom::new).
    pub fn with_seed(items: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        Bloom::with_seed(items, fpr, seed).map(Self::from)
    }

    /// Inserts `item`; true when this call set at least one of its bits.
    ///
    /// Two threads that insert one item at once may both get `true`; never both `false`.
    pub fn insert<T: Item + ?Sized>(&self, item: &T) -> bool {
        let mut new = false;
        for at in self.shape.positions(self.shape.digest(item)) {
            let (word, bit) = (&self.words[(at / 64) as usize], 1 << (at % 64));
            // Most bits of a filter in use are set: reading first keeps its lines shared.
            // Invariant 2: whoever sets the last missing bit sees that from `fetch_or`.
            if word.load(Ordering::Acquire) & bit == 0 {
                // Release: invariant 3. Acquire: who gets `false` is behind all who set the bits.
                new |= word.fetch_or(bit, Ordering::AcqRel) & bit == 0;
            }
        }
        new
    }

    /// Whether `item` may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        let digest = self.shape.digest(item);
        // Invariant 3: whichever bit a thread set last, its word is read with Acquire.
        self.shape.all_set(digest, |i| self.words[i].load(Ordering::Acquire))
    }

    /// The filter as it is now, to encode or merge. Holds every item whose `insert` returned
    /// before this call began.
    #[must_use]
    pub fn snapshot(&self) -> Bloom {
        let words = self.words.iter().map(|word| word.load(Ordering::Acquire)).collect();
        Bloom { shape: self.shape, words }
    }
}

impl From<Bloom> for AtomicBloom {
    fn from(filter: Bloom) -> Self {
        let words = filter.words.into_iter().map(AtomicU64::new).collect();
        Self { shape: filter.shape, words }
    }
}

impl Filter for AtomicBloom {
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn fpr(&self) -> f64 {
        let ones = self.words.iter().map(|w| u64::from(w.load(Ordering::Relaxed).count_ones()));
        self.shape.fpr(ones.sum())
    }

    fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}
