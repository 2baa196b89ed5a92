//! Filters that answer from encoded bytes, without copying them.

use super::block::block_rate;
use super::fuse::{Layout, fpr};
use super::shape::Shape;
use super::{Filter, Fingerprint, kernel, wire};
use crate::Item;
use crate::wire::{DecodeError, Reader};
use core::marker::PhantomData;

/// A [`Bloom`](super::Bloom) in its encoded bytes: opening is O(1), an answer costs what the
/// filter's does.
///
/// ```
/// use archstone_sketch::Wire;
/// use archstone_sketch::membership::{Bloom, BloomRef};
///
/// let mut filter = Bloom::new(100, 0.01)?;
/// filter.insert("a");
/// let file = filter.encode();
/// assert!(BloomRef::new(&file)?.contains("a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BloomRef<'a> {
    shape: Shape,
    words: &'a [u8],
}

impl<'a> BloomRef<'a> {
    /// The filter whose encoding `bytes` is, all of them.
    ///
    /// # Errors
    /// When they are not an encoding of a [`Bloom`](super::Bloom).
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let (shape, words) = wire::bloom(&mut input)?;
        input.finish()?;
        Ok(Self { shape, words })
    }

    /// Whether `item` may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.shape.all_set(self.shape.digest(item), |i| word(self.words, i))
    }
}

impl Filter for BloomRef<'_> {
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn fpr(&self) -> f64 {
        self.shape.fpr(self.words.iter().map(|byte| u64::from(byte.count_ones())).sum())
    }

    fn bytes(&self) -> usize {
        self.words.len()
    }
}

/// A [`BlockBloom`](super::BlockBloom) in its encoded bytes.
#[derive(Clone, Copy, Debug)]
pub struct BlockBloomRef<'a> {
    seed: u64,
    blocks: &'a [u8],
}

impl<'a> BlockBloomRef<'a> {
    /// The filter whose encoding `bytes` is, all of them.
    ///
    /// # Errors
    /// When they are not an encoding of a [`BlockBloom`](super::BlockBloom).
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let (seed, blocks) = wire::block_bloom(&mut input)?;
        input.finish()?;
        Ok(Self { seed, blocks })
    }

    /// Whether `item` may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        let hash = item.digest(self.seed);
        let at = kernel::index(hash, self.blocks.len() / 32) * 32;
        kernel::all_set(&wire::block(&self.blocks[at..at + 32]), hash)
    }
}

impl Filter for BlockBloomRef<'_> {
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn fpr(&self) -> f64 {
        let sum: f64 = self.blocks.chunks_exact(32).map(|b| block_rate(wire::block(b))).sum();
        sum / (self.blocks.len() / 32) as f64
    }

    fn bytes(&self) -> usize {
        self.blocks.len()
    }
}

/// A [`BinaryFuse`](super::BinaryFuse) in its encoded bytes.
#[derive(Clone, Copy, Debug)]
pub struct BinaryFuseRef<'a, F = u8> {
    seed: u64,
    layout: Layout,
    prints: &'a [u8],
    of: PhantomData<F>,
}

impl<'a, F: Fingerprint> BinaryFuseRef<'a, F> {
    /// The filter whose encoding `bytes` is, all of them.
    ///
    /// # Errors
    /// When they are not an encoding of a [`BinaryFuse`](super::BinaryFuse) of this fingerprint.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let parts = wire::binary_fuse::<F>(&mut input)?;
        input.finish()?;
        Ok(Self { seed: parts.seed, layout: parts.layout, prints: parts.prints, of: PhantomData })
    }

    /// Whether `item` may be in the set.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        let hash = item.digest(self.seed);
        let [a, b, c] = self.layout.places(hash).map(|place| F::read(self.prints, place));
        F::of(hash) == a ^ b ^ c
    }
}

impl<F: Fingerprint> Filter for BinaryFuseRef<'_, F> {
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn fpr(&self) -> f64 {
        fpr::<F>()
    }

    fn bytes(&self) -> usize {
        self.prints.len()
    }
}

/// Word `i` of little-endian words.
#[inline]
fn word(bytes: &[u8], i: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[8 * i..8 * i + 8]);
    u64::from_le_bytes(word)
}
