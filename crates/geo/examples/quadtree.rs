//! A quadtree beside the two indexes: memory, building, the ten nearest, moves.
//!
//! `cargo run --release -p archstone-geo --example quadtree` ; over all places with `$ARCHSTONE_DATA`,
//! else over airports and their surroundings.

use std::hint::black_box;
use std::time::Instant;

use archstone_geo::{LatLng, LiveIndex, PlaceIndex, QuadTree};

fn places() -> Vec<LatLng> {
    if let Some(path) = testkit::golden::data("geo/places.csv.gz") {
        let rows = testkit::golden::csv::<(u32, f64, f64, String, u64, String)>(path);
        return rows.filter_map(|row| LatLng::new(row.1, row.2).ok()).collect();
    }
    let airports: Vec<LatLng> = include_str!("../tests/data/airports.csv")
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',').skip(2);
            let mut next = || fields.next()?.parse().ok();
            LatLng::new(next()?, next()?).ok()
        })
        .collect();
    (0..200_000)
        .filter_map(|i| {
            let near = airports[i * 7 % airports.len()];
            let off = |k: f64| (i as f64 * k).fract() - 0.5;
            LatLng::wrapped(near.lat() + off(0.618_034), near.lng() + off(0.754_878)).ok()
        })
        .collect()
}

/// Nanoseconds an operation, the best of five.
fn time(n: usize, mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_nanos() as f64 / n as f64);
    }
    best
}

fn main() {
    let places = places();
    let n = places.len();
    let queries: Vec<LatLng> = places.iter().step_by(97).copied().collect();
    println!("{n} places, {} queries         bytes   insert   10 nearest   move", queries.len());

    let pairs = || places.iter().copied().zip(0_u32..);
    let build = time(n, || drop(black_box(PlaceIndex::new(pairs()))));
    let index = PlaceIndex::new(pairs());
    let nearest = time(queries.len(), || {
        queries.iter().for_each(|at| drop(black_box(index.near(*at).limit(10).collect())));
    });
    println!(
        "PlaceIndex                    {:>6.1} {build:>6.0} ns {nearest:>9.0} ns      -",
        index.memory() as f64 / n as f64
    );

    let step = |at: LatLng, i: usize| {
        let off = |k: f64| ((i as f64 * k).fract() - 0.5) * 0.005;
        LatLng::wrapped(at.lat() + off(0.618_034), at.lng() + off(0.754_878)).unwrap_or(at)
    };
    let fill = || {
        let mut live = LiveIndex::<u32>::new();
        for (at, id) in pairs() {
            live.upsert(id, at);
        }
        live
    };
    let build = time(n, || drop(black_box(fill())));
    let mut live = fill();
    let nearest = time(queries.len(), || {
        queries.iter().for_each(|at| drop(black_box(live.nearest(*at, 10))));
    });
    let moves = time(n, || {
        for (i, (at, id)) in pairs().enumerate() {
            live.upsert(id, step(at, i));
        }
    });
    println!(
        "LiveIndex                          - {build:>6.0} ns {nearest:>9.0} ns {moves:>4.0} ns"
    );

    for leaf in [4, 16, 64] {
        let fill = || {
            let mut tree = QuadTree::new(leaf);
            pairs().for_each(|(at, id)| tree.insert(at, id));
            tree
        };
        let build = time(n, || drop(black_box(fill())));
        let mut tree = fill();
        let nearest = time(queries.len(), || {
            queries.iter().for_each(|at| drop(black_box(tree.nearest(*at, 10))));
        });
        let bytes = tree.memory() as f64 / n as f64;
        let mut round = 0;
        let mut at_now = places.clone();
        let moves = time(n, || {
            round += 1;
            for (i, id) in (0..n).zip(0_u32..) {
                tree.remove(at_now[i], &id);
                at_now[i] = step(places[i], i + round);
                tree.insert(at_now[i], id);
            }
        });
        println!(
            "QuadTree, leaves of {leaf:>2}, {:>2} deep {bytes:>6.1} {build:>6.0} ns {nearest:>9.0} ns {moves:>4.0} ns",
            tree.depth()
        );
    }
}
