//! Distances and directions on a sphere.

use crate::coord::{LatLng, Meters};
use crate::math;
use crate::metric::Metric;

/// A sphere; [`Sphere::EARTH`] has the Earth's mean radius.
///
/// Haversine distances: never NaN, symmetric to the bit, off the ellipsoid's by at most 0.56 %. Their
/// rounding is least between near places and largest, parts of a metre, next to antipodes.
///
/// ```
/// use archstone_geo::{LatLng, Metric, Sphere};
///
/// let (paris, tokyo) = (LatLng::new(48.8566, 2.3522)?, LatLng::new(35.6762, 139.6503)?);
/// assert_eq!(Sphere::EARTH.distance(paris, tokyo).km().round(), 9712.0);
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sphere {
    radius: f64,
}

impl Sphere {
    /// The Earth: the mean radius (2a + b) / 3 of WGS 84 by the IUGG, 6 371 008.8 m.
    pub const EARTH: Self = Self { radius: 6_371_008.8 };

    /// The radius that Redis uses, 6 372 797.560 856 m.
    pub const REDIS: Self = Self { radius: 6_372_797.560_856 };

    /// The radius in metres.
    #[must_use]
    pub const fn radius(&self) -> f64 {
        self.radius
    }

    /// The initial direction of the great circle from `a` to `b`, degrees clockwise from north,
    /// -180 to 180; 0 if they are one place. From a pole, it is counted from the pole's longitude.
    #[must_use]
    pub fn bearing(&self, a: LatLng, b: LatLng) -> f64 {
        let (sin_a, cos_a) = math::sin_cos(a.lat());
        let (sin_b, cos_b) = math::sin_cos(b.lat());
        let (sin_d, cos_d) = math::sin_cos(math::longitude_difference(a.lng(), b.lng()));
        math::atan2_degrees(sin_d * cos_b, cos_a * sin_b - sin_a * cos_b * cos_d)
    }

    /// Where one is after `distance` along the great circle that leaves `from` at `bearing` degrees.
    #[must_use]
    pub fn destination(&self, from: LatLng, bearing: f64, distance: Meters) -> LatLng {
        let (sin_t, cos_t) = math::sin_cos(finite(bearing));
        let (sin_d, cos_d) =
            math::sin_cos(finite(distance.0 / self.radius * math::DEGREES) % 360.0);
        let (sin_a, cos_a) = math::sin_cos(from.lat());
        // In the frame of `from`: up, east, north. Then turned about the axis.
        let (up, east, north) = (cos_d, sin_d * sin_t, sin_d * cos_t);
        let z = up * sin_a + north * cos_a;
        let x = up * cos_a - north * sin_a;
        let lng = from.lng() + math::atan2_degrees(east, x);
        LatLng::clamped(
            math::atan2_degrees(z, math::sqrt(x * x + east * east)),
            math::wrap_180(lng),
        )
    }

    /// The position at the share `t` of the way from `a` to `b`: `a` at 0, `b` at 1. Between
    /// antipodes the way leads north from `a`.
    #[must_use]
    pub fn intermediate(&self, a: LatLng, b: LatLng, t: f64) -> LatLng {
        let (at, bearing) = (angle(a, b) * self.radius, self.bearing(a, b));
        if t == 1.0 { b } else { self.destination(a, bearing, Meters(at * t)) }
    }

    /// How far `p` is from the great circle through `a` and `b`: positive to the right of it.
    /// Zero if `a` and `b` are one place.
    #[must_use]
    pub fn cross_track(&self, p: LatLng, a: LatLng, b: LatLng) -> Meters {
        if a == b {
            return Meters::ZERO;
        }
        let along = math::sin_cos(self.bearing(a, p) - self.bearing(a, b)).0;
        Meters(self.radius * math::asin(libm::sin(angle(a, p)) * along))
    }

    /// How far `p` is from the piece of great circle between `a` and `b`.
    #[must_use]
    pub fn distance_to_segment(&self, p: LatLng, a: LatLng, b: LatLng) -> Meters {
        Meters(self.radius * crate::vector::angle_to_edge(unit(p), unit(a), unit(b)))
    }

    /// The length of the rhumb line (constant bearing) from `a` to `b`.
    #[must_use]
    pub fn rhumb_distance(&self, a: LatLng, b: LatLng) -> Meters {
        let (d_lat, q, d_lng) = rhumb(a, b);
        Meters(self.radius * math::sqrt(d_lat * d_lat + q * q * d_lng * d_lng))
    }

    /// The constant bearing of the rhumb line from `a` to `b`, degrees clockwise from north.
    #[must_use]
    pub fn rhumb_bearing(&self, a: LatLng, b: LatLng) -> f64 {
        let (_, _, d_lng) = rhumb(a, b);
        math::atan2_degrees(d_lng, isometric(b.lat()) - isometric(a.lat()))
    }

    /// Where one is after `distance` at the constant `bearing`; a line that reaches a pole ends there,
    /// at the longitude of `from`.
    #[must_use]
    pub fn rhumb_destination(&self, from: LatLng, bearing: f64, distance: Meters) -> LatLng {
        let angle = finite(distance.0 / self.radius);
        let (sin_t, cos_t) = math::sin_cos(finite(bearing));
        let lat = from.lat() + angle * cos_t * math::DEGREES;
        if lat.abs() >= 90.0 {
            return LatLng::clamped(lat, from.lng());
        }
        let q = stretch(from.lat(), lat);
        let lng = if q == 0.0 { 0.0 } else { angle * sin_t / q };
        LatLng::clamped(lat, math::wrap_180(from.lng() + lng * math::DEGREES))
    }
}

impl Metric for Sphere {
    #[inline]
    fn distance(&self, a: LatLng, b: LatLng) -> Meters {
        Meters(self.radius * angle(a, b))
    }

    fn radii(&self) -> (f64, f64) {
        (self.radius, self.radius)
    }

    /// Eight at a time, so that it can become vector code.
    fn distances(&self, from: LatLng, to: &[LatLng], out: &mut [Meters]) {
        batch::distances(self.radius, from, to, out);
    }
}

fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}

/// The angle between two positions in radians: 0 to pi.
#[inline(always)]
pub(crate) fn angle(a: LatLng, b: LatLng) -> f64 {
    angle_with(a, math::cos_latitude(a.lat()), b)
}

#[inline(always)]
fn angle_with(a: LatLng, cos_a: f64, b: LatLng) -> f64 {
    let half_lat = math::sin_quarter(0.5 * (b.lat() - a.lat()));
    let half_lng = math::sin_quarter(0.5 * math::longitude_difference(a.lng(), b.lng()));
    let hav = half_lat * half_lat + cos_a * math::cos_latitude(b.lat()) * (half_lng * half_lng);
    math::angle_of_haversine(hav)
}

/// The unit vector of a position: x to (0, 0), y to (0, 90), z to the north pole.
#[inline(always)]
pub(crate) fn unit(at: LatLng) -> [f64; 3] {
    let (sin_lat, cos_lat) = math::sin_cos(at.lat());
    let (sin_lng, cos_lng) = math::sin_cos(at.lng());
    [cos_lat * cos_lng, cos_lat * sin_lng, sin_lat]
}

/// The position of a vector that is not zero.
pub(crate) fn position(v: [f64; 3]) -> LatLng {
    let across = math::sqrt(v[0] * v[0] + v[1] * v[1]);
    LatLng::clamped(math::atan2_degrees(v[2], across), math::atan2_degrees(v[1], v[0]))
}

/// The isometric latitude: what makes a rhumb line straight.
fn isometric(lat: f64) -> f64 {
    let (s, c) = math::sin_cos(lat);
    // A pole is at infinity; the next latitude to it stands for it.
    math::asinh(s / c.max(1e-16))
}

/// East-west metres a radian of longitude, on the way between two latitudes.
fn stretch(a: f64, b: f64) -> f64 {
    let d = (b - a) * math::RADIANS;
    // Two latitudes so near that their isometric latitudes cancel: the cosine between them.
    if d.abs() < 1e-7 {
        math::cos_latitude(0.5 * (a + b))
    } else {
        d / (isometric(b) - isometric(a))
    }
}

fn rhumb(a: LatLng, b: LatLng) -> (f64, f64, f64) {
    let d_lng = math::longitude_difference(a.lng(), b.lng()) * math::RADIANS;
    ((b.lat() - a.lat()) * math::RADIANS, stretch(a.lat(), b.lat()), d_lng)
}

/// One to many. The same arithmetic as one pair, so the same bits.
mod batch {
    use super::{LatLng, Meters, angle_with, math};

    const LANES: usize = 8;

    pub(super) fn distances(radius: f64, from: LatLng, to: &[LatLng], out: &mut [Meters]) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, by the line above.
            #[expect(unsafe_code, reason = "41 instructions a distance in place of 91")]
            return unsafe { distances_by_avx2(radius, from, to, out) };
        }
        run(radius, from, to, out);
    }

    /// The same loop, four lanes to a register. Without fused multiplication, so that no bit differs.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "only for processors that have AVX2")]
    unsafe fn distances_by_avx2(radius: f64, from: LatLng, to: &[LatLng], out: &mut [Meters]) {
        run(radius, from, to, out);
    }

    #[inline(always)]
    fn run(radius: f64, from: LatLng, to: &[LatLng], out: &mut [Meters]) {
        let cos_from = math::cos_latitude(from.lat());
        let whole = to.len() / LANES * LANES;
        for (to, out) in to[..whole].chunks_exact(LANES).zip(out[..whole].chunks_exact_mut(LANES)) {
            let mut lanes = [0.0; LANES];
            for (lane, to) in lanes.iter_mut().zip(to) {
                *lane = angle_with(from, cos_from, *to);
            }
            for (out, lane) in out.iter_mut().zip(lanes) {
                *out = Meters(radius * lane);
            }
        }
        for (to, out) in to[whole..].iter().zip(&mut out[whole..]) {
            *out = Meters(radius * angle_with(from, cos_from, *to));
        }
    }
}
