//! Positions and lengths.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Add, Mul, Sub};

use crate::math;

/// A position in degrees, WGS 84: latitude -90 to 90, longitude -180 to 180, north and east positive.
///
/// Checked when it is made, so no NaN and no infinity lives in one; 16 bytes, `Copy`, `Eq`. The
/// order of the arguments is the order of the name. Longitudes 180 and -180 are the same meridian
/// and two values; at the poles every longitude is the same place.
///
/// ```
/// use archstone_geo::LatLng;
///
/// let paris = LatLng::new(48.8566, 2.3522)?;
/// assert_eq!(paris.lng(), 2.3522);
/// assert!(LatLng::new(2.3522, 148.8566).is_ok() && LatLng::new(148.8566, 2.3522).is_err());
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct LatLng {
    lat: f64,
    lng: f64,
}

impl LatLng {
    /// The position at `lat` and `lng` degrees.
    ///
    /// # Errors
    /// A latitude outside -90 ..= 90, a longitude outside -180 ..= 180, or NaN.
    pub const fn new(lat: f64, lng: f64) -> Result<Self, CoordError> {
        if !(lat >= -90.0 && lat <= 90.0) {
            return Err(CoordError { what: "latitude", value: lat, limit: 90.0 });
        }
        if !(lng >= -180.0 && lng <= 180.0) {
            return Err(CoordError { what: "longitude", value: lng, limit: 180.0 });
        }
        // Minus zero becomes zero: equal positions have equal bits.
        Ok(Self { lat: lat + 0.0, lng: lng + 0.0 })
    }

    /// The position that `lat` and `lng` lead to when the longitude may go round and the latitude
    /// over a pole: (100, 20) is (80, -160).
    ///
    /// # Errors
    /// NaN or infinity.
    pub fn wrapped(lat: f64, lng: f64) -> Result<Self, CoordError> {
        if !lat.is_finite() {
            return Err(CoordError { what: "latitude", value: lat, limit: f64::MAX });
        }
        if !lng.is_finite() {
            return Err(CoordError { what: "longitude", value: lng, limit: f64::MAX });
        }
        let lat = math::wrap_180(lat);
        let lng = math::wrap_180(lng);
        if lat > 90.0 {
            Self::new(180.0 - lat, math::wrap_180(lng + 180.0))
        } else if lat < -90.0 {
            Self::new(-180.0 - lat, math::wrap_180(lng + 180.0))
        } else {
            Self::new(lat, lng)
        }
    }

    /// The position at whole ten-millionths of a degree, the form of many wire formats: 1.1 cm.
    ///
    /// # Errors
    /// As [`LatLng::new`].
    pub const fn from_e7(lat: i32, lng: i32) -> Result<Self, CoordError> {
        Self::new(lat as f64 / 1e7, lng as f64 / 1e7)
    }

    /// Latitude and longitude in ten-millionths of a degree, rounded to the nearest.
    #[must_use]
    pub fn to_e7(self) -> (i32, i32) {
        (math::round(self.lat * 1e7) as i32, math::round(self.lng * 1e7) as i32)
    }

    /// For values that are in range, and not minus zero, by construction.
    #[inline(always)]
    pub(crate) const fn exact(lat: f64, lng: f64) -> Self {
        debug_assert!(lat.abs() <= 90.0 && lng.abs() <= 180.0);
        Self { lat, lng }
    }

    /// For values that are in range by construction, but for the last digit.
    pub(crate) fn clamped(lat: f64, lng: f64) -> Self {
        debug_assert!(!lat.is_nan() && !lng.is_nan());
        Self { lat: lat.clamp(-90.0, 90.0) + 0.0, lng: lng.clamp(-180.0, 180.0) + 0.0 }
    }

    /// Degrees north.
    #[must_use]
    #[inline]
    pub const fn lat(self) -> f64 {
        self.lat
    }

    /// Degrees east.
    #[must_use]
    #[inline]
    pub const fn lng(self) -> f64 {
        self.lng
    }

    /// The place on the other side of the Earth.
    #[must_use]
    pub fn antipode(self) -> Self {
        let lng = if self.lng > 0.0 { self.lng - 180.0 } else { self.lng + 180.0 };
        Self::clamped(-self.lat, lng)
    }
}

impl Eq for LatLng {}

impl Hash for LatLng {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lat.to_bits().hash(state);
        self.lng.to_bits().hash(state);
    }
}

impl fmt::Debug for LatLng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LatLng({}, {})", self.lat, self.lng)
    }
}

impl fmt::Display for LatLng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.lat, self.lng)
    }
}

/// A coordinate or angle that is out of range or no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoordError {
    /// Which.
    pub what: &'static str,
    /// Its value.
    pub value: f64,
    /// The most its absolute value may be.
    pub limit: f64,
}

impl fmt::Display for CoordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, it may be {} to {}", self.what, self.value, -self.limit, self.limit)
    }
}

impl core::error::Error for CoordError {}

/// A length in metres. Ordered totally (by `f64::total_cmp`), so hits can be sorted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meters(pub f64);

impl Meters {
    /// No length.
    pub const ZERO: Self = Self(0.0);

    /// `km` kilometres.
    #[must_use]
    pub const fn from_km(km: f64) -> Self {
        Self(km * 1_000.0)
    }

    /// In kilometres.
    #[must_use]
    pub const fn km(self) -> f64 {
        self.0 / 1_000.0
    }
}

impl PartialEq for Meters {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Meters {}

impl PartialOrd for Meters {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Meters {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Add for Meters {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Meters {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<f64> for Meters {
    type Output = Self;
    fn mul(self, times: f64) -> Self {
        Self(self.0 * times)
    }
}

impl fmt::Display for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() >= 10_000.0 {
            write!(f, "{:.1} km", self.km())
        } else {
            write!(f, "{:.1} m", self.0)
        }
    }
}
