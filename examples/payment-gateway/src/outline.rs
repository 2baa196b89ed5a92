//! How what was found is shown: the answer, the drawing, the tables.

use crate::method::Method;
use crate::scenario::Facts;
use crate::world::{Facts as Day, Trouble};
use kit::estimate::units::{DAY, EVENT, MONTH, SECOND, USD};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Fault, Flow, Table, Time, Value, human};
use std::time::Duration;

/// Block 2.
pub const DIAGRAM: &str = r"
  merchants ──{   asks   }──▶ gateway: key, risk, vault ──▶ payments, ledger,
                │ {  replay  } answered from the key        audit, outbox: one
                │ {   409s   } in flight                    SQLite, one commit
                ▼ {   422s   } misused keys                          │
  operations ──{ requests }──▶ provider: card, wallet, UPI      {  events  }
             ──{ queries  }──▶    │                                  │
      ▲                           │                                  ▼
      └─────── {callbacks } ◀─────┘ late, and twice                 log
                                                                     │
  merchants ◀── { webhooks } ── queue: signed, in order, again ◀─────┤
  sales     ◀── each id once ◀───────────────────────────────────────┘
";

fn span(day: &Day, name: &str) -> [Value; 2] {
    let found = day.latency.percentiles(name);
    let value = |nanos: Option<u64>| Value::from(nanos.map(Duration::from_nanos));
    [value(found.map(|p| p.p50)), value(found.map(|p| p.p99))]
}

/// The answer.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    let (day, found) = (&facts.day, &facts.found);
    let whose = match facts.own {
        Some((_, 0)) => "Your orders".to_owned(),
        Some((_, skipped)) => format!("Your orders ({skipped} lines skipped)"),
        None => "Orders".to_owned(),
    };
    let count = human::thousands;
    block.text(format!(
        "{whose}: {}, asked for {} times; {} paid, {} refunds, {} chargebacks.",
        count(day.orders),
        count(day.asks),
        count(day.captured),
        count(day.refunds),
        count(day.disputes)
    ));
    let mut table = Table::new(["method", "orders", "paid", "outcome p50", "p99"]);
    for method in Method::ALL {
        let (orders, paid) = day.by_method.get(&method).copied().unwrap_or_default();
        let [p50, p99] = span(day, &format!("outcome, {}", method.name()));
        let share =
            if orders > 0 { Value::Share(paid as f64 / orders as f64) } else { Value::Missing };
        table.row([method.name().into(), orders.into(), share, p50, p99]);
    }
    block.table(table);
    block.text(format!(
        "Killed at {} of {} steps: nobody charged twice, no payment lost, ledger to the cent.",
        count(found.crashed),
        count(found.points)
    ));
    if let Some((_, text)) = facts.dual.get(2) {
        block.text(format!(
            "\"Commit database and Kafka together\", killed at {} steps: {} event lost.",
            text.killed, text.lost
        ));
    }
    block
}

/// Block 1: the figures, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    let daily = 10e6 * EVENT / DAY;
    let tps = |figure: f64| Ok(figure * EVENT / SECOND);
    vec![
        Estimate::new("8.E1", "transactions", "tx/s", daily)
            .document("10M tx/day")
            .working("10 M / 86,400 s, on average"),
        Estimate::new("8.E2", "peak", "tx/s", 5.0 * daily)
            .document_as("580 TPS", tps(580.0))
            .working("116 tx/s x 5"),
        Estimate::new("8.E3", "average value", "$/tx", 50.0 * USD / EVENT)
            .document_as("$50", Ok(50.0 * USD / EVENT))
            .working("an assumption of the text; the generator keeps it"),
        Estimate::new("8.E4", "daily volume", "$/day", daily * (50.0 * USD / EVENT))
            .document("$500M/day")
            .working("10 M x $50"),
        Estimate::new("8.E6", "messages at the peak", "msg/s", 2.0 * (5.0 * daily))
            .document_as("1,160 msg/s", tps(1_160.0))
            .working("request and response alone; block 3 counts what a payment really sends"),
        Estimate::new("8.E7", "downtime of 99.99 %", "s", MONTH.scaled(1e-4))
            .document_as("4.38 min/month", Ok(4.38 * 60.0 * SECOND))
            .working("30 days x 0.0001 = 259 s; 4.38 min is of a month of 30.4 days"),
    ]
}

/// Block 2: what flowed in the load.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let day = &facts.day;
    flow.edge("asks", "merchants", "gateway", day.asks, "requests");
    flow.edge("replay", "gateway", "merchants", day.replays, "answers");
    flow.edge("409s", "gateway", "merchants", day.conflicts, "answers");
    flow.edge("422s", "gateway", "merchants", day.mismatches, "answers");
    flow.edge("requests", "operations", "provider", day.requests - day.queries, "requests");
    flow.edge("queries", "operations", "provider", day.queries, "queries");
    flow.edge("callbacks", "provider", "gateway", day.callbacks, "callbacks");
    flow.edge("events", "outbox", "log", day.events, "events");
    flow.edge("webhooks", "webhook queue", "merchants", day.webhooks, "webhooks");
}

/// Messages that one order sends: requests, queries, callbacks, events, webhooks.
#[must_use]
pub fn messages(day: &Day) -> f64 {
    let all = day.asks + 2 * day.requests + day.callbacks + day.events + 2 * day.webhooks;
    all as f64 / day.orders.max(1) as f64
}

/// Block 3.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let (mut block, day) = (Block::default(), &facts.day);
    block.text(format!(
        "{} orders at 50 a second, six in ten by card; of a hundred requests the provider declines twelve, is busy for three, stalls two past the time-out, and answers one into the void; one order in ten has its key used for another amount; three in ten are clicked twice.",
        human::thousands(day.orders)
    ));
    let mut table = Table::new(["what", "p50", "p99"]);
    for name in ["reply", "outcome, card", "outcome, wallet", "outcome, upi"] {
        let [p50, p99] = span(day, name);
        table.row([name.into(), p50, p99]);
    }
    block.table(table);
    block.text(format!(
        "Reply: the outcome, or after 1.9 s \"202 pending\" ({} of {}). A UPI payer takes 2 to 25 s to approve. An order is {} messages: the text's two are request and response alone.",
        human::thousands(day.pending),
        human::thousands(day.orders),
        human::measure(messages(day)),
    ));
    block
}

/// One row of block 4.
#[must_use]
pub fn fault(kind: &str, trouble: Trouble, at: Time, lasts: Duration, seen: &Day) -> Fault {
    let recovered = seen.recovered.map(|when| when.since(at).as_millis() as u64);
    let effect = match trouble {
        Trouble::Gateway => "open calls are found as sent, and asked after; clients ask again",
        Trouble::Provider => "accepted and pending; the breaker spares it; replies say 202",
        Trouble::Log => "payments go on; events wait in the outbox",
        Trouble::Merchants => "payments go on; webhooks wait, each payment's in order",
    };
    let effect = format!("lasts {}: {effect}", human::duration(lasts));
    Fault { kind: kind.to_owned(), at_ms: at.as_millis(), recovered_ms: recovered, effect }
}

/// Rates and the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    wall.events = facts.day.steps;
    wall.busy = facts.busy;
    let plan = |component: &str, per_core: f64, needed: f64, unit: &str, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: unit.to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let rate = facts.day.orders as f64 / facts.busy.as_secs_f64().max(1e-9);
    let events = facts.day.events as f64 / facts.day.orders.max(1) as f64;
    wall.capacity = vec![
        plan("payments, CPU", rate, 579.0, "tx/s", "stateless gateways on PostgreSQL"),
        plan("payments, 100 M a day", rate, 5_790.0, "tx/s", "the same, sharded by merchant"),
        plan(
            "one disk, each commit synced",
            facts.durable,
            579.0,
            "tx/s",
            "PostgreSQL, group commit",
        ),
        plan(
            "event log",
            rate * events,
            579.0 * events,
            "events/s",
            "Kafka or JetStream, 3 copies",
        ),
    ];
}
