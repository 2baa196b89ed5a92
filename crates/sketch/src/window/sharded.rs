use alloc::boxed::Box;
use core::sync::atomic::{AtomicUsize, Ordering};

use archstone_core::pad::CachePadded;
use archstone_core::shim::Mutex;

use crate::{Incompatible, Merge, ParamError};

/// One sketch for many threads: a copy a shard, each under a lock of its own, merged when asked.
///
/// A thread has a home shard and moves to the next one that is free when another holds it, so with
/// as many shards as threads nobody waits. Only whole summaries are merged, so the bounds are those
/// of one sketch that saw everything.
///
/// ```
/// use archstone_sketch::{CountMin, window::Sharded};
///
/// let hits = Sharded::new(4, CountMin::<u32>::with_error(0.001, 0.01)?)?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| (0..1000).for_each(|_| hits.with(|sketch| sketch.add("/"))));
///     }
/// });
/// assert_eq!(hits.collect()?.count("/"), 4000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sharded<S> {
    empty: S,
    shards: Box<[CachePadded<Mutex<S>>]>,
}

impl<S: Merge + Clone> Sharded<S> {
    /// The most shards.
    pub const MAX_SHARDS: u64 = 1 << 12;

    /// `shards` copies of `empty`.
    ///
    /// # Errors
    /// When `shards` is 0 or over [`MAX_SHARDS`](Self::MAX_SHARDS).
    pub fn new(shards: usize, empty: S) -> Result<Self, ParamError> {
        ParamError::whole("shards", shards as u64, 1, Self::MAX_SHARDS)?;
        let shards = (0..shards).map(|_| CachePadded::new(Mutex::new(empty.clone()))).collect();
        Ok(Self { empty, shards })
    }

    /// Calls `f` with a shard of this thread's. For many events take it once: the lock is the
    /// price of each call.
    pub fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        let home = home() % self.shards.len();
        let (before, from_home) = self.shards.split_at(home);
        let free = from_home.iter().chain(before).find_map(|shard| shard.try_lock());
        let mut shard = free.unwrap_or_else(|| self.shards[home].lock());
        f(&mut shard)
    }

    /// Everything added so far, in one sketch. Takes the shards one after the other, so what is
    /// added meanwhile may or may not be in it.
    ///
    /// # Errors
    /// When a shard was replaced through [`with`](Self::with) by one that does not fit the others.
    pub fn collect(&self) -> Result<S, Incompatible> {
        let mut all = self.empty.clone();
        for shard in &self.shards {
            all.merge(&shard.lock())?;
        }
        Ok(all)
    }

    /// Everything added since the last time, in one sketch; the shards start afresh. No event is in
    /// two of them or in none.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn drain(&self) -> Result<S, Incompatible> {
        let mut all = self.empty.clone();
        for shard in &self.shards {
            let sketch = core::mem::replace(&mut *shard.lock(), self.empty.clone());
            all.merge(&sketch)?;
        }
        Ok(all)
    }

    /// Shards.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.shards.len()
    }
}

/// A number for each thread, in the order in which they first ask.
fn home() -> usize {
    // A hint only: never part of what is modelled, so it is std's on purpose.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    std::thread_local! {
        static HOME: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    HOME.with(|home| *home)
}
