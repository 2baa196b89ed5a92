use archstone_core::bytes::{DecodeError, Reader, Why};

use super::wire::Head;
use super::{DEFAULT_SEED, ThetaCompact, bounds, seed_hash};
use crate::Bounds;
use crate::distinct::Sigmas;

/// A DataSketches theta image of version 1 to 3, queried where it lies: nothing is copied.
///
/// Opening it looks at the header alone, so it is O(1); the hashes are checked by
/// [`to_compact`](Self::to_compact). For compressed images use
/// [`ThetaCompact::from_datasketches`].
///
/// ```
/// use archstone_sketch::distinct::{Theta, theta::ThetaRef};
///
/// let mut sketch = Theta::new(12)?;
/// (0..100_u64).for_each(|id| sketch.add(&id));
/// let page = sketch.to_datasketches();
/// assert_eq!(ThetaRef::new(&page)?.estimate(), 100.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ThetaRef<'a> {
    all: &'a [u8],
    hashes: &'a [u8],
    head: Head,
}

impl<'a> ThetaRef<'a> {
    /// A view of an image hashed under seed 9001.
    ///
    /// # Errors
    /// When the header is not one, the image is compressed or shorter than its hashes.
    pub fn new(image: &'a [u8]) -> Result<Self, DecodeError> {
        let head = Head::read(image, seed_hash(DEFAULT_SEED))?;
        let start = Reader::new(image);
        if head.gap_bits != 0 {
            return Err(start.error("version", Why::Invalid("compressed: it has to be unpacked")));
        }
        if !(1..=super::MAX_THETA).contains(&head.theta) {
            let why = Why::Limit { value: head.theta, limit: super::MAX_THETA };
            return Err(start.error("theta", why));
        }
        Ok(Self { all: image, hashes: &image[head.at..head.at + 8 * head.len], head })
    }

    /// How many different items it stands for.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        bounds::estimate(self.head.len, self.head.theta)
    }

    /// The estimate and its bounds.
    #[must_use]
    pub fn bounds(&self, sigmas: Sigmas) -> Bounds {
        bounds::bounds(self.head.len, self.head.theta, sigmas)
    }

    /// The hashes, in the order of the image.
    pub fn hashes(&self) -> impl Iterator<Item = u64> + 'a {
        let words = self.hashes.chunks_exact(8);
        words.map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
    }

    /// Hashes that are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.head.len
    }

    /// Whether it stands for no item at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.head.empty
    }

    /// An owned copy, all of it checked.
    ///
    /// # Errors
    /// When the hashes are not what a sketch can have.
    pub fn to_compact(&self) -> Result<ThetaCompact, DecodeError> {
        ThetaCompact::from_datasketches(self.all)
    }
}
