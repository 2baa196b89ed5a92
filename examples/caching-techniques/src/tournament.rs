//! Four strategies by every policy on one trace; every policy on every trace; Belady's bound on all.

use crate::store::Database;
use crate::strategy::{self, BOUND, Cell, LIFETIME, Leaves, Setup, Strategy, play};
use crate::trace::{Trace, Workload};
use archstone_cache::sim::{self, Kind, Outcome};
use kit::{Failure, Invariants};
use std::sync::Arc;

/// All cells, and what no policy can pass.
#[derive(Clone, Debug)]
pub struct Tournament {
    /// Entries of each cache.
    pub capacity: usize,
    /// The requests.
    pub load: Workload,
    /// Strategy by strategy, policy by policy.
    pub cells: Vec<Cell>,
    /// By strategy.
    pub bounds: Vec<(Strategy, Outcome)>,
}

/// One trace by every policy without a store, at some sizes.
#[derive(Clone, Debug)]
pub struct Curves {
    /// What the trace is called.
    pub title: String,
    /// Requests and distinct keys.
    pub requests: u64,
    /// See [`Curves::requests`].
    pub distinct: u64,
    /// The curves; the last is the optimum.
    pub chart: sim::Chart,
}

/// Plays every cell.
///
/// # Errors
/// What SQLite says.
pub fn run(
    load: Workload,
    capacity: usize,
    lifetime: bool,
    mut step: impl FnMut(),
    invariants: &mut Invariants,
) -> Result<Tournament, Failure> {
    let bound_holds = invariants.declare(BOUND);
    let database = Arc::new(Database::in_memory()?);
    database.fill(0..load.distinct as u32)?;
    let mut tournament = Tournament { capacity, load, cells: Vec::new(), bounds: Vec::new() };
    for strategy in Strategy::ALL {
        let bound = strategy.bound(&tournament.load, capacity)?;
        tournament.bounds.push((strategy, bound));
        for leaves in Leaves::all() {
            let setup =
                Setup { load: &tournament.load, capacity, lifetime: lifetime.then_some(LIFETIME) };
            let name = leaves.name();
            invariants.event(format!("{} by {name}, {capacity} entries", strategy.name()));
            let cell = play(strategy, leaves, setup, &database, invariants)?;
            // A cache without a bound may hold more than Belady's; what is unstored is held beside it.
            let beside = if strategy == Strategy::WriteBehind { strategy::MAX_DIRTY } else { 0 };
            if leaves != Leaves::Expired {
                let most = match beside {
                    0 => bound,
                    more => strategy.bound(&tournament.load, capacity + more)?,
                };
                invariants.check(bound_holds, cell.hits <= most.hits, || {
                    format!("{name} hits {} times, the bound is {}", cell.hits, most.hits)
                });
            }
            tournament.cells.push(cell);
            step();
        }
    }
    Ok(tournament)
}

impl Tournament {
    /// The cells of a strategy.
    pub fn of(&self, strategy: Strategy) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| cell.strategy == strategy)
    }

    /// One cell.
    #[must_use]
    pub fn cell(&self, strategy: Strategy, leaves: Leaves) -> Option<&Cell> {
        self.of(strategy).find(|cell| cell.leaves == leaves)
    }

    /// The cells with the most and the fewest hits; those that keep to the capacity.
    #[must_use]
    pub fn ends(&self, strategy: Strategy) -> Option<(&Cell, &Cell)> {
        let bounded = || self.of(strategy).filter(|cell| cell.leaves != Leaves::Expired);
        // The first of equals, so that the order of the policies decides.
        let best =
            bounded().reduce(|best, cell| if cell.hits > best.hits { cell } else { best })?;
        Some((best, bounded().min_by_key(|cell| cell.hits)?))
    }

    /// The bound of a strategy as a share of its reads.
    #[must_use]
    pub fn bound(&self, strategy: Strategy) -> f64 {
        let found = self.bounds.iter().find(|bound| bound.0 == strategy);
        found.map_or(0.0, |bound| bound.1.hits as f64 / self.load.reads().max(1) as f64)
    }
}

/// The capacities of [`curves`], in percent of the distinct keys.
pub const PERCENT: [f64; 7] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

/// Every policy and the optimum on a trace.
///
/// # Errors
/// When the trace has more keys than can be numbered.
pub fn curves(trace: &Trace, invariants: &mut Invariants) -> Result<Curves, Failure> {
    let bound_holds = invariants.declare(BOUND);
    let simulated = trace.simulated()?;
    let capacities = sim::percent_of(&simulated, &PERCENT);
    let title = format!("{}: misses by capacity", trace.title);
    let chart = sim::chart(&title, &simulated, Kind::ALL, &capacities);
    let (policies, optimum) = chart.series.split_at(chart.series.len() - 1);
    for series in policies {
        invariants.event(format!("{} on {}", series.name, trace.title));
        for (point, best) in series.points.iter().zip(&optimum[0].points) {
            invariants.check(bound_holds, point.1.hits <= best.1.hits, || {
                format!("{} hits {}, the bound is {}", series.name, point.1.hits, best.1.hits)
            });
        }
    }
    Ok(Curves {
        title: trace.title.clone(),
        requests: simulated.len() as u64,
        distinct: simulated.distinct() as u64,
        chart,
    })
}

impl Curves {
    /// Hit ratio of a curve (by its place, the last is the optimum) at a place of [`PERCENT`].
    #[must_use]
    pub fn ratio(&self, series: usize, at: usize) -> f64 {
        let point = self.chart.series.get(series).and_then(|series| series.points.get(at));
        point.map_or(0.0, |point| point.1.hit_ratio())
    }

    /// The best hit ratio that a cache without an end has: the first request of a key misses.
    #[must_use]
    pub fn ceiling(&self) -> f64 {
        1.0 - self.distinct as f64 / self.requests.max(1) as f64
    }
}
