use alloc::vec::Vec;

use super::shape::Shape;
use super::{Bloom, Filter};
use crate::{Item, ParamError};

/// Layer i is for `first * 2^i` items; layers stop here, or where memory does.
pub(super) const MOST_LAYERS: u32 = 40;
/// Leaves the later layers a rate that [`Bloom`] is sized for.
const LEAST_FPR: f64 = 1e-11;

/// A Bloom filter that grows: the rate holds however many items come.
///
/// Layers of doubling size; an item goes into the last one. Layer i has the rate
/// `fpr * 6 / (pi^2 (i + 1)^2)`, and those sum to `fpr`, so the whole never passes it. Memory: 12
/// bits an item at 1 % with one full layer, up to 30 just after the tenth has been added. Cost: each layer is
/// asked in turn, the newest first. Source: Almeida et al. 2007, whose layers tighten
/// geometrically; the sum of inverse squares asks for fewer bits from the third layer on.
///
/// It cannot be merged: two of them side by side would have the sum of their rates.
///
/// ```
/// use archstone_sketch::membership::{Filter, ScalableBloom};
///
/// let mut seen = ScalableBloom::new(100, 0.01)?;
/// for id in 0..10_000_u64 {
///     seen.insert(&id);
/// }
/// assert!((0..10_000_u64).all(|id| seen.contains(&id)));
/// assert!(seen.fpr() <= 0.01);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScalableBloom {
    pub(super) first: u64,
    pub(super) fpr: f64,
    pub(super) seed: u64,
    /// Never empty; each is the [`layer_shape`] of its index.
    pub(super) layers: Vec<Bloom>,
    /// Items that changed the last layer.
    pub(super) in_last: u64,
}

impl ScalableBloom {
    /// A filter whose first layer is for `first` items, with the rate `fpr` for any number.
    ///
    /// # Errors
    /// When `first` is 0 or more than fits in 2^40 bits, or `fpr` not within 1e-11 to 0.5.
    pub fn new(first: u64, fpr: f64) -> Result<Self, ParamError> {
        Self::with_seed(first, fpr, 0)
    }

    /// [`new`](ScalableBloom::new) with a seed of the hash.
    ///
    /// # Errors
    /// As [`new`](ScalableBloom::new).
    pub fn with_seed(first: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        let shape = layer_shape(first, fpr, seed, 0)?;
        let layers = alloc::vec![with_shape(shape)];
        Ok(Self { first, fpr, seed, layers, in_last: 0 })
    }

    /// Inserts `item`; false when the filter already said "probably" to it, and nothing changes.
    ///
    /// When no further layer can be had (2^40 bits), the last one takes more than it was sized
    /// for: no item is lost, the rate is, and [`fpr`](Filter::fpr) says so.
    pub fn insert<T: Item + ?Sized>(&mut self, item: &T) -> bool {
        if self.contains(item) {
            return false;
        }
        let index = self.layers.len() as u32 - 1;
        if self.in_last >= self.first.saturating_mul(1 << index) && index + 1 < MOST_LAYERS {
            if let Ok(shape) = layer_shape(self.first, self.fpr, self.seed, index + 1) {
                self.layers.push(with_shape(shape));
                self.in_last = 0;
            }
        }
        if let Some(last) = self.layers.last_mut() {
            last.insert(item);
            self.in_last += 1;
        }
        true
    }

    /// Whether `item` may have been inserted.
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        // The last layer is the largest and has the least rate: if any is wide, it is.
        let Some(digest) = self.layers.last().map(|last| last.shape.digest(item)) else {
            return false;
        };
        let newest_first = self.layers.iter().rev();
        newest_first
            .map(|layer| (layer, layer.shape.narrowed(digest)))
            .any(|(l, d)| l.contains_digest(d))
    }

    /// Layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.layers.len()
    }
}

/// The shape of layer `index`.
pub(super) fn layer_shape(
    first: u64,
    fpr: f64,
    seed: u64,
    index: u32,
) -> Result<Shape, ParamError> {
    ParamError::real("fpr", fpr, LEAST_FPR, super::shape::MOST_FPR)?;
    let share = f64::from(index + 1) * core::f64::consts::PI;
    Shape::for_items(first.saturating_mul(1 << index), fpr * 6.0 / (share * share), seed)
}

fn with_shape(shape: Shape) -> Bloom {
    Bloom { shape, words: alloc::vec![0; shape.words()] }
}

impl Filter for ScalableBloom {
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn fpr(&self) -> f64 {
        1.0 - self.layers.iter().map(|layer| 1.0 - layer.fpr()).product::<f64>()
    }

    fn bytes(&self) -> usize {
        self.layers.iter().map(Filter::bytes).sum()
    }
}
