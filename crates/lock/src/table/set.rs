//! The shards that an operation holds locked.

use super::shard::{Candidate, Part, Rich, Shard, Waiter};
use alloc::vec::Vec;
use archstone_core::pad::CachePadded;
use archstone_core::spin::{Guard, Lock};

pub(super) type Shards<K> = [CachePadded<Lock<Shard<K>>>];

/// Shards are locked in ascending order, so operations never wait for each other in a circle.
pub(super) enum Set<'a, K> {
    One(u16, Guard<'a, Shard<K>>),
    Many(Vec<(u16, Guard<'a, Shard<K>>)>),
}

impl<'a, K: Eq> Set<'a, K> {
    /// `ids` ascending, without repeats, at least one.
    pub(super) fn lock(shards: &'a Shards<K>, ids: &[u16]) -> Self {
        match ids {
            [id] => Self::One(*id, shards[usize::from(*id)].lock()),
            ids => Self::Many(ids.iter().map(|&id| (id, shards[usize::from(id)].lock())).collect()),
        }
    }

    #[inline(always)]
    pub(super) fn at(&mut self, id: u16) -> &mut Shard<K> {
        match self {
            Self::One(_, shard) => shard,
            Self::Many(all) => {
                let at = all.binary_search_by_key(&id, |one| one.0);
                &mut all[at.expect("the operation locked this shard")].1
            }
        }
    }

    pub(super) fn each(&mut self, mut with: impl FnMut(&mut Shard<K>)) {
        match self {
            Self::One(_, shard) => with(shard),
            Self::Many(all) => all.iter_mut().for_each(|one| with(&mut one.1)),
        }
    }

    /// The home shard and those of `parts`. Whatever else was locked is let go first: the home is
    /// the lowest, so what follows is again in ascending order.
    pub(super) fn widen(self, shards: &'a Shards<K>, parts: &[Part]) -> Self {
        let (home, guard) = match self {
            Self::One(id, guard) => (id, guard),
            Self::Many(mut all) => {
                all.truncate(1);
                match all.pop() {
                    Some(one) => one,
                    None => unreachable!("a set has its home"),
                }
            }
        };
        if parts.iter().all(|part| part.shard == home) {
            return Self::One(home, guard);
        }
        let mut ids: Vec<u16> =
            parts.iter().map(|part| part.shard).filter(|&id| id != home).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut all = Vec::with_capacity(ids.len() + 1);
        all.push((home, guard));
        all.extend(ids.into_iter().map(|id| (id, shards[usize::from(id)].lock())));
        Self::Many(all)
    }

    /// A number above all that these shards have given.
    pub(super) fn issue(&mut self) -> u64 {
        let mut last = 0;
        self.each(|shard| last = shard.last.max(last));
        let number = last.saturating_add(1);
        self.each(|shard| shard.last = number);
        number
    }

    /// Takes `rich` off the holders of its keys, and says who may run now.
    pub(super) fn let_go(&mut self, rich: &Rich, found: &mut Vec<Candidate>) {
        for part in rich.parts.as_slice() {
            let book = &mut self.at(part.shard).books[part.book];
            book.occupancy.remove(part.span, part.permits);
            book.holders -= 1;
        }
        self.look(rich, found);
    }

    pub(super) fn take(&mut self, parts: &[Part]) {
        for part in parts {
            let book = &mut self.at(part.shard).books[part.book];
            book.occupancy.add(part.span, part.permits, book.capacity);
            book.holders += 1;
        }
    }

    pub(super) fn queue(&mut self, parts: &[Part], home: u16, slot: u32, number: u64) {
        for part in parts {
            let (permits, span) = (part.permits, part.span);
            let waiter = Waiter { number, slot, shard: home, permits, span };
            self.at(part.shard).books[part.book].queue.push_back(waiter);
        }
    }

    pub(super) fn unqueue(&mut self, parts: &[Part], number: u64) {
        for part in parts {
            let queue = &mut self.at(part.shard).books[part.book].queue;
            // Several parts of one key are several entries; each turn takes the first left.
            if let Some(at) = queue.iter().position(|waiter| waiter.number == number) {
                queue.remove(at);
            }
        }
    }

    pub(super) fn look(&mut self, rich: &Rich, found: &mut Vec<Candidate>) {
        for part in rich.parts.as_slice() {
            self.at(part.shard).look(part.book, found);
        }
    }
}
