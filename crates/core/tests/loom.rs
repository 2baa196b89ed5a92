//! The spin locks in every interleaving of two or three threads.
//!
//! `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-core --release --test loom`
//!
//! What is under a lock is a cell of loom's, which tells two accesses that no order is between.
#![cfg(archstone_loom)]

use archstone_core::shim::atomic::{AtomicU32, Ordering::Relaxed};
use archstone_core::shim::{Arc, model, thread};
use archstone_core::spin::{Lock, SeqLock};
use loom::cell::UnsafeCell;

fn both(body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    let other = thread::spawn({
        let body = body.clone();
        move || body()
    });
    body();
    other.join().unwrap();
}

/// One more, by a read and a write that another thread's could come between.
#[allow(unsafe_code)]
fn add(cell: &UnsafeCell<u32>) {
    // SAFETY: the caller holds the lock; loom fails the test if that does not suffice.
    let was = cell.with(|value| unsafe { *value });
    // SAFETY: as above.
    cell.with_mut(|value| unsafe { *value = was + 1 });
}

#[allow(unsafe_code)]
fn read(cell: &UnsafeCell<u32>) -> u32 {
    // SAFETY: the caller holds the lock.
    cell.with(|value| unsafe { *value })
}

#[test]
fn a_lock_is_held_by_one_and_shows_what_the_last_one_did() {
    model(1, || {
        let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
        both({
            let lock = lock.clone();
            move || {
                add(&lock.lock());
                add(&lock.lock());
            }
        });
        assert_eq!(read(&lock.lock()), 4);
    });
}

#[test]
fn a_sequence_lock_is_held_by_one_and_shows_what_the_last_one_did() {
    model(1, || {
        let lock = Arc::new(SeqLock::new(UnsafeCell::new(0)));
        both({
            let lock = lock.clone();
            move || {
                add(&lock.lock());
                add(&lock.lock());
            }
        });
        assert_eq!(lock.begin(), Some(8));
        assert_eq!(read(&lock.lock()), 4);
    });
}

#[test]
fn a_reader_of_a_sequence_lock_never_takes_a_torn_pair_for_whole() {
    model(1, || {
        let lock = Arc::new(SeqLock::new(()));
        let pair = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let writer = thread::spawn({
            let (lock, pair) = (lock.clone(), pair.clone());
            move || {
                for value in 1..=2 {
                    let _guard = lock.lock();
                    pair[0].store(value, Relaxed);
                    pair[1].store(value, Relaxed);
                }
            }
        });
        if let Some(since) = lock.begin() {
            let (left, right) = (pair[0].load(Relaxed), pair[1].load(Relaxed));
            if lock.is_unchanged(since) {
                assert_eq!((left, right), (since / 2, since / 2));
            }
        }
        writer.join().unwrap();
    });
}
