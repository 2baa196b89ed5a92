//! Races of loading, writing and levels in random schedules, each with the number of the peer's issue
//! that it comes from, where it does.
//!
//! `RUSTFLAGS="--cfg archstone_shuttle" cargo test -p archstone-cache --release --test shuttle_load`
#![cfg(archstone_shuttle)]

use archstone_cache::around::{
    Held, Limits, Local, LocalBus, Store, TagSet, Tagged, Tiers, WriteBehind,
};
use archstone_cache::load::{Loading, Refreshing, Rules};
use archstone_cache::policy::Adaptive;
use archstone_cache::{Builder, Manual, Op, sync};
use archstone_core::shim::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use archstone_core::shim::{Arc, model, thread};
use std::future::{Future, poll_fn};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

type Hashed = BuildHasherDefault<DefaultHasher>;
type Cache = Loading<u64, u64, Adaptive, Hashed>;
type Body = Box<dyn FnOnce() + Send>;

fn cache() -> Arc<Cache> {
    let builder = Builder::new(4).hasher(Hashed::default()).shards(1);
    Arc::new(Loading::new(builder.build_sync().unwrap()))
}

fn run_all(bodies: Vec<Body>) {
    let threads: Vec<_> = bodies.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

struct Unpark(thread::Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, waker) = (pin!(future), waker());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Polls up to so many times, then drops: a future that is cancelled.
fn poll_and_drop<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let (mut future, waker) = (pin!(future), waker());
    for _ in 0..polls {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => thread::yield_now(),
        }
    }
    None
}

/// A load with places where others may run.
async fn slow(value: u64) -> u64 {
    let mut left = 2;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    value
}

#[test]
fn n_who_ask_are_one_load() {
    model(3000, || {
        let (cache, calls) = (cache(), Arc::new(AtomicUsize::new(0)));
        let ask = |blocking: bool| -> Body {
            let (cache, calls) = (Arc::clone(&cache), Arc::clone(&calls));
            Box::new(move || {
                let value = if blocking {
                    cache.get_or_load(1, |_| {
                        thread::yield_now();
                        calls.fetch_add(1, SeqCst) as u64 + 10
                    })
                } else {
                    let calls = &calls;
                    block_on(cache.get_or_load_async(1, async move {
                        slow(0).await;
                        calls.fetch_add(1, SeqCst) as u64 + 10
                    }))
                };
                assert_eq!(value, 10);
            })
        };
        run_all(vec![ask(true), ask(false), ask(true), ask(false)]);
        assert_eq!((calls.load(SeqCst), cache.in_flight(), cache.get(&1)), (1, 0, Some(10)));
    });
}

/// moka#240, foyer PR#1345: leaders that panic or are cancelled, waiters that are cancelled, in any
/// order: who stays gets a value, nothing is left in flight.
#[test]
fn moka_240_foyer_1345_whoever_goes_the_others_get_a_value() {
    model(4000, || {
        let cache = cache();
        let go = |body: fn(&Cache)| -> Body {
            let cache = Arc::clone(&cache);
            Box::new(move || body(&cache))
        };
        run_all(vec![
            go(|cache| {
                let load = |_: &u64| -> u64 { std::panic::resume_unwind(Box::new("burnt")) };
                let _ = catch_unwind(AssertUnwindSafe(|| cache.get_or_load(1, load)));
            }),
            go(|cache| _ = poll_and_drop(cache.get_or_load_async(1, slow(7)), 1)),
            go(|cache| _ = poll_and_drop(cache.get_or_load_async(1, slow(7)), 2)),
            go(|cache| assert_eq!(block_on(cache.get_or_load_async(1, slow(7))), 7)),
            go(|cache| assert_eq!(cache.get_or_load(1, |_| 7), 7)),
        ]);
        assert_eq!((cache.in_flight(), cache.get(&1)), (0, Some(7)));
    });
}

/// Caffeine#251: the source changes and the key is invalidated while it is being loaded. Afterwards
/// the cache never has the value of before; neither has who asks after the invalidation.
#[test]
fn caffeine_251_no_stale_value_after_an_invalidation() {
    model(4000, || {
        let (cache, source) = (cache(), Arc::new(AtomicU64::new(1)));
        let mut bodies: Vec<Body> = Vec::new();
        for _ in 0..2 {
            let (cache, source) = (Arc::clone(&cache), Arc::clone(&source));
            bodies.push(Box::new(move || {
                let value = cache.get_or_load(1, |_| source.load(SeqCst));
                assert!((1..=3).contains(&value));
            }));
        }
        let (writer, written) = (Arc::clone(&cache), Arc::clone(&source));
        bodies.push(Box::new(move || {
            for new in [2, 3] {
                written.store(new, SeqCst);
                writer.remove(&1);
                assert_eq!(writer.get_or_load(1, |_| written.load(SeqCst)), new);
            }
        }));
        run_all(bodies);
        assert_eq!((cache.get(&1), cache.in_flight()), (Some(3), 0));
    });
}

/// quick_cache PR#40, foyer PR#1289: an insertion during a load wins.
#[test]
fn quick_cache_40_foyer_1289_an_insertion_beside_a_load_stays() {
    model(3000, || {
        let cache = cache();
        let (loads, inserts, waits) = (Arc::clone(&cache), Arc::clone(&cache), Arc::clone(&cache));
        run_all(vec![
            Box::new(move || assert!([1, 2].contains(&loads.get_or_load(1, |_| 1)))),
            Box::new(move || assert!([1, 2].contains(&waits.get_or_load(1, |_| 1)))),
            Box::new(move || {
                inserts.insert(1, 2).ignore();
                assert_eq!(inserts.get(&1), Some(2));
            }),
        ]);
        assert_eq!((cache.get(&1), cache.in_flight()), (Some(2), 0));
    });
}

/// Two who write through and one who reads: the cache has what the store has, or nothing.
#[test]
fn overlapping_writes_leave_no_older_value() {
    model(4000, || {
        let (cache, store) = (cache(), Arc::new(AtomicU64::new(1)));
        let mut bodies: Vec<Body> = Vec::new();
        for new in [2, 3] {
            let (cache, store) = (Arc::clone(&cache), Arc::clone(&store));
            bodies.push(Box::new(move || {
                let write = cache.write(1);
                store.store(new, SeqCst);
                thread::yield_now();
                write.publish(new);
            }));
        }
        let (reads, read) = (Arc::clone(&cache), Arc::clone(&store));
        bodies.push(Box::new(move || {
            for _ in 0..2 {
                reads.get_or_load(1, |_| read.load(SeqCst));
            }
        }));
        run_all(bodies);
        let now = store.load(SeqCst);
        assert!(cache.get(&1).is_none_or(|value| value == now));
        assert_eq!(cache.get_or_load(1, |_| now), now);
    });
}

#[test]
fn many_keys_crosswise_end() {
    model(3000, || {
        let (cache, calls) = (cache(), Arc::new(AtomicUsize::new(0)));
        let ask = |keys: [u64; 2], blocking: bool| -> Body {
            let (cache, calls) = (Arc::clone(&cache), Arc::clone(&calls));
            Box::new(move || {
                let pairs = |keys: &[u64]| {
                    calls.fetch_add(keys.len(), SeqCst);
                    keys.iter().map(|key| (*key, key * 10)).collect()
                };
                let found = if blocking {
                    cache.get_many_or_load(&keys, |keys| Ok::<_, ()>(pairs(keys)))
                } else {
                    let load = |keys: Vec<u64>| {
                        let pairs = pairs(&keys);
                        async move {
                            slow(0).await;
                            Ok::<_, ()>(pairs)
                        }
                    };
                    block_on(cache.get_many_or_load_async(&keys, load))
                };
                assert_eq!(found.unwrap(), keys.map(|key| Some(key * 10)));
            })
        };
        let cancelled = Arc::clone(&cache);
        run_all(vec![
            ask([1, 2], true),
            ask([2, 1], false),
            Box::new(move || _ = poll_and_drop(cancelled.get_or_load_async(2, slow(20)), 1)),
        ]);
        assert_eq!(cache.in_flight(), 0);
        assert!(calls.load(SeqCst) <= 3, "each key once, but for the one that was cancelled");
    });
}

/// Caffeine#1478: one refresh at a time; and one that goes away does not block the next.
#[test]
fn caffeine_1478_one_refresh_at_a_time() {
    model(3000, || {
        let clock = Arc::new(Manual::default());
        let rules =
            Rules::new(Duration::from_secs(1)).stale_while_revalidate(Duration::from_secs(9));
        let builder = Builder::new(4).hasher(Hashed::default()).shards(1);
        let cache = Refreshing::new(builder.clock(Arc::clone(&clock)), rules).unwrap();
        let cache: Arc<Refreshing<u64, u64, Adaptive, Hashed>> = Arc::new(cache);
        cache.insert(1, 1).ignore();
        clock.advance(Duration::from_secs(2));
        let (flying, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut bodies: Vec<Body> = Vec::new();
        for give_up in [false, false, true] {
            let cache = Arc::clone(&cache);
            let (flying, done) = (Arc::clone(&flying), Arc::clone(&done));
            bodies.push(Box::new(move || {
                let look = cache.look(&1).unwrap();
                let Some(ticket) = look.ticket else { return };
                assert_eq!(flying.fetch_add(1, SeqCst), 0, "two at once");
                thread::yield_now();
                flying.fetch_sub(1, SeqCst);
                if give_up {
                    drop(ticket);
                } else {
                    done.fetch_add(1, SeqCst);
                    drop(ticket.run(|_| Ok::<_, ()>(2)));
                }
            }));
        }
        run_all(bodies);
        assert!(done.load(SeqCst) <= 1, "refreshed again though it was fresh");
        if done.load(SeqCst) == 0 {
            assert!(cache.look(&1).unwrap().ticket.is_some());
        }
    });
}

#[test]
fn a_tag_that_is_forgotten_beside_loads_leaves_nothing_stale() {
    model(3000, || {
        let builder = Builder::new(4).hasher(Hashed::default()).shards(1);
        let pages = Arc::new(Tagged::new(builder.build_sync().unwrap(), 8));
        let source = Arc::new(AtomicU64::new(1));
        let read = |pages: &Tagged<u64, u64, Adaptive, Hashed>, source: &AtomicU64| {
            let load = |_: &u64| Ok::<_, ()>((source.load(SeqCst), TagSet::new().tag("t")));
            pages.get_or_load(1, load).unwrap()
        };
        let mut bodies: Vec<Body> = Vec::new();
        for _ in 0..2 {
            let (pages, source) = (Arc::clone(&pages), Arc::clone(&source));
            bodies.push(Box::new(move || assert!([1, 2].contains(&read(&pages, &source)))));
        }
        let (forgets, writes) = (Arc::clone(&pages), Arc::clone(&source));
        bodies.push(Box::new(move || {
            writes.store(2, SeqCst);
            forgets.invalidate_tag("t");
            assert_eq!(read(&forgets, &writes), 2);
        }));
        run_all(bodies);
        assert_eq!(read(&pages, &source), 2);
    });
}

type Far = Local<u64, u64, Adaptive, Hashed>;
type Near = Tiers<u64, u64, Adaptive, Hashed>;

/// Two processes with a near tier each, one far tier, one source; two writers and two readers. Nobody
/// sees an older version than was announced before he asked, nor an older one than he saw before; in
/// the end all have the last.
#[test]
fn tiers_with_two_writers_and_two_readers_go_forward_only() {
    model(3000, || {
        let builder = || Builder::<u64, Held<u64>>::new(4).hasher(Hashed::default()).shards(1);
        let clock = Arc::new(Manual::default());
        let far = builder().clock(Arc::clone(&clock));
        let far: Arc<Far> = Arc::new(Local::new(far).unwrap());
        let bus = Arc::new(LocalBus::new());
        let process = || {
            let near = builder().clock(Arc::clone(&clock));
            let near: Near = Tiers::new(near, Duration::from_secs(60)).unwrap();
            let near = near.below(Arc::clone(&far), Duration::from_secs(3600));
            let near = Arc::new(near.on_bus(bus.clone()));
            let hears = Arc::downgrade(&near);
            let hears = bus.subscribe(move |what| _ = hears.upgrade().map(|near| near.heard(what)));
            hears.detach();
            near
        };
        let processes = [process(), process()];
        // The source: its version is its value. The last that was announced.
        let source = Arc::new(AtomicU64::new(1));
        let announced = Arc::new(AtomicU64::new(0));
        let read = |near: &Near, source: &AtomicU64| {
            let load = |_: &u64| {
                let version = source.load(SeqCst);
                Ok::<_, ()>(Some((version, version)))
            };
            near.get(&1, load).unwrap().unwrap()
        };
        let mut bodies: Vec<Body> = Vec::new();
        for near in &processes {
            let (near, source) = (Arc::clone(near), Arc::clone(&source));
            let announced = Arc::clone(&announced);
            let invalidates = bodies.is_empty();
            bodies.push(Box::new(move || {
                let version = source.fetch_add(1, SeqCst) + 1;
                if invalidates {
                    near.invalidate(&1, version);
                } else {
                    near.put(1, version, version);
                }
                announced.fetch_max(version, SeqCst);
            }));
        }
        for near in &processes {
            let (near, source) = (Arc::clone(near), Arc::clone(&source));
            let announced = Arc::clone(&announced);
            bodies.push(Box::new(move || {
                let mut seen = 0;
                for _ in 0..2 {
                    let at_least = announced.load(SeqCst).max(seen);
                    seen = read(&near, &source);
                    assert!(seen >= at_least, "{seen} after {at_least}");
                }
            }));
        }
        run_all(bodies);
        for near in &processes {
            assert_eq!(read(near, &source), 3);
        }
    });
}

#[derive(Default)]
struct Disk(Mutex<(Option<u64>, Vec<u64>)>);

impl Store<u64, u64> for Disk {
    type Error = ();
    fn load(&self, _: &u64) -> Result<Option<u64>, ()> {
        Ok(self.0.lock().unwrap().0)
    }
    fn store(&self, _: &u64, value: u64) -> Result<u64, ()> {
        let mut disk = self.0.lock().unwrap();
        disk.0 = Some(value);
        disk.1.push(value);
        Ok(value)
    }
    fn delete(&self, _: &u64) -> Result<(), ()> {
        self.0.lock().unwrap().0 = None;
        Ok(())
    }
}

/// Writers, two who store and one who evicts: a reader never goes back in time, and the store has
/// the writes of the key in their order.
#[test]
fn write_behind_reads_its_own_writes_and_keeps_their_order() {
    model(3000, || {
        let builder = Builder::new(4).hasher(Hashed::default()).shards(1);
        let behind: WriteBehind<u64, u64, Disk, Adaptive, Hashed> = WriteBehind::new(
            builder.build_sync().unwrap(),
            Disk::default(),
            Limits::new(4).clock(Manual::default()),
        );
        let go = |body: fn(&WriteBehind<u64, u64, Disk, Adaptive, Hashed>)| -> Body {
            let behind = behind.clone();
            Box::new(move || body(&behind))
        };
        run_all(vec![
            go(|behind| {
                for value in 1..=3 {
                    behind.put(1, value).unwrap();
                    assert_eq!(behind.get(&1).unwrap(), Some(value));
                }
            }),
            go(|behind| _ = behind.flush()),
            go(|behind| {
                let _ = behind.flush();
                behind.loading().remove(&1);
            }),
            go(|behind| {
                let mut seen = 0;
                for _ in 0..3 {
                    let now = behind.get(&1).ok().flatten().unwrap_or(0);
                    assert!(now >= seen, "{now} after {seen}");
                    seen = now;
                }
            }),
        ]);
        behind.close().unwrap();
        let disk = behind.store().0.lock().unwrap();
        assert!(disk.1.is_sorted() && disk.0 == Some(3), "{:?}", disk.1);
    });
}

/// `compute` in one step, beside a resize.
#[test]
fn compute_loses_nothing() {
    model(2000, || {
        let builder = Builder::<u64, u64>::weighted(8, |_, weight| *weight);
        let builder = builder.hasher(Hashed::default()).shards(2);
        let cache: sync::Cache<u64, u64, Adaptive, Hashed> = builder.build_sync().unwrap();
        let add = || -> Body {
            let cache = cache.clone();
            Box::new(move || {
                for _ in 0..2 {
                    cache.compute(1, |old| Op::Put(old.map_or(1, |old| old + 1))).ignore();
                }
            })
        };
        let others = cache.clone();
        run_all(vec![
            add(),
            add(),
            Box::new(move || (10..14).for_each(|key| others.insert(key, 1).ignore())),
        ]);
        assert!(cache.weight() <= 8);
        assert_eq!(cache.get(&1), Some(4));
        cache.validate_alone();
    });
}
