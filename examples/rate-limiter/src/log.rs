//! A log of requests to replay: who asked, and when. Tab-separated with a header, the common log
//! format, or plain `SECONDS KEY` lines; gzip or not.
//!
//! Nothing in a log stops the run but that it has no request at all: a line that is none is counted
//! and the first are shown, a line past [`MAX_LINE`] is dropped without being held, a file that
//! ends in the middle says so, and past [`MAX_EVENTS`] reading stops aloud.

use crate::traffic::Event;
use flate2::bufread::MultiGzDecoder;
use kit::Time;
use kit::lines::next_line;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is read.
pub const MAX_LINE: usize = 64 * 1024;
/// The most requests that are held: 320 MB.
pub const MAX_EVENTS: usize = 20_000_000;
/// The NASA day: part of the binary, so that the first run needs no file.
pub const NASA: &[u8] = include_bytes!("../../../testdata/nasa_19950801.tsv.gz");

/// Malformed lines that are kept to be shown.
const SHOWN: usize = 3;

/// A log in the order of its time.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// What it is called in the report.
    pub title: String,
    /// The requests; time counts from the first one.
    pub events: Vec<Event>,
    /// The clients by their number in [`Event::key`].
    pub clients: Vec<String>,
    /// The instant of the first request since 1970.
    pub origin: Time,
    /// Lines, whatever was in them.
    pub lines: u64,
    /// Lines that were no request.
    pub malformed: u64,
    /// Requests that stood before an earlier one.
    pub late: u64,
    /// The first malformed lines: number and text.
    pub shown: Vec<(u64, String)>,
    /// Why reading stopped before the end, if it did.
    pub cut_short: Option<String>,
}

/// How a line is read; found from the first line that is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Columns of the client and of the time.
    Tsv(usize, usize),
    Clf,
    Plain,
}

impl Log {
    /// Reads a log to its end.
    ///
    /// # Errors
    /// When its first bytes cannot be read, or no line of it is a request.
    pub fn read(source: Box<dyn Read + Send>, title: &str) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(256 * 1024, source);
        if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            let unpacked: Box<dyn Read + Send> = Box::new(MultiGzDecoder::new(source));
            source = BufReader::with_capacity(256 * 1024, unpacked);
        }
        let mut log = Self { title: title.to_owned(), ..Self::default() };
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let (mut line, mut format) = (Vec::new(), None);
        loop {
            match next_line(&mut source, &mut line, MAX_LINE) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    log.cut_short = Some(error.to_string());
                    break;
                }
            }
            log.lines += 1;
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            if text.trim().is_empty() {
                continue;
            }
            if format.is_none() {
                format = Format::of_header(text);
                if format.is_some() {
                    continue;
                }
            }
            let tried = match format {
                Some(format) => [Some(format), None],
                None => [Some(Format::Clf), Some(Format::Plain)],
            };
            let mut read = tried.into_iter().flatten().filter_map(|f| Some((f, f.parse(text)?)));
            let Some((found, (key, at))) = read.next() else {
                log.malformed(text);
                continue;
            };
            format = Some(found);
            let next = numbers.len() as u32;
            let key = *numbers.entry(key.to_owned()).or_insert_with_key(|key| {
                log.clients.push(key.clone());
                next
            });
            if log.events.len() == MAX_EVENTS {
                log.cut_short = Some(format!("more than {MAX_EVENTS} requests"));
                break;
            }
            log.events.push(Event { at, key });
        }
        log.in_order()?;
        Ok(log)
    }

    /// Sorts by time, keeps the log's order within one instant, and counts time from the first.
    fn in_order(&mut self) -> io::Result<()> {
        let late = self.events.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
        self.late = late as u64;
        if late > 0 {
            self.events.sort_by_key(|event| event.at);
        }
        let Some(first) = self.events.first() else {
            let why = format!(
                "no request in {} lines; a line is `SECONDS KEY`, a common log line, or \
                 tab-separated under a header with host and time",
                self.lines
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        self.origin = first.at;
        for event in &mut self.events {
            event.at = Time::ZERO + event.at.since(self.origin);
        }
        Ok(())
    }

    fn malformed(&mut self, text: &str) {
        self.malformed += 1;
        if self.shown.len() < SHOWN {
            let text = kit::term::shorten(&kit::term::clean(text), 60);
            self.shown.push((self.lines, text));
        }
    }
}

impl Format {
    /// The columns of a header such as `host\ttime\turl`.
    fn of_header(line: &str) -> Option<Self> {
        let find = |known: &[&str]| {
            let is = |name: &str| known.iter().any(|k| name.trim().eq_ignore_ascii_case(k));
            line.split('\t').position(is)
        };
        let client = find(&["host", "ip", "client", "user", "key", "remote_addr"])?;
        Some(Self::Tsv(client, find(&["time", "timestamp", "ts"])?))
    }

    fn parse(self, line: &str) -> Option<(&str, Time)> {
        let (key, at) = match self {
            Self::Tsv(client, time) => {
                let fields: Vec<&str> = line.split('\t').collect();
                (*fields.get(client)?, seconds(fields.get(time)?)?)
            }
            Self::Clf => {
                let (host, rest) = line.split_once(' ')?;
                let (_, rest) = rest.split_once(" [")?;
                (host, clf_time(rest.split_once(']')?.0)?)
            }
            Self::Plain => {
                let (time, key) = line.trim().split_once([' ', '\t', ','])?;
                (key.trim(), seconds(time)?)
            }
        };
        (!key.is_empty()).then_some((key, at))
    }
}

/// `12`, `12.5`: seconds with up to nine decimals, below 2^64 nanoseconds.
fn seconds(text: &str) -> Option<Time> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let nanos: u64 = format!("{part:0<9}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    Some(Time::from_nanos(whole.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

/// `17/May/2015:10:05:03 +0000` since 1970; `None` before that year or for no time.
fn clf_time(text: &str) -> Option<Time> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let number = |range: std::ops::Range<usize>, most: i64| -> Option<i64> {
        let digits = text.get(range).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok().filter(|&n| n <= most)
    };
    let name = text.get(3..6)?;
    let month = MONTHS.find(name).filter(|at| at % 3 == 0)? as i64 / 3 + 1;
    let (day, year) = (number(0..2, 31)?, number(7..11, 9999)?);
    let clock = number(12..14, 23)? * 3600 + number(15..17, 59)? * 60 + number(18..20, 60)?;
    let zone = number(22..24, 23)? * 3600 + number(24..26, 59)? * 60;
    let zone = match text.get(20..22)? {
        " +" => zone,
        " -" => -zone,
        _ => return None,
    };
    // Years start in March, so that the leap day is the last of its year (Hinnant, "chrono-
    // compatible low-level date algorithms").
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    u64::try_from(days * 86_400 + clock - zone).ok().map(Time::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Log> {
        Log::read(Box::new(io::Cursor::new(text.as_bytes().to_vec())), "test")
    }

    #[test]
    fn three_formats_and_their_times() {
        let log = read("5.25 ann\n5.5 bob\n6 ann\n").unwrap();
        assert_eq!((log.clients.len(), log.events[2].at), (2, Time::from_millis(750)));
        let clf = r#"h - frank [01/Aug/1995:00:00:01 -0400] "GET / HTTP/1.0" 304 -"#;
        assert_eq!(read(clf).unwrap().origin, Time::from_secs(807_249_601));
        let log = read("time\turl\tIP\n7\t/a\tx\n7\t/b\ty\n").unwrap();
        assert_eq!(log.clients, ["x", "y"]);
    }

    #[test]
    fn what_is_no_request_is_counted_and_a_log_without_any_is_an_error() {
        let log = read("1 a\nhello\n\n-3 b\n99999999999999999999 c\n2.0000000001 d\n3 e").unwrap();
        assert_eq!((log.events.len(), log.malformed, log.lines), (2, 4, 7));
        assert_eq!(log.shown.len(), 3);
        for text in ["", "\n\n", "hello world\n", "host\ttime\n"] {
            assert!(read(text).unwrap_err().to_string().contains("no request"), "{text:?}");
        }
    }

    #[test]
    fn a_log_out_of_order_is_sorted_and_keeps_its_order_within_an_instant() {
        let log = read("9 c\n1 a\n9 d\n1 b\n").unwrap();
        let names: Vec<_> = log.events.iter().map(|e| &log.clients[e.key as usize]).collect();
        assert_eq!(
            (names, log.late),
            (["a", "b", "c", "d"].map(String::from).iter().collect::<Vec<_>>(), 2)
        );
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut dice = kit::Seed::new(1).stream("bytes");
        let alphabet = b"0123456789/:[]. \t\n-+MayAug\xc3\xff";
        for _ in 0..2_000 {
            let bytes: Vec<u8> =
                (0..dice.below(200)).map(|_| *dice.pick(alphabet).unwrap()).collect();
            if let Ok(log) = Log::read(Box::new(io::Cursor::new(bytes)), "x") {
                assert!(log.events.windows(2).all(|pair| pair[0].at <= pair[1].at));
            }
        }
    }
}
