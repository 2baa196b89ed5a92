//! The allocator counts what this thread does, no more and no less.

use testkit::alloc::{Counting, Usage, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

#[test]
fn an_allocation_is_counted_with_its_size_and_its_end() {
    let (v, used) = measure(|| vec![0_u8; 1000]);
    assert_eq!(used, Usage { allocations: 1, frees: 0, live: 1000, peak: 1000 });
    let ((), used) = measure(|| drop(v));
    assert_eq!(used, Usage { allocations: 0, frees: 1, live: -1000, peak: 0 });
}

#[test]
fn growth_counts_as_an_allocation_and_the_peak_holds_both_blocks() {
    let (_v, used) = measure(|| {
        let mut v = Vec::<u8>::with_capacity(100);
        v.reserve_exact(300);
        v
    });
    assert_eq!(used, Usage { allocations: 2, frees: 1, live: 300, peak: 400 });
}

#[test]
fn measurements_nest_and_the_outer_one_sees_the_inner_peak() {
    let ((_keep, inner), outer) = measure(|| {
        let keep = vec![0_u8; 10];
        let ((), inner) = measure(|| drop(vec![0_u8; 500]));
        (keep, inner)
    });
    assert_eq!((inner.live, inner.peak), (0, 500));
    assert_eq!((outer.live, outer.peak, outer.allocations), (10, 510, 2));
}

#[test]
fn another_thread_is_not_counted() {
    // Everything the parent allocates for the threads happens before the measurement.
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|s| {
        s.spawn(|| {
            barrier.wait();
            for _ in 0..1000 {
                std::hint::black_box(vec![0_u8; 4096]);
            }
            barrier.wait();
        });
        let ((), used) = measure(|| {
            barrier.wait();
            barrier.wait();
        });
        assert_eq!(used.allocations, 0);
    });
}
