//! Reconciliation by fingerprints of ranges (Meyer, Range-based set reconciliation,
//! arXiv 2212.13567), and by a Merkle tree, which is the same with ranges fixed in advance.
//!
//! A message is a list of rows that cover the keys not yet agreed on: `first key, last key,
//! fingerprint`, or `first key, last key, the keys`. A side answers a fingerprint that is its own
//! with nothing, another one with smaller ranges or, where it has few keys, with the keys; and keys
//! with those that the other lacks.

use alloc::vec::Vec;

use super::keys::{Cost, Difference, Keys, Reconcile, Step, SyncError, invalid};
use crate::codec::{Reader, Writer};

/// Ranges that a range is cut into.
const FAN_OUT: usize = 16;
/// The most rounds before giving up: 64 bits in steps of 4, twice.
const MAX_ROUNDS: u32 = 40;

const FINGERPRINT: u8 = 0;
const KEYS: u8 = 1;
/// The answer to keys: those that the other side lacks, and those of its own that this one lacks.
const ANSWER: u8 = 2;

/// How a range is cut.
trait Cut {
    /// Appends the last key of each part of `from..=to` but the last part's.
    fn cut(keys: &Keys, from: u64, to: u64, ends: &mut Vec<u64>);
}

/// Where there are equally many keys.
#[derive(Clone, Copy, Debug)]
struct ByCount;

impl Cut for ByCount {
    fn cut(keys: &Keys, from: u64, to: u64, ends: &mut Vec<u64>) {
        let range = keys.range(from, to);
        let (start, len) = (range.start, range.len());
        for part in 1..FAN_OUT {
            // A part ends right before the first key of the next.
            let next = keys.as_slice()[start + len * part / FAN_OUT];
            if next > from && ends.last().is_none_or(|&end| end < next - 1) {
                ends.push(next - 1);
            }
        }
    }
}

/// Where four more bits of the key change: the tree has one shape for every set.
#[derive(Clone, Copy, Debug)]
struct ByBits;

impl Cut for ByBits {
    fn cut(_: &Keys, from: u64, to: u64, ends: &mut Vec<u64>) {
        let sixteenth = (to - from) / FAN_OUT as u64;
        for part in 1..FAN_OUT as u64 {
            let end = from + part * sixteenth + (part - 1);
            if end >= to {
                break;
            }
            ends.push(end);
        }
    }
}

#[derive(Clone, Debug)]
struct Session {
    keys: Keys,
    difference: Difference,
    cost: Cost,
    /// Ranges of at most this many keys are sent as keys.
    few: usize,
}

impl Session {
    fn new(keys: Keys) -> Self {
        Self { keys, difference: Difference::default(), cost: Cost::default(), few: 32 }
    }

    fn start(&mut self) -> Vec<u8> {
        let mut out = Writer::new();
        self.row(0, u64::MAX, &mut out);
        self.sent(out)
    }

    fn sent(&mut self, out: Writer) -> Vec<u8> {
        let bytes = out.into_vec();
        self.cost.sent += bytes.len() as u64;
        bytes
    }

    /// A range as a fingerprint, or as keys where there are few.
    fn row(&self, from: u64, to: u64, out: &mut Writer) {
        let range = self.keys.range(from, to);
        if range.len() <= self.few {
            return self.keys_row(from, to, &self.keys.as_slice()[range], out);
        }
        out.u8(FINGERPRINT);
        out.u64(from);
        out.u64(to);
        let print = self.keys.fingerprint(range);
        out.u64(print[0]);
        out.u64(print[1]);
    }

    fn keys_row(&self, from: u64, to: u64, keys: &[u64], out: &mut Writer) {
        out.u8(KEYS);
        out.u64(from);
        out.u64(to);
        write_keys(from, keys, out);
    }

    fn step<C: Cut>(&mut self, incoming: &[u8]) -> Result<Step, SyncError> {
        self.cost.rounds += 1;
        self.cost.received += incoming.len() as u64;
        if self.cost.rounds > MAX_ROUNDS {
            return Err(SyncError::Limit { what: "rounds", limit: u64::from(MAX_ROUNDS) });
        }
        let mut input = Reader::new(incoming);
        let mut out = Writer::new();
        let mut next = Some(0_u64);
        let mut needs_answer = false;
        while input.remaining() > 0 {
            let at = input.position();
            let kind = input.u8("row")?;
            let (from, to) = (input.u64("first key")?, input.u64("last key")?);
            if to < from || next.is_none_or(|next| from < next) {
                return Err(invalid(at, "range", "empty, or not after the one before"));
            }
            next = to.checked_add(1);
            match kind {
                FINGERPRINT => {
                    let theirs = [input.u64("fingerprint")?, input.u64("fingerprint")?];
                    needs_answer |= self.answer_fingerprint::<C>(from, to, theirs, &mut out);
                }
                KEYS => {
                    let theirs = read_keys(&mut input, from, to)?;
                    self.answer_keys(from, to, &theirs, &mut out);
                }
                ANSWER => {
                    self.difference.we_lack.extend(read_keys(&mut input, from, to)?);
                    self.difference.they_lack.extend(read_keys(&mut input, from, to)?);
                }
                _ => return Err(invalid(at, "row", "no kind of row")),
            }
        }
        let reply = self.sent(out);
        Ok(match (reply.is_empty(), needs_answer) {
            (true, _) => {
                self.settle();
                Step::Done
            }
            (false, true) => Step::Send(reply),
            (false, false) => {
                self.settle();
                Step::Last(reply)
            }
        })
    }

    /// Whether the answer needs an answer.
    fn answer_fingerprint<C: Cut>(
        &self,
        from: u64,
        to: u64,
        theirs: [u64; 2],
        out: &mut Writer,
    ) -> bool {
        let range = self.keys.range(from, to);
        if self.keys.fingerprint(range.clone()) == theirs {
            return false;
        }
        if range.len() <= self.few {
            self.keys_row(from, to, &self.keys.as_slice()[range], out);
            return true;
        }
        let mut ends = Vec::with_capacity(FAN_OUT);
        C::cut(&self.keys, from, to, &mut ends);
        ends.push(to);
        let mut start = from;
        for end in ends {
            self.row(start, end, out);
            start = end.wrapping_add(1);
        }
        true
    }

    /// Their keys of a range, all of them.
    fn answer_keys(&mut self, from: u64, to: u64, theirs: &[u64], out: &mut Writer) {
        let ours = &self.keys.as_slice()[self.keys.range(from, to)];
        let only = |these: &[u64], those: &[u64]| -> Vec<u64> {
            these.iter().copied().filter(|key| those.binary_search(key).is_err()).collect()
        };
        let (they_lack, we_lack) = (only(ours, theirs), only(theirs, ours));
        if !they_lack.is_empty() || !we_lack.is_empty() {
            out.u8(ANSWER);
            out.u64(from);
            out.u64(to);
            write_keys(from, &they_lack, out);
            write_keys(from, &we_lack, out);
        }
        self.difference.they_lack.extend(they_lack);
        self.difference.we_lack.extend(we_lack);
    }

    fn settle(&mut self) {
        for side in [&mut self.difference.they_lack, &mut self.difference.we_lack] {
            side.sort_unstable();
            side.dedup();
        }
    }
}

/// Gaps: sorted keys of a range share their upper bits.
fn write_keys(from: u64, keys: &[u64], out: &mut Writer) {
    out.varint(keys.len() as u64);
    let mut last = from;
    for &key in keys {
        out.varint(key - last);
        last = key;
    }
}

fn read_keys(input: &mut Reader<'_>, from: u64, to: u64) -> Result<Vec<u64>, SyncError> {
    let count = input.count(1, "keys")?;
    let mut keys = Vec::with_capacity(count);
    let mut last = from;
    for nth in 0..count {
        let at = input.position();
        let gap = input.varint("key")?;
        let key = last.checked_add(gap).filter(|&key| key <= to && (gap > 0 || nth == 0));
        last = key.ok_or_else(|| invalid(at, "key", "outside its range or out of order"))?;
        keys.push(last);
    }
    Ok(keys)
}

macro_rules! session {
    ($name:ident, $cut:ty, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Session);

        impl $name {
            /// One side, with its keys.
            #[must_use]
            pub fn new(keys: Keys) -> Self {
                Self(Session::new(keys))
            }

            /// Ranges of at most `few` keys are sent as keys. Default 32; more means fewer rounds
            /// and more bytes.
            #[must_use]
            pub const fn with_few(mut self, few: usize) -> Self {
                self.0.few = few;
                self
            }
        }

        impl Reconcile for $name {
            fn start(&mut self) -> Vec<u8> {
                self.0.start()
            }

            fn step(&mut self, incoming: &[u8]) -> Result<Step, SyncError> {
                self.0.step::<$cut>(incoming)
            }

            fn difference(&self) -> &Difference {
                &self.0.difference
            }

            fn cost(&self) -> Cost {
                self.0.cost
            }
        }
    };
}

session!(RangeSync, ByCount,
    /// Ranges cut where the keys lie: about `log16(n)` rounds for any distribution of keys, 33
    /// bytes a range compared, 1 to 9 a key told.
);
session!(MerkleSync, ByBits,
    /// A Merkle tree of 16 children a node over the bits of the keys: both sides cut at the same
    /// places, so inner nodes can be kept and compared with any peer. Keys should be spread
    /// evenly, as hashes are.
);
