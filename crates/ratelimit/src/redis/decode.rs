//! The answers of the scripts.

use super::{Call, Steps};
use core::fmt;
use core::time::Duration;

/// What a script decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The request may go on, and has been charged.
    pub allowed: bool,
    /// Whole units left after this decision; for a compound call 0 when denied, not known when
    /// allowed (`u64::MAX`).
    pub remaining: u64,
    /// When denied: how long until the same cost would pass if nobody else came; `None` when it can
    /// never pass. When allowed: zero.
    pub retry_after: Option<Duration>,
    /// In a compound call that was denied: the part with the longest wait, by index.
    pub blocked_by: Option<usize>,
}

/// A reply that none of the scripts gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// Another number of integers than the script returns.
    Length {
        /// Integers in the reply.
        found: usize,
        /// Integers that the script returns.
        expected: usize,
    },
    /// An integer outside its range.
    Value {
        /// Its place in the reply.
        at: usize,
        /// The integer.
        value: i64,
    },
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => {
                write!(f, "a reply of {found} integers where the script returns {expected}")
            }
            Self::Value { at, value } => {
                write!(f, "integer {at} of the reply is {value}, outside its range")
            }
        }
    }
}

impl core::error::Error for ReplyError {}

/// How the reply of a call is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Gcra { steps: Steps, never: bool },
    Compound { parts: usize, never: Option<usize> },
    Bucket { never: bool },
    Window { never: bool },
}

impl Call {
    /// Reads the script's reply.
    ///
    /// # Errors
    /// [`ReplyError`] for a reply of another length or with numbers that the script cannot return.
    pub fn decode(&self, reply: &[i64]) -> Result<Outcome, ReplyError> {
        match self.shape {
            Shape::Gcra { steps, never } => {
                let [allowed, whole, rest, wait] = fields(reply)?;
                // A quota that has become tighter may leave the slack below zero.
                let remaining = if reply[1] < 0 { 0 } else { steps.units(whole, rest) };
                outcome(reply, allowed, remaining, wait, never)
            }
            Shape::Bucket { never } => {
                let [allowed, tokens, _, wait] = fields(reply)?;
                outcome(reply, allowed, tokens, wait, never)
            }
            Shape::Window { never } => {
                let [allowed, left, wait, _] = fields(reply)?;
                outcome(reply, allowed, left, wait, never)
            }
            Shape::Compound { parts, never } => {
                let [allowed, blocker, wait] = fields(reply)?;
                let remaining = if allowed == 1 { u64::MAX } else { 0 };
                let mut outcome = outcome(reply, allowed, remaining, wait, never.is_some())?;
                if !outcome.allowed {
                    let index = usize::try_from(blocker).ok().and_then(|b| b.checked_sub(1));
                    let index = index.filter(|&index| index < parts);
                    let bad = ReplyError::Value { at: 1, value: reply[1] };
                    outcome.blocked_by = Some(never.map_or(index.ok_or(bad), Ok)?);
                }
                Ok(outcome)
            }
        }
    }
}

/// Exactly `N` integers; those below zero become zero, which only a tightened quota produces.
fn fields<const N: usize>(reply: &[i64]) -> Result<[u64; N], ReplyError> {
    let length = ReplyError::Length { found: reply.len(), expected: N };
    let reply: &[i64; N] = reply.try_into().map_err(|_| length)?;
    Ok(reply.map(|value| value.max(0).unsigned_abs()))
}

fn outcome(
    reply: &[i64],
    allowed: u64,
    remaining: u64,
    wait_us: u64,
    never: bool,
) -> Result<Outcome, ReplyError> {
    let (allowed, retry_after) = match allowed {
        1 => (true, Some(Duration::ZERO)),
        0 if reply[0] == 0 => (false, (!never).then_some(Duration::from_micros(wait_us))),
        _ => return Err(ReplyError::Value { at: 0, value: reply[0] }),
    };
    Ok(Outcome { allowed, remaining, retry_after, blocked_by: None })
}
