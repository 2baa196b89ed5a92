//! Leases, intervals, groups, idempotency and coordination protocols.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod calendar;
mod demand;
pub mod idem;
mod latest;
mod slab;
mod sync;
mod table;
mod token;
pub mod version;
mod wheel;

#[cfg(feature = "std")]
pub use archstone_core::Monotonic;
pub use archstone_core::{Clock, Manual, Time};
pub use calendar::{Bitmap, Calendar, Steps};
pub use demand::{
    AcquireError, Busy, Demand, ExtendError, Gone, Invalid, Mode, READERS, Request, Span,
};
pub use table::{Builder, Event, LeaseTable, Outcome};
pub use token::{Fence, FenceGate, FenceGates, Lease, Stale, Ticket};
