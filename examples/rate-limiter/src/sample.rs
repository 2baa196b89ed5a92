//! The sample code of the source document, its errors kept: spot the bug.
//!
//! Nothing else uses these. Each runs only with its safeguard off, and breaks there what the real
//! one keeps. Times are the caller's where the Java reads a clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Error 1: tokens are a double that every poll adds a rounded fraction to, so a client that keeps
/// the rate is turned away. (Nor is there a guard against a clock that steps back, an infinite or
/// NaN rate, a wait to tell, or a cost.)
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    capacity: i32,
    refill_rate: f64,
    tokens: f64,
    last_refill: u64,
}

impl TokenBucket {
    /// `capacity` tokens, `refill_rate` a second.
    #[must_use]
    pub const fn new(capacity: i32, refill_rate: f64) -> Self {
        Self { capacity, refill_rate, tokens: capacity as f64, last_refill: 0 }
    }

    /// Takes a token at `now` nanoseconds.
    pub fn allow_request(&mut self, now: u64) -> bool {
        let elapsed = (now as f64 - self.last_refill as f64) / 1e9;
        self.tokens = f64::from(self.capacity).min(self.tokens + elapsed * self.refill_rate);
        self.last_refill = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return true;
        }
        false
    }
}

/// Errors 2 and 3: `(int) (elapsed * rate)` throws the fraction away at every poll, and the loop
/// asks `queue.size()` again while it empties the queue, so it stops half way.
#[derive(Clone, Debug)]
pub struct LeakyBucket {
    capacity: usize,
    leak_rate: f64,
    queue: VecDeque<u64>,
    last_leak: u64,
    /// Error 2 repaired: only what leaked moves the clock.
    pub keeps_fractions: bool,
    /// Error 3 repaired: the bound of the loop is taken once.
    pub leaks_all: bool,
}

impl LeakyBucket {
    /// Room for `capacity`, `leak_rate` a second.
    #[must_use]
    pub const fn new(capacity: usize, leak_rate: f64) -> Self {
        let queue = VecDeque::new();
        Self { capacity, leak_rate, queue, last_leak: 0, keeps_fractions: false, leaks_all: false }
    }

    /// Pours one in at `now` nanoseconds.
    pub fn allow_request(&mut self, now: u64) -> bool {
        let elapsed = (now - self.last_leak) as f64 / 1e9;
        let leaks = (elapsed * self.leak_rate) as usize; // and the fraction is lost
        let bound = leaks.min(self.queue.len());
        let mut i = 0;
        while i < if self.leaks_all { bound } else { leaks.min(self.queue.len()) } {
            self.queue.pop_front();
            i += 1;
        }
        self.last_leak = match self.keeps_fractions {
            true => self.last_leak + (leaks as f64 / self.leak_rate * 1e9) as u64,
            false => now,
        };
        if self.queue.len() < self.capacity {
            self.queue.push_back(now);
            return true;
        }
        false
    }
}

/// Error 4: `< cutoff` keeps an entry that is exactly one window old, so the window is closed at
/// both ends and a client that keeps the rate is turned away. (And memory has no bound but the
/// limit.)
#[derive(Clone, Debug)]
pub struct SlidingWindowLog {
    limit: usize,
    window_ms: u64,
    requests: VecDeque<u64>,
}

impl SlidingWindowLog {
    /// `limit` in `window_ms`.
    #[must_use]
    pub const fn new(limit: usize, window_ms: u64) -> Self {
        Self { limit, window_ms, requests: VecDeque::new() }
    }

    /// Enters one at `now` milliseconds.
    pub fn allow_request(&mut self, now: u64) -> bool {
        let cutoff = now.saturating_sub(self.window_ms);
        while now >= self.window_ms && self.requests.front().is_some_and(|&at| at < cutoff) {
            self.requests.pop_front();
        }
        if self.requests.len() < self.limit {
            self.requests.push_back(now);
            return true;
        }
        false
    }
}

/// Error 5, the script of `SlidingWindowRedis`: the member of the sorted set is the millisecond
/// itself, so requests of one millisecond are one entry.
pub const SLIDING_WINDOW_LUA: &str = r"
local key = KEYS[1]
local now = tonumber(ARGV[1])
local window_start = tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local window_seconds = tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', key, 0, window_start)
local count = redis.call('ZCARD', key)
if count < limit then
    redis.call('ZADD', key, now, now)
    redis.call('EXPIRE', key, window_seconds)
    return 1
else
    return 0
end
";

/// [`SLIDING_WINDOW_LUA`] without a server.
#[derive(Clone, Debug, Default)]
pub struct SlidingWindowRedis {
    members: BTreeSet<u64>,
}

impl SlidingWindowRedis {
    /// Enters one at `now` milliseconds.
    pub fn allow_request(&mut self, now: u64, limit: usize, window_ms: u64) -> bool {
        self.members.retain(|&member| member + window_ms > now);
        let passes = self.members.len() < limit;
        if passes {
            self.members.insert(now);
        }
        passes
    }
}

/// Error 6, the script of `DistributedTokenBucket`: the key lives 3,600 s whatever it owes, so a
/// slower rate forgets its debt; a denial sets no time to live; the caller's clock decides.
pub const TOKEN_BUCKET_LUA: &str = r"
local key = KEYS[1]
local capacity = tonumber(ARGV[1])
local refill_rate = tonumber(ARGV[2])
local now = tonumber(ARGV[3])
local bucket = redis.call('HMGET', key, 'tokens', 'last_refill')
local tokens = tonumber(bucket[1]) or capacity
local last_refill = tonumber(bucket[2]) or now
local elapsed = now - last_refill
local new_tokens = math.min(capacity, tokens + (elapsed * refill_rate))
if new_tokens >= 1 then
    redis.call('HMSET', key, 'tokens', new_tokens - 1, 'last_refill', now)
    redis.call('EXPIRE', key, 3600)
    return 1
else
    redis.call('HMSET', key, 'tokens', new_tokens, 'last_refill', now)
    return 0
end
";

/// [`TOKEN_BUCKET_LUA`] without a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct DistributedTokenBucket {
    bucket: Option<(f64, f64)>,
    expires: Option<f64>,
}

impl DistributedTokenBucket {
    /// Takes a token at `now` seconds.
    pub fn allow_request(&mut self, now: f64, capacity: f64, refill_rate: f64) -> bool {
        if self.expires.is_some_and(|end| now >= end) {
            *self = Self::default();
        }
        let (tokens, last) = self.bucket.unwrap_or((capacity, now));
        let tokens = capacity.min(tokens + (now - last) * refill_rate);
        let passes = tokens >= 1.0;
        if passes {
            self.bucket = Some((tokens - 1.0, now));
            self.expires = Some(now + 3600.0);
        } else {
            self.bucket = Some((tokens, now));
        }
        passes
    }
}

/// Errors 7 and 8: `INCR` and `EXPIRE` are two commands, and a server that dies between them
/// leaves a key for ever; and what is denied is counted all the same.
#[derive(Clone, Debug, Default)]
pub struct DistributedRateLimiter {
    /// Count and end of life by key.
    pub keys: BTreeMap<String, (i64, Option<u64>)>,
}

impl DistributedRateLimiter {
    /// Counts one at `now` seconds; `dies` is the server's death after the first command.
    pub fn check_rate_limit(
        &mut self,
        key: &str,
        limit: i64,
        window: u64,
        now: u64,
        dies: bool,
    ) -> bool {
        self.keys.retain(|_, (_, end)| end.is_none_or(|end| end > now));
        let entry = self.keys.entry(format!("{key}:{}", now / window)).or_insert((0, None));
        entry.0 += 1;
        if dies {
            return false;
        }
        if entry.0 == 1 {
            entry.1 = Some(now + window * 2);
        }
        entry.0 <= limit
    }
}

/// Error 9: the wait is told only when nothing remains (a weighted request is denied with some
/// left), and rounded down: "retry now".
#[must_use]
pub fn retry_after(remaining: u64, wait: std::time::Duration) -> Option<u64> {
    (remaining == 0).then_some(wait.as_secs())
}

/// The safeguards that stand for an error of the document's own code, and the class that has it.
pub const ERRORS: &[(&str, &str)] = &[
    ("exact-arithmetic", "TokenBucket"),
    ("leak-fractions", "LeakyBucket"),
    ("leak-all", "LeakyBucket"),
    ("departures", "LeakyBucket"),
    ("half-open", "SlidingWindowLog"),
    ("monotonic-clock", "FixedWindowCounter"),
    ("unique-entries", "SlidingWindowRedis"),
    ("server-time", "SlidingWindowRedis"),
    ("debt-expiry", "DistributedTokenBucket"),
    ("expire-with-count", "DistributedRateLimiter"),
    ("denied-free", "DistributedRateLimiter"),
    ("tier-keeps-debt", "TieredRateLimiter"),
    ("all-or-nothing", "MultiDimensionRateLimiter"),
    ("honest-wait", "RateLimitHeaderUtils"),
];
