//! How much of each point of a key is in use.
//!
//! One interface, [`Calendar`], over two forms: [`Bitmap`] for points of which each is free or taken
//! and that lie near each other (the nights of a room), [`Steps`] for capacities and for sparse time.
//! [`Occupancy`] takes the cheapest that fits and changes by itself.

use crate::demand::Span;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Permits in use over half-open ranges of points.
///
/// Implementations trust the caller to remove only what was added; a removal of more saturates at
/// zero. Empty ranges change nothing and always fit.
pub trait Calendar {
    /// The most permits in use at any point of `span`.
    fn peak(&self, span: Span) -> u32;
    /// Adds `permits` to every point of `span`, saturating.
    fn add(&mut self, span: Span, permits: u32);
    /// Takes them back.
    fn remove(&mut self, span: Span, permits: u32);

    /// Whether `permits` more would stay within `capacity` over all of `span`.
    fn fits(&self, span: Span, permits: u32, capacity: u32) -> bool {
        self.peak(span).checked_add(permits).is_some_and(|sum| sum <= capacity)
    }
}

/// A bit a point, within [`Bitmap::MAX_POINTS`] of each other: points are free (0) or taken (1).
///
/// Adding and asking cost a word for 64 points. A year of nights takes 48 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    /// The point of bit 0 of word 0, a multiple of 64.
    base: i64,
    words: Vec<u64>,
}

impl Bitmap {
    /// Points that lie no further apart than this always find room.
    pub const MAX_POINTS: u64 = 4096;
    /// Room that was never asked for, at both ends, does not count against that.
    const SPARE: u64 = 640;

    /// All points free.
    #[must_use]
    pub const fn new() -> Self {
        Self { base: 0, words: Vec::new() }
    }

    /// Whether `span` can be added: near enough to what is there.
    #[must_use]
    pub fn reaches(&self, span: Span) -> bool {
        let (lo, hi) = match self.words.len() {
            0 => (span.lo, span.hi),
            n => (span.lo.min(self.base), span.hi.max(self.end(n))),
        };
        // A margin at either end, so that neither alignment nor spare words overflow.
        lo > i64::MIN + 1024
            && hi < i64::MAX - 1024
            && hi.abs_diff(lo) <= Self::MAX_POINTS + Self::SPARE
    }

    /// Takes `span` if all of it is free: one look, no second walk.
    #[inline]
    pub fn take(&mut self, span: Span) -> bool {
        if let Some(free) = self.take_inside(span) {
            return free;
        }
        if !self.is_free(span) {
            return false;
        }
        self.set(span, true);
        true
    }

    /// Whether every point of `span` is free.
    #[inline]
    #[must_use]
    pub fn is_free(&self, span: Span) -> bool {
        let Some((first, last)) = self.inside(span) else { return true };
        (first / 64..=last / 64).all(|word| self.words[word] & mask(word, first, last) == 0)
    }

    /// [`take`](Self::take) of a span that there are words for; `None` of any other.
    #[inline]
    fn take_inside(&mut self, span: Span) -> Option<bool> {
        if span.is_empty() || span.lo < self.base || span.hi > self.end(self.words.len()) {
            return None;
        }
        let (first, last) = ((span.lo - self.base) as usize, (span.hi - 1 - self.base) as usize);
        if first / 64 == last / 64 {
            // Most stays: one word.
            let (word, mask) = (self.words.get_mut(first / 64)?, mask(first / 64, first, last));
            let free = *word & mask == 0;
            if free {
                *word |= mask;
            }
            return Some(free);
        }
        let words = self.words.get_mut(first / 64..=last / 64)?;
        let masked = |nth: usize| mask(first / 64 + nth, first, last);
        let free = words.iter().enumerate().all(|(nth, word)| word & masked(nth) == 0);
        if free {
            words.iter_mut().enumerate().for_each(|(nth, word)| *word |= masked(nth));
        }
        Some(free)
    }

    /// Runs of taken points, in order.
    pub(crate) fn runs(&self) -> Vec<Span> {
        let mut runs: Vec<Span> = Vec::new();
        for bit in
            (0..self.words.len() * 64).filter(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
        {
            let point = self.base + bit as i64;
            match runs.last_mut() {
                Some(run) if run.hi == point => run.hi += 1,
                _ => runs.push(Span::new(point, point + 1)),
            }
        }
        runs
    }

    fn end(&self, words: usize) -> i64 {
        self.base.saturating_add(words as i64 * 64)
    }

    /// The first and last bit of `span` that there are words for.
    #[inline(always)]
    fn inside(&self, span: Span) -> Option<(usize, usize)> {
        let lo = span.lo.max(self.base);
        let hi = span.hi.min(self.end(self.words.len()));
        if lo >= hi {
            return None;
        }
        Some(((lo - self.base) as usize, (hi - 1 - self.base) as usize))
    }

    #[inline(always)]
    fn set(&mut self, span: Span, taken: bool) {
        if taken {
            self.make_room(span);
        }
        let Some((first, last)) = self.inside(span) else { return };
        for word in first / 64..=last / 64 {
            if taken {
                self.words[word] |= mask(word, first, last);
            } else {
                self.words[word] &= !mask(word, first, last);
            }
        }
    }

    #[inline(always)]
    fn make_room(&mut self, span: Span) {
        if self.words.is_empty() || span.lo < self.base || span.hi > self.end(self.words.len()) {
            self.grow(span);
        }
    }

    #[cold]
    fn grow(&mut self, span: Span) {
        if span.is_empty() || !self.reaches(span) {
            return;
        }
        let (mut lo, mut hi) = (span.lo.div_euclid(64) * 64, (span.hi + 63).div_euclid(64) * 64);
        if self.words.is_empty() {
            // A line of words around the first span: a year of nights then grows once or not at all.
            let spare = (8 - (hi - lo) / 64).max(0) / 2 * 64;
            (lo, hi) = (lo.saturating_sub(spare), hi.saturating_add(spare));
            self.base = lo;
        }
        if lo < self.base {
            let before = ((self.base - lo) / 64) as usize;
            self.words.splice(0..0, core::iter::repeat_n(0, before));
            self.base = lo;
        }
        let words = ((hi.max(self.base) - self.base) / 64) as usize;
        if words > self.words.len() {
            self.words.resize(words, 0);
        }
    }
}

/// The bits from `first` to `last` that lie in `word`.
#[inline(always)]
const fn mask(word: usize, first: usize, last: usize) -> u64 {
    let from = if first / 64 == word { u64::MAX << (first % 64) } else { u64::MAX };
    let to = if last / 64 == word { u64::MAX >> (63 - last % 64) } else { u64::MAX };
    from & to
}

/// Any number of permits is "taken"; a span out of reach is not added, so ask
/// [`reaches`](Bitmap::reaches) first.
impl Calendar for Bitmap {
    fn peak(&self, span: Span) -> u32 {
        u32::from(!self.is_free(span))
    }
    fn add(&mut self, span: Span, _permits: u32) {
        self.set(span, true);
    }
    fn remove(&mut self, span: Span, _permits: u32) {
        self.set(span, false);
    }
}

/// A step function in an ordered map: any points, any permits, 24 bytes or so a boundary.
///
/// Asking costs O(log n + boundaries inside the range), n the number of boundaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// From each boundary on so many permits are in use. Neighbours differ, and before the first
    /// boundary the level is zero, so the form of a function is unique.
    levels: BTreeMap<i64, u32>,
}

impl Steps {
    /// Nothing in use.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: BTreeMap::new() }
    }

    fn level_at(&self, point: i64) -> u32 {
        self.levels.range(..=point).next_back().map_or(0, |(_, &level)| level)
    }

    fn change(&mut self, span: Span, change: impl Fn(u32) -> u32) {
        if span.is_empty() {
            return;
        }
        // No boundary from `lo` to `hi`: one level all over, which the change splits. One descent.
        let last = self.levels.range(..=span.hi).next_back().map(|(&at, &level)| (at, level));
        let level = last.map_or(0, |last| last.1);
        if last.is_none_or(|(at, _)| at < span.lo) {
            let changed = change(level);
            if changed != level {
                self.levels.insert(span.lo, changed);
                self.levels.insert(span.hi, level);
            }
            return;
        }
        let after = level;
        let mut before = span.lo.checked_sub(1).map_or(0, |point| self.level_at(point));
        let first = self.level_at(span.lo);
        self.levels.insert(span.lo, first);
        self.levels.insert(span.hi, after);
        // Boundaries that no longer differ from the one before go.
        let mut same = Vec::new();
        for (&point, level) in self.levels.range_mut(span.lo..span.hi) {
            *level = change(*level);
            if *level == before {
                same.push(point);
            }
            before = *level;
        }
        if after == before {
            same.push(span.hi);
        }
        for point in same {
            self.levels.remove(&point);
        }
    }
}

impl Calendar for Steps {
    fn peak(&self, span: Span) -> u32 {
        if span.is_empty() {
            return 0;
        }
        // Downwards from the end: most often the first boundary found lies before the span.
        let mut peak = 0;
        for (&at, &level) in self.levels.range(..span.hi).rev() {
            peak = level.max(peak);
            if at <= span.lo {
                break;
            }
        }
        peak
    }
    fn add(&mut self, span: Span, permits: u32) {
        self.change(span, |level| level.saturating_add(permits));
    }
    fn remove(&mut self, span: Span, permits: u32) {
        self.change(span, |level| level.saturating_sub(permits));
    }
}

/// The cheapest form for what has been asked so far: a counter for keys without ranges, a bitmap
/// while every holder takes all of near points, a step function otherwise.
#[derive(Debug)]
pub(crate) enum Occupancy {
    Whole(u32),
    Bits(Bitmap),
    // Boxed: it is the rare form, and a book is as large as its largest.
    Steps(Box<Steps>),
}

impl Occupancy {
    pub(crate) const fn new() -> Self {
        Self::Whole(0)
    }

    /// The permits in use at most over `span`, of a key with room for `capacity`.
    #[inline]
    pub(crate) fn peak(&self, span: Span, capacity: u32) -> u32 {
        match self {
            Self::Whole(level) if span.overlaps(Span::WHOLE) => *level,
            Self::Whole(_) => 0,
            Self::Bits(bits) if bits.is_free(span) => 0,
            Self::Bits(_) => capacity,
            Self::Steps(steps) => steps.peak(span),
        }
    }

    #[inline]
    pub(crate) fn fits(&self, span: Span, permits: u32, capacity: u32) -> bool {
        self.peak(span, capacity).checked_add(permits).is_some_and(|sum| sum <= capacity)
    }

    /// [`add`](Self::add), if it [`fits`](Self::fits): says whether.
    #[inline]
    pub(crate) fn take(&mut self, span: Span, permits: u32, capacity: u32) -> bool {
        match self {
            Self::Bits(bits) if permits == capacity => {
                if let Some(taken) = bits.take_inside(span) {
                    return taken;
                }
            }
            _ => {}
        }
        let fits = self.fits(span, permits, capacity);
        if fits {
            self.add(span, permits, capacity);
        }
        fits
    }

    #[inline]
    pub(crate) fn add(&mut self, span: Span, permits: u32, capacity: u32) {
        match self {
            Self::Whole(level) if span == Span::WHOLE => *level = level.saturating_add(permits),
            Self::Bits(bits) if permits == capacity && bits.reaches(span) => bits.add(span, 1),
            Self::Steps(steps) => steps.add(span, permits),
            _ => {
                self.change_form(span, permits, capacity);
                self.add(span, permits, capacity);
            }
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, span: Span, permits: u32) {
        match self {
            Self::Whole(level) => *level = level.saturating_sub(permits),
            Self::Bits(bits) => bits.remove(span, 1),
            Self::Steps(steps) => steps.remove(span, permits),
        }
    }

    /// Takes a form in which `span` can be added. Never back: the book goes when it is empty.
    #[cold]
    fn change_form(&mut self, span: Span, permits: u32, capacity: u32) {
        let bits = match self {
            Self::Whole(0) => Some(Bitmap::new()),
            // With room for more than one, several holders may make up the level; bits would forget
            // all of them when the first goes.
            Self::Whole(1) if capacity == 1 => {
                let mut bits = Bitmap::new();
                bits.add(Span::WHOLE, 1);
                Some(bits)
            }
            _ => None,
        };
        if let Some(bits) = bits.filter(|bits| permits == capacity && bits.reaches(span)) {
            *self = Self::Bits(bits);
            return;
        }
        let mut steps = Steps::new();
        match self {
            Self::Whole(level) => steps.add(Span::WHOLE, *level),
            Self::Bits(bits) => bits.runs().into_iter().for_each(|run| steps.add(run, capacity)),
            Self::Steps(_) => return,
        }
        *self = Self::Steps(Box::new(steps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Span> {
        (-300_i64..300, 0_i64..200).prop_map(|(lo, n)| Span::new(lo, lo + n))
    }

    proptest! {
        /// Every form against an array of counters.
        #[test]
        fn every_form_agrees_with_counters(steps in proptest::collection::vec((spans(), 1_u32..4, any::<bool>(), any::<u8>()), 1..60)) {
            let mut counters = [0_u32; 1000];
            let (mut map, mut bits, mut both) = (Steps::new(), Bitmap::new(), Occupancy::new());
            let mut held: Vec<(Span, u32, bool)> = Vec::new();
            let at = |span: Span| (span.lo + 400) as usize..(span.hi + 400) as usize;
            for (span, permits, all, which) in steps {
                let permits = if all { 3 } else { permits };
                if which % 3 == 0 && !held.is_empty() {
                    let (span, permits, bit) = held.swap_remove(usize::from(which) % held.len());
                    counters[at(span)].iter_mut().for_each(|c| *c -= permits);
                    map.remove(span, permits);
                    both.remove(span, permits);
                    if bit { bits.remove(span, 1); }
                    continue;
                }
                let peak = counters[at(span)].iter().copied().max().unwrap_or(0);
                prop_assert_eq!(map.peak(span), peak);
                prop_assert_eq!(map.fits(span, permits, 3), peak + permits <= 3);
                if !span.is_empty() {
                    prop_assert_eq!(both.fits(span, permits, 3), peak + permits <= 3);
                }
                if peak + permits <= 3 && !span.is_empty() {
                    // The bitmap sees only whether a point is taken, so it follows whole takings.
                    let bit = permits == 3;
                    if bit { prop_assert!(bits.take(span)); }
                    counters[at(span)].iter_mut().for_each(|c| *c += permits);
                    map.add(span, permits);
                    prop_assert!(both.take(span, permits, 3));
                    held.push((span, permits, bit));
                }
                for point in -350..550 {
                    let one = Span::new(point, point + 1);
                    prop_assert_eq!(map.peak(one), counters[(point + 400) as usize]);
                    let taken = held.iter().any(|(span, _, bit)| *bit && span.overlaps(one));
                    prop_assert_eq!(bits.peak(one), u32::from(taken));
                }
            }
            for (span, permits, _) in held {
                map.remove(span, permits);
            }
            prop_assert_eq!(map, Steps::new());
        }
    }

    #[test]
    fn a_full_key_of_two_holders_keeps_the_one_that_stays() {
        let mut occupancy = Occupancy::new();
        occupancy.add(Span::WHOLE, 1, 4);
        occupancy.add(Span::WHOLE, 3, 4);
        occupancy.add(Span::new(1, 2), 4, 4);
        occupancy.remove(Span::WHOLE, 1);
        assert_eq!(occupancy.peak(Span::WHOLE, 4), 3);
        assert_eq!(occupancy.peak(Span::new(1, 2), 4), 4);
    }

    #[test]
    fn the_ends_of_the_number_line_do_not_overflow() {
        let all = Span::new(i64::MIN, i64::MAX);
        let mut steps = Steps::new();
        steps.add(all, 2);
        assert_eq!((steps.peak(all), steps.peak(Span::new(-5, 5))), (2, 2));
        steps.add(Span::new(i64::MIN, i64::MIN + 1), u32::MAX);
        assert_eq!(steps.peak(all), u32::MAX);
        assert!(!Bitmap::new().reaches(all));
        assert!(!Bitmap::new().reaches(Span::new(i64::MAX - 1, i64::MAX)));
        let mut occupancy = Occupancy::new();
        occupancy.add(all, 1, 1);
        assert_eq!(occupancy.peak(Span::new(i64::MAX - 1, i64::MAX), 1), 1);
        occupancy.remove(all, 1);
        assert_eq!(occupancy.peak(all, 1), 0);
    }
}
