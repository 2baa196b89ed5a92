//! Shards by a directory.

use alloc::collections::BTreeMap;
use core::borrow::Borrow;

/// A table of who owns which key, and who owns the keys that are not in it.
///
/// Federation by function (`"orders"` to one database, `"users"` to another), tenants moved to
/// machines of their own, and exceptions over a hashed default. O(log entries) a look-up.
///
/// ```
/// use archstone_hashring::sharding::Directory;
///
/// let mut tenants: Directory<String, &str> = Directory::new(Some("shared-pool"));
/// tenants.assign("acme".into(), "acme-db");
/// assert_eq!(tenants.owner("acme"), Some(&"acme-db"));
/// assert_eq!(tenants.owner("small shop"), Some(&"shared-pool"));
/// tenants.evacuate(&"acme-db", &"acme-db-2");
/// assert_eq!(tenants.owner("acme"), Some(&"acme-db-2"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Directory<K: Ord, N> {
    entries: BTreeMap<K, N>,
    rest: Option<N>,
}

impl<K: Ord, N> Directory<K, N> {
    /// No entries; `rest` owns whatever has none.
    #[must_use]
    pub const fn new(rest: Option<N>) -> Self {
        Self { entries: BTreeMap::new(), rest }
    }

    /// Enters a key. Returns who was entered before.
    pub fn assign(&mut self, key: K, owner: N) -> Option<N> {
        self.entries.insert(key, owner)
    }

    /// Takes an entry out: the key falls to the rest. Returns who was entered.
    pub fn forget<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<N>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key)
    }

    /// Who owns `key`: its entry, else the rest's owner, else nobody.
    pub fn owner<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&N>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).or(self.rest.as_ref())
    }

    /// Everything of `from` goes to `to`, the rest too. Returns how many entries. O(entries).
    pub fn evacuate(&mut self, from: &N, to: &N) -> usize
    where
        N: PartialEq + Clone,
    {
        let entries = self.entries.values_mut().filter(|owner| **owner == *from);
        let moved = entries.map(|owner| *owner = to.clone()).count();
        if self.rest.as_ref() == Some(from) {
            self.rest = Some(to.clone());
        }
        moved
    }

    /// The entries in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &N)> {
        self.entries.iter()
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No entry at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
