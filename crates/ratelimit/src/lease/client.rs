//! The client half.

use super::{Grant, Holding, Request};
use archstone_core::Time;
use core::time::Duration;

/// How a client behaves when the server does not answer.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ClientConfig {
    /// Asks again this long after an unanswered request; doubles up to `longest_retry`.
    pub first_retry: Duration,
    /// The longest pause between two requests.
    pub longest_retry: Duration,
    /// Units used before the first grant, and after a lease has run out when no grant has said what
    /// is safe.
    pub safe: u64,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(60),
            safe: 0,
        }
    }
}

/// Holds one client's lease: when to ask, what may be used.
///
/// Feed [`Client::capacity`] to a limiter's quota whenever it changes. A clock that steps back
/// delays a refresh but never lengthens a lease past the latest instant the client has seen.
#[derive(Clone, Debug)]
pub struct Client {
    id: u64,
    wants: u64,
    config: ClientConfig,
    lease: Option<Lease>,
    /// When to send the next request.
    ask_at: Time,
    retry: Duration,
    /// The latest instant seen.
    now: Time,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    sent: Time,
    capacity: u64,
    expires: Time,
    safe: u64,
}

impl Client {
    /// A client that wants `wants` units and asks at once.
    #[must_use]
    pub const fn new(id: u64, wants: u64, config: ClientConfig) -> Self {
        let retry = config.first_retry;
        Self { id, wants, config, lease: None, ask_at: Time::ZERO, retry, now: Time::ZERO }
    }

    /// The request to send now, or `None` until [`Client::next_poll`].
    ///
    /// A request that is not answered is sent again with doubling pauses.
    pub fn poll(&mut self, now: Time) -> Option<Request> {
        self.now = self.now.max(now);
        if self.now < self.ask_at {
            return None;
        }
        self.ask_at = self.now + self.retry;
        self.retry = self.retry.saturating_mul(2).min(self.config.longest_retry);
        let running = self.lease.filter(|lease| lease.expires > self.now);
        Some(Request {
            client: self.id,
            sent: self.now,
            wants: self.wants,
            holds: running.map(|lease| Holding {
                sent: lease.sent,
                capacity: lease.capacity,
                runs: lease.expires.since(self.now),
            }),
        })
    }

    /// When [`Client::poll`] will have something to send.
    #[must_use]
    pub const fn next_poll(&self) -> Time {
        self.ask_at
    }

    /// Takes in an answer. One for another client, or older than the one in force, is ignored.
    pub fn granted(&mut self, grant: Grant) {
        let stale = self.lease.is_some_and(|lease| lease.sent > grant.sent);
        if grant.client != self.id || stale {
            return;
        }
        // Counted from the sending, not from the arrival: the server counts from in between.
        let expires = grant.sent + grant.lasts;
        self.lease =
            Some(Lease { sent: grant.sent, capacity: grant.capacity, expires, safe: grant.safe });
        self.ask_at = grant.sent + grant.refresh;
        self.retry = self.config.first_retry;
    }

    /// Units that may be used at `now`: the lease's while it runs, then what is safe.
    pub fn capacity(&mut self, now: Time) -> u64 {
        self.now = self.now.max(now);
        match self.lease {
            Some(lease) if lease.expires > self.now => lease.capacity,
            Some(lease) => lease.safe,
            None => self.config.safe,
        }
    }

    /// Changes what the client wants and asks at the next poll.
    pub fn set_wants(&mut self, wants: u64) {
        if wants != self.wants {
            self.wants = wants;
            self.ask_at = self.now;
        }
    }
}
