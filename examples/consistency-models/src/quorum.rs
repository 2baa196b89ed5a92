//! A register on quorums: no leader, no log (Attiya, Bar-Noy and Dolev, Sharing memory robustly in
//! message-passing systems, JACM 1995; with many writers, Lynch and Shvartsman 1997).
//!
//! A write asks a quorum for the latest stamp, then stores its value under a later one. A read asks a
//! quorum, and before it answers it stores the latest value that it met at a quorum: read repair,
//! without which the next reader may meet an older one. That makes a register linearizable, and no
//! more: a counter or a set must read and then write, and two clients do so at once. No number of
//! rounds mends that: a register cannot solve consensus (Herlihy 1991), the log does.

use crate::arena::{Io, Replica, Session, State};
use crate::cells::{self, Cell, Key};
use crate::script::{Answer, NODES, Op, PATIENCE};
use archstone_crdt::quorum::Quorum;
use kit::Time;
use kit::check::CallId;
use std::collections::BTreeMap;
use std::time::Duration;

/// A number, and the call that took it: no two writes have the same.
type Stamp = (u64, u64);

/// When a question is asked again of those who have not answered.
const AGAIN: Duration = Duration::from_millis(150);

/// What nodes say to each other; each carries the number of the question.
#[derive(Clone, Debug)]
pub enum Said {
    /// What do you have?
    Ask(u64, Key),
    /// This.
    Told(u64, Stamp, Cell),
    /// Keep this, if it is later.
    Store(u64, Key, Stamp, Cell),
    /// Kept.
    Stored(u64),
}

#[derive(Clone, Debug)]
enum Phase {
    /// Reading what the call must know.
    Look(Key),
    /// Read repair: storing what was read, then going on with it.
    Repair(Key, Stamp, Cell),
    /// Asking for the latest stamp of the cell to write.
    Number(Key, Cell),
    /// Storing.
    Write(Key, Stamp, Cell),
}

#[derive(Clone, Debug)]
struct Running {
    call: CallId,
    op: Op,
    phase: Phase,
    /// Who answered, and what.
    told: BTreeMap<usize, (Stamp, Cell)>,
    again: Time,
    until: Time,
}

/// One node.
#[derive(Debug)]
pub struct QuorumNode {
    me: usize,
    quorum: Quorum,
    repair: bool,
    copies: BTreeMap<Key, (Stamp, Cell)>,
    running: BTreeMap<u64, Running>,
    next: u64,
}

impl QuorumNode {
    /// Node `me`, with quorums of `quorum`, with or without read repair.
    #[must_use]
    pub const fn new(me: usize, quorum: Quorum, repair: bool) -> Self {
        let copies = BTreeMap::new();
        Self { me, quorum, repair, copies, running: BTreeMap::new(), next: 0 }
    }

    fn copy(&self, key: Key) -> (Stamp, Cell) {
        self.copies.get(&key).cloned().unwrap_or_default()
    }

    fn keep(&mut self, key: Key, stamp: Stamp, cell: Cell) {
        let copy = self.copies.entry(key).or_default();
        if stamp > copy.0 {
            *copy = (stamp, cell);
        }
    }

    /// A new question of a call: to all, itself first.
    fn ask(&mut self, io: &mut Io<Said>, call: CallId, op: Op, phase: Phase, until: Time) {
        self.next += 1;
        let id = self.next;
        let running =
            Running { call, op, phase, told: BTreeMap::new(), again: io.now + AGAIN, until };
        let message = question(id, &running.phase);
        self.running.insert(id, running);
        io.broadcast(&message);
        let own = match message {
            Said::Ask(_, key) => self.copy(key),
            Said::Store(_, key, stamp, cell) => {
                self.keep(key, stamp, cell.clone());
                (stamp, cell)
            }
            Said::Told(..) | Said::Stored(_) => unreachable!("a question"),
        };
        self.told(io, id, self.me, own);
    }

    fn told(&mut self, io: &mut Io<Said>, id: u64, from: usize, what: (Stamp, Cell)) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.told.insert(from, what);
        let needed = match running.phase {
            Phase::Look(_) | Phase::Number(..) => self.quorum.r(),
            Phase::Repair(..) | Phase::Write(..) => self.quorum.w(),
        };
        if running.told.len() < needed as usize {
            return;
        }
        let Some(Running { call, op, phase, told, until, .. }) = self.running.remove(&id) else {
            return;
        };
        let latest = told.values().max_by_key(|(stamp, _)| *stamp).cloned().unwrap_or_default();
        match phase {
            Phase::Look(key) => {
                let agree = told.values().all(|(stamp, _)| *stamp == latest.0);
                if self.repair && !agree {
                    self.ask(io, call, op, Phase::Repair(key, latest.0, latest.1), until);
                } else {
                    self.go_on(io, call, op, &latest.1, until);
                }
            }
            Phase::Repair(_, _, cell) => self.go_on(io, call, op, &cell, until),
            Phase::Number(key, cell) => {
                let stamp = (latest.0.0 + 1, call.0 as u64);
                self.ask(io, call, op, Phase::Write(key, stamp, cell), until);
            }
            Phase::Write(..) => io.answer(call, Answer::Done, Session::default()),
        }
    }

    fn go_on(&mut self, io: &mut Io<Said>, call: CallId, op: Op, seen: &Cell, until: Time) {
        match cells::follows(op, seen) {
            Err(answer) => io.answer(call, answer, Session::default()),
            Ok((key, cell)) => self.ask(io, call, op, Phase::Number(key, cell), until),
        }
    }
}

fn question(id: u64, phase: &Phase) -> Said {
    match phase {
        Phase::Look(key) | Phase::Number(key, _) => Said::Ask(id, *key),
        Phase::Repair(key, stamp, cell) | Phase::Write(key, stamp, cell) => {
            Said::Store(id, *key, *stamp, cell.clone())
        }
    }
}

impl Replica for QuorumNode {
    type Message = Said;

    fn call(&mut self, io: &mut Io<Said>, call: CallId, op: Op, _: &Session) {
        let until = io.now + PATIENCE;
        match cells::looks_at(op) {
            Some(key) => self.ask(io, call, op, Phase::Look(key), until),
            None => self.go_on(io, call, op, &Cell::Empty, until),
        }
    }

    fn receive(&mut self, io: &mut Io<Said>, from: usize, message: Said) {
        match message {
            Said::Ask(id, key) => {
                let (stamp, cell) = self.copy(key);
                io.out.push((from, Said::Told(id, stamp, cell)));
            }
            Said::Store(id, key, stamp, cell) => {
                self.keep(key, stamp, cell);
                io.out.push((from, Said::Stored(id)));
            }
            Said::Told(id, stamp, cell) => self.told(io, id, from, (stamp, cell)),
            Said::Stored(id) => self.told(io, id, from, Default::default()),
        }
    }

    fn wakes_at(&self) -> Time {
        self.running.values().map(|running| running.again).min().unwrap_or(Time::MAX)
    }

    fn wake(&mut self, io: &mut Io<Said>) {
        let now = io.now;
        self.running.retain(|_, running| now < running.until);
        for (&id, running) in self.running.iter_mut().filter(|(_, running)| running.again <= now) {
            running.again = now + AGAIN;
            let message = question(id, &running.phase);
            let silent = (0..NODES).filter(|node| !running.told.contains_key(node));
            io.out.extend(silent.map(|to| (to, message.clone())));
        }
    }

    /// Copies are on disk; what was being asked is not. The numbers of questions go on, so that an
    /// answer to an old one is not taken for one to a new one.
    fn restart(&mut self, _: &mut Io<Said>) {
        self.running.clear();
    }

    fn state(&self) -> State {
        cells::state(self.copies.iter().map(|(key, (_, cell))| (*key, cell)))
    }

    fn label(message: &Said) -> String {
        match message {
            Said::Ask(_, key) => format!("{key:?}?"),
            Said::Told(_, (number, _), cell) => format!("{cell:?} no {number}"),
            Said::Store(_, key, (number, _), cell) => format!("{key:?} = {cell:?} no {number}"),
            Said::Stored(_) => "stored".into(),
        }
    }
}

/// Quorums of five that meet, and of two that need not.
#[must_use]
pub fn quorum(meets: bool) -> Quorum {
    let quorum =
        if meets { Quorum::majority(NODES as u32) } else { Quorum::new(NODES as u32, 2, 2) };
    quorum.expect("a quorum of five")
}
