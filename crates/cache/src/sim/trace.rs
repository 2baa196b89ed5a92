//! Traces: keys in the order they were asked for, renumbered, with or without sizes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hash;

use crate::index::Index;

/// Requests in order. Keys are renumbered from zero in order of their first request, so a trace takes
/// four bytes a request, twelve with sizes, and policies are compared on equal terms.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    keys: Vec<u32>,
    sizes: Option<Vec<u64>>,
    distinct: usize,
    weight: u64,
    distinct_weight: u64,
}

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceError {
    /// Bytes that are no multiple of eight.
    Length {
        /// How many there are.
        bytes: usize,
    },
    /// A line without a number where the size should be, or one that does not fit into 64 bits.
    Size {
        /// The line, from one.
        line: usize,
    },
    /// A line that is no UTF-8.
    Text {
        /// The line, from one.
        line: usize,
    },
    /// More distinct keys than can be numbered.
    TooLong {
        /// The most there can be.
        limit: usize,
    },
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => {
                write!(f, "{bytes} bytes are no whole number of 8-byte keys")
            }
            Self::Size { line } => write!(f, "line {line}: no size of 64 bits after the key"),
            Self::Text { line } => write!(f, "line {line}: not UTF-8"),
            Self::TooLong { limit } => write!(f, "more than {limit} distinct keys"),
        }
    }
}

impl core::error::Error for TraceError {}

/// Numbers keys in the order they come.
struct Numbers<K> {
    known: Vec<K>,
    index: Index,
    room: usize,
    hasher: ahash::RandomState,
}

impl<K: Hash + Eq> Numbers<K> {
    fn new() -> Self {
        // Fixed seeds: only the order of the trace matters, not who could have made it collide.
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Self { known: Vec::new(), index: Index::new(0), room: 0, hasher }
    }

    fn of<Q>(&mut self, key: &Q, own: impl FnOnce(&Q) -> K) -> Result<u32, TraceError>
    where
        K: core::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key) as u32;
        if let Some(number) =
            self.index.find(hash, |number| self.known[number as usize].borrow() == key)
        {
            return Ok(number);
        }
        let limit = crate::table::MAX_SLOTS;
        if self.known.len() >= limit {
            return Err(TraceError::TooLong { limit });
        }
        if self.known.len() == self.room {
            self.room = (self.room * 2).max(64);
            let hash = |number| self.hasher.hash_one(&self.known[number as usize]) as u32;
            let all: Vec<_> = self.index.iter().map(|number| (hash(number), number)).collect();
            self.index.replace(self.room, all.into_iter());
        }
        let number = self.known.len() as u32;
        self.known.push(own(key));
        self.index.insert(hash, number);
        Ok(number)
    }
}

impl Trace {
    fn finish(keys: Vec<u32>, distinct: usize, sizes: Option<Vec<u64>>) -> Self {
        let mut trace = Self { keys, sizes, distinct, weight: 0, distinct_weight: 0 };
        trace.weight = trace.keys.len() as u64;
        trace.distinct_weight = distinct as u64;
        if let Some(sizes) = &mut trace.sizes {
            // A key has one size, the first it came with.
            let mut first = alloc::vec![None; distinct];
            let (mut weight, mut distinct_weight) = (0_u64, 0_u64);
            for (&key, size) in trace.keys.iter().zip(sizes.iter_mut()) {
                *size = match &first[key as usize] {
                    Some(known) => *known,
                    slot => {
                        debug_assert!(slot.is_none());
                        distinct_weight = distinct_weight.saturating_add(*size);
                        first[key as usize] = Some(*size);
                        *size
                    }
                };
                weight = weight.saturating_add(*size);
            }
            (trace.weight, trace.distinct_weight) = (weight, distinct_weight);
        }
        trace
    }

    /// A trace of numbers, each request weighing one.
    ///
    /// # Errors
    /// [`TraceError::TooLong`].
    pub fn from_keys(keys: impl IntoIterator<Item = u64>) -> Result<Self, TraceError> {
        let mut numbers = Numbers::<u64>::new();
        let keys: Result<Vec<u32>, _> =
            keys.into_iter().map(|key| numbers.of(&key, |&key| key)).collect();
        Ok(Self::finish(keys?, numbers.known.len(), None))
    }

    /// The same of numbers and their sizes. A key keeps the first size it comes with.
    ///
    /// # Errors
    /// [`TraceError::TooLong`].
    pub fn from_sized(requests: impl IntoIterator<Item = (u64, u64)>) -> Result<Self, TraceError> {
        let (mut numbers, mut keys, mut sizes) = (Numbers::<u64>::new(), Vec::new(), Vec::new());
        for (key, size) in requests {
            keys.push(numbers.of(&key, |&key| key)?);
            sizes.push(size);
        }
        Ok(Self::finish(keys, numbers.known.len(), Some(sizes)))
    }

    /// Little-endian `u64` keys, one a request, no header.
    ///
    /// # Errors
    /// [`TraceError::Length`], [`TraceError::TooLong`].
    pub fn from_le_bytes(bytes: &[u8]) -> Result<Self, TraceError> {
        if bytes.len() % 8 != 0 {
            return Err(TraceError::Length { bytes: bytes.len() });
        }
        Self::from_keys(bytes.chunks_exact(8).map(|key| {
            let mut word = [0; 8];
            word.copy_from_slice(key);
            u64::from_le_bytes(word)
        }))
    }

    /// A key a line, any text. Empty lines do not count.
    ///
    /// # Errors
    /// [`TraceError::Text`], [`TraceError::TooLong`].
    pub fn from_lines(text: &[u8]) -> Result<Self, TraceError> {
        let (mut numbers, mut keys) = (Numbers::<String>::new(), Vec::new());
        for (line, text) in lines(text) {
            let key = core::str::from_utf8(text).map_err(|_| TraceError::Text { line })?;
            keys.push(numbers.of(key, |key: &str| key.into())?);
        }
        Ok(Self::finish(keys, numbers.known.len(), None))
    }

    /// A key and its size a line, the size after the last blank.
    ///
    /// # Errors
    /// [`TraceError::Text`], [`TraceError::Size`], [`TraceError::TooLong`].
    pub fn from_sized_lines(text: &[u8]) -> Result<Self, TraceError> {
        let (mut numbers, mut keys, mut sizes) = (Numbers::<String>::new(), Vec::new(), Vec::new());
        for (line, text) in lines(text) {
            let text = core::str::from_utf8(text).map_err(|_| TraceError::Text { line })?;
            let pair = text.trim_end().rsplit_once([' ', '\t']);
            let (key, size) = pair.ok_or(TraceError::Size { line })?;
            sizes.push(size.parse().map_err(|_| TraceError::Size { line })?);
            keys.push(numbers.of(key.trim_end(), |key: &str| key.into())?);
        }
        Ok(Self::finish(keys, numbers.known.len(), Some(sizes)))
    }

    /// Requests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Distinct keys: those of [`Trace::keys`] are below it.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// The keys, renumbered.
    #[must_use]
    pub fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// The size of each request, where they have one.
    #[must_use]
    pub fn sizes(&self) -> Option<&[u64]> {
        self.sizes.as_deref()
    }

    /// What all requests weigh.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// What the distinct keys weigh, each once.
    #[must_use]
    pub fn distinct_weight(&self) -> u64 {
        self.distinct_weight
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(line, text)| (line + 1, text.strip_suffix(b"\r").unwrap_or(text)))
        .filter(|(_, text)| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats_number_alike() {
        let lines = Trace::from_lines(b"x\r\ny\n\nx\nz").unwrap();
        assert_eq!((lines.keys(), lines.distinct(), lines.weight()), (&[0, 1, 0, 2][..], 3, 4));
        let numbers = Trace::from_keys([9, 7, 9, u64::MAX]).unwrap();
        assert_eq!(numbers.keys(), lines.keys());
        let bytes: Vec<u8> = [9_u64, 7, 9, u64::MAX].iter().flat_map(|k| k.to_le_bytes()).collect();
        assert_eq!(Trace::from_le_bytes(&bytes).unwrap().keys(), lines.keys());
        let sized = Trace::from_sized_lines(b"a b 10\nc\t2\na b 99\n").unwrap();
        assert_eq!((sized.keys(), sized.sizes()), (&[0, 1, 0][..], Some(&[10, 2, 10][..])));
        assert_eq!((sized.weight(), sized.distinct_weight()), (22, 12));
    }

    #[test]
    fn what_is_malformed_is_told_by_line() {
        assert_eq!(Trace::from_le_bytes(&[0; 9]).unwrap_err(), TraceError::Length { bytes: 9 });
        assert_eq!(Trace::from_lines(b"a\n\xFF").unwrap_err(), TraceError::Text { line: 2 });
        for text in [&b"a 1\nb"[..], b"a 1\nb -1", b"a 1\nb 18446744073709551616", b"\na 1x"] {
            assert_eq!(Trace::from_sized_lines(text).unwrap_err(), TraceError::Size { line: 2 });
        }
        assert!(Trace::from_lines(b"").unwrap().is_empty());
    }

    #[test]
    fn many_keys_keep_their_numbers() {
        let trace = Trace::from_keys((0..50_000).chain(0..50_000)).unwrap();
        assert_eq!(trace.distinct(), 50_000);
        assert!(trace.keys()[..50_000].iter().enumerate().all(|(at, &key)| at == key as usize));
        assert_eq!(trace.keys()[..50_000], trace.keys()[50_000..]);
    }
}
