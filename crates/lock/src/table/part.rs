//! One demand that does not wait: a range, a reader, permits. One shard, one look for the key.
//!
//! What [`admit`](super::admit) does for any request, without a set of locked shards and lists of
//! demands. Whatever is not plain (something is due, somebody waits, the key is held solely, the
//! request is wrong) goes there.

use super::LeaseTable;
use super::admit::Want;
use super::shard::{BOOK, Book, Part, Parts, Rich, Shard, Slot, State, is_key};
use super::{nanos, now_as_time};
use crate::calendar::Occupancy;
use crate::demand::{AcquireError, Busy, Mode, Span};
use crate::token::{Fence, Lease};
use crate::wheel::Links;
use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use archstone_core::Time;
use archstone_core::shim::atomic::Ordering;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

impl<K: Hash + Eq, S: BuildHasher> LeaseTable<K, S> {
    /// One demand: a range, a reader, permits. See [`Demand`](crate::Demand); the key is borrowed.
    ///
    /// # Errors
    /// [`AcquireError`].
    pub fn try_acquire_part<Q>(
        &self,
        now: Time,
        key: &Q,
        span: Span,
        mode: Mode,
        ttl: Duration,
    ) -> Result<Lease, AcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if span == Span::WHOLE && mode == Mode::Exclusive {
            return self.try_acquire(now, key, ttl);
        }
        let (ttl, (id, hash)) = (nanos(ttl), self.place(key));
        match self.plain_part(now, key, (id, hash), span, mode, ttl) {
            Some(Ok(lease)) => Ok(lease),
            Some(Err(busy)) => Err(busy.into()),
            None => {
                let mut wants = [Want::new(key, id, hash, span, mode)];
                self.admit_or_fail(now, &mut wants, ttl)
            }
        }
    }

    /// `None`, and nothing changed, when it is not plain.
    #[inline]
    fn plain_part<Q>(
        &self,
        now: Time,
        key: &Q,
        (id, hash): (u16, u32),
        span: Span,
        mode: Mode,
        ttl: u64,
    ) -> Option<Result<Lease, Busy>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if ttl == 0 || span.is_empty() || self.config.max_hold != u64::MAX {
            return None;
        }
        let mut guard = self.shards[usize::from(id)].lock();
        let now = self.clamp(&mut guard, now);
        let shard = &mut *guard;
        if shard.wheel.is_due(now) || shard.slots.is_full() {
            return None;
        }
        let Shard { index, slots, books, wheel, rich, last, .. } = shard;
        let (book, permits) = match index.seek(hash, |entry| is_key(slots, books, entry, key)) {
            Ok((_, entry)) if entry & BOOK != 0 => {
                let book = &mut books[entry & !BOOK];
                let permits = permits(mode, book.capacity)?;
                if !book.queue.is_empty() {
                    return None;
                }
                if !book.occupancy.take(span, permits, book.capacity) {
                    // In the way may be a lease that is over and whose home is elsewhere.
                    let sure = self.spanning.load(Ordering::Relaxed) == 0;
                    return sure.then_some(Err(Busy { demand: 0, retry_at: None }));
                }
                book.holders += 1;
                (entry & !BOOK, permits)
            }
            Ok(_) => return None,
            Err(place) => {
                let capacity = self.config.capacity_of(key);
                let permits = permits(mode, capacity)?;
                let (key, queue) = (key.to_owned(), VecDeque::new());
                let mut occupancy = Occupancy::new();
                occupancy.add(span, permits, capacity);
                let book = books.insert(Book { key, hash, capacity, holders: 1, occupancy, queue });
                index.insert(place, hash, book | BOOK);
                (book, permits)
            }
        };
        let parts = Parts::One(Part { shard: id, book, permits, span });
        let rich = rich.insert(Rich { parts, ticket: 0, state: State::Held });
        *last += 1;
        let (number, until, at) = (*last, now.saturating_add(ttl), slots.next());
        let links = if until == u64::MAX { Links::NONE } else { wheel.link(slots, at, until) };
        slots.insert(Slot { id: number, until, key: None, links, hash: 0, rich });
        let fence = Fence::counted(number);
        Some(Ok(Lease { fence, until: now_as_time(until), slot: at, shard: id, table: self.id }))
    }
}

/// What `mode` takes of a key with room for `capacity`, if that can be.
#[inline]
fn permits(mode: Mode, capacity: u32) -> Option<u32> {
    let permits = match mode {
        Mode::Exclusive => capacity,
        Mode::Shared => 1,
        Mode::Permits(permits) => permits,
    };
    Some(permits).filter(|permits| (1..=capacity).contains(permits))
}
