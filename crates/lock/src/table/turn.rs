//! What happens when something ends: expiry, time-outs, release, and who runs then.

use super::set::Set;
use super::shard::{Candidate, GHOST, Notify, Rich, Slot, State};
use super::{Event, LeaseTable, now_as_time, remove_sole};
use crate::slab::NONE;
use crate::token::{Fence, Lease, Ticket};
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use archstone_core::Time;
use archstone_core::shim::atomic::Ordering;
use core::cmp::Reverse;
use core::hash::{BuildHasher, Hash};
use core::task::Waker;

/// Leases and waiters that one hold of a shard's lock ends or moves at most.
const BATCH: usize = 64;

/// What an operation has to tell once it holds no lock: wakers run foreign code.
#[derive(Default)]
pub(super) struct Out {
    pub(super) events: Vec<Event>,
    pub(super) wakers: Vec<Waker>,
}

impl Out {
    fn tell(&mut self, notify: Notify, event: Event) {
        match notify {
            Notify::Event => self.events.push(event),
            Notify::Waker(waker) => self.wakers.push(waker),
        }
    }
}

impl<K: Hash + Eq, S: BuildHasher> LeaseTable<K, S> {
    /// Events of requests stay in the outbox until somebody advances; wakers are woken.
    pub(super) fn deliver(&self, out: Out) {
        if !out.events.is_empty() {
            self.outbox.lock().extend(out.events);
        }
        out.wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends what is due in one shard at `now`. `expired` takes the leases, a batch at a time.
    pub(super) fn advance_shard(&self, id: u16, now: Time, expired: &mut dyn FnMut(Vec<Event>)) {
        loop {
            let mut set = Set::lock(&self.shards, &[id]);
            let now = self.clamp(set.at(id), now);
            let (mut budget, mut out, mut found, mut batch) =
                (BATCH, Out::default(), Vec::new(), Vec::new());
            loop {
                let shard = set.at(id);
                let Some(at) = shard.wheel.pop(&mut shard.slots, now, &mut budget) else { break };
                if self.config.lock_delay == 0 && shard.slots[at].rich == NONE {
                    if batch.is_empty() {
                        batch.reserve(budget + 1);
                    }
                    batch.push(self.expired(&shard.slots[at], id, at));
                    remove_sole(shard, at);
                } else {
                    set = self.lapse(set, at, now, &mut found, &mut batch, &mut out);
                }
            }
            drop(set);
            if !batch.is_empty() {
                expired(batch);
            }
            self.pump(found, now, &mut out);
            self.deliver(out);
            if budget > 0 {
                return;
            }
        }
    }

    fn expired(&self, slot: &Slot<K>, shard: u16, at: u32) -> Event {
        let (fence, until) = (Fence::counted(slot.id), now_as_time(slot.until));
        Lease { fence, until, slot: at, shard, table: self.id }.ended()
    }

    /// The time of the slot `at`, just taken from the wheel, is over.
    fn lapse<'a>(
        &'a self,
        set: Set<'a, K>,
        at: u32,
        now: u64,
        found: &mut Vec<Candidate>,
        batch: &mut Vec<Event>,
        out: &mut Out,
    ) -> Set<'a, K> {
        let (mut set, home) = self.widen(set, at);
        let shard = set.at(home);
        let (until, rich) = (shard.slots[at].until, shard.slots[at].rich);
        let state = shard.rich.get(rich).map(|rich| &rich.state);
        if let Some(State::Waiting { .. }) = state {
            self.time_out(&mut set, home, at, false, found, out);
            return set;
        }
        let is_ghost = rich == GHOST || matches!(state, Some(State::Ghost));
        if !is_ghost {
            batch.push(self.expired(&shard.slots[at], home, at));
            let until = until.saturating_add(self.config.lock_delay);
            if until > now {
                // Nobody has this number, so no token opens it.
                let number = set.issue();
                let shard = set.at(home);
                shard.slots[at].id = number;
                shard.set_until(at, until, false);
                match shard.rich.get_mut(rich) {
                    Some(rich) => rich.state = State::Ghost,
                    None => shard.slots[at].rich = GHOST,
                }
                return set;
            }
        }
        self.close(&mut set, home, at, false, found);
        set
    }

    /// The home of the slot `at` and every shard of its keys, locked.
    fn widen<'a>(&'a self, mut set: Set<'a, K>, at: u32) -> (Set<'a, K>, u16) {
        let home = match &set {
            Set::One(id, _) => *id,
            Set::Many(all) => all[0].0,
        };
        let shard = set.at(home);
        let parts = match shard.rich.get(shard.slots[at].rich).map(|rich| rich.parts.as_slice()) {
            None => Vec::new(),
            Some(parts) if parts.iter().all(|part| part.shard == home) => Vec::new(),
            Some(parts) => parts.to_vec(),
        };
        (set.widen(&self.shards, &parts), home)
    }

    /// Removes a lease and lets go of its keys.
    fn close(
        &self,
        set: &mut Set<'_, K>,
        home: u16,
        at: u32,
        armed: bool,
        found: &mut Vec<Candidate>,
    ) {
        let shard = set.at(home);
        let rich = shard.slots[at].rich;
        if rich == NONE || rich == GHOST {
            let Slot { links, until, .. } = shard.slots[at];
            if armed && until != u64::MAX {
                shard.wheel.unlink(&mut shard.slots, at, links, until);
            }
            remove_sole(shard, at);
        } else {
            shard.remove(at, armed);
            if let Some(rich) = shard.rich.remove(rich) {
                self.spanning.fetch_sub(usize::from(rich.parts.spans()), Ordering::Relaxed);
                set.let_go(&rich, found);
            }
        }
    }

    /// Releases the lease in slot `at` and grants to who waits for its keys.
    pub(super) fn end(&self, set: Set<'_, K>, at: u32, armed: bool, now: u64, out: &mut Out) {
        let mut found = Vec::new();
        let (mut set, home) = self.widen(set, at);
        self.close(&mut set, home, at, armed, &mut found);
        drop(set);
        self.pump(found, now, out);
    }

    /// Takes the waiting request in slot `at` out of its queues, untold.
    pub(super) fn leave_queue(
        &self,
        set: Set<'_, K>,
        at: u32,
        armed: bool,
        now: u64,
        out: &mut Out,
    ) {
        let mut found = Vec::new();
        let (mut set, home) = self.widen(set, at);
        self.unqueue(&mut set, home, at, armed, &mut found);
        drop(set);
        self.pump(found, now, out);
    }

    fn unqueue(
        &self,
        set: &mut Set<'_, K>,
        home: u16,
        at: u32,
        armed: bool,
        found: &mut Vec<Candidate>,
    ) -> Option<Rich> {
        let shard = set.at(home);
        let slot = shard.remove(at, armed)?;
        let rich = shard.rich.remove(slot.rich)?;
        set.unqueue(rich.parts.as_slice(), slot.id);
        set.look(&rich, found);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(rich)
    }

    fn time_out(
        &self,
        set: &mut Set<'_, K>,
        home: u16,
        at: u32,
        armed: bool,
        found: &mut Vec<Candidate>,
        out: &mut Out,
    ) {
        let number = set.at(home).slots[at].id;
        if let Some(Rich { state: State::Waiting { notify, .. }, .. }) =
            self.unqueue(set, home, at, armed, found)
        {
            let ticket = Ticket { number, slot: at, shard: home, table: self.id };
            out.tell(notify, Event::TimedOut(ticket));
        }
    }

    /// Grants to whoever of `found` can run, and to whoever can because of that, in order of
    /// arrival. Each candidate is looked at again under the locks of all its keys: between the look
    /// that found it and this, others may have come, but none may have passed it.
    pub(super) fn pump(&self, found: Vec<Candidate>, now: u64, out: &mut Out) {
        if found.is_empty() {
            return;
        }
        let mut work: BinaryHeap<Reverse<Candidate>> = found.into_iter().map(Reverse).collect();
        let mut found = Vec::new();
        while let Some(Reverse(candidate)) = work.pop() {
            let mut set = Set::lock(&self.shards, &[candidate.shard]);
            let now = self.clamp(set.at(candidate.shard), now_as_time(now));
            let waits = |slot: &Slot<K>| slot.id == candidate.number;
            if !set.at(candidate.shard).slots.get(candidate.slot).is_some_and(waits) {
                continue;
            }
            let (mut set, home) = self.widen(set, candidate.slot);
            // Half-open: whose time ends at this instant is too late for what gets free at it.
            if set.at(home).slots[candidate.slot].until <= now {
                self.time_out(&mut set, home, candidate.slot, true, &mut found, out);
            } else {
                self.grant_waiter(&mut set, home, candidate, now, &mut found, out);
            }
            drop(set);
            work.extend(found.drain(..).map(Reverse));
        }
    }

    fn grant_waiter(
        &self,
        set: &mut Set<'_, K>,
        home: u16,
        candidate: Candidate,
        now: u64,
        found: &mut Vec<Candidate>,
        out: &mut Out,
    ) {
        let shard = set.at(home);
        let rich = shard.slots[candidate.slot].rich;
        let spans = shard.rich[rich].parts.spans();
        let parts = shard.rich[rich].parts.as_slice().to_vec();
        let runs = parts.iter().all(|part| {
            let book = &set.at(part.shard).books[part.book];
            book.occupancy.fits(part.span, part.permits, book.capacity)
                && !book.is_blocked(candidate.number, part.span)
        });
        if !runs {
            return;
        }
        set.unqueue(&parts, candidate.number);
        set.take(&parts);
        self.spanning.fetch_add(usize::from(spans), Ordering::Relaxed);
        let number = set.issue();
        let shard = set.at(home);
        let State::Waiting { ttl, notify } =
            core::mem::replace(&mut shard.rich[rich].state, State::Held)
        else {
            return;
        };
        let until = now.saturating_add(ttl);
        shard.slots[candidate.slot].id = number;
        shard.set_until(candidate.slot, until, true);
        self.limit(set, home, candidate.slot, now);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let ticket =
            Ticket { number: candidate.number, slot: candidate.slot, shard: home, table: self.id };
        let (fence, until) = (Fence::counted(number), now_as_time(until));
        let lease = Lease { fence, until, slot: candidate.slot, shard: home, table: self.id };
        out.tell(notify, Event::Granted(ticket, lease));
        for part in parts {
            set.at(part.shard).look(part.book, found);
        }
    }
}
