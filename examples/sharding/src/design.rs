//! What the design promises before it runs: safeguards and the source document's rows.

use crate::{federation, gather, hot, layout, replica, reshard, schema, transfer};
use kit::{Design, Safeguard, SourceRow};

/// Design 17.
pub const DESIGN: Design = Design {
    system: "sharding",
    number: 17,
    title: "Sharding and Federation",
    about: "one table on several real databases by five schemes, and a shard more while it is read",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[],
    serve: None,
    next: &[
        "cargo run --release -p sharding -- --without dual-reads",
        "cargo run --release -p sharding -- --svg pictures",
        "cargo run --release -p sharding -- --data my-log.txt",
    ],
};

const fn guard(name: &'static str, what: &'static str, breaks: &'static str) -> Safeguard {
    Safeguard { name, what, breaks }
}

const SAFEGUARDS: &[Safeguard] = &[
    guard(
        "consistent-hashing",
        "a ring, not the sample's hash % n that is called one",
        layout::MINIMAL,
    ),
    guard(
        "dual-reads",
        "who finds nothing at the holder it knows asks the other one",
        reshard::ANSWERED,
    ),
    guard("dual-writes", "while a range moves, both holders take writes", reshard::FRESH),
    guard("newer-wins", "a copied row does not overwrite a newer one", reshard::FRESH),
    guard("range-fence", "who has handed a range over takes no more of it", layout::PLACED),
    guard("semi-sync", "a write is acknowledged when a replica has it", replica::ACKED),
    guard("most-advanced", "the replica that is furthest is promoted", replica::ACKED),
    guard("partial-mark", "an answer without some shard says so", gather::HONEST),
    guard("all-parts", "a split key is read as the sum of its parts", hot::COUNTED),
    guard(
        "saga-compensation",
        "what was done is undone when a later step fails",
        transfer::CONSERVED,
    ),
    guard("once-only", "a step is done once, and never after it was undone", transfer::CONSERVED),
    guard("expand-first", "the old column goes when no program reads it any more", schema::WHOLE),
    guard("backfill-first", "new programs start when the new columns are filled", schema::WHOLE),
    guard("both-shapes", "who writes one shape writes the other, too", schema::WHOLE),
    guard("breaker", "a service that keeps failing is not asked", federation::PROMPT),
    guard(
        "degraded-mark",
        "a page without its orders is no page of a user without orders (sample error)",
        federation::HONEST,
    ),
    guard("orphan-relay", "orders are told of users that go", federation::REFERS),
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// Section 17 numbers nothing, so the ids are ours, in the order of its text: strategies and sample
/// code (FR), properties promised (NFR), figures (E), pros, cons and the comparison (T), advice (R).
const SOURCE: &[SourceRow] = &[
    row("17.FR1", "range-based sharding", "user ids 1-1M, 1M-2M, 2M-3M"),
    row("17.FR2", "hash-based sharding", "hash(user_id) % num_shards"),
    row("17.FR3", "geographic sharding", "US, EU, APAC shards"),
    row("17.FR4", "consistent hashing", "ring of 1,000 positions in 4 equal spans"),
    row("17.FR5", "router of the sample", "\"using consistent hashing\": |hashCode % n|"),
    row("17.FR6", "query one user", "from its designated shard"),
    row("17.FR7", "query all shards", "a loop; \"use sparingly\""),
    row("17.FR8", "query all in parallel", "parallelStream, first failure thrown"),
    row("17.FR9", "cross-shard queries", "scatter-gather"),
    row("17.FR10", "cross-shard transactions", "use the saga pattern"),
    row("17.FR11", "rebalancing", "adding a shard requires data migration"),
    row("17.FR12", "schema changes", "must coordinate across all shards"),
    row("17.FR13", "federation", "user, order, inventory, analytics databases"),
    row("17.FR14", "services", "UserService, OrderService, own database each"),
    row("17.FR15", "APIs", "services communicate via APIs, not joins"),
    row("17.FR16", "replicate each shard", "1 master + 2 slaves"),
    row("17.FR17", "breaker, degradation", "on failure return an empty list"),
    row("17.NFR1", "range queries", "easy by range, difficult by hash"),
    row("17.NFR2", "hash: even", "even distribution"),
    row("17.NFR3", "geographic: latency", "low latency, data locality"),
    row("17.NFR4", "ring: movement", "minimal data movement when resharding"),
    row("17.NFR5", "a shard fails", "partial data loss"),
    row("17.NFR6", "a service fails", "feature unavailable"),
    row("17.E1", "ranges", "1-1M, 1M-2M, 2M-3M"),
    row("17.E2", "hash(123) % 4, hash(456) % 4", "3 and 0"),
    row("17.E3", "spans of the ring", "0-250, 251-500, 501-750, 751-999"),
    row("17.E4", "storage", "3x for high availability"),
    row("17.E5", "when to shard", "a table > 100 million rows"),
    row("17.T1", "range", "simple; hotspots, new users in the last shard"),
    row("17.T2", "hash", "even; range queries and resharding painful"),
    row("17.T3", "geographic", "local; uneven, cross-region expensive"),
    row("17.T4", "consistent", "minimal movement; complexity"),
    row("17.T5", "scatter-gather", "serial loop or parallel stream"),
    row("17.T6", "transactions", "difficult across shards"),
    row("17.T7", "replication", "3x storage for high availability"),
    row("17.T8", "federation, for", "separation, independent scaling, simple"),
    row("17.T9", "federation, against", "no joins, duplication, manual integrity"),
    row("17.T10", "purpose and split", "scale a table / by domain; rows / functions"),
    row("17.T11", "queries", "within a shard / a service fast"),
    row("17.T12", "joins", "difficult / impossible"),
    row("17.T13", "complexity", "high / medium"),
    row("17.T14", "use case", "massive single table / microservices"),
    row("17.R1", "shard when", "> 100 M rows, slow queries, a natural key"),
    row("17.R2", "federate when", "microservices, clear domains, own scaling"),
];
