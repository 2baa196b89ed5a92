//! Who left not long ago: fingerprints of evicted keys, in order of eviction, four bytes each.
//!
//! A set of lines of sixteen words, each word 20 bits of the hash and 12 bits of the time of the
//! eviction, counted in units evicted (evictions, where nothing is weighed). Exactly first in, first out would take a queue and a table,
//! three times the memory. A line is a queue of its own: the newest word first, the sixteenth falls
//! out. What is lost: a stranger is taken for a ghost once in 65,000 look-ups, a ghost is forgotten up
//! to 0.1 % of the span too soon or too late, or when seventeen of one span meet in a line that has
//! room for sixteen (it holds fourteen on average: about one in ten is forgotten early).

use alloc::vec::Vec;

const WAYS: usize = 16;
const AGE_BITS: u32 = 12;
const AGES: u32 = 1 << AGE_BITS;
/// Ages that a span is divided into. Words older than a span do not count, and fall out before the
/// age comes round, after four spans, in which a line gets some 56 new ones.
const SPAN: u32 = AGES / 4;
/// Ages for which it is known how much was evicted since: a sixteenth of the span.
const RECENT: usize = SPAN as usize / 16;
/// Ghosts a line at full span.
const FILLED: u64 = 14;

#[derive(Debug)]
pub(super) struct Ghosts {
    lines: Vec<[u32; WAYS]>,
    /// How many units it looks back.
    span: u64,
    /// Units evicted so far.
    now: u64,
    /// Units of ghosts taken whose room the next ones use: time stands still for them, as in a queue
    /// that holds so many ghosts, not those of so many evictions.
    credit: u64,
    /// The time now, and when the next one begins.
    age: u32,
    next_age_at: u64,
    /// Ages so far, units evicted so far with no credit taken off, and how many those were when each
    /// of the last ages began.
    ages: u64,
    evicted: u64,
    evicted_at: [u64; RECENT],
}

impl Ghosts {
    pub(super) const fn new() -> Self {
        Self {
            lines: Vec::new(),
            span: 0,
            now: 0,
            credit: 0,
            age: 1,
            next_age_at: 0,
            ages: 0,
            evicted: 0,
            evicted_at: [0; RECENT],
        }
    }

    /// Looks back `span` units, about `entries` evictions, from now on. All ghosts are forgotten.
    pub(super) fn set_span(&mut self, span: u64, entries: u64) {
        let lines = entries.min(1 << 31).div_ceil(FILLED) as usize;
        if lines != self.lines.len() {
            self.lines = Vec::new();
            self.lines.reserve_exact(lines);
            self.lines.resize(lines, [0; WAYS]);
        }
        (self.span, self.now) = (span, 0);
        (self.next_age_at, self.credit, self.ages) = (0, 0, 0);
        self.advance(0);
        self.clear();
    }

    /// Looks back `span` units from now on, unless it does already with room for as many ghosts as
    /// `held` entries make: at the first eviction, and when many more entries are there than then.
    #[inline(always)]
    pub(super) fn begin(&mut self, span: u64, held: u64) {
        if self.span != span || (self.lines.len() as u64 * FILLED) < span.min(held) {
            self.set_span(span, span.min(held.saturating_mul(2)).max(1));
        }
    }

    pub(super) fn clear(&mut self) {
        self.lines.iter_mut().for_each(|line| *line = [0; WAYS]);
    }

    /// Counts `units` as evicted. The age is 1..AGES, so that a word is never zero.
    fn advance(&mut self, units: u64) {
        self.evicted = self.evicted.wrapping_add(units);
        let free = units.min(self.credit);
        self.credit -= free;
        let units = units - free;
        self.now = self.now.saturating_add(units);
        if self.now >= self.next_age_at {
            // A division once an age, not once an eviction.
            let (now, span) = (u128::from(self.now), u128::from(self.span.max(1)));
            let ages = (now * u128::from(SPAN) / span) as u64;
            self.age = (ages % u64::from(AGES - 1)) as u32 + 1;
            self.next_age_at = ((u128::from(ages) + 1) * span).div_ceil(u128::from(SPAN)) as u64;
            for ago in 0..(ages - self.ages).clamp(1, RECENT as u64) {
                self.evicted_at[(ages - ago) as usize % RECENT] = self.evicted;
            }
            self.ages = ages;
        }
    }

    /// How many ages ago, for a word that is not free.
    fn since(word: u32, now: u32) -> u32 {
        let age = word & (AGES - 1);
        if now >= age { now - age } else { now + (AGES - 1) - age }
    }

    #[inline]
    fn line_and_print(&self, hash: u32) -> (usize, u32) {
        // The line is the high half of the product, the print what is left of it.
        let product = u64::from(hash) * self.lines.len() as u64;
        let print = (hash.wrapping_mul(0x9E37_79B1) >> AGE_BITS) << AGE_BITS;
        ((product >> 32) as usize, print)
    }

    /// An entry of `units` was evicted.
    pub(super) fn push(&mut self, hash: u32, units: u64) {
        if self.lines.is_empty() || self.span == 0 {
            return;
        }
        let (line, print) = self.line_and_print(hash);
        let line = &mut self.lines[line];
        let mut aged = *line;
        aged[1..].copy_from_slice(&line[..WAYS - 1]);
        aged[0] = print | self.age;
        *line = aged;
        self.advance(units);
    }

    /// Whether the key, of `units`, was evicted within the span; it is forgotten then.
    #[inline]
    pub(super) fn take(&mut self, hash: u32, units: u64) -> bool {
        self.take_age(hash, units).is_some()
    }

    /// The same, and how many units have been evicted since: exact to a thousandth of the span, and
    /// everything once it is more than a sixteenth of it.
    pub(super) fn take_age(&mut self, hash: u32, units: u64) -> Option<u64> {
        if self.lines.is_empty() {
            return None;
        }
        let (line, print) = self.line_and_print(hash);
        let line = &mut self.lines[line];
        // Nearly all answers are no: all words are compared at once, without a branch.
        let same = line.iter().fold(false, |any, word| any | ((word ^ print) < AGES));
        if !same {
            return None;
        }
        let place = line.iter().position(|&word| {
            word != 0 && (word ^ print) < AGES && Self::since(word, self.age) <= SPAN
        });
        let place = place?;
        let ages = Self::since(line[place], self.age);
        line.copy_within(place + 1.., place);
        line[WAYS - 1] = 0;
        self.credit = self.credit.saturating_add(units);
        Some(self.evicted_since(ages))
    }

    fn evicted_since(&self, ages: u32) -> u64 {
        if self.span <= u64::from(SPAN) / RECENT as u64 * 4 {
            // An eviction is many ages.
            return u64::from(ages) * self.span / u64::from(SPAN);
        }
        if ages as usize >= RECENT {
            return u64::MAX;
        }
        let then = self.evicted_at[(self.ages.wrapping_sub(u64::from(ages))) as usize % RECENT];
        self.evicted.wrapping_sub(then)
    }

    pub(super) fn bytes(&self) -> usize {
        self.lines.capacity() * WAYS * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;

    fn print_of(i: u64) -> u32 {
        mix(i) as u32
    }

    #[test]
    fn remembers_nearly_all_of_a_span_and_nothing_older() {
        let span = 10_000;
        let mut ghosts = Ghosts::new();
        ghosts.set_span(span, span);
        (0..50_000).for_each(|i| ghosts.push(print_of(i), 1));
        let old =
            (0..50_000 - span - span / 1000 - 1).filter(|&i| ghosts.take(print_of(i), 1)).count();
        assert!(old <= 3, "{old} ghosts of long ago");
        let young = (50_000 - span..50_000).filter(|&i| ghosts.take(print_of(i), 1)).count();
        assert!(young > span as usize * 87 / 100, "{young} of {span}");
        let again = (50_000 - span..50_000).filter(|&i| ghosts.take(print_of(i), 1)).count();
        assert!(again <= 3, "taken twice: {again}");
    }

    /// Few heavy entries are there at the first eviction, many light ones later.
    #[test]
    fn it_remembers_from_the_first_eviction_and_as_many_as_there_come_to_be() {
        let mut ghosts = Ghosts::new();
        ghosts.begin(1000, 2);
        ghosts.push(print_of(1), 1);
        assert!(ghosts.take(print_of(1), 1), "the first");
        for i in 0..5000 {
            ghosts.begin(1000, 1000);
            ghosts.push(print_of(i), 1);
        }
        let young = (4000..5000).filter(|&i| ghosts.take(print_of(i), 1)).count();
        assert!(young > 870, "{young} of 1000");
        // Enough room: what is remembered stays.
        let before = ghosts.bytes();
        ghosts.push(print_of(9999), 1);
        ghosts.begin(1000, 900);
        assert!(ghosts.bytes() == before && ghosts.take(print_of(9999), 1));
    }

    #[test]
    fn a_span_of_nothing_and_of_one() {
        let mut ghosts = Ghosts::new();
        ghosts.set_span(0, 0);
        ghosts.push(1, 1);
        assert!(!ghosts.take(1, 1));
        ghosts.set_span(1, 1);
        ghosts.push(1, 1);
        assert!(ghosts.take(1, 1) && !ghosts.take(1, 1));
    }
}
