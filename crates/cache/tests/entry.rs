//! `compute`, conditional insertion and entries, on both caches, against a plain map.

use archstone_cache::policy::Lru;
use archstone_cache::unsync::entry::Entry;
use archstone_cache::{Builder, Cause, Computed, Insert, Manual, Op, Reject, Time, sync, unsync};
use proptest::prelude::*;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Verb {
    /// Keep, put or remove, by the value that is there.
    Compute(u8, u8),
    InsertIf(u8, u8),
    IfAbsent(u8, u8),
    Replace(u8, u8),
    Entry(u8, u8),
    Update(u8, u8),
    Wait(u8),
}

fn verbs() -> impl Strategy<Value = Vec<Verb>> {
    let verb = (0..7_u8, 0..6_u8, 0..10_u8).prop_map(|(verb, key, by)| match verb {
        0 => Verb::Compute(key, by),
        1 => Verb::InsertIf(key, by),
        2 => Verb::IfAbsent(key, by),
        3 => Verb::Replace(key, by),
        4 => Verb::Entry(key, by),
        5 => Verb::Update(key, by),
        _ => Verb::Wait(by),
    });
    prop::collection::vec(verb, 0..60)
}

fn decide(by: u8, old: Option<&u8>) -> Op<u8> {
    match (by % 3, old) {
        (0, _) => Op::Keep,
        (1, old) => Op::Put(old.map_or(by, |old| old.wrapping_add(by))),
        _ => Op::Remove,
    }
}

/// A map with deadlines, large enough that nothing is evicted.
#[derive(Default)]
struct Model {
    map: HashMap<u8, (u8, u64)>,
    now: u64,
}

const TTL: u64 = 10;

impl Model {
    fn get(&self, key: u8) -> Option<u8> {
        self.map.get(&key).filter(|entry| entry.1 > self.now).map(|entry| entry.0)
    }
    fn put(&mut self, key: u8, value: u8) -> Insert<u8, u8> {
        let old = self.get(key);
        self.map.insert(key, (value, self.now + TTL));
        old.map_or(Insert::New, Insert::Replaced)
    }
    fn put_if(&mut self, yes: bool, key: u8, value: u8) -> Result<Insert<u8, u8>, (u8, u8)> {
        if yes { Ok(self.put(key, value)) } else { Err((key, value)) }
    }
    fn compute(&mut self, key: u8, by: u8) -> Computed<u8, u8> {
        let old = self.get(key);
        match (decide(by, old.as_ref()), old) {
            (Op::Put(value), _) => Computed::Put(self.put(key, value)),
            (Op::Remove, Some(old)) => {
                self.map.remove(&key);
                Computed::Removed(key, old)
            }
            _ => Computed::Kept(key),
        }
    }
}

proptest! {
    #[test]
    fn both_caches_do_what_a_map_does(history in verbs()) {
        let clock = Arc::new(Manual::default());
        let build = || Builder::<u8, u8>::new(99).time_to_live(Duration::from_secs(TTL)).clock(clock.clone());
        let (mut one, many) = (build().build().unwrap(), build().shards(2).build_sync().unwrap());
        let mut model = Model::default();
        for verb in history {
            match verb {
                Verb::Compute(key, by) => {
                    let expected = model.compute(key, by);
                    prop_assert_eq!(one.compute(key, |old| decide(by, old)), expected.clone());
                    prop_assert_eq!(many.compute(key, |old| decide(by, old)), expected);
                }
                Verb::InsertIf(key, by) => {
                    let yes = |old: Option<u8>| old.is_none_or(|old| old < by);
                    let expected = model.put_if(yes(model.get(key)), key, by);
                    prop_assert_eq!(one.insert_if(key, by, |old| yes(old.copied())), expected.clone());
                    prop_assert_eq!(many.insert_if(key, by, |old| yes(old.copied())), expected);
                }
                Verb::IfAbsent(key, by) => {
                    let expected = model.put_if(model.get(key).is_none(), key, by);
                    prop_assert_eq!(one.insert_if_absent(key, by), expected.clone());
                    prop_assert_eq!(many.insert_if_absent(key, by), expected);
                }
                Verb::Replace(key, by) => {
                    let expected = model.put_if(model.get(key).is_some(), key, by);
                    prop_assert_eq!(one.replace(key, by), expected.clone());
                    prop_assert_eq!(many.replace(key, by), expected);
                }
                Verb::Entry(key, by) => {
                    // The one that is there is doubled, without a new lifetime; else a new one.
                    let old = model.get(key);
                    let expected = old.map_or(by, |old| old.wrapping_mul(2));
                    match old {
                        Some(_) => model.map.get_mut(&key).unwrap().0 = expected,
                        None => drop(model.put(key, by)),
                    }
                    let twice = |value: &mut u8| *value = value.wrapping_mul(2);
                    let got = one.entry(key).and_modify(twice).or_insert_with(|| by).copied();
                    prop_assert_eq!(got, Some(expected));
                    prop_assert_eq!(many.entry(key).and_modify(twice).or_insert_with(|| by), expected);
                }
                Verb::Update(key, by) => {
                    let expected = model.get(key).map(|_| {
                        let entry = model.map.get_mut(&key).unwrap();
                        core::mem::replace(&mut entry.0, by)
                    });
                    prop_assert_eq!(one.get_mut(&key).map(|value| core::mem::replace(value, by)), expected);
                    prop_assert_eq!(many.update(&key, |value| core::mem::replace(value, by)), expected);
                }
                Verb::Wait(by) => {
                    model.now += u64::from(by);
                    clock.set(Time::from_secs(model.now));
                }
            }
            for key in 0..6 {
                prop_assert_eq!(one.peek(&key).copied(), model.get(key));
                prop_assert_eq!(many.peek(&key), model.get(key));
            }
            one.validate();
            many.validate_alone();
        }
    }
}

#[test]
fn entries_of_one_owner() {
    let mut cache = unsync::Cache::<&str, i32, Lru>::with_policy(2);
    let Entry::Vacant(vacant) = cache.entry("a") else { panic!() };
    assert_eq!((*vacant.key(), vacant.insert(1)), ("a", Insert::New));
    let Entry::Occupied(mut there) = cache.entry("a") else { panic!() };
    *there.get_mut().unwrap() += 1;
    assert_eq!(*there.key(), "a");
    assert_eq!(there.get(), Some(&2));
    assert_eq!(there.insert(3), Insert::Replaced(2));
    let Entry::Occupied(there) = cache.entry("a") else { panic!() };
    assert_eq!(there.remove(), Some(("a", 3)));
    let Entry::Vacant(vacant) = cache.entry("a") else { panic!() };
    assert_eq!(vacant.into_key(), "a");
    assert!(cache.is_empty());
    let mut none = unsync::Cache::<&str, i32>::new(0);
    assert_eq!(none.entry("a").or_insert_with(|| 1), None, "refused");
}

/// A value that became heavier needs room, and finds it in other shards; `decide` sees the old value
/// however often it is asked.
#[test]
fn a_heavier_value_finds_room_elsewhere_and_is_computed_from_the_old_one() {
    for keys in 2..40_u64 {
        let cache = Builder::weighted(keys, |_: &u64, weight: &u64| *weight)
            .policy::<Lru>()
            .shards(8)
            .build_sync()
            .unwrap();
        (0..keys).for_each(|key| cache.insert(key, 1).ignore());
        assert_eq!(cache.weight(), keys);
        for _ in 1..keys {
            let put = cache.compute(0, |old| Op::Put(old.expect("it must not be lost") + 1));
            assert!(matches!(put, Computed::Put(Insert::Replaced(_))), "{put:?}");
            assert!(cache.weight() <= keys);
            cache.validate_alone();
        }
        assert_eq!((cache.get(&0), cache.len()), (Some(keys), 1));
        let Computed::Put(Insert::Rejected { value, why, .. }) =
            cache.compute(0, |old| Op::Put(old.unwrap() + 1))
        else {
            panic!()
        };
        assert_eq!((value, why), (keys + 1, Reject::TooHeavy { weight: keys + 1, limit: keys }));
        assert_eq!(cache.get(&0), None, "a refused value leaves no older one");
        cache.validate_alone();
    }
}

#[test]
fn a_full_cache_of_pins_refuses_and_keeps_the_old_value() {
    let cache =
        Builder::weighted(4, |_: &u8, weight: &u64| *weight).shards(2).build_sync().unwrap();
    for key in 0..4 {
        cache.insert(key, 1).ignore();
        cache.pin(&key);
    }
    let put = cache.compute(0, |old| Op::Put(old.unwrap() + 1));
    assert!(matches!(put, Computed::Put(Insert::Rejected { value: 2, why: Reject::Pinned, .. })));
    assert_eq!((cache.get(&0), cache.weight()), (Some(1), 4));
    let refused = Insert::Rejected { key: 9, value: 1, why: Reject::Pinned };
    assert_eq!(cache.insert_if_absent(9, 1), Ok(refused));
    cache.validate_alone();
}

#[test]
fn the_listener_hears_of_what_is_computed_once_and_outside_of_locks() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&heard);
    let handle = Arc::new(Mutex::new(None::<sync::Cache<u8, u8>>));
    let again = Arc::clone(&handle);
    let cache = Builder::new(9)
        .shards(1)
        .on_removal(move |key, value, cause| {
            into.lock().unwrap().push((*key, *value, cause));
            // Not under the lock of the only shard.
            assert_eq!(again.lock().unwrap().as_ref().map(|cache| cache.peek(&99)), Some(None));
        })
        .build_sync()
        .unwrap();
    *handle.lock().unwrap() = Some(cache.clone());
    cache.compute(1, |_| Op::Put(10)).ignore();
    cache.compute(1, |_| Op::Put(11)).ignore();
    drop(cache.replace(1, 12));
    drop(cache.insert_if(1, 13, |_| false));
    cache.compute(1, |_| Op::Remove).ignore();
    cache.compute(1, |_| Op::Remove).ignore();
    let removed = (1, 12, Cause::Removed);
    assert_eq!(
        *heard.lock().unwrap(),
        [(1, 10, Cause::Replaced), (1, 11, Cause::Replaced), removed]
    );
    *handle.lock().unwrap() = None;
}

#[test]
fn a_decision_that_panics_changes_nothing_and_frees_the_lock() {
    let cache = sync::Cache::new(9);
    cache.insert(1, vec![1]).ignore();
    let panics: [&dyn Fn(); 3] = [
        &|| cache.compute(1, |_| std::panic::resume_unwind(Box::new("burnt"))).ignore(),
        &|| drop(cache.insert_if(1, vec![2], |_| std::panic::resume_unwind(Box::new("burnt")))),
        &|| _ = cache.update(&1, |_| std::panic::resume_unwind(Box::new("burnt")) as ()),
    ];
    for panics in panics {
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        cache.validate_alone();
        assert_eq!(cache.get(&1), Some(vec![1]));
    }
    let mut one = unsync::Cache::new(9);
    one.insert(1, 1).ignore();
    let compute = AssertUnwindSafe(|| {
        one.compute(1, |_| std::panic::resume_unwind(Box::new("burnt"))).ignore();
    });
    assert!(catch_unwind(compute).is_err());
    one.validate();
}

/// Nothing comes between the look and the change.
#[test]
fn threads_count_without_losing_one() {
    let cache = sync::Cache::new(16);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..10_000_u32 {
                    let add = |old: Option<&u32>| Op::Put(old.map_or(1, |old| old + 1));
                    cache.compute(n % 4, add).ignore();
                }
            });
        }
    });
    assert_eq!((0..4).map(|key| cache.get(&key).unwrap()).sum::<u32>(), 40_000);
}
