//! What two replicas reconcile: sets of 64-bit keys; and how they talk.

use alloc::vec::Vec;
use core::fmt;

use archstone_core::hash::hash_u64;

use crate::codec::{DecodeError, Why};

/// A set of 64-bit keys: digests of what a replica keeps, such as the stable hash of an encoded
/// element and its dot. Sorted, with running sums, so that the fingerprint of any range is two
/// look-ups. 24 bytes a key.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<u64>,
    /// `sums[i]`: of the fingerprints of the first `i` keys.
    sums: Vec<[u64; 2]>,
    salt: u64,
}

impl Keys {
    /// The keys of one session. Both sides use one `salt`, drawn at random for the session: the
    /// fingerprints depend on it, so nobody can prepare keys that cancel out.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = u64>, salt: u64) -> Self {
        let mut keys: Vec<u64> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        let mut sums = Vec::with_capacity(keys.len() + 1);
        let mut sum = [0_u64; 2];
        sums.push(sum);
        for &key in &keys {
            let print = hash_u64(key, salt);
            sum[0] = sum[0].wrapping_add(print);
            sum[1] = sum[1].wrapping_add(hash_u64(print, salt ^ 0x9e37_79b9_7f4a_7c15));
            sums.push(sum);
        }
        Self { keys, sums, salt }
    }

    /// The keys, sorted.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.keys
    }

    /// The salt of the session.
    #[must_use]
    pub const fn salt(&self) -> u64 {
        self.salt
    }

    /// The position of the first key at or after `from`.
    pub(super) fn lower(&self, from: u64) -> usize {
        self.keys.partition_point(|&key| key < from)
    }

    /// The positions of the keys in `from..=to`.
    pub(super) fn range(&self, from: u64, to: u64) -> core::ops::Range<usize> {
        self.lower(from)..self.keys.partition_point(|&key| key <= to)
    }

    /// The 128-bit fingerprint of the keys at `range`: their number and the sum of their hashes.
    pub(super) fn fingerprint(&self, range: core::ops::Range<usize>) -> [u64; 2] {
        let (low, high) = (self.sums[range.start], self.sums[range.end]);
        let sum = [high[0].wrapping_sub(low[0]), high[1].wrapping_sub(low[1])];
        [hash_u64(sum[0], range.len() as u64), sum[1]]
    }
}

/// What a reconciliation found so far, seen from one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Keys that the other side lacks, sorted.
    pub they_lack: Vec<u64>,
    /// Keys that this side lacks, sorted.
    pub we_lack: Vec<u64>,
}

/// What a reconciliation cost, seen from one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Messages taken in.
    pub rounds: u32,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes taken in.
    pub received: u64,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and wait for an answer.
    Send(Vec<u8>),
    /// Send this; no answer follows. The difference is known.
    Last(Vec<u8>),
    /// The difference is known.
    Done,
}

/// Why a reconciliation ends without a result.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncError {
    /// A message that no peer of ours writes.
    Decode(DecodeError),
    /// More rounds, bytes or differences than the limit of this side.
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl From<DecodeError> for SyncError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Limit { what, limit } => write!(f, "more than {limit} {what}"),
        }
    }
}

impl core::error::Error for SyncError {}

pub(super) const fn invalid(at: usize, what: &'static str, why: &'static str) -> SyncError {
    SyncError::Decode(DecodeError { at, what, why: Why::Invalid(why) })
}

/// One side of a reconciliation: bytes in, bytes out.
///
/// The side that begins calls [`start`](Self::start) and sends what it gives; then each side
/// feeds what arrives into [`step`](Self::step) until both are done. Afterwards both know the
/// [`difference`](Self::difference), and send each other what the keys stand for.
pub trait Reconcile {
    /// The first message.
    fn start(&mut self) -> Vec<u8>;

    /// Takes a message in.
    ///
    /// # Errors
    /// For malformed messages, and past this side's limits.
    fn step(&mut self, incoming: &[u8]) -> Result<Step, SyncError>;

    /// What was found.
    fn difference(&self) -> &Difference;

    /// What it cost.
    fn cost(&self) -> Cost;
}

/// Runs two sides against each other in one process: for tests, examples and simulations.
///
/// # Errors
/// What either side returns.
pub fn reconcile(a: &mut impl Reconcile, b: &mut impl Reconcile) -> Result<(), SyncError> {
    let mut message = a.start();
    let mut a_is_next = false;
    loop {
        let step = if a_is_next { a.step(&message)? } else { b.step(&message)? };
        match step {
            Step::Send(reply) => message = reply,
            Step::Last(reply) => {
                if a_is_next {
                    b.step(&reply)?
                } else {
                    a.step(&reply)?
                };
                return Ok(());
            }
            Step::Done => return Ok(()),
        }
        a_is_next = !a_is_next;
    }
}
