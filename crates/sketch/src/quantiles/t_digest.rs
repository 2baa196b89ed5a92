use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::extremes::unless_too_heavy;
use super::sorted::differences;
use super::t_digest_answers::Answers;
use super::{MAX_WEIGHT, share};
use crate::math::{ln, sqrt};
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};
use crate::{Bounds, Incompatible, Merge, ParamError, kinds};

/// Quantiles of numbers from clusters that are small at both ends: a mean and a weight each.
///
/// **Error** of a rank q at most `3 q (1 - q) / k` in 99 of 100 answers on smooth data, as measured with
/// `k` 100 and 2^16 numbers. Where values crowd at one end it is that of a whole cluster, whose share of
/// the weight is at most `q (1 - q) (1.6 ln(n / 2k) + 9.6) / k`: 20 in place of 3. There is no
/// guarantee, and none can be given (Cormode et al. 2021). None while at most `2 k` values were added. Answers are
/// monotone: a greater q never has a smaller quantile, nor a greater value a smaller rank.
/// **Memory** up to `2 k` clusters of 16 bytes and a buffer of `16 k` numbers. **Cost** of an
/// addition: amortised a sort of `16 k` numbers; of an answer O(k), and of one with numbers in the
/// buffer that sort, unless [`flush`](Self::flush) was called.
///
/// Not where an error has to be certain: [`DdSketch`](super::DdSketch), [`Req`](super::Req).
///
/// Source: Dunning and Ertl 2019, the merging form with the scale function `k_2`, and clusters of four
/// fifths of the weight that DataSketches gives them. Reads and writes the bytes of Apache DataSketches,
/// and reads those of the reference implementation.
///
/// ```
/// use archstone_sketch::quantiles::TDigest;
///
/// let mut digest = TDigest::new(100)?;
/// for i in 0..100_000_u32 {
///     digest.add(f64::from(i).sqrt());
/// }
/// let p999 = digest.quantile(0.999).unwrap();
/// assert!((p999 / 99_900_f64.sqrt() - 1.0).abs() < 0.001);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TDigest {
    pub(super) k: u16,
    /// Whether the next compaction goes from the greatest down: they take turns.
    pub(super) reverse: bool,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Ascending means.
    pub(super) clusters: Vec<Cluster>,
    /// Weight of the clusters.
    pub(super) weight: u64,
    /// Numbers as keys that order as whole numbers, which sort faster.
    pub(super) buffer: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cluster {
    pub(super) mean: f64,
    pub(super) weight: u64,
}

/// The bits of a double so that they order as it does; its own inverse.
#[inline]
pub(super) const fn key(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

const fn number(key_: i64) -> f64 {
    f64::from_bits(key(key_) as u64)
}

impl TDigest {
    /// The least `k`.
    pub const MIN_K: u16 = 10;

    /// An empty digest of up to `2 k` clusters; 100 and 200 are usual.
    ///
    /// # Errors
    /// When `k` is less than 10.
    pub fn new(k: u16) -> Result<Self, ParamError> {
        ParamError::whole("k", k.into(), Self::MIN_K.into(), u16::MAX.into())?;
        Ok(Self::empty(k))
    }

    pub(super) const fn empty(k: u16) -> Self {
        Self {
            k,
            reverse: false,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            clusters: Vec::new(),
            weight: 0,
            buffer: Vec::new(),
        }
    }

    /// The parameter.
    #[must_use]
    pub const fn k(&self) -> u16 {
        self.k
    }

    /// The weight of the stream: how many numbers were added.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.weight + self.buffer.len() as u64
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n() == 0
    }

    /// The least number.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (!self.is_empty()).then_some(self.min)
    }

    /// The greatest number.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (!self.is_empty()).then_some(self.max)
    }

    /// Clusters and buffered numbers.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.clusters.len() + self.buffer.len()
    }

    pub(super) fn buffer_size(&self) -> usize {
        16 * usize::from(self.k)
    }

    /// Adds one number. `false`, and nothing is added, for NaN, infinity and past a weight of 2^60.
    #[inline]
    pub fn add(&mut self, number: f64) -> bool {
        if !number.is_finite() || self.n() >= MAX_WEIGHT {
            return false;
        }
        self.widen(number, number);
        // One zero, so that equal numbers have equal keys.
        self.buffer.push(key((number + 0.0).to_bits() as i64));
        if self.buffer.len() >= self.buffer_size() {
            self.flush();
        }
        true
    }

    /// Adds one number `n` times. O(k). `false`, and nothing is added, for NaN, infinity and past a
    /// weight of 2^60.
    pub fn add_n(&mut self, number: f64, n: u64) -> bool {
        if !number.is_finite() || n > MAX_WEIGHT - self.n() {
            return false;
        }
        if n > 0 {
            self.widen(number, number);
            self.absorb([Cluster { mean: number + 0.0, weight: n }].into_iter());
        }
        true
    }

    #[inline]
    fn widen(&mut self, min: f64, max: f64) {
        if min < self.min {
            self.min = min + 0.0;
        }
        if max > self.max {
            self.max = max + 0.0;
        }
    }

    /// Brings the buffer into the clusters, so that answers need not.
    pub fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.absorb(core::iter::empty());
        }
    }

    /// Brings ascending clusters and the buffer into the clusters.
    #[cold]
    fn absorb(&mut self, more: impl ExactSizeIterator<Item = Cluster>) {
        let mut buffer = core::mem::take(&mut self.buffer);
        buffer.sort_unstable();
        let mut all = Vec::with_capacity(self.clusters.len() + buffer.len() + more.len());
        let mut weight = self.weight + buffer.len() as u64;
        let old = self.clusters.drain(..);
        let new = buffer.drain(..).map(|key| Cluster { mean: number(key), weight: 1 });
        if more.len() == 0 {
            merge_into(&mut all, old, new);
        } else {
            let mut both = Vec::with_capacity(new.len() + more.len());
            merge_into(&mut both, new, more.inspect(|cluster| weight += cluster.weight));
            merge_into(&mut all, old, both.into_iter());
        }
        self.buffer = buffer;
        self.weight = weight;
        self.group(&mut all);
    }

    /// Makes clusters of `all`, which are ascending.
    fn group(&mut self, all: &mut [Cluster]) {
        if all.len() <= 2 * usize::from(self.k) {
            self.clusters.extend_from_slice(all);
            return;
        }
        if self.reverse {
            all.reverse();
        }
        let scale = Scale::new(self.k, self.weight);
        // Sums of differences of the largest numbers would overflow.
        let shrink = if self.min.abs().max(self.max.abs()) > 1e290 { SHRINK } else { 1.0 };
        let (first, last) = (all[0], all[all.len() - 1]);
        self.clusters.push(first);
        let mut before = first.weight;
        // The first and the last stay alone: they are the ends, or nearly.
        let mut rest = all[1..all.len() - 1].iter().peekable();
        while let Some(&start) = rest.next() {
            let limit = scale.limit(before);
            let (mut end, mut weight, mut sum) = (start.mean, start.weight, 0.0);
            while let Some(next) = rest.next_if(|next| weight + next.weight <= limit) {
                weight += next.weight;
                sum += (next.mean * shrink - start.mean * shrink) * next.weight as f64;
                end = next.mean;
            }
            let mean = (start.mean * shrink + sum / weight as f64) / shrink;
            // Rounding may not bring the means out of order.
            let (low, high) = if self.reverse { (end, start.mean) } else { (start.mean, end) };
            self.clusters.push(Cluster { mean: mean.clamp(low, high), weight });
            before += weight;
        }
        self.clusters.push(last);
        if self.reverse {
            self.clusters.reverse();
        }
        self.reverse = !self.reverse;
    }

    /// Itself without a buffer.
    pub(super) fn settled(&self) -> Cow<'_, Self> {
        if self.buffer.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.flush();
        Cow::Owned(settled)
    }

    /// The share of the stream at or below `x`, half of those equal to it not counted.
    #[must_use]
    pub fn rank(&self, x: f64) -> Option<f64> {
        Answers::new(&self.settled())?.rank(x)
    }

    /// [`rank`](Self::rank) between what lies in the clusters wholly below and what lies in those up
    /// to the next one above. The truth is within as far as clusters do not overlap; that is not
    /// certain.
    #[must_use]
    pub fn rank_bounds(&self, x: f64) -> Option<Bounds> {
        Answers::new(&self.settled())?.rank_bounds(x)
    }

    /// The number with a share of `q` below it, between the means of the clusters around it.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let q = share(q);
        Answers::new(&self.settled())?.quantile(q)
    }

    /// [`quantile`](Self::quantile) between the means of the clusters below and above. The truth is
    /// within as far as clusters do not overlap; that is not certain.
    #[must_use]
    pub fn quantile_bounds(&self, q: f64) -> Option<Bounds> {
        let q = share(q);
        Answers::new(&self.settled())?.quantile_bounds(q)
    }

    /// [`quantile`](Self::quantile) of each, in one pass if there is a buffer.
    #[must_use]
    pub fn quantiles(&self, qs: &[f64]) -> Option<Vec<f64>> {
        let settled = self.settled();
        let answers = Answers::new(&settled)?;
        qs.iter().map(|&q| answers.quantile(share(q))).collect()
    }

    /// [`rank`](Self::rank) of each split point, and 1 at the end.
    #[must_use]
    pub fn cdf(&self, points: &[f64]) -> Option<Vec<f64>> {
        let settled = self.settled();
        let answers = Answers::new(&settled)?;
        points.iter().map(|&x| answers.rank(x)).chain([Some(1.0)]).collect()
    }

    /// The share up to the first point, between each two, and past the last: of `points` in
    /// ascending order.
    #[must_use]
    pub fn pmf(&self, points: &[f64]) -> Option<Vec<f64>> {
        self.cdf(points).map(differences)
    }

    /// Itself if what was read is a digest; `start` is where it began.
    pub(super) fn checked(mut self, start: &Reader<'_>) -> Result<Self, DecodeError> {
        let wrong = |why| Err(start.error("clusters", Why::Invalid(why)));
        let weight = self.clusters.iter().map(|c| u128::from(c.weight)).sum::<u128>();
        let all = weight + self.buffer.len() as u128;
        if all > MAX_WEIGHT.into() {
            return wrong("a weight above 2^60");
        }
        self.weight = weight as u64;
        if all == 0 {
            return wrong("none, and not empty");
        }
        if !self.min.is_finite() || !self.max.is_finite() || self.min > self.max {
            return wrong("extremes that are no numbers, or not in order");
        }
        if all == 1 && self.min < self.max {
            return wrong("one number with two extremes");
        }
        let inside = |x: f64| self.min <= x && x <= self.max;
        if !self.clusters.iter().all(|c| c.weight > 0 && inside(c.mean))
            || !self.buffer.iter().all(|&key| inside(number(key)))
        {
            return wrong("a weight of 0, or a mean outside the extremes");
        }
        if !self.clusters.is_sorted_by(|a, b| a.mean <= b.mean) {
            return wrong("means that are not ascending");
        }
        Ok(self)
    }
}

/// Means of numbers up to the greatest, of which 2^60 may come together, stay finite.
const SHRINK: f64 = 1.0 / (1_u128 << 70) as f64;

fn merge_into(
    all: &mut Vec<Cluster>,
    a: impl Iterator<Item = Cluster>,
    b: impl Iterator<Item = Cluster>,
) {
    let (mut a, mut b) = (a, b);
    let (mut next_a, mut next_b) = (a.next(), b.next());
    loop {
        match (next_a, next_b) {
            (Some(x), Some(y)) if y.mean < x.mean => {
                all.push(y);
                next_b = b.next();
            }
            (Some(x), _) => {
                all.push(x);
                next_a = a.next();
            }
            (None, Some(y)) => {
                all.push(y);
                next_b = b.next();
            }
            (None, None) => return,
        }
    }
}

/// How heavy a cluster may be: `q (1 - q) n / normalizer` at both of its ends, the scale function k_2.
struct Scale {
    n: f64,
    /// `1 / (n normalizer)`
    c: f64,
}

impl Scale {
    fn new(k: u16, n: u64) -> Self {
        let (n, compression) = (n as f64, 2.0 * f64::from(k));
        // DataSketches has 1 where 1.25 is, and then some 130 clusters of 200.
        let normalizer = 1.25 * compression / (4.0 * ln(n / compression) + 24.0);
        Self { n, c: 1.0 / (n * normalizer) }
    }

    /// The most weight of a cluster that begins after `before`: once a cluster, so that adding to
    /// it is one comparison. With `f(x) = c x (n - x)`, the greatest w of at most `f(before)` and
    /// `f(before + w)`; the second is the root of a quadratic.
    fn limit(&self, before: u64) -> u64 {
        let (n, c, x) = (self.n, self.c, before as f64);
        let here = c * x * (n - x);
        let b = c * (n - 2.0 * x) - 1.0;
        let root = sqrt((b * b + 4.0 * c * here).max(0.0));
        let there = if b > 0.0 { (b + root) / (2.0 * c) } else { 2.0 * here / (root - b) };
        here.min(there) as u64
    }
}

/// The digest of both streams. Digests of different `k` merge, into that of this one. O(k).
impl Merge for TDigest {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        unless_too_heavy(self.n(), other.n())?;
        if !other.is_empty() {
            self.widen(other.min, other.max);
            let other = other.settled();
            self.absorb(other.clusters.iter().copied());
        }
        Ok(())
    }
}

/// Kind, version, `k`, direction, clusters and buffered numbers (how many), extremes, clusters (mean,
/// weight), numbers.
impl Wire for TDigest {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::T_DIGEST, 1);
        out.varint(self.k.into());
        out.u8(self.reverse.into());
        out.varint(self.clusters.len() as u64);
        out.varint(self.buffer.len() as u64);
        if self.is_empty() {
            return;
        }
        out.f64(self.min);
        out.f64(self.max);
        for cluster in &self.clusters {
            out.f64(cluster.mean);
            out.varint(cluster.weight);
        }
        self.buffer.iter().for_each(|&key| out.f64(number(key)));
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::T_DIGEST, 1)?;
        let start = input.clone();
        let wrong = |why| Err(start.error("parameters", Why::Invalid(why)));
        let k = input.varint_up_to(u16::MAX.into(), "k")? as u16;
        if k < Self::MIN_K {
            return wrong("k less than 10");
        }
        let mut digest = Self::empty(k);
        digest.reverse = match input.u8("direction")? {
            0 => false,
            1 => true,
            _ => return wrong("a direction that is none"),
        };
        let clusters = input.count(9, "clusters")?;
        let buffered = input.count(8, "buffered numbers")?;
        if clusters + buffered == 0 {
            return Ok(digest);
        }
        if buffered >= digest.buffer_size() {
            return wrong("more buffered numbers than fit");
        }
        (digest.min, digest.max) = (input.f64("minimum")?, input.f64("maximum")?);
        for _ in 0..clusters {
            let (mean, weight) = (input.f64("mean")?, input.varint("weight")?);
            digest.clusters.push(Cluster { mean, weight });
        }
        for _ in 0..buffered {
            digest.buffer.push(key(input.f64("number")?.to_bits() as i64));
        }
        digest.checked(&start)
    }
}
serde_as_wire!([] TDigest);
