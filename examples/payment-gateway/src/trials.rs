//! Every promise under attack: what the run, the tests and `kit::ablate` all drive. A function of seed,
//! size and safeguards.

use crate::io::{Io, Stop};
use crate::provider::Faults;
use crate::risk::{CARD_BURST, CARD_HOURLY, Facts as RiskFacts, Risk};
use crate::rules::Rules;
use crate::vault::{Randomness, Vault};
use crate::world::{self, Facts, Setup, Trouble, at_ms};
use crate::{db, gateway::Gateway, orders, settle};
use kit::invariant::{Record, merge};
use kit::sim::CrashPoints;
use kit::store::{Durability, EventLog};
use kit::{Invariants, Safeguards, Seed, Time};
use std::path::Path;
use std::time::Duration;

/// What must hold; the safeguards refer to these.
pub const SECRET: &str = "no card number and no CVV is in the database or a log";
/// See [`SECRET`].
pub const VELOCITY: &str = "no card is tried more often than its limit";
/// See [`SECRET`].
pub const BREAKS: &str = "the daily match finds every planted break, and nothing else";

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Orders of the nasty day without a crash.
    pub orders: u64,
    /// Orders of each run that crashes.
    pub crash_orders: u64,
    /// A crash at every so many points: 1 is at every one.
    pub stride: u64,
    /// Scripts that crash.
    pub scripts: u64,
}

/// Small enough for twenty seeds and every safeguard.
pub const QUICK: Size = Size { orders: 40, crash_orders: 3, stride: 3, scripts: 1 };

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The nasty day.
    pub day: Facts,
    /// Runs that crashed, and points at which one could.
    pub crashed: u64,
    /// See [`Found::crashed`].
    pub points: u64,
    /// Simulated events of all runs.
    pub steps: u64,
    /// Breaks planted and lines matched.
    pub breaks: u64,
    /// See [`Found::breaks`].
    pub matched: u64,
    /// Attempts of a stolen card, and those that passed.
    pub tried: u64,
    /// See [`Found::tried`].
    pub passed: u64,
    /// Bytes searched for card numbers.
    pub searched: u64,
}

/// Runs everything with `seed` at quick size; the records.
///
/// # Panics
/// When SQLite fails: it has memory and a temporary folder of its own.
#[must_use]
pub fn run(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(seed, on, QUICK).expect("a SQLite of its own").0
}

/// Runs everything with `seed`; the records and what was found. With a safeguard off it stops at the
/// first part that breaks something.
///
/// # Errors
/// What SQLite says.
pub fn run_sized(seed: u64, on: &Safeguards, size: Size) -> Result<(Vec<Record>, Found), Stop> {
    let rules = Rules::of(on);
    let root = Seed::new(seed).child("trials");
    let (mut records, mut found) = (Vec::new(), Found::default());
    let intact = on.off().is_empty();
    let enough = |records: &[Record]| !intact && kit::invariant::first_broken(records).is_some();

    let mut invariants = Invariants::new(seed);
    secrets(root, rules, &mut found, &mut invariants)?;
    velocity(root, rules, &mut found, &mut invariants);
    matching(root, rules, &mut found, &mut invariants)?;
    merge(&mut records, invariants.into_records());
    if enough(&records) {
        return Ok((records, found));
    }

    let mut invariants = Invariants::new(seed);
    found.day = world::run(setup(root.child("day"), size.orders, rules), &mut invariants)?;
    found.steps += found.day.steps;
    merge(&mut records, invariants.into_records());
    if enough(&records) {
        return Ok((records, found));
    }

    for script in 0..size.scripts {
        let own = root.child(&format!("crash {script}"));
        let whole = setup(own, size.crash_orders, rules);
        let points = world::run(whole.clone(), &mut Invariants::new(seed))?.points;
        found.points += points;
        // At every point in turn, or at every so many, each seed beginning elsewhere.
        for nth in (seed % size.stride..points).step_by(size.stride as usize) {
            let mut invariants = Invariants::new(seed);
            let crashing = Setup { points: CrashPoints::at(nth), ..whole.clone() };
            let facts = world::run(crashing, &mut invariants)?;
            found.crashed += facts.crashes;
            found.steps += facts.steps;
            merge(&mut records, invariants.into_records());
            if enough(&records) {
                return Ok((records, found));
            }
        }
    }
    Ok((records, found))
}

/// A nasty day of so many orders.
#[must_use]
pub fn setup(seed: Seed, orders: u64, rules: Rules) -> Setup {
    Setup {
        seed,
        orders,
        rate: 4.0,
        faults: Faults::NASTY,
        rules,
        file: None,
        points: CrashPoints::never(),
        own: None,
        trouble: None,
    }
}

/// Every byte that reaches the disk, and every word that reaches a log, is searched.
fn secrets(
    seed: Seed,
    rules: Rules,
    found: &mut Found,
    invariants: &mut Invariants,
) -> Result<(), Stop> {
    let secret = invariants.declare(SECRET);
    let folder =
        tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidPath("temporary".into()))?;
    let (path, log) = (folder.path().join("gateway"), folder.path().join("log"));
    let random = Randomness::Seeded(Box::new(seed.stream("secrets")));
    let vault = Vault::new(&[7; 32], random, rules.sealed_vault);
    let database = db::open(&path, Durability::Process)?;
    let mut gateway = Gateway::new(database, rules, vault, seed.stream("secrets gateway"));
    let mut io = Io::new(EventLog::open(&log, Durability::Process)?);
    let mut dice = seed.stream("secret orders");
    let (mut said, mut numbers) = (String::new(), Vec::new());
    for nth in 0..6 {
        let ask = orders::ask(nth, &mut dice);
        invariants.event(format!("{nth}: {:?} is paid with", ask.account));
        numbers.push(ask.account.number.clone());
        said.push_str(&format!("{ask:?}"));
        let reply = gateway.submit(Time::from_secs(nth), &mut io, ask)?;
        gateway.work(Time::from_secs(nth), &mut io)?;
        said.push_str(&format!("{reply:?} {gateway:?}"));
        said.push_str(&format!("{:?}", gateway.status("acme", nth as i64 + 1)?));
    }
    drop((gateway, io));
    let mut bytes = said.into_bytes();
    for file in [&path, &log] {
        for end in ["", "-wal", "-shm"] {
            let file = format!("{}{end}", file.display());
            bytes.extend(std::fs::read(Path::new(&file)).unwrap_or_default());
        }
    }
    found.searched += bytes.len() as u64;
    for number in &numbers {
        let there = holds(&bytes, number.as_bytes());
        let shown = crate::vault::shown(number);
        invariants.check(secret, !there, || format!("the number {shown} is there to read"));
    }
    let there = holds(&bytes, b"737\"") || holds(&bytes, b"cvv=737");
    invariants.check(secret, !there, || "a CVV is there to read".to_owned());
    Ok(())
}

/// Whether `needle` is somewhere in `bytes`.
#[must_use]
pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Somebody tries a stolen card every 20 s for an hour.
fn velocity(seed: Seed, rules: Rules, found: &mut Found, invariants: &mut Invariants) {
    let limit = invariants.declare(VELOCITY);
    let risk = Risk::new(rules.velocity);
    let mut dice = seed.stream("velocity");
    let facts =
        RiskFacts { print: &[9; 16], merchant: "acme", amount: 100, before: 0, countries: None };
    let mut at = Time::from_secs(1);
    let end = at + Duration::from_secs(3_600);
    let most = CARD_BURST + u64::from(CARD_HOURLY);
    while at < end {
        found.tried += 1;
        let passed = risk.attempt(at, &facts).is_ok();
        found.passed += u64::from(passed);
        invariants.event(at_ms(at, &format!("card tried, passed: {passed}")));
        let passed = found.passed;
        invariants.check(limit, passed <= most, || {
            format!("{passed} passed in an hour, at most {most} may")
        });
        at += dice.between(Duration::from_secs(5), Duration::from_secs(35));
    }
}

/// A quiet day, its report falsified in ten places.
fn matching(
    seed: Seed,
    rules: Rules,
    found: &mut Found,
    invariants: &mut Invariants,
) -> Result<(), Stop> {
    let folder =
        tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidPath("temporary".into()))?;
    let file = folder.path().join("day");
    let quiet = Setup {
        faults: Faults::NONE,
        file: Some(file.clone()),
        ..setup(seed.child("settle"), 30, Rules::ALL)
    };
    let (_, done) = world::run_keeping(quiet, &mut Invariants::new(0))?;
    let breaks = invariants.declare(BREAKS);
    let mut report = settle::report(&done);
    let planted = settle::plant(&mut report, 10, &mut seed.stream("breaks"));
    let mut database = db::open(&file, Durability::Process)?;
    let (got, matched) = settle::settle(&mut database, &report, rules.full_match)?;
    found.breaks += planted.len() as u64;
    found.matched += matched;
    for each in &planted {
        invariants.event(format!("planted: {each}"));
        let seen = got.contains(each);
        invariants.check(breaks, seen, || format!("not found: {each}"));
    }
    let extra = got.iter().find(|each| !planted.contains(each));
    invariants.check(breaks, extra.is_none(), || format!("not planted: {extra:?}"));
    // Settled once: the same report again matches nothing that is left.
    if rules.full_match {
        let (_, again) = settle::settle(&mut database, &report, true)?;
        invariants.check(breaks, again == 0, || format!("{again} lines are settled twice"));
    }
    Ok(())
}

/// The faults that an interviewer asks about.
///
/// # Errors
/// What SQLite says.
pub fn trouble(seed: Seed, trouble: Trouble, lasts: Duration) -> Result<Facts, Stop> {
    let whole = Setup {
        orders: 120,
        rate: 8.0,
        faults: Faults::USUAL,
        trouble: Some((Time::from_secs(6), lasts, trouble)),
        ..setup(seed.child(&format!("{trouble:?}")), 0, Rules::ALL)
    };
    world::run(whole, &mut Invariants::new(0))
}
