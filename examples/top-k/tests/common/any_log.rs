//! A log of any bytes: what the tests and the fuzz target run.

#![allow(unreachable_pub, reason = "shared by a test and a fuzz target")]

use std::io;
use top_k::field::Field;
use top_k::input::{Batch, Format, Log, Stats};

/// The URLs of a log, what was counted on the way, and the format it was read in.
pub fn read(bytes: &[u8], format: Option<Format>) -> (Vec<String>, Stats, Format) {
    let source = io::Cursor::new(bytes.to_vec());
    let mut log = Log::open(Box::new(source), format, false).expect("bytes can be read");
    let (mut batch, mut keys) = (Batch::default(), Vec::new());
    while log.read(&mut batch) {
        keys.extend(batch.rows().iter().map(|row| Field::Url.key(&batch, row).to_owned()));
    }
    (keys, log.stats.clone(), log.format())
}

/// Reads `bytes` in every format that needs no header: an event for each key, never more lines
/// answered for than there are.
pub fn any_bytes(bytes: &[u8]) {
    for format in [None, Some(Format::Clf), Some(Format::Plain)] {
        // A gzip magic with garbage after it is an error of opening, not a panic.
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let _ = Log::open(Box::new(io::Cursor::new(bytes.to_vec())), format, false);
            continue;
        }
        let (keys, stats, _) = read(bytes, format);
        assert_eq!(keys.len() as u64, stats.events);
        assert!(stats.events + stats.malformed <= stats.lines, "{stats:?}");
    }
}
