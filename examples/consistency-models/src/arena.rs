//! One cluster in simulation: five nodes, their network, clients with sessions, faults.
//!
//! A model is a [`Replica`]: what one node does with a client's call and with a message. Everything
//! else, here, is the same for all of them: so what differs between two tables is the model.

use crate::script::{Answer, LAST, NODES, Op, PATIENCE, Script, Step, Trouble};
use archstone_crdt::clock::{Timestamp, VersionVector};
use kit::check::CallId;
use kit::sim::{Events, Link, Network, Traffic};
use kit::{Seed, Time};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// From a client to the node it asks, and back.
const DOORSTEP: Duration = Duration::from_micros(500);
/// Where the sites are, in one-way milliseconds along a line: the farthest two are 42 ms apart.
const PLACES: [u64; NODES] = [0, 4, 13, 27, 40];
/// How long the cluster is left alone after the last call.
const SETTLE: Duration = Duration::from_millis(3_000);

/// What a client carries from call to call: how far it has seen.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Events that it depends on.
    pub seen: VersionVector,
    /// The latest stamp that it has met.
    pub stamp: Timestamp,
}

/// What a node sees of the world while it handles one event, and what it wants done.
#[derive(Debug)]
pub struct Io<M> {
    /// Virtual time; for timers, not for stamps.
    pub now: Time,
    /// What the wall clock of this node says, in milliseconds: skewed.
    pub wall_ms: u64,
    /// Which node this is.
    pub me: usize,
    /// Messages to send.
    pub out: Vec<(usize, M)>,
    /// Calls that are answered, with what the session has then seen.
    pub answers: Vec<(CallId, Answer, Session)>,
}

impl<M: Clone> Io<M> {
    /// To every other node.
    pub fn broadcast(&mut self, message: &M) {
        let me = self.me;
        self.out.extend((0..NODES).filter(|&to| to != me).map(|to| (to, message.clone())));
    }

    /// Answers a call.
    pub fn answer(&mut self, call: CallId, answer: Answer, session: Session) {
        self.answers.push((call, answer, session));
    }
}

/// One node of a model.
pub trait Replica {
    /// What nodes say to each other.
    type Message: Clone;

    /// A client's call.
    fn call(&mut self, io: &mut Io<Self::Message>, call: CallId, op: Op, session: &Session);

    /// A message.
    fn receive(&mut self, io: &mut Io<Self::Message>, from: usize, message: Self::Message);

    /// When it wants to be woken.
    fn wakes_at(&self) -> Time;

    /// The time has come.
    fn wake(&mut self, io: &mut Io<Self::Message>);

    /// It comes back with what was on its disk.
    fn restart(&mut self, io: &mut Io<Self::Message>);

    /// Whether it leads.
    fn leads(&self) -> bool {
        false
    }

    /// What a client would read here now, of everything: equal when replicas agree.
    fn state(&self) -> State;

    /// What a message is called in a diagram.
    fn label(message: &Self::Message) -> String;
}

/// What one replica holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The registers that were written.
    pub registers: BTreeMap<u64, u64>,
    /// The counter.
    pub count: i64,
    /// The set.
    pub elements: std::collections::BTreeSet<u64>,
}

/// One call and what became of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// The call as it was asked.
    pub step: Step,
    /// When it was asked.
    pub invoked: Time,
    /// When the answer came, and which; `None` when the client gave up.
    pub returned: Option<(Time, Answer)>,
    /// Whether links were cut at any time while it ran.
    pub cut: bool,
    /// Whether a node stopped while it ran.
    pub down: bool,
    /// Whether it asked a node on the smaller side of a cut.
    pub minority: bool,
}

/// A message as it went, for the diagrams.
#[derive(Clone, Debug)]
pub struct Sent {
    /// From which node.
    pub from: usize,
    /// When.
    pub at: Time,
    /// To which node.
    pub to: usize,
    /// When it came, if it did.
    pub arrived: Option<Time>,
    /// What it was.
    pub label: String,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The calls, in the order in which they were made; a call's number is its place.
    pub calls: Vec<Done>,
    /// The messages, when they were kept.
    pub messages: Vec<Sent>,
    /// The replicas at the end.
    pub states: Vec<State>,
    /// When all replicas agreed for good, after the last heal; `None` when they do not.
    pub agreed: Option<Time>,
    /// What the network carried.
    pub traffic: Traffic,
    /// Simulated events.
    pub events: u64,
    /// The faults as they hit: which node led, say.
    pub hits: Vec<(Time, String)>,
}

enum Event<M> {
    Arrives { from: usize, to: usize, message: M },
    Wakes(usize),
    Asks(usize),
    Reaches(CallId),
    Answered(CallId, Answer, Session),
    GivesUp(CallId),
    Trouble(Trouble),
    Look,
}

struct Client {
    todo: VecDeque<Step>,
    session: Session,
    waits: Option<CallId>,
}

struct Arena<'a, R: Replica> {
    nodes: Vec<R>,
    up: [bool; NODES],
    woken: [Time; NODES],
    skew: [i64; NODES],
    clients: BTreeMap<usize, Client>,
    network: Network,
    minority: Vec<usize>,
    events: Events<Event<R::Message>>,
    keep: bool,
    leaves_out: bool,
    agree_since: Option<Time>,
    outcome: &'a mut Outcome,
}

/// Runs `script` on a cluster of the model that `make` makes nodes of. With `keep` every message
/// is kept for a diagram.
pub fn run<R: Replica>(
    script: &Script,
    seed: Seed,
    keep: bool,
    mut make: impl FnMut(usize) -> R,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut network = Network::new(NODES, Link::LOCAL, seed.stream("network"));
    for (a, from) in PLACES.iter().enumerate() {
        for (b, to) in PLACES.iter().enumerate().skip(a + 1) {
            let one_way = Duration::from_millis(2 + to - from);
            // Much jitter: the nearest majority is not always the same.
            let link = Link { mean_extra: one_way.mul_f64(0.6), ..Link::far(one_way) };
            network.set(a, b, link.faulty(0.02, 0.02));
        }
    }
    let mut arena = Arena {
        nodes: (0..NODES).map(&mut make).collect(),
        up: [true; NODES],
        woken: [Time::MAX; NODES],
        skew: script.skew,
        clients: BTreeMap::new(),
        network,
        minority: Vec::new(),
        events: Events::new(),
        keep,
        leaves_out: script.leaves_out,
        agree_since: None,
        outcome: &mut outcome,
    };
    for step in &script.steps {
        let client = arena.clients.entry(step.client).or_insert_with(|| Client {
            todo: VecDeque::new(),
            session: Session::default(),
            waits: None,
        });
        client.todo.push_back(*step);
    }
    for (at, trouble) in &script.troubles {
        arena.events.at(*at, Event::Trouble(trouble.clone()));
    }
    for (&client, state) in &arena.clients {
        arena.events.at(state.todo[0].at, Event::Asks(client));
    }
    (0..NODES).for_each(|node| arena.plan_wake(node));
    arena.events.after(Duration::from_millis(5), Event::Look);
    // A client that leaves nothing out may be late.
    let late = if script.leaves_out { 0 } else { script.steps.len() as u32 };
    let end = script.end + PATIENCE + SETTLE + late * Duration::from_millis(100);
    while let Some((now, event)) = arena.events.next_before(end) {
        arena.outcome.events += 1;
        arena.handle(now, event);
    }
    outcome_of(arena);
    outcome
}

fn outcome_of<R: Replica>(arena: Arena<'_, R>) {
    arena.outcome.states = arena.nodes.iter().map(R::state).collect();
    arena.outcome.agreed = arena.agree_since;
    arena.outcome.traffic = arena.network.traffic();
}

impl<R: Replica> Arena<'_, R> {
    fn handle(&mut self, now: Time, event: Event<R::Message>) {
        match event {
            Event::Arrives { from, to, message } => {
                if self.up[to] {
                    self.at(now, to, |node, io| node.receive(io, from, message));
                }
            }
            Event::Wakes(node) => {
                if self.up[node] && self.woken[node] == now {
                    self.woken[node] = Time::MAX;
                    self.at(now, node, R::wake);
                }
            }
            Event::Asks(client) => self.asks(now, client),
            Event::Reaches(call) => {
                let step = self.outcome.calls[call.0].step;
                let session = self.clients[&step.client].session.clone();
                if self.up[step.node] {
                    self.at(now, step.node, |node, io| node.call(io, call, step.op, &session));
                }
            }
            Event::Answered(call, answer, session) => self.answered(now, call, answer, session),
            Event::GivesUp(call) => self.gives_up(now, call),
            Event::Trouble(trouble) => self.trouble(now, trouble),
            Event::Look => {
                let first = self.nodes[0].state();
                let agree = self.nodes.iter().all(|node| node.state() == first);
                self.agree_since = agree.then(|| self.agree_since.unwrap_or(now));
                self.events.after(Duration::from_millis(5), Event::Look);
            }
        }
    }

    fn asks(&mut self, now: Time, client: usize) {
        let busy = |(&other, state): (&usize, &Client)| {
            other != LAST && (state.waits.is_some() || !state.todo.is_empty())
        };
        if client == LAST && self.clients.iter().any(busy) {
            return self.events.after(Duration::from_millis(50), Event::Asks(client));
        }
        let state = self.clients.get_mut(&client).expect("a client of the script");
        let Some(step) = state.todo.pop_front() else { return };
        let call = CallId(self.outcome.calls.len());
        state.waits = Some(call);
        let minority = self.minority.contains(&step.node);
        let (cut, down) = (!self.minority.is_empty(), self.up.contains(&false));
        self.outcome.calls.push(Done { step, invoked: now, returned: None, cut, down, minority });
        self.events.after(DOORSTEP, Event::Reaches(call));
        self.events.after(PATIENCE, Event::GivesUp(call));
    }

    fn answered(&mut self, now: Time, call: CallId, answer: Answer, session: Session) {
        let done = &mut self.outcome.calls[call.0];
        let client = done.step.client;
        let state = self.clients.get_mut(&client).expect("a client of the script");
        if state.waits != Some(call) {
            return;
        }
        done.returned = Some((now, answer));
        done.cut |= !self.minority.is_empty();
        archstone_crdt::Lattice::merge(&mut state.session.seen, &session.seen);
        state.session.stamp = state.session.stamp.max(session.stamp);
        self.next(now, client);
    }

    fn gives_up(&mut self, now: Time, call: CallId) {
        let client = self.outcome.calls[call.0].step.client;
        if self.clients[&client].waits == Some(call) {
            self.next(now, client);
        }
    }

    fn next(&mut self, now: Time, client: usize) {
        let state = self.clients.get_mut(&client).expect("a client of the script");
        state.waits = None;
        let late = |step: &Step| step.at + Duration::from_millis(20) < now && client != LAST;
        while self.leaves_out && state.todo.front().is_some_and(late) {
            state.todo.pop_front();
        }
        if let Some(step) = state.todo.front() {
            self.events.at(step.at.max(now), Event::Asks(client));
        }
    }

    fn trouble(&mut self, now: Time, trouble: Trouble) {
        let leader = self.nodes.iter().zip(self.up).position(|(node, up)| up && node.leads());
        let said = match trouble {
            Trouble::Cut(nodes) => self.cut(nodes),
            Trouble::CutLeader => self.cut(vec![leader.unwrap_or(0)]),
            Trouble::Heal => {
                self.network.heal();
                self.minority.clear();
                "every link works again".to_owned()
            }
            Trouble::Crash(node) => self.crash(node),
            Trouble::CrashLeader => self.crash(leader.unwrap_or(0)),
            Trouble::Restart(node) => self.restart(now, node),
            Trouble::RestartAll => {
                let down: Vec<_> = (0..NODES).filter(|&node| !self.up[node]).collect();
                let said: Vec<_> = down.iter().map(|&node| self.restart(now, node)).collect();
                said.join(", ")
            }
        };
        self.outcome.hits.push((now, said));
    }

    fn cut(&mut self, nodes: Vec<usize>) -> String {
        let others: Vec<_> = (0..NODES).filter(|node| !nodes.contains(node)).collect();
        self.network.heal();
        self.network.partition(&[&nodes, &others]);
        let said = format!("nodes {nodes:?} cut off from {others:?}");
        self.minority = if nodes.len() <= others.len() { nodes } else { others };
        said
    }

    fn crash(&mut self, node: usize) -> String {
        self.up[node] = false;
        for call in self.clients.values().filter_map(|client| client.waits) {
            self.outcome.calls[call.0].down = true;
        }
        self.woken[node] = Time::MAX;
        format!("node {node} stopped")
    }

    fn restart(&mut self, now: Time, node: usize) -> String {
        if !self.up[node] {
            self.up[node] = true;
            self.at(now, node, R::restart);
        }
        format!("node {node} is back")
    }

    /// Lets a node handle something, and does what it wants done.
    fn at(&mut self, now: Time, node: usize, act: impl FnOnce(&mut R, &mut Io<R::Message>)) {
        let wall = now.as_nanos() as i64 / 1_000_000 + 1_000 + self.skew[node];
        let (out, answers) = (Vec::new(), Vec::new());
        let mut io = Io { now, wall_ms: wall.max(0) as u64, me: node, out, answers };
        act(&mut self.nodes[node], &mut io);
        for (to, message) in io.out {
            let arrivals: Vec<_> = self.network.send(now, node, to).collect();
            if self.keep {
                let (label, arrived) = (R::label(&message), arrivals.first().copied());
                self.outcome.messages.push(Sent { from: node, at: now, to, arrived, label });
            }
            for at in arrivals {
                let message = message.clone();
                self.events.at(at, Event::Arrives { from: node, to, message });
            }
        }
        for (call, answer, session) in io.answers {
            self.events.after(DOORSTEP, Event::Answered(call, answer, session));
        }
        self.plan_wake(node);
    }

    fn plan_wake(&mut self, node: usize) {
        let at = self.nodes[node].wakes_at().max(self.events.now());
        if at != Time::MAX && self.woken[node] != at {
            self.woken[node] = at;
            self.events.at(at, Event::Wakes(node));
        }
    }
}
