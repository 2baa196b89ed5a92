//! Every promise on requests that attack it: what the run, the tests and `kit::ablate` all drive.

use crate::herd::{self, Way};
use crate::nodes::{Blow, Router};
use crate::store::Database;
use crate::strategy::{LIFETIME, Leaves, Setup, Strategy};
use crate::trace::Workload;
use crate::{behind, levels, negative, nodes, race, strategy};
use archstone_cache::sim::Kind;
use kit::invariant::{Record, merge};
use kit::{Arrivals, Failure, Invariants, Safeguards, Seed, Zipf};
use std::sync::Arc;
use std::time::Duration;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Requests that race.
    pub races: u64,
    /// Requests of each life of write-behind.
    pub ops: u64,
    /// Requests of each cell.
    pub cells: usize,
    /// Seconds with the remote level.
    pub levels: u64,
    /// Rows before and after the filter is kept, and look-ups.
    pub negative: negative::Setup,
}

/// Small enough for twenty seeds and every safeguard.
pub const QUICK: Size = Size {
    races: 300,
    ops: 40,
    cells: 300,
    levels: 24,
    negative: negative::Setup { rows: 1_000, made: 60, asked: 1_000 },
};

/// What was found on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// Requests that raced.
    pub race: race::Facts,
    /// Levels of the simulation.
    pub levels: levels::Facts,
}

/// Everything, with the facts that block 4 shows.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The invariants.
    pub records: Vec<Record>,
    /// Races and levels.
    pub parts: Parts,
    /// Write-behind.
    pub behind: behind::Facts,
    /// The filter.
    pub negative: negative::Facts,
}

/// Runs everything with `seed` at quick size; the records.
///
/// # Panics
/// When SQLite fails: it has memory and a temporary folder of its own.
#[must_use]
pub fn run(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(seed, on, QUICK).expect("a SQLite of its own").records
}

/// Runs everything with `seed`.
///
/// # Errors
/// What SQLite says.
pub fn run_sized(seed: u64, on: &Safeguards, size: Size) -> Result<Found, Failure> {
    let root = Seed::new(seed).child("trials");
    let mut found = Found::default();
    let mut each = |part: &mut dyn FnMut(&mut Invariants) -> Result<(), Failure>| {
        let mut invariants = Invariants::new(seed);
        part(&mut invariants)?;
        merge(&mut found.records, invariants.into_records());
        Ok::<(), Failure>(())
    };
    let (parts, behind, negative) = (&mut found.parts, &mut found.behind, &mut found.negative);
    each(&mut |invariants| {
        parts.race = race::run(root, size.races, on, invariants)?;
        Ok(())
    })?;
    each(&mut |invariants| {
        *behind = behind::run(root, size.ops, on, invariants)?;
        Ok(())
    })?;
    each(&mut |invariants| cells(root, size.cells, on, invariants))?;
    each(&mut |invariants| {
        let flight = if on.on("single-flight") { Way::Flight(1) } else { Way::Nothing };
        let early = if on.on("early-by-load") { Way::XFetch } else { Way::Linear };
        herd::trial(root, HERD, [flight, early], invariants)
    })?;
    each(&mut |invariants| {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("users.sqlite");
        *negative = negative::run(&path, root, size.negative, on, invariants)?;
        Ok(())
    })?;
    each(&mut |invariants| {
        let router = if on.on("ring") { Router::Ring } else { Router::Modulo };
        let load = workload(root, 1_000, 1_500, 10.0);
        let database = Arc::new(Database::in_memory()?);
        database.fill(0..load.distinct as u32)?;
        nodes::play(router, Blow::NodeLost, &load, 200, &database, invariants).map(drop)
    })?;
    each(&mut |invariants| {
        parts.levels = levels::run(root, size.levels, None, on, invariants)?;
        Ok(())
    })?;
    Ok(found)
}

/// Three lifetimes of a key that is asked for all the time.
const HERD: herd::Setup = herd::Setup {
    rate: 40.0,
    lifetime: Duration::from_secs(20),
    takes: Duration::from_millis(300),
    length: Duration::from_secs(65),
};

/// Requests for keys by Zipf's law, of which every seventh writes.
#[must_use]
pub fn workload(seed: Seed, keys: u64, requests: usize, rate: f64) -> Workload {
    let mut dice = seed.stream("workload");
    let zipf = Zipf::new(keys, 0.8).expect("keys");
    let requests: Vec<_> =
        (0..requests).map(|_| (zipf.sample(&mut dice) as u32 - 1, dice.chance(0.15))).collect();
    let at = Arrivals::poisson(seed.stream("workload times"), rate).take(requests.len()).collect();
    Workload { requests, at, distinct: keys as usize }
}

/// Every strategy by two policies, over several lifetimes.
fn cells(
    seed: Seed,
    requests: usize,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> Result<(), Failure> {
    let load = workload(seed, 60, requests, 0.02);
    let database = Arc::new(Database::in_memory()?);
    database.fill(0..60)?;
    let lifetime = on.on("lifetime").then_some(LIFETIME);
    for strategy in Strategy::ALL {
        for kind in [Kind::Adaptive, Kind::Lru] {
            invariants.event(format!("{} by {}", strategy.name(), kind.name()));
            let setup = Setup { load: &load, capacity: 20, lifetime };
            strategy::play(strategy, Leaves::By(kind), setup, &database, invariants)?;
        }
    }
    Ok(())
}
