//! The run, top to bottom.

use crate::design::DESIGN;
use crate::input::Input;
use crate::trials::{self, Parts, QUICK, Size};
use crate::{claims, draw, experiments, gather, layout, outline};
use kit::{Failure, Report, Run, Seed};
use std::time::{Duration, Instant};

/// Numbers of shards for the experiment of what one more moves.
pub const GROWTH: [usize; 3] = [4, 9, 19];

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// Where the users come from.
    pub input: Input,
    /// Whether that is the user's own file.
    pub own: bool,
    /// The parts, at the size of the run.
    pub parts: Parts,
    /// What one more shard moves, by the ways to hash.
    pub moves: Vec<layout::Moves>,
    /// The slowest shard, by their number.
    pub tail: Vec<(usize, Duration, Duration, Duration, f64)>,
    /// Bytes of a row in its file, with its index.
    pub row_bytes: f64,
    /// The machine's time for a row written, read by its key, and moved.
    pub busy: [Duration; 3],
    /// How many rows that was.
    pub timed: u64,
    /// Of the whole.
    pub spent: Duration,
}

/// Runs the design and fills the report.
///
/// # Errors
/// When the input cannot be read, a picture cannot be written or SQLite fails.
pub fn run(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let intact = run.safeguards.off().is_empty();
    let (read, own) = input(run)?;
    let size = size(run, &read, own);

    // Every promise, attacked, with what is switched off switched off.
    let began = Instant::now();
    let progress = run.progress("databases", 2);
    let (records, parts) = trials::run_sized(&read, run.seed, &run.safeguards, size, true);
    let spent = began.elapsed();
    progress.add(1);
    report.invariants = records;
    if intact {
        report.ablations = kit::ablate(&DESIGN, 1..=20, trials::ablated);
    }

    // What needs no database: how much each way of hashing moves, and the slowest of many shards.
    let seed = Seed::new(run.seed);
    let input = read.sized(size.users, seed.child("trials"));
    let moves = layout::moves(&input.users, run.seed, &GROWTH);
    let tail = gather::tail(seed, run.scale.pick(2_000, 20_000, 100_000));
    let (row_bytes, busy, timed) = outline::measure(&input, run.seed)?;
    progress.add(1);
    drop(progress);
    let facts = Facts { input, own, parts, moves, tail, row_bytes, busy, timed, spent };
    draw::all(run, &facts)?;
    fill(&mut report, &facts);
    Ok(report)
}

fn size(run: &Run, read: &Input, own: bool) -> Size {
    if !run.safeguards.off().is_empty() {
        return QUICK;
    }
    let users = match own {
        true => read.users.len().clamp(QUICK.users, 200_000),
        false => run.scale.pick(read.users.len(), 20_000, 200_000),
    };
    Size {
        users,
        operations: run.scale.pick(QUICK.operations, 20_000, 200_000),
        millis: run.scale.pick(QUICK.millis, 2_000, 10_000),
        queries: run.scale.pick(QUICK.queries, 2_000, 10_000),
        likes: run.scale.pick(QUICK.likes, 50_000, 1_000_000),
        jobs: run.scale.pick(QUICK.jobs, 1_000, 10_000),
        requests: run.scale.pick(QUICK.requests, 60, 600),
    }
}

/// The log of `--data`, or the shipped one.
fn input(run: &Run) -> Result<(Input, bool), Failure> {
    let Some(path) = &run.data else { return Ok((trials::nasa().clone(), false)) };
    let input = Input::read(path.open()?, false).map_err(|error| format!("{path}: {error}"))?;
    for (line, what) in &input.shown {
        run.say(&format!("line {line} is no request, skipped: {what}"));
    }
    if input.skipped > 0 {
        run.say(&format!("{} lines skipped in all", input.skipped));
    }
    Ok((input, true))
}

fn fill(report: &mut Report, facts: &Facts) {
    report.answer = outline::answer(facts);
    report.estimates = outline::estimates(facts);
    report.diagram = outline::DIAGRAM;
    outline::flow(&mut report.flow, facts);
    report.load = outline::load(facts);
    outline::latency(&mut report.latency, facts);
    report.faults = outline::faults(facts);
    report.trade_offs = experiments::all(facts);
    outline::wall(&mut report.wall, facts);
    claims::fill(&mut report.claims, facts);
}
