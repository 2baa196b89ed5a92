//! Where users and data centres are: the geographic scheme, by distance over the sphere.

use archstone_geo::{LatLng, Metric, PlaceIndex, Sphere};
use archstone_hashring::sharding::GeoMap;
use std::time::Duration;

/// Data centres in the order in which they are built: the first four serve, the fifth is the one
/// more.
pub const CENTRES: [(&str, f64, f64); 5] = [
    ("virginia", 39.04, -77.49),
    ("frankfurt", 50.11, 8.68),
    ("singapore", 1.35, 103.82),
    ("sao-paulo", -23.55, -46.63),
    ("sydney", -33.87, 151.21),
];

/// Capitals by the code at the end of a host's name; what has none is taken to be in the United
/// States, as most of the log's addresses are.
const CAPITALS: [(&str, f64, f64); 45] = [
    ("us", 38.9, -77.0),
    ("ar", -34.6, -58.4),
    ("at", 48.2, 16.4),
    ("au", -35.3, 149.1),
    ("be", 50.8, 4.4),
    ("br", -15.8, -47.9),
    ("ca", 45.4, -75.7),
    ("ch", 46.9, 7.4),
    ("cl", -33.5, -70.7),
    ("cr", 9.9, -84.1),
    ("cz", 50.1, 14.4),
    ("de", 52.5, 13.4),
    ("dk", 55.7, 12.6),
    ("es", 40.4, -3.7),
    ("fi", 60.2, 24.9),
    ("fr", 48.9, 2.4),
    ("gr", 38.0, 23.7),
    ("hk", 22.3, 114.2),
    ("hu", 47.5, 19.0),
    ("id", -6.2, 106.8),
    ("ie", 53.3, -6.3),
    ("il", 31.8, 35.2),
    ("in", 28.6, 77.2),
    ("is", 64.1, -21.9),
    ("it", 41.9, 12.5),
    ("jp", 35.7, 139.7),
    ("kr", 37.6, 127.0),
    ("lu", 49.6, 6.1),
    ("lv", 56.9, 24.1),
    ("mx", 19.4, -99.1),
    ("my", 3.1, 101.7),
    ("nl", 52.4, 4.9),
    ("no", 59.9, 10.8),
    ("nz", -41.3, 174.8),
    ("pl", 52.2, 21.0),
    ("pt", 38.7, -9.1),
    ("ru", 55.8, 37.6),
    ("se", 59.3, 18.1),
    ("sg", 1.35, 103.8),
    ("si", 46.1, 14.5),
    ("su", 55.8, 37.6),
    ("th", 13.8, 100.5),
    ("tw", 25.0, 121.6),
    ("uk", 51.5, -0.1),
    ("za", -25.7, 28.2),
];

fn capital(area: &str) -> LatLng {
    let known = CAPITALS.iter().find(|row| row.0 == area).unwrap_or(&CAPITALS[0]);
    LatLng::new(known.1, known.2).expect("degrees of the table")
}

fn centre(shard: usize) -> LatLng {
    let (_, lat, lng) = CENTRES[shard];
    LatLng::new(lat, lng).expect("degrees of the table")
}

/// Whether there is such a country here.
#[must_use]
pub fn is_area(code: &str) -> bool {
    CAPITALS.iter().any(|row| row.0.eq_ignore_ascii_case(code))
}

/// The country that a host's name ends with; `""` when it is none of them.
#[must_use]
pub fn area_of(name: &str) -> &str {
    let end = name.rsplit('.').next().unwrap_or("");
    if is_area(end) { end } else { "" }
}

/// Every country in the region of its nearest data centre, of the first `shards`; fallbacks by
/// distance.
#[must_use]
pub fn regions(shards: usize) -> GeoMap<usize> {
    let shards = shards.min(CENTRES.len());
    let index = PlaceIndex::new((0..shards).map(|shard| (centre(shard), shard)));
    let mut map = GeoMap::new();
    for (shard, place) in CENTRES.iter().enumerate().take(shards) {
        let near = index.near(centre(shard)).limit(shards).collect();
        let others = near.iter().map(|hit| *hit.item).filter(|&other| other != shard);
        let names: Vec<&str> = others.map(|other| CENTRES[other].0).collect();
        map.region(place.0, [shard], names);
    }
    for (area, ..) in CAPITALS {
        let nearest = index.nearest(capital(area)).map_or(0, |hit| *hit.item);
        map.area(area, CENTRES[nearest].0).expect("just entered");
    }
    map.area("", CENTRES[0].0).expect("just entered");
    map
}

/// There and back between a country and a data centre: light in glass does 200 km a millisecond, and
/// cables are half as long again as the great circle.
#[must_use]
pub fn round_trip(area: &str, shard: usize) -> Duration {
    let way = Sphere::EARTH.distance(capital(area), centre(shard.min(CENTRES.len() - 1)));
    Duration::from_secs_f64(2.0 * 1.5 * way.km() / 200e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_go_to_their_nearest_centre_and_a_new_one_takes_its_own() {
        let (four, five) = (regions(4), regions(5));
        let at = |map: &GeoMap<usize>, area| *map.route(area, |_| true).unwrap().node;
        assert_eq!(["us", "", "de", "za", "jp", "br"].map(|a| at(&four, a)), [0, 0, 1, 3, 2, 3]);
        assert_eq!((at(&four, "au"), at(&five, "au"), at(&five, "nz")), (2, 4, 4));
        for (area, ..) in CAPITALS {
            let (before, after) = (at(&four, area), at(&five, area));
            assert!(before == after || after == 4, "{area} moves between old regions");
        }
        // With Frankfurt down its users go to the nearest other.
        assert_eq!(*four.route("de", |&shard| shard != 1).unwrap().node, 0);
    }

    #[test]
    fn a_round_trip_is_the_way_of_light_and_areas_are_ends_of_names() {
        let trip = round_trip("de", 0).as_millis();
        assert!((90..110).contains(&trip), "{trip}");
        assert!(round_trip("us", 0).as_millis() < 2);
        assert_eq!(
            [area_of("a.b.jp"), area_of("x.com"), area_of("1.2.3.4"), area_of("")],
            ["jp", "", "", ""]
        );
    }
}
