//! What a request asks for, and why it may be refused.

use archstone_core::Time;
use core::fmt;
use core::time::Duration;

/// Room of a key without a stated capacity: so many readers, or one exclusive holder.
pub const READERS: u32 = 1 << 30;

/// A half-open range of points `lo..hi`: nights, seats, minutes. A stay from the 10th to the 13th
/// holds the nights 10, 11 and 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Span {
    /// The first point.
    pub lo: i64,
    /// The point after the last.
    pub hi: i64,
}

impl Span {
    /// The whole of a key that has no range: the one point 0.
    pub const WHOLE: Self = Self { lo: 0, hi: 1 };

    /// `lo..hi`. Nothing is checked here: a request with `lo >= hi` is refused.
    #[must_use]
    pub const fn new(lo: i64, hi: i64) -> Self {
        Self { lo, hi }
    }

    /// Whether it has no point.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.lo >= self.hi
    }

    /// Whether the two share a point.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.lo < other.hi && other.lo < self.hi
    }

    /// How many points; 0 for an empty one.
    #[must_use]
    pub const fn points(self) -> u64 {
        if self.is_empty() { 0 } else { self.hi.abs_diff(self.lo) }
    }
}

/// How much of a key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// All permits.
    Exclusive,
    /// One permit: a reader.
    Shared,
    /// So many permits; zero is refused.
    Permits(u32),
}

/// One key of a request, with range and mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand<K> {
    /// The key.
    pub key: K,
    /// Which points of it.
    pub span: Span,
    /// How much of each point.
    pub mode: Mode,
}

impl<K> Demand<K> {
    /// The whole key, exclusively.
    pub const fn exclusive(key: K) -> Self {
        Self { key, span: Span::WHOLE, mode: Mode::Exclusive }
    }

    /// The whole key, as a reader.
    pub const fn shared(key: K) -> Self {
        Self { key, span: Span::WHOLE, mode: Mode::Shared }
    }

    /// `permits` of the key.
    pub const fn permits(key: K, permits: u32) -> Self {
        Self { key, span: Span::WHOLE, mode: Mode::Permits(permits) }
    }

    /// The same of the points `lo..hi`.
    #[must_use]
    pub const fn over(mut self, lo: i64, hi: i64) -> Self {
        self.span = Span::new(lo, hi);
        self
    }
}

/// A request that may wait.
#[derive(Clone, Debug)]
pub struct Request<'a, K> {
    /// All of them under one token, or none.
    pub demands: &'a [Demand<K>],
    /// How long the lease lasts from its grant on; [`Duration::MAX`] never expires.
    pub ttl: Duration,
    /// How long to wait at most, half-open; [`Duration::MAX`] for ever.
    pub wait: Duration,
}

/// Why a lease was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// Somebody holds it, or waits for it. Ask later, or wait.
    Busy(Busy),
    /// No grant could ever fulfil the request.
    Invalid(Invalid),
    /// The table holds as many leases or waiters as it may: this many.
    Full(usize),
}

/// Which demand could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// The first of the demands, as given, that cannot be had.
    pub demand: usize,
    /// When the lease that is in the way ends at the latest, if there is one such lease and nobody
    /// waits. It may be extended or released before.
    pub retry_at: Option<Time>,
}

/// A request that can never be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// The time to live is zero.
    ZeroTtl,
    /// There is no demand.
    NoDemand,
    /// The demand of this index has a range without points.
    EmptySpan(usize),
    /// The demand of this index asks for no permit, or the key has none.
    NoPermit(usize),
    /// More permits than the key has.
    TooMany {
        /// The demand.
        demand: usize,
        /// What it asks for.
        permits: u32,
        /// What the key has.
        capacity: u32,
    },
    /// Two demands name the same key with overlapping ranges.
    Twice(usize, usize),
}

/// The token or ticket names no live grant: released, expired, superseded, or of another table.
///
/// Whoever gets it must stop using the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Why a lease was not extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendError {
    /// See [`Gone`].
    Gone,
    /// The time to live is zero.
    ZeroTtl,
}

impl From<Gone> for ExtendError {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(busy) => write!(f, "demand {} is held or waited for", busy.demand),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Full(limit) => write!(f, "the table is full: {limit}"),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroTtl => f.write_str("the time to live is zero"),
            Self::NoDemand => f.write_str("the request has no demand"),
            Self::EmptySpan(demand) => write!(f, "demand {demand} has an empty range"),
            Self::NoPermit(demand) => write!(f, "demand {demand} asks for no permit"),
            Self::TooMany { demand, permits, capacity } => {
                write!(f, "demand {demand} asks for {permits} permits of {capacity}")
            }
            Self::Twice(a, b) => write!(f, "demands {a} and {b} overlap on one key"),
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the grant is gone")
    }
}

impl fmt::Display for ExtendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => Gone.fmt(f),
            Self::ZeroTtl => Invalid::ZeroTtl.fmt(f),
        }
    }
}

impl core::error::Error for AcquireError {}
impl core::error::Error for Invalid {}
impl core::error::Error for Gone {}
impl core::error::Error for ExtendError {}

impl From<Busy> for AcquireError {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}

impl From<Invalid> for AcquireError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
