//! What a client is told: the fields of RFC 9651 drafts, the old `X-` ones, `Retry-After`, a body.

use crate::gate::{Caller, Dimension, Limits, Standing};
use crate::sample;
use archstone_ratelimit::headers::{
    Legacy, Limit, Limits as LimitList, Policies, Policy, Problem, ProblemKind, RATELIMIT,
    RATELIMIT_POLICY, RETRY_AFTER, Reset, RetryAfter,
};
use std::time::Duration;

/// The longest `t` that is told: a long window told to all at once invites them all back at its
/// end.
const LONGEST_RESET: Duration = Duration::from_secs(3_600);

/// A field's name and value.
pub type Field = (&'static str, String);

/// The fields of an answer: every policy, how each stands, and the tightest in the old form.
///
/// `X-RateLimit-Reset` is in seconds since 1970, as GitHub has it; `unix` is now.
#[must_use]
pub fn fields(standings: &[Standing], blocker: Option<Dimension>, unix: u64) -> Vec<Field> {
    let policies: Vec<_> = standings.iter().filter_map(policy).collect();
    let limits: Vec<_> = standings.iter().filter_map(limit).collect();
    let mut fields = vec![
        (RATELIMIT_POLICY, Policies(&policies).to_string()),
        (RATELIMIT, LimitList(&limits).to_string()),
    ];
    let tightest = match blocker {
        Some(by) => standings.iter().find(|standing| standing.dimension == by),
        None => standings.iter().min_by_key(|standing| standing.remaining),
    };
    if let Some(tightest) = tightest {
        let reset = unix.saturating_add(tightest.full_in.as_secs_f64().ceil() as u64);
        let (limit, remaining) = (tightest.quota.rate().amount(), tightest.remaining);
        let legacy = Legacy { limit, remaining, reset: Reset::UnixSeconds(reset) };
        fields.extend(legacy.fields().map(|(name, value)| (name, value.to_string())));
    }
    fields
}

/// `RateLimit-Policy` alone, where nobody knows what is left: the store is away.
#[must_use]
pub fn policies(limits: &Limits, caller: &Caller<'_>) -> Field {
    let named = |dimension: Dimension| {
        let quota = limits.of(dimension, caller.tier);
        let policy = Policy::new(dimension.name(), quota.rate().amount()).ok()?;
        Some(policy.window(quota.rate().period().as_secs()))
    };
    let policies: Vec<_> = Dimension::of(caller).filter_map(named).collect();
    (RATELIMIT_POLICY, Policies(&policies).to_string())
}

fn policy(standing: &Standing) -> Option<Policy<'static>> {
    let rate = standing.quota.rate();
    let policy = Policy::new(standing.dimension.name(), rate.amount()).ok()?;
    Some(policy.window(rate.period().as_secs()))
}

fn limit(standing: &Standing) -> Option<Limit<'static>> {
    let limit = Limit::new(standing.dimension.name(), standing.remaining).ok()?;
    Some(match standing.more_in {
        Some(more) => limit.reset_capped(more, LONGEST_RESET),
        None => limit,
    })
}

/// `Retry-After` of a denial: rounded up, never 0, whatever remains. With `honest` off, the sample
/// code's. `None`: the client is told nothing.
#[must_use]
pub fn retry_after(wait: Duration, remaining: u64, honest: bool) -> Option<Field> {
    if honest {
        return Some((RETRY_AFTER, RetryAfter(wait).to_string()));
    }
    sample::retry_after(remaining, wait).map(|seconds| (RETRY_AFTER, seconds.to_string()))
}

/// The body of a denial, `application/problem+json`.
#[must_use]
pub fn problem(by: Dimension) -> String {
    let policies = [by.name()];
    let (kind, status) = (ProblemKind::QuotaExceeded, 429);
    Problem { kind, status, policies: &policies }.to_string()
}
