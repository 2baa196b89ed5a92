use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::dense::Dense;
use super::hitter::{Hitter, largest};
use crate::wire::serde_as_wire;
use crate::{Incompatible, Item, Key, Merge, Wire, kinds};

/// Every count, exactly: the baseline that a sketch has to justify itself against.
///
/// **Memory** grows with the distinct items: about 40 bytes each plus the item. **Cost** one hash
/// and one probe. If the distinct items fit in memory, this is the right answer.
///
/// ```
/// use archstone_sketch::frequency::Exact;
///
/// let mut words = Exact::<String>::new();
/// words.add("a");
/// words.add_n("b", 2);
/// assert_eq!((words.count("b"), words.top(1)[0].item.as_str()), (2, "b"));
/// ```
#[derive(Clone, Debug)]
pub struct Exact<T> {
    counts: Dense<T, u64>,
    seed: u64,
    total: u64,
}

impl<T: Key> Default for Exact<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Key> Exact<T> {
    /// No counts.
    #[must_use]
    pub fn new() -> Self {
        Self { counts: Dense::new(0), seed: 0, total: 0 }
    }

    /// The same under another hash seed, emptied. Choose one at random when others choose the
    /// items: the table is a hash table.
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

    /// Adds `n` of `item`; counts stop at `u64::MAX`.
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
            None => self.counts.insert(hash, item.to_owned(), n),
        }
    }

    /// How often `item` was added.
    pub fn count<Q>(&self, item: &Q) -> u64
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        self.counts.value(item.digest(self.seed), item).copied().unwrap_or(0)
    }

    /// The `k` largest counts, largest first; equal ones in the order of their first appearance.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<Hitter<'_, T>> {
        largest(self.iter(), k)
    }

    /// All items and counts, in the order of their first appearance.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        let entries = self.counts.entries().iter();
        entries.map(|entry| Hitter { item: &entry.item, count: entry.value, error: 0 })
    }

    /// Distinct items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.total = 0;
    }
}

impl<T: Key> Merge for Exact<T> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        for entry in other.counts.entries() {
            match self.counts.value_mut(entry.hash, &entry.item) {
                Some(count) => *count = count.saturating_add(entry.value),
                None => self.counts.insert(entry.hash, entry.item.clone(), entry.value),
            }
        }
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }
}

impl<T: Key> Wire for Exact<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::EXACT, 1);
        out.u64(self.seed);
        out.varint(self.total);
        out.varint(self.len() as u64);
        for hitter in self.iter() {
            out.varint(hitter.count);
            hitter.item.write(out);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::EXACT, 1)?;
        let seed = input.u64("seed")?;
        let total = input.varint("total")?;
        let len = input.count(1 + T::LEAST, "length")?;
        let mut counts = Dense::new(len);
        for _ in 0..len {
            let count = input.varint("count")?;
            let start = input.clone();
            let item = T::read(input)?;
            let hash = item.digest(seed);
            if count == 0 || counts.find(hash, &item).is_some() {
                return Err(start.error("item", Why::Invalid("empty or twice")));
            }
            counts.insert(hash, item, count);
        }
        Ok(Self { counts, seed, total })
    }
}

serde_as_wire!([T: Key] Exact<T>);
