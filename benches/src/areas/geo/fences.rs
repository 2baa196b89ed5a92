//! Ten thousand fences and objects that move among them: G16.

use std::collections::HashMap;
use std::sync::Arc;

use archstone_geo::fence::{FenceSet, Rules};
use archstone_geo::{Circle, LatLng, LatLngBox, Meters, Metric, Region, Sphere, Time};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::data;
use super::index::OURS;
use crate::areas::{Area, Run};
use crate::measure::{Runner, interleave};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::Rng;

const FENCES: usize = 10_000;
const OBJECTS: usize = 10_000;
/// Positions an object goes to and fro between.
const STEPS: usize = 8;

pub(super) fn entries(area: &mut Area) {
    area.rows("geo.G16/apart", |run| rows(run, false, 500.0));
    area.rows("geo.G16/inside", |run| rows(run, true, 1_000.0));
}

struct Work {
    fences: Vec<Circle>,
    /// Of each object, one after the other.
    paths: Vec<[LatLng; STEPS]>,
}

/// Circles of 300 m to 3 km around places by population; objects that walk up to 275 m a step, either
/// clear of all fences or all the time in one.
fn work(inside: bool) -> Work {
    let places = data::places();
    let mut rng = Rng::new(16);
    let fences: Vec<Circle> = (0..FENCES)
        .map(|_| Circle::new(places.pick(&mut rng), Meters(300.0 * 10_f64.powf(rng.unit()))))
        .collect();
    let mut paths = Vec::with_capacity(OBJECTS);
    while paths.len() < OBJECTS {
        let home = if inside {
            let fence = &fences[rng.below(FENCES as u64) as usize];
            if fence.radius().0 < 1_500.0 {
                continue;
            }
            fence.center()
        } else {
            places.pick(&mut rng)
        };
        let off = |rng: &mut Rng| (rng.unit() - 0.5) * if inside { 0.005 } else { 0.02 };
        let path: [LatLng; STEPS] = std::array::from_fn(|_| {
            LatLng::wrapped(home.lat() + off(&mut rng), home.lng() + off(&mut rng)).unwrap_or(home)
        });
        let near = |margin: f64| fences.iter().filter(|fence| fence.signed_distance(home).0 < margin).count();
        if inside || near(5_000.0) == 0 {
            paths.push(path);
        }
    }
    Work { fences, paths }
}

fn rows(run: &Run, inside: bool, limit: f64) -> Vec<Row> {
    let work = Arc::new(work(inside));
    let mut runners = [ours(&work), by_hand(&work)];
    let timing = interleave(&mut runners, &run.budget);
    let where_ = if inside { "in one of them" } else { "clear of them" };
    let subject = Subject::new(
        if inside { "geo.G16/inside" } else { "geo.G16/apart" },
        &format!("a fix of one of {OBJECTS} objects among {FENCES} circles, {where_}"),
        Unit::Ns,
        Better::Lower,
    );
    let side = Side::new(OURS, timing[0].best);
    let theirs = Side::new("rstar of boxes, a map of states, by hand", timing[1].best);
    let note = "the peer has no crossings, no hysteresis, no dwell, no expiry";
    vec![
        subject.at("limit").limit(side.clone(), limit).note(format!("{:.2} M fixes/s", 1e3 / timing[0].best)),
        subject.at("rstar").against(side, theirs, None).note(note),
    ]
}

fn ours(work: &Arc<Work>) -> Runner {
    let mut set = FenceSet::<u32, u32>::new(OBJECTS);
    for (id, fence) in (0..).zip(&work.fences) {
        set.add(id, *fence, Rules::new().with_hysteresis(Meters(50.0)));
    }
    let work = Arc::clone(work);
    let state = (set, 0_u64);
    Runner::steady(OURS, OBJECTS, state, move |(set, round)| {
        *round += 1;
        let (time, step) = (Time::from_secs(10 * *round), *round as usize % STEPS);
        let mut events = 0_u64;
        for (object, path) in (0_u32..).zip(&work.paths) {
            let taken = set.update(&object, path[step], time, |_| events += 1);
            debug_assert!(taken.is_ok());
        }
        events
    })
}

/// What one would write without us: boxes in an R-tree, a set of fences an object is in.
fn by_hand(work: &Arc<Work>) -> Runner {
    type Entry = GeomWithData<Rectangle<[f64; 2]>, u32>;
    let boxes = (0..).zip(&work.fences).map(|(id, fence): (u32, &Circle)| {
        let area = LatLngBox::around(fence.center(), fence.radius());
        Entry::new(Rectangle::from_corners([area.south(), area.west()], [area.north(), area.east()]), id)
    });
    let tree = RTree::bulk_load(boxes.collect());
    let states: HashMap<u32, Vec<u32>, ahash::RandomState> = HashMap::default();
    let work = Arc::clone(work);
    Runner::steady("rstar by hand", OBJECTS, (tree, states, 0_u64), move |(tree, states, round)| {
        *round += 1;
        let step = *round as usize % STEPS;
        let mut events = 0_u64;
        for (object, path) in (0_u32..).zip(&work.paths) {
            let at = path[step];
            let mut now: Vec<u32> = tree
                .locate_in_envelope_intersecting(AABB::from_point([at.lat(), at.lng()]))
                .map(|entry| entry.data)
                .filter(|&id| {
                    let fence = &work.fences[id as usize];
                    Sphere::EARTH.distance(fence.center(), at) <= fence.radius()
                })
                .collect();
            now.sort_unstable();
            let before = states.entry(object).or_default();
            events += now.iter().filter(|id| !before.contains(id)).count() as u64;
            events += before.iter().filter(|id| !now.contains(id)).count() as u64;
            *before = now;
        }
        events
    })
}
