//! Who did what when: appended only, each line sealed with the hash of all before it.
//!
//! The triggers stop a mistake. The chain shows a deliberate change to whoever kept the last hash
//! elsewhere: a line cannot be changed, moved or taken out without changing every hash after it.

use crate::db::micros;
use kit::Time;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

fn hash(before: &[u8], at: i64, what: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(at.to_le_bytes());
    hash.update(what.as_bytes());
    hash.finalize().into()
}

/// Appends a line in the transaction of what it tells.
///
/// # Errors
/// What SQLite says.
pub fn append(change: &Transaction<'_>, now: Time, what: &str) -> rusqlite::Result<()> {
    let last = "SELECT hash FROM audit ORDER BY place DESC LIMIT 1";
    let mut last = change.prepare_cached(last)?;
    let before: Option<Vec<u8>> = last.query_row([], |row| row.get(0)).optional()?;
    let hash = hash(&before.unwrap_or_default(), micros(now), what);
    let insert = "INSERT INTO audit (at, what, hash) VALUES (?1, ?2, ?3)";
    change.prepare_cached(insert)?.execute(params![micros(now), what, &hash[..]]).map(drop)
}

/// Lines, or the place of the first whose hash is wrong.
///
/// # Errors
/// What SQLite says.
pub fn verify(database: &Connection) -> rusqlite::Result<Result<u64, i64>> {
    let mut lines = database.prepare("SELECT place, at, what, hash FROM audit ORDER BY place")?;
    let mut rows = lines.query([])?;
    let (mut before, mut count) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let kept: Vec<u8> = row.get(3)?;
        if kept[..] != hash(&before, row.get(1)?, &row.get::<_, String>(2)?) {
            return Ok(Err(row.get(0)?));
        }
        before = kept;
        count += 1;
    }
    Ok(Ok(count))
}
