//! The stable hash against the xxHash project's own library.

use archstone_core::hash::{hash, hash_u64};

#[test]
fn every_length_and_seed_of_the_c_library_agrees() {
    let mut buffer = Vec::new();
    let mut generator = 2_654_435_761_u64;
    for _ in 0..4_200 {
        buffer.push((generator >> 56) as u8);
        generator = generator.wrapping_mul(11_400_714_785_074_694_797);
    }
    let mut rows = 0;
    for line in include_str!("data/xxh3_64.tsv").lines().filter(|l| !l.starts_with('#')) {
        let fields: Vec<u64> = line.split('\t').map(|f| f.parse().expect("a number")).collect();
        let [len, seed, expected] = fields[..] else { panic!("bad row {line}") };
        assert_eq!(hash(&buffer[..len as usize], seed), expected, "length {len}, seed {seed}");
        rows += 1;
    }
    assert_eq!(rows, 1_112);
}

#[test]
fn integers_hash_as_their_eight_bytes() {
    for i in 0..10_000_u64 {
        let x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        assert_eq!(hash_u64(x, i), hash(&x.to_le_bytes(), i));
    }
}
