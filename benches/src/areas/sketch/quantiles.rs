//! P13 to P15: quantiles of 4 Mi values, lognormal(3, 1.5).
//!
//! Ours is not on main yet: when it is, `impl Contender` for it and `Race::new(.., runner::<Ours>)`.

use std::sync::Arc;

use datasketches::common::SearchCriteria;
use datasketches::kll::{KllFloat, KllSketch};
use datasketches::tdigest::TDigestMut;
use sketches_ddsketch::{Config, DDSketch};
use tdigest::TDigest;

use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::Rng;

const EVENTS: usize = 4 << 20;
const WORKLOAD: &str = "4 Mi f64, lognormal(3, 1.5)";
const NOT_YET: &str = "not built yet";

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P13/kll-f64", |_| {
        Race::without_ours(WORKLOAD, "archstone-sketch Kll 200", NOT_YET)
            .beats("datasketches", runner::<PeerKll>(&values()), 2.0)
    });
    area.race("sketch.P13/kll-i64", |_| {
        let whole = values().iter().map(|value| (value * 1000.0) as i64).collect();
        Race::without_ours("the same in thousandths, i64", "archstone-sketch Kll 200", NOT_YET)
            .beats("datasketches", whole_runner(whole), 2.0)
    });
    area.race("sketch.P14/t-digest", |_| {
        let values = values();
        Race::without_ours(WORKLOAD, "archstone-sketch TDigest 100", NOT_YET)
            .beats("datasketches", runner::<TDigestMut>(&values), 2.0)
            .beside("tdigest", runner::<PeerDigest>(&values))
    });
    area.race("sketch.P15/ddsketch", |_| {
        Race::without_ours(WORKLOAD, "archstone-sketch DdSketch 1 %", NOT_YET)
            .beats("sketches-ddsketch", runner::<DDSketch>(&values()), 2.0)
    });
    area.rows("sketch.P14/p99.99", |_| {
        let mut sorted = values().to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let subject = |suffix: &str| {
            let id = format!("sketch.P14/p99.99/{suffix}");
            Subject::new(&id, "relative error of the value", Unit::Ratio, Better::Lower)
        };
        let ours = || Side::missing("archstone-sketch TDigest 100");
        vec![
            subject("datasketches").against(ours(), tail::<TDigestMut>(&sorted), Some(1.0)),
            subject("tdigest").against(ours(), tail::<PeerDigest>(&sorted), None),
        ]
        .into_iter()
        .map(|row: Row| row.could_not_run(NOT_YET))
        .collect()
    });
}

trait Contender: 'static {
    const NAME: &'static str;
    fn new() -> Self;
    fn add(&mut self, value: f64);
    fn quantile(&mut self, q: f64) -> f64;
}

struct PeerKll(KllSketch<KllFloat<f64>>);

impl Contender for PeerKll {
    const NAME: &'static str = "datasketches KLL f64, 200";
    fn new() -> Self {
        Self(KllSketch::new(200).unwrap())
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.0.update(KllFloat::<f64>::new(value).unwrap());
    }
    fn quantile(&mut self, q: f64) -> f64 {
        self.0.quantile(q, SearchCriteria::Inclusive).unwrap().map_or(f64::NAN, KllFloat::into_inner)
    }
}

impl Contender for TDigestMut {
    const NAME: &'static str = "datasketches TDigest 100";
    fn new() -> Self {
        Self::new(100).unwrap()
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.update(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        self.quantile(q).unwrap().unwrap_or(f64::NAN)
    }
}

struct PeerDigest(TDigest);

impl Contender for PeerDigest {
    const NAME: &'static str = "tdigest 100";
    fn new() -> Self {
        Self(TDigest::new_with_size(100))
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.0.push(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        self.0.estimate_quantile(q).unwrap_or(f64::NAN)
    }
}

impl Contender for DDSketch {
    const NAME: &'static str = "sketches-ddsketch 1 %";
    fn new() -> Self {
        Self::new(Config::new(0.01, 2048, 1e-9))
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.add(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        Self::quantile(self, q).unwrap().unwrap_or(f64::NAN)
    }
}

fn values() -> Arc<[f64]> {
    let mut rng = Rng::new(1);
    (0..EVENTS).map(|_| (3.0 + 1.5 * rng.normal()).exp()).collect()
}

fn runner<C: Contender>(values: &Arc<[f64]>) -> Runner {
    let values = Arc::clone(values);
    Runner::fresh(C::NAME, values.len(), C::new, move |mut sketch| {
        values.iter().for_each(|&value| sketch.add(value));
        // What a sketch put off until it is asked belongs to the cost.
        (sketch.quantile(0.5), sketch)
    })
}

fn whole_runner(values: Vec<i64>) -> Runner {
    let new = || KllSketch::<i64>::new(200).unwrap();
    Runner::fresh("datasketches KLL i64, 200", values.len(), new, move |mut sketch| {
        values.iter().for_each(|&value| sketch.update(value));
        (sketch.quantile(0.5, SearchCriteria::Inclusive).unwrap(), sketch)
    })
}

/// How far the value at 99.99 % is off.
fn tail<C: Contender>(sorted: &[f64]) -> Side {
    let mut sketch = C::new();
    values().iter().for_each(|&value| sketch.add(value));
    let truth = sorted[(0.9999 * sorted.len() as f64) as usize];
    Side::new(C::NAME, (sketch.quantile(0.9999) / truth - 1.0).abs())
}
