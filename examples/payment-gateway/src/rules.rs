//! Which safeguards are on, as the code asks for them.

use kit::Safeguards;

/// One field a safeguard; see `design.rs` for what each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one line that can be switched off")]
#[allow(missing_docs)]
pub struct Rules {
    pub idempotency: bool,
    pub durable_key: bool,
    pub fingerprint: bool,
    pub write_ahead: bool,
    pub query_before_retry: bool,
    pub request_expiry: bool,
    pub unknown_is_not_failed: bool,
    pub once_only: bool,
    pub outbox: bool,
    pub inbox: bool,
    pub refund_reserve: bool,
    pub webhook_order: bool,
    pub webhook_signature: bool,
    pub sealed_vault: bool,
    pub velocity: bool,
    pub full_match: bool,
}

impl Rules {
    /// Everything on.
    pub const ALL: Self = Self {
        idempotency: true,
        durable_key: true,
        fingerprint: true,
        write_ahead: true,
        query_before_retry: true,
        request_expiry: true,
        unknown_is_not_failed: true,
        once_only: true,
        outbox: true,
        inbox: true,
        refund_reserve: true,
        webhook_order: true,
        webhook_signature: true,
        sealed_vault: true,
        velocity: true,
        full_match: true,
    };

    /// Those of a run.
    #[must_use]
    pub fn of(on: &Safeguards) -> Self {
        Self {
            idempotency: on.on("idempotency"),
            durable_key: on.on("durable-key"),
            fingerprint: on.on("fingerprint"),
            write_ahead: on.on("write-ahead"),
            query_before_retry: on.on("query-before-retry"),
            request_expiry: on.on("request-expiry"),
            unknown_is_not_failed: on.on("unknown-is-not-failed"),
            once_only: on.on("once-only"),
            outbox: on.on("outbox"),
            inbox: on.on("inbox"),
            refund_reserve: on.on("refund-reserve"),
            webhook_order: on.on("webhook-order"),
            webhook_signature: on.on("webhook-signature"),
            sealed_vault: on.on("sealed-vault"),
            velocity: on.on("velocity"),
            full_match: on.on("full-match"),
        }
    }
}
