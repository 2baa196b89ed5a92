//! Shards by ranges of keys.

use alloc::collections::BTreeMap;
use core::borrow::Borrow;
use core::fmt;
use core::ops::Bound;

/// Ranges of ordered keys, each with its owner: together they are all keys, and none overlaps.
///
/// A range begins at its lower bound and ends before the next one's; the first has no lower bound,
/// the last no upper. Ranges keep neighbours together, which hashing does not, and grow a hot spot
/// where keys ascend (time, sequence numbers): split there, or hash.
///
/// O(log ranges) a look-up, split or merge.
///
/// ```
/// use archstone_hashring::sharding::RangeMap;
///
/// let mut shards: RangeMap<u64, &str> = RangeMap::new("shard-1");
/// shards.split(1_000_000, "shard-2")?;
/// shards.split(2_000_000, "shard-3")?;
/// assert_eq!(*shards.owner(&999_999), "shard-1");
/// assert_eq!(*shards.owner(&1_000_000), "shard-2");
/// let asked: Vec<_> = shards.covering(&500_000, &1_500_000).map(|span| *span.owner).collect();
/// assert_eq!(asked, ["shard-1", "shard-2"]);
/// shards.merge(&1_000_000)?; // shard-1 takes over what shard-2 had
/// assert_eq!(*shards.owner(&1_500_000), "shard-1");
/// # Ok::<(), archstone_hashring::sharding::RangeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RangeMap<K: Ord, N> {
    /// The owner below the first bound.
    first: N,
    /// Lower bound to owner.
    rest: BTreeMap<K, N>,
}

/// One range.
#[derive(Debug, PartialEq, Eq)]
pub struct Span<'a, K, N> {
    /// Its first key; `None`: the least there is.
    pub from: Option<&'a K>,
    /// The first key after it; `None`: there is none.
    pub to: Option<&'a K>,
    /// Its owner.
    pub owner: &'a N,
}

/// A bound that is there already, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeError {
    /// A range begins there already.
    Taken,
    /// No range begins there.
    Unknown,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "a range begins there already",
            Self::Unknown => "no range begins there",
        })
    }
}

impl core::error::Error for RangeError {}

impl<K: Ord, N> RangeMap<K, N> {
    /// One range, of one owner.
    pub const fn new(owner: N) -> Self {
        Self { first: owner, rest: BTreeMap::new() }
    }

    /// The range that holds `at` is cut: its part from `at` on goes to `owner`.
    ///
    /// # Errors
    /// [`RangeError::Taken`] when a range begins at `at`.
    pub fn split(&mut self, at: K, owner: N) -> Result<(), RangeError> {
        match self.rest.entry(at) {
            alloc::collections::btree_map::Entry::Occupied(_) => Err(RangeError::Taken),
            alloc::collections::btree_map::Entry::Vacant(free) => {
                free.insert(owner);
                Ok(())
            }
        }
    }

    /// The range that begins at `at` becomes part of the one before it. Returns who had it.
    ///
    /// # Errors
    /// [`RangeError::Unknown`] when none begins there.
    pub fn merge<Q: Ord + ?Sized>(&mut self, at: &Q) -> Result<N, RangeError>
    where
        K: Borrow<Q>,
    {
        self.rest.remove(at).ok_or(RangeError::Unknown)
    }

    /// The range that holds `key` gets another owner. Returns who had it.
    pub fn assign<Q: Ord + ?Sized>(&mut self, key: &Q, owner: N) -> N
    where
        K: Borrow<Q>,
    {
        let below = (Bound::Unbounded, Bound::Included(key));
        let held = self.rest.range_mut::<Q, _>(below).next_back();
        let held = held.map_or(&mut self.first, |(_, owner)| owner);
        core::mem::replace(held, owner)
    }

    /// Who owns `key`.
    pub fn owner<Q: Ord + ?Sized>(&self, key: &Q) -> &N
    where
        K: Borrow<Q>,
    {
        self.span(key).owner
    }

    /// The range that holds `key`.
    pub fn span<Q: Ord + ?Sized>(&self, key: &Q) -> Span<'_, K, N>
    where
        K: Borrow<Q>,
    {
        let below = self.rest.range::<Q, _>((Bound::Unbounded, Bound::Included(key))).next_back();
        let to = self.rest.range::<Q, _>((Bound::Excluded(key), Bound::Unbounded)).next();
        let (from, owner) = below.map_or((None, &self.first), |(from, owner)| (Some(from), owner));
        Span { from, to: to.map(|(bound, _)| bound), owner }
    }

    /// The ranges that hold keys from `from` to `to`, both included: whom a range query asks. None
    /// when `to` is below `from`.
    pub fn covering<'a, Q: Ord + ?Sized>(
        &'a self,
        from: &'a Q,
        to: &'a Q,
    ) -> impl Iterator<Item = Span<'a, K, N>>
    where
        K: Borrow<Q>,
    {
        let mut next = (from <= to).then(|| self.span(from));
        core::iter::from_fn(move || {
            let span = next.take()?;
            next = span.to.filter(|bound| (*bound).borrow() <= to).map(|b| self.span(b.borrow()));
            Some(span)
        })
    }

    /// All ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Span<'_, K, N>> {
        let starts = core::iter::once((None, &self.first));
        let starts = starts.chain(self.rest.iter().map(|(from, owner)| (Some(from), owner)));
        let ends = self.rest.keys().map(Some).chain(core::iter::once(None));
        starts.zip(ends).map(|((from, owner), to)| Span { from, to, owner })
    }

    /// Ranges, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.rest.len() + 1
    }
}
