//! The failure schedules that lock services are known to break under, by name, through the public API.
//!
//! Two need threads and are in `loom.rs`: an async waiter that is dropped between wake and poll, and a
//! release that races with expiry.

use archstone_lock::claim::{Nack, Queue};
use archstone_lock::idem::{Begin, Registry};
use archstone_lock::protocol::elect::{Action, Candidate, Record, Terms};
use archstone_lock::protocol::redlock::{Redlock, Reply, Step};
use archstone_lock::protocol::saga::{Command, Outcome as Came, Saga};
use archstone_lock::protocol::two_phase::{self, Coordinator, Decision, Participant, Vote};
use archstone_lock::txn::{Access, LockManager, Policy, Verdict};
use archstone_lock::*;
use std::time::Duration;

const fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

const fn span(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn wait<'a>(demands: &'a [Demand<&'static str>], ttl: u64, wait: u64) -> Request<'a, &'static str> {
    Request { demands, ttl: span(ttl), wait: span(wait) }
}

fn ticket(outcome: Result<Outcome, AcquireError>) -> Ticket {
    match outcome {
        Ok(Outcome::Waiting(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn events(table: &LeaseTable<&'static str>, at: u64) -> Vec<Event> {
    let mut events = Vec::new();
    table.advance(ms(at), &mut events);
    table.audit();
    events
}

fn granted(events: &[Event]) -> Vec<(Ticket, Lease)> {
    let one = |event: &Event| match event {
        Event::Granted(ticket, lease) => Some((*ticket, *lease)),
        _ => None,
    };
    events.iter().filter_map(one).collect()
}

#[test]
fn s01_an_expired_owner_writes_with_its_old_fence() {
    let (table, gate) = (LeaseTable::<&str>::new(), FenceGate::new());
    let slept = table.try_acquire(ms(0), &"k", span(10)).unwrap();
    let next = table.try_acquire(ms(10), &"k", span(10)).unwrap();
    assert!(gate.pass(next.fence()).is_ok());
    assert_eq!(gate.pass(slept.fence()), Err(Stale { highest: next.fence() }));
}

#[test]
fn s02_the_clock_steps_back_and_then_far_forward() {
    let table = LeaseTable::<&str>::new();
    let lease = table.try_acquire(ms(1_000), &"k", span(10)).unwrap();
    assert!(table.try_acquire(ms(0), &"k", span(10)).is_err(), "back: it stands still");
    assert_eq!(table.extend(ms(0), lease, span(20)), Ok(ms(1_020)), "counted from the latest");
    let century = ms(100 * 366 * 86_400_000);
    assert_eq!(table.status(century, lease), None);
    assert_eq!(table.status(ms(1_001), lease), None, "nothing revives it");
    let next = table.try_acquire(ms(5), &"k", span(10)).unwrap();
    assert_eq!(next.until(), century + span(10));
    table.audit();
}

/// Before sending, after the reply, during the extension: longer than the time to live each time.
#[test]
fn s03_a_pause_longer_than_the_time_to_live() {
    let lock = Redlock::new(1, span(1_000)).unwrap();
    // Begun at 0, sent and answered after the pause: the validity counts from 0.
    let mut round = lock.acquire(ms(0));
    assert!(matches!(round.on_reply(ms(5_000), 0, Reply::Granted), Step::Failed { .. }));
    // Answered in time, then the pause: the holder can see it.
    let mut round = lock.acquire(ms(0));
    let Step::Acquired(held) = round.on_reply(ms(1), 0, Reply::Granted) else { panic!() };
    assert_eq!(held.remaining(ms(5_000)), Duration::ZERO);
    assert!(lock.extend(ms(5_000), held).is_err(), "an extension revives nothing");
    // The extension begins in time and is answered after the end.
    assert_eq!(held.until(), ms(988));
    let mut round = lock.extend(ms(900), held).unwrap();
    assert!(matches!(round.on_reply(ms(988), 0, Reply::Granted), Step::Failed { .. }));
    // The same in the table: what was extended too late is another's.
    let table = LeaseTable::<&str>::new();
    let slept = table.try_acquire(ms(0), &"k", span(1_000)).unwrap();
    let next = table.try_acquire(ms(1_000), &"k", span(1_000)).unwrap();
    assert_eq!(table.extend(ms(1_001), slept, span(1_000)), Err(ExtendError::Gone));
    assert_eq!(table.status(ms(1_001), next), Some(ms(2_000)));
}

#[test]
fn s04_a_double_release() {
    let table = LeaseTable::<&str>::new();
    let lease = table.try_acquire(ms(0), &"k", span(10)).unwrap();
    assert_eq!(table.release(ms(1), lease), Ok(()));
    assert_eq!(table.release(ms(1), lease), Err(Gone));
    assert!(table.is_empty());
}

#[test]
fn s05_a_stale_release_is_retried_after_the_same_owner_acquired_again() {
    let table = LeaseTable::<&str>::new();
    let first = table.try_acquire(ms(0), &"k", span(10)).unwrap();
    table.release(ms(1), first).unwrap();
    let second = table.try_acquire(ms(2), &"k", span(10)).unwrap();
    assert_eq!(table.release(ms(3), first), Err(Gone), "the answer to the first had got lost");
    assert_eq!(table.status(ms(3), second), Some(ms(12)));
}

#[test]
fn s06_an_extension_after_the_end_with_nobody_waiting() {
    let table = LeaseTable::<&str>::new();
    let lease = table.try_acquire(ms(0), &"k", span(10)).unwrap();
    assert_eq!(table.extend(ms(10), lease, span(10)), Err(ExtendError::Gone));
    assert_eq!(table.confirm(ms(10), lease), Err(Gone));
    assert_eq!(table.release(ms(10), lease), Err(Gone));
}

#[test]
fn s07_a_herd_waits_for_one_end() {
    let table = LeaseTable::new();
    let demand = [Demand::exclusive("k")];
    let _lease = table.try_acquire(ms(0), &"k", span(10)).unwrap();
    let herd: Vec<Ticket> =
        (0..500).map(|_| ticket(table.enqueue(ms(1), &wait(&demand, 10, 10_000)))).collect();
    let granted = granted(&events(&table, 10));
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0].0, herd[0], "the first that came");
}

#[test]
fn s08_a_waiters_deadline_at_the_instant_of_the_end() {
    let table = LeaseTable::new();
    let demand = [Demand::exclusive("k")];
    let lease = table.try_acquire(ms(0), &"k", span(10)).unwrap();
    let late = ticket(table.enqueue(ms(0), &wait(&demand, 10, 10)));
    let behind = ticket(table.enqueue(ms(0), &wait(&demand, 10, 11)));
    let told = events(&table, 10);
    assert!(told.contains(&Event::Expired(lease)) && told.contains(&Event::TimedOut(late)));
    assert_eq!(granted(&told).iter().map(|g| g.0).collect::<Vec<_>>(), [behind], "half-open");
}

#[test]
fn s09_the_head_waiter_is_cancelled() {
    let table = LeaseTable::new();
    let (reader, writer) = ([Demand::shared("k")], [Demand::exclusive("k")]);
    let _lease = table.acquire_all(ms(0), &reader, span(1_000)).unwrap();
    let head = ticket(table.enqueue(ms(1), &wait(&writer, 10, 100)));
    let behind = ticket(table.enqueue(ms(2), &wait(&reader, 10, 100)));
    assert!(granted(&events(&table, 3)).is_empty());
    table.cancel(ms(4), head).unwrap();
    assert_eq!(granted(&events(&table, 4))[0].0, behind, "it stood behind the writer alone");
}

#[test]
fn s12_a_big_request_behind_a_stream_of_small_ones() {
    let table = LeaseTable::builder().capacity(|_| 3).build();
    let (small, big) = ([Demand::permits("k", 1)], [Demand::permits("k", 3)]);
    let first = table.acquire_all(ms(0), &small, span(10_000)).unwrap();
    let wants_all = ticket(table.enqueue(ms(1), &wait(&big, 10, 10_000)));
    for at in 2..100 {
        assert!(table.acquire_all(ms(at), &small, span(10)).is_err(), "nobody passes it");
    }
    table.release(ms(100), first).unwrap();
    assert_eq!(granted(&events(&table, 100))[0].0, wants_all);
}

#[test]
fn s13_a_stream_of_readers_against_a_writer() {
    let table = LeaseTable::new();
    let (reader, writer) = ([Demand::shared("k")], [Demand::exclusive("k")]);
    let mut last = table.acquire_all(ms(0), &reader, span(10_000)).unwrap();
    let writes = ticket(table.enqueue(ms(1), &wait(&writer, 10, 10_000)));
    let readers: Vec<Ticket> =
        (2..50).map(|at| ticket(table.enqueue(ms(at), &wait(&reader, 10, 10_000)))).collect();
    table.release(ms(50), last).unwrap();
    let told = granted(&events(&table, 50));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, writes);
    last = told[0].1;
    table.release(ms(51), last).unwrap();
    assert_eq!(granted(&events(&table, 51)).len(), readers.len(), "then all readers together");
}

#[test]
fn s14_ranges_that_touch_and_ranges_without_a_point() {
    let table = LeaseTable::new();
    let stay = |lo, hi| table.acquire_all(ms(0), &[Demand::exclusive("r").over(lo, hi)], span(10));
    assert!(stay(10, 13).is_ok());
    // A waiter bars its own nights, not those that touch them, from either side.
    let nights = [Demand::exclusive("r").over(10, 13)];
    ticket(table.enqueue(ms(0), &wait(&nights, 10, 100)));
    assert!(stay(13, 15).is_ok() && stay(8, 10).is_ok());
    assert!(matches!(stay(20, 20), Err(AcquireError::Invalid(Invalid::EmptySpan(0)))));
    assert!(matches!(stay(12, 14), Err(AcquireError::Busy(_))));
}

#[test]
fn s15_the_overbooking_limit_holds_on_every_night() {
    let table = LeaseTable::builder().capacity(|_| 10 + 1).build();
    let stay =
        |lo| table.acquire_all(ms(0), &[Demand::permits("double", 1).over(lo, lo + 2)], span(9));
    assert!((0..11).all(|n| stay(n % 2).is_ok()), "night 1 has eleven");
    assert!(stay(0).is_err() && stay(1).is_err());
    assert!(stay(2).is_ok(), "night 2 has five");
}

#[test]
fn s16_two_groups_in_opposite_order() {
    let table = LeaseTable::new();
    let one = [Demand::exclusive("a"), Demand::exclusive("b")];
    let two = [Demand::exclusive("b"), Demand::exclusive("a")];
    let lease = table.acquire_all(ms(0), &one, span(1_000)).unwrap();
    let second = ticket(table.enqueue(ms(1), &wait(&two, 10, 10_000)));
    let third = ticket(table.enqueue(ms(2), &wait(&one, 10, 10_000)));
    assert_eq!(table.used(ms(2), &"c", 0), 0);
    table.release(ms(3), lease).unwrap();
    assert_eq!(granted(&events(&table, 3))[0].0, second);
    assert_eq!(granted(&events(&table, 13))[0].0, third);
}

#[test]
fn s17_two_upgraders() {
    for policy in [Policy::Detect, Policy::WoundWait, Policy::WaitDie, Policy::NoWait] {
        let mut locks = LockManager::<&str>::new(policy);
        let (one, two) = (locks.begin(), locks.begin());
        assert_eq!(locks.lock(one, "k", Access::Shared), Verdict::Granted);
        assert_eq!(locks.lock(two, "k", Access::Shared), Verdict::Granted);
        let first = locks.lock(one, "k", Access::Exclusive);
        let second = locks.lock(two, "k", Access::Exclusive);
        locks.audit();
        match policy {
            Policy::Detect => assert_eq!((first, second), (Verdict::Wait, Verdict::Deadlock)),
            _ => assert_eq!((first, second), (Verdict::Die, Verdict::Granted), "{policy:?}"),
        }
        let survivor = if policy == Policy::Detect { one } else { two };
        assert_eq!(locks.commit(survivor), Ok(()), "{policy:?}");
    }
}

#[test]
fn s18_a_circle_of_three() {
    let mut locks = LockManager::<&str>::new(Policy::Detect);
    let txns = [locks.begin(), locks.begin(), locks.begin()];
    let keys = ["a", "b", "c"];
    for n in 0..3 {
        assert_eq!(locks.lock(txns[n], keys[n], Access::Exclusive), Verdict::Granted);
    }
    // The youngest waits first; the oldest closes the circle, and the youngest dies.
    assert_eq!(locks.lock(txns[2], keys[0], Access::Exclusive), Verdict::Wait);
    assert_eq!(locks.lock(txns[1], keys[2], Access::Exclusive), Verdict::Wait);
    assert_eq!(locks.lock(txns[0], keys[1], Access::Exclusive), Verdict::Wait);
    let told = locks.events();
    let died: Vec<_> = told.iter().filter(|e| matches!(e, txn::Event::Deadlock(_))).collect();
    assert_eq!(died, [&txn::Event::Deadlock(txns[2])]);
    assert!(locks.is_live(txns[0]) && locks.is_live(txns[1]));
    locks.audit();
}

#[test]
fn s19_a_runner_crashes_between_effect_and_result() {
    let registry = Registry::<u64, &str>::new(span(1_000));
    let Begin::Run(first) = registry.begin(ms(0), &1, 7, span(10)) else { panic!() };
    assert_eq!(registry.begin(ms(9), &1, 7, span(10)), Begin::InFlight(ms(10)));
    let Begin::Run(second) = registry.begin(ms(10), &1, 7, span(10)) else { panic!() };
    assert_eq!(second.attempt(), 2, "look before doing it again");
    assert_eq!(registry.complete(ms(11), first, "late"), Err(Gone));
    registry.complete(ms(12), second, "done").unwrap();
    assert_eq!(registry.begin(ms(13), &1, 7, span(10)), Begin::Replay("done"));
}

#[test]
fn s20_a_job_that_kills_its_workers() {
    let mut queue = Queue::<&str>::new(3);
    queue.push(ms(0), "poison", ms(0));
    queue.push(ms(0), "good", ms(31));
    for turn in 0..3_u64 {
        let at = ms(turn * 10 + 1);
        let claimed = queue.claim(at, 1, span(10));
        assert_eq!((claimed[0].0, claimed[0].1.attempt()), ("poison", turn as u32 + 1));
    }
    assert_eq!(queue.dead(ms(31)), ["poison"]);
    let good = queue.claim(ms(31), 9, span(10));
    assert_eq!(good.iter().map(|c| c.0).collect::<Vec<_>>(), ["good"]);
    assert_eq!(queue.nack(ms(32), good[0].1, span(0)), Ok(Nack::Again));
}

#[test]
fn s21_a_late_grant_of_redlock() {
    let mut round = Redlock::new(3, span(1_000)).unwrap().acquire(ms(0));
    assert_eq!(round.on_reply(ms(1), 0, Reply::Failed), Step::Wait);
    let step = round.give_up(ms(2));
    let Step::Failed { release, .. } = step else { panic!("{step:?}") };
    assert_eq!(release.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    for _ in 0..2 {
        assert_eq!(round.on_reply(ms(3), 1, Reply::Granted), Step::Release(1));
    }
}

/// What happens when the rule is not kept is in `explorer/redlock.rs`.
#[test]
fn s22_a_lock_node_restarts_within_the_time_to_live() {
    // The nodes are tables; a restarted one is new and forgets, so it answers nothing for a while.
    let nodes = [(); 3].map(|()| LeaseTable::<&str>::new());
    let lock = Redlock::new(3, span(1_000)).unwrap();
    let round = |at: u64, nodes: &[Option<&LeaseTable<&'static str>>; 3]| {
        let mut round = lock.acquire(ms(at));
        let mut last = Step::Wait;
        for (n, node) in nodes.iter().enumerate() {
            let reply = match node.map(|node| node.try_acquire(ms(at), &"k", lock.ttl())) {
                None => Reply::Failed,
                Some(Ok(_)) => Reply::Granted,
                Some(Err(_)) => Reply::Refused,
            };
            match round.on_reply(ms(at), n, reply) {
                Step::Wait | Step::Late => {}
                step => last = step,
            }
        }
        last
    };
    let one = round(0, &[Some(&nodes[0]), Some(&nodes[1]), None]);
    assert!(matches!(one, Step::Acquired(_)));
    let fresh = LeaseTable::new();
    assert!(!matches!(round(1, &[None, Some(&nodes[1]), Some(&nodes[2])]), Step::Acquired(_)));
    // Had it answered at once, a majority would have been two rounds'.
    let wrong = LeaseTable::new();
    let other = LeaseTable::new();
    assert!(matches!(round(2, &[Some(&wrong), None, Some(&other)]), Step::Acquired(_)));
    assert!(matches!(round(1_003, &[Some(&fresh), Some(&nodes[1]), None]), Step::Acquired(_)));
}

#[test]
fn s23_the_coordinator_crashes_before_and_after_its_decision() {
    for decided in [false, true] {
        let (mut bank, _) = Coordinator::begin([0, 1]);
        let mut shops = [Participant::new(), Participant::new()];
        for shop in &mut shops {
            let _ = (shop.prepare(true), shop.logged());
            assert!(shop.in_doubt());
        }
        let mut log = None;
        let _ = bank.vote(&0, Vote::Yes);
        if decided {
            assert_eq!(bank.vote(&1, Vote::Yes), two_phase::Action::Log(Decision::Commit));
            log = Some(Decision::Commit);
        }
        let (bank, _) = Coordinator::recover([0, 1], log);
        let expected = if decided { Decision::Commit } else { Decision::Abort };
        for shop in &mut shops {
            assert_eq!(shop.timeout(), two_phase::Reaction::Ask);
            let _ = (shop.decide(bank.decision().unwrap()), shop.logged());
            assert_eq!(shop.decision(), Some(expected));
        }
    }
}

#[test]
fn s24_an_unknown_outcome_in_a_saga() {
    // The charge happened, its answer got lost, the service cannot say: it is undone, then the rest.
    let saga = Saga::new(["reserve", "charge"]).unwrap();
    let mut run = saga.start();
    let mut effects = vec![];
    while !run.is_over() {
        let command = run.command();
        let came = match command {
            Command::Do(step) => {
                effects.push(step);
                if step == "charge" { Came::Unknown } else { Came::Done }
            }
            Command::Query(_) => Came::Unknown,
            Command::Undo(step) => {
                assert_eq!(effects.pop(), Some(step), "in reverse");
                Came::Done
            }
            _ => unreachable!(),
        };
        run.report(command, came).unwrap();
    }
    assert!(run.command() == Command::Compensated && effects.is_empty());
}

/// A report on an earlier command changes nothing: the charge succeeds while it is being undone.
#[test]
fn s24b_a_step_that_succeeds_after_all() {
    let saga = Saga::new(["charge"]).unwrap();
    let mut run = saga.start();
    run.report(Command::Do("charge"), Came::Unknown).unwrap();
    run.report(Command::Query("charge"), Came::Unknown).unwrap();
    assert!(run.report(Command::Do("charge"), Came::Done).is_err());
    assert_eq!((run.command(), run.attempt()), (Command::Undo("charge"), 1));
    run.report(Command::Undo("charge"), Came::Failed).unwrap();
    run.report(Command::Undo("charge"), Came::Unknown).unwrap();
    assert_eq!((run.command(), run.attempt()), (Command::Undo("charge"), 3), "never given up");
}

/// Two crashes and recoveries in the middle of it: the log alone decides.
#[test]
fn s24c_a_saga_recovers_twice() {
    let saga = Saga::new(["reserve", "charge"]).unwrap();
    let mut log = Vec::new();
    let report = |came, log: &mut Vec<_>| {
        let mut run = saga.recover(log.clone()).unwrap();
        let command = run.command();
        log.push(run.report(command, came).unwrap());
        command
    };
    assert_eq!(report(Came::Unknown, &mut log), Command::Query("reserve"), "perhaps it was sent");
    assert_eq!(report(Came::Done, &mut log), Command::Undo("reserve"));
    assert_eq!(saga.recover(log.clone()).unwrap().command(), Command::Compensated);
    // Without crashes the same reports mean something else: the log keeps them apart.
    let mut run = saga.start();
    run.report(Command::Do("reserve"), Came::Unknown).unwrap();
    run.report(Command::Query("reserve"), Came::Done).unwrap();
    assert_eq!(run.command(), Command::Do("charge"));
    // A log of other steps is refused.
    let other = Saga::new(["ship"]).unwrap();
    assert!(other.recover(log).is_err());
}

#[test]
fn s25_the_holders_duration_is_not_mine() {
    let terms = Terms::new(span(15_000), span(10_000)).unwrap();
    let mut me = Candidate::new("b", terms);
    let record = Record { holder: "a", version: 1, duration: span(60_000) };
    assert_eq!(me.observe(ms(0), Some(&record)), Action::Wait { until: ms(60_000) });
    assert_eq!(me.observe(ms(15_000), Some(&record)), Action::Wait { until: ms(60_000) });
    let resigned = Record { holder: "a", version: 2, duration: Duration::ZERO };
    assert_eq!(me.observe(ms(15_001), Some(&resigned)), Action::Try { expect: 2 });
}
