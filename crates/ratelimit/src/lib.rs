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
#[allow(dead_code)]
mod exact;
mod gcra;
mod leaky_bucket;
#[allow(dead_code)]
mod meter;
mod quota;
#[allow(dead_code, unreachable_pub)]
mod shared;
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
pub use token_bucket::TokenBucket;
pub use verdict::{Denial, Grant, Reason, RetryAfter, Verdict};
