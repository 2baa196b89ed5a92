//! Redis Cluster's slots: which slot a key has, who serves it, and what a client must do meanwhile.
//!
//! The map is what `CLUSTER SLOTS` describes: 16,384 slots, each with an owner, and some on their
//! way to another node. It holds no connection and parses no reply beyond the two redirections.

use crate::placement::NodeIx;
use alloc::vec::Vec;
use core::fmt;

/// Slots of a Redis Cluster.
pub const SLOTS: u16 = 16_384;

/// CRC16/XMODEM of every byte.
static CRC16: [u16; 256] = {
    let mut table = [0_u16; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The part of `key` that is hashed: what stands between the first `{` and the first `}` after it,
/// when that is not empty; else the whole key.
///
/// ```
/// use archstone_hashring::slots::hash_tag;
///
/// assert_eq!(hash_tag(b"{user1000}.following"), b"user1000");
/// assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
/// assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
/// ```
#[must_use]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    tagged(key, b'{', b'}')
}

/// What stands between the first `open` and the first `close` after it, when that is not empty;
/// else all of `key`. twemproxy lets one choose the two.
pub(crate) fn tagged(key: &[u8], open: u8, close: u8) -> &[u8] {
    let Some(start) = key.iter().position(|&byte| byte == open) else { return key };
    let rest = &key[start + 1..];
    match rest.iter().position(|&byte| byte == close) {
        Some(0) | None => key,
        Some(end) => &rest[..end],
    }
}

/// The slot of a key, 0 to 16,383, as `CLUSTER KEYSLOT` answers.
///
/// ```
/// use archstone_hashring::slots::redis_slot;
///
/// assert_eq!(redis_slot(b"foo"), 12_182);
/// assert_eq!(redis_slot(b"{user1000}.following"), redis_slot(b"{user1000}.followers"));
/// ```
#[must_use]
pub fn redis_slot(key: &[u8]) -> u16 {
    let crc = hash_tag(key)
        .iter()
        .fold(0_u16, |crc, &byte| crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)]);
    crc & (SLOTS - 1)
}

/// Where a request for a slot goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To its owner.
    Own(NodeIx),
    /// To its owner; when that one has the key no more (`ASK`), to the other, after `ASKING`.
    Ask {
        /// Who owns the slot, and is asked first.
        from: NodeIx,
        /// Who takes it over.
        to: NodeIx,
    },
    /// Nobody serves it: the cluster is down for this slot.
    Unassigned,
}

/// Why a slot could not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotError {
    /// A slot past the last.
    Range {
        /// The slot.
        slot: u16,
    },
    /// It migrates from a node that does not own it, or to its owner.
    Migration {
        /// The slot.
        slot: u16,
    },
    /// It is no redirection that Redis sends.
    Redirection,
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { slot } => write!(f, "slot {slot}, the last is {}", SLOTS - 1),
            Self::Migration { slot } => write!(f, "slot {slot} does not migrate so"),
            Self::Redirection => f.write_str("no redirection: MOVED|ASK SLOT HOST:PORT"),
        }
    }
}

impl core::error::Error for SlotError {}

const NOBODY: NodeIx = NodeIx(u32::MAX);

/// Who serves each slot. 64 KiB, and 8 bytes for each slot under way.
///
/// ```
/// use archstone_hashring::NodeIx;
/// use archstone_hashring::slots::{Route, SlotMap, redis_slot};
///
/// let mut map = SlotMap::new();
/// map.assign(0, 8_191, NodeIx(0))?;
/// map.assign(8_192, 16_383, NodeIx(1))?;
/// let slot = redis_slot(b"foo"); // 12,182
/// map.migrate(slot, NodeIx(1), NodeIx(0))?;
/// assert_eq!(map.route(b"foo"), Route::Ask { from: NodeIx(1), to: NodeIx(0) });
/// map.finish(slot)?;
/// assert_eq!(map.route(b"foo"), Route::Own(NodeIx(0)));
/// # Ok::<(), archstone_hashring::slots::SlotError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMap {
    owners: Vec<NodeIx>,
    /// (slot, who takes it over), ascending.
    moving: Vec<(u16, NodeIx)>,
}

impl SlotMap {
    /// Nobody serves anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self { owners: alloc::vec![NOBODY; SLOTS.into()], moving: Vec::new() }
    }

    /// A node serves `first..=last` from now on; their migrations end.
    ///
    /// # Errors
    /// [`SlotError::Range`] when a slot is past the last, or `first` after `last`.
    pub fn assign(&mut self, first: u16, last: u16, node: NodeIx) -> Result<(), SlotError> {
        let slot = first.max(last);
        if slot >= SLOTS || first > last {
            return Err(SlotError::Range { slot });
        }
        self.owners[first.into()..=last.into()].fill(node);
        self.moving.retain(|&(slot, _)| slot < first || slot > last);
        Ok(())
    }

    /// Nobody serves a slot any more.
    ///
    /// # Errors
    /// [`SlotError::Range`] past the last slot.
    pub fn unassign(&mut self, slot: u16) -> Result<(), SlotError> {
        self.assign(slot, slot, NOBODY)
    }

    /// A slot begins to move: its keys go over one by one.
    ///
    /// # Errors
    /// [`SlotError::Range`] past the last slot; [`SlotError::Migration`] when `from` is not its
    /// owner, or is `to`.
    pub fn migrate(&mut self, slot: u16, from: NodeIx, to: NodeIx) -> Result<(), SlotError> {
        let owner = self.owners.get(usize::from(slot)).ok_or(SlotError::Range { slot })?;
        if *owner != from || from == to || from == NOBODY || to == NOBODY {
            return Err(SlotError::Migration { slot });
        }
        match self.moving.binary_search_by_key(&slot, |&(slot, _)| slot) {
            Ok(at) => self.moving[at].1 = to,
            Err(at) => self.moving.insert(at, (slot, to)),
        }
        Ok(())
    }

    /// A slot has moved: who took it over owns it.
    ///
    /// # Errors
    /// [`SlotError::Migration`] when it does not migrate.
    pub fn finish(&mut self, slot: u16) -> Result<(), SlotError> {
        let to = self.stop(slot)?;
        self.owners[usize::from(slot)] = to;
        Ok(())
    }

    /// A migration is called off: the owner keeps the slot. Returns who would have taken it.
    ///
    /// # Errors
    /// [`SlotError::Migration`] when it does not migrate.
    pub fn stop(&mut self, slot: u16) -> Result<NodeIx, SlotError> {
        let at = self.moving.binary_search_by_key(&slot, |&(slot, _)| slot);
        let at = at.map_err(|_| SlotError::Migration { slot })?;
        Ok(self.moving.remove(at).1)
    }

    /// Where a request for `key` goes.
    #[must_use]
    pub fn route(&self, key: &[u8]) -> Route {
        self.route_slot(redis_slot(key))
    }

    /// Where a request for a slot goes; [`Route::Unassigned`] past the last.
    #[must_use]
    pub fn route_slot(&self, slot: u16) -> Route {
        let from = self.owners.get(usize::from(slot)).copied().unwrap_or(NOBODY);
        if from == NOBODY {
            return Route::Unassigned;
        }
        match self.moving.binary_search_by_key(&slot, |&(slot, _)| slot) {
            Ok(at) => Route::Ask { from, to: self.moving[at].1 },
            Err(_) => Route::Own(from),
        }
    }

    /// The one owner of all `keys`, as a multi-key command needs it: the same slot, not on its way.
    /// `None` otherwise (Redis answers `CROSSSLOT` or `TRYAGAIN`), and for no keys.
    #[must_use]
    pub fn route_all<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) -> Option<NodeIx> {
        let mut slots = keys.into_iter().map(redis_slot);
        let slot = slots.next()?;
        match self.route_slot(slot) {
            Route::Own(node) if slots.all(|other| other == slot) => Some(node),
            _ => None,
        }
    }

    /// The ranges as `CLUSTER SLOTS` lists them: first and last slot, and the owner.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, u16, NodeIx)> + '_ {
        let mut first = 0_u16;
        core::iter::from_fn(move || {
            while let Some(&node) = self.owners.get(usize::from(first)) {
                let run = self.owners[usize::from(first)..].iter().take_while(|&&n| n == node);
                let (start, len) = (first, run.count() as u16);
                first += len;
                if node != NOBODY {
                    return Some((start, first - 1, node));
                }
            }
            None
        })
    }

    /// True when every slot has an owner, without which Redis refuses every key by default.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        !self.owners.contains(&NOBODY)
    }
}

impl Default for SlotMap {
    fn default() -> Self {
        Self::new()
    }
}

/// A redirection that a node answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirection<'a> {
    /// The slot is served elsewhere: change the map, and ask there.
    Moved {
        /// The slot.
        slot: u16,
        /// Who serves it; empty host: the node that answered.
        address: &'a str,
    },
    /// This key has moved ahead of its slot: send `ASKING` and the request there, once.
    Ask {
        /// The slot.
        slot: u16,
        /// Who takes it over.
        address: &'a str,
    },
}

/// Reads `MOVED 3999 127.0.0.1:6381` or `ASK 3999 127.0.0.1:6381`, without the leading `-`.
///
/// # Errors
/// [`SlotError::Redirection`] for any other text, [`SlotError::Range`] for a slot past the last.
///
/// ```
/// use archstone_hashring::slots::{Redirection, redirection};
///
/// let moved = redirection("MOVED 3999 127.0.0.1:6381")?;
/// assert_eq!(moved, Redirection::Moved { slot: 3_999, address: "127.0.0.1:6381" });
/// assert!(redirection("MOVED 16384 a:1").is_err());
/// # Ok::<(), archstone_hashring::slots::SlotError>(())
/// ```
pub fn redirection(line: &str) -> Result<Redirection<'_>, SlotError> {
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(SlotError::Redirection);
    let (kind, slot, address) = (word()?, word()?, word()?);
    let digits = !slot.is_empty() && slot.bytes().all(|byte| byte.is_ascii_digit());
    let named = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !digits || !named || words.next().is_some() {
        return Err(SlotError::Redirection);
    }
    let slot = slot.parse().map_err(|_| SlotError::Redirection)?;
    if slot >= SLOTS {
        return Err(SlotError::Range { slot });
    }
    match kind {
        "MOVED" => Ok(Redirection::Moved { slot, address }),
        "ASK" => Ok(Redirection::Ask { slot, address }),
        _ => Err(SlotError::Redirection),
    }
}

/// Snapshots hold what `CLUSTER SLOTS` holds; what no map could be is refused.
#[cfg(feature = "serde")]
mod snapshot {
    use super::{NOBODY, NodeIx, SLOTS, SlotMap, Vec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    struct Snapshot {
        ranges: Vec<(u16, u16, NodeIx)>,
        moving: Vec<(u16, NodeIx)>,
    }

    impl Serialize for SlotMap {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let ranges = self.ranges().collect();
            Snapshot { ranges, moving: self.moving.clone() }.serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for SlotMap {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let snapshot = Snapshot::deserialize(from)?;
            let mut map = Self::new();
            let mut end = 0;
            for (first, last, node) in snapshot.ranges {
                if first < end || node == NOBODY {
                    return Err(D::Error::custom("ranges of slots out of order"));
                }
                map.assign(first, last, node).map_err(D::Error::custom)?;
                end = last + 1;
            }
            debug_assert!(end <= SLOTS);
            for (slot, to) in snapshot.moving {
                let from = map.owners.get(usize::from(slot)).copied().unwrap_or(NOBODY);
                map.migrate(slot, from, to).map_err(D::Error::custom)?;
            }
            Ok(map)
        }
    }
}
