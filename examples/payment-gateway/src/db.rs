//! The schema: one SQLite file. What must never change is kept so by triggers, not by habit.

use crate::state::ARROWS;
use kit::Time;
use kit::store::{Durability, inbox, outbox};
use rusqlite::Connection;
use std::path::Path;

/// Amounts are minor units, instants microseconds.
pub const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS payments (
        payment INTEGER PRIMARY KEY AUTOINCREMENT,
        merchant TEXT NOT NULL,
        key TEXT NOT NULL,                -- the merchant's Idempotency-Key
        method TEXT NOT NULL,
        token TEXT NOT NULL,              -- of the vault: never a number
        amount INTEGER NOT NULL CHECK (amount > 0),
        currency TEXT NOT NULL CHECK (length(currency) = 3),
        status TEXT NOT NULL,
        refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0),
        version INTEGER NOT NULL DEFAULT 1,
        risk INTEGER NOT NULL,
        reasons TEXT NOT NULL,
        provider_id TEXT,
        failure TEXT,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS arrows (was TEXT, becomes TEXT, PRIMARY KEY (was, becomes)) STRICT, WITHOUT ROWID;
    CREATE TRIGGER IF NOT EXISTS only_along_arrows BEFORE UPDATE OF status ON payments
        WHEN NOT EXISTS (SELECT 1 FROM arrows WHERE was = old.status AND becomes = new.status)
        BEGIN SELECT raise(ABORT, 'no such arrow'); END;

    CREATE TABLE IF NOT EXISTS idempotency (
        key TEXT PRIMARY KEY,             -- merchant/key
        print INTEGER NOT NULL,           -- digest of the request
        payment INTEGER NOT NULL REFERENCES payments,
        operation TEXT,                   -- of a refund
        answer TEXT,                      -- the first answer, which every repeat gets
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE IF NOT EXISTS operations (
        operation TEXT PRIMARY KEY,       -- pay_7/capture: the reference that the provider is given
        payment INTEGER NOT NULL REFERENCES payments,
        kind TEXT NOT NULL CHECK (kind IN ('authorise', 'capture', 'sale', 'refund', 'void')),
        amount INTEGER NOT NULL CHECK (amount > 0),
        state TEXT NOT NULL CHECK (state IN ('ready', 'sent', 'unknown', 'done', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        queries INTEGER NOT NULL DEFAULT 0,
        valid_until INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL,
        provider_id TEXT,
        finished_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS due ON operations (due_at) WHERE state IN ('ready', 'sent', 'unknown');

    CREATE TABLE IF NOT EXISTS entries (
        entry INTEGER PRIMARY KEY,
        transfer TEXT NOT NULL,
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount <> 0)  -- debit positive, credit negative
    ) STRICT;
    CREATE INDEX IF NOT EXISTS by_account ON entries (account, currency, amount);
    CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE UPDATE ON entries
        BEGIN SELECT raise(ABORT, 'an entry is corrected by another entry'); END;
    CREATE TRIGGER IF NOT EXISTS entries_remain BEFORE DELETE ON entries
        BEGIN SELECT raise(ABORT, 'an entry is corrected by another entry'); END;

    CREATE TABLE IF NOT EXISTS vault (
        token TEXT PRIMARY KEY,
        print BLOB NOT NULL,              -- keyed digest: equal accounts, equal prints
        shown TEXT NOT NULL,              -- what people may see: last four digits
        nonce BLOB NOT NULL,
        sealed BLOB NOT NULL              -- number, expiry, name
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX IF NOT EXISTS by_print ON vault (print);

    CREATE TABLE IF NOT EXISTS audit (
        place INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        what TEXT NOT NULL,
        hash BLOB NOT NULL                -- of this line and the hash before it
    ) STRICT;
    CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER IF NOT EXISTS audit_remains BEFORE DELETE ON audit
        BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

    CREATE TABLE IF NOT EXISTS webhooks (
        payment INTEGER NOT NULL,
        version INTEGER NOT NULL,
        merchant TEXT NOT NULL,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL,
        delivered INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (payment, version)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS undelivered ON webhooks (due_at) WHERE delivered = 0;

    CREATE TABLE IF NOT EXISTS sales (merchant TEXT PRIMARY KEY, taken INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// Opens the database, and makes what is not there.
///
/// # Errors
/// What SQLite says.
pub fn open(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let database = kit::store::open(path, durability)?;
    let made = "SELECT count(*) FROM sqlite_schema WHERE name = 'sales'";
    if database.query_row(made, [], |row| row.get::<_, i64>(0))? == 0 {
        let mut database = database;
        let all = database.transaction()?;
        all.execute_batch(SCHEMA)?;
        outbox::create(&all)?;
        inbox::create(&all)?;
        for (was, becomes) in ARROWS {
            let insert = "INSERT INTO arrows VALUES (?1, ?2)";
            all.execute(insert, [was.name(), becomes.name()])?;
        }
        all.commit()?;
        return Ok(database);
    }
    Ok(database)
}

/// An instant as it is stored.
#[must_use]
pub fn micros(now: Time) -> i64 {
    i64::try_from(now.as_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// A stored instant; before time began is its beginning.
#[must_use]
pub fn instant(micros: i64) -> Time {
    Time::from_micros(u64::try_from(micros).unwrap_or(0))
}
