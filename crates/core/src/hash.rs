//! The one stable hash of the family: XXH3-64, seeded.
//!
//! Whatever is stored, sent, merged or routed by hashes with this and nothing else, so equal bytes
//! mean equal bits on every machine, in every release, for ever. Integers are hashed as their 8
//! little-endian bytes ([`hash_u64`]), strings as their raw UTF-8.
//!
//! Why XXH3-64 and not rapidhash v3: both pass the quality tests and cost the same within some 30 %
//! (`benches`, area `core`); XXH3 has a written specification and
//! implementations with equal answers in every language, and its form for 8-byte keys is a
//! bijection: two different `u64` ids never collide. The specification is the "XXH3 algorithm
//! overview" of the xxHash project (Yann Collet); the golden vectors were made by its C library.
//!
//! Seeds that are near each other are not independent on keys of up to 8 bytes: the key is xored with
//! the seed, so `"a"` under one seed may hash as `"b"` does under the next. Under one seed nothing
//! collides that should not. Who needs several hashes of one key derives them from one hash with
//! [`mix`], or spreads the seeds with it.
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

use core::array;

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
/// O(n); 1 to 2 ns for 8 bytes, 3 to 6 for 40, then 30 bytes a nanosecond (`benches/RESULTS.md`).
#[must_use]
#[inline(always)]
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    // Short keys first; a jump table over the classes costs more than these comparisons.
    let len = bytes.len();
    if len <= 16 {
        if len > 8 {
            hash_9_to_16(bytes, seed)
        } else if len >= 4 {
            hash_4_to_8(bytes, seed)
        } else if len > 0 {
            hash_1_to_3(bytes, seed)
        } else {
            avalanche_xxh64(seed ^ secret64(56) ^ secret64(64))
        }
    } else if len <= 128 {
        hash_17_to_128(bytes, seed)
    } else {
        hash_over_128(bytes, seed)
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
    let first = u64::from(u32::from_le_bytes(*first(bytes)));
    let last = u64::from(u32::from_le_bytes(*last(bytes)));
    finish_4_to_8(last.wrapping_add(first << 32), bytes.len() as u64, seed)
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
    let flip_low = (secret64(24) ^ secret64(32)).wrapping_add(seed);
    let flip_high = (secret64(40) ^ secret64(48)).wrapping_sub(seed);
    let low = u64::from_le_bytes(*first(bytes)) ^ flip_low;
    let high = u64::from_le_bytes(*last(bytes)) ^ flip_high;
    let acc = (bytes.len() as u64)
        .wrapping_add(low.swap_bytes())
        .wrapping_add(high)
        .wrapping_add(fold(low, high));
    avalanche(acc)
}

/// Pairs of 16 bytes from both ends towards the middle; the pairs of a 17-byte key overlap.
#[inline]
fn hash_17_to_128(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let mut acc = (len as u64).wrapping_mul(PRIME64_1);
    if len > 32 {
        if len > 64 {
            if len > 96 {
                acc = acc.wrapping_add(mix16(first(&first::<64>(bytes)[48..]), 96, seed));
                acc = acc.wrapping_add(mix16(first(last::<64>(bytes)), 112, seed));
            }
            acc = acc.wrapping_add(mix16(first(&first::<48>(bytes)[32..]), 64, seed));
            acc = acc.wrapping_add(mix16(first(last::<48>(bytes)), 80, seed));
        }
        acc = acc.wrapping_add(mix16(first(&first::<32>(bytes)[16..]), 32, seed));
        acc = acc.wrapping_add(mix16(first(last::<32>(bytes)), 48, seed));
    }
    acc = acc.wrapping_add(mix16(first(bytes), 0, seed));
    acc = acc.wrapping_add(mix16(last(bytes), 16, seed));
    avalanche(acc)
}

#[inline(never)]
fn hash_over_128(bytes: &[u8], seed: u64) -> u64 {
    if bytes.len() <= 240 { hash_129_to_240(bytes, seed) } else { hash_long(bytes, seed) }
}

fn hash_129_to_240(bytes: &[u8], seed: u64) -> u64 {
    let mut acc = (bytes.len() as u64).wrapping_mul(PRIME64_1);
    let (head, rest) = bytes.split_at(128);
    for (i, pair) in head.chunks_exact(16).enumerate() {
        acc = acc.wrapping_add(mix16(first(pair), i * 16, seed));
    }
    acc = avalanche(acc);
    for (i, pair) in rest.chunks_exact(16).enumerate() {
        acc = acc.wrapping_add(mix16(first(pair), i * 16 + 3, seed));
    }
    avalanche(acc.wrapping_add(mix16(last(bytes), 136 - 17, seed)))
}

fn hash_long(bytes: &[u8], seed: u64) -> u64 {
    let len = bytes.len();
    let secret = if seed == 0 { SECRET } else { seeded_secret(seed) };
    let mut acc =
        [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
    let block_len = STRIPE * STRIPES_A_BLOCK;
    let blocks = (len - 1) / block_len;
    let (whole, tail) = bytes.split_at(blocks * block_len);
    for block in whole.chunks_exact(block_len) {
        accumulate_all(&mut acc, block, &secret);
        scramble(&mut acc, last(&secret));
    }
    accumulate_all(&mut acc, &tail[..tail.len() - 1], &secret);
    // The last 64 bytes, which may overlap the stripe before them.
    accumulate_1(&mut acc, last(bytes), first(&secret[secret.len() - STRIPE - 7..]));

    let merge = words(first(&secret[11..]));
    let mut h = (len as u64).wrapping_mul(PRIME64_1);
    for i in 0..4 {
        h = h.wrapping_add(fold(acc[2 * i] ^ merge[2 * i], acc[2 * i + 1] ^ merge[2 * i + 1]));
    }
    avalanche(h)
}

fn seeded_secret(seed: u64) -> [u8; 192] {
    let mut secret = SECRET;
    for pair in secret.chunks_exact_mut(16) {
        let low = u64::from_le_bytes(*first(pair)).wrapping_add(seed);
        let high = u64::from_le_bytes(*last(pair)).wrapping_sub(seed);
        pair[..8].copy_from_slice(&low.to_le_bytes());
        pair[8..].copy_from_slice(&high.to_le_bytes());
    }
    secret
}

/// The whole stripes of `bytes`, at most a block of them.
#[inline(always)]
fn accumulate_all(acc: &mut [u64; 8], bytes: &[u8], secret: &[u8; 192]) {
    let mut fours = bytes.chunks_exact(4 * STRIPE);
    let mut keys = secret.windows(STRIPE + 3 * 8).step_by(4 * 8);
    for (four, keys) in fours.by_ref().zip(keys.by_ref()) {
        accumulate_4(acc, first(four), first(keys));
    }
    let at = secret.len().min(8 * ((bytes.len() / STRIPE) & !3));
    let keys = secret[at..].windows(STRIPE).step_by(8);
    for (stripe, key) in fours.remainder().chunks_exact(STRIPE).zip(keys) {
        accumulate_1(acc, first(stripe), first(key));
    }
}

/// Four stripes. Out of line, like the next, so that the lanes come from memory and go back there:
/// the stores are what the compiler builds vectors from. Kept in registers over a loop it takes the
/// lanes one by one.
#[inline(never)]
fn accumulate_4(acc: &mut [u64; 8], stripes: &[u8; 4 * STRIPE], keys: &[u8; STRIPE + 3 * 8]) {
    let sum = lanes(*acc, first(&stripes[..]), first(&keys[..]));
    let sum = lanes(sum, first(&stripes[STRIPE..]), first(&keys[8..]));
    let sum = lanes(sum, first(&stripes[2 * STRIPE..]), first(&keys[16..]));
    *acc = lanes(sum, first(&stripes[3 * STRIPE..]), first(&keys[24..]));
}

#[inline(never)]
fn accumulate_1(acc: &mut [u64; 8], stripe: &[u8; STRIPE], key: &[u8; STRIPE]) {
    *acc = lanes(*acc, stripe, key);
}

#[inline(always)]
fn lanes(acc: [u64; 8], stripe: &[u8; STRIPE], key: &[u8; STRIPE]) -> [u64; 8] {
    let (value, secret) = (words(stripe), words(key));
    array::from_fn(|i| {
        let key = value[i] ^ secret[i];
        let product = (key & 0xFFFF_FFFF).wrapping_mul(key >> 32);
        acc[i].wrapping_add(value[i ^ 1].wrapping_add(product))
    })
}

#[inline(always)]
fn scramble(acc: &mut [u64; 8], secret: &[u8; STRIPE]) {
    let secret = words(secret);
    for i in 0..8 {
        acc[i] = (acc[i] ^ (acc[i] >> 47) ^ secret[i]).wrapping_mul(PRIME32_1);
    }
}

#[inline(always)]
fn words(bytes: &[u8; STRIPE]) -> [u64; 8] {
    array::from_fn(|i| u64::from_le_bytes(*first(&bytes[8 * i..])))
}

/// 16 bytes of input under the secret at `secret_at`.
#[inline(always)]
fn mix16(bytes: &[u8; 16], secret_at: usize, seed: u64) -> u64 {
    let low = u64::from_le_bytes(*first(bytes)) ^ secret64(secret_at).wrapping_add(seed);
    let high = u64::from_le_bytes(*last(bytes)) ^ secret64(secret_at + 8).wrapping_sub(seed);
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

/// The first `N` bytes. Every caller has compared the length, so no check is left in the code.
#[inline(always)]
fn first<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    bytes.first_chunk().expect("the length was compared")
}

/// The last `N` bytes.
#[inline(always)]
fn last<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    bytes.last_chunk().expect("the length was compared")
}
