//! Three-phase commit (Skeen 1981): no waiting for a crashed coordinator, if the network never splits.
//!
//! Between the vote and the commit everybody is told that everybody has voted yes. So those left after
//! crashes can decide among themselves: when one of them has been told, nobody has aborted, and when
//! none has, nobody has committed. **It takes a failure detector that is never wrong.** In a network
//! that is cut in two, each side takes the other for crashed; the side that was told commits, the
//! other aborts. This crate has it to show that (`a_partition_splits_three_phase_commit` among the
//! tests); to decide in a real network take a log that a majority agrees on, or
//! [`two_phase`](super::two_phase) and patience.

use super::two_phase::{Decision, Vote};
use alloc::vec::Vec;

/// What a coordinator does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action<P> {
    /// Ask these whether they can commit.
    Ask(Vec<P>),
    /// Tell these that all have voted yes.
    PreCommit(Vec<P>),
    /// Tell these the decision.
    Send(Decision, Vec<P>),
    /// Nothing.
    Wait,
}

/// Asks all, tells all that it will commit, then commits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator<P> {
    /// With whether it has answered in this phase.
    participants: Vec<(P, bool)>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Voting,
    PreCommit,
    Decided(Decision),
}

impl<P: Clone + PartialEq> Coordinator<P> {
    /// A transaction of `participants`.
    pub fn begin(participants: impl Into<Vec<P>>) -> (Self, Action<P>) {
        let participants = participants.into().into_iter().map(|p| (p, false)).collect();
        let new = Self { participants, phase: Phase::Voting };
        let all = new.all();
        (new, Action::Ask(all))
    }

    /// A vote.
    pub fn vote(&mut self, from: &P, vote: Vote) -> Action<P> {
        match (self.phase, vote) {
            (Phase::Voting, Vote::No) => self.decide(Decision::Abort),
            (Phase::Voting, Vote::Yes) if self.all_answered(from) => {
                self.participants.iter_mut().for_each(|p| p.1 = false);
                self.phase = Phase::PreCommit;
                Action::PreCommit(self.all())
            }
            _ => Action::Wait,
        }
    }

    /// A participant knows that all have voted yes.
    pub fn ack(&mut self, from: &P) -> Action<P> {
        if self.phase == Phase::PreCommit && self.all_answered(from) {
            return self.decide(Decision::Commit);
        }
        Action::Wait
    }

    /// Nothing came for a while. Open votes abort; who does not acknowledge has crashed, and learns the
    /// commit when it is back.
    pub fn timeout(&mut self) -> Action<P> {
        match self.phase {
            Phase::Voting => self.decide(Decision::Abort),
            Phase::PreCommit => self.decide(Decision::Commit),
            Phase::Decided(decision) => Action::Send(decision, self.all()),
        }
    }

    /// The decision, once it is made.
    #[must_use]
    pub const fn decision(&self) -> Option<Decision> {
        match self.phase {
            Phase::Decided(decision) => Some(decision),
            Phase::Voting | Phase::PreCommit => None,
        }
    }

    fn decide(&mut self, decision: Decision) -> Action<P> {
        self.phase = Phase::Decided(decision);
        Action::Send(decision, self.all())
    }

    fn all_answered(&mut self, from: &P) -> bool {
        if let Some(participant) = self.participants.iter_mut().find(|p| p.0 == *from) {
            participant.1 = true;
        }
        self.participants.iter().all(|p| p.1)
    }

    fn all(&self) -> Vec<P> {
        self.participants.iter().map(|p| p.0.clone()).collect()
    }
}

/// How far a participant has come; what it tells the others when the coordinator is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Has not voted.
    #[default]
    Working,
    /// Has voted yes.
    Ready,
    /// Knows that all have voted yes.
    PreCommitted,
    /// Knows the decision.
    Decided(Decision),
}

/// What those who are left do, after the states of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Termination {
    /// One has been told that all voted yes, another not: tell them first, and look again. A commit
    /// at once would be lost if its maker crashed now.
    PreCommit,
    /// All of them decide this.
    Decide(Decision),
}

/// One of those who are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Participant {
    state: State,
}

impl Participant {
    /// One that has not voted.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Working }
    }

    /// How far it has come.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The coordinator asks; `can` is whether its part can be committed.
    pub const fn ask(&mut self, can: bool) -> Vote {
        match self.state {
            State::Working if can => self.state = State::Ready,
            State::Working => self.state = State::Decided(Decision::Abort),
            _ => {}
        }
        match self.state {
            State::Working | State::Decided(Decision::Abort) => Vote::No,
            State::Ready | State::PreCommitted | State::Decided(Decision::Commit) => Vote::Yes,
        }
    }

    /// All have voted yes. Whether to acknowledge.
    pub const fn pre_commit(&mut self) -> bool {
        if matches!(self.state, State::Ready) {
            self.state = State::PreCommitted;
        }
        matches!(self.state, State::PreCommitted | State::Decided(Decision::Commit))
    }

    /// The decision. Who knows another one keeps it.
    pub const fn decide(&mut self, decision: Decision) {
        if !matches!(self.state, State::Decided(_)) {
            self.state = State::Decided(decision);
        }
    }

    /// What those decide who are left when the coordinator is not heard of: their states, this one's
    /// included. Right only if whoever is not among them has crashed and stays away.
    pub fn terminate(states: impl IntoIterator<Item = State>) -> Termination {
        let (mut told, mut untold) = (false, false);
        for state in states {
            match state {
                State::Decided(decision) => return Termination::Decide(decision),
                State::PreCommitted => told = true,
                State::Ready | State::Working => untold = true,
            }
        }
        match (told, untold) {
            (true, true) => Termination::PreCommit,
            (true, false) => Termination::Decide(Decision::Commit),
            (false, _) => Termination::Decide(Decision::Abort),
        }
    }
}
