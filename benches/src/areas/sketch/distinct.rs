//! P9 to P11 and P17: how many different keys; u64, all different.

use std::sync::Arc;

use archstone_core::hash::hash_u64;
use archstone_sketch::distinct::{DsHll, Hll, HllType, Theta, UltraLogLog};
use datasketches::hll::{HllSketch, HllType as PeerType};
use hyperloglockless::HyperLogLog;

use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::{Rng, distinct_keys};

const EVENTS: usize = 8 << 20;
const LG: u8 = 12;
const WORKLOAD: &str = "8 Mi different u64";
/// Runs of as many different items each, for the error.
const RUNS: u64 = 400;
const A_RUN: usize = 100_000;

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P9/insert", |_| {
        let keys = keys();
        Race::new(WORKLOAD, inserter::<Hll>(&keys)).beats(
            "hyperloglockless",
            inserter::<Lockless>(&keys),
            0.95,
        )
    });
    area.rows("sketch.P9/estimate", |_| {
        vec![estimate_time::<Hll>("sketch.P9/estimate", 30.0)]
    });
    area.rows("sketch.P9/rms", |_| {
        let theory = 0.8326 / f64::from(1 << LG).sqrt();
        errors::<Hll, Lockless>("sketch.P9/rms", "hyperloglockless", Some(theory))
    });
    area.race("sketch.P10/insert", |_| {
        let keys = keys();
        Race::new(WORKLOAD, inserter::<DsHll>(&keys)).beats(
            "datasketches",
            inserter::<HllSketch>(&keys),
            1.5,
        )
    });
    area.race("sketch.P11/insert", |_| {
        let keys = keys();
        Race::new(WORKLOAD, inserter::<UltraLogLog>(&keys)).beats(
            "ultraloglog",
            inserter::<PeerUltra>(&keys),
            1.5,
        )
    });
    area.race("sketch.P11/estimate", |_| {
        Race::new(format!("{WORKLOAD}, FGRA"), ultra_estimate())
            .beside("ultraloglog", estimator::<PeerUltra>())
    });
    area.rows("sketch.P11/estimate-limit", |_| {
        let mut runner = ultra_estimate();
        vec![time_limit("sketch.P11/estimate-limit", &mut runner, 1000.0)]
    });
    area.rows("sketch.P11/rms", |_| {
        errors::<UltraLogLog, PeerUltra>("sketch.P11/rms", "ultraloglog", None)
    });
    area.rows("sketch.P17", |_| {
        let mut rows = exact_until_64::<Hll>("hll");
        rows.extend(exact_until_64::<UltraLogLog>("ultraloglog"));
        rows.extend(exact_until_64::<Theta>("theta"));
        // The format keeps 32 bits of a hash and has an estimator of its own even for a list.
        let foreign = exact_until_64::<DsHll>("datasketches-hll").into_iter();
        rows.extend(foreign.map(|row| Row { limit: None, holds: None, ..row }));
        rows
    });
}

trait Contender: 'static {
    const NAME: &'static str;
    fn new() -> Self;
    fn add(&mut self, key: u64);
    fn estimate(&self) -> f64;
}

macro_rules! ours {
    ($type:ident, $name:literal, $new:expr) => {
        impl Contender for $type {
            const NAME: &'static str = $name;
            fn new() -> Self {
                $new.unwrap()
            }
            #[inline]
            fn add(&mut self, key: u64) {
                self.add(&key);
            }
            fn estimate(&self) -> f64 {
                self.estimate()
            }
        }
    };
}

ours!(Hll, "archstone-sketch Hll 12", Self::new(LG));
ours!(UltraLogLog, "archstone-sketch UltraLogLog 12", Self::new(LG));
ours!(Theta, "archstone-sketch Theta 12", Self::new(LG));
ours!(DsHll, "archstone-sketch DsHll 12, 8 bits", Self::new(LG, HllType::Eight));

/// It takes hashes; it gets ours.
struct Lockless(HyperLogLog);

impl Contender for Lockless {
    const NAME: &'static str = "hyperloglockless 12, our hash";
    fn new() -> Self {
        Self(HyperLogLog::seeded(LG, 1))
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.0.insert_hash(hash_u64(key, 0));
    }
    fn estimate(&self) -> f64 {
        self.0.raw_count()
    }
}

/// It takes hashes; it gets ours.
struct PeerUltra(ultraloglog::UltraLogLog);

impl Contender for PeerUltra {
    const NAME: &'static str = "ultraloglog 12, our hash";
    fn new() -> Self {
        Self(ultraloglog::UltraLogLog::new(LG.into()).unwrap())
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.0.add(hash_u64(key, 0));
    }
    fn estimate(&self) -> f64 {
        self.0.get_distinct_count_estimate()
    }
}

impl Contender for HllSketch {
    const NAME: &'static str = "datasketches HLL8 12";
    fn new() -> Self {
        Self::new(LG, PeerType::Hll8).unwrap()
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.update(key);
    }
    fn estimate(&self) -> f64 {
        self.estimate()
    }
}

fn keys() -> Arc<[u64]> {
    distinct_keys(1, EVENTS).into()
}

fn inserter<C: Contender>(keys: &Arc<[u64]>) -> Runner {
    let keys = Arc::clone(keys);
    Runner::fresh(C::NAME, keys.len(), C::new, move |mut sketch| {
        keys.iter().for_each(|&key| sketch.add(key));
        sketch
    })
}

fn filled<C: Contender>(seed: u64, items: usize) -> C {
    let mut sketch = C::new();
    distinct_keys(seed, items).into_iter().for_each(|key| sketch.add(key));
    sketch
}

fn estimator<C: Contender>() -> Runner {
    repeated(C::NAME, filled::<C>(1, EVENTS), |sketch| sketch.estimate())
}

fn ultra_estimate() -> Runner {
    repeated(UltraLogLog::NAME, filled::<UltraLogLog>(1, EVENTS), UltraLogLog::fgra)
}

/// One question to one sketch, often enough to be timed.
fn repeated<C: 'static>(name: &str, sketch: C, ask: impl Fn(&C) -> f64 + 'static) -> Runner {
    const TIMES: usize = 10_000;
    Runner::steady(name, TIMES, sketch, move |sketch| {
        (0..TIMES).map(|_| ask(std::hint::black_box(sketch))).sum::<f64>()
    })
}

fn estimate_time<C: Contender>(id: &str, limit: f64) -> Row {
    time_limit(id, &mut estimator::<C>(), limit)
}

fn time_limit(id: &str, runner: &mut Runner, limit: f64) -> Row {
    let rounds = (0..9).map(|_| runner.round().as_nanos() as f64 / runner.operations() as f64);
    let best = rounds.fold(f64::INFINITY, f64::min);
    Subject::new(id, "one estimate", Unit::Ns, Better::Lower)
        .limit(Side::new(runner.name(), best), limit)
}

/// The root mean square of the relative error over many runs.
fn rms<C: Contender>() -> Side {
    let mut rng = Rng::new(9);
    let square = |_| {
        let sketch = filled::<C>(rng.below(1 << 30), A_RUN);
        (sketch.estimate() / A_RUN as f64 - 1.0).powi(2)
    };
    let mean = (0..RUNS).map(square).sum::<f64>() / RUNS as f64;
    Side::new(C::NAME, mean.sqrt())
}

fn errors<Ours: Contender, Peer: Contender>(
    id: &str,
    suffix: &str,
    theory: Option<f64>,
) -> Vec<Row> {
    let workload = format!("relative error, {RUNS} runs of {A_RUN} different u64");
    let subject = Subject::new(id, &workload, Unit::Ratio, Better::Lower);
    let ours = rms::<Ours>();
    let mut rows = vec![subject.at(suffix).against(ours.clone(), rms::<Peer>(), None)];
    if let Some(theory) = theory {
        // 400 runs know the error to 3.5 %; three of those for chance.
        let row = subject.limit(ours, 1.11 * theory);
        rows.push(row.note(format!("theory {theory:.5}, 11 % for chance")));
    }
    rows
}

/// With 1 to 63 different items: the worst error, and the bytes at 63.
fn exact_until_64<C: Contender>(name: &str) -> Vec<Row> {
    let workload = "1 to 63 different u64, each twice";
    let subject =
        |what, unit| Subject::new(&format!("sketch.P17/{name}/{what}"), workload, unit, Better::Lower);
    let keys = distinct_keys(5, 63);
    let mut worst = 0.0_f64;
    let (sketch, used) = memory::used(|| {
        let mut sketch = C::new();
        for (seen, &key) in (1_u32..).zip(&keys) {
            sketch.add(key);
            sketch.add(keys[0]);
            worst = worst.max((sketch.estimate() - f64::from(seen)).abs());
        }
        sketch
    });
    drop(sketch);
    vec![
        subject("error", Unit::Count).limit(Side::new(C::NAME, worst), 0.0),
        subject("heap-bytes", Unit::Bytes).limit(Side::new(C::NAME, used.live as f64), 512.0),
    ]
}
