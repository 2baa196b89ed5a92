//! What other implementations answer for the same bytes and the same items.
#![cfg(all(feature = "distinct", feature = "datasketches", feature = "postgres"))]

mod common;

use std::path::PathBuf;

use archstone_core::hash;
use archstone_sketch::distinct::theta::{self, ThetaRef};
use archstone_sketch::distinct::{
    DsHll, DsHllUnion, HllType, PgHll, PgHllParams, Sigmas, Theta, ThetaCompact, UltraLogLog,
};
use archstone_sketch::wire::murmur3::murmur3_x64_128;
use archstone_sketch::{Bounds, Item, Merge};
use serde_json::Value;
use testkit::golden;

const SIGMAS: [Sigmas; 3] = [Sigmas::One, Sigmas::Two, Sigmas::Three];

fn here(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name)
}

/// All vectors of `$ARCHSTONE_DATA`, without it the part that is in the repository.
fn datasketches(family: &str) -> Vec<Value> {
    let all = golden::data("sketch/datasketches_cpp_5.2.0.jsonl.gz");
    let path = all.unwrap_or_else(|| here("distinct_datasketches_cpp_5.2.0.jsonl.gz"));
    let vectors: Vec<Value> =
        golden::jsonl::<Value>(path).filter(|v| v["family"] == family).collect();
    assert!(!vectors.is_empty(), "{family}");
    vectors
}

fn base64(value: &Value) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let text = value.as_str().unwrap().trim_end_matches('=').as_bytes();
    let mut bytes = Vec::new();
    for four in text.chunks(4) {
        let word = four.iter().fold(0_u32, |word, &c| word << 6 | u32::from(digit(c)));
        let word = word << (6 * (4 - four.len()));
        bytes.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    let text = text.trim_start_matches("\\x");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn near(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{what}: {ours} is not {theirs}");
}

fn near_bounds(of: impl Fn(Sigmas) -> Bounds, expect: &Value, what: &str) {
    for (i, sigmas) in SIGMAS.into_iter().enumerate() {
        let bounds = of(sigmas);
        near(bounds.lower, expect["lb"][i].as_f64().unwrap(), &format!("{what}, lower {sigmas:?}"));
        near(bounds.upper, expect["ub"][i].as_f64().unwrap(), &format!("{what}, upper {sigmas:?}"));
    }
}

/// Feeds the items of an `input` in their own type: that is what the default hashing is about.
fn feed(input: &Value, mut sink: impl FnMut(&dyn Feed)) {
    let (start, n) = (input["start"].as_u64().unwrap(), input["n"].as_u64().unwrap());
    match input["kind"].as_str().unwrap() {
        "range" => (start..start + n).for_each(|i| sink(&(i as i64))),
        "mix" => (start..start + n).for_each(|i| sink(&(common::mix(i) as i64))),
        "mix63" => (start..start + n).for_each(|i| sink(&((common::mix(i) >> 1) as i64))),
        "unit" => (start..start + n).for_each(|i| sink(&common::unit(i))),
        "decimal" => (start..start + n).for_each(|i| sink(&i.to_string())),
        "words" => {
            let Some(path) = golden::data("sketch/words_war_and_peace.txt.gz") else { return };
            golden::lines(path).skip(start as usize).take(n as usize).for_each(|word| sink(&word));
        }
        other => panic!("an unknown stream: {other}"),
    }
}

/// An item behind a pointer, for each sketch that takes it.
trait Feed {
    fn hll(&self, sketch: &mut DsHll);
    fn theta(&self, sketch: &mut Theta);
}

impl<T: Item> Feed for T {
    fn hll(&self, sketch: &mut DsHll) {
        sketch.add(self);
    }
    fn theta(&self, sketch: &mut Theta) {
        sketch.add(self);
    }
}

fn hll_type(name: &Value) -> HllType {
    match name.as_str().unwrap() {
        "HLL_4" => HllType::Four,
        "HLL_6" => HllType::Six,
        _ => HllType::Eight,
    }
}

fn hll_of(vector: &Value) -> DsHll {
    let lg = vector["lg_k"].as_u64().unwrap() as u8;
    let mut sketch = DsHll::new(lg, hll_type(&vector["type"])).unwrap();
    feed(&vector["input"], |item| item.hll(&mut sketch));
    sketch
}

#[test]
fn hll_images_of_cpp_answer_as_there_and_their_items_give_the_same_answers() {
    let mut equal = 0;
    let vectors = datasketches("hll");
    for vector in &vectors {
        let what = format!("lg {} {} {}", vector["lg_k"], vector["type"], vector["input"]);
        let compact = base64(&vector["compact"]);
        let built = hll_of(vector);
        let mut read = vec![DsHll::from_datasketches(&compact).expect(&what)];
        if vector["updatable"].is_string() {
            let updatable = base64(&vector["updatable"]);
            read.push(DsHll::from_datasketches(&updatable).expect(&what));
        }
        for sketch in read.iter().chain([&built]) {
            near(sketch.estimate(), vector["expect"]["estimate"].as_f64().unwrap(), &what);
            near_bounds(|sigmas| sketch.bounds(sigmas), &vector["expect"], &what);
            assert_eq!(sketch.is_empty(), vector["expect"]["empty"] == true, "{what}");
            // Our image of it is the same sketch again.
            let again = DsHll::from_datasketches(&sketch.to_datasketches()).expect(&what);
            near(again.estimate(), sketch.estimate(), &what);
            assert_eq!(again.to_datasketches().len(), compact.len(), "{what}");
        }
        equal += usize::from(built.to_datasketches() == compact);
    }
    // Not required: the languages differ in the order of slots and in two flags.
    println!("{equal} of {} built images equal C++ byte for byte", vectors.len());
    assert!(equal * 10 >= vectors.len() * 9);
}

#[test]
fn hll_unions_of_any_size_and_type_answer_as_in_cpp() {
    for vector in datasketches("hll_union") {
        let what = format!("{} {}", vector["lg_max_k"], vector["inputs"]);
        let mut union = DsHllUnion::new(vector["lg_max_k"].as_u64().unwrap() as u8).unwrap();
        for input in vector["inputs"].as_array().unwrap() {
            let sketch = hll_of(input);
            // The way of a service: through bytes.
            union.add(&DsHll::from_datasketches(&sketch.to_datasketches()).unwrap());
        }
        let eight = DsHll::from_datasketches(&base64(&vector["compact_hll8"])).unwrap();
        let four = DsHll::from_datasketches(&base64(&vector["compact_hll4"])).unwrap();
        for sketch in [&union.result(HllType::Eight), &union.result(HllType::Four), &eight, &four] {
            near(sketch.estimate(), vector["expect"]["estimate"].as_f64().unwrap(), &what);
            near_bounds(|sigmas| sketch.bounds(sigmas), &vector["expect"], &what);
            assert_eq!(
                u64::from(sketch.lg()),
                vector["expect"]["lg_k"].as_u64().unwrap(),
                "{what}"
            );
        }
        // Registers are equal too; the order of coupons need not be.
        let (ours, theirs) =
            (union.result(HllType::Eight).to_datasketches(), eight.to_datasketches());
        let registers = |image: &[u8]| {
            let mut tail = image[if image[0] == 10 { 40 } else { 12 }..].to_vec();
            tail.sort_unstable();
            tail
        };
        assert_eq!(registers(&ours), registers(&theirs), "{what}");
    }
}

fn theta_of(vector: &Value) -> Theta {
    let sketch = Theta::new(vector["lg_k"].as_u64().unwrap() as u8).unwrap();
    let sketch = sketch.with_sampling(vector["p"].as_f64().unwrap_or(1.0) as f32).unwrap();
    let mut sketch = sketch.with_seed(vector["seed"].as_u64().unwrap_or(9001)).unwrap();
    feed(&vector["input"], |item| item.theta(&mut sketch));
    sketch
}

fn near_theta(sketch: &ThetaCompact, expect: &Value, what: &str) {
    near(sketch.estimate(), expect["estimate"].as_f64().unwrap(), what);
    near_bounds(|sigmas| sketch.bounds(sigmas), expect, what);
    assert_eq!(sketch.theta(), expect["theta64"].as_u64().unwrap(), "{what}");
    assert_eq!(sketch.len() as u64, expect["num_retained"].as_u64().unwrap(), "{what}");
    assert_eq!(sketch.is_empty(), expect["empty"] == true, "{what}");
}

#[test]
fn theta_images_equal_those_of_cpp_byte_for_byte() {
    for vector in datasketches("theta") {
        let what =
            format!("{} {} {} {}", vector["lg_k"], vector["p"], vector["seed"], vector["input"]);
        let (ordered, compressed) = (base64(&vector["ordered"]), base64(&vector["compressed"]));
        let seed = vector["seed"].as_u64().unwrap();
        let built = theta_of(&vector);
        near(built.estimate(), vector["expect"]["estimate"].as_f64().unwrap(), &what);
        near_bounds(|sigmas| built.bounds(sigmas), &vector["expect"], &what);
        let built = built.compact();
        for sketch in [
            built,
            ThetaCompact::from_datasketches_seeded(&ordered, seed).expect(&what),
            ThetaCompact::from_datasketches_seeded(&compressed, seed).expect(&what),
        ] {
            near_theta(&sketch, &vector["expect"], &what);
            assert_eq!(sketch.to_datasketches(), ordered, "{what}");
            assert_eq!(sketch.to_datasketches_compressed(), compressed, "{what}");
        }
        if seed == 9001 {
            let view = ThetaRef::new(&ordered).expect(&what);
            near(view.estimate(), vector["expect"]["estimate"].as_f64().unwrap(), &what);
            near_bounds(|sigmas| view.bounds(sigmas), &vector["expect"], &what);
            assert_eq!(view.to_compact().unwrap().hashes(), view.hashes().collect::<Vec<_>>());
        } else {
            let error = ThetaCompact::from_datasketches(&ordered).unwrap_err().to_string();
            assert!(error.contains("another seed"), "{error}");
        }
    }
}

#[test]
fn theta_set_operations_equal_those_of_cpp() {
    for vector in datasketches("theta_set") {
        let what = format!("{} {}", vector["a"], vector["b"]);
        let (a, b) = (theta_of(&vector["a"]).compact(), theta_of(&vector["b"]).compact());
        let expect = &vector["expect"];
        let union = theta::union(vector["union_lg_k"].as_u64().unwrap() as u8, [&a, &b]).unwrap();
        let intersection = theta::intersection(&a, &b).unwrap();
        let difference = theta::difference(&a, &b).unwrap();
        let results = [(union, "union"), (intersection, "intersection"), (difference, "a_not_b")];
        for (ours, name) in &results {
            near_theta(ours, &expect[name], &format!("{what} {name}"));
            assert_eq!(ours.to_datasketches(), base64(&vector[name]), "{what} {name}");
        }
        let jaccard = theta::jaccard(&a, &b).unwrap();
        near(jaccard.lower, expect["jaccard"][0].as_f64().unwrap(), &what);
        near(jaccard.estimate, expect["jaccard"][1].as_f64().unwrap(), &what);
        near(jaccard.upper, expect["jaccard"][2].as_f64().unwrap(), &what);
    }
}

#[test]
fn theta_images_of_older_versions_are_read() {
    let empty = golden::bytes(here("theta_compact_empty_from_java_v1.sk.gz"));
    let empty = ThetaCompact::from_datasketches(&empty).unwrap();
    assert!(empty.is_empty() && empty.estimate() == 0.0);

    let image = golden::bytes(here("theta_compact_estimation_from_java_v1.sk.gz"));
    let sketch = ThetaCompact::from_datasketches(&image).unwrap();
    assert!(!sketch.is_exact() && sketch.len() == 4342, "{}", sketch.len());
    near(sketch.estimate(), ThetaRef::new(&image).unwrap().estimate(), "v1");
    let truth = 8192.0;
    assert!(sketch.bounds(Sigmas::Three).contains(truth), "{}", sketch.bounds(Sigmas::Three));

    // Version 2 is version 3 without flags; the mark of the seed stands in the same place.
    let mut second = sketch.to_datasketches();
    (second[1], second[5]) = (2, 0);
    assert_eq!(ThetaCompact::from_datasketches(&second).unwrap(), sketch);
    assert_eq!(ThetaCompact::from_datasketches(&[1, 2, 3, 0, 0, 0, 0, 0]).unwrap(), empty);

    // An empty image has the mark of the seed in C++ and none in Java and Rust.
    for image in [[1, 3, 3, 0, 0, 0x1e, 0xcc, 0x93], [1, 3, 3, 0, 0, 0x1e, 0, 0]] {
        assert_eq!(ThetaCompact::from_datasketches(&image).unwrap(), empty);
    }
}

#[test]
fn ultra_log_log_equals_hash4j_in_every_state_and_estimate() {
    let mut seen = 0;
    for vector in golden::jsonl::<Value>(here("hash4j_ultraloglog.jsonl.gz")) {
        if vector["family"] != "ultraloglog" {
            continue;
        }
        seen += 1;
        let what = format!("p {} {}", vector["p"], vector["input"]);
        let p = vector["p"].as_u64().unwrap() as u8;
        let n = vector["input"]["n"].as_u64().unwrap();
        let fill = |from: u64| {
            let mut sketch = UltraLogLog::new(p).unwrap().dense();
            (from..from + n).for_each(|i| sketch.add_hash(common::mix(i)));
            sketch
        };
        let sketch = fill(0);
        let state = base64(&vector["state"]);
        assert_eq!(sketch.state(), state, "{what}");
        let expect = |name: &str| vector["expect"][name].as_f64().unwrap();
        near(sketch.fgra(), expect("fgra"), &what);
        near(sketch.estimate(), expect("fgra"), &what);
        near(sketch.ml(), expect("ml"), &what);
        near(sketch.martingale().unwrap(), expect("martingale"), &what);
        near(sketch.change_probability(), expect("state_change_probability"), &what);
        let read = UltraLogLog::from_state(&state).expect(&what);
        near(read.fgra(), expect("fgra"), &what);
        near(read.ml(), expect("ml"), &what);

        let mut merged = sketch.clone();
        merged.merge(&fill(vector["merge"]["other_start"].as_u64().unwrap())).unwrap();
        assert_eq!(merged.state(), base64(&vector["merge"]["state"]), "{what}");
        near(merged.fgra(), vector["merge"]["fgra"].as_f64().unwrap(), &what);
        let smaller = sketch.downsized(vector["downsize"]["p"].as_u64().unwrap() as u8).unwrap();
        assert_eq!(smaller.state(), base64(&vector["downsize"]["state"]), "{what}");
        near(smaller.fgra(), vector["downsize"]["fgra"].as_f64().unwrap(), &what);

        // The exact start, looked at as registers, is the same sketch.
        let mut exact = UltraLogLog::new(p).unwrap();
        (0..n).for_each(|i| exact.add_hash(common::mix(i)));
        assert_eq!(exact.state(), state, "{what}");
        near(exact.fgra(), expect("fgra"), &what);
        near(exact.ml(), expect("ml"), &what);
    }
    assert_eq!(seen, 28);
}

fn of_postgres(text: &str) -> PgHll {
    PgHll::from_postgres(&hex(text)).unwrap_or_else(|e| panic!("{text:.40}: {e}"))
}

type Union = (f64, String, f64, String);

/// Replays a file of cumulative unions; `max_sparse` as the extension's tests had it set.
fn replay_union(file: &str, max_sparse: Option<u32>) {
    let mut all: Option<PgHll> = None;
    let mut lines = 0;
    for (cardinality, multiset, union_cardinality, union) in golden::csv::<Union>(here(file)) {
        lines += 1;
        let what = format!("{file} line {lines}");
        let one = of_postgres(&multiset);
        near(one.estimate(), cardinality, &what);
        match &mut all {
            Some(all) => all.merge(&one).unwrap(),
            None => {
                all = Some(match max_sparse {
                    Some(most) => one.with_max_sparse(most),
                    None => one,
                });
            }
        }
        let all = all.as_ref().unwrap();
        near(all.estimate(), union_cardinality, &what);
        near(of_postgres(&union).estimate(), union_cardinality, &what);
        assert_eq!(all.to_postgres(), hex(&union), "{what}");
    }
    assert!(lines > 3, "{file}");
}

#[test]
fn postgres_unions_replay_line_by_line() {
    replay_union("pg_hll_cumulative_union_explicit_explicit.csv.gz", None);
    replay_union("pg_hll_cumulative_union_explicit_promotion.csv.gz", Some(512));
    replay_union("pg_hll_cumulative_union_sparse_full_representation.csv.gz", Some(512));
}

#[test]
fn postgres_additions_replay_line_by_line() {
    let mut sketch: Option<PgHll> = None;
    let file = "pg_hll_cumulative_add_sparse_step.csv.gz";
    for (line, (cardinality, raw, multiset)) in
        golden::csv::<(f64, i64, String)>(here(file)).enumerate()
    {
        let what = format!("{file} line {line}");
        // The first line is the start: registers, with none above 0.
        if line == 0 {
            let params = PgHllParams { expthresh: 0, ..PgHllParams::default() };
            sketch = Some(PgHll::new(params).unwrap());
            continue;
        }
        let sketch = sketch.as_mut().unwrap();
        sketch.add_hash(raw as u64);
        near(sketch.estimate(), cardinality, &what);
        // The file's threshold byte is another, as its sketches were forced out of it.
        let (mut ours, theirs) = (sketch.to_postgres(), hex(&multiset));
        ours[2] = theirs[2];
        assert_eq!(ours, theirs, "{what}");
        let read = of_postgres(&multiset);
        near(read.estimate(), cardinality, &what);
        assert_eq!(read.to_postgres(), theirs, "{what}");
    }
}

#[test]
fn postgres_hashes_integers_with_this_murmur() {
    for (seed, input, hash) in golden::csv::<(i64, i64, i64)>(here("pg_hll_murmur_bigint.csv.gz")) {
        let ours = murmur3_x64_128(&input.to_le_bytes(), u64::from(seed as u32)).0;
        assert_eq!(ours as i64, hash, "{input} under {seed}");
    }
}

#[test]
fn hashes_equal_their_reference_implementations() {
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let table: Value = golden::jsonl(here("hash.jsonl.gz")).next().unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() > 10);
    for row in rows {
        let bytes = hex(row["hex"].as_str().unwrap());
        let seed = row["seed"].as_u64().unwrap();
        let murmur = &row["murmur3_x64_128"];
        assert_eq!(murmur3_x64_128(&bytes, seed), (number(&murmur[0]), number(&murmur[1])));
        assert_eq!(hash::hash(&bytes, seed), number(&row["xxh3_64"]), "{row}");
    }
}
