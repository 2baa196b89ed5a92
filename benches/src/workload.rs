//! Seeded inputs. The same seed gives the same stream in every release: the generator is SplitMix64
//! over a counter and nothing here depends on a library's choice of one. (Zipf takes `ln` and `exp`
//! from the machine's mathematics library, so another machine may differ in a rare rank.)

use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use archstone_core::hash::mix;

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in `[0, 1)`.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in `0..n`, by the high half of a product (bias below n / 2^64).
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in `range`.
    #[inline]
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// Ranks 1..=n with probability in proportion to `rank^-s`, by rejection-inversion (Hörmann and
/// Derflinger 1996): constant memory, about 1.1 draws a rank, exact for every `s > 0`.
#[derive(Clone, Debug)]
pub struct Zipf {
    n: f64,
    s: f64,
    low: f64,
    high: f64,
    /// Below this distance to the rank a draw needs no second look.
    sure: f64,
}

impl Zipf {
    #[must_use]
    pub fn new(n: u64, s: f64) -> Self {
        assert!(n > 0 && s > 0.0, "Zipf needs n > 0 and s > 0, got n = {n}, s = {s}");
        let mut zipf = Self { n: n as f64, s, low: 0.0, high: 0.0, sure: 0.0 };
        zipf.low = zipf.area(1.5) - 1.0;
        zipf.high = zipf.area(n as f64 + 0.5);
        zipf.sure = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    pub fn rank(&self, rng: &mut Rng) -> u64 {
        loop {
            let area = self.high + rng.unit() * (self.low - self.high);
            let x = self.area_inverse(area);
            let rank = (x + 0.5).floor().clamp(1.0, self.n);
            if rank - x <= self.sure || area >= self.area(rank + 0.5) - self.height(rank) {
                return rank as u64;
            }
        }
    }

    fn height(&self, x: f64) -> f64 {
        (-self.s * x.ln()).exp()
    }

    /// The integral of `height`, up to a constant; without cancellation near s = 1.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        let t = (1.0 - self.s) * log;
        log * if t.abs() > 1e-8 { t.exp_m1() / t } else { 1.0 + t / 2.0 }
    }

    fn area_inverse(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.s)).max(-1.0);
        (area * if t.abs() > 1e-8 { t.ln_1p() / t } else { 1.0 - t / 2.0 }).exp()
    }
}

/// Ranks 0.. with the popularity of a measured stream, by Walker's alias table (Vose 1991): two
/// draws a rank whatever the curve.
#[derive(Clone, Debug)]
pub struct RankCurve {
    /// The share of the column that is its own, and to whom the rest belongs.
    columns: Vec<(f64, u32)>,
}

impl RankCurve {
    /// `counts[r]` is how often rank `r` was seen.
    #[must_use]
    pub fn new(counts: &[u64]) -> Self {
        assert!(counts.iter().any(|&count| count > 0), "a rank curve needs a count above zero");
        let scale = counts.len() as f64 / counts.iter().map(|&c| c as f64).sum::<f64>();
        let mut columns: Vec<(f64, u32)> =
            counts.iter().enumerate().map(|(i, &c)| (c as f64 * scale, i as u32)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..columns.len()).partition(|&i| columns[i].0 < 1.0);
        while let (Some(&giver), Some(taker)) = (large.last(), small.pop()) {
            columns[taker].1 = giver as u32;
            columns[giver].0 -= 1.0 - columns[taker].0;
            if columns[giver].0 < 1.0 {
                large.pop();
                small.push(giver);
            }
        }
        // What rounding left over is whole.
        for i in small.into_iter().chain(large) {
            columns[i].0 = 1.0;
        }
        Self { columns }
    }

    /// The curve of a stream of keys.
    #[must_use]
    pub fn of<T: Eq + std::hash::Hash>(stream: impl IntoIterator<Item = T>) -> Self {
        let mut counts: Vec<u64> = count(stream).into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        Self::new(&counts)
    }

    pub fn rank(&self, rng: &mut Rng) -> u64 {
        let column = rng.below(self.columns.len() as u64);
        let (own, other) = self.columns[column as usize];
        if rng.unit() < own { column } else { u64::from(other) }
    }
}

/// `len` keys of Zipf popularity over `ids` ids; ranks are scattered over all of `u64`, so that no
/// structure profits from small or sequential keys.
#[must_use]
pub fn zipf_keys(seed: u64, s: f64, ids: u64, len: usize) -> Vec<u64> {
    let (zipf, mut rng) = (Zipf::new(ids, s), Rng::new(seed));
    (0..len).map(|_| mix(zipf.rank(&mut rng))).collect()
}

/// `len` keys drawn uniformly from `ids` ids.
#[must_use]
pub fn uniform_keys(seed: u64, ids: u64, len: usize) -> Vec<u64> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| mix(rng.below(ids))).collect()
}

/// `len` keys, all different; no two seeds share one as long as `len` is below 2^32.
#[must_use]
pub fn distinct_keys(seed: u64, len: usize) -> Vec<u64> {
    (0..len as u64).map(|i| mix((seed << 32) + i)).collect()
}

/// The words of War and Peace in the book's order: 577,155, of which 18,009 differ.
pub fn words() -> io::Result<Vec<String>> {
    lines(&testdata("words_war_and_peace.txt.gz"))
}

/// One request of the NASA web server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Seconds since 1970.
    pub at: u64,
    pub host: String,
    pub path: String,
}

/// The 30,969 requests of 1 August 1995, in the file's order (not strictly that of time).
pub fn nasa_day() -> io::Result<Vec<Request>> {
    let request = |line: &String| {
        let mut columns = line.split('\t');
        Some(Request {
            host: columns.next()?.to_owned(),
            at: columns.nth(1)?.parse().ok()?,
            path: columns.nth(1)?.to_owned(),
        })
    };
    Ok(lines(&testdata("nasa_19950801.tsv.gz"))?.iter().skip(1).filter_map(request).collect())
}

/// A file of the repository's `testdata/`.
#[must_use]
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}

/// The lines of a text file, gzip or not. Bytes that are not UTF-8 are replaced.
pub fn lines(path: &Path) -> io::Result<Vec<String>> {
    let raw = std::fs::read(path)?;
    let mut text = Vec::new();
    if raw.starts_with(&[0x1F, 0x8B]) {
        flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut text)?;
    } else {
        text = raw;
    }
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

/// How often each key occurs.
#[must_use]
pub fn count<T: Eq + std::hash::Hash>(stream: impl IntoIterator<Item = T>) -> HashMap<T, u64> {
    let mut counts = HashMap::new();
    for key in stream {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chi-square statistic of `counts` against the law `shares`, over its degrees of freedom:
    /// about 1 for the right law, with standard deviation sqrt(2 / df).
    fn misfit(counts: &[u64], shares: &[f64]) -> f64 {
        let total: u64 = counts.iter().sum();
        let sum: f64 = shares.iter().sum();
        let chi: f64 = counts
            .iter()
            .zip(shares)
            .map(|(&seen, share)| {
                let expected = total as f64 * share / sum;
                (seen as f64 - expected).powi(2) / expected
            })
            .sum();
        chi / (counts.len() - 1) as f64
    }

    // 99 degrees of freedom: above 1.6 once in 10,000 right laws; the seeds are fixed.
    #[test]
    fn zipf_ranks_follow_the_law_below_at_and_above_one() {
        for s in [0.5, 0.8, 1.0, 1.1, 2.0] {
            let (zipf, mut rng) = (Zipf::new(100, s), Rng::new(7));
            let mut counts = [0; 100];
            for _ in 0..1_000_000 {
                counts[zipf.rank(&mut rng) as usize - 1] += 1;
            }
            let law: Vec<f64> = (1..=100).map(|rank| f64::from(rank).powf(-s)).collect();
            let misfit = misfit(&counts, &law);
            assert!(misfit < 1.6, "s = {s}: {misfit}");
            assert!(counts[99] > 0 || s > 1.5);
        }
    }

    #[test]
    fn a_rank_curve_gives_back_the_counts_that_it_was_made_of() {
        let law: Vec<u64> = (0..100).map(|i| 3 + i % 7 + 5000 / (i + 1)).collect();
        let (curve, mut rng) = (RankCurve::new(&law), Rng::new(3));
        let mut counts = vec![0; law.len()];
        for _ in 0..1_000_000 {
            counts[curve.rank(&mut rng) as usize] += 1;
        }
        let shares: Vec<f64> = law.iter().map(|&c| c as f64).collect();
        assert!(misfit(&counts, &shares) < 1.6, "{}", misfit(&counts, &shares));
    }

    #[test]
    fn a_rank_never_seen_is_never_drawn() {
        let (curve, mut rng) = (RankCurve::new(&[5, 0, 1]), Rng::new(1));
        assert!((0..10_000).all(|_| curve.rank(&mut rng) != 1));
    }

    #[test]
    fn streams_are_those_of_their_seed_for_ever() {
        let sum = |keys: Vec<u64>| keys.into_iter().fold(0, |sum: u64, key| sum.wrapping_add(key));
        assert_eq!(sum(uniform_keys(1, 1 << 20, 1000)), 0xcf5a96987fcd22cb);
        assert_eq!(sum(distinct_keys(1, 1000)), 0xfd701020e85837d4);
        assert_eq!(zipf_keys(1, 1.1, 1 << 20, 1000), zipf_keys(1, 1.1, 1 << 20, 1000));
        assert_ne!(zipf_keys(1, 1.1, 1 << 20, 1000), zipf_keys(2, 1.1, 1 << 20, 1000));
    }

    #[test]
    fn distinct_keys_are_distinct_also_between_seeds() {
        let keys: std::collections::HashSet<u64> =
            (0..8).flat_map(|seed| distinct_keys(seed, 10_000)).collect();
        assert_eq!(keys.len(), 80_000);
    }

    #[test]
    fn the_words_are_those_that_the_source_line_promises() {
        let words = words().unwrap();
        assert_eq!(words.len(), 577_155);
        assert_eq!(count(&words).len(), 18_009);
    }

    #[test]
    fn the_nasa_day_has_the_requests_and_hosts_that_the_source_line_promises() {
        let requests = nasa_day().unwrap();
        assert_eq!(requests.len(), 30_969);
        assert_eq!(count(requests.iter().map(|request| &request.host)).len(), 2_365);
        assert_eq!(requests[0].path, "/images/launch-logo.gif");
        assert_eq!(requests[0].at, 807_256_800);
    }
}
