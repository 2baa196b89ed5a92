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

/// Space-Saving in sets of eight with randomized admission: the most frequent items at one or two
/// cache lines an update, on skewed and on flat streams.
///
/// A newcomer to a full set takes over the slot of its smallest count c only with probability
/// `1 / (c + 1)`, and then starts at `c + 1`; otherwise nothing changes (Ben Basat et al. 2017,
/// "Randomized admission policy for efficient top-k and frequency estimation"). So the crowd of
/// rare items neither sweeps out the frequent ones nor raises the smallest count above about the
/// square root of its number. An item belongs to one set of eight slots, as in a set-associative
/// cache, so an update looks at one set and there is no heap.
///
/// **Guarantee.** `truth >= count - error` always: that many were counted while the item had the
/// slot. On average over the coin the count, 0 for an item without a slot, is at most the truth.
/// While [`floor`](Self::floor) is 0 all counts are exact. An item is missed `t` times in a row
/// with probability below `exp(-t / (c + 1))`, c the smallest count of its set. There is no certain
/// upper bound: if you need one, take [`SpaceSaving`](super::SpaceSaving).
///
/// With [`unbiased`](Self::unbiased) the count of the slot is raised even when the newcomer is
/// turned away (Ting 2018, "Data sketches for disaggregated subset sum"). Then the mean of every
/// count, and of the sum over any set of items, is the truth, and all counts add up to N. The price
/// is that the smallest counts are about N / m, so on flat streams the list is worse: for sums over
/// groups of items, not for top lists.
///
/// **Memory** `17 + size_of::<T>()` bytes a slot, rounded up for alignment, plus the items' heap.
/// **Cost** one hash, one or two cache lines; no allocation unless an item is admitted.
///
/// ```
/// use archstone_sketch::frequency::SetSpaceSaving;
///
/// let mut ids = SetSpaceSaving::<u64>::new(1024)?;
/// for id in [7_u64, 9, 7] {
///     ids.add(&id);
/// }
/// assert_eq!((*ids.top(1)[0].item, ids.top(1)[0].count), (7, 2));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SetSpaceSaving<T> {
    sets: Vec<Set<T>>,
    admission: Admission,
    seed: u64,
    /// State of the coin.
    coin: u64,
    total: u64,
}

/// Slots of a set are in falling order of their counts, so the smallest is the last, and the most
/// frequent ones share the cache line of the tags.
#[derive(Clone, Debug)]
#[repr(C)]
struct Set<T> {
    /// A byte of the hash of each slot's item, slot 0 lowest, compared eight at once; 0 for an
    /// empty slot.
    tags: u64,
    slots: [Slot<T>; WAYS],
}

/// An item and its count, 0 when empty.
#[derive(Clone, Debug, Default)]
struct Slot<T> {
    count: u64,
    error: u64,
    item: T,
}

/// What happens to the smallest count of a full set when a newcomer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// Nothing.
    Randomized,
    /// It is raised.
    Unbiased,
}

const WAYS: usize = 8;
const LAST: usize = WAYS - 1;

impl<T: Key> SetSpaceSaving<T> {
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
        size_of::<Set<T>>()
    }

    fn build(sets: usize) -> Self {
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            admission: Admission::Randomized,
            seed: 0,
            coin: 0,
            total: 0,
        }
    }

    /// The same capacity, emptied, with counts that are right on average.
    #[must_use]
    pub fn unbiased(mut self) -> Self {
        self.clear();
        self.admission = Admission::Unbiased;
        self
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
        let set = &mut self.sets[set];
        if let Some(way) = set.way_of(tag, item) {
            let Set { tags, slots } = set;
            slots[way].count = slots[way].count.saturating_add(n);
            // The first slot compares with itself: one branch, hardly ever taken, in place of two of
            // which one cannot be predicted.
            if slots[way].count > slots[way.saturating_sub(1)].count {
                rise(tags, slots, way);
            }
            return None;
        }
        if n == 0 {
            return None;
        }
        let Set { tags, slots } = set;
        let last = &mut slots[LAST];
        let count = last.count;
        let mut expelled = None;
        if count == 0 {
            last.item = item.to_owned();
            *tags = with_tag(*tags, LAST, tag);
        } else if takes_over(&mut self.coin, n, count) {
            last.error = count;
            expelled = Some(core::mem::replace(&mut last.item, item.to_owned()));
            *tags = with_tag(*tags, LAST, tag);
        } else if self.admission == Admission::Unbiased {
            last.error = last.error.saturating_add(n);
        } else {
            return None;
        }
        last.count = count.saturating_add(n);
        if slots[LAST].count > slots[LAST - 1].count {
            rise(tags, slots, LAST);
        }
        expelled
    }

    /// What is known of `item`. The lower bound always holds. The upper one is the count plus eight
    /// times `c + 1`, c the smallest count of the item's set: tests on skewed, flat and adversarial
    /// streams find it to hold for more than 999 items of 1000; no proof says so.
    pub fn bounds<Q>(&self, item: &Q) -> Bounds
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        let (set, tag) = self.place(item.digest(self.seed));
        let set = &self.sets[set];
        let floor = set.slots[LAST].count as f64;
        let slack = if floor > 0.0 { (floor + 1.0) * 8.0 } else { 0.0 };
        match set.way_of(tag, item) {
            Some(way) => {
                let Slot { count, error, .. } = set.slots[way];
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
        let set = &self.sets[set];
        set.way_of(tag, item).map(|way| set.slots[way].hitter())
    }

    /// The `k` items with the largest counts, largest first. O(capacity + k log k).
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<Hitter<'_, T>> {
        largest(self.iter(), k)
    }

    /// All items kept, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Hitter<'_, T>> {
        self.sets.iter().flat_map(Set::used).map(Slot::hitter)
    }

    /// The largest count that a newcomer might have to compete with: the greatest of the sets'
    /// smallest counts. 0 while no set is full, and then every count is exact.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.sets.iter().map(|set| set.slots[LAST].count).max().unwrap_or(0)
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
            + self
                .sets
                .iter()
                .flat_map(|set| &set.slots)
                .map(|slot| slot.item.heap_bytes())
                .sum::<usize>()
    }

    /// Divides all counts by `2^times`: counts rounded up, what is certain of them down.
    #[cfg(feature = "window")]
    pub(crate) fn halve_counts(&mut self, times: u32) {
        for slot in self.sets.iter_mut().flat_map(|set| &mut set.slots) {
            (slot.count, slot.error) = super::counter::halved(slot.count, slot.error, times);
        }
        self.total = super::counter::halved_up(self.total, times);
    }

    /// Forgets everything, keeps the capacity.
    pub fn clear(&mut self) {
        let fresh = Self::build(self.sets.len());
        let (seed, admission) = (self.seed, self.admission);
        *self = Self { admission, seed, coin: mix(seed), ..fresh };
    }

    /// The set of a hash and its tag.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u8) {
        // High half for the set (multiply-shift over any number of sets), low byte for the tag. At
        // least 2, so that the comparison below never mistakes an empty slot.
        let set = (hash >> 32).wrapping_mul(self.sets.len() as u64) >> 32;
        (set as usize, (hash as u8).max(2))
    }
}

impl<T> Slot<T> {
    const fn hitter(&self) -> Hitter<'_, T> {
        Hitter { item: &self.item, count: self.count, error: self.error }
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

impl<T> Set<T> {
    fn used(&self) -> impl Iterator<Item = &Slot<T>> + Clone {
        self.slots.iter().take_while(|slot| slot.count > 0)
    }

    /// The slot that holds `item`: all eight tags at once, then the item itself.
    #[inline(always)]
    fn way_of<Q>(&self, tag: u8, item: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let differ = self.tags ^ LOW.wrapping_mul(tag.into());
        // A high bit for every zero byte; above a true one also for a byte of 1, another tag's.
        let mut equal = differ.wrapping_sub(LOW) & !differ & HIGH;
        while equal != 0 {
            let way = (equal.trailing_zeros() / 8) as usize & LAST;
            if self.slots[way].item.borrow() == item {
                return Some(way);
            }
            equal &= equal - 1;
        }
        None
    }
}

impl<T: Default> Default for Set<T> {
    fn default() -> Self {
        Self { tags: 0, slots: array::from_fn(|_| Slot::default()) }
    }
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
    let product = u128::from(random) * u128::from(count.saturating_add(n));
    ((product >> 64) as u64) < n
}

impl<T: Key> Merge for SetSpaceSaving<T> {
    /// Set by set: counts of an item that both keep add up; of what is then more than eight, the
    /// smallest go. When unbiased, the two smallest become one instead, which is either with the
    /// probability of its share: that keeps the sum, and the mean of every count.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("capacity", self.capacity() as u64, other.capacity() as u64)?;
        Incompatible::unless_equal("admission", self.admission as u64, other.admission as u64)?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        for set in 0..self.sets.len() {
            let ours = core::mem::take(&mut self.sets[set]);
            let ours = ours.slots.into_iter().filter(|slot| slot.count > 0);
            let mut all: Vec<Slot<T>> = Vec::with_capacity(2 * WAYS);
            all.extend(ours);
            for theirs in other.sets[set].used() {
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
            match self.admission {
                Admission::Randomized => all.truncate(WAYS),
                Admission::Unbiased => {
                    while all.len() > WAYS {
                        self.join_smallest(&mut all);
                    }
                }
            }
            self.fill(set, all);
        }
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }
}

impl<T: Key> SetSpaceSaving<T> {
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
        for (way, slot) in slots.into_iter().enumerate() {
            let (_, tag) = self.place(slot.item.digest(self.seed));
            self.sets[set].tags = with_tag(self.sets[set].tags, way, tag);
            self.sets[set].slots[way] = slot;
        }
    }
}

impl<T> Slot<T> {
    const fn sure(&self) -> u64 {
        self.count - self.error
    }
}

impl<T: Key> Wire for SetSpaceSaving<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::SET_SPACE_SAVING, 1);
        out.u8(self.admission as u8);
        out.u64(self.seed);
        out.u64(self.coin);
        out.varint(self.total);
        out.varint(self.sets.len() as u64);
        for set in &self.sets {
            // The tags follow from the items; they stand here so that a set takes at least nine
            // bytes, and a short input cannot ask for a large table.
            out.u64(set.tags);
            out.u8(set.used().count() as u8);
            for slot in set.used() {
                out.varint(slot.count);
                out.varint(slot.error);
                slot.item.write(out);
            }
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::SET_SPACE_SAVING, 1)?;
        let admission = match input.u8("admission")? {
            0 => Admission::Randomized,
            1 => Admission::Unbiased,
            _ => return Err(input.error("admission", Why::Invalid("unknown"))),
        };
        let seed = input.u64("seed")?;
        let coin = input.u64("coin")?;
        let total = input.varint("total")?;
        let sets = input.count(9, "sets")?;
        if sets == 0 || sets as u64 > Self::MAX_CAPACITY / WAYS as u64 {
            return Err(input.error("sets", Why::Invalid("none, or too many")));
        }
        let mut sketch = Self { admission, seed, coin, total, ..Self::build(sets) };
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
                let Set { tags, slots } = &mut sketch.sets[set];
                if count == 0 || home != set || slots[..way].iter().any(|slot| slot.item == item) {
                    return Err(start.error("item", Why::Invalid("empty, twice or elsewhere")));
                }
                slots[way] = Slot { count, error, item };
                *tags = with_tag(*tags, way, tag);
                last = count;
            }
            if sketch.sets[set].tags != tags {
                return Err(start.error("tags", Why::Invalid("not those of the items")));
            }
        }
        Ok(sketch)
    }
}

serde_as_wire!([T: Key] SetSpaceSaving<T>);
