//! A few of many: uniform and weighted samples, and signatures of sets for finding similar ones.
//!
//! | type | question | error |
//! |---|---|---|
//! | [`Reservoir`] | k items, each equally likely; what share of the stream is like this? | Wilson interval of k draws |
//! | [`WeightedReservoir`] | k items by weight; what do those that are like this sum up to? | unbiased, about `total / sqrt(k)` |
//! | [`MinHash`] | how alike are two sets? | `sqrt(J (1 - J) / slots)` |
//! | [`LshIndex`] | which of these sets are alike to this one? | found with `1 - (1 - J^rows)^bands` |
//!
//! All draw from a generator of their own that is seeded, encoded and merged with them: equal
//! input, equal sample. Give workers whose samples will be merged different seeds.

mod lsh;
mod min_hash;
mod random;
mod reservoir;
mod weighted;

pub use lsh::LshIndex;
pub use min_hash::MinHash;
pub use reservoir::Reservoir;
pub use weighted::WeightedReservoir;

use crate::Bounds;
use crate::math::sqrt;

/// The most items or slots.
const MOST: u64 = 1 << 32;

/// The share that `hits` of `draws` stand for, with the bounds of `sigmas` standard deviations.
/// Source: Wilson 1927. Keeps within 0 to 1 and says something at 0 and at all hits.
fn share(hits: u64, draws: u64, sigmas: f64) -> Bounds {
    let (n, z2) = (draws as f64, sigmas * sigmas);
    let p = hits as f64 / n;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = sigmas / (1.0 + z2 / n) * sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n));
    Bounds {
        lower: (middle - half).clamp(0.0, p),
        estimate: p,
        upper: (middle + half).clamp(p, 1.0),
    }
}
