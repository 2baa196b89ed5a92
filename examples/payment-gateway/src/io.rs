//! What the gateway sends and where it may die. The gateway itself does no input or output but to its
//! database and the log: the simulation and the server carry what it puts here.

use crate::ledger::LedgerError;
use crate::method::Request;
use crate::state::Status;
use crate::vault::VaultError;
use crate::webhook::Delivery;
use kit::sim::{CrashPoints, Crashed};
use kit::store::EventLog;
use std::fmt;

/// The topic of all that happens to payments.
pub const TOPIC: &str = "payments";

/// Around one gateway.
#[derive(Debug)]
pub struct Io {
    /// Where it may die.
    pub points: CrashPoints,
    /// The log: another system, with its own disk.
    pub log: EventLog,
    /// Whether the log cannot be reached.
    pub away: bool,
    /// What is to be sent. What was put here before a crash has been sent.
    pub out: Vec<Out>,
}

/// Something to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// To a provider.
    Provider(Request),
    /// To a merchant.
    Webhook(Delivery),
    /// To whoever waits for the answer to `key`.
    Told(Told),
}

/// The first answer to a key: every repeat gets the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The payment.
    pub payment: i64,
    /// The operation, when it is about a refund.
    pub operation: Option<String>,
    /// How the payment stood.
    pub status: Status,
    /// Minor units, of the payment or the refund.
    pub amount: i64,
    /// Why not, when not.
    pub failure: Option<String>,
}

/// Why the gateway stopped.
#[derive(Debug)]
pub enum Stop {
    /// The process died.
    Crashed(Crashed),
    /// What SQLite says.
    Sql(rusqlite::Error),
    /// A transfer that does not add up.
    Ledger(LedgerError),
    /// A token that does not open.
    Vault(VaultError),
}

impl Io {
    /// Around a log.
    #[must_use]
    pub const fn new(log: EventLog) -> Self {
        Self { points: CrashPoints::never(), log, away: false, out: Vec::new() }
    }

    /// Goes past a point, or dies there.
    ///
    /// # Errors
    /// [`Stop::Crashed`].
    pub fn pass(&mut self, name: &'static str) -> Result<(), Stop> {
        Ok(self.points.pass(name)?)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed(crash) => crash.fmt(f),
            Self::Sql(error) => error.fmt(f),
            Self::Ledger(error) => error.fmt(f),
            Self::Vault(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}

impl From<Crashed> for Stop {
    fn from(crash: Crashed) -> Self {
        Self::Crashed(crash)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<VaultError> for Stop {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}
