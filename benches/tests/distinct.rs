//! The same stream through the crate `datasketches` and ours: equal answers, readable images.
#![cfg(feature = "sketch")]

use archstone_sketch::distinct::theta::{difference, intersection, union};
use archstone_sketch::distinct::{DsHll, DsHllUnion, HllType, Sigmas, Theta, ThetaCompact};
use benches::workload::{distinct_keys, zipf_keys};
use datasketches::common::NumStdDev;
use datasketches::hash::value::raw_bytes;
use datasketches::hll::{HllSketch, HllType as PeerType, HllUnion};
use datasketches::theta::{CompactThetaSketch, ThetaSketch, ThetaSketchBuilder};

const KINDS: [(HllType, PeerType); 3] = [
    (HllType::Four, PeerType::Hll4),
    (HllType::Six, PeerType::Hll6),
    (HllType::Eight, PeerType::Hll8),
];

fn near(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{what}: {ours} is not {theirs}");
}

fn near_hll(ours: &DsHll, theirs: &HllSketch, what: &str) {
    near(ours.estimate(), theirs.estimate(), what);
    for (sigmas, deviations) in [
        (Sigmas::One, NumStdDev::One),
        (Sigmas::Two, NumStdDev::Two),
        (Sigmas::Three, NumStdDev::Three),
    ] {
        near(ours.bounds(sigmas).lower, theirs.lower_bound(deviations), what);
        near(ours.bounds(sigmas).upper, theirs.upper_bound(deviations), what);
    }
}

#[test]
fn hll_answers_and_images_agree_with_the_crate_datasketches() {
    for n in [0, 1, 7, 8, 25, 100, 600, 5000, 200_000] {
        for keys in [distinct_keys(1, n), zipf_keys(2, 1.1, 1 << 16, n)] {
            for (lg, (kind, peer)) in
                [4, 8, 11, 14].into_iter().flat_map(|lg| KINDS.map(|k| (lg, k)))
            {
                let what = format!("lg {lg}, {kind:?}, {n}");
                let mut ours = DsHll::new(lg, kind).unwrap();
                let mut theirs = HllSketch::new(lg, peer).unwrap();
                for &key in &keys {
                    ours.add(&key);
                    theirs.update(key);
                }
                near_hll(&ours, &theirs, &what);
                let read = HllSketch::deserialize(&ours.to_datasketches()).expect(&what);
                near_hll(&ours, &read, &what);
                let read = DsHll::from_datasketches(&theirs.serialize()).expect(&what);
                near_hll(&read, &theirs, &what);
            }
        }
    }
}

#[test]
fn strings_are_hashed_as_its_cross_language_form_hashes_them() {
    let mut ours = DsHll::new(12, HllType::Eight).unwrap();
    let mut theirs = HllSketch::new(12, PeerType::Hll8).unwrap();
    for i in 0..3000 {
        let word = format!("item {i}");
        ours.add(&word);
        theirs.update(raw_bytes::from_str(&word));
    }
    // All but the flags: that crate does not say that its register images are compact.
    let (mut ours, mut theirs) = (ours.to_datasketches(), theirs.serialize());
    (ours[5], theirs[5]) = (0, 0);
    assert!(ours == theirs);
}

#[test]
fn hll_unions_agree() {
    let keys = distinct_keys(5, 60_000);
    let mut ours = DsHllUnion::new(12).unwrap();
    let mut theirs = HllUnion::new(12).unwrap();
    for (i, (lg, n)) in
        [(12, 20), (14, 3000), (10, 5), (11, 20_000), (12, 30_000)].into_iter().enumerate()
    {
        let (kind, peer) = KINDS[i % 3];
        let (mut a, mut b) = (DsHll::new(lg, kind).unwrap(), HllSketch::new(lg, peer).unwrap());
        for &key in keys.iter().skip(i * 2000).take(n) {
            a.add(&key);
            b.update(key);
        }
        ours.add(&a);
        theirs.update(&b);
        near_hll(&ours.result(kind), &theirs.to_sketch(peer), &format!("after {i}"));
    }
}

#[test]
fn theta_answers_and_images_agree() {
    let sketches = |from: usize, n: usize| {
        let mut ours = Theta::new(10).unwrap();
        let mut theirs: ThetaSketch = ThetaSketchBuilder::default().lg_k(10).build().unwrap();
        for &key in distinct_keys(9, from + n).iter().skip(from) {
            ours.add(&key);
            theirs.update(key);
        }
        (ours, theirs)
    };
    for n in [1, 10, 1000, 1900, 1921, 50_000] {
        let (ours, theirs) = sketches(0, n);
        near(ours.estimate(), theirs.estimate(), &n.to_string());
        let (image, theirs) = (ours.to_datasketches(), theirs.compact(true));
        assert_eq!(image, theirs.serialize(), "{n}");
        assert_eq!(ours.compact().to_datasketches_compressed(), theirs.serialize_compressed());
        assert_eq!(CompactThetaSketch::deserialize(&image).unwrap().estimate(), theirs.estimate());
        assert_eq!(ThetaCompact::from_datasketches(&theirs.serialize()).unwrap(), ours.compact());
        // Set operations of what was read are those of what was built.
        let (other, _) = sketches(n / 2, n);
        let (a, b) = (ThetaCompact::from_datasketches(&image).unwrap(), other.compact());
        assert_eq!(union(10, [&a, &b]).unwrap(), union(10, [&ours.compact(), &b]).unwrap());
        assert_eq!(intersection(&a, &b).unwrap(), intersection(&ours.compact(), &b).unwrap());
        assert_eq!(difference(&a, &b).unwrap(), difference(&ours.compact(), &b).unwrap());
    }
}
