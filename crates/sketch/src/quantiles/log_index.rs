use crate::math::{ceil, exp2, ln, log1p, log2};

/// The bucket of a positive normal number: `ceil(log_gamma x)`, so bucket i holds the numbers above
/// `gamma^(i - 1)` up to `gamma^i`.
///
/// The logarithm is a table look-up and a polynomial whose error is known; only a number that is so
/// near to the edge of a bucket that the error could matter takes the long way. So buckets are
/// exactly those of the long way, for a third of its cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LogIndex {
    gamma: f64,
    /// Buckets a doubling.
    per_doubling: f64,
    /// How far from its middle a number is in no doubt in which bucket it is.
    sure: f64,
}

/// A number of 1 to 2 is near to one of these centres.
const CENTRES: usize = 512;
/// One over each centre, and the logarithm of it.
static TABLE: [(f64, f64); CENTRES] = table();
/// The parabola is off by less than `2^-30`, a third of the cube of `2^-10`.
const LOG_ERROR: f64 = 1.0 / (1_u64 << 29) as f64;
/// Adding it leaves the nearest whole number in the low bits: 1.5 times 2^52.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

const fn table() -> [(f64, f64); CENTRES] {
    let mut table = [(0.0, 0.0); CENTRES];
    let mut i = 0;
    while i < CENTRES {
        let centre = 1.0 + (i as f64 + 0.5) / CENTRES as f64;
        // ln c = 2 atanh z, whose series falls by a ninth a term here.
        let z = (centre - 1.0) / (centre + 1.0);
        let (mut power, mut sum, mut odd) = (z, 0.0, 1.0);
        while odd < 60.0 {
            sum += power / odd;
            power *= z * z;
            odd += 2.0;
        }
        table[i] = (1.0 / centre, 2.0 * sum / core::f64::consts::LN_2);
        i += 1;
    }
    table
}

impl LogIndex {
    /// Buckets whose numbers are within `alpha` of one number.
    pub(super) fn new(alpha: f64) -> Self {
        Self::with_gamma(1.0 + 2.0 * alpha / (1.0 - alpha))
    }

    pub(super) fn with_gamma(gamma: f64) -> Self {
        let per_doubling = ln(2.0) / log1p(gamma - 1.0);
        Self { gamma, per_doubling, sure: 0.5 - per_doubling * LOG_ERROR }
    }

    pub(super) const fn gamma(&self) -> f64 {
        self.gamma
    }

    pub(super) fn alpha(&self) -> f64 {
        (self.gamma - 1.0) / (self.gamma + 1.0)
    }

    /// Whether buckets of one are those of the other but for the rounding of gamma.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        (self.gamma - other.gamma).abs() <= 1e-10 * (self.gamma - 1.0)
    }

    pub(super) fn of(&self, x: f64) -> i32 {
        // The logarithm is at the edge of a bucket for few: they take the long way.
        self.of_most(x).unwrap_or_else(|| ceil(log2(x) * self.per_doubling) as i32)
    }

    /// The bucket of a number, unless it is too near to the edge of one.
    #[inline]
    pub(super) fn of_most(&self, x: f64) -> Option<i32> {
        const FRACTION: u64 = (1 << 52) - 1;
        /// 2^52 as bits: what is put into its low bits is added to it.
        const UNITS: u64 = 1075 << 52;
        const PARABOLA: (f64, f64) = (core::f64::consts::LOG2_E, -0.5 * core::f64::consts::LOG2_E);
        let bits = x.to_bits();
        // The exponent without a conversion.
        let exponent = f64::from_bits(bits >> 52 | UNITS) - ((1_u64 << 52) + 1023) as f64;
        let (inverse, log) = TABLE[(bits >> 43) as usize % CENTRES];
        let r = f64::from_bits(bits & FRACTION | 1023 << 52) * inverse - 1.0;
        // log2(1 + r), r at most 2^-10 around 0.
        let log = exponent + log + r * (PARABOLA.0 + r * PARABOLA.1);
        // Half a bucket on, the nearest whole number is the next one up.
        let place = log * self.per_doubling + 0.5;
        let rounded = place + ROUNDER;
        let off = place - (rounded - ROUNDER);
        (off.abs() <= self.sure).then_some(rounded.to_bits() as i32)
    }

    /// The upper end of a bucket.
    pub(super) fn end(&self, index: i32) -> f64 {
        exp2(f64::from(index) / self.per_doubling).min(f64::MAX)
    }

    /// The number that is within alpha of all of a bucket.
    pub(super) fn middle(&self, index: i32) -> f64 {
        // In this order nothing overflows that has not to.
        (exp2(f64::from(index) / self.per_doubling - 1.0) * (2.0 / (1.0 + self.gamma)) * 2.0)
            .min(f64::MAX)
    }

    /// The buckets of the least and the greatest number.
    pub(super) fn span(&self) -> (i32, i32) {
        (self.of(f64::MIN_POSITIVE), self.of(f64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::LogIndex;
    use crate::math::{ceil, log2};

    fn long_way(index: &LogIndex, x: f64) -> i32 {
        ceil(log2(x) * index.per_doubling) as i32
    }

    proptest! {
        #[test]
        fn the_short_way_goes_where_the_long_way_goes(
            bits in 1_u64 << 52..2047 << 52, alpha in 1e-6..0.9_f64,
        ) {
            let (index, x) = (LogIndex::new(alpha), f64::from_bits(bits));
            prop_assert_eq!(index.of(x), long_way(&index, x));
        }

        #[test]
        fn also_at_the_edges_of_buckets(bucket in -30_000_i32..30_000, ulps in -3_i64..4) {
            let index = LogIndex::new(0.01);
            let x = f64::from_bits((index.end(bucket).to_bits() as i64 + ulps) as u64);
            prop_assert_eq!(index.of(x), long_way(&index, x));
        }
    }
}
