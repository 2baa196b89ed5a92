//! Images made by Apache DataSketches for C++ (PyPI `datasketches` 5.2.0): decoded, asked, encoded.
#![cfg(all(feature = "datasketches", feature = "frequency"))]

mod common;

use std::collections::BTreeMap;

use archstone_sketch::Merge;
use archstone_sketch::frequency::FrequentItems;
use archstone_sketch::wire::datasketches::{DsCountMin, DsItem};
use archstone_sketch::wire::murmur3::murmur3_x64_128;
use common::mix;
use serde_json::Value;
use testkit::golden;

fn vectors(family: &str) -> Option<Vec<Value>> {
    let path = golden::data("sketch/datasketches_cpp_5.2.0.jsonl.gz")?;
    Some(golden::jsonl::<Value>(path).filter(|v| v["family"] == family).collect())
}

fn words() -> Vec<String> {
    golden::lines(golden::data("sketch/words_war_and_peace.txt.gz").unwrap()).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for byte in text.bytes().filter(|&b| b != b'=') {
        word = word << 6 | DIGITS.iter().position(|&d| d == byte).unwrap() as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}

fn image(vector: &Value) -> Vec<u8> {
    base64(vector["image"].as_str().unwrap())
}

/// `[item, estimate, lower, upper]` of each item, in the order of the items.
fn answers<T: DsItem + Ord>(
    sketch: &FrequentItems<T>,
    listed: impl Fn(f64, f64) -> bool,
) -> BTreeMap<T, [u64; 3]> {
    let all = sketch.iter().map(|h| {
        let bounds = sketch.bounds(h.item);
        (h.item.clone(), [bounds.estimate as u64, bounds.lower as u64, bounds.upper as u64])
    });
    all.filter(|(_, [_, lower, upper])| listed(*lower as f64, *upper as f64)).collect()
}

fn frequent<T: DsItem + Ord + std::fmt::Debug>(family: &str, item: impl Fn(&Value) -> T) {
    let Some(vectors) = vectors(family) else { return };
    assert!(vectors.len() >= 15);
    for vector in vectors {
        let bytes = image(&vector);
        let sketch = FrequentItems::<T>::from_datasketches(&bytes).unwrap();
        let expect = &vector["expect"];
        assert_eq!(sketch.total(), expect["total_weight"].as_u64().unwrap());
        assert_eq!(sketch.len() as u64, expect["num_active"].as_u64().unwrap());
        let epsilon = 3.5 / f64::from(1 << sketch.lg_size());
        assert_eq!(epsilon, expect["epsilon"].as_f64().unwrap());
        let offset = sketch.offset() as f64;
        for (list, listed) in [
            ("no_false_positives", &(|lower, _| lower > offset) as &dyn Fn(f64, f64) -> bool),
            ("no_false_negatives", &|_, upper| upper > offset),
        ] {
            let rows = expect[list].as_array().unwrap().iter();
            let expected: BTreeMap<T, [u64; 3]> = rows
                .map(|row| (item(&row[0]), [1, 2, 3].map(|i| row[i].as_u64().unwrap())))
                .collect();
            // The vectors keep the first 200 rows, by falling estimate and then by item.
            let mut ours: Vec<_> = answers(&sketch, listed).into_iter().collect();
            ours.sort_by_key(|(_, [estimate, ..])| std::cmp::Reverse(*estimate));
            ours.truncate(200);
            assert!(expected == ours.into_iter().collect(), "{family} {list}");
        }
        // Encoded: equal but for byte 4, the size that the writer's map happens to have.
        let mut again = sketch.to_datasketches();
        assert!(again[4] <= bytes[4], "no larger a map than theirs");
        again[4] = bytes[4];
        assert_eq!(again, bytes, "{family}");
        for len in 0..bytes.len() {
            assert!(FrequentItems::<T>::from_datasketches(&bytes[..len]).is_err());
        }
    }
}

#[test]
fn frequent_strings_of_cpp_answer_and_encode_as_there() {
    frequent("frequent_strings", |value| value.as_str().unwrap().to_owned());
}

#[test]
fn frequent_longs_of_cpp_answer_and_encode_as_there() {
    frequent("frequent_longs", |value| value.as_i64().unwrap());
}

#[test]
fn count_min_of_cpp_answers_as_there_and_the_same_input_gives_the_same_bytes() {
    let Some(vectors) = vectors("count_min") else { return };
    let words = words();
    let (mut asked, mut built) = (0, 0);
    for vector in vectors {
        let bytes = image(&vector);
        let seed = vector["seed"].as_u64().unwrap();
        let sketch = DsCountMin::from_datasketches(&bytes, seed).unwrap();
        let expect = &vector["expect"];
        assert_eq!(sketch.total(), expect["total_weight"].as_f64().unwrap());
        let relative = sketch.relative_error() / expect["relative_error"].as_f64().unwrap();
        assert!((relative - 1.0).abs() < 1e-15);
        for row in expect["items"].as_array().unwrap() {
            let count = match &row[0] {
                Value::String(word) => sketch.count(word.as_str()),
                number => sketch.count(&number.as_i64().unwrap()),
            };
            assert_eq!(count, row[1].as_f64().unwrap(), "{:?} {row}", vector["input"]);
            asked += 1;
        }
        assert_eq!(sketch.to_datasketches(), bytes);
        assert!(DsCountMin::from_datasketches(&bytes, seed + 1).is_err());

        let number = |key: &str| vector[key].as_u64().unwrap();
        let (hashes, buckets) = (number("num_hashes") as u8, number("num_buckets") as u32);
        let mut ours = DsCountMin::new(hashes, buckets, seed).unwrap();
        let input = &vector["input"];
        let start = input["start"].as_u64().unwrap();
        for i in start..start + input["n"].as_u64().unwrap() {
            let weight = (1 + (i - start) % 3) as f64;
            match input["kind"].as_str().unwrap() {
                "range" => ours.add(&i, weight).unwrap(),
                "mix" => ours.add(&mix(i), weight).unwrap(),
                "words" => ours.add(words[i as usize].as_str(), weight).unwrap(),
                kind => panic!("{kind}"),
            }
            built += 1;
        }
        assert_eq!(ours.to_datasketches(), bytes, "built from {input}");
    }
    assert!(asked >= 468 && built > 1000, "{asked} asked, {built} added");
}

#[test]
fn the_rows_of_count_min_are_hashed_with_the_seeds_of_cpp() {
    let Some(vectors) = vectors("count_min_row_seeds") else { return };
    const BUCKETS: u32 = 1 << 16;
    for (seed, row_seeds) in vectors[0]["seeds"].as_object().unwrap() {
        let row_seeds: Vec<u64> = row_seeds
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_str().unwrap().parse().unwrap())
            .collect();
        let mut sketch =
            DsCountMin::new(row_seeds.len() as u8, BUCKETS, seed.parse().unwrap()).unwrap();
        sketch.add("an item", 1.0).unwrap();
        let image = sketch.to_datasketches();
        let cells = &image[image.len() - 8 * BUCKETS as usize * row_seeds.len()..];
        let set = cells.chunks(8).enumerate().filter(|(_, cell)| cell != &[0; 8]).map(|(at, _)| at);
        let expected = row_seeds.iter().enumerate().map(|(row, &row_seed)| {
            let column = murmur3_x64_128(b"an item", row_seed).0 % u64::from(BUCKETS);
            row * BUCKETS as usize + column as usize
        });
        assert!(set.eq(expected), "seed {seed}");
    }
}

#[test]
fn count_min_sizes_are_those_that_cpp_suggests() {
    let Some(vectors) = vectors("count_min_suggest") else { return };
    let pairs = |key: &str| vectors[0][key].as_array().unwrap().clone();
    for pair in pairs("buckets") {
        let buckets = DsCountMin::suggest_buckets(pair[0].as_f64().unwrap());
        assert_eq!(u64::from(buckets), pair[1].as_u64().unwrap());
    }
    for pair in pairs("hashes") {
        let hashes = DsCountMin::suggest_hashes(pair[0].as_f64().unwrap());
        assert_eq!(u64::from(hashes), pair[1].as_u64().unwrap());
    }
}

#[test]
fn a_small_image_is_read_without_the_shared_data() {
    // Two of the vectors above in full: the word "an" once; an empty Count-Min of 1 x 5.
    let bytes = base64("BAEKAwMAAAABAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAIAAABhbg==");
    let sketch = FrequentItems::<String>::from_datasketches(&bytes).unwrap();
    assert_eq!(sketch.bounds("an").estimate, 1.0);
    assert_eq!(sketch.to_datasketches(), bytes);
    let bytes = base64("AgESAQAAAAAFAAAAAcyTAA==");
    assert_eq!(DsCountMin::from_datasketches(&bytes, 9001).unwrap().to_datasketches(), bytes);
}

#[test]
fn a_short_image_cannot_ask_for_a_large_table() {
    // The 24-byte image that makes a peer reserve gigabytes, here for each length it may claim.
    let mut bytes = base64("AgESAQAAAAAFAAAAAcyTAA==");
    for buckets in [1 << 28, u32::MAX] {
        bytes[8..12].copy_from_slice(&buckets.to_le_bytes());
        let _ = DsCountMin::from_datasketches(&bytes, 9001);
        bytes[3] = 0;
        assert!(DsCountMin::from_datasketches(&bytes, 9001).is_err());
        bytes[3] = 1;
    }
    let bytes = base64("BAEKAwMAAAABAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAIAAABhbg==");
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let _ = FrequentItems::<String>::from_datasketches(&bad);
    }
}

#[test]
fn the_greatest_weights_saturate_and_are_read_again() {
    let mut sketch = DsCountMin::new(3, 8, 9001).unwrap();
    sketch.add("x", f64::MAX).unwrap();
    sketch.add("x", f64::MAX).unwrap();
    sketch.merge(&sketch.clone()).unwrap();
    assert_eq!((sketch.count("x"), sketch.total()), (f64::MAX, f64::MAX));
    let read = DsCountMin::from_datasketches(&sketch.to_datasketches(), 9001).unwrap();
    assert_eq!(read, sketch);
}
