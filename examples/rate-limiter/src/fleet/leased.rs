//! A server divides each tenant's limit among the nodes: the crate's lease protocol carried over a
//! network that can be cut.

use super::{Request, Setup, Shared};
use archstone_ratelimit::lease::{Client, ClientConfig, LeaseError, Server, ServerConfig};
use archstone_ratelimit::{Carry, Gcra, Local, Quota, Time};
use kit::invariant::Invariant;
use kit::{Failure, Invariants};
use std::time::Duration;

/// How long a lease runs.
const LEASE: Duration = Duration::from_secs(10);
/// How often a node asks anew, saying what it could use.
const ASK: Duration = Duration::from_millis(2_500);

#[derive(Debug)]
pub(super) struct Leased {
    setup: Setup,
    /// One division a tenant.
    servers: Vec<Server>,
    /// By tenant, then node.
    holders: Vec<Vec<Holder>>,
    calls: u64,
}

/// What a node holds for a tenant.
#[derive(Debug)]
struct Holder {
    client: Client,
    limiter: Local<Gcra>,
    /// The capacity that the limiter has now.
    capacity: u64,
    /// The last capacity granted, and whether any was.
    granted: Option<u64>,
    /// Requests since the last question.
    offered: u64,
    ask_at: Time,
}

/// What a node may use when its lease has run out and the server is out of reach.
fn safe(setup: &Setup) -> u64 {
    u64::from(setup.limit) / 20
}

impl Leased {
    pub(super) fn new(setup: &Setup) -> Result<Self, LeaseError> {
        // The first server there ever was has nothing to learn.
        let config = ServerConfig::new(setup.limit.into(), LEASE)?.safe(safe(setup));
        let config = config.refresh(ASK)?.learning(Duration::ZERO);
        let part = u64::from(setup.limit) / setup.nodes as u64;
        let holder = |node: usize| Holder {
            client: Client::new(node as u64, part, ClientConfig::default()),
            limiter: Local::new(Gcra::new(Quota::CLOSED)),
            capacity: 0,
            granted: None,
            offered: 0,
            ask_at: Time::ZERO,
        };
        let tenants = 0..setup.tenants;
        Ok(Self {
            setup: *setup,
            servers: tenants.clone().map(|_| Server::new(config, Time::ZERO)).collect(),
            holders: tenants.map(|_| (0..setup.nodes).map(holder).collect()).collect(),
            calls: 0,
        })
    }
}

impl Holder {
    /// What may be used at `now`.
    fn usable(&mut self, now: Time, expires: bool) -> u64 {
        let capacity = self.client.capacity(now);
        match self.granted {
            Some(granted) if !expires => granted,
            _ => capacity,
        }
    }

    /// Gives the limiter the capacity of now; what was used stays used.
    fn adjust(&mut self, now: Time, expires: bool) {
        let capacity = self.usable(now, expires);
        if capacity != self.capacity {
            self.capacity = capacity;
            // Three seconds of it may come at once.
            let quota = Quota::per_minute(capacity as u32).with_burst((capacity / 20).max(1));
            let quota = if capacity == 0 { Quota::CLOSED } else { quota };
            self.limiter.set_quota_at(now, quota, Carry::Used);
        }
    }
}

impl Shared for Leased {
    fn admits(&mut self, request: &Request) -> Result<bool, Failure> {
        let Request { at, node, tenant } = *request;
        let holder = &mut self.holders[tenant as usize][node];
        holder.offered += 1;
        if at >= holder.ask_at {
            if holder.ask_at > Time::ZERO {
                // What came since the last question, as a rate a minute, and a quarter more.
                let span = ASK.max(at.since(holder.ask_at) + ASK);
                let wants = holder.offered * 75_000 / span.as_millis().max(1) as u64;
                holder.client.set_wants(wants.max(safe(&self.setup)));
            }
            (holder.ask_at, holder.offered) = (at + ASK, 0);
        }
        if let Some(question) = holder.client.poll(at) {
            self.calls += 1;
            if !self.setup.is_cut(node, at) {
                let grant = self.servers[tenant as usize].handle(question, at)?;
                holder.granted = Some(grant.capacity);
                holder.client.granted(grant);
            }
        }
        holder.adjust(at, self.setup.lease_expiry);
        Ok(holder.limiter.check_at(at, 1).is_allowed())
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    /// Leases in use add up to the limit, and to what is safe for each node that has none.
    fn check(&mut self, request: &Request, invariants: &mut Invariants, holds: Invariant) {
        let holders = &mut self.holders[request.tenant as usize];
        let expires = self.setup.lease_expiry;
        let used: u64 = holders.iter_mut().map(|h| h.usable(request.at, expires)).sum();
        let most = u64::from(self.setup.limit) + self.setup.nodes as u64 * safe(&self.setup);
        invariants.check(holds, used <= most, || {
            format!("leases of {used} a minute are in use, at most {most} may be")
        });
    }
}
