//! Layer 1 in a real Redis: the crate's scripts, one key a night, all or none.

use crate::layers::{Grant, LEASE, Leases, Token};
use archstone_lock::Span;
use archstone_lock::redis::{self as scripts, Acquired, Call};
use kit::Failure;
use std::time::Duration;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys of one hash slot a room, and one counter for all fences.
pub struct RedisLeases {
    connection: redis::Connection,
    prefix: String,
    url: String,
}

impl std::fmt::Debug for RedisLeases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLeases").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisLeases {
    /// Connects to `redis://host:port/`.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn connect(url: &str) -> Result<Self, Failure> {
        let named = |error: redis::RedisError| format!("--backend {url}: {error}");
        let client = redis::Client::open(url).map_err(named)?;
        let connection = client.get_connection_with_timeout(PATIENCE).map_err(named)?;
        connection.set_read_timeout(Some(PATIENCE)).map_err(named)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let prefix = format!("stay:{}:{}", std::process::id(), now.as_nanos());
        Ok(Self { connection, prefix, url: url.to_owned() })
    }

    fn send<T: redis::FromRedisValue>(&mut self, call: &Call) -> Result<T, Failure> {
        let mut ask = |command: &str, script: &str| {
            let mut command = redis::cmd(command);
            command.arg(script).arg(call.keys.len()).arg(&call.keys).arg(&call.args);
            command.query::<T>(&mut self.connection)
        };
        let mut reply = ask("EVALSHA", call.script.sha1);
        if reply.as_ref().is_err_and(|error| error.code() == Some("NOSCRIPT")) {
            reply = ask("EVAL", call.script.text);
        }
        reply.map_err(|error| format!("--backend {}: {error}", self.url).into())
    }

    fn free(&mut self, keys: &[String], owner: &str) -> Result<(), Failure> {
        for key in keys {
            let _: i64 = self.send(&scripts::release(key, owner))?;
        }
        Ok(())
    }
}

impl Leases for RedisLeases {
    fn name(&self) -> &'static str {
        "Redis"
    }

    /// Night by night in their order, so that two never wait for each other; what was had is given
    /// back when one is not. The fence is the last night's: all fences come from one counter, so it
    /// is above those of every earlier grant of any of the nights.
    fn acquire(&mut self, room: i64, nights: Span, owner: u64) -> Result<Option<Grant>, Failure> {
        let owner = format!("{}:{owner}", self.prefix);
        let counter = format!("{{{}}}:fences", self.prefix);
        let (mut keys, mut fence) = (Vec::new(), 0);
        for night in nights.lo..nights.hi {
            let key = format!("{{{}}}:{room}:{night}", self.prefix);
            let call = scripts::acquire(&key, &counter, &owner, LEASE)
                .map_err(|error| error.to_string())?;
            let reply: Vec<i64> = self.send(&call)?;
            match scripts::decode_acquire(&reply)? {
                Acquired::Granted { fence: granted, .. } => {
                    keys.push(key);
                    fence = granted.get();
                }
                Acquired::Busy { .. } => {
                    self.free(&keys, &owner)?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(Grant { fence, token: Token::Keys(keys, owner) }))
    }

    fn release(&mut self, grant: &Grant) -> Result<(), Failure> {
        match &grant.token {
            Token::Keys(keys, owner) => self.free(&keys.clone(), &owner.clone()),
            Token::Table(_) => Ok(()),
        }
    }

    /// What the server does when the time to live is over, without the wait for it.
    fn outlive(&mut self, grant: &Grant) -> Result<(), Failure> {
        self.release(grant)
    }
}
