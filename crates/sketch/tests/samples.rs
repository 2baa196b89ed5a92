//! Samples and signatures: laws, and statistics with fixed seeds. `SIGMAS` = 4.5: with other seeds
//! a correct build would fail one test in 150,000.
#![cfg(feature = "samples")]

use archstone_sketch::samples::{LshIndex, MinHash, Reservoir, WeightedReservoir};
use archstone_sketch::{DecodeError, Key, Merge, ParamError, Wire};
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

const SIGMAS: f64 = 4.5;

/// Chi-square of how often each of `counts.len()` items was in one of `runs` samples of `k`.
fn uniform(counts: &[u64], runs: u64, k: usize) {
    let n = counts.len() as f64;
    let share = k as f64 / n;
    let expected = runs as f64 * share;
    // Samples without putting back: the counts of one run are exclusive, hence the two factors.
    let squares: f64 = counts.iter().map(|&c| (c as f64 - expected).powi(2)).sum();
    let chi2 = squares / (expected * (1.0 - share)) * (n - 1.0) / n;
    let (mean, spread) = (n - 1.0, (2.0 * (n - 1.0)).sqrt());
    assert!((chi2 - mean).abs() < SIGMAS * spread, "chi-square {chi2} of {mean} +- {spread}");
}

#[test]
fn every_item_is_sampled_equally_often() {
    for (n, k) in [(50, 10), (50, 1), (12, 11), (1_000, 3)] {
        let runs = 20_000;
        let mut counts = vec![0; n];
        for seed in 0..runs {
            let mut sample = Reservoir::new(k as u64, seed).unwrap();
            (0..n).for_each(|item| sample.add(item));
            sample.items().iter().for_each(|&item| counts[item] += 1);
        }
        uniform(&counts, runs, k);
    }
}

#[test]
fn merged_samples_that_go_on_are_uniform_too() {
    // Parts of unequal length, one shorter than the sample; then more items after the merge.
    let parts = [0..3, 3..30, 30..60];
    for k in [5_usize, 10] {
        let (runs, mut counts) = (20_000, vec![0; 80]);
        for seed in 0..runs {
            let mut whole = Reservoir::new(k as u64, 4 * seed).unwrap();
            for (i, part) in parts.iter().enumerate() {
                let mut sample = Reservoir::new(k as u64, 4 * seed + 1 + i as u64).unwrap();
                part.clone().for_each(|item| sample.add(item));
                whole.merge(&sample).unwrap();
            }
            (60..80).for_each(|item| whole.add(item));
            assert_eq!((whole.seen(), whole.items().len()), (80, k));
            whole.items().iter().for_each(|&item: &usize| counts[item] += 1);
        }
        uniform(&counts, runs, k);
    }
}

#[test]
fn the_share_of_a_stream_is_within_its_bounds_as_often_as_stated() {
    let (runs, mut within) = (1_000, [0; 3]);
    for seed in 0..runs {
        let mut sample = Reservoir::new(100, seed).unwrap();
        (0..10_000_u64).for_each(|item| sample.add(item));
        for (sigmas, within) in (1..).zip(&mut within) {
            let bounds = sample.share(f64::from(sigmas), |item| item % 4 == 0);
            *within += u64::from(bounds.contains(0.25));
        }
    }
    for (within, least) in within.into_iter().zip([0.62, 0.93, 0.99]) {
        assert!(within as f64 >= least * runs as f64, "{within} of {runs}, least {least}");
    }
    let mut few = Reservoir::new(10, 0).unwrap();
    assert_eq!(few.share(2.0, |_: &u64| true).width(), 1.0);
    (0..10).for_each(|item| few.add(item));
    assert_eq!(
        (few.share(2.0, |item| *item < 3).estimate, few.share(2.0, |_| true).width()),
        (0.3, 0.0)
    );
}

#[test]
fn a_single_weighted_draw_is_in_proportion_to_the_weight_whole_or_merged() {
    let weights = [1.0, 2.0, 4.0, 8.0, 0.5, 0.0, 16.0, 0.5];
    let total: f64 = weights.iter().sum();
    for split in [0, 3, 8] {
        let (runs, mut counts) = (60_000, [0_u64; 8]);
        for seed in 0..runs {
            let mut a = WeightedReservoir::new(1, 2 * seed).unwrap();
            let mut b = WeightedReservoir::new(1, 2 * seed + 1).unwrap();
            for (item, &weight) in weights.iter().enumerate() {
                if item < split { &mut a } else { &mut b }.add(item, weight).unwrap();
            }
            a.merge(&b).unwrap();
            counts[*a.items().next().unwrap().0] += 1;
        }
        assert_eq!(counts[5], 0, "a weight of 0 is never drawn");
        let chi2: f64 = (0..8)
            .filter(|&i| i != 5)
            .map(|i| {
                let expected = runs as f64 * weights[i] / total;
                (counts[i] as f64 - expected).powi(2) / expected
            })
            .sum();
        assert!(chi2 < 6.0 + SIGMAS * 12_f64.sqrt(), "chi-square {chi2} of 6");
    }
}

#[test]
fn the_second_draw_is_in_proportion_among_those_that_are_left() {
    // Three items, two drawn: item 2 stays out with the chance that 0 and 1 come first and second.
    let w = [1.0, 3.0, 6.0];
    let out = |a: f64, b: f64| a / 10.0 * b / (10.0 - a) + b / 10.0 * a / (10.0 - b);
    let (runs, mut missed) = (60_000, 0_u64);
    for seed in 0..runs {
        let mut sample = WeightedReservoir::new(2, seed).unwrap();
        (0..3).for_each(|item| sample.add(item, w[item]).unwrap());
        missed += u64::from(sample.items().all(|(&item, _)| item != 2));
    }
    let p = out(w[0], w[1]);
    let spread = SIGMAS * (runs as f64 * p * (1.0 - p)).sqrt();
    assert!((missed as f64 - runs as f64 * p).abs() < spread, "{missed}, {p}");
}

#[test]
fn sums_of_a_part_are_unbiased_and_within_their_bounds() {
    let weight = |i: u64| 1.0 + (i % 100) as f64 * (i % 7) as f64;
    let truth: f64 = (0..5_000).filter(|i| i % 3 == 0).map(weight).sum();
    let total: f64 = (0..5_000).map(weight).sum();
    let (runs, k) = (600, 64);
    let (mut sum, mut squares, mut within) = (0.0, 0.0, 0);
    for seed in 0..runs {
        let mut sample = WeightedReservoir::new(k, seed).unwrap();
        (0..5_000).for_each(|i| sample.add(i, weight(i)).unwrap());
        assert!((sample.total() / total - 1.0).abs() < 1e-12);
        let bounds = sample.subset_sum(2.0, |i| i % 3 == 0);
        assert!(bounds.lower <= bounds.estimate && bounds.estimate <= bounds.upper);
        sum += bounds.estimate;
        squares += (bounds.estimate - truth).powi(2);
        within += u64::from(bounds.contains(truth));
    }
    let runs = runs as f64;
    let deviation = (squares / runs).sqrt();
    assert!((sum / runs - truth).abs() < SIGMAS * deviation / runs.sqrt(), "biased");
    assert!(deviation <= total / (k as f64 - 2.0).sqrt(), "{deviation} of {total}");
    assert!(within as f64 >= 0.91 * runs, "{within} of {runs} within two deviations");
    let mut few = WeightedReservoir::new(10, 0).unwrap();
    (0..10_u64).for_each(|i| few.add(i, 2.0).unwrap());
    let exact = few.subset_sum(3.0, |i| *i < 4);
    assert_eq!((exact.lower, exact.estimate, exact.upper), (8.0, 8.0, 8.0));
}

/// Two sets of 2,000 items each whose likeness is `j`, different ones for each `seed`.
fn pair(j: f64, slots: u64, seed: u64) -> (MinHash, MinHash, f64) {
    let common = (4_000.0 * j / (1.0 + j)).round() as u64;
    let (mut a, mut b) = (MinHash::new(slots).unwrap(), MinHash::new(slots).unwrap());
    let start = seed << 20;
    (start..start + 2_000).for_each(|i| a.add(&i));
    (start + 2_000 - common..start + 4_000 - common).for_each(|i| b.add(&i));
    (a, b, common as f64 / (4_000 - common) as f64)
}

#[test]
fn the_likeness_of_sets_has_the_stated_error() {
    for j in [0.1, 0.5, 0.9] {
        let (runs, slots) = (400, 256);
        let (mut sum, mut squares, mut within) = (0.0, 0.0, 0);
        let mut exact = 0.0;
        for seed in 0..runs {
            let (a, b, truth) = pair(j, slots, seed);
            let bounds = a.jaccard(&b, 3.0).unwrap();
            (sum, exact) = (sum + bounds.estimate - truth, truth);
            squares += (bounds.estimate - truth).powi(2);
            within += u64::from(bounds.contains(truth));
        }
        let theory = (exact * (1.0 - exact) / slots as f64).sqrt();
        let rms = (squares / runs as f64).sqrt();
        assert!(rms <= 1.1 * theory, "{rms} over {theory} at {j}");
        assert!((sum / runs as f64).abs() < SIGMAS * theory / (runs as f64).sqrt());
        assert!(within as f64 >= 0.98 * runs as f64, "{within} of {runs}");
    }
}

#[test]
fn sets_smaller_than_their_signature_compare_without_bias() {
    let mut sum = 0.0;
    for seed in 0..400_u64 {
        let (mut a, mut b) = (MinHash::new(256).unwrap(), MinHash::new(256).unwrap());
        (0..15).for_each(|i| a.add(&(seed << 8 | i)));
        (5..20).for_each(|i| b.add(&(seed << 8 | i)));
        sum += a.jaccard(&b, 0.0).unwrap().estimate;
    }
    assert!((sum / 400.0 - 0.5).abs() < SIGMAS * 0.5 / (400.0 * 19.0_f64).sqrt() + 0.01, "{sum}");
    let empty = MinHash::new(4).unwrap();
    assert_eq!(empty.jaccard(&empty, 1.0).unwrap().estimate, 1.0);
}

#[test]
fn like_sets_are_found_with_the_stated_chance() {
    let mut index = LshIndex::with_threshold(128, 0.5).unwrap();
    for j in [0.3, 0.5, 0.7] {
        let (runs, mut found, mut chance) = (400, 0_u64, 0.0);
        for seed in 0..runs {
            let (a, b, truth) = pair(j, 128, seed);
            index.insert(seed, a).unwrap();
            found += u64::from(index.query(&b, 0.0).unwrap().iter().any(|(id, _)| **id == seed));
            index.remove(&seed).unwrap();
            chance = index.chance(truth);
        }
        let spread = SIGMAS * (runs as f64 * chance * (1.0 - chance)).sqrt() + 1.0;
        assert!((found as f64 - runs as f64 * chance).abs() <= spread, "{found} of {chance}");
    }
    assert!(index.is_empty());
    let (low, high) = (index.chance(0.25), index.chance(0.8));
    assert!(low < 0.15 && high > 0.95, "no step: {low}, {high}");
}

#[test]
fn an_index_returns_the_likest_first_and_forgets_what_is_removed_or_replaced() {
    let set = |range: std::ops::Range<u32>| {
        let mut set = MinHash::new(256).unwrap();
        range.for_each(|i| set.add(&i));
        set
    };
    let mut index = LshIndex::new(64, 4).unwrap();
    index.insert("same", set(0..1_000)).unwrap();
    index.insert("near", set(100..1_100)).unwrap();
    index.insert("far", set(9_000..9_900)).unwrap();
    index.insert("none", set(0..0)).unwrap();
    let ids = |index: &LshIndex<&'static str>, least| -> Vec<&str> {
        index.query(&set(0..1_000), least).unwrap().into_iter().map(|(id, _)| *id).collect()
    };
    assert_eq!(ids(&index, 0.5), ["same", "near"]);
    assert_eq!(ids(&index, 0.95), ["same"]);
    assert!(index.query(&set(0..0), 0.0).unwrap().is_empty());
    index.insert("same", set(20_000..20_100)).unwrap();
    assert_eq!((ids(&index, 0.5), index.len()), (vec!["near"], 4));
    assert!(index.remove(&"near").is_some() && index.remove(&"near").is_none());
    assert!(ids(&index, 0.1).is_empty());
    assert_eq!(index.insert("other", MinHash::new(128).unwrap()).unwrap_err().what, "slots");
    assert_eq!(index.query(&MinHash::with_seed(256, 1).unwrap(), 0.0).unwrap_err().what, "seed");
}

proptest! {
    #[test]
    fn signatures_merge_as_sets_do(a in vec(0_u64..500, 0..100), b in vec(0_u64..500, 0..100)) {
        let set = |items: &[u64]| {
            let mut set = MinHash::new(32).unwrap();
            items.iter().for_each(|item| set.add(item));
            set
        };
        let merged = |mut x: MinHash, y: &MinHash| { x.merge(y).unwrap(); x };
        let joined = set(&[&a[..], &b[..]].concat());
        prop_assert_eq!(&merged(set(&a), &set(&b)), &joined);
        prop_assert_eq!(&merged(set(&b), &set(&a)), &joined);
        prop_assert_eq!(merged(set(&a), &set(&a)), set(&a));
        prop_assert_eq!(merged(set(&a), &set(&[])), set(&a));
        let bytes = set(&a).encode();
        prop_assert_eq!(MinHash::decode(&bytes).unwrap(), set(&a));
        prop_assert_eq!(MinHash::decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn decoded_samples_go_on_as_if_nothing_had_been(
        n in 0_u64..300, more in 0_u64..300, k in 1_u64..40, seed: u64,
    ) {
        let mut plain = Reservoir::new(k, seed).unwrap();
        let mut weighted = WeightedReservoir::new(k, seed).unwrap();
        let weight = |i: u64| (i % 11) as f64;
        for i in 0..n {
            plain.add(i);
            weighted.add(i.to_string(), weight(i)).unwrap();
        }
        let mut plain_read = Reservoir::<u64>::decode(&plain.encode()).unwrap();
        let mut weighted_read = WeightedReservoir::<String>::decode(&weighted.encode()).unwrap();
        prop_assert_eq!(&plain_read, &plain);
        for i in n..n + more {
            plain.add(i);
            plain_read.add(i);
            weighted.add(i.to_string(), weight(i)).unwrap();
            weighted_read.add(i.to_string(), weight(i)).unwrap();
        }
        prop_assert_eq!(plain_read.encode(), plain.encode());
        prop_assert_eq!(weighted_read.encode(), weighted.encode());
        // The sample is of the stream, without repetition, and of the size that it should be.
        let mut items = plain.items().to_vec();
        items.sort_unstable();
        items.dedup();
        prop_assert_eq!(items.len() as u64, k.min(n + more));
        prop_assert!(items.iter().all(|&i| i < n + more));
    }

    #[test]
    fn merging_an_empty_sample_changes_nothing(n in 0_u64..100, seed: u64) {
        let mut plain = Reservoir::new(7, seed).unwrap();
        let mut weighted = WeightedReservoir::new(7, seed).unwrap();
        for i in 0..n {
            plain.add(i);
            weighted.add(i, 1.0).unwrap();
        }
        let before = (plain.encode(), weighted.encode());
        plain.merge(&Reservoir::new(7, 1).unwrap()).unwrap();
        weighted.merge(&WeightedReservoir::new(7, 1).unwrap()).unwrap();
        prop_assert_eq!((plain.encode(), weighted.encode()), before);
    }
}

#[test]
fn parameters_and_weights_out_of_range_are_errors_that_name_them() {
    let what = |e| match e {
        ParamError::Real { what, .. } | ParamError::Whole { what, .. } => what,
        other => panic!("{other}"),
    };
    for wrong in [0, u64::MAX] {
        assert_eq!(what(Reservoir::<u64>::new(wrong, 0).unwrap_err()), "capacity");
        assert_eq!(what(WeightedReservoir::<u64>::new(wrong, 0).unwrap_err()), "capacity");
        assert_eq!(what(MinHash::new(wrong).unwrap_err()), "slots");
        assert_eq!(what(LshIndex::<u64>::new(wrong, 1).unwrap_err()), "bands");
        assert_eq!(what(LshIndex::<u64>::new(1, wrong).unwrap_err()), "rows");
        assert_eq!(what(LshIndex::<u64>::with_threshold(wrong, 0.5).unwrap_err()), "slots");
    }
    let mut sample = WeightedReservoir::new(2, 0).unwrap();
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1.1e300] {
        assert_eq!(what(sample.add(1, wrong).unwrap_err()), "weight");
        assert_eq!(what(LshIndex::<u64>::with_threshold(8, wrong).unwrap_err()), "threshold");
    }
    assert_eq!((sample.seen(), sample.total()), (0, 0.0));
    for weight in [0.0, -0.0, 5e-324, 1e-300, 1e300, 1e300, 1.0, 5e-324] {
        sample.add(1, weight).unwrap();
    }
    assert!(sample.subset_sum(2.0, |_| true).upper.is_finite());
    let mut other = sample.clone();
    assert_eq!(other.merge(&WeightedReservoir::new(3, 0).unwrap()).unwrap_err().what, "capacity");
    for edge in [0.0, 1.0] {
        assert!(LshIndex::<u64>::with_threshold(16, edge).is_ok());
    }
    assert!(Reservoir::<u64>::new(1 << 32, 0).is_ok(), "memory is taken as items come");
}

/// Decodes; what it took stays below 64 times the input and 4 KiB.
fn decode<S: Wire>(bytes: &[u8]) -> Result<S, DecodeError> {
    let (read, used) = measure(|| S::decode(bytes));
    assert!(used.peak <= 64 * bytes.len() as i64 + 4096, "{} for {}", used.peak, bytes.len());
    read
}

fn survives<S: Wire>(sample: &S, go_on: impl Fn(S)) {
    let bytes = sample.encode();
    for len in 0..bytes.len() {
        assert!(decode::<S>(&bytes[..len]).is_err(), "cut at {len}");
    }
    for at in 0..bytes.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128, 0xff, bytes[at], !bytes[at]] {
            let mut broken = bytes.clone();
            broken[at] ^= change;
            if let Ok(read) = decode::<S>(&broken) {
                assert_eq!(read.encode(), broken, "one value has one encoding");
                go_on(read);
            }
        }
        for len in 1..=10.min(bytes.len() - at) {
            let mut broken = bytes.clone();
            broken[at..at + len].fill(0xff);
            if let Ok(read) = decode::<S>(&broken) {
                go_on(read);
            }
        }
    }
}

#[test]
fn no_bytes_make_a_decoder_panic_or_take_more_memory_than_they_pay_for() {
    fn both<T: Key + std::fmt::Debug>(item: impl Fn(u64) -> T) {
        for n in [0, 5, 100] {
            let mut plain = Reservoir::new(8, 1).unwrap();
            let mut weighted = WeightedReservoir::new(8, 1).unwrap();
            for i in 0..n {
                plain.add(item(i));
                weighted.add(item(i), 1.0 + i as f64).unwrap();
            }
            survives(&plain, |mut read: Reservoir<T>| {
                (0..20).for_each(|i| read.add(item(i)));
                let _ = (read.share(2.0, |_| true), read.merge(&plain));
            });
            survives(&weighted, |mut read: WeightedReservoir<T>| {
                (0..20).for_each(|i| read.add(item(i), 2.0).unwrap());
                let _ = (read.subset_sum(2.0, |_| true), read.merge(&weighted));
            });
        }
    }
    both(|i| i);
    both(|i| i.to_string());
    let mut set = MinHash::new(8).unwrap();
    (0..5_u64).for_each(|i| set.add(&i));
    survives(&set, |mut read: MinHash| {
        read.add("x");
        let _ = (read.jaccard(&set, 2.0), read.merge(&set));
        let mut index = LshIndex::new(4, 2).unwrap();
        let _ = index.insert(1, read);
    });
}

#[test]
fn a_sample_whose_next_item_has_passed_is_refused() {
    let mut sample = Reservoir::<u64>::new(2, 1).unwrap();
    (0..2).for_each(|item| sample.add(item));
    let image = sample.encode();
    // Two items and their number are the end; the next item's number stands before.
    let next = image.len() - 18;
    assert!((3..128).contains(&image[next]), "{}", image[next]);
    let mut passed = image;
    passed[next] = 1;
    assert!(Reservoir::<u64>::decode(&passed).is_err());
}
