//! A queue of jobs that are claimed for a while: the semantics of `FOR UPDATE SKIP LOCKED`.

use crate::demand::{ExtendError, Gone};
use crate::table::nanos;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use archstone_core::Time;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;
use hashbrown::HashMap;

/// One handing out of a job; refused once its time is over or it is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    number: u64,
    job: u64,
    attempt: u32,
    until: Time,
}

impl Delivery {
    /// 1 for the first; above it the work may have had effects already.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the job is handed to another, unless this is extended.
    #[must_use]
    pub const fn until(&self) -> Time {
        self.until
    }
}

/// What became of a job that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nack {
    /// It will come again.
    Again,
    /// Its attempts are used up: it is with the dead ones.
    Dead,
}

/// Jobs by key: each handed to one worker at a time, again when that dies, at most so often (I10).
///
/// A delivery is valid for `t < claimed + visibility`; then the job is due again, at that instant's
/// place in the order. Done jobs never come back. One owner: put it under a mutex to share it.
/// Claiming, finishing and pushing cost O(log n); about 150 bytes and the key a job.
///
/// ```
/// use archstone_lock::Time;
/// use archstone_lock::claim::Queue;
/// use std::time::Duration;
///
/// let mut mails: Queue<&str> = Queue::new(3);
/// assert!(mails.push(Time::ZERO, "mail-1", Time::ZERO));
/// let claimed = mails.claim(Time::from_secs(1), 10, Duration::from_secs(300));
/// let (job, delivery) = claimed[0];
/// assert_eq!((job, delivery.attempt()), ("mail-1", 1));
/// assert!(mails.claim(Time::from_secs(2), 10, Duration::from_secs(300)).is_empty());
/// mails.ack(Time::from_secs(3), delivery)?;
/// # Ok::<(), archstone_lock::Gone>(())
/// ```
#[derive(Debug)]
pub struct Queue<J, S = ahash::RandomState> {
    attempts: u32,
    now: u64,
    pushed: u64,
    delivered: u64,
    ids: HashMap<J, u64, S>,
    /// By order of pushing.
    jobs: BTreeMap<u64, Job<J>>,
    /// Due and order of pushing of those that nobody has.
    ready: BTreeSet<(u64, u64)>,
    /// End of the visibility and order of pushing of those that somebody has.
    claimed: BTreeSet<(u64, u64)>,
    /// In the order in which they died.
    dead: Vec<u64>,
}

#[derive(Debug)]
struct Job<J> {
    id: J,
    /// When it is due, or when its visibility ends.
    due: u64,
    /// The delivery that may finish it, or 0.
    delivery: u64,
    attempt: u32,
}

impl<J: Hash + Eq + Clone, S: BuildHasher + Default> Queue<J, S> {
    /// No job; each is handed out at most `attempts` times, at least once.
    #[must_use]
    pub fn new(attempts: u32) -> Self {
        let (ids, jobs, ready, claimed, dead) = Default::default();
        Self {
            attempts: attempts.max(1),
            now: 0,
            pushed: 0,
            delivered: 0,
            ids,
            jobs,
            ready,
            claimed,
            dead,
        }
    }

    /// Adds a job that is due at `due`, or at once if that has passed; `false` when one of this key is
    /// there, dead ones included.
    pub fn push(&mut self, now: Time, id: J, due: Time) -> bool {
        let now = self.turn(now);
        if self.ids.contains_key(&id) {
            return false;
        }
        self.pushed += 1;
        self.ids.insert(id.clone(), self.pushed);
        let due = due.as_nanos().max(now);
        self.jobs.insert(self.pushed, Job { id, due, delivery: 0, attempt: 0 });
        self.ready.insert((due, self.pushed));
        true
    }

    /// Hands out up to `max` jobs that are due, the earliest first, each invisible to others for
    /// `visibility` (at least a nanosecond).
    pub fn claim(&mut self, now: Time, max: usize, visibility: Duration) -> Vec<(J, Delivery)> {
        let now = self.turn(now);
        let until = now.saturating_add(nanos(visibility).max(1));
        let due: Vec<(u64, u64)> =
            self.ready.range(..=(now, u64::MAX)).take(max).copied().collect();
        let mut claimed = Vec::with_capacity(due.len());
        for place in due {
            let Some(job) = self.jobs.get_mut(&place.1) else { continue };
            self.ready.remove(&place);
            self.claimed.insert((until, place.1));
            self.delivered += 1;
            job.attempt += 1;
            (job.due, job.delivery) = (until, self.delivered);
            let (number, attempt, until) = (self.delivered, job.attempt, Time::from_nanos(until));
            claimed.push((job.id.clone(), Delivery { number, job: place.1, attempt, until }));
        }
        claimed
    }

    /// The job is done and forgotten.
    ///
    /// # Errors
    /// [`Gone`] when the delivery is over: another worker may have the job.
    pub fn ack(&mut self, now: Time, delivery: Delivery) -> Result<(), Gone> {
        self.live(now, delivery)?;
        if let Some(job) = self.jobs.remove(&delivery.job) {
            self.claimed.remove(&(job.due, delivery.job));
            self.ids.remove(&job.id);
        }
        Ok(())
    }

    /// The job failed: it comes again after `delay`, or is dead when its attempts are used up.
    ///
    /// # Errors
    /// [`Gone`] when the delivery is over.
    pub fn nack(&mut self, now: Time, delivery: Delivery, delay: Duration) -> Result<Nack, Gone> {
        let now = self.live(now, delivery)?;
        let job = self.jobs.get_mut(&delivery.job).ok_or(Gone)?;
        self.claimed.remove(&(job.due, delivery.job));
        job.delivery = 0;
        if job.attempt >= self.attempts {
            self.dead.push(delivery.job);
            return Ok(Nack::Dead);
        }
        job.due = now.saturating_add(nanos(delay));
        self.ready.insert((job.due, delivery.job));
        Ok(Nack::Again)
    }

    /// A sign of life: the delivery lasts until `now + visibility`, if that is later.
    ///
    /// # Errors
    /// [`ExtendError`].
    pub fn extend(
        &mut self,
        now: Time,
        delivery: Delivery,
        visibility: Duration,
    ) -> Result<Time, ExtendError> {
        if visibility.is_zero() {
            return Err(ExtendError::ZeroTtl);
        }
        let now = self.live(now, delivery)?;
        let job = self.jobs.get_mut(&delivery.job).ok_or(Gone)?;
        let until = job.due.max(now.saturating_add(nanos(visibility)));
        self.claimed.remove(&(job.due, delivery.job));
        self.claimed.insert((until, delivery.job));
        job.due = until;
        Ok(Time::from_nanos(until))
    }

    /// Jobs whose attempts are used up, in the order in which they died.
    pub fn dead(&mut self, now: Time) -> Vec<J> {
        self.turn(now);
        self.dead.iter().filter_map(|order| Some(self.jobs.get(order)?.id.clone())).collect()
    }

    /// Takes a dead job away, so that its key is free; whether it was there. O(dead jobs).
    pub fn bury(&mut self, now: Time, id: &J) -> bool {
        self.turn(now);
        let Some(&order) = self.ids.get(id).filter(|order| self.dead.contains(order)) else {
            return false;
        };
        self.dead.retain(|dead| *dead != order);
        self.jobs.remove(&order);
        self.ids.remove(id);
        true
    }

    /// When there is something to claim or to give up; `None` when nothing waits.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let (ready, claimed) = (self.ready.first(), self.claimed.first());
        ready.into_iter().chain(claimed).min().map(|place| Time::from_nanos(place.0))
    }

    /// Jobs that are not done, dead ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether every job is done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    fn live(&mut self, now: Time, delivery: Delivery) -> Result<u64, Gone> {
        let now = self.turn(now);
        let job = self.jobs.get(&delivery.job).ok_or(Gone)?;
        if delivery.number != 0 && job.delivery == delivery.number { Ok(now) } else { Err(Gone) }
    }

    /// Takes back what is claimed and over. A clock that stepped back stands still.
    fn turn(&mut self, now: Time) -> u64 {
        self.now = self.now.max(now.as_nanos());
        while let Some(&place) = self.claimed.first().filter(|place| place.0 <= self.now) {
            self.claimed.remove(&place);
            let Some(job) = self.jobs.get_mut(&place.1) else { continue };
            job.delivery = 0;
            if job.attempt >= self.attempts {
                self.dead.push(place.1);
            } else {
                self.ready.insert(place);
            }
        }
        self.now
    }
}
