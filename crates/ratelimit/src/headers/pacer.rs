//! A client that keeps to what a server tells.

use super::parse::Fields;
use archstone_core::Time;
use core::time::Duration;

/// Spreads a client's requests over what the server says is left.
///
/// After a response with `remaining` units until a reset in `t`, requests are spaced `t / remaining`
/// apart; with none left, or after `Retry-After`, nothing is sent before the wait is over. Without
/// any field it never waits. State: 32 bytes; all times are the caller's.
///
/// ```
/// use archstone_ratelimit::headers::{Pacer, parse::Fields};
/// use archstone_ratelimit::Time;
/// use core::time::Duration;
///
/// let mut pacer = Pacer::new(Duration::from_secs(3_600));
/// let now = Time::from_secs(10);
/// assert_eq!(pacer.next_send(now), now);
///
/// let mut response = Fields::new(1_790_000_000);
/// response.add("RateLimit", r#""burst";r=4;t=20"#);
/// pacer.learn(response, now);
/// // Four requests in twenty seconds: one every five.
/// assert_eq!(pacer.next_send(now), now + Duration::from_secs(5));
/// pacer.sent(now + Duration::from_secs(5));
/// assert_eq!(pacer.next_send(now), now + Duration::from_secs(10));
/// ```
#[derive(Clone, Debug)]
pub struct Pacer {
    not_before: Time,
    spacing: Duration,
    longest: Duration,
}

impl Pacer {
    /// Sends at once until told otherwise; never waits longer than `longest` for one request,
    /// whatever a server claims.
    #[must_use]
    pub const fn new(longest: Duration) -> Self {
        Self { not_before: Time::ZERO, spacing: Duration::ZERO, longest }
    }

    /// Takes in the fields of a response received at `now`.
    pub fn learn(&mut self, response: Fields, now: Time) {
        let (limit, wait) = response.finish();
        if let Some(wait) = wait {
            self.spacing = Duration::ZERO;
            self.not_before = now + wait.min(self.longest);
            return;
        }
        let Some(limit) = limit else { return };
        let Some(reset) = limit.reset.filter(|_| limit.remaining > 0) else { return };
        let nanos = reset.as_nanos() / u128::from(limit.remaining);
        let spacing = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.spacing = spacing.min(self.longest);
        self.not_before = now + self.spacing;
    }

    /// The earliest instant at which to send, `now` or later.
    #[must_use]
    pub fn next_send(&self, now: Time) -> Time {
        // A clock that stepped back must not stretch a wait past the longest allowed.
        self.not_before.clamp(now, now + self.longest)
    }

    /// Notes that a request was sent at `now`: the next one keeps its distance.
    pub fn sent(&mut self, now: Time) {
        self.not_before = now + self.spacing;
    }
}
