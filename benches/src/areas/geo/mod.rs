//! Geography: codes, distances, the static index, moving objects, polygons and covers, polylines.

mod code;
mod data;
mod distance;
mod fences;
mod index;
mod moving;
mod quadtree;
mod regions;

use super::Area;

pub(super) fn area() -> Area {
    const PEERS: &[&str] = &["geohash", "geo", "geographiclib-rs", "kiddo", "rstar", "geo-index", "s2", "polyline"];
    let mut area = Area::new("geo", PEERS);
    code::entries(&mut area);
    distance::entries(&mut area);
    index::entries(&mut area);
    fences::entries(&mut area);
    quadtree::entries(&mut area);
    moving::entries(&mut area);
    regions::entries(&mut area);
    area
}
