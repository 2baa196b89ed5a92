use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::dense::Dense;
use super::hitter::{Hitter, largest};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError, Wire, kinds};

/// Misra-Gries in the form of Apache DataSketches' Frequent Items (Anderson et al. 2017): when the
/// map is full, the median count is taken from all, and what is used up goes.
///
/// **Guarantee, always.** `count - error <= truth <= count` with one `error` for all, the sum of
/// the medians taken, at most `8/3 * N / 2^lg_size`. An item not kept was added at most
/// [`offset`](Self::offset) times.
///
/// **Memory** at most `3/4 * 2^lg_size` items. **Cost** one probe; a pass over the map, amortised
/// O(1), when it is full. Prefer [`TopK`](super::TopK) or [`SpaceSaving`](super::SpaceSaving) when
/// the bytes need not be read by others: they need less memory for the same error.
///
/// With the feature `datasketches`, `to_datasketches` and `from_datasketches` of
/// `FrequentItems<i64>` and `FrequentItems<String>` speak the bytes of Java and C++.
///
/// ```
/// use archstone_sketch::frequency::FrequentItems;
///
/// let mut items = FrequentItems::<String>::new(5)?;
/// items.add_n("a", 3);
/// assert_eq!(items.bounds("a").estimate, 3.0);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrequentItems<T> {
    /// What is left of each count after the medians.
    counts: Dense<T, u64>,
    lg_size: u8,
    seed: u64,
    offset: u64,
    total: u64,
}

impl<T: Key> FrequentItems<T> {
    /// The smallest map: 2^3.
    pub const MIN_LG_SIZE: u8 = 3;
    /// The largest map: 2^26.
    pub const MAX_LG_SIZE: u8 = 26;

    /// A map of `2^lg_size` cells, of which three quarters are used.
    ///
    /// # Errors
    /// When `lg_size` is not in `3 ..= 26`.
    pub fn new(lg_size: u8) -> Result<Self, ParamError> {
        let (min, max) = (Self::MIN_LG_SIZE.into(), Self::MAX_LG_SIZE.into());
        ParamError::whole("lg_size", lg_size.into(), min, max)?;
        Ok(Self { counts: Dense::new(0), lg_size, seed: 0, offset: 0, total: 0 })
    }

    /// The same size under another hash seed, emptied.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.clear();
        self.seed = seed;
        self
    }

    /// Adds one of `item`.
    #[inline]
    pub fn add<Q>(&mut self, item: &Q)
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.add_n(item, 1);
    }

    /// Adds `n` of `item`.
    #[inline]
    pub fn add_n<Q>(&mut self, item: &Q, n: u64)
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if n == 0 {
            return;
        }
        self.total = self.total.saturating_add(n);
        let hash = item.digest(self.seed);
        match self.counts.value_mut(hash, item) {
            Some(count) => *count = count.saturating_add(n),
            None => {
                self.counts.insert(hash, item.to_owned(), n);
                if self.len() > self.capacity() {
                    self.purge();
                }
            }
        }
    }

    /// Takes the median from every count. At least half of the counts were that large, so what is
    /// taken in all is at most N: the bound.
    #[cold]
    fn purge(&mut self) {
        let mut counts: Vec<u64> = self.counts.entries().iter().map(|entry| entry.value).collect();
        let middle = counts.len() / 2;
        let median = *counts.select_nth_unstable(middle).1;
        self.offset = self.offset.saturating_add(median);
        self.counts.retain(|count| {
            *count = count.saturating_sub(median);
            *count > 0
        });
    }

    /// What is known of `item`; both bounds always hold. The estimate is the upper one for an item
    /// kept and 0 for another, as in DataSketches.
    pub fn bounds<Q>(&self, item: &Q) -> Bounds
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        let offset = self.offset as f64;
        match self.counts.value(item.digest(self.seed), item) {
            Some(&count) => {
                let count = count as f64;
                Bounds { lower: count, estimate: count + offset, upper: count + offset }
            }
            None => Bounds { lower: 0.0, estimate: 0.0, upper: offset },
        }
    }

    /// The `k` largest counts, largest first.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<Hitter<'_, T>> {
        largest(self.iter(), k)
    }

    /// The items that may have more than `share * N`: every one that has is among them.
    #[must_use]
    pub fn above(&self, share: f64) -> Vec<Hitter<'_, T>> {
        let least = share * self.total as f64;
        largest(self.iter().filter(|hitter| hitter.count as f64 > least), usize::MAX)
    }

    /// All items kept.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        self.counts.entries().iter().map(|entry| {
            let count = entry.value.saturating_add(self.offset);
            Hitter { item: &entry.item, count, error: count - entry.value }
        })
    }

    /// The most that an item not kept can have been added, and the error of the others.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Items kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether no item is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most items kept.
    #[must_use]
    pub fn capacity(&self) -> usize {
        (1 << self.lg_size) / 4 * 3
    }

    /// Logarithm of the map's size.
    #[must_use]
    pub const fn lg_size(&self) -> u8 {
        self.lg_size
    }

    /// N: the weight added so far, at most `u64::MAX`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes held, those of the items on the heap included. O(n).
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.counts.memory()
    }

    /// Forgets everything, keeps the size.
    pub fn clear(&mut self) {
        self.counts.clear();
        (self.offset, self.total) = (0, 0);
    }

    /// The raw counts, without the offset.
    #[cfg(feature = "datasketches")]
    pub(crate) fn raw(&self) -> impl Iterator<Item = (&T, u64)> {
        self.counts.entries().iter().map(|entry| (&entry.item, entry.value))
    }

    /// A sketch of raw counts, as decoders have them.
    pub(crate) fn from_raw(
        lg_size: u8,
        seed: u64,
        (total, offset): (u64, u64),
        pairs: Vec<(T, u64)>,
    ) -> Result<Self, DecodeError> {
        let mut counts = Dense::new(pairs.len());
        for (item, count) in pairs {
            let hash = item.digest(seed);
            if count == 0 || counts.find(hash, &item).is_some() {
                let why = Why::Invalid("empty or twice");
                return Err(DecodeError { at: 0, what: "item", why });
            }
            counts.insert(hash, item, count);
        }
        Ok(Self { counts, lg_size, seed, offset, total })
    }
}

impl<T: Key> Merge for FrequentItems<T> {
    /// Counts add up, offsets add up, then medians go until the map is back in its size.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("lg_size", self.lg_size.into(), other.lg_size.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        for entry in other.counts.entries() {
            match self.counts.value_mut(entry.hash, &entry.item) {
                Some(count) => *count = count.saturating_add(entry.value),
                None => self.counts.insert(entry.hash, entry.item.clone(), entry.value),
            }
        }
        self.offset = self.offset.saturating_add(other.offset);
        self.total = self.total.saturating_add(other.total);
        while self.len() > self.capacity() {
            self.purge();
        }
        Ok(())
    }
}

impl<T: Key> Wire for FrequentItems<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::MISRA_GRIES, 1);
        out.u8(self.lg_size);
        out.u64(self.seed);
        out.varint(self.total);
        out.varint(self.offset);
        out.varint(self.len() as u64);
        for entry in self.counts.entries() {
            out.varint(entry.value);
            entry.item.write(out);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::MISRA_GRIES, 1)?;
        let lg_size = input.u8("lg_size")?;
        if !(Self::MIN_LG_SIZE..=Self::MAX_LG_SIZE).contains(&lg_size) {
            return Err(input.error("lg_size", Why::Invalid("outside 3 to 26")));
        }
        let seed = input.u64("seed")?;
        let total = input.varint("total")?;
        let offset = input.varint_up_to(total, "offset")?;
        let len = input.count(1 + T::LEAST, "length")?;
        if len > (1 << lg_size) / 4 * 3 {
            return Err(input.error("length", Why::Invalid("more than the map holds")));
        }
        let mut pairs = Vec::with_capacity(len);
        for _ in 0..len {
            let count = input.varint("count")?;
            pairs.push((T::read(input)?, count));
        }
        Self::from_raw(lg_size, seed, (total, offset), pairs)
    }
}

serde_as_wire!([T: Key] FrequentItems<T>);
