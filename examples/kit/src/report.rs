//! One run as one value: what is printed, and what `--json` prints.

use crate::args::Scale;
use crate::block::Block;
use crate::claims::{Claim, Claims};
use crate::design::Design;
use crate::diagram::{Edge, Flow};
use crate::estimate::Estimate;
use crate::invariant::{self, Record};
use crate::latency::Latencies;
use crate::run::Run;
use crate::table::Table;
use crate::value::Value;
use serde::Serialize;
use std::time::Duration;

/// Everything a run has to say. A scenario fills the public fields; [`crate::run()`] prints them.
///
/// All but [`Report::wall`] must be determined by the seed: the tables' wall columns and the
/// claims marked `wall()` are moved there.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose run it is.
    pub design: &'static Design,
    /// The seed.
    pub seed: u64,
    /// How much was run.
    pub scale: Scale,
    /// The safeguards that were off.
    pub without: Vec<&'static str>,
    /// The answer itself, first thing printed: a table or chart of at most 11 lines.
    pub answer: Block,
    /// The worst error seen beside its bound, for the summary.
    pub worst_error: Option<WorstError>,
    /// Block 1: the problem in numbers.
    pub estimates: Vec<Estimate>,
    /// Block 2: the drawing, its slots filled from `flow` (see [`crate::diagram`]).
    pub diagram: &'static str,
    /// Block 2: the counters of the drawing's edges.
    pub flow: Flow,
    /// Block 3: the load run.
    pub load: Block,
    /// Block 3: latencies in virtual time.
    pub latency: Latencies,
    /// Block 4: the faults, their effect and the recovery.
    pub faults: Vec<Fault>,
    /// Block 5: the invariants.
    pub invariants: Vec<Record>,
    /// Block 5: which invariant each safeguard's removal broke.
    pub ablations: Vec<Ablation>,
    /// Block 6: the claims.
    pub claims: Claims,
    /// Block 7: the trade-offs as experiments.
    pub trade_offs: Vec<TradeOff>,
    /// What comes from the machine's clock or memory; block 8 is its capacity plan.
    pub wall: Wall,
}

/// The worst error and the bound it must keep.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstError {
    /// Of what: "Count-Min over-count".
    pub what: String,
    /// The worst seen.
    pub seen: Value,
    /// The most it may be.
    pub bound: Value,
}

/// One injected fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What happened: "worker 2 killed mid-stream".
    pub kind: String,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// How long until the design was whole again; `None` when it never was.
    pub recovered_ms: Option<u64>,
    /// What was seen meanwhile: printed, not part of the JSON.
    #[serde(skip)]
    pub effect: String,
}

/// A safeguard switched off, and what that broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ablation {
    /// The safeguard.
    pub safeguard: String,
    /// The invariant that broke; `None` when none did.
    pub broke: Option<String>,
    /// The first seed that shows it.
    pub seed: Option<u64>,
}

/// One trade-off of the source document as an experiment.
#[derive(Clone, Debug)]
pub struct TradeOff {
    /// The id of the source row: `23.T2`.
    pub id: String,
    /// The question it answers.
    pub question: String,
    /// The options side by side.
    pub table: Table,
    /// What follows from it, without numbers of the machine's clock.
    pub finding: String,
}

/// What the machine's clock or memory says: the only part that differs between equal seeds.
#[derive(Clone, Debug, Default)]
pub struct Wall {
    /// How long the run took; set by [`crate::run()`].
    pub elapsed: Duration,
    /// Events processed, for the rate.
    pub events: u64,
    /// The time they took; `elapsed` when zero.
    pub busy: Duration,
    /// What was held in memory, by name: `("exact counting", 412 MB)`.
    pub memory: Vec<(String, u64)>,
    /// The most the whole process held; set by [`crate::run()`] where the system tells.
    pub peak_rss: Option<u64>,
    /// Latencies on the machine's clock.
    pub latency: Latencies,
    /// Block 8: the capacity plan.
    pub capacity: Vec<Capacity>,
    /// Anything else worth keeping, by name.
    pub notes: Vec<(String, Value)>,
}

/// One component of the capacity plan.
#[derive(Clone, Debug, Serialize)]
pub struct Capacity {
    /// The component.
    pub component: String,
    /// What one core (or machine) of this machine does.
    pub per_core: f64,
    /// What the source document's load needs.
    pub needed: f64,
    /// Of what: `events/s`.
    pub unit: String,
    /// The engine it runs on at that size.
    pub engine: String,
    /// How busy a core may be: 0.6 leaves room for bursts.
    pub utilisation: f64,
}

impl Capacity {
    /// Cores for the load at the planned utilisation, at least one; `None` when nothing was
    /// measured.
    #[must_use]
    pub fn cores(&self) -> Option<u64> {
        let cores = self.needed / (self.per_core * self.utilisation);
        (cores.is_finite() && self.per_core > 0.0).then(|| cores.ceil().max(1.0) as u64)
    }
}

impl Report {
    /// An empty report of `run`.
    #[must_use]
    pub fn new(run: &Run) -> Self {
        Self {
            design: run.design,
            seed: run.seed,
            scale: run.scale,
            without: run.safeguards.off().to_vec(),
            answer: Block::default(),
            worst_error: None,
            estimates: Vec::new(),
            diagram: "",
            flow: Flow::default(),
            load: Block::default(),
            latency: Latencies::default(),
            faults: Vec::new(),
            invariants: Vec::new(),
            ablations: Vec::new(),
            claims: Claims::new(run.design.source),
            trade_offs: Vec::new(),
            wall: Wall::default(),
        }
    }

    /// Whether every invariant held.
    #[must_use]
    pub fn all_held(&self) -> bool {
        invariant::first_broken(&self.invariants).is_none()
    }

    /// The summary and the eight blocks.
    #[must_use]
    pub fn to_text(&self, terminal: &crate::Terminal) -> String {
        crate::print::report(self, terminal)
    }

    /// The run as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.json(Some(self.wall_json()))).expect("names are strings")
    }

    /// The same with `wall` null: equal for equal seeds, so a snapshot may hold it.
    #[must_use]
    pub fn to_json_masked(&self) -> serde_json::Value {
        serde_json::to_value(self.json(None)).expect("names are strings")
    }

    /// The object of `--json` in the order of its fields.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        serde_json::to_string_pretty(&self.json(Some(self.wall_json()))).expect("names are strings")
    }

    /// A run without a safeguard is an ablation itself: says what broke, unless it is said.
    pub(crate) fn note_ablations(&mut self) {
        let broke = invariant::first_broken(&self.invariants);
        for name in &self.without {
            if !self.ablations.iter().any(|ablation| ablation.safeguard == *name) {
                let seed = broke.and_then(|record| Some(record.first_seed_event.as_ref()?.seed));
                let broke = broke.map(|record| record.name.clone());
                self.ablations.push(Ablation { safeguard: (*name).to_owned(), broke, seed });
            }
        }
    }

    fn json<'a>(&'a self, wall: Option<WallJson<'a>>) -> Json<'a> {
        Json {
            system: self.design.system,
            number: self.design.number,
            seed: self.seed,
            scale: self.scale,
            safeguards: self.design.safeguards.iter().map(|safeguard| safeguard.name).collect(),
            estimates: &self.estimates,
            flow: FlowJson { edges: self.flow.edges(), answer: self.answer.stable_tables() }.rows(),
            invariants: &self.invariants,
            faults: &self.faults,
            claims: self.claims.stable(),
            ablations: &self.ablations,
            trade_offs: self.trade_offs.iter().map(TradeOff::stable).collect(),
            latency: &self.latency,
            wall,
        }
    }

    fn wall_json(&self) -> WallJson<'_> {
        let walled = |trade: &TradeOff| Some((trade.id.clone(), trade.table.walled()?));
        WallJson {
            elapsed_ms: self.wall.elapsed.as_secs_f64() * 1e3,
            events: self.wall.events,
            events_per_second: self.wall.rate(),
            peak_rss_bytes: self.wall.peak_rss,
            memory_bytes: self.wall.memory.iter().map(|(name, n)| (name.as_str(), *n)).collect(),
            claims: self.claims.walled(),
            trade_offs: self.trade_offs.iter().filter_map(walled).collect(),
            latency: &self.wall.latency,
            capacity: &self.wall.capacity,
            notes: self.wall.notes.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        }
    }
}

impl Wall {
    /// Events a second of the busy time (or of the whole run); `None` when nothing was timed.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let span = if self.busy.is_zero() { self.elapsed } else { self.busy };
        (self.events > 0 && !span.is_zero()).then(|| self.events as f64 / span.as_secs_f64())
    }
}

impl TradeOff {
    fn stable(&self) -> TradeOffJson<'_> {
        let Self { id, question, table, finding } = self;
        TradeOffJson { id, question, options: table.stable(), finding }
    }
}

/// The object of `--json`: these fields in this order.
#[derive(Serialize)]
struct Json<'a> {
    system: &'a str,
    number: u8,
    seed: u64,
    scale: Scale,
    safeguards: Vec<&'a str>,
    estimates: &'a [Estimate],
    flow: Vec<serde_json::Value>,
    invariants: &'a [Record],
    faults: &'a [Fault],
    claims: Vec<Claim>,
    ablations: &'a [Ablation],
    trade_offs: Vec<TradeOffJson<'a>>,
    latency: &'a Latencies,
    wall: Option<WallJson<'a>>,
}

/// The edges of the diagram; then one to `answer` for each table of the answer, with its rows, so
/// that a program that reads the run gets the answer too.
struct FlowJson<'a> {
    edges: &'a [Edge],
    answer: Vec<Table>,
}

impl FlowJson<'_> {
    fn rows(&self) -> Vec<serde_json::Value> {
        let edges = self.edges.iter().map(|edge| serde_json::json!(edge));
        let answer = self.answer.iter().map(|table| {
            serde_json::json!({
                "name": "answer", "from": "design", "to": "answer",
                "count": table.len(), "unit": "rows", "rows": table,
            })
        });
        edges.chain(answer).collect()
    }
}

#[derive(Serialize)]
struct TradeOffJson<'a> {
    id: &'a str,
    question: &'a str,
    options: Table,
    finding: &'a str,
}

#[derive(Serialize)]
struct WallJson<'a> {
    elapsed_ms: f64,
    events: u64,
    events_per_second: Option<f64>,
    peak_rss_bytes: Option<u64>,
    memory_bytes: std::collections::BTreeMap<&'a str, u64>,
    claims: Vec<Claim>,
    trade_offs: std::collections::BTreeMap<String, Table>,
    latency: &'a Latencies,
    capacity: &'a [Capacity],
    notes: std::collections::BTreeMap<&'a str, &'a Value>,
}
