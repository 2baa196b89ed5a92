//! Rate limiter, design 22: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`log`], [`traffic`] | real requests; six shapes of generated ones |
//! | [`field`] | every algorithm beside the exact log |
//! | [`gate`], [`answer`], [`serve`] | tiers and dimensions; what a client is told; HTTP |
//! | [`load`] | a population at the gate |
//! | [`fleet`], [`store`], [`redis_store`](crate) | nodes that share a limit; the scripts, here and in Redis |
//! | [`faults`] | stores away, clocks back, networks cut |
//! | [`trials`], [`sample`] | guarantees under attack; the sample code's errors |
//! | [`design`], [`claims`], [`outline`], [`experiments`] | what is promised, what was found |

pub mod answer;
pub mod claims;
pub mod design;
pub mod experiments;
pub mod faults;
pub mod field;
pub mod fleet;
pub mod gate;
pub mod load;
pub mod log;
pub mod outline;
#[cfg(feature = "redis")]
pub mod redis_store;
pub mod sample;
pub mod scenario;
pub mod serve;
pub mod store;
pub mod traffic;
pub mod trials;

/// The flags of this design beside those that all share.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The limit that is replayed on the log.
    pub limit: archstone_ratelimit::Quota,
    /// The limits at the gate.
    pub limits: gate::Limits,
}

impl Default for Options {
    fn default() -> Self {
        let limits = gate::Limits::default();
        Self { limit: archstone_ratelimit::Quota::per_minute(10), limits }
    }
}
