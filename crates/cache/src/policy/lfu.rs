//! Least frequently used in O(1) (Shah, Mitra and Matani 2010), ties by recency.

use super::{Policy, Slots};
use crate::links::Links;
use alloc::vec::Vec;

const NONE: u32 = u32::MAX;

/// Evicts what was used least since it was inserted; among equals, what was not used for the
/// longest. Counts never age: what was popular once stays, so this is for popularity that does
/// not change. 12 bytes an entry.
///
/// One list in order of count, then of recency, so the victim is its older end; and a group for
/// each count that occurs, which knows its newest entry. Groups that become empty are used again,
/// so there are never more of them than entries.
#[derive(Debug)]
pub struct Lfu {
    order: Links<1>,
    group_of: Vec<u32>,
    groups: Vec<Group>,
    /// Groups that are free, linked by `above`.
    free: u32,
    /// The group with the lowest count.
    lowest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    count: u64,
    newest: u32,
    len: u32,
    above: u32,
    below: u32,
}

impl Lfu {
    fn new_group(&mut self, count: u64, below: u32, above: u32) -> u32 {
        let group = Group { count, newest: NONE, len: 0, above, below };
        let at = if self.free == NONE {
            self.groups.push(group);
            self.groups.len() as u32 - 1
        } else {
            let at = self.free;
            self.free = self.groups[at as usize].above;
            self.groups[at as usize] = group;
            at
        };
        if below == NONE {
            self.lowest = at;
        } else {
            self.groups[below as usize].above = at;
        }
        if above != NONE {
            self.groups[above as usize].below = at;
        }
        at
    }

    /// Takes a slot out of its group and out of the order; a group that is empty then is freed.
    fn leave(&mut self, slot: u32) {
        let at = self.group_of[slot as usize];
        let older = self.order.older(slot);
        let group = &mut self.groups[at as usize];
        group.len -= 1;
        if group.newest == slot {
            group.newest = older.unwrap_or(NONE);
        }
        self.order.unlink(slot);
        if group.len == 0 {
            let Group { above, below, .. } = *group;
            group.above = self.free;
            self.free = at;
            match below {
                NONE => self.lowest = above,
                below => self.groups[below as usize].above = above,
            }
            if above != NONE {
                self.groups[above as usize].below = below;
            }
        }
    }
}

impl Policy for Lfu {
    const NAME: &'static str = "LFU";
    const SHARED_HIT: bool = false;
    type View = ();

    fn new(_: u64) -> Self {
        Self {
            order: Links::new(),
            group_of: Vec::new(),
            groups: Vec::new(),
            free: NONE,
            lowest: NONE,
        }
    }
    fn reserve(&mut self, slots: usize) {
        self.order.reserve(slots);
        self.group_of.reserve_exact(slots.saturating_sub(self.group_of.len()));
        self.group_of.resize(slots.max(self.group_of.len()), NONE);
    }
    fn set_limit(&mut self, _: u64) {}

    fn insert(&mut self, slot: u32, _: &Slots) {
        let at = match self.lowest {
            NONE => self.new_group(1, NONE, NONE),
            lowest if self.groups[lowest as usize].count == 1 => lowest,
            lowest => self.new_group(1, NONE, lowest),
        };
        let group = &mut self.groups[at as usize];
        match group.newest {
            NONE => self.order.push_oldest(0, slot),
            newest => self.order.insert_newer_than(newest, slot),
        }
        group.newest = slot;
        group.len += 1;
        self.group_of[slot as usize] = at;
    }

    fn hit(&mut self, slot: u32, _: &Slots) {
        let at = self.group_of[slot as usize];
        let Group { count, newest, len, above, .. } = self.groups[at as usize];
        // A count that is full stays; the entry is still the most recent of its group.
        let next = count.saturating_add(1);
        let joins = above != NONE && self.groups[above as usize].count == next;
        if len == 1 && !joins {
            self.groups[at as usize].count = next;
            return;
        }
        let (to, behind) = if next == count {
            (at, newest)
        } else if joins {
            (above, self.groups[above as usize].newest)
        } else {
            (self.new_group(next, at, above), newest)
        };
        if behind == slot {
            // It is the newest already, of a group that others stay in.
            if to != at {
                let older = self.order.older(slot).unwrap_or(NONE);
                let from = &mut self.groups[at as usize];
                (from.newest, from.len) = (older, len - 1);
                let group = &mut self.groups[to as usize];
                (group.newest, group.len) = (slot, 1);
                self.group_of[slot as usize] = to;
            }
            return;
        }
        // Before it leaves, so that its old group is freed only if nothing is put back into it.
        let group = &mut self.groups[to as usize];
        group.len += 1;
        self.leave(slot);
        self.order.insert_newer_than(behind, slot);
        self.groups[to as usize].newest = slot;
        self.group_of[slot as usize] = to;
    }

    fn view(&self) {}
    fn touch((): &(), _: u32) {}
    fn evict(&mut self, _: &Slots) -> Option<u32> {
        let slot = self.order.oldest(0)?;
        self.leave(slot);
        Some(slot)
    }
    fn remove(&mut self, slot: u32, _: &Slots) {
        self.leave(slot);
    }

    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        let (mut group, mut left) = (self.lowest, 0);
        let mut last = NONE;
        self.order.for_each(0, |slot| {
            if left == 0 {
                if last != NONE {
                    group = self.groups[group as usize].above;
                }
                left = self.groups[group as usize].len;
                assert!(left > 0, "an empty group");
            }
            assert_eq!(self.group_of[slot as usize], group, "an entry in the wrong group");
            left -= 1;
            assert_eq!(left == 0, self.groups[group as usize].newest == slot, "newest of a group");
            last = slot;
            each(slot);
        });
        assert_eq!(left, 0, "a group counts entries that are gone");
        let (mut at, mut count) = (self.lowest, 0);
        while at != NONE {
            assert!(self.groups[at as usize].count > count, "counts do not rise");
            count = self.groups[at as usize].count;
            at = self.groups[at as usize].above;
        }
    }
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        self.for_each(&mut |slot| {
            each(slot, self.groups[self.group_of[slot as usize] as usize].count);
        });
    }
    /// The newest of its count. Counts come rising from one cache, and nearly so from several shards,
    /// so the search from the highest is short.
    fn restore(&mut self, slot: u32, word: u64, _: &Slots) {
        let count = word.max(1);
        let (mut at, mut above) = (NONE, NONE);
        if let Some(newest) = self.order.newest(0) {
            at = self.group_of[newest as usize];
        }
        while at != NONE && self.groups[at as usize].count > count {
            (above, at) = (at, self.groups[at as usize].below);
        }
        let behind = if at == NONE { NONE } else { self.groups[at as usize].newest };
        if at == NONE || self.groups[at as usize].count < count {
            at = self.new_group(count, at, above);
        }
        match behind {
            NONE => self.order.push_oldest(0, slot),
            behind => self.order.insert_newer_than(behind, slot),
        }
        let group = &mut self.groups[at as usize];
        group.newest = slot;
        group.len += 1;
        self.group_of[slot as usize] = at;
    }
    fn clear(&mut self) {
        self.order.clear();
        self.groups.clear();
        (self.free, self.lowest) = (NONE, NONE);
    }
    fn bytes(&self) -> usize {
        self.order.bytes()
            + self.group_of.capacity() * 4
            + self.groups.capacity() * size_of::<Group>()
    }
}
