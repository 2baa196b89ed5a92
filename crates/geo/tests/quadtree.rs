//! The quadtree against measuring every place.

mod common;

use archstone_geo::{LatLng, LatLngBox, Meters, Metric, QuadTree, Sphere};
use common::{anywhere, at};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(LatLng, u8),
    /// Puts one where another is.
    Double(prop::sample::Index),
    Remove(prop::sample::Index),
    RemoveOther(LatLng),
    Nearest(LatLng, usize),
    Within(LatLng, f64),
    Box(LatLng, LatLng),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        12 => (anywhere(), any::<u8>()).prop_map(|(p, item)| Step::Insert(p, item)),
        4 => index().prop_map(Step::Double),
        6 => index().prop_map(Step::Remove),
        1 => anywhere().prop_map(Step::RemoveOther),
        2 => (anywhere(), 0_usize..30).prop_map(|(p, k)| Step::Nearest(p, k)),
        2 => (anywhere(), prop_oneof![Just(-1.0), Just(0.0), Just(f64::NAN), Just(2.1e7), (0.0..7.4_f64).prop_map(|log| 10_f64.powf(log))]).prop_map(|(p, r)| Step::Within(p, r)),
        2 => (anywhere(), anywhere()).prop_map(|(a, b)| Step::Box(a, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_history_is_that_of_a_list(leaf in 0_usize..9, steps in prop::collection::vec(step(), 1..400)) {
        let mut tree = QuadTree::<u8>::new(leaf);
        let mut list: Vec<(LatLng, u8)> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(p, item) => {
                    tree.insert(p, item);
                    list.push((p, item));
                }
                Step::Double(i) if !list.is_empty() => {
                    let (p, item) = list[i.index(list.len())];
                    tree.insert(p, item);
                    list.push((p, item));
                }
                Step::Remove(i) if !list.is_empty() => {
                    let (p, item) = list.swap_remove(i.index(list.len()));
                    prop_assert!(tree.remove(p, &item));
                }
                Step::RemoveOther(p) => {
                    let there = list.iter().position(|known| *known == (p, 77));
                    prop_assert_eq!(tree.remove(p, &77), there.is_some());
                    if let Some(i) = there {
                        list.swap_remove(i);
                    }
                }
                Step::Nearest(center, k) => {
                    let mut all: Vec<Meters> = list.iter().map(|p| Sphere::EARTH.distance(center, p.0)).collect();
                    all.sort();
                    all.truncate(k);
                    let found: Vec<Meters> = tree.nearest(center, k).iter().map(|hit| hit.1).collect();
                    prop_assert_eq!(found, all);
                }
                Step::Within(center, radius) => {
                    let mut all: Vec<u8> = list.iter().filter(|p| Sphere::EARTH.distance(center, p.0).0 <= radius).map(|p| p.1).collect();
                    let mut found: Vec<u8> = tree.within(center, Meters(radius)).iter().map(|hit| *hit.0).collect();
                    all.sort_unstable();
                    found.sort_unstable();
                    prop_assert_eq!(found, all);
                }
                Step::Box(a, b) => {
                    let area = LatLngBox::new(a.lat().min(b.lat()), a.lat().max(b.lat()), a.lng(), b.lng()).unwrap();
                    let mut all: Vec<u8> = list.iter().filter(|p| area.contains(p.0)).map(|p| p.1).collect();
                    let mut found: Vec<u8> = tree.in_box(&area).iter().map(|hit| *hit.1).collect();
                    all.sort_unstable();
                    found.sort_unstable();
                    prop_assert_eq!(found, all);
                }
                Step::Double(_) | Step::Remove(_) => {}
            }
            prop_assert_eq!((tree.len(), tree.is_empty()), (list.len(), list.is_empty()));
        }
        for (p, item) in list {
            prop_assert!(tree.remove(p, &item));
        }
        prop_assert_eq!(tree.depth(), 0);
    }
}

#[test]
fn a_crowd_in_one_place_ends_at_the_deepest_level() {
    let mut tree = QuadTree::new(4);
    for i in 0..1_000 {
        tree.insert(at(48.0, 2.0), i);
    }
    assert_eq!((tree.depth(), tree.len()), (26, 1_000));
    assert_eq!(tree.within(at(48.0, 2.0), Meters::ZERO).len(), 1_000);
    assert_eq!(tree.nearest(at(-48.0, -178.0), 2_000).len(), 1_000);
    for i in 0..998 {
        assert!(tree.remove(at(48.0, 2.0), &i));
        // Four become one when half a leaf is left of them, and so on up the chain.
        assert_eq!(tree.depth(), if i < 997 { 26 } else { 0 });
    }
    assert!(tree.remove(at(48.0, 2.0), &998) && tree.remove(at(48.0, 2.0), &999));
    assert_eq!(
        (tree.depth(), tree.len(), format!("{tree:?}")),
        (0, 0, "QuadTree(0 places, 1 nodes)".into())
    );
}
