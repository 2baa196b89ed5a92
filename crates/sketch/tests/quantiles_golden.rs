//! What other implementations answer for their images, and that ours read back the same.
//!
//! Left out by name, for later: the families `quantiles_doubles` and `quantiles_floats` and the
//! files `Qk128_*`, the classic quantiles sketch.
#![cfg(all(feature = "quantiles", feature = "datasketches", feature = "datadog"))]

use std::fmt::Debug;
use std::path::PathBuf;

use archstone_sketch::quantiles::{
    Accurate, DatadogKeys, DdSketch, DsValue, Kll, Req, Sorted, TDigest,
};
use archstone_sketch::{Bounds, Wire};
use serde_json::Value;
use testkit::golden;

fn here(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name)
}

fn vectors(file: &str, family: &str, expected: usize) -> Vec<Value> {
    let all = golden::jsonl::<Value>(here(file));
    let vectors: Vec<Value> = all.filter(|vector| vector["family"] == family).collect();
    assert_eq!(vectors.len(), expected, "{family}");
    vectors
}

fn cpp(family: &str, expected: usize) -> Vec<Value> {
    vectors("quantiles_datasketches_cpp_5.2.0.jsonl.gz", family, expected)
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

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn near(ours: f64, theirs: f64, what: &str) {
    assert!(
        (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-3),
        "{what}: {ours} is not {theirs}"
    );
}

/// A value as the vectors write it.
trait Read: DsValue + Debug + PartialEq {
    fn of(value: &Value) -> Self;

    /// Whether it is that value: a double as serde_json reads it, which may be off in the last bit.
    fn is(&self, value: &Value) -> bool {
        *self == Self::of(value)
    }
}
impl Read for f32 {
    fn of(value: &Value) -> Self {
        number(value) as Self
    }
}
impl Read for f64 {
    fn of(value: &Value) -> Self {
        number(value)
    }

    fn is(&self, value: &Value) -> bool {
        (self / number(value) - 1.0).abs() < 1e-15
    }
}
impl Read for String {
    fn of(value: &Value) -> Self {
        value.as_str().unwrap().to_owned()
    }
}

/// The answers that KLL and REQ have in common.
fn check_ranks<T: Read>(
    expect: &Value,
    sorted: &Sorted<T>,
    rank: impl Fn(&T) -> [Option<f64>; 2],
    what: &str,
) -> bool {
    let list = |name: &str| expect[name].as_array().cloned();
    let Some(ranks) = list("ranks") else {
        assert!(sorted.quantile(0.5).is_none(), "{what}");
        return false;
    };
    let (inclusive, exclusive) = (list("quantiles_incl").unwrap(), list("quantiles_excl").unwrap());
    for (i, q) in ranks.iter().enumerate() {
        let at = |value: Option<&T>, theirs| value.is_some_and(|value| value.is(theirs));
        assert!(at(sorted.quantile(number(q)), &inclusive[i]), "{what}, {q}");
        assert!(at(sorted.quantile_above(number(q)), &exclusive[i]), "{what}, {q}");
    }
    let probes: Vec<T> = list("probe").unwrap().iter().map(T::of).collect();
    for (i, probe) in probes.iter().enumerate() {
        let theirs = ["rank_incl", "rank_excl"].map(|name| number(&expect[name][i]));
        for (ours, theirs) in rank(probe).into_iter().zip(theirs) {
            near(ours.unwrap(), theirs, what);
        }
        near(sorted.rank(probe).unwrap(), theirs[0], what);
        near(sorted.rank_below(probe).unwrap(), theirs[1], what);
    }
    for (name, ours) in [("cdf_incl", sorted.cdf(&probes)), ("pmf_incl", sorted.pmf(&probes))] {
        let (ours, theirs) = (ours.unwrap(), list(name).unwrap());
        assert_eq!(ours.len(), theirs.len(), "{what}");
        ours.iter().zip(&theirs).for_each(|(ours, theirs)| near(*ours, number(theirs), what));
    }
    true
}

fn kll<T: Read>(family: &str) -> usize {
    let mut same = 0;
    for vector in cpp(family, 10) {
        let (expect, image) = (&vector["expect"], base64(&vector["image"]));
        let what = format!("{family}, k {}, {}", vector["k"], vector["input"]);
        let sketch = Kll::<T>::from_datasketches(&image).expect(&what);
        let check = |sketch: &Kll<T>| {
            assert_eq!(expect["n"], sketch.n(), "{what}");
            assert_eq!(expect["k"], sketch.k(), "{what}");
            assert_eq!(expect["num_retained"], sketch.retained(), "{what}");
            let ranks = |probe: &T| [sketch.rank(probe), sketch.rank_below(probe)];
            if check_ranks(expect, &sketch.sorted(), ranks, &what) {
                assert!(sketch.min().unwrap().is(&expect["min"]), "{what}");
                assert!(sketch.max().unwrap().is(&expect["max"]), "{what}");
                assert_eq!(expect["estimation_mode"], sketch.is_estimate(), "{what}");
            }
        };
        check(&sketch);
        check(&Kll::decode(&sketch.encode()).expect(&what));
        let again = sketch.to_datasketches();
        check(&Kll::from_datasketches(&again).expect(&what));
        same += usize::from(again == image);
    }
    same
}

#[test]
fn kll_images_of_cpp_are_answered_as_there() {
    // And written back to the same bytes, but where ours samples and has order on the lowest level.
    let same = [kll::<f32>("kll_floats"), kll::<f64>("kll_doubles"), kll::<String>("kll_strings")];
    assert_eq!(same, [9, 9, 9]);
}

#[test]
fn a_kll_image_of_version_1_with_one_value_is_read() {
    let image = golden::bytes(here("kll_sketch_float_one_item_v1.sk"));
    let sketch = Kll::<f32>::from_datasketches(&image).unwrap();
    assert_eq!((sketch.n(), sketch.k(), sketch.quantile(0.5)), (1, 200, Some(1.0)));
    // Ours writes the short form.
    assert_eq!(sketch.to_datasketches().len(), 12);
}

#[test]
fn req_images_of_cpp_are_answered_as_there() {
    let mut same = 0;
    for vector in cpp("req_floats", 20) {
        let (expect, image) = (&vector["expect"], base64(&vector["image"]));
        let what = format!("k {}, hra {}, {}", vector["k"], vector["hra"], vector["input"]);
        let sketch = Req::<f32>::from_datasketches(&image).expect(&what);
        let end = if vector["hra"] == true { Accurate::High } else { Accurate::Low };
        let check = |sketch: &Req<f32>| {
            assert_eq!(expect["n"], sketch.n(), "{what}");
            assert_eq!(expect["k"], sketch.k(), "{what}");
            assert_eq!(expect["num_retained"], sketch.retained(), "{what}");
            assert_eq!(sketch.accurate(), end, "{what}");
            let ranks = |probe: &f32| [sketch.rank(probe), sketch.rank_below(probe)];
            if !check_ranks(expect, &sketch.sorted(), ranks, &what) {
                return;
            }
            assert_eq!(sketch.min(), Some(&f32::of(&expect["min"])), "{what}");
            assert_eq!(sketch.max(), Some(&f32::of(&expect["max"])), "{what}");
            assert_eq!(expect["estimation_mode"], sketch.is_estimate(), "{what}");
            for (i, q) in expect["ranks"].as_array().unwrap().iter().enumerate() {
                // At how many deviations is not said: they are 2.
                let off = 2.0 * sketch.rank_error(number(q));
                near(number(q) - off, number(&expect["rank_lb"][i]), &what);
                near(number(q) + off, number(&expect["rank_ub"][i]), &what);
            }
        };
        check(&sketch);
        check(&Req::decode(&sketch.encode()).expect(&what));
        let again = sketch.to_datasketches();
        check(&Req::from_datasketches(&again).expect(&what));
        same += usize::from(again == image);
    }
    assert_eq!(same, 20, "images written back to the same bytes");
}

fn tdigest(family: &str, decode: fn(&[u8]) -> TDigest) {
    for vector in cpp(family, 10) {
        let (expect, image) = (&vector["expect"], base64(&vector["image"]));
        let what = format!("{family}, k {}, {}", vector["k"], vector["input"]);
        let digest = decode(&image);
        let check = |digest: &TDigest| {
            assert_eq!(expect["total_weight"], digest.n(), "{what}");
            assert_eq!(expect["k"], digest.k(), "{what}");
            assert_eq!(digest.is_empty(), expect["min"].is_null(), "{what}");
            assert!(digest.min().is_none_or(|min| min.is(&expect["min"])), "{what}");
            assert!(digest.max().is_none_or(|max| max.is(&expect["max"])), "{what}");
            for (i, probe) in expect["probe"].as_array().into_iter().flatten().enumerate() {
                let rank = digest.rank(number(probe)).unwrap();
                // C++ computes with floats in the float form.
                let slack = if family.ends_with("float") { 1e-6 } else { 1e-9 };
                let theirs = number(&expect["cpp_rank"][i]);
                assert!((rank - theirs).abs() <= slack, "{what}, {probe}: {rank}, {theirs}");
            }
            // Quantiles of C++ 5.2.0 are known to be wrong: the truth, by rank, within what the size
            // of clusters allows, in the order of q.
            let exact: Vec<f64> =
                expect["exact_quantiles"].as_array().into_iter().flatten().map(number).collect();
            let n = digest.n() as f64;
            let mut last = f64::NEG_INFINITY;
            for (i, &truth) in exact.iter().enumerate() {
                let q = number(&expect["ranks"][i]);
                let value = digest.quantile(q).unwrap();
                assert!(last <= value, "{what}, {q}");
                last = value;
                // A Pareto value's rank is 1 - 1 / x.
                let rank = |x: f64| 1.0 - 1.0 / x;
                let off = (rank(value) - rank(truth)).abs();
                let allowed = 8.0 * q.mul_add(-q, q) / f64::from(digest.k()) + 4.0 / n;
                assert!(off <= allowed, "{what}, {q}: {value} is not {truth}");
            }
        };
        check(&digest);
        check(&TDigest::decode(&digest.encode()).expect(&what));
        check(&TDigest::from_datasketches(&digest.to_datasketches()).expect(&what));
        if family.ends_with("double") {
            assert_eq!(digest.to_datasketches(), image, "{what}");
        }
    }
}

#[test]
fn t_digest_images_of_cpp_are_answered_as_there() {
    tdigest("tdigest_double", |image| TDigest::from_datasketches(image).unwrap());
    tdigest("tdigest_float", |image| TDigest::from_datasketches_f32(image).unwrap());
}

#[test]
fn both_forms_of_the_reference_t_digest_are_read() {
    for form in ["tdigest_ref_k100_n10000_double.sk", "tdigest_ref_k100_n10000_float.sk"] {
        let image = golden::bytes(here(form));
        let digest = TDigest::from_datasketches(&image).unwrap();
        assert_eq!((digest.n(), digest.k()), (10_000, 100));
        assert_eq!((digest.min(), digest.max()), (Some(0.0), Some(9999.0)));
        for q in [0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999] {
            let (rank, value) = (digest.rank(q * 10_000.0), digest.quantile(q));
            assert!((rank.unwrap() - q).abs() < 0.000_1, "{form} {q} {rank:?}");
            assert!((value.unwrap() - q * 10_000.0).abs() < 2.0, "{form} {q} {value:?}");
        }
    }
}

#[test]
fn messages_of_datadog_s_python_are_answered_as_there() {
    for vector in vectors("ddsketch_py_3.0.1.jsonl.gz", "ddsketch", 12) {
        let (expect, message) = (&vector["expect"], base64(&vector["proto"]));
        let what = format!("alpha {}, {}", vector["alpha"], vector["input"]);
        let sketch = DdSketch::from_datadog(&message, DatadogKeys::Ceil).expect(&what);
        let n = vector["input"]["n"].as_u64().unwrap();
        near(sketch.alpha(), number(&vector["alpha"]), &what);
        let check = |sketch: &DdSketch, slack: f64| {
            assert_eq!(sketch.n(), n, "{what}");
            for (q, theirs) in
                expect["qs"].as_array().unwrap().iter().zip(expect["values"].as_array().unwrap())
            {
                let (ours, theirs) = (sketch.quantile(number(q)).unwrap(), number(theirs));
                assert!(
                    (ours - theirs).abs() <= slack * theirs.abs(),
                    "{what} {q} {ours} {theirs}"
                );
            }
        };
        check(&sketch, 1e-12);
        check(&DdSketch::decode(&sketch.encode()).expect(&what), 1e-12);
        for keys in [DatadogKeys::Ceil, DatadogKeys::Floor] {
            let written = sketch.to_datadog(keys);
            assert!(written.len() <= message.len(), "{what}");
            check(&DdSketch::from_datadog(&written, keys).expect(&what), 1e-12);
        }
        // The input again: the same buckets, so the same answers, but for the exact extremes.
        let mut built = DdSketch::new(number(&vector["alpha"])).unwrap();
        for i in 0..n {
            let unit = (archstone_core::hash::mix(i.wrapping_add(0x9E37_79B9_7F4A_7C15)) >> 11)
                as f64
                / (1_u64 << 53) as f64;
            let pareto = 1.0 / (1.0 - unit);
            built.add(if i % 7 == 0 { -pareto } else { pareto });
        }
        assert_eq!(
            built.to_datadog(DatadogKeys::Ceil),
            sketch.to_datadog(DatadogKeys::Ceil),
            "{what}"
        );
        check(&built, 2.0 * sketch.alpha());
    }
}

/// The same message by hand, so that the layout is seen: gamma 3, offset 0; bucket 0 twice, as a map.
#[test]
fn maps_offsets_and_the_other_numbering_are_read() {
    let mut message = vec![0x0a, 9, 0x09];
    message.extend(3.0_f64.to_le_bytes());
    // Bucket 0 (zigzag 0) with count 2, bucket -1 (zigzag 1) with count 1.
    for (bucket, count) in [(0, 2.0_f64), (1, 1.0)] {
        message.extend(if bucket == 0 { [0x12, 15] } else { [0x1a, 15] });
        message.extend([0x0a, 13, 0x08, bucket, 0x11]);
        message.extend(count.to_le_bytes());
        // A field that is not known.
        message.extend([0x38, 1]);
    }
    message.push(0x21);
    message.extend(4.0_f64.to_le_bytes());
    let ceil = DdSketch::from_datadog(&message, DatadogKeys::Ceil).unwrap();
    assert_eq!((ceil.n(), ceil.alpha(), ceil.buckets()), (7, 0.5, 3));
    let within = |x: Option<f64>, truth: f64| assert!((x.unwrap() / truth - 1.0).abs() < 1e-12);
    within(ceil.quantile(1.0), 0.5); // (1/3, 1]
    within(ceil.quantile(0.0), -1.0 / 6.0); // [-1/3, -1/9)
    assert_eq!(ceil.quantile(0.5), Some(0.0));
    let floor = DdSketch::from_datadog(&message, DatadogKeys::Floor).unwrap();
    within(floor.quantile(1.0), 1.5); // [1, 3)
    let Bounds { lower, upper, .. } = floor.quantile_bounds(1.0).unwrap();
    within(Some(lower), 1.0);
    within(Some(upper), 3.0);
}
