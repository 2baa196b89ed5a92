//! Invariants: named, counted, and when one breaks, with what led there.

use serde::Serialize;
use std::collections::VecDeque;
use std::fmt::Display;

/// Events that a violation shows, its own included.
pub const HISTORY: usize = 12;

/// The invariants of one seed's run and the events that lead to a violation.
///
/// `E` is the event: keep it small and `Copy` on a hot path, it is only formatted when an
/// invariant breaks for the first time. A check costs one branch and one addition.
///
/// ```
/// use kit::Invariants;
///
/// let mut invariants = Invariants::new(7);
/// let no_oversell = invariants.declare("no oversell");
/// let mut stock = 1_i32;
/// for buyer in ["ann", "bob"] {
///     invariants.event(format!("{buyer} buys, stock {stock}"));
///     stock -= 1;
///     invariants.check(no_oversell, stock >= 0, || format!("stock is {stock}"));
/// }
/// let record = &invariants.records()[0];
/// assert_eq!((record.checked, record.violations), (2, 1));
/// let first = record.first_seed_event.as_ref().unwrap();
/// assert_eq!((first.seed, first.event), (7, 2));
/// assert_eq!(first.what, "stock is -1");
/// assert_eq!(first.history, ["1: ann buys, stock 1", "2: bob buys, stock 0"]);
/// ```
#[derive(Clone, Debug)]
pub struct Invariants<E = String> {
    seed: u64,
    event: u64,
    recent: VecDeque<E>,
    records: Vec<Record>,
}

/// Which invariant of an [`Invariants`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invariant(usize);

/// What the report says of one invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its name, a claim: "no seat is sold twice".
    pub name: String,
    /// How often it was checked.
    pub checked: u64,
    /// How often it was broken.
    pub violations: u64,
    /// The first violation.
    pub first_seed_event: Option<FirstBreak>,
}

/// The first violation of an invariant: enough to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstBreak {
    /// The seed of the run.
    pub seed: u64,
    /// The event's number, from 1.
    pub event: u64,
    /// What was found.
    pub what: String,
    /// The last [`HISTORY`] events, oldest first.
    pub history: Vec<String>,
}

impl<E: Display> Invariants<E> {
    /// No invariants yet, for a run with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, event: 0, recent: VecDeque::with_capacity(HISTORY), records: Vec::new() }
    }

    /// Names an invariant; the same name is the same invariant.
    pub fn declare(&mut self, name: &str) -> Invariant {
        let found = self.records.iter().position(|record| record.name == name);
        Invariant(found.unwrap_or_else(|| {
            self.records.push(Record {
                name: name.to_owned(),
                checked: 0,
                violations: 0,
                first_seed_event: None,
            });
            self.records.len() - 1
        }))
    }

    /// The next event of the run.
    #[inline]
    pub fn event(&mut self, event: E) {
        self.event += 1;
        if self.recent.len() == HISTORY {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// Checks `invariant`: `holds`, or `what` was found instead. Returns `holds`.
    #[inline]
    pub fn check(
        &mut self,
        invariant: Invariant,
        holds: bool,
        what: impl FnOnce() -> String,
    ) -> bool {
        self.records[invariant.0].checked += 1;
        if !holds {
            self.broke(invariant, what());
        }
        holds
    }

    /// Counts `times` checks that held: for checks made in bulk.
    pub fn held(&mut self, invariant: Invariant, times: u64) {
        self.records[invariant.0].checked += times;
    }

    /// Number of the last event.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.event
    }

    /// Whether nothing broke.
    #[must_use]
    pub fn all_held(&self) -> bool {
        self.records.iter().all(|record| record.violations == 0)
    }

    /// What the report says of each.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the report says of each.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    #[cold]
    fn broke(&mut self, invariant: Invariant, what: String) {
        let first = self.event + 1 - self.recent.len() as u64;
        let history = || {
            let numbered = (first..).zip(&self.recent);
            numbered.map(|(number, event)| format!("{number}: {event}")).collect()
        };
        let record = &mut self.records[invariant.0];
        record.violations += 1;
        if record.first_seed_event.is_none() {
            let (seed, event) = (self.seed, self.event);
            record.first_seed_event = Some(FirstBreak { seed, event, what, history: history() });
        }
    }
}

/// Adds `more` to `records` by name: other workers, other seeds. The first violation kept is the
/// one of the lowest seed and event.
pub fn merge(records: &mut Vec<Record>, more: impl IntoIterator<Item = Record>) {
    for other in more {
        match records.iter_mut().find(|record| record.name == other.name) {
            None => records.push(other),
            Some(record) => {
                record.checked += other.checked;
                record.violations += other.violations;
                let key = |first: &FirstBreak| (first.seed, first.event);
                let firsts =
                    record.first_seed_event.take().into_iter().chain(other.first_seed_event);
                record.first_seed_event = firsts.min_by_key(key);
            }
        }
    }
}

/// The first of `records` that broke.
#[must_use]
pub fn first_broken(records: &[Record]) -> Option<&Record> {
    records.iter().find(|record| record.violations > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_the_last_events_and_the_first_violation_stays() {
        let mut invariants = Invariants::new(3);
        let even = invariants.declare("even");
        for n in 1..=100_u64 {
            invariants.event(n);
            invariants.check(even, n != 40 && n != 41, || format!("{n}"));
        }
        let record = &invariants.records()[0];
        assert_eq!((record.checked, record.violations), (100, 2));
        let first = record.first_seed_event.as_ref().unwrap();
        assert_eq!((first.seed, first.event, first.what.as_str()), (3, 40, "40"));
        assert_eq!(first.history.len(), HISTORY);
        assert_eq!(first.history[0], "29: 29");
        assert_eq!(first.history[HISTORY - 1], "40: 40");
    }

    #[test]
    fn a_violation_before_any_event_has_an_empty_history() {
        let mut invariants: Invariants = Invariants::new(1);
        let id = invariants.declare("x");
        assert!(!invariants.check(id, false, || "bad".into()));
        let first = invariants.records()[0].first_seed_event.clone().unwrap();
        assert_eq!((first.event, first.history.len()), (0, 0));
    }

    #[test]
    fn the_reason_is_not_built_while_the_invariant_holds() {
        let mut invariants: Invariants = Invariants::new(1);
        let id = invariants.declare("x");
        assert!(invariants.check(id, true, || unreachable!()));
        invariants.held(id, 9);
        assert_eq!(invariants.records()[0].checked, 10);
        assert!(invariants.all_held());
    }

    #[test]
    fn one_name_is_one_invariant_and_merging_keeps_the_earliest_violation() {
        let run = |seed, broken: bool| {
            let mut invariants: Invariants = Invariants::new(seed);
            let id = invariants.declare("x");
            assert_eq!(id, invariants.declare("x"));
            invariants.event("e".into());
            invariants.check(id, !broken, || format!("seed {seed}"));
            invariants.into_records()
        };
        let mut all = run(9, true);
        merge(&mut all, run(2, true));
        merge(&mut all, run(1, false));
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].checked, all[0].violations), (3, 2));
        assert_eq!(first_broken(&all).unwrap().first_seed_event.as_ref().unwrap().seed, 2);
    }
}
