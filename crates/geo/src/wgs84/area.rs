//! The area of a polygon of geodesics: section 6 of the paper.

use super::inverse::solve;
use super::series::{c4, cosines, epsilon};
use super::{A, B, F, Wgs84, hypot, norm, reduced};
use crate::coord::LatLng;
use crate::math::{self, atan2, sqrt};

/// The eccentricity squared.
const E2: f64 = F * (2.0 - F);

impl Wgs84 {
    /// The area, in square metres, of the smaller part that a ring of geodesics cuts off, whatever its
    /// direction; over the antimeridian and round a pole too. Holes are for the caller to take away.
    ///
    /// Right to a tenth of a square metre an edge. 0 for fewer than three positions. An edge of half a
    /// turn of longitude goes over a pole, which is not said: put the pole between.
    ///
    /// ```
    /// use archstone_geo::{LatLng, Wgs84};
    ///
    /// let at = |lat, lng| LatLng::new(lat, lng).unwrap();
    /// let eighth = Wgs84.area(&[at(0.0, 0.0), at(0.0, 90.0), at(90.0, 0.0)]);
    /// assert!((eighth * 8.0 - 510_065_621_724_088.4).abs() < 1.0);
    /// ```
    #[must_use]
    pub fn area(&self, ring: &[LatLng]) -> f64 {
        if ring.len() < 3 {
            return 0.0;
        }
        let (mut under, mut turned) = (0.0, 0.0);
        for (i, a) in ring.iter().enumerate() {
            let b = ring[(i + 1) % ring.len()];
            under += area_under(*a, b);
            turned += math::longitude_difference(a.lng(), b.lng());
        }
        let whole = 4.0 * core::f64::consts::PI * authalic_squared();
        let under = under.abs();
        // A ring round the axis has a pole on either side.
        let part = if turned.abs() > 180.0 { 0.5 * whole - under } else { under };
        part.min(whole - part)
    }
}

/// The square of the radius of the sphere of equal area (60).
fn authalic_squared() -> f64 {
    let e = sqrt(E2);
    0.5 * (A * A + B * B * libm::atanh(e) / e)
}

/// The area between the geodesic and the equator, positive to the north of it on the way east (58).
fn area_under(from: LatLng, to: LatLng) -> f64 {
    // A pole stands on the meridian of the other end.
    let at = |p: LatLng, other: LatLng| {
        if p.lat().abs() == 90.0 { LatLng::clamped(p.lat(), other.lng()) } else { p }
    };
    let (a, b) = (at(from, to), at(to, from));
    let pole = pole_turn(from, to);
    let (_, [sin_a1, cos_a1, sin_a2, cos_a2]) = solve(a, b);
    let ((sin_b1, cos_b1), (sin_b2, cos_b2)) = (reduced(a.lat()), reduced(b.lat()));
    let sin_a0 = sin_a1 * cos_b1;
    let cos_a0 = hypot(cos_a1, sin_a1 * sin_b1);
    let mut turn = atan2(sin_a2 * cos_a1 - cos_a2 * sin_a1, cos_a2 * cos_a1 + sin_a2 * sin_a1);
    let mut rest = 0.0;
    if sin_a0 != 0.0 && cos_a0 != 0.0 {
        let om1 = norm(cos_a1 * cos_b1, sin_a0 * sin_b1);
        let om2 = norm(cos_a2 * cos_b2, sin_a0 * sin_b2);
        let (sin_om, cos_om) = (om2.1 * om1.0 - om2.0 * om1.1, om2.0 * om1.0 + om2.1 * om1.1);
        if cos_om > -0.7 {
            // Half the spherical excess, without the loss of a difference of azimuths (62).
            let (d_om, d1, d2) = (1.0 + cos_om, 1.0 + cos_b1, 1.0 + cos_b2);
            turn = 2.0
                * atan2(sin_om * (sin_b1 * d2 + sin_b2 * d1), d_om * (sin_b1 * sin_b2 + d1 * d2));
        }
        let s1 = norm(sin_b1, cos_a1 * cos_b1);
        let s2 = norm(sin_b2, cos_a2 * cos_b2);
        let c4 = c4(epsilon(cos_a0 * cos_a0));
        let part = cosines(&c4, s2.0, s2.1) - cosines(&c4, s1.0, s1.1);
        rest = A * A * cos_a0 * sin_a0 * E2 * part;
    }
    authalic_squared() * (turn + pole) + rest
}

/// What a pole adds: along it, from the meridian of one neighbour to that of the other, an edge is a
/// point, and under it lies a lune.
fn pole_turn(from: LatLng, to: LatLng) -> f64 {
    let lune = |p: LatLng, d: f64| p.lat().signum() * d * math::RADIANS;
    let d = math::longitude_difference(from.lng(), to.lng());
    match (from.lat().abs() == 90.0, to.lat().abs() == 90.0) {
        (true, true) if from.lat() == to.lat() => lune(from, d),
        (true, _) => lune(from, d),
        (false, true) => lune(to, d),
        _ => 0.0,
    }
}
