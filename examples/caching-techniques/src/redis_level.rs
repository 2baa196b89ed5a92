//! The remote level on a real Redis: one string a key, compared and set by a script.
//!
//! Time is the caller's, here virtual: an entry says itself when it ends, and Redis' own expiry only
//! gives the room back. To forget everything is to begin another prefix, in O(1).

use crate::levels::{Far, Gone, PATIENCE};
use crate::store::Row;
use archstone_cache::around::Held;
use kit::{Failure, Time};
use std::sync::{Mutex, PoisonError};

/// Takes `version value? price expires` unless what is there is as new and has not ended.
const OFFER: &str = r"
local old = redis.call('GET', KEYS[1])
if old then
    local version, has, _, expires = string.match(old, '^(%d+) (%d) (%-?%d+) (%d+)$')
    local now = string.rep('0', 20 - #ARGV[5]) .. ARGV[5]
    expires = string.rep('0', 20 - #expires) .. expires
    if expires > now then
        -- Numbers of 64 bits do not fit Lua's: compared as padded text.
        local was = string.rep('0', 20 - #version) .. version .. has
        local is = string.rep('0', 20 - #ARGV[1]) .. ARGV[1] .. ARGV[2]
        if is < was then return 0 end
        if is == was then return 1 end
    end
end
redis.call('SET', KEYS[1], table.concat({ARGV[1], ARGV[2], ARGV[3], ARGV[4]}, ' '), 'PX', ARGV[6])
return 1";

/// A connection, made again when it was lost.
pub struct RedisLevel {
    client: redis::Client,
    state: Mutex<State>,
}

struct State {
    connection: Option<redis::Connection>,
    prefix: String,
    forgotten: u64,
}

impl std::fmt::Debug for RedisLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLevel").finish_non_exhaustive()
    }
}

impl RedisLevel {
    /// Connects to `redis://host:port/`; every key begins with `prefix`, so that runs do not meet.
    ///
    /// # Errors
    /// When the URL is none or nobody answers.
    pub fn connect(url: &str, prefix: &str) -> Result<Self, Failure> {
        let named = |error: redis::RedisError| format!("--backend {url}: {error}");
        let client = redis::Client::open(url).map_err(named)?;
        let connection = Some(open(&client).map_err(named)?);
        let state = State { connection, prefix: prefix.to_owned(), forgotten: 0 };
        Ok(Self { client, state: Mutex::new(state) })
    }

    fn ask<T: redis::FromRedisValue>(
        &self,
        key: u32,
        command: impl FnOnce(&str) -> redis::Cmd,
    ) -> Result<T, Gone> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}{}:{key}", state.prefix, state.forgotten);
        if state.connection.is_none() {
            state.connection = Some(open(&self.client).map_err(|_| Gone)?);
        }
        let connection = state.connection.as_mut().ok_or(Gone)?;
        let answer = command(&name).query(connection);
        if answer.is_err() {
            // Nobody knows whose reply comes next.
            state.connection = None;
        }
        answer.map_err(|_| Gone)
    }
}

fn open(client: &redis::Client) -> Result<redis::Connection, redis::RedisError> {
    let connection = client.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

fn parse(text: &str) -> Option<Held<Row>> {
    let mut words = text.split(' ');
    let version = words.next()?.parse().ok()?;
    let has = words.next()? == "1";
    let price = words.next()?.parse().ok()?;
    let expires = Time::from_nanos(words.next()?.parse().ok()?);
    Some(Held { version, value: has.then_some(Row { version, price }), expires })
}

impl Far for RedisLevel {
    fn get(&self, key: u32, now: Time) -> Result<Option<Held<Row>>, Gone> {
        let text: Option<String> = self.ask(key, |name| {
            let mut command = redis::cmd("GET");
            command.arg(name);
            command
        })?;
        // What cannot be read is not there.
        Ok(text.as_deref().and_then(parse).filter(|held| held.expires > now))
    }

    fn offer(&self, key: u32, held: &Held<Row>, now: Time) -> Result<bool, Gone> {
        let lives = held.expires.since(now).as_millis().clamp(1, 1 << 40) as u64;
        let price = held.value.map_or(0, |row| row.price);
        let taken: i64 = self.ask(key, |name| {
            let mut command = redis::cmd("EVAL");
            command.arg(OFFER).arg(1).arg(name).arg(held.version);
            command.arg(u8::from(held.value.is_some())).arg(price);
            command.arg(held.expires.as_nanos()).arg(now.as_nanos()).arg(lives);
            command
        })?;
        Ok(taken == 1)
    }

    fn forget(&self) -> Result<(), Gone> {
        self.ask::<String>(0, |_| redis::cmd("PING"))?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).forgotten += 1;
        Ok(())
    }
}
