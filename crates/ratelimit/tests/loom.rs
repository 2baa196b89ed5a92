//! Every lock-free path in every interleaving: two or three threads by two checks.
//!
//! `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-ratelimit --release --test loom`
//!
//! Broken once to see it fail (November 2026), one at a time: the compare-exchanges of checks and
//! stripes as a load and a store, the fences of `shared.rs` left out. So without the second look at
//! the version in `Tunable::run`, `a_change_of_quota_beside_checks_loses_none_of_them` finds a check
//! of the old rule on a state of the new one; without the release fence of `VersionedCell::fill`,
//! `a_reader_whose_buffer_is_written_again_sees_one_whole_state` finds half of each. No model sees
//! the release of the store in `VersionedCell::thaw`.
#![cfg(archstone_loom)]

use archstone_core::shim::{Arc, model, thread};

/// Every interleaving with at most two preemptions (Musuvathi and Qadeer: nearly all bugs show
/// with two), for models whose whole space takes hours.
fn bounded(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 100_000;
    builder.check(body);
}
use archstone_ratelimit::*;

const NOW: Time = Time::from_secs(9);

fn spawn_all(count: usize, body: impl Fn(usize) -> u64 + Send + Sync + 'static) -> u64 {
    let body = Arc::new(body);
    let others: Vec<_> = (1..count)
        .map(|thread| {
            let body = body.clone();
            thread::spawn(move || body(thread))
        })
        .collect();
    let mine = body(0);
    mine + others.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
}

fn passes(verdict: Verdict) -> u64 {
    u64::from(verdict.is_allowed())
}

#[test]
fn two_threads_of_two_checks_pass_exactly_the_burst() {
    model(1, || {
        let limit = Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(3))));
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |_| passes(limit.check_at(NOW, 1)) + passes(limit.check_at(NOW, 1))
        });
        assert_eq!(passed, 3);
        assert_eq!(limit.peek_at(NOW, 0).remaining(), 0);
    });
}

#[test]
fn three_threads_pass_exactly_the_burst() {
    model(1, || {
        let limit = Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(2))));
        assert_eq!(spawn_all(3, move |_| passes(limit.check_at(NOW, 1))), 2);
    });
}

#[test]
fn a_state_of_several_words_passes_exactly_the_limit() {
    model(1, || {
        let rule = SlidingCounter::<1>::new(Quota::per_second(1).with_burst(1));
        let limit = Arc::new(Shared::new(rule));
        assert_eq!(spawn_all(2, move |_| passes(limit.check_at(NOW, 1))), 1);
    });
}

#[test]
fn a_state_of_several_words_is_never_read_torn() {
    model(1, || {
        let limit = Arc::new(Shared::new(SlidingLog::<2>::new(Quota::per_second(2))));
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |thread| {
                passes(limit.check_at(NOW + std::time::Duration::from_millis(thread as u64), 1))
            }
        });
        assert_eq!(passed, 2);
        assert!(!limit.check_at(NOW + std::time::Duration::from_millis(2), 1).is_allowed());
    });
}

#[test]
fn two_writers_of_several_words_never_share_a_buffer() {
    bounded(|| {
        let limit = Arc::new(Shared::new(SlidingCounter::<1>::new(Quota::per_second(4))));
        // The state has moved once: its buffer is held and the one it left is free.
        assert!(limit.check_at(NOW, 1).is_allowed());
        // Costs that differ, so that the state of the one is not that of the other.
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |thread| passes(limit.check_at(NOW, 1 + thread as u64))
        });
        assert_eq!(passed, 2);
        assert_eq!(limit.peek_at(NOW, 0).remaining(), 0);
    });
}

#[test]
fn a_reader_whose_buffer_is_written_again_sees_one_whole_state() {
    let second = std::time::Duration::from_secs(1);
    bounded(move || {
        let limit = Arc::new(Shared::new(SlidingCounter::<1>::new(Quota::per_second(4))));
        assert!(limit.check_at(NOW, 3).is_allowed());
        let seen = spawn_all(2, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => {
                    // To the other buffer, and back to the one the reader may be in.
                    assert!(limit.check_at(NOW + second, 1).is_allowed());
                    assert!(limit.check_at(NOW + 2 * second, 1).is_allowed());
                    0
                }
                _ => limit.peek_at(NOW + second, 0).remaining(),
            }
        });
        // Three of the window before, then one more, then the clock of the second check. The
        // instant of the first with the count of the last would be 3.
        assert!(seen <= 2, "{seen}");
    });
}

#[test]
fn a_refund_beside_a_check_restores_what_was_taken_and_no_more() {
    model(1, || {
        let limit = Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(2))));
        let grant = limit.check_at(NOW, 2).ok().unwrap();
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => {
                    assert_eq!(limit.refund_at(NOW, &grant, 1), 1);
                    0
                }
                _ => passes(limit.check_at(NOW, 1)) + passes(limit.check_at(NOW, 1)),
            }
        });
        assert!(passed <= 1);
        assert_eq!(limit.peek_at(NOW, 0).remaining(), 1 - passed);
    });
}

#[test]
fn a_change_of_quota_beside_checks_loses_none_of_them() {
    bounded(|| {
        let limit = Arc::new(Shared::tunable(Gcra::new(Quota::per_second(1).with_burst(1))));
        // Ticks of another length, so that a word of the one rule is nonsense to the other.
        let next = Quota::per_second(7).with_burst(2);
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => {
                    limit.set_quota_at(NOW, next, Carry::Used);
                    0
                }
                _ => passes(limit.check_at(NOW, 1)),
            }
        });
        // It passes under the one rule or the other, and what it used stays used.
        assert_eq!(passed, 1);
        assert_eq!(limit.quota(), next);
        assert_eq!(limit.peek_at(NOW, 0).remaining(), 1);
    });
}

#[test]
fn a_peek_beside_a_change_of_quota_is_of_one_rule() {
    bounded(|| {
        let limit = Arc::new(Shared::tunable(Gcra::new(Quota::per_second(1).with_burst(2))));
        let next = Quota::per_minute(1).with_burst(3);
        let seen = spawn_all(2, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => {
                    limit.set_quota_at(NOW, next, Carry::Used);
                    0
                }
                _ => limit.peek_at(NOW, 0).remaining(),
            }
        });
        // Two of the old; of the new three, less the tick that tells its word from the old one.
        // The room of the one by the unit of the other would be 180 or none.
        assert!((2..=3).contains(&seen), "{seen}");
    });
}

#[test]
fn a_check_of_the_old_rule_lands_on_no_same_word_of_the_new_one() {
    bounded(|| {
        let limit = Arc::new(Shared::tunable(Gcra::new(Quota::per_second(1).with_burst(1))));
        // Paid off at NOW: its word is that instant, as is that of a new rule with nothing in use.
        assert!(limit.check_at(Time::from_secs(8), 1).is_allowed());
        let next = Quota::per_minute(1).with_burst(2);
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => {
                    limit.set_quota_at(NOW, next, Carry::Used);
                    0
                }
                _ => passes(limit.check_at(NOW, 1)),
            }
        });
        assert_eq!(passed, 1);
        // A unit of the new rule is a minute, of the old one a second.
        assert!(limit.peek_at(NOW, 0).reset_after().as_secs() >= 60);
    });
}

#[test]
fn a_compound_beside_a_compound_charges_all_or_none() {
    model(1, || {
        let narrow = Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(1))));
        let wide = Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(2))));
        let passed = spawn_all(2, {
            let (narrow, wide) = (narrow.clone(), wide.clone());
            move |thread| {
                // In both orders.
                let result = if thread == 0 {
                    check_all(NOW, &[Part::new(&*narrow, 1), Part::new(&*wide, 1)])
                } else {
                    check_all(NOW, &[Part::new(&*wide, 1), Part::new(&*narrow, 1)])
                };
                u64::from(result.is_ok())
            }
        });
        // In no interleaving do both pass, and no part stays charged for one that did not.
        assert!(passed <= 1);
        assert_eq!(narrow.peek_at(NOW, 0).remaining(), 1 - passed);
        assert_eq!(wide.peek_at(NOW, 0).remaining(), 2 - passed);
    });
}

#[test]
fn compounds_of_two_threads_by_two_charge_all_or_none() {
    bounded(|| {
        let limit =
            |burst| Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(burst))));
        let (narrow, wide) = (limit(2), limit(3));
        let passed = spawn_all(2, {
            let (narrow, wide) = (narrow.clone(), wide.clone());
            move |thread| {
                let parts = [Part::new(&*narrow, 1), Part::new(&*wide, 1)];
                let parts = || {
                    if thread == 1 { [parts[1], parts[0]] } else { parts }
                };
                let check = || u64::from(check_all(NOW, &parts()).is_ok());
                check() + check()
            }
        });
        assert!(passed <= 2);
        assert_eq!(narrow.peek_at(NOW, 0).remaining(), 2 - passed);
        assert_eq!(wide.peek_at(NOW, 0).remaining(), 3 - passed);
    });
}

#[test]
fn a_change_of_quota_of_several_words_loses_no_check() {
    bounded(|| {
        let rule = SlidingCounter::<1>::new(Quota::per_second(1));
        let limit = Arc::new(Shared::tunable(rule));
        let next = Quota::per_second(3);
        let passed = spawn_all(2, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => {
                    limit.set_quota_at(NOW, next, Carry::Used);
                    0
                }
                _ => passes(limit.check_at(NOW, 1)),
            }
        });
        assert_eq!(passed, 1);
        assert_eq!(limit.peek_at(NOW, 0).remaining(), 2);
    });
}

#[test]
fn charges_and_reservations_beside_a_check_are_all_counted() {
    model(1, || {
        let limit = Arc::new(Shared::new(Gcra::new(Quota::per_second(1).with_burst(3))));
        let long = std::time::Duration::from_secs(60);
        let counted = spawn_all(3, {
            let limit = limit.clone();
            move |thread| match thread {
                0 => limit.charge_at(NOW, 2).cost(),
                1 => limit.reserve_at(NOW, 2, long).map_or(0, |(grant, _)| grant.cost()),
                _ => passes(limit.check_at(NOW, 1)),
            }
        });
        // Four or five of three are in use, by whether the check came before the others: one more
        // passes when as many seconds less two are over.
        let wait = limit.peek_at(NOW, 1).retry_after().unwrap().duration().unwrap();
        assert_eq!(wait.as_secs(), 2 + counted - 4);
    });
}

/// A striped limiter of 16 whose stripe holds one unit of long ago, and with all but two of what
/// the shared word holds in use: three units are left.
fn striped() -> Arc<Striped> {
    let limit = Striped::new(Quota::per_second(1).with_burst(16), 1);
    assert_eq!(limit.batch(), 2);
    assert!(limit.check_in_at(0, Time::ZERO, 1).is_ok());
    assert!(limit.check_in_at(0, NOW, 12).is_ok());
    Arc::new(limit)
}

#[test]
fn stripes_of_two_threads_never_pass_more_than_the_burst() {
    model(1, || {
        let limit = striped();
        let passed = spawn_all(2, move |_| {
            let take = || u64::from(limit.check_in_at(0, NOW, 1).is_ok());
            take() + take()
        });
        // What may be denied too early is what a lease held at that moment.
        assert!((2..=3).contains(&passed), "{passed}");
    });
}

#[test]
fn a_lane_beside_its_stripe_never_passes_more_than_the_burst() {
    model(1, || {
        let limit = striped();
        let passed = spawn_all(2, move |thread| {
            let mut passed = 0;
            if thread == 0 {
                if let Some(mut lane) = limit.lane() {
                    passed += u64::from(lane.check_at(NOW, 1).is_ok());
                    passed += u64::from(lane.check_at(NOW, 1).is_ok());
                }
            } else {
                passed += u64::from(limit.check_in_at(0, NOW, 1).is_ok());
                passed += u64::from(limit.check_in_at(0, NOW, 1).is_ok());
            }
            passed
        });
        assert!((2..=3).contains(&passed), "{passed}");
    });
}

#[test]
fn new_keys_of_two_threads_are_two_keys() {
    bounded(|| {
        let rule = Gcra::new(Quota::per_second(1).with_burst(1));
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let keyed: Keyed<u64, Gcra, Manual, ahash::RandomState> =
            Keyed::<u64>::builder(rule).capacity(8).build_with(Manual::default(), hasher);
        let keyed = Arc::new(keyed);
        let passed = spawn_all(2, {
            let keyed = keyed.clone();
            move |thread| {
                // Two keys in one shard, in both orders.
                let key = |n: u64| 7 + (n + thread as u64) % 2;
                passes(keyed.check_at(NOW, &key(0), 1)) + passes(keyed.check_at(NOW, &key(1), 1))
            }
        });
        assert_eq!(passed, 2);
        assert_eq!(keyed.len(), 2);
    });
}
