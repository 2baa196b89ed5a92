//! Counters.
//!
//! | type | up | down | reset | bound |
//! |---|---|---|---|---|
//! | [`GCounter`] | ✓ | | | |
//! | [`PnCounter`] | ✓ | ✓ | | |
//! | [`ResettableCounter`] | ✓ | ✓ | what was seen goes, concurrent updates stay | |
//! | [`BoundedCounter`] | ✓ | as far as rights are held | | never below, on any replica |

mod bounded;
mod grow_only;
mod resettable;

pub use bounded::{BoundedCounter, BoundedError};
pub use grow_only::{GCounter, PnCounter};
pub use resettable::ResettableCounter;
pub(crate) use resettable::{Prefix, Row};
