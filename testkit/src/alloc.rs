//! A counting global allocator. Counts are per thread, so parallel tests do not disturb each other.
//!
//! ```
//! use testkit::alloc::{Counting, measure};
//! #[global_allocator]
//! static ALLOC: Counting = Counting;
//!
//! let (v, used) = measure(|| Vec::<u64>::with_capacity(1000));
//! assert_eq!((used.allocations, used.live, used.peak), (1, 8000, 8000));
//! assert_eq!(measure(|| v[..].iter().sum::<u64>()).1.allocations, 0);
//! ```
#![allow(unsafe_code)] // GlobalAlloc is an unsafe trait; every method forwards to `System`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Install with `#[global_allocator] static ALLOC: Counting = Counting;` in the test binary.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

/// What one thread did during [`measure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Calls that took memory: `alloc`, and `realloc` as well.
    pub allocations: u64,
    /// Calls that gave memory back.
    pub frees: u64,
    /// Bytes taken less bytes given back. Negative when more was given back than taken here.
    pub live: i64,
    /// The highest `live` ever was.
    pub peak: i64,
}

thread_local! {
    // Const-initialised and without a destructor: touching it never allocates.
    static USAGE: Cell<Usage> = const { Cell::new(Usage { allocations: 0, frees: 0, live: 0, peak: 0 }) };
}

/// Runs `work` and says what this thread allocated meanwhile. What `work` returns is still alive, so
/// `live` is its size on the heap. Calls may nest.
///
/// # Panics
/// When [`Counting`] is not this binary's global allocator: a measurement of nothing must not pass.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    assert!(installed(), "testkit::alloc::Counting is not the #[global_allocator] of this binary");
    let before = USAGE.get();
    USAGE.set(Usage::default());
    let result = work();
    let inner = USAGE.get();
    USAGE.set(Usage {
        allocations: before.allocations + inner.allocations,
        frees: before.frees + inner.frees,
        live: before.live + inner.live,
        peak: before.peak.max(before.live + inner.peak),
    });
    (result, inner)
}

/// Allocates once and looks whether it was counted; leaves the counts as they were.
fn installed() -> bool {
    let before = USAGE.get();
    drop(std::hint::black_box(Box::new(0_u64)));
    USAGE.replace(before) != before
}

fn count(taken: usize, given: usize, allocations: u64, frees: u64) {
    // A thread that is being torn down may have lost its cell: it is then not counted.
    let _ = USAGE.try_with(|cell| {
        let mut u = cell.get();
        u.allocations += allocations;
        u.frees += frees;
        // A layout is at most isize::MAX bytes.
        u.live += taken as i64;
        u.peak = u.peak.max(u.live);
        u.live -= given as i64;
        cell.set(u);
    });
}

// SAFETY: each method passes its arguments to `System` unchanged and returns its answer unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0, 1, 0);
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0, 1, 0);
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, layout.size(), 0, 1);
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Old and new live side by side while the bytes are copied, unless the block grows in
        // place; the peak counts the first, which is what a caller must have room for.
        count(new_size, layout.size(), 1, 1);
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
