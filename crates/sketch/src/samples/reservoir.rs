use alloc::vec::Vec;

use super::random::Random;
use super::{MOST, share};
use crate::math::{exp, expm1, floor, ln, log1p};
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};
use crate::{Bounds, Incompatible, Key, Merge, ParamError, kinds};

/// A uniform sample of a stream of any length: each item so far is in it with equal chance.
///
/// Answers: what are typical items, what share of the stream is like this? Memory: `capacity`
/// items. Cost: one comparison an item; only about `capacity ln(n / capacity)` of n items are drawn
/// for. Source: Li 1994, algorithm L.
///
/// Not for the largest or the most frequent items, which a sample may miss.
///
/// ```
/// use archstone_sketch::samples::Reservoir;
///
/// let mut requests = Reservoir::new(100, 7)?;
/// for id in 0..1_000_000_u32 {
///     requests.add(id);
/// }
/// assert_eq!((requests.items().len(), requests.seen()), (100, 1_000_000));
/// assert!(requests.share(3.0, |id| id % 2 == 0).contains(0.5));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reservoir<T> {
    capacity: usize,
    seen: u64,
    random: Random,
    /// The largest of the `capacity` smallest of `seen` uniform numbers; 1 until full.
    threshold: f64,
    /// Which item, counted from 1, comes in next; 0 until full.
    next: u64,
    items: Vec<T>,
}

impl<T> Reservoir<T> {
    /// An empty sample of at most `capacity` items.
    ///
    /// # Errors
    /// When `capacity` is 0 or more than 2^32.
    pub fn new(capacity: u64, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("capacity", capacity, 1, MOST.min(usize::MAX as u64))?;
        let (capacity, random) = (capacity as usize, Random::new(seed));
        Ok(Self { capacity, seen: 0, random, threshold: 1.0, next: 0, items: Vec::new() })
    }

    /// Sees one item.
    #[inline]
    pub fn add(&mut self, item: T) {
        self.seen = self.seen.saturating_add(1);
        if self.items.len() < self.capacity {
            self.items.push(item);
            if self.items.len() == self.capacity {
                self.draw_next();
            }
        } else if self.seen == self.next {
            let slot = self.random.below(self.capacity);
            self.items[slot] = item;
            self.draw_next();
        }
    }

    /// The sample, in no order that means anything.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// Items seen.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// The most items kept.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The share of the stream that `like` holds for, with the bounds of `sigmas` standard
    /// deviations; exact while every item seen is in the sample. 0 to 1 for an empty sample.
    #[must_use]
    pub fn share(&self, sigmas: f64, like: impl Fn(&T) -> bool) -> Bounds {
        let hits = self.items.iter().filter(|item| like(item)).count() as u64;
        match self.items.len() as u64 {
            0 => Bounds { lower: 0.0, estimate: 0.5, upper: 1.0 },
            all if all == self.seen => Bounds::exact(hits as f64 / all as f64),
            all => share(hits, all, sigmas.max(0.0)),
        }
    }

    #[cold]
    fn draw_next(&mut self) {
        self.threshold *= exp(ln(self.random.unit()) / self.capacity as f64);
        self.skip();
    }

    /// How many items pass by until one is under the threshold: a geometric number.
    fn skip(&mut self) {
        let passed = floor(ln(self.random.unit()) / log1p(-self.threshold));
        // A threshold that is 0 in floating point: nothing comes in any more. `as` saturates.
        self.next = self.seen.saturating_add(passed as u64).saturating_add(1);
    }
}

/// The sample of the joined stream: each item of both with equal chance. O(capacity).
impl<T: Clone> Merge for Reservoir<T> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("capacity", self.capacity as u64, other.capacity as u64)?;
        if other.seen == 0 {
            return Ok(());
        }
        self.random.merge(other.random);
        // Draw from the two streams without putting back: the next one is of ours with the share
        // of ours that is left, and any of our sample with equal chance.
        let (mut ours, mut theirs) = (core::mem::take(&mut self.items), other.items.clone());
        let (mut our_rest, mut their_rest) = (self.seen, other.seen);
        while self.items.len() < self.capacity && !(ours.is_empty() && theirs.is_empty()) {
            let all = u128::from(our_rest) + u128::from(their_rest);
            let drawn = (u128::from(self.random.word()) * all) >> 64;
            let (from, rest) = if drawn < u128::from(our_rest) {
                (&mut ours, &mut our_rest)
            } else {
                (&mut theirs, &mut their_rest)
            };
            // Both are empty only at the end of streams that saturated at 2^64.
            if from.is_empty() {
                *rest = 0;
                continue;
            }
            *rest -= 1;
            let at = self.random.below(from.len());
            self.items.push(from.swap_remove(at));
        }
        self.seen = self.seen.saturating_add(other.seen);
        if self.items.len() == self.capacity {
            self.draw_threshold();
            self.skip();
        }
        Ok(())
    }
}

impl<T> Reservoir<T> {
    /// A threshold as if the whole stream had been seen here: the `capacity`-th smallest of `seen`
    /// uniform numbers, from the spacings between them (Devroye 1986, V.3).
    fn draw_threshold(&mut self) {
        let left = |i: usize| (self.seen - i as u64).max(1) as f64;
        let mut sum = 0.0;
        let mut random = self.random;
        for i in 0..self.capacity {
            sum += ln(random.unit()) / left(i);
        }
        self.random = random;
        self.threshold = -expm1(sum);
    }
}

impl<T: Key> Wire for Reservoir<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::RESERVOIR, 1);
        out.varint(self.capacity as u64);
        out.varint(self.seen);
        out.u64(self.random.0);
        out.f64(self.threshold);
        out.varint(self.next);
        out.varint(self.items.len() as u64);
        self.items.iter().for_each(|item| item.write(out));
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::RESERVOIR, 1)?;
        let start = input.clone();
        let wrong = |why| start.error("state of the sample", Why::Invalid(why));
        let capacity = input.varint_up_to(MOST.min(usize::MAX as u64), "capacity")? as usize;
        let seen = input.varint("seen")?;
        let random = Random(input.u64("generator")?);
        let threshold = input.f64("threshold")?;
        let next = input.varint("next")?;
        let count = input.count(T::LEAST, "items")?;
        if capacity == 0 || count as u64 != seen.min(capacity as u64) {
            return Err(wrong("as many items as were seen, up to the capacity, above 0"));
        }
        let valid = if count < capacity {
            threshold.to_bits() == 1.0_f64.to_bits() && next == 0
        } else {
            (0.0..=1.0).contains(&threshold) && threshold.is_sign_positive() && next >= seen
        };
        if !valid {
            return Err(wrong("a threshold from 0 to 1 and a next item not yet seen"));
        }
        let items = (0..count).map(|_| T::read(input)).collect::<Result<_, _>>()?;
        Ok(Self { capacity, seen, random, threshold, next, items })
    }
}
serde_as_wire!([T: Key] Reservoir<T>);
