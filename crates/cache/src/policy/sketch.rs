//! How often a key was used lately: a count-min sketch of four-bit counters that are halved from time
//! to time (Einziger, Friedman and Manes, "TinyLFU", ACM Transactions on Storage 2017).
//!
//! A block of eight words, a line of memory, holds the four counters of a key, each in a word of its own:
//! one miss a look. Sixteen counters an entry, eight bytes.

use alloc::vec::Vec;

const WORDS: usize = 8;
const LOW_BITS: u64 = 0x1111_1111_1111_1111;
/// Uses an entry until all counters are halved.
const SAMPLE: u64 = 10;

#[derive(Debug, Default)]
pub(super) struct Frequencies {
    words: Vec<u64>,
    uses: u64,
}

impl Frequencies {
    /// Counts for `entries` entries. What was counted is kept: a block becomes two alike.
    pub(super) fn reserve(&mut self, entries: usize) {
        let blocks = entries.div_ceil(WORDS).next_power_of_two();
        let old = self.words.len() / WORDS;
        if blocks <= old {
            return;
        }
        let mut words = Vec::new();
        words.reserve_exact(blocks * WORDS);
        words.resize(blocks * WORDS, 0);
        if let Some(each) = blocks.checked_div(old) {
            for (at, block) in words.chunks_exact_mut(WORDS).enumerate() {
                block.copy_from_slice(&self.words[at / each * WORDS..][..WORDS]);
            }
        }
        self.words = words;
    }

    /// The words and shifts of a key's counters.
    #[inline]
    fn places(&self, hash: u32) -> [(usize, u32); 4] {
        let blocks = (self.words.len() / WORDS) as u64;
        let block = ((u64::from(hash) * blocks) >> 32) as usize * WORDS;
        let bits = hash.wrapping_mul(0x9E37_79B9).rotate_left(15).wrapping_mul(0x85EB_CA6B);
        core::array::from_fn(|row| {
            let bits = bits >> (row * 8);
            (block + row * 2 + (bits & 1) as usize, (bits >> 1 & 15) * 4)
        })
    }

    /// About how often the key was used lately, up to 15.
    pub(super) fn get(&self, hash: u32) -> u8 {
        if self.words.is_empty() {
            return 0;
        }
        let count = |&(word, shift): &(usize, u32)| (self.words[word] >> shift & 15) as u8;
        self.places(hash).iter().map(count).min().unwrap_or(0)
    }

    /// The key was used.
    pub(super) fn add(&mut self, hash: u32) {
        if self.words.is_empty() {
            return;
        }
        let mut counted = false;
        for (word, shift) in self.places(hash) {
            if self.words[word] >> shift & 15 < 15 {
                self.words[word] += 1 << shift;
                counted = true;
            }
        }
        self.uses += u64::from(counted);
        if self.uses >= SAMPLE * self.words.len() as u64 {
            self.halve();
        }
    }

    /// The key was used so often at least. Who all are raised to what they had read the same again.
    pub(super) fn raise(&mut self, hash: u32, count: u8) {
        if self.words.is_empty() {
            return;
        }
        let (mut raised, count) = (0, u64::from(count.min(15)));
        for (word, shift) in self.places(hash) {
            let more = count.saturating_sub(self.words[word] >> shift & 15);
            self.words[word] += more << shift;
            raised = raised.max(more);
        }
        self.uses = (self.uses + raised).min(SAMPLE * self.words.len() as u64 - 1);
    }

    #[cold]
    fn halve(&mut self) {
        let mut odd = 0;
        for word in &mut self.words {
            odd += u64::from((*word & LOW_BITS).count_ones());
            *word = *word >> 1 & (LOW_BITS * 7);
        }
        // Each use is in four counters; an odd one lost half a use.
        self.uses = (self.uses - (odd >> 2).min(self.uses)) >> 1;
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
        self.uses = 0;
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;

    #[test]
    fn counts_up_to_fifteen_and_never_less_than_there_were() {
        let mut uses = Frequencies::default();
        uses.reserve(1000);
        for key in 0..400_u64 {
            (0..key % 20).for_each(|_| uses.add(mix(key) as u32));
        }
        let mut over = 0;
        for key in 0..400_u64 {
            let (count, truth) = (uses.get(mix(key) as u32), (key % 20).min(15) as u8);
            assert!(count >= truth, "{key}: {count} of {truth}");
            over += usize::from(count > truth);
        }
        assert!(over < 80, "{over} of 400 are over");
    }

    #[test]
    fn raised_to_what_they_read_keys_read_the_same() {
        let (mut uses, mut copy) = (Frequencies::default(), Frequencies::default());
        uses.reserve(64);
        copy.reserve(64);
        for key in 0..600_u64 {
            (0..key % 7).for_each(|_| uses.add(mix(key) as u32));
        }
        for key in 0..40_u64 {
            copy.raise(mix(key) as u32, uses.get(mix(key) as u32));
        }
        for key in 0..40_u64 {
            assert_eq!(copy.get(mix(key) as u32), uses.get(mix(key) as u32), "{key}");
        }
        copy.raise(1, 255);
        assert_eq!(copy.get(1), 15);
        (0..100_000).for_each(|hash| copy.raise(hash, 15));
        copy.add(1);
        assert!(copy.get(1) >= 7 && copy.uses < SAMPLE * 64);
    }

    #[test]
    fn halves_after_ten_uses_an_entry_and_keeps_counts_when_it_grows() {
        let mut uses = Frequencies::default();
        uses.reserve(64);
        (0..8).for_each(|_| uses.add(7));
        assert_eq!(uses.get(7), 8);
        uses.reserve(512);
        assert_eq!(uses.get(7), 8);
        let mut key = 0_u64;
        while uses.get(7) == 8 {
            uses.add(mix(key) as u32);
            key += 1;
        }
        assert!((4500..5200).contains(&key), "{key}");
        assert_eq!(uses.get(7), 4);
    }
}
