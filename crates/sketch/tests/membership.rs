//! What every filter promises, against a plain set.
#![cfg(feature = "membership")]

use std::collections::{HashMap, HashSet};

use archstone_sketch::membership::{
    AtomicBloom, BinaryFuse, BinaryFuseRef, BlockBloom, BlockBloomRef, Bloom, BloomRef,
    CountingBloom, Cuckoo, Filter, ScalableBloom,
};
use archstone_sketch::{Incompatible, Item, Merge, ParamError, Wire};
use proptest::collection::vec;
use proptest::prelude::*;

/// The batch answers as the single question does, whatever the batch's length.
fn batch_agrees(filter: &impl Filter, items: &[u64]) {
    let mut found = vec![true; 3];
    filter.contains_all(items, &mut found);
    let single: Vec<bool> = items.iter().map(|item| filter.contains(item)).collect();
    assert_eq!(found, single);
}

proptest! {
    #[test]
    fn no_item_that_was_inserted_is_missed(items in vec(any::<u64>(), 0..300), seed: u64) {
        let mut bloom = Bloom::with_seed(100, 0.01, seed).unwrap();
        let mut block = BlockBloom::with_seed(100, 0.01, seed).unwrap();
        let mut counting = CountingBloom::with_seed(100, 0.01, seed).unwrap();
        let mut scalable = ScalableBloom::with_seed(10, 0.01, seed).unwrap();
        let mut cuckoo = Cuckoo::with_seed(300, 0.01, seed).unwrap();
        let atomic = AtomicBloom::with_seed(100, 0.01, seed).unwrap();
        let fuse = BinaryFuse::<u8>::with_seed(&items, seed).unwrap();
        let wide = BinaryFuse::<u16>::with_seed(&items, seed).unwrap();
        for item in &items {
            prop_assert_eq!(bloom.contains(item), !bloom.clone().insert(item));
            bloom.insert(item);
            block.insert(item);
            counting.insert(item);
            scalable.insert(item);
            atomic.insert(item);
        }
        let distinct: HashSet<u64> = items.iter().copied().collect();
        for item in &distinct {
            cuckoo.insert(item).unwrap();
        }
        prop_assert_eq!(fuse.len(), distinct.len() as u64);
        for item in &items {
            prop_assert!(bloom.contains(item) && block.contains(item) && counting.contains(item));
            prop_assert!(scalable.contains(item) && atomic.contains(item) && cuckoo.contains(item));
            prop_assert!(fuse.contains(item) && wide.contains(item));
        }
        let asked: Vec<u64> = items.iter().copied().chain(0..100).collect();
        batch_agrees(&bloom, &asked);
        batch_agrees(&block, &asked);
        batch_agrees(&counting, &asked);
        batch_agrees(&scalable, &asked);
        batch_agrees(&cuckoo, &asked);
        batch_agrees(&atomic, &asked);
        batch_agrees(&fuse, &asked);
        prop_assert_eq!(atomic.snapshot(), bloom);
    }

    #[test]
    fn inserting_a_batch_is_inserting_one_by_one(items in vec(any::<u64>(), 0..200)) {
        let mut one = (Bloom::new(100, 0.001).unwrap(), BlockBloom::new(100, 0.001).unwrap());
        let mut all = one.clone();
        for item in &items {
            one.0.insert(item);
            one.1.insert(item);
        }
        all.0.insert_all(&items);
        all.1.insert_all(&items);
        prop_assert_eq!(one, all);
    }

    #[test]
    fn a_merge_is_the_filter_of_the_joined_stream_in_any_order(
        a in vec(any::<u64>(), 0..200), b in vec(any::<u64>(), 0..200),
    ) {
        let bloom = |items: &[u64]| {
            let mut filter = Bloom::new(100, 0.01).unwrap();
            filter.insert_all(items);
            filter
        };
        let block = |items: &[u64]| {
            let mut filter = BlockBloom::new(100, 0.01).unwrap();
            filter.insert_all(items);
            filter
        };
        let counting = |items: &[u64]| {
            let mut filter = CountingBloom::new(100, 0.01).unwrap();
            items.iter().for_each(|item| filter.insert(item));
            filter
        };
        let joined = [&a[..], &b[..]].concat();
        fn merged<S: Merge>(mut x: S, y: &S) -> S { x.merge(y).unwrap(); x }
        prop_assert_eq!(merged(bloom(&a), &bloom(&b)), bloom(&joined));
        prop_assert_eq!(merged(bloom(&b), &bloom(&a)), bloom(&joined));
        prop_assert_eq!(merged(bloom(&a), &bloom(&a)), bloom(&a));
        prop_assert_eq!(merged(bloom(&a), &bloom(&[])), bloom(&a));
        prop_assert_eq!(merged(block(&a), &block(&b)), block(&joined));
        prop_assert_eq!(merged(block(&b), &block(&a)), block(&joined));
        prop_assert_eq!(merged(counting(&a), &counting(&b)), counting(&joined));
        prop_assert_eq!(merged(counting(&a), &counting(&[])), counting(&a));
    }

    #[test]
    fn a_fold_is_the_filter_inserted_at_that_size(
        items in vec(any::<u64>(), 0..300), blocks in 1_u64..40, factor in 1_u64..7,
    ) {
        let filled = |blocks| {
            let mut filter = BlockBloom::with_blocks(blocks, 3).unwrap();
            filter.insert_all(&items);
            filter
        };
        prop_assert_eq!(filled(blocks * factor).fold(factor).unwrap(), filled(blocks));
    }

    #[test]
    fn a_cuckoo_filter_follows_insertions_and_removals(
        steps in vec((0_u64..40, any::<bool>()), 0..400), items in 1_u64..60, fpr in 1.2e-4..0.5_f64,
    ) {
        let mut filter = Cuckoo::new(items, fpr).unwrap();
        let mut copies: HashMap<u64, u32> = HashMap::new();
        for (item, insert) in steps {
            let held = copies.entry(item).or_default();
            if insert {
                let before = filter.clone();
                match filter.insert(&item) {
                    Ok(()) => *held += 1,
                    Err(full) => {
                        prop_assert_eq!(full.len, before.len());
                        prop_assert_eq!(&filter, &before, "a refused insertion changes nothing");
                    }
                }
            } else if *held > 0 {
                prop_assert!(filter.remove(&item));
                *held -= 1;
            }
            let total: u32 = copies.values().sum();
            prop_assert_eq!(filter.len(), u64::from(total));
            for (item, &held) in &copies {
                prop_assert!(held == 0 || filter.contains(item));
            }
        }
    }

    #[test]
    fn a_counting_filter_follows_insertions_and_removals(
        steps in vec((0_u64..30, any::<bool>()), 0..600), seed: u64,
    ) {
        // Few counters, so that they overflow: never a false "no" for all that.
        let mut filter = CountingBloom::with_seed(8, 0.05, seed).unwrap();
        let mut copies: HashMap<u64, u32> = HashMap::new();
        for (item, insert) in steps {
            let held = copies.entry(item).or_default();
            if insert {
                filter.insert(&item);
                *held += 1;
            } else if *held > 0 {
                prop_assert!(filter.remove(&item));
                *held -= 1;
            }
            for (item, &held) in &copies {
                prop_assert!(held == 0 || filter.contains(item));
            }
        }
    }

    #[test]
    fn decoded_filters_are_equal_and_go_on_equally(
        a in vec(any::<u64>(), 0..200), b in vec(any::<u64>(), 0..100), seed: u64,
    ) {
        fn again<S: Wire + PartialEq + std::fmt::Debug>(filter: &S) -> S {
            let bytes = filter.encode();
            let read = S::decode(&bytes).unwrap();
            assert_eq!(&read, filter);
            assert_eq!(read.encode(), bytes);
            read
        }
        let mut bloom = Bloom::with_seed(100, 0.01, seed).unwrap();
        let mut block = BlockBloom::with_seed(100, 0.01, seed).unwrap();
        let mut counting = CountingBloom::with_seed(100, 0.01, seed).unwrap();
        let mut scalable = ScalableBloom::with_seed(10, 0.01, seed).unwrap();
        let mut cuckoo = Cuckoo::with_seed(220, 0.01, seed).unwrap();
        for item in &a {
            bloom.insert(item);
            block.insert(item);
            counting.insert(item);
            scalable.insert(item);
            let _ = cuckoo.insert(item);
        }
        let fuse = BinaryFuse::<u16>::with_seed(&a, seed).unwrap();
        again(&fuse);
        let mut read = (
            again(&bloom), again(&block), again(&counting), again(&scalable), again(&cuckoo),
        );
        for item in &b {
            prop_assert_eq!(read.0.insert(item), bloom.insert(item));
            prop_assert_eq!(read.1.insert(item), block.insert(item));
            read.2.insert(item);
            counting.insert(item);
            prop_assert_eq!(read.3.insert(item), scalable.insert(item));
            prop_assert_eq!(read.4.insert(item), cuckoo.insert(item));
        }
        prop_assert_eq!(read, (bloom, block, counting, scalable, cuckoo));
    }

    #[test]
    fn a_view_answers_as_the_filter_it_lies_over(items in vec(any::<u64>(), 0..200), seed: u64) {
        let mut bloom = Bloom::with_seed(100, 0.01, seed).unwrap();
        let mut block = BlockBloom::with_seed(100, 0.01, seed).unwrap();
        bloom.insert_all(&items);
        block.insert_all(&items);
        let fuse = BinaryFuse::<u8>::with_seed(&items, seed).unwrap();
        let wide = BinaryFuse::<u16>::with_seed(&items, seed).unwrap();
        let bytes = (bloom.encode(), block.encode(), fuse.encode(), wide.encode());
        let views = (
            BloomRef::new(&bytes.0).unwrap(),
            BlockBloomRef::new(&bytes.1).unwrap(),
            BinaryFuseRef::<u8>::new(&bytes.2).unwrap(),
            BinaryFuseRef::<u16>::new(&bytes.3).unwrap(),
        );
        for item in items.iter().copied().chain(0..200) {
            prop_assert_eq!(views.0.contains(&item), bloom.contains(&item));
            prop_assert_eq!(views.1.contains(&item), block.contains(&item));
            prop_assert_eq!(views.2.contains(&item), fuse.contains(&item));
            prop_assert_eq!(views.3.contains(&item), wide.contains(&item));
        }
        prop_assert_eq!(views.0.fpr(), bloom.fpr());
        prop_assert_eq!(views.1.fpr(), block.fpr());
    }
}

#[test]
fn merging_what_differs_is_refused_by_name_and_changes_nothing() {
    // A peer ORs filters of different seeds without a word: silent false negatives.
    let mut filter = Bloom::with_seed(100, 0.01, 1).unwrap();
    filter.insert("x");
    let before = filter.clone();
    let refused = |e: Result<(), Incompatible>| e.unwrap_err().what;
    assert_eq!(refused(filter.merge(&Bloom::with_seed(100, 0.01, 2).unwrap())), "seed");
    assert_eq!(refused(filter.merge(&Bloom::with_seed(999, 0.01, 1).unwrap())), "bits");
    assert_eq!(refused(filter.merge(&Bloom::with_bits(filter.bits(), 3, 1).unwrap())), "hashes");
    assert_eq!(filter, before);
    let mut block = BlockBloom::with_blocks(4, 1).unwrap();
    assert_eq!(refused(block.merge(&BlockBloom::with_blocks(5, 1).unwrap())), "blocks");
    assert_eq!(refused(block.merge(&BlockBloom::with_blocks(4, 2).unwrap())), "seed");
    let mut cuckoo = Cuckoo::new(100, 0.01).unwrap();
    assert_eq!(refused(cuckoo.merge(&Cuckoo::new(100, 0.001).unwrap())), "fingerprint bits");
}

#[test]
fn merged_cuckoo_filters_hold_and_release_both() {
    let mut a = Cuckoo::new(1_000, 0.001).unwrap();
    let mut b = a.clone();
    (0..500_u64).for_each(|i| a.insert(&i).unwrap());
    (400..900_u64).for_each(|i| b.insert(&i).unwrap());
    a.merge(&b).unwrap();
    assert_eq!(a.len(), 1_000);
    assert!((0..900_u64).all(|i| a.contains(&i)));
    assert!((0..500_u64).chain(400..900).all(|i| a.remove(&i)));
    assert!(a.is_empty());
    let mut full = Cuckoo::new(100, 0.01).unwrap();
    let mut i = 0_u64;
    while full.insert(&i).is_ok() {
        i += 1;
    }
    let before = full.clone();
    assert_eq!(full.merge(&before).unwrap_err().what, "free slots");
    assert_eq!(full, before);
}

#[test]
fn cuckoo_filters_of_every_size_take_what_they_were_sized_for() {
    for items in [1_u64, 2, 3, 10, 100, 1_000, 33_333, 200_000] {
        for fpr in [0.5, 0.01, 0.001, 1.2e-4] {
            let mut filter = Cuckoo::with_seed(items, fpr, items).unwrap();
            for item in 0..items {
                filter.insert(&item).unwrap_or_else(|full| panic!("{items} at {fpr}: {full}"));
            }
        }
    }
}

#[test]
fn a_ninth_copy_is_refused_and_the_eight_come_out_again() {
    let mut filter = Cuckoo::new(1_000, 0.01).unwrap();
    let taken = (0..20).filter(|_| filter.insert("same").is_ok()).count();
    assert!(taken <= 8, "{taken} copies in two buckets of four");
    assert_eq!((0..20).filter(|_| filter.remove("same")).count(), taken);
    assert!(!filter.contains("same"));
}

#[test]
fn a_counter_that_overflowed_never_makes_an_item_vanish() {
    // fastfilter_java #16 and #20: counters that wrapped or were lowered after saturation.
    let mut filter = CountingBloom::new(100, 0.01).unwrap();
    for _ in 0..1_000 {
        filter.insert("often");
    }
    filter.insert("once");
    for _ in 0..999 {
        assert!(filter.remove("often"));
        assert!(filter.contains("often"));
    }
    assert!(filter.contains("once"));
    assert!(filter.stuck() > 0);
    // Below saturation the count is exact: as many removals as insertions and it is gone.
    for _ in 0..14 {
        filter.insert("fourteen");
    }
    (0..14).for_each(|_| assert!(filter.remove("fourteen")));
    assert!(!filter.contains("fourteen") && !filter.remove("fourteen"));
    // Ten and ten are more than a counter holds: merged, it is stuck and not four.
    let mut ten = CountingBloom::new(100, 0.01).unwrap();
    (0..10).for_each(|_| ten.insert("ten"));
    ten.merge(&ten.clone()).unwrap();
    (0..19).for_each(|_| assert!(ten.remove("ten") && ten.contains("ten")));
}

#[test]
fn folding_keeps_the_rate_asked_for_and_no_item_is_lost() {
    let mut filter = BlockBloom::with_blocks(1 << 14, 0).unwrap();
    let items: Vec<u64> = (0..5_000).collect();
    filter.insert_all(&items);
    let small = filter.fold_to(0.01);
    assert!(small.blocks() < filter.blocks() / 32 && small.fpr() <= 0.01);
    assert!(items.iter().all(|item| small.contains(item)));
    assert!(small.fold(2).unwrap().fpr() > 0.01);
    let seven = BlockBloom::with_blocks(7, 0).unwrap();
    assert!(matches!(seven.fold(2), Err(ParamError::Whole { what: "factor", value: 2, .. })));
    assert!(seven.fold(0).is_err() && seven.fold(8).is_err() && seven.fold(7).is_ok());
    assert_eq!(seven.fold_to(f64::NAN).blocks(), 7);
}

#[test]
fn repeated_keys_build_a_binary_fuse_filter() {
    // Equal hashes never peel; peers refuse or loop.
    let repeated: Vec<u64> = (0..30_000).map(|i| i % 1_000).collect();
    let filter = BinaryFuse::<u8>::new(&repeated).unwrap();
    assert_eq!(filter.len(), 1_000);
    assert!((0..1_000_u64).all(|i| filter.contains(&i)));
    let same = BinaryFuse::<u8>::new(&["x"; 10_000]).unwrap();
    assert_eq!((same.len(), same.contains("x")), (1, true));
    let none = BinaryFuse::<u16>::new::<u64>(&[]).unwrap();
    assert!(none.is_empty() && (0..1_000_u64).filter(|i| none.contains(i)).count() < 3);
}

/// Items whose hash ignores the seed and everything else.
struct Stubborn;
impl Item for Stubborn {
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        f(b"")
    }
    fn digest(&self, _: u64) -> u64 {
        7
    }
}

#[test]
fn a_hash_of_ones_own_that_is_constant_is_one_item() {
    let filter = BinaryFuse::<u8>::new(&[Stubborn, Stubborn, Stubborn]).unwrap();
    assert_eq!((filter.len(), filter.contains(&Stubborn)), (1, true));
}

#[test]
fn binary_fuse_filters_of_every_small_size_are_found_and_of_the_stated_size() {
    for n in (0..2_000_u64).chain([9_999, 100_000]) {
        let items: Vec<u64> = (0..n).map(|i| i << 32).collect();
        let filter = BinaryFuse::<u8>::new(&items).unwrap();
        assert!(items.iter().all(|item| filter.contains(item)));
    }
    let items: Vec<u64> = (0..1_000_000).collect();
    let bits = BinaryFuse::<u8>::new(&items).unwrap().bytes() as f64 * 8.0 / 1e6;
    assert!(bits <= 9.05, "{bits} bits an item");
}

#[test]
fn the_estimated_number_of_items_is_within_its_bounds() {
    for (n, seed) in [(0_u64, 0), (1, 1), (1_000, 2), (10_000, 3), (30_000, 4)] {
        let mut filter = Bloom::with_seed(10_000, 0.01, seed).unwrap();
        (0..n).for_each(|i| {
            filter.insert(&i);
        });
        let bounds = filter.estimate_len(4.0);
        assert!(bounds.contains(n as f64), "{n}: {bounds}");
        assert!(bounds.width() <= 0.1 * n as f64 + 3.0, "{n}: {bounds}");
    }
    let mut all = Bloom::with_bits(64, 1, 0).unwrap();
    (0..10_000_u64).for_each(|i| {
        all.insert(&i);
    });
    assert_eq!(all.estimate_len(1.0).upper, f64::INFINITY);
}

#[cfg(feature = "serde")]
#[test]
fn serde_carries_the_encoded_bytes() {
    let mut filter = BlockBloom::new(10, 0.01).unwrap();
    filter.insert("a");
    let json = serde_json::to_string(&filter).unwrap();
    assert_eq!(json, serde_json::to_string(&filter.encode()).unwrap());
    assert_eq!(serde_json::from_str::<BlockBloom>(&json).unwrap(), filter);
    assert!(serde_json::from_str::<Bloom>(&json).is_err());
}

/// Fault 8 of the usual sample code: a Bloom filter before the user table that starts empty after
/// a restart, is never grown, cannot forget, and is told of a user after the table is.
mod a_negative_cache {
    use super::*;

    const USERS: u64 = 1_000;

    #[test]
    fn that_was_written_down_knows_its_users_after_a_restart() {
        let mut cache = Bloom::new(USERS, 0.01).unwrap();
        (0..USERS).for_each(|user| {
            cache.insert(&user);
        });
        let file = cache.encode();
        let faulty = Bloom::new(USERS, 0.01).unwrap();
        assert!((0..USERS).all(|user| !faulty.contains(&user)), "faulty: nobody exists");
        let restarted = Bloom::decode(&file).unwrap();
        assert!((0..USERS).all(|user| restarted.contains(&user)));
    }

    #[test]
    fn that_grows_keeps_its_rate_at_twenty_times_the_users() {
        let mut faulty = Bloom::new(USERS, 0.01).unwrap();
        let mut ours = ScalableBloom::new(USERS, 0.01).unwrap();
        for user in 0..20 * USERS {
            faulty.insert(&user);
            ours.insert(&user);
        }
        assert!(faulty.fpr() > 0.99, "faulty: everybody exists, and {} says so", faulty.fpr());
        assert!(ours.fpr() <= 0.01);
    }

    #[test]
    fn that_can_forget_no_longer_knows_deleted_users() {
        let mut faulty = Bloom::new(USERS, 0.001).unwrap();
        let mut ours = Cuckoo::new(USERS, 0.001).unwrap();
        for user in 0..USERS {
            faulty.insert(&user);
            ours.insert(&user).unwrap();
        }
        let deleted = USERS / 2;
        assert!((0..deleted).all(|user| ours.remove(&user)));
        let known = |contains: &dyn Fn(&u64) -> bool| (0..deleted).filter(contains).count();
        assert_eq!(known(&|user| faulty.contains(user)), 500, "faulty: they live for ever");
        assert!(known(&|user| ours.contains(user)) < 5);
        assert!((deleted..USERS).all(|user| ours.contains(&user)));
    }

    /// A reader at each point between the writer's two steps; absent in the filter means absent.
    fn misses(steps: [fn(&AtomicBloom, &mut HashSet<&'static str>); 2]) -> usize {
        (0..=2)
            .filter(|&done| {
                let (cache, mut table) = (AtomicBloom::new(10, 0.01).unwrap(), HashSet::new());
                steps[..done].iter().for_each(|step| step(&cache, &mut table));
                table.contains("alice") && !cache.contains("alice")
            })
            .count()
    }

    #[test]
    fn that_is_told_first_never_denies_a_user_who_is_in_the_table() {
        let cache = |cache: &AtomicBloom, _: &mut HashSet<_>| {
            cache.insert("alice");
        };
        let table = |_: &AtomicBloom, table: &mut HashSet<_>| {
            table.insert("alice");
        };
        assert_eq!(misses([table, cache]), 1, "faulty: a reader in between gets absent");
        assert_eq!(misses([cache, table]), 0);
    }
}
