use alloc::vec;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::Sigmas;
use crate::math::{ln, pow, sqrt};
use crate::wire::murmur3::{murmur3_u64, murmur3_x64_128};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Merge, ParamError, Wire, kinds};

/// What a PostgreSQL `hll` column is declared with: `hll(log2m, regwidth, expthresh, sparseon)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgHllParams {
    /// The binary logarithm of the number of registers, 4 to 17.
    pub log2m: u8,
    /// Bits of a register, 1 to 8.
    pub regwidth: u8,
    /// Hashes that are kept as they are before registers are taken up: 0, a power of two up to
    /// 2^17, or -1, as many as fit the space of the registers.
    pub expthresh: i32,
    /// Whether registers are stored as pairs while that is shorter.
    pub sparse: bool,
}

impl Default for PgHllParams {
    /// Those of `hll` without parameters: 11, 5, -1, on.
    fn default() -> Self {
        Self { log2m: 11, regwidth: 5, expthresh: -1, sparse: true }
    }
}

/// The HyperLogLog of PostgreSQL's `hll` extension: its hash, its estimate and, by
/// `to_postgres` and `from_postgres`, its bytes (storage specification 1.0: empty, explicit,
/// sparse, full).
///
/// Exact while no more than `expthresh` items were added, 160 with the default parameters; then
/// the relative standard error is `1.04 / sqrt(2^log2m)`, and a few percent of bias more where
/// Flajolet's estimator changes its range, near `2.5 * 2^log2m` items: that is how PostgreSQL
/// counts. 2^log2m bytes in memory.
///
/// An item is hashed as `hll_hash_bigint` (every integer type here), `hll_hash_text` and
/// `hll_hash_bytea` hash it under seed 0.
///
/// ```
/// use archstone_sketch::distinct::{PgHll, PgHllParams};
///
/// let mut users = PgHll::new(PgHllParams::default())?;
/// (1..=100_i64).for_each(|id| users.add(&id));
/// assert_eq!(users.estimate(), 100.0);
/// let column = users.to_postgres(); // a bytea that casts to hll
/// assert_eq!(PgHll::from_postgres(&column)?.estimate(), 100.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PgHll {
    params: PgHllParams,
    max_sparse: Option<u32>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    /// The hashes, ascending as signed numbers; also what an empty counter has.
    Explicit(Vec<i64>),
    /// Index and value of the registers above 0, ascending: as they were read. A few bytes may
    /// stand for 2^17 registers, so these are taken up by the first addition, not by reading.
    Pairs(Vec<(u32, u8)>),
    /// 2^log2m of them.
    Registers(Vec<u8>),
}

impl PgHll {
    /// An empty counter.
    ///
    /// # Errors
    /// When a parameter is outside its range.
    pub fn new(params: PgHllParams) -> Result<Self, ParamError> {
        ParamError::whole("log2m", params.log2m.into(), 4, 17)?;
        ParamError::whole("regwidth", params.regwidth.into(), 1, 8)?;
        if params.expthresh != -1 {
            let threshold =
                ParamError::real("expthresh", params.expthresh.into(), -1.0, 131_072.0)?;
            // Only powers of two can be written down.
            if threshold != 0.0 && !(threshold as u32).is_power_of_two() {
                let min = f64::from(1_u32 << (threshold as u32).ilog2());
                return Err(ParamError::Real {
                    what: "expthresh",
                    value: threshold,
                    min,
                    max: min,
                });
            }
        }
        Ok(Self { params, max_sparse: None, body: Body::Explicit(Vec::new()) })
    }

    /// Writes pairs up to this many registers, as after `hll_set_max_sparse`; by default as long as
    /// that is shorter.
    #[must_use]
    pub fn with_max_sparse(mut self, registers: u32) -> Self {
        self.max_sparse = Some(registers);
        self
    }

    /// Adds an item.
    #[inline]
    pub fn add<Q: Item + ?Sized>(&mut self, item: &Q) {
        self.add_hash(item.with_bytes(|bytes| match <[u8; 8]>::try_from(bytes) {
            Ok(word) => murmur3_u64(u64::from_le_bytes(word), 0).0,
            Err(_) => murmur3_x64_128(bytes, 0).0,
        }));
    }

    /// Adds the item whose hash, an `hll_hashval`, is `hash`.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) {
        let PgHllParams { log2m, regwidth, .. } = self.params;
        match &mut self.body {
            Body::Registers(registers) => {
                let index = hash as usize & ((1 << log2m) - 1);
                let rest = hash >> log2m;
                // No bit at all is no rank at all: that is how the original has it.
                let rank = if rest == 0 { 0 } else { rest.trailing_zeros() as u8 + 1 };
                registers[index] = rank.min(greatest(regwidth)).max(registers[index]);
            }
            _ => self.add_sparse(hash),
        }
    }

    /// How many different items were added, as `hll_cardinality` says.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let m = (1_u64 << self.params.log2m) as f64;
        let (mut sum, mut zeros) = (m, m);
        let mut register = |value: u8| {
            sum += pow(0.5, value.into()) - 1.0;
            zeros -= f64::from(value > 0);
        };
        match &self.body {
            Body::Explicit(hashes) => return hashes.len() as f64,
            Body::Pairs(pairs) => pairs.iter().for_each(|&(_, value)| register(value)),
            Body::Registers(registers) => registers.iter().for_each(|&value| register(value)),
        }
        let alpha = match self.params.log2m {
            4 => 0.673,
            5 => 0.697,
            6 => 0.709,
            _ => 0.7213 / (1.0 + 1.079 / m),
        };
        let estimate = alpha * m * m / sum;
        if zeros > 0.0 && estimate < 2.5 * m {
            return m * ln(m / zeros);
        }
        let bits = u32::from(greatest(self.params.regwidth)) - 1 + u32::from(self.params.log2m);
        let all = pow(2.0, bits.into());
        if estimate <= all / 30.0 {
            estimate
        } else if estimate < all {
            -all * ln(1.0 - estimate / all)
        } else {
            // The correction has no value here; registers this full say no more than that.
            estimate
        }
    }

    /// The estimate and its bounds by the asymptotic error; exact with explicit hashes.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        let estimate = self.estimate();
        if let Body::Explicit(_) = self.body {
            return Bounds::exact(estimate);
        }
        let m = (1_u64 << self.params.log2m) as f64;
        let error = sigmas.number() * 1.04 / sqrt(m);
        Bounds { lower: estimate / (1.0 + error), estimate, upper: estimate / (1.0 - error) }
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.body, Body::Explicit(hashes) if hashes.is_empty())
    }

    /// What it was made with.
    #[must_use]
    pub const fn params(&self) -> PgHllParams {
        self.params
    }

    /// The bytes that PostgreSQL stores.
    #[must_use]
    pub fn to_postgres(&self) -> Vec<u8> {
        let PgHllParams { log2m, regwidth, expthresh, sparse } = self.params;
        let threshold = match expthresh {
            -1 => 63,
            0 => 0,
            n => n.ilog2() as u8 + 1,
        };
        let mut out = Writer::new();
        let pairs: Vec<(u32, u8)> = match &self.body {
            Body::Explicit(_) => Vec::new(),
            Body::Pairs(pairs) => pairs.clone(),
            Body::Registers(registers) => {
                (0..).zip(registers.iter().copied()).filter(|(_, value)| *value > 0).collect()
            }
        };
        let pair_bytes = (pairs.len() * usize::from(log2m + regwidth)).div_ceil(8);
        let full_bytes = ((1 << log2m) * usize::from(regwidth)).div_ceil(8);
        let short = self
            .max_sparse
            .map_or(pair_bytes < full_bytes, |most| pairs.len() as u64 <= most.into());
        let kind = match &self.body {
            Body::Explicit(hashes) if hashes.is_empty() => EMPTY,
            Body::Explicit(_) => EXPLICIT,
            // Without a register above 0 there is no pair, which readers take for damage.
            _ if sparse && short && !pairs.is_empty() => SPARSE,
            _ => FULL,
        };
        out.bytes(&[
            VERSION << 4 | kind,
            (regwidth - 1) << 5 | log2m,
            u8::from(sparse) << 6 | threshold,
        ]);
        let mut bits = Bits::default();
        match &self.body {
            Body::Explicit(hashes) => hashes.iter().for_each(|hash| out.bytes(&hash.to_be_bytes())),
            _ if kind == SPARSE => {
                for (index, value) in pairs {
                    bits.put(&mut out, index << regwidth | u32::from(value), log2m + regwidth);
                }
            }
            _ => {
                let mut pairs = pairs.into_iter().peekable();
                for index in 0..1 << log2m {
                    let value = pairs.next_if(|pair| pair.0 == index).map_or(0, |pair| pair.1);
                    bits.put(&mut out, value.into(), regwidth);
                }
            }
        }
        bits.end(&mut out);
        out.into_vec()
    }

    /// Reads what PostgreSQL stores.
    ///
    /// # Errors
    /// When the bytes are not schema version 1, undefined, cut short, too long, or such as no
    /// counter has.
    pub fn from_postgres(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let start = input.clone();
        let first = input.u8("version and type")?;
        if first >> 4 != VERSION {
            let why = Why::Version { found: first >> 4, newest: VERSION };
            return Err(start.error("version", why));
        }
        let shape = input.clone();
        let param = input.u8("parameters")?;
        let cutoff = input.u8("cutoff")?;
        let params = PgHllParams {
            log2m: param & 31,
            regwidth: (param >> 5) + 1,
            expthresh: match cutoff & 63 {
                63 => -1,
                0 => 0,
                n => 1_i32.checked_shl(u32::from(n) - 1).unwrap_or(-2),
            },
            sparse: cutoff & 64 != 0,
        };
        let mut sketch = Self::new(params)
            .map_err(|_| shape.error("parameters", Why::Invalid("outside their ranges")))?;
        let start = input.clone();
        let body = input.bytes(input.remaining(), "body")?;
        let invalid = |why| start.error("body", Why::Invalid(why));
        let width = usize::from(params.regwidth);
        let m = 1_usize << params.log2m;
        match first & 15 {
            EMPTY if body.is_empty() => {}
            EMPTY => return Err(invalid("an empty one with a body")),
            EXPLICIT => {
                if body.len() % 8 != 0 || body.is_empty() {
                    return Err(invalid("explicit hashes of no whole number"));
                }
                let hashes = body.chunks_exact(8);
                let hashes =
                    hashes.map(|hash| i64::from_be_bytes(hash.try_into().unwrap_or_default()));
                let hashes: Vec<i64> = hashes.collect();
                if !hashes.is_sorted_by(|a, b| a < b) {
                    return Err(invalid("explicit hashes that do not ascend"));
                }
                if hashes.len() > sketch.threshold() {
                    return Err(invalid("more explicit hashes than the threshold"));
                }
                sketch.body = Body::Explicit(hashes);
            }
            FULL => {
                if body.len() != (m * width).div_ceil(8) {
                    return Err(invalid("not the length of its registers"));
                }
                let mut bits = BitReader::new(body);
                sketch.body = Body::Registers((0..m).map(|_| bits.take(width) as u8).collect());
            }
            SPARSE => {
                let pair = width + usize::from(params.log2m);
                let pairs = body.len() * 8 / pair;
                if pairs == 0 || body.len() != (pairs * pair).div_ceil(8) {
                    return Err(invalid("not the length of its pairs"));
                }
                let mut bits = BitReader::new(body);
                let read = (0..pairs).map(|_| {
                    let word = bits.take(pair);
                    (word >> width, (word & ((1 << width) - 1)) as u8)
                });
                let read: Vec<(u32, u8)> = read.collect();
                if !read.is_sorted_by(|a, b| a.0 < b.0) || read.iter().any(|pair| pair.1 == 0) {
                    return Err(invalid("pairs that do not ascend, or an empty one"));
                }
                sketch.body = Body::Pairs(read);
            }
            UNDEFINED => return Err(invalid("undefined: there is no such counter")),
            _ => return Err(invalid("an unknown type")),
        }
        Ok(sketch)
    }

    fn threshold(&self) -> usize {
        match self.params.expthresh {
            -1 => {
                ((1_usize << self.params.log2m) * usize::from(self.params.regwidth)).div_ceil(8) / 8
            }
            n => n as usize,
        }
    }

    #[cold]
    #[inline(never)]
    fn add_sparse(&mut self, hash: u64) {
        let threshold = self.threshold();
        if let Body::Explicit(hashes) = &mut self.body {
            let Err(at) = hashes.binary_search(&(hash as i64)) else { return };
            if hashes.len() < threshold {
                hashes.insert(at, hash as i64);
                return;
            }
        }
        self.registers();
        self.add_hash(hash);
    }

    /// The registers, taken up if they were not.
    fn registers(&mut self) -> &mut [u8] {
        if !matches!(self.body, Body::Registers(_)) {
            let empty = Body::Registers(vec![0; 1 << self.params.log2m]);
            match core::mem::replace(&mut self.body, empty) {
                Body::Explicit(hashes) => {
                    hashes.into_iter().for_each(|hash| self.add_hash(hash as u64));
                }
                Body::Pairs(pairs) => self.raise(pairs),
                Body::Registers(_) => {}
            }
        }
        match &mut self.body {
            Body::Registers(registers) => registers,
            _ => &mut [],
        }
    }

    fn raise(&mut self, pairs: Vec<(u32, u8)>) {
        let registers = self.registers();
        for (index, value) in pairs {
            let register = &mut registers[index as usize];
            *register = value.max(*register);
        }
    }
}

const fn greatest(regwidth: u8) -> u8 {
    ((1_u16 << regwidth) - 1) as u8
}

impl Merge for PgHll {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        let (ours, theirs) = (self.params, other.params);
        Incompatible::unless_equal("log2m", ours.log2m.into(), theirs.log2m.into())?;
        Incompatible::unless_equal("regwidth", ours.regwidth.into(), theirs.regwidth.into())?;
        if ours.expthresh != theirs.expthresh {
            let (ours, theirs) = (ours.expthresh as u64, theirs.expthresh as u64);
            return Err(Incompatible { what: "expthresh", ours, theirs });
        }
        Incompatible::unless_equal("sparse", ours.sparse.into(), theirs.sparse.into())?;
        match &other.body {
            Body::Explicit(hashes) => hashes.iter().for_each(|&hash| self.add_hash(hash as u64)),
            Body::Pairs(pairs) => self.raise(pairs.clone()),
            Body::Registers(theirs) => {
                for (register, &theirs) in self.registers().iter_mut().zip(theirs) {
                    *register = theirs.max(*register);
                }
            }
        }
        Ok(())
    }
}

const VERSION: u8 = 1;
const UNDEFINED: u8 = 0;
const EMPTY: u8 = 1;
const EXPLICIT: u8 = 2;
const SPARSE: u8 = 3;
const FULL: u8 = 4;

/// Words of a few bits, the most significant first.
#[derive(Default)]
struct Bits {
    waiting: u64,
    held: u8,
}

impl Bits {
    fn put(&mut self, out: &mut Writer, word: u32, bits: u8) {
        self.waiting = self.waiting << bits | u64::from(word);
        self.held += bits;
        while self.held >= 8 {
            self.held -= 8;
            out.u8((self.waiting >> self.held) as u8);
        }
    }

    fn end(self, out: &mut Writer) {
        if self.held > 0 {
            out.u8((self.waiting << (8 - self.held)) as u8);
        }
    }
}

struct BitReader<'a> {
    bytes: core::slice::Iter<'a, u8>,
    waiting: u64,
    held: usize,
}

impl<'a> BitReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), waiting: 0, held: 0 }
    }

    fn take(&mut self, bits: usize) -> u32 {
        while self.held < bits {
            self.waiting = self.waiting << 8 | u64::from(self.bytes.next().copied().unwrap_or(0));
            self.held += 8;
        }
        self.held -= bits;
        (self.waiting >> self.held) as u32 & ((1 << bits) - 1)
    }
}

impl Wire for PgHll {
    fn encode_to(&self, out: &mut Writer) {
        let image = self.to_postgres();
        out.header(kinds::PG_HLL, 1);
        out.u32(self.max_sparse.unwrap_or(u32::MAX));
        out.varint(image.len() as u64);
        out.bytes(&image);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::PG_HLL, 1)?;
        let max_sparse = input.u32("most pairs")?;
        let len = input.count(1, "length of the image")?;
        let start = input.clone();
        let mut sketch = Self::from_postgres(input.bytes(len, "image")?)
            .map_err(|error| DecodeError { at: start.position() + error.at, ..error })?;
        sketch.max_sparse = Some(max_sparse).filter(|&most| most != u32::MAX);
        Ok(sketch)
    }
}

serde_as_wire!([] PgHll);
