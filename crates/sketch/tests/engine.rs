//! PostgreSQL with its `hll` extension stores, unions and counts our bytes, and we its own.
#![cfg(all(feature = "distinct", feature = "postgres"))]

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use archstone_sketch::Merge;
use archstone_sketch::distinct::{PgHll, PgHllParams};

struct Postgres(testkit::Engine);

impl Postgres {
    /// The rows of a query, `|` between columns.
    fn ask(&self, sql: &str) -> Vec<String> {
        let mut psql = Command::new("psql");
        psql.args([&self.0.url(), "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut psql = psql.spawn().expect("psql starts");
        psql.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let out = psql.wait_with_output().expect("psql ends");
        let error = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{error}\n{:.200}", sql);
        String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.strip_prefix("\\x").expect("a bytea");
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

/// Equal answers; but for registers of 6 bits and more the extension computes 2^74 in 64 bits and
/// says NaN outside its small range, where ours has to be near the truth.
fn near(ours: f64, theirs: &str, truth: u64, what: &str) {
    let theirs: f64 = theirs.parse().unwrap();
    if theirs.is_nan() {
        let off = ours / truth as f64 - 1.0;
        assert!(what.starts_with("hll(12,6") && off.abs() < 0.05, "{what}: {ours}");
        return;
    }
    assert!((ours - theirs).abs() <= 1e-9 * theirs, "{what}: {ours} here, {theirs} there");
}

#[test]
fn postgres_reads_unions_and_counts_our_hll_and_we_its_own() {
    let Some(engine) = testkit::require("hll") else { return };
    let db = Postgres(engine);
    db.ask("CREATE EXTENSION hll; CREATE TABLE t (id int, ours hll)");

    let shapes = [
        PgHllParams::default(),
        PgHllParams { log2m: 11, regwidth: 5, expthresh: 256, sparse: true },
        PgHllParams { log2m: 12, regwidth: 6, expthresh: 0, sparse: true },
        PgHllParams { log2m: 10, regwidth: 4, expthresh: 64, sparse: false },
    ];
    for params in shapes {
        let PgHllParams { log2m, regwidth, expthresh, sparse } = params;
        let shape = format!("{log2m},{regwidth},{expthresh},{}", u8::from(sparse));
        // Empty, explicit, sparse, full.
        for n in [0_u64, 1, 100, 200, 700, 20_000] {
            let what = format!("hll({shape}), {n} items");
            let mut sketch = PgHll::new(params).unwrap();
            (0..n).for_each(|i| sketch.add(&(common::mix(i) as i64)));
            let image = hex(&sketch.to_postgres());

            // Theirs of the same items: equal in every byte, and read by us.
            let values = |from: u64, to: u64| {
                let ids: Vec<String> =
                    (from..to).map(|i| format!("({})", common::mix(i) as i64)).collect();
                ids.join(",")
            };
            let theirs = if n == 0 {
                db.ask(&format!("SELECT hll_empty({shape})::text")).remove(0)
            } else {
                db.ask(&format!(
                    "SELECT hll_add_agg(hll_hash_bigint(v), {shape})::text FROM (VALUES {}) x(v)",
                    values(0, n)
                ))
                .remove(0)
            };
            assert_eq!(image, theirs, "{what}");
            let read = PgHll::from_postgres(&bytes(&theirs)).unwrap();
            assert_eq!(read.params(), params, "{what}");

            // Ours stored there and counted there.
            db.ask(&format!("TRUNCATE t; INSERT INTO t VALUES (1, '{image}'::hll)"));
            let counted = db.ask("SELECT hll_cardinality(ours) FROM t").remove(0);
            near(sketch.estimate(), &counted, n, &what);
            near(read.estimate(), &counted, n, &what);

            // A union of ours with another of ours, there and here.
            let mut other = PgHll::new(params).unwrap();
            (n / 2..n / 2 + 150).for_each(|i| other.add(&(common::mix(i) as i64)));
            let other_image = hex(&other.to_postgres());
            db.ask(&format!("INSERT INTO t VALUES (2, '{other_image}'::hll)"));
            let row =
                db.ask("SELECT hll_union_agg(ours)::text, # hll_union_agg(ours) FROM t").remove(0);
            let (union, count) = row.split_once('|').unwrap();
            sketch.merge(&other).unwrap();
            assert_eq!(hex(&sketch.to_postgres()), union, "{what}");
            near(sketch.estimate(), count, n.max(n / 2 + 150), &what);
        }
    }

    // Text and bytes are hashed alike too.
    let mut words = PgHll::new(PgHllParams::default()).unwrap();
    ["alice", "bob", "", "zoë"].iter().for_each(|word| words.add(*word));
    let theirs = db.ask(
        "SELECT hll_add_agg(hll_hash_text(v))::text FROM (VALUES ('alice'), ('bob'), (''), ('zoë')) x(v)",
    );
    assert_eq!(hex(&words.to_postgres()), theirs[0]);
}
