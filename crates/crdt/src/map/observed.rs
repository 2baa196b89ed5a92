use core::borrow::Borrow;

use crate::causal_type::causal_type;
use crate::dots::{At, Causal, DotMap, DotStore};
use crate::id::{Exhausted, ReplicaId};

/// A map of causal types with true observed-reset: removing a key erases exactly the updates under
/// it that were seen; what others write there at the same time stays, and nothing else returns.
///
/// The stores under the keys are those of the causal types: [`DotFun<V>`](crate::dots::DotFun) a
/// register of concurrent values, `DotFun<i64>` a counter, [`Elements<T>`](crate::dots::Elements) a
/// set, [`DotSet`](crate::dots::DotSet) a flag, [`DotMap`] a map again. All of them share the one
/// context of the map, which is why a removal can be exact at any depth.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, dots::Elements, map::OrMap};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut carts: OrMap<&str, Elements<&str>> = OrMap::new();
/// carts.update(ann, "cart-7", |cart| cart.insert("milk"))?;
/// let mut copy = carts.clone();
/// copy.remove(bob, "cart-7")?;
/// carts.update(ann, "cart-7", |cart| cart.insert("bread"))?;
/// carts.merge(&copy);
/// let cart = carts.get("cart-7").unwrap();
/// assert!(cart.contains("bread") && !cart.contains("milk"));
/// # Ok::<(), archstone_crdt::Exhausted>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrMap<K, S>(pub(crate) Causal<DotMap<K, S>>);

causal_type!(OrMap<K: Ord, Clone; S: DotStore> over DotMap<K, S>);

impl<K: Ord + Clone, S: DotStore> OrMap<K, S> {
    /// Changes what is under `key`, by one update; the delta.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn update(
        &mut self,
        me: ReplicaId,
        key: K,
        change: impl FnOnce(At<'_, S>) -> S,
    ) -> Result<Self, Exhausted> {
        self.0.update(me, |at| at.update(key, change)).map(Self)
    }

    /// Removes what was seen under `key`; the delta, the bottom when the key is not there.
    ///
    /// # Errors
    /// After `u64::MAX` events of `me`; nothing was changed.
    pub fn remove<Q: Ord + ?Sized>(&mut self, me: ReplicaId, key: &Q) -> Result<Self, Exhausted>
    where
        K: Borrow<Q>,
    {
        if self.get(key).is_none() {
            return Ok(Self::new());
        }
        self.0.update(me, |at| at.remove(key)).map(Self)
    }

    /// What is under `key`.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&S>
    where
        K: Borrow<Q>,
    {
        self.0.store.get(key)
    }

    /// Keys and what is under them, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &S)> + '_ {
        self.0.store.iter()
    }

    /// Keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.store.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.store.is_empty()
    }
}
