//! The same stream through the crate `datasketches` and ours: images that each reads of the other,
//! equal answers from them, and errors of one size.
#![cfg(feature = "sketch")]

use archstone_sketch::quantiles::{Accurate, Kll, Req, TDigest};
use benches::workload::Rng;
use datasketches::common::SearchCriteria::{Exclusive, Inclusive};
use datasketches::kll::{KllFloat, KllSketch};
use datasketches::req::{RankAccuracy, ReqFloat, ReqSketch};
use datasketches::tdigest::TDigestMut;

const SIZES: [usize; 8] = [0, 1, 2, 5, 100, 1000, 30_000, 400_000];
const QS: [f64; 7] = [0.0, 0.001, 0.25, 0.5, 0.9, 0.999, 1.0];

fn values(n: usize) -> Vec<f64> {
    let mut rng = Rng::new(n as u64);
    (0..n).map(|_| rng.normal()).collect()
}

#[test]
fn kll_images_go_both_ways_and_are_answered_alike() {
    for k in [8, 200] {
        for n in SIZES {
            let (mut ours, mut theirs) = (Kll::<f64>::new(k).unwrap(), KllSketch::new(k).unwrap());
            for value in values(n) {
                ours.add(value);
                theirs.update(KllFloat::<f64>::new(value).unwrap());
            }
            let same = |ours: &Kll<f64>, theirs: &KllSketch<KllFloat<f64>>| {
                let what = format!("k {k}, {n}");
                assert_eq!((ours.n(), ours.k()), (theirs.n(), theirs.k()), "{what}");
                let sorted = ours.sorted();
                for q in QS {
                    let at =
                        |criteria| theirs.quantile(q, criteria).unwrap().map(KllFloat::into_inner);
                    assert_eq!(sorted.quantile(q).copied(), at(Inclusive), "{what}, {q}");
                    assert_eq!(sorted.quantile_above(q).copied(), at(Exclusive), "{what}, {q}");
                    let x = KllFloat::<f64>::new(q).unwrap();
                    assert_eq!(ours.rank(&q), theirs.rank(&x, Inclusive), "{what}, {q}");
                    assert_eq!(ours.rank_below(&q), theirs.rank(&x, Exclusive), "{what}, {q}");
                }
                if ours.is_estimate() {
                    assert!((ours.rank_error() - theirs.normalized_rank_error()).abs() < 1e-12);
                }
            };
            // Ours keeps more than fits in an image, so that what is read is what was written.
            let image = ours.to_datasketches();
            same(
                &Kll::from_datasketches(&image).unwrap(),
                &KllSketch::deserialize(&image).unwrap(),
            );
            same(&Kll::from_datasketches(&theirs.serialize()).unwrap(), &theirs);
        }
    }
}

#[test]
fn req_images_go_both_ways_and_are_answered_alike() {
    for (accurate, peer) in
        [(Accurate::High, RankAccuracy::HighRank), (Accurate::Low, RankAccuracy::LowRank)]
    {
        for n in SIZES {
            let mut ours = Req::<f64>::new(12, accurate).unwrap();
            let mut theirs = ReqSketch::new(12, peer).unwrap();
            for value in values(n) {
                ours.add(value);
                theirs.update(ReqFloat::<f64>::new(value).unwrap());
            }
            let same = |ours: &Req<f64>, theirs: &ReqSketch<ReqFloat<f64>>| {
                assert_eq!(ours.n(), theirs.n(), "{n}");
                let sorted = ours.sorted();
                for q in QS {
                    let at =
                        |criteria| theirs.quantile(q, criteria).unwrap().map(ReqFloat::into_inner);
                    assert_eq!(sorted.quantile(q).copied(), at(Inclusive), "{n}, {q}");
                    assert_eq!(sorted.quantile_above(q).copied(), at(Exclusive), "{n}, {q}");
                    let x = ReqFloat::<f64>::new(q).unwrap();
                    assert_eq!(ours.rank(&q), theirs.rank(&x, Inclusive), "{n}, {q}");
                }
            };
            same(&ours, &ReqSketch::deserialize(&ours.to_datasketches()).unwrap());
            same(&Req::from_datasketches(&theirs.serialize()).unwrap(), &theirs);
        }
    }
}

#[test]
fn t_digest_images_go_both_ways_and_are_answered_alike() {
    for n in SIZES {
        let (mut ours, mut theirs) = (TDigest::new(100).unwrap(), TDigestMut::new(100).unwrap());
        for value in values(n) {
            ours.add(value);
            theirs.update(value);
        }
        let same = |ours: &TDigest, theirs: &mut TDigestMut| {
            assert_eq!(ours.n(), theirs.total_weight(), "{n}");
            for q in QS {
                let (a, b) = (ours.quantile(q), theirs.quantile(q).unwrap());
                assert!(a == b || (a.unwrap() - b.unwrap()).abs() < 1e-9, "{n}, {q}: {a:?} {b:?}");
                let (a, b) = (ours.rank(q), theirs.rank(q).unwrap());
                assert!(a == b || (a.unwrap() - b.unwrap()).abs() < 1e-9, "{n}, {q}: {a:?} {b:?}");
            }
        };
        ours.flush();
        same(&ours, &mut TDigestMut::deserialize(&ours.to_datasketches()).unwrap());
        same(&TDigest::from_datasketches(&theirs.serialize()).unwrap(), &mut theirs);
    }
}
