//! The daily match: the provider's settlement report against our own operations, line by line.
//!
//! A provider reports what it has taken and given back, and pays the sum. What it reports and we do not
//! know, what we know and it does not report, and what differs, is a *break*: named, with its reference,
//! for a person to clear. Lines that match are posted: bank, costs, and the provider owes nothing.

use crate::ledger::{self, LedgerError};
use crate::provider::Done;
use kit::Stream;
use kit::money::{Currency, Money, Rounding};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt;

/// A line of the report: taken positive, given back negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Our reference, as the provider has it.
    pub reference: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// What does not match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Break {
    /// We have it; it is not in the report.
    NotReported(String),
    /// It is in the report; we do not have it, or not as done.
    NotOurs(String),
    /// Both have it, with other amounts: ours, theirs.
    Amount(String, i64, i64),
    /// Both have it, in other currencies.
    Currency(String),
    /// It is reported more than once.
    Twice(String),
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReported(reference) => write!(f, "{reference}: not reported"),
            Self::NotOurs(reference) => write!(f, "{reference}: reported, not ours"),
            Self::Amount(reference, ours, theirs) => {
                write!(f, "{reference}: {ours} with us, {theirs} with them")
            }
            Self::Currency(reference) => write!(f, "{reference}: another currency"),
            Self::Twice(reference) => write!(f, "{reference}: reported twice"),
        }
    }
}

/// The report of what was `done`.
#[must_use]
pub fn report(done: &[Done]) -> Vec<Line> {
    use crate::method::Kind::{Authorise, Capture, Refund, Sale, Void};
    let line = |done: &Done| {
        let amount = match done.kind {
            Capture | Sale => done.amount,
            Refund => -done.amount,
            Authorise | Void => return None,
        };
        let (reference, currency) = (done.reference.clone(), done.currency.clone());
        done.approved.then_some(Line { reference, amount, currency })
    };
    done.iter().filter_map(line).collect()
}

/// Falsifies `report` in `breaks` places; what must be found.
pub fn plant(report: &mut Vec<Line>, breaks: usize, dice: &mut Stream) -> Vec<Break> {
    let mut at: Vec<usize> = (0..report.len()).collect();
    dice.shuffle(&mut at);
    let (mut planted, mut gone) = (Vec::new(), Vec::new());
    for (n, &at) in at.iter().take(breaks).enumerate() {
        let line = report[at].clone();
        match n % 5 {
            0 => {
                gone.push(at);
                planted.push(Break::NotReported(line.reference));
            }
            1 => {
                let reference = format!("pay_{}/capture", 900_000 + n);
                report.push(Line { reference: reference.clone(), ..line });
                planted.push(Break::NotOurs(reference));
            }
            2 => {
                // A transposition of digits is a multiple of 9: the classic.
                report[at].amount += 9;
                planted.push(Break::Amount(line.reference, line.amount, line.amount + 9));
            }
            3 => {
                report[at].currency = if line.currency == "USD" { "EUR" } else { "USD" }.to_owned();
                planted.push(Break::Currency(line.reference));
            }
            _ => {
                planted.push(Break::Twice(line.reference.clone()));
                report.push(line);
            }
        }
    }
    gone.sort_unstable();
    for at in gone.into_iter().rev() {
        report.remove(at);
    }
    planted.sort();
    planted
}

/// Matches `report` with what is done and not settled here, and posts what matches; the breaks, and how
/// many lines matched. `full` false compares the totals alone.
///
/// # Errors
/// What the ledger says.
pub fn settle(
    database: &mut Connection,
    report: &[Line],
    full: bool,
) -> Result<(Vec<Break>, u64), LedgerError> {
    let change = database.transaction()?;
    let mut ours: BTreeMap<String, (i64, String, String)> = BTreeMap::new();
    {
        let mut select = change.prepare(
            "SELECT operation, kind, o.amount, currency, method
             FROM operations AS o JOIN payments USING (payment)
             WHERE state = 'done' AND kind IN ('capture', 'sale', 'refund') AND NOT EXISTS
                 (SELECT 1 FROM entries WHERE transfer = 'settle/' || operation)",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let sign = if row.get::<_, String>(1)? == "refund" { -1 } else { 1 };
            let value = (sign * row.get::<_, i64>(2)?, row.get(3)?, row.get(4)?);
            ours.insert(row.get(0)?, value);
        }
    }
    let (mut breaks, mut matched, mut seen) = (Vec::new(), 0, BTreeMap::new());
    if !full {
        // A match of totals: any two mistakes that cancel out pass it.
        return Ok((Vec::new(), report.len() as u64));
    }
    for line in report {
        let times: &mut u32 = seen.entry(line.reference.clone()).or_default();
        *times += 1;
        if *times > 1 {
            breaks.push(Break::Twice(line.reference.clone()));
            continue;
        }
        match ours.get(&line.reference) {
            None => breaks.push(Break::NotOurs(line.reference.clone())),
            Some((_, currency, _)) if *currency != line.currency => {
                breaks.push(Break::Currency(line.reference.clone()));
            }
            Some((amount, ..)) if *amount != line.amount => {
                breaks.push(Break::Amount(line.reference.clone(), *amount, line.amount));
            }
            Some((amount, currency, method)) => {
                let currency = Currency::new(currency)?;
                let costs = Money::new(*amount, currency).times(15, 1_000, Rounding::HalfEven)?;
                // Nothing is kept of what is given back.
                let costs = costs.minor().max(0);
                let provider = format!("provider:{method}");
                let lines =
                    [("bank", amount - costs), ("costs", costs), (provider.as_str(), -amount)];
                ledger::post(&change, &format!("settle/{}", line.reference), currency, &lines)?;
                matched += 1;
            }
        }
    }
    let missing = ours.into_keys().filter(|reference| !seen.contains_key(reference));
    breaks.extend(missing.map(Break::NotReported));
    breaks.sort();
    change.commit()?;
    Ok((breaks, matched))
}
