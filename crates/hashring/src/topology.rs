//! Copies apart: zones, racks, and how many copies each zone gets.

use crate::placement::NodeIx;
use alloc::vec::Vec;
use core::fmt;

/// The most copies of one key.
pub const MAX_COPIES: usize = 16;

/// Where a node stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Place {
    /// Its zone: a region or data centre, whose copies are counted apart.
    pub zone: u16,
    /// Its rack within the zone: what fails together.
    pub rack: u16,
}

/// Where every node stands, by index.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Option<Place>>", into = "Vec<Option<Place>>"))]
pub struct Topology {
    places: Vec<Option<Place>>,
    /// The [`Rack::bit`] of each node, 0 for one that stands nowhere.
    bits: Vec<u64>,
    /// By place, ascending.
    racks: Vec<Rack>,
    /// What follows of the racks, for each zone that has one.
    zones: Vec<Zone>,
}

/// A zone's racks, and their bits; 0 when one has none.
#[derive(Clone, Copy, Debug)]
struct Zone {
    zone: u16,
    racks: usize,
    bits: u64,
}

/// A rack that has a node.
#[derive(Clone, Copy, Debug)]
struct Rack {
    place: Place,
    nodes: u32,
    /// One of its own among all racks, so that a set of racks is a word; 0 past 64 racks.
    bit: u64,
}

/// What is known of the same nodes is equal, whatever the numbers of their racks.
impl PartialEq for Topology {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

impl Eq for Topology {}

impl Topology {
    /// No nodes yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: Vec::new(), bits: Vec::new(), racks: Vec::new(), zones: Vec::new() }
    }

    /// Puts a node at a place, or moves it there. O(racks).
    pub fn put(&mut self, node: NodeIx, place: Place) {
        self.take(node);
        if node.index() >= self.places.len() {
            self.places.resize(node.index() + 1, None);
            self.bits.resize(node.index() + 1, 0);
        }
        let at = match self.racks.binary_search_by_key(&place, |rack| rack.place) {
            Ok(at) => at,
            Err(at) => {
                let free = !self.racks.iter().fold(0, |taken, rack| taken | rack.bit);
                let bit = free & free.wrapping_neg();
                self.racks.insert(at, Rack { place, nodes: 0, bit });
                self.sum_up();
                at
            }
        };
        self.racks[at].nodes += 1;
        self.places[node.index()] = Some(place);
        self.bits[node.index()] = self.racks[at].bit;
    }

    /// Forgets a node; nothing happens when it was not there. O(racks).
    pub fn take(&mut self, node: NodeIx) {
        let Some(place) = self.places.get_mut(node.index()).and_then(Option::take) else { return };
        self.bits[node.index()] = 0;
        if let Ok(at) = self.racks.binary_search_by_key(&place, |rack| rack.place) {
            self.racks[at].nodes -= 1;
            if self.racks[at].nodes == 0 {
                self.racks.remove(at);
                self.sum_up();
            }
        }
    }

    fn sum_up(&mut self) {
        self.zones.clear();
        for racks in self.racks.chunk_by(|a, b| a.place.zone == b.place.zone) {
            let numbered = racks.iter().all(|rack| rack.bit != 0);
            let bits = if numbered { racks.iter().fold(0, |set, rack| set | rack.bit) } else { 0 };
            self.zones.push(Zone { zone: racks[0].place.zone, racks: racks.len(), bits });
        }
    }

    /// Where a node stands.
    #[must_use]
    pub fn place(&self, node: NodeIx) -> Option<Place> {
        self.places.get(node.index()).copied().flatten()
    }

    /// The bit of a node's rack, 0 for one that stands nowhere or in a rack past the 64th.
    #[inline]
    pub(crate) fn rack(&self, node: NodeIx) -> u64 {
        self.bits.get(node.index()).copied().unwrap_or(0)
    }

    /// Racks that have a node, and nodes, in a zone.
    fn size_of(&self, zone: u16) -> (usize, usize) {
        let in_zone = self.racks.iter().filter(|rack| rack.place.zone == zone);
        in_zone.fold((0, 0), |(racks, nodes), rack| (racks + 1, nodes + rack.nodes as usize))
    }
}

/// How many copies each zone gets; within a zone, copies go to as many racks as there are.
///
/// The rule is that of Cassandra's NetworkTopologyStrategy: along the key's order of preference, a
/// zone takes a node whose rack it has not used yet; the nodes passed over for their rack are taken,
/// in order, only when every rack of the zone has been used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<(u16, u8)>", into = "Vec<(u16, u8)>"))]
pub struct Spread {
    zones: Vec<(u16, u8)>,
}

/// More copies than a spread holds, or a zone named twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpreadError {
    /// More than [`MAX_COPIES`] in all, or none.
    Copies {
        /// How many.
        wanted: usize,
    },
    /// A zone named twice.
    Twice {
        /// The zone.
        zone: u16,
    },
}

impl fmt::Display for SpreadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copies { wanted } => write!(f, "{wanted} copies, it must be 1 to {MAX_COPIES}"),
            Self::Twice { zone } => write!(f, "zone {zone} is named twice"),
        }
    }
}

impl core::error::Error for SpreadError {}

/// Chosen nodes, at most [`MAX_COPIES`], in the order of preference; kept inline.
#[derive(Clone, Copy, Debug)]
pub struct Copies {
    nodes: [NodeIx; MAX_COPIES],
    len: u8,
}

impl Copies {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { nodes: [NodeIx(0); MAX_COPIES], len: 0 }
    }

    /// The first nodes of a list, as many as there is room for.
    pub(crate) fn of(nodes: impl IntoIterator<Item = NodeIx>) -> Self {
        let mut copies = Self::new();
        nodes.into_iter().take(MAX_COPIES).for_each(|node| copies.push(node));
        copies
    }

    /// `N` nodes, at most [`MAX_COPIES`].
    #[inline(always)]
    pub(crate) fn few<const N: usize>(few: [NodeIx; N]) -> Self {
        let mut nodes = [NodeIx(0); MAX_COPIES];
        nodes[..N].copy_from_slice(&few);
        Self { nodes, len: N as u8 }
    }

    fn push(&mut self, node: NodeIx) {
        self.nodes[usize::from(self.len)] = node;
        self.len += 1;
    }

    /// Writes the node in any case, past the 16th over an earlier one, and counts it if `yes`.
    #[inline(always)]
    pub(crate) fn push_if(&mut self, node: NodeIx, yes: bool) {
        self.nodes[usize::from(self.len) % MAX_COPIES] = node;
        self.len += u8::from(yes);
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len as u8);
    }

    /// The nodes.
    #[must_use]
    pub fn as_slice(&self) -> &[NodeIx] {
        &self.nodes[..usize::from(self.len)]
    }
}

impl core::ops::Deref for Copies {
    type Target = [NodeIx];
    fn deref(&self) -> &[NodeIx] {
        self.as_slice()
    }
}

/// One zone's choice while the walk goes on.
#[derive(Clone, Copy)]
struct Filling {
    zone: u16,
    /// Copies still to choose: at most as many as the zone has nodes.
    want: u8,
    /// Racks of the zone that have not been used.
    racks_left: usize,
}

impl Spread {
    /// Copies by zone: `[(zone, copies), ..]`, at most [`MAX_COPIES`] in all.
    ///
    /// # Errors
    /// [`SpreadError`] for none, too many, or a zone named twice.
    pub fn new(zones: &[(u16, u8)]) -> Result<Self, SpreadError> {
        let wanted: usize = zones.iter().map(|&(_, copies)| usize::from(copies)).sum();
        if wanted == 0 || wanted > MAX_COPIES {
            return Err(SpreadError::Copies { wanted });
        }
        let mut sorted: Vec<u16> = zones.iter().map(|&(zone, _)| zone).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SpreadError::Twice { zone: pair[0] });
        }
        Ok(Self { zones: zones.into() })
    }

    /// The copies of the only zone and the bits of its racks, when there are as many: each copy has
    /// a rack of its own then.
    #[inline]
    pub(crate) fn racks_suffice(&self, topology: &Topology) -> Option<(usize, u64)> {
        let &[(zone, copies)] = &self.zones[..] else { return None };
        let here = topology.zones.iter().find(|known| known.zone == zone)?;
        let enough = here.racks >= usize::from(copies) && here.bits != 0;
        enough.then_some((copies.into(), here.bits))
    }

    /// Chooses the copies along `walk`, the nodes in the key's order of preference (repeats are
    /// allowed). Does not allocate. Gives fewer than asked for where a zone has fewer nodes.
    #[inline(never)]
    pub fn choose(&self, topology: &Topology, walk: impl Iterator<Item = NodeIx>) -> Copies {
        let mut zones = [Filling { zone: 0, want: 0, racks_left: 0 }; MAX_COPIES];
        let mut missing = 0;
        let asked = self.zones.iter().filter(|&&(_, copies)| copies > 0);
        for (filling, &(zone, copies)) in zones.iter_mut().zip(asked) {
            let (racks_left, nodes) = topology.size_of(zone);
            let want = copies.min(u8::try_from(nodes).unwrap_or(u8::MAX));
            *filling = Filling { zone, want, racks_left };
            missing += usize::from(want);
        }
        let (mut chosen, mut passed_over) = (Copies::new(), Copies::new());
        for node in walk {
            if missing == 0 {
                break;
            }
            let Some(place) = topology.place(node) else { continue };
            let filling = zones.iter_mut().find(|f| f.want > 0 && f.zone == place.zone);
            let Some(filling) = filling else { continue };
            if chosen.contains(&node) {
                continue;
            }
            let used = |other: &NodeIx| topology.place(*other) == Some(place);
            if filling.racks_left > 0 && chosen.iter().any(used) {
                // Its rack is used and others are not: kept for when all are. A zone needs at most
                // its missing copies of these, so all zones together fit in the array.
                let zone_of = |other: &&NodeIx| topology.place(**other).map(|p| p.zone);
                let kept = passed_over.iter().filter(|n| zone_of(n) == Some(place.zone)).count();
                if kept < usize::from(filling.want) && !passed_over.contains(&node) {
                    passed_over.push(node);
                }
                continue;
            }
            chosen.push(node);
            filling.want -= 1;
            missing -= 1;
            filling.racks_left = filling.racks_left.saturating_sub(1);
            if filling.racks_left == 0 {
                for &kept in passed_over.as_slice() {
                    let here = topology.place(kept).is_some_and(|p| p.zone == place.zone);
                    if filling.want > 0 && here && !chosen.contains(&kept) {
                        chosen.push(kept);
                        filling.want -= 1;
                        missing -= 1;
                    }
                }
            }
        }
        chosen
    }
}

#[cfg(feature = "serde")]
impl From<Topology> for Vec<Option<Place>> {
    fn from(topology: Topology) -> Self {
        topology.places
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Vec<Option<Place>>> for Topology {
    type Error = crate::PlacementError;
    fn try_from(places: Vec<Option<Place>>) -> Result<Self, Self::Error> {
        let (wanted, limit) = (places.len() as u64, crate::members::MAX_NODES);
        if wanted > limit {
            return Err(crate::PlacementError::Full { what: "nodes", wanted, limit });
        }
        let mut topology = Self::new();
        for (node, place) in (0..).map(NodeIx).zip(places) {
            if let Some(place) = place {
                topology.put(node, place);
            }
        }
        Ok(topology)
    }
}

#[cfg(feature = "serde")]
impl From<Spread> for Vec<(u16, u8)> {
    fn from(spread: Spread) -> Self {
        spread.zones
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Vec<(u16, u8)>> for Spread {
    type Error = SpreadError;
    fn try_from(zones: Vec<(u16, u8)>) -> Result<Self, SpreadError> {
        Self::new(&zones)
    }
}
