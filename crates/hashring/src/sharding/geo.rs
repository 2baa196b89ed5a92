//! Shards by region.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Areas (countries, provinces) in regions, regions with nodes, and where to go when a region is
/// down.
///
/// An area is a path of codes, `"EU/DE/BE"`: the longest entered prefix counts, whole codes only. A
/// region's fallbacks are listed for it alone, in order, and theirs are not followed, so data never
/// leaves the regions that its own list names.
///
/// ```
/// use archstone_hashring::sharding::GeoMap;
///
/// let mut map: GeoMap<&str> = GeoMap::new();
/// map.region("frankfurt", ["fra-1", "fra-2"], ["dublin"]);
/// map.region("dublin", ["dub-1"], ["frankfurt"]);
/// map.region("virginia", ["iad-1"], []);
/// map.area("EU", "frankfurt")?;
/// map.area("EU/IE", "dublin")?;
/// map.area("", "virginia")?; // everybody else
///
/// let all_up = |_: &&str| true;
/// assert_eq!(map.route("EU/IE/D", all_up)?.node, &"dub-1");
/// let routed = map.route("EU/DE", |node| !node.starts_with("fra"))?;
/// assert_eq!((*routed.node, routed.region, routed.fallbacks), ("dub-1", "dublin", 1));
/// # Ok::<(), archstone_hashring::sharding::GeoError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GeoMap<N> {
    regions: BTreeMap<String, Region<N>>,
    areas: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Region<N> {
    nodes: Vec<N>,
    fallbacks: Vec<String>,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Routed<'a, N> {
    /// The node.
    pub node: &'a N,
    /// Its region.
    pub region: &'a str,
    /// How many regions were tried before.
    pub fallbacks: usize,
}

/// Why a request goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeoError {
    /// No prefix of the area is entered.
    Area,
    /// There is no region of that name.
    Region,
    /// No node of the region or of its fallbacks is up.
    Down {
        /// How many regions were tried.
        regions: usize,
    },
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area => f.write_str("the area is in no region"),
            Self::Region => f.write_str("there is no such region"),
            Self::Down { regions } => write!(f, "no node is up in {regions} regions"),
        }
    }
}

impl core::error::Error for GeoError {}

impl<N> GeoMap<N> {
    /// No regions yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { regions: BTreeMap::new(), areas: BTreeMap::new() }
    }

    /// A region with its nodes and fallbacks, each in order of preference. A region of that name is
    /// replaced. Fallbacks may be entered later; what never is is passed over.
    pub fn region<'a>(
        &mut self,
        name: &str,
        nodes: impl IntoIterator<Item = N>,
        fallbacks: impl IntoIterator<Item = &'a str>,
    ) {
        let fallbacks = fallbacks.into_iter().map(String::from).collect();
        let region = Region { nodes: nodes.into_iter().collect(), fallbacks };
        self.regions.insert(name.into(), region);
    }

    /// An area belongs to a region; `""` is everywhere.
    ///
    /// # Errors
    /// [`GeoError::Region`] when there is none of that name.
    pub fn area(&mut self, area: &str, region: &str) -> Result<(), GeoError> {
        if !self.regions.contains_key(region) {
            return Err(GeoError::Region);
        }
        self.areas.insert(area.into(), region.into());
        Ok(())
    }

    /// The region of an area.
    ///
    /// # Errors
    /// [`GeoError::Area`] when no prefix of it is entered.
    pub fn region_of(&self, area: &str) -> Result<&str, GeoError> {
        let mut prefix = area;
        loop {
            if let Some(region) = self.areas.get(prefix) {
                return Ok(region);
            }
            if prefix.is_empty() {
                return Err(GeoError::Area);
            }
            prefix = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    /// The first node that is up, of the area's region or else of its fallbacks.
    ///
    /// # Errors
    /// [`GeoError::Area`] when the area is in no region, [`GeoError::Down`] when nobody is up.
    pub fn route(&self, area: &str, is_up: impl Fn(&N) -> bool) -> Result<Routed<'_, N>, GeoError> {
        let home = self.region_of(area)?;
        let (home, region) = self.regions.get_key_value(home).ok_or(GeoError::Region)?;
        let names = core::iter::once(home).chain(&region.fallbacks);
        let tried = names.filter_map(|name| self.regions.get_key_value(name));
        let mut regions = 0;
        for (name, region) in tried {
            if let Some(node) = region.nodes.iter().find(|node| is_up(node)) {
                return Ok(Routed { node, region: name, fallbacks: regions });
            }
            regions += 1;
        }
        Err(GeoError::Down { regions })
    }
}
