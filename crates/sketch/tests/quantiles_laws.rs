//! The quantile sketches against the sorted stream, and the laws of merging and of their bytes.
#![cfg(feature = "quantiles")]

mod common;

use archstone_sketch::quantiles::{Accurate, DdSketch, Kll, Ranked, Req, TDigest};
use archstone_sketch::{Bounds, Merge, Wire};
use proptest::prelude::*;

/// Numbers that sketches find hard: few and equal, ordered, of any size and sign.
fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let few = prop::collection::vec((-3_i32..4).prop_map(f64::from), 1..2000);
    let ascending = (1_usize..3000).prop_map(|n| (0..n).map(|i| i as f64).collect());
    let descending = (1_usize..3000).prop_map(|n| (0..n).rev().map(|i| i as f64).collect());
    let wild =
        prop::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite()), 1..1500);
    let log = (1_usize..4000, any::<u64>()).prop_map(|(n, seed)| {
        (0..n as u64).map(|i| 10_f64.powf(30.0 * common::unit(seed ^ i) - 15.0)).collect()
    });
    prop_oneof![few, ascending, descending, wild, log]
}

/// The share at or below, and the smallest value with a share of at least q.
struct Truth(Vec<f64>);

impl Truth {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Self(sorted)
    }
    fn count(&self, x: f64) -> usize {
        self.0.partition_point(|value| *value <= x)
    }
    fn rank(&self, x: f64) -> f64 {
        self.count(x) as f64 / self.0.len() as f64
    }
    fn quantile(&self, q: f64) -> f64 {
        let place = (q * self.0.len() as f64).ceil() as usize;
        self.0[place.clamp(1, self.0.len()) - 1]
    }
    fn ends(&self) -> (Option<f64>, Option<f64>) {
        (self.0.first().copied(), self.0.last().copied())
    }
}

const QS: [f64; 11] = [0.0, 1e-9, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0 - 1e-9, 1.0];

fn kll(values: &[f64], k: u16) -> Kll<f64> {
    let mut sketch = Kll::new(k).unwrap();
    values.iter().for_each(|&value| assert!(sketch.add(value)));
    sketch
}

fn req(values: &[f64], k: u16, accurate: Accurate) -> Req<f64> {
    let mut sketch = Req::new(k, accurate).unwrap();
    values.iter().for_each(|&value| assert!(sketch.add(value)));
    sketch
}

fn digest(values: &[f64], k: u16) -> TDigest {
    let mut digest = TDigest::new(k).unwrap();
    values.iter().for_each(|&value| assert!(digest.add(value)));
    digest
}

fn dd(values: &[f64], alpha: f64) -> DdSketch {
    let mut sketch = DdSketch::new(alpha).unwrap();
    values.iter().for_each(|&value| assert!(sketch.add(value)));
    sketch
}

/// Bounds of ten sigmas, which no seed of a test run leaves, hold the truth.
fn hold<E>(bounds: Option<Bounds>, truth: f64, what: E) -> Result<(), TestCaseError>
where
    E: std::fmt::Debug,
{
    let bounds = bounds.unwrap();
    let near = bounds.lower - 1e-12 <= truth && truth <= bounds.upper + 1e-12;
    prop_assert!(near, "{what:?}: {truth} is not in {bounds}");
    Ok(())
}

proptest! {
    #[test]
    fn kll_keeps_the_weight_the_extremes_and_its_bounds(values in numbers(), k in 8_u16..64) {
        let (sketch, truth) = (kll(&values, k), Truth::of(&values));
        prop_assert_eq!(sketch.n(), values.len() as u64);
        prop_assert_eq!((sketch.min().copied(), sketch.max().copied()), truth.ends());
        prop_assert!(sketch.retained() <= 4 * usize::from(k) + 8 * 12 + 32);
        let sorted = sketch.sorted();
        prop_assert_eq!(sorted.iter().last().unwrap().1, sketch.n());
        for q in QS {
            let x = truth.quantile(q);
            let rank = sketch.rank(&x).unwrap();
            prop_assert_eq!(Some(rank), sorted.rank(&x));
            prop_assert_eq!(sketch.rank_below(&x), sorted.rank_below(&x));
            hold(sketch.rank_bounds(&x, 10.0), truth.rank(x), (q, x))?;
            let value = sketch.quantile(q).unwrap();
            // Between the extremes it is a value of the stream.
            prop_assert!(truth.0.binary_search_by(|v| v.partial_cmp(&value).unwrap()).is_ok());
            let (low, high) = sketch.quantile_bounds(q, 10.0).unwrap();
            prop_assert!(low <= x && x <= high, "{} {} {}", low, x, high);
        }
        if !sketch.is_estimate() {
            QS.iter().for_each(|&q| assert_eq!(sketch.quantile(q).unwrap(), truth.quantile(q)));
        }
    }

    #[test]
    fn kll_merges_whole_levels_with_their_weights(
        values in numbers(), at in 0.0..1.0_f64, ks in (8_u16..40, 8_u16..40), shift in 0_u64..6,
    ) {
        // Long streams from short ones: the first part many times over, so that it samples.
        let (left, right) = values.split_at((at * values.len() as f64) as usize);
        let (mut a, b) = (kll(left, ks.0), kll(right, ks.1));
        for _ in 0..shift {
            let copy = a.clone();
            a.merge(&copy).unwrap();
        }
        let many = 1 << shift;
        let stream: Vec<f64> =
            left.iter().flat_map(|&x| std::iter::repeat_n(x, many)).chain(right.iter().copied()).collect();
        a.merge(&b).unwrap();
        let truth = Truth::of(&stream);
        prop_assert_eq!(a.n(), stream.len() as u64);
        prop_assert_eq!((a.min().copied(), a.max().copied()), truth.ends());
        prop_assert_eq!(a.sorted().iter().last().unwrap().1, a.n());
        for q in QS {
            let x = truth.quantile(q);
            hold(a.rank_bounds(&x, 10.0), truth.rank(x), q)?;
        }
    }

    #[test]
    fn a_weight_is_as_many_values(pairs in prop::collection::vec((0_u32..50, 0_u64..1000), 1..60)) {
        let mut kll = Kll::new(20).unwrap();
        let mut req = Req::new(4, Accurate::High).unwrap();
        let mut dd = DdSketch::new(0.01).unwrap();
        let mut digest = TDigest::new(20).unwrap();
        let mut stream = Vec::new();
        for &(value, n) in &pairs {
            let value = f64::from(value);
            prop_assert!(kll.add_n(value, n) && req.add_n(value, n));
            prop_assert!(dd.add_n(value, n) && digest.add_n(value, n));
            stream.extend(std::iter::repeat_n(value, n as usize));
        }
        let all = [kll.n(), req.n(), dd.n(), digest.n()];
        prop_assert_eq!(all, [stream.len() as u64; 4]);
        if stream.is_empty() {
            return Ok(());
        }
        let truth = Truth::of(&stream);
        for x in 0..50 {
            let (x, rank) = (f64::from(x), truth.rank(f64::from(x)));
            hold(dd.rank_bounds(x), rank, x)?;
            hold(req.rank_bounds(&x, 10.0), rank, x)?;
            // One value of a great weight is a level of its own: the weight is never halved wrongly.
            prop_assert!((kll.rank(&x).unwrap() - rank).abs() < 0.5);
        }
    }

    #[test]
    fn req_keeps_the_weight_the_extremes_and_its_bounds(
        values in numbers(), k in 2_u16..20, high: bool, at in 0.0..1.0_f64,
    ) {
        let accurate = if high { Accurate::High } else { Accurate::Low };
        let truth = Truth::of(&values);
        let (left, right) = values.split_at((at * values.len() as f64) as usize);
        let mut merged = req(left, 2 * k, accurate);
        merged.merge(&req(right, 2 * k, accurate)).unwrap();
        for sketch in [req(&values, 2 * k, accurate), merged] {
            prop_assert_eq!(sketch.n(), values.len() as u64);
            prop_assert_eq!((sketch.min().copied(), sketch.max().copied()), truth.ends());
            let sorted = sketch.sorted();
            prop_assert_eq!(sorted.iter().last().unwrap().1, sketch.n());
            for q in QS {
                let x = truth.quantile(q);
                prop_assert_eq!(sketch.rank(&x), sorted.rank(&x));
                prop_assert_eq!(sketch.rank_below(&x), sorted.rank_below(&x));
                hold(sketch.rank_bounds(&x, 10.0), truth.rank(x), (q, x))?;
            }
            if !sketch.is_estimate() {
                QS.iter().for_each(|&q| assert_eq!(sketch.quantile(q).unwrap(), truth.quantile(q)));
            }
        }
    }

    #[test]
    fn t_digest_is_monotone_within_the_extremes_and_exact_while_small(
        values in numbers(), k in 10_u16..60, at in 0.0..1.0_f64,
    ) {
        let truth = Truth::of(&values);
        let (left, right) = values.split_at((at * values.len() as f64) as usize);
        let mut merged = digest(left, k);
        merged.merge(&digest(right, k)).unwrap();
        for mut digest in [digest(&values, k), merged] {
            let before = (digest.quantiles(&QS), digest.cdf(&QS));
            digest.flush();
            prop_assert_eq!(before, (digest.quantiles(&QS), digest.cdf(&QS)));
            prop_assert_eq!(digest.n(), values.len() as u64);
            prop_assert_eq!((digest.min(), digest.max()), truth.ends());
            prop_assert!(digest.retained() <= 3 * usize::from(k));
            let mut last = f64::NEG_INFINITY;
            for i in 0..=400 {
                let q = f64::from(i) / 400.0;
                let (value, bounds) = (digest.quantile(q).unwrap(), digest.quantile_bounds(q).unwrap());
                prop_assert!(last <= value && value >= truth.0[0] && value <= *truth.0.last().unwrap());
                prop_assert!(bounds.lower <= value && value <= bounds.upper);
                last = value;
            }
            let mut last = 0.0;
            let mut probes: Vec<f64> =
                truth.0.iter().flat_map(|x| [x - x.abs() * 1e-15, *x, x + x.abs() * 1e-15]).collect();
            probes.sort_unstable_by(f64::total_cmp);
            for x in probes {
                let (rank, bounds) = (digest.rank(x).unwrap(), digest.rank_bounds(x).unwrap());
                prop_assert!(last <= rank && rank <= 1.0, "{} {} {}", x, last, rank);
                prop_assert!(bounds.lower <= rank && rank <= bounds.upper);
                last = rank;
            }
            prop_assert_eq!((digest.quantile(0.0), digest.quantile(1.0)), truth.ends());
            if values.len() <= 2 * usize::from(k) {
                for q in [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99] {
                    let place = (q * values.len() as f64) as usize;
                    prop_assert_eq!(digest.quantile(q), Some(truth.0[place]));
                }
            }
        }
    }

    #[test]
    fn ddsketch_is_within_alpha_always_and_merges_to_the_last_bit(
        values in numbers(), alpha in 1e-4..0.5_f64, at in 0.0..1.0_f64,
    ) {
        let (sketch, truth) = (dd(&values, alpha), Truth::of(&values));
        prop_assert_eq!((sketch.min(), sketch.max()), truth.ends());
        for q in QS {
            let rank = (q * (values.len() - 1) as f64) as usize;
            let (bounds, truth) = (sketch.quantile_bounds(q).unwrap(), truth.0[rank]);
            let slack = truth.abs() * (alpha + 1e-12) + f64::MIN_POSITIVE;
            prop_assert!((bounds.estimate - truth).abs() <= slack, "{} {} {}", q, bounds, truth);
            let slack = 1e-12 * truth.abs();
            prop_assert!(bounds.lower - slack <= truth && truth <= bounds.upper + slack);
            prop_assert!(bounds.lower <= bounds.estimate && bounds.estimate <= bounds.upper);
        }
        for &x in values.iter().take(30) {
            hold(sketch.rank_bounds(x), truth.rank(x), x)?;
        }
        let (left, right) = values.split_at((at * values.len() as f64) as usize);
        let (a, b) = (dd(left, alpha), dd(right, alpha));
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b).unwrap();
        ba.merge(&a).unwrap();
        prop_assert_eq!(&ab, &sketch);
        prop_assert_eq!(ab.encode(), ba.encode());
        prop_assert_eq!(ab.encode(), sketch.encode());
    }

    #[test]
    fn what_is_read_goes_on_as_what_was_written(
        values in numbers(), more in numbers(), k in 8_u16..40,
    ) {
        fn goes_on<S: Wire + Merge + PartialEq + std::fmt::Debug>(
            mut sketch: S, more: &[f64], add: impl Fn(&mut S, f64),
        ) {
            let mut copy = S::decode(&sketch.encode()).unwrap();
            assert_eq!(copy, sketch);
            assert_eq!(copy.encode(), sketch.encode());
            more.iter().for_each(|&x| {
                add(&mut copy, x);
                add(&mut sketch, x);
            });
            copy.merge(&sketch.clone_by_bytes()).unwrap();
            let twin = sketch.clone_by_bytes();
            sketch.merge(&twin).unwrap();
            assert_eq!(copy.encode(), sketch.encode());
        }
        goes_on(kll(&values, k), &more, |s, x| assert!(s.add(x)));
        goes_on(req(&values, k - k % 2, Accurate::High), &more, |s, x| assert!(s.add(x)));
        goes_on(digest(&values, k + 2), &more, |s, x| assert!(s.add(x)));
        goes_on(dd(&values, 0.02), &more, |s, x| assert!(s.add(x)));
    }
}

trait CloneByBytes: Wire {
    fn clone_by_bytes(&self) -> Self {
        Self::decode(&self.encode()).unwrap()
    }
}
impl<S: Wire> CloneByBytes for S {}

/// Long enough for the sampler of KLL, whose weight has to stay exact in the middle of a group.
#[test]
fn a_kll_is_as_accurate_as_the_smallest_that_was_merged_in() {
    let filled = |k: u16, n: u64| {
        let mut kll = Kll::new(k).unwrap();
        (0..n).for_each(|i| {
            kll.add(i);
        });
        kll
    };
    let (mut fine, coarse) = (filled(200, 50_000), filled(20, 50_000));
    fine.merge(&filled(20, 5)).unwrap();
    assert_eq!(fine.rank_error(), filled(200, 50_000).rank_error(), "five values are exact");
    fine.merge(&coarse).unwrap();
    assert_eq!(fine.rank_error(), coarse.rank_error());
}

#[test]
fn a_sampled_kll_does_not_follow_the_rhythm_of_the_stream() {
    // Every second value is 1: one that takes the first of each group has all of them or none.
    let mut kll = Kll::new(8).unwrap();
    (0..400_000_u64).for_each(|i| {
        kll.add(i % 2);
    });
    assert!(kll.rank_bounds(&0, 3.0).unwrap().contains(0.5), "{:?}", kll.rank(&0));
}

#[test]
fn a_sampled_kll_is_exact_in_weight_at_every_moment() {
    fn whole<T: Ranked>(sketch: &Kll<T>) -> u64 {
        sketch.sorted().iter().last().unwrap().1
    }
    let mut sketch = Kll::new(8).unwrap();
    for i in 0..60_000_u64 {
        sketch.add(common::mix(i) >> 40);
        if i > 59_000 || i % 1000 == 0 {
            assert_eq!((whole(&sketch), sketch.n()), (i + 1, i + 1));
            if i % 7 == 0 {
                let copy = Kll::<u64>::decode(&sketch.encode()).unwrap();
                assert_eq!(copy, sketch);
                let mut twice = sketch.clone();
                twice.merge(&copy).unwrap();
                assert_eq!(whole(&twice), 2 * sketch.n());
                twice.add_n(5, i);
                assert_eq!(whole(&twice), 2 * sketch.n() + i);
            }
        }
    }
    // 60 000 values at k = 8: it has been sampling for long, and keeps few.
    assert!(sketch.retained() < 140, "{}", sketch.retained());
}

#[test]
fn strings_and_whole_numbers_have_quantiles() {
    let words = ["be", "not", "or", "that", "to"].map(String::from);
    let (mut kll, mut req) = (Kll::new(200).unwrap(), Req::new(12, Accurate::Low).unwrap());
    for word in &words {
        kll.add_n(word.clone(), 3);
        req.add(word.clone());
    }
    assert_eq!(kll.quantile(0.5).as_deref(), Some("or"));
    assert_eq!(req.quantile(0.0).as_deref(), Some("be"));
    assert_eq!(kll.rank(&"p".to_owned()), Some(0.6));
    assert_eq!(kll.cdf(&words[..2]), Some(vec![0.2, 0.4, 1.0]));
    let shares = kll.pmf(&words[1..3]).unwrap();
    assert!(shares.iter().zip([0.4, 0.2, 0.4]).all(|(ours, truth)| (ours - truth).abs() < 1e-12));
    let copy = Kll::<String>::decode(&kll.encode()).unwrap();
    assert_eq!(copy, kll);
    let mut whole = Kll::new(8).unwrap();
    for i in -5_i64..=5 {
        whole.add(i);
    }
    assert_eq!((whole.quantile(0.5), whole.min(), whole.max()), (Some(0), Some(&-5), Some(&5)));
}

#[cfg(feature = "window")]
mod time_and_workers {
    use super::*;
    use archstone_sketch::window::Windowed;

    #[test]
    fn a_window_over_any_of_them_is_the_sketch_of_its_panes() {
        let mut exact = Windowed::new(10, 3, DdSketch::new(0.01).unwrap()).unwrap();
        let mut ranks = Windowed::new(10, 3, Kll::new(200).unwrap()).unwrap();
        let mut tail = Windowed::new(10, 3, Req::new(12, Accurate::High).unwrap()).unwrap();
        let mut digests = Windowed::new(10, 3, TDigest::new(100).unwrap()).unwrap();
        for time in 0..60 {
            for i in 0..100 {
                let value = (time * 100 + i) as f64;
                exact.at(time).unwrap().add(value);
                ranks.at(time).unwrap().add(value);
                tail.at(time).unwrap().add(value);
                digests.at(time).unwrap().add(value);
            }
        }
        // The last two panes: 4000 to 5999.
        let all = [
            exact.over(59, 2).unwrap().quantile(0.5).unwrap(),
            ranks.over(59, 2).unwrap().quantile(0.5).unwrap(),
            tail.over(59, 2).unwrap().quantile(0.5).unwrap(),
            digests.over(59, 2).unwrap().quantile(0.5).unwrap(),
        ];
        assert!(all.iter().all(|median| (median - 5000.0).abs() < 60.0), "{all:?}");
        let copy = Windowed::<Kll<f64>>::decode(&ranks.encode()).unwrap();
        assert_eq!(copy.over(59, 3).unwrap(), ranks.over(59, 3).unwrap());
    }

    #[cfg(feature = "std")]
    #[test]
    fn shards_are_merged_to_the_last_bit_of_one_thread() {
        let shared =
            archstone_sketch::window::Sharded::new(3, DdSketch::new(0.01).unwrap()).unwrap();
        let values: Vec<f64> = (0..30_000).map(|i| common::unit(i) * 100.0 - 20.0).collect();
        std::thread::scope(|scope| {
            for part in values.chunks(5000) {
                scope.spawn(|| {
                    part.iter().for_each(|&value| assert!(shared.with(|sketch| sketch.add(value))));
                });
            }
        });
        assert_eq!(shared.collect().unwrap(), dd(&values, 0.01));
    }

    #[cfg(feature = "frequency")]
    #[test]
    fn decayed_quantiles_forget() {
        let empty = DdSketch::new(0.01).unwrap();
        let mut latency = archstone_sketch::window::Decayed::half_life(60, empty).unwrap();
        for second in 0..600 {
            latency.add(second, &1000.0, 1.0).unwrap();
        }
        for second in 600..1800 {
            latency.add(second, &10.0, 1.0).unwrap();
        }
        // What is 20 half-lives old weighs a millionth.
        let sketch = latency.sketch();
        assert!((sketch.quantile(0.99).unwrap() / 10.0 - 1.0).abs() < 0.01);
        for second in [100_000, 200_000] {
            latency.add(second, &5.0, 1.0).unwrap();
        }
        let sketch = latency.sketch();
        assert!((sketch.max().unwrap() / 5.0 - 1.0).abs() < 0.02, "the old maximum is gone");
        assert_eq!(DdSketch::decode(&sketch.encode()).unwrap(), *sketch);
    }
}

#[cfg(feature = "serde")]
#[test]
fn they_go_through_json_and_back() {
    let values: Vec<f64> = (0..500).map(f64::from).collect();
    macro_rules! back {
        ($sketch:expr, $type:ty) => {
            let text = serde_json::to_string(&$sketch).unwrap();
            assert_eq!(serde_json::from_str::<$type>(&text).unwrap(), $sketch);
        };
    }
    back!(kll(&values, 20), Kll<f64>);
    back!(req(&values, 4, Accurate::Low), Req<f64>);
    back!(digest(&values, 10), TDigest);
    back!(dd(&values, 0.01), DdSketch);
}
