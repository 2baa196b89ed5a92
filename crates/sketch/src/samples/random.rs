use archstone_core::hash::mix;

use crate::math::ln;

/// SplitMix64 (Steele, Lea and Flood 2014): one word of state, which is written down with the
/// sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    #[inline]
    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Below `n`.
    #[inline]
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.word()) * n as u128) >> 64) as usize
    }

    /// Above 0 and below 1.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        ((self.word() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Of the exponential distribution with mean 1: above 0.
    #[inline]
    pub(super) fn exponential(&mut self) -> f64 {
        -ln(self.unit())
    }

    /// Takes in the state of another, so that a merge depends on both.
    pub(super) fn merge(&mut self, other: Self) {
        self.0 = mix(self.0 ^ other.0.rotate_left(32));
    }
}
