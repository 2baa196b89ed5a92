//! The trace simulator: any policy on any trace, the optimum, miss-ratio curves, as a table and as SVG.
//!
//! A [`Trace`] is a list of requests: which key, how heavy. [`run`] replays it through a real
//! [`unsync::Cache`](crate::unsync::Cache) of the policy, so what it says of a policy holds for the
//! caches of this crate, to the hit; [`optimum()`] is what could be had by knowing the future (Belady
//! 1966); [`curve`] does it at several sizes.
//!
//! ```
//! use archstone_cache::sim::{self, Kind, Trace};
//!
//! let trace = Trace::from_lines(b"ann\nbob\neve\nann\nbob\neve\n").unwrap();
//! let lru = sim::run(Kind::Lru, &trace, 2);
//! let best = sim::optimum(&trace, 2);
//! assert_eq!((lru.hits, best.hits, lru.requests), (0, 2, 6));
//! ```

mod chart;
mod kind;
mod optimum;
mod trace;

pub use chart::{Chart, Series, svg, table};
pub use kind::Kind;
pub use optimum::optimum;
pub use trace::{Trace, TraceError};

use alloc::vec::Vec;

use crate::Builder;
use crate::policy::Policy;

/// What a cache made of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Requests in all.
    pub requests: u64,
    /// Those that were found.
    pub hits: u64,
    /// What all requests weighed.
    pub units: u64,
    /// What was found weighed.
    pub hit_units: u64,
    /// Entries that left to make room.
    pub evictions: u64,
}

impl Outcome {
    /// Hits of all requests; zero for an empty trace.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        self.hits as f64 / self.requests.max(1) as f64
    }

    /// The same by weight: the share of bytes that need not be fetched.
    #[must_use]
    pub fn weight_ratio(&self) -> f64 {
        self.hit_units as f64 / self.units.max(1) as f64
    }
}

/// Hashes a number that is dense already. Deterministic, so that every run gives the same.
#[derive(Clone, Copy, Debug, Default)]
struct Mixed;

impl core::hash::BuildHasher for Mixed {
    type Hasher = MixedHasher;
    fn build_hasher(&self) -> MixedHasher {
        MixedHasher(0)
    }
}

struct MixedHasher(u64);

impl core::hash::Hasher for MixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = archstone_core::hash::mix(self.0 ^ u64::from(byte));
        }
    }
    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.0 = archstone_core::hash::mix(u64::from(number));
    }
}

/// Replays a trace through a cache of `capacity` units: each request looks its key up, and inserts
/// it if it is not there. What is heavier than the capacity is not inserted. O(requests).
#[must_use]
pub fn run(kind: Kind, trace: &Trace, capacity: u64) -> Outcome {
    kind.run(trace, capacity)
}

/// [`run`] by a policy of your own.
#[must_use]
pub fn run_policy<P: Policy>(trace: &Trace, capacity: u64) -> Outcome {
    let mut outcome =
        Outcome { requests: trace.len() as u64, units: trace.weight(), ..Outcome::default() };
    if let Some(sizes) = trace.sizes() {
        let cache = Builder::weighted(capacity, |_: &u32, &size: &u64| size);
        let Ok(mut cache) = cache.policy::<P>().hasher(Mixed).stats().build() else {
            return outcome;
        };
        for (&key, &size) in trace.keys().iter().zip(sizes) {
            if cache.get(&key).is_some() {
                outcome.hits += 1;
                outcome.hit_units += size;
            } else {
                cache.insert(key, size).ignore();
            }
        }
        outcome.evictions = cache.stats().evictions;
        return outcome;
    }
    // More entries than there are keys are never held.
    let entries = capacity.min(trace.distinct() as u64) as usize;
    let Ok(mut cache) = Builder::<u32, ()>::new(entries).policy::<P>().hasher(Mixed).build() else {
        return outcome;
    };
    let mut inserted = 0;
    for key in trace.keys() {
        if cache.get(key).is_some() {
            outcome.hits += 1;
        } else if cache.insert(*key, ()).is_held() {
            inserted += 1;
        }
    }
    outcome.hit_units = outcome.hits;
    outcome.evictions = inserted - cache.len() as u64;
    outcome
}

/// A point of a curve: the capacity, and what came of it.
pub type Point = (u64, Outcome);

/// [`run`] at each of some capacities: the miss-ratio curve. `None` is the [`optimum()`].
#[must_use]
pub fn curve(kind: Option<Kind>, trace: &Trace, capacities: &[u64]) -> Vec<Point> {
    let at = |&capacity: &u64| match kind {
        Some(kind) => (capacity, run(kind, trace, capacity)),
        None => (capacity, optimum(trace, capacity)),
    };
    capacities.iter().map(at).collect()
}

/// The curves of some policies and of the [`optimum()`] over the same capacities.
#[must_use]
pub fn chart(title: &str, trace: &Trace, kinds: &[Kind], capacities: &[u64]) -> Chart {
    let named = |kind: Option<Kind>| Series {
        name: kind.map_or("optimum", Kind::name).into(),
        points: curve(kind, trace, capacities),
    };
    let kinds = kinds.iter().copied().map(Some).chain([None]);
    Chart { title: title.into(), all: trace.distinct_weight(), series: kinds.map(named).collect() }
}

/// Capacities that are these percentages of what all distinct keys weigh, at least one.
#[must_use]
pub fn percent_of(trace: &Trace, percent: &[f64]) -> Vec<u64> {
    let all = trace.distinct_weight() as f64;
    percent.iter().map(|percent| ((all * percent / 100.0 + 0.5) as u64).max(1)).collect()
}
