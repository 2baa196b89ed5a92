//! Geohash (Niemeyer 2008): a cell of latitude and longitude as text, and its 64-bit form.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use crate::bounds::LatLngBox;
use crate::coord::LatLng;

const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// Two characters by five bits of longitude and then five of latitude: a look-up and a store of both.
static PAIRS: [[u8; 2]; 1024] = {
    let mut pairs = [[0; 2]; 1024];
    let mut i = 0;
    while i < 1024 {
        let bits = (spread(i as u32 >> 5) << 1 | spread(i as u32 & 31)) as usize;
        pairs[i] = [ALPHABET[bits / 32], ALPHABET[bits % 32]];
        i += 1;
    }
    pairs
};

/// What a character adds to the number of its pair in [`PAIRS`], as the first and as the second of
/// it; [`BAD`] if it is none.
static VALUES: [[u32; 256]; 2] = {
    let mut values = [[BAD; 256]; 2];
    let mut i = 0;
    while i < 32 {
        let at = ALPHABET[i] as usize;
        let (first, second) = ((i as u64) << 5, i as u64);
        values[0][at] = compact(first >> 1) << 5 | compact(first);
        values[1][at] = compact(second >> 1) << 5 | compact(second);
        i += 1;
    }
    values
};

/// In no number of a pair.
const BAD: u32 = 1 << 31;

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
    /// The numbers of its pairs of characters in [`PAIRS`]: of the first, third and fifth at the top of
    /// the upper half, of the others at the top of the lower; zero below the length. Interleaved to
    /// 64 bits only when asked for: texts, boxes and neighbours are nearer from here.
    pairs: u64,
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
        Ok(Self { pairs: place(at) & mask(len), len })
    }

    /// The cell of `len` characters with the first `5 * len` of the 64 bits.
    ///
    /// # Errors
    /// A length outside 1 ..= 12.
    pub const fn from_u64(bits: u64, len: u8) -> Result<Self, GeohashError> {
        if len == 0 || len > Self::MAX_LEN {
            return Err(GeohashError::Length { len: len as usize });
        }
        Ok(Self { pairs: part(bits) & mask(len), len })
    }

    /// The 64-bit form, zeros after the `5 * len` bits of the text. Equal lengths order as their texts.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        interleave(self.pairs)
    }

    /// The first and the last 64-bit form ([`encode_u64`]) of the positions in the cell: a range
    /// for a sorted store.
    #[must_use]
    pub const fn range_u64(self) -> (u64, u64) {
        let first = self.to_u64();
        (first, first | u64::MAX >> (5 * self.len))
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
        let (even, odd) = ((self.pairs >> 32) as u32, self.pairs as u32);
        for (i, two) in buffer.chunks_exact_mut(2).enumerate().take(5) {
            let half = if i % 2 == 0 { even } else { odd };
            two.copy_from_slice(&PAIRS[(half >> (22 - 10 * (i / 2))) as usize & 1023]);
        }
        // The longest alone have the last pair.
        if self.len > 10 {
            buffer[10..].copy_from_slice(&PAIRS[(odd >> 2) as usize & 1023]);
        }
        let text = &buffer[..usize::from(self.len).min(12)];
        // SAFETY: the first ten bytes of `buffer` were just taken from `ALPHABET`, which is ASCII, and
        // the last two as well where `text` has them.
        #[expect(unsafe_code, reason = "the check takes as long as the text")]
        unsafe {
            core::str::from_utf8_unchecked(text)
        }
    }

    /// How far the south-west corner is from that of the Earth, in degrees of latitude and of
    /// longitude. Exact.
    #[inline(always)]
    fn offset(self) -> (f64, f64) {
        let (column, row) = apart(self.pairs);
        (whole(row) * (180.0 / TWO_32), whole(column) * (360.0 / TWO_32))
    }

    /// The box of the cell. O(1), exact.
    #[must_use]
    #[inline]
    pub fn bounds(self) -> LatLngBox {
        let ((height, width), (up, right)) = (SIZES[usize::from(self.len) & 15], self.offset());
        let (south, west) = (up - 90.0, right - 180.0);
        LatLngBox::raw(south, south + height, west, west + width)
    }

    /// The middle of the cell.
    #[must_use]
    #[inline]
    pub fn center(self) -> LatLng {
        let ((lat, lng), (up, right)) = (MIDDLES[usize::from(self.len) & 15], self.offset());
        LatLng::exact(up + lat, right + lng)
    }

    /// Whether `at` encodes into this cell.
    #[must_use]
    pub const fn contains(self, at: LatLng) -> bool {
        place(at) & mask(self.len) == self.pairs
    }

    /// Whether `other` is this cell or one in it.
    #[must_use]
    pub const fn contains_cell(self, other: Self) -> bool {
        other.len >= self.len && other.pairs & mask(self.len) == self.pairs
    }

    /// The cell one character shorter, `None` at length 1.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        if self.len == 1 {
            None
        } else {
            Some(Self { pairs: self.pairs & mask(self.len - 1), len: self.len - 1 })
        }
    }

    /// The 32 cells one character longer, in order; none at length 12.
    pub fn children(self) -> impl ExactSizeIterator<Item = Self> {
        let len = self.len + 1;
        let count = if len > Self::MAX_LEN { 0 } else { 32 };
        (0..count).map(move |i: u32| Self {
            pairs: self.pairs | part(u64::from(i) << (64 - 5 * u32::from(len))),
            len,
        })
    }

    /// The cell of the same length next to this one; `None` beyond a pole. East of 180 is -180.
    #[must_use]
    pub const fn neighbor(self, direction: Direction) -> Option<Self> {
        self.neighbors().get(direction)
    }

    /// The up to 8 cells around this one: 5 in the row at a pole.
    #[must_use]
    #[inline]
    pub const fn neighbors(self) -> Neighbors {
        let (lng_bits, lat_bits) = halves(self.len);
        let (column, row) = apart(self.pairs);
        let (right, up) = (1 << (32 - lng_bits), 1 << (32 - lat_bits));
        // Past the last column is the first, past the last row nothing.
        let (east, west) = (column.wrapping_add(right), column.wrapping_sub(right));
        let (north, south) = (row.wrapping_add(up), row.wrapping_sub(up));
        let there = if north == 0 { !NORTHERN } else { !0 } & if row == 0 { !SOUTHERN } else { !0 };
        let (east, column, west) = (together(east, 0), together(column, 0), together(west, 0));
        let (north, row, south) = (together(0, north), together(0, row), together(0, south));
        let around = [
            column | north,
            east | north,
            east | row,
            east | south,
            column | south,
            west | south,
            west | row,
            west | north,
        ];
        Neighbors { around, len: self.len, there }
    }
}

/// The cells around a [`Geohash`].
#[derive(Clone, Copy, Debug)]
pub struct Neighbors {
    /// Clockwise from north; those beyond a pole are not meant.
    around: [u64; 8],
    len: u8,
    /// A bit for each that is meant.
    there: u8,
}

/// The directions that lead north, and south, a bit each.
const NORTHERN: u8 = 1 << Direction::N as u8 | 1 << Direction::NE as u8 | 1 << Direction::NW as u8;
const SOUTHERN: u8 = 1 << Direction::S as u8 | 1 << Direction::SE as u8 | 1 << Direction::SW as u8;

impl Neighbors {
    /// The neighbour in a direction, `None` beyond a pole.
    #[must_use]
    #[inline]
    pub const fn get(&self, direction: Direction) -> Option<Geohash> {
        if self.there >> direction as u8 & 1 == 1 {
            Some(Geohash { pairs: self.around[direction as usize], len: self.len })
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

/// The middle of the south-westernmost cell of a length, exact.
static MIDDLES: [(f64, f64); 16] = {
    let mut middles = [(0.0, 0.0); 16];
    let mut len = 0;
    while len < 16 {
        let (height, width) = SIZES[len];
        middles[len] = (0.5 * height - 90.0, 0.5 * width - 180.0);
        len += 1;
    }
    middles
};

const TWO_32: f64 = 4_294_967_296.0;
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The number as a double: set behind 2^52, that taken away; without a conversion both halves go in
/// one vector.
#[inline(always)]
fn whole(x: u32) -> f64 {
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    f64::from_bits(TWO_52 | u64::from(x)) - f64::from_bits(TWO_52)
}

/// The 64 bits of the cell that `at` is in: 32 of longitude and 32 of latitude, interleaved,
/// longitude first. The form that sorted stores range over.
#[must_use]
#[inline]
pub const fn encode_u64(at: LatLng) -> u64 {
    spread(index(at.lng(), 180.0)) << 1 | spread(index(at.lat(), 90.0))
}

/// The pairs of the cell that `at` is in.
#[inline(always)]
const fn place(at: LatLng) -> u64 {
    together(index(at.lng(), 180.0), index(at.lat(), 90.0))
}

/// Five bits of each half, and the five below them.
const UPPER: u32 = 0x1F << 27 | 0x1F << 17 | 0x1F << 7;
const LOWER: u32 = UPPER >> 5;

/// The pairs of a column and a row, of which the top 30 bits count.
#[inline(always)]
const fn together(column: u32, row: u32) -> u64 {
    let even = column & UPPER | (row & UPPER) >> 5;
    let odd = (column & LOWER) << 5 | row & LOWER;
    (even as u64) << 32 | odd as u64
}

/// Column and row of pairs.
#[inline(always)]
const fn apart(pairs: u64) -> (u32, u32) {
    let (even, odd) = ((pairs >> 32) as u32, pairs as u32);
    (even & UPPER | (odd & UPPER) >> 5, (even & LOWER) << 5 | odd & LOWER)
}

/// The bits of pairs in turn, and back.
const fn interleave(pairs: u64) -> u64 {
    let (column, row) = apart(pairs);
    spread(column) << 1 | spread(row)
}

const fn part(bits: u64) -> u64 {
    together(compact(bits >> 1), compact(bits))
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

/// The pairs' bits that a length has.
#[inline(always)]
const fn mask(len: u8) -> u64 {
    let (lng_bits, lat_bits) = halves(len);
    together(!0 << (32 - lng_bits), !0 << (32 - lat_bits))
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
        (self.to_u64(), self.len).cmp(&(other.to_u64(), other.len))
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
    #[inline(always)]
    fn from_str(text: &str) -> Result<Self, GeohashError> {
        let bytes = text.as_bytes();
        let pair = |first: u8, second: u8| VALUES[0][first as usize] | VALUES[1][second as usize];
        let single = |first: u8| VALUES[0][first as usize];
        let (mut even, mut odd, bad);
        // Eight at once, whose shifts do not wait for each other, and what else there may be.
        if let Some((&[a, b, c, d, e, f, g, h], rest)) = bytes.split_first_chunk::<8>() {
            let four = [pair(a, b), pair(c, d), pair(e, f), pair(g, h)];
            let two = match *rest {
                [] => [0, 0],
                [a] => [single(a), 0],
                [a, b] => [pair(a, b), 0],
                [a, b, c] => [pair(a, b), single(c)],
                [a, b, c, d] => [pair(a, b), pair(c, d)],
                _ => return Err(GeohashError::Length { len: bytes.len() }),
            };
            even = four[0] << 22 | four[2] << 12 | two[0] << 2;
            odd = four[1] << 22 | four[3] << 12 | two[1] << 2;
            bad = four[0] | four[1] | four[2] | four[3] | two[0] | two[1];
        } else if bytes.is_empty() {
            return Err(GeohashError::Length { len: 0 });
        } else {
            (even, odd) = (0, 0);
            let mut all = 0;
            for (i, two) in bytes.chunks(2).enumerate() {
                let value = if let [a, b] = *two { pair(a, b) } else { single(two[0]) };
                let half = if i % 2 == 0 { &mut even } else { &mut odd };
                *half |= value << (22 - 10 * (i / 2));
                all |= value;
            }
            bad = all;
        }
        if bad & BAD != 0 {
            return Err(bad_character(text));
        }
        Ok(Self { pairs: u64::from(even) << 32 | u64::from(odd), len: bytes.len() as u8 })
    }
}

fn is_bad(byte: u8) -> bool {
    VALUES[0][byte as usize] == BAD
}

#[cold]
fn bad_character(text: &str) -> GeohashError {
    let offset = text.bytes().position(is_bad).unwrap_or(0);
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
            let offset = lower.iter().copied().position(is_bad).unwrap_or(0);
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
