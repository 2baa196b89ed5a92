//! What the design promises before it runs: safeguards, backends, the source document's rows.

use crate::{behind, herd, levels, negative, nodes, race, strategy};
use kit::{Backend, Design, Safeguard, SourceRow};

/// Design 18.
pub const DESIGN: Design = Design {
    system: "caching-techniques",
    number: 18,
    title: "Caching Techniques",
    about: "four strategies by every policy on real traces before a real store; herds, crashes, \
            lost nodes, and a filter that survives a restart",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[Backend { scheme: "redis", feature: "redis", built: cfg!(feature = "redis") }],
    serve: None,
    next: &[
        "cargo run --release -p caching-techniques -- --without single-flight",
        "cargo run --release -p caching-techniques -- --svg pictures",
        "cargo run --release -p caching-techniques -- --data my-trace.txt",
    ],
};

const fn guard(name: &'static str, what: &'static str, breaks: &'static str) -> Safeguard {
    Safeguard { name, what, breaks }
}

const SAFEGUARDS: &[Safeguard] = &[
    guard("guarded-fill", "a load that a write overtook is not kept (sample)", race::THROUGH),
    guard("store-first", "the cache gets what the store has committed (sample)", race::COMMITTED),
    guard("invalidate-last", "an entry goes after the commit, not before (sample)", race::ASIDE),
    guard("lifetime", "what others write is noticed in the end", strategy::AGE),
    guard("bounded-dirty", "who may not lose more does not take more (sample)", behind::LOSS),
    guard("max-delay", "a write is due, whether its batch is full or not", behind::AGE),
    guard("dirty-first", "reads look at what waits to be stored (sample)", behind::OWN),
    guard("single-flight", "who misses waits for the load under way (sample)", herd::ONE),
    guard("early-by-load", "early by the load's time, not the lifetime (sample)", herd::NEEDED),
    guard("seed-filter", "a filter knows the rows before it denies (sample)", negative::DENIED),
    guard("filter-first", "a key is in the filter before the store (sample)", negative::DENIED),
    guard("ring", "nodes stand on a ring, not in a row", nodes::MOVED),
    guard("breaker", "a level that does not answer is not asked", levels::WAITS),
    guard("forget-on-return", "a level that missed writes is emptied", levels::FRESH),
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// Section 18 numbers nothing, so the ids are ours, in the order of its text: code (FR), properties
/// promised (NFR), figures (E), pros against cons (T).
const SOURCE: &[SourceRow] = &[
    row("18.FR1", "cache-aside: read", "cache, then database, then fill"),
    row("18.FR2", "cache-aside: update", "database, then delete, in one transaction"),
    row("18.FR3", "write-through", "cache first, then database, in the same operation"),
    row("18.FR4", "write-behind", "cache at once, a queue and a worker store"),
    row("18.FR5", "read-through", "@Cacheable, unless null; @CachePut, @CacheEvict"),
    row("18.FR6", "LRU", "thread-safe; evicts when over capacity"),
    row("18.FR7", "LFU", "ties by recency"),
    row("18.FR8", "FIFO", "evict the oldest entry"),
    row("18.FR9", "TTL", "expire after 1 hour"),
    row("18.FR10", "Bloom filter", "what it does not know does not exist"),
    row("18.FR11", "early expiration", "refresh with a growing probability"),
    row("18.FR12", "cache nodes", "consistent hash ring, MD5"),
    row("18.FR13", "metrics", "hits, evictions, TTL, memory"),
    row("18.NFR1", "aside: resilience", "cache resilience"),
    row("18.NFR2", "write-through", "cache always consistent with DB"),
    row("18.NFR3", "write-behind: speed", "fast writes, batching possible"),
    row("18.NFR4", "no false negatives", "no false negatives"),
    row("18.NFR5", "no thundering herd", "prevented by early expiration"),
    row("18.NFR6", "nodes come and go", "minimizes cache invalidation"),
    row("18.NFR7", "hit rate", "> 80 % for most applications"),
    row("18.NFR8", "memory", "70-80 %, headroom for spikes"),
    row("18.NFR9", "eviction rate", "a high rate: the cache is too small"),
    row("18.NFR10", "TTL hit rate", "a low rate: the TTL is too short"),
    row("18.E1", "filter of 1 M at 1 %", "1,000,000 insertions, 0.01"),
    row("18.E2", "early refresh", "50 % at half TTL"),
    row("18.E3", "points of a node", "150 virtual nodes"),
    row("18.E4", "LFU's cost", "O(1) get and put"),
    row("18.E5", "filter's cost", "O(1) look-up"),
    row("18.E6", "mean answer", "hits > 80 %"),
    row("18.T1", "cache-aside", "only requested data / miss penalty, stale data"),
    row("18.T2", "write-through", "consistent / two writes, wasted space"),
    row("18.T3", "write-behind", "fast writes, batches / data loss, complexity"),
    row("18.T4", "read-through", "simple application / coupling, less control"),
    row("18.T5", "policies", "LRU, LFU, FIFO, TTL; FIFO ignores access patterns"),
    row("18.T6", "herd", "early expiration against the herd"),
    row("18.T7", "negative cache", "false positives possible"),
    row("18.T8", "ring", "ring against the rest"),
];
