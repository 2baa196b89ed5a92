//! Quorums as values: what N, R and W promise, what a read repairs, what is kept for who is down.

mod hints;
mod math;
mod repair;

pub use hints::HintQueue;
pub use math::{Quorum, QuorumError};
pub use repair::{ReadRepair, Resolved};
