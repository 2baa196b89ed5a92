//! The place of a key: found, or made by removing an idle one, or refused.

use super::shard::Shard;
use super::table::{Found, Table};
use super::{Keyed, Overflow, Tier};
use crate::algorithm::carry;
use crate::verdict::{Reason, Standing};
use crate::{Algorithm, Carry, Denial, Time};
use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

/// Slots that a check which adds a key looks at for idle ones to remove.
const SWEEP: usize = 4;
/// Slots that it looks at when its shard is full, until it is known when one will be idle.
const SWEEP_WHEN_FULL: usize = 8;
/// Keys that [`Overflow::Forget`] chooses among.
const VICTIMS: usize = 8;

impl<K, A: Algorithm, C, H: BuildHasher> Keyed<K, A, C, H> {
    /// The shard of a key and what was found there, changed by `step` if that says so.
    #[inline(always)]
    pub(super) fn update<Q, R>(
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
            Overflow::FailClosed => Err(full(now, cost, table.room_from())),
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

    pub(super) fn sweep(&self, table: &mut Table<K, A::State>, now: Time, steps: usize) -> usize
    where
        K: Hash,
    {
        let idle = |state: &A::State, tier| self.rule(tier).1.is_idle(state, now);
        table.sweep(steps, idle, |key| self.hasher.hash_one(key))
    }

    #[inline(always)]
    pub(super) fn shard(&self, hash: u64) -> &Shard<K, A::State> {
        // Shifting by 64 is for a single shard, which `checked_shr` answers with none.
        &self.shards[hash.checked_shr(self.shift).unwrap_or(0) as usize]
    }

    #[inline(always)]
    pub(super) fn rule(&self, tier: Tier) -> (Tier, &A) {
        match self.rules.get(usize::from(tier)) {
            Some(rule) => (tier, rule),
            None => (0, &self.rules[0]),
        }
    }

    /// A state of tier `was` under the rule of `tier`.
    #[inline(always)]
    pub(super) fn as_of(
        &self,
        rule: &A,
        tier: Tier,
        was: Tier,
        state: &A::State,
        now: Time,
    ) -> A::State {
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
