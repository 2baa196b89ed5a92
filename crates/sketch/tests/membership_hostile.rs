//! Parameters and bytes that nobody means well with.
#![cfg(feature = "membership")]

use archstone_sketch::membership::{
    AtomicBloom, BinaryFuse, BinaryFuseRef, BlockBloom, BlockBloomRef, Bloom, BloomRef,
    CountingBloom, Cuckoo, Filter, ScalableBloom,
};
use archstone_sketch::{DecodeError, ParamError, Wire};
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

const BAD_RATES: [f64; 10] =
    [0.0, -0.0, -1.0, 1.0, 2.0, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX];

#[test]
fn every_parameter_out_of_range_is_an_error_that_names_it() {
    fn named<T>(built: Result<T, ParamError>, wanted: &str) {
        match built.err().expect("refused") {
            ParamError::Real { what, .. } | ParamError::Whole { what, .. } => {
                assert_eq!(what, wanted);
            }
            other => panic!("{other}"),
        }
    }
    for fpr in BAD_RATES {
        named(Bloom::new(100, fpr), "fpr");
        named(BlockBloom::new(100, fpr), "fpr");
        named(CountingBloom::new(100, fpr), "fpr");
        named(ScalableBloom::new(100, fpr), "fpr");
        named(AtomicBloom::new(100, fpr), "fpr");
        named(Cuckoo::new(100, fpr), "fpr");
    }
    for items in [0, u64::MAX] {
        named(Bloom::new(items, 0.01), "items");
        named(BlockBloom::new(items, 0.01), "items");
        named(CountingBloom::new(items, 0.01), "items");
        named(ScalableBloom::new(items, 0.01), "items");
        named(AtomicBloom::new(items, 0.01), "items");
        named(Cuckoo::new(items, 0.01), "items");
        named(Bloom::with_bits(items, 3, 0), "bits");
        named(BlockBloom::with_blocks(items, 0), "blocks");
    }
    // Allowed one by one, too much together: an error before any memory is asked for.
    named(Bloom::new(1 << 38, 1e-15), "bits");
    named(BlockBloom::new(1 << 40, 1e-8), "blocks");
    for hashes in [0, 65, u32::MAX] {
        named(Bloom::with_bits(64, hashes, 0), "hashes");
    }
    let message = Bloom::new(100, f64::NAN).unwrap_err().to_string();
    assert_eq!(message, "fpr is NaN, it may be 0.000000000000001 to 0.5");
}

#[test]
fn the_least_and_the_most_of_each_parameter_work() {
    for fpr in [1e-15, 0.5] {
        let mut filter = Bloom::new(1, fpr).unwrap();
        filter.insert("a");
        assert!(filter.contains("a"));
    }
    let mut filter = BlockBloom::new(1, 1e-8).unwrap();
    filter.insert("a");
    assert!(filter.contains("a") && !filter.contains("b"));
    let mut filter = ScalableBloom::new(1, 1e-11).unwrap();
    (0..1_000_u64).for_each(|i| {
        filter.insert(&i);
    });
    assert!((0..1_000_u64).all(|i| filter.contains(&i)));
    let mut filter = Cuckoo::new(1, 1.2e-4).unwrap();
    assert!(filter.insert("a").is_ok() && filter.remove("a") && !filter.remove("a"));
    // An empty item and one of a mebibyte are items.
    let mut filter = Bloom::new(10, 0.01).unwrap();
    assert!(!filter.contains("") && filter.insert("") && filter.contains(""));
    assert!(filter.insert(&vec![7_u8; 1 << 20]));
}

/// Decodes; what it took stays below 64 times the input and 4 KiB.
fn decode<S: Wire>(bytes: &[u8]) -> Result<S, DecodeError> {
    let (read, used) = measure(|| S::decode(bytes));
    assert!(used.peak <= 64 * bytes.len() as i64 + 4096, "{} for {}", used.peak, bytes.len());
    read
}

/// Cut at every length: an error. Each bit flipped, each byte set: an error, or a filter that
/// works and writes itself down again in the same bytes.
fn survives<S: Wire + Filter>(filter: &S) {
    let bytes = filter.encode();
    for len in 0..bytes.len() {
        assert!(decode::<S>(&bytes[..len]).is_err(), "cut at {len}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(decode::<S>(&longer).is_err());
    let tried = |bytes: &[u8]| {
        if let Ok(read) = decode::<S>(bytes) {
            assert_eq!(read.encode(), bytes, "one value has one encoding");
            let _ = (read.contains("x"), read.contains(&7_u64), read.fpr(), read.bytes());
        }
    };
    for at in 0..bytes.len() {
        let mut broken = bytes.clone();
        for bit in 0..8 {
            broken[at] = bytes[at] ^ 1 << bit;
            tried(&broken);
        }
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            broken[at] = byte;
            tried(&broken);
        }
    }
    // Runs of 0xff over the header: lengths as large as they go.
    for from in 0..bytes.len().min(32) {
        for len in 1..=10.min(bytes.len() - from) {
            let mut broken = bytes.clone();
            broken[from..from + len].fill(0xff);
            tried(&broken);
        }
    }
}

#[test]
fn no_bytes_make_a_decoder_panic_or_take_more_memory_than_they_pay_for() {
    let items: Vec<u64> = (0..20).collect();
    let mut bloom = Bloom::new(20, 0.1).unwrap();
    let mut block = BlockBloom::new(20, 0.1).unwrap();
    let mut counting = CountingBloom::new(20, 0.1).unwrap();
    let mut scalable = ScalableBloom::new(4, 0.1).unwrap();
    let mut cuckoo = Cuckoo::new(20, 0.01).unwrap();
    for item in &items {
        bloom.insert(item);
        block.insert(item);
        counting.insert(item);
        scalable.insert(item);
        cuckoo.insert(item).unwrap();
    }
    survives(&bloom);
    survives(&block);
    survives(&counting);
    survives(&scalable);
    survives(&cuckoo);
    survives(&BinaryFuse::<u8>::new(&items).unwrap());
    survives(&BinaryFuse::<u16>::new(&items).unwrap());
}

#[test]
fn a_decoded_filter_of_any_content_can_be_used_and_removed_from() {
    // All counters at 15, all fingerprints alike: nothing that an insertion writes, all valid.
    let bytes = Cuckoo::new(20, 0.01).unwrap().encode();
    let header = bytes.len() - bytes[12..].len();
    for fill in [0x11, 0x55, 0xff] {
        let mut bytes = bytes.clone();
        bytes[header..].fill(fill);
        let mut cuckoo = Cuckoo::decode(&bytes).unwrap();
        for item in 0..100_u64 {
            let _ = (cuckoo.insert(&item), cuckoo.contains(&item), cuckoo.remove(&item));
        }
    }
    let mut bytes = CountingBloom::new(20, 0.1).unwrap().encode();
    let len = bytes.len();
    bytes[13..len].fill(0xff);
    let mut counting = CountingBloom::decode(&bytes).unwrap();
    assert!(counting.contains("x") && counting.remove("x") && counting.contains("x"));
    // The count of the last layer is the writer's word: at its most, it adds a layer, no more.
    let scalable = ScalableBloom::new(4, 0.1).unwrap();
    let mut bytes = scalable.encode();
    bytes.splice(20..21, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    let mut scalable = ScalableBloom::decode(&bytes).unwrap();
    assert!(scalable.insert("x") && scalable.contains("x"));
}

#[test]
fn views_refuse_what_decoders_refuse_and_take_no_memory() {
    let items: Vec<u64> = (0..20).collect();
    let mut bloom = Bloom::new(20, 0.1).unwrap();
    let mut block = BlockBloom::new(20, 0.1).unwrap();
    bloom.insert_all(&items);
    block.insert_all(&items);
    let fuse = BinaryFuse::<u8>::new(&items).unwrap();
    let encoded = [bloom.encode(), block.encode(), fuse.encode()];
    for bytes in &encoded {
        for len in 0..bytes.len() {
            let cut = &bytes[..len];
            assert!(BloomRef::new(cut).is_err() && BlockBloomRef::new(cut).is_err());
            assert!(BinaryFuseRef::<u8>::new(cut).is_err());
        }
    }
    assert!(BinaryFuseRef::<u16>::new(&encoded[2]).is_err());
    let (_, used) = measure(|| BloomRef::new(&encoded[0]).unwrap().contains("x"));
    assert_eq!(used.allocations, 0);
}
