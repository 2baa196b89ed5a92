//! Geohash (Niemeyer 2008): a cell of latitude and longitude as text, and its 64-bit form.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use crate::bounds::LatLngBox;
use crate::coord::LatLng;

const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// The text of ten bits, which are two characters: a look-up and a store of both.
static PAIRS: [[u8; 2]; 1024] = {
    let mut pairs = [[0; 2]; 1024];
    let mut i = 0;
    while i < 1024 {
        pairs[i] = [ALPHABET[i / 32], ALPHABET[i % 32]];
        i += 1;
    }
    pairs
};

/// The value of a character, 255 if it is none.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut i = 0;
    while i < 32 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// A geohash of 1 to 12 characters: `Copy`, no allocation, ordered as its text.
///
/// A cell is half open: it has its southern and western edges, not the northern and eastern ones,
/// but that 90 north and 180 east belong to the last cell. [`bounds`](Self::bounds) contains the
/// position encoded, exactly, at every length.
///
/// | length | degrees of latitude | of longitude | height | width at the equator | at 60 N |
/// |---:|---:|---:|---:|---:|---:|
/// | 1 | 45 | 45 | 5 004 km | 5 004 km | 2 502 km |
/// | 2 | 5.625 | 11.25 | 625 km | 1 251 km | 625 km |
/// | 3 | 1.40625 | 1.40625 | 156 km | 156 km | 78 km |
/// | 4 | 0.17578 | 0.35156 | 19.5 km | 39.1 km | 19.5 km |
/// | 5 | 0.043945 | 0.043945 | 4.89 km | 4.89 km | 2.44 km |
/// | 6 | 0.0054932 | 0.010986 | 611 m | 1.22 km | 611 m |
/// | 7 | 0.0013733 | 0.0013733 | 153 m | 153 m | 76 m |
/// | 8 | 0.00017166 | 0.00034332 | 19.1 m | 38.2 m | 19.1 m |
/// | 9 | 4.2915e-5 | 4.2915e-5 | 4.77 m | 4.77 m | 2.39 m |
/// | 10 | 5.3644e-6 | 1.0729e-5 | 0.596 m | 1.19 m | 0.596 m |
/// | 11 | 1.3411e-6 | 1.3411e-6 | 14.9 cm | 14.9 cm | 7.5 cm |
/// | 12 | 1.6764e-7 | 3.3528e-7 | 1.86 cm | 3.73 cm | 1.86 cm |
///
/// Nine cells hold a circle only if its radius is at most the smaller side, and a cell shrinks
/// with the cosine of the latitude; a guaranteed cover is [`Coverer`](crate::Coverer)'s work.
///
/// ```
/// use archstone_geo::{Geohash, LatLng};
///
/// let cell = Geohash::encode(LatLng::new(57.64911, 10.40744)?, 11)?;
/// assert_eq!(cell.to_string(), "u4pruydqqvj");
/// assert!(cell.parent().unwrap().contains(cell.center()));
/// assert_eq!("u0b".parse::<Geohash>()?.neighbors().iter().count(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geohash {
    /// The bits from the top, longitude first; zero below the length.
    bits: u64,
    len: u8,
}

/// A direction to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// North.
    N,
    /// North-east.
    NE,
    /// East.
    E,
    /// South-east.
    SE,
    /// South.
    S,
    /// South-west.
    SW,
    /// West.
    W,
    /// North-west.
    NW,
}

impl Direction {
    /// All eight, clockwise from north.
    pub const ALL: [Self; 8] =
        [Self::N, Self::NE, Self::E, Self::SE, Self::S, Self::SW, Self::W, Self::NW];

    /// The way back.
    #[must_use]
    pub const fn opposite(self) -> Self {
        Self::ALL[(self as usize + 4) % 8]
    }

    /// Steps east and north.
    const fn steps(self) -> (i32, i32) {
        match self {
            Self::N => (0, 1),
            Self::NE => (1, 1),
            Self::E => (1, 0),
            Self::SE => (1, -1),
            Self::S => (0, -1),
            Self::SW => (-1, -1),
            Self::W => (-1, 0),
            Self::NW => (-1, 1),
        }
    }
}

impl Geohash {
    /// The longest, 3.7 by 1.9 cm.
    pub const MAX_LEN: u8 = 12;

    /// The cell of `len` characters that `at` is in. O(1), no allocation.
    ///
    /// # Errors
    /// A length outside 1 ..= 12.
    #[inline]
    pub const fn encode(at: LatLng, len: u8) -> Result<Self, GeohashError> {
        if len == 0 || len > Self::MAX_LEN {
            return Err(GeohashError::Length { len: len as usize });
        }
        Ok(Self { bits: encode_u64(at) & mask(len), len })
    }

    /// The cell of `len` characters with the first `5 * len` of the 64 bits.
    ///
    /// # Errors
    /// A length outside 1 ..= 12.
    pub const fn from_u64(bits: u64, len: u8) -> Result<Self, GeohashError> {
        if len == 0 || len > Self::MAX_LEN {
            return Err(GeohashError::Length { len: len as usize });
        }
        Ok(Self { bits: bits & mask(len), len })
    }

    /// The 64-bit form, zeros after the `5 * len` bits of the text. Equal lengths order as their texts.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.bits
    }

    /// The first and the last 64-bit form ([`encode_u64`]) of the positions in the cell: a range
    /// for a sorted store.
    #[must_use]
    pub const fn range_u64(self) -> (u64, u64) {
        (self.bits, self.bits | !mask(self.len))
    }

    /// How many characters.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is no empty geohash")]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// Its text, written into `buffer`.
    #[inline]
    pub fn as_str(self, buffer: &mut [u8; 12]) -> &str {
        for (i, pair) in buffer.chunks_exact_mut(2).enumerate() {
            pair.copy_from_slice(&PAIRS[(self.bits >> (54 - 10 * i)) as usize & 1023]);
        }
        let text = &buffer[..usize::from(self.len).min(12)];
        // SAFETY: every byte of `buffer` was just taken from `ALPHABET`, which is ASCII.
        #[expect(unsafe_code, reason = "the check takes as long as the text")]
        unsafe {
            core::str::from_utf8_unchecked(text)
        }
    }

    /// The south-west corner and the size of the cell. O(1), exact.
    #[inline]
    fn corner(self) -> (f64, f64, f64, f64) {
        let (height, width) = SIZES[usize::from(self.len) & 15];
        let south = f64::from(compact(self.bits)) * (180.0 / TWO_32) - 90.0;
        let west = f64::from(compact(self.bits >> 1)) * (360.0 / TWO_32) - 180.0;
        (south, west, height, width)
    }

    /// The box of the cell.
    #[must_use]
    #[inline]
    pub fn bounds(self) -> LatLngBox {
        let (south, west, height, width) = self.corner();
        LatLngBox::raw(south, south + height, west, west + width)
    }

    /// The middle of the cell.
    #[must_use]
    #[inline]
    pub fn center(self) -> LatLng {
        let (south, west, height, width) = self.corner();
        LatLng::clamped(south + 0.5 * height, west + 0.5 * width)
    }

    /// Whether `at` encodes into this cell.
    #[must_use]
    pub const fn contains(self, at: LatLng) -> bool {
        encode_u64(at) & mask(self.len) == self.bits
    }

    /// Whether `other` is this cell or one in it.
    #[must_use]
    pub const fn contains_cell(self, other: Self) -> bool {
        other.len >= self.len && other.bits & mask(self.len) == self.bits
    }

    /// The cell one character shorter, `None` at length 1.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        if self.len == 1 {
            None
        } else {
            Some(Self { bits: self.bits & mask(self.len - 1), len: self.len - 1 })
        }
    }

    /// The 32 cells one character longer, in order; none at length 12.
    pub fn children(self) -> impl ExactSizeIterator<Item = Self> {
        let len = self.len + 1;
        let count = if len > Self::MAX_LEN { 0 } else { 32 };
        (0..count).map(move |i: u32| Self {
            bits: self.bits | u64::from(i) << (64 - 5 * u32::from(len)),
            len,
        })
    }

    /// The cell of the same length next to this one; `None` beyond a pole. East of 180 is -180.
    #[must_use]
    pub const fn neighbor(self, direction: Direction) -> Option<Self> {
        let (east, north) = direction.steps();
        let (lng_bits, lat_bits) = halves(self.len);
        let lat = compact(self.bits) >> (32 - lat_bits);
        let lng = compact(self.bits >> 1) >> (32 - lng_bits);
        let lat = lat.wrapping_add(north as u32);
        if lat >> lat_bits != 0 {
            return None;
        }
        let lng = lng.wrapping_add(east as u32) << (32 - lng_bits);
        Some(Self { bits: spread(lng) << 1 | spread(lat << (32 - lat_bits)), len: self.len })
    }

    /// The up to 8 cells around this one: 5 in the row at a pole.
    #[must_use]
    #[inline]
    pub const fn neighbors(self) -> Neighbors {
        let (lng_bits, lat_bits) = halves(self.len);
        // Carries run through the bits of the other coordinate when those are all ones.
        let (lat_mask, lng_mask) = (EVEN, EVEN << 1);
        let used = mask(self.len);
        let lat_one = 1_u64 << (64 - 2 * lat_bits);
        let lng_one = 1_u64 << (65 - 2 * lng_bits);
        let (lat, lng) = (self.bits & lat_mask, self.bits & lng_mask);
        let north = (lat | !lat_mask).wrapping_add(lat_one) & lat_mask & used;
        let south = lat.wrapping_sub(lat_one) & lat_mask & used;
        let east = (lng | !lng_mask).wrapping_add(lng_one) & lng_mask & used;
        let west = lng.wrapping_sub(lng_one) & lng_mask & used;
        let around = [
            lng | north,
            east | north,
            east | lat,
            east | south,
            lng | south,
            west | south,
            west | lat,
            west | north,
        ];
        Neighbors { around, len: self.len, north: north != 0, south: lat != 0 }
    }
}

/// The cells around a [`Geohash`].
#[derive(Clone, Copy, Debug)]
pub struct Neighbors {
    /// Clockwise from north; those beyond a pole are not meant.
    around: [u64; 8],
    len: u8,
    /// Whether there is a row to the north, to the south.
    north: bool,
    south: bool,
}

impl Neighbors {
    /// The neighbour in a direction, `None` beyond a pole.
    #[must_use]
    #[inline]
    pub const fn get(&self, direction: Direction) -> Option<Geohash> {
        let there = match direction.steps().1 {
            1 => self.north,
            -1 => self.south,
            _ => true,
        };
        if there {
            Some(Geohash { bits: self.around[direction as usize], len: self.len })
        } else {
            None
        }
    }

    /// Those that there are, clockwise from north.
    pub fn iter(&self) -> impl Iterator<Item = Geohash> {
        Direction::ALL.into_iter().filter_map(|direction| self.get(direction))
    }
}

/// Height and width of the cells of a length, in degrees, exact.
static SIZES: [(f64, f64); 16] = {
    let mut sizes = [(180.0, 360.0); 16];
    let mut len = 1;
    while len <= 12 {
        let (lng_bits, lat_bits) = halves(len);
        let height = 180.0 / (1_u64 << lat_bits) as f64;
        sizes[len as usize] = (height, 360.0 / (1_u64 << lng_bits) as f64);
        len += 1;
    }
    sizes
};

const TWO_32: f64 = 4_294_967_296.0;
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The 64 bits of the cell that `at` is in: 32 of longitude and 32 of latitude, interleaved,
/// longitude first. The form that sorted stores range over.
#[must_use]
#[inline]
pub const fn encode_u64(at: LatLng) -> u64 {
    let lat = index(at.lat(), 90.0);
    let lng = index(at.lng(), 180.0);
    spread(lng) << 1 | spread(lat)
}

/// The cell that `x` is in, of 2^32 from `-half` to `half`; the last one has its upper end too.
///
/// Without a division, a branch or a conversion, so that both coordinates go in one vector.
#[inline(always)]
const fn index(x: f64, half: f64) -> u32 {
    const SHIFT: f64 = 4_503_599_627_370_496.0; // 2^52: its neighbours are the whole numbers
    // Cells a degree; for both ranges the quotient happens to round up (by 4e-17 of it). So the
    // cell to the nearest is never too low, and at most one too high. A cell's lower edge is exact
    // (38 bits), so the comparison decides.
    let cells = TWO_32 / (2.0 * half);
    let shifted = (x + half) * cells + SHIFT;
    let edge = (shifted - SHIFT) * (2.0 * half / TWO_32) - half;
    // The mantissa's low half, with one bit more: 2^32 at the upper end.
    let i = (shifted.to_bits() & 0x1_FFFF_FFFF) - (edge > x) as u64;
    (i - (i >> 32)) as u32
}

/// Puts zeros between the bits.
#[inline(always)]
pub(crate) const fn spread(x: u32) -> u64 {
    let x = x as u64;
    let x = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
    let x = (x | x << 8) & 0x00FF_00FF_00FF_00FF;
    let x = (x | x << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    let x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & EVEN
}

/// The even bits, closed up.
#[inline(always)]
pub(crate) const fn compact(x: u64) -> u32 {
    let x = x & EVEN;
    let x = (x | x >> 1) & 0x3333_3333_3333_3333;
    let x = (x | x >> 2) & 0x0F0F_0F0F_0F0F_0F0F;
    let x = (x | x >> 4) & 0x00FF_00FF_00FF_00FF;
    let x = (x | x >> 8) & 0x0000_FFFF_0000_FFFF;
    (x | x >> 16) as u32
}

/// The `5 * len` top bits.
#[inline(always)]
const fn mask(len: u8) -> u64 {
    !0 << (64 - 5 * len as u32)
}

/// Bits of longitude and of latitude.
const fn halves(len: u8) -> (u32, u32) {
    let bits = 5 * len as u32;
    (bits.div_ceil(2), bits / 2)
}

impl PartialOrd for Geohash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Geohash {
    /// As their texts: a prefix comes before what it begins.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.bits, self.len).cmp(&(other.bits, other.len))
    }
}

impl fmt::Display for Geohash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str(&mut [0; 12]))
    }
}

impl fmt::Debug for Geohash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Geohash({self})")
    }
}

impl FromStr for Geohash {
    type Err = GeohashError;

    /// Reads lower case only; [`Geohash::parse_any_case`] takes both.
    #[inline]
    fn from_str(text: &str) -> Result<Self, GeohashError> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 12 {
            return Err(GeohashError::Length { len: bytes.len() });
        }
        let (mut bits, mut bad) = (0_u64, 0);
        let mut value = |byte: u8| {
            let value = VALUES[byte as usize];
            bad |= value;
            u64::from(value)
        };
        // Eight at once, whose shifts do not wait for each other; then one by one.
        let rest = if let Some((eight, rest)) = bytes.split_first_chunk::<8>() {
            for (i, &byte) in eight.iter().enumerate() {
                bits |= value(byte) << (35 - 5 * i);
            }
            rest
        } else {
            bytes
        };
        for &byte in rest {
            bits = bits << 5 | value(byte);
        }
        if bad > 31 {
            return Err(bad_character(text));
        }
        Ok(Self { bits: bits << (64 - 5 * bytes.len()), len: bytes.len() as u8 })
    }
}

#[cold]
fn bad_character(text: &str) -> GeohashError {
    let offset = text.bytes().position(|byte| VALUES[byte as usize] == 255).unwrap_or(0);
    GeohashError::Character { offset, byte: text.as_bytes()[offset] }
}

impl Geohash {
    /// Reads a geohash in upper, lower or mixed case.
    ///
    /// # Errors
    /// A length outside 1 ..= 12, or a character that is not of the alphabet (a, i, l and o are not).
    pub fn parse_any_case(text: &str) -> Result<Self, GeohashError> {
        let mut lower = [0; 12];
        let Some(lower) = lower.get_mut(..text.len()) else {
            return Err(GeohashError::Length { len: text.len() });
        };
        lower.copy_from_slice(text.as_bytes());
        lower.make_ascii_lowercase();
        core::str::from_utf8(lower).map_err(|_| bad_character(text))?.parse().map_err(|_| {
            if text.is_empty() {
                return GeohashError::Length { len: 0 };
            }
            let offset = lower.iter().position(|byte| VALUES[*byte as usize] == 255).unwrap_or(0);
            GeohashError::Character { offset, byte: text.as_bytes()[offset] }
        })
    }
}

/// Why there is no such geohash.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeohashError {
    /// Not 1 to 12 characters.
    Length {
        /// How many.
        len: usize,
    },
    /// A character outside the alphabet.
    Character {
        /// Where, in bytes.
        offset: usize,
        /// Which byte.
        byte: u8,
    },
}

impl fmt::Display for GeohashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } => write!(f, "a geohash of {len} characters, it may be 1 to 12"),
            Self::Character { offset, byte } => {
                write!(f, "byte {byte:#04x} at {offset} is not of the geohash alphabet")
            }
        }
    }
}

impl core::error::Error for GeohashError {}
