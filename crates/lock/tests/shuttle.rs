//! Random schedules of what is too large for loom: several threads, keys and requests at once.
//!
//! `RUSTFLAGS="--cfg archstone_shuttle" cargo test -p archstone-lock --release --test shuttle`
#![cfg(archstone_shuttle)]

use archstone_core::shim::{Arc, model, thread};
use archstone_lock::*;
use std::collections::hash_map::DefaultHasher;
use std::future::Future;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

type Table = LeaseTable<u64, BuildHasherDefault<DefaultHasher>>;

fn table() -> Arc<Table> {
    Arc::new(LeaseTable::builder().shards(2).build_with_hasher(Default::default()))
}

/// Random schedules of each model: some seconds for all three.
const SCHEDULES: usize = 2_000;

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Groups of overlapping keys, taken, extended and released by four threads under a running clock.
#[test]
fn groups_never_share_a_key_and_nothing_is_left() {
    model(SCHEDULES, || {
        let table = table();
        let held: Arc<[AtomicUsize; 3]> = Arc::new(Default::default());
        let threads = (0..4_u64).map(|n| {
            let (table, held) = (Arc::clone(&table), Arc::clone(&held));
            thread::spawn(move || {
                for turn in 0..2 {
                    let now = Time::from_millis(turn);
                    let keys = [n % 3, (n + 1) % 3];
                    let demands = keys.map(Demand::exclusive);
                    let Ok(lease) = table.acquire_all(now, &demands, Duration::from_secs(1)) else {
                        continue;
                    };
                    for key in keys {
                        assert_eq!(
                            held[key as usize].fetch_add(1, Ordering::SeqCst),
                            0,
                            "alone (I1)"
                        );
                    }
                    thread::yield_now();
                    assert!(table.extend(now, lease, Duration::from_secs(2)).is_ok());
                    for key in keys {
                        held[key as usize].fetch_sub(1, Ordering::SeqCst);
                    }
                    table.release(now, lease).unwrap();
                }
            })
        });
        join(threads.collect());
        table.audit();
        assert!(table.is_empty());
    });
}

/// Waiters of several keys, a thread that cancels, one that advances: each request has one fate.
#[test]
fn each_waiting_request_has_exactly_one_fate() {
    model(SCHEDULES, || {
        let table = table();
        let ms = Time::from_millis;
        let first = table.try_acquire(ms(0), &1, Duration::from_millis(5)).unwrap();
        let ask = |key: [u64; 2], wait| {
            let demands = key.map(Demand::exclusive);
            let (ttl, wait) = (Duration::from_millis(3), Duration::from_millis(wait));
            match table.enqueue(ms(0), &Request { demands: &demands, ttl, wait }) {
                Ok(Outcome::Waiting(ticket)) => ticket,
                other => panic!("{other:?}"),
            }
        };
        let tickets = [ask([1, 2], 50), ask([2, 1], 4), ask([1, 3], 50)];
        let cancelled = Arc::new(AtomicUsize::new(0));
        let (a, b, c) = (Arc::clone(&table), Arc::clone(&table), Arc::clone(&cancelled));
        let threads = vec![
            thread::spawn(move || {
                let _ = a.release(ms(4), first);
            }),
            thread::spawn(move || {
                c.fetch_add(usize::from(b.cancel(ms(4), tickets[2]).is_ok()), Ordering::SeqCst);
            }),
        ];
        let mut events = Vec::new();
        for at in [4, 5, 9, 20, 60] {
            table.advance(ms(at), &mut events);
        }
        join(threads);
        table.advance(ms(100), &mut events);
        table.audit();
        let fates = |ticket: Ticket| {
            let of = |event: &&Event| matches!(event, Event::Granted(t, _) | Event::TimedOut(t) if *t == ticket);
            events.iter().filter(of).count()
        };
        let gone = cancelled.load(Ordering::SeqCst);
        assert_eq!([fates(tickets[0]), fates(tickets[1]), fates(tickets[2]) + gone], [1, 1, 1]);
        assert!(table.is_empty());
    });
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocking and async users of one key, some of whom give up half way.
#[test]
fn a_mutex_serves_all_who_stay() {
    model(SCHEDULES, || {
        let mutex = Arc::new(KeyedMutex::<u64>::with_shards(1));
        let inside = Arc::new(AtomicUsize::new(0));
        let threads = (0..4).map(|n| {
            let (mutex, inside) = (Arc::clone(&mutex), Arc::clone(&inside));
            thread::spawn(move || {
                let waker = Waker::from(Arc::new(Unpark(thread::current())));
                let mut context = Context::from_waker(&waker);
                let mut waits = Box::pin(mutex.lock_async(&1));
                let guard = loop {
                    match waits.as_mut().poll(&mut context) {
                        Poll::Ready(guard) => break guard,
                        // One goes away while it waits.
                        Poll::Pending if n == 3 => return,
                        Poll::Pending => thread::park(),
                    }
                };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(guard);
            })
        });
        join(threads.collect());
        assert!(mutex.is_empty());
    });
}
