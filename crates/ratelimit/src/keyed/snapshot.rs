//! State that outlives the process.

use super::{Keyed, Tier};
use crate::algorithm::{carry, sealed::State};
use crate::{Algorithm, Carry, Quota, Time};
use alloc::vec::Vec;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

/// All keys of a [`Keyed`] that are in use, as they stood at one instant.
///
/// With the feature `serde` it can be stored in any format. It knows the quotas it was taken
/// under, so it can be restored into a store with others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot<K> {
    taken_at: Time,
    quotas: Vec<Quota>,
    keys: Vec<(K, Tier)>,
    /// As many for each key as its state has.
    words: Vec<u64>,
}

impl<K> Snapshot<K> {
    /// When it was taken, on the clock of the store.
    #[must_use]
    pub const fn taken_at(&self) -> Time {
        self.taken_at
    }

    /// Keys in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Why a [`Snapshot`] could not be restored, or not in full.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// It was taken of another algorithm: its states have another length.
    Shape {
        /// Words of state in the snapshot.
        words: usize,
        /// Words that the keys in it need.
        needed: usize,
    },
    /// A key is in a tier that the snapshot has no quota for.
    Tier {
        /// The tier.
        tier: Tier,
        /// The tiers of the snapshot.
        tiers: usize,
    },
    /// The store is full. The keys before were restored.
    Full {
        /// Keys that were restored.
        restored: usize,
        /// Keys in the snapshot.
        keys: usize,
    },
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { words, needed } => {
                write!(f, "{words} words of state where this algorithm needs {needed}")
            }
            Self::Tier { tier, tiers } => write!(f, "tier {tier} of {tiers}"),
            Self::Full { restored, keys } => {
                write!(f, "the store is full after {restored} of {keys} keys")
            }
        }
    }
}

impl core::error::Error for RestoreError {}

impl<K, A: Algorithm, C, H> Keyed<K, A, C, H> {
    /// Every key that is in use at `now`. One shard is locked at a time, so checks go on; a key
    /// that is charged meanwhile is in it as it was or as it is. O(keys).
    #[must_use]
    pub fn snapshot_at(&self, now: Time) -> Snapshot<K>
    where
        K: Clone,
    {
        let mut snapshot = Snapshot {
            taken_at: now,
            quotas: self.quotas().collect(),
            keys: Vec::new(),
            words: Vec::new(),
        };
        self.for_each(|key, tier, state| {
            let rule = self.rules.get(usize::from(tier)).unwrap_or(&self.rules[0]);
            if !rule.is_idle(state, now) {
                snapshot.keys.push((key.clone(), tier));
                state.write(|_, word| snapshot.words.push(word));
            }
        });
        snapshot
    }
}

impl<K: Hash + Eq + Clone, A: Algorithm, C, H: BuildHasher> Keyed<K, A, C, H> {
    /// Puts the keys of a snapshot in, as they stand at `now` when `down` has passed since it was
    /// taken; they replace keys that are there. Returns how many are in use still.
    ///
    /// The clock may be another one than it was taken with; with `down` zero no key has drained
    /// meanwhile. Under other quotas what was used stays used. A tier that this store has not is
    /// tier 0.
    ///
    /// # Errors
    /// The snapshot is not one of this algorithm, or the store is full.
    pub fn restore_at(
        &self,
        now: Time,
        snapshot: &Snapshot<K>,
        down: Duration,
    ) -> Result<usize, RestoreError> {
        let Snapshot { taken_at, quotas, keys, words } = snapshot;
        let needed = keys.len().saturating_mul(A::State::WORDS);
        if words.len() != needed {
            return Err(RestoreError::Shape { words: words.len(), needed });
        }
        let then: Vec<A> = quotas.iter().map(|quota| self.rules[0].with_quota(*quota)).collect();
        let mut restored = 0;
        for ((key, tier), words) in keys.iter().zip(words.chunks_exact(A::State::WORDS)) {
            let old = then.get(usize::from(*tier));
            let old = old.ok_or(RestoreError::Tier { tier: *tier, tiers: then.len() })?;
            let (tier, rule) = self.rule(*tier);
            let state = A::State::read(|word| words[word]);
            let mut state = old.moved(&state, *taken_at, now - down);
            if old.quota() != rule.quota() {
                state = carry(old, rule, &state, now - down, Carry::Used);
            }
            if rule.is_idle(&state, now) || state == A::State::default() {
                continue;
            }
            let placed = self.update(
                || now,
                key,
                tier,
                0,
                |_, _, place| {
                    *place = state;
                    (true, ())
                },
            );
            self.shard(self.hasher.hash_one(key)).lock().forget_idle_from();
            placed.map_err(|_| RestoreError::Full { restored, keys: keys.len() })?;
            restored += 1;
        }
        Ok(restored)
    }
}
