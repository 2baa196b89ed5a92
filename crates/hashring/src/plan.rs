//! What moves when the members of a ring change: ranges, from whom, to whom.

use crate::key::{Hashed, NodeId};
use crate::placement::Candidates;
use crate::ring::Ring;
use crate::topology::MAX_COPIES;

/// A range of hashed keys, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "(u64, u64)", into = "(u64, u64)"))]
pub struct Arc {
    /// The first key.
    pub first: u64,
    /// The last key.
    pub last: u64,
}

impl Arc {
    /// True for a key of the range.
    #[must_use]
    pub const fn contains(&self, key: Hashed) -> bool {
        self.first <= key.0 && key.0 <= self.last
    }

    /// Keys in the range, 1 to 2^64.
    #[must_use]
    pub const fn keys(&self) -> u128 {
        (self.last - self.first) as u128 + 1
    }
}

#[cfg(feature = "serde")]
impl From<Arc> for (u64, u64) {
    fn from(arc: Arc) -> Self {
        (arc.first, arc.last)
    }
}

#[cfg(feature = "serde")]
impl TryFrom<(u64, u64)> for Arc {
    type Error = &'static str;
    fn try_from((first, last): (u64, u64)) -> Result<Self, Self::Error> {
        if first <= last {
            Ok(Self { first, last })
        } else {
            Err("a range that ends before it begins")
        }
    }
}

/// One range that a node must fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Move {
    /// The keys.
    pub keys: Arc,
    /// A node that holds them under the old members and, if any does, still under the new: the
    /// copy to read from. `None` when the old ring was empty.
    pub from: Option<NodeId>,
    /// The node that holds them from now on.
    pub to: NodeId,
}

/// The moves between two rings, as an iterator in the order of the keys.
///
/// For every key, the nodes among its first `copies` under `new` that were not among its first
/// `copies` under `old` fetch it once each. Ranges are disjoint for each receiver, and neighbours
/// with the same source and receiver are one move. O(points) in all, O(copies) memory.
///
/// Rings of different sizes, weights and points may be compared; nodes are matched by identity.
///
/// ```
/// use archstone_hashring::{NodeId, Plan, Resize, Ring, Weight};
///
/// let mut old = Ring::new();
/// for name in ["a", "b", "c"] {
///     old.add(NodeId::of(name), Weight::ONE)?;
/// }
/// let mut new = old.clone();
/// new.add(NodeId::of("d"), Weight::ONE)?;
///
/// let plan: Vec<_> = Plan::new(&old, &new, 1)?.collect();
/// assert!(plan.iter().all(|m| m.to == NodeId::of("d")), "only the new node fetches");
/// let moved: u128 = plan.iter().map(|m| m.keys.keys()).sum();
/// let share = moved as f64 / 2_f64.powi(64);
/// assert!((0.15..0.35).contains(&share), "about a quarter of the keys: {share}");
/// # Ok::<(), archstone_hashring::PlanError>(())
/// ```
#[derive(Debug)]
pub struct Plan<'a> {
    old: &'a Ring,
    new: &'a Ring,
    copies: usize,
    /// The next key to look at; 2^64 when done.
    at: u128,
    /// Moves of the arc at hand that have not been handed out, newest last.
    ready: Ready,
    /// A move that may still grow into the next arc, one for each receiver of the last arc.
    open: Ready,
}

/// More copies than a plan follows, or none.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlanError {
    /// Copies outside `1..=MAX_COPIES`.
    Copies {
        /// How many were asked for.
        wanted: usize,
    },
    /// A placement refused a change, for programs that chain both.
    Placement(crate::PlacementError),
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Copies { wanted } => write!(f, "{wanted} copies, it must be 1 to {MAX_COPIES}"),
            Self::Placement(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PlanError {}

impl From<crate::PlacementError> for PlanError {
    fn from(error: crate::PlacementError) -> Self {
        Self::Placement(error)
    }
}

/// A few moves, inline.
#[derive(Clone, Copy, Debug)]
struct Ready {
    moves: [Option<Move>; MAX_COPIES],
    len: usize,
}

impl Ready {
    const EMPTY: Self = Self { moves: [None; MAX_COPIES], len: 0 };

    fn push(&mut self, item: Move) {
        self.moves[self.len] = Some(item);
        self.len += 1;
    }

    fn pop_front(&mut self) -> Option<Move> {
        let first = self.moves[0]?;
        self.moves.copy_within(1..self.len, 0);
        self.len -= 1;
        self.moves[self.len] = None;
        Some(first)
    }

    fn iter(&self) -> impl Iterator<Item = Move> + '_ {
        self.moves[..self.len].iter().filter_map(|item| *item)
    }
}

impl<'a> Plan<'a> {
    /// The plan from `old` to `new` for `copies` copies of each key, 1 to [`MAX_COPIES`].
    ///
    /// # Errors
    /// [`PlanError::Copies`] outside that range.
    pub const fn new(old: &'a Ring, new: &'a Ring, copies: usize) -> Result<Self, PlanError> {
        if copies == 0 || copies > MAX_COPIES {
            return Err(PlanError::Copies { wanted: copies });
        }
        let (ready, open) = (Ready::EMPTY, Ready::EMPTY);
        Ok(Self { old, new, copies, at: 0, ready, open })
    }

    /// The last key of the arc that starts at `first`: both rings answer alike for all of it.
    fn end_of_arc(&self, first: u64) -> u64 {
        let position = (first >> 32) as u32;
        let end = |ring: &Ring| ring.next_position(position).unwrap_or(u32::MAX);
        let last = end(self.old).min(end(self.new));
        u64::from(last) << 32 | 0xFFFF_FFFF
    }

    /// The identities that hold `key`, in order.
    fn holders(ring: &Ring, key: u64, copies: usize) -> ([Option<NodeId>; MAX_COPIES], usize) {
        let (mut ids, mut count) = ([None; MAX_COPIES], 0);
        for node in ring.candidates(Hashed(key)).take(copies) {
            ids[count] = ring.id(node);
            count += 1;
        }
        (ids, count)
    }

    /// Closes the arc from `first` to `last`: moves that continue one of the last arc grow, the
    /// others of the last arc are ready.
    fn take_arc(&mut self, first: u64, last: u64) {
        let (before, had) = Self::holders(self.old, first, self.copies);
        let (after, has) = Self::holders(self.new, first, self.copies);
        let (before, after) = (&before[..had], &after[..has]);
        let stays = before.iter().find(|id| after.contains(id));
        let from = stays.or(before.first()).copied().flatten();
        let mut now = Ready::EMPTY;
        for to in after.iter().filter(|id| !before.contains(id)).filter_map(|id| *id) {
            let grown = self.open.iter().find(|m| m.to == to && m.from == from);
            let start = grown.map_or(first, |m| m.keys.first);
            now.push(Move { keys: Arc { first: start, last }, from, to });
        }
        for item in self.open.iter() {
            let grew = now.iter().any(|m| m.to == item.to && m.keys.first == item.keys.first);
            if !grew {
                self.ready.push(item);
            }
        }
        self.open = now;
    }
}

impl Iterator for Plan<'_> {
    type Item = Move;

    fn next(&mut self) -> Option<Move> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let Ok(first) = u64::try_from(self.at) else {
                return self.open.pop_front();
            };
            let last = self.end_of_arc(first);
            self.take_arc(first, last);
            self.at = u128::from(last) + 1;
        }
    }
}
