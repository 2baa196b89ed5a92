//! Whether a request can be granted, and granting or queueing it.

use super::set::Set;
use super::shard::{BOOK, Notify, Part, Parts, Rich, Slot, State};
use super::{LeaseTable, Outcome, now_as_time};
use crate::demand::{AcquireError, Busy, Demand, Invalid, Mode, Span};
use crate::slab::NONE;
use crate::token::{Fence, Lease, Ticket};
use crate::wheel::Links;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use archstone_core::Time;
use archstone_core::shim::atomic::Ordering;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

/// A demand whose key is borrowed and hashed.
pub(super) struct Want<'a, Q: ?Sized> {
    key: &'a Q,
    shard: u16,
    hash: u32,
    span: Span,
    mode: Mode,
    /// Filled in by `validate`.
    permits: u32,
    capacity: u32,
    entry: Option<u32>,
}

impl<'a, Q: ?Sized> Want<'a, Q> {
    pub(super) const fn new(key: &'a Q, shard: u16, hash: u32, span: Span, mode: Mode) -> Self {
        Self { key, shard, hash, span, mode, permits: 0, capacity: 0, entry: None }
    }

    fn is_sole(&self) -> bool {
        self.span == Span::WHOLE && self.permits == self.capacity
    }
}

impl<K: Hash + Eq, S: BuildHasher> LeaseTable<K, S> {
    pub(super) fn wants<'a>(&self, demands: &'a [Demand<K>]) -> Vec<Want<'a, K>>
    where
        K: Clone,
    {
        let want = |demand: &'a Demand<K>| {
            let (shard, hash) = self.place(&demand.key);
            Want::new(&demand.key, shard, hash, demand.span, demand.mode)
        };
        demands.iter().map(want).collect()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn try_acquire_slow<Q>(
        &self,
        now: Time,
        key: &Q,
        ttl: u64,
    ) -> Result<Lease, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (shard, hash) = self.place(key);
        let mut wants = [Want::new(key, shard, hash, Span::WHOLE, Mode::Exclusive)];
        self.admit_or_fail(now, &mut wants, ttl)
    }

    pub(super) fn admit_or_fail<Q>(
        &self,
        now: Time,
        wants: &mut [Want<'_, Q>],
        ttl: u64,
    ) -> Result<Lease, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.admit(now, wants, ttl, None)? {
            Outcome::Granted(lease) => Ok(lease),
            Outcome::Waiting(_) => unreachable!("it was not to wait"),
        }
    }

    /// Grants, queues (with `wait`), or refuses.
    pub(super) fn admit<Q>(
        &self,
        now: Time,
        wants: &mut [Want<'_, Q>],
        ttl: u64,
        wait: Option<(u64, Notify)>,
    ) -> Result<Outcome, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if ttl == 0 || self.config.max_hold == 0 {
            return Err(Invalid::ZeroTtl.into());
        }
        let mut now = now;
        let mut set = self.lock_all(wants, &mut now)?;
        self.validate(&mut set, wants)?;
        let mut busy = first_busy(&mut set, wants);
        if busy.is_some() && self.spanning.load(Ordering::Relaxed) > 0 {
            // What is in the way may be a lease whose time is over and whose home is elsewhere.
            drop(set);
            self.settle_all(now);
            set = self.lock_all(wants, &mut now)?;
            self.validate(&mut set, wants)?;
            busy = first_busy(&mut set, wants);
        }
        let now = now.as_nanos();
        match (busy, wait) {
            (None, _) => Ok(Outcome::Granted(self.grant(set, wants, ttl, now)?)),
            (Some(_), Some((wait, notify))) if wait > 0 => {
                self.queue(set, wants, ttl, now.saturating_add(wait), notify)
            }
            (Some(busy), _) => Err(busy.into()),
        }
    }

    /// The shards of all keys, settled.
    #[inline]
    fn lock_all<Q: ?Sized>(
        &self,
        wants: &[Want<'_, Q>],
        now: &mut Time,
    ) -> Result<Set<'_, K>, Invalid> {
        Ok(match wants {
            [] => return Err(Invalid::NoDemand),
            [want] => self.settled(&[want.shard], now),
            wants => {
                let mut ids: Vec<u16> = wants.iter().map(|want| want.shard).collect();
                ids.sort_unstable();
                ids.dedup();
                self.settled(&ids, now)
            }
        })
    }

    /// Ends what is due anywhere, if any lease has keys in several shards: those lie in the wheel of
    /// one of them.
    pub(super) fn settle_all(&self, now: Time) {
        if self.spanning.load(Ordering::Relaxed) > 0 {
            for id in 0..self.shards.len() {
                self.advance_shard(id as u16, now, &mut |_| ());
            }
        }
    }

    /// The shards locked, nothing due in them at `now`, which is clamped.
    #[inline]
    pub(super) fn settled(&self, ids: &[u16], now: &mut Time) -> Set<'_, K> {
        loop {
            let mut set = Set::lock(&self.shards, ids);
            let (mut effective, mut due) = (now.as_nanos(), false);
            set.each(|shard| effective = self.clamp(shard, now_as_time(effective)));
            set.each(|shard| due |= shard.wheel.is_due(effective));
            *now = now_as_time(effective);
            if !due {
                return set;
            }
            drop(set);
            // After one turn nothing is due at this instant: leases begin after it.
            for &id in ids {
                self.advance_shard(id, *now, &mut |_| ());
            }
        }
    }

    /// Resolves modes into permits; refuses what can never be granted.
    fn validate<Q>(&self, set: &mut Set<'_, K>, wants: &mut [Want<'_, Q>]) -> Result<(), Invalid>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        for (demand, want) in wants.iter_mut().enumerate() {
            if want.span.is_empty() {
                return Err(Invalid::EmptySpan(demand));
            }
            let shard = set.at(want.shard);
            want.entry = shard.find(want.hash, want.key);
            want.capacity = match want.entry {
                Some(book) if book & BOOK != 0 => shard.books[book & !BOOK].capacity,
                _ => self.config.capacity_of(want.key),
            };
            let (permits, capacity) = match want.mode {
                Mode::Exclusive => (want.capacity, want.capacity),
                Mode::Shared => (1, want.capacity),
                Mode::Permits(permits) => (permits, want.capacity),
            };
            if permits == 0 {
                return Err(Invalid::NoPermit(demand));
            }
            if permits > capacity {
                return Err(Invalid::TooMany { demand, permits, capacity });
            }
            want.permits = permits;
        }
        if wants.len() > 1 { overlap(wants) } else { Ok(()) }
    }

    fn grant<Q>(
        &self,
        mut set: Set<'_, K>,
        wants: &[Want<'_, Q>],
        ttl: u64,
        now: u64,
    ) -> Result<Lease, AcquireError>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let home = home(wants);
        let shard = set.at(home);
        if shard.slots.is_full() {
            return Err(AcquireError::Full(shard.slots.len()));
        }
        let until = now.saturating_add(ttl.min(self.config.max_hold));
        let sole = match wants {
            [want] if want.is_sole() && want.entry.is_none() => Some(want),
            _ => None,
        };
        let number;
        let at = if let Some(want) = sole {
            number = set.issue();
            let shard = set.at(home);
            let key = Some(want.key.to_owned());
            let slot =
                Slot { id: number, until, key, links: Links::NONE, hash: want.hash, rich: NONE };
            let at = shard.insert(slot);
            shard.index.insert_new(want.hash, at);
            at
        } else {
            let parts = parts(&mut set, wants);
            set.take(parts.as_slice());
            self.spanning.fetch_add(usize::from(parts.spans()), Ordering::Relaxed);
            number = set.issue();
            let shard = set.at(home);
            let rich = shard.rich.insert(Rich { parts, ticket: 0, state: State::Held });
            shard.insert(Slot { id: number, until, key: None, links: Links::NONE, hash: 0, rich })
        };
        self.limit(&mut set, home, at, now);
        let fence = Fence::counted(number);
        Ok(Lease { fence, until: now_as_time(until), slot: at, shard: home, table: self.id })
    }

    /// Remembers when a hold that begins `now` must end.
    pub(super) fn limit(&self, set: &mut Set<'_, K>, home: u16, at: u32, now: u64) {
        if self.config.max_hold != u64::MAX {
            let limits = &mut set.at(home).limits;
            if limits.len() <= at as usize {
                limits.resize(at as usize + 1, u64::MAX);
            }
            limits[at as usize] = now.saturating_add(self.config.max_hold);
        }
    }

    fn queue<Q>(
        &self,
        mut set: Set<'_, K>,
        wants: &[Want<'_, Q>],
        ttl: u64,
        until: u64,
        notify: Notify,
    ) -> Result<Outcome, AcquireError>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let home = home(wants);
        if waiting >= self.config.max_waiters || set.at(home).slots.is_full() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(AcquireError::Full(waiting));
        }
        let parts = parts(&mut set, wants);
        let number = set.issue();
        let slot = set.at(home).slots.next();
        set.queue(parts.as_slice(), home, slot, number);
        let state = State::Waiting { ttl: ttl.min(self.config.max_hold), notify };
        let shard = set.at(home);
        let rich = shard.rich.insert(Rich { parts, ticket: number, state });
        shard.insert(Slot { id: number, until, key: None, links: Links::NONE, hash: 0, rich });
        Ok(Outcome::Waiting(Ticket { number, slot, shard: home, table: self.id }))
    }

    /// [`enqueue`](Self::enqueue) of one whole key by a waiter that polls.
    pub(crate) fn enqueue_polled<Q>(
        &self,
        now: Time,
        key: &Q,
        mode: Mode,
        ttl: Duration,
        notify: Notify,
    ) -> Result<Outcome, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (shard, hash) = self.place(key);
        let mut wants = [Want::new(key, shard, hash, Span::WHOLE, mode)];
        self.admit(now, &mut wants, super::nanos(ttl), Some((u64::MAX, notify)))
    }
}

fn home<Q: ?Sized>(wants: &[Want<'_, Q>]) -> u16 {
    wants.iter().map(|want| want.shard).min().unwrap_or(0)
}

/// Books for every key.
fn parts<K, Q>(set: &mut Set<'_, K>, wants: &[Want<'_, Q>]) -> Parts
where
    K: Eq + Borrow<Q>,
    Q: Eq + ToOwned<Owned = K> + ?Sized,
{
    let mut part = |want: &Want<'_, Q>, alone: bool| {
        let shard = set.at(want.shard);
        // A demand before may have made the book of this one.
        let entry = if alone { want.entry } else { shard.find(want.hash, want.key) };
        let book = shard.ensure_book(want.shard, want.hash, want.key, want.capacity, entry);
        Part { shard: want.shard, book, permits: want.permits, span: want.span }
    };
    match wants {
        [want] => Parts::One(part(want, true)),
        wants => Parts::Many(wants.iter().map(|want| part(want, false)).collect()),
    }
}

/// The first demand that cannot be had.
#[inline]
fn first_busy<K, Q>(set: &mut Set<'_, K>, wants: &[Want<'_, Q>]) -> Option<Busy>
where
    K: Eq + Borrow<Q>,
    Q: Eq + ?Sized,
{
    wants.iter().enumerate().find_map(|(demand, want)| {
        let retry_at = available(set, want).err()?;
        Some(Busy { demand, retry_at })
    })
}

/// Whether `want` can be had now; otherwise when it may be, if that is known.
fn available<K, Q>(set: &mut Set<'_, K>, want: &Want<'_, Q>) -> Result<(), Option<Time>>
where
    K: Eq + Borrow<Q>,
    Q: Eq + ?Sized,
{
    let shard = set.at(want.shard);
    match want.entry {
        None => Ok(()),
        Some(sole) if sole & BOOK == 0 => {
            if !want.span.overlaps(Span::WHOLE) {
                return Ok(());
            }
            let until = shard.slots[sole].until;
            Err(Some(now_as_time(until)).filter(|_| until != u64::MAX))
        }
        Some(book) => {
            let book = &shard.books[book & !BOOK];
            // Everybody in the queue came earlier.
            let free = book.occupancy.fits(want.span, want.permits, book.capacity)
                && !book.is_blocked(u64::MAX, want.span);
            if free { Ok(()) } else { Err(None) }
        }
    }
}

/// Two demands on one key whose ranges overlap. O(n log n).
fn overlap<Q: Eq + ?Sized>(wants: &[Want<'_, Q>]) -> Result<(), Invalid> {
    let mut order: Vec<usize> = (0..wants.len()).collect();
    let place = |at: usize| (wants[at].shard, wants[at].hash);
    order.sort_unstable_by_key(|&at| (place(at), wants[at].span.lo));
    for (nth, &at) in order.iter().enumerate() {
        // The one before of the same key is next to it, but for collisions of the hash.
        let before = order[..nth].iter().rev().take_while(|&&other| place(other) == place(at));
        let same = before.copied().find(|&other| wants[other].key == wants[at].key);
        if let Some(other) = same.filter(|&other| wants[other].span.overlaps(wants[at].span)) {
            return Err(Invalid::Twice(at.min(other), at.max(other)));
        }
    }
    Ok(())
}
