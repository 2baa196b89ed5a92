//! Time and workers: sketches over the last hour, sketches that forget, sketches that many threads
//! fill.
//!
//! Time is data: each call is given the time of its event in a unit of the caller's (seconds,
//! milliseconds, log offsets), and nothing reads a clock.
//!
//! | question | type |
//! |---|---|
//! | ... in the last hour? in each five minutes? | [`Windowed`]: a ring of panes, merged when asked |
//! | ... lately, the recent counting more? | [`Decayed`]: weights that halve in a stated time |
//! | ... from many threads? | `Sharded`: a sketch a shard, merged when asked (feature `std`) |

mod decay;
#[cfg(feature = "frequency")]
mod decayed;
#[cfg(feature = "std")]
mod sharded;
mod windowed;

pub use decay::{Decay, Weighted};
#[cfg(feature = "frequency")]
pub use decayed::Decayed;
#[cfg(feature = "std")]
pub use sharded::Sharded;
pub use windowed::Windowed;
