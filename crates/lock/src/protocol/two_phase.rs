//! Two-phase commit with presumed abort (Mohan, Lindsay and Obermarck 1986): coordinator, participant,
//! their logs, and what each does after a crash.
//!
//! One rule makes it safe: whoever says something that binds it has made it durable before. The
//! machines enforce it: they answer `Log`, and go on when they are told that it is logged. What no
//! such protocol can give is progress: a participant that has voted yes and hears nothing is in doubt,
//! and holds its locks until somebody who knows answers.

use alloc::vec::Vec;
use core::fmt;

/// What becomes of the transaction, for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Decision {
    /// It happens everywhere.
    Commit,
    /// It happens nowhere.
    Abort,
}

/// A participant's answer to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vote {
    /// It can commit, whatever comes, and has made that durable.
    Yes,
    /// It cannot.
    No,
}

/// What a coordinator does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action<P> {
    /// Ask these to prepare.
    Prepare(Vec<P>),
    /// Nothing.
    Wait,
    /// Make the decision durable, then call [`Coordinator::logged`]. An abort need not be forced to
    /// disk: without a record it is presumed.
    Log(Decision),
    /// Tell these.
    Send(Decision, Vec<P>),
    /// All know; the log may forget the transaction.
    Forget,
}

/// Asks all, decides, and tells all until they know.
///
/// Messages may come twice, late, and from strangers: none of these changes a decision.
///
/// ```
/// use archstone_lock::protocol::two_phase::{Action, Coordinator, Decision::Commit, Vote};
///
/// let (mut bank, first) = Coordinator::begin(["a", "b"]);
/// assert_eq!(first, Action::Prepare(vec!["a", "b"]));
/// assert_eq!(bank.vote(&"a", Vote::Yes), Action::Wait);
/// assert_eq!(bank.vote(&"b", Vote::Yes), Action::Log(Commit));
/// // It is on disk: from here on the transaction is committed, whatever crashes.
/// assert_eq!(bank.logged(), Action::Send(Commit, vec!["a", "b"]));
/// assert_eq!(bank.ack(&"b"), Action::Wait);
/// assert_eq!(bank.timeout(), Action::Send(Commit, vec!["a"])); // again, to who has not answered
/// assert_eq!(bank.ack(&"a"), Action::Forget);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator<P> {
    /// With whether it has voted yes and whether it knows the decision.
    participants: Vec<(P, bool, bool)>,
    state: Coordination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Coordination {
    Asking,
    /// Not durable yet: nobody may learn of it.
    Logging(Decision),
    Decided(Decision),
}

impl<P: Clone + PartialEq> Coordinator<P> {
    /// A transaction of `participants`; nothing needs to be durable yet. Without any it commits.
    pub fn begin(participants: impl Into<Vec<P>>) -> (Self, Action<P>) {
        let state = Coordination::Asking;
        let mut new = Self { participants: with_flags(participants.into()), state };
        let all = new.all();
        let action =
            if all.is_empty() { new.decide(Decision::Commit) } else { Action::Prepare(all) };
        (new, action)
    }

    /// The transaction after a crash, with the decision that the log has. Without one it had not
    /// committed, and nobody may have been told that it did: abort is presumed.
    pub fn recover(participants: impl Into<Vec<P>>, logged: Option<Decision>) -> (Self, Action<P>) {
        let decision = logged.unwrap_or(Decision::Abort);
        let state = Coordination::Decided(decision);
        let new = Self { participants: with_flags(participants.into()), state };
        let action = Action::Send(decision, new.all());
        (new, action)
    }

    /// A participant's vote. One that comes after the decision is answered with it.
    pub fn vote(&mut self, from: &P, vote: Vote) -> Action<P> {
        let Some(at) = self.participants.iter().position(|p| p.0 == *from) else {
            return Action::Wait;
        };
        match (self.state, vote) {
            (Coordination::Decided(decision), _) => {
                Action::Send(decision, Vec::from([from.clone()]))
            }
            (Coordination::Logging(_), _) => Action::Wait,
            (Coordination::Asking, Vote::No) => self.decide(Decision::Abort),
            (Coordination::Asking, Vote::Yes) => {
                self.participants[at].1 = true;
                if self.participants.iter().all(|p| p.1) {
                    self.decide(Decision::Commit)
                } else {
                    Action::Wait
                }
            }
        }
    }

    /// The decision is durable.
    pub fn logged(&mut self) -> Action<P> {
        match self.state {
            Coordination::Logging(decision) => {
                self.state = Coordination::Decided(decision);
                if self.all_know() { Action::Forget } else { Action::Send(decision, self.all()) }
            }
            Coordination::Asking | Coordination::Decided(_) => Action::Wait,
        }
    }

    /// A participant knows the decision.
    pub fn ack(&mut self, from: &P) -> Action<P> {
        if !matches!(self.state, Coordination::Decided(_)) {
            return Action::Wait;
        }
        if let Some(participant) = self.participants.iter_mut().find(|p| p.0 == *from) {
            participant.2 = true;
        }
        if self.all_know() { Action::Forget } else { Action::Wait }
    }

    /// Nothing came for a while: an open vote becomes an abort, a decision is told again.
    pub fn timeout(&mut self) -> Action<P> {
        match self.state {
            Coordination::Asking => self.decide(Decision::Abort),
            Coordination::Logging(_) => Action::Wait,
            Coordination::Decided(_) if self.all_know() => Action::Forget,
            Coordination::Decided(decision) => {
                let open = self.participants.iter().filter(|p| !p.2).map(|p| p.0.clone());
                Action::Send(decision, open.collect())
            }
        }
    }

    /// What a participant in doubt may be told. When the coordinator knows nothing of a transaction
    /// any more, the answer is abort.
    #[must_use]
    pub const fn decision(&self) -> Option<Decision> {
        match self.state {
            Coordination::Decided(decision) => Some(decision),
            Coordination::Asking | Coordination::Logging(_) => None,
        }
    }

    const fn decide(&mut self, decision: Decision) -> Action<P> {
        self.state = Coordination::Logging(decision);
        Action::Log(decision)
    }

    fn all(&self) -> Vec<P> {
        self.participants.iter().map(|p| p.0.clone()).collect()
    }

    fn all_know(&self) -> bool {
        self.participants.iter().all(|p| p.2)
    }
}

fn with_flags<P>(participants: Vec<P>) -> Vec<(P, bool, bool)> {
    participants.into_iter().map(|p| (p, false, false)).collect()
}

/// What a participant writes into its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Entry {
    /// It can commit and undo, with all that it needs for either. Must be forced before the vote.
    Prepared,
    /// The transaction has ended so. A commit must be forced before the acknowledgement.
    Decided(Decision),
}

/// What a participant does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reaction {
    /// Make it durable, then call [`Participant::logged`].
    Log(Entry),
    /// Answer the question.
    Vote(Vote),
    /// Tell the coordinator that the decision is known here.
    Ack(Decision),
    /// It is in doubt: ask the coordinator, and the other participants.
    Ask,
    /// Nothing. Also for what nobody who keeps to the protocol says.
    Wait,
}

/// One of those who are asked.
///
/// ```
/// use archstone_lock::protocol::two_phase::{Decision, Entry, Participant, Reaction, Vote};
///
/// let mut shop = Participant::new();
/// assert_eq!(shop.prepare(true), Reaction::Log(Entry::Prepared));
/// assert_eq!(shop.logged(), Reaction::Vote(Vote::Yes));
/// assert_eq!(shop.timeout(), Reaction::Ask); // in doubt: it may neither commit nor abort
/// assert_eq!(shop.decide(Decision::Commit), Reaction::Log(Entry::Decided(Decision::Commit)));
/// assert_eq!(shop.logged(), Reaction::Ack(Decision::Commit));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Participant {
    state: Participation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Participation {
    /// Has not voted: may abort on its own.
    #[default]
    Working,
    /// Means to vote yes.
    Preparing,
    /// Has voted yes: in doubt.
    Prepared,
    /// Knows; not durable yet.
    Ending(Decision),
    Ended(Decision),
}

impl Participant {
    /// One that works on its part of the transaction.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: Participation::Working }
    }

    /// One after a crash, by the last entry of its log. Without one it has not voted yes, and aborts.
    #[must_use]
    pub const fn recover(last: Option<Entry>) -> Self {
        let state = match last {
            None => Participation::Ended(Decision::Abort),
            Some(Entry::Prepared) => Participation::Prepared,
            Some(Entry::Decided(decision)) => Participation::Ended(decision),
        };
        Self { state }
    }

    /// The coordinator asks; `can` is whether its part can be committed.
    pub const fn prepare(&mut self, can: bool) -> Reaction {
        match self.state {
            Participation::Working if can => {
                self.state = Participation::Preparing;
                Reaction::Log(Entry::Prepared)
            }
            Participation::Working => {
                self.state = Participation::Ended(Decision::Abort);
                Reaction::Vote(Vote::No)
            }
            Participation::Preparing | Participation::Ending(_) => Reaction::Wait,
            Participation::Prepared => Reaction::Vote(Vote::Yes),
            Participation::Ended(Decision::Abort) => Reaction::Vote(Vote::No),
            Participation::Ended(Decision::Commit) => Reaction::Ack(Decision::Commit),
        }
    }

    /// What was to be logged is durable.
    pub const fn logged(&mut self) -> Reaction {
        match self.state {
            Participation::Preparing => {
                self.state = Participation::Prepared;
                Reaction::Vote(Vote::Yes)
            }
            Participation::Ending(decision) => {
                self.state = Participation::Ended(decision);
                Reaction::Ack(decision)
            }
            Participation::Working | Participation::Prepared | Participation::Ended(_) => {
                Reaction::Wait
            }
        }
    }

    /// The decision, from the coordinator or from another participant who knows it.
    pub const fn decide(&mut self, decision: Decision) -> Reaction {
        match (self.state, decision) {
            (Participation::Prepared, _)
            | (Participation::Working | Participation::Preparing, Decision::Abort) => {
                self.state = Participation::Ending(decision);
                Reaction::Log(Entry::Decided(decision))
            }
            // Nobody commits without this one's vote.
            (Participation::Working | Participation::Preparing, Decision::Commit) => Reaction::Wait,
            (Participation::Ending(_), _) => Reaction::Wait,
            (Participation::Ended(known), _) => Reaction::Ack(known),
        }
    }

    /// Nothing came for a while. Who has not voted aborts; who has must ask.
    pub const fn timeout(&mut self) -> Reaction {
        match self.state {
            Participation::Working => self.decide(Decision::Abort),
            Participation::Prepared => Reaction::Ask,
            Participation::Preparing | Participation::Ending(_) | Participation::Ended(_) => {
                Reaction::Wait
            }
        }
    }

    /// What it can tell another participant that is in doubt (cooperative termination). Who has not
    /// voted can tell that it will vote no, and does.
    pub const fn asked(&mut self) -> Option<Decision> {
        match self.state {
            Participation::Working => {
                self.state = Participation::Ended(Decision::Abort);
                Some(Decision::Abort)
            }
            Participation::Ended(decision) => Some(decision),
            Participation::Preparing | Participation::Prepared | Participation::Ending(_) => None,
        }
    }

    /// The decision, if it is known here and durable.
    #[must_use]
    pub const fn decision(&self) -> Option<Decision> {
        match self.state {
            Participation::Ended(decision) => Some(decision),
            _ => None,
        }
    }

    /// Whether it has voted yes and does not know what came of it: it must keep its locks.
    #[must_use]
    pub const fn in_doubt(&self) -> bool {
        matches!(self.state, Participation::Prepared)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Abort => "abort",
        })
    }
}
