//! Every decoder of a quantile sketch on any bytes: what the hostile test and the fuzz target run.
#![allow(unreachable_pub, reason = "each of the two uses its part")]

use archstone_sketch::quantiles::{DatadogKeys, DdSketch, DsValue, Kll, Ranked, Req, TDigest};
use archstone_sketch::{DecodeError, Merge, Wire};

pub type Probe = fn(&[u8]) -> Result<(), DecodeError>;

/// Every decoder, with what is asked of its result.
pub const DECODERS: [(&str, Probe); 15] = [
    ("Kll", |bytes| Kll::<f64>::decode(bytes).map(|s| ask_kll(&s, 1.0))),
    ("Kll strings", |bytes| Kll::<String>::decode(bytes).map(|s| ask_kll(&s, "x".into()))),
    ("Kll image", |bytes| Kll::<f64>::from_datasketches(bytes).map(|s| ask_kll(&s, 1.0))),
    ("Kll f32 image", |bytes| Kll::<f32>::from_datasketches(bytes).map(|s| ask_kll(&s, 1.0))),
    ("Kll i64 image", |bytes| Kll::<i64>::from_datasketches(bytes).map(|s| ask_kll(&s, 1))),
    ("Kll strings image", |bytes| {
        Kll::<String>::from_datasketches(bytes).map(|s| ask_kll(&s, "x".into()))
    }),
    ("Req", |bytes| Req::<f64>::decode(bytes).map(|s| ask_req(&s, 1.0))),
    ("Req f32 image", |bytes| Req::<f32>::from_datasketches(bytes).map(|s| ask_req(&s, 1.0))),
    ("Req strings image", |bytes| {
        Req::<String>::from_datasketches(bytes).map(|s| ask_req(&s, "x".into()))
    }),
    ("TDigest", |bytes| TDigest::decode(bytes).map(|s| ask_digest(&s))),
    ("TDigest image", |bytes| TDigest::from_datasketches(bytes).map(|s| ask_digest(&s))),
    ("TDigest f32 image", |bytes| TDigest::from_datasketches_f32(bytes).map(|s| ask_digest(&s))),
    ("DdSketch", |bytes| DdSketch::decode(bytes).map(|s| ask_dd(&s))),
    ("DdSketch message", |bytes| {
        DdSketch::from_datadog(bytes, DatadogKeys::Ceil).map(|s| ask_dd(&s))
    }),
    ("DdSketch floor message", |bytes| {
        DdSketch::from_datadog(bytes, DatadogKeys::Floor).map(|s| ask_dd(&s))
    }),
];

const QS: [f64; 6] = [f64::NAN, -1.0, 0.0, 0.5, 0.999, f64::INFINITY];

fn ask_kll<T: Ranked>(sketch: &Kll<T>, value: T) {
    let bounds = sketch.rank_bounds(&value, 3.0);
    assert_eq!(bounds.is_none(), sketch.is_empty());
    assert!(
        bounds.is_none_or(|b| 0.0 <= b.lower && b.lower <= b.estimate && b.estimate <= b.upper)
    );
    let sorted = sketch.sorted();
    assert_eq!(sorted.iter().last().map_or(0, |(_, weight)| weight), sketch.n());
    QS.iter().for_each(|&q| assert!(sorted.quantile(q).is_none_or(T::has_place)));
}

fn ask_req<T: Ranked>(sketch: &Req<T>, value: T) {
    let bounds = sketch.rank_bounds(&value, 3.0);
    assert_eq!(bounds.is_none(), sketch.is_empty());
    assert!(
        bounds.is_none_or(|b| 0.0 <= b.lower && b.lower <= b.estimate && b.estimate <= b.upper)
    );
    let sorted = sketch.sorted();
    assert_eq!(sorted.iter().last().map_or(0, |(_, weight)| weight), sketch.n());
    QS.iter().for_each(|&q| assert!(sorted.quantile(q).is_none_or(T::has_place)));
}

fn ask_digest(digest: &TDigest) {
    let (min, max) = (digest.min(), digest.max());
    let mut last = min;
    for q in [0.0, 0.001, 0.25, 0.5, 0.999, 1.0] {
        let value = digest.quantile(q);
        assert!(last <= value && value <= max, "{q}: {last:?} {value:?} {max:?}");
        last = value;
    }
    QS.iter()
        .for_each(|&q| assert!(digest.quantile_bounds(q).is_none_or(|b| b.contains(b.estimate))));
    let ranks = digest.cdf(&[-1.0, 0.0, 1.0, 1e300]);
    assert!(
        ranks
            .is_none_or(|ranks| ranks.is_sorted() && ranks.iter().all(|r| (0.0..=1.0).contains(r)))
    );
}

fn ask_dd(sketch: &DdSketch) {
    assert_eq!(sketch.quantile(0.5).is_none(), sketch.is_empty());
    for bounds in QS.iter().filter_map(|&q| sketch.quantile_bounds(q)) {
        assert!(bounds.contains(bounds.estimate) && bounds.estimate.is_finite(), "{bounds}");
    }
    let ranks = sketch.cdf(&[-1.0, 0.0, 1.0, 1e300]);
    assert!(
        ranks
            .is_none_or(|ranks| ranks.is_sorted() && ranks.iter().all(|r| (0.0..=1.0).contains(r)))
    );
}

/// Whether the bytes are a sketch; if not, with an error inside them.
pub fn decode(decoder: usize, bytes: &[u8]) -> bool {
    let (name, decode) = DECODERS[decoder];
    decode(bytes).map_err(|error| assert!(error.at <= bytes.len(), "{name}: {error}")).is_ok()
}

/// The body of the fuzz target: the first byte names the decoder. A sketch that was read can be
/// added to, merged with itself and written, and what is written is read again as it is.
#[allow(dead_code, reason = "the fuzz target's")]
pub fn any_bytes(data: &[u8]) {
    fn use_it<S: Wire + Merge + PartialEq + std::fmt::Debug>(
        read: Result<S, DecodeError>,
        add: impl Fn(&mut S),
    ) {
        let Ok(mut sketch) = read else { return };
        add(&mut sketch);
        let again = S::decode(&sketch.encode()).expect("what is written is read");
        assert_eq!(again, sketch);
        // Past 2^60 it is refused.
        let _ = sketch.merge(&again);
        add(&mut sketch);
        S::decode(&sketch.encode()).expect("what is merged is read");
    }
    fn image<T: DsValue>(read: Result<Kll<T>, DecodeError>) {
        if let Ok(sketch) = read {
            let again = Kll::<T>::from_datasketches(&sketch.to_datasketches());
            assert_eq!(again.expect("what is written is read").n(), sketch.n());
        }
    }
    let Some((&first, bytes)) = data.split_first() else { return };
    decode(usize::from(first) % DECODERS.len(), bytes);
    let numbers = || (0..first).map(|i| f64::from(i) - 100.0);
    match first % 8 {
        0 => use_it(Kll::<f64>::decode(bytes), |s| {
            numbers().for_each(|x| {
                s.add(x);
            });
        }),
        1 => use_it(Kll::<f32>::from_datasketches(bytes), |s| {
            s.add_n(1.0, 77);
        }),
        2 => use_it(Req::<f64>::decode(bytes), |s| {
            numbers().for_each(|x| {
                s.add(x);
            });
        }),
        3 => use_it(Req::<f32>::from_datasketches(bytes), |s| {
            s.add_n(1.0, 77);
        }),
        4 => use_it(TDigest::decode(bytes), |s| {
            numbers().for_each(|x| {
                s.add(x);
            });
        }),
        5 => use_it(TDigest::from_datasketches(bytes), |s| {
            s.add_n(1.0, 77);
        }),
        6 => use_it(DdSketch::decode(bytes), |s| {
            numbers().for_each(|x| {
                s.add(x);
            });
        }),
        _ => use_it(DdSketch::from_datadog(bytes, DatadogKeys::Floor), |s| {
            s.add_n(1.0, 77);
        }),
    }
    image(Kll::<i64>::from_datasketches(bytes));
    image(Kll::<String>::from_datasketches(bytes));
}
