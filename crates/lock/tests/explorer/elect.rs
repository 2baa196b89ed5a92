//! Two candidates whose clocks run a fifth slow or a fifth fast, one record, writes and answers that
//! are delayed, repeated or lost.

use super::{System, broken, safe};
use archstone_lock::Time;
use archstone_lock::protocol::elect::{Action, Candidate, Record, Terms};
use std::time::Duration;

/// Two ticks of a fast clock, three of a slow one.
const DURATION: u64 = 6_000;

/// No writing after this version: two are enough for what can go wrong.
const MOST: u64 = 2;

struct Election {
    terms: Terms,
    /// The duration in the record is the holder's own; off: everybody assumes a shorter one.
    holders_duration: bool,
    /// The instant before the sending counts; off: that of the answer.
    from_sending: bool,
    horizon: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    tick: u64,
    /// What each clock runs a tick.
    rates: [u64; 2],
    candidates: [Candidate<u8>; 2],
    record: Option<Record<u8>>,
    /// A write under way, with when it was sent by its sender's clock; it stays, to be repeated.
    write: [Option<(u64, Time)>; 2],
    /// An answer under way: version and sending time.
    answer: [Option<(u64, Time)>; 2],
    refused: [bool; 2],
}

impl State {
    fn now(&self, me: usize) -> Time {
        Time::from_nanos(self.tick * self.rates[me])
    }
}

impl System for Election {
    type State = State;

    fn starts(&self) -> Vec<State> {
        // The candidates are alike, so the slower one may be the first.
        [[2_000, 3_000], [3_000, 3_000]]
            .into_iter()
            .map(|rates| State {
                tick: 0,
                rates,
                candidates: [Candidate::new(0, self.terms), Candidate::new(1, self.terms)],
                record: None,
                write: [None; 2],
                answer: [None; 2],
                refused: [false; 2],
            })
            .collect()
    }

    fn next(&self, state: &State, found: &mut Vec<(String, State)>) {
        if state.tick < self.horizon {
            let next = State { tick: state.tick + 1, ..state.clone() };
            found.push((format!("tick {}", next.tick), next));
        }
        for me in 0..2 {
            let now = state.now(me);
            // Looks, and sends what it is told to.
            let mut next = state.clone();
            let mut seen = next.record;
            if let (Some(record), false) = (&mut seen, self.holders_duration) {
                record.duration /= 3;
            }
            match next.candidates[me].observe(now, seen.as_ref()) {
                Action::Wait { .. } => {}
                Action::Try { expect: MOST.. } | Action::Held { version: MOST.. } => {}
                Action::Try { expect } | Action::Held { version: expect } => {
                    next.write[me] = Some((expect, now));
                }
            }
            found.push((format!("{me} looks, sends {:?}", next.write[me]), next));
            // A write arrives, perhaps not for the first time.
            if let Some((expect, sent)) = state.write[me] {
                let mut next = state.clone();
                let version = state.record.map_or(0, |record| record.version);
                if version == expect {
                    let duration = Duration::from_nanos(DURATION);
                    next.record = Some(Record { holder: me as u8, version: expect + 1, duration });
                    next.answer[me] = Some((expect + 1, sent));
                } else {
                    next.refused[me] = true;
                }
                found.push((format!("the write of {me} arrives, expects {expect}"), next));
            }
            if let Some((version, sent)) = state.answer[me] {
                let mut next = state.clone();
                next.answer[me] = None;
                let sent = if self.from_sending { sent } else { now };
                let until = next.candidates[me].won(now, version, sent);
                found.push((format!("{me} hears that it won {version}: {until:?}"), next));
            }
            if state.refused[me] {
                let mut next = state.clone();
                next.refused[me] = false;
                next.candidates[me].lost();
                found.push((format!("{me} hears that it lost"), next));
            }
        }
    }

    fn check(&self, state: &State) -> Result<(), &'static str> {
        let acts = |me: usize| state.candidates[me].clone().may_act(state.now(me));
        if acts(0) && acts(1) { Err("two may act") } else { Ok(()) }
    }
}

fn election(terms: Terms) -> Election {
    Election { terms, holders_duration: true, from_sending: true, horizon: 4 }
}

fn allowed() -> Terms {
    Terms::with_drift(Duration::from_nanos(DURATION), 200_000).expect("safe")
}

#[test]
fn terms_with_an_allowance_for_drift_give_one_leader() {
    println!("{} states", safe(&election(allowed())));
}

#[test]
fn without_the_allowance_two_lead() {
    let duration = Duration::from_nanos(DURATION);
    broken(&election(Terms::new(duration, duration).expect("accepted")), "two may act");
}

#[test]
fn a_duration_of_ones_own_for_the_holders_gives_two_leaders() {
    broken(&Election { holders_duration: false, ..election(allowed()) }, "two may act");
}

#[test]
fn counting_from_the_answer_gives_two_leaders() {
    broken(&Election { from_sending: false, ..election(allowed()) }, "two may act");
}
