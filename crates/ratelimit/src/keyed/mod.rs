//! A limit for each key, in bounded memory.
//!
//! Invariants:
//! 1. A key's state is in one place: its shard's table, changed under the shard's lock.
//! 2. A state is removed only when it answers as one that was never used, so forgetting it changes
//!    no decision; except under [`Overflow::Forget`], which says so.
//! 3. A check does a bounded step of expiry, and only when it adds a key.

mod builder;
mod key_limit;
mod place;
mod shard;
mod snapshot;
mod table;
mod verbs;

pub use builder::KeyedBuilder;
pub use key_limit::{KeyLimit, client_network};
pub use snapshot::{RestoreError, Snapshot};

#[cfg(feature = "std")]
use crate::Monotonic;
use crate::{Algorithm, Gcra, Quota, Time};
use ahash::RandomState;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hash;
use shard::Shard;

/// What happens when a new key comes and no key may be forgotten.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The new key is denied, with [`Reason::Overflow`](crate::Reason::Overflow) and the wait until some key is idle. Keys
    /// that are there are served as ever. The default: a flood of made-up keys resets no debt.
    #[default]
    FailClosed,
    /// Of eight keys the one with the least in use is forgotten: **it starts anew when it comes
    /// back**, so who can make up keys can shed a small debt. For limits that protect a resource
    /// rather than enforce a bill.
    Forget,
}

/// The quota of a key, by its place in [`KeyedBuilder::tier`]'s order; 0 is the first rule, and so
/// is a tier that does not exist.
pub type Tier = u8;

/// One limit a key, all by the same rule, or by one rule a tier.
///
/// - **Bounded.** At most [`capacity`](Self::capacity) keys; a key that is idle costs nothing
///   soon: each check that adds a key looks at four others and removes the idle ones. No thread, no sweep over all.
/// - **Small.** About `1.2 * (size of K + size of the state)` bytes a key: 19 for a `u64` key and
///   [`Gcra`]. [`stats`](Self::stats) tells exactly.
/// - **Borrowed look-ups.** A `Keyed<String>` takes `&str`; nothing is allocated but for a new key.
/// - **Not attackable.** Keys are hashed by `ahash` with random seeds, unless you choose otherwise.
///
/// A check locks one of many shards for some 10 ns and costs one locked instruction. O(1).
///
/// ```
/// use archstone_ratelimit::{Gcra, Keyed, Quota};
///
/// let limits: Keyed<String> = Keyed::new(Gcra::new(Quota::per_second(10).with_burst(1)));
/// assert!(limits.check("ann").is_allowed());
/// assert!(!limits.check("ann").is_allowed());
/// assert!(limits.check("bob").is_allowed());
/// ```
pub struct Keyed<
    K,
    A: Algorithm = Gcra,
    #[cfg(feature = "std")] C = Monotonic,
    #[cfg(not(feature = "std"))] C = crate::Manual,
    H = RandomState,
> {
    shards: Box<[Shard<K, A::State>]>,
    /// The upper bits of a hash choose the shard.
    shift: u32,
    keys_a_shard: usize,
    capacity: usize,
    rules: Box<[A]>,
    overflow: Overflow,
    clock: C,
    hasher: H,
}

#[cfg(feature = "std")]
impl<K: Hash + Eq, A: Algorithm> Keyed<K, A> {
    /// A store of 2^20 keys that fails closed, on the operating system's monotonic clock.
    #[must_use]
    pub fn new(rule: A) -> Self {
        Self::builder(rule).build()
    }
}

impl<K: Hash + Eq, A: Algorithm> Keyed<K, A> {
    /// Chooses capacity, overflow, tiers, clock and hasher.
    pub fn builder(rule: A) -> KeyedBuilder<A> {
        KeyedBuilder::new(rule)
    }
}

/// Figures of a [`Keyed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedStats {
    /// Keys that are there, idle or not.
    pub keys: usize,
    /// Bytes of the tables and the shards, without what keys themselves point to.
    pub bytes: usize,
    /// Shards.
    pub shards: usize,
}

/// A key as [`Keyed::top`] tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopKey<K> {
    /// The key.
    pub key: K,
    /// Its tier.
    pub tier: Tier,
    /// Units in use, rounded up; over the burst when in debt.
    pub used: u64,
}

impl<K, A: Algorithm, C, H> Keyed<K, A, C, H> {
    /// Keys that are there, idle or not. O(shards).
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether no key is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys that fit. Each of several shards has an eighth and 64 places more than its part, so
    /// that so many random keys do fit, and a quarter more is the most that ever will.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Shards, for [`expire_at`](Self::expire_at).
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The quotas of the tiers.
    pub fn quotas(&self) -> impl Iterator<Item = Quota> + '_ {
        self.rules.iter().map(Algorithm::quota)
    }

    /// Keys and bytes. O(shards).
    #[must_use]
    pub fn stats(&self) -> KeyedStats {
        let (mut keys, mut bytes) = (0, size_of_val(&*self.shards));
        for shard in &self.shards {
            let table = shard.lock();
            keys += table.len();
            bytes += table.bytes();
        }
        KeyedStats { keys, bytes, shards: self.shards.len() }
    }

    /// Shows every key, its tier and its state, one shard at a time under its lock: what `see`
    /// does must be short and must not use this store.
    pub fn for_each(&self, mut see: impl FnMut(&K, Tier, &A::State)) {
        for shard in &self.shards {
            let table = shard.lock();
            for at in table.occupied() {
                see(table.key(at), table.tier(at), table.state(at));
            }
        }
    }

    /// The `count` keys that have the most of their burst in use at `now`, most first. O(keys).
    #[must_use]
    pub fn top(&self, now: Time, count: usize) -> Vec<TopKey<K>>
    where
        K: Clone,
    {
        // By share of the burst, in 1/2^32.
        let mut top: Vec<(u128, TopKey<K>)> = Vec::new();
        let mut least = 0;
        self.for_each(|key, tier, state| {
            let rule = self.rules.get(usize::from(tier)).unwrap_or(&self.rules[0]);
            let used = rule.used(state, now);
            let share = used / u128::from(rule.quota().burst().max(1));
            if used == 0 || (top.len() >= count && share <= least) {
                return;
            }
            let units = used.div_ceil(crate::algorithm::ONE);
            let used = u64::try_from(units).unwrap_or(u64::MAX);
            top.push((share, TopKey { key: key.clone(), tier, used }));
            if top.len() >= 2 * count.max(1) {
                top.sort_by_key(|(share, _)| core::cmp::Reverse(*share));
                top.truncate(count);
                least = top.last().map_or(0, |(share, _)| *share);
            }
        });
        top.sort_by_key(|(share, _)| core::cmp::Reverse(*share));
        top.truncate(count);
        top.into_iter().map(|(_, key)| key).collect()
    }

    /// Forgets all keys.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut table = shard.lock();
            table.clear();
            shard.publish(&table);
        }
    }
}

impl<K, A: Algorithm, C, H> fmt::Debug for Keyed<K, A, C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("rules", &self.rules)
            .field("keys", &self.len())
            .field("capacity", &self.capacity())
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}
