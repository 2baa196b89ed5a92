//! The truth behind every cache: one table of a real SQLite.
//!
//! In memory for the tournament, in a file with a second connection where a reader must see what is
//! committed while a writer is not done. Hooks run somebody else's request at the two places where
//! interleavings hurt: while a load is under way, and around a commit.

use archstone_cache::around::Store;
use rusqlite::{Connection, OptionalExtension, params};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The schema.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS items (
    id      INTEGER NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    price   INTEGER NOT NULL           -- in cents
) STRICT;
CREATE TABLE IF NOT EXISTS filter (    -- what may exist, as of row `upto`
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    bytes BLOB NOT NULL,
    upto  INTEGER NOT NULL
) STRICT;";

/// A row without its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Grows with each change of the row; 0 in a write asks the store for the next one.
    pub version: u64,
    /// In cents.
    pub price: i64,
}

/// Why the store did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It does not answer.
    Away,
    /// It rolled the transaction back.
    Refused,
    /// What SQLite says.
    Sqlite(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str("the store is away"),
            Self::Refused => f.write_str("the store refused the write"),
            Self::Sqlite(what) => write!(f, "SQLite: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.to_string())
    }
}

/// What was asked of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Rows looked up.
    pub loads: u64,
    /// Rows written.
    pub writes: u64,
    /// Transactions that wrote.
    pub transactions: u64,
}

/// Where somebody else's request comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// A load has read the row and has not answered yet.
    LoadAndAnswer,
    /// A write has changed the row and has not committed yet.
    WriteAndCommit,
    /// A write has committed and has not answered yet.
    CommitAndAnswer,
}

type Hook = Box<dyn FnOnce() + Send>;

/// The table, and how it fails.
pub struct Database {
    writer: Mutex<Connection>,
    /// A second connection, when the table is in a file.
    reader: Option<Mutex<Connection>>,
    away: AtomicBool,
    refusals: AtomicU64,
    asked: [AtomicU64; 3],
    hook: Mutex<Option<(Between, Hook)>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("asked", &self.asked()).finish_non_exhaustive()
    }
}

const UPSERT: &str = "INSERT INTO items VALUES (?1, max(?2, 1), ?3)
    ON CONFLICT (id) DO UPDATE SET
        version = CASE WHEN ?2 > 0 THEN ?2 ELSE version + 1 END, price = ?3
    RETURNING version";

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Database {
    /// An empty table in memory.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::with(Connection::open_in_memory()?, None)
    }

    /// A table in a file, made if it is not there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connect = || -> Result<Connection, StoreError> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // Processes die here; the machine under them does not lose power.
            connection.pragma_update(None, "synchronous", "OFF")?;
            Ok(connection)
        };
        Self::with(connect()?, Some(connect()?))
    }

    fn with(writer: Connection, reader: Option<Connection>) -> Result<Self, StoreError> {
        writer.execute_batch(SCHEMA)?;
        Ok(Self {
            writer: Mutex::new(writer),
            reader: reader.map(Mutex::new),
            away: AtomicBool::new(false),
            refusals: AtomicU64::new(0),
            asked: Default::default(),
            hook: Mutex::new(None),
        })
    }

    /// Rows `0..rows` at version 1; their prices follow from their keys. Not counted as asked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn fill(&self, keys: impl IntoIterator<Item = u32>) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(UPSERT)?;
            for key in keys {
                insert.query_row(params![key, 1, i64::from(key) * 10], |_| Ok(()))?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Every row back to version 1, the counts to 0.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reset(&self) -> Result<(), StoreError> {
        lock(&self.writer).execute("UPDATE items SET version = 1 WHERE version <> 1", [])?;
        self.asked.iter().for_each(|count| count.store(0, Relaxed));
        Ok(())
    }

    /// What was asked so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let [loads, writes, transactions] = [0, 1, 2].map(|at: usize| self.asked[at].load(Relaxed));
        Asked { loads, writes, transactions }
    }

    /// Whether it answers from now on.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Relaxed);
    }

    /// Rolls the next `n` writes back.
    pub fn refuse(&self, n: u64) {
        self.refusals.store(n, Relaxed);
    }

    /// Runs `hook` once, the next time a request comes to `at`.
    pub fn between(&self, at: Between, hook: impl FnOnce() + Send + 'static) {
        *lock(&self.hook) = Some((at, Box::new(hook)));
    }

    /// Takes a hook back that was not reached.
    pub fn forget_hook(&self) {
        *lock(&self.hook) = None;
    }

    /// No lock is held while the hook runs, so it may use this store.
    fn reached(&self, at: Between) {
        let hook = {
            let mut slot = lock(&self.hook);
            if slot.as_ref().is_some_and(|(wanted, _)| *wanted == at) { slot.take() } else { None }
        };
        if let Some((_, hook)) = hook {
            hook();
        }
    }

    fn here(&self) -> Result<(), StoreError> {
        if self.away.load(Relaxed) { Err(StoreError::Away) } else { Ok(()) }
    }

    /// The row, uncounted and without hooks: for who checks.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn look(&self, key: u32) -> Result<Option<Row>, StoreError> {
        let connection = lock(self.reader.as_ref().unwrap_or(&self.writer));
        let mut select =
            connection.prepare_cached("SELECT version, price FROM items WHERE id = ?1")?;
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Row { version: row.get::<_, i64>(0)? as u64, price: row.get(1)? })
        };
        Ok(select.query_row([key], row).optional()?)
    }

    /// The keys of rows after `upto` in the order in which they were made, and the last one's number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn made_after(&self, upto: i64) -> Result<(Vec<u32>, i64), StoreError> {
        let connection = lock(&self.writer);
        let mut select = connection
            .prepare_cached("SELECT rowid, id FROM items WHERE rowid > ?1 ORDER BY rowid")?;
        let rows = select.query_map([upto], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(i64, u32)> = rows.collect::<Result<_, _>>()?;
        let last = rows.last().map_or(upto, |row| row.0);
        Ok((rows.into_iter().map(|row| row.1).collect(), last))
    }

    /// Keeps the bytes of a filter that knows the rows up to `upto`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep_filter(&self, bytes: &[u8], upto: i64) -> Result<(), StoreError> {
        let replace = "INSERT OR REPLACE INTO filter VALUES (1, ?1, ?2)";
        lock(&self.writer).execute(replace, params![bytes, upto])?;
        Ok(())
    }

    /// The filter that was kept last.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn kept_filter(&self) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
        let connection = lock(&self.writer);
        let select = "SELECT bytes, upto FROM filter";
        Ok(connection.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }
}

impl Store<u32, Row> for Database {
    type Error = StoreError;

    fn load(&self, key: &u32) -> Result<Option<Row>, StoreError> {
        self.asked[0].fetch_add(1, Relaxed);
        self.here()?;
        let row = self.look(*key)?;
        self.reached(Between::LoadAndAnswer);
        Ok(row)
    }

    fn store(&self, key: &u32, row: Row) -> Result<Row, StoreError> {
        self.here()?;
        let version = {
            let mut connection = lock(&self.writer);
            let transaction = connection.transaction()?;
            let version = {
                let mut upsert = transaction.prepare_cached(UPSERT)?;
                let values = params![key, row.version as i64, row.price];
                upsert.query_row(values, |row| row.get::<_, i64>(0))? as u64
            };
            // On the file another connection reads the old row until the commit.
            if self.reader.is_some() {
                self.reached(Between::WriteAndCommit);
            }
            if self.refusals.load(Relaxed) > 0 {
                self.refusals.fetch_sub(1, Relaxed);
                transaction.rollback()?;
                return Err(StoreError::Refused);
            }
            transaction.commit()?;
            version
        };
        self.asked[1].fetch_add(1, Relaxed);
        self.asked[2].fetch_add(1, Relaxed);
        self.reached(Between::CommitAndAnswer);
        Ok(Row { version, ..row })
    }

    fn delete(&self, key: &u32) -> Result<(), StoreError> {
        self.here()?;
        lock(&self.writer).execute("DELETE FROM items WHERE id = ?1", [key])?;
        self.asked[1].fetch_add(1, Relaxed);
        self.asked[2].fetch_add(1, Relaxed);
        Ok(())
    }

    /// One transaction: a process that dies in it has written nothing.
    fn store_batch(&self, batch: &[(u32, Option<Row>)]) -> Result<(), StoreError> {
        self.here()?;
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        {
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            for (key, row) in batch {
                match row {
                    Some(row) => {
                        let values = params![key, row.version as i64, row.price];
                        upsert.query_row(values, |_| Ok(()))?;
                    }
                    None => {
                        transaction.execute("DELETE FROM items WHERE id = ?1", [key])?;
                    }
                }
            }
        }
        self.reached(Between::WriteAndCommit);
        if self.refusals.load(Relaxed) > 0 {
            self.refusals.fetch_sub(1, Relaxed);
            transaction.rollback()?;
            return Err(StoreError::Refused);
        }
        transaction.commit()?;
        self.asked[1].fetch_add(batch.len() as u64, Relaxed);
        self.asked[2].fetch_add(1, Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_reader_sees_the_old_row_until_the_commit_and_never_a_refused_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Arc::new(Database::open(&folder.path().join("items")).expect("opens"));
        database.fill([7]).expect("fills");
        let (seen, other) = (Arc::new(Mutex::new(None)), Arc::clone(&database));
        let into = Arc::clone(&seen);
        database.between(Between::WriteAndCommit, move || {
            *into.lock().unwrap() = other.look(7).unwrap();
        });
        let stored = database.store(&7, Row { version: 0, price: 5 }).expect("stores");
        assert_eq!(stored, Row { version: 2, price: 5 });
        assert_eq!(*seen.lock().unwrap(), Some(Row { version: 1, price: 70 }));
        database.refuse(1);
        assert_eq!(database.store(&7, Row { version: 0, price: 6 }), Err(StoreError::Refused));
        assert_eq!(database.load(&7), Ok(Some(stored)));
        database.set_away(true);
        assert_eq!(database.load(&7), Err(StoreError::Away));
        assert_eq!(database.asked(), Asked { loads: 2, writes: 1, transactions: 1 });
    }

    #[test]
    fn a_batch_is_all_or_nothing_and_keeps_the_versions_it_is_given() {
        let database = Database::in_memory().expect("opens");
        let row = |version| Some(Row { version, price: 1 });
        database.refuse(1);
        assert!(database.store_batch(&[(1, row(5)), (2, row(6))]).is_err());
        assert_eq!(database.look(1), Ok(None));
        database.store_batch(&[(1, row(5)), (2, row(6))]).expect("stores");
        database.store_batch(&[(1, None), (2, row(9))]).expect("stores");
        assert_eq!((database.look(1), database.look(2)), (Ok(None), Ok(row(9))));
    }
}
