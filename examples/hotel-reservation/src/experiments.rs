//! Block 7: the document's trade-offs, as experiments.

use crate::booking::Locks;
use crate::contention::Outcome;
use crate::desk::Wish;
use crate::explore::{Anomaly, Row};
use crate::overbook::{self, Terms};
use crate::scenario::Facts;
use archstone_lock::Span;
use kit::money::{Currency, Money};
use kit::{Seed, Table, Time, TradeOff, Value};

/// All of them.
#[must_use]
pub fn all(facts: &Facts) -> Vec<TradeOff> {
    vec![
        attempts(facts),
        inside(facts),
        granularity(facts),
        overbooking(facts),
        time_to_live(facts),
        switches(facts),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding: finding.into() }
}

fn crowd<'a>(
    facts: &'a Facts,
    wanted: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = &'a (&'static str, Outcome)> {
    facts.crowds.iter().filter(move |(name, _)| wanted(name))
}

fn crowds(rows: &[&(&'static str, Outcome)]) -> Table {
    let columns =
        ["1,000 clients", "rooms", "held", "full", "busy", "of it in vain", "asked", "in 10 ms"];
    let mut table = Table::new(columns);
    for (name, outcome) in rows {
        table.row([
            (*name).into(),
            (outcome.rooms as u64).into(),
            outcome.held.into(),
            outcome.full.into(),
            outcome.in_progress.into(),
            outcome.in_vain.into(),
            outcome.asked.into(),
            outcome.burst.into(),
        ]);
    }
    table
}

fn attempts(facts: &Facts) -> TradeOff {
    let rows: Vec<_> = crowd(facts, |name| !name.contains("inside")).collect();
    trade(
        "15.T1",
        "A lease keeps attempts apart. What are those told who find it taken?",
        crowds(&rows),
        "Busy is BOOKING_IN_PROGRESS after three attempts; in vain, while a room was still free. With one room nothing is lost by it: nobody else can have it, but \"in progress\" is not \"sold\", and those told so come back. With forty rooms a lock on the type and night lets one through at a time: three attempts are over long before the rooms are. Jitter spreads the herd and does not make the queue shorter; more attempts, spread further, do.",
    )
}

fn inside(facts: &Facts) -> TradeOff {
    let rows: Vec<_> = crowd(facts, |name| name.starts_with("jitter x3")).collect();
    trade(
        "15.T2",
        "The text charges the card inside the serializable transaction. What does that cost?",
        crowds(&rows),
        "Whoever pays inside holds lease and rows for as long as a bank takes: the same crowd gets a fraction of the rooms in its three attempts. Hold first, commit, pay outside; a saga makes the hold a booking or frees it. And a rollback does not give the money back: the row \"charged in vain\" of the table.",
    )
}

/// Pairs of stays that share a night, each leased by the text's key and by night: of how many pairs
/// both were granted.
#[must_use]
pub fn both_granted(seed: Seed, pairs: u64) -> [u64; 2] {
    [false, true].map(|by_night| {
        let mut dice = seed.stream("pairs");
        let mut both = 0;
        for pair in 0..pairs {
            let locks = Locks::new(by_night);
            let lo = dice.below(20) as i64;
            let one = Span::new(lo, lo + 1 + dice.below(5) as i64);
            // It begins on one of the nights of the first.
            let start = one.lo + dice.below(one.points()) as i64;
            let two = Span::new(start, start + 1 + dice.below(5) as i64);
            let wish = |nights| Wish { room: pair as i64, nights, rooms: 1 };
            let first = locks.acquire(wish(one), Time::from_secs(1));
            let second = locks.acquire(wish(two), Time::from_secs(2));
            both += u64::from(first.is_some() && second.is_some());
        }
        both
    })
}

/// Pairs of the experiment.
pub const PAIRS: u64 = 1_000;

fn granularity(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["the lease is on", "pairs that share a night", "both granted"]);
    let [text, ours] = facts.both;
    table.row(["room:101:2024-12-15:2024-12-17".into(), PAIRS.into(), text.into()]);
    table.row(["the nights 15 and 16 of room 101".into(), PAIRS.into(), ours.into()]);
    trade(
        "15.T3",
        "\"Lock the entire date range, not individual dates; simpler but coarser\": is it coarser?",
        table,
        "It is no lock: a key that names both ends differs for two stays that overlap, so only those who want exactly the same nights meet. 15 to 17 and 16 to 18 are both granted night 16. An interval lock is as simple to ask for.",
    )
}

fn overbooking(facts: &Facts) -> TradeOff {
    let columns =
        ["no-shows", "pay", "best limit", "over", "earns more", "walked ‰", "empty", "newsvendor"];
    let mut table = Table::new(columns);
    for (name, terms, curve) in &facts.overbook {
        let (none, best) = (curve[0], overbook::best(curve));
        table.row([
            (*name).into(),
            terms.pays.into(),
            best.limit.into(),
            Value::Share(best.limit as f64 / terms.rooms as f64 - 1.0),
            Value::Share(best.earned / none.earned - 1.0),
            best.walked.into(),
            best.empty.into(),
            overbook::newsvendor(*terms).into(),
        ]);
    }
    trade(
        "15.T4",
        "\"Intentional 5-10 % overbooking\": how many rooms too many earn most?",
        table,
        format!(
            "200 rooms at {}, a walked guest costs {}. The best limit follows the no-shows and falls when they come together; the newsvendor's rule, which takes guests for independent and demand for endless, is too bold then. A fixed 5-10 % walks guests where few stay away and leaves rooms empty where many do. Where demand hardly fills the house the limit earns little.",
            euros(facts.overbook.first().map_or(0, |row| row.1.price)),
            euros(facts.overbook.first().map_or(0, |row| row.1.walk)),
        ),
    )
}

fn euros(cents: i64) -> Money {
    Money::new(cents, Currency::EUR)
}

/// What the optimiser is asked: name and terms.
#[must_use]
pub fn questions() -> Vec<(&'static str, Terms)> {
    let terms = Terms {
        rooms: 200,
        price: 12_000,
        walk: 40_000,
        no_show: 0.08,
        spread: 0.0,
        demand: 260.0,
        pays: false,
    };
    vec![
        ("8 %, one by one", terms),
        ("8 %, together", Terms { spread: 0.04, ..terms }),
        ("8 %, together", Terms { spread: 0.04, pays: true, ..terms }),
        ("15 %, together", Terms { no_show: 0.15, spread: 0.05, ..terms }),
        ("3 %, together", Terms { no_show: 0.03, spread: 0.015, ..terms }),
        ("8 %, demand 195", Terms { demand: 195.0, ..terms }),
    ]
}

fn time_to_live(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["the lease", "schedules with a stale write", "of"]);
    for row in &facts.table {
        let lease_only = !row.layers.constraint && !row.layers.serializable && !row.layers.version;
        if lease_only && row.layers.lease.is_some() {
            let cell = row.cell(Anomaly::StaleHolder);
            table.row([row.layers.name().into(), cell.shown.into(), cell.run.into()]);
        }
    }
    trade(
        "15.T5",
        "\"95 % of bookings complete within 30 seconds; lock TTL sufficient\": and the other 5 %?",
        table,
        "A holder that sleeps past its lease writes all the same: only the resource can refuse it, by the fence. And a fence that is looked at by writes alone still lets a late writer in between the next holder's look and its write; the look has to raise the gate, too.",
    )
}

/// Of the cells of the table, how many a switch changes, by layer.
#[must_use]
pub fn changes(rows: &[Row]) -> [u64; 4] {
    std::array::from_fn(|bit| {
        let pairs = (0..16_usize).filter(|bits| bits & (1 << bit) == 0);
        let differ = |bits: usize| {
            let (off, on) = (&rows[bits], &rows[bits | 1 << bit]);
            Anomaly::ALL.iter().filter(|&&kind| off.stops(kind) != on.stops(kind)).count() as u64
        };
        pairs.filter(|bits| bits | (1 << bit) < rows.len()).map(differ).sum()
    })
}

fn switches(facts: &Facts) -> TradeOff {
    let columns = ["engine", "1 lease", "2 constraint", "3 serializable", "4 version"];
    let mut table = Table::new(columns);
    let row = |name: &str, changes: [u64; 4]| -> Vec<Value> {
        let cells = changes.map(|n| Value::from(format!("{n} of 56")));
        std::iter::once(Value::from(name)).chain(cells).collect()
    };
    table.row(row("SQLite, 3 off: reads before the transaction", changes(&facts.table)));
    table.row(row("SQLite, 3 off: BEGIN all the same", changes(&facts.literal)));
    if let Some(server) = &facts.server {
        table.row(row(&server.name, changes(&server.rows)));
    }
    trade(
        "15.NFR5",
        "Of the 56 pairs of cells that differ in one switch, how many does the switch change?",
        table,
        "In SQLite switch 3 means nothing if it is taken by its word: there is no READ COMMITTED, a transaction that reads and then writes is serializable, so the whole column is 0 of 56, and 1, 2 and 4 change only what a transaction cannot see (a card, a blind writer, a form). What can be weak there is the program that reads before its transaction: that is what switch 3 off means in the first row, and what READ COMMITTED lets through in PostgreSQL.",
    )
}
