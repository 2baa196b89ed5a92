//! The run, top to bottom.

use crate::design::DESIGN;
use crate::experiments::{self, Bytes, Filters, Points, Repairs};
use crate::load::{self, Loaded};
use crate::script::Script;
use crate::stale::{self, Curve, Measured, Setting};
use crate::trials::{self, Parts, QUICK, Sizes};
use crate::{claims, faults, outline};
use kit::{Failure, Fault, Report, Run, Seed};

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// The promises under attack.
    pub parts: Parts,
    /// Stale reads by R and W, right after the write.
    pub stale: Vec<Measured>,
    /// The same later.
    pub curves: Vec<Curve>,
    /// What registers showed under six settings.
    pub settings: Vec<Setting>,
    /// The recorded load.
    pub load: Loaded,
    /// Partition, disk, slow node, zone, join.
    pub faults: Vec<Fault>,
    /// Virtual nodes.
    pub points: Vec<Points>,
    /// Which repairs a store needs.
    pub repairs: Vec<Repairs>,
    /// Bytes of comparisons.
    pub bytes: Vec<Bytes>,
    /// Sizes of filters.
    pub filters: Vec<Filters>,
    /// The user's own calls, if there are any.
    pub own: Option<Script>,
    /// Our own server and a real Redis, if there is one.
    pub redis: Option<experiments::Race>,
}

/// Runs the design and fills the report.
///
/// # Errors
/// When the user's calls cannot be read, a picture cannot be written or a server is not reached.
pub fn run(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let intact = run.safeguards.off().is_empty();
    let own = run.data.as_ref().map(|input| Script::play(input, run)).transpose()?;
    let seed = Seed::new(run.seed);
    // On the other core meanwhile: every safeguard switched off, seed by seed.
    let ablating = intact.then(|| std::thread::spawn(|| kit::ablate(&DESIGN, 1..=20, trials::run)));

    // Every promise under attack, with what is switched off switched off.
    let mut registers = QUICK.registers;
    let mut carts = QUICK.carts;
    if intact {
        registers.keys = run.scale.pick(registers.keys, 16, 64);
        carts.keys = run.scale.pick(carts.keys, 20, 80);
        carts.clients = run.scale.pick(carts.clients, 24, 96);
    }
    let sizes = Sizes { registers, carts };
    let (records, parts) = trials::run_sized(run.seed, &run.safeguards, sizes);
    report.invariants = records;

    // What R and W are worth: always with all safeguards but those that each row names.
    let scale = |quick, demo, full| if intact { run.scale.pick(quick, demo, full) } else { quick };
    let pairs = scale(200, 600, 20_000);
    let stale = stale::table(pairs, seed.child("stale"))?;
    let curves = stale::curves(pairs / 2, seed.child("curves"))?;
    let size = crate::registers::Size { keys: 4, ..QUICK.registers };
    let settings = stale::settings(seed.child("settings"), scale(1, 2, 40), size)?;

    // A recorded day, five faults, and the trade-offs.
    let trace = load::trace(scale(1_000, 6_000, 40_000) as usize)?;
    let load = load::run(run, &trace)?;
    let faults = faults::run(seed)?;
    let facts = Facts {
        parts,
        stale,
        curves,
        settings,
        faults,
        points: experiments::points()?,
        repairs: experiments::repairs(seed.child("repairs"))?,
        bytes: experiments::bytes(seed)?,
        filters: experiments::filters()?,
        own,
        redis: experiments::race(run, &trace)?,
        load,
    };
    if facts.redis.as_ref().is_some_and(|race| race.differ > 0) {
        return Err("a real Redis answers otherwise than this store".into());
    }
    if let Some(ablating) = ablating {
        report.ablations = ablating.join().map_err(|_| "a safeguard's removal ended in a panic")?;
    }
    fill(&mut report, &facts);
    outline::draw(run, &facts)?;
    Ok(report)
}

fn fill(report: &mut Report, facts: &Facts) {
    report.answer = outline::answer(facts);
    report.worst_error = Some(outline::worst(facts));
    report.estimates = outline::estimates();
    report.diagram = outline::DIAGRAM;
    outline::flow(&mut report.flow, facts);
    report.load = outline::load(facts);
    outline::latency(&mut report.latency, facts);
    report.faults.clone_from(&facts.faults);
    report.trade_offs = experiments::all(facts);
    outline::wall(&mut report.wall, facts);
    claims::fill(&mut report.claims, facts);
}
