//! Bounds on a count that was sampled with a known probability: exact binomial tails for a few
//! samples, the normal approximation for many, and between them the normal one with a number of
//! deviations that makes it right. The method and the table of those are Kevin Lang's, as in
//! Apache DataSketches, so that bounds are equal to its.

use super::MAX_THETA;
use crate::Bounds;
use crate::distinct::Sigmas;
use crate::math::{ceil, exp, floor, ln, pow, sqrt};

/// Two tables of 121 rows (number of samples) of 3 doubles: the equivalent number of deviations
/// for the lower bound, then for the upper one. From Apache DataSketches (Apache-2.0).
const EQUIVALENT: &[u8; 5808] = include_bytes!("equivalent.f64le");

/// Probability of one tail.
const TAIL: [f64; 3] =
    [0.158_655_319_158_602_65, 0.022_750_261_890_413_57, 0.001_349_812_686_173_18];

pub(super) fn estimate(kept: usize, theta: u64) -> f64 {
    if theta == MAX_THETA { kept as f64 } else { kept as f64 / share(theta) }
}

pub(super) fn bounds(kept: usize, theta: u64, sigmas: Sigmas) -> Bounds {
    if theta == MAX_THETA {
        return Bounds::exact(kept as f64);
    }
    let (n, p) = (kept as f64, share(theta));
    let estimate = n / p;
    Bounds {
        lower: estimate.min(n.max(lower(kept, p, sigmas))),
        estimate,
        upper: estimate.max(upper(kept, p, sigmas)),
    }
}

/// The share `common / either` of a sample of rate `theta`, within two deviations.
pub(super) fn ratio(either: u64, common: u64, theta: u64) -> Bounds {
    if either == 0 {
        return Bounds { lower: 0.0, estimate: 0.5, upper: 1.0 };
    }
    let estimate = common as f64 / either as f64;
    if theta == MAX_THETA {
        return Bounds::exact(estimate);
    }
    let p = share(theta);
    let correction = if p <= 0.5 { 0.0 } else { 0.01 * (p - 0.5) };
    let deviations = 2.0 * (sqrt(1.0 - p) + correction);
    Bounds {
        lower: share_below(either, common, deviations),
        estimate,
        upper: 1.0 - share_below(either, either - common, deviations),
    }
}

fn share(theta: u64) -> f64 {
    theta as f64 / MAX_THETA as f64
}

fn equivalent(upper: bool, samples: usize, sigmas: Sigmas) -> f64 {
    let at = 8 * (363 * usize::from(upper) + 3 * samples + sigmas as usize - 1);
    let mut word = [0; 8];
    word.copy_from_slice(&EQUIVALENT[at..at + 8]);
    f64::from_le_bytes(word)
}

fn lower(samples: usize, p: f64, sigmas: Sigmas) -> f64 {
    let n = samples as f64;
    let tail = TAIL[sigmas as usize - 1];
    match samples {
        0 => 0.0,
        1 => floor(ln(1.0 - tail) / ln(1.0 - p)),
        121.. => normal(n - 0.5, p, -sigmas.number()) - 0.5,
        _ if p > 1.0 - 1e-5 => n,
        _ if p < n / 360.0 => normal(n - 0.5, p, -equivalent(false, samples, sigmas)) - 0.5,
        _ => {
            // The estimate is below 360 here, so the sum is short.
            let mut term = pow(p, n);
            let (mut total, mut m) = (term, n);
            while total <= tail {
                term = term * (1.0 - p) * m / (m + 1.0 - n);
                total += term;
                m += 1.0;
            }
            m - 1.0
        }
    }
}

fn upper(samples: usize, p: f64, sigmas: Sigmas) -> f64 {
    let n = samples as f64;
    let tail = TAIL[sigmas as usize - 1];
    match samples {
        0 => ceil(ln(tail) / ln(1.0 - p)),
        121.. => normal(n + 0.5, p, sigmas.number()) + 0.5,
        _ if p > 1.0 - 1e-5 => n + 1.0,
        _ if p < n / 360.0 => normal(n + 0.5, p, equivalent(true, samples, sigmas)) + 0.5,
        _ => {
            let n = n + 1.0;
            let mut term = pow(p, n);
            let (mut total, mut m) = (term, n);
            while total < 1.0 - tail {
                term = term * (1.0 - p) * m / (m + 1.0 - n);
                total += term;
                m += 1.0;
            }
            m
        }
    }
}

/// The count at which `samples` is `deviations` away from the mean.
fn normal(samples: f64, p: f64, deviations: f64) -> f64 {
    let count = samples / p;
    let b = deviations.abs() * sqrt((1.0 - p) / p);
    let half = 0.5 * b * sqrt(b * b + 4.0 * count);
    let middle = count + 0.5 * b * b;
    if deviations < 0.0 { middle - half } else { middle + half }
}

/// The least share that makes `hits` of `n` no more than `deviations` away.
fn share_below(n: u64, hits: u64, deviations: f64) -> f64 {
    // One minus the normal distribution, by the rational approximation 7.1.28 of Abramowitz and
    // Stegun, as the reference has it.
    let tail = || {
        let x = deviations / core::f64::consts::SQRT_2;
        let series = 1.0
            + x * (0.070_523_078_4
                + x * (0.042_282_012_3
                    + x * (0.009_270_527_2
                        + x * (0.000_152_014_3 + x * (0.000_276_567_2 + x * 0.000_043_063_8)))));
        0.5 / pow(series, 16.0)
    };
    let nth_root = 1.0 / n as f64;
    if hits == 0 {
        0.0
    } else if hits == 1 {
        1.0 - pow(1.0 - tail(), nth_root)
    } else if hits == n {
        pow(tail(), nth_root)
    } else {
        1.0 - quantile((n - hits) as f64 + 1.0, hits as f64, -deviations)
    }
}

/// Formula 26.5.22 of Abramowitz and Stegun: a quantile of the beta distribution.
fn quantile(a: f64, b: f64, y: f64) -> f64 {
    let (a2, b2) = (2.0 * a - 1.0, 2.0 * b - 1.0);
    let lambda = (y * y - 3.0) / 6.0;
    let h = 2.0 / (1.0 / a2 + 1.0 / b2);
    let w =
        y * sqrt(h + lambda) / h - (1.0 / b2 - 1.0 / a2) * (lambda + 5.0 / 6.0 - 2.0 / (3.0 * h));
    a / (a + b * exp(2.0 * w))
}
