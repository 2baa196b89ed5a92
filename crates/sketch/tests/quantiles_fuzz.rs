//! The fuzz target's body on a fixed, seeded set of broken encodings, so that it runs without
//! libFuzzer too.
#![cfg(all(feature = "quantiles", feature = "datasketches", feature = "datadog"))]

#[path = "common/quantile_decoders.rs"]
mod decoders;

use archstone_core::hash::mix;
use archstone_sketch::Wire;
use archstone_sketch::quantiles::{Accurate, DatadogKeys, DdSketch, Kll, Req, TDigest};

/// One good encoding for each of the choices of `any_bytes`.
fn images() -> [Vec<u8>; 8] {
    let (mut kll, mut floats) = (Kll::new(8).unwrap(), Kll::new(8).unwrap());
    let (mut req, mut req_f) =
        (Req::new(4, Accurate::High).unwrap(), Req::new(4, Accurate::Low).unwrap());
    let (mut digest, mut dd) = (TDigest::new(10).unwrap(), DdSketch::new(0.1).unwrap());
    for i in 0..500_i16 {
        kll.add(f64::from(i));
        floats.add(f32::from(i));
        req.add(f64::from(i));
        req_f.add(f32::from(i));
        digest.add(f64::from(i));
        dd.add(f64::from(i) - 50.0);
    }
    [
        kll.encode(),
        floats.to_datasketches(),
        req.encode(),
        req_f.to_datasketches(),
        digest.encode(),
        digest.to_datasketches(),
        dd.encode(),
        dd.to_datadog(DatadogKeys::Floor),
    ]
}

#[test]
fn the_fuzz_body_takes_good_and_broken_encodings() {
    let mut random = 1_u64;
    for (choice, image) in (0_u8..).zip(images()) {
        let good = [&[choice], &image[..]].concat();
        decoders::any_bytes(&good);
        for round in 0..3_000 {
            let mut broken = good.clone();
            for _ in 0..=round % 4 {
                random = mix(random.wrapping_add(0x9E37_79B9_7F4A_7C15));
                // Mostly the header, where the lengths are.
                let span = if random & 1 == 0 { broken.len().min(40) } else { broken.len() };
                let at = 1 + (random >> 8) as usize % (span - 1);
                broken[at] = (random >> 40) as u8;
            }
            if round % 16 == 0 {
                broken.truncate(1 + (random >> 16) as usize % broken.len());
            }
            decoders::any_bytes(&broken);
        }
    }
}
