//! Every interleaving of the shard's lock with parking, cancelling, dropping and expiry.
//!
//! `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-lock --test loom`
#![cfg(archstone_loom)]

use archstone_core::shim::{Arc, thread};
use archstone_lock::*;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

/// Every interleaving with at most two preemptions (Musuvathi and Qadeer).
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 100_000;
    builder.check(body);
}

fn table()
-> Arc<LeaseTable<u64, std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>>> {
    Arc::new(LeaseTable::builder().shards(2).build_with_hasher(Default::default()))
}

#[test]
fn two_threads_never_hold_one_key() {
    model(|| {
        let table = table();
        let other = table.clone();
        let acquire =
            |table: &LeaseTable<u64, _>| table.try_acquire(Time::ZERO, &1, Duration::from_secs(1));
        let theirs = thread::spawn(move || acquire(&other).is_ok());
        let mine = acquire(&table).is_ok();
        assert!(mine != theirs.join().unwrap());
        table.audit();
    });
}

#[test]
fn a_blocked_thread_is_woken() {
    model(|| {
        let mutex = Arc::new(KeyedMutex::<u64>::with_shards(1));
        let guard = mutex.try_lock(&1).unwrap();
        let other = mutex.clone();
        let waits = thread::spawn(move || drop(other.lock(&1)));
        drop(guard);
        waits.join().unwrap();
        assert!(mutex.is_empty());
    });
}

/// The waiter in front goes, before or after it is granted: the one behind is granted all the same.
#[test]
fn a_future_dropped_between_wake_and_poll_loses_no_wake_up() {
    model(|| {
        let mutex = Arc::new(KeyedMutex::<u64>::with_shards(1));
        let mut context = Context::from_waker(Waker::noop());
        let (mut front, mut behind) = (mutex.lock_async(&1), mutex.lock_async(&1));
        let other = mutex.clone();
        let (sender, receiver) = loom::sync::mpsc::channel();
        let holds = thread::spawn(move || {
            let guard = other.try_lock(&1);
            sender.send(()).unwrap();
            drop(guard);
        });
        receiver.recv().unwrap();
        let granted = Pin::new(&mut front).poll(&mut context).is_ready();
        let _ = Pin::new(&mut behind).poll(&mut context);
        drop(front);
        holds.join().unwrap();
        assert!(Pin::new(&mut behind).poll(&mut context).is_ready(), "granted before: {granted}");
        drop(behind);
        assert!(mutex.is_empty());
    });
}

#[test]
fn release_races_with_expiry_and_one_of_them_ends_it() {
    model(|| {
        let table = table();
        let ms = Time::from_millis;
        let lease = table.try_acquire(ms(0), &1, Duration::from_millis(5)).unwrap();
        let wait = Request {
            demands: &[Demand::exclusive(1)],
            ttl: Duration::from_millis(50),
            wait: Duration::from_secs(1),
        };
        let Ok(Outcome::Waiting(ticket)) = table.enqueue(ms(1), &wait) else { panic!() };
        let other = table.clone();
        let released = thread::spawn(move || other.release(ms(4), lease).is_ok());
        let mut events = Vec::new();
        table.advance(ms(5), &mut events);
        let released = released.join().unwrap();
        table.advance(ms(5), &mut events);
        let expired = events.iter().filter(|e| matches!(e, Event::Expired(_))).count();
        let granted =
            events.iter().filter(|e| matches!(e, Event::Granted(t, _) if *t == ticket)).count();
        assert_eq!((expired, granted), (usize::from(!released), 1));
        table.audit();
    });
}

#[test]
fn groups_in_opposite_order_do_not_deadlock() {
    model(|| {
        let table = table();
        let other = table.clone();
        let take = |table: &LeaseTable<u64, _>, keys: [u64; 2]| {
            let demands = keys.map(Demand::exclusive);
            let lease = table.acquire_all(Time::ZERO, &demands, Duration::from_secs(1));
            lease.is_ok_and(|lease| table.release(Time::ZERO, lease).is_ok())
        };
        let theirs = thread::spawn(move || take(&other, [1, 2]));
        let mine = take(&table, [2, 1]);
        assert!(theirs.join().unwrap() || mine);
        table.audit();
        assert!(table.is_empty());
    });
}

/// A cancelled request never also reports a grant, and what it would have held is free.
#[test]
fn cancel_races_with_the_grant() {
    model(|| {
        let table = table();
        let lease = table.try_acquire(Time::ZERO, &1, Duration::MAX).unwrap();
        let wait =
            Request { demands: &[Demand::exclusive(1)], ttl: Duration::MAX, wait: Duration::MAX };
        let Ok(Outcome::Waiting(ticket)) = table.enqueue(Time::ZERO, &wait) else { panic!() };
        let other = table.clone();
        let cancelled = thread::spawn(move || other.cancel(Time::ZERO, ticket).is_ok());
        table.release(Time::ZERO, lease).unwrap();
        let cancelled = cancelled.join().unwrap();
        let mut events = Vec::new();
        table.advance(Time::ZERO, &mut events);
        let granted = events.iter().any(|e| matches!(e, Event::Granted(..)));
        assert!(granted != cancelled);
        assert_eq!(table.is_empty(), cancelled);
        table.audit();
    });
}
