//! Interval tree clocks: version vectors for replicas that come and go (Almeida, Baquero, Fonte:
//! Interval tree clocks, OPODIS 2008).
//!
//! A stamp is an identity, a part of the interval [0, 1), and the events that it has seen, a step
//! function over that interval. A replica is born by [`fork`](Stamp::fork), which halves an
//! identity, and retires by [`join`](Stamp::join), which gives it back; nobody hands out names.
//!
//! Both trees are flat, in preorder, so that an operation is one pass over two slices into a third.

mod bits;
mod event;
mod identity;

use alloc::vec::Vec;
use core::fmt;

use event::Event;
use identity::Identity;

use crate::id::Causality;

/// The deepest tree: an identity that was forked this often in a row is not forked again.
pub const MAX_DEPTH: usize = 1_000;
/// The most events of one part of the interval.
pub const MAX_EVENTS: u64 = 1 << 48;

/// Why a stamp cannot do what was asked; it stays as it was.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItcError {
    /// Two stamps own the same part of the interval: one was copied, not forked.
    Overlap,
    /// A fork would make a tree deeper than [`MAX_DEPTH`].
    TooDeep,
    /// An event would pass [`MAX_EVENTS`].
    Exhausted,
    /// An anonymous stamp, a message's, can witness no event.
    Anonymous,
}

impl fmt::Display for ItcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap => f.write_str("the identities overlap: a stamp was copied, not forked"),
            Self::TooDeep => write!(f, "an identity deeper than {MAX_DEPTH} halvings"),
            Self::Exhausted => write!(f, "more than {MAX_EVENTS} events"),
            Self::Anonymous => f.write_str("an anonymous stamp owns nothing to count an event in"),
        }
    }
}

impl core::error::Error for ItcError {}

/// An identity and what it has seen.
///
/// ```
/// use archstone_crdt::{Causality, clock::itc::Stamp};
///
/// let mut ann = Stamp::seed();
/// let mut bob = ann.fork()?;
/// ann.event()?;
/// bob.event()?;
/// assert_eq!(ann.compare(&bob), Causality::Concurrent);
/// bob.receive(&ann.message())?;
/// assert_eq!(ann.compare(&bob), Causality::Before);
/// ann.join(bob)?; // bob retires
/// assert_eq!(ann.to_string(), "(1,1)");   // all of the interval, one event in each half
/// # Ok::<(), archstone_crdt::clock::itc::ItcError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Stamp {
    identity: Identity,
    event: Event,
}

impl Stamp {
    /// The first stamp of all, which owns everything.
    #[must_use]
    pub fn seed() -> Self {
        Self { identity: Identity::all(), event: Event::zero() }
    }

    /// Whether it owns nothing: a message's.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.identity.is_none()
    }

    /// A new replica: it gets half of this one's identity and all that it has seen.
    ///
    /// # Errors
    /// [`ItcError::TooDeep`] after [`MAX_DEPTH`] forks of forks without a join.
    pub fn fork(&mut self) -> Result<Self, ItcError> {
        let (left, right) = self.identity.split()?;
        self.identity = left;
        Ok(Self { identity: right, event: self.event.clone() })
    }

    /// What is sent: what was seen, without the identity.
    #[must_use]
    pub fn message(&self) -> Self {
        Self { identity: Identity::none(), event: self.event.clone() }
    }

    /// A local event.
    ///
    /// # Errors
    /// [`ItcError::Anonymous`], [`ItcError::Exhausted`].
    pub fn event(&mut self) -> Result<(), ItcError> {
        self.event = self.event.inflate(&self.identity)?;
        Ok(())
    }

    /// Sees what a message has seen.
    ///
    /// # Errors
    /// [`ItcError::Overlap`] when `message` has an identity that overlaps.
    pub fn receive(&mut self, message: &Self) -> Result<(), ItcError> {
        self.join(message.clone())
    }

    /// Takes another replica in, identity and all.
    ///
    /// # Errors
    /// [`ItcError::Overlap`] when both own one part of the interval.
    pub fn join(&mut self, other: Self) -> Result<(), ItcError> {
        self.identity = self.identity.sum(&other.identity)?;
        self.event = self.event.join(&other.event);
        Ok(())
    }

    /// How what this has seen stands to what `other` has.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Causality {
        Causality::of(!other.event.at_most(&self.event), !self.event.at_most(&other.event))
    }

    /// Whether all that this has seen, `other` has.
    #[must_use]
    pub fn leq(&self, other: &Self) -> bool {
        self.event.at_most(&other.event)
    }

    pub(crate) fn write_bits(&self) -> Vec<u8> {
        let mut out = bits::BitWriter::default();
        self.identity.write(&mut out);
        self.event.write(&mut out);
        out.finish()
    }

    pub(crate) fn read_bits(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut input = bits::BitReader::new(bytes);
        let identity = Identity::read(&mut input)?;
        let event = Event::read(&mut input)?;
        input.finish()?;
        Ok(Self { identity, event })
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Self::seed()
    }
}

/// The paper's text form, such as `((1,0),(1,1,0))`.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.identity, self.event)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
