//! Further random words of one key, and choices without a branch.

/// A word of `key` for each `salt`: a 128-bit product folded to 64. As good as the key: keys are
/// hashes already.
#[inline(always)]
pub(crate) const fn draw(key: u64, salt: u64) -> u64 {
    let x = key ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let product = (x as u128).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    product as u64 ^ (product >> 64) as u64
}

/// `word` scaled to `0..n`, by multiplication.
#[inline(always)]
pub(crate) const fn scale(word: u64, n: u32) -> u32 {
    ((word as u128 * n as u128) >> 64) as u32
}

/// `yes` or `no`, in a form that compilers leave without a branch.
#[inline(always)]
pub(crate) const fn pick(choose: bool, yes: u32, no: u32) -> u32 {
    let mask = (choose as u32).wrapping_neg();
    (yes & mask) | (no & !mask)
}
