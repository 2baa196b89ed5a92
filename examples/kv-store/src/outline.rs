//! How what was found is shown: the answer, the drawing, the tables, the pictures.

use crate::scenario::Facts;
use crate::stale::GAPS;
use kit::estimate::units::{BYTE, GB, ITEM, KB, ONE, REQUEST, SECOND, TB};
use kit::plot::{Chart, Line};
use kit::report::{Wall, WorstError};
use kit::{Block, Capacity, Estimate, Failure, Flow, Latencies, Run, Table, Value, human};
use std::time::Duration;

/// Block 2.
pub const DIAGRAM: &str = r"
  clients ──{  calls   }──▶ any node ──{ forwarded }──▶ a holder of the key
                                                          │ numbers the write
             ring: 32 points a node, 3 zones              ▼
                     ┌────────────┬───────────────── N = 3 holders
                     ▼            ▼                       │ R, W answers
                  filter ──▶   engine (redb)              ▼
              {  spared  }    {  reads   }       answer, {  repaired  } repaired
                no look         looks                     │
                                                          ▼ out of reach
   Merkle: {  compared  } times, {  synced  } rows     a stand-in: {  hinted  }
   gossip: heartbeats to 2 peers every 200 ms          handed over: {  handed  }
";

/// The answer: what R and W are worth.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    if let Some(script) = &facts.own {
        let skipped = script.skipped.len();
        let agreed = script.agreed.map_or("not within 10 s".to_owned(), human::duration);
        block.text(format!(
            "Your {} calls ({skipped} lines skipped); the replicas agree after {agreed}:",
            script.calls.len()
        ));
        let mut table = Table::new(["call", "after ms", "answer"]);
        for (call, at, answer) in script.calls.iter().take(7) {
            let asked = call.split(" ms").next().and_then(|ms| ms.parse::<f64>().ok());
            let after = asked.zip(*at).map(|(asked, at)| at.as_nanos() as f64 / 1e6 - asked);
            table.row([call.as_str().into(), after.into(), answer.as_str().into()]);
        }
        block.table(table);
        return block;
    }
    block.text("How often a read right after a write misses it, N = 3, nothing repaired:");
    let mut table = Table::new(["", "R = 1", "R = 2", "R = 3", "write p99"]);
    let of = |r: u32, w: u32| facts.stale.iter().find(|m| m.quorum.r() == r && m.quorum.w() == w);
    for w in 1..=3 {
        let share = |r| Value::from(of(r, w).map(|m| Value::Share(m.share())));
        let p99 = of(1, w).and_then(|m| m.p99("write"));
        table.row([format!("W = {w}").into(), share(1), share(2), share(3), p99.into()]);
    }
    let p99 = |r| Value::from(of(r, 1).and_then(|m| m.p99("read")));
    table.row(["read p99".into(), p99(1), p99(2), p99(3)]);
    block.table(table);
    let half = |name: &str| {
        facts.settings.iter().find(|row| row.name == name).map_or((0, 0), |row| row.explained)
    };
    let (with, without) = (half("R=2 W=2"), half("R=2 W=2, no read repair"));
    block.text(format!(
        "Linearizable under faults, R = W = 2: {} of {}; without read repair {} of {}.",
        with.0, with.1, without.0, without.1
    ));
    block
}

/// For the summary.
#[must_use]
pub fn worst(facts: &Facts) -> WorstError {
    let strict = facts.stale.iter().filter(|row| row.quorum.is_strict());
    let seen: u64 = strict.map(|row| row.stale).sum();
    let what = "stale reads where R + W > N".to_owned();
    WorstError { what, seen: Value::Int(seen), bound: Value::Int(0) }
}

/// Block 1: the figures of such an interview, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    let stored = 1e9 * ITEM * (10.0 * KB / ITEM) * (3.0 * ONE);
    let quorum = archstone_crdt::quorum::Quorum::majority(3).expect("a quorum");
    let down = 1.0 - quorum.write_availability(0.999);
    vec![
        Estimate::new("26.E1", "stored", "TB", stored)
            .working("1 G objects × 10 KB × 3 copies; 10 TB forgets the copies")
            .document("10 TB"),
        Estimate::new("26.E2", "nodes of 2 TB", "x", stored / (2.0 * TB))
            .working("30 TB / 2 TB; full disks, so 22 at 70 %")
            .document("15 x"),
        Estimate::new(
            "26.E3",
            "engine operations a node",
            "requests/s",
            100e3 * REQUEST / SECOND * (3.0 / 15.0 * ONE),
        )
        .working("100,000/s, each at 3 copies, over 15 nodes; 6,700/s forgets the copies")
        .document("6700 requests/s"),
        Estimate::new("26.E4", "filter of 1 %, a key", "bit", 9.585 * kit::estimate::units::BIT)
            .working("1.44 log2(1 / 0.01)")
            .document("10 bit"),
        Estimate::new("26.E5", "ring of 50 nodes", "KB", 50.0 * 160.0 * (12.0 * BYTE))
            .working("50 nodes × 160 points × 12 B, in every node"),
        Estimate::new(
            "26.E6",
            "gossip a node, 50 nodes",
            "KB/s",
            10.0 / SECOND * ONE * (50.0 * 16.0 * BYTE),
        )
        .working("2 peers × 5 a second × 50 heartbeats × 16 B"),
        Estimate::new("26.E7", "share of writes refused, strict", "x", down * ONE)
            .working("2 of 3 needed, each up 99.9 %: 3 × 0.001² - 2 × 0.001³")
            .document("0.000003 x"),
    ]
}

/// Block 2: what flowed in the recorded load and under attack.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let (load, carts) = (&facts.load, &facts.parts.carts);
    let both = |of: fn(&crate::config::Counts) -> u64| of(&load.counts) + of(&carts.counts);
    flow.edge("calls", "clients", "nodes", both(|c| c.coordinated), "calls");
    flow.edge("forwarded", "nodes", "holders", both(|c| c.forwarded), "writes");
    flow.edge("spared", "filter", "answer", load.spared, "reads");
    flow.edge("reads", "filter", "engine", load.asked - load.spared, "reads");
    flow.edge("repaired", "coordinator", "holders", both(|c| c.repaired), "rows");
    flow.edge("compared", "nodes", "nodes", both(|c| c.compared), "comparisons");
    flow.edge("synced", "nodes", "nodes", both(|c| c.synced), "rows");
    flow.edge("hinted", "coordinator", "stand-in", both(|c| c.hinted), "rows");
    flow.edge("handed", "stand-in", "holders", both(|c| c.handed), "rows");
}

/// Block 3.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    let load = &facts.load;
    block.text(format!(
        "{} requests of 1 August 1995 (NASA): each page is read, and put when it is not there. {} reads found it, {} put {} of it, {} pages were over 10 KiB. {} wrong answers. {} of virtual time.",
        human::thousands(load.requests),
        human::thousands(load.hits),
        human::thousands(load.puts),
        human::bytes(load.bytes),
        human::thousands(load.refused),
        load.wrong,
        human::duration(Duration::from_millis(load.virtual_ms)),
    ));
    let mut table = Table::new(["call", "n", "p50", "p99", "p99.9", "longest"]);
    let span = |nanos| Value::from(Duration::from_nanos(nanos));
    for (part, latency) in
        [("recorded", &load.latency), ("carts under faults", &facts.parts.carts.latency)]
    {
        for (name, p) in latency.iter() {
            table.row([
                format!("{name}, {part}").into(),
                p.n.into(),
                span(p.p50),
                span(p.p99),
                span(p.p999),
                span(p.max),
            ]);
        }
    }
    block.table(table);
    block.text(format!(
        "Rows by node: {}. Filters answered {} of {} reads, {} looked in vain.",
        load.rows.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
        human::thousands(load.spared),
        human::thousands(load.asked),
        human::thousands(load.vain),
    ));
    block.text("Share of reads that miss a write, by milliseconds after it was done (PBS):");
    let mut table = Table::new(["", "0", "1", "2", "3", "5", "8", "12"]);
    for (r, w, shares) in &facts.curves {
        let cells = shares.iter().map(|share| Value::Share(*share));
        table.row(std::iter::once(format!("R = {r}, W = {w}").into()).chain(cells));
    }
    block.table(table);
    let carts = &facts.parts.carts;
    block.text(format!(
        "Carts under faults: {} writes acknowledged, {} reads of {} had siblings; the replicas agree {} after the last fault.",
        human::thousands(carts.acknowledged()),
        human::thousands(carts.siblings),
        human::thousands(carts.reads),
        carts.agreed.map_or_else(|| "not within 30 s".to_owned(), human::duration),
    ));
    block
}

/// Block 3: virtual latencies.
pub fn latency(latency: &mut Latencies, facts: &Facts) {
    latency.merge(&facts.load.latency);
    latency.merge(&facts.parts.carts.latency);
}

/// Rates and the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    let load = &facts.load;
    wall.events = load.events;
    wall.busy = load.spent;
    let rate = |n: u64| n as f64 / load.spent.as_secs_f64().max(1e-9);
    let plan = |component: &str, per_core: f64, needed: f64, unit: &str, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: unit.to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    wall.capacity = vec![
        plan(
            "store, whole (9 nodes on this core)",
            rate(load.requests + 2 * load.puts),
            100_000.0,
            "ops/s",
            "Cassandra or ScyllaDB; DynamoDB",
        ),
        plan(
            "engine reads",
            rate(load.asked),
            300_000.0,
            "reads/s",
            "LSM: RocksDB, fjall; here redb in memory",
        ),
    ];
    if let Some(race) = &facts.redis {
        wall.notes.push(("ours over TCP".into(), race.ours.into()));
        wall.notes.push(("Redis over TCP".into(), race.redis.into()));
    }
}

/// Draws what `--svg` asks for.
///
/// # Errors
/// When a file cannot be written.
pub fn draw(run: &Run, facts: &Facts) -> Result<(), Failure> {
    if let Some(path) = run.svg("stale-reads") {
        let lines: Vec<Line> = facts
            .curves
            .iter()
            .map(|(r, w, shares)| {
                let points = GAPS.iter().map(|&gap| gap as f64).zip(shares.iter().copied());
                Line::new(&format!("R = {r}, W = {w}"), points)
            })
            .collect();
        let chart = Chart::new("Reads that miss a write", "ms after the write was done", "share");
        chart.lines(path, &lines)?;
    }
    if let Some(path) = run.svg("merkle-bytes") {
        let line = Line::new(
            "Merkle",
            facts.bytes.iter().map(|row| (row.differ as f64, row.merkle as f64 / 1e3)),
        );
        let digests = Line::new("all digests", [(0.0, 80.0), (1_000.0, 80.0)]);
        let chart = Chart::new("Comparing 10,000 rows", "rows that differ", "KB");
        chart.lines(path, &[line, digests])?;
    }
    Ok(())
}

/// Bytes that a full node's filters take: for the claims.
#[must_use]
pub fn filter_of_a_full_node() -> u64 {
    // 2 TB of pairs of 10 KB.
    let rows = 2_000.0 * 1e9 / 1e4;
    debug_assert!((GB.in_unit(BYTE).unwrap_or(0.0) - 1e9).abs() < 1.0);
    (rows * 9.585 / 8.0) as u64
}
