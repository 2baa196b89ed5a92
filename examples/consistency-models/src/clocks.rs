//! Conflicts found by version vectors: two writes that had not seen each other.
//!
//! The text's `isConcurrent` is `!a.before(b) && !b.before(a)`. Of two equal clocks neither is before
//! the other, so it calls a write concurrent with itself: every message that comes twice is then a
//! conflict that somebody must resolve.

use archstone_crdt::clock::VersionVector;
use archstone_crdt::{Causality, Lattice, ReplicaId};
use kit::sim::{Events, Link, Network};
use kit::{Invariants, Safeguards, Seed, Time};
use std::collections::BTreeSet;
use std::time::Duration;

/// What must hold.
pub const CONFLICT: &str = "a conflict is two writes that had not seen each other";

const NODES: usize = 3;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Writes.
    pub writes: u64,
    /// Comparisons of a version that came with one that was held, by what they were.
    pub equal: u64,
    /// The one that came is newer.
    pub newer: u64,
    /// It is older.
    pub older: u64,
    /// Neither has seen the other.
    pub concurrent: u64,
    /// Pairs kept beside each other that are no conflict.
    pub wrong: u64,
    /// Conflicts that the text's rule reports in these comparisons.
    pub text: u64,
}

impl Facts {
    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.equal += other.equal;
        self.newer += other.newer;
        self.older += other.older;
        self.concurrent += other.concurrent;
        self.wrong += other.wrong;
        self.text += other.text;
    }
}

#[derive(Clone, Debug)]
struct Version {
    clock: VersionVector,
    /// Which write, from 0.
    write: usize,
}

/// Three replicas of one value, `writes` writes, messages that come twice and late.
pub fn run(seed: Seed, writes: u64, on: &Safeguards, invariants: &mut Invariants) -> Facts {
    let conflict = invariants.declare(CONFLICT);
    let strict = on.on("equal-is-equal");
    let mut dice = seed.stream("clocks");
    let link = Link::far(Duration::from_millis(20)).faulty(0.05, 0.2);
    let mut network = Network::new(NODES, link, seed.stream("clocks network"));
    let mut events: Events<Result<(usize, Version), usize>> = Events::new();
    let mut at = Time::ZERO;
    for _ in 0..writes {
        at += dice.between(Duration::ZERO, Duration::from_millis(60));
        events.at(at, Err(dice.below(NODES as u64) as usize));
    }
    let mut held: [Vec<Version>; NODES] = Default::default();
    // The truth: which writes each write had seen.
    let mut seen: Vec<BTreeSet<usize>> = Vec::new();
    let mut facts = Facts { writes, ..Facts::default() };
    while let Some((now, event)) = events.next() {
        match event {
            Err(node) => {
                let mut clock = VersionVector::new();
                let mut past = BTreeSet::new();
                for version in &held[node] {
                    clock.merge(&version.clock);
                    past.extend(seen[version.write].iter().copied().chain([version.write]));
                }
                let replica = ReplicaId(node as u64 + 1);
                clock.increment(replica).expect("fewer than 2^64 writes");
                let version = Version { clock, write: seen.len() };
                invariants.event(format!("node {node} writes w{} after {past:?}", version.write));
                seen.push(past);
                held[node] = vec![version.clone()];
                for to in (0..NODES).filter(|&to| to != node) {
                    for at in network.send(now, node, to) {
                        events.at(at, Ok((to, version.clone())));
                    }
                }
            }
            Ok((node, version)) => {
                invariants.event(format!("node {node} gets w{}", version.write));
                take(&mut held[node], version, strict, &mut facts);
                let held = &held[node];
                for (at, a) in held.iter().enumerate() {
                    for b in &held[at + 1..] {
                        let real = a.write != b.write
                            && !seen[a.write].contains(&b.write)
                            && !seen[b.write].contains(&a.write);
                        facts.wrong += u64::from(!real);
                        let (a, b) = (a.write, b.write);
                        invariants.check(conflict, real, || format!("w{a} in conflict with w{b}"));
                    }
                }
            }
        }
    }
    facts
}

/// Takes a version in: it replaces those that it has seen, is dropped when one has seen it, and
/// otherwise stays beside them.
fn take(held: &mut Vec<Version>, version: Version, strict: bool, facts: &mut Facts) {
    let (mut covered, mut kept) = (false, Vec::new());
    for old in held.drain(..) {
        let relation = version.clock.compare(&old.clock);
        match relation {
            Causality::Equal => facts.equal += 1,
            Causality::After => facts.newer += 1,
            Causality::Before => facts.older += 1,
            Causality::Concurrent => facts.concurrent += 1,
        }
        let before = relation == Causality::Before;
        let after = relation == Causality::After;
        let text_concurrent = !before && !after;
        facts.text += u64::from(text_concurrent);
        covered |= before || strict && relation == Causality::Equal;
        if !after {
            kept.push(old);
        }
    }
    if !covered {
        kept.push(version);
    }
    *held = kept;
}
