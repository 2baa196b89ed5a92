//! Every family of golden vectors is read by a test of this folder or is left out by name, here and
//! nowhere else.
#![cfg(all(feature = "frequency", feature = "membership", feature = "distinct"))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::golden;

/// Vectors of sketches that are not built: CPC, VarOpt and the classic quantiles sketch.
const LEFT_OUT: [&str; 7] = [
    "cpc",
    "cpc_union",
    "var_opt_longs",
    "quantiles_doubles",
    "quantiles_floats",
    "Qk128_n1000_v0.8.3.sk",
    "Qk128_n50_v0.3.0.sk",
];

fn families() -> Option<BTreeSet<String>> {
    let mut families = BTreeSet::new();
    for file in ["datasketches_cpp_5.2.0.jsonl.gz", "wire_ddsketch_parquet_hash.jsonl.gz"] {
        let lines = golden::jsonl::<Value>(golden::data(&format!("sketch/{file}"))?);
        families.extend(lines.map(|line| line["family"].as_str().unwrap().to_owned()));
    }
    let names = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap())
    };
    families.extend(names(golden::data("sketch/legacy_images")?));
    families.extend(names(golden::data("sketch")?).filter(|name| {
        (name.starts_with("pg_hll") || name.starts_with("hash4j")) && name.ends_with(".gz")
    }));
    Some(families)
}

#[test]
fn every_family_of_vectors_is_tested_or_left_out_by_name() {
    let Some(families) = families() else { return };
    assert!(families.len() > 25);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    for entry in std::fs::read_dir(root.join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let this = path.ends_with("golden_families.rs");
        if !this && path.extension().is_some_and(|end| end == "rs") {
            tests += &std::fs::read_to_string(path).unwrap();
        }
    }
    for family in &families {
        // A copy in tests/data may carry another ending.
        let name =
            family.trim_end_matches(".gz").trim_end_matches(".csv").trim_end_matches(".jsonl");
        let tested = tests.contains(&format!("\"{name}")) || tests.contains(&format!("/{name}"));
        let left_out = LEFT_OUT.contains(&family.as_str());
        assert!(tested != left_out, "{family}: tested {tested}, left out {left_out}");
    }
    for name in LEFT_OUT {
        assert!(families.contains(name), "{name} is not among the vectors");
    }
}
