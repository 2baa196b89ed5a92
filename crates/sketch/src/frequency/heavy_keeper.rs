use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};
use archstone_core::hash::{hash_u64, mix};

use super::dense::Dense;
use super::hitter::{Hitter, largest};
use crate::wire::serde_as_wire;
use crate::{Incompatible, Item, Key, Merge, ParamError, Wire, kinds, math};

/// HeavyKeeper (Gong et al. 2018): a list of k items over a table of counters that decay when
/// others fall on them.
///
/// Each row holds a fingerprint and a count in every cell. An item that finds its own fingerprint
/// raises the count; another makes it fall by one with probability `b^-count` and takes the cell
/// when it reaches zero. So large counts stay and small ones make room. An item enters the list of
/// k when its count exceeds the smallest on it; [`add`](Self::add) returns the one that left, as
/// RedisBloom's `TOPK.ADD` does.
///
/// **Guarantee.** Unless two items share a 32-bit fingerprint and a cell (`n / 2^32 / w`), a count
/// is never above the truth; it is short by at most `eps N` with probability at least
/// `1 - 1 / (2 eps w n_i (b - 1))` for an item of count `n_i` (theorem 2 of the paper). Prefer
/// [`TopK`](super::TopK): faster and with an error on each item. This one is for equal results with
/// systems that use it.
///
/// **Memory** `8 * w * d` bytes and k items. **Cost** d cells; the list costs O(k) only when the
/// smallest of it changes.
///
/// ```
/// use archstone_sketch::frequency::HeavyKeeper;
///
/// let mut list = HeavyKeeper::<String>::new(1, 4, 256)?;
/// assert_eq!(list.add("a"), None);
/// assert_eq!(list.add_n("b", 2).as_deref(), Some("a"));
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeavyKeeper<T> {
    /// `fingerprint << 32 | count`, row after row.
    cells: Box<[u64]>,
    list: Dense<T, u64>,
    /// Position in the list of its smallest count; valid when the list is full.
    smallest: usize,
    k: usize,
    width: u32,
    depth: u32,
    seed: u64,
    coin: u64,
    total: u64,
}

/// The base of the decay, the paper's 1.08.
const BASE: f64 = 1.08;

impl<T: Key> HeavyKeeper<T> {
    /// The longest list.
    pub const MAX_K: u64 = 1 << 20;
    /// The most cells: 2^27, a gigabyte.
    pub const MAX_CELLS: u64 = 1 << 27;
    /// The most rows.
    pub const MAX_DEPTH: u32 = 16;

    /// A list of `k` over `depth` rows of `width` cells.
    ///
    /// # Errors
    /// When any is 0, `k` over 2^20, `depth` over 16 or the cells over 2^27.
    pub fn new(k: usize, depth: u32, width: u32) -> Result<Self, ParamError> {
        ParamError::whole("k", k as u64, 1, Self::MAX_K)?;
        ParamError::whole("depth", depth.into(), 1, Self::MAX_DEPTH.into())?;
        ParamError::whole("width", width.into(), 1, Self::MAX_CELLS / u64::from(depth))?;
        Ok(Self::build(k, depth, width))
    }

    fn build(k: usize, depth: u32, width: u32) -> Self {
        Self {
            cells: alloc::vec![0; depth as usize * width as usize].into(),
            list: Dense::new(0),
            smallest: 0,
            k,
            width,
            depth,
            seed: 0,
            coin: 0,
            total: 0,
        }
    }

    /// The same shape under another seed of hash and coin, emptied.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, coin: mix(seed), ..Self::build(self.k, self.depth, self.width) }
    }

    /// Adds one of `item`; returns the item that left the list.
    #[inline]
    pub fn add<Q>(&mut self, item: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        self.add_n(item, 1)
    }

    /// Adds `n` of `item`, as n times one would; returns the item that left the list.
    pub fn add_n<Q>(&mut self, item: &Q, n: u64) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if n == 0 {
            return None;
        }
        self.total = self.total.saturating_add(n);
        let hash = item.digest(self.seed);
        let count = u64::from(self.raise(hash, n.min(u64::from(u32::MAX)) as u32));
        if let Some(at) = self.list.find(hash, item) {
            let kept = self.list.value_at(at);
            // A cell may have been lost since; what the list has counted stands.
            if count > *kept {
                *kept = count;
                if at == self.smallest {
                    self.find_smallest();
                }
            }
            return None;
        }
        if count == 0 {
            return None;
        }
        if self.list.len() < self.k {
            self.list.insert(hash, item.to_owned(), count);
            self.find_smallest();
            return None;
        }
        if count <= *self.list.value_at(self.smallest) {
            return None;
        }
        let expelled = self.list.swap_remove(self.smallest).item;
        self.list.insert(hash, item.to_owned(), count);
        self.find_smallest();
        Some(expelled)
    }

    /// The list, the largest counts first. Counts are not above the truth, so `error` is 0.
    #[must_use]
    pub fn top(&self) -> Vec<Hitter<'_, T>> {
        let entries = self.list.entries().iter();
        largest(entries.map(|e| Hitter { item: &e.item, count: e.value, error: 0 }), self.k)
    }

    /// The estimate for any item: not above the truth, 0 when no cell is its own.
    pub fn count<Q>(&self, item: &Q) -> u64
    where
        T: Borrow<Q>,
        Q: Item + Eq + ?Sized,
    {
        let hash = item.digest(self.seed);
        let listed = self.list.value(hash, item).copied().unwrap_or(0);
        let own = |row| {
            let (at, print) = self.place(hash, row);
            let (found, count) = split(self.cells[at]);
            if found == print { u64::from(count) } else { 0 }
        };
        (0..self.depth).map(own).fold(listed, u64::max)
    }

    /// N: the weight added so far, at most `u64::MAX`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The length of the list when full.
    #[must_use]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Bytes held, those of the items on the heap included. O(k).
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.cells.len() * size_of::<u64>() + self.list.memory()
    }

    /// Adds to the cells of a hash; the largest count among those that are its own.
    fn raise(&mut self, hash: u64, n: u32) -> u32 {
        let mut most = 0;
        for row in 0..self.depth {
            let (at, print) = self.place(hash, row);
            let (found, count) = split(self.cells[at]);
            let (found, count) = if count == 0 || found == print {
                (print, count.saturating_add(n))
            } else {
                match self.decay(count, n) {
                    (0, left) => (print, left),
                    (count, _) => (found, count),
                }
            };
            self.cells[at] = join(found, count);
            if found == print {
                most = most.max(count);
            }
        }
        most
    }

    /// `n` tries to lower another's `count`; the count and, if it fell to zero, the tries left,
    /// which are the newcomer's. The wait for a success is geometric, so a weight costs no more
    /// than the count it meets.
    fn decay(&mut self, mut count: u32, mut n: u32) -> (u32, u32) {
        while n > 0 && count > 0 {
            let p = math::pow(BASE, -f64::from(count));
            self.coin = self.coin.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let uniform = ((mix(self.coin) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            let tries = math::floor(math::ln(uniform) / math::log1p(-p)) + 1.0;
            // NaN (p = 1) is one try, infinity more than there are.
            if tries > f64::from(n) {
                return (count, 0);
            }
            n -= (tries as u32).clamp(1, n);
            count -= 1;
        }
        // The try that made it zero also takes the cell.
        (count, n + u32::from(count == 0))
    }

    fn find_smallest(&mut self) {
        let counts = self.list.entries().iter().map(|entry| entry.value).enumerate();
        self.smallest = counts.min_by_key(|&(_, count)| count).map_or(0, |(at, _)| at);
    }

    /// The cell of a row and the fingerprint there.
    fn place(&self, hash: u64, row: u32) -> (usize, u32) {
        let word = hash_u64(hash, row.into());
        let column = ((word >> 32) * u64::from(self.width)) >> 32;
        (row as usize * self.width as usize + column as usize, hash as u32)
    }
}

const fn split(cell: u64) -> (u32, u32) {
    ((cell >> 32) as u32, cell as u32)
}

const fn join(print: u32, count: u32) -> u64 {
    (print as u64) << 32 | count as u64
}

impl<T: Key> Merge for HeavyKeeper<T> {
    /// Cell by cell: equal fingerprints add up, of different ones the larger count stays, less the
    /// smaller. Items of both lists compete with the sum of what the two lists and tables know.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("k", self.k as u64, other.k as u64)?;
        Incompatible::unless_equal("width", self.width.into(), other.width.into())?;
        Incompatible::unless_equal("depth", self.depth.into(), other.depth.into())?;
        Incompatible::unless_equal("seed", self.seed, other.seed)?;
        let mut all: Vec<(T, u64, u64)> = Vec::new();
        for entry in self.list.entries() {
            let count = entry.value.saturating_add(other.count(&entry.item));
            all.push((entry.item.clone(), entry.hash, count));
        }
        for entry in other.list.entries() {
            if self.list.find(entry.hash, &entry.item).is_none() {
                let count = entry.value.saturating_add(self.count(&entry.item));
                all.push((entry.item.clone(), entry.hash, count));
            }
        }
        all.sort_by_key(|entry| core::cmp::Reverse(entry.2));
        all.truncate(self.k);
        self.list.clear();
        for (item, hash, count) in all {
            self.list.insert(hash, item, count);
        }
        self.find_smallest();
        for (ours, &theirs) in self.cells.iter_mut().zip(&other.cells) {
            let ((print, count), (their_print, their_count)) = (split(*ours), split(theirs));
            *ours = if print == their_print {
                join(print, count.saturating_add(their_count))
            } else if count >= their_count {
                join(print, count - their_count)
            } else {
                join(their_print, their_count - count)
            };
        }
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }
}

impl<T: Key> Wire for HeavyKeeper<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::HEAVY_KEEPER, 1);
        out.varint(self.k as u64);
        out.u8(self.depth as u8);
        out.u32(self.width);
        out.u64(self.seed);
        out.u64(self.coin);
        out.varint(self.total);
        self.cells.iter().for_each(|&cell| out.u64(cell));
        out.varint(self.list.len() as u64);
        for entry in self.list.entries() {
            out.varint(entry.value);
            entry.item.write(out);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::HEAVY_KEEPER, 1)?;
        let k = input.varint_up_to(Self::MAX_K, "k")? as usize;
        let depth = u32::from(input.u8("depth")?);
        let width = input.u32("width")?;
        let cells = u64::from(depth) * u64::from(width);
        if k == 0 || depth > Self::MAX_DEPTH || !(1..=Self::MAX_CELLS).contains(&cells) {
            return Err(input.error("shape", Why::Invalid("outside the limits")));
        }
        let seed = input.u64("seed")?;
        let coin = input.u64("coin")?;
        let total = input.varint("total")?;
        let mut cells = Reader::new(input.bytes(8 * depth as usize * width as usize, "cells")?);
        let mut sketch = Self { seed, coin, total, ..Self::build(k, depth, width) };
        for cell in &mut sketch.cells {
            *cell = cells.u64("cell")?;
        }
        let len = input.count(1 + T::LEAST, "length")?;
        if len > k {
            let why = Why::Limit { value: len as u64, limit: k as u64 };
            return Err(input.error("length", why));
        }
        for _ in 0..len {
            let count = input.varint("count")?;
            let start = input.clone();
            let item = T::read(input)?;
            let hash = item.digest(seed);
            if count == 0 || sketch.list.find(hash, &item).is_some() {
                return Err(start.error("item", Why::Invalid("empty or twice")));
            }
            sketch.list.insert(hash, item, count);
        }
        sketch.find_smallest();
        Ok(sketch)
    }
}

serde_as_wire!([T: Key] HeavyKeeper<T>);
