//! The HyperLogLog of Apache DataSketches: its hash, its modes, its estimates, its bytes.

mod coupons;
mod estimate;
mod sketch;
mod union;
mod wire;

pub use sketch::{DsHll, HllType};
pub use union::DsHllUnion;
