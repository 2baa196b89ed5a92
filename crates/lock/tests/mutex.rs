//! The façades, which block: they need `std`.
#![cfg(feature = "std")]

use archstone_lock::*;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn threads_exclude_each_other_key_by_key_and_nothing_is_left() {
    let mutex = KeyedMutex::<u64>::with_shards(2);
    let counts: [AtomicUsize; 3] = Default::default();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (mutex, counts) = (&mutex, &counts);
            scope.spawn(move || {
                for n in 0..2_000 {
                    let key = (n + thread) % 3;
                    let _guard = mutex.lock(&key);
                    // Not atomic on purpose: only the lock makes it so.
                    let seen = counts[key as usize].load(Ordering::Relaxed);
                    counts[key as usize].store(seen + 1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(counts.iter().map(|c| c.load(Ordering::Relaxed)).sum::<usize>(), 8_000);
    assert!(mutex.is_empty());
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>, waker: &Waker) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(guard) => Some(guard),
        Poll::Pending => None,
    }
}

#[test]
fn futures_are_served_in_order_and_a_dropped_one_passes_its_turn_on() {
    let mutex = KeyedMutex::<String>::new();
    let woken: [Arc<Woken>; 3] = Default::default();
    let wakers: Vec<Waker> = woken.iter().map(|w| Waker::from(w.clone())).collect();
    let guard = mutex.try_lock("k").unwrap();
    let first = guard.fence();
    let mut second = Box::pin(mutex.lock_async("k"));
    let mut third = pin!(mutex.lock_async("k"));
    assert!(poll(second.as_mut(), &wakers[0]).is_none());
    assert!(poll(third.as_mut(), &wakers[1]).is_none());
    drop(guard);
    assert_eq!(woken[0].0.load(Ordering::Relaxed), 1, "the first in the queue");
    assert_eq!(woken[1].0.load(Ordering::Relaxed), 0);
    // Woken, granted, and dropped before it is polled: the next one runs.
    drop(second);
    assert_eq!(woken[1].0.load(Ordering::Relaxed), 1);
    assert!(mutex.try_lock("k").is_none(), "nobody barges in");
    let guard = poll(third.as_mut(), &wakers[1]).expect("its turn");
    assert!(guard.fence() > first);
    drop(guard);
    assert!(mutex.is_empty());
}

#[test]
fn the_waker_of_the_last_poll_is_woken_and_a_done_future_gives_nothing_back() {
    let mutex = KeyedMutex::<u64>::new();
    let woken: [Arc<Woken>; 2] = Default::default();
    let wakers: Vec<Waker> = woken.iter().map(|w| Waker::from(w.clone())).collect();
    let guard = mutex.try_lock(&1).unwrap();
    let mut future = Box::pin(mutex.lock_async(&1));
    assert!(poll(future.as_mut(), &wakers[0]).is_none());
    assert!(poll(future.as_mut(), &wakers[1]).is_none(), "it moved to another task");
    drop(guard);
    let count = |n: usize| woken[n].0.load(Ordering::Relaxed);
    assert_eq!((count(0), count(1)), (0, 1));
    let guard = poll(future.as_mut(), &wakers[1]).expect("its turn");
    drop(future);
    assert!(mutex.try_lock(&1).is_none(), "the guard holds it, not the future");
    drop(guard);
    assert!(mutex.is_empty());
}

#[test]
fn a_thread_that_finds_it_held_stands_in_the_queue() {
    let mutex = KeyedMutex::<u64>::new();
    let guard = mutex.lock(&1);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| drop(mutex.lock(&1)));
        let start = std::time::Instant::now();
        while mutex.len() < 2 && start.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        let queued = mutex.len();
        drop(guard);
        waits.join().unwrap();
        assert_eq!(queued, 2, "the holder and the one who waits");
    });
    assert!(mutex.is_empty());
}

#[test]
fn a_timeout_leaves_the_queue() {
    let mutex = KeyedMutex::<u64>::new();
    let guard = mutex.lock(&1);
    assert!(mutex.lock_timeout(&1, Duration::from_millis(1)).is_none());
    assert!(mutex.lock_timeout(&1, Duration::ZERO).is_none());
    assert_eq!(mutex.len(), 1);
    let (barrier, other) = (Barrier::new(2), &mutex);
    std::thread::scope(|scope| {
        let barrier = &barrier;
        let waits = scope.spawn(move || {
            barrier.wait();
            other.lock_timeout(&1, Duration::from_secs(60)).is_some()
        });
        barrier.wait();
        drop(guard);
        assert!(waits.join().unwrap());
    });
    assert!(mutex.is_empty());
}

#[test]
fn a_panic_under_the_lock_frees_it() {
    let mutex = KeyedMutex::<u64>::new();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = mutex.lock(&1);
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err() && mutex.try_lock(&1).is_some());
}

#[test]
fn a_keeper_extends_in_time_and_tells_the_loss() {
    let clock = Manual::new(Time::from_secs(100));
    let table = LeaseTable::<u64>::builder().max_hold(Duration::from_secs(50)).build();
    let keeper = Keeper::new(table, &clock);
    let mut kept = keeper.acquire(&1, Duration::from_secs(30)).unwrap();
    let mut extensions = 0;
    while let Ok(next) = kept.keep() {
        assert!(kept.remaining() > Duration::ZERO);
        clock.set(next);
        extensions += 1;
        assert!(extensions < 20);
    }
    // At 110, 120 and 130; the last gained nothing, so the next look is at the end.
    assert_eq!(extensions, 4);
    // 100 + 50: the longest hold, over all extensions.
    assert_eq!(clock.now(), Time::from_secs(150));
    assert!(kept.is_lost() && kept.remaining().is_zero());
    let other = keeper.acquire(&1, Duration::from_secs(30)).unwrap();
    drop(kept); // gives back nothing that is another's
    assert!(!other.is_lost());
}

#[test]
fn a_future_tells_the_loss_of_a_kept_lease() {
    let clock = Manual::new(Time::ZERO);
    let keeper = Keeper::<u64, _>::new(LeaseTable::new(), &clock);
    let second = Duration::from_secs(1);
    let woken: [Arc<Woken>; 3] = Default::default();
    let wakers: Vec<Waker> = woken.iter().map(|w| Waker::from(w.clone())).collect();
    let count = |n: usize| woken[n].0.load(Ordering::Relaxed);

    // By the clock: whoever advances the table wakes it, and only it.
    let (one, two) = (keeper.acquire(&1, second).unwrap(), keeper.acquire(&2, second * 9).unwrap());
    let (mut lost, mut other) = (pin!(one.lost()), pin!(two.lost()));
    assert!(
        poll(lost.as_mut(), &wakers[0]).is_none() && poll(other.as_mut(), &wakers[1]).is_none()
    );
    assert!(poll(lost.as_mut(), &wakers[0]).is_none(), "polled again: woken once");
    keeper.advance(&mut Vec::new());
    assert_eq!((count(0), count(1)), (0, 0));
    clock.set(Time::from_secs(1));
    let mut events = Vec::new();
    keeper.advance(&mut events);
    assert_eq!((events.len(), count(0), count(1)), (1, 1, 0));
    assert!(
        poll(lost.as_mut(), &wakers[0]).is_some() && poll(other.as_mut(), &wakers[1]).is_none()
    );

    // By a keep that comes too late, though another has the key already.
    let mut kept = keeper.acquire(&1, second).unwrap();
    let mut lost = pin!(kept.lost());
    assert!(poll(lost.as_mut(), &wakers[2]).is_none());
    clock.set(Time::from_secs(3));
    let _next = keeper.acquire(&1, second).unwrap();
    assert!(kept.keep().is_err());
    assert_eq!(count(2), 1);
    assert!(poll(lost.as_mut(), &wakers[2]).is_some());

    // By the guard's own end; a future that is dropped is woken no more.
    drop(two);
    assert_eq!(count(1), 1);
    let three = keeper.acquire(&3, second).unwrap();
    let mut gone = Box::pin(three.lost());
    assert!(poll(gone.as_mut(), &wakers[2]).is_none());
    drop(gone);
    drop(three);
    assert_eq!(count(2), 1);
}
