//! Telling merchants: a consumer of the log fills a queue, and each payment's changes are delivered in
//! order, signed, until the merchant says 2xx.

use crate::db::{instant, micros};
use crate::vault::{hex, mac};
use hmac::Mac;
use kit::{Stream, Time};
use rusqlite::{Connection, Transaction, params};
use sha2::Sha256;
use std::time::Duration;

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub merchant: String,
    /// Of which payment.
    pub payment: i64,
    /// Which of its changes, from 1.
    pub version: u64,
    /// JSON.
    pub body: String,
    /// The header `Webhook-Signature`.
    pub signature: String,
}

/// How long a merchant may take.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// A signature is believed for so long: a recorded one cannot be played again tomorrow.
pub const FRESH: Duration = Duration::from_secs(300);

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY` under the merchant's secret.
#[must_use]
pub fn sign(secret: &[u8], at: Time, body: &str) -> String {
    let seconds = at.as_nanos() / 1_000_000_000;
    let mac = mac(secret, &[seconds.to_string().as_bytes(), b".", body.as_bytes()]);
    format!("t={seconds},v1={}", hex(&mac))
}

/// Whether `signature` is the gateway's for `body`, and fresh. Compares in constant time.
#[must_use]
pub fn verify(secret: &[u8], now: Time, body: &str, signature: &str) -> bool {
    let mut parts = signature.split(',');
    let (Some(t), Some(v1), None) = (
        parts.next().and_then(|part| part.strip_prefix("t=")),
        parts.next().and_then(|part| part.strip_prefix("v1=")),
        parts.next(),
    ) else {
        return false;
    };
    let Ok(seconds) = t.parse::<u64>() else { return false };
    let age = (now.as_nanos() / 1_000_000_000).abs_diff(seconds);
    let bytes: Option<Vec<u8>> = (v1.len() == 64 && v1.is_ascii()).then(|| {
        (0..32).filter_map(|at| u8::from_str_radix(&v1[2 * at..2 * at + 2], 16).ok()).collect()
    });
    let Some(bytes) = bytes.filter(|bytes| bytes.len() == 32) else { return false };
    let mac = <hmac::Hmac<Sha256> as Mac>::new_from_slice(secret);
    let Ok(mut mac) = mac else { return false };
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    age <= FRESH.as_secs() && mac.verify_slice(&bytes).is_ok()
}

/// A change that waits for one before it.
const WAITS: i64 = i64::MAX;

/// Queues a change. Only the first undelivered change of a payment may go, the others wait for it;
/// `ordered` false lets all go.
///
/// # Errors
/// What SQLite says.
pub fn queue(
    effect: &Transaction<'_>,
    now: Time,
    (payment, version): (i64, u64),
    merchant: &str,
    body: &str,
    ordered: bool,
) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO webhooks (payment, version, merchant, body, due_at)
         VALUES (?1, ?2, ?3, ?4, CASE WHEN ?7 AND EXISTS
             (SELECT 1 FROM webhooks WHERE payment = ?1 AND delivered = 0 AND version < ?2)
             THEN ?6 ELSE ?5 END)";
    let row = params![payment, version, merchant, body, micros(now), WAITS, ordered];
    effect.prepare_cached(insert)?.execute(row).map(drop)
}

/// What is due, noted as tried before it is sent.
///
/// # Errors
/// What SQLite says.
pub fn due(
    database: &mut Connection,
    now: Time,
    stream: &mut Stream,
    secret: impl Fn(&str) -> [u8; 32],
) -> rusqlite::Result<Vec<Delivery>> {
    let mut deliveries = Vec::new();
    if next_due(database)?.is_none_or(|due| due > now) {
        return Ok(Vec::new());
    }
    let change = database.transaction()?;
    {
        let select = "SELECT payment, version, merchant, body, attempts FROM webhooks
             WHERE delivered = 0 AND due_at <= ?1 ORDER BY due_at, payment, version LIMIT 1000";
        let mut select = change.prepare_cached(select)?;
        let mut rows = select.query([micros(now)])?;
        while let Some(row) = rows.next()? {
            let (payment, version): (i64, u64) = (row.get(0)?, row.get(1)?);
            let (merchant, body): (String, String) = (row.get(2)?, row.get(3)?);
            // 5 s, 10 s, 20 s ... an hour, with up to half of it on top; for as long as it takes.
            let wait = PATIENCE.saturating_mul(1 << row.get::<_, u32>(4)?.min(10));
            let wait = wait.min(Duration::from_secs(3_600));
            let again = now + wait + stream.between(Duration::ZERO, wait / 2);
            let signature = sign(&secret(&merchant), now, &body);
            deliveries.push((Delivery { merchant, payment, version, body, signature }, again));
        }
    }
    for (Delivery { payment, version, .. }, again) in &deliveries {
        let update = "UPDATE webhooks SET attempts = attempts + 1, due_at = ?3
             WHERE payment = ?1 AND version = ?2";
        change.prepare_cached(update)?.execute(params![payment, version, micros(*again)])?;
    }
    change.commit()?;
    Ok(deliveries.into_iter().map(|pair| pair.0).collect())
}

/// The merchant has said 2xx: the next change of this payment may go.
///
/// # Errors
/// What SQLite says.
pub fn delivered(
    database: &mut Connection,
    now: Time,
    payment: i64,
    version: u64,
) -> rusqlite::Result<()> {
    let change = database.transaction()?;
    let update = "UPDATE webhooks SET delivered = 1 WHERE payment = ?1 AND version = ?2";
    change.prepare_cached(update)?.execute(params![payment, version])?;
    let next = "UPDATE webhooks SET due_at = ?2 WHERE payment = ?1 AND due_at = ?3 AND version =
         (SELECT min(version) FROM webhooks WHERE payment = ?1 AND delivered = 0)";
    change.prepare_cached(next)?.execute(params![payment, micros(now), WAITS])?;
    change.commit()
}

/// When the next is due.
///
/// # Errors
/// What SQLite says.
pub fn next_due(database: &Connection) -> rusqlite::Result<Option<Time>> {
    let select = "SELECT min(due_at) FROM webhooks WHERE delivered = 0";
    let due: Option<i64> = database.prepare_cached(select)?.query_row([], |row| row.get(0))?;
    Ok(due.filter(|&due| due != WAITS).map(instant))
}
