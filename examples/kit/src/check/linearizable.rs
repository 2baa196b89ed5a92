use super::{Call, History};
use std::collections::HashSet;
use std::hash::Hash;

/// A sequential object: what one client alone would see.
pub trait Model {
    /// What the object is.
    type State: Clone + Eq + Hash;
    /// What can be asked.
    type Op;
    /// What can be answered.
    type Ret;

    /// The object before the first call.
    fn initial(&self) -> Self::State;

    /// The object after `op` was answered with `ret`; `None` when it could not have answered so. A
    /// call without an answer (`ret` is `None`) may have had any.
    fn step(
        &self,
        state: &Self::State,
        op: &Self::Op,
        ret: Option<&Self::Ret>,
    ) -> Option<Self::State>;
}

/// Whether a history is linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, in this order of its calls (numbers into [`History::calls`]); calls that never
    /// returned are in it only if they must have taken effect.
    Linearizable {
        /// The order.
        order: Vec<usize>,
    },
    /// No order explains it.
    Violation {
        /// The longest order that was found.
        explained: Vec<usize>,
        /// The call that returned first of those that no order could explain.
        stuck: usize,
    },
    /// More than `limit` steps: the history is too long, or too many of its calls are concurrent.
    Undecided {
        /// The limit.
        limit: u64,
    },
}

impl Verdict {
    /// Whether an order was found.
    #[must_use]
    pub const fn is_linearizable(&self) -> bool {
        matches!(self, Self::Linearizable { .. })
    }
}

/// Looks for an order of the calls that `model` allows and in which a call that returned before
/// another was invoked comes before it (Herlihy and Wing 1990). A call that returns at the very
/// instant at which another is invoked is taken as concurrent with it.
///
/// The search is that of Wing and Gong (1993) with Lowe's cache of visited configurations (Testing
/// for linearizability, 2017): exponential in the number of concurrent calls, so histories should
/// be checked one object at a time; `limit` bounds the steps.
///
/// ```
/// use kit::Time;
/// use kit::check::models::{Register, RegisterOp};
/// use kit::check::{History, linearizable};
///
/// let at = Time::from_millis;
/// let mut history = History::new();
/// let write = history.invoke(0, RegisterOp::Write(1), at(0));
/// history.returned(write, None, at(10));
/// let read = history.invoke(1, RegisterOp::Read, at(20));
/// history.returned(read, Some(0), at(30)); // the write had returned: 0 is stale
/// assert!(!linearizable(&Register::default(), &history, 1_000).is_linearizable());
/// ```
pub fn linearizable<M: Model>(model: &M, history: &History<M::Op, M::Ret>, limit: u64) -> Verdict {
    let calls = history.calls();
    let mut search = Search::new(&calls);
    let mut state = model.initial();
    let mut seen: HashSet<(Vec<u64>, M::State)> = HashSet::new();
    // The order so far, with the state before each call.
    let mut order: Vec<(usize, M::State)> = Vec::new();
    let mut explained: Vec<usize> = Vec::new();
    let mut stuck = 0;
    let mut at = search.next[HEAD];
    for _ in 0..limit {
        if search.open == 0 {
            return Verdict::Linearizable { order: order.iter().map(|entry| entry.0).collect() };
        }
        match search.events[at] {
            Event::Invoke(call) => {
                let Call { op, returned, .. } = calls[call];
                let after = model.step(&state, op, returned.as_ref().map(|(_, ret)| ret));
                let fresh = after.filter(|after| {
                    search.mark(call);
                    let fresh = seen.insert((search.taken.clone(), after.clone()));
                    search.unmark(call);
                    fresh
                });
                match fresh {
                    Some(after) => {
                        search.take(call);
                        order.push((call, std::mem::replace(&mut state, after)));
                        at = search.next[HEAD];
                    }
                    None => at = search.next[at],
                }
            }
            // This call returned before all that follow were invoked, and it is not in the order:
            // the last choice was wrong.
            Event::Return(call) => {
                if order.len() >= explained.len() {
                    explained = order.iter().map(|entry| entry.0).collect();
                    stuck = call;
                }
                let Some((last, before)) = order.pop() else {
                    return Verdict::Violation { explained, stuck };
                };
                state = before;
                search.put_back(last);
                at = search.next[search.invoke_of[last]];
            }
            Event::Head => unreachable!("the head has no predecessor"),
        }
    }
    Verdict::Undecided { limit }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Head,
    Invoke(usize),
    Return(usize),
}

const HEAD: usize = 0;

/// Invocations and returns in the order of time, as a list from which calls are taken and into
/// which they are put back in the opposite order.
#[derive(Debug)]
struct Search {
    events: Vec<Event>,
    next: Vec<usize>,
    previous: Vec<usize>,
    invoke_of: Vec<usize>,
    return_of: Vec<Option<usize>>,
    /// A bit a call that is in the order.
    taken: Vec<u64>,
    /// Calls that returned and are not yet in the order.
    open: usize,
}

impl Search {
    fn new<O, R>(calls: &[&Call<O, R>]) -> Self {
        // At one instant invocations come first: a tie is concurrent.
        let mut events: Vec<_> = Vec::new();
        for (call, entry) in calls.iter().enumerate() {
            events.push((entry.invoked, 0, call));
            if let Some((at, _)) = &entry.returned {
                events.push(((*at).max(entry.invoked), 1, call));
            }
        }
        events.sort_unstable();
        let mut search = Self {
            events: vec![Event::Head],
            next: Vec::new(),
            previous: Vec::new(),
            invoke_of: vec![0; calls.len()],
            return_of: vec![None; calls.len()],
            taken: vec![0; calls.len().div_ceil(64)],
            open: calls.iter().filter(|call| call.returned.is_some()).count(),
        };
        for (_, kind, call) in events {
            let at = search.events.len();
            if kind == 0 {
                search.events.push(Event::Invoke(call));
                search.invoke_of[call] = at;
            } else {
                search.events.push(Event::Return(call));
                search.return_of[call] = Some(at);
            }
        }
        let len = search.events.len();
        search.next = (1..=len).collect();
        search.previous = (0..len).map(|at| at.saturating_sub(1)).collect();
        search
    }

    fn mark(&mut self, call: usize) {
        self.taken[call / 64] |= 1 << (call % 64);
    }

    fn unmark(&mut self, call: usize) {
        self.taken[call / 64] &= !(1 << (call % 64));
    }

    fn unlink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = next;
        if next < self.previous.len() {
            self.previous[next] = previous;
        }
    }

    fn link(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = at;
        if next < self.previous.len() {
            self.previous[next] = at;
        }
    }

    fn take(&mut self, call: usize) {
        self.mark(call);
        self.unlink(self.invoke_of[call]);
        if let Some(at) = self.return_of[call] {
            self.unlink(at);
            self.open -= 1;
        }
    }

    fn put_back(&mut self, call: usize) {
        self.unmark(call);
        if let Some(at) = self.return_of[call] {
            self.link(at);
            self.open += 1;
        }
        self.link(self.invoke_of[call]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::models::{Register, RegisterOp};
    use super::*;
    use archstone_core::Time;
    use proptest::prelude::*;

    type Calls = History<RegisterOp, Option<u64>>;

    /// Every order of the returned calls and any of the others, by brute force.
    fn by_force(
        model: &Register,
        calls: &[&Call<RegisterOp, Option<u64>>],
        taken: u32,
        state: &u64,
    ) -> bool {
        let left = |call: &usize| taken >> call & 1 == 0;
        let all: Vec<usize> = (0..calls.len()).filter(left).collect();
        if all.iter().all(|&call| calls[call].returned.is_none()) {
            return true;
        }
        all.iter().any(|&call| {
            let first = all.iter().all(|&other| {
                let Some((returned, _)) = &calls[other].returned else { return true };
                other == call || calls[call].invoked <= *returned
            });
            let ret = calls[call].returned.as_ref().map(|(_, ret)| ret);
            let after = model.step(state, &calls[call].op, ret);
            first && after.is_some_and(|after| by_force(model, calls, taken | 1 << call, &after))
        })
    }

    fn op() -> impl Strategy<Value = RegisterOp> {
        prop_oneof![
            Just(RegisterOp::Read),
            (1_u64..4).prop_map(RegisterOp::Write),
            (0_u64..4, 1_u64..4).prop_map(|(old, new)| RegisterOp::Swap { old, new }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_search_agrees_with_every_order(rows in prop::collection::vec((op(), 0_u64..12, 0_u64..8, 0_u64..4, 0_u8..5), 0..8)) {
            let mut history = Calls::new();
            for (op, invoked, lasts, value, how) in rows {
                let call = history.invoke(0, op, Time::from_nanos(invoked));
                let result = match op {
                    RegisterOp::Read => Some(value),
                    RegisterOp::Write(_) => None,
                    RegisterOp::Swap { .. } => Some(value % 2),
                };
                match how {
                    0 => {}
                    1 if value == 0 => history.failed(call),
                    _ => history.returned(call, result, Time::from_nanos(invoked + lasts)),
                }
            }
            let model = Register::default();
            let verdict = linearizable(&model, &history, 1_000_000);
            let calls = history.calls();
            prop_assert_eq!(verdict.is_linearizable(), by_force(&model, &calls, 0, &0));
            match verdict {
                // The order is one: it obeys the model and real time, and has every answer.
                Verdict::Linearizable { order } => {
                    let mut state = model.initial();
                    for (place, &call) in order.iter().enumerate() {
                        let ret = calls[call].returned.as_ref().map(|(_, ret)| ret);
                        state = model.step(&state, &calls[call].op, ret).unwrap();
                        for &later in &order[place..] {
                            let returned = calls[later].returned.as_ref();
                            prop_assert!(returned.is_none_or(|(at, _)| *at >= calls[call].invoked));
                        }
                    }
                    let answered = calls.iter().filter(|call| call.returned.is_some()).count();
                    let ordered = order.iter().filter(|&&call| calls[call].returned.is_some()).count();
                    prop_assert_eq!(answered, ordered);
                }
                Verdict::Violation { explained, stuck } => prop_assert!(!explained.contains(&stuck)),
                Verdict::Undecided { .. } => prop_assert!(false),
            }
        }
    }

    /// Client, call, when, and when it returned with what.
    type Row = (usize, RegisterOp, u64, Option<(u64, Option<u64>)>);

    fn history(calls: &[Row]) -> Calls {
        let mut history = Calls::new();
        for &(client, op, invoked, returned) in calls {
            let call = history.invoke(client, op, Time::from_millis(invoked));
            if let Some((at, ret)) = returned {
                history.returned(call, ret, Time::from_millis(at));
            }
        }
        history
    }

    #[test]
    fn a_write_without_an_answer_may_take_effect_late_but_not_twice() {
        use RegisterOp::{Read, Write};
        let lost = (0, Write(7), 0, None);
        let reads = |values: [u64; 3]| {
            let mut calls = vec![lost];
            for (n, value) in values.into_iter().enumerate() {
                calls.push((1, Read, 10 * n as u64 + 1, Some((10 * n as u64 + 5, Some(value)))));
            }
            linearizable(&Register::default(), &history(&calls), 1_000)
        };
        assert!(reads([0, 0, 7]).is_linearizable());
        assert!(reads([0, 0, 0]).is_linearizable());
        let Verdict::Violation { stuck, .. } = reads([0, 7, 0]) else { panic!() };
        assert_eq!(stuck, 3);
    }

    #[test]
    fn a_search_without_end_is_cut_off() {
        let calls: Vec<_> =
            (0..40).map(|n| (n, RegisterOp::Write(n as u64), 0, Some((9, None)))).collect();
        let mut calls = calls;
        calls.push((50, RegisterOp::Read, 10, Some((11, Some(99)))));
        let verdict = linearizable(&Register::default(), &history(&calls), 10_000);
        assert_eq!(verdict, Verdict::Undecided { limit: 10_000 });
    }
}
