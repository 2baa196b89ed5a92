use alloc::vec::Vec;

use super::{DotStore, Dots};
use crate::clock::CausalContext;
use crate::id::Dot;

/// A value under each dot: a register's concurrent writes, a counter's increments. Sorted by dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotFun<V>(Vec<(Dot, V)>);

impl<V> Default for DotFun<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> DotFun<V> {
    /// The entries, by dot.
    #[must_use]
    pub fn as_slice(&self) -> &[(Dot, V)] {
        &self.0
    }

    pub(crate) fn one(dot: Dot, value: V) -> Self {
        Self(alloc::vec![(dot, value)])
    }

    pub(crate) fn insert(&mut self, dot: Dot, value: V) {
        match self.0.binary_search_by_key(&dot, |entry| entry.0) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (dot, value)),
        }
    }

    pub(crate) fn remove(&mut self, dot: Dot) {
        if let Ok(at) = self.0.binary_search_by_key(&dot, |entry| entry.0) {
            self.0.remove(at);
        }
    }

    /// Empties it; the dots go to `dropped`.
    pub(crate) fn clear(&mut self, dropped: &mut Dots) {
        dropped.extend(self.0.drain(..).map(|entry| entry.0));
    }

    /// The values, by dot.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + '_ {
        self.0.iter().map(|entry| &entry.1)
    }

    fn find(&self, dot: Dot) -> bool {
        self.0.binary_search_by_key(&dot, |entry| entry.0).is_ok()
    }
}

impl DotFun<i64> {
    /// The sum of a counter's increments.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.values().map(|&amount| i128::from(amount)).sum()
    }
}

impl<V: Clone> DotStore for DotFun<V> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn dots(&self, each: &mut dyn FnMut(Dot)) {
        self.0.iter().for_each(|entry| each(entry.0));
    }

    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| other.find(entry.0) || !theirs.contains(entry.0));
        let mut changed = self.0.len() < before;
        for (dot, value) in &other.0 {
            if !ours.contains(*dot) {
                self.insert(*dot, value.clone());
                changed = true;
            }
        }
        changed
    }

    fn part(&self, seen: &CausalContext) -> Self {
        Self(self.0.iter().filter(|entry| !seen.contains(entry.0)).cloned().collect())
    }
}
