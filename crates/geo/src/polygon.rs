//! Polygons on the sphere.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::coord::{LatLng, Meters};
use crate::math;
use crate::region::{Circle, Region};
use crate::sphere::{Sphere, unit};
use crate::vector::{V3, angle_to_edge, dot, normal};

/// A polygon whose edges are great circles, with holes, anywhere: over the antimeridian, round a pole.
///
/// A ring parts the sphere in two; the polygon has the smaller part, whatever the ring's direction.
/// Inside is where the number of rings around is odd, so holes are rings too. A position on an edge
/// that two polygons share, vertex for vertex, is in exactly one of them.
///
/// [`contains`](Region::contains) counts the edges between the position and the north pole; edges are
/// kept by longitude, so that it looks at those of one strip: O(edges / strips).
///
/// ```
/// use archstone_geo::{LatLng, Polygon, Region};
///
/// let at = |lat, lng| LatLng::new(lat, lng);
/// let round_the_pole = Polygon::new(&[vec![at(80.0, 0.0)?, at(80.0, 120.0)?, at(80.0, -120.0)?]])?;
/// assert!(round_the_pole.contains(at(90.0, 0.0)?) && round_the_pole.contains(at(89.0, 5.0)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Polygon {
    edges: Vec<Edge>,
    /// Strip i has `strips[i]..strips[i + 1]` of `by_strip`, numbers of edges.
    strips: Vec<u32>,
    by_strip: Vec<u32>,
    /// Strips to a degree, from the westernmost longitude; the strips may go round.
    west: f64,
    to_strip: f64,
    pole_inside: bool,
    bounds: Circle,
    vertices: Vec<V3>,
}

/// From west to east.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// Its ends, -180 up to but not 180; the eastern one is the lesser if the antimeridian is between.
    west: f64,
    east: f64,
    /// Degrees between them: below 180.
    width: f64,
    /// Upward normal: on what is south of the edge, its product is below `least`.
    normal: V3,
    /// 0; 2, so that all is south of it, for an edge that is the north pole.
    least: f64,
    /// Numbers of its vertices.
    ends: [u32; 2],
}

/// What is wrong with a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolygonError {
    /// Which ring.
    pub ring: usize,
    /// Which vertex of it.
    pub vertex: usize,
    /// What.
    pub kind: PolygonErrorKind,
}

/// What may be wrong with a ring.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolygonErrorKind {
    /// Fewer than three different vertices.
    TooFew,
    /// Half a turn of longitude, or more edges than 32 bits count, to the next vertex: the edge goes
    /// over a pole, and which way round is not said. Put the pole between.
    OverPole,
}

impl fmt::Display for PolygonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ring, vertex, kind } = self;
        match kind {
            PolygonErrorKind::TooFew => {
                write!(f, "ring {ring} has {vertex} different vertices, it must have 3")
            }
            PolygonErrorKind::OverPole => {
                write!(f, "the edge from vertex {vertex} of ring {ring} goes over a pole")
            }
        }
    }
}

impl core::error::Error for PolygonError {}

impl Polygon {
    /// The polygon of these rings, the outer one and its holes in any order and direction; a last
    /// vertex equal to the first is left out.
    ///
    /// # Errors
    /// No ring, a ring of fewer than three different vertices, an edge of half a turn.
    pub fn new(rings: &[Vec<LatLng>]) -> Result<Self, PolygonError> {
        let (mut edges, mut vertices, mut pole_inside) = (Vec::new(), Vec::new(), false);
        if rings.is_empty() {
            return Err(PolygonError { ring: 0, vertex: 0, kind: PolygonErrorKind::TooFew });
        }
        for (number, ring) in rings.iter().enumerate() {
            let corners = corners(ring);
            if corners.len() < 3 {
                return Err(PolygonError {
                    ring: number,
                    vertex: corners.len(),
                    kind: PolygonErrorKind::TooFew,
                });
            }
            pole_inside ^= add_ring(number, &corners, &mut edges, &mut vertices)?;
        }
        let bounds = bounding(&vertices, &edges, pole_inside);
        let mut polygon = Self {
            edges,
            strips: Vec::new(),
            by_strip: Vec::new(),
            west: -180.0,
            to_strip: 1.0,
            pole_inside,
            bounds,
            vertices,
        };
        polygon.sort_by_longitude();
        Ok(polygon)
    }

    /// How many edges.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.edges.len()
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.edges.capacity() * size_of::<Edge>()
            + self.vertices.capacity() * size_of::<V3>()
            + (self.strips.capacity() + self.by_strip.capacity()) * size_of::<u32>()
    }

    /// Calls with the ends and a normal of every edge that the way between two positions may meet,
    /// some of them more than once: those of the strips of longitude between.
    pub(crate) fn edges_by_longitude(
        &self,
        a: LatLng,
        b: LatLng,
        mut each: impl FnMut([V3; 2], V3),
    ) {
        let count = self.strips.len() - 1;
        let d = math::longitude_difference(a.lng(), b.lng());
        // A great circle never turns back in longitude; next to a pole it passes all of them.
        let over_pole = d.abs() > 179.0 || a.lat().abs().max(b.lat().abs()) > 89.999_999;
        let (west, width) = if d >= 0.0 { (a.lng(), d) } else { (b.lng(), -d) };
        let (first, strips) = if over_pole {
            (0, count)
        } else {
            // A hair wider: the way may be off by the last digit of its ends.
            let (low, high) = (math::wrap_180(west - 1e-9), math::wrap_180(west + width + 1e-9));
            let (first, last) = (self.strip(low, count), self.strip(high, count));
            // West of where it begins, or in the gap of longitude that no strip has.
            let past = self.east_of(high) < self.east_of(low);
            (first, last + if past { count } else { 0 } - first + 1)
        };
        for strip in (first..first + strips.min(count)).map(|strip| strip % count) {
            for &number in
                &self.by_strip[self.strips[strip] as usize..self.strips[strip + 1] as usize]
            {
                let edge = &self.edges[number as usize];
                each(edge.ends.map(|end| self.vertices[end as usize]), edge.normal);
            }
        }
    }

    fn sort_by_longitude(&mut self) {
        // About four edges a strip, were they spread evenly.
        let count = (self.edges.len() / 2).clamp(1, 4_096);
        // From the westernmost edge, if the edges leave a gap of longitude; else from anywhere.
        let first = self.edges.first().map_or(0.0, |edge| edge.west);
        let offs = self.edges.iter().map(|edge| math::longitude_difference(first, edge.west));
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for (off, edge) in offs.zip(&self.edges) {
            (low, high) = (low.min(off), high.max(off + edge.width));
        }
        let width = (high - low + 1e-9).min(360.0);
        self.west = if width >= 360.0 { -180.0 } else { math::wrap_180(first + low) };
        self.to_strip = count as f64 / width;
        let spans: Vec<(usize, usize)> = self
            .edges
            .iter()
            .map(|edge| {
                // Strips never fall with the longitude east of the western end, so an edge that
                // ends west of where it begins goes past that end.
                let past = self.east_of(edge.east) < self.east_of(edge.west);
                let last = self.strip(edge.east, count) + if past { count } else { 0 };
                (self.strip(edge.west, count), last)
            })
            .collect();
        let each = |(a, b): (usize, usize)| (a..=b).map(move |strip| strip % count);
        let mut starts = vec![0_u32; count + 1];
        for &span in &spans {
            for strip in each((span.0, span.1.min(span.0 + count - 1))) {
                starts[strip + 1] += 1;
            }
        }
        for i in 0..count {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        self.by_strip = vec![0; starts[count] as usize];
        for (edge, &span) in spans.iter().enumerate() {
            for strip in each((span.0, span.1.min(span.0 + count - 1))) {
                self.by_strip[next[strip] as usize] = edge as u32;
                next[strip] += 1;
            }
        }
        self.strips = starts;
    }

    /// Degrees east of the western end, 0 to 360.
    #[inline]
    fn east_of(&self, lng: f64) -> f64 {
        let off = lng - self.west;
        if off < 0.0 { off + 360.0 } else { off }
    }

    #[inline]
    fn strip(&self, lng: f64, count: usize) -> usize {
        ((self.east_of(lng) * self.to_strip) as usize).min(count - 1)
    }
}

/// The ring without repeated vertices; a pole stands on the meridians of both its neighbours.
fn corners(ring: &[LatLng]) -> Vec<LatLng> {
    let mut all: Vec<LatLng> = Vec::with_capacity(ring.len());
    let same = |a: &LatLng, b: &LatLng| {
        a.lat() == b.lat()
            && (a.lng() == b.lng() || a.lat().abs() == 90.0 || (a.lng() - b.lng()).abs() == 360.0)
    };
    for p in ring {
        if all.last().is_none_or(|last| !same(last, p)) {
            all.push(*p);
        }
    }
    while all.len() > 1 && same(&all[0], &all[all.len() - 1]) {
        all.pop();
    }
    if all.len() < 3 {
        return all;
    }
    let n = all.len();
    let mut out = Vec::with_capacity(n + 2);
    for i in 0..n {
        let p = all[i];
        if p.lat().abs() == 90.0 {
            out.push(LatLng::clamped(p.lat(), all[(i + n - 1) % n].lng()));
            out.push(LatLng::clamped(p.lat(), all[(i + 1) % n].lng()));
        } else {
            out.push(p);
        }
    }
    out
}

/// The meridian of 180 degrees is that of -180.
#[inline]
fn meridian(lng: f64) -> f64 {
    if lng == 180.0 { -180.0 } else { lng }
}

/// tan(lat / 2), -1 to 1.
fn half_tangent(lat: f64) -> f64 {
    let (sin, cos) = math::sin_cos(lat);
    sin / (1.0 + cos)
}

/// Adds the edges; whether the ring's smaller side has the north pole.
fn add_ring(
    number: usize,
    ring: &[LatLng],
    edges: &mut Vec<Edge>,
    vertices: &mut Vec<V3>,
) -> Result<bool, PolygonError> {
    let (mut turned, mut area, base) = (0.0, 0.0, vertices.len());
    vertices.extend(ring.iter().map(|p| unit(*p)));
    for (i, a) in ring.iter().enumerate() {
        let j = (i + 1) % ring.len();
        let b = ring[j];
        let d = math::longitude_difference(a.lng(), b.lng());
        if d.abs() == 180.0 && a.lat().abs() != 90.0 {
            return Err(PolygonError { ring: number, vertex: i, kind: PolygonErrorKind::OverPole });
        }
        turned += d;
        // From west to east; the same two vertices give the same edge in either polygon.
        let (from, west, east, to) =
            if d > 0.0 { (i, a.lng(), b.lng(), j) } else { (j, b.lng(), a.lng(), i) };
        let n = normal(vertices[base + from], vertices[base + to]);
        // At a pole the edge is a point: all is south of the north pole, nothing of the other.
        let point = a.lat().abs() == 90.0 && b.lat() == a.lat();
        let n = if point { [0.0; 3] } else { n };
        // One along a meridian has no part in counting, but in distances.
        edges.push(Edge {
            west: meridian(west),
            east: meridian(east),
            width: d.abs(),
            normal: n,
            least: if point && a.lat() > 0.0 { 2.0 } else { 0.0 },
            ends: [(base + from) as u32, (base + to) as u32],
        });
        // Twice the tangent of half of what lies between the edge and the equator (Chamberlain and
        // Duquette; tan(lat / 2) of each end).
        let (s, t) = (half_tangent(a.lat()), half_tangent(b.lat()));
        let (sin, cos) = math::sin_cos(0.5 * d);
        area += 2.0 * math::atan2_degrees(sin * (s + t), cos * (1.0 + s * t));
    }
    // `area`, in degrees of which the sphere has 720, is what lies between ring and equator. A ring
    // round the axis: north of it is half the sphere less that. Another: it encloses that, or all
    // but that and both poles.
    Ok(if turned.abs() > 180.0 { area * turned > 0.0 } else { area.abs() > 360.0 })
}

/// A circle that has all of the edges: the whole sphere unless they are within a quarter turn.
fn bounding(vertices: &[V3], edges: &[Edge], _: bool) -> Circle {
    let sum =
        vertices.iter().fold([0.0; 3], |sum, v| [sum[0] + v[0], sum[1] + v[1], sum[2] + v[2]]);
    let center = crate::sphere::position(sum);
    let c = unit(center);
    let reach = vertices.iter().map(|v| crate::vector::angle(c, *v)).fold(0.0, f64::max);
    // A circle of less than a quarter turn is convex, so it has the edges and the smaller side.
    let reach = if reach < 1.5 && !edges.is_empty() {
        reach * (1.0 + 1e-9) + 1e-9
    } else {
        core::f64::consts::PI
    };
    Circle::new(center, Meters(reach * Sphere::EARTH.radius()))
}

impl Region for Polygon {
    fn contains(&self, at: LatLng) -> bool {
        let mut inside = self.pole_inside;
        // A pole is one position, whatever its longitude.
        let lng = if at.lat().abs() == 90.0 { -180.0 } else { meridian(at.lng()) };
        let strip = self.strip(lng, self.strips.len() - 1);
        let p = unit(at);
        for &number in &self.by_strip[self.strips[strip] as usize..self.strips[strip + 1] as usize]
        {
            let edge = &self.edges[number as usize];
            let (past_west, before_east) = (edge.west <= lng, lng < edge.east);
            // Half open and exact: a meridian through a vertex meets one of its two edges.
            let between = if edge.west <= edge.east {
                past_west && before_east
            } else {
                past_west || before_east
            };
            inside ^= between && dot(edge.normal, p) < edge.least;
        }
        inside
    }

    /// O(edges).
    fn signed_distance(&self, at: LatLng) -> Meters {
        let p = unit(at);
        let ends = |edge: &Edge| edge.ends.map(|end| self.vertices[end as usize]);
        let least = self
            .edges
            .iter()
            .map(|edge| {
                let [a, b] = ends(edge);
                angle_to_edge(p, a, b)
            })
            .fold(f64::INFINITY, f64::min);
        let distance = least * Sphere::EARTH.radius();
        Meters(if self.contains(at) { -distance } else { distance })
    }

    fn bounding_circle(&self) -> Circle {
        self.bounds
    }
}

/// Many polygons, each with a value: which have a position?
///
/// A grid of one degree tells which may; those are asked. 259 KB of grid and 4 bytes a cell that a
/// polygon's bounding box meets.
#[derive(Clone, Debug)]
pub struct PolygonMap<T> {
    polygons: Vec<(Polygon, T)>,
    /// Cell i has `starts[i]..starts[i + 1]` of `candidates`.
    starts: Vec<u32>,
    candidates: Vec<u32>,
}

impl<T> PolygonMap<T> {
    /// A map of these.
    pub fn new(polygons: impl IntoIterator<Item = (Polygon, T)>) -> Self {
        let polygons: Vec<(Polygon, T)> = polygons.into_iter().collect();
        let mut cells: Vec<Vec<u32>> = vec![Vec::new(); 360 * 180];
        for (number, (polygon, _)) in polygons.iter().enumerate() {
            let marked = polygon.cells();
            for (cell, _) in marked.into_iter().enumerate().filter(|(_, marked)| *marked) {
                cells[cell].push(number as u32);
            }
        }
        let mut starts = Vec::with_capacity(cells.len() + 1);
        let mut candidates = Vec::new();
        starts.push(0);
        for cell in cells {
            candidates.extend(cell);
            starts.push(candidates.len() as u32);
        }
        Self { polygons, starts, candidates }
    }

    /// The values of the polygons that have `at`.
    pub fn containing(&self, at: LatLng) -> impl Iterator<Item = &T> {
        let cell = cell(at.lat(), at.lng());
        let range = self.starts[cell] as usize..self.starts[cell + 1] as usize;
        self.candidates[range].iter().filter_map(move |&number| {
            let (polygon, value) = &self.polygons[number as usize];
            polygon.contains(at).then_some(value)
        })
    }
}

fn cell(lat: f64, lng: f64) -> usize {
    let row = ((lat + 90.0) as usize).min(179);
    row * 360 + ((lng + 180.0) as usize).min(359)
}

impl Polygon {
    /// Which cells of one degree may have a part of it: those with an edge in them and, row by row,
    /// those whose corner is inside.
    fn cells(&self) -> Vec<bool> {
        let mut marked = vec![false; 360 * 180];
        for row in 0..180 {
            for column in 0..360 {
                let corner =
                    LatLng::clamped(f64::from(row) - 90.0 + 0.5, f64::from(column) - 180.0 + 0.5);
                let reach = self.bounds.signed_distance(corner).0;
                if reach <= 0.0 && self.contains(corner) {
                    marked[row as usize * 360 + column as usize] = true;
                }
            }
        }
        for edge in &self.edges {
            let [a, b] = edge.ends.map(|end| self.vertices[end as usize]);
            // Steps of a tenth of a degree, each marking the cells a tenth around. At right angles
            // to `a`, towards `b`:
            let across = crate::vector::cross(edge.normal, a);
            let length = crate::vector::norm(across);
            let across =
                if length > 0.0 { crate::vector::scale(across, 1.0 / length) } else { [0.0; 3] };
            let angle = crate::vector::angle(a, b) * math::DEGREES;
            let steps = (angle * 10.0) as u32 + 1;
            for i in 0..=steps {
                let (sin, cos) = math::sin_cos(angle * f64::from(i) / f64::from(steps));
                let p = crate::sphere::position([0, 1, 2].map(|k| a[k] * cos + across[k] * sin));
                let wide = (0.15 / math::cos_latitude(p.lat()).max(1e-3)).min(180.0);
                for lat in [p.lat() - 0.15, p.lat() + 0.15] {
                    let row = cell(lat.clamp(-90.0, 90.0), 0.0) / 360;
                    let mut off = -wide;
                    while off < wide + 1.0 {
                        marked[row * 360
                            + cell(0.0, math::wrap_180(p.lng() + off.min(wide))) % 360] = true;
                        off += 1.0;
                    }
                }
            }
        }
        marked
    }
}
