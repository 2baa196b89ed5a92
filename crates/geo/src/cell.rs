//! Cell ids of the S2 library (Google), bit for bit: a Hilbert curve on the six faces of a cube.

use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;

use crate::coord::LatLng;
use crate::math;
use crate::sphere::position;
use crate::vector::V3;

/// Leaf cells along an edge of a face.
pub(crate) const SIZE: u32 = 1 << 30;

/// A cell of the S2 hierarchy: six faces, each split into four 30 times.
///
/// 64 bits: three of the face, two a level along the curve, a one, zeros. Cells order along the
/// curve; the leaves in a cell are a range of ids. Areas at one level differ by at most 2.1 times.
///
/// | level | edge about | level | edge about |
/// |---:|---:|---:|---:|
/// | 0 | 7 842 km | 16 | 130 m |
/// | 4 | 530 km | 20 | 8 m |
/// | 8 | 33 km | 24 | 51 cm |
/// | 12 | 2.1 km | 30 | 0.8 cm |
///
/// ```
/// use archstone_geo::{CellId, LatLng};
///
/// let leaf = CellId::from_lat_lng(LatLng::new(38.11858, 140.72434)?);
/// let cell = leaf.parent(12).unwrap();
/// assert_eq!(cell.to_string(), "5f8a3bf");
/// assert!(cell.contains(leaf) && cell.range().contains(&leaf));
/// assert_eq!("5f8a3bf".parse::<CellId>()?, cell);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(NonZeroU64);

impl CellId {
    /// The level of the leaves.
    pub const MAX_LEVEL: u8 = 30;

    /// The leaf that `at` is in.
    #[must_use]
    pub fn from_lat_lng(at: LatLng) -> Self {
        // As S2 computes it, in radians: at 180 east the sine is not zero, and that decides the side.
        let (lat, lng) = (at.lat() * math::RADIANS, at.lng() * math::RADIANS);
        let across = libm::cos(lat);
        Self::from_unit([libm::cos(lng) * across, libm::sin(lng) * across, libm::sin(lat)])
    }

    /// The leaf of a unit vector.
    pub(crate) fn from_unit(v: V3) -> Self {
        let (face, u, v) = face_uv(v);
        Self::from_face_ij(face, st_to_ij(uv_to_st(u)), st_to_ij(uv_to_st(v)))
    }

    /// The face 0 ..= 5 as a cell of level 0.
    ///
    /// # Errors
    /// A face past 5.
    pub const fn from_face(face: u8) -> Result<Self, CellError> {
        if face > 5 {
            return Err(CellError::Face { face });
        }
        Ok(Self::raw((face as u64) << 61 | 1 << 60))
    }

    /// The cell with this id.
    ///
    /// # Errors
    /// A number that no cell has: a face past 5, or no marker bit at an even place.
    pub const fn from_u64(id: u64) -> Result<Self, CellError> {
        if id >> 61 > 5 || id.trailing_zeros() % 2 != 0 || id.trailing_zeros() > 60 {
            return Err(CellError::Id { id });
        }
        Ok(Self::raw(id))
    }

    const fn raw(id: u64) -> Self {
        match NonZeroU64::new(id) {
            Some(id) => Self(id),
            None => Self(NonZeroU64::MIN),
        }
    }

    pub(crate) fn from_face_ij(face: u8, i: u32, j: u32) -> Self {
        Self::raw(curve(face, i, j, 0) << 1 | 1)
    }

    /// The id.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0.get()
    }

    /// The face, 0 to 5.
    #[must_use]
    pub const fn face(self) -> u8 {
        (self.to_u64() >> 61) as u8
    }

    /// 0 for a face, 30 for a leaf.
    #[must_use]
    pub const fn level(self) -> u8 {
        30 - (self.to_u64().trailing_zeros() / 2) as u8
    }

    const fn lsb(self) -> u64 {
        self.to_u64() & self.to_u64().wrapping_neg()
    }

    /// The cell of `level` that this one is in (itself at its own level); `None` below it.
    #[must_use]
    pub const fn parent(self, level: u8) -> Option<Self> {
        if level > self.level() {
            return None;
        }
        let lsb = 1_u64 << (2 * (30 - level as u32));
        Some(Self::raw(self.to_u64() & lsb.wrapping_neg() | lsb))
    }

    /// The four cells in this one, along the curve; `None` for a leaf.
    #[must_use]
    pub const fn children(self) -> Option<[Self; 4]> {
        let quarter = self.lsb() >> 2;
        if quarter == 0 {
            return None;
        }
        let first = self.to_u64() - 3 * quarter;
        Some([
            Self::raw(first),
            Self::raw(first + 2 * quarter),
            Self::raw(first + 4 * quarter),
            Self::raw(first + 6 * quarter),
        ])
    }

    /// The first and the last leaf in it.
    #[must_use]
    pub const fn range(self) -> core::ops::RangeInclusive<Self> {
        core::ops::RangeInclusive::new(self.range_min(), self.range_max())
    }

    pub(crate) const fn range_min(self) -> Self {
        Self::raw(self.to_u64() - (self.lsb() - 1))
    }

    pub(crate) const fn range_max(self) -> Self {
        Self::raw(self.to_u64() + (self.lsb() - 1))
    }

    /// Whether `other` is this cell or one in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.range_min().to_u64() <= other.to_u64() && other.to_u64() <= self.range_max().to_u64()
    }

    /// Whether one of them contains the other.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Face, and the leaf coordinates of its corner with the least `i` and `j`.
    pub(crate) fn face_ij(self) -> (u8, u32, u32) {
        let face = self.face();
        let mut bits = usize::from(face & 1);
        let (mut i, mut j) = (0, 0);
        for k in (0..8).rev() {
            let width = if k == 7 { 4 } else { 8 };
            bits += ((self.to_u64() >> (8 * k + 1)) as usize & ((1 << width) - 1)) << 2;
            bits = usize::from(TO_IJ[bits]);
            i |= ((bits >> 6) as u32) << (4 * k);
            j |= ((bits >> 2) as u32 & 15) << (4 * k);
            bits &= 3;
        }
        let mask = !(self.edge() - 1);
        (face, i & mask, j & mask)
    }

    /// Leaf cells along its edge.
    pub(crate) const fn edge(self) -> u32 {
        1 << (30 - self.level())
    }

    /// Its edges on the face: the least and the most of u and of v.
    pub(crate) fn uv_bounds(self) -> (u8, [f64; 2], [f64; 2]) {
        let (face, i, j) = self.face_ij();
        let at = |i: u32| st_to_uv(f64::from(i) / f64::from(SIZE));
        (face, [at(i), at(i + self.edge())], [at(j), at(j + self.edge())])
    }

    /// Its middle in the cell's own coordinates.
    #[must_use]
    pub fn center(self) -> LatLng {
        position(self.center_vector())
    }

    pub(crate) fn center_vector(self) -> V3 {
        let (face, i, j) = self.face_ij();
        let half = f64::from(self.edge()) * 0.5;
        let at = |i: u32| st_to_uv((f64::from(i) + half) / f64::from(SIZE));
        face_vector(face, at(i), at(j))
    }

    /// Its corners, counter-clockwise.
    #[must_use]
    pub fn corners(self) -> [LatLng; 4] {
        self.corner_vectors().map(position)
    }

    /// Not of unit length.
    pub(crate) fn corner_vectors(self) -> [V3; 4] {
        let (face, u, v) = self.uv_bounds();
        [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(a, b)| face_vector(face, u[a], v[b]))
    }

    /// The four cells of the same level across its edges: south, east, north, west on its face.
    #[must_use]
    pub fn edge_neighbors(self) -> [Self; 4] {
        [(0, -1), (1, 0), (0, 1), (-1, 0)].map(|(di, dj)| self.step(di, dj))
    }

    /// The cells of the same level that touch it: 8, or 7 at a corner of the cube (3 to 5 for whole
    /// faces), in no order.
    pub fn neighbors(self) -> impl Iterator<Item = Self> {
        let mut all = [self; 8];
        let steps = [(-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0)];
        for (cell, (di, dj)) in all.iter_mut().zip(steps) {
            *cell = self.step(di, dj);
        }
        all.sort_unstable();
        (0..8)
            .filter(move |&i| all[i] != self && (i == 0 || all[i] != all[i - 1]))
            .map(move |i| all[i])
    }

    /// This cell and the three others at the corner that `leaf` in it is nearest to.
    pub(crate) fn around_corner(self, leaf: Self) -> alloc::vec::Vec<Self> {
        let (_, i, j) = self.face_ij();
        let (_, leaf_i, leaf_j) = leaf.face_ij();
        let side = |leaf: u32, cell: u32| if leaf - cell < self.edge() / 2 { -1 } else { 1 };
        let (di, dj) = (side(leaf_i, i), side(leaf_j, j));
        let mut all = alloc::vec![self, self.step(di, 0), self.step(0, dj), self.step(di, dj)];
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The cell `di`, `dj` edges away, over the edge of the face if need be.
    fn step(self, di: i64, dj: i64) -> Self {
        let (face, i, j) = self.face_ij();
        let edge = i64::from(self.edge());
        // Any leaf of the neighbour will do; from its middle, steps stay clear of rounding.
        let (i, j) = (i64::from(i) + edge / 2 + di * edge, i64::from(j) + edge / 2 + dj * edge);
        let whole = 0..i64::from(SIZE);
        let leaf = if whole.contains(&i) && whole.contains(&j) {
            Self::from_face_ij(face, i as u32, j as u32)
        } else {
            // Just over the edge, by the linear projection, where the next face's grid meets ours.
            let reach = 1.0 + f64::EPSILON;
            let at = |i: i64| {
                let i = i.clamp(-1, i64::from(SIZE));
                ((2 * i + 1 - i64::from(SIZE)) as f64 / f64::from(SIZE)).clamp(-reach, reach)
            };
            let (face, u, v) = face_uv(face_vector(face, at(i), at(j)));
            Self::from_face_ij(face, st_to_ij(0.5 * (u + 1.0)), st_to_ij(0.5 * (v + 1.0)))
        };
        leaf.parent(self.level()).unwrap_or(leaf)
    }
}

/// Face and coordinates -1 ..= 1 of a vector.
#[inline(always)]
pub(crate) fn face_uv(v: V3) -> (u8, f64, f64) {
    let [x, y, z] = v;
    let (ax, ay, az) = (x.abs(), y.abs(), z.abs());
    if ax > ay && ax > az {
        if x > 0.0 { (0, y / x, z / x) } else { (3, z / x, y / x) }
    } else if ay >= ax && ay > az {
        if y > 0.0 { (1, -x / y, z / y) } else { (4, z / y, -x / y) }
    } else if z > 0.0 {
        (2, -x / z, -y / z)
    } else {
        (5, -y / z, -x / z)
    }
}

/// The vector of a point on a face, not of unit length.
pub(crate) fn face_vector(face: u8, u: f64, v: f64) -> V3 {
    match face {
        0 => [1.0, u, v],
        1 => [-u, 1.0, v],
        2 => [-u, -v, 1.0],
        3 => [-1.0, -v, -u],
        4 => [v, -1.0, -u],
        _ => [v, u, -1.0],
    }
}

/// The quadratic projection, which makes cells of a level more equal.
#[inline(always)]
pub(crate) fn uv_to_st(u: f64) -> f64 {
    let half = 0.5 * math::sqrt(1.0 + 3.0 * u.abs());
    if u >= 0.0 { half } else { 1.0 - half }
}

pub(crate) fn st_to_uv(s: f64) -> f64 {
    if s >= 0.5 { (4.0 * s * s - 1.0) / 3.0 } else { (1.0 - 4.0 * (1.0 - s) * (1.0 - s)) / 3.0 }
}

/// `as` saturates below; the last leaf has the upper edge.
#[inline(always)]
pub(crate) fn st_to_ij(s: f64) -> u32 {
    ((s * f64::from(SIZE)) as u32).min(SIZE - 1)
}

/// The place on the curve: face, then two bits a level, down to the last `8 * skip` bits.
#[inline(always)]
pub(crate) fn curve(face: u8, i: u32, j: u32, skip: u32) -> u64 {
    let mut n = u64::from(face) << 60;
    let mut bits = usize::from(face & 1);
    let mut k = 8;
    while k > skip {
        k -= 1;
        bits |= (i >> (4 * k) & 15) as usize * 64 + (j >> (4 * k) & 15) as usize * 4;
        bits = usize::from(TO_POS[bits & 1023]);
        n |= ((bits >> 2) as u64) << (8 * k);
        bits &= 3;
    }
    n
}

/// Four levels at once: (i, j, orientation) to (position, orientation) and back. The curve of a
/// quadrant is turned (1) or turned and reversed (3) against its parent's.
const TABLES: ([u16; 1024], [u16; 1024]) = {
    const ORDER: [[usize; 4]; 4] = [[0, 1, 3, 2], [0, 2, 3, 1], [3, 2, 0, 1], [3, 1, 0, 2]];
    const TURN: [usize; 4] = [1, 0, 0, 3];
    let (mut to_pos, mut to_ij) = ([0; 1024], [0; 1024]);
    let mut start = 0;
    while start < 4 {
        let mut pos = 0;
        while pos < 256 {
            let (mut i, mut j, mut turn, mut level) = (0, 0, start, 4);
            while level > 0 {
                level -= 1;
                let quadrant = pos >> (2 * level) & 3;
                let ij = ORDER[turn][quadrant];
                i = i << 1 | ij >> 1;
                j = j << 1 | ij & 1;
                turn ^= TURN[quadrant];
            }
            to_pos[(i * 16 + j) * 4 + start] = (pos * 4 + turn) as u16;
            to_ij[pos * 4 + start] = ((i * 16 + j) * 4 + turn) as u16;
            pos += 1;
        }
        start += 1;
    }
    (to_pos, to_ij)
};
static TO_POS: [u16; 1024] = TABLES.0;
static TO_IJ: [u16; 1024] = TABLES.1;

impl fmt::Display for CellId {
    /// The token: hexadecimal without the zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeros = self.to_u64().trailing_zeros() / 4;
        write!(f, "{:0width$x}", self.to_u64() >> (4 * zeros), width = 16 - zeros as usize)
    }
}

impl fmt::Debug for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CellId({self})")
    }
}

impl FromStr for CellId {
    type Err = CellError;

    fn from_str(token: &str) -> Result<Self, CellError> {
        if token.is_empty() || token.len() > 16 {
            return Err(CellError::Length { len: token.len() });
        }
        let mut id = 0;
        for (offset, byte) in token.bytes().enumerate() {
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(CellError::Character { offset, byte });
            };
            id |= u64::from(digit) << (60 - 4 * offset);
        }
        Self::from_u64(id)
    }
}

/// Why there is no such cell.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellError {
    /// A face past 5.
    Face {
        /// Which.
        face: u8,
    },
    /// A number that is no cell's id.
    Id {
        /// Which.
        id: u64,
    },
    /// A token of no or of more than 16 characters.
    Length {
        /// How many.
        len: usize,
    },
    /// A character that is no hexadecimal digit.
    Character {
        /// Where, in bytes.
        offset: usize,
        /// Which byte.
        byte: u8,
    },
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Face { face } => write!(f, "face {face}, it may be 0 to 5"),
            Self::Id { id } => write!(f, "{id:#018x} is no cell's id"),
            Self::Length { len } => write!(f, "a token of {len} characters, it may be 1 to 16"),
            Self::Character { offset, byte } => {
                write!(f, "byte {byte:#04x} at {offset} is no hexadecimal digit")
            }
        }
    }
}

impl core::error::Error for CellError {}
