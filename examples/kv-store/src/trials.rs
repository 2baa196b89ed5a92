//! What is promised, under attack: strict quorums with registers, a sloppy one with carts.

use crate::carts;
use crate::config::{Config, Rules};
use crate::registers::{self, Seen};
use crate::trouble::Troubles;
use archstone_crdt::quorum::Quorum;
use kit::invariant::{HISTORY, Invariant, Record, merge};
use kit::{Invariants, Safeguards, Seed, Time};
use std::time::Duration;

/// The names of the invariants.
pub const FRESH: &str = "strict: no read is older than a write done before it";
/// See [`FRESH`].
pub const FORWARD: &str = "strict: no read is older than a read done before it";
/// See [`FRESH`].
pub const ONE_ORDER: &str = "strict: one order explains each register";
/// See [`FRESH`].
pub const KEPT: &str = "sloppy: no acknowledged write is lost";
/// See [`FRESH`].
pub const ACCEPTED: &str = "sloppy: a write is taken while W nodes are reached";
/// See [`FRESH`].
pub const AGREE: &str = "replicas that are left alone agree";
/// See [`FRESH`].
pub const ZONES: &str = "copies are in as many zones as there are";

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of strict quorums.
    pub registers: registers::Size,
    /// Of the sloppy one.
    pub carts: carts::Size,
}

/// Small enough for twenty seeds and every safeguard.
pub const QUICK: Sizes = Sizes {
    registers: registers::Size {
        keys: 8,
        readers: 3,
        lasts: Duration::from_millis(5_400),
        thinks: Duration::from_millis(16),
    },
    carts: carts::Size {
        clients: 12,
        keys: 10,
        lasts: Duration::from_millis(6_400),
        thinks: Duration::from_millis(60),
    },
};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Of strict quorums.
    pub registers: registers::Outcome,
    /// Of the sloppy one.
    pub carts: carts::Outcome,
    /// The troubles of the carts.
    pub troubles: Troubles,
}

/// Which rules are on.
#[must_use]
pub fn rules(on: &Safeguards) -> Rules {
    Rules {
        hints: on.on("hinted-handoff"),
        read_repair: on.on("read-repair"),
        anti_entropy: on.on("anti-entropy"),
        vector_clocks: on.on("vector-clocks"),
        rebuild_first: on.on("rebuild-first"),
        new_id: on.on("new-id-after-loss"),
        filter_rebuilt: on.on("filter-rebuilt"),
        zones_apart: on.on("zones-apart"),
    }
}

/// Runs both with `seed` at quick size; the records.
#[must_use]
pub fn run(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(seed, on, QUICK).0
}

/// Runs both with `seed`.
///
/// # Panics
/// When the usual configuration makes no ring.
#[must_use]
pub fn run_sized(seed: u64, on: &Safeguards, sizes: Sizes) -> (Vec<Record>, Parts) {
    let root = Seed::new(seed).child("trials");
    let mut records = Vec::new();
    let quorum = if on.on("quorums-meet") { Quorum::new(3, 2, 2) } else { Quorum::new(3, 1, 1) };
    let usual = Config { rules: rules(on), ..Config::usual() };
    let strict = Config { nodes: 6, ..usual }.strict(quorum.expect("a quorum"));
    let own = root.child("strict");
    let troubles = registers::attack(own, strict.nodes);
    let outcome = registers::run(strict, sizes.registers, troubles, 0.04, own).expect("a ring");
    let mut invariants = Invariants::new(seed);
    judge_registers(&outcome, sizes.registers.keys, &mut invariants);
    merge(&mut records, invariants.into_records());

    let own = root.child("sloppy");
    let sloppy = Config { sloppy: on.on("sloppy-quorum"), ..usual };
    let troubles = carts::attack(own, sloppy.nodes, sloppy.zones);
    let carts = carts::run(sloppy, sizes.carts, troubles.clone(), 0.005, own).expect("a ring");
    let mut invariants = Invariants::new(seed);
    judge_carts(&carts, &troubles, &mut invariants);
    merge(&mut records, invariants.into_records());
    (records, Parts { registers: outcome, carts, troubles })
}

/// Checks what strict quorums promise.
pub fn judge_registers(outcome: &registers::Outcome, keys: usize, invariants: &mut Invariants) {
    let [fresh, forward, order] = [FRESH, FORWARD, ONE_ORDER].map(|name| invariants.declare(name));
    let reads = outcome.reads();
    let (stale, back) = (outcome.stale(keys), outcome.back(keys));
    for (invariant, found, what) in [(fresh, stale, "a write"), (forward, back, "a read")] {
        invariants.held(invariant, reads - found.len() as u64);
        for (read, least) in found {
            history(outcome, &read, invariants);
            let value = read.returned.map_or(0, |(_, value)| value);
            let check = |invariants: &mut Invariants, invariant: Invariant| {
                invariants.check(invariant, false, || {
                    format!("register {}: read {value} after {what} of {least} was done", read.key)
                });
            };
            check(invariants, invariant);
        }
    }
    let (explained, decided, stuck) = outcome.linearizable(keys);
    invariants.held(order, explained);
    for _ in explained..decided {
        if let Some(stuck) = &stuck {
            history(outcome, stuck, invariants);
        }
        invariants.check(order, false, || {
            stuck.map_or_else(String::new, |stuck| format!("none explains: {}", stuck.sentence()))
        });
    }
}

/// The calls about one register up to one that shows a violation.
fn history(outcome: &registers::Outcome, upto: &Seen, invariants: &mut Invariants) {
    let mut before: Vec<&Seen> = outcome
        .seen
        .iter()
        .filter(|seen| seen.key == upto.key && seen.invoked <= upto.invoked && *seen != upto)
        .collect();
    before.sort_by_key(|seen| seen.invoked);
    let first = (before.len() + 1).saturating_sub(HISTORY);
    for seen in &before[first..] {
        invariants.event(seen.sentence());
    }
    invariants.event(upto.sentence());
}

/// Checks what the sloppy quorum promises.
pub fn judge_carts(outcome: &carts::Outcome, troubles: &Troubles, invariants: &mut Invariants) {
    let [kept, accepted, agree, zones] =
        [KEPT, ACCEPTED, AGREE, ZONES].map(|name| invariants.declare(name));
    let lost = outcome.lost();
    invariants.held(kept, outcome.acknowledged() - lost.len() as u64);
    for write in lost {
        around(outcome, write, troubles, invariants);
        invariants.check(kept, false, || {
            let last = outcome.last.get(&write.key);
            format!("cart {}: write {} is gone, the end is {last:?}", write.key, write.id)
        });
    }
    for write in &outcome.writes {
        // What changed under a call excuses it.
        if !write.could || troubles.any_within(write.invoked, write.ended) {
            continue;
        }
        if !write.acknowledged {
            around(outcome, write, troubles, invariants);
        }
        invariants.check(accepted, write.acknowledged, || {
            format!("cart {}: write {} was refused", write.key, write.id)
        });
    }
    if outcome.agreed.is_none() {
        for (at, trouble) in troubles.within(Time::ZERO, Time::MAX) {
            invariants.event(format!("{} ms, {}", at.as_nanos() / 1_000_000, trouble.words()));
        }
    }
    invariants.check(agree, outcome.agreed.is_some(), || outcome.differs.clone());
    for &(key, count) in &outcome.zones {
        if count < 3 {
            invariants.event(format!("cart {key} is placed"));
        }
        invariants.check(zones, count == 3, || format!("cart {key} is in {count} of 3 zones"));
    }
}

/// The writes of a cart around one, and the troubles between them.
fn around(
    outcome: &carts::Outcome,
    write: &carts::Write,
    troubles: &Troubles,
    invariants: &mut Invariants,
) {
    let mut lines: Vec<(Time, String)> = outcome
        .writes
        .iter()
        .filter(|other| other.key == write.key)
        .map(|other| (other.invoked, other.sentence()))
        .collect();
    lines.sort();
    let at = lines.iter().position(|(_, line)| *line == write.sentence()).unwrap_or(0);
    let mut shown = lines[at.saturating_sub(4)..lines.len().min(at + 4)].to_vec();
    let from = shown.first().map_or(Time::ZERO, |line| line.0);
    let hits = troubles.within(from, write.ended).map(|(at, trouble)| {
        (*at, format!("{} ms, {}", at.as_nanos() / 1_000_000, trouble.words()))
    });
    shown.extend(hits);
    shown.sort();
    let first = shown.len().saturating_sub(HISTORY);
    for (_, line) in &shown[first..] {
        invariants.event(line.clone());
    }
}
