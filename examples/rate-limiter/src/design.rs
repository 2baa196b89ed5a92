//! What the design promises before it runs: safeguards, backends, the source document's rows.

use crate::{fleet, trials};
use kit::{Backend, Design, Safeguard, SourceRow};

/// Design 22.
pub const DESIGN: Design = Design {
    system: "rate-limiter",
    number: 22,
    title: "Rate Limiter",
    about: "how often a client may ask: every algorithm on a real log, tiers and dimensions all \
            or nothing, nodes that share a limit, an HTTP gateway",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[Backend { scheme: "redis", feature: "redis", built: cfg!(feature = "redis") }],
    serve: Some(Backend { scheme: "http", feature: "default", built: true }),
    next: &[
        "cargo run --release -p rate-limiter -- --serve :8080",
        "cargo run --release -p rate-limiter -- --data access.log",
        "cargo run --release -p rate-limiter -- --without all-or-nothing",
    ],
};

const fn guard(name: &'static str, what: &'static str, breaks: &'static str) -> Safeguard {
    Safeguard { name, what, breaks }
}

const SAFEGUARDS: &[Safeguard] = &[
    guard("exact-arithmetic", "tokens are no rounded doubles (sample)", trials::KEEPS_RATE),
    guard("leak-fractions", "a poll throws no fraction away (sample)", trials::KEEPS_RATE),
    guard("leak-all", "all that is due leaks, not half (sample)", trials::KEEPS_RATE),
    guard("half-open", "an entry one window old is out (sample)", trials::KEEPS_RATE),
    guard("departures", "a queue lets out at its rate (sample)", trials::SMOOTH),
    guard("monotonic-clock", "no clock that can be set (sample)", trials::WINDOW),
    guard("unique-entries", "one millisecond, many entries (sample)", trials::WINDOW),
    guard("debt-expiry", "a key lives as long as it owes (sample)", trials::WINDOW),
    guard("server-time", "the store's clock, not the callers' (sample)", trials::WINDOW),
    guard("expire-with-count", "count and expiry are one step (sample)", trials::ENDS),
    guard("denied-free", "a counter counts what passed (sample)", trials::FREE),
    guard("all-or-nothing", "no dimension pays for another (sample)", trials::FREE),
    guard("tier-keeps-debt", "the tier is not part of the key (sample)", trials::TIER),
    guard("honest-wait", "waits round up, whatever remains (sample)", trials::WAIT),
    guard("fail-closed", "who cannot decide denies", trials::AWAY),
    guard("lease-expiry", "a lease ends though no answer came", fleet::TOGETHER),
    guard("gossip-share", "who hears from few takes their share", fleet::TOGETHER),
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// Section 22 numbers nothing, so the ids are ours, in the order of its text: functions (FR),
/// demands on them (NFR), figures (E), rows of its trade-off table (T).
const SOURCE: &[SourceRow] = &[
    row("22.FR1", "limit a client", "the number of requests a client can make"),
    row("22.FR2", "token bucket", "each request takes a token, tokens refill"),
    row("22.FR3", "leaky bucket", "a queue, processed at a constant rate"),
    row("22.FR4", "fixed window", "a counter, reset with the window"),
    row("22.FR5", "sliding log", "time stamps; accurate, no boundary issues"),
    row("22.FR6", "sliding counter", "in Redis, by a Lua script"),
    row("22.FR7", "refusal", "status 429, \"Rate limit exceeded\""),
    row("22.FR8", "central counter", "INCR and EXPIRE in Redis"),
    row("22.FR9", "distributed bucket", "token bucket in Redis, by a Lua script"),
    row("22.FR10", "tiers", "free 100, basic 1,000, premium 10,000 an hour"),
    row("22.FR11", "unknown tier", "is free"),
    row("22.FR12", "dimensions", "user 1,000, key 5,000, IP 100, global 50,000 a minute"),
    row("22.FR13", "the blocker", "\"Rate limit exceeded for\" the dimension"),
    row("22.FR14", "headers", "X-RateLimit-Limit, -Remaining, -Reset"),
    row("22.FR15", "Retry-After", "when nothing remains"),
    row("22.NFR1", "abuse", "prevent abuse"),
    row("22.NFR2", "fairness", "ensure fair resource allocation"),
    row("22.NFR3", "protection", "protect backend services from overload"),
    row("22.NFR4", "many servers", "API servers share the state"),
    row("22.NFR5", "atomicity", "Lua scripts for atomicity"),
    row("22.NFR6", "threads", "synchronized methods"),
    row("22.E1", "edge of a window", "100 at 0:59, 100 at 1:00 = 200/min"),
    row("22.E2", "bucket's memory", "a bucket per user or IP"),
    row("22.E3", "log's memory", "grows with the request count"),
    row("22.E4", "window's memory", "low"),
    row("22.E5", "bucket of 100, 10/s", "bursts to capacity, then the refill rate"),
    row("22.E6", "user through one IP", "1,000 requests/min"),
    row("22.E7", "global limit", "50,000 requests/min"),
    row("22.E8", "life of a bucket", "EXPIRE 3600"),
    row("22.T1", "token bucket", "allows bursts; memory per user; API gateways"),
    row("22.T2", "leaky bucket", "smooth output; queue latency; shaping"),
    row("22.T3", "fixed window", "simple; burst at edges; basic limits"),
    row("22.T4", "sliding window", "accurate; more memory; fair limiting"),
    row("22.T5", "distributed", "consistent; Redis dependency; multi-server"),
];
