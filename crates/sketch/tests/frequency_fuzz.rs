//! The fuzz target's body on good encodings, cut and broken ones and on noise, all seeded, so that it
//! runs without libFuzzer too.
#![cfg(all(feature = "frequency", feature = "window", feature = "datasketches"))]

#[path = "common/frequency_decoders.rs"]
mod decoders;

use archstone_core::hash::mix;
use archstone_sketch::Wire;
use archstone_sketch::frequency::{
    CountMin, CountSketch, Exact, FrequentItems, HeavyKeeper, LossyCounting, SetSpaceSaving,
    SpaceSaving, TopK,
};
use archstone_sketch::window::{Decayed, Windowed};
use archstone_sketch::wire::datasketches::DsCountMin;

/// One good encoding for each of the choices of `any_bytes`.
fn images() -> [Vec<u8>; decoders::DECODERS as usize] {
    let mut cm = CountMin::<u32>::new(4, 8).unwrap();
    let mut lines = CountMin::<u64>::lines(2).unwrap().conservative();
    let mut signed = CountSketch::new(3, 8).unwrap();
    let mut words = SpaceSaving::<String>::new(9).unwrap();
    let mut ids = SpaceSaving::<u64>::new(9).unwrap();
    let mut set_words = SetSpaceSaving::<String>::new(16).unwrap().unbiased();
    let mut set_ids = SetSpaceSaving::<u64>::new(16).unwrap();
    let mut top = TopK::<String>::with_memory(3, 4096).unwrap();
    let mut lossy = LossyCounting::<u64>::with_error(0.1).unwrap();
    let mut frequent = FrequentItems::<String>::new(3).unwrap();
    let mut longs = FrequentItems::<i64>::new(3).unwrap();
    let mut exact = Exact::<(u32, String)>::new();
    let mut keeper = HeavyKeeper::<String>::new(3, 2, 8).unwrap();
    let mut ring = Windowed::new(10, 3, Exact::<u64>::new()).unwrap();
    let mut decayed = Decayed::half_life(10, SpaceSaving::<u64>::new(5).unwrap()).unwrap();
    let mut cpp = DsCountMin::new(2, 8, 9001).unwrap();
    for i in 0..60_u64 {
        let id = mix(i) % 20;
        let word = format!("w{id}");
        cm.add(&id);
        lines.add_n(&id, 300);
        signed.add_n(&id, if id % 2 == 0 { 5 } else { -5 });
        words.add(word.as_str());
        ids.add(&id);
        set_words.add(word.as_str());
        set_ids.add(&id);
        top.add(word.as_str());
        lossy.add(&id);
        frequent.add(word.as_str());
        longs.add(&(id as i64));
        exact.add(&(id as u32, word.clone()));
        keeper.add(word.as_str());
        ring.at(i).unwrap().add(&id);
        decayed.add(i, &id, 1.0).unwrap();
        cpp.add(word.as_str(), 1.0).unwrap();
    }
    [
        cm.encode(),
        lines.encode(),
        signed.encode(),
        words.encode(),
        ids.encode(),
        set_words.encode(),
        set_ids.encode(),
        top.encode(),
        lossy.encode(),
        frequent.encode(),
        exact.encode(),
        keeper.encode(),
        ring.encode(),
        decayed.encode(),
        frequent.to_datasketches(),
        longs.to_datasketches(),
        cpp.to_datasketches(),
    ]
}

#[test]
fn the_fuzz_body_takes_good_and_broken_encodings_and_noise() {
    for (choice, image) in (0_u8..).zip(images()) {
        let with = |bytes: &[u8]| decoders::any_bytes(&[&[choice], bytes].concat());
        with(&image);
        (0..image.len()).for_each(|len| with(&image[..len]));
        for seed in 0..3000_u64 {
            let mut broken = image.clone();
            for step in 0..1 + seed % 4 {
                let random = mix(seed * 8 + step);
                let at = random as usize % broken.len();
                broken[at] = match random >> 62 {
                    0 => 0xFF,
                    1 => broken[at] ^ 1 << (random >> 32 & 7),
                    2 => broken[at].wrapping_add(1),
                    _ => (random >> 40) as u8,
                };
            }
            with(&broken);
        }
        for seed in 0..500_u64 {
            let noise = (0..mix(seed) % 64).map(|i| (mix(seed * 64 + i) >> 24) as u8);
            // Noise behind a true kind and version gets past the header.
            with(&image[..2].iter().copied().chain(noise).collect::<Vec<u8>>());
        }
    }
}
