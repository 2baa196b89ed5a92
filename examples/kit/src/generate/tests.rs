use super::*;
use archstone_core::Time;
use proptest::prelude::*;

/// Pearson's statistic of observed counts against expected ones.
fn chi_square(observed: &[u64], expected: &[f64]) -> f64 {
    observed.iter().zip(expected).map(|(&o, &e)| (o as f64 - e).powi(2) / e).sum()
}

/// The value that chi-square with `freedom` degrees exceeds once in a million (Wilson and
/// Hilferty's cube): the false-alarm rate of each statistical test here, with fixed seeds.
fn once_in_a_million(freedom: usize) -> f64 {
    let k = freedom as f64;
    k * (1.0 - 2.0 / (9.0 * k) + 4.753 * (2.0 / (9.0 * k)).sqrt()).powi(3)
}

#[test]
fn the_values_of_a_seed_are_fixed_for_ever() {
    let mut stream = Seed::new(1).stream("golden");
    let words: [u64; 3] = std::array::from_fn(|_| stream.next_u64());
    assert_eq!(words, GOLDEN_WORDS);
    let zipf = Zipf::new(1_000_000, 1.1).unwrap();
    let ranks: [u64; 8] = std::array::from_fn(|_| zipf.sample(&mut stream));
    assert_eq!(ranks, GOLDEN_RANKS);
    let gap = stream.exponential();
    assert_eq!(gap.to_bits(), GOLDEN_GAP, "{gap}");
}

const GOLDEN_WORDS: [u64; 3] = [4800753403859278612, 15170716321929642744, 12192251614503536714];
const GOLDEN_RANKS: [u64; 8] = [1137, 1, 328525, 16, 71, 104924, 122, 687899];
const GOLDEN_GAP: u64 = 4607618345145400614;

#[test]
fn a_stream_does_not_change_when_another_component_is_added() {
    let seed = Seed::new(9);
    let mut alone = seed.stream("a");
    let mut with_others = {
        let mut b = seed.stream("b");
        b.next_u64();
        let _ = seed.child("c").stream("a").next_u64();
        seed.stream("a")
    };
    assert!((0..100).all(|_| alone.next_u64() == with_others.next_u64()));
}

#[test]
fn streams_children_and_seeds_do_not_collide() {
    let mut firsts: Vec<u64> = Vec::new();
    for n in 0..50 {
        let seed = Seed::new(n);
        for name in ["", "a", "b", "ab"] {
            firsts.push(seed.stream(name).next_u64());
            firsts.push(seed.child(name).stream(name).next_u64());
        }
    }
    firsts.sort_unstable();
    let all = firsts.len();
    firsts.dedup();
    assert_eq!(firsts.len(), all);
}

#[test]
fn below_is_even_also_where_the_range_does_not_divide() {
    let mut stream = Seed::new(2).stream("below");
    let mut counts = [0; 7];
    for _ in 0..70_000 {
        counts[stream.below(7) as usize] += 1;
    }
    assert!(chi_square(&counts, &[10_000.0; 7]) < once_in_a_million(6), "{counts:?}");
    // Three quarters of all words: without rejection every third value would come twice as often.
    let mut thirds = [0; 3];
    for _ in 0..30_000 {
        thirds[(stream.below(3 << 62) % 3) as usize] += 1;
    }
    assert!(chi_square(&thirds, &[10_000.0; 3]) < once_in_a_million(2), "{thirds:?}");
    assert_eq!((stream.below(0), stream.below(1)), (0, 0));
}

#[test]
fn the_exponential_and_the_normal_have_their_mean_and_variance() {
    let mut stream = Seed::new(3).stream("moments");
    const N: u32 = 200_000;
    let moments = |values: Vec<f64>| {
        let mean = values.iter().sum::<f64>() / f64::from(N);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(N);
        (mean, variance)
    };
    let (mean, variance) = moments((0..N).map(|_| stream.exponential()).collect());
    // Deviations: 1/sqrt(N) = 0.0022 of the mean, sqrt(8/N) = 0.0063 of the variance; five each.
    assert!((mean - 1.0).abs() < 0.0112 && (variance - 1.0).abs() < 0.032, "{mean} {variance}");
    let (mean, variance) = moments((0..N).map(|_| stream.normal()).collect());
    assert!(mean.abs() < 0.0112 && (variance - 1.0).abs() < 0.016, "{mean} {variance}");
}

#[test]
fn zipf_draws_every_rank_as_often_as_the_law_says() {
    for exponent in [0.0, 0.5, 0.99, 1.0, 1.01, 1.5, 3.0] {
        let zipf = Zipf::new(50, exponent).unwrap();
        let weights: Vec<f64> = (1..=50).map(|rank| f64::from(rank).powf(-exponent)).collect();
        let sum: f64 = weights.iter().sum();
        const N: f64 = 400_000.0;
        let mut counts = vec![0_u64; 50];
        let mut stream = Seed::new(4).stream("zipf");
        for _ in 0..N as u64 {
            counts[zipf.sample(&mut stream) as usize - 1] += 1;
        }
        // Ranks too rare for the statistic share one class.
        let (mut observed, mut expected, mut rest) = (vec![], vec![], (0, 0.0));
        for (count, weight) in counts.iter().zip(&weights) {
            let e = weight / sum * N;
            if e >= 10.0 {
                observed.push(*count);
                expected.push(e);
            } else {
                rest = (rest.0 + count, rest.1 + e);
            }
        }
        if rest.1 >= 10.0 {
            observed.push(rest.0);
            expected.push(rest.1);
        }
        let statistic = chi_square(&observed, &expected);
        let limit = once_in_a_million(observed.len() - 1);
        assert!(statistic < limit, "exponent {exponent}: {statistic} over {limit}");
    }
}

#[test]
fn a_tail_of_zipf_is_the_law_between_its_ranks() {
    let tail = Zipf::tail(100, 120, 1.2).unwrap();
    let weights: Vec<f64> = (100..=120).map(|rank| f64::from(rank).powf(-1.2)).collect();
    let sum: f64 = weights.iter().sum();
    let mut counts = vec![0_u64; 21];
    let mut stream = Seed::new(5).stream("tail");
    for _ in 0..210_000 {
        counts[tail.sample(&mut stream) as usize - 100] += 1;
    }
    let expected: Vec<f64> = weights.iter().map(|weight| weight / sum * 210_000.0).collect();
    assert!(chi_square(&counts, &expected) < once_in_a_million(20), "{counts:?}");
}

#[test]
fn zipf_agrees_with_rand_distr_over_a_million_ranks() {
    use rand_distr::Distribution;
    let ours = Zipf::new(1_000_000, 1.0).unwrap();
    let theirs = rand_distr::Zipf::new(1_000_000.0, 1.0).unwrap();
    let mut stream = Seed::new(6).stream("ours");
    let mut other = Seed::new(6).stream("theirs");
    let decade = |rank: f64| rank.log10().floor() as usize;
    let (mut a, mut b) = ([0_u64; 7], [0_u64; 7]);
    for _ in 0..200_000 {
        a[decade(ours.sample(&mut stream) as f64)] += 1;
        b[decade(theirs.sample(&mut other))] += 1;
    }
    // Two samples of the same size: sum of (a - b)^2 / (a + b).
    let statistic: f64 = a
        .iter()
        .zip(&b)
        .filter(|(a, b)| *a + *b > 20)
        .map(|(&a, &b)| (a as f64 - b as f64).powi(2) / (a + b) as f64)
        .sum();
    assert!(statistic < once_in_a_million(6), "{a:?} {b:?}");
}

#[test]
fn hostile_zipf_parameters_are_refused_and_extreme_ones_work() {
    for (first, last, exponent) in [
        (1, 0, 1.0),
        (0, 5, 1.0),
        (6, 5, 1.0),
        (1, u64::MAX, 1.0),
        (1, 5, -0.1),
        (1, 5, f64::NAN),
        (1, 5, f64::INFINITY),
    ] {
        assert_eq!(Zipf::tail(first, last, exponent), None, "{first} {last} {exponent}");
    }
    let mut stream = Seed::new(7).stream("extreme");
    for (first, last, exponent) in [
        (1, 1, 0.0),
        (1, 1, 100.0),
        (1, 1 << 52, 0.0),
        (1, 1 << 52, 100.0),
        (1 << 52, 1 << 52, 1.0),
    ] {
        let zipf = Zipf::tail(first, last, exponent).unwrap();
        for _ in 0..1_000 {
            assert!((first..=last).contains(&zipf.sample(&mut stream)));
        }
    }
}

#[test]
fn a_rank_curve_draws_as_often_as_was_measured() {
    let counts = [5_000, 3_000, 1_000, 500, 250, 125, 60, 30, 20, 15];
    let curve = RankCurve::new(&counts).unwrap();
    let mut drawn = [0_u64; 10];
    let mut stream = Seed::new(8).stream("curve");
    for _ in 0..1_000_000 {
        drawn[curve.sample(&mut stream) as usize - 1] += 1;
    }
    let expected = counts.map(|count| count as f64 * 100.0);
    assert!(chi_square(&drawn, &expected) < once_in_a_million(9), "{drawn:?}");
    assert_eq!(curve.ranks(), 10);
}

#[test]
fn an_extended_curve_keeps_its_head_and_continues_the_law() {
    // A Zipf law cut at rank 1,000 and extended to 100,000 must be the whole law.
    let counts: Vec<u64> = (1..=1_000).map(|rank| (1e9 / f64::from(rank)) as u64).collect();
    let curve = RankCurve::new(&counts).unwrap();
    assert!((curve.exponent(1, 1_000).unwrap() - 1.0).abs() < 1e-6);
    assert!((curve.tail_exponent().unwrap() - 1.0).abs() < 1e-6);
    let curve = curve.extend(100_000, 1.0);
    assert_eq!(curve.ranks(), 100_000);
    let whole = Zipf::new(100_000, 1.0).unwrap();
    let (mut stream, mut other) = (Seed::new(9).stream("a"), Seed::new(9).stream("b"));
    let class = |rank: u64| (rank as f64).log2() as usize;
    let (mut a, mut b) = ([0_u64; 17], [0_u64; 17]);
    for _ in 0..300_000 {
        a[class(curve.sample(&mut stream))] += 1;
        b[class(whole.sample(&mut other))] += 1;
    }
    let statistic: f64 =
        a.iter().zip(&b).map(|(&a, &b)| (a as f64 - b as f64).powi(2) / (a + b) as f64).sum();
    assert!(statistic < once_in_a_million(16), "{a:?} {b:?}");
}

#[test]
fn the_seam_between_head_and_tail_does_not_show() {
    let curve = RankCurve::new(&[600_000, 300_000, 200_000]).unwrap().extend(60, 1.0);
    let mut drawn = [0_u64; 60];
    let mut stream = Seed::new(15).stream("seam");
    for _ in 0..100_000 {
        drawn[curve.sample(&mut stream) as usize - 1] += 1;
    }
    let sum: f64 = (1..=60).map(|rank| 1.0 / f64::from(rank)).sum();
    let expected: Vec<f64> = (1..=60).map(|rank| 1e5 / f64::from(rank) / sum).collect();
    assert!(chi_square(&drawn, &expected) < once_in_a_million(59), "{drawn:?}");
}

#[test]
fn hostile_rank_curves_are_refused_or_exact() {
    assert!(RankCurve::new(&[]).is_none());
    assert!(RankCurve::new(&[0, 0]).is_none());
    let mut stream = Seed::new(10).stream("hostile");
    let huge = RankCurve::new(&[u64::MAX, u64::MAX, 0, 1]).unwrap();
    assert_eq!(huge.ranks(), 3);
    assert!((0..1_000).all(|_| huge.sample(&mut stream) <= 2), "1 in 2^65 is not drawn");
    assert_eq!(RankCurve::new(&[7]).unwrap().extend(1, 1.0).ranks(), 1);
    assert_eq!(RankCurve::new(&[7]).unwrap().extend(9, f64::NAN).ranks(), 1);
    assert_eq!(RankCurve::new(&[7]).unwrap().exponent(1, 1), None);
}

#[test]
fn poisson_counts_have_the_variance_of_their_mean() {
    // 2,000 windows of 1 s at 50/s: the index of dispersion is 1 within five deviations.
    let stream = Seed::new(11).stream("arrivals");
    let mut windows = vec![0_u64; 2_000];
    for at in Arrivals::poisson(stream, 50.0).take_while(|at| at.as_secs() < 2_000) {
        windows[at.as_secs() as usize] += 1;
    }
    let n = windows.len() as f64;
    let mean = windows.iter().sum::<u64>() as f64 / n;
    let variance = windows.iter().map(|&w| (w as f64 - mean).powi(2)).sum::<f64>() / n;
    assert!((mean - 50.0).abs() < 5.0 * (50.0 / n).sqrt(), "{mean}");
    assert!((variance / mean - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{}", variance / mean);
}

#[test]
fn shaped_arrivals_follow_the_hours() {
    let mut weights = [1.0; 24];
    weights[20] = 5.0;
    weights[4] = 0.0;
    let shape = Diurnal::new(weights).unwrap();
    let stream = Seed::new(12).stream("arrivals");
    let mut hours = [0_u64; 24];
    let day = Time::from_secs(86_400);
    for at in Arrivals::shaped(stream, 5.0, shape).take_while(|&at| at < day) {
        hours[(at.as_secs() / 3_600) as usize] += 1;
    }
    // The expectation of each hour by numerical integration of the factor.
    let steps = 100;
    let expected: Vec<f64> = (0..24 * steps)
        .map(|step| shape.factor(Time::from_secs(step * 36 + 18)) * 5.0 * 36.0)
        .collect::<Vec<_>>()
        .chunks(steps as usize)
        .map(|hour| hour.iter().sum())
        .collect();
    assert!(chi_square(&hours, &expected) < once_in_a_million(24), "{hours:?} {expected:?}");
    assert!((expected.iter().sum::<f64>() / (5.0 * 86_400.0) - 1.0).abs() < 1e-3, "mean is kept");
}

#[test]
fn an_hour_has_its_weight_in_its_middle_and_the_day_closes_at_midnight() {
    let mut weights = [1.0; 24];
    (weights[23], weights[0]) = (7.0, 3.0);
    let shape = Diurnal::new(weights).unwrap();
    let at = |minutes: u64| shape.factor(Time::from_secs(minutes * 60)) * 32.0 / 24.0;
    for (minutes, weight) in [(30, 3.0), (90, 1.0), (23 * 60 + 30, 7.0), (24 * 60, 5.0), (60, 2.0)]
    {
        assert!((at(minutes) - weight).abs() < 1e-9, "{minutes}: {}", at(minutes));
    }
}

#[test]
fn a_day_repeats_and_its_mean_is_one() {
    let shape = Diurnal::cosine(20.0, 1.8);
    let mean =
        (0..1_440).map(|minute| shape.factor(Time::from_secs(minute * 60))).sum::<f64>() / 1_440.0;
    assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    let noon = Time::from_secs(43_200);
    let tomorrow = Time::from_secs(43_200 + 86_400);
    assert!((shape.factor(noon) - shape.factor(tomorrow)).abs() < 1e-12);
    assert!(shape.peak_at().as_secs().abs_diff(20 * 3_600) <= 1_800);
}

#[test]
fn hostile_rates_and_shapes_give_no_arrivals_or_are_refused() {
    let stream = Seed::new(13).stream("arrivals");
    for rate in [0.0, -1.0, f64::NAN, 1e-300] {
        assert_eq!(Arrivals::poisson(stream.clone(), rate).next(), None, "{rate}");
    }
    let mut burst = Arrivals::poisson(stream.clone(), f64::INFINITY);
    assert_eq!(burst.next(), Some(Time::ZERO));
    assert_eq!(Arrivals::poisson(stream, 1.0).from(Time::MAX).next(), None);
    for weight in [-1.0, f64::NAN, f64::INFINITY, f64::MAX] {
        assert_eq!(Diurnal::new([weight; 24]), None);
    }
    assert_eq!(Diurnal::new([0.0; 24]), None);
    for (hour, peak) in [(f64::NAN, f64::NAN), (f64::INFINITY, 9.0), (-5.0, 0.0)] {
        let _ = Diurnal::cosine(hour, peak);
    }
}

#[test]
fn a_shuffle_reaches_every_order_as_often() {
    let mut stream = Seed::new(14).stream("shuffle");
    let mut orders = std::collections::BTreeMap::new();
    for _ in 0..24_000 {
        let mut items = [0, 1, 2, 3];
        stream.shuffle(&mut items);
        *orders.entry(items).or_insert(0_u64) += 1;
    }
    let counts: Vec<u64> = orders.into_values().collect();
    assert_eq!(counts.len(), 24);
    assert!(chi_square(&counts, &[1_000.0; 24]) < once_in_a_million(23), "{counts:?}");
    assert_eq!(stream.pick::<u8>(&[]), None);
}

proptest! {
    #[test]
    fn ranks_and_ranges_stay_inside(seed: u64, n in 1_u64..=1 << 52, exponent in 0.0_f64..5.0, low: u64, span: u64) {
        let mut stream = Seed::new(seed).stream("any");
        let zipf = Zipf::new(n, exponent).unwrap();
        prop_assert!((1..=n).contains(&zipf.sample(&mut stream)));
        prop_assert!(stream.below(n) < n);
        let (low, high) = (Duration::from_nanos(low), Duration::from_nanos(low.saturating_add(span)));
        let between = stream.between(low, high);
        prop_assert!(between == low || (low < between && between < high));
    }
}
