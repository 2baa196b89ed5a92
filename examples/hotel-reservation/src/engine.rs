//! The database of the table of layers: one interface, SQLite here and PostgreSQL in `postgres.rs`.
//!
//! Statements name their parameters `$1`, `$2` .. in the order in which they first occur, which both
//! engines read alike. Numbers are 64-bit integers, and no step leaves a row locked, so that a
//! scheduler on one thread can drive several clients.

use kit::Failure;
use rusqlite::{Connection, ErrorCode, params_from_iter};
use std::time::Duration;

/// Why a statement did not happen.
#[derive(Debug)]
pub enum Stopped {
    /// A constraint of the schema says no.
    Constraint,
    /// The transaction cannot be serialized: begin again.
    Again,
    /// Anything else.
    Broken(Failure),
}

/// Several clients of one database.
pub trait Engine {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Begins a transaction of `client`.
    ///
    /// # Errors
    /// [`Stopped`].
    fn begin(&mut self, client: usize, serializable: bool) -> Result<(), Stopped>;
    /// Whether a client that is not serializable has a transaction while it reads: where READ
    /// COMMITTED exists it has.
    fn reads_in_transaction(&self) -> bool;
    /// Rows of four numbers.
    ///
    /// # Errors
    /// [`Stopped`].
    fn read(&mut self, client: usize, sql: &str, with: &[i64]) -> Result<Vec<[i64; 4]>, Stopped>;
    /// Changes rows; how many.
    ///
    /// # Errors
    /// [`Stopped`].
    fn write(&mut self, client: usize, sql: &str, with: &[i64]) -> Result<u64, Stopped>;
    /// Ends the transaction of `client`.
    ///
    /// # Errors
    /// [`Stopped`]; it is rolled back then.
    fn commit(&mut self, client: usize) -> Result<(), Stopped>;
    /// Ends it without effect, if there is one.
    ///
    /// # Errors
    /// [`Stopped::Broken`].
    fn rollback(&mut self, client: usize) -> Result<(), Stopped>;
}

/// The tables, with the constraints of layer 2 and without. A world of the scheduler has rooms of
/// its own.
pub const SCHEMA: &str = "\
CREATE TABLE night_checked (
  room BIGINT NOT NULL, night BIGINT NOT NULL, sold BIGINT NOT NULL, lim BIGINT NOT NULL,
  version BIGINT NOT NULL, fence BIGINT NOT NULL,
  UNIQUE (room, night), CHECK (sold >= 0 AND sold <= lim));
CREATE TABLE night_bare (
  room BIGINT NOT NULL, night BIGINT NOT NULL, sold BIGINT NOT NULL, lim BIGINT NOT NULL,
  version BIGINT NOT NULL, fence BIGINT NOT NULL);
CREATE INDEX night_bare_room ON night_bare (room, night);
CREATE TABLE reservation (
  room BIGINT NOT NULL, client BIGINT NOT NULL, check_in BIGINT NOT NULL, check_out BIGINT NOT NULL);
CREATE INDEX reservation_room ON reservation (room)";

/// SQLite in a file of its own, one connection a client.
#[derive(Debug)]
pub struct Sqlite {
    clients: Vec<Connection>,
    literal: bool,
    _folder: tempfile::TempDir,
}

impl Sqlite {
    /// A new database for so many clients. `literal` takes switch 3 by its word: a transaction from
    /// the first read on, which in SQLite is serializable whatever one asks for.
    ///
    /// # Errors
    /// When there is no temporary folder, and what SQLite says.
    pub fn new(clients: usize, literal: bool) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let open = || {
            let db = Connection::open(folder.path().join("nights.sqlite"))?;
            // Nothing here is about losing power.
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")?;
            db.busy_timeout(Duration::ZERO)?;
            Ok::<_, rusqlite::Error>(db)
        };
        let clients = (0..clients).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
        clients[0].execute_batch(SCHEMA)?;
        Ok(Self { clients, literal, _folder: folder })
    }
}

fn stopped(error: rusqlite::Error) -> Stopped {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Stopped::Constraint,
        Some(ErrorCode::DatabaseBusy) => Stopped::Again,
        _ => Stopped::Broken(error.into()),
    }
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn begin(&mut self, client: usize, serializable: bool) -> Result<(), Stopped> {
        // A serializable one reads from its snapshot, and is turned back if it writes from an old
        // one; the other begins when it writes, and waits for nobody.
        let begin = if serializable || self.literal { "BEGIN DEFERRED" } else { "BEGIN IMMEDIATE" };
        self.clients[client].execute_batch(begin).map_err(stopped)
    }

    fn reads_in_transaction(&self) -> bool {
        self.literal
    }

    fn read(&mut self, client: usize, sql: &str, with: &[i64]) -> Result<Vec<[i64; 4]>, Stopped> {
        let mut statement = self.clients[client].prepare_cached(sql).map_err(stopped)?;
        let row =
            |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
        let rows = statement.query_map(params_from_iter(with), row).map_err(stopped)?;
        rows.collect::<Result<_, _>>().map_err(stopped)
    }

    fn write(&mut self, client: usize, sql: &str, with: &[i64]) -> Result<u64, Stopped> {
        let mut statement = self.clients[client].prepare_cached(sql).map_err(stopped)?;
        statement.execute(params_from_iter(with)).map(|rows| rows as u64).map_err(stopped)
    }

    fn commit(&mut self, client: usize) -> Result<(), Stopped> {
        self.clients[client].execute_batch("COMMIT").map_err(stopped)
    }

    fn rollback(&mut self, client: usize) -> Result<(), Stopped> {
        let db = &self.clients[client];
        if db.is_autocommit() { Ok(()) } else { db.execute_batch("ROLLBACK").map_err(stopped) }
    }
}
