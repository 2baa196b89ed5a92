//! P13 to P15: quantiles of 4 Mi values, lognormal(3, 1.5): time, error and bytes. And P16's KLL.

use std::sync::Arc;

use archstone_sketch::Merge;
use archstone_sketch::quantiles::{Accurate, DdSketch, Kll, Ranked, Req, TDigest};
use datasketches::common::SearchCriteria;
use datasketches::kll::{KllFloat, KllSketch, KllValue};
use datasketches::req::{RankAccuracy, ReqFloat, ReqSketch};
use datasketches::tdigest::TDigestMut;
use sketches_ddsketch::{Config, DDSketch};
use tdigest::TDigest as OtherDigest;

use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::Rng;

const EVENTS: usize = 4 << 20;
const WORKLOAD: &str = "4 Mi f64, lognormal(3, 1.5)";
const WORKERS: usize = 64;

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P13/kll-f64", |_| {
        let values = values();
        Race::new(WORKLOAD, runner::<Kll<f64>>(&values)).beats(
            "datasketches",
            runner::<PeerKll<KllFloat<f64>>>(&values),
            2.0,
        )
    });
    area.race("sketch.P13/kll-i64", |_| {
        let whole: Arc<[i64]> = values().iter().map(|value| (value * 1000.0) as i64).collect();
        Race::new("the same in thousandths, i64", runner::<Kll<i64>>(&whole)).beats(
            "datasketches",
            runner::<PeerKll<i64>>(&whole),
            2.0,
        )
    });
    area.race("sketch.P13/req-f64", |_| {
        let values = values();
        Race::new(WORKLOAD, runner::<Req<f64>>(&values))
            .beside("datasketches", runner::<ReqSketch<ReqFloat<f64>>>(&values))
    });
    area.race("sketch.P14/t-digest", |_| {
        let values = values();
        Race::new(WORKLOAD, runner::<TDigest>(&values))
            .beats("datasketches", runner::<TDigestMut>(&values), 2.0)
            .beside("tdigest", runner::<OtherDigest>(&values))
    });
    area.race("sketch.P15/ddsketch", |_| {
        let values = values();
        Race::new(WORKLOAD, runner::<DdSketch>(&values)).beats(
            "sketches-ddsketch",
            runner::<DDSketch>(&values),
            2.0,
        )
    });
    area.race("sketch.P16/kll", |_| {
        let ours = merger::<Kll<f64>>(|all, one| all.merge(one).unwrap());
        let peer = merger::<PeerKll<KllFloat<f64>>>(|all, one| all.0.merge(&one.0).unwrap());
        Race::new("64 sketches of 2^15 values, k 200", ours).beats("datasketches", peer, 2.0)
    });
    area.rows("sketch.P13/rank-error", |_| rank_errors());
    area.rows("sketch.P14/p99.99", |_| tails());
    area.rows("sketch.P15/alpha", |_| alphas());
    area.rows("sketch.P15/bytes", |_| bytes());
}

trait Contender: 'static {
    const NAME: &'static str;
    type Value: Copy + 'static;
    fn new() -> Self;
    fn add(&mut self, value: Self::Value);
    fn quantile(&mut self, q: f64) -> Self::Value;
}

impl<V: Ranked + Copy + 'static> Contender for Kll<V> {
    type Value = V;
    const NAME: &'static str = "archstone-sketch Kll 200";
    fn new() -> Self {
        Self::new(200).unwrap()
    }
    #[inline]
    fn add(&mut self, value: V) {
        self.add(value);
    }
    fn quantile(&mut self, q: f64) -> V {
        Self::quantile(self, q).unwrap()
    }
}

struct PeerKll<V>(KllSketch<V>);

impl Contender for PeerKll<i64> {
    type Value = i64;
    const NAME: &'static str = "datasketches KLL i64, 200";
    fn new() -> Self {
        Self(KllSketch::new(200).unwrap())
    }
    #[inline]
    fn add(&mut self, value: i64) {
        self.0.update(value);
    }
    fn quantile(&mut self, q: f64) -> i64 {
        at(&self.0, q)
    }
}

impl Contender for PeerKll<KllFloat<f64>> {
    type Value = f64;
    const NAME: &'static str = "datasketches KLL f64, 200";
    fn new() -> Self {
        Self(KllSketch::new(200).unwrap())
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.0.update(KllFloat::<f64>::new(value).unwrap());
    }
    fn quantile(&mut self, q: f64) -> f64 {
        at(&self.0, q).into_inner()
    }
}

fn at<V: KllValue + Ord>(sketch: &KllSketch<V>, q: f64) -> V {
    sketch.quantile(q, SearchCriteria::Inclusive).unwrap().unwrap()
}

impl Contender for Req<f64> {
    type Value = f64;
    const NAME: &'static str = "archstone-sketch Req 12 high";
    fn new() -> Self {
        Self::new(12, Accurate::High).unwrap()
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.add(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        Self::quantile(self, q).unwrap()
    }
}

impl Contender for ReqSketch<ReqFloat<f64>> {
    type Value = f64;
    const NAME: &'static str = "datasketches REQ 12 high";
    fn new() -> Self {
        Self::new(12, RankAccuracy::HighRank).unwrap()
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.update(ReqFloat::<f64>::new(value).unwrap());
    }
    fn quantile(&mut self, q: f64) -> f64 {
        Self::quantile(self, q, SearchCriteria::Inclusive).unwrap().unwrap().into_inner()
    }
}

impl Contender for TDigest {
    type Value = f64;
    const NAME: &'static str = "archstone-sketch TDigest 100";
    fn new() -> Self {
        Self::new(100).unwrap()
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.add(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        self.flush();
        Self::quantile(self, q).unwrap()
    }
}

impl Contender for TDigestMut {
    type Value = f64;
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

impl Contender for OtherDigest {
    type Value = f64;
    const NAME: &'static str = "tdigest 100";
    fn new() -> Self {
        Self::new_with_size(100)
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.push(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        self.flush();
        self.estimate_quantile(q).unwrap_or(f64::NAN)
    }
}

impl Contender for DdSketch {
    type Value = f64;
    const NAME: &'static str = "archstone-sketch DdSketch 1 %";
    fn new() -> Self {
        Self::new(0.01).unwrap()
    }
    #[inline]
    fn add(&mut self, value: f64) {
        self.add(value);
    }
    fn quantile(&mut self, q: f64) -> f64 {
        Self::quantile(self, q).unwrap()
    }
}

impl Contender for DDSketch {
    type Value = f64;
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

fn seeded(seed: u64, events: usize) -> Arc<[f64]> {
    let mut rng = Rng::new(seed);
    (0..events).map(|_| (3.0 + 1.5 * rng.normal()).exp()).collect()
}

fn values() -> Arc<[f64]> {
    seeded(1, EVENTS)
}

fn runner<C: Contender>(values: &Arc<[C::Value]>) -> Runner {
    let values = Arc::clone(values);
    Runner::fresh(C::NAME, values.len(), C::new, move |mut sketch| {
        values.iter().for_each(|&value| sketch.add(value));
        // What a sketch put off until it is asked belongs to the cost.
        (sketch.quantile(0.5), sketch)
    })
}

fn merger<C: Contender<Value = f64>>(merge: fn(&mut C, &C)) -> Runner {
    let worker = |seed| {
        let mut sketch = C::new();
        seeded(seed, 1 << 15).iter().for_each(|&value| sketch.add(value));
        sketch
    };
    let workers: Vec<C> = (0..WORKERS as u64).map(worker).collect();
    Runner::fresh(C::NAME, WORKERS, C::new, move |mut all| {
        workers.iter().for_each(|one| merge(&mut all, one));
        all
    })
}

fn filled<C: Contender<Value = f64>>(values: &[f64]) -> C {
    let mut sketch = C::new();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

/// Root of the mean square over 64 streams of 2^18 values and 9 ranks each.
fn rank_error<C: Contender<Value = f64>>() -> Side {
    let (mut sum, mut count) = (0.0, 0.0);
    for seed in 0..64 {
        let values = seeded(100 + seed, 1 << 18);
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut sketch = filled::<C>(&values);
        for tenth in 1..10 {
            let q = f64::from(tenth) / 10.0;
            let found = sorted.partition_point(|value| *value <= sketch.quantile(q));
            let off: f64 = found as f64 / sorted.len() as f64 - q;
            sum += off * off;
            count += 1.0;
        }
    }
    Side::new(C::NAME, (sum / count).sqrt())
}

fn rank_errors() -> Vec<Row> {
    let id = "sketch.P13/rank-error/datasketches";
    let what = "root mean square error of the rank, 64 streams of 2^18, deciles";
    let subject = Subject::new(id, what, Unit::Ratio, Better::Lower);
    let peer = rank_error::<PeerKll<KllFloat<f64>>>();
    vec![subject.against(rank_error::<Kll<f64>>(), peer, Some(1.0))]
}

/// How far the values at 99.99 % are off: of 4 Mi values, and in the mean of 16 streams of 2^18.
fn tail<C: Contender<Value = f64>>(streams: &[Vec<f64>]) -> Side {
    let off = |values: &Vec<f64>| {
        let mut sketch = filled::<C>(values);
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let truth = sorted[(0.9999 * sorted.len() as f64) as usize];
        (sketch.quantile(0.9999) / truth - 1.0).abs()
    };
    Side::new(C::NAME, streams.iter().map(off).sum::<f64>() / streams.len() as f64)
}

fn tails() -> Vec<Row> {
    let subject = |suffix: &str, what: &str| {
        let id = format!("sketch.P14/p99.99/{suffix}");
        Subject::new(&id, what, Unit::Ratio, Better::Lower)
    };
    let one = [values().to_vec()];
    let many: Vec<Vec<f64>> = (0..16).map(|seed| seeded(100 + seed, 1 << 18).to_vec()).collect();
    let (what, mean) = ("relative error of the value", "the same, mean of 16 streams of 2^18");
    vec![
        subject("datasketches", what).against(
            tail::<TDigest>(&one),
            tail::<TDigestMut>(&one),
            Some(1.0),
        ),
        subject("tdigest", what).against(tail::<TDigest>(&one), tail::<OtherDigest>(&one), None),
        subject("mean/datasketches", mean).against(
            tail::<TDigest>(&many),
            tail::<TDigestMut>(&many),
            Some(1.0),
        ),
    ]
}

/// The share of 999 quantiles of numbers from 1e-300 to 1e300 that is off by at most 1 %.
fn within_alpha<C: Contender<Value = f64>>() -> Side {
    let mut rng = Rng::new(2);
    let mut values: Vec<f64> =
        (0..1 << 18).map(|_| 10_f64.powf(600.0 * rng.unit() - 300.0)).collect();
    let mut sketch = filled::<C>(&values);
    values.sort_unstable_by(f64::total_cmp);
    let mut holds = |permille: &i32| {
        let q = f64::from(*permille) / 1000.0;
        let truth = values[(q * (values.len() - 1) as f64) as usize];
        // What an exp2 rounds is allowed.
        (sketch.quantile(q) / truth - 1.0).abs() <= 0.01 + 1e-12
    };
    Side::new(C::NAME, (1..1000).filter(|permille| holds(permille)).count() as f64 / 999.0)
}

fn alphas() -> Vec<Row> {
    let what = "quantiles off by at most 1 %, of 999, 1e-300 to 1e300";
    let subject = |id: &str| Subject::new(id, what, Unit::Ratio, Better::Higher);
    let ours = within_alpha::<DdSketch>();
    vec![
        subject("sketch.P15/alpha/limit").limit(ours.clone(), 1.0),
        subject("sketch.P15/alpha/sketches-ddsketch").against(
            ours,
            within_alpha::<DDSketch>(),
            None,
        ),
    ]
}

fn size<C: Contender<Value = f64>>(values: &[f64]) -> Side {
    let (sketch, used) = memory::used(|| filled::<C>(values));
    drop(sketch);
    Side::new(C::NAME, used.live as f64)
}

/// Heap after 4 Mi values.
fn bytes() -> Vec<Row> {
    let values = values();
    let subject = |suffix: &str| {
        let id = format!("sketch.P15/bytes/{suffix}");
        Subject::new(&id, "heap after 4 Mi values", Unit::Bytes, Better::Lower)
    };
    let kll = size::<PeerKll<KllFloat<f64>>>(&values);
    let (digest, dd) = (size::<TDigestMut>(&values), size::<DDSketch>(&values));
    vec![
        subject("kll/datasketches").against(size::<Kll<f64>>(&values), kll, None),
        subject("t-digest/datasketches").against(size::<TDigest>(&values), digest, None),
        subject("ddsketch/sketches-ddsketch").against(size::<DdSketch>(&values), dd, None),
    ]
}
