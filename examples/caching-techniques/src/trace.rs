//! What is asked for: real traces that ship with the repository, or the user's own.
//!
//! Nothing in a trace stops the run but that it has no request at all: a line that is none is counted
//! and the first are shown, a line past [`MAX_LINE`] is not held, and past [`MAX_REQUESTS`] or
//! [`MAX_KEYS`] reading stops aloud.

use archstone_cache::sim;
use kit::lines::next_line;
use kit::{Arrivals, Seed, Time};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is read.
pub const MAX_LINE: usize = 1024;
/// The most requests that are held: 100 MB with their times.
pub const MAX_REQUESTS: usize = 10_000_000;
/// The most keys.
pub const MAX_KEYS: usize = 2_000_000;
/// Malformed lines that are kept to be shown.
const SHOWN: usize = 3;
/// How every zstd file begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A trace that is part of the binary, so that the first run needs no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// Product pages of a web shop.
    Web,
    /// Database objects of a web shop.
    Orm,
    /// Pages of a CODASYL database.
    Oltp,
}

impl Shipped {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Web, Self::Orm, Self::Oltp];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "shop pages",
            Self::Orm => "shop objects",
            Self::Oltp => "database pages",
        }
    }

    /// Its first `most` requests.
    ///
    /// # Errors
    /// When the shipped bytes are broken.
    pub fn read(self, most: usize) -> io::Result<Trace> {
        let bytes: &'static [u8] = match self {
            Self::Web => include_bytes!("../../../testdata/cache/cache2k_web07.u64.zst"),
            Self::Orm => include_bytes!("../../../testdata/cache/cache2k_orm_busy.u64.zst"),
            Self::Oltp => include_bytes!("../../../testdata/cache/arc_OLTP.u64.zst"),
        };
        Trace::read_at_most(Box::new(bytes), self.name(), most)
    }
}

/// Requests in order. Keys are numbered from 0 by their first request.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What it is called in the report.
    pub title: String,
    /// The keys.
    pub keys: Vec<u32>,
    /// Which requests write, if the trace says so.
    pub writes: Option<Vec<bool>>,
    /// Distinct keys.
    pub distinct: usize,
    /// Lines (or numbers), whatever was in them.
    pub lines: u64,
    /// Lines that were no request.
    pub malformed: u64,
    /// The first malformed lines: number and text.
    pub shown: Vec<(u64, String)>,
    /// Why reading stopped before the end, if it did.
    pub cut_short: Option<String>,
    /// How many requests there were before it was cut to the first ones.
    pub first_of: Option<usize>,
}

/// A trace with times and writes: what the strategies are asked.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Key, and whether it is written, by request.
    pub requests: Vec<(u32, bool)>,
    /// When each comes.
    pub at: Vec<Time>,
    /// Distinct keys: all are below it.
    pub distinct: usize,
}

struct Reader {
    trace: Trace,
    numbers: HashMap<Vec<u8>, u32>,
    writes: Vec<bool>,
    any_write: bool,
    most: usize,
}

impl Trace {
    /// Reads a trace to its end: lines `KEY`, `r KEY` or `w KEY`, or zstd of little-endian `u64`.
    ///
    /// # Errors
    /// When it cannot be read, or no line of it is a request.
    pub fn read(source: Box<dyn Read + Send>, title: &str) -> io::Result<Self> {
        Self::read_at_most(source, title, MAX_REQUESTS)
    }

    fn read_at_most(source: Box<dyn Read + Send>, title: &str, most: usize) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(256 * 1024, source);
        let trace = Self { title: title.to_owned(), ..Self::default() };
        let mut reader =
            Reader { trace, numbers: HashMap::new(), writes: Vec::new(), any_write: false, most };
        if source.fill_buf()?.starts_with(&ZSTD) {
            reader.numbers_of(source)?;
        } else {
            reader.lines_of(source)?;
        }
        reader.end()
    }

    /// The requests for the simulator, which knows no writes.
    ///
    /// # Errors
    /// When there are more keys than it can number.
    pub fn simulated(&self) -> Result<sim::Trace, sim::TraceError> {
        sim::Trace::from_keys(self.keys.iter().map(|&key| key.into()))
    }

    /// The requests with times, `rate` a second, and a share `writes` of writes where the trace does
    /// not say which they are.
    #[must_use]
    pub fn workload(&self, seed: Seed, rate: f64, writes: f64) -> Workload {
        let mut dice = seed.stream("writes");
        let drawn = |_| dice.chance(writes);
        let written: Vec<bool> = match &self.writes {
            Some(written) => written.clone(),
            None => self.keys.iter().map(drawn).collect(),
        };
        let requests: Vec<_> = self.keys.iter().copied().zip(written).collect();
        let at = Arrivals::poisson(seed.stream("times"), rate).take(requests.len()).collect();
        Workload { requests, at, distinct: self.distinct }
    }

    /// The first `most` requests of it.
    #[must_use]
    pub fn first(&self, most: usize) -> Self {
        let mut first = self.clone();
        if most < self.keys.len() {
            first.first_of = Some(self.keys.len());
            first.keys.truncate(most);
            if let Some(writes) = &mut first.writes {
                writes.truncate(most);
            }
            // Numbered by their first request.
            first.distinct = first.keys.iter().max().map_or(0, |&key| key as usize + 1);
        }
        first
    }

    /// Entries for a share of its keys: at least one.
    #[must_use]
    pub fn share(&self, share: f64) -> usize {
        ((self.distinct as f64 * share).round() as usize).max(1)
    }
}

impl Workload {
    /// Requests that read.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.requests.iter().filter(|request| !request.1).count() as u64
    }
}

impl Reader {
    /// `false` when no more fit.
    fn push(&mut self, key: &[u8], write: bool) -> bool {
        if self.trace.keys.len() >= self.most {
            if self.most == MAX_REQUESTS {
                self.trace.cut_short = Some(format!("more than {MAX_REQUESTS} requests"));
            }
            return false;
        }
        let number = match self.numbers.get(key) {
            Some(&number) => number,
            None if self.numbers.len() == MAX_KEYS => {
                self.trace.cut_short = Some(format!("more than {MAX_KEYS} keys"));
                return false;
            }
            None => {
                let number = self.numbers.len() as u32;
                self.numbers.insert(key.to_vec(), number);
                number
            }
        };
        self.trace.keys.push(number);
        self.writes.push(write);
        self.any_write |= write;
        true
    }

    fn numbers_of(&mut self, source: impl BufRead) -> io::Result<()> {
        let broken = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut unpacked = ruzstd::decoding::StreamingDecoder::new(source)
            .map_err(|error| broken(format!("zstd: {error}")))?;
        let mut word = [0; 8];
        loop {
            let mut filled = 0;
            while filled < 8 {
                match unpacked.read(&mut word[filled..]) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.trace.cut_short = Some(error.to_string());
                        return Ok(());
                    }
                }
            }
            if filled == 0 {
                return Ok(());
            }
            self.trace.lines += 1;
            if filled < 8 {
                self.malformed(&format!("{filled} bytes at the end"));
                return Ok(());
            }
            if !self.push(&word, false) {
                return Ok(());
            }
        }
    }

    fn lines_of(&mut self, mut source: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while next_line(&mut source, &mut line, MAX_LINE)? {
            self.trace.lines += 1;
            let fits = line.len() < MAX_LINE;
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            match request(text).filter(|_| fits) {
                Some((key, write)) => {
                    if !self.push(key.as_bytes(), write) {
                        break;
                    }
                }
                None => {
                    let text = text.to_owned();
                    self.malformed(&text);
                }
            }
        }
        Ok(())
    }

    fn malformed(&mut self, text: &str) {
        self.trace.malformed += 1;
        if self.trace.shown.len() < SHOWN {
            let text = kit::term::shorten(&kit::term::clean(text), 60);
            self.trace.shown.push((self.trace.lines, text));
        }
    }

    fn end(mut self) -> io::Result<Trace> {
        if self.trace.keys.is_empty() {
            let why = format!(
                "no request in {} lines; a line is `KEY`, `r KEY` or `w KEY`",
                self.trace.lines
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.trace.distinct = self.numbers.len();
        self.trace.writes = self.any_write.then_some(self.writes);
        Ok(self.trace)
    }
}

/// `KEY`, `r KEY`, `w KEY`; the words of the protocols count, too.
fn request(text: &str) -> Option<(&str, bool)> {
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (words.next()?, words.next());
    match (second, words.next()) {
        (None, _) => Some((first, false)),
        (Some(key), None) => {
            let is = |names: [&str; 3]| names.iter().any(|name| first.eq_ignore_ascii_case(name));
            match (is(["r", "read", "get"]), is(["w", "write", "set"])) {
                (true, _) => Some((key, false)),
                (_, true) => Some((key, true)),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> io::Result<Trace> {
        Trace::read(Box::new(io::Cursor::new(text.to_vec())), "test")
    }

    #[test]
    fn the_shipped_traces_have_the_requests_and_keys_that_their_readme_says() {
        for (shipped, requests, keys) in [
            (Shipped::Web, 76_118, 20_484),
            (Shipped::Oltp, 914_145, 186_880),
            (Shipped::Orm, 5_000_000, 76_349),
        ] {
            let trace = shipped.read(MAX_REQUESTS).expect("shipped");
            assert_eq!((trace.keys.len(), trace.distinct), (requests, keys), "{shipped:?}");
            assert!(trace.writes.is_none() && trace.malformed == 0 && trace.cut_short.is_none());
        }
    }

    #[test]
    fn lines_say_what_they_do_and_what_is_none_is_counted_and_shown() {
        let trace = read(b"# mine\na\nr b\nSET a\n\nx b\na b c\nw c").unwrap();
        assert_eq!(trace.keys, [0, 1, 0, 2]);
        assert_eq!(trace.writes, Some(vec![false, false, true, true]));
        assert_eq!((trace.malformed, trace.lines), (2, 8));
        assert_eq!(trace.shown, [(6, "x b".to_owned()), (7, "a b c".to_owned())]);
        let first = trace.first(3);
        assert_eq!((first.keys.len(), first.distinct, first.first_of), (3, 2, Some(4)));
        let long = [vec![b'k'; 5000], b"\nshort\n".to_vec()].concat();
        let trace = read(&long).unwrap();
        assert_eq!((trace.keys.len(), trace.malformed), (1, 1));
    }

    #[test]
    fn a_trace_without_any_request_is_an_error_that_says_the_format() {
        for text in [&b""[..], b"\n\n# nothing\n", b"a b c\n", b"\x28\xb5\x2f\xfdrubbish"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("no request") || error.contains("zstd"), "{error}");
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut dice = Seed::new(18).stream("bytes");
        for _ in 0..2_000 {
            let mut bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.below(256) as u8).collect();
            if dice.chance(0.3) {
                bytes.splice(0..0, ZSTD);
            }
            if let Ok(trace) = read(&bytes) {
                assert!(trace.keys.iter().all(|&key| (key as usize) < trace.distinct));
            }
        }
    }
}
