//! Leases kept in Redis (or Valkey), without a client: script, SHA-1, keys, arguments, reply.
//!
//! Any client carries them: `EVALSHA sha1 keys args`, on `NOSCRIPT` once `EVAL text keys args`; the
//! decoders here read the replies. Each script is one atomic step. An owner is a value that no other
//! request ever uses, so release and extension are bound to one grant.
//!
//! [`acquire`] counts a fence in a second key. All leases of one hash slot may share that one counter,
//! so no key leaves a tombstone. The counter has to be as durable as what the fence protects:
//! `appendfsync always`, or a restart gives a fence again. Above 2^53 Lua's numbers lose it.
//! Redis expires by its wall clock: one that jumps forward frees every lease.
//!
//! ```
//! use archstone_lock::redis::{self, Acquired};
//! use std::time::Duration;
//!
//! let call = redis::acquire("{shop}seat:12A", "{shop}fences", "7f3a", Duration::from_secs(600))?;
//! assert_eq!((call.keys.len(), call.script.sha1.len()), (2, 40));
//! // client: EVALSHA call.script.sha1 2 call.keys.. call.args.. -> [34, 600000]
//! let Acquired::Granted { fence, .. } = redis::decode_acquire(&[34, 600_000])? else { panic!() };
//! assert_eq!(fence.get(), 34);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::demand::Gone;
use crate::token::Fence;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// The longest time to live: 2^52 ms, so that ends stay exact in Lua's numbers.
pub const MAX_TTL: Duration = Duration::from_millis(1 << 52);

/// A Lua script and its name to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it does.
    pub name: &'static str,
    /// The text for `EVAL` and `SCRIPT LOAD`.
    pub text: &'static str,
    /// The SHA-1 of the text in lower-case hexadecimal, for `EVALSHA`.
    pub sha1: &'static str,
}

/// A lease with a fence, if nobody holds the key.
pub const ACQUIRE: Script = Script {
    name: "acquire",
    text: include_str!("lua/acquire.lua"),
    sha1: "8e2523069f850cd900d9b66bf8e4d3e27af24819",
};
/// One node's part of a Redlock. Works together with other clients' `SET NX PX`.
pub const REDLOCK_ACQUIRE: Script = Script {
    name: "redlock_acquire",
    text: include_str!("lua/redlock_acquire.lua"),
    sha1: "20de9e07c8e47c3f8b72a2d94983d3fdd272e819",
};
/// A later end, if the owner still holds the key. Also one node's part of extending a Redlock.
pub const EXTEND: Script = Script {
    name: "extend",
    text: include_str!("lua/extend.lua"),
    sha1: "5b546a999ef685b2d64537e59504e5f21b323367",
};
/// No end, if the owner still holds the key.
pub const CONFIRM: Script = Script {
    name: "confirm",
    text: include_str!("lua/confirm.lua"),
    sha1: "bf169b09f3b3c21d7c1cb5ed8f04283f3cbc2655",
};
/// Free, if the owner still holds the key. Also one node's part of releasing a Redlock.
pub const RELEASE: Script = Script {
    name: "release",
    text: include_str!("lua/release.lua"),
    sha1: "198f69b5eed7c7b01e299ffd06e42a595740d8f5",
};

/// All scripts, to load when a connection opens.
pub const ALL: [Script; 5] = [ACQUIRE, REDLOCK_ACQUIRE, EXTEND, CONFIRM, RELEASE];

/// One call: what to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a call does nothing until a client has sent it"]
pub struct Call {
    /// The script.
    pub script: Script,
    /// `KEYS`.
    pub keys: Vec<String>,
    /// `ARGV`.
    pub args: Vec<String>,
}

/// A time to live that Redis cannot count: under a millisecond, or above [`MAX_TTL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTtl(pub Duration);

/// A reply that no such script gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReply(pub Vec<i64>);

/// The reply to [`acquire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// Held for this while, which began when the server ran the script: count from the sending.
    Granted {
        /// Greater than that of every earlier grant that used the same counter.
        fence: Fence,
        /// The time to live.
        ttl: Duration,
    },
    /// Another holds it.
    Busy {
        /// For so long, if it is not extended; `None` for ever.
        left: Option<Duration>,
    },
}

/// `key` for `owner` for `ttl` (whole milliseconds, the rest cut off), with a fence from `counter`,
/// which must live in the same hash slot. Send it once: a repetition finds the key held.
///
/// # Errors
/// [`BadTtl`].
pub fn acquire(key: &str, counter: &str, owner: &str, ttl: Duration) -> Result<Call, BadTtl> {
    let keys = Vec::from([key.to_string(), counter.to_string()]);
    Ok(Call { script: ACQUIRE, keys, args: Vec::from([owner.to_string(), millis(ttl)?]) })
}

/// One node's part of a [`Round`](crate::protocol::redlock::Round). May be sent again.
///
/// # Errors
/// [`BadTtl`].
pub fn redlock_acquire(key: &str, owner: &str, ttl: Duration) -> Result<Call, BadTtl> {
    Ok(call(REDLOCK_ACQUIRE, key, owner, Some(millis(ttl)?)))
}

/// The lease ends in `ttl` if that is later.
///
/// # Errors
/// [`BadTtl`].
pub fn extend(key: &str, owner: &str, ttl: Duration) -> Result<Call, BadTtl> {
    Ok(call(EXTEND, key, owner, Some(millis(ttl)?)))
}

/// The lease no longer ends.
pub fn confirm(key: &str, owner: &str) -> Call {
    call(CONFIRM, key, owner, None)
}

/// The lease is over.
pub fn release(key: &str, owner: &str) -> Call {
    call(RELEASE, key, owner, None)
}

fn call(script: Script, key: &str, owner: &str, ttl: Option<String>) -> Call {
    let args = core::iter::once(owner.to_string()).chain(ttl).collect();
    Call { script, keys: Vec::from([key.to_string()]), args }
}

fn millis(ttl: Duration) -> Result<String, BadTtl> {
    let ok = (Duration::from_millis(1)..=MAX_TTL).contains(&ttl);
    if ok { Ok(ttl.as_millis().to_string()) } else { Err(BadTtl(ttl)) }
}

/// The reply to [`acquire`].
///
/// # Errors
/// [`UnknownReply`].
pub fn decode_acquire(reply: &[i64]) -> Result<Acquired, UnknownReply> {
    match *reply {
        [0, -1] => Ok(Acquired::Busy { left: None }),
        [0, left @ (0..)] => Ok(Acquired::Busy { left: Some(Duration::from_millis(left as u64)) }),
        [fence @ (1..), ttl @ (1..)] => {
            let fence = Fence::counted(fence as u64);
            Ok(Acquired::Granted { fence, ttl: Duration::from_millis(ttl as u64) })
        }
        _ => Err(UnknownReply(reply.to_vec())),
    }
}

/// The reply to [`extend`]: how long the lease lasts now, `Duration::MAX` for ever, or [`Gone`].
///
/// # Errors
/// [`UnknownReply`].
pub fn decode_extend(reply: &[i64]) -> Result<Result<Duration, Gone>, UnknownReply> {
    match *reply {
        [0, 0] => Ok(Err(Gone)),
        [1, -1] => Ok(Ok(Duration::MAX)),
        [1, left @ (0..)] => Ok(Ok(Duration::from_millis(left as u64))),
        _ => Err(UnknownReply(reply.to_vec())),
    }
}

/// The reply to [`release`], [`confirm`] and [`redlock_acquire`]: whether it was done.
///
/// # Errors
/// [`UnknownReply`].
pub fn decode_done(reply: i64) -> Result<bool, UnknownReply> {
    match reply {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(UnknownReply(Vec::from([other]))),
    }
}

impl fmt::Display for BadTtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a time to live of {:?}; from 1 ms to {MAX_TTL:?} can be counted", self.0)
    }
}

impl fmt::Display for UnknownReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a reply that no such script gives: {:?}", self.0)
    }
}

impl core::error::Error for BadTtl {}
impl core::error::Error for UnknownReply {}
