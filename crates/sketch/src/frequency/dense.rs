//! Items with a value each, in a dense vector with an [`Index`] over it.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::index::Index;
use crate::Key;

#[derive(Clone, Debug)]
pub(super) struct Dense<T, V> {
    entries: Vec<Entry<T, V>>,
    index: Index,
}

#[derive(Clone, Debug)]
pub(super) struct Entry<T, V> {
    pub(super) item: T,
    pub(super) hash: u64,
    pub(super) value: V,
}

impl<T: Key, V> Dense<T, V> {
    pub(super) fn new(reserve: usize) -> Self {
        Self { entries: Vec::with_capacity(reserve), index: Index::new(reserve) }
    }

    #[inline]
    pub(super) fn find<Q>(&self, hash: u64, item: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.index.find(hash, |at| self.entries[at].item.borrow() == item)
    }

    pub(super) fn value<Q>(&self, hash: u64, item: &Q) -> Option<&V>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.find(hash, item).map(|at| &self.entries[at].value)
    }

    #[inline]
    pub(super) fn value_mut<Q>(&mut self, hash: u64, item: &Q) -> Option<&mut V>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let at = self.find(hash, item)?;
        Some(&mut self.entries[at].value)
    }

    pub(super) fn value_at(&mut self, at: usize) -> &mut V {
        &mut self.entries[at].value
    }

    /// Adds an item that is not there.
    pub(super) fn insert(&mut self, hash: u64, item: T, value: V) {
        self.index.insert(hash, self.entries.len());
        self.entries.push(Entry { item, hash, value });
    }

    /// Takes an entry out; the last one moves into its place.
    pub(super) fn swap_remove(&mut self, at: usize) -> Entry<T, V> {
        self.index.remove(self.entries[at].hash, at);
        let last = self.entries.len() - 1;
        if at != last {
            self.index.relocate(self.entries[last].hash, last, at);
        }
        self.entries.swap_remove(at)
    }

    /// Keeps the entries whose value `keep` says so of, in their order.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.entries.retain_mut(|entry| keep(&mut entry.value));
        self.index.clear();
        for (at, entry) in self.entries.iter().enumerate() {
            self.index.insert(entry.hash, at);
        }
    }

    pub(super) fn entries(&self) -> &[Entry<T, V>] {
        &self.entries
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry<T, V>> {
        self.entries.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
    }

    /// Bytes on the heap, those of the items included.
    pub(super) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<T, V>>()
            + self.index.memory()
            + self.entries.iter().map(|entry| entry.item.heap_bytes()).sum::<usize>()
    }
}
