//! Positions as whole numbers: the unit vector in steps of 2^-30, about 6 mm on the ground.
//!
//! An index filters by these: three `i32` a point (half the memory traffic of doubles), exact
//! differences, four or eight at a time in `f32`. What the filter cannot decide, within
//! [`SLACK`] of a limit, is decided by the metric on the positions themselves.

#![allow(clippy::needless_range_loop, reason = "an axis runs over several arrays at once")]

use crate::coord::LatLng;
use crate::math;
use crate::sphere::unit;
use crate::vector::V3;

/// Steps to a unit.
pub(crate) const STEPS: f64 = (1_u64 << 30) as f64;

/// How far, in steps, the distance of two rounded points may be off the distance of the points:
/// each of the two is off by at most sqrt(3) / 2, and there is room for the last digits of sines.
pub(crate) const SLACK: f64 = 1.75;

/// How far a squared distance in `f32` may be off, relative to it: differences round once (2^-24),
/// squares and sums three times more, twice the first in the square; doubled for the limits' own.
pub(crate) const ROUNDING: f32 = 1e-6;

/// A point of the grid: -2^30 ..= 2^30 in each coordinate, so differences fit 32 bits but for
/// one value, which wraps to its negative and has the same square.
pub(crate) type Cube = [i32; 3];

#[inline(always)]
pub(crate) fn from_unit(v: V3) -> Cube {
    // `as` after `round`: |v| * 2^30 is at most 2^30.
    [
        math::round(v[0] * STEPS) as i32,
        math::round(v[1] * STEPS) as i32,
        math::round(v[2] * STEPS) as i32,
    ]
}

pub(crate) fn cube(at: LatLng) -> Cube {
    from_unit(unit(at))
}

/// The chord in steps of an angle in radians.
pub(crate) fn chord(angle: f64) -> f64 {
    2.0 * STEPS * math::sin_quarter(0.5 * math::DEGREES * angle.clamp(0.0, core::f64::consts::PI))
}

/// The angle in radians of a chord in steps.
pub(crate) fn angle(chord: f64) -> f64 {
    2.0 * math::asin(chord / (2.0 * STEPS))
}

/// The squared distance in `f32`.
#[inline(always)]
pub(crate) fn squared(a: Cube, b: Cube) -> f32 {
    let d = |i: usize| a[i].wrapping_sub(b[i]) as f32;
    let (x, y, z) = (d(0), d(1), d(2));
    x * x + y * y + z * z
}

/// Boxes of grid points: the least and the most of each coordinate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CubeBox {
    pub(crate) low: Cube,
    pub(crate) high: Cube,
}

impl CubeBox {
    pub(crate) const EMPTY: Self = Self { low: [i32::MAX; 3], high: [i32::MIN; 3] };

    #[inline]
    pub(crate) fn add(&mut self, p: Cube) {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(p[axis]);
            self.high[axis] = self.high[axis].max(p[axis]);
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(other.low[axis]);
            self.high[axis] = self.high[axis].max(other.high[axis]);
        }
    }

    pub(crate) fn contains(&self, p: Cube) -> bool {
        (0..3).all(|axis| self.low[axis] <= p[axis] && p[axis] <= self.high[axis])
    }
}

/// How far `q` is from an interval.
#[inline(always)]
pub(crate) fn off(q: i32, low: i32, high: i32) -> f32 {
    // The one difference that overflows becomes negative, so 0: still a lower bound.
    let below = low.wrapping_sub(q) as f32;
    let above = q.wrapping_sub(high) as f32;
    let most = if below > above { below } else { above };
    if most > 0.0 { most } else { 0.0 }
}

/// How far `q` is from the farther end of an interval.
#[inline(always)]
pub(crate) fn far(q: i32, low: i32, high: i32) -> f32 {
    (low.wrapping_sub(q) as f32).abs().max((q.wrapping_sub(high) as f32).abs())
}
