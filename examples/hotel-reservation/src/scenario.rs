//! The run, top to bottom.

use crate::booking::{jittered_policy, text_policy};
use crate::contention::{self, Outcome};
use crate::design::DESIGN;
use crate::engine::{Engine, Sqlite};
use crate::explore::{self, Row, Schedules};
use crate::input::{self, Answers};
use crate::layers::{Leases, TableLeases};
use crate::overbook::{self, Terms, Tried};
use crate::world::{self, QUICK, Size};
use crate::{claims, experiments, faults, outline};
use kit::{Failure, Fault, Report, Retry, Run, Safeguards, Seed};
use std::time::{Duration, Instant};

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// The user's own stays.
    pub own: Option<Answers>,
    /// Guests of the load run.
    pub guests: u64,
    /// The load run.
    pub load: world::Facts,
    /// The sixteen combinations on SQLite, and the leases without their fence.
    pub table: Vec<Row>,
    /// The sixteen where SQLite has a transaction whatever switch 3 says.
    pub literal: Vec<Row>,
    /// Whether `table` is of all schedules.
    pub all_schedules: bool,
    /// Where the leases of `table` were.
    pub leases: &'static str,
    /// The same on the engines given by `--backend`.
    pub server: Option<Server>,
    /// 1,000 clients, by what they do.
    pub crowds: Vec<(&'static str, Outcome)>,
    /// Of 1,000 pairs that share a night, both granted: by the text's key, and by night.
    pub both: [u64; 2],
    /// The overbooking curves.
    pub overbook: Vec<(&'static str, Terms, Vec<Tried>)>,
    /// What goes wrong at once.
    pub faults: Vec<Fault>,
    /// Searches timed.
    pub searched: u64,
    /// The time of the load run and of the searches.
    pub busy: [Duration; 2],
}

/// The table on real servers.
#[derive(Debug)]
pub struct Server {
    /// The database.
    pub name: String,
    /// Where its leases were.
    pub leases: &'static str,
    /// The combinations.
    pub rows: Vec<Row>,
}

/// Runs the design and fills the report.
///
/// # Errors
/// When the input cannot be read, a server does not answer, or SQLite fails.
pub fn run(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let intact = run.safeguards.off().is_empty();
    let own = input::book(run)?;
    let seed = Seed::new(run.seed);
    let all = Safeguards::all(&DESIGN);

    // Everybody at once, with what is switched off switched off.
    let big = Size {
        guests: run.scale.pick(QUICK.guests, 8_000, 100_000),
        hotels: run.scale.pick(QUICK.hotels, 120, 400),
        nights: run.scale.pick(QUICK.nights, 30, 90),
        sleepers: run.scale.pick(QUICK.sleepers, 4, 4),
        ..QUICK
    };
    let size = if intact { big } else { QUICK };
    let began = Instant::now();
    let (records, load) = world::run_sized(run.seed, &run.safeguards, size)?;
    let mut busy = [began.elapsed(), Duration::ZERO];
    report.invariants = records;
    if intact {
        report.ablations = kit::ablate(&DESIGN, 1..=20, world::run);
    }

    // The layers side by side: each row says itself what is off in it.
    let some = |count: u64, name: &str| Schedules::Some(count, seed.stream(name));
    let all_schedules = intact && run.scale != kit::Scale::Quick;
    let schedules = if all_schedules { Schedules::All } else { some(24, "schedules") };
    let table = tabulate(&mut Sqlite::new(2, false)?, &mut TableLeases::default(), schedules, run)?;
    let literal = some(if intact { 60 } else { 24 }, "literal");
    let literal = tabulate(&mut Sqlite::new(2, true)?, &mut TableLeases::default(), literal, run)?;
    let server = servers(run, &some)?;

    // One room, a thousand clients, three policies.
    let many = Retry::new(Duration::from_millis(100), Duration::from_secs(8), 8);
    let crowds = [
        ("fixed 100 ms x3 (text)", 1, text_policy(), false),
        ("jitter x3", 1, jittered_policy(), false),
        ("fixed 100 ms x3 (text)", 40, text_policy(), false),
        ("jitter x3", 40, jittered_policy(), false),
        ("jitter x8, up to 8 s", 40, many, false),
        ("jitter x3, pays inside", 40, jittered_policy(), true),
    ];
    let crowd = |(name, rooms, policy, inside)| {
        let outcome = contention::run(seed.child("crowd"), 1_000, rooms, policy, inside, &all)?;
        Ok::<_, Failure>((name, outcome))
    };
    let crowds = crowds.into_iter().map(crowd).collect::<Result<_, _>>()?;

    let nights = run.scale.pick(400, 4_000, 40_000);
    let curve = |(name, terms)| (name, terms, overbook::curve(seed.child(name), terms, nights));
    let began = Instant::now();
    let searched = timed_searches(run)?;
    busy[1] = began.elapsed();
    let facts = Facts {
        own,
        guests: size.guests,
        load,
        table,
        literal,
        all_schedules,
        leases: TableLeases::default().name(),
        server,
        crowds,
        both: experiments::both_granted(seed, experiments::PAIRS),
        overbook: experiments::questions().into_iter().map(curve).collect(),
        faults: faults::run(run.seed, &all)?,
        searched,
        busy,
    };
    fill(&mut report, &facts);
    Ok(report)
}

/// All combinations on one database.
///
/// # Errors
/// What the engines say.
pub fn tabulate(
    engine: &mut dyn Engine,
    leases: &mut dyn Leases,
    mut schedules: Schedules,
    run: &Run,
) -> Result<Vec<Row>, Failure> {
    let combinations = explore::combinations();
    let progress = run.progress("combinations", combinations.len() as u64);
    let mut world = 0;
    let mut rows = Vec::new();
    for layers in combinations {
        rows.push(explore::explore(layers, engine, leases, &mut schedules, &mut world)?);
        progress.add(1);
    }
    Ok(rows)
}

/// The table on what `--backend` names: PostgreSQL or SQLite, the lease in Redis or in the table.
#[cfg(any(feature = "postgres", feature = "redis"))]
fn servers(run: &Run, some: &dyn Fn(u64, &str) -> Schedules) -> Result<Option<Server>, Failure> {
    let mut leases: Box<dyn Leases> = Box::new(TableLeases::default());
    let mut engine: Box<dyn Engine> = Box::new(Sqlite::new(2, false)?);
    let mut asked = false;
    #[cfg(feature = "redis")]
    if let Some(url) = run.backend("redis") {
        leases = Box::new(crate::redis_leases::RedisLeases::connect(url)?);
        asked = true;
    }
    #[cfg(feature = "postgres")]
    if let Some(url) = run.backend("postgres") {
        engine = Box::new(crate::postgres::Postgres::connect(url, 2)?);
        asked = true;
    }
    if !asked {
        return Ok(None);
    }
    let schedules = run.scale.pick(some(24, "server"), some(60, "server"), Schedules::All);
    let rows = tabulate(&mut *engine, &mut *leases, schedules, run)?;
    Ok(Some(Server { name: engine.name().to_owned(), leases: leases.name(), rows }))
}

#[cfg(not(any(feature = "postgres", feature = "redis")))]
#[expect(clippy::unnecessary_wraps, reason = "as where there are servers")]
fn servers(_: &Run, _: &dyn Fn(u64, &str) -> Schedules) -> Result<Option<Server>, Failure> {
    Ok(None)
}

/// Searches over 1,500 hotels, for the capacity plan.
fn timed_searches(run: &Run) -> Result<u64, Failure> {
    let (places, _) = crate::places::parse(crate::places::SHIPPED)?;
    let catalogue = crate::places::Catalogue::generate(Seed::new(run.seed), &places, 1_500);
    let desk = crate::desk::Desk::new(&Safeguards::all(&DESIGN), 9)?;
    world::open_all(&desk, &catalogue, 14)?;
    let mut dice = Seed::new(run.seed).stream("searches");
    let count = run.scale.pick(200, 2_000, 20_000);
    for _ in 0..count {
        let place = dice.pick(&places).map_or(places[0].at, |place| place.at);
        let lo = world::FIRST + dice.below(10) as i64;
        let nights = archstone_lock::Span::new(lo, lo + 3);
        let query = crate::search::Query { at: place, nights, guests: 2, rooms: 1 };
        std::hint::black_box(crate::search::find(&catalogue, &desk, query)?);
    }
    Ok(count)
}

fn fill(report: &mut Report, facts: &Facts) {
    report.answer = outline::answer(facts);
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
