//! Atomics, locks and threads: the real ones, or those of a model checker.
//!
//! Lock-free and locking code takes every atomic, lock, `Arc` and thread from here, so that
//! `RUSTFLAGS="--cfg archstone_loom"` (or `archstone_shuttle`) drives the production type through
//! its interleavings. No other file of the workspace's `src/` names those two cfgs.

#[cfg(archstone_loom)]
pub use loom::{
    hint,
    sync::{Arc, atomic},
    thread,
};
#[cfg(all(archstone_shuttle, not(archstone_loom)))]
pub use shuttle::{
    hint,
    sync::{Arc, atomic},
    thread,
};

#[cfg(not(any(archstone_loom, archstone_shuttle)))]
pub use self::real::*;

#[cfg(not(any(archstone_loom, archstone_shuttle)))]
mod real {
    pub use alloc::sync::Arc;
    pub use core::hint;
    pub use core::sync::atomic;
    #[cfg(feature = "std")]
    pub use std::thread;
}

#[cfg(all(feature = "std", archstone_loom))]
use loom::sync as imp;
#[cfg(all(feature = "std", archstone_shuttle, not(archstone_loom)))]
use shuttle::sync as imp;
#[cfg(all(feature = "std", not(any(archstone_loom, archstone_shuttle))))]
use std::sync as imp;

/// A mutex without poisoning: a panic while it is held leaves the value as it was at that point.
///
/// The types that use it keep their invariants at every call into foreign code, so poisoning
/// would only turn one panic into many.
#[cfg(feature = "std")]
#[derive(Debug, Default)]
pub struct Mutex<T>(imp::Mutex<T>);

/// The guard of a [`Mutex`].
#[cfg(feature = "std")]
pub type MutexGuard<'a, T> = imp::MutexGuard<'a, T>;

#[cfg(feature = "std")]
impl<T> Mutex<T> {
    /// A mutex that holds `value`.
    pub fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    /// The value of a mutex that is not shared.
    pub fn into_inner(self) -> T {
        match self.0.into_inner() {
            Ok(value) => value,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// The id of this thread, remembered: to ask `current` for it counts a reference up and down again.
#[cfg(all(feature = "std", not(any(archstone_loom, archstone_shuttle))))]
#[must_use]
pub fn thread_id() -> thread::ThreadId {
    std::thread_local! {
        static ID: core::cell::Cell<Option<thread::ThreadId>> =
            const { core::cell::Cell::new(None) };
    }
    ID.get().unwrap_or_else(|| {
        let id = thread::current().id();
        ID.set(Some(id));
        id
    })
}

/// The id of this thread; the model's.
#[cfg(all(feature = "std", any(archstone_loom, archstone_shuttle)))]
#[must_use]
pub fn thread_id() -> thread::ThreadId {
    thread::current().id()
}

/// Runs `body` under the model that this build was made for: every interleaving up to loom's
/// bounds, `schedules` random ones under shuttle, once on real threads otherwise.
pub fn model(schedules: usize, body: impl Fn() + Send + Sync + 'static) {
    #[cfg(archstone_loom)]
    {
        let _ = schedules;
        loom::model(body);
    }
    #[cfg(all(archstone_shuttle, not(archstone_loom)))]
    shuttle::check_random(body, schedules);
    #[cfg(not(any(archstone_loom, archstone_shuttle)))]
    {
        let _ = schedules;
        body();
    }
}
