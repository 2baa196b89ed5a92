//! The series in the third flattening and in epsilon: sections 2, 3 and 6 of the paper.

use super::{EP2, N};
use crate::math::sqrt;

/// A polynomial, the lowest power first.
pub(super) fn poly<const K: usize>(c: [f64; K], x: f64) -> f64 {
    c.into_iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// A1 - 1 (17).
pub(super) fn a1m1(e: f64) -> f64 {
    let t = poly([0.0, 1.0 / 4.0, 1.0 / 64.0, 1.0 / 256.0], e * e);
    (t + e) / (1.0 - e)
}

/// A2 - 1 (42).
pub(super) fn a2m1(e: f64) -> f64 {
    let t = poly([0.0, 1.0 / 4.0, 9.0 / 64.0, 25.0 / 256.0], e * e);
    t * (1.0 - e) - e
}

pub(super) type Series = [f64; 6];

/// C1 (18).
pub(super) fn c1(e: f64) -> Series {
    let (q, e2) = (e * e, e * e);
    let e3 = e2 * e;
    [
        e * poly([-1.0 / 2.0, 3.0 / 16.0, -1.0 / 32.0], q),
        e2 * poly([-1.0 / 16.0, 1.0 / 32.0, -9.0 / 2048.0], q),
        e3 * poly([-1.0 / 48.0, 3.0 / 256.0], q),
        e2 * e2 * poly([-5.0 / 512.0, 3.0 / 512.0], q),
        e3 * e2 * (-7.0 / 1280.0),
        e3 * e3 * (-7.0 / 2048.0),
    ]
}

/// C1', the series turned round (21).
pub(super) fn c1p(e: f64) -> Series {
    let (q, e2) = (e * e, e * e);
    let e3 = e2 * e;
    [
        e * poly([1.0 / 2.0, -9.0 / 32.0, 205.0 / 1536.0], q),
        e2 * poly([5.0 / 16.0, -37.0 / 96.0, 1335.0 / 4096.0], q),
        e3 * poly([29.0 / 96.0, -75.0 / 128.0], q),
        e2 * e2 * poly([539.0 / 1536.0, -2391.0 / 2560.0], q),
        e3 * e2 * (3467.0 / 7680.0),
        e3 * e3 * (38081.0 / 61440.0),
    ]
}

/// C2 (43).
pub(super) fn c2(e: f64) -> Series {
    let (q, e2) = (e * e, e * e);
    let e3 = e2 * e;
    [
        e * poly([1.0 / 2.0, 1.0 / 16.0, 1.0 / 32.0], q),
        e2 * poly([3.0 / 16.0, 1.0 / 32.0, 35.0 / 2048.0], q),
        e3 * poly([5.0 / 48.0, 5.0 / 256.0], q),
        e2 * e2 * poly([35.0 / 512.0, 7.0 / 512.0], q),
        e3 * e2 * (63.0 / 1280.0),
        e3 * e3 * (77.0 / 2048.0),
    ]
}

/// A3 (24).
pub(super) fn a3(e: f64) -> f64 {
    const C: [f64; 6] = [
        1.0,
        -(1.0 / 2.0 - N / 2.0),
        -(1.0 / 4.0 + N / 8.0 - 3.0 / 8.0 * N * N),
        -(1.0 / 16.0 + 3.0 / 16.0 * N + 1.0 / 16.0 * N * N),
        -(3.0 / 64.0 + 1.0 / 32.0 * N),
        -3.0 / 128.0,
    ];
    poly(C, e)
}

/// C3 (25).
pub(super) fn c3(e: f64) -> Series {
    const N2: f64 = N * N;
    const C1: [f64; 5] = [
        1.0 / 4.0 - N / 4.0,
        1.0 / 8.0 - N2 / 8.0,
        3.0 / 64.0 + 3.0 / 64.0 * N - N2 / 64.0,
        5.0 / 128.0 + N / 64.0,
        3.0 / 128.0,
    ];
    const C2: [f64; 4] = [
        1.0 / 16.0 - 3.0 / 32.0 * N + N2 / 32.0,
        3.0 / 64.0 - N / 32.0 - 3.0 / 64.0 * N2,
        3.0 / 128.0 + N / 128.0,
        5.0 / 256.0,
    ];
    const C3: [f64; 3] = [
        5.0 / 192.0 - 3.0 / 64.0 * N + 5.0 / 192.0 * N2,
        3.0 / 128.0 - 5.0 / 192.0 * N,
        7.0 / 512.0,
    ];
    const C4: [f64; 2] = [7.0 / 512.0 - 7.0 / 256.0 * N, 7.0 / 512.0];
    let e2 = e * e;
    [
        e * poly(C1, e),
        e2 * poly(C2, e),
        e2 * e * poly(C3, e),
        e2 * e2 * poly(C4, e),
        e2 * e2 * e * (21.0 / 2560.0),
        0.0,
    ]
}

/// The sum of c[l - 1] sin(2 l x), by Clenshaw.
pub(super) fn sines(c: &Series, sin: f64, cos: f64) -> f64 {
    let twice = 2.0 * (cos - sin) * (cos + sin); // 2 cos 2x
    let (mut a, mut b) = (0.0, 0.0);
    for c in c.iter().rev() {
        (a, b) = (twice * a - b + c, a);
    }
    2.0 * sin * cos * a
}

/// The expansion parameter epsilon of a geodesic (16).
pub(super) fn epsilon(cos_alpha0_squared: f64) -> f64 {
    let k2 = EP2 * cos_alpha0_squared;
    k2 / (2.0 * (1.0 + sqrt(1.0 + k2)) + k2)
}

/// C4 (63), for areas.
pub(super) fn c4(e: f64) -> Series {
    const fn in_n<const K: usize>(c: [f64; K], by: f64) -> f64 {
        let (mut sum, mut i) = (0.0, K);
        while i > 0 {
            i -= 1;
            sum = sum * N + c[i];
        }
        sum / by
    }
    const C0: [f64; 6] = [
        in_n([30_030.0, -12_012.0, 3_432.0, 572.0, 208.0, 100.0], 45_045.0),
        in_n([-3_003.0, 6_864.0, -4_576.0, 624.0, 64.0], 15_015.0),
        in_n([-858.0, -4_576.0, 14_144.0, -10_656.0], 45_045.0),
        in_n([1_573.0, -4_784.0, -224.0], 45_045.0),
        in_n([156.0, 1_088.0], 45_045.0),
        97.0 / 15_015.0,
    ];
    const C1: [f64; 5] = [
        in_n([3_003.0, -6_864.0, 4_576.0, -624.0, -64.0], 135_135.0),
        in_n([-2_574.0, 9_152.0, -11_648.0, 5_952.0], 135_135.0),
        in_n([-1_287.0, 1_040.0, 5_792.0], 135_135.0),
        in_n([468.0, -2_944.0], 135_135.0),
        1.0 / 9_009.0,
    ];
    const C2: [f64; 4] = [
        in_n([1_716.0, -4_576.0, 4_160.0, -1_440.0], 225_225.0),
        in_n([-1_144.0, 4_992.0, -8_448.0], 225_225.0),
        in_n([-936.0, 1_856.0], 225_225.0),
        8.0 / 10_725.0,
    ];
    const C3: [f64; 3] = [
        in_n([1_144.0, -3_328.0, 3_584.0], 315_315.0),
        in_n([-208.0, 1_024.0], 105_105.0),
        -136.0 / 63_063.0,
    ];
    const C4: [f64; 2] = [in_n([832.0, -2_560.0], 405_405.0), -128.0 / 135_135.0];
    let e2 = e * e;
    [
        poly(C0, e),
        e * poly(C1, e),
        e2 * poly(C2, e),
        e2 * e * poly(C3, e),
        e2 * e2 * poly(C4, e),
        e2 * e2 * e * (128.0 / 99_099.0),
    ]
}

/// The sum of c[l] cos((2 l + 1) x), by Clenshaw.
pub(super) fn cosines(c: &Series, sin: f64, cos: f64) -> f64 {
    let twice = 2.0 * (cos - sin) * (cos + sin);
    let (mut a, mut b) = (0.0, 0.0);
    for c in c.iter().rev() {
        (a, b) = (twice * a - b + c, a);
    }
    cos * (a - b)
}
