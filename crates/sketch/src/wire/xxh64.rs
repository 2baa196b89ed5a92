//! XXH64, the hash of Parquet's Bloom filters. Specification: "XXH64 algorithm overview" of the
//! xxHash project (Yann Collet).

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

/// XXH64 of `bytes` under `seed`. O(n).
///
/// ```
/// assert_eq!(archstone_sketch::wire::xxh64::xxh64(b"", 0), 0xef46_db37_51d8_e999);
/// ```
#[must_use]
#[inline]
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let (mut h, mut rest) =
        if bytes.len() >= 32 { stripes(bytes, seed) } else { (seed.wrapping_add(PRIME_5), bytes) };
    h = h.wrapping_add(bytes.len() as u64);
    while let Some((word, after)) = rest.split_first_chunk() {
        h ^= round(0, u64::from_le_bytes(*word));
        h = h.rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
        rest = after;
    }
    if let Some((word, after)) = rest.split_first_chunk() {
        h ^= u64::from(u32::from_le_bytes(*word)).wrapping_mul(PRIME_1);
        h = h.rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
        rest = after;
    }
    for &byte in rest {
        h ^= u64::from(byte).wrapping_mul(PRIME_5);
        h = h.rotate_left(11).wrapping_mul(PRIME_1);
    }
    h = (h ^ (h >> 33)).wrapping_mul(PRIME_2);
    h = (h ^ (h >> 29)).wrapping_mul(PRIME_3);
    h ^ (h >> 32)
}

/// The whole 32-byte stripes of `bytes`, and what is left.
fn stripes(bytes: &[u8], seed: u64) -> (u64, &[u8]) {
    let mut acc = [
        seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2),
        seed.wrapping_add(PRIME_2),
        seed,
        seed.wrapping_sub(PRIME_1),
    ];
    let mut rest = bytes;
    while let Some((stripe, after)) = rest.split_first_chunk::<32>() {
        for (acc, word) in acc.iter_mut().zip(stripe.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            *acc = round(*acc, u64::from_le_bytes(eight));
        }
        rest = after;
    }
    let mut h = acc[0]
        .rotate_left(1)
        .wrapping_add(acc[1].rotate_left(7))
        .wrapping_add(acc[2].rotate_left(12))
        .wrapping_add(acc[3].rotate_left(18));
    for acc in acc {
        h = (h ^ round(0, acc)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    (h, rest)
}

#[inline]
const fn round(acc: u64, word: u64) -> u64 {
    acc.wrapping_add(word.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}
