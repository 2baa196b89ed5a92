//! Bytes and allocations of a piece of code, by a counting global allocator.
//!
//! The counters move only inside [`used`], so that a timing round pays one predictable branch an
//! allocation and nothing else; this is why it is not `testkit`'s, which counts always. All threads
//! count, so that sharded structures can be weighed. One measurement at a time: others wait.
#![allow(unsafe_code)] // `GlobalAlloc` cannot be implemented without; every call is passed on to `System` unchanged.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

static ARMED: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a piece of code took from the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Bytes still held when it returned (its result included).
    pub live: u64,
    /// The most bytes held at once.
    pub peak: u64,
    /// Allocations and growths.
    pub allocations: u64,
}

/// Runs `code` and says what it took. All threads are counted, so run nothing beside it.
pub fn used<R>(code: impl FnOnce() -> R) -> (R, Used) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    LIVE.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    CALLS.store(0, Relaxed);
    ARMED.store(true, Relaxed);
    let result = code();
    ARMED.store(false, Relaxed);
    let live = LIVE.load(Relaxed).max(0) as u64;
    let peak = PEAK.load(Relaxed).max(0) as u64;
    (result, Used { live, peak, allocations: CALLS.load(Relaxed) })
}

/// The system allocator, counted while [`used`] runs.
#[derive(Debug)]
pub struct Counting;

fn grow(bytes: usize) {
    if ARMED.load(Relaxed) {
        let live = LIVE.fetch_add(bytes as i64, Relaxed) + bytes as i64;
        PEAK.fetch_max(live, Relaxed);
        CALLS.fetch_add(1, Relaxed);
    }
}

fn shrink(bytes: usize) {
    if ARMED.load(Relaxed) {
        LIVE.fetch_sub(bytes as i64, Relaxed);
    }
}

// SAFETY: each method hands its arguments on to `System`, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's contract, unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's contract, unchanged.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller's contract, unchanged.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        shrink(layout.size());
        grow(new_size);
        // SAFETY: the caller's contract, unchanged.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
