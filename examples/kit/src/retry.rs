//! When to try again: exponential backoff with jitter.

use crate::generate::Stream;
use archstone_core::Time;
use std::time::Duration;

/// A retry policy. Time and randomness are the caller's, so that a simulation can drive it.
///
/// Jitter after Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
///
/// ```
/// use kit::retry::{Jitter, Retry};
/// use kit::{Seed, Time};
/// use std::time::Duration;
///
/// let policy = Retry::new(Duration::from_millis(100), Duration::from_secs(2), 4);
/// let mut stream = Seed::new(1).stream("retry");
/// let mut attempts = policy.start(Time::ZERO);
/// let mut now = Time::ZERO;
/// // ... the first attempt failed:
/// while let Some(at) = attempts.failed(now, &mut stream) {
///     now = at; // wait until then, try again, fail again
/// }
/// assert_eq!(attempts.made(), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    base: Duration,
    cap: Duration,
    max_attempts: u32,
    jitter: Jitter,
    deadline: Option<Duration>,
}

/// How a delay is spread, so that clients that failed together do not return together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Not at all: `base * 2^n`. For showing the herd that follows.
    None,
    /// Anywhere between 0 and `base * 2^n`.
    #[default]
    Full,
    /// Half of `base * 2^n`, and anywhere up to the other half.
    Equal,
    /// Anywhere between `base` and three times the last delay.
    Decorrelated,
}

/// One operation's attempts under a [`Retry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempts {
    policy: Retry,
    give_up: Time,
    made: u32,
    last_delay: Duration,
}

impl Retry {
    /// Delays of `base`, doubled each time up to `cap`, with full jitter; `max_attempts` in all,
    /// the first one included (0 is taken as 1). A `cap` below `base` is taken as `base`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration, max_attempts: u32) -> Self {
        let (cap, max_attempts) = (cap.max(base), max_attempts.max(1));
        Self { base, cap, max_attempts, jitter: Jitter::default(), deadline: None }
    }

    /// The same with another jitter.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The same, but never an attempt later than `span` after the first.
    #[must_use]
    pub const fn with_deadline(mut self, span: Duration) -> Self {
        self.deadline = Some(span);
        self
    }

    /// The first attempt is made at `now`.
    #[must_use]
    pub fn start(self, now: Time) -> Attempts {
        let give_up = self.deadline.map_or(Time::MAX, |span| now + span);
        Attempts { policy: self, give_up, made: 1, last_delay: self.base }
    }

    fn delay(&self, retry: u32, last: Duration, stream: &mut Stream) -> Duration {
        let full = self.base.saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX));
        let full = full.min(self.cap);
        match self.jitter {
            Jitter::None => full,
            Jitter::Full => stream.between(Duration::ZERO, just_past(full)),
            Jitter::Equal => full - stream.between(Duration::ZERO, just_past(full / 2)),
            Jitter::Decorrelated => {
                stream.between(self.base, just_past(last.saturating_mul(3))).min(self.cap)
            }
        }
    }
}

impl Attempts {
    /// The last attempt failed at `now`: when to try again, or `None` to give up because the
    /// attempts are used up or the next one would come after the deadline.
    pub fn failed(&mut self, now: Time, stream: &mut Stream) -> Option<Time> {
        if self.made >= self.policy.max_attempts {
            return None;
        }
        let delay = self.policy.delay(self.made - 1, self.last_delay, stream);
        let at = now.checked_add(delay).filter(|&at| at <= self.give_up)?;
        self.made += 1;
        self.last_delay = delay;
        Some(at)
    }

    /// Attempts made or promised so far.
    #[must_use]
    pub const fn made(&self) -> u32 {
        self.made
    }
}

/// The end of a half-open range that includes `span`.
fn just_past(span: Duration) -> Duration {
    span.saturating_add(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Seed;
    use proptest::prelude::*;

    fn jitter() -> impl Strategy<Value = Jitter> {
        prop_oneof![
            Just(Jitter::None),
            Just(Jitter::Full),
            Just(Jitter::Equal),
            Just(Jitter::Decorrelated)
        ]
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    proptest! {
        /// The model: attempt `n` waits a delay within the bounds that the definition gives,
        /// never more than `max` attempts, never one after the deadline.
        #[test]
        fn every_delay_is_within_the_bounds_of_its_definition(
            base in 0_u64..1_000, cap in 0_u64..100_000, max in 0_u32..80, jitter in jitter(),
            deadline in proptest::option::of(0_u64..100_000), seed: u64, start: u64,
            work in proptest::collection::vec(0_u64..500, 80),
        ) {
            let mut policy = Retry::new(millis(base), millis(cap), max).with_jitter(jitter);
            if let Some(ms) = deadline {
                policy = policy.with_deadline(millis(ms));
            }
            let (base, cap) = (millis(base), millis(cap).max(millis(base)));
            let start = Time::from_nanos(start);
            let limit = deadline.map_or(Time::MAX, |ms| start + millis(ms));
            let mut stream = Seed::new(seed).stream("retry");
            let mut attempts = policy.start(start);
            let (mut now, mut last) = (start, base);
            for n in 0..max.max(1) {
                now += millis(work[n as usize]);
                let Some(at) = attempts.failed(now, &mut stream) else {
                    let used_up = n + 1 == max.max(1);
                    // The shortest delay that could have been drawn would still have been late.
                    let could_be_late = now.checked_add(cap).is_none_or(|at| at > limit);
                    prop_assert!(used_up || could_be_late);
                    return Ok(());
                };
                prop_assert!(n + 1 < max, "attempt {} of {max}", n + 2);
                prop_assert!(at <= limit);
                let delay = at.since(now);
                let full = cap.as_nanos().min(base.as_nanos() << n.min(60));
                let full = Duration::from_nanos(full as u64);
                let (low, high) = match jitter {
                    Jitter::None => (full, full),
                    Jitter::Full => (Duration::ZERO, full),
                    Jitter::Equal => (full - full / 2, full),
                    Jitter::Decorrelated => (base, (last * 3).min(cap).max(base)),
                };
                prop_assert!(low <= delay && delay <= high, "{low:?} <= {delay:?} <= {high:?}");
                last = delay;
                now = at;
            }
            prop_assert!(false, "never gave up");
        }
    }

    #[test]
    fn full_jitter_uses_the_whole_range_evenly() {
        let policy = Retry::new(Duration::from_secs(1), Duration::from_secs(1), 2);
        let mut stream = Seed::new(5).stream("retry");
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            let at = policy.start(Time::ZERO).failed(Time::ZERO, &mut stream).unwrap();
            tenths[(at.as_millis() / 100).min(9) as usize] += 1;
        }
        // 1,000 a tenth, deviation 30; 5 deviations: false alarm under 1 in 100,000.
        assert!(tenths.iter().all(|&n| n.abs_diff(1_000) < 150), "{tenths:?}");
    }

    #[test]
    fn hostile_spans_saturate() {
        let policy = Retry::new(Duration::MAX, Duration::MAX, u32::MAX).with_jitter(Jitter::None);
        let mut stream = Seed::new(1).stream("retry");
        assert_eq!(policy.start(Time::MAX).failed(Time::MAX, &mut stream), None);
        for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            let mut attempts = policy.with_jitter(jitter).start(Time::ZERO);
            let _ = attempts.failed(Time::ZERO, &mut stream);
        }
        let mut never = Retry::new(Duration::ZERO, Duration::ZERO, 0).start(Time::ZERO);
        assert_eq!(never.failed(Time::ZERO, &mut stream), None);
    }
}
