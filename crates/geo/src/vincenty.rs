//! Vincenty's inverse formula (1975), for comparison.

use core::f64::consts::PI;
use core::fmt;

use crate::coord::{LatLng, Meters};
use crate::math::{self, atan2, sqrt};

/// The distance on WGS 84 by Vincenty's iteration, where it converges: 0.1 mm.
///
/// It does not between places that are nearly antipodal, 18 % of Karney's hard pairs; use
/// [`Wgs84`](crate::Wgs84), which is more exact and always answers. This is here because it is what
/// older systems have.
///
/// # Errors
/// When 1 000 steps do not settle.
pub fn vincenty(a: LatLng, b: LatLng) -> Result<Meters, VincentyError> {
    const A: f64 = 6_378_137.0;
    const F: f64 = 1.0 / 298.257_223_563;
    const B: f64 = A * (1.0 - F);
    const STEPS: u32 = 1_000;
    if a == b {
        return Ok(Meters::ZERO);
    }
    let reduced = |lat: f64| {
        let (s, c) = math::sin_cos(lat);
        let (s, r) = (s * (1.0 - F), sqrt((s * (1.0 - F)) * (s * (1.0 - F)) + c * c));
        (s / r, c / r)
    };
    let ((su1, cu1), (su2, cu2)) = (reduced(a.lat()), reduced(b.lat()));
    let l = math::longitude_difference(a.lng(), b.lng()) * math::RADIANS;
    let mut lam = l;
    for _ in 0..STEPS {
        let (sl, cl) = math::sin_cos(lam * math::DEGREES);
        let x = cu1 * su2 - su1 * cu2 * cl;
        let sin_s = sqrt(cu2 * sl * cu2 * sl + x * x);
        let cos_s = su1 * su2 + cu1 * cu2 * cl;
        if sin_s == 0.0 && cos_s > 0.0 {
            return Ok(Meters::ZERO);
        }
        let sigma = atan2(sin_s, cos_s);
        let sin_a = if sin_s == 0.0 { 0.0 } else { cu1 * cu2 * sl / sin_s };
        let cos2_a = 1.0 - sin_a * sin_a;
        let cos_2m = if cos2_a == 0.0 { 0.0 } else { cos_s - 2.0 * su1 * su2 / cos2_a };
        let c = F / 16.0 * cos2_a * (4.0 + F * (4.0 - 3.0 * cos2_a));
        let next = l
            + (1.0 - c)
                * F
                * sin_a
                * (sigma + c * sin_s * (cos_2m + c * cos_s * (2.0 * cos_2m * cos_2m - 1.0)));
        if next.abs() > PI {
            break; // past the antipode there is no way back
        }
        if (next - lam).abs() < 1e-12 {
            let u2 = cos2_a * (A * A - B * B) / (B * B);
            let k1 = 1.0 + u2 / 16384.0 * (4096.0 + u2 * (-768.0 + u2 * (320.0 - 175.0 * u2)));
            let k2 = u2 / 1024.0 * (256.0 + u2 * (-128.0 + u2 * (74.0 - 47.0 * u2)));
            let m2 = cos_2m * cos_2m;
            let inner = cos_s * (2.0 * m2 - 1.0)
                - k2 / 6.0 * cos_2m * (4.0 * sin_s * sin_s - 3.0) * (4.0 * m2 - 3.0);
            return Ok(Meters(B * k1 * (sigma - k2 * sin_s * (cos_2m + k2 / 4.0 * inner))));
        }
        lam = next;
    }
    Err(VincentyError { from: a, to: b })
}

/// Vincenty's iteration did not settle between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VincentyError {
    /// From.
    pub from: LatLng,
    /// To.
    pub to: LatLng,
}

impl fmt::Display for VincentyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Vincenty's formula has no answer from {} to {}: nearly antipodal",
            self.from, self.to
        )
    }
}

impl core::error::Error for VincentyError {}
