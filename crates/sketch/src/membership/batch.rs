//! Asking for the memory of many items before using any of it.

use alloc::vec::Vec;

use crate::Item;

/// Items whose memory is in flight at once. A core keeps some dozens of misses open; more than
/// that only pushes the first ones out again.
pub(super) const LANES: usize = 32;

/// Answers for `items` in batches: all hashes and prefetches of a batch, then all its answers.
#[inline]
pub(super) fn contains_all<T: Item, H: Copy + Default>(
    items: &[T],
    found: &mut Vec<bool>,
    hash: impl Fn(&T) -> H,
    prefetch: impl Fn(H),
    contains: impl Fn(H) -> bool,
) {
    found.clear();
    found.reserve(items.len());
    let mut hashes = [H::default(); LANES];
    for batch in items.chunks(LANES) {
        for (slot, item) in hashes.iter_mut().zip(batch) {
            *slot = hash(item);
            prefetch(*slot);
        }
        found.extend(hashes[..batch.len()].iter().map(|&h| contains(h)));
    }
}

/// Runs `insert` on the hashes of `items` in batches, their memory fetched before.
#[inline]
pub(super) fn insert_all<S, T: Item, H: Copy + Default>(
    filter: &mut S,
    items: &[T],
    hash: impl Fn(&S, &T) -> H,
    prefetch: impl Fn(&S, H),
    mut insert: impl FnMut(&mut S, H),
) {
    let mut hashes = [H::default(); LANES];
    for batch in items.chunks(LANES) {
        for (slot, item) in hashes.iter_mut().zip(batch) {
            *slot = hash(filter, item);
            prefetch(filter, *slot);
        }
        for &h in &hashes[..batch.len()] {
            insert(filter, h);
        }
    }
}
