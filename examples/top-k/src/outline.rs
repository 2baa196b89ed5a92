//! How what was found is shown: the answer, the drawing, the tables.

use crate::counters::Bound;
use crate::scenario::Facts;
use crate::side_by_side::Outcome;
use kit::estimate::units::{BYTE, EVENT, ITEM, ONE, SECOND};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Flow, Table, Value, WorstError, human, term};

/// Block 2.
pub const DIAGRAM: &str = r"
  log: a file, gzip or not, a pipe
   │ {  lines   } lines
   ▼
  parse ──{ malformed }──▶ malformed: counted, shown, never fatal
   │ {  events  } events in batches, over a channel
   ├──▶ exact map ────────▶ {  exact   } keys, dropped at --exact-limit
   ├──▶ Count-Min + heap
   ├──▶ Lossy Counting
   ├──▶ Space-Saving ─────▶ { sketched } counters: --save, --merge, GET /top
   └──▶ 5 min windows ────▶ {  lists   } lists, to Redis with --backend
  law of its popularity
   │ {generated } events ──▶ {  keys   } keys: exact beside 64 KiB
   ▼
  workers: {  merged  } summaries ──▶ one list, its bound with it
";

/// The answer: what the log was asked for most, and what a summary would have said.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    let (field, main) = facts.one.main();
    let n = human::thousands(facts.one.stats.events);
    let exact = &facts.outcomes[0];
    let title = &facts.one.title;
    block.text(match facts.equal {
        Some(equal) => format!(
            "{title}: {n} events. Exact counting wins: {} keys; equal to sort | uniq: {}",
            human::thousands(main.exact.len() as u64),
            if equal { "yes" } else { "NO" },
        ),
        None if exact.recall.is_some() => {
            format!("{title}: {n} events, counted exactly (too many for sort | uniq)")
        }
        None => format!("{title}: {n} events. Exact counting was dropped: recall is not known"),
    });
    let mut table = Table::new(["count", field.name(), "Space-Saving", "error ≤"]);
    let small = &facts.outcomes[3];
    let shown = if exact.recall.is_some() { exact } else { small };
    for hit in shown.top.iter().take(4) {
        let said = small.top.iter().find(|other| other.key == hit.key);
        let count = exact.recall.map(|_| hit.count);
        let (said, error) = (said.map(|hit| hit.count), said.map(|hit| hit.error));
        table.row([count.into(), term::shorten(&hit.key, 44).into(), said.into(), error.into()]);
    }
    block.table(table);
    if let Some(two) = &facts.two {
        block.text(format!(
            "Its law, {} events of {} keys: a summary keeps {} of the true top {}.",
            human::count(two.events as f64),
            human::count(two.distinct as f64),
            two.kept,
            crate::big::K,
        ));
    }
    block
}

/// The worst error of a listed count beside its bound.
#[must_use]
pub fn worst_error(facts: &Facts) -> Option<WorstError> {
    let space = &facts.outcomes[3];
    Some(WorstError {
        what: "Space-Saving, 512 counters".to_owned(),
        seen: space.worst?.into(),
        bound: space.bound.most().into(),
    })
}

/// Block 1: the figures of the document, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    let e = std::f64::consts::E;
    let share = |x: f64| x * ONE;
    vec![
        Estimate::new("23.E1", "over-count, width 100,000, share of N", "", share(e / 100_000.0))
            .working("e / 100,000, for all but e^-7 = 0.09 % of the keys")
            .document_as("~1 to 2 %", Ok(share(0.015))),
        Estimate::new("23.E2", "Count-Min 100,000 x 7 of 8 bytes", "MB", 700_000.0 * (8.0 * BYTE))
            .working("100,000 columns x 7 rows x 8 B, whatever the stream"),
        Estimate::new("23.E3", "Lossy Counting, eps 0.1 %, 10^9 events", "items", 13_816.0 * ITEM)
            .working(
                "at most ln(eps N) / eps entries: the document's 1/eps = 1,000 is the best case",
            )
            .document("1000 items"),
        Estimate::new("23.E4", "Space-Saving for the same error", "items", 1000.0 * ITEM)
            .working("1 / eps counters, always; k counters alone would promise N/k only"),
        Estimate::new("23.E5", "exact, 10^9 keys of 20 bytes", "GB", 1e9 * (100.0 * BYTE))
            .working("10^9 x (20 B of text, 40 B of table and index, half of it free for growth)"),
        Estimate::new("23.R4", "one core at 50 ns an event", "events/s", 2e7 * EVENT / SECOND)
            .working("1 / 50 ns: a single core passes the document's threshold 20 times over")
            .document("1M events/s"),
    ]
}

/// Block 2: what flowed over the edges.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let one = &facts.one;
    let (_, main) = one.main();
    flow.edge("lines", "log", "parse", one.stats.lines, "lines");
    flow.edge("malformed", "parse", "report", one.stats.malformed, "lines");
    flow.edge("events", "parse", "summaries", one.stats.events, "events");
    flow.edge("exact", "summaries", "exact", main.exact.len() as u64, "keys");
    let tracked = main.space_saving.len() as u64;
    flow.edge("sketched", "summaries", "space-saving", tracked, "keys");
    flow.edge("lists", "windows", "publisher", one.published, "lists");
    let (events, distinct) = facts.two.as_ref().map_or((0, 0), |two| (two.events, two.distinct));
    flow.edge("generated", "law", "part two", events, "events");
    flow.edge("keys", "part two", "exact", distinct, "keys");
    flow.edge("merged", "workers", "list", facts.shards.workers as u64, "summaries");
}

/// Block 3: every field, every algorithm.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    let one = &facts.one;
    let stats = &one.stats;
    block.text(format!(
        "{}: {}, {} of text, {} lines, {} events, {} malformed.",
        one.title,
        one.format,
        human::bytes(stats.bytes),
        human::thousands(stats.lines),
        human::thousands(stats.events),
        human::thousands(stats.malformed),
    ));
    for (line, text) in &stats.shown {
        block.text(format!("  line {line} is malformed: {text}"));
    }
    if let Some(why) = &stats.cut_short {
        block.text(format!("≠ the log ends in the middle after {} lines: {why}", stats.lines));
    }
    if stats.not_utf8 > 0 {
        block.text(format!("  {} events were not UTF-8", human::thousands(stats.not_utf8)));
    }
    for (field, all) in &one.fields {
        let outcomes = all.outcomes(facts.k);
        block.text(format!("Top {} by {field}:", facts.k));
        block.table(side_by_side(&outcomes));
    }
    block.text("Worst is the largest error of a listed count. Bound is what it may be: always, ~ for all but 1.8 % of the keys, ± right on average with a certain lower bound.");
    if one.windows[0].seen.lists > 0 {
        block.text("Windows over the log's own time, every list compared with a recount:");
        block.table(windows(facts));
    }
    block
}

/// The algorithms of one field.
#[must_use]
pub fn side_by_side(outcomes: &[Outcome]) -> Table {
    let columns = ["algorithm", "recall", "worst", "bound", "memory", "ns/event", "events/s"];
    let mut table = Table::new(columns).wall("memory").wall("ns/event").wall("events/s");
    for outcome in outcomes {
        let bound = match outcome.bound {
            Bound::Certain(most) => human::thousands(most),
            Bound::But(most, _) => format!("~{}", human::thousands(most)),
            Bound::OnAverage(most) => format!("±{}", human::thousands(most)),
        };
        table.row([
            outcome.name.into(),
            outcome.recall.map_or_else(|| "not known".into(), Value::Share),
            outcome.worst.into(),
            bound.into(),
            Value::Bytes(outcome.meter.peak_bytes()),
            outcome.meter.nanos().into(),
            Value::Count(outcome.meter.rate()),
        ]);
    }
    table
}

/// Tumbling beside sliding.
#[must_use]
pub fn windows(facts: &Facts) -> Table {
    let columns = ["window", "lists", "recall", "worst", "bound", "late", "memory", "ns/event"];
    let mut table = Table::new(columns).wall("memory").wall("ns/event");
    for window in &facts.one.windows {
        let seen = &window.seen;
        let name = if window.name == "tumbling" { "tumbling 5 min" } else { "sliding 5 x 1 min" };
        table.row([
            name.into(),
            seen.lists.into(),
            seen.recall().map_or(Value::Missing, Value::Share),
            seen.worst.into(),
            seen.bound.into(),
            seen.late.into(),
            Value::Bytes(window.meter.peak_bytes()),
            window.meter.nanos().into(),
        ]);
    }
    table
}

/// Rates, both peaks, the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    let space = &facts.outcomes[3];
    if let Some(two) = &facts.two {
        wall.events = two.events;
        wall.busy = two.small.spent;
        wall.memory.push(("exact".to_owned(), two.exact.peak_bytes()));
        wall.memory.push(("summary".to_owned(), two.small.peak_bytes()));
    } else {
        wall.events = space.meter.events;
        wall.busy = space.meter.spent;
    }
    let plan = |component: &str, per_core: f64, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed: 1e6,
        unit: "ev/s".to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let (one, all, keys) = facts.shards.timed;
    let rate = |span: std::time::Duration| keys as f64 / span.as_secs_f64().max(1e-9);
    wall.capacity = vec![
        plan("count (summary)", wall.rate().unwrap_or(0.0), "one process, a partition a worker"),
        plan("count (Space-Saving)", space.meter.rate(), "one process, a partition a worker"),
        plan("five-minute windows", facts.one.windows[1].meter.rate(), "one process, or Flink"),
    ];
    wall.notes.push(("workers, 1: events/s".to_owned(), Value::Count(rate(one))));
    let many = format!("workers, {}: events/s", facts.shards.workers);
    wall.notes.push((many, Value::Count(rate(all))));
}
