//! Replication without a network: every call takes values and returns values.
//!
//! | I need | type |
//! |---|---|
//! | messages handed on in causal order, and what is missing | [`CausalBuffer`] |
//! | deltas kept until each peer has them | [`DeltaLog`] |
//! | what everybody has seen, so that it can be forgotten | [`Stability`] |
//! | two sets brought together, few differences, many rounds allowed | [`RangeSync`], [`MerkleSync`] |
//! | the same in the fewest bytes | [`Riblt`] |
//!
//! The last three speak through one trait, [`Reconcile`], over sets of 64-bit keys (digests of
//! what is kept), and report rounds and bytes: see `cargo run --example reconcile`.

mod buffer;
mod delta_log;
mod keys;
mod ranges;
mod riblt;
mod stability;

pub use buffer::{BufferFull, CausalBuffer};
pub use delta_log::{DeltaLog, Shipment};
pub use keys::{Cost, Difference, Keys, Reconcile, Step, SyncError, reconcile};
pub use ranges::{MerkleSync, RangeSync};
pub use riblt::{CodedSymbol, Riblt, RibltDecoder, RibltEncoder};
pub use stability::Stability;
