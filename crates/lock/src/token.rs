//! What a grant is known by, and the resource's side of it.

use archstone_core::Time;
use archstone_core::shim::atomic::{AtomicU64, Ordering};
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::num::NonZeroU64;
use hashbrown::HashMap;

/// The number of a grant: of two grants that share a key, the later has the greater fence.
///
/// It strictly increases per key through release, expiry and removal, and through a restart if the
/// new table begins after the old one's highest ([`Builder::fences_after`](crate::Builder::fences_after)).
/// Send it along with every write to the resource, which refuses whatever is below the highest it
/// has seen ([`FenceGate`]). Without that check no lease gives mutual exclusion between hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Fence(NonZeroU64);

impl Fence {
    /// The fence of this number; `None` for zero, which is before every grant.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// `number` is one that a counter gave, so it is not zero.
    #[inline(always)]
    pub(crate) const fn counted(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MAX),
        }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({})", self.0)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One grant of a [`LeaseTable`](crate::LeaseTable): place and fence, 24 bytes, `Copy`.
///
/// It names the grant, not its owner: once released, expired or superseded it is refused for ever,
/// whoever holds the key then. A token of another table is refused, unless 65,536 tables were made
/// in between and place and fence happen to be the same.
/// Equality is that of the grant: [`until`](Self::until) does not count.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub(crate) fence: Fence,
    pub(crate) until: Time,
    pub(crate) slot: u32,
    pub(crate) shard: u16,
    pub(crate) table: u16,
}

impl Lease {
    /// The fence to send to the resource.
    #[must_use]
    pub const fn fence(&self) -> Fence {
        self.fence
    }

    /// When it was to end at the moment of the grant: valid before, gone at this instant.
    /// [`Time::MAX`] for one that does not expire. Extensions are not seen here; ask
    /// [`status`](crate::LeaseTable::status).
    #[must_use]
    pub const fn until(&self) -> Time {
        self.until
    }
}

impl Lease {
    const fn identity(&self) -> (Fence, u32, u16, u16) {
        (self.fence, self.slot, self.shard, self.table)
    }
}

impl PartialEq for Lease {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Lease {}

impl Hash for Lease {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// A waiting request of a [`LeaseTable`](crate::LeaseTable). Tickets of one key are ordered by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    pub(crate) number: u64,
    pub(crate) slot: u32,
    pub(crate) shard: u16,
    pub(crate) table: u16,
}

/// A write came with a fence below the highest seen: its lease was lost before it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The highest fence that this resource has seen.
    pub highest: Fence,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a later grant, fence {}, has written already", self.highest)
    }
}

impl core::error::Error for Stale {}

/// The check at one protected resource: a fence passes if none above it has.
///
/// One word, lock-free. Persist [`highest`](Self::highest) with the resource's own data, in the same
/// transaction as the write, or a restart forgets it.
///
/// ```
/// use archstone_lock::{Fence, FenceGate};
///
/// let gate = FenceGate::new();
/// let (old, new) = (Fence::new(33).unwrap(), Fence::new(34).unwrap());
/// assert!(gate.pass(new).is_ok());
/// assert_eq!(gate.pass(old).unwrap_err().highest, new); // the holder that slept too long
/// assert!(gate.pass(new).is_ok());
/// ```
#[derive(Debug, Default)]
pub struct FenceGate(AtomicU64);

impl FenceGate {
    /// A gate that has seen none.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A gate that goes on from what was persisted.
    #[must_use]
    pub fn resume(highest: Fence) -> Self {
        Self(AtomicU64::new(highest.get()))
    }

    /// Lets a write with `fence` through, or says which later grant has written already.
    ///
    /// # Errors
    /// [`Stale`] when a higher fence has passed.
    pub fn pass(&self, fence: Fence) -> Result<(), Stale> {
        let highest = self.0.fetch_max(fence.get(), Ordering::AcqRel);
        if highest > fence.get() { Err(Stale { highest: Fence::counted(highest) }) } else { Ok(()) }
    }

    /// The highest fence seen.
    #[must_use]
    pub fn highest(&self) -> Option<Fence> {
        Fence::new(self.0.load(Ordering::Acquire))
    }
}

/// [`FenceGate`] for many resources: 8 bytes and the key each.
///
/// It remembers every resource that ever wrote; that is the resource's own memory, not the lock's.
#[derive(Clone, Debug)]
pub struct FenceGates<K, S = ahash::RandomState> {
    highest: HashMap<K, Fence, S>,
}

impl<K, S: Default> Default for FenceGates<K, S> {
    fn default() -> Self {
        Self { highest: HashMap::default() }
    }
}

impl<K: Hash + Eq, S: BuildHasher + Default> FenceGates<K, S> {
    /// Gates that have seen none.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a write to `resource` through, or says which later grant has written already.
    ///
    /// # Errors
    /// [`Stale`] when a higher fence has passed for this resource.
    pub fn pass<Q>(&mut self, resource: &Q, fence: Fence) -> Result<(), Stale>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.highest.get_mut(resource) {
            Some(highest) if *highest > fence => Err(Stale { highest: *highest }),
            Some(highest) => {
                *highest = fence;
                Ok(())
            }
            None => {
                self.highest.insert(resource.to_owned(), fence);
                Ok(())
            }
        }
    }

    /// The highest fence that `resource` has seen.
    #[must_use]
    pub fn highest<Q: Hash + Eq + ?Sized>(&self, resource: &Q) -> Option<Fence>
    where
        K: Borrow<Q>,
    {
        self.highest.get(resource).copied()
    }
}

use alloc::borrow::ToOwned;
