//! The optimum: evict what is asked for last (Belady 1966).

use alloc::vec::Vec;

use super::{Outcome, Trace};

/// Never asked for again.
const NEVER: u32 = u32::MAX;

/// Hits of the policy that knows the future and must take every key in: it evicts the entry whose
/// next request is the farthest. No policy hits more where all weigh one (one that may refuse keys
/// hits the same to .0004 on the traces of the tests). Where they weigh differently, the optimum
/// is NP-hard; this evicts by the same rule, which is a good policy and no bound.
///
/// O(requests), a few nanoseconds each: what is held is a bit at the time of its next
/// request, and the farthest is the highest bit of a tree of words.
#[must_use]
pub fn optimum(trace: &Trace, capacity: u64) -> Outcome {
    let keys = trace.keys();
    let mut outcome =
        Outcome { requests: keys.len() as u64, units: trace.weight(), ..Outcome::default() };
    // Times are below the number of requests; those that never come have times of their own behind.
    let mut next: Vec<u32> = alloc::vec![NEVER; keys.len()];
    let mut seen: Vec<u32> = alloc::vec![NEVER; trace.distinct()];
    for (at, &key) in keys.iter().enumerate().rev() {
        next[at] = core::mem::replace(&mut seen[key as usize], at as u32);
    }
    let size = |at: usize| trace.sizes().map_or(1, |sizes| sizes[at]);
    let mut held = Farthest::new(keys.len());
    // What is held and never asked for again goes first, in any order; only its weight is known.
    let mut useless: Vec<u64> = Vec::new();
    let mut used = 0_u64;
    for (at, &next) in next.iter().enumerate() {
        let weight = size(at);
        if held.remove(at as u32) {
            outcome.hits += 1;
            outcome.hit_units += weight;
        } else {
            if weight > capacity {
                continue;
            }
            while used > capacity - weight {
                let gone = match useless.pop() {
                    Some(gone) => gone,
                    None => match held.take_last() {
                        Some(time) => size(time as usize),
                        None => break,
                    },
                };
                used -= gone;
                outcome.evictions += 1;
            }
            used += weight;
        }
        match next {
            NEVER => useless.push(weight),
            time => held.insert(time),
        }
    }
    outcome
}

/// A set of numbers that knows its largest: words of bits, and words that say which words are not
/// empty, and so on.
struct Farthest {
    levels: Vec<Vec<u64>>,
}

impl Farthest {
    fn new(below: usize) -> Self {
        let (mut levels, mut words) = (Vec::new(), below);
        loop {
            words = words.div_ceil(64).max(1);
            levels.push(alloc::vec![0; words]);
            if words == 1 {
                return Self { levels };
            }
        }
    }

    #[inline]
    fn insert(&mut self, mut number: u32) {
        for level in &mut self.levels {
            let word = &mut level[number as usize / 64];
            let was = *word;
            *word |= 1 << (number % 64);
            if was != 0 {
                return;
            }
            number /= 64;
        }
    }

    #[inline]
    fn remove(&mut self, mut number: u32) -> bool {
        if self.levels[0][number as usize / 64] >> (number % 64) & 1 == 0 {
            return false;
        }
        for level in &mut self.levels {
            let word = &mut level[number as usize / 64];
            *word &= !(1 << (number % 64));
            if *word != 0 {
                break;
            }
            number /= 64;
        }
        true
    }

    #[inline]
    fn take_last(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        for level in self.levels.iter().rev() {
            let word = level[number as usize];
            if word == 0 {
                return None;
            }
            number = number * 64 + 63 - word.leading_zeros();
        }
        self.remove(number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;
    use std::collections::BTreeSet;

    #[test]
    fn the_set_is_that_of_the_standard_library() {
        let (mut set, mut model) = (Farthest::new(70_000), BTreeSet::new());
        for step in 0..50_000_u64 {
            let number = mix(step) as u32 % 70_000;
            match mix(step) >> 62 {
                0 => assert_eq!(set.take_last(), model.pop_last()),
                1 => assert_eq!(set.remove(number), model.remove(&number)),
                _ => {
                    set.insert(number);
                    model.insert(number);
                }
            }
        }
        while let Some(last) = model.pop_last() {
            assert_eq!(set.take_last(), Some(last));
        }
        assert_eq!(set.take_last(), None);
    }

    /// Every way to evict, tried.
    #[test]
    fn no_choice_of_victims_hits_more() {
        fn best(keys: &[u32], held: &BTreeSet<u32>, capacity: usize) -> u64 {
            let Some((&key, rest)) = keys.split_first() else { return 0 };
            if held.contains(&key) {
                return 1 + best(rest, held, capacity);
            }
            let mut with = held.clone();
            with.insert(key);
            if held.len() < capacity {
                return best(rest, &with, capacity);
            }
            let without = |gone: &u32| {
                let mut left = with.clone();
                left.remove(gone);
                best(rest, &left, capacity)
            };
            held.iter().map(without).max().unwrap()
        }
        for seed in 0..60_u64 {
            let keys: Vec<u64> = (0..12).map(|step| mix(seed * 100 + step) % 5).collect();
            let trace = Trace::from_keys(keys).unwrap();
            for capacity in 1..4 {
                let expected = best(trace.keys(), &BTreeSet::new(), capacity);
                assert_eq!(optimum(&trace, capacity as u64).hits, expected);
            }
        }
    }

    #[test]
    fn nothing_fits_into_nothing() {
        let trace = Trace::from_keys([1, 1, 1]).unwrap();
        assert_eq!(optimum(&trace, 0).hits, 0);
        assert_eq!(optimum(&Trace::default(), 5).hit_ratio(), 0.0);
        assert_eq!(optimum(&trace, u64::MAX).hits, 2);
    }
}
