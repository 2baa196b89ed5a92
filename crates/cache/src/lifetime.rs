//! How long an entry lives.

use alloc::sync::Arc;
use archstone_core::hash::mix;
use archstone_core::{Time, time::saturating_nanos};
use core::fmt;
use core::time::Duration;

type Each<K, V> = Arc<dyn Fn(&K, &V) -> Option<Duration> + Send + Sync>;

pub(crate) struct Lifetime<K, V> {
    pub(crate) ttl: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) each: Option<Each<K, V>>,
    pub(crate) jitter: f64,
}

impl<K, V> Lifetime<K, V> {
    pub(crate) const fn new() -> Self {
        Self { ttl: None, idle: None, each: None, jitter: 0.0 }
    }

    /// Whether anything expires.
    pub(crate) const fn is_limited(&self) -> bool {
        self.ttl.is_some() || self.idle.is_some() || self.each.is_some()
    }

    /// When an entry that is inserted now expires at the latest.
    pub(crate) fn last(&self, key: &K, value: &V, hash: u64, now: Time) -> Time {
        let lives = match &self.each {
            Some(each) => each(key, value),
            None => self.ttl,
        };
        lives.map_or(Time::MAX, |lives| self.end(lives, hash, now))
    }

    /// The end of a lifetime that begins now. The jitter follows from the key and the instant.
    pub(crate) fn end(&self, lives: Duration, hash: u64, now: Time) -> Time {
        let nanos = saturating_nanos(lives);
        if self.jitter == 0.0 {
            return now + Duration::from_nanos(nanos);
        }
        let share = (mix(hash ^ now.as_nanos()) >> 11) as f64 / (1_u64 << 53) as f64;
        let cut = (nanos as f64 * self.jitter * share) as u64;
        now + Duration::from_nanos(nanos.saturating_sub(cut))
    }
}

impl<K, V> fmt::Debug for Lifetime<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifetime")
            .field("ttl", &self.ttl)
            .field("idle", &self.idle)
            .field("each", &self.each.is_some())
            .field("jitter", &self.jitter)
            .finish()
    }
}
