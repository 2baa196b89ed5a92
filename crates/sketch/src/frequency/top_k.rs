use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::{Hitter, SetSpaceSaving, SpaceSaving};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError, Wire, kinds};

/// The k most frequent items in so many bytes: it chooses the algorithm.
///
/// | given | algorithm | why |
/// |---|---|---|
/// | bytes for at least `4 k` slots | [`SetSpaceSaving`] | fastest; ranks right on flat streams too; `count - error` is certain, the count on average not above the truth |
/// | less, or [`certain`](Self::certain) | [`SpaceSaving`] | `truth <= count` is certain too; no set can overflow |
///
/// While all distinct items fit, counts are exact and `error` is 0.
///
/// ```
/// use archstone_sketch::TopK;
///
/// let mut pages = TopK::<String>::with_memory(10, 64 * 1024)?;
/// for path in ["/", "/about", "/"] {
///     pages.add(path);
/// }
/// let top = pages.top();
/// assert_eq!((top[0].item.as_str(), top[0].count, top[0].error), ("/", 2, 0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TopK<T> {
    k: usize,
    summary: Summary<T>,
}

#[derive(Clone, Debug)]
enum Summary<T> {
    Sets(SetSpaceSaving<T>),
    Certain(SpaceSaving<T>),
}

/// What a [`TopK`] counts with.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// [`SetSpaceSaving`].
    SetSpaceSaving,
    /// [`SpaceSaving`].
    SpaceSaving,
}

/// Slots for each item of the list below which sets of eight might hold too many of them: with a
/// quarter of the slots for the list, a set has two of it on average, and more than eight once in
/// 4000 sets.
const SLOTS_FOR_ONE: usize = 4;

macro_rules! either {
    ($self:expr, $summary:ident => $body:expr) => {
        match $self {
            Summary::Sets($summary) => $body,
            Summary::Certain($summary) => $body,
        }
    };
}

impl<T: Key> TopK<T> {
    /// The most items of a list: 2^20.
    pub const MAX_K: u64 = 1 << 20;

    /// The `k` most frequent, in 16 slots for each and at least 2048: 66 KiB for `u64` items and
    /// k up to 128.
    ///
    /// # Errors
    /// When `k` is 0 or over [`MAX_K`](Self::MAX_K).
    pub fn new(k: usize) -> Result<Self, ParamError> {
        ParamError::whole("k", k as u64, 1, Self::MAX_K)?;
        let summary = SetSpaceSaving::new(k.saturating_mul(16).max(2048))?;
        Ok(Self { k, summary: Summary::Sets(summary) })
    }

    /// The `k` most frequent in at most `bytes`, the heap of the items (long strings) apart.
    ///
    /// # Errors
    /// When `k` is 0 or over [`MAX_K`](Self::MAX_K), or `bytes` do not hold k counters.
    pub fn with_memory(k: usize, bytes: usize) -> Result<Self, ParamError> {
        ParamError::whole("k", k as u64, 1, Self::MAX_K)?;
        let sets = bytes.saturating_sub(size_of::<Self>()) / SetSpaceSaving::<T>::set_bytes();
        if sets * 8 >= k * SLOTS_FOR_ONE {
            let slots = (sets * 8).min(SetSpaceSaving::<T>::MAX_CAPACITY as usize);
            let summary = Summary::Sets(SetSpaceSaving::new(slots)?);
            return Ok(Self { k, summary });
        }
        Self::certain(k, bytes)
    }

    /// The `k` most frequent in at most `bytes`, with bounds that always hold on both sides.
    ///
    /// # Errors
    /// As [`with_memory`](Self::with_memory).
    pub fn certain(k: usize, bytes: usize) -> Result<Self, ParamError> {
        ParamError::whole("k", k as u64, 1, Self::MAX_K)?;
        let each = SpaceSaving::<T>::COUNTER_BYTES;
        let fixed = size_of::<Self>() + SpaceSaving::<T>::FIXED_BYTES;
        ParamError::whole("bytes", bytes as u64, (fixed + k * each) as u64, u64::MAX)?;
        let capacity = ((bytes - fixed) / each).min(SpaceSaving::<T>::MAX_CAPACITY as usize);
        Ok(Self { k, summary: Summary::Certain(SpaceSaving::new(capacity)?) })
    }

    /// The same under another hash seed, emptied.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        let summary = match self.summary {
            Summary::Sets(summary) => Summary::Sets(summary.with_seed(seed)),
            Summary::Certain(summary) => Summary::Certain(summary.with_seed(seed)),
        };
        Self { summary, ..self }
    }

    /// Adds one of `item`; returns the item that lost its counter to it. Its count is gone, so a
    /// caller that keeps something beside each item can let that go too.
    #[inline(always)]
    pub fn add<Q>(&mut self, item: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.add_n(item, 1)
    }

    /// Adds `n` of `item`; returns the item that lost its counter to it.
    #[inline(always)]
    pub fn add_n<Q>(&mut self, item: &Q, n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        either!(&mut self.summary, summary => summary.add_n(item, n))
    }

    /// The list: at most k items, the largest counts first.
    #[must_use]
    pub fn top(&self) -> Vec<Hitter<'_, T>> {
        either!(&self.summary, summary => summary.top(self.k))
    }

    /// What is known of `item`, whether on the list or not. The lower bound always holds, the upper
    /// one as the [`algorithm`](Self::algorithm) says.
    pub fn bounds<Q>(&self, item: &Q) -> Bounds
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        either!(&self.summary, summary => summary.bounds(item))
    }

    /// All items with a counter, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        let (unbiased, certain) = match &self.summary {
            Summary::Sets(summary) => (Some(summary.iter()), None),
            Summary::Certain(summary) => (None, Some(summary.iter())),
        };
        unbiased.into_iter().flatten().chain(certain.into_iter().flatten())
    }

    /// What it counts with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.summary {
            Summary::Sets(_) => Algorithm::SetSpaceSaving,
            Summary::Certain(_) => Algorithm::SpaceSaving,
        }
    }

    /// The length of the list.
    #[must_use]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// The count that an item without a counter may have: 0 means that all counts are exact.
    #[must_use]
    pub fn floor(&self) -> u64 {
        either!(&self.summary, summary => summary.floor())
    }

    /// Counters.
    #[must_use]
    pub fn capacity(&self) -> usize {
        either!(&self.summary, summary => summary.capacity())
    }

    /// N: the weight added so far, at most `u64::MAX`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        either!(&self.summary, summary => summary.total())
    }

    /// Bytes held, those of the items on the heap included. O(capacity).
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<usize>() + either!(&self.summary, summary => summary.memory())
    }

    #[cfg(feature = "window")]
    pub(crate) fn halve_counts(&mut self, times: u32) {
        either!(&mut self.summary, summary => summary.halve_counts(times));
    }

    /// Forgets everything, keeps the size.
    pub fn clear(&mut self) {
        either!(&mut self.summary, summary => summary.clear());
    }
}

impl<T: Key> Merge for TopK<T> {
    /// Merges the whole summaries, not the lists: an item just below every worker's list may be
    /// first of all.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("k", self.k as u64, other.k as u64)?;
        let (ours, theirs) = (self.algorithm() as u64, other.algorithm() as u64);
        match (&mut self.summary, &other.summary) {
            (Summary::Sets(a), Summary::Sets(b)) => a.merge(b),
            (Summary::Certain(a), Summary::Certain(b)) => a.merge(b),
            _ => Err(Incompatible { what: "algorithm", ours, theirs }),
        }
    }
}

impl<T: Key> Wire for TopK<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::TOP_K, 1);
        out.varint(self.k as u64);
        out.u8(self.algorithm() as u8);
        either!(&self.summary, summary => summary.encode_to(out));
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::TOP_K, 1)?;
        let k = input.varint_up_to(Self::MAX_K, "k")? as usize;
        if k == 0 {
            return Err(input.error("k", Why::Invalid("zero")));
        }
        let summary = match input.u8("algorithm")? {
            0 => Summary::Sets(SetSpaceSaving::decode_from(input)?),
            1 => Summary::Certain(SpaceSaving::decode_from(input)?),
            _ => return Err(input.error("algorithm", Why::Invalid("unknown"))),
        };
        Ok(Self { k, summary })
    }
}

serde_as_wire!([T: Key] TopK<T>);
