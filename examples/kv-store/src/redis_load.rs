//! The recorded calls over RESP, on our own server and on a real Redis: equal answers, two rates.

use crate::config::Config;
use crate::experiments::Race;
use crate::load::{Trace, page};
use crate::serve::Server;
use crate::store::{MAX_PAIR, Store};
use kit::{Failure, Seed};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the trace against both; the keys of the real one are dropped before and after.
///
/// # Errors
/// When a server is not reached.
pub fn race(url: &str, seed: Seed, trace: &Trace) -> Result<Race, Failure> {
    let config = Config { compare: 36_000, ..Config::usual() };
    let store = Store::new(config, seed.child("race"))?;
    let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), store)?;
    let (ours, our_answers) = play(&format!("redis://{}/", server.address), trace)?;
    let (redis, their_answers) = play(url, trace)?;
    let differ = our_answers.iter().zip(&their_answers).filter(|(a, b)| a != b).count() as u64;
    Ok(Race { calls: our_answers.len() as u64, differ, ours, redis })
}

/// One connection, one call after the other; what each answered, in short.
fn play(url: &str, trace: &Trace) -> Result<(Duration, Vec<u64>), Failure> {
    let named = |error: redis::RedisError| format!("--backend {url}: {error}");
    let client = redis::Client::open(url).map_err(named)?;
    let mut connection = client.get_connection_with_timeout(PATIENCE).map_err(named)?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(named)?;
    // Under a prefix of our own: the server may hold other things.
    let key = |address: &str| format!("archstone-kv:{address}");
    let drop_all = |connection: &mut redis::Connection| -> Result<(), redis::RedisError> {
        for (address, _) in &trace.requests {
            redis::cmd("DEL").arg(key(address)).query::<i64>(connection)?;
        }
        Ok(())
    };
    drop_all(&mut connection).map_err(named)?;
    let mut answers = Vec::new();
    let began = Instant::now();
    for (nth, (address, bytes)) in trace.requests.iter().enumerate() {
        let key = key(address);
        let get = redis::cmd("GET").arg(&key).query::<Option<Vec<u8>>>(&mut connection);
        let found = get.map_err(named)?;
        // Which bytes, not only how many.
        let sum = |bytes: &[u8]| {
            bytes.iter().fold(bytes.len() as u64, |sum, &b| sum.wrapping_mul(31) + u64::from(b))
        };
        answers.push(found.as_deref().map_or(u64::MAX, sum));
        if found.is_none() && key.len() + bytes <= MAX_PAIR {
            let set = redis::cmd("SET")
                .arg(&key)
                .arg(page(address, *bytes))
                .query::<String>(&mut connection);
            answers.push(set.map_err(named)?.len() as u64);
        } else if nth % 16 == 0 {
            let exists =
                redis::cmd("EXISTS").arg(&key).arg("archstone-kv:").query::<u64>(&mut connection);
            answers.push(exists.map_err(named)?);
        } else if nth % 64 == 1 {
            let gone = redis::cmd("DEL").arg(&key).query::<u64>(&mut connection);
            answers.push(gone.map_err(named)?);
        }
    }
    let spent = began.elapsed();
    drop_all(&mut connection).map_err(named)?;
    Ok((spent, answers))
}
