//! `Shared` under loom: `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-hashring --test loom`
#![cfg(archstone_loom)]

use archstone_core::shim::atomic::{AtomicUsize, Ordering};
use archstone_core::shim::{Arc, model, thread};
use archstone_hashring::Shared;

#[test]
fn a_reader_sees_old_or_new_and_never_goes_back() {
    model(1, || {
        let shared = Shared::new(0_u32);
        let mut reader = shared.reader();
        // The reader is the spawned thread: loom looks for the interleavings of the later accesses.
        let reading = thread::spawn(move || {
            let mut last = (0, 0);
            for _ in 0..2 {
                let seen = (*reader.get(), reader.epoch());
                assert!(seen >= last, "values and epochs ascend");
                assert_eq!(u64::from(seen.0), seen.1, "S2: the epoch is that of the snapshot");
                last = seen;
            }
            reader
        });
        shared.publish(1);
        let mut reader = reading.join().unwrap();
        assert_eq!((*reader.get(), reader.epoch()), (1, 1), "no reader stays behind");
    });
}

/// Two publications, so that one may fall between the load that saw the first and the lock: an epoch
/// that was read before the lock would be that of the first beside the value of the second.
#[test]
fn a_readers_epoch_is_that_of_its_snapshot() {
    model(1, || {
        let shared = Shared::new(0_u32);
        let mut reader = shared.reader();
        let reading = thread::spawn(move || {
            let (value, epoch) = (*reader.get(), reader.epoch());
            assert_eq!(u64::from(value), epoch, "S2");
        });
        shared.publish(1);
        shared.publish(2);
        reading.join().unwrap();
    });
}

#[test]
fn a_new_reader_begins_with_a_pair_that_belongs_together() {
    model(1, || {
        let shared = Shared::new(0_u32);
        let handle = shared.clone();
        let reading = thread::spawn(move || {
            let reader = handle.reader();
            assert_eq!(u64::from(*reader.snapshot()), reader.epoch(), "S1");
        });
        shared.publish(1);
        reading.join().unwrap();
    });
}

#[test]
fn who_is_told_of_a_change_sees_it() {
    model(1, || {
        let shared = Shared::new(0_u32);
        let mut reader = shared.reader();
        let told = Arc::new(AtomicUsize::new(0));
        let (publisher, teller) = (shared.clone(), Arc::clone(&told));
        let writer = thread::spawn(move || {
            publisher.publish(7);
            teller.store(1, Ordering::Release);
        });
        if told.load(Ordering::Acquire) == 1 {
            assert_eq!(*reader.get(), 7);
        }
        writer.join().unwrap();
    });
}

#[test]
fn no_change_of_two_writers_is_lost() {
    model(1, || {
        let shared = Shared::new(0_u32);
        let other = shared.clone();
        let writer = thread::spawn(move || other.update(|n| Ok::<_, ()>(*n += 1)).unwrap());
        shared.update(|n| Ok::<_, ()>(*n += 10)).unwrap();
        writer.join().unwrap();
        assert_eq!(*shared.load(), 11);
    });
}

#[test]
fn no_update_that_began_before_a_publication_undoes_it() {
    model(1, || {
        let shared = Shared::new(0_u32);
        let other = shared.clone();
        let writer = thread::spawn(move || other.publish(10));
        shared.update(|n| Ok::<_, ()>(*n += 1)).unwrap();
        writer.join().unwrap();
        let last = *shared.load();
        assert!(last == 10 || last == 11, "{last}");
    });
}
