//! The index against every place measured: any set, any center, any metric.

mod common;

use std::ops::ControlFlow;

use archstone_geo::{LatLng, LatLngBox, Meters, Metric, PlaceIndex, Sphere, View};
use common::{anywhere, at};
use proptest::collection::vec;
use proptest::prelude::*;

/// Sets that hurt: duplicates, all equal, one meridian, the poles; 0, 1, 2 and several leaves.
fn places() -> impl Strategy<Value = Vec<LatLng>> {
    let town = || {
        (anywhere(), vec((-0.001..0.001, -0.001..0.001), 0..150)).prop_map(|(center, offs)| {
            offs.into_iter()
                .map(|(a, b)| LatLng::wrapped(center.lat() + a, center.lng() + b).unwrap())
                .collect::<Vec<_>>()
        })
    };
    prop_oneof![
        vec(anywhere(), 0..3),
        vec(anywhere(), 0..400),
        vec(anywhere(), 600..1_300),
        (anywhere(), 0..200_usize).prop_map(|(p, n)| vec![p; n]),
        vec(-90.0..=90.0, 0..200)
            .prop_map(|lats| lats.into_iter().map(|lat| at(lat, 30.0)).collect()),
        vec(anywhere(), 0..60).prop_map(|all| all
            .iter()
            .chain(&all)
            .chain(&all)
            .copied()
            .collect()),
        (town(), town()).prop_map(|(a, b)| a.into_iter().chain(b).collect()),
    ]
}

fn radius() -> impl Strategy<Value = Meters> {
    prop_oneof![
        Just(0.0),
        Just(2.1e7),
        Just(1.0),
        (0.0..7.4_f64).prop_map(|log| 10_f64.powf(log)),
        Just(-1.0),
        Just(f64::NAN),
        Just(f64::INFINITY)
    ]
    .prop_map(Meters)
}

/// Every place with its distance, nearest first.
fn brute(index: &PlaceIndex<u32>, center: LatLng, metric: &impl Metric) -> Vec<(Meters, u32)> {
    // A stable sort over the index's own order: that is its order of ties.
    let mut all: Vec<_> = index.iter().map(|(p, &id)| (metric.distance(center, p), id)).collect();
    all.sort_by_key(|&(distance, _)| distance);
    all
}

fn check<M: Metric + Copy>(
    points: &[LatLng],
    center: LatLng,
    k: usize,
    radius: Meters,
    metric: M,
) -> Result<(), TestCaseError> {
    let pairs = || points.iter().copied().zip(0_u32..);
    for index in [PlaceIndex::new(pairs()), PlaceIndex::compact(pairs())] {
        let all = brute(&index, center, &metric);
        let found = |hits: Vec<archstone_geo::Hit<'_, &u32, M>>| {
            hits.iter().map(|hit| (hit.distance(), *hit.item)).collect::<Vec<_>>()
        };
        let near = index.near(center).metric(metric);
        prop_assert_eq!(
            found(near.limit(k).collect()),
            all[..k.min(all.len())].to_vec(),
            "k nearest"
        );
        prop_assert_eq!(near.first().map(|hit| *hit.item), all.first().map(|hit| hit.1));
        let within: Vec<_> = all.iter().copied().filter(|hit| hit.0.0 <= radius.0).collect();
        prop_assert_eq!(found(near.within(radius).collect()), within.clone(), "within {}", radius);
        prop_assert_eq!(near.within(radius).count(), within.len());
        let mut ids: Vec<u32> = Vec::new();
        let _ = near.within(radius).for_each(|hit| {
            ids.push(*hit.item);
            ControlFlow::Continue(())
        });
        ids.sort_unstable();
        let mut expected: Vec<u32> = within.iter().map(|hit| hit.1).collect();
        expected.sort_unstable();
        prop_assert_eq!(ids, expected);
        let odd = |id: &u32| id % 2 == 1;
        let odds: Vec<_> = within.iter().copied().filter(|hit| odd(&hit.1)).take(k).collect();
        prop_assert_eq!(
            found(near.within(radius).filter(&odd).limit(k).collect()),
            odds.clone(),
            "filtered"
        );
        prop_assert_eq!(
            found(near.within(radius).filter(&odd).limit(k).iter().collect()),
            odds,
            "lazily, filtered"
        );
        prop_assert_eq!(
            found(near.limit(k).iter().collect()),
            all[..k.min(all.len())].to_vec(),
            "lazily"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn answers_on_the_sphere_are_those_of_measuring_every_place(points in places(), center in anywhere(), k in 0_usize..40, radius in radius()) {
        check(&points, center, k, radius, Sphere::EARTH)?;
    }

    #[test]
    fn a_center_on_a_place_and_its_antipode_find_it(points in places(), pick in any::<prop::sample::Index>(), k in 0_usize..200) {
        if let Some(&center) = points.get(pick.index(points.len().max(1))) {
            check(&points, center, k, Meters::ZERO, Sphere::EARTH)?;
            check(&points, center.antipode(), 3, Meters(2.0015e7), Sphere::EARTH)?;
        }
    }

    #[test]
    fn boxes_hold_what_they_contain(points in places(), a in anywhere(), b in anywhere()) {
        let area = LatLngBox::new(a.lat().min(b.lat()), a.lat().max(b.lat()), a.lng(), b.lng()).unwrap();
        let index = PlaceIndex::new(points.iter().copied().zip(0_u32..));
        let found: Vec<u32> = index.in_box(&area).map(|(_, id)| *id).collect();
        let expected: Vec<u32> = index.iter().filter(|(p, _)| area.contains(*p)).map(|(_, id)| *id).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn bytes_answer_as_the_index_does_and_broken_ones_are_refused(points in places(), center in anywhere(), compact in any::<bool>(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let pairs = points.iter().copied().zip(0_u32..);
        let index = if compact { PlaceIndex::compact(pairs) } else { PlaceIndex::new(pairs) };
        let mut bytes = index.encode();
        {
            let view = View::new(&bytes).unwrap();
            prop_assert_eq!(view.len(), index.len());
            let ours: Vec<u64> = index.near(center).limit(7).collect().iter().map(|hit| u64::from(*hit.item)).collect();
            let theirs: Vec<u64> = view.near(center).limit(7).collect().iter().map(|hit| hit.item).collect();
            prop_assert_eq!(ours, theirs);
        }
        prop_assert!(View::new(&bytes[..bytes.len() - 1]).is_err());
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(view) = View::new(&bytes) {
            // A changed item or padding is another index, not a broken one.
            prop_assert!(view.near(center).limit(9).collect().len() <= index.len());
            let _ = view.near(center).within(Meters(1e6)).count();
            let _ = view.in_box(&LatLngBox::WORLD).count();
        }
    }
}

#[test]
fn equal_places_come_in_the_order_they_were_given() {
    let index = PlaceIndex::new((0..1_000_u32).map(|id| (at(48.0, 2.0), id)));
    let ids: Vec<u32> =
        index.near(at(48.1, 2.0)).limit(100).collect().iter().map(|hit| *hit.item).collect();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
    assert_eq!(index.near(at(48.1, 2.0)).within(Meters::from_km(12.0)).count(), 1_000);
}

/// Their coordinates differ by 2^31 steps, one more than an `i32` holds.
#[test]
fn places_at_both_ends_of_an_axis_are_found() {
    for (a, b) in [
        (at(0.0, 0.0), at(0.0, 180.0)),
        (at(0.0, 90.0), at(0.0, -90.0)),
        (at(90.0, 0.0), at(-90.0, 0.0)),
    ] {
        let index = PlaceIndex::new((0..100_u32).map(|id| (if id % 3 == 0 { a } else { b }, id)));
        for (center, id) in [(a, 0), (b, 1)] {
            assert_eq!(index.nearest(center).map(|hit| *hit.item), Some(id));
            assert_eq!(index.near(center).limit(34).collect().len(), 34);
            assert!(
                index.near(center).limit(33).collect().iter().all(|hit| hit.distance().0 == 0.0)
            );
        }
    }
}

#[test]
fn an_empty_index_answers_nothing() {
    let index = PlaceIndex::<u32>::new([]);
    assert!(index.is_empty() && index.nearest(at(0.0, 0.0)).is_none());
    assert_eq!(
        index.near(at(0.0, 0.0)).collect().len()
            + index.near(at(0.0, 0.0)).iter().count()
            + index.in_box(&LatLngBox::WORLD).count(),
        0
    );
    assert!(View::new(&index.encode()).unwrap().is_empty());
}

/// Farther from each other than doubles round, nearer than the grid: its order is not theirs.
#[test]
fn places_that_the_grid_cannot_part_come_in_their_order() {
    for i in 0..200_u32 {
        let center = at(f64::from(i * 37 % 170) - 85.0, f64::from(i * 101 % 350) - 175.0);
        let place = |k: u32| {
            let meters = 3.0 + f64::from(k * 29 % 97) * 1e-4;
            (Sphere::EARTH.destination(center, f64::from(k * 61 % 360) - 180.0, Meters(meters)), k)
        };
        let index = PlaceIndex::new((0..97).map(place));
        let all = brute(&index, center, &Sphere::EARTH);
        for k in 1..=20 {
            let found = index.near(center).limit(k).collect();
            let found: Vec<_> = found.iter().map(|hit| (hit.distance(), *hit.item)).collect();
            assert_eq!(found, all[..k], "{center}");
        }
    }
}

#[test]
fn a_walk_stops_where_it_is_told() {
    let index = PlaceIndex::new((0..500_u32).map(|id| (at(f64::from(id) * 0.001, 0.0), id)));
    let mut seen = 0;
    let stopped = index.near(at(0.0, 0.0)).for_each(|_| {
        seen += 1;
        if seen == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((seen, stopped), (7, ControlFlow::Break(())));
    assert_eq!(index.near(at(0.0, 0.0)).limit(0).count(), 0);
    assert_eq!(index.near(at(0.0, 0.0)).limit(11).count(), 11);
}

#[test]
fn a_compact_index_keeps_positions_to_6_mm_in_12_9_bytes() {
    let points: Vec<LatLng> = (0..10_000)
        .map(|i| at(f64::from(i) * 0.017_99 - 89.9, f64::from(i) * 7.31 % 360.0 - 180.0))
        .collect();
    let index = PlaceIndex::compact(points.iter().copied().zip(0_u32..));
    for (p, &id) in index.iter() {
        assert!(Sphere::EARTH.distance(p, points[id as usize]).0 < 6e-3);
    }
    let bytes = index.memory() as f64 / 10_000.0 - 4.0;
    assert!(bytes < 13.1, "{bytes}");
}

/// 400 centers over all places, by brute force elsewhere: poles, antimeridian, cities.
#[test]
fn the_nearest_places_are_those_of_the_truth() {
    let Some(truth) = testkit::golden::data("geo/knn_truth.jsonl.gz") else { return };
    let index = all_places();
    for row in testkit::golden::jsonl::<serde_json::Value>(truth) {
        let center = at(row["lat"].as_f64().unwrap(), row["lon"].as_f64().unwrap());
        for (key, hits) in [(
            "haversine_knn20",
            index
                .near(center)
                .limit(20)
                .collect()
                .iter()
                .map(|h| (*h.item, h.distance().0))
                .collect::<Vec<_>>(),
        )] {
            let expected: Vec<(u32, f64)> = serde_json::from_value(row[key].clone()).unwrap();
            for (ours, theirs) in hits.iter().zip(&expected) {
                assert!((ours.1 - theirs.1).abs() < 1e-3, "{center} {ours:?} {theirs:?}");
                let tied =
                    expected.iter().filter(|other| (other.1 - theirs.1).abs() < 1e-3).count() > 1;
                assert!(ours.0 == theirs.0 || tied, "{center} {ours:?} {theirs:?}");
            }
            assert_eq!(hits.len(), expected.len());
        }
    }
}

fn all_places() -> PlaceIndex<u32> {
    let path = testkit::golden::data("geo/places.csv.gz").unwrap();
    testkit::golden::csv::<(u32, f64, f64, String, u64, String)>(path)
        .map(|(id, lat, lng, ..)| (at(lat, lng), id))
        .collect()
}
