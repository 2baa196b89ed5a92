//! Every guarantee on streams made to break it: small enough that the history of a break can be
//! read, seeded, and quick enough to run for twenty seeds and every safeguard.

use crate::counters::Hit;
use crate::exact::Exact;
use crate::faults;
use crate::keys::Keys;
use crate::sample;
use crate::shard;
use crate::windows;
use archstone_sketch::CountMin;
use archstone_sketch::frequency::{LossyCounting, SpaceSaving};
use kit::invariant::{Record, merge};
use kit::{Invariants, Safeguards, Seed, Stream};
use std::collections::BTreeMap;

/// Invariants of the algorithms, which the safeguards refer to.
pub const COUNT_MIN: &str = "Count-Min is over by more than its bound for few keys only";
/// See [`COUNT_MIN`].
pub const SPACE_SAVING: &str = "Space-Saving holds the truth and its counts add up to N";
/// See [`COUNT_MIN`].
pub const LOSSY: &str = "Lossy Counting loses at most eps N of a key";
/// See [`COUNT_MIN`].
pub const MERGED: &str = "a merged list holds the truth";

/// One guarantee, one stream made to break it.
type Trial = fn(&mut Stream, &Safeguards, &mut Invariants);

/// Runs every trial with `seed`; the records of all of them.
#[must_use]
pub fn run(seed: u64, safeguards: &Safeguards) -> Vec<Record> {
    let trials: [(&str, Trial); 6] = [
        ("count-min", count_min),
        ("space-saving", space_saving),
        ("lossy", lossy),
        ("merge", merged),
        ("faults", faulty),
        ("windows", windows::trial),
    ];
    let mut records = Vec::new();
    for (name, trial) in trials {
        let mut invariants = Invariants::new(seed);
        trial(&mut Seed::new(seed).child("trials").stream(name), safeguards, &mut invariants);
        merge(&mut records, invariants.into_records());
    }
    records
}

/// A thousand keys of about twenty each, in the sample code's own shape: 7 rows of 10,000. Two
/// that share a cell are over by 20 where the bound is 6, so a key may share its cells with
/// another in all seven rows only, which independent rows never do.
fn count_min(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    const DEPTH: u32 = 7;
    const WIDTH: usize = 10_000;
    let few = invariants.declare(COUNT_MIN);
    let mut truth = BTreeMap::new();
    while truth.len() < 1000 {
        truth.insert(format!("/page/{}", dice.below(1 << 40)), 10 + dice.below(20));
    }
    let n: u64 = truth.values().sum();
    let mut ours = CountMin::<u32>::new(DEPTH, WIDTH as u64).expect("a small table");
    let mut samples = sample::CountMinSketch::new(WIDTH, DEPTH as usize);
    let real = safeguards.on("row-hashes");
    for (key, &times) in &truth {
        if real {
            ours.add_n(key, times);
        } else {
            (0..times).for_each(|_| samples.add(key));
        }
    }
    let count = |key: &str| if real { ours.count(key).into() } else { samples.estimate(key) };
    let bound = (std::f64::consts::E * n as f64 / WIDTH as f64).ceil() as u64;
    let over: Vec<_> = truth.iter().filter(|&(key, &t)| count(key) > t + bound).collect();
    let under = truth.iter().filter(|&(key, &t)| count(key) < t).count();
    let allowed = ((-f64::from(DEPTH)).exp() * truth.len() as f64).ceil() as usize;
    if let Some((key, _)) = over.first() {
        // The history is the collision: the keys whose columns are the same.
        let columns = |key: &str| samples.columns(key).collect::<Vec<_>>();
        let of_key = columns(key);
        for (other, times) in truth.iter().filter(|(other, _)| columns(other) == of_key) {
            invariants.event(format!("add {other} {times} times at columns {of_key:?}"));
        }
    }
    invariants.event(format!("{n} events of {} keys, bound {bound}", truth.len()));
    invariants.check(few, under == 0 && over.len() <= allowed, || {
        let example =
            over.first().map(|&(key, &t)| format!("{key}: {t} counted as {}", count(key)));
        let example = example.unwrap_or_default();
        format!("{} keys over, {allowed} allowed, {under} under; {example}", over.len())
    });
}

/// Four counters and ten keys, the truth compared after every event.
fn space_saving(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    const COUNTERS: usize = 4;
    let holds = invariants.declare(SPACE_SAVING);
    let mut ours = SpaceSaving::<String>::new(COUNTERS).expect("four");
    let mut samples = sample::SpaceSaving::new(COUNTERS);
    let mut exact = Exact::new(usize::MAX);
    for _ in 0..200 {
        let key = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][skewed(dice, 10)];
        exact.add(key);
        let list: Vec<Hit> = if safeguards.on("heap-update") {
            ours.add(key);
            let hit = |h: archstone_sketch::Hitter<'_, String>| Hit {
                key: h.item.clone(),
                count: h.count,
                error: h.error,
            };
            ours.iter().map(hit).collect()
        } else {
            samples.add(key);
            let hit =
                |(key, count, error): (&str, u64, u64)| Hit { key: key.to_owned(), count, error };
            samples.counters().into_iter().map(hit).collect()
        };
        let shown: Vec<_> = list.iter().map(|h| format!("{}={}", h.key, h.count)).collect();
        invariants.event(format!("add {key}: {}", shown.join(" ")));
        let sum: u64 = list.iter().map(|hit| hit.count).sum();
        let n = exact.total();
        invariants.check(holds, sum == n, || format!("the counts add up to {sum}, N is {n}"));
        for hit in &list {
            check_hit(invariants, holds, hit, &exact);
        }
    }
}

/// One key exactly twice in every bucket, everything else once: its share is 2 eps, so it must be
/// kept and may lose no more than eps N.
fn lossy(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(LOSSY);
    let bucket = 5 + dice.below(6);
    let eps = 1.0 / bucket as f64;
    let mut ours = LossyCounting::<String>::with_error(eps).expect("a share");
    let mut samples = sample::LossyCounting::new(eps);
    let mut n = 0;
    for round in 1..=20_u64 {
        let mut keys: Vec<String> = (2..bucket).map(|i| format!("once-{}", n + i)).collect();
        keys.extend(["steady".to_owned(), "steady".to_owned()]);
        dice.shuffle(&mut keys);
        for key in &keys {
            n += 1;
            let kept = if safeguards.on("prune-after-bucket") {
                ours.add(key.as_str());
                ours.bounds("steady").lower as u64
            } else {
                samples.add(key);
                samples.count("steady")
            };
            invariants.event(format!("add {key}: steady has {kept}"));
            if n % bucket == 0 {
                let (truth, most) = (2 * round, n / bucket);
                invariants.check(holds, truth <= kept + most, || {
                    format!("steady was seen {truth} times and has {kept}, eps N is {most}")
                });
            }
        }
    }
}

/// Workers with favourites of their own, and one key that is next after them on every worker.
fn merged(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    const K: usize = 3;
    let holds = invariants.declare(MERGED);
    let workers = 2 + dice.below(3) as usize;
    let mut keys = Keys::default();
    let each = 40;
    for worker in 0..workers {
        let mut part: Vec<String> = Vec::new();
        for favourite in 0..K {
            part.extend(std::iter::repeat_n(format!("w{worker}-{favourite}"), 10));
        }
        part.extend(std::iter::repeat_n("everywhere".to_owned(), each - 10 * K - 1));
        part.push("w0-0".to_owned());
        dice.shuffle(&mut part);
        part.iter().for_each(|key| keys.push(key));
    }
    let mut exact = Exact::new(usize::MAX);
    keys.iter().for_each(|key| exact.add(key));
    let parts = shard::count(&keys, workers, || SpaceSaving::new(16).expect("sixteen"));
    for (worker, part) in parts.iter().enumerate() {
        let list: Vec<_> =
            part.top(K + 1).iter().map(|h| format!("{}={}", h.item, h.count)).collect();
        invariants.event(format!("worker {worker}: {}", list.join(" ")));
    }
    let list = shard::reduce(&parts, K, safeguards.on("whole-summaries"));
    let shown: Vec<_> = list.iter().map(|h| format!("{}={}", h.key, h.count)).collect();
    invariants.event(format!("merged: {}", shown.join(" ")));
    for hit in &list {
        check_hit(invariants, holds, hit, &exact);
    }
    let (first, most) = exact.top(1)[0];
    invariants.check(holds, list.first().is_some_and(|hit| hit.count >= most), || {
        format!("{first} was seen {most} times and is not first")
    });
}

/// Faults on a short log.
fn faulty(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let mut keys = Keys::default();
    for _ in 0..400 {
        keys.push(&format!("/{}", skewed(dice, 40)));
    }
    let make = || SpaceSaving::new(16).expect("sixteen");
    faults::run(&keys, &make, dice, safeguards, invariants);
}

/// `count - error <= truth <= count`.
pub fn check_hit(
    invariants: &mut Invariants,
    invariant: kit::invariant::Invariant,
    hit: &Hit,
    exact: &Exact,
) {
    let truth = exact.count(&hit.key).unwrap_or(0);
    let (low, high) = (hit.count.saturating_sub(hit.error), hit.count);
    invariants.check(invariant, (low..=high).contains(&truth), || {
        format!("{} was seen {truth} times, the list says {low} to {high}", hit.key)
    });
}

/// A rank below `n`, the smaller the likelier: the least of two.
fn skewed(dice: &mut Stream, n: u64) -> usize {
    dice.below(n).min(dice.below(n)) as usize
}
