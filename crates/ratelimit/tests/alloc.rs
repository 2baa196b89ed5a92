//! What allocates nothing, counted: every verb on every holder, compounds, headers as they are
//! written.
#![cfg(feature = "std")]

use archstone_ratelimit::headers::{
    Legacy, Limit, Limits, Pacer, Policies, Policy, Problem, ProblemKind, Reset,
    RetryAfter as RetryAfterField, Unit, parse::Fields,
};
use archstone_ratelimit::*;
use std::fmt::Write;
use std::time::Duration;
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

fn verbs<A: Algorithm>(rule: A, name: &str) {
    let (mut local, shared) = (Local::new(rule), Shared::new(rule));
    let tunable = Limiter::tunable(rule, Manual::default());
    let keyed: Keyed<u64, A> = Keyed::<u64, A>::builder(rule).build();
    assert!(keyed.check_at(Time::ZERO, &7, 1).is_allowed());
    let ((), used) = measure(|| {
        for at in 0..50 {
            let now = Time::from_millis(at * 400);
            let _ = (local.check_at(now, 1), local.peek_at(now, 2), local.take_up_to_at(now, 3));
            let _ = (shared.check_at(now, 1), shared.peek_at(now, 2), shared.charge_at(now, 1));
            if let Ok((grant, _)) = shared.reserve_at(now, 1, Duration::from_secs(9)) {
                let _ = shared.refund_at(now, &grant, 1);
            }
            let _ = (tunable.check_n(2), tunable.more_after());
            tunable.set_quota(Quota::per_second(3 + at as u32 % 2), Carry::Used);
            let verdict = keyed.check_at(now, &7, 1);
            let _ = (verdict.remaining(), verdict.reset_after(), verdict.retry_after());
            let key = keyed.key(&7);
            let _ = check_all(now, &[Part::new(&key, 1), Part::new(&shared, 1)]).map(|pass| {
                let _ = pass.tightest();
            });
        }
    });
    assert_eq!(used.allocations, 0, "{name}");
}

#[test]
fn no_verb_of_any_algorithm_allocates() {
    let quota = Quota::per_second(3);
    verbs(Gcra::new(quota), "gcra");
    verbs(TokenBucket::new(quota), "token bucket");
    verbs(LeakyBucket::new(quota), "leaky bucket");
    verbs(IntervalBucket::new(quota, Time::ZERO), "interval bucket");
    verbs(FixedWindow::new(quota), "fixed window");
    verbs(CalendarWindow::new(3, Every::Minute), "calendar window");
    verbs(SlidingLog::<8>::new(quota), "sliding log");
    verbs(SlidingCounter::<8>::new(quota), "sliding counter");
    verbs(WarmUp::new(quota, Duration::from_secs(2), 3), "warm-up");
}

#[test]
fn shapers_and_stripes_allocate_nothing_on_the_way() {
    let shaper = Shaper::new(Rate::per_second(9), 5);
    let striped = Striped::new(Quota::per_second(1_000), 2);
    let ((), used) = measure(|| {
        let mut lane = striped.lane();
        for at in 0..50 {
            let now = Time::from_millis(at * 30);
            let _ = shaper.offer_at(now, 1).map(|departure| shaper.cancel_at(now, &departure));
            let _ = (striped.check_in_at(1, now, 1), striped.check_in_at(1, now, 900));
            let _ = lane.as_mut().map(|lane| lane.check_at(now, 1));
        }
    });
    assert_eq!(used.allocations, 0);
}

/// A buffer on the stack.
struct Fixed([u8; 512], usize);

impl Write for Fixed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.0.get_mut(self.1..self.1 + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.1 += text.len();
        Ok(())
    }
}

#[test]
fn fields_and_problems_are_written_without_allocation() {
    let (text, used) = measure(|| {
        let mut out = Fixed([0; 512], 0);
        let policy = Policy::new("a \"quoted\" name", 100).unwrap().window(60);
        let policy = policy.unit(Unit::ContentBytes).partition_key(b"\x00\xff key");
        let limit = Limit::new("burst", 3)
            .unwrap()
            .reset_capped(Duration::from_secs(99), Duration::from_secs(9));
        let wait = RetryAfterField(Duration::from_millis(1));
        let problem =
            Problem { kind: ProblemKind::QuotaExceeded, status: 429, policies: &["burst"] };
        write!(out, "{} {} {wait} {problem}", Policies(&[policy, policy]), Limits(&[limit]))
            .unwrap();
        let legacy = Legacy { limit: 1, remaining: 0, reset: Reset::UnixSeconds(7) };
        for (name, value) in legacy.fields() {
            write!(out, " {name}: {value}").unwrap();
        }
        out
    });
    assert_eq!(used.allocations, 0);
    assert!(text.1 > 300, "{}", text.1);
}

#[test]
fn a_client_reads_the_fields_without_a_list_and_paces_without_allocation() {
    let mut pacer = Pacer::new(Duration::from_secs(60));
    let ((), used) = measure(|| {
        for at in 0..20 {
            let now = Time::from_secs(at);
            let mut seen = Fields::new(1_790_000_000);
            seen.add("X-RateLimit-Limit", "100");
            seen.add("X-RateLimit-Remaining", "5");
            seen.add("X-RateLimit-Reset", "50");
            seen.add("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT");
            assert_eq!(seen.quota(), Some(100));
            pacer.learn(seen, now);
            pacer.sent(pacer.next_send(now));
        }
    });
    assert_eq!(used.allocations, 0);
}
