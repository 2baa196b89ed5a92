//! Messages that wait in the writer's own database: written with the change, or not at all.

use super::Message;
use rusqlite::{Connection, Transaction, params};

/// Makes the table `outbox`, unless it is there.
///
/// # Errors
/// What SQLite says.
pub fn create(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS outbox (
             place INTEGER PRIMARY KEY AUTOINCREMENT,
             topic TEXT NOT NULL,
             id TEXT NOT NULL UNIQUE,
             key TEXT NOT NULL,
             payload TEXT NOT NULL
         ) STRICT",
    )
}

/// Puts a message into the caller's transaction: it is told when that commits, and only then.
///
/// # Errors
/// What SQLite says; a constraint when a message of this id waits already.
pub fn put(change: &Transaction<'_>, topic: &str, message: &Message) -> rusqlite::Result<()> {
    let insert = "INSERT INTO outbox (topic, id, key, payload) VALUES (?1, ?2, ?3, ?4)";
    let Message { id, key, payload } = message;
    change.prepare_cached(insert)?.execute(params![topic, id, key, payload]).map(drop)
}

/// Messages that wait.
///
/// # Errors
/// What SQLite says.
pub fn waiting(database: &Connection) -> rusqlite::Result<u64> {
    database.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| row.get(0))
}

/// Carries up to `limit` messages to `publish` in the order in which they were put, and takes each
/// out when `publish` has taken it; how many. Who dies between the two publishes again: at least
/// once, never lost, never before one that was put earlier.
///
/// # Errors
/// What `publish` says, and what SQLite says; the message stays.
pub fn relay<E: From<rusqlite::Error>>(
    database: &mut Connection,
    limit: usize,
    mut publish: impl FnMut(&str, &Message) -> Result<(), E>,
) -> Result<u64, E> {
    let mut sent = 0;
    for _ in 0..limit {
        let next = "SELECT place, topic, id, key, payload FROM outbox ORDER BY place LIMIT 1";
        let row = database.prepare_cached(next)?.query_row([], |row| {
            let message = Message { id: row.get(2)?, key: row.get(3)?, payload: row.get(4)? };
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, message))
        });
        let (place, topic, message) = match row {
            Err(rusqlite::Error::QueryReturnedNoRows) => break,
            row => row?,
        };
        publish(&topic, &message)?;
        database.prepare_cached("DELETE FROM outbox WHERE place = ?1")?.execute([place])?;
        sent += 1;
    }
    Ok(sent)
}
