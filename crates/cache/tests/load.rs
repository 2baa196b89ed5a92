//! Loading: once for all, by threads and futures; errors, panics, cancelled leaders; what overtakes a
//! load; many keys; writes. Tests are named by the issue of the peer that they come from.
#![cfg(feature = "std")]

use archstone_cache::load::{LoadError, Loading};
use archstone_cache::{Builder, Clock, Time, sync::Cache};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}
impl Bell {
    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
    fn rang(&self) -> usize {
        self.0.swap(0, SeqCst)
    }
}

/// A value that comes later.
struct Later<T>(Arc<Mutex<Option<T>>>);
impl<T> Later<T> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
    fn set(&self, value: T) {
        *self.0.lock().unwrap() = Some(value);
    }
    fn get(&self) -> impl Future<Output = T> + use<T> {
        let place = Arc::clone(&self.0);
        poll_fn(move |_| place.lock().unwrap().take().map_or(Poll::Pending, Poll::Ready))
    }
}

fn loading() -> Loading<u32, u32> {
    Loading::new(Cache::new(100))
}

fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

#[test]
fn eight_threads_load_once() {
    let (cache, calls, barrier) = (loading(), AtomicUsize::new(0), Barrier::new(8));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let value = cache.get_or_load(1, |_| {
                    calls.fetch_add(1, SeqCst);
                    until(|| cache.load_stats().waited == 7);
                    11
                });
                assert_eq!(value, 11);
            });
        }
    });
    let stats = cache.load_stats();
    assert_eq!((calls.into_inner(), stats.loaded, stats.waited), (1, 1, 7));
    assert_eq!((cache.in_flight(), cache.get(&1)), (0, Some(11)));
}

/// Threads and futures wait for one flight, whoever leads, and whatever their loaders are (moka
/// PR#331: a loader of another type was another flight).
#[test]
fn moka_331_threads_and_futures_with_different_loaders_are_one_flight() {
    let cache = loading();
    let (later, bell) = (Later::new(), Arc::new(Bell::default()));
    let mut leads = pin!(cache.get_or_load_async(1, later.get()));
    assert!(bell.poll(leads.as_mut()).is_pending());
    let mut waits = pin!(cache.try_get_or_load_async(1, async { Err::<u32, _>("not asked") }));
    assert!(bell.poll(waits.as_mut()).is_pending());
    thread::scope(|scope| {
        let blocked = scope.spawn(|| cache.get_or_load(1, |_| panic!("not asked")));
        until(|| cache.load_stats().waited == 2);
        later.set(5);
        assert_eq!(bell.poll(leads.as_mut()), Poll::Ready(5));
        assert_eq!(bell.rang(), 1, "the future that waits is woken");
        assert_eq!(blocked.join().unwrap(), 5);
    });
    assert!(matches!(bell.poll(waits.as_mut()), Poll::Ready(Ok(5))));
}

#[test]
fn an_error_reaches_all_who_wait_and_is_not_kept() {
    let cache = loading();
    thread::scope(|scope| {
        let lead = scope.spawn(|| {
            cache.try_get_or_load(1, |_| {
                until(|| cache.load_stats().waited == 3);
                Err("down")
            })
        });
        until(|| cache.in_flight() == 1);
        let wait = |_| scope.spawn(|| cache.try_get_or_load(1, |_| Err("not asked")));
        let waiting: Vec<_> = (0..2).map(wait).collect();
        // Another type of error: it cannot be given this one, so it loads by itself.
        let other = scope.spawn(|| cache.try_get_or_load(1, |_| Err::<u32, u8>(7)));
        let error = lead.join().unwrap().unwrap_err();
        assert_eq!(error.failure(), Some(&"down"));
        for waiting in waiting {
            let Err(LoadError::Failed(same)) = waiting.join().unwrap() else { panic!() };
            let LoadError::Failed(one) = &error else { panic!() };
            assert!(Arc::ptr_eq(one, &same), "one error for all");
        }
        assert_eq!(other.join().unwrap().unwrap_err().failure(), Some(&7));
    });
    assert_eq!((cache.get(&1), cache.in_flight(), cache.load_stats().failed), (None, 0, 2));
    assert_eq!(cache.get_or_load(1, |_| 3), 3);
}

#[test]
fn a_leader_that_panics_hands_over() {
    let cache = loading();
    thread::scope(|scope| {
        let lead = scope.spawn(|| {
            let load = |_: &u32| -> u32 {
                until(|| cache.load_stats().waited == 2);
                std::panic::resume_unwind(Box::new("burnt"))
            };
            catch_unwind(AssertUnwindSafe(|| cache.get_or_load(1, load))).is_err()
        });
        until(|| cache.in_flight() == 1);
        let (a, b) = (
            scope.spawn(|| cache.get_or_load(1, |_| 20)),
            scope.spawn(|| cache.get_or_load(1, |_| 21)),
        );
        assert!(lead.join().unwrap());
        let (a, b) = (a.join().unwrap(), b.join().unwrap());
        assert!(a == b && (a == 20 || a == 21), "one of them loads for both");
    });
    assert_eq!((cache.load_stats().loaded, cache.in_flight()), (1, 0));
}

#[test]
fn a_leader_whose_future_is_dropped_hands_over() {
    let cache = loading();
    let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
    let (never, later) = (Later::<u32>::new(), Later::new());
    let mut first = Box::pin(cache.get_or_load_async(1, never.get()));
    let mut second = pin!(cache.get_or_load_async(1, later.get()));
    let mut third = pin!(cache.get_or_load_async(1, async { 9 }));
    assert!(bells[0].poll(first.as_mut()).is_pending());
    assert!(bells[1].poll(second.as_mut()).is_pending());
    assert!(bells[2].poll(third.as_mut()).is_pending());
    drop(first);
    assert_eq!((bells[1].rang(), bells[2].rang()), (1, 0), "the one that has waited longest");
    assert!(bells[2].poll(third.as_mut()).is_ready(), "whoever comes first leads");
    assert_eq!(bells[1].rang(), 1);
    assert_eq!(bells[1].poll(second.as_mut()), Poll::Ready(9));
    assert_eq!((cache.in_flight(), cache.load_stats().loaded), (0, 1));
}

#[test]
fn a_waiter_that_was_woken_to_lead_and_is_dropped_passes_it_on() {
    let cache = loading();
    let bell = Arc::new(Bell::default());
    let never = Later::<u32>::new();
    let mut first = Box::pin(cache.get_or_load_async(1, never.get()));
    let mut second = Box::pin(cache.get_or_load_async(1, async { 2 }));
    let mut third = Box::pin(cache.get_or_load_async(1, async { 3 }));
    assert!(bell.poll(first.as_mut()).is_pending());
    assert!(bell.poll(second.as_mut()).is_pending());
    assert!(Arc::new(Bell::default()).poll(third.as_mut()).is_pending());
    let third_bell = Arc::new(Bell::default());
    assert!(third_bell.poll(third.as_mut()).is_pending(), "its waker is the last one");
    drop(first);
    assert_eq!(bell.rang(), 1);
    drop(second);
    assert_eq!(third_bell.rang(), 1);
    assert_eq!(third_bell.poll(third.as_mut()), Poll::Ready(3));
    assert_eq!(cache.in_flight(), 0);
}

/// foyer PR#1345: a runtime that shuts down drops all futures, in any order.
#[test]
fn foyer_1345_a_shutdown_leaves_no_flight() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let cache = loading();
        let bell = Arc::new(Bell::default());
        let never = Later::<u32>::new();
        let mut tasks: Vec<_> =
            (0..3).map(|_| Some(Box::pin(cache.get_or_load_async(1, never.get())))).collect();
        for task in tasks.iter_mut().flatten() {
            assert!(bell.poll(task.as_mut()).is_pending());
        }
        for at in order {
            tasks[at] = None;
        }
        assert_eq!(cache.in_flight(), 0);
        assert_eq!(cache.get_or_load(1, |_| 4), 4);
    }
}

/// moka#240: who waits for a future that nobody polls waits for ever. Here anyone can free them.
#[test]
fn moka_240_a_leader_that_is_not_polled_is_overcome() {
    let cache = loading();
    let bell = Arc::new(Bell::default());
    let later = Later::new();
    let mut stuck = Box::pin(cache.get_or_load_async(1, later.get()));
    assert!(bell.poll(stuck.as_mut()).is_pending());
    let mut waits = pin!(cache.get_or_load_async(1, async { 2 }));
    assert!(bell.poll(waits.as_mut()).is_pending());
    cache.remove(&1); // a timer of the user's
    assert_eq!(bell.rang(), 1);
    assert_eq!(bell.poll(waits.as_mut()), Poll::Ready(2));
    later.set(1);
    assert_eq!(bell.poll(stuck.as_mut()), Poll::Ready(1));
    assert_eq!(cache.get(&1), Some(2), "the one that was stuck came too late");
}

/// quick_cache PR#40 panicked, foyer PR#1289 put the stale value over the newer one.
#[test]
fn quick_cache_40_foyer_1289_an_insertion_during_a_load_wins() {
    let cache = loading();
    let loaded = cache.get_or_load(1, |_| {
        cache.insert(1, 20).ignore();
        10
    });
    assert_eq!((loaded, cache.get(&1)), (10, Some(20)));
    assert_eq!(cache.load_stats().overtaken, 1);
    // Through the cache below, too, though loads do not hear of it.
    let loaded = cache.get_or_load(2, |_| {
        cache.cache().insert(2, 20).ignore();
        10
    });
    assert_eq!((loaded, cache.get(&2)), (10, Some(20)));
}

/// Caffeine#251: a key that is invalidated while it is loaded must not come in afterwards.
#[test]
fn caffeine_251_an_invalidation_during_a_load_is_not_undone() {
    let cache = loading();
    let invalidations: [(&str, &dyn Fn()); 3] = [
        ("remove", &|| _ = cache.remove(&1)),
        ("remove_if", &|| cache.remove_if(|key| *key == 1)),
        ("clear", &|| cache.clear()),
    ];
    for (name, invalidate) in invalidations {
        let old = cache.get_or_load(1, |_| {
            invalidate();
            assert_eq!(cache.in_flight(), 0, "{name}: nobody can join it now");
            10
        });
        assert_eq!((old, cache.get(&1)), (10, None), "{name}");
    }
    // Who waits looks again, and gets what is true now.
    let (later, bell) = (Later::new(), Arc::new(Bell::default()));
    let mut leads = pin!(cache.get_or_load_async(1, later.get()));
    assert!(bell.poll(leads.as_mut()).is_pending());
    let mut waits = pin!(cache.get_or_load_async(1, async { 11 }));
    assert!(bell.poll(waits.as_mut()).is_pending());
    cache.remove(&1);
    later.set(10);
    assert_eq!(bell.poll(leads.as_mut()), Poll::Ready(10));
    assert_eq!(bell.poll(waits.as_mut()), Poll::Ready(11));
    assert_eq!(cache.get(&1), Some(11));
}

#[test]
fn a_loader_may_load_other_keys_and_gets_an_error_for_its_own() {
    let cache = loading();
    fn fib(cache: &Loading<u32, u32>, n: u32) -> u32 {
        let both = |n: &u32| if *n < 2 { *n } else { fib(cache, n - 1) + fib(cache, n - 2) };
        cache.get_or_load(n, both)
    }
    assert_eq!((fib(&cache, 20), cache.load_stats().loaded), (6765, 21));

    let inner = cache.try_get_or_load(50, |_| cache.try_get_or_load(50, |_| Err::<u32, ()>(())));
    let inner = inner.unwrap_err();
    assert!(matches!(inner.failure(), Some(LoadError::Recursive)));
    // Two keys that ask for each other.
    let inner = cache.try_get_or_load(51, |_| {
        cache.try_get_or_load(52, |_| cache.try_get_or_load(51, |_| Err::<u32, ()>(())))
    });
    let middle = inner.unwrap_err();
    assert!(matches!(middle.failure().unwrap().failure(), Some(LoadError::Recursive)));
    // Without an error to give, it runs by itself, as a function that calls itself would.
    assert_eq!(cache.get_or_load(53, |_| cache.get_or_load(53, |_| 1) + 1), 2);
    assert_eq!(cache.get(&53), Some(2));

    let bell = Arc::new(Bell::default());
    let inner = async { cache.try_get_or_load_async(54, async { Err::<u32, ()>(()) }).await };
    let mut outer = pin!(cache.try_get_or_load_async(54, inner));
    let Poll::Ready(Err(error)) = bell.poll(outer.as_mut()) else { panic!() };
    assert!(matches!(error.failure(), Some(LoadError::Recursive)));
    let mut alone = pin!(
        cache.get_or_load_async(55, async { cache.get_or_load_async(55, async { 1 }).await + 1 })
    );
    assert_eq!(bell.poll(alone.as_mut()), Poll::Ready(2));
    assert_eq!(cache.in_flight(), 0);
}

#[test]
fn a_future_that_is_never_polled_does_nothing() {
    let cache = loading();
    drop(cache.get_or_load_async(1, async { 1 }));
    assert_eq!((cache.in_flight(), cache.get(&1)), (0, None));
}

/// A value whose `clone` may panic.
#[derive(Debug)]
struct Brittle(Arc<AtomicUsize>);
impl Clone for Brittle {
    fn clone(&self) -> Self {
        if self.0.fetch_sub(1, SeqCst) == 1 {
            std::panic::resume_unwind(Box::new("burnt"));
        }
        Self(Arc::clone(&self.0))
    }
}

#[test]
fn a_value_whose_clone_panics_strands_nobody() {
    for fuse in 1..6 {
        let cache = Loading::new(Cache::<u32, Brittle>::new(9));
        let fuses = Arc::new(AtomicUsize::new(fuse));
        let waiting = AtomicUsize::new(0);
        let get = |leads: bool| {
            catch_unwind(AssertUnwindSafe(|| {
                cache.get_or_load(1, |_| {
                    if leads {
                        until(|| cache.load_stats().waited == 2);
                    }
                    Brittle(Arc::clone(&fuses))
                })
            }))
            .is_ok()
        };
        thread::scope(|scope| {
            let lead = scope.spawn(|| get(true));
            until(|| cache.in_flight() == 1);
            for _ in 0..2 {
                scope.spawn(|| {
                    get(false);
                    waiting.fetch_add(1, SeqCst);
                });
            }
            let _ = lead.join();
        });
        assert_eq!((waiting.into_inner(), cache.in_flight()), (2, 0), "fuse {fuse}");
        cache.cache().validate_alone();
    }
}

/// A flight is used again: what happened to the last load is nothing to the next.
#[test]
fn a_load_after_one_that_was_overtaken_is_published() {
    let cache = loading();
    for key in 0..50 {
        let loaded = cache.get_or_load(key, |_| {
            cache.insert(key, 5).ignore();
            2
        });
        assert_eq!((loaded, cache.get(&key)), (2, Some(5)));
        cache.remove(&key);
        assert_eq!((cache.get_or_load(key, |_| 3), cache.get(&key)), (3, Some(3)), "{key}");
    }
    assert_eq!((cache.load_stats().overtaken, cache.in_flight()), (50, 0));
}

type Job = Box<dyn FnOnce() + Send>;

/// A clock that runs something once while it is read, and that once says two seconds instead of none.
#[derive(Clone, Default)]
struct Between(Arc<Mutex<Option<Job>>>);
impl Clock for Between {
    fn now(&self) -> Time {
        let run = self.0.lock().unwrap().take();
        match run {
            Some(run) => {
                run();
                Time::from_secs(2)
            }
            None => Time::ZERO,
        }
    }
}

/// Who missed does not look again unless a load has ended since: here one has, of the same key, between
/// the miss and the turn. The look finds its value too old, the clock steps back, and then it is not.
#[test]
fn a_load_that_ends_between_a_miss_and_its_turn_is_not_done_again() {
    let (clock, loads) = (Between::default(), Arc::new(AtomicUsize::new(0)));
    let cache = Builder::<u32, u32>::new(100)
        .time_to_live(Duration::from_secs(1))
        .clock(clock.clone())
        .build_sync()
        .unwrap();
    let cache = Loading::new(cache);
    let load = |loads: &AtomicUsize| loads.fetch_add(1, SeqCst) as u32 + 1;
    for key in [1, 2] {
        let (other, counts) = (cache.clone(), Arc::clone(&loads));
        let inner = move || _ = other.get_or_load(key, |_| load(&counts));
        *clock.0.lock().unwrap() = Some(Box::new(inner));
        let bell = Arc::new(Bell::default());
        let value = if key == 1 {
            cache.get_or_load(key, |_| load(&loads))
        } else {
            let mut future = pin!(cache.get_or_load_async(key, async { load(&loads) }));
            let Poll::Ready(value) = bell.poll(future.as_mut()) else { panic!("it had to wait") };
            value
        };
        assert_eq!((value, loads.load(SeqCst) as u32), (key, key));
        assert!(clock.0.lock().unwrap().is_none(), "nothing ran in between");
    }
    assert_eq!((cache.load_stats().loaded, cache.in_flight()), (2, 0));
}

#[test]
fn a_value_that_the_cache_refuses_is_given_all_the_same() {
    let cache =
        Loading::new(Builder::weighted(10, |_: &u32, weight: &u64| *weight).build_sync().unwrap());
    assert_eq!(cache.get_or_load(1, |_| 11), 11);
    assert_eq!((cache.get(&1), cache.in_flight()), (None, 0));
}

#[test]
fn many_keys_are_one_load() {
    let cache = loading();
    cache.insert(2, 20).ignore();
    let mut asked = Vec::new();
    let found = cache.get_many_or_load(&[1, 2, 3, 1, 4], |missing| {
        asked.push(missing.to_vec());
        // In another order, one of them not there, one that nobody asked for.
        Ok::<_, ()>(vec![(4, 40), (9, 90), (1, 10)])
    });
    assert_eq!(found.unwrap(), [Some(10), Some(20), None, Some(10), Some(40)]);
    assert_eq!(asked, [vec![1, 3, 4]]);
    assert_eq!((cache.get(&3), cache.get(&9), cache.get(&4)), (None, None, Some(40)));
    let none = cache.get_many_or_load(&[5, 1], |_| Err("down")).unwrap_err();
    assert_eq!((none.failure(), cache.in_flight()), (Some(&"down"), 0));
    assert_eq!(cache.get_many_or_load(&[], |_| Err("not asked")).unwrap(), []);
    let own = cache.get_many_or_load(&[6], |_| {
        let inner = cache.try_get_or_load(6, |_| Err::<u32, ()>(()));
        assert!(matches!(inner, Err(LoadError::Recursive)));
        Ok::<_, ()>(vec![])
    });
    assert_eq!(own.unwrap(), [None]);
}

#[test]
fn two_who_ask_for_the_same_keys_crosswise_do_not_wait_for_each_other() {
    let cache = loading();
    let both = Barrier::new(2);
    thread::scope(|scope| {
        let ask = |first: u32, second: u32| {
            let (cache, both) = (&cache, &both);
            scope.spawn(move || {
                // Each leads one key, then asks for both.
                let led = cache.get_or_load(first, |_| {
                    both.wait();
                    first
                });
                let found = cache.get_many_or_load(&[second, first, 7], |keys| {
                    Ok::<_, ()>(keys.iter().map(|key| (*key, *key)).collect())
                });
                (led, found.unwrap())
            })
        };
        let (a, b) = (ask(1, 2), ask(2, 1));
        assert_eq!(a.join().unwrap(), (1, vec![Some(2), Some(1), Some(7)]));
        assert_eq!(b.join().unwrap(), (2, vec![Some(1), Some(2), Some(7)]));
    });
    assert_eq!(cache.in_flight(), 0);
}

#[test]
fn many_keys_by_futures_wait_for_others_and_take_over() {
    let cache = loading();
    let bell = Arc::new(Bell::default());
    let never = Later::<u32>::new();
    let mut stuck = Box::pin(cache.get_or_load_async(2, never.get()));
    assert!(bell.poll(stuck.as_mut()).is_pending());
    let asked = Mutex::new(Vec::new());
    let mut many = pin!(cache.get_many_or_load_async(&[1, 2, 1], |keys: Vec<u32>| {
        asked.lock().unwrap().push(keys.clone());
        async move { Ok::<_, ()>(keys.into_iter().map(|key| (key, key * 10)).collect()) }
    }));
    assert!(bell.poll(many.as_mut()).is_pending());
    assert_eq!(cache.get(&1), Some(10), "published before it waits");
    drop(stuck);
    assert_eq!(bell.rang(), 1);
    let Poll::Ready(Ok(found)) = bell.poll(many.as_mut()) else { panic!() };
    assert_eq!(found, [Some(10), Some(20), Some(10)]);
    assert_eq!(*asked.lock().unwrap(), [vec![1], vec![2]]);
    assert_eq!(cache.in_flight(), 0);
}

#[test]
fn a_write_is_published_if_it_was_alone() {
    let cache = loading();
    cache.insert(1, 1).ignore();
    assert!(cache.write(1).publish(2));
    assert_eq!(cache.get(&1), Some(2));
    drop(cache.write(1)); // it failed, or nobody knows
    assert_eq!(cache.get(&1), None);
    // Two that overlap, in each order of their ends: nobody knows which one the store has.
    for first_ends_first in [true, false] {
        let (a, b) = (cache.write(1), cache.write(1));
        let (one, other) = if first_ends_first { (a, b) } else { (b, a) };
        assert!(!one.publish(10) && !other.publish(11));
        assert_eq!(cache.get(&1), None);
    }
    // The next one is alone again.
    assert!(cache.write(1).publish(12));
    // A change by hand in between.
    let write = cache.write(1);
    cache.insert(1, 13).ignore();
    assert!(!write.publish(14));
    assert_eq!(cache.get(&1), None);
    // What was read before the write had ended is not published after it.
    let read = cache.get_or_load(2, |_| {
        assert!(cache.write(2).publish(21));
        20
    });
    assert_eq!((read, cache.get(&2)), (20, Some(21)));
    // Neither if what was published has been evicted by then.
    let read = cache.get_or_load(4, |_| {
        assert!(cache.write(4).publish(41));
        cache.cache().remove(&4);
        40
    });
    assert_eq!((read, cache.get(&4)), (40, None));
    let read = cache.get_or_load(3, |_| {
        drop(cache.write(3));
        30
    });
    assert_eq!((read, cache.get(&3)), (30, None));
}

#[test]
fn lock_free_caches_load_too() {
    let cache = Loading::new(Cache::<u64, u64, _, _, _>::lock_free(100));
    assert_eq!(cache.get_or_load(1, |key| key * 2), 2);
    assert_eq!(cache.get(&1), Some(2));
}

#[test]
fn its_futures_go_to_other_threads() {
    fn sends<T: Send>(value: T) -> T {
        value
    }
    let cache: Loading<String, Arc<str>> = Loading::new(Cache::new(9));
    drop(sends(cache.get_or_load_async("a".into(), async { "b".into() })));
    drop(sends(cache.get_many_or_load_async(&["a".into()], |_| async { Ok::<_, ()>(vec![]) })));
    drop(sends(cache));
}
