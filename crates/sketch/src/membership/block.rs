use alloc::vec::Vec;

use super::batch::LANES;
use super::kernel::{self, Block, Kernel};
use super::{Filter, shape};
use crate::math::{exp, pow};
use crate::{Incompatible, Item, Merge, ParamError};

/// The least rate: below it the eight bits of an item are too few whatever the size.
pub(super) const LEAST_FPR: f64 = 1e-8;
/// The upper 32 bits of a hash choose the block.
pub(super) const MOST_BLOCKS: u64 = 1 << 31;

/// The block Bloom filter of the Parquet format: one cache line and about 1 ns an operation.
///
/// Answers: was this item inserted? An item's eight bits lie in one block of 32 bytes, one bit in
/// each 32-bit word, so an operation is one load and five vector instructions (AVX2, chosen at run
/// time; SSE2, NEON or plain code elsewhere, with the same bits). Rate with n items in b blocks:
/// the Poisson mean over an item count j of mean n / b of `(1 - (31/32)^j)^8`; memory for 1 % is
/// 10.5 bits an item (1.1 times [`Bloom`](super::Bloom)'s), for 0.1 % 16.9, for 1e-6 65. Below
/// that [`Bloom`](super::Bloom) is much smaller, and [`BinaryFuse`](super::BinaryFuse) is the
/// smallest. Source: Putze, Sanders and Singler 2007; the Parquet specification, "split block".
///
/// The hash is this crate's; `parquet::ParquetBloom` has the hash and bytes of Parquet files.
///
/// ```
/// use archstone_sketch::membership::{BlockBloom, Filter};
///
/// let mut seen = BlockBloom::new(1_000_000, 0.01)?;
/// seen.insert_all(&["a", "b"]);
/// let mut found = Vec::new();
/// seen.contains_all(&["a", "b", "c"], &mut found);
/// assert_eq!(found, [true, true, false]);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBloom {
    pub(super) seed: u64,
    /// Never empty, at most [`MOST_BLOCKS`].
    pub(super) blocks: Vec<Block>,
    pub(super) kernel: Kernel,
    /// Whether the seed is 0 and the CPU has AVX2 and BMI2, for the branch of the fast path.
    /// Invariant: never otherwise.
    pub(super) usual: bool,
}

impl BlockBloom {
    /// A filter that holds `items` items at the rate `fpr`.
    ///
    /// # Errors
    /// When `items` is 0, `fpr` is not within 1e-8 to 0.5, or more than 2^31 blocks (64 GiB) are
    /// needed.
    pub fn new(items: u64, fpr: f64) -> Result<Self, ParamError> {
        Self::with_seed(items, fpr, 0)
    }

    /// [`new`](BlockBloom::new) with a seed of the hash. Filters merge only under equal seeds.
    ///
    /// # Errors
    /// As [`new`](BlockBloom::new).
    pub fn with_seed(items: u64, fpr: f64, seed: u64) -> Result<Self, ParamError> {
        Self::with_blocks(blocks_for(items, fpr)?, seed)
    }

    /// A filter of `blocks` blocks of 32 bytes.
    ///
    /// # Errors
    /// When `blocks` is not within 1 to 2^31.
    pub fn with_blocks(blocks: u64, seed: u64) -> Result<Self, ParamError> {
        ParamError::whole("blocks", blocks, 1, MOST_BLOCKS.min(usize::MAX as u64 / 64))?;
        Ok(Self::of(seed, alloc::vec![Block::default(); blocks as usize]))
    }

    pub(super) fn of(seed: u64, blocks: Vec<Block>) -> Self {
        let kernel = Kernel::new();
        Self { seed, blocks, kernel, usual: kernel.is_avx2() && seed == 0 }
    }

    /// Inserts `item`; false when the filter already said "probably" to it.
    #[inline]
    pub fn insert<T: Item + ?Sized>(&mut self, item: &T) -> bool {
        kernel::insert(self, item)
    }

    /// Inserts an item by its hash under [`seed`](BlockBloom::seed) ([`Item::digest`]).
    #[inline]
    pub fn insert_hash(&mut self, hash: u64) -> bool {
        self.kernel.insert_hash(&mut self.blocks, hash)
    }

    /// Inserts all of `items`, their memory fetched ahead.
    pub fn insert_all<T: Item>(&mut self, items: &[T]) {
        let mut hashes = [0; LANES];
        for batch in items.chunks(LANES) {
            self.fetch(batch, &mut hashes);
            self.kernel.insert_each(&mut self.blocks, &hashes[..batch.len()]);
        }
    }

    /// Whether `item` may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        kernel::contains(self, item)
    }

    /// Whether the item of this hash under [`seed`](BlockBloom::seed) may have been inserted.
    #[inline]
    #[must_use]
    pub fn contains_hash(&self, hash: u64) -> bool {
        self.kernel.contains_hash(&self.blocks, hash)
    }

    /// The seed of the hash.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Blocks of 32 bytes.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// The expected rate of false answers once `items` distinct items are in.
    #[must_use]
    pub fn fpr_with(&self, items: u64) -> f64 {
        rate(items as f64 / self.blocks.len() as f64)
    }

    /// A filter of a `factor`-th of the blocks with the same items, exactly as if they had been
    /// inserted into one of that size; its rate is that of `factor` times the load.
    ///
    /// Scaling the hash to the number of blocks keeps their order, so neighbours fold together.
    ///
    /// # Errors
    /// When `factor` is 0 or does not divide the number of blocks.
    pub fn fold(&self, factor: u64) -> Result<Self, ParamError> {
        let blocks = self.blocks();
        ParamError::whole("factor", factor, 1, blocks)?;
        if blocks % factor != 0 {
            // The nearest factor that does divide is what the caller may want to know.
            let near = (1..factor).rev().find(|f| blocks % f == 0).unwrap_or(1);
            return Err(ParamError::Whole { what: "factor", value: factor, min: near, max: near });
        }
        let folded = self.blocks.chunks_exact(factor as usize).map(|group| {
            let mut sum = Block::default();
            for block in group {
                or(&mut sum, block);
            }
            sum
        });
        Ok(Self::of(self.seed, folded.collect()))
    }

    /// The smallest [`fold`](BlockBloom::fold) by a power of two that is expected to keep the rate
    /// `fpr` for the items that are in. O(blocks log blocks).
    #[must_use]
    pub fn fold_to(&self, fpr: f64) -> Self {
        let mut smallest = self.clone();
        while let Ok(half) = smallest.fold(2) {
            if half.fpr().total_cmp(&fpr).is_gt() {
                break;
            }
            smallest = half;
        }
        smallest
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.blocks.fill(Block::default());
    }

    #[inline]
    fn fetch<T: Item>(&self, items: &[T], hashes: &mut [u64; LANES]) {
        for (slot, item) in hashes.iter_mut().zip(items) {
            *slot = item.digest(self.seed);
            kernel::prefetch(&self.blocks[kernel::index(*slot, self.blocks.len())]);
        }
    }
}

#[inline]
fn or(ours: &mut Block, theirs: &Block) {
    for (ours, theirs) in ours.0.iter_mut().zip(theirs.0) {
        *ours |= theirs;
    }
}

/// The expected rate of one block's bits: an absent item needs a set bit in each word.
pub(super) fn block_rate(words: [u32; 8]) -> f64 {
    words.map(|word| f64::from(word.count_ones()) / 32.0).iter().product()
}

/// The rate with a mean of `load` items a block.
fn rate(load: f64) -> f64 {
    // Terms past the mean and 12 standard deviations are below every rate of interest.
    let most = (load + 12.0 * crate::math::sqrt(load) + 20.0).min(1e5) as u32;
    let mut chance = exp(-load);
    let mut sum = 0.0;
    for j in 1..=most {
        chance *= load / f64::from(j);
        sum += chance * pow(1.0 - pow(31.0 / 32.0, f64::from(j)), 8.0);
    }
    // Past a load of 700 exp(-load) is 0; every bit is set long before.
    if load > 700.0 { 1.0 } else { sum }
}

/// The fewest blocks that hold `items` at `fpr`.
pub(super) fn blocks_for(items: u64, fpr: f64) -> Result<u64, ParamError> {
    ParamError::whole("items", items, 1, shape::MOST_BITS)?;
    ParamError::real("fpr", fpr, LEAST_FPR, shape::MOST_FPR)?;
    // The rate grows with the load: halve the interval until it is below one part in 1e9.
    let (mut low, mut high) = (0.0, 256.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if rate(middle) <= fpr { low = middle } else { high = middle }
    }
    Ok(crate::math::ceil(items as f64 / low) as u64)
}

impl Filter for BlockBloom {
    #[inline]
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool {
        self.contains(item)
    }

    fn contains_all<T: Item>(&self, items: &[T], found: &mut Vec<bool>) {
        found.clear();
        found.reserve(items.len());
        let mut hashes = [0; LANES];
        for batch in items.chunks(LANES) {
            self.fetch(batch, &mut hashes);
            self.kernel.contains_each(&self.blocks, &hashes[..batch.len()], found);
        }
    }

    fn fpr(&self) -> f64 {
        let sum: f64 = self.blocks.iter().map(|block| block_rate(block.0)).sum();
        sum / self.blocks.len() as f64
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.blocks)
    }
}

/// The union of the two sets; bit for bit the filter that saw both streams.
impl Merge for BlockBloom {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("blocks", self.blocks(), other.blocks())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        for (ours, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            or(ours, theirs);
        }
        Ok(())
    }
}
