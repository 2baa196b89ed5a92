//! The points of a circle in one sorted table with gaps: the position itself says where to look.
//!
//! Positions are hashes, so the `k`-th smallest of them lies near `k / points` of the way round.
//! Each point stands at its proportional slot or, if that is taken, right after its predecessor
//! (ordered linear probing, Amble and Knuth 1974); a free slot repeats the point after it. A look-up
//! is one multiplication and, as a rule, one cache line: there is no index to load first.
//!
//! Invariants: the table never falls (P1: by position, then by the caller's order of equals); a point
//! stands at `max(slot(position), its predecessor's place + 1)`, so the layout is a function of the
//! set (P2); `PAD` sentinels above every point end the table (P3), so that a look-up may compare four
//! entries without a test for the end.

use crate::placement::NodeIx;
use alloc::vec::Vec;

/// Sentinels after the last point, and how many entries a look-up compares at once (P3).
const PAD: usize = 4;
/// Above every point: no node has the index of its low half.
const SENTINEL: u64 = u64::MAX;
/// Slots for a hundred points: when the table is made, and between which it may drift.
const ROOM: (u64, u64, u64) = (132, 145, 155);

#[inline]
pub(crate) const fn pack(position: u32, node: NodeIx) -> u64 {
    (position as u64) << 32 | node.0 as u64
}

#[inline]
pub(crate) const fn unpack(point: u64) -> (u32, NodeIx) {
    ((point >> 32) as u32, NodeIx(point as u32))
}

/// A set of points: position in the high half, node index in the low half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Points {
    table: Vec<u64>,
    slots: u32,
    /// One past the last point.
    end: usize,
    len: usize,
}

impl Points {
    pub(crate) const fn new() -> Self {
        Self { table: Vec::new(), slots: 0, end: 0, len: 0 }
    }

    /// The table of these points, given in the order of P1; repeats are one point.
    pub(crate) fn from_sorted(points: &[u64]) -> Self {
        let mut making = Making::new(points.len());
        making.extend(points);
        making.end()
    }

    /// The table of these points in any order; `before` is the order of P1.
    pub(crate) fn from_unsorted(
        points: impl Iterator<Item = u64> + Clone,
        before: impl Fn(u64, u64) -> bool,
    ) -> Self {
        let count = points.clone().count();
        let mut making = Making::new(count);
        sort(points, count, before, |run| making.extend(run));
        making.end()
    }

    /// The points in order, without the gaps.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + Clone + '_ {
        let places = self.places();
        let last_of_its_kind = move |&i: &usize| places.get(i + 1) != Some(&places[i]);
        (0..places.len()).filter(last_of_its_kind).map(move |i| places[i])
    }

    /// The table up to its last point: in order, with repeats.
    #[inline(always)]
    pub(crate) fn places(&self) -> &[u64] {
        &self.table[..self.end]
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.table.capacity() * 8
    }

    /// Whether `len` points fit without making the table anew.
    pub(crate) fn fits(&self, len: usize) -> bool {
        let (len, slots) = (len as u64, u64::from(self.slots) * 100);
        len * ROOM.0 <= slots && slots <= len * ROOM.2
    }

    #[inline(always)]
    fn slot(&self, position: u32) -> usize {
        ((u64::from(position) * u64::from(self.slots)) >> 32) as usize
    }

    /// The place of the first point at or after `position`, wrapping; `None` when there are none.
    #[inline(always)]
    pub(crate) fn first_at(&self, position: u32) -> Option<usize> {
        // The low half is a node index, so comparing whole words compares the positions.
        let wanted = u64::from(position) << 32;
        let mut at = self.slot(position);
        loop {
            // Counting those below among four has no branch to mispredict, and by P2 rarely needs
            // a second turn. An empty table has no four entries.
            let four: &[u64; PAD] = self.table.get(at..)?.first_chunk()?;
            let below: usize = four.iter().map(|&point| usize::from(point < wanted)).sum();
            at += below;
            if below < PAD {
                return Some(if at < self.end { at } else { 0 });
            }
        }
    }

    /// The first point at or after `position`, wrapping.
    #[inline(always)]
    pub(crate) fn next(&self, position: u32) -> Option<u64> {
        self.first_at(position).and_then(|at| self.table.get(at)).copied()
    }

    /// The point at a place, and the place of the next one or of another gap before it; `None` where
    /// the sentinels end. As a rule there are at most two gaps.
    #[inline(always)]
    pub(crate) fn step(&self, at: usize) -> Option<(u64, usize)> {
        let &[point, a, b, c] = self.table.get(at..)?.first_chunk::<PAD>()?;
        let same = usize::from(a == point) + usize::from(b == point) + usize::from(c == point);
        Some((point, at + 1 + same))
    }

    /// Adds a point; `before` is the order of P1. Expected O(1) at the room there is.
    pub(crate) fn insert(&mut self, point: u64, before: impl Fn(u64, u64) -> bool) {
        let mut at = self.slot(unpack(point).0);
        while self.table[at] != SENTINEL && before(self.table[at], point) {
            at += 1;
        }
        let next = self.table[at];
        if next == point {
            return;
        }
        // The gaps before it repeated the point after it, and now repeat it.
        let mut gap = at;
        while gap > 0 && self.table[gap - 1] == next && next != SENTINEL {
            gap -= 1;
            self.table[gap] = point;
        }
        if next == SENTINEL {
            for entry in &mut self.table[self.end..at] {
                *entry = point;
            }
        }
        // The run up to the next gap moves on by one.
        let mut free = at;
        while self.table[free] != SENTINEL && self.table[free] != self.table[free + 1] {
            free += 1;
        }
        self.table.copy_within(at..free, at + 1);
        self.table[at] = point;
        self.end = self.end.max(free + 1);
        if self.table.len() < self.end + PAD {
            self.table.reserve_exact(PAD);
            self.table.push(SENTINEL);
        }
        self.len += 1;
    }

    /// Takes a point out, if it is there; `before` is the order of P1.
    pub(crate) fn remove(&mut self, point: u64, before: impl Fn(u64, u64) -> bool) {
        let mut at = self.slot(unpack(point).0);
        while self.table[at] != SENTINEL && before(self.table[at], point) {
            at += 1;
        }
        if self.table[at] != point {
            return;
        }
        if self.len == 1 {
            *self = Self::new();
            return;
        }
        let mut first = at;
        while first > 0 && self.table[first - 1] == point {
            first -= 1;
        }
        while self.table[at + 1] == point {
            at += 1;
        }
        // Points that were pushed on move back by one (P2), as far as their own slot.
        let place = at;
        loop {
            let next = self.table[at + 1];
            let moves =
                next != SENTINEL && self.table[at + 2] != next && self.slot(unpack(next).0) <= at;
            if !moves {
                break;
            }
            self.table[at] = next;
            at += 1;
        }
        self.table[at] = self.table[at + 1];
        let now = self.table[place];
        self.table[first..place].fill(now);
        while self.end > 0 && self.table[self.end - 1] == SENTINEL {
            self.end -= 1;
        }
        self.len -= 1;
    }
}

/// A table that is made of points in order.
struct Making {
    made: Points,
    last: u64,
}

impl Making {
    fn new(points: usize) -> Self {
        let mut made = Points::new();
        if points > 0 {
            let slots = (points as u64 * ROOM.1).div_ceil(100);
            made.slots = u32::try_from(slots).unwrap_or(u32::MAX);
            made.table.reserve_exact(made.slots as usize + 8 * PAD);
        }
        Self { made, last: SENTINEL }
    }

    #[inline]
    fn extend(&mut self, points: &[u64]) {
        let Some(&greatest) = points.last() else { return };
        let made = &mut self.made;
        let (mut last, mut free, mut len) = (self.last, made.end, made.len);
        // The room that they take, written when they come, while it is in the cache.
        let room = made.slot(unpack(greatest).0).max(free) + points.len() + 2 * PAD;
        let room = room.min(made.table.capacity()).max(free + PAD);
        made.table.resize(room.max(made.table.len()), SENTINEL);
        for &point in points {
            if last == point {
                continue;
            }
            last = point;
            let next = made.slot(unpack(point).0).max(free) + 1;
            if made.table.len() < next + PAD {
                made.table.resize(next + PAD, SENTINEL);
            }
            // The gaps before it, if any, and itself: as a rule at most four, so four are written
            // whether they are its own or not.
            let (from, to) = made.table.split_at_mut(free + PAD);
            from[free..].fill(point);
            if next > free + PAD {
                to[..next - free - PAD].fill(point);
            }
            free = next;
            len += 1;
        }
        self.last = last;
        (made.end, made.len) = (free, len);
    }

    fn end(self) -> Points {
        let mut made = self.made;
        if made.len > 0 {
            made.table.resize(made.end.max(made.slots as usize) + PAD, SENTINEL);
            made.table[made.end..].fill(SENTINEL);
        }
        made
    }
}

/// Points of a part of [`sort`], on average at most: a part and its room stay in the first cache.
const PART: usize = 4_096;

/// Hands out evenly spread points in the order of `before`, run by run: one scatter by the top bits
/// into parts, one in each part, and insertion puts neighbours right. O(points) for hashes.
fn sort(
    unsorted: impl Iterator<Item = u64> + Clone,
    len: usize,
    before: impl Fn(u64, u64) -> bool,
    mut out: impl FnMut(&[u64]),
) {
    let parts = (len / PART).next_power_of_two().min(1 << 16);
    let bits = parts.ilog2();
    let part = |point: u64| ((point >> 32) << bits >> 32) as usize;
    let mut ends = alloc::vec![0_u32; parts + 1];
    unsorted.clone().for_each(|point| ends[part(point) + 1] += 1);
    let largest = ends.iter().max().map_or(0, |&count| count as usize);
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    // What was the begin of each part becomes its end.
    let mut parted = alloc::vec![0_u64; len];
    unsorted.for_each(|point| {
        let place = &mut ends[part(point)];
        parted[*place as usize] = point;
        *place += 1;
    });
    // About a bucket a point in each part, by the bits after those of the part.
    let deeper = largest.next_power_of_two().ilog2().min(32 - bits);
    let bucket = |point: u64| ((point << bits) >> 32 >> (32 - deeper)) as usize;
    let mut next = alloc::vec![0_u32; 1 << deeper];
    let mut run = alloc::vec![0_u64; largest];
    let mut from = 0;
    for &end in &ends[..parts] {
        let points = &parted[from..end as usize];
        from = end as usize;
        next.fill(0);
        for &point in points {
            next[bucket(point)] += 1;
        }
        let mut sum = 0;
        for count in &mut next {
            sum += core::mem::replace(count, sum);
        }
        for &point in points {
            let place = &mut next[bucket(point)];
            run[*place as usize] = point;
            *place += 1;
        }
        let run = &mut run[..points.len()];
        for i in 1..run.len() {
            let point = run[i];
            let mut at = i;
            while at > 0 && before(point, run[at - 1]) {
                run[at] = run[at - 1];
                at -= 1;
            }
            run[at] = point;
        }
        out(run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use archstone_core::hash::mix;

    const BY_WORD: fn(u64, u64) -> bool = |a, b| a < b;

    /// Every table that a history leaves is the one made at once (P2), and answers as a set does.
    #[test]
    fn a_history_leaves_the_table_of_its_set() {
        for seed in 0..40_u64 {
            let (mut set, mut points) = (BTreeSet::new(), Points::from_sorted(&[]));
            for step in 0..400_u64 {
                let drawn = mix(seed << 32 | step);
                // Crowded positions at both ends too, where runs form and the table ends.
                let position = match drawn % 4 {
                    0 => (drawn >> 40) as u32 & 15,
                    1 => u32::MAX - ((drawn >> 40) as u32 & 15),
                    _ => (drawn >> 32) as u32,
                };
                let point = pack(position, NodeIx((drawn >> 8) as u32 & 3));
                let leaves = set.iter().nth(step as usize % set.len().max(1)).copied();
                match leaves.filter(|_| drawn & 16 == 0) {
                    Some(old) => {
                        set.remove(&old);
                        points.remove(old, BY_WORD);
                        if !set.is_empty() {
                            points.remove(old, BY_WORD);
                        }
                    }
                    None if points.fits(set.len() + 1) => {
                        set.insert(point);
                        points.insert(point, BY_WORD);
                        points.insert(point, BY_WORD);
                    }
                    None => {
                        set.insert(point);
                        let all: Vec<u64> = set.iter().copied().collect();
                        points = Points::from_sorted(&all);
                    }
                }
                let all: Vec<u64> = set.iter().copied().collect();
                assert_eq!(points.iter().collect::<Vec<_>>(), all);
                assert_eq!(points.len(), set.len());
                let mut anew = Points { slots: points.slots, ..Points::new() };
                for &point in all.iter().rev() {
                    if anew.table.is_empty() {
                        anew.table = alloc::vec![SENTINEL; points.slots as usize + PAD];
                    }
                    anew.insert(point, BY_WORD);
                }
                assert_eq!(anew.places(), points.places(), "P2");
                for key in [0, 1, 7, 16, u32::MAX - 8, u32::MAX, position, (drawn >> 20) as u32] {
                    let after = set.range(u64::from(key) << 32..).next();
                    assert_eq!(points.next(key), after.or(set.first()).copied());
                }
            }
        }
    }

    #[test]
    fn a_sort_by_buckets_sorts() {
        for len in [0_u64, 1, 2, 3, 100, 2_047, 5_000, 40_000] {
            // Spread out, and crowded: one position, two.
            for (mask, most) in
                [(!0xFF00, len), (!0 << 33, len), (0xFFFF, 5_000), (1 << 63 | 7, 5_000)]
            {
                let drawn: Vec<u64> = (0..len.min(most)).map(|i| mix(i) & mask).collect();
                let (mut expected, mut sorted) = (drawn.clone(), Vec::new());
                expected.sort_unstable();
                sort(drawn.iter().copied(), drawn.len(), BY_WORD, |run| {
                    sorted.extend_from_slice(run);
                });
                assert_eq!(sorted, expected);
            }
        }
    }
}
