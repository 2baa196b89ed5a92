use alloc::collections::BTreeSet;
use core::borrow::Borrow;

use crate::lattice::Lattice;

/// A set that only grows. Merge is union, O(theirs · log ours).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GSet<T>(BTreeSet<T>);

impl<T: Ord + Clone> GSet<T> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Adds `item`; the delta, empty when it was there.
    #[must_use = "the delta is what other replicas need"]
    pub fn add(&mut self, item: T) -> Self {
        if self.0.contains(&item) {
            return Self::new();
        }
        self.0.insert(item.clone());
        Self(BTreeSet::from([item]))
    }

    /// Whether `item` is there.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains(item)
    }

    /// The elements, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> + '_ {
        self.0.iter()
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements that `seen` lacks: a grow-only set has no version smaller than itself.
    #[must_use]
    pub fn missing_in(&self, seen: &Self) -> Self {
        Self(self.0.difference(&seen.0).cloned().collect())
    }
}

impl<T: Ord + Clone> Lattice for GSet<T> {
    fn merge(&mut self, other: &Self) -> bool {
        let mut news = false;
        for item in &other.0 {
            if !self.0.contains(item) {
                self.0.insert(item.clone());
                news = true;
            }
        }
        news
    }

    fn includes(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0)
    }
}

impl<T: Ord + Clone> Default for GSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord + Clone> FromIterator<T> for GSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// A set from which an element can be removed once and for all.
///
/// For what is never added again: revoked keys, closed tickets. It remembers every removed element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoPhaseSet<T> {
    pub(crate) added: GSet<T>,
    pub(crate) removed: GSet<T>,
}

impl<T: Ord + Clone> TwoPhaseSet<T> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { added: GSet::new(), removed: GSet::new() }
    }

    /// Adds `item`, in vain if it was ever removed; the delta.
    #[must_use = "the delta is what other replicas need"]
    pub fn add(&mut self, item: T) -> Self {
        if self.removed.contains(&item) {
            return Self::new();
        }
        Self { added: self.added.add(item), removed: GSet::new() }
    }

    /// Removes `item` for good, wherever it is added; the delta.
    #[must_use = "the delta is what other replicas need"]
    pub fn remove(&mut self, item: T) -> Self {
        self.added.0.remove(&item);
        Self { added: GSet::new(), removed: self.removed.add(item) }
    }

    /// Whether `item` is there.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.added.contains(item)
    }

    /// The elements, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> + '_ {
        self.added.iter()
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.added.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// What `seen` lacks.
    #[must_use]
    pub fn missing_in(&self, seen: &Self) -> Self {
        let removed = self.removed.missing_in(&seen.removed);
        let mut added = self.added.missing_in(&seen.added);
        added.0.retain(|item| !seen.removed.contains(item));
        Self { added, removed }
    }
}

impl<T: Ord + Clone> Lattice for TwoPhaseSet<T> {
    /// What was removed on either side is kept as removed alone: half the memory.
    fn merge(&mut self, other: &Self) -> bool {
        let mut news = false;
        for item in &other.removed.0 {
            if !self.removed.contains(item) {
                self.added.0.remove(item);
                self.removed.0.insert(item.clone());
                news = true;
            }
        }
        for item in &other.added.0 {
            if !self.removed.contains(item) && !self.added.contains(item) {
                self.added.0.insert(item.clone());
                news = true;
            }
        }
        news
    }
}

impl<T: Ord + Clone> Default for TwoPhaseSet<T> {
    fn default() -> Self {
        Self::new()
    }
}
