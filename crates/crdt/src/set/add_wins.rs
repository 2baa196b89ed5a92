use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use crate::clock::CausalContext;
use crate::dots::{Causal, DotStore, Dots, Elements};
use crate::id::{Dot, Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// A set in which a concurrent add beats a remove (observed-remove set, without tombstones).
///
/// An element is there when some add of it was seen that no seen remove had seen. Add, remove and
/// contains are O(1); merging costs O(elements / 64 + differences); a state costs about 37 bytes
/// an element of 8 (see [`Elements`]) and nothing for what was removed.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, set::AddWinsSet};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut cart = AddWinsSet::new();
/// let milk = cart.add(ann, "milk")?;
/// let mut copy = AddWinsSet::new();
/// copy.apply(&milk);                      // a delta: what the other lacks, 22 bytes for a u64
/// copy.remove(bob, "milk")?;              // bob removes the milk that he sees
/// cart.add(ann, "milk")?;                 // while ann adds it again
/// cart.merge(&copy);
/// assert!(cart.contains("milk"));
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone)]
pub struct AddWinsSet<T, H = ahash::RandomState>(pub(crate) Causal<Elements<T, H>>);

#[cfg(feature = "std")]
impl<T: Hash + Eq + Clone> AddWinsSet<T> {
    /// An empty set, randomly seeded; [`Default`] for another hasher.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher + Default + Clone> AddWinsSet<T, H> {
    /// Adds `item`; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    #[inline]
    pub fn add(&mut self, me: ReplicaId, item: T) -> Result<SetDelta<T>, Exhausted> {
        let dot = self.0.context.next(me)?;
        let mut dropped = Dots::new();
        self.0.store.put(item.clone(), dot, &mut dropped);
        Ok(SetDelta { dot: Some(dot), item: Some(item), dropped })
    }

    /// Removes `item` as far as it was seen; the delta, empty when it is not there.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn remove<Q: Hash + Eq + ?Sized>(
        &mut self,
        me: ReplicaId,
        item: &Q,
    ) -> Result<SetDelta<T>, Exhausted>
    where
        T: Borrow<Q>,
    {
        let mut dropped = Dots::new();
        let Some(row) = self.0.store.row_of(item) else {
            return Ok(SetDelta { dot: None, item: None, dropped });
        };
        let dot = self.0.context.next(me)?;
        self.0.store.take_row(row, &mut dropped);
        Ok(SetDelta { dot: Some(dot), item: None, dropped })
    }

    /// What is seen of `item` now, for a [`remove_observed`](Self::remove_observed) later: a
    /// person who presses "remove" means what was on the screen.
    pub fn observe<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> Dots
    where
        T: Borrow<Q>,
    {
        self.0.store.dots_of(item)
    }

    /// Removes what was observed and no more; an element added again since then stays.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn remove_observed(
        &mut self,
        me: ReplicaId,
        seen: &Dots,
    ) -> Result<SetDelta<T>, Exhausted> {
        let mut dropped = Dots::new();
        let dot = if seen.is_empty() { None } else { Some(self.0.context.next(me)?) };
        for old in seen.iter().filter(|&old| self.0.context.contains(old)) {
            if self.0.store.drop_dot(old) {
                dropped.push(old);
            }
        }
        Ok(SetDelta { dot, item: None, dropped })
    }

    /// Takes in a delta; whether it was news. O(1) expected.
    pub fn apply(&mut self, delta: &SetDelta<T>) -> bool {
        let Causal { store, context } = &mut self.0;
        let Some(dot) = delta.dot else { return false };
        let mut news = false;
        for old in delta.dropped.iter() {
            news |= store.drop_dot(old);
            news |= context.insert(old);
        }
        if context.insert(dot) {
            news = true;
            if let Some(item) = &delta.item {
                store.push(item.clone(), dot);
            }
        }
        news
    }

    /// Whether `item` is there.
    #[inline]
    #[must_use]
    pub fn contains<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.store.contains(item)
    }

    /// The elements, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.0.store.iter()
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.store.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.store.is_empty()
    }

    /// The events that were seen.
    #[must_use]
    pub const fn context(&self) -> &CausalContext {
        &self.0.context
    }

    /// Bytes on the heap, those of the elements' own not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.0.store.heap_bytes() + self.0.context.vector().heap_bytes()
    }

    /// A dot that stands for one element here and another in `other`: two writers share an id, and
    /// merges lose writes. O(elements); for audits, not for every merge.
    #[must_use]
    pub fn double_spent(&self, other: &Self) -> Option<Dot> {
        let theirs: alloc::collections::BTreeMap<Dot, &T> = other.0.store.by_dot().collect();
        let mut ours = self.0.store.by_dot();
        ours.find(|(dot, item)| theirs.get(dot).is_some_and(|theirs| theirs != item)).map(|e| e.0)
    }

    /// Checks every link; for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.0.store.validate();
        self.0.store.dots(&mut |dot| assert!(self.0.context.contains(dot), "{dot:?}"));
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher + Default + Clone> Lattice for AddWinsSet<T, H> {
    fn merge(&mut self, other: &Self) -> bool {
        self.0.merge(&other.0)
    }

    fn includes(&self, other: &Self) -> bool {
        self.0.includes(&other.0)
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher + Default + Clone> Delta for AddWinsSet<T, H> {
    type Version = CausalContext;

    fn version(&self) -> CausalContext {
        self.0.version()
    }

    fn delta_since(&self, seen: &CausalContext) -> Self {
        Self(self.0.delta_since(seen))
    }
}

impl<T, H: Default> Default for AddWinsSet<T, H> {
    fn default() -> Self {
        Self(Causal { store: Elements::default(), context: CausalContext::new() })
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher> PartialEq for AddWinsSet<T, H> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher> Eq for AddWinsSet<T, H> {}

impl<T: Hash + Eq + Clone + fmt::Debug, H: BuildHasher> fmt::Debug for AddWinsSet<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.store.by_dot().map(|entry| entry.1)).finish()
    }
}

/// One add or remove of an [`AddWinsSet`]: what is sent to the others.
///
/// Deltas may arrive twice and in any order. To send several at once, merge them into an empty
/// set and send that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDelta<T> {
    pub(crate) dot: Option<Dot>,
    pub(crate) item: Option<T>,
    pub(crate) dropped: Dots,
}

impl<T> SetDelta<T> {
    /// Whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.dot.is_none()
    }

    /// The event.
    #[must_use]
    pub const fn dot(&self) -> Option<Dot> {
        self.dot
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher + Default + Clone> From<SetDelta<T>>
    for AddWinsSet<T, H>
{
    fn from(delta: SetDelta<T>) -> Self {
        let mut set = Self::default();
        set.apply(&delta);
        set
    }
}
