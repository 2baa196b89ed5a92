//! Latency by operation: high dynamic range histograms.

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// Histograms by operation, exact to three digits from 1 ns to 584 years.
///
/// Record virtual time for the report's `latency`, which one seed determines; measurements of
/// the machine's clock go to `wall.latency`.
///
/// ```
/// use kit::Latencies;
/// use std::time::Duration;
///
/// let mut latencies = Latencies::default();
/// for ms in 1..=1000 {
///     latencies.record("search", Duration::from_millis(ms));
/// }
/// let search = latencies.percentiles("search").unwrap();
/// assert_eq!(search.n, 1000);
/// assert!(search.p99.abs_diff(990_000_000) < 1_000_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    operations: BTreeMap<String, Histogram<u64>>,
}

/// What the report says of one operation, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many were recorded.
    pub n: u64,
    /// The median.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// 999 of 1,000 took no longer.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Latencies {
    /// Records that `operation` took `span`.
    pub fn record(&mut self, operation: &str, span: Duration) {
        self.record_n(operation, span, 1);
    }

    /// Records `times` operations that took `span` each.
    pub fn record_n(&mut self, operation: &str, span: Duration, times: u64) {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        // `saturating_record_n` would clamp instead of growing the histogram.
        let recorded = self.histogram(operation).record_n(nanos, times);
        recorded.expect("an auto-resizing histogram holds any value");
    }

    /// Adds all of `other`: another worker's.
    pub fn merge(&mut self, other: &Self) {
        for (operation, histogram) in &other.operations {
            let sum = self.histogram(operation).add(histogram);
            sum.expect("an auto-resizing histogram holds any other");
        }
    }

    /// The percentiles of `operation`, if it was recorded.
    #[must_use]
    pub fn percentiles(&self, operation: &str) -> Option<Percentiles> {
        self.operations.get(operation).map(summary)
    }

    /// Every operation with its percentiles, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Percentiles)> {
        self.operations.iter().map(|(name, histogram)| (name.as_str(), summary(histogram)))
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    fn histogram(&mut self, operation: &str) -> &mut Histogram<u64> {
        // Two look-ups instead of `entry`, which would allocate the name for every record.
        if !self.operations.contains_key(operation) {
            let mut histogram = Histogram::new(3).expect("3 digits are allowed");
            histogram.auto(true);
            self.operations.insert(operation.to_owned(), histogram);
        }
        self.operations.get_mut(operation).expect("just inserted")
    }
}

fn summary(histogram: &Histogram<u64>) -> Percentiles {
    // A histogram reports the top of a bucket, which may lie past the longest that was seen.
    let at = |quantile| histogram.value_at_quantile(quantile).min(histogram.max());
    Percentiles {
        n: histogram.len(),
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max(),
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_and_the_longest_span_are_recorded_without_a_panic() {
        let mut latencies = Latencies::default();
        latencies.record("op", Duration::ZERO);
        latencies.record("op", Duration::MAX);
        let op = latencies.percentiles("op").unwrap();
        assert_eq!(op.n, 2);
        assert!(op.max > u64::MAX / 1000 * 999);
        assert_eq!(latencies.percentiles("other"), None);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_list_within_a_thousandth(
            mut spans in proptest::collection::vec(0_u64..10_000_000_000, 1..300),
        ) {
            let (mut one, mut two) = (Latencies::default(), Latencies::default());
            for (at, &nanos) in spans.iter().enumerate() {
                let side = if at % 2 == 0 { &mut one } else { &mut two };
                side.record("op", Duration::from_nanos(nanos));
            }
            one.merge(&two);
            spans.sort_unstable();
            let got = one.percentiles("op").unwrap();
            prop_assert_eq!(got.n, spans.len() as u64);
            for (quantile, value) in [(0.5, got.p50), (0.99, got.p99), (0.999, got.p999), (1.0, got.max)] {
                let rank = (quantile * spans.len() as f64).ceil() as usize;
                let exact = spans[rank.max(1) - 1];
                prop_assert!(value.abs_diff(exact) <= exact / 1000 + 1, "{quantile}: {value}, exact {exact}");
            }
        }
    }
}
