//! Building a binary fuse filter: peel the hypergraph whose edges are the items, then fill in the
//! fingerprints in the reverse order.

use alloc::vec::Vec;

use super::fuse::{BinaryFuse, Fingerprint, Layout, MOST_ITEMS, SPARE, Unsolved, attempt_seed};
use crate::Item;

/// Far past any chance: most attempts succeed.
const MOST_ATTEMPTS: u32 = 64;

/// Cells that fit a second-level cache; more than that and the items are first brought in order.
const CELLS_IN_CACHE: usize = 1 << 17;

/// A place during the build, or an item in the order of peeling. The upper 56 bits are the XOR of
/// the hashes of the items, not yet peeled, that have the place among their three; the lower 8 are
/// four times their number, plus the XOR of which of their places (0 to 2) it is. One word, so a
/// visit is one cache line.
type Cell = u64;

const COUNT: Cell = 0b1111_1100;
const ONE: Cell = 0b100;
const WHICH: Cell = 0b11;

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
        let shorter = attempt % 2 == 1;
        let mut hashes: Vec<u64> = items.iter().map(|item| item.digest(seed) << SPARE).collect();
        let built = solve(seed, shorter, &hashes).or_else(|| {
            // Equal hashes never peel. Looked for only now: sets come without them mostly, and the
            // sort would cost as much as the build.
            hashes.sort_unstable();
            hashes.dedup();
            if hashes.len() < items.len() { solve(seed, shorter, &hashes) } else { None }
        });
        if let Some(filter) = built {
            return Ok(filter);
        }
    }
    Err(Unsolved { items: count, attempts: MOST_ATTEMPTS })
}

fn solve<F: Fingerprint>(seed: u64, shorter: bool, hashes: &[u64]) -> Option<BinaryFuse<F>> {
    let layout = Layout::for_items(hashes.len() as u64, shorter);
    let order = peel(fill(hashes, layout)?, layout, hashes.len())?;
    let mut prints = alloc::vec![F::default(); layout.slots()];
    for &peeled in order.iter().rev() {
        let places = layout.places(peeled >> SPARE);
        let own = places[(peeled & WHICH) as usize % 3];
        // The place is still 0: it belongs to no item peeled later.
        let others = prints[places[0]] ^ prints[places[1]] ^ prints[places[2]];
        prints[own] = others ^ F::of(peeled >> SPARE);
    }
    Some(BinaryFuse { seed, len: hashes.len() as u64, shorter, layout, prints })
}

/// The cells with all items in them; `None` when more of them meet than a cell can count.
fn fill(hashes: &[u64], layout: Layout) -> Option<Vec<Cell>> {
    let mut cells = alloc::vec![0; layout.slots()];
    let mut full = false;
    let mut add = |hash: u64| {
        for (which, place) in (0..).zip(layout.places(hash >> SPARE)) {
            let cell: &mut Cell = &mut cells[place];
            full |= *cell & COUNT == COUNT;
            *cell = (*cell ^ hash ^ which).wrapping_add(ONE);
        }
    };
    if layout.slots() <= CELLS_IN_CACHE {
        hashes.iter().for_each(|&hash| add(hash));
    } else {
        by_place(hashes, layout).into_iter().for_each(add);
    }
    (!full).then_some(cells)
}

/// The hashes in the order of their first places, roughly.
fn by_place(hashes: &[u64], layout: Layout) -> Vec<u64> {
    let bits = (layout.slots() / 8192).ilog2().clamp(1, 11);
    let part = |hash: u64| (hash >> (64 - bits)) as usize;
    let mut ends = alloc::vec![0_usize; 1 << bits];
    for &hash in hashes {
        ends[part(hash)] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += core::mem::replace(end, sum);
    }
    let mut ordered = alloc::vec![0; hashes.len()];
    for &hash in hashes {
        let next = &mut ends[part(hash)];
        ordered[*next] = hash;
        *next += 1;
    }
    ordered
}

/// Takes away, one by one, items that have a place to themselves; `None` when some are left over.
///
/// First in, first out: those that wait do not depend on each other, so a core works on several at
/// once, and each generation goes through the cells from front to back.
fn peel(mut cells: Vec<Cell>, layout: Layout, items: usize) -> Option<Vec<Cell>> {
    // A cell comes to hold one item at most once, so each place waits at most once.
    let mut waiting = alloc::vec![0_u32; cells.len() + 1];
    let mut end = 0;
    for (place, cell) in cells.iter().enumerate() {
        waiting[end] = place as u32;
        end += usize::from(cell & COUNT == ONE);
    }
    let mut order = Vec::with_capacity(items);
    let mut next = 0;
    while next < end {
        let peeled = cells[waiting[next] as usize];
        next += 1;
        // Its item may have been peeled at another of its places.
        if peeled & COUNT != ONE {
            continue;
        }
        order.push(peeled);
        let hash = peeled >> SPARE << SPARE;
        for (which, place) in (0..).zip(layout.places(hash >> SPARE)) {
            let cell = &mut cells[place];
            *cell = cell.wrapping_sub(ONE) ^ hash ^ which;
            waiting[end] = place as u32;
            end += usize::from(*cell & COUNT == ONE);
        }
    }
    (order.len() == items).then_some(order)
}
