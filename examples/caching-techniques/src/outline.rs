//! How what was found is shown: the answer, the drawing, the tables.

use crate::herd::{Way, linear_interval};
use crate::scenario::Facts;
use crate::strategy::{self, Leaves, MAX_DIRTY, Strategy};
use crate::tournament::{Curves, PERCENT};
use archstone_cache::sim::Kind;
use kit::estimate::units::{BIT, MICROSECOND, ONE, SECOND};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Flow, Table, Value, human};

/// Block 2.
pub const DIAGRAM: &str = r"
  clients ──{ requests }──▶ strategy by policy ──{   hits   }──▶ answered here
                                 │
      aside: the caller          ├──{  loads   } look-ups ──▶  SQLite: items
      read-through: the cache    ├──{  stored  } rows in {  commits } commits
      write-through: store first │
      write-behind: later        └──{ at risk  } rows unstored at the worst

  hot key ──{  herd    }──▶ one of six ways ──{ hot loads }──▶ store
  look-ups of nothing ──{ absent  }──▶ filter ──{ let by  }──▶ store
  near level ──▶ breaker ──{  far     }──▶ remote level, {  waited  } in vain
  keys ──▶ ring of 8 nodes, one lost: {  moved   } keys move
";

fn cell(tournament: &crate::tournament::Tournament, strategy: Strategy) -> Option<[Value; 7]> {
    let (best, _) = tournament.ends(strategy)?;
    Some([
        best.leaves.name().into(),
        Value::Share(best.hit_rate()),
        Value::Share(tournament.bound(strategy)),
        best.asked.loads.into(),
        best.asked.transactions.into(),
        best.stale.into(),
        best.at_risk.into(),
    ])
}

/// The answer: the strategies, each by its best policy, and the herd.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    let (tournament, trace) = (&facts.tournament, &facts.trace);
    let requests = human::thousands(tournament.load.requests.len() as u64);
    let requests = match trace.first_of {
        Some(all) => format!("first {requests} of {}", human::thousands(all as u64)),
        None => requests,
    };
    let skipped = match trace.malformed {
        0 => String::new(),
        n => format!(", {} malformed lines skipped", human::thousands(n)),
    };
    block.text(format!(
        "{}: {} requests, {} keys, {} entries{skipped}. Best of {} policies:",
        trace.title,
        requests,
        human::thousands(tournament.load.distinct as u64),
        human::thousands(tournament.capacity as u64),
        Kind::ALL.len(),
    ));
    let mut table = Table::new([
        "strategy", "policy", "hits", "Belady", "loads", "commits", "stale", "at risk",
    ]);
    for strategy in Strategy::ALL {
        if let Some(cells) = cell(tournament, strategy) {
            table.row([Value::from(strategy.name())].into_iter().chain(cells));
        }
    }
    block.table(table);
    let loads = |(way, outcome): &(Way, crate::herd::Outcome)| {
        let name = match way {
            Way::Flight(n) if *n > 1 => format!("in {n} processes"),
            Way::Linear => "linear rule".to_owned(),
            way => way.name().to_owned(),
        };
        format!("{name} {}", human::thousands(outcome.loads))
    };
    let herd: Vec<_> = facts.herd.1.iter().map(loads).collect();
    let needed = facts.herd.0.needed();
    block.text(format!("Loads of one hot key that needs {needed}: {}.", herd.join(", ")));
    block
}

/// Block 1: the figures, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    // Bits an item: -log2(rate) / ln 2; probes: -log2(rate).
    let bits = -(0.01_f64).log2() / std::f64::consts::LN_2;
    let [cache, read, _] = strategy::COST.map(|span| span.as_secs_f64() * 1e6);
    let mean = 0.8 * cache + 0.2 * (2.0 * cache + read);
    vec![
        Estimate::new("18.E1", "filter of 1 M at 1 %", "MB", 1e6 * (bits * BIT))
            .working("1,000,000 x 9.59 bits, 7 probes a look-up"),
        Estimate::new(
            "18.E2",
            "linear rule: mean time to a refresh",
            "s",
            linear_interval(300.0, 10.0) * SECOND,
        )
        .working("sqrt(pi T / 2r), T = 300 s, r = 10/s: 44 times the needed loads")
        .document_as("half of 300 s", Ok(150.0 * SECOND)),
        Estimate::new("18.E3", "how uneven 150 points are", "", ONE.scaled(1.0 / 150_f64.sqrt()))
            .working("a node's share varies by 1 / sqrt(150): 8 %"),
        Estimate::new("18.E6", "mean answer at 80 % hits", "ms", mean * MICROSECOND)
            .working("0.8 x 0.5 ms + 0.2 x (0.5 + 5 + 0.5) ms, costs assumed"),
    ]
}

/// Block 2's counters.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let mut sum = [0_u64; 5];
    for cell in &facts.tournament.cells {
        let each = [cell.hits, cell.asked.loads, cell.asked.writes, cell.asked.transactions];
        sum.iter_mut().zip(each).for_each(|(sum, each)| *sum += each);
        sum[4] = sum[4].max(cell.at_risk as u64);
    }
    let cells = facts.tournament.cells.len() as u64;
    let requests = cells * facts.tournament.load.requests.len() as u64;
    flow.edge("requests", "clients", "strategy", requests, "requests");
    flow.edge("hits", "strategy", "clients", sum[0], "reads");
    flow.edge("loads", "strategy", "store", sum[1], "look-ups");
    flow.edge("stored", "strategy", "store", sum[2], "rows");
    flow.edge("commits", "strategy", "store", sum[3], "transactions");
    flow.edge("at risk", "strategy", "store", sum[4], "rows");
    let herd = |of: fn(&crate::herd::Outcome) -> u64| -> u64 {
        facts.herd.1.iter().map(|(_, outcome)| of(outcome)).sum()
    };
    flow.edge("herd", "clients", "hot key", herd(|outcome| outcome.requests), "requests");
    flow.edge("hot loads", "hot key", "store", herd(|outcome| outcome.loads), "loads");
    flow.edge("absent", "clients", "filter", facts.negative.absent, "look-ups");
    flow.edge("let by", "filter", "store", facts.negative.false_positives, "look-ups");
    let calls = facts.redis.map_or(facts.found.parts.levels.calls, |facts| facts.calls);
    flow.edge("far", "near level", "remote level", calls.answered, "calls");
    flow.edge("waited", "near level", "remote level", calls.waited, "calls");
    let moved = facts.blows.ring.moved * facts.tournament.load.distinct as f64;
    flow.edge("moved", "lost node", "other nodes", moved.round() as u64, "keys");
}

/// Block 3: the whole tournament, and the policies on every trace.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    let tournament = &facts.tournament;
    let drawn = if facts.trace.writes.is_some() { "as the trace says" } else { "by the seed" };
    block.text(format!(
        "{} requests a second in virtual time, {} of them write ({drawn}); lifetime one hour; at most {MAX_DIRTY} rows unstored for {} s. Each cell asks a real SQLite.",
        strategy::RATE,
        human::percent(1.0 - tournament.load.reads() as f64 / tournament.load.requests.len() as f64),
        strategy::MAX_DELAY.as_secs(),
    ));
    for strategy in Strategy::ALL {
        let columns =
            ["policy", "hits", "loads", "rows", "commits", "stale", "oldest", "at risk", "lost"];
        let mut table = Table::new(columns);
        let bound = Value::Share(tournament.bound(strategy));
        table.row(["Belady's bound".into(), bound]);
        let mut cells: Vec<_> = tournament.of(strategy).collect();
        cells.sort_by_key(|cell| std::cmp::Reverse(cell.hits));
        for cell in cells {
            table.row([
                cell.leaves.name().into(),
                Value::Share(cell.hit_rate()),
                cell.asked.loads.into(),
                cell.asked.writes.into(),
                cell.asked.transactions.into(),
                cell.stale.into(),
                if cell.stale > 0 { cell.stalest.into() } else { Value::Missing },
                cell.at_risk.into(),
                cell.lost.into(),
            ]);
        }
        block.text(format!("{}:", strategy.name()));
        block.table(table);
    }
    let alone = tournament.cell(Strategy::Aside, Leaves::Expired).map_or(0, |cell| cell.most);
    block.text(format!(
        "TTL alone holds whatever it met in an hour: {} entries, {} times the others' room. At risk: acknowledged rows that a crash would have lost at the worst instant; lost: by the crash at the end of the run.",
        human::thousands(alone as u64),
        human::measure(alone as f64 / tournament.capacity as f64),
    ));
    if let Some(real) = facts.redis {
        let [before, away, after] = real.loads.map(human::measure);
        block.text(format!(
            "The remote level on a real Redis: {} requests, {} calls answered; loads of the store a second {before}, {away} while it was cut off, {after} after.",
            human::thousands(real.requests),
            human::thousands(real.calls.answered)
        ));
    }
    for curves in &facts.curves {
        block.text(format!(
            "{}: hits by size of the cache in percent of its {} keys ({} requests):",
            curves.title,
            human::thousands(curves.distinct),
            human::thousands(curves.requests)
        ));
        block.table(policies(curves));
    }
    block
}

/// Hits by policy and capacity.
fn policies(curves: &Curves) -> Table {
    let sizes = PERCENT.map(|percent| format!("{percent} %"));
    let mut table = Table::new(std::iter::once("policy").chain(sizes.iter().map(String::as_str)));
    for (nth, series) in curves.chart.series.iter().enumerate() {
        let ratios = (0..PERCENT.len()).map(|at| Value::Share(curves.ratio(nth, at)));
        table.row(std::iter::once(Value::from(series.name.as_str())).chain(ratios));
    }
    table
}

/// What the machine's clock and memory say; block 8.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    let tournament = &facts.tournament;
    let cells = tournament.cells.len() as u64;
    wall.events = cells * tournament.load.requests.len() as u64;
    wall.busy = facts.busy[0];
    let looked: u64 = facts
        .curves
        .iter()
        .map(|curves| curves.requests * (curves.chart.series.len() * PERCENT.len()) as u64)
        .sum();
    let entries = facts.measured.get(2).map_or(0, |measured| measured.bytes as u64);
    wall.memory = vec![
        ("a cache".to_owned(), entries),
        ("the filter".to_owned(), facts.negative.bytes as u64),
    ];
    let plan = |component: &str, per_core: f64, needed: f64, unit: &str, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: unit.to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let rate = |count: u64, span: std::time::Duration| count as f64 / span.as_secs_f64().max(1e-9);
    // The text states no load; these are a large shop's.
    wall.capacity = vec![
        plan(
            "cache and SQLite in one process (load assumed)",
            rate(wall.events, facts.busy[0]),
            100_000.0,
            "requests/s",
            "archstone-cache before PostgreSQL and read replicas",
        ),
        plan(
            "look-ups in a cache, insertions included",
            rate(looked, facts.busy[1]),
            1_000_000.0,
            "look-ups/s",
            "in process; beyond one machine Redis on a ring",
        ),
    ];
}
