//! When load is uneven: bounded loads, and keys that are too hot for one node.

mod bounded;
mod hot_keys;

pub use bounded::{Bounded, BoundedError, Lease};
pub use hot_keys::{HotKeys, HotKeysError};
