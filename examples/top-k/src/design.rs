//! What the design promises before it runs: safeguards, backends, the source document's rows.

use crate::{faults, trials, windows};
use kit::{Backend, Design, Safeguard, SourceRow};

/// Design 23.
pub const DESIGN: Design = Design {
    system: "top-k",
    number: 23,
    title: "Top K Heavy Hitter",
    about: "the most frequent items of a log or stream, in constant memory, with the error stated",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[Backend { scheme: "redis", feature: "redis", built: cfg!(feature = "redis") }],
    serve: Some(Backend { scheme: "http", feature: "serve", built: cfg!(feature = "serve") }),
    next: &[
        "cargo run --release -p top-k -- --without heap-update",
        "tail -f access.log | cargo run --release -p top-k -- --data -",
        "cargo run --release -p top-k -- --data access.log.gz --field host",
    ],
};

const SAFEGUARDS: &[Safeguard] = &[
    Safeguard {
        name: "row-hashes",
        what: "each row of Count-Min hashes on its own (sample error 1)",
        breaks: trials::COUNT_MIN,
    },
    Safeguard {
        name: "heap-update",
        what: "Space-Saving evicts by the present counts (sample error 4)",
        breaks: trials::SPACE_SAVING,
    },
    Safeguard {
        name: "prune-after-bucket",
        what: "Lossy Counting prunes by the bucket that ended (sample error 5)",
        breaks: trials::LOSSY,
    },
    Safeguard {
        name: "whole-summaries",
        what: "workers' whole summaries are merged, not their lists (sample error 6)",
        breaks: trials::MERGED,
    },
    Safeguard {
        name: "expiry",
        what: "panes leave the window (sample error 7)",
        breaks: windows::WINDOW,
    },
    Safeguard {
        name: "checkpoint",
        what: "a worker's state outlives it",
        breaks: faults::RESTARTED,
    },
    Safeguard {
        name: "log-offset",
        what: "the offset is saved with the state",
        breaks: faults::RESTARTED,
    },
    Safeguard { name: "checksum", what: "a torn checkpoint is refused", breaks: faults::RESTARTED },
    Safeguard {
        name: "lost-share",
        what: "the events of a lost worker go into the bound",
        breaks: faults::LOST,
    },
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// Section 23 numbers nothing, so the ids are ours, in the order of its text: use cases and
/// functions (FR), demands on them (NFR), figures (E), trade-offs (T) and recommendations (R).
const SOURCE: &[SourceRow] = &[
    row("23.FR1", "top hashtags", "top K trending hashtags"),
    row("23.FR2", "top URLs", "most visited URLs"),
    row("23.FR3", "top addresses", "top IP addresses (DDoS detection)"),
    row("23.FR4", "top songs", "most played songs"),
    row("23.FR5", "top queries", "frequent search queries"),
    row("23.FR6", "exact count", "hash map + nlargest, 100 % accurate"),
    row("23.FR7", "Count-Min + heap", "never forgets a heavy hitter"),
    row("23.FR8", "Lossy Counting", "no false negatives above the support"),
    row("23.FR9", "Space-Saving", "top k within the error bound"),
    row("23.FR10", "distributed", "map: local top K; reduce: merge them"),
    row("23.FR11", "windows", "5 min tumbling"),
    row("23.FR12", "publish", "each window's list to Redis/DB"),
    row("23.FR13", "partition", "by log type"),
    row("23.FR14", "survive a crash", "checkpoint directory, offsets in Kafka"),
    row("23.NFR1", "latency", "low latency on a massive stream"),
    row("23.NFR2", "memory", "memory constraints"),
    row("23.NFR3", "query", "< 100 ms"),
    row("23.NFR4", "throughput", "distribute above 1 M events/s"),
    row("23.E1", "Count-Min error", "e / width"),
    row("23.E2", "Count-Min memory", "O(width x depth + k)"),
    row("23.E3", "Lossy memory", "O(1/eps)"),
    row("23.E4", "Space-Saving memory", "O(k)"),
    row("23.E5", "exact memory", "O(n), not for billions of keys"),
    row("23.T1", "exact count", "O(n), 100 %, latency high, small data"),
    row("23.T2", "Count-Min", "O(1), ~99 %, latency low, massive streams"),
    row("23.T3", "Lossy Counting", "O(1/eps), guaranteed, medium"),
    row("23.T4", "Space-Saving", "O(k), bounded, low, top K only"),
    row("23.R1", "use exact", "below 1 M unique items"),
    row("23.R2", "use Count-Min", "billions of items, 1-2 % error"),
    row("23.R3", "use Space-Saving", "memory extremely limited"),
    row("23.R4", "distribute", "above 1 M events/s"),
];
