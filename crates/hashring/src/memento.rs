//! MementoHash (Coluzzi, Brocco, Antonucci and Leidi 2023) over [`Level`].
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1) while none is removed, then O(1 + ln(buckets / live)^2) expected |
//! | add, remove | O(1), any bucket |
//! | state | 24 to 48 bytes a removed bucket, nothing for the live ones |
//! | balance | the limit |
//! | moves | minimal, both ways; a leaver's keys spread over all survivors |
//!
//! As Anchor, but it remembers only who was removed: how many were left then, and who was removed
//! before. There is no capacity; past the last removal taken back, it grows at its end.

use crate::buckets::Buckets;
use crate::draw::{draw, scale};
use crate::key::Hashed;
use crate::level::{Level, grow_at_the_end};
use crate::placement::{Locate, NodeIx, PlacementError};
use alloc::vec::Vec;
use archstone_core::hash::mix;

/// Buckets any of which may be removed; the last removed is the first to be added again.
///
/// ```
/// use archstone_hashring::{Buckets, Key, Locate, Memento, NodeIx};
///
/// let mut memento = Memento::new(10);
/// memento.retire(NodeIx(3))?;
/// assert_ne!(memento.locate("user:42".hashed(0)), Some(NodeIx(3)));
/// assert_eq!(memento.grow()?, NodeIx(3));
/// assert_eq!(memento.grow()?, NodeIx(10));
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Memento {
    /// Live and removed ones.
    buckets: u32,
    removed: Removed,
    /// Who was removed last.
    last: u32,
}

impl Memento {
    /// `buckets` buckets, all live.
    #[must_use]
    pub const fn new(buckets: u32) -> Self {
        Self { buckets, removed: Removed::new(), last: NONE }
    }

    /// Who was removed, the last first.
    fn history(&self) -> impl Iterator<Item = u32> + '_ {
        let mut next = self.last;
        core::iter::from_fn(move || {
            let entry = self.removed.get(next)?;
            next = entry.before;
            Some(entry.bucket)
        })
    }
}

impl PartialEq for Memento {
    fn eq(&self, other: &Self) -> bool {
        self.buckets == other.buckets && self.history().eq(other.history())
    }
}

impl Eq for Memento {}

impl Locate for Memento {
    fn len(&self) -> usize {
        self.buckets as usize - self.removed.len
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        let found = Level::new(self.buckets).locate(key)?;
        if self.removed.len == 0 {
            return Some(found);
        }
        self.past_removed(key.0, found.0)
    }
}

impl Memento {
    fn past_removed(&self, key: u64, found: u32) -> Option<NodeIx> {
        let mut at = found;
        while let Some(gone) = self.removed.get(at) {
            if gone.left == 0 {
                return None;
            }
            at = scale(draw(key, u64::from(at) + 1), gone.left);
            // A bucket that was gone by then: whoever took its place.
            while let Some(earlier) = self.removed.get(at).filter(|e| e.left >= gone.left) {
                at = earlier.left;
            }
        }
        Some(NodeIx(at))
    }
}

impl Buckets for Memento {
    fn grow(&mut self) -> Result<NodeIx, PlacementError> {
        let Some(entry) = self.removed.get(self.last) else {
            return grow_at_the_end(&mut self.buckets);
        };
        self.removed.take(entry.bucket);
        self.last = entry.before;
        Ok(NodeIx(entry.bucket))
    }

    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError> {
        if !self.is_live(bucket) {
            return Err(PlacementError::Unknown { node: bucket });
        }
        if self.removed.len == 0 && bucket.0 == self.buckets - 1 {
            self.buckets -= 1;
            return Ok(());
        }
        let left = self.len() as u32 - 1;
        self.removed.put(Entry { bucket: bucket.0, left, before: self.last });
        self.last = bucket.0;
        Ok(())
    }

    fn is_live(&self, bucket: NodeIx) -> bool {
        bucket.0 < self.buckets && self.removed.get(bucket.0).is_none()
    }

    fn end(&self) -> u32 {
        self.buckets
    }
}

/// No bucket: `u32::MAX` buckets are at most numbered `u32::MAX - 1`.
const NONE: u32 = u32::MAX;

/// A removed bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    bucket: u32,
    /// Live ones after it was removed; also the bucket that takes its place in draws.
    left: u32,
    /// Who was removed before it.
    before: u32,
}

const FREE: Entry = Entry { bucket: NONE, left: 0, before: NONE };

/// Entries by bucket: open addressing, linear probes, at most half full.
#[derive(Clone, Debug, Default)]
struct Removed {
    table: Vec<Entry>,
    len: usize,
}

impl Removed {
    const fn new() -> Self {
        Self { table: Vec::new(), len: 0 }
    }

    #[inline]
    fn home(&self, bucket: u32) -> usize {
        mix(bucket.into()) as usize & self.table.len().wrapping_sub(1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.table.len() - 1)
    }

    /// Where `bucket` is, or the free place where its search ends. The table is not empty.
    #[inline]
    fn find(&self, bucket: u32) -> usize {
        let mut at = self.home(bucket);
        while self.table[at].bucket != bucket && self.table[at].bucket != NONE {
            at = self.next(at);
        }
        at
    }

    #[inline]
    fn get(&self, bucket: u32) -> Option<Entry> {
        if self.len == 0 || bucket == NONE {
            return None;
        }
        let entry = self.table[self.find(bucket)];
        (entry.bucket == bucket).then_some(entry)
    }

    fn put(&mut self, entry: Entry) {
        if (self.len + 1) * 2 > self.table.len() {
            let wider = (self.table.len() * 2).max(8);
            let old = core::mem::replace(&mut self.table, alloc::vec![FREE; wider]);
            for entry in old.into_iter().filter(|entry| entry.bucket != NONE) {
                let at = self.find(entry.bucket);
                self.table[at] = entry;
            }
        }
        let at = self.find(entry.bucket);
        self.table[at] = entry;
        self.len += 1;
    }

    /// Takes an entry out and closes the gap, so that no search ends early.
    fn take(&mut self, bucket: u32) {
        let mut gap = self.find(bucket);
        let mut at = gap;
        loop {
            at = self.next(at);
            let entry = self.table[at];
            if entry.bucket == NONE {
                break;
            }
            let mask = self.table.len() - 1;
            let from_home = at.wrapping_sub(self.home(entry.bucket)) & mask;
            if from_home >= at.wrapping_sub(gap) & mask {
                self.table[gap] = entry;
                gap = at;
            }
        }
        self.table[gap] = FREE;
        self.len -= 1;
    }
}

/// A snapshot is the buckets and who was removed, in order: all else follows.
#[cfg(feature = "serde")]
mod snapshot {
    use super::{Buckets, Memento, NodeIx, Vec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for Memento {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut removed: Vec<u32> = self.history().collect();
            removed.reverse();
            (self.buckets, removed).serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for Memento {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let (buckets, removed) = <(u32, Vec<u32>)>::deserialize(from)?;
            let mut memento = Self::new(buckets);
            for bucket in removed {
                memento.retire(NodeIx(bucket)).map_err(D::Error::custom)?;
            }
            if memento.buckets != buckets {
                return Err(D::Error::custom("the last bucket first removed is none removed"));
            }
            Ok(memento)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    /// Any order of entries and removals, in a small range so that runs form and close.
    #[test]
    fn the_table_of_removed_buckets_answers_as_a_map() {
        let (mut table, mut map) = (Removed::new(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let drawn = mix(step);
            let bucket = (drawn % 300) as u32;
            if map.contains_key(&bucket) {
                table.take(bucket);
                map.remove(&bucket);
            } else if map.len() < 120 {
                let entry = Entry { bucket, left: (drawn >> 32) as u32, before: bucket ^ 1 };
                table.put(entry);
                map.insert(bucket, entry);
            }
            assert_eq!(table.len, map.len());
            if step % 16 == 0 {
                for bucket in 0..300 {
                    assert_eq!(table.get(bucket), map.get(&bucket).copied());
                }
            }
        }
    }
}
