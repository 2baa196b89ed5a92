//! A fast metric on the ellipsoid for distances that people travel.

use crate::coord::{LatLng, Meters};
use crate::math;
use crate::metric::Metric;

const A: f64 = 6_378_137.0;
const E2: f64 = 6.694_379_990_141_316_5e-3;
const RADIUS: f64 = 6_371_008.8;

/// WGS 84 by the chord through the Earth, bent to an arc of the mean radius.
///
/// The chord between two positions is exact on the ellipsoid, at the poles as anywhere; the arc over
/// it is longer by a part that hardly depends on the radius. Relative error against [`Wgs84`](crate::Wgs84):
///
/// | up to | error at most |
/// |---|---|
/// | 100 km | 2e-7 |
/// | 1 000 km | 2e-5 |
/// | anywhere (next to antipodes) | 5e-2 |
///
/// Symmetric to the bit, never NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Local;

impl Metric for Local {
    #[inline]
    fn distance(&self, a: LatLng, b: LatLng) -> Meters {
        let ([across_a, across_b], [up_a, up_b]) = meridian([a.lat(), b.lat()]);
        let half = math::sin_by_terms::<8>(0.5 * math::longitude_difference(a.lng(), b.lng()));
        let (apart, up) = (across_a - across_b, up_a - up_b);
        let squared = apart * apart + up * up + 4.0 * across_a * across_b * (half * half);
        let hav = squared * (0.25 * A * A / (RADIUS * RADIUS));
        // Up to 400 km the series of the arcsine, right to 3e-14 of it.
        let angle = if hav <= 1e-3 {
            let t = hav * (1.0 / 6.0 + hav * (3.0 / 40.0 + hav * (15.0 / 336.0)));
            2.0 * math::sqrt(hav) * (1.0 + t)
        } else {
            math::angle_of_haversine(hav)
        };
        Meters(RADIUS * angle)
    }

    /// The ellipsoid's, wider by the error.
    fn radii(&self) -> (f64, f64) {
        (6_335_439.3 * 0.95, 6_399_593.7 * 1.05)
    }
}

/// Distances from the axis and from the plane of the equator at two latitudes, in equatorial radii:
/// both at once and without a branch, so that they go in one vector.
///
/// The last digit of sine and cosine is a nanometre. The root is right to 6e-10 of it, and so is how
/// fast it changes.
#[inline(always)]
fn meridian(lat: [f64; 2]) -> ([f64; 2], [f64; 2]) {
    const S: [f64; 6] = math::SINE;
    const C: [f64; 6] = math::COSINE;
    let x = lat.map(|lat| 0.5 * math::RADIANS * lat);
    let z = x.map(|x| x * x);
    // Sine and cosine of half the latitude: an eighth of a turn at most.
    let s =
        z.map(|z| 1.0 + z * (S[0] + z * (S[1] + z * (S[2] + z * (S[3] + z * (S[4] + z * S[5]))))));
    let c = z.map(|z| C[0] + z * (C[1] + z * (C[2] + z * (C[3] + z * (C[4] + z * C[5])))));
    let c = [1.0 - z[0] * (0.5 - z[0] * c[0]), 1.0 - z[1] * (0.5 - z[1] * c[1])];
    let s = [x[0] * s[0], x[1] * s[1]];
    let sin = [2.0 * s[0] * c[0], 2.0 * s[1] * c[1]];
    let cos = [(c[0] - s[0]) * (c[0] + s[0]), (c[1] - s[1]) * (c[1] + s[1])];
    // 1 / sqrt(1 - e^2 sin^2).
    let n = sin.map(|sin| {
        let z = E2 * sin * sin;
        1.0 + z * (0.5 + z * (0.375 + z * 0.3125))
    });
    let up = [n[0] * sin[0] * (1.0 - E2), n[1] * sin[1] * (1.0 - E2)];
    ([n[0] * cos[0], n[1] * cos[1]], up)
}
