use alloc::vec::Vec;
use core::cmp::Ordering;

use super::coins::Coins;
use super::extremes::{Extremes, around, unless_too_heavy, widen};
use super::{MAX_WEIGHT, Ranked, Sorted};
use crate::math::{ceil, pow};
use crate::{Bounds, Incompatible, Merge, ParamError};

/// Ranks and quantiles of anything that has an order, with the same error for every rank.
///
/// Values stand on levels, those of level h for `2^h` of the stream each. A level that is full is
/// sorted and one of each two moves up, the even or the odd ones by a coin. Level sizes fall by 2/3
/// from the top, whose size is `k`. When ten levels and `log2 k` are below the top, the lowest are
/// replaced by a sampler that takes one of each `2^s` values, and most values cost three comparisons.
///
/// **Error** of a rank: `2.296 / k^0.9723` (1.33 % at `k` 200) in 99 of 100 answers; see
/// [`rank_bounds`](Self::rank_bounds). None before the first compaction, that is while about
/// `k` values were added. **Memory** at most about `3.3 k + 8 log2(n / k)` values. **Cost** of an
/// addition: amortised O(log k), less the longer the stream; of an answer O(k log k), or a binary
/// search in [`sorted`](Self::sorted).
///
/// Not for the far tail (p99.9 of latencies): the error is of the rank and the same there; take
/// [`Req`](super::Req) or [`DdSketch`](super::DdSketch).
///
/// Source: Karnin, Lang and Liberty 2016; sizes and constants are those of Apache DataSketches, whose
/// bytes it reads and writes.
///
/// ```
/// use archstone_sketch::quantiles::Kll;
///
/// let mut lengths = Kll::new(200)?;
/// for i in 0..100_000_u32 {
///     lengths.add(f64::from(i % 1000));
/// }
/// let median = lengths.quantile(0.5).unwrap();
/// assert!((median - 500.0).abs() < 30.0);
/// assert!(lengths.rank_bounds(&250.0, 3.0).unwrap().contains(0.251));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Kll<T> {
    pub(super) k: u16,
    /// The smallest `k` of an estimate that was merged in: whose error counts.
    pub(super) min_k: u16,
    pub(super) n: u64,
    pub(super) extremes: Extremes<T>,
    /// Level h stands for `2^h` a value. Ascending, but for the input level.
    pub(super) levels: Vec<Vec<T>>,
    /// The size of a level by its depth under the top, and of all together.
    sizes: Vec<usize>,
    pub(super) size: usize,
    /// The level that values come in on, one for each `2^input` of the stream.
    pub(super) input: usize,
    /// Values that the input level takes before a compaction.
    room: usize,
    /// Values until the next one that is looked at.
    pub(super) wait: u64,
    pub(super) group: Option<Group<T>>,
    pub(super) coins: Coins,
    /// A bit a level: whether its last compaction took the odd ones.
    pub(super) turned: u64,
    /// A bit a level: whether its next compaction is the second of two.
    pub(super) second: u64,
}

/// `2^lg` successive values, one of which is taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group<T> {
    /// The one taken; until it has come, the first.
    pub(super) item: T,
    pub(super) lg: u8,
    /// Which one is taken, from 1.
    pub(super) pick: u64,
    pub(super) picked: bool,
}

impl<T> Kll<T> {
    /// The least `k`.
    pub const MIN_K: u16 = 8;

    /// An empty sketch whose top level has `k` values.
    ///
    /// # Errors
    /// When `k` is less than 8.
    pub fn new(k: u16) -> Result<Self, ParamError> {
        ParamError::whole("k", k.into(), Self::MIN_K.into(), u16::MAX.into())?;
        Ok(Self::empty(k, Coins::new(0)))
    }

    pub(super) fn empty(k: u16, coins: Coins) -> Self {
        let mut sketch = Self {
            k,
            min_k: k,
            n: 0,
            extremes: None,
            levels: Vec::new(),
            sizes: Vec::new(),
            size: 0,
            input: 0,
            room: 0,
            wait: 1,
            group: None,
            coins,
            turned: 0,
            second: 0,
        };
        sketch.add_level();
        sketch.room = sketch.most();
        sketch
    }

    pub(super) fn add_level(&mut self) {
        let size = capacity(self.k, self.levels.len());
        self.levels.push(Vec::new());
        self.sizes.push(size);
        self.size += size;
    }

    /// The smallest sketch whose ranks are off by at most `error` in 99 of 100 answers.
    ///
    /// # Errors
    /// When `error` is not within 0.000 048 to 0.3.
    pub fn with_error(error: f64) -> Result<Self, ParamError> {
        ParamError::real("error", error, 0.000_048, 0.3)?;
        let k = ceil(pow(2.296 / error, 1.0 / 0.9723));
        Self::new((k as u64).clamp(Self::MIN_K.into(), u16::MAX.into()) as u16)
    }

    /// The same, empty, with other coins.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self::empty(self.k, Coins::new(seed))
    }

    /// The parameter.
    #[must_use]
    pub const fn k(&self) -> u16 {
        self.k
    }

    /// The weight of the stream: how many values were added.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Whether nothing was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Values kept.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.on_levels() + usize::from(self.group.is_some())
    }

    /// Whether answers may be off: a level was compacted.
    #[must_use]
    pub fn is_estimate(&self) -> bool {
        self.levels.len() > 1 || self.group.is_some()
    }

    /// The least value.
    #[must_use]
    pub fn min(&self) -> Option<&T> {
        self.extremes.as_ref().map(|(min, _)| min)
    }

    /// The greatest value.
    #[must_use]
    pub fn max(&self) -> Option<&T> {
        self.extremes.as_ref().map(|(_, max)| max)
    }

    /// What the rank of one value is off by in 1 of 100 cases, as DataSketches states it; 0 while
    /// exact.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        if self.is_estimate() { 2.296 / pow(self.min_k.into(), 0.9723) } else { 0.0 }
    }

    /// The same for a share of [`pmf`](Self::pmf), a difference of two ranks.
    #[must_use]
    pub fn pmf_error(&self) -> f64 {
        if self.is_estimate() { 2.446 / pow(self.min_k.into(), 0.9433) } else { 0.0 }
    }

    pub(super) fn on_levels(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// The open group's value, and how many of the stream it stands for.
    pub(super) fn pending(&self) -> Option<(&T, u64)> {
        self.group.as_ref().map(|group| {
            let end = if group.picked { (1 << group.lg) + 1 } else { group.pick };
            (&group.item, end - self.wait)
        })
    }

    /// Values that may be kept before a compaction: the levels' sizes, and some, so that the lowest
    /// level is sorted in larger lots.
    pub(super) fn most(&self) -> usize {
        self.size + usize::from(self.k) / 4 + 16
    }
}

impl<T: Ranked> Kll<T> {
    /// Adds one value. `false`, and nothing is added, for NaN and past a weight of 2^60.
    #[inline]
    pub fn add(&mut self, value: T) -> bool {
        if !value.has_place() || self.n >= MAX_WEIGHT {
            return false;
        }
        widen(&mut self.extremes, &value);
        self.n += 1;
        self.wait -= 1;
        if self.wait == 0 {
            self.take(value);
        }
        true
    }

    /// Adds one value `n` times, in O(k log n). `false`, and nothing is added, for NaN and past a
    /// weight of 2^60.
    pub fn add_n(&mut self, value: T, n: u64) -> bool {
        if !value.has_place() || n > MAX_WEIGHT - self.n {
            return false;
        }
        if n > 0 {
            widen(&mut self.extremes, &value);
            self.n += n;
            self.coins.absorb(value.bits() ^ n);
            self.spread(&value, n);
            self.make_room();
        }
        true
    }

    #[inline]
    fn take(&mut self, value: T) {
        if self.input == 0 {
            self.wait = 1;
            self.push(value);
        } else {
            self.sample(value);
        }
    }

    #[inline]
    fn push(&mut self, value: T) {
        self.levels[self.input].push(value);
        self.room -= 1;
        if self.room == 0 {
            self.compress();
        }
    }

    /// The value that the open group waits for, or the first of the next group.
    fn sample(&mut self, value: T) {
        match self.group.take() {
            Some(group) if !group.picked => {
                self.wait = (1 << group.lg) - group.pick + 1;
                self.group = Some(Group { item: value, picked: true, ..group });
                return;
            }
            Some(full) if usize::from(full.lg) == self.input => self.push(full.item),
            Some(full) => {
                self.insert(full.lg.into(), full.item);
                self.make_room();
            }
            None => {}
        }
        let size = 1_u64 << self.input;
        let pick = (self.coins.word() & (size - 1)) + 1;
        self.wait = if pick == 1 { size } else { pick - 1 };
        let (lg, picked) = (self.input as u8, pick == 1);
        self.group = Some(Group { item: value, lg, pick, picked });
    }

    /// Puts a value of weight `n` on the levels whose weights add up to it.
    pub(super) fn spread(&mut self, value: &T, n: u64) {
        self.grow(64 - n.leading_zeros() as usize);
        let bits = (0..64).filter(|bit| n >> bit & 1 == 1);
        bits.for_each(|bit| self.insert(bit, value.clone()));
    }

    fn insert(&mut self, level: usize, value: T) {
        let items = &mut self.levels[level];
        let place = if level == self.input {
            items.len()
        } else {
            items.partition_point(|item| item.order(&value) != Ordering::Greater)
        };
        items.insert(place, value);
    }

    /// Adds levels on top, up to `levels` of them.
    fn grow(&mut self, levels: usize) {
        while self.levels.len() < levels {
            self.add_level();
        }
        self.settle();
    }

    /// Moves the input level to where the number of levels wants it.
    pub(super) fn settle(&mut self) {
        let input = input_level(self.k, self.levels.len());
        if input != self.input {
            self.levels[self.input].sort_unstable_by(T::order);
            self.input = input;
        }
    }

    /// Compacts if need be, and counts how many values the input level takes until the next time.
    pub(super) fn make_room(&mut self) {
        match self.most().checked_sub(self.on_levels()) {
            None | Some(0) => self.compress(),
            Some(room) => self.room = room,
        }
    }

    /// Compacts full levels from the lowest up, until no more is kept than the levels' sizes.
    #[cold]
    pub(super) fn compress(&mut self) {
        let mut kept = self.on_levels();
        let (mut level, mut run, mut scratch) = (0, Vec::new(), Vec::new());
        while kept >= self.size {
            let depth = self.levels.len() - 1 - level;
            if self.levels[level].len() >= self.sizes[depth] {
                kept -= self.compact(level, &mut run, &mut scratch);
            }
            level = if level + 1 < self.levels.len() { level + 1 } else { 0 };
        }
        self.settle();
        self.room = self.most() - kept;
    }

    /// Moves one of each two values of a level up; returns how many fewer are kept.
    fn compact(&mut self, level: usize, run: &mut Vec<T>, scratch: &mut Vec<T>) -> usize {
        if level + 1 == self.levels.len() {
            self.add_level();
        }
        let (from, to) = self.levels.split_at_mut(level + 1);
        let (from, to) = (&mut from[level], &mut to[0]);
        if level == self.input {
            from.sort_unstable_by(T::order);
        }
        self.coins.absorb(from[from.len() / 2].bits());
        let word = self.coins.word();
        // Of an odd number the first or the last stays.
        let first = (from.len() % 2) & (word >> 1) as usize;
        let pairs = from.len() / 2;
        // Every second compaction of a level takes the other half of the pairs, so that the errors of
        // two cancel as often as not (Ivkin, Liberty, Lang, Karnin and Braverman 2019).
        let bit = 1 << level;
        self.turned ^= if self.second & bit == 0 { (word & 1) << level } else { bit };
        self.second ^= bit;
        let odd = usize::from(self.turned & bit != 0);
        run.clear();
        run.extend(from.drain(first..first + 2 * pairs).skip(odd).step_by(2));
        if level + 1 == self.input {
            to.append(run);
        } else {
            T::merge_runs(to, run, scratch);
        }
        // A level gets smaller with each new one above it.
        let depth = self.levels.len() - 1 - level;
        if self.levels[level].capacity() > 2 * self.sizes[depth] + usize::from(self.k) / 2 {
            self.levels[level].shrink_to(self.sizes[depth]);
        }
        pairs
    }

    /// The values kept, in their order, for many answers. O(k log k).
    #[must_use]
    pub fn sorted(&self) -> Sorted<T> {
        let mut entries = Vec::with_capacity(self.retained());
        for (level, items) in self.levels.iter().enumerate() {
            entries.extend(items.iter().map(|item| (item.clone(), 1_u64 << level)));
        }
        entries.extend(self.pending().map(|(item, weight)| (item.clone(), weight)));
        Sorted::new(entries, self.extremes.clone())
    }

    /// The share of the stream at or below `value`. O(k).
    #[must_use]
    pub fn rank(&self, value: &T) -> Option<f64> {
        self.share_that(value, |order| order != Ordering::Greater)
    }

    /// The share of the stream below `value`. O(k).
    #[must_use]
    pub fn rank_below(&self, value: &T) -> Option<f64> {
        self.share_that(value, |order| order == Ordering::Less)
    }

    fn share_that(&self, value: &T, counts: impl Fn(Ordering) -> bool) -> Option<f64> {
        if self.n == 0 || !value.has_place() {
            return None;
        }
        let on = |(level, items): (usize, &Vec<T>)| {
            (items.iter().filter(|item| counts(item.order(value))).count() as u64) << level
        };
        let pending = self.pending().filter(|(item, _)| counts(item.order(value)));
        let weight = self.levels.iter().enumerate().map(on).sum::<u64>()
            + pending.map_or(0, |(_, weight)| weight);
        Some(weight as f64 / self.n as f64)
    }

    /// [`rank`](Self::rank) with `sigmas` standard deviations of its error, which is that of
    /// [`rank_error`](Self::rank_error) and nearly normal: the truth is within 1, 2 and 3 in at
    /// least 68, 95 and 99.7 of 100 answers.
    #[must_use]
    pub fn rank_bounds(&self, value: &T, sigmas: f64) -> Option<Bounds> {
        self.rank(value).map(|rank| around(rank, self.rank_off(sigmas)))
    }

    /// 99 of 100 are 2.576 standard deviations.
    fn rank_off(&self, sigmas: f64) -> f64 {
        sigmas.max(0.0) * self.rank_error() / 2.576
    }

    /// The smallest value with a share of at least `q` at or below it. O(k log k).
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<T> {
        self.sorted().quantile(q).cloned()
    }

    /// Two values between which the true quantile is, with the certainty of `sigmas` standard
    /// deviations of [`rank_bounds`](Self::rank_bounds).
    #[must_use]
    pub fn quantile_bounds(&self, q: f64, sigmas: f64) -> Option<(T, T)> {
        self.sorted().between(q, self.rank_off(sigmas))
    }

    /// [`rank`](Self::rank) of each split point, and 1 at the end.
    #[must_use]
    pub fn cdf(&self, points: &[T]) -> Option<Vec<f64>> {
        self.sorted().cdf(points)
    }

    /// The share up to the first point, between each two, and past the last: of `points` in
    /// ascending order.
    #[must_use]
    pub fn pmf(&self, points: &[T]) -> Option<Vec<f64>> {
        self.sorted().pmf(points)
    }
}

/// The sketch of both streams: whole levels are added, each with its weight. Sketches of different
/// `k` merge; the error is that of the smaller. O(k).
impl<T: Ranked> Merge for Kll<T> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        unless_too_heavy(self.n, other.n)?;
        let Some((min, max)) = &other.extremes else { return Ok(()) };
        widen(&mut self.extremes, min);
        widen(&mut self.extremes, max);
        self.n += other.n;
        if other.is_estimate() {
            self.min_k = self.min_k.min(other.min_k);
        }
        self.coins.absorb(other.coins.0);
        self.grow(other.levels.len());
        let (mut run, mut scratch) = (Vec::new(), Vec::new());
        for (level, (ours, theirs)) in self.levels.iter_mut().zip(&other.levels).enumerate() {
            if level == self.input {
                ours.extend_from_slice(theirs);
            } else if level == other.input {
                run.clone_from(theirs);
                run.sort_unstable_by(T::order);
                T::merge_runs(ours, &run, &mut scratch);
            } else {
                T::merge_runs(ours, theirs, &mut scratch);
            }
        }
        if let Some((item, weight)) = other.pending() {
            self.spread(item, weight);
        }
        self.make_room();
        Ok(())
    }
}

/// Values of a level that has `depth` above it: `k (2/3)^depth`, at least 8; rounded as DataSketches
/// does, in whose images the sum of all stands.
fn capacity(k: u16, depth: usize) -> usize {
    let shallow = |k: u64, depth: usize| ((k << (depth + 1)) / 3_u64.pow(depth as u32)).div_ceil(2);
    let size = if depth <= 30 {
        shallow(k.into(), depth)
    } else {
        // In two steps, as 3^depth has to fit.
        shallow(shallow(k.into(), depth / 2), depth - depth / 2)
    };
    (size as usize).max(8)
}

/// The level that values come in on. A sampler in place of the levels below adds at most 6 % to the
/// variance: for each `2^s` values `4^s / 4`, beside `1.5 / k` of the square of the whole weight.
fn input_level(k: u16, levels: usize) -> usize {
    let lg_k = (u16::BITS - (k - 1).leading_zeros()) as usize;
    (levels - 1).saturating_sub(lg_k + 2)
}
