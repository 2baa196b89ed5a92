//! The score under which Redis keeps a position in a sorted set, and what its commands answer.
//!
//! Bit for bit what `GEOADD` stores and `GEOPOS`, `GEOHASH` and `GEODIST` give back; with
//! [`Sphere::REDIS`](crate::Sphere::REDIS) on decoded positions, what `GEOSEARCH` selects.

use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use crate::bounds::LatLngBox;
use crate::coord::{LatLng, Meters};
use crate::geohash::{compact, spread};
use crate::math;
use crate::metric::Metric;
use crate::sphere::Sphere;

/// Redis refuses latitudes past the edge of the square web map.
pub const MAX_LATITUDE: f64 = 85.051_128_78;

const BITS: u32 = 26;
const STEPS: f64 = (1_u64 << BITS) as f64;

/// 26 bits of latitude and 26 of longitude, interleaved, latitude in the even places.
///
/// Redis does not mask the index of the eastern and northern edges, so longitude 180 and latitude
/// 85.05112878 have a bit more than 52; so have these.
///
/// ```
/// use archstone_geo::{LatLng, redis::Score};
///
/// let palermo = Score::encode(LatLng::new(38.115556, 13.361389)?)?;
/// assert_eq!(palermo.to_u64(), 3_479_099_956_230_698);
/// assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u64);

/// A latitude that Redis refuses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatitudeError {
    /// The latitude.
    pub value: f64,
}

impl fmt::Display for LatitudeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "latitude is {}, Redis takes -{MAX_LATITUDE} to {MAX_LATITUDE}", self.value)
    }
}

impl core::error::Error for LatitudeError {}

/// A number that no position has as its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreError {
    /// The number.
    pub value: u64,
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no score: an index may be 0 to 2^26", self.value)
    }
}

impl core::error::Error for ScoreError {}

#[inline(always)]
fn index(x: f64, half: f64) -> u32 {
    // As Redis computes it, rounding included.
    let steps = (x + half) / (half - -half) * STEPS;
    // The whole part of 0 to 2^26: behind 2^52 it is the nearest, so one too high for the upper half.
    const SHIFT: f64 = 4_503_599_627_370_496.0;
    let shifted = steps + SHIFT;
    (shifted.to_bits() as u32) - u32::from(shifted - SHIFT > steps)
}

/// The edges of index `i`.
fn edges(i: u32, half: f64) -> (f64, f64) {
    let at = |i: f64| -half + i / STEPS * (half - -half);
    (at(f64::from(i)), at(f64::from(i) + 1.0))
}

impl Score {
    /// The score of a position.
    ///
    /// # Errors
    /// A latitude past [`MAX_LATITUDE`].
    #[inline]
    pub fn encode(at: LatLng) -> Result<Self, LatitudeError> {
        if at.lat().abs() > MAX_LATITUDE {
            return Err(LatitudeError { value: at.lat() });
        }
        Ok(Self(spread(index(at.lat(), MAX_LATITUDE)) | spread(index(at.lng(), 180.0)) << 1))
    }

    /// The score read from a sorted set.
    ///
    /// # Errors
    /// An index past 2^26.
    pub const fn from_u64(value: u64) -> Result<Self, ScoreError> {
        if compact(value) > 1 << BITS || compact(value >> 1) > 1 << BITS {
            return Err(ScoreError { value });
        }
        Ok(Self(value))
    }

    /// The number in the sorted set.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The position that Redis answers and measures with: the middle of the cell, at most 0.6 m off.
    #[must_use]
    pub fn decode(self) -> LatLng {
        let (south, north) = edges(compact(self.0), MAX_LATITUDE);
        let (west, east) = edges(compact(self.0 >> 1), 180.0);
        let lat = ((south + north) / 2.0).clamp(-MAX_LATITUDE, MAX_LATITUDE);
        LatLng::clamped(lat, (west + east) / 2.0)
    }

    /// What `GEOHASH` answers: ten characters of the ordinary geohash and a zero.
    #[must_use]
    pub fn geohash(self) -> [u8; 11] {
        let at = self.decode();
        // By Redis' own arithmetic, which has no bound at 180 degrees east.
        let bits = spread(index(at.lat(), 90.0)) | spread(index(at.lng(), 180.0)) << 1;
        let mut text = [b'0'; 11];
        for (i, byte) in text.iter_mut().take(10).enumerate() {
            *byte = b"0123456789bcdefghjkmnpqrstuvwxyz"[(bits >> (47 - 5 * i)) as usize & 31];
        }
        text
    }

    /// What `GEODIST` answers, before it is cut to four digits.
    #[must_use]
    pub fn distance(self, other: Self) -> Meters {
        Sphere::REDIS.distance(self.decode(), other.decode())
    }

    /// Whether `GEOSEARCH BYBOX width height` around `center` has a member of this score: within half
    /// the height along the meridian, and within half the width along the member's own parallel.
    #[must_use]
    pub fn is_in_box(self, center: LatLng, width: Meters, height: Meters) -> bool {
        let at = self.decode();
        let along = LatLng::clamped(at.lat(), center.lng());
        let up = (at.lat() - center.lat()).abs() * math::RADIANS * Sphere::REDIS.radius();
        up <= 0.5 * height.0 && Sphere::REDIS.distance(along, at).0 <= 0.5 * width.0
    }
}

/// Ranges of scores that hold every member within `radius` of `center`, for `ZRANGEBYSCORE`: at
/// most 16, in order, disjoint. What they hold besides is for the caller to measure.
#[must_use]
pub fn search_ranges(center: LatLng, radius: Meters) -> Vec<RangeInclusive<Score>> {
    // The ball on Redis' sphere is smaller in angle, so the box of ours holds it.
    ranges(&LatLngBox::around(center, radius))
}

/// Ranges of scores that hold every member in a box: at most 16, in order, disjoint.
#[must_use]
pub fn box_ranges(area: &LatLngBox) -> Vec<RangeInclusive<Score>> {
    ranges(area)
}

fn ranges(area: &LatLngBox) -> Vec<RangeInclusive<Score>> {
    // Members stand half a cell from where they were put.
    let pad = 180.0 / STEPS;
    let (south, north) = (area.south() - 2.0 * pad, area.north() + 2.0 * pad);
    if south > MAX_LATITUDE || north < -MAX_LATITUDE {
        return Vec::new();
    }
    let lat = |x: f64| index(x.clamp(-MAX_LATITUDE, MAX_LATITUDE), MAX_LATITUDE);
    let lng = |x: f64| index(x.clamp(-180.0, 180.0), 180.0);
    let rows = (lat(south), lat(north));
    // The meridian 180 has an index of its own, east of all.
    let edge = 1 << BITS;
    let (west, east) = (area.west() - 4.0 * pad, area.east() + 4.0 * pad);
    let columns = if area.width() > 359.0 {
        [Some((0, edge)), None]
    } else if area.crosses_antimeridian() || west < -180.0 || east > 180.0 {
        let west = if west < -180.0 { west + 360.0 } else { west };
        let east = if east > 180.0 { east - 360.0 } else { east };
        [Some((0, lng(east))), Some((lng(west), edge))]
    } else {
        [Some((lng(west), lng(east))), None]
    };
    // The finest cells of which few enough meet the box.
    let cells = |shift: u32| {
        let span = |(a, b): (u32, u32)| u64::from((b >> shift) - (a >> shift) + 1);
        span(rows) * columns.iter().flatten().map(|c| span(*c)).sum::<u64>()
    };
    let shift = (0..=BITS).find(|&shift| cells(shift) <= 16).unwrap_or(BITS);
    let mut found = Vec::with_capacity(16);
    for row in rows.0 >> shift..=rows.1 >> shift {
        for (a, b) in columns.iter().flatten() {
            for column in a >> shift..=b >> shift {
                found.push(spread(row) | spread(column) << 1);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    let mut merged: Vec<RangeInclusive<Score>> = Vec::with_capacity(found.len());
    for cell in found {
        let first = cell << (2 * shift);
        let last = first + ((1_u64 << (2 * shift)) - 1);
        match merged.last_mut() {
            Some(range) if range.end().0 + 1 == first => *range = *range.start()..=Score(last),
            _ => merged.push(Score(first)..=Score(last)),
        }
    }
    merged
}
