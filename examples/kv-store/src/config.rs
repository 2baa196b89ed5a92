//! What all nodes of a cluster agree on, and what each counts.

use archstone_crdt::quorum::Quorum;

/// What can be switched off: one line each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a safeguard of its own")]
pub struct Rules {
    /// A stand-in keeps for whom it stands in.
    pub hints: bool,
    /// A read stores what it found where it was missing.
    pub read_repair: bool,
    /// Nodes compare what they hold.
    pub anti_entropy: bool,
    /// A write replaces what its writer had read; otherwise whatever is there.
    pub vector_clocks: bool,
    /// A node that lost its disk answers no read until the others have filled it.
    pub rebuild_first: bool,
    /// A node that lost its disk writes under a new id.
    pub new_id: bool,
    /// The filter is built from the table after a restart.
    pub filter_rebuilt: bool,
    /// Copies are in zones of their own.
    pub zones_apart: bool,
}

impl Rules {
    /// All on.
    pub const ALL: Self = Self {
        hints: true,
        read_repair: true,
        anti_entropy: true,
        vector_clocks: true,
        rebuild_first: true,
        new_id: true,
        filter_rebuilt: true,
        zones_apart: true,
    };
}

/// What all nodes of a cluster agree on.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Nodes on the ring at the start, from 0.
    pub nodes: usize,
    /// Nodes that are off the ring until they join.
    pub spare: usize,
    /// Zones; node n is in zone n modulo this.
    pub zones: usize,
    /// N, R and W.
    pub quorum: Quorum,
    /// Whether others stand in for holders that do not answer.
    pub sloppy: bool,
    /// Points of a node on the ring.
    pub points: u32,
    /// Whether a Bloom filter stands in front of the table.
    pub filtered: bool,
    /// Ticks of 100 ms between two comparisons of a node with a peer.
    pub compare: u64,
    /// See [`Rules`].
    pub rules: Rules,
}

impl Config {
    /// Nine nodes in three zones, N = 3, R = W = 2, sloppy.
    #[must_use]
    pub fn usual() -> Self {
        let quorum = Quorum::new(3, 2, 2).expect("a quorum");
        let (nodes, spare, zones) = (9, 0, 3);
        let (sloppy, points, filtered, compare) = (true, 32, true, 10);
        let rules = Rules::ALL;
        Self { nodes, spare, zones, quorum, sloppy, points, filtered, compare, rules }
    }

    /// The same with strict quorums of these numbers.
    #[must_use]
    pub const fn strict(self, quorum: Quorum) -> Self {
        Self { quorum, sloppy: false, ..self }
    }
}

/// What a node did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls it coordinated.
    pub coordinated: u64,
    /// Writes it passed on to a holder.
    pub forwarded: u64,
    /// Rows it took for another node.
    pub hinted: u64,
    /// Rows it handed over.
    pub handed: u64,
    /// Rows that reads repaired.
    pub repaired: u64,
    /// Questions put to somebody else, because the first did not answer.
    pub hedged: u64,
    /// Comparisons it finished.
    pub compared: u64,
    /// Bytes of these comparisons.
    pub sync_bytes: u64,
    /// Rows that it sent because a comparison found them missing.
    pub synced: u64,
    /// Calls that it could not do.
    pub refused: u64,
}

/// The zone of a node.
#[must_use]
pub const fn zone(node: usize, zones: usize) -> u16 {
    (node % zones) as u16
}
