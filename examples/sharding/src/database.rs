//! One database: a real SQLite file with the rows of one shard.

use crate::input::User;
use archstone_hashring::{Arc, Hashed, Key};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The table that is sharded. `position` is where the key's hash lies, so that an arc of a ring is a
/// range of an index; `handed_over` are the arcs that now belong to another shard.
const SCHEMA: &str = "
    CREATE TABLE users (
        id       INTEGER PRIMARY KEY,
        position INTEGER NOT NULL,
        name     TEXT NOT NULL,
        area     TEXT NOT NULL,
        visits   INTEGER NOT NULL,
        version  INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX users_by_position ON users (position);
    CREATE TABLE handed_over (first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
";

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The user, with its count of visits.
    pub user: User,
    /// Raised by every write.
    pub version: u64,
}

/// A statement as it is shipped to copies: it must do the same everywhere, so no `random()`, no clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// With numbered parameters.
    pub sql: &'static str,
    /// Their values.
    pub values: Vec<Value>,
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
}

/// A folder of databases, gone with it.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A new one.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn new() -> rusqlite::Result<Self> {
        let made = tempfile::Builder::new().prefix("sharding-").tempdir();
        made.map(Self).map_err(|_| rusqlite::Error::InvalidPath("temporary folder".into()))
    }

    /// Where the file `name` lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.sqlite"))
    }

    /// A new file with the table of users.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn shard(&self, name: &str) -> rusqlite::Result<Database> {
        self.database(name, SCHEMA)
    }

    /// A new file with tables of its own.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn database(&self, name: &str, schema: &str) -> rusqlite::Result<Database> {
        let database = Database::open(&self.path(name))?;
        database.connection.execute_batch(schema)?;
        Ok(database)
    }
}

/// Where a key lies on the ring of 2^64, in the order of SQLite's signed integers.
#[must_use]
pub const fn position(key: Hashed) -> i64 {
    (key.0 ^ 1 << 63) as i64
}

/// The key of a user, under the run's seed.
#[must_use]
pub fn key(id: u64, seed: u64) -> Hashed {
    id.hashed(seed)
}

impl Database {
    /// Opens or makes a file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Crashes here lose the whole file or nothing: losing power within a sync is not studied, and
        // thousands of syncs would take the run's time.
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self { connection })
    }

    /// The connection, for what only one part asks.
    #[must_use]
    pub const fn sql(&self) -> &Connection {
        &self.connection
    }

    /// Runs a shipped statement; how many rows it changed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run(&self, statement: &Statement) -> rusqlite::Result<usize> {
        let mut prepared = self.connection.prepare_cached(statement.sql)?;
        prepared.execute(params_from_iter(&statement.values))
    }

    /// Runs `work` as one transaction.
    ///
    /// # Errors
    /// What `work` or SQLite says; then nothing of it was done.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&Self) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = work(self);
        self.connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done
    }

    /// Stores a row, whatever was there, unless its arc belongs to another shard now; whether it did.
    /// Without `fenced` it does not look.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put(&self, row: &Row, at: i64, fenced: bool) -> rusqlite::Result<bool> {
        let sql = match fenced {
            true => {
                "INSERT OR REPLACE INTO users SELECT ?1, ?2, ?3, ?4, ?5, ?6
                 WHERE NOT EXISTS (SELECT 1 FROM handed_over WHERE ?2 BETWEEN first AND last)"
            }
            false => "INSERT OR REPLACE INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        };
        self.store(sql, row, at)
    }

    /// Stores a copied row unless what is there is newer; with `newer_wins` false, whatever is there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn copy_in(&self, row: &Row, at: i64, newer_wins: bool) -> rusqlite::Result<bool> {
        if !newer_wins {
            return self.put(row, at, false);
        }
        let sql = "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (id) DO UPDATE SET visits = excluded.visits, version = excluded.version
                   WHERE excluded.version > users.version";
        self.store(sql, row, at)
    }

    fn store(&self, sql: &str, row: &Row, at: i64) -> rusqlite::Result<bool> {
        let User { id, name, area, visits } = &row.user;
        let mut prepared = self.connection.prepare_cached(sql)?;
        let changed = prepared.execute(params![id, at, name, area, visits, row.version])?;
        Ok(changed > 0)
    }

    /// Stores many rows at once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn load<'a>(
        &self,
        users: impl IntoIterator<Item = &'a User>,
        seed: u64,
    ) -> rusqlite::Result<()> {
        self.transaction(|database| {
            for user in users {
                let row = Row { user: user.clone(), version: 1 };
                database.put(&row, position(key(user.id, seed)), false)?;
            }
            Ok(())
        })
    }

    /// The row of a user.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn get(&self, id: u64) -> rusqlite::Result<Option<Row>> {
        let sql = "SELECT id, name, area, visits, version FROM users WHERE id = ?1";
        self.connection.prepare_cached(sql)?.query_row([id], row).optional()
    }

    /// Takes a row out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete(&self, id: u64) -> rusqlite::Result<()> {
        let mut delete = self.connection.prepare_cached("DELETE FROM users WHERE id = ?1")?;
        delete.execute([id]).map(drop)
    }

    /// All ids in their order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ids(&self) -> rusqlite::Result<Vec<u64>> {
        let mut all = self.connection.prepare_cached("SELECT id FROM users ORDER BY id")?;
        all.query_map([], |row| row.get(0))?.collect()
    }

    /// How many users have an id from `first` to `last`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count_between(&self, first: u64, last: u64) -> rusqlite::Result<u64> {
        let sql = "SELECT count(*) FROM users WHERE id BETWEEN ?1 AND ?2";
        self.connection.prepare_cached(sql)?.query_row([first, last], |row| row.get(0))
    }

    /// How many users visited at least so often, and their visits.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn busy(&self, least: u64) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT count(*), coalesce(sum(visits), 0) FROM users WHERE visits >= ?1";
        let both = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.connection.prepare_cached(sql)?.query_row([least], both)
    }

    /// At most `limit` rows of an arc, from the position `from` on, with their positions.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn arc(&self, from: i64, last: i64, limit: usize) -> rusqlite::Result<Vec<(Row, i64)>> {
        let sql = "SELECT id, name, area, visits, version, position FROM users
                   WHERE position BETWEEN ?1 AND ?2 ORDER BY position LIMIT ?3";
        let with_position = |found: &rusqlite::Row<'_>| Ok((row(found)?, found.get(5)?));
        let mut query = self.connection.prepare_cached(sql)?;
        query.query_map(params![from, last, limit], with_position)?.collect()
    }

    /// Gives an arc away: its rows go, and (with `fenced`) no row of it comes any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn hand_over(&self, arc: Arc, fenced: bool) -> rusqlite::Result<()> {
        let ends = [position(Hashed(arc.first)), position(Hashed(arc.last))];
        self.transaction(|database| {
            let sql = database.sql();
            if fenced {
                sql.prepare_cached("INSERT INTO handed_over VALUES (?1, ?2)")?.execute(ends)?;
            }
            sql.prepare_cached("DELETE FROM users WHERE position BETWEEN ?1 AND ?2")?
                .execute(ends)
                .map(drop)
        })
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let user = User { id: row.get(0)?, name: row.get(1)?, area: row.get(2)?, visits: row.get(3)? };
    Ok(Row { user, version: row.get(4)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64, visits: u64) -> User {
        User { id, name: format!("u{id}"), area: "de".into(), visits }
    }

    #[test]
    fn an_arc_is_a_range_of_positions_and_what_was_handed_over_does_not_come_back() {
        let folder = Folder::new().unwrap();
        let shard = folder.shard("a").unwrap();
        let users: Vec<User> = (1..=50).map(|id| user(id, id)).collect();
        shard.load(&users, 7).unwrap();
        let arc = Arc { first: 1 << 62, last: 3 << 62 };
        let inside: Vec<u64> = (1..=50).filter(|&id| arc.contains(key(id, 7))).collect();
        let ends = (position(Hashed(arc.first)), position(Hashed(arc.last)));
        let mut found: Vec<u64> =
            shard.arc(ends.0, ends.1, 99).unwrap().iter().map(|row| row.0.user.id).collect();
        found.sort_unstable();
        assert_eq!(found, inside);
        shard.hand_over(arc, true).unwrap();
        assert_eq!(shard.ids().unwrap().len(), 50 - inside.len());
        let again = Row { user: user(inside[0], 1), version: 9 };
        let at = position(key(inside[0], 7));
        assert!(!shard.put(&again, at, true).unwrap());
        assert!(shard.put(&again, at, false).unwrap());
    }

    #[test]
    fn a_copied_row_does_not_overwrite_a_newer_one() {
        let folder = Folder::new().unwrap();
        let shard = folder.shard("a").unwrap();
        let (old, new) =
            (Row { user: user(1, 5), version: 1 }, Row { user: user(1, 6), version: 2 });
        shard.put(&new, 0, true).unwrap();
        assert!(!shard.copy_in(&old, 0, true).unwrap());
        assert_eq!(shard.get(1).unwrap(), Some(new));
        assert!(shard.copy_in(&old, 0, false).unwrap());
        assert_eq!(shard.get(1).unwrap(), Some(old));
    }

    #[test]
    fn a_failed_transaction_leaves_nothing_behind() {
        let folder = Folder::new().unwrap();
        let shard = folder.shard("a").unwrap();
        let failed = shard.transaction(|database| {
            database.put(&Row { user: user(1, 1), version: 1 }, 0, true)?;
            Err::<(), _>(rusqlite::Error::QueryReturnedNoRows)
        });
        assert!(failed.is_err() && shard.ids().unwrap().is_empty());
    }
}
