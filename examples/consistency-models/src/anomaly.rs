//! Names what went wrong in a history, by what clients saw and nothing else.
//!
//! Values are written once each, so a read says which write it saw. The checks are sound: what they
//! name is an anomaly under any order of the calls. They are not complete, the search for an order
//! ([`linearizable_objects`]) is.

use crate::arena::{Done, Outcome};
use crate::script::{Answer, Op};
use kit::Time;
use kit::check::models::{Counter, CounterOp, Register, RegisterOp, Set, SetOp};
use kit::check::{History, Model, Verdict, linearizable};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// A read returned a value that had been replaced before the read began.
    StaleRead,
    /// A client met a value again that it had already seen replaced.
    BackwardsRead,
    /// A client that knows of a later write met an earlier one: the effect before its cause.
    EffectFirst,
    /// An acknowledged addition is not there in the end.
    LostUpdate,
    /// Two calls that each looked at what the other changed, and both went through.
    WriteSkew,
}

impl Anomaly {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 5] = [
        Self::StaleRead,
        Self::BackwardsRead,
        Self::EffectFirst,
        Self::LostUpdate,
        Self::WriteSkew,
    ];

    /// For a table's head.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale read",
            Self::BackwardsRead => "non-monotonic read",
            Self::EffectFirst => "effect first",
            Self::LostUpdate => "lost update",
            Self::WriteSkew => "write skew",
        }
    }

    /// For a table that must be narrow.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::BackwardsRead => "backwards",
            other => other.name(),
        }
    }

    /// For a file's name.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::StaleRead => "stale-read",
            Self::BackwardsRead => "non-monotonic-read",
            Self::EffectFirst => "effect-before-cause",
            Self::LostUpdate => "lost-update",
            Self::WriteSkew => "write-skew",
        }
    }
}

/// One anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub kind: Anomaly,
    /// The calls that show it, by number.
    pub calls: Vec<usize>,
    /// In words.
    pub what: String,
}

/// Everything that can be named in `outcome`.
#[must_use]
pub fn find(outcome: &Outcome) -> Vec<Found> {
    let calls = &outcome.calls;
    let writes = Writes::of(calls);
    let mut found = stale(calls, &writes);
    found.extend(backwards(calls));
    found.extend(effect_first(calls, &writes));
    found.extend(lost(calls));
    found.extend(skew(calls));
    found
}

/// Which call wrote a value.
#[derive(Debug)]
struct Writes(BTreeMap<(u64, u64), usize>);

impl Writes {
    fn of(calls: &[Done]) -> Self {
        let write = |(at, call): (usize, &Done)| match call.step.op {
            Op::Write(register, value) => Some(((register, value), at)),
            _ => None,
        };
        Self(calls.iter().enumerate().filter_map(write).collect())
    }

    fn to(&self, register: u64) -> impl Iterator<Item = usize> + '_ {
        self.0.range((register, 0)..=(register, u64::MAX)).map(|(_, &at)| at)
    }
}

/// A read that was answered: register, value, when it began and ended.
fn read(call: &Done) -> Option<(u64, u64, Time)> {
    match (call.step.op, &call.returned) {
        (Op::Read(register), Some((at, Answer::Value(value)))) => Some((register, *value, *at)),
        _ => None,
    }
}

/// For how long the value that `call` read had been replaced when it was asked for, and by which
/// call; `None` when it had not been, or that is not certain.
fn replaced(calls: &[Done], writes: &Writes, call: &Done) -> Option<(Duration, usize)> {
    let (register, value, _) = read(call)?;
    let written = match writes.0.get(&(register, value)) {
        // One that was never answered may have taken effect at any time.
        Some(&write) => calls[write].returned.as_ref()?.0,
        None => Time::ZERO,
    };
    let later = writes.to(register).filter_map(|write| {
        let done = calls[write].returned.as_ref()?.0;
        (calls[write].invoked > written && done < call.invoked).then_some((done, write))
    });
    later.min().map(|(done, write)| (call.invoked.since(done), write))
}

/// How stale each answered read of a register was; zero when it was not.
#[must_use]
pub fn staleness(outcome: &Outcome) -> Vec<Duration> {
    let writes = Writes::of(&outcome.calls);
    let reads = outcome.calls.iter().filter(|call| read(call).is_some());
    reads
        .map(|call| replaced(&outcome.calls, &writes, call).map_or(Duration::ZERO, |r| r.0))
        .collect()
}

fn stale(calls: &[Done], writes: &Writes) -> Vec<Found> {
    let one = |(at, call): (usize, &Done)| {
        let (age, by) = replaced(calls, writes, call)?;
        let (register, value, _) = read(call)?;
        let newer = calls[by].step.op;
        let age = kit::human::duration(age);
        let what = format!(
            "client {} reads r{register} = {value} at node {}, {age} after {newer:?} was acknowledged",
            call.step.client, call.step.node
        );
        let first = writes.0.get(&(register, value)).copied();
        let calls = first.into_iter().chain([by, at]).collect();
        Some(Found { kind: Anomaly::StaleRead, calls, what })
    };
    calls.iter().enumerate().filter_map(one).collect()
}

fn backwards(calls: &[Done]) -> Vec<Found> {
    // Of each client and register: the values met, in the order of the answers, by which call.
    let mut met: BTreeMap<(usize, u64), Vec<(u64, usize)>> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let Some((register, value, _)) = read(call) else { continue };
        let seen = met.entry((call.step.client, register)).or_default();
        let last = seen.last().copied();
        if last.is_some_and(|(last, _)| last == value) {
            continue;
        }
        let before = seen.iter().find(|(old, _)| *old == value).map(|(_, at)| *at);
        if let Some((newer, by)) = last
            && (before.is_some() || value == 0)
        {
            let client = call.step.client;
            let what = format!("client {client} reads r{register} = {newer}, then {value} again");
            let calls = before.into_iter().chain([by, at]).collect();
            found.push(Found { kind: Anomaly::BackwardsRead, calls, what });
        }
        seen.push((value, at));
    }
    found
}

fn effect_first(calls: &[Done], writes: &Writes) -> Vec<Found> {
    // What each client knows of, and what the writer of each value knew of, as calls.
    let mut knows: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut past: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut found = Vec::new();
    // A client makes one call at a time: its calls in the order in which they were made.
    for (at, call) in calls.iter().enumerate() {
        let known = knows.entry(call.step.client).or_default();
        if let Op::Write(..) = call.step.op {
            past.insert(at, known.clone());
            if call.returned.is_some() {
                known.insert(at);
            }
        }
        let Some((register, value, _)) = read(call) else { continue };
        let source = writes.0.get(&(register, value)).copied();
        let later = writes.to(register).find(|write| {
            known.contains(write) && source.is_none_or(|source| past[write].contains(&source))
        });
        if let Some(later) = later {
            let (client, newer) = (call.step.client, calls[later].step.op);
            let what =
                format!("client {client} knows of {newer:?} and reads r{register} = {value}");
            let calls = source.into_iter().chain([later, at]).collect();
            found.push(Found { kind: Anomaly::EffectFirst, calls, what });
        }
        if let Some(source) = source {
            // A write that is read before it is made is no write of this history's past.
            known.extend(past.get(&source).into_iter().flatten().copied());
            known.insert(source);
        }
    }
    found
}

/// Whether the write `later` was made by a client that knew of `earlier`; for the last value of a
/// register that should not have won.
#[must_use]
pub fn covered(outcome: &Outcome, register: u64, last: u64) -> Option<Op> {
    let (calls, writes) = (&outcome.calls, Writes::of(&outcome.calls));
    let source = writes.0.get(&(register, last)).copied();
    let mut knows: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut past: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        let known = knows.entry(call.step.client).or_default();
        match (call.step.op, read(call)) {
            (Op::Write(to, _), _) => {
                past.insert(at, known.clone());
                let done = call.returned.is_some();
                if to == register && done && source.is_none_or(|source| known.contains(&source)) {
                    return Some(call.step.op);
                }
                known.extend(done.then_some(at));
            }
            (_, Some((from, value, _))) => {
                if let Some(&write) = writes.0.get(&(from, value)) {
                    known.extend(past.get(&write).into_iter().flatten().copied());
                    known.insert(write);
                }
            }
            _ => {}
        }
    }
    None
}

/// Additions that were acknowledged, and what the last look at counter and set found.
#[must_use]
pub fn additions(calls: &[Done]) -> Option<(u64, i64, BTreeSet<u64>, BTreeSet<u64>)> {
    let done = |call: &&Done| call.returned.is_some();
    let increments = calls.iter().filter(done).filter(|call| call.step.op == Op::Increment).count();
    let inserted = calls.iter().filter(done).filter_map(|call| match call.step.op {
        Op::Insert(item) => Some(item),
        _ => None,
    });
    let last = |op: Op| calls.iter().rev().find(|call| call.step.op == op)?.returned.clone();
    match (last(Op::Count)?.1, last(Op::Members)?.1) {
        (Answer::Number(count), Answer::Elements(elements)) => {
            Some((increments as u64, count, inserted.collect(), elements))
        }
        _ => None,
    }
}

fn lost(calls: &[Done]) -> Vec<Found> {
    let Some((increments, count, inserted, elements)) = additions(calls) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if count < increments as i64 {
        let what =
            format!("{increments} additions were acknowledged, in the end there are {count}");
        let all = calls.iter().enumerate().filter(|(_, call)| call.step.op == Op::Increment);
        let (mut shown, mut last) = (Vec::new(), None);
        // Two that ran at once are the likely ones.
        for (at, call) in all.filter(|(_, call)| call.returned.is_some()) {
            if let Some((before, until)) = last
                && call.invoked < until
            {
                shown = vec![before, at];
            }
            last = call.returned.as_ref().map(|(until, _)| (at, *until));
        }
        found.push(Found { kind: Anomaly::LostUpdate, calls: shown, what });
    }
    for item in inserted.difference(&elements).take(1) {
        let at = calls.iter().position(|call| call.step.op == Op::Insert(*item));
        let what = format!("the insertion of {item} was acknowledged, in the end it is not there");
        found.push(Found { kind: Anomaly::LostUpdate, calls: at.into_iter().collect(), what });
    }
    found
}

fn skew(calls: &[Done]) -> Vec<Found> {
    let off = |shift: u64, doctor: u64| {
        let off = |call: &Done| {
            call.step.op == Op::GoOff(shift, doctor)
                && matches!(call.returned, Some((_, Answer::Done)))
        };
        calls.iter().position(off)
    };
    let shifts: BTreeSet<u64> = calls
        .iter()
        .filter_map(|call| match call.step.op {
            Op::GoOff(shift, _) => Some(shift),
            _ => None,
        })
        .collect();
    let both = |shift| {
        let calls = vec![off(shift, 0)?, off(shift, 1)?];
        let what = format!("both doctors of shift {shift} went off, each had seen the other on");
        Some(Found { kind: Anomaly::WriteSkew, calls, what })
    };
    shifts.into_iter().filter_map(both).collect()
}

/// The call that no order explains, by number, and in words.
pub type Problem = (usize, String);

/// Steps of a search for an order, at most.
const STEPS: u64 = 3_000_000;

/// Looks for an order of the calls of every object; what could not be explained, by object.
#[must_use]
pub fn linearizable_objects(
    outcome: &Outcome,
    registers_only: bool,
) -> Vec<(String, Option<Problem>)> {
    let calls = &outcome.calls;
    let registers: BTreeSet<u64> = calls
        .iter()
        .filter_map(|call| match call.step.op {
            Op::Read(register) | Op::Write(register, _) => Some(register),
            _ => None,
        })
        .collect();
    let mut verdicts: Vec<_> = registers
        .into_iter()
        .map(|register| {
            let op = |op: Op| match op {
                Op::Read(r) if r == register => Some(RegisterOp::Read),
                Op::Write(r, value) if r == register => Some(RegisterOp::Write(value)),
                _ => None,
            };
            let answer = |answer: &Answer| match answer {
                Answer::Value(value) => Some(*value),
                _ => None,
            };
            (
                format!("r{register}"),
                check(&Register::default(), calls, op, answer, RegisterOp::Read),
            )
        })
        .collect();
    if registers_only {
        return verdicts;
    }
    let op = |op: Op| match op {
        Op::Count => Some(CounterOp::Read),
        Op::Increment => Some(CounterOp::Add(1)),
        _ => None,
    };
    let answer = |answer: &Answer| match answer {
        Answer::Number(n) => Some(*n),
        _ => None,
    };
    verdicts.push(("counter".into(), check(&Counter, calls, op, answer, CounterOp::Read)));
    let op = |op: Op| match op {
        Op::Members => Some(SetOp::Read),
        Op::Insert(item) => Some(SetOp::Add(item)),
        _ => None,
    };
    let answer = |answer: &Answer| match answer {
        Answer::Elements(elements) => Some(elements.clone()),
        _ => None,
    };
    verdicts.push(("set".into(), check(&Set, calls, op, answer, SetOp::Read)));
    verdicts
}

/// `None` when an order explains the calls.
fn check<M: Model>(
    model: &M,
    calls: &[Done],
    op: impl Fn(Op) -> Option<M::Op>,
    answer: impl Fn(&Answer) -> M::Ret,
    look: M::Op,
) -> Option<Problem>
where
    M::Op: PartialEq,
{
    let (mut history, mut numbers) = (History::new(), Vec::new());
    for (at, call) in calls.iter().enumerate() {
        let Some(op) = op(call.step.op) else { continue };
        // A read without an answer says nothing.
        if op == look && call.returned.is_none() {
            continue;
        }
        let id = history.invoke(call.step.client, op, call.invoked);
        numbers.push(at);
        if let Some((time, ret)) = &call.returned {
            history.returned(id, answer(ret), *time);
        }
    }
    match linearizable(model, &history, STEPS) {
        Verdict::Linearizable { .. } => None,
        Verdict::Violation { stuck, .. } => {
            let call = &calls[numbers[stuck]];
            let (step, returned) = (&call.step, &call.returned);
            let answer = returned.as_ref().map(|(_, answer)| answer);
            let said = format!("client {} at node {}: {:?}", step.client, step.node, step.op);
            Some((numbers[stuck], format!("no order explains {said} -> {answer:?}")))
        }
        Verdict::Undecided { limit } => {
            Some((calls.len() - 1, format!("not decided in {limit} steps")))
        }
    }
}
