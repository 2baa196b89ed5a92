//! How often: counts of items and the most frequent ones.
//!
//! All guarantees are stated with N, the sum of the weights added.

mod count_min;
mod counter;

pub use count_min::{CountMin, Layout, Update};
pub use counter::Counter;
