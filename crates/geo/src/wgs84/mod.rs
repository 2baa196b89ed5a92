//! Geodesics on the ellipsoid WGS 84: Karney, "Algorithms for geodesics", J. Geodesy 87 (2013).
//!
//! The paper's numbers stand at the formulas. Series go to the sixth order in the third flattening,
//! which is exact to doubles for the Earth. The inverse problem is solved by Newton's method on the
//! azimuth at the first point, with a bisection to fall back on, so it never fails.

mod area;
mod inverse;
mod line;
mod series;

use crate::coord::{LatLng, Meters};
use crate::math::{self, sqrt};
use crate::metric::Metric;
use inverse::solve;

pub use line::GeodesicLine;

/// The equatorial radius, metres.
const A: f64 = 6_378_137.0;
/// The flattening.
const F: f64 = 1.0 / 298.257_223_563;
const F1: f64 = 1.0 - F;
const B: f64 = A * F1;
/// The third flattening.
const N: f64 = F / (2.0 - F);
/// The second eccentricity squared.
const EP2: f64 = F * (2.0 - F) / (F1 * F1);

/// The ellipsoid of WGS 84: true geodesic distances and directions.
///
/// Right to 15 nm for every pair of positions, antipodes included. Never fails, never NaN;
/// `distance` is symmetric to the bit.
///
/// ```
/// use archstone_geo::{LatLng, Metric, Wgs84};
///
/// let (jfk, lhr) = (LatLng::new(40.6, -73.8)?, LatLng::new(51.6, -0.5)?);
/// let line = Wgs84.inverse(jfk, lhr);
/// assert_eq!((line.distance.km().round(), line.azimuth1.round()), (5552.0, 51.0));
/// assert_eq!(line.distance, Wgs84.distance(jfk, lhr));
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wgs84;

/// The shortest way between two positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inverse {
    /// Its length.
    pub distance: Meters,
    /// The direction at the first position, degrees clockwise from north.
    pub azimuth1: f64,
    /// The forward direction at the second.
    pub azimuth2: f64,
}

/// Where a geodesic leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direct {
    /// The position reached.
    pub position: LatLng,
    /// The forward direction there, degrees clockwise from north.
    pub azimuth: f64,
}

impl Metric for Wgs84 {
    fn distance(&self, a: LatLng, b: LatLng) -> Meters {
        Meters(solve(a, b).0)
    }

    /// The least and the greatest radius of curvature: a(1 - e^2) of the meridian at the equator, and
    /// a / sqrt(1 - e^2) at the poles.
    fn radii(&self) -> (f64, f64) {
        (A * F1 * F1, A / F1)
    }
}

impl Wgs84 {
    /// The shortest geodesic from `a` to `b`. Between one place and itself the azimuths are 0.
    #[must_use]
    pub fn inverse(&self, a: LatLng, b: LatLng) -> Inverse {
        let (distance, [s1, c1, s2, c2]) = solve(a, b);
        Inverse {
            distance: Meters(distance),
            azimuth1: math::atan2_degrees(s1, c1),
            azimuth2: math::atan2_degrees(s2, c2),
        }
    }

    /// Where one is after `distance` along the geodesic that leaves `from` at `azimuth` degrees.
    /// Angles and lengths that are no number count as 0.
    #[must_use]
    pub fn direct(&self, from: LatLng, azimuth: f64, distance: Meters) -> Direct {
        self.line(from, azimuth).at(distance)
    }

    /// The geodesic that leaves `from` at `azimuth`, for many positions on it.
    #[must_use]
    pub fn line(&self, from: LatLng, azimuth: f64) -> GeodesicLine {
        GeodesicLine::new(from, if azimuth.is_finite() { azimuth } else { 0.0 })
    }

    /// The geodesic from `a` to `b`, and its length.
    #[must_use]
    pub fn line_between(&self, a: LatLng, b: LatLng) -> (GeodesicLine, Meters) {
        let (distance, [s1, c1, ..]) = solve(a, b);
        (GeodesicLine::with(a, s1, c1), Meters(distance))
    }
}

fn hypot(x: f64, y: f64) -> f64 {
    // Sines and cosines neither overflow nor underflow here.
    sqrt(x * x + y * y)
}

fn norm(x: f64, y: f64) -> (f64, f64) {
    let r = 1.0 / hypot(x, y);
    (x * r, y * r)
}

/// The reduced latitude: tan(beta) = (1 - f) tan(phi) (6).
fn reduced(lat: f64) -> (f64, f64) {
    let (s, c) = math::sin_cos(lat);
    let (s, c) = norm(s * F1, c);
    (s, c.max(TINY))
}

/// Keeps a cosine at a pole from being zero: well below the last digit of one.
const TINY: f64 = 1.491_668_146_240_041_3e-154;
