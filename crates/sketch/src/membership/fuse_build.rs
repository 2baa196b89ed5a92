//! Building a binary fuse filter: peel the hypergraph whose edges are the items, then fill in the
//! fingerprints in the reverse order.

use alloc::vec::Vec;

use super::fuse::{BinaryFuse, Fingerprint, Layout, MOST_ITEMS, Unsolved, attempt_seed};
use crate::Item;

/// Far past any chance: an attempt succeeds with more than 99 %.
const MOST_ATTEMPTS: u32 = 64;

/// A place during the build: how many items not yet peeled have it among their three, and the XOR
/// of their hashes. Side by side, so that an item's visit is one cache line.
#[derive(Clone, Copy, Default)]
struct Cell {
    hashes: u64,
    count: u32,
    /// XOR of which of its items' places this is, 0 to 2.
    which: u32,
}

/// An item in the order of peeling: its hash, and which of its places it had to itself.
type Peeled = (u64, u8);

pub(super) fn build<F: Fingerprint, T: Item>(
    items: &[T],
    seed: u64,
) -> Result<BinaryFuse<F>, Unsolved> {
    let count = items.len() as u64;
    if count > MOST_ITEMS {
        return Err(Unsolved { items: count, attempts: 0 });
    }
    for attempt in 0..MOST_ATTEMPTS {
        let seed = attempt_seed(seed, attempt);
        let mut hashes: Vec<u64> = items.iter().map(|item| item.digest(seed)).collect();
        let built = solve(seed, &hashes).or_else(|| {
            // Equal hashes never peel. Looked for only now: sets come without them mostly, and the
            // sort would cost as much as the build.
            hashes.sort_unstable();
            hashes.dedup();
            if hashes.len() < items.len() { solve(seed, &hashes) } else { None }
        });
        if let Some(filter) = built {
            return Ok(filter);
        }
    }
    Err(Unsolved { items: count, attempts: MOST_ATTEMPTS })
}

fn solve<F: Fingerprint>(seed: u64, hashes: &[u64]) -> Option<BinaryFuse<F>> {
    let layout = Layout::for_items(hashes.len() as u64);
    let mut cells = alloc::vec![Cell::default(); layout.slots()];
    let ordered = by_segment(hashes, layout);
    for &hash in ordered.as_deref().unwrap_or(hashes) {
        for (which, place) in (0..).zip(layout.places(hash)) {
            let cell = &mut cells[place];
            cell.hashes ^= hash;
            cell.count += 1;
            cell.which ^= which;
        }
    }
    drop(ordered);
    let order = peel(&mut cells, layout, hashes.len())?;
    drop(cells);
    let mut prints = alloc::vec![F::default(); layout.slots()];
    for &(hash, which) in order.iter().rev() {
        let places = layout.places(hash);
        let own = places[usize::from(which)];
        // The place is still 0: it belongs to no item peeled later.
        let others = prints[places[0]] ^ prints[places[1]] ^ prints[places[2]];
        prints[own] = others ^ F::of(hash);
    }
    Some(BinaryFuse { seed, len: hashes.len() as u64, layout, prints })
}

/// The hashes in the order of their segments, for sets whose cells do not fit the caches.
fn by_segment(hashes: &[u64], layout: Layout) -> Option<Vec<u64>> {
    if layout.slots() < 1 << 16 {
        return None;
    }
    let segment =
        |hash: u64| (layout.places(hash)[0] >> layout.segment_log).min(layout.segments as usize);
    let mut ends = alloc::vec![0_usize; layout.segments as usize + 1];
    for &hash in hashes {
        ends[segment(hash)] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += core::mem::replace(end, sum);
    }
    let mut ordered = alloc::vec![0; hashes.len()];
    for &hash in hashes {
        let next = &mut ends[segment(hash)];
        ordered[*next] = hash;
        *next += 1;
    }
    Some(ordered)
}

/// Takes away, one by one, items that have a place to themselves; `None` when some are left over.
fn peel(cells: &mut [Cell], layout: Layout, items: usize) -> Option<Vec<Peeled>> {
    let mut order: Vec<Peeled> = Vec::with_capacity(items);
    let mut alone: Vec<u32> = Vec::new();
    for start in 0..cells.len() {
        if cells[start].count != 1 {
            continue;
        }
        // Follow what this frees at once, while its neighbourhood is in the cache.
        alone.push(start as u32);
        while let Some(place) = alone.pop() {
            let cell = cells[place as usize];
            if cell.count != 1 {
                continue;
            }
            order.push((cell.hashes, cell.which as u8));
            for (which, place) in (0..).zip(layout.places(cell.hashes)) {
                let other = &mut cells[place];
                other.hashes ^= cell.hashes;
                other.count -= 1;
                other.which ^= which;
                if other.count == 1 {
                    alone.push(place as u32);
                }
            }
        }
    }
    (order.len() == items).then_some(order)
}
