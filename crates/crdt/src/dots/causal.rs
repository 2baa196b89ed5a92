use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use super::{DotFun, DotMap, DotSet, DotStore, Dots, Elements};
use crate::clock::CausalContext;
use crate::id::{Dot, Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// A store with the context that gives its dots their meaning: the state of every causal type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causal<S> {
    pub(crate) store: S,
    pub(crate) context: CausalContext,
}

impl<S: DotStore> Causal<S> {
    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The events that this state has seen.
    #[must_use]
    pub const fn context(&self) -> &CausalContext {
        &self.context
    }

    /// One update by `me`, under a new dot; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub(crate) fn update(
        &mut self,
        me: ReplicaId,
        change: impl FnOnce(At<'_, S>) -> S,
    ) -> Result<Self, Exhausted> {
        let dot = self.context.next(me)?;
        let mut dropped = Dots::new();
        let store = change(At { store: &mut self.store, dot, dropped: &mut dropped });
        let mut context: CausalContext = dropped.iter().collect();
        context.insert(dot);
        Ok(Self { store, context })
    }

    /// The live dots, sorted.
    fn live(&self) -> Vec<Dot> {
        let mut dots = Vec::new();
        self.store.dots(&mut |dot| dots.push(dot));
        dots.sort_unstable();
        dots
    }
}

impl<S: DotStore> Lattice for Causal<S> {
    fn merge(&mut self, other: &Self) -> bool {
        let store = self.store.join(&self.context, &other.store, &other.context);
        let context = self.context.merge(&other.context);
        store || context
    }

    fn includes(&self, other: &Self) -> bool {
        self.context.includes(&other.context)
            && !self.store.clone().join(&self.context, &other.store, &other.context)
    }
}

impl<S: DotStore> Delta for Causal<S> {
    type Version = CausalContext;

    fn version(&self) -> CausalContext {
        self.context.clone()
    }

    fn delta_since(&self, seen: &CausalContext) -> Self {
        if seen.includes(&self.context) {
            return Self::default();
        }
        // What they have seen and still lives is not in the part's context, so that it stays;
        // what they have seen and no longer lives is, so that it goes.
        let mut kept = self.live();
        kept.retain(|&dot| seen.contains(dot));
        Self { store: self.store.part(seen), context: self.context.without(&kept) }
    }
}

/// The place of one update: a store, and the dot to write under. Its methods take it, because a
/// dot is written once, and return the store of the delta.
#[derive(Debug)]
pub struct At<'a, S> {
    store: &'a mut S,
    dot: Dot,
    dropped: &'a mut Dots,
}

impl At<'_, DotSet> {
    /// Raises a flag, in the place of what was seen of it.
    #[must_use = "the delta is what other replicas need"]
    pub fn enable(self) -> DotSet {
        self.store.replace(Some(self.dot), self.dropped);
        DotSet::one(self.dot)
    }

    /// Lowers it: what was seen of it goes.
    #[must_use = "the delta is what other replicas need"]
    pub fn disable(self) -> DotSet {
        self.store.replace(None, self.dropped);
        DotSet::default()
    }
}

impl<V: Clone> At<'_, DotFun<V>> {
    /// Writes a register, in the place of every value that was seen.
    #[must_use = "the delta is what other replicas need"]
    pub fn write(self, value: V) -> DotFun<V> {
        self.store.clear(self.dropped);
        self.store.insert(self.dot, value.clone());
        DotFun::one(self.dot, value)
    }
}

impl At<'_, DotFun<i64>> {
    /// Counts `amount` more. One row an increment, until the counter is removed: for counters that
    /// live long see [`ResettableCounter`](crate::counter::ResettableCounter).
    #[must_use = "the delta is what other replicas need"]
    pub fn count(self, amount: i64) -> DotFun<i64> {
        self.store.insert(self.dot, amount);
        DotFun::one(self.dot, amount)
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher + Default + Clone> At<'_, Elements<T, H>> {
    /// Adds an element.
    #[must_use = "the delta is what other replicas need"]
    pub fn insert(self, item: T) -> Elements<T, H> {
        let mut delta = Elements::default();
        delta.push(item.clone(), self.dot);
        self.store.put(item, self.dot, self.dropped);
        delta
    }

    /// Removes an element, as far as it was seen.
    #[must_use = "the delta is what other replicas need"]
    pub fn remove<Q: Hash + Eq + ?Sized>(self, item: &Q) -> Elements<T, H>
    where
        T: Borrow<Q>,
    {
        self.store.take(item, self.dropped);
        Elements::default()
    }
}

impl<K: Ord + Clone, S: DotStore> At<'_, DotMap<K, S>> {
    /// Changes what is under `key`.
    #[must_use = "the delta is what other replicas need"]
    pub fn update(self, key: K, change: impl FnOnce(At<'_, S>) -> S) -> DotMap<K, S> {
        let (dot, dropped) = (self.dot, self.dropped);
        let part = self.store.change(&key, |store| change(At { store, dot, dropped }));
        DotMap::one(key, part)
    }

    /// Removes what was seen under `key`; what others write there at the same time stays.
    #[must_use = "the delta is what other replicas need"]
    pub fn remove<Q: Ord + ?Sized>(self, key: &Q) -> DotMap<K, S>
    where
        K: Borrow<Q>,
    {
        self.store.remove(key, self.dropped);
        DotMap::default()
    }
}

impl<A: DotStore, B: DotStore> At<'_, (A, B)> {
    /// Clears both sides, then changes the first.
    pub(crate) fn first(self, change: impl FnOnce(At<'_, A>) -> A) -> (A, B) {
        let Self { store, dot, dropped } = self;
        store.dots(&mut |dot| dropped.push(dot));
        *store = Default::default();
        (change(At { store: &mut store.0, dot, dropped }), B::default())
    }

    /// Clears both sides, then changes the second.
    pub(crate) fn second(self, change: impl FnOnce(At<'_, B>) -> B) -> (A, B) {
        let Self { store, dot, dropped } = self;
        store.dots(&mut |dot| dropped.push(dot));
        *store = Default::default();
        (A::default(), change(At { store: &mut store.1, dot, dropped }))
    }
}

/// Two stores side by side, for types with events of two kinds.
impl<A: DotStore, B: DotStore> DotStore for (A, B) {
    fn is_empty(&self) -> bool {
        self.0.is_empty() && self.1.is_empty()
    }

    fn dots(&self, each: &mut dyn FnMut(Dot)) {
        self.0.dots(each);
        self.1.dots(each);
    }

    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext) -> bool {
        let first = self.0.join(ours, &other.0, theirs);
        let second = self.1.join(ours, &other.1, theirs);
        first || second
    }

    fn part(&self, seen: &CausalContext) -> Self {
        (self.0.part(seen), self.1.part(seen))
    }
}
