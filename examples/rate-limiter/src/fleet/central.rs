//! One store decides, or several by key: the scripts of the crate, with the store's time.

use super::{Outage, Request, Setup, Shared, Stores, local};
use crate::store::Store;
use ahash::RandomState;
use archstone_hashring::{Cluster, Ring, Weight};
use archstone_ratelimit::redis::{self, Call, CallError, When};
use archstone_ratelimit::{DenyCache, Gcra, Keyed, Manual, Quota, Time};
use kit::Failure;

/// Which script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A counter a window.
    Counter,
    /// A token bucket.
    Bucket,
    /// A sliding window of two counters.
    Window,
}

impl Rule {
    /// The call that charges one unit to `key`.
    ///
    /// # Errors
    /// When the quota does not fit the scripts' numbers.
    pub fn call(self, key: &str, quota: &Quota, when: When) -> Result<Call, CallError> {
        match self {
            Self::Counter => redis::fixed_window(key, quota, 1, when),
            Self::Bucket => redis::token_bucket(key, quota, 1, when),
            Self::Window => redis::sliding_counter(key, quota, 1, when),
        }
    }
}

/// What a node has of its own.
#[derive(Debug)]
struct Node {
    /// Whom the store denies, and until when.
    denied: DenyCache<u32, RandomState>,
    /// What decides when the store is away.
    alone: Keyed<u32, Gcra, Manual, RandomState>,
}

/// Nodes that ask a store.
#[derive(Debug)]
pub(super) struct Central {
    setup: Setup,
    rule: Rule,
    stores: Vec<Box<dyn Store>>,
    /// Which store has a key: a ring, so that a store more moves only its part of the keys.
    ring: Cluster<usize, Ring>,
    keys: Vec<String>,
    nodes: Vec<Node>,
    calls: u64,
    forgotten: bool,
}

impl Central {
    pub(super) fn new(
        setup: &Setup,
        rule: Rule,
        shards: usize,
        stores: Stores<'_>,
    ) -> Result<Self, Failure> {
        let mut ring = Cluster::new(Ring::new());
        for shard in 0..shards {
            ring.join(shard, Weight::ONE)?;
        }
        let hasher = || RandomState::with_seeds(22, 22, 22, 22);
        let node = |_| Node {
            denied: DenyCache::new(1_024, hasher()),
            alone: local(setup.part(), setup.tenants),
        };
        Ok(Self {
            setup: *setup,
            rule,
            stores: (0..shards).map(|_| stores()).collect::<Result<_, _>>()?,
            ring,
            keys: (0..setup.tenants).map(|tenant| format!("tenant:{tenant}")).collect(),
            nodes: (0..setup.nodes).map(node).collect(),
            calls: 0,
            forgotten: false,
        })
    }

    /// What the store's clock says: the true time until it steps back.
    fn store_time(&self, now: Time) -> Time {
        match self.setup.steps_back {
            Some((at, by)) if now >= at => Time::ZERO + (now.since(Time::ZERO).saturating_sub(by)),
            _ => now,
        }
    }
}

impl Shared for Central {
    fn admits(&mut self, request: &Request) -> Result<bool, Failure> {
        let Request { at, node, tenant } = *request;
        if self.setup.forgets.is_some_and(|when| at >= when) && !self.forgotten {
            self.forgotten = true;
            self.stores.iter_mut().try_for_each(|store| store.forget())?;
        }
        let Node { denied, alone } = &self.nodes[node];
        if self.setup.deny_cache && denied.wait(&tenant, 0, at).is_some() {
            return Ok(false);
        }
        if self.setup.is_cut(node, at) {
            return Ok(match self.setup.outage {
                Outage::Open => true,
                Outage::Closed => false,
                Outage::Part => alone.check_at(at, &tenant, 1).is_allowed(),
            });
        }
        let key = &self.keys[tenant as usize];
        let when = When::Caller(self.store_time(at));
        let call = self.rule.call(key, &self.setup.quota(), when)?;
        let shard = self.ring.owner(key.as_str()).copied().unwrap_or(0);
        let outcome = self.stores[shard].call(&call)?;
        self.calls += 1;
        if let (false, Some(wait)) = (outcome.allowed, outcome.retry_after) {
            // The store counts in whole microseconds, so its wait runs from the last one.
            let seen = Time::from_micros(at.as_nanos() / 1_000);
            self.nodes[node].denied.deny(tenant, 0, seen + wait);
        }
        Ok(outcome.allowed)
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}
