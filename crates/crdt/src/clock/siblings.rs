//! Dotted version vectors: the concurrent values of one key (Preguiça, Baquero, Almeida, Fonte,
//! Gonçalves: Dotted version vectors, arXiv 1011.5808).

use alloc::vec::Vec;

use super::{CausalContext, VersionVector};
use crate::dots::{Causal, DotFun};
use crate::id::{Exhausted, ReplicaId};
use crate::lattice::Lattice;

/// The concurrent values of one key on a server, with the version that covers them.
///
/// A client reads values and a context, and writes with that context: what it had read is
/// replaced, what it had not stays beside its own value as a sibling. The context names servers,
/// not clients, so clients without number add nothing to it; and a value's own dot is kept apart
/// from what it had seen, so that two clients that write through one server with one old context
/// make two siblings, not a false chain (no "sibling explosion", no lost write).
///
/// ```
/// use archstone_crdt::{ReplicaId, clock::Siblings};
///
/// let server = ReplicaId(1);
/// let mut key = Siblings::new();
/// let read = key.context();
/// key.put(server, &read, "ann's")?;
/// key.put(server, &read, "bob's")?; // bob had not seen ann's
/// assert_eq!(key.values().count(), 2);
/// let both = key.context();
/// key.put(server, &both, "merged")?;
/// assert!(key.values().eq(&["merged"]));
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siblings<T>(pub(crate) Causal<DotFun<T>>);

impl<T: Clone> Siblings<T> {
    /// No value.
    #[must_use]
    pub fn new() -> Self {
        Self(Causal::default())
    }

    /// The values that nobody has replaced, oldest number first.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &T> + '_ {
        self.0.store.values()
    }

    /// What a client gets with the values and returns with its write.
    #[must_use]
    pub fn context(&self) -> VersionVector {
        let mut seen = self.0.context.vector().clone();
        for (replica, _, last) in self.0.context.cloud() {
            seen.witness(replica, last);
        }
        seen
    }

    /// Writes through `server` what replaces all that `seen` covers.
    ///
    /// # Errors
    /// After `u64::MAX` writes through `server`; nothing was changed.
    pub fn put(
        &mut self,
        server: ReplicaId,
        seen: &VersionVector,
        value: T,
    ) -> Result<(), Exhausted> {
        let dot = self.0.context.next(server)?;
        // No client has seen what `server` has not written: a forged count must not use up its
        // numbers.
        let known = |&(replica, count): &(ReplicaId, u64)| replica != server || count < dot.counter;
        self.forget(&seen.iter().filter(known).collect());
        self.0.store.insert(dot, value);
        Ok(())
    }

    /// Deletes all that `seen` covers.
    pub fn delete(&mut self, seen: &VersionVector) {
        self.forget(seen);
    }

    fn forget(&mut self, seen: &VersionVector) {
        let gone: Vec<_> = self.0.store.as_slice().iter().map(|entry| entry.0).collect();
        for dot in gone.into_iter().filter(|&dot| seen.contains(dot)) {
            self.0.store.remove(dot);
        }
        // A context from another server may cover what has not arrived here yet.
        let theirs = CausalContext::from(seen.clone());
        self.0.context.merge(&theirs);
    }
}

impl<T: Clone> Default for Siblings<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Lattice for Siblings<T> {
    fn merge(&mut self, other: &Self) -> bool {
        self.0.merge(&other.0)
    }

    fn includes(&self, other: &Self) -> bool {
        self.0.includes(&other.0)
    }
}
