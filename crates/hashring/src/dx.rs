//! DxHash (Dong and Wang 2021): draw slots until one is live.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(slots / live) expected |
//! | add, remove | O(1), any slot (adding looks for the first free one) |
//! | state | one bit a slot |
//! | balance | the limit |
//! | moves | minimal, both ways; a leaver's keys spread over all survivors |

use crate::anchor::check_capacity;
use crate::buckets::Buckets;
use crate::draw::{draw, scale};
use crate::key::Hashed;
use crate::placement::{Locate, NodeIx, PlacementError};
use alloc::vec::Vec;

/// Draws before the walk: with a hundredth of the slots live, one key in 30,000 gets that far.
const DRAWS: u64 = 1_024;

/// A fixed number of slots, a bit each. A function of the set of live slots: no history.
///
/// The paper's bound on the draws ends in a walk to the next live slot here, so that a look-up ends
/// even with one slot of a million live, and movement stays minimal.
///
/// ```
/// use archstone_hashring::{Buckets, Dx, Key, Locate, NodeIx};
///
/// let mut dx = Dx::with_capacity(64)?;
/// for _ in 0..40 {
///     dx.grow()?;
/// }
/// dx.retire(NodeIx(7))?;
/// assert_ne!(dx.locate("user:42".hashed(0)), Some(NodeIx(7)));
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dx {
    bits: Vec<u64>,
    slots: u32,
    live: u32,
}

impl Dx {
    /// No slot live yet, at most `capacity` ever: 1 to 2^24. Peers that must agree have the same.
    ///
    /// # Errors
    /// [`PlacementError::Full`] for 0 and past the limit.
    pub fn with_capacity(capacity: u32) -> Result<Self, PlacementError> {
        check_capacity(capacity)?;
        let bits = alloc::vec![0; capacity.div_ceil(64) as usize];
        Ok(Self { bits, slots: capacity, live: 0 })
    }

    /// The most slots there can be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.slots as usize
    }

    #[inline]
    fn bit(&self, slot: u32) -> bool {
        self.bits.get(slot as usize / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// The first live slot from `slot` on, wrapping.
    #[cold]
    pub(crate) fn walk(&self, slot: u32) -> Option<NodeIx> {
        let at = slot as usize / 64;
        let first = self.bits.get(at)? & (u64::MAX << (slot % 64));
        let after = self.bits.iter().copied().enumerate().skip(at + 1);
        let wrapped = self.bits.iter().copied().enumerate().take(at + 1);
        let mut words = core::iter::once((at, first)).chain(after).chain(wrapped);
        let (word, bits) = words.find(|&(_, bits)| bits != 0)?;
        Some(NodeIx(word as u32 * 64 + bits.trailing_zeros()))
    }
}

impl Locate for Dx {
    fn len(&self) -> usize {
        self.live as usize
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        let mut slot = scale(key.0, self.slots);
        for salt in 1..=DRAWS {
            if self.bit(slot) {
                return Some(NodeIx(slot));
            }
            slot = scale(draw(key.0, salt), self.slots);
        }
        self.walk(slot)
    }
}

impl Buckets for Dx {
    /// The first free slot.
    fn grow(&mut self) -> Result<NodeIx, PlacementError> {
        let free = self.bits.iter().position(|&word| word != u64::MAX);
        let slot = free.map(|at| at as u32 * 64 + self.bits[at].trailing_ones());
        let Some(slot) = slot.filter(|&slot| slot < self.slots) else {
            let limit = self.slots.into();
            return Err(PlacementError::Full { what: "slots", wanted: limit + 1, limit });
        };
        self.bits[slot as usize / 64] |= 1 << (slot % 64);
        self.live += 1;
        Ok(NodeIx(slot))
    }

    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError> {
        if !self.bit(bucket.0) {
            return Err(PlacementError::Unknown { node: bucket });
        }
        self.bits[bucket.index() / 64] &= !(1 << (bucket.0 % 64));
        self.live -= 1;
        Ok(())
    }

    fn is_live(&self, bucket: NodeIx) -> bool {
        self.bit(bucket.0)
    }

    fn end(&self) -> u32 {
        self.slots
    }
}

/// A snapshot is the slots and their bits; the count follows.
#[cfg(feature = "serde")]
mod snapshot {
    use super::{Dx, Vec, check_capacity};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for Dx {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            (self.slots, &self.bits).serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for Dx {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let (slots, bits) = <(u32, Vec<u64>)>::deserialize(from)?;
            if slots > 0 {
                check_capacity(slots).map_err(D::Error::custom)?;
            }
            let past = if slots % 64 == 0 { 0 } else { u64::MAX << (slots % 64) };
            let over = bits.last().is_some_and(|word| word & past != 0);
            if bits.len() != slots.div_ceil(64) as usize || over {
                return Err(D::Error::custom("bits that are no slots"));
            }
            let live = bits.iter().map(|word| word.count_ones()).sum();
            Ok(Self { bits, slots, live })
        }
    }
}
