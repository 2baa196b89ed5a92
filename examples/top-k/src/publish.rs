//! Each window's list in a real Redis, replaced as a whole.
//!
//! | key | value |
//! |---|---|
//! | `topk:url:tumbling` | sorted set, member = key, score = count: `ZREVRANGE topk:url:tumbling 0 9 WITHSCORES` |
//! | `topk:url:tumbling:until` | end of that window, seconds since 1970 |
//! | `topk:url:tumbling:error` | what a score may be too high by |
//!
//! One transaction a list, so that no reader sees half of one; everything expires after two
//! hours, so that a dead publisher's lists do not live for ever.

use crate::field::Field;
use crate::windows::List;
use kit::Failure;
use std::time::Duration;

/// How long a list stays without its publisher.
const EXPIRES_SECS: i64 = 7_200;

/// A connection to a Redis.
pub struct Publisher {
    connection: redis::Connection,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    /// Connects to `redis://host:port/`.
    ///
    /// # Errors
    /// When the URL is none or nobody answers within five seconds.
    pub fn connect(url: &str) -> Result<Self, Failure> {
        let open = || {
            let client = redis::Client::open(url)?;
            let connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
            connection.set_read_timeout(Some(Duration::from_secs(5)))?;
            connection.set_write_timeout(Some(Duration::from_secs(5)))?;
            Ok::<_, redis::RedisError>(connection)
        };
        let connection = open().map_err(|error| format!("--backend {url}: {error}"))?;
        Ok(Self { connection })
    }

    /// Replaces the list of its window.
    ///
    /// # Errors
    /// Those of the server and of the network.
    pub fn publish(&mut self, field: Field, list: &List) -> Result<(), Failure> {
        let key = format!("topk:{field}:{}", list.window);
        let (until, error) = (format!("{key}:until"), format!("{key}:error"));
        let mut all = redis::pipe();
        all.atomic().del(&key).ignore();
        for hit in &list.top {
            all.zadd(&key, &hit.key, hit.count).ignore();
        }
        all.expire(&key, EXPIRES_SECS).ignore();
        all.set_ex(&until, list.until, EXPIRES_SECS as u64).ignore();
        all.set_ex(&error, list.bound, EXPIRES_SECS as u64).ignore();
        all.query::<()>(&mut self.connection)
            .map_err(|error| Failure::from(format!("--backend redis: {error}")))
    }
}
