//! A geodesic by its beginning: the direct problem, section 3 of the paper.

use super::series::{Series, a1m1, a3, c1, c1p, c3, epsilon, sines};
use super::{B, Direct, F, F1, TINY, hypot, norm, reduced};
use crate::coord::{LatLng, Meters};
use crate::math::{self, atan2};

/// A geodesic that leaves a position: [`Wgs84::line`](crate::Wgs84::line).
#[derive(Clone, Copy, Debug)]
pub struct GeodesicLine {
    lng1: f64,
    sin_a0: f64,
    cos_a0: f64,
    s1: [f64; 2],
    om1: [f64; 2],
    a1: f64,
    b11: f64,
    c1p: Series,
    a3: f64,
    b31: f64,
    c3: Series,
    /// Sine and cosine of tau at the start (9).
    tau1: [f64; 2],
}

impl GeodesicLine {
    pub(super) fn new(from: LatLng, azimuth: f64) -> Self {
        let (s, c) = math::sin_cos(azimuth);
        Self::with(from, s, c)
    }

    pub(super) fn with(from: LatLng, sin_a1: f64, cos_a1: f64) -> Self {
        let (sin_b1, cos_b1) = reduced(from.lat());
        let sin_a0 = sin_a1 * cos_b1;
        let cos_a0 = hypot(cos_a1, sin_a1 * sin_b1);
        let om1 =
            [sin_a0 * sin_b1, if sin_b1 != 0.0 || cos_a1 != 0.0 { cos_b1 * cos_a1 } else { 1.0 }];
        let (s, c) = norm(sin_b1, om1[1]);
        let e = epsilon(cos_a0 * cos_a0);
        let (c1, c3) = (c1(e), c3(e));
        let b11 = sines(&c1, s, c);
        let (sin_t, cos_t) = math::sin_cos_eighth(b11);
        Self {
            lng1: from.lng(),
            sin_a0,
            cos_a0,
            s1: [s, c],
            om1,
            a1: 1.0 + a1m1(e),
            b11,
            c1p: c1p(e),
            a3: F * a3(e) * sin_a0,
            b31: sines(&c3, s, c),
            c3,
            tau1: [s * cos_t + c * sin_t, c * cos_t - s * sin_t],
        }
    }

    /// The position `distance` from its start; back along it if negative.
    #[must_use]
    pub fn at(&self, distance: Meters) -> Direct {
        let s12 = if distance.0.is_finite() { distance.0 } else { 0.0 };
        let tau = s12 / (B * self.a1);
        let (sin_t, cos_t) = (libm::sin(tau), libm::cos(tau));
        let (sin_t2, cos_t2) = (
            self.tau1[0] * cos_t + self.tau1[1] * sin_t,
            self.tau1[1] * cos_t - self.tau1[0] * sin_t,
        );
        let b12 = -sines(&self.c1p, sin_t2, cos_t2); // (20)
        let sigma = tau - (b12 - self.b11);
        let (sin_s, cos_s) = (libm::sin(sigma), libm::cos(sigma));
        let s2 = [self.s1[0] * cos_s + self.s1[1] * sin_s, self.s1[1] * cos_s - self.s1[0] * sin_s];
        let sin_b2 = self.cos_a0 * s2[0];
        let cos_b2 = hypot(self.sin_a0, self.cos_a0 * s2[1]).max(TINY);
        let (sin_a2, cos_a2) = (self.sin_a0, self.cos_a0 * s2[1]);
        let (sin_om2, cos_om2) = (self.sin_a0 * s2[0], s2[1]);
        let om12 = atan2(
            sin_om2 * self.om1[1] - cos_om2 * self.om1[0],
            cos_om2 * self.om1[1] + sin_om2 * self.om1[0],
        );
        let b32 = sines(&self.c3, s2[0], s2[1]);
        let lam = (om12 - self.a3 * (sigma + (b32 - self.b31))) * math::DEGREES;
        let lat = math::atan2_degrees(sin_b2, F1 * cos_b2);
        let lng = math::wrap_180(self.lng1 + math::wrap_180(lam));
        Direct { position: LatLng::clamped(lat, lng), azimuth: math::atan2_degrees(sin_a2, cos_a2) }
    }
}
