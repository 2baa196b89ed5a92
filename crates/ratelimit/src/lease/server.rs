//! The server half.

use super::{Grant, Holding, LeaseError, Request};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use archstone_core::Time;
use core::time::Duration;

/// How a capacity that is too small for all is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharing {
    /// In proportion to what each wants.
    Proportional,
    /// Max-min fair: nobody gets less than an equal share unless they want less.
    #[default]
    Fair,
}

/// What a server gives and for how long.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ServerConfig {
    capacity: u64,
    lease: Duration,
    refresh: Duration,
    learning: Duration,
    safe: u64,
    sharing: Sharing,
    max_clients: usize,
}

impl ServerConfig {
    /// `capacity` units in leases of `lease`; refresh after a quarter of it, learning for a whole
    /// one, no safe capacity, fair sharing, at most 65,536 clients.
    pub const fn new(capacity: u64, lease: Duration) -> Result<Self, LeaseError> {
        if lease.is_zero() {
            return Err(LeaseError::ZeroLease);
        }
        Ok(Self {
            capacity,
            lease,
            refresh: Duration::from_nanos((lease.as_nanos() / 4) as u64),
            learning: lease,
            safe: 0,
            sharing: Sharing::Fair,
            max_clients: 1 << 16,
        })
    }

    /// How often clients ask again; shorter than the lease, so that one lost message costs nothing.
    pub fn refresh(mut self, every: Duration) -> Result<Self, LeaseError> {
        if every >= self.lease {
            return Err(LeaseError::Refresh { refresh: every, lease: self.lease });
        }
        self.refresh = every;
        Ok(self)
    }

    /// How long after its start the server only confirms what clients say they hold. Shorter than
    /// the lease it may give away what a client that has not spoken yet still uses.
    pub const fn learning(mut self, span: Duration) -> Self {
        self.learning = span;
        self
    }

    /// Units that a client may use when its lease has run out and the server is out of reach.
    pub const fn safe(mut self, units: u64) -> Self {
        self.safe = units;
        self
    }

    /// How a capacity that is too small for all is divided.
    pub const fn sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// The most clients to keep records for: the server's memory is under 400 bytes each.
    pub const fn max_clients(mut self, clients: usize) -> Self {
        self.max_clients = clients;
        self
    }
}

/// Divides a capacity among clients. A request is O(clients); expiry is part of it.
#[derive(Clone, Debug)]
pub struct Server {
    config: ServerConfig,
    learning_until: Time,
    /// The latest instant seen: a clock that steps back must not revive a lease.
    now: Time,
    clients: BTreeMap<u64, Record>,
}

#[derive(Clone, Debug)]
struct Record {
    wants: u64,
    /// Grants that the client may still be using, at most [`MAX_GRANTS`].
    grants: Vec<Given>,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    sent: Time,
    capacity: u64,
    expires: Time,
}

/// Unconfirmed grants kept apart for one client; beyond them the two oldest become one that covers
/// both.
const MAX_GRANTS: usize = 8;

impl Record {
    /// The most that the client may be using.
    fn held(&self) -> u64 {
        self.grants.iter().map(|given| given.capacity).max().unwrap_or(0)
    }

    fn add(&mut self, given: Given) {
        if self.grants.len() == MAX_GRANTS {
            let oldest = self.grants.remove(0);
            let next = &mut self.grants[0];
            next.capacity = next.capacity.max(oldest.capacity);
            next.expires = next.expires.max(oldest.expires);
        }
        self.grants.push(given);
    }
}

impl Server {
    /// A server that starts, or restarts without its records, at `now`.
    #[must_use]
    pub fn new(config: ServerConfig, now: Time) -> Self {
        let learning_until = now + config.learning;
        Self { config, learning_until, now, clients: BTreeMap::new() }
    }

    /// Answers one request. A repeated request gets the same answer again.
    ///
    /// # Errors
    /// [`LeaseError::TooManyClients`] for a new client beyond the limit.
    pub fn handle(&mut self, request: Request, now: Time) -> Result<Grant, LeaseError> {
        self.advance(now);
        let learning = self.now < self.learning_until;
        let known = self.clients.contains_key(&request.client);
        if !known && self.clients.len() >= self.config.max_clients {
            return Err(LeaseError::TooManyClients { limit: self.config.max_clients });
        }
        let empty = Record { wants: 0, grants: Vec::new() };
        let record = self.clients.entry(request.client).or_insert(empty);
        if let Some(given) = record.grants.iter().find(|given| given.sent == request.sent) {
            let capacity = given.capacity;
            return Ok(self.grant(request, capacity));
        }
        record.wants = request.wants;
        if let Some(holding) = request.holds {
            // The client ignores answers older than the lease it uses.
            record.grants.retain(|given| given.sent >= holding.sent);
            if learning && !known {
                let runs = holding.runs.min(self.config.lease);
                let Holding { sent, capacity, .. } = holding;
                record.add(Given { sent, capacity, expires: self.now + runs });
            }
        }
        // While learning, confirm what the client holds and promise nothing new.
        let capacity = if learning {
            record.held().min(request.wants)
        } else {
            self.share(request.client).min(self.free_for(request.client))
        };
        let expires = self.now + self.config.lease;
        if let Some(record) = self.clients.get_mut(&request.client) {
            record.add(Given { sent: request.sent, capacity, expires });
        }
        Ok(self.grant(request, capacity))
    }

    fn grant(&self, request: Request, capacity: u64) -> Grant {
        Grant {
            client: request.client,
            sent: request.sent,
            capacity,
            lasts: self.config.lease,
            refresh: self.config.refresh,
            safe: self.config.safe,
        }
    }

    /// A client leaves: its share is free at once. It must have stopped using it.
    pub fn release(&mut self, client: u64, now: Time) {
        self.advance(now);
        self.clients.remove(&client);
    }

    /// The most that all clients together may be using.
    #[must_use]
    pub fn leased(&self) -> u64 {
        self.clients.values().fold(0, |sum, record| sum.saturating_add(record.held()))
    }

    /// Clients with a lease that still runs.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Changes the capacity. Leases that run keep what they have until they refresh.
    pub fn set_capacity(&mut self, capacity: u64) {
        self.config.capacity = capacity;
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        let now = self.now;
        self.clients.retain(|_, record| {
            // A lease that would end after the end of time never does.
            record.grants.retain(|given| given.expires > now || given.expires == Time::MAX);
            !record.grants.is_empty()
        });
    }

    /// What the others may not be using: L1 whatever the sharing rule says.
    fn free_for(&self, client: u64) -> u64 {
        let others = self.clients.iter().filter(|&(&id, _)| id != client);
        let held = others.fold(0_u64, |sum, (_, record)| sum.saturating_add(record.held()));
        self.config.capacity.saturating_sub(held)
    }

    /// What the rule gives `client` once everybody has refreshed.
    fn share(&self, client: u64) -> u64 {
        let wants = self.clients.get(&client).map_or(0, |record| record.wants);
        let all: u128 = self.clients.values().map(|record| u128::from(record.wants)).sum();
        let capacity = self.config.capacity;
        if all <= u128::from(capacity) {
            return wants;
        }
        match self.config.sharing {
            Sharing::Proportional => {
                let share = u128::from(capacity).saturating_mul(u128::from(wants)) / all;
                u64::try_from(share).unwrap_or(u64::MAX)
            }
            Sharing::Fair => wants.min(self.water_level()),
        }
    }

    /// The level at which `sum(min(wants, level))` fills the capacity: small wants are met whole,
    /// the rest is divided evenly.
    fn water_level(&self) -> u64 {
        let mut wants: Vec<u64> = self.clients.values().map(|record| record.wants).collect();
        wants.sort_unstable();
        let mut left = self.config.capacity;
        for (done, &want) in wants.iter().enumerate() {
            let level = left / (wants.len() - done) as u64;
            if want > level {
                return level;
            }
            left -= want;
        }
        u64::MAX
    }
}
