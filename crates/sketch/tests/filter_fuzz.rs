//! The fuzz target's body on a fixed, seeded set of broken encodings, so that it runs without
//! libFuzzer too.
#![cfg(all(feature = "membership", feature = "samples", feature = "parquet"))]

#[path = "common/filter_decoders.rs"]
mod decoders;

use archstone_core::hash::mix;
use archstone_sketch::Wire;
use archstone_sketch::membership::parquet::ParquetBloom;
use archstone_sketch::membership::{
    BinaryFuse, BlockBloom, Bloom, CountingBloom, Cuckoo, ScalableBloom,
};
use archstone_sketch::samples::{MinHash, Reservoir, WeightedReservoir};

/// One good encoding for each of the choices of `any_bytes`.
fn images() -> [Vec<u8>; 14] {
    let items: Vec<u64> = (0..20).collect();
    let mut bloom = Bloom::new(20, 0.1).unwrap();
    let mut block = BlockBloom::new(20, 0.1).unwrap();
    let mut counting = CountingBloom::new(20, 0.1).unwrap();
    let mut scalable = ScalableBloom::new(4, 0.1).unwrap();
    let mut cuckoo = Cuckoo::new(20, 0.01).unwrap();
    let mut parquet = ParquetBloom::new(20, 0.1).unwrap();
    let mut plain = Reservoir::new(8, 1).unwrap();
    let mut weighted = WeightedReservoir::new(8, 1).unwrap();
    let mut set = MinHash::new(8).unwrap();
    for item in &items {
        bloom.insert(item);
        block.insert(item);
        counting.insert(item);
        scalable.insert(item);
        cuckoo.insert(item).unwrap();
        parquet.insert(&(*item as i64));
        plain.add(item.to_string());
        weighted.add(item.to_string(), 1.0).unwrap();
        set.add(item);
    }
    let small = BinaryFuse::<u8>::new(&items).unwrap().encode();
    let wide = BinaryFuse::<u16>::new(&items).unwrap().encode();
    let (bloom, block) = (bloom.encode(), block.encode());
    [
        bloom.clone(),
        block.clone(),
        counting.encode(),
        scalable.encode(),
        cuckoo.encode(),
        small,
        wide.clone(),
        bloom,
        block,
        wide,
        parquet.encode(),
        plain.encode(),
        weighted.encode(),
        set.encode(),
    ]
}

#[test]
fn the_fuzz_body_takes_good_and_broken_encodings() {
    let mut random = 1_u64;
    for (choice, image) in (0_u8..).zip(images()) {
        let good = [&[choice], &image[..]].concat();
        decoders::any_bytes(&good);
        for round in 0..4_000 {
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
