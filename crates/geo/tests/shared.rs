//! The shared index: as one thread, as the live one; as many, nothing lost and nothing twice.
#![cfg(feature = "std")]

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use archstone_geo::{LatLng, LiveIndex, Meters, Metric, SharedIndex, Sphere, Time};
use common::{anywhere, at};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn alone_it_answers_as_the_live_index(
        steps in proptest::collection::vec((0_u16..200, anywhere(), 0_u64..100, 0_u8..8), 1..600),
        shards in 1_usize..9,
        center in anywhere(),
        k in 0_usize..40,
        radius in prop_oneof![Just(-1.0), Just(f64::NAN), Just(0.0), Just(2.1e7), 0.0..2e7],
    ) {
        let shared = SharedIndex::with_shards(shards, std::hash::RandomState::new());
        let mut live = LiveIndex::<u16>::new();
        let mut now = Time::ZERO;
        for (key, p, seconds, what) in steps {
            match what {
                0 => prop_assert_eq!(shared.remove(&key), live.remove(&key)),
                1 if seconds % 7 == 0 => {
                    now += Duration::from_secs(seconds / 7);
                    prop_assert_eq!(shared.expire(now), live.expire(now));
                }
                2 => prop_assert_eq!(shared.upsert(key, center), live.upsert(key, center)),
                _ => {
                    let ends = now + Duration::from_secs(seconds);
                    prop_assert_eq!(shared.upsert_until(key, p, ends), live.upsert_until(key, p, ends));
                }
            }
            prop_assert_eq!(shared.position(&key), live.position(&key));
        }
        shared.validate();
        prop_assert_eq!((shared.len(), shared.is_empty()), (live.len(), live.is_empty()));
        let ours: Vec<Meters> = shared.nearest_at(now, center, k).iter().map(|hit| hit.1).collect();
        let theirs: Vec<Meters> = live.nearest_at(now, center, k).iter().map(|hit| hit.1).collect();
        prop_assert_eq!(ours, theirs);
        let mut ours: Vec<(u16, Meters)> = shared.within_at(now, center, Meters(radius));
        let mut theirs: Vec<(u16, Meters)> = live.within_at(now, center, Meters(radius)).into_iter().map(|(key, d)| (*key, d)).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        prop_assert_eq!(ours, theirs);
    }
}

/// Movers send every object back and forth between two far places, all within the radius asked for;
/// a few come and go. Questions must have every one that stays, once, at a distance that one of its
/// places has.
#[test]
fn under_load_no_object_is_lost_or_seen_twice() {
    const STAY: u32 = 300;
    let index = SharedIndex::new();
    let home = |key: u32| at(f64::from(key) * 0.1 - 15.0, 0.0);
    let away = |key: u32| at(f64::from(key) * 0.1 - 15.0, 60.0);
    for key in 0..STAY {
        index.upsert(key, home(key));
    }
    // Set when the questions end, by a failed assertion too: else the movers would go on for ever.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    let center = at(0.0, 30.0);
    let all = Meters(8e6);
    std::thread::scope(|threads| {
        let (index, over) = (&index, &over);
        for half in 0..2 {
            threads.spawn(move || {
                let mut out = false;
                while !over.load(Ordering::Relaxed) {
                    out = !out;
                    for key in (half..STAY).step_by(2) {
                        index.upsert(key, if out { away(key) } else { home(key) });
                    }
                    let guest = STAY + half;
                    index.upsert_until(guest, center, Time::from_secs(1));
                    index.remove(&guest);
                }
            });
        }
        let _end = End(over);
        for _ in 0..400 {
            let hits = index.within(center, all);
            let keys: HashSet<u32> = hits.iter().map(|hit| hit.0).collect();
            assert_eq!(keys.len(), hits.len(), "one came twice");
            assert!((0..STAY).all(|key| keys.contains(&key)), "one was lost");
            let places = |key: u32| [home(key), away(key), center];
            assert!(hits.iter().all(|&(key, d)| {
                places(key).iter().any(|p| Sphere::EARTH.distance(center, *p) == d)
            }));
            let near = index.nearest(center, 500);
            let keys: HashSet<u32> = near.iter().map(|hit| hit.0).collect();
            assert!(keys.len() == near.len() && (0..STAY).all(|key| keys.contains(&key)));
            assert!(near.is_sorted_by_key(|hit| hit.1));
        }
    });
    index.validate();
}

/// Each of the threads' last words is what stands in the end.
#[test]
fn what_each_thread_put_last_is_there() {
    let index = SharedIndex::new();
    let place = |thread: u32, i: u32| -> LatLng { at(f64::from(i % 90), f64::from(thread)) };
    std::thread::scope(|threads| {
        for thread in 0..4_u32 {
            let index = &index;
            threads.spawn(move || {
                for i in 0..3_000 {
                    index.upsert((thread, i % 50), place(thread, i));
                }
            });
        }
    });
    assert_eq!(index.len(), 200);
    index.validate();
    for thread in 0..4 {
        for key in 0..50 {
            assert_eq!(index.position(&(thread, key)), Some(place(thread, 2_950 + key)));
        }
    }
}

/// The radius of the last hit is carried to the next shard only once there are `k` of them.
#[test]
fn few_objects_in_many_shards_are_all_found() {
    let index = SharedIndex::with_shards(8, std::hash::RandomState::new());
    for key in 0..40_u32 {
        index.upsert(key, at(0.0, f64::from(key)));
    }
    for k in 1..=40 {
        let near: Vec<u32> = index.nearest(at(0.0, 0.0), k).iter().map(|hit| hit.0).collect();
        assert_eq!(near.len(), k);
        assert!(near.iter().zip(0..).all(|(key, i)| *key == i), "{near:?}");
    }
}
