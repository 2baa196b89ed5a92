//! Jump consistent hash (Lamping and Veach 2014).
//!
//! | | cost |
//! |---|---|
//! | look-up | O(log n) |
//! | add, remove | the last bucket only, O(1) |
//! | state | none |
//! | balance | the limit: that of random keys |
//! | moves | minimal, both ways |

use crate::buckets::Buckets;
use crate::key::Hashed;
use crate::level::{grow_at_the_end, retire_the_last};
use crate::placement::{Locate, NodeIx, PlacementError};
use core::num::NonZeroU32;

/// The bucket of `key` among `buckets`.
///
/// ```
/// use archstone_hashring::jump;
/// use core::num::NonZeroU32;
///
/// let ten = NonZeroU32::new(10).unwrap();
/// assert!(jump(0xdead_beef, ten) < 10);
/// ```
#[must_use]
#[inline]
pub fn jump(key: u64, buckets: NonZeroU32) -> u32 {
    let n = i64::from(buckets.get());
    let (mut key, mut bucket, mut next) = (key, -1_i64, 0_i64);
    while next < n {
        bucket = next;
        // The generator of the paper, a 64-bit linear congruence.
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let draw = ((key >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * ((1_i64 << 31) as f64 / draw)) as i64;
    }
    bucket as u32
}

/// Numbered buckets `0..n` that grow and shrink at the end: shards, partitions, files.
///
/// It cannot remove a bucket in the middle or weigh one; a [`Ring`](crate::Ring) or
/// [`Rendezvous`](crate::Rendezvous) can. Who need not agree with another jump hash takes
/// [`Level`](crate::Level), which is faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Jump {
    buckets: u32,
}

impl Jump {
    /// `buckets` buckets.
    #[must_use]
    pub const fn new(buckets: u32) -> Self {
        Self { buckets }
    }
}

impl Locate for Jump {
    fn len(&self) -> usize {
        self.buckets as usize
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        NonZeroU32::new(self.buckets).map(|buckets| NodeIx(jump(key.0, buckets)))
    }
}

impl Buckets for Jump {
    fn grow(&mut self) -> Result<NodeIx, PlacementError> {
        grow_at_the_end(&mut self.buckets)
    }

    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError> {
        retire_the_last(&mut self.buckets, bucket)
    }

    fn is_live(&self, bucket: NodeIx) -> bool {
        bucket.0 < self.buckets
    }

    fn end(&self) -> u32 {
        self.buckets
    }
}
