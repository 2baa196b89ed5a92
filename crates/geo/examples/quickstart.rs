//! The airports nearest to a place, and how far they really are.

use archstone_geo::{Geohash, LatLng, Meters, Metric, PlaceIndex, Wgs84};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut airports = Vec::new();
    for line in include_str!("../tests/data/airports.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        airports.push((LatLng::new(fields[2].parse()?, fields[3].parse()?)?, fields[0]));
    }
    let index: PlaceIndex<&str> = airports.into_iter().collect();

    let here = LatLng::new(48.8566, 2.3522)?;
    println!("{} airports; here is {}", index.len(), Geohash::encode(here, 7)?);
    for hit in index.near(here).within(Meters::from_km(1_000.0)).limit(5).collect() {
        let geodesic = Wgs84.distance(here, hit.position());
        println!("{}: {} on the sphere, {geodesic} on the ellipsoid", hit.item, hit.distance());
    }
    Ok(())
}
