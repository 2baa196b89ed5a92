//! The textbook's quadtree beside our two indexes, for information: Q1.

use std::sync::Arc;

use archstone_geo::{LatLng, LiveIndex, PlaceIndex, QuadTree};

use super::index::{self, Set};
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

const QUADTREE: &str = "archstone-geo QuadTree, leaves of 16";

pub(super) fn entries(area: &mut Area) {
    area.race("geo.Q1/k=10", |_| nearest(&index::set(0)));
    area.race("geo.Q1/insert", |_| insert(&index::set(0)));
    area.rows("geo.Q1/bytes", |_| bytes(&index::set(0)));
}

fn pairs(set: &Set) -> impl Iterator<Item = (LatLng, u32)> + '_ {
    set.points.iter().copied().zip(0..)
}

fn quadtree(set: &Set) -> QuadTree<u32> {
    let mut tree = QuadTree::new(16);
    pairs(set).for_each(|(at, id)| tree.insert(at, id));
    tree
}

fn live(set: &Set) -> LiveIndex<u32> {
    let mut live = LiveIndex::new();
    for (at, id) in pairs(set) {
        live.upsert(id, at);
    }
    live
}

fn nearest(set: &Set) -> Race {
    let queries = Arc::clone(&set.queries);
    let n = queries.len();
    let sum = move |nearest: &dyn Fn(LatLng) -> u64| queries.iter().fold(0_u64, |sum, at| sum.wrapping_add(nearest(*at)));
    let (a, b) = (sum.clone(), sum.clone());
    Race::new(
        format!("10 nearest of {} places, in order", set.points.len()),
        Runner::steady(QUADTREE, n, quadtree(set), move |tree| sum(&|at| tree.nearest(at, 10).iter().map(|hit| u64::from(*hit.0)).sum())),
    )
    .beside("place-index", Runner::steady("PlaceIndex", n, PlaceIndex::new(pairs(set)), move |index| {
        a(&|at| index.near(at).limit(10).collect().iter().map(|hit| u64::from(*hit.item)).sum())
    }))
    .beside("live-index", Runner::steady("LiveIndex", n, live(set), move |live| {
        b(&|at| live.nearest(at, 10).iter().map(|hit| u64::from(*hit.0)).sum())
    }))
}

fn insert(set: &Set) -> Race {
    let n = set.points.len();
    let fresh = |name: &str, build: fn(&Set) -> usize| {
        let set = set.clone();
        Runner::fresh(name, n, move || set.clone(), move |set| build(&set))
    };
    Race::new(format!("putting in {n} places"), fresh(QUADTREE, |set| quadtree(set).len()))
        .beside("place-index", fresh("PlaceIndex, at once", |set| PlaceIndex::new(pairs(set)).len()))
        .beside("live-index", fresh("LiveIndex, by key", |set| live(set).len()))
}

fn bytes(set: &Set) -> Vec<Row> {
    let n = set.points.len() as f64;
    let (_tree, ours) = memory::used(|| quadtree(set));
    let (_index, place) = memory::used(|| PlaceIndex::new(pairs(set)));
    let (_live, live) = memory::used(|| live(set));
    let subject = Subject::new("geo.Q1/bytes", "bytes a place, a u32 item included", Unit::Bytes, Better::Lower);
    let side = |used: memory::Used, name: &str| Side::new(name, used.live as f64 / n);
    vec![
        subject.at("place-index").against(side(ours, QUADTREE), side(place, "PlaceIndex"), None),
        subject.at("live-index").against(side(ours, QUADTREE), side(live, "LiveIndex"), None),
    ]
}
