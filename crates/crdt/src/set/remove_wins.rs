use core::borrow::Borrow;

use crate::causal_type::causal_type;
use crate::dots::{Causal, DotMap, DotSet, DotStore};
use crate::id::{Exhausted, ReplicaId};

/// The dots of adds, and of removes, that no later event of the element has seen.
type Entry = (DotSet, DotSet);

/// A set in which a concurrent remove beats an add: for access lists and whatever must stay out
/// once somebody took it out.
///
/// An element is there when some add of it was seen and every seen remove is in the past of some
/// seen add. A removed element costs an entry until it is added again.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, set::RemoveWinsSet};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut admins = RemoveWinsSet::new();
/// let mut copy = admins.add(ann, "eve")?;
/// copy.remove(bob, "eve")?;
/// admins.add(ann, "eve")?;
/// admins.merge(&copy);
/// assert!(!admins.contains("eve"));
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveWinsSet<T>(pub(crate) Causal<DotMap<T, Entry>>);

causal_type!(RemoveWinsSet<T: Ord, Clone> over DotMap<T, Entry>);

impl<T: Ord + Clone> RemoveWinsSet<T> {
    /// Adds `item`, over the removes that were seen; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn add(&mut self, me: ReplicaId, item: T) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.update(item, |at| at.first(|at| at.enable()))).map(Self)
    }

    /// Removes `item`, whether it was seen or not; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn remove(&mut self, me: ReplicaId, item: T) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.update(item, |at| at.second(|at| at.enable()))).map(Self)
    }

    /// Whether `item` is there.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.store.get(item).is_some_and(is_there)
    }

    /// The elements, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.0.store.iter().filter(|(_, entry)| is_there(entry)).map(|(item, _)| item)
    }
}

fn is_there((adds, removes): &Entry) -> bool {
    !adds.is_empty() && removes.is_empty()
}
