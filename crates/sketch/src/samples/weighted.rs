use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::MOST;
use super::random::Random;
use crate::math::{expm1, log1p, sqrt};
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};
use crate::{Bounds, Incompatible, Key, Merge, ParamError, kinds};

/// The most an item may weigh: sums and ranks stay finite.
const MOST_WEIGHT: f64 = 1e300;

/// A sample by weight: drawn one after the other without putting back, each in proportion to its
/// weight among those that are left.
///
/// Answers: which items carry the weight; what do those that are like this sum up to? An item of
/// weight w gets an exponential rank of rate w, the `capacity` smallest ranks are kept. The sums
/// are unbiased, with a standard deviation of at most `total / sqrt(capacity - 2)`. Memory:
/// `capacity` items and 16 bytes each. Cost: one subtraction an item; about
/// `capacity ln(n / capacity)` of n items are drawn for and cost O(log capacity). Source: Efraimidis
/// and Spirakis 2006 (A-ExpJ); sums: Cohen and Kaplan 2007, rank conditioning.
///
/// ```
/// use archstone_sketch::samples::WeightedReservoir;
///
/// let mut bytes = WeightedReservoir::new(64, 7)?;
/// for request in 0..10_000_u64 {
///     bytes.add(request, 100.0 + (request % 7) as f64)?;
/// }
/// let even = bytes.subset_sum(4.0, |request| request % 2 == 0);
/// assert!(even.contains(5_000.0 * 103.0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WeightedReservoir<T> {
    capacity: usize,
    seen: u64,
    total: f64,
    random: Random,
    /// Weight to let pass before the next item comes in; 0 until full.
    jump: f64,
    /// The largest rank on top.
    heap: BinaryHeap<Ranked<T>>,
}

#[derive(Clone, Debug)]
struct Ranked<T> {
    rank: f64,
    weight: f64,
    item: T,
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.total_cmp(&other.rank).then(self.weight.total_cmp(&other.weight))
    }
}
impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T> Eq for Ranked<T> {}

impl<T> WeightedReservoir<T> {
    /// An empty sample of at most `capacity` items.
    ///
    /// # Errors
    /// When `capacity` is 0 or more than 2^32.
    pub fn new(capacity: u64, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("capacity", capacity, 1, MOST.min(usize::MAX as u64))?;
        let (capacity, random) = (capacity as usize, Random::new(seed));
        Ok(Self { capacity, seen: 0, total: 0.0, random, jump: 0.0, heap: BinaryHeap::new() })
    }

    /// Sees one item. One of weight 0 is counted and never sampled.
    ///
    /// # Errors
    /// When `weight` is negative, not a number, or over 1e300; nothing is changed.
    #[inline]
    pub fn add(&mut self, item: T, weight: f64) -> Result<(), ParamError> {
        ParamError::real("weight", weight, 0.0, MOST_WEIGHT)?;
        self.seen = self.seen.saturating_add(1);
        self.total = (self.total + weight).min(f64::MAX);
        if weight == 0.0 {
            return Ok(());
        }
        if self.heap.len() < self.capacity {
            let rank = self.random.exponential() / weight;
            self.heap.push(Ranked { rank, weight, item });
            if self.heap.len() == self.capacity {
                self.draw_jump();
            }
        } else if self.jump > weight {
            self.jump -= weight;
        } else {
            self.take(item, weight);
        }
        Ok(())
    }

    /// The sample and the weights, in no order that means anything.
    pub fn items(&self) -> impl Iterator<Item = (&T, f64)> {
        self.heap.iter().map(|ranked| (&ranked.item, ranked.weight))
    }

    /// Items in the sample.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing of a weight above 0 was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Items seen.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// The weight of all items seen, at most `f64::MAX`.
    #[must_use]
    pub const fn total(&self) -> f64 {
        self.total
    }

    /// The most items kept.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The weight of the items seen that `like` holds for, with the bounds of `sigmas` estimated
    /// standard deviations; exact while all are in the sample. Unbiased from a capacity of 2 on;
    /// a normal approximation, so give few matching items in the sample little trust.
    #[must_use]
    pub fn subset_sum(&self, sigmas: f64, like: impl Fn(&T) -> bool) -> Bounds {
        let matching = self.heap.iter().filter(|ranked| like(&ranked.item));
        let known: f64 = matching.clone().map(|ranked| ranked.weight).sum();
        let Some(threshold) = self.full_at() else {
            return Bounds::exact(known.min(f64::MAX));
        };
        // Given the largest rank kept, each other item is in with the chance of a smaller rank.
        let (mut sum, mut variance) = (0.0, 0.0);
        for ranked in matching.filter(|ranked| ranked.rank < threshold) {
            let missed = -expm1(-ranked.weight * threshold);
            let stands_for = ranked.weight / missed;
            sum += stands_for;
            variance += stands_for * stands_for * (1.0 - missed);
        }
        let spread = sigmas.max(0.0) * sqrt(variance);
        Bounds {
            lower: (sum - spread).max(known).min(sum),
            estimate: sum,
            upper: (sum + spread).min(self.total).max(sum),
        }
    }

    /// The largest rank kept, once an item may have been left out.
    fn full_at(&self) -> Option<f64> {
        let full = self.heap.len() == self.capacity && self.seen > self.heap.len() as u64;
        self.heap.peek().filter(|_| full).map(|last| last.rank)
    }

    #[cold]
    fn take(&mut self, item: T, weight: f64) {
        let threshold = self.heap.peek().map_or(f64::INFINITY, |last| last.rank);
        // Its rank, given that it is below the threshold.
        let rank = -log1p(self.random.unit() * expm1(-weight * threshold)) / weight;
        self.heap.pop();
        self.heap.push(Ranked { rank, weight, item });
        self.draw_jump();
    }

    /// The weight that passes until a rank falls below the largest kept: exponential.
    fn draw_jump(&mut self) {
        let threshold = self.heap.peek().map_or(f64::INFINITY, |last| last.rank);
        self.jump = self.random.exponential() / threshold;
    }
}

/// The sample of the joined stream: the smallest ranks of both. O(capacity log capacity).
impl<T: Clone> Merge for WeightedReservoir<T> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("capacity", self.capacity as u64, other.capacity as u64)?;
        if other.seen == 0 {
            return Ok(());
        }
        self.random.merge(other.random);
        self.seen = self.seen.saturating_add(other.seen);
        self.total = (self.total + other.total).min(f64::MAX);
        for ranked in &other.heap {
            self.heap.push(ranked.clone());
            if self.heap.len() > self.capacity {
                self.heap.pop();
            }
        }
        if self.heap.len() == self.capacity {
            self.draw_jump();
        }
        Ok(())
    }
}

impl<T: Key> Wire for WeightedReservoir<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::WEIGHTED_RESERVOIR, 1);
        out.varint(self.capacity as u64);
        out.varint(self.seen);
        out.f64(self.total);
        out.u64(self.random.0);
        out.f64(self.jump);
        let mut ranked: Vec<_> = self.heap.iter().collect();
        ranked.sort_unstable();
        out.varint(ranked.len() as u64);
        for ranked in ranked {
            out.f64(ranked.rank);
            out.f64(ranked.weight);
            ranked.item.write(out);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::WEIGHTED_RESERVOIR, 1)?;
        let start = input.clone();
        let wrong = |why| start.error("state of the sample", Why::Invalid(why));
        let capacity = input.varint_up_to(MOST.min(usize::MAX as u64), "capacity")? as usize;
        let seen = input.varint("seen")?;
        let total = input.f64("total")?;
        let random = Random(input.u64("generator")?);
        let jump = input.f64("jump")?;
        let count = input.count(16 + T::LEAST, "items")?;
        let positive = |value: f64| value >= 0.0 && value.is_sign_positive();
        if capacity == 0 || count > capacity || count as u64 > seen {
            return Err(wrong("more items than were seen or than fit"));
        }
        if !positive(total) || total.is_infinite() || !positive(jump) {
            return Err(wrong("total or jump negative or no number"));
        }
        if count < capacity && jump != 0.0 {
            return Err(wrong("a jump before the sample is full"));
        }
        let mut ranked: Vec<Ranked<T>> = Vec::with_capacity(count);
        for _ in 0..count {
            let (rank, weight) = (input.f64("rank")?, input.f64("weight")?);
            let next = Ranked { rank, weight, item: T::read(input)? };
            if !(positive(rank) && weight > 0.0 && weight <= MOST_WEIGHT) {
                return Err(wrong("a rank or weight negative or no number"));
            }
            if ranked.last().is_some_and(|last| *last > next) {
                return Err(wrong("ranks not in order"));
            }
            ranked.push(next);
        }
        Ok(Self { capacity, seen, total, random, jump, heap: ranked.into() })
    }
}
serde_as_wire!([T: Key] WeightedReservoir<T>);
