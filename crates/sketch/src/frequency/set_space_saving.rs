use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::array;
use core::borrow::Borrow;
use core::cmp::Reverse;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};
use archstone_core::hash::mix;

use super::hitter::{Hitter, largest};
use crate::item::digest;
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

/// The last slot has the smallest count (an empty one while there is any); the others are in no order,
/// so that a hit is an addition and nothing else. While a set is not full, what it holds comes first.
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
    #[inline(always)]
    pub fn add<Q>(&mut self, item: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.add_n(item, 1)
    }

    /// Adds `n` of `item`; returns the item that lost its slot to it.
    #[inline(always)]
    pub fn add_n<Q>(&mut self, item: &Q, n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.total = self.total.saturating_add(n);
        let (at, tag) = self.place(digest(item, self.seed));
        let set = &mut self.sets[at];
        if !T::WORD {
            return match set.way_of(tag, item) {
                Some(way) => self.hit(at, way, n),
                None => self.miss(item, (at, tag), n),
            };
        }
        // Whether an item is there nobody foresees, so hits and newcomers that are turned away, which
        // are nearly all events, take one path without a branch between them: the slot that the tags
        // point at gets n or 0.
        let equal = set.equal(tag);
        let way = (equal.trailing_zeros() / 8) as usize & LAST;
        let hit = (equal != 0) & (set.slots[way].item.borrow() == item);
        self.coin = toss(self.coin);
        let turned_away = (equal == 0)
            & (self.admission == Admission::Randomized)
            & !takes_over(self.coin, n, set.slots[LAST].count);
        // They exclude each other. The compiler makes two branches of an "or", one of an "xor".
        if turned_away ^ (hit & (way != LAST)) {
            let slot = &mut set.slots[way];
            slot.count = slot.count.saturating_add(if hit { n } else { 0 });
            return None;
        }
        match set.way_of(tag, item) {
            Some(way) => self.hit(at, way, n),
            None => self.admit(item, (at, tag), n),
        }
    }

    #[inline(always)]
    fn hit(&mut self, at: usize, way: usize, n: u64) -> Option<T> {
        let set = &mut self.sets[at];
        set.slots[way].count = set.slots[way].count.saturating_add(n);
        if way == LAST {
            set.settle();
        }
        None
    }

    #[inline(always)]
    fn miss<Q>(&mut self, item: &Q, (at, tag): (usize, u8), n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.coin = toss(self.coin);
        let count = self.sets[at].slots[LAST].count;
        if self.admission == Admission::Randomized && !takes_over(self.coin, n, count) {
            return None;
        }
        self.admit(item, (at, tag), n)
    }

    /// The rest of [`add_n`](Self::add_n): `item` has no slot in its set; it takes the last one, or,
    /// when unbiased and the coin is against it, raises its count.
    #[inline(never)]
    fn admit<Q>(&mut self, item: &Q, (at, tag): (usize, u8), n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if n == 0 {
            return None;
        }
        let set = &mut self.sets[at];
        let last = &mut set.slots[LAST];
        let count = last.count;
        let mut expelled = None;
        if count == 0 {
            last.item = item.to_owned();
            set.tags = with_tag(set.tags, LAST, tag);
        } else if takes_over(self.coin, n, count) {
            last.error = count;
            expelled = Some(core::mem::replace(&mut last.item, item.to_owned()));
            set.tags = with_tag(set.tags, LAST, tag);
        } else {
            last.error = last.error.saturating_add(n);
        }
        last.count = count.saturating_add(n);
        set.settle();
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
        let (set, tag) = self.place(digest(item, self.seed));
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
        let (set, tag) = self.place(digest(item, self.seed));
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

    /// Makes the last slot the smallest again, after its count has grown.
    #[inline(never)]
    fn settle(&mut self) {
        let mut least = LAST;
        for way in (0..LAST).rev() {
            // The first of the equal ones, so that empty slots stay at the end.
            if self.slots[way].count < self.slots[LAST].count
                && self.slots[way].count <= self.slots[least].count
            {
                least = way;
            }
        }
        let (a, b) = ((self.tags >> (8 * least)) as u8, (self.tags >> (8 * LAST)) as u8);
        self.tags = with_tag(with_tag(self.tags, least, b), LAST, a);
        self.slots.swap(least, LAST);
    }

    /// The high bit of every byte that is `tag`; above a true one it may be set for another tag too.
    #[inline(always)]
    const fn equal(&self, tag: u8) -> u64 {
        let differ = self.tags ^ LOW.wrapping_mul(tag as u64);
        differ.wrapping_sub(LOW) & !differ & HIGH
    }

    /// The slot that holds `item`: all eight tags at once, then the item itself.
    #[inline(always)]
    fn way_of<Q>(&self, tag: u8, item: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut equal = self.equal(tag);
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

/// The next state of the coin: a linear congruential generator of full period (Knuth's multiplier),
/// of which only the upper bits are looked at.
#[inline(always)]
const fn toss(coin: u64) -> u64 {
    coin.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// True with probability `n / (count + n)`; always when the count is 0, never when n is.
#[inline(always)]
fn takes_over(coin: u64, n: u64, count: u64) -> bool {
    let product = u128::from(coin) * u128::from(count.saturating_add(n));
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
        for (at, theirs) in other.sets.iter().enumerate() {
            match self.admission {
                Admission::Randomized => self.sets[at].take_largest(theirs),
                Admission::Unbiased => self.join(at, theirs),
            }
        }
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }
}

impl<T: Key> Set<T> {
    /// The eight largest of both sets.
    fn take_largest(&mut self, other: &Self) {
        let mut new = [0; WAYS];
        let mut news = 0;
        for (way, theirs) in other.used().enumerate() {
            match self.way_of((other.tags >> (8 * way)) as u8, &theirs.item) {
                Some(at) => self.slots[at].add(theirs),
                None => {
                    new[news] = way;
                    news += 1;
                }
            }
        }
        self.settle();
        for &way in &new[..news] {
            let theirs = &other.slots[way];
            if theirs.count > self.slots[LAST].count {
                self.slots[LAST] = theirs.clone();
                self.tags = with_tag(self.tags, LAST, (other.tags >> (8 * way)) as u8);
                self.settle();
            }
        }
    }
}

impl<T> Slot<T> {
    /// Adds the counts, and what is certain of them.
    const fn add(&mut self, other: &Self) {
        let sure = self.sure().saturating_add(other.sure());
        self.count = self.count.saturating_add(other.count);
        self.error = self.count.saturating_sub(sure);
    }
}

impl<T: Key> SetSpaceSaving<T> {
    /// All of both sets, the two smallest becoming one until eight are left.
    fn join(&mut self, set: usize, theirs: &Set<T>) {
        let ours = core::mem::take(&mut self.sets[set]);
        let mut all = Vec::with_capacity(2 * WAYS);
        all.extend(ours.slots.into_iter().filter(|slot| slot.count > 0));
        for theirs in theirs.used() {
            match all.iter_mut().find(|slot: &&mut Slot<T>| slot.item == theirs.item) {
                Some(slot) => slot.add(theirs),
                None => all.push(theirs.clone()),
            }
        }
        all.sort_by_key(|slot| Reverse(slot.count));
        while all.len() > WAYS {
            self.join_smallest(&mut all);
        }
        self.fill(set, all);
    }

    fn join_smallest(&mut self, slots: &mut Vec<Slot<T>>) {
        let (Some(a), Some(b)) = (slots.pop(), slots.pop()) else { return };
        self.coin = toss(self.coin);
        let (mut kept, lost) =
            if takes_over(self.coin, a.count, b.count) { (a, b) } else { (b, a) };
        kept.count = kept.count.saturating_add(lost.count);
        kept.error = kept.error.saturating_add(lost.count);
        let at = slots.partition_point(|slot| slot.count > kept.count);
        slots.insert(at, kept);
    }

    /// Fills an empty set with at most eight slots, the smallest last.
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
            for way in 0..used {
                let count = input.varint("count")?;
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
            }
            let slots = &sketch.sets[set].slots;
            if slots.iter().any(|slot| slot.count < slots[LAST].count) {
                return Err(start.error("counts", Why::Invalid("the smallest is not the last")));
            }
            if sketch.sets[set].tags != tags {
                return Err(start.error("tags", Why::Invalid("not those of the items")));
            }
        }
        Ok(sketch)
    }
}

serde_as_wire!([T: Key] SetSpaceSaving<T>);
