//! Double entry: money is never made, it moves between accounts, and every move adds up to zero.
//!
//! | what happens | debit | credit |
//! |---|---|---|
//! | captured 100.00, fee 2.9 % + 0.30 | `provider:card` 100.00 | `merchant:m` 96.80, `fees` 3.20 |
//! | refunded 40.00 | `merchant:m` 40.00 | `provider:card` 40.00 |
//! | charged back | `merchant:m` | `provider:card` |
//! | settled by the provider, who keeps 1.5 % | `bank` 98.50, `costs` 1.50 | `provider:card` 100.00 |

use kit::money::{Currency, Money, MoneyError, Rounding};
use rusqlite::{Connection, Transaction, params};
use std::fmt;

/// Why a transfer was not posted.
#[derive(Debug)]
pub enum LedgerError {
    /// Its lines do not add up to zero: by how much.
    Unbalanced(i64),
    /// Amounts that cannot be added.
    Money(MoneyError),
    /// What SQLite says.
    Sql(rusqlite::Error),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbalanced(by) => write!(f, "a transfer that is off by {by} minor units"),
            Self::Money(error) => error.fmt(f),
            Self::Sql(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LedgerError {}

impl From<MoneyError> for LedgerError {
    fn from(error: MoneyError) -> Self {
        Self::Money(error)
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Posts one transfer: account and amount, debit positive. Lines of zero are left out.
///
/// # Errors
/// [`LedgerError::Unbalanced`], nothing is posted; what SQLite says.
pub fn post(
    change: &Transaction<'_>,
    transfer: &str,
    currency: Currency,
    lines: &[(&str, i64)],
) -> Result<(), LedgerError> {
    let mut sum = Money::zero(currency);
    for &(_, amount) in lines {
        sum = sum.plus(Money::new(amount, currency))?;
    }
    if sum.minor() != 0 {
        return Err(LedgerError::Unbalanced(sum.minor()));
    }
    let insert =
        "INSERT INTO entries (transfer, account, currency, amount) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = change.prepare_cached(insert)?;
    for (account, amount) in lines.iter().filter(|line| line.1 != 0) {
        insert.execute(params![transfer, account, currency.code(), amount])?;
    }
    Ok(())
}

/// What the gateway keeps of a captured amount: 2.9 % and 30 minor units, never more than the amount.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn fee(amount: Money) -> Result<Money, MoneyError> {
    let share = amount.times(29, 1_000, Rounding::HalfEven)?;
    let fee = share.plus(Money::new(30, amount.currency()))?;
    Ok(if fee.minor() > amount.minor() { amount } else { fee })
}

/// The balance of an account: debits less credits.
///
/// # Errors
/// What SQLite says.
pub fn balance(database: &Connection, account: &str, currency: Currency) -> rusqlite::Result<i64> {
    let sum = "SELECT coalesce(sum(amount), 0) FROM entries WHERE account = ?1 AND currency = ?2";
    database.prepare_cached(sum)?.query_row([account, currency.code()], |row| row.get(0))
}

/// Transfers that do not add up, and the sum of everything: both 0 in a sound ledger.
///
/// # Errors
/// What SQLite says.
pub fn trial_balance(database: &Connection) -> rusqlite::Result<(u64, i64)> {
    let sum = "SELECT count(*) FILTER (WHERE off <> 0), coalesce(sum(off), 0) FROM
         (SELECT sum(amount) AS off FROM entries GROUP BY transfer, currency)";
    database.prepare_cached(sum)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}
