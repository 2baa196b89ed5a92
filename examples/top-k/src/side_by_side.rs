//! One stream, one field, every algorithm beside the truth.

use crate::counters::lossy_counting;
use crate::counters::{Bound, CountMinHeap, Counter, Hit, space_saving, top_k};
use crate::exact::{Exact, equals_sort_uniq};
use crate::keys::Keys;
use crate::meter::Meter;
use archstone_sketch::TopK;
use archstone_sketch::frequency::{LossyCounting, SpaceSaving};

/// Every algorithm on one stream of keys.
#[derive(Debug)]
pub struct SideBySide {
    /// The truth, up to its limit.
    pub exact: Exact,
    /// Every key, up to its limit: what `sort | uniq` reads.
    pub keys: Keys,
    /// Count-Min with a heap.
    pub count_min: CountMinHeap,
    /// Lossy Counting.
    pub lossy: LossyCounting<String>,
    /// Space-Saving: what checkpoints and merges carry.
    pub space_saving: SpaceSaving<String>,
    /// The crate's choice.
    pub top_k: TopK<String>,
    meters: [Meter; 5],
}

/// What one algorithm made of the stream.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: &'static str,
    /// The share of the list that belongs in the top k; `None` when the truth is not known.
    pub recall: Option<f64>,
    /// The largest error of a count of the list.
    pub worst: Option<u64>,
    /// What a count may be off by.
    pub bound: Bound,
    /// Time and memory.
    pub meter: Meter,
    /// The list.
    pub top: Vec<Hit>,
}

impl SideBySide {
    /// Empty summaries for a list of `k`.
    #[must_use]
    pub fn new(k: usize, exact_limit: usize) -> Self {
        let mut meters = [Meter::default(); 5];
        let exact = Exact::new(exact_limit);
        // Made inside their meters: a sketch takes its memory at the start.
        let count_min = meters[1].run(0, || CountMinHeap::new(k));
        let lossy = meters[2].run(0, lossy_counting);
        let space_saving = meters[3].run(0, space_saving);
        let top_k = meters[4].run(0, || top_k(k));
        let keys = Keys::default();
        Self { exact, keys, count_min, lossy, space_saving, top_k, meters }
    }

    /// Counts a batch with one algorithm after the other, so that each can be timed.
    pub fn add<'a>(&mut self, keys: impl Iterator<Item = &'a str> + Clone) {
        let n = keys.clone().map(|key| self.keys.push(key)).count() as u64;
        let [exact, count_min, lossy, space_saving, top_k] = &mut self.meters;
        exact.run(n, || keys.clone().for_each(|key| self.exact.add(key)));
        count_min.run(n, || keys.clone().for_each(|key| self.count_min.add(key)));
        lossy.run(n, || keys.clone().for_each(|key| self.lossy.add(key)));
        space_saving.run(n, || keys.clone().for_each(|key| drop(self.space_saving.add(key))));
        top_k.run(n, || keys.clone().for_each(|key| drop(self.top_k.add(key))));
    }

    /// The four summaries beside exact counting, which is first.
    #[must_use]
    pub fn outcomes(&self, k: usize) -> Vec<Outcome> {
        let summaries: [&dyn Counter; 4] =
            [&self.count_min, &self.lossy, &self.space_saving, &self.top_k];
        let exact = self.exact.top(k).into_iter();
        let exact = exact.map(|(key, count)| Hit { key: key.to_owned(), count, error: 0 });
        let known = self.exact.dropped_at().is_none();
        let mut outcomes = vec![Outcome {
            name: "exact map",
            recall: known.then_some(1.0),
            worst: known.then_some(0),
            bound: Bound::Certain(0),
            meter: self.meters[0],
            top: exact.collect(),
        }];
        outcomes.extend(summaries.into_iter().zip(&self.meters[1..]).map(|(summary, meter)| {
            let top = summary.top(k);
            let (recall, worst) = (self.recall(&top, k), self.worst(&top));
            let (name, bound) = (summary.name(), summary.bound());
            Outcome { name, recall, worst, bound, meter: *meter, top }
        }));
        outcomes
    }

    /// Whether the exact counts are those of `sort | uniq -c`; `None` when not known.
    #[must_use]
    pub fn equals_sort_uniq(&self) -> Option<bool> {
        equals_sort_uniq(&self.exact, &self.keys)
    }

    /// How many of the true top k the list has. A key that ties with the k-th belongs to it.
    fn recall(&self, top: &[Hit], k: usize) -> Option<f64> {
        if self.exact.dropped_at().is_some() || self.exact.is_empty() {
            return None;
        }
        let kth = self.exact.kth(k);
        let belongs = |hit: &&Hit| self.exact.count(&hit.key).is_some_and(|count| count >= kth);
        Some(top.iter().filter(belongs).count() as f64 / self.exact.len().min(k) as f64)
    }

    fn worst(&self, top: &[Hit]) -> Option<u64> {
        let error = |hit: &Hit| Some(hit.count.abs_diff(self.exact.count(&hit.key)?));
        top.iter().map(error).max().unwrap_or(Some(0))
    }
}
