//! The way from one fix to the next, and where it meets the edge of an area.

use alloc::vec::Vec;

use super::Area;
use crate::coord::LatLng;
use crate::math;
use crate::polygon::Polygon;
use crate::region::{Circle, Region};
use crate::sphere::{position, unit};
use crate::vector::{V3, add, angle, cross, dot, norm, normal, scale, sub};

/// The shorter great circle between two positions, `a cos x + along sin x` for x of 0 to `length`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) from: LatLng,
    pub(super) to: LatLng,
    pub(super) a: V3,
    pub(super) b: V3,
    /// The unit vector at right angles to `a`, towards `b`.
    along: V3,
    /// The unit normal of the plane.
    normal: V3,
    /// In radians.
    pub(super) length: f64,
}

impl Path {
    /// Between antipodes it leads over the north, as [`Sphere::intermediate`](crate::Sphere::intermediate).
    pub(super) fn new(from: LatLng, a: V3, to: LatLng) -> Self {
        let b = unit(to);
        let mut n = normal(a, b);
        if norm(n) == 0.0 {
            // One place or exact antipodes: any plane through the axis.
            n = cross(a, [0.0, 0.0, 1.0]);
            if norm(n) == 0.0 {
                n = [0.0, 1.0, 0.0];
            }
        }
        let n = scale(n, 1.0 / norm(n));
        Self { from, to, a, b, along: cross(n, a), normal: n, length: angle(a, b) }
    }

    pub(super) fn vector(&self, t: f64) -> V3 {
        let (sin, cos) = math::sin_cos(self.length * t * math::DEGREES);
        add(scale(self.a, cos), scale(self.along, sin))
    }

    /// The position at the share `t` of the way.
    pub(super) fn at(&self, t: f64) -> LatLng {
        if t <= 0.0 {
            self.from
        } else if t >= 1.0 {
            self.to
        } else {
            position(self.vector(t))
        }
    }

    /// Whether no position on the way is within `chord` of `center`: certain if it says so.
    #[inline]
    pub(super) fn is_clear_of(&self, center: V3, chord: f64) -> bool {
        // Chords obey the triangle's inequality, and nothing on the way is farther from its end
        // than its beginning is.
        let (off, step) = (sub(self.b, center), sub(self.b, self.a));
        let reach = chord + math::sqrt(dot(step, step)) + 1e-12;
        dot(off, off) > reach * reach
    }

    /// What the way does to an area of which its ends are known to be in or out: where it first
    /// comes in and where it last goes out, as shares of the way.
    pub(super) fn passage(&self, area: &Area, inside: [bool; 2], cuts: &mut Vec<f64>) -> Passage {
        cuts.clear();
        match area {
            Area::Circle(circle) => self.cuts_of_circle(circle, cuts),
            Area::Polygon(polygon) => self.cuts_of_polygon(polygon, cuts),
        }
        cuts.sort_unstable_by(f64::total_cmp);
        let mut passage = Passage { entered: None, left: None };
        // A cut is a place where it may change. Whether it does is asked between the cuts, so that
        // a corner met twice or a touched one does no harm.
        let mut before = inside[0];
        for i in 0..cuts.len() {
            let after = match cuts.get(i + 1) {
                Some(next) => area.contains(self.at(0.5 * (cuts[i] + next))),
                None => inside[1],
            };
            passage.note(before, after, cuts[i]);
            before = after;
        }
        // Rounding next to an end hid the cut: halve the way until it is found.
        if before != inside[1] {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if area.contains(self.at(middle)) == inside[0] {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            passage.note(inside[0], inside[1], high);
        }
        passage
    }

    /// Where the great circle meets the small one: at the foot of the perpendicular from the center,
    /// so far to both sides that sin^2 (radius / 2) = sin^2 (off / 2) + cos off sin^2 (x / 2).
    fn cuts_of_circle(&self, circle: &Circle, cuts: &mut Vec<f64>) {
        let c = circle.vector();
        let foot = math::atan2(dot(c, self.along), dot(c, self.a));
        let sin_off = dot(c, self.normal);
        let cos_off = math::sqrt((1.0 - sin_off * sin_off).max(0.0));
        // sin^2 of half an angle out of its sine, without loss at small ones.
        let hav_off = 0.5 * sin_off * sin_off / (1.0 + cos_off);
        let hav = (0.25 * circle.chord_squared() - hav_off) / cos_off;
        if self.length <= 0.0 || !(0.0..=1.0).contains(&hav) {
            return;
        }
        let reach = math::angle_of_haversine(hav);
        let turn = 2.0 * core::f64::consts::PI;
        for x in [foot - reach, foot + reach] {
            for x in [x - turn, x, x + turn] {
                self.cut(x, cuts);
            }
        }
    }

    fn cuts_of_polygon(&self, polygon: &Polygon, cuts: &mut Vec<f64>) {
        polygon.edges_by_longitude(self.from, self.to, |ends, n| {
            // On the plane of the edge: n . a cos x + n . along sin x = 0.
            let (y, x) = (-dot(n, self.a), dot(n, self.along));
            let mut at = math::atan2(y, x);
            if at < 0.0 {
                at += core::f64::consts::PI;
            }
            let (sin, cos) = (libm::sin(at), libm::cos(at));
            let p = add(scale(self.a, cos), scale(self.along, sin));
            // Between the ends, or a hair beyond: `passage` asks whether it counts.
            let hair = -1e-14;
            if dot(cross(n, ends[0]), p) >= hair && dot(cross(ends[1], n), p) >= hair {
                self.cut(at, cuts);
                // The other side of a path that is half a turn.
                self.cut(at - core::f64::consts::PI, cuts);
            }
        });
    }

    fn cut(&self, x: f64, cuts: &mut Vec<f64>) {
        if x >= 0.0 && x <= self.length && self.length > 0.0 {
            cuts.push(x / self.length);
        }
    }
}

/// Where a way first comes into an area and where it last goes out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Passage {
    pub(super) entered: Option<f64>,
    pub(super) left: Option<f64>,
}

impl Passage {
    fn note(&mut self, before: bool, after: bool, t: f64) {
        match (before, after) {
            (false, true) => self.entered = self.entered.or(Some(t)),
            (true, false) => self.left = Some(t),
            _ => {}
        }
    }
}
