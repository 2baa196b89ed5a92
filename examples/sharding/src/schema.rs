//! A schema change on all shards while old and new programs read and write: expand, backfill, deploy,
//! contract.
//!
//! `name` becomes `given` and `family`. Shards change one after the other, and so do servers; a step
//! begins when the one before is done everywhere. Until the end every step can be taken back.

use crate::database::{Database, Folder};
use kit::invariant::Invariant;
use kit::{Invariants, Safeguards, Seed, Stream};
use rusqlite::params;

/// What must hold.
pub const WHOLE: &str = "schema change: every reader, old or new, reads what was last written";

const SHARDS: usize = 4;
const SERVERS: usize = 6;
const PEOPLE: u64 = 120;
/// Rows of a backfill step: a short lock.
const BATCH: u64 = 10;

const SCHEMA: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '') STRICT";
const EXPAND: &str = "
    ALTER TABLE people ADD COLUMN given TEXT;
    ALTER TABLE people ADD COLUMN family TEXT;
";
/// Whoever writes one shape writes the other, too. (SQLite's triggers do not call themselves.)
const BOTH_SHAPES: &str = "
    CREATE TRIGGER old_to_new AFTER UPDATE OF name ON people BEGIN
        UPDATE people SET given  = substr(new.name, 1, instr(new.name, ' ') - 1),
                          family = substr(new.name, instr(new.name, ' ') + 1)
        WHERE id = new.id;
    END;
    CREATE TRIGGER new_to_old AFTER UPDATE OF given, family ON people BEGIN
        UPDATE people SET name = new.given || ' ' || new.family WHERE id = new.id;
    END;
";
const BACKFILL: &str = "
    UPDATE people SET given  = substr(name, 1, instr(name, ' ') - 1),
                      family = substr(name, instr(name, ' ') + 1)
    WHERE given IS NULL AND id IN (SELECT id FROM people WHERE given IS NULL ORDER BY id LIMIT ?1)";
const CONTRACT: &str = "
    DROP TRIGGER IF EXISTS old_to_new;
    DROP TRIGGER IF EXISTS new_to_old;
    ALTER TABLE people DROP COLUMN name;
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Expand,
    Backfill,
    Deploy,
    Contract,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Reads by old and by new programs.
    pub reads: [u64; 2],
    /// Writes by old and by new programs.
    pub writes: [u64; 2],
    /// Requests that failed, and reads of something else than was written.
    pub wrong: u64,
    /// Requests while both shapes were in use by some server.
    pub mixed: u64,
    /// Steps on shards and servers.
    pub steps: u64,
    /// Rows filled.
    pub filled: u64,
    /// Statements that SQLite ran.
    pub statements: u64,
}

struct Rollout<'a> {
    shards: Vec<Database>,
    /// Whether a server runs the new program.
    new: [bool; SERVERS],
    truth: Vec<(String, String)>,
    both_shapes: bool,
    draw: Stream,
    facts: Facts,
    whole: Invariant,
    invariants: &'a mut Invariants,
}

/// Rolls the change out, with `requests` between every two steps on average.
///
/// # Errors
/// What SQLite says to a step of the change; what it says to a client is a failure that is counted.
pub fn run(
    seed: Seed,
    requests: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let whole = invariants.declare(WHOLE);
    let folder = Folder::new()?;
    let open = |shard| folder.database(&format!("people-{shard}"), SCHEMA);
    let mut rollout = Rollout {
        shards: (0..SHARDS).map(open).collect::<Result<_, _>>()?,
        new: [false; SERVERS],
        truth: (0..PEOPLE).map(|id| (format!("g{id}"), format!("f{id}"))).collect(),
        both_shapes: on.on("both-shapes"),
        draw: seed.stream("schema"),
        facts: Facts::default(),
        whole,
        invariants,
    };
    for (id, (given, family)) in (0..PEOPLE).zip(&rollout.truth) {
        let sql = rollout.shards[id as usize % SHARDS].sql();
        let name = format!("{given} {family}");
        sql.execute("INSERT INTO people (id, name) VALUES (?1, ?2)", params![id, name])?;
    }
    use Phase::{Backfill, Contract, Deploy, Expand};
    let order = match (on.on("expand-first"), on.on("backfill-first")) {
        (true, true) => [Expand, Backfill, Deploy, Contract],
        // "ALTER TABLE", then the new program.
        (false, _) => [Expand, Backfill, Contract, Deploy],
        (_, false) => [Expand, Deploy, Backfill, Contract],
    };
    for phase in order {
        let places = if phase == Deploy { SERVERS } else { SHARDS };
        for place in 0..places {
            while {
                for _ in 0..1 + rollout.draw.below(2 * requests) {
                    rollout.request();
                }
                rollout.step(phase, place)?
            } {}
        }
    }
    for _ in 0..4 * requests {
        rollout.request();
    }
    Ok(rollout.facts)
}

impl Rollout<'_> {
    /// One step of the change; whether there is more of it at this place.
    fn step(&mut self, phase: Phase, place: usize) -> rusqlite::Result<bool> {
        self.facts.steps += 1;
        self.invariants.event(format!("{phase:?} at {place}"));
        if phase == Phase::Deploy {
            self.new[place] = true;
            return Ok(false);
        }
        self.facts.statements += 1;
        let both_shapes = self.both_shapes;
        let filled = self.shards[place].transaction(|shard| {
            let sql = shard.sql();
            match phase {
                Phase::Expand => {
                    sql.execute_batch(EXPAND)?;
                    if both_shapes {
                        sql.execute_batch(BOTH_SHAPES)?;
                    }
                    Ok(0)
                }
                Phase::Backfill => sql.prepare_cached(BACKFILL)?.execute([BATCH]),
                Phase::Contract => sql.execute_batch(CONTRACT).map(|()| 0),
                Phase::Deploy => Ok(0),
            }
        })?;
        self.facts.filled += filled as u64;
        Ok(filled as u64 == BATCH)
    }

    fn request(&mut self) {
        let server = self.draw.below(SERVERS as u64) as usize;
        let id = self.draw.below(PEOPLE);
        let new = self.new[server];
        self.facts.mixed += u64::from(self.new.contains(&true) && self.new.contains(&false));
        self.facts.statements += 1;
        if self.draw.chance(0.3) {
            let nth = self.draw.below(1_000_000);
            let name = (format!("g{nth}"), format!("f{nth}"));
            self.facts.writes[usize::from(new)] += 1;
            let done = self.write(new, id, &name);
            self.event(server, new, format!("writes {id}: {name:?} {done:?}"));
            let served = self.invariants.check(self.whole, done.is_ok(), || {
                format!("a server with the {} program: {done:?}", shape(new))
            });
            self.facts.wrong += u64::from(!served);
            if served {
                self.truth[id as usize] = name;
            }
            return;
        }
        self.facts.reads[usize::from(new)] += 1;
        let found = self.read(new, id);
        self.event(server, new, format!("reads {id}: {found:?}"));
        let truth = &self.truth[id as usize];
        let whole = found.as_ref() == Ok(truth);
        self.facts.wrong += u64::from(!whole);
        self.invariants.check(self.whole, whole, || {
            format!("a server with the {} program reads {found:?}, not {truth:?}", shape(new))
        });
    }

    fn event(&mut self, server: usize, new: bool, what: String) {
        self.invariants.event(format!("server {server} ({}) {what}", shape(new)));
    }

    fn read(&self, new: bool, id: u64) -> Result<(String, String), String> {
        let sql = match new {
            true => "SELECT given, family FROM people WHERE id = ?1",
            false => {
                "SELECT substr(name, 1, instr(name, ' ') - 1), substr(name, instr(name, ' ') + 1)
                 FROM people WHERE id = ?1"
            }
        };
        let mut query = self.sql(id).prepare_cached(sql).map_err(|e| e.to_string())?;
        let both = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        query.query_row([id], both).map_err(|e| e.to_string())
    }

    fn write(&self, new: bool, id: u64, name: &(String, String)) -> Result<(), String> {
        let done = match new {
            true => self
                .sql(id)
                .prepare_cached("UPDATE people SET given = ?2, family = ?3 WHERE id = ?1")
                .and_then(|mut sql| sql.execute(params![id, name.0, name.1])),
            false => self
                .sql(id)
                .prepare_cached("UPDATE people SET name = ?2 WHERE id = ?1")
                .and_then(|mut sql| sql.execute(params![id, format!("{} {}", name.0, name.1)])),
        };
        done.map(drop).map_err(|e| e.to_string())
    }

    fn sql(&self, id: u64) -> &rusqlite::Connection {
        self.shards[id as usize % SHARDS].sql()
    }
}

const fn shape(new: bool) -> &'static str {
    if new { "new" } else { "old" }
}
