use alloc::vec::Vec;

use super::Filter;
use super::shape::{Digest, Shape};
use crate::{Incompatible, Item, Merge, ParamError};

/// A counter that has reached this stays there: it no longer knows its number.
const STUCK: u64 = 15;
/// 4-bit counters in a word.
const LANES: u64 = 16;

/// A Bloom filter of 4-bit counters: items can be removed, also after many insertions.
///
/// Answers: is this item in the multiset? Never wrongly "no": a counter that reaches 15 stays
/// there for ever, since lowering it could take away another item's mark. Such counters cost rate,
/// not truth; [`stuck`](CountingBloom::stuck) counts them (about one in 1e9 when filled as sized).
/// Rate and probes as [`Bloom`](super::Bloom), memory four times its: 38 bits an item at 1 %.
/// Source: Fan, Cao, Almeida and Broder 2000.
///
/// Removing an item that was never inserted is refused when the filter can tell; when it cannot
/// (a false positive), the marks of others are taken away, and those may then be missed. Remove
/// only what was inserted.
///
/// ```
/// use archstone_sketch::membership::CountingBloom;
///
/// let mut open = CountingBloom::new(10_000, 0.01)?;
/// open.insert("session-1");
/// assert!(open.remove("session-1"));
/// assert!(!open.contains("session-1"));
/// assert!(!open.remove("session-1"));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountingBloom {
    /// `bits` counts counters here.
    pub(super) shape: Shape,
    pub(super) words: Vec<u64>,
}

impl CountingBloom {
    /// A filter that holds `items` distinct items at the rate `fpr`.
    ///
    /// # Errors
    /// When `items` is 0, `fpr` is not within 1e-15 to 0.5, or more than 2^40 counters are needed.
    pub fn new(items: u64, fpr: f64) -> Result<Self, ParamError> {
        Self::with_seed(items, fpr, 0)
    }

    /// [`new`](CountingBloom::new) with a seed of the hash.
    ///
    /// # Errors
    /// As [`new`](CountingBloom::new).
    pub fn with_seed(items: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        let shape = Shape::for_items(items, fpr, seed)?;
        Ok(Self { shape, words: alloc::vec![0; words(&shape)] })
    }

    /// Inserts `item` once more.
    pub fn insert<T: Item + ?Sized>(&mut self, item: &T) {
        for at in self.shape.positions(self.shape.digest(item)) {
            let (word, shift) = place(at);
            if self.words[word] >> shift & STUCK < STUCK {
                self.words[word] += 1 << shift;
            }
        }
    }

    /// Takes one insertion of `item` back; false when it is certainly not in, and nothing changes.
    pub fn remove<T: Item + ?Sized>(&mut self, item: &T) -> bool {
        let digest = self.shape.digest(item);
        if !self.contains_digest(digest) {
            return false;
        }
        for at in self.shape.positions(digest) {
            let (word, shift) = place(at);
            // A probe that meets itself may find 0 when the item was a false positive.
            if (1..STUCK).contains(&(self.words[word] >> shift & STUCK)) {
                self.words[word] -= 1 << shift;
            }
        }
        true
    }

    /// Whether `item` may be in.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains_digest(self.shape.digest(item))
    }

    /// Counters that reached 15 and stay. O(counters).
    #[must_use]
    pub fn stuck(&self) -> u64 {
        self.count(|lane| lane == STUCK)
    }

    /// Counters.
    #[must_use]
    pub const fn counters(&self) -> u64 {
        self.shape.bits
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    #[inline]
    fn contains_digest(&self, digest: Digest) -> bool {
        self.shape.positions(digest).all(|at| {
            let (word, shift) = place(at);
            self.words[word] >> shift & STUCK != 0
        })
    }

    fn count(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let lanes =
            self.words.iter().flat_map(|word| (0..LANES).map(move |i| word >> (4 * i) & STUCK));
        lanes.filter(|&lane| wanted(lane)).count() as u64
    }
}

/// Words that hold the counters of `shape`.
pub(super) const fn words(shape: &Shape) -> usize {
    (shape.bits / LANES) as usize
}

#[inline]
const fn place(at: u64) -> (usize, u64) {
    ((at / LANES) as usize, at % LANES * 4)
}

impl Filter for CountingBloom {
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn fpr(&self) -> f64 {
        self.shape.fpr(self.count(|lane| lane != 0))
    }

    fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// The sum of the two multisets; counters that pass 14 stick.
impl Merge for CountingBloom {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        self.shape.unless_equal(&other.shape)?;
        for (ours, theirs) in self.words.iter_mut().zip(&other.words) {
            let lane = |word: u64, i: u64| word >> (4 * i) & STUCK;
            *ours =
                (0..LANES).map(|i| (lane(*ours, i) + lane(*theirs, i)).min(STUCK) << (4 * i)).sum();
        }
        Ok(())
    }
}
