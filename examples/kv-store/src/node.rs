//! One node: it holds rows, and coordinates what clients ask. What it does without being asked
//! (gossip, handoff, comparison) is in [`crate::upkeep`].
//!
//! DeCandia et al., Dynamo: Amazon's highly available key-value store, SOSP 2007. Where we differ:
//! versions are dotted version vectors (Preguiça et al. 2012; the paper's clocks turn two writes of
//! one context through one node into a false chain), and a read whose answers differ stores what it
//! found at W nodes before it answers, so that strict quorums never go back in time.

use crate::config::{Config, Counts};
use crate::engine::{Engine, Row};
use crate::message::{Answer, DEADLINE, HEDGE, Message, Op, Timer};
use crate::placement::Placement;
use archstone_crdt::clock::VersionVector;
use archstone_crdt::quorum::HintQueue;
use archstone_crdt::{Lattice, ReplicaId};
use kit::check::CallId;
use kit::generate::Stream;
use kit::{Failure, Seed, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What a node wants done after one event.
#[derive(Debug)]
pub struct Io {
    /// Virtual time.
    pub now: Time,
    /// Messages.
    pub out: Vec<(usize, Message)>,
    /// Calls answered.
    pub answers: Vec<(CallId, Answer)>,
    /// When it wants to be woken.
    pub timers: Vec<(Duration, Timer)>,
}

impl Io {
    /// Nothing yet.
    #[must_use]
    pub const fn new(now: Time) -> Self {
        Self { now, out: Vec::new(), answers: Vec::new(), timers: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    /// What a read found is being stored.
    Repair,
    Write,
    /// Somebody else coordinates it.
    Forward,
}

#[derive(Debug)]
struct Pending {
    call: CallId,
    key: Vec<u8>,
    op: Op,
    kind: Kind,
    /// Who was asked, and for whom.
    asked: Vec<(usize, Option<usize>)>,
    /// Who may be asked yet.
    spare: VecDeque<usize>,
    /// What each answered (reads).
    told: Vec<(usize, Row)>,
    /// What is written, or was read.
    row: Row,
    /// Who has it.
    stored: BTreeSet<usize>,
    answered: bool,
}

/// One node. Fields of the upkeep are seen by [`crate::upkeep`].
#[derive(Debug)]
pub struct Node {
    pub(crate) me: usize,
    pub(crate) config: Config,
    /// What it holds.
    pub engine: Engine,
    pub(crate) placement: Placement,
    /// Heartbeats by node, and when each last rose.
    pub(crate) view: VersionVector,
    pub(crate) heard: BTreeMap<usize, Time>,
    /// Keys kept for holders that did not answer.
    pub(crate) hints: HintQueue<Vec<u8>>,
    /// For which holders a key is kept here.
    pub(crate) standing: BTreeMap<Vec<u8>, BTreeSet<usize>>,
    /// Rows on their way to a holder: since when.
    pub(crate) in_flight: BTreeMap<(usize, Vec<u8>), Time>,
    pub(crate) sessions: BTreeMap<u64, crate::upkeep::Session>,
    /// Peers whose rows this node still lacks, after a loss of its disk.
    pub(crate) rebuilding: BTreeSet<usize>,
    /// The comparisons that fill it.
    pub(crate) refills: BTreeSet<u64>,
    pub(crate) random: Stream,
    /// What it did.
    pub counts: Counts,
    pending: BTreeMap<u64, Pending>,
    next: u64,
    wipes: u64,
    pub(crate) episodes: u64,
    pub(crate) ticks: u64,
}

impl Node {
    /// Node `me` of a cluster.
    ///
    /// # Errors
    /// When the configuration makes no ring.
    pub fn new(me: usize, config: Config, seed: Seed) -> Result<Self, Failure> {
        let copies = config.quorum.n() as usize;
        let mut placement = Placement::new(copies, config.points, config.rules.zones_apart)?;
        for node in 0..config.nodes {
            placement.join(node, crate::config::zone(node, config.zones))?;
        }
        Ok(Self {
            me,
            config,
            engine: Engine::new(config.filtered),
            placement,
            view: VersionVector::new(),
            heard: BTreeMap::new(),
            hints: HintQueue::new(100_000, Duration::from_secs(3 * 3_600)),
            standing: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            sessions: BTreeMap::new(),
            rebuilding: BTreeSet::new(),
            refills: BTreeSet::new(),
            random: seed.stream(&format!("node {me}")),
            counts: Counts::default(),
            pending: BTreeMap::new(),
            next: 0,
            wipes: 0,
            episodes: 0,
            ticks: 0,
        })
    }

    /// The ring as this node knows it.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Whether it has lost rows that the others have not given back yet.
    #[must_use]
    pub fn is_rebuilding(&self) -> bool {
        !self.rebuilding.is_empty()
    }

    /// The power went: memory is lost, the disk is not. Request numbers go on, so that no late
    /// answer is taken for one to a new request.
    pub fn restart(&mut self, now: Time) {
        self.pending.clear();
        self.sessions.clear();
        self.in_flight.clear();
        self.hints = HintQueue::new(100_000, Duration::from_secs(3 * 3_600));
        self.standing.clear();
        self.heard.clear();
        if self.config.filtered {
            self.engine.restart(self.config.rules.filter_rebuilt);
        }
        // A hint is a row of a key that is not ours: the table remembers it.
        self.adopt(now);
    }

    /// The disk is gone.
    pub fn wipe(&mut self, now: Time) {
        let stats = self.engine.stats;
        self.engine = Engine::new(self.config.filtered);
        self.engine.stats = stats;
        self.restart(now);
        self.refills.clear();
        self.wipes += u64::from(self.config.rules.new_id);
        if self.config.rules.rebuild_first {
            let me = self.me;
            self.rebuilding = self.placement.nodes().filter(|&node| node != me).collect();
        }
    }

    /// The id under which a write of a key is numbered here. The numbers of a row that is gone must
    /// never come again: after a loss of the disk, and for rows that were kept for others and
    /// dropped, the id is a new one.
    fn id(&self, owner: bool) -> ReplicaId {
        let episode = if owner { 0 } else { 1 + self.episodes % 0xffff };
        ReplicaId((self.me as u64) << 32 | (self.wipes & 0xffff) << 16 | episode)
    }

    /// A client asks.
    pub fn ask(&mut self, io: &mut Io, call: CallId, key: Vec<u8>, op: Op) {
        let holders = self.placement.holders(&key);
        if op == Op::Get {
            return self.read(io, call, key, &holders);
        }
        if holders.contains(&self.me) {
            return self.write(io, None, call, key, op, &holders);
        }
        // A write is numbered by a holder, if one can be reached.
        let live = holders.iter().copied().filter(|&node| self.believes_up(node, io.now));
        let mut spare: VecDeque<usize> = live.collect();
        if spare.is_empty() && !self.config.sloppy {
            spare.extend(&holders);
        }
        let Some(first) = spare.pop_front() else {
            return self.write(io, None, call, key, op, &holders);
        };
        self.counts.forwarded += 1;
        let request = self.number();
        let forward = Message::Forward { request, call, key: key.clone(), op: op.clone() };
        io.out.push((first, forward));
        self.start(
            io,
            request,
            Pending {
                call,
                key,
                op,
                kind: Kind::Forward,
                asked: vec![(first, None)],
                spare,
                told: Vec::new(),
                row: Row::new(),
                stored: BTreeSet::new(),
                answered: false,
            },
        );
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn start(&mut self, io: &mut Io, request: u64, pending: Pending) {
        self.pending.insert(request, pending);
        io.timers.push((HEDGE, Timer::Hedge(request)));
        io.timers.push((DEADLINE, Timer::Deadline(request)));
    }

    /// Whom to ask for a key: its holders, and in a sloppy quorum the next on the ring in the place
    /// of those that seem to be down; and who is left.
    fn targets(
        &self,
        key: &[u8],
        holders: &[usize],
        now: Time,
    ) -> (Vec<(usize, Option<usize>)>, VecDeque<usize>) {
        if !self.config.sloppy {
            return (holders.iter().map(|&node| (node, None)).collect(), VecDeque::new());
        }
        let others = self.placement.stand_ins(key, holders);
        // Those that seem down come last: after a cut, who is in reach may not have been heard yet.
        let (up, down): (Vec<usize>, Vec<usize>) =
            others.into_iter().partition(|&node| self.believes_up(node, now));
        let mut spare: VecDeque<usize> = up.into_iter().chain(down).collect();
        let mut targets = Vec::with_capacity(holders.len());
        for &holder in holders {
            if self.believes_up(holder, now) {
                targets.push((holder, None));
            } else if let Some(node) = spare.pop_front() {
                targets.push((node, Some(holder)));
            } else {
                targets.push((holder, None));
            }
        }
        (targets, spare)
    }

    fn read(&mut self, io: &mut Io, call: CallId, key: Vec<u8>, holders: &[usize]) {
        self.counts.coordinated += 1;
        let request = self.number();
        let (asked, spare) = self.targets(&key, holders, io.now);
        for &(node, _) in asked.iter().filter(|(node, _)| *node != self.me) {
            io.out.push((node, Message::Get(request, key.clone())));
        }
        let own = asked.iter().any(|&(node, _)| node == self.me);
        let own = own.then(|| self.look(&key)).flatten();
        self.start(
            io,
            request,
            Pending {
                call,
                key,
                op: Op::Get,
                kind: Kind::Read,
                asked,
                spare,
                told: Vec::new(),
                row: Row::new(),
                stored: BTreeSet::new(),
                answered: false,
            },
        );
        if let Some(row) = own {
            self.told(io, request, self.me, row);
        }
    }

    /// The row that this node answers a read with; `None` when it must not answer yet.
    fn look(&mut self, key: &[u8]) -> Option<Row> {
        if self.is_rebuilding() {
            return None;
        }
        Some(self.engine.get(key).unwrap_or_default())
    }

    /// Writes here and asks the others. `asker` passed it on.
    fn write(
        &mut self,
        io: &mut Io,
        asker: Option<(usize, u64)>,
        call: CallId,
        key: Vec<u8>,
        op: Op,
        holders: &[usize],
    ) {
        self.counts.coordinated += 1;
        let owner = holders.contains(&self.me);
        let id = self.id(owner);
        let mut row = self.engine.get(&key).unwrap_or_default();
        let seen = |context: &VersionVector, row: &Row| {
            if self.config.rules.vector_clocks { context.clone() } else { row.context() }
        };
        let numbered = match &op {
            Op::Put { context, value } => row.put(id, &seen(context, &row), value.clone()),
            Op::Delete { context } => {
                row.delete(&seen(context, &row));
                Ok(())
            }
            Op::Get => Ok(()),
        };
        if let Some((node, request)) = asker {
            io.out.push((node, Message::Coordinated(request)));
        }
        if numbered.is_err() {
            io.answers.push((call, Answer::Refused));
            return;
        }
        self.engine.put(&key, &row);
        let request = self.number();
        let (mut asked, mut spare) = self.targets(&key, holders, io.now);
        spare.retain(|&node| node != self.me);
        if !owner {
            // We stand in for somebody: whom the ring says, or the first.
            let mine = asked.iter().find(|(node, _)| *node == self.me);
            let holder = mine.and_then(|(_, holder)| *holder).unwrap_or(holders[0]);
            if mine.is_none() {
                asked.push((self.me, Some(holder)));
            }
            self.keep_for(holder, &key, io.now);
        }
        for &(node, stands_for) in asked.iter().filter(|(node, _)| *node != self.me) {
            io.out.push((node, Message::Put(request, key.clone(), row.clone(), stands_for)));
        }
        self.start(
            io,
            request,
            Pending {
                call,
                key,
                op,
                kind: Kind::Write,
                asked,
                spare,
                told: Vec::new(),
                row,
                stored: BTreeSet::new(),
                answered: false,
            },
        );
        if owner || self.config.sloppy {
            self.stored(io, request, self.me);
        }
    }

    /// A message from another node.
    pub fn receive(&mut self, io: &mut Io, from: usize, message: Message) {
        match message {
            Message::Forward { request, call, key, op } => {
                let holders = self.placement.holders(&key);
                self.write(io, Some((from, request)), call, key, op, &holders);
            }
            Message::Coordinated(request) => {
                self.pending.remove(&request);
            }
            Message::Get(request, key) => {
                if let Some(row) = self.look(&key) {
                    let row = (row != Row::new()).then_some(row);
                    io.out.push((from, Message::Row(request, row)));
                }
            }
            Message::Row(request, row) => self.told(io, request, from, row.unwrap_or_default()),
            Message::Put(request, key, row, stands_for) => {
                self.merge(&key, &row);
                self.keep_if_foreign(&key, stands_for, io.now);
                io.out.push((from, Message::Stored(request)));
            }
            Message::Stored(request) => self.stored(io, request, from),
            other => self.upkeep(io, from, other),
        }
    }

    /// Merges a row into ours; whether it was news.
    pub(crate) fn merge(&mut self, key: &[u8], row: &Row) -> bool {
        let mut ours = self.engine.get(key).unwrap_or_default();
        let news = ours.merge(row);
        if news {
            self.engine.put(key, &ours);
        }
        news
    }

    /// `from` answered a read.
    fn told(&mut self, io: &mut Io, request: u64, from: usize, row: Row) {
        let (r, w) = (self.config.quorum.r() as usize, self.config.quorum.w() as usize);
        let Some(pending) = self.pending.get_mut(&request) else { return };
        if pending.told.iter().any(|(node, _)| *node == from) {
            return;
        }
        pending.told.push((from, row));
        if pending.kind == Kind::Read && !pending.answered {
            if pending.told.len() < r {
                return;
            }
            for (_, row) in &pending.told {
                pending.row.merge(row);
            }
        }
        if !self.config.rules.read_repair {
            if !pending.answered {
                pending.answered = true;
                io.answers.push((pending.call, read_answer(&pending.row)));
            }
            return;
        }
        // What we know now; what is answered stays what R answers were.
        let before = pending.kind == Kind::Read && !pending.answered;
        let mut lack = Vec::new();
        let late = &pending.told[pending.told.len() - 1];
        let news = !before && pending.row != late.1 && !pending.row.includes(&late.1);
        if news && pending.answered {
            let row = late.1.clone();
            pending.row.merge(&row);
        }
        for (node, row) in &pending.told {
            if row.includes(&pending.row) {
                pending.stored.insert(*node);
            } else if before || news || *node == from {
                lack.push(*node);
            }
        }
        let (key, row) = (pending.key.clone(), pending.row.clone());
        // A stand-in keeps what it is given for its holder.
        let lack: Vec<(usize, Option<usize>)> = lack
            .into_iter()
            .map(|node| {
                let asked = pending.asked.iter().find(|(asked, _)| *asked == node);
                (node, asked.and_then(|(_, holder)| *holder))
            })
            .collect();
        if before {
            if lack.is_empty() {
                pending.answered = true;
                io.answers.push((pending.call, read_answer(&pending.row)));
            } else {
                pending.kind = Kind::Repair;
            }
        }
        self.counts.repaired += lack.len() as u64;
        for (node, stands_for) in lack {
            if node == self.me {
                self.merge(&key, &row);
                if let Some(holder) = stands_for {
                    self.keep_for(holder, &key, io.now);
                }
                self.stored(io, request, node);
            } else {
                io.out.push((node, Message::Put(request, key.clone(), row.clone(), stands_for)));
            }
        }
        self.repaired(io, request, w);
    }

    /// `from` has stored what a write wrote or a read repaired.
    fn stored(&mut self, io: &mut Io, request: u64, from: usize) {
        let w = self.config.quorum.w() as usize;
        let Some(pending) = self.pending.get_mut(&request) else { return };
        pending.stored.insert(from);
        if pending.kind != Kind::Write {
            return self.repaired(io, request, w);
        }
        if !pending.answered && pending.stored.len() >= w {
            pending.answered = true;
            io.answers.push((pending.call, Answer::Written));
        }
        if pending.stored.len() >= pending.asked.len() {
            self.pending.remove(&request);
        }
    }

    /// A read answers once W nodes have what it answers.
    fn repaired(&mut self, io: &mut Io, request: u64, w: usize) {
        let Some(pending) = self.pending.get_mut(&request) else { return };
        if pending.kind == Kind::Repair && !pending.answered && pending.stored.len() >= w {
            pending.answered = true;
            io.answers.push((pending.call, read_answer(&pending.row)));
        }
        if pending.answered && pending.stored.len() >= pending.asked.len() {
            self.pending.remove(&request);
        }
    }

    /// The time has come.
    pub fn wake(&mut self, io: &mut Io, timer: Timer) {
        match timer {
            Timer::Hedge(request) => self.hedge(io, request),
            Timer::Deadline(request) => {
                if let Some(pending) = self.pending.remove(&request)
                    && !pending.answered
                {
                    self.counts.refused += 1;
                    io.answers.push((pending.call, Answer::Refused));
                }
            }
        }
    }

    /// Those that have not answered: a stand-in is asked in the place of each, or they again.
    fn hedge(&mut self, io: &mut Io, request: u64) {
        let Some(pending) = self.pending.get_mut(&request) else { return };
        if pending.answered {
            return;
        }
        io.timers.push((HEDGE, Timer::Hedge(request)));
        if pending.kind == Kind::Forward {
            // One more round trip than a question of our own.
            self.counts.hedged += 1;
            let (call, key, op) = (pending.call, pending.key.clone(), pending.op.clone());
            if let Some(node) = pending.spare.pop_front() {
                io.out.push((node, Message::Forward { request, call, key, op }));
            } else if self.config.sloppy {
                self.pending.remove(&request);
                let holders = self.placement.holders(&key);
                self.write(io, None, call, key, op, &holders);
            } else if let Some(&(node, _)) = pending.asked.first() {
                io.out.push((node, Message::Forward { request, call, key, op }));
            }
            return;
        }
        let silent: Vec<(usize, Option<usize>)> = pending
            .asked
            .iter()
            .copied()
            .filter(|(node, _)| {
                let told = pending.told.iter().any(|(from, _)| from == node);
                !(pending.stored.contains(node) || pending.kind == Kind::Read && told)
            })
            .collect();
        let (key, mut own) = (pending.key.clone(), false);
        for (node, stands_for) in silent {
            self.counts.hedged += 1;
            // The one that did not answer is the holder, or stands in for one.
            let holder = stands_for.unwrap_or(node);
            let (to, stands_for) = match pending.spare.pop_front() {
                Some(next) => {
                    pending.asked.push((next, Some(holder)));
                    (next, Some(holder))
                }
                None => (node, stands_for),
            };
            let message = match pending.kind {
                Kind::Read => Message::Get(request, pending.key.clone()),
                _ => Message::Put(request, pending.key.clone(), pending.row.clone(), stands_for),
            };
            if to == self.me {
                own = true;
                continue;
            }
            io.out.push((to, message));
        }
        // We stand in for a holder ourselves (a read: a write counts its coordinator from the start).
        if own && let Some(row) = self.look(&key) {
            self.told(io, request, self.me, row);
        }
    }
}

fn read_answer(row: &Row) -> Answer {
    Answer::Read { values: row.values().cloned().collect(), context: row.context() }
}
