//! What write-behind may leave unstored, and what it answers.

use alloc::boxed::Box;
use alloc::sync::Arc;
use archstone_core::{Clock, Monotonic};
use core::fmt;
use core::time::Duration;

type Retry = Box<dyn Fn(u32) -> Option<Duration> + Send + Sync>;

/// How much may be unstored, for how long, and what happens when the store fails.
#[must_use]
pub struct Limits {
    pub(super) max_dirty: usize,
    pub(super) max_delay: Duration,
    pub(super) batch: usize,
    pub(super) retry: Retry,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
}

impl Limits {
    /// At most `max_dirty` writes are unstored: one more is refused until some are stored. It is what
    /// a crash may lose.
    pub fn new(max_dirty: usize) -> Self {
        Self {
            max_dirty,
            max_delay: Duration::from_secs(1),
            batch: 128,
            retry: Box::new(|attempt| {
                (attempt < 8).then(|| Duration::from_millis(100 << attempt.min(7)))
            }),
            clock: Arc::new(Monotonic::new()),
        }
    }

    /// A write is due this long after it was made (a second, if not said), or earlier, when a batch is
    /// full.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// The most writes of a batch (128, if not said); at least one.
    pub fn batch(mut self, most: usize) -> Self {
        self.batch = most.max(1);
        self
    }

    /// When to try again after so many failed attempts, from one on; `None` parks the write as
    /// failed. If not said: after 0.2, 0.4, ... 12.8 seconds, then never.
    pub fn retry(
        mut self,
        retry: impl Fn(u32) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.retry = Box::new(retry);
        self
    }

    /// Where the time is read. If not said: the monotonic clock.
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("max_dirty", &self.max_dirty)
            .field("max_delay", &self.max_delay)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// Why a write was not taken. It comes back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutError<K, V> {
    /// As many as may be are unstored: run, and put it again.
    Full {
        /// The key.
        key: K,
        /// What was to be written; `None` is a deletion.
        value: Option<V>,
        /// How many may be.
        max_dirty: usize,
    },
    /// It was closed.
    Closed {
        /// The key.
        key: K,
        /// What was to be written; `None` is a deletion.
        value: Option<V>,
    },
}

impl<K, V> fmt::Display for PutError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { max_dirty, .. } => {
                write!(f, "{max_dirty} writes are unstored, no more may be")
            }
            Self::Closed { .. } => f.write_str("it was closed"),
        }
    }
}

impl<K, V> fmt::Debug for PutError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { max_dirty, .. } => write!(f, "Full {{ max_dirty: {max_dirty} }}"),
            Self::Closed { .. } => f.write_str("Closed"),
        }
    }
}

impl<K, V> core::error::Error for PutError<K, V> {}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Writes that the store has now.
    pub stored: usize,
    /// Attempts at writes that it refused.
    pub refused: usize,
}

/// A flush that did not end: what the store does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unflushed {
    /// Writes that wait, for their next attempt or in the batch of another thread.
    pub waiting: usize,
    /// Writes that are parked.
    pub failed: usize,
}

impl fmt::Display for Unflushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} writes wait, {} have failed", self.waiting, self.failed)
    }
}

impl core::error::Error for Unflushed {}
