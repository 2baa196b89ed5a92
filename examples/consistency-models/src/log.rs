//! Linearizable by a replicated log: every change is a command at one place of one order.
//!
//! A node that is not the leader passes a call on and asks again when nobody answers; so a command
//! may be in the log twice, and is applied once. Reads are not in the log: the leader makes sure that
//! it still leads (read index), then answers from what it has applied.

use crate::arena::{Io, Replica, Session, State};
use crate::script::{Answer, NODES, Op, PATIENCE};
use kit::check::CallId;
use kit::raft::{Message, Raft, Role, Rules, Timing};
use kit::{Seed, Stream, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Of a continent: a leader speaks every 40 ms and is missed after 250 to 500 ms.
const TIMING: Timing =
    Timing { heartbeat: Duration::from_millis(40), election: Duration::from_millis(250) };
/// When a node passes a call on again.
const AGAIN: Duration = Duration::from_millis(130);

/// An entry of the log.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    call: CallId,
    op: Op,
}

/// What nodes say to each other.
#[derive(Clone, Debug)]
pub enum Said {
    /// The log's own messages.
    Raft(Message<Command>),
    /// A client's call for the leader.
    Pass(CallId, Op),
    /// The leader's answer.
    Reply(CallId, Answer),
}

/// The objects, as the log's commands have made them.
#[derive(Clone, Debug, Default)]
struct Machine {
    state: State,
    off: BTreeSet<(u64, u64)>,
    /// What was answered to each command: the same again when it comes again.
    answered: BTreeMap<usize, Answer>,
}

impl Machine {
    fn apply(&mut self, command: Command, once: bool) -> Answer {
        if let (Some(answer), true) = (self.answered.get(&command.call.0), once) {
            return answer.clone();
        }
        let answer = match command.op {
            Op::Write(register, value) => {
                self.state.registers.insert(register, value);
                Answer::Done
            }
            Op::Increment => {
                self.state.count += 1;
                Answer::Done
            }
            Op::Insert(item) => {
                self.state.elements.insert(item);
                Answer::Done
            }
            // Both the look and the change, at one place of the order: no skew.
            Op::GoOff(shift, doctor) if self.off.contains(&(shift, 1 - doctor)) => Answer::Refused,
            Op::GoOff(shift, doctor) => {
                self.off.insert((shift, doctor));
                Answer::Done
            }
            Op::Read(_) | Op::Count | Op::Members => self.look(command.op),
        };
        self.answered.insert(command.call.0, answer.clone());
        answer
    }

    fn look(&self, op: Op) -> Answer {
        match op {
            Op::Read(register) => {
                Answer::Value(self.state.registers.get(&register).copied().unwrap_or(0))
            }
            Op::Count => Answer::Number(self.state.count),
            _ => Answer::Elements(self.state.elements.clone()),
        }
    }
}

/// One node.
#[derive(Debug)]
pub struct Log {
    me: usize,
    raft: Raft<Command>,
    machine: Machine,
    rules: Rules,
    once: bool,
    stream: Stream,
    /// Calls of clients of this node: what, when to pass on again, when to give up.
    waiting: BTreeMap<usize, (Op, Time, Time)>,
    /// Commands proposed and reads begun here, and who asked.
    proposed: BTreeMap<usize, usize>,
    reads: BTreeMap<u64, (CallId, Op, usize)>,
}

impl Log {
    /// Node `me`. Without `confirm` a leader answers reads at once; without `once` a command that
    /// comes again is applied again.
    #[must_use]
    pub fn new(me: usize, seed: Seed, confirm: bool, once: bool) -> Self {
        let mut stream = seed.stream(&format!("raft {me}"));
        let rules = Rules { confirm_reads: confirm, ..Rules::default() };
        let own = Seed::new(stream.next_u64()).stream("node");
        Self {
            me,
            raft: Raft::new(me, NODES, TIMING, rules, own, Time::ZERO),
            machine: Machine::default(),
            rules,
            once,
            stream,
            waiting: BTreeMap::new(),
            proposed: BTreeMap::new(),
            reads: BTreeMap::new(),
        }
    }

    /// Takes a call if it leads; otherwise who may.
    fn take(&mut self, now: Time, call: CallId, op: Op, asked: usize) -> Result<(), Option<usize>> {
        if matches!(op, Op::Read(_) | Op::Count | Op::Members) {
            let id = self.raft.read(now).map_err(|not| not.hint)?;
            self.reads.insert(id, (call, op, asked));
        } else {
            self.raft.propose(now, Command { call, op }).map_err(|not| not.hint)?;
            self.proposed.insert(call.0, asked);
        }
        Ok(())
    }

    fn try_call(&mut self, io: &mut Io<Said>, call: CallId, op: Op) {
        if let Err(Some(leader)) = self.take(io.now, call, op, self.me) {
            io.out.push((leader, Said::Pass(call, op)));
        }
    }

    fn reply(&mut self, io: &mut Io<Said>, call: CallId, answer: Answer, asked: usize) {
        if asked != self.me {
            io.out.push((asked, Said::Reply(call, answer)));
        } else if self.waiting.remove(&call.0).is_some() {
            io.answer(call, answer, Session::default());
        }
    }

    /// Everything that follows from a call of the log.
    fn after(&mut self, io: &mut Io<Said>) {
        let messages = self.raft.take_messages().into_iter();
        io.out.extend(messages.map(|(to, message)| (to, Said::Raft(message))));
        for (_, command) in self.raft.take_committed() {
            let answer = self.machine.apply(command, self.once);
            if let Some(asked) = self.proposed.remove(&command.call.0) {
                self.reply(io, command.call, answer, asked);
            }
        }
        for (id, _) in self.raft.take_reads() {
            if let Some((call, op, asked)) = self.reads.remove(&id) {
                let answer = self.machine.look(op);
                self.reply(io, call, answer, asked);
            }
        }
    }
}

impl Replica for Log {
    type Message = Said;

    fn call(&mut self, io: &mut Io<Said>, call: CallId, op: Op, _: &Session) {
        self.waiting.insert(call.0, (op, io.now + AGAIN, io.now + PATIENCE));
        self.try_call(io, call, op);
        self.after(io);
    }

    fn receive(&mut self, io: &mut Io<Said>, from: usize, message: Said) {
        match message {
            Said::Raft(message) => self.raft.receive(io.now, from, message),
            Said::Pass(call, op) => {
                // Who does not lead says nothing: the other asks again.
                let _ = self.take(io.now, call, op, from);
            }
            Said::Reply(call, answer) => {
                if self.waiting.remove(&call.0).is_some() {
                    io.answer(call, answer, Session::default());
                }
            }
        }
        self.after(io);
    }

    fn wakes_at(&self) -> Time {
        let retry = self.waiting.values().map(|&(_, again, _)| again).min();
        self.raft.wakes_at().min(retry.unwrap_or(Time::MAX))
    }

    fn wake(&mut self, io: &mut Io<Said>) {
        let now = io.now;
        self.waiting.retain(|_, &mut (_, _, until)| now < until);
        let due = self.waiting.iter_mut().filter(|(_, (_, again, _))| *again <= now);
        let due: Vec<_> = due
            .map(|(&call, (op, again, _))| {
                *again = now + AGAIN;
                (CallId(call), *op)
            })
            .collect();
        for (call, op) in due {
            self.try_call(io, call, op);
        }
        self.raft.tick(now);
        self.after(io);
    }

    fn restart(&mut self, io: &mut Io<Said>) {
        let own = Seed::new(self.stream.next_u64()).stream("node");
        // The disk: in this simulation every sync is honest.
        let disk = self.raft.durable().clone();
        self.raft = Raft::restart(disk, self.me, NODES, TIMING, self.rules, own, io.now);
        self.machine = Machine::default();
        self.waiting.clear();
        self.proposed.clear();
        self.reads.clear();
        self.after(io);
    }

    fn leads(&self) -> bool {
        self.raft.role() == Role::Leader
    }

    fn state(&self) -> State {
        self.machine.state.clone()
    }

    fn label(message: &Said) -> String {
        match message {
            Said::Raft(Message::Append { entries, .. }) if entries.is_empty() => "I lead".into(),
            Said::Raft(Message::Append { entries, .. }) => format!("{} entries", entries.len()),
            Said::Raft(Message::Appended { .. }) => "have it".into(),
            Said::Raft(Message::AskVote { .. }) => "vote?".into(),
            Said::Raft(Message::Vote { .. }) => "vote".into(),
            Said::Pass(_, op) => format!("pass {op:?}"),
            Said::Reply(_, answer) => format!("{answer:?}"),
        }
    }
}
