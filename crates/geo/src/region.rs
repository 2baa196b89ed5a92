//! Areas on the sphere: circle and corridor, and what all areas can be asked.

use alloc::vec::Vec;
use core::fmt;

use crate::bounds::LatLngBox;
use crate::cell::CellId;
use crate::coord::{LatLng, Meters};
use crate::geohash::Geohash;
use crate::math;
use crate::metric::Metric;
use crate::sphere::{self, Sphere, unit};
use crate::vector::{V3, angle, angle_to_edge, dot, norm, scale, sub};

pub use crate::polygon::{Polygon, PolygonError, PolygonErrorKind};

/// An area: [`Circle`], [`Polygon`], [`Corridor`]. Distances are those of the sphere.
pub trait Region {
    /// How far `at` is outside of the edge; negative inside. Never nearer to zero than the edge is.
    fn signed_distance(&self, at: LatLng) -> Meters;

    /// Whether `at` is in it.
    fn contains(&self, at: LatLng) -> bool {
        self.signed_distance(at).0 <= 0.0
    }

    /// A circle that holds all of it.
    fn bounding_circle(&self) -> Circle;

    /// How a cell lies to it. `Disjoint` and `Contains` are certain; `Crosses` may be a near miss.
    fn relation(&self, cell: &Shape) -> Relation {
        let (center, radius) = cell.cap();
        let off = self.signed_distance(center).0 / Sphere::EARTH.radius();
        if off > radius {
            Relation::Disjoint
        } else if off < -radius {
            Relation::Contains
        } else {
            Relation::Crosses
        }
    }
}

impl<R: Region + ?Sized> Region for &R {
    fn signed_distance(&self, at: LatLng) -> Meters {
        (**self).signed_distance(at)
    }
    fn contains(&self, at: LatLng) -> bool {
        (**self).contains(at)
    }
    fn bounding_circle(&self) -> Circle {
        (**self).bounding_circle()
    }
    fn relation(&self, cell: &Shape) -> Relation {
        (**self).relation(cell)
    }
}

/// How a cell lies to a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They have nothing in common.
    Disjoint,
    /// The edge of the region may go through the cell.
    Crosses,
    /// The region has all of the cell.
    Contains,
}

/// What a cell covers: four great-circle edges, or a box of latitude and longitude.
#[derive(Clone, Copy, Debug)]
pub struct Shape(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Quad([V3; 4]),
    Box(LatLngBox),
}

impl From<CellId> for Shape {
    fn from(cell: CellId) -> Self {
        Self(Kind::Quad(cell.corner_vectors().map(|v| scale(v, 1.0 / norm(v)))))
    }
}

impl From<Geohash> for Shape {
    fn from(cell: Geohash) -> Self {
        Self(Kind::Box(cell.bounds()))
    }
}

impl Shape {
    /// A center and an angle that reaches all of it.
    fn cap(&self) -> (LatLng, f64) {
        match &self.0 {
            Kind::Quad(corners) => {
                let sum = corners
                    .iter()
                    .fold([0.0; 3], |sum, c| [sum[0] + c[0], sum[1] + c[1], sum[2] + c[2]]);
                let center = scale(sum, 1.0 / norm(sum));
                let reach = corners.iter().map(|c| angle(center, *c)).fold(0.0, f64::max);
                (sphere::position(center), reach * (1.0 + 1e-9) + 1e-12)
            }
            Kind::Box(area) => {
                let center = area.center();
                (center, farthest(area, center) * (1.0 + 1e-9) + 1e-12)
            }
        }
    }
}

/// Everything within a distance of a center.
///
/// ```
/// use archstone_geo::{Circle, LatLng, Meters, Region};
///
/// let paris = Circle::new(LatLng::new(48.8566, 2.3522)?, Meters::from_km(10.0));
/// assert!(paris.contains(LatLng::new(48.8584, 2.2945)?));
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    center: LatLng,
    radius: Meters,
    vector: V3,
    /// The squared chord of the radius.
    chord2: f64,
}

impl Circle {
    /// A circle; a radius that is negative or no number is 0.
    #[must_use]
    pub fn new(center: LatLng, radius: Meters) -> Self {
        let radius = Meters(radius.0.max(0.0));
        let angle = (radius.0 / Sphere::EARTH.radius()).min(core::f64::consts::PI);
        let half = math::sin_quarter(0.5 * angle * math::DEGREES);
        Self { center, radius, vector: unit(center), chord2: 4.0 * half * half }
    }

    /// Its center.
    #[must_use]
    pub const fn center(&self) -> LatLng {
        self.center
    }

    /// Its radius.
    #[must_use]
    pub const fn radius(&self) -> Meters {
        self.radius
    }

    /// The unit vector of its center.
    pub(crate) const fn vector(&self) -> V3 {
        self.vector
    }

    /// The square of the chord of its radius.
    pub(crate) const fn chord_squared(&self) -> f64 {
        self.chord2
    }
}

impl Region for Circle {
    fn signed_distance(&self, at: LatLng) -> Meters {
        Sphere::EARTH.distance(self.center, at) - self.radius
    }

    fn bounding_circle(&self) -> Circle {
        *self
    }

    fn relation(&self, cell: &Shape) -> Relation {
        // A hair to the safe side of each comparison, 25 nm at least.
        let chord = math::sqrt(self.chord2);
        let (less, more) =
            ((chord * (1.0 - 1e-12) - 4e-15).max(0.0), chord * (1.0 + 1e-12) + 4e-15);
        let (inner, outer) = (less * less, more * more);
        match &cell.0 {
            Kind::Quad(corners) => {
                let off = corners.map(|c| {
                    let d = sub(c, self.vector);
                    dot(d, d)
                });
                // A circle of at most half the sphere is convex: with the corners it has the edges.
                if self.chord2 <= 2.0 && off.iter().all(|d| *d <= inner) {
                    return Relation::Contains;
                }
                if off.iter().any(|d| *d <= outer) || inside(corners, self.vector) {
                    return Relation::Crosses;
                }
                let near = (0..4)
                    .any(|i| edge_is_near(corners[i], corners[(i + 1) % 4], self.vector, outer));
                if near || self.chord2 > 2.0 { Relation::Crosses } else { Relation::Disjoint }
            }
            Kind::Box(area) => {
                let radius = self.radius.0 / Sphere::EARTH.radius();
                // Angles next to half a turn are rounded to 3e-8.
                let hair = if radius > 3.1 { 1e-7 } else { 1e-12 };
                if farthest(area, self.center) <= radius * (1.0 - 1e-12) - hair {
                    Relation::Contains
                } else if area.angle_from(self.center) > radius * (1.0 + 1e-12) + hair {
                    Relation::Disjoint
                } else {
                    Relation::Crosses
                }
            }
        }
    }
}

/// The angle to the farthest position of a box, or a hair more.
fn farthest(area: &LatLngBox, from: LatLng) -> f64 {
    let off = |lng: f64| math::longitude_difference(from.lng(), lng).abs();
    if area.width() <= 90.0 && off(area.west()) <= 90.0 && off(area.east()) <= 90.0 {
        // Along a parallel the angle grows with the longitude, along a meridian within a quarter
        // turn it falls and then grows: the farthest is a corner.
        let corners = [area.west(), area.east()]
            .map(|lng| [area.south(), area.north()].map(|lat| LatLng::clamped(lat, lng)));
        return corners.iter().flatten().map(|at| sphere::angle(from, *at)).fold(0.0, f64::max);
    }
    // The farthest is the nearest to the antipode; next to half a turn that is rounded to 3e-8.
    core::f64::consts::PI - area.angle_from(from.antipode()) + 1e-7
}

/// Whether `p` is on the left of all four edges.
fn inside(corners: &[V3; 4], p: V3) -> bool {
    (0..4).all(|i| dot(crate::vector::normal(corners[i], corners[(i + 1) % 4]), p) >= 0.0)
}

/// Whether the foot of the perpendicular from `p` lies on the edge and is within the chord.
fn edge_is_near(a: V3, b: V3, p: V3, chord2: f64) -> bool {
    let n = crate::vector::normal(a, b);
    let between =
        dot(crate::vector::cross(n, a), p) >= 0.0 && dot(crate::vector::cross(b, n), p) >= 0.0;
    // sin^2 of the angle, and of the chord: sin^2 = c^2 (1 - c^2 / 4).
    let sin = dot(p, n);
    between && sin * sin <= chord2 * (1.0 - 0.25 * chord2) * dot(n, n) * (1.0 + 1e-12)
}

/// Everything within a distance of a path of great circles: a road, a flight route.
#[derive(Clone, Debug)]
pub struct Corridor {
    path: Vec<V3>,
    half_width: Meters,
    bounds: Circle,
}

impl Corridor {
    /// The corridor along `path`, `half_width` to each side and beyond the ends. A single position is
    /// a circle.
    ///
    /// # Errors
    /// No position at all, or two neighbours that are antipodes: there is no one way between them.
    pub fn new(path: &[LatLng], half_width: Meters) -> Result<Self, CorridorError> {
        let Some(first) = path.first() else { return Err(CorridorError { vertex: 0 }) };
        let vectors: Vec<V3> = path.iter().map(|p| unit(*p)).collect();
        if let Some(vertex) =
            vectors.windows(2).position(|pair| dot(pair[0], pair[1]) <= -1.0 + 1e-14)
        {
            return Err(CorridorError { vertex: vertex + 1 });
        }
        let half_width = Meters(half_width.0.max(0.0));
        // Along an edge nothing is farther from a place than an end, or half an edge more.
        let reach =
            path.iter().map(|p| Sphere::EARTH.distance(*first, *p)).max().unwrap_or_default();
        let longest = path
            .windows(2)
            .map(|pair| Sphere::EARTH.distance(pair[0], pair[1]))
            .max()
            .unwrap_or_default();
        let bounds = Circle::new(*first, reach + longest * 0.5 + half_width);
        Ok(Self { path: vectors, half_width, bounds })
    }
}

impl Region for Corridor {
    /// O(vertices).
    fn signed_distance(&self, at: LatLng) -> Meters {
        let p = unit(at);
        let ends = angle(p, self.path[0]);
        let least = self
            .path
            .windows(2)
            .map(|edge| angle_to_edge(p, edge[0], edge[1]))
            .fold(ends, f64::min);
        Meters(least * Sphere::EARTH.radius()) - self.half_width
    }

    fn bounding_circle(&self) -> Circle {
        self.bounds
    }
}

/// No way from the vertex before to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorridorError {
    /// The vertex; 0 if there is none.
    pub vertex: usize,
}

impl fmt::Display for CorridorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vertex {
            0 => f.write_str("a corridor along no positions"),
            vertex => write!(f, "vertex {vertex} is the antipode of the one before"),
        }
    }
}

impl core::error::Error for CorridorError {}
