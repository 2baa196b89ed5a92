//! A limit for each key, in bounded memory.
//!
//! Invariants:
//! 1. A key's state is in one place: its shard's table, changed under the shard's lock.
//! 2. A state is removed only when it answers as one that was never used, so forgetting it changes
//!    no decision; except under [`Overflow::Forget`], which says so.
//! 3. A check does a bounded step of expiry, and only when it adds a key.
//!
//! Over 600 lines, since it is the verbs of one type, each with the bounds of its borrowed key;
//! table, lock, builder and snapshot have files of their own.

mod builder;
mod shard;
mod snapshot;
mod table;

pub use builder::KeyedBuilder;
pub use snapshot::{RestoreError, Snapshot};

#[cfg(feature = "std")]
use crate::Monotonic;
use crate::algorithm::carry;
use crate::verdict::{Reason, Standing};
use crate::{Algorithm, Carry, Clock, Denial, Gcra, Grant, Limit, Quota, Time, Verdict};
use ahash::RandomState;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use shard::Shard;
use table::{Found, Table};

/// Slots that a check which adds a key looks at for idle ones to remove.
const SWEEP: usize = 4;
/// Slots that it looks at when its shard is full, until it is known when one will be idle.
const SWEEP_WHEN_FULL: usize = 8;
/// Keys that [`Overflow::Forget`] chooses among.
const VICTIMS: usize = 8;

/// What happens when a new key comes and no key may be forgotten.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The new key is denied, with [`Reason::Overflow`] and the wait until some key is idle. Keys
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

impl<K, A: Algorithm, C: Clock, H> Keyed<K, A, C, H> {
    /// Charges one unit to `key` if it may pass now.
    #[inline]
    pub fn check<Q>(&self, key: &Q) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        H: BuildHasher,
    {
        self.check_n(key, 1)
    }

    /// Charges `cost` to `key` if it may pass now.
    #[inline]
    pub fn check_n<Q>(&self, key: &Q, cost: u64) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        H: BuildHasher,
    {
        // The clock is read while the key's place is on its way from memory.
        self.check_by(|| self.clock.now(), key, 0, cost)
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}

impl<K, A: Algorithm, C, H: BuildHasher> Keyed<K, A, C, H> {
    /// Charges `cost` to `key` if it may pass at `now`.
    #[inline]
    pub fn check_at<Q>(&self, now: Time, key: &Q, cost: u64) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.check_tier_at(now, key, 0, cost)
    }

    /// Charges `cost` to `key`, which is in `tier` now, if it may pass at `now`. A key that changes
    /// its tier keeps what it has used: [`Carry::Used`].
    #[inline]
    pub fn check_tier_at<Q>(&self, now: Time, key: &Q, tier: Tier, cost: u64) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.check_by(|| now, key, tier, cost)
    }

    #[inline(always)]
    fn check_by<Q>(&self, clock: impl FnOnce() -> Time, key: &Q, tier: Tier, cost: u64) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let checked = self.update(clock, key, tier, cost, |now, rule, state| {
            let verdict = rule.check(state, now, cost);
            (verdict.is_allowed() && cost != 0, verdict)
        });
        checked.unwrap_or_else(Verdict::Deny)
    }

    /// What [`check_at`](Self::check_at) would answer, but for a full store.
    pub fn peek_at<Q>(&self, now: Time, key: &Q, cost: u64) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        self.peek_tier_at(now, key, 0, cost)
    }

    /// What [`check_tier_at`](Self::check_tier_at) would answer, but for a full store.
    pub fn peek_tier_at<Q>(&self, now: Time, key: &Q, tier: Tier, cost: u64) -> Verdict
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let table = self.shard(hash).lock();
        let (tier, rule) = self.rule(tier);
        match table.find(hash, |other| other.borrow() == key) {
            Found::At(at) => {
                rule.peek(&self.as_of(rule, tier, table.tier(at), table.state(at), now), now, cost)
            }
            Found::Missing => rule.peek(&A::State::default(), now, cost),
        }
    }

    /// How long until more units of `key`, which is in `tier` now, pass at once than do at `now`:
    /// see [`Algorithm::more_after`].
    #[must_use]
    pub fn more_after_tier_at<Q>(&self, now: Time, key: &Q, tier: Tier) -> Duration
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let table = self.shard(hash).lock();
        let (tier, rule) = self.rule(tier);
        match table.find(hash, |other| other.borrow() == key) {
            Found::At(at) => {
                rule.more_after(&self.as_of(rule, tier, table.tier(at), table.state(at), now), now)
            }
            Found::Missing => Duration::ZERO,
        }
    }

    /// Charges `cost` to `key` whether or not there is room: for a cost known after the work.
    ///
    /// # Errors
    /// The store is full, so there is no place for the debt of a new key.
    pub fn charge_at<Q>(&self, now: Time, key: &Q, cost: u64) -> Result<Grant, Denial>
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.update(
            || now,
            key,
            0,
            cost,
            |now, rule, state| (cost != 0, rule.charge(state, now, cost)),
        )
    }

    /// Charges `cost` to `key` now if it may pass within `max_wait`, and says when.
    ///
    /// # Errors
    /// The denial with the wait that would have been needed.
    pub fn reserve_at<Q>(
        &self,
        now: Time,
        key: &Q,
        cost: u64,
        max_wait: Duration,
    ) -> Result<(Grant, Time), Denial>
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.update(
            || now,
            key,
            0,
            cost,
            |now, rule, state| {
                let booked = rule.reserve(state, now, cost, max_wait);
                (booked.is_ok() && cost != 0, booked)
            },
        )?
    }

    /// Gives back up to `units` of a grant made to `key`, and says how many. The store does not
    /// count refunds, so the charge is taken to have drained from when it was made: at once all of
    /// it comes back, later maybe less than could, never more.
    pub fn refund_at<Q>(&self, now: Time, key: &Q, grant: &Grant, units: u64) -> u64
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).lock();
        let Found::At(at) = table.find(hash, |other| other.borrow() == key) else { return 0 };
        let (_, rule) = self.rule(table.tier(at));
        let mut state = *table.state(at);
        let refund = rule.refund(&mut state, now, grant, units, u64::MAX);
        table.forget_idle_from();
        table.set_state(at, state, |key| self.hasher.hash_one(key));
        refund.units
    }

    /// Forgets `key` and what it has used; says whether it was there.
    pub fn forget<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).lock();
        let found = table.find(hash, |other| other.borrow() == key);
        if let Found::At(at) = found {
            table.remove(at, |key| self.hasher.hash_one(key));
            return true;
        }
        false
    }

    /// `key` as a [`Limit`], to be part of a [compound](crate::check_all).
    pub const fn key<'a, Q: ?Sized>(&'a self, key: &'a Q) -> KeyLimit<'a, K, A, C, H, Q> {
        KeyLimit { store: self, key, tier: 0 }
    }

    /// Changes the quota of a tier; `how` says what becomes of what its keys have used. O(keys).
    pub fn set_quota_at(&mut self, now: Time, tier: Tier, quota: Quota, how: Carry)
    where
        K: Hash,
    {
        let (tier, old) = self.rule(tier);
        let (old, new) = (*old, old.with_quota(quota));
        self.rules[usize::from(tier)] = new;
        for shard in &self.shards {
            let mut table = shard.lock();
            table.forget_idle_from();
            let keys: Vec<usize> = table.occupied().filter(|at| table.tier(*at) == tier).collect();
            for at in keys {
                let state = carry(&old, &new, table.state(at), now, how);
                table.set_state(at, state, |key| self.hasher.hash_one(key));
            }
        }
    }

    /// Removes the idle keys of one shard and gives their memory back: for a timer that wants a
    /// store to shrink though no new key comes. Call it `shards` times for all; each is bounded by
    /// the size of a shard, about 500 keys.
    pub fn expire_at(&self, now: Time, shard: usize) -> usize
    where
        K: Hash,
    {
        let shard = &self.shards[shard % self.shards.len()];
        let mut table = shard.lock();
        let all = table.slots();
        let removed = self.sweep(&mut table, now, all);
        table.shrink(|key| self.hasher.hash_one(key));
        shard.publish(&table);
        removed
    }

    /// The shard of a key and what was found there, changed by `step` if that says so.
    #[inline(always)]
    fn update<Q, R>(
        &self,
        clock: impl FnOnce() -> Time,
        key: &Q,
        tier: Tier,
        cost: u64,
        step: impl FnOnce(Time, &A, &mut A::State) -> (bool, R),
    ) -> Result<R, Denial>
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash);
        shard.prefetch(hash);
        let now = clock();
        let mut table = shard.lock();
        let (tier, rule) = self.rule(tier);
        let Found::At(at) = table.find(hash, |other| other.borrow() == key) else {
            let added = self.add(&mut table, now, hash, key, tier, cost, step);
            shard.publish(&table);
            return added;
        };
        let was = table.tier(at);
        let mut state = self.as_of(rule, tier, was, table.state(at), now);
        let (store, result) = step(now, rule, &mut state);
        if was != tier {
            table.set_tier(at, tier);
            table.forget_idle_from();
        }
        if store || was != tier {
            table.set_state(at, state, |key| self.hasher.hash_one(key));
        }
        Ok(result)
    }

    #[cold]
    #[allow(clippy::too_many_arguments, reason = "the cold half of `update`, split off for speed")]
    fn add<Q, R>(
        &self,
        table: &mut Table<K, A::State>,
        now: Time,
        hash: u64,
        key: &Q,
        tier: Tier,
        cost: u64,
        step: impl FnOnce(Time, &A, &mut A::State) -> (bool, R),
    ) -> Result<R, Denial>
    where
        K: Borrow<Q> + Hash + Eq,
        Q: ToOwned<Owned = K> + ?Sized,
    {
        let mut state = A::State::default();
        let (store, result) = step(now, self.rule(tier).1, &mut state);
        if !store || state == A::State::default() {
            return Ok(result);
        }
        let hasher = |key: &K| self.hasher.hash_one(key);
        if table.len() < self.keys_a_shard {
            if self.sweep(table, now, SWEEP) > 0 {
                table.shrink(hasher);
            }
        } else {
            if now < table.idle_from() && self.overflow == Overflow::FailClosed {
                return Err(full(now, cost, table.idle_from()));
            }
            let idle_at = |state: &A::State, tier| {
                let (_, rule) = self.rule(tier);
                (!rule.is_idle(state, now)).then(|| now + rule.peek(state, now, 0).reset_after())
            };
            let _ = table.lap(SWEEP_WHEN_FULL, idle_at, hasher);
            if table.len() >= self.keys_a_shard {
                self.make_room(table, now, cost)?;
            }
        }
        let idle_at = now + self.rule(tier).1.peek(&state, now, 0).reset_after();
        table.insert(key.to_owned(), state, tier, hash, idle_at, hasher);
        Ok(result)
    }

    /// The shard is full of keys in use.
    #[cold]
    fn make_room(&self, table: &mut Table<K, A::State>, now: Time, cost: u64) -> Result<(), Denial>
    where
        K: Hash,
    {
        let seen = |table: &Table<K, A::State>, at| {
            let (_, rule) = self.rule(table.tier(at));
            (*rule, *table.state(at))
        };
        match self.overflow {
            Overflow::FailClosed => {
                let wait = table.victim().map_or(Duration::ZERO, |at| {
                    let (rule, state) = seen(table, at);
                    rule.peek(&state, now, 0).reset_after()
                });
                Err(full(now, cost, now + wait))
            }
            Overflow::Forget => {
                let mut least: Option<(u128, usize)> = None;
                for _ in 0..VICTIMS {
                    let Some(at) = table.victim() else { break };
                    let (rule, state) = seen(table, at);
                    let used = rule.used(&state, now);
                    if least.is_none_or(|(other, _)| used < other) {
                        least = Some((used, at));
                    }
                }
                if let Some((_, at)) = least {
                    table.remove(at, |key| self.hasher.hash_one(key));
                }
                Ok(())
            }
        }
    }

    fn sweep(&self, table: &mut Table<K, A::State>, now: Time, steps: usize) -> usize
    where
        K: Hash,
    {
        let idle = |state: &A::State, tier| self.rule(tier).1.is_idle(state, now);
        table.sweep(steps, idle, |key| self.hasher.hash_one(key))
    }

    #[inline(always)]
    fn shard(&self, hash: u64) -> &Shard<K, A::State> {
        // Shifting by 64 is for a single shard, which `checked_shr` answers with none.
        &self.shards[hash.checked_shr(self.shift).unwrap_or(0) as usize]
    }

    #[inline(always)]
    fn rule(&self, tier: Tier) -> (Tier, &A) {
        match self.rules.get(usize::from(tier)) {
            Some(rule) => (tier, rule),
            None => (0, &self.rules[0]),
        }
    }

    /// A state of tier `was` under the rule of `tier`.
    #[inline(always)]
    fn as_of(&self, rule: &A, tier: Tier, was: Tier, state: &A::State, now: Time) -> A::State {
        if was == tier {
            return *state;
        }
        carry(self.rule(was).1, rule, state, now, Carry::Used)
    }
}

/// The denial of a new key by a full store: some key may be idle at `until`.
#[cold]
fn full(now: Time, cost: u64, until: Time) -> Denial {
    let until = until.max(now + Duration::from_nanos(1));
    let (standing, pass) = (Standing::nanos(now, 0, until), Some(until.as_nanos()));
    Denial { cost, pass, reason: Reason::Overflow, standing }
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

/// One key of a [`Keyed`] as a [`Limit`]: see [`Keyed::key`].
pub struct KeyLimit<'a, K, A: Algorithm, C, H, Q: ?Sized> {
    store: &'a Keyed<K, A, C, H>,
    key: &'a Q,
    tier: Tier,
}

impl<K, A: Algorithm, C, H, Q: ?Sized> KeyLimit<'_, K, A, C, H, Q> {
    /// The same key in `tier`.
    #[must_use]
    pub const fn in_tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }
}

impl<K, A: Algorithm, C, H, Q: ?Sized> fmt::Debug for KeyLimit<'_, K, A, C, H, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLimit").field("tier", &self.tier).finish_non_exhaustive()
    }
}

impl<K, A, C, H, Q> Limit for KeyLimit<'_, K, A, C, H, Q>
where
    K: Borrow<Q> + Hash + Eq + Send,
    A: Algorithm,
    C: Send + Sync,
    H: BuildHasher + Send + Sync,
    Q: Hash + Eq + ToOwned<Owned = K> + Sync + ?Sized,
{
    fn check_at(&self, now: Time, cost: u64) -> Verdict {
        self.store.check_tier_at(now, self.key, self.tier, cost)
    }
    fn peek_at(&self, now: Time, cost: u64) -> Verdict {
        self.store.peek_tier_at(now, self.key, self.tier, cost)
    }
    fn refund_at(&self, now: Time, grant: &Grant, units: u64) -> u64 {
        self.store.refund_at(now, self.key, grant, units)
    }
}

/// The key of a client by its address: IPv4 as it is, IPv6 as its /64 network, which is what one
/// customer has. IPv4 in IPv6 is IPv4.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
