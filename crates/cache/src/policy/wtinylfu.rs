//! W-TinyLFU (Einziger, Friedman and Manes, ACM Transactions on Storage 2017), its window sized by
//! hill climbing (Einziger, Eytan, Friedman and Manes, Middleware 2018).

use super::sketch::Frequencies;
use super::{Policy, Slots, share};
use crate::links::Links;
use alloc::vec::Vec;

const WINDOW: usize = 0;
/// Not used since they left the window, or not for long.
const PROBATION: usize = 1;
const PROTECTED: usize = 2;

/// Looks an entry that a step of the climb is judged by.
const SAMPLE: u64 = 10;
/// The first step, and how much of it is left after each.
const STEP: f64 = 0.0625;
const DECAY: f64 = 0.98;
/// A hit ratio that moves by this much starts the climb anew.
const RESTART: f64 = 0.05;
/// A newcomer of this frequency that loses is admitted once in 128 times all the same, so that
/// nobody can lock others out by colliding keys.
const WARM: u8 = 6;
/// The largest window in a snapshot.
const MOST_SHARE: u64 = (1 << 24) - 1;

/// Newcomers pass a window in order of use; who leaves it replaces the next to go of the rest only
/// if it was used more often lately, by a sketch of all uses. The rest is a segmented LRU, four
/// fifths of it protected. The window is a hundredth at first, and climbs to where it hits more.
/// Best where popularity counts; what is seen for the first time waits. 17 bytes an entry.
#[derive(Debug)]
pub struct WTinyLfu {
    queues: Links<3>,
    queue_of: Vec<u8>,
    uses: Frequencies,
    limit: u64,
    units: [u64; 3],
    /// What the window should hold.
    window: u64,
    /// The climb: looks and hits of this sample, the hit ratio of the last, the step.
    looks: u64,
    hits: u64,
    last_ratio: f64,
    step: f64,
    /// A pseudo-random state for the admission of warm losers.
    dice: u32,
}

impl WTinyLfu {
    fn enter(&mut self, queue: usize, slot: u32, units: u64) {
        self.queue_of[slot as usize] = queue as u8;
        self.units[queue] += units;
        self.queues.push_newest(queue, slot);
    }

    fn leave(&mut self, slot: u32, units: u64) {
        self.units[usize::from(self.queue_of[slot as usize])] -= units;
        self.queues.unlink(slot);
    }

    fn shift(&mut self, from: usize, to: usize, slots: &Slots) -> bool {
        let oldest = self.queues.oldest(from);
        if let Some(slot) = oldest {
            let units = slots.units(slot);
            self.leave(slot, units);
            self.enter(to, slot, units);
        }
        oldest.is_some()
    }

    /// The rest of the limit, and what of it is protected.
    fn protected(&self) -> u64 {
        let rest = self.limit.saturating_sub(self.window);
        rest - rest / 5
    }

    fn look(&mut self, hit: bool) {
        self.looks += 1;
        self.hits += u64::from(hit);
        if self.looks >= SAMPLE.saturating_mul(self.queue_of.len().max(16) as u64) {
            self.climb();
        }
    }

    #[cold]
    fn climb(&mut self) {
        let ratio = self.hits as f64 / self.looks as f64;
        let change = ratio - self.last_ratio;
        (self.looks, self.hits) = (0, 0);
        let limit = self.limit as f64;
        let first = self.last_ratio < 0.0;
        self.last_ratio = ratio;
        if first {
            return;
        }
        let amount = if change >= 0.0 { self.step } else { -self.step };
        self.step = if change.abs() >= RESTART {
            if amount >= 0.0 { STEP * limit } else { -STEP * limit }
        } else {
            DECAY * amount
        };
        let window = (self.window as f64 + amount).clamp(1.0, (limit * 0.8).max(1.0));
        self.window = window as u64;
    }

    /// Which of two leaves: the newcomer from the window, or the next to go of the rest.
    fn admit(&mut self, newcomer: u32, other: u32) -> bool {
        let (new, old) = (self.uses.get(newcomer), self.uses.get(other));
        if new > old {
            return true;
        }
        if new < WARM {
            return false;
        }
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.dice >> 25 == 0
    }
}

impl Policy for WTinyLfu {
    const NAME: &'static str = "W-TinyLFU";
    const SHARED_HIT: bool = false;
    type View = ();

    fn new(limit: u64) -> Self {
        Self {
            queues: Links::new(),
            queue_of: Vec::new(),
            uses: Frequencies::default(),
            limit,
            units: [0; 3],
            window: (limit / 100).max(1),
            looks: 0,
            hits: 0,
            last_ratio: -1.0,
            step: -STEP * limit as f64,
            dice: 1,
        }
    }
    fn reserve(&mut self, slots: usize) {
        self.queues.reserve(slots);
        let more = slots.saturating_sub(self.queue_of.len());
        self.queue_of.reserve_exact(more);
        self.queue_of.resize(slots.max(self.queue_of.len()), 0);
        self.uses.reserve(slots);
    }
    fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.window = (limit / 100).max(1);
        (self.last_ratio, self.step) = (-1.0, -STEP * limit as f64);
    }

    fn insert(&mut self, slot: u32, slots: &Slots) {
        self.uses.add(slots.hash(slot));
        self.look(false);
        self.enter(WINDOW, slot, slots.units(slot));
        // Who is pushed out while there is room need not compete.
        while self.units[WINDOW] > self.window && self.shift(WINDOW, PROBATION, slots) {}
    }
    fn hit(&mut self, slot: u32, slots: &Slots) {
        self.uses.add(slots.hash(slot));
        self.look(true);
        let queue = usize::from(self.queue_of[slot as usize]);
        if queue != PROBATION {
            self.queues.move_to_newest(queue, slot);
            return;
        }
        let units = slots.units(slot);
        self.leave(slot, units);
        self.enter(PROTECTED, slot, units);
        while self.units[PROTECTED] > self.protected() && self.shift(PROTECTED, PROBATION, slots) {}
    }
    fn view(&self) {}
    fn touch((): &(), _: u32) {}

    fn evict(&mut self, slots: &Slots) -> Option<u32> {
        let rest = self.queues.oldest(PROBATION).or_else(|| self.queues.oldest(PROTECTED));
        let newcomer = self.queues.oldest(WINDOW).filter(|_| self.units[WINDOW] >= self.window);
        let slot = match (newcomer, rest) {
            (Some(newcomer), Some(other)) => {
                if self.admit(slots.hash(newcomer), slots.hash(other)) {
                    self.shift(WINDOW, PROBATION, slots);
                    other
                } else {
                    newcomer
                }
            }
            (newcomer, rest) => newcomer.or(rest).or_else(|| self.queues.oldest(WINDOW))?,
        };
        self.leave(slot, slots.units(slot));
        Some(slot)
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        self.leave(slot, slots.units(slot));
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        for queue in [PROBATION, PROTECTED, WINDOW] {
            self.queues.for_each(queue, |slot| {
                assert_eq!(usize::from(self.queue_of[slot as usize]), queue, "a wrong queue");
                each(slot);
            });
        }
        assert!(self.window >= 1, "no window");
    }
    fn validate(&self, slots: &Slots) {
        for queue in [WINDOW, PROBATION, PROTECTED] {
            let sum = super::weigh(slots, |each| self.queues.for_each(queue, each));
            assert_eq!(sum, self.units[queue], "what queue {queue} weighs");
        }
    }
    /// Which queue, how often it was used, the window and the dice. The climb begins anew from there.
    fn save(&self, slots: &Slots, each: &mut dyn FnMut(u32, u64)) {
        // At most four fifths of the limit, so less than a whole: 24 bits.
        let policy =
            share::of(self.window, self.limit).min(MOST_SHARE) << 6 | u64::from(self.dice) << 32;
        self.for_each(&mut |slot| {
            let uses = u64::from(self.uses.get(slots.hash(slot)));
            each(slot, policy | uses << 2 | u64::from(self.queue_of[slot as usize]));
        });
    }
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        let queue = (word & 3).min(PROTECTED as u64) as usize;
        self.enter(queue, slot, slots.units(slot));
        self.uses.raise(slots.hash(slot), (word >> 2 & 15) as u8);
        let most = (self.limit - self.limit.div_ceil(5)).max(1);
        self.window = share::units(word >> 6 & MOST_SHARE, self.limit).clamp(1, most);
        self.dice = (word >> 32) as u32;
    }
    fn clear(&mut self) {
        self.queues.clear();
        self.uses.clear();
        self.units = [0; 3];
    }
    fn bytes(&self) -> usize {
        self.queues.bytes() + self.queue_of.capacity() + self.uses.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(policy: &mut WTinyLfu, hits: u64) -> (u64, f64) {
        (policy.looks, policy.hits) = (1000, hits);
        policy.climb();
        assert_eq!((policy.looks, policy.hits), (0, 0), "a new sample");
        (policy.window, policy.step)
    }

    #[test]
    fn the_window_climbs_to_where_it_hits_more() {
        let mut policy = WTinyLfu::new(1000);
        let near = |(window, step): (u64, f64), expected: (u64, f64)| {
            assert!(window == expected.0 && (step - expected.1).abs() < 1e-9, "{window} {step}");
        };
        // The first sample has none before it.
        near(sample(&mut policy, 500), (10, -62.5));
        // No worse: on in the same direction, by less; never below one.
        near(sample(&mut policy, 500), (1, -61.25));
        // Worse: back.
        near(sample(&mut policy, 480), (62, 60.025));
        near(sample(&mut policy, 490), (122, 58.8245));
        // Much worse: back, and with the first step again.
        near(sample(&mut policy, 400), (63, -62.5));
        near(sample(&mut policy, 600), (1, -62.5));
        near(sample(&mut policy, 500), (63, 62.5));
        // Up to four fifths of the limit, no further.
        (0..30).for_each(|up| _ = sample(&mut policy, 560 + up * 60));
        assert_eq!(policy.window, 800);
        // Another limit is another hill.
        policy.set_limit(500);
        assert_eq!((policy.window, policy.last_ratio, policy.step), (5, -1.0, -31.25));
    }

    #[test]
    fn a_sample_is_ten_looks_an_entry() {
        let (mut policy, mut slots) = (WTinyLfu::new(20), Slots::new(false));
        policy.reserve(20);
        slots.reserve(20);
        slots.set(3, 7, 1);
        policy.insert(3, &slots);
        (0..198).for_each(|_| policy.hit(3, &slots));
        assert_eq!((policy.looks, policy.hits, policy.last_ratio), (199, 198, -1.0));
        policy.hit(3, &slots);
        assert_eq!((policy.looks, policy.last_ratio), (0, 199.0 / 200.0));
    }
}
