//! Logs as they come: hostile, cut, compressed, endless.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use top_k::input::{Batch, Format, Log, MAX_LINE};

#[path = "common/any_log.rs"]
mod any_log;
use any_log::read;

const LINE: &str = "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 5";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

#[test]
fn plain_lines_of_any_kind_are_items() {
    let tags = "#rust\n#ferris\n#rust\n\nBohemian Rhapsody\r\nhow to sort a map";
    let (keys, stats, format) = read(tags.as_bytes(), None);
    assert_eq!(keys, ["#rust", "#ferris", "#rust", "Bohemian Rhapsody", "how to sort a map"]);
    assert_eq!((format, stats.events, stats.malformed), (Format::Plain, 5, 0));
}

#[test]
fn malformed_lines_are_counted_shown_and_skipped() {
    let log = format!("{LINE}\nnot a log line \x1b[2J\n\n{LINE}\n{}\n{LINE}", &LINE[..40]);
    let (keys, stats, format) = read(log.as_bytes(), Some(Format::Clf));
    assert_eq!((keys.len(), format), (3, Format::Clf));
    assert_eq!((stats.lines, stats.events, stats.malformed), (6, 3, 2));
    assert_eq!(stats.shown[0].0, 2);
    assert!(!stats.shown[0].1.contains('\x1b'), "a log must not drive the terminal");
}

#[test]
fn a_line_without_an_end_takes_no_more_memory_than_a_long_line() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = out.len().min(self.0 as usize);
            out[..n].fill(b'x');
            self.0 -= n as u64;
            Ok(n)
        }
    }
    let mut log = Log::open(Box::new(Endless(200 << 20)), None, false).expect("bytes");
    let mut batch = Batch::default();
    let (more, used) = testkit::alloc::measure(|| log.read(&mut batch));
    assert!(!more);
    assert_eq!((log.stats.malformed, log.stats.too_long, log.stats.bytes), (1, 1, 200 << 20));
    assert!(used.peak < 4 * MAX_LINE as i64, "{} bytes", used.peak);
}

#[test]
fn bytes_that_are_no_utf8_are_kept_as_replacements_and_counted() {
    let (keys, stats, _) = read(b"caf\xe9\ncaf\xe9\n\0\xff\n", Some(Format::Plain));
    assert_eq!(keys, ["caf\u{fffd}", "caf\u{fffd}", "\0\u{fffd}"]);
    assert_eq!((stats.not_utf8, stats.events), (3, 3));
}

#[test]
fn gzip_is_seen_by_its_first_bytes_even_in_two_members() {
    let mut two = gzip(format!("{LINE}\n").as_bytes());
    two.extend(gzip(format!("{LINE}\n{LINE}\n").as_bytes()));
    let (keys, stats, format) = read(&two, None);
    assert_eq!((keys.len(), format, stats.cut_short), (3, Format::Clf, None));
}

#[test]
fn a_gzip_file_that_is_cut_gives_what_it_has_and_says_so() {
    let lines: String = (0..20_000).map(|i| format!("item {}\n", i * 7919 % 20_011)).collect();
    let whole = gzip(lines.as_bytes());
    let (keys, stats, _) = read(&whole[..whole.len() / 2], None);
    assert!(!keys.is_empty() && keys.len() < 20_000);
    assert!(stats.cut_short.is_some());
    // A truncation at every byte of a small file: never a panic.
    let small = gzip(b"a\nb\n");
    for cut in 0..small.len() {
        let source = io::Cursor::new(small[..cut].to_vec());
        if let Ok(mut log) = Log::open(Box::new(source), None, false) {
            log.read(&mut Batch::default());
        }
    }
}

#[test]
fn an_empty_log_is_no_error() {
    for bytes in [&b""[..], b"\n\n\n", b"\r\n"] {
        let (keys, stats, _) = read(bytes, None);
        assert_eq!((keys.len(), stats.events, stats.malformed), (0, 0, 0));
    }
}

#[test]
fn random_bytes_never_panic_in_any_format() {
    let mut dice = kit::Seed::new(1).stream("bytes");
    let alphabet = b"0123456789/:[]\"\\ \t\n-MayGET\xc3\xa9\xff";
    for _ in 0..300 {
        let bytes: Vec<u8> =
            (0..dice.below(400)).map(|_| *dice.pick(alphabet).expect("some")).collect();
        any_log::any_bytes(&bytes);
    }
}

#[test]
fn a_live_pipe_hands_on_what_it_has() {
    struct Pipe(Vec<&'static [u8]>);
    impl Read for Pipe {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = (!self.0.is_empty()).then(|| self.0.remove(0)) else { return Ok(0) };
            out[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }
    let pieces: Vec<&'static [u8]> = vec![b"a\nb\n", b"c\n", b"d"];
    let mut log = Log::open(Box::new(Pipe(pieces)), None, true).expect("a pipe");
    let mut batch = Batch::default();
    let mut sizes = Vec::new();
    while log.read(&mut batch) {
        sizes.push(batch.len());
    }
    assert_eq!(sizes, [2, 1, 1]);
}
