use alloc::vec::Vec;

use super::{DotStore, Dots};
use crate::clock::CausalContext;
use crate::id::Dot;

/// Dots and nothing under them: a flag, or an element of a nested set. Sorted; 16 bytes a dot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DotSet(Vec<Dot>);

impl DotSet {
    /// The dots, sorted.
    #[must_use]
    pub fn as_slice(&self) -> &[Dot] {
        &self.0
    }

    /// One dot alone.
    pub(crate) fn one(dot: Dot) -> Self {
        Self(alloc::vec![dot])
    }

    /// Puts `dot` in the place of all others, which go to `dropped`.
    pub(crate) fn replace(&mut self, dot: Option<Dot>, dropped: &mut Dots) {
        dropped.extend(self.0.drain(..));
        self.0.extend(dot);
    }

    pub(crate) fn insert(&mut self, dot: Dot) {
        if let Err(at) = self.0.binary_search(&dot) {
            self.0.insert(at, dot);
        }
    }
}

impl DotStore for DotSet {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn dots(&self, each: &mut dyn FnMut(Dot)) {
        self.0.iter().for_each(|&dot| each(dot));
    }

    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext) -> bool {
        if self.0 == other.0 {
            return false;
        }
        let before = self.0.len();
        self.0.retain(|dot| other.0.binary_search(dot).is_ok() || !theirs.contains(*dot));
        let mut changed = self.0.len() < before;
        for &dot in &other.0 {
            if !ours.contains(dot) {
                self.insert(dot);
                changed = true;
            }
        }
        changed
    }

    fn part(&self, seen: &CausalContext) -> Self {
        Self(self.0.iter().copied().filter(|&dot| !seen.contains(dot)).collect())
    }
}
