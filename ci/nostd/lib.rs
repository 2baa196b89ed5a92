//! Every crate without std. `ci/nostd.sh` adds an `extern crate` line for each.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

unsafe extern "C" {
    fn aligned_alloc(align: usize, size: usize) -> *mut u8;
    fn free(ptr: *mut u8);
    fn abort() -> !;
}

struct Malloc;

// SAFETY: C's allocator, asked for at least the size, at an alignment it accepts.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(16);
        unsafe { aligned_alloc(align, layout.size().next_multiple_of(align)) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, _: Layout) {
        unsafe { free(ptr) }
    }
}

#[global_allocator]
static ALLOC: Malloc = Malloc;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe { abort() }
}

/// XXH3-64 of "archstone": a real call, through the allocator, so the linker keeps both.
#[unsafe(no_mangle)]
pub extern "C" fn archstone_probe() -> u64 {
    let text = alloc::string::String::from("archstone");
    archstone_core::hash::hash(text.as_bytes(), 0)
}

extern crate alloc;
