//! The invariants, checked over the whole table: for tests, O(everything).

use super::LeaseTable;
use super::set::Set;
use super::shard::{BOOK, GHOST, Parts, State};
use crate::calendar::{Calendar, Steps};
use crate::demand::Span;
use crate::slab::NONE;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use archstone_core::shim::atomic::Ordering;
use core::hash::{BuildHasher, Hash};

impl<K: Hash + Eq, S: BuildHasher> LeaseTable<K, S> {
    /// Panics when an invariant does not hold. Locks all shards.
    #[doc(hidden)]
    pub fn audit(&self) {
        let ids: Vec<u16> = (0..self.shards.len() as u16).collect();
        let mut set = Set::lock(&self.shards, &ids);
        let mut sums: BTreeMap<(u16, u32), (Steps, u32)> = BTreeMap::new();
        let mut queued: BTreeSet<(u64, u16, u32)> = BTreeSet::new();
        let (mut waiting, mut parts_waiting, mut spanning) = (0, 0, 0);
        for &id in &ids {
            let shard = set.at(id);
            let armed = shard.wheel.audit(&shard.slots, |slot| slot.links);
            let ends = shard.slots.iter().filter(|(_, slot)| slot.until != u64::MAX).count();
            assert_eq!(armed, ends, "what ends is in the wheel, once");
            let mut sole = 0;
            for (at, slot) in shard.slots.iter() {
                assert!(slot.id <= shard.last, "numbers come from the counter");
                if slot.rich == NONE || slot.rich == GHOST {
                    sole += 1;
                    let key = slot.key.as_ref().expect("a sole lease has its key");
                    assert_eq!(shard.find(slot.hash, key), Some(at), "its key leads to it");
                    continue;
                }
                let rich = &shard.rich[slot.rich];
                let parts: &Parts = &rich.parts;
                assert_eq!(
                    parts.as_slice().iter().map(|p| p.shard).min(),
                    Some(id),
                    "home is the lowest"
                );
                if let State::Waiting { .. } = rich.state {
                    waiting += 1;
                    parts_waiting += parts.as_slice().len();
                    queued.insert((slot.id, id, at));
                    continue;
                }
                spanning += usize::from(parts.spans());
                for part in parts.as_slice() {
                    let sum = sums.entry((part.shard, part.book)).or_default();
                    sum.0.add(part.span, part.permits);
                    sum.1 += 1;
                }
            }
            assert_eq!(sole + shard.books.len(), shard.index.len(), "a key is in the index once");
            assert_eq!(
                shard.rich.len() + sole,
                shard.slots.len(),
                "a record for each that needs one"
            );
        }
        assert_eq!(waiting, self.waiting(), "waiters are counted");
        let counted = self.spanning.load(Ordering::Relaxed);
        assert_eq!(spanning, counted, "leases of several shards are counted");
        for &id in &ids {
            for (at, book) in set.at(id).books.iter() {
                let (sum, holders) = sums.remove(&(id, at)).unwrap_or_default();
                assert_eq!(holders, book.holders);
                assert!(holders > 0 || !book.queue.is_empty(), "a free key costs nothing (I13)");
                let points = book.queue.iter().map(|w| w.span).chain([Span::WHOLE]);
                for span in points {
                    let peak = sum.peak(span);
                    assert!(peak <= book.capacity, "never more than there is (I1)");
                    assert_eq!(
                        peak,
                        book.occupancy.peak(span, book.capacity),
                        "occupancy is the sum"
                    );
                }
                assert!(sum.peak(Span::new(i64::MIN, i64::MAX)) <= book.capacity, "(I1)");
                let mut last = 0;
                for waiter in &book.queue {
                    assert!(waiter.number >= last, "in order of arrival");
                    last = waiter.number;
                    assert!(queued.contains(&(waiter.number, waiter.shard, waiter.slot)));
                    parts_waiting -= 1;
                }
            }
        }
        assert!(sums.is_empty(), "every lease's keys have books");
        assert_eq!(parts_waiting, 0, "a request waits at each of its keys");
        // I7: whoever could run, runs.
        for (number, home, at) in queued {
            let rich = set.at(home).slots[at].rich;
            let parts = set.at(home).rich[rich].parts.as_slice().to_vec();
            let runs = parts.iter().all(|part| {
                let book = &set.at(part.shard).books[part.book];
                book.occupancy.fits(part.span, part.permits, book.capacity)
                    && !book.is_blocked(number, part.span)
            });
            assert!(!runs, "request {number} could run and waits (I7)");
        }
        // The index entries point to what is there.
        for id in ids {
            let shard = set.at(id);
            shard.index.audit();
            for entry in shard.index.entries() {
                let there = if entry & BOOK == 0 {
                    shard.slots.get(entry).is_some()
                } else {
                    shard.books.get(entry & !BOOK).is_some()
                };
                assert!(there, "an index entry leads somewhere");
            }
        }
    }
}
