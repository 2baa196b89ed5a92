//! Idempotency beyond the scripts: many keys whose time comes at one instant. A `begin` sweeps a few
//! of them; the others have to be read rightly where they lie.

use archstone_lock::idem::{Begin, Registry, Run};
use archstone_lock::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const KEYS: u64 = 3_000;

fn run(begin: Begin<u64>) -> Run {
    match begin {
        Begin::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn runs_that_died_at_one_instant_are_taken_over_at_it_by_their_second_attempt() {
    let registry = Registry::<u64, u64>::new(SECOND * 60);
    let ends = Time::from_secs(1);
    let died: Vec<Run> =
        (0..KEYS).map(|key| run(registry.begin(Time::ZERO, &key, 7, SECOND))).collect();
    assert!(died.iter().all(|run| run.until() == ends && run.attempt() == 1));
    for (key, died) in (0..KEYS).zip(died) {
        let next = run(registry.begin(ends, &key, 7, SECOND));
        assert_eq!(next.attempt(), 2, "of {key}");
        // The late one finishes nothing, the new one does.
        assert_eq!(registry.complete(ends, died, 1), Err(Gone));
        assert_eq!(registry.fail(ends, died), Err(Gone));
        registry.complete(ends, next, key).unwrap();
        assert_eq!(registry.begin(ends, &key, 7, SECOND), Begin::Replay(key));
    }
}

#[test]
fn a_key_past_its_retention_is_new_whether_swept_or_not() {
    let registry = Registry::<u64, u64>::new(SECOND * 10).keep_unfinished(SECOND * 5);
    for key in 0..KEYS {
        let run = run(registry.begin(Time::ZERO, &key, 7, SECOND));
        match key % 3 {
            0 => registry.complete(Time::ZERO, run, key).unwrap(),
            1 => registry.fail(Time::ZERO, run).unwrap(),
            _ => {} // dies at 1 s
        }
    }
    // What is remembered to the last nanosecond: results for ten seconds, runs without one for five.
    let before = |secs: u64| Time::from_nanos(secs * 1_000_000_000 - 1);
    for key in 0..30 {
        let (kept, past) = match key % 3 {
            0 => (before(10), Time::from_secs(10)),
            1 => (before(5), Time::from_secs(5)),
            _ => (before(6), Time::from_secs(6)),
        };
        let other = Registry::<u64, u64>::new(SECOND * 10).keep_unfinished(SECOND * 5);
        let first = run(other.begin(Time::ZERO, &key, 7, SECOND));
        match key % 3 {
            0 => other.complete(Time::ZERO, first, key).unwrap(),
            1 => other.fail(Time::ZERO, first).unwrap(),
            _ => {}
        }
        assert_eq!(other.begin(kept, &key, 8, SECOND), Begin::Mismatch, "{key}");
        assert_eq!(run(other.begin(past, &key, 8, SECOND)).attempt(), 1, "{key}");
    }
    // All at once, of which each `begin` sweeps four: the new request's digest counts from now on.
    let late = Time::from_secs(10);
    for key in 0..KEYS {
        let begun = run(registry.begin(late, &key, 8, SECOND));
        assert_eq!(begun.attempt(), 1, "of {key}");
        assert_eq!(registry.begin(late, &key, 7, SECOND), Begin::Mismatch);
        assert_eq!(registry.begin(late, &key, 8, SECOND), Begin::InFlight(begun.until()));
    }
    assert_eq!(registry.len(), KEYS as usize);
    // They die, and no older result comes up again.
    let dead = Time::from_secs(11);
    for key in 0..KEYS {
        assert_eq!(run(registry.begin(dead, &key, 8, SECOND)).attempt(), 2, "of {key}");
    }
}

#[test]
fn keys_go_by_and_by_without_a_sweep() {
    let registry = Registry::<u64, u64>::new(SECOND);
    for key in 0..100_000 {
        let now = Time::from_millis(key);
        let run = run(registry.begin(now, &key, 7, SECOND));
        registry.complete(now, run, key).unwrap();
    }
    // A thousand are within their retention; a shard that nobody asks keeps what it has.
    assert!(registry.len() < 2_000, "{}", registry.len());
}

#[test]
fn a_run_of_another_registry_and_one_without_time() {
    let (one, two) = (Registry::<u64, u64>::new(SECOND), Registry::<u64, u64>::new(SECOND));
    // Of so many, some have the same place and number in both.
    for key in 0..KEYS {
        let mine = run(one.begin(Time::ZERO, &key, 7, SECOND));
        run(two.begin(Time::ZERO, &key, 7, SECOND));
        assert_eq!(two.complete(Time::ZERO, mine, 1), Err(Gone));
        assert_eq!(two.extend(Time::ZERO, mine, SECOND), Err(ExtendError::Gone));
    }
    let shortest = run(one.begin(Time::ZERO, &KEYS, 7, Duration::ZERO));
    assert_eq!(shortest.until(), Time::from_nanos(1));
    assert_eq!(one.begin(Time::ZERO, &KEYS, 7, SECOND), Begin::InFlight(shortest.until()));
}
