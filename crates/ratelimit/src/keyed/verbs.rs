//! What is asked of a key: check, peek, reserve, charge, refund, and the care of the store.

use super::table::Found;
use super::{KeyLimit, Keyed, Tier};
use crate::algorithm::carry;
use crate::{Algorithm, Carry, Clock, Denial, Grant, Quota, Time, Verdict};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

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

    /// `key` as a [`Limit`](crate::Limit), to be part of a [compound](crate::check_all).
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
}
