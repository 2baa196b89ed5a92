//! Deterministic simulation (feature `sim`): events in virtual time, a network, a disk, crashes.
//!
//! One thread, one seed, one result. A design holds its components as plain values, takes the next
//! event from [`Events`], lets the component act, and schedules what follows; the [`Network`] says
//! when (and whether) a message arrives, the [`Disk`] what is left after a crash, [`CrashPoints`]
//! where the process dies. Nothing here waits, opens a file or spawns a thread.

mod crash;
mod disk;
mod events;
mod network;

pub use crash::{CrashPoints, Crashed, at_every_point};
pub use disk::{Disk, DiskFaults, DiskFull};
pub use events::Events;
pub use network::{Link, Network, Traffic};
