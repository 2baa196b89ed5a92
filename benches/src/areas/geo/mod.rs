//! Geography: codes, distances, the static index, live objects, polylines.

mod code;
mod data;
mod fences;
mod index;
mod quadtree;

use super::Area;

pub(super) fn area() -> Area {
    const PEERS: &[&str] = &["geohash", "geo", "geographiclib-rs", "kiddo", "rstar", "geo-index", "polyline"];
    let mut area = Area::new("geo", PEERS);
    code::entries(&mut area);
    index::entries(&mut area);
    fences::entries(&mut area);
    quadtree::entries(&mut area);
    area
}
