//! A counter with a floor that no replica can break alone (escrow: O'Neil 1986; Balegas et al.,
//! Extending eventually consistent cloud databases for enforcing numeric invariants, SRDS 2015).

use alloc::collections::BTreeMap;
use core::fmt;

use crate::clock::VersionVector;
use crate::id::ReplicaId;
use crate::lattice::{Delta, Lattice};

/// Why a bounded counter refuses; nothing was changed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundedError {
    /// The replica holds fewer rights than it would spend. Another may hold some: ask for a
    /// [`transfer`](BoundedCounter::transfer).
    InsufficientRights {
        /// Rights that the replica holds.
        held: u64,
        /// Rights that were asked for.
        asked: u64,
    },
    /// A total of the replica would pass `u64::MAX`.
    Exhausted {
        /// The total now.
        at: u64,
        /// What was to be added.
        by: u64,
    },
}

impl fmt::Display for BoundedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsufficientRights { held, asked } => {
                write!(f, "{asked} rights asked for, {held} held here")
            }
            Self::Exhausted { at, by } => write!(f, "a total of {at} cannot grow by {by}"),
        }
    }
}

impl core::error::Error for BoundedError {}

/// A counter that never falls below 0, whatever replicas do at the same time: stock, seats, quota.
///
/// Every unit is a right that one replica holds. An increment makes rights, a decrement spends
/// those held here, a transfer hands some to another; all of them without asking anybody. A total
/// a pair of replicas that transferred, 24 bytes, and a count a replica that spent.
///
/// For another floor keep the difference; for a ceiling count what is free.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, counter::{BoundedCounter, BoundedError}};
///
/// let (shop, web) = (ReplicaId(1), ReplicaId(2));
/// let mut stock = BoundedCounter::new();
/// stock.increment(shop, 10)?;
/// stock.transfer(shop, web, 4)?;
/// let mut copy = stock.clone();
/// copy.decrement(web, 4)?;                 // sold while the two cannot talk
/// stock.decrement(shop, 6)?;
/// assert_eq!(copy.decrement(web, 1), Err(BoundedError::InsufficientRights { held: 0, asked: 1 }));
/// stock.merge(&copy);
/// assert_eq!(stock.value(), 0);
/// # Ok::<(), BoundedError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundedCounter {
    /// Rights that the first made (for itself) or handed to the second. Written by the first alone.
    pub(crate) granted: BTreeMap<(ReplicaId, ReplicaId), u64>,
    pub(crate) spent: VersionVector,
}

impl BoundedCounter {
    /// Zero, and no rights.
    #[must_use]
    pub const fn new() -> Self {
        Self { granted: BTreeMap::new(), spent: VersionVector::new() }
    }

    /// The value: what was made less what was spent. 0 or more.
    #[must_use]
    pub fn value(&self) -> u128 {
        let made = self.granted.iter().filter(|((from, to), _)| from == to);
        let made: u128 = made.map(|(_, &rights)| u128::from(rights)).sum();
        let spent: u128 = self.spent.iter().map(|(_, count)| u128::from(count)).sum();
        // Spending can be known before the increment that it spends.
        made.saturating_sub(spent)
    }

    /// What `replica` may still spend, as far as this state knows.
    #[must_use]
    pub fn rights(&self, replica: ReplicaId) -> u64 {
        let mut held = 0_i128;
        for (&(from, to), &rights) in &self.granted {
            if to == replica {
                held += i128::from(rights);
            }
            if from == replica && to != replica {
                held -= i128::from(rights);
            }
        }
        held -= i128::from(self.spent.get(replica));
        u64::try_from(held.max(0)).unwrap_or(u64::MAX)
    }

    fn grant(&mut self, from: ReplicaId, to: ReplicaId, by: u64) -> Result<Self, BoundedError> {
        let at = self.granted.get(&(from, to)).copied().unwrap_or(0);
        let total = at.checked_add(by).ok_or(BoundedError::Exhausted { at, by })?;
        let mut delta = Self::new();
        if by > 0 {
            self.granted.insert((from, to), total);
            delta.granted.insert((from, to), total);
        }
        Ok(delta)
    }

    fn need(&self, me: ReplicaId, asked: u64) -> Result<(), BoundedError> {
        let held = self.rights(me);
        if held < asked { Err(BoundedError::InsufficientRights { held, asked }) } else { Ok(()) }
    }

    /// Adds `amount`, and as many rights to `me`; the delta.
    ///
    /// # Errors
    /// [`BoundedError::Exhausted`].
    pub fn increment(&mut self, me: ReplicaId, amount: u64) -> Result<Self, BoundedError> {
        self.grant(me, me, amount)
    }

    /// Takes `amount` out of the rights of `me`; the delta.
    ///
    /// # Errors
    /// [`BoundedError::InsufficientRights`]: also when the value is large enough, but others hold
    /// the rights.
    pub fn decrement(&mut self, me: ReplicaId, amount: u64) -> Result<Self, BoundedError> {
        self.need(me, amount)?;
        let at = self.spent.get(me);
        let total = self.spent.advance(me, amount);
        let total = total.map_err(|_| BoundedError::Exhausted { at, by: amount })?;
        Ok(Self { granted: BTreeMap::new(), spent: [(me, total)].into_iter().collect() })
    }

    /// Hands `amount` rights of `me` to `to`; the delta. The value stays.
    ///
    /// # Errors
    /// [`BoundedError::InsufficientRights`], [`BoundedError::Exhausted`].
    pub fn transfer(
        &mut self,
        me: ReplicaId,
        to: ReplicaId,
        amount: u64,
    ) -> Result<Self, BoundedError> {
        self.need(me, amount)?;
        if me == to { Ok(Self::new()) } else { self.grant(me, to, amount) }
    }
}

impl Lattice for BoundedCounter {
    fn merge(&mut self, other: &Self) -> bool {
        let mut news = self.spent.merge(&other.spent);
        for (&pair, &rights) in &other.granted {
            let ours = self.granted.entry(pair).or_insert(0);
            news |= rights > *ours;
            *ours = rights.max(*ours);
        }
        news
    }

    fn includes(&self, other: &Self) -> bool {
        let ours = |pair| self.granted.get(pair).copied().unwrap_or(0);
        self.spent.includes(&other.spent)
            && other.granted.iter().all(|(pair, &rights)| ours(pair) >= rights)
    }
}

impl Delta for BoundedCounter {
    /// A total of counters has no smaller version than itself.
    type Version = Self;

    fn version(&self) -> Self {
        self.clone()
    }

    fn delta_since(&self, seen: &Self) -> Self {
        let known = |pair| seen.granted.get(pair).copied().unwrap_or(0);
        let granted = self.granted.iter().filter(|(pair, rights)| **rights > known(pair));
        Self {
            granted: granted.map(|(&pair, &rights)| (pair, rights)).collect(),
            spent: self.spent.delta_since(&seen.spent),
        }
    }
}
