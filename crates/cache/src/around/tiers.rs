//! Levels: a near cache before far ones before the source, with one lifetime passed on.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::Time;
use archstone_core::shim::thread_id;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use super::{Invalidation, SharedBus};
use crate::builder::{Builder, DefaultHasher};
use crate::load::{Found, Lead, LoadError, Loading, Outcome, arrived};
use crate::outcome::BuildError;
use crate::policy::{Adaptive, Policy};
use crate::sync::Cache;

/// What a tier holds of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<V> {
    /// A number of the source's that grows with each change of the key: of the row, of the log, a
    /// time.
    pub version: u64,
    /// `None` is a tombstone: what is older than `version` is stale, and the value is not here.
    pub value: Option<V>,
    /// Until when.
    pub expires: Time,
}

impl<V> Held<V> {
    /// Whether it takes the place of `old`: a later version, or the value of a version of which only
    /// the tombstone is here.
    #[must_use]
    pub fn is_newer_than(&self, old: &Self) -> bool {
        (self.version, self.value.is_some()) > (old.version, old.value.is_some())
    }
}

/// One level: a cache in this process ([`Local`]) or a client of one elsewhere.
pub trait Tier<K, V> {
    /// What it holds of a key at `now`: nothing that has expired by then.
    fn get(&self, key: &K, now: Time) -> Option<Held<V>>;
    /// Takes it unless it holds something that it [is not newer than](Held::is_newer_than). Says
    /// whether it took it or had the very same; the look and the change are one step.
    fn offer(&self, key: &K, held: &Held<V>, now: Time) -> bool;
}

impl<K, V, T: Tier<K, V> + ?Sized> Tier<K, V> for Arc<T> {
    fn get(&self, key: &K, now: Time) -> Option<Held<V>> {
        (**self).get(key, now)
    }
    fn offer(&self, key: &K, held: &Held<V>, now: Time) -> bool {
        (**self).offer(key, held, now)
    }
}

/// A [`sync::Cache`](Cache) as a tier.
#[derive(Clone)]
pub struct Local<K, V, P: Policy = Adaptive, S = DefaultHasher>(Cache<K, Held<V>, P, S>);

impl<K: Hash + Eq, V, P: Policy, S: BuildHasher> Local<K, V, P, S> {
    /// A cache as `builder` says; entries live as long as what is held says.
    ///
    /// # Errors
    /// Those of [`Builder::build_sync`].
    pub fn new(builder: Builder<K, Held<V>, P, S>) -> Result<Self, BuildError> {
        Ok(Self(timed(builder)?))
    }
}

/// A cache whose entries all come with their lifetime.
fn timed<K: Hash + Eq, V, P: Policy, S: BuildHasher>(
    builder: Builder<K, Held<V>, P, S>,
) -> Result<Cache<K, Held<V>, P, S>, BuildError> {
    builder.expiry(|_, _| None).build_sync()
}

impl<K, V, P, S> Tier<K, V> for Local<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    fn get(&self, key: &K, now: Time) -> Option<Held<V>> {
        self.0.get(key).filter(|held| held.expires > now)
    }

    fn offer(&self, key: &K, held: &Held<V>, now: Time) -> bool {
        let lives = held.expires.since(now);
        let mut same = false;
        let put = self.0.insert_if_with_ttl(key.clone(), held.clone(), lives, |old| {
            same = old.is_some_and(|old| !old.is_newer_than(held) && !held.is_newer_than(old));
            old.is_none_or(|old| held.is_newer_than(old))
        });
        put.is_ok() || same
    }
}

impl<K, V, P: Policy, S> fmt::Debug for Local<K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.0).finish()
    }
}

/// Tiers, the nearest first; the nearest is in this process.
///
/// - What is found in a far tier is put into the nearer ones with what is *left* of its lifetime, so
///   it is never older than the far tier lets it be.
/// - A key is asked for once, however many ask here.
/// - Versions decide: a write that was announced ([`Tiers::put`], [`Tiers::invalidate`]) leaves its
///   version in every tier, and a reader that had read before it cannot put the older value back. A
///   tombstone keeps that up for the lifetime of the tier.
/// - A [bus](super::Bus) tells the near tiers of other processes.
///
/// The far tiers are changed before the near ones, so that a near one is not filled again from a
/// far one that is stale.
///
/// ```
/// use archstone_cache::Builder;
/// use archstone_cache::around::{Local, Tiers};
/// use std::{sync::Arc, time::Duration};
///
/// let minute = Duration::from_secs(60);
/// let far = Arc::new(Local::new(Builder::new(10_000))?); // Redis, with an implementation of `Tier`
/// let tiers = Tiers::new(Builder::new(100), minute)?.below(far, 60 * minute);
///
/// // The source gives a version and a value.
/// let row = tiers.get(&7, |_| Ok::<_, ()>(Some((1, "ann"))));
/// assert_eq!(row.unwrap(), Some("ann"));
/// tiers.put(7, 2, "anna"); // after the commit
/// assert_eq!(tiers.get(&7, |_| Err("not asked")).unwrap(), Some("anna"));
/// # Ok::<(), archstone_cache::BuildError>(())
/// ```
pub struct Tiers<K, V, P: Policy = Adaptive, S = DefaultHasher> {
    near: Loading<K, Held<V>, P, S>,
    lives: Duration,
    below: Vec<Level<K, V>>,
    bus: Option<SharedBus<K>>,
}

struct Level<K, V> {
    tier: Box<dyn Tier<K, V> + Send + Sync>,
    lives: Duration,
}

impl<K, V, P, S> Tiers<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    /// The near tier, as `builder` says; nothing lives longer in it than `lives`. Its clock is the
    /// clock of all tiers.
    ///
    /// # Errors
    /// Those of [`Builder::build_sync`].
    pub fn new(builder: Builder<K, Held<V>, P, S>, lives: Duration) -> Result<Self, BuildError> {
        let near = Loading::new(timed(builder)?);
        Ok(Self { near, lives, below: Vec::new(), bus: None })
    }

    /// One more tier, the farthest so far.
    #[must_use]
    pub fn below(mut self, tier: impl Tier<K, V> + Send + Sync + 'static, lives: Duration) -> Self {
        self.below.push(Level { tier: Box::new(tier), lives });
        self
    }

    /// Tells others of what changes here.
    #[must_use]
    pub fn on_bus(mut self, bus: SharedBus<K>) -> Self {
        self.bus = Some(bus);
        self
    }

    /// The near tier: see [`around`](super).
    #[must_use]
    pub fn near(&self) -> &Loading<K, Held<V>, P, S> {
        &self.near
    }

    /// The value of a key from the nearest tier that has it, or from `source`, which gives version and
    /// value.
    ///
    /// # Errors
    /// The source's, to all who waited.
    pub fn get<E: Send + Sync + 'static>(
        &self,
        key: &K,
        source: impl FnOnce(&K) -> Result<Option<(u64, V)>, E>,
    ) -> Result<Option<V>, LoadError<E>> {
        if let Some(Held { value: Some(value), .. }) = self.near.get(key) {
            return Ok(Some(value));
        }
        let hash = self.near.cache().hash(key);
        let here = Some(thread_id());
        loop {
            let seen =
                || self.near.cache().get_hashed(hash, key).filter(|held| held.value.is_some());
            let found = self.near.turn(hash, key, here, None, seen);
            match found.unwrap_or_else(|wait| arrived(wait.block(), here)) {
                Found::Value(held) => return Ok(held.value),
                Found::Lead(lead) => return self.fetch(lead, hash, key, source),
                Found::Recursive => return Err(LoadError::Recursive),
                Found::Failed(error) => {
                    if let Ok(error) = error.downcast() {
                        return Err(LoadError::Failed(error));
                    }
                }
                Found::Again => {}
            }
        }
    }

    fn fetch<E: Send + Sync + 'static>(
        &self,
        lead: Lead<'_, K, Held<V>>,
        hash: u64,
        key: &K,
        source: impl FnOnce(&K) -> Result<Option<(u64, V)>, E>,
    ) -> Result<Option<V>, LoadError<E>> {
        let now = self.near.cache().now();
        // Below this version all is stale.
        let mut floor = self.near.cache().get_hashed(hash, key).map_or(0, |held| held.version);
        let mut found = None;
        let mut depth = self.below.len();
        for (at, level) in self.below.iter().enumerate() {
            let Some(held) = level.tier.get(key, now) else { continue };
            let stale = held.version < floor || held.expires <= now;
            floor = floor.max(held.version);
            if held.value.is_some() && !stale {
                (found, depth) = (Some(held), at);
                break;
            }
        }
        let mut held = match found {
            Some(held) => held,
            None => match source(key) {
                Ok(Some((version, value))) => {
                    Held { version, value: Some(value), expires: Time::MAX }
                }
                Ok(None) => {
                    lead.end(|| Outcome::Nothing);
                    return Ok(None);
                }
                Err(error) => {
                    let error = Arc::new(error);
                    lead.end(|| Outcome::Failed(error.clone()));
                    return Err(LoadError::Failed(error));
                }
            },
        };
        // Into the nearer tiers, the farthest first, with what is left of the lifetime.
        let now = self.near.cache().now();
        let mut current = held.version >= floor;
        for level in self.below[..depth].iter().rev() {
            held.expires = held.expires.min(now + level.lives);
            // Refused: it has been changed since it was read.
            current = current && level.tier.offer(key, &held, now);
        }
        held.expires = held.expires.min(now + self.lives);
        if current {
            if let Some(flight) = lead.flight() {
                let lives = Some(held.expires.since(now));
                // Where a version is known it decides: an announcement of an older one than this
                // overtakes nothing. Where none is, it may have been forgotten.
                let wanted = |old: Option<&Held<V>>, overtaken: bool| match old {
                    Some(old) => held.is_newer_than(old),
                    None => !overtaken,
                };
                self.near.publish_by(flight, hash, key.clone(), held.clone(), lives, wanted);
            }
        }
        lead.end(|| Outcome::Loaded(held.clone()));
        Ok(held.value)
    }

    /// The source has this version of a key now: so have all tiers, unless they have a later one.
    pub fn put(&self, key: K, version: u64, value: V) {
        self.announce(&key, Held { version, value: Some(value), expires: Time::MAX });
    }

    /// The source has changed: what is older than `version` is stale in all tiers.
    pub fn invalidate(&self, key: &K, version: u64) {
        self.announce(key, Held { version, value: None, expires: Time::MAX });
    }

    fn announce(&self, key: &K, mut held: Held<V>) {
        let now = self.near.cache().now();
        for level in self.below.iter().rev() {
            held.expires = held.expires.min(now + level.lives);
            level.tier.offer(key, &held, now);
        }
        let version = held.version;
        self.take(key, held, now);
        if let Some(bus) = &self.bus {
            bus.publish(&Invalidation::Key { key: key.clone(), version });
        }
    }

    /// Into the near tier. A load under way meets the version there, and a later one than that is
    /// right to take its place; the flag that it was overtaken is for when the version has been
    /// evicted by then, and what was published in between is put right once more.
    fn take(&self, key: &K, mut held: Held<V>, now: Time) {
        held.expires = held.expires.min(now + self.lives);
        let lives = Some(held.expires.since(now));
        let hash = self.near.cache().hash(key);
        let put = || {
            let newer = |old: Option<&Held<V>>| old.is_none_or(|old| held.is_newer_than(old));
            drop(self.near.cache().put_if(hash, key.clone(), held.clone(), lives, newer));
        };
        put();
        self.near.overtake(key);
        put();
    }

    /// What another one has told: only the near tier changes. Tags and paths are not known here, so
    /// they are taken as everything.
    pub fn heard(&self, what: &Invalidation<K>) {
        match what {
            Invalidation::Key { key, version } => {
                let now = self.near.cache().now();
                self.take(key, Held { version: *version, value: None, expires: Time::MAX }, now);
            }
            _ => self.near.clear(),
        }
    }
}

impl<K, V, P: Policy, S> fmt::Debug for Tiers<K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiers")
            .field("near", &self.near)
            .field("below", &self.below.len())
            .finish_non_exhaustive()
    }
}
