//! `AtomicBloom` under loom: `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-sketch --test loom`
//!
//! Recorded breaks, each of which makes a test below fail: `fetch_or` as a load and a store (a lost
//! bit); `AcqRel` to `Relaxed` in `insert`, or `Acquire` to `Relaxed` in `contains` (the
//! writer's data not seen); the first load of `insert` `Relaxed`, or its `fetch_or` only `Release` (who
//! is told that an item was there does not see its writer's data).
#![cfg(archstone_loom)]

use archstone_core::shim::atomic::{AtomicU64, Ordering};
use archstone_core::shim::{Arc, model, thread};
use archstone_sketch::membership::{AtomicBloom, Bloom};

/// One word of 64 bits, so that all items share it.
fn filter() -> Arc<AtomicBloom> {
    Arc::new(AtomicBloom::from(Bloom::with_bits(64, 2, 0).unwrap()))
}

#[test]
fn no_bit_of_two_writers_is_lost() {
    model(1, || {
        let seen = filter();
        let other = Arc::clone(&seen);
        let writer = thread::spawn(move || other.insert(&1_u64));
        seen.insert(&2_u64);
        writer.join().unwrap();
        assert!(seen.contains(&1_u64) && seen.contains(&2_u64));
    });
}

#[test]
fn of_two_that_insert_one_item_at_least_one_is_told_that_it_is_new() {
    model(1, || {
        let seen = filter();
        let other = Arc::clone(&seen);
        let writer = thread::spawn(move || other.insert(&1_u64));
        let ours = seen.insert(&1_u64);
        let theirs = writer.join().unwrap();
        assert!(ours || theirs);
        assert!(!seen.insert(&1_u64));
    });
}

#[test]
fn who_sees_an_item_sees_what_its_writer_wrote_before() {
    model(1, || {
        let seen = filter();
        let row = Arc::new(AtomicU64::new(0));
        let (filter, data) = (Arc::clone(&seen), Arc::clone(&row));
        // A loop, and in the spawned thread: loom remembers one last access a word, so the
        // writer's own load would hide a single question from its reduction; and after a yield a
        // thread no longer gets a value that is stale and known to it.
        let reader = thread::spawn(move || {
            while !filter.contains(&1_u64) {
                thread::yield_now();
            }
            assert_eq!(data.load(Ordering::Relaxed), 7);
        });
        row.store(7, Ordering::Relaxed);
        seen.insert(&1_u64);
        reader.join().unwrap();
    });
}

#[test]
fn who_is_told_that_an_item_was_there_sees_what_its_writer_wrote_before() {
    model(1, || {
        // One bit: with two, the load for the second would acquire what the first did not.
        let seen = Arc::new(AtomicBloom::from(Bloom::with_bits(64, 1, 0).unwrap()));
        let row = Arc::new(AtomicU64::new(0));
        let (filter, data) = (Arc::clone(&seen), Arc::clone(&row));
        let second = thread::spawn(move || {
            if !filter.insert(&1_u64) {
                assert_eq!(data.load(Ordering::Relaxed), 7);
            }
        });
        row.store(7, Ordering::Relaxed);
        seen.insert(&1_u64);
        second.join().unwrap();
    });
}
