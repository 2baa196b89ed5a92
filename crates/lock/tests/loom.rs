//! Every interleaving of the shard's lock with parking, cancelling, dropping and expiry.
//!
//! `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-lock --test loom`
#![cfg(archstone_loom)]

use archstone_core::shim::{Arc, thread};
use archstone_lock::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
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

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The waiter in front goes, before or after it is granted: the one behind is woken and granted all
/// the same.
#[test]
fn a_future_dropped_between_wake_and_poll_loses_no_wake_up() {
    model(|| {
        let mutex = Arc::new(KeyedMutex::<u64>::with_shards(1));
        let guard = mutex.try_lock(&1).unwrap();
        let other = mutex.clone();
        // Owns its mutex, so that another thread may drop it.
        let mut front = Box::pin(async move { drop(other.lock_async(&1).await) });
        assert!(front.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let woken = std::sync::Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut behind = mutex.lock_async(&1);
        assert!(Pin::new(&mut behind).poll(&mut context).is_pending());
        let goes = thread::spawn(move || drop(front));
        drop(guard);
        goes.join().unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(Pin::new(&mut behind).poll(&mut context).is_ready());
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
