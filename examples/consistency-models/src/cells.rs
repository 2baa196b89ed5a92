//! Calls as reads and writes of cells: what every model but the replicated log and the CRDTs does.

use crate::arena::State;
use crate::script::{Answer, Op};
use std::collections::{BTreeMap, BTreeSet};

/// A cell of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A register.
    Register(u64),
    /// The counter, kept as one number.
    Count,
    /// The set, kept as one value.
    Elements,
    /// Whether a doctor of a shift is off.
    Off(u64, u64),
}

/// What a cell holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Nothing was written yet.
    #[default]
    Empty,
    /// A number.
    Number(u64),
    /// A set.
    Set(BTreeSet<u64>),
}

impl Cell {
    fn number(&self) -> u64 {
        match self {
            Self::Number(n) => *n,
            _ => 0,
        }
    }

    fn set(&self) -> BTreeSet<u64> {
        match self {
            Self::Set(set) => set.clone(),
            _ => BTreeSet::new(),
        }
    }
}

/// The cell that a call must read before it can answer or write; a plain write reads none.
#[must_use]
pub const fn looks_at(op: Op) -> Option<Key> {
    match op {
        Op::Read(register) => Some(Key::Register(register)),
        Op::Write(..) => None,
        Op::Count | Op::Increment => Some(Key::Count),
        Op::Members | Op::Insert(_) => Some(Key::Elements),
        Op::GoOff(shift, doctor) => Some(Key::Off(shift, 1 - doctor)),
    }
}

/// What follows from what it read: an answer, or a write that is then answered with `Done`.
///
/// Between the read and the write anything may happen. That is the lost update, and the write skew.
///
/// # Errors
/// The answer, when nothing is written: no failure, the shorter way.
pub fn follows(op: Op, seen: &Cell) -> Result<(Key, Cell), Answer> {
    match op {
        Op::Read(_) => Err(Answer::Value(seen.number())),
        Op::Write(register, value) => Ok((Key::Register(register), Cell::Number(value))),
        Op::Count => Err(Answer::Number(seen.number() as i64)),
        Op::Increment => Ok((Key::Count, Cell::Number(seen.number() + 1))),
        Op::Members => Err(Answer::Elements(seen.set())),
        Op::Insert(item) => {
            let mut set = seen.set();
            set.insert(item);
            Ok((Key::Elements, Cell::Set(set)))
        }
        Op::GoOff(..) if seen.number() == 1 => Err(Answer::Refused),
        Op::GoOff(shift, doctor) => Ok((Key::Off(shift, doctor), Cell::Number(1))),
    }
}

/// What a client would read of `cells`.
#[must_use]
pub fn state<'a>(cells: impl Iterator<Item = (Key, &'a Cell)>) -> State {
    let (mut registers, mut state) = (BTreeMap::new(), State::default());
    for (key, cell) in cells {
        match key {
            Key::Register(register) => {
                registers.insert(register, cell.number());
            }
            Key::Count => state.count = cell.number() as i64,
            Key::Elements => state.elements = cell.set(),
            Key::Off(..) => {}
        }
    }
    State { registers, ..state }
}
