//! Bearings, destinations, points between, cross-track and rhumb lines: published examples and laws.
//!
//! The examples are those of Chris Veness's "Movable Type" pages, whose Earth has 6 371 km; ours
//! has 8.8 m more.

mod common;

use archstone_geo::{LatLng, Meters, Metric, Sphere, Wgs84};
use common::{anywhere, at};
use proptest::prelude::*;

const EARTH: Sphere = Sphere::EARTH;
/// Ours over theirs.
const RATIO: f64 = 6_371_008.8 / 6_371_000.0;

#[track_caller]
fn near(p: LatLng, lat: f64, lng: f64, degrees: f64) {
    assert!((p.lat() - lat).abs() < degrees && (p.lng() - lng).abs() < degrees, "{p}");
}

#[test]
fn published_great_circles() {
    let (cambridge, paris) = (at(52.205, 0.119), at(48.857, 2.351));
    assert!((EARTH.distance(cambridge, paris).0 - 404_279.0 * RATIO).abs() < 1.0);
    assert!((EARTH.bearing(cambridge, paris) - 156.166_6).abs() < 1e-3);
    near(EARTH.intermediate(cambridge, paris, 0.5), 50.536_3, 1.274_6, 1e-4);
    near(EARTH.intermediate(cambridge, paris, 0.25), 51.372_1, 0.707_3, 1e-4);
    assert_eq!(EARTH.intermediate(cambridge, paris, 0.0), cambridge);
    assert_eq!(EARTH.intermediate(cambridge, paris, 1.0), paris);
    let there = EARTH.destination(at(51.477_8, -0.001_5), 300.7, Meters(7_794.0 * RATIO));
    near(there, 51.513_6, -0.098_3, 1e-4);
    // Positive is to the right of the way: this one is to the left.
    let (a, b) = (at(53.320_6, -1.729_7), at(53.188_7, 0.133_4));
    let off = EARTH.cross_track(at(53.261_1, -0.797_2), a, b).0;
    assert!((off + 307.5).abs() < 0.5, "{off}");
    assert!((EARTH.cross_track(at(53.261_1, -0.797_2), b, a).0 + off).abs() < 1e-2);
}

#[test]
fn published_rhumb_lines() {
    let (dover, calais) = (at(51.127, 1.338), at(50.964, 1.853));
    assert!((EARTH.rhumb_distance(dover, calais).0 - 40_307.8 * RATIO).abs() < 1.0);
    assert!((EARTH.rhumb_bearing(dover, calais) - 116.721).abs() < 1e-2);
    near(EARTH.rhumb_destination(dover, 116.721, Meters(40_307.8 * RATIO)), 50.964, 1.853, 1e-4);
    // Along a parallel, over the antimeridian, from pole to pole.
    let (west, east) = (at(60.0, 179.0), at(60.0, -179.0));
    assert_eq!(EARTH.rhumb_bearing(west, east), 90.0);
    let parallel = EARTH.radius() * 0.5 * 2.0_f64.to_radians();
    assert!((EARTH.rhumb_distance(west, east).0 - parallel).abs() < 1e-6);
    assert!((EARTH.rhumb_destination(west, 90.0, Meters(parallel)).lng() + 179.0).abs() < 1e-9);
    let half = EARTH.radius() * std::f64::consts::PI;
    assert!((EARTH.rhumb_distance(at(-90.0, 0.0), at(90.0, 0.0)).0 - half).abs() < 1e-6);
    assert_eq!(EARTH.rhumb_destination(at(80.0, 5.0), 0.0, Meters(2e6)), at(90.0, 5.0));
    assert_eq!(EARTH.rhumb_destination(at(-80.0, 5.0), 180.0, Meters(2e6)), at(-90.0, 5.0));
}

/// It would turn round the pole without end, so it ends there, at the longitude that it left from.
#[test]
fn a_rhumb_line_ends_at_the_pole_that_it_reaches() {
    for (from, bearing, pole) in [
        (at(80.0, 5.0), 45.0_f64, 90.0),
        (at(80.0, 5.0), -80.0, 90.0),
        (at(-80.0, 5.0), 135.0, -90.0),
        (at(-80.0, 5.0), -100.0, -90.0),
    ] {
        let to_pole = 10.0_f64.to_radians() / bearing.to_radians().cos().abs() * EARTH.radius();
        for more in [1.0001, 1.5, 3.0, 20.0] {
            let end = EARTH.rhumb_destination(from, bearing, Meters(to_pole * more));
            assert_eq!((end.lat(), end.lng()), (pole, 5.0), "{from} {bearing} {more}");
        }
        let short = EARTH.rhumb_destination(from, bearing, Meters(to_pole * 0.9));
        assert!((short.lat().abs() - 89.0).abs() < 1e-9 && short.lng() != 5.0, "{short}");
    }
}

#[test]
fn what_is_no_number_counts_as_nothing() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(EARTH.destination(at(1.0, 2.0), bad, Meters(0.0)), at(1.0, 2.0));
        near(EARTH.destination(at(1.0, 2.0), 40.0, Meters(bad)), 1.0, 2.0, 1e-12);
        near(EARTH.rhumb_destination(at(1.0, 2.0), 40.0, Meters(bad)), 1.0, 2.0, 1e-12);
        near(Wgs84.direct(at(1.0, 2.0), bad, Meters(0.0)).position, 1.0, 2.0, 1e-12);
        near(Wgs84.direct(at(1.0, 2.0), 40.0, Meters(bad)).position, 1.0, 2.0, 1e-12);
    }
    assert_eq!(EARTH.cross_track(at(1.0, 1.0), at(2.0, 2.0), at(2.0, 2.0)), Meters::ZERO);
    let p = at(3.0, 3.0);
    assert_eq!((EARTH.bearing(p, p), Wgs84.inverse(p, p).azimuth1), (0.0, 0.0));
}

/// Lines of a nanometre and up, and a whole turn: both ways agree.
#[test]
fn tiny_lines_keep_their_length_on_the_ellipsoid() {
    for log in -9..=7 {
        let length = 10_f64.powi(log);
        for from in [at(0.0, 0.0), at(45.0, 0.0), at(-60.0, 0.0)] {
            let there = Wgs84.direct(from, 53.0, Meters(length)).position;
            let back = Wgs84.distance(from, there).0;
            // A degree's last digit is 8e-10 m at 45 degrees.
            assert!((back - length).abs() < 15e-9, "{from} {length} {back}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn bearings_lead_there_and_sides_are_sides(a in anywhere(), bearing in -180.0..180.0_f64, meters in 1e3..1.5e7_f64, side in -89.0..89.0_f64, off in 10.0..1e6_f64) {
        let b = EARTH.destination(a, bearing, Meters(meters));
        let again = EARTH.destination(a, EARTH.bearing(a, b), EARTH.distance(a, b));
        prop_assert!(EARTH.distance(again, b).0 < 0.05);
        // A step to the right of the way is as far to the right.
        let middle = EARTH.intermediate(a, b, 0.4);
        let right = EARTH.destination(middle, EARTH.bearing(middle, b) + 90.0, Meters(off));
        prop_assert!((EARTH.cross_track(right, a, b).0 - off).abs() < 0.5 + 1e-6 * off, "{}", EARTH.cross_track(right, a, b));
        prop_assert!((EARTH.distance_to_segment(right, a, b).0 - off).abs() < 0.5 + 1e-6 * off);
        // Beyond an end, the end is the nearest.
        let past = EARTH.destination(b, EARTH.bearing(b, a) + 180.0 + side, Meters(off));
        if off + meters < 1.9e7 {
            prop_assert!((EARTH.distance_to_segment(past, a, b).0 - off).abs() < 0.5 + 1e-6 * off);
        }
    }

    #[test]
    fn rhumb_lines_come_back_and_are_no_shorter(a in (-80.0..80.0_f64, -180.0..180.0_f64), b in (-80.0..80.0_f64, -180.0..180.0_f64)) {
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));
        let length = EARTH.rhumb_distance(a, b);
        prop_assert!(length.0 >= EARTH.distance(a, b).0 - 1e-3);
        prop_assert!((length.0 - EARTH.rhumb_distance(b, a).0).abs() < 1e-6);
        let there = EARTH.rhumb_destination(a, EARTH.rhumb_bearing(a, b), length);
        prop_assert!(EARTH.distance(there, b).0 < 0.1, "{} {} {}", a, b, there);
    }

    /// Farther apart in space is farther on the sphere.
    #[test]
    fn the_haversine_grows_with_the_chord(p in anywhere(), a in anywhere(), b in anywhere()) {
        let unit = |p: LatLng| {
            let (lat, lng) = (p.lat().to_radians(), p.lng().to_radians());
            [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
        };
        let chord = |a: LatLng, b: LatLng| unit(a).iter().zip(unit(b)).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
        let (d, e) = (EARTH.distance(p, a).0, EARTH.distance(p, b).0);
        prop_assert!((chord(p, a) + 1e-13 < chord(p, b)) <= (d <= e));
        // The triangle's inequality to 1e-9 where the haversine keeps its digits.
        let ab = EARTH.distance(a, b).0;
        if d.max(e).max(ab) < 1.5e7 {
            prop_assert!(ab <= (d + e) * (1.0 + 1e-9) + 1e-7);
        }
    }
}
