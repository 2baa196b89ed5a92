//! The run, top to bottom.

use crate::design::DESIGN;
use crate::dual::{self, Way};
use crate::io::Stop;
use crate::provider::Faults;
use crate::rules::Rules;
use crate::trials::{self, Found, QUICK, Size};
use crate::world::{self, Facts as Day, Setup, Trouble};
use crate::{claims, data, experiments, outline, sample};
use kit::invariant::merge;
use kit::store::Durability;
use kit::{Failure, Fault, Invariants, Report, Run, Seed, Time};
use std::time::{Duration, Instant};

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// The load: a day as usual, or the user's orders.
    pub day: Day,
    /// The time it took.
    pub busy: Duration,
    /// Orders of the user's own, and lines skipped.
    pub own: Option<(usize, usize)>,
    /// The trials.
    pub found: Found,
    /// Trouble.
    pub faults: Vec<Fault>,
    /// The text's commit, and others.
    pub dual: Vec<(Way, dual::Outcome)>,
    /// The text's lock, and the registry.
    pub locks: [sample::Outcome; 2],
    /// Requests and queries an order, and the share paid, of a day without faults, as usual, nasty.
    pub weather: Vec<(&'static str, Day)>,
    /// Payments lost when what is unknown is failed.
    pub failed_unknown: u64,
    /// Payments a second when each commit waits for the disk.
    pub durable: f64,
    /// What the retention does just before and just after its end.
    pub window: experiments::Window,
}

/// Runs the design and fills the report.
///
/// # Errors
/// When the input cannot be read or SQLite fails.
pub fn run(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let intact = run.safeguards.off().is_empty();
    let own = run.data.as_ref().map(data::read).transpose()?;
    if let Some(own) = &own {
        for (line, why) in own.skipped.iter().take(3) {
            run.say(&format!("line {line} is no order, skipped: {why}"));
        }
    }

    // Every promise, attacked: with what is switched off switched off.
    let full = Size { orders: 400, crash_orders: 5, stride: 1, scripts: 6 };
    let demo = Size { orders: 100, crash_orders: 4, stride: 1, scripts: 2 };
    let size = if intact { run.scale.pick(QUICK, demo, full) } else { QUICK };
    let (records, found) = trials::run_sized(run.seed, &run.safeguards, size)?;
    report.invariants = records;
    if intact {
        report.ablations = kit::ablate(&DESIGN, 1..=20, trials::run);
    }

    // The load: always whole, so that its figures are those of the design.
    let root = Seed::new(run.seed).child("load");
    let orders = if intact { run.scale.pick(150, 3_000, 30_000) } else { 50 };
    let owned = own.as_ref().map(|own| (own.orders.len(), own.skipped.len()));
    let usual = Setup {
        orders,
        rate: 50.0,
        faults: Faults::USUAL,
        own: own.map(|own| own.orders),
        ..trials::setup(root, 0, Rules::ALL)
    };
    let (mut watched, began) = (Invariants::new(run.seed), Instant::now());
    let day = world::run(usual, &mut watched)?;
    let busy = began.elapsed();
    merge(&mut report.invariants, watched.into_records());

    let weather = [("none", Faults::NONE), ("usual", Faults::USUAL), ("nasty", Faults::NASTY)];
    let weather = weather.map(|(name, faults)| {
        let setup = Setup { faults, rate: 20.0, ..trials::setup(root.child(name), 60, Rules::ALL) };
        Ok::<_, Stop>((name, world::run(setup, &mut Invariants::new(run.seed))?))
    });
    let troubles = [
        (Trouble::Gateway, 500, "the gateway is killed under load"),
        (Trouble::Provider, 10_000, "the provider is silent"),
        (Trouble::Log, 10_000, "the log cannot be reached"),
        (Trouble::Merchants, 30_000, "merchants' servers answer 500"),
    ];
    let mut faults = Vec::new();
    for (trouble, ms, kind) in troubles {
        let lasts = Duration::from_millis(ms);
        let seen = trials::trouble(root, trouble, lasts)?;
        faults.push(outline::fault(kind, trouble, Time::from_secs(6), lasts, &seen));
    }
    let facts = Facts {
        day,
        busy,
        own: owned,
        found,
        faults,
        dual: Way::ALL
            .into_iter()
            .map(|way| Ok((way, dual::killed_everywhere(way)?)))
            .collect::<Result<_, Stop>>()?,
        locks: [sample::text(), sample::registry()],
        weather: weather.into_iter().collect::<Result<_, _>>()?,
        failed_unknown: experiments::failed_unknown(root)?,
        durable: experiments::durable(run.scale.pick(20, 100, 400), Durability::Power)?,
        window: experiments::window(root)?,
    };
    fill(&mut report, &facts);
    Ok(report)
}

fn fill(report: &mut Report, facts: &Facts) {
    report.answer = outline::answer(facts);
    report.estimates = outline::estimates();
    report.diagram = outline::DIAGRAM;
    outline::flow(&mut report.flow, facts);
    report.load = outline::load(facts);
    report.latency = facts.day.latency.clone();
    report.faults.clone_from(&facts.faults);
    report.trade_offs = experiments::all(facts);
    outline::wall(&mut report.wall, facts);
    claims::fill(&mut report.claims, facts);
}
