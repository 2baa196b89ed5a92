//! The lock of a shard: a test-and-set word that yields when it has to wait.
//!
//! A shard is held for about 10 to 100 ns, and a mutex that may have to wake a sleeper frees itself
//! with a second locked instruction; `DESIGN.md` has the numbers of `parking_lot` in its place. It
//! also serves `no_std` and, through the shim's atomics, the model checkers. Nothing foreign but
//! `Hash`, `Eq`, `Clone` and `Drop` of keys runs under it; wakers are called after it.
#![allow(unsafe_code)]

use archstone_core::shim::atomic::{AtomicBool, Ordering};
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

pub(crate) struct Lock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time: `lock` makes
// one only when its exchange turned `held` from false to true (acquire), and only the guard's drop
// turns it back (release). So the value moves between threads but is never shared: `T: Send`.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if !self.take() {
            self.wait();
        }
        Guard { lock: self }
    }

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

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
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
        self.lock.held.store(false, Ordering::Release);
    }
}
