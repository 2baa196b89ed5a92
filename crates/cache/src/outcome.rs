//! What a cache answers: an insertion's outcome, why an entry left.

use core::fmt;

/// What became of an insertion. A refusal is never silent: the value comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused value is in here"]
pub enum Insert<K, V> {
    /// The key was not there.
    New,
    /// The key was there with this value.
    Replaced(V),
    /// The cache did not take it. An older value of the key is gone too: it would be stale.
    Rejected {
        /// The key.
        key: K,
        /// The value.
        value: V,
        /// Why.
        why: Reject,
    },
}

impl<K, V> Insert<K, V> {
    /// Whether the cache holds the value now.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        !matches!(self, Self::Rejected { .. })
    }

    /// For callers who do not mind.
    pub fn ignore(self) {}
}

/// What `compute` is to do with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<V> {
    /// Nothing.
    Keep,
    /// Insert this value, or put it in the place of the one that is there.
    Put(V),
    /// Remove the entry, if there is one.
    Remove,
}

/// What `compute` has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused or removed value is in here"]
pub enum Computed<K, V> {
    /// Nothing; or there was nothing to remove. The key comes back.
    Kept(K),
    /// A value was put in, or refused.
    Put(Insert<K, V>),
    /// This entry was removed.
    Removed(K, V),
}

impl<K, V> Computed<K, V> {
    /// For callers who do not mind.
    pub fn ignore(self) {}
}

/// Why a cache refused a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reject {
    /// The cache was made to hold nothing.
    ZeroCapacity,
    /// It alone weighs more than the cache may hold.
    TooHeavy {
        /// What it weighs.
        weight: u64,
        /// What the cache may hold.
        limit: u64,
    },
    /// There is no room and all entries are pinned.
    Pinned,
    /// There is no room, and the policy named an entry to evict that was pinned or not there. Those of
    /// this crate never do.
    BrokenPolicy,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroCapacity => f.write_str("the cache has no capacity"),
            Self::TooHeavy { weight, limit } => {
                write!(f, "it weighs {weight}, the cache may hold {limit}")
            }
            Self::Pinned => f.write_str("there is no room, and every entry is pinned"),
            Self::BrokenPolicy => {
                f.write_str("there is no room, and the policy evicts what is not there")
            }
        }
    }
}

impl core::error::Error for Reject {}

/// Why an entry left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// To make room.
    Evicted,
    /// Its time was over.
    Expired,
    /// Another value came for its key (or was refused).
    Replaced,
    /// Somebody asked for it.
    Removed,
}

/// Why a cache could not be built.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BuildError {
    /// More entries than slots can be numbered.
    TooLarge {
        /// Entries asked for.
        capacity: usize,
        /// The most there can be.
        limit: usize,
    },
    /// A share of the lifetime outside `0.0..=1.0`.
    Jitter {
        /// What was asked for.
        fraction: f64,
    },
    /// Entries are to expire, there is no clock, and without `std` there is none by default.
    NoClock,
    /// A cache with lock-free reads reserves its slots at once, so it is bounded in entries, not by
    /// weight.
    WeightedPlain,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { capacity, limit } => {
                write!(f, "a capacity of {capacity} entries; at most {limit} can be numbered")
            }
            Self::Jitter { fraction } => {
                write!(f, "a jitter of {fraction} of the lifetime; it must be within 0 and 1")
            }
            Self::NoClock => f.write_str("entries are to expire and there is no clock"),
            Self::WeightedPlain => {
                f.write_str("a cache with lock-free reads is bounded in entries, not by weight")
            }
        }
    }
}

impl core::error::Error for BuildError {}

/// Entries that left, until the lock is released and the listener has heard of them. The first
/// costs no allocation.
#[derive(Debug)]
pub(crate) struct Removed<K, V> {
    first: Option<(K, V, Cause)>,
    rest: alloc::vec::Vec<(K, V, Cause)>,
}

impl<K, V> Removed<K, V> {
    pub(crate) const fn new() -> Self {
        Self { first: None, rest: alloc::vec::Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[inline]
    pub(crate) fn push(&mut self, (key, value): (K, V), cause: Cause) {
        if self.first.is_none() {
            self.first = Some((key, value, cause));
        } else {
            self.rest.push((key, value, cause));
        }
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = (K, V, Cause)> {
        self.first.into_iter().chain(self.rest)
    }
}
