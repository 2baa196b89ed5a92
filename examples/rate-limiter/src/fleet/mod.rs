//! Several limiter nodes and one limit a tenant: who shares what with whom, and what that costs
//! when the network is cut.
//!
//! Time is virtual. A call to the store takes effect at the instant of the request; its round trip
//! is drawn from a seeded stream and recorded, not slept.

mod central;
mod gossip;
mod leased;

use crate::store::Store;
use crate::traffic::worst_window;
use ahash::RandomState;
use archstone_ratelimit::{Gcra, Keyed, Manual, Quota};
use kit::invariant::Invariant;
use kit::{Failure, Invariants, Latencies, Seed, Stream, Time};
use std::fmt::Debug;
use std::time::Duration;

pub use central::Rule;
pub use gossip::STALE;

/// The window of every limit here.
pub const MINUTE: Duration = Duration::from_secs(60);

/// The name of the invariant that is checked here, which safeguards refer to.
pub const TOGETHER: &str = "nodes together stay within the limit, cut off or not";

/// One request to one node.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When.
    pub at: Time,
    /// The node it was sent to.
    pub node: usize,
    /// Whose it is; tenant 0 asks for too much.
    pub tenant: u32,
}

/// How nodes share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Each node for itself, with the whole limit.
    Alone,
    /// Each node for itself, with its part of the limit.
    Split,
    /// One store, a counter a window.
    Counter,
    /// One store, a token bucket.
    Bucket,
    /// One store, a sliding window.
    Window,
    /// The token bucket in one of three stores, chosen by the key.
    Sharded,
    /// A server divides the limit among the nodes, for some seconds at a time.
    Leased,
    /// Nodes tell each other what they have admitted.
    Gossiped,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Alone,
        Self::Split,
        Self::Counter,
        Self::Bucket,
        Self::Window,
        Self::Sharded,
        Self::Leased,
        Self::Gossiped,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alone => "each alone",
            Self::Split => "limit / nodes",
            Self::Counter => "central counter",
            Self::Bucket => "central bucket",
            Self::Window => "central window",
            Self::Sharded => "bucket, 3 shards",
            Self::Leased => "leased",
            Self::Gossiped => "gossiped",
        }
    }

    /// Whether a store decides.
    #[must_use]
    pub const fn central(self) -> bool {
        matches!(self, Self::Counter | Self::Bucket | Self::Window | Self::Sharded)
    }
}

/// What a node does when its store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Admits.
    Open,
    /// Denies.
    Closed,
    /// Decides for itself with its part of the limit.
    Part,
}

/// Nodes from `first` on are cut off from the store and from the other nodes.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The first node on the other side; 0: every node is cut off from the store.
    pub first: usize,
    /// From when.
    pub from: Time,
    /// Until when.
    pub until: Time,
}

/// A fleet and what happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Nodes.
    pub nodes: usize,
    /// Tenants.
    pub tenants: u32,
    /// The limit a minute of each tenant.
    pub limit: u32,
    /// The network, cut.
    pub cut: Option<Cut>,
    /// When the store does not answer.
    pub outage: Outage,
    /// A cache of denials in front of the store.
    pub deny_cache: bool,
    /// When the store loses all it knew.
    pub forgets: Option<Time>,
    /// When the store's clock steps back, and by how much.
    pub steps_back: Option<(Time, Duration)>,
    /// A lease ends when it ends, though no answer came.
    pub lease_expiry: bool,
    /// A node that hears from few takes the share of few.
    pub gossip_share: bool,
}

impl Setup {
    /// A whole fleet.
    #[must_use]
    pub const fn new(nodes: usize, tenants: u32, limit: u32) -> Self {
        Self {
            nodes,
            tenants,
            limit,
            cut: None,
            outage: Outage::Closed,
            deny_cache: true,
            forgets: None,
            steps_back: None,
            lease_expiry: true,
            gossip_share: true,
        }
    }

    /// A tenth of the limit may come at once.
    #[must_use]
    pub fn quota(&self) -> Quota {
        Quota::per_minute(self.limit).with_burst(u64::from(self.limit / 10).max(1))
    }

    /// A node's own part of the limit.
    #[must_use]
    pub fn part(&self) -> Quota {
        let part = self.limit / self.nodes as u32;
        Quota::per_minute(part).with_burst(u64::from(part / 10).max(1))
    }

    /// Whether `node` is cut off from the store at `now`.
    #[must_use]
    pub fn is_cut(&self, node: usize, now: Time) -> bool {
        self.cut.is_some_and(|cut| node >= cut.first && cut.from <= now && now < cut.until)
    }

    /// Whether two nodes hear each other at `now`.
    #[must_use]
    pub fn hear(&self, a: usize, b: usize, now: Time) -> bool {
        self.is_cut(a, now) == self.is_cut(b, now)
    }
}

/// What a fleet did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether each request passed.
    pub passed: Vec<bool>,
    /// Messages to a store or server, or between nodes.
    pub calls: u64,
    /// What limiting added to each request, in virtual time.
    pub added: Latencies,
}

/// A scheme at work.
pub(crate) trait Shared: Debug {
    /// Whether `request` passes.
    fn admits(&mut self, request: &Request) -> Result<bool, Failure>;
    /// Messages so far.
    fn calls(&self) -> u64;
    /// Checks what the scheme promises while it runs.
    fn check(&mut self, _: &Request, _: &mut Invariants, _: Invariant) {}
}

/// Where stores come from: one a call.
pub type Stores<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Store>, Failure>;

/// Runs `requests` through a fleet.
///
/// # Errors
/// When a real store fails.
pub fn run(
    scheme: Scheme,
    setup: &Setup,
    requests: &[Request],
    seed: Seed,
    stores: Stores<'_>,
    invariants: &mut Invariants,
) -> Result<Outcome, Failure> {
    let holds = invariants.declare(TOGETHER);
    let mut shared: Box<dyn Shared> = match scheme {
        Scheme::Alone => Box::new(Apart::new(setup, setup.quota())),
        Scheme::Split => Box::new(Apart::new(setup, setup.part())),
        Scheme::Counter => Box::new(central::Central::new(setup, Rule::Counter, 1, stores)?),
        Scheme::Bucket => Box::new(central::Central::new(setup, Rule::Bucket, 1, stores)?),
        Scheme::Window => Box::new(central::Central::new(setup, Rule::Window, 1, stores)?),
        Scheme::Sharded => Box::new(central::Central::new(setup, Rule::Bucket, 3, stores)?),
        Scheme::Leased => Box::new(leased::Leased::new(setup)?),
        Scheme::Gossiped => Box::new(gossip::Gossip::new(setup, requests)),
    };
    let mut network = seed.child("fleet").stream(scheme.name());
    let mut outcome = Outcome::default();
    for request in requests {
        let before = shared.calls();
        let passes = shared.admits(request)?;
        outcome.passed.push(passes);
        // Gossip runs beside the requests; whoever asks a store or server waits for it.
        let asked = scheme != Scheme::Gossiped && shared.calls() > before;
        let trip = if asked { round_trip(&mut network) } else { Duration::ZERO };
        outcome.added.record(scheme.name(), trip);
        if let Some(event) = told(request, passes) {
            invariants.event(event);
        }
        shared.check(request, invariants, holds);
    }
    outcome.calls = shared.calls();
    if scheme.central() && setup.cut.is_none() && setup.forgets.is_none() {
        check_bound(scheme, setup, requests, &outcome, invariants, holds);
    }
    Ok(outcome)
}

/// Only tenant 0 is worth a line of history.
fn told(request: &Request, passes: bool) -> Option<String> {
    let verdict = if passes { "passes" } else { "denied" };
    let ms = request.at.as_millis();
    (request.tenant == 0).then(|| format!("{ms} ms: node {} {verdict}", request.node))
}

/// What one store promises of any window.
fn check_bound(
    scheme: Scheme,
    setup: &Setup,
    requests: &[Request],
    outcome: &Outcome,
    invariants: &mut Invariants,
    holds: Invariant,
) {
    let limit = u64::from(setup.limit);
    let bound = match scheme {
        Scheme::Counter | Scheme::Window => 2 * limit,
        _ => limit + setup.quota().burst(),
    };
    for tenant in 0..setup.tenants {
        let worst = outcome.worst(requests, tenant);
        invariants.check(holds, worst <= bound, || {
            format!("{}: tenant {tenant} got {worst} in a minute, bound {bound}", scheme.name())
        });
    }
}

/// To the store and back within a data centre: half a millisecond, sometimes much more.
fn round_trip(network: &mut Stream) -> Duration {
    Duration::from_secs_f64(0.000_3 + 0.000_2 * network.exponential())
}

impl Outcome {
    /// The most that a tenant got in any minute.
    #[must_use]
    pub fn worst(&self, requests: &[Request], tenant: u32) -> u64 {
        let passed = requests.iter().zip(&self.passed).filter(|(r, p)| r.tenant == tenant && **p);
        worst_window(passed.map(|(request, _)| (0, request.at)), MINUTE)
    }

    /// What a tenant got between two instants.
    #[must_use]
    pub fn got(&self, requests: &[Request], tenant: u32, from: Time, until: Time) -> u64 {
        let counts = |r: &Request| r.tenant == tenant && from <= r.at && r.at < until;
        requests.iter().zip(&self.passed).filter(|(r, p)| **p && counts(r)).count() as u64
    }

    /// The share of the requests of all tenants but the first that was denied.
    #[must_use]
    pub fn honest_denied(&self, requests: &[Request]) -> f64 {
        let honest = || requests.iter().zip(&self.passed).filter(|(r, _)| r.tenant != 0);
        let all = honest().count();
        honest().filter(|(_, passed)| !**passed).count() as f64 / all.max(1) as f64
    }

    /// Messages a request.
    #[must_use]
    pub fn calls_a_request(&self) -> f64 {
        self.calls as f64 / self.passed.len().max(1) as f64
    }
}

/// Every node for itself.
#[derive(Debug)]
struct Apart {
    nodes: Vec<Keyed<u32, Gcra, Manual, RandomState>>,
}

impl Apart {
    fn new(setup: &Setup, quota: Quota) -> Self {
        Self { nodes: (0..setup.nodes).map(|_| local(quota, setup.tenants)).collect() }
    }
}

impl Shared for Apart {
    fn admits(&mut self, request: &Request) -> Result<bool, Failure> {
        let node = &self.nodes[request.node];
        Ok(node.check_at(request.at, &request.tenant, 1).is_allowed())
    }
    fn calls(&self) -> u64 {
        0
    }
}

/// A limiter in the memory of one node.
pub(crate) fn local(quota: Quota, tenants: u32) -> Keyed<u32, Gcra, Manual, RandomState> {
    let builder = Keyed::<u32>::builder(Gcra::new(quota)).capacity(2 * tenants as usize + 64);
    builder.build_with(Manual::new(Time::ZERO), RandomState::with_seeds(22, 22, 22, 22))
}

/// Requests of `setup.tenants` for `length`: the first asks for three times the limit, the others
/// for six tenths of it. A balancer that keeps connections sends most of them to the first node.
#[must_use]
pub fn requests(setup: &Setup, length: Duration, seed: Seed) -> Vec<Request> {
    let mut dice = seed.child("fleet").stream("requests");
    let end = Time::ZERO + length;
    let mut all = Vec::new();
    for tenant in 0..setup.tenants {
        let rate = f64::from(setup.limit) / 60.0 * if tenant == 0 { 3.0 } else { 0.6 };
        let stream = seed.child("fleet").stream(&format!("tenant {tenant}"));
        for at in kit::Arrivals::poisson(stream, rate).take_while(|at| *at < end) {
            // Each node gets about half of what the nodes before it have left.
            let mut node = 0;
            while node + 1 < setup.nodes && dice.chance(0.45) {
                node += 1;
            }
            all.push(Request { at, node, tenant });
        }
    }
    all.sort_by_key(|request| (request.at, request.tenant));
    all
}
