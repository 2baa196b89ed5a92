use super::*;
use crate::check::models::{Register, RegisterOp};
use crate::check::{CallId, History, Verdict, linearizable};
use crate::generate::{Seed, Stream};
use crate::sim::{Events, Link, Network};
use archstone_core::Time;
use std::collections::BTreeMap;
use std::time::Duration;

const NODES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Command {
    call: CallId,
    op: RegisterOp,
}

enum Event {
    Arrives { from: usize, to: usize, message: Message<Command> },
    Wakes(usize),
    Client(usize),
    Crash,
    Restart(usize),
    Partition,
    Heal,
}

/// Five nodes, three clients, a network that loses and doubles, crashes and partitions.
struct World {
    nodes: Vec<Option<Raft<Command>>>,
    disks: Vec<Durable<Command>>,
    registers: Vec<u64>,
    applied: Vec<u64>,
    asleep: Vec<Time>,
    reads: BTreeMap<(usize, u64), CallId>,
    proposed: BTreeMap<CallId, usize>,
    events: Events<Event>,
    network: Network,
    stream: Stream,
    rules: Rules,
    history: History<RegisterOp, Option<u64>>,
    /// What each client waits for, and since when.
    busy: [Option<(CallId, Time)>; 3],
    leaders: BTreeMap<u64, usize>,
    committed: Vec<Command>,
    broken: Option<&'static str>,
    written: u64,
}

impl World {
    fn new(seed: u64, rules: Rules) -> Self {
        let seed = Seed::new(seed);
        let link = Link { mean_extra: Duration::from_millis(8), ..Link::LOCAL.faulty(0.05, 0.03) };
        let mut world = Self {
            nodes: Vec::new(),
            disks: vec![Durable::default(); NODES],
            registers: vec![0; NODES],
            applied: vec![0; NODES],
            asleep: vec![Time::MAX; NODES],
            reads: BTreeMap::new(),
            proposed: BTreeMap::new(),
            events: Events::new(),
            network: Network::new(NODES, link, seed.stream("network")),
            stream: seed.stream("world"),
            rules,
            history: History::new(),
            busy: [None; 3],
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            broken: None,
            written: 0,
        };
        for node in 0..NODES {
            world.nodes.push(None);
            world.restart(node);
        }
        for client in 0..3 {
            world
                .events
                .after(Duration::from_millis(400 + 10 * client as u64), Event::Client(client));
        }
        for nth in 1..6 {
            world.events.at(Time::from_millis(700 * nth), Event::Partition);
            world.events.at(Time::from_millis(700 * nth + 350), Event::Heal);
            world.events.at(Time::from_millis(650 * nth + 100), Event::Crash);
        }
        world
    }

    fn restart(&mut self, node: usize) {
        let (disk, now) = (self.disks[node].clone(), self.events.now());
        let stream = Seed::new(self.stream.next_u64()).stream("node");
        let raft = Raft::restart(disk, node, NODES, Timing::default(), self.rules, stream, now);
        self.nodes[node] = Some(raft);
        (self.registers[node], self.applied[node], self.asleep[node]) = (0, 0, Time::MAX);
        self.after(node);
    }

    /// Everything that follows from a call of `node`.
    fn after(&mut self, node: usize) {
        let now = self.events.now();
        let Some(raft) = &mut self.nodes[node] else { return };
        self.disks[node] = raft.durable().clone();
        if raft.role() == Role::Leader {
            let leader = *self.leaders.entry(raft.term()).or_insert(node);
            if leader != node {
                self.broken = self.broken.or(Some("two leaders in one term"));
            }
        }
        for (to, message) in raft.take_messages() {
            for at in self.network.send(now, node, to) {
                let message = message.clone();
                self.events.at(at, Event::Arrives { from: node, to, message });
            }
        }
        for (index, command) in raft.take_committed() {
            // Leaders' own entries have indices too: commands are counted by themselves.
            let nth = self.applied[node] as usize;
            self.applied[node] += 1;
            match self.committed.get(nth) {
                None => self.committed.push(command),
                Some(first) if *first == command => {}
                Some(_) => self.broken = self.broken.or(Some("two commands at one place")),
            }
            let register = &mut self.registers[node];
            let answer = match command.op {
                RegisterOp::Read => Some(*register),
                RegisterOp::Write(value) => {
                    *register = value;
                    None
                }
                RegisterOp::Swap { old, new } => {
                    let swaps = *register == old;
                    if swaps {
                        *register = new;
                    }
                    Some(u64::from(swaps))
                }
            };
            if self.proposed.get(&command.call) == Some(&node) {
                self.proposed.remove(&command.call);
                self.answer(command.call, answer);
            }
            assert!(index > 0);
        }
        let Some(raft) = &mut self.nodes[node] else { return };
        let (ready, wake) = (raft.take_reads(), raft.wakes_at());
        for (id, _) in ready {
            if let Some(call) = self.reads.remove(&(node, id)) {
                self.answer(call, Some(self.registers[node]));
            }
        }
        if wake < self.asleep[node] {
            self.asleep[node] = wake;
            self.events.at(wake, Event::Wakes(node));
        }
    }

    fn answer(&mut self, call: CallId, answer: Option<u64>) {
        self.history.returned(call, answer, self.events.now());
        self.busy
            .iter_mut()
            .filter(|busy| busy.is_some_and(|(waits, _)| waits == call))
            .for_each(|busy| *busy = None);
    }

    fn client(&mut self, client: usize) {
        let now = self.events.now();
        self.events.after(Duration::from_millis(20 + self.stream.below(60)), Event::Client(client));
        if self.busy[client].is_some_and(|(_, since)| now.since(since) < Duration::from_millis(400))
        {
            return;
        }
        // One that has waited in vain goes on as another client; what it asked may yet happen.
        self.busy[client] = None;
        let leaders: Vec<usize> = (0..NODES)
            .filter(|&n| self.nodes[n].as_ref().is_some_and(|raft| raft.role() == Role::Leader))
            .collect();
        let Some(&node) = self.stream.pick(&leaders) else { return };
        let reads = self.stream.chance(0.5);
        self.written += 1;
        let op = match (reads, self.stream.chance(0.3)) {
            (true, _) => RegisterOp::Read,
            (_, true) => RegisterOp::Swap { old: self.registers[node], new: self.written },
            _ => RegisterOp::Write(self.written),
        };
        let call = self.history.invoke(client, op, now);
        self.busy[client] = Some((call, now));
        let Some(raft) = &mut self.nodes[node] else { return };
        if reads {
            let id = raft.read(now).expect("it leads");
            self.reads.insert((node, id), call);
        } else {
            raft.propose(now, Command { call, op }).expect("it leads");
            self.proposed.insert(call, node);
        }
        self.after(node);
    }

    fn run(mut self, until: Time) -> Self {
        while let Some((now, event)) = self.events.next_before(until) {
            match event {
                Event::Arrives { from, to, message } => {
                    if let Some(raft) = &mut self.nodes[to] {
                        raft.receive(now, from, message);
                    }
                    self.after(to);
                }
                Event::Wakes(node) => {
                    self.asleep[node] = Time::MAX;
                    if let Some(raft) = &mut self.nodes[node] {
                        raft.tick(now);
                    }
                    self.after(node);
                }
                Event::Client(client) => self.client(client),
                Event::Crash => {
                    // Leaders most of all.
                    let leads = |n: &usize| {
                        self.nodes[*n].as_ref().is_some_and(|r| r.role() == Role::Leader)
                    };
                    let leader = (0..NODES).find(leads);
                    let node = leader
                        .filter(|_| self.stream.chance(0.6))
                        .unwrap_or(self.stream.below(NODES as u64) as usize);
                    self.nodes[node] = None;
                    self.events
                        .after(Duration::from_millis(self.stream.below(500)), Event::Restart(node));
                }
                Event::Restart(node) => self.restart(node),
                Event::Partition => {
                    let mut order: Vec<usize> = (0..NODES).collect();
                    self.stream.shuffle(&mut order);
                    let (few, many) = order.split_at(2);
                    self.network.partition(&[few, many]);
                }
                Event::Heal => self.network.heal(),
            }
        }
        self
    }

    /// What broke first, if anything.
    fn verdict(&self) -> Option<&'static str> {
        self.broken.or_else(|| match linearizable(&Register::default(), &self.history, 300_000) {
            Verdict::Violation { .. } => Some("not linearizable"),
            _ => None,
        })
    }
}

fn run(seed: u64, rules: Rules) -> World {
    World::new(seed, rules).run(Time::from_secs(5))
}

#[test]
fn faults_break_nothing_and_work_goes_on() {
    let mut decided = 0;
    for seed in 1..=60 {
        let world = run(seed, Rules::default());
        assert_eq!(world.verdict(), None, "seed {seed}");
        let verdict = linearizable(&Register::default(), &world.history, 300_000);
        decided += u32::from(verdict.is_linearizable());
        let calls = world.history.calls();
        let answered = calls.iter().filter(|call| call.returned.is_some()).count();
        assert!(
            answered > 60 && answered * 10 > calls.len() * 8,
            "seed {seed}: {answered} of {}",
            calls.len()
        );
        // The logs agree up to what is committed (log matching, leader completeness).
        assert!(world.committed.len() > 20, "seed {seed}");
    }
    assert!(decided >= 58, "{decided} of 60 histories were decided");
}

#[test]
fn one_seed_is_one_run() {
    let (a, b) = (run(7, Rules::default()), run(7, Rules::default()));
    assert_eq!(
        (&a.history, &a.committed, a.leaders.len()),
        (&b.history, &b.committed, b.leaders.len())
    );
}

/// Each rule switched off breaks something within the seeds.
#[test]
fn no_rule_is_idle() {
    let on = Rules::default();
    let cases = [
        ("vote_once", Rules { vote_once: false, ..on }),
        ("vote_up_to_date", Rules { vote_up_to_date: false, ..on }),
        ("confirm_reads", Rules { confirm_reads: false, ..on }),
    ];
    for (name, rules) in cases {
        let broke = (1..=60).find_map(|seed| Some((seed, run(seed, rules).verdict()?)));
        assert!(broke.is_some(), "without {name} nothing broke");
    }
}

/// Figure 8 of the paper, which no random run meets soon.
#[test]
fn an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    let outcome = |rules: Rules| {
        let entry = |term, command| Entry { term, command: Some(command) };
        let disk = |term, log: &[Entry<char>]| Durable { term, voted_for: None, log: log.to_vec() };
        let (one, two, three) = (entry(1, 'a'), entry(2, 'b'), entry(3, 'c'));
        // (c): S1 has led in term 2, S5 in term 3; S1 is elected again in term 4.
        let disks = [
            disk(3, &[one.clone(), two.clone()]),
            disk(2, &[one.clone(), two]),
            disk(3, std::slice::from_ref(&one)),
            disk(3, std::slice::from_ref(&one)),
            disk(3, &[one, three]),
        ];
        let start = |(me, durable)| {
            let stream = Seed::new(me as u64).stream("raft");
            Raft::restart(durable, me, 5, Timing::default(), rules, stream, Time::ZERO)
        };
        let mut nodes: Vec<Raft<char>> = disks.into_iter().enumerate().map(start).collect();
        let now = Time::from_secs(1);
        let deliver = |nodes: &mut Vec<Raft<char>>,
                       among: &[usize],
                       rounds: usize,
                       old_only: bool| {
            for _ in 0..rounds {
                for from in 0..5 {
                    for (to, mut message) in nodes[from].take_messages() {
                        if !among.contains(&from) || !among.contains(&to) {
                            continue;
                        }
                        if let (true, Message::Append { entries, .. }) = (old_only, &mut message) {
                            // It dies before its own entry reaches anyone.
                            entries.retain(|entry| entry.term < 4);
                        }
                        nodes[to].receive(now, from, message);
                    }
                }
            }
        };
        nodes[0].tick(now);
        deliver(&mut nodes, &[0, 1, 2], 8, true);
        assert_eq!((nodes[0].role(), nodes[0].term()), (Role::Leader, 4));
        let committed: Vec<char> =
            nodes[0].take_committed().into_iter().map(|entry| entry.1).collect();
        // (d): S1 dies, S5 is elected by S2, S3, S4, whose last entries are of term 2 or 1.
        let later = nodes[4].wakes_at().max(now) + Duration::from_secs(1);
        nodes[4].tick(later);
        deliver(&mut nodes, &[1, 2, 3, 4], 12, false);
        if nodes[4].role() != Role::Leader {
            nodes[4].tick(later + Duration::from_secs(1));
            deliver(&mut nodes, &[1, 2, 3, 4], 12, false);
        }
        assert_eq!(nodes[4].role(), Role::Leader);
        deliver(&mut nodes, &[1, 2, 3, 4], 12, false);
        let kept: Vec<char> =
            nodes[1].durable().log.iter().filter_map(|entry| entry.command).collect();
        (committed, kept)
    };
    let (committed, kept) = outcome(Rules::default());
    assert!(!committed.contains(&'b'), "{committed:?}");
    assert_eq!(kept, ['a', 'c']);
    let (committed, kept) = outcome(Rules { commit_own_term: false, ..Rules::default() });
    assert!(committed.contains(&'b') && !kept.contains(&'b'), "{committed:?} {kept:?}");
}

#[test]
fn messages_that_make_no_sense_change_nothing() {
    let stream = Seed::new(1).stream("raft");
    let mut node = Raft::<u8>::new(0, 3, Timing::default(), Rules::default(), stream, Time::ZERO);
    let now = Time::from_millis(1);
    let far = Message::Append {
        term: 1,
        before_index: u64::MAX,
        before_term: 9,
        entries: vec![],
        commit: u64::MAX,
        round: 1,
    };
    node.receive(now, 1, far);
    node.receive(now, 9, Message::Vote { term: 1, granted: true });
    node.receive(
        now,
        1,
        Message::Appended { term: 1, index: u64::MAX, accepted: true, round: u64::MAX },
    );
    node.receive(now, 1, Message::Vote { term: 0, granted: true });
    assert_eq!((node.role(), node.commit(), node.durable().log.len()), (Role::Follower, 0, 0));
    assert!(node.propose(now, 1).is_err() && node.read(now).is_err());
    assert_eq!(node.propose(now, 1).unwrap_err().to_string(), "not the leader; node 1 may be");
}
