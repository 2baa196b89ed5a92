//! The one trait that every replicated type has, and the one for what is sent.

/// A state that merges: a join-semilattice.
///
/// Laws, tested for every type over states that interleaved updates and merges reach
/// (`tests/laws.rs`): merge is commutative, associative and idempotent; an update only ever grows
/// a state; `merge` returns `true` exactly when the state grew.
pub trait Lattice: Clone {
    /// Takes in what `other` knows; whether that was news.
    ///
    /// When it was not, nothing is allocated. Merging with itself is no news.
    fn merge(&mut self, other: &Self) -> bool;

    /// Whether `other` would be no news.
    fn includes(&self, other: &Self) -> bool {
        !self.clone().merge(other)
    }
}

/// A state that can say what another lacks.
pub trait Delta: Lattice {
    /// What tells how far a replica has seen: a version vector, a causal context, a stamp.
    type Version;

    /// How far this state has seen.
    fn version(&self) -> Self::Version;

    /// The part of this state that a replica at `seen` lacks, as a small state of the same type.
    ///
    /// For every `other` that has seen at least `seen`, merging the part gives what merging the
    /// whole gives. It is the bottom (nothing to send) when `seen` covers this state's version.
    #[must_use]
    fn delta_since(&self, seen: &Self::Version) -> Self;
}
