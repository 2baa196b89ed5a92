//! The simulator: the optimum as computed by others, the policies as by the caches themselves, the
//! picture of the README.

mod common;

use archstone_cache::policy::Lru;
use archstone_cache::sim::{self, Kind, Trace};
use testkit::golden;

/// trace, requests, unique, pct, capacity, policy, source, kind, hits, ratio
type Hits = (String, u64, u64, String, u64, String, String, String, Option<u64>, f64);

fn trace(name: &str) -> Option<Trace> {
    common::trace(name).map(|keys| Trace::from_keys(keys).unwrap())
}

#[test]
fn the_optimum_is_that_of_the_reference() {
    let rows: Vec<Hits> = golden::csv(golden::testdata("cache/golden_hits.csv")).collect();
    let mut checked = 0;
    let mut names: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    names.dedup();
    for name in names {
        let Some(trace) = trace(name) else { continue };
        for row in rows.iter().filter(|row| row.0 == name && row.5 == "OPT") {
            assert_eq!((trace.len() as u64, trace.distinct() as u64), (row.1, row.2));
            assert_eq!(Some(sim::optimum(&trace, row.4).hits), row.8, "{name} {}", row.4);
            checked += 1;
        }
    }
    assert!(checked >= 16, "{checked} rows");
}

#[test]
fn policies_hit_as_in_the_caches() {
    let rows: Vec<Hits> = golden::csv(golden::testdata("cache/golden_hits.csv")).collect();
    let trace = trace("cache2k_web07").unwrap();
    for row in rows.iter().filter(|row| row.0 == "cache2k_web07" && row.7 == "exact") {
        let Some(kind) = Kind::from_name(&row.5) else { continue };
        let outcome = sim::run(kind, &trace, row.4);
        assert_eq!(Some(outcome.hits), row.8, "{} {}", row.5, row.4);
        assert_eq!(outcome.requests - outcome.hits - outcome.evictions, row.4, "what is held");
    }
}

#[test]
fn weighted_traces_hit_as_the_reference() {
    let trace = Trace::from_sized(common::sized()).unwrap();
    for percent in [1, 5, 10, 20] {
        let capacity = trace.distinct_weight() * percent / 100;
        let outcome = sim::run_policy::<Lru>(&trace, capacity);
        let best = sim::optimum(&trace, capacity);
        assert!(outcome.hits < best.hits && outcome.hit_units <= outcome.units);
        if percent == 1 {
            // golden_weighted.csv
            assert_eq!(
                (outcome.hits, outcome.hit_units, outcome.evictions),
                (16_487, 134_199_501, 50_099)
            );
        }
    }
}

#[test]
fn kinds_have_names_that_lead_back() {
    for &kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
        assert_eq!(Kind::from_name(&kind.name().to_lowercase().replace('-', "")), Some(kind));
    }
    assert_eq!(Kind::from_name("sieves"), None);
    assert_eq!(Kind::ALL.len(), 11);
}

#[test]
fn no_policy_hits_more_than_the_optimum_nor_less_with_more_room() {
    let trace = trace("cache2k_web07").unwrap();
    let capacities = sim::percent_of(&trace, &[1.0, 10.0, 50.0, 100.0]);
    let best = sim::curve(None, &trace, &capacities);
    for &kind in Kind::ALL {
        for (point, best) in sim::curve(Some(kind), &trace, &capacities).iter().zip(&best) {
            assert!(point.1.hits <= best.1.hits, "{kind:?} {}", point.0);
            if point.0 == trace.distinct() as u64 {
                assert_eq!(point.1.hits, trace.len() as u64 - point.0, "{kind:?}: all fits");
            }
        }
    }
}

/// `ARCHSTONE_WRITE=1 cargo test -p archstone-cache --features sim --test sim` writes it.
#[test]
fn the_picture_of_the_readme_is_what_the_simulator_says() {
    let trace = trace("cache2k_web07").unwrap();
    let capacities = sim::percent_of(&trace, &[0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0]);
    let kinds = [
        Kind::Adaptive,
        Kind::S3Fifo,
        Kind::Arc,
        Kind::Lirs,
        Kind::WTinyLfu,
        Kind::Sieve,
        Kind::Lru,
        Kind::Fifo,
    ];
    let title = format!("cache2k_web07: {} requests for {} pages", trace.len(), trace.distinct());
    let picture = sim::svg(&sim::chart(&title, &trace, &kinds, &capacities));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/hit-ratios.svg");
    if std::env::var_os("ARCHSTONE_WRITE").is_some() {
        std::fs::write(file, &picture).unwrap();
    }
    let there = std::fs::read_to_string(file).unwrap_or_default();
    assert!(there == picture, "hit-ratios.svg is not what the simulator draws");
}

#[test]
fn tables_name_every_policy_and_capacity() {
    let trace = Trace::from_lines(b"a\nb\na\nc\na\nb").unwrap();
    let chart = sim::chart("small", &trace, &[Kind::Lru, Kind::Fifo], &[1, 2]);
    let expected = "small
capacity         1         2
            33.3 %    66.7 %
LRU           0.00     33.33
FIFO          0.00     16.67
optimum       0.00     33.33
";
    assert_eq!(sim::table(&chart), expected);
}
