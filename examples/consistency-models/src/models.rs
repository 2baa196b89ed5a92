//! The models side by side: which one a run uses, and what is switched off in it.

use crate::arena::{self, Outcome};
use crate::causal::Causal;
use crate::eventual::{self, Eventual};
use crate::log::Log;
use crate::quorum::{QuorumNode, quorum};
use crate::script::Script;
use kit::{Safeguards, Seed};

/// The five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A replicated log.
    Log,
    /// A register on quorums.
    Quorum,
    /// Causal.
    Causal,
    /// Eventual, last write wins.
    Lww,
    /// Eventual, with CRDTs.
    Crdt,
}

/// What is on, in all of them.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Log: a read waits until the leader knows that it still leads.
    pub confirm: bool,
    /// Log: a command that comes again is not applied again.
    pub once: bool,
    /// Quorum: R + W > N.
    pub meets: bool,
    /// Quorum: a read stores what it answers.
    pub repair: bool,
    /// Causal: a write is applied after what its writer had seen.
    pub order: bool,
    /// Causal: a client is not answered from before what it has seen.
    pub tokens: bool,
    /// Eventual: of two equal stamps one wins, the same everywhere.
    pub ties: bool,
    /// Eventual: stamps are later than what the writer had seen.
    pub hybrid: bool,
    /// CRDT: an entry for each replica, not one number.
    pub entries: bool,
}

impl Rules {
    /// All on.
    pub const ALL: Self = Self {
        confirm: true,
        once: true,
        meets: true,
        repair: true,
        order: true,
        tokens: true,
        ties: true,
        hybrid: true,
        entries: true,
    };

    /// What `safeguards` leaves on.
    #[must_use]
    pub fn of(safeguards: &Safeguards) -> Self {
        Self {
            confirm: safeguards.on("confirm-reads"),
            once: safeguards.on("once-only"),
            meets: safeguards.on("quorums-meet"),
            repair: safeguards.on("read-repair"),
            order: safeguards.on("causal-order"),
            tokens: safeguards.on("session-token"),
            ties: safeguards.on("deterministic-ties"),
            hybrid: safeguards.on("hybrid-clock"),
            entries: safeguards.on("own-entries"),
        }
    }
}

/// A row of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// For a file's name.
    pub slug: &'static str,
    /// Which code runs.
    pub kind: Kind,
    /// With what.
    pub rules: Rules,
}

/// The seven rows, from strong to weak.
pub const MODELS: [Model; 7] = [
    Model { name: "replicated log", slug: "log", kind: Kind::Log, rules: Rules::ALL },
    Model {
        name: "… local reads",
        slug: "log-local-reads",
        kind: Kind::Log,
        rules: Rules { confirm: false, ..Rules::ALL },
    },
    Model { name: "quorum register", slug: "quorum", kind: Kind::Quorum, rules: Rules::ALL },
    Model {
        name: "… no read repair",
        slug: "quorum-no-repair",
        kind: Kind::Quorum,
        rules: Rules { repair: false, ..Rules::ALL },
    },
    Model { name: "causal", slug: "causal", kind: Kind::Causal, rules: Rules::ALL },
    Model { name: "eventual, CRDT", slug: "crdt", kind: Kind::Crdt, rules: Rules::ALL },
    Model { name: "eventual, LWW", slug: "lww", kind: Kind::Lww, rules: Rules::ALL },
];

/// Runs `script` on five nodes of `kind`.
#[must_use]
pub fn run(kind: Kind, rules: Rules, script: &Script, seed: Seed, keep: bool) -> Outcome {
    let eventual = |crdt| eventual::Rules { crdt, hybrid: rules.hybrid, ties: rules.ties };
    match kind {
        Kind::Log => {
            arena::run(script, seed, keep, |me| Log::new(me, seed, rules.confirm, rules.once))
        }
        Kind::Quorum => {
            let quorum = quorum(rules.meets);
            arena::run(script, seed, keep, |me| QuorumNode::new(me, quorum, rules.repair))
        }
        Kind::Causal => {
            arena::run(script, seed, keep, |me| Causal::new(me, seed, rules.order, rules.tokens))
        }
        Kind::Lww => arena::run(script, seed, keep, |me| Eventual::new(me, seed, eventual(false))),
        Kind::Crdt => {
            let rules = eventual(rules.entries);
            arena::run(script, seed, keep, |me| Eventual::new(me, seed, rules))
        }
    }
}
