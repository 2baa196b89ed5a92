//! Rateless invertible Bloom look-up tables (Yang, Gilad, Alizadeh, SIGCOMM 2024,
//! arXiv 2402.02668): a stream of coded symbols of one set, from any prefix of which, long enough,
//! another set with d differences is told apart: about 1.35 d symbols for large d, 1.72 at worst.

use alloc::vec::Vec;

use archstone_core::hash::hash_u64;

use super::keys::{Cost, Difference, Keys, Reconcile, Step, SyncError, invalid};
use crate::codec::{Reader, Value, Writer};

/// The most symbols that a decoder takes: differences of about 3 million keys.
const MAX_SYMBOLS: u64 = 1 << 22;

/// A place that no stream reaches.
const FAR: u64 = 1 << 40;

/// Some keys of a set, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodedSymbol {
    /// The exclusive or of the keys.
    pub sum: u64,
    /// The exclusive or of their salted hashes: tells a single key from a mixture.
    pub check: u64,
    /// How many, theirs less ours.
    pub count: i64,
}

impl CodedSymbol {
    fn add(&mut self, key: u64, check: u64, direction: i64) {
        self.sum ^= key;
        self.check ^= check;
        self.count = self.count.wrapping_add(direction);
    }
}

/// The places of one key in the stream: 0, then gaps that grow so that symbol `i` holds a key with
/// probability `1 / (1 + i / 2)` (section 4.2 of the paper).
#[derive(Clone, Copy, Debug)]
struct Places {
    at: u64,
    state: u64,
}

impl Places {
    /// `check` is the salted hash of the key, so the places are salted as well.
    const fn of(check: u64) -> Self {
        Self { at: 0, state: check | 1 }
    }

    #[inline]
    fn advance(&mut self) {
        // A multiplicative generator; the constant is the one of Steele and Vigna's table for
        // 64 bits. Its upper bits are good.
        self.state = self.state.wrapping_mul(0xda94_2042_e4dd_58b5);
        // gap = floor((at + 1.5) * (2^32 / sqrt(r) - 1)) + 1 with r in 0..2^64, in whole numbers:
        // every machine agrees. The reciprocal root is a table's, interpolated, right to 2^-17.
        // Below 2^-44 the root is cut, so that the product fits: no symbol is that far away.
        let even = ((self.state | 1).leading_zeros() & !1).min(44);
        let scaled = (self.state << even) | (1 << 62);
        let (row, rest) = ((scaled >> 54) as usize, (scaled >> 22) & 0xffff_ffff);
        let (root, step) = ROOTS[row % ROOTS.len()];
        let inverse = root - ((step * rest) >> 32);
        let excess = (inverse << (even / 2)) - (1 << 32);
        let gap = ((u128::from(2 * self.at + 3) * u128::from(excess)) >> 33) as u64 + 1;
        self.at = (self.at + gap).min(FAR);
    }
}

/// `2^32 / sqrt(i / 1024)` for `i` from 256 to 1,023, and how much less it is for `i + 1`; rows
/// before 256 are never read.
static ROOTS: [(u64, u64); 1024] = {
    let mut roots = [(0, 0); 1024];
    let mut row = 256;
    while row < roots.len() {
        let root = ((1_u128 << 74) / row as u128).isqrt() as u64;
        let next = ((1_u128 << 74) / (row as u128 + 1)).isqrt() as u64;
        roots[row] = (root, root - next);
        row += 1;
    }
    roots
};

/// Makes the coded symbols of a set, as many as are asked for.
///
/// O(keys · log symbols) in all for a stream of symbols; 24 bytes a key.
#[derive(Clone, Debug)]
pub struct RibltEncoder {
    keys: Vec<(u64, u64, Places)>,
    made: u64,
}

impl RibltEncoder {
    /// The stream of `keys`, in any order, each once, under the salt of the session.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = u64>, salt: u64) -> Self {
        let entry = |key: u64| {
            let check = hash_u64(key, salt);
            (key, check, Places::of(check))
        };
        Self { keys: keys.into_iter().map(entry).collect(), made: 0 }
    }

    /// The next `count` symbols.
    pub fn next_symbols(&mut self, count: usize) -> Vec<CodedSymbol> {
        let mut symbols = alloc::vec![CodedSymbol::default(); count];
        self.add_to(&mut symbols, 1);
        symbols
    }

    /// Adds the next `symbols.len()` symbols to `symbols`.
    fn add_to(&mut self, symbols: &mut [CodedSymbol], direction: i64) {
        let end = self.made + symbols.len() as u64;
        for (key, check, stored) in &mut self.keys {
            let mut places = *stored;
            while places.at < end {
                symbols[(places.at - self.made) as usize].add(*key, *check, direction);
                places.advance();
            }
            *stored = places;
        }
        self.made = end;
    }
}

/// Tells two sets apart from the symbols of one and the keys of the other.
#[derive(Clone, Debug)]
pub struct RibltDecoder {
    /// Ours, to be taken out of what arrives.
    ours: RibltEncoder,
    symbols: Vec<CodedSymbol>,
    /// Found keys, with their places in symbols still to come.
    found: RibltEncoder,
    directions: Vec<i64>,
    salt: u64,
    difference: Difference,
}

impl RibltDecoder {
    /// A decoder of the side that holds `keys`.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        Self {
            ours: RibltEncoder::new(keys.as_slice().iter().copied(), keys.salt()),
            symbols: Vec::new(),
            found: RibltEncoder { keys: Vec::new(), made: 0 },
            directions: Vec::new(),
            salt: keys.salt(),
            difference: Difference::default(),
        }
    }

    /// Takes in the next symbols of the other set; whether the difference is known.
    ///
    /// # Errors
    /// After 2^22 symbols.
    pub fn take(&mut self, theirs: &[CodedSymbol]) -> Result<bool, SyncError> {
        let start = self.symbols.len();
        if (start + theirs.len()) as u64 > MAX_SYMBOLS {
            return Err(SyncError::Limit { what: "symbols", limit: MAX_SYMBOLS });
        }
        self.symbols.extend_from_slice(theirs);
        let end = self.symbols.len() as u64;
        self.ours.add_to(&mut self.symbols[start..], -1);
        // What was found before is in the new symbols too.
        for ((key, check, places), direction) in self.found.keys.iter_mut().zip(&self.directions) {
            while places.at < end {
                self.symbols[places.at as usize].add(*key, *check, -direction);
                places.advance();
            }
        }
        let mut pure: Vec<usize> = (start..self.symbols.len()).collect();
        while let Some(at) = pure.pop() {
            let symbol = self.symbols[at];
            let single = symbol.count == 1 || symbol.count == -1;
            if !single || hash_u64(symbol.sum, self.salt) != symbol.check {
                continue;
            }
            let CodedSymbol { sum: key, check, count: direction } = symbol;
            if direction == 1 {
                self.difference.we_lack.push(key);
            } else {
                self.difference.they_lack.push(key);
            }
            let mut places = Places::of(check);
            while places.at < end {
                let touched = places.at as usize;
                self.symbols[touched].add(key, check, -direction);
                pure.push(touched);
                places.advance();
            }
            self.found.keys.push((key, check, places));
            self.directions.push(direction);
            // A forged stream could make one key come and go for ever.
            if self.found.keys.len() > self.symbols.len() {
                return Err(SyncError::Limit { what: "keys", limit: self.symbols.len() as u64 });
            }
        }
        // Every key is in symbol 0, so it is empty only when all are found.
        let done = self.symbols.first().is_some_and(|first| *first == CodedSymbol::default());
        if done {
            self.difference.we_lack.sort_unstable();
            self.difference.they_lack.sort_unstable();
        }
        Ok(done)
    }

    /// Symbols taken in.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.symbols.len()
    }

    /// What was found so far.
    #[must_use]
    pub const fn difference(&self) -> &Difference {
        &self.difference
    }
}

/// Reconciliation by coded symbols: one side streams, the other tells when it knows.
///
/// One round trip for small differences whatever the size of the sets; each block of symbols is
/// half as long as all before it, so a difference of d costs at most 1.5 times the symbols that it
/// needs, 17 bytes each or so.
#[derive(Clone, Debug)]
pub struct Riblt {
    keys: Keys,
    /// The side that begins streams; the other decodes.
    encoder: Option<RibltEncoder>,
    decoder: Option<RibltDecoder>,
    sent_symbols: usize,
    first_block: usize,
    difference: Difference,
    cost: Cost,
}

const MORE: u8 = 0;
const RESULT: u8 = 1;

impl Riblt {
    /// One side, with its keys.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self {
            keys,
            encoder: None,
            decoder: None,
            sent_symbols: 0,
            first_block: 64,
            difference: Difference::default(),
            cost: Cost::default(),
        }
    }

    /// Begins with `symbols` symbols instead of 64: 1.4 times the difference that is expected.
    #[must_use]
    pub fn with_first_block(mut self, symbols: usize) -> Self {
        self.first_block = symbols.clamp(1, 1 << 16);
        self
    }

    fn block(&mut self) -> Result<Vec<u8>, SyncError> {
        let count = if self.sent_symbols == 0 { self.first_block } else { self.sent_symbols / 2 };
        let count = count.max(1);
        if (self.sent_symbols + count) as u64 > MAX_SYMBOLS {
            return Err(SyncError::Limit { what: "symbols", limit: MAX_SYMBOLS });
        }
        let keys = &self.keys;
        let encoder = self
            .encoder
            .get_or_insert_with(|| RibltEncoder::new(keys.as_slice().iter().copied(), keys.salt()));
        let mut out = Writer::with_capacity(count * 18);
        for symbol in encoder.next_symbols(count) {
            out.u64(symbol.sum);
            out.u64(symbol.check);
            symbol.count.put(&mut out);
        }
        self.sent_symbols += count;
        Ok(self.sent(out))
    }

    fn sent(&mut self, out: Writer) -> Vec<u8> {
        let bytes = out.into_vec();
        self.cost.sent += bytes.len() as u64;
        bytes
    }

    fn decode(&mut self, incoming: &[u8]) -> Result<Step, SyncError> {
        let mut input = Reader::new(incoming);
        let mut symbols = Vec::with_capacity(incoming.len() / 17);
        while input.remaining() > 0 {
            let (sum, check) = (input.u64("sum")?, input.u64("check")?);
            symbols.push(CodedSymbol { sum, check, count: i64::read(&mut input)? });
        }
        if symbols.is_empty() {
            return Err(invalid(0, "symbols", "none"));
        }
        let keys = &self.keys;
        let decoder = self.decoder.get_or_insert_with(|| RibltDecoder::new(keys));
        let done = decoder.take(&symbols)?;
        let mut out = Writer::new();
        if !done {
            out.u8(MORE);
            return Ok(Step::Send(self.sent(out)));
        }
        self.difference = decoder.difference().clone();
        out.u8(RESULT);
        for side in [&self.difference.they_lack, &self.difference.we_lack] {
            out.varint(side.len() as u64);
            side.iter().for_each(|&key| out.u64(key));
        }
        Ok(Step::Last(self.sent(out)))
    }
}

impl Reconcile for Riblt {
    fn start(&mut self) -> Vec<u8> {
        self.block().unwrap_or_default()
    }

    fn step(&mut self, incoming: &[u8]) -> Result<Step, SyncError> {
        self.cost.rounds += 1;
        self.cost.received += incoming.len() as u64;
        if self.encoder.is_none() {
            return self.decode(incoming);
        }
        let mut input = Reader::new(incoming);
        if input.u8("answer")? == MORE {
            input.finish()?;
            return self.block().map(Step::Send);
        }
        // Their view is ours the other way round.
        for we in [true, false] {
            let count = input.count(8, "keys")?;
            let mut side = Vec::with_capacity(count);
            for _ in 0..count {
                let at = input.position();
                let key = input.u64("key")?;
                let ours = self.keys.as_slice().binary_search(&key).is_ok();
                if ours == we || side.last().is_some_and(|&last| last >= key) {
                    return Err(invalid(at, "key", "on the wrong side or out of order"));
                }
                side.push(key);
            }
            if we {
                self.difference.we_lack = side;
            } else {
                self.difference.they_lack = side;
            }
        }
        input.finish()?;
        Ok(Step::Done)
    }

    fn difference(&self) -> &Difference {
        &self.difference
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}
