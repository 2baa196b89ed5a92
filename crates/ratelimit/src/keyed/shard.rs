//! A shard: its table under a spin lock, and where the table is.
//!
//! A shard is held for some 10 ns; the whole hit path costs one locked instruction, as much as a
//! lock-free word would (row `ratelimit.P7` of the benches). Nothing foreign but `Hash` and `Eq` of
//! the key runs under it.
//!
//! A locked instruction waits for all before it and lets nothing after it begin, so the lines of
//! the table would be fetched one after the other, each after the lock. Who is going to lock asks
//! for them first (`prefetch`, row `ratelimit.P8`), by a hint of where the table was when it was
//! last laid out. A hint that is out of date costs a useless fetch and nothing else: a prefetch of
//! any address is defined to do nothing but that.
#![allow(unsafe_code)]

use super::table::Table;
use crate::algorithm::sealed::State;
use archstone_core::spin::{Guard, Lock};
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// One shard. In this order and so aligned that a look-up needs one line of it.
#[repr(C)]
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), repr(align(128)))]
pub(crate) struct Shard<K, S: State> {
    hint: Hint,
    table: Lock<Table<K, S>>,
}

/// Where the table is: read without the lock, and never trusted. Not of the shim, since no order
/// of anything depends on it.
#[derive(Default)]
struct Hint {
    groups: AtomicU32,
    words: AtomicUsize,
    slots: AtomicUsize,
}

impl<K, S: State> Shard<K, S> {
    pub(crate) fn new() -> Self {
        Self { hint: Hint::default(), table: Lock::new(Table::new()) }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, Table<K, S>> {
        self.table.lock()
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

    /// To be called under the lock when the table may have been laid out anew.
    pub(crate) fn publish(&self, table: &Table<K, S>) {
        let (words, slots, groups) = table.geometry();
        self.hint.words.store(words, Ordering::Relaxed);
        self.hint.slots.store(slots, Ordering::Relaxed);
        self.hint.groups.store(groups, Ordering::Relaxed);
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
