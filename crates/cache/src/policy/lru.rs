//! Least recently used: a list in order of the last use.

use super::{Policy, Slots};
use crate::links::Links;

/// Evicts what was not used for the longest. A hit moves a node of a list: three lines of memory,
/// and in a [`sync`](crate::sync) cache the lock of the shard. 8 bytes an entry.
#[derive(Debug)]
pub struct Lru {
    order: Links<1>,
}

impl Policy for Lru {
    const NAME: &'static str = "LRU";
    const SHARED_HIT: bool = false;
    type View = ();

    fn new(_: u64) -> Self {
        Self { order: Links::new() }
    }
    fn reserve(&mut self, slots: usize) {
        self.order.reserve(slots);
    }
    fn set_limit(&mut self, _: u64) {}
    fn insert(&mut self, slot: u32, _: &Slots) {
        self.order.push_newest(0, slot);
    }
    #[inline(always)]
    fn hit(&mut self, slot: u32, _: &Slots) {
        self.order.move_to_newest(0, slot);
    }
    fn view(&self) {}
    fn touch((): &(), _: u32) {}
    #[inline]
    fn evict(&mut self, _: &Slots) -> Option<u32> {
        let slot = self.order.oldest(0)?;
        self.order.unlink(slot);
        Some(slot)
    }
    fn remove(&mut self, slot: u32, _: &Slots) {
        self.order.unlink(slot);
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        self.order.for_each(0, each);
    }
    fn clear(&mut self) {
        self.order.clear();
    }
    fn bytes(&self) -> usize {
        self.order.bytes()
    }
}
