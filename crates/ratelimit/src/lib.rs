//! Rate limiting that is exact.
//!
//! # Exactness
//! To be written with the README.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod algorithm;
pub mod concurrency;
#[allow(dead_code)]
mod exact;
mod gcra;
pub mod headers;
mod leaky_bucket;
pub mod lease;
#[allow(dead_code)]
mod meter;
mod quota;
pub mod redis;
#[allow(dead_code, unreachable_pub)]
mod shared;
mod store_guard;
mod token_bucket;
#[allow(dead_code)]
mod verdict;

pub use algorithm::{Algorithm, Carry, Local, Refund};
#[cfg(feature = "std")]
pub use archstone_core::Monotonic;
pub use archstone_core::{Clock, Manual, Time};
pub use gcra::Gcra;
pub use leaky_bucket::LeakyBucket;
pub use quota::{Quota, QuotaError, Rate};
pub use shared::Shared;
pub use store_guard::{DenyCache, OnOutage};
pub use token_bucket::TokenBucket;
pub use verdict::{Denial, Grant, Reason, RetryAfter, Verdict};
