use crate::causal_type::causal_type;
use crate::dots::{Causal, DotFun};
use crate::id::{Exhausted, ReplicaId};

/// Every value that no later write has seen: concurrent writes are all kept, for the reader to
/// resolve.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, register::MvRegister};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut title = MvRegister::new();
/// let mut copy = MvRegister::new();
/// title.write(ann, "Draft")?;
/// copy.write(bob, "Sketch")?;
/// title.merge(&copy);
/// assert_eq!(title.values().count(), 2);
/// title.write(ann, "Draft and sketch")?;
/// assert_eq!(title.values().collect::<Vec<_>>(), [&"Draft and sketch"]);
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MvRegister<T>(pub(crate) Causal<DotFun<T>>);

causal_type!(MvRegister<T: Clone> over DotFun<T>);

impl<T: Clone> MvRegister<T> {
    /// Writes `value` in the place of all that were seen; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn write(&mut self, me: ReplicaId, value: T) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.write(value)).map(Self)
    }

    /// The values that nobody has replaced, in the order of their replicas.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &T> + '_ {
        self.0.store.values()
    }
}
