//! Block 7: the document's trade-offs, as experiments.

use crate::gateway::{Gateway, RETENTION, Reply};
use crate::io::{Io, Stop};
use crate::judge::LOST;
use crate::rules::Rules;
use crate::scenario::Facts;
use crate::vault::{Randomness, Vault};
use crate::world;
use crate::{db, orders, trials};
use kit::store::{Durability, EventLog};
use kit::{Invariants, Seed, Table, Time, TradeOff, Value, human};
use std::time::{Duration, Instant};

/// A key, asked again around the end of its retention.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// One second before: the same payment.
    pub before: bool,
    /// One second after: a new one.
    pub after: bool,
    /// Bytes of a remembered key.
    pub bytes: u64,
}

fn gateway(
    seed: Seed,
    path: &std::path::Path,
    durability: Durability,
) -> Result<(Gateway, Io), Stop> {
    let random = Randomness::Seeded(Box::new(seed.stream("vault")));
    let vault = Vault::new(&[7; 32], random, true);
    let database = db::open(path, durability)?;
    let gateway = Gateway::new(database, Rules::ALL, vault, seed.stream("gateway"));
    Ok((gateway, Io::new(EventLog::in_memory()?)))
}

/// Asks again just before and just after the end of the retention, in a new process each time.
///
/// # Errors
/// What SQLite says.
pub fn window(seed: Seed) -> Result<Window, Stop> {
    let folder =
        tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidPath("temporary".into()))?;
    let path = folder.path().join("window");
    let ask = orders::ask(1, &mut seed.stream("window"));
    let mut window = Window::default();
    let begin = Time::from_secs(1_000);
    let mut first = None;
    let second = Duration::from_secs(1);
    for at in [begin, begin + (RETENTION - second), begin + (RETENTION + second)] {
        let (mut gateway, mut io) =
            gateway(seed.child(&format!("{}", at.as_millis())), &path, Durability::Process)?;
        let Reply::Pending(payment, _) = gateway.submit(at, &mut io, ask.clone())? else {
            continue;
        };
        let known = *first.get_or_insert(payment);
        window.before |= at > begin && at < begin + RETENTION && payment == known;
        window.after |= at > begin + RETENTION && payment != known;
        let size = "SELECT avg(length(key) + 8 + 8 + 8 + 40) FROM idempotency";
        window.bytes = gateway.database().query_row(size, [], |row| row.get::<_, f64>(0))? as u64;
    }
    Ok(window)
}

/// Payments accepted a second when each commit waits for the disk.
///
/// # Errors
/// What SQLite says.
pub fn durable(orders: u64, durability: Durability) -> Result<f64, Stop> {
    let folder =
        tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidPath("temporary".into()))?;
    let (mut gateway, mut io) = gateway(Seed::new(1), &folder.path().join("durable"), durability)?;
    let mut dice = Seed::new(1).stream("durable");
    let began = Instant::now();
    for nth in 0..orders {
        gateway.submit(Time::from_millis(nth), &mut io, orders::ask(nth, &mut dice))?;
    }
    Ok(orders as f64 / began.elapsed().as_secs_f64().max(1e-9))
}

/// "Max 5 attempts, then mark as failed": payments that the provider took and we call failed.
///
/// # Errors
/// What SQLite says.
pub fn failed_unknown(seed: Seed) -> Result<u64, Stop> {
    let rules = Rules { unknown_is_not_failed: false, ..Rules::ALL };
    let mut invariants = Invariants::new(1);
    world::run(trials::setup(seed.child("unknown"), 60, rules), &mut invariants)?;
    let lost = invariants.records().iter().find(|record| record.name == LOST);
    Ok(lost.map_or(0, |record| record.violations))
}

/// All of them.
#[must_use]
pub fn all(facts: &Facts) -> Vec<TradeOff> {
    vec![
        dual(facts),
        retention(facts),
        retries(facts),
        locks(facts),
        weather(facts),
        pci(facts),
        held(facts),
        repeats(facts),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding: finding.into() }
}

fn dual(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["way", "killed at", "lost", "phantom", "twice"]);
    for (way, seen) in &facts.dual {
        let row = [seen.killed, seen.lost, seen.phantom, seen.repeated].map(Value::from);
        table.row([Value::from(way.name())].into_iter().chain(row));
    }
    trade(
        "8.T1",
        "Database and log: what does a crash between them leave?",
        table,
        "Two systems do not commit together; a Kafka transaction covers Kafka. The outbox trades lost and phantom for twice, and twice is dropped by id.",
    )
}

fn retention(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["window", "keys at 10 M a day", "memory", "a repeat after 25 h"]);
    for (window, days) in [("1 h", 1.0 / 24.0), ("24 h", 1.0), ("7 d", 7.0)] {
        let keys = 10e6 * days;
        let bytes = Value::Bytes((keys * facts.window.bytes as f64) as u64);
        let late = if days > 1.05 { "the first answer" } else { "a second charge" };
        table.row([window.into(), Value::Count(keys), bytes, late.into()]);
    }
    let window = &facts.window;
    let finding = format!(
        "Measured a second before and after 24 h: {} and {}. The row outlives the process; a cache alone does not.",
        if window.before { "the same payment" } else { "another payment" },
        if window.after { "a new one" } else { "the same one" }
    );
    trade("8.T2", "How long is a key remembered?", table, finding)
}

fn retries(facts: &Facts) -> TradeOff {
    let mut table =
        Table::new(["attempts", "gives up at 3 % busy", "at 30 % busy", "waits at most"]);
    let mut wait = 0;
    for attempts in 1..=5_i32 {
        let share = |busy: f64| Value::Share(busy.powi(attempts));
        table.row([
            Value::from(attempts as u64),
            share(0.03),
            share(0.3),
            Value::Span(Duration::from_millis(wait)),
        ]);
        wait += 200 << (attempts - 1);
    }
    let finding = format!(
        "Five attempts are enough for \"busy\". For silence they are the wrong rule: of 60 orders on a nasty day {} were called failed that the provider had taken, or were left held. What is unknown is asked after until it is known.",
        facts.failed_unknown
    );
    trade("8.T3", "Retry with backoff, at most 5, then failed?", table, finding)
}

fn locks(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["lock", "charges of one order", "inside at once", "turned back"]);
    for (name, seen) in ["SET NX, DEL in finally", "registry with tokens"].iter().zip(facts.locks) {
        let row = [seen.charges, seen.inside, seen.refused].map(Value::from);
        table.row([Value::from(*name)].into_iter().chain(row));
    }
    trade(
        "8.T4",
        "A charge stalls for six minutes under a lock of five. Then?",
        table,
        "The lock is no bottleneck: one key an order. It is no protection either: it runs out, and its owner deletes the next one's. The charge is protected by the durable row and by asking the provider; the lock only saves work.",
    )
}

fn weather(facts: &Facts) -> TradeOff {
    let columns =
        ["provider's faults", "paid", "requests/order", "queries/order", "callbacks/order"];
    let mut table = Table::new(columns);
    for (name, day) in &facts.weather {
        let each = |n: u64| Value::Num(n as f64 / day.orders.max(1) as f64);
        let told = (day.captured + day.failed).max(1);
        table.row([
            (*name).into(),
            Value::Share(day.captured as f64 / told as f64),
            each(day.requests - day.queries),
            each(day.queries),
            each(day.callbacks),
        ]);
    }
    trade(
        "8.T5",
        "Is it built for the happy path?",
        table,
        "The happy path pays nothing for the others: what queries it has are polls of UPI payers and packets that were lost. What fails costs a few small calls, and never money.",
    )
}

fn pci(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["what", "kept", "how"]);
    let rows = [
        ("card number, name", "vault", "XChaCha20-Poly1305, the token as associated data"),
        ("token", "payments", "random; worth nothing elsewhere"),
        ("last four digits", "vault", "for people"),
        ("print of a number", "vault", "HMAC under a key of its own: for velocity"),
        ("CVV", "memory, until sent", "overwritten; a crash before that sends without"),
    ];
    for row in rows {
        table.row([row.0, row.1, row.2].map(Value::from));
    }
    let finding = format!(
        "{} of database, write-ahead log, event log and debug output searched: no number, no CVV. --without sealed-vault finds them.",
        human::bytes(facts.found.searched)
    );
    trade("8.T6", "Where is a card number?", table, finding)
}

fn held(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["transaction", "held for", "connections at 579/s"]);
    let p50 = facts.day.latency.percentiles("outcome, card").map_or(0, |p| p.p50);
    let p99 = facts.day.latency.percentiles("outcome, card").map_or(0, |p| p.p99);
    let ours = Duration::from_millis(5);
    for (name, span) in [
        ("around the provider, median", Duration::from_nanos(p50)),
        ("around the provider, p99", Duration::from_nanos(p99)),
        ("ours: two of 5 ms each (assumed)", ours * 2),
    ] {
        let connections = (579.0 * span.as_secs_f64()).ceil() as u64;
        table.row([name.into(), span.into(), connections.into()]);
    }
    trade(
        "8.S4",
        "@Transactional around the provider's call: how many connections?",
        table,
        "Little's law. And a rollback after the call forgets a charge that has happened.",
    )
}

fn repeats(facts: &Facts) -> TradeOff {
    let spans: Vec<Duration> =
        facts.day.finished.iter().map(|(_, from, to)| to.since(*from)).collect();
    let slept = Duration::from_millis(100);
    // A repeat at any instant of the call: it is answered if no more than 100 ms are left.
    let error =
        |span: &Duration| span.saturating_sub(slept).as_secs_f64() / span.as_secs_f64().max(1e-9);
    let share = spans.iter().map(error).sum::<f64>() / spans.len().max(1) as f64;
    let mut table = Table::new(["a repeat in flight", "gets an error", "gets the answer"]);
    table.row(["sleeps 100 ms once".into(), Value::Share(share), Value::Share(1.0 - share)]);
    table.row(["waits, or 409 and comes again".into(), Value::Share(0.0), Value::Share(1.0)]);
    trade(
        "8.S3",
        "What does a repeat get while the first is under way?",
        table,
        "A provider takes longer than 100 ms, so the text's repeat nearly always fails, and a person clicks again.",
    )
}
