//! A plan under way: who is read and who is written while ranges move.

use crate::key::{Hashed, NodeId};
use crate::placement::Candidates;
use crate::plan::{Move, Plan, PlanError};
use crate::ring::Ring;
use crate::topology::MAX_COPIES;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The change from one ring to another, applied range by range.
///
/// Until every move of a key is done its old holders answer reads, and writes go to old and new
/// ones; then the new holders alone. So a write that was accepted is never read away by the change,
/// as long as a copy in progress does not overwrite newer values (copy what is absent, or compare
/// versions).
///
/// For joins, leaves and changes of weight that are planned. When a node dies meanwhile, take it out
/// of both rings and begin another.
///
/// ```
/// use archstone_hashring::{Handoff, Key, NodeId, Resize, Ring, Weight};
///
/// let mut old = Ring::new();
/// for name in ["a", "b", "c"] {
///     old.add(NodeId::of(name), Weight::ONE)?;
/// }
/// let mut new = old.clone();
/// new.add(NodeId::of("d"), Weight::ONE)?;
///
/// let mut handoff = Handoff::new(old, new, 2)?;
/// while let Some((id, step)) = handoff.begin() {
///     // copy `step.keys` from `step.from` to `step.to`; on an error `handoff.fail(id)`
///     assert_eq!(step.to, NodeId::of("d"));
///     handoff.complete(id)?;
/// }
/// let ring = handoff.finish().expect("all is moved");
/// assert_eq!(ring.point_count(), 640);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot", into = "Snapshot"))]
pub struct Handoff {
    old: Ring,
    new: Ring,
    copies: usize,
    /// Ascending by (receiver, first key); the ranges of one receiver are disjoint.
    steps: Vec<(Move, State)>,
    /// No step before it is pending.
    next: usize,
    left: usize,
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum State {
    /// Not begun.
    Pending,
    /// Being copied.
    Copying,
    /// Handed over.
    Done,
}

/// Which move, in one [`Handoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MoveId(pub u32);

/// A move that is not being copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandoffError {
    /// The move.
    pub id: MoveId,
    /// How far it is; `None` when there is no such move.
    pub state: Option<State>,
}

impl fmt::Display for HandoffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            Some(state) => write!(f, "move {} is {state:?}, not Copying", self.id.0),
            None => write!(f, "there is no move {}", self.id.0),
        }
    }
}

impl core::error::Error for HandoffError {}

/// The nodes that hold a key, at most twice [`MAX_COPIES`]; kept inline.
#[derive(Clone, Copy, Debug)]
pub struct Holders {
    ids: [NodeId; 2 * MAX_COPIES],
    len: usize,
}

impl Holders {
    const fn new() -> Self {
        Self { ids: [NodeId(0); 2 * MAX_COPIES], len: 0 }
    }

    fn extend(&mut self, ring: &Ring, key: Hashed, copies: usize) {
        for id in ring.candidates(key).take(copies).filter_map(|node| ring.id(node)) {
            if !self.contains(&id) {
                self.ids[self.len] = id;
                self.len += 1;
            }
        }
    }
}

impl core::ops::Deref for Holders {
    type Target = [NodeId];
    fn deref(&self) -> &[NodeId] {
        &self.ids[..self.len]
    }
}

impl Handoff {
    /// The change from `old` to `new` with `copies` copies of each key, 1 to [`MAX_COPIES`].
    /// O(points); 56 bytes a move. From an empty ring nothing is to copy.
    ///
    /// # Errors
    /// [`PlanError::Copies`] outside that range.
    pub fn new(old: Ring, new: Ring, copies: usize) -> Result<Self, PlanError> {
        let plan = Plan::new(&old, &new, copies)?.filter(|step| step.from.is_some());
        let mut steps: Vec<_> = plan.map(|step| (step, State::Pending)).collect();
        steps.sort_unstable_by_key(|(step, _)| (step.to, step.keys.first));
        let left = steps.len();
        Ok(Self { old, new, copies, steps, next: 0, left })
    }

    /// The next move to copy, `None` when all are begun. Many may be under way at once.
    pub fn begin(&mut self) -> Option<(MoveId, Move)> {
        let pending = |(_, state): &(Move, State)| *state == State::Pending;
        let Some(ahead) = self.steps[self.next..].iter().position(pending) else {
            self.next = self.steps.len();
            return None;
        };
        let at = self.next + ahead;
        self.next = at + 1;
        let (step, state) = &mut self.steps[at];
        *state = State::Copying;
        Some((MoveId(at as u32), *step))
    }

    fn copying(&mut self, id: MoveId) -> Result<&mut State, HandoffError> {
        let found = self.state(id);
        let step = self.steps.get_mut(id.0 as usize).map(|(_, state)| state);
        let copying = step.filter(|state| **state == State::Copying);
        copying.ok_or(HandoffError { id, state: found })
    }

    /// A move has been copied: its receiver holds it.
    ///
    /// # Errors
    /// [`HandoffError`] when it was not under way.
    pub fn complete(&mut self, id: MoveId) -> Result<(), HandoffError> {
        *self.copying(id)? = State::Done;
        self.left -= 1;
        Ok(())
    }

    /// A copy failed: the move waits again.
    ///
    /// # Errors
    /// [`HandoffError`] when it was not under way.
    pub fn fail(&mut self, id: MoveId) -> Result<(), HandoffError> {
        *self.copying(id)? = State::Pending;
        self.next = self.next.min(id.0 as usize);
        Ok(())
    }

    /// How far a move is; `None` when there is no such move.
    #[must_use]
    pub fn state(&self, id: MoveId) -> Option<State> {
        self.steps.get(id.0 as usize).map(|&(_, state)| state)
    }

    /// Whether all moves of `key` are done.
    #[must_use]
    pub fn has_moved(&self, key: Hashed) -> bool {
        // Only who holds it from now on can be the receiver of one.
        let mut receivers = self.new.candidates(key).take(self.copies);
        !receivers.any(|node| self.new.id(node).is_some_and(|to| self.is_awaited(to, key)))
    }

    /// Whether a move of `key` to `to` is not done.
    fn is_awaited(&self, to: NodeId, key: Hashed) -> bool {
        let at = self.steps.partition_point(|(step, _)| (step.to, step.keys.first) <= (to, key.0));
        let step = at.checked_sub(1).and_then(|at| self.steps.get(at));
        step.is_some_and(|(step, state)| {
            step.to == to && step.keys.contains(key) && *state != State::Done
        })
    }

    /// Who answers reads of `key`, in order of preference. Does not allocate.
    #[must_use]
    pub fn reads(&self, key: Hashed) -> Holders {
        let mut holders = Holders::new();
        let ring = if self.has_moved(key) { &self.new } else { &self.old };
        holders.extend(ring, key, self.copies);
        holders
    }

    /// Who takes writes of `key`: while it moves, who reads it and who will.
    #[must_use]
    pub fn writes(&self, key: Hashed) -> Holders {
        let mut holders = self.reads(key);
        holders.extend(&self.new, key, self.copies);
        holders
    }

    /// Moves that are not done.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Share of the keys to move that have been, 0 to 1; 1 when there were none.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let keys = |only: &dyn Fn(State) -> bool| -> f64 {
            let steps = self.steps.iter().filter(|(_, state)| only(*state));
            steps.map(|(step, _)| step.keys.keys() as f64).sum()
        };
        if self.left == 0 { 1.0 } else { keys(&|state| state == State::Done) / keys(&|_| true) }
    }

    /// The new ring, when all is moved.
    ///
    /// # Errors
    /// The handoff itself while moves are left.
    pub fn finish(self) -> Result<Ring, Box<Self>> {
        if self.left == 0 { Ok(self.new) } else { Err(Box::new(self)) }
    }
}

/// The rings and what is done: the plan follows. A copy that was under way waits again.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot {
    old: Ring,
    new: Ring,
    copies: usize,
    done: Vec<MoveId>,
}

#[cfg(feature = "serde")]
impl From<Handoff> for Snapshot {
    fn from(from: Handoff) -> Self {
        let done = (0..).zip(&from.steps).filter(|(_, (_, state))| *state == State::Done);
        let done = done.map(|(id, _)| MoveId(id)).collect();
        Self { old: from.old, new: from.new, copies: from.copies, done }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Snapshot> for Handoff {
    type Error = alloc::string::String;
    fn try_from(from: Snapshot) -> Result<Self, Self::Error> {
        use alloc::string::ToString;
        let mut handoff =
            Self::new(from.old, from.new, from.copies).map_err(|error| error.to_string())?;
        for id in from.done {
            let step = handoff.steps.get_mut(id.0 as usize);
            let step = step.filter(|(_, state)| *state == State::Pending);
            let (_, state) = step.ok_or_else(|| alloc::format!("move {} is done already", id.0))?;
            *state = State::Done;
            handoff.left -= 1;
        }
        Ok(handoff)
    }
}
