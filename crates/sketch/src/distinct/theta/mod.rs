//! Theta sketches (Dasgupta, Lang, Rhodes, Thaler 2015): distinct counts that can be intersected,
//! subtracted and compared. Equal to Apache DataSketches in every hash and bound.
//!
//! A [`Theta`] takes items; [`ThetaCompact`] is its finished, sorted form, which the set
//! operations ([`union`], [`intersection`], [`difference`], [`jaccard`]) take and give.
//!
//! ```
//! use archstone_sketch::distinct::Theta;
//! use archstone_sketch::distinct::theta;
//!
//! let (mut monday, mut tuesday) = (Theta::new(12)?, Theta::new(12)?);
//! (0..20_000_u64).for_each(|id| monday.add(&id));
//! (10_000..30_000_u64).for_each(|id| tuesday.add(&id));
//!
//! let (monday, tuesday) = (monday.compact(), tuesday.compact());
//! let both = theta::intersection(&monday, &tuesday)?;
//! assert!((both.estimate() / 10_000.0 - 1.0).abs() < 0.1);
//! assert!((theta::jaccard(&monday, &tuesday)?.estimate - 1.0 / 3.0).abs() < 0.05);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bounds;
mod compact;
mod operations;
#[cfg(feature = "datasketches")]
mod reference;
mod update;
#[cfg(feature = "datasketches")]
mod wire;

pub use compact::ThetaCompact;
pub use operations::{UnionError, difference, intersection, jaccard, union};
#[cfg(feature = "datasketches")]
pub use reference::ThetaRef;
pub use update::Theta;

use crate::wire::murmur3::murmur3_u64;

/// Hashes are 63 bits; a theta of all of them keeps every hash.
const MAX_THETA: u64 = i64::MAX as u64;

/// The seed that Java and C++ use unless told otherwise.
pub const DEFAULT_SEED: u64 = 9001;

/// The 16 bits by which an image says which seed its hashes have.
const fn seed_hash(seed: u64) -> u16 {
    murmur3_u64(seed, 0).0 as u16
}
