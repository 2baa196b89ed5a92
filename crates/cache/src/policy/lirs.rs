//! LIRS (Jiang and Zhang, SIGMETRICS 2002): by the distance between the last two uses.

use super::history::History;
use super::{Bits, Policy, Slots};
use crate::links::Links;

/// Keeps what is used again at short distances (the LIR entries, all but a hundredth) and lets the
/// others wait in a small queue. The stack has the LIR entries and, above the oldest of them, whoever
/// was used since, also if it has left: who is used again while it is there takes the place of the
/// LIR entry at the bottom. Best on loops, weak where use follows recency. About 70 bytes an entry,
/// as many ghosts as entries included.
#[derive(Debug)]
pub struct Lirs {
    /// Slots and ghosts, the newest on top; a slot is twice its number, a ghost one more.
    stack: Links<1>,
    in_stack: Bits,
    lir: Bits,
    /// Resident entries that are not LIR, the first to leave first.
    queue: Links<1>,
    history: History,
    /// Ghosts in order of leaving.
    left: Links<1>,
    limit: u64,
    lir_units: u64,
    queue_units: u64,
    /// Units in the stack, ghosts included.
    stack_units: u64,
    most_ghosts: usize,
}

const fn of_slot(slot: u32) -> u32 {
    slot * 2
}

const fn of_ghost(number: u32) -> u32 {
    number * 2 + 1
}

impl Lirs {
    /// Units for entries that are not LIR.
    fn queue_limit(&self) -> u64 {
        (self.limit / 100).max(1)
    }

    fn lir_limit(&self) -> u64 {
        self.limit.saturating_sub(self.queue_limit())
    }

    fn drop_ghost(&mut self, number: u32) {
        self.stack.unlink(of_ghost(number));
        self.left.unlink(number);
        self.stack_units -= self.history.remove(number);
    }

    fn push_on_stack(&mut self, slot: u32, units: u64) {
        if self.in_stack.get(slot) {
            self.stack.move_to_newest(0, of_slot(slot));
        } else {
            self.in_stack.set(slot, true);
            self.stack.push_newest(0, of_slot(slot));
            self.stack_units += units;
        }
    }

    fn leave_stack(&mut self, slot: u32, units: u64) {
        if self.in_stack.get(slot) {
            self.in_stack.set(slot, false);
            self.stack.unlink(of_slot(slot));
            self.stack_units -= units;
        }
    }

    /// Takes whatever is not LIR from the bottom of the stack.
    fn prune(&mut self, slots: &Slots) {
        while let Some(bottom) = self.stack.oldest(0) {
            let number = bottom / 2;
            if bottom % 2 == 1 {
                self.drop_ghost(number);
            } else if self.lir.get(number) {
                break;
            } else {
                self.leave_stack(number, slots.units(number));
            }
        }
    }

    /// LIR entries from the bottom join the queue until the others fit.
    fn settle(&mut self, slots: &Slots) {
        while self.lir_units > self.lir_limit() {
            self.prune(slots);
            let Some(bottom) = self.stack.oldest(0) else { break };
            let slot = bottom / 2;
            let units = slots.units(slot);
            self.leave_stack(slot, units);
            self.lir.set(slot, false);
            self.lir_units -= units;
            self.queue.push_newest(0, slot);
            self.queue_units += units;
        }
        self.prune(slots);
        let most = self.limit.saturating_mul(2);
        while self.stack_units > most {
            let Some(number) = self.left.oldest(0) else { break };
            self.drop_ghost(number);
        }
    }

    /// A slot of which nothing is known yet; says whether its key had a ghost, which is gone now.
    fn arrive(&mut self, slot: u32, slots: &Slots) -> bool {
        self.in_stack.set(slot, false);
        self.lir.set(slot, false);
        let ghost = self.history.find(slots.hash(slot));
        if let Some(number) = ghost {
            self.drop_ghost(number);
        }
        ghost.is_some()
    }

    fn become_lir(&mut self, slot: u32, slots: &Slots) {
        let units = slots.units(slot);
        self.push_on_stack(slot, units);
        self.lir.set(slot, true);
        self.lir_units = self.lir_units.saturating_add(units);
        self.settle(slots);
    }

    fn add_ghost(&mut self, slot: u32, slots: &Slots) {
        let (hash, units) = (slots.hash(slot), slots.units(slot));
        // What weighs nothing would make a history without end; a key has one ghost.
        if units == 0 || self.most_ghosts == 0 || self.history.find(hash).is_some() {
            return;
        }
        while self.history.len() >= self.most_ghosts {
            let Some(oldest) = self.left.oldest(0) else { break };
            self.drop_ghost(oldest);
        }
        let number = self.history.add(hash, units);
        let numbers = self.history.room();
        self.left.reserve(numbers);
        self.stack.reserve(numbers * 2);
        self.left.push_newest(0, number);
        // It takes the slot's place in the stack.
        self.stack.insert_newer_than(of_slot(slot), of_ghost(number));
        self.stack_units += units;
    }
}

impl Policy for Lirs {
    const NAME: &'static str = "LIRS";
    const SHARED_HIT: bool = false;
    type View = ();

    fn new(limit: u64) -> Self {
        Self {
            stack: Links::new(),
            in_stack: Bits::default(),
            lir: Bits::default(),
            queue: Links::new(),
            history: History::new(),
            left: Links::new(),
            limit,
            lir_units: 0,
            queue_units: 0,
            stack_units: 0,
            most_ghosts: 0,
        }
    }
    fn reserve(&mut self, slots: usize) {
        // Twice as many nodes as slots fit into 32 bits up to 2^31 - 1 slots; a cache of more than
        // that many entries is beyond this policy, and is refused by the assertion of `Links`.
        self.stack.reserve(slots.saturating_mul(2));
        self.in_stack.reserve(slots);
        self.lir.reserve(slots);
        self.queue.reserve(slots);
        self.most_ghosts = slots.saturating_mul(2);
    }
    fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    fn insert(&mut self, slot: u32, slots: &Slots) {
        let units = slots.units(slot);
        if self.arrive(slot, slots) || self.lir_units.saturating_add(units) <= self.lir_limit() {
            self.become_lir(slot, slots);
        } else {
            self.push_on_stack(slot, units);
            self.queue.push_newest(0, slot);
            self.queue_units += units;
            self.settle(slots);
        }
    }
    fn hit(&mut self, slot: u32, slots: &Slots) {
        let units = slots.units(slot);
        if self.lir.get(slot) {
            self.push_on_stack(slot, units);
            self.prune(slots);
        } else if self.in_stack.get(slot) {
            self.queue.unlink(slot);
            self.queue_units -= units;
            self.become_lir(slot, slots);
        } else {
            self.push_on_stack(slot, units);
            self.queue.move_to_newest(0, slot);
            self.settle(slots);
        }
    }
    fn view(&self) {}
    fn touch((): &(), _: u32) {}

    fn evict(&mut self, slots: &Slots) -> Option<u32> {
        let Some(slot) = self.queue.oldest(0) else {
            // Only LIR entries: the one at the bottom.
            self.prune(slots);
            let slot = self.stack.oldest(0)? / 2;
            self.remove(slot, slots);
            return Some(slot);
        };
        if self.in_stack.get(slot) {
            self.add_ghost(slot, slots);
        }
        self.remove(slot, slots);
        Some(slot)
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        let units = slots.units(slot);
        self.leave_stack(slot, units);
        if self.lir.get(slot) {
            self.lir.set(slot, false);
            self.lir_units -= units;
            self.prune(slots);
        } else {
            self.queue.unlink(slot);
            self.queue_units -= units;
        }
    }

    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        let mut ghosts = 0;
        self.queue.for_each(0, |slot| {
            assert!(!self.lir.get(slot), "a LIR entry in the queue");
            each(slot);
        });
        let mut bottom = true;
        self.stack.for_each(0, |node| {
            if node % 2 == 1 {
                ghosts += 1;
                assert!(!bottom, "a ghost at the bottom of the stack");
            } else {
                let slot = node / 2;
                assert!(self.in_stack.get(slot), "a slot in the stack that is not marked so");
                if self.lir.get(slot) {
                    each(slot);
                } else {
                    assert!(!bottom, "the bottom of the stack is not LIR");
                }
            }
            bottom = false;
        });
        assert_eq!(ghosts, self.history.len(), "ghosts of the stack");
        let mut left = 0;
        self.left.for_each(0, |_| left += 1);
        assert_eq!(left, ghosts, "ghosts in order of leaving");
        assert!(ghosts <= self.most_ghosts, "too many ghosts");
    }
    fn validate(&self, slots: &Slots) {
        let (mut lir, mut stack) = (0, 0);
        self.stack.for_each(0, |node| {
            let number = node / 2;
            let ghost = node % 2 == 1;
            let units = if ghost { self.history.units(number) } else { slots.units(number) };
            stack += units;
            lir += if !ghost && self.lir.get(number) { units } else { 0 };
        });
        assert_eq!(stack, self.stack_units, "what the stack weighs");
        assert_eq!(lir, self.lir_units, "what is LIR weighs");
        let queue = super::weigh(slots, |each| self.queue.for_each(0, each));
        assert_eq!(queue, self.queue_units, "what the queue weighs");
    }
    /// Who is LIR. Where the others stand among these is not kept: they come back below the stack.
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        self.for_each(&mut |slot| each(slot, u64::from(self.lir.get(slot))));
    }
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        self.arrive(slot, slots);
        if word & 1 == 1 {
            self.become_lir(slot, slots);
        } else {
            self.queue.push_newest(0, slot);
            self.queue_units += slots.units(slot);
        }
    }
    fn clear(&mut self) {
        self.stack.clear();
        self.queue.clear();
        self.left.clear();
        self.history.clear();
        (self.lir_units, self.queue_units, self.stack_units) = (0, 0, 0);
    }
    fn bytes(&self) -> usize {
        self.stack.bytes()
            + self.in_stack.bytes()
            + self.lir.bytes()
            + self.queue.bytes()
            + self.history.bytes()
            + self.left.bytes()
    }
}
