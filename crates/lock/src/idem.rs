//! Idempotency: a request that comes again gets the first one's result, runs once at a time, and is
//! taken over when its runner dies.
//!
//! The keys follow the IETF draft "The Idempotency-Key HTTP Header Field": a key names one request,
//! its fingerprint (a digest of the payload) tells a retry from a misuse of the key.

use crate::latest::Latest;
use crate::slab::Slab;
use crate::table::nanos;
use crate::wheel::{Links, Timed, Wheel};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use archstone_core::Time;
use archstone_core::pad::CachePadded;
use archstone_core::spin::{Guard, Lock};
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::sync::atomic::{AtomicU16, Ordering};
use core::time::Duration;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::demand::{ExtendError, Gone};

/// Which run of which key: of one run, refused once it was finished, superseded or has timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    number: u64,
    slot: u32,
    shard: u16,
    registry: u16,
    attempt: u32,
    until: Time,
}

impl Run {
    /// 1 for the first run of a key, one more after each that failed or died. Above 1 the work may
    /// have had effects already: look before doing it again.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the run is given up, unless it is extended: at this instant it is over.
    #[must_use]
    pub const fn until(&self) -> Time {
        self.until
    }
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Begin<V> {
    /// Do it, then [`complete`](Registry::complete) or [`fail`](Registry::fail).
    Run(Run),
    /// Somebody does it, until then at the latest; answer "conflict, try later" (409).
    InFlight(Time),
    /// It was done; this was the result.
    Replay(V),
    /// The key was used for another request; answer "unprocessable" (422).
    Mismatch,
    /// The registry holds as many keys as it may. Answer "unavailable" (503).
    Full,
}

/// Results by key: at most one runner a key at any instant, the same result to every request within
/// the retention, a late runner refused (I9).
///
/// `F` is the fingerprint: a digest of the request, compared for equality. A failure is not a result:
/// [`fail`](Self::fail) frees the key, the attempts stay counted. A clock that steps back is
/// read as in [`LeaseTable`](crate::LeaseTable).
///
/// Every operation is O(1). Memory: about 80 bytes and key, fingerprint and result a key, until the
/// result has been kept for `keep`, or nobody has come back to a run that died or failed for
/// [`keep_unfinished`](Self::keep_unfinished); keys go a few at a time inside `begin`.
///
/// It is as durable as this process. What it protects against is a retry; a crash between the effect
/// and `complete` shows as `attempt() > 1`, and only the resource can tell then (a fence, a look).
///
/// ```
/// use archstone_lock::Time;
/// use archstone_lock::idem::{Begin, Registry};
/// use std::time::Duration;
///
/// let payments: Registry<String, u64> = Registry::new(Duration::from_secs(86_400));
/// let (now, ttl) = (Time::from_secs(1), Duration::from_secs(300));
/// let Begin::Run(run) = payments.begin(now, "pay-1", 0xaa, ttl) else { panic!() };
/// assert!(matches!(payments.begin(now, "pay-1", 0xaa, ttl), Begin::InFlight(_)));
/// assert_eq!(payments.begin(now, "pay-1", 0xbb, ttl), Begin::Mismatch);
/// payments.complete(now, run, 42)?;
/// assert_eq!(payments.begin(now, "pay-1", 0xaa, ttl), Begin::Replay(42));
/// # Ok::<(), archstone_lock::Gone>(())
/// ```
pub struct Registry<K, V, F = u64, S = ahash::RandomState> {
    shards: Box<Shards<K, V, F>>,
    hasher: S,
    keep: u64,
    keep_unfinished: u64,
    max_keys: usize,
    id: u16,
    latest: Latest,
}

type Shards<K, V, F> = [CachePadded<Lock<Shard<K, V, F>>>];
/// A locked shard, and the effective instant in it.
type Entered<'a, K, V, F> = (Guard<'a, Shard<K, V, F>>, u64);

struct Shard<K, V, F> {
    now: u64,
    last: u64,
    index: HashTable<u32>,
    records: Slab<Record<K, V, F>>,
    wheel: Wheel,
}

struct Record<K, V, F> {
    key: K,
    print: F,
    /// The run that may finish it.
    number: u64,
    /// When the run is over, or, without a run, when the record goes.
    until: u64,
    attempt: u32,
    hash: u32,
    links: Links,
    result: Option<V>,
    running: bool,
}

impl<K, V, F> Timed for Record<K, V, F> {
    fn due(&self) -> u64 {
        self.until
    }
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// Records that one `begin` looks at beside its own, so that memory goes without a thread.
const SWEEP: usize = 4;
const SHARDS: usize = 64;

impl<K: Hash + Eq, V: Clone, F: PartialEq> Registry<K, V, F> {
    /// Results are kept for `keep` after their completion, half-open; `Duration::MAX` for ever.
    #[must_use]
    pub fn new(keep: Duration) -> Self {
        Self::with_hasher(keep, ahash::RandomState::new())
    }
}

impl<K: Hash + Eq, V: Clone, F: PartialEq, S: BuildHasher> Registry<K, V, F, S> {
    /// [`new`](Registry::new), with a hasher of one's own.
    #[must_use]
    pub fn with_hasher(keep: Duration, hasher: S) -> Self {
        static REGISTRIES: AtomicU16 = AtomicU16::new(0);
        let shard = |_| {
            let (index, records) = (HashTable::new(), Slab::new());
            CachePadded::new(Lock::new(Shard {
                now: 0,
                last: 0,
                index,
                records,
                wheel: Wheel::new(),
            }))
        };
        let keep = nanos(keep);
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            hasher,
            keep,
            keep_unfinished: keep,
            max_keys: usize::MAX,
            id: REGISTRIES.fetch_add(1, Ordering::Relaxed),
            latest: Latest::new(),
        }
    }

    /// How long fingerprint and attempts of a run that failed or died are remembered; `keep` unless
    /// set. After that the key is new again.
    #[must_use]
    pub fn keep_unfinished(mut self, span: Duration) -> Self {
        self.keep_unfinished = nanos(span);
        self
    }

    /// At most about so many keys; then new ones get [`Begin::Full`] until others go.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// What to do with the request `key`, whose digest is `print`. A run ends after `ttl` (at least a
    /// nanosecond) unless it is extended: longer than the work ever takes, shorter than a client's
    /// patience.
    #[inline]
    pub fn begin<Q>(&self, now: Time, key: &Q, print: F, ttl: Duration) -> Begin<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let at = (hash >> 32) as usize & (self.shards.len() - 1);
        let (mut guard, now) = self.enter(at, now);
        let shard = &mut *guard;
        if shard.wheel.is_due(now) {
            shard.sweep(now, self.keep_unfinished);
        }
        let until = now.saturating_add(nanos(ttl).max(1));
        let hash = hash as u32;
        let Shard { index, records, .. } = shard;
        let entry = index.entry(
            spread(hash),
            |&at| records.get(at).is_some_and(|record| record.key.borrow() == key),
            |&at| spread(records[at].hash),
        );
        match entry {
            Entry::Vacant(vacant) => {
                if records.is_full() || records.len() >= self.max_keys.div_ceil(SHARDS) {
                    return Begin::Full;
                }
                shard.last += 1;
                let number = shard.last;
                let (links, key) = (Links::NONE, key.to_owned());
                let (attempt, result, running) = (1, None, true);
                let slot = records.insert(Record {
                    key,
                    print,
                    number,
                    until,
                    attempt,
                    hash,
                    links,
                    result,
                    running,
                });
                vacant.insert(slot);
                shard.arm(slot);
                self.run(number, slot, at, 1, until)
            }
            Entry::Occupied(occupied) => {
                let slot = *occupied.get();
                let record = &records[slot];
                // A record whose time has come and whom no sweep has met is as good as gone.
                let gone = if record.running {
                    record.until.saturating_add(self.keep_unfinished) <= now
                } else {
                    record.until <= now
                };
                if !gone && record.print != print {
                    return Begin::Mismatch;
                }
                if !gone && record.running && record.until > now {
                    return Begin::InFlight(Time::from_nanos(record.until));
                }
                if let Some(result) = record.result.as_ref().filter(|_| !gone) {
                    return Begin::Replay(result.clone());
                }
                let attempt = if gone { 1 } else { record.attempt.saturating_add(1) };
                shard.last += 1;
                let number = shard.last;
                shard.disarm(slot);
                let record = &mut shard.records[slot];
                record.result = None;
                (record.number, record.until, record.attempt) = (number, until, attempt);
                (record.running, record.print) = (true, print);
                shard.arm(slot);
                self.run(number, slot, at, attempt, until)
            }
        }
    }

    /// The run is done: `value` is what every later request gets, for as long as results are kept.
    ///
    /// # Errors
    /// [`Gone`] when the run was over: its time, or another attempt, came first. Its effect may have
    /// happened twice; undo it or report it.
    #[inline]
    pub fn complete(&self, now: Time, run: Run, value: V) -> Result<(), Gone> {
        self.finish(now, run, Some(value), self.keep)
    }

    /// The run had no effect: the key is free for the next attempt at once.
    ///
    /// # Errors
    /// [`Gone`] when the run was over.
    pub fn fail(&self, now: Time, run: Run) -> Result<(), Gone> {
        self.finish(now, run, None, self.keep_unfinished)
    }

    /// The run needs longer: it ends at `now + ttl` if that is later. Returns its end.
    ///
    /// # Errors
    /// [`ExtendError`].
    pub fn extend(&self, now: Time, run: Run, ttl: Duration) -> Result<Time, ExtendError> {
        let ttl = nanos(ttl);
        if ttl == 0 {
            return Err(ExtendError::ZeroTtl);
        }
        let (mut guard, now) = self.live(now, run)?;
        let until = guard.records[run.slot].until.max(now.saturating_add(ttl));
        guard.disarm(run.slot);
        guard.records[run.slot].until = until;
        guard.arm(run.slot);
        Ok(Time::from_nanos(until))
    }

    /// Keys remembered, those included whose time is over and whom nobody has met.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().records.len()).sum()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything whose time is over. Never needed: `begin` does it by and by.
    pub fn sweep(&self, now: Time) {
        for at in 0..self.shards.len() {
            let (mut shard, now) = self.enter(at, now);
            while shard.sweep(now, self.keep_unfinished) {}
        }
    }

    fn run(&self, number: u64, slot: u32, shard: usize, attempt: u32, until: u64) -> Begin<V> {
        let (shard, until) = (shard as u16, Time::from_nanos(until));
        Begin::Run(Run { number, slot, shard, registry: self.id, attempt, until })
    }

    #[inline(always)]
    fn enter(&self, shard: usize, now: Time) -> Entered<'_, K, V, F> {
        let mut shard = self.shards[shard].lock();
        let now = self.latest.clamp(&mut shard.now, now);
        (shard, now)
    }

    #[inline(always)]
    fn live(&self, now: Time, run: Run) -> Result<Entered<'_, K, V, F>, Gone> {
        if run.registry != self.id || usize::from(run.shard) >= self.shards.len() {
            return Err(Gone);
        }
        let (shard, now) = self.enter(usize::from(run.shard), now);
        let record = shard.records.get(run.slot).ok_or(Gone)?;
        let live = record.running && record.number == run.number && record.until > now;
        if live { Ok((shard, now)) } else { Err(Gone) }
    }

    #[inline(always)]
    fn finish(&self, now: Time, run: Run, result: Option<V>, keep: u64) -> Result<(), Gone> {
        let (mut guard, now) = self.live(now, run)?;
        guard.disarm(run.slot);
        let record = &mut guard.records[run.slot];
        (record.running, record.result) = (false, result);
        record.until = now.saturating_add(keep);
        guard.arm(run.slot);
        Ok(())
    }
}

const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl<K, V, F> Shard<K, V, F> {
    #[inline(always)]
    fn arm(&mut self, slot: u32) {
        let until = self.records[slot].until;
        if until != u64::MAX {
            self.wheel.arm(&mut self.records, slot, until);
        }
    }

    #[inline(always)]
    fn disarm(&mut self, slot: u32) {
        let until = self.records[slot].until;
        // A run whose end the wheel has told is not in it (see `sweep`).
        if until != u64::MAX {
            self.wheel.disarm(&mut self.records, slot, until);
        }
    }

    /// Looks at a few records that are due: those past their retention go. Says whether more may be.
    #[cold]
    fn sweep(&mut self, now: u64, keep_unfinished: u64) -> bool {
        let mut budget = SWEEP;
        while let Some(slot) = self.wheel.pop(&mut self.records, now, &mut budget) {
            let record = &mut self.records[slot];
            if record.running {
                // Died: remembered for a while, as if it had failed at its end.
                record.running = false;
                record.until = record.until.saturating_add(keep_unfinished);
                if record.until > now {
                    self.arm(slot);
                    continue;
                }
            }
            let hash = record.hash;
            if let Ok(entry) = self.index.find_entry(spread(hash), |&at| at == slot) {
                entry.remove();
            }
            self.records.remove(slot);
        }
        budget == 0
    }
}

impl<K, V, F, S> fmt::Debug for Registry<K, V, F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("keep", &Duration::from_nanos(self.keep))
            .finish_non_exhaustive()
    }
}
