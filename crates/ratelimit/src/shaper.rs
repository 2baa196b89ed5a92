//! The leaky bucket as a queue: it delays instead of denying.

use crate::exact::{Meter, Scale, scale_of};
use crate::{Denial, Gcra, Grant, Quota, Rate, Shared, Time, Verdict};
use alloc::collections::VecDeque;

/// A first-in-first-out shaper that tells each request when to leave.
///
/// Requests leave one after the other at exactly the rate, as from a bucket with one hole. A queue
/// of at most `queue` units waits, counting the one that is leaving; what does not fit is refused.
/// Nothing is stored but the instant at which the queue will be empty, so the caller keeps the
/// requests: in a timer wheel, in sleeping tasks, in packets' timestamps. Lock-free, O(1).
///
/// ```
/// use archstone_ratelimit::{Rate, Shaper, Time};
///
/// let shaper = Shaper::new(Rate::per_second(10), 3);
/// let now = Time::from_secs(1);
/// let leave = |cost| shaper.offer_at(now, cost).map(|departure| departure.at.as_millis());
/// assert_eq!(leave(1), Ok(1_000));
/// assert_eq!(leave(1), Ok(1_100));
/// assert_eq!(leave(1), Ok(1_200));
/// assert!(leave(1).is_err()); // the queue is full
/// ```
#[derive(Debug)]
pub struct Shaper {
    bucket: Shared<Gcra>,
}

/// When a request of a [`Shaper`] leaves.
#[must_use = "a departure that nobody waits for shapes nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The instant it leaves, not before it was offered.
    pub at: Time,
    /// The receipt, for [`Shaper::cancel_at`].
    pub grant: Grant,
}

impl Shaper {
    /// A shaper of `rate` whose queue holds `queue` units.
    #[must_use]
    pub fn new(rate: Rate, queue: u64) -> Self {
        Self { bucket: Shared::new(Gcra::new(Quota::new(rate).with_burst(queue))) }
    }

    /// Queues a request of `cost` units at `now`; a cost of 0 leaves at the end of the queue
    /// without lengthening it.
    ///
    /// # Errors
    /// The denial when the queue is full; its wait is until the request would fit.
    pub fn offer_at(&self, now: Time, cost: u64) -> Result<Departure, Denial> {
        match self.bucket.check_at(now, cost) {
            Verdict::Allow(grant) => Ok(Departure { at: departure(&grant).max(now), grant }),
            Verdict::Deny(denial) => Err(denial),
        }
    }

    /// Takes a request out of the queue that has not left yet, and says how many units could be
    /// given back. Those behind it keep their instants; the place is for who comes next.
    pub fn cancel_at(&self, now: Time, departure: &Departure) -> u64 {
        self.bucket.refund_at(now, &departure.grant, departure.grant.cost())
    }

    /// Units that wait at `now`, rounded up.
    #[must_use]
    pub fn backlog_at(&self, now: Time) -> u64 {
        self.bucket.quota().burst() - self.bucket.peek_at(now, 0).remaining()
    }
}

/// The instant before the last `cost` units of the grant's ticks.
fn departure(grant: &Grant) -> Time {
    let standing = &grant.standing;
    let ticks = grant.cost.saturating_mul(standing.unit);
    standing.scale.first(grant.mark.saturating_sub(ticks))
}

/// Which request of a [`ShaperQueue`] leaves next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest. A full queue refuses the newest.
    #[default]
    Fifo,
    /// The newest: under overload, the one whose client most likely still waits. A full queue
    /// gives up the oldest.
    Lifo,
}

/// A shaper that keeps the requests: `offer` them, `poll` them out at the rate.
///
/// No clock and no runtime: [`next_departure`](Self::next_departure) says when to poll again. Two
/// requests never leave closer than the cost of the first takes at the rate, even when polled
/// late. Bounded by `capacity` requests. O(1).
#[derive(Debug)]
pub struct ShaperQueue<T> {
    items: VecDeque<(u64, T)>,
    capacity: usize,
    order: Order,
    scale: Scale,
    meter: Meter,
    /// When the one that left last has been paid off.
    word: u64,
}

impl<T> ShaperQueue<T> {
    /// A queue of at most `capacity` requests, one unit each or more, that leave at `rate`.
    #[must_use]
    pub fn new(rate: Rate, capacity: usize, order: Order) -> Self {
        let (scale, unit) = scale_of(Quota::new(rate).with_burst(1));
        let meter = Meter { unit, cap: unit };
        Self { items: VecDeque::new(), capacity, order, scale, meter, word: 0 }
    }

    /// Queues `item` at a cost of `cost` units.
    ///
    /// # Errors
    /// The item that found no place: this one under [`Order::Fifo`], the oldest under
    /// [`Order::Lifo`].
    pub fn offer(&mut self, cost: u64, item: T) -> Result<(), T> {
        if self.capacity == 0 {
            return Err(item);
        }
        if self.items.len() < self.capacity {
            self.items.push_back((cost, item));
            return Ok(());
        }
        match self.order {
            Order::Fifo => Err(item),
            Order::Lifo => {
                let oldest = self.items.pop_front();
                self.items.push_back((cost, item));
                oldest.map_or(Ok(()), |(_, item)| Err(item))
            }
        }
    }

    /// The next item, if one may leave at `now`.
    pub fn poll(&mut self, now: Time) -> Option<T> {
        let tick = self.scale.tick(now);
        if self.word > tick.floor {
            return None;
        }
        let (cost, item) = match self.order {
            Order::Fifo => self.items.pop_front(),
            Order::Lifo => self.items.pop_back(),
        }?;
        self.word = self.meter.charge(self.word, tick, cost);
        Some(item)
    }

    /// The instant from which [`poll`](Self::poll) will give an item; `None` when the queue is
    /// empty.
    #[must_use]
    pub fn next_departure(&self) -> Option<Time> {
        (!self.items.is_empty()).then(|| self.scale.first(self.word))
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many may wait.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}
