use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cmp::Reverse;

use archstone_core::hash::mix;

use super::hitter::{Hitter, largest};
use super::set_of_eight::{LAST, Set, Slot, WAYS, with_tag};
use crate::item::digest;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError};

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
    pub(super) sets: Vec<Set<T>>,
    pub(super) admission: Admission,
    pub(super) seed: u64,
    /// State of the coin.
    pub(super) coin: u64,
    pub(super) total: u64,
}

/// What happens to the smallest count of a full set when a newcomer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Nothing.
    Randomized,
    /// It is raised.
    Unbiased,
}

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

    pub(super) fn build(sets: usize) -> Self {
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
    pub(super) fn place(&self, hash: u64) -> (usize, u8) {
        // High half for the set (multiply-shift over any number of sets), low byte for the tag. At
        // least 2, so that the comparison below never mistakes an empty slot.
        let set = (hash >> 32).wrapping_mul(self.sets.len() as u64) >> 32;
        (set as usize, (hash as u8).max(2))
    }
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
