//! What the design promises before it runs: safeguards and the source document's rows.

use crate::{clocks, likes, transfer, trials};
use kit::{Design, Safeguard, SourceRow};

/// Design 20.
pub const DESIGN: Design = Design {
    system: "consistency-models",
    number: 20,
    title: "Strong vs Eventual Consistency",
    about: "one register, counter and set under seven models: each anomaly with its seed",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[],
    serve: None,
    next: &[
        "cargo run --release -p consistency-models -- --without confirm-reads",
        "cargo run --release -p consistency-models -- --svg pictures",
        "cargo run --release -p consistency-models -- --data my-script.txt",
    ],
};

const SAFEGUARDS: &[Safeguard] = &[
    Safeguard {
        name: "confirm-reads",
        what: "a leader asks a majority whether it still leads before it answers a read",
        breaks: trials::LOG,
    },
    Safeguard {
        name: "once-only",
        what: "a command that is passed on twice is applied once",
        breaks: trials::LOG,
    },
    Safeguard {
        name: "quorums-meet",
        what: "R + W > N: every read quorum meets every write quorum",
        breaks: trials::QUORUM,
    },
    Safeguard {
        name: "read-repair",
        what: "a read stores at a quorum what it is going to answer",
        breaks: trials::QUORUM,
    },
    Safeguard {
        name: "causal-order",
        what: "a write is applied after all that its writer had seen",
        breaks: trials::CAUSAL,
    },
    Safeguard {
        name: "session-token",
        what: "a client is not answered from before what it has met elsewhere",
        breaks: trials::CAUSAL,
    },
    Safeguard {
        name: "deterministic-ties",
        what: "of two writes of one millisecond the same one wins everywhere (sample error)",
        breaks: trials::AGREE,
    },
    Safeguard {
        name: "hybrid-clock",
        what: "a stamp is later than all that its writer had seen, whatever the wall clock says",
        breaks: trials::COVERED,
    },
    Safeguard {
        name: "own-entries",
        what: "a counter has an entry for each replica, a set its dots; not one value",
        breaks: trials::COUNTED,
    },
    Safeguard {
        name: "equal-is-equal",
        what: "a clock is not concurrent with itself (sample error)",
        breaks: clocks::CONFLICT,
    },
    Safeguard {
        name: "serializable",
        what: "read, check and write are one transaction",
        breaks: transfer::SUM,
    },
    Safeguard {
        name: "funds-check",
        what: "a transfer looks whether there is enough (sample error)",
        breaks: transfer::FUNDS,
    },
    Safeguard {
        name: "outbox",
        what: "the like and the intent to replicate it are one transaction (sample error)",
        breaks: likes::ONCE,
    },
    Safeguard {
        name: "idempotent-apply",
        what: "a like that comes twice is one row (sample error)",
        breaks: likes::ONCE,
    },
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// Section 20 numbers nothing, so the ids are ours, in the order of its text: guarantees and sample
/// code (FR), properties promised (NFR), figures (E), trade-offs (T), advice (R).
const SOURCE: &[SourceRow] = &[
    row("20.FR1", "strong read", "always returns the most recent write"),
    row("20.FR2", "no stale reads", "strong: none"),
    row("20.FR3", "linearizable", "operations appear atomic"),
    row("20.FR4", "implementation", "ACID transactions, Paxos, Raft"),
    row("20.FR5", "transfer", "serializable, both balances FOR UPDATE"),
    row("20.FR6", "no state between", "no intermediate state visible"),
    row("20.FR7", "convergence", "all replicas converge without new updates"),
    row("20.FR8", "stale reads allowed", "eventual reads may be stale"),
    row("20.FR9", "likes service", "local write, then send to a queue"),
    row("20.FR10", "last write wins", "remote wins if its timestamp > local"),
    row("20.FR11", "vector clock", "concurrent = neither happens before"),
    row("20.FR12", "G-Counter", "merges without coordination"),
    row("20.FR13", "asynchronous", "async replication, gossip"),
    row("20.NFR1", "strong: no anomalies", "no data anomalies"),
    row("20.NFR2", "strong: latency", "higher (coordination)"),
    row("20.NFR3", "strong: availability", "cannot tolerate partitions"),
    row("20.NFR4", "strong: throughput", "reduced"),
    row("20.NFR5", "eventual: latency", "low, no coordination"),
    row("20.NFR6", "eventual: available", "high during partitions"),
    row("20.NFR7", "eventual: conflicts", "potential data conflicts"),
    row("20.NFR8", "eventual: complexity", "complex programming model"),
    row("20.E1", "replication delay", "seconds to minutes"),
    row("20.E2", "counter state", "one entry a replica (3 shown)"),
    row("20.T1", "consistency", "immediate / delayed"),
    row("20.T2", "latency", "higher / lower"),
    row("20.T3", "availability", "lower / higher"),
    row("20.T4", "partition tolerance", "poor / good"),
    row("20.T5", "complexity", "lower / higher"),
    row("20.T6", "use case", "critical data / best-effort data"),
    row("20.T7", "spectrum", "linearizable (ACID), causal, eventual"),
    row("20.T8", "CAP", "pick two of CP, CA, AP"),
    row("20.R1", "use strong for", "money, stock, seats, sign-in"),
    row("20.R2", "use eventual for", "feeds, metrics, catalogues, caches"),
];
