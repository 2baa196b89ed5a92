//! The leaf that the Archstone crates share. Users meet its types re-exported from the crate they
//! use and never name this one.
//!
//! | module | what | why it is shared |
//! |---|---|---|
//! | [`time`] | [`Time`], nanoseconds since an origin of the caller's | one reading of the clock serves the limiter, the cache and the lock of one request |
//! | [`clock`] | [`Clock`], [`Manual`], `Monotonic` | façades that own a clock, tests that turn it by hand |
//! | [`hash`] | XXH3-64, the one stable hash | bits that are stored, sent, merged or routed by mean the same everywhere |
//! | [`bytes`] | [`Reader`](bytes::Reader), [`Writer`](bytes::Writer) | decoders that never panic and never trust a length |
//! | [`pad`] | [`CachePadded`](pad::CachePadded) | two hot words that do not share a line |
//! | [`shim`] | std or model-checked atomics and locks | the model drives the production type, not a copy |
//! | [`spin`] | [`Lock`](spin::Lock), [`SeqLock`](spin::SeqLock) | a shard held for some 10 ns, with and without `std` |
//!
//! `no_std` + `alloc` without the default feature `std`. No dependencies.
#![no_std]
#![deny(missing_docs)]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod bytes;
pub mod clock;
pub mod hash;
pub mod pad;
pub mod shim;
pub mod spin;
pub mod time;

#[cfg(feature = "std")]
pub use clock::Monotonic;
pub use clock::{Clock, Manual};
pub use time::Time;
