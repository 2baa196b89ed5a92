//! How what was found is shown: the answer, the drawing, the tables.

use crate::field::{Kind, Played};
use crate::fleet::Scheme;
use crate::gate::TIERS;
use crate::scenario::{Facts, Replay};
use crate::traffic::Shape;
use kit::estimate::units::{BYTE, MINUTE, REQUEST, SECOND};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Flow, Latencies, Table, Value, WorstError, chart, human};
use std::time::Duration;

/// Block 2.
pub const DIAGRAM: &str = r"
  clients
   │ {requests  } requests
   ▼                        all or nothing, the blocker named
  gate ─▶ tier ─▶ user ─▶ API key ─▶ IP ─▶ global
   │        │       │        │        │       │
   │        └───────┴────────┴────────┴───────┴──▶ { blocked  } 429,
   │ { passed  } pass                                 Retry-After
   ▼
  upstream
                                            ┌──▶ store: { central  } scripts
  nodes ──{  shared  }─▶ one limit a tenant ┼──▶ leases:  { leased  } messages
                                            └──▶ gossip:  {gossiped } messages
  log ──{  logged  }─▶ 12 algorithms ──▶ {  exact   } denied by the exact log
";

/// The algorithms of the first screen.
const SHOWN: [Kind; 7] = [
    Kind::Log,
    Kind::Counter8,
    Kind::CounterSafe,
    Kind::Counter1,
    Kind::Fixed,
    Kind::Token,
    Kind::Queue,
];

/// The answer: what each algorithm gets wrong on the log, and what it does at an edge.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    let log = &facts.log;
    block.text(format!(
        "{}: {} requests of {} client{}, {} each. An exact log denies {}; others wrongly let in or \
         keep out:",
        log.title,
        human::thousands(log.events.len() as u64),
        human::thousands(log.clients.len() as u64),
        human::plural(log.clients.len() as u64),
        facts.quota.rate(),
        human::thousands(facts.replay.denied()),
    ));
    let columns =
        ["algorithm", "denied", "let in", "kept out", "worst", "a client", "burst at an edge"];
    let mut table = Table::new(columns);
    let edge = facts.shapes.iter().find(|(shape, _)| *shape == Shape::Edge);
    for kind in SHOWN {
        let Some(played) = facts.replay.of(kind) else { continue };
        let (let_in, kept_out) = played.wrong(&facts.replay.exact);
        let drawn = edge.and_then(|(_, edge)| edge.of(kind)).map(|p| spark(p, 240, 16, 100.0));
        table.row([
            kind.name().into(),
            played.denied().into(),
            let_in.into(),
            kept_out.into(),
            times(&facts.replay, played, facts),
            Value::Bytes(played.state as u64),
            drawn.into(),
        ]);
    }
    block.table(table);
    block
}

/// The worst window as a multiple of the limit.
fn times(replay: &Replay, played: &Played, facts: &Facts) -> Value {
    let rate = facts.quota.rate();
    let worst = played.worst(&replay.events, rate.period()) as f64 / rate.amount().max(1) as f64;
    format!("{worst:.2}x").into()
}

/// What passed in each part of the first `seconds`, `most` the tallest.
fn spark(played: &Played, seconds: u64, parts: usize, most: f64) -> String {
    let mut values = played.in_time(Duration::from_secs(seconds), parts);
    // One scale for all algorithms: the tallest is drawn beside and cut off again.
    values.push(most);
    let mut text = chart::sparkline(&values);
    text.pop();
    text
}

/// The most in the window that the usual counter of eight parts promises.
#[must_use]
pub fn worst_error(facts: &Facts) -> Option<WorstError> {
    let played = facts.replay.of(Kind::Counter8)?;
    let (window, most) = Kind::Counter8.promise(facts.quota);
    Some(WorstError {
        what: format!("counter, 8 parts, in any {}", human::duration(window)),
        seen: played.worst(&facts.replay.events, window).into(),
        bound: most.into(),
    })
}

/// Block 1: the figures of the document, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    let minute = |n: f64| n * REQUEST / MINUTE;
    let memory =
        |id: &str, what: &str, bytes: f64| Estimate::new(id, what, "MB", 1e6 * (bytes * BYTE));
    vec![
        Estimate::new(
            "22.E1",
            "fixed window of 100, around an edge",
            "requests/min",
            minute(200.0),
        )
        .working("2 x 100; a bucket of 100 tokens does the same, block 7")
        .document_as("200/min", Ok(minute(200.0))),
        memory("22.E2", "a bucket for each of 10^6 clients", 19.0)
            .working("10^6 x 19 B: 8 B of key, 8 of state, the rest room in the table"),
        memory("22.E3", "a log of 100 for each of 10^6", 1_624.0)
            .working("10^6 x (100 x 16 B + 24 B), whether they come or not"),
        memory("22.E4", "a window for each of 10^6", 19.0)
            .working("10^6 x 19 B: no less than a bucket"),
        Estimate::new("22.E5", "100 tokens, 10/s: the first minute", "requests", 700.0 * REQUEST)
            .working("100 at once, then 10/s x 60 s"),
        Estimate::new("22.E6", "a user through one address", "requests/min", minute(100.0))
            .working("min(user 1,000, IP 100): the address is always the first to deny")
            .document_as("1,000 requests/min", Ok(minute(1_000.0))),
        Estimate::new("22.E7", "global limit", "requests/s", 50_000.0 * REQUEST / MINUTE)
            .working("50,000 / 60 s: 50 users or 500 addresses at their limit use it up")
            .document("50000 requests/min"),
        Estimate::new("22.E8", "debt of a bucket of one in two hours", "s", 7_200.0 * SECOND)
            .working("capacity / refill rate: the key must live so long")
            .document("3600 s"),
    ]
}

/// Block 2: what flowed over the edges.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let load = &facts.load;
    flow.edge("requests", "clients", "gate", load.requests, "requests");
    flow.edge("blocked", "gate", "clients", load.requests - load.passed, "refusals");
    flow.edge("passed", "gate", "upstream", load.passed, "requests");
    let calls = |which: &dyn Fn(&Scheme) -> bool| {
        let of = |(scheme, outcome): &(Scheme, crate::fleet::Outcome)| {
            if which(scheme) { outcome.calls } else { 0 }
        };
        facts.fleet.outcomes.iter().map(of).sum()
    };
    flow.edge("central", "nodes", "store", calls(&|s| s.central()), "calls");
    flow.edge("shared", "clients", "nodes", facts.fleet.requests.len() as u64, "requests");
    flow.edge("leased", "nodes", "lease server", calls(&|s| *s == Scheme::Leased), "messages");
    flow.edge("gossiped", "nodes", "nodes", calls(&|s| *s == Scheme::Gossiped), "messages");
    flow.edge("logged", "log", "algorithms", facts.log.events.len() as u64, "requests");
    flow.edge("exact", "exact log", "report", facts.replay.denied(), "denials");
}

/// Block 3.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    let log = &facts.log;
    let span = log.events.last().map_or(Duration::ZERO, |last| last.at.since(kit::Time::ZERO));
    block.text(format!(
        "{}: {} lines, {} requests in {}, {} malformed, {} out of order (sorted). Limit {} a client.",
        log.title,
        human::thousands(log.lines),
        human::thousands(log.events.len() as u64),
        human::duration(span),
        human::thousands(log.malformed),
        human::thousands(log.late),
        facts.quota.rate(),
    ));
    for (line, text) in &log.shown {
        block.text(format!("  line {line} is no request: {text}"));
    }
    if let Some(why) = &log.cut_short {
        block.text(format!("≠ the log was not read to its end: {why}"));
    }
    block.table(algorithms(facts));
    block.text(
        "Warm-up starts every client at a third of its rate: it is for one upstream that must warm, \
         not for many clients. Six shapes against 100 a minute, one client each, wrongly let in / \
         kept out (once two have admitted different requests, they disagree about later ones too):",
    );
    block.table(matrix(facts, |replay, played| {
        let (let_in, kept_out) = played.wrong(&replay.exact);
        if let_in + kept_out == 0 { "·".into() } else { format!("{let_in}/{kept_out}").into() }
    }));
    block.text("The most that got through in any minute, of 100:");
    block.table(matrix(facts, |replay, played| {
        played.worst(&replay.events, crate::traffic::WINDOW).into()
    }));
    if let Some((_, flash)) = facts.shapes.iter().find(|(shape, _)| *shape == Shape::Flash) {
        block.text("The flash crowd in time, 30 minutes: offered, then what passed (one scale).");
        block.lines(in_time(flash));
        block.text("");
    }
    gate(&mut block, facts);
    block
}

/// Every algorithm on the log.
fn algorithms(facts: &Facts) -> Table {
    let columns = ["algorithm", "denied", "let in", "kept out", "worst", "state", "a key", "ns"];
    let mut table = Table::new(columns).wall("a key").wall("ns");
    for played in &facts.replay.played {
        let (let_in, kept_out) = played.wrong(&facts.replay.exact);
        table.row([
            played.kind.name().into(),
            played.denied().into(),
            let_in.into(),
            kept_out.into(),
            times(&facts.replay, played, facts),
            Value::Bytes(played.state as u64),
            Value::Bytes(played.table.round() as u64),
            played.nanos().into(),
        ]);
    }
    table
}

/// One row an algorithm, one column a shape.
fn matrix(facts: &Facts, cell: impl Fn(&Replay, &Played) -> Value) -> Table {
    let names = facts.shapes.iter().map(|(shape, _)| shape.name());
    let mut table = Table::new(["algorithm"].into_iter().chain(names));
    for kind in Kind::ALL {
        let cells = facts.shapes.iter().map(|(_, replay)| {
            replay.of(kind).map_or(Value::Missing, |played| cell(replay, played))
        });
        table.row([Value::from(kind.name())].into_iter().chain(cells));
    }
    table
}

/// What was offered and what each let through, a character half a minute.
fn in_time(replay: &Replay) -> String {
    const PARTS: usize = 58;
    let length = Shape::Flash.length();
    let mut offered = vec![0.0; PARTS];
    for event in &replay.events {
        let part = event.at.as_nanos() * PARTS as u64 / length.as_nanos() as u64;
        offered[part as usize] += 1.0;
    }
    let name = |name: &str| kit::term::pad(name, 20);
    let mut lines = vec![format!("{}{}", name("offered"), chart::sparkline(&offered))];
    // What passes is a twentieth of the crowd: its own scale, one for all.
    let all = || replay.played.iter().map(|played| (played, played.in_time(length, PARTS)));
    let most = all().flat_map(|(_, values)| values).fold(0.0, f64::max);
    for (played, mut values) in all() {
        values.push(most);
        let mut text = chart::sparkline(&values);
        text.pop();
        lines.push(format!("{}{text}", name(played.kind.name())));
    }
    lines.join("\n")
}

/// The population at the gate.
fn gate(block: &mut Block, facts: &Facts) {
    let load = &facts.load;
    let [users, keys, addresses] = load.population.map(human::thousands);
    block.text(format!(
        "At the gate: {} requests of {users} users with {keys} API keys from {addresses} addresses \
         in {}; {} passed, the longest wait told was {}.",
        human::thousands(load.requests),
        human::duration(load.length),
        human::percent(load.passed as f64 / load.requests.max(1) as f64),
        human::duration(load.longest),
    ));
    let denied = load.requests - load.passed;
    let mut table = Table::new(["blocked by", "requests", "of all denied", "limit"]);
    for (dimension, blocked) in load.by_dimension() {
        let limit = match dimension {
            crate::gate::Dimension::Tier => {
                let [free, basic, premium] = facts.limits.tiers;
                format!("{free}, {basic}, {premium}")
            }
            other => facts.limits.of(other, 0).to_string(),
        };
        let share = Value::Share(blocked as f64 / denied.max(1) as f64);
        table.row([dimension.name().into(), blocked.into(), share, limit.into()]);
    }
    block.table(table);
    let mut table = Table::new(["tier", "requests", "passed"]);
    for (name, (asked, passed)) in TIERS.iter().zip(load.tiers) {
        let share = Value::Share(passed as f64 / asked.max(1) as f64);
        table.row([(*name).into(), asked.into(), share]);
    }
    block.table(table);
}

/// What limiting adds to a request, in virtual time.
pub fn latency(latency: &mut Latencies, facts: &Facts) {
    let streams = facts.shapes.iter().map(|(shape, replay)| (shape.name(), replay));
    for (name, replay) in [("the log", &facts.replay)].into_iter().chain(streams) {
        let Some(queue) = replay.of(Kind::Queue) else { continue };
        let operation = format!("leaky queue, {name}");
        for (event, at) in replay.events.iter().zip(&queue.passed) {
            if let Some(at) = at {
                latency.record(&operation, at.since(event.at));
            }
        }
    }
    for (_, outcome) in &facts.fleet.outcomes {
        latency.merge(&outcome.added);
    }
}

/// Rates, memory, the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    wall.events = facts.load.requests;
    wall.busy = facts.load.spent;
    let keys = facts.log.clients.len() as f64;
    for (name, kind) in [("GCRA", Kind::Gcra), ("log", Kind::Log)] {
        if let Some(played) = facts.replay.of(kind) {
            wall.memory.push((name.to_owned(), (played.table * keys) as u64));
        }
    }
    let rate = |kind: Kind| {
        let played = facts.shapes.iter().find(|(shape, _)| *shape == Shape::Diurnal);
        played.and_then(|(_, replay)| replay.of(kind)).map_or(0.0, |p| 1e9 / p.nanos().max(1e-3))
    };
    let plan = |component: &str, per_core: f64, needed: f64, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: "req/s".to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let global = 50_000.0 / 60.0;
    // Ten million premium users at their hourly limit: the only size the document leaves open.
    let large = 1e7 * 10_000.0 / 3_600.0;
    wall.capacity = vec![
        plan("gate, 5 limits", wall.rate().unwrap_or(0.0), global, "the gateway's own process"),
        plan("GCRA, one key", rate(Kind::Gcra), large, "in process, leased among nodes"),
        plan("sliding log", rate(Kind::Log), global, "in process"),
    ];
    for (operation, p) in facts.store.iter() {
        let per_core = 1e9 / p.p50.max(1) as f64;
        wall.capacity.push(plan(operation, per_core, global, "Redis, one connection; sharded"));
    }
}
