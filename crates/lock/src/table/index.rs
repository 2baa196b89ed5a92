//! Where each key is: an open table of one word a key, 32 bits of its hash and its entry.
//!
//! Linear probing (Knuth, vol. 3, 6.4, algorithms L and R): removal moves later words up, so there
//! are no tombstones and a lookup ends at the first free word. Eight words share a line, and as a
//! word has the hash, growing and probing look at no slot but the one that is found. At most three
//! quarters are in use: 10.7 to 21.3 bytes a key, 2.5 words a lookup on average and 8.5 of an
//! absent key when fullest.
//!
//! Invariants: capacity is zero or a power of two from 8, and some word is free; between a word and
//! the place its hash asks for (`home`), no word is free.

use alloc::boxed::Box;
use alloc::vec;

/// No entry is `u32::MAX`.
const FREE: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Index {
    words: Box<[u64]>,
    len: usize,
    /// The home of a hash is its product's top bits.
    shift: u32,
}

/// A place in an [`Index`], until the next change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize);

#[inline(always)]
const fn word(hash: u32, entry: u32) -> u64 {
    (hash as u64) << 32 | entry as u64
}

impl Index {
    pub(super) fn new() -> Self {
        Self { words: Box::default(), len: 0, shift: 31 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = u32> {
        self.words.iter().filter(|&&word| word != FREE).map(|&word| word as u32)
    }

    #[inline(always)]
    const fn home(&self, hash: u32) -> usize {
        (hash.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    /// A larger table, and the place of `hash` in it, which is not there.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, hash: u32) -> Place {
        let capacity = (self.words.len() * 2).max(8);
        let old = core::mem::replace(&mut self.words, vec![FREE; capacity].into_boxed_slice());
        self.shift = 32_u32.saturating_sub(capacity.trailing_zeros());
        for &word in old.iter().filter(|&&word| word != FREE) {
            // They differ, so the search ends at a free word.
            if let Err(place) = self.seek((word >> 32) as u32, |_| false) {
                self.words[place.0] = word;
            }
        }
        match self.seek(hash, |_| false) {
            Ok((place, _)) | Err(place) => place,
        }
    }

    /// The entry of this hash for which `is` holds, or where it belongs.
    #[inline(always)]
    pub(super) fn seek(
        &self,
        hash: u32,
        mut is: impl FnMut(u32) -> bool,
    ) -> Result<(Place, u32), Place> {
        let mask = self.words.len().wrapping_sub(1);
        let mut at = self.home(hash);
        while let Some(&word) = self.words.get(at) {
            if word == FREE {
                break;
            }
            if (word >> 32) as u32 == hash && is(word as u32) {
                return Ok((Place(at), word as u32));
            }
            at = (at + 1) & mask;
        }
        Err(Place(at))
    }

    /// Puts an entry where [`seek`](Self::seek) found none.
    #[inline(always)]
    pub(super) fn insert(&mut self, mut place: Place, hash: u32, entry: u32) {
        if self.len >= self.words.len() / 4 * 3 {
            place = self.grow(hash);
        }
        self.words[place.0] = word(hash, entry);
        self.len += 1;
    }

    /// [`insert`](Self::insert) of a key that is known not to be there.
    pub(super) fn insert_new(&mut self, hash: u32, entry: u32) {
        if let Err(place) = self.seek(hash, |_| false) {
            self.insert(place, hash, entry);
        }
    }

    /// Another entry for the same key.
    pub(super) fn replace(&mut self, place: Place, hash: u32, entry: u32) {
        self.words[place.0] = word(hash, entry);
    }

    /// Removes an entry of which only its hash and itself are known; whether it was there.
    #[inline(always)]
    pub(super) fn take(&mut self, hash: u32, entry: u32) -> bool {
        let (mask, word) = (self.words.len().wrapping_sub(1), word(hash, entry));
        let mut at = self.home(hash);
        loop {
            match self.words.get(at) {
                Some(&found) if found == word => break,
                None | Some(&FREE) => return false,
                Some(_) => at = (at + 1) & mask,
            }
        }
        self.remove(Place(at));
        true
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, place: Place) {
        let mask = self.words.len().wrapping_sub(1);
        let (mut hole, mut at) = (place.0, (place.0 + 1) & mask);
        while self.words[at] != FREE {
            // A word moves up to the hole unless its home lies after it.
            let word = self.words[at];
            let home = self.home((word >> 32) as u32);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.words[hole] = word;
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.words[hole] = FREE;
        self.len -= 1;
    }

    /// Checks the invariants; for tests.
    pub(super) fn audit(&self) {
        let used = self.words.iter().filter(|&&word| word != FREE).count();
        assert_eq!(used, self.len);
        assert!(self.words.is_empty() || self.len < self.words.len(), "some word is free");
        for (at, &word) in self.words.iter().enumerate().filter(|(_, word)| **word != FREE) {
            let found = self.seek((word >> 32) as u32, |entry| entry == word as u32);
            assert_eq!(found.map(|(place, _)| place.0).ok(), Some(at), "a search leads to it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    /// Beside an ordered map, with hashes that are good, few, and all of one home.
    #[test]
    fn finds_what_is_there_after_any_insertions_and_removals() {
        let mut state = 1_u64;
        let mut draw = move |n: u64| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            archstone_core::hash::mix(state) % n
        };
        let hashes: [fn(u32) -> u32; 4] = [
            |key| archstone_core::hash::mix(u64::from(key)) as u32,
            |key| key % 5,
            |_| 7,
            // The last homes of the table: runs go round its end.
            |key| 0xFFFF_FFF0_u32.wrapping_add(key % 3).wrapping_mul(0x0E8B_2F51),
        ];
        for (hash, keys) in hashes.into_iter().zip([1_000, 60, 30, 40]) {
            let (mut index, mut map) = (Index::new(), BTreeMap::new());
            for turn in 0..6_000 {
                let key = draw(keys) as u32;
                let known: Option<u32> = map.get(&key).copied();
                let is = |entry: u32| Some(entry) == known;
                match (index.seek(hash(key), is), known, draw(8)) {
                    (Err(_), None, _) => {
                        index.insert_new(hash(key), turn);
                        map.insert(key, turn);
                    }
                    (Ok((place, entry)), Some(known), 0) => {
                        assert_eq!(entry, known);
                        index.replace(place, hash(key), turn);
                        map.insert(key, turn);
                    }
                    (Ok((place, entry)), Some(known), _) => {
                        assert_eq!(entry, known);
                        index.remove(place);
                        map.remove(&key);
                    }
                    (found, known, _) => panic!("{found:?} where {known:?} was"),
                }
                if turn % 16 == 0 {
                    index.audit();
                    let mut entries: Vec<u32> = index.entries().collect();
                    entries.sort_unstable();
                    let mut expected: Vec<u32> = map.values().copied().collect();
                    expected.sort_unstable();
                    assert_eq!(entries, expected);
                }
            }
        }
    }

    #[test]
    fn takes_at_most_three_quarters_of_its_words() {
        let mut index = Index::new();
        for entry in 0..10_000_u32 {
            index.insert_new(archstone_core::hash::mix(u64::from(entry)) as u32, entry);
            let words = index.words.len();
            assert!(index.len() * 4 <= words * 3 && (words == 8 || index.len() * 8 > words * 3));
        }
        // Homes are spread over the whole table: at 0.61 words lie 0.8 from theirs on average.
        let words = index.words.iter().enumerate().filter(|(_, word)| **word != FREE);
        let apart = |(at, word): (usize, &u64)| {
            at.wrapping_sub(index.home((word >> 32) as u32)) % index.words.len()
        };
        assert!(words.map(apart).sum::<usize>() < index.len());
    }
}
