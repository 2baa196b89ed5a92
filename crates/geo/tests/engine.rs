//! A real Redis answers the same searches: members within the radius, by our Redis metric on where
//! the members stand.

mod common;

use archstone_geo::redis::{Score, search_ranges};
use archstone_geo::{LatLng, Meters, Metric, Sphere};
use common::{at, sample};

#[test]
fn redis_finds_the_members_that_we_do() {
    let Some(server) = testkit::require("redis") else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_connection().unwrap();
    let mut members: Vec<(String, Score)> = Vec::new();
    for (iata, _, lat, lng) in airports() {
        let Ok(score) = Score::encode(at(lat, lng)) else { continue };
        redis::cmd("GEOADD").arg("a").arg(lng).arg(lat).arg(&iata).exec(&mut redis).unwrap();
        let stored: u64 =
            redis::cmd("ZSCORE").arg("a").arg(&iata).query::<f64>(&mut redis).unwrap() as u64;
        assert_eq!(stored, score.to_u64(), "{iata}");
        members.push((iata, score));
    }
    let mut searches = 0;
    for (i, (_, score)) in members.iter().enumerate().step_by(7) {
        let near = score.decode();
        let center = LatLng::wrapped(near.lat() * 0.99, near.lng() + 0.3).unwrap();
        let radius = [1_000.0, 50_000.0, 500_000.0, 5e6][i % 4];
        let mut theirs: Vec<String> = redis::cmd("GEOSEARCH")
            .arg("a")
            .arg("FROMLONLAT")
            .arg(center.lng())
            .arg(center.lat())
            .arg("BYRADIUS")
            .arg(radius)
            .arg("m")
            .query(&mut redis)
            .unwrap();
        let ranges = search_ranges(center, Meters(radius));
        let mut ours: Vec<String> = members
            .iter()
            .filter(|(_, score)| ranges.iter().any(|range| range.contains(score)))
            .filter(|(_, score)| Sphere::REDIS.distance(center, score.decode()).0 <= radius)
            .map(|(iata, _)| iata.clone())
            .collect();
        theirs.sort();
        ours.sort();
        assert_eq!(ours, theirs, "{center} {radius}");
        searches += 1;
    }
    assert!(searches > 50);
}

fn airports() -> impl Iterator<Item = (String, String, f64, f64)> {
    type Row = (String, String, f64, f64, f64, String, String, String, String);
    testkit::golden::csv::<Row>(sample("airports.csv")).map(|row| (row.0, row.1, row.2, row.3))
}
