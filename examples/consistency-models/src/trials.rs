//! Every promise of every model, on scripts that attack it: what the run, the tests and `kit::ablate`
//! all drive. A function of seed, size and safeguards.

use crate::anomaly;
use crate::arena::Outcome;
use crate::models::{self, Kind, Rules};
use crate::script::{Op, Script};
use crate::{clocks, likes, transfer};
use kit::invariant::{Invariant, Record, merge};
use kit::{Invariants, Safeguards, Seed};

/// What must hold; the safeguards refer to these.
pub const LOG: &str = "log: an order explains every object's history";
/// See [`LOG`].
pub const QUORUM: &str = "quorum: an order explains every register's history";
/// See [`LOG`].
pub const CAUSAL: &str = "causal: nobody meets an effect before its cause";
/// See [`LOG`].
pub const AGREE: &str = "replicas that are left alone agree";
/// See [`LOG`].
pub const COVERED: &str = "LWW: no write is beaten by one that its writer had seen";
/// See [`LOG`].
pub const COUNTED: &str = "CRDT: every acknowledged addition is there, once";
/// See [`LOG`].
pub const SKEW: &str = "log: no two doctors of a shift go off";

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Scripts for each model.
    pub scripts: u64,
    /// Jobs for each client of the accounts.
    pub jobs: u64,
    /// Likes.
    pub likes: u64,
    /// Writes under vector clocks.
    pub writes: u64,
}

/// Small enough for twenty seeds and every safeguard.
pub const QUICK: Size = Size { scripts: 10, jobs: 40, likes: 400, writes: 120 };

/// What the parts outside of the arena found.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Vector clocks.
    pub clocks: clocks::Facts,
    /// The accounts, serializable.
    pub transfer: transfer::Facts,
    /// The likes.
    pub likes: likes::Facts,
    /// Simulated events.
    pub events: u64,
}

/// Runs everything with `seed` at quick size; the records.
#[must_use]
pub fn run(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(seed, on, QUICK).0
}

/// Runs everything with `seed`; the records, and what was found.
///
/// # Panics
/// When SQLite fails: it has a temporary folder and memory of its own.
#[must_use]
pub fn run_sized(seed: u64, on: &Safeguards, size: Size) -> (Vec<Record>, Parts) {
    let (mut records, mut parts) = (Vec::new(), Parts::default());
    let root = Seed::new(seed).child("trials");
    let rules = Rules::of(on);
    for nth in 0..size.scripts {
        let own = root.child(&format!("script {nth}"));
        let script = Script::generated(own);
        for kind in [Kind::Log, Kind::Quorum, Kind::Causal, Kind::Lww, Kind::Crdt] {
            let mut invariants = Invariants::new(seed);
            let outcome = models::run(kind, rules, &script, own, false);
            parts.events += outcome.events;
            judge(kind, &outcome, &mut invariants);
            merge(&mut records, invariants.into_records());
        }
    }
    let mut invariants = Invariants::new(seed);
    parts.clocks = clocks::run(root, size.writes, on, &mut invariants);
    merge(&mut records, invariants.into_records());
    let mut invariants = Invariants::new(seed);
    let level = transfer::Level::Serializable;
    let done = transfer::run(root, level, size.jobs, on, &mut invariants);
    parts.transfer = done.expect("a temporary SQLite");
    merge(&mut records, invariants.into_records());
    let mut invariants = Invariants::new(seed);
    let done = likes::run(root, size.likes, on, &mut invariants);
    parts.likes = done.expect("a SQLite in memory");
    parts.events += parts.likes.events;
    merge(&mut records, invariants.into_records());
    (records, parts)
}

/// Checks what `kind` promises of `outcome`.
pub fn judge(kind: Kind, outcome: &Outcome, invariants: &mut Invariants) {
    match kind {
        Kind::Log => {
            explained(LOG, outcome, false, invariants);
            let skew = invariants.declare(SKEW);
            let found = anomaly::find(outcome);
            let found = found.iter().find(|found| found.kind == anomaly::Anomaly::WriteSkew);
            invariants.check(skew, found.is_none(), || {
                found.map_or_else(String::new, |f| f.what.clone())
            });
            agree(outcome, invariants);
        }
        Kind::Quorum => explained(QUORUM, outcome, true, invariants),
        Kind::Causal => {
            let causal = invariants.declare(CAUSAL);
            let found = anomaly::find(outcome);
            for kind in [anomaly::Anomaly::EffectFirst, anomaly::Anomaly::BackwardsRead] {
                let found = found.iter().find(|found| found.kind == kind);
                history(outcome, found.and_then(|found| found.calls.last().copied()), invariants);
                let what = || found.map_or_else(String::new, |found| found.what.clone());
                invariants.check(causal, found.is_none(), what);
            }
            agree(outcome, invariants);
        }
        Kind::Lww | Kind::Crdt => {
            agree(outcome, invariants);
            if kind == Kind::Lww {
                outlasts(outcome, invariants);
            } else {
                counted(outcome, invariants);
            }
        }
    }
}

/// The calls up to one that shows a violation, as events: all that a reader needs.
fn history(outcome: &Outcome, upto: Option<usize>, invariants: &mut Invariants) {
    let Some(upto) = upto else { return };
    let first = (upto + 1).saturating_sub(kit::invariant::HISTORY);
    for call in &outcome.calls[first..=upto] {
        invariants.event(sentence(call));
    }
}

/// A call in words.
#[must_use]
pub fn sentence(call: &crate::arena::Done) -> String {
    let step = call.step;
    let asked = call.invoked.as_nanos() / 1_000_000;
    let answer = match &call.returned {
        Some((at, answer)) => format!("{answer:?} at {} ms", at.as_nanos() / 1_000_000),
        None => "no answer".to_owned(),
    };
    format!("{asked} ms, client {} at node {}: {:?} -> {answer}", step.client, step.node, step.op)
}

fn explained(name: &str, outcome: &Outcome, registers: bool, invariants: &mut Invariants) {
    let invariant: Invariant = invariants.declare(name);
    for (object, problem) in anomaly::linearizable_objects(outcome, registers) {
        history(outcome, problem.as_ref().map(|problem| problem.0), invariants);
        let holds = problem.is_none();
        invariants.check(invariant, holds, || {
            format!("{object}: {}", problem.map_or_else(String::new, |problem| problem.1))
        });
    }
}

fn agree(outcome: &Outcome, invariants: &mut Invariants) {
    let agree = invariants.declare(AGREE);
    for (node, state) in outcome.states.iter().enumerate().skip(1) {
        let same = *state == outcome.states[0];
        if !same {
            let writes =
                outcome.calls.iter().rposition(|call| matches!(call.step.op, Op::Write(..)));
            history(outcome, writes, invariants);
        }
        invariants.check(agree, same, || {
            let first = &outcome.states[0];
            format!(
                "node 0 ends with {:?}, node {node} with {:?}",
                first.registers, state.registers
            )
        });
    }
}

fn outlasts(outcome: &Outcome, invariants: &mut Invariants) {
    let covered = invariants.declare(COVERED);
    for (&register, &last) in &outcome.states[0].registers {
        let beaten = anomaly::covered(outcome, register, last);
        if let Some(op) = beaten {
            let at = outcome.calls.iter().position(|call| call.step.op == op);
            history(outcome, at, invariants);
        }
        invariants.check(covered, beaten.is_none(), || {
            format!("r{register} ends with {last}, which the writer of {beaten:?} had seen")
        });
    }
}

fn counted(outcome: &Outcome, invariants: &mut Invariants) {
    let counted = invariants.declare(COUNTED);
    let Some((increments, count, inserted, elements)) = anomaly::additions(&outcome.calls) else {
        return;
    };
    let open = |call: &&crate::arena::Done| call.returned.is_none();
    let open = outcome.calls.iter().filter(open).count() as i64;
    let (least, most) = (increments as i64, increments as i64 + open);
    let all = inserted.is_subset(&elements);
    if !(least..=most).contains(&count) || !all {
        let is_add = |call: &crate::arena::Done| call.step.op == Op::Increment;
        history(outcome, outcome.calls.iter().rposition(is_add), invariants);
    }
    invariants.check(counted, (least..=most).contains(&count), || {
        format!("{increments} additions acknowledged, the counter ends with {count}")
    });
    invariants.check(counted, all, || {
        let missing: Vec<_> = inserted.difference(&elements).collect();
        format!("acknowledged insertions are missing: {missing:?}")
    });
}
