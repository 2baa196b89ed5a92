//! The one stable hash of the family: XXH3-64, seeded.
//!
//! Whatever is stored, sent, merged or routed by hashes with this and nothing else, so equal bytes
//! mean equal bits on every machine, in every release, for ever. Integers are hashed as their 8
//! little-endian bytes ([`hash_u64`]), strings as their raw UTF-8.
//!
//! Why XXH3-64 and not rapidhash v3: both pass the quality tests and cost the same within 20 %
//! (`benches`, area `core`); XXH3 is faster on integers, has a written specification and
//! implementations with equal answers in every language, and its form for 8-byte keys is a
//! bijection: two different `u64` ids never collide. The specification is the "XXH3 algorithm
//! overview" of the xxHash project (Yann Collet); the golden vectors were made by its C library.
//!
//! It is not keyed against an attacker: who can choose keys and knows the seed can make them
//! collide. Tables inside one process take a randomly seeded `BuildHasher` instead.
//!
//! ```
//! use archstone_core::hash::{hash, hash_u64};
//!
//! assert_eq!(hash(b"", 0), 0x2d06_8005_38d3_94c2);
//! assert_eq!(hash_u64(42, 7), hash(&42_u64.to_le_bytes(), 7));
//! ```

/// The default secret of the XXH3 specification.
#[rustfmt::skip]
const SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

const PRIME32_1: u64 = 0x9E37_79B1;
const PRIME32_2: u64 = 0x85EB_CA77;
const PRIME32_3: u64 = 0xC2B2_AE3D;
const PRIME64_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME64_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME64_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME64_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME64_5: u64 = 0x27D4_EB2F_1656_67C5;
const PRIME_MX1: u64 = 0x1656_6791_9E37_79F9;
const PRIME_MX2: u64 = 0x9FB2_1C65_1E98_DF25;

/// A stripe is the 64 bytes that one step of the long form takes in.
const STRIPE: usize = 64;
/// Each stripe moves the secret on by 8 bytes, so a block has this many before it scrambles.
const STRIPES_A_BLOCK: usize = (SECRET.len() - STRIPE) / 8;

/// The stable hash of `bytes` under `seed`.
///
/// O(n); about 1 ns for 8 bytes, 2 ns for 20, 35 bytes a nanosecond for long inputs.
#[must_use]
#[inline]
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    match bytes.len() {
        0 => avalanche_xxh64(seed ^ secret64(56) ^ secret64(64)),
        1..=3 => hash_1_to_3(bytes, seed),
        4..=8 => hash_4_to_8(bytes, seed),
        9..=16 => hash_9_to_16(bytes, seed),
        17..=128 => hash_17_to_128(bytes, seed),
        129..=240 => hash_129_to_240(bytes, seed),
        _ => hash_long(bytes, seed),
    }
}

/// The stable hash of the 8 little-endian bytes of `value`: a bijection for every `seed`.
#[must_use]
#[inline]
pub const fn hash_u64(value: u64, seed: u64) -> u64 {
    // The halves of the word stand where the specification's first and last 4 bytes do.
    let input = value.rotate_left(32);
    finish_4_to_8(input, 8, seed)
}

/// SplitMix64's finaliser (Steele, Lea and Flood 2014): a cheap bijection that spreads every bit.
///
/// For deriving a second value from a hash, or a stream of values from a counter.
#[must_use]
#[inline]
pub const fn mix(value: u64) -> u64 {
    let z = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline]
fn hash_1_to_3(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let (first, middle, last) = (bytes[0], bytes[len >> 1], bytes[len - 1]);
    let combined =
        u64::from(first) << 16 | u64::from(middle) << 24 | u64::from(last) | (len as u64) << 8;
    let flip = u64::from(secret32(0) ^ secret32(4)).wrapping_add(seed);
    avalanche_xxh64(combined ^ flip)
}

#[inline]
fn hash_4_to_8(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let first = u64::from(read32(bytes, 0));
    let last = u64::from(read32(bytes, len - 4));
    finish_4_to_8(last.wrapping_add(first << 32), len as u64, seed)
}

#[inline]
const fn finish_4_to_8(input: u64, len: u64, seed: u64) -> u64 {
    let seed = seed ^ ((seed as u32).swap_bytes() as u64) << 32;
    let flip = (secret64(8) ^ secret64(16)).wrapping_sub(seed);
    let mut h = input ^ flip;
    h ^= h.rotate_left(49) ^ h.rotate_left(24);
    h = h.wrapping_mul(PRIME_MX2);
    h ^= (h >> 35).wrapping_add(len);
    h = h.wrapping_mul(PRIME_MX2);
    h ^ (h >> 28)
}

#[inline]
fn hash_9_to_16(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let flip_low = (secret64(24) ^ secret64(32)).wrapping_add(seed);
    let flip_high = (secret64(40) ^ secret64(48)).wrapping_sub(seed);
    let low = read64(bytes, 0) ^ flip_low;
    let high = read64(bytes, len - 8) ^ flip_high;
    let acc = (len as u64)
        .wrapping_add(low.swap_bytes())
        .wrapping_add(high)
        .wrapping_add(fold(low, high));
    avalanche(acc)
}

#[inline]
fn hash_17_to_128(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let mut acc = (len as u64).wrapping_mul(PRIME64_1);
    // Pairs from both ends towards the middle; the pairs of a 17-byte key overlap.
    let pairs = (len - 1) / 32;
    for i in (0..=pairs).rev() {
        acc = acc.wrapping_add(mix16(bytes, i * 16, i * 32, seed));
        acc = acc.wrapping_add(mix16(bytes, len - 16 * (i + 1), i * 32 + 16, seed));
    }
    avalanche(acc)
}

#[cold]
fn hash_129_to_240(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let mut acc = (len as u64).wrapping_mul(PRIME64_1);
    for i in 0..8 {
        acc = acc.wrapping_add(mix16(bytes, i * 16, i * 16, seed));
    }
    acc = avalanche(acc);
    for i in 8..len / 16 {
        acc = acc.wrapping_add(mix16(bytes, i * 16, (i - 8) * 16 + 3, seed));
    }
    avalanche(acc.wrapping_add(mix16(bytes, len - 16, 136 - 17, seed)))
}

#[cold]
fn hash_long(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let secret = seeded_secret(seed);
    let mut acc =
        [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
    let block_len = STRIPE * STRIPES_A_BLOCK;
    let blocks = (len - 1) / block_len;
    let (whole, tail) = bytes.split_at(blocks * block_len);
    for block in whole.chunks_exact(block_len) {
        for (n, stripe) in block.chunks_exact(STRIPE).enumerate() {
            accumulate(&mut acc, stripe, &secret[n * 8..]);
        }
        scramble(&mut acc, &secret[secret.len() - STRIPE..]);
    }
    for (n, stripe) in tail[..tail.len() - 1].chunks_exact(STRIPE).enumerate() {
        accumulate(&mut acc, stripe, &secret[n * 8..]);
    }
    // The last 64 bytes, which may overlap the stripe before them.
    accumulate(&mut acc, &bytes[len - STRIPE..], &secret[secret.len() - STRIPE - 7..]);

    let mut h = (len as u64).wrapping_mul(PRIME64_1);
    for i in 0..4 {
        let low = acc[2 * i] ^ read64(&secret, 11 + 16 * i);
        let high = acc[2 * i + 1] ^ read64(&secret, 19 + 16 * i);
        h = h.wrapping_add(fold(low, high));
    }
    avalanche(h)
}

fn seeded_secret(seed: u64) -> [u8; 192] {
    let mut secret = SECRET;
    for pair in secret.chunks_exact_mut(16) {
        let low = read64(pair, 0).wrapping_add(seed);
        let high = read64(pair, 8).wrapping_sub(seed);
        pair[..8].copy_from_slice(&low.to_le_bytes());
        pair[8..].copy_from_slice(&high.to_le_bytes());
    }
    secret
}

#[inline(always)]
fn accumulate(acc: &mut [u64; 8], stripe: &[u8], secret: &[u8]) {
    for i in 0..8 {
        let value = read64(stripe, 8 * i);
        let key = value ^ read64(secret, 8 * i);
        acc[i ^ 1] = acc[i ^ 1].wrapping_add(value);
        acc[i] = acc[i].wrapping_add((key & 0xFFFF_FFFF).wrapping_mul(key >> 32));
    }
}

#[inline(always)]
fn scramble(acc: &mut [u64; 8], secret: &[u8]) {
    for (i, lane) in acc.iter_mut().enumerate() {
        let mixed = *lane ^ (*lane >> 47) ^ read64(secret, 8 * i);
        *lane = mixed.wrapping_mul(PRIME32_1);
    }
}

/// 16 bytes of input at `at` under the secret at `secret_at`.
#[inline(always)]
fn mix16(bytes: &[u8], at: usize, secret_at: usize, seed: u64) -> u64 {
    let low = read64(bytes, at) ^ secret64(secret_at).wrapping_add(seed);
    let high = read64(bytes, at + 8) ^ secret64(secret_at + 8).wrapping_sub(seed);
    fold(low, high)
}

/// The two halves of a 128-bit product, one over the other.
#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
const fn avalanche(h: u64) -> u64 {
    let h = (h ^ (h >> 37)).wrapping_mul(PRIME_MX1);
    h ^ (h >> 32)
}

#[inline(always)]
const fn avalanche_xxh64(h: u64) -> u64 {
    let h = (h ^ (h >> 33)).wrapping_mul(PRIME64_2);
    let h = (h ^ (h >> 29)).wrapping_mul(PRIME64_3);
    h ^ (h >> 32)
}

#[inline(always)]
const fn secret32(at: usize) -> u32 {
    u32::from_le_bytes([SECRET[at], SECRET[at + 1], SECRET[at + 2], SECRET[at + 3]])
}

#[inline(always)]
const fn secret64(at: usize) -> u64 {
    secret32(at) as u64 | (secret32(at + 4) as u64) << 32
}

#[inline(always)]
fn read32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[inline(always)]
fn read64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
