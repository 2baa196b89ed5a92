//! Eventual: a node answers at once from its own copy and tells the others afterwards.
//!
//! Registers are decided by the later stamp (last write wins). The counter and the set are either
//! cells like that, so that of two concurrent additions one is lost, or CRDTs, in which both stay.

use crate::arena::{Io, Replica, Session, State};
use crate::cells::{self, Cell, Key};
use crate::script::{Answer, NODES, Op};
use archstone_crdt::clock::{HybridClock, Timestamp};
use archstone_crdt::counter::PnCounter;
use archstone_crdt::register::LwwRegister;
use archstone_crdt::set::AddWinsSet;
use archstone_crdt::{Lattice, ReplicaId};
use kit::check::CallId;
use kit::{Seed, Stream, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a node sends all it has to one other: what was lost comes so.
const GOSSIP: Duration = Duration::from_millis(80);
/// How far ahead of its own a node lets another's clock be.
const DRIFT: Duration = Duration::from_secs(60);

/// What can be switched off.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Counter and set are CRDTs, not cells.
    pub crdt: bool,
    /// Stamps of a hybrid logical clock; otherwise of the wall clock alone.
    pub hybrid: bool,
    /// Of two equal stamps the same one wins everywhere; otherwise, as in the text, stamps are
    /// milliseconds and each replica keeps its own.
    pub ties: bool,
}

/// A part of a node's state, or all of it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    cells: BTreeMap<Key, LwwRegister<Cell>>,
    count: PnCounter,
    elements: Option<AddWinsSet<u64>>,
}

/// One node.
#[derive(Debug)]
pub struct Eventual {
    me: ReplicaId,
    rules: Rules,
    clock: HybridClock,
    cells: BTreeMap<Key, LwwRegister<Cell>>,
    count: PnCounter,
    elements: AddWinsSet<u64>,
    dice: Stream,
    gossips: Time,
}

impl Eventual {
    /// Node `me`.
    #[must_use]
    pub fn new(me: usize, seed: Seed, rules: Rules) -> Self {
        let id = ReplicaId(me as u64 + 1);
        Self {
            me: id,
            rules,
            clock: HybridClock::new(id, DRIFT),
            cells: BTreeMap::new(),
            count: PnCounter::new(),
            elements: AddWinsSet::new(),
            dice: seed.stream(&format!("gossip {me}")),
            gossips: Time::from_millis(me as u64 + 1),
        }
    }

    /// A stamp for a write of a client that has met `met`.
    fn stamp(&self, wall_ms: u64, met: Timestamp) -> Timestamp {
        if !self.rules.ties {
            return Timestamp::new(wall_ms, 0, ReplicaId(0));
        }
        if !self.rules.hybrid {
            return Timestamp::new(wall_ms, 0, self.me);
        }
        self.clock.observe(wall_ms, met).expect("the clocks are within a minute")
    }

    fn take(&mut self, wall_ms: u64, said: &Said) {
        for (key, theirs) in &said.cells {
            if self.rules.hybrid {
                let _ = self.clock.observe(wall_ms, theirs.stamp());
            }
            match self.cells.get_mut(key) {
                None => {
                    self.cells.insert(*key, theirs.clone());
                }
                Some(ours) if self.rules.ties => {
                    ours.merge(theirs);
                }
                // The text's `if (remote.timestamp > local.timestamp)`.
                Some(ours) if theirs.stamp() > ours.stamp() => *ours = theirs.clone(),
                Some(_) => {}
            }
        }
        self.count.merge(&said.count);
        if let Some(elements) = &said.elements {
            self.elements.merge(elements);
        }
    }

    fn all(&self) -> Said {
        let elements = self.rules.crdt.then(|| self.elements.clone());
        Said { cells: self.cells.clone(), count: self.count.clone(), elements }
    }

    fn crdt(&mut self, io: &mut Io<Said>, op: Op) -> Option<Answer> {
        match op {
            Op::Count => return Some(Answer::Number(self.count.value() as i64)),
            Op::Members => return Some(Answer::Elements(self.elements.iter().copied().collect())),
            Op::Increment => {
                let _ = self.count.add(self.me, 1).expect("fewer than 2^64");
            }
            Op::Insert(item) => {
                let _ = self.elements.add(self.me, item).expect("fewer than 2^64");
            }
            Op::Read(_) | Op::Write(..) | Op::GoOff(..) => return None,
        }
        let (count, elements) = (self.count.clone(), Some(self.elements.clone()));
        io.broadcast(&Said { count, elements, ..Said::default() });
        Some(Answer::Done)
    }
}

impl Replica for Eventual {
    type Message = Said;

    fn call(&mut self, io: &mut Io<Said>, call: CallId, op: Op, session: &Session) {
        if self.rules.crdt
            && let Some(answer) = self.crdt(io, op)
        {
            return io.answer(call, answer, Session::default());
        }
        let held = cells::looks_at(op).and_then(|key| self.cells.get(&key));
        let mut met = held.map_or_else(Timestamp::default, LwwRegister::stamp);
        let seen = held.map(|held| held.get().clone()).unwrap_or_default();
        let answer = match cells::follows(op, &seen) {
            Err(answer) => answer,
            Ok((key, cell)) => {
                let stamp = self.stamp(io.wall_ms, session.stamp.max(met));
                met = stamp;
                let register = LwwRegister::new(stamp, cell);
                let said = Said { cells: [(key, register)].into(), ..Said::default() };
                self.take(io.wall_ms, &said);
                io.broadcast(&said);
                Answer::Done
            }
        };
        io.answer(call, answer, Session { stamp: met, ..Session::default() });
    }

    fn receive(&mut self, io: &mut Io<Said>, _: usize, message: Said) {
        self.take(io.wall_ms, &message);
    }

    fn wakes_at(&self) -> Time {
        self.gossips
    }

    fn wake(&mut self, io: &mut Io<Said>) {
        self.gossips = io.now + GOSSIP;
        let other = (io.me + 1 + self.dice.below(NODES as u64 - 1) as usize) % NODES;
        io.out.push((other, self.all()));
    }

    /// All of it is on disk.
    fn restart(&mut self, io: &mut Io<Said>) {
        self.gossips = io.now;
    }

    fn state(&self) -> State {
        let mut state = cells::state(self.cells.iter().map(|(key, held)| (*key, held.get())));
        if self.rules.crdt {
            state.count = self.count.value() as i64;
            state.elements = self.elements.iter().copied().collect();
        }
        state
    }

    fn label(message: &Said) -> String {
        let cells = message.cells.iter();
        let cells: Vec<_> =
            cells.map(|(key, held)| format!("{key:?} = {:?}", held.get())).collect();
        match cells.len() {
            0 => format!("count {}", message.count.value()),
            1 => cells[0].clone(),
            n => format!("all {n} cells"),
        }
    }
}
