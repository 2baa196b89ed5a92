use archstone_core::hash::mix;

/// SplitMix64 (Steele, Lea and Flood 2014), one word of state that is written down with the sketch
/// and takes in bits of the items: sketches of different streams draw differently under one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coins(pub(super) u64);

impl Coins {
    pub(super) const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(super) fn absorb(&mut self, bits: u64) {
        self.0 = mix(self.0 ^ bits);
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}
