//! The composite estimator of the reference (Kevin Lang), for registers whose order is unknown.

use crate::math::ln;

/// 18 rows, lg 4 to 21, of 257 doubles: the raw estimates that stand for equidistant counts. From
/// Apache DataSketches (Apache-2.0).
const RAW: &[u8; 37_008] = include_bytes!("composite.f64le");
const POINTS: usize = 257;

/// Distance of two counts of [`RAW`].
fn stride(lg: u8) -> f64 {
    match lg {
        4 => 1.0,
        5 => 2.0,
        6 => 3.0,
        _ => (5_u32 << (lg - 7)) as f64,
    }
}

/// The estimate of 2^`lg` registers, `zeros` of them empty, whose sum of 2^-register is `sum`.
pub(super) fn composite(lg: u8, sum: f64, zeros: u32) -> f64 {
    let k = (1_u32 << lg) as f64;
    let correction = match lg {
        4 => 0.673,
        5 => 0.697,
        6 => 0.709,
        _ => 0.7213 / (1.0 + 1.079 / k),
    };
    let raw = correction * k * k / sum;

    let mut row = [0.0; POINTS];
    let at = usize::from(lg - 4) * POINTS * 8;
    for (point, word) in row.iter_mut().zip(RAW[at..].chunks_exact(8)) {
        *point = f64::from_le_bytes(word.try_into().unwrap_or_default());
    }
    let (first, last) = (row[0], row[POINTS - 1]);
    if raw < first {
        return 0.0;
    }
    let greatest = stride(lg) * (POINTS - 1) as f64;
    if raw > last {
        return raw * (greatest / last);
    }
    let adjusted =
        if raw == last { greatest } else { interpolate(&row, |i| stride(lg) * i as f64, raw) };
    if adjusted > 3.0 * k {
        return adjusted;
    }
    // Few items: the number of empty registers says more. The mean of both decides, so that the
    // choice does not favour either.
    let linear =
        if zeros == 0 { k * ln(k / 0.5) } else { k * (harmonic(1 << lg) - harmonic(zeros)) };
    let crossover = match lg {
        4 => 0.718,
        5 => 0.672,
        _ => 0.64,
    };
    if (adjusted + linear) / 2.0 > crossover * k { adjusted } else { linear }
}

/// The cubic through the four points around `x`, which lies in `xs[0] .. xs[last]`.
pub(super) fn interpolate(xs: &[f64], y: impl Fn(usize) -> f64, x: f64) -> f64 {
    let before = xs.partition_point(|&point| point <= x).saturating_sub(1);
    let at = before.saturating_sub(1).min(xs.len() - 4);
    let points = &xs[at..at + 4];
    let mut sum = 0.0;
    for i in 0..4 {
        let (mut above, mut below) = (1.0, 1.0);
        for j in (0..4).filter(|&j| j != i) {
            above *= x - points[j];
            below *= points[i] - points[j];
        }
        sum += y(at + i) * above / below;
    }
    sum
}

/// The sum of 1/i for i to n.
fn harmonic(n: u32) -> f64 {
    if n < 25 {
        return (1..=n).map(|i| 1.0 / f64::from(i)).sum();
    }
    let x = f64::from(n);
    let square = 1.0 / (x * x);
    let series = 1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0));
    ln(x) + 0.577_215_664_901_532_9 + 1.0 / (2.0 * x) - square * series
}
