use super::TDigest;
use super::t_digest::Cluster;
use crate::Bounds;

/// Answers from the clusters of a digest that is not empty and has no buffer.
pub(super) struct Answers<'a> {
    min: f64,
    max: f64,
    clusters: &'a [Cluster],
    n: f64,
}

impl<'a> Answers<'a> {
    pub(super) fn new(digest: &'a TDigest) -> Option<Self> {
        let TDigest { min, max, weight, .. } = *digest;
        let clusters = &digest.clusters[..];
        (!clusters.is_empty()).then_some(Self { min, max, clusters, n: weight as f64 })
    }

    fn before(&self, index: usize) -> f64 {
        self.clusters[..index].iter().map(|cluster| cluster.weight).sum::<u64>() as f64
    }

    /// The clusters' middles joined by lines: as Apache DataSketches answers.
    pub(super) fn rank(&self, x: f64) -> Option<f64> {
        if x.is_nan() {
            return None;
        }
        if x < self.min {
            return Some(0.0);
        }
        if x > self.max {
            return Some(1.0);
        }
        if self.min >= self.max {
            return Some(0.5);
        }
        let low = self.clusters.partition_point(|cluster| cluster.mean < x);
        let high = self.clusters.partition_point(|cluster| cluster.mean <= x);
        let middle = |index: usize| self.before(index) + self.clusters[index].weight as f64 / 2.0;
        let weight = if low < high {
            // At one or several means.
            f64::midpoint(middle(low), middle(high - 1))
        } else if low == 0 {
            // The least number is one sample, half of it below itself.
            let (end, first) = (middle(0), self.clusters[0].mean);
            if x <= self.min { 0.5 } else { between(1.0_f64.min(end), end, x, self.min, first) }
        } else if low == self.clusters.len() {
            let (start, last) = (middle(low - 1), self.clusters[low - 1].mean);
            if x >= self.max {
                self.n - 0.5
            } else {
                between(start, (self.n - 1.0).max(start), x, last, self.max)
            }
        } else {
            let (left, right) = (self.clusters[low - 1].mean, self.clusters[low].mean);
            between(middle(low - 1), middle(low), x, left, right)
        };
        Some(weight / self.n)
    }

    pub(super) fn rank_bounds(&self, x: f64) -> Option<Bounds> {
        let estimate = self.rank(x)?;
        if x < self.min || x > self.max {
            return Some(Bounds::exact(estimate));
        }
        if x >= self.max {
            return Some(Bounds { lower: estimate, estimate, upper: 1.0 });
        }
        let low = self.clusters.partition_point(|cluster| cluster.mean < x);
        let high = self.clusters.partition_point(|cluster| cluster.mean <= x);
        let is_one = |index: usize| self.clusters.get(index).is_some_and(|c| c.weight == 1);
        let equal = (low..high).filter(|&index| is_one(index)).count() as f64;
        let whole = if low > 0 && !is_one(low - 1) { low - 1 } else { low };
        let lower = (self.before(whole) + equal).max(1.0);
        let past = if is_one(high) { high } else { (high + 1).min(self.clusters.len()) };
        let upper = self.before(past).min(self.n - 1.0).max(lower);
        Some(Bounds {
            lower: (lower / self.n).min(estimate),
            estimate,
            upper: (upper / self.n).max(estimate),
        })
    }

    /// The quantile function is a line through knots, whose weights and values never fall: so it
    /// is monotone. A cluster of one is flat over its sample; the extremes are one sample each, and
    /// a heavier cluster is a point in its middle.
    fn knots(&self) -> impl Iterator<Item = (f64, f64)> {
        let mut before = 0_u64;
        let inner = self.clusters.iter().flat_map(move |cluster| {
            let (start, end) = (before as f64, (before + cluster.weight) as f64);
            before += cluster.weight;
            let middle = f64::midpoint(start, end);
            let span = if cluster.weight == 1 { (start, end) } else { (middle, middle) };
            [(span.0, cluster.mean), (span.1, cluster.mean)]
        });
        let first = [(0.0, self.min), (1.0, self.min)];
        let last = [(self.n - 1.0, self.max), (self.n, self.max)];
        first.into_iter().chain(inner).chain(last)
    }

    fn around(&self, q: f64) -> Option<((f64, f64), (f64, f64))> {
        if q.is_nan() {
            return None;
        }
        let weight = q * self.n;
        if weight < 1.0 {
            return Some(((0.0, self.min), (1.0, self.min)));
        }
        if weight >= self.n - 1.0 {
            return Some(((self.n - 1.0, self.max), (self.n, self.max)));
        }
        let mut left = (1.0, self.min);
        for knot in self.knots().skip(2) {
            // A knot that an extreme's sample covers would turn back.
            let knot = (knot.0.max(left.0), knot.1);
            if knot.0 > weight {
                return Some((left, knot));
            }
            left = knot;
        }
        Some((left, (self.n, self.max)))
    }

    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let (left, right) = self.around(q)?;
        Some(between(left.1, right.1, q * self.n, left.0, right.0))
    }

    pub(super) fn quantile_bounds(&self, q: f64) -> Option<Bounds> {
        let (left, right) = self.around(q)?;
        Some(Bounds { lower: left.1, estimate: self.quantile(q)?, upper: right.1 })
    }
}

/// What stands at `x` on the line from `(left, start)` to `(right, end)`: never outside, whatever
/// rounds or would overflow.
fn between(start: f64, end: f64, x: f64, left: f64, right: f64) -> f64 {
    // Halves, since the difference of the largest numbers has none.
    let share = (x / 2.0 - left / 2.0) / (right / 2.0 - left / 2.0);
    if share.is_nan() {
        return start;
    }
    let share = share.clamp(0.0, 1.0);
    let value = if (start < 0.0) == (end < 0.0) {
        start + (end - start) * share
    } else {
        start * (1.0 - share) + end * share
    };
    value.clamp(start, end)
}
