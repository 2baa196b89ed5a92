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
    fn distance(&self, a: LatLng, b: LatLng) -> Meters {
        let (across_a, up_a) = meridian(a.lat());
        let (across_b, up_b) = meridian(b.lat());
        let half = math::sin_quarter(0.5 * math::longitude_difference(a.lng(), b.lng()));
        let (apart, up) = (across_a - across_b, up_a - up_b);
        let squared = apart * apart + up * up + 4.0 * across_a * across_b * (half * half);
        Meters(RADIUS * math::angle_of_haversine(squared * (0.25 / (RADIUS * RADIUS))))
    }

    /// The ellipsoid's, wider by the error.
    fn radii(&self) -> (f64, f64) {
        (6_335_439.3 * 0.95, 6_399_593.7 * 1.05)
    }
}

/// Distance from the axis and from the plane of the equator.
#[inline]
fn meridian(lat: f64) -> (f64, f64) {
    let (sin, cos) = math::sin_cos(lat);
    let n = A / math::sqrt(1.0 - E2 * sin * sin);
    (n * cos, n * (1.0 - E2) * sin)
}
