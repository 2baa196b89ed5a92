//! The run, top to bottom.

use crate::design::DESIGN;
use crate::faults::{self, Blows};
use crate::herd::{self, Way};
use crate::metrics::{self, Measured};
use crate::sample::TextLfu;
use crate::strategy::{LIFETIME, RATE};
use crate::tournament::{self, Curves, Tournament};
use crate::trace::{MAX_REQUESTS, Shipped, Trace};
use crate::trials::{self, Found, QUICK, Size};
use crate::{Options, claims, experiments, levels, negative, outline};
use archstone_cache::sim;
use kit::invariant::merge;
use kit::plot::{Chart, Line};
use kit::{Failure, Invariants, Report, Run, Safeguards, Seed};
use std::time::{Duration, Instant};

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// The trace of the tournament.
    pub trace: Trace,
    /// Every strategy by every policy.
    pub tournament: Tournament,
    /// Every policy on every trace.
    pub curves: Vec<Curves>,
    /// The hot key, each way.
    pub herd: (herd::Setup, Vec<(Way, herd::Outcome)>),
    /// The linear rule as its formula has it.
    pub linear: (herd::Setup, herd::Outcome, herd::Outcome),
    /// Nodes lost and wiped.
    pub blows: Blows,
    /// By capacity: 5, 7.5, 10, 20, 40 and 80 % of the keys.
    pub measured: Vec<Measured>,
    /// The filter of the size of this run.
    pub negative: negative::Facts,
    /// The promises under attack.
    pub found: Found,
    /// The text's LFU on the trace: buckets, empty ones, hits of all requests, and ours.
    pub lfu: (usize, usize, u64),
    /// The remote level on a real Redis.
    pub redis: Option<levels::Facts>,
    /// What the tournament took, and the simulator.
    pub busy: [Duration; 2],
}

impl Facts {
    /// Whether an invariant of the trials held: a claim must not outlive its safeguard.
    #[must_use]
    pub fn held(&self, name: &str) -> bool {
        let record = self.found.records.iter().find(|record| record.name == name);
        record.is_some_and(|record| record.checked > 0 && record.violations == 0)
    }
}

/// A hot key for ten minutes.
const HERD: herd::Setup = herd::Setup {
    rate: 100.0,
    lifetime: Duration::from_secs(60),
    takes: Duration::from_millis(400),
    length: Duration::from_secs(600),
};

/// The figures of the erratum: a lifetime of five minutes, ten requests a second.
const LINEAR: herd::Setup = herd::Setup {
    rate: 10.0,
    lifetime: Duration::from_secs(300),
    takes: Duration::from_millis(10),
    length: Duration::from_secs(7_200),
};

/// Runs the design and fills the report.
///
/// # Errors
/// When the trace cannot be read, a chart cannot be written, SQLite or a real Redis fails.
pub fn run(run: &Run, options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let mut invariants = Invariants::new(run.seed);
    let seed = run.random();
    let intact = run.safeguards.off().is_empty();
    let scale = if intact { run.scale } else { kit::Scale::Quick };
    // What is not there is said before any work.
    let redis = real_level(run)?;
    let (trace, curved) = traces(run, scale)?;

    // Every promise under attack, with what is switched off switched off.
    let size = Size {
        races: scale.pick(QUICK.races, 3_000, 30_000),
        ops: scale.pick(QUICK.ops, 120, 400),
        levels: scale.pick(QUICK.levels, 120, 1_200),
        ..QUICK
    };
    let found = trials::run_sized(run.seed, &run.safeguards, size)?;
    report.invariants.clone_from(&found.records);
    if intact {
        report.ablations = kit::ablate(&DESIGN, 1..=20, trials::run);
    }

    // Every strategy by every policy before the store.
    let load = trace.workload(seed, RATE, options.writes);
    let capacity = trace.share(options.capacity);
    let progress = run.progress("cells", 48);
    let began = Instant::now();
    let tournament = tournament::run(load, capacity, true, || progress.add(1), &mut invariants)?;
    let played = began.elapsed();
    let began = Instant::now();
    let curves = curved.iter().map(|trace| tournament::curves(trace, &mut invariants));
    let curves = curves.collect::<Result<Vec<_>, _>>()?;
    let busy = [played, began.elapsed()];

    // One hot key, each way.
    let setup = herd::Setup { length: HERD.length * scale.pick(1, 1, 12), ..HERD };
    let ways = Way::ALL.map(|way| herd::play(way, setup, seed).map(|outcome| (way, outcome)));
    let ways = ways.into_iter().collect::<Result<Vec<_>, _>>()?;
    let linear =
        (LINEAR, herd::play(Way::Linear, LINEAR, seed)?, herd::play(Way::XFetch, LINEAR, seed)?);

    let blows = faults::blows(&tournament.load, capacity, &mut invariants)?;
    let shares = [0.05, 0.075, 0.1, 0.2, 0.4, 0.8].map(|share| trace.share(share));
    let measured = shares.map(|entries| metrics::measure(&tournament.load, entries, LIFETIME));
    let measured = measured.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut lfu = TextLfu::new(capacity);
    let reads = tournament.load.requests.iter().take(5_000);
    let hits = reads.filter(|request| lfu.request(request.0)).count() as u64;

    // The filter of the text's size, at full scale.
    let rows = scale.pick(5_000, 100_000, 1_000_000);
    let negative = {
        let folder = tempfile::tempdir()?;
        let setup = negative::Setup { rows, made: rows / 100, asked: rows.min(100_000) };
        let all = Safeguards::all(&DESIGN);
        let path = folder.path().join("users.sqlite");
        negative::run(&path, Seed::new(run.seed), setup, &all, &mut invariants)?
    };
    let redis = match redis {
        Some(far) => {
            let all = Safeguards::all(&DESIGN);
            let facts = levels::run(seed, size.levels, Some(far), &all, &mut invariants)?;
            Some(facts)
        }
        None => None,
    };

    merge(&mut report.invariants, invariants.into_records());
    let (buckets, empty) = lfu.buckets();
    let facts = Facts {
        trace,
        tournament,
        curves,
        herd: (setup, ways),
        linear,
        blows,
        measured,
        negative,
        found,
        lfu: (buckets, empty, hits),
        redis,
        busy,
    };
    draw(run, &facts)?;
    fill(&mut report, &facts);
    Ok(report)
}

#[cfg(feature = "redis")]
fn real_level(run: &Run) -> Result<Option<Box<dyn levels::Far>>, Failure> {
    let Some(url) = run.backend("redis") else { return Ok(None) };
    // Another prefix for each run: what an earlier one left is not there.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let prefix = format!("caching-techniques:{}:", now.as_nanos());
    Ok(Some(Box::new(crate::redis_level::RedisLevel::connect(url, &prefix)?)))
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
fn real_level(_: &Run) -> Result<Option<Box<dyn levels::Far>>, Failure> {
    Ok(None)
}

/// The trace of the tournament, and those of the curves: the user's own, or the shipped ones.
fn traces(run: &Run, scale: kit::Scale) -> Result<(Trace, Vec<Trace>), Failure> {
    if let Some(input) = &run.data {
        let trace = Trace::read(input.open()?, &input.to_string())
            .map_err(|error| format!("{input}: {error}"))?;
        for (line, text) in &trace.shown {
            run.say(&format!("line {line} is no request, skipped: {text}"));
        }
        if let Some(why) = &trace.cut_short {
            run.say(&format!("{input}: not read to its end: {why}"));
        }
        // Every cell asks SQLite: a long trace is played from its beginning.
        let played = trace.first(scale.pick(20_000, 100_000, MAX_REQUESTS));
        return Ok((played, vec![trace.first(scale.pick(100_000, 500_000, MAX_REQUESTS))]));
    }
    let trace = Shipped::Web.read(scale.pick(6_000, 40_000, MAX_REQUESTS))?;
    let most = scale.pick(20_000, 100_000, MAX_REQUESTS);
    let curved = Shipped::ALL.map(|shipped| shipped.read(most)).into_iter();
    Ok((trace, curved.collect::<Result<_, _>>()?))
}

fn fill(report: &mut Report, facts: &Facts) {
    report.answer = outline::answer(facts);
    report.estimates = outline::estimates();
    report.diagram = outline::DIAGRAM;
    outline::flow(&mut report.flow, facts);
    report.load = outline::load(facts);
    facts.tournament.cells.iter().for_each(|cell| report.latency.merge(&cell.latency));
    facts.herd.1.iter().for_each(|(_, outcome)| report.latency.merge(&outcome.waits));
    report.faults = faults::all(&facts.blows, &facts.found);
    report.trade_offs = experiments::all(facts);
    outline::wall(&mut report.wall, facts);
    claims::fill(&mut report.claims, facts);
}

/// The charts of `--svg`.
fn draw(run: &Run, facts: &Facts) -> Result<(), Failure> {
    for (nth, curves) in facts.curves.iter().enumerate() {
        let name = if nth == 0 { "miss-ratios".to_owned() } else { format!("miss-ratios-{nth}") };
        if let Some(path) = run.svg(&name) {
            let named = |error: std::io::Error| format!("{}: {error}", path.display());
            std::fs::write(&path, sim::svg(&curves.chart)).map_err(named)?;
        }
    }
    let (setup, ways) = &facts.herd;
    if let Some(path) = run.svg("herd") {
        // Around the first end of the lifetime.
        let (from, until) =
            (setup.lifetime.as_secs_f64() - 5.0, setup.lifetime.as_secs_f64() + 5.0);
        let steps = |outcome: &herd::Outcome| {
            let (mut points, mut last) = (vec![(from, 0.0)], 0.0);
            for &(at, under_way) in &outcome.changes {
                let at = at.as_millis() as f64 / 1e3;
                if (from..until).contains(&at) {
                    points.extend([(at, last), (at, f64::from(under_way))]);
                }
                last = f64::from(under_way);
            }
            points.push((until, 0.0));
            points
        };
        let lines: Vec<_> =
            ways.iter().map(|(way, outcome)| Line::new(way.name(), steps(outcome))).collect();
        let title = "One hot key at the end of its lifetime: loads under way";
        Chart::new(title, "seconds", "loads").lines(path, &lines)?;
    }
    if let Some(path) = run.svg("node-lost") {
        let line = |name: &str, outcome: &crate::nodes::Outcome| {
            let points = outcome.ends.iter().zip(&outcome.loads);
            Line::new(name, points.map(|(at, loads)| (at.as_millis() as f64 / 1e3, loads * 100.0)))
        };
        let blows = &facts.blows;
        let lines = [
            line("ring, one node lost", &blows.ring),
            line("modulo, one node lost", &blows.modulo),
            line("all wiped", &blows.wiped),
            line("nothing happens", &blows.calm),
        ];
        let chart = Chart::new("What the store is asked", "seconds", "% of the requests");
        chart.lines(path, &lines)?;
    }
    Ok(())
}
