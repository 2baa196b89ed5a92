/// One place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<C> {
    /// The term of the leader that made it.
    pub term: u64,
    /// The command; `None` for the entry by which a new leader commits what it found.
    pub command: Option<C>,
}

/// What nodes say to each other. Terms and indices count from 1; 0 is "before all".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<C> {
    /// A candidate asks for a vote.
    AskVote {
        /// The candidate's term.
        term: u64,
        /// The index of its last entry.
        last_index: u64,
        /// The term of its last entry.
        last_term: u64,
    },
    /// The answer.
    Vote {
        /// The voter's term.
        term: u64,
        /// Whether the candidate has it.
        granted: bool,
    },
    /// A leader sends entries, or none to say that it lives.
    Append {
        /// The leader's term.
        term: u64,
        /// The index of the entry before `entries`.
        before_index: u64,
        /// The term of that entry.
        before_term: u64,
        /// The entries that follow.
        entries: Vec<Entry<C>>,
        /// All up to here is committed.
        commit: u64,
        /// Which round of messages: the answers to one make a read valid.
        round: u64,
    },
    /// The answer.
    Appended {
        /// The follower's term.
        term: u64,
        /// The log is the leader's up to here; or, refused, may be up to here.
        index: u64,
        /// Whether it took the entries.
        accepted: bool,
        /// The round that it answers.
        round: u64,
    },
}

impl<C> Message<C> {
    /// The sender's term.
    #[must_use]
    pub const fn term(&self) -> u64 {
        match self {
            Self::AskVote { term, .. }
            | Self::Vote { term, .. }
            | Self::Append { term, .. }
            | Self::Appended { term, .. } => *term,
        }
    }
}
