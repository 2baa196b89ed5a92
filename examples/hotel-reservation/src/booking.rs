//! One booking, step by step: lease, look, hold, tell the front desk, release. Between two steps
//! anything may happen, also that the process stands still for longer than its lease lasts.

use crate::desk::{Desk, No, Seen, Wish};
use crate::layers::LEASE;
use crate::world::HOLD;
use archstone_lock::{Demand, Fence, FenceGates, Lease, LeaseTable};
use kit::retry::{Attempts, Jitter, Retry};
use kit::{Failure, Stream, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// The text's policy: three attempts, 100 ms apart.
#[must_use]
pub fn text_policy() -> Retry {
    Retry::new(Duration::from_millis(100), Duration::from_millis(100), 3).with_jitter(Jitter::None)
}

/// Ours: three attempts, each later by a random span of up to 100, then 200 ms.
#[must_use]
pub fn jittered_policy() -> Retry {
    Retry::new(Duration::from_millis(100), Duration::from_millis(400), 3)
}

/// Layer 1 of the desk: leases on the nights of a room.
pub struct Locks {
    table: LeaseTable<(i64, i64, i64)>,
    by_night: bool,
    after: Option<Fence>,
}

impl std::fmt::Debug for Locks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locks").field("by_night", &self.by_night).finish_non_exhaustive()
    }
}

impl Locks {
    /// With `by_night` the nights are what is locked; without it the text's key, which names the
    /// range: `room:101:2024-12-15:2024-12-17`.
    #[must_use]
    pub fn new(by_night: bool) -> Self {
        Self { table: Self::table(None), by_night, after: None }
    }

    // One shard: its fences are in one order over all rooms and ranges.
    fn table(after: Option<Fence>) -> LeaseTable<(i64, i64, i64)> {
        let builder = LeaseTable::builder().shards(1);
        match after {
            Some(fence) => builder.fences_after(fence).build(),
            None => builder.build(),
        }
    }

    /// The nights of a wish, all or none.
    #[must_use]
    pub fn acquire(&self, wish: Wish, now: Time) -> Option<Lease> {
        let Wish { room, nights, .. } = wish;
        let demand = if self.by_night {
            Demand::exclusive((room, 0, 0)).over(nights.lo, nights.hi)
        } else {
            Demand::exclusive((room, nights.lo, nights.hi))
        };
        self.table.acquire_all(now, &[demand], LEASE).ok()
    }

    /// Gives a lease back; one that is gone stays gone.
    pub fn release(&self, lease: Lease, now: Time) {
        let _ = self.table.release(now, lease);
    }

    /// The service restarts without its memory: later fences are above all earlier ones.
    pub fn forget(&mut self) {
        self.after = self.table.highest_fence().or(self.after);
        self.table = Self::table(self.after);
    }
}

/// The hotel's front desk: it is told how many rooms are left of a night. No transaction reaches it;
/// what keeps old news out is the fence.
#[derive(Debug)]
pub struct Service {
    locks: Locks,
    gates: FenceGates<(i64, i64)>,
    fenced: bool,
    /// Leases that are out: until when, and on what.
    out: Vec<(Lease, Wish)>,
    /// The highest fence that was accepted, for the invariant.
    accepted: BTreeMap<(i64, i64), u64>,
    /// Two leases that share a night, if there were.
    pub overlap: Option<String>,
    /// News of a stale holder that was accepted.
    pub stale_accepted: Option<String>,
}

impl Service {
    /// Locks, and a front desk that looks at fences or does not.
    #[must_use]
    pub fn new(locks: Locks, fenced: bool) -> Self {
        Self {
            locks,
            gates: FenceGates::new(),
            fenced,
            out: Vec::new(),
            accepted: BTreeMap::new(),
            overlap: None,
            stale_accepted: None,
        }
    }

    /// Leases that are out and have not ended.
    #[must_use]
    pub fn live(&self, now: Time) -> u64 {
        self.out.iter().filter(|(lease, _)| lease.until() > now).count() as u64
    }

    /// See [`Locks::forget`].
    pub fn forget(&mut self) {
        self.locks.forget();
        // Whoever held one does not hold it any more, and is kept out by its fence.
        self.out.clear();
    }

    fn acquire(&mut self, wish: Wish, now: Time) -> Option<Lease> {
        let lease = self.locks.acquire(wish, now)?;
        self.out.retain(|(lease, _)| lease.until() > now);
        let other = self
            .out
            .iter()
            .find(|(_, other)| other.room == wish.room && other.nights.overlaps(wish.nights));
        if let Some((_, other)) = other {
            let (a, b) = (wish.nights, other.nights);
            self.overlap = Some(format!(
                "room {}: nights {}..{} are leased while {}..{} are",
                wish.room, a.lo, a.hi, b.lo, b.hi
            ));
        }
        self.out.push((lease, wish));
        Some(lease)
    }

    fn release(&mut self, lease: Lease, now: Time) {
        self.locks.release(lease, now);
        self.out.retain(|(out, _)| *out != lease);
    }

    /// Tells the front desk; `false` when it takes nothing from this holder any more.
    fn tell(&mut self, wish: Wish, fence: Fence) -> bool {
        for night in wish.nights.lo..wish.nights.hi {
            let key = (wish.room, night);
            if self.fenced && self.gates.pass(&key, fence).is_err() {
                return false;
            }
            let highest = self.accepted.entry(key).or_default();
            if fence.get() < *highest {
                self.stale_accepted = Some(format!(
                    "room {} night {night}: fence {fence} was accepted after {highest}",
                    wish.room
                ));
            }
            *highest = (*highest).max(fence.get());
        }
        true
    }
}

/// What a guest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The nights are held; pay.
    Held,
    /// NO_AVAILABILITY.
    Full,
    /// BOOKING_IN_PROGRESS: somebody else is at it, after three attempts.
    InProgress,
    /// The lease was lost, and another has been here: begin again.
    Lost,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// The next step is due after this.
    Later(Duration),
    /// It is over.
    Over(Answer),
}

#[derive(Clone, Debug)]
enum State {
    Asks,
    Looks(Lease),
    Writes(Lease, Seen),
    Tells(Lease),
    Releases(Lease),
}

/// One guest's booking.
#[derive(Clone, Debug)]
pub struct Booking {
    /// What is wanted; none before the search.
    pub wish: Option<Wish>,
    /// When the search was.
    pub started: Time,
    /// The last step in words.
    pub said: &'static str,
    /// Leases refused.
    pub busy: u64,
    /// Looks that had to be repeated.
    pub changed: u64,
    /// The front desk took nothing from it.
    pub stale_push: bool,
    /// The text's flow: the card is charged between look and hold, while everything is locked.
    pub pays_inside: bool,
    state: State,
    policy: Retry,
    attempts: Option<Attempts>,
    dice: Stream,
}

impl Booking {
    /// A guest who has not searched yet.
    #[must_use]
    pub fn new(started: Time, dice: Stream) -> Self {
        Self {
            wish: None,
            started,
            said: "",
            busy: 0,
            changed: 0,
            stale_push: false,
            pays_inside: false,
            state: State::Asks,
            policy: jittered_policy(),
            attempts: None,
            dice,
        }
    }

    /// With another policy for a lease that is busy.
    #[must_use]
    pub const fn with_policy(mut self, policy: Retry) -> Self {
        self.policy = policy;
        self
    }

    fn takes(&mut self, least: u64, most: u64) -> Came {
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        Came::Later(self.dice.between(least, most))
    }

    /// The next step of stay `id`, at `now`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn step(
        &mut self,
        service: &mut Service,
        desk: &Desk,
        id: i64,
        now: Time,
    ) -> Result<Came, Failure> {
        let Some(wish) = self.wish else { return Ok(Came::Over(Answer::Full)) };
        match std::mem::replace(&mut self.state, State::Asks) {
            State::Asks => {
                if let Some(lease) = service.acquire(wish, now) {
                    self.said = "has the lease";
                    self.state = State::Looks(lease);
                    return Ok(self.takes(1, 3));
                }
                self.busy += 1;
                self.said = "the nights are leased";
                let attempts = self.attempts.get_or_insert_with(|| self.policy.start(now));
                match attempts.failed(now, &mut self.dice) {
                    Some(at) => Ok(Came::Later(at.since(now))),
                    None => Ok(Came::Over(Answer::InProgress)),
                }
            }
            State::Looks(lease) => {
                desk.claim(wish, lease.fence().get() as i64)?;
                let seen = desk.look(wish)?;
                if !seen.has(wish) {
                    self.said = "looks: full";
                    service.release(lease, now);
                    return Ok(Came::Over(Answer::Full));
                }
                self.said = "looks: free";
                self.state = State::Writes(lease, seen);
                Ok(if self.pays_inside { self.takes(800, 2_500) } else { self.takes(5, 40) })
            }
            State::Writes(lease, seen) => {
                let fence = lease.fence().get() as i64;
                match desk.hold(id, wish, &seen, fence, now + HOLD)? {
                    Ok(()) => {
                        self.said = "holds the nights";
                        self.state = State::Tells(lease);
                        Ok(self.takes(5, 30))
                    }
                    Err(No::Changed) => {
                        self.said = "a night has changed: looks again";
                        self.changed += 1;
                        self.state = State::Looks(lease);
                        Ok(self.takes(1, 3))
                    }
                    Err(no) => {
                        self.said = if no == No::Full { "writes: full" } else { "writes: stale" };
                        service.release(lease, now);
                        let answer = if no == No::Full { Answer::Full } else { Answer::Lost };
                        Ok(Came::Over(answer))
                    }
                }
            }
            State::Tells(lease) => {
                let told = service.tell(wish, lease.fence());
                self.said = if told { "tells the front desk" } else { "the front desk: stale" };
                self.stale_push = !told;
                self.state = State::Releases(lease);
                Ok(self.takes(1, 3))
            }
            State::Releases(lease) => {
                self.said = "gives the lease back";
                service.release(lease, now);
                Ok(Came::Over(Answer::Held))
            }
        }
    }
}
