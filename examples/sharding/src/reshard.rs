//! A shard more while clients read and write: the moves of a plan, range by range.
//!
//! Three routers, of which two learn late how far the moves are. The rows of a range are copied in
//! small batches that are under way while clients write; half of what clients do is about rows that
//! were read for copying just now, where it can go wrong. What keeps it right: until a range is
//! handed over, writes go to both its holders (`Handoff::writes`); a copied row does not overwrite a
//! newer one; the old holder gives the range up for good in one transaction; and who finds nothing at
//! the holder it knows asks the other one.

use crate::database::{Database, Folder, Row, key, position};
use crate::input::User;
use crate::layout::{self, PLACED, SHARDS};
use crate::scheme::{Kind, Scheme, node};
use archstone_hashring::{Handoff, Hashed, Move, MoveId, NodeId};
use kit::invariant::Invariant;
use kit::{Fault, Invariants, Latencies, Safeguards, Seed, Stream, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// What must hold.
pub const ANSWERED: &str = "resharding: no read fails";
/// See [`ANSWERED`].
pub const FRESH: &str = "resharding: every read returns the last acknowledged write";

/// Rows copied at once.
const BATCH: usize = 8;
/// Users that clients have in mind besides.
const RECENT: usize = 12;
/// Operations until a late router hears of what was done.
const LATE: u64 = 60;
const TICK: Duration = Duration::from_micros(500);
/// How long a statement takes there and back.
const ASK: Duration = Duration::from_millis(1);

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Reads by clients while ranges moved.
    pub reads: u64,
    /// Of them, those that asked a second shard.
    pub second: u64,
    /// Reads that found nothing.
    pub failed: u64,
    /// Reads that found an old row.
    pub stale: u64,
    /// Writes by clients.
    pub writes: u64,
    /// Of them, those that went to two shards.
    pub doubled: u64,
    /// Writes that the old holder of a range refused.
    pub refused: u64,
    /// Moves of the plan.
    pub moves: u64,
    /// Rows copied.
    pub copied: u64,
    /// Copies that found a newer row.
    pub older: u64,
    /// Moves begun again.
    pub again: u64,
    /// Until the last range was handed over.
    pub took: Duration,
    /// The copier that dies in the middle.
    pub fault: Option<Fault>,
    /// Latency of clients.
    pub latency: Latencies,
    /// Statements that SQLite ran.
    pub statements: u64,
}

struct Batch {
    id: MoveId,
    step: Move,
    rows: Vec<(Row, i64)>,
    last: bool,
}

struct Online<'a> {
    shards: Vec<Database>,
    nodes: Vec<NodeId>,
    /// How far the moves are, as each router knows; the first one knows.
    routers: Vec<Handoff>,
    /// The last acknowledged row of each user, by id from 1.
    truth: Vec<Row>,
    /// The range that is being copied, and from which position on.
    current: Option<(MoveId, Move, i64)>,
    under_way: VecDeque<Batch>,
    /// Users whose rows were read for copying last.
    recent: VecDeque<u64>,
    now: Time,
    /// The copier's death, its restart, and the move that it died in.
    died: Option<(Time, Time, MoveId)>,
    seed: u64,
    rules: Rules,
    facts: Facts,
    draw: Stream,
    invariants: &'a mut Invariants,
    names: [Invariant; 2],
}

#[derive(Clone, Copy)]
struct Rules {
    dual_reads: bool,
    dual_writes: bool,
    newer_wins: bool,
    fence: bool,
}

/// Adds a shard to `users` on a ring, with at least `operations` of clients meanwhile.
///
/// # Errors
/// What SQLite says.
pub fn run(
    users: &[User],
    seed: u64,
    operations: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let (names, placed) =
        ([ANSWERED, FRESH].map(|name| invariants.declare(name)), invariants.declare(PLACED));
    let folder = Folder::new()?;
    let before = Scheme::new(Kind::Consistent, SHARDS, users, seed, true);
    let after = before.grown(users);
    let shards = (0..=SHARDS).map(|shard| folder.shard(&format!("online-{shard}")));
    let shards: Vec<Database> = shards.collect::<Result<_, _>>()?;
    for (shard, database) in shards.iter().enumerate() {
        database.load(users.iter().filter(|user| before.shard_of(user) == shard), seed)?;
    }
    let rings = (before.ring().cloned(), after.ring().cloned());
    let (Some(old), Some(new)) = rings else { return Ok(Facts::default()) };
    let handoff = Handoff::new(old, new, 1).expect("one copy");
    let rules = Rules {
        dual_reads: on.on("dual-reads"),
        dual_writes: on.on("dual-writes"),
        newer_wins: on.on("newer-wins"),
        fence: on.on("range-fence"),
    };
    let mut online = Online {
        shards,
        nodes: (0..=SHARDS).map(node).collect(),
        facts: Facts { moves: handoff.left() as u64, ..Facts::default() },
        routers: vec![handoff; 3],
        truth: users.iter().map(|user| Row { user: user.clone(), version: 1 }).collect(),
        current: None,
        under_way: VecDeque::new(),
        recent: VecDeque::new(),
        now: Time::ZERO,
        died: None,
        seed,
        rules,
        draw: Seed::new(seed).stream("reshard"),
        invariants,
        names,
    };
    let mut done = 0;
    while done < operations || online.routers[0].left() > 0 {
        online.now += TICK;
        // Copying takes a sixth of the time, and all of it when clients have asked enough.
        match online.draw.below(12) {
            0 | 1 => online.copy()?,
            2..5 => online.write()?,
            _ => online.read()?,
        }
        done += 1;
        for late in 1..3 {
            if done % LATE == late * LATE / 3 {
                online.routers[late as usize] = online.routers[0].clone();
            }
        }
    }
    let wrong = layout::misplaced(users, &after, &online.shards)?;
    online.invariants.event(format!("{} moves are done", online.facts.moves));
    online.invariants.held(placed, users.len() as u64 - 1);
    online.invariants.check(placed, wrong.is_none(), || wrong.unwrap_or_default());
    Ok(online.facts)
}

impl Online<'_> {
    fn shard(&self, id: NodeId) -> usize {
        self.nodes.iter().position(|&node| node == id).expect("a shard's identity")
    }

    fn whom(&mut self) -> (usize, u64) {
        let router = self.draw.below(self.routers.len() as u64) as usize;
        let any = self.draw.below(self.truth.len() as u64) + 1;
        let nth = self.draw.below(2 * self.recent.len() as u64) as usize;
        (router, self.recent.get(nth).copied().unwrap_or(any))
    }

    /// A client reads through one of the routers.
    fn read(&mut self) -> rusqlite::Result<()> {
        let (router, id) = self.whom();
        let hashed = key(id, self.seed);
        let first = self.routers[router].reads(hashed);
        let mut found = self.shards[self.shard(first[0])].get(id)?;
        let (mut asked, mut took) = (1, ASK);
        if found.is_none() && self.rules.dual_reads {
            let both = self.routers[router].writes(hashed);
            for other in both.iter().filter(|other| **other != first[0]) {
                found = self.shards[self.shard(*other)].get(id)?;
                (asked, took) = (2, took + ASK);
            }
        }
        self.facts.reads += 1;
        self.facts.statements += asked;
        self.facts.second += asked - 1;
        self.facts.latency.record("read while resharding", took);
        let truth = &self.truth[id as usize - 1];
        let (is_there, version) = (found.is_some(), found.as_ref().map_or(0, |row| row.version));
        let fresh = found.as_ref().is_none_or(|row| row == truth);
        self.facts.failed += u64::from(!is_there);
        self.facts.stale += u64::from(!fresh);
        if !is_there || !fresh {
            let at = self.shard(first[0]);
            self.invariants.event(format!("router {router} reads user {id} at shard {at}"));
        }
        self.invariants.check(self.names[0], is_there, || format!("user {id} is not found"));
        self.invariants.check(self.names[1], fresh, || {
            format!("user {id} is read at version {version}, it is at {}", truth.version)
        });
        Ok(())
    }

    /// A client counts a visit through one of the routers.
    fn write(&mut self) -> rusqlite::Result<()> {
        let (router, id) = self.whom();
        let hashed = key(id, self.seed);
        let mut row = self.truth[id as usize - 1].clone();
        row.version += 1;
        row.user.visits += 1;
        let holders = match self.rules.dual_writes {
            true => self.routers[router].writes(hashed),
            false => self.routers[router].reads(hashed),
        };
        let mut stored = 0;
        for &holder in holders.iter() {
            let shard = self.shard(holder);
            let took = self.shards[shard].put(&row, position(hashed), self.rules.fence)?;
            stored += u64::from(took);
            self.facts.refused += u64::from(!took);
            self.facts.statements += 1;
        }
        self.facts.writes += 1;
        self.facts.doubled += u64::from(stored > 1);
        self.facts.latency.record("write while resharding", ASK);
        let at: Vec<usize> = holders.iter().map(|&holder| self.shard(holder)).collect();
        let event = format!("router {router} writes user {id}, version {}, to {at:?}", row.version);
        self.invariants.event(event);
        if stored > 0 {
            self.truth[id as usize - 1] = row;
        }
        Ok(())
    }

    /// One step of the copier: a batch is read, or one arrives.
    fn copy(&mut self) -> rusqlite::Result<()> {
        if self.died.is_some_and(|(_, until, _)| self.now < until) {
            return Ok(());
        }
        if self.current.is_none() && self.under_way.is_empty() {
            let Some((id, step)) = self.routers[0].begin() else { return Ok(()) };
            self.current = Some((id, step, position(Hashed(step.keys.first))));
        }
        let full = self.under_way.len() == 3;
        if full || self.current.is_none() || !self.under_way.is_empty() && self.draw.chance(0.4) {
            return self.arrive();
        }
        let Some((id, step, from)) = self.current else { return Ok(()) };
        let source = self.shard(step.from.expect("the old ring is not empty"));
        let last = position(Hashed(step.keys.last));
        let rows = self.shards[source].arc(from, last, BATCH)?;
        self.facts.statements += 1;
        let end = rows.last().map(|row| row.1).filter(|&at| rows.len() == BATCH && at < last);
        self.current = end.map(|at| (id, step, at + 1));
        if !rows.is_empty() {
            let ids: Vec<u64> = rows.iter().map(|row| row.0.user.id).collect();
            self.recent.extend(&ids);
            while self.recent.len() > RECENT {
                self.recent.pop_front();
            }
            self.invariants.event(format!("move {}: {ids:?} are read at shard {source}", id.0));
        }
        self.under_way.push_back(Batch { id, step, rows, last: end.is_none() });
        Ok(())
    }

    /// The oldest batch that is under way reaches the new shard; after the last one of its range the
    /// old holder hands it over.
    fn arrive(&mut self) -> rusqlite::Result<()> {
        let Some(batch) = self.under_way.pop_front() else { return Ok(()) };
        if self.died.is_none() && self.routers[0].progress() > 0.4 {
            // What it had read is gone with it; the move waits again, and nobody reads the new holder.
            self.died = Some((self.now, self.now + Duration::from_millis(100), batch.id));
            self.routers[0].fail(batch.id).expect("it was being copied");
            (self.current, self.facts.again) = (None, self.facts.again + 1);
            self.under_way.clear();
            self.invariants.event(format!("the copier dies in move {}", batch.id.0));
            return Ok(());
        }
        let newer_wins = self.rules.newer_wins;
        let new = &self.shards[SHARDS];
        let stored = new.transaction(|new| {
            let mut stored = 0;
            for (row, at) in &batch.rows {
                stored += u64::from(new.copy_in(row, *at, newer_wins)?);
            }
            Ok(stored)
        })?;
        self.facts.copied += batch.rows.len() as u64;
        self.facts.older += batch.rows.len() as u64 - stored;
        self.facts.statements += batch.rows.len() as u64;
        if batch.last {
            let source = self.shard(batch.step.from.expect("the old ring is not empty"));
            self.shards[source].hand_over(batch.step.keys, self.rules.fence)?;
            self.routers[0].complete(batch.id).expect("it was being copied");
            self.facts.statements += 2;
            self.facts.took = self.now.since(Time::ZERO);
            if let Some((at, _, _)) = self.died.filter(|died| died.2 == batch.id) {
                self.facts.fault = Some(Fault {
                    kind: "resharding: the copier dies and comes back after 100 ms".to_owned(),
                    at_ms: at.as_millis(),
                    recovered_ms: Some(self.now.since(at).as_millis() as u64),
                    effect: "its move is begun again; no read and no write waits".to_owned(),
                });
            }
            let event = format!("move {}: shard {source} hands its range over", batch.id.0);
            self.invariants.event(event);
        }
        Ok(())
    }
}
