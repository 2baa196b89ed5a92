//! Boxes of latitude and longitude that know the antimeridian and the poles.

use crate::coord::{CoordError, LatLng, Meters};
use crate::math;
use crate::sphere::{self, Sphere};

/// All positions between two parallels and two meridians, edges included.
///
/// `west > east` means that the box goes across the antimeridian. A box that reaches a pole
/// contains it whatever its longitude says.
///
/// ```
/// use archstone_geo::{LatLng, LatLngBox};
///
/// let fiji = LatLngBox::new(-21.0, -12.0, 177.0, -178.0)?;
/// assert!(fiji.contains(LatLng::new(-17.0, 180.0)?) && fiji.contains(LatLng::new(-17.0, -179.0)?));
/// assert!(!fiji.contains(LatLng::new(-17.0, 0.0)?));
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatLngBox {
    south: f64,
    north: f64,
    west: f64,
    east: f64,
}

impl LatLngBox {
    /// The whole Earth.
    pub const WORLD: Self = Self { south: -90.0, north: 90.0, west: -180.0, east: 180.0 };

    /// The box from `south` to `north` and eastwards from `west` to `east`.
    ///
    /// # Errors
    /// A coordinate out of range, or `south > north`.
    pub fn new(south: f64, north: f64, west: f64, east: f64) -> Result<Self, CoordError> {
        let (low, high) = (LatLng::new(south, west)?, LatLng::new(north, east)?);
        if south > north {
            return Err(CoordError { what: "southern edge", value: south, limit: north });
        }
        Ok(Self { south: low.lat(), north: high.lat(), west: low.lng(), east: high.lng() })
    }

    pub(crate) const fn raw(south: f64, north: f64, west: f64, east: f64) -> Self {
        Self { south, north, west, east }
    }

    /// The smallest box that holds every position within `radius` of `center` on the sphere; a
    /// millimetre wider, so that rounding leaves nobody out.
    ///
    /// It reaches over a pole, and then has all longitudes, if the circle does.
    #[must_use]
    pub fn around(center: LatLng, radius: Meters) -> Self {
        let reach = (radius.0.max(0.0) + 1e-3) / Sphere::EARTH.radius() * math::DEGREES;
        // A radius that is no number reaches everywhere.
        if reach.is_nan() || reach >= 180.0 {
            return Self::WORLD;
        }
        let (south, north) = (center.lat() - reach, center.lat() + reach);
        let (at_south, at_north) = (south <= -90.0, north >= 90.0);
        let (south, north) = (south.max(-90.0), north.min(90.0));
        if at_south || at_north {
            return Self { south, north, west: -180.0, east: 180.0 };
        }
        // The meridian that the circle touches (Chamberlain's "bounding coordinates").
        let ratio = math::sin_quarter(reach.min(90.0)) / math::cos_latitude(center.lat());
        let half = math::asin(ratio) * math::DEGREES + 1e-9;
        if reach >= 90.0 || half >= 90.0 {
            return Self { south, north, west: -180.0, east: 180.0 };
        }
        let (west, east) = (center.lng() - half, center.lng() + half);
        Self { south, north, west: math::wrap_180(west), east: math::wrap_180(east) }
    }

    /// The southern edge, degrees.
    #[must_use]
    pub const fn south(&self) -> f64 {
        self.south
    }

    /// The northern edge, degrees.
    #[must_use]
    pub const fn north(&self) -> f64 {
        self.north
    }

    /// The western edge, degrees.
    #[must_use]
    pub const fn west(&self) -> f64 {
        self.west
    }

    /// The eastern edge, degrees; less than [`west`](Self::west) across the antimeridian.
    #[must_use]
    pub const fn east(&self) -> f64 {
        self.east
    }

    /// Whether it goes across the antimeridian.
    #[must_use]
    pub fn crosses_antimeridian(&self) -> bool {
        self.west > self.east
    }

    /// Degrees from west to east: 0 to 360.
    #[must_use]
    pub fn width(&self) -> f64 {
        let width = self.east - self.west;
        if width < 0.0 { width + 360.0 } else { width }
    }

    /// Degrees from south to north.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.north - self.south
    }

    /// Its middle.
    #[must_use]
    pub fn center(&self) -> LatLng {
        let lng = math::wrap_180(self.west + 0.5 * self.width());
        LatLng::clamped(0.5 * (self.south + self.north), lng)
    }

    /// Whether `at` is in it.
    #[must_use]
    pub fn contains(&self, at: LatLng) -> bool {
        if !(self.south <= at.lat() && at.lat() <= self.north) {
            return false;
        }
        at.lat().abs() == 90.0 || self.has_longitude(at.lng())
    }

    /// Whether `lng` lies between its meridians. 180 and -180 are the same one.
    pub(crate) fn has_longitude(&self, lng: f64) -> bool {
        let within = |lng: f64| {
            if self.west <= self.east {
                self.west <= lng && lng <= self.east
            } else {
                self.west <= lng || lng <= self.east
            }
        };
        within(lng) || (lng.abs() == 180.0 && within(-lng))
    }

    /// Whether they have a position in common.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        if self.north < other.south || other.north < self.south {
            return false;
        }
        let pole = |lat: f64| {
            self.south <= lat && lat <= self.north && other.south <= lat && lat <= other.north
        };
        if pole(90.0) || pole(-90.0) {
            return true;
        }
        self.has_longitude(other.west)
            || self.has_longitude(other.east)
            || other.has_longitude(self.west)
    }

    /// The smallest box with both; of the two ways round, the narrower.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (south, north) = (self.south.min(other.south), self.north.max(other.north));
        let spans = |a: &Self, b: &Self| {
            // From a's west to b's east, if that contains both.
            let candidate = Self { south, north, west: a.west, east: b.east };
            let holds = |c: &Self| {
                candidate.has_longitude(c.west)
                    && candidate.has_longitude(c.east)
                    && c.width() <= candidate.width()
            };
            (holds(self) && holds(other)).then_some(candidate)
        };
        let all = [spans(self, self), spans(other, other), spans(self, other), spans(other, self)];
        all.into_iter().flatten().min_by(|a, b| a.width().total_cmp(&b.width())).unwrap_or(Self {
            south,
            north,
            west: -180.0,
            east: 180.0,
        })
    }

    /// Its area on the mean sphere, in square metres.
    #[must_use]
    pub fn area(&self) -> f64 {
        let radius = Sphere::EARTH.radius();
        let band = math::sin_quarter(self.north) - math::sin_quarter(self.south);
        radius * radius * band * self.width() * math::RADIANS
    }

    /// The least angle, in radians, between `from` and any position in the box: 0 inside.
    ///
    /// Clamping the coordinates into the box is not it: the way to a meridian is a great circle
    /// that leaves the parallel (5.8 % off for 40 degrees at 70 north).
    #[must_use]
    pub fn angle_from(&self, from: LatLng) -> f64 {
        if self.contains(from) {
            return 0.0;
        }
        if self.has_longitude(from.lng()) || from.lat().abs() == 90.0 {
            let off = (self.south - from.lat()).max(from.lat() - self.north).max(0.0);
            if self.has_longitude(from.lng()) {
                return off * math::RADIANS;
            }
        }
        let mut least = f64::INFINITY;
        for edge in [self.west, self.east] {
            least = least.min(self.angle_to_meridian(from, edge));
        }
        least
    }

    /// The least angle to the piece of a meridian between south and north.
    fn angle_to_meridian(&self, from: LatLng, lng: f64) -> f64 {
        let (sin_lat, cos_lat) = math::sin_cos(from.lat());
        let (_, cos_lng) = math::sin_cos(math::longitude_difference(from.lng(), lng));
        let mut best = f64::INFINITY;
        let mut try_lat = |lat: f64| {
            let at = LatLng::clamped(lat, lng);
            best = best.min(sphere::angle(from, at));
        };
        try_lat(self.south);
        try_lat(self.north);
        // Where the great circle at right angles meets the meridian, if on this half of it.
        let along = cos_lat * cos_lng;
        if along > 0.0 {
            try_lat(math::atan2_degrees(sin_lat, along).clamp(self.south, self.north));
        }
        best
    }
}
