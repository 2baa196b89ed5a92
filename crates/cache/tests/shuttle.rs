//! Races in random schedules: readers without the lock beside writers of the same slots.
//!
//! `RUSTFLAGS="--cfg archstone_shuttle" cargo test -p archstone-cache --release --test shuttle`
#![cfg(archstone_shuttle)]

use archstone_cache::policy::{Adaptive, Lru, S3Fifo, Sieve};
use archstone_cache::{Builder, Cause, Owned, Policy, Words, sync};
use archstone_core::shim::{Arc, model, thread};
use std::hash::BuildHasherDefault;
use std::hash::DefaultHasher;
use std::sync::Mutex;

type Hashed = BuildHasherDefault<DefaultHasher>;
type Free<P> = sync::Cache<u64, (u64, u64), P, Hashed, Words<u64, (u64, u64)>>;
type Locked<P> = sync::Cache<u64, (u64, u64), P, Hashed, Owned<u64, (u64, u64)>>;

fn free<P: Policy>(capacity: usize, shards: usize) -> Free<P> {
    let builder = Builder::new(capacity).policy::<P>().hasher(Hashed::default());
    builder.shards(shards).lock_free().build_sync().unwrap()
}

fn locked<P: Policy>(capacity: usize, shards: usize) -> Locked<P> {
    let builder = Builder::new(capacity).policy::<P>().hasher(Hashed::default());
    builder.shards(shards).build_sync().unwrap()
}

/// A value that belongs to its key, in two words that must not be of two values.
fn value(key: u64, turn: u64) -> (u64, u64) {
    (key << 32 | turn, !(key << 32 | turn))
}

fn is_whole(key: u64, (first, second): (u64, u64)) -> bool {
    first == !second && first >> 32 == key
}

fn run_all(bodies: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = bodies.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Two keys in one slot: the reader of one must never get a value of the other, or half of one.
fn reader_beside_writers<P: Policy>() {
    let cache = Arc::new(free::<P>(1, 1));
    let mut bodies: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for key in [1, 2] {
        let cache = Arc::clone(&cache);
        bodies.push(Box::new(move || {
            cache.insert(key, value(key, 0)).ignore();
            cache.insert(key, value(key, 1)).ignore();
        }));
    }
    let reader = Arc::clone(&cache);
    bodies.push(Box::new(move || {
        for _ in 0..2 {
            for key in [1, 2] {
                assert!(reader.get(&key).is_none_or(|found| is_whole(key, found)));
            }
        }
    }));
    run_all(bodies);
    cache.validate_alone();
    assert_eq!(cache.len(), 1);
}

#[test]
fn a_reader_gets_whole_values_of_its_key() {
    model(3000, reader_beside_writers::<Sieve>);
    model(3000, reader_beside_writers::<S3Fifo>);
    model(3000, reader_beside_writers::<Adaptive>);
}

/// A mark stored late goes to whatever took the slot: the policy must stay whole.
#[test]
fn marks_beside_evictions_leave_the_policy_whole() {
    model(2000, || {
        let cache = Arc::new(free::<Adaptive>(3, 1));
        let mut bodies: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for from in [0, 10] {
            let cache = Arc::clone(&cache);
            bodies.push(Box::new(move || {
                for key in from..from + 4 {
                    cache.insert(key, value(key, 0)).ignore();
                    let _ = cache.get(&key);
                    let _ = cache.get(&(10 - from));
                }
                cache.remove(&from);
            }));
        }
        run_all(bodies);
        cache.validate_alone();
        assert!(cache.len() <= 3);
    });
}

/// One budget over shards: no schedule shows more than the capacity.
#[test]
fn no_instant_shows_more_than_the_capacity() {
    model(2000, || {
        let cache = Arc::new(locked::<Lru>(2, 2));
        let mut bodies: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for from in [0, 3] {
            let cache = Arc::clone(&cache);
            bodies.push(Box::new(move || {
                (from..from + 3).for_each(|key| cache.insert(key, value(key, 0)).ignore());
            }));
        }
        let watcher = Arc::clone(&cache);
        bodies.push(Box::new(move || {
            for _ in 0..4 {
                assert!(watcher.len() <= 2 && watcher.weight() <= 2);
                thread::yield_now();
            }
        }));
        run_all(bodies);
        cache.validate_alone();
    });
}

#[test]
fn a_resize_beside_insertions_ends_at_its_limit() {
    model(2000, || {
        let cache = Arc::new(locked::<Lru>(4, 2));
        let (writer, resizer) = (Arc::clone(&cache), Arc::clone(&cache));
        run_all(vec![
            Box::new(move || (0..5).for_each(|key| writer.insert(key, value(key, 0)).ignore())),
            Box::new(move || resizer.resize(1)),
        ]);
        cache.maintain(usize::MAX);
        cache.validate_alone();
        assert!(cache.len() <= 1 && cache.capacity() == 1);
    });
}

/// The same key inserted, replaced and removed by all: each value is heard of once or is there.
#[test]
fn every_value_of_one_key_leaves_once() {
    model(2000, || {
        let left = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&left);
        let cache = Builder::new(2)
            .policy::<Lru>()
            .hasher(Hashed::default())
            .shards(1)
            .on_removal(move |_: &u64, &value: &u64, cause: Cause| {
                heard.lock().unwrap().push((value, cause));
            })
            .build_sync()
            .unwrap();
        let mut bodies: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for thread in 0..3 {
            let cache = cache.clone();
            bodies.push(Box::new(move || {
                cache.insert(1, thread).ignore();
                if thread == 1 {
                    cache.remove(&1);
                }
            }));
        }
        run_all(bodies);
        let mut all: Vec<u64> = left.lock().unwrap().iter().map(|left| left.0).collect();
        all.extend(cache.get(&1));
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
        cache.validate_alone();
    });
}
