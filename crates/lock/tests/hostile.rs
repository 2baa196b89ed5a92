//! Inputs that break peers: zero, the largest, the wrong, the late.

#[path = "common/script.rs"]
mod script;

use archstone_lock::idem::{Begin, Registry};
use archstone_lock::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn refused(result: Result<Lease, AcquireError>) -> Invalid {
    match result {
        Err(AcquireError::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_can_never_be_granted_says_why() {
    let table = LeaseTable::<u64>::builder().capacity(|&key| [0, 3][key.min(1) as usize]).build();
    let all = |demands: &[Demand<u64>]| table.acquire_all(Time::ZERO, demands, SECOND);
    assert_eq!(refused(table.try_acquire(Time::ZERO, &1, Duration::ZERO)), Invalid::ZeroTtl);
    assert_eq!(
        refused(table.acquire_all(Time::ZERO, &[Demand::exclusive(1)], Duration::ZERO)),
        Invalid::ZeroTtl
    );
    assert_eq!(refused(all(&[])), Invalid::NoDemand);
    assert_eq!(refused(all(&[Demand::exclusive(0)])), Invalid::NoPermit(0), "capacity 0");
    assert_eq!(refused(all(&[Demand::permits(1, 0)])), Invalid::NoPermit(0));
    assert_eq!(
        refused(all(&[Demand::permits(1, 4)])),
        Invalid::TooMany { demand: 0, permits: 4, capacity: 3 }
    );
    assert_eq!(
        refused(all(&[Demand::shared(1), Demand::exclusive(1).over(5, 4)])),
        Invalid::EmptySpan(1)
    );
    assert_eq!(refused(all(&[Demand::exclusive(1).over(5, 5)])), Invalid::EmptySpan(0));
    assert_eq!(
        refused(all(&[Demand::shared(1), Demand::shared(2), Demand::shared(1)])),
        Invalid::Twice(0, 2)
    );
    assert_eq!(
        refused(all(&[Demand::shared(1).over(0, 5), Demand::shared(1).over(4, 6)])),
        Invalid::Twice(0, 1)
    );
    assert!(
        all(&[Demand::shared(1).over(0, 5), Demand::shared(1).over(5, 6)]).is_ok(),
        "they touch"
    );
    table.audit();
}

#[test]
fn times_saturate_and_far_deadlines_are_kept() {
    let table = LeaseTable::<u64>::new();
    let lease = table.try_acquire(Time::MAX, &1, Duration::MAX).unwrap();
    assert_eq!(lease.until(), Time::MAX);
    assert_eq!(table.extend(Time::MAX, lease, Duration::MAX), Ok(Time::MAX));
    assert!(table.release(Time::MAX, lease).is_ok());
    // Beyond what timer wheels of others reach.
    let table = LeaseTable::<u64>::new();
    let century = Duration::from_secs(100 * 366 * 86_400);
    let lease = table.try_acquire(Time::ZERO, &1, century).unwrap();
    let mut events = Vec::new();
    table.advance(lease.until() - Duration::from_nanos(1), &mut events);
    assert!(events.is_empty() && table.status(Time::ZERO, lease).is_some());
    table.advance(lease.until(), &mut events);
    assert_eq!(events, [Event::Expired(lease)]);
    table.audit();
}

#[test]
fn ranges_at_the_ends_of_the_number_line() {
    let table = LeaseTable::<u64>::new();
    let all = [Demand::exclusive(1).over(i64::MIN, i64::MAX)];
    let lease = table.acquire_all(Time::ZERO, &all, SECOND).unwrap();
    assert!(table.try_acquire(Time::ZERO, &1, SECOND).is_err());
    assert_eq!(table.used(Time::ZERO, &1, i64::MAX), 0);
    assert_eq!(table.used(Time::ZERO, &1, i64::MIN), READERS);
    table.release(Time::ZERO, lease).unwrap();
    assert!(table.is_empty());
    table.audit();
}

#[test]
fn tokens_of_another_table_and_old_ones_change_nothing() {
    let (one, two) = (LeaseTable::<u64>::new(), LeaseTable::<u64>::new());
    let lease = one.try_acquire(Time::ZERO, &1, SECOND).unwrap();
    let other = two.try_acquire(Time::ZERO, &1, SECOND).unwrap();
    assert_eq!(two.release(Time::ZERO, lease), Err(Gone));
    assert_eq!(two.extend(Time::ZERO, lease, SECOND), Err(ExtendError::Gone));
    assert!(two.status(Time::ZERO, other).is_some());
    one.release(Time::ZERO, lease).unwrap();
    // The same slot, the same key, a later grant: 100,000 of them.
    for _ in 0..100_000 {
        let again = one.try_acquire(Time::ZERO, &1, SECOND).unwrap();
        assert!(again.fence() > lease.fence());
        assert_eq!(one.release(Time::ZERO, lease), Err(Gone));
        one.release(Time::ZERO, again).unwrap();
    }
    assert!(one.is_empty());
}

#[test]
fn fences_go_on_after_a_restart() {
    let old = LeaseTable::<u64>::new();
    let last = old.try_acquire(Time::ZERO, &1, SECOND).unwrap().fence();
    let new = LeaseTable::<u64>::builder().fences_after(old.highest_fence().unwrap()).build();
    assert!(new.try_acquire(Time::ZERO, &1, SECOND).unwrap().fence() > last);
}

#[test]
fn waiters_are_bounded_and_cancelled_ones_make_room() {
    let table = LeaseTable::<u64>::builder().max_waiters(2).build();
    let _lease = table.try_acquire(Time::ZERO, &1, SECOND).unwrap();
    let ask = || {
        table.enqueue(
            Time::ZERO,
            &Request { demands: &[Demand::exclusive(1)], ttl: SECOND, wait: SECOND },
        )
    };
    let Ok(Outcome::Waiting(first)) = ask() else { panic!() };
    assert!(ask().is_ok());
    assert_eq!(ask(), Err(AcquireError::Full(2)));
    table.cancel(Time::ZERO, first).unwrap();
    assert_eq!(table.cancel(Time::ZERO, first), Err(Gone));
    assert!(ask().is_ok());
    table.audit();
}

#[test]
fn a_lost_key_stays_closed_for_the_lock_delay_and_a_released_one_does_not() {
    let table = LeaseTable::<u64>::builder().lock_delay(SECOND * 5).build();
    let ask = |at| table.try_acquire(Time::from_secs(at), &1, SECOND);
    let lease = ask(0).unwrap();
    table.release(Time::ZERO, lease).unwrap();
    let lease = ask(0).unwrap();
    assert!(table.release(Time::from_secs(1), lease).is_err());
    assert!(ask(1).is_err() && ask(5).is_err());
    table.audit();
    assert!(ask(6).is_ok());
    // The same for what has a book: a reader.
    let table = LeaseTable::<u64>::builder().lock_delay(SECOND * 5).build();
    let reader = table.acquire_all(Time::ZERO, &[Demand::shared(1)], SECOND).unwrap();
    let mut events = Vec::new();
    table.advance(Time::from_secs(1), &mut events);
    assert_eq!(events, [Event::Expired(reader)]);
    assert!(table.try_acquire(Time::from_secs(5), &1, SECOND).is_err());
    table.audit();
    assert!(table.try_acquire(Time::from_secs(6), &1, SECOND).is_ok());
}

#[test]
fn a_hold_ends_at_the_longest_hold_whatever_is_asked() {
    let table = LeaseTable::<u64>::builder().max_hold(SECOND * 10).build();
    let lease = table.try_acquire(Time::ZERO, &1, SECOND * 60).unwrap();
    assert_eq!(lease.until(), Time::from_secs(10));
    assert_eq!(table.extend(Time::from_secs(9), lease, SECOND * 60), Ok(Time::from_secs(10)));
    // The same for a reader, and for a request that waited: counted from its own grant on.
    let table = LeaseTable::<u64>::builder().max_hold(SECOND * 10).build();
    let reader = table.acquire_all(Time::ZERO, &[Demand::shared(2)], SECOND * 60).unwrap();
    assert_eq!(reader.until(), Time::from_secs(10));
    let wait = Request { demands: &[Demand::exclusive(2)], ttl: SECOND * 60, wait: SECOND * 60 };
    assert!(matches!(table.enqueue(Time::from_secs(4), &wait), Ok(Outcome::Waiting(_))));
    table.release(Time::from_secs(5), reader).unwrap();
    let mut events = Vec::new();
    table.advance(Time::from_secs(5), &mut events);
    let [Event::Granted(_, waited)] = events[..] else { panic!("{events:?}") };
    assert_eq!(waited.until(), Time::from_secs(15));
    assert_eq!(table.extend(Time::from_secs(6), waited, SECOND * 60), Ok(Time::from_secs(15)));
    table.audit();
    let zero = LeaseTable::<u64>::builder().max_hold(Duration::ZERO).build();
    assert!(zero.try_acquire(Time::ZERO, &1, SECOND).is_err());
}

#[test]
fn overbooking_is_a_capacity() {
    let (rooms, extra) = (20, 2);
    let table = LeaseTable::<&str>::builder().capacity(move |_| rooms + extra).build();
    let stay =
        || table.acquire_all(Time::ZERO, &[Demand::permits("double", 1).over(10, 13)], SECOND);
    let held: Vec<_> = (0..22).map(|_| stay().unwrap()).collect();
    assert!(stay().is_err());
    table.confirm(Time::ZERO, held[0]).unwrap();
    // Holds that were not confirmed are gone after their time, the booking is not.
    assert_eq!(table.used(Time::from_secs(1), &"double", 12), 1);
}

#[test]
fn idempotency_is_bounded_and_forgets_in_time() {
    let registry = Registry::<u64, u64>::new(SECOND).max_keys(64);
    let mut full = 0;
    for key in 0..10_000 {
        match registry.begin(Time::ZERO, &key, 1, SECOND) {
            Begin::Run(run) if key % 2 == 0 => registry.complete(Time::ZERO, run, key).unwrap(),
            Begin::Full => full += 1,
            _ => {}
        }
    }
    assert!(registry.len() <= 64 && full >= 10_000 - 64);
    registry.sweep(Time::from_secs(10));
    assert!(registry.is_empty(), "results after their time, dead runs after theirs");
    let forever = Registry::<u64, u64>::new(Duration::MAX);
    let Begin::Run(run) = forever.begin(Time::MAX, &1, 1, Duration::MAX) else { panic!() };
    assert_eq!(forever.extend(Time::MAX, run, Duration::ZERO), Err(ExtendError::ZeroTtl));
    assert!(forever.complete(Time::MAX, run, 1).is_ok());
    assert!(forever.complete(Time::MAX, run, 1).is_err());
    assert_eq!(registry.complete(Time::MAX, run, 1), Err(Gone), "a run of another registry");
}

/// Peers keep 32 bits of a generation, or wrap a count: a token must never come true again.
#[test]
fn more_grants_than_32_bits_count() {
    let before = Fence::new(u64::from(u32::MAX) - 2).unwrap();
    let table = LeaseTable::<u64>::builder().fences_after(before).build();
    let mut old = Vec::new();
    for _ in 0..8 {
        let lease = table.try_acquire(Time::ZERO, &1, SECOND).unwrap();
        assert!(old.iter().all(|old: &Lease| old.fence() < lease.fence()));
        assert!(old.iter().all(|old| table.status(Time::ZERO, *old).is_none()));
        table.release(Time::ZERO, lease).unwrap();
        old.push(lease);
    }
    assert!(old[7].fence().get() > u64::from(u32::MAX));
}

/// A timer that has fired is not taken out again (tokio#868 and others).
#[test]
fn a_lease_that_has_fired_is_released_and_extended_in_vain() {
    let table = LeaseTable::<u64>::new();
    let leases: Vec<Lease> =
        (0..100).map(|key| table.try_acquire(Time::ZERO, &key, SECOND).unwrap()).collect();
    let mut events = Vec::new();
    table.advance(Time::from_secs(1), &mut events);
    assert_eq!(events.len(), 100);
    for lease in leases {
        assert_eq!(table.release(Time::from_secs(1), lease), Err(Gone));
        assert_eq!(table.extend(Time::from_secs(1), lease, SECOND), Err(ExtendError::Gone));
    }
    assert!(table.is_empty());
    table.audit();
}

#[test]
fn protocols_refuse_what_cannot_work_and_ignore_strangers() {
    use archstone_lock::protocol::elect::{Candidate, Record, Terms};
    use archstone_lock::protocol::redlock::{Redlock, Reply, Step, Unusable};
    use archstone_lock::protocol::saga::{BadSteps, Saga};
    use archstone_lock::protocol::two_phase::{Action, Coordinator, Decision, Vote};
    assert_eq!(Redlock::new(0, SECOND), Err(Unusable::Nodes(0)));
    assert_eq!(Redlock::new(65, SECOND), Err(Unusable::Nodes(65)));
    assert_eq!(Redlock::new(3, Duration::ZERO), Err(Unusable::Ttl { ttl: 0, drift: 2 }));
    assert_eq!(Redlock::new(3, Duration::from_millis(2)), Err(Unusable::Ttl { ttl: 2, drift: 2 }));
    assert!(Redlock::with_drift(3, SECOND, u32::MAX, Duration::MAX).is_err());
    let longest = Redlock::new(64, Duration::MAX).unwrap();
    let mut round = longest.acquire(Time::MAX - SECOND);
    assert_eq!(round.nodes().len(), 64);
    assert_eq!(round.on_reply(Time::MAX - SECOND, usize::MAX, Reply::Granted), Step::Late);
    let steps = (0..33).map(|n| round.on_reply(Time::MAX - SECOND, n, Reply::Granted));
    assert!(matches!(steps.last(), Some(Step::Acquired(held)) if held.until() == Time::MAX));

    assert!(
        Terms::new(SECOND, Duration::ZERO).is_err() && Terms::new(Duration::ZERO, SECOND).is_err()
    );
    assert!(Terms::new(SECOND, SECOND * 2).is_err());
    assert!(
        Terms::with_drift(SECOND, 1_000_000).is_err()
            && Terms::with_drift(SECOND, u32::MAX).is_err()
    );
    let forever = Terms::with_drift(Duration::MAX, 0).unwrap();
    let mut candidate = Candidate::new(1, forever);
    let last = Record { holder: 1, version: u64::MAX, duration: Duration::MAX };
    let _ = candidate.observe(Time::MAX, Some(&last));
    assert!(candidate.won(Time::ZERO, u64::MAX, Time::MAX).is_err(), "time is at its end");
    assert!(!candidate.may_act(Time::MAX));

    assert_eq!(Saga::<u8>::new([]).unwrap_err(), BadSteps::None);
    assert_eq!(Saga::new([1, 2, 1]).unwrap_err(), BadSteps::Twice(0, 2));
    assert_eq!(Saga::new([1]).unwrap().with_pivot(&2).unwrap_err(), BadSteps::NoSuchPivot);

    let (mut bank, first) = Coordinator::<u8>::begin([]);
    assert_eq!(first, Action::Log(Decision::Commit));
    assert_eq!(bank.logged(), Action::Forget);
    let (mut bank, _) = Coordinator::begin([1]);
    assert_eq!(
        (bank.vote(&9, Vote::No), bank.ack(&9), bank.logged()),
        (Action::Wait, Action::Wait, Action::Wait)
    );
}

#[test]
fn replies_and_times_to_live_that_redis_never_gives() {
    use archstone_lock::redis::{self, Acquired, MAX_TTL};
    assert!(redis::acquire("k", "c", "o", Duration::from_micros(999)).is_err());
    assert!(redis::extend("k", "o", MAX_TTL + Duration::from_millis(1)).is_err());
    assert!(redis::redlock_acquire("k", "o", Duration::MAX).is_err());
    assert_eq!(redis::acquire("k", "c", "o", MAX_TTL).unwrap().args[1], (1_u64 << 52).to_string());
    assert_eq!(redis::decode_acquire(&[0, -1]), Ok(Acquired::Busy { left: None }));
    for reply in [&[][..], &[0], &[0, -2], &[-1, 5], &[5, 0], &[1, 2, 3]] {
        assert!(redis::decode_acquire(reply).is_err(), "{reply:?}");
    }
    assert_eq!(redis::decode_extend(&[0, 0]), Ok(Err(Gone)));
    assert_eq!(redis::decode_extend(&[1, -1]), Ok(Ok(Duration::MAX)));
    assert!(redis::decode_extend(&[2, 0]).is_err() && redis::decode_done(-1).is_err());
}

#[test]
fn the_script_reader_survives_any_text() {
    let good = include_str!("data/scenarios.scn");
    script::any_text(good);
    let mut random = 1_u64;
    for _ in 0..3_000 {
        let mut bytes = good.as_bytes()[..1_500].to_vec();
        for _ in 0..4 {
            random = archstone_core_mix(random);
            let at = random as usize % bytes.len();
            bytes[at] = (random >> 32) as u8;
        }
        script::any_text(&String::from_utf8_lossy(&bytes));
    }
    assert_eq!(
        script::read("t=1 x -> y"),
        Err(script::Malformed { line: 0, why: "a script without a name or model" })
    );
    assert_eq!(script::read("t=x y -> z").unwrap_err().line, 1);
}

/// SplitMix64's step.
fn archstone_core_mix(value: u64) -> u64 {
    archstone_core::hash::mix(value.wrapping_add(0x9E37_79B9_7F4A_7C15))
}
