//! P6: how much of the gap from LRU to the optimum the default policy closes. P7: hits of the named
//! policies beside their reference. P8: a change of phase. P12: the simulator. Traces: `testdata/cache`, the others from `$ARCHSTONE_DATA`.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

use archstone_cache::policy::{
    Adaptive, Arc, Clock, Fifo, Lfu, Lirs, Lru, S3Fifo, Sieve, TwoQueue, WTinyLfu,
};
use archstone_cache::sim::{self, Trace};
use archstone_cache::{Policy, unsync};

use crate::areas::Area;
use crate::measure::measured_section;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::testdata;

/// The policy of `Cache::new`.
type Default = Adaptive;

/// The traces of P6, at 1, 5, 10 and 20 % of their keys.
const VISIBLE: [&str; 5] =
    ["arc_OLTP", "arc_P3", "cache2k_orm_busy", "cache2k_web07", "cloudphysics_io"];
const PERCENT: [&str; 4] = ["1", "5", "10", "20"];
/// Those that know the future, and those that are no online policy of the table.
const NOT_ONLINE: [&str; 2] = ["OPT", "OPT-bypass"];

pub(super) fn entries(area: &mut Area) {
    area.rows("cache.P6", |_| gap());
    area.rows("cache.P7", |_| references());
    area.rows("cache.P8", |_| phases());
    simulator(area);
}

/// Where a file of the traces is, here or in `$ARCHSTONE_DATA`.
fn find(name: &str) -> Option<PathBuf> {
    let here = testdata(&format!("cache/{name}"));
    if here.exists() {
        return Some(here);
    }
    let there = PathBuf::from(std::env::var_os("ARCHSTONE_DATA")?).join("cache").join(name);
    there.exists().then_some(there)
}

pub(super) fn trace(name: &str) -> Option<Vec<u64>> {
    let packed = std::fs::read(find(&format!("{name}.u64.zst"))?).ok()?;
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(&packed[..]).ok()?;
    let mut bytes = Vec::new();
    decoder.read_to_end(&mut bytes).ok()?;
    let (words, _) = bytes.as_chunks::<8>();
    Some(words.iter().map(|&word| u64::from_le_bytes(word)).collect())
}

struct Golden {
    trace: String,
    percent: String,
    capacity: usize,
    policy: String,
    exact: bool,
    ratio: f64,
}

fn golden() -> Vec<Golden> {
    let text = std::fs::read_to_string(testdata("cache/golden_hits.csv")).expect("golden hits");
    text.lines()
        .skip(1)
        .map(|line| {
            let column: Vec<&str> = line.split(',').collect();
            let (hits, requests) = (column[8].parse::<f64>(), column[1].parse::<f64>());
            let printed = column[9].parse().expect("a ratio");
            Golden {
                trace: column[0].to_owned(),
                percent: column[3].to_owned(),
                capacity: column[4].parse().expect("a capacity"),
                policy: column[5].to_owned(),
                exact: column[7] == "exact",
                ratio: hits.ok().zip(requests.ok()).map_or(printed, |(hits, all)| hits / all),
            }
        })
        .collect()
}

fn ratio<P: Policy>(keys: &[u64], capacity: usize) -> f64 {
    let mut cache = unsync::Cache::<u64, (), P>::with_policy(capacity);
    let mut hits = 0_u64;
    for &key in keys {
        if cache.get(&key).is_some() {
            hits += 1;
        } else {
            cache.insert(key, ()).ignore();
        }
    }
    hits as f64 / keys.len() as f64
}

fn gap() -> Vec<Row> {
    let golden = golden();
    let (mut rows, mut gaps, mut regrets, mut below) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut missing = Vec::new();
    for name in VISIBLE {
        let Some(keys) = trace(name) else {
            missing.push(name);
            continue;
        };
        for percent in PERCENT {
            let cell: Vec<&Golden> =
                golden.iter().filter(|row| row.trace == name && row.percent == percent).collect();
            let of = |policy: &str| {
                cell.iter().find(|row| row.policy == policy).expect("in the table").ratio
            };
            let best = cell
                .iter()
                .filter(|row| !NOT_ONLINE.contains(&row.policy.as_str()))
                .max_by(|a, b| a.ratio.total_cmp(&b.ratio))
                .expect("a policy");
            let ours = ratio::<Default>(&keys, cell[0].capacity);
            let (lru, opt) = (of("LRU"), of("OPT"));
            gaps.push((ours - lru) / (opt - lru));
            regrets.push(best.ratio - ours);
            below += usize::from(ours < lru - 0.001);
            rows.push(
                Subject::new(
                    &format!("cache.P6/{name}@{percent}%"),
                    "hit ratio of the default policy, beside the best online policy of the table",
                    Unit::Ratio,
                    Better::Higher,
                )
                .against(
                    Side::new("archstone-cache", ours),
                    Side::new(best.policy.as_str(), best.ratio),
                    None,
                )
                .note(format!("LRU {lru:.4}, OPT {opt:.4}")),
            );
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let worst = regrets.iter().copied().fold(f64::MIN, f64::max);
    let cells = format!("{} cells", gaps.len());
    let summary = |id: &str, what: &str, better, value: f64, limit: f64| {
        let row = Subject::new(&format!("cache.P6/{id}"), what, Unit::Ratio, better)
            .limit(Side::new(<Default as Policy>::NAME, value), limit)
            .note(&cells);
        if missing.is_empty() {
            row
        } else {
            row.could_not_run(format!("no trace {}", missing.join(", ")))
        }
    };
    rows.insert(
        0,
        summary(
            "gap",
            "mean share of the gap from LRU to the optimum",
            Better::Higher,
            mean(&gaps),
            0.215,
        ),
    );
    rows.insert(
        1,
        summary(
            "mean-regret",
            "mean distance to the best online policy",
            Better::Lower,
            mean(&regrets),
            0.0055,
        ),
    );
    rows.insert(
        2,
        summary(
            "worst-regret",
            "largest distance to the best online policy",
            Better::Lower,
            worst,
            0.023,
        ),
    );
    rows.insert(
        3,
        summary("below-LRU", "cells below LRU by more than .001", Better::Lower, below as f64, 1.0),
    );
    rows
}

type Run = fn(&[u64], usize) -> f64;

fn references() -> Vec<Row> {
    let policies: [(&str, Run); 9] = [
        ("LRU", ratio::<Lru>),
        ("FIFO", ratio::<Fifo>),
        ("CLOCK", ratio::<Clock>),
        ("LFU", ratio::<Lfu>),
        ("SIEVE", ratio::<Sieve>),
        ("S3-FIFO", ratio::<S3Fifo>),
        ("2Q", ratio::<TwoQueue>),
        ("ARC", ratio::<Arc>),
        ("LIRS", ratio::<Lirs>),
    ];
    let golden = golden();
    let mut worst: HashMap<&str, (f64, usize)> = HashMap::new();
    let mut names: Vec<&str> = golden.iter().map(|row| row.trace.as_str()).collect();
    names.dedup();
    let mut missing = Vec::new();
    for name in names {
        // The largest one takes most of the time and adds nothing that the others have not.
        if name == "arc_P3" {
            continue;
        }
        let Some(keys) = trace(name) else {
            missing.push(name);
            continue;
        };
        for row in golden.iter().filter(|row| row.trace == name) {
            let Some((policy, run)) = policies.iter().find(|(policy, _)| *policy == row.policy)
            else {
                continue;
            };
            let ours = run(&keys, row.capacity);
            // What is exact must be equal; for others it is fine to be better.
            let off = if row.exact { (ours - row.ratio).abs() } else { row.ratio - ours };
            let (most, cells) = worst.entry(policy).or_insert((0.0, 0));
            *most = most.max(off);
            *cells += 1;
        }
    }
    policies
        .iter()
        .map(|(policy, _)| {
            let (off, cells) = worst.get(policy).copied().unwrap_or((f64::NAN, 0));
            let near = ["S3-FIFO", "2Q", "ARC", "LIRS"].contains(policy);
            let limit = if near { 0.005 } else { 0.0 };
            let what = "largest distance of a hit ratio from the reference's";
            let note = if missing.is_empty() {
                String::new()
            } else {
                format!("no trace {}", missing.join(", "))
            };
            Subject::new(&format!("cache.P7/{policy}"), what, Unit::Ratio, Better::Lower)
                .limit(Side::new("archstone-cache", off), limit)
                .note(format!("{cells} cells without arc_P3"))
                .note(note)
        })
        .collect()
}

/// OLTP, a loop of 1011 keys (2500 times, as five times the loop of the LIRS paper), OLTP again, in
/// 512 entries; the first ten capacities of requests of a phase do not count.
fn phases() -> Vec<Row> {
    const CAPACITY: usize = 512;
    let what = "hit ratio in a phase, beside the better of LRU and W-TinyLFU";
    let Some(oltp) = trace("arc_OLTP") else { return Vec::new() };
    let (before, after) = oltp.split_at(oltp.len() / 2);
    let base = 1 << 40;
    let around: Vec<u64> = (0..2500).flat_map(|_| base..base + 1011).collect();
    fn run<P: Policy>(phases: &[&[u64]]) -> Vec<f64> {
        let mut cache = unsync::Cache::<u64, (), P>::with_policy(CAPACITY);
        let mut request = |key: u64| {
            let hit = cache.get(&key).is_some();
            if !hit {
                cache.insert(key, ()).ignore();
            }
            u32::from(hit)
        };
        let ratio = |keys: &&[u64]| {
            let (settle, counted) = keys.split_at(10 * CAPACITY);
            settle.iter().for_each(|&key| {
                request(key);
            });
            f64::from(counted.iter().map(|&key| request(key)).sum::<u32>()) / counted.len() as f64
        };
        phases.iter().map(ratio).collect()
    }
    let phases = [before, &around[..], after];
    let (ours, lru, tinylfu) =
        (run::<Default>(&phases), run::<Lru>(&phases), run::<WTinyLfu>(&phases));
    let row = |at: usize, name: &str| {
        let (better, ratio) =
            if lru[at] >= tinylfu[at] { ("LRU", lru[at]) } else { ("W-TinyLFU", tinylfu[at]) };
        Subject::new(&format!("cache.P8/{name}"), what, Unit::Ratio, Better::Higher)
            .against(
                Side::new(<Default as Policy>::NAME, ours[at]),
                Side::new(better, ratio),
                Some(0.9),
            )
            .note(format!("LRU {:.4}, W-TinyLFU {:.4}", lru[at], tinylfu[at]))
    };
    vec![row(0, "OLTP"), row(1, "loop"), row(2, "OLTP-again")]
}

/// Requests a second that the simulator replays.
fn simulator(area: &mut Area) {
    type Run = fn(&Trace, u64) -> u64;
    let runs: [(&str, Run, f64); 4] = [
        ("SIEVE", |trace, capacity| sim::run_policy::<Sieve>(trace, capacity).hits, 40.0),
        ("S3-FIFO", |trace, capacity| sim::run_policy::<S3Fifo>(trace, capacity).hits, 40.0),
        ("Adaptive", |trace, capacity| sim::run_policy::<Default>(trace, capacity).hits, 40.0),
        ("OPT", |trace, capacity| sim::optimum(trace, capacity).hits, 3.0),
    ];
    for (name, run, least) in runs {
        let id = format!("cache.P12/{name}");
        area.rows(id.clone(), move |_| replayed(&id, run, least));
    }
}

fn replayed(id: &str, run: fn(&Trace, u64) -> u64, least: f64) -> Vec<Row> {
    let what = "million requests a second of arc_OLTP at 10 % of its keys, in the simulator";
    let Some(trace) = trace("arc_OLTP").and_then(|keys| Trace::from_keys(keys).ok()) else {
        return Vec::new();
    };
    let capacity = trace.distinct() as u64 / 10;
    let once = || {
        let start = std::time::Instant::now();
        std::hint::black_box(measured_section(|| run(&trace, capacity)));
        trace.len() as f64 / start.elapsed().as_secs_f64() / 1e6
    };
    let rate = (0..7).map(|_| once()).fold(0.0, f64::max);
    let subject = Subject::new(id, what, Unit::Ratio, Better::Higher);
    vec![subject.limit(Side::new("archstone-cache", rate), least).note("best of 7")]
}
