//! C12: rateless IBLT, and what the three ways of reconciling cost in bytes.

use std::sync::Arc;

use archstone_crdt::sync::{
    Keys, MerkleSync, RangeSync, Reconcile, Riblt, RibltDecoder, RibltEncoder, reconcile,
};
use riblt::Symbol;

use super::{Area, OURS};
use crate::measure::{Race, Runner};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload;

const COMMON: usize = 10_000;

pub(super) fn add(area: &mut Area) {
    area.race("crdt.C12/encode/d=100", |_| encode());
    area.rows("crdt.C12/symbols", |_| [1_000, 5_000].into_iter().map(symbols).collect());
    area.rows("crdt.C12/bytes", |_| costs());
}

/// A key as the peer wants it.
#[derive(Clone, Debug)]
struct Item(u64);

impl Symbol for Item {
    const BYTE_ARRAY_LENGTH: usize = 8;
    fn encode_to_bytes(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }
    fn decode_from_bytes(bytes: &Vec<u8>) -> Self {
        Self(u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")))
    }
}

/// What a difference of 100 takes: 176 symbols.
fn encode() -> Race {
    let keys: Arc<[u64]> = workload::distinct_keys(5, COMMON + 100).into();
    let (ours, items) = (Arc::clone(&keys), keys.iter().map(|&key| Item(key)).collect::<Vec<_>>());
    let mine = Runner::steady(OURS, 1, (), move |()| {
        RibltEncoder::new(ours.iter().copied(), 1).next_symbols(176)
    });
    let peer = Runner::steady("riblt", 1, items, |items| {
        let mut encoder = riblt::RatelessIBLT::new(items.clone());
        (0..176).map(|at| encoder.get_coded_symbol(at)).collect::<Vec<_>>()
    });
    Race::new("176 coded symbols of 10,100 keys", mine).beats("riblt", peer, 10.0)
}

fn symbols(differences: usize) -> Row {
    let mut all = 0;
    for salt in 0..8 {
        let keys = workload::distinct_keys(salt, COMMON + differences);
        let ours = Keys::new(keys[..COMMON].iter().copied(), salt);
        let mut encoder = RibltEncoder::new(keys.iter().copied(), salt);
        let mut decoder = RibltDecoder::new(&ours);
        while !decoder.take(&encoder.next_symbols(1)).unwrap_or(true) {}
        all += decoder.symbols();
    }
    let subject = Subject::new(
        &format!("crdt.C12/symbols/d={differences}"),
        "coded symbols a difference, mean of 8",
        Unit::Ratio,
        Better::Lower,
    );
    subject.limit(Side::new(OURS, all as f64 / 8.0 / differences as f64), 1.5)
}

/// Between two sides that hold their sets apart and exchange bytes only.
fn costs() -> Vec<Row> {
    let mut rows = Vec::new();
    for differences in [10, 100, 1_000] {
        let all = workload::distinct_keys(8, COMMON + differences);
        let side = |skip: usize| {
            let half = differences / 2;
            let from = if skip == 0 { COMMON..COMMON + half } else { COMMON + half..all.len() };
            Keys::new(all[..COMMON].iter().chain(&all[from]).copied(), 3)
        };
        let mut row = |name: &str, bytes: u64, rounds: u32| {
            let subject = Subject::new(
                &format!("crdt.C12/bytes/d={differences}/{name}"),
                "bytes exchanged, 10,000 keys in common",
                Unit::Bytes,
                Better::Lower,
            );
            rows.push(
                subject
                    .information(Side::new(OURS, bytes as f64))
                    .note(format!("{rounds} messages, {differences} differences")),
            );
        };
        fn run<R: Reconcile>(mut a: R, mut b: R) -> (u64, u32) {
            reconcile(&mut a, &mut b).expect("two sides of ours understand each other");
            let (x, y) = (a.cost(), b.cost());
            (x.sent + y.sent, x.rounds + y.rounds)
        }
        let (bytes, rounds) = run(RangeSync::new(side(0)), RangeSync::new(side(1)));
        row("ranges", bytes, rounds);
        let (bytes, rounds) = run(MerkleSync::new(side(0)), MerkleSync::new(side(1)));
        row("merkle", bytes, rounds);
        let (bytes, rounds) = run(Riblt::new(side(0)), Riblt::new(side(1)));
        row("riblt", bytes, rounds);
    }
    rows
}
