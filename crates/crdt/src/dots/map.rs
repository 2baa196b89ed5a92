use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{DotStore, Dots};
use crate::clock::CausalContext;
use crate::id::Dot;

/// A store under each key; keys without a live dot are not there. Any depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotMap<K, S>(BTreeMap<K, S>);

impl<K, S> Default for DotMap<K, S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, S: DotStore> DotMap<K, S> {
    /// The store under `key`.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&S>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Keys and stores, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &S)> + '_ {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys that are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn one(key: K, store: S) -> Self {
        if store.is_empty() { Self::default() } else { Self(BTreeMap::from([(key, store)])) }
    }

    /// Changes the store under `key`, which is there afterwards if it then holds a dot; what
    /// `change` returned.
    pub(crate) fn change<R>(&mut self, key: &K, change: impl FnOnce(&mut S) -> R) -> R {
        if let Some(store) = self.0.get_mut(key) {
            let result = change(store);
            if store.is_empty() {
                self.0.remove(key);
            }
            return result;
        }
        let mut store = S::default();
        let result = change(&mut store);
        if !store.is_empty() {
            self.0.insert(key.clone(), store);
        }
        result
    }

    /// Drops the store under `key`; its dots go to `dropped`.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q, dropped: &mut Dots)
    where
        K: core::borrow::Borrow<Q>,
    {
        if let Some(store) = self.0.remove(key) {
            store.dots(&mut |dot| dropped.push(dot));
        }
    }

    /// The greatest key.
    pub(crate) fn last_key(&self) -> Option<&K> {
        self.0.last_key_value().map(|entry| entry.0)
    }

    /// Puts a decoded entry in.
    pub(crate) fn insert(&mut self, key: K, store: S) {
        self.0.insert(key, store);
    }
}

impl<K: Ord + Clone, S: DotStore> DotStore for DotMap<K, S> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn dots(&self, each: &mut dyn FnMut(Dot)) {
        self.0.values().for_each(|store| store.dots(each));
    }

    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext) -> bool {
        let nothing = S::default();
        let (mut changed, mut emptied) = (false, false);
        // Both sides are sorted: one walk finds the keys of both.
        let mut their_entries = other.0.iter().peekable();
        let mut new_keys: Vec<(&K, &S)> = Vec::new();
        for (key, store) in &mut self.0 {
            while let Some(entry) = their_entries.next_if(|entry| entry.0 < key) {
                new_keys.push(entry);
            }
            let their_store = their_entries.next_if(|entry| entry.0 == key);
            changed |= store.join(ours, their_store.map_or(&nothing, |entry| entry.1), theirs);
            emptied |= store.is_empty();
        }
        new_keys.extend(their_entries);
        if emptied {
            self.0.retain(|_, store| !store.is_empty());
        }
        for (key, their_store) in new_keys {
            let mut store = S::default();
            if store.join(ours, their_store, theirs) {
                self.0.insert(key.clone(), store);
                changed = true;
            }
        }
        changed
    }

    fn part(&self, seen: &CausalContext) -> Self {
        let parts = self.0.iter().map(|(key, store)| (key.clone(), store.part(seen)));
        Self(parts.filter(|(_, store)| !store.is_empty()).collect())
    }
}
