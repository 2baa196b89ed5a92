//! Flags: on or off, and what wins when both are said at once.

use crate::causal_type::causal_type;
use crate::dots::{Causal, DotSet, DotStore};
use crate::id::{Exhausted, ReplicaId};

/// A flag for which a concurrent enable beats a disable. Starts off.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, flag::EnableWinsFlag};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut flag = EnableWinsFlag::new();
/// let mut copy = flag.enable(ann)?;
/// copy.disable(bob)?;
/// flag.enable(ann)?;
/// flag.merge(&copy);
/// assert!(flag.is_on());
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnableWinsFlag(pub(crate) Causal<DotSet>);

causal_type!(EnableWinsFlag<> over DotSet);

impl EnableWinsFlag {
    /// On; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn enable(&mut self, me: ReplicaId) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.enable()).map(Self)
    }

    /// Off, as far as was seen; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn disable(&mut self, me: ReplicaId) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.disable()).map(Self)
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.0.store.is_empty()
    }
}

/// A flag for which a concurrent disable beats an enable. Starts off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisableWinsFlag(pub(crate) Causal<(DotSet, DotSet)>);

causal_type!(DisableWinsFlag<> over (DotSet, DotSet));

impl DisableWinsFlag {
    /// On, over the disables that were seen; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn enable(&mut self, me: ReplicaId) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.first(|at| at.enable())).map(Self)
    }

    /// Off; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn disable(&mut self, me: ReplicaId) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.second(|at| at.enable())).map(Self)
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.0.store.0.is_empty() && self.0.store.1.is_empty()
    }
}
