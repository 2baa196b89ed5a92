//! Causal: a node answers at once from its own copy, and nobody sees an effect before its cause
//! (Lloyd and others, Don't settle for eventual, SOSP 2011).
//!
//! Each write carries the version vector of what its node had seen. A node applies it after all of
//! that ([`CausalBuffer`]); a client carries the vector of what it has met, and a node that lacks some
//! of it lets the client wait: so a client may go from node to node. Concurrent writes of one cell are
//! decided by a Lamport number, which is later than all that the writer had seen.

use crate::arena::{Io, Replica, Session, State};
use crate::cells::{self, Cell, Key};
use crate::script::{Answer, NODES, Op};
use archstone_crdt::clock::{Lamport, VersionVector};
use archstone_crdt::sync::CausalBuffer;
use archstone_crdt::{Causality, Dot, Lattice, ReplicaId};
use kit::check::CallId;
use kit::{Seed, Stream, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a node tells one other what it has, which sends what is missing.
const GOSSIP: Duration = Duration::from_millis(80);
/// Writes that may wait for others; one more is refused and comes by gossip.
const WAITING: usize = 10_000;

/// One write: which event of which node, after what, and what.
#[derive(Clone, Debug)]
pub struct Write {
    dot: Dot,
    after: VersionVector,
    number: u64,
    key: Key,
    cell: Cell,
}

/// What nodes say to each other.
#[derive(Clone, Debug)]
pub enum Said {
    /// A write.
    Write(Write),
    /// "I have this": the answer is what is missing.
    Have(VersionVector),
}

/// One node.
#[derive(Debug)]
pub struct Causal {
    me: ReplicaId,
    ordered: bool,
    tokens: bool,
    buffer: CausalBuffer<Write>,
    /// Without the order: what came, applied as it came.
    seen: VersionVector,
    lamport: Lamport,
    cells: BTreeMap<Key, (u64, ReplicaId, Cell)>,
    /// Every write that was applied, to send to who lacks it.
    writes: BTreeMap<Dot, Write>,
    waiting: Vec<(CallId, Op, Session)>,
    dice: Stream,
    gossips: Time,
}

impl Causal {
    /// Node `me`. Without `ordered` it applies what comes as it comes; without `tokens` it answers
    /// a client that has seen more than it has.
    #[must_use]
    pub fn new(me: usize, seed: Seed, ordered: bool, tokens: bool) -> Self {
        Self {
            me: ReplicaId(me as u64 + 1),
            ordered,
            tokens,
            buffer: CausalBuffer::new(WAITING),
            seen: VersionVector::new(),
            lamport: Lamport::new(),
            cells: BTreeMap::new(),
            writes: BTreeMap::new(),
            waiting: Vec::new(),
            dice: seed.stream(&format!("gossip {me}")),
            gossips: Time::from_millis(me as u64 + 1),
        }
    }

    fn apply(&mut self, write: Write) {
        // A number that is later than what was seen; it cannot run out in a simulation.
        let _ = self.lamport.observe(write.number);
        self.seen.witness(write.dot.replica, write.dot.counter);
        let stamp = (write.number, write.dot.replica);
        let newer = |held: &(u64, ReplicaId, Cell)| stamp > (held.0, held.1);
        if self.cells.get(&write.key).is_none_or(newer) {
            self.cells.insert(write.key, (stamp.0, stamp.1, write.cell.clone()));
        }
        self.writes.insert(write.dot, write);
    }

    fn take(&mut self, io: &mut Io<Said>, write: Write) {
        if self.ordered {
            let ready = self.buffer.push(write.dot, write.after.clone(), write).unwrap_or_default();
            ready.into_iter().for_each(|(_, write)| self.apply(write));
        } else if !self.writes.contains_key(&write.dot) {
            self.apply(write);
        }
        self.serve_waiting(io);
    }

    fn serve_waiting(&mut self, io: &mut Io<Said>) {
        for (call, op, session) in std::mem::take(&mut self.waiting) {
            self.serve(io, call, op, session);
        }
    }

    fn serve(&mut self, io: &mut Io<Said>, call: CallId, op: Op, session: Session) {
        let has =
            !matches!(session.seen.compare(&self.seen), Causality::After | Causality::Concurrent);
        if self.tokens && !has {
            self.waiting.push((call, op, session));
            return;
        }
        let key = cells::looks_at(op);
        let seen = key.and_then(|key| self.cells.get(&key)).map(|held| held.2.clone());
        let answer = match cells::follows(op, &seen.unwrap_or_default()) {
            Err(answer) => answer,
            Ok((key, cell)) => {
                self.write(io, key, cell);
                Answer::Done
            }
        };
        let mut seen = self.seen.clone();
        seen.merge(&session.seen);
        io.answer(call, answer, Session { seen, ..session });
    }

    fn write(&mut self, io: &mut Io<Said>, key: Key, cell: Cell) {
        let after = self.seen.clone();
        let dot = Dot::new(self.me, after.get(self.me) + 1);
        let number = self.lamport.tick().unwrap_or(u64::MAX);
        let write = Write { dot, after, number, key, cell };
        io.broadcast(&Said::Write(write.clone()));
        if self.ordered {
            let ready = self.buffer.push(dot, write.after.clone(), write).unwrap_or_default();
            ready.into_iter().for_each(|(_, write)| self.apply(write));
        } else {
            self.apply(write);
        }
    }
}

impl Replica for Causal {
    type Message = Said;

    fn call(&mut self, io: &mut Io<Said>, call: CallId, op: Op, session: &Session) {
        self.serve(io, call, op, session.clone());
    }

    fn receive(&mut self, io: &mut Io<Said>, from: usize, message: Said) {
        match message {
            Said::Write(write) => self.take(io, write),
            Said::Have(theirs) => {
                let lacks = self.writes.values().filter(|write| {
                    // Without the order a vector may have gaps: then everything is sent.
                    !self.ordered || !theirs.contains(write.dot)
                });
                io.out.extend(lacks.map(|write| (from, Said::Write(write.clone()))));
            }
        }
    }

    fn wakes_at(&self) -> Time {
        self.gossips
    }

    fn wake(&mut self, io: &mut Io<Said>) {
        self.gossips = io.now + GOSSIP;
        let other = (io.me + 1 + self.dice.below(NODES as u64 - 1) as usize) % NODES;
        io.out.push((other, Said::Have(self.seen.clone())));
    }

    /// Writes are on disk, and what was seen with them; clients that waited are not.
    fn restart(&mut self, io: &mut Io<Said>) {
        self.waiting.clear();
        self.gossips = io.now;
    }

    fn state(&self) -> State {
        cells::state(self.cells.iter().map(|(key, held)| (*key, &held.2)))
    }

    fn label(message: &Said) -> String {
        match message {
            Said::Write(write) => {
                format!("{:?} = {:?} after {}", write.key, write.cell, write.after.total())
            }
            Said::Have(seen) => format!("have {}", seen.total()),
        }
    }
}
