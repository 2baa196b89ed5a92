//! Sets of event numbers of one replica, 64 to a word.

use alloc::vec::Vec;

/// A set of `u64`: sorted words `(number / 64, bits)`, none of them zero.
///
/// 16 bytes for up to 64 neighbours, 16 bytes a number when they lie far apart. Appending is O(1),
/// else O(log words), or O(words) where a word is added or becomes empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<(u64, u64)>);

/// The word of a number and its bit in there.
#[inline]
pub(crate) const fn split(number: u64) -> (u64, u64) {
    (number >> 6, 1 << (number & 63))
}

impl Bits {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn words(&self) -> &[(u64, u64)] {
        &self.0
    }

    #[inline]
    fn find(&self, word: u64) -> Result<usize, usize> {
        match self.0.last() {
            None => Err(0),
            Some(&(last, _)) if last < word => Err(self.0.len()),
            Some(&(last, _)) if last == word => Ok(self.0.len() - 1),
            _ => self.find_before_last(word),
        }
    }

    fn find_before_last(&self, word: u64) -> Result<usize, usize> {
        // Where there are no holes the words lie one after the other.
        let guess = word.checked_sub(self.0[0].0).map_or(0, |at| at as usize);
        if self.0.get(guess).is_some_and(|&(w, _)| w == word) {
            return Ok(guess);
        }
        self.0.binary_search_by_key(&word, |&(w, _)| w)
    }

    /// The bits of word `word`.
    #[inline]
    pub(crate) fn word(&self, word: u64) -> u64 {
        self.find(word).map_or(0, |at| self.0[at].1)
    }

    #[inline]
    pub(crate) fn contains(&self, number: u64) -> bool {
        let (word, bit) = split(number);
        self.word(word) & bit != 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = split(number);
        self.set(word, bit)
    }

    /// Adds all of `bits`; whether one of them was new.
    #[inline]
    pub(crate) fn set(&mut self, word: u64, bits: u64) -> bool {
        if bits == 0 {
            return false;
        }
        match self.find(word) {
            Ok(at) => {
                let news = bits & !self.0[at].1 != 0;
                self.0[at].1 |= bits;
                news
            }
            Err(at) => {
                self.0.insert(at, (word, bits));
                true
            }
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        let (word, bit) = split(number);
        let Ok(at) = self.find(word) else { return false };
        let had = self.0[at].1 & bit != 0;
        self.0[at].1 &= !bit;
        if self.0[at].1 == 0 {
            self.0.remove(at);
        }
        had
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|&(_, bits)| u64::from(bits.count_ones())).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|&(word, bits)| numbers(word, bits))
    }
}

/// The numbers of one word, rising.
pub(crate) fn numbers(word: u64, mut bits: u64) -> impl Iterator<Item = u64> {
    core::iter::from_fn(move || {
        if bits == 0 {
            return None;
        }
        let low = bits.trailing_zeros();
        bits &= bits - 1;
        Some((word << 6) | u64::from(low))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(steps in prop::collection::vec((0_u8..4, 0_u64..400, any::<bool>()), 0..120)) {
            let (mut bits, mut model) = (Bits::new(), BTreeSet::new());
            for (what, number, far) in steps {
                let number = if far { u64::MAX - number * 97 } else { number };
                match what {
                    0 | 1 => prop_assert_eq!(bits.insert(number), model.insert(number)),
                    2 => prop_assert_eq!(bits.remove(number), model.remove(&number)),
                    _ => prop_assert_eq!(bits.contains(number), model.contains(&number)),
                }
                prop_assert!(bits.words().iter().all(|w| w.1 != 0));
                prop_assert!(bits.iter().eq(model.iter().copied()));
                prop_assert_eq!(bits.len(), model.len() as u64);
            }
        }
    }
}
