//! Dot stores: what lives under dots, and the one rule by which it merges.
//!
//! A causal type is a store and a context. The store holds, under the dots of the events that
//! wrote them, the values that still count. The context says which events were seen. From the two
//! together follows everything:
//!
//! | in our context | in our store | in their context | in their store | after the merge |
//! |---|---|---|---|---|
//! | yes | yes | no | no | kept: they have not seen it |
//! | yes | yes | yes | no | dropped: they have seen it and somebody removed or overwrote it |
//! | no | no | yes | yes | taken: news |
//! | yes | no | yes | yes | stays dropped |
//! | yes | yes | yes | yes | kept |
//!
//! So a removal leaves nothing behind but the dots in the context, and those are one number a
//! replica as soon as they have no gaps. Every update, removals included, takes a dot of its own:
//! a context tells removals apart too, and [`Delta::delta_since`](crate::Delta::delta_since) is
//! empty exactly when there is nothing to tell.
//!
//! Laws that each store keeps, for contexts and stores of real histories (`tests/laws.rs`):
//! 1. every dot of the store is in its context;
//! 2. `join` gives the table above and no more; it is commutative, associative, idempotent;
//! 3. `join` says `true` exactly when the store changed, and allocates nothing otherwise;
//! 4. `part` is what a replica at `seen` lacks.
//!
//! After Almeida, Shoker, Baquero: Delta state replicated data types (arXiv 1603.01529).

pub(crate) mod bits;
mod causal;
mod elements;
mod fun;
mod map;
pub(crate) mod ranges;
mod set;
mod small;

pub use causal::{At, Causal};
pub use elements::Elements;
pub use fun::DotFun;
pub use map::DotMap;
pub use set::DotSet;
pub use small::Dots;

use crate::clock::CausalContext;
use crate::id::Dot;

/// What a causal type keeps under dots.
pub trait DotStore: Default + Clone {
    /// Whether nothing lives here.
    fn is_empty(&self) -> bool;

    /// Calls `each` with every live dot, in any order.
    fn dots(&self, each: &mut dyn FnMut(Dot));

    /// Merges `other` in by the table of this module; whether this store changed. The contexts are
    /// those before the merge.
    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext) -> bool;

    /// What lives under dots that `seen` has not.
    #[must_use]
    fn part(&self, seen: &CausalContext) -> Self;
}
