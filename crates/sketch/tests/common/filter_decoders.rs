//! Every decoder and view of a filter, a sample or a signature on any bytes: what the hostile test
//! and the fuzz target run.
#![allow(unreachable_pub, reason = "each of the two uses its part")]

use archstone_sketch::membership::parquet::ParquetBloom;
use archstone_sketch::membership::{
    BinaryFuse, BinaryFuseRef, BlockBloom, BlockBloomRef, Bloom, BloomRef, CountingBloom, Cuckoo,
    Filter, ScalableBloom,
};
use archstone_sketch::samples::{MinHash, Reservoir, WeightedReservoir};
use archstone_sketch::{Merge, Wire};

/// Chooses a decoder by the first byte and gives it the rest. What comes out must write itself
/// down again in the same bytes, answer, and take in more.
pub fn any_bytes(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice % 14 {
        0 => filter(bytes, |read: &mut Bloom| assert!(!read.insert("x") || read.contains("x"))),
        1 => filter(bytes, |read: &mut BlockBloom| assert!(read.fold_to(0.5).blocks() > 0)),
        2 => filter(bytes, |read: &mut CountingBloom| {
            read.insert("x");
            assert!(read.contains("x") && read.remove("x"));
        }),
        3 => filter(bytes, |read: &mut ScalableBloom| {
            assert!(!read.insert("x") || read.contains("x"));
        }),
        4 => filter(bytes, |read: &mut Cuckoo| {
            assert!(read.insert("x").is_err() || (read.contains("x") && read.remove("x")));
        }),
        5 => filter(bytes, |read: &mut BinaryFuse<u8>| assert!(read.fpr() > 0.0)),
        6 => filter(bytes, |read: &mut BinaryFuse<u16>| assert!(read.fpr() > 0.0)),
        7 => drop(BloomRef::new(bytes).map(|view| (view.contains("x"), view.fpr()))),
        8 => drop(BlockBloomRef::new(bytes).map(|view| (view.contains("x"), view.fpr()))),
        9 => drop(BinaryFuseRef::<u16>::new(bytes).map(|view| view.contains("x"))),
        10 => {
            if let Ok(mut read) = ParquetBloom::decode(bytes) {
                assert_eq!(read.encode(), bytes);
                read.insert(&7_i64);
                assert!(read.contains(&7_i64));
            }
        }
        11 => sample(bytes, |read: &mut Reservoir<String>| {
            (0..20).for_each(|_| read.add("x".into()));
            let _ = (read.share(2.0, |_| true), read.merge(&read.clone()));
        }),
        12 => sample(bytes, |read: &mut WeightedReservoir<String>| {
            (0..20).for_each(|_| read.add("x".into(), 1.0).unwrap());
            let _ = (read.subset_sum(2.0, |_| true), read.merge(&read.clone()));
        }),
        _ => sample(bytes, |read: &mut MinHash| {
            read.add("x");
            let _ = read.jaccard(&read.clone(), 2.0);
        }),
    }
}

fn filter<S: Wire + Filter>(bytes: &[u8], go_on: impl Fn(&mut S)) {
    sample(bytes, |read: &mut S| {
        assert!((0.0..=1.0).contains(&read.fpr()));
        let _ = (read.contains("y"), read.bytes());
        go_on(read);
    });
}

fn sample<S: Wire>(bytes: &[u8], go_on: impl Fn(&mut S)) {
    if let Ok(mut read) = S::decode(bytes) {
        assert_eq!(read.encode(), bytes, "one value has one encoding");
        go_on(&mut read);
    }
}
