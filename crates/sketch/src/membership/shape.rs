//! Where the bits of an item are, in the filters that spread them over the whole array.

use archstone_core::hash::mix;

use crate::item::digest;
use crate::math::{ceil, exp, log1p, pow};
use crate::{Incompatible, Item, ParamError};

/// The least false positive rate that a Bloom filter is sized for.
pub(super) const LEAST_FPR: f64 = 1e-15;
/// The most: a filter that is wrong more often than a coin is a mistake of the caller.
pub(super) const MOST_FPR: f64 = 0.5;
/// The most bits (or counters): 2^40, 128 GiB.
pub(super) const MOST_BITS: u64 = 1 << 40;
/// The most bits an item may set.
pub(super) const MOST_HASHES: u32 = 64;
/// Bits that no probe reaches: a multiple of 64 less 3 is 5 modulo 8.
const UNUSED: u64 = 3;

/// Size, probes and seed: equal shapes give an item equal positions.
///
/// The probes of a hash h are the digits of the fraction h / 2^64 in base M, M the largest number
/// up to `bits` that is 5 modulo 8: one widening product gives a digit and, in its lower half, what
/// is left of the fraction. M is odd, so a step loses nothing of the 64 bits, and 5 modulo 8, so
/// that the powers of M run through as many values as there are (Knuth, volume 2, 3.2.1.2). Two
/// hashes that agree in `64 / log2 M` digits in a row are equal. That is why the rate does not
/// collapse as it does with 32-bit halves or with the arithmetic progression `a + i b`: there two
/// items share all positions as soon as a and b agree in their leading bits, an added rate of
/// about n / (k m^2), which for small filters of tiny rates is far above the rate itself.
///
/// A 64-bit hash alone gives an absent item the rate n / 2^64 of meeting an inserted one that
/// hashes equally: 2.7e-11 at 5e8 items, above a rate of 1e-12. When that could be more than a
/// thousandth of the rate, the filter is `wide`: odd probes use a second hash under another seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// A multiple of 64, more than 0.
    pub(super) bits: u64,
    /// 1 to [`MOST_HASHES`].
    pub(super) hashes: u32,
    pub(super) seed: u64,
    wide: bool,
}

/// The hashes of an item: those of even and of odd probes.
pub(super) type Digest = [u64; 2];

impl Shape {
    /// The smallest shape that holds `items` at `fpr`.
    pub(super) fn for_items(items: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("items", items, 1, MOST_BITS)?;
        ParamError::real("fpr", fpr, LEAST_FPR, MOST_FPR)?;
        // (1 - e^(-k n / m))^k = p, solved for m; whole k, whichever gives the least m.
        let n = items as f64;
        let bits_with = |k: u32| -f64::from(k) * n / log1p(-pow(fpr, 1.0 / f64::from(k)));
        let (mut hashes, mut bits) = (1, bits_with(1));
        for k in 2..=MOST_HASHES {
            let with_k = bits_with(k);
            if with_k < bits {
                (hashes, bits) = (k, with_k);
            }
        }
        Self::with_bits(ceil(bits) as u64 + UNUSED, hashes, seed)
    }

    /// The shape of at least `bits` bits, rounded up to whole words.
    pub(super) fn with_bits(bits: u64, hashes: u32, seed: u64) -> Result<Self, ParamError> {
        let most = MOST_BITS.min(usize::MAX as u64 / 2);
        ParamError::whole("bits", bits, 1, most)?;
        ParamError::whole("hashes", hashes.into(), 1, MOST_HASHES.into())?;
        let bits = bits.next_multiple_of(64);
        // Half full, the filter holds about bits / hashes items at the rate 2^-hashes.
        let wide = hashes + (bits / u64::from(hashes)).max(1).ilog2() > 54;
        Ok(Self { bits, hashes, seed, wide })
    }

    /// The digest of this shape, from that of a shape that may be wide where this one is not.
    pub(super) const fn narrowed(&self, digest: Digest) -> Digest {
        if self.wide { digest } else { [digest[0]; 2] }
    }

    /// M: the positions that probes reach.
    pub(super) const fn range(&self) -> u64 {
        self.bits - UNUSED
    }

    pub(super) const fn words(&self) -> usize {
        (self.bits / 64) as usize
    }

    #[inline]
    pub(super) fn digest<T: Item + ?Sized>(&self, item: &T) -> Digest {
        let even = digest(item, self.seed);
        let odd = if self.wide { item.digest(second_seed(self.seed)) } else { even };
        [even, odd]
    }

    /// Positions of all probes, below `bits`.
    #[inline]
    pub(super) fn positions(&self, digest: Digest) -> impl Iterator<Item = u64> {
        let mut probes = Probes::new(self, digest);
        let wide = self.wide;
        (0..self.hashes)
            .map(move |_| if wide { probes.step::<true>() } else { probes.step::<false>() })
    }

    /// Calls `f` with the position of each probe.
    #[inline(always)]
    pub(super) fn each(&self, digest: Digest, f: impl FnMut(u64)) {
        let probes = Probes::new(self, digest);
        if self.wide {
            probes.each::<true>(self.hashes, f);
        } else {
            probes.each::<false>(self.hashes, f);
        }
    }

    /// Whether all probes are set in the words that `word` returns.
    #[inline]
    pub(super) fn all_set(&self, digest: Digest, word: impl Fn(usize) -> u64) -> bool {
        let probes = Probes::new(self, digest);
        if self.wide {
            probes.all_set::<true>(self.hashes, word)
        } else {
            probes.all_set::<false>(self.hashes, word)
        }
    }

    /// The rate when `ones` of the bits are set.
    pub(super) fn fpr(&self, ones: u64) -> f64 {
        pow(ones as f64 / self.range() as f64, f64::from(self.hashes))
    }

    /// The expected rate with `items` items.
    pub(super) fn fpr_with(&self, items: u64) -> f64 {
        let k = f64::from(self.hashes);
        pow(1.0 - exp(-k * items as f64 / self.range() as f64), k)
    }

    pub(super) fn unless_equal(&self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("bits", self.bits, other.bits)?;
        Incompatible::unless_equal("hashes", self.hashes.into(), other.hashes.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)
    }
}

/// The walk over the digits.
#[derive(Clone, Copy)]
struct Probes {
    range: u64,
    now: u64,
    /// In wide shapes, the hash whose turn is next.
    next: u64,
}

impl Probes {
    #[inline]
    fn new(shape: &Shape, [now, next]: Digest) -> Self {
        Self { range: shape.range(), now, next }
    }

    #[inline(always)]
    fn step<const WIDE: bool>(&mut self) -> u64 {
        let product = u128::from(self.now) * u128::from(self.range);
        self.now = product as u64;
        if WIDE {
            core::mem::swap(&mut self.now, &mut self.next);
        }
        (product >> 64) as u64
    }

    /// Two at a time: a counter and a branch less for each.
    #[inline(always)]
    fn each<const WIDE: bool>(mut self, mut left: u32, mut f: impl FnMut(u64)) {
        while left >= 2 {
            f(self.step::<WIDE>());
            f(self.step::<WIDE>());
            left -= 2;
        }
        if left > 0 {
            f(self.step::<WIDE>());
        }
    }

    /// Four probes are looked at before each branch: of a half-full filter's absent items 15 in 16
    /// end there, so the branch is foreseen; one branch a probe would be a coin toss each.
    #[inline(always)]
    fn all_set<const WIDE: bool>(mut self, mut left: u32, word: impl Fn(usize) -> u64) -> bool {
        let mut bit = || {
            let at = self.step::<WIDE>();
            word((at / 64) as usize) >> (at % 64)
        };
        while left >= 4 {
            if bit() & bit() & bit() & bit() & 1 == 0 {
                return false;
            }
            left -= 4;
        }
        match left {
            3 => bit() & bit() & bit() & 1 != 0,
            2 => bit() & bit() & 1 != 0,
            1 => bit() & 1 != 0,
            _ => true,
        }
    }
}

/// The seed of the second hash of wide filters.
const fn second_seed(seed: u64) -> u64 {
    mix(seed ^ 0xA076_1D64_78BD_642F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_rates_get_the_textbook_sizes() {
        let one_percent = Shape::for_items(1_000_000, 0.01, 0).unwrap();
        assert_eq!((one_percent.bits, one_percent.hashes, one_percent.wide), (9_592_960, 7, false));
        let tiny = Shape::for_items(500_000_000, 1e-12, 0).unwrap();
        assert_eq!((tiny.hashes, tiny.wide), (40, true));
        assert!((tiny.bits as f64 / 5e8 - 57.51).abs() < 0.01);
    }

    #[test]
    fn every_position_is_below_the_size() {
        for bits in [1, 64, 65, 1 << 20, MOST_BITS] {
            let shape = Shape::with_bits(bits, 64, 0).unwrap();
            for h in [0, 1, u64::MAX, 0x8000_0000_0000_0000, 0x0123_4567_89ab_cdef] {
                assert!(shape.positions([h, h]).all(|at| at < shape.bits));
            }
        }
    }
}
