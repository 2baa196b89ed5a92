//! Streams that sketches find hard, and the plain model they are held against.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::collections::BTreeMap;

use proptest::prelude::*;

/// Items with weights.
pub type Stream = Vec<(u64, u64)>;

/// SplitMix64 of a counter.
pub fn mix(i: u64) -> u64 {
    let z = i.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in `0..1` from a counter.
pub fn unit(i: u64) -> f64 {
    (mix(i) >> 11) as f64 / (1_u64 << 53) as f64
}

/// `n` draws from `ids` items with frequencies falling as `rank^-s`; item = rank, from 0.
pub fn zipf(n: usize, ids: usize, s: f64, seed: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let cdf: Vec<f64> = (1..=ids)
        .map(|rank| {
            sum += (rank as f64).powf(-s);
            sum
        })
        .collect();
    let draw = |i: usize| unit(seed.wrapping_mul(0x1_0000_0001).wrapping_add(i as u64)) * sum;
    (0..n).map(|i| cdf.partition_point(|&c| c < draw(i)) as u64).collect()
}

/// The exact counts.
pub fn truth(stream: &[(u64, u64)]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for &(item, weight) in stream {
        if weight > 0 {
            *counts.entry(item).or_insert(0) += weight;
        }
    }
    counts
}

pub fn total(stream: &[(u64, u64)]) -> u64 {
    stream.iter().map(|&(_, weight)| weight).sum()
}

/// Random and adversarial: few items; all distinct; sorted; one heavy last; items that differ in
/// their high half only; weights up to 2^40 and zero.
pub fn streams() -> impl Strategy<Value = Stream> {
    let few = prop::collection::vec((0_u64..40, 1_u64..3), 0..600);
    let skewed = (0_u64..1 << 20, 1_usize..800)
        .prop_map(|(seed, n)| zipf(n, 200, 1.1, seed).into_iter().map(|i| (i, 1)).collect());
    let distinct = (0_u64..500).prop_map(|n| (0..n).map(|i| (i, 1)).collect());
    let sorted = prop::collection::vec((0_u64..60, 1_u64..4), 0..600).prop_map(|mut s: Stream| {
        s.sort_unstable();
        s
    });
    let heavy_last = (1_u64..400, 1_u64..400).prop_map(|(crowd, heavy)| {
        (0..crowd).map(|i| (i, 1)).chain((0..heavy).map(|_| (u64::MAX, 1))).collect()
    });
    let high_half = prop::collection::vec((0_u64..50, 1_u64..3), 0..400)
        .prop_map(|s: Stream| s.into_iter().map(|(i, w)| (i << 32, w)).collect());
    let weights = prop::collection::vec((0_u64..60, 0_u64..1 << 40), 0..300);
    prop_oneof![few, skewed, distinct, sorted, heavy_last, high_half, weights]
}
