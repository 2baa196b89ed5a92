//! N workers, one summary each, and the merge.

use crate::counters::Hit;
use crate::keys::Keys;
use archstone_sketch::Merge;
use archstone_sketch::frequency::SpaceSaving;
use crossbeam::channel;
use std::collections::HashMap;

/// Keys that are handed to a worker at once.
const CHUNK: usize = 1024;

/// Cuts `keys` into `workers` consecutive parts, as a mapper is given its split of a log, and
/// counts each on a thread of its own, fed through a bounded channel: a worker that falls behind
/// slows its feeder down and holds no more than a few chunks.
#[must_use]
pub fn count(
    keys: &Keys,
    workers: usize,
    make: impl Fn() -> SpaceSaving<String> + Sync,
) -> Vec<SpaceSaving<String>> {
    let (workers, make) = (workers.max(1), &make);
    let each = keys.len().div_ceil(workers);
    std::thread::scope(|scope| {
        let start = |worker: usize| {
            let (send, receive) = channel::bounded::<std::ops::Range<usize>>(4);
            scope.spawn(move || {
                let part = worker * each..((worker + 1) * each).min(keys.len());
                for start in part.clone().step_by(CHUNK) {
                    if send.send(start..(start + CHUNK).min(part.end)).is_err() {
                        return; // the worker is gone; its join says so
                    }
                }
            });
            scope.spawn(move || {
                let mut summary = make();
                for chunk in receive {
                    for key in keys.range(chunk) {
                        summary.add(key);
                    }
                }
                summary
            })
        };
        let handles: Vec<_> = (0..workers).map(start).collect();
        handles.into_iter().map(|worker| worker.join().expect("a worker counts")).collect()
    })
}

/// The list of all parts.
///
/// `whole` merges the summaries, errors and all, and takes the k largest of the result. Without
/// it the reducer does what the sample code does (its error 6): it adds up lists that were cut
/// to k, so an item that is k+1-st everywhere is lost, and a count that was missing from one list
/// is silently too low.
#[must_use]
pub fn reduce(parts: &[SpaceSaving<String>], k: usize, whole: bool) -> Vec<Hit> {
    let hit = |item: &str, count, error| Hit { key: item.to_owned(), count, error };
    let mut list: Vec<Hit> = if whole {
        let Some((first, rest)) = parts.split_first() else { return Vec::new() };
        let mut all = first.clone();
        for part in rest {
            all.merge(part).expect("workers are made alike");
        }
        all.top(k).iter().map(|h| hit(h.item, h.count, h.error)).collect()
    } else {
        let mut sums: HashMap<&str, (u64, u64)> = HashMap::new();
        for part in parts {
            for h in part.top(k) {
                let sum = sums.entry(h.item).or_default();
                *sum = (sum.0 + h.count, sum.1 + h.error);
            }
        }
        sums.into_iter().map(|(item, (count, error))| hit(item, count, error)).collect()
    };
    list.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
    list.truncate(k);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> SpaceSaving<String> {
        SpaceSaving::new(8).unwrap()
    }

    #[test]
    fn the_parts_of_any_number_of_workers_add_up() {
        let keys: Keys = std::iter::repeat_n(["a", "b", "a"], 1000).flatten().collect();
        for workers in [1, 2, 3, 7, 4000] {
            let parts = count(&keys, workers, summary);
            let list = reduce(&parts, 2, true);
            assert_eq!(parts.len(), workers);
            assert_eq!((list[0].count, list[1].count), (2000, 1000), "{workers} workers");
        }
        assert!(reduce(&count(&Keys::default(), 3, summary), 2, true).is_empty());
    }

    #[test]
    fn an_item_just_below_every_list_is_first_overall() {
        // Each worker has its own favourite; "everywhere" is second on all of them.
        let part = |own: &'static str| std::iter::repeat_n(own, 5).chain(["everywhere"; 4]);
        let keys: Keys = part("red").chain(part("blue")).chain(part("green")).collect();
        let parts = count(&keys, 3, summary);
        let (whole, cut) = (reduce(&parts, 1, true), reduce(&parts, 1, false));
        assert_eq!((whole[0].key.as_str(), whole[0].count), ("everywhere", 12));
        assert_eq!(cut[0].count, 5, "the cut lists never had it");
    }
}
