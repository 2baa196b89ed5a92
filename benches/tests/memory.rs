//! All threads are counted, so this test has a binary, and with it a process, of its own.

use std::hint::black_box;

use benches::memory::used;

#[test]
fn live_is_what_remains_and_peak_is_the_most_at_once() {
    // Black boxes: an allocation that nobody looks at may be optimised away.
    const MIB: usize = 1 << 20;
    let (kept, used) = used(|| {
        drop(black_box(vec![1_u8; 64 * MIB]));
        black_box(vec![1_u8; 16 * MIB])
    });
    assert_eq!(kept.len(), 16 * MIB);
    // The harness's own thread may allocate a little meanwhile.
    assert!((16 * MIB as u64..17 * MIB as u64).contains(&used.live), "{used:?}");
    assert!((64 * MIB as u64..65 * MIB as u64).contains(&used.peak), "{used:?}");
    assert!(used.allocations >= 2);
}
