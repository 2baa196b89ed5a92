use alloc::vec::Vec;
use core::cmp::Ordering;

use super::coins::Coins;
use super::extremes::{Extremes, around, unless_too_heavy, widen};
use super::req_compactor::{Compactor, SECTIONS};
use super::{MAX_WEIGHT, Ranked, Sorted, share};
use crate::math::sqrt;
use crate::{Bounds, Incompatible, Merge, ParamError};

/// The end of the order at which the ranks of a [`Req`] are the most accurate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accurate {
    /// At the greatest values: p99, p99.9.
    High,
    /// At the least values.
    Low,
}

/// Ranks and quantiles of anything that has an order, the more accurate the nearer to one end.
///
/// Like KLL, but a level protects the half that matters and compacts the other in sections, the
/// farthest the most often.
///
/// **Error** of a rank r at the high end: a standard deviation of `0.131 / k (1 - r)`, at most
/// `0.084 / k`; none for the last `3 k - 1` values, and none while about `6 k` were added. At the low
/// end `r` in place of `1 - r`. See [`rank_bounds`](Self::rank_bounds). **Memory** some
/// `2 k log2(n / k)` to `6 k log2(n / k)` values. **Cost** of an addition: amortised O(log k + log log n); of an answer as
/// [`Kll`](super::Kll).
///
/// Not for medians: KLL has them in an eighth of the memory.
///
/// Source: Cormode, Karnin, Liberty, Thaler and Veselý 2021; sizes and constants are those of Apache
/// DataSketches, whose bytes it reads and writes.
///
/// ```
/// use archstone_sketch::quantiles::{Accurate, Req};
///
/// let mut latencies = Req::new(12, Accurate::High)?;
/// for i in 0..100_000_u32 {
///     latencies.add(i);
/// }
/// let p9999 = latencies.quantile(0.9999).unwrap();
/// assert_eq!(p9999, 99_989);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Req<T> {
    pub(super) k: u16,
    pub(super) accurate: Accurate,
    pub(super) n: u64,
    pub(super) extremes: Extremes<T>,
    /// Level h stands for `2^h` a value.
    pub(super) levels: Vec<Compactor<T>>,
    /// Values that the lowest level takes before a compaction.
    room: usize,
    pub(super) coins: Coins,
}

impl<T> Req<T> {
    /// The least and the greatest `k`.
    pub(super) const K: (u16, u16) = (4, 1024);

    /// An empty sketch with sections of `k` values; 12 is usual.
    ///
    /// # Errors
    /// When `k` is not within 4 to 1024. An odd `k` is rounded up.
    pub fn new(k: u16, accurate: Accurate) -> Result<Self, ParamError> {
        ParamError::whole("k", k.into(), Self::K.0.into(), Self::K.1.into())?;
        Ok(Self::empty(k + k % 2, accurate, Coins::new(0)))
    }

    pub(super) fn empty(k: u16, accurate: Accurate, coins: Coins) -> Self {
        let first = Compactor::new(k);
        let room = first.capacity();
        Self { k, accurate, n: 0, extremes: None, levels: Vec::from([first]), room, coins }
    }

    /// The same, empty, with other coins.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self::empty(self.k, self.accurate, Coins::new(seed))
    }

    /// The parameter.
    #[must_use]
    pub const fn k(&self) -> u16 {
        self.k
    }

    /// The end with the accurate ranks.
    #[must_use]
    pub const fn accurate(&self) -> Accurate {
        self.accurate
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
        self.levels.iter().map(|level| level.items.len()).sum()
    }

    /// Whether answers may be off: a level was compacted.
    #[must_use]
    pub fn is_estimate(&self) -> bool {
        self.levels.len() > 1
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

    pub(super) fn capacity(&self) -> usize {
        self.levels.iter().map(Compactor::capacity).sum()
    }

    /// What a rank is off by, as a standard deviation; 0 where it is exact.
    #[must_use]
    pub fn rank_error(&self, rank: f64) -> f64 {
        let (k, exact) = (f64::from(self.k), u64::from(self.k) * u64::from(SECTIONS));
        let from_end = if self.accurate == Accurate::High { 1.0 - rank } else { rank };
        // With fewer than `3 k` values past it a rank is exact; half of one for rounding.
        if !self.is_estimate() || from_end * (self.n as f64) < exact as f64 - 0.5 {
            return 0.0;
        }
        let relative = sqrt(0.0512 / f64::from(SECTIONS)) / k * from_end;
        relative.min(0.084 / k)
    }
}

impl<T: Ranked> Req<T> {
    /// Adds one value. `false`, and nothing is added, for NaN and past a weight of 2^60.
    #[inline]
    pub fn add(&mut self, value: T) -> bool {
        if !value.has_place() || self.n >= MAX_WEIGHT {
            return false;
        }
        widen(&mut self.extremes, &value);
        self.n += 1;
        self.levels[0].push(value);
        self.room -= 1;
        if self.room == 0 {
            self.compress();
        }
        true
    }

    /// Adds one value `n` times, in O(k log n). `false`, and nothing is added, for NaN and past a
    /// weight of 2^60.
    pub fn add_n(&mut self, value: T, n: u64) -> bool {
        if !value.has_place() || n > MAX_WEIGHT - self.n {
            return false;
        }
        if n == 0 {
            return true;
        }
        widen(&mut self.extremes, &value);
        self.n += n;
        while n >> self.levels.len() != 0 {
            self.levels.push(Compactor::new(self.k));
        }
        let bits = (0..64).filter(|bit| n >> bit & 1 == 1);
        bits.for_each(|bit| self.levels[bit].push(value.clone()));
        self.make_room();
        true
    }

    pub(super) fn make_room(&mut self) {
        match self.capacity().checked_sub(self.retained()) {
            None | Some(0) => self.compress(),
            Some(room) => self.room = room,
        }
    }

    #[cold]
    fn compress(&mut self) {
        let high = self.accurate == Accurate::High;
        while self.retained() >= self.capacity() {
            let mut level = 0;
            while level < self.levels.len() {
                if self.levels[level].items.len() >= self.levels[level].capacity() {
                    if level + 1 == self.levels.len() {
                        self.levels.push(Compactor::new(self.k));
                    }
                    let (below, above) = self.levels.split_at_mut(level + 1);
                    below[level].compact_into(&mut above[0], high, &mut self.coins);
                }
                level += 1;
            }
        }
        self.room = self.capacity() - self.retained();
    }

    /// The values kept, in their order, for many answers. O(k log k) and more.
    #[must_use]
    pub fn sorted(&self) -> Sorted<T> {
        let mut entries = Vec::with_capacity(self.retained());
        for (level, compactor) in self.levels.iter().enumerate() {
            entries.extend(compactor.items.iter().map(|item| (item.clone(), 1_u64 << level)));
        }
        Sorted::new(entries, self.extremes.clone())
    }

    /// The share of the stream at or below `value`.
    #[must_use]
    pub fn rank(&self, value: &T) -> Option<f64> {
        self.share_that(value, |order| order != Ordering::Greater)
    }

    /// The share of the stream below `value`.
    #[must_use]
    pub fn rank_below(&self, value: &T) -> Option<f64> {
        self.share_that(value, |order| order == Ordering::Less)
    }

    fn share_that(&self, value: &T, counts: impl Fn(Ordering) -> bool + Copy) -> Option<f64> {
        if self.n == 0 || !value.has_place() {
            return None;
        }
        let on = |(h, level): (usize, &Compactor<T>)| level.count(counts, value) << h;
        Some(self.levels.iter().enumerate().map(on).sum::<u64>() as f64 / self.n as f64)
    }

    /// [`rank`](Self::rank) with `sigmas` standard deviations of [`rank_error`](Self::rank_error):
    /// the truth is within 1, 2 and 3 in at least 68, 95 and 99.7 of 100 answers.
    #[must_use]
    pub fn rank_bounds(&self, value: &T, sigmas: f64) -> Option<Bounds> {
        self.rank(value).map(|rank| around(rank, sigmas.max(0.0) * self.rank_error(rank)))
    }

    /// The smallest value with a share of at least `q` at or below it.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<T> {
        self.sorted().quantile(q).cloned()
    }

    /// Two values between which the true quantile is, with the certainty of `sigmas` standard
    /// deviations of [`rank_bounds`](Self::rank_bounds).
    #[must_use]
    pub fn quantile_bounds(&self, q: f64, sigmas: f64) -> Option<(T, T)> {
        self.sorted().between(q, sigmas.max(0.0) * self.rank_error(share(q)))
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

/// The sketch of both streams: level by level.
impl<T: Ranked> Merge for Req<T> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("k", self.k.into(), other.k.into())?;
        Incompatible::unless_equal("accurate end", self.accurate as u64, other.accurate as u64)?;
        unless_too_heavy(self.n, other.n)?;
        let Some((min, max)) = &other.extremes else { return Ok(()) };
        widen(&mut self.extremes, min);
        widen(&mut self.extremes, max);
        self.n += other.n;
        self.coins.absorb(other.coins.0);
        while self.levels.len() < other.levels.len() {
            self.levels.push(Compactor::new(self.k));
        }
        for (ours, theirs) in self.levels.iter_mut().zip(&other.levels) {
            ours.merge(theirs);
        }
        self.make_room();
        Ok(())
    }
}
