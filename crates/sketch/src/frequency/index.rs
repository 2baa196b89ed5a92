//! Where an item's entry is: an open-addressed map from a 64-bit hash to a position in a dense
//! vector that the owner keeps. Linear probing, removal by shifting back, so no tombstones.

use alloc::boxed::Box;

/// Positions by hash. The owner says, for a candidate position, whether it is the item.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// `high 32 bits of the hash << 32 | position + 1`, 0 when empty.
    cells: Box<[u64]>,
    len: usize,
}

impl Index {
    /// Room for `capacity` entries without growing.
    pub(super) fn new(capacity: usize) -> Self {
        let cells = (capacity.max(4) * 2).next_power_of_two();
        Self { cells: alloc::vec![0; cells].into(), len: 0 }
    }

    /// The position of the entry with this hash for which `is_it` is true.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        let mask = self.cells.len() - 1;
        let mut at = home(hash, mask);
        loop {
            let cell = self.cells[at & mask];
            if cell == 0 {
                return None;
            }
            if cell >> 32 == hash >> 32 && is_it(position(cell)) {
                return Some(position(cell));
            }
            at += 1;
        }
    }

    /// Notes that the entry at `position`, not in the index so far, has this hash.
    pub(super) fn insert(&mut self, hash: u64, position: usize) {
        if self.len * 4 >= self.cells.len() * 3 {
            self.grow();
        }
        self.len += 1;
        self.place(hash & TAG | (position as u64 + 1));
    }

    /// Forgets the entry with this hash at `position`.
    pub(super) fn remove(&mut self, hash: u64, position: usize) {
        let mask = self.cells.len() - 1;
        let mut hole = self.locate(hash, position);
        self.len -= 1;
        // Shift back whatever the hole would cut off from its home.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell == 0 {
                break;
            }
            let distance = at.wrapping_sub(home(cell, mask)) & mask;
            if distance >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = 0;
    }

    /// The entry with this hash has moved from position `from` to `to`.
    pub(super) fn relocate(&mut self, hash: u64, from: usize, to: usize) {
        let at = self.locate(hash, from);
        self.cells[at] = hash & TAG | (to as u64 + 1);
    }

    pub(super) fn clear(&mut self) {
        self.cells.fill(0);
        self.len = 0;
    }

    pub(super) const fn memory(&self) -> usize {
        self.cells.len() * size_of::<u64>()
    }

    fn locate(&self, hash: u64, position: usize) -> usize {
        let mask = self.cells.len() - 1;
        let wanted = hash & TAG | (position as u64 + 1);
        let mut at = home(hash, mask);
        while self.cells[at & mask] != wanted {
            debug_assert!(self.cells[at & mask] != 0, "the entry is in the index");
            at += 1;
        }
        at & mask
    }

    fn place(&mut self, cell: u64) {
        let mask = self.cells.len() - 1;
        let mut at = home(cell, mask);
        while self.cells[at & mask] != 0 {
            at += 1;
        }
        self.cells[at & mask] = cell;
    }

    #[cold]
    fn grow(&mut self) {
        let bigger = alloc::vec![0; self.cells.len() * 2].into();
        for &cell in &core::mem::replace(&mut self.cells, bigger) {
            if cell != 0 {
                self.place(cell);
            }
        }
    }
}

/// The part of a hash that a cell keeps.
const TAG: u64 = 0xFFFF_FFFF << 32;

/// The first cell to look at: of the kept half, so that a cell knows its own home.
#[inline(always)]
const fn home(hash: u64, mask: usize) -> usize {
    // Multiply-shift spreads the 32 bits over any table below 2^32 cells.
    ((hash >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask
}

#[inline(always)]
const fn position(cell: u64) -> usize {
    (cell & 0xFFFF_FFFF) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::hash_u64;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_btree_map_finds(ops in proptest::collection::vec((0_u8..3, 0_u64..40), 0..400), bits in 0_u32..34) {
            // Few hash bits: many entries of one hash.
            let hash = |key: u64| hash_u64(key, 1) << bits;
            let mut index = Index::new(2);
            let mut entries: std::vec::Vec<u64> = std::vec::Vec::new();
            for (op, key) in ops {
                let at = entries.iter().position(|&e| e == key);
                prop_assert_eq!(index.find(hash(key), |i| entries[i] == key), at);
                match (op, at) {
                    (0 | 1, None) => {
                        index.insert(hash(key), entries.len());
                        entries.push(key);
                    }
                    (2, Some(at)) => {
                        index.remove(hash(key), at);
                        let last = entries.len() - 1;
                        if at != last {
                            index.relocate(hash(entries[last]), last, at);
                        }
                        entries.swap_remove(at);
                    }
                    _ => {}
                }
            }
            for (i, &key) in entries.iter().enumerate() {
                prop_assert_eq!(index.find(hash(key), |at| entries[at] == key), Some(i));
            }
        }
    }
}
