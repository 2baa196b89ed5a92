//! Who left, exactly: ghosts with numbers of their own, found by their hash. Policies that need the
//! order of their ghosts link the numbers in lists ([`ARC`](super::Arc), [`LIRS`](super::Lirs));
//! who only asks whether one left not long ago has it at a third of the memory in
//! [`Ghosts`](super::ghost::Ghosts).
//!
//! 10.8 bytes a ghost, 8 more once anything weighs other than one. Two keys with the same 32 bits of
//! hash are one ghost.

use crate::index::Index;
use alloc::vec::Vec;

const NONE: u32 = u32::MAX;

pub(super) struct History {
    index: Index,
    /// By number. Those of free numbers link them.
    hashes: Vec<u32>,
    /// By number; empty while all weigh one.
    units: Vec<u64>,
    free: u32,
    /// What the index has room for.
    room: usize,
    len: usize,
}

impl History {
    pub(super) fn new() -> Self {
        let (hashes, units) = (Vec::new(), Vec::new());
        Self { index: Index::new(0), hashes, units, free: NONE, room: 0, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Numbers are below this.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// The number of a new ghost.
    pub(super) fn add(&mut self, hash: u32, units: u64) -> u32 {
        if self.len == self.room {
            self.room = (self.room * 2).max(16);
            self.hashes.reserve_exact(self.room - self.hashes.len());
            let hashes = &self.hashes;
            let all: Vec<_> = self.index.iter().map(|at| (hashes[at as usize], at)).collect();
            self.index.replace(self.room, all.into_iter());
        }
        let number = match self.free {
            NONE => {
                self.hashes.push(hash);
                self.hashes.len() as u32 - 1
            }
            number => {
                self.free = core::mem::replace(&mut self.hashes[number as usize], hash);
                number
            }
        };
        if units != 1 || !self.units.is_empty() {
            self.units.resize(self.hashes.len(), 1);
            self.units[number as usize] = units;
        }
        self.index.insert(hash, number);
        self.len += 1;
        number
    }

    #[inline]
    pub(super) fn find(&self, hash: u32) -> Option<u32> {
        self.index.find(hash, |number| self.hashes[number as usize] == hash)
    }

    pub(super) fn units(&self, number: u32) -> u64 {
        self.units.get(number as usize).copied().unwrap_or(1)
    }

    /// Forgets a ghost that is there; says what it weighed.
    pub(super) fn remove(&mut self, number: u32) -> u64 {
        let units = self.units(number);
        let there = self.index.remove(self.hashes[number as usize], number);
        debug_assert!(there, "a ghost that is not there");
        self.hashes[number as usize] = self.free;
        self.free = number;
        self.len -= 1;
        units
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + self.hashes.capacity() * 4 + self.units.capacity() * 8
    }
}

impl core::fmt::Debug for History {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "History({} ghosts)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;
    use std::collections::HashMap;

    #[test]
    fn agrees_with_a_map() {
        let (mut history, mut model) = (History::new(), HashMap::new());
        for step in 0..20_000_u64 {
            let hash = mix(step) as u32 % 500;
            match model.remove(&hash) {
                Some((number, units)) => {
                    assert_eq!(history.find(hash), Some(number));
                    assert_eq!(history.remove(number), units);
                }
                None => {
                    assert_eq!(history.find(hash), None);
                    let units = if step < 5000 { 1 } else { mix(step) >> 60 };
                    model.insert(hash, (history.add(hash, units), units));
                }
            }
            assert_eq!(history.len(), model.len());
            assert!(history.room() <= 1024);
        }
    }
}
