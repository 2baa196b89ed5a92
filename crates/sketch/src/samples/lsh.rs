use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::MinHash;
use crate::math::pow;
use crate::{Bounds, Incompatible, ParamError};

/// The most slots that bands and rows are chosen for.
const MOST_SLOTS: u64 = 1 << 16;

/// An index of sets by their [`MinHash`] signatures: which are alike to this one?
///
/// A signature is cut into bands of rows; sets that agree in all rows of a band meet. Two sets of
/// likeness J meet with the chance `1 - (1 - J^rows)^bands`, a steep step at about
/// `(1 / bands)^(1 / rows)`. Candidates are then compared by their signatures, so what is returned
/// is as like as the signatures say; what was never met is missed. Memory: the signatures and
/// about 40 bytes a set and band. Cost: a query looks up `bands` keys and compares the candidates.
/// Source: Indyk and Motwani 1998; Leskovec, Rajaraman and Ullman, "Mining of massive datasets", 3.4.
///
/// ```
/// use archstone_sketch::samples::{LshIndex, MinHash};
///
/// let set = |words: std::ops::Range<u32>| {
///     let mut set = MinHash::new(128)?;
///     words.for_each(|word| set.add(&word));
///     Ok::<_, archstone_sketch::ParamError>(set)
/// };
/// let mut index = LshIndex::with_threshold(128, 0.5)?;
/// index.insert("a", set(0..1_000)?)?;
/// index.insert("b", set(5_000..6_000)?)?;
/// let like = index.query(&set(100..1_000)?, 0.5)?;
/// assert_eq!(like.len(), 1);
/// assert_eq!(*like[0].0, "a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LshIndex<Id> {
    bands: usize,
    rows: usize,
    /// Slots and seed of the signatures in the index.
    shape: MinHash,
    sets: BTreeMap<Id, MinHash>,
    /// Who has this hash in this band.
    met: BTreeMap<(usize, u64), BTreeSet<Id>>,
}

impl<Id: Ord + Clone> LshIndex<Id> {
    /// An index with `bands` bands of `rows` rows, for signatures of `bands * rows` slots and
    /// seed 0.
    ///
    /// # Errors
    /// When either is 0 or their product over 65,536.
    pub fn new(bands: u64, rows: u64) -> Result<Self, ParamError> {
        ParamError::whole("bands", bands, 1, MOST_SLOTS)?;
        ParamError::whole("rows", rows, 1, MOST_SLOTS / bands)?;
        Self::cut(bands * rows, bands, rows, 0)
    }

    /// An index for signatures of `slots` slots (and seed 0) whose step is nearest to `threshold`:
    /// bands and rows that make the area of wrong chances on both sides of it least.
    ///
    /// # Errors
    /// When `slots` is 0 or over 65,536, or `threshold` not within 0 to 1.
    pub fn with_threshold(slots: u64, threshold: f64) -> Result<Self, ParamError> {
        Self::with_seed(slots, threshold, 0)
    }

    /// [`with_threshold`](LshIndex::with_threshold) for signatures of another seed.
    ///
    /// # Errors
    /// As [`with_threshold`](LshIndex::with_threshold).
    pub fn with_seed(slots: u64, threshold: f64, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("slots", slots, 1, MOST_SLOTS)?;
        ParamError::real("threshold", threshold, 0.0, 1.0)?;
        let wrong = |rows: u64| {
            let bands = slots / rows;
            let chance = |i: u32| {
                let j = (f64::from(i) + 0.5) / 128.0;
                let met = meeting(j, bands as usize, rows as usize);
                if j < threshold { met } else { 1.0 - met }
            };
            (0..128).map(chance).sum::<f64>()
        };
        // Past 128 rows even sets of likeness 0.99 meet seldom in any band.
        let rows = (1..=slots.min(128)).min_by(|&a, &b| wrong(a).total_cmp(&wrong(b))).unwrap_or(1);
        Self::cut(slots, slots / rows, rows, seed)
    }

    fn cut(slots: u64, bands: u64, rows: u64, seed: u64) -> Result<Self, ParamError> {
        let shape = MinHash::with_seed(slots, seed)?;
        let (bands, rows) = (bands as usize, rows as usize);
        Ok(Self { bands, rows, shape, sets: BTreeMap::new(), met: BTreeMap::new() })
    }

    /// Puts the set `id` into the index, in the place of an earlier one of that id.
    ///
    /// # Errors
    /// When the signature has other slots or another seed than the index; nothing is changed.
    pub fn insert(&mut self, id: Id, set: MinHash) -> Result<(), Incompatible> {
        self.shape.unless_equal(&set)?;
        self.remove(&id);
        for key in set.bands(self.bands, self.rows).enumerate() {
            self.met.entry(key).or_default().insert(id.clone());
        }
        self.sets.insert(id, set);
        Ok(())
    }

    /// Takes the set `id` out.
    pub fn remove(&mut self, id: &Id) -> Option<MinHash> {
        let set = self.sets.remove(id)?;
        for key in set.bands(self.bands, self.rows).enumerate() {
            if let Some(ids) = self.met.get_mut(&key) {
                ids.remove(id);
                if ids.is_empty() {
                    self.met.remove(&key);
                }
            }
        }
        Some(set)
    }

    /// The sets that meet `set` and whose estimated likeness is at least `least`, the likest
    /// first, with the bounds of two standard deviations.
    ///
    /// # Errors
    /// When the signature has other slots or another seed than the index.
    pub fn query(&self, set: &MinHash, least: f64) -> Result<Vec<(&Id, Bounds)>, Incompatible> {
        self.shape.unless_equal(set)?;
        let keys = set.bands(self.bands, self.rows).enumerate();
        let met: BTreeSet<&Id> = keys.filter_map(|key| self.met.get(&key)).flatten().collect();
        let mut like = Vec::new();
        for id in met {
            let Some(other) = self.sets.get(id) else { continue };
            let jaccard = set.jaccard(other, 2.0)?;
            if jaccard.estimate >= least {
                like.push((id, jaccard));
            }
        }
        like.sort_by(|a, b| b.1.estimate.total_cmp(&a.1.estimate));
        Ok(like)
    }

    /// The chance that a set of likeness `jaccard` is met.
    #[must_use]
    pub fn chance(&self, jaccard: f64) -> f64 {
        meeting(jaccard.clamp(0.0, 1.0), self.bands, self.rows)
    }

    /// Bands and rows.
    #[must_use]
    pub const fn shape(&self) -> (usize, usize) {
        (self.bands, self.rows)
    }

    /// Sets in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether no set is in the index.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }
}

fn meeting(jaccard: f64, bands: usize, rows: usize) -> f64 {
    1.0 - pow(1.0 - pow(jaccard, rows as f64), bands as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_or_replaced_leaves_no_band_behind() {
        let mut index = LshIndex::new(4, 2).unwrap();
        for round in 0..3_u64 {
            for id in 0..5_u64 {
                let mut set = MinHash::new(8).unwrap();
                (0..20).for_each(|i| set.add(&(round * 1000 + id * 100 + i)));
                index.insert(id, set).unwrap();
            }
        }
        assert!(index.met.values().map(BTreeSet::len).sum::<usize>() <= 5 * 4);
        (0..5).for_each(|id| assert!(index.remove(&id).is_some()));
        assert!(index.met.is_empty());
    }
}
