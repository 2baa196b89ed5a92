//! Areas of geodesic polygons: against Karney's test set and GeographicLib's countries.

mod common;

use std::collections::BTreeMap;

use archstone_geo::{LatLng, LatLngBox, Wgs84};
use common::at;
use proptest::prelude::*;

/// Of WGS 84.
const EARTH: f64 = 510_065_621_724_088.44;

/// S12 of every line that stays on one side of the equator and whose foot on it is a geodesic.
#[test]
fn what_lies_under_a_geodesic_is_that_of_karney_s_test_set() {
    let Some(path) = testkit::golden::data("geo/geodtest_short_even.dat.gz") else { return };
    let (mut lines, mut worst) = (0, 0.0_f64);
    for line in testkit::golden::lines(path) {
        let n: Vec<f64> = line.split_whitespace().map(|x| x.parse().unwrap()).collect();
        let (a, b, s12) = (at(n[0], n[1]), at(n[3], n[4]), n[9]);
        if a.lat() * b.lat() <= 0.0 || (n[4] - n[1]).abs() > 179.0 || n[6] > 1.9e7 {
            continue;
        }
        let ring = [a, b, at(0.0, b.lng()), at(0.0, a.lng())];
        let off = (Wgs84.area(&ring) - s12.abs()).abs();
        assert!(off < 0.4, "{off} m2 of {s12}: {a} {b}");
        (lines, worst) = (lines + 1, worst.max(off));
    }
    println!("{lines} lines, worst {worst} m2");
    assert!(lines > 500, "{lines}");
}

#[test]
fn countries_have_the_areas_that_geographiclib_gives_them() {
    let (Some(rings), Some(areas)) = (
        testkit::golden::data("geo/countries_50m_rings.tsv.gz"),
        testkit::golden::data("geo/country_areas.csv.gz"),
    ) else {
        return;
    };
    let mut ours: BTreeMap<String, f64> = BTreeMap::new();
    for line in testkit::golden::lines(rings).skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let ring: Vec<LatLng> = fields[3]
            .split(' ')
            .map(|pair| {
                let (lat, lng) = pair.split_once(',').unwrap();
                at(lat.parse().unwrap(), lng.parse().unwrap())
            })
            .collect();
        let sign = if fields[2] == "0" { 1.0 } else { -1.0 };
        *ours.entry(fields[0].to_owned()).or_default() += sign * Wgs84.area(&ring);
    }
    let mut countries = 0;
    for (country, area) in testkit::golden::csv::<(String, f64)>(areas) {
        let ours = ours[&country];
        assert!((ours - area).abs() < 1.0 + 1e-10 * area, "{country}: {ours}, {area}");
        countries += 1;
    }
    assert_eq!(countries, 240);
}

#[test]
fn rings_round_a_pole_and_over_the_antimeridian_have_their_smaller_side() {
    let eighth = [at(0.0, 170.0), at(0.0, -100.0), at(90.0, 33.0)];
    assert!((Wgs84.area(&eighth) - EARTH / 8.0).abs() < 1.0);
    let cap: Vec<LatLng> = (0..360).map(|i| at(60.0, f64::from(i) - 179.5)).collect();
    let south: Vec<LatLng> = cap.iter().map(|p| at(-60.0, p.lng())).collect();
    // Geodetic latitudes are not those of a sphere: 0.7 % here.
    let sphere = LatLngBox::new(60.0, 90.0, -180.0, 180.0).unwrap().area();
    assert!((Wgs84.area(&cap) / sphere - 1.0).abs() < 8e-3, "{} {sphere}", Wgs84.area(&cap));
    assert!((Wgs84.area(&cap) - Wgs84.area(&south)).abs() < 1.0);
    let outer = [at(60.0, 0.0), at(60.0, 120.0), at(60.0, -120.0)];
    let wedges: f64 = [(0.0, 120.0), (120.0, -120.0), (-120.0, 0.0)]
        .map(|(a, b)| Wgs84.area(&[at(60.0, a), at(60.0, b), at(90.0, 5.0)]))
        .iter()
        .sum();
    assert!((Wgs84.area(&outer) - wedges).abs() < 1.0);
    assert_eq!(Wgs84.area(&[]) + Wgs84.area(&[at(1.0, 1.0), at(2.0, 2.0)]), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The two halves that a diagonal makes are the whole, in any direction and from any start.
    #[test]
    fn parts_add_up(lat in -70.0..70.0_f64, lng in -180.0..180.0_f64, w in 0.001..15.0_f64, tall in 0.5..2.0_f64, turn in 0_usize..4) {
        let h = (w * tall).min(15.0);
        let p = |a: f64, b: f64| LatLng::wrapped(lat + a, lng + b).unwrap();
        let ring = [p(0.0, 0.0), p(h * 0.3, w), p(h, w * 0.9), p(h * 0.8, -w * 0.2)];
        let whole = Wgs84.area(&ring);
        let mut turned = ring;
        turned.rotate_left(turn);
        turned.reverse();
        prop_assert!((Wgs84.area(&turned) - whole).abs() < 0.4);
        let (a, b) = (Wgs84.area(&[ring[0], ring[1], ring[2]]), Wgs84.area(&[ring[0], ring[2], ring[3]]));
        prop_assert!((a + b - whole).abs() < 0.4, "{} {} {}", a, b, whole);
    }
}
