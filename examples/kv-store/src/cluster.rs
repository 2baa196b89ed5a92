//! The nodes, their network and their clients in virtual time.
//!
//! Whoever drives it asks ([`Cluster::call`]), sets alarms ([`Cluster::alarm`]) and takes what
//! happens next ([`Cluster::next`]): a call that is answered, a client that gave up, an alarm. Faults
//! are verbs. The served store is the same cluster: each command drives it until it is answered.

use crate::config::{Config, Counts};
use crate::message::{Answer, Message, Op, Timer};
use crate::node::{Io, Node};
use crate::upkeep::TICK;
use kit::check::CallId;
use kit::sim::{Events, Link, Network};
use kit::{Failure, Seed, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// From a client to a node, and back.
const DOORSTEP: Duration = Duration::from_micros(300);
/// How long a client waits.
pub const PATIENCE: Duration = Duration::from_millis(1_000);

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number.
    pub id: CallId,
    /// Who asked.
    pub client: usize,
    /// Which node.
    pub node: usize,
    /// About which key.
    pub key: Vec<u8>,
    /// What.
    pub op: Op,
    /// When.
    pub invoked: Time,
    /// When the answer came, and which; `None` when the client gave up.
    pub returned: Option<(Time, Answer)>,
    /// Whether, when it was asked and when it ended, its node reached enough nodes for it.
    pub could: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Happening {
    /// A call ended: with an answer, or because the client gave up.
    Ended(Box<Call>),
    /// An alarm.
    Alarm(u64),
}

/// A message as it went, for a diagram.
#[derive(Clone, Debug)]
pub struct Sent {
    /// From which node.
    pub from: usize,
    /// When.
    pub at: Time,
    /// To which.
    pub to: usize,
    /// When it came, if it did.
    pub arrived: Option<Time>,
    /// What it was.
    pub label: String,
}

enum Event {
    Arrives { from: usize, to: usize, message: Message },
    Timer { node: usize, life: u64, timer: Timer },
    Tick(usize),
    Reaches(CallId),
    Answered(CallId, Answer),
    GivesUp(CallId),
    Alarm(u64),
}

/// The whole of it.
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// What lies between them.
    pub network: Network,
    config: Config,
    links: Vec<((usize, usize), Link)>,
    up: Vec<bool>,
    /// How often each was started: timers of an earlier life are void.
    lives: Vec<u64>,
    /// How long each takes over a message.
    delay: Vec<Duration>,
    events: Events<Event>,
    calls: BTreeMap<usize, Call>,
    next_call: usize,
    handled: u64,
    kept: Option<Vec<Sent>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Between zones of one region: a millisecond, and as much again of jitter.
const ACROSS: Link = Link {
    least: Duration::from_micros(900),
    mean_extra: Duration::from_micros(900),
    ..Link::LOCAL
};

impl Cluster {
    /// A cluster at rest, on a network that loses and doubles `loss` of its messages.
    ///
    /// # Errors
    /// When the configuration makes no ring.
    pub fn new(config: Config, loss: f64, seed: Seed) -> Result<Self, Failure> {
        let all = config.nodes + config.spare;
        let mut network = Network::new(all, Link::LOCAL, seed.stream("network"));
        let mut links = Vec::new();
        for a in 0..all {
            for b in a + 1..all {
                let link = if a % config.zones == b % config.zones { Link::LOCAL } else { ACROSS };
                let link = link.faulty(loss, loss);
                network.set(a, b, link);
                links.push(((a, b), link));
            }
        }
        let nodes: Result<Vec<Node>, Failure> =
            (0..all).map(|me| Node::new(me, config, seed)).collect();
        let mut cluster = Self {
            nodes: nodes?,
            network,
            config,
            links,
            up: (0..all).map(|node| node < config.nodes).collect(),
            lives: vec![0; all],
            delay: vec![Duration::ZERO; all],
            events: Events::new(),
            calls: BTreeMap::new(),
            next_call: 0,
            handled: 0,
            kept: None,
        };
        for node in 0..all {
            // Not all at one instant.
            let first = TICK.mul_f64((node + 1) as f64 / all as f64);
            cluster.events.after(first, Event::Tick(node));
        }
        Ok(cluster)
    }

    /// Keeps the messages from here on, for a diagram.
    pub fn keep_messages(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// The messages kept.
    #[must_use]
    pub fn messages(&self) -> &[Sent] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Virtual time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.events.now()
    }

    /// Events so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.handled
    }

    /// What all agree on.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a node runs.
    #[must_use]
    pub fn is_up(&self, node: usize) -> bool {
        self.up[node]
    }

    /// What all nodes did together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for Node { counts, .. } in &self.nodes {
            sum.coordinated += counts.coordinated;
            sum.forwarded += counts.forwarded;
            sum.hinted += counts.hinted;
            sum.handed += counts.handed;
            sum.repaired += counts.repaired;
            sum.hedged += counts.hedged;
            sum.compared += counts.compared;
            sum.sync_bytes += counts.sync_bytes;
            sum.synced += counts.synced;
            sum.refused += counts.refused;
        }
        sum
    }

    /// A client asks a node. What it asks about is ended by [`Happening::Ended`], within
    /// [`PATIENCE`].
    pub fn call(&mut self, client: usize, node: usize, key: &[u8], op: Op) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        let could = self.could(node, &op);
        let (key, invoked) = (key.to_vec(), self.now());
        let call = Call { id, client, node, key, op, invoked, returned: None, could };
        self.calls.insert(id.0, call);
        self.events.after(DOORSTEP, Event::Reaches(id));
        self.events.after(PATIENCE, Event::GivesUp(id));
        id
    }

    /// Whether `node` reaches as many nodes as the quorum needs, both ways, itself included: any
    /// nodes, whoever holds the key.
    fn could(&self, node: usize, op: &Op) -> bool {
        let quorum = self.config.quorum;
        let needed = if *op == Op::Get { quorum.r() } else { quorum.w() } as usize;
        let serves = |&other: &usize| {
            let reached = self.network.reaches(node, other) && self.network.reaches(other, node);
            self.up[other] && reached && self.delay[other].is_zero()
        };
        self.up[node] && self.nodes[node].placement().nodes().filter(serves).count() >= needed
    }

    /// An alarm for whoever drives the cluster.
    pub fn alarm(&mut self, at: Time, what: u64) {
        self.events.at(at, Event::Alarm(what));
    }

    /// The next thing that concerns the driver, before `end`.
    pub fn next(&mut self, end: Time) -> Option<Happening> {
        while let Some((now, event)) = self.events.next_before(end) {
            self.handled += 1;
            match event {
                Event::Arrives { from, to, message } => {
                    self.at_node(to, |node, io| node.receive(io, from, message));
                }
                Event::Timer { node, life, timer } => {
                    if self.lives[node] == life {
                        self.at_node(node, |node, io| node.wake(io, timer));
                    }
                }
                Event::Tick(node) => {
                    self.events.after(TICK, Event::Tick(node));
                    self.at_node(node, Node::tick);
                }
                Event::Reaches(id) => {
                    if let Some(call) = self.calls.get(&id.0) {
                        let (node, key, op) = (call.node, call.key.clone(), call.op.clone());
                        self.at_node(node, |node, io| node.ask(io, id, key, op));
                    }
                }
                Event::Answered(id, answer) => {
                    if let Some(call) = self.calls.remove(&id.0) {
                        return Some(self.ended(call, Some((now, answer))));
                    }
                }
                Event::GivesUp(id) => {
                    if let Some(call) = self.calls.remove(&id.0) {
                        return Some(self.ended(call, None));
                    }
                }
                Event::Alarm(what) => return Some(Happening::Alarm(what)),
            }
        }
        None
    }

    fn ended(&self, mut call: Call, returned: Option<(Time, Answer)>) -> Happening {
        call.could &= self.could(call.node, &call.op);
        call.returned = returned;
        Happening::Ended(Box::new(call))
    }

    /// Lets a node act, and carries out what it wants.
    fn at_node(&mut self, node: usize, act: impl FnOnce(&mut Node, &mut Io)) {
        if !self.up[node] {
            return;
        }
        let mut io = Io::new(self.now());
        act(&mut self.nodes[node], &mut io);
        let (now, life) = (io.now, self.lives[node]);
        for (to, message) in io.out {
            let mut first = None;
            for at in self.network.send(now, node, to) {
                // A slow node takes its time over what it sends and what it is sent.
                let at = at + self.delay[node] + self.delay[to];
                first = first.or(Some(at));
                self.events.at(at, Event::Arrives { from: node, to, message: message.clone() });
            }
            if let Some(kept) = &mut self.kept
                && let Some(label) = message.label()
            {
                let up = self.up[to];
                let arrived = first.filter(|_| up);
                kept.push(Sent { from: node, at: now, to, arrived, label });
            }
        }
        for (call, answer) in io.answers {
            self.events.at(now + DOORSTEP, Event::Answered(call, answer));
        }
        for (span, timer) in io.timers {
            self.events.at(now + span, Event::Timer { node, life, timer });
        }
    }

    /// A node stops: its memory is gone, its disk is not.
    pub fn crash(&mut self, node: usize) {
        self.up[node] = false;
        self.lives[node] += 1;
    }

    /// It comes back.
    pub fn restart(&mut self, node: usize) {
        if !self.up[node] {
            let now = self.now();
            self.nodes[node].restart(now);
            self.up[node] = true;
        }
    }

    /// It loses memory and disk, and comes back at once.
    pub fn wipe(&mut self, node: usize) {
        self.crash(node);
        let now = self.now();
        self.nodes[node].wipe(now);
        self.up[node] = true;
    }

    /// It takes `by` over every message; zero: as the others again.
    pub fn slow(&mut self, node: usize, by: Duration) {
        self.delay[node] = by;
    }

    /// The nodes of `group` are cut off from all others.
    pub fn partition(&mut self, group: &[usize]) {
        let others: Vec<usize> =
            (0..self.nodes.len()).filter(|node| !group.contains(node)).collect();
        self.network.partition(&[group, &others]);
    }

    /// All links are whole again.
    pub fn heal(&mut self) {
        self.network.heal();
    }

    /// All links as they were, all nodes up and quick.
    pub fn mend(&mut self) {
        self.heal();
        for node in 0..self.config.nodes {
            self.restart(node);
            self.delay[node] = Duration::ZERO;
        }
    }

    /// From now on nothing is lost or doubled.
    pub fn calm(&mut self) {
        for &((a, b), link) in &self.links {
            self.network.set(a, b, link.faulty(0.0, 0.0));
        }
    }

    /// A spare node joins by asking node 0.
    pub fn join(&mut self, node: usize) {
        self.up[node] = true;
        self.at_node(node, |node, io| node.join(io, 0));
    }

    /// Whether every holder of every key holds the same, and nobody anything else; otherwise the
    /// first key and how it differs.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn agree(&self) -> Result<u64, String> {
        let mut rows: BTreeMap<Vec<u8>, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
        for (node, at) in self.nodes.iter().enumerate().filter(|(node, _)| self.up[*node]) {
            at.engine.each(|key, row| {
                rows.entry(key.to_vec()).or_default().push((node, row.to_vec()));
            });
        }
        let ring = self.nodes[0].placement();
        for (key, held) in &rows {
            let name = String::from_utf8_lossy(key);
            for holder in ring.holders(key) {
                let Some((_, row)) = held.iter().find(|(node, _)| *node == holder) else {
                    return Err(format!("{name}: holder n{holder} has no row"));
                };
                if *row != held[0].1 {
                    return Err(format!("{name}: n{} and n{holder} differ", held[0].0));
                }
            }
            if held.len() > self.config.quorum.n() as usize {
                return Err(format!("{name}: {} nodes have a row", held.len()));
            }
        }
        Ok(rows.len() as u64)
    }
}
