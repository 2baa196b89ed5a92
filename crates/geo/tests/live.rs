//! The live index as a state machine against a map and measuring everything.
#![cfg(feature = "std")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use archstone_core::Time;
use archstone_geo::{LatLng, LiveIndex, Meters, Metric, Sphere};
use common::{anywhere, at};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Put(u16, LatLng, Option<u64>),
    Nudge(u16, f64),
    Remove(u16),
    Expire(u64),
    Nearest(LatLng, usize),
    Within(LatLng, f64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0_u16..300;
    prop_oneof![
        8 => (key.clone(), anywhere(), proptest::option::of(1_u64..100)).prop_map(|(k, p, t)| Step::Put(k, p, t)),
        4 => key.clone().prop_map(|k| Step::Put(k, at(48.0, 2.0), None)),
        6 => (key.clone(), -0.01..0.01).prop_map(|(k, d)| Step::Nudge(k, d)),
        4 => key.prop_map(Step::Remove),
        1 => (1_u64..100).prop_map(Step::Expire),
        2 => (anywhere(), 0_usize..20).prop_map(|(p, k)| Step::Nearest(p, k)),
        2 => (anywhere(), 0.0..7.4_f64).prop_map(|(p, log)| Step::Within(p, 10_f64.powf(log))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_history_is_that_of_a_map_that_measures_all(steps in proptest::collection::vec(step(), 1..900)) {
        let mut live = LiveIndex::<u16>::new();
        let mut model: HashMap<u16, (LatLng, Time)> = HashMap::new();
        let mut now = Time::ZERO;
        for step in steps {
            match step {
                Step::Put(key, p, ttl) => {
                    let ends = ttl.map_or(Time::MAX, |s| now + Duration::from_secs(s));
                    prop_assert_eq!(live.upsert_until(key, p, ends), model.insert(key, (p, ends)).map(|old| old.0));
                }
                Step::Nudge(key, d) => {
                    if let Some((p, ends)) = model.get(&key).copied() {
                        let p2 = LatLng::wrapped(p.lat() + d, p.lng() + d).unwrap();
                        prop_assert_eq!(live.upsert_until(key, p2, ends), Some(p));
                        model.insert(key, (p2, ends));
                    }
                }
                Step::Remove(key) => prop_assert_eq!(live.remove(&key), model.remove(&key).map(|old| old.0)),
                Step::Expire(seconds) => {
                    now += Duration::from_secs(seconds);
                    let before = model.len();
                    model.retain(|_, (_, ends)| *ends > now);
                    prop_assert_eq!(live.expire(now), before - model.len());
                }
                Step::Nearest(center, k) => {
                    let mut all: Vec<Meters> = model.values().filter(|v| v.1 > now).map(|v| Sphere::EARTH.distance(center, v.0)).collect();
                    all.sort();
                    all.truncate(k);
                    let found: Vec<Meters> = live.nearest_at(now, center, k).iter().map(|hit| hit.1).collect();
                    prop_assert_eq!(found, all);
                }
                Step::Within(center, radius) => {
                    let mut all: Vec<u16> = model.iter().filter(|(_, v)| v.1 > now && Sphere::EARTH.distance(center, v.0).0 <= radius).map(|(k, _)| *k).collect();
                    let mut found: Vec<u16> = live.within_at(now, center, Meters(radius)).iter().map(|hit| *hit.0).collect();
                    all.sort_unstable();
                    found.sort_unstable();
                    prop_assert_eq!(found, all);
                }
            }
        }
        live.validate();
        for (key, (p, _)) in &model {
            prop_assert_eq!(live.position(key), Some(*p));
        }
        prop_assert_eq!(live.len(), model.len());
    }
}

/// A k-d tree of fixed leaves refuses the 33rd; a block of flats has more.
#[test]
fn a_thousand_objects_at_one_place_are_all_there() {
    let mut live = LiveIndex::<u32>::new();
    for key in 0..1_000 {
        live.upsert(key, at(48.0, 2.0));
    }
    live.validate();
    assert_eq!(live.within(at(48.0, 2.0), Meters::ZERO).len(), 1_000);
    assert_eq!(live.nearest(at(48.1, 2.0), 2_000).len(), 1_000);
    for key in 0..1_000 {
        assert!(live.remove(&key).is_some());
    }
    assert!(
        live.is_empty() && live.remove(&1).is_none() && live.nearest(at(0.0, 0.0), 3).is_empty()
    );
    live.validate();
}

/// Buckets that join again: every object keeps its place while the others go.
#[test]
fn those_that_stay_are_found_while_the_others_leave() {
    let mut live = LiveIndex::<u32>::new();
    let place = |key: u32| at(f64::from(key * 37 % 170) - 85.0, f64::from(key * 101 % 350) - 175.0);
    for key in 0..1_000 {
        live.upsert(key, place(key));
    }
    for key in 0..995 {
        assert_eq!(live.remove(&key), Some(place(key)));
        live.validate();
        // One of the rest moves and is found where it is.
        let last = 999 - key % 5;
        live.upsert(last, place(key));
        assert!(live.within(place(key), Meters(1.0)).iter().any(|hit| *hit.0 == last));
        live.upsert(last, place(last));
    }
    assert_eq!(live.nearest(at(0.0, 0.0), 10).len(), 5);
}

/// A fix a second, each answered: nobody is lost while it moves within its bucket and out of it.
#[test]
fn whoever_moves_is_the_nearest_to_where_it_went() {
    let mut live = LiveIndex::<u32>::new();
    for key in 0..500_u32 {
        live.upsert(key, at(f64::from(key) * 0.01, f64::from(key % 7)));
    }
    for step in 0..5_000_u32 {
        let key = step * 7 % 500;
        let to = at(f64::from(step * 13 % 601) * 0.01 + 0.005, f64::from(step % 9) + 0.3);
        live.upsert(key, to);
        let near = live.nearest(to, 3);
        assert_eq!(near.len(), 3);
        assert!(near.iter().any(|hit| *hit.0 == key && hit.1 == Meters::ZERO), "{key} {near:?}");
    }
    live.validate();
}

#[test]
fn an_object_is_gone_from_its_end_on() {
    let mut live = LiveIndex::<&str>::new();
    live.upsert_until("bus", at(1.0, 1.0), Time::from_secs(60));
    assert_eq!(live.nearest_at(Time::from_secs(59), at(1.0, 1.0), 1).len(), 1);
    assert_eq!(live.nearest_at(Time::from_secs(60), at(1.0, 1.0), 1).len(), 0);
    assert_eq!(
        (live.expire(Time::from_secs(59)), live.expire(Time::from_secs(60)), live.len()),
        (0, 1, 0)
    );
}
