//! Bloom filters that DuckDB wrote into Parquet files, and the hash that they stand on.
#![cfg(feature = "parquet")]

use archstone_sketch::Merge;
use archstone_sketch::membership::parquet::{ParquetBloom, Plain};
use archstone_sketch::wire::xxh64::xxh64;
use serde_json::Value;

const VECTORS: &str = "sketch/wire_ddsketch_parquet_hash.jsonl.gz";

fn vectors(family: &str) -> Vec<Value> {
    let Some(path) = testkit::golden::data(VECTORS) else {
        return Vec::new();
    };
    testkit::golden::jsonl::<Value>(path).filter(|v| v["family"] == family).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes().filter(|&b| b != b'=') {
        let digit = DIGITS.iter().position(|&d| d == byte).expect("base64") as u32;
        (bits, held) = (bits << 6 | digit, held + 6);
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

/// All present, absent at most 1 %, and the bytes come out again.
fn agrees<T: Plain + ?Sized>(bytes: &[u8], present: &[&T], absent: &[&T]) {
    let filter = ParquetBloom::decode(bytes).unwrap();
    assert!(present.iter().all(|value| filter.contains(*value)));
    let wrong = absent.iter().filter(|value| filter.contains(**value)).count();
    assert!(wrong * 100 <= absent.len(), "{wrong} of {}", absent.len());
    assert_eq!(filter.encode(), bytes);
    // Built from the values alone, every bit is the same.
    let mut built = ParquetBloom::decode(&empty(filter.blocks())).unwrap();
    for value in present {
        built.insert(*value);
    }
    assert_eq!(built.encode(), bytes);
    assert!(filter.fpr() < 0.01);
    built.merge(&filter).unwrap();
    assert_eq!(built, filter);
}

fn empty(blocks: u64) -> Vec<u8> {
    let mut varint = Vec::new();
    let mut zigzag = 64 * blocks;
    while zigzag >= 0x80 {
        varint.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    varint.push(zigzag as u8);
    let after = [0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0];
    [&[0x15], &varint[..], &after, &vec![0; 32 * blocks as usize]].concat()
}

#[test]
fn the_filters_of_duckdb_answer_and_come_out_byte_equal() {
    for vector in vectors("parquet_sbbf") {
        let bytes = base64(vector["thrift_header_and_bitset"].as_str().unwrap());
        if vector["physical"] == "INT64" {
            let ids: Vec<i64> =
                vector["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
            let known: std::collections::HashSet<i64> = ids.iter().copied().collect();
            let absent: Vec<i64> =
                (1 << 33..).filter(|i| !known.contains(i)).take(20_000).collect();
            agrees(&bytes, &ids.iter().collect::<Vec<_>>(), &absent.iter().collect::<Vec<_>>());
        } else {
            let names: Vec<String> = (0..24_000).map(|i| format!("user-{i}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            agrees(&bytes, &names[..4_000], &names[4_000..]);
        }
    }
}

#[test]
fn xxh64_has_the_published_values() {
    for vector in vectors("hash") {
        for row in vector["rows"].as_array().unwrap() {
            let hex = row["hex"].as_str().unwrap();
            let bytes: Vec<u8> = (0..hex.len() / 2)
                .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
                .collect();
            let wanted: u64 = row["xxh64"].as_str().unwrap().parse().unwrap();
            assert_eq!(xxh64(&bytes, row["seed"].as_u64().unwrap()), wanted, "{hex}");
        }
    }
    assert_eq!(xxh64(b"", 0), 0xef46_db37_51d8_e999);
    assert_eq!(xxh64(b"a", 0), 0xd24e_c4f1_a98c_6e5b);
    assert_eq!(xxh64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
}

#[test]
fn broken_parquet_bytes_are_errors_or_other_filters() {
    let mut filter = ParquetBloom::new(20, 0.1).unwrap();
    (0..20_i64).for_each(|i| {
        filter.insert(&i);
    });
    let bytes = filter.encode();
    for len in 0..bytes.len() {
        assert!(ParquetBloom::decode(&bytes[..len]).is_err());
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            if let Ok(read) = ParquetBloom::decode(&broken) {
                assert_eq!(read.encode(), broken);
            }
        }
    }
    for promise in [&[0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f][..], &[0x15, 0x00], &[0x15, 0x42]] {
        assert!(ParquetBloom::decode(promise).is_err());
    }
    assert!(
        ParquetBloom::new(u64::MAX, 0.01).is_err() && ParquetBloom::new(1 << 34, 0.01).is_err()
    );
}

#[test]
fn types_of_another_width_are_other_values() {
    let mut column = ParquetBloom::new(1_000, 1e-6).unwrap();
    column.insert(&7_i32);
    assert!(column.contains(&7_i32) && !column.contains(&7_i64));
    column.insert("seven");
    assert!(column.contains(&b"seven"[..]));
    column.insert(&1.5_f64);
    column.insert(&2.5_f32);
    assert!(column.contains(&1.5_f64) && !column.contains(&1.5_f32) && column.contains(&2.5_f32));
    assert!(column.fold_to(0.01).contains(&7_i32));
}
