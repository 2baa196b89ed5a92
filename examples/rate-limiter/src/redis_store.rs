//! A real Redis: the crate's scripts by `EVALSHA`, loaded when the server does not know them.

use crate::gate::{Caller, Decision, Dimension, Limits, Standing};
use crate::store::Store;
use archstone_ratelimit::client_network;
use archstone_ratelimit::redis::{Call, CallError, Outcome, Part, When, compound as compound_call};
use kit::Failure;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a request waits for the store before the rule for its absence decides.
const PATIENCE: Duration = Duration::from_millis(500);

/// A connection, made again when it was lost.
pub struct RedisStore {
    client: redis::Client,
    connection: Option<redis::Connection>,
    url: String,
    /// Before every key, so that runs do not meet; another one is a store that forgot.
    prefix: String,
    forgotten: u64,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Connects to `redis://host:port/`.
    ///
    /// # Errors
    /// When the URL is none or nobody answers.
    pub fn connect(url: &str, prefix: &str) -> Result<Self, Failure> {
        let named = |error: redis::RedisError| format!("--backend {url}: {error}");
        let client = redis::Client::open(url).map_err(named)?;
        let (url, prefix) = (url.to_owned(), prefix.to_owned());
        let mut store = Self { client, connection: None, url, prefix, forgotten: 0 };
        store.connection = Some(store.open().map_err(|e| format!("--backend {}: {e}", store.url))?);
        Ok(store)
    }

    fn open(&self) -> Result<redis::Connection, redis::RedisError> {
        let connection = self.client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// The raw reply of a call.
    ///
    /// # Errors
    /// Those of the server and of the network.
    pub fn reply(&mut self, call: &Call) -> Result<Vec<i64>, redis::RedisError> {
        if self.connection.is_none() {
            self.connection = Some(self.open()?);
        }
        let prefix = format!("{}{}:", self.prefix, self.forgotten);
        let keys: Vec<String> = call.keys.iter().map(|key| format!("{prefix}{key}")).collect();
        let send = |connection: &mut redis::Connection, command: &str, script: &str| {
            let mut command = redis::cmd(command);
            command.arg(script).arg(keys.len()).arg(&keys).arg(&call.args);
            command.query::<Vec<i64>>(connection)
        };
        let connection = self.connection.as_mut().expect("opened above");
        let mut reply = send(connection, "EVALSHA", call.script.sha1);
        if reply.as_ref().is_err_and(|error| error.code() == Some("NOSCRIPT")) {
            reply = send(connection, "EVAL", call.script.text);
        }
        // After an error of the network nobody knows whose reply comes next.
        if reply.as_ref().is_err_and(|error| error.code().is_none()) {
            self.connection = None;
        }
        reply
    }
}

impl Store for RedisStore {
    fn call(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let reply = self.reply(call).map_err(|error| format!("--backend {}: {error}", self.url))?;
        Ok(call.decode(&reply)?)
    }

    fn forget(&mut self) -> Result<(), Failure> {
        self.forgotten += 1;
        Ok(())
    }
}

/// The call that charges every dimension that applies to a caller, and which they are. The keys of
/// a call share one hash tag, as a cluster asks for.
///
/// # Errors
/// When a quota does not fit the scripts' numbers.
fn compound(limits: &Limits, caller: &Caller<'_>) -> Result<(Call, Vec<Dimension>), CallError> {
    let ip = client_network(caller.address);
    let named = |dimension: Dimension| {
        let who = match dimension {
            Dimension::Tier | Dimension::User => caller.user.unwrap_or("").to_owned(),
            Dimension::ApiKey => caller.api_key.unwrap_or("").to_owned(),
            Dimension::Ip => ip.to_string(),
            Dimension::Global => String::new(),
        };
        let quota = limits.of(dimension, caller.tier);
        (format!("{{gate}}:{dimension}:{who}"), quota, dimension)
    };
    let named: Vec<_> = Dimension::of(caller).map(named).collect();
    let parts: Vec<_> = named.iter().map(|(key, quota, _)| Part { key, quota, cost: 1 }).collect();
    let call = compound_call(&parts, When::Server)?;
    Ok((call, named.iter().map(|(_, _, dimension)| *dimension).collect()))
}

/// Asks the store, whose time decides: the decision, and how every dimension stands after it.
///
/// # Errors
/// When the store does not answer.
pub fn decide(
    store: &Mutex<RedisStore>,
    limits: &Limits,
    caller: &Caller<'_>,
) -> Result<(Decision, Vec<Standing>), Failure> {
    let (call, dimensions) = compound(limits, caller)?;
    let reply = {
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        store.reply(&call).map_err(|error| format!("--backend {}: {error}", store.url))?
    };
    let (outcome, standings) = (call.decode(&reply)?, call.standings(&reply)?);
    let standings = dimensions.iter().zip(standings).map(|(&dimension, standing)| Standing {
        dimension,
        quota: limits.of(dimension, caller.tier),
        remaining: standing.remaining,
        more_in: Some(standing.more_after).filter(|wait| !wait.is_zero()),
        full_in: standing.reset_after,
    });
    let standings = standings.collect();
    if outcome.allowed {
        return Ok((Decision::Pass, standings));
    }
    let by = outcome.blocked_by.and_then(|at| dimensions.get(at)).copied();
    let by = by.unwrap_or(Dimension::Global);
    Ok((Decision::Blocked { by, wait: outcome.retry_after }, standings))
}
