//! Version vectors: how many events of each replica were seen (Parker et al. 1983).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use crate::id::{Causality, Dot, Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// Replicas that fit without an allocation.
const INLINE: usize = 4;

/// How many events of each replica were seen, without gaps.
///
/// Two sorted columns, ids and counts; a replica at 0 has no entry. Up to 4 replicas live in the
/// value itself (72 bytes); from 5 on 16 bytes a replica on the heap, and clones share the column
/// of ids, so that versions of one group compare counts alone.
///
/// Compare and merge are one pass, O(replicas); look-ups O(log replicas).
///
/// ```
/// use archstone_crdt::{Causality, ReplicaId, clock::VersionVector};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut here = VersionVector::new();
/// here.increment(ann)?;
/// let mut there = here.clone();
/// there.increment(bob)?;
/// assert_eq!(here.compare(&there), Causality::Before);
/// here.increment(ann)?;
/// assert_eq!(here.compare(&there), Causality::Concurrent);
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone)]
pub struct VersionVector(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, ids: [u64; INLINE], counts: [u64; INLINE] },
    Heap { ids: Arc<[u64]>, counts: Box<[u64]> },
}

impl VersionVector {
    /// Nothing seen.
    #[must_use]
    pub const fn new() -> Self {
        Self(Repr::Inline { len: 0, ids: [0; INLINE], counts: [0; INLINE] })
    }

    #[inline]
    fn columns(&self) -> (&[u64], &[u64]) {
        match &self.0 {
            Repr::Inline { len, ids, counts } => {
                let len = usize::from(*len).min(INLINE);
                (&ids[..len], &counts[..len])
            }
            Repr::Heap { ids, counts } => (ids, counts),
        }
    }

    #[inline]
    fn counts_mut(&mut self) -> &mut [u64] {
        match &mut self.0 {
            Repr::Inline { len, counts, .. } => &mut counts[..usize::from(*len).min(INLINE)],
            Repr::Heap { counts, .. } => counts,
        }
    }

    /// From sorted columns without zeros.
    fn from_columns(ids: &[u64], counts: &[u64]) -> Self {
        debug_assert!(ids.windows(2).all(|w| w[0] < w[1]) && !counts.contains(&0));
        if ids.len() <= INLINE {
            let (mut i, mut c) = ([0; INLINE], [0; INLINE]);
            i[..ids.len()].copy_from_slice(ids);
            c[..ids.len()].copy_from_slice(counts);
            return Self(Repr::Inline { len: ids.len() as u8, ids: i, counts: c });
        }
        Self(Repr::Heap { ids: ids.into(), counts: counts.into() })
    }

    /// The counts, by id.
    pub(crate) fn counts(&self) -> &[u64] {
        self.columns().1
    }

    fn position(&self, replica: ReplicaId) -> Result<usize, usize> {
        let (ids, _) = self.columns();
        if ids.len() <= INLINE {
            let at = ids.iter().take_while(|&&id| id < replica.0).count();
            if ids.get(at) == Some(&replica.0) { Ok(at) } else { Err(at) }
        } else {
            ids.binary_search(&replica.0)
        }
    }

    /// Replicas with at least one event.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns().0.len()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Events of `replica` that were seen.
    #[must_use]
    pub fn get(&self, replica: ReplicaId) -> u64 {
        self.position(replica).map_or(0, |at| self.columns().1[at])
    }

    /// Whether the event was seen.
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        dot.counter <= self.get(dot.replica)
    }

    /// The entries, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ReplicaId, u64)> + Clone + '_ {
        let (ids, counts) = self.columns();
        ids.iter().zip(counts).map(|(&id, &count)| (ReplicaId(id), count))
    }

    /// Events seen in all, saturating.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.columns().1.iter().fold(0, |sum: u64, &count| sum.saturating_add(count))
    }

    /// The next event of `replica`: an update, or a message sent.
    ///
    /// # Errors
    /// After `u64::MAX` events; the vector stays as it was.
    pub fn increment(&mut self, replica: ReplicaId) -> Result<Dot, Exhausted> {
        let counter = self.advance(replica, 1)?;
        Ok(Dot::new(replica, counter))
    }

    /// `by` more events of `replica` at once; the new count.
    ///
    /// # Errors
    /// Past `u64::MAX` events; the vector stays as it was.
    pub fn advance(&mut self, replica: ReplicaId, by: u64) -> Result<u64, Exhausted> {
        match self.position(replica) {
            Ok(at) => {
                let count = &mut self.counts_mut()[at];
                *count = count.checked_add(by).ok_or(Exhausted { replica, at: *count, by })?;
                Ok(*count)
            }
            Err(at) => {
                if by > 0 {
                    self.insert(at, replica, by);
                }
                Ok(by)
            }
        }
    }

    /// Sees `replica` up to `count`; whether that was news.
    pub fn witness(&mut self, replica: ReplicaId, count: u64) -> bool {
        match self.position(replica) {
            Ok(at) => {
                let ours = &mut self.counts_mut()[at];
                let news = count > *ours;
                *ours = count.max(*ours);
                news
            }
            Err(_) if count == 0 => false,
            Err(at) => {
                self.insert(at, replica, count);
                true
            }
        }
    }

    #[cold]
    fn insert(&mut self, at: usize, replica: ReplicaId, count: u64) {
        let (ids, counts) = self.columns();
        let splice = |column: &[u64], value: u64| -> Vec<u64> {
            let mut all = Vec::with_capacity(column.len() + 1);
            all.extend_from_slice(&column[..at]);
            all.push(value);
            all.extend_from_slice(&column[at..]);
            all
        };
        *self = Self::from_columns(&splice(ids, replica.0), &splice(counts, count));
    }

    /// How this version stands to `other`, in one pass that ends as soon as both have news.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Causality {
        let ((our_ids, ours), (their_ids, theirs)) = (self.columns(), other.columns());
        if same_ids(our_ids, their_ids) {
            compare_counts(ours, theirs)
        } else {
            compare_columns(our_ids, ours, their_ids, theirs)
        }
    }

    /// Keeps of each replica what both have seen: the greatest lower bound.
    pub fn meet(&mut self, other: &Self) {
        let kept: Vec<(u64, u64)> = self
            .iter()
            .map(|(replica, count)| (replica.0, count.min(other.get(replica))))
            .filter(|&(_, count)| count > 0)
            .collect();
        *self = kept.into_iter().map(|(id, count)| (ReplicaId(id), count)).collect();
    }

    /// Drops the entry of a replica that is gone for good; its count.
    ///
    /// Ids would otherwise stay for ever. Safe once every other replica has seen all of its events
    /// ([`Stability`](crate::sync::Stability)) and all retire it at that same cut; a replica that
    /// does not brings the entry back with its next merge, which loses nothing.
    pub fn retire(&mut self, replica: ReplicaId) -> u64 {
        let count = self.get(replica);
        if count > 0 {
            *self = self.iter().filter(|&(id, _)| id != replica).collect();
        }
        count
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            // The shared column has two reference counts before it.
            Repr::Heap { ids, counts } => 16 + 8 * ids.len() + 8 * counts.len(),
        }
    }
}

/// Equal columns of ids, first by being the same allocation.
#[inline]
fn same_ids(a: &[u64], b: &[u64]) -> bool {
    a.len() == b.len() && (core::ptr::eq(a, b) || a == b)
}

fn compare_counts(ours: &[u64], theirs: &[u64]) -> Causality {
    // Equal first: on long columns it is a memcmp.
    if ours == theirs {
        return Causality::Equal;
    }
    let (mut less, mut greater) = (false, false);
    for (a, b) in ours.chunks(8).zip(theirs.chunks(8)) {
        for (a, b) in a.iter().zip(b) {
            less |= a < b;
            greater |= a > b;
        }
        if less && greater {
            return Causality::Concurrent;
        }
    }
    Causality::of(less, greater)
}

#[inline(never)]
fn compare_columns(our_ids: &[u64], ours: &[u64], their_ids: &[u64], theirs: &[u64]) -> Causality {
    let (mut less, mut greater) = (false, false);
    let (mut i, mut j) = (0, 0);
    while i < our_ids.len() && j < their_ids.len() {
        match our_ids[i].cmp(&their_ids[j]) {
            Ordering::Less => {
                greater = true;
                i += 1;
            }
            Ordering::Greater => {
                less = true;
                j += 1;
            }
            Ordering::Equal => {
                less |= ours[i] < theirs[j];
                greater |= ours[i] > theirs[j];
                i += 1;
                j += 1;
            }
        }
        if less && greater {
            return Causality::Concurrent;
        }
    }
    greater |= i < our_ids.len();
    less |= j < their_ids.len();
    Causality::of(less, greater)
}

impl Lattice for VersionVector {
    fn merge(&mut self, other: &Self) -> bool {
        let (their_ids, theirs) = other.columns();
        if same_ids(self.columns().0, their_ids) {
            // Nothing new is what gossip mostly hears; on long columns that is a memcmp.
            let mut news = false;
            if self.len() <= INLINE || self.columns().1 != theirs {
                for (ours, &theirs) in self.counts_mut().iter_mut().zip(theirs) {
                    news |= theirs > *ours;
                    *ours = theirs.max(*ours);
                }
            }
            if let (Repr::Heap { ids, .. }, Repr::Heap { ids: shared, .. }) =
                (&mut self.0, &other.0)
            {
                // From now on the two compare by pointer.
                if !Arc::ptr_eq(ids, shared) {
                    ids.clone_from(shared);
                }
            }
            return news;
        }
        merge_columns(self, their_ids, theirs)
    }

    fn includes(&self, other: &Self) -> bool {
        matches!(self.compare(other), Causality::Equal | Causality::After)
    }
}

#[inline(never)]
fn merge_columns(ours: &mut VersionVector, their_ids: &[u64], theirs: &[u64]) -> bool {
    let unknown = their_ids.iter().filter(|&&id| ours.position(ReplicaId(id)).is_err()).count();
    if unknown == 0 {
        let mut news = false;
        for (&id, &count) in their_ids.iter().zip(theirs) {
            news |= ours.witness(ReplicaId(id), count);
        }
        return news;
    }
    let (our_ids, our_counts) = ours.columns();
    let len = our_ids.len() + unknown;
    let (mut ids, mut counts) = (Vec::with_capacity(len), Vec::with_capacity(len));
    let (mut i, mut j) = (0, 0);
    while i < our_ids.len() || j < their_ids.len() {
        let order = match (our_ids.get(i), their_ids.get(j)) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let (id, count) = match order {
            Ordering::Less => (our_ids[i], our_counts[i]),
            Ordering::Greater => (their_ids[j], theirs[j]),
            Ordering::Equal => (our_ids[i], our_counts[i].max(theirs[j])),
        };
        ids.push(id);
        counts.push(count);
        i += usize::from(order != Ordering::Greater);
        j += usize::from(order != Ordering::Less);
    }
    *ours = VersionVector::from_columns(&ids, &counts);
    true
}

impl Delta for VersionVector {
    type Version = Self;

    fn version(&self) -> Self {
        self.clone()
    }

    fn delta_since(&self, seen: &Self) -> Self {
        self.iter().filter(|&(replica, count)| count > seen.get(replica)).collect()
    }
}

impl Default for VersionVector {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for VersionVector {
    fn eq(&self, other: &Self) -> bool {
        self.columns() == other.columns()
    }
}

impl Eq for VersionVector {}

/// Causality: `None` for concurrent versions.
impl PartialOrd for VersionVector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.compare(other).ordering()
    }
}

/// Of entries with one id the greatest count is kept.
impl FromIterator<(ReplicaId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (ReplicaId, u64)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().filter(|&(_, count)| count > 0).collect();
        if !entries.windows(2).all(|w| w[0].0 < w[1].0) {
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
            entries.dedup_by_key(|entry| entry.0);
        }
        let ids: Vec<u64> = entries.iter().map(|entry| entry.0.0).collect();
        let counts: Vec<u64> = entries.iter().map(|entry| entry.1).collect();
        Self::from_columns(&ids, &counts)
    }
}

impl fmt::Debug for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
