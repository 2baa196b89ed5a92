use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::clock::{Timestamp, VersionVector};
use crate::lattice::{Delta, Lattice};

/// The value with the latest stamp under each key; a removal is a write of nothing.
///
/// A removed key is remembered with its stamp, so that an older write does not bring it back,
/// until [`forget_before`](Self::forget_before). Merge is one look-up a key of the other side.
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
    pub(crate) entries: HashMap<K, (Timestamp, Option<V>), H>,
    live: usize,
}

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
    pub(crate) fn write(&mut self, key: K, new: (Timestamp, Option<V>)) -> bool {
        match self.entries.entry(key) {
            Entry::Occupied(mut entry) => {
                let old = entry.get_mut();
                // One stamp twice is a broken clock; replicas agree on the greater value.
                let later = later(&new, old);
                if later {
                    self.live -= usize::from(old.1.is_some());
                    self.live += usize::from(new.1.is_some());
                    *old = new;
                }
                later
            }
            Entry::Vacant(entry) => {
                self.live += usize::from(new.1.is_some());
                entry.insert(new);
                true
            }
        }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)?.1.as_ref()
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
        Some(self.entries.get(key)?.0)
    }

    /// Keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> + '_ {
        self.entries.iter().filter_map(|(key, (_, value))| Some((key, value.as_ref()?)))
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
        self.entries.len() - self.live
    }

    /// Forgets keys removed before `stable`, a stamp up to which every replica has seen all; how
    /// many. A replica that has not would bring them back.
    pub fn forget_before(&mut self, stable: Timestamp) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, (stamp, value)| value.is_some() || *stamp >= stable);
        before - self.entries.len()
    }
}

/// Whether `a` is the later write; values are looked at only under one stamp.
#[inline]
fn later<V: Ord>(a: &(Timestamp, Option<V>), b: &(Timestamp, Option<V>)) -> bool {
    let (ours, theirs) = (a.0.key(), b.0.key());
    ours > theirs || ours == theirs && a.1 > b.1
}

impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> Lattice
    for LwwMap<K, V, H>
{
    fn merge(&mut self, other: &Self) -> bool {
        let mut news = false;
        for (key, theirs) in &other.entries {
            match self.entries.get_mut(key) {
                Some(ours) => {
                    if later(theirs, ours) {
                        self.live -= usize::from(ours.1.is_some());
                        self.live += usize::from(theirs.1.is_some());
                        ours.clone_from(theirs);
                        news = true;
                    }
                }
                None => news |= self.write(key.clone(), theirs.clone()),
            }
        }
        news
    }

    fn includes(&self, other: &Self) -> bool {
        let mut theirs = other.entries.iter();
        theirs.all(|(key, theirs)| self.entries.get(key).is_some_and(|ours| ours >= theirs))
    }
}

impl<K: Hash + Eq + Clone, V: Ord + Clone, H: BuildHasher + Default + Clone> Delta
    for LwwMap<K, V, H>
{
    type Version = VersionVector;

    fn version(&self) -> VersionVector {
        self.entries.values().map(|(stamp, _)| (stamp.replica(), stamp.as_u64())).collect()
    }

    fn delta_since(&self, seen: &VersionVector) -> Self {
        let mut part = Self::default();
        for (key, value) in &self.entries {
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
        Self { entries: HashMap::with_hasher(H::default()), live: 0 }
    }
}

impl<K: Hash + Eq, V: PartialEq, H: BuildHasher> PartialEq for LwwMap<K, V, H> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<K: Hash + Eq, V: Eq, H: BuildHasher> Eq for LwwMap<K, V, H> {}

impl<K: fmt::Debug, V: fmt::Debug, H> fmt::Debug for LwwMap<K, V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter()).finish()
    }
}
