//! Redlock: a lease that a majority of independent nodes grants, without I/O.
//!
//! The algorithm is that of redis.io's "Distributed Locks with Redis". A round sends one request to
//! every node and is told their replies; the scripts are in [`redis`](crate::redis), any store with
//! "set if absent, with an end" serves.
//!
//! **It has no fence.** A holder that is stopped between its look at [`Held::until`] and its write
//! writes after another has got the lock (Kleppmann 2016, "How to do distributed locking"); the
//! explorer among this crate's tests finds that run. Where it matters let the resource check a number
//! that only grows, from one store. And a node that forgets its keys in a restart must stay away for
//! a time to live, or two rounds get a majority.

use crate::demand::Gone;
use archstone_core::Time;
use core::fmt;
use core::time::Duration;

const MS: u64 = 1_000_000;

/// What rounds have in common: nodes, time to live, drift.
///
/// ```
/// use archstone_lock::Time;
/// use archstone_lock::protocol::redlock::{Redlock, Reply, Step};
/// use std::time::Duration;
///
/// let lock = Redlock::new(3, Duration::from_secs(10))?;
/// let mut round = lock.acquire(Time::ZERO);
/// for node in round.nodes() {
///     // send redis::redlock_acquire(key, owner, ttl) to the node
///     # let _ = node;
/// }
/// assert_eq!(round.on_reply(Time::from_millis(3), 0, Reply::Granted), Step::Wait);
/// let Step::Acquired(held) = round.on_reply(Time::from_millis(5), 2, Reply::Granted) else { panic!() };
/// // 10,000 ms less 102 ms for the drift of clocks, from the sending on.
/// assert_eq!(held.until(), Time::from_millis(9_898));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redlock {
    nodes: u8,
    /// Whole milliseconds, as the nodes count.
    ttl: u64,
    drift: u64,
}

/// Nodes and times that no round can succeed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// From 1 to 64 nodes; this many were given.
    Nodes(usize),
    /// The time to live, in milliseconds, is not longer than what the drift takes off it.
    Ttl {
        /// The time to live.
        ttl: u64,
        /// What the drift takes.
        drift: u64,
    },
}

impl Redlock {
    /// `nodes` independent nodes, from 1 to 64, and a time to live in whole milliseconds (what is
    /// below is cut off). The drift taken off is a hundredth of it and two milliseconds.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(nodes: usize, ttl: Duration) -> Result<Self, Unusable> {
        Self::with_drift(nodes, ttl, 10_000, Duration::from_millis(2))
    }

    /// [`new`](Self::new), with a drift: clocks of nodes may run `millionths` faster than this one's,
    /// and `fixed` (rounded up to milliseconds) covers the grain of their clocks.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn with_drift(
        nodes: usize,
        ttl: Duration,
        millionths: u32,
        fixed: Duration,
    ) -> Result<Self, Unusable> {
        let count = u8::try_from(nodes).ok().filter(|n| (1..=64).contains(n));
        let count = count.ok_or(Unusable::Nodes(nodes))?;
        // The end of a round has to fit into the nanoseconds of `Time`.
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / MS);
        let share = u128::from(ttl) * u128::from(millionths) / 1_000_000;
        let drift = share.saturating_add(fixed.as_nanos().div_ceil(u128::from(MS)));
        let drift = u64::try_from(drift).unwrap_or(u64::MAX);
        if ttl <= drift {
            return Err(Unusable::Ttl { ttl, drift });
        }
        Ok(Self { nodes: count, ttl, drift })
    }

    /// How many nodes are a majority.
    #[must_use]
    pub const fn majority(&self) -> usize {
        self.nodes as usize / 2 + 1
    }

    /// The time to live to send to the nodes, in whole milliseconds.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl)
    }

    /// A round that begins at `now`, which must be read before the first request is sent. Every round
    /// takes an owner value of its own, from at least 128 random bits.
    #[must_use]
    pub fn acquire(&self, now: Time) -> Round {
        Round::new(*self, now, None)
    }

    /// A round of extension that begins at `now`. It never shortens, and when it fails the lock is
    /// held until its end so far.
    ///
    /// # Errors
    /// [`Gone`] when its end has passed: an extension revives nothing.
    pub fn extend(&self, now: Time, held: Held) -> Result<Round, Gone> {
        if now >= held.until { Err(Gone) } else { Ok(Round::new(*self, now, Some(held.until))) }
    }
}

/// A lock that is held, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    until: Time,
}

impl Held {
    /// It is held before this instant of the clock that timed its round, which must not step back.
    #[must_use]
    pub const fn until(&self) -> Time {
        self.until
    }

    /// How long it is still held; zero when it no longer is.
    #[must_use]
    pub const fn remaining(&self, now: Time) -> Duration {
        self.until.since(now)
    }
}

/// What a node said, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It holds the key for us.
    Granted,
    /// It holds the key for another (an extension: no longer for us).
    Refused,
    /// It failed, or was not reached, or did not answer in time: it may hold the key for us.
    Failed,
}

/// What to do after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Wait for more replies.
    Wait,
    /// The lock is held. In the end send the release to every node, also to those that refused.
    Acquired(Held),
    /// It is not. Send the release to these nodes: each may hold the key, or come to hold it.
    Failed {
        /// Why.
        why: Failure,
        /// All nodes; none after an extension.
        release: Nodes,
    },
    /// This node granted after the failure: send it the release again.
    Release(usize),
    /// The round is over; nothing to do. Also for a node that the round does not have.
    Late,
}

/// Why a round failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// So many nodes hold the key for others that no majority is left: try again after a random while.
    Busy,
    /// With the nodes that failed no majority is left.
    NoQuorum,
    /// The majority came, or did not, when nothing was left of the time to live.
    TooLate,
    /// The caller gave up.
    GaveUp,
}

/// A set of nodes, by number.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Nodes(u64);

impl Nodes {
    const fn all(count: u8) -> Self {
        Self(u64::MAX >> (64 - count as u32))
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `node` is among them.
    #[must_use]
    pub const fn contains(self, node: usize) -> bool {
        node < 64 && self.0 >> node & 1 == 1
    }
}

impl IntoIterator for Nodes {
    type Item = usize;
    type IntoIter = NodesIter;
    fn into_iter(self) -> NodesIter {
        NodesIter(self.0)
    }
}

/// The numbers of [`Nodes`], ascending.
#[derive(Clone, Debug)]
pub struct NodesIter(u64);

impl Iterator for NodesIter {
    type Item = usize;
    fn next(&mut self) -> Option<usize> {
        let node = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(node)
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(*self).finish()
    }
}

/// One round. No allocation; a reply costs a few instructions.
///
/// Replies may come late, twice, and in any order: a node counts once, a grant overrides a failure
/// that was assumed before it came, nothing overrides a grant. A clock that steps back within the
/// round stands still.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Round {
    now: Time,
    /// When nothing is left of the time to live.
    end: Time,
    /// The end so far, of a lock that is being extended.
    extends: Option<Time>,
    nodes: u8,
    granted: u64,
    refused: u64,
    failed: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Open,
    Held,
    Failed,
}

impl Round {
    fn new(lock: Redlock, now: Time, extends: Option<Time>) -> Self {
        // Counted from the sending: a node's time begins when the request comes, which is later.
        let end = now + Duration::from_millis(lock.ttl - lock.drift);
        let (nodes, state) = (lock.nodes, State::Open);
        Self { now, end, extends, nodes, granted: 0, refused: 0, failed: 0, state }
    }

    /// Whom to send the request to.
    #[must_use]
    pub const fn nodes(&self) -> Nodes {
        Nodes::all(self.nodes)
    }

    /// When the round is lost if nothing comes: call [`give_up`](Self::give_up) then, or earlier.
    #[must_use]
    pub fn deadline(&self) -> Time {
        self.extends.map_or(self.end, |until| until.min(self.end))
    }

    /// What `node` said.
    pub fn on_reply(&mut self, now: Time, node: usize, reply: Reply) -> Step {
        self.now = self.now.max(now);
        if node >= usize::from(self.nodes) {
            return Step::Late;
        }
        let bit = 1 << node;
        match reply {
            Reply::Granted => {
                self.granted |= bit;
                self.refused &= !bit;
                self.failed &= !bit;
            }
            Reply::Refused if self.granted & bit == 0 => {
                self.refused |= bit;
                self.failed &= !bit;
            }
            Reply::Failed if (self.granted | self.refused) & bit == 0 => self.failed |= bit,
            Reply::Refused | Reply::Failed => {}
        }
        match self.state {
            State::Open => self.decide(),
            State::Failed if reply == Reply::Granted && self.extends.is_none() => {
                Step::Release(node)
            }
            State::Held | State::Failed => Step::Late,
        }
    }

    /// The caller waits no longer.
    pub fn give_up(&mut self, now: Time) -> Step {
        self.now = self.now.max(now);
        match self.state {
            State::Open if self.now >= self.deadline() => self.fail(Failure::TooLate),
            State::Open => self.fail(Failure::GaveUp),
            State::Held | State::Failed => Step::Late,
        }
    }

    fn decide(&mut self) -> Step {
        let (nodes, majority) = (u32::from(self.nodes), u32::from(self.nodes) / 2 + 1);
        let can_miss = nodes - majority;
        if self.now >= self.deadline() {
            self.fail(Failure::TooLate)
        } else if self.granted.count_ones() >= majority {
            self.state = State::Held;
            let until = self.extends.map_or(self.end, |until| until.max(self.end));
            Step::Acquired(Held { until })
        } else if self.refused.count_ones() > can_miss {
            self.fail(Failure::Busy)
        } else if (self.refused | self.failed).count_ones() > can_miss {
            self.fail(Failure::NoQuorum)
        } else {
            Step::Wait
        }
    }

    const fn fail(&mut self, why: Failure) -> Step {
        self.state = State::Failed;
        let release = if self.extends.is_none() { Nodes::all(self.nodes) } else { Nodes(0) };
        Step::Failed { why, release }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nodes(nodes) => write!(f, "{nodes} nodes; from 1 to 64 can be asked"),
            Self::Ttl { ttl, drift } => {
                write!(f, "a time to live of {ttl} ms is used up by {drift} ms of drift")
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "the lock is held by another",
            Self::NoQuorum => "too few nodes could be reached",
            Self::TooLate => "the replies took longer than the time to live",
            Self::GaveUp => "the caller gave up",
        })
    }
}

impl core::error::Error for Unusable {}
impl core::error::Error for Failure {}
