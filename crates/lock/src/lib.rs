//! Leases with fencing, intervals with capacity, groups, idempotency, claim queues, transaction locks
//! and the protocols between hosts, as plain state machines: no clock, no thread, no I/O of their own.
//!
//! ```
//! use archstone_lock::{LeaseTable, Time};
//! use std::time::Duration;
//!
//! let seats: LeaseTable<String> = LeaseTable::new();
//! let hold = seats.try_acquire(Time::ZERO, "12A", Duration::from_secs(600))?;
//! seats.confirm(Time::from_secs(60), hold)?; // booked: it no longer expires
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a lease can promise, and what not
//! Inside one process: two conflicting leases are never valid at one instant of the clock that the
//! table is given. **Between hosts no lease gives mutual exclusion.** A holder can be stopped (by the
//! scheduler, a collector, a hypervisor) after it has looked at its lease and before its write
//! arrives; by then the lease may be another's. What keeps such a write out is the resource, if it
//! checks the fence: every grant carries a [`Fence`], later grants of a key have greater ones, and a
//! [`FenceGate`] at the resource refuses whatever is below the highest it has seen. Without that
//! check a lease saves work; it does not protect data.
//!
//! # Which one do I choose
//!
//! | I want | take |
//! |---|---|
//! | hold a key for a while, and lose it if I die | [`LeaseTable::try_acquire`] |
//! | readers, permits, nights of a room, several keys at once | [`Demand`]s: [`LeaseTable::acquire_all`] |
//! | wait my turn, in order of arrival | [`LeaseTable::enqueue`] |
//! | hold, then book, then offer to who waits | `enqueue` and [`LeaseTable::confirm`] |
//! | a mutex a key, blocking or async | [`KeyedMutex`] |
//! | a lease longer than its time to live | [`Keeper`] |
//! | keep late writes out | [`FenceGate`], [`FenceGates`] |
//! | do a request once, repeat its answer | [`idem::Registry`] |
//! | jobs for workers that may die | [`claim::Queue`] |
//! | two-phase locking | [`txn::LockManager`] |
//! | change what nobody changed meanwhile | [`version::Versioned`] |
//! | several steps, all or each undone | [`protocol::saga`] |
//! | one leader among hosts | [`protocol::elect`] |
//! | a lease of several stores' majority | [`protocol::redlock`] |
//! | one decision in several databases | [`protocol::two_phase`] |
//! | a lease in Redis or PostgreSQL | [`redis`], [`sql`] |
//! | only the calendar | [`Bitmap`], [`Steps`] |
//!
//! Time is handed in; every type says what it does with a clock that steps back.
//!
//! # Features
//! `std` (default): blocking [`KeyedMutex::lock`](KeyedMutex), `Monotonic`, random hash seeds.
//! `serde`: what is persisted. Without `std`: `no_std` + `alloc`.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod calendar;
pub mod claim;
mod demand;
pub mod idem;
mod keeper;
mod keyed_mutex;
mod latest;
pub mod protocol;
pub mod redis;
mod slab;
pub mod sql;
mod table;
mod token;
pub mod txn;
pub mod version;
mod wheel;

#[cfg(feature = "std")]
pub use archstone_core::Monotonic;
pub use archstone_core::{Clock, Manual, Time};
pub use calendar::{Bitmap, Calendar, Steps};
pub use demand::{
    AcquireError, Busy, Demand, ExtendError, Gone, Invalid, Mode, READERS, Request, Span,
};
pub use keeper::{Keeper, Kept, Lost};
pub use keyed_mutex::{Acquire, KeyGuard, KeyedMutex};
pub use table::{Builder, Event, LeaseTable, Outcome};
pub use token::{Fence, FenceGate, FenceGates, Lease, Stale, Ticket};

/// The snippets of COMPARE.md and README.md compile.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../COMPARE.md")]
struct Snippets;
