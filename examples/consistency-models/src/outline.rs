//! How what was found is shown: the answer, the drawing, the tables.

use crate::scenario::Facts;
use crate::script::NODES;
use crate::trials::Size;
use kit::estimate::units::{BYTE, MILLISECOND, SECOND};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Flow, Latencies, Table, Value, human};
use std::time::Duration;

/// Block 2.
pub const DIAGRAM: &str = r"
  clients with sessions ──{  calls   }──▶ one of five nodes, each its own site
                                           │
      replicated log      leader ──────────┤ {   log    } messages
      quorum register     R + W > N ───────┤ {  quorum  }
      causal              vectors ─────────┤ {  causal  }
      eventual            stamps, CRDTs ───┤ { eventual }
                                           ▼
  answers ──{ answered }──▶ history ──▶ checker ──▶ {  named   } names

  accounts: two connections ──{  done    }──▶ one SQLite file ──▶ auditor
  likes:    site + outbox ───{  likes   }──▶ two others, {  again   } twice
  versions: three replicas ──{ compared }──▶ newer, older, equal or concurrent
";

/// The answer: which model shows which anomaly.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    match &facts.own {
        Some((script, bingo)) => {
            let skipped = match script.skipped.len() {
                0 => String::new(),
                n => format!(", {n} lines skipped"),
            };
            let calls = script.steps.len() - 2;
            block.text(format!("Your script, {calls} calls{skipped}: what each model shows."));
            block.table(bingo.table());
        }
        None => {
            let (first, count) = facts.bingo.seeds;
            let last = first.wrapping_add(count - 1);
            block
                .text(format!("Which model shows what, and the first of seeds {first} to {last}:"));
            block.table(facts.bingo.table());
        }
    }
    block
}

/// Block 1: the figures, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    vec![
        Estimate::new("20.E1", "a like, home to the farthest site", "ms", 135.0 * MILLISECOND)
            .working("50 ms until the relay looks, 85 ms one way: the text's minutes are outages")
            .document_as("seconds to minutes", Ok(1.0 * SECOND)),
        Estimate::new("20.E2", "a G-Counter of 3 replicas", "B", 3.0 * (16.0 * BYTE)).working(
            "8 B of name and 8 B of count a replica; 5 replicas and both directions: 160 B",
        ),
        Estimate::new(
            "20.NFR2",
            "a write by the log, asked at the leader",
            "ms",
            30.0 * MILLISECOND,
        )
        .working("node 2 to its second nearest, node 0, and back: 2 x 15 ms; a majority is 3 of 5"),
        Estimate::new("20.NFR5", "a write at one's own node", "ms", 1.0 * MILLISECOND)
            .working("0.5 ms to the node and 0.5 ms back, no matter where the others are"),
    ]
}

/// Block 2: what flowed.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let rows = &facts.bingo.rows;
    let of = |kinds: &[&str]| -> u64 {
        let rows = rows.iter().filter(|row| kinds.contains(&row.model.slug));
        rows.map(|row| row.messages).sum()
    };
    flow.edge("calls", "clients", "nodes", rows.iter().map(|row| row.calls).sum(), "calls");
    flow.edge("log", "log", "log", of(&["log", "log-local-reads"]), "messages");
    flow.edge("quorum", "quorum", "quorum", of(&["quorum", "quorum-no-repair"]), "messages");
    flow.edge("causal", "causal", "causal", of(&["causal"]), "messages");
    flow.edge("eventual", "eventual", "eventual", of(&["lww", "crdt"]), "messages");
    let answered = rows.iter().flat_map(|row| row.answered).map(|side| side.0).sum();
    flow.edge("answered", "nodes", "history", answered, "answers");
    let named = rows.iter().flat_map(|row| row.cells).map(|cell| cell.0).sum();
    flow.edge("named", "history", "checker", named, "anomalies");
    flow.edge("done", "accounts", "auditor", facts.parts.transfer.done, "transfers");
    flow.edge("likes", "site", "sites", facts.parts.likes.likes, "likes");
    flow.edge("again", "sites", "sites", facts.parts.likes.again, "likes");
    let clocks = &facts.parts.clocks;
    let compared = clocks.equal + clocks.newer + clocks.older + clocks.concurrent;
    flow.edge("compared", "replicas", "versions", compared, "comparisons");
}

/// The one table: latency, availability and staleness of each model.
#[must_use]
pub fn costs(facts: &Facts) -> Table {
    let columns = ["model", "read", "r. p99", "write", "w. p99", "small side", "stale", "stalest"];
    let mut table = Table::new(columns);
    let bingo = facts.own.as_ref().map_or(&facts.bingo, |own| &own.1);
    for row in &bingo.rows {
        let of = |name: &str| row.latency.percentiles(name);
        let span = |nanos: Option<u64>| Value::from(nanos.map(Duration::from_nanos));
        let (read, write) = (of("read"), of("write"));
        let side = |at: usize| match row.answered[at].1 {
            0 => Value::Missing,
            _ => Value::Share(row.share(at)),
        };
        table.row([
            row.model.name.into(),
            span(read.map(|p| p.p50)),
            span(read.map(|p| p.p99)),
            span(write.map(|p| p.p50)),
            span(write.map(|p| p.p99)),
            side(0),
            Value::Share(row.stale_share()),
            row.stalest().into(),
        ]);
    }
    table
}

/// Block 3.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    let calls: u64 = facts.bingo.rows.iter().map(|row| row.calls).sum();
    block.text(format!(
        "{} calls: {} seeds, seven rows, four clients that move between {NODES} sites 4 to 42 ms apart, two cuts of 0.7 and 0.8 s, writers that die half way, wall clocks up to 300 ms off. Median and p99 without a cut; small side: calls answered within 600 ms on the smaller side of a cut; stale: of the reads of registers.",
        human::thousands(calls),
        facts.bingo.seeds.1,
    ));
    block.table(costs(facts));
    block.text("Seeds that show each anomaly:");
    block.table(facts.bingo.counts());
    block.text("A \"no\" is a \"not in these seeds\" for the weak rows and a theorem for the strong ones: the replicated log and the quorum's registers are also searched for an order that explains them (block 7, 20.T7).");
    let likes = &facts.parts.likes;
    if let Some(lag) = likes.lag.percentiles("like, home to last site") {
        let span = |nanos| human::duration(Duration::from_nanos(nanos));
        block.text(format!(
            "Likes: {} at three sites. From home to the last site p50 {}, p99 {}; {} came twice and are there once.",
            human::thousands(likes.likes),
            span(lag.p50),
            span(lag.p99),
            human::thousands(likes.again),
        ));
    }
    let shown = facts.bingo.rows.iter().flat_map(|row| row.cells).filter(|cell| cell.1.is_some());
    match facts.drawn {
        0 => block.text(format!("--svg DIR draws the {} cells that have a seed.", shown.count())),
        n => block.text(format!("{n} space-time diagrams were drawn.")),
    };
    block
}

/// Block 3: virtual latencies by model.
pub fn latency(latency: &mut Latencies, facts: &Facts) {
    for row in &facts.bingo.rows {
        latency.merge(&row.named);
    }
    latency.merge(&facts.parts.likes.lag);
}

/// Rates and the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts, size: Size) {
    wall.events = facts.bingo.rows.iter().map(|row| row.events).sum();
    wall.busy = facts.busy[0];
    let plan = |component: &str, per_core: f64, needed: f64, unit: &str, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: unit.to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let rate = |count: u64, span: Duration| count as f64 / span.as_secs_f64().max(1e-9);
    let (_, transfers, spent) = &facts.levels[0];
    wall.capacity = vec![
        plan(
            "transfers, serializable",
            rate(transfers.done + transfers.refused, *spent),
            2_000.0,
            "tx/s",
            "PostgreSQL SERIALIZABLE, retried",
        ),
        plan(
            "likes, three copies",
            rate(size.likes, facts.busy[1]),
            20_000.0,
            "likes/s",
            "a table a site + outbox, or Cassandra",
        ),
        plan(
            "simulation (not a service)",
            rate(wall.events, facts.busy[0]),
            1e6,
            "events/s",
            "this program",
        ),
    ];
}
