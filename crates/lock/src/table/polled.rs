//! Requests whose waiter polls and is woken, for the façades: futures and parked threads.

use super::set::Set;
use super::shard::{Notify, State};
use super::{LeaseTable, now_as_time, turn};
use crate::demand::Gone;
use crate::token::{Fence, Lease, Ticket};
use archstone_core::Time;
use core::hash::{BuildHasher, Hash};
use core::task::{Poll, Waker};

impl<K: Hash + Eq, S: BuildHasher> LeaseTable<K, S> {
    /// What became of a polled request; `waker` is woken when that changes.
    pub(crate) fn poll(
        &self,
        now: Time,
        ticket: Ticket,
        waker: &Waker,
    ) -> Poll<Result<Lease, Gone>> {
        let Ok((mut guard, now)) = self.enter(now, ticket.table, ticket.shard) else {
            return Poll::Ready(Err(Gone));
        };
        let shard = &mut *guard;
        let Some(slot) = shard.slots.get(ticket.slot) else { return Poll::Ready(Err(Gone)) };
        let Some(rich) = shard.rich.get_mut(slot.rich).filter(|rich| rich.ticket == ticket.number)
        else {
            return Poll::Ready(Err(Gone));
        };
        match &mut rich.state {
            State::Waiting { notify: Notify::Waker(old), .. } => {
                if !old.will_wake(waker) {
                    *old = waker.clone();
                }
                Poll::Pending
            }
            State::Held if slot.until > now => {
                let (fence, until) = (Fence::counted(slot.id), now_as_time(slot.until));
                let (slot, shard, table) = (ticket.slot, ticket.shard, ticket.table);
                Poll::Ready(Ok(Lease { fence, until, slot, shard, table }))
            }
            _ => Poll::Ready(Err(Gone)),
        }
    }

    /// The waiter goes: it leaves the queue, or gives back the lease that it has been granted and
    /// has not seen. So a future dropped between wake and poll loses no wake-up (I7).
    pub(crate) fn abandon(&self, now: Time, ticket: Ticket) {
        let Ok((guard, now)) = self.enter(now, ticket.table, ticket.shard) else { return };
        let shard = &*guard;
        let Some(slot) = shard.slots.get(ticket.slot) else { return };
        let Some(rich) = shard.rich.get(slot.rich).filter(|rich| rich.ticket == ticket.number)
        else {
            return;
        };
        let waits = matches!(rich.state, State::Waiting { .. });
        let held = matches!(rich.state, State::Held);
        let (set, mut out) = (Set::One(ticket.shard, guard), turn::Out::default());
        if waits {
            self.leave_queue(set, ticket.slot, true, now, &mut out);
        } else if held {
            self.end(set, ticket.slot, true, now, &mut out);
        }
        self.deliver(out);
    }
}
