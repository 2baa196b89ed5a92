//! What every frequency sketch promises, on random and adversarial streams.
#![cfg(feature = "frequency")]

mod common;

use archstone_sketch::frequency::{
    Algorithm, CountMin, CountSketch, Exact, FrequentItems, HeavyKeeper, Hitter, LossyCounting,
    SetSpaceSaving, SpaceSaving,
};
use archstone_sketch::{Merge, TopK};
use common::{Stream, streams, total, truth};
use proptest::prelude::*;

/// `sure <= truth <= count` for items kept, `truth <= floor` for the others.
fn holds_always<'a>(
    stream: &Stream,
    kept: impl Iterator<Item = Hitter<'a, u64>>,
    floor: u64,
) -> Result<(), TestCaseError> {
    let mut missing = truth(stream);
    for hitter in kept {
        let count = missing.remove(hitter.item).unwrap_or(0);
        prop_assert!(hitter.sure() <= count, "{hitter:?} is sure of more than {count}");
        prop_assert!(count <= hitter.count, "{hitter:?} is less than {count}");
    }
    for (item, count) in missing {
        prop_assert!(count <= floor, "{item} with {count} is missing, the floor is {floor}");
    }
    Ok(())
}

/// Cuts a stream at places that the seed chooses.
fn parts(stream: &Stream, workers: usize, seed: u64) -> Vec<Stream> {
    let mut parts = vec![Stream::new(); workers];
    for (i, &event) in stream.iter().enumerate() {
        parts[common::mix(seed ^ i as u64) as usize % workers].push(event);
    }
    parts
}

fn space_saving(stream: &[(u64, u64)], capacity: usize) -> SpaceSaving<u64> {
    let mut sketch = SpaceSaving::new(capacity).unwrap();
    stream.iter().for_each(|(item, n)| {
        sketch.add_n(item, *n);
    });
    sketch
}

fn lossy(stream: &[(u64, u64)], eps: f64) -> LossyCounting<u64> {
    let mut sketch = LossyCounting::with_error(eps).unwrap();
    stream.iter().for_each(|(item, n)| sketch.add_n(item, *n));
    sketch
}

fn frequent(stream: &[(u64, u64)], lg: u8) -> FrequentItems<u64> {
    let mut sketch = FrequentItems::new(lg).unwrap();
    stream.iter().for_each(|(item, n)| sketch.add_n(item, *n));
    sketch
}

fn sets(stream: &[(u64, u64)], capacity: usize) -> SetSpaceSaving<u64> {
    let mut sketch = SetSpaceSaving::new(capacity).unwrap();
    stream.iter().for_each(|(item, n)| {
        sketch.add_n(item, *n);
    });
    sketch
}

fn merged<S: Merge>(mut sketches: impl Iterator<Item = S>) -> S {
    let mut all = sketches.next().unwrap();
    sketches.for_each(|sketch| all.merge(&sketch).unwrap());
    all
}

proptest! {
    #[test]
    fn space_saving_brackets_every_count_and_misses_nothing_above_its_share(
        stream in streams(), capacity in 1_usize..40,
    ) {
        let sketch = space_saving(&stream, capacity);
        let n = total(&stream);
        holds_always(&stream, sketch.iter(), sketch.floor())?;
        prop_assert!(sketch.floor() <= n / capacity as u64);
        prop_assert_eq!(sketch.iter().map(|h| h.count).sum::<u64>(), n, "counts add up to N");
        prop_assert!(sketch.iter().all(|h| h.error <= sketch.floor()));
        for (item, count) in truth(&stream) {
            prop_assert!(sketch.bounds(&item).contains(count as f64));
            if count as f64 > 0.1 * n as f64 && capacity >= 10 {
                prop_assert!(sketch.above(0.1).iter().any(|h| *h.item == item));
            }
        }
        let counts: Vec<_> = sketch.top(capacity).iter().map(|h| h.count).collect();
        prop_assert!(counts.is_sorted_by(|a, b| a >= b));
        prop_assert_eq!(sketch.top(3), &sketch.top(capacity)[..counts.len().min(3)]);
    }

    #[test]
    fn merged_space_saving_keeps_its_bounds(
        stream in streams(), capacity in 1_usize..40, workers in 1_usize..64, seed: u64,
    ) {
        let sketches = parts(&stream, workers, seed).into_iter();
        let sketch = merged(sketches.map(|part| space_saving(&part, capacity)));
        holds_always(&stream, sketch.iter(), sketch.floor())?;
        prop_assert!(sketch.floor() <= total(&stream) / capacity as u64);
        prop_assert_eq!(sketch.total(), total(&stream));
    }

    #[test]
    fn lossy_counting_brackets_every_count_within_eps_n(
        stream in streams(), eps in 0.005_f64..0.5, over in 0.0_f64..0.6, workers in 1_usize..9, seed: u64,
    ) {
        let sketches = parts(&stream, workers, seed).into_iter();
        for sketch in [lossy(&stream, eps), merged(sketches.map(|part| lossy(&part, eps)))] {
            holds_always(&stream, sketch.iter(), sketch.floor())?;
            let n = total(&stream) as f64;
            prop_assert!(sketch.floor() as f64 <= eps * n);
            prop_assert!(sketch.iter().all(|h| h.error as f64 <= eps * n));
            let share = eps + over;
            let above = sketch.above(share);
            for (item, count) in truth(&stream) {
                let listed = above.iter().any(|h| *h.item == item);
                prop_assert!(listed || count as f64 <= share * n, "{item} with {count} is missing");
                prop_assert!(!listed || count as f64 >= (share - eps) * n - 1e-6, "{item}");
            }
        }
    }

    #[test]
    fn frequent_items_bracket_every_count_with_one_offset(
        stream in streams(), lg in 3_u8..8, workers in 1_usize..9, seed: u64,
    ) {
        let sketches = parts(&stream, workers, seed).into_iter();
        for sketch in [frequent(&stream, lg), merged(sketches.map(|part| frequent(&part, lg)))] {
            holds_always(&stream, sketch.iter(), sketch.offset())?;
            let limit = 8.0 / 3.0 * total(&stream) as f64 / f64::from(1 << lg);
            prop_assert!(sketch.offset() as f64 <= limit, "{} is over {limit}", sketch.offset());
            prop_assert!(sketch.len() <= sketch.capacity());
        }
    }

    #[test]
    fn set_space_saving_is_sure_of_no_more_than_the_truth(
        stream in streams(), capacity in 1_usize..100, workers in 1_usize..9, seed: u64,
    ) {
        let counts = truth(&stream);
        let sketches = parts(&stream, workers, seed).into_iter();
        for sketch in [sets(&stream, capacity), merged(sketches.map(|part| sets(&part, capacity)))] {
            for hitter in sketch.iter() {
                prop_assert!(hitter.sure() <= counts[hitter.item]);
            }
            if sketch.floor() == 0 {
                prop_assert_eq!(sketch.len(), counts.len());
                prop_assert!(sketch.iter().all(|h| h.error == 0 && h.count == counts[h.item]));
            }
            prop_assert_eq!(sketch.total(), total(&stream));
        }
    }

    #[test]
    fn unbiased_counts_add_up_to_n_merged_or_not(
        stream in streams(), capacity in 1_usize..60, seed: u64,
    ) {
        let unbiased = |stream: &Stream| {
            let mut sketch = SetSpaceSaving::new(capacity).unwrap().unbiased();
            stream.iter().for_each(|(item, n)| {
        sketch.add_n(item, *n);
    });
            sketch
        };
        let counts = truth(&stream);
        let two = merged(parts(&stream, 3, seed).iter().map(unbiased));
        for sketch in [unbiased(&stream), two] {
            prop_assert_eq!(sketch.iter().map(|h| h.count).sum::<u64>(), total(&stream));
            prop_assert!(sketch.iter().all(|h| h.sure() <= counts[h.item]));
        }
    }

    #[test]
    fn exact_is_the_model(stream in streams(), workers in 1_usize..9, seed: u64) {
        let counts = truth(&stream);
        let sketches = parts(&stream, workers, seed).into_iter().map(|part| {
            let mut sketch = Exact::new();
            part.iter().for_each(|(item, n)| sketch.add_n(item, *n));
            sketch
        });
        let sketch: Exact<u64> = merged(sketches);
        prop_assert_eq!(sketch.len(), counts.len());
        prop_assert!(sketch.iter().all(|h| h.count == counts[h.item] && h.error == 0));
        prop_assert!(counts.iter().all(|(item, &count)| sketch.count(item) == count));
        let mut ranked: Vec<_> = counts.values().copied().collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked.truncate(5);
        prop_assert_eq!(sketch.top(5).iter().map(|h| h.count).collect::<Vec<_>>(), ranked);
    }

    #[test]
    fn count_min_is_never_below_the_truth_and_conservative_never_above_plain(
        stream in streams(), depth in 1_u32..17, lg in 0_u32..7, workers in 1_usize..9, seed: u64,
    ) {
        let fill = |mut sketch: CountMin<u64>, stream: &Stream| {
            stream.iter().for_each(|(item, n)| sketch.add_n(item, *n));
            sketch
        };
        let counts = truth(&stream);
        for make in [
            &(|| CountMin::<u64>::new(depth, 1 << lg).unwrap()) as &dyn Fn() -> CountMin<u64>,
            &|| CountMin::<u64>::lines(1 << lg).unwrap(),
        ] {
            let plain = fill(make(), &stream);
            let careful = fill(make().conservative(), &stream);
            let split = parts(&stream, workers, seed);
            let plain_merged = merged(split.iter().map(|part| fill(make(), part)));
            let careful_merged = merged(split.iter().map(|part| fill(make().conservative(), part)));
            prop_assert_eq!(&plain_merged, &plain, "plain updates are linear");
            for (item, &count) in &counts {
                prop_assert!(count <= careful.count(item));
                prop_assert!(careful.count(item) <= plain.count(item));
                prop_assert!(count <= careful_merged.count(item));
                prop_assert!(careful_merged.count(item) <= plain.count(item));
                prop_assert!(careful.bounds(item).upper >= count as f64);
            }
        }
    }

    #[test]
    fn heavy_keeper_never_counts_above_the_truth_and_says_who_left(
        stream in streams(), k in 1_usize..12, width in 1_u32..64, workers in 1_usize..5, seed: u64,
    ) {
        let counts = truth(&stream);
        let mut one = HeavyKeeper::<u64>::new(k, 3, width).unwrap();
        let mut listed = std::collections::BTreeSet::new();
        for (item, n) in &stream {
            if let Some(expelled) = one.add_n(item, *n) {
                prop_assert!(listed.remove(&expelled), "{expelled} was not on the list");
                listed.insert(*item);
            } else if one.top().iter().any(|h| h.item == item) {
                listed.insert(*item);
            }
        }
        prop_assert!(listed.iter().eq(one.top().iter().map(|h| h.item).collect::<std::collections::BTreeSet<_>>()));
        let split = parts(&stream, workers, seed).into_iter().map(|part| {
            let mut sketch = HeavyKeeper::<u64>::new(k, 3, width).unwrap();
            for (item, n) in &part {
                sketch.add_n(item, *n);
            }
            sketch
        });
        for sketch in [one, merged(split)] {
            prop_assert!(sketch.top().len() <= k);
            prop_assert!(sketch.top().iter().all(|h| h.count <= counts[h.item]));
            prop_assert!(counts.iter().all(|(item, &n)| sketch.count(item) <= n));
        }
    }

    #[test]
    fn count_sketch_is_linear(
        stream in streams(), lg in 0_u32..7, half in 0_u32..4, workers in 1_usize..9, seed: u64,
    ) {
        let fill = |stream: &Stream| {
            let mut sketch = CountSketch::new(2 * half + 1, 1 << lg).unwrap();
            stream.iter().for_each(|(item, n)| sketch.add_n(item, *n as i64));
            sketch
        };
        let mut one = fill(&stream);
        prop_assert_eq!(&merged(parts(&stream, workers, seed).iter().map(fill)), &one);
        // Subtracting the stream leaves nothing.
        stream.iter().for_each(|(item, n)| one.add_n(item, -(*n as i64)));
        prop_assert_eq!(&one, &fill(&Stream::new()));
    }

    #[test]
    fn top_k_keeps_what_its_algorithm_keeps(
        stream in streams(), k in 1_usize..20, bytes in 4096_usize..20_000,
    ) {
        let counts = truth(&stream);
        for mut top in [TopK::<u64>::with_memory(k, bytes).unwrap(), TopK::certain(k, bytes).unwrap()] {
            let mut tracked = std::collections::BTreeSet::new();
            for (item, n) in &stream {
                let expelled = top.add_n(item, *n);
                if let Some(expelled) = expelled {
                    prop_assert!(tracked.remove(&expelled), "{expelled} was not tracked");
                }
                if top.bounds(item).estimate > 0.0 {
                    tracked.insert(*item);
                }
            }
            prop_assert!(tracked.iter().eq(top.iter().map(|h| h.item).collect::<std::collections::BTreeSet<_>>()));
            prop_assert!(top.memory() <= bytes, "{} of {bytes}", top.memory());
            prop_assert!(top.top().len() <= k);
            prop_assert!(top.top().iter().all(|h| h.sure() <= counts[h.item]));
        }
    }
}

#[test]
fn merging_with_an_empty_sketch_changes_nothing() {
    let stream: Stream = common::zipf(3000, 300, 1.0, 5).into_iter().map(|i| (i, 1)).collect();
    let mut a = space_saving(&stream, 50);
    let before: Vec<_> = a.top(50).iter().map(|h| (*h.item, h.count, h.error)).collect();
    a.merge(&SpaceSaving::new(50).unwrap()).unwrap();
    let after: Vec<_> = a.top(50).iter().map(|h| (*h.item, h.count, h.error)).collect();
    let counts = |list: &[(u64, u64, u64)]| list.iter().map(|t| t.1).collect::<Vec<_>>();
    assert_eq!(counts(&after), counts(&before));
}

#[test]
fn of_equal_counts_heavy_keeper_keeps_the_older_and_a_greater_one_gets_in() {
    // The printed algorithm asks for a count of nmin + 1 exactly and so admits nothing that comes in
    // larger steps; one that admits equal counts swaps two items for ever.
    let mut keeper = HeavyKeeper::<u64>::new(2, 4, 64).unwrap();
    (0..2).for_each(|item| assert_eq!(keeper.add_n(&item, 3), None));
    assert_eq!(keeper.add_n(&2, 3), None);
    assert_eq!(keeper.add_n(&3, 2), None);
    assert!(keeper.add_n(&4, 9).is_some_and(|expelled| expelled < 2));
}

#[test]
fn merged_sets_keep_the_eight_largest_of_both() {
    let fill = |counts: [(u64, u64); 8]| {
        let mut set = SetSpaceSaving::<u64>::new(8).unwrap();
        counts.iter().for_each(|(item, n)| assert_eq!(set.add_n(item, *n), None));
        set
    };
    let mut a = fill([1, 2, 3, 4, 5, 6, 7, 8].map(|i| (i, 10 * i)));
    let b = fill([1, 12, 13, 14, 15, 16, 17, 18].map(|i| (i, 5 * i)));
    a.merge(&b).unwrap();
    let list: Vec<_> = a.top(9).iter().map(|h| (h.count, h.error)).collect();
    assert_eq!(list, [90, 85, 80, 80, 75, 70, 70, 65].map(|count| (count, 0)));
}

#[test]
fn top_k_takes_sets_when_there_are_four_slots_an_item() {
    // Sets of eight hold 200 bytes of u64 items; with less the list is kept by `SpaceSaving`.
    let most = TopK::<u64>::with_memory(100, 64 << 10).unwrap();
    assert_eq!(most.algorithm(), Algorithm::SetSpaceSaving);
    let mut least = 0;
    for bytes in (8000..12_000).step_by(8) {
        // Too few for either at first.
        let Ok(top) = TopK::<u64>::with_memory(100, bytes) else { continue };
        if top.algorithm() == Algorithm::SetSpaceSaving {
            least = if least == 0 { top.capacity() } else { least };
        } else {
            assert_eq!(least, 0, "more bytes never go back");
        }
    }
    assert_eq!(least, 400);
    assert_eq!(TopK::<u64>::certain(100, 64 << 10).unwrap().algorithm(), Algorithm::SpaceSaving);
}

#[test]
fn merging_does_not_add_the_floor_of_a_sketch_that_is_not_full() {
    // ClickHouse issue 73507: the smallest count was added although nothing could be missing.
    let a = space_saving(&[(1, 10), (2, 7)], 8);
    let mut b = space_saving(&[(1, 1), (3, 5)], 8);
    b.merge(&a).unwrap();
    let list: Vec<_> = b.top(9).iter().map(|h| (*h.item, h.count, h.error)).collect();
    assert_eq!(list, [(1, 11, 0), (2, 7, 0), (3, 5, 0)]);
}

#[test]
fn sketches_that_differ_refuse_to_merge_and_stay_as_they_were() {
    let mut a = CountMin::<u32>::new(4, 64).unwrap();
    a.add(&1_u64);
    let before = a.clone();
    let error = a.merge(&CountMin::new(4, 128).unwrap()).unwrap_err();
    assert_eq!((error.what, error.ours, error.theirs), ("width", 64, 128));
    assert_eq!(a.merge(&CountMin::new(3, 64).unwrap()).unwrap_err().what, "depth");
    assert_eq!(a.merge(&CountMin::new(4, 64).unwrap().with_seed(1)).unwrap_err().what, "seed");
    assert_eq!(a.merge(&CountMin::new(4, 64).unwrap().conservative()).unwrap_err().what, "update");
    assert_eq!(a.merge(&CountMin::lines(16).unwrap()).unwrap_err().what, "layout");
    assert_eq!(a, before);

    let mut s = SpaceSaving::<u64>::new(4).unwrap();
    assert!(s.merge(&SpaceSaving::new(5).unwrap()).is_err());
    let mut s = SetSpaceSaving::<u64>::new(8).unwrap();
    assert!(s.merge(&SetSpaceSaving::new(8).unwrap().unbiased()).is_err());
    assert!(s.merge(&SetSpaceSaving::new(8).unwrap().with_seed(3)).is_err());
    let mut t = TopK::<u64>::with_memory(10, 1 << 16).unwrap();
    assert_eq!(t.merge(&TopK::certain(10, 1 << 16).unwrap()).unwrap_err().what, "algorithm");
}
