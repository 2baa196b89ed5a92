//! Limits kept in Redis (or Valkey), without a client: script, SHA-1, keys, arguments, reply.
//!
//! Any client carries them: `EVALSHA sha1 keys args`, on `NOSCRIPT` once `EVAL text keys args`, and
//! the reply is an array of integers for [`Call::decode`]. Every script is one atomic step, takes
//! the time from the server unless the caller gives one, sets a time to live that never forgets a
//! debt, charges nothing when it denies, and keeps every number under 2^53, where Lua's doubles are
//! exact. For the same times (whole microseconds) the decisions are those of this crate's own
//! limiters; `tests/engine.rs` checks it against a real server.
//!
//! ```
//! use archstone_ratelimit::redis::{self, When};
//! use archstone_ratelimit::Quota;
//!
//! let quota: Quota = "100/min burst 20".parse()?;
//! let call = redis::gcra("user:42", &quota, 1, When::Server)?;
//! assert_eq!(call.keys, ["user:42"]);
//! assert_eq!(call.script.sha1.len(), 40);
//! // client: EVALSHA call.script.sha1, call.keys, call.args -> [1, 11400000, 0, 0]
//! let outcome = call.decode(&[1, 11_400_000, 0, 0])?;
//! assert!(outcome.allowed);
//! assert_eq!(outcome.remaining, 19);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod decode;

pub use decode::{Outcome, ReplyError, Standing};

use crate::Quota;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use archstone_core::Time;
use core::fmt;
use core::time::Duration;

/// The greatest whole number that Lua's doubles hold exactly, 2^53.
pub const MAX_EXACT: u64 = 1 << 53;

/// A Lua script and its name to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it decides.
    pub name: &'static str,
    /// The text for `EVAL` and `SCRIPT LOAD`.
    pub text: &'static str,
    /// The SHA-1 of the text in lower-case hexadecimal, for `EVALSHA`.
    pub sha1: &'static str,
}

/// GCRA on one key.
pub const GCRA: Script = Script {
    name: "gcra",
    text: include_str!("lua/gcra.lua"),
    sha1: "52b6e6f23f8aa15dccb589159cb1abef0ce0ba30",
};
/// GCRA on several keys, all or nothing.
pub const COMPOUND: Script = Script {
    name: "compound",
    text: include_str!("lua/compound.lua"),
    sha1: "959e89428456ffcbbc84447308da7b5a29e96dbf",
};
/// Token bucket on one key.
pub const TOKEN_BUCKET: Script = Script {
    name: "token_bucket",
    text: include_str!("lua/token_bucket.lua"),
    sha1: "0e51b03777f0c2b8c9e499bb37e9300e8f336710",
};
/// Fixed window on one key.
pub const FIXED_WINDOW: Script = Script {
    name: "fixed_window",
    text: include_str!("lua/fixed_window.lua"),
    sha1: "abf75674d750232ecbff2ca418ed6af429d9e4c5",
};
/// Sliding window counter on one key.
pub const SLIDING_COUNTER: Script = Script {
    name: "sliding_counter",
    text: include_str!("lua/sliding_counter.lua"),
    sha1: "49cb49c9dd4691e46fb95ddd6b7b99959906ca8f",
};
/// Sliding window log on two keys of one slot.
pub const SLIDING_LOG: Script = Script {
    name: "sliding_log",
    text: include_str!("lua/sliding_log.lua"),
    sha1: "6ac33cd079a372cc7f65d68219b5bb5ae46a9a7b",
};

/// All scripts, to load when a connection opens.
pub const ALL: [Script; 6] =
    [GCRA, COMPOUND, TOKEN_BUCKET, FIXED_WINDOW, SLIDING_COUNTER, SLIDING_LOG];

/// Whose clock decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The server's: the right choice whenever callers are many, since their clocks differ.
    Server,
    /// The caller's, in whole microseconds (rounded down): simulations, replays, tests.
    Caller(Time),
}

impl When {
    fn argument(self) -> String {
        match self {
            Self::Server => String::new(),
            Self::Caller(now) => (now.as_nanos() / 1_000).to_string(),
        }
    }
}

/// One call: what to send, and how to read the answer.
#[derive(Clone, Debug)]
#[must_use = "a call decides nothing until a client has sent it"]
pub struct Call {
    /// The script.
    pub script: Script,
    /// `KEYS`.
    pub keys: Vec<String>,
    /// `ARGV`.
    pub args: Vec<String>,
    shape: decode::Shape,
}

/// A quota or cost that the scripts cannot carry exactly.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// A number would pass 2^53, where doubles stop being exact.
    TooLarge {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u128,
    },
    /// A period under one microsecond, the resolution of the server's clock.
    TooFine {
        /// The period in nanoseconds.
        period_ns: u128,
    },
    /// A quota that admits nothing: there is nothing to ask the server.
    Closed,
    /// No parts in a compound call.
    Empty,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { what, value } => {
                write!(f, "{what} is {value}, over 2^53, the most a Lua number holds exactly")
            }
            Self::TooFine { period_ns } => write!(
                f,
                "a period of {period_ns} ns is under or not a multiple of one microsecond, the \
                 resolution of the server's clock"
            ),
            Self::Closed => f.write_str("the quota is closed, it admits nothing"),
            Self::Empty => f.write_str("a compound call needs at least one part"),
        }
    }
}

impl core::error::Error for CallError {}

/// GCRA: the token bucket in one string per key, any rate from one a year to 10^10 a second.
///
/// A call for a cost that can never pass is answered by the server like any other denial, and
/// decoded as never.
pub fn gcra(key: &str, quota: &Quota, cost: u64, when: When) -> Result<Call, CallError> {
    let steps = Steps::new(quota, cost)?;
    let mut args = Vec::from([when.argument()]);
    args.extend(steps.numbers().map(|n| n.to_string()));
    args.push("1".into());
    let shape = decode::Shape::Gcra { steps, never: cost > quota.burst() };
    Ok(Call { script: GCRA, keys: Vec::from([key.into()]), args, shape })
}

/// One part of a compound call.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The key; in a cluster, all keys of a call share one `{hash tag}`.
    pub key: &'a str,
    /// Its quota.
    pub quota: &'a Quota,
    /// The cost under it.
    pub cost: u64,
}

/// Several limits, all charged or none; a denial names the part with the longest wait. How each part
/// stands afterwards is for [`Call::standings`].
pub fn compound(parts: &[Part<'_>], when: When) -> Result<Call, CallError> {
    if parts.is_empty() {
        return Err(CallError::Empty);
    }
    let mut args = Vec::from([when.argument(), "1".into()]);
    let (mut never, mut of_parts) = (None, Vec::with_capacity(parts.len()));
    for (index, part) in parts.iter().enumerate() {
        let steps = Steps::new(part.quota, part.cost)?;
        args.extend(steps.numbers().map(|n| n.to_string()));
        of_parts.push(steps);
        if part.cost > part.quota.burst() {
            never = never.or(Some(index));
        }
    }
    let keys = parts.iter().map(|part| part.key.into()).collect();
    let shape = decode::Shape::Compound { parts: of_parts, never };
    Ok(Call { script: COMPOUND, keys, args, shape })
}

/// Token bucket: equal in its decisions to [`gcra`], readable in the store as a level; needs
/// `burst * period < 2^53` microseconds.
pub fn token_bucket(key: &str, quota: &Quota, cost: u64, when: When) -> Result<Call, CallError> {
    let (count, period) = rate_of(quota)?;
    exact("burst * period in microseconds", u128::from(quota.burst()) * u128::from(period))?;
    exact("cost * period in microseconds", u128::from(cost) * u128::from(period))?;
    let numbers = [count, period, quota.burst(), cost, 1];
    let shape = decode::Shape::Bucket { never: cost > quota.burst() };
    Ok(single(TOKEN_BUCKET, Vec::from([key.into()]), when, numbers, shape))
}

/// Fixed window: `limit` units a period, windows counted from 1970. Twice the limit may pass within
/// one period across an edge.
pub fn fixed_window(key: &str, quota: &Quota, cost: u64, when: When) -> Result<Call, CallError> {
    window(FIXED_WINDOW, Vec::from([key.into()]), quota, cost, when)
}

/// Sliding window counter of two windows: O(1) memory, the last window counted by its overlap.
pub fn sliding_counter(key: &str, quota: &Quota, cost: u64, when: When) -> Result<Call, CallError> {
    window(SLIDING_COUNTER, Vec::from([key.into()]), quota, cost, when)
}

/// Sliding window log: exact, one list entry for each admitted request.
///
/// Two keys, `{key}:log` and `{key}:sum`, in one hash slot.
pub fn sliding_log(key: &str, quota: &Quota, cost: u64, when: When) -> Result<Call, CallError> {
    let keys = [":log", ":sum"].map(|suffix| alloc::format!("{{{key}}}{suffix}"));
    window(SLIDING_LOG, keys.into(), quota, cost, when)
}

fn window(
    script: Script,
    keys: Vec<String>,
    quota: &Quota,
    cost: u64,
    when: When,
) -> Result<Call, CallError> {
    let (limit, period) = rate_of(quota)?;
    exact("cost", cost.into())?;
    let shape = decode::Shape::Window { never: cost > limit };
    Ok(single(script, keys, when, [limit, period, cost, 1], shape))
}

fn single<const N: usize>(
    script: Script,
    keys: Vec<String>,
    when: When,
    numbers: [u64; N],
    shape: decode::Shape,
) -> Call {
    let mut args = Vec::from([when.argument()]);
    args.extend(numbers.map(|n| n.to_string()));
    Call { script, keys, args, shape }
}

/// Units and microseconds of the rate.
fn rate_of(quota: &Quota) -> Result<(u64, u64), CallError> {
    let (count, period) = (quota.rate().amount(), quota.rate().period());
    if quota.is_closed() {
        return Err(CallError::Closed);
    }
    let period_ns = period.as_nanos();
    if period_ns % 1_000 != 0 || period_ns == 0 {
        return Err(CallError::TooFine { period_ns });
    }
    Ok((exact("count", count.into())?, exact("period in microseconds", period_ns / 1_000)?))
}

fn exact(what: &'static str, value: u128) -> Result<u64, CallError> {
    if value < u128::from(MAX_EXACT) {
        Ok(value as u64)
    } else {
        Err(CallError::TooLarge { what, value })
    }
}

/// Cost and burst as times: whole microseconds and a remainder in `1/den` microseconds.
#[derive(Clone, Copy, Debug)]
struct Steps {
    increment: (u64, u64),
    tolerance: (u64, u64),
    den: u64,
    period: u64,
}

impl Steps {
    fn new(quota: &Quota, cost: u64) -> Result<Self, CallError> {
        let (den, period) = rate_of(quota)?;
        let split = |what, units: u64| {
            let whole = u128::from(units) * u128::from(period) / u128::from(den);
            let rest = u128::from(units) * u128::from(period) % u128::from(den);
            // A quarter of the range each, so that now + tolerance + cost stays exact.
            exact(what, whole * 4).map(|_| (whole as u64, rest as u64))
        };
        let tolerance = split("burst in microseconds, times four", quota.burst())?;
        // A cost over the burst never passes; one more than the burst says the same.
        let increment =
            split("cost in microseconds, times four", cost.min(quota.burst().saturating_add(1)))?;
        Ok(Self { increment, tolerance, den, period })
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let ((inc, inc_rem), (tol, tol_rem)) = (self.increment, self.tolerance);
        [inc, inc_rem, tol, tol_rem, self.den].into_iter()
    }

    /// A time in `1/den` microseconds; a unit is `period` of them.
    fn parts(&self, (whole, rest): (u64, u64)) -> u128 {
        u128::from(whole) * u128::from(self.den) + u128::from(rest)
    }

    /// Whole units that fit in a slack.
    fn units(&self, slack: (u64, u64)) -> u64 {
        u64::try_from(self.parts(slack) / u128::from(self.period)).unwrap_or(u64::MAX)
    }

    /// How long until a slack has grown to `parts`, rounded up to the microsecond.
    fn until(&self, slack: (u64, u64), parts: u128) -> Duration {
        let missing = parts.saturating_sub(self.parts(slack)).div_ceil(u128::from(self.den));
        Duration::from_micros(u64::try_from(missing).unwrap_or(u64::MAX))
    }

    /// What a slack says of the limit.
    fn standing(&self, slack: (u64, u64)) -> Standing {
        let (remaining, full) = (self.units(slack), self.parts(self.tolerance));
        let more = (u128::from(remaining) + 1) * u128::from(self.period);
        Standing {
            remaining,
            // The whole burst is there: more will never be.
            more_after: if more > full { Duration::ZERO } else { self.until(slack, more) },
            reset_after: self.until(slack, full),
        }
    }
}
