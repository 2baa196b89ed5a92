use super::{Durability, Message, open};
use rusqlite::{Connection, params};
use std::path::Path;

/// An append-only log of messages by topic, and how far each consumer has read: a broker of one
/// partition a topic, in a database of its own.
///
/// What is appended never changes: the database refuses to update or delete it. Offsets count from 0
/// without gaps. It keeps repeats, as a broker does; see [`super::inbox`].
#[derive(Debug)]
pub struct EventLog {
    pub(super) database: Connection,
}

/// A message at its place in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 0, without gaps.
    pub offset: u64,
    /// What was appended.
    pub message: Message,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS log (
        topic TEXT NOT NULL,
        place INTEGER NOT NULL,
        id TEXT NOT NULL,
        key TEXT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (topic, place)
    ) STRICT;
    CREATE TRIGGER IF NOT EXISTS log_is_not_updated BEFORE UPDATE ON log
        BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
    CREATE TRIGGER IF NOT EXISTS log_is_not_deleted BEFORE DELETE ON log
        BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
    CREATE TABLE IF NOT EXISTS consumers (
        consumer TEXT NOT NULL,
        topic TEXT NOT NULL,
        next INTEGER NOT NULL,
        PRIMARY KEY (consumer, topic)
    ) STRICT, WITHOUT ROWID;";

impl EventLog {
    /// The log in the file `path`, made when it is not there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(path: &Path, durability: Durability) -> rusqlite::Result<Self> {
        Self::new(open(path, durability)?)
    }

    /// A log that ends with this value.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn in_memory() -> rusqlite::Result<Self> {
        Self::new(Connection::open_in_memory()?)
    }

    fn new(database: Connection) -> rusqlite::Result<Self> {
        database.execute_batch(SCHEMA)?;
        Ok(Self { database })
    }

    /// Appends a message; its offset.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn append(&mut self, topic: &str, message: &Message) -> rusqlite::Result<u64> {
        let insert = "INSERT INTO log (topic, place, id, key, payload)
             VALUES (?1, (SELECT coalesce(max(place) + 1, 0) FROM log WHERE topic = ?1), ?2, ?3, ?4)
             RETURNING place";
        let Message { id, key, payload } = message;
        let mut insert = self.database.prepare_cached(insert)?;
        insert.query_row(params![topic, id, key, payload], |row| row.get(0))
    }

    /// Up to `limit` entries of `topic`, from offset `from` on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn read(&self, topic: &str, from: u64, limit: usize) -> rusqlite::Result<Vec<Entry>> {
        let select = "SELECT place, id, key, payload FROM log
             WHERE topic = ?1 AND place >= ?2 ORDER BY place LIMIT ?3";
        let mut select = self.database.prepare_cached(select)?;
        let entry = |row: &rusqlite::Row<'_>| {
            let message = Message { id: row.get(1)?, key: row.get(2)?, payload: row.get(3)? };
            Ok(Entry { offset: row.get(0)?, message })
        };
        // SQLite counts to 2^63 - 1; nothing is stored beyond.
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        select.query_map(params![topic, from, limit], entry)?.collect()
    }

    /// Entries of `topic`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn len(&self, topic: &str) -> rusqlite::Result<u64> {
        let count = "SELECT coalesce(max(place) + 1, 0) FROM log WHERE topic = ?1";
        self.database.prepare_cached(count)?.query_row([topic], |row| row.get(0))
    }

    /// Whether `topic` has no entry.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_empty(&self, topic: &str) -> rusqlite::Result<bool> {
        Ok(self.len(topic)? == 0)
    }

    /// The offset that `consumer` reads next; 0 when it has committed none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn position(&self, consumer: &str, topic: &str) -> rusqlite::Result<u64> {
        let select =
            "SELECT coalesce(max(next), 0) FROM consumers WHERE consumer = ?1 AND topic = ?2";
        self.database.prepare_cached(select)?.query_row([consumer, topic], |row| row.get(0))
    }

    /// `consumer` has applied all before `next`. It never goes back: a late commit changes nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commit(&mut self, consumer: &str, topic: &str, next: u64) -> rusqlite::Result<()> {
        let upsert = "INSERT INTO consumers VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET next = max(next, excluded.next)";
        let next = i64::try_from(next).unwrap_or(i64::MAX);
        self.database.prepare_cached(upsert)?.execute(params![consumer, topic, next]).map(drop)
    }
}
