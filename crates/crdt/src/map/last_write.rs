use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::clock::{Timestamp, VersionVector};
use crate::lattice::{Delta, Lattice};

/// The value with the latest stamp under each key; a removal is a write of nothing.
///
/// A removed key is remembered with its stamp, so that an older write does not bring it back,
/// until [`forget_before`](Self::forget_before).
///
/// Rows in the order of their first write, and a table of row numbers, so that
/// a merge walks the other side's rows from front to back: where the same key follows the same key
/// on both sides, as in copies of one map, it needs no look-up; elsewhere one look-up a key.
/// `size_of::<(K, Timestamp, Option<V>)>()` and 5 bytes a bucket (1.15 to 2.3 buckets) a key.
///
/// Its version is the latest stamp of each replica, which tells all that was seen when a
/// replica's writes arrive in their order; [`delta_since`](Delta::delta_since) builds on that.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, clock::Timestamp, map::LwwMap};
///
/// let at = |ms| Timestamp::new(ms, 0, ReplicaId(1));
/// let mut settings = LwwMap::new();
/// settings.insert(at(1), "theme", "dark");
/// let mut copy = settings.clone();
/// copy.remove(at(2), "theme");
/// settings.insert(at(3), "theme", "light");
/// settings.merge(&copy);
/// assert_eq!(settings.get("theme"), Some(&"light"));
/// ```
#[derive(Clone)]
pub struct LwwMap<K, V, H = ahash::RandomState> {
    rows: Vec<(K, Written<V>)>,
    by_key: HashTable<u32>,
    hasher: H,
    live: usize,
}

/// A write: a value, or the removal of one.
pub(crate) type Written<V> = (Timestamp, Option<V>);

#[cfg(feature = "std")]
impl<K: Hash + Eq + Clone, V: Ord + Clone> LwwMap<K, V> {
    /// An empty map, randomly seeded; [`Default`] for another hasher.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> LwwMap<K, V, H> {
    /// Writes `value`; whether it counts: an earlier stamp than the key's does not.
    pub fn insert(&mut self, stamp: Timestamp, key: K, value: V) -> bool {
        self.write(key, (stamp, Some(value)))
    }

    /// Writes nothing under `key`, there or not; whether it counts.
    pub fn remove(&mut self, stamp: Timestamp, key: K) -> bool {
        self.write(key, (stamp, None))
    }

    /// Writes `value`, or nothing.
    pub(crate) fn write(&mut self, key: K, new: Written<V>) -> bool {
        match self.row_of(&key) {
            Some(row) => self.overwrite(row, &new),
            None => self.push(key, new),
        }
    }

    /// Takes the later of two writes of one key. One stamp twice is a broken clock; replicas agree
    /// on the greater value.
    #[inline]
    fn overwrite(&mut self, row: usize, new: &Written<V>) -> bool {
        let old = &mut self.rows[row].1;
        let later = later(new, old);
        if later {
            self.live -= usize::from(old.1.is_some());
            self.live += usize::from(new.1.is_some());
            old.clone_from(new);
        }
        later
    }

    /// A row more, under a key that has none.
    fn push(&mut self, key: K, new: Written<V>) -> bool {
        let row = self.rows.len();
        assert!(row < u32::MAX as usize, "more than 2^32 - 2 keys in one map");
        let hash = self.hasher.hash_one(&key);
        self.live += usize::from(new.1.is_some());
        self.rows.push((key, new));
        let rehash = |&row: &u32| self.hasher.hash_one(&self.rows[row as usize].0);
        self.by_key.insert_unique(hash, row as u32, rehash);
        true
    }

    #[inline]
    fn row_of<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let same = |&row: &u32| self.rows[row as usize].0.borrow() == key;
        self.by_key.find(self.hasher.hash_one(key), same).map(|&row| row as usize)
    }

    /// Keys and writes, removals too, in no particular order.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &(K, Written<V>)> + '_ {
        self.rows.iter()
    }

    /// The value under `key`.
    #[must_use]
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.rows[self.row_of(key)?].1.1.as_ref()
    }

    /// Whether there is a value under `key`.
    #[must_use]
    pub fn contains<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// When `key` was last written or removed.
    #[must_use]
    pub fn stamp<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Timestamp>
    where
        K: Borrow<Q>,
    {
        Some(self.rows[self.row_of(key)?].1.0)
    }

    /// Keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> + '_ {
        self.rows.iter().filter_map(|(key, (_, value))| Some((key, value.as_ref()?)))
    }

    /// Keys with a value.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Removed keys that are remembered.
    #[must_use]
    pub fn removed(&self) -> usize {
        self.rows.len() - self.live
    }

    /// Forgets keys removed before `stable`, a stamp up to which every replica has seen all; how
    /// many. A replica that has not would bring them back.
    pub fn forget_before(&mut self, stable: Timestamp) -> usize {
        let before = self.rows.len();
        self.rows.retain(|(_, (stamp, value))| value.is_some() || *stamp >= stable);
        if self.rows.len() < before {
            self.by_key.clear();
            let hash = |&row: &u32| self.hasher.hash_one(&self.rows[row as usize].0);
            for row in 0..self.rows.len() as u32 {
                self.by_key.insert_unique(hash(&row), row, hash);
            }
        }
        before - self.rows.len()
    }

    /// Checks every link; for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        assert_eq!(self.by_key.len(), self.rows.len());
        for (at, (key, _)) in self.rows.iter().enumerate() {
            assert_eq!(self.row_of(key), Some(at));
        }
        assert_eq!(self.live, self.iter().count());
    }
}

/// Whether `a` is the later write; values are looked at only under one stamp.
#[inline]
fn later<V: Ord>(a: &Written<V>, b: &Written<V>) -> bool {
    let (ours, theirs) = (a.0.key(), b.0.key());
    ours > theirs || ours == theirs && a.1 > b.1
}

impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> Lattice
    for LwwMap<K, V, H>
{
    fn merge(&mut self, other: &Self) -> bool {
        let (mut news, mut next) = (false, 0);
        for (key, theirs) in &other.rows {
            // The same key follows the same key in copies of one map.
            let here = self.rows.get(next).is_some_and(|ours| ours.0 == *key);
            let row = if here { Some(next) } else { self.row_of(key) };
            news |= match row {
                Some(row) => {
                    next = row + 1;
                    self.overwrite(row, theirs)
                }
                None => self.push(key.clone(), theirs.clone()),
            };
        }
        news
    }

    fn includes(&self, other: &Self) -> bool {
        other.rows.iter().all(|(key, theirs)| {
            self.row_of(key).is_some_and(|row| !later(theirs, &self.rows[row].1))
        })
    }
}

impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> Delta
    for LwwMap<K, V, H>
{
    type Version = VersionVector;

    fn version(&self) -> VersionVector {
        self.rows.iter().map(|(_, (stamp, _))| (stamp.replica(), stamp.as_u64())).collect()
    }

    fn delta_since(&self, seen: &VersionVector) -> Self {
        let mut part = Self::default();
        for (key, value) in &self.rows {
            let known = seen.get(value.0.replica());
            if value.0.as_u64() > known || known == 0 {
                part.write(key.clone(), value.clone());
            }
        }
        part
    }
}

impl<K, V, H: Default> Default for LwwMap<K, V, H> {
    fn default() -> Self {
        Self { rows: Vec::new(), by_key: HashTable::new(), hasher: H::default(), live: 0 }
    }
}

/// The same keys, values and stamps, and the same removals.
impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> PartialEq
    for LwwMap<K, V, H>
{
    fn eq(&self, other: &Self) -> bool {
        self.rows.len() == other.rows.len()
            && other.rows.iter().all(|(key, theirs)| {
                self.row_of(key).is_some_and(|row| self.rows[row].1 == *theirs)
            })
    }
}

impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> Eq
    for LwwMap<K, V, H>
{
}

impl<K: fmt::Debug, V: fmt::Debug, H> fmt::Debug for LwwMap<K, V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.rows.iter().map(|(key, write)| (key, write))).finish()
    }
}
