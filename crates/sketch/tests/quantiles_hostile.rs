//! Quantile sketches on parameters, values and bytes that nobody means well with.
#![cfg(all(feature = "quantiles", feature = "datasketches", feature = "datadog"))]

mod common;
#[path = "common/quantile_decoders.rs"]
mod decoders;

use archstone_sketch::quantiles::{Accurate, DatadogKeys, DdSketch, Kll, Req, TDigest};
use archstone_sketch::{Merge, Wire};
use decoders::{DECODERS, decode};
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

const WRONG: [f64; 9] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, -1.0, 1.0, 5e-324, f64::MAX];

#[test]
fn every_senseless_parameter_is_an_error_that_names_it() {
    for k in [0, 1, 7] {
        assert!(Kll::<f64>::new(k).unwrap_err().to_string().starts_with("k is"), "{k}");
    }
    for k in [0, 1, 3, 1025, u16::MAX] {
        assert!(Req::<f64>::new(k, Accurate::High).is_err(), "{k}");
    }
    for k in [0, 1, 9] {
        assert!(TDigest::new(k).is_err(), "{k}");
    }
    for bad in WRONG {
        assert!(DdSketch::new(bad).unwrap_err().to_string().starts_with("alpha is"), "{bad}");
        assert!(Kll::<f64>::with_error(bad).is_err(), "{bad}");
    }
    // The largest work.
    Kll::new(u16::MAX).unwrap().add(1.0);
    Req::new(1024, Accurate::Low).unwrap().add(1.0);
    TDigest::new(u16::MAX).unwrap().add(1.0);
    assert_eq!(Kll::<f64>::with_error(0.0133).unwrap().k(), 200);
    let finest = Kll::<f64>::with_error(0.000_048).unwrap();
    assert!(2.296 / f64::from(finest.k()).powf(0.9723) <= 0.000_048);
}

#[test]
fn empty_sketches_and_senseless_questions_have_no_answer() {
    let (mut kll, mut req) = (Kll::new(8).unwrap(), Req::new(4, Accurate::High).unwrap());
    let (mut digest, mut dd) = (TDigest::new(10).unwrap(), DdSketch::new(0.01).unwrap());
    for full in [false, true] {
        if full {
            assert!(kll.add(1.0) && req.add(1.0) && digest.add(1.0) && dd.add(1.0));
        }
        for q in [0.5, -1.0, 2.0, f64::INFINITY, f64::NAN] {
            let answer = Some(1.0).filter(|_| full && !q.is_nan());
            assert_eq!(kll.quantile(q), answer, "{q}");
            assert_eq!(req.quantile(q), answer, "{q}");
            assert_eq!(digest.quantile(q), answer, "{q}");
            assert_eq!(dd.quantile(q), answer, "{q}");
            assert_eq!(kll.quantile_bounds(q, f64::NAN).is_some(), answer.is_some());
            assert_eq!(dd.quantile_bounds(q).is_some(), answer.is_some());
        }
        for x in [f64::NAN, 0.0] {
            let there = full && !x.is_nan();
            assert_eq!(kll.rank(&x).is_some(), there);
            assert_eq!(req.rank_bounds(&x, -5.0).is_some(), there);
            assert_eq!(digest.rank(x).is_some(), there);
            assert_eq!(dd.rank(x).is_some(), there);
            assert_eq!(kll.cdf(&[x]).is_some(), there);
            assert_eq!(dd.pmf(&[x]).is_some(), there);
        }
        assert_eq!(kll.cdf(&[]), Some(vec![1.0]).filter(|_| full));
        assert_eq!(
            (kll.min().is_some(), digest.max().is_some(), dd.min().is_some()),
            (full, full, full)
        );
    }
}

#[test]
fn values_without_a_place_are_not_added() {
    let (mut kll, mut req) = (Kll::new(8).unwrap(), Req::new(4, Accurate::High).unwrap());
    let (mut digest, mut dd) = (TDigest::new(100).unwrap(), DdSketch::new(0.01).unwrap());
    for n in [0, 1, u64::MAX] {
        assert!(!kll.add_n(f64::NAN, n) && !req.add_n(f64::NAN, n));
        assert!(!digest.add_n(f64::NAN, n) && !dd.add_n(f64::NAN, n));
    }
    for infinite in [f64::INFINITY, f64::NEG_INFINITY] {
        assert!(!digest.add(infinite) && !dd.add(infinite) && !dd.add_n(infinite, 0));
        // These have only an order.
        assert!(kll.add(infinite) && req.add(infinite));
    }
    assert_eq!((kll.n(), req.n(), digest.n(), dd.n()), (2, 2, 0, 0));
    assert_eq!((kll.min(), kll.max()), (Some(&f64::NEG_INFINITY), Some(&f64::INFINITY)));
    // The least, the greatest and both zeros.
    for x in [f64::MAX, f64::MIN, 5e-324, -5e-324, 0.0, -0.0, f64::MIN_POSITIVE, -f64::MIN_POSITIVE]
    {
        assert!(digest.add(x) && dd.add(x), "{x}");
    }
    assert_eq!((dd.min(), dd.max(), dd.quantile(0.5)), (Some(f64::MIN), Some(f64::MAX), Some(0.0)));
    assert_eq!(
        (digest.min(), digest.max(), digest.quantile(0.5)),
        (Some(f64::MIN), Some(f64::MAX), Some(0.0))
    );
    for _ in 0..2000 {
        assert!(digest.add(f64::MAX) && digest.add(f64::MIN));
    }
    digest.flush();
    assert_eq!(digest.quantile(0.25), Some(f64::MIN));
    assert!(digest.quantiles(&[0.1, 0.49, 0.51, 0.9]).unwrap().iter().all(|x| x.is_finite()));
}

#[test]
fn weights_of_0_and_of_the_most_are_taken_and_more_is_refused() {
    let most = 1_u64 << 60;
    let (mut kll, mut req) = (Kll::new(8).unwrap(), Req::new(4, Accurate::High).unwrap());
    let (mut digest, mut dd) = (TDigest::new(10).unwrap(), DdSketch::new(0.01).unwrap());
    let mut all = |x: f64, n: u64| {
        let taken = [kll.add_n(x, n), req.add_n(x, n), digest.add_n(x, n), dd.add_n(x, n)];
        assert!(taken.iter().all(|t| *t == taken[0]), "{n}");
        assert_eq!([kll.n(), req.n(), digest.n(), dd.n()], [kll.n(); 4]);
        taken[0]
    };
    assert!(all(1.0, 0));
    assert!(!all(1.0, u64::MAX) && !all(1.0, most + 1));
    assert!(all(1.0, most - 1000));
    for i in 0..1000 {
        assert!(all(f64::from(i), 1));
    }
    assert!(!all(2.0, 1) && !kll.add(2.0) && !req.add(2.0) && !digest.add(2.0) && !dd.add(2.0));
    assert_eq!((kll.n(), kll.quantile(0.5)), (most, Some(1.0)));
    assert!((dd.quantile(0.5).unwrap() - 1.0).abs() <= 0.01);
    // Two of them are too much, and the first is as it was.
    let before = (kll.encode(), req.encode(), digest.encode(), dd.encode());
    assert!(kll.merge(&kll.clone()).is_err() && req.merge(&req.clone()).is_err());
    assert!(digest.merge(&digest.clone()).is_err());
    let error = dd.merge(&dd.clone()).unwrap_err().to_string();
    assert!(error.contains("weights"), "{error}");
    assert_eq!(before, (kll.encode(), req.encode(), digest.encode(), dd.encode()));
    assert_eq!(Kll::<f64>::decode(&kll.encode()).unwrap(), kll);
    assert_eq!(Kll::<f64>::from_datasketches(&kll.to_datasketches()).unwrap().n(), most);
    assert_eq!(Req::<f64>::from_datasketches(&req.to_datasketches()).unwrap().n(), most);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut high = Req::<f64>::new(12, Accurate::High).unwrap();
    let low = Req::new(12, Accurate::Low).unwrap();
    assert_eq!(high.merge(&low).unwrap_err().what, "accurate end");
    assert_eq!(high.merge(&Req::new(14, Accurate::High).unwrap()).unwrap_err().what, "k");
    let mut fine = DdSketch::new(0.01).unwrap();
    assert!(fine.merge(&DdSketch::new(0.02).unwrap()).unwrap_err().what.starts_with("alpha"));
    // Python's gamma of the same alpha may differ in its last bit: they merge.
    let read =
        DdSketch::from_datadog(&fine.to_datadog(DatadogKeys::Ceil), DatadogKeys::Ceil).unwrap();
    fine.merge(&read).unwrap();
}

/// Images of every kind, each with the decoder that reads it.
fn images() -> Vec<(usize, Vec<u8>)> {
    let mut images = Vec::new();
    for n in [0, 1, 3, 20, 150, 3000_u64] {
        let (mut kll, mut words) = (Kll::new(8).unwrap(), Kll::new(8).unwrap());
        let (mut floats, mut whole) = (Kll::new(8).unwrap(), Kll::new(8).unwrap());
        let (mut req, mut req_f) =
            (Req::new(4, Accurate::High).unwrap(), Req::new(4, Accurate::Low).unwrap());
        let mut req_s = Req::new(4, Accurate::High).unwrap();
        let (mut digest, mut dd) = (TDigest::new(10).unwrap(), DdSketch::new(0.2).unwrap());
        for i in 0..n {
            let x = common::unit(i) * 100.0 - 20.0;
            kll.add(x);
            floats.add(x as f32);
            whole.add(x as i64);
            req.add(x);
            req_f.add(x as f32);
            digest.add(x);
            dd.add(x);
            if n < 200 {
                words.add(format!("w{i}"));
                req_s.add(format!("w{i}"));
            }
        }
        images.push((0, kll.encode()));
        images.push((1, words.encode()));
        images.push((2, kll.to_datasketches()));
        images.push((3, floats.to_datasketches()));
        images.push((4, whole.to_datasketches()));
        images.push((5, words.to_datasketches()));
        images.push((6, req.encode()));
        images.push((7, req_f.to_datasketches()));
        images.push((8, req_s.to_datasketches()));
        images.push((9, digest.encode()));
        digest.flush();
        images.push((9, digest.encode()));
        images.push((10, digest.to_datasketches()));
        images.push((12, dd.encode()));
        images.push((13, dd.to_datadog(DatadogKeys::Ceil)));
        images.push((14, dd.to_datadog(DatadogKeys::Floor)));
        // Far apart, so that pages are passed over and the message is a map.
        let mut wide = DdSketch::new(0.2).unwrap();
        (0..n.min(40)).for_each(|i| {
            wide.add(10_f64.powi(i as i32 * 9 - 180));
        });
        images.push((12, wide.encode()));
        images.push((13, wide.to_datadog(DatadogKeys::Ceil)));
    }
    let float = [
        &[2, 1, 20, 10, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0][..],
        &[0.0_f32, 3.0, 0.0].map(f32::to_le_bytes).concat(),
        &1_u32.to_le_bytes(),
        &3.0_f32.to_le_bytes(),
        &2_u32.to_le_bytes(),
        &1.0_f32.to_le_bytes(),
    ];
    images.push((11, float.concat()));
    images
}

/// [`decode`] in little memory.
fn probe(decoder: usize, bytes: &[u8]) -> bool {
    let (name, read) = DECODERS[decoder];
    // The decoder alone is measured by its peak at the time of the result, questions included.
    let (read, used) = measure(|| read(bytes).is_ok());
    let most = 64 * bytes.len() as i64 + 4096;
    assert!(used.peak <= most, "{name}: {} for {}", used.peak, bytes.len());
    assert_eq!(read, decode(decoder, bytes));
    read
}

/// The first byte by which `any_bytes` uses what each of [`DECODERS`] reads.
const FUZZED: [u8; 15] = [0, 120, 1, 1, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7];

#[test]
fn cut_short_anywhere_is_an_error() {
    for (decoder, image) in images() {
        let name = DECODERS[decoder].0;
        assert!(probe(decoder, &image), "{name}");
        for len in 0..image.len() {
            // A message of fields may end after any of them.
            let read = probe(decoder, &image[..len]);
            assert!(!read || decoder >= 13, "{name} at {len} of {}", image.len());
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_is_an_error_or_a_sketch() {
    for (decoder, mut image) in images() {
        for bit in 0..image.len() * 8 {
            image[bit / 8] ^= 1 << (bit % 8);
            probe(decoder, &image);
            // What is read is used too: of each byte one bit, another one in the next.
            if bit / 8 % 8 == bit % 8 {
                decoders::any_bytes(&[&[FUZZED[decoder]], &image[..]].concat());
            }
            image[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn garbage_is_an_error_or_a_sketch() {
    let mut next = 0;
    let mut random = || {
        next += 1;
        common::mix(next)
    };
    for (decoder, image) in images() {
        for _ in 0..100 {
            // A true beginning, random bytes after it.
            let keep = random() as usize % (image.len() + 1);
            let mut bytes = image[..keep].to_vec();
            let len = keep + random() as usize % 80;
            bytes.resize_with(len, || random() as u8);
            probe(decoder, &bytes);
            bytes.insert(0, random() as u8);
            decoders::any_bytes(&bytes);
        }
    }
}

#[test]
fn headers_that_promise_much_reserve_little() {
    // KLL of k 65535 with 61 levels that begin nowhere; REQ of 61 levels; a t-digest of 2^32 clusters.
    let mut kll = vec![5, 1, 15, 0, 0xff, 0xff, 8, 0];
    kll.extend(u64::MAX.to_le_bytes());
    kll.extend([0xff, 0xff, 61, 0]);
    kll.extend([0; 4 * 61 + 16]);
    (2..6).for_each(|decoder| assert!(!probe(decoder, &kll)));
    for values in [[0xff; 4], [0, 0, 0, 0x40]] {
        let mut req = vec![4, 1, 17, 8, 0, 4, 61, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        req.extend([0; 24]);
        req.extend(values);
        req.extend([0; 30]);
        (7..9).for_each(|decoder| assert!(!probe(decoder, &req)));
        let mut digest = vec![2, 1, 20, 10, 0, 0, 0, 0];
        digest.extend([values, values].concat());
        digest.extend([0; 32]);
        (10..12).for_each(|decoder| assert!(!probe(decoder, &digest)));
        let reference = [&[0, 0, 0, 1][..], &[0; 16], &100_f64.to_be_bytes(), &values].concat();
        assert!(!probe(10, &reference));
    }
    // Two buckets of a map at the ends of what a number may be, of a very fine sketch.
    let mut message = vec![0x0a, 9, 0x09];
    message.extend((1.000_01_f64).to_le_bytes());
    for bucket in [[0x80, 0x88, 0xde, 0x05], [0xff, 0x87, 0xde, 0x05]] {
        message.extend([0x12, 18, 0x0a, 16, 0x08]);
        message.extend(bucket);
        message.push(0x11);
        message.extend(1.0_f64.to_le_bytes());
        message.extend([0x10, 0]);
    }
    assert!(!probe(13, &message));
    // The same far apart, in our own bytes: every place passed over costs its byte.
    let mut dd = DdSketch::new(0.000_1).unwrap();
    assert!(dd.add(1e-300) && dd.add(1e300));
    assert!(probe(12, &dd.encode()));
}

#[test]
fn states_that_no_stream_leads_to_are_refused() {
    let mut kll = Kll::new(8).unwrap();
    (0..100_u64).for_each(|i| {
        kll.add(i);
    });
    let mut image = kll.encode();
    let last = image.len() - 16;
    image[last..].rotate_left(8);
    assert_eq!(Kll::<u64>::decode(&image).unwrap_err().what, "levels", "not ascending");
    // Of `k` 200 it holds 190 values on one level, of `k` 8 never.
    let mut kll = Kll::new(200).unwrap();
    (0..190_u64).for_each(|i| {
        kll.add(i);
    });
    let image = kll.encode();
    let k = image.windows(4).position(|w| w == [200, 1, 200, 1]).unwrap();
    let image = [&image[..k], &[8, 8], &image[k + 4..]].concat();
    assert_eq!(Kll::<u64>::decode(&image).unwrap_err().what, "levels", "more than fit");
    // The same of the buffer of a digest: 16 k numbers.
    let mut digest = TDigest::new(20).unwrap();
    (0..200_u32).for_each(|i| {
        digest.add(f64::from(i));
    });
    let mut image = digest.encode();
    let k = image.iter().position(|&byte| byte == 20).unwrap();
    image[k] = 10;
    assert_eq!(TDigest::decode(&image).unwrap_err().what, "parameters");
}
