//! The shortest way between two positions: sections 4 and 5 of the paper.

use super::series::{a1m1, a2m1, a3, c1, c2, c3, epsilon, sines};
use super::{A, B, EP2, F, F1, N, TINY, hypot, norm, reduced};
use crate::coord::LatLng;
use crate::math::{self, atan2, sqrt};

/// The distance, and sines and cosines of the two azimuths.
pub(super) fn solve(from: LatLng, to: LatLng) -> (f64, [f64; 4]) {
    // To the standard form of section 4: 0 <= lambda12, beta1 <= 0, beta1 <= beta2 <= -beta1.
    let (lng12, lng12_error) = longitude(from.lng(), to.lng());
    let east = if lng12.is_sign_negative() { -1.0 } else { 1.0 };
    let (lng12, lng12_error) = (lng12 * east, lng12_error * east);
    let swap = from.lat().abs() < to.lat().abs();
    let (lat1, lat2) = if swap { (to.lat(), from.lat()) } else { (from.lat(), to.lat()) };
    let (east, swap_sign) = if swap { (-east, -1.0) } else { (east, 1.0) };
    let north = if lat1 < 0.0 { 1.0 } else { -1.0 };
    let (lat1, lat2) = (lat1 * north, lat2 * north);
    let (sin_lam, cos_lam) = sin_cos_with_error(lng12, lng12_error);
    let (sin_b1, cos_b1) = reduced(lat1);
    let (mut sin_b2, mut cos_b2) = reduced(lat2);
    // Equal latitudes must have equal reduced ones to the last digit.
    if cos_b1 < -sin_b1 {
        if cos_b2 == cos_b1 {
            sin_b2 = if sin_b2 < 0.0 { sin_b1 } else { -sin_b1 };
        }
    } else if sin_b2.abs() == -sin_b1 {
        cos_b2 = cos_b1;
    }
    let problem = Problem {
        sin_b1,
        cos_b1,
        sin_b2,
        cos_b2,
        dn1: sqrt(1.0 + EP2 * sin_b1 * sin_b1),
        dn2: sqrt(1.0 + EP2 * sin_b2 * sin_b2),
        sin_lam,
        cos_lam,
    };
    let lam = lng12 * math::RADIANS;
    let mut found = None;
    if lat1 == -90.0 || sin_lam == 0.0 {
        found = problem.meridian();
    }
    let (distance, [s1, c1, s2, c2]) = match found {
        Some(found) => found,
        // Along the equator, if not too far for it to be the shortest.
        None if sin_b1 == 0.0 && lam <= core::f64::consts::PI * F1 => {
            (A * lam, [1.0, 0.0, 1.0, 0.0])
        }
        None => problem.general(lam),
    };
    let [s1, c1, s2, c2] = if swap { [s2, c2, s1, c1] } else { [s1, c1, s2, c2] };
    if distance == 0.0 {
        return (0.0, [0.0, 1.0, 0.0, 1.0]);
    }
    let (east, north) = (swap_sign * east, swap_sign * north);
    (distance, [s1 * east, c1 * north, s2 * east, c2 * north])
}

/// The difference of two longitudes in -180 ..= 180 and what rounding took from it.
fn longitude(a: f64, b: f64) -> (f64, f64) {
    let two_sum = |x: f64, y: f64| {
        let s = x + y;
        let t = s - x;
        (s, (x - (s - t)) + (y - t))
    };
    let (d, e) = two_sum(b, -a);
    let turn = if d > 180.0 || (d == 180.0 && e > 0.0) {
        -360.0
    } else if d < -180.0 || (d == -180.0 && e < 0.0) {
        360.0
    } else {
        return (d, e);
    };
    let (d, f) = two_sum(d, turn);
    two_sum(d, f + e)
}

fn sin_cos_with_error(degrees: f64, error: f64) -> (f64, f64) {
    let quarter = math::round(degrees / 90.0);
    let x = (degrees - 90.0 * quarter + error) * math::RADIANS;
    let (s, c) = math::sin_cos_eighth(x);
    match quarter as i32 & 3 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

/// The standard form of the inverse problem.
struct Problem {
    sin_b1: f64,
    cos_b1: f64,
    sin_b2: f64,
    cos_b2: f64,
    dn1: f64,
    dn2: f64,
    sin_lam: f64,
    cos_lam: f64,
}

/// A geodesic on the auxiliary sphere that is tried.
#[derive(Clone, Copy)]
struct Trial {
    /// Longitude reached less the longitude asked for.
    miss: f64,
    /// Its derivative by the azimuth.
    slope: f64,
    sin_a2: f64,
    cos_a2: f64,
    sigma: f64,
    s1: [f64; 2],
    s2: [f64; 2],
    epsilon: f64,
}

impl Problem {
    /// Points on one meridian: the answer unless the way over the pole is no longer the shortest.
    fn meridian(&self) -> Option<(f64, [f64; 4])> {
        let (cos_a1, sin_a1) = (self.cos_lam, self.sin_lam);
        let (cos_a2, sin_a2) = (1.0, 0.0);
        let s1 = [self.sin_b1, cos_a1 * self.cos_b1];
        let s2 = [self.sin_b2, cos_a2 * self.cos_b2];
        let sigma = atan2((s1[1] * s2[0] - s1[0] * s2[1]).max(0.0), s1[1] * s2[1] + s1[0] * s2[0]);
        let (distance, reduced_length) = self.lengths(N, sigma, s1, s2);
        if sigma < 1.0 || reduced_length >= 0.0 {
            return Some((distance * B, [sin_a1, cos_a1, sin_a2, cos_a2]));
        }
        None
    }

    /// s12 / b (7) and m12 / b (38).
    fn lengths(&self, e: f64, sigma: f64, s1: [f64; 2], s2: [f64; 2]) -> (f64, f64) {
        let (a1, a2) = (1.0 + a1m1(e), 1.0 + a2m1(e));
        let (c1, c2) = (c1(e), c2(e));
        let b1 = sines(&c1, s2[0], s2[1]) - sines(&c1, s1[0], s1[1]);
        let b2 = sines(&c2, s2[0], s2[1]) - sines(&c2, s1[0], s1[1]);
        let j = (a1 - a2) * sigma + (a1 * b1 - a2 * b2);
        let m = self.dn2 * (s1[1] * s2[0]) - self.dn1 * (s1[0] * s2[1]) - s1[1] * s2[1] * j;
        (a1 * (sigma + b1), m)
    }

    /// m12 / b alone.
    fn reduced_length(&self, e: f64, sigma: f64, s1: [f64; 2], s2: [f64; 2]) -> f64 {
        self.lengths(e, sigma, s1, s2).1
    }

    /// A first azimuth (section 4), or the answer where the way is short.
    fn start(&self, lam: f64) -> Result<(f64, f64), (f64, [f64; 4])> {
        let Self { sin_b1, cos_b1, sin_b2, cos_b2, .. } = *self;
        let sin_b12 = sin_b2 * cos_b1 - cos_b2 * sin_b1;
        let cos_b12 = cos_b2 * cos_b1 + sin_b2 * sin_b1;
        let sum = sin_b2 * cos_b1 + cos_b2 * sin_b1;
        let short = cos_b12 >= 0.0 && sin_b12 < 0.5 && cos_b2 * lam < 0.5;
        let (sin_om, cos_om) = if short {
            // A sphere of the radius that fits in the middle (48).
            let mean = (sin_b1 + sin_b2) * (sin_b1 + sin_b2);
            let t = mean / (mean + (cos_b1 + cos_b2) * (cos_b1 + cos_b2));
            let dnm = sqrt(1.0 + EP2 * t);
            math::sin_cos(lam / (F1 * dnm) * math::DEGREES)
        } else {
            (self.sin_lam, self.cos_lam)
        };
        let sin_a1 = cos_b2 * sin_om;
        let cos_a1 = if cos_om >= 0.0 {
            sin_b12 + cos_b2 * sin_b1 * sin_om * sin_om / (1.0 + cos_om)
        } else {
            sum - cos_b2 * sin_b1 * sin_om * sin_om / (1.0 - cos_om)
        };
        let sin_s = hypot(sin_a1, cos_a1);
        let cos_s = sin_b1 * sin_b2 + cos_b1 * cos_b2 * cos_om;
        if short && sin_s < 1e-9 {
            // Below 6 mm the sphere is right to all digits.
            let mean = (sin_b1 + sin_b2) * (sin_b1 + sin_b2);
            let t = mean / (mean + (cos_b1 + cos_b2) * (cos_b1 + cos_b2));
            let dnm = sqrt(1.0 + EP2 * t);
            let sin_a2 = cos_b1 * sin_om;
            let cos_a2 = sin_b12
                - cos_b1
                    * sin_b2
                    * (if cos_om >= 0.0 { sin_om * sin_om / (1.0 + cos_om) } else { 1.0 - cos_om });
            let (sin_a2, cos_a2) =
                if sin_a2 == 0.0 && cos_a2 == 0.0 { (0.0, 1.0) } else { norm(sin_a2, cos_a2) };
            let (sin_a1, cos_a1) = if sin_s == 0.0 { (0.0, 1.0) } else { norm(sin_a1, cos_a1) };
            return Err((atan2(sin_s, cos_s) * B * dnm, [sin_a1, cos_a1, sin_a2, cos_a2]));
        }
        if cos_s < 0.0 && sin_s < 6.0 * N * core::f64::consts::PI * cos_b1 * cos_b1 {
            return Ok(self.start_antipodal(sum));
        }
        Ok(if sin_a1 > 0.0 { norm(sin_a1, cos_a1) } else { (1.0, 0.0) })
    }

    /// Next to the antipode: the astroid (section 5).
    fn start_antipodal(&self, sum: f64) -> (f64, f64) {
        let lam_off = atan2(-self.sin_lam, -self.cos_lam);
        let k2 = self.sin_b1 * self.sin_b1 * EP2;
        let e = k2 / (2.0 * (1.0 + sqrt(1.0 + k2)) + k2);
        let scale = F * self.cos_b1 * a3(e) * core::f64::consts::PI;
        let (x, y) = (lam_off / scale, sum / (scale * self.cos_b1));
        if y > -200.0 * f64::EPSILON && x > -1.0 - 1000.0 * sqrt(f64::EPSILON) {
            let sin_a1 = (-x).min(1.0);
            return (sin_a1, -sqrt(1.0 - sin_a1 * sin_a1));
        }
        let k = astroid(x, y);
        let omega = scale * (-x * k / (1.0 + k));
        let (sin_om, cos_om) = math::sin_cos_eighth(omega);
        let (sin_om, cos_om) = (sin_om, -cos_om);
        let sin_a1 = self.cos_b2 * sin_om;
        let cos_a1 = sum - self.cos_b2 * self.sin_b1 * sin_om * sin_om / (1.0 - cos_om);
        if sin_a1 > 0.0 { norm(sin_a1, cos_a1) } else { (1.0, 0.0) }
    }

    /// Newton's method with brackets.
    fn general(&self, lam: f64) -> (f64, [f64; 4]) {
        let (mut sin_a1, mut cos_a1) = match self.start(lam) {
            Ok(start) => start,
            Err(found) => return found,
        };
        let (mut low, mut high) = ((TINY, 1.0), (TINY, -1.0));
        let (mut last, mut close) = (false, false);
        let mut trial = self.try_azimuth(sin_a1, cos_a1, true);
        for step in 0..83 {
            let miss = trial.miss;
            if last || miss.abs() < if close { 8.0 } else { 1.0 } * f64::EPSILON {
                break;
            }
            if miss > 0.0 && (step > 20 || cos_a1 / sin_a1 > high.1 / high.0) {
                high = (sin_a1, cos_a1);
            } else if miss < 0.0 && (step > 20 || cos_a1 / sin_a1 < low.1 / low.0) {
                low = (sin_a1, cos_a1);
            }
            let mut stepped = false;
            if step < 20 && trial.slope > 0.0 {
                let turn = -miss / trial.slope;
                if turn.abs() < core::f64::consts::FRAC_PI_2 {
                    let (s, c) = if turn.abs() < 0.78 {
                        math::sin_cos_eighth(turn)
                    } else {
                        math::sin_cos(turn * math::DEGREES)
                    };
                    let next = sin_a1 * c + cos_a1 * s;
                    if next > 0.0 {
                        (sin_a1, cos_a1) = norm(next, cos_a1 * c - sin_a1 * s);
                        close = miss.abs() <= 16.0 * f64::EPSILON;
                        // Newton doubles the digits: after a step this small there are none to gain.
                        last = turn.abs() < 1e-12;
                        stepped = true;
                    }
                }
            }
            if !stepped {
                let before = (sin_a1, cos_a1);
                (sin_a1, cos_a1) = norm(0.5 * (low.0 + high.0), 0.5 * (low.1 + high.1));
                close = false;
                last = (before.0 - sin_a1).abs() + (before.1 - cos_a1).abs() < 1e-15;
            }
            trial = self.try_azimuth(sin_a1, cos_a1, !last);
        }
        let e = trial.epsilon;
        let c1 = c1(e);
        let b1 = sines(&c1, trial.s2[0], trial.s2[1]) - sines(&c1, trial.s1[0], trial.s1[1]);
        let distance = B * (1.0 + a1m1(e)) * (trial.sigma + b1);
        (distance, [sin_a1, cos_a1, trial.sin_a2, trial.cos_a2])
    }

    /// Where the geodesic with this azimuth meets the second latitude.
    fn try_azimuth(&self, sin_a1: f64, cos_a1: f64, slope: bool) -> Trial {
        let Self { sin_b1, cos_b1, sin_b2, cos_b2, .. } = *self;
        let cos_a1 = if sin_b1 == 0.0 && cos_a1 == 0.0 { -TINY } else { cos_a1 };
        let sin_a0 = sin_a1 * cos_b1; // (5)
        let cos_a0 = hypot(cos_a1, sin_a1 * sin_b1);
        let (s1, om1) = ([sin_b1, cos_a1 * cos_b1], [sin_a0 * sin_b1, cos_a1 * cos_b1]);
        let (s1_sin, s1_cos) = norm(s1[0], s1[1]);
        let s1 = [s1_sin, s1_cos];
        let sin_a2 = if cos_b2 == cos_b1 { sin_a1 } else { sin_a0 / cos_b2 };
        let cos_a2 = if cos_b2 != cos_b1 || sin_b2.abs() != -sin_b1 {
            // (45), without losing the digits of two nearly equal cosines.
            let x = cos_a1 * cos_b1;
            let more = if cos_b1 < -sin_b1 {
                (cos_b2 - cos_b1) * (cos_b1 + cos_b2)
            } else {
                (sin_b1 - sin_b2) * (sin_b1 + sin_b2)
            };
            sqrt((x * x + more).max(0.0)) / cos_b2
        } else {
            cos_a1.abs()
        };
        let om2 = [sin_a0 * sin_b2, cos_a2 * cos_b2];
        let (s2_sin, s2_cos) = norm(sin_b2, cos_a2 * cos_b2);
        let s2 = [s2_sin, s2_cos];
        let sigma = atan2((s1[1] * s2[0] - s1[0] * s2[1]).max(0.0), s1[1] * s2[1] + s1[0] * s2[0]);
        let sin_om = (om1[1] * om2[0] - om1[0] * om2[1]).max(0.0);
        let cos_om = om1[1] * om2[1] + om1[0] * om2[0];
        let eta = atan2(
            sin_om * self.cos_lam - cos_om * self.sin_lam,
            cos_om * self.cos_lam + sin_om * self.sin_lam,
        );
        let e = epsilon(cos_a0 * cos_a0);
        let c3 = c3(e);
        let b3 = sines(&c3, s2[0], s2[1]) - sines(&c3, s1[0], s1[1]);
        let miss = eta - F * a3(e) * sin_a0 * (sigma + b3); // (8)
        let slope = if !slope {
            0.0
        } else if cos_a2 == 0.0 {
            -2.0 * F1 * self.dn1 / sin_b1
        } else {
            self.reduced_length(e, sigma, s1, s2) * F1 / (cos_a2 * cos_b2) // (46)
        };
        Trial { miss, slope, sin_a2, cos_a2, sigma, s1, s2, epsilon: e }
    }
}

/// The positive root k of k^4 + 2 k^3 - (x^2 + y^2 - 1) k^2 - 2 y^2 k - y^2 = 0 (55).
fn astroid(x: f64, y: f64) -> f64 {
    let (p, q) = (x * x, y * y);
    let r = (p + q - 1.0) / 6.0;
    if q == 0.0 && r <= 0.0 {
        return 0.0;
    }
    let s = p * q / 4.0;
    let (r2, r3) = (r * r, r * r * r);
    let disc = s * (s + 2.0 * r3);
    let u = if disc >= 0.0 {
        let t3 = s + r3;
        let t3 = t3 + if t3 < 0.0 { -sqrt(disc) } else { sqrt(disc) };
        let t = libm::cbrt(t3);
        r + t + if t == 0.0 { 0.0 } else { r2 / t }
    } else {
        let angle = atan2(sqrt(-disc), -(s + r3));
        r + 2.0 * r * libm::cos(angle / 3.0)
    };
    let v = sqrt(u * u + q);
    let uv = if u < 0.0 { q / (v - u) } else { u + v };
    let w = (uv - q) / (2.0 * v);
    uv / (sqrt(uv + w * w) + w)
}
