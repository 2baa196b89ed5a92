use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::array;
use core::borrow::Borrow;
use core::cmp::Reverse;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};
use archstone_core::hash::mix;

use super::hitter::{Hitter, largest};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError, Wire, kinds};

/// Unbiased Space-Saving in sets of eight: the most frequent items at one or two cache lines an
/// update, on skewed and on flat streams.
///
/// A newcomer to a full set takes over the slot of its smallest count c only with probability
/// `1 / (c + 1)`; the count is raised either way (Ting 2018, "Data sketches for disaggregated
/// subset sum"). So the crowd of rare items no longer sweeps out the frequent ones, and the counts
/// are right on average. An item belongs to one set of eight slots, as in a set-associative cache,
/// so an update looks at one set and there is no heap.
///
/// **Guarantee.** `truth >= count - error` always: that many were counted while the item had the
/// slot. The count is unbiased: its mean, with 0 when the item is not kept, is the truth. While
/// [`floor`](Self::floor) is 0 all counts are exact. The counts of all items add up to N. An item
/// is missed `t` times in a row with probability below `exp(-t / (c + 1))`, c the smallest count of
/// its set. There is no certain upper bound: if you need one, take
/// [`SpaceSaving`](super::SpaceSaving).
///
/// **Memory** `17 + size_of::<T>()` bytes a slot, rounded up for alignment, plus the items' heap.
/// **Cost** one hash, one or two cache lines; no allocation unless an item is admitted.
///
/// ```
/// use archstone_sketch::frequency::UnbiasedSpaceSaving;
///
/// let mut ids = UnbiasedSpaceSaving::<u64>::new(1024)?;
/// for id in [7_u64, 9, 7] {
///     ids.add(&id);
/// }
/// assert_eq!((*ids.top(1)[0].item, ids.top(1)[0].count), (7, 2));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct UnbiasedSpaceSaving<T> {
    /// A byte of the hash of each slot's item, slot 0 lowest; compared eight at once.
    tags: Vec<u64>,
    sets: Vec<[Slot<T>; WAYS]>,
    seed: u64,
    /// State of the coin.
    coin: u64,
    total: u64,
}

/// Slots of a set are in falling order of their counts, so the smallest is the last, and the most
/// frequent item of a set is met first. An empty slot has count 0.
#[derive(Clone, Debug, Default)]
struct Slot<T> {
    count: u64,
    error: u64,
    item: T,
}

const WAYS: usize = 8;
const LAST: usize = WAYS - 1;

impl<T: Key> UnbiasedSpaceSaving<T> {
    /// The most slots.
    pub const MAX_CAPACITY: u64 = 1 << 28;

    /// `capacity` slots, rounded up to a multiple of eight.
    ///
    /// # Errors
    /// When it is 0 or over [`MAX_CAPACITY`](Self::MAX_CAPACITY).
    pub fn new(capacity: usize) -> Result<Self, ParamError> {
        ParamError::whole("capacity", capacity as u64, 1, Self::MAX_CAPACITY)?;
        Ok(Self::build(capacity.div_ceil(WAYS)))
    }

    /// As many slots as `bytes` hold, without the items' heap.
    ///
    /// # Errors
    /// When not even one set of eight fits, or over [`MAX_CAPACITY`](Self::MAX_CAPACITY).
    pub fn with_memory(bytes: usize) -> Result<Self, ParamError> {
        let set = Self::set_bytes();
        let least = (set + size_of::<Self>()) as u64;
        ParamError::whole("bytes", bytes as u64, least, u64::MAX)?;
        Self::new((bytes - size_of::<Self>()) / set * WAYS)
    }

    pub(super) const fn set_bytes() -> usize {
        size_of::<u64>() + size_of::<[Slot<T>; WAYS]>()
    }

    fn build(sets: usize) -> Self {
        Self {
            tags: alloc::vec![0; sets],
            sets: (0..sets).map(|_| array::from_fn(|_| Slot::default())).collect(),
            seed: 0,
            coin: 0,
            total: 0,
        }
    }

    /// The same capacity under another seed of hash and coin, emptied.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.clear();
        self.seed = seed;
        self.coin = mix(seed);
        self
    }

    /// Adds one of `item`; returns the item that lost its slot to it.
    #[inline]
    pub fn add<Q>(&mut self, item: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.add_n(item, 1)
    }

    /// Adds `n` of `item`; returns the item that lost its slot to it.
    #[inline]
    pub fn add_n<Q>(&mut self, item: &Q, n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.total = self.total.saturating_add(n);
        let (set, tag) = self.place(item.digest(self.seed));
        let tags = &mut self.tags[set];
        let slots = &mut self.sets[set];
        if let Some(way) = way_of(*tags, slots, tag, item) {
            slots[way].count = slots[way].count.saturating_add(n);
            if way > 0 && slots[way].count > slots[way - 1].count {
                rise(tags, slots, way);
            }
            return None;
        }
        if n == 0 {
            return None;
        }
        let last = &mut slots[LAST];
        let count = last.count;
        last.count = count.saturating_add(n);
        let mut expelled = None;
        if count == 0 {
            last.item = item.to_owned();
            *tags = with_tag(*tags, LAST, tag);
        } else if takes_over(&mut self.coin, n, count) {
            last.error = count;
            expelled = Some(core::mem::replace(&mut last.item, item.to_owned()));
            *tags = with_tag(*tags, LAST, tag);
        } else {
            last.error = last.error.saturating_add(n);
        }
        if slots[LAST].count > slots[LAST - 1].count {
            rise(tags, slots, LAST);
        }
        expelled
    }

    /// What is known of `item`. The lower bound always holds. The upper one is the count plus seven
    /// times the smallest count of the item's set, which tests on skewed, flat and adversarial
    /// streams find to hold for more than 999 items of 1000; no proof says so.
    pub fn bounds<Q>(&self, item: &Q) -> Bounds
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        let (set, tag) = self.place(item.digest(self.seed));
        let slots = &self.sets[set];
        let slack = slots[LAST].count as f64 * 7.0;
        match way_of(self.tags[set], slots, tag, item) {
            Some(way) => {
                let Slot { count, error, .. } = slots[way];
                let estimate = count as f64;
                Bounds { lower: (count - error) as f64, estimate, upper: estimate + slack }
            }
            None => Bounds { lower: 0.0, estimate: 0.0, upper: slack },
        }
    }

    /// The slot of `item`, if it has one.
    pub fn get<Q>(&self, item: &Q) -> Option<Hitter<'_, T>>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        let (set, tag) = self.place(item.digest(self.seed));
        way_of(self.tags[set], &self.sets[set], tag, item).map(|way| self.sets[set][way].hitter())
    }

    /// The `k` items with the largest counts, largest first. O(capacity + k log k).
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<Hitter<'_, T>> {
        largest(self.iter(), k)
    }

    /// All items kept, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        self.sets.iter().flatten().filter(|slot| slot.count > 0).map(Slot::hitter)
    }

    /// The largest count that a newcomer might have to compete with: the greatest of the sets'
    /// smallest counts. 0 while no set is full, and then every count is exact.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.sets.iter().map(|slots| slots[LAST].count).max().unwrap_or(0)
    }

    /// Items kept. O(capacity).
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// N: the weight added so far, at most `u64::MAX`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes held, those of the items on the heap included. O(capacity).
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.sets.len() * Self::set_bytes()
            + self.sets.iter().flatten().map(|slot| slot.item.heap_bytes()).sum::<usize>()
    }

    /// Forgets everything, keeps the capacity.
    pub fn clear(&mut self) {
        let fresh = Self::build(self.sets.len());
        *self = Self { seed: self.seed, coin: mix(self.seed), ..fresh };
    }

    /// The set of a hash and its tag.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u8) {
        // High half for the set (multiply-shift over any number of sets), low byte for the tag.
        let set = (hash >> 32).wrapping_mul(self.sets.len() as u64) >> 32;
        (set as usize, hash as u8)
    }
}

impl<T> Slot<T> {
    const fn hitter(&self) -> Hitter<'_, T> {
        Hitter { item: &self.item, count: self.count, error: self.error }
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// The slot that holds `item`: all eight tags at once, then the item itself.
#[inline(always)]
fn way_of<T, Q>(tags: u64, slots: &[Slot<T>; WAYS], tag: u8, item: &Q) -> Option<usize>
where
    T: Borrow<Q>,
    Q: Eq + ?Sized,
{
    let differ = tags ^ LOW.wrapping_mul(tag.into());
    // A high bit for every zero byte; now and then one too many above a true one.
    let mut equal = differ.wrapping_sub(LOW) & !differ & HIGH;
    while equal != 0 {
        let way = (equal.trailing_zeros() / 8) as usize & LAST;
        if slots[way].item.borrow() == item && slots[way].count > 0 {
            return Some(way);
        }
        equal &= equal - 1;
    }
    None
}

#[inline(always)]
const fn with_tag(tags: u64, way: usize, tag: u8) -> u64 {
    tags & !(0xFF << (8 * way)) | (tag as u64) << (8 * way)
}

/// Restores the falling order after the count of `way` has grown.
#[inline]
fn rise<T>(tags: &mut u64, slots: &mut [Slot<T>; WAYS], way: usize) {
    let mut to = way - 1;
    while to > 0 && slots[way].count > slots[to - 1].count {
        to -= 1;
    }
    // A swap, not a rotation, is enough among equal counts, and they are the usual case.
    if slots[to].count == slots[way - 1].count {
        slots.swap(to, way);
        let (a, b) = ((*tags >> (8 * to)) as u8, (*tags >> (8 * way)) as u8);
        *tags = with_tag(with_tag(*tags, to, b), way, a);
    } else {
        slots[to..=way].rotate_right(1);
        let mut bytes = tags.to_le_bytes();
        bytes[to..=way].rotate_right(1);
        *tags = u64::from_le_bytes(bytes);
    }
}

/// True with probability `n / (count + n)`.
#[inline]
fn takes_over(coin: &mut u64, n: u64, count: u64) -> bool {
    *coin = coin.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let product = u128::from(*coin).wrapping_mul(u128::from(*coin ^ 0xD6E8_FEB8_6659_FD93));
    let random = product as u64 ^ (product >> 64) as u64;
    (u128::from(random) * (u128::from(count) + u128::from(n))) >> 64 < u128::from(n)
}

impl<T: Key> Merge for UnbiasedSpaceSaving<T> {
    /// Set by set: counts of an item that both keep add up; then, while there are more than eight,
    /// the two smallest become one, which is either with the probability of its share. That keeps
    /// the sum and the mean of every count.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("capacity", self.capacity() as u64, other.capacity() as u64)?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        for set in 0..self.sets.len() {
            let slots =
                core::mem::replace(&mut self.sets[set], array::from_fn(|_| Slot::default()));
            let ours = slots.into_iter().filter(|slot| slot.count > 0);
            let mut all: Vec<Slot<T>> = Vec::with_capacity(2 * WAYS);
            all.extend(ours);
            for theirs in other.sets[set].iter().filter(|slot| slot.count > 0) {
                match all.iter_mut().find(|slot| slot.item == theirs.item) {
                    Some(slot) => {
                        let sure = slot.sure().saturating_add(theirs.sure());
                        slot.count = slot.count.saturating_add(theirs.count);
                        slot.error = slot.count.saturating_sub(sure);
                    }
                    None => all.push(theirs.clone()),
                }
            }
            all.sort_by_key(|slot| Reverse(slot.count));
            while all.len() > WAYS {
                self.join_smallest(&mut all);
            }
            self.fill(set, all);
        }
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }
}

impl<T: Key> UnbiasedSpaceSaving<T> {
    fn join_smallest(&mut self, slots: &mut Vec<Slot<T>>) {
        let (Some(a), Some(b)) = (slots.pop(), slots.pop()) else { return };
        let (mut kept, lost) =
            if takes_over(&mut self.coin, a.count, b.count) { (a, b) } else { (b, a) };
        kept.count = kept.count.saturating_add(lost.count);
        kept.error = kept.error.saturating_add(lost.count);
        let at = slots.partition_point(|slot| slot.count > kept.count);
        slots.insert(at, kept);
    }

    /// Fills an empty set with at most eight slots in falling order.
    fn fill(&mut self, set: usize, slots: Vec<Slot<T>>) {
        self.tags[set] = 0;
        for (way, slot) in slots.into_iter().enumerate() {
            let (_, tag) = self.place(slot.item.digest(self.seed));
            self.tags[set] = with_tag(self.tags[set], way, tag);
            self.sets[set][way] = slot;
        }
    }
}

impl<T> Slot<T> {
    const fn sure(&self) -> u64 {
        self.count - self.error
    }
}

impl<T: Key> Wire for UnbiasedSpaceSaving<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::UNBIASED_SPACE_SAVING, 1);
        out.u64(self.seed);
        out.u64(self.coin);
        out.varint(self.total);
        out.varint(self.sets.len() as u64);
        for (tags, slots) in self.tags.iter().zip(&self.sets) {
            // The tags follow from the items; they stand here so that a set takes at least nine
            // bytes, and a short input cannot ask for a large table.
            out.u64(*tags);
            let used = slots.iter().filter(|slot| slot.count > 0);
            out.u8(used.clone().count() as u8);
            for slot in used {
                out.varint(slot.count);
                out.varint(slot.error);
                slot.item.write(out);
            }
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::UNBIASED_SPACE_SAVING, 1)?;
        let seed = input.u64("seed")?;
        let coin = input.u64("coin")?;
        let total = input.varint("total")?;
        let sets = input.count(9, "sets")?;
        if sets == 0 || sets as u64 > Self::MAX_CAPACITY / WAYS as u64 {
            return Err(input.error("sets", Why::Invalid("none, or too many")));
        }
        let mut sketch = Self { seed, coin, total, ..Self::build(sets) };
        for set in 0..sets {
            let start = input.clone();
            let tags = input.u64("tags")?;
            let used = usize::from(input.u8("slots used")?);
            if used > WAYS {
                let why = Why::Limit { value: used as u64, limit: WAYS as u64 };
                return Err(start.error("slots used", why));
            }
            let mut last = u64::MAX;
            for way in 0..used {
                let count = input.varint_up_to(last, "count")?;
                let error = input.varint_up_to(count, "error")?;
                let start = input.clone();
                let item = T::read(input)?;
                let (home, tag) = sketch.place(item.digest(seed));
                let slots = &mut sketch.sets[set];
                if count == 0 || home != set || slots[..way].iter().any(|slot| slot.item == item) {
                    return Err(start.error("item", Why::Invalid("empty, twice or elsewhere")));
                }
                slots[way] = Slot { count, error, item };
                sketch.tags[set] = with_tag(sketch.tags[set], way, tag);
                last = count;
            }
            if sketch.tags[set] != tags {
                return Err(start.error("tags", Why::Invalid("not those of the items")));
            }
        }
        Ok(sketch)
    }
}

serde_as_wire!([T: Key] UnbiasedSpaceSaving<T>);
