//! The elementary functions, in degrees where that makes the reduction exact.
//!
//! They are ours (or `libm`'s) with and without `std`, so that a distance has the same bits on
//! every platform and under every feature; they are free of branches, so that a loop over eight
//! of them becomes vector code. Coefficients: Sun's fdlibm (1993) for sine, cosine and arcsine on
//! their reduced intervals, the Taylor series for the sine over a whole quarter turn.

use core::f64::consts::PI;

pub(crate) const RADIANS: f64 = PI / 180.0;
pub(crate) const DEGREES: f64 = 180.0 / PI;

pub(crate) use libm::{asinh, atan, atan2};

/// The correctly rounded square root.
#[inline(always)]
pub(crate) fn sqrt(x: f64) -> f64 {
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    libm::sqrt(x)
}

#[inline(always)]
pub(crate) fn floor(x: f64) -> f64 {
    #[cfg(feature = "std")]
    return x.floor();
    #[cfg(not(feature = "std"))]
    libm::floor(x)
}

/// The nearest whole number, ties to even, for `|x| < 2^51`: no call where the processor has no
/// rounding instruction.
#[inline(always)]
pub(crate) fn round(x: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
    (x + SHIFT) - SHIFT
}

/// The sine of an angle of at most a quarter turn, in degrees: 2e-16 absolute, relative too near 0.
#[inline(always)]
pub(crate) fn sin_quarter(degrees: f64) -> f64 {
    sin_by_terms::<10>(degrees)
}

/// [`sin_quarter`] by fewer terms of its series; 5e-14 with eight.
#[inline(always)]
pub(crate) fn sin_by_terms<const TERMS: usize>(degrees: f64) -> f64 {
    const T: [f64; 10] = [
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 1_307_674_368_000.0,
        1.0 / 355_687_428_096_000.0,
        -1.0 / 121_645_100_408_832_000.0,
        1.0 / 51_090_942_171_709_440_000.0,
    ];
    let x = degrees * RADIANS;
    let z = x * x;
    let mut p = T[TERMS - 1];
    let mut i = TERMS - 1;
    while i > 0 {
        i -= 1;
        p = p * z + T[i];
    }
    x + x * z * p
}

/// The cosine of a latitude, exactly 0 at the poles.
#[inline(always)]
pub(crate) fn cos_latitude(degrees: f64) -> f64 {
    sin_quarter(90.0 - degrees.abs())
}

/// Sine and cosine of an angle in degrees, exact at the multiples of 90.
#[inline(always)]
pub(crate) fn sin_cos(degrees: f64) -> (f64, f64) {
    let quarter = round(degrees * (1.0 / 90.0));
    let (s, c) = sin_cos_eighth((degrees - 90.0 * quarter) * RADIANS);
    // The two low bits of the quadrant, by the shift of `round`: whole for any |degrees| < 2^50.
    let bits = (quarter + 6_755_399_441_055_744.0).to_bits();
    let (s, c) = if bits & 1 == 0 { (s, c) } else { (c, -s) };
    if bits & 2 == 0 { (s, c) } else { (-s, -c) }
}

/// Sun's coefficients of sine and cosine on an eighth of a turn.
pub(crate) const SINE: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_3e-8,
    1.589_690_995_211_55e-10,
];
pub(crate) const COSINE: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// Sine and cosine of `x` radians, `|x| <= pi/4`.
#[inline(always)]
pub(crate) fn sin_cos_eighth(x: f64) -> (f64, f64) {
    const S: [f64; 6] = SINE;
    const C: [f64; 6] = COSINE;
    let z = x * x;
    let s = S[1] + z * (S[2] + z * (S[3] + z * (S[4] + z * S[5])));
    let sin = x + x * z * (S[0] + z * s);
    let c = z * (C[0] + z * (C[1] + z * (C[2] + z * (C[3] + z * (C[4] + z * C[5])))));
    let half = 0.5 * z;
    let w = 1.0 - half;
    let cos = w + (((1.0 - w) - half) + z * c);
    (sin, cos)
}

/// The angle in radians whose half has the squared sine `a`: the inverse of the haversine.
///
/// `a` is clamped to 0 ..= 1, so rounding next to antipodes cannot give NaN.
#[inline(always)]
pub(crate) fn angle_of_haversine(a: f64) -> f64 {
    const P: [f64; 6] = [
        1.666_666_666_666_666_6e-1,
        -3.255_658_186_224_009e-1,
        2.012_125_321_348_629_3e-1,
        -4.005_553_450_067_941e-2,
        7.915_349_942_898_145e-4,
        3.479_331_075_960_212e-5,
    ];
    const Q: [f64; 4] = [
        -2.403_394_911_734_414,
        2.020_945_760_233_505_7,
        -6.882_839_716_054_533e-1,
        7.703_815_055_590_194e-2,
    ];
    let a = a.clamp(0.0, 1.0);
    let s = sqrt(a);
    let small = a <= 0.25;
    let z = if small { a } else { (1.0 - s) * 0.5 };
    let r = sqrt(z); // taken in any case: no branch
    let t = if small { s } else { r };
    let p = z * (P[0] + z * (P[1] + z * (P[2] + z * (P[3] + z * (P[4] + z * P[5])))));
    let q = 1.0 + z * (Q[0] + z * (Q[1] + z * (Q[2] + z * Q[3])));
    let arcsine = t + t * (p / q);
    if small { 2.0 * arcsine } else { PI - 4.0 * arcsine }
}

/// `asin` of a value that rounding may have pushed past one.
pub(crate) fn asin(x: f64) -> f64 {
    libm::asin(x.clamp(-1.0, 1.0))
}

/// The arc tangent of `y / x` in degrees; exact at the multiples of 90.
pub(crate) fn atan2_degrees(y: f64, x: f64) -> f64 {
    // The angle is reduced to an eighth first, so that 90 and 180 come out whole.
    let (flip, x_abs) = (x < 0.0, x.abs());
    let angle = if y.abs() > x_abs {
        let rest = atan(x_abs / y.abs()) * DEGREES;
        if y < 0.0 { rest - 90.0 } else { 90.0 - rest }
    } else if x_abs == 0.0 {
        0.0
    } else {
        atan(y / x_abs) * DEGREES
    };
    match (flip, y < 0.0) {
        (false, _) => angle,
        (true, false) => 180.0 - angle,
        (true, true) => -180.0 - angle,
    }
}

/// A longitude or azimuth in -180 ..= 180, for any finite angle.
pub(crate) fn wrap_180(degrees: f64) -> f64 {
    if (-180.0..=180.0).contains(&degrees) {
        return degrees;
    }
    let turned = degrees - 360.0 * floor((degrees + 180.0) / 360.0);
    // Rounding may leave the interval by one step for huge angles.
    turned.clamp(-180.0, 180.0)
}

/// The difference `b - a` of two longitudes, the short way round: -180 ..= 180.
#[inline(always)]
pub(crate) fn longitude_difference(a: f64, b: f64) -> f64 {
    let d = b - a;
    let d = if d > 180.0 { d - 360.0 } else { d };
    if d < -180.0 { d + 360.0 } else { d }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::FRAC_PI_2;

    #[test]
    fn sine_and_cosine_are_those_of_libm_to_an_ulp_and_whole_at_right_angles() {
        for i in -72_000..=72_000 {
            let x = f64::from(i) * 0.01 + 1e-3;
            let (s, c) = sin_cos(x);
            assert!((s - libm::sin(x * RADIANS)).abs() < 2e-15, "{x}");
            assert!((c - libm::cos(x * RADIANS)).abs() < 2e-15, "{x}");
            if x.abs() <= 90.0 {
                assert!((sin_quarter(x) - s).abs() < 4e-16, "{x}");
            }
        }
        let right: [(f64, (f64, f64)); 5] = [
            (0.0, (0.0, 1.0)),
            (90.0, (1.0, 0.0)),
            (180.0, (0.0, -1.0)),
            (-90.0, (-1.0, 0.0)),
            (270.0, (-1.0, 0.0)),
        ];
        for (x, (s, c)) in right {
            assert_eq!((sin_cos(x).0 + 0.0, sin_cos(x).1 + 0.0), (s, c), "{x}");
        }
        assert_eq!(cos_latitude(90.0), 0.0);
    }

    #[test]
    fn the_inverse_haversine_is_right_at_both_ends_and_clamps() {
        assert_eq!(angle_of_haversine(0.0), 0.0);
        assert_eq!(angle_of_haversine(1.0), PI);
        assert_eq!(angle_of_haversine(1.0 + 1e-15), PI);
        assert_eq!(angle_of_haversine(-1e-17), 0.0);
        for i in 1..1000 {
            let a = f64::from(i) / 1000.0;
            assert!((angle_of_haversine(a) - 2.0 * libm::asin(a.sqrt())).abs() < 1e-15, "{a}");
        }
        assert!((angle_of_haversine(0.5) - FRAC_PI_2).abs() < 1e-15);
    }

    #[test]
    fn arc_tangents_are_whole_at_right_angles_and_in_their_quadrant() {
        let cases = [
            ((0.0, 1.0), 0.0),
            ((1.0, 0.0), 90.0),
            ((0.0, -1.0), 180.0),
            ((-1.0, 0.0), -90.0),
            ((-1.0, -1.0), -135.0),
            ((1.0, -1.0), 135.0),
            ((0.0, 0.0), 0.0),
        ];
        for ((y, x), degrees) in cases {
            assert!((atan2_degrees(y, x) - degrees).abs() < 1e-13, "{y} {x}");
        }
    }

    #[test]
    fn angles_wrap_into_one_turn() {
        for (x, wrapped) in [
            (190.0, -170.0),
            (-190.0, 170.0),
            (180.0, 180.0),
            (-180.0, -180.0),
            (720.5, 0.5),
            (1e300, f64::NAN),
        ] {
            let got = wrap_180(x);
            assert!(got == wrapped || (wrapped.is_nan() && got.abs() <= 180.0), "{x} {got}");
        }
        assert_eq!(longitude_difference(179.0, -179.0), 2.0);
        assert_eq!(longitude_difference(-179.0, 179.0), -2.0);
    }
}
