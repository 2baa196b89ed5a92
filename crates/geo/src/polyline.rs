//! The encoded polyline format (Google): a path as text, 5, 6 or 7 decimals.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use crate::coord::LatLng;

/// How many decimals of a degree a text keeps: 1.1 m, 11 cm or 1.1 cm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Google's own, 1e-5 degrees.
    #[default]
    Five,
    /// That of OSRM and Valhalla, 1e-6 degrees.
    Six,
    /// 1e-7 degrees.
    Seven,
}

impl Precision {
    const fn scale(self) -> f64 {
        match self {
            Self::Five => 1e5,
            Self::Six => 1e6,
            Self::Seven => 1e7,
        }
    }
}

/// The text of a path: each position rounded to the precision, the difference to the one before in
/// five bits a character. A step over the antimeridian is written as it is, not the short way.
///
/// ```
/// use archstone_geo::LatLng;
/// use archstone_geo::polyline::{self, Precision};
///
/// let path = [LatLng::new(38.5, -120.2)?, LatLng::new(40.7, -120.95)?, LatLng::new(43.252, -126.453)?];
/// let text = polyline::encode(path, Precision::Five);
/// assert_eq!(text, "_p~iF~ps|U_ulLnnqC_mqNvxq`@");
/// assert_eq!(polyline::decode(&text, Precision::Five).collect::<Result<Vec<_>, _>>()?, path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(path: impl IntoIterator<Item = LatLng>, precision: Precision) -> String {
    let path = path.into_iter();
    let mut out = Vec::with_capacity(12 * path.size_hint().0.min(1 << 20) + 16);
    let (mut lat, mut lng) = (0, 0);
    for p in path {
        // At most 1.8e9 steps, so a difference fits.
        let (next_lat, next_lng) = (steps(p.lat(), precision), steps(p.lng(), precision));
        // Eight characters each, of which those that count stay: no loop over them.
        let ((a, a_len), (b, b_len)) = (text(next_lat - lat), text(next_lng - lng));
        let (mut both, end) = ([0; 16], out.len() + a_len + b_len);
        both[..8].copy_from_slice(&a);
        both[a_len & 7..][..8].copy_from_slice(&b);
        out.extend_from_slice(&both);
        out.truncate(end);
        (lat, lng) = (next_lat, next_lng);
    }
    String::from_utf8(out).unwrap_or_default() // all are from 63 to 126
}

#[inline]
fn steps(degrees: f64, precision: Precision) -> i64 {
    // Halves away from zero, as the format says.
    let x = degrees * precision.scale();
    let whole = (x.abs() + 0.5) as i64; // towards zero: of what is not negative, the floor
    if x < 0.0 { -whole } else { whole }
}

/// Every byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The characters of a difference of at most 34 bits, and how many count: 1 to 7.
#[inline(always)]
fn text(value: i64) -> ([u8; 8], usize) {
    let bits = ((value << 1) ^ (value >> 63)) as u64;
    let len = ((68 - (bits | 1).leading_zeros()) / 5).min(7);
    // Five bits to a byte: halves, quarters, eighths.
    let x = (bits & 0xF_FFFF) | (bits >> 20) << 32;
    let x = (x & 0x0000_03FF_0000_03FF) | (x & 0x000F_FC00_000F_FC00) << 6;
    let x = (x & 0x001F_001F_001F_001F) | (x & 0x03E0_03E0_03E0_03E0) << 3;
    let more = (ONES * 32) & !(u64::MAX << (8 * (len - 1)));
    ((x + ONES * 63 + more).to_le_bytes(), len as usize)
}

/// The difference at the beginning of eight bytes and its characters, if it is a good one of at
/// most seven: what else there may be is for [`Decoder::value`] to name.
#[inline(always)]
fn difference(bytes: [u8; 8]) -> Option<(i64, usize)> {
    let word = u64::from_le_bytes(bytes);
    const TOP: u64 = ONES * 128;
    // The highest bit of each byte, up to the first that is wrong: the last of a difference is
    // below 95, none is below 63 or above 126.
    let last = !word.wrapping_add(ONES * 33) & TOP;
    let used = last ^ last.wrapping_sub(1);
    let wrong = (word | !word.wrapping_add(ONES * 65) | word.wrapping_add(ONES)) & TOP;
    if last == 0 || used > u64::MAX >> 8 || wrong & used != 0 {
        return None;
    }
    let x = word.wrapping_sub(ONES * 63) & (ONES * 31) & used;
    let x = (x & 0x001F_001F_001F_001F) | (x & 0x1F00_1F00_1F00_1F00) >> 3;
    let x = (x & 0x0000_03FF_0000_03FF) | (x & 0x03FF_0000_03FF_0000) >> 6;
    let x = (x & 0xF_FFFF) | (x >> 32) << 20;
    Some(((x >> 1) as i64 ^ -((x & 1) as i64), (last.trailing_zeros() / 8) as usize + 1))
}

/// The positions of a text, one after the other; it ends with the first error.
#[must_use]
pub fn decode(text: &str, precision: Precision) -> Decoder<'_> {
    decode_bytes(text.as_bytes(), precision)
}

/// [`decode`] of bytes that need not be text.
#[must_use]
pub fn decode_bytes(bytes: &[u8], precision: Precision) -> Decoder<'_> {
    Decoder { bytes, at: 0, lat: 0, lng: 0, scale: precision.scale() }
}

/// Positions out of an encoded polyline: [`decode`].
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    lat: i64,
    lng: i64,
    scale: f64,
}

impl Decoder<'_> {
    #[inline]
    fn value(&mut self) -> Result<i64, PolylineError> {
        if let Some((&eight, _)) = self.bytes[self.at..].split_first_chunk::<8>() {
            if let Some((value, len)) = difference(eight) {
                self.at += len;
                return Ok(value);
            }
        }
        self.slow_value()
    }

    /// Character by character: at the end, and to say what is wrong.
    fn slow_value(&mut self) -> Result<i64, PolylineError> {
        let start = self.at;
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(PolylineError { offset: start, kind: PolylineErrorKind::Truncated });
            };
            let bits = byte.wrapping_sub(63);
            if bits > 63 {
                return Err(PolylineError {
                    offset: self.at,
                    kind: PolylineErrorKind::Character(byte),
                });
            }
            // Differences have at most 33 bits: seven characters.
            if shift > 30 {
                return Err(PolylineError { offset: start, kind: PolylineErrorKind::Range });
            }
            value |= u64::from(bits & 31) << shift;
            shift += 5;
            self.at += 1;
            if bits < 32 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
    }

    #[inline]
    fn position(&mut self) -> Result<LatLng, PolylineError> {
        let start = self.at;
        self.lat += self.value()?;
        if self.at == self.bytes.len() {
            return Err(PolylineError { offset: start, kind: PolylineErrorKind::Truncated });
        }
        self.lng += self.value()?;
        // Divided, not multiplied: 3850000 / 1e5 is the double nearest to 38.5.
        LatLng::new(self.lat as f64 / self.scale, self.lng as f64 / self.scale)
            .map_err(|_| PolylineError { offset: start, kind: PolylineErrorKind::Range })
    }
}

impl Iterator for Decoder<'_> {
    type Item = Result<LatLng, PolylineError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let next = self.position();
        if next.is_err() {
            self.at = self.bytes.len();
        }
        Some(next)
    }
}

impl FusedIterator for Decoder<'_> {}

/// Why a polyline could not be decoded further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolylineError {
    /// Where, in bytes: of the bad character, else of the number or position that it begins.
    pub offset: usize,
    /// What.
    pub kind: PolylineErrorKind,
}

/// What may be wrong with a polyline.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolylineErrorKind {
    /// It ends within a number or between latitude and longitude.
    Truncated,
    /// A byte outside `?` to `~`.
    Character(u8),
    /// A number or a position out of range.
    Range,
}

impl fmt::Display for PolylineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, kind } = self;
        match kind {
            PolylineErrorKind::Truncated => {
                write!(f, "the polyline ends within the position at byte {offset}")
            }
            PolylineErrorKind::Character(byte) => {
                write!(f, "byte {byte:#04x} at {offset} is none of a polyline, `?` to `~`")
            }
            PolylineErrorKind::Range => write!(f, "the position at byte {offset} is out of range"),
        }
    }
}

impl core::error::Error for PolylineError {}
