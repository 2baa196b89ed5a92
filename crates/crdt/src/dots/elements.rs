//! Elements under dots, found by either: the store of sets.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use super::DotStore;
use super::bits::{Bits, numbers};
use super::small::Dots;
use crate::clock::CausalContext;
use crate::id::{Dot, ReplicaId};

/// One row an element and dot; an element that replicas added concurrently has a row for each.
///
/// Columns of elements, counters and replicas, two tables of row numbers (by element, by dot), and
/// the live dots of each replica as bits. A merge compares the bits, 64 elements at a time, and
/// touches only the rows that differ: O(elements / 64 + differences), not O(elements).
///
/// Memory: `size_of::<T>() + 12` bytes a row plus up to an eighth, 5 bytes a table and bucket (1.15
/// to 2.3 buckets a row), a quarter of a byte for the bits: about 37 for 10,000 `u64`.
///
/// Add, remove and contains are O(1) expected; iteration is in no particular order.
#[derive(Clone)]
pub struct Elements<T, H = ahash::RandomState> {
    items: Vec<T>,
    counters: Vec<u64>,
    /// An index into `live`.
    owners: Vec<u32>,
    by_item: HashTable<u32>,
    by_dot: HashTable<u32>,
    /// Sorted by id; a replica keeps its index for good.
    replicas: Vec<(ReplicaId, u32)>,
    live: Vec<(ReplicaId, Bits)>,
    /// Rows beyond the first of their element.
    doubles: usize,
    hasher: H,
}

impl<T, H: Default> Default for Elements<T, H> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            counters: Vec::new(),
            owners: Vec::new(),
            by_item: HashTable::new(),
            by_dot: HashTable::new(),
            replicas: Vec::new(),
            live: Vec::new(),
            doubles: 0,
            hasher: H::default(),
        }
    }
}

/// Room for a push that leaves at most an eighth unused.
fn room<V>(column: &mut Vec<V>) {
    if column.len() == column.capacity() {
        column.reserve_exact((column.len() / 8).max(4));
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher> Elements<T, H> {
    /// Elements, each once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len() - self.doubles
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether `item` is there.
    #[inline]
    #[must_use]
    pub fn contains<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.row_of(item).is_some()
    }

    /// The elements, each once, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        let first_of = |row: usize, item: &T| {
            // A row is the one that counts if it is the least of its element's.
            self.rows_of(item).min() == Some(row)
        };
        let doubles = self.doubles > 0;
        let rows = self.items.iter().enumerate();
        rows.filter(move |&(row, item)| !doubles || first_of(row, item)).map(|(_, item)| item)
    }

    /// The dots under which `item` is there.
    pub fn dots_of<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> Dots
    where
        T: Borrow<Q>,
    {
        let mut dots = Dots::new();
        dots.extend(self.rows_of(item).map(|row| self.dot(row)));
        dots
    }

    /// Dots and elements, by dot: the canonical order.
    pub(crate) fn by_dot(&self) -> impl Iterator<Item = (Dot, &T)> + '_ {
        self.replicas.iter().flat_map(move |&(replica, owner)| {
            self.live[owner as usize].1.iter().filter_map(move |counter| {
                let row = self.row_at(owner, counter)?;
                Some((Dot::new(replica, counter), &self.items[row]))
            })
        })
    }

    /// The live dots of each replica, by id.
    pub(crate) fn by_replica(&self) -> impl Iterator<Item = (ReplicaId, &Bits)> + '_ {
        self.replicas.iter().map(|&(replica, owner)| (replica, &self.live[owner as usize].1))
    }

    /// The element under `dot`.
    pub(crate) fn at(&self, dot: Dot) -> Option<&T> {
        let row = self.row_at(self.owner(dot.replica)?, dot.counter)?;
        Some(&self.items[row])
    }

    #[inline]
    fn dot(&self, row: usize) -> Dot {
        Dot::new(self.live[self.owners[row] as usize].0, self.counters[row])
    }

    #[inline]
    fn hash_dot(&self, owner: u32, counter: u64) -> u64 {
        self.hasher.hash_one((owner, counter))
    }

    /// A row of `item`.
    #[inline]
    pub(crate) fn row_of<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
    {
        let same = |&row: &u32| self.items[row as usize].borrow() == item;
        self.by_item.find(self.hasher.hash_one(item), same).map(|&row| row as usize)
    }

    fn rows_of<'a, Q: Hash + Eq + ?Sized>(&'a self, item: &'a Q) -> impl Iterator<Item = usize> + 'a
    where
        T: Borrow<Q>,
    {
        let candidates = self.by_item.iter_hash(self.hasher.hash_one(item));
        candidates.map(|&row| row as usize).filter(move |&row| self.items[row].borrow() == item)
    }

    #[inline]
    fn row_at(&self, owner: u32, counter: u64) -> Option<usize> {
        let same = |&row: &u32| {
            self.counters[row as usize] == counter && self.owners[row as usize] == owner
        };
        self.by_dot.find(self.hash_dot(owner, counter), same).map(|&row| row as usize)
    }

    fn owner(&self, replica: ReplicaId) -> Option<u32> {
        let at = self.replicas.binary_search_by_key(&replica, |entry| entry.0).ok()?;
        Some(self.replicas[at].1)
    }

    #[inline]
    fn owner_or_new(&mut self, replica: ReplicaId) -> u32 {
        match self.replicas.binary_search_by_key(&replica, |entry| entry.0) {
            Ok(at) => self.replicas[at].1,
            Err(at) => {
                let owner = self.live.len() as u32;
                self.live.push((replica, Bits::new()));
                self.replicas.insert(at, (replica, owner));
                owner
            }
        }
    }

    /// Puts `item` under `dot` alone; its dots until now go to `dropped`.
    pub(crate) fn put(&mut self, item: T, dot: Dot, dropped: &mut Dots) {
        let Some(row) = self.row_of(&item) else { return self.push(item, dot) };
        if self.doubles > 0 {
            let other = self.rows_of(&item).find(|&other| other != row);
            if let Some(other) = other {
                dropped.push(self.dot(other));
                self.remove_row(other);
                // The last row took the place of `other`; ours may have been it.
                return self.put(item, dot, dropped);
            }
        }
        dropped.push(self.dot(row));
        self.unlink_dot(row);
        self.link_dot(row, dot);
    }

    /// Drops `item`; its dots go to `dropped`.
    pub(crate) fn take<Q: Hash + Eq + ?Sized>(&mut self, item: &Q, dropped: &mut Dots)
    where
        T: Borrow<Q>,
    {
        if let Some(row) = self.row_of(item) {
            self.take_row(row, dropped);
        }
    }

    /// Drops the element of `row`; its dots go to `dropped`.
    pub(crate) fn take_row(&mut self, row: usize, dropped: &mut Dots) {
        let mut next = Some(row);
        while let Some(row) = next {
            dropped.push(self.dot(row));
            next = self.remove_row(row);
        }
    }

    /// Drops the row under `dot`; whether there was one.
    pub(crate) fn drop_dot(&mut self, dot: Dot) -> bool {
        let Some(owner) = self.owner(dot.replica) else { return false };
        let Some(row) = self.row_at(owner, dot.counter) else { return false };
        self.remove_row(row);
        true
    }

    /// A row more, under a dot that is not there.
    pub(crate) fn push(&mut self, item: T, dot: Dot) {
        let row = self.items.len();
        assert!(row < u32::MAX as usize, "more than 2^32 - 2 elements in one set");
        let hash = self.hasher.hash_one(&item);
        let double = self.by_item.find(hash, |&r| self.items[r as usize] == item).is_some();
        self.doubles += usize::from(double);
        room(&mut self.items);
        room(&mut self.counters);
        room(&mut self.owners);
        self.items.push(item);
        let (items, hasher) = (&self.items, &self.hasher);
        let rehash = |&row: &u32| hasher.hash_one(&items[row as usize]);
        self.by_item.insert_unique(hash, row as u32, rehash);
        self.counters.push(0);
        self.owners.push(0);
        self.link_dot(row, dot);
    }

    fn link_dot(&mut self, row: usize, dot: Dot) {
        let owner = self.owner_or_new(dot.replica);
        self.counters[row] = dot.counter;
        self.owners[row] = owner;
        self.live[owner as usize].1.insert(dot.counter);
        let hash = self.hash_dot(owner, dot.counter);
        let (counters, owners, hasher) = (&self.counters, &self.owners, &self.hasher);
        let rehash = |&row: &u32| hasher.hash_one((owners[row as usize], counters[row as usize]));
        self.by_dot.insert_unique(hash, row as u32, rehash);
    }

    fn unlink_dot(&mut self, row: usize) {
        let (owner, counter) = (self.owners[row], self.counters[row]);
        self.live[owner as usize].1.remove(counter);
        let hash = self.hash_dot(owner, counter);
        if let Ok(entry) = self.by_dot.find_entry(hash, |&r| r as usize == row) {
            entry.remove();
        }
    }

    /// Drops a row; another row of the same element, if there is one.
    fn remove_row(&mut self, row: usize) -> Option<usize> {
        self.unlink_dot(row);
        let hash = self.hasher.hash_one(&self.items[row]);
        if let Ok(entry) = self.by_item.find_entry(hash, |&r| r as usize == row) {
            entry.remove();
        }
        let mut twin = None;
        if self.doubles > 0 {
            let same = |&r: &u32| self.items[r as usize] == self.items[row];
            twin = self.by_item.find(hash, same).map(|&r| r as usize);
            self.doubles -= usize::from(twin.is_some());
        }
        let last = self.items.len() - 1;
        if row < last {
            // The last row moves into the hole, and both tables hear of it.
            let item_hash = self.hasher.hash_one(&self.items[last]);
            if let Some(slot) = self.by_item.find_mut(item_hash, |&r| r as usize == last) {
                *slot = row as u32;
            }
            let dot_hash = self.hash_dot(self.owners[last], self.counters[last]);
            if let Some(slot) = self.by_dot.find_mut(dot_hash, |&r| r as usize == last) {
                *slot = row as u32;
            }
        }
        self.items.swap_remove(row);
        self.counters.swap_remove(row);
        self.owners.swap_remove(row);
        twin.map(|twin| if twin == last { row } else { twin })
    }

    fn bits(&self, replica: ReplicaId) -> Option<&Bits> {
        self.owner(replica).map(|owner| &self.live[owner as usize].1)
    }

    /// Calls `each` with every live word of `self` in which `news` leaves a bit.
    fn words(&self, mut each: impl FnMut(ReplicaId, u64, u64)) {
        for (replica, bits) in &self.live {
            for &(word, bits) in bits.words() {
                each(*replica, word, bits);
            }
        }
    }

    /// Live here and seen but no longer live there.
    fn dropped_by(&self, other: &Self, theirs: &CausalContext) -> Vec<Dot> {
        let mut dots = Vec::new();
        for (replica, bits) in &self.live {
            let (view, their_bits) = (theirs.view(*replica), other.bits(*replica));
            for &(word, live) in bits.words() {
                let gone = live & !their_bits.map_or(0, |b| b.word(word)) & view.word(word);
                if gone != 0 {
                    dots.extend(numbers(word, gone).map(|n| Dot::new(*replica, n)));
                }
            }
        }
        dots
    }

    /// Live words of `other` that `ours` has not seen all of.
    fn news_of(other: &Self, ours: &CausalContext, mut each: impl FnMut(ReplicaId, u64, u64)) {
        for (replica, bits) in &other.live {
            let view = ours.view(*replica);
            for &(word, live) in bits.words() {
                let news = live & !view.word(word);
                if news != 0 {
                    each(*replica, word, news);
                }
            }
        }
    }

    /// Bytes on the heap, those of the elements' own not counted. O(replicas).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let rows = self.items.capacity() * size_of::<T>()
            + self.counters.capacity() * 8
            + self.owners.capacity() * 4;
        let live: usize = self.live.iter().map(|(_, bits)| 16 * bits.words().len()).sum();
        rows + self.by_item.allocation_size() + self.by_dot.allocation_size() + live
    }

    /// Checks every link; for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        assert_eq!(self.by_item.len(), self.items.len());
        assert_eq!(self.by_dot.len(), self.items.len());
        let mut firsts = 0;
        for (row, item) in self.items.iter().enumerate() {
            let dot = self.dot(row);
            assert_eq!(self.row_at(self.owners[row], dot.counter), Some(row), "{dot:?}");
            assert!(self.rows_of(item).any(|r| r == row));
            assert!(self.bits(dot.replica).is_some_and(|bits| bits.contains(dot.counter)));
            firsts += usize::from(self.rows_of(item).min() == Some(row));
        }
        assert_eq!(firsts, self.len());
        let live: u64 = self.live.iter().map(|(_, bits)| bits.len()).sum();
        assert_eq!(live, self.items.len() as u64);
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher + Default + Clone> DotStore for Elements<T, H> {
    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn dots(&self, each: &mut dyn FnMut(Dot)) {
        self.words(|replica, word, bits| {
            numbers(word, bits).for_each(|n| each(Dot::new(replica, n)));
        });
    }

    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext) -> bool {
        let gone = self.dropped_by(other, theirs);
        let mut news = 0;
        Self::news_of(other, ours, |_, _, bits| news += bits.count_ones() as usize);
        for dot in &gone {
            self.drop_dot(*dot);
        }
        if news == 0 {
            return !gone.is_empty();
        }
        if news >= 64 {
            let (items, hasher) = (&self.items, &self.hasher);
            self.by_item.reserve(news, |&row| hasher.hash_one(&items[row as usize]));
            let (counters, owners) = (&self.counters, &self.owners);
            let dot = |&row: &u32| hasher.hash_one((owners[row as usize], counters[row as usize]));
            self.by_dot.reserve(news, dot);
            self.items.reserve_exact(news);
            self.counters.reserve_exact(news);
            self.owners.reserve_exact(news);
        }
        if news > other.items.len() / 8 {
            // Most of it: in the order of their rows, which is the order of their memory.
            let views: Vec<_> = other.live.iter().map(|(replica, _)| ours.view(*replica)).collect();
            for row in 0..other.items.len() {
                if !views[other.owners[row] as usize].contains(other.counters[row]) {
                    self.push(other.items[row].clone(), other.dot(row));
                }
            }
        } else {
            Self::news_of(other, ours, |replica, word, bits| {
                for counter in numbers(word, bits) {
                    let owner = other.owner(replica).unwrap_or(u32::MAX);
                    if let Some(row) = other.row_at(owner, counter) {
                        self.push(other.items[row].clone(), Dot::new(replica, counter));
                    }
                }
            });
        }
        true
    }

    fn part(&self, seen: &CausalContext) -> Self {
        let mut part = Self { hasher: self.hasher.clone(), ..Self::default() };
        Self::news_of(self, seen, |replica, word, bits| {
            for counter in numbers(word, bits) {
                let row = self.owner(replica).and_then(|owner| self.row_at(owner, counter));
                if let Some(row) = row {
                    part.push(self.items[row].clone(), Dot::new(replica, counter));
                }
            }
        });
        part
    }
}

/// The same elements under the same dots.
impl<T: Hash + Eq + Clone, H: BuildHasher> PartialEq for Elements<T, H> {
    fn eq(&self, other: &Self) -> bool {
        self.items.len() == other.items.len()
            && (0..self.items.len()).all(|row| {
                let dot = self.dot(row);
                let their_row = other.owner(dot.replica).and_then(|o| other.row_at(o, dot.counter));
                their_row.is_some_and(|their_row| other.items[their_row] == self.items[row])
            })
    }
}

impl<T: Hash + Eq + Clone, H: BuildHasher> Eq for Elements<T, H> {}

impl<T: Hash + Eq + Clone + fmt::Debug, H: BuildHasher> fmt::Debug for Elements<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.by_dot()).finish()
    }
}
