//! A real Redis answers the same: `GEOADD`, `GEOPOS`, `GEOHASH`, `GEODIST` and `GEOSEARCH` by radius and
//! by box give what our scores and our Redis metric on decoded positions give.

mod common;

use archstone_geo::redis::{MAX_LATITUDE, Score, box_ranges, search_ranges};
use archstone_geo::{LatLng, LatLngBox, Meters, Metric, Sphere};
use common::{at, sample};
use redis::Connection;

struct Member {
    name: String,
    score: Score,
}

/// Airports, and the edges of what Redis takes.
fn members() -> Vec<(String, LatLng)> {
    type Row = (String, String, f64, f64, f64, String, String, String, String);
    let airports = testkit::golden::csv::<Row>(sample("airports.csv"));
    let edges = [
        (0.0, 180.0),
        (0.0, -180.0),
        (10.0, 179.999_999),
        (MAX_LATITUDE, 0.0),
        (-MAX_LATITUDE, -180.0),
        (MAX_LATITUDE, 180.0),
        (84.9, 100.0),
        (84.9, -80.0),
        (0.0, 0.0),
    ];
    airports
        .map(|row| (row.0, at(row.2, row.3)))
        .chain(edges.iter().enumerate().map(|(i, p)| (format!("edge {i}"), at(p.0, p.1))))
        .filter(|member| member.1.lat().abs() <= MAX_LATITUDE)
        .collect()
}

fn filled(redis: &mut Connection) -> Vec<Member> {
    let mut all = Vec::new();
    for (name, at) in members() {
        let score = Score::encode(at).unwrap();
        let _: () = redis::cmd("GEOADD")
            .arg("a")
            .arg(at.lng())
            .arg(at.lat())
            .arg(&name)
            .query(redis)
            .unwrap();
        let stored: f64 = redis::cmd("ZSCORE").arg("a").arg(&name).query(redis).unwrap();
        assert_eq!(stored as u64, score.to_u64(), "{name}");
        all.push(Member { name, score });
    }
    all
}

fn names(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn redis_finds_the_members_that_we_do() {
    let Some(server) = testkit::require("redis") else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_connection().unwrap();
    let members = filled(&mut redis);

    for member in &members {
        let hash: Vec<String> =
            redis::cmd("GEOHASH").arg("a").arg(&member.name).query(&mut redis).unwrap();
        assert_eq!(hash[0].as_bytes(), member.score.geohash(), "{}", member.name);
        let pos: Vec<(f64, f64)> =
            redis::cmd("GEOPOS").arg("a").arg(&member.name).query(&mut redis).unwrap();
        let ours = member.score.decode();
        assert!((pos[0].0 - ours.lng()).abs() < 1e-11 && (pos[0].1 - ours.lat()).abs() < 1e-11);
    }
    for pair in members.windows(2) {
        let theirs: f64 = redis::cmd("GEODIST")
            .arg("a")
            .arg(&pair[0].name)
            .arg(&pair[1].name)
            .query(&mut redis)
            .unwrap();
        assert!((pair[0].score.distance(pair[1].score).0 - theirs).abs() < 1e-4 * 0.6);
    }

    // Members at 180 east and at the northern edge have a score of more than 52 bits. The searches of
    // Redis 7.0.15 that were tried did not return them, so they are left out of the comparison; whether
    // some other search would was not looked into. Our ranges have them.
    let (edge, members): (Vec<Member>, Vec<Member>) =
        members.into_iter().partition(|member| member.score.to_u64() >> 52 != 0);
    assert_eq!(edge.len(), 3);
    for member in &edge {
        let ranges = search_ranges(member.score.decode(), Meters(1.0));
        assert!(ranges.iter().any(|range| range.contains(&member.score)), "{}", member.name);
        let _: () = redis::cmd("ZREM").arg("a").arg(&member.name).query(&mut redis).unwrap();
    }
    let (mut searches, mut found) = (0, 0);
    for (i, member) in members.iter().enumerate() {
        let near = member.score.decode();
        let center = LatLng::wrapped(near.lat() * 0.99, near.lng() + 0.3).unwrap();
        let meters = [1_000.0, 50_000.0, 500_000.0, 5e6, 1.2e7][i % 5];
        let search = |redis: &mut Connection, shape: &[String]| -> Vec<String> {
            let mut command = redis::cmd("GEOSEARCH");
            command.arg("a").arg("FROMLONLAT").arg(center.lng()).arg(center.lat());
            names(command.arg(shape).arg("m").query(redis).unwrap())
        };
        let theirs = search(&mut redis, &["BYRADIUS".into(), meters.to_string()]);
        let ranges = search_ranges(center, Meters(meters));
        let in_ranges = members.iter().filter(|m| ranges.iter().any(|r| r.contains(&m.score)));
        let ours = in_ranges
            .filter(|m| Sphere::REDIS.distance(center, m.score.decode()).0 <= meters)
            .map(|m| m.name.clone());
        let ours = names(ours.collect());
        assert_eq!(ours, theirs, "{center} {meters}");
        found += theirs.len();

        let (width, height) = (meters, [0.5, 1.0, 1.7][i % 3] * meters);
        let theirs = search(&mut redis, &["BYBOX".into(), width.to_string(), height.to_string()]);
        let within = |m: &&Member| m.score.is_in_box(center, Meters(width), Meters(height));
        // The farthest of a box is farther than half its diagonal towards the equator; twice has all.
        let around = LatLngBox::around(center, Meters(width.hypot(height)));
        let ranges = box_ranges(&around);
        let in_ranges = members.iter().filter(|m| ranges.iter().any(|r| r.contains(&m.score)));
        let ours = names(in_ranges.filter(within).map(|m| m.name.clone()).collect());
        assert_eq!(ours, theirs, "{center} {width} x {height}");
        found += theirs.len();
        searches += 2;
    }
    assert!(searches > 1_000 && found > 20_000, "{searches} searches, {found} members");
}

/// What Redis refuses, we do.
#[test]
fn redis_refuses_the_positions_that_we_do() {
    let Some(server) = testkit::require("redis") else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_connection().unwrap();
    for (lat, lng) in [
        (85.051_128_79, 0.0),
        (-85.06, 0.0),
        (90.0, 0.0),
        (0.0, 180.000_1),
        (0.0, -181.0),
        (f64::NAN, 0.0),
        (0.0, f64::INFINITY),
    ] {
        let theirs: redis::RedisResult<i64> =
            redis::cmd("GEOADD").arg("b").arg(lng).arg(lat).arg("x").query(&mut redis);
        let ours = LatLng::new(lat, lng).map(Score::encode);
        assert!(theirs.is_err() && !matches!(ours, Ok(Ok(_))), "{lat} {lng} {ours:?}");
    }
}
