//! The four summaries behind one face, so that they can be compared on one stream.

use archstone_sketch::frequency::{LossyCounting, SpaceSaving};
use archstone_sketch::{CountMin, Merge, TopK};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

/// A summary that lists the most frequent keys.
pub trait Counter {
    /// Its name in the tables.
    fn name(&self) -> &'static str;
    /// The `k` most frequent, the largest counts first.
    fn top(&self, k: usize) -> Vec<Hit>;
    /// What a listed count may be off by, and how sure that is.
    fn bound(&self) -> Bound;
    /// Bytes held, the keys included.
    fn bytes(&self) -> usize;
}

/// A line of a top list: `count - error <= truth`, and `truth <= count` where the algorithm's
/// [`Bound`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The item.
    pub key: String,
    /// The estimate.
    pub count: u64,
    /// How much of it may belong to others.
    pub error: u64,
}

/// What a count of a summary may be off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Always.
    Certain(u64),
    /// But for this share of the keys, on average over the choice of the hash.
    But(u64, &'static str),
    /// Upwards on average only.
    OnAverage(u64),
}

impl Bound {
    /// The number.
    #[must_use]
    pub const fn most(self) -> u64 {
        match self {
            Self::Certain(most) | Self::But(most, _) | Self::OnAverage(most) => most,
        }
    }
}

/// Bytes for each summary of the comparison: what one core's second-level cache never notices.
pub const BUDGET: usize = 64 << 10;

/// Space-Saving with the counters that [`BUDGET`] holds.
#[must_use]
pub fn space_saving() -> SpaceSaving<String> {
    SpaceSaving::new(SLOTS).expect("512 counters")
}

/// Lossy Counting for the same error.
#[must_use]
pub fn lossy_counting() -> LossyCounting<String> {
    LossyCounting::with_error(1.0 / SLOTS as f64).expect("a share")
}

/// The crate's choice for `k` items, half the budget left for the text of the keys.
#[must_use]
pub fn top_k(k: usize) -> TopK<String> {
    TopK::with_memory(k, BUDGET / 2).or_else(|_| TopK::new(k)).expect("k is checked at the start")
}

/// About 64 bytes a counter and as many for its key.
const SLOTS: usize = 512;

/// Count-Min with a heap: the sketch counts every key, the heap holds the k largest seen.
///
/// The heap is lazy: a hit raises the count in the map only, so what the heap holds is a lower
/// bound. Before it evicts, the smallest is compared with the map and pushed back when it has
/// grown. (Leave that comparison out and you have the sample code's Space-Saving: see
/// `sample.rs`.)
#[derive(Clone, Debug)]
pub struct CountMinHeap {
    sketch: CountMin<u32>,
    k: usize,
    counts: HashMap<Rc<str>, u64, ahash::RandomState>,
    heap: BinaryHeap<Reverse<(u64, Rc<str>)>>,
}

impl CountMinHeap {
    /// Four rows of 2,048: 32 KiB, and at least `k` candidates.
    #[must_use]
    pub fn new(k: usize) -> Self {
        let sketch = CountMin::new(4, 2048).expect("a small table");
        Self { sketch, k: k.max(100), counts: HashMap::default(), heap: BinaryHeap::new() }
    }

    /// The sketch.
    #[must_use]
    pub const fn sketch(&self) -> &CountMin<u32> {
        &self.sketch
    }

    /// Counts one.
    #[inline]
    pub fn add(&mut self, key: &str) {
        self.sketch.add(key);
        let count = u64::from(self.sketch.count(key));
        match self.counts.get_mut(key) {
            Some(held) => *held = count,
            None => self.admit(key, count),
        }
    }

    fn admit(&mut self, key: &str, count: u64) {
        if self.counts.len() == self.k && !self.evict_below(count) {
            return;
        }
        let key: Rc<str> = key.into();
        self.counts.insert(Rc::clone(&key), count);
        self.heap.push(Reverse((count, key)));
    }

    /// Drops the smallest candidate if it is below `count`.
    fn evict_below(&mut self, count: u64) -> bool {
        while let Some(mut least) = self.heap.peek_mut() {
            let Reverse((held, key)) = &mut *least;
            if *held >= count {
                return false;
            }
            let now = self.counts[key];
            if now == *held {
                let Reverse((_, key)) = std::collections::binary_heap::PeekMut::pop(least);
                self.counts.remove(&key);
                return true;
            }
            *held = now; // sinks to its place when `least` is dropped
        }
        true
    }
}

impl Counter for CountMinHeap {
    fn name(&self) -> &'static str {
        "Count-Min + heap"
    }

    fn top(&self, k: usize) -> Vec<Hit> {
        let error = self.sketch.error();
        let hit = |(key, &count): (&Rc<str>, &u64)| Hit {
            key: String::from(&**key),
            count,
            error: error.min(count),
        };
        let mut all: Vec<_> = self.counts.iter().map(hit).collect();
        all.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        all.truncate(k);
        all
    }

    fn bound(&self) -> Bound {
        Bound::But(self.sketch.error(), "e^-4 = 1.8 %")
    }

    fn bytes(&self) -> usize {
        // A key is one allocation with two counters in front; map and heap hold a fat pointer.
        let keys: usize = self.counts.keys().map(|key| key.len() + 16).sum();
        let slots = (self.counts.capacity() * 8).div_ceil(7);
        let entry = size_of::<(u64, Rc<str>)>();
        self.sketch.memory() + keys + slots * (entry + 1) + self.heap.capacity() * entry
    }
}

macro_rules! hits {
    ($hitters:expr) => {
        $hitters
            .into_iter()
            .map(|hit| Hit { key: hit.item.clone(), count: hit.count, error: hit.error })
            .collect()
    };
}

impl Counter for SpaceSaving<String> {
    fn name(&self) -> &'static str {
        "Space-Saving"
    }

    fn top(&self, k: usize) -> Vec<Hit> {
        hits!(self.top(k))
    }

    fn bound(&self) -> Bound {
        Bound::Certain(self.floor())
    }

    fn bytes(&self) -> usize {
        self.memory()
    }
}

impl Counter for LossyCounting<String> {
    fn name(&self) -> &'static str {
        "Lossy Counting"
    }

    fn top(&self, k: usize) -> Vec<Hit> {
        hits!(self.top(k))
    }

    fn bound(&self) -> Bound {
        Bound::Certain(self.floor())
    }

    fn bytes(&self) -> usize {
        self.memory()
    }
}

impl Counter for TopK<String> {
    fn name(&self) -> &'static str {
        "TopK (the crate chooses)"
    }

    fn top(&self, k: usize) -> Vec<Hit> {
        hits!(self.top().into_iter().take(k))
    }

    fn bound(&self) -> Bound {
        Bound::OnAverage(self.floor())
    }

    fn bytes(&self) -> usize {
        self.memory()
    }
}

/// Merges whole summaries, the first of `parts` with each of the others.
///
/// # Panics
/// When they differ in shape: workers of one run are made alike.
#[must_use]
pub fn merged<S: Merge>(parts: impl IntoIterator<Item = S>) -> Option<S> {
    parts.into_iter().reduce(|mut all, part| {
        all.merge(&part).expect("made alike");
        all
    })
}
