//! Sets. What a concurrent add and remove of one element do is the whole difference.
//!
//! | type | add ∥ remove | an element can return | remembers |
//! |---|---|---|---|
//! | [`GSet`] | nothing is removed | | elements |
//! | [`TwoPhaseSet`] | removed | no | elements and removed elements |
//! | [`AddWinsSet`] | there | yes | elements and one number a replica |
//! | [`RemoveWinsSet`] | not there | yes | elements, and removed ones until they are added again |
//! | [`LwwSet`] | what has the later stamp | yes | elements, and removed ones until `forget_before` |

mod add_wins;
mod grow_only;
mod remove_wins;

pub use add_wins::{AddWinsSet, SetDelta};
pub use grow_only::{GSet, TwoPhaseSet};
pub use remove_wins::RemoveWinsSet;

/// A set by the latest stamp: an [`LwwMap`](crate::map::LwwMap) of nothing.
pub type LwwSet<T, H = ahash::RandomState> = crate::map::LwwMap<T, (), H>;
