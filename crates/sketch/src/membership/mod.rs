//! Was this item seen? Filters that never miss one that was, and say "yes" wrongly at a known rate.
//!
//! | filter | bits a key at 1 % | change | when |
//! |---|---|---|---|
//! | [`BlockBloom`] | 10.5 | insert | the default: one cache line and about 1 ns an operation |
//! | [`Bloom`] | 9.6 | insert | the rate matters more than the time: any rate down to 1e-15 |
//! | [`AtomicBloom`] | 9.6 | insert by `&self` | many threads fill one filter |
//! | [`ScalableBloom`] | 12 to 30 | insert | the number of items is not known |
//! | [`CountingBloom`] | 38 | insert, remove | items leave, and may be inserted many times |
//! | [`Cuckoo`] | 10.6 | insert, remove | items leave, each inserted a few times at most |
//! | [`BinaryFuse`] | 9.0 at 0.39 % | none | the set is known when the filter is built: smallest |
//!
//! All of them answer through [`Filter`]; a batch ([`Filter::contains_all`]) asks for the memory of
//! many items at once, which is what helps once a filter is larger than the caches. [`BloomRef`],
//! [`BlockBloomRef`] and [`BinaryFuseRef`] answer from encoded bytes in place, for instance from a
//! mapped file.
//!
//! A filter that was sized for n items and holds more keeps every item and loses its rate:
//! [`Filter::fpr`] says what the rate is now.

mod atomic;
mod batch;
mod block;
mod bloom;
mod counting;
mod cuckoo;
mod fuse;
mod fuse_build;
mod kernel;
mod scalable;
mod shape;
mod views;
mod wire;

#[cfg(feature = "parquet")]
pub mod parquet;

use alloc::vec::Vec;

pub use atomic::AtomicBloom;
pub use block::BlockBloom;
pub use bloom::Bloom;
pub use counting::CountingBloom;
pub use cuckoo::{Cuckoo, Full};
pub use fuse::{BinaryFuse, Fingerprint, Unsolved};
pub use scalable::ScalableBloom;
pub use views::{BinaryFuseRef, BlockBloomRef, BloomRef};

use crate::Item;

/// A set that answers "certainly not" or "probably".
///
/// Never a false "certainly not" for an item that was inserted and not removed; a false
/// "probably" at the rate [`fpr`](Filter::fpr).
pub trait Filter {
    /// Whether `item` may be in the set.
    fn contains<T: Item + ?Sized>(&self, item: &T) -> bool;

    /// Whether each of `items` may be in the set, in their order; `found` is cleared first.
    ///
    /// The same answers as [`contains`](Filter::contains), with the memory of many items fetched
    /// at once.
    fn contains_all<T: Item>(&self, items: &[T], found: &mut Vec<bool>) {
        found.clear();
        found.extend(items.iter().map(|item| self.contains(item)));
    }

    /// The expected share of absent items that get "probably", from 0 to 1, as the filter is now.
    ///
    /// Looks at the whole filter where the rate depends on how full it is.
    fn fpr(&self) -> f64;

    /// Bytes of memory that the set takes.
    fn bytes(&self) -> usize;
}
