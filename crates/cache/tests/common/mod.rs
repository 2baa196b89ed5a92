//! Traces and what others made of them.
#![allow(dead_code)] // Each test file uses a part.

use std::io::Read;
use std::path::PathBuf;

use testkit::golden;

/// The traces that the repository has; the others are in `$ARCHSTONE_DATA`.
const HERE: [&str; 4] = ["arc_OLTP", "arc_P3", "cache2k_orm_busy", "cache2k_web07"];

fn unpack(path: PathBuf) -> Vec<u8> {
    let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(&packed[..]).unwrap();
    let mut bytes = Vec::new();
    decoder.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The keys of a trace in order, or `None`, said aloud.
pub(crate) fn trace(name: &str) -> Option<Vec<u64>> {
    let path = if HERE.contains(&name) {
        golden::testdata(&format!("cache/{name}.u64.zst"))
    } else {
        golden::data(&format!("cache/{name}.u64.zst"))?
    };
    let key = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    Some(unpack(path).chunks_exact(8).map(key).collect())
}

/// Key and size of each request of the weighted trace.
pub(crate) fn sized() -> Vec<(u64, u64)> {
    let text = unpack(golden::testdata("cache/adaptsize_request.txt.zst"));
    let text = String::from_utf8(text).unwrap();
    let pair = |line: &str| {
        let (key, size) = line.split_once(' ').unwrap();
        (key.parse().unwrap(), size.parse().unwrap())
    };
    text.lines().map(pair).collect()
}

/// FNV-1a of 64 bits over the little-endian bytes of keys.
pub(crate) fn fnv1a(keys: impl IntoIterator<Item = u64>) -> u64 {
    keys.into_iter().flat_map(u64::to_le_bytes).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// SplitMix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        archstone_core::hash::mix(self.0)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
