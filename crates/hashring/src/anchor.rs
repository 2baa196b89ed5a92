//! AnchorHash (Mendelson, Vargaftik, Barabash, Lorenz, Keslassy and Orda 2020), in place.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1 + ln(capacity / live)) expected |
//! | add, remove | O(1), any bucket |
//! | state | 20 bytes a bucket of the capacity, which is fixed |
//! | balance | the limit |
//! | moves | minimal, both ways; a leaver's keys spread over all survivors |
//!
//! A removed bucket remembers how many were left (`size`): its keys are drawn again among those.
//! `next` is who took its place in the list of the working ones then, so that a draw finds its way
//! through buckets that were removed later.

use crate::buckets::Buckets;
use crate::draw::{draw, pick, scale};
use crate::key::Hashed;
use crate::members::MAX_NODES;
use crate::placement::{Locate, NodeIx, PlacementError};
use alloc::vec::Vec;

/// Buckets of a fixed capacity, any of which may be removed and added again, last out first in.
///
/// Twice the nodes is a good capacity: a look-up then draws 1.7 times on average.
///
/// ```
/// use archstone_hashring::{Anchor, Buckets, Key, Locate, NodeIx};
///
/// let mut anchor = Anchor::with_capacity(20)?;
/// for _ in 0..10 {
///     anchor.grow()?;
/// }
/// let key = "user:42".hashed(0);
/// let owner = anchor.locate(key).unwrap();
/// let other = NodeIx((owner.0 + 1) % 10);
/// anchor.retire(other)?;
/// assert_eq!(anchor.locate(key), Some(owner), "only the keys of the leaver move");
/// assert_eq!(anchor.grow()?, other);
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// The paper's A and K, side by side since a look-up reads both.
    buckets: Vec<Bucket>,
    /// W: the working ones, the first `live` of it; and the place of each in it, L.
    working: Vec<u32>,
    places: Vec<u32>,
    /// R: who was removed, in order.
    removed: Vec<u32>,
    live: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    /// 0 while it works, else how many worked after it was removed.
    size: u32,
    next: u32,
}

impl Anchor {
    /// No bucket yet, at most `capacity` ever: 1 to 2^24. Peers that must agree have the same.
    ///
    /// # Errors
    /// [`PlacementError::Full`] for 0 and past the limit.
    pub fn with_capacity(capacity: u32) -> Result<Self, PlacementError> {
        check_capacity(capacity)?;
        let numbers = || (0..capacity).collect::<Vec<u32>>();
        Ok(Self {
            buckets: (0..capacity).map(|b| Bucket { size: b, next: b }).collect(),
            working: numbers(),
            places: numbers(),
            removed: (0..capacity).rev().collect(),
            live: 0,
        })
    }

    /// The most buckets there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buckets.len()
    }
}

pub(crate) fn check_capacity(capacity: u32) -> Result<(), PlacementError> {
    if capacity == 0 || u64::from(capacity) > MAX_NODES {
        let wanted = capacity.into();
        return Err(PlacementError::Full { what: "buckets", wanted, limit: MAX_NODES });
    }
    Ok(())
}

impl Locate for Anchor {
    fn len(&self) -> usize {
        self.live as usize
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        if self.live == 0 {
            return None;
        }
        // Whether the first draw works is a coin, so the second is made in any case: among no
        // buckets it is 0, and not taken.
        let first = scale(key.0, self.buckets.len() as u32);
        let mut size = self.buckets.get(first as usize)?.size;
        let second = scale(draw(key.0, u64::from(first) + 1), size);
        let mut at = pick(size == 0, first, second);
        let mut bucket = self.buckets.get(at as usize)?;
        while bucket.size != 0 {
            while bucket.size >= size {
                at = bucket.next;
                bucket = self.buckets.get(at as usize)?;
            }
            size = bucket.size;
            if size == 0 {
                break;
            }
            at = scale(draw(key.0, u64::from(at) + 1), size);
            bucket = self.buckets.get(at as usize)?;
        }
        Some(NodeIx(at))
    }
}

impl Buckets for Anchor {
    fn grow(&mut self) -> Result<NodeIx, PlacementError> {
        let Some(bucket) = self.removed.pop() else {
            let limit = self.buckets.len() as u64;
            return Err(PlacementError::Full { what: "buckets", wanted: limit + 1, limit });
        };
        let live = self.live as usize;
        // Whoever took its place moves back to the end of the working ones.
        let mover = self.working[live] as usize;
        self.places[mover] = self.live;
        let place = self.places[bucket as usize] as usize;
        self.working[place] = bucket;
        self.buckets[bucket as usize] = Bucket { size: 0, next: bucket };
        self.live += 1;
        Ok(NodeIx(bucket))
    }

    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError> {
        if !self.is_live(bucket) {
            return Err(PlacementError::Unknown { node: bucket });
        }
        self.live -= 1;
        let last = self.working[self.live as usize];
        let place = self.places[bucket.index()];
        self.working[place as usize] = last;
        self.places[last as usize] = place;
        self.buckets[bucket.index()] = Bucket { size: self.live, next: last };
        self.removed.push(bucket.0);
        Ok(())
    }

    fn is_live(&self, bucket: NodeIx) -> bool {
        // A size of 0 is also that of the last one removed, when none is left.
        let at = self.places.get(bucket.index()).map(|&place| place as usize);
        at.is_some_and(|at| at < self.live as usize && self.working[at] == bucket.0)
    }

    fn end(&self) -> u32 {
        self.buckets.len() as u32
    }
}

/// A snapshot is the capacity and who was removed, in order: all else follows.
#[cfg(feature = "serde")]
mod snapshot {
    use super::{Anchor, Buckets, NodeIx, Vec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for Anchor {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            (self.buckets.len() as u32, &self.removed).serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for Anchor {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let (capacity, removed) = <(u32, Vec<u32>)>::deserialize(from)?;
            if capacity == 0 && removed.is_empty() {
                return Ok(Self::default());
            }
            let mut anchor = Self::with_capacity(capacity).map_err(D::Error::custom)?;
            for _ in 0..capacity {
                anchor.grow().map_err(D::Error::custom)?;
            }
            for bucket in removed {
                anchor.retire(NodeIx(bucket)).map_err(D::Error::custom)?;
            }
            Ok(anchor)
        }
    }
}
