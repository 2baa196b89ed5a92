//! Locks for what is held some 10 to 100 ns: the shards of a limiter, a cache, a lock table.
//!
//! Why not a mutex of the standard library or of `parking_lot`: one that may have to wake a
//! sleeper frees itself with a second locked instruction, and the first needs `std`. The row
//! `ratelimit.P7` of the benches has the number. Under the [`shim`](crate::shim) the
//! model checkers drive these very locks.
//!
//! | lock | who waits | who does not |
//! |---|---|---|
//! | [`Lock`] | everyone | nobody |
//! | [`SeqLock`] | writers | readers who can make do with atomics, and look again |
//!
//! A waiter pauses for twice as long each time up to about a microsecond, then lets others run. No
//! lock is fair, none is poisoned: a panic under one leaves the value as it is at that point.
#![allow(unsafe_code)]

use crate::shim::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// A value under a test-and-set word. Not held: one locked instruction to take, a store to free.
///
/// The word comes first, so that the beginning of the value is on its line.
///
/// ```
/// use archstone_core::spin::Lock;
///
/// let lock = Lock::new(1);
/// *lock.lock() += 1;
/// assert_eq!(*lock.lock(), 2);
/// ```
#[repr(C)]
pub struct Lock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time: `lock` makes
// one only when its exchange turned `held` from false to true (acquire), and only the guard's drop
// turns it back (release). So the value moves between threads but is never shared: `T: Send`.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Waits until nobody holds it.
    #[inline(always)]
    pub fn lock(&self) -> Guard<'_, T> {
        if !self.take() {
            self.wait();
        }
        Guard { lock: self }
    }

    #[inline(always)]
    fn take(&self) -> bool {
        self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waiters read until it looks free: an exchange, even one that fails, takes the line from the
    /// holder.
    #[cold]
    fn wait(&self) {
        let mut pauses = 1;
        while self.held.load(Ordering::Relaxed) || !self.take() {
            pause(&mut pauses);
        }
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// Holds a [`Lock`] until it is dropped.
#[must_use]
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

// SAFETY: a shared guard gives out `&T` and nothing else. (A guard may move to another thread: the
// word does not know who took it.)
unsafe impl<T: Sync> Sync for Guard<'_, T> {}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this is the only guard (see `Sync` of `Lock`), so nobody has the value mutably.
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

impl<T: fmt::Debug> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// A value under a sequence number, odd while a writer is at work (Lamport 1977; Boehm 2012).
///
/// Writers exclude each other. A reader reads the number, looks at atomics beside the value, and
/// reads the number again: if it is the same even one, no writer came between. Readers write
/// nothing, so two of them share the line.
///
/// ```
/// use archstone_core::shim::atomic::{AtomicU32, Ordering::Relaxed};
/// use archstone_core::spin::SeqLock;
///
/// let (lock, left, right) = (SeqLock::new(()), AtomicU32::new(0), AtomicU32::new(0));
/// let guard = lock.lock();
/// left.store(1, Relaxed);
/// assert_eq!(lock.begin(), None);
/// right.store(1, Relaxed);
/// drop(guard);
///
/// let since = lock.begin().unwrap();
/// let pair = (left.load(Relaxed), right.load(Relaxed));
/// assert!(lock.is_unchanged(since) && pair == (1, 1));
/// ```
#[repr(C)]
pub struct SeqLock<T> {
    sequence: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time: `lock`
// makes one only when its exchange turned an even number odd (acquire), and only the guard's drop
// makes it even again (release). So the value moves between threads but is never shared: `T: Send`.
unsafe impl<T: Send> Sync for SeqLock<T> {}

impl<T> SeqLock<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { sequence: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// The number to look under, unless a writer is at work.
    #[inline(always)]
    pub fn begin(&self) -> Option<u32> {
        let sequence = self.sequence.load(Ordering::Acquire);
        (sequence & 1 == 0).then_some(sequence)
    }

    /// Whether no writer came since [`begin`](Self::begin) gave that number: then what was read
    /// between, even relaxed, was all there at one time. The number is the same again after 2^31
    /// writers; a reader that sleeps for that long while it looks is beyond this lock.
    #[inline(always)]
    pub fn is_unchanged(&self, since: u32) -> bool {
        // What was read relaxed before is read before the number is.
        fence(Ordering::Acquire);
        self.sequence.load(Ordering::Relaxed) == since
    }

    /// Waits until nobody holds it.
    #[inline]
    pub fn lock(&self) -> SeqGuard<'_, T> {
        let mut pauses = 1;
        loop {
            let even = self.sequence.load(Ordering::Relaxed);
            if even & 1 == 0 && self.take(even) {
                // What the writer stores now is not seen by one who does not see the odd number.
                fence(Ordering::Release);
                return SeqGuard { lock: self, next: even.wrapping_add(2) };
            }
            pause(&mut pauses);
        }
    }

    #[inline(always)]
    fn take(&self, even: u32) -> bool {
        let odd = even.wrapping_add(1);
        self.sequence.compare_exchange(even, odd, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

impl<T> fmt::Debug for SeqLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeqLock")
    }
}

/// Holds a [`SeqLock`] until it is dropped.
#[must_use]
pub struct SeqGuard<'a, T> {
    lock: &'a SeqLock<T>,
    next: u32,
}

// SAFETY: a shared guard gives out `&T` and nothing else.
unsafe impl<T: Sync> Sync for SeqGuard<'_, T> {}

impl<T> Deref for SeqGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this is the only guard (see `Sync` of `SeqLock`): nobody has the value mutably.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SeqGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the only guard, and it is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SeqGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.sequence.store(self.next, Ordering::Release);
    }
}

impl<T: fmt::Debug> fmt::Debug for SeqGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// Spins `pauses` times and doubles it, up to about a microsecond; then the holder may run.
#[cold]
fn pause(pauses: &mut u32) {
    if *pauses <= 64 {
        (0..*pauses).for_each(|_| crate::shim::hint::spin_loop());
        *pauses *= 2;
    } else {
        #[cfg(feature = "std")]
        crate::shim::thread::yield_now();
        #[cfg(not(feature = "std"))]
        crate::shim::hint::spin_loop();
    }
}
