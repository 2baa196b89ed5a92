//! The lock-free clock, every interleaving: no stamp twice, none before one that was seen.
#![cfg(archstone_loom)]

use archstone_core::shim::{Arc, model, thread};
use archstone_crdt::ReplicaId;
use archstone_crdt::clock::HybridClock;
use core::time::Duration;

#[test]
fn no_two_threads_get_one_stamp_and_time_never_runs_back() {
    model(0, || {
        let clock = Arc::new(HybridClock::new(ReplicaId(1), Duration::from_secs(1)));
        let other = Arc::clone(&clock);
        let there = thread::spawn(move || {
            let first = other.stamp(5).unwrap();
            let second = other.observe(4, first).unwrap();
            assert!(second > first);
            [first, second]
        });
        let first = clock.stamp(5).unwrap();
        let second = clock.stamp(3).unwrap();
        assert!(second > first);
        let theirs = there.join().unwrap();
        for stamp in theirs {
            assert!(stamp != first && stamp != second);
        }
        assert!(clock.last() >= theirs[1] && clock.last() >= second);
    });
}
