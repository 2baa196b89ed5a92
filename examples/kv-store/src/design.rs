//! What the design promises before it runs: safeguards, backends, requirements.

use crate::trials;
use kit::{Backend, Design, Safeguard, SourceRow};

/// Design 26.
pub const DESIGN: Design = Design {
    system: "kv-store",
    number: 26,
    title: "Distributed Key-Value Store",
    about: "a Dynamo in one process: ring, quorums, siblings, hints, Merkle comparison, gossip; \
            under faults, and over RESP",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[Backend { scheme: "redis", feature: "redis", built: cfg!(feature = "redis") }],
    serve: Some(Backend { scheme: "redis", feature: "default", built: true }),
    next: &[
        "cargo run --release -p kv-store -- --serve :6380   # redis-cli",
        "cargo run --release -p kv-store -- --without hinted-handoff",
        "cargo run --release -p kv-store -- --data my-calls.txt",
    ],
};

const fn guard(name: &'static str, what: &'static str, breaks: &'static str) -> Safeguard {
    Safeguard { name, what, breaks }
}

const SAFEGUARDS: &[Safeguard] = &[
    guard("quorums-meet", "R + W > N: reads meet writes", trials::FRESH),
    guard("read-repair", "a read stores what it found at W nodes", trials::FORWARD),
    guard("rebuild-first", "a node without its disk answers no read yet", trials::FRESH),
    guard("filter-rebuilt", "the Bloom filter is made anew after a restart", trials::FRESH),
    guard("hinted-handoff", "a stand-in knows for whom it keeps a row", trials::KEPT),
    guard("vector-clocks", "a write replaces what its writer had read", trials::KEPT),
    guard("new-id-after-loss", "no number of a write comes twice", trials::KEPT),
    guard("sloppy-quorum", "others stand in for holders out of reach", trials::ACCEPTED),
    guard("anti-entropy", "nodes compare what they hold", trials::AGREE),
    guard("zones-apart", "copies do not share a zone", trials::ZONES),
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// Section 26 is a title only. The requirements are those that the usual texts give to it (DeCandia
/// et al. 2007 and the interview books), with the figures that such an interview names.
const SOURCE: &[SourceRow] = &[
    row("26.FR1", "get and put", "get(key), put(key, context, value)"),
    row("26.FR2", "small objects", "a pair is at most 10 KB"),
    row("26.FR3", "tunable", "N, R and W chosen by the store's owner"),
    row("26.FR4", "partitioning", "consistent hashing, virtual nodes"),
    row("26.FR5", "copies apart", "replicas in distinct zones"),
    row("26.FR6", "conflicts", "vector clocks; siblings to the client"),
    row("26.FR7", "sloppy quorum", "the first N healthy; hinted handoff"),
    row("26.FR8", "read repair", "stale replicas are updated by reads"),
    row("26.FR9", "anti-entropy", "Merkle trees find what differs"),
    row("26.FR10", "membership", "gossip; heartbeats; joins"),
    row("26.FR11", "engine", "LSM tree with a Bloom filter a table"),
    row("26.FR12", "delete", "a deleted key does not come back"),
    row("26.FR13", "protocol", "redis-cli and redis-benchmark connect"),
    row("26.NFR1", "always writeable", "writes go on in a partition"),
    row("26.NFR2", "no stale read", "R + W > N gives strong consistency"),
    row("26.NFR3", "latency", "99.9 % within 300 ms"),
    row("26.NFR4", "scales step by step", "one more node moves 1/(n+1)"),
    row("26.NFR5", "size", "5 to 50 nodes"),
    row("26.NFR6", "survives", "a node, a disk, a zone"),
    row("26.NFR7", "eventual", "all replicas become equal"),
    row("26.NFR8", "throughput", "100,000 operations/s in all"),
    row("26.E1", "stored", "1 G objects of 10 KB, 3 copies: 10 TB"),
    row("26.E2", "nodes", "15 nodes of 2 TB"),
    row("26.E3", "operations a node", "100,000/s over 15 nodes: 6,700/s"),
    row("26.E4", "filter", "1 % false: 10 bits a key"),
    row("26.E5", "ring", "160 points a node: negligible"),
    row("26.E6", "gossip", "2 peers every 200 ms"),
    row("26.E7", "availability", "99.9 % a node, 2 of 3: 99.9997 %"),
    row("26.T1", "R and W", "small: fast; large: consistent"),
    row("26.T2", "strict or sloppy", "consistency or availability"),
    row("26.T3", "vector clock or LWW", "siblings or lost updates"),
    row("26.T4", "virtual nodes", "more: even load, more state"),
    row("26.T5", "three repairs", "hints, read repair, Merkle"),
    row("26.T6", "Merkle or full copy", "bytes grow with the difference"),
    row("26.T7", "filter size", "memory against reads in vain"),
    row("26.T8", "linearizable?", "quorums make it strongly consistent"),
    row("26.T9", "beside Redis", "one thread in memory, no copies"),
];
