//! First in, first out.

use super::{Policy, Slots};
use crate::links::Links;

/// Evicts what was inserted first, used or not. 8 bytes an entry.
#[derive(Debug)]
pub struct Fifo {
    order: Links<1>,
}

impl Policy for Fifo {
    const NAME: &'static str = "FIFO";
    const SHARED_HIT: bool = true;
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
    fn hit(&mut self, _: u32, _: &Slots) {}
    fn view(&self) {}
    fn touch((): &(), _: u32) {}
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
