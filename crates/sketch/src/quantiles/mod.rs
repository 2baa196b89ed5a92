//! Quantiles: what value has a given share of the stream below it, and what share is below a value.
//!
//! | type | values | error | bytes | use it when |
//! |---|---|---|---|---|
//! | [`Kll`] | anything with an order | of the rank: 1.33 % at `k` 200, in 99 of 100 answers | about `3 k` items | ranks matter, and all alike |
//! | [`Req`] | anything with an order | of the rank, and 0 at the end that matters | about 8 to 15 times KLL's | the tail matters to the last item, with bounds |
//! | [`TDigest`] | finite numbers | small at both ends, without a guarantee | about `32 k` | smooth data, few bytes, or others write t-digests |
//! | [`DdSketch`] | finite numbers | of the value: `alpha`, always | 8 a bucket of a width of `2 alpha` | latencies and sizes; the default for numbers |
//!
//! Shared words: `rank(x)` is the share of the stream at or below `x`, `quantile(q)` the smallest
//! value with a share of at least `q` at or below it; `q` is brought into 0 to 1, and both answer
//! `None` for an empty sketch and for NaN. `quantile(0)` and `quantile(1)` are the least and the
//! greatest value of the stream. `cdf` and `pmf` give ranks and shares at many split points. The
//! sketch of two streams joined is the [`merge`](crate::Merge) of their sketches.
//!
//! All are seeded where they draw at random, and what they draw depends on the items too, so that
//! the errors of many workers do not add up because they all began with one seed.

mod coins;
mod dd_sketch;
mod extremes;
mod kll;
mod kll_wire;
mod log_index;
mod ranked;
mod req;
mod req_compactor;
mod req_wire;
mod sorted;
mod store;
mod t_digest;
mod t_digest_answers;

#[cfg(feature = "datadog")]
mod datadog;
#[cfg(feature = "datasketches")]
mod datasketches;

#[cfg(feature = "datadog")]
pub use datadog::DatadogKeys;
#[cfg(feature = "datasketches")]
pub use datasketches::DsValue;
pub use dd_sketch::DdSketch;
pub use kll::Kll;
pub use ranked::Ranked;
pub use req::{Accurate, Req};
pub use sorted::Sorted;
pub use t_digest::TDigest;

/// The most weight of one sketch: far more than can be counted, and it leaves room for sums.
const MAX_WEIGHT: u64 = 1 << 60;

/// `q` within 0 to 1; NaN stays NaN.
fn share(q: f64) -> f64 {
    q.clamp(0.0, 1.0)
}
