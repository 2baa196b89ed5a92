//! Choices before a store of keys is made.

use super::{Keyed, Overflow, Shard, Tier};
#[cfg(feature = "std")]
use crate::Monotonic;
use crate::{Algorithm, Quota};
#[cfg(feature = "std")]
use ahash::RandomState;
use alloc::vec;
use alloc::vec::Vec;

/// Keys a shard when the store is full: so few that moving a whole shard is about a microsecond.
const KEYS_A_SHARD: usize = 512;
const MOST_KEYS: usize = 1 << 36;

/// Capacity, overflow, tiers, clock and hasher of a [`Keyed`].
///
/// ```
/// use archstone_ratelimit::{Gcra, Keyed, Overflow, Quota, Time};
///
/// let limits: Keyed<u64> = Keyed::<u64>::builder(Gcra::new(Quota::per_hour(100)))
///     .tier(Quota::per_hour(1_000)) // tier 1
///     .tier(Quota::per_hour(10_000)) // tier 2
///     .capacity(100_000)
///     .overflow(Overflow::FailClosed)
///     .build();
/// let now = Time::ZERO;
/// assert_eq!(limits.check_tier_at(now, &7, 0, 90).remaining(), 10);
/// // An upgrade keeps the 90 that were used.
/// assert_eq!(limits.check_tier_at(now, &7, 1, 1).remaining(), 909);
/// // An unknown tier is tier 0.
/// assert_eq!(limits.check_tier_at(now, &8, 9, 1).remaining(), 99);
/// ```
#[must_use = "call `build`"]
#[derive(Clone, Debug)]
pub struct KeyedBuilder<A: Algorithm> {
    rules: Vec<A>,
    capacity: usize,
    overflow: Overflow,
}

impl<A: Algorithm> KeyedBuilder<A> {
    pub(super) fn new(rule: A) -> Self {
        Self { rules: vec![rule], capacity: 1 << 20, overflow: Overflow::default() }
    }

    /// Keys that must fit, 1 to 2^36, 2^20 by default. A key in use is never dropped for another;
    /// memory follows the keys that are there, except for 128 bytes a shard of 256 to 512 keys.
    pub fn capacity(self, keys: usize) -> Self {
        Self { capacity: keys.clamp(1, MOST_KEYS), ..self }
    }

    /// What happens when a new key comes to a full store.
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// Adds a tier: the same rule with another quota. The rule that the builder was made of is
    /// tier 0, then they count up. Tiers past the 256th are not added. A second tier costs one byte
    /// a key, in the shards where it is used.
    pub fn tier(mut self, quota: Quota) -> Self {
        if self.rules.len() <= usize::from(Tier::MAX) {
            let rule = self.rules[0].with_quota(quota);
            self.rules.push(rule);
        }
        self
    }

    /// The store, on the operating system's monotonic clock.
    #[cfg(feature = "std")]
    pub fn build<K>(self) -> Keyed<K, A> {
        self.build_with(Monotonic::new(), RandomState::new())
    }

    /// The store, on the clock and with the hasher given. Where keys come from outside, the hasher
    /// must be keyed: whoever finds colliding keys makes checks slow, though not wrong.
    pub fn build_with<K, C, H>(self, clock: C, hasher: H) -> Keyed<K, A, C, H> {
        let shards = (self.capacity / KEYS_A_SHARD).next_power_of_two();
        let part = self.capacity.div_ceil(shards);
        Keyed {
            shards: (0..shards).map(|_| Shard::new()).collect(),
            shift: u64::BITS - shards.trailing_zeros(),
            // Random keys do not spread evenly: by five standard deviations, and then some.
            keys_a_shard: if shards == 1 { part } else { part + part / 8 + 64 },
            capacity: self.capacity,
            rules: self.rules.into_boxed_slice(),
            overflow: self.overflow,
            clock,
            hasher,
        }
    }
}
