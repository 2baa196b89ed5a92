use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::dense::Dense;
use super::hitter::{Hitter, largest};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError, Wire, kinds, math};

/// Lossy Counting (Manku and Motwani 2002): every item above a share, with a stated undercount.
///
/// The stream is cut into buckets of `w = ceil(1 / eps)`. At the end of bucket b an item whose
/// count plus the most it can have lost (`delta`) is at most b is dropped.
///
/// **Guarantee, always.** For every item kept, `sure <= truth <= count` with `count - sure = delta
/// <= eps * N`; an item not kept was added at most `eps * N` times.
/// [`above`](Self::above)`(s)` returns every item with more than `s * N`, and none with less than
/// `(s - eps) * N`.
///
/// **Memory** at most `log(eps * N) / eps` entries, usually far fewer; unlike
/// [`SpaceSaving`](super::SpaceSaving), which does the same with `1 / eps` counters, it grows
/// slowly with N. **Cost** one probe, and a pass over all entries every w.
///
/// ```
/// use archstone_sketch::frequency::LossyCounting;
///
/// let mut words = LossyCounting::<String>::with_error(0.01)?;
/// for word in ["to", "be", "or", "not", "to", "be"] {
///     words.add(word);
/// }
/// assert_eq!(words.above(0.3).len(), 2);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LossyCounting<T> {
    counts: Dense<T, Count>,
    width: u64,
    seed: u64,
    total: u64,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// Added while the item was kept.
    sure: u64,
    /// The most that was lost before.
    delta: u64,
}

impl<T: Key> LossyCounting<T> {
    /// Undercounts by at most `eps * N`.
    ///
    /// # Errors
    /// When `eps` is not in `2^-40 ..= 1`.
    pub fn with_error(eps: f64) -> Result<Self, ParamError> {
        let finest = 1.0 / (1_u64 << 40) as f64;
        let eps = ParamError::real("eps", eps, finest, 1.0)?;
        let width = math::ceil(1.0 / eps) as u64;
        Ok(Self { counts: Dense::new(0), width, seed: 0, total: 0 })
    }

    /// The same error under another hash seed, emptied.
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
        let hash = item.digest(self.seed);
        let ended = self.total / self.width;
        match self.counts.value_mut(hash, item) {
            Some(count) => count.sure = count.sure.saturating_add(n),
            None => self.counts.insert(hash, item.to_owned(), Count { sure: n, delta: ended }),
        }
        self.total = self.total.saturating_add(n);
        // Pruning is by the bucket that ends here. By the next one, as often printed, it would
        // drop an item seen twice in every bucket over and over, and lose 2 eps N of it.
        if self.total / self.width > ended {
            self.prune();
        }
    }

    #[cold]
    fn prune(&mut self) {
        let ended = self.total / self.width;
        self.counts.retain(|count| count.sure.saturating_add(count.delta) > ended);
    }

    /// What is known of `item`; both bounds always hold.
    pub fn bounds<Q>(&self, item: &Q) -> Bounds
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        match self.counts.value(item.digest(self.seed), item) {
            Some(&Count { sure, delta }) => {
                let (sure, delta) = (sure as f64, delta as f64);
                Bounds { lower: sure, estimate: sure, upper: sure + delta }
            }
            None => Bounds { lower: 0.0, estimate: 0.0, upper: self.floor() as f64 },
        }
    }

    /// Every item with more than `share * N` and none with less than `(share - eps) * N`, largest
    /// counts first. For a share of at least eps: what is rarer need not have been kept.
    #[must_use]
    pub fn above(&self, share: f64) -> Vec<Hitter<'_, T>> {
        let least = (share - 1.0 / self.width as f64) * self.total as f64;
        largest(self.iter().filter(|hitter| hitter.sure() as f64 >= least), usize::MAX)
    }

    /// The `k` largest counts, largest first.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<Hitter<'_, T>> {
        largest(self.iter(), k)
    }

    /// All items kept; `count` is the upper bound and `error` the delta.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        self.counts.entries().iter().map(|entry| {
            let Count { sure, delta } = entry.value;
            let count = sure.saturating_add(delta);
            Hitter { item: &entry.item, count, error: count - sure }
        })
    }

    /// The most that an item not kept can have been added: buckets ended, at most `eps * N`.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.total / self.width
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

    /// Forgets everything, keeps the error.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.total = 0;
    }
}

impl<T: Key> Merge for LossyCounting<T> {
    /// An item that one side does not keep may have been lost there up to its floor, which goes to
    /// the delta.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("bucket width", self.width, other.width)?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        let (our_floor, their_floor) = (self.floor(), other.floor());
        for entry in self.counts.entries_mut() {
            let theirs = other.counts.value(entry.hash, &entry.item);
            let theirs = theirs.copied().unwrap_or(Count { sure: 0, delta: their_floor });
            entry.value.sure = entry.value.sure.saturating_add(theirs.sure);
            entry.value.delta = entry.value.delta.saturating_add(theirs.delta);
        }
        for entry in other.counts.entries() {
            if self.counts.find(entry.hash, &entry.item).is_none() {
                let Count { sure, delta } = entry.value;
                let delta = delta.saturating_add(our_floor);
                self.counts.insert(entry.hash, entry.item.clone(), Count { sure, delta });
            }
        }
        self.total = self.total.saturating_add(other.total);
        self.prune();
        Ok(())
    }
}

impl<T: Key> Wire for LossyCounting<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::LOSSY_COUNTING, 1);
        out.varint(self.width);
        out.u64(self.seed);
        out.varint(self.total);
        out.varint(self.len() as u64);
        for entry in self.counts.entries() {
            out.varint(entry.value.sure);
            out.varint(entry.value.delta);
            entry.item.write(out);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::LOSSY_COUNTING, 1)?;
        let width = input.varint_up_to(1 << 40, "bucket width")?;
        if width == 0 {
            return Err(input.error("bucket width", Why::Invalid("zero")));
        }
        let seed = input.u64("seed")?;
        let total = input.varint("total")?;
        let len = input.count(2 + T::LEAST, "length")?;
        let mut counts = Dense::new(len);
        for _ in 0..len {
            let sure = input.varint("count")?;
            let delta = input.varint_up_to(total / width, "delta")?;
            let start = input.clone();
            let item = T::read(input)?;
            let hash = item.digest(seed);
            if sure == 0 || counts.find(hash, &item).is_some() {
                return Err(start.error("item", Why::Invalid("empty or twice")));
            }
            counts.insert(hash, item, Count { sure, delta });
        }
        Ok(Self { counts, width, seed, total })
    }
}

serde_as_wire!([T: Key] LossyCounting<T>);
