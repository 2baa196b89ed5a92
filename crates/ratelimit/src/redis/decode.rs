//! The answers of the scripts.

use super::{Call, Steps};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What a script decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The request may go on, and has been charged.
    pub allowed: bool,
    /// Whole units left after this decision; for a compound call in the part that has the least.
    pub remaining: u64,
    /// When denied: how long until the same cost would pass if nobody else came; `None` when it can
    /// never pass. When allowed: zero.
    pub retry_after: Option<Duration>,
    /// In a compound call that was denied: the part with the longest wait, by index.
    pub blocked_by: Option<usize>,
}

/// How one part of a compound call stands after the decision: what the header fields tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whole units left.
    pub remaining: u64,
    /// How long until one more is; zero when all are.
    pub more_after: Duration,
    /// How long until all are.
    pub reset_after: Duration,
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
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Gcra { steps: Steps, never: bool },
    Compound { parts: Vec<Steps>, never: Option<usize> },
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
                let [allowed, _, _, wait] = fields(reply)?;
                let remaining = steps.units(slack(reply[1], reply[2]));
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
            Shape::Compound { ref parts, never } => {
                let standings = self.standings(reply)?;
                let [allowed, blocker, wait] = fields(&reply[..HEAD])?;
                let remaining = standings.iter().map(|part| part.remaining).min().unwrap_or(0);
                let mut outcome = outcome(reply, allowed, remaining, wait, never.is_some())?;
                if !outcome.allowed {
                    let index = usize::try_from(blocker).ok().and_then(|b| b.checked_sub(1));
                    let index = index.filter(|&index| index < parts.len());
                    let bad = ReplyError::Value { at: 1, value: reply[1] };
                    outcome.blocked_by = Some(never.map_or(index.ok_or(bad), Ok)?);
                }
                Ok(outcome)
            }
        }
    }

    /// How each part of a [compound](super::compound) call stands after the decision, in their
    /// order; of the other calls nothing.
    ///
    /// # Errors
    /// [`ReplyError`] for a reply of another length.
    pub fn standings(&self, reply: &[i64]) -> Result<Vec<Standing>, ReplyError> {
        let Shape::Compound { parts, .. } = &self.shape else { return Ok(Vec::new()) };
        let expected = HEAD + 2 * parts.len();
        let length = ReplyError::Length { found: reply.len(), expected };
        let slacks = reply.get(HEAD..).filter(|_| reply.len() == expected).ok_or(length)?;
        let standing = |(steps, at): (&Steps, &[i64])| steps.standing(slack(at[0], at[1]));
        Ok(parts.iter().zip(slacks.chunks_exact(2)).map(standing).collect())
    }
}

/// Integers of a compound reply before those of its parts.
const HEAD: usize = 3;

/// What is left of a tolerance; a quota that has become tighter may leave it below zero.
fn slack(whole: i64, rest: i64) -> (u64, u64) {
    if whole < 0 { (0, 0) } else { (whole.unsigned_abs(), rest.max(0).unsigned_abs()) }
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
