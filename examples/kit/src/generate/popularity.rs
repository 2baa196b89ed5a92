//! Who is asked for how often: Zipf's law, and laws measured on real data.

use super::Stream;

/// Ranks `1..=n` with probability proportional to `rank^-exponent`.
///
/// Rejection-inversion (Hörmann and Derflinger 1996): constant time and memory for any `n`, about
/// one draw in a hundred is rejected.
///
/// ```
/// use kit::{Seed, Zipf};
///
/// let zipf = Zipf::new(1_000_000, 1.0).unwrap();
/// let mut stream = Seed::new(1).stream("keys");
/// let ones = (0..10_000).filter(|_| zipf.sample(&mut stream) == 1).count();
/// assert!((600..800).contains(&ones)); // 1 / (ln n + 0.577) = 6.95 %
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zipf {
    first: u64,
    last: u64,
    exponent: f64,
    /// Area under the hat left of all ranks, the first one's own column included.
    low: f64,
    /// Area under the hat up to the last rank.
    high: f64,
    /// A rank this close above the inverted point is accepted without a second evaluation.
    sure: f64,
}

impl Zipf {
    /// Ranks `1..=n`; `None` when `n` is 0 or over 2^52, or the exponent is negative, NaN or over
    /// 100.
    #[must_use]
    pub fn new(n: u64, exponent: f64) -> Option<Self> {
        Self::tail(1, n, exponent)
    }

    /// Ranks `first..=last` of the same law: a tail of a popularity curve.
    #[must_use]
    pub fn tail(first: u64, last: u64, exponent: f64) -> Option<Self> {
        let ranks = first >= 1 && first <= last && last <= 1 << 52;
        if !ranks || !(0.0..=100.0).contains(&exponent) {
            return None;
        }
        let zipf = Self { first, last, exponent, low: 0.0, high: 0.0, sure: 0.0 };
        let next = first as f64 + 1.0;
        Some(Self {
            low: zipf.area(first as f64 + 0.5) - zipf.height(first as f64),
            high: zipf.area(last as f64 + 0.5),
            sure: next - zipf.inverse(zipf.area(next + 0.5) - zipf.height(next)),
            ..zipf
        })
    }

    /// A rank.
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> u64 {
        loop {
            let area = self.high + stream.unit() * (self.low - self.high);
            let point = self.inverse(area);
            let rank = (point + 0.5) as u64;
            let rank = rank.clamp(self.first, self.last);
            let at = rank as f64;
            if at - point <= self.sure || area >= self.area(at + 0.5) - self.height(at) {
                return rank;
            }
        }
    }

    /// The weight of a rank: `x^-exponent`.
    fn height(&self, x: f64) -> f64 {
        libm::exp(-self.exponent * libm::log(x))
    }

    /// The integral of the weight: `(x^(1-e) - 1) / (1-e)`, which is `ln x` at `e = 1`.
    fn area(&self, x: f64) -> f64 {
        let log = libm::log(x);
        grown((1.0 - self.exponent) * log) * log
    }

    /// The inverse of [`Self::area`].
    fn inverse(&self, area: f64) -> f64 {
        // Rounding may push the argument below -1, where the logarithm ends.
        let grown = (area * (1.0 - self.exponent)).max(-1.0);
        libm::exp(shrunk(grown) * area)
    }
}

/// `(exp(x) - 1) / x`, also near 0.
fn grown(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::expm1(x) / x } else { 1.0 + x / 2.0 * (1.0 + x / 3.0) }
}

/// `ln(1 + x) / x`, also near 0.
fn shrunk(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::log1p(x) / x } else { 1.0 - x * (0.5 - x / 3.0) }
}

/// A popularity law measured on real data: how often the most popular item was asked for, the
/// second, and so on.
///
/// A pure Zipf law with exponent 1 is steeper at the head than most real data, so designs
/// calibrate on the shipped data. [`RankCurve::extend`] lengthens the tail past what was measured.
/// 16 bytes a measured rank (alias method of Walker and Vose), constant time a draw.
///
/// ```
/// use kit::{RankCurve, Seed};
///
/// let curve = RankCurve::new(&[500, 300, 100, 60, 40]).unwrap();
/// let mut stream = Seed::new(1).stream("keys");
/// let firsts = (0..10_000).filter(|_| curve.sample(&mut stream) == 1).count();
/// assert!((4_800..5_200).contains(&firsts));
/// ```
#[derive(Clone, Debug)]
pub struct RankCurve {
    /// For each rank the share of its column that is its own (as a 2^63rd), and the other owner.
    columns: Vec<(u64, u32)>,
    counts: Vec<u64>,
    tail: Option<Tail>,
}

#[derive(Clone, Copy, Debug)]
struct Tail {
    share: f64,
    zipf: Zipf,
}

impl RankCurve {
    /// The law of `counts`, in any order (sorted here, zeros dropped); `None` when nothing is
    /// left or there are over 2^32.
    #[must_use]
    pub fn new(counts: &[u64]) -> Option<Self> {
        let mut counts: Vec<u64> = counts.iter().copied().filter(|&count| count > 0).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        if counts.is_empty() || u32::try_from(counts.len()).is_err() {
            return None;
        }
        let columns = alias(&counts);
        Some(Self { columns, counts, tail: None })
    }

    /// The same law with ranks up to `ranks`: the tail falls on as `rank^-exponent` from the
    /// height of the last measured rank. Unchanged when `ranks` is not past the end or the
    /// exponent is none of [`Zipf`]'s.
    ///
    /// [`RankCurve::tail_exponent`] is the measured one.
    #[must_use]
    pub fn extend(mut self, ranks: u64, exponent: f64) -> Self {
        let measured = self.counts.len() as u64;
        let Some(zipf) = Zipf::tail(measured + 1, ranks, exponent) else { return self };
        // The tail's weight in units of the last measured rank's, by the integral of the law:
        // within 1/(8 n^2) of the sum for a tail that starts at rank n.
        let last = measured as f64;
        let weight = (zipf.high - zipf.area(last + 0.5)) / zipf.height(last);
        let tail = weight * *self.counts.last().expect("not empty") as f64;
        let head: f64 = self.counts.iter().map(|&count| count as f64).sum();
        self.tail = Some(Tail { share: tail / (head + tail), zipf });
        self
    }

    /// A rank, from 1.
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> u64 {
        if let Some(tail) = self.tail
            && stream.chance(tail.share)
        {
            return tail.zipf.sample(stream);
        }
        let column = stream.below(self.columns.len() as u64);
        let (own, other) = self.columns[column as usize];
        if stream.next_u64() >> 1 < own { column + 1 } else { u64::from(other) + 1 }
    }

    /// How many ranks it has.
    #[must_use]
    pub fn ranks(&self) -> u64 {
        self.tail.map_or(self.counts.len() as u64, |tail| tail.zipf.last)
    }

    /// The exponent of the measured curve between two ranks: minus the least-squares slope of
    /// log count over log rank. `None` with fewer than two ranks.
    #[must_use]
    pub fn exponent(&self, first: u64, last: u64) -> Option<f64> {
        let last = last.min(self.counts.len() as u64);
        let first = first.max(1);
        if first >= last {
            return None;
        }
        let points = (first..=last).map(|rank| {
            let count = self.counts[rank as usize - 1];
            (libm::log(rank as f64), libm::log(count as f64))
        });
        let n = (last - first + 1) as f64;
        let (mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0);
        for (x, y) in points {
            sx += x;
            sy += y;
            sxx += x * x;
            sxy += x * y;
        }
        Some(-(n * sxy - sx * sy) / (n * sxx - sx * sx))
    }

    /// The exponent of the second half of the curve on a logarithmic scale, where single requests
    /// do not yet flatten it into steps: from the square root of the number of ranks to the last
    /// rank asked for at least five times.
    #[must_use]
    pub fn tail_exponent(&self) -> Option<f64> {
        let solid = self.counts.iter().take_while(|&&count| count >= 5).count() as u64;
        let start = libm::sqrt(self.counts.len() as f64) as u64;
        self.exponent(start, solid)
    }
}

/// Vose's alias table in integers: exact, equal on every platform.
fn alias(counts: &[u64]) -> Vec<(u64, u32)> {
    let n = counts.len() as u128;
    let total: u128 = counts.iter().map(|&count| u128::from(count)).sum();
    // Column height is `total`; each count weighs `count * n`, so the columns fill exactly.
    let mut left: Vec<u128> = counts.iter().map(|&count| u128::from(count) * n).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..counts.len()).partition(|&at| left[at] < total);
    let mut columns: Vec<(u64, u32)> = (0..counts.len()).map(|at| (1 << 63, at as u32)).collect();
    while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
        columns[poor] = (share63(left[poor], total), rich as u32);
        left[rich] -= total - left[poor];
        if left[rich] < total {
            large.pop();
            small.push(rich);
        }
    }
    columns
}

/// `part / total` in units of 2^-63.
fn share63(part: u128, total: u128) -> u64 {
    // `total` may need up to 96 bits; drop low bits of both until the product fits.
    let shift = (128 - total.leading_zeros()).saturating_sub(64);
    (((part >> shift) << 63) / (total >> shift)) as u64
}
