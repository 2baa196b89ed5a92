//! What an interviewer asks: the leader dies, the network splits. What clients see, and until when.

use crate::anomaly;
use crate::arena::Outcome;
use crate::models::{self, Kind, Rules};
use crate::script::{NODES, Op, START, Script, Step, Trouble};
use kit::{Fault, Seed, Time};
use std::time::Duration;

/// When the fault hits.
const HIT: Time = Time::from_millis(2_200);
/// How long it lasts.
const LASTS: Duration = Duration::from_millis(1_500);

/// One client a node, a write or read every 20 ms, until one second after the fault is over.
fn script(fault: Trouble, end: Trouble, calm: bool) -> Script {
    let over = HIT + LASTS;
    let until = if calm { over } else { over + Duration::from_secs(1) };
    let mut script = Script { end: until, ..Script::default() };
    let mut value = 0;
    let mut at = START;
    while at < until {
        for client in 0..NODES {
            value += 1;
            let op = if value % 3 == 0 { Op::Read(0) } else { Op::Write(0, value) };
            let at = at + Duration::from_millis(4 * client as u64);
            script.steps.push(Step { at, client, node: client, op });
        }
        at += Duration::from_millis(20);
    }
    script.troubles = vec![(HIT, fault), (over, end)];
    script
}

/// From `since` until the first answer to a call made after it; of the slowest of `nodes`.
fn first_answers(outcome: &Outcome, since: Time, nodes: &[usize]) -> Option<u64> {
    let first = |&node: &usize| {
        let calls = outcome.calls.iter().filter(|call| {
            call.step.node == node && call.invoked >= since && call.step.client < NODES
        });
        calls.filter_map(|call| call.returned.as_ref().map(|(at, _)| *at)).min()
    };
    let slowest = nodes.iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    Some(slowest.since(since).as_millis() as u64)
}

/// Answered and made during the fault at `nodes`.
fn during(outcome: &Outcome, nodes: &[usize]) -> (usize, usize) {
    let made = outcome.calls.iter().filter(|call| {
        nodes.contains(&call.step.node) && (HIT..HIT + LASTS).contains(&call.invoked)
    });
    (made.clone().filter(|call| call.returned.is_some()).count(), made.count())
}

/// The node that the fault hit, from its own words.
fn hit(outcome: &Outcome) -> Vec<usize> {
    let said = outcome.hits.first().map_or("", |hit| hit.1.as_str());
    let before = said.split("cut off").next().unwrap_or(said);
    before.chars().filter_map(|c| c.to_digit(10)).map(|node| node as usize).collect()
}

/// Every fault.
#[must_use]
pub fn run(seed: Seed) -> Vec<Fault> {
    let own = seed.child("faults");
    vec![
        leader(own, "replicated log: the leader dies", Trouble::CrashLeader, Trouble::RestartAll),
        leader(own, "replicated log: the leader is cut off", Trouble::CutLeader, Trouble::Heal),
        node_dies(own),
        split(own, Kind::Quorum, "quorum register"),
        split(own, Kind::Causal, "causal"),
        split(own, Kind::Lww, "eventual, LWW"),
        split(own, Kind::Crdt, "eventual, CRDT"),
    ]
}

fn fault(kind: &str, recovered_ms: Option<u64>, effect: String) -> Fault {
    Fault { kind: kind.to_owned(), at_ms: HIT.as_millis(), recovered_ms, effect }
}

fn leader(seed: Seed, kind: &str, what: Trouble, end: Trouble) -> Fault {
    let outcome = models::run(Kind::Log, Rules::ALL, &script(what, end, false), seed, false);
    let gone = hit(&outcome);
    let others: Vec<_> = (0..NODES).filter(|node| !gone.contains(node)).collect();
    let (answered, made) = during(&outcome, &gone);
    let stale = anomaly::staleness(&outcome).into_iter().filter(|age| !age.is_zero()).count();
    let effect = format!(
        "until the others have elected; at node {gone:?} {answered} of {made} answered; {stale} stale reads"
    );
    fault(kind, first_answers(&outcome, HIT, &others), effect)
}

fn node_dies(seed: Seed) -> Fault {
    let script = script(Trouble::Crash(2), Trouble::Restart(2), false);
    let outcome = models::run(Kind::Quorum, Rules::ALL, &script, seed, false);
    let (answered, made) = during(&outcome, &[0, 1, 3, 4]);
    let effect = format!("no election, nobody waits: {answered} of {made} answered elsewhere");
    fault("quorum register: a node dies", first_answers(&outcome, HIT, &[0, 1, 3, 4]), effect)
}

/// Two nodes of five are cut off. Recovered: for quorums when the two answer again, for the others
/// when all replicas agree again.
fn split(seed: Seed, kind: Kind, name: &str) -> Fault {
    let calm = kind != Kind::Quorum;
    let script = script(Trouble::Cut(vec![0, 1]), Trouble::Heal, calm);
    let outcome = models::run(kind, Rules::ALL, &script, seed, false);
    let over = HIT + LASTS;
    let recovered = match calm {
        true => outcome.agreed.map(|at| at.since(over).as_millis() as u64),
        false => first_answers(&outcome, over, &[0, 1]),
    };
    let ((small, small_made), (large, large_made)) =
        (during(&outcome, &[0, 1]), during(&outcome, &[2, 3, 4]));
    let stale = anomaly::staleness(&outcome).into_iter().max().unwrap_or_default();
    let effect = format!(
        "answered: {small} of {small_made} at the two, {large} of {large_made} at the three; stalest read {}",
        kit::human::duration(stale)
    );
    fault(&format!("{name}: two of five cut off"), recovered, effect)
}
