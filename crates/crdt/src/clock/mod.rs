//! Clocks: what happened before what. None of them reads a clock; time is an argument.
//!
//! | question | type | size |
//! |---|---|---|
//! | a number that grows along every message | [`Lamport`] | 8 bytes |
//! | who has seen what, a fixed group of writers | [`VersionVector`] | 16 bytes a replica, none on the heap up to 4 |
//! | the same, with messages that arrive out of order | [`CausalContext`] | plus 16 a gap |
//! | concurrent values of one key on a server, writers without number | [`Siblings`] | one dot a value and a version vector of servers |
//! | replicas that come and go without names | [`itc::Stamp`] | a tree that grows and shrinks with them |
//! | time of day that never runs against causality | [`HybridClock`] | 16 bytes a stamp |

mod context;
mod hlc;
pub mod itc;
mod lamport;
mod siblings;
mod version_vector;

pub use context::CausalContext;
pub use hlc::{HlcError, HybridClock, Timestamp};
pub use lamport::Lamport;
pub use siblings::Siblings;
pub use version_vector::VersionVector;
