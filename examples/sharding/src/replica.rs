//! One shard as three databases: a primary and two replicas that run its statements later.
//!
//! All three are real files; the log between them is shipped through a simulated network, so the lag
//! is virtual and the seed decides it. The primary dies with its file; who is furthest is promoted.

use crate::database::{Database, Folder, Statement};
use kit::invariant::Invariant;
use kit::sim::{Events, Link, Network};
use kit::{Arrivals, Invariants, Latencies, Safeguards, Seed, Stream, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What must hold.
pub const ACKED: &str = "promotion: with semi-synchronous copies no acknowledged write is lost";
/// See [`ACKED`].
pub const BOUNDED: &str = "promotion: asynchronous copies lose only the last 10 ms of writes";
/// See [`ACKED`].
pub const SAME: &str = "promotion: afterwards all copies hold the same rows";

/// Writes a second.
const RATE: f64 = 600.0;
/// An asynchronous primary sends its log so often: what it has not sent dies with it. (What was sent
/// arrives: the network does not know that the sender is dead.)
const SEND: Duration = Duration::from_millis(10);
const BEAT: Duration = Duration::from_millis(50);
/// Heartbeats that must be missed before a primary counts as dead.
const MISSED: u32 = 3;
const SCHEMA: &str = "CREATE TABLE visits (id INTEGER PRIMARY KEY, user INTEGER NOT NULL, place TEXT NOT NULL) STRICT";
const INSERT: &str = "INSERT INTO visits VALUES (?1, ?2, ?3)";

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The primary has it.
    Async,
    /// The primary and one replica have it.
    SemiSync,
    /// All three have it.
    All,
}

impl Mode {
    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Async => "asynchronous",
            Self::SemiSync => "semi-synchronous",
            Self::All => "all three",
        }
    }

    const fn replicas(self) -> usize {
        match self {
            Self::Async => 0,
            Self::SemiSync => 1,
            Self::All => 2,
        }
    }
}

/// What the network does before the crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    Calm,
    /// The near replica is cut off for the last 300 ms.
    NearCut,
}

/// What one run of a shard found.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How it acknowledges.
    pub mode: Mode,
    /// What went wrong before the crash.
    pub trouble: Trouble,
    /// Writes that clients made.
    pub writes: u64,
    /// Writes that were acknowledged before the crash.
    pub acked: u64,
    /// Of them, those that the promoted copy does not have.
    pub lost: u64,
    /// How long before the crash the oldest of them was acknowledged.
    pub oldest: Duration,
    /// Writes that were still waiting for their answer then.
    pub waiting: u64,
    /// When the primary died.
    pub crashed: Duration,
    /// From the crash to the first write acknowledged by the new primary.
    pub recovered: Option<Duration>,
    /// Statements of a replica that was ahead of the new primary, taken back.
    pub taken_back: u64,
    /// Latency of writes, lag of the replicas.
    pub latency: Latencies,
    /// Statements that SQLite ran.
    pub statements: u64,
}

enum Event {
    Write,
    /// Position in the log, to this copy, of this epoch.
    Ship(usize, usize, u64),
    /// So many statements are at this copy.
    Stored(usize, usize, u64),
    Crash,
    Cut,
    /// The log is sent.
    Send,
    Promote,
    End,
}

struct Copy {
    database: Database,
    applied: usize,
    alive: bool,
}

struct Shard<'a> {
    copies: Vec<Copy>,
    primary: Option<usize>,
    epoch: u64,
    /// The primary's log: each entry with its write's number and when it came.
    log: Vec<(Statement, u64, Time)>,
    /// What each copy is known to hold.
    stored: [usize; 3],
    waiting: BTreeMap<usize, u64>,
    began: BTreeMap<u64, Time>,
    acked: BTreeMap<u64, Time>,
    events: Events<Event>,
    network: Network,
    facts: Facts,
    draw: Stream,
    mode: Mode,
    /// What was asked for, whatever is switched off.
    promised: Mode,
    crash: Time,
    names: [Invariant; 3],
    invariants: &'a mut Invariants,
}

/// A shard under load whose primary dies after `millis` of virtual time; then a second more.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    mode: Mode,
    trouble: Trouble,
    millis: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let names = [ACKED, BOUNDED, SAME].map(|name| invariants.declare(name));
    let promised = mode;
    let mode = if mode == Mode::SemiSync && !on.on("semi-sync") { Mode::Async } else { mode };
    let folder = Folder::new()?;
    let copy = |nth| {
        let database = folder.database(&format!("copy-{nth}"), SCHEMA)?;
        Ok(Copy { database, applied: 0, alive: true })
    };
    let mut network = Network::new(3, Link::LOCAL, seed.stream("replication"));
    let lag = |least, extra| Link {
        least: Duration::from_millis(least),
        mean_extra: Duration::from_micros(extra),
        ..Link::LOCAL.in_order()
    };
    // In the same building, and in another city.
    network.set(0, 1, lag(1, 500));
    network.set(0, 2, lag(12, 800));
    network.set(1, 2, lag(12, 800));
    let mut shard = Shard {
        copies: (0..3).map(copy).collect::<rusqlite::Result<_>>()?,
        primary: Some(0),
        epoch: 0,
        log: Vec::new(),
        stored: [0; 3],
        waiting: BTreeMap::new(),
        began: BTreeMap::new(),
        acked: BTreeMap::new(),
        events: Events::new(),
        network,
        facts: Facts {
            mode,
            trouble,
            writes: 0,
            acked: 0,
            lost: 0,
            oldest: Duration::ZERO,
            waiting: 0,
            crashed: Duration::from_millis(millis / 10 * 10 + 9),
            recovered: None,
            taken_back: 0,
            latency: Latencies::default(),
            statements: 0,
        },
        draw: seed.stream("writes"),
        mode,
        promised,
        // Just before the next time that the log would be sent.
        crash: Time::from_millis(millis / 10 * 10 + 9),
        names,
        invariants,
    };
    let crash = shard.crash;
    let end = crash + Duration::from_millis(400);
    for at in Arrivals::poisson(seed.stream("arrivals"), RATE).take_while(|&at| at < end) {
        shard.events.at(at, Event::Write);
    }
    if trouble == Trouble::NearCut {
        shard.events.at(crash - Duration::from_millis(300), Event::Cut);
    }
    if mode == Mode::Async {
        shard.events.after(SEND, Event::Send);
    }
    shard.events.at(crash, Event::Crash);
    shard.events.at(end + Duration::from_millis(400), Event::End);
    let furthest = on.on("most-advanced");
    while let Some((now, event)) = shard.events.next() {
        match event {
            Event::Write => shard.write(now)?,
            Event::Send => {
                if let Some(primary) = shard.primary {
                    shard.ship(now, primary, shard.log.len());
                }
                shard.events.after(SEND, Event::Send);
            }
            Event::Ship(to, upto, epoch) => shard.apply(now, to, upto, epoch)?,
            Event::Stored(from, upto, epoch) => shard.stored(now, from, upto, epoch),
            Event::Cut => {
                shard.invariants.event(format!("{} ms: copy 1 is cut off", now.as_millis()));
                shard.network.isolate(1);
            }
            Event::Crash => {
                shard.copies[0].alive = false;
                shard.primary = None;
                shard.facts.acked = shard.acked.len() as u64;
                shard.facts.waiting = shard.facts.writes - shard.facts.acked;
                let held = [shard.copies[1].applied, shard.copies[2].applied];
                shard.invariants.event(format!(
                    "{} ms: the primary dies at statement {}, its copies have {held:?}",
                    now.as_millis(),
                    shard.log.len()
                ));
                shard.events.after(BEAT * MISSED, Event::Promote);
            }
            Event::Promote => shard.promote(furthest)?,
            Event::End => break,
        }
    }
    shard.end()?;
    Ok(shard.facts)
}

impl Shard<'_> {
    fn write(&mut self, now: Time) -> rusqlite::Result<()> {
        let nth = self.facts.writes;
        self.facts.writes += 1;
        self.began.insert(nth, now);
        let Some(primary) = self.primary else { return Ok(()) };
        self.append(now, primary, nth)
    }

    fn append(&mut self, now: Time, primary: usize, nth: u64) -> rusqlite::Result<()> {
        let user = self.draw.below(10_000) as i64;
        let values = vec![(nth as i64).into(), user.into(), format!("page {}", user % 97).into()];
        let statement = Statement { sql: INSERT, values };
        self.copies[primary].database.run(&statement)?;
        self.facts.statements += 1;
        self.log.push((statement, nth, now));
        let upto = self.log.len();
        self.copies[primary].applied = upto;
        self.stored[primary] = upto;
        self.waiting.insert(upto, nth);
        if self.mode != Mode::Async {
            self.ship(now, primary, upto);
        }
        self.acknowledge(now);
        Ok(())
    }

    fn ship(&mut self, now: Time, primary: usize, upto: usize) {
        for to in (0..3).filter(|&to| to != primary && self.copies[to].alive) {
            for at in self.network.send(now, primary, to) {
                self.events.at(at, Event::Ship(to, upto, self.epoch));
            }
        }
    }

    /// A copy runs the statements that it has not, and says so.
    fn apply(&mut self, now: Time, to: usize, upto: usize, epoch: u64) -> rusqlite::Result<()> {
        if epoch != self.epoch || !self.copies[to].alive {
            return Ok(());
        }
        let copy = &mut self.copies[to];
        let done = copy.applied;
        for (statement, _, came) in &self.log[done.min(upto)..upto] {
            copy.database.run(statement)?;
            self.facts.statements += 1;
            let name = if to == 1 { "lag, near replica" } else { "lag, far replica" };
            self.facts.latency.record(name, now.since(*came));
        }
        copy.applied = done.max(upto);
        let Some(primary) = self.primary else { return Ok(()) };
        for at in self.network.send(now, to, primary) {
            self.events.at(at, Event::Stored(to, upto, epoch));
        }
        Ok(())
    }

    fn stored(&mut self, now: Time, from: usize, upto: usize, epoch: u64) {
        if epoch == self.epoch && self.primary.is_some() {
            self.stored[from] = self.stored[from].max(upto);
            self.acknowledge(now);
        }
    }

    /// Acknowledges what enough copies hold.
    fn acknowledge(&mut self, now: Time) {
        let Some(primary) = self.primary else { return };
        let others = (0..3).filter(|&copy| copy != primary && self.copies[copy].alive);
        let mut held: Vec<usize> = others.map(|copy| self.stored[copy]).collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        let needed = self.mode.replicas().min(held.len());
        let upto = if needed == 0 { self.stored[primary] } else { held[needed - 1] };
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() <= upto) {
            let nth = entry.remove();
            let took = now.since(self.began[&nth]);
            // After the promotion two copies are left, in two cities: another shard than before.
            if self.epoch == 0 {
                self.facts.latency.record(&format!("write, {}", self.mode.name()), took);
            }
            self.acked.insert(nth, now);
            if self.epoch > 0 && self.facts.recovered.is_none() {
                self.facts.recovered = Some(now.since(self.crash));
            }
        }
    }

    /// Another copy becomes the primary; the third follows it; clients ask again for what was not
    /// acknowledged.
    fn promote(&mut self, furthest: bool) -> rusqlite::Result<()> {
        let now = self.events.now();
        self.network.heal();
        // The text's slave takes over whichever it is.
        let next = if furthest && self.copies[2].applied > self.copies[1].applied { 2 } else { 1 };
        let (kept, other) = (self.copies[next].applied, 3 - next);
        (self.primary, self.epoch) = (Some(next), 1);
        let said =
            format!("{} ms: copy {next} is promoted with {kept} statements", now.as_millis());
        self.invariants.event(said);
        // What it has not is gone, and what the other one has beyond is taken back.
        let gone: Vec<u64> = self.log.split_off(kept).into_iter().map(|entry| entry.1).collect();
        self.facts.taken_back = self.copies[other].applied.saturating_sub(kept) as u64;
        for nth in gone.iter().filter(|_| self.facts.taken_back > 0) {
            let sql = self.copies[other].database.sql();
            sql.execute("DELETE FROM visits WHERE id = ?1", [*nth as i64])?;
        }
        self.copies[other].applied = self.copies[other].applied.min(kept);
        self.judge(&gone);

        // A write that survived without its answer is answered when its client asks again: its id
        // is the key of its row, so asking twice stores it once.
        self.waiting.clear();
        let survived: BTreeSet<u64> = self.log.iter().map(|entry| entry.1).collect();
        let open = self.began.keys().filter(|nth| !self.acked.contains_key(nth));
        let open: Vec<u64> = open.copied().collect();
        self.stored = [0; 3];
        self.stored[next] = kept;
        self.ship(now, next, kept);
        for nth in open {
            if survived.contains(&nth) {
                self.acked.insert(nth, now);
            } else {
                self.append(now, next, nth)?;
            }
        }
        Ok(())
    }

    /// Of the writes that are gone, those that were acknowledged are lost.
    fn judge(&mut self, gone: &[u64]) {
        let lost = gone.iter().filter_map(|nth| Some((*nth, *self.acked.get(nth)?)));
        let lost: Vec<(u64, Time)> = lost.collect();
        let ages = lost.iter().map(|&(_, at)| self.crash.since(at));
        self.facts.oldest = ages.max().unwrap_or_default();
        self.facts.lost = lost.len() as u64;
        let [acked, bounded, _] = self.names;
        let oldest = self.facts.oldest;
        if self.promised == Mode::Async {
            self.invariants.check(bounded, oldest <= SEND, || {
                format!("a write that was acknowledged {oldest:?} before the crash is lost")
            });
        } else {
            self.invariants.check(acked, lost.is_empty(), || {
                format!("{} acknowledged writes are gone, the first is {}", lost.len(), lost[0].0)
            });
        }
    }

    /// Both copies that are left hold the same rows.
    fn end(&mut self) -> rusqlite::Result<()> {
        let rows = |copy: &Copy| -> rusqlite::Result<(u64, i64)> {
            let sql = "SELECT count(*), coalesce(sum(id * 31 + user), 0) FROM visits";
            copy.database.sql().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let both = [rows(&self.copies[1])?, rows(&self.copies[2])?];
        self.invariants
            .check(self.names[2], both[0] == both[1], || format!("rows and sums: {both:?}"));
        Ok(())
    }
}
