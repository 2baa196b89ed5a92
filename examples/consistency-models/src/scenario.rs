//! The run, top to bottom.

use crate::bingo::{self, Bingo};
use crate::design::DESIGN;
use crate::script::Script;
use crate::transfer::{self, Level};
use crate::trials::{self, Parts, QUICK, Size};
use crate::{claims, experiments, faults, outline};
use kit::{Failure, Fault, Invariants, Report, Run, Safeguards, Seed};
use std::io::Read;
use std::time::{Duration, Instant};

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// Model by anomaly.
    pub bingo: Bingo,
    /// The user's own script by every model, if there is one.
    pub own: Option<(Script, Bingo)>,
    /// Clocks, accounts, likes.
    pub parts: Parts,
    /// The accounts at each level, and the machine's time for it.
    pub levels: Vec<(Level, transfer::Facts, Duration)>,
    /// Leaders that die, networks that split.
    pub faults: Vec<Fault>,
    /// The time that the simulations took, and the likes.
    pub busy: [Duration; 2],
    /// Pictures drawn.
    pub drawn: u64,
}

/// Runs the design and fills the report.
///
/// # Errors
/// When the script cannot be read, a picture cannot be written or SQLite fails.
pub fn run(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let intact = run.safeguards.off().is_empty();
    let own = own_script(run)?;

    // Every promise, on scripts that attack it, with what is switched off switched off.
    let size = Size {
        scripts: run.scale.pick(QUICK.scripts, 20, 200),
        jobs: run.scale.pick(QUICK.jobs, 400, 4_000),
        likes: run.scale.pick(QUICK.likes, 10_000, 100_000),
        writes: run.scale.pick(QUICK.writes, 2_000, 20_000),
    };
    let size = if intact { size } else { QUICK };
    let (records, parts) = trials::run_sized(run.seed, &run.safeguards, size);
    report.invariants = records;
    if intact {
        report.ablations = kit::ablate(&DESIGN, 1..=20, trials::run);
    }

    // The models side by side: always whole, each row says itself what is off in it.
    let seeds = if intact { run.scale.pick(10, 100, 1_000) } else { 4 };
    let began = Instant::now();
    let progress = run.progress("seeds", seeds);
    let bingo = bingo::play(run.seed, seeds, &progress);
    let simulated = began.elapsed();
    let own = own.map(|script| {
        let played = bingo::play_script(run.seed, &script);
        (script, played)
    });
    let drawn = match &own {
        Some((script, played)) => played.draw(run, Some(script))?,
        None => bingo.draw(run, None)?,
    };

    let jobs = if intact { size.jobs } else { 20 };
    let mut levels = Vec::new();
    for level in Level::ALL {
        let (mut sum, began) = (transfer::Facts::default(), Instant::now());
        for nth in 0..4 {
            let seed = Seed::new(run.seed).child(&format!("levels {nth}"));
            let mut unwatched: Invariants = Invariants::new(run.seed);
            let all = Safeguards::all(&DESIGN);
            sum.add(transfer::run(seed, level, jobs, &all, &mut unwatched)?);
        }
        levels.push((level, sum, began.elapsed()));
    }

    let mut all_faults = faults::run(Seed::new(run.seed));
    all_faults.extend(parts.likes.cut.clone());
    let began = Instant::now();
    let again = crate::likes::run(
        Seed::new(run.seed).child("timed"),
        size.likes,
        &Safeguards::all(&DESIGN),
        &mut Invariants::new(run.seed),
    )?;
    std::hint::black_box(again);
    let busy = [simulated, began.elapsed()];
    let facts = Facts { bingo, own, parts, levels, faults: all_faults, busy, drawn };
    fill(&mut report, &facts, size);
    Ok(report)
}

/// The script of `--data`.
fn own_script(run: &Run) -> Result<Option<Script>, Failure> {
    let Some(input) = &run.data else { return Ok(None) };
    let mut text = String::new();
    // A script is some hundred lines; a gigabyte is a mistake.
    input.open()?.take(1 << 20).read_to_string(&mut text).map_err(|e| format!("{input}: {e}"))?;
    let script = Script::parse(&text);
    for (line, what) in script.skipped.iter().take(3) {
        run.say(&format!("line {line} is no call, skipped: {what}"));
    }
    // Two are the last look that every script gets.
    if script.steps.len() <= 2 {
        return Err(format!("{input}: no call in {} lines", text.lines().count()).into());
    }
    if script.steps.len() > 2_000 {
        return Err(format!("{input}: {} calls, at most 2,000", script.steps.len() - 2).into());
    }
    Ok(Some(script))
}

fn fill(report: &mut Report, facts: &Facts, size: Size) {
    report.answer = outline::answer(facts);
    report.estimates = outline::estimates();
    report.diagram = outline::DIAGRAM;
    outline::flow(&mut report.flow, facts);
    report.load = outline::load(facts);
    outline::latency(&mut report.latency, facts);
    report.faults.clone_from(&facts.faults);
    report.trade_offs = experiments::all(facts);
    outline::wall(&mut report.wall, facts, size);
    claims::fill(&mut report.claims, facts);
}
