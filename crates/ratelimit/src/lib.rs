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
mod calendar;
#[cfg(feature = "quanta")]
mod clock;
mod compound;
pub mod concurrency;
mod exact;
mod gcra;
pub mod headers;
mod keyed;
mod leaky_bucket;
pub mod lease;
mod limiter;
mod meter;
mod quota;
pub mod redis;
mod shaper;
mod shared;
mod sliding_counter;
mod sliding_log;
mod store_guard;
mod striped;
mod token_bucket;
mod verdict;
mod warm_up;
mod window;

pub use algorithm::{Algorithm, Carry, Local, Refund};
#[cfg(feature = "std")]
pub use archstone_core::Monotonic;
pub use archstone_core::{Clock, Manual, Time};
pub use calendar::{CalendarWindow, Every};
#[cfg(feature = "quanta")]
pub use clock::TscClock;
pub use compound::{Blocked, Limit, Part, Pass, check_all, peek_all};
pub use gcra::Gcra;
pub use keyed::{
    KeyLimit, Keyed, KeyedBuilder, KeyedStats, Overflow, RestoreError, Snapshot, Tier, TopKey,
    client_network,
};
pub use leaky_bucket::LeakyBucket;
pub use limiter::{Limiter, Reservation};
pub use quota::{Quota, QuotaError, Rate};
pub use shaper::{Departure, Order, Shaper, ShaperQueue};
pub use shared::Shared;
pub use sliding_counter::{Counts, SlidingCounter};
pub use sliding_log::{Log, SlidingLog};
pub use store_guard::{DenyCache, OnOutage};
pub use striped::{Lane, Striped};
pub use token_bucket::TokenBucket;
pub use verdict::{Denial, Grant, Reason, RetryAfter, Verdict};
pub use warm_up::{WarmUp, Warmth};
pub use window::{FixedWindow, IntervalBucket};
