//! The lock of a shard: a sequence number, odd while a writer is at work.
//!
//! Writers exclude each other and spin, because a shard is held for some 20 ns; after a microsecond
//! they let others run. Readers that only look (Lamport 1977; Boehm 2012) read the number, look at
//! atomics, and read the number again: if it is the same even one, no writer came between. They
//! write nothing, so two readers of one key share its line.
#![allow(unsafe_code)]

use archstone_core::shim::atomic::{AtomicU32, Ordering, fence};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

pub(super) struct SeqLock<T> {
    sequence: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time: `lock`
// makes one only when its exchange turned an even number odd (acquire), and only the guard's drop
// makes it even again (release). So the value moves between threads but is never shared: `T: Send`.
unsafe impl<T: Send> Sync for SeqLock<T> {}

impl<T> SeqLock<T> {
    pub(super) fn new(value: T) -> Self {
        Self { sequence: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// The number to look under, unless a writer is at work.
    #[inline(always)]
    pub(super) fn begin(&self) -> Option<u32> {
        let sequence = self.sequence.load(Ordering::Acquire);
        (sequence & 1 == 0).then_some(sequence)
    }

    /// Whether no writer came since `begin`. What was read relaxed before is read before this.
    #[inline(always)]
    pub(super) fn is_unchanged(&self, since: u32) -> bool {
        fence(Ordering::Acquire);
        self.sequence.load(Ordering::Relaxed) == since
    }

    #[inline]
    pub(super) fn lock(&self) -> Guard<'_, T> {
        let mut pauses = 1_u32;
        loop {
            let sequence = self.sequence.load(Ordering::Relaxed);
            if sequence & 1 == 0
                && self
                    .sequence
                    .compare_exchange(
                        sequence,
                        sequence.wrapping_add(1),
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    )
                    .is_ok()
            {
                // What the writer stores now is not seen by one who does not see the odd number.
                fence(Ordering::Release);
                return Guard { lock: self, sequence: sequence.wrapping_add(1) };
            }
            wait(&mut pauses);
        }
    }
}

/// A pause that doubles up to about a microsecond, then the holder may run.
#[cold]
fn wait(pauses: &mut u32) {
    if *pauses <= 64 {
        (0..*pauses).for_each(|_| archstone_core::shim::hint::spin_loop());
        *pauses *= 2;
    } else {
        #[cfg(feature = "std")]
        archstone_core::shim::thread::yield_now();
        #[cfg(not(feature = "std"))]
        archstone_core::shim::hint::spin_loop();
    }
}

pub(super) struct Guard<'a, T> {
    lock: &'a SeqLock<T>,
    sequence: u32,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this is the only guard (see `Sync`), so nobody has the value mutably.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the only guard, and it is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.sequence.store(self.sequence.wrapping_add(1), Ordering::Release);
    }
}
