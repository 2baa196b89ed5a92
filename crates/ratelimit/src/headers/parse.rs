//! What a client reads from a server's fields, of every draft and custom.
//!
//! A malformed field is `None` and must be ignored, as the draft demands; nothing here fails a
//! response. Numbers are bounded by the formats (fifteen digits), strings by the input.

use super::structured::{Bare, Item, dictionary, list};
use super::{Unit, http_date};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// One policy that a server told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySeen {
    /// Its name.
    pub name: String,
    /// Units a window.
    pub quota: u64,
    /// The window.
    pub window: Option<Duration>,
    /// What is counted; `None` for a unit that this build does not know.
    pub unit: Option<Unit>,
    /// The partition.
    pub partition_key: Option<Vec<u8>>,
}

/// What a server says is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSeen {
    /// Name of the policy; empty where the format has none.
    pub name: String,
    /// Units left.
    pub remaining: u64,
    /// How long until more come.
    pub reset: Option<Duration>,
    /// The partition.
    pub partition_key: Option<Vec<u8>>,
}

/// `RateLimit-Policy` of draft 10. `None` when malformed; items without a valid `q` are dropped.
#[must_use]
pub fn policies(field: &str) -> Option<Vec<PolicySeen>> {
    Some(list(field)?.into_iter().filter_map(policy).collect())
}

fn policy(item: Item) -> Option<PolicySeen> {
    let quota = item.parameter("q")?.whole()?;
    let window = match item.parameter("w") {
        Some(value) => Some(Duration::from_secs(value.whole().filter(|&w| w > 0)?)),
        None => None,
    };
    let unit = match item.parameter("qu") {
        None => Some(Unit::Requests),
        Some(Bare::Text(name)) => [Unit::Requests, Unit::ContentBytes, Unit::ConcurrentRequests]
            .into_iter()
            .find(|unit| unit.as_str() == name),
        Some(_) => return None,
    };
    let partition_key = key(&item)?;
    Some(PolicySeen { name: name(item)?, quota, window, unit, partition_key })
}

/// `RateLimit`, as a list of draft 8 and later (`"burst";r=5;t=3`) or as the dictionary of drafts 4
/// to 7 (`limit=100, remaining=5, reset=3`). `None` when malformed.
#[must_use]
pub fn limits(field: &str) -> Option<Vec<LimitSeen>> {
    if let Some(entries) = dictionary(field).filter(|entries| !entries.is_empty()) {
        let number = |wanted: &str| {
            let entry = entries.iter().rev().find(|(key, _)| key == wanted);
            entry.and_then(|(_, item)| item.value.whole())
        };
        if let Some(remaining) = number("remaining") {
            let reset = number("reset").map(Duration::from_secs);
            let limit = LimitSeen { name: String::new(), remaining, reset, partition_key: None };
            return Some([limit].into());
        }
    }
    Some(list(field)?.into_iter().filter_map(limit).collect())
}

fn limit(item: Item) -> Option<LimitSeen> {
    let remaining = item.parameter("r")?.whole()?;
    let reset = match item.parameter("t") {
        Some(value) => Some(Duration::from_secs(value.whole()?)),
        None => None,
    };
    let partition_key = key(&item)?;
    Some(LimitSeen { name: name(item)?, remaining, reset, partition_key })
}

fn name(item: Item) -> Option<String> {
    if let Bare::Text(name) = item.value { Some(name) } else { None }
}

/// The partition key: `None` when it is there and not a byte sequence.
fn key(item: &Item) -> Option<Option<Vec<u8>>> {
    match item.parameter("pk") {
        None => Some(None),
        Some(Bare::Bytes(bytes)) => Some(Some(bytes.clone())),
        Some(_) => None,
    }
}

/// `Retry-After` in either form, as a wait from `now` (Unix seconds); a date in the past is zero.
#[must_use]
pub fn retry_after(field: &str, now: u64) -> Option<Duration> {
    let field = field.trim_matches(' ');
    let seconds = if field.bytes().all(|b| b.is_ascii_digit()) && !field.is_empty() {
        // More digits than a u64 holds is still a number of seconds: for ever.
        field.parse().unwrap_or(u64::MAX)
    } else {
        http_date::parse(field, now)?.saturating_sub(now)
    };
    Some(Duration::from_secs(seconds))
}

/// Collects whatever a response carries, of any draft or custom, into one [`LimitSeen`].
///
/// ```
/// use archstone_ratelimit::headers::parse::Fields;
/// use core::time::Duration;
///
/// let now = 1_790_000_000; // Unix seconds
/// let mut seen = Fields::new(now);
/// seen.add("x-ratelimit-remaining", "0");
/// seen.add("X-RateLimit-Reset", "1790000030"); // GitHub's meaning: a moment, not a wait
/// let (limit, wait) = seen.finish();
/// assert_eq!(limit.unwrap().remaining, 0);
/// assert_eq!(wait, Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct Fields {
    now: u64,
    /// The tightest item of `RateLimit`.
    current: Option<LimitSeen>,
    quota: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
    retry_after: Option<Duration>,
}

/// A legacy reset at least this large is a moment in Unix seconds (September 2001), not a wait:
/// no server asks for a wait of 31 years.
const UNIX_MOMENT: u64 = 1_000_000_000;

impl Fields {
    /// Nothing seen yet; `now` in Unix seconds turns moments into waits.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self { now, current: None, quota: None, remaining: None, reset: None, retry_after: None }
    }

    /// Units a window, as `RateLimit-Limit` or `X-RateLimit-Limit` told; `RateLimit-Policy` of later
    /// drafts is a list of its own: see [`policies`].
    #[must_use]
    pub const fn quota(&self) -> Option<u64> {
        self.quota
    }

    /// Takes in one field; names that mean nothing here and malformed values are ignored.
    pub fn add(&mut self, name: &str, value: &str) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("RateLimit") {
            let tightest = limits(value).and_then(|all| all.into_iter().min_by_key(tightness));
            self.current = match (self.current.take(), tightest) {
                (Some(old), Some(new)) => {
                    Some(if tightness(&new) < tightness(&old) { new } else { old })
                }
                (old, new) => old.or(new),
            };
        } else if is("Retry-After") {
            self.retry_after = retry_after(value, self.now);
        } else if is("RateLimit-Limit") || is("X-RateLimit-Limit") {
            self.quota = whole(value);
        } else if is("RateLimit-Remaining") || is("X-RateLimit-Remaining") {
            self.remaining = whole(value);
        } else if is("RateLimit-Reset") || is("X-RateLimit-Reset") {
            self.reset = whole(value).map(|seconds| {
                let moment = seconds >= UNIX_MOMENT;
                Duration::from_secs(if moment { seconds.saturating_sub(self.now) } else { seconds })
            });
        }
    }

    /// What is left, and how long to wait before asking again: `Retry-After` first, since the draft
    /// gives it precedence, otherwise the reset when nothing is left.
    #[must_use]
    pub fn finish(self) -> (Option<LimitSeen>, Option<Duration>) {
        let legacy = self.remaining.map(|remaining| LimitSeen {
            name: String::new(),
            remaining,
            reset: self.reset,
            partition_key: None,
        });
        let limit = self.current.or(legacy);
        let empty = limit.as_ref().filter(|limit| limit.remaining == 0);
        let wait = self.retry_after.or_else(|| empty.and_then(|limit| limit.reset));
        (limit, wait)
    }
}

/// Fewest left first; among equals, the longest wait.
fn tightness(limit: &LimitSeen) -> (u64, core::cmp::Reverse<Option<Duration>>) {
    (limit.remaining, core::cmp::Reverse(limit.reset))
}

/// A plain number, perhaps with parameters or further items after it (early drafts: `100, 100;w=60`).
fn whole(value: &str) -> Option<u64> {
    let first = value.split([',', ';']).next()?.trim_matches(' ');
    if first.is_empty() || !first.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    first.parse().ok()
}
