//! Count-Min: a 16-byte preamble, then total weight and the rows, all doubles.
//!
//! | byte | 0 | 1 | 2 | 3 | 4 to 7 | 8 to 11 | 12 | 13, 14 | 15 |
//! |---|---|---|---|---|---|---|---|---|---|
//! | | 2 | 1 | 18 | bit 0: empty | 0 | buckets | hashes | seed hash | 0 |

use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use crate::wire::murmur3::{murmur3_u64, murmur3_x64_128};
use crate::{Bounds, Incompatible, Item, Merge, ParamError, math};

const FAMILY: u8 = 18;
const SERIAL_VERSION: u8 = 1;
const MAX_CELLS: u64 = 1 << 28;

/// The Count-Min of Apache DataSketches for C++ with weights in doubles: same rows, same bytes,
/// same answers.
///
/// The seeds of its rows come from C++'s `std::default_random_engine` and
/// `uniform_int_distribution`, which the standard leaves open; these are libstdc++'s, so images
/// made on Linux agree. Use [`CountMin`](crate::CountMin) unless the bytes have to be read there:
/// it is several times faster.
///
/// **Guarantee** for weights that are not negative: `truth <= count <= truth + e / buckets * N`,
/// the latter with probability at least `1 - e^-hashes`. (`get_lower_bound` in C++ returns the
/// estimate, which is no lower bound; [`bounds`](Self::bounds) does not copy that.)
#[derive(Clone, Debug, PartialEq)]
pub struct DsCountMin {
    row_seeds: Vec<u64>,
    buckets: u32,
    seed: u64,
    total: f64,
    /// Row after row; nothing while nothing was added.
    cells: Vec<f64>,
}

impl DsCountMin {
    /// The seed that all of DataSketches uses unless told otherwise.
    pub const DEFAULT_SEED: u64 = 9001;

    /// A sketch of `hashes` rows of `buckets`.
    ///
    /// # Errors
    /// When `hashes` is 0, `buckets` under 3, or together they are over 2^28.
    pub fn new(hashes: u8, buckets: u32, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("hashes", hashes.into(), 1, u8::MAX.into())?;
        ParamError::whole("buckets", buckets.into(), 3, MAX_CELLS / u64::from(hashes))?;
        let row_seeds = row_seeds(seed).take(hashes.into()).collect();
        Ok(Self { row_seeds, buckets, seed, total: 0.0, cells: Vec::new() })
    }

    /// Buckets for a relative error: e / error, rounded up.
    #[must_use]
    pub fn suggest_buckets(error: f64) -> u32 {
        math::ceil(core::f64::consts::E / error) as u32
    }

    /// Rows for a confidence: ln(1 / (1 - confidence)), rounded up, at most 127.
    #[must_use]
    pub fn suggest_hashes(confidence: f64) -> u8 {
        (math::ceil(-math::ln(1.0 - confidence)) as u8).min(127)
    }

    /// Adds `weight` of `item`.
    ///
    /// # Errors
    /// When `weight` is negative, infinite or not a number.
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q, weight: f64) -> Result<(), ParamError> {
        ParamError::real("weight", weight, 0.0, f64::MAX)?;
        if self.cells.is_empty() {
            self.cells = alloc::vec![0.0; self.row_seeds.len() * self.buckets as usize];
        }
        // Saturates: an infinite cell could not be read again.
        self.total = (self.total + weight).min(f64::MAX);
        let buckets = self.buckets;
        item.with_bytes(|bytes| {
            for (row, &seed) in self.row_seeds.iter().enumerate() {
                let cell = &mut self.cells[cell(bytes, row, seed, buckets)];
                *cell = (*cell + weight).min(f64::MAX);
            }
        });
        Ok(())
    }

    /// The estimate: not below the truth.
    pub fn count<Q: Item + ?Sized>(&self, item: &Q) -> f64 {
        if self.cells.is_empty() {
            return 0.0;
        }
        item.with_bytes(|bytes| {
            let rows = self.row_seeds.iter().enumerate();
            let cells = rows.map(|(row, &seed)| self.cells[cell(bytes, row, seed, self.buckets)]);
            cells.fold(f64::INFINITY, f64::min)
        })
    }

    /// The estimate, itself the certain upper bound, and the lower bound that holds with
    /// probability at least `1 - e^-hashes`.
    pub fn bounds<Q: Item + ?Sized>(&self, item: &Q) -> Bounds {
        let estimate = self.count(item);
        let lower = (estimate - self.relative_error() * self.total).max(0.0);
        Bounds { lower, estimate, upper: estimate }
    }

    /// e / buckets.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        core::f64::consts::E / f64::from(self.buckets)
    }

    /// N: the weight added.
    #[must_use]
    pub const fn total(&self) -> f64 {
        self.total
    }

    /// The bytes that C++ writes.
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        let empty = self.cells.is_empty();
        let mut out = Writer::with_capacity(24 + 8 * self.cells.len());
        out.bytes(&[2, SERIAL_VERSION, FAMILY, u8::from(empty)]);
        out.u32(0);
        out.u32(self.buckets);
        out.u8(self.row_seeds.len() as u8);
        out.u16(seed_hash(self.seed));
        out.u8(0);
        if !empty {
            out.f64(self.total);
            self.cells.iter().for_each(|&cell| out.f64(cell));
        }
        out.into_vec()
    }

    /// Reads what C++ wrote under `seed`.
    ///
    /// # Errors
    /// When the bytes are not a Count-Min, cut short, made under another seed, or hold a weight
    /// that is infinite or not a number.
    pub fn from_datasketches(bytes: &[u8], seed: u64) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let longs = input.u8("preamble longs")?;
        let version = input.u8("serial version")?;
        if version != SERIAL_VERSION {
            let why = Why::Version { found: version, newest: SERIAL_VERSION };
            return Err(input.error("serial version", why));
        }
        let family = input.u8("family")?;
        if family != FAMILY {
            return Err(input.error("family", Why::Kind { found: family, expected: FAMILY }));
        }
        let empty = input.u8("flags")? & 1 != 0;
        input.u32("unused")?;
        let buckets = input.u32("buckets")?;
        let hashes = input.u8("hashes")?;
        let found = input.u16("seed hash")?;
        input.u8("unused")?;
        if longs != 2 {
            return Err(input.error("preamble longs", Why::Invalid("not 2")));
        }
        if found != seed_hash(seed) {
            return Err(input.error("seed hash", Why::Invalid("made under another seed")));
        }
        let mut sketch = Self::new(hashes, buckets, seed)
            .map_err(|_| input.error("shape", Why::Invalid("outside the limits")))?;
        if !empty {
            sketch.total = finite(&mut input, "total weight")?;
            let len = hashes as usize * buckets as usize;
            let mut cells = Reader::new(input.bytes(len * 8, "cells")?);
            sketch.cells = Vec::with_capacity(len);
            for _ in 0..len {
                sketch.cells.push(finite(&mut cells, "cell")?);
            }
        }
        input.finish()?;
        Ok(sketch)
    }
}

impl Merge for DsCountMin {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("buckets", self.buckets.into(), other.buckets.into())?;
        let (ours, theirs) = (self.row_seeds.len() as u64, other.row_seeds.len() as u64);
        Incompatible::unless_equal("hashes", ours, theirs)?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        if self.cells.is_empty() {
            self.cells.clone_from(&other.cells);
        } else {
            let pairs = self.cells.iter_mut().zip(&other.cells);
            pairs.for_each(|(a, b)| *a = (*a + b).clamp(f64::MIN, f64::MAX));
        }
        self.total = (self.total + other.total).clamp(f64::MIN, f64::MAX);
        Ok(())
    }
}

fn finite(input: &mut Reader<'_>, what: &'static str) -> Result<f64, DecodeError> {
    let start = input.clone();
    let value = input.f64(what)?;
    if value.is_finite() { Ok(value) } else { Err(start.error(what, Why::Invalid("not finite"))) }
}

fn cell(bytes: &[u8], row: usize, seed: u64, buckets: u32) -> usize {
    let (hash, _) = murmur3_x64_128(bytes, seed);
    row * buckets as usize + (hash % u64::from(buckets)) as usize
}

/// The 16 bits by which images of other seeds are told apart.
fn seed_hash(seed: u64) -> u16 {
    murmur3_u64(seed, 0).0 as u16
}

/// libstdc++'s `uniform_int_distribution<uint64_t>` over its `default_random_engine` (MINSTD: times
/// 16807 modulo 2^31 - 1), plus the seed.
fn row_seeds(seed: u64) -> impl Iterator<Item = u64> {
    const MODULUS: u64 = (1 << 31) - 1;
    /// Values of the engine, 1 to `MODULUS - 1`.
    const VALUES: u64 = MODULUS - 1;
    let mut state = if seed % MODULUS == 0 { 1 } else { seed % MODULUS };
    let mut engine = move || {
        state = state * 16807 % MODULUS;
        state - 1
    };
    core::iter::from_fn(move || {
        // Three digits: the engine's range taken twice out of 2^64 leaves a digit of 0 to 4, drawn
        // by scaling down; a number over the top is drawn again.
        let (high, middle) = (u64::MAX / VALUES / VALUES, u64::MAX / VALUES);
        let drawn = loop {
            let digits = loop {
                let scaling = (VALUES - 1) / (high + 1);
                let digit = loop {
                    let value = engine();
                    if value < (high + 1) * scaling {
                        break value / scaling;
                    }
                };
                let digits = digit * VALUES + engine();
                if digits <= middle {
                    break digits;
                }
            };
            if let Some(drawn) = digits.checked_mul(VALUES).and_then(|d| d.checked_add(engine())) {
                break drawn;
            }
        };
        Some(drawn.wrapping_add(seed))
    })
}
