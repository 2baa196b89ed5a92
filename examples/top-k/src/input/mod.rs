//! A log as batches of records: any size, any of three formats, gzip or not, a file or a pipe.
//!
//! Nothing in a log stops the run: a line that is not a record is counted and shown, a line past
//! [`MAX_LINE`] is dropped without being held, bytes that are no UTF-8 become U+FFFD, and a file
//! that ends in the middle says so in [`Stats::cut_short`].

mod batch;
mod format;

pub use batch::{Batch, Row};
pub use format::{Columns, Format, parse};

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is read; a longer one is malformed.
pub const MAX_LINE: usize = 64 * 1024;

/// Events of one batch: large enough to make the clock's cost vanish, small enough for a pipe.
pub const BATCH: usize = 8192;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// Malformed lines that are kept to be shown.
const SHOWN: usize = 3;

/// What was read and what was left out.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Lines, whatever was in them.
    pub lines: u64,
    /// Lines that became an event.
    pub events: u64,
    /// Lines that were not a record of the format.
    pub malformed: u64,
    /// Lines longer than [`MAX_LINE`], counted among the malformed.
    pub too_long: u64,
    /// Events whose bytes were not UTF-8: kept, the bytes replaced.
    pub not_utf8: u64,
    /// Bytes of uncompressed text, which is also the offset of the next line.
    pub bytes: u64,
    /// The first malformed lines: number and text.
    pub shown: Vec<(u64, String)>,
    /// Why reading stopped before the end, if it did.
    pub cut_short: Option<String>,
}

/// A log being read.
pub struct Log {
    source: BufReader<Box<dyn Read + Send>>,
    /// Hand on what is there rather than wait: the other end of a pipe may be slow.
    live: bool,
    format: Format,
    columns: Columns,
    /// What was read so far.
    pub stats: Stats,
    line: Vec<u8>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("format", &self.format).field("stats", &self.stats).finish()
    }
}

impl Log {
    /// Looks at the first bytes for gzip and at the first lines for the format, unless `format`
    /// says it. A `live` source is a pipe: its batches are handed on as they come.
    ///
    /// # Errors
    /// When the first bytes cannot be read, or a TSV header has no column that could be counted.
    pub fn open(
        source: Box<dyn Read + Send>,
        format: Option<Format>,
        live: bool,
    ) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(BUFFER, source);
        if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            source = BufReader::with_capacity(BUFFER, Box::new(MultiGzDecoder::new(source)));
        }
        // One buffer is enough to see what it is, and a pipe gives what it has without waiting.
        let head = source.fill_buf()?;
        let format = format.unwrap_or_else(|| Format::detect(&String::from_utf8_lossy(head)));
        let columns = Columns::default();
        let stats = Stats::default();
        let mut log = Self { source, live, format, columns, stats, line: Vec::new() };
        if format == Format::Tsv {
            log.read_header()?;
        }
        Ok(log)
    }

    /// The format that was found.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Fills `batch` with the next events: up to [`BATCH`], fewer when a pipe has no more at the
    /// moment. `false` when the log is at its end and the batch stayed empty.
    pub fn read(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        while batch.len() < BATCH {
            match self.next_line() {
                Ok(Line::Text) => self.take(batch),
                Ok(Line::TooLong) => {
                    self.stats.too_long += 1;
                    self.malformed(format!("a line of more than {MAX_LINE} bytes"));
                }
                Ok(Line::End) => break,
                Err(error) => {
                    self.stats.cut_short = Some(error.to_string());
                    break;
                }
            }
            if self.live && !batch.is_empty() && self.source.buffer().is_empty() {
                break;
            }
        }
        !batch.is_empty()
    }

    fn take(&mut self, batch: &mut Batch) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            self.stats.not_utf8 += 1;
        }
        match parse(self.format, &self.columns, text.trim_end_matches(['\r', '\n'])) {
            Some(record) => {
                self.stats.events += 1;
                batch.push(&record, self.stats.bytes);
            }
            None if text.trim().is_empty() => {}
            None => self.malformed(text.trim_end().to_owned()),
        }
        self.line = line;
    }

    fn malformed(&mut self, text: String) {
        self.stats.malformed += 1;
        if self.stats.shown.len() < SHOWN {
            let text = kit::term::shorten(&kit::term::clean(&text), 60);
            self.stats.shown.push((self.stats.lines, text));
        }
    }

    fn read_header(&mut self) -> io::Result<()> {
        let Line::Text = self.next_line()? else {
            return Ok(());
        };
        let header = String::from_utf8_lossy(&self.line);
        self.columns = Columns::of_header(header.trim_end_matches(['\r', '\n']))
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok(())
    }

    /// The next line into `self.line`, its newline included; never more than [`MAX_LINE`] of it.
    fn next_line(&mut self) -> io::Result<Line> {
        self.line.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let seen = match self.source.fill_buf() {
                Ok(seen) => seen,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if seen.is_empty() {
                break;
            }
            any = true;
            let end = seen.iter().position(|&byte| byte == b'\n');
            let used = end.map_or(seen.len(), |at| at + 1);
            if self.line.len() + used > MAX_LINE {
                too_long = true;
            } else {
                self.line.extend_from_slice(&seen[..used]);
            }
            self.source.consume(used);
            self.stats.bytes += used as u64;
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(Line::End);
        }
        self.stats.lines += 1;
        Ok(if too_long { Line::TooLong } else { Line::Text })
    }
}

enum Line {
    Text,
    TooLong,
    End,
}
