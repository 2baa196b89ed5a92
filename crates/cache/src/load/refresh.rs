//! Values with an age: refreshed ahead of their end, served stale while a new one is fetched or when
//! the source fails.
//!
//! ```text
//!   loaded          early      fresh until         stale until          kept until
//!     |---------------|------------|-------------------|-------------------|
//!      a hit           a hit, one   a stale hit, one    a load; the old     a load
//!                      refreshes    refreshes           value if it fails
//! ```
//!
//! Nothing runs by itself: the first hit that finds a refresh due gets a [`Ticket`], which is the lead
//! of that load. It runs it, or gives it to whatever runs things; dropped, the next hit gets one.

use alloc::sync::Arc;
use archstone_core::Time;
use archstone_core::time::saturating_nanos;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::pin;
use core::time::Duration;

use super::flight::{Flight, Lead, Running};
use super::{Found, LoadError, Loading, arrived};
use crate::builder::{Builder, DefaultHasher};
use crate::cells::Owned;
use crate::outcome::{BuildError, Insert};
use crate::policy::{Adaptive, Policy};

/// A value and its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped<V> {
    value: V,
    loaded: Time,
    took: Duration,
    fresh_until: Time,
    kept_until: Time,
    /// No load before this, after one that failed.
    hold: Time,
}

impl<V> Stamped<V> {
    /// The value.
    pub const fn value(&self) -> &V {
        &self.value
    }

    /// When its load had ended.
    pub const fn loaded(&self) -> Time {
        self.loaded
    }

    /// How long its load took.
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// Until when it is fresh.
    pub const fn fresh_until(&self) -> Time {
        self.fresh_until
    }
}

type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How long values are fresh, and what happens around the end of that.
#[derive(Clone)]
#[must_use]
pub struct Rules {
    fresh: Duration,
    ahead: Duration,
    stale: Duration,
    on_error: Duration,
    pause: Duration,
    early: Option<(f64, Random)>,
}

impl Rules {
    /// Values are fresh for this long after their load has ended.
    pub const fn new(fresh: Duration) -> Self {
        let zero = Duration::ZERO;
        Self { fresh, ahead: zero, stale: zero, on_error: zero, pause: zero, early: None }
    }

    /// Refresh-ahead: a hit in the last `ahead` of the freshness refreshes.
    pub const fn ahead(mut self, ahead: Duration) -> Self {
        self.ahead = ahead;
        self
    }

    /// Stale-while-revalidate (RFC 5861): for this long after the end of freshness a hit gets the old
    /// value at once, and one of them refreshes.
    pub const fn stale_while_revalidate(mut self, stale: Duration) -> Self {
        self.stale = stale;
        self
    }

    /// Stale-if-error (RFC 5861): for this long after the end of freshness a load that fails is
    /// answered with the old value.
    pub const fn stale_if_error(mut self, on_error: Duration) -> Self {
        self.on_error = on_error;
        self
    }

    /// After a load that failed, an old value is served for this long without another attempt.
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Probabilistic early refresh, XFetch (Vattani, Chierichetti and Lowenstein, VLDB 2015): a hit
    /// refreshes if `now - took * beta * ln(u) >= fresh_until`, `u` uniform in (0, 1]. So it is early
    /// by the time that a load takes, not by a share of the lifetime: with `r` left, the probability is
    /// `exp(-r / (beta * took))`. The paper proves `beta` of 1 to be best; more is earlier. Zero,
    /// negative and not-a-number are never.
    ///
    /// `random` gives 64 random bits; one generator may serve many caches.
    pub fn early(mut self, beta: f64, random: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.early = Some((beta, Arc::new(random)));
        self
    }

    /// Whether a hit at `now` refreshes a value that is still fresh.
    fn is_early<V>(&self, stamped: &Stamped<V>, now: Time) -> bool {
        let left = stamped.fresh_until.since(now);
        if left <= self.ahead && !self.ahead.is_zero() {
            return true;
        }
        self.early
            .as_ref()
            .is_some_and(|(beta, random)| is_early(*beta, random(), stamped.took, left))
    }
}

/// XFetch's rule for 64 random bits.
fn is_early(beta: f64, bits: u64, took: Duration, left: Duration) -> bool {
    let u = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let gap = -u.ln() * beta * saturating_nanos(took) as f64;
    gap > 0.0 && gap >= saturating_nanos(left) as f64
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("fresh", &self.fresh)
            .field("ahead", &self.ahead)
            .field("stale", &self.stale)
            .field("on_error", &self.on_error)
            .field("pause", &self.pause)
            .field("beta", &self.early.as_ref().map(|early| early.0))
            .finish()
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It was here and fresh.
    Hit,
    /// It was loaded now, by this caller or by one it waited for.
    Loaded,
    /// It was here, no longer fresh, and is being refreshed.
    Stale,
    /// The load failed; this is what was there before.
    StaleOnError,
}

impl Origin {
    /// A word for a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Loaded => "miss",
            Self::Stale => "stale",
            Self::StaleOnError => "stale-on-error",
        }
    }
}

/// A value, where it comes from, and how old it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer<V> {
    /// The value.
    pub value: V,
    /// Where it comes from.
    pub from: Origin,
    /// Since its load had ended.
    pub age: Duration,
}

/// What a look finds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Look<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    /// The value, its age, and whether it is fresh.
    pub answer: Answer<V>,
    /// The refresh that is due, if nobody has it yet.
    pub ticket: Option<Ticket<K, V, P, S>>,
}

/// A cache of values with an age, that loads and refreshes by [`Rules`].
///
/// ```
/// use archstone_cache::load::{Origin, Refreshing, Rules};
/// use archstone_cache::{Builder, Manual, Time};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let clock = Arc::new(Manual::default());
/// let rules = Rules::new(Duration::from_secs(60))
///     .stale_while_revalidate(Duration::from_secs(30))
///     .stale_if_error(Duration::from_secs(3600));
/// let prices = Refreshing::new(Builder::new(1000).clock(clock.clone()), rules)?;
///
/// let get = |answer: Result<u32, &'static str>| prices.get_or_load("BER", |_| answer).unwrap();
/// assert_eq!((get(Ok(90)).from, get(Ok(91)).value), (Origin::Loaded, 90));
/// clock.set(Time::from_secs(200)); // beyond both
/// let old = get(Err("the provider is down"));
/// assert_eq!((old.value, old.from, old.age), (90, Origin::StaleOnError, Duration::from_secs(200)));
/// # Ok::<(), archstone_cache::BuildError>(())
/// ```
pub struct Refreshing<K, V, P: Policy = Adaptive, S = DefaultHasher> {
    loading: Loading<K, Stamped<V>, P, S, Owned<K, Stamped<V>>>,
    rules: Arc<Rules>,
}

impl<K, V, P, S> Refreshing<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    /// A cache as `builder` says, whose expiry is that of the rules.
    ///
    /// # Errors
    /// Those of [`Builder::build_sync`].
    pub fn new(builder: Builder<K, Stamped<V>, P, S>, rules: Rules) -> Result<Self, BuildError> {
        let kept = |_: &K, stamped: &Stamped<V>| Some(stamped.kept_until.since(stamped.loaded));
        let cache = builder.expiry(kept).build_sync()?;
        Ok(Self { loading: Loading::new(cache), rules: Arc::new(rules) })
    }

    /// The cache below, to look at, to maintain, to invalidate in.
    #[must_use]
    pub fn loading(&self) -> &Loading<K, Stamped<V>, P, S, Owned<K, Stamped<V>>> {
        &self.loading
    }

    /// Puts a value in that is fresh from now on. A load of the key under way is not published.
    pub fn insert(&self, key: K, value: V) -> Insert<K, Stamped<V>> {
        let now = self.now();
        let stamped = self.stamp(value, now, now);
        self.loading.insert(key, stamped)
    }

    /// Removes the entry of a key. A load or refresh under way is not published.
    pub fn remove(&self, key: &K) -> Option<V> {
        Some(self.loading.remove(key)?.1.value)
    }

    fn now(&self) -> Time {
        self.loading.cache().now()
    }

    fn stamp(&self, value: V, from: Time, now: Time) -> Stamped<V> {
        let fresh_until = now + self.rules.fresh;
        let kept_until = fresh_until + self.rules.stale.max(self.rules.on_error);
        Stamped {
            value,
            loaded: now,
            took: now.since(from),
            fresh_until,
            kept_until,
            hold: Time::ZERO,
        }
    }

    /// Whether a value may be answered without a load.
    fn is_servable(&self, stamped: &Stamped<V>, now: Time) -> bool {
        now < stamped.fresh_until + self.rules.stale
    }

    /// The value of a key that is fresh, or stale but servable, and the refresh that is due. Nothing
    /// is loaded.
    pub fn look(&self, key: &K) -> Option<Look<K, V, P, S>> {
        let stamped = self.loading.get(key)?;
        let now = self.now();
        if !self.is_servable(&stamped, now) {
            return None;
        }
        let fresh = now < stamped.fresh_until;
        let due = now >= stamped.hold && (!fresh || self.rules.is_early(&stamped, now));
        let ticket = if due { self.ticket(key, &stamped) } else { None };
        let from = if fresh { Origin::Hit } else { Origin::Stale };
        Some(Look { answer: answer(stamped, from, now), ticket })
    }

    /// The lead of a refresh, unless somebody has it, or has just ended it.
    fn ticket(&self, key: &K, old: &Stamped<V>) -> Option<Ticket<K, V, P, S>> {
        let Loading { inner } = &self.loading;
        let hash = inner.cache.hash(key);
        let flight = inner.flights.lead_if(hash, key, || {
            let now = inner.cache.get_hashed(hash, key);
            now.is_some_and(|now| now.loaded == old.loaded && now.hold == old.hold)
        })?;
        Some(Ticket { cache: self.clone(), hash, key: key.clone(), flight: Some(flight) })
    }

    /// The value of a key. If it is not here, `load` loads it, once for all who ask meanwhile; if a
    /// refresh is due, this caller runs it and all others go on with the value that is here. (To
    /// answer first and refresh afterwards, use [`Refreshing::look`].)
    ///
    /// # Errors
    /// That of the loader, if there is no old value to answer with; see
    /// [`Loading::try_get_or_load`].
    pub fn get_or_load<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<Answer<V>, LoadError<E>> {
        match self.look(&key) {
            Some(Look { answer, ticket: None }) => return Ok(answer),
            Some(Look { answer, ticket: Some(ticket) }) => {
                return Ok(ticket.run(load).unwrap_or(answer));
            }
            None => {}
        }
        let hash = self.loading.cache().hash(&key);
        let here = Some(archstone_core::shim::thread_id());
        let failed = loop {
            let seen = || self.seen(hash, &key);
            let found = self.loading.turn(hash, &key, here, None, seen);
            match found.unwrap_or_else(|wait| arrived(wait.block(), here)) {
                Found::Value(stamped) => return Ok(self.arrived(stamped)),
                Found::Lead(lead) => {
                    let from = self.now();
                    let loaded = load(&key);
                    break match self.land(lead, hash, &key, loaded, from) {
                        Ok(answer) => return Ok(answer),
                        Err(error) => error,
                    };
                }
                Found::Recursive => break LoadError::Recursive,
                Found::Failed(error) => {
                    if let Ok(error) = error.downcast() {
                        break LoadError::Failed(error);
                    }
                }
                Found::Again => {}
            }
        };
        self.fall_back(hash, &key).ok_or(failed)
    }

    /// [`Refreshing::get_or_load`] for a future, which is polled only if it leads.
    ///
    /// # Errors
    /// Those of [`Refreshing::get_or_load`].
    pub async fn get_or_load_async<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<Answer<V>, LoadError<E>> {
        match self.look(&key) {
            Some(Look { answer, ticket: None }) => return Ok(answer),
            Some(Look { answer, ticket: Some(ticket) }) => {
                return Ok(ticket.run_async(load).await.unwrap_or(answer));
            }
            None => {}
        }
        let hash = self.loading.cache().hash(&key);
        let failed = loop {
            let found = match self.loading.turn(hash, &key, None, None, || self.seen(hash, &key)) {
                Ok(found) => found,
                Err(wait) => arrived(wait.await, None),
            };
            match found {
                Found::Value(stamped) => return Ok(self.arrived(stamped)),
                Found::Lead(lead) => {
                    let from = self.now();
                    let loaded = {
                        let future = pin!(load);
                        Running { flights: lead.flight().as_slice(), future }.await
                    };
                    break match self.land(lead, hash, &key, loaded, from) {
                        Ok(answer) => return Ok(answer),
                        Err(error) => error,
                    };
                }
                Found::Recursive => break LoadError::Recursive,
                Found::Failed(error) => {
                    if let Ok(error) = error.downcast() {
                        break LoadError::Failed(error);
                    }
                }
                Found::Again => {}
            }
        };
        self.fall_back(hash, &key).ok_or(failed)
    }

    /// What is here and needs no load: servable, or held after a load that failed.
    fn seen(&self, hash: u64, key: &K) -> Option<Stamped<V>> {
        let stamped = self.loading.cache().get_hashed(hash, key)?;
        let now = self.now();
        (self.is_servable(&stamped, now) || now < stamped.hold).then_some(stamped)
    }

    fn arrived(&self, stamped: Stamped<V>) -> Answer<V> {
        let now = self.now();
        let from = if now < stamped.fresh_until {
            Origin::Loaded
        } else if self.is_servable(&stamped, now) {
            Origin::Stale
        } else {
            Origin::StaleOnError
        };
        answer(stamped, from, now)
    }

    /// The old value, if the rules have one for errors.
    fn fall_back(&self, hash: u64, key: &K) -> Option<Answer<V>> {
        let stamped = self.loading.cache().get_hashed(hash, key)?;
        let now = self.now();
        let kept = now < stamped.fresh_until + self.rules.on_error;
        kept.then(|| answer(stamped, Origin::StaleOnError, now))
    }

    fn land<E: Send + Sync + 'static>(
        &self,
        lead: Lead<'_, K, Stamped<V>>,
        hash: u64,
        key: &K,
        loaded: Result<V, E>,
        from: Time,
    ) -> Result<Answer<V>, LoadError<E>> {
        // Freshness begins when the load ends, however long it took.
        let now = self.now();
        if loaded.is_err() && !self.rules.pause.is_zero() {
            let hold = now + self.rules.pause;
            let _ = self.loading.cache().update(key, |stamped| stamped.hold = hold);
        }
        let loaded = loaded.map(|value| self.stamp(value, from, now));
        let landed = self.loading.land(lead, hash, key.clone(), loaded, true);
        landed.map(|stamped| answer(stamped, Origin::Loaded, now)).map_err(|(error, _)| error)
    }
}

fn answer<V>(stamped: Stamped<V>, from: Origin, now: Time) -> Answer<V> {
    Answer { age: now.since(stamped.loaded), value: stamped.value, from }
}

impl<K, V, P: Policy, S> Clone for Refreshing<K, V, P, S> {
    fn clone(&self) -> Self {
        Self { loading: self.loading.clone(), rules: Arc::clone(&self.rules) }
    }
}

impl<K, V, P: Policy, S> fmt::Debug for Refreshing<K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshing")
            .field("loading", &self.loading)
            .field("rules", &self.rules)
            .finish()
    }
}

/// The lead of a refresh that is due. There is one at a time for a key.
///
/// It borrows nothing, so it can be given to another thread or a spawned task. Whoever misses the key
/// meanwhile waits for it. Dropped, also by a panic, it hands over.
#[must_use = "dropped, nothing is refreshed"]
pub struct Ticket<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    cache: Refreshing<K, V, P, S>,
    hash: u64,
    key: K,
    flight: Option<Arc<Flight<K, Stamped<V>>>>,
}

impl<K, V, P, S> Ticket<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    /// The key to load.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// Loads and publishes.
    ///
    /// # Errors
    /// The loader's. The old value stays.
    pub fn run<E: Send + Sync + 'static>(
        mut self,
        load: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<Answer<V>, LoadError<E>> {
        let Some(flight) = self.flight.take() else { return Err(LoadError::Recursive) };
        flight.runs_on(Some(archstone_core::shim::thread_id()));
        let lead = Lead::adopt(&self.cache.loading.inner.flights, flight);
        let from = self.cache.now();
        let loaded = load(&self.key);
        self.cache.land(lead, self.hash, &self.key, loaded, from)
    }

    /// [`Ticket::run`] for a future.
    ///
    /// # Errors
    /// The future's. The old value stays.
    pub async fn run_async<E: Send + Sync + 'static>(
        mut self,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<Answer<V>, LoadError<E>> {
        let Some(flight) = self.flight.take() else { return Err(LoadError::Recursive) };
        let lead = Lead::adopt(&self.cache.loading.inner.flights, flight);
        let from = self.cache.now();
        let loaded = {
            let future = pin!(load);
            Running { flights: lead.flight().as_slice(), future }.await
        };
        self.cache.land(lead, self.hash, &self.key, loaded, from)
    }
}

impl<K, V, P, S> Drop for Ticket<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.cache.loading.inner.flights.abandon(&flight);
        }
    }
}

impl<K, V, P, S> fmt::Debug for Ticket<K, V, P, S>
where
    K: Hash + Eq + Clone + fmt::Debug,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("key", &self.key).finish_non_exhaustive()
    }
}
