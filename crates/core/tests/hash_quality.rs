//! What the sketches, rings and filters rely on: no structure of real keys survives the hash.
//!
//! Every test has a fixed seed, so it either always passes or always fails; the thresholds are
//! those a perfect hash exceeds with probability under 1e-6.

use archstone_core::hash::{hash, hash_u64, mix};

/// Chi-square of `keys` over 4,096 buckets by the top and by the low bits, in standard deviations.
fn unevenness(hashes: impl Iterator<Item = u64>) -> (f64, f64) {
    const BUCKETS: usize = 4_096;
    let (mut top, mut low, mut n) = (vec![0_u32; BUCKETS], vec![0_u32; BUCKETS], 0_u32);
    for h in hashes {
        top[(h >> 52) as usize] += 1;
        low[(h as usize) % BUCKETS] += 1;
        n += 1;
    }
    let expected = f64::from(n) / BUCKETS as f64;
    let deviation = |counts: &[u32]| {
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        let freedom = (BUCKETS - 1) as f64;
        (chi - freedom) / (2.0 * freedom).sqrt()
    };
    (deviation(&top), deviation(&low))
}

#[test]
fn sequential_sparse_and_text_keys_spread_evenly() {
    let n = 1 << 18;
    // Every key of exactly two set bits, under 130 seeds that are far apart: XXH3 xors a short key
    // with its seed, so two seeds one bit apart meet each other's keys again.
    let pairs: Vec<u64> = (0..64).flat_map(|a| (0..a).map(move |b| 1 << a | 1 << b)).collect();
    let sparse = (0..130).flat_map(|seed| pairs.iter().map(move |&key| hash_u64(key, mix(seed))));
    let families: [(&str, Vec<u64>); 5] = [
        ("sequential", (0..n).map(|i| hash_u64(i, 0)).collect()),
        ("multiples of 2^32", (0..n).map(|i| hash_u64(i << 32, 0)).collect()),
        ("two bits set", sparse.collect()),
        ("decimal text", (0..n).map(|i| hash(i.to_string().as_bytes(), 0)).collect()),
        ("padded text", (0..n).map(|i| hash(format!("user:{i:032}").as_bytes(), 0)).collect()),
    ];
    for (name, hashes) in families {
        let (top, low) = unevenness(hashes.into_iter());
        assert!(top.abs() < 6.0 && low.abs() < 6.0, "{name}: {top:.2}, {low:.2} sigma");
    }
}

#[test]
fn one_flipped_bit_flips_half_of_the_output() {
    let rounds = 4_096_u64;
    for len in [1, 3, 4, 8, 9, 16, 17, 33, 128, 129, 240, 241, 1_500] {
        let mut flips = vec![0_u64; 64];
        let mut buffer: Vec<u8> = Vec::new();
        for round in 0..rounds {
            buffer.clear();
            buffer.extend((0..len as u64).map(|i| mix(round << 16 | i) as u8));
            let before = hash(&buffer, round);
            let bit = mix(!round) as usize % (len * 8);
            buffer[bit / 8] ^= 1 << (bit % 8);
            let difference = before ^ hash(&buffer, round);
            for (out, count) in flips.iter_mut().enumerate() {
                *count += difference >> out & 1;
            }
        }
        // Binomial(4096, 1/2) has a standard deviation of 32; 64 output bits, 6 sigma.
        for (out, &count) in flips.iter().enumerate() {
            let off = (count as f64 - rounds as f64 / 2.0) / 32.0;
            assert!(off.abs() < 6.0, "length {len}, output bit {out}: {off:.1} sigma");
        }
    }
}

#[test]
fn integers_never_collide() {
    let mut seen: Vec<u64> = (0..1_u64 << 20).map(|i| hash_u64(i << 13, 9_001)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1 << 20);
}

#[test]
fn seeds_are_independent() {
    // The number of keys that agree in their low 8 bits under two seeds is Binomial(2^16, 1/256).
    for (a, b) in [(0, 1), (1, 2), (0, u64::MAX), (7, 7 << 32)] {
        let agree = (0..1_u64 << 16).filter(|&i| (hash_u64(i, a) ^ hash_u64(i, b)) & 0xff == 0);
        let off = (agree.count() as f64 - 256.0) / 16.0;
        assert!(off.abs() < 6.0, "seeds {a} and {b}: {off:.1} sigma");
    }
}
