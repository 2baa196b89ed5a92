//! Objects that the designs study: a register, a counter, a set.

use super::Model;
use std::collections::BTreeSet;

/// A register that holds a number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register {
    /// What it holds at first.
    pub initial: u64,
}

/// What a [`Register`] is asked. A read answers with the value, a write with `None`, a swap with 1
/// when it took place and 0 when it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterOp {
    /// What does it hold?
    Read,
    /// It holds this.
    Write(u64),
    /// It holds `new` if it holds `old`.
    Swap {
        /// What it must hold.
        old: u64,
        /// What it holds then.
        new: u64,
    },
}

impl Model for Register {
    type State = u64;
    type Op = RegisterOp;
    type Ret = Option<u64>;

    fn initial(&self) -> u64 {
        self.initial
    }

    fn step(&self, &state: &u64, op: &RegisterOp, ret: Option<&Option<u64>>) -> Option<u64> {
        let (answer, after) = match *op {
            RegisterOp::Read => (Some(state), state),
            RegisterOp::Write(value) => (None, value),
            RegisterOp::Swap { old, new } if state == old => (Some(1), new),
            RegisterOp::Swap { .. } => (Some(0), state),
        };
        ret.is_none_or(|ret| *ret == answer).then_some(after)
    }
}

/// A counter that starts at 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// What a [`Counter`] is asked. A read answers with the count, an addition with `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterOp {
    /// How many?
    Read,
    /// So many more (or fewer).
    Add(i64),
}

impl Model for Counter {
    type State = i64;
    type Op = CounterOp;
    type Ret = Option<i64>;

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, &state: &i64, op: &CounterOp, ret: Option<&Option<i64>>) -> Option<i64> {
        let (answer, after) = match *op {
            CounterOp::Read => (Some(state), state),
            CounterOp::Add(amount) => (None, state.saturating_add(amount)),
        };
        ret.is_none_or(|ret| *ret == answer).then_some(after)
    }
}

/// A set of numbers that starts empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// What a [`Set`] is asked. A read answers with all elements, the others with `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    /// Which elements?
    Read,
    /// This one too.
    Add(u64),
    /// This one no longer.
    Remove(u64),
}

impl Model for Set {
    type State = BTreeSet<u64>;
    type Op = SetOp;
    type Ret = Option<BTreeSet<u64>>;

    fn initial(&self) -> BTreeSet<u64> {
        BTreeSet::new()
    }

    fn step(
        &self,
        state: &BTreeSet<u64>,
        op: &SetOp,
        ret: Option<&Option<BTreeSet<u64>>>,
    ) -> Option<BTreeSet<u64>> {
        let mut after = state.clone();
        let answer = match *op {
            SetOp::Read => Some(state),
            SetOp::Add(item) => {
                after.insert(item);
                None
            }
            SetOp::Remove(item) => {
                after.remove(&item);
                None
            }
        };
        ret.is_none_or(|ret| ret.as_ref() == answer).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{History, linearizable};
    use super::*;
    use archstone_core::Time;

    #[test]
    fn two_additions_are_both_counted() {
        let mut history = History::new();
        for client in 0..2 {
            let add = history.invoke(client, CounterOp::Add(5), Time::ZERO);
            history.returned(add, None, Time::from_millis(3));
        }
        let mut lost = history.clone();
        for (history, seen) in [(&mut history, 10), (&mut lost, 5)] {
            let read = history.invoke(2, CounterOp::Read, Time::from_millis(4));
            history.returned(read, Some(seen), Time::from_millis(5));
        }
        assert!(linearizable(&Counter, &history, 1_000).is_linearizable());
        assert!(!linearizable(&Counter, &lost, 1_000).is_linearizable());
    }

    #[test]
    fn a_removed_element_does_not_come_back() {
        let mut history = History::new();
        let steps = [
            (SetOp::Add(3), None),
            (SetOp::Remove(3), None),
            (SetOp::Read, Some(BTreeSet::from([3]))),
        ];
        for (at, (op, ret)) in (0..).zip(steps) {
            let call = history.invoke(0, op, Time::from_millis(10 * at));
            history.returned(call, ret, Time::from_millis(10 * at + 1));
        }
        assert!(!linearizable(&Set, &history, 1_000).is_linearizable());
    }
}
