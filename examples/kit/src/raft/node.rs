use super::{Entry, Message};
use crate::generate::Stream;
use archstone_core::Time;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What must be on disk before a message leaves: all that a node remembers when it is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable<C> {
    /// The latest term that was heard of.
    pub term: u64,
    /// Who has the vote of that term.
    pub voted_for: Option<usize>,
    /// The log; index 1 is the first entry.
    pub log: Vec<Entry<C>>,
}

impl<C> Default for Durable<C> {
    fn default() -> Self {
        Self { term: 0, voted_for: None, log: Vec::new() }
    }
}

/// How long nodes wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader speaks.
    pub heartbeat: Duration,
    /// After so long without a leader a node stands for election, at the earliest; at the latest
    /// after twice that.
    pub election: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(50), election: Duration::from_millis(150) }
    }
}

/// The rules that make it safe, to be switched off one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// One vote a term; otherwise whoever asks gets it, and two lead.
    pub vote_once: bool,
    /// No vote for a candidate whose log is behind; otherwise committed entries are overwritten.
    pub vote_up_to_date: bool,
    /// A leader commits by counting only entries of its own term (section 5.4.2, figure 8);
    /// otherwise a committed entry may still be overwritten.
    pub commit_own_term: bool,
    /// A read waits for a majority to confirm that the leader still is one; otherwise one that was
    /// deposed answers from the past.
    pub confirm_reads: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { vote_once: true, vote_up_to_date: true, commit_own_term: true, confirm_reads: true }
    }
}

/// What a node is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It follows a leader, or waits for one.
    Follower,
    /// It asks for votes.
    Candidate,
    /// It leads.
    Leader,
}

/// Only a leader takes commands and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLeader {
    /// Who was heard to lead last.
    pub hint: Option<usize>,
}

impl fmt::Display for NotLeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hint {
            Some(node) => write!(f, "not the leader; node {node} may be"),
            None => f.write_str("not the leader; none is known"),
        }
    }
}

impl Error for NotLeader {}

/// One node. Messages in, messages out; time and randomness are the caller's.
///
/// After every call the caller takes [`messages`](Self::take_messages) and sends them,
/// [`commands`](Self::take_committed) and applies them, and [`reads`](Self::take_reads) and answers
/// them; at [`wakes_at`](Self::wakes_at) it calls [`tick`](Self::tick). A crash keeps
/// [`durable`](Self::durable) and nothing else.
///
/// ```
/// use kit::raft::{Raft, Rules, Timing};
/// use kit::{Seed, Time};
///
/// let stream = Seed::new(1).stream("raft");
/// let mut alone = Raft::<&str>::new(0, 1, Timing::default(), Rules::default(), stream, Time::ZERO);
/// let now = alone.wakes_at();
/// alone.tick(now); // nobody else: it elects itself
/// let index = alone.propose(now, "x = 1")?;
/// assert_eq!(alone.take_committed(), [(index, "x = 1")]);
/// # Ok::<(), kit::raft::NotLeader>(())
/// ```
#[derive(Clone, Debug)]
pub struct Raft<C> {
    me: usize,
    nodes: usize,
    timing: Timing,
    rules: Rules,
    stream: Stream,
    durable: Durable<C>,
    role: Role,
    leader: Option<usize>,
    commit: u64,
    /// Handed to the caller.
    taken: u64,
    votes: BTreeSet<usize>,
    /// Of each node: the next index to send, what it is known to have, the last round it answered.
    next: Vec<u64>,
    has: Vec<u64>,
    answered: Vec<u64>,
    round: u64,
    reads: Vec<Read>,
    next_read: u64,
    ready: Vec<(u64, u64)>,
    wake: Time,
    outbox: Vec<(usize, Message<C>)>,
}

/// A read that waits for the answers to a round.
#[derive(Clone, Copy, Debug)]
struct Read {
    id: u64,
    round: u64,
    index: u64,
}

impl<C: Clone> Raft<C> {
    /// Node `me` of `nodes`, with an empty log.
    #[must_use]
    pub fn new(
        me: usize,
        nodes: usize,
        timing: Timing,
        rules: Rules,
        stream: Stream,
        now: Time,
    ) -> Self {
        Self::restart(Durable::default(), me, nodes, timing, rules, stream, now)
    }

    /// A node that comes back with what was on its disk. Commands are committed, and handed on, from
    /// the first again: the caller's state machine is in memory as well.
    #[must_use]
    pub fn restart(
        durable: Durable<C>,
        me: usize,
        nodes: usize,
        timing: Timing,
        rules: Rules,
        stream: Stream,
        now: Time,
    ) -> Self {
        let mut node = Self {
            me,
            nodes,
            timing,
            rules,
            stream,
            durable,
            role: Role::Follower,
            leader: None,
            commit: 0,
            taken: 0,
            votes: BTreeSet::new(),
            next: vec![1; nodes],
            has: vec![0; nodes],
            answered: vec![0; nodes],
            round: 0,
            reads: Vec::new(),
            next_read: 0,
            ready: Vec::new(),
            wake: now,
            outbox: Vec::new(),
        };
        node.wait_for_leader(now);
        node
    }

    /// What must outlive a crash. Everything that [`take_messages`](Self::take_messages) returns
    /// depends on it.
    #[must_use]
    pub const fn durable(&self) -> &Durable<C> {
        &self.durable
    }

    /// What it is at the moment.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its term.
    #[must_use]
    pub const fn term(&self) -> u64 {
        self.durable.term
    }

    /// All up to here is committed, as far as it knows.
    #[must_use]
    pub const fn commit(&self) -> u64 {
        self.commit
    }

    /// When to call [`tick`](Self::tick) next.
    #[must_use]
    pub const fn wakes_at(&self) -> Time {
        self.wake
    }

    /// The messages to send, and to whom.
    pub fn take_messages(&mut self) -> Vec<(usize, Message<C>)> {
        std::mem::take(&mut self.outbox)
    }

    /// The commands that were committed since the last call, with their indices.
    pub fn take_committed(&mut self) -> Vec<(u64, C)> {
        let news = self.taken..self.commit;
        self.taken = self.commit;
        news.filter_map(|at| Some((at + 1, self.durable.log[at as usize].command.clone()?)))
            .collect()
    }

    /// The reads that may be answered, by the number that [`read`](Self::read) gave; each with the
    /// index that must have been applied first, and is by then committed.
    pub fn take_reads(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.ready)
    }

    /// Appends a command; its index. It is safe only when it comes out as committed at that index;
    /// another command may come out there, if this node is deposed.
    ///
    /// # Errors
    /// [`NotLeader`].
    pub fn propose(&mut self, now: Time, command: C) -> Result<u64, NotLeader> {
        if self.role != Role::Leader {
            return Err(NotLeader { hint: self.leader });
        }
        let entry = Entry { term: self.durable.term, command: Some(command) };
        self.durable.log.push(entry);
        self.speak(now);
        Ok(self.last_index())
    }

    /// Asks for a read that sees all that was committed by now; its number, which comes out of
    /// [`take_reads`](Self::take_reads), or never, when this node is deposed.
    ///
    /// # Errors
    /// [`NotLeader`].
    pub fn read(&mut self, now: Time) -> Result<u64, NotLeader> {
        if self.role != Role::Leader {
            return Err(NotLeader { hint: self.leader });
        }
        let id = self.next_read;
        self.next_read += 1;
        if !self.rules.confirm_reads {
            self.ready.push((id, self.commit));
            return Ok(id);
        }
        // Until an entry of its own term is committed, a leader does not know what is.
        let index = self.commit.max(self.first_of_term());
        self.speak(now);
        self.reads.push(Read { id, round: self.round, index });
        self.settle();
        Ok(id)
    }

    /// Does what is due: a leader speaks, another node stands for election.
    pub fn tick(&mut self, now: Time) {
        if now < self.wake {
            return;
        }
        if self.role == Role::Leader {
            self.speak(now);
        } else {
            self.stand(now);
        }
    }

    /// Takes a message.
    pub fn receive(&mut self, now: Time, from: usize, message: Message<C>) {
        if from >= self.nodes || from == self.me {
            return;
        }
        if message.term() > self.durable.term {
            self.follow(message.term());
            self.wait_for_leader(now);
        }
        match message {
            Message::AskVote { term, last_index, last_term } => {
                self.asked(now, from, term, (last_term, last_index));
            }
            Message::Vote { term, granted } => {
                if granted && term == self.durable.term && self.role == Role::Candidate {
                    self.votes.insert(from);
                    self.count_votes(now);
                }
            }
            Message::Append { term, before_index, before_term, entries, commit, round } => {
                let before = (before_index, before_term);
                self.append(now, from, term, before, entries, commit, round);
            }
            Message::Appended { term, index, accepted, round } => {
                if term == self.durable.term && self.role == Role::Leader {
                    self.answered(from, index, accepted, round);
                }
            }
        }
    }

    fn last_index(&self) -> u64 {
        self.durable.log.len() as u64
    }

    /// The term of an entry; 0 before the first.
    fn term_at(&self, index: u64) -> u64 {
        let at = index.checked_sub(1).and_then(|at| self.durable.log.get(at as usize));
        at.map_or(0, |entry| entry.term)
    }

    fn first_of_term(&self) -> u64 {
        let before = self.durable.log.partition_point(|entry| entry.term < self.durable.term);
        before as u64 + 1
    }

    fn majority(&self) -> usize {
        self.nodes / 2 + 1
    }

    fn send(&mut self, to: usize, message: Message<C>) {
        self.outbox.push((to, message));
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<C> {
        let me = self.me;
        (0..self.nodes).filter(move |&node| node != me)
    }

    /// Somewhere between once and twice the election time: so that two rarely stand at once.
    fn wait_for_leader(&mut self, now: Time) {
        self.wake =
            now + self.timing.election + self.stream.between(Duration::ZERO, self.timing.election);
    }

    /// A later term: whatever it was, it is a follower now, and has its vote again.
    fn follow(&mut self, term: u64) {
        self.durable.term = term;
        self.durable.voted_for = None;
        self.role = Role::Follower;
        self.leader = None;
        self.reads.clear();
    }

    fn stand(&mut self, now: Time) {
        self.follow(self.durable.term + 1);
        self.role = Role::Candidate;
        self.durable.voted_for = Some(self.me);
        self.votes = BTreeSet::from([self.me]);
        self.wait_for_leader(now);
        let (term, last_index) = (self.durable.term, self.last_index());
        let last_term = self.term_at(last_index);
        for to in self.others() {
            self.send(to, Message::AskVote { term, last_index, last_term });
        }
        self.count_votes(now);
    }

    fn asked(&mut self, now: Time, from: usize, term: u64, theirs: (u64, u64)) {
        let free = self.durable.voted_for.is_none_or(|node| node == from) || !self.rules.vote_once;
        let ours = (self.term_at(self.last_index()), self.last_index());
        let complete = theirs >= ours || !self.rules.vote_up_to_date;
        let granted = term == self.durable.term && free && complete;
        if granted {
            self.durable.voted_for = Some(from);
            self.wait_for_leader(now);
        }
        self.send(from, Message::Vote { term: self.durable.term, granted });
    }

    fn count_votes(&mut self, now: Time) {
        if self.votes.len() < self.majority() {
            return;
        }
        self.role = Role::Leader;
        self.leader = Some(self.me);
        self.next = vec![self.last_index() + 1; self.nodes];
        self.has = vec![0; self.nodes];
        self.answered = vec![0; self.nodes];
        self.round = 0;
        // What earlier leaders left is committed with this.
        self.durable.log.push(Entry { term: self.durable.term, command: None });
        self.speak(now);
    }

    /// One round: to each what it lacks.
    fn speak(&mut self, now: Time) {
        self.round += 1;
        self.wake = now + self.timing.heartbeat;
        self.has[self.me] = self.last_index();
        self.answered[self.me] = self.round;
        for to in self.others() {
            self.send_entries(to);
        }
        self.settle();
    }

    fn send_entries(&mut self, to: usize) {
        let before_index = self.next[to] - 1;
        let message = Message::Append {
            term: self.durable.term,
            before_index,
            before_term: self.term_at(before_index),
            entries: self.durable.log[before_index as usize..].to_vec(),
            commit: self.commit,
            round: self.round,
        };
        self.send(to, message);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    fn append(
        &mut self,
        now: Time,
        from: usize,
        term: u64,
        (before_index, before_term): (u64, u64),
        entries: Vec<Entry<C>>,
        commit: u64,
        round: u64,
    ) {
        let answer = |node: &mut Self, index, accepted| {
            let term = node.durable.term;
            node.send(from, Message::Appended { term, index, accepted, round });
        };
        if term < self.durable.term {
            return answer(self, 0, false);
        }
        // Two leaders of one term: only without `vote_once`.
        self.role = Role::Follower;
        self.leader = Some(from);
        self.wait_for_leader(now);
        if before_index > self.last_index() || self.term_at(before_index) != before_term {
            // Where the logs may still agree: not after our end, and not in the term that differs.
            let agrees = |index: &u64| self.term_at(*index) < before_term.max(1);
            let hint = (0..before_index.min(self.last_index() + 1)).rev().find(agrees).unwrap_or(0);
            return answer(self, hint, false);
        }
        for (index, entry) in (before_index + 1..).zip(&entries) {
            if self.term_at(index) != entry.term {
                // An old message must not cut what a newer one brought: only a conflict does.
                self.durable.log.truncate(index as usize - 1);
                self.durable.log.push(entry.clone());
            }
        }
        let same_up_to = before_index + entries.len() as u64;
        self.commit = self.commit.max(commit.min(same_up_to));
        answer(self, same_up_to, true);
    }

    fn answered(&mut self, from: usize, index: u64, accepted: bool, round: u64) {
        let index = index.min(self.last_index());
        self.answered[from] = self.answered[from].max(round);
        if accepted {
            self.has[from] = self.has[from].max(index);
            self.next[from] = self.next[from].max(index + 1);
        } else {
            self.next[from] = (index + 1).max(self.has[from] + 1);
            self.send_entries(from);
        }
        self.settle();
    }

    /// Commits what a majority has, and lets reads go that a majority has confirmed.
    fn settle(&mut self) {
        let quorum = |mut values: Vec<u64>, majority: usize| {
            values.sort_unstable_by(|a, b| b.cmp(a));
            values[majority - 1]
        };
        let everywhere = quorum(self.has.clone(), self.majority());
        let own = self.term_at(everywhere) == self.durable.term || !self.rules.commit_own_term;
        if everywhere > self.commit && own {
            self.commit = everywhere;
        }
        let confirmed = quorum(self.answered.clone(), self.majority());
        let commit = self.commit;
        let ready = &mut self.ready;
        self.reads.retain(|read| {
            let waits = read.round > confirmed || read.index > commit;
            if !waits {
                ready.push((read.id, read.index));
            }
            waits
        });
    }
}
