//! The static index: G7 to G11.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::Arc;

use archstone_geo::{LatLng, Meters, PlaceIndex};
use geo_index::kdtree::{KDTree, KDTreeBuilder, KDTreeIndex};
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rstar::RTree;
use rstar::primitives::GeomWithData;

use super::data::{self, chord_squared, unit};
use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

pub(super) const OURS: &str = "archstone-geo";
type Kiddo = ImmutableKdTree<f64, 3>;
type Rstar = RTree<GeomWithData<[f64; 3], u32>>;

/// Points and queries of one size.
#[derive(Clone)]
pub(super) struct Set {
    pub points: Arc<[LatLng]>,
    pub queries: Arc<[LatLng]>,
}

pub(super) fn set(n: usize) -> Set {
    let places = data::places();
    let n = if n == 0 { places.at.len() } else { n };
    Set { points: places.spread(n).into(), queries: places.queries(2_000) }
}

const SIZES: [(&str, usize); 2] = [("places", 0), ("1M", 1_000_000)];

pub(super) fn entries(area: &mut Area) {
    for (size, n) in SIZES {
        for (k, kiddo_goal) in [(1, 1.15), (10, 1.5), (100, 2.0)] {
            area.race(format!("geo.G7/{size}/k={k}"), move |_| nearest(size, &set(n), k, kiddo_goal));
        }
        for (km, kiddo_goal) in [(5.0, 1.2), (50.0, 1.5), (500.0, 1.5)] {
            area.race(format!("geo.G8/{size}/{km}km"), move |_| radius(size, &set(n), km, kiddo_goal));
        }
        area.race(format!("geo.G10/{size}"), move |_| build(size, &set(n)));
    }
    area.rows("geo.G11", |run| SIZES[..if run.quick { 1 } else { 2 }].iter().flat_map(|&(size, n)| bytes(size, &set(n), run)).collect());
}

fn pairs(set: &Set) -> impl Iterator<Item = (LatLng, u32)> + '_ {
    set.points.iter().copied().zip(0..)
}

fn kiddo(set: &Set) -> Kiddo {
    let vectors: Vec<[f64; 3]> = set.points.iter().map(|at| unit(*at)).collect();
    Kiddo::new_from_slice(&vectors).expect("an immutable tree of any points")
}

fn rstar(set: &Set) -> Rstar {
    Rstar::bulk_load(pairs(set).map(|(at, id)| GeomWithData::new(unit(at), id)).collect())
}

fn asked<S: 'static>(name: &str, set: &Set, state: S, ask: impl Fn(&S, LatLng) -> u64 + 'static) -> Runner {
    let queries = Arc::clone(&set.queries);
    Runner::steady(name, queries.len(), state, move |state| queries.iter().fold(0_u64, |sum, at| sum.wrapping_add(ask(state, *at))))
}

fn nearest(size: &str, set: &Set, k: usize, goal: f64) -> Race {
    let index = PlaceIndex::new(pairs(set));
    let tree = kiddo(set);
    // A fast wrong answer fails: the sums of the distances must agree.
    let wrong = set.queries.iter().take(200).find(|at| {
        let ours: f64 = index.near(**at).limit(k).collect().iter().map(|hit| chord_squared(hit.distance().0)).sum();
        let theirs: f64 = tree.query(&unit(**at)).nearest_n::<SquaredEuclidean<f64>>(NonZero::new(k).expect("k")).execute().iter().map(|hit| hit.distance).sum();
        (ours - theirs).abs() > 1e-9 * theirs + 1e-14
    });
    let workload = format!("{k} nearest of {} ({size}), in order, from where people live", set.points.len());
    if let Some(at) = wrong {
        return Race::without_ours(workload, OURS, &format!("a wrong answer at {at}"));
    }
    let ours = if k == 1 {
        asked(OURS, set, index, |index, at| index.nearest(at).map_or(0, |hit| u64::from(*hit.item)))
    } else {
        asked(OURS, set, index, move |index, at| index.near(at).limit(k).collect().iter().map(|hit| u64::from(*hit.item)).sum())
    };
    let count = NonZero::new(k).expect("not zero");
    let theirs = if k == 1 {
        asked("kiddo nearest_one", set, tree, |tree, at| u64::from(tree.query(&unit(at)).nearest_one::<SquaredEuclidean<f64>>().execute().item))
    } else {
        asked("kiddo nearest_n", set, tree, move |tree, at| tree.query(&unit(at)).nearest_n::<SquaredEuclidean<f64>>(count).execute().iter().map(|hit| u64::from(hit.item)).sum())
    };
    let race = Race::new(workload, ours).beats("kiddo", theirs, goal);
    if size == "1M" {
        return race;
    }
    let rstar = asked("rstar", set, rstar(set), move |tree, at| tree.nearest_neighbor_iter(unit(at)).take(k).map(|hit| u64::from(hit.data)).sum());
    if k == 10 { race.beats("rstar", rstar, 4.0) } else { race.beside("rstar", rstar) }
}

fn radius(size: &str, set: &Set, km: f64, goal: f64) -> Race {
    let index = PlaceIndex::new(pairs(set));
    let tree = kiddo(set);
    let (limit, radius) = (chord_squared(km * 1_000.0), Meters::from_km(km));
    let hits = |at: LatLng| index.near(at).within(radius).count();
    let wrong = set.queries.iter().take(200).find(|at| {
        let theirs = tree.query(&unit(**at)).within::<SquaredEuclidean<f64>>(limit).unsorted().execute();
        hits(**at).abs_diff(theirs.len()) > theirs.len() / 10_000
    });
    let mean = set.queries.iter().take(500).map(|at| hits(*at)).sum::<usize>() as f64 / 500.0;
    let workload = format!("all within {km} km of {} ({size}), any order, {mean:.1} hits", set.points.len());
    if let Some(at) = wrong {
        return Race::without_ours(workload, OURS, &format!("a wrong answer at {at}"));
    }
    let ours = asked(OURS, set, index, move |index, at| {
        let mut sum = 0;
        let _ = index.near(at).within(radius).for_each(|hit| {
            sum += u64::from(*hit.item);
            ControlFlow::Continue(())
        });
        sum
    });
    let race = Race::new(workload, ours).beats(
        "kiddo",
        asked("kiddo within, unsorted", set, tree, move |tree, at| {
            tree.query(&unit(at)).within::<SquaredEuclidean<f64>>(limit).unsorted().execute().iter().map(|hit| u64::from(hit.item)).sum()
        }),
        goal,
    );
    if size == "1M" {
        return race;
    }
    let rstar = asked("rstar", set, rstar(set), move |tree, at| tree.locate_within_distance(unit(at), limit).map(|hit| u64::from(hit.data)).sum());
    let race = if km == 50.0 { race.beats("rstar", rstar, 4.0) } else { race.beside("rstar", rstar) };
    if km > 50.0 {
        return race;
    }
    let flat = geo_index(set);
    let positions = Arc::clone(&set.points);
    race.beside("geo-index", asked("geo-index, box and haversine", set, flat, move |tree, at| {
        let area = archstone_geo::LatLngBox::around(at, radius);
        let hits = tree.range(area.west(), area.south(), area.east(), area.north());
        hits.into_iter().filter(|&id| archstone_geo::Metric::distance(&archstone_geo::Sphere::EARTH, at, positions[id as usize]) <= radius).map(u64::from).sum()
    }))
}

fn geo_index(set: &Set) -> KDTree<f64> {
    let mut builder = KDTreeBuilder::<f64>::new(set.points.len() as u32);
    for at in set.points.iter() {
        builder.add(at.lng(), at.lat());
    }
    builder.finish()
}

fn build(size: &str, set: &Set) -> Race {
    let n = set.points.len();
    let fresh = |name: &str, build: fn(&Set) -> usize| {
        let set = set.clone();
        Runner::fresh(name, n, move || set.clone(), move |set| build(&set))
    };
    Race::new(format!("building over {n} positions ({size}), one thread"), fresh(OURS, |set| PlaceIndex::new(pairs(set)).len()))
        .beats("kiddo", fresh("kiddo, unit vectors included", |set| kiddo(set).size()), 1.2)
}

fn bytes(size: &str, set: &Set, _: &Run) -> Vec<Row> {
    let n = set.points.len() as f64;
    let row = |name: &str, goal: Option<f64>, used: memory::Used| {
        let subject = Subject::new(&format!("geo.G11/{size}/{name}"), "bytes a place, a u32 item included", Unit::Bytes, Better::Lower);
        let side = Side::new(format!("{OURS} {name}"), used.live as f64 / n);
        match goal {
            Some(limit) => subject.limit(side, limit),
            None => subject.information(side),
        }
    };
    let (_index, exact) = memory::used(|| PlaceIndex::new(pairs(set)));
    let (_index, compact) = memory::used(|| PlaceIndex::compact(pairs(set)));
    let (_tree, kiddo) = memory::used(|| kiddo(set));
    let subject = Subject::new(&format!("geo.G11/{size}/exact/kiddo"), "bytes a place, a u32 item included", Unit::Bytes, Better::Lower);
    vec![
        row("exact", Some(20.0), exact).note("the position as given, to the bit, is 16 of them"),
        subject.against(Side::new(OURS, exact.live as f64 / n), Side::new("kiddo", kiddo.live as f64 / n), None),
        row("compact", Some(20.0), compact).note("positions to 6 mm"),
    ]
}
