//! Keys too hot for one node: found by Space-Saving (Metwally, Agrawal and El Abbadi 2005), spread
//! over as many of their candidates as their share needs.

use crate::key::Hashed;
use crate::placement::{Candidates, NodeIx};
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

/// Counts the heaviest keys of a stream and says over how many nodes each is spread.
///
/// With `s` slots a key's count is too high by at most `requests / s`, and every key with more than
/// that is in one. A key is spread by what it has for certain (count less error), so no cold key
/// ever is; with `s >= 2 / share` every key of twice the share is found. Counts are halved every
/// `window` requests, so what cools down is forgotten.
///
/// O(log slots) a request; 70 to 130 bytes a slot. Reads go to one of the owners, writes must go to
/// all of them: [`HotKeys::owners`].
///
/// ```
/// use archstone_hashring::load::HotKeys;
/// use archstone_hashring::{Key, NodeId, Resize, Ring, Weight};
///
/// let mut ring = Ring::new();
/// for i in 0..10 {
///     ring.add(NodeId::of(&format!("cache-{i}")), Weight::ONE)?;
/// }
/// // A key may be 5 % of one node's requests; at most eight nodes share one.
/// let mut hot = HotKeys::new(64, 0.05, 8)?;
/// let mut served = std::collections::BTreeSet::new();
/// for turn in 0..10_000_u64 {
///     let key = if turn % 6 == 0 { "celebrity".hashed(0) } else { turn.hashed(0) };
///     served.extend(hot.route(&ring, key, turn / 6).filter(|_| turn % 6 == 0));
/// }
/// assert_eq!(hot.copies("celebrity".hashed(0)), 4, "17 % over nodes of at most 5 %");
/// assert!(served.len() >= 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Snapshot", into = "Snapshot"))]
pub struct HotKeys {
    slots: usize,
    share: f64,
    most: u32,
    window: u64,
    /// Requests, halved with the counts.
    seen: u64,
    since_halving: u64,
    counts: BTreeMap<u64, Count>,
    /// (count, key), to find the least.
    order: BTreeSet<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Count {
    count: u64,
    error: u64,
}

/// A parameter out of its range.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HotKeysError {
    /// Slots outside 1 to 65,536.
    Slots {
        /// How many.
        slots: usize,
    },
    /// A share that is not over 0 and at most 1.
    Share {
        /// The share.
        share: f64,
    },
    /// No owner at all, or a window of no requests.
    Zero,
}

impl fmt::Display for HotKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slots { slots } => write!(f, "{slots} slots, it must be 1 to 65536"),
            Self::Share { share } => write!(f, "share {share} is not over 0 and at most 1"),
            Self::Zero => f.write_str("owners and window must be over 0"),
        }
    }
}

impl core::error::Error for HotKeysError {}

impl HotKeys {
    /// `slots` counters; a key is spread so that no owner serves more than `share` of all requests
    /// for it, over at most `most` owners. The window is 100,000 requests.
    ///
    /// # Errors
    /// [`HotKeysError`] for slots outside 1 to 65,536, a share outside (0, 1], no owner.
    pub fn new(slots: usize, share: f64, most: u32) -> Result<Self, HotKeysError> {
        if !(1..=1 << 16).contains(&slots) {
            return Err(HotKeysError::Slots { slots });
        }
        if !(share > 0.0 && share <= 1.0) {
            return Err(HotKeysError::Share { share });
        }
        if most == 0 {
            return Err(HotKeysError::Zero);
        }
        let (counts, order) = (BTreeMap::new(), BTreeSet::new());
        let (seen, since_halving, window) = (0, 0, 100_000);
        Ok(Self { slots, share, most, window, seen, since_halving, counts, order })
    }

    /// Halves the counts every `window` requests.
    ///
    /// # Errors
    /// [`HotKeysError::Zero`] for a window of 0.
    pub fn with_window(mut self, window: u64) -> Result<Self, HotKeysError> {
        if window == 0 {
            return Err(HotKeysError::Zero);
        }
        self.window = window;
        Ok(self)
    }

    /// Counts a request. O(log slots), and O(slots) once a window.
    pub fn record(&mut self, key: Hashed) {
        self.seen += 1;
        self.since_halving += 1;
        if let Some(known) = self.counts.get_mut(&key.0) {
            self.order.remove(&(known.count, key.0));
            known.count += 1;
            self.order.insert((known.count, key.0));
        } else {
            // The least is given up, and its count is how wrong the new one's may be.
            let full = self.counts.len() >= self.slots;
            let least = if full { self.order.pop_first() } else { None };
            let error = least.map_or(0, |(count, old)| {
                self.counts.remove(&old);
                count
            });
            self.counts.insert(key.0, Count { count: error + 1, error });
            self.order.insert((error + 1, key.0));
        }
        if self.since_halving >= self.window {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.since_halving = 0;
        self.seen /= 2;
        self.order.clear();
        self.counts.retain(|_, known| {
            // The error rounds up, so what is certain stays certain.
            *known = Count { count: known.count / 2, error: known.error.div_ceil(2) };
            known.count > known.error
        });
        self.order.extend(self.counts.iter().map(|(&key, known)| (known.count, key)));
    }

    /// Over how many nodes a key is spread: 1 while it is not hot.
    #[must_use]
    pub fn copies(&self, key: Hashed) -> u32 {
        let certain = self.counts.get(&key.0).map_or(0, |known| known.count - known.error);
        let needed = libm::ceil(certain as f64 / (self.seen.max(1) as f64 * self.share));
        // `as` saturates.
        (needed as u32).clamp(1, self.most)
    }

    /// Counts a request and says who serves it: the `turn`-th, modulo their number, of the key's
    /// owners. `turn` is the caller's: a counter, a random number, the client's number.
    pub fn route(&mut self, by: &impl Candidates, key: Hashed, turn: u64) -> Option<NodeIx> {
        self.record(key);
        let copies = u64::from(self.copies(key)).min(by.len() as u64).max(1);
        by.candidates(key).nth((turn % copies) as usize)
    }

    /// The owners of a key: all of them take a write.
    pub fn owners<'a, P: Candidates>(
        &self,
        by: &'a P,
        key: Hashed,
    ) -> impl Iterator<Item = NodeIx> + use<'a, P> {
        by.candidates(key).take(self.copies(key) as usize)
    }

    /// The keys that are spread now, and over how many nodes each.
    pub fn hot(&self) -> impl Iterator<Item = (Hashed, u32)> + '_ {
        let keys = self.counts.keys().map(|&key| (Hashed(key), self.copies(Hashed(key))));
        keys.filter(|&(_, copies)| copies > 1)
    }
}

#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot {
    slots: usize,
    share: f64,
    most: u32,
    window: u64,
    seen: u64,
    since_halving: u64,
    counts: BTreeMap<u64, Count>,
}

#[cfg(feature = "serde")]
impl From<HotKeys> for Snapshot {
    fn from(from: HotKeys) -> Self {
        let HotKeys { slots, share, most, window, seen, since_halving, counts, .. } = from;
        Self { slots, share, most, window, seen, since_halving, counts }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Snapshot> for HotKeys {
    type Error = HotKeysError;
    fn try_from(from: Snapshot) -> Result<Self, HotKeysError> {
        let empty = Self::new(from.slots, from.share, from.most)?.with_window(from.window)?;
        let sound = |known: &Count| known.error < known.count && known.count <= from.seen;
        let fits = from.counts.len() <= from.slots && from.counts.values().all(sound);
        // Half of what a counter holds, so that requests to come cannot overflow it.
        if !fits || from.seen > u64::MAX / 2 || from.since_halving > from.window {
            return Err(HotKeysError::Slots { slots: from.counts.len() });
        }
        let order = from.counts.iter().map(|(&key, known)| (known.count, key)).collect();
        let Snapshot { seen, since_halving, counts, .. } = from;
        Ok(Self { seen, since_halving, counts, order, ..empty })
    }
}
