//! MurmurHash3 x64 128 (Austin Appleby, public domain description): the hash of Apache
//! DataSketches and of PostgreSQL's `hll`. Foreign formats only; ours use XXH3-64.

/// The two 64-bit halves of the hash of `bytes` under `seed`, first half first.
///
/// The original takes a 32-bit seed; DataSketches widens it to 64, with equal results below 2^32.
#[must_use]
#[inline]
pub fn murmur3_x64_128(bytes: &[u8], seed: u64) -> (u64, u64) {
    let (mut h1, mut h2) = (seed, seed);
    let blocks = bytes.chunks_exact(16);
    let tail = blocks.remainder();
    for block in blocks {
        let k1 = read(&block[..8]);
        let k2 = read(&block[8..]);
        h1 ^= scramble1(k1);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= scramble2(k2);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    if tail.len() > 8 {
        h2 ^= scramble2(read(&tail[8..]));
    }
    if !tail.is_empty() {
        h1 ^= scramble1(read(&tail[..tail.len().min(8)]));
    }
    finish(h1, h2, bytes.len() as u64)
}

/// [`murmur3_x64_128`] of the 8 little-endian bytes of `word`, without the loop.
#[must_use]
#[inline]
pub const fn murmur3_u64(word: u64, seed: u64) -> (u64, u64) {
    finish(seed ^ scramble1(word), seed, 8)
}

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

#[inline(always)]
const fn scramble1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

#[inline(always)]
const fn scramble2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

#[inline(always)]
const fn finish(h1: u64, h2: u64, len: u64) -> (u64, u64) {
    let (h1, h2) = (h1 ^ len, h2 ^ len);
    let h1 = h1.wrapping_add(h2);
    let h2 = h2.wrapping_add(h1);
    let (h1, h2) = (fmix(h1), fmix(h2));
    let h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

#[inline(always)]
const fn fmix(k: u64) -> u64 {
    let k = (k ^ (k >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let k = (k ^ (k >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

/// Up to 8 bytes, little-endian, the missing high ones zero.
#[inline(always)]
fn read(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_equals_the_reference_on_known_inputs() {
        // Widely published values of the reference implementation (SMHasher), seed 0.
        assert_eq!(murmur3_x64_128(b"", 0), (0, 0));
        let fox = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(murmur3_x64_128(fox, 0), (0xe34b_bc7b_bc07_1b6c, 0x7a43_3ca9_c49a_9347));
    }

    #[test]
    fn the_short_form_equals_the_long_one() {
        for word in [0, 1, 9001, u64::MAX, 0x0123_4567_89ab_cdef] {
            for seed in [0, 9001, u64::MAX] {
                assert_eq!(murmur3_u64(word, seed), murmur3_x64_128(&word.to_le_bytes(), seed));
            }
        }
    }
}
