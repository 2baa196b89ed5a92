//! What is said: by clients to nodes, and by nodes to each other.

use crate::engine::Row;
use archstone_crdt::clock::VersionVector;
use kit::check::CallId;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a client asks. The context is what its last read of the key gave it: what the write
/// replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The values of a key.
    Get,
    /// This value.
    Put {
        /// See [`Op`].
        context: VersionVector,
        /// The value.
        value: Vec<u8>,
    },
    /// No value.
    Delete {
        /// See [`Op`].
        context: VersionVector,
    },
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The values that nobody has replaced: none, one, or siblings for the client to merge; and
    /// what covers them.
    Read {
        /// The values.
        values: Vec<Vec<u8>>,
        /// The context of the write that replaces them.
        context: VersionVector,
    },
    /// W copies have it.
    Written,
    /// Fewer than R or W nodes answered in time. A write may still take effect.
    Refused,
}

/// What nodes say to each other. `request` numbers are the asker's.
#[derive(Clone, Debug)]
pub enum Message {
    /// Coordinate this, you hold the key.
    Forward {
        /// The asker's number.
        request: u64,
        /// The client's call.
        call: CallId,
        /// The key.
        key: Vec<u8>,
        /// What is to be done.
        op: Op,
    },
    /// Done: the client has its answer.
    Coordinated(u64),
    /// Your row of a key?
    Get(u64, Vec<u8>),
    /// This, or none.
    Row(u64, Option<Row>),
    /// Merge this into your row; with the holder for whom you stand in.
    Put(u64, Vec<u8>, Row, Option<usize>),
    /// It is on disk.
    Stored(u64),
    /// Heartbeats, and who is on the ring.
    Gossip(VersionVector, BTreeSet<usize>),
    /// A message of the Merkle comparison with this number; the first one of it or a later one.
    Sync(u64, bool, Vec<u8>),
    /// The end of a comparison: the rows that you lack.
    Rows(u64, Vec<(Vec<u8>, Row)>),
    /// A row that I kept for you, with its digest.
    Handoff(Vec<u8>, Row, u64),
    /// I have it now.
    Taken(Vec<u8>, u64),
}

impl Message {
    /// A few words for a diagram.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        let held = |row: &Row| match row.values().len() {
            0 => "nothing".to_owned(),
            1 => "1 value".to_owned(),
            n => format!("{n} siblings"),
        };
        Some(match self {
            Self::Forward { .. } => "coordinate".into(),
            Self::Get(..) => "get".into(),
            Self::Row(_, Some(row)) => held(row),
            Self::Row(_, None) => "no row".into(),
            Self::Put(_, _, row, None) => format!("put {}", held(row)),
            Self::Put(_, _, row, Some(node)) => format!("put {}, hint for n{node}", held(row)),
            Self::Stored(_) => "stored".into(),
            Self::Handoff(_, row, _) => format!("handoff {}", held(row)),
            Self::Taken(..) => "taken".into(),
            Self::Coordinated(_) | Self::Gossip(..) | Self::Sync(..) | Self::Rows(..) => {
                return None;
            }
        })
    }
}

/// What a node asks to be woken for.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    /// Ask others in the place of those that have not answered.
    Hedge(u64),
    /// Give up.
    Deadline(u64),
}

/// How long a coordinator waits before it asks somebody else.
pub const HEDGE: Duration = Duration::from_millis(30);
/// How long a coordinator tries.
pub const DEADLINE: Duration = Duration::from_millis(500);
