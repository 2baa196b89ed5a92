//! From a hash to the slots that may hold its key: open addressing over cache lines.
//!
//! A chunk is one line of 64 bytes: twelve one-byte tags, counts of the entries that wanted to be
//! here and went on, and twelve `u32` slots, after F14 (Bronson and Shi 2019). A look-up compares
//! all twelve tags at once in two words, so it touches one line unless the chunk once overflowed;
//! `hashbrown` would touch two, its tags and its buckets. Any odd number of chunks will do, not only
//! a power of two: the hash is spread over them by a multiplication (Lemire 2019), so 9.5 of 12
//! slots are in use at the capacity, which is 6.7 bytes an entry.
//!
//! Where an entry goes on to depends on its hash, and those that went on are counted in eight classes
//! by three bits of it. In a full cache whose entries come and go that matters much: with one count
//! and the next chunk, 79 % of the chunks are passed by someone, and a look-up of what is not there
//! goes through 8.5 of them; as it is, 1.3 (and one of what is there, 1.2). Both were counted after
//! five insertions an entry.
//!
//! Every word is an atomic that is read and written relaxed: on the processors we know that costs
//! what a plain access costs, and it lets readers without the lock look in while a writer is at
//! work. What they find is checked by whoever calls ([`crate::sync`]).
//!
//! Invariants:
//! 1. A tag is zero if and only if its place is free.
//! 2. An entry lies in its home chunk or in one on its way, and the count of its class of every chunk
//!    from its home to the one before its own counts it, or is full: then it stays so.
//! 3. The number of chunks is odd and strides are powers of two, so every way leads through all.

use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::shim::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const PLACES: usize = 12;
/// Entries a chunk at the capacity, in halves.
const HALVES_FILLED: usize = 19;
#[cfg(any(not(target_arch = "x86_64"), test))]
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// The tags in the second word; the counts are above them, four bits each.
const SECOND: u64 = 0xFFFF_FFFF;
const FULL: u64 = 15;
/// From this many chunks on strides differ: up to the seventh power of two.
const SPREAD: usize = 128;

#[repr(align(64))]
struct Chunk {
    /// Eight tags; four tags and the counts of those who went on.
    words: [AtomicU64; 2],
    slots: [AtomicU32; PLACES],
}

/// See the module. A clone looks at the same chunks until the original grows.
#[derive(Clone)]
pub(crate) struct Index {
    chunks: Arc<[Chunk]>,
    /// Which bits of a hash say how far it goes.
    spread: u32,
}

/// What a chunk says of a key.
enum Found {
    Here(u32),
    Nowhere,
    /// Entries of its class went on from here.
    Passed,
}

fn chunks_for(entries: usize) -> usize {
    (entries.saturating_mul(2) / HALVES_FILLED + 1).min(u32::MAX as usize) | 1
}

/// Where the count of the class of a hash is in the second word.
#[inline(always)]
fn count_of(hash: u32) -> u32 {
    32 + (hash >> 7 & 7) * 4
}

/// Seven bits of the hash, never zero.
#[inline(always)]
fn tag_of(hash: u32) -> u64 {
    u64::from(hash & 0x7F | 0x80)
}

/// A bit for each of the twelve places whose tag is `tag`. Above a true match there may be false
/// ones, but only where there is an entry.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[inline(always)]
fn matching(first: u64, second: u64, tag: u64) -> u32 {
    use core::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    // SAFETY: these are SSE2, which every x86-64 has. Twelve instructions, where the portable way
    // takes thirty.
    let mask = unsafe {
        let tags = _mm_set_epi64x(second as i64, first as i64);
        _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag as i8)))
    };
    mask as u32 & ((1 << PLACES) - 1)
}

/// The same in two words: a byte of the difference is zero where the tag is the one.
#[cfg(any(not(target_arch = "x86_64"), test))]
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
#[inline(always)]
fn matching_portably(first: u64, second: u64, tag: u64) -> u32 {
    let zeros = |word: u64| {
        let difference = word ^ (tag * LOW_BITS);
        let high = difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS;
        // The eight high bits gathered in the top byte.
        ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
    };
    (zeros(first) | zeros(second & SECOND) << 8) & ((1 << PLACES) - 1)
}

#[cfg(not(target_arch = "x86_64"))]
use matching_portably as matching;

impl Chunk {
    fn new() -> Self {
        Self {
            words: [AtomicU64::new(0), AtomicU64::new(0)],
            slots: core::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    #[inline(always)]
    fn passed(&self, count: u32) -> u64 {
        self.words[1].load(Relaxed) >> count & FULL
    }

    /// A place below [`PLACES`].
    #[inline(always)]
    fn slot(&self, place: usize) -> &AtomicU32 {
        debug_assert!(place < PLACES);
        // SAFETY: private; places come from masks of `PLACES` bits, from `free_place`, and from
        // remainders. Four instructions a look-up less than with the check.
        #[allow(unsafe_code)]
        unsafe {
            self.slots.get_unchecked(place)
        }
    }

    #[inline(always)]
    fn set_tag(&self, place: usize, tag: u64) {
        let (word, shift) = (&self.words[place / 8], place % 8 * 8);
        let others = word.load(Relaxed) & !(0xFF << shift);
        word.store(others | tag << shift, Relaxed);
    }

    fn tag(&self, place: usize) -> u64 {
        self.words[place / 8].load(Relaxed) >> (place % 8 * 8) & 0xFF
    }

    /// One more of a class went on, or (`-1`) one less. A full count knows no more.
    fn add_passed(&self, count: u32, more: i64) {
        let word = self.words[1].load(Relaxed);
        if word >> count & FULL != FULL {
            self.words[1].store(word.wrapping_add((more as u64) << count), Relaxed);
        }
    }

    #[inline(always)]
    fn free_place(&self) -> Option<usize> {
        let first = !self.words[0].load(Relaxed) & HIGH_BITS;
        if first != 0 {
            return Some(first.trailing_zeros() as usize / 8);
        }
        let second = !self.words[1].load(Relaxed) & HIGH_BITS & SECOND;
        (second != 0).then(|| 8 + second.trailing_zeros() as usize / 8)
    }

    /// Puts an entry in, if there is a free place.
    #[inline(always)]
    fn put(&self, hash: u32, slot: u32) -> bool {
        let place = self.free_place();
        if let Some(place) = place {
            self.slot(place).store(slot, Relaxed);
            self.set_tag(place, tag_of(hash));
        }
        place.is_some()
    }

    /// Takes the entry of `slot` out, if it is here.
    #[inline(always)]
    fn take(&self, hash: u32, slot: u32) -> bool {
        let second = self.words[1].load(Relaxed);
        let mut matches = matching(self.words[0].load(Relaxed), second, tag_of(hash));
        while matches != 0 {
            let place = matches.trailing_zeros() as usize;
            if self.slot(place).load(Relaxed) == slot {
                self.set_tag(place, 0);
                return true;
            }
            matches &= matches - 1;
        }
        false
    }
}

impl Index {
    /// Room for `entries` until it has to grow.
    pub(crate) fn new(entries: usize) -> Self {
        let chunks: Vec<Chunk> = (0..chunks_for(entries)).map(|_| Chunk::new()).collect();
        let spread = if chunks.len() < SPREAD { 0 } else { 7 };
        Self { chunks: chunks.into(), spread }
    }

    /// The heap it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[Chunk]>(&self.chunks)
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.chunks.len() as u64) >> 32) as usize
    }

    /// The next chunk on the way of a hash.
    #[inline(always)]
    fn after(&self, at: usize, hash: u32) -> usize {
        let next = at + (1 << (hash >> 10 & self.spread));
        if next >= self.chunks.len() { next - self.chunks.len() } else { next }
    }

    #[inline(always)]
    fn chunk(&self, at: usize) -> &Chunk {
        debug_assert!(at < self.chunks.len());
        // SAFETY: private; `home` is below the length because the hash is below 2^32, and `after`
        // keeps below it because strides are below `SPREAD`, so no larger than the length.
        #[allow(unsafe_code)]
        unsafe {
            self.chunks.get_unchecked(at)
        }
    }

    /// The first slot of an entry with this tag for which `is_it` says yes.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let at = self.home(hash);
        // Nearly all ways end at home: what the others need is not worked out for it.
        match self.find_in(at, hash, &mut is_it) {
            Found::Here(slot) => Some(slot),
            Found::Nowhere => None,
            Found::Passed => self.find_behind(at, hash, &mut is_it),
        }
    }

    #[inline(always)]
    fn find_in(&self, at: usize, hash: u32, is_it: &mut impl FnMut(u32) -> bool) -> Found {
        let chunk = self.chunk(at);
        let second = chunk.words[1].load(Relaxed);
        let mut matches = matching(chunk.words[0].load(Relaxed), second, tag_of(hash));
        while matches != 0 {
            let slot = chunk.slot(matches.trailing_zeros() as usize).load(Relaxed);
            if is_it(slot) {
                return Found::Here(slot);
            }
            matches &= matches - 1;
        }
        if second >> count_of(hash) & FULL == 0 { Found::Nowhere } else { Found::Passed }
    }

    // Inlined: a call would make what is looked for go through memory also for those found at home.
    #[inline(always)]
    fn find_behind(
        &self,
        mut at: usize,
        hash: u32,
        is_it: &mut impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        // Bounded, because a reader without the lock may meet counts that never agree.
        for _ in 1..self.chunks.len() {
            at = self.after(at, hash);
            match self.find_in(at, hash, is_it) {
                Found::Here(slot) => return Some(slot),
                Found::Nowhere => return None,
                Found::Passed => {}
            }
        }
        None
    }

    /// Adds an entry. The caller has seen to it that there is room: fewer entries than it was made
    /// for.
    #[inline]
    pub(crate) fn insert(&self, hash: u32, slot: u32) {
        let home = self.home(hash);
        if !self.chunk(home).put(hash, slot) {
            self.insert_behind(home, hash, slot);
        }
    }

    /// [`Index::insert`] when the home chunk is full.
    fn insert_behind(&self, mut at: usize, hash: u32, slot: u32) {
        loop {
            self.chunk(at).add_passed(count_of(hash), 1);
            at = self.after(at, hash);
            if self.chunk(at).put(hash, slot) {
                return;
            }
        }
    }

    /// Removes the entry of `slot`; says whether it was there.
    #[inline]
    pub(crate) fn remove(&self, hash: u32, slot: u32) -> bool {
        let home = self.home(hash);
        self.chunk(home).take(hash, slot) || self.remove_behind(home, hash, slot)
    }

    /// [`Index::remove`] of what is not in its home chunk.
    fn remove_behind(&self, home: usize, hash: u32, slot: u32) -> bool {
        let mut at = home;
        loop {
            at = self.after(at, hash);
            if self.chunk(at).take(hash, slot) {
                break;
            }
            if self.chunk(at).passed(count_of(hash)) == 0 || at == home {
                return false;
            }
        }
        let mut back = home;
        while back != at {
            self.chunk(back).add_passed(count_of(hash), -1);
            back = self.after(back, hash);
        }
        true
    }

    /// Starts anew with room for `entries`.
    pub(crate) fn replace(&mut self, entries: usize, all: impl Iterator<Item = (u32, u32)>) {
        let fresh = Self::new(entries);
        all.for_each(|(hash, slot)| fresh.insert(hash, slot));
        *self = fresh;
    }

    /// Places to iterate over with [`Index::at`].
    pub(crate) fn places(&self) -> usize {
        self.chunks.len() * PLACES
    }

    /// The slot at a place, if there is an entry.
    pub(crate) fn at(&self, place: usize) -> Option<u32> {
        let chunk = &self.chunks[place / PLACES];
        (chunk.tag(place % PLACES) != 0).then(|| chunk.slots[place % PLACES].load(Relaxed))
    }

    /// The slots of all entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.places()).filter_map(|place| self.at(place))
    }

    /// Checks invariant 2 for entries with these hashes.
    pub(crate) fn validate(&self, hash_of: impl Fn(u32) -> u32) {
        let counts =
            |chunk: &Chunk| core::array::from_fn(|class| chunk.passed(32 + class as u32 * 4));
        let said: Vec<[u64; 8]> = self.chunks.iter().map(counts).collect();
        let mut passed = alloc::vec![[0_u64; 8]; self.chunks.len()];
        for place in 0..self.places() {
            let Some(slot) = self.at(place) else { continue };
            let hash = hash_of(slot);
            assert_eq!(self.chunks[place / PLACES].tag(place % PLACES), tag_of(hash), "a tag");
            let mut at = self.home(hash);
            while at != place / PLACES {
                passed[at][(hash >> 7 & 7) as usize] += 1;
                at = self.after(at, hash);
            }
        }
        for (said, passed) in said.iter().flatten().zip(passed.iter().flatten()) {
            assert!(said == passed || *said == FULL, "{passed} went on, {said} are counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;
    use std::collections::HashMap;
    use std::vec;
    use std::vec::Vec;

    fn hashes(n: u32) -> Vec<u32> {
        (0..n).map(|i| mix(u64::from(i)) as u32).collect()
    }

    #[test]
    fn agrees_with_a_map_over_inserts_and_removals_also_when_chunks_overflow() {
        // One chunk home for all of them is the worst case: every entry passes every chunk.
        for spread in [hashes(200), (0..200).map(|i| i & 0x7F).collect(), vec![5; 200]] {
            let index = Index::new(200);
            let mut model = HashMap::new();
            for step in 0..4000_u64 {
                let slot = mix(step) as u32 % 200;
                let hash = spread[slot as usize];
                if model.remove(&slot).is_some() {
                    assert!(index.remove(hash, slot));
                } else {
                    assert!(!index.remove(hash, slot));
                    index.insert(hash, slot);
                    model.insert(slot, hash);
                }
                assert_eq!(index.find(hash, |s| s == slot).is_some(), model.contains_key(&slot));
                index.validate(|slot| spread[slot as usize]);
            }
            assert_eq!(index.iter().count(), model.len());
        }
    }

    #[test]
    fn both_ways_to_match_find_the_same() {
        for step in 0..100_000_u64 {
            let byte = |i: u64| match mix(step * 16 + i) {
                r if r % 3 == 0 => 0,
                r => r >> 8 & 3 | 0x80,
            };
            let word = |from: u64| (0..8).map(|i| byte(from + i) << (8 * i)).sum::<u64>();
            let (first, second, tag) = (word(0), word(8), mix(step) & 3 | 0x80);
            let (fast, portable) =
                (matching(first, second, tag), matching_portably(first, second, tag));
            assert_eq!(fast & portable, fast, "a match is lost");
            assert_eq!(fast == 0, portable == 0);
            let occupied = matching_portably(!first & HIGH_BITS, !second & HIGH_BITS, 0x80);
            assert_eq!(portable & occupied, 0, "a match where nothing is");
        }
    }

    #[test]
    fn a_chunk_is_one_line() {
        if size_of::<AtomicU64>() == 8 {
            assert_eq!((size_of::<Chunk>(), align_of::<Chunk>()), (64, 64));
        }
    }

    /// Entries come and go at the capacity: looks for what is not there must not go far.
    #[test]
    fn ways_stay_short_in_a_full_index() {
        const ENTRIES: u32 = 20_000;
        let index = Index::new(ENTRIES as usize);
        let mut held: Vec<u32> = hashes(ENTRIES);
        held.iter().zip(0..).for_each(|(&hash, slot)| index.insert(hash, slot));
        for step in 0..u64::from(ENTRIES) * 5 {
            let slot = mix(step) as u32 % ENTRIES;
            assert!(index.remove(held[slot as usize], slot));
            held[slot as usize] = mix(1 << 40 | step) as u32;
            index.insert(held[slot as usize], slot);
        }
        index.validate(|slot| held[slot as usize]);
        let mut looks = 0;
        for step in 0..ENTRIES {
            let hash = mix(1 << 41 | u64::from(step)) as u32;
            let mut at = index.home(hash);
            looks += 1;
            while index.chunks[at].passed(count_of(hash)) != 0 {
                at = index.after(at, hash);
                looks += 1;
            }
        }
        let mean = f64::from(looks) / f64::from(ENTRIES);
        assert!(mean < 1.45, "{mean} chunks a look");
    }

    #[test]
    fn a_look_up_for_a_hash_that_is_not_there_asks_for_almost_no_slot() {
        let index = Index::new(100_000);
        let all = hashes(200_000);
        (0..100_000).for_each(|slot| index.insert(all[slot as usize], slot));
        let mut asked = 0;
        for &hash in &all[100_000..] {
            assert_eq!(
                index.find(hash, |_| {
                    asked += 1;
                    false
                }),
                None
            );
        }
        assert!(asked < 15_000, "{asked} false matches in 100,000 look-ups");
    }
}
