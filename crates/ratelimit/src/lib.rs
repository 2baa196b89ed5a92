//! Rate limiting that is exact: one limit, a limit a key, several at once.
//!
//! ```
//! use archstone_ratelimit::{Limiter, Quota, Verdict};
//!
//! let limiter = Limiter::new("100/min burst 20".parse::<Quota>()?);
//! match limiter.check() {
//!     Verdict::Allow(grant) => assert_eq!(grant.remaining(), 19),
//!     Verdict::Deny(denial) => println!("wait {:?}", denial.retry_after()),
//! }
//! # Ok::<(), archstone_ratelimit::QuotaError>(())
//! ```
//!
//! Choose a rule and a holder:
//!
//! | rule | passes |
//! |---|---|
//! | [`Gcra`], [`TokenBucket`], [`LeakyBucket`] | a burst at once and a rate for ever |
//! | [`IntervalBucket`] | the same, refilled in whole periods |
//! | [`FixedWindow`], [`CalendarWindow`] | so many in each window |
//! | [`SlidingLog`], [`SlidingCounter`] | so many in any window, exactly or nearly |
//! | [`WarmUp`] | a rate that starts slow |
//!
//! | holder | for |
//! |---|---|
//! | [`Local`] | one owner, the caller's time |
//! | [`Shared`] | threads, the caller's time |
//! | [`Limiter`] | threads, a clock of its own |
//! | [`Keyed`] | a limit a key |
//!
//! Beside them: [`check_all`] for several limits all-or-nothing, [`Shaper`] to delay instead of
//! deny, [`Striped`] for one hot limit on many cores, [`concurrency`] for work in flight,
//! [`headers`] for HTTP, [`redis`] and [`lease`] for many machines.
//!
//! # Exactness
//! Time is counted in ticks of which a unit of cost is a whole number, so costs add exactly and the
//! rate error is zero. Only `now` may round, always towards denial, by less than one tick, once:
//! see [`Gcra::tick_nanos`]. A word reaches at least 50 years from the origin of time.
//!
//! # Features
//! `std` (default): [`Monotonic`], stripes chosen by thread, random hash seeds. `serde`: quotas as
//! text, snapshots. `quanta`: `TscClock`. Without `std`: `no_std` + `alloc`.
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
pub use shared::{Fixed, RuleCell, Shared, Tunable};
pub use sliding_counter::{Counts, SlidingCounter};
pub use sliding_log::{Log, SlidingLog};
pub use store_guard::{DenyCache, OnOutage};
pub use striped::{Lane, Striped};
pub use token_bucket::TokenBucket;
pub use verdict::{Denial, Grant, Reason, RetryAfter, Verdict};
pub use warm_up::{WarmUp, Warmth};
pub use window::{FixedWindow, IntervalBucket};

/// The snippets of COMPARE.md and README.md compile.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../COMPARE.md")]
struct Snippets;
