//! An event for every change, on SQLite (feature `store`): outbox, event log, inbox.
//!
//! A database and a broker cannot commit together, so nobody asks them to. The change and its message
//! are one transaction of the database ([`outbox::put`]); a relay carries messages to the log, again
//! when it does not know whether it did ([`outbox::relay`]); a consumer keeps the ids that it has
//! applied in the transaction that applies them ([`inbox::apply_once`]), so a message that comes twice
//! counts once. Each step may be the last before a crash: what follows is in `store/tests.rs`.
//!
//! ```
//! use kit::store::{EventLog, Message, inbox, outbox};
//!
//! # fn main() -> rusqlite::Result<()> {
//! let mut shop = rusqlite::Connection::open_in_memory()?;
//! let mut mail = rusqlite::Connection::open_in_memory()?;
//! let mut log = EventLog::in_memory()?;
//! outbox::create(&shop)?;
//! inbox::create(&mail)?;
//!
//! let change = shop.transaction()?; // and the change itself in it
//! outbox::put(&change, "orders", &Message::new("order-7", "ann", "paid"))?;
//! change.commit()?;
//!
//! outbox::relay(&mut shop, 100, |topic, message| log.append(topic, message).map(drop))?;
//! for entry in log.read("orders", log.position("mail", "orders")?, 100)? {
//!     let sent: Option<()> = inbox::apply_once(&mut mail, "mail", &entry.message.id, |_| Ok::<_, rusqlite::Error>(()))?;
//!     assert!(sent.is_some());
//!     log.commit("mail", "orders", entry.offset + 1)?;
//! }
//! # Ok(()) }
//! ```

pub mod inbox;
mod log;
pub mod outbox;

pub use log::{Entry, EventLog};

use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// What is told: an id that is given once, the key whose messages stay in order, and the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Names the change for ever: "pay-7/3". Consumers drop an id they have applied.
    pub id: String,
    /// Of whom it speaks; messages of one key are read in the order in which they were put.
    pub key: String,
    /// What happened; the log does not look inside.
    pub payload: String,
}

impl Message {
    /// A message.
    pub fn new(id: impl Into<String>, key: impl Into<String>, payload: impl Into<String>) -> Self {
        Self { id: id.into(), key: key.into(), payload: payload.into() }
    }
}

/// How much a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `synchronous = FULL`: a commit outlives the loss of power.
    Power,
    /// `synchronous = OFF`: a commit outlives the process. For simulations, where only that dies.
    Process,
}

/// Opens a database file in WAL mode, with foreign keys, waiting up to 5 s for another writer.
///
/// # Errors
/// What SQLite says.
pub fn open(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if durability == Durability::Power { "FULL" } else { "OFF" };
    database.pragma_update(None, "synchronous", synchronous)?;
    database.pragma_update(None, "foreign_keys", true)?;
    database.busy_timeout(Duration::from_secs(5))?;
    // A service has more statements than the 16 that are kept prepared by default.
    database.set_prepared_statement_cache_capacity(128);
    Ok(database)
}

#[cfg(all(test, feature = "sim"))]
mod tests;
