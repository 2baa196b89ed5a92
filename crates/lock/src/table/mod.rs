//! The lease table: keyed leases, intervals and groups, without a clock and without I/O.
//!
//! Invariants (I-numbers are those of `DESIGN.md`):
//! * a key is in the index once, as the slot of its sole holder or as a book;
//! * a book's occupancy is the sum of its holders' parts, and never above its capacity (I1);
//! * numbers of grants and tickets of a shard strictly increase, so a token names one grant for
//!   ever (I2, I4), and a request across shards gets one above all of theirs;
//! * a waiting request is in the queue of each of its keys, put in under all their locks, so two
//!   requests stand in the same order wherever they meet, and holds nothing (I6);
//! * whoever frees a key or leaves a queue looks who may run and grants it before returning (I7).

mod admit;
mod audit;
mod builder;
mod index;
mod part;
mod polled;
mod set;
mod shard;
mod turn;

pub use self::builder::Builder;
pub(crate) use self::shard::Notify;

use self::builder::Config;
use self::set::{Set, Shards};
use self::shard::{BOOK, Shard, Slot, is_key};
use crate::demand::{AcquireError, Busy, Demand, ExtendError, Gone, Invalid, Request, Span};
use crate::latest::Latest;
use crate::slab::NONE;
use crate::token::{Fence, Lease, Ticket};
use crate::wheel::Links;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;
use archstone_core::Time;
use archstone_core::shim::atomic::{AtomicUsize, Ordering};
use archstone_core::spin::{Guard, Lock};
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

/// Leases by key, with time handed in.
///
/// Exclusive, shared and counted holds, of whole keys or of ranges of points, one key or many under
/// one token; each lasts its time to live and then is gone, whether anybody calls or not. Requests
/// may wait, in strict order of arrival.
///
/// What may be relied on: a lease granted at `g` with time `d` is valid for `g <= t < g + d`. Two
/// leases that conflict are never valid at one instant *of the clock that the table is given*. A
/// process that slept through its time does not know it: only the resource, checking the
/// [`fence`](Lease::fence), keeps such a write out ([`FenceGate`](crate::FenceGate)).
///
/// A clock that steps back is read as the latest instant seen: exactly for one key, to a millisecond
/// between keys of different shards.
///
/// Costs: acquiring and releasing one whole key is O(1) and allocates only when the table grows; a
/// held `u64` key takes 59 to 75 bytes (65.5 at 2^20). A request with ranges, permits or several keys costs a look
/// into each key's book. A free key costs nothing.
///
/// ```
/// use archstone_lock::{LeaseTable, Time};
/// use std::time::Duration;
///
/// let table: LeaseTable<String> = LeaseTable::new();
/// let ttl = Duration::from_secs(600);
/// let lease = table.try_acquire(Time::ZERO, "seat:12A", ttl)?;
/// assert!(table.try_acquire(Time::from_secs(10), "seat:12A", ttl).is_err());
/// table.release(Time::from_secs(20), lease)?;
/// assert!(table.release(Time::from_secs(20), lease).is_err()); // once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LeaseTable<K, S = ahash::RandomState> {
    shards: Box<Shards<K>>,
    hasher: S,
    config: Config<K>,
    /// Tells this table's tokens from another's.
    id: u16,
    latest: Latest,
    waiting: AtomicUsize,
    /// Leases with keys in several shards. Changed under the locks of those.
    spanning: AtomicUsize,
    /// What became of requests outside of [`advance`](Self::advance): at most one entry a ticket.
    outbox: Lock<Vec<Event>>,
}

/// What happened to a lease or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The lease ended by time, at its [`until`](Lease::until).
    Expired(Lease),
    /// The request waited as long as it may.
    TimedOut(Ticket),
    /// The request got its lease, which began at this moment.
    Granted(Ticket, Lease),
}

/// What became of a request that may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lease that is dropped stays held until it expires"]
pub enum Outcome {
    /// Granted at once.
    Granted(Lease),
    /// In the queue. An [`Event`] will tell.
    Waiting(Ticket),
}

/// Nanoseconds, saturating; without the 128-bit product of `Duration::as_nanos`.
#[inline(always)]
pub(crate) const fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos() as u64)
}

impl<K: Hash + Eq> LeaseTable<K> {
    /// A table of 64 shards, without limits.
    #[must_use]
    pub fn new() -> Self {
        Builder::new().build()
    }

    /// Capacities, lock delay, longest hold, shards.
    pub fn builder() -> Builder<K> {
        Builder::new()
    }
}

impl<K: Hash + Eq> Default for LeaseTable<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Hash + Eq, S: BuildHasher> LeaseTable<K, S> {
    /// The whole of `key`, exclusively, for `ttl`. O(1).
    ///
    /// `Duration::MAX` never expires. Nobody is passed who waits.
    ///
    /// # Errors
    /// [`AcquireError`]; a busy key allocates nothing.
    #[inline]
    pub fn try_acquire<Q>(&self, now: Time, key: &Q, ttl: Duration) -> Result<Lease, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let ttl = nanos(ttl);
        if ttl == 0 {
            return Err(Invalid::ZeroTtl.into());
        }
        let (id, hash) = self.place(key);
        if self.config.needs_slow_path {
            return self.try_acquire_slow(now, key, ttl);
        }
        let mut guard = self.shards[usize::from(id)].lock();
        let now = self.clamp(&mut guard, now);
        let shard = &mut *guard;
        if shard.slots.is_full() {
            return Err(AcquireError::Full(shard.slots.len()));
        }
        let until = now.saturating_add(ttl);
        let Shard { index, slots, books, wheel, .. } = shard;
        let at = match index.seek(hash, |entry| is_key(slots, books, entry, key)) {
            Err(free) => {
                let at = slots.next();
                index.insert(free, hash, at);
                shard.last += 1;
                let links =
                    if until == u64::MAX { Links::NONE } else { wheel.link(slots, at, until) };
                let key = Some(key.to_owned());
                slots.insert(Slot { id: shard.last, until, key, links, hash, rich: NONE })
            }
            Ok((_, at)) => {
                if at & BOOK != 0 {
                    drop(guard);
                    return self.try_acquire_slow(now_as_time(now), key, ttl);
                }
                let held = slots[at].until;
                if held > now {
                    let retry_at = Some(now_as_time(held)).filter(|_| held != u64::MAX);
                    return Err(Busy { demand: 0, retry_at }.into());
                }
                // It has expired and nobody has come by: the slot changes hands.
                shard.last += 1;
                shard.slots[at].id = shard.last;
                shard.set_until(at, until, true);
                at
            }
        };
        let fence = Fence::counted(shard.last);
        Ok(Lease { fence, until: now_as_time(until), slot: at, shard: id, table: self.id })
    }

    /// All demands under one token with one end, or none of them.
    ///
    /// O(n) in the demands, plus each key's book; shards are locked in order, so groups never
    /// deadlock with each other.
    ///
    /// # Errors
    /// [`AcquireError`]; `Busy` names the first demand, as given, that cannot be had.
    pub fn acquire_all(
        &self,
        now: Time,
        demands: &[Demand<K>],
        ttl: Duration,
    ) -> Result<Lease, AcquireError>
    where
        K: Clone,
    {
        if let [Demand { key, span, mode }] = demands {
            return self.try_acquire_part(now, key, *span, *mode, ttl);
        }
        self.admit_or_fail(now, &mut self.wants(demands), nanos(ttl))
    }

    /// All demands under one token, at once or when they can be had, in order of arrival.
    ///
    /// A waiting request holds nothing. It is passed by no later one that overlaps it on any key,
    /// not even a reader by a reader. An [`Event`] of [`advance`](Self::advance) tells what became
    /// of it; the lease begins at that moment.
    ///
    /// # Errors
    /// [`AcquireError`]; `Busy` only if `wait` is zero.
    pub fn enqueue(&self, now: Time, request: &Request<'_, K>) -> Result<Outcome, AcquireError>
    where
        K: Clone,
    {
        let mut wants = self.wants(request.demands);
        let (ttl, wait) = (nanos(request.ttl), nanos(request.wait));
        self.admit(now, &mut wants, ttl, Some((wait, Notify::Event)))
    }

    /// Leaves the queue.
    ///
    /// # Errors
    /// [`Gone`] when the request no longer waits: granted, timed out or cancelled.
    pub fn cancel(&self, now: Time, ticket: Ticket) -> Result<(), Gone> {
        let (mut guard, now) = self.enter(now, ticket.table, ticket.shard)?;
        let shard = &mut *guard;
        let slot = shard.slots.get(ticket.slot).filter(|slot| slot.id == ticket.number);
        if slot.is_none_or(|slot| slot.until <= now) {
            return Err(Gone);
        }
        let mut out = turn::Out::default();
        self.leave_queue(Set::One(ticket.shard, guard), ticket.slot, true, now, &mut out);
        self.deliver(out);
        Ok(())
    }

    /// The lease ends at `now + ttl`, if that is later than its end so far: extending never
    /// shortens, and never revives. Returns the end, [`Time::MAX`] for one that does not expire.
    /// With a longest hold the end may be sooner than asked for. O(1).
    ///
    /// # Errors
    /// [`ExtendError`].
    pub fn extend(&self, now: Time, lease: Lease, ttl: Duration) -> Result<Time, ExtendError> {
        let ttl = nanos(ttl);
        if ttl == 0 {
            return Err(ExtendError::ZeroTtl);
        }
        let (mut guard, now) = self.enter(now, lease.table, lease.shard)?;
        let shard = &mut *guard;
        let old = self.live(shard, lease, now)?;
        let limit = shard.limits.get(lease.slot as usize).copied().unwrap_or(u64::MAX);
        let until = now.saturating_add(ttl).min(limit).max(old);
        if until != old {
            shard.set_until(lease.slot, until, true);
        }
        Ok(now_as_time(until))
    }

    /// The lease no longer expires: a hold becomes a booking. The longest hold does not apply. O(1).
    ///
    /// # Errors
    /// [`Gone`] when it has ended: whoever was about to charge must not.
    pub fn confirm(&self, now: Time, lease: Lease) -> Result<(), Gone> {
        let (mut guard, now) = self.enter(now, lease.table, lease.shard)?;
        let shard = &mut *guard;
        if self.live(shard, lease, now)? != u64::MAX {
            shard.set_until(lease.slot, u64::MAX, true);
        }
        Ok(())
    }

    /// Gives the lease back, all its keys. O(1) for a sole lease, without a look for the key.
    ///
    /// # Errors
    /// [`Gone`] when it had ended: somebody else may have held the key meanwhile.
    #[inline(always)]
    pub fn release(&self, now: Time, lease: Lease) -> Result<(), Gone> {
        // Its parts in registers. A copy of all 24 bytes waits for the stores of the grant.
        self.release_at(now, lease.fence, lease.slot, lease.shard, lease.table)
    }

    #[inline]
    fn release_at(
        &self,
        now: Time,
        fence: Fence,
        at: u32,
        home: u16,
        table: u16,
    ) -> Result<(), Gone> {
        let (mut guard, now) = self.enter(now, table, home)?;
        let shard = &mut *guard;
        let slot = shard.slots.get(at).ok_or(Gone)?;
        if slot.id != fence.get() || slot.until <= now {
            return Err(Gone);
        }
        if slot.rich == NONE {
            let (links, until) = (slot.links, slot.until);
            if until != u64::MAX {
                shard.wheel.unlink(&mut shard.slots, at, links, until);
            }
            remove_sole(shard, at);
            return Ok(());
        }
        let mut out = turn::Out::default();
        self.end(Set::One(home, guard), at, true, now, &mut out);
        self.deliver(out);
        Ok(())
    }

    /// When the lease ends ([`Time::MAX`]: never), or `None` if it has. O(1).
    #[must_use]
    pub fn status(&self, now: Time, lease: Lease) -> Option<Time> {
        let (guard, now) = self.enter(now, lease.table, lease.shard).ok()?;
        self.live(&guard, lease, now).ok().map(now_as_time)
    }

    /// How many permits of `key` are in use at `point` (0 for keys without ranges); all of them,
    /// [`READERS`](crate::READERS) without a stated capacity, is exclusive.
    #[must_use]
    pub fn used<Q>(&self, now: Time, key: &Q, point: i64) -> u32
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (id, hash) = self.place(key);
        self.settle_all(now);
        let mut set = self.settled(&[id], &mut { now });
        let shard = set.at(id);
        let span = Span::new(point, point.saturating_add(1));
        match shard.find(hash, key) {
            None => 0,
            Some(book) if book & BOOK != 0 => {
                let book = &shard.books[book & !BOOK];
                book.occupancy.peak(span, book.capacity)
            }
            Some(_) if point == 0 => self.config.capacity_of(key),
            Some(_) => 0,
        }
    }

    /// An instant at or before the next end of a lease or of a wait: call [`advance`](Self::advance)
    /// then. It may name one at which nothing ends yet (a slot of the timing wheel), a few times
    /// a lease at most. [`Time::ZERO`] when events are waiting already. O(shards).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        if !self.outbox.lock().is_empty() {
            return Some(Time::ZERO);
        }
        self.shards.iter().filter_map(|s| s.lock().wheel.earliest()).min().map(Time::from_nanos)
    }

    /// Ends what is due at `now`, grants what can be granted then, and hands out the events since
    /// the last call, in no particular order.
    ///
    /// Leases end at their time with or without this; it is what tells, and what grants to waiters.
    /// An expired lease that an operation on its key found first is not told. O(1) a lease; a shard
    /// is held for at most 64 of them at a time.
    pub fn advance(&self, now: Time, events: &mut impl Extend<Event>) {
        for id in 0..self.shards.len() {
            self.advance_shard(id as u16, now, &mut |batch| events.extend(batch));
        }
        events.extend(core::mem::take(&mut *self.outbox.lock()));
    }

    /// The highest fence given so far. Persist a bound of it, and begin the next table above it.
    #[must_use]
    pub fn highest_fence(&self) -> Option<Fence> {
        Fence::new(self.shards.iter().map(|shard| shard.lock().last).max().unwrap_or(0))
    }

    /// Leases held and requests waiting; also leases that have expired and that nobody has come by.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().slots.len()).sum()
    }

    /// Whether nothing is held and nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> (u16, u32) {
        let hash = self.hasher.hash_one(key);
        // The index uses the lower half of the hash, the choice of a shard the upper.
        (((hash >> 32) as usize & (self.shards.len() - 1)) as u16, hash as u32)
    }

    /// The effective instant: never before one that this shard has seen.
    #[inline(always)]
    fn clamp(&self, shard: &mut Shard<K>, now: Time) -> u64 {
        self.latest.clamp(&mut shard.now, now)
    }

    /// The home shard of a token, and the effective instant.
    #[inline(always)]
    fn enter(&self, now: Time, table: u16, shard: u16) -> Result<(Guard<'_, Shard<K>>, u64), Gone> {
        if table != self.id {
            return Err(Gone);
        }
        let mut guard = self.shards.get(usize::from(shard)).ok_or(Gone)?.lock();
        let now = self.clamp(&mut guard, now);
        Ok((guard, now))
    }

    /// The end of a lease that is valid at `now`.
    #[inline(always)]
    fn live(&self, shard: &Shard<K>, lease: Lease, now: u64) -> Result<u64, Gone> {
        let slot = shard.slots.get(lease.slot).ok_or(Gone)?;
        if slot.id == lease.fence.get() && slot.until > now { Ok(slot.until) } else { Err(Gone) }
    }
}

#[inline(always)]
const fn now_as_time(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

/// Removes the lease of one whole key that nobody waits for, already out of the wheel.
#[inline(always)]
fn remove_sole<K>(shard: &mut Shard<K>, at: u32) {
    let hash = shard.slots[at].hash;
    let was = shard.index.take(hash, at);
    debug_assert!(was, "every key is in the index");
    shard.slots.free(at);
}

impl<K, S> fmt::Debug for LeaseTable<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.load(Ordering::Relaxed);
        f.debug_struct("LeaseTable")
            .field("shards", &self.shards.len())
            .field("waiting", &waiting)
            .finish()
    }
}

impl Lease {
    fn ended(self) -> Event {
        Event::Expired(self)
    }
}
