//! Model by anomaly: the same scripts for every model, each cell with the seed that shows it.

use crate::anomaly::{self, Anomaly, Found};
use crate::arena::{Done, Outcome};
use crate::models::{self, MODELS, Model};
use crate::script::{Op, Script};
use kit::space_time::{SpaceTime, Tone};
use kit::{Failure, Latencies, Progress, Run, Seed, Table, Time, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// What one model did over all seeds.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub model: Model,
    /// Of each anomaly: seeds that show it, and the first.
    pub cells: [(u64, Option<u64>); 5],
    /// Histories that an order explains: registers, counter, set; and of how many.
    pub explained: [u64; 3],
    /// Registers looked at.
    pub registers: u64,
    /// Calls answered and made on the smaller side of a cut, on the larger, and without a cut.
    pub answered: [(u64, u64); 3],
    /// Latency of calls without a cut: `read` and `write`.
    pub latency: Latencies,
    /// The same under names of their own, for the report.
    pub named: Latencies,
    /// How stale each read of a register was, in nanoseconds, sorted.
    pub stale: Vec<u64>,
    /// Messages that the network carried.
    pub messages: u64,
    /// Calls.
    pub calls: u64,
    /// Simulated events.
    pub events: u64,
}

/// All rows.
#[derive(Clone, Debug)]
pub struct Bingo {
    /// In the order of [`MODELS`].
    pub rows: Vec<Row>,
    /// The first seed, and how many.
    pub seeds: (u64, u64),
}

/// The script of a seed: what `--svg` draws again.
#[must_use]
pub fn script(seed: u64) -> (Seed, Script) {
    let own = Seed::new(seed).child("bingo");
    (own, Script::generated(own))
}

/// Plays `count` seeds from `first` on, every model.
#[must_use]
pub fn play(first: u64, count: u64, progress: &Progress) -> Bingo {
    let mut rows: Vec<Row> = MODELS.iter().map(|&model| Row::new(model)).collect();
    for nth in 0..count {
        let seed = first.wrapping_add(nth);
        let (own, script) = script(seed);
        for row in &mut rows {
            let outcome = models::run(row.model.kind, row.model.rules, &script, own, false);
            row.add(seed, &outcome);
        }
        progress.add(1);
    }
    rows.iter_mut().for_each(|row| row.stale.sort_unstable());
    Bingo { rows, seeds: (first, count) }
}

/// Plays a script of the user's own, once.
#[must_use]
pub fn play_script(seed: u64, script: &Script) -> Bingo {
    let mut rows: Vec<Row> = MODELS.iter().map(|&model| Row::new(model)).collect();
    for row in &mut rows {
        let own = Seed::new(seed).child("data");
        row.add(seed, &models::run(row.model.kind, row.model.rules, script, own, false));
        row.stale.sort_unstable();
    }
    Bingo { rows, seeds: (seed, 1) }
}

impl Row {
    fn new(model: Model) -> Self {
        Self {
            model,
            cells: [(0, None); 5],
            explained: [0; 3],
            registers: 0,
            answered: [(0, 0); 3],
            latency: Latencies::default(),
            named: Latencies::default(),
            stale: Vec::new(),
            messages: 0,
            calls: 0,
            events: 0,
        }
    }

    fn add(&mut self, seed: u64, outcome: &Outcome) {
        let kinds: BTreeSet<Anomaly> = anomaly::find(outcome).iter().map(|f| f.kind).collect();
        for (cell, kind) in self.cells.iter_mut().zip(Anomaly::ALL) {
            if kinds.contains(&kind) {
                *cell = (cell.0 + 1, cell.1.or(Some(seed)));
            }
        }
        for (object, problem) in anomaly::linearizable_objects(outcome, false) {
            let at = match object.as_str() {
                "counter" => 1,
                "set" => 2,
                _ => 0,
            };
            self.registers += u64::from(at == 0);
            self.explained[at] += u64::from(problem.is_none());
        }
        for call in &outcome.calls {
            self.call(call);
        }
        let stale = anomaly::staleness(outcome).into_iter();
        self.stale.extend(stale.map(|span| span.as_nanos() as u64));
        self.messages += outcome.traffic.sent;
        self.calls += outcome.calls.len() as u64;
        self.events += outcome.events;
    }

    fn call(&mut self, call: &Done) {
        // Nodes that stop are block 4's subject.
        if call.down {
            return;
        }
        let side = match (call.cut, call.minority) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        };
        self.answered[side].0 += u64::from(call.returned.is_some());
        self.answered[side].1 += 1;
        if let (Some((at, _)), 2) = (&call.returned, side) {
            let read = matches!(call.step.op, Op::Read(_) | Op::Count | Op::Members);
            let name = if read { "read" } else { "write" };
            self.latency.record(name, at.since(call.invoked));
            self.named.record(&format!("{} {name}", self.model.slug), at.since(call.invoked));
        }
    }

    /// The share of reads that were stale.
    #[must_use]
    pub fn stale_share(&self) -> f64 {
        let stale = self.stale.iter().filter(|&&age| age > 0).count();
        stale as f64 / self.stale.len().max(1) as f64
    }

    /// The most stale of all.
    #[must_use]
    pub fn stalest(&self) -> Duration {
        Duration::from_nanos(self.stale.last().copied().unwrap_or(0))
    }

    /// The share of calls answered on one side: 0 the smaller one of a cut, 1 the larger, 2 no cut.
    #[must_use]
    pub fn share(&self, side: usize) -> f64 {
        let (answered, made) = self.answered[side];
        answered as f64 / made.max(1) as f64
    }

    /// Whether no seed showed `kind`.
    #[must_use]
    pub fn free_of(&self, kind: Anomaly) -> bool {
        let at = Anomaly::ALL.iter().position(|&other| other == kind).unwrap_or(0);
        self.cells[at].0 == 0
    }
}

impl Bingo {
    /// The row of a slug.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, slug: &str) -> &Row {
        self.rows.iter().find(|row| row.model.slug == slug).expect("a row of the table")
    }

    /// The table: the first seed that shows it, or "no".
    #[must_use]
    pub fn table(&self) -> Table {
        let columns = std::iter::once("model").chain(Anomaly::ALL.iter().map(|kind| kind.short()));
        let mut table = Table::new(columns);
        for row in &self.rows {
            let cell = |cell: &(u64, Option<u64>)| match cell.1 {
                Some(seed) => Value::from(format!("seed {seed}")),
                None => "no".into(),
            };
            let name = Value::from(row.model.name);
            table.row(std::iter::once(name).chain(row.cells.iter().map(cell)));
        }
        table
    }

    /// How many of the seeds show it.
    #[must_use]
    pub fn counts(&self) -> Table {
        let columns = std::iter::once("model").chain(Anomaly::ALL.iter().map(|kind| kind.short()));
        let mut table = Table::new(columns);
        for row in &self.rows {
            let name = Value::from(row.model.name);
            table.row(std::iter::once(name).chain(row.cells.iter().map(|cell| cell.0.into())));
        }
        table
    }

    /// One space-time diagram for each cell that has a seed, into the folder of `--svg`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn draw(&self, run: &Run, own: Option<&Script>) -> Result<u64, Failure> {
        let mut drawn = 0;
        for row in &self.rows {
            for (cell, kind) in row.cells.iter().zip(Anomaly::ALL) {
                let Some(seed) = cell.1 else { continue };
                let name = format!("{}-{}", row.model.slug, kind.slug());
                let Some(path) = run.svg(&name) else { continue };
                let (random, generated) = match own {
                    Some(script) => (Seed::new(seed).child("data"), script.clone()),
                    None => script(seed),
                };
                let model = row.model;
                let outcome = models::run(model.kind, model.rules, &generated, random, true);
                let found = anomaly::find(&outcome);
                let Some(found) = found.into_iter().find(|found| found.kind == kind) else {
                    continue;
                };
                picture(&model, seed, &outcome, &found).write(path)?;
                drawn += 1;
            }
        }
        Ok(drawn)
    }
}

/// Messages that a picture shows at most.
const SHOWN: usize = 30;

/// The calls of an anomaly, and what the nodes said to each other meanwhile.
#[must_use]
pub fn picture(model: &Model, seed: u64, outcome: &Outcome, found: &Found) -> SpaceTime {
    let calls: Vec<&Done> = found.calls.iter().map(|&at| &outcome.calls[at]).collect();
    let clients: BTreeSet<usize> = calls.iter().map(|call| call.step.client).collect();
    let clients: Vec<usize> = clients.into_iter().collect();
    let names = clients.iter().map(|client| format!("client {client}"));
    let names = names.chain((0..crate::script::NODES).map(|node| format!("node {node}")));
    let title = format!("{}, {}, seed {seed}: {}", model.name, found.kind.name(), found.what);
    let mut diagram = SpaceTime::new(&title, names);
    let node = |node: usize| clients.len() + node;
    let begin = calls.iter().map(|call| call.invoked).min().unwrap_or(Time::ZERO);
    let returned = |call: &&Done| call.returned.as_ref().map(|(at, _)| *at);
    let end = calls.iter().filter_map(returned).max().unwrap_or(begin);
    let half = Duration::from_micros(500);
    for call in &calls {
        let client = clients.iter().position(|&client| client == call.step.client).unwrap_or(0);
        let (place, op) = (node(call.step.node), format!("{:?}", call.step.op));
        diagram.message(client, call.invoked, place, Some(call.invoked + half), op);
        if let Some((at, answer)) = &call.returned {
            diagram.message(place, *at - half, client, Some(*at), format!("{answer:?}"));
        }
    }
    if let Some(last) = calls.last() {
        let client = clients.iter().position(|&client| client == last.step.client).unwrap_or(0);
        diagram.mark(client, end, found.kind.name(), Tone::Bad);
    }
    let quiet = |label: &str| {
        ["I lead", "have", "all ", "vote"].iter().any(|start| label.starts_with(start))
    };
    let places: BTreeSet<usize> = calls.iter().map(|call| call.step.node).collect();
    let between = outcome.messages.iter().filter(|message| {
        let touches = places.contains(&message.from) || places.contains(&message.to);
        (begin..=end).contains(&message.at) && touches && !quiet(&message.label)
    });
    for message in between.take(SHOWN) {
        let (from, to) = (node(message.from), node(message.to));
        diagram.message(from, message.at, to, message.arrived, message.label.clone());
    }
    diagram
}
