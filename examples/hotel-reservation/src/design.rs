//! What the design promises before it runs: safeguards and the source document's rows.

use crate::world;
use kit::{Backend, Design, Safeguard, SourceRow};

/// Design 15.
pub const DESIGN: Design = Design {
    system: "hotel-reservation",
    number: 15,
    title: "Hotel Reservation System",
    about: "sells each night of each room once, through four layers that are each needed",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[
        Backend { scheme: "postgres", feature: "postgres", built: cfg!(feature = "postgres") },
        Backend { scheme: "redis", feature: "redis", built: cfg!(feature = "redis") },
    ],
    serve: None,
    next: &[
        "cargo run --release -p hotel-reservation -- --without night-lock",
        "cargo run --release -p hotel-reservation -- --without live-hold",
        "cargo run --release -p hotel-reservation -- --data my-stays.txt",
    ],
};

const SAFEGUARDS: &[Safeguard] = &[
    Safeguard {
        name: "night-lock",
        what: "a lease is on nights; without it on the text's key, which names the range",
        breaks: world::LEASES,
    },
    Safeguard {
        name: "fence",
        what: "nights and front desk refuse a holder whose lease another has had since",
        breaks: world::FENCE,
    },
    Safeguard {
        name: "constraint",
        what: "the schema refuses more than the limit, whoever writes",
        breaks: world::OVERSOLD,
    },
    Safeguard {
        name: "serializable",
        what: "what a hold decides on is read in the transaction that writes it",
        breaks: world::HOUSE,
    },
    Safeguard {
        name: "version",
        what: "a night is written only at the version that its writer has seen",
        breaks: world::EDITS,
    },
    Safeguard {
        name: "live-hold",
        what: "a hold that has run out is neither charged nor confirmed",
        breaks: world::PAID,
    },
    Safeguard {
        name: "query-first",
        what: "a charge without an answer is asked after and called off, not taken for a no",
        breaks: world::MONEY,
    },
    Safeguard {
        name: "free-once",
        what: "nights are freed by the change of their stay's status, so once",
        breaks: world::COUNTED,
    },
    Safeguard {
        name: "atomic-change",
        what: "a modification frees and takes in one transaction",
        breaks: world::COUNTED,
    },
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// E, FR, NFR and T by the text's order; F are the steps of its booking flow and sample code.
const SOURCE: &[SourceRow] = &[
    row("15.FR1", "search", "by location, dates, guests"),
    row("15.FR2", "no double booking", "guaranteed"),
    row("15.FR3", "hold", "rooms are held while booking"),
    row("15.FR4", "change", "cancellations and modifications"),
    row("15.FR5", "overbooking", "policies are managed"),
    row("15.NFR1", "scale", "500 K bookings/day"),
    row("15.NFR2", "availability", "99.95 %"),
    row("15.NFR3", "latency", "< 1 s to confirm a booking"),
    row("15.NFR4", "consistency", "strong for inventory"),
    row("15.NFR5", "isolation", "no races under concurrency"),
    row("15.E1", "hotels", "50 K"),
    row("15.E2", "rooms", "10 M"),
    row("15.E3", "bookings a day", "500 K"),
    row("15.E4", "peak", "~60 bookings/s"),
    row("15.E5", "contention", "1,000 users on one room"),
    row("15.E6", "average stay", "3 nights"),
    row("15.T1", "lease", "prevents attempts, 30 s TTL prevents deadlocks"),
    row("15.T2", "serializable", "strongest, costs performance"),
    row("15.T3", "granularity", "lock the whole range: simpler, coarser"),
    row("15.T4", "overbooking", "5-10 %, careful tuning"),
    row("15.T5", "assumption", "95 % complete within 30 s"),
    row("15.F1", "lock key", "room:101:2024-12-15:2024-12-17"),
    row("15.F2", "payment", "inside the serializable transaction"),
    row("15.F3", "retry", "100 ms, at most 3 attempts"),
    row("15.F4", "BOOKING_IN_PROGRESS", "the answer when the lock is taken"),
    row("15.F5", "release", "by value: only the owner's"),
    row("15.F6", "num_rooms", "a column that no statement reads"),
    row("15.F7", "version", "affected_rows = 0: retry with a fresh one"),
];
