//! The small hashes of C programs, byte by byte.

/// FNV-1a with 32 bits.
pub(super) fn fnv1a_32(bytes: &[u8]) -> u32 {
    fnv1a(bytes, 0x811c_9dc5, 0x0100_0193)
}

/// What twemproxy calls `fnv1a_64`: the constants of 64 bits cut to 32.
pub(super) fn fnv1a_64_cut(bytes: &[u8]) -> u32 {
    fnv1a(bytes, 0x8422_2325, 0x0000_01b3)
}

fn fnv1a(bytes: &[u8], start: u32, prime: u32) -> u32 {
    bytes.iter().fold(start, |hash, &byte| (hash ^ signed(byte)).wrapping_mul(prime))
}

/// A byte as C's `(uint32_t)key[i]` with `char *key` where `char` is signed, as on x86.
fn signed(byte: u8) -> u32 {
    i32::from(byte as i8) as u32
}

/// sdbm's hash: `c + hash * 65599`.
pub(super) fn sdbm(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, &byte| hash.wrapping_mul(65_599).wrapping_add(byte.into()))
}

/// Bernstein's hash: `c + hash * 33`.
pub(super) fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5_381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// HAProxy's `wt6`: two words that rotate by amounts drawn from themselves.
pub(super) fn wt6(bytes: &[u8]) -> u32 {
    let (mut h0, mut h1) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut left, mut right) = (6, 18);
    for &byte in bytes {
        let byte = signed(byte);
        h0 = !(h0 ^ byte);
        h1 = !h1.wrapping_add(byte);
        (h0, h1) = (h1.rotate_left(left), h0.rotate_left(right));
        let drawn = ((h0 >> 16) ^ h1) & 0xffff;
        (left, right) = (drawn & 0x1f, drawn >> 11);
    }
    h0 ^ h1
}

/// HAProxy's `full_hash`: Jenkins' full avalanche of 32 bits, then a multiplication that spreads
/// over the tree.
pub(super) const fn avalanche(value: u32) -> u32 {
    let mut a = value;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    a.wrapping_mul(3_221_225_473)
}
