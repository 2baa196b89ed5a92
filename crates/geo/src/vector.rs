//! Unit vectors: what great circles, edges and cubes are computed with.

use crate::math;

pub(crate) type V3 = [f64; 3];

#[inline]
pub(crate) fn dot(a: V3, b: V3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline]
pub(crate) fn cross(a: V3, b: V3) -> V3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn add(a: V3, b: V3) -> V3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn norm(a: V3) -> f64 {
    math::sqrt(dot(a, a))
}

pub(crate) fn scale(a: V3, by: f64) -> V3 {
    [a[0] * by, a[1] * by, a[2] * by]
}

/// The angle between two vectors; good for small and for large ones (Kahan).
pub(crate) fn angle(a: V3, b: V3) -> f64 {
    2.0 * math::atan2(norm(sub(a, b)), norm(add(a, b)))
}

/// A vector at right angles to `a` and `b`, for nearly equal ones too: (a + b) x (b - a) = 2 a x b
/// loses no digits.
#[inline]
pub(crate) fn normal(a: V3, b: V3) -> V3 {
    cross(add(a, b), sub(b, a))
}

/// The angle from `p` to the nearest point of the edge from `a` to `b`.
pub(crate) fn angle_to_edge(p: V3, a: V3, b: V3) -> f64 {
    let n = normal(a, b);
    let length = norm(n);
    // Whether the foot of the perpendicular lies on the edge: p is between the planes through the
    // ends at right angles to it.
    if length > 0.0 && dot(cross(n, a), p) > 0.0 && dot(cross(b, n), p) > 0.0 {
        return math::asin((dot(p, n) / length).abs());
    }
    angle(p, a).min(angle(p, b))
}
