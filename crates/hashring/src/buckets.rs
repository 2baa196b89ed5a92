//! Placements over numbered buckets, and what they have in common.

use crate::key::{Hashed, NodeId};
use crate::placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
use alloc::vec::Vec;
use archstone_core::hash::mix;

/// A placement that numbers its members itself: it grows by the bucket it chooses.
///
/// Laws: L1 to L3 and M1 as for the others. In place of M2: equal histories give equal placements;
/// [`Jump`](crate::Jump), [`Level`](crate::Level), [`Dx`](crate::Dx) and
/// [`Skeleton`](crate::Skeleton) are functions of the set of live buckets, while
/// [`Anchor`](crate::Anchor) and [`Memento`](crate::Memento) remember the order of removals. Peers
/// that must agree share the log, or a snapshot. Taking back the last removal is the identity.
pub trait Buckets: Locate {
    /// One bucket more.
    ///
    /// # Errors
    /// [`PlacementError::Full`] at the capacity.
    fn grow(&mut self) -> Result<NodeIx, PlacementError>;

    /// A bucket goes.
    ///
    /// # Errors
    /// [`PlacementError::Unknown`] when it is not live, [`PlacementError::NotLast`] where only the
    /// last can go.
    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError>;

    /// Whether a bucket is live.
    fn is_live(&self, bucket: NodeIx) -> bool;

    /// One past the greatest live bucket, or more.
    fn end(&self) -> u32;
}

/// The key is hashed again for each further candidate, so the second is independent of the first.
///
/// C3 holds: a bucket that is not among the first `k` was met by none of the attempts that found
/// them. After `4 n + 16` attempts the buckets not met yet follow by number. The first eight cost a
/// comparison each; later ones repeat the attempts, so a walk over all `n` is quadratic.
impl<B: Buckets> Candidates for B {
    type Iter<'a>
        = Retries<'a, B>
    where
        B: 'a;

    fn candidates(&self, key: Hashed) -> Retries<'_, B> {
        let limit = (self.len() as u64).saturating_mul(4).saturating_add(16);
        let seen = [NodeIx(u32::MAX); INLINE];
        Retries { buckets: self, key, attempt: 0, limit, seen, yielded: 0, tail: 0 }
    }
}

const INLINE: usize = 8;

/// The distinct buckets that a key meets as it is hashed again and again.
#[derive(Debug)]
pub struct Retries<'a, B> {
    buckets: &'a B,
    key: Hashed,
    attempt: u64,
    limit: u64,
    seen: [NodeIx; INLINE],
    yielded: usize,
    tail: u32,
}

impl<B: Buckets> Retries<'_, B> {
    fn attempt(&self, attempt: u64) -> Option<NodeIx> {
        let key = if attempt == 0 {
            self.key.0
        } else {
            mix(self.key.0.wrapping_add(attempt.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        };
        self.buckets.locate(Hashed(key))
    }

    fn is_new(&self, node: NodeIx) -> bool {
        if self.yielded <= INLINE {
            return !self.seen[..self.yielded].contains(&node);
        }
        (0..self.attempt).all(|earlier| self.attempt(earlier) != Some(node))
    }

    fn take(&mut self, node: NodeIx) -> NodeIx {
        if let Some(place) = self.seen.get_mut(self.yielded) {
            *place = node;
        }
        self.yielded += 1;
        node
    }
}

impl<B: Buckets> Iterator for Retries<'_, B> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        if self.yielded >= self.buckets.len() {
            return None;
        }
        while self.attempt < self.limit {
            let node = self.attempt(self.attempt)?;
            let new = self.is_new(node);
            self.attempt += 1;
            if new {
                return Some(self.take(node));
            }
        }
        while self.tail < self.buckets.end() {
            let node = NodeIx(self.tail);
            self.tail += 1;
            // Those of the tail itself ascend, so only the attempts can have met one before.
            let met = (0..self.limit).any(|earlier| self.attempt(earlier) == Some(node));
            if self.buckets.is_live(node) && !met {
                return Some(self.take(node));
            }
        }
        None
    }
}

/// Identities over numbered buckets, so that a [`Cluster`](crate::Cluster) can name them.
///
/// All members weigh the same; the order of joins matters as [`Buckets`] says.
///
/// ```
/// use archstone_hashring::{Anchor, Cluster, Numbered, Weight};
///
/// let mut cluster = Cluster::new(Numbered::new(Anchor::with_capacity(64)?));
/// for name in ["a", "b", "c"] {
///     cluster.join(name, Weight::ONE)?;
/// }
/// cluster.leave(&"b")?;
/// assert_ne!(cluster.owner("user:42"), Some(&"b"));
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Numbered<B> {
    buckets: B,
    ids: Vec<Option<NodeId>>,
}

impl<B: Buckets> Numbered<B> {
    /// Identities over an empty placement.
    ///
    /// Buckets that are live already have no identity and cannot be removed.
    pub const fn new(buckets: B) -> Self {
        Self { buckets, ids: Vec::new() }
    }

    /// The placement below.
    pub const fn buckets(&self) -> &B {
        &self.buckets
    }

    fn known(&self, node: NodeIx) -> Result<(), PlacementError> {
        let id = self.ids.get(node.index()).copied().flatten();
        id.map(drop).ok_or(PlacementError::Unknown { node })
    }
}

impl<B: Buckets> Locate for Numbered<B> {
    fn len(&self) -> usize {
        self.buckets.len()
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        self.buckets.locate(key)
    }

    fn locate_many(&self, keys: &[Hashed], out: &mut [NodeIx]) -> usize {
        self.buckets.locate_many(keys, out)
    }
}

impl<B: Buckets> Candidates for Numbered<B> {
    type Iter<'a>
        = Retries<'a, B>
    where
        B: 'a;

    fn candidates(&self, key: Hashed) -> Retries<'_, B> {
        self.buckets.candidates(key)
    }
}

impl<B: Buckets> Resize for Numbered<B> {
    /// A weight other than one is refused.
    fn add(&mut self, id: NodeId, weight: Weight) -> Result<NodeIx, PlacementError> {
        if weight != Weight::ONE {
            return Err(PlacementError::Weight { weight: weight.get() });
        }
        if self.ids.contains(&Some(id)) {
            return Err(PlacementError::Duplicate { id });
        }
        let bucket = self.buckets.grow()?;
        if bucket.index() >= self.ids.len() {
            self.ids.resize(bucket.index() + 1, None);
        }
        self.ids[bucket.index()] = Some(id);
        Ok(bucket)
    }

    fn remove(&mut self, node: NodeIx) -> Result<(), PlacementError> {
        self.known(node)?;
        self.buckets.retire(node)?;
        self.ids[node.index()] = None;
        Ok(())
    }

    /// A weight other than one is refused.
    fn reweight(&mut self, node: NodeIx, weight: Weight) -> Result<(), PlacementError> {
        if weight != Weight::ONE {
            return Err(PlacementError::Weight { weight: weight.get() });
        }
        self.known(node)
    }
}
