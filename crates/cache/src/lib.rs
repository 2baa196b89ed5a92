//! Caches that hold at most their capacity at every instant, by the policy you choose.
//!
//! ```
//! use archstone_cache::unsync::Cache;
//!
//! let mut cache = Cache::new(1000);
//! cache.insert("ann", 36).ignore();
//! assert_eq!(cache.get("ann"), Some(&36));
//! ```
//!
//! | you have | take |
//! |---|---|
//! | one owner | [`unsync::Cache`] |
//! | threads | [`sync::Cache`] |
//! | threads, and keys and values that are plain words | [`sync::Cache`] by [`Builder::lock_free`] |
//! | entries of different weight, expiry, a listener, pins, statistics | [`Builder`] |
//! | values to load, once for all who ask, by threads or futures | [`load::Loading`] |
//! | old values while new ones are fetched, or when the source fails | [`load::Refreshing`] |
//! | a store behind the cache, levels, tags, other processes | [`around`] |
//! | a cache that begins warm | [`Snapshot`] |
//! | a question of which policy | [`policy`] |
//!
//! Time is [`Time`], read from a [`Clock`] only where entries expire; each verb that reads it has a
//! twin `verb_at(.., now)`. Nothing starts a thread: what has expired is never returned, and is
//! removed by insertions, four looks each, and by `maintain(budget)`, which any timer may call at
//! `next_deadline()`.
//!
//! # Features
//! `std` (default): [`Monotonic`] as the clock, randomly seeded hashing, shards by the number of
//! processors, and the modules `load` and `around`. Without it: `no_std` + `alloc`. `sim`: the trace
//! simulator. `serde`: a [`Snapshot`] can be serialised. No feature changes what a cache holds.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "std")]
pub mod around;
mod builder;
mod cells;
mod index;
mod lifetime;
mod links;
#[cfg(feature = "std")]
pub mod load;
mod outcome;
pub mod policy;
#[cfg(feature = "sim")]
pub mod sim;
mod snapshot;
mod stats;
mod store;
pub mod sync;
mod table;
pub mod unsync;
mod wheel;

#[cfg(feature = "std")]
pub use archstone_core::Monotonic;
pub use archstone_core::{Clock, Manual, Time};
pub use builder::{Builder, DefaultHasher};
pub use cells::{Cells, Owned, Plain, Word, Words};
pub use outcome::{BuildError, Cause, Computed, Insert, Op, Reject};
pub use policy::Policy;
pub use snapshot::Snapshot;
pub use stats::Stats;

/// The snippets of README.md and COMPARE.md compile and run.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../COMPARE.md")]
struct Snippets;
