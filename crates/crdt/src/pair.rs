//! Composition.

use core::cmp::Ordering;

use crate::lattice::Lattice;

/// A version that decides and a value that merges under equal versions: the lexicographic pair.
///
/// For what one writer at a time owns under a growing epoch: raising the version discards the
/// value of every lower one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LexPair<A, B> {
    /// What decides.
    pub version: A,
    /// What merges under one version.
    pub value: B,
}

impl<A: Ord + Clone, B: Lattice> LexPair<A, B> {
    /// A value under a version.
    #[must_use]
    pub const fn new(version: A, value: B) -> Self {
        Self { version, value }
    }
}

impl<A: Ord + Clone, B: Lattice> Lattice for LexPair<A, B> {
    fn merge(&mut self, other: &Self) -> bool {
        match self.version.cmp(&other.version) {
            Ordering::Greater => false,
            Ordering::Equal => self.value.merge(&other.value),
            Ordering::Less => {
                self.clone_from(other);
                true
            }
        }
    }
}

/// Two lattices side by side.
impl<A: Lattice, B: Lattice> Lattice for (A, B) {
    fn merge(&mut self, other: &Self) -> bool {
        let first = self.0.merge(&other.0);
        let second = self.1.merge(&other.1);
        first || second
    }
}
