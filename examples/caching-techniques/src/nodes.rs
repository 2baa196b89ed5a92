//! Cache nodes on a ring, one lost; the same by modulo; and all of them wiped.

use crate::Fixed;
use crate::store::{Database, Row};
use crate::trace::Workload;
use archstone_cache::around::Store;
use archstone_cache::policy::Lru;
use archstone_cache::{Builder, unsync};
use archstone_hashring::{Cluster, Ring, Weight};
use kit::{Failure, Invariants, Time};
use std::sync::Arc;
use std::time::Duration;

/// What must hold.
pub const MOVED: &str = "ring: a lost node moves only the keys that it had";
/// See [`MOVED`].
pub const BALANCE: &str = "ring: no node has twice its share of the keys";

/// Nodes, and points of each on the ring: the text's 150.
pub const NODES: usize = 8;
/// See [`NODES`].
pub const POINTS: u32 = 150;
/// The one that is lost.
const LOST: usize = 3;
/// Windows that a run is seen in.
pub const WINDOWS: usize = 200;

/// Who has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    /// On a ring of points.
    Ring,
    /// The hash modulo the number of nodes.
    Modulo,
}

/// What happens after half of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// Nothing: to compare with.
    None,
    /// One node is gone.
    NodeLost,
    /// All of them have forgotten everything.
    Wiped,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Loads of the store in each window, as a share of its requests.
    pub loads: Vec<f64>,
    /// When each window ends.
    pub ends: Vec<Time>,
    /// The share of keys that another node has after the loss.
    pub moved: f64,
    /// The largest share of a node, of its fair one.
    pub heaviest: f64,
}

/// The owner of each key, with all nodes or without the lost one.
fn owners(router: Router, keys: usize, lost: bool) -> Result<Vec<usize>, Failure> {
    let here: Vec<usize> = (0..NODES).filter(|&node| !lost || node != LOST).collect();
    if router == Router::Modulo {
        let hash = |key: usize| archstone_core::hash::mix(key as u64 + 1) as usize;
        return Ok((0..keys).map(|key| here[hash(key) % here.len()]).collect());
    }
    let mut cluster = Cluster::new(Ring::with_points(POINTS)?);
    let name = |node: usize| format!("cache{node}:6379");
    for node in 0..NODES {
        cluster.join(name(node), Weight::ONE)?;
    }
    if lost {
        cluster.leave(&name(LOST))?;
    }
    let names: Vec<String> = (0..NODES).map(name).collect();
    let owner = |key: usize| {
        let owner = cluster.owner(&(key as u64)).ok_or("an empty ring")?;
        names.iter().position(|name| name == owner).ok_or("an unknown node")
    };
    Ok((0..keys).map(owner).collect::<Result<_, &str>>()?)
}

/// Plays a workload through the nodes, `capacity` entries in all.
///
/// # Errors
/// What SQLite says.
pub fn play(
    router: Router,
    blow: Blow,
    load: &Workload,
    capacity: usize,
    database: &Arc<Database>,
    invariants: &mut Invariants,
) -> Result<Outcome, Failure> {
    let [moved, balance] = [MOVED, BALANCE].map(|name| invariants.declare(name));
    let before = owners(router, load.distinct, false)?;
    let after = owners(router, load.distinct, true)?;
    let mut outcome = Outcome::default();
    let mut counts = [0_u64; NODES];
    before.iter().for_each(|&node| counts[node] += 1);
    let fair = load.distinct as f64 / NODES as f64;
    outcome.heaviest = counts.iter().copied().max().unwrap_or(0) as f64 / fair;
    if blow == Blow::NodeLost {
        let mut gone = 0_u64;
        for (key, (&before, &after)) in before.iter().zip(&after).enumerate() {
            gone += u64::from(before != after);
            let holds = before == LOST || before == after;
            if !holds {
                invariants.event(format!("node {LOST} is lost; key {key} was on node {before}"));
            }
            invariants.check(moved, holds, || {
                format!("key {key} moves from node {before} to node {after}, neither was lost")
            });
        }
        outcome.moved = gone as f64 / load.distinct.max(1) as f64;
        // Of few keys one node may have many by chance.
        if load.distinct >= 1_000 {
            invariants.check(balance, outcome.heaviest < 2.0, || {
                format!("a node has {:.2} of its share", outcome.heaviest)
            });
        }
    }
    let cache = || -> Result<unsync::Cache<u32, Row, Lru, Fixed>, Failure> {
        let entries = (capacity / NODES).max(1);
        Ok(Builder::new(entries).policy::<Lru>().hasher(Fixed).build()?)
    };
    let fleet = || (0..NODES).map(|_| cache()).collect::<Result<Vec<_>, _>>();
    let mut caches = fleet()?;
    let half = load.requests.len() / 2;
    let window = (load.requests.len() / WINDOWS).max(1);
    let mut seen = database.asked().loads;
    for (at, &(key, _)) in load.requests.iter().enumerate() {
        if at == half && blow == Blow::Wiped {
            caches = fleet()?;
        }
        let lost = blow == Blow::NodeLost && at >= half;
        let node = if lost { after[key as usize] } else { before[key as usize] };
        if caches[node].get(&key).is_none()
            && let Some(row) = database.load(&key)?
        {
            caches[node].insert(key, row).ignore();
        }
        if (at + 1) % window == 0 {
            let loads = database.asked().loads;
            outcome.loads.push((loads - seen) as f64 / window as f64);
            outcome.ends.push(load.at[at]);
            seen = loads;
        }
    }
    Ok(outcome)
}

impl Outcome {
    /// The first window that begins after the blow.
    #[must_use]
    pub fn blow(&self) -> usize {
        self.loads.len() / 2
    }

    /// From the blow until the store is asked no more than a twentieth of the requests above what it
    /// is without the blow; `None` when that never came.
    #[must_use]
    pub fn recovered(&self, calm: &Self) -> Option<Duration> {
        let blow = self.blow();
        let begins = *self.ends.get(blow.checked_sub(1)?)?;
        let near =
            |at: &usize| calm.loads.get(*at).is_some_and(|calm| self.loads[*at] <= calm + 0.05);
        let whole = (blow..self.loads.len()).find(near)?;
        Some(self.ends[whole].since(begins))
    }

    /// The share of requests that asked the store in the window after the blow, and what it is
    /// without the blow.
    #[must_use]
    pub fn just_after(&self, calm: &Self) -> (f64, f64) {
        let at = |outcome: &Self| outcome.loads.get(self.blow()).copied().unwrap_or(0.0);
        (at(self), at(calm))
    }
}
