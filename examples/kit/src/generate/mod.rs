//! Seeded generators: random streams, popularity laws, arrivals.
//!
//! The same seed gives the same values on every platform and with every release of `rand`: the
//! generator is PCG XSL-RR 128/64 by name, ranges and distributions are made here from its 64-bit
//! words, and `ln` and `exp` are those of `libm`.

mod arrivals;
mod popularity;

pub use arrivals::{Arrivals, Diurnal};
pub use popularity::{RankCurve, Zipf};

use archstone_core::hash::hash;
use rand_core::{SeedableRng, TryRng};
use rand_pcg::Pcg64;
use std::convert::Infallible;
use std::time::Duration;

/// The root of random streams: split it by component, so that a new component (or one that draws
/// more) does not shift the values of another.
///
/// ```
/// use kit::Seed;
///
/// let seed = Seed::new(1);
/// let mut arrivals = seed.stream("arrivals");
/// let mut faults = seed.child("dc-2").stream("faults");
/// assert_eq!(arrivals.next_u64(), Seed::new(1).stream("arrivals").next_u64());
/// assert_ne!(arrivals.next_u64(), faults.next_u64());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

/// A stream of random values.
///
/// Also a [`rand_core::Rng`], for distributions of other libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream(Pcg64);

impl Seed {
    /// The root of a run.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The root of a part of it: a data centre, a client.
    #[must_use]
    pub fn child(self, name: &str) -> Self {
        Self(self.word(b"child/", name))
    }

    /// The stream of the component `name`.
    #[must_use]
    pub fn stream(self, name: &str) -> Stream {
        let mut seed = [0; 32];
        for (part, prefix) in seed.chunks_exact_mut(8).zip([b"str0", b"str1", b"str2", b"str3"]) {
            part.copy_from_slice(&self.word(prefix, name).to_le_bytes());
        }
        Stream(Pcg64::from_seed(seed))
    }

    /// XXH3-64 of purpose, seed and name. The seed is part of the message: given as the seed of
    /// the hash, inputs of up to 3 bytes would collide (seed 1 with "a", seed 2 with "b").
    fn word(self, purpose: &[u8], name: &str) -> u64 {
        hash(&[purpose, &self.0.to_le_bytes(), name.as_bytes()].concat(), 0)
    }
}

impl Stream {
    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        match self.0.try_next_u64() {
            Ok(word) => word,
        }
    }

    /// A number in `0..n`, each as likely; 0 when `n` is 0. (Lemire 2019, without bias.)
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        let mut wide = u128::from(self.next_u64()) * u128::from(n);
        if (wide as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (wide as u64) < threshold {
                wide = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (wide >> 64) as u64
    }

    /// A number in `0.0..1.0`, a multiple of 2^-53.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// True in `share` of the cases; never when it is 0 or NaN, always from 1.
    #[inline]
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A duration in `low..high`, each as likely; `low` when the range is empty.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let (low, high) = (nanos(low), nanos(high));
        Duration::from_nanos(low + self.below(high.saturating_sub(low)))
    }

    /// An exponential value with mean 1: the gap between events that happen at rate 1.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        // 1 - unit() is in (0, 1]: no infinity.
        -libm::log(1.0 - self.unit())
    }

    /// A normal value with mean 0 and deviation 1 (polar method of Marsaglia).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * libm::sqrt(-2.0 * libm::log(square) / square);
            }
        }
    }

    /// One of `items`, each as likely; `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Puts `items` in random order, each order as likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

#[cfg(test)]
mod tests;
