//! The same stream through the crate `datasketches` and ours: what each says of every item holds
//! for the other's truth, and each reads the other's image of Frequent Items.
#![cfg(feature = "sketch")]

use std::collections::HashMap;

use archstone_sketch::frequency::FrequentItems;
use archstone_sketch::{CountMin, Wire};
use benches::workload::{count, distinct_keys, zipf_keys};
use datasketches::countmin::CountMinSketch;
use datasketches::frequencies::FrequentItemsSketch;

fn streams() -> Vec<Vec<u64>> {
    vec![
        Vec::new(),
        vec![7],
        zipf_keys(1, 1.1, 1 << 16, 100_000),
        zipf_keys(2, 0.8, 1 << 16, 100_000),
        distinct_keys(3, 5000),
    ]
}

/// What an image says of every item of the truth, and of one that is not there.
fn same(ours: &FrequentItems<i64>, theirs: &FrequentItemsSketch<i64>, truth: &HashMap<u64, u64>) {
    assert_eq!(ours.total(), theirs.total_weight());
    for &item in truth.keys().chain([&u64::MAX]) {
        let item = item as i64;
        let bounds = ours.bounds(&item);
        assert_eq!(bounds.estimate as u64, theirs.estimate(&item), "{item}");
        assert_eq!(bounds.lower as u64, theirs.lower_bound(&item), "{item}");
        assert_eq!(bounds.upper as u64, theirs.upper_bound(&item), "{item}");
    }
}

#[test]
fn frequent_items_images_go_both_ways_and_answer_alike() {
    for keys in streams() {
        let truth = count(keys.iter().copied());
        for lg in [4_u8, 8, 12] {
            let mut ours = FrequentItems::<i64>::new(lg).unwrap();
            let mut theirs = FrequentItemsSketch::<i64>::new(1 << lg).unwrap();
            for &key in &keys {
                ours.add(&(key as i64));
                theirs.update(key as i64);
            }
            let read = FrequentItems::<i64>::from_datasketches(&theirs.serialize()).unwrap();
            same(&read, &theirs, &truth);
            let read = FrequentItemsSketch::<i64>::deserialize(&ours.to_datasketches()).unwrap();
            same(&ours, &read, &truth);
            // They purge at other moments, so only the bounds are comparable: both hold.
            for (&item, &n) in &truth {
                let item = item as i64;
                assert!(ours.bounds(&item).contains(n as f64), "{item}: {}", ours.bounds(&item));
                assert!(theirs.lower_bound(&item) <= n && n <= theirs.upper_bound(&item));
            }
        }
    }
}

#[test]
fn count_min_over_counts_as_little_as_theirs() {
    for keys in streams() {
        let truth = count(keys.iter().copied());
        let mut ours = CountMin::<u32>::new(4, 1 << 12).unwrap();
        let mut theirs = CountMinSketch::<u32>::new(4, 1 << 12).unwrap();
        for key in &keys {
            ours.add(key);
            theirs.update(*key);
        }
        let ours = CountMin::<u32>::decode(&ours.encode()).unwrap();
        let over = |estimate: &dyn Fn(u64) -> u64| -> u64 {
            truth.iter().map(|(&key, &n)| estimate(key).checked_sub(n).expect("no less")).sum()
        };
        let (a, b) =
            (over(&|key| ours.count(&key).into()), over(&|key| theirs.estimate(key).into()));
        // Two hashes: the sums over thousands of items differ by some per cent.
        assert!(a.abs_diff(b) * 10 <= a.max(b), "over-counts {a} and {b}");
    }
}
