//! P9: HyperLogLog with our own hash. P10: that of DataSketches. P11: UltraLogLog. P16: merging 64
//! of them. P17: exact small counts. On 4 Mi different `u64`.

use std::hint::black_box;
use std::sync::Arc;

use archstone_core::hash::hash_u64;
use archstone_sketch::distinct::{DsHll, Hll, HllType, Theta, UltraLogLog};
use archstone_sketch::{Merge, Wire};
use datasketches::hll::{HllSketch, HllType as PeerType, HllUnion};
use datasketches::theta::{ThetaSketch, ThetaSketchBuilder};
use hyperloglockless::HyperLogLog;

use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::distinct_keys;

const ITEMS: usize = 4 << 20;
const LG: u8 = 12;
const WORKLOAD: &str = "4 Mi different u64, 2^12 registers";

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P9/insert", |_| hll_insert());
    area.race("sketch.P9/estimate-race", |_| hll_estimate());
    area.rows("sketch.P9/quality", |run| hll_quality(run.quick));
    area.race("sketch.P10/update/HLL_8", |_| ds_update::<8>(Some(1.5)));
    area.race("sketch.P10/update/HLL_6", |_| ds_update::<6>(None));
    area.race("sketch.P10/update/HLL_4", |_| ds_update::<4>(None));
    area.race("sketch.P10/theta-update", |_| theta_update());
    area.race("sketch.P11/insert", |_| ultra_insert());
    area.race("sketch.P11/estimate-race", |_| ultra_estimate());
    area.rows("sketch.P11/quality", |run| ultra_quality(run.quick));
    area.race("sketch.P16/hll", |_| merge());
    area.rows("sketch.P17", |_| exact());
}

trait Contender: 'static {
    const NAME: &'static str;
    fn new() -> Self;
    fn add(&mut self, key: u64);
    fn estimate(&self) -> f64;
}

macro_rules! contender {
    ($type:ty, $name:expr, $new:expr, |$sketch:ident, $key:ident| $add:expr, $estimate:expr) => {
        impl Contender for $type {
            const NAME: &'static str = $name;
            fn new() -> Self {
                $new
            }
            #[inline]
            fn add(&mut self, $key: u64) {
                let $sketch = self;
                $add;
            }
            #[inline]
            fn estimate(&self) -> f64 {
                let estimate: fn(&Self) -> f64 = $estimate;
                estimate(self)
            }
        }
    };
}

contender!(Hll, "archstone-sketch Hll", Hll::new(LG).unwrap(),
    |s, key| s.add(&key), |s| s.estimate());
/// The peer on the hash that ours uses, so that only the sketches differ.
struct Lockless(HyperLogLog);
contender!(Lockless, "hyperloglockless, same hash", Self(HyperLogLog::new(LG)),
    |s, key| s.0.insert_hash(hash_u64(key, 0)), |s| s.0.raw_count());
/// The peer on its own default hash.
struct LocklessDefault(HyperLogLog);
contender!(LocklessDefault, "hyperloglockless, its hash", Self(HyperLogLog::new(LG)),
    |s, key| s.0.insert(&key), |s| s.0.raw_count());
contender!(UltraLogLog, "archstone-sketch UltraLogLog", Self::new(LG).unwrap(),
    |s, key| s.add(&key), |s| s.estimate());
contender!(ultraloglog::UltraLogLog, "ultraloglog, same hash", Self::new(LG.into()).unwrap(),
    |s, key| { s.add(hash_u64(key, 0)); }, |s| s.get_distinct_count_estimate());
contender!(Theta, "archstone-sketch Theta", Self::new(LG).unwrap(),
    |s, key| s.add(&key), |s| s.estimate());
contender!(ThetaSketch, "datasketches theta", ThetaSketchBuilder::default().lg_k(LG).build().unwrap(),
    |s, key| s.update(key), |s| s.estimate());

struct Ds<const BITS: u8>(DsHll);
struct PeerDs<const BITS: u8>(HllSketch);

impl<const BITS: u8> Contender for Ds<BITS> {
    const NAME: &'static str = "archstone-sketch DsHll";
    fn new() -> Self {
        let kind = match BITS {
            4 => HllType::Four,
            6 => HllType::Six,
            _ => HllType::Eight,
        };
        Self(DsHll::new(LG, kind).unwrap())
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.0.add(&key);
    }
    fn estimate(&self) -> f64 {
        self.0.estimate()
    }
}

impl<const BITS: u8> Contender for PeerDs<BITS> {
    const NAME: &'static str = "datasketches";
    fn new() -> Self {
        let kind = match BITS {
            4 => PeerType::Hll4,
            6 => PeerType::Hll6,
            _ => PeerType::Hll8,
        };
        Self(HllSketch::new(LG, kind).unwrap())
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.0.update(key);
    }
    fn estimate(&self) -> f64 {
        self.0.estimate()
    }
}

fn keys() -> Arc<[u64]> {
    distinct_keys(1, ITEMS).into()
}

fn inserter<C: Contender>(keys: &Arc<[u64]>) -> Runner {
    let keys = Arc::clone(keys);
    Runner::fresh(C::NAME, keys.len(), C::new, move |mut sketch| {
        keys.iter().for_each(|&key| sketch.add(key));
        sketch
    })
}

fn fill<C: Contender>(keys: &[u64]) -> C {
    let mut sketch = C::new();
    keys.iter().for_each(|&key| sketch.add(key));
    sketch
}

const ESTIMATES: usize = 1000;

fn estimator<C: Contender>(keys: &[u64]) -> Runner {
    Runner::steady(C::NAME, ESTIMATES, fill::<C>(keys), |sketch| {
        (0..ESTIMATES).map(|_| black_box(&*sketch).estimate()).sum::<f64>()
    })
}

/// Nanoseconds of one estimate, the best of twenty rounds.
fn estimate_ns<C: Contender>(keys: &[u64]) -> f64 {
    let mut runner = estimator::<C>(keys);
    let best = (0..20).map(|_| runner.round()).min().unwrap_or_default();
    best.as_nanos() as f64 / ESTIMATES as f64
}

/// Root mean square of the relative error at 100,000 items.
fn rms<C: Contender>(runs: u64) -> f64 {
    let n = 100_000;
    let squares = (0..runs).map(|run| {
        let sketch = fill::<C>(&distinct_keys(1000 + run, n));
        (sketch.estimate() / n as f64 - 1.0).powi(2)
    });
    (squares.sum::<f64>() / runs as f64).sqrt()
}

fn hll_insert() -> Race {
    let keys = keys();
    Race::new(WORKLOAD, inserter::<Hll>(&keys))
        .beats("hyperloglockless", inserter::<Lockless>(&keys), 0.95)
        .beside("hyperloglockless-its-hash", inserter::<LocklessDefault>(&keys))
}

fn hll_estimate() -> Race {
    let keys = keys();
    Race::new(format!("{WORKLOAD}, one estimate"), estimator::<Hll>(&keys))
        .beside("hyperloglockless", estimator::<Lockless>(&keys))
}

fn quality<Ours: Contender>(id: &str, theory: f64, most_ns: f64, quick: bool, peer: Side) -> Vec<Row> {
    let runs = if quick { 100 } else { 400 };
    let subject = |name: &str, what: &str, unit| {
        Subject::new(&format!("{id}/{name}"), what, unit, Better::Lower)
    };
    let workload = format!("relative error at 100,000 items, {runs} runs");
    let ours = Side::new(Ours::NAME, rms::<Ours>(runs));
    // An error of that many runs is itself uncertain by 1 / sqrt(2 runs).
    let most = theory * (1.0 + 2.0 / (2.0 * runs as f64).sqrt());
    vec![
        subject("rms/theory", &workload, Unit::Ratio).limit(ours.clone(), most),
        subject("rms/peer", &workload, Unit::Ratio).against(ours, peer, None),
        subject("estimate/limit", "one estimate, 2^12 registers", Unit::Ns)
            .limit(Side::new(Ours::NAME, estimate_ns::<Ours>(&keys())), most_ns),
    ]
}

fn hll_quality(quick: bool) -> Vec<Row> {
    let peer = Side::new(Lockless::NAME, rms::<Lockless>(if quick { 100 } else { 400 }));
    quality::<Hll>("sketch.P9", 0.8326 / 64.0, 30.0, quick, peer)
}

fn ds_update<const BITS: u8>(goal: Option<f64>) -> Race {
    let keys = keys();
    let race = Race::new(format!("{WORKLOAD}, {BITS} bits"), inserter::<Ds<BITS>>(&keys));
    match goal {
        Some(goal) => race.beats("datasketches", inserter::<PeerDs<BITS>>(&keys), goal),
        None => race.beside("datasketches", inserter::<PeerDs<BITS>>(&keys)),
    }
}

fn theta_update() -> Race {
    let keys = keys();
    Race::new("4 Mi different u64, 2^12 nominal hashes", inserter::<Theta>(&keys))
        .beside("datasketches", inserter::<ThetaSketch>(&keys))
}

fn ultra_insert() -> Race {
    let keys = keys();
    Race::new(WORKLOAD, inserter::<UltraLogLog>(&keys))
        .beats("ultraloglog", inserter::<ultraloglog::UltraLogLog>(&keys), 1.5)
}

fn ultra_estimate() -> Race {
    let keys = keys();
    Race::new(format!("{WORKLOAD}, one estimate (FGRA)"), estimator::<UltraLogLog>(&keys))
        .beside("ultraloglog", estimator::<ultraloglog::UltraLogLog>(&keys))
}

fn ultra_quality(quick: bool) -> Vec<Row> {
    let runs = if quick { 100 } else { 400 };
    let peer = rms::<ultraloglog::UltraLogLog>(runs);
    let peer = Side::new(<ultraloglog::UltraLogLog as Contender>::NAME, peer);
    quality::<UltraLogLog>("sketch.P11", 0.7823 / 64.0, 1000.0, quick, peer)
}

const WORKERS: usize = 64;

fn merge() -> Race {
    let keys = keys();
    let parts = keys.chunks(ITEMS / WORKERS);
    let ours: Vec<DsHll> = parts
        .clone()
        .map(|part| {
            let mut sketch = DsHll::new(14, HllType::Eight).unwrap();
            part.iter().for_each(|key| sketch.add(key));
            sketch
        })
        .collect();
    let own: Vec<Hll> = parts
        .clone()
        .map(|part| {
            let mut sketch = Hll::new(14).unwrap();
            part.iter().for_each(|key| sketch.add(key));
            sketch
        })
        .collect();
    let theirs: Vec<HllSketch> = parts
        .map(|part| {
            let mut sketch = HllSketch::new(14, PeerType::Hll8).unwrap();
            part.iter().for_each(|&key| sketch.update(key));
            sketch
        })
        .collect();
    let ours = Runner::steady("archstone-sketch DsHll", WORKERS, ours, |parts| {
        let mut all = DsHll::new(14, HllType::Eight).unwrap();
        parts.iter().for_each(|part| all.merge(part).unwrap());
        all.estimate()
    });
    let own = Runner::steady("archstone-sketch Hll", WORKERS, own, |parts| {
        let mut all = Hll::new(14).unwrap();
        parts.iter().for_each(|part| all.merge(part).unwrap());
        all.estimate()
    });
    let theirs = Runner::steady("datasketches", WORKERS, theirs, |parts| {
        let mut all = HllUnion::new(14).unwrap();
        parts.iter().for_each(|part| all.update(part));
        all.estimate()
    });
    Race::new("64 sketches of 2^14 registers, 64 Ki items each", ours)
        .beats("datasketches", theirs, 2.0)
        .beside("own-hash", own)
}

fn exact() -> Vec<Row> {
    fn row<C: Contender + Wire>(name: &str) -> [Row; 3] {
        let keys = distinct_keys(3, 63);
        let (sketch, used) = memory::used(|| fill::<C>(&keys));
        let subject = |kind: &str, unit| {
            Subject::new(&format!("sketch.P17/{name}/{kind}"), "63 items", unit, Better::Lower)
        };
        let error = (sketch.estimate() - 63.0).abs();
        [
            subject("error", Unit::Count).limit(Side::new(C::NAME, error), 0.0),
            subject("heap", Unit::Bytes).limit(Side::new(C::NAME, used.live as f64), 512.0),
            subject("encoded", Unit::Bytes)
                .information(Side::new(C::NAME, sketch.encode().len() as f64)),
        ]
    }
    [row::<Hll>("hll"), row::<UltraLogLog>("ultra")].into_iter().flatten().collect()
}
