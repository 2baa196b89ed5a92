//! What a consumer has applied, kept where it applies it.

use rusqlite::{Connection, Transaction, params};

/// Makes the table `inbox`, unless it is there.
///
/// # Errors
/// What SQLite says.
pub fn create(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS inbox (
             consumer TEXT NOT NULL,
             id TEXT NOT NULL,
             PRIMARY KEY (consumer, id)
         ) STRICT, WITHOUT ROWID",
    )
}

/// Notes in the caller's transaction that `consumer` applies `id`; `false` when it has before.
///
/// # Errors
/// What SQLite says.
pub fn first_time(effect: &Transaction<'_>, consumer: &str, id: &str) -> rusqlite::Result<bool> {
    let insert = "INSERT OR IGNORE INTO inbox (consumer, id) VALUES (?1, ?2)";
    Ok(effect.prepare_cached(insert)?.execute(params![consumer, id])? == 1)
}

/// Applies a message in one transaction with its id; `None` when the id was applied before. What
/// `apply` refuses leaves neither effect nor id.
///
/// # Errors
/// What `apply` says, and what SQLite says.
pub fn apply_once<T, E: From<rusqlite::Error>>(
    database: &mut Connection,
    consumer: &str,
    id: &str,
    apply: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let effect = database.transaction()?;
    if !first_time(&effect, consumer, id)? {
        return Ok(None);
    }
    let done = apply(&effect)?;
    effect.commit()?;
    Ok(Some(done))
}
