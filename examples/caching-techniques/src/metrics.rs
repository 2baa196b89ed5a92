//! What to measure: the text's four figures and what they do not say.

use crate::Fixed;
use crate::sample;
use crate::trace::Workload;
use archstone_cache::policy::Lru;
use archstone_cache::{Builder, Cause, Manual};
use kit::{Failure, Time};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One life of an entry.
struct Life {
    born: Time,
    hits: AtomicU32,
}

#[derive(Default)]
struct Left {
    expired: u64,
    expired_unused: u64,
    evicted: u64,
    evicted_age: Duration,
}

/// What a cache of one size did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// Entries that it may hold.
    pub capacity: usize,
    /// Look-ups, and those that found something.
    pub gets: u64,
    /// See [`Measured::gets`].
    pub hits: u64,
    /// Entries put in.
    pub sets: u64,
    /// Entries that left to make room.
    pub evicted: u64,
    /// Their mean age.
    pub evicted_age: Duration,
    /// Entries that expired, and those of them that nobody had asked for.
    pub expired: u64,
    /// See [`Measured::expired`].
    pub expired_unused: u64,
    /// Entries in the end.
    pub held: usize,
    /// Bytes on the heap, without what keys and values own.
    pub bytes: usize,
}

impl Measured {
    /// Look-ups that found something.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        self.hits as f64 / self.gets.max(1) as f64
    }

    /// The text's evictions of all look-ups.
    #[must_use]
    pub fn eviction_rate(&self) -> f64 {
        sample::eviction_rate(self.evicted, self.hits, self.gets - self.hits)
    }

    /// The text's "TTL hit rate".
    #[must_use]
    pub fn text_ttl_rate(&self) -> f64 {
        sample::ttl_hit_rate(self.hits, self.sets)
    }

    /// Of what the lifetime removed, the share that nobody had asked for: there the lifetime costs
    /// nothing, and a longer one would have gained nothing.
    #[must_use]
    pub fn expired_unused_share(&self) -> f64 {
        self.expired_unused as f64 / self.expired.max(1) as f64
    }
}

/// Replays the reads of `load` through a cache of `capacity` entries that live for `lifetime`.
///
/// # Errors
/// None that can happen.
pub fn measure(load: &Workload, capacity: usize, lifetime: Duration) -> Result<Measured, Failure> {
    let (clock, left) = (Arc::new(Manual::default()), Arc::new(Mutex::new(Left::default())));
    let (now, into) = (Arc::clone(&clock), Arc::clone(&left));
    let heard = move |_: &u32, life: &Life, cause: Cause| {
        use archstone_cache::Clock as _;
        let mut left = into.lock().unwrap_or_else(PoisonError::into_inner);
        match cause {
            Cause::Expired => {
                left.expired += 1;
                left.expired_unused += u64::from(life.hits.load(Relaxed) == 0);
            }
            Cause::Evicted => {
                left.evicted += 1;
                left.evicted_age += now.now().since(life.born);
            }
            _ => {}
        }
    };
    let builder = Builder::<u32, Life>::new(capacity).policy::<Lru>().hasher(Fixed);
    let builder = builder.clock(Arc::clone(&clock)).time_to_live(lifetime).on_removal(heard);
    let mut cache = builder.build()?;
    let mut measured = Measured { capacity, ..Measured::default() };
    for (&(key, write), &at) in load.requests.iter().zip(&load.at) {
        if write {
            continue;
        }
        clock.set(at);
        measured.gets += 1;
        match cache.get(&key) {
            Some(life) => {
                life.hits.fetch_add(1, Relaxed);
                measured.hits += 1;
            }
            None => {
                measured.sets += 1;
                cache.insert(key, Life { born: at, hits: AtomicU32::new(0) }).ignore();
            }
        }
    }
    (measured.held, measured.bytes) = (cache.len(), cache.heap_bytes());
    // What is still held hears of its end when the cache is dropped, which is no eviction.
    let left = left.lock().unwrap_or_else(PoisonError::into_inner);
    measured.evicted = left.evicted;
    let mean = left.evicted_age.as_nanos() as u64 / left.evicted.max(1);
    measured.evicted_age = Duration::from_nanos(mean);
    (measured.expired, measured.expired_unused) = (left.expired, left.expired_unused);
    Ok(measured)
}
