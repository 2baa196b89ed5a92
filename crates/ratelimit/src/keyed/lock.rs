//! A shard: its table under a lock, a test-and-set word that yields when it has to wait.
//!
//! Why not a mutex of the standard library: a shard is held for some 10 ns, and a mutex that may
//! have to wake a sleeper frees itself with a second locked instruction. `benches`, row
//! `ratelimit.P7`, has the number: the whole hit path costs one locked instruction, as much as a
//! lock-free word would. Nothing foreign but `Hash` and `Eq` of the key runs under it.
//!
//! A locked instruction waits for all before it and lets nothing after it begin, so the lines of
//! the table would be fetched one after the other, each after the lock. Who is going to lock asks
//! for them first (`prefetch`, row `ratelimit.P8`), by a hint of where the table was when it was
//! last laid out. A hint that is out of date costs a useless fetch and nothing else: a prefetch of
//! any address is defined to do nothing but that.
#![allow(unsafe_code)]

use super::table::Table;
use crate::algorithm::sealed::State;
use archstone_core::shim::atomic::{AtomicBool, Ordering};
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, AtomicUsize};

/// One shard. In this order and so aligned that a look-up needs one line of it.
#[repr(C)]
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), repr(align(128)))]
pub(crate) struct Shard<K, S: State> {
    held: AtomicBool,
    hint: Hint,
    table: UnsafeCell<Table<K, S>>,
}

/// Where the table is: read without the lock, and never trusted. Not of the shim, since no order
/// of anything depends on it.
#[derive(Default)]
struct Hint {
    groups: AtomicU32,
    words: AtomicUsize,
    slots: AtomicUsize,
}

// SAFETY: the table is reached only through a guard, and there is one guard at a time: `lock`
// makes one only when its exchange turned `held` from false to true (acquire), and only the guard's
// drop turns it back (release). So keys move between threads but are never shared: `K: Send`. States always are.
unsafe impl<K: Send, S: State> Sync for Shard<K, S> {}

impl<K, S: State> Shard<K, S> {
    pub(crate) fn new() -> Self {
        Self {
            held: AtomicBool::new(false),
            hint: Hint::default(),
            table: UnsafeCell::new(Table::new()),
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, K, S> {
        if !self.take() {
            self.wait();
        }
        Guard { shard: self }
    }

    /// For who is going to lock it and look a key of that hash up.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        let hint = &self.hint;
        let geometry = (
            hint.words.load(Ordering::Relaxed),
            hint.slots.load(Ordering::Relaxed),
            hint.groups.load(Ordering::Relaxed),
        );
        let (word, slots, length) = Table::<K, S>::places(geometry, hash);
        fetch(word);
        // Two lines hold the slots of a `u64` key; of longer ones it is the first that are likelier.
        fetch(slots);
        fetch(slots.wrapping_add(length.min(128) - 1));
    }

    /// An exchange that fails writes nothing, so waiters do not take the line from the holder for
    /// more than the read.
    #[inline(always)]
    fn take(&self) -> bool {
        self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Tries again after a pause that doubles up to about a microsecond, then lets the holder run.
    #[cold]
    fn wait(&self) {
        let mut pauses = 1_u32;
        loop {
            if pauses <= 64 {
                (0..pauses).for_each(|_| archstone_core::shim::hint::spin_loop());
                pauses *= 2;
            } else {
                #[cfg(feature = "std")]
                archstone_core::shim::thread::yield_now();
                #[cfg(not(feature = "std"))]
                archstone_core::shim::hint::spin_loop();
            }
            if self.take() {
                return;
            }
        }
    }
}

/// Asks for a line of memory.
#[inline(always)]
fn fetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint and may name any address.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(core::ptr::without_provenance(address));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl<K, S: State> fmt::Debug for Shard<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shard")
    }
}

pub(crate) struct Guard<'a, K, S: State> {
    shard: &'a Shard<K, S>,
}

impl<K, S: State> Guard<'_, K, S> {
    /// To be called when the table may have been laid out anew.
    pub(crate) fn publish(&self) {
        let (words, slots, groups) = self.geometry();
        self.shard.hint.words.store(words, Ordering::Relaxed);
        self.shard.hint.slots.store(slots, Ordering::Relaxed);
        self.shard.hint.groups.store(groups, Ordering::Relaxed);
    }
}

impl<K, S: State> Deref for Guard<'_, K, S> {
    type Target = Table<K, S>;
    #[inline(always)]
    fn deref(&self) -> &Table<K, S> {
        // SAFETY: this is the only guard (see `Sync`), so nobody has the table mutably.
        unsafe { &*self.shard.table.get() }
    }
}

impl<K, S: State> DerefMut for Guard<'_, K, S> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Table<K, S> {
        // SAFETY: this is the only guard, and it is borrowed mutably.
        unsafe { &mut *self.shard.table.get() }
    }
}

impl<K, S: State> Drop for Guard<'_, K, S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.shard.held.store(false, Ordering::Release);
    }
}
