//! What the design promises before it runs: safeguards and the source document's rows.

use crate::{judge, trials};
use kit::{Backend, Design, Safeguard, SourceRow};

/// Design 8.
pub const DESIGN: Design = Design {
    system: "payment-gateway",
    number: 8,
    title: "Payment Gateway System",
    about: "takes money once, whatever step is the last before a crash",
    safeguards: SAFEGUARDS,
    source: SOURCE,
    backends: &[],
    serve: Some(Backend { scheme: "http", feature: "serve", built: true }),
    next: &[
        "cargo run --release -p payment-gateway -- --without request-expiry",
        "cargo run --release -p payment-gateway -- --without outbox",
        "cargo run --release -p payment-gateway -- --serve :8080",
    ],
};

const fn guard(name: &'static str, what: &'static str, breaks: &'static str) -> Safeguard {
    Safeguard { name, what, breaks }
}

const SAFEGUARDS: &[Safeguard] = &[
    guard("idempotency", "a key that comes again is the same request", judge::ONCE),
    guard("durable-key", "the key is in the payment's transaction, not in a cache", judge::ONCE),
    guard("fingerprint", "a key with another body is refused (sample error)", judge::KEY),
    guard("write-ahead", "a request is noted as sent before it is sent", judge::ONCE),
    guard("query-before-retry", "after silence a card's provider is asked first", judge::ONCE),
    guard("request-expiry", "\"not found\" counts once the request has expired", judge::ONCE),
    guard("unknown-is-not-failed", "what is not known is asked again, not failed", judge::LOST),
    guard("once-only", "an outcome that comes late or twice is applied once", judge::LEDGER),
    guard("outbox", "the event is in the change's transaction (sample error)", judge::EVENTS),
    guard("inbox", "a consumer drops ids that it has applied", judge::SALES),
    guard("refund-reserve", "refunds under way count against what is left", judge::REFUNDS),
    guard("webhook-order", "a change waits for those before it", judge::HOOKS),
    guard("webhook-signature", "a merchant checks who speaks", judge::FORGED),
    guard("sealed-vault", "accounts are encrypted, all else knows tokens", trials::SECRET),
    guard("velocity", "a card is tried five times at once, ten an hour", trials::VELOCITY),
    guard("full-match", "settlement is matched by line, not by totals", trials::BREAKS),
];

const fn row(id: &'static str, name: &'static str, document: &'static str) -> SourceRow {
    SourceRow { id, name, document }
}

/// By the document's own numbers (FR) or their order; S is what its text and sample code do.
const SOURCE: &[SourceRow] = &[
    row("8.FR1", "payments", "cards, wallets, UPI"),
    row("8.FR2", "refunds and chargebacks", "supported"),
    row("8.FR3", "exactly once", "exactly-once processing"),
    row("8.FR4", "status", "real-time updates"),
    row("8.FR5", "webhooks", "merchants are notified"),
    row("8.NFR1", "scalability", "10M a day, to 100M"),
    row("8.NFR2", "availability", "99.99 %, 4.38 min a month"),
    row("8.NFR3", "latency", "< 2 s a response"),
    row("8.NFR4", "consistency", "no double charges"),
    row("8.NFR5", "durability", "no transaction lost"),
    row("8.NFR6", "security", "PCI DSS"),
    row("8.E1", "transactions a day", "10 million/day"),
    row("8.E2", "peak", "580 TPS"),
    row("8.E3", "average value", "$50"),
    row("8.E4", "daily volume", "$500 million"),
    row("8.E5", "success rate", "85 %"),
    row("8.E6", "messages", "1,160 msg/s"),
    row("8.E7", "downtime", "4.38 min/month"),
    row("8.T1", "Kafka or database", "Kafka adds event sourcing, scale"),
    row("8.T2", "idempotency window", "24 h"),
    row("8.T3", "provider failures", "backoff, max 5, then failed"),
    row("8.T4", "distributed locks", "Redis locks, a bottleneck at scale"),
    row("8.T5", "assumption", "85 % succeed; the happy path first"),
    row("8.T6", "PCI", "tokenise, no CVV, encrypt PII"),
    row("8.S1", "commit database and Kafka", "atomically"),
    row("8.S2", "release the lock", "delete in finally, no owner check"),
    row("8.S3", "a repeat in flight", "sleeps 100 ms once, then an error"),
    row("8.S4", "@Transactional", "around the provider's call"),
    row("8.S5", "a key with another body", "gets the first one's answer"),
];
