//! What a worker leaves behind so that another can go on: its summaries and how far it read.
//!
//! ```text
//! kind 0x71, version 1 | offset | events | n | n x (field name, summary) | XXH3-64 of all before
//! ```
//!
//! State and offset are one value, written at once: a state that is newer than its offset counts
//! events twice, an older one loses them. `--save` writes the same bytes and `--merge` reads them.

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};
use archstone_core::hash::hash;
use archstone_sketch::frequency::SpaceSaving;
use archstone_sketch::{Incompatible, Merge, Wire};
use std::io::{self, Write};
use std::path::Path;

use crate::field::Field;

const KIND: u8 = 0x71;
const VERSION: u8 = 1;

/// Summaries by field and the position in the log up to which they count.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Where to read on: the byte of the uncompressed log, or the number of the event where the
    /// log is a list.
    pub offset: u64,
    /// Events counted.
    pub events: u64,
    /// One summary a field.
    pub summaries: Vec<(Field, SpaceSaving<String>)>,
}

impl Checkpoint {
    /// The bytes, checksum included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.header(KIND, VERSION);
        out.varint(self.offset);
        out.varint(self.events);
        out.varint(self.summaries.len() as u64);
        for (field, summary) in &self.summaries {
            out.varint(field.name().len() as u64);
            out.bytes(field.name().as_bytes());
            let summary = summary.encode();
            out.varint(summary.len() as u64);
            out.bytes(&summary);
        }
        let mut bytes = out.into_vec();
        let sum = hash(&bytes, 0);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The checkpoint in `bytes`; one that was torn or altered is refused by its checksum.
    ///
    /// # Errors
    /// What is wrong with them and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (body, sum) = split_sum(bytes)?;
        if hash(body, 0) != sum {
            let at = body.len();
            return Err(DecodeError { at, what: "checksum", why: Why::Invalid("does not match") });
        }
        Self::decode_unchecked(body)
    }

    /// The same without looking at the checksum: only `--without checksum` does.
    ///
    /// # Errors
    /// What cannot be read at all.
    pub fn decode_trusting(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_unchecked(split_sum(bytes)?.0)
    }

    fn decode_unchecked(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(body);
        input.header(KIND, VERSION)?;
        let offset = input.varint("offset")?;
        let events = input.varint("events")?;
        let n = input.varint_up_to(Field::ALL.len() as u64, "summaries")?;
        let mut summaries = Vec::new();
        for _ in 0..n {
            let len = input.count(1, "field length")?;
            let start = input.clone();
            let name = std::str::from_utf8(input.bytes(len, "field")?).ok();
            let Some(field) = name.and_then(Field::named) else {
                return Err(start.error("field", Why::Invalid("unknown")));
            };
            let len = input.count(1, "summary length")?;
            let summary = SpaceSaving::decode(input.bytes(len, "summary")?)?;
            summaries.push((field, summary));
        }
        input.finish()?;
        Ok(Self { offset, events, summaries })
    }

    /// Adds the summaries of another log: fields are joined by name, one that only the other has
    /// is taken over.
    ///
    /// # Errors
    /// When two summaries of one field differ in shape.
    pub fn merge(&mut self, other: Self) -> Result<(), Incompatible> {
        self.events = self.events.saturating_add(other.events);
        // Offsets of two logs mean nothing together.
        self.offset = 0;
        for (field, summary) in other.summaries {
            match self.summaries.iter_mut().find(|(ours, _)| *ours == field) {
                Some((_, ours)) => ours.merge(&summary)?,
                None => self.summaries.push((field, summary)),
            }
        }
        Ok(())
    }

    /// Writes it beside `path` and moves it there: a reader sees the old bytes or the new ones.
    ///
    /// # Errors
    /// Those of the file system, with the path.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("--save {}: {error}", path.display()))
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let write = || {
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(&self.encode())?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(named)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Those of the file system and of [`decode`](Self::decode), with the path.
    pub fn load(path: &Path) -> io::Result<Self> {
        let named = |kind, why: String| io::Error::new(kind, format!("{}: {why}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| named(error.kind(), error.to_string()))?;
        Self::decode(&bytes).map_err(|error| named(io::ErrorKind::InvalidData, error.to_string()))
    }
}

fn split_sum(bytes: &[u8]) -> Result<(&[u8], u64), DecodeError> {
    match bytes.split_last_chunk::<8>() {
        Some((body, sum)) => Ok((body, u64::from_le_bytes(*sum))),
        None => {
            let why = Why::Truncated { needed: 8, left: bytes.len() as u64 };
            Err(DecodeError { at: 0, what: "checksum", why })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::space_saving;

    fn checkpoint(keys: &[&str]) -> Checkpoint {
        let mut summary = space_saving();
        for key in keys {
            summary.add(*key);
        }
        let (offset, events) = (77, keys.len() as u64);
        Checkpoint { offset, events, summaries: vec![(Field::Url, summary)] }
    }

    #[test]
    fn what_is_written_is_read_and_goes_on_as_if_nothing_happened() {
        let mut first = checkpoint(&["a", "b", "a"]);
        let mut read = Checkpoint::decode(&first.encode()).unwrap();
        assert_eq!((read.offset, read.events), (77, 3));
        first.summaries[0].1.add("c");
        read.summaries[0].1.add("c");
        assert_eq!(first.encode(), read.encode());
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused() {
        let bytes = checkpoint(&["/a", "/b", "/a", "/c"]).encode();
        for cut in 0..bytes.len() {
            assert!(Checkpoint::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            // Without the checksum nothing panics either.
            let _ = Checkpoint::decode_trusting(&bytes[..cut]);
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::decode(&bytes).is_err(), "bit {bit}");
            let _ = Checkpoint::decode_trusting(&bytes);
        }
    }

    #[test]
    fn two_logs_merge_by_field() {
        let mut one = checkpoint(&["a", "b", "a"]);
        let mut two = checkpoint(&["a", "c"]);
        two.summaries.push((Field::Host, space_saving()));
        one.merge(two).unwrap();
        assert_eq!((one.events, one.summaries.len()), (5, 2));
        assert_eq!(one.summaries[0].1.get("a").unwrap().count, 3);
    }
}
