use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::hitter::{Hitter, largest};
use super::index::Index;
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError, Wire, kinds};

/// Space-Saving (Metwally, Agrawal and El Abbadi 2005): the frequent items, with m counters.
///
/// **Guarantee, always.** For every item kept, `count - error <= truth <= count`; `error <=
/// floor() <= N / m`. Every item with a count above `N / m` is kept. An item not kept was added at
/// most [`floor`](Self::floor) times. Merged summaries keep all of it for the joined stream
/// (Agarwal et al. 2012, "Mergeable summaries").
///
/// **Memory** about 64 bytes a counter plus the items. **Cost** O(1) for weight one (the
/// stream-summary of the paper: counters of one count share a bucket, buckets are in order); a
/// larger weight walks over the counts it overtakes, O(m) at worst.
/// Not for: flat streams in little memory, where the floor `N / m` exceeds the counts looked for;
/// there [`SetSpaceSaving`](super::SetSpaceSaving) ranks right all the same.
///
/// ```
/// use archstone_sketch::frequency::SpaceSaving;
///
/// let mut pages = SpaceSaving::<String>::new(100)?;
/// for path in ["/", "/about", "/"] {
///     pages.add(path);
/// }
/// let top = pages.top(1);
/// assert_eq!((top[0].item.as_str(), top[0].count, top[0].error), ("/", 2, 0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpaceSaving<T> {
    entries: Vec<Entry<T>>,
    buckets: Vec<Bucket>,
    free: u32,
    /// Bucket of the smallest count, or `NONE`.
    first: u32,
    index: Index,
    capacity: usize,
    seed: u64,
    total: u64,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    item: T,
    hash: u64,
    error: u64,
    bucket: u32,
    /// Neighbours within the bucket.
    before: u32,
    after: u32,
}

/// Entries of one count. Buckets are linked in the order of their counts.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    count: u64,
    head: u32,
    before: u32,
    after: u32,
}

const NONE: u32 = u32::MAX;

impl<T: Key> SpaceSaving<T> {
    /// Bytes of one counter: its entry, at most one bucket, and up to four index cells.
    pub(super) const COUNTER_BYTES: usize = size_of::<Entry<T>>() + size_of::<Bucket>() + 32;
    /// What it takes beside its counters.
    pub(super) const FIXED_BYTES: usize = size_of::<Self>() + size_of::<Bucket>() + 64;

    /// The most counters.
    pub const MAX_CAPACITY: u64 = 1 << 26;

    /// A summary of `capacity` counters.
    ///
    /// # Errors
    /// When it is 0 or over [`MAX_CAPACITY`](Self::MAX_CAPACITY).
    pub fn new(capacity: usize) -> Result<Self, ParamError> {
        ParamError::whole("capacity", capacity as u64, 1, Self::MAX_CAPACITY)?;
        Ok(Self::build(capacity, capacity.min(1 << 12)))
    }

    /// As many counters as an error of at most `eps * N` takes: 1 / eps, rounded up.
    ///
    /// # Errors
    /// When `eps` is not in `2^-26 ..= 1`.
    pub fn with_error(eps: f64) -> Result<Self, ParamError> {
        let finest = 1.0 / Self::MAX_CAPACITY as f64;
        Self::new(crate::math::ceil(1.0 / ParamError::real("eps", eps, finest, 1.0)?) as usize)
    }

    /// The same capacity under another hash seed, emptied.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.clear();
        self.seed = seed;
        self
    }

    fn build(capacity: usize, reserve: usize) -> Self {
        Self {
            entries: Vec::with_capacity(reserve),
            // One more than counters: a counter enters its new bucket before it leaves the old.
            buckets: Vec::with_capacity(reserve + 1),
            free: NONE,
            first: NONE,
            index: Index::new(reserve),
            capacity,
            seed: 0,
            total: 0,
        }
    }

    /// Adds one of `item`; returns the item that lost its counter to it.
    #[inline]
    pub fn add<Q>(&mut self, item: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.add_n(item, 1)
    }

    /// Adds `n` of `item`; returns the item that lost its counter to it.
    #[inline(never)]
    pub fn add_n<Q>(&mut self, item: &Q, n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if n == 0 {
            return None;
        }
        self.total = self.total.saturating_add(n);
        let hash = item.digest(self.seed);
        if let Some(at) = self.find(hash, item) {
            self.raise(at as u32, n);
            return None;
        }
        if self.entries.len() < self.capacity {
            self.insert(item.to_owned(), hash, n, 0);
            return None;
        }
        let at = self.buckets[self.first as usize].head;
        let floor = self.floor();
        let entry = &mut self.entries[at as usize];
        let expelled = core::mem::replace(&mut entry.item, item.to_owned());
        let old_hash = core::mem::replace(&mut entry.hash, hash);
        entry.error = floor;
        self.index.remove(old_hash, at as usize);
        self.index.insert(hash, at as usize);
        self.raise(at, n);
        Some(expelled)
    }

    /// What is known of `item`: `lower <= truth <= upper` always. For an item not kept, 0 to
    /// [`floor`](Self::floor).
    pub fn bounds<Q>(&self, item: &Q) -> Bounds
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        match self.get(item) {
            Some(hitter) => hitter.bounds(),
            None => Bounds { lower: 0.0, estimate: 0.0, upper: self.floor() as f64 },
        }
    }

    /// The counter of `item`, if it has one.
    pub fn get<Q>(&self, item: &Q) -> Option<Hitter<'_, T>>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        self.find(item.digest(self.seed), item).map(|at| self.hitter(&self.entries[at]))
    }

    /// The `k` items with the largest counts, largest first. O(k) plus a sort of the last bucket.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<Hitter<'_, T>> {
        largest(self.iter(), k)
    }

    /// The items that may have more than `share * N`: every one that has is among them.
    #[must_use]
    pub fn above(&self, share: f64) -> Vec<Hitter<'_, T>> {
        let least = share * self.total as f64;
        let may = |hitter: &Hitter<'_, T>| hitter.count as f64 > least;
        largest(self.iter().filter(may), usize::MAX)
    }

    /// All items kept, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        self.entries.iter().map(|entry| self.hitter(entry))
    }

    /// The most that an item not kept can have been added: the smallest count once all counters
    /// are taken, 0 before.
    #[must_use]
    pub fn floor(&self) -> u64 {
        if self.entries.len() < self.capacity { 0 } else { self.smallest() }
    }

    /// Items kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Counters.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// N: the weight added so far, at most `u64::MAX`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes held, those of the items on the heap included. O(m).
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.entries.capacity() * size_of::<Entry<T>>()
            + self.buckets.capacity() * size_of::<Bucket>()
            + self.index.memory()
            + self.entries.iter().map(|entry| entry.item.heap_bytes()).sum::<usize>()
    }

    /// Forgets everything, keeps the capacity.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.buckets.clear();
        self.index.clear();
        (self.free, self.first, self.total) = (NONE, NONE, 0);
    }

    fn hitter<'a>(&self, entry: &'a Entry<T>) -> Hitter<'a, T> {
        let count = self.buckets[entry.bucket as usize].count;
        Hitter { item: &entry.item, count, error: entry.error }
    }

    fn smallest(&self) -> u64 {
        if self.first == NONE { 0 } else { self.buckets[self.first as usize].count }
    }

    #[inline]
    fn find<Q>(&self, hash: u64, item: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.index.find(hash, |at| self.entries[at].item.borrow() == item)
    }

    /// A new counter, walking up from the smallest count.
    fn insert(&mut self, item: T, hash: u64, count: u64, error: u64) {
        let at = self.entries.len() as u32;
        if self.entries.len() == self.entries.capacity() {
            // Doubles, but never past the capacity.
            let more = self.entries.len().max(4).min(self.capacity - self.entries.len());
            self.entries.reserve_exact(more);
            self.buckets.reserve_exact(self.entries.capacity() + 1 - self.buckets.len());
        }
        self.entries.push(Entry { item, hash, error, bucket: NONE, before: NONE, after: NONE });
        self.index.insert(hash, at as usize);
        self.attach(at, count, NONE, self.first);
    }

    /// Moves a counter `n` up.
    #[inline]
    fn raise(&mut self, at: u32, n: u64) {
        let bucket = self.entries[at as usize].bucket;
        let Bucket { count, head, after, .. } = self.buckets[bucket as usize];
        let count = count.saturating_add(n);
        let alone = head == at && self.entries[at as usize].after == NONE;
        if alone && (after == NONE || count < self.buckets[after as usize].count) {
            self.buckets[bucket as usize].count = count;
            return;
        }
        self.detach(at);
        self.attach(at, count, bucket, after);
        if alone {
            self.drop_bucket(bucket);
        }
    }

    /// Puts a counter into the bucket of `count`, which is at or after `above`, itself after
    /// `below`; makes the bucket if there is none.
    fn attach(&mut self, at: u32, count: u64, mut below: u32, mut above: u32) {
        while above != NONE && self.buckets[above as usize].count < count {
            below = above;
            above = self.buckets[above as usize].after;
        }
        let fits = |b: u32| b != NONE && self.buckets[b as usize].count == count;
        let bucket = if fits(above) {
            above
        } else if fits(below) {
            below
        } else {
            self.new_bucket(count, below, above)
        };
        let head = core::mem::replace(&mut self.buckets[bucket as usize].head, at);
        if head != NONE {
            self.entries[head as usize].before = at;
        }
        let entry = &mut self.entries[at as usize];
        (entry.bucket, entry.before, entry.after) = (bucket, NONE, head);
    }

    fn detach(&mut self, at: u32) {
        let Entry { bucket, before, after, .. } = self.entries[at as usize];
        if before == NONE {
            self.buckets[bucket as usize].head = after;
        } else {
            self.entries[before as usize].after = after;
        }
        if after != NONE {
            self.entries[after as usize].before = before;
        }
    }

    fn new_bucket(&mut self, count: u64, before: u32, after: u32) -> u32 {
        let bucket = Bucket { count, head: NONE, before, after };
        let at = self.free;
        let at = if at == NONE {
            self.buckets.push(bucket);
            self.buckets.len() as u32 - 1
        } else {
            self.free = self.buckets[at as usize].after;
            self.buckets[at as usize] = bucket;
            at
        };
        if before == NONE {
            self.first = at;
        } else {
            self.buckets[before as usize].after = at;
        }
        if after != NONE {
            self.buckets[after as usize].before = at;
        }
        at
    }

    fn drop_bucket(&mut self, at: u32) {
        let Bucket { before, after, .. } = self.buckets[at as usize];
        if before == NONE {
            self.first = after;
        } else {
            self.buckets[before as usize].after = after;
        }
        if after != NONE {
            self.buckets[after as usize].before = before;
        }
        self.buckets[at as usize].after = self.free;
        self.free = at;
    }

    /// Divides all counts by `2^times`: counts rounded up, what is certain of them down.
    #[cfg(feature = "window")]
    pub(crate) fn halve_counts(&mut self, times: u32) {
        let counters = core::mem::take(&mut self.entries)
            .into_iter()
            .map(|Entry { item, hash, error, bucket, .. }| {
                let count = self.buckets[bucket as usize].count;
                let (count, error) = super::counter::halved(count, error, times);
                Counter { item, hash, count, error, met: true }
            })
            .collect();
        self.refill(counters, super::counter::halved_up(self.total, times));
    }

    /// Replaces the content by the largest of `counters`.
    fn refill(&mut self, mut counters: Vec<Counter<T>>, total: u64) {
        self.clear();
        self.total = total;
        // What is sorted is one number: the largest count first, then the place, so that the order
        // among equal counts is the same whatever the sort.
        let key =
            |(at, counter): (u32, &Counter<T>)| u128::from(!counter.count) << 32 | u128::from(at);
        let mut order: Vec<u128> = (0..).zip(&counters).map(key).collect();
        if order.len() > self.capacity {
            order.select_nth_unstable(self.capacity);
            order.truncate(self.capacity);
        }
        order.sort_unstable();
        // Falling counts: each is attached at the front, so no walk.
        for key in order {
            let at = key as u32;
            let Counter { item, hash, count, error, .. } = &mut counters[at as usize];
            self.insert(core::mem::take(item), *hash, *count, *error);
        }
    }
}

impl<T: Key> Merge for SpaceSaving<T> {
    /// An item kept by both adds up counts and errors; one kept by one side alone may have been
    /// added up to the other's floor there, which goes to its count and its error. The largest m
    /// stay.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("capacity", self.capacity as u64, other.capacity as u64)?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        let (our_floor, their_floor) = (self.floor(), other.floor());
        // Ours first, so that our index finds their place among all.
        let mut all: Vec<Counter<T>> = core::mem::take(&mut self.entries)
            .into_iter()
            .map(|Entry { item, hash, error, bucket, .. }| {
                let count = self.buckets[bucket as usize].count;
                Counter { item, hash, count, error, met: false }
            })
            .collect();
        let ours = all.len();
        for entry in &other.entries {
            let theirs = (other.buckets[entry.bucket as usize].count, entry.error);
            match self.index.find(entry.hash, |at| all[at].item == entry.item) {
                Some(at) => {
                    all[at].add(theirs);
                    all[at].met = true;
                }
                None => {
                    let (item, (count, error)) = (entry.item.clone(), theirs);
                    let mut counter = Counter { item, hash: entry.hash, count, error, met: true };
                    counter.add((our_floor, our_floor));
                    all.push(counter);
                }
            }
        }
        for counter in all[..ours].iter_mut().filter(|counter| !counter.met) {
            counter.add((their_floor, their_floor));
        }
        let total = self.total.saturating_add(other.total);
        self.refill(all, total);
        Ok(())
    }
}

/// A counter outside the structure: while summaries are merged or halved.
struct Counter<T> {
    item: T,
    hash: u64,
    count: u64,
    error: u64,
    /// Whether the other summary has had its say.
    met: bool,
}

impl<T> Counter<T> {
    fn add(&mut self, other: (u64, u64)) {
        (self.count, self.error) = add_pairs((self.count, self.error), other);
    }
}

/// Sums of counts and of errors that keep `count - error` when they saturate.
fn add_pairs(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    let sure = (a.0 - a.1).saturating_add(b.0 - b.1);
    let count = a.0.saturating_add(b.0);
    (count, count.saturating_sub(sure))
}

impl<T: Key> Wire for SpaceSaving<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::SPACE_SAVING, 1);
        out.varint(self.capacity as u64);
        out.u64(self.seed);
        out.varint(self.total);
        out.varint(self.len() as u64);
        // From the largest count down, in the order in which the buckets hold them, so that the
        // copy evicts in the same order: refilling puts each at the head of its bucket.
        let mut written = Vec::with_capacity(self.len());
        let mut bucket = self.first;
        while bucket != NONE {
            let Bucket { head, after, .. } = self.buckets[bucket as usize];
            let mut at = head;
            while at != NONE {
                written.push(at);
                at = self.entries[at as usize].after;
            }
            bucket = after;
        }
        for &at in written.iter().rev() {
            let entry = &self.entries[at as usize];
            let hitter = self.hitter(entry);
            out.varint(hitter.count);
            out.varint(hitter.error);
            entry.item.write(out);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::SPACE_SAVING, 1)?;
        let capacity = input.varint_up_to(Self::MAX_CAPACITY, "capacity")? as usize;
        if capacity == 0 {
            return Err(input.error("capacity", Why::Limit { value: 0, limit: 0 }));
        }
        let seed = input.u64("seed")?;
        let total = input.varint("total")?;
        let len = input.count(2 + T::LEAST, "length")?;
        if len > capacity {
            let why = Why::Limit { value: len as u64, limit: capacity as u64 };
            return Err(input.error("length", why));
        }
        let mut sketch = Self { seed, ..Self::build(capacity, len) };
        let mut last = u64::MAX;
        for _ in 0..len {
            let count = input.varint_up_to(last, "count")?;
            let error = input.varint_up_to(count, "error")?;
            let start = input.clone();
            let item = T::read(input)?;
            let hash = item.digest(seed);
            if count == 0 || sketch.find(hash, &item).is_some() {
                return Err(start.error("item", Why::Invalid("empty or twice")));
            }
            sketch.insert(item, hash, count, error);
            last = count;
        }
        sketch.total = total;
        Ok(sketch)
    }
}

serde_as_wire!([T: Key] SpaceSaving<T>);
