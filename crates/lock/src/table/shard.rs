//! What one shard holds. No locking and no time here: the table brings both.

use super::index::Index;
use crate::calendar::Occupancy;
use crate::demand::Span;
use crate::slab::{NONE, Slab};
use crate::wheel::{Links, Timed, Wheel};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::task::Waker;

/// Marks an entry of the index as a book's number; without it, a slot's.
pub(super) const BOOK: u32 = 1 << 31;
/// In [`Slot::rich`]: the sole holder's lease has expired and the lock delay runs.
pub(super) const GHOST: u32 = NONE - 1;

/// A lease or a waiting request: 48 bytes with a `u64` key.
///
/// The lease of one whole key, exclusive, with nobody waiting ("sole") is this alone; everything
/// else has a [`Rich`] beside it and its keys in [`Book`]s.
pub(super) struct Slot<K> {
    /// Fence of the lease, number of the ticket, or a number nobody has (a ghost).
    pub(super) id: u64,
    /// End of the lease or of the waiting; `u64::MAX` is never, and not armed.
    pub(super) until: u64,
    /// The key of a sole lease.
    pub(super) key: Option<K>,
    pub(super) links: Links,
    pub(super) hash: u32,
    pub(super) rich: u32,
}

impl<K> Timed for Slot<K> {
    fn due(&self) -> u64 {
        self.until
    }
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// A key that is not held solely: who holds how much of it, and who waits, in order of arrival.
pub(super) struct Book<K> {
    pub(super) key: K,
    pub(super) hash: u32,
    pub(super) capacity: u32,
    /// Parts that hold it. With none, and none waiting, the book goes.
    pub(super) holders: u32,
    pub(super) occupancy: Occupancy,
    pub(super) queue: VecDeque<Waiter>,
}

/// A part of a waiting request, in the queue of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) slot: u32,
    pub(super) shard: u16,
    pub(super) permits: u32,
    pub(super) span: Span,
}

impl<K> Book<K> {
    /// Whether a waiter before `number` wants a point of `span`.
    pub(super) fn is_blocked(&self, number: u64, span: Span) -> bool {
        self.queue.iter().take_while(|w| w.number < number).any(|w| w.span.overlaps(span))
    }

    /// The waiters that this key lets pass: nothing before them overlaps, and they fit. With whole
    /// keys that is the front or nobody, O(1); with ranges O(waiters x passed ranges).
    pub(super) fn runnable(&self, found: &mut Vec<Candidate>) {
        let mut before: Vec<Span> = Vec::new();
        for waiter in &self.queue {
            if before.iter().any(|span| span.overlaps(waiter.span)) {
                continue;
            }
            if self.occupancy.fits(waiter.span, waiter.permits, self.capacity) {
                found.push(Candidate {
                    number: waiter.number,
                    shard: waiter.shard,
                    slot: waiter.slot,
                });
            }
            if waiter.span == Span::WHOLE && matches!(self.occupancy, Occupancy::Whole(_)) {
                break;
            }
            before.push(waiter.span);
        }
    }
}

/// A waiting request that may be able to run, ordered by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) number: u64,
    pub(super) shard: u16,
    pub(super) slot: u32,
}

/// One key of a lease or request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) shard: u16,
    pub(super) book: u32,
    pub(super) permits: u32,
    pub(super) span: Span,
}

/// Most leases have one key, which then costs no allocation.
pub(super) enum Parts {
    One(Part),
    Many(Box<[Part]>),
}

impl Parts {
    pub(super) fn as_slice(&self) -> &[Part] {
        match self {
            Self::One(part) => core::slice::from_ref(part),
            Self::Many(parts) => parts,
        }
    }

    /// Whether they lie in several shards.
    pub(super) fn spans(&self) -> bool {
        let parts = self.as_slice();
        parts.iter().any(|part| part.shard != parts[0].shard)
    }
}

pub(super) struct Rich {
    pub(super) parts: Parts,
    /// The ticket that became this lease, or 0.
    pub(super) ticket: u64,
    pub(super) state: State,
}

pub(super) enum State {
    Held,
    /// Expired; nobody's until the lock delay has passed.
    Ghost,
    Waiting {
        ttl: u64,
        notify: Notify,
    },
}

/// How a waiter learns what became of its request.
#[derive(Clone, Debug)]
pub(crate) enum Notify {
    /// By an event of the table.
    Event,
    /// It polls, and is woken.
    Waker(Waker),
}

/// The lowest shard of a lease's parts is its home: there lies its slot.
pub(super) struct Shard<K> {
    /// The latest instant seen.
    pub(super) now: u64,
    /// The last number given to a grant or a ticket.
    pub(super) last: u64,
    pub(super) index: Index,
    pub(super) slots: Slab<Slot<K>>,
    pub(super) wheel: Wheel,
    pub(super) books: Slab<Book<K>>,
    pub(super) rich: Slab<Rich>,
    /// The end of each slot's longest hold, if the table has such a limit.
    pub(super) limits: Vec<u64>,
}

impl<K: Eq> Shard<K> {
    pub(super) fn new(last: u64) -> Self {
        Self {
            now: 0,
            last,
            index: Index::new(),
            slots: Slab::new(),
            wheel: Wheel::new(),
            books: Slab::new(),
            rich: Slab::new(),
            limits: Vec::new(),
        }
    }

    /// The index entry of `key`.
    #[inline(always)]
    pub(super) fn find<Q: Eq + ?Sized>(&self, hash: u32, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
    {
        let Self { index, slots, books, .. } = self;
        index.seek(hash, |entry| is_key(slots, books, entry, key)).ok().map(|found| found.1)
    }

    /// Where `entry` stands in the index becomes `with`, or nothing.
    pub(super) fn reindex(&mut self, hash: u32, entry: u32, with: Option<u32>) {
        match (self.index.seek(hash, |other| other == entry), with) {
            (Ok((place, _)), Some(with)) => self.index.replace(place, hash, with),
            (Ok((place, _)), None) => self.index.remove(place),
            (Err(_), _) => debug_assert!(false, "every key is in the index"),
        }
    }

    /// Puts a slot in, armed unless it never ends.
    pub(super) fn insert(&mut self, slot: Slot<K>) -> u32 {
        let until = slot.until;
        let at = self.slots.insert(slot);
        if until != u64::MAX {
            self.wheel.arm(&mut self.slots, at, until);
        }
        at
    }

    /// Takes a slot out. `armed` is false when the wheel has just given it.
    pub(super) fn remove(&mut self, at: u32, armed: bool) -> Option<Slot<K>> {
        let until = self.slots.get(at)?.until;
        if armed && until != u64::MAX {
            self.wheel.disarm(&mut self.slots, at, until);
        }
        self.slots.remove(at)
    }

    /// Another end for a slot that is armed if it ends.
    pub(super) fn set_until(&mut self, at: u32, until: u64, armed: bool) {
        let old = self.slots[at].until;
        if armed && old != u64::MAX {
            self.wheel.disarm(&mut self.slots, at, old);
        }
        self.slots[at].until = until;
        if until != u64::MAX {
            self.wheel.arm(&mut self.slots, at, until);
        }
    }

    /// The book of `key`, whose index entry is `entry`, made if there is none; a sole lease moves in.
    pub(super) fn ensure_book<Q>(
        &mut self,
        me: u16,
        hash: u32,
        key: &Q,
        capacity: u32,
        entry: Option<u32>,
    ) -> u32
    where
        K: Borrow<Q>,
        Q: Eq + alloc::borrow::ToOwned<Owned = K> + ?Sized,
    {
        if let Some(book) = entry.filter(|entry| entry & BOOK != 0) {
            return book & !BOOK;
        }
        let (mut occupancy, queue) = (Occupancy::new(), VecDeque::new());
        let Some(sole) = entry else {
            let key = key.to_owned();
            let book =
                self.books.insert(Book { key, hash, capacity, holders: 0, occupancy, queue });
            self.index.insert_new(hash, book | BOOK);
            return book;
        };
        occupancy.add(Span::WHOLE, capacity, capacity);
        let key = self.slots[sole].key.take().unwrap_or_else(|| key.to_owned());
        let book = self.books.insert(Book { key, hash, capacity, holders: 1, occupancy, queue });
        self.reindex(hash, sole, Some(book | BOOK));
        let parts = Parts::One(Part { shard: me, book, permits: capacity, span: Span::WHOLE });
        let state = if self.slots[sole].rich == GHOST { State::Ghost } else { State::Held };
        self.slots[sole].rich = self.rich.insert(Rich { parts, ticket: 0, state });
        book
    }

    /// Looks who of `book` may run now; the book goes when nobody needs it.
    pub(super) fn look(&mut self, book: u32, found: &mut Vec<Candidate>) {
        let Some(it) = self.books.get(book) else { return };
        if !it.queue.is_empty() {
            it.runnable(found);
        } else if it.holders == 0 {
            let hash = it.hash;
            self.reindex(hash, book | BOOK, None);
            self.books.remove(book);
        }
    }
}

#[inline(always)]
pub(super) fn is_key<K: Borrow<Q>, Q: Eq + ?Sized>(
    slots: &Slab<Slot<K>>,
    books: &Slab<Book<K>>,
    entry: u32,
    key: &Q,
) -> bool {
    if entry & BOOK == 0 {
        slots.get(entry).and_then(|slot| slot.key.as_ref()).is_some_and(|k| k.borrow() == key)
    } else {
        books.get(entry & !BOOK).is_some_and(|book| book.key.borrow() == key)
    }
}
