//! When entries expire: a hierarchical timing wheel (Varghese and Lauck 1987).
//!
//! Eight levels of 64 buckets; a tick is 2^20 ns, about a millisecond. An entry lies at the level of
//! the highest six bits in which its tick differs from the present one, so it moves down at most
//! seven times in its life, and finding the next bucket is a look at eight words. Deadlines
//! themselves are exact to the nanosecond: the wheel only says what to look at.
//!
//! Insertion, removal and postponing are O(1), `expire` is O(entries looked at). 16 bytes an entry:
//! the deadline, and the links of its bucket; 24 when time to idle is used, which keeps the last
//! possible deadline too.
//!
//! A clock that steps back expires nothing until it has caught up; one that jumps ahead expires
//! what is due, bucket by bucket, not tick by tick.

use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::Time;
use archstone_core::shim::atomic::{AtomicU64, Ordering::Relaxed};

use crate::links::Links;

const TICK_BITS: u32 = 20;
const LEVEL_BITS: u32 = 6;
const BUCKETS: usize = 1 << LEVEL_BITS;
const LEVELS: usize = 8;
const HEADS: usize = LEVELS * BUCKETS;
/// No deadline.
const NEVER: u64 = u64::MAX;

/// The deadlines of slots, for readers without the lock.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines(Arc<[AtomicU64]>);

impl Deadlines {
    #[inline(always)]
    pub(crate) fn is_due(&self, slot: u32, now: Time) -> bool {
        self.get(slot) <= now.as_nanos()
    }

    #[inline(always)]
    fn get(&self, slot: u32) -> u64 {
        self.0.get(slot as usize).map_or(NEVER, |at| at.load(Relaxed))
    }
}

#[derive(Debug)]
pub(crate) struct Wheel {
    deadlines: Deadlines,
    /// The deadline that idling cannot postpone; empty without time to idle.
    last: Vec<u64>,
    /// Time to idle in nanoseconds.
    idle: Option<u64>,
    buckets: Links<HEADS>,
    /// Buckets of a level that may have entries.
    used: [u64; LEVELS],
    tick: u64,
}

/// The first tick at whose beginning `deadline` has passed.
const fn tick_after(deadline: u64) -> u64 {
    deadline.div_ceil(1 << TICK_BITS)
}

impl Wheel {
    pub(crate) fn new(idle: Option<u64>, now: Time) -> Self {
        Self {
            deadlines: Deadlines(Arc::default()),
            last: Vec::new(),
            idle,
            buckets: Links::new(),
            used: [0; LEVELS],
            tick: now.as_nanos() >> TICK_BITS,
        }
    }

    pub(crate) fn view(&self) -> Deadlines {
        self.deadlines.clone()
    }

    pub(crate) fn reserve(&mut self, slots: usize) {
        let old = &self.deadlines.0;
        if slots > old.len() {
            let fresh: Vec<AtomicU64> = (0..slots)
                .map(|slot| AtomicU64::new(old.get(slot).map_or(NEVER, |at| at.load(Relaxed))))
                .collect();
            self.deadlines = Deadlines(fresh.into());
            self.buckets.reserve(slots);
            if self.idle.is_some() {
                self.last.resize(slots, NEVER);
            }
        }
    }

    #[inline(always)]
    pub(crate) fn is_due(&self, slot: u32, now: Time) -> bool {
        self.deadlines.is_due(slot, now)
    }

    /// When the entry expires; [`Time::MAX`] for never.
    pub(crate) fn deadline(&self, slot: u32) -> Time {
        Time::from_nanos(self.deadlines.get(slot))
    }

    /// When the entry expires at the latest, however it is used.
    pub(crate) fn last(&self, slot: u32) -> Time {
        match self.idle {
            Some(_) => Time::from_nanos(self.last[slot as usize]),
            None => self.deadline(slot),
        }
    }

    /// An entry that expires at `last`, or sooner if it idles.
    pub(crate) fn insert(&mut self, slot: u32, last: Time, now: Time) {
        let mut deadline = last.as_nanos();
        if let Some(idle) = self.idle {
            self.last[slot as usize] = deadline;
            deadline = deadline.min(now.as_nanos().saturating_add(idle));
        }
        self.deadlines.0[slot as usize].store(deadline, Relaxed);
        self.buckets.unlink(slot);
        self.link(slot, deadline);
    }

    /// It was used: the end of idling moves on. The entry stays in its bucket; when that is due the
    /// wheel looks again.
    #[inline]
    pub(crate) fn touch(&self, slot: u32, now: Time) {
        if let Some(idle) = self.idle {
            let at = &self.deadlines.0[slot as usize];
            let next = self.last[slot as usize].min(now.as_nanos().saturating_add(idle));
            // A clock that stepped back shortens no life.
            if next > at.load(Relaxed) {
                at.store(next, Relaxed);
            }
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.buckets.unlink(slot);
        self.deadlines.0[slot as usize].store(NEVER, Relaxed);
    }

    fn link(&mut self, slot: u32, deadline: u64) {
        if deadline == NEVER {
            return;
        }
        let at = tick_after(deadline).max(self.tick);
        let level = (63 - (at ^ self.tick | 1).leading_zeros()) / LEVEL_BITS;
        let bucket = (at >> (level * LEVEL_BITS)) as usize % BUCKETS;
        self.used[level as usize] |= 1 << bucket;
        self.buckets.push_newest(level as usize * BUCKETS + bucket, slot);
    }

    /// The first tick at which a bucket is to be looked at, and the bucket. Of several the one of
    /// the highest level: a bucket that was left half done, for want of budget, is ended before
    /// what came out of it.
    fn next(&mut self) -> Option<(u64, usize)> {
        let mut first: Option<(u64, usize)> = None;
        for level in 0..LEVELS {
            while self.used[level] != 0 {
                let bucket = self.used[level].trailing_zeros() as usize;
                let head = level * BUCKETS + bucket;
                if self.buckets.is_empty(head) {
                    self.used[level] &= self.used[level] - 1;
                    continue;
                }
                let shift = level as u32 * LEVEL_BITS;
                let above = self.tick >> (shift + LEVEL_BITS) << LEVEL_BITS;
                let start = (above | bucket as u64) << shift;
                if first.is_none_or(|(tick, _)| start <= tick) {
                    first = Some((start, head));
                }
                break;
            }
        }
        first
    }

    /// Nothing expires before this; `None` if nothing expires.
    pub(crate) fn next_deadline(&mut self) -> Option<Time> {
        let (tick, _) = self.next()?;
        Some(Time::from_nanos(tick.saturating_mul(1 << TICK_BITS)))
    }

    /// The next entry that is due, looking at no more than `budget` of them. It is still in the
    /// wheel: the caller removes it.
    pub(crate) fn due(&mut self, now: Time, budget: &mut usize) -> Option<u32> {
        let target = now.as_nanos() >> TICK_BITS;
        while let Some((tick, head)) = self.next() {
            if tick > target {
                break;
            }
            self.tick = self.tick.max(tick);
            while let Some(slot) = self.buckets.oldest(head) {
                if *budget == 0 {
                    return None;
                }
                *budget -= 1;
                if self.is_due(slot, now) {
                    return Some(slot);
                }
                self.buckets.unlink(slot);
                self.link(slot, self.deadlines.get(slot));
                if self.buckets.oldest(head) == Some(slot) {
                    break;
                }
            }
        }
        self.tick = self.tick.max(target);
        None
    }

    pub(crate) fn bytes(&self) -> usize {
        self.deadlines.0.len() * 8 + self.last.capacity() * 8 + self.buckets.bytes()
    }

    /// Every linked slot, checking that it lies where `next` will find it in time.
    pub(crate) fn validate(&self, mut each: impl FnMut(u32)) {
        for head in 0..HEADS {
            let (level, bucket) = ((head / BUCKETS) as u32, (head % BUCKETS) as u64);
            self.buckets.for_each(head, |slot| {
                assert!(self.used[level as usize] >> bucket & 1 == 1, "a bucket is not marked");
                let shift = level * LEVEL_BITS;
                let start = (self.tick >> (shift + LEVEL_BITS) << LEVEL_BITS | bucket) << shift;
                let at = tick_after(self.deadlines.get(slot));
                assert!(start <= at.max(self.tick), "an entry will be looked at too late");
                each(slot);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_core::hash::mix;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn all_due(wheel: &mut Wheel, now: Time) -> Vec<u32> {
        let mut budget = usize::MAX;
        let mut due = Vec::new();
        while let Some(slot) = wheel.due(now, &mut budget) {
            wheel.remove(slot);
            due.push(slot);
        }
        due.sort_unstable();
        due
    }

    /// Every slot whose deadline lies a tick before, at, or after each boundary of a level.
    #[test]
    fn fires_on_both_sides_of_every_level() {
        for level in 0..LEVELS as u32 {
            for by in [-2_i64, -1, 0, 1, 2] {
                let Some(tick) = (1_u64 << (level * LEVEL_BITS)).checked_add_signed(by) else {
                    continue;
                };
                let Some(deadline) = tick.checked_mul(1 << TICK_BITS) else { continue };
                let mut wheel = Wheel::new(None, Time::ZERO);
                wheel.reserve(1);
                wheel.insert(0, Time::from_nanos(deadline), Time::ZERO);
                if deadline > 0 {
                    assert_eq!(all_due(&mut wheel, Time::from_nanos(deadline - 1)), []);
                    wheel.validate(|_| {});
                }
                assert_eq!(all_due(&mut wheel, Time::from_nanos(deadline)), [0], "{level} {by}");
            }
        }
    }

    /// A million schedules beside a map in order of the deadline, with postponements, removals,
    /// jumps and a clock that steps back.
    #[test]
    fn equals_an_ordered_map_over_a_million_schedules() {
        const SLOTS: u64 = 500;
        let mut wheel = Wheel::new(None, Time::ZERO);
        wheel.reserve(SLOTS as usize);
        let mut model: BTreeMap<(u64, u32), ()> = BTreeMap::new();
        let mut deadline_of = [NEVER; SLOTS as usize];
        let (mut now, mut random, mut scheduled) = (0_u64, 1_u64, 0);
        while scheduled < 1_000_000 {
            random = mix(random.wrapping_add(0x9E37_79B9_7F4A_7C15));
            let slot = (random % SLOTS) as u32;
            model.remove(&(deadline_of[slot as usize], slot));
            if random >> 20 & 7 == 0 {
                wheel.remove(slot);
                deadline_of[slot as usize] = NEVER;
            } else {
                // From nanoseconds to a year ahead.
                let ahead = mix(random) >> (10 + (random >> 30) % 50);
                let deadline = now.saturating_add(ahead);
                wheel.insert(slot, Time::from_nanos(deadline), Time::from_nanos(now));
                deadline_of[slot as usize] = deadline;
                model.insert((deadline, slot), ());
                scheduled += 1;
            }
            if random >> 40 & 15 == 0 {
                let step = mix(random ^ 1) >> (20 + (random >> 50) % 40);
                let seen = if random >> 60 == 0 { now / 2 } else { now + step };
                // What is due by tick, no earlier than the deadline and less than a tick later.
                let due = all_due(&mut wheel, Time::from_nanos(seen));
                now = now.max(seen);
                for slot in due {
                    let deadline = core::mem::replace(&mut deadline_of[slot as usize], NEVER);
                    assert!(deadline <= seen);
                    assert!(model.remove(&(deadline, slot)).is_some());
                }
                if let Some((&(deadline, _), ())) = model.first_key_value() {
                    assert!(deadline >> TICK_BITS >= seen >> TICK_BITS || seen < now);
                    let next = wheel.next_deadline().unwrap().as_nanos();
                    assert!(next <= tick_after(deadline) << TICK_BITS, "would wake too late");
                }
                wheel.validate(|_| {});
            }
        }
    }

    #[test]
    fn a_budget_is_kept_and_what_is_left_comes_next_time() {
        let mut wheel = Wheel::new(None, Time::ZERO);
        wheel.reserve(1000);
        (0..1000).for_each(|slot| wheel.insert(slot, Time::from_millis(5), Time::ZERO));
        let (now, mut found) = (Time::from_secs(1), 0);
        for _ in 0..10 {
            let mut budget = 100;
            while let Some(slot) = wheel.due(now, &mut budget) {
                wheel.remove(slot);
                found += 1;
            }
            assert_eq!(budget, 0);
        }
        assert_eq!(found, 1000);
    }

    #[test]
    fn idling_is_postponed_by_use_but_not_past_the_last_deadline() {
        let (at, idle) = (Time::from_secs, 10_000_000_000);
        let mut wheel = Wheel::new(Some(idle), Time::ZERO);
        wheel.reserve(2);
        wheel.insert(0, at(25), at(0));
        wheel.insert(1, Time::MAX, at(0));
        assert!(!wheel.is_due(0, at(9)) && wheel.is_due(0, at(10)));
        wheel.touch(0, at(9));
        wheel.touch(0, at(5)); // the clock stepped back
        assert_eq!(all_due(&mut wheel, at(18)), [1]);
        wheel.touch(0, at(18));
        assert_eq!(wheel.deadline(0), at(25));
        assert_eq!(all_due(&mut wheel, at(26)), [0]);
    }

    #[test]
    fn the_ends_of_time() {
        let mut wheel = Wheel::new(None, Time::ZERO);
        wheel.reserve(3);
        wheel.insert(0, Time::MAX, Time::ZERO);
        wheel.insert(1, Time::ZERO, Time::ZERO);
        wheel.insert(2, Time::from_nanos(u64::MAX - 1), Time::ZERO);
        assert_eq!(all_due(&mut wheel, Time::ZERO), [1]);
        assert_eq!(all_due(&mut wheel, Time::from_nanos(u64::MAX - 1)), []);
        assert!(wheel.is_due(2, Time::MAX) && wheel.next_deadline().is_some());
    }
}
