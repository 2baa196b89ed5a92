use alloc::vec::Vec;

use archstone_core::hash::{hash_u64, mix};

use super::{MOST, share};
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};
use crate::{Bounds, Incompatible, Item, Merge, ParamError, kinds};

/// No item has come to this slot.
const EMPTY: u64 = u64::MAX;

/// A signature of a set from which the likeness of two sets can be told.
///
/// Answers: what share of the items of both sets together is in both (Jaccard's J)? Standard
/// deviation: `sqrt(J (1 - J) / slots)`, 3.1 % at most with 256 slots. Memory: 8 bytes a slot.
/// Cost: one hash an item whatever the number of slots: its leading part chooses a slot, which
/// keeps the least of the rest. Sets smaller than the slots leave some empty; those that are empty
/// in both do not count. Source: Broder 1997; one permutation: Li, Owen and Zhang 2012.
///
/// Signatures of shares of a set, made apart, merge into that of the whole. To find like sets
/// among many, see [`LshIndex`](super::LshIndex).
///
/// ```
/// use archstone_sketch::samples::MinHash;
///
/// let (mut a, mut b) = (MinHash::new(256)?, MinHash::new(256)?);
/// (0..1_500_u32).for_each(|word| a.add(&word));
/// (500..2_000_u32).for_each(|word| b.add(&word));
/// assert!(a.jaccard(&b, 3.0)?.contains(0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinHash {
    seed: u64,
    /// Never empty.
    least: Vec<u64>,
}

impl MinHash {
    /// The signature, of `slots` slots, of the empty set.
    ///
    /// # Errors
    /// When `slots` is 0 or more than 2^32.
    pub fn new(slots: u64) -> Result<Self, ParamError> {
        Self::with_seed(slots, 0)
    }

    /// [`new`](MinHash::new) with a seed of the hash. Only signatures of equal seeds compare.
    ///
    /// # Errors
    /// As [`new`](MinHash::new).
    pub fn with_seed(slots: u64, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("slots", slots, 1, MOST.min(usize::MAX as u64 / 16))?;
        Ok(Self { seed, least: alloc::vec![EMPTY; slots as usize] })
    }

    /// Adds `item` to the set; adding it again changes nothing.
    #[inline]
    pub fn add<T: Item + ?Sized>(&mut self, item: &T) {
        let product = u128::from(item.digest(self.seed)) * self.least.len() as u128;
        let slot = &mut self.least[(product >> 64) as usize];
        *slot = (*slot).min(product as u64);
    }

    /// The likeness of the two sets, 0 to 1, with the bounds of `sigmas` standard deviations.
    /// Two empty sets are alike.
    ///
    /// # Errors
    /// When the two differ in slots or seed.
    pub fn jaccard(&self, other: &Self, sigmas: f64) -> Result<Bounds, Incompatible> {
        self.unless_equal(other)?;
        let (mut equal, mut used) = (0, 0);
        for (&a, &b) in self.least.iter().zip(&other.least) {
            used += u64::from(a != EMPTY || b != EMPTY);
            equal += u64::from(a == b && a != EMPTY);
        }
        Ok(if used == 0 { Bounds::exact(1.0) } else { share(equal, used, sigmas.max(0.0)) })
    }

    /// Slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.least.len()
    }

    /// The seed of the hash.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.least.iter().all(|&least| least == EMPTY)
    }

    /// One hash for each band of `rows` slots; none for the empty set. Sets meet in a band with
    /// the chance J^rows.
    pub(super) fn bands(&self, bands: usize, rows: usize) -> impl Iterator<Item = u64> {
        let bands = if self.is_empty() { 0 } else { bands };
        (0..bands).map(move |band| {
            let slots = band * rows..(band + 1) * rows;
            slots.fold(band as u64, |hash, slot| hash_u64(self.filled(slot), hash))
        })
    }

    /// The value of a slot, an empty one's borrowed from the first that is not in an order of its
    /// own: like sets borrow alike. Source: Shrivastava 2017, "optimal densification".
    fn filled(&self, slot: usize) -> u64 {
        let mut least = self.least[slot];
        let mut turn = slot as u64;
        while least == EMPTY {
            turn = mix(turn.wrapping_add(0x9E37_79B9_7F4A_7C15));
            let from = (u128::from(turn) * self.least.len() as u128) >> 64;
            least = self.least[from as usize];
        }
        least
    }

    pub(super) fn unless_equal(&self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("slots", self.slots() as u64, other.slots() as u64)?;
        Incompatible::unless_equal("seed", self.seed, other.seed)
    }
}

/// The signature of the union; bit for bit that of the joined stream.
impl Merge for MinHash {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        self.unless_equal(other)?;
        for (ours, &theirs) in self.least.iter_mut().zip(&other.least) {
            *ours = (*ours).min(theirs);
        }
        Ok(())
    }
}

impl Wire for MinHash {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::MIN_HASH, 1);
        out.u64(self.seed);
        out.varint(self.slots() as u64);
        self.least.iter().for_each(|&least| out.u64(least));
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::MIN_HASH, 1)?;
        let seed = input.u64("seed")?;
        let start = input.clone();
        let slots = input.count(8, "slots")?;
        if slots == 0 {
            return Err(start.error("slots", Why::Invalid("a signature has at least one")));
        }
        let least = (0..slots).map(|_| input.u64("slot")).collect::<Result<_, _>>()?;
        Ok(Self { seed, least })
    }
}
serde_as_wire!([] MinHash);
