//! The shared handle on real threads; `loom.rs` goes through the interleavings.
#![cfg(feature = "std")]

use archstone_hashring::{Cluster, Key, Locate, Ring, Shared, Weight};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};

#[test]
fn readers_follow_changes_and_keep_what_they_hold() {
    let shared = Shared::new(Cluster::new(Ring::new()));
    let mut reader = shared.reader();
    assert_eq!(reader.get().owner("k"), None);
    shared.update(|cluster| cluster.join("a".to_string(), Weight::ONE)).unwrap();
    let before = reader.snapshot();
    assert_eq!((before.len(), reader.epoch()), (0, 0), "a snapshot does not change");
    assert_eq!(reader.get().len(), 1);
    assert_eq!(reader.epoch(), 1);
    // A change that fails publishes nothing.
    assert!(shared.update(|cluster| cluster.join("a".to_string(), Weight::ONE)).is_err());
    assert_eq!((reader.get().len(), reader.epoch(), shared.load().len()), (1, 1, 1));
    let mut other = reader.clone();
    shared.publish(Cluster::new(Ring::new()));
    assert_eq!((other.get().len(), reader.get().len()), (0, 0));
}

/// A writer that was stopped in the middle of a change: readers answer from the value before.
#[test]
fn a_stopped_writer_does_not_stop_readers() {
    let shared = Shared::new(1_u64);
    let mut reader = shared.reader();
    let (in_change, changing) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let writer = std::thread::spawn({
        let shared = shared.clone();
        move || {
            shared.update(|value| {
                in_change.send(()).unwrap();
                wait.recv().unwrap();
                *value = 2;
                Ok::<_, ()>(())
            })
        }
    });
    changing.recv().unwrap();
    for _ in 0..1_000 {
        assert_eq!((*reader.get(), *shared.load()), (1, 1));
    }
    let mut late = shared.reader();
    assert_eq!(*late.get(), 1);
    go_on.send(()).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!((*reader.get(), *late.get()), (2, 2));
}

/// Counts its live instances.
struct Counted(Arc<std::sync::atomic::AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_million_publications_leak_nothing() {
    let live = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let make = || {
        live.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&live))
    };
    let shared = Shared::new(make());
    let (mut reader, idle) = (shared.reader(), shared.reader());
    for i in 0..1_000_000 {
        shared.publish(make());
        if i % 3 == 0 {
            let _ = reader.get();
        }
        assert!(live.load(Ordering::Relaxed) <= 3, "the current one and one a reader");
    }
    drop((reader, idle, shared));
    assert_eq!(live.load(Ordering::Relaxed), 0);
}

#[test]
fn readers_on_other_threads_see_whole_values_in_order() {
    let shared = Shared::new((0_u64, 0_u64));
    let (stop, start) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(3)));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (mut reader, stop, start) =
                (shared.reader(), Arc::clone(&stop), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let &(one, two) = reader.get();
                    assert_eq!(one, two, "never a mix");
                    assert!(one >= last, "never back");
                    last = one;
                }
                assert_eq!(reader.get().0, 20_000, "the last publication is seen");
            })
        })
        .collect();
    start.wait();
    for i in 1..=20_000 {
        shared.publish((i, i));
    }
    stop.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}

#[test]
fn a_placement_is_looked_up_through_it() {
    let mut ring = Cluster::new(Ring::new());
    ring.join("a", Weight::ONE).unwrap();
    let mut reader = Shared::new(ring).reader();
    assert!(reader.get().placement().locate("k".hashed(0)).is_some());
}
