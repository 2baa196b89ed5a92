//! Code of the user's that panics at every call, beside loading, writing and tags; and a long life
//! without growth.
#![cfg(feature = "std")]

mod common;

use archstone_cache::around::{Limits, Lives, Store, TagSet, Tagged, Through, WriteBehind};
use archstone_cache::load::Loading;
use archstone_cache::policy::{Lru, S3Fifo};
use archstone_cache::sync::Cache;
use archstone_cache::{Builder, Manual, Op, Policy};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

thread_local! {
    /// Calls of code of the user's until one panics.
    static FUSE: Cell<i64> = const { Cell::new(-1) };
}

fn burn() {
    FUSE.set(FUSE.get() - 1);
    if FUSE.get() == 0 {
        std::panic::resume_unwind(Box::new("burnt"));
    }
}

/// A key or value of which every use may panic.
#[derive(Debug)]
struct Fragile(u64);
impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        self.0.hash(state);
    }
}
impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        burn();
        self.0 == other.0
    }
}
impl Eq for Fragile {}
impl Clone for Fragile {
    fn clone(&self) -> Self {
        burn();
        Self(self.0)
    }
}
impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            burn();
        }
    }
}

fn poll_once<F: Future>(future: F) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

/// Whatever panics, wherever: nothing stays in flight, the structure is whole, and the key can be
/// loaded.
fn panics_everywhere<P: Policy>() {
    let mut burnt = 0;
    for fuse in 1..900 {
        let builder = Builder::weighted(9, |_: &Fragile, value: &Fragile| {
            burn();
            value.0 % 4
        });
        let builder = builder.policy::<P>().shards(2).on_removal(|_, _, _| burn());
        let cache = Loading::new(builder.build_sync().unwrap());
        let mut random = common::Rng(fuse);
        FUSE.set(fuse as i64);
        for _ in 0..40 {
            let (key, value) = (random.below(8), random.below(100));
            let verb = random.below(11);
            let once = || {
                let make = |_: &Fragile| {
                    burn();
                    Fragile(value)
                };
                match verb {
                    0 | 1 => drop(cache.get_or_load(Fragile(key), make)),
                    2 => drop(cache.try_get_or_load(Fragile(key), |_| {
                        burn();
                        Err::<Fragile, _>(())
                    })),
                    3 => poll_once(cache.get_or_load_async(Fragile(key), async {
                        burn();
                        Fragile(value)
                    })),
                    4 => poll_once(cache.get_or_load_async(Fragile(key), std::future::pending())),
                    5 => {
                        let keys = [Fragile(key), Fragile(key + 1), Fragile(key)];
                        let load = |keys: &[Fragile]| {
                            burn();
                            Ok::<_, ()>(keys.iter().map(|k| (k.clone(), Fragile(k.0))).collect())
                        };
                        drop(cache.get_many_or_load(&keys, load));
                    }
                    6 => drop(cache.write(Fragile(key)).publish(Fragile(value))),
                    7 => drop(cache.write(Fragile(key))),
                    8 => cache.insert(Fragile(key), Fragile(value)).ignore(),
                    9 => drop(cache.remove(&Fragile(key))),
                    _ => cache
                        .cache()
                        .compute(Fragile(key), |old| {
                            burn();
                            if old.is_some() { Op::Remove } else { Op::Put(Fragile(value)) }
                        })
                        .ignore(),
                }
            };
            burnt += usize::from(catch_unwind(AssertUnwindSafe(once)).is_err());
            cache.cache().validate_alone();
            assert_eq!(cache.in_flight(), 0, "fuse {fuse}, verb {verb}");
        }
        FUSE.set(-1);
        for key in 0..9 {
            assert_eq!(
                cache.get_or_load(Fragile(key), |_| Fragile(1)).0 % 4,
                cache.get(&Fragile(key)).unwrap_or(Fragile(1)).0 % 4
            );
            assert!(cache.write(Fragile(key)).publish(Fragile(2)), "a write is left in the table");
        }
    }
    assert!(burnt > 300, "{burnt}");
}

#[test]
fn panics_in_loading_leave_a_whole_structure_and_nothing_in_flight() {
    panics_everywhere::<Lru>();
    panics_everywhere::<S3Fifo>();
}

struct Nothing;
impl Store<u64, u64> for Nothing {
    type Error = Infallible;
    fn load(&self, key: &u64) -> Result<Option<u64>, Infallible> {
        Ok((*key % 3 == 0).then_some(*key))
    }
    fn store(&self, _: &u64, value: u64) -> Result<u64, Infallible> {
        Ok(value)
    }
    fn delete(&self, _: &u64) -> Result<(), Infallible> {
        Ok(())
    }
}

/// moka#590, sample code with queues that only grow: the same traffic ten times over takes no more
/// memory than once.
#[test]
fn a_long_life_takes_no_more_memory_than_a_short_one() {
    let clock = Arc::new(Manual::default());
    let builder = || Builder::new(200).time_to_live(Duration::from_secs(5)).clock(clock.clone());
    let cache: Loading<u64, u64> = Loading::new(builder().build_sync().unwrap());
    let lives =
        Lives { present: Some(Duration::from_secs(5)), absent: Some(Duration::from_secs(1)) };
    let through = Through::new(Builder::new(200).clock(clock.clone()), lives, Nothing).unwrap();
    let behind = WriteBehind::new(Cache::new(200), Nothing, Limits::new(64).clock(clock.clone()));
    let tagged = Tagged::new(Cache::new(200), 256);
    let mut random = common::Rng(1);
    let mut live = |steps: u64| {
        for step in 0..steps {
            let key = random.below(1000);
            match random.below(12) {
                0 => _ = cache.remove(&key),
                1 => cache.insert(key, step).ignore(),
                2 => drop(cache.write(key)),
                3 => poll_once(cache.get_or_load_async(key, std::future::pending())),
                4 => poll_once(cache.get_or_load_async(key, ready(1))),
                5 => _ = through.put(key, step),
                6 => drop(through.get(&key)),
                7 => {
                    let _ = behind.put(key, step);
                    behind.run();
                }
                8 => drop(behind.get(&key)),
                9 => tagged.invalidate_tag(&format!("tag {}", key % 50)),
                10 => {
                    let tags = TagSet::new().tag(format!("tag {}", key % 50)).path("a/b");
                    drop(tagged.get_or_load(key, |_| Ok::<_, ()>((step, tags))));
                }
                _ => _ = clock.advance(Duration::from_millis(20)),
            }
        }
    };
    live(60_000);
    let ((), used) = measure(|| live(600_000));
    assert!(used.live < 64 * 1024, "it has grown by {} bytes", used.live);
    assert_eq!((cache.in_flight(), behind.close().is_ok()), (0, true));
}
