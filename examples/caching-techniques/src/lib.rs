//! Caching techniques, design 18: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`store`], [`trace`] | the truth behind every cache (SQLite); what is asked for |
//! | [`strategy`], [`tournament`] | four strategies by every policy, and Belady's bound |
//! | [`race`], [`behind`] | what interleavings and crashes do to readers and to writes |
//! | [`herd`] | one hot key, six ways to load it |
//! | [`negative`] | a filter for what does not exist, across a restart |
//! | [`nodes`], [`levels`], [`redis_level`](crate) | cache nodes on a ring; a near and a remote level |
//! | [`metrics`], [`sample`] | what to measure; the sample code's formulas and leak |
//! | [`trials`], [`faults`], [`experiments`] | promises under attack; faults; trade-offs |
//! | [`design`], [`claims`], [`outline`] | what is promised, what was found |

pub mod behind;
pub mod claims;
pub mod design;
pub mod experiments;
pub mod faults;
pub mod herd;
pub mod levels;
pub mod metrics;
pub mod negative;
pub mod nodes;
pub mod outline;
pub mod race;
#[cfg(feature = "redis")]
pub mod redis_level;
pub mod sample;
pub mod scenario;
pub mod store;
pub mod strategy;
pub mod tournament;
pub mod trace;
pub mod trials;

/// Hashes small integers the same way in every process: the run is to be the same everywhere. A
/// server keeps the default, whose seed an attacker does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

/// See [`Fixed`].
#[derive(Debug)]
pub struct FixedHasher(u64);

impl std::hash::BuildHasher for Fixed {
    type Hasher = FixedHasher;
    fn build_hasher(&self) -> FixedHasher {
        FixedHasher(0)
    }
}

impl std::hash::Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = archstone_core::hash::mix(self.0 ^ u64::from(byte));
        }
    }
    fn write_u32(&mut self, number: u32) {
        self.0 = archstone_core::hash::mix(u64::from(number) + 1);
    }
}

/// The flags of this design beside those that all share.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Entries of the cache as a share of the trace's keys.
    pub capacity: f64,
    /// The share of requests that write.
    pub writes: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { capacity: 0.1, writes: 0.1 }
    }
}
