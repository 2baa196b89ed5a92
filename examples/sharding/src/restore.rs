//! A shard that is lost with all its copies: what is left is a backup and the archived statements.

use crate::database::{Database, Folder, Statement};
use kit::{Arrivals, Invariants, Seed, Time};
use std::time::Duration;

/// What must hold.
pub const RESTORED: &str = "restore: only what came after the last archived segment is lost";

/// Statements go to the archive by segments of this length.
pub const SEGMENT: Duration = Duration::from_millis(250);
const SCHEMA: &str = "CREATE TABLE visits (id INTEGER PRIMARY KEY, user INTEGER NOT NULL) STRICT";
const INSERT: &str = "INSERT INTO visits VALUES (?1, ?2)";
/// What a restore reads and replays in a second; virtual, and taken low.
const ROWS_A_SECOND: u64 = 50_000;
const STATEMENTS_A_SECOND: u64 = 10_000;

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Rows of the backup.
    pub backup: u64,
    /// Statements replayed on it.
    pub replayed: u64,
    /// Rows that were there and are not.
    pub lost: u64,
    /// How long before the loss the oldest of them was written.
    pub oldest: Duration,
    /// When it was lost.
    pub at: Time,
    /// From there to the first answer.
    pub took: Duration,
    /// Statements that SQLite ran.
    pub statements: u64,
}

/// Fills a shard, backs it up, writes on, loses it, restores it.
///
/// # Errors
/// What SQLite says.
pub fn run(seed: Seed, rows: u64, invariants: &mut Invariants) -> rusqlite::Result<Facts> {
    let restored = invariants.declare(RESTORED);
    let folder = Folder::new()?;
    let shard = folder.database("shard", SCHEMA)?;
    let mut draw = seed.stream("restore");
    let statement = |id: u64, user: u64| Statement {
        sql: INSERT,
        values: vec![(id as i64).into(), (user as i64).into()],
    };
    shard.transaction(|shard| {
        (1..=rows).try_for_each(|id| shard.run(&statement(id, id % 97)).map(drop))
    })?;
    let backup = folder.path("backup");
    // SQLite's own way to copy a database while it is in use.
    shard.sql().execute("VACUUM INTO ?1", [backup.to_string_lossy()])?;

    let lost_at = Time::from_millis(2_000 + draw.below(1_000));
    let mut written = Vec::new();
    for at in Arrivals::poisson(draw.clone(), 400.0).take_while(|&at| at < lost_at) {
        let id = rows + 1 + written.len() as u64;
        let statement = statement(id, draw.below(97));
        shard.run(&statement)?;
        written.push((at, statement));
    }
    let there = count(&shard)?;
    drop(shard);
    invariants.event(format!("{} ms: all copies of the shard are lost", lost_at.as_millis()));

    let archived = lost_at.as_nanos() / SEGMENT.as_nanos() as u64 * SEGMENT.as_nanos() as u64;
    let archived = Time::from_nanos(archived);
    let shard = Database::open(&backup)?;
    let kept = written.iter().take_while(|(at, _)| *at < archived).count();
    shard.transaction(|shard| {
        written[..kept].iter().try_for_each(|(_, statement)| shard.run(statement).map(drop))
    })?;
    let back = count(&shard)?;
    let gone = &written[kept..];
    let oldest = gone.first().map_or(Duration::ZERO, |(at, _)| lost_at.since(*at));
    invariants.event(format!("{back} of {there} rows are back, up to {} ms", archived.as_millis()));
    let whole = back + gone.len() as u64 == there && oldest <= SEGMENT;
    invariants.check(restored, whole, || format!("{back} rows of {there}, oldest lost {oldest:?}"));
    let millis = 1_000 * rows / ROWS_A_SECOND + 1_000 * kept as u64 / STATEMENTS_A_SECOND;
    Ok(Facts {
        backup: rows,
        replayed: kept as u64,
        lost: there - back,
        oldest,
        at: lost_at,
        took: Duration::from_millis(150 + millis),
        statements: rows + (written.len() + kept) as u64,
    })
}

fn count(database: &Database) -> rusqlite::Result<u64> {
    database.sql().query_row("SELECT count(*) FROM visits", [], |row| row.get(0))
}
