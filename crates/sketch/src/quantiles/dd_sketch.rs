use alloc::vec::Vec;

use super::extremes::unless_too_heavy;
use super::log_index::LogIndex;
use super::sorted::differences;
use super::store::Store;
use super::{MAX_WEIGHT, share};
use crate::math::floor;
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};
use crate::{Bounds, Incompatible, Merge, ParamError, kinds};

/// Quantiles of numbers that are within a stated share of the true value, always.
///
/// Numbers of each sign are counted in buckets whose ends grow by `gamma = (1 + alpha) / (1 - alpha)`;
/// those nearer to 0 than 2.2e-308 in one of their own.
///
/// **Error** of a value: `alpha`, for every quantile and every finite number; the bounds of
/// [`quantile_bounds`](Self::quantile_bounds) and [`rank_bounds`](Self::rank_bounds) are certain. No
/// bucket is ever given up for another, so a merged sketch is that of the joined stream to the last
/// bit, in any order. **Memory** 512 bytes for each 64 neighbouring buckets in use (at 1 %: for each
/// factor of 3.6 between values), and 8 for each 64 between the least and the greatest: at most about
/// `5700 / alpha` bytes a sign for all doubles there are. **Cost** of an addition: one look-up and
/// about 20 instructions; of an answer O(buckets).
///
/// The quantile of q is the value of rank `floor(q (n - 1))`, from 0, as Datadog has it.
///
/// Not for values that differ by less than alpha: a rank there is only known to a bucket.
///
/// Source: Masson, Rim and Lee 2019. Reads and writes the bytes of Datadog.
///
/// ```
/// use archstone_sketch::quantiles::DdSketch;
///
/// let mut seconds = DdSketch::new(0.01)?;
/// for i in 1..=100_000_u32 {
///     seconds.add(f64::from(i) / 1000.0);
/// }
/// let p99 = seconds.quantile_bounds(0.99).unwrap();
/// assert!((p99.estimate / 99.0 - 1.0).abs() < 0.01 && p99.contains(99.0));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DdSketch {
    pub(super) index: LogIndex,
    pub(super) positive: Store,
    pub(super) negative: Store,
    pub(super) zero: u64,
    pub(super) n: u64,
    /// NaN when not known: an image of Datadog does not have them. Infinite when empty.
    min: f64,
    max: f64,
}

#[derive(Clone, Copy)]
enum Bucket {
    Negative(i32),
    Zero,
    Positive(i32),
}

impl DdSketch {
    /// The least and the greatest `alpha`.
    pub(super) const ALPHA: (f64, f64) = (1e-6, 0.9);

    /// An empty sketch whose quantiles are off by at most `alpha` of themselves.
    ///
    /// # Errors
    /// When `alpha` is not within 0.000 001 to 0.9.
    pub fn new(alpha: f64) -> Result<Self, ParamError> {
        ParamError::real("alpha", alpha, Self::ALPHA.0, Self::ALPHA.1)?;
        Ok(Self::empty(LogIndex::new(alpha)))
    }

    pub(super) fn empty(index: LogIndex) -> Self {
        let (positive, negative) = (Store::default(), Store::default());
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { index, positive, negative, zero: 0, n: 0, min, max }
    }

    /// The share of itself that a quantile may be off by.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.index.alpha()
    }

    /// The weight of the stream: how many numbers were added.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Whether nothing was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The least number; after reading an image of Datadog within alpha.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        if self.min.is_nan() { self.at(0) } else { Some(self.min).filter(|_| self.n > 0) }
    }

    /// The greatest number; after reading an image of Datadog within alpha.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        if self.max.is_nan() { self.at(self.n - 1) } else { Some(self.max).filter(|_| self.n > 0) }
    }

    /// Buckets with something in them.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.positive.iter().chain(self.negative.iter()).count() + usize::from(self.zero > 0)
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.positive.bytes() + self.negative.bytes()
    }

    /// Adds one number. `false`, and nothing is added, for NaN, infinity and past a weight of 2^60.
    #[inline]
    pub fn add(&mut self, number: f64) -> bool {
        self.n < MAX_WEIGHT && self.put(number, 1)
    }

    /// Adds one number `n` times. `false`, and nothing is added, for NaN, infinity and past a weight
    /// of 2^60.
    pub fn add_n(&mut self, number: f64, n: u64) -> bool {
        if n == 0 {
            return number.is_finite();
        }
        n <= MAX_WEIGHT - self.n && self.put(number, n)
    }

    /// The usual case without a call in it: a normal number that is no new extreme, not at the edge
    /// of a bucket, on a page that is there.
    #[inline]
    fn put(&mut self, number: f64, n: u64) -> bool {
        let exponent = number.to_bits() >> 52 & 0x7ff;
        // Neither 0 and what is next to it, nor infinite or NaN, in one comparison. Beside unknown
        // extremes no number is new.
        if exponent.wrapping_sub(1) < 0x7fe && !(number < self.min || number > self.max) {
            if let Some(bucket) = self.index.of_most(number.abs()) {
                let store = if number > 0.0 { &mut self.positive } else { &mut self.negative };
                if let Some(count) = store.count(bucket) {
                    *count += n;
                    self.n += n;
                    return true;
                }
            }
        }
        self.put_any(number, n)
    }

    #[cold]
    #[inline(never)]
    fn put_any(&mut self, number: f64, n: u64) -> bool {
        if !number.is_finite() {
            return false;
        }
        let size = number.abs();
        if size < f64::MIN_POSITIVE {
            self.zero += n;
        } else if number > 0.0 {
            self.positive.add(self.index.of(size), n);
        } else {
            self.negative.add(self.index.of(size), n);
        }
        if number < self.min {
            self.min = number + 0.0;
        }
        if number > self.max {
            self.max = number + 0.0;
        }
        self.n += n;
        true
    }

    /// The buckets in the order of their numbers, and their weights.
    fn ordered(&self) -> impl Iterator<Item = (Bucket, u64)> {
        let negative = self.negative.iter().rev().map(|(bucket, n)| (Bucket::Negative(bucket), n));
        let zero = (self.zero > 0).then_some((Bucket::Zero, self.zero));
        let positive = self.positive.iter().map(|(bucket, n)| (Bucket::Positive(bucket), n));
        negative.chain(zero).chain(positive)
    }

    /// The ends of a bucket and what stands for its numbers.
    fn ends(&self, bucket: Bucket) -> Bounds {
        let of = |bucket: i32| {
            // What is nearer to 0 is in the bucket of 0.
            let lower = self.index.end(bucket - 1).max(f64::MIN_POSITIVE);
            let estimate = self.index.middle(bucket).max(lower);
            Bounds { lower, estimate, upper: self.index.end(bucket).max(estimate) }
        };
        match bucket {
            Bucket::Negative(bucket) => {
                let Bounds { lower, estimate, upper } = of(bucket);
                Bounds { lower: -upper, estimate: -estimate, upper: -lower }
            }
            Bucket::Zero => {
                Bounds { lower: -f64::MIN_POSITIVE, estimate: 0.0, upper: f64::MIN_POSITIVE }
            }
            Bucket::Positive(bucket) => of(bucket),
        }
    }

    /// The bucket of the number with `rank` others before it.
    fn bucket_at(&self, rank: u64) -> Option<Bounds> {
        let mut weight = 0;
        let (bucket, _) = self.ordered().find(|(_, n)| {
            weight += n;
            rank < weight
        })?;
        Some(self.ends(bucket))
    }

    /// A number of the sketch brought between its extremes, where they are known.
    fn within(&self, number: f64) -> f64 {
        // `max` and `min` pass over a NaN.
        number.max(self.min).min(self.max)
    }

    fn at(&self, rank: u64) -> Option<f64> {
        self.bucket_at(rank).map(|bucket| self.within(bucket.estimate))
    }

    fn rank_of(&self, q: f64) -> Option<u64> {
        let q = share(q);
        if self.n == 0 || q.is_nan() {
            return None;
        }
        let last = self.n - 1;
        Some((floor(q * last as f64) as u64).min(last))
    }

    /// The value of rank `floor(q (n - 1))`, off by at most alpha of itself.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.quantile_bounds(q).map(|bounds| bounds.estimate)
    }

    /// [`quantile`](Self::quantile) with the ends of its bucket, between which the truth is.
    #[must_use]
    pub fn quantile_bounds(&self, q: f64) -> Option<Bounds> {
        let rank = self.rank_of(q)?;
        if rank == 0 && !self.min.is_nan() {
            return Some(Bounds::exact(self.min));
        }
        if rank == self.n - 1 && !self.max.is_nan() {
            return Some(Bounds::exact(self.max));
        }
        self.bucket_at(rank).map(|bucket| Bounds {
            lower: self.within(bucket.lower),
            estimate: self.within(bucket.estimate),
            upper: self.within(bucket.upper),
        })
    }

    /// [`quantile`](Self::quantile) of each.
    #[must_use]
    pub fn quantiles(&self, qs: &[f64]) -> Option<Vec<f64>> {
        qs.iter().map(|&q| self.quantile(q)).collect()
    }

    /// The share of the stream at or below `x`: within the bucket of `x` as if it were filled evenly.
    #[must_use]
    pub fn rank(&self, x: f64) -> Option<f64> {
        self.rank_bounds(x).map(|bounds| bounds.estimate)
    }

    /// [`rank`](Self::rank) with the shares without and with the bucket of `x`, between which the
    /// truth is.
    #[must_use]
    pub fn rank_bounds(&self, x: f64) -> Option<Bounds> {
        if self.n == 0 || x.is_nan() {
            return None;
        }
        if x >= self.max || x < self.min {
            return Some(Bounds::exact(if x < self.min { 0.0 } else { 1.0 }));
        }
        let (mut below, mut inside, mut part) = (0, 0, 0.0);
        for (bucket, n) in self.ordered() {
            let bucket = self.ends(bucket);
            if bucket.lower > x {
                break;
            }
            below += inside;
            inside = n;
            let share = (x / 2.0 - bucket.lower / 2.0) / (bucket.upper / 2.0 - bucket.lower / 2.0);
            part = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
            if bucket.upper < x {
                below += inside;
                inside = 0;
            }
        }
        let n = self.n as f64;
        Some(Bounds {
            lower: below as f64 / n,
            estimate: (below as f64 + part * inside as f64) / n,
            upper: (below + inside) as f64 / n,
        })
    }

    /// [`rank`](Self::rank) of each split point, and 1 at the end.
    #[must_use]
    pub fn cdf(&self, points: &[f64]) -> Option<Vec<f64>> {
        let ranks = points.iter().map(|&x| self.rank(x)).chain([Some(1.0)]);
        if self.n == 0 { None } else { ranks.collect() }
    }

    /// The share up to the first point, between each two, and past the last: of `points` in
    /// ascending order.
    #[must_use]
    pub fn pmf(&self, points: &[f64]) -> Option<Vec<f64>> {
        self.cdf(points).map(differences)
    }

    /// Says that the extremes are not known, of a sketch that is not empty.
    #[cfg(feature = "datadog")]
    pub(super) fn forget_extremes(&mut self) {
        if self.n > 0 {
            (self.min, self.max) = (f64::NAN, f64::NAN);
        }
    }
}

impl PartialEq for DdSketch {
    fn eq(&self, other: &Self) -> bool {
        let bits = |sketch: &Self| [sketch.min, sketch.max].map(f64::to_bits);
        self.index == other.index
            && (self.n, self.zero) == (other.n, other.zero)
            && bits(self) == bits(other)
            && (&self.positive, &self.negative) == (&other.positive, &other.negative)
    }
}

/// The sketch of both streams, to the last bit.
impl Merge for DdSketch {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        if !self.index.agrees(&other.index) {
            let parts = |sketch: &Self| (sketch.alpha() * 1e12) as u64;
            return Err(Incompatible {
                what: "alpha, in parts of 10^12",
                ours: parts(self),
                theirs: parts(other),
            });
        }
        unless_too_heavy(self.n, other.n)?;
        let unknown = self.min.is_nan() || other.min.is_nan();
        self.min = if unknown { f64::NAN } else { self.min.min(other.min) };
        self.max = if unknown { f64::NAN } else { self.max.max(other.max) };
        self.n += other.n;
        self.zero += other.zero;
        self.positive.merge(&other.positive);
        self.negative.merge(&other.negative);
        Ok(())
    }
}

#[cfg(feature = "window")]
impl crate::window::Weighted<f64> for DdSketch {
    fn add_weight(&mut self, item: &f64, n: u64) {
        self.add_n(*item, n);
    }
}

/// Counts are rounded down, so that what is long past is gone; the extremes are then those of what is
/// left, to a bucket.
#[cfg(feature = "window")]
impl crate::window::Decay for DdSketch {
    fn halve(&mut self, times: u32) {
        self.positive.halve(times);
        self.negative.halve(times);
        self.zero = self.zero.checked_shr(times).unwrap_or(0);
        self.n = self.positive.total() + self.negative.total() + self.zero;
        if self.n == 0 {
            *self = Self::empty(self.index);
        } else if let Some((least, greatest)) = self.bucket_at(0).zip(self.bucket_at(self.n - 1)) {
            // A NaN stays.
            self.min = if self.min < least.lower { least.lower } else { self.min };
            self.max = if self.max > greatest.upper { greatest.upper } else { self.max };
        }
    }
}

/// Kind, version, gamma, weight of the numbers next to 0, positive and negative buckets; if not
/// empty, the extremes.
impl Wire for DdSketch {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::DD_SKETCH, 1);
        out.f64(self.index.gamma());
        out.varint(self.zero);
        self.positive.encode_to(out);
        self.negative.encode_to(out);
        if self.n > 0 {
            out.f64(self.min);
            out.f64(self.max);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::DD_SKETCH, 1)?;
        let start = input.clone();
        let wrong = |why| Err(start.error("sketch", Why::Invalid(why)));
        let gamma = input.f64("gamma")?;
        let Some(index) = Self::index_of(gamma) else {
            return wrong("an alpha not within 0.000 001 to 0.9");
        };
        let mut sketch = Self::empty(index);
        sketch.zero = input.varint_up_to(MAX_WEIGHT, "zeros")?;
        sketch.positive = Store::decode_from(input, index.span())?;
        sketch.negative = Store::decode_from(input, index.span())?;
        let Some(n) = sketch.weigh() else { return wrong("a weight above 2^60") };
        sketch.n = n;
        if n == 0 {
            return Ok(sketch);
        }
        let (min, max) = (input.f64("minimum")?, input.f64("maximum")?);
        let ends = sketch.bucket_at(0).zip(sketch.bucket_at(n - 1));
        let unknown = [min, max].iter().all(|x| x.to_bits() == f64::NAN.to_bits());
        // An extreme may be off its bucket's end by what the end is rounded by.
        let near = |x: f64, bucket: Bounds| {
            let slack = 1e-9 * bucket.estimate.abs();
            x >= bucket.lower - slack && x <= bucket.upper + slack && x.is_finite()
        };
        if !unknown && !ends.is_some_and(|(a, b)| near(min, a) && near(max, b) && min <= max) {
            return wrong("extremes that are not in the outer buckets");
        }
        (sketch.min, sketch.max) = (min, max);
        Ok(sketch)
    }
}
serde_as_wire!([] DdSketch);

impl DdSketch {
    pub(super) fn index_of(gamma: f64) -> Option<LogIndex> {
        let index = LogIndex::with_gamma(gamma);
        // Alpha comes out of gamma with a rounding.
        let (least, most) = (Self::ALPHA.0 * (1.0 - 1e-9), Self::ALPHA.1 * (1.0 + 1e-9));
        (gamma.is_finite() && (least..=most).contains(&index.alpha())).then_some(index)
    }

    /// The weight of all buckets, if it is not too much.
    pub(super) fn weigh(&self) -> Option<u64> {
        let counts = self.positive.iter().chain(self.negative.iter()).map(|(_, n)| n);
        let all = counts.map(u128::from).sum::<u128>() + u128::from(self.zero);
        u64::try_from(all).ok().filter(|n| *n <= MAX_WEIGHT)
    }
}
