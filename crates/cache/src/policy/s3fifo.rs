//! S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, SOSP 2023), with the defaults of its authors'
//! libCacheSim: a small queue of a tenth, ghosts of nine tenths, two uses to enter the main queue.

use super::clock::MarksView;
use super::ghost::Ghosts;
use super::{Bits, Marks, Policy, Slots};
use crate::links::Links;

const SMALL: usize = 0;
const MAIN: usize = 1;
/// Uses are counted up to here.
const USES: u8 = 3;
const TO_MAIN: u8 = 2;

/// Three queues: newcomers wait in a small one and leave it unless they are used twice; what was
/// evicted from it not long ago goes straight to the main one, a CLOCK with a two-bit count.
/// 13.6 bytes an entry, ghosts included.
#[derive(Debug)]
pub struct S3Fifo {
    queues: Links<2>,
    marks: Marks,
    /// Which queue. Not a bit of the mark: a reader that counts a use may overwrite a mark.
    in_main: Bits,
    ghosts: Ghosts,
    /// Entries in it.
    held: u64,
    small_limit: u64,
    main_limit: u64,
    small: u64,
    main: u64,
    /// Before the first eviction, what does not fit into the small queue goes to the main one.
    filled: bool,
}

impl S3Fifo {
    fn limits(&mut self, limit: u64) {
        self.small_limit = (limit / 10).max(1);
        self.main_limit = limit.saturating_sub(self.small_limit);
    }

    fn evict_small(&mut self, slots: &Slots) -> Option<u32> {
        while let Some(slot) = self.queues.oldest(SMALL) {
            self.queues.unlink(slot);
            self.small -= slots.units(slot);
            if self.marks.get(slot) < TO_MAIN {
                self.ghosts.push(slots.hash(slot), slots.units(slot));
                return Some(slot);
            }
            self.enter_main(slot, slots);
        }
        None
    }

    fn evict_main(&mut self, slots: &Slots) -> Option<u32> {
        while let Some(slot) = self.queues.oldest(MAIN) {
            let uses = self.marks.get(slot);
            if uses == 0 {
                self.queues.unlink(slot);
                self.main -= slots.units(slot);
                return Some(slot);
            }
            self.queues.move_to_newest(MAIN, slot);
            self.marks.set(slot, uses.min(USES) - 1);
        }
        None
    }

    fn enter_main(&mut self, slot: u32, slots: &Slots) {
        self.main += slots.units(slot);
        self.marks.set(slot, 0);
        self.in_main.set(slot, true);
        self.queues.push_newest(MAIN, slot);
    }
}

impl Policy for S3Fifo {
    const NAME: &'static str = "S3-FIFO";
    const SHARED_HIT: bool = true;
    type View = MarksView;

    fn new(limit: u64) -> Self {
        let mut policy = Self {
            queues: Links::new(),
            marks: Marks::new(),
            in_main: Bits::default(),
            ghosts: Ghosts::new(),
            held: 0,
            small_limit: 0,
            main_limit: 0,
            small: 0,
            main: 0,
            filled: false,
        };
        policy.limits(limit);
        policy
    }
    fn reserve(&mut self, slots: usize) {
        self.queues.reserve(slots);
        self.marks.reserve(slots);
        self.in_main.reserve(slots);
    }
    fn set_limit(&mut self, limit: u64) {
        self.limits(limit);
    }

    fn insert(&mut self, slot: u32, slots: &Slots) {
        let units = slots.units(slot);
        let known = self.ghosts.take(slots.hash(slot), units);
        if known || (!self.filled && self.small.saturating_add(units) > self.small_limit) {
            self.enter_main(slot, slots);
        } else {
            self.small += units;
            self.marks.set(slot, 0);
            self.in_main.set(slot, false);
            self.queues.push_newest(SMALL, slot);
        }
        self.held += 1;
    }
    #[inline(always)]
    fn hit(&mut self, slot: u32, _: &Slots) {
        self.marks.count(slot, USES);
    }
    fn view(&self) -> MarksView {
        MarksView(self.marks.clone())
    }
    #[inline(always)]
    fn touch(view: &MarksView, slot: u32) {
        view.0.count(slot, USES);
    }
    fn evict(&mut self, slots: &Slots) -> Option<u32> {
        self.filled = true;
        let limit = self.small_limit + self.main_limit;
        self.ghosts.begin(limit - limit / 10, self.held);
        let slot = if self.main > self.main_limit || self.queues.is_empty(SMALL) {
            self.evict_main(slots).or_else(|| self.evict_small(slots))
        } else {
            self.evict_small(slots).or_else(|| self.evict_main(slots))
        }?;
        self.held -= 1;
        Some(slot)
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        self.queues.unlink(slot);
        self.held -= 1;
        if self.in_main.get(slot) {
            self.main -= slots.units(slot);
        } else {
            self.small -= slots.units(slot);
        }
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        let mut held = 0;
        for queue in [SMALL, MAIN] {
            self.queues.for_each(queue, |slot| {
                assert_eq!(self.in_main.get(slot), queue == MAIN, "a slot in the wrong queue");
                held += 1;
                each(slot);
            });
        }
        assert_eq!(held, self.held, "entries of the queues");
    }
    fn validate(&self, slots: &Slots) {
        for (queue, units) in [(SMALL, self.small), (MAIN, self.main)] {
            let sum = super::weigh(slots, |each| self.queues.for_each(queue, each));
            assert_eq!(sum, units, "what queue {queue} weighs");
        }
    }
    /// The uses, the queue, and whether there were evictions before.
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        self.for_each(&mut |slot| {
            let main = u64::from(self.in_main.get(slot));
            each(slot, u64::from(self.marks.get(slot)) | main << 2 | u64::from(self.filled) << 3);
        });
    }
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        let main = word & 4 == 4;
        self.filled |= word & 8 == 8;
        self.marks.set(slot, (word & 3) as u8);
        self.in_main.set(slot, main);
        let (queue, held) = if main { (MAIN, &mut self.main) } else { (SMALL, &mut self.small) };
        *held += slots.units(slot);
        self.queues.push_newest(queue, slot);
        self.held += 1;
    }
    fn clear(&mut self) {
        self.queues.clear();
        self.ghosts.clear();
        (self.small, self.main, self.held, self.filled) = (0, 0, 0, false);
    }
    fn bytes(&self) -> usize {
        self.queues.bytes() + self.marks.bytes() + self.in_main.bytes() + self.ghosts.bytes()
    }
}
